/*
 * The registry. The heap orders groups by their deadline, which is a lower
 * bound (group.c, 7): a heartbeat does not touch it, and a group whose bound
 * has passed without a timer being due gets a better bound and sinks.
 *
 * A group that is empty, holds nothing and was never persisted (its only
 * member id was given out and not used, its first join was refused) is gone
 * without a trace.
 */
#include "config.h"

#include <stdlib.h>

#include "group/consumer_priv.h"

#include "base/alloc.h"

/* ---- the heap ---- */

static void
heap_set(struct groups *gs, size_t i, struct group *g)
{
    gs->heap[i] = g;
    g->heap_slot = i;
}

static void
heap_up(struct groups *gs, size_t i)
{
    struct group *g = gs->heap[i];

    while (i > 0 && gs->heap[(i - 1) / 2]->deadline > g->deadline) {
        heap_set(gs, i, gs->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_set(gs, i, g);
}

static void
heap_down(struct groups *gs, size_t i, size_t count)
{
    struct group *g = gs->heap[i];

    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count &&
            gs->heap[child + 1]->deadline < gs->heap[child]->deadline) {
            child++;
        }
        if (gs->heap[child]->deadline >= g->deadline) {
            break;
        }
        heap_set(gs, i, gs->heap[child]);
    }
    heap_set(gs, i, g);
}

static void
heap_fix(struct groups *gs, struct group *g)
{
    heap_up(gs, g->heap_slot);
    heap_down(gs, g->heap_slot, gs->by_id.count);
}

static void
groups_add(struct groups *gs, struct group *g)
{
    size_t count = gs->by_id.count;

    if (count == gs->heap_capacity) {
        gs->heap_capacity = count == 0 ? 16 : 2 * count;
        gs->heap = xrealloc(gs->heap, gs->heap_capacity * sizeof *gs->heap);
    }
    table_put(&gs->by_id, g->id, g);
    heap_set(gs, count, g);
    heap_up(gs, count);
}

static struct group *
groups_make(struct groups *gs, struct span id, int64_t now)
{
    struct group *g = group_new(&gs->env, id, now);

    groups_add(gs, g);
    return g;
}

static void
groups_remove(struct groups *gs, struct group *g)
{
    size_t last = gs->by_id.count - 1, slot = g->heap_slot;
    struct group *moved = gs->heap[last];

    table_del(&gs->by_id, g->id);
    if (moved != g) {
        heap_set(gs, slot, moved);
        heap_up(gs, slot);
        heap_down(gs, moved->heap_slot, last);
    }
    g->next_dead = gs->dead;
    gs->dead = g;
}

/* ---- topics: none, until somebody says which ---- */

static bool
no_name(void *arg, struct span name, struct group_topic *out)
{
    (void)arg;
    (void)name;
    (void)out;
    return false;
}

static bool
no_id(void *arg, const struct uuid *id, struct group_topic *out)
{
    (void)arg;
    (void)id;
    (void)out;
    return false;
}

static void
no_topics(void *arg, group_topic_fn *fn, void *to)
{
    (void)arg;
    (void)fn;
    (void)to;
}

static uint64_t
no_version(void *arg)
{
    (void)arg;
    return 1;
}

void
groups_set_topics(struct groups *gs, const struct group_topics *topics)
{
    gs->env.topics = *topics;
}

void
groups_set_tuning(struct groups *gs, group_tuning_fn *fn, void *arg)
{
    gs->env.tuning = fn;
    gs->env.tuning_arg = arg;
}

/* ---- life ---- */

void
groups_init(struct groups *gs, struct world *world,
    const struct group_config *config)
{
    *gs = (struct groups){.env = {.config = *config,
        .world = world,
        .topics = {no_name, no_id, no_topics, no_version, NULL}}};
    if (gs->env.config.members_max > GROUP_MEMBERS_MAX) {
        gs->env.config.members_max = GROUP_MEMBERS_MAX;
    }
    if (gs->env.config.groups_max > GROUPS_MAX) {
        gs->env.config.groups_max = GROUPS_MAX;
    }
    if (gs->env.config.consumer_members_max > GROUP_MEMBERS_MAX) {
        gs->env.config.consumer_members_max = GROUP_MEMBERS_MAX;
    }
    table_init(&gs->by_id);
}

