/*
 * A consumer group and its states. The words are Kafka's.
 *
 *                    first member joins
 *        +--------> EMPTY ------------------+
 *        |            |                     v        member joins anew, leaves,
 *   all have left     | offsets      +-> PREPARING <---- is replaced or expires
 *        |            | expired or   |      |    ^                  |
 *        +------------|--------------|------+    | not synced       |
 *                     | deleted      |  join     | in time          |
 *                     v              |  phase    |                  |
 *                   DEAD             |  over     |                  |
 *                                    |      v    |                  |
 *                                    |   COMPLETING ----------------+
 *                                    |      | the leader's          |
 *                                    |      v assignment            |
 *                                    +--- STABLE -------------------+
 *
 * EMPTY        No members, no timers but those of member ids given out. Also
 *              the state of a simple consumer's group: offsets and nothing
 *              else, with no protocol type.
 * PREPARING    Members hand in their JoinGroup, which waits here. Ends when
 *              all have (and no id given out is outstanding), or when the
 *              rebalance timeout has passed: dynamic members that stayed
 *              away are then out. A rebalance that began in EMPTY ends after
 *              the initial delay and at no other time.
 * COMPLETING   A new generation: the joins have been answered, the leader
 *              works out the assignment, followers wait in SyncGroup.
 * STABLE       Each member has its assignment, or can get it by SyncGroup.
 * DEAD         Out of the registry; freed at the next step.
 *
 * What holds (group_check):
 *  1. EMPTY has no members. COMPLETING and STABLE have some, a leader among
 *     them, and a protocol that each of them offers.
 *  2. Where there are members, one protocol at least is offered by all.
 *  3. Only PREPARING has members awaiting a join; it has a join deadline.
 *  4. Only COMPLETING has members awaiting a sync, and never the leader,
 *     whose sync ends the state. No assignment exists in it.
 *  5. Members that have not synced in this generation are pending_sync, in
 *     COMPLETING and STABLE; while there are any, and in COMPLETING, there is
 *     a sync deadline.
 *  6. A member has a session deadline, unless it awaits something.
 *  7. No timer of the group is due before `deadline`: it is a lower bound, so
 *     a heartbeat, which only moves a session later, does not touch it.
 *  8. The generation only grows, over restarts, too: each new one is
 *     persisted before a join of it is answered. (Kafka persists it with the
 *     assignment, and may use its number twice.)
 *  9. A token is answered once. Whatever takes a waiting member away answers
 *     it first; a second request of the member answers the first one. When a
 *     connection dies its token is forgotten, the member goes on waiting.
 *
 * What a step frees it has either answered with copies, or answers nothing
 * about: that is why a tick fires one timer and no more.
 */
#include "config.h"

#include <stdlib.h>

#include "group/consumer_priv.h"

#include "base/alloc.h"

static const char *const state_names[] = {
#define X(name, text) text,
    GROUP_STATES(X)
#undef X
};

void
group_config_init(struct group_config *c)
{
    *c = (struct group_config){
        .session_timeout_min_ms = 6000,
        .session_timeout_max_ms = 30 * 60 * 1000,
        .initial_delay_ms = 0,
        .new_member_timeout_ms = 5 * 60 * 1000,
        .members_max = GROUP_MEMBERS_MAX,
        .groups_max = GROUPS_MAX,
        .offset_metadata_max = OFFSET_METADATA_MAX,
        .member_metadata_max = GROUP_MEMBER_METADATA_MAX,
        .group_bytes_max = GROUP_BYTES_MAX,
        .offset_bytes_max = 128 * MIB,
        .offset_retention_ms = 7ll * 24 * 3600 * 1000,
        .consumer_session_ms = 45000,
        .consumer_heartbeat_ms = 5000,
        .consumer_members_max = GROUP_MEMBERS_MAX,
        .streams_session_ms = 45000,
        .streams_heartbeat_ms = 5000,
    };
}

/* ---- life ---- */

