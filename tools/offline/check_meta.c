/* check_meta.c: LMDB's file, its values, its records. */
#include "config.h"

#include "offline/check_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/endian.h"
#include "base/limits.h"
#include "partition/topic.h"
#include "proto/store.pb-c.h"

#define LMDB_FILE "meta/data.mdb"

/* ---- the file and its values ---- */

static int64_t
page_pos(const struct check *c, uint64_t page)
{
    return (int64_t)(page * lmdbfile_page_size(c->folder.lmdb));
}

static void
lmdb_finding(void *arg, uint64_t page, const char *text)
{
    struct check *c = arg;

    finding_add(c->f, FINDING_DAMAGE, LMDB_FILE, page_pos(c, page),
        CHECK_SALVAGE, "LMDB's %s", text);
}

static void
value_finding(void *arg, uint64_t page, struct span key, const char *text)
{
    struct check *c = arg;
    char name[80] = "";
    size_t n = 0;

    for (size_t i = 0; i < key.len && n + 3 < sizeof name; i++)
        n += (size_t)snprintf(name + n, sizeof name - n,
            key.ptr[i] > ' ' && key.ptr[i] < 127 ? "%c" : "%02x",
            key.ptr[i]);
    finding_add(c->f, FINDING_DAMAGE, LMDB_FILE, page_pos(c, page),
        CHECK_SALVAGE, "the value under key %s: %s", name, text);
}

static int
take_record(void *arg, struct span key, struct span value, struct err *err)
{
    struct check *c = arg;

    (void)err;
    records_put(&c->folder.records, key, value);
    return 0;
}

static void
check_pieces(struct check *c, uint64_t used)
{
    uint64_t there = lmdbfile_entries(c->folder.lmdb, LMDBFILE_PIECES);

    if (used < there)
        finding_add(c->f, FINDING_NOTE, LMDB_FILE, FINDING_NOWHERE,
            CHECK_NOTHING, "%" PRIu64 " pieces of large values belong to "
            "none", there - used);
}

int
check_lmdb(struct check *c, struct err *err)
{
    struct stored_scan records = {.space = META_RECORDS, .fn = take_record,
        .bad = value_finding, .arg = c};
    struct stored_scan state = {.space = META_STATE, .bad = value_finding,
        .arg = c};
    const struct err *e = &c->folder.lmdb_err;
    uint64_t found;

    if (c->folder.lmdb == NULL) {
        if (e->code == EACCES || e->code == EPERM) {
            *err = *e;
            return -1;
        }
        finding_add(c->f, FINDING_DAMAGE, LMDB_FILE, FINDING_NOWHERE,
            CHECK_RESTORE, "%s", e->text);
        return 0;
    }
    if (lmdbfile_prove(c->folder.lmdb, lmdb_finding, c, &found, err) < 0
        || stored_scan(c->folder.lmdb, &records, err) < 0
        || stored_scan(c->folder.lmdb, &state, err) < 0)
        return -1;
    if (found == 0)
        check_pieces(c, records.pieces + state.pieces);
    c->values = records.good + state.good;
    c->entries = state.good;
    c->whole = records_checkpoint(&c->folder.records, &c->at, &c->clean);
    c->loose = records_loose(&c->folder.records);
    if (!c->whole)
        finding_add(c->f, FINDING_DAMAGE, LMDB_FILE, FINDING_NOWHERE,
            CHECK_SALVAGE, "it has no checkpoint that this build can read: "
            "the journal and the logs are looked at by themselves");
    return 0;
}

/* ---- records as messages ---- */

static const struct kind {
    enum meta_kind kind;
    const char *name;
    const ProtobufCMessageDescriptor *message;
    size_t key_min, key_max;     /* bytes after the first */
} kinds[] = {
    {META_CHECKPOINT, "checkpoint", &store__checkpoint__descriptor, 0, 0},
    {META_ABORTED, "aborted transaction", &store__aborted__descriptor, 28,
        28},
    {META_GROUP, "group", &store__group__descriptor, 0, SIZE_MAX},
    {META_IDS, "producer ids", &store__producer_ids__descriptor, 0, 0},
    {META_TASK, "task", &store__task__descriptor, 1, SIZE_MAX},
    {META_LOG, "log", &store__partition_log__descriptor, 20, 20},
    {META_MEMBER, "group member", &store__consumer_member__descriptor, 2,
        SIZE_MAX},
    {META_TXN, "transactional id", &store__txn__descriptor, 1, SIZE_MAX},
    {META_TXN_PART, "part of a transaction", &store__txn_part__descriptor,
        4, SIZE_MAX},
    {META_OFFSET, "committed offset", &store__offset__descriptor, 6,
        SIZE_MAX},
    {META_PRODUCER, "producer", &store__producer__descriptor, 28, 28},
    {META_STORE, "store", &store__store__descriptor, 1, SIZE_MAX},
    {META_TOPIC, "topic", &store__topic__descriptor, 16, 16},
    {META_DOOMED, "dropped topic", &store__doomed__descriptor, 16, 16},
    {META_APP, "application", &store__app__descriptor, 1, SIZE_MAX},
    {META_CONFIG, "configs", &store__configs__descriptor, 1, SIZE_MAX},
    {META_QUOTA, "quota", &store__quota__descriptor, 2, SIZE_MAX},
};

