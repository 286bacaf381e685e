/*
 * JoinGroup: who may come in, and as whom.
 *
 *   member id   instance id
 *   none        none          v4+: an id is given out, the member comes back
 *                             with it (KIP-394); before: a new member
 *   none        unknown       a new static member
 *   none        known         takes the place of the one that had it, who is
 *                             fenced (KIP-345); in STABLE without a rebalance
 *                             if the protocol stays (KIP-814)
 *   given out   none          a new member
 *   member's    its own       rejoins
 */
#include "config.h"

#include "group/group_priv.h"

void
group_join_error(const struct step *s, void *token, enum kerr error,
    struct span member_id)
{
    struct group_fx *e = fx_reply(s->fx, GROUP_FX_JOINED, token, error);

    if (e != NULL) {
        e->joined.generation = -1;
        e->joined.leader = span_str("");
        e->joined.member_id = member_id.ptr == NULL
            ? span_str("") : fx_copy(s->fx, member_id);
    }
}

/* What needs no group to be refused. */
enum kerr
group_join_refusal(const struct group_env *env, const struct group_join *join)
{
    if (join->session_timeout_ms < env->config.session_timeout_min_ms ||
        join->session_timeout_ms > env->config.session_timeout_max_ms) {
        return KERR_INVALID_SESSION_TIMEOUT;
    }
    if (join->instance_id.len > GROUP_NAME_MAX) {
        return KERR_INVALID_REQUEST;
    }
    if (join->protocol_count > GROUP_PROTOCOLS_MAX ||
        join->protocol_type.len > GROUP_NAME_MAX ||
        member_join_bytes(join) > env->config.member_metadata_max) {
        return KERR_POLICY_VIOLATION;
    }
    for (size_t i = 0; i < join->protocol_count; i++) {
        if (join->protocols[i].name.len > GROUP_NAME_MAX) {
            return KERR_POLICY_VIOLATION;
        }
    }
    return KERR_NONE;
}

/* While members rejoin, those who are here count; the others make room. No
 * group grows beyond twice its size, whatever happens. */
static bool
has_room(const struct group *g, const struct group_join *join)
{
    const struct member *m = group_member(g, join->member_id);
    size_t max = g->env->config.members_max;

    if (m == NULL && join->member_id.len == 0 &&
        group_static(g, join->instance_id) != NULL) {
        return true;             /* takes a place, needs none */
    }
    if (m == NULL && g->member_count >= 2 * max) {
        return false;
    }
    switch (g->state) {
    case GROUP_PREPARING:
        return (m != NULL && m->awaiting_join) || g->awaiting_joins < max;
    case GROUP_COMPLETING:
    case GROUP_STABLE:
        return m != NULL || g->member_count < max;
    case GROUP_EMPTY:
    case GROUP_DEAD:
    case GROUP_ASSIGNING:
    case GROUP_RECONCILING:
    case GROUP_NOT_READY:
        break;
    }
    return true;
}

static bool
fits(const struct group *g, const struct member *m,
    const struct group_join *join)
{
    size_t used = g->bytes - (m == NULL ? 0 : m->bytes);
    size_t names = 5 * GROUP_NAME_MAX;

    return used + member_join_bytes(join) + names <=
        g->env->config.group_bytes_max;
}

struct span
group_member_id_make(const struct step *s, const struct group_join *join)
{
    struct span prefix = name_cut(join->instance_id.ptr != NULL
        ? join->instance_id : join->client_id);
    struct uuid u = uuid_random(s->group->env->world);
    char hex[UUID_HEX];
    char *id;

    uuid_hex(&u, hex);
    id = arena_printf(&s->fx->arena, "%.*s-%.8s-%.4s-%.4s-%.4s-%.12s",
        (int)prefix.len, (const char *)prefix.ptr, hex, hex + 8, hex + 12,
        hex + 16, hex + 20);
    assert(id != NULL);
    return span_str(id);
}

/* The rebalance goes on, or begins; who comes already counts as here. */
static void
rebalance(const struct step *s)
{
    if (s->group->state == GROUP_PREPARING) {
        rebalance_maybe_complete(s);
    } else {
        rebalance_prepare(s);
    }
}

static void
join_add(const struct step *s, const struct group_event *ev, struct span id)
{
    struct group *g = s->group;
    struct member *m = member_new(id, &ev->join);
    struct pending *p = group_pending(g, id);

    if (p != NULL) {
        group_pending_del(g, p);
    }
    if (g->state == GROUP_PREPARING && g->previous == GROUP_EMPTY) {
        g->new_member_added = true;
    }
    if (g->member_count == 0) {
        span_disown(&g->protocol_type);
        g->protocol_type = span_own(ev->join.protocol_type);
    }
    group_add(g, m);
    m->is_new = true;
    /* It may be gone before it hears its id, and will then never be back. */
    group_session(g, m, s->now + g->env->config.new_member_timeout_ms);
    rebalance_await_join(s, m, ev->token);
    rebalance(s);
}

static void
join_update(const struct step *s, const struct group_event *ev,
    struct member *m)
{
    struct group *g = s->group;

    group_support(g, m, -1);
    g->bytes -= m->bytes;
    member_offer(m, &ev->join);
    g->bytes += m->bytes;
    group_support(g, m, +1);
}

/* The new one stands exactly where the old one stood: its place, its
 * assignment, its leadership. Who waits under the old id is fenced. */
