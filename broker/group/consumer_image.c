/*
 * A consumer group as it is persisted, a record for the group and one for
 * each member, and back. What was stored is not trusted: what the state
 * machine takes for granted is checked here, once.
 */
#include "config.h"

#include <stdlib.h>

#include "group/consumer_priv.h"

/* ---- out ---- */

void
consumer_image(const struct group *g, struct consumer_image *image)
{
    assert(g->consumer != NULL);
    *image = (struct consumer_image){
        .group_id = g->id,
        .epoch = g->generation,
        .target_epoch = g->consumer->target_epoch,
        .topics_hash = g->consumer->topics_hash,
        .topology = g->consumer->streams == NULL
            ? SPAN_NULL : streams_topology_bytes(g),
    };
}

const struct consumer_member *
consumer_member_next(const struct group *g, const struct consumer_member *m)
{
    assert(g->consumer != NULL);
    return m == NULL ? TAILQ_FIRST(&g->consumer->members)
                     : TAILQ_NEXT(m, link);
}

void
consumer_member_image(const struct consumer_member *m,
    struct consumer_member_image *image)
{
    *image = (struct consumer_member_image){
        .member_id = m->id,
        .instance_id = m->instance_id,
        .rack_id = m->rack_id,
        .client_id = m->client_id,
        .client_host = m->client_host,
        .regex = m->regex.ptr == NULL ? span_str("") : m->regex,
        .assignor = m->assignor,
        .topics = m->topics,
        .topic_count = m->topic_count,
        .rebalance_timeout_ms = m->rebalance_timeout_ms,
        .epoch = m->epoch,
        .previous_epoch = m->previous_epoch,
        .state = m->state,
        .assigned = m->assigned,
        .revoking = m->revoking,
        .target = m->target,
        .classic = m->classic,
        .session_timeout_ms = m->session_timeout_ms,
        .protocols = m->protocols,
        .protocol_count = m->protocol_count,
        .streams = m->streams,
    };
}

/* ---- in ---- */

static int
damaged(struct err *err, struct span group_id, const char *what)
{
    return err_set(err, ERR_DAMAGE, "consumer group %.*s: %s",
        (int)group_id.len, (const char *)group_id.ptr, what);
}

int
groups_restore_consumer(struct groups *gs, const struct consumer_image *image,
    int64_t now, struct err *err)
{
    struct group *g;

    if (image->group_id.ptr == NULL || image->group_id.len > GROUP_NAME_MAX ||
        image->epoch < 0 || image->target_epoch < 0 ||
        image->target_epoch > image->epoch) {
        return damaged(err, image->group_id, "its id or epochs are none");
    }
    g = groups_restored(gs, image->group_id, now);
    if (g->consumer != NULL || g->generation != 0 || g->member_count > 0) {
        return damaged(err, image->group_id, "it is there twice");
    }
    consumer_begin(g);
    g->generation = image->epoch;
    g->consumer->target_epoch = image->target_epoch;
    g->consumer->topics_hash = image->topics_hash;
    g->persisted = true;
    if (image->topology.ptr != NULL &&
        !streams_restore(g, image->topology)) {
        return damaged(err, image->group_id, "its topology is none");
    }
    return 0;
}

static const char *
member_fault(const struct group *g, const struct consumer_member_image *im)
{
    const struct consumer_group *c = g->consumer;

    if (im->member_id.len == 0 || im->member_id.len > 2 * GROUP_NAME_MAX ||
        consumer_find(g, im->member_id) != NULL) {
        return "a member's id is none or there twice";
    }
    if (consumer_static(g, im->instance_id) != NULL) {
        return "an instance id is there twice";
    }
    if (c->member_count >= 2 * GROUP_MEMBERS_MAX ||
        im->topic_count > PARTITIONS_MAX ||
        im->protocol_count > GROUP_PROTOCOLS_MAX) {
        return "it has too many members, topics or protocols";
    }
    if (im->state >= CONSUMER_STATE_COUNT || im->epoch > c->target_epoch ||
        im->epoch < CONSUMER_EPOCH_LEAVE_STATIC ||
        im->rebalance_timeout_ms < 0) {
        return "a member's state, epoch or timeout is none";
    }
    if ((im->streams != NULL) != (c->streams != NULL) ||
        (im->classic && im->streams != NULL)) {
        return "a member's type contradicts its group's";
    }
    if (im->classic != (im->protocol_count > 0) ||
        (im->classic && im->session_timeout_ms <= 0)) {
        return "a member's protocols contradict its type";
    }
    return NULL;
}