static void
groups_reap(struct groups *gs)
{
    while (gs->dead != NULL) {
        struct group *g = gs->dead;

        gs->dead = g->next_dead;
        group_free(g);
    }
}

void
groups_release(struct groups *gs)
{
    struct group *g;

    groups_reap(gs);
    for (size_t i = 0; (g = table_next(&gs->by_id, &i)) != NULL;) {
        group_free(g);
    }
    table_release(&gs->by_id);
    free(gs->heap);
    *gs = (struct groups){0};
}

/* ---- steps ---- */

/* After each change: where the group belongs now. */
static void
groups_settle(struct groups *gs, struct group *g, int64_t now)
{
    if (g->state == GROUP_EMPTY && !g->persisted &&
        g->pending_by_id.count == 0 && g->pins == 0) {
        group_move(g, GROUP_DEAD, now);
    }
    if (g->state == GROUP_DEAD) {
        groups_remove(gs, g);
    } else {
        heap_fix(gs, g);
    }
}

static bool
makes_group(const struct group_event *ev)
{
    return (ev->kind == GROUP_EV_JOIN && ev->join.member_id.len == 0) ||
        (ev->kind == GROUP_EV_BEAT && ev->beat.epoch == 0) ||
        (ev->kind == GROUP_EV_COMMIT &&
            (ev->commit.generation < 0 || ev->commit.applied));
}

/* What a request hears that can have no group. */
static enum kerr
no_group_error(const struct group_event *ev)
{
    switch (ev->kind) {
    case GROUP_EV_COMMIT:
        return ev->commit.group_id_errors && !ev->commit.transactional
            ? KERR_GROUP_ID_NOT_FOUND : KERR_ILLEGAL_GENERATION;
    case GROUP_EV_OFFSET_DELETE:
    case GROUP_EV_DELETE:
    case GROUP_EV_BEAT:
        return KERR_GROUP_ID_NOT_FOUND;
    case GROUP_EV_JOIN:
    case GROUP_EV_SYNC:
    case GROUP_EV_HEARTBEAT:
    case GROUP_EV_LEAVE:
    case GROUP_EV_EXPIRE:
    case GROUP_EV_TOKEN_GONE:
        break;
    }
    return KERR_UNKNOWN_MEMBER_ID;
}

static void
refuse_leave(const struct step *s, const struct group_event *ev,
    enum kerr error)
{
    bool each = error == KERR_UNKNOWN_MEMBER_ID && !ev->leave.single;
    struct group_fx *e = fx_reply(s->fx, GROUP_FX_LEFT, ev->token,
        each ? KERR_NONE : error);

    if (each) {
        fx_each(s->fx, e, ev->leave.count, error);
    }
}

static void
refuse(const struct step *s, const struct group_event *ev, enum kerr error,
    const char *message)
{
    static const enum group_fx_kind kinds[] = {
        [GROUP_EV_SYNC] = GROUP_FX_SYNCED,
        [GROUP_EV_HEARTBEAT] = GROUP_FX_HEARTBEAT,
        [GROUP_EV_COMMIT] = GROUP_FX_COMMITTED,
        [GROUP_EV_OFFSET_DELETE] = GROUP_FX_OFFSETS_DELETED,
        [GROUP_EV_DELETE] = GROUP_FX_DELETED,
    };

    switch (ev->kind) {
    case GROUP_EV_JOIN:
        group_join_error(s, ev->token, error, ev->join.member_id);
        break;
    case GROUP_EV_LEAVE:
        refuse_leave(s, ev, error);
        break;
    case GROUP_EV_SYNC:
        fx_reply(s->fx, GROUP_FX_SYNCED, ev->token, error)
            ->synced.assignment = span_str("");
        break;
    case GROUP_EV_HEARTBEAT:
    case GROUP_EV_COMMIT:
    case GROUP_EV_OFFSET_DELETE:
    case GROUP_EV_DELETE:
        fx_reply(s->fx, kinds[ev->kind], ev->token, error);
        break;
    case GROUP_EV_BEAT:
        consumer_beat_error(s, ev, error, message);
        break;
    case GROUP_EV_EXPIRE:
    case GROUP_EV_TOKEN_GONE:
        break;
    }
}

