/*
 * A group as it is persisted, and back. The image is absolute: it says all
 * that a restart must know, and nothing of who waits or when a timer ends.
 * An image read from the disk is not trusted: what the state machine takes
 * for granted (group.c) is checked here, once.
 */
#include "config.h"

#include "group/group_priv.h"

/* ---- out ---- */

size_t
group_image_size(const struct group *g)
{
    return (g->member_count + 1) * sizeof(struct group_image_member) + 64;
}

static void
image_member(const struct member *m, struct group_image_member *out)
{
    *out = (struct group_image_member){
        .member_id = m->id,
        .instance_id = m->instance_id,
        .client_id = m->client_id,
        .client_host = m->client_host,
        .session_timeout_ms = m->session_timeout_ms,
        .rebalance_timeout_ms = m->rebalance_timeout_ms,
        .protocols = m->protocols,
        .protocol_count = m->protocol_count,
        .assignment = m->assignment == NULL
            ? span_str("") : span_of(m->assignment, m->assignment_len),
    };
}

int
group_image(const struct group *g, struct arena *arena,
    struct group_image *image)
{
    struct group_image_member *list =
        arena_calloc(arena, g->member_count + 1, sizeof *list);
    const struct member *m;
    size_t n = 0;

    if (list == NULL) {
        return -1;
    }
    TAILQ_FOREACH (m, &g->members, link) {
        image_member(m, &list[n++]);
    }
    *image = (struct group_image){
        .group_id = g->id,
        .state = g->state,
        .generation = g->generation,
        .state_since_ms = g->state_since_ms,
        .protocol_type = g->protocol_type,
        .protocol_name = g->protocol_name,
        .leader_id = g->leader == NULL ? SPAN_NULL : g->leader->id,
        .members = list,
        .member_count = n,
    };
    return 0;
}

struct span
group_image_metadata(const struct group_image *image,
    const struct group_image_member *m)
{
    for (size_t i = 0; i < m->protocol_count; i++) {
        if (image->protocol_name.ptr != NULL &&
            span_eq(m->protocols[i].name, image->protocol_name)) {
            return m->protocols[i].metadata;
        }
    }
    return span_str("");
}

/* ---- in ---- */

static const char *
image_fault(const struct group_image *image)
{
    bool active = image->state == GROUP_COMPLETING ||
        image->state == GROUP_STABLE;

    if (image->group_id.ptr == NULL || image->group_id.len > GROUP_NAME_MAX) {
        return "its id is missing or too long";
    }
    if (image->state >= GROUP_DEAD || image->generation < 0) {
        return "its state or generation is none";
    }
    if (image->member_count > 2 * GROUP_MEMBERS_MAX) {
        return "it has too many members";
    }
    if (image->state == GROUP_EMPTY ? image->member_count > 0
                                    : active && image->member_count == 0) {
        return "its members contradict its state";
    }
    if (image->member_count > 0 && image->protocol_type.len == 0) {
        return "its protocol type is missing";
    }
    return active && image->protocol_name.ptr == NULL
        ? "its protocol is missing" : NULL;
}

static const char *
member_fault(const struct group *g, const struct group_image *image,
    const struct group_image_member *m)
{
    bool has = false;

    if (m->member_id.len == 0 || group_member(g, m->member_id) != NULL) {
        return "a member's id is empty or there twice";
    }
    if (group_static(g, m->instance_id) != NULL) {
        return "an instance id is there twice";
    }
    if (m->session_timeout_ms <= 0 || m->rebalance_timeout_ms < 0 ||
        m->protocol_count > GROUP_PROTOCOLS_MAX) {
        return "a member's times or protocols are out of bounds";
    }
    for (size_t i = 0; i < m->protocol_count; i++) {
        has |= image->protocol_name.ptr != NULL &&
            span_eq(m->protocols[i].name, image->protocol_name);
    }
    if (!has && image->state != GROUP_PREPARING) {
        return "a member does not offer the protocol";
    }
    return NULL;
}

static struct member *
member_from_image(const struct group_image_member *im, bool assigned)
{
    const struct group_join join = {
        .instance_id = im->instance_id,
        .client_id = im->client_id,
        .client_host = im->client_host,
        .session_timeout_ms = im->session_timeout_ms,
        .rebalance_timeout_ms = im->rebalance_timeout_ms,
        .protocols = im->protocols,
        .protocol_count = im->protocol_count,
    };
    struct member *m = member_new(im->member_id, &join);

    if (assigned) {
        member_assign(m, im->assignment);
    }
    return m;
}

/* Members, in their order; sessions begin anew. */
static const char *
restore_members(struct group *g, const struct group_image *image, int64_t now)
{
    for (size_t i = 0; i < image->member_count; i++) {
        const struct group_image_member *im = &image->members[i];
        const char *fault = member_fault(g, image, im);
        struct member *m;

        if (fault != NULL) {
            return fault;
        }
        m = member_from_image(im, image->state != GROUP_COMPLETING);
        m->pending_sync = image->state == GROUP_COMPLETING;
        g->pending_syncs += m->pending_sync;
        group_add(g, m);
        group_session(g, m, now + m->session_timeout_ms);
    }
    if (image->member_count == 0) {
        return NULL;
    }
    g->leader = group_member(g, image->leader_id);
    if (g->leader == NULL) {
        return "its leader is not a member";
    }
    g->state = GROUP_PREPARING;  /* any but EMPTY, for the question below */
    return group_supports(g, g->protocol_type, g->leader->protocols,
               g->leader->protocol_count)
        ? NULL : "its members have no protocol in common";
}

/* A group that was between two generations goes on with the same phase, its
 * time anew: members that come back with what they offered before get the
 * answer they missed. */
struct group *
group_from_image(struct group_env *env, const struct group_image *image,
    int64_t now, struct err *err)
{
    const char *fault = image_fault(image);
    struct group *g;

    if (fault == NULL) {
        g = group_new(env, image->group_id, now);
        g->protocol_type = span_own(image->protocol_type);
        g->protocol_name = span_own(image->protocol_name);
        g->generation = image->generation;
        g->state_since_ms = image->state_since_ms;
        g->persisted = true;
        fault = restore_members(g, image, now);
        if (fault != NULL) {
            group_free(g);
        }
    }
    if (fault != NULL) {
        err_set(err, ERR_DAMAGE, "group %.*s: %s", (int)image->group_id.len,
            (const char *)image->group_id.ptr, fault);
        return NULL;
    }
    g->state = g->previous =
        image->member_count == 0 ? GROUP_EMPTY : image->state;
    if (g->state == GROUP_PREPARING) {
        g->join_deadline = now + rebalance_timeout(g);
        group_wake(g, g->join_deadline);
    } else if (g->state == GROUP_COMPLETING) {
        g->sync_deadline = now + rebalance_timeout(g);
        group_wake(g, g->sync_deadline);
    }
    return g;
}
