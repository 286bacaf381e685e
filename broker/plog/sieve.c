/*
 * What compaction keeps of a batch, as Kafka 4 does it.
 *
 * A record goes if
 *  - a newer one has its key, and the map knows it; or
 *  - it has no key; or
 *  - it is a tombstone whose horizon has passed; or
 *  - its transaction was aborted.
 * What lies at or behind map_end was not looked at and stays as it is, but
 * for aborted records.
 *
 * A marker (a control batch) goes when no data of its transaction was met
 * since the marker before it, and its horizon has passed, and its range is not
 * in the list of aborted ones any more: the caller is told that it may go
 * from there. So a consumer that reads within a transaction always finds its
 * end.
 *
 * Horizon (KIP-534): the first pass that meets a tombstone, or a marker
 * without data, writes now + delete.retention.ms into the batch: attribute
 * bit 6, and the base timestamp is it, with the records' deltas counted from
 * there. Consumers that began before have until then to see it.
 *
 * A batch without records left goes, unless it holds the last sequence of a
 * producer that is remembered, or is the last of its segment: then its header
 * stays, with record count 0, plain, without a horizon.
 *
 * Offsets never change: a batch keeps its base offset, last offset delta,
 * producer, sequence and leader epoch, a record its offset delta. Codecs stay
 * as well, unless the result would be smaller than a reader believes.
 */
#include "config.h"

#include "plog/sieve.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/varint.h"
#include "record/batch.h"
#include "record/compress.h"

enum {
    MAP_BYTES = 16 << 20,
    AT_LENGTH = 8,               /* drawn in record/batch.h */
    AT_CRC = 17,
    AT_ATTRIBUTES = 21,
    AT_BASE_TIMESTAMP = 27,
    AT_MAX_TIMESTAMP = 35,
    AT_RECORD_COUNT = 57,
};

/* ----------------------------------------------------------- open, close */

static int
aborted_cmp(const void *a, const void *b)
{
    const struct plog_aborted *x = a, *y = b;

    if (x->producer_id != y->producer_id)
        return x->producer_id < y->producer_id ? -1 : 1;
    return (x->first_offset > y->first_offset) -
        (x->first_offset < y->first_offset);
}

static int
producer_cmp(const void *a, const void *b)
{
    const struct plog_producer *x = a, *y = b;

    return (x->producer_id > y->producer_id) -
        (x->producer_id < y->producer_id);
}

static void *
sorted(const void *items, size_t count, size_t size,
    int (*cmp)(const void *, const void *))
{
    void *copy;

    if (count == 0)
        return NULL;
    copy = xmemdup(items, count * size);
    qsort(copy, count, size, cmp);
    return copy;
}

void
sieve_init(struct sieve *s, const struct plog_clean_options *o)
{
    memset(s, 0, sizeof *s);
    s->opts = o;
    keymap_init(&s->map, o->map_bytes > 0 ? o->map_bytes : MAP_BYTES,
        o->seed);
    s->aborted = sorted(o->aborted, o->aborted_count, sizeof *o->aborted,
        aborted_cmp);
    s->producers = sorted(o->producers, o->producer_count,
        sizeof *o->producers, producer_cmp);
    table_init(&s->open);
    arena_init(&s->arena, DECOMPRESSED_MAX + 1 * MIB);
    buf_init(&s->out, FRAME_BYTES_MAX);
}

void
sieve_release(struct sieve *s)
{
    int64_t *id;

    for (size_t i = 0; (id = table_next(&s->open, &i)) != NULL;)
        free(id);
    table_release(&s->open);
    keymap_release(&s->map);
    free(s->aborted);
    free(s->producers);
    arena_release(&s->arena);
    buf_release(&s->out);
}

/* ----------------------------------------------------------- transactions */

/* Of the ranges of this producer, the last one that begins at or before the
 * batch decides: they do not overlap. NULL: it is in none. */
