/*
 * Consumer groups (KIP-848): members say in heartbeats what they want to read
 * and what they own, the group says what each should own. There are no
 * rounds in which all wait for all: three epochs carry it.
 *
 *     epoch          of the group: grows when a member comes, goes or reads
 *                    something else, and when a topic that is read changes
 *     target_epoch   what the targets were computed from; behind `epoch` until
 *                    the next heartbeat of anybody
 *     member epoch   how far the member has come; behind target_epoch until it
 *                    has given up what it should not have
 *
 *   Empty         no members; offsets, perhaps
 *   Assigning     epoch > target_epoch
 *   Reconciling   some member is not STABLE in target_epoch (reconcile.c)
 *   Stable        else
 *
 * One heartbeat, one step:
 *
 *     admit     is it a member, in its epoch? a new one? the place of a static
 *               one that has left (-2)?
 *     update    what it says of itself; does it read something else?
 *     advance   a new epoch if need be, a new target if behind, and the member
 *               one step towards it
 *     answer    its epoch, and its assignment if that changed
 *
 * Invariants
 *  1. A partition is claimed by one member at most: `assigned` of one and
 *     `revoking` of another never meet. (What a classic group brings along
 *     may overlap, since its leader decided: the first member keeps it.)
 *  2. target_epoch <= epoch, and no member is ahead of target_epoch.
 *  3. `claims` counts what members have; nothing else does.
 *  4. Targets of members do not overlap either.
 *  5. An expression is in `regexes` as long as somebody subscribes to it.
 *  6. Epochs only grow, over restarts and changes of the type, too: each is
 *     persisted before anything is answered.
 *  7. Every member has a session deadline.
 *
 * Persisted: the group when its epochs change, a member when anything of it
 * does (subscription, epochs, what it has and should have). Heartbeats that
 * change nothing are not. So a join of the thousandth member writes what it
 * moved, not a thousand members.
 *
 * A group changes its type online (migrate.c): a classic one becomes a
 * consumer group with the first member that speaks the new protocol, and
 * serves the others meanwhile (consumer_classic.c); it becomes classic again
 * when only such are left.
 */
#include "config.h"

#include <stdlib.h>

#include "group/streams_priv.h"
#include "group/pattern.h"

#include "base/alloc.h"

/* ---- life ---- */

struct consumer_group *
consumer_group_new(void)
{
    struct consumer_group *c = xcalloc(1, sizeof *c);

    TAILQ_INIT(&c->members);
    return c;
}

void
consumer_begin(struct group *g)
{
    assert(g->consumer == NULL && g->member_count == 0);
    g->consumer = consumer_group_new();
    g->consumer->target_epoch = g->generation;
    span_disown(&g->protocol_type);
    span_disown(&g->protocol_name);
    g->protocol_type = span_own(span_str("consumer"));
}

void
consumer_end(struct group *g)
{
    struct consumer_group *c = g->consumer;
    struct consumer_member *m;
    struct consumer_claim *claim;

    if (c == NULL) {
        return;
    }
    while ((m = TAILQ_FIRST(&c->members)) != NULL) {
        TAILQ_REMOVE(&c->members, m, link);
        consumer_member_free(m);
    }
    for (size_t i = 0; (claim = table_next(&c->claims, &i)) != NULL;) {
        free(claim);
    }
    table_release(&c->claims);
    streams_end(c);
    consumer_regexes_release(c);
    table_release(&c->by_id);
    table_release(&c->by_instance);
    free(c);
    g->consumer = NULL;
}

struct group_tuning
consumer_tuning(const struct group *g)
{
    const struct group_config *config = &g->env->config;
    struct group_tuning t = {0};

    if (g->env->tuning != NULL) {
        g->env->tuning(g->env->tuning_arg, g->id, &t);
    }
    if (t.consumer_session_ms == 0) {
        t.consumer_session_ms = config->consumer_session_ms;
    }
    if (t.consumer_heartbeat_ms == 0) {
        t.consumer_heartbeat_ms = config->consumer_heartbeat_ms;
    }
    if (g->consumer != NULL && g->consumer->streams != NULL) {
        t.consumer_session_ms = t.streams_session_ms != 0
            ? t.streams_session_ms : config->streams_session_ms;
        t.consumer_heartbeat_ms = t.streams_heartbeat_ms != 0
            ? t.streams_heartbeat_ms : config->streams_heartbeat_ms;
    }
    return t;
}

