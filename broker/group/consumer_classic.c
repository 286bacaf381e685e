/*
 * Members of a consumer group that speak the classic protocol, while a group
 * moves from one to the other. To them the group looks like a classic one
 * whose leader is elsewhere:
 *
 *     JoinGroup   says what they read and own, as a heartbeat does; answered at
 *                 once: the generation is their member epoch, nobody leads
 *     SyncGroup   answered at once with what they may use, as the consumers'
 *                 own assignment
 *     Heartbeat   REBALANCE_IN_PROGRESS when there is something to give up or
 *                 to get: then they join again
 *
 * So a cooperative member joins twice to move a partition, once to hear what
 * to give up and once when it has; an eager one gives up all before it joins.
 * Between two of these a member has its rebalance timeout, else it is out.
 */
#include "config.h"

#include "group/blob.h"
#include "group/consumer_priv.h"

enum { BLOB_MAX = 8 * 1024 * 1024, SUBSCRIPTION_MAX = 4 * 1024 * 1024 };

static struct span
consumer_type(void)
{
    return span_str("consumer");
}

/* ---- JoinGroup ---- */

static bool
offers(const struct consumer_member *m, struct span protocol)
{
    for (size_t i = 0; i < m->protocol_count; i++) {
        if (span_eq(m->protocols[i].name, protocol)) {
            return true;
        }
    }
    return false;
}

/* One protocol at least must be offered by all others who are classic: the
 * group may be theirs again. */
static bool
supported(const struct group *g, const struct group_join *join,
    const struct consumer_member *self)
{
    const struct consumer_member *m;

    if (!span_eq(join->protocol_type, consumer_type())) {
        return false;
    }
    for (size_t i = 0; i < join->protocol_count; i++) {
        bool all = true;

        TAILQ_FOREACH (m, &g->consumer->members, link) {
            all = all && (!m->classic || m == self ||
                offers(m, join->protocols[i].name));
        }
        if (all) {
            return true;
        }
    }
    return false;
}

/* *m NULL and no error: somebody new; *m with another id: a new process of a
 * static member. */
static enum kerr
admit(const struct group *g, const struct group_join *join,
    struct consumer_member **m)
{
    if (join->member_id.len > 2 * GROUP_NAME_MAX) {
        return KERR_INVALID_REQUEST;     /* longer than we make them */
    }
    if (join->instance_id.ptr == NULL) {
        *m = consumer_find(g, join->member_id);
        return KERR_NONE;
    }
    *m = consumer_static(g, join->instance_id);
    if (join->member_id.len == 0) {
        return KERR_NONE;
    }
    if (*m == NULL) {
        return KERR_UNKNOWN_MEMBER_ID;
    }
    return span_eq((*m)->id, join->member_id) ? KERR_NONE
                                              : KERR_FENCED_INSTANCE_ID;
}

static enum kerr
room_refusal(const struct group *g, const struct group_join *join,
    const struct consumer_member *m)
{
    const struct consumer_group *c = g->consumer;

    if (m == NULL && c->member_count >= g->env->config.consumer_members_max) {
        return KERR_GROUP_MAX_SIZE_REACHED;
    }
    return c->bytes + 2 * member_join_bytes(join) + 5 * GROUP_NAME_MAX >
            g->env->config.group_bytes_max
        ? KERR_POLICY_VIOLATION : KERR_NONE;
}

/* true: it reads something else than before. */
static bool
update(const struct step *s, struct consumer_member *m,
    const struct group_join *join, const struct blob_subscription *sub)
{
    struct group *g = s->group;
    int32_t timeout = join->rebalance_timeout_ms < 0
        ? join->session_timeout_ms : join->rebalance_timeout_ms;
    bool changed;

    consumer_member_instance(g, m, join->instance_id);
    consumer_member_set(g, m, &m->rack_id, sub->rack);
    consumer_member_set(g, m, &m->client_id, name_cut(join->client_id));
    consumer_member_set(g, m, &m->client_host, name_cut(join->client_host));
    if (timeout != m->rebalance_timeout_ms) {
        m->rebalance_timeout_ms = timeout;
        m->dirty = true;
    }
    consumer_member_classic(g, m, join);
    changed = consumer_member_topics(g, m, sub->topics, sub->topic_count);
    return consumer_member_regex(g, m, span_str("")) || changed;
}