static const struct plog_aborted *
range_of(const struct sieve *s, const struct batch *b)
{
    size_t lo = 0, hi = s->opts->aborted_count;
    const struct plog_aborted key = {b->producer_id, b->base_offset, 0};

    if ((b->attributes & BATCH_TRANSACTIONAL) == 0)
        return NULL;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (aborted_cmp(&s->aborted[mid], &key) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0 || s->aborted[lo - 1].producer_id != b->producer_id ||
        s->aborted[lo - 1].last_offset < b->base_offset)
        return NULL;
    return &s->aborted[lo - 1];
}

/* Data of a transaction is there: its marker must stay. */
static void
data_met(struct sieve *s, const struct batch *b)
{
    int64_t id = b->producer_id;
    struct span key = span_of((const uint8_t *)&id, sizeof id);
    int64_t *own;

    if ((b->attributes & BATCH_TRANSACTIONAL) == 0 ||
        table_get(&s->open, key) != NULL)
        return;
    own = xmemdup(&id, sizeof id);
    table_put(&s->open, span_of((const uint8_t *)own, sizeof id), own);
}

/* A marker: was there data since the one before? */
static bool
marker_met(struct sieve *s, const struct batch *b)
{
    int64_t id = b->producer_id;
    int64_t *own =
        table_del(&s->open, span_of((const uint8_t *)&id, sizeof id));

    free(own);
    return own != NULL;
}

static bool
is_last_of_producer(const struct sieve *s, const struct batch *b)
{
    struct plog_producer key = {.producer_id = b->producer_id};
    const struct plog_producer *p;

    if (b->producer_id < 0 || s->opts->producer_count == 0)
        return false;
    p = bsearch(&key, s->producers, s->opts->producer_count, sizeof key,
        producer_cmp);
    if (p == NULL)
        return false;
    if (p->last_offset >= 0)
        return p->last_offset == batch_last_offset(b);
    return (b->attributes & BATCH_CONTROL) != 0 &&
        b->producer_epoch == p->epoch;
}

/* --------------------------------------------------------------- learning */

int
sieve_learn(struct sieve *s, struct span bytes, int64_t from,
    struct err *err)
{
    struct batch_iter it;
    struct record r;
    struct batch b;
    int rc;

    if (batch_parse(bytes, &b) != BATCH_OK)
        return err_set(err, ERR_DAMAGE, "it is no batch");
    arena_reset(&s->arena);
    if ((b.attributes & BATCH_CONTROL) != 0 || range_of(s, &b) != NULL) {
        s->map_end = batch_last_offset(&b) + 1;
        return 1;
    }
    if (batch_iter_init(&it, &b, &s->arena, err) != 0)
        return -1;
    while ((rc = batch_iter_next(&it, &r, err)) > 0) {
        if (r.offset < from || r.key.ptr == NULL)
            continue;
        if (!keymap_put(&s->map, r.key, r.offset)) {
            s->map_end = r.offset;
            return 0;
        }
    }
    s->map_end = batch_last_offset(&b) + 1;
    return rc == 0 ? 1 : -1;
}

/* ---------------------------------------------------------------- judging */

struct verdict {                 /* on a batch */
    struct batch batch;
    bool control;
    bool drop;                   /* all of its records */
    bool emptied;                /* a marker without data */
    bool expired;                /* its horizon has passed */
    uint32_t read, kept;
    bool tombstones;             /* among the kept */
};

static bool
has_horizon(const struct batch *b)
{
    return (b->attributes & BATCH_DELETE_HORIZON) != 0;
}

