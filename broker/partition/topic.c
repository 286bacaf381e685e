/*
 * topic.c: topics and their partitions.
 *
 * Invariants
 *  1. A topic is in by_name and in by_id, or it was deleted.
 *  2. An id is never used again: a deleted and recreated topic has another,
 *     other folders and other records.
 *  3. partitions[i]->tail is the sequencer's tail for (id, i), its owner is
 *     the partition.
 */
#include "config.h"

#include "partition/topic.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/endian.h"
#include "base/limits.h"
#include "partition/append.h"
#include "partition/cleaner.h"
#include "partition/records.h"
#include "proto/store.pb-c.h"
#include "record/control.h"

enum {
    RECORD_MAX = 1 << 20,        /* bytes of a topic's record */
    RETAIN_MAX = 200,            /* logs that one look shortens */
    PRODUCER_IDLE_MS = 24 * 3600 * 1000, /* producer.id.expiration.ms */
};

/* ---- effects ---- */

/* An effect with one operation, its bytes behind it. */
struct act {
    struct effect effect;
    struct effect_op op[1];
    uint8_t key[64];
    uint8_t *value;
};

static void
act_release(struct effect *f)
{
    struct act *a = container_of(f, struct act, effect);

    effect_unref_tails(f);
    free(a->value);
    free(a);
}

static const struct effect_ops act_ops = {.release = act_release};

static struct act *
act_new(enum effect_op_kind kind)
{
    struct act *a = xcalloc(1, sizeof *a);

    a->effect.magic = EFFECT_MAGIC;
    a->effect.ops = &act_ops;
    a->effect.op = a->op;
    a->effect.n_ops = 1;
    a->op[0].kind = kind;
    return a;
}

static void
act_link(struct topics *t, struct act *a)
{
    a->effect.reserved = effect_cost(&a->effect);
    seq_reserve_system(t->seq, a->effect.reserved);
    seq_link(t->seq, &a->effect);
}

/* ---- records ---- */

static void
topic_key(uint8_t key[17], const struct uuid *id)
{
    key[0] = META_TOPIC;
    memcpy(key + 1, id->bytes, 16);
}

/* Links the record of a topic as it is now. */
static void
topic_put(struct topics *t, const struct topic *topic)
{
    struct act *a = act_new(EFFECT_PUT);
    size_t n = topic->config.count;
    Store__Topic m = STORE__TOPIC__INIT;
    Store__Config *configs = xcalloc(n + 1, sizeof *configs);
    Store__Config **list = xcalloc(n + 1, sizeof *list);
    size_t size;

    t->changes++;
    m.name = topic->name;
    m.partitions = (uint32_t)topic->partition_count;
    m.internal = topic->internal;
    m.purge = topic->purge;
    m.leader_epoch = topic->leader_epoch;
    m.created_ms = topic->created_ms;
    m.configs = list;
    for (; m.n_configs < n; m.n_configs++) {
        union {
            const char *from;
            char *to;
        } name = {.from = topic->config.set[m.n_configs].def->name};

        store__config__init(&configs[m.n_configs]);
        configs[m.n_configs].name = name.to;
        configs[m.n_configs].value = topic->config.set[m.n_configs].value;
        list[m.n_configs] = &configs[m.n_configs];
    }
    size = store__topic__get_packed_size(&m);
    assert(size <= RECORD_MAX);
    a->value = xmalloc(size);
    store__topic__pack(&m, a->value);
    free(configs);
    free(list);
    topic_key(a->key, &topic->id);
    a->op[0].key = span_of(a->key, 17);
    a->op[0].value = span_of(a->value, size);
    act_link(t, a);
}

/* ---- partitions ---- */

static void
partition_linked(struct tail *tail)
{
    struct partition *p = tail->owner;

    if (p != NULL && p->topic->on_link != NULL)
        p->topic->on_link(p->topic, p->index);
}

/* What tasks that read published records only go by. */
static void
partition_publish_stable(struct partition *p)
{
    p->tail->stable_published = stable_published(p->stable,
        seq_published(p->seq), INT64_MAX);
}

static void
partition_published(struct tail *tail)
{
    struct partition *p = tail->owner;
    struct waiter *w, *next;

    if (p == NULL)
        return;
    partition_publish_stable(p);
    for (w = TAILQ_FIRST(&p->waiters); w != NULL; w = next) {
        next = TAILQ_NEXT(w, next);
        w->fn(w);
    }
}