static void
joined(const struct step *s, const struct group_event *ev, struct span id,
    int32_t epoch)
{
    const struct group_join *join = &ev->join;
    struct group_fx *e = fx_reply(s->fx, GROUP_FX_JOINED, ev->token,
        KERR_NONE);

    e->joined.generation = epoch;
    e->joined.protocol_type = consumer_type();
    e->joined.protocol_name = fx_copy(s->fx, join->protocols[0].name);
    e->joined.leader = span_str("");
    e->joined.member_id = fx_copy(s->fx, id);
}

/* The last one that spoke the new protocol has become classic: so does the
 * group, without a rebalance if nobody reads anything else. */
static void
join_and_downgrade(const struct step *s, const struct group_event *ev,
    struct consumer_member *m, const struct parts *owned, bool changed)
{
    struct span id = fx_copy(s->fx, m->id);

    if (changed) {
        consumer_bump(s->group);
    } else {
        consumer_reconcile(s, m, owned, false);
    }
    consumer_downgrade(s, NULL, 0, changed);
    joined(s, ev, id, s->group->generation);
}

static void
join_member(const struct step *s, const struct group_event *ev,
    struct consumer_member *m, const struct blob_subscription *sub)
{
    struct group *g = s->group;
    bool was_classic = m->classic;
    bool changed = update(s, m, &ev->join, sub);

    if (!was_classic && m->instance_id.ptr != NULL &&
        consumer_downgradable(g, NULL, 0)) {
        join_and_downgrade(s, ev, m, &sub->owned, changed);
        return;
    }
    consumer_advance(s, m, &sub->owned, changed);
    m->join_deadline = NEVER;
    m->session_deadline = s->now + m->session_timeout_ms;
    m->sync_deadline = s->now + m->rebalance_timeout_ms;
    group_wake(g, m->session_deadline);
    group_wake(g, m->sync_deadline);
    joined(s, ev, m->id, m->epoch);
}

static void
join_checked(const struct step *s, const struct group_event *ev,
    struct consumer_member *m)
{
    const struct group_join *join = &ev->join;
    struct span id = join->member_id;
    struct blob_subscription sub;
    struct arena arena;

    arena_init(&arena, SUBSCRIPTION_MAX);
    if (!blob_read_subscription(join->protocols[0].metadata,
            &s->group->env->topics, &arena, &sub)) {
        group_join_error(s, ev->token, KERR_INCONSISTENT_GROUP_PROTOCOL, id);
    } else {
        if (id.len == 0) {
            id = group_member_id_make(s, join);
        }
        if (m == NULL) {
            m = consumer_add(s->group, id);
        } else if (!span_eq(m->id, id)) {
            consumer_rename(s, m, id);
        }
        join_member(s, ev, m, &sub);
    }
    parts_release(&sub.owned);
    arena_release(&arena);
}

void
consumer_join(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;
    const struct group_join *join = &ev->join;
    struct consumer_member *m = NULL;
    enum kerr error = admit(g, join, &m);

    if (error == KERR_NONE) {
        error = room_refusal(g, join, m);
    }
    if (error == KERR_NONE && !supported(g, join, m)) {
        error = KERR_INCONSISTENT_GROUP_PROTOCOL;
    }
    if (error != KERR_NONE) {
        group_join_error(s, ev->token, error, join->member_id);
    } else if (join->member_id.len == 0 && join->member_id_required &&
        join->instance_id.ptr == NULL) {
        /* Not kept: whoever comes with an id of its own is let in. */
        group_join_error(s, ev->token, KERR_MEMBER_ID_REQUIRED,
            group_member_id_make(s, join));
    } else {
        join_checked(s, ev, m);
    }
}

/* ---- SyncGroup, Heartbeat ---- */

static enum kerr
find(const struct group *g, struct span member_id, struct span instance_id,
    int32_t generation, struct consumer_member **out)
{
    struct consumer_member *m = instance_id.ptr == NULL
        ? consumer_find(g, member_id) : consumer_static(g, instance_id);

    if (m == NULL) {
        return KERR_UNKNOWN_MEMBER_ID;
    }
    if (!span_eq(m->id, member_id)) {
        return KERR_FENCED_INSTANCE_ID;
    }
    if (!m->classic) {
        return KERR_UNKNOWN_MEMBER_ID;
    }
    *out = m;
    return m->epoch == generation ? KERR_NONE : KERR_ILLEGAL_GENERATION;
}

static void
join_soon(const struct step *s, struct consumer_member *m)
{
    if (m->join_deadline == NEVER) {
        m->join_deadline = s->now + m->rebalance_timeout_ms;
        group_wake(s->group, m->join_deadline);
    }
}