static void
judge_batch(struct sieve *s, struct verdict *v)
{
    const struct batch *b = &v->batch;
    const struct plog_aborted *range = range_of(s, b);

    v->control = (b->attributes & BATCH_CONTROL) != 0;
    v->expired = has_horizon(b) && b->base_timestamp <= s->opts->now_ms;
    if (v->control) {
        v->emptied = !marker_met(s, b);
        v->drop = v->emptied && v->expired && range == NULL;
        if (v->emptied && v->expired && range != NULL &&
            s->opts->emptied != NULL)
            s->opts->emptied(s->opts->arg, range);
    } else {
        data_met(s, b);
        v->drop = range != NULL;
    }
}

static bool
record_stays(const struct sieve *s, const struct verdict *v,
    const struct record *r)
{
    if (v->drop)
        return false;
    if (v->control || r->offset >= s->map_end)
        return true;
    if (r->key.ptr == NULL || keymap_get(&s->map, r->key) > r->offset)
        return false;
    return r->value.ptr != NULL || !v->expired;
}

/* ---------------------------------------------------------------- writing */

static void
put_bytes(struct buf *out, struct span s)
{
    if (s.ptr == NULL) {
        buf_put_svarint(out, -1);
        return;
    }
    buf_put_svarint(out, (int64_t)s.len);
    buf_put_span(out, s);
}

static size_t
size_bytes(struct span s)
{
    return s.ptr == NULL ? 1 : varint_size_s64((int64_t)s.len) + s.len;
}

static void
put_record(struct buf *out, const struct batch *b, int64_t base_timestamp,
    const struct record *r)
{
    int64_t since = (int64_t)((uint64_t)r->timestamp -
        (uint64_t)base_timestamp);
    int64_t delta = r->offset - b->base_offset;
    size_t len = 1 + varint_size_s64(since) + varint_size_s64(delta) +
        size_bytes(r->key) + size_bytes(r->value) +
        varint_size_s64(r->header_count) + r->headers.len;

    buf_put_svarint(out, (int64_t)len);
    buf_put_u8(out, 0);          /* attributes: none is defined */
    buf_put_svarint(out, since);
    buf_put_svarint(out, delta);
    put_bytes(out, r->key);
    put_bytes(out, r->value);
    buf_put_svarint(out, r->header_count);
    buf_put_span(out, r->headers);
}

/* Length, attributes, times, count and CRC; the rest is the old header's. */
static void
finish(struct buf *out, uint16_t attributes, int64_t base_timestamp,
    int64_t max_timestamp, uint32_t count)
{
    uint8_t *p = out->ptr;

    put_be32(p + AT_LENGTH, (uint32_t)(out->len - BATCH_LENGTH_FROM));
    put_be16(p + AT_ATTRIBUTES, attributes);
    put_be64(p + AT_BASE_TIMESTAMP, (uint64_t)base_timestamp);
    put_be64(p + AT_MAX_TIMESTAMP, (uint64_t)max_timestamp);
    put_be32(p + AT_RECORD_COUNT, count);
    put_be32(p + AT_CRC,
        crc32c(0, p + BATCH_CRC_FROM, out->len - BATCH_CRC_FROM));
}

static void
make_empty(struct sieve *s, const struct batch *b)
{
    buf_clear(&s->out);
    buf_put(&s->out, b->bytes.ptr, BATCH_HEADER);
    finish(&s->out, b->attributes &
            (uint16_t)~(BATCH_CODEC_MASK | BATCH_DELETE_HORIZON),
        -1, b->max_timestamp, 0);
}

/* As the builder of record/build.c does it. */
static int
pack(struct sieve *s, uint16_t *attributes, struct err *err)
{
    size_t size = s->out.len - BATCH_HEADER;
    struct buf packed;
    int rc;

    if ((*attributes & BATCH_CODEC_MASK) == CODEC_NONE)
        return 0;
    buf_init(&packed, FRAME_BYTES_MAX);
    rc = codec_compress((enum codec)(*attributes & BATCH_CODEC_MASK),
        span_of(s->out.ptr + BATCH_HEADER, size), &packed, err);
    if (rc == 0 && size > batch_decompressed_max(packed.len)) {
        *attributes &= (uint16_t)~BATCH_CODEC_MASK;
    } else if (rc == 0) {
        s->out.len = BATCH_HEADER;
        buf_put_span(&s->out, buf_span(&packed));
    }
    buf_release(&packed);
    return rc;
}