static const struct kind *
kind_find(uint8_t letter)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if ((uint8_t)kinds[i].kind == letter)
            return &kinds[i];
    return NULL;
}

static void __attribute__((format(printf, 2, 3)))
record_finding(struct check *c, const char *fmt, ...)
{
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    finding_add(c->f, FINDING_DAMAGE, LMDB_FILE, FINDING_NOWHERE,
        CHECK_SALVAGE, "%s", text);
}

static void
check_record(struct check *c, struct span key, struct span value)
{
    const struct kind *k = kind_find(key.ptr[0]);
    ProtobufCMessage *m;

    c->records++;
    if (k == NULL) {
        record_finding(c, "a record of a kind (%02x) that this build does "
            "not know", key.ptr[0]);
        return;
    }
    m = protobuf_c_message_unpack(k->message, NULL, value.len, value.ptr);
    if (m == NULL || key.len - 1 < k->key_min || key.len - 1 > k->key_max)
        record_finding(c, "the record of a %s is no message", k->name);
    else if (m->n_unknown_fields > 0)
        record_finding(c, "the record of a %s has fields that this build "
            "does not know", k->name);
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
}

static void
check_topics(struct check *c)
{
    uint8_t kind = META_TOPIC;
    struct omap names;
    struct omap_iter it;
    struct span key, value;

    omap_init(&names);
    omap_seek(&c->folder.records, span_of(&kind, 1), &it);
    while (records_next(&it, META_TOPIC, &key, &value)) {
        Store__Topic *m = store__topic__unpack(NULL, value.len, value.ptr);
        struct check_topic *t;
        void **slot;

        if (m == NULL || key.len != 16) {
            store__topic__free_unpacked(m, NULL);
            continue; /* was told already */
        }
        if (!topic_name_valid(span_str(m->name)) || m->partitions == 0
            || m->partitions > PARTITIONS_TOPIC_MAX)
            record_finding(c, "topic '%s' with %u partitions can't be",
                m->name, m->partitions);
        t = xcalloc(1, sizeof *t);
        memcpy(t->id.bytes, key.ptr, 16);
        t->name = xstrdup(m->name);
        t->partitions = m->partitions;
        t->leader_epoch = m->leader_epoch;
        *omap_slot(&c->topics, key) = t;
        slot = m->name[0] == '\0' ? NULL : omap_slot(&names,
            span_str(m->name));
        if (slot != NULL && *slot != NULL)
            record_finding(c, "two topics are named '%s'", m->name);
        if (slot != NULL)
            *slot = t;
        store__topic__free_unpacked(m, NULL);
    }
    omap_release(&names, NULL, NULL);
}

struct check_topic *
check_topic_get(const struct check *c, const struct uuid *id)
{
    return omap_get(&c->topics, span_of(id->bytes, 16));
}

static void
check_stores(struct check *c)
{
    uint8_t kind = META_STORE, number[4];
    struct omap_iter it;
    struct span key, value;

    omap_seek(&c->folder.records, span_of(&kind, 1), &it);
    while (records_next(&it, META_STORE, &key, &value)) {
        Store__Store *m = store__store__unpack(NULL, value.len, value.ptr);
        void **slot;

        if (m == NULL)
            continue;
        put_be32(number, m->number);
        slot = omap_slot(&c->stores, span_of(number, 4));
        if (*slot != NULL)
            record_finding(c, "two stores have number %u", m->number);
        *slot = (void *)((uintptr_t)m->partitions + 1);
        store__store__free_unpacked(m, NULL);
    }
}

/* The logs of topics; a topic dropped after P still has its own. */
static void
check_log_records(struct check *c)
{
    uint8_t kind = META_LOG;
    struct omap_iter it;
    struct span key, value;

    omap_seek(&c->folder.records, span_of(&kind, 1), &it);
    while (records_next(&it, META_LOG, &key, &value)) {
        struct uuid id;
        int32_t partition;
        struct check_topic *t;

        if (key.len != LOG_KEY)
            continue;
        log_key_read(key.ptr, &id, &partition);
        t = check_topic_get(c, &id);
        if (t != NULL && (uint32_t)partition >= t->partitions)
            record_finding(c, "topic '%s' has %u partitions, but there is a "
                "log of partition %d", t->name, t->partitions, partition);
    }
}

void
check_records(struct check *c)
{
    struct omap_iter it;
    struct span key, value;
    void *v;

    omap_seek(&c->folder.records, SPAN_NULL, &it);
    while (omap_next(&it, &key, &v)) {
        records_get(&c->folder.records, key, &value);
        check_record(c, key, value);
    }
    check_topics(c);
    check_stores(c);
    check_log_records(c);
}

/* ---- what refers to the ends of logs ---- */