/* Kafka takes the empty id for offsets, where old clients used it. */
static enum kerr
event_refusal(const struct groups *gs, const struct group_event *ev)
{
    bool offsets = ev->kind == GROUP_EV_COMMIT ||
        ev->kind == GROUP_EV_OFFSET_DELETE || ev->kind == GROUP_EV_DELETE;

    if (ev->group_id.ptr == NULL || ev->group_id.len > GROUP_NAME_MAX ||
        (ev->group_id.len == 0 && !offsets)) {
        return KERR_INVALID_GROUP_ID;
    }
    if (ev->kind == GROUP_EV_LEAVE && ev->leave.count > GROUP_MEMBERS_MAX) {
        return KERR_INVALID_REQUEST;
    }
    return ev->kind == GROUP_EV_JOIN
        ? group_join_refusal(&gs->env, &ev->join) : KERR_NONE;
}

/* The classic protocol, in a group of either type. An empty consumer group
 * is the classic protocol's for the asking. */
static void
dispatch_classic(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;
    bool consumer = g->consumer != NULL;

    if (consumer && ev->kind == GROUP_EV_JOIN &&
        g->consumer->member_count == 0) {
        consumer_end(g);
        consumer = false;
    }
    if (ev->kind == GROUP_EV_JOIN && consumer &&
        g->consumer->streams != NULL) {
        group_join_error(s, ev->token, KERR_INCONSISTENT_GROUP_PROTOCOL,
            ev->join.member_id);
    } else if (ev->kind == GROUP_EV_JOIN) {
        (consumer ? consumer_join : group_join)(s, ev);
    } else if (ev->kind == GROUP_EV_SYNC) {
        (consumer ? consumer_sync : group_sync)(s, ev);
    } else if (ev->kind == GROUP_EV_HEARTBEAT) {
        (consumer ? consumer_heartbeat : group_heartbeat)(s, ev);
    } else {
        (consumer ? consumer_leave_many : group_leave)(s, ev);
    }
}

static void
dispatch(const struct step *s, const struct group_event *ev)
{
    switch (ev->kind) {
    case GROUP_EV_JOIN:
    case GROUP_EV_SYNC:
    case GROUP_EV_HEARTBEAT:
    case GROUP_EV_LEAVE:
        dispatch_classic(s, ev);
        break;
    case GROUP_EV_BEAT:
        consumer_beat(s, ev);
        break;
    case GROUP_EV_COMMIT:
        group_commit(s, ev);
        break;
    case GROUP_EV_OFFSET_DELETE:
        group_offset_delete(s, ev);
        break;
    case GROUP_EV_DELETE:
        group_delete(s, ev);
        break;
    case GROUP_EV_EXPIRE:
        group_expire(s);
        break;
    case GROUP_EV_TOKEN_GONE:
        group_token_gone(s, ev);
        break;
    }
}

void
groups_step(struct groups *gs, const struct group_event *ev, int64_t now,
    struct group_effects *fx)
{
    struct step s = {.now = now, .fx = fx};
    enum kerr error = event_refusal(gs, ev);
    const char *message = NULL;

    assert(fx->count == 0);
    assert(ev->token != NULL || ev->kind == GROUP_EV_EXPIRE);
    groups_reap(gs);
    if (error == KERR_NONE && ev->kind == GROUP_EV_BEAT) {
        error = consumer_beat_refusal(&gs->env, &ev->beat, &message);
    }
    if (error == KERR_NONE) {
        s.group = groups_get(gs, ev->group_id);
        if (s.group == NULL && !makes_group(ev)) {
            error = no_group_error(ev);
        } else if (s.group == NULL &&
            gs->by_id.count >= gs->env.config.groups_max) {
            error = KERR_POLICY_VIOLATION;
        }
    }
    if (error != KERR_NONE) {
        refuse(&s, ev, error, message);
        return;
    }
    if (s.group == NULL) {
        s.group = groups_make(gs, ev->group_id, now);
    }
    fx->group = s.group;
    dispatch(&s, ev);
    if (s.group->consumer != NULL) {
        consumer_flush(&s);
    }
    groups_settle(gs, s.group, now);
}

int64_t
groups_deadline(const struct groups *gs)
{
    return gs->by_id.count == 0 ? NEVER : gs->heap[0]->deadline;
}