static struct plog_config
topic_plog_config(const struct topic *topic)
{
    int64_t segment_ms = topic_config_int(&topic->config, "segment.ms");
    int64_t lag_ms = topic_config_int(&topic->config,
        "max.compaction.lag.ms");

    /* What must be compacted by then must be in a sealed segment. */
    if (topic_is_compacted(topic) && lag_ms < segment_ms)
        segment_ms = lag_ms;
    return (struct plog_config){
        .segment_bytes = (uint32_t)topic_config_int(&topic->config,
            "segment.bytes"),
        .segment_ms = segment_ms,
        .index_interval = (uint32_t)topic_config_int(&topic->config,
            "index.interval.bytes")};
}

void
topic_rule(struct topic *topic)
{
    const struct topic_config *c = &topic->config;

    topic->rules = (struct topic_rules){
        .batch_max = topic_config_int(c, "max.message.bytes"),
        .before_max_ms
            = topic_config_int(c, "message.timestamp.before.max.ms"),
        .after_max_ms
            = topic_config_int(c, "message.timestamp.after.max.ms"),
        .append_time = topic_config_get(c, "message.timestamp.type",
            NULL)[0] == 'L',
        .compacted = topic_is_compacted(topic)};
}

static struct partition *
partition_new(struct topics *t, struct topic *topic, int32_t index,
    struct err *err)
{
    struct plog_config pc = topic_plog_config(topic);
    struct partition *p;
    struct tail *tail = seq_tail(t->seq, &topic->id, index,
        topic->leader_epoch, &pc, err);

    if (tail == NULL)
        return NULL;
    p = xcalloc(1, sizeof *p);
    p->magic = PARTITION_MAGIC;
    p->topic = topic;
    p->seq = t->seq;
    p->index = index;
    p->tail = tail;
    tail->owner = p;
    tail->on_link = partition_linked;
    tail->on_publish = partition_published;
    producers_init(&p->producers);
    p->producers.used = &t->used;
    p->stable = stable_new();
    tail->txns = p->stable;
    tail->txns_free = stable_free;
    TAILQ_INIT(&p->waiters);
    return p;
}

static int
topic_add_partitions(struct topics *t, struct topic *topic, int32_t count,
    struct err *err)
{
    topic->partitions = xrealloc(topic->partitions,
        (size_t)count * sizeof(struct partition *));
    while (topic->partition_count < count) {
        struct partition *p = partition_new(t, topic, topic->partition_count,
            err);

        if (p == NULL)
            return -1;
        topic->partitions[topic->partition_count++] = p;
        t->partitions++;
    }
    return 0;
}

static struct topic *
topic_make(struct topics *t, const struct uuid *id, struct span name)
{
    struct topic *topic = xcalloc(1, sizeof *topic);

    topic->magic = TOPIC_MAGIC;
    topic->config.below = &t->defaults.node;
    topic->id = *id;
    topic->name = xmalloc(name.len + 1);
    memcpy(topic->name, name.ptr, name.len);
    topic->name[name.len] = '\0';
    *omap_slot(&t->by_name, name) = topic;
    table_put(&t->by_id, span_of(topic->id.bytes, 16), topic);
    return topic;
}

static void
topic_free(struct topic *topic)
{
    for (int32_t i = 0; i < topic->partition_count; i++) {
        struct partition *p = topic->partitions[i];

        assert(TAILQ_EMPTY(&p->waiters));
        producers_release(&p->producers);
        if (p->tail->owner == p)
            p->tail->owner = NULL;
        tail_unref(p->tail);
        p->magic = 0;
        free(p);
    }
    free(topic->partitions);
    topic_config_release(&topic->config);
    free(topic->name);
    topic->magic = 0;
    free(topic);
}

/* ---- start ---- */

