/* append.c: batches of clients become facts. */
#include "config.h"

#include "partition/append.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "partition/clean_judge.h"
#include "partition/records.h"

enum {
    QUIET_MAX = 32,              /* operations of one such effect */
    FORGET_ACTS = 8,             /* such effects in one look */
    JOINS_SINCE = 12,            /* version of Produce: KIP-890 */
    AT_ATTRIBUTES = 21,
    AT_MAX_TIMESTAMP = 35,
    AT_CRC = 17,
};

struct append {
    struct effect effect;
    struct topics *topics;
    struct chunk *frame;
    struct effect_batch *batches;
    struct effect_op *op;
    struct append_to {                   /* until commit */
        struct partition *partition;
        int64_t stamp;                   /* -1: none */
    } *to;
    struct partition_record *records;    /* what quiet operations point to */
    uint32_t cap, records_cap, records_used;
    struct arena arena;                  /* keys and values of append_put() */
    void (*done)(void *);
    void *arg;
};

/* ---- judging ---- */

static void
refuse(struct append_result *r, enum kerr error, const char *text)
{
    r->error = error;
    r->base_offset = -1;
    snprintf(r->text, sizeof r->text, "%s", text);
}

static bool
judge_bytes(struct partition *p, struct span bytes, int version,
    struct batch *b, struct append_result *r)
{
    enum batch_status st = batch_parse(bytes, b);
    int64_t max = p->topic->rules.batch_max;

    if (st == BATCH_BAD_MAGIC) {
        refuse(r, KERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
            "only record batches of magic 2 are taken");
        return false;
    }
    if (st != BATCH_OK || b->bytes.len != bytes.len) {
        /* More than one batch, or less than one. */
        refuse(r, st == BATCH_OK ? KERR_INVALID_RECORD
                                 : KERR_CORRUPT_MESSAGE,
            st == BATCH_OK ? "one batch is taken for each partition"
                           : batch_status_text(st));
        return false;
    }
    if ((int64_t)bytes.len > max) {
        snprintf(r->text, sizeof r->text, "the batch has %zu bytes, "
            "max.message.bytes of the topic is %lld", bytes.len,
            (long long)max);
        r->error = KERR_MESSAGE_TOO_LARGE;
        return false;
    }
    /* The frame in the journal is proven by the batches' own checksums: one
     * that does not match must not come that far. */
    st = batch_check(b);
    if (st == BATCH_OK)
        st = batch_check_produce(b);
    if (st != BATCH_OK) {
        refuse(r, st == BATCH_BAD_CRC ? KERR_CORRUPT_MESSAGE
                                      : KERR_INVALID_RECORD,
            batch_status_text(st));
        return false;
    }
    if ((b->attributes & BATCH_CODEC_MASK) == CODEC_ZSTD && version < 7) {
        refuse(r, KERR_UNSUPPORTED_COMPRESSION_TYPE,
            "zstd needs Produce version 7");
        return false;
    }
    return true;
}

/* A producer of version 2 begins each transaction with another epoch, hence
 * with sequence 0. Whoever is not known and begins later has lost what came
 * before (KIP-890). */
static bool
lost_its_first(const struct partition *p, const struct batch *b, int version)
{
    return version >= JOINS_SINCE && b->base_sequence != 0
        && (b->attributes & BATCH_TRANSACTIONAL) != 0
        && producers_get(&p->producers, b->producer_id) == NULL;
}

void
append_judge(struct topics *t, struct partition *p, const uint8_t *bytes,
    size_t len, int version, struct append_result *r)
{
    struct producer_batch known;
    struct batch b;

    *r = (struct append_result){.base_offset = -1, .log_append_time = -1};
    check_obj(p, PARTITION_MAGIC);
    if (!judge_bytes(p, span_of(bytes, len), version, &b, r))
        return;
    r->transactional = (b.attributes & BATCH_TRANSACTIONAL) != 0;
    r->producer_id = b.producer_id;
    r->producer_epoch = b.producer_epoch;
    if (b.producer_id >= 0) {
        switch (producers_check(&p->producers, &b, &known, &r->error)) {
        case PRODUCER_NEXT:
            if (!lost_its_first(p, &b, version))
                break;
            refuse(r, KERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                "the first batch of a transaction has sequence 0");
            return;
        case PRODUCER_DUPLICATE:
            r->duplicate = true;
            r->base_offset = known.base_offset;
            return;
        case PRODUCER_REFUSED:
            refuse(r, r->error, kerr_text(r->error));
            return;
        }
    }
    r->error = clean_judge(p->topic, &b, world_wall_ms(seq_world(t->seq)),
        r->text, sizeof r->text);
    if (r->error != KERR_NONE)
        return;
    if (p->topic->rules.append_time)
        r->log_append_time = world_wall_ms(seq_world(t->seq));
}

