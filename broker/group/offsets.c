/*
 * Committed offsets: by topic a list ordered by partition. A topic that was
 * deleted and made again has another id, and offsets of the old one never
 * answer for the new one: the first commit under the new id drops them.
 *
 * Offsets of open transactions are not here. TxnOffsetCommit is validated
 * here (`transactional`) and kept by the room of transactions, which pins the
 * group meanwhile and sends the items again, `applied`, at the commit.
 */
#include "config.h"

#include <stdlib.h>

#include "group/consumer_priv.h"

#include "base/alloc.h"

/* ---- the store ---- */

static uint64_t
offset_bytes(const struct group_offset *o)
{
    return sizeof *o + o->metadata.len;
}

static struct topic_offsets *
topic_new(struct group *g, struct span name, const struct uuid *id)
{
    struct topic_offsets *t = xcalloc(1, sizeof *t + name.len);

    if (name.len > 0) {
        memcpy(t + 1, name.ptr, name.len);
    }
    t->name = span_of(t + 1, name.len);
    t->id = *id;
    table_put(&g->topics, t->name, t);
    g->env->offset_bytes += sizeof *t + name.len;
    return t;
}

static void
topic_clear(struct group *g, struct topic_offsets *t)
{
    for (size_t i = 0; i < t->count; i++) {
        g->env->offset_bytes -= offset_bytes(&t->list[i]);
        span_disown(&t->list[i].metadata);
    }
    g->offset_count -= t->count;
    t->count = 0;
}

static void
topic_free(struct group *g, struct topic_offsets *t)
{
    topic_clear(g, t);
    g->env->offset_bytes -= sizeof *t + t->name.len;
    free(t->list);
    free(t);
}

void
group_offsets_release(struct group *g)
{
    struct topic_offsets *t;

    for (size_t i = 0; (t = table_next(&g->topics, &i)) != NULL;) {
        topic_free(g, t);
    }
    table_release(&g->topics);
}