static int
load_topic(void *arg, struct span key, struct span value, struct err *err)
{
    struct topics *t = arg;
    Store__Topic *m = store__topic__unpack(NULL, value.len, value.ptr);
    struct topic *topic;
    struct uuid id;
    int rc;

    if (m == NULL || key.len != 16 || !topic_name_valid(span_str(m->name))) {
        store__topic__free_unpacked(m, NULL);
        return err_set(err, ERR_DAMAGE, "the record of a topic is no message");
    }
    memcpy(id.bytes, key.ptr, 16);
    topic = topic_make(t, &id, span_str(m->name));
    topic->internal = m->internal;
    topic->purge = m->purge;
    topic->leader_epoch = m->leader_epoch;
    topic->created_ms = m->created_ms;
    for (size_t i = 0; i < m->n_configs; i++) {
        const struct config_def *d
            = config_def_find(span_str(m->configs[i]->name));

        if (d != NULL)
            topic_config_set(&topic->config, d,
                span_str(m->configs[i]->value));
    }
    topic_rule(topic);
    rc = topic_add_partitions(t, topic, (int32_t)m->partitions, err);
    store__topic__free_unpacked(m, NULL);
    return rc;
}

int
topics_load(struct topics *t, struct seq *seq, struct err *err)
{
    memset(t, 0, sizeof *t);
    t->seq = seq;
    t->producers_max = PRODUCERS_MAX;
    t->producer_idle_ms = PRODUCER_IDLE_MS;
    TAILQ_INIT(&t->used);
    t->defaults.partitions = 1;
    t->defaults.node.below = &t->defaults.cluster;
    omap_init(&t->by_name);
    table_init(&t->by_id);
    if (seq_records(seq, META_TOPIC, load_topic, t, err) != 0)
        return -1;
    return partition_records_load(t, err);
}

void
topics_replayed(void *arg, struct tail *tail, struct span bytes)
{
    struct topics *t = arg;
    struct partition *p = tail->owner;
    struct partition_moved moved;
    struct batch b;

    if (p == NULL || batch_parse(bytes, &b) != BATCH_OK
        || b.producer_id < 0)
        return;
    /* What is replayed is published: its epoch is of no further interest. */
    partition_follow(t, p, &b, 1, 1, &moved);
    if (!p->replayed)
        p->replayed_from = b.base_offset;
    p->replayed = true;
}

/* The keeper does not know what followed from replayed batches. */
static void
partition_restarted(struct topics *t, struct partition *p)
{
    struct stable_aborted *list;
    struct producer *one;
    size_t n = stable_aborted(p->stable, p->replayed_from, INT64_MAX, NULL,
        0);

    for (size_t k = 0; (one = table_next(&p->producers.by_id, &k)) != NULL;)
        partition_put_producer(t, p, one);
    list = xcalloc(n + 1, sizeof *list);
    stable_aborted(p->stable, p->replayed_from, INT64_MAX, list, n);
    for (size_t i = 0; i < n; i++)
        partition_put_aborted(t, p, &list[i]);
    free(list);
}

static void
topic_restarted(struct topics *t, struct topic *topic)
{
    for (int32_t i = 0; i < topic->partition_count; i++) {
        struct partition *p = topic->partitions[i];

        partition_publish_stable(p);
        if (!p->replayed)
            continue;
        p->replayed = false;
        partition_restarted(t, p);
    }
    if (seq_history_lost(t->seq)) {
        topic->leader_epoch++;
        for (int32_t i = 0; i < topic->partition_count; i++)
            topic->partitions[i]->tail->leader_epoch = topic->leader_epoch;
        topic_put(t, topic);
    }
}

void
topics_started(struct topics *t)
{
    struct omap_iter it;
    struct topic *topic;

    omap_seek(&t->by_name, SPAN_NULL, &it);
    while ((topic = topics_next(&it)) != NULL)
        topic_restarted(t, topic);
    if (seq_history_lost(t->seq))
        diag(WARN, LOG, "the machine was restarted and durability is not "
            "power: acknowledged records may be gone; leader epochs are "
            "raised so that consumers notice");
}

static void
topic_free_value(void *value, void *arg)
{
    (void)arg;
    topic_free(value);
}

void
topics_release(struct topics *t)
{
    omap_release(&t->by_name, topic_free_value, NULL);
    table_release(&t->by_id);
    topic_config_release(&t->defaults.node);
    topic_config_release(&t->defaults.cluster);
}

/* ---- looking ---- */

struct topic *
topics_find(const struct topics *t, struct span name)
{
    return name.len == 0 ? NULL : omap_get(&t->by_name, name);
}

struct topic *
topics_by_id(const struct topics *t, const struct uuid *id)
{
    return table_get(&t->by_id, span_of(id->bytes, 16));
}

struct topic *
topics_next(struct omap_iter *it)
{
    struct span key;
    void *value;

    return omap_next(it, &key, &value) ? value : NULL;
}