/* ---- the effect ---- */

static void
append_release(struct effect *f)
{
    append_free(container_of(f, struct append, effect));
}

static void
append_published(struct effect *f)
{
    struct append *a = container_of(f, struct append, effect);

    if (a->done != NULL)
        a->done(a->arg);
}

static const struct effect_ops append_ops = {.published = append_published,
    .release = append_release};

struct append *
append_new(struct topics *t, struct chunk *frame, const struct append_size *n)
{
    size_t records = n->batches + n->markers;
    size_t ops = records + n->puts;
    struct append *a = xmalloc(sizeof *a
        + n->batches * (sizeof(struct effect_batch)
            + sizeof(struct append_to))
        + ops * sizeof(struct effect_op)
        + records * sizeof(struct partition_record));
    uint8_t *at = (uint8_t *)(a + 1);

    memset(a, 0, sizeof *a);
    a->effect.magic = EFFECT_MAGIC;
    a->effect.ops = &append_ops;
    a->topics = t;
    a->frame = frame == NULL ? NULL : chunk_ref(frame);
    a->cap = (uint32_t)n->batches;
    a->records_cap = (uint32_t)records;
    a->batches = (struct effect_batch *)(void *)at;
    at += n->batches * sizeof *a->batches;
    a->op = (struct effect_op *)(void *)at;
    at += ops * sizeof *a->op;
    a->to = (struct append_to *)(void *)at;
    at += n->batches * sizeof *a->to;
    a->records = (struct partition_record *)(void *)at;
    arena_init(&a->arena, EPOCH_BYTES_MAX);
    a->effect.batches = a->batches;
    a->effect.op = a->op;
    return a;
}

void
append_add(struct append *a, struct partition *p, uint8_t *bytes, size_t len)
{
    struct effect_batch *eb = &a->batches[a->effect.n_batches];
    struct batch b;

    assert(a->effect.n_batches < a->cap);
    assert(batch_parse(span_of(bytes, len), &b) == BATCH_OK);
    *eb = (struct effect_batch){.tail = tail_ref(p->tail),
        .crc = b.crc,
        .batch = {.chunk = chunk_ref(a->frame),
            .bytes = bytes,
            .size = (uint32_t)len,
            .last = b.last_offset_delta,
            .max_timestamp = b.max_timestamp}};
    a->to[a->effect.n_batches++] = (struct append_to){p, -1};
}

void
append_stamp(struct append *a, int64_t time_ms)
{
    assert(a->effect.n_batches > 0);
    a->to[a->effect.n_batches - 1].stamp = time_ms;
}

void
append_put(struct append *a, struct span key, struct span value)
{
    struct effect_op *op = &a->op[a->effect.n_ops++];

    *op = (struct effect_op){
        .kind = value.ptr == NULL ? EFFECT_DELETE : EFFECT_PUT,
        .key = arena_copy(&a->arena, key),
        .value = arena_copy(&a->arena, value)};
    assert(op->key.ptr != NULL);
    assert(value.ptr == NULL || op->value.ptr != NULL);
}

size_t
append_cost(const struct append *a)
{
    return effect_cost(&a->effect)
        + a->records_cap * (sizeof(struct partition_record) + 64);
}

size_t
append_count(const struct append *a)
{
    return a->effect.n_batches;
}

void
append_free(struct append *a)
{
    /* A batch that was not linked still has its chunk's reference. */
    for (uint32_t i = 0; i < a->effect.n_batches; i++)
        if (a->batches[i].batch.epoch == 0)
            chunk_unref(a->batches[i].batch.chunk);
    effect_unref_tails(&a->effect);
    chunk_unref(a->frame);
    arena_release(&a->arena);
    free(a);
}

/* LogAppendTime is inside the CRC. */
static void
stamp_time(struct effect_batch *eb, int64_t now)
{
    uint8_t *bytes = eb->batch.bytes;

    bytes[AT_ATTRIBUTES + 1] |= BATCH_LOG_APPEND_TIME;
    put_be64(bytes + AT_MAX_TIMESTAMP, (uint64_t)now);
    eb->crc = crc32c(0, bytes + BATCH_CRC_FROM,
        eb->batch.size - BATCH_CRC_FROM);
    put_be32(bytes + AT_CRC, eb->crc);
    eb->batch.max_timestamp = now;
}

/* ---- producers and transactions ---- */

/* A place for the next quiet operation. */
static struct effect_op *
next_quiet(struct append *a, struct partition_record **record)
{
    assert(a->records_used < a->records_cap);
    *record = &a->records[a->records_used++];
    return &a->op[a->effect.n_ops++];
}

/* Offsets are known: producers and transactions move, and the checkpoint is
 * told how they are now. */
