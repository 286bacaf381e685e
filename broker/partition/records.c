/* records.c: producers and aborted transactions as metadata records. */
#include "config.h"

#include "partition/records.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "proto/store.pb-c.h"

/* ---- values ---- */

size_t
producer_pack(const struct producer *p, uint8_t value[PARTITION_RECORD_MAX])
{
    Store__ProducerBatch windows[PRODUCER_WINDOW], *list[PRODUCER_WINDOW];
    Store__Producer m = STORE__PRODUCER__INIT;

    m.epoch = p->epoch;
    m.used_ms = p->used_ms;
    m.txn_first = p->txn_first + 1;
    m.window = list;
    for (; m.n_window < p->count; m.n_window++) {
        const struct producer_batch *w = &p->window[m.n_window];
        Store__ProducerBatch *to = &windows[m.n_window];

        store__producer_batch__init(to);
        to->first_seq = w->first_seq;
        to->last_seq = w->last_seq;
        to->base_offset = w->base_offset;
        to->last_offset = w->last_offset;
        to->timestamp = w->timestamp;
        list[m.n_window] = to;
    }
    assert(store__producer__get_packed_size(&m) <= PARTITION_RECORD_MAX);
    return store__producer__pack(&m, value);
}

bool
producer_unpack(struct producers *to, int64_t id, struct span value,
    struct producer **out)
{
    Store__Producer *m = store__producer__unpack(NULL, value.len, value.ptr);
    struct producer *p;

    *out = NULL;
    if (m == NULL)
        return false;
    if (to != NULL) {
        *out = p = producers_make(to, id);
        p->epoch = (int16_t)m->epoch;
        p->used_ms = m->used_ms;
        p->txn_first = m->txn_first - 1;
        p->count = 0;
        for (size_t i = 0; i < m->n_window && i < PRODUCER_WINDOW; i++)
            p->window[p->count++] = (struct producer_batch){
                .first_seq = m->window[i]->first_seq,
                .last_seq = m->window[i]->last_seq,
                .base_offset = m->window[i]->base_offset,
                .last_offset = m->window[i]->last_offset,
                .timestamp = m->window[i]->timestamp};
    }
    store__producer__free_unpacked(m, NULL);
    return true;
}

size_t
aborted_pack(const struct stable_aborted *a,
    uint8_t value[PARTITION_RECORD_MAX])
{
    Store__Aborted m = STORE__ABORTED__INIT;

    m.producer_id = a->producer_id;
    m.first_offset = a->first;
    m.stable_offset = a->stable;
    return store__aborted__pack(&m, value);
}

/* ---- operations ---- */

static void
record_key(const struct partition *p, enum meta_kind kind, int64_t last,
    struct partition_record *r)
{
    r->key[0] = (uint8_t)kind;
    memcpy(r->key + 1, p->tail->topic_id.bytes, 16);
    put_be32(r->key + 17, (uint32_t)p->index);
    put_be64(r->key + 21, (uint64_t)last);
}

static void
record_op(struct partition_record *r, enum effect_op_kind kind, size_t len,
    struct effect_op *op)
{
    assert(len <= sizeof r->value);
    *op = (struct effect_op){.kind = kind,
        .quiet = true,
        .key = span_of(r->key, sizeof r->key),
        .value = span_of(r->value, len)};
}

void
producer_put(const struct partition *p, const struct producer *one,
    struct partition_record *r, struct effect_op *op)
{
    record_key(p, META_PRODUCER, one->id, r);
    record_op(r, EFFECT_PUT, producer_pack(one, r->value), op);
}

void
producer_delete(const struct partition *p, const struct producer *one,
    struct partition_record *r, struct effect_op *op)
{
    record_key(p, META_PRODUCER, one->id, r);
    record_op(r, EFFECT_DELETE, 0, op);
}