struct partition *
topic_partition(const struct topic *topic, int32_t index)
{
    return index >= 0 && index < topic->partition_count
        ? topic->partitions[index] : NULL;
}

bool
topic_name_valid(struct span name)
{
    if (name.len == 0 || name.len > TOPIC_NAME_MAX)
        return false;
    if (span_eq(name, span_str(".")) || span_eq(name, span_str("..")))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                || (c >= '0' && c <= '9') || c == '.' || c == '_'
                || c == '-'))
            return false;
    }
    return true;
}

/* ---- acts ---- */

/* Kafka's names for metrics make . and _ the same: it refuses a topic that
 * differs from another one in these only. */
static struct topic *
topics_colliding(const struct topics *t, struct span name)
{
    struct omap_iter it;
    struct topic *topic;

    if (memchr(name.ptr, '.', name.len) == NULL
        && memchr(name.ptr, '_', name.len) == NULL)
        return NULL;
    omap_seek(&t->by_name, SPAN_NULL, &it);
    while ((topic = topics_next(&it)) != NULL) {
        size_t i = 0;

        if (strlen(topic->name) != name.len)
            continue;
        while (i < name.len && ((char)name.ptr[i] == topic->name[i]
                || ((name.ptr[i] == '.' || name.ptr[i] == '_')
                    && (topic->name[i] == '.' || topic->name[i] == '_'))))
            i++;
        if (i == name.len)
            return topic;
    }
    return NULL;
}

static enum kerr
topics_may_create(const struct topics *t, const struct topic_new *n,
    struct err *err)
{
    struct topic *other;

    if (!topic_name_valid(n->name)) {
        err_set(err, ERR_USAGE, "Topic name is invalid: 1 to %d of a-z A-Z "
            "0-9 . _ -, and not . or ..", TOPIC_NAME_MAX);
        return KERR_INVALID_TOPIC_EXCEPTION;
    }
    if (topics_find(t, n->name) != NULL) {
        err_set(err, ERR_USAGE, "Topic '%.*s' already exists.",
            (int)n->name.len, (const char *)n->name.ptr);
        return KERR_TOPIC_ALREADY_EXISTS;
    }
    other = topics_colliding(t, n->name);
    if (other != NULL) {
        err_set(err, ERR_USAGE, "Topic '%.*s' differs from '%s' in . "
            "and _ only", (int)n->name.len, (const char *)n->name.ptr, other->name);
        return KERR_INVALID_TOPIC_EXCEPTION;
    }
    if (n->partitions <= 0) {
        err_set(err, ERR_USAGE, "A topic has at least one partition.");
        return KERR_INVALID_PARTITIONS;
    }
    if (n->partitions > PARTITIONS_TOPIC_MAX
        || t->partitions + (size_t)n->partitions > PARTITIONS_MAX) {
        err_set(err, ERR_LIMIT, "Too many partitions: at most %d in a topic "
            "and %d in all", PARTITIONS_TOPIC_MAX, PARTITIONS_MAX);
        return KERR_POLICY_VIOLATION;
    }
    return KERR_NONE;
}

/* Takes a topic out of the registry and lets go of it. */
static void
topic_forget(struct topics *t, struct topic *topic)
{
    omap_del(&t->by_name, span_str(topic->name));
    table_del(&t->by_id, span_of(topic->id.bytes, 16));
    for (int32_t i = 0; i < topic->partition_count; i++) {
        struct partition *p = topic->partitions[i];
        struct waiter *w;

        seq_tail_drop(t->seq, p->tail);
        t->partitions--;
        t->producers -= p->producers.by_id.count;
        t->aborted -= stable_aborted_count(p->stable);
        /* They look again, find the topic gone, and answer so. */
        while ((w = TAILQ_FIRST(&p->waiters)) != NULL) {
            TAILQ_REMOVE(&p->waiters, w, next);
            w->partition = NULL;
            w->fn(w);
        }
    }
    topic_free(topic);
}

enum kerr
topics_create(struct topics *t, const struct topic_new *n, bool dry,
    struct topic **out, struct err *err)
{
    enum kerr k = topics_may_create(t, n, err);
    struct topic *topic;
    struct uuid id = n->id;