struct span
span_own(struct span s)
{
    uint8_t *copy;

    if (s.ptr == NULL) {
        return SPAN_NULL;
    }
    copy = xmalloc(s.len + 1);
    if (s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    return span_of(copy, s.len);
}

void
span_disown(struct span *s)
{
    free((void *)(uintptr_t)s->ptr);
    *s = SPAN_NULL;
}

struct group *
group_new(struct group_env *env, struct span id, int64_t now)
{
    struct group *g = xcalloc(1, sizeof *g);

    g->magic = GROUP_MAGIC;
    g->env = env;
    g->id = span_own(id);
    g->state = g->previous = GROUP_EMPTY;
    g->state_since_ms = now;
    g->join_deadline = g->sync_deadline = g->deadline = NEVER;
    TAILQ_INIT(&g->members);
    TAILQ_INIT(&g->pending);
    return g;
}

void
group_members_drop(struct group *g)
{
    struct member *m;
    struct support *s;

    while ((m = TAILQ_FIRST(&g->members)) != NULL) {
        TAILQ_REMOVE(&g->members, m, link);
        member_free(m);
    }
    for (size_t i = 0; (s = table_next(&g->support, &i)) != NULL;) {
        free(s);
    }
    table_release(&g->support);
    table_release(&g->by_id);
    table_release(&g->by_instance);
    g->leader = NULL;
    g->member_count = g->awaiting_joins = g->pending_syncs = g->bytes = 0;
}

void
group_free(struct group *g)
{
    check_obj(g, GROUP_MAGIC);
    consumer_end(g);
    group_members_drop(g);
    group_pending_clear(g);
    group_offsets_release(g);
    table_release(&g->pending_by_id);
    span_disown(&g->id);
    span_disown(&g->protocol_type);
    span_disown(&g->protocol_name);
    g->magic = 0;
    free(g);
}

void
group_move(struct group *g, enum group_state to, int64_t now)
{
    assert(to != GROUP_EMPTY || g->state == GROUP_PREPARING);
    assert(to != GROUP_COMPLETING || g->state == GROUP_PREPARING);
    assert(to != GROUP_STABLE || g->state == GROUP_COMPLETING);
    assert(to != GROUP_PREPARING || g->state < GROUP_DEAD);
    g->previous = g->state;
    g->state = to;
    g->state_since_ms = now;
}

void
group_wake(struct group *g, int64_t at)
{
    if (at < g->deadline) {
        g->deadline = at;
    }
}

/* ---- members ---- */

struct member *
group_member(const struct group *g, struct span id)
{
    return id.len == 0 ? NULL : table_get(&g->by_id, id);
}

struct member *
group_static(const struct group *g, struct span instance_id)
{
    return instance_id.ptr == NULL ? NULL
                                   : table_get(&g->by_instance, instance_id);
}

void
group_add(struct group *g, struct member *m)
{
    TAILQ_INSERT_TAIL(&g->members, m, link);
    table_put(&g->by_id, m->id, m);
    if (m->instance_id.ptr != NULL) {
        table_put(&g->by_instance, m->instance_id, m);
    }
    if (g->leader == NULL) {
        g->leader = m;
    }
    g->member_count++;
    g->bytes += m->bytes;
    group_support(g, m, +1);
}

/* Answers what the member waits for and frees it. The caller sees to what
 * its absence means for the rebalance. */
void
group_remove(const struct step *s, struct member *m)
{
    struct group *g = s->group;

    if (m->awaiting_join) {
        group_join_error(s, m->join_token, KERR_UNKNOWN_MEMBER_ID, SPAN_NULL);
        g->awaiting_joins--;
    }
    if (m->awaiting_sync) {
        struct group_fx *e = fx_reply(s->fx, GROUP_FX_SYNCED, m->sync_token,
            KERR_UNKNOWN_MEMBER_ID);

        if (e != NULL) {
            e->synced.assignment = span_str("");
        }
    }
    rebalance_synced(g, m);
    TAILQ_REMOVE(&g->members, m, link);
    table_del(&g->by_id, m->id);
    if (m->instance_id.ptr != NULL) {
        table_del(&g->by_instance, m->instance_id);
    }
    if (g->leader == m) {
        g->leader = TAILQ_FIRST(&g->members);
    }
    g->member_count--;
    g->bytes -= m->bytes;
    group_support(g, m, -1);
    member_free(m);
}

/* Is this a member, and the one that holds its instance id (KIP-345)? */
enum kerr
group_validate(const struct group *g, struct span member_id,
    struct span instance_id)
{
    if (instance_id.ptr != NULL) {
        const struct member *m = group_static(g, instance_id);

        if (m == NULL) {
            return KERR_UNKNOWN_MEMBER_ID;
        }
        if (!span_eq(m->id, member_id)) {
            return KERR_FENCED_INSTANCE_ID;
        }
    }
    return group_member(g, member_id) == NULL ? KERR_UNKNOWN_MEMBER_ID
                                              : KERR_NONE;
}

void
group_session(struct group *g, struct member *m, int64_t until)
{
    m->session_deadline = until;
    group_wake(g, until);
}

/* ---- member ids given out ---- */

struct pending *
group_pending(const struct group *g, struct span id)
{
    return id.len == 0 ? NULL : table_get(&g->pending_by_id, id);
}

/* A client that takes ids and never uses them cannot fill the memory: the
 * oldest goes. Those who mean it come back at once. */
void
group_pending_add(struct group *g, struct span id, int64_t deadline)
{
    struct pending *p;

    if (g->pending_by_id.count >= GROUP_MEMBERS_MAX) {
        group_pending_del(g, TAILQ_FIRST(&g->pending));
    }
    p = xmalloc(sizeof *p + id.len);
    memcpy(p + 1, id.ptr, id.len);
    p->id = span_of(p + 1, id.len);
    p->deadline = deadline;
    TAILQ_INSERT_TAIL(&g->pending, p, link);
    table_put(&g->pending_by_id, p->id, p);
    group_wake(g, deadline);
}

void
group_pending_del(struct group *g, struct pending *p)
{
    TAILQ_REMOVE(&g->pending, p, link);
    table_del(&g->pending_by_id, p->id);
    free(p);
}

void
group_pending_clear(struct group *g)
{
    struct pending *p;

    while ((p = TAILQ_FIRST(&g->pending)) != NULL) {
        group_pending_del(g, p);
    }
}

/* ---- protocols ---- */

/* Counts the member's protocols in (by = 1) or out (by = -1). */
void
group_support(struct group *g, const struct member *m, int by)
{
    for (size_t i = 0; i < m->protocol_count; i++) {
        struct span name = m->protocols[i].name;
        struct support *s = table_get(&g->support, name);

        if (s == NULL) {
            assert(by > 0);
            s = xcalloc(1, sizeof *s + name.len);
            if (name.len > 0) {
                memcpy(s + 1, name.ptr, name.len);
            }
            s->name = span_of(s + 1, name.len);
            table_put(&g->support, s->name, s);
        }
        assert(by > 0 || s->count > 0);
        s->count += (uint32_t)by;
        if (s->count == 0) {
            table_del(&g->support, s->name);
            free(s);
        }
    }
}

static struct support *
common(const struct group *g, struct span name)
{
    struct support *s = table_get(&g->support, name);

    return s != NULL && s->count == g->member_count ? s : NULL;
}

/* Can one who offers this join? In EMPTY anything goes that names a type and
 * a protocol; else the type must be the group's and one protocol common. */
bool
group_supports(const struct group *g, struct span type,
    const struct group_protocol *protocols, size_t count)
{
    if (g->state == GROUP_EMPTY) {
        return type.len > 0 && count > 0;
    }
    if (g->protocol_type.ptr == NULL || !span_eq(g->protocol_type, type)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (g->member_count == 0 || common(g, protocols[i].name) != NULL) {
            return true;
        }
    }
    return false;
}

/* Each member votes for the first of its protocols that all offer; the most
 * votes win, among equals the one that was voted for first. */
struct span
group_select(struct group *g)
{
    struct support *best = NULL;
    struct member *m;

    TAILQ_FOREACH (m, &g->members, link) {
        for (size_t i = 0; i < m->protocol_count; i++) {
            struct support *s = common(g, m->protocols[i].name);

            if (s != NULL) {
                s->votes++;
                break;
            }
        }
    }
    TAILQ_FOREACH (m, &g->members, link) {
        for (size_t i = 0; i < m->protocol_count; i++) {
            struct support *s = common(g, m->protocols[i].name);

            if (s != NULL && (best == NULL || s->votes > best->votes)) {
                best = s;
            }
            if (s != NULL) {
                break;
            }
        }
    }
    assert(best != NULL);
    for (size_t i = 0; i < TAILQ_FIRST(&g->members)->protocol_count; i++) {
        struct support *s =
            common(g, TAILQ_FIRST(&g->members)->protocols[i].name);

        if (s != NULL) {
            s->votes = 0;
        }
    }
    return best->name;
}

bool
group_uses_consumer_protocol(const struct group *g)
{
    return g->protocol_type.ptr != NULL &&
        span_eq(g->protocol_type, span_str("consumer"));
}

/* ---- reads ---- */

const char *
group_state_name(enum group_state state)
{
    assert(state < countof(state_names));
    return state_names[state];
}

struct span
group_id(const struct group *g)
{
    return g->id;
}

enum group_state
group_state(const struct group *g)
{
    return g->state;
}

int32_t
group_generation(const struct group *g)
{
    return g->generation;
}

struct span
group_protocol_type(const struct group *g)
{
    return g->protocol_type;
}

size_t
group_member_count(const struct group *g)
{
    return g->consumer != NULL ? g->consumer->member_count : g->member_count;
}

enum group_type
group_type(const struct group *g)
{
    return g->consumer == NULL        ? GROUP_CLASSIC
        : g->consumer->streams != NULL ? GROUP_STREAMS
                                       : GROUP_CONSUMER;
}

const char *
group_type_name(enum group_type type)
{
    return type == GROUP_CONSUMER ? "consumer"
        : type == GROUP_STREAMS    ? "streams"
                                   : "classic";
}

uint64_t
group_epoch(const struct group *g)
{
    return g->epoch;
}

int64_t
group_deadline(const struct group *g)
{
    return g->deadline;
}

static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool
named(struct span s, const char *name)
{
    while (s.len > 0 && s.ptr[0] <= ' ') {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && s.ptr[s.len - 1] <= ' ') {
        s.len--;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (lower(s.ptr[i]) != lower((uint8_t)name[i])) {
            return false;        /* at its end name has a NUL, s has none */
        }
    }
    return name[s.len] == '\0';
}

static bool
named_in(const struct span *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (named(list[i], name)) {
            return true;
        }
    }
    return count == 0;
}