/* ---- members ---- */

struct consumer_member *
consumer_find(const struct group *g, struct span id)
{
    return id.len == 0 ? NULL : table_get(&g->consumer->by_id, id);
}

struct consumer_member *
consumer_static(const struct group *g, struct span instance_id)
{
    return instance_id.ptr == NULL
        ? NULL : table_get(&g->consumer->by_instance, instance_id);
}

struct consumer_member *
consumer_add(struct group *g, struct span id)
{
    struct consumer_group *c = g->consumer;
    struct consumer_member *m = consumer_member_new(id);

    m->dirty = true;
    TAILQ_INSERT_TAIL(&c->members, m, link);
    table_put(&c->by_id, m->id, m);
    c->member_count++;
    c->bytes += m->bytes;
    return m;
}

static void
forget_record(const struct step *s, const struct consumer_member *m)
{
    struct group_fx *e = fx_add(s->fx, GROUP_FX_DELETE_MEMBER);

    e->member_id = fx_copy(s->fx, m->id);
}

void
consumer_remove(const struct step *s, struct consumer_member *m)
{
    struct group *g = s->group;
    struct consumer_group *c = g->consumer;

    forget_record(s, m);
    consumer_unclaim(c, &m->assigned);
    consumer_unclaim(c, &m->revoking);
    consumer_member_regex(g, m, span_str(""));
    TAILQ_REMOVE(&c->members, m, link);
    table_del(&c->by_id, m->id);
    if (m->instance_id.ptr != NULL) {
        table_del(&c->by_instance, m->instance_id);
    }
    c->member_count--;
    c->classic_count -= m->classic;
    c->bytes -= m->bytes;
    consumer_member_free(m);
}

/* Another process takes the place of a static member: what it has and should
 * have, but it has to be told anew, hence in epoch 0. */
void
consumer_rename(const struct step *s, struct consumer_member *m,
    struct span id)
{
    struct group *g = s->group;

    forget_record(s, m);
    table_del(&g->consumer->by_id, m->id);
    consumer_member_set(g, m, &m->id, id);
    table_put(&g->consumer->by_id, m->id, m);
    m->epoch = m->previous_epoch = 0;
    m->rebalance_deadline = NEVER;
    m->dirty = true;
}

void
consumer_bump(struct group *g)
{
    g->generation++;
    g->consumer->dirty = true;
}

/* ---- fencing ---- */

void
consumer_fence(const struct step *s, struct consumer_member **list,
    size_t count)
{
    if (count == 0) {
        return;
    }
    if (consumer_downgradable(s->group, list, count)) {
        consumer_downgrade(s, list, count, true);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        consumer_remove(s, list[i]);
    }
    consumer_bump(s->group);
}

/* ---- what needs no group to be refused ---- */

static bool
is_empty(struct span s)
{
    return s.ptr != NULL && s.len == 0;
}

static bool
too_long(const struct group_beat *b)
{
    return b->member_id.len > GROUP_NAME_MAX ||
        b->instance_id.len > GROUP_NAME_MAX ||
        b->rack_id.len > GROUP_NAME_MAX;
}

static enum kerr
subscription_refusal(const struct group_env *env, const struct group_beat *b,
    const char **message)
{
    size_t bytes = b->regex.len;

    for (size_t i = 0; i < b->topic_count; i++) {
        bytes += b->topics[i].len + sizeof *b->topics;
    }
    if (bytes > env->config.member_metadata_max) {
        *message = "The subscription is too large.";
        return KERR_POLICY_VIOLATION;
    }
    if (b->regex.len > 0) {
        struct pattern *p = pattern_new(b->regex, message);

        if (p == NULL) {
            return KERR_INVALID_REGULAR_EXPRESSION;
        }
        pattern_free(p);
    }
    return KERR_NONE;
}