    if (out != NULL)
        *out = NULL;
    if (k != KERR_NONE || dry)
        return k;
    if (uuid_is_zero(&id))
        id = uuid_random(seq_world(t->seq));
    topic = topic_make(t, &id, n->name);
    topic->internal = n->internal;
    topic->purge = n->purge;
    topic->created_ms = world_wall_ms(seq_world(t->seq));
    for (size_t i = 0; i < n->setting_count; i++)
        topic_config_set(&topic->config, n->settings[i].def,
            span_str(n->settings[i].value));
    topic_rule(topic);
    if (topic_add_partitions(t, topic, n->partitions, err) < 0) {
        diag(ERROR, LOG, "%s: topic %s was not made", err->text,
            topic->name);
        topic_forget(t, topic);
        return KERR_KAFKA_STORAGE_ERROR;
    }
    topic_put(t, topic);
    if (out != NULL)
        *out = topic;
    return KERR_NONE;
}

enum kerr
topics_grow(struct topics *t, struct topic *topic, int32_t count, bool dry,
    struct err *err)
{
    check_obj(topic, TOPIC_MAGIC);
    if (count <= topic->partition_count) {
        err_set(err, ERR_USAGE, "Topic %s has %d partitions already: to %d "
            "it can not grow.", topic->name,
            topic->partition_count, count);
        return KERR_INVALID_PARTITIONS;
    }
    if (count > PARTITIONS_TOPIC_MAX
        || t->partitions + (size_t)(count - topic->partition_count)
            > PARTITIONS_MAX) {
        err_set(err, ERR_LIMIT, "Too many partitions: at most %d in a topic "
            "and %d in all", PARTITIONS_TOPIC_MAX, PARTITIONS_MAX);
        return KERR_INVALID_PARTITIONS;
    }
    if (dry)
        return KERR_NONE;
    if (topic_add_partitions(t, topic, count, err) < 0)
        return KERR_KAFKA_STORAGE_ERROR;
    topic_put(t, topic);
    return KERR_NONE;
}

static void
topic_configure(struct topics *t, struct topic *topic)
{
    for (int32_t i = 0; i < topic->partition_count; i++) {
        struct act *a = act_new(EFFECT_CONFIGURE);

        a->op[0].quiet = true;
        a->op[0].tail = tail_ref(topic->partitions[i]->tail);
        a->op[0].config = topic_plog_config(topic);
        act_link(t, a);
    }
}

void
topics_configured(struct topics *t, struct topic *topic)
{
    check_obj(topic, TOPIC_MAGIC);
    topic_rule(topic);
    topic_put(t, topic);
    topic_configure(t, topic);
}

void
topics_reconfigured(struct topics *t, bool started)
{
    struct omap_iter it;
    struct topic *topic;

    omap_seek(&t->by_name, SPAN_NULL, &it);
    while ((topic = topics_next(&it)) != NULL) {
        struct plog_config c = topic_plog_config(topic);

        topic_rule(topic);
        if (started)
            topic_configure(t, topic);
        for (int32_t i = 0; !started && i < topic->partition_count; i++)
            plog_configure(topic->partitions[i]->tail->plog, &c);
    }
}

enum kerr
topics_delete(struct topics *t, struct topic *topic, struct err *err)
{
    struct act *a = act_new(EFFECT_DROP_TOPIC);

    (void)err;
    check_obj(topic, TOPIC_MAGIC);
    t->changes++;
    if (t->on_delete != NULL)
        t->on_delete(t->on_delete_arg, topic);
    a->op[0].topic_id = topic->id;
    act_link(t, a);
    topic_forget(t, topic);
    return KERR_NONE;
}

void
partition_trim(struct topics *t, struct partition *p, int64_t offset)
{
    struct act *a = act_new(EFFECT_TRIM);

    check_obj(p, PARTITION_MAGIC);
    assert(offset <= p->tail->end);
    a->op[0].tail = tail_ref(p->tail);
    a->op[0].offset = offset;
    act_link(t, a);
}

/* ---- transactions ---- */

int64_t
partition_stable(const struct partition *p)
{
    int64_t at = stable_published(p->stable, seq_published(p->seq),
        p->tail->hw);

    return at > p->tail->log_start ? at : p->tail->log_start;
}

int64_t
partition_stable_linked(const struct partition *p)
{
    return stable_linked(p->stable, p->tail->end);
}

void
partition_hold(struct partition *p, const uint8_t *bytes)
{
    int64_t end = p->tail->end;

    if ((get_be16(bytes + 21) & (BATCH_TRANSACTIONAL | BATCH_CONTROL))
        != BATCH_TRANSACTIONAL)
        return;
    if (end < p->tail->stable)
        p->tail->stable = end;
    if (end < p->tail->stable_published)
        p->tail->stable_published = end;
}