/* The place of the partition, or where it would go. */
static size_t
slot_of(const struct topic_offsets *t, int32_t partition)
{
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (t->list[mid].partition < partition) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static bool
slot_is(const struct topic_offsets *t, size_t i, int32_t partition)
{
    return i < t->count && t->list[i].partition == partition;
}

static void
slot_open(struct topic_offsets *t, size_t i)
{
    if (t->count == t->capacity) {
        t->capacity = t->capacity == 0 ? 4 : t->capacity * 2;
        t->list = xrealloc(t->list, t->capacity * sizeof *t->list);
    }
    memmove(&t->list[i + 1], &t->list[i], (t->count - i) * sizeof *t->list);
    t->list[i] = (struct group_offset){0};
    t->count++;
}

static void
slot_close(struct group *g, struct topic_offsets *t, size_t i)
{
    g->env->offset_bytes -= offset_bytes(&t->list[i]);
    span_disown(&t->list[i].metadata);
    t->count--;
    g->offset_count--;
    memmove(&t->list[i], &t->list[i + 1], (t->count - i) * sizeof *t->list);
}

/* false: the memory for offsets is used up. */
bool
group_offset_put(struct group *g, struct span topic,
    const struct uuid *topic_id, const struct group_offset *offset)
{
    uint64_t more = sizeof(struct topic_offsets) + topic.len +
        offset_bytes(offset);
    struct topic_offsets *t;
    size_t i;

    if (g->env->offset_bytes + more > g->env->config.offset_bytes_max) {
        return false;
    }
    t = table_get(&g->topics, topic);
    if (t == NULL) {
        t = topic_new(g, topic, topic_id);
    }
    if (!uuid_eq(&t->id, topic_id)) {
        topic_clear(g, t);
        t->id = *topic_id;
    }
    i = slot_of(t, offset->partition);
    if (slot_is(t, i, offset->partition)) {
        g->env->offset_bytes -= offset_bytes(&t->list[i]);
        span_disown(&t->list[i].metadata);
    } else {
        slot_open(t, i);
        g->offset_count++;
    }
    t->list[i] = *offset;
    t->list[i].metadata = span_own(offset->metadata.ptr == NULL
        ? span_str("") : offset->metadata);
    g->env->offset_bytes += offset_bytes(&t->list[i]);
    return true;
}

const struct group_offset *
group_offset(const struct group *g, struct span topic,
    const struct uuid *topic_id, int32_t partition)
{
    const struct topic_offsets *t = table_get(&g->topics, topic);
    size_t i;

    if (t == NULL || (topic_id != NULL && !uuid_eq(topic_id, &t->id))) {
        return NULL;
    }
    i = slot_of(t, partition);
    return slot_is(t, i, partition) ? &t->list[i] : NULL;
}

const struct group_offset *
group_offsets_next(const struct group *g, struct group_offsets_iter *iter)
{
    const struct topic_offsets *t = iter->at;

    while (t == NULL || iter->slot == t->count) {
        t = table_next(&g->topics, &iter->topic);
        iter->at = t;
        iter->slot = 0;
        if (t == NULL) {
            return NULL;
        }
    }
    iter->topic_name = t->name;
    iter->topic_id = t->id;
    return &t->list[iter->slot++];
}

void
group_offsets_check(const struct group *g)
{
    struct topic_offsets *t;
    size_t count = 0;

    for (size_t i = 0; (t = table_next(&g->topics, &i)) != NULL;) {
        assert(t->count > 0);
        for (size_t k = 1; k < t->count; k++) {
            assert(t->list[k - 1].partition < t->list[k].partition);
        }
        count += t->count;
    }
    assert(count == g->offset_count);
}

/* ---- OffsetCommit ---- */

/* A client without generation is a simple consumer or an administrator, and
 * may commit while nobody else is in the group. Transactions may come from
 * clients too old to name a member (KIP-447). */
static enum kerr
commit_validate(const struct group *g, const struct group_commit *c)
{
    enum kerr error;

    if (c->applied || (c->generation < 0 && g->state == GROUP_EMPTY)) {
        return KERR_NONE;
    }
    if (c->generation >= 0 || c->member_id.len > 0 ||
        c->instance_id.ptr != NULL) {
        error = group_validate(g, c->member_id, c->instance_id);
        if (error != KERR_NONE) {
            return error;
        }
        if (c->generation != g->generation) {
            return KERR_ILLEGAL_GENERATION;
        }
    } else if (!c->transactional && g->state != GROUP_EMPTY) {
        return KERR_UNKNOWN_MEMBER_ID;
    }
    /* It knows the generation, so it has its join's answer: it must sync. */
    return !c->transactional && g->state == GROUP_COMPLETING
        ? KERR_REBALANCE_IN_PROGRESS : KERR_NONE;
}

/* The same for a member of a consumer group: it names its epoch, in a version
 * that has one (v9, as GROUP_ID_NOT_FOUND). */
static enum kerr
commit_validate_consumer(const struct group *g, const struct group_commit *c)
{
    const struct consumer_member *m;

    if (c->applied || (c->generation < 0 && g->consumer->member_count == 0) ||
        (c->transactional && c->generation == -1 && c->member_id.len == 0 &&
            c->instance_id.ptr == NULL)) {
        return KERR_NONE;
    }
    m = consumer_find(g, c->member_id);
    if (m == NULL) {
        return KERR_UNKNOWN_MEMBER_ID;
    }
    if (!c->transactional && !m->classic && !c->group_id_errors) {
        return KERR_UNSUPPORTED_VERSION;
    }
    return c->generation == m->epoch ? KERR_NONE
        : m->classic || c->transactional ? KERR_ILLEGAL_GENERATION
                                         : KERR_STALE_MEMBER_EPOCH;
}

enum kerr
group_fetch_refusal(const struct group *g, struct span member_id,
    int32_t epoch)
{
    const struct consumer_member *m;

    if (g->consumer == NULL || (member_id.ptr == NULL && epoch < 0)) {
        return KERR_NONE;
    }
    m = consumer_find(g, member_id);
    return m == NULL       ? KERR_UNKNOWN_MEMBER_ID
        : m->epoch == epoch ? KERR_NONE
        : m->classic        ? KERR_ILLEGAL_GENERATION
                            : KERR_STALE_MEMBER_EPOCH;
}

static void
drop_other_id(const struct step *s, const struct group_commit_item *item)
{
    const struct topic_offsets *t = table_get(&s->group->topics, item->topic);

    if (t == NULL || uuid_eq(&t->id, &item->topic_id)) {
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        struct group_fx *e = fx_add(s->fx, GROUP_FX_DELETE_OFFSET);

        e->change.topic = item->topic;
        e->change.topic_id = t->id;
        e->change.offset.partition = t->list[i].partition;
    }
}

static enum kerr
commit_one(const struct step *s, const struct group_commit *c,
    const struct group_commit_item *item)
{
    struct group *g = s->group;
    struct group_offset o = {
        .partition = item->partition,
        .leader_epoch = item->leader_epoch,
        .offset = item->offset,
        .commit_ms = s->now,
        .expire_ms = c->retention_ms < 0 ||
                c->retention_ms > INT64_MAX - s->now
            ? -1 : s->now + c->retention_ms,
        .metadata = item->metadata.ptr == NULL ? span_str("")
                                               : item->metadata,
    };
    struct group_fx *e;

    if (item->error != KERR_NONE) {
        return item->error;
    }
    if (item->metadata.len > g->env->config.offset_metadata_max) {
        return KERR_OFFSET_METADATA_TOO_LARGE;
    }
    if (c->transactional) {
        return KERR_NONE;
    }
    drop_other_id(s, item);
    if (!group_offset_put(g, item->topic, &item->topic_id, &o)) {
        return KERR_POLICY_VIOLATION;
    }
    g->persisted = true;
    e = fx_add(s->fx, GROUP_FX_PUT_OFFSET);
    e->change.topic = item->topic;
    e->change.topic_id = item->topic_id;
    e->change.offset = o;
    return KERR_NONE;
}

void
group_commit(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;
    const struct group_commit *c = &ev->commit;
    struct member *m = group_member(g, c->member_id);
    enum kerr error = c->count > GROUP_COMMIT_MAX
        ? KERR_POLICY_VIOLATION
        : g->consumer != NULL ? commit_validate_consumer(g, c)
                              : commit_validate(g, c);
    struct group_fx *e =
        fx_reply(s->fx, GROUP_FX_COMMITTED, ev->token, error);
    enum kerr *errors;

    if (error != KERR_NONE) {
        return;
    }
    /* a commit is a sign of life */
    if (m != NULL && !c->transactional && !c->applied &&
        (g->state == GROUP_STABLE || g->state == GROUP_PREPARING)) {
        group_session(g, m, s->now + m->session_timeout_ms);
    }
    errors = fx_each(s->fx, e, c->count, KERR_NONE);
    for (size_t i = 0; i < c->count; i++) {
        errors[i] = commit_one(s, c, &c->items[i]);
    }
}

/* ---- OffsetDelete, retention, deleted topics ---- */

static void
topic_drop_if_empty(struct group *g, struct topic_offsets *t)
{
    if (t->count == 0) {
        table_del(&g->topics, t->name);
        topic_free(g, t);
    }
}

static void
delete_one(const struct step *s, const struct group_offset_key *key)
{
    struct group *g = s->group;
    struct topic_offsets *t = table_get(&g->topics, key->topic);
    struct group_fx *e;
    size_t i;

    if (t == NULL) {
        return;
    }
    i = slot_of(t, key->partition);
    if (!slot_is(t, i, key->partition)) {
        return;
    }
    e = fx_add(s->fx, GROUP_FX_DELETE_OFFSET);
    e->change.topic = key->topic;
    e->change.topic_id = t->id;
    e->change.offset.partition = key->partition;
    slot_close(g, t, i);
    topic_drop_if_empty(g, t);
}

void
group_offset_delete(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;
    const struct group_offset_delete *d = &ev->offset_delete;
    struct subscription sub;
    enum kerr error = KERR_NONE, *errors;
    struct group_fx *e;

    if (d->count > GROUP_COMMIT_MAX) {
        error = KERR_POLICY_VIOLATION;
    } else if (g->state != GROUP_EMPTY && g->consumer == NULL &&
        !group_uses_consumer_protocol(g)) {
        error = KERR_NON_EMPTY_GROUP;    /* who knows what it reads */
    }
    e = fx_reply(s->fx, GROUP_FX_OFFSETS_DELETED, ev->token, error);
    if (error != KERR_NONE) {
        return;
    }
    errors = fx_each(s->fx, e, d->count, KERR_NONE);
    subscription_init(&sub, g);
    for (size_t i = 0; i < d->count; i++) {
        errors[i] = d->keys[i].error;
        if (errors[i] == KERR_NONE &&
            subscription_has(&sub, d->keys[i].topic)) {
            errors[i] = KERR_GROUP_SUBSCRIBED_TO_TOPIC;
        }
        if (errors[i] == KERR_NONE) {
            delete_one(s, &d->keys[i]);
        }
    }
    subscription_release(&sub);
}

/* Where the retention of an offset begins: for a group that had members, when
 * the last one left; else with its commit. */
static bool
offset_expired(const struct step *s, const struct group_offset *o)
{
    const struct group *g = s->group;
    bool had_members = g->protocol_type.ptr != NULL &&
        g->state == GROUP_EMPTY && g->consumer == NULL;
    int64_t from = had_members ? g->state_since_ms : o->commit_ms;

    if (o->expire_ms >= 0) {
        return s->now >= o->expire_ms;
    }
    return s->now - from >= g->env->config.offset_retention_ms;
}

static void
expire_topic(const struct step *s, struct topic_offsets *t)
{
    struct span name = SPAN_NULL;

    for (size_t i = t->count; i-- > 0;) {
        struct group_fx *e;

        if (!offset_expired(s, &t->list[i])) {
            continue;
        }
        if (s->fx->count >= GROUP_COMMIT_MAX) {
            return;              /* the rest at the next sweep */
        }
        if (name.ptr == NULL) {
            name = fx_copy(s->fx, t->name);
        }
        e = fx_add(s->fx, GROUP_FX_DELETE_OFFSET);
        e->change.topic = name;
        e->change.topic_id = t->id;
        e->change.offset.partition = t->list[i].partition;
        slot_close(s->group, t, i);
    }
}

static void
drop_topics(struct group *g, struct topic_offsets *empty)
{
    while (empty != NULL) {
        struct topic_offsets *t = empty;

        empty = t->next_empty;
        topic_drop_if_empty(g, t);
    }
}

/* An empty group that has nothing left goes, too. While members are in, only
 * a stable consumer group tells us what it no longer reads. */
void
group_expire(const struct step *s)
{
    struct group *g = s->group;
    struct topic_offsets *t, *empty = NULL;
    struct subscription sub;

    if (g->pins > 0 || (g->state != GROUP_EMPTY && g->consumer == NULL &&
            (g->state != GROUP_STABLE || !group_uses_consumer_protocol(g)))) {
        return;
    }
    subscription_init(&sub, g);
    for (size_t i = 0; (t = table_next(&g->topics, &i)) != NULL;) {
        if (subscription_has(&sub, t->name)) {
            continue;
        }
        expire_topic(s, t);
        if (t->count == 0) {
            t->next_empty = empty;
            empty = t;
        }
    }
    subscription_release(&sub);
    drop_topics(g, empty);
    if (g->state == GROUP_EMPTY && g->offset_count == 0 &&
        g->pending_by_id.count == 0) {
        if (g->persisted) {
            fx_add(s->fx, GROUP_FX_DELETE);
        }
        group_move(g, GROUP_DEAD, s->now);
    }
}

void
group_forget_topic(struct group *g, const struct uuid *topic_id)
{
    struct topic_offsets *t, *empty = NULL;

    for (size_t i = 0; (t = table_next(&g->topics, &i)) != NULL;) {
        if (uuid_eq(&t->id, topic_id)) {
            topic_clear(g, t);
            t->next_empty = empty;
            empty = t;
        }
    }
    drop_topics(g, empty);
}