static void
join_take_place(const struct step *s, const struct group_event *ev,
    struct member *m, struct span id)
{
    struct group *g = s->group;

    if (m->awaiting_join) {
        group_join_error(s, m->join_token, KERR_FENCED_INSTANCE_ID, m->id);
        m->awaiting_join = false;
        m->join_token = NULL;
        g->awaiting_joins--;
    }
    if (m->awaiting_sync) {
        struct group_fx *e = fx_reply(s->fx, GROUP_FX_SYNCED, m->sync_token,
            KERR_FENCED_INSTANCE_ID);

        if (e != NULL) {
            e->synced.assignment = span_str("");
        }
        m->awaiting_sync = false;
        m->sync_token = NULL;
    }
    table_del(&g->by_id, m->id);
    table_del(&g->by_instance, m->instance_id);
    g->bytes -= m->bytes;
    member_rename(m, id, ev->join.client_id, ev->join.client_host);
    g->bytes += m->bytes;
    table_put(&g->by_id, m->id, m);
    table_put(&g->by_instance, m->instance_id, m);
    m->is_new = false;
    join_update(s, ev, m);
    group_session(g, m, s->now + m->session_timeout_ms);
}

static void
join_replace(const struct step *s, const struct group_event *ev,
    struct member *m, struct span id)
{
    struct group *g = s->group;
    struct span old_leader = fx_copy(s->fx, g->leader->id);

    join_take_place(s, ev, m, id);
    if (g->state == GROUP_STABLE &&
        span_eq(group_select(g), g->protocol_name)) {
        fx_persist(s->fx, g);
        if (ev->join.skip_assignment) {
            rebalance_joined(s, m, ev->token, g->leader == m);
            s->fx->list[s->fx->count - 1].joined.skip_assignment =
                g->leader == m;
        } else {
            /* An older client that is told it leads would assign anew, and
             * nobody would rebalance: it hears of the leader that was. */
            rebalance_joined(s, m, ev->token, false);
            s->fx->list[s->fx->count - 1].joined.leader = old_leader;
        }
        return;
    }
    rebalance_await_join(s, m, ev->token);
    rebalance(s);
}

static void
join_new(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;
    const struct group_join *join = &ev->join;
    struct member *known = group_static(g, join->instance_id);
    struct span id;

    if (!fits(g, known, join)) {
        group_join_error(s, ev->token, KERR_POLICY_VIOLATION, SPAN_NULL);
        return;
    }
    id = group_member_id_make(s, join);
    if (known != NULL) {
        join_replace(s, ev, known, id);
    } else if (join->instance_id.ptr == NULL && join->member_id_required) {
        group_pending_add(g, id, s->now + join->session_timeout_ms);
        group_join_error(s, ev->token, KERR_MEMBER_ID_REQUIRED, id);
    } else {
        join_add(s, ev, id);
    }
}

/* A member of a running generation. What it offers has not changed: it
 * missed the answer, so it gets it again. Else, and whenever the leader of a
 * stable group comes (it saw partitions change), a rebalance. */
static void
join_again(const struct step *s, const struct group_event *ev,
    struct member *m)
{
    struct group *g = s->group;
    bool leads = m == g->leader;

    assert(g->state != GROUP_EMPTY);
    if (!fits(g, m, &ev->join)) {
        group_join_error(s, ev->token, KERR_POLICY_VIOLATION, m->id);
        return;
    }
    if (g->state != GROUP_PREPARING && member_matches(m, &ev->join) &&
        !(g->state == GROUP_STABLE && leads)) {
        rebalance_joined(s, m, ev->token, leads);
        return;
    }
    join_update(s, ev, m);
    rebalance_await_join(s, m, ev->token);
    rebalance(s);
}

static void
join_known(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;
    const struct group_join *join = &ev->join;
    enum kerr error;

    if (group_pending(g, join->member_id) != NULL) {
        if (join->instance_id.ptr != NULL) {
            error = KERR_INVALID_REQUEST;
        } else if (!fits(g, NULL, join)) {
            error = KERR_POLICY_VIOLATION;
        } else {
            join_add(s, ev, join->member_id);
            return;
        }
    } else {
        error = group_validate(g, join->member_id, join->instance_id);
    }
    if (error != KERR_NONE) {
        group_join_error(s, ev->token, error, join->member_id);
        return;
    }
    join_again(s, ev, group_member(g, join->member_id));
}

/* Refused for want of room; in a rebalance this is how a group that is too
 * large gets rid of its last members. */
static void
join_no_room(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;
    struct member *m = group_member(g, ev->join.member_id);
    struct pending *p = group_pending(g, ev->join.member_id);

    if (m != NULL) {
        group_remove(s, m);
    }
    if (p != NULL) {
        group_pending_del(g, p);
    }
    group_join_error(s, ev->token, KERR_GROUP_MAX_SIZE_REACHED, SPAN_NULL);
    if (g->state == GROUP_PREPARING) {
        rebalance_maybe_complete(s);
    }
}

void
group_join(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;
    const struct group_join *join = &ev->join;

    if (!has_room(g, join)) {
        join_no_room(s, ev);
    } else if (!group_supports(g, join->protocol_type, join->protocols,
                   join->protocol_count)) {
        group_join_error(s, ev->token, KERR_INCONSISTENT_GROUP_PROTOCOL,
            join->member_id);
    } else if (join->member_id.len == 0) {
        join_new(s, ev);
    } else {
        join_known(s, ev);
    }
}