void
partition_stable_moved(struct partition *p)
{
    int64_t before = p->tail->stable;

    p->tail->stable = stable_linked(p->stable, INT64_MAX);
    if (p->tail->stable > before && p->topic->on_link != NULL)
        p->topic->on_link(p->topic, p->index);
}

static void
follow_marker(struct topics *t, struct partition *p, const struct batch *b,
    uint64_t epoch, uint64_t published, struct partition_moved *m)
{
    enum control_type type = control_batch_type(b);

    if (type == CONTROL_OTHER)
        return;
    m->producer = producers_end(&p->producers, b->producer_id,
        b->producer_epoch, seq_clock_ms(t->seq));
    m->was_aborted = stable_end(p->stable, b->producer_id, b->base_offset,
        type == CONTROL_COMMIT, epoch, published, &m->aborted);
    t->aborted += m->was_aborted;
    partition_stable_moved(p);
}

/* A checkpoint that was cut short leaves records that are ahead of the frame
 * where the replay begins. What the record of a producer has seen already is
 * not done to it again: it would end what began later. */
static bool
knew_more(const struct producer *one, const struct batch *b)
{
    return one != NULL && one->count > 0
        && one->window[one->count - 1].last_offset >= b->base_offset;
}

void
partition_follow(struct topics *t, struct partition *p,
    const struct batch *b, uint64_t epoch, uint64_t published,
    struct partition_moved *m)
{
    size_t before = p->producers.by_id.count;
    const struct producer *old;
    bool open;

    *m = (struct partition_moved){0};
    old = producers_get(&p->producers, b->producer_id);
    if (knew_more(old, b))
        return;
    if (b->attributes & BATCH_CONTROL) {
        follow_marker(t, p, b, epoch, published, m);
        return;
    }
    open = old != NULL && old->txn_first >= 0;
    m->producer = producers_apply(&p->producers, b, seq_clock_ms(t->seq));
    t->producers += p->producers.by_id.count - before;
    if (!open && m->producer->txn_first >= 0) {
        stable_begin(p->stable, b->producer_id, b->base_offset);
        partition_stable_moved(p);
    }
}

/* Returns how many acts it made. */
static int
partition_retain(struct topics *t, struct partition *p, int64_t now_ms)
{
    const struct topic_config *c = &p->topic->config;
    const char *policy = topic_config_get(c, "cleanup.policy", NULL);
    int64_t start;

    if (strstr(policy, "delete") == NULL || p->topic->internal)
        return 0;
    if (plog_expired(p->tail->plog, topic_config_int(c, "retention.ms"),
            topic_config_int(c, "retention.bytes"), now_ms,
            p->tail->written, &start)
        && start > p->tail->log_start) {
        partition_trim(t, p, start);
        return 1;
    }
    return 0;
}

void
topics_retain(struct topics *t, int64_t now_ms)
{
    struct omap_iter it;
    struct topic *topic;
    int acts = 0;

    omap_seek(&t->by_name, SPAN_NULL, &it);
    while ((topic = topics_next(&it)) != NULL)
        for (int32_t i = 0; i < topic->partition_count
                && acts < RETAIN_MAX; i++) {
            acts += partition_retain(t, topic->partitions[i], now_ms);
            partition_trim_aborted(t, topic->partitions[i]);
        }
    topics_forget_producers(t);
    if (t->cleaner != NULL)
        cleaner_turn(t->cleaner, now_ms);
}

void
topics_check(const struct topics *t)
{
    struct omap_iter it;
    struct topic *topic;
    size_t n = 0, partitions = 0;

    omap_seek(&t->by_name, SPAN_NULL, &it);
    for (; (topic = topics_next(&it)) != NULL; n++) {
        check_obj(topic, TOPIC_MAGIC);
        assert(topics_by_id(t, &topic->id) == topic);
        for (int32_t i = 0; i < topic->partition_count; i++) {
            struct partition *p = topic->partitions[i];

            check_obj(p, PARTITION_MAGIC);
            assert(p->tail->owner == p);
            tail_check(p->tail);
        }
        partitions += (size_t)topic->partition_count;
    }
    assert(n == t->by_id.count);
    assert(partitions == t->partitions);
}