/* The records that stay, once more from the start of the batch. */
static int
make_new(struct sieve *s, const struct verdict *v, struct batch_iter it,
    bool horizon, struct err *err)
{
    const struct batch *b = &v->batch;
    uint16_t attributes = b->attributes;
    int64_t base = b->base_timestamp, max = INT64_MIN;
    bool first = !has_horizon(b);
    struct record r;

    if (horizon) {
        base = s->opts->now_ms > INT64_MAX - s->opts->delete_retention_ms
            ? INT64_MAX : s->opts->now_ms + s->opts->delete_retention_ms;
        attributes |= BATCH_DELETE_HORIZON;
        first = false;
    }
    buf_clear(&s->out);
    buf_put(&s->out, b->bytes.ptr, BATCH_HEADER);
    while (batch_iter_next(&it, &r, NULL) > 0) {
        if (!record_stays(s, v, &r))
            continue;
        if (first)
            base = r.timestamp;
        first = false;
        if (r.timestamp > max)
            max = r.timestamp;
        put_record(&s->out, b, base, &r);
    }
    if ((b->attributes & BATCH_LOG_APPEND_TIME) != 0)
        max = b->max_timestamp;
    if (s->out.failed || pack(s, &attributes, err) != 0 || s->out.failed)
        return -1;
    finish(&s->out, attributes, base, max, v->kept);
    return 0;
}

/* -------------------------------------------------------------- one batch */

static int
judge_records(const struct sieve *s, struct verdict *v, struct batch_iter it,
    struct err *err)
{
    struct record r;
    int rc;

    while ((rc = batch_iter_next(&it, &r, err)) > 0) {
        v->read++;
        if (!record_stays(s, v, &r))
            continue;
        v->kept++;
        if (r.value.ptr == NULL)
            v->tombstones = true;
    }
    return rc;
}

static int
left_of(struct sieve *s, struct verdict *v, bool keep, struct span *left,
    struct err *err)
{
    struct batch_iter it;
    bool horizon;

    if (v->batch.record_count > 0 && !v->drop) {
        if (batch_iter_init(&it, &v->batch, &s->arena, err) != 0 ||
            judge_records(s, v, it, err) != 0)
            return -1;
    }
    if (v->kept == 0) {
        *left = SPAN_NULL;
        if (keep && v->batch.record_count == 0) {
            *left = v->batch.bytes;
        } else if (keep) {
            make_empty(s, &v->batch);
            *left = buf_span(&s->out);
        }
        return 0;
    }
    horizon = (v->tombstones || v->emptied) && !has_horizon(&v->batch);
    *left = v->batch.bytes;
    if (v->kept == v->read && !horizon)
        return 0;
    if (make_new(s, v, it, horizon, err) == 0) {
        *left = buf_span(&s->out);
        return 0;
    }
    /* Too large, or a codec without memory: all of it may stay for now. */
    buf_release(&s->out);
    buf_init(&s->out, FRAME_BYTES_MAX);
    v->kept = v->read;
    return 0;
}

int
sieve_batch(struct sieve *s, struct span bytes, bool keep, struct span *left,
    struct err *err)
{
    struct verdict v = {.control = false};

    if (batch_parse(bytes, &v.batch) != BATCH_OK)
        return err_set(err, ERR_DAMAGE, "it is no batch");
    arena_reset(&s->arena);
    judge_batch(s, &v);
    if (is_last_of_producer(s, &v.batch))
        keep = true;
    if (left_of(s, &v, keep, left, err) != 0)
        return -1;
    s->records_read += (uint32_t)v.batch.record_count;
    s->records_kept += v.kept;
    return 0;
}