bool
group_listed(const struct group *g, const struct span *states,
    size_t state_count, const struct span *types, size_t type_count)
{
    return named_in(states, state_count, group_state_name(g->state)) &&
        named_in(types, type_count, group_type_name(group_type(g)));
}

/* ---- the invariants ---- */

static void
member_check(const struct group *g, const struct member *m)
{
    bool joining = g->state == GROUP_PREPARING;
    bool syncing = g->state == GROUP_COMPLETING;

    assert(table_get(&g->by_id, m->id) == m);
    assert(table_get(&g->pending_by_id, m->id) == NULL);
    if (m->instance_id.ptr != NULL) {
        assert(table_get(&g->by_instance, m->instance_id) == m);
    }
    assert(!m->awaiting_join || joining);
    assert(m->join_token == NULL || m->awaiting_join);
    assert(!m->awaiting_sync || (syncing && m != g->leader));
    assert(!m->awaiting_sync || !m->pending_sync);
    assert(m->sync_token == NULL || m->awaiting_sync);
    assert(!m->pending_sync || syncing || g->state == GROUP_STABLE);
    assert(!m->is_new || joining);
    assert(!syncing || m->assignment_len == 0);
    assert(m->session_deadline != NEVER || m->awaiting_join ||
        m->awaiting_sync);
    assert(m->session_deadline >= g->deadline);
    if (syncing || g->state == GROUP_STABLE) {
        assert(member_protocol(m, g->protocol_name) != NULL);
    }
}