static enum kerr
joining_refusal(const struct group_beat *b, const char **message)
{
    if (b->rebalance_timeout_ms < 0) {
        *message = "RebalanceTimeoutMs must be there when a member joins.";
    } else if (!b->has_owned || b->owned_count > 0) {
        *message = "TopicPartitions must be empty when a member joins.";
    } else if (!b->has_topics && b->regex.ptr == NULL) {
        *message = "SubscribedTopicNames or SubscribedTopicRegex must be "
                   "there when a member joins.";
    }
    return *message == NULL ? KERR_NONE : KERR_INVALID_REQUEST;
}

enum kerr
consumer_beat_refusal(const struct group_env *env, const struct group_beat *b,
    const char **message)
{
    bool leaves = b->epoch == CONSUMER_EPOCH_LEAVE;

    *message = NULL;
    if (b->member_id.len == 0 && (b->own_id || b->epoch > 0 || leaves)) {
        *message = "MemberId can't be empty.";
    } else if (is_empty(b->instance_id)) {
        *message = "InstanceId can't be empty.";
    } else if (is_empty(b->rack_id)) {
        *message = "RackId can't be empty.";
    } else if (b->epoch < CONSUMER_EPOCH_LEAVE_STATIC) {
        *message = "MemberEpoch is invalid.";
    } else if (b->epoch == CONSUMER_EPOCH_LEAVE_STATIC &&
        b->instance_id.ptr == NULL) {
        *message = "InstanceId can't be null.";
    } else if (too_long(b)) {
        *message = "An id is too long.";
    }
    if (*message != NULL) {
        return KERR_INVALID_REQUEST;
    }
    if (b->streams != NULL) {
        return streams_beat_refusal(b, message);
    }
    if (b->epoch == 0 && joining_refusal(b, message) != KERR_NONE) {
        return KERR_INVALID_REQUEST;
    }
    if (b->assignor.ptr != NULL && assignor_find(b->assignor) == ASSIGNORS) {
        *message = "The assignors are uniform and range.";
        return KERR_UNSUPPORTED_ASSIGNOR;
    }
    return b->epoch < 0 ? KERR_NONE : subscription_refusal(env, b, message);
}

void
consumer_beat_error(const struct step *s, const struct group_event *ev,
    enum kerr error, const char *message)
{
    struct group_fx *e =
        fx_reply(s->fx, GROUP_FX_BEATEN, ev->token, error);

    e->beaten.message = message == NULL ? kerr_text(error) : message;
    e->beaten.streams = ev->beat.streams != NULL;
}

/* ---- leaving ---- */

static void
leave(const struct step *s, const struct group_event *ev)
{
    const struct group_beat *b = &ev->beat;
    struct consumer_member *m;
    struct group_fx *e;

    m = b->instance_id.ptr == NULL ? consumer_find(s->group, b->member_id)
                                   : consumer_static(s->group, b->instance_id);
    if (m == NULL || !span_eq(m->id, b->member_id)) {
        consumer_beat_error(s, ev,
            m == NULL ? KERR_UNKNOWN_MEMBER_ID : KERR_FENCED_INSTANCE_ID,
            NULL);
        return;
    }
    if (b->epoch == CONSUMER_EPOCH_LEAVE_STATIC) {
        struct parts none = {0};

        consumer_unclaim(s->group->consumer, &m->revoking);
        parts_swap(&m->revoking, &none);
        parts_release(&none);
        m->epoch = CONSUMER_EPOCH_LEAVE_STATIC;
        m->rebalance_deadline = NEVER;
        m->dirty = true;
    } else {
        consumer_fence(s, &m, 1);
    }
    e = fx_reply(s->fx, GROUP_FX_BEATEN, ev->token, KERR_NONE);
    e->beaten.member_id = fx_copy(s->fx, b->member_id);
    e->beaten.epoch = b->epoch;
    e->beaten.streams = b->streams != NULL;
    e->beaten.interval_ms = consumer_tuning(s->group).consumer_heartbeat_ms;
}

/* ---- admission ---- */