bool
groups_tick(struct groups *gs, int64_t now, struct group_effects *fx)
{
    assert(fx->count == 0);
    groups_reap(gs);
    while (groups_deadline(gs) <= now) {
        struct step s = {.group = gs->heap[0], .now = now, .fx = fx};

        if (s.group->consumer != NULL ? consumer_tick(&s) : group_tick(&s)) {
            fx->group = s.group;
            if (s.group->consumer != NULL) {
                consumer_flush(&s);
            }
            groups_settle(gs, s.group, now);
            return true;
        }
        heap_fix(gs, s.group);
    }
    return false;
}

void
groups_pin(struct groups *gs, struct span id, int64_t now)
{
    struct group *g = groups_get(gs, id);

    if (g == NULL) {
        g = groups_make(gs, id, now);
    }
    g->pins++;
}

void
groups_unpin(struct groups *gs, struct span id, int64_t now)
{
    struct group *g = groups_get(gs, id);

    assert(g != NULL && g->pins > 0);
    g->pins--;
    groups_settle(gs, g, now);
}

/* ---- reads ---- */

struct group *
groups_get(const struct groups *gs, struct span id)
{
    return table_get(&gs->by_id, id);
}

size_t
groups_count(const struct groups *gs)
{
    return gs->by_id.count;
}

struct group *
groups_next(const struct groups *gs, size_t *iter)
{
    return table_next(&gs->by_id, iter);
}

void
groups_mark(struct groups *gs, struct group *g, uint64_t epoch)
{
    assert(epoch >= g->epoch);
    g->epoch = epoch;
    if (g->state == GROUP_DEAD && epoch > gs->delete_epoch) {
        gs->delete_epoch = epoch;
    }
}

uint64_t
groups_gate(const struct groups *gs, const struct group *g)
{
    return g != NULL && g->epoch > gs->delete_epoch ? g->epoch
                                                    : gs->delete_epoch;
}

/* ---- boot ---- */

struct group *
groups_restored(struct groups *gs, struct span id, int64_t now)
{
    struct group *g = groups_get(gs, id);

    return g != NULL ? g : groups_make(gs, id, now);
}

void
groups_moved(struct groups *gs, struct group *g)
{
    heap_fix(gs, g);
}

int
groups_restore(struct groups *gs, const struct group_image *image,
    int64_t now, struct err *err)
{
    struct group *old = groups_get(gs, image->group_id);
    struct group *g;
    struct table topics;

    if (old != NULL && (old->generation != 0 || old->member_count > 0 ||
            old->consumer != NULL)) {
        return err_set(err, ERR_DAMAGE, "group %.*s: it is there twice",
            (int)image->group_id.len, (const char *)image->group_id.ptr);
    }
    g = group_from_image(&gs->env, image, now, err);
    if (g == NULL) {
        return -1;
    }
    if (old != NULL) {           /* its offsets came first */
        topics = old->topics;
        old->topics = g->topics;
        g->topics = topics;
        g->offset_count = old->offset_count;
        old->offset_count = 0;
        groups_remove(gs, old);
        groups_reap(gs);
    }
    groups_add(gs, g);
    return 0;
}

int
groups_restore_offset(struct groups *gs, struct span group_id,
    struct span topic, const struct uuid *topic_id,
    const struct group_offset *offset, int64_t now, struct err *err)
{
    struct group *g = groups_get(gs, group_id);

    if (group_id.ptr == NULL || offset->partition < 0) {
        return err_set(err, ERR_DAMAGE, "an offset has no group or partition");
    }
    if (g == NULL) {
        g = groups_make(gs, group_id, now);
    }
    g->persisted = true;
    if (!group_offset_put(g, topic, topic_id, offset)) {
        return err_set(err, ERR_LIMIT, "committed offsets take more than %llu "
            "bytes", (unsigned long long)gs->env.config.offset_bytes_max);
    }
    return 0;
}

void
groups_forget_topic(struct groups *gs, const struct uuid *topic_id)
{
    struct group *g;

    for (size_t i = 0; (g = table_next(&gs->by_id, &i)) != NULL;) {
        group_forget_topic(g, topic_id);
    }
}

void
groups_check(const struct groups *gs)
{
    size_t count = gs->by_id.count;

    for (size_t i = 0; i < count; i++) {
        const struct group *g = gs->heap[i];

        assert(g->heap_slot == i && table_get(&gs->by_id, g->id) == g);
        assert(i == 0 || gs->heap[(i - 1) / 2]->deadline <= g->deadline);
        assert(g->env == &gs->env && g->state != GROUP_DEAD);
        group_check(g);
    }
}