static enum kerr
sync_refusal(const struct step *s, const struct group_sync *sync,
    struct consumer_member **out)
{
    const struct group *g = s->group;
    struct consumer_member *m = NULL;
    enum kerr error = find(g, sync->member_id, sync->instance_id,
        sync->generation, &m);

    *out = m;
    if (error != KERR_NONE) {
        return error;
    }
    if ((sync->protocol_type.ptr != NULL &&
            !span_eq(sync->protocol_type, consumer_type())) ||
        (sync->protocol_name.ptr != NULL &&
            !span_eq(sync->protocol_name, m->protocols[0].name))) {
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    }
    /* Who has something to give up does that first. */
    if (g->generation > m->epoch && m->state != CONSUMER_UNREVOKED) {
        join_soon(s, m);
        return KERR_REBALANCE_IN_PROGRESS;
    }
    return KERR_NONE;
}

void
consumer_sync(const struct step *s, const struct group_event *ev)
{
    struct consumer_member *m;
    enum kerr error = sync_refusal(s, &ev->sync, &m);
    struct group_fx *e = fx_reply(s->fx, GROUP_FX_SYNCED, ev->token, error);
    struct buf b;

    e->synced.assignment = span_str("");
    if (error != KERR_NONE) {
        return;
    }
    m->sync_deadline = NEVER;
    m->session_deadline = s->now + m->session_timeout_ms;
    group_wake(s->group, m->session_deadline);
    buf_init(&b, BLOB_MAX);
    blob_write_assignment(&b, &m->assigned, &s->group->env->topics,
        m->protocols[0].metadata);
    assert(!b.failed);           /* PARTITIONS_MAX of them fit */
    e->synced.protocol_type = consumer_type();
    e->synced.protocol_name = m->protocols[0].name;
    e->synced.assignment = fx_copy(s->fx, buf_span(&b));
    buf_release(&b);
}

void
consumer_heartbeat(const struct step *s, const struct group_event *ev)
{
    const struct group *g = s->group;
    const struct group_heartbeat *beat = &ev->heartbeat;
    struct consumer_member *m = NULL;
    enum kerr error = find(g, beat->member_id, beat->instance_id,
        beat->generation, &m);

    if (error == KERR_NONE) {
        m->session_deadline = s->now + m->session_timeout_ms;
        group_wake(s->group, m->session_deadline);
        if (m->epoch < g->generation || m->state == CONSUMER_UNREVOKED ||
            (m->state == CONSUMER_UNRELEASED &&
                !consumer_waits(g->consumer, m))) {
            error = KERR_REBALANCE_IN_PROGRESS;
            join_soon(s, m);
        }
    }
    fx_reply(s->fx, GROUP_FX_HEARTBEAT, ev->token, error);
}

/* ---- LeaveGroup ---- */

static enum kerr
leave_one(const struct group *g, const struct group_leaver *leaver,
    struct consumer_member **out)
{
    struct consumer_member *m;

    if (leaver->instance_id.ptr == NULL) {
        m = consumer_find(g, leaver->member_id);
    } else {
        m = consumer_static(g, leaver->instance_id);
        if (m != NULL && leaver->member_id.len > 0 &&
            !span_eq(m->id, leaver->member_id)) {
            return KERR_FENCED_INSTANCE_ID;
        }
    }
    *out = m;
    return m == NULL ? KERR_UNKNOWN_MEMBER_ID : KERR_NONE;
}

/* Named twice, a member leaves once. */
void
consumer_leave_many(const struct step *s, const struct group_event *ev)
{
    const struct group_leave *leave = &ev->leave;
    size_t at = s->fx->count, n = 0;
    enum kerr *errors = fx_each(s->fx,
        fx_reply(s->fx, GROUP_FX_LEFT, ev->token, KERR_NONE), leave->count,
        KERR_NONE);
    struct consumer_member **gone =
        arena_calloc(&s->fx->arena, leave->count + 1, sizeof *gone);

    assert(gone != NULL);
    for (size_t i = 0; i < leave->count; i++) {
        struct consumer_member *m = NULL;
        bool twice = false;

        errors[i] = leave_one(s->group, &leave->leavers[i], &m);
        for (size_t k = 0; k < n; k++) {
            twice |= gone[k] == m;
        }
        if (errors[i] == KERR_NONE && !twice) {
            gone[n++] = m;
        }
    }
    if (leave->single && leave->count > 0) {
        s->fx->list[at].error = errors[0];
        s->fx->list[at].each.errors = NULL;
    }
    consumer_fence(s, gone, n);
}
