/* append.c: batches of clients become facts. */
#include "config.h"

#include "partition/append.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "proto/store.pb-c.h"

enum {
    IMAGE_KEY = 1 + 16 + 4 + 8,
    IMAGE_MAX = 256,             /* bytes of a packed producer */
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
    struct partition **partitions;       /* until commit */
    uint8_t *images;                     /* keys and values of op */
    size_t cap;
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
    int64_t max = topic_config_int(&p->topic->config, "max.message.bytes");

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

/* LogAppendTime is inside the CRC. */
static void
stamp_time(uint8_t *bytes, size_t len, int64_t now)
{
    bytes[AT_ATTRIBUTES + 1] |= BATCH_LOG_APPEND_TIME;
    put_be64(bytes + AT_MAX_TIMESTAMP, (uint64_t)now);
    put_be32(bytes + AT_CRC,
        crc32c(0, bytes + BATCH_CRC_FROM, len - BATCH_CRC_FROM));
}

void
append_judge(struct topics *t, struct partition *p, uint8_t *bytes,
    size_t len, int version, struct append_result *r)
{
    struct producer_batch known;
    struct batch b;
    const char *type;

    *r = (struct append_result){.base_offset = -1, .log_append_time = -1};
    check_obj(p, PARTITION_MAGIC);
    if (!judge_bytes(p, span_of(bytes, len), version, &b, r))
        return;
    if (b.attributes & (BATCH_TRANSACTIONAL | BATCH_CONTROL)) {
        refuse(r, b.attributes & BATCH_CONTROL
                ? KERR_INVALID_RECORD : KERR_INVALID_TXN_STATE,
            b.attributes & BATCH_CONTROL
                ? "control batches are the broker's"
                : "transactions are not served");
        return;
    }
    if (b.producer_id >= 0) {
        switch (producers_check(&p->producers, &b, &known, &r->error)) {
        case PRODUCER_NEXT:
            break;
        case PRODUCER_DUPLICATE:
            r->duplicate = true;
            r->base_offset = known.base_offset;
            return;
        case PRODUCER_REFUSED:
            refuse(r, r->error, kerr_text(r->error));
            return;
        }
    }
    type = topic_config_get(&p->topic->config, "message.timestamp.type",
        NULL);
    if (type[0] == 'L') {
        r->log_append_time = world_wall_ms(seq_world(t->seq));
        stamp_time(bytes, len, r->log_append_time);
    }
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
append_new(struct topics *t, struct chunk *frame, size_t n)
{
    size_t each = sizeof(struct effect_batch) + sizeof(struct effect_op)
        + sizeof(struct partition *) + IMAGE_KEY + IMAGE_MAX;
    struct append *a = xmalloc(sizeof *a + n * each);
    uint8_t *at = (uint8_t *)(a + 1);

    memset(a, 0, sizeof *a);
    a->effect.magic = EFFECT_MAGIC;
    a->effect.ops = &append_ops;
    a->topics = t;
    a->frame = chunk_ref(frame);
    a->cap = n;
    a->batches = (struct effect_batch *)(void *)at;
    at += n * sizeof *a->batches;
    a->op = (struct effect_op *)(void *)at;
    at += n * sizeof *a->op;
    a->partitions = (struct partition **)(void *)at;
    at += n * sizeof *a->partitions;
    a->images = at;
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
    a->partitions[a->effect.n_batches++] = p;
}

size_t
append_cost(const struct append *a)
{
    return effect_cost(&a->effect)
        + a->cap * (IMAGE_KEY + IMAGE_MAX + 64);
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
    free(a);
}

/* ---- producers ---- */

static size_t
pack_producer(const struct partition *p, const struct producer *one,
    uint8_t *key, uint8_t *value)
{
    Store__ProducerBatch windows[PRODUCER_WINDOW],
        *list[PRODUCER_WINDOW];
    Store__Producer m = STORE__PRODUCER__INIT;

    key[0] = META_PRODUCER;
    memcpy(key + 1, p->tail->topic_id.bytes, 16);
    put_be32(key + 17, (uint32_t)p->index);
    put_be64(key + 21, (uint64_t)one->id);
    m.epoch = one->epoch;
    m.used_ms = one->used_ms;
    m.window = list;
    for (; m.n_window < one->count; m.n_window++) {
        const struct producer_batch *w = &one->window[m.n_window];
        Store__ProducerBatch *to = &windows[m.n_window];

        store__producer_batch__init(to);
        to->first_seq = w->first_seq;
        to->last_seq = w->last_seq;
        to->base_offset = w->base_offset;
        to->last_offset = w->last_offset;
        to->timestamp = w->timestamp;
        list[m.n_window] = to;
    }
    assert(store__producer__get_packed_size(&m) <= IMAGE_MAX);
    return store__producer__pack(&m, value);
}

/* Offsets are known: the window moves, and the checkpoint is told how it is
 * now. It is quiet, since a replay finds the same in the batches. */
static void
append_producer(struct append *a, uint32_t i)
{
    struct effect_op *op = &a->op[a->effect.n_ops];
    struct partition *p = a->partitions[i];
    const struct producer *one;
    uint8_t *image = a->images
        + (size_t)a->effect.n_ops * (IMAGE_KEY + IMAGE_MAX);
    struct batch b;
    size_t before = p->producers.by_id.count;

    assert(batch_parse(span_of(a->batches[i].batch.bytes,
        a->batches[i].batch.size), &b) == BATCH_OK);
    if (b.producer_id < 0)
        return;
    one = producers_apply(&p->producers, &b, seq_clock_ms(a->topics->seq));
    a->topics->producers += p->producers.by_id.count - before;
    *op = (struct effect_op){.kind = EFFECT_PUT, .quiet = true,
        .key = span_of(image, IMAGE_KEY)};
    op->value = span_of(image + IMAGE_KEY,
        pack_producer(p, one, image, image + IMAGE_KEY));
    a->effect.n_ops++;
}

void
append_commit(struct append *a, size_t reserved, int64_t *base_offsets,
    void (*done)(void *), void *arg)
{
    a->effect.reserved = reserved;
    a->done = done;
    a->arg = arg;
    seq_link(a->topics->seq, &a->effect);
    for (uint32_t i = 0; i < a->effect.n_batches; i++) {
        base_offsets[i] = a->batches[i].batch.base;
        append_producer(a, i);
    }
}

struct producer_act {
    struct effect effect;
    struct effect_op op[1];
    uint8_t bytes[IMAGE_KEY + IMAGE_MAX];
};

static void
producer_act_release(struct effect *f)
{
    free(container_of(f, struct producer_act, effect));
}

static const struct effect_ops producer_act_ops = {
    .release = producer_act_release};

void
partition_put_producer(struct topics *t, struct partition *p,
    const struct producer *one)
{
    struct producer_act *a = xcalloc(1, sizeof *a);
    size_t n = pack_producer(p, one, a->bytes, a->bytes + IMAGE_KEY);

    a->effect.magic = EFFECT_MAGIC;
    a->effect.ops = &producer_act_ops;
    a->effect.op = a->op;
    a->effect.n_ops = 1;
    a->op[0] = (struct effect_op){.kind = EFFECT_PUT, .quiet = true,
        .key = span_of(a->bytes, IMAGE_KEY),
        .value = span_of(a->bytes + IMAGE_KEY, n)};
    a->effect.reserved = effect_cost(&a->effect);
    seq_reserve_system(t->seq, a->effect.reserved);
    seq_link(t->seq, &a->effect);
}