static bool
owns_no_more(const struct group_beat *b, const struct parts *assigned)
{
    if (!b->has_owned) {
        return false;
    }
    for (size_t i = 0; i < b->owned_count; i++) {
        if (!parts_has(assigned, &b->owned[i])) {
            return false;
        }
    }
    return true;
}

/* A member may come with its epoch before: the answer that told it the new
 * one was lost. */
static enum kerr
epoch_refusal(const struct consumer_member *m, const struct group_beat *b)
{
    if (b->epoch == 0 || b->epoch == m->epoch) {
        return KERR_NONE;
    }
    if (b->epoch < m->epoch && b->epoch == m->previous_epoch &&
        owns_no_more(b, &m->assigned)) {
        return KERR_NONE;
    }
    return KERR_FENCED_MEMBER_EPOCH;
}

/* Who is it? *m NULL and no error: somebody new. *m with another id: a new
 * process for a static member. */
static enum kerr
admit(const struct group *g, const struct group_beat *b,
    struct consumer_member **m)
{
    bool joins = b->epoch == 0;

    if (b->instance_id.ptr == NULL) {
        *m = consumer_find(g, b->member_id);
        return *m != NULL ? epoch_refusal(*m, b)
            : joins       ? KERR_NONE
                          : KERR_UNKNOWN_MEMBER_ID;
    }
    *m = consumer_static(g, b->instance_id);
    if (*m == NULL) {
        *m = joins ? consumer_find(g, b->member_id) : NULL;
        return joins ? KERR_NONE : KERR_UNKNOWN_MEMBER_ID;
    }
    if (span_eq((*m)->id, b->member_id)) {
        return epoch_refusal(*m, b);
    }
    if (!joins) {
        return KERR_FENCED_INSTANCE_ID;
    }
    /* Its new id may be another member's: whose, then, is unclear. */
    if (consumer_find(g, b->member_id) != NULL) {
        return KERR_INVALID_REQUEST;
    }
    return (*m)->classic || (*m)->epoch == CONSUMER_EPOCH_LEAVE_STATIC
        ? KERR_NONE : KERR_UNRELEASED_INSTANCE_ID;
}

static size_t
beat_bytes(const struct group_beat *b)
{
    size_t bytes = b->regex.len + 5 * GROUP_NAME_MAX;

    for (size_t i = 0; i < b->topic_count; i++) {
        bytes += b->topics[i].len + sizeof *b->topics;
    }
    return bytes;
}

static enum kerr
room_refusal(const struct group *g, const struct group_beat *b,
    const struct consumer_member *m, const char **message)
{
    const struct consumer_group *c = g->consumer;

    if (m == NULL && c->member_count >= g->env->config.consumer_members_max) {
        return KERR_GROUP_MAX_SIZE_REACHED;
    }
    if (c->bytes + beat_bytes(b) > g->env->config.group_bytes_max) {
        *message = "The group's members take too much memory.";
        return KERR_POLICY_VIOLATION;
    }
    if (b->regex.len > 0 && table_get(&c->regexes, b->regex) == NULL &&
        c->regexes.count >= consumer_regexes_max()) {
        *message = "The group has too many regular expressions.";
        return KERR_POLICY_VIOLATION;
    }
    return KERR_NONE;
}

/* ---- the heartbeat ---- */

/* true: it reads something else than before. */
static bool
update(const struct step *s, struct consumer_member *m,
    const struct group_beat *b)
{
    struct group *g = s->group;
    bool changed = false;

    consumer_member_instance(g, m, b->instance_id);
    consumer_member_set(g, m, &m->rack_id, b->rack_id);
    consumer_member_set(g, m, &m->assignor, b->assignor);
    consumer_member_set(g, m, &m->client_id, name_cut(b->client_id));
    consumer_member_set(g, m, &m->client_host, name_cut(b->client_host));
    if (b->rebalance_timeout_ms >= 0 &&
        b->rebalance_timeout_ms != m->rebalance_timeout_ms) {
        m->rebalance_timeout_ms = b->rebalance_timeout_ms;
        m->dirty = true;
    }
    consumer_member_classic(g, m, NULL);
    if (b->has_topics) {
        changed = consumer_member_topics(g, m, b->topics, b->topic_count);
    }
    if (b->streams != NULL) {
        return streams_update(g, m, b->streams);
    }
    return consumer_member_regex(g, m, b->regex) || changed;
}