void
aborted_put(const struct partition *p, const struct stable_aborted *a,
    struct partition_record *r, struct effect_op *op)
{
    record_key(p, META_ABORTED, a->last, r);
    record_op(r, EFFECT_PUT, aborted_pack(a, r->value), op);
}

void
aborted_delete(const struct partition *p, const struct stable_aborted *a,
    struct partition_record *r, struct effect_op *op)
{
    record_key(p, META_ABORTED, a->last, r);
    record_op(r, EFFECT_DELETE, 0, op);
}

/* ---- start ---- */

/* The partition that a key without its kind names. NULL: there is none any
 * more. */
static struct partition *
key_partition(const struct topics *t, struct span key, int64_t *last)
{
    struct topic *topic;
    struct uuid id;

    memcpy(id.bytes, key.ptr, 16);
    topic = topics_by_id(t, &id);
    *last = (int64_t)get_be64(key.ptr + 20);
    return topic == NULL ? NULL
                         : topic_partition(topic,
                               (int32_t)get_be32(key.ptr + 16));
}

static int
load_producer(void *arg, struct span key, struct span value, struct err *err)
{
    struct topics *t = arg;
    struct partition *p = NULL;
    struct producer *one;
    int64_t id = -1;

    if (key.len == PARTITION_RECORD_KEY - 1)
        p = key_partition(t, key, &id);
    if (key.len != PARTITION_RECORD_KEY - 1
        || !producer_unpack(p == NULL ? NULL : &p->producers, id, value,
            &one))
        return err_set(err, ERR_DAMAGE, "the record of a producer is no "
            "message");
    if (p == NULL)
        return 0;
    if (one->txn_first >= 0)
        stable_begin(p->stable, id, one->txn_first);
    t->producers++;
    return 0;
}

static int
load_aborted(void *arg, struct span key, struct span value, struct err *err)
{
    struct topics *t = arg;
    Store__Aborted *m = store__aborted__unpack(NULL, value.len, value.ptr);
    struct stable_aborted a = {0};
    struct partition *p;

    if (m == NULL || key.len != PARTITION_RECORD_KEY - 1) {
        store__aborted__free_unpacked(m, NULL);
        return err_set(err, ERR_DAMAGE, "the record of an aborted "
            "transaction is no message");
    }
    p = key_partition(t, key, &a.last);
    a.producer_id = m->producer_id;
    a.first = m->first_offset;
    a.stable = m->stable_offset;
    if (p != NULL) {
        stable_restore_aborted(p->stable, &a);
        t->aborted++;
    }
    store__aborted__free_unpacked(m, NULL);
    return 0;
}

static int
by_use(const void *a, const void *b)
{
    const struct producer *const *x = a, *const *y = b;

    return (*x)->used_ms < (*y)->used_ms ? -1
        : (*x)->used_ms > (*y)->used_ms;
}

/* They came in the order of their keys. */
static void
order_producers(struct topics *t)
{
    struct producer **all = xcalloc(t->producers + 1, sizeof *all), *one;
    size_t n = 0;

    while ((one = TAILQ_FIRST(&t->used)) != NULL) {
        TAILQ_REMOVE(&t->used, one, used);
        all[n++] = one;
    }
    assert(n == t->producers);
    qsort(all, n, sizeof(struct producer *), by_use);
    for (size_t i = 0; i < n; i++)
        TAILQ_INSERT_TAIL(&t->used, all[i], used);
    free(all);
}

int
partition_records_load(struct topics *t, struct err *err)
{
    struct omap_iter it;
    struct topic *topic;

    if (seq_records(t->seq, META_PRODUCER, load_producer, t, err) != 0
        || seq_records(t->seq, META_ABORTED, load_aborted, t, err) != 0)
        return -1;
    order_producers(t);
    omap_seek(&t->by_name, SPAN_NULL, &it);
    while ((topic = topics_next(&it)) != NULL)
        for (int32_t i = 0; i < topic->partition_count; i++)
            partition_stable_moved(topic->partitions[i]);
    return 0;
}