/* In order, and nothing that another member has. */
static bool
take(struct consumer_group *c, struct parts *to, const struct parts *from,
    bool claim)
{
    parts_copy(to, from);
    parts_sort(to);
    for (uint32_t i = 0; claim && i < to->count; i++) {
        if (table_get(&c->claims, span_of(&to->v[i], sizeof to->v[i])) !=
            NULL) {
            parts_clear(to);
            return false;
        }
    }
    if (claim) {
        consumer_claim(c, to);
    }
    return true;
}

static void
restore_member(struct group *g, const struct consumer_member_image *im,
    int64_t now)
{
    struct consumer_member *m = consumer_add(g, im->member_id);
    const struct group_join join = {
        .session_timeout_ms = im->session_timeout_ms,
        .protocols = im->protocols,
        .protocol_count = im->protocol_count,
    };

    consumer_member_instance(g, m, im->instance_id);
    consumer_member_set(g, m, &m->rack_id, im->rack_id);
    consumer_member_set(g, m, &m->client_id, im->client_id);
    consumer_member_set(g, m, &m->client_host, im->client_host);
    consumer_member_set(g, m, &m->assignor, im->assignor);
    consumer_member_topics(g, m, im->topics, im->topic_count);
    consumer_member_regex(g, m, im->regex);
    consumer_member_classic(g, m, im->classic ? &join : NULL);
    if (im->streams != NULL) {
        streams_restore_member(g, m, im->streams);
    }
    m->rebalance_timeout_ms = im->rebalance_timeout_ms;
    m->epoch = im->epoch;
    m->previous_epoch = im->previous_epoch;
    m->state = im->state;
    m->session_deadline = now + (m->classic ? m->session_timeout_ms
        : consumer_tuning(g).consumer_session_ms);
    group_wake(g, m->session_deadline);
    if (m->state == CONSUMER_UNREVOKED && !m->classic && m->epoch >= 0) {
        m->rebalance_deadline = now + m->rebalance_timeout_ms;
        group_wake(g, m->rebalance_deadline);
    }
    m->dirty = false;
}

int
groups_restore_consumer_member(struct groups *gs, struct span group_id,
    const struct consumer_member_image *im, int64_t now, struct err *err)
{
    struct group *g = groups_get(gs, group_id);
    struct consumer_member *m;
    const char *fault;

    if (g == NULL || g->consumer == NULL) {
        return damaged(err, group_id, "a member has no group");
    }
    fault = member_fault(g, im);
    if (fault != NULL) {
        return damaged(err, group_id, fault);
    }
    restore_member(g, im, now);
    m = consumer_find(g, im->member_id);
    if (!take(g->consumer, &m->assigned, &im->assigned, true) ||
        !take(g->consumer, &m->revoking, &im->revoking, true)) {
        return damaged(err, group_id, "a partition belongs to two members");
    }
    take(g->consumer, &m->target, &im->target, false);
    g->state = m->state == CONSUMER_STABLE && m->epoch == g->generation &&
            (g->state == GROUP_EMPTY || g->state == GROUP_STABLE)
        ? GROUP_STABLE
        : g->generation > g->consumer->target_epoch ? GROUP_ASSIGNING
                                                    : GROUP_RECONCILING;
    groups_moved(gs, g);
    return 0;
}

static void
settle(struct group *g)
{
    const struct group_topics *topics = &g->env->topics;
    struct consumer_wanted w;

    if (g->consumer->streams != NULL) {
        streams_settle(g);
        return;
    }
    consumer_wanted_init(&w, g);
    consumer_wanted_count(g, &w);
    if (consumer_wanted_hash(&w) == g->consumer->topics_hash) {
        g->consumer->topics_version = topics->version(topics->arg);
    }
    consumer_wanted_release(&w);
}

void
groups_restored_consumers(struct groups *gs)
{
    struct group *g;

    for (size_t i = 0; (g = groups_next(gs, &i)) != NULL;) {
        if (g->consumer != NULL) {
            settle(g);
        }
    }
}