void
consumer_advance(const struct step *s, struct consumer_member *m,
    const struct parts *owned, bool changed)
{
    struct group *g = s->group;
    struct consumer_group *c = g->consumer;
    const struct group_topics *topics = &g->env->topics;
    uint64_t version = topics->version(topics->arg);
    bool stale = c->topics_version != version;

    if (stale) {
        consumer_regexes_resolve(g);
        c->topics_version = version;
    }
    if (changed || g->generation == 0) {
        consumer_bump(g);
    }
    if (stale || g->generation > c->target_epoch) {
        struct consumer_wanted w;
        uint64_t hash;

        consumer_wanted_init(&w, g);
        hash = consumer_wanted_hash(&w);
        if (hash != c->topics_hash && g->generation == c->target_epoch) {
            consumer_bump(g);
        }
        c->topics_hash = hash;
        if (g->generation > c->target_epoch) {
            consumer_retarget(g, &w);
        }
        consumer_wanted_release(&w);
    }
    consumer_reconcile(s, m, owned, changed);
}

/* Did it say all there is to say? Then it wants to hear all. */
static bool
is_full(const struct group_beat *b)
{
    return b->epoch == 0 || (b->rebalance_timeout_ms >= 0 &&
        (b->has_topics || b->regex.ptr != NULL) && b->has_owned);
}

static void
beat_member(const struct step *s, const struct group_event *ev,
    struct consumer_member *m)
{
    const struct group_beat *b = &ev->beat;
    struct group_tuning tuning = consumer_tuning(s->group);
    struct parts before = {0}, owned = {0};
    struct group_fx *e;
    bool changed;

    parts_copy(&before, &m->assigned);
    for (size_t i = 0; i < b->owned_count; i++) {
        parts_push(&owned, &b->owned[i].topic, b->owned[i].partition);
    }
    parts_sort(&owned);
    changed = update(s, m, b);
    (b->streams != NULL ? streams_advance : consumer_advance)(s, m,
        b->has_owned ? &owned : NULL, changed);
    m->session_deadline = s->now + tuning.consumer_session_ms;
    group_wake(s->group, m->session_deadline);
    e = fx_reply(s->fx, GROUP_FX_BEATEN, ev->token, KERR_NONE);
    e->beaten.member_id = m->id;
    e->beaten.epoch = m->epoch;
    e->beaten.interval_ms = tuning.consumer_heartbeat_ms;
    if (is_full(b) || !parts_eq(&before, &m->assigned)) {
        e->beaten.assignment = &m->assigned;
    }
    if (b->streams != NULL) {
        if (!parts_eq(&before, &m->assigned)) {
            streams_moved(s->group, m);
        }
        e->beaten.streams = true;
        e->beaten.endpoint_epoch = s->group->consumer->streams->endpoint_epoch;
    }
    parts_release(&before);
    parts_release(&owned);
}

static struct span
id_made(const struct step *s)
{
    struct uuid u = uuid_random(s->group->env->world);
    char text[UUID_TEXT];

    return fx_copy(s->fx, span_str(uuid_text(&u, text)));
}

static bool
is_streams(const struct group *g)
{
    return g->consumer != NULL && g->consumer->streams != NULL;
}

/* The group is of another type, or was never anything. An empty one is for
 * the asking. */
static enum kerr
enter(const struct step *s, const struct group_beat *b, const char **message)
{
    struct group *g = s->group;
    bool empty = g->state == GROUP_EMPTY;

    if (b->epoch != 0 ||
        (!empty && (b->streams != NULL || g->consumer != NULL))) {
        *message = b->streams != NULL ? "The group is not a streams group."
                                      : "The group is not a consumer group.";
        return KERR_GROUP_ID_NOT_FOUND;
    }
    if (!empty) {
        return consumer_upgrade(s, message);
    }
    group_pending_clear(g);
    consumer_end(g);
    consumer_begin(g);
    if (b->streams != NULL) {
        streams_begin(g);
    }
    return KERR_NONE;
}

