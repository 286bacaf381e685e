/*
 * From one type to the other, online.
 *
 * Up: a heartbeat joins a classic group of consumers. Its members keep what
 * its last generation gave them: that is their target, and what they have.
 * The generation becomes the epoch. Whoever waits for a join or a sync hears
 * REBALANCE_IN_PROGRESS and comes again.
 *
 * Down: the last member that spoke the new protocol leaves, is fenced, or is
 * replaced by a classic one of the same instance. The targets become the
 * assignment of a generation, which is the epoch; except for a replacement
 * that changed nothing, a rebalance follows at once.
 *
 * Nothing is changed before it is sure that all can be.
 */
#include "config.h"

#include <stdlib.h>

#include "group/blob.h"
#include "group/consumer_priv.h"

enum { BLOB_MAX = 8 * 1024 * 1024, ARENA_MAX = 16 * 1024 * 1024 };

/* ---- up ---- */

struct raised {
    struct blob_subscription sub;
    struct parts assigned;
};

static const char *
raise_one(const struct step *s, const struct member *m, struct span protocol,
    struct arena *a, struct raised *r)
{
    const struct group_topics *topics = &s->group->env->topics;
    const struct group_protocol *p = member_protocol(m, protocol);
    bool custom = false;

    if (p == NULL ||
        !blob_read_subscription(p->metadata, topics, a, &r->sub) ||
        !blob_read_assignment(span_of(m->assignment, m->assignment_len),
            topics, &r->assigned, &custom)) {
        return "The classic group can't become a consumer group: what its "
               "members say is malformed.";
    }
    return custom ? "The classic group can't become a consumer group: it "
                    "uses an assignor of its own." : NULL;
}

static void
answer_waiting(const struct step *s)
{
    struct group *g = s->group;
    struct member *m;

    TAILQ_FOREACH (m, &g->members, link) {
        if (m->awaiting_join) {
            group_join_error(s, m->join_token, KERR_REBALANCE_IN_PROGRESS,
                m->id);
            m->awaiting_join = false;
            m->join_token = NULL;
            g->awaiting_joins--;
        }
    }
    rebalance_answer_syncs(s, KERR_REBALANCE_IN_PROGRESS);
}

/* A leader may have given a partition to two: the first one keeps it. */
static void
take_unclaimed(struct consumer_group *c, struct consumer_member *m,
    const struct parts *assigned)
{
    for (uint32_t i = 0; i < assigned->count; i++) {
        const struct part *p = &assigned->v[i];

        if (table_get(&c->claims, span_of(p, sizeof *p)) == NULL) {
            parts_push(&m->assigned, &p->topic, p->partition);
        }
    }
    parts_copy(&m->target, &m->assigned);
    consumer_claim(c, &m->assigned);
}

static void
raise_member(const struct step *s, const struct member *from,
    const struct raised *r)
{
    struct group *g = s->group;
    struct consumer_member *m = consumer_add(g, from->id);
    const struct group_join join = {
        .session_timeout_ms = from->session_timeout_ms,
        .protocols = from->protocols,
        .protocol_count = from->protocol_count,
    };

    consumer_member_instance(g, m, from->instance_id);
    consumer_member_set(g, m, &m->rack_id, r->sub.rack);
    consumer_member_set(g, m, &m->client_id, from->client_id);
    consumer_member_set(g, m, &m->client_host, from->client_host);
    consumer_member_topics(g, m, r->sub.topics, r->sub.topic_count);
    consumer_member_classic(g, m, &join);
    m->rebalance_timeout_ms = from->rebalance_timeout_ms;
    m->epoch = m->previous_epoch = g->generation;
    take_unclaimed(g->consumer, m, &r->assigned);
    m->session_deadline = s->now + m->session_timeout_ms;
    group_wake(g, m->session_deadline);
}

static void
raise_all(const struct step *s, const struct raised *list)
{
    struct group *g = s->group;
    struct consumer_wanted w;
    struct member *m;
    size_t i = 0;

    answer_waiting(s);
    group_pending_clear(g);
    g->consumer = consumer_group_new();
    g->consumer->target_epoch = g->generation;
    g->consumer->dirty = true;
    TAILQ_FOREACH (m, &g->members, link) {
        raise_member(s, m, &list[i++]);
    }
    group_members_drop(g);
    span_disown(&g->protocol_name);
    g->join_deadline = g->sync_deadline = NEVER;
    consumer_wanted_init(&w, g);
    g->consumer->topics_hash = consumer_wanted_hash(&w);
    consumer_wanted_release(&w);
}