void
group_check(const struct group *g)
{
    size_t count = 0, joins = 0, syncs = 0, statics = 0, bytes = 0, given = 0;
    bool led = false;
    const struct member *m;
    const struct pending *p;

    check_obj(g, GROUP_MAGIC);
    TAILQ_FOREACH (m, &g->members, link) {
        member_check(g, m);
        count++;
        joins += m->awaiting_join;
        syncs += m->pending_sync;
        statics += m->instance_id.ptr != NULL;
        bytes += m->bytes;
        led |= m == g->leader;
    }
    assert(count == g->member_count && count == g->by_id.count);
    assert(joins == g->awaiting_joins && syncs == g->pending_syncs);
    assert(statics == g->by_instance.count && bytes == g->bytes);
    assert(led == (count > 0) && (g->leader == NULL) == (count == 0));
    TAILQ_FOREACH (p, &g->pending, link) {
        assert(p->deadline >= g->deadline);
        given++;
    }
    assert(given == g->pending_by_id.count && given <= GROUP_MEMBERS_MAX);
    group_offsets_check(g);
    if (g->consumer != NULL) {
        assert(given == 0);
        consumer_check(g);
        return;
    }
    assert(g->state <= GROUP_DEAD && (g->state != GROUP_EMPTY || count == 0));
    if (g->state == GROUP_COMPLETING || g->state == GROUP_STABLE) {
        assert(count > 0 && g->protocol_name.ptr != NULL);
    }
    assert((g->join_deadline != NEVER) == (g->state == GROUP_PREPARING));
    assert((g->sync_deadline != NEVER) == (syncs > 0));
    assert(g->state != GROUP_COMPLETING || g->leader->pending_sync);
    assert(g->join_deadline >= g->deadline && g->sync_deadline >= g->deadline);
    if (count > 0) {
        bool one = false;

        assert(g->protocol_type.ptr != NULL);
        for (size_t i = 0; i < TAILQ_FIRST(&g->members)->protocol_count; i++) {
            one |= common(g, TAILQ_FIRST(&g->members)->protocols[i].name) !=
                NULL;
        }
        assert(one);
    }
}