void
consumer_beat(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;
    const struct group_beat *b = &ev->beat;
    struct consumer_member *m = NULL;
    const char *message = NULL;
    enum kerr error = KERR_NONE;
    struct span id = b->member_id;

    if (g->consumer == NULL || is_streams(g) != (b->streams != NULL)) {
        error = enter(s, b, &message);
    }
    if (error == KERR_NONE && b->epoch < 0) {
        leave(s, ev);
        return;
    }
    if (error == KERR_NONE) {
        error = admit(g, b, &m);
    }
    if (error == KERR_NONE) {
        error = room_refusal(g, b, m, &message);
    }
    if (error == KERR_NONE && b->streams != NULL) {
        error = streams_admit(s, b, &message);
    }
    if (error != KERR_NONE) {
        consumer_beat_error(s, ev, error, message);
        return;
    }
    if (id.len == 0) {
        id = id_made(s);
    }
    if (m == NULL) {
        m = consumer_add(g, id);
    } else if (!span_eq(m->id, id)) {
        consumer_rename(s, m, id);
    }
    beat_member(s, ev, m);
}

/* ---- timers ---- */

static int64_t
member_due(const struct consumer_member *m)
{
    int64_t at = m->session_deadline;

    at = m->rebalance_deadline < at ? m->rebalance_deadline : at;
    at = m->join_deadline < at ? m->join_deadline : at;
    return m->sync_deadline < at ? m->sync_deadline : at;
}

/* A session, or a time to give up, to join or to sync that has run out: each
 * ends the membership. */
bool
consumer_tick(const struct step *s)
{
    struct group *g = s->group;
    struct consumer_member *m, *first = NULL;
    int64_t at = NEVER;

    TAILQ_FOREACH (m, &g->consumer->members, link) {
        if (member_due(m) < at) {
            at = member_due(m);
            first = m;
        }
    }
    if (at > s->now) {
        g->deadline = at;
        return false;
    }
    consumer_fence(s, &first, 1);
    return true;
}

/* ---- after a step ---- */

static void
settle_state(struct group *g)
{
    const struct consumer_group *c = g->consumer;
    const struct consumer_member *m;

    g->previous = g->state;
    g->state = c->member_count == 0         ? GROUP_EMPTY
        : is_streams(g) && !streams_ready(g) ? GROUP_NOT_READY
        : g->generation > c->target_epoch ? GROUP_ASSIGNING
                                          : GROUP_STABLE;
    if (g->state != GROUP_STABLE) {
        return;
    }
    TAILQ_FOREACH (m, &c->members, link) {
        if (m->state != CONSUMER_STABLE || m->epoch != c->target_epoch) {
            g->state = GROUP_RECONCILING;
            return;
        }
    }
}

void
consumer_flush(const struct step *s)
{
    struct group *g = s->group;
    struct consumer_group *c = g->consumer;
    struct consumer_member *m;

    if (g->state == GROUP_DEAD) {
        return;
    }
    if (c->streams != NULL && c->member_count == 0) {
        streams_emptied(g);
    }
    if (c->dirty) {
        fx_persist(s->fx, g);
        c->dirty = false;
    }
    TAILQ_FOREACH (m, &c->members, link) {
        if (m->dirty) {
            fx_add(s->fx, GROUP_FX_PERSIST_MEMBER)->member = m;
            m->dirty = false;
        }
    }
    settle_state(g);
}

/* ---- reads ---- */

const char *
consumer_assignor(const struct group *g)
{
    return assignor_name(consumer_assignor_of(g));
}

bool
consumer_topics_moved(const struct group *g)
{
    const struct group_topics *topics = &g->env->topics;

    return g->consumer == NULL
        ? g->state != GROUP_EMPTY
        : g->consumer->topics_version != topics->version(topics->arg);
}

/* A member that is where it should be, with nothing new to say, in a group
 * where nothing changed. */