enum kerr
consumer_upgrade(const struct step *s, const char **message)
{
    struct group *g = s->group;
    struct span protocol = g->protocol_name;
    struct raised *list;
    struct arena arena;
    struct member *m;
    size_t n = 0;

    if (!group_uses_consumer_protocol(g)) {
        *message = "The classic group can't become a consumer group: its "
                   "protocol is not that of consumers.";
        return KERR_GROUP_ID_NOT_FOUND;
    }
    if (g->member_count >= g->env->config.consumer_members_max) {
        return KERR_GROUP_MAX_SIZE_REACHED;
    }
    if (protocol.ptr == NULL) {
        protocol = group_select(g);
    }
    arena_init(&arena, ARENA_MAX);
    list = arena_calloc(&arena, g->member_count, sizeof *list);
    assert(list != NULL);
    TAILQ_FOREACH (m, &g->members, link) {
        if (*message == NULL) {
            *message = raise_one(s, m, protocol, &arena, &list[n++]);
        }
    }
    if (*message == NULL) {
        raise_all(s, list);
    }
    while (n-- > 0) {
        parts_release(&list[n].sub.owned);
        parts_release(&list[n].assigned);
    }
    arena_release(&arena);
    return *message == NULL ? KERR_NONE : KERR_GROUP_ID_NOT_FOUND;
}

/* ---- down ---- */

static bool
leaves(struct consumer_member *const *leaving, size_t count,
    const struct consumer_member *m)
{
    for (size_t i = 0; i < count; i++) {
        if (leaving[i] == m) {
            return true;
        }
    }
    return false;
}

bool
consumer_downgradable(const struct group *g,
    struct consumer_member *const *leaving, size_t count)
{
    const struct consumer_group *c = g->consumer;
    size_t classic = c->classic_count;

    if (c->member_count <= count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        classic -= leaving[i]->classic;
    }
    return classic == c->member_count - count &&
        classic <= g->env->config.members_max;
}

static void
lower_member(const struct step *s, const struct consumer_member *from)
{
    struct group *g = s->group;
    const struct group_join join = {
        .instance_id = from->instance_id,
        .client_id = from->client_id,
        .client_host = from->client_host,
        .session_timeout_ms = from->session_timeout_ms,
        .rebalance_timeout_ms = from->rebalance_timeout_ms,
        .protocols = from->protocols,
        .protocol_count = from->protocol_count,
    };
    struct member *m = member_new(from->id, &join);

    group_add(g, m);
    group_session(g, m, s->now + m->session_timeout_ms);
}

static void
lower_assignment(struct group *g, const struct consumer_member *from)
{
    struct member *m = group_member(g, from->id);
    struct buf b;

    buf_init(&b, BLOB_MAX);
    blob_write_assignment(&b, &from->target, &g->env->topics,
        member_protocol(m, g->protocol_name)->metadata);
    assert(!b.failed);
    g->bytes -= m->bytes;
    member_assign(m, buf_span(&b));
    g->bytes += m->bytes;
    buf_release(&b);
}

void
consumer_downgrade(const struct step *s,
    struct consumer_member *const *leaving, size_t count, bool rebalance)
{
    struct group *g = s->group;
    struct consumer_group *c = g->consumer;
    struct consumer_member *m;

    TAILQ_FOREACH (m, &c->members, link) {
        fx_add(s->fx, GROUP_FX_DELETE_MEMBER)->member_id =
            fx_copy(s->fx, m->id);
        if (!leaves(leaving, count, m)) {
            lower_member(s, m);
        }
    }
    g->protocol_name = span_own(group_select(g));
    TAILQ_FOREACH (m, &c->members, link) {
        if (!leaves(leaving, count, m)) {
            lower_assignment(g, m);
        }
    }
    consumer_end(g);
    g->previous = g->state = GROUP_STABLE;
    g->state_since_ms = s->now;
    fx_persist(s->fx, g);
    if (rebalance) {
        rebalance_prepare(s);
    }
}