static void
append_follow(struct append *a, uint32_t i)
{
    struct topics *t = a->topics;
    struct partition *p = a->to[i].partition;
    struct partition_record *record;
    struct partition_moved moved;
    struct effect_op *op;
    struct batch b;

    assert(batch_parse(span_of(a->batches[i].batch.bytes,
        a->batches[i].batch.size), &b) == BATCH_OK);
    if (b.producer_id < 0)
        return;
    partition_follow(t, p, &b, a->effect.epoch, seq_published(t->seq),
        &moved);
    if (moved.producer != NULL) {
        op = next_quiet(a, &record);
        producer_put(p, moved.producer, record, op);
    }
    if (moved.was_aborted) {
        op = next_quiet(a, &record);
        aborted_put(p, &moved.aborted, record, op);
    }
}

void
append_commit(struct append *a, size_t reserved, int64_t *base_offsets,
    void (*done)(void *), void *arg)
{
    struct topics *t = a->topics;
    size_t before = t->producers;

    a->effect.reserved = reserved;
    a->done = done;
    a->arg = arg;
    for (uint32_t i = 0; i < a->effect.n_batches; i++) {
        if (a->to[i].stamp >= 0)
            stamp_time(&a->batches[i], a->to[i].stamp);
        partition_hold(a->to[i].partition, a->batches[i].batch.bytes);
    }
    seq_link(t->seq, &a->effect);
    for (uint32_t i = 0; i < a->effect.n_batches; i++) {
        if (base_offsets != NULL)
            base_offsets[i] = a->batches[i].batch.base;
        append_follow(a, i);
    }
    if (t->producers > before && t->producers > t->producers_max)
        topics_forget_producers(t);
}

/* ---- records alone ---- */

/* Quiet operations of one partition. */
struct quiet_act {
    struct effect effect;
    struct effect_op op[QUIET_MAX];
    struct partition_record records[QUIET_MAX];
};

static void
quiet_release(struct effect *f)
{
    free(container_of(f, struct quiet_act, effect));
}

static const struct effect_ops quiet_ops = {.release = quiet_release};

static struct quiet_act *
quiet_new(void)
{
    struct quiet_act *a = xcalloc(1, sizeof *a);

    a->effect.magic = EFFECT_MAGIC;
    a->effect.ops = &quiet_ops;
    a->effect.op = a->op;
    return a;
}

static void
quiet_link(struct topics *t, struct quiet_act *a)
{
    a->effect.reserved = effect_cost(&a->effect);
    seq_reserve_system(t->seq, a->effect.reserved);
    seq_link(t->seq, &a->effect);
}

void
partition_put_producer(struct topics *t, struct partition *p,
    const struct producer *one)
{
    struct quiet_act *a = quiet_new();

    producer_put(p, one, &a->records[0], &a->op[a->effect.n_ops++]);
    quiet_link(t, a);
}

void
partition_put_aborted(struct topics *t, struct partition *p,
    const struct stable_aborted *one)
{
    struct quiet_act *a = quiet_new();

    aborted_put(p, one, &a->records[0], &a->op[a->effect.n_ops++]);
    quiet_link(t, a);
}

/* The next that is to be forgotten. Those with an open transaction are in
 * use, whatever the clock says. */
static struct producer *
next_idle(struct topics *t)
{
    int64_t before = seq_clock_ms(t->seq) - t->producer_idle_ms;
    struct producer *one;

    for (size_t i = 0; i < t->producers; i++) {
        one = TAILQ_FIRST(&t->used);
        if (t->producers <= t->producers_max && one->used_ms > before)
            return NULL;
        if (one->txn_first < 0)
            return one;
        TAILQ_REMOVE(&t->used, one, used);
        TAILQ_INSERT_TAIL(&t->used, one, used);
    }
    return NULL;
}

void
topics_forget_producers(struct topics *t)
{
    struct producer *one = next_idle(t);

    for (int acts = 0; one != NULL && acts < FORGET_ACTS; acts++) {
        struct quiet_act *a = quiet_new();

        while (one != NULL && a->effect.n_ops < QUIET_MAX) {
            struct effect_op *op = &a->op[a->effect.n_ops];

            producer_delete(container_of(one->owner, struct partition,
                producers), one, &a->records[a->effect.n_ops++], op);
            producer_forget(one);
            t->producers--;
            one = next_idle(t);
        }
        quiet_link(t, a);
    }
}

void
partition_trim_aborted(struct topics *t, struct partition *p)
{
    struct stable_aborted gone[QUIET_MAX];
    size_t n = stable_trim(p->stable, p->tail->log_start, gone, QUIET_MAX);
    struct quiet_act *a;

    if (n == 0)
        return;
    t->aborted -= n;
    a = quiet_new();
    for (size_t i = 0; i < n; i++)
        aborted_delete(p, &gone[i], &a->records[i],
            &a->op[a->effect.n_ops++]);
    quiet_link(t, a);
}