static bool
is_quiet(const struct group *g, const struct consumer_member *m,
    const struct group_beat *b)
{
    const struct consumer_group *c = g->consumer;

    if ((b->streams == NULL) != (c->streams == NULL) ||
        (b->streams != NULL && !streams_is_quiet(g, m, b->streams))) {
        return false;
    }
    return m->epoch == b->epoch && m->epoch == g->generation &&
        c->target_epoch == g->generation && m->state == CONSUMER_STABLE &&
        !consumer_topics_moved(g) && !m->classic &&
        !b->has_topics && b->regex.ptr == NULL && b->assignor.ptr == NULL &&
        b->rack_id.ptr == NULL &&
        (b->rebalance_timeout_ms < 0 ||
            b->rebalance_timeout_ms == m->rebalance_timeout_ms) &&
        (b->instance_id.ptr == NULL ||
            span_eq(b->instance_id, m->instance_id)) &&
        span_eq(name_cut(b->client_id), m->client_id) &&
        span_eq(name_cut(b->client_host), m->client_host);
}

bool
groups_beat_is_quiet(const struct groups *gs, struct span group_id,
    const struct group_beat *b)
{
    const struct group *g = groups_get(gs, group_id);
    const struct consumer_member *m;

    if (g == NULL) {
        return b->epoch != 0;
    }
    if (g->consumer == NULL) {
        return b->epoch != 0;
    }
    m = consumer_find(g, b->member_id);
    return m != NULL && is_quiet(g, m, b);
}

size_t
group_record_bytes(const struct group *g)
{
    enum { MEMBER = 160, PART = 8, TOPIC = 24 };
    const struct consumer_group *c = g->consumer;
    size_t parts = 0, topics = 0;
    const struct consumer_member *m;

    if (c == NULL) {
        return 0;
    }
    TAILQ_FOREACH (m, &c->members, link) {
        parts += m->assigned.count + m->revoking.count + m->target.count;
        topics += m->topic_count;
    }
    /* The target may move all that is read, and so may what is assigned. */
    return (c->member_count + 1) * MEMBER + 2 * c->bytes +
        (parts + 2 * c->partitions) * (PART + TOPIC) + topics * PART +
        streams_topology_bytes(g).len;
}

/* ---- the invariants ---- */

static void
member_check(const struct group *g, const struct consumer_member *m)
{
    const struct consumer_group *c = g->consumer;

    assert(table_get(&c->by_id, m->id) == m);
    if (m->instance_id.ptr != NULL) {
        assert(table_get(&c->by_instance, m->instance_id) == m);
    }
    parts_check(&m->assigned);
    parts_check(&m->revoking);
    parts_check(&m->target);
    assert(!parts_meet(&m->assigned, &m->revoking));
    assert(m->epoch <= c->target_epoch);
    assert(m->session_deadline != NEVER);
    assert(m->session_deadline >= g->deadline);
    assert(m->rebalance_deadline == NEVER ||
        m->state == CONSUMER_UNREVOKED);
    assert(m->regex.len == 0 || table_get(&c->regexes, m->regex) != NULL);
    assert((m->protocol_count > 0) == m->classic && !m->dirty);
}

void
consumer_check(const struct group *g)
{
    const struct consumer_group *c = g->consumer;
    const struct consumer_member *m;
    const struct consumer_claim *claim;
    size_t count = 0, classic = 0, bytes = 0, statics = 0, claims = 0;

    assert(g->member_count == 0 && g->awaiting_joins == 0);
    assert(g->join_deadline == NEVER && g->sync_deadline == NEVER);
    assert(c->target_epoch <= g->generation && !c->dirty);
    TAILQ_FOREACH (m, &c->members, link) {
        member_check(g, m);
        count++;
        classic += m->classic;
        bytes += m->bytes;
        statics += m->instance_id.ptr != NULL;
        claims += m->assigned.count + m->revoking.count;
    }
    assert(count == c->member_count && count == c->by_id.count);
    assert(classic == c->classic_count && bytes == c->bytes);
    assert(statics == c->by_instance.count);
    assert((g->state == GROUP_EMPTY) == (count == 0));
    for (size_t i = 0; (claim = table_next(&c->claims, &i)) != NULL;) {
        assert(claim->count == 1);
        claims--;
    }
    assert(claims == 0);
    if (c->streams != NULL) {
        streams_check(g);
    }
}