/* Sequences without gaps, offsets that go up, all within the log. */
static void
check_producer(struct check *c, const struct check_log *l, int64_t id,
    const Store__Producer *m)
{
    int64_t offset = -1;

    if (m->n_window > PRODUCER_WINDOW)
        record_finding(c, "producer %" PRId64 " has a window of %zu batches",
            id, m->n_window);
    for (size_t i = 0; i < m->n_window; i++) {
        const Store__ProducerBatch *b = m->window[i];

        if (b->base_offset <= offset || b->last_offset < b->base_offset
            || b->last_offset >= l->end
            || (i > 0 && b->first_seq
                != sequence_add(m->window[i - 1]->last_seq, 1))) {
            char path[DATADIR_PATH];

            record_finding(c, "producer %" PRId64 " of %s has a window that "
                "can't be: sequences %d to %d at offset %" PRId64 ", the log "
                "ends at %" PRId64, id,
                log_path(&l->id, l->partition, NULL, NULL, path),
                b->first_seq, b->last_seq, b->base_offset, l->end);
            return;
        }
        offset = b->last_offset;
    }
}

static void
check_producers(struct check *c)
{
    uint8_t kind = META_PRODUCER;
    struct omap_iter it;
    struct span key, value;

    omap_seek(&c->folder.records, span_of(&kind, 1), &it);
    while (records_next(&it, META_PRODUCER, &key, &value)) {
        Store__Producer *m
            = store__producer__unpack(NULL, value.len, value.ptr);
        struct check_log *l;
        struct uuid id;
        int32_t partition;

        if (m != NULL && key.len == LOG_KEY + 8) {
            log_key_read(key.ptr, &id, &partition);
            l = omap_get(&c->logs, span_of(key.ptr, LOG_KEY));
            if (check_topic_get(c, &id) != NULL && l != NULL)
                check_producer(c, l, (int64_t)get_be64(key.ptr + LOG_KEY), m);
        }
        store__producer__free_unpacked(m, NULL);
    }
}

static void
check_task(struct check *c, struct span name, const Store__Task *m)
{
    char text[80];

    snprintf(text, sizeof text, "%.*s", (int)(name.len < 70 ? name.len : 70),
        (const char *)name.ptr);
    for (size_t i = 0; i < m->n_inputs; i++) {
        const Store__TaskInput *in = m->inputs[i];
        struct check_log *l;
        struct uuid id;

        if (in->topic_id.len != 16) {
            record_finding(c, "an input of task %s has no topic", text);
            continue;
        }
        memcpy(id.bytes, in->topic_id.data, 16);
        if (check_topic_get(c, &id) == NULL)
            continue; /* was deleted */
        l = check_log_get(c, &id, (int32_t)in->partition);
        if (in->offset > l->end)
            record_finding(c, "task %s has read topic '%s' partition %u up to "
                "offset %" PRId64 ", but the log ends at %" PRId64, text,
                check_topic_get(c, &id)->name, in->partition, in->offset,
                l->end);
    }
}

static void
check_tasks(struct check *c)
{
    uint8_t kind = META_TASK;
    struct omap_iter it;
    struct span key, value;

    omap_seek(&c->folder.records, span_of(&kind, 1), &it);
    while (records_next(&it, META_TASK, &key, &value)) {
        Store__Task *m = store__task__unpack(NULL, value.len, value.ptr);

        if (m != NULL)
            check_task(c, key, m);
        store__task__free_unpacked(m, NULL);
    }
}

void
check_references(struct check *c)
{
    if (!c->journal_whole)
        return; /* the ends are not known */
    check_producers(c);
    check_tasks(c);
}

/* ---- entries of stores ---- */

struct stateful {
    struct check *c;
    uint8_t last[META_STATE_PREFIX];
};

static int
state_entry(void *arg, struct span key, struct span value, struct err *err)
{
    struct stateful *s = arg;
    void *partitions;

    (void)value;
    (void)err;
    if (key.len < META_STATE_PREFIX) {
        record_finding(s->c, "an entry of a store has a key of %zu bytes",
            key.len);
        return 0;
    }
    if (memcmp(s->last, key.ptr, META_STATE_PREFIX) == 0)
        return 0;
    memcpy(s->last, key.ptr, META_STATE_PREFIX);
    partitions = omap_get(&s->c->stores, span_of(key.ptr, 4));
    if (partitions == NULL)
        record_finding(s->c, "entries of store %u, which no record names",
            get_be32(key.ptr));
    else if (get_be32(key.ptr + 4) >= (uintptr_t)partitions - 1)
        record_finding(s->c, "entries of store %u in partition %u, it has "
            "%zu", get_be32(key.ptr), get_be32(key.ptr + 4),
            (size_t)((uintptr_t)partitions - 1));
    return 0;
}

int
check_state(struct check *c, struct err *err)
{
    struct stateful s = {.c = c};
    struct stored_scan scan = {.space = META_STATE, .fn = state_entry,
        .arg = &s};

    memset(s.last, 0xff, sizeof s.last);
    return stored_scan(c->folder.lmdb, &scan, err);
}
