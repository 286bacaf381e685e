/*
 * What is read here may come from anybody: a client's request, a damaged
 * disk. So:
 *
 *  1. A length is compared with what is left (end - pos); nothing is added
 *     to a pointer before that.
 *  2. A count is believed only as far as the bytes left can hold that many of
 *     the smallest thing counted: RECORD_MIN for a record, HEADER_MIN for a
 *     header. Nothing is allocated by a count.
 *  3. Sums of timestamps wrap around, as they do in Java; build.c takes
 *     their differences in the same way, so that every timestamp survives.
 *
 * A record: length varint, attributes i8, timestamp delta varlong, offset
 * delta varint, key length varint (-1: null), key, value length, value, count
 * of headers varint, headers; a header: key length, key, value length (-1:
 * null), value. The varints are zigzag. length counts from attributes on.
 */
#include "config.h"
#include "record/batch.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/varint.h"
#include "record/compress.h"
#include "record/record_priv.h"

enum {
    RECORD_MIN = 7,              /* seven fields of a byte each */
    HEADER_MIN = 2,              /* empty key, empty value */
};

#define RATIO_FREE (1 * MIB)    /* see DECOMPRESSION_RATIO_MAX */

/* The header. */

static void
header_decode(const uint8_t *p, struct batch *b)
{
    b->base_offset = (int64_t)get_be64(p + AT_BASE_OFFSET);
    b->leader_epoch = (int32_t)get_be32(p + AT_LEADER_EPOCH);
    b->crc = get_be32(p + AT_CRC);
    b->attributes = get_be16(p + AT_ATTRIBUTES);
    b->last_offset_delta = (int32_t)get_be32(p + AT_LAST_OFFSET_DELTA);
    b->base_timestamp = (int64_t)get_be64(p + AT_BASE_TIMESTAMP);
    b->max_timestamp = (int64_t)get_be64(p + AT_MAX_TIMESTAMP);
    b->producer_id = (int64_t)get_be64(p + AT_PRODUCER_ID);
    b->producer_epoch = (int16_t)get_be16(p + AT_PRODUCER_EPOCH);
    b->base_sequence = (int32_t)get_be32(p + AT_BASE_SEQUENCE);
    b->record_count = (int32_t)get_be32(p + AT_RECORD_COUNT);
}

/* The magic is judged first: in the formats 0 and 1 it lies at the same place,
 * and their smallest length is another. */
enum batch_status
batch_parse(struct span in, struct batch *b)
{
    int32_t length;

    if (in.len <= AT_MAGIC)
        return BATCH_SHORT;
    if (in.ptr[AT_MAGIC] != MAGIC_V2)
        return BATCH_BAD_MAGIC;
    length = (int32_t)get_be32(in.ptr + AT_LENGTH);
    if (length < BATCH_HEADER - BATCH_LENGTH_FROM)
        return BATCH_BAD_LENGTH;
    if ((size_t)length > in.len - BATCH_LENGTH_FROM)
        return BATCH_SHORT;
    header_decode(in.ptr, b);
    b->bytes = span_of(in.ptr, (size_t)length + BATCH_LENGTH_FROM);
    return BATCH_OK;
}

size_t
batch_decompressed_max(size_t size)
{
    size_t by_ratio = DECOMPRESSED_MAX;

    if (size <= DECOMPRESSED_MAX / DECOMPRESSION_RATIO_MAX)
        by_ratio = size * DECOMPRESSION_RATIO_MAX;
    return by_ratio < RATIO_FREE ? RATIO_FREE : by_ratio;
}

static enum codec
batch_codec(const struct batch *b)
{
    return (enum codec)(b->attributes & BATCH_CODEC_MASK);
}

/* Whether the bytes behind the header can hold record_count records. */
static bool
count_fits(const struct batch *b)
{
    size_t size = b->bytes.len - BATCH_HEADER;

    if (b->record_count == 0)
        return size == 0;
    if (batch_codec(b) != CODEC_NONE)
        size = size == 0 ? 0 : batch_decompressed_max(size);
    return (size_t)b->record_count <= size / RECORD_MIN;
}

/* Whether the last offset is one, and there is one for each record. */
static bool
offsets_fit(const struct batch *b)
{
    return b->last_offset_delta >= 0
        && b->base_offset <= INT64_MAX - b->last_offset_delta
        && b->record_count >= 0
        && b->record_count - 1 <= b->last_offset_delta;
}

/* The CRC is judged first, so that damage is called damage and the rest
 * tells of a client that writes nonsense. */
enum batch_status
batch_check(const struct batch *b)
{
    assert(b->bytes.len >= BATCH_HEADER);
    if (crc32c(0, b->bytes.ptr + BATCH_CRC_FROM,
            b->bytes.len - BATCH_CRC_FROM) != b->crc)
        return BATCH_BAD_CRC;
    if (batch_codec(b) > CODEC_ZSTD)
        return BATCH_BAD_HEADER;
    if (!offsets_fit(b) || !count_fits(b))
        return BATCH_BAD_HEADER;
    return BATCH_OK;
}

enum batch_status
batch_check_produce(const struct batch *b)
{
    const int forbidden =
        BATCH_CONTROL | BATCH_LOG_APPEND_TIME | BATCH_DELETE_HORIZON;

    if ((b->attributes & forbidden) != 0)
        return BATCH_BAD_HEADER;
    if (b->record_count <= 0 || b->record_count - 1 != b->last_offset_delta)
        return BATCH_BAD_HEADER;
    if (b->producer_id < -1)
        return BATCH_BAD_HEADER;
    if (b->producer_id >= 0 && (b->producer_epoch < 0 || b->base_sequence < 0))
        return BATCH_BAD_HEADER;
    if (b->producer_id < 0 && (b->attributes & BATCH_TRANSACTIONAL) != 0)
        return BATCH_BAD_HEADER;
    return BATCH_OK;
}

const char *
batch_status_text(enum batch_status status)
{
    switch (status) {
    case BATCH_OK:
        return "the batch is whole";
    case BATCH_SHORT:
        return "the bytes end within the batch";
    case BATCH_BAD_MAGIC:
        return "the batch is not of format 2";
    case BATCH_BAD_LENGTH:
        return "the batch is shorter than its header";
    case BATCH_BAD_CRC:
        return "the batch does not match its checksum";
    case BATCH_BAD_HEADER:
        return "the header of the batch contradicts itself or the request";
    }
    unreachable("a status that the enum does not have");
    return NULL;
}

/* Kafka answers an old format, like what its LogValidator refuses, with
 * INVALID_RECORD; what the client should send again, with CORRUPT_MESSAGE. */
enum kerr
batch_status_kerr(enum batch_status status)
{
    switch (status) {
    case BATCH_OK:
        return KERR_NONE;
    case BATCH_BAD_MAGIC:
    case BATCH_BAD_HEADER:
        return KERR_INVALID_RECORD;
    case BATCH_SHORT:
    case BATCH_BAD_LENGTH:
    case BATCH_BAD_CRC:
        return KERR_CORRUPT_MESSAGE;
    }
    unreachable("a status that the enum does not have");
    return KERR_UNKNOWN_SERVER_ERROR;
}

void
batch_stamp(uint8_t *bytes, int64_t base_offset, int32_t leader_epoch)
{
    put_be64(bytes + AT_BASE_OFFSET, (uint64_t)base_offset);
    put_be32(bytes + AT_LEADER_EPOCH, (uint32_t)leader_epoch);
}

/* Fields of a record. Each moves *p over what it read, or returns false. */

static bool
read_s32(const uint8_t **p, const uint8_t *end, int32_t *v)
{
    size_t n = varint_get_s32(*p, end, v);

    *p += n;
    return n != 0;
}

static bool
read_s64(const uint8_t **p, const uint8_t *end, int64_t *v)
{
    size_t n = varint_get_s64(*p, end, v);

    *p += n;
    return n != 0;
}

/* A length, then as many bytes; -1 is null. */
static bool
read_bytes(const uint8_t **p, const uint8_t *end, struct span *v)
{
    int32_t len;

    if (!read_s32(p, end, &len) || len < -1)
        return false;
    if (len == -1) {
        *v = SPAN_NULL;
        return true;
    }
    if (len > end - *p)
        return false;
    *v = span_of(*p, (size_t)len);
    *p += len;
    return true;
}

static bool
read_header(const uint8_t **p, const uint8_t *end, struct span *key,
    struct span *value)
{
    return read_bytes(p, end, key) && key->ptr != NULL
        && read_bytes(p, end, value);
}

int
headers_next(struct span *rest, struct span *key, struct span *value)
{
    const uint8_t *p = rest->ptr, *end;

    if (rest->len == 0)
        return 0;
    end = p + rest->len;
    if (!read_header(&p, end, key, value))
        return -1;
    *rest = span_of(p, (size_t)(end - p));
    return 1;
}

/* The headers are walked, though few ask for them: they are copied as they
 * stand into other batches (batch_builder_add_raw), and a wrong count would
 * make a record there that nobody can read. */
static bool
read_headers(const uint8_t *p, const uint8_t *end, struct record *r)
{
    struct span key, value;

    if (!read_s32(&p, end, &r->header_count) || r->header_count < 0
        || r->header_count > (end - p) / HEADER_MIN)
        return false;
    r->headers = span_of(p, (size_t)(end - p));
    for (int32_t i = 0; i < r->header_count; i++)
        if (!read_header(&p, end, &key, &value))
            return false;
    return p == end;
}

/* The iterator. */

static int
iter_fail(struct batch_iter *it, struct err *err, const char *what)
{
    it->left = -1;
    return err_set(err, ERR_DAMAGE, "batch at offset %lld: %s",
        (long long)it->batch.base_offset, what);
}

static int
records_decompress(struct batch_iter *it, struct arena *arena,
    struct err *err)
{
    struct span in = span_of(it->pos, (size_t)(it->end - it->pos)), out;
    size_t limit = batch_decompressed_max(in.len);
    struct buf buf;
    int rc;

    if (limit > arena->limit - arena->used)
        limit = arena->limit - arena->used;
    buf_init(&buf, limit);
    rc = codec_decompress(batch_codec(&it->batch), in, &buf, limit, err);
    if (rc == 0 && buf.len != 0) {
        out = arena_copy(arena, buf_span(&buf));
        if (out.ptr == NULL)
            rc = err_set(err, ERR_LIMIT, "no room for %zu bytes of records",
                buf.len);
        it->pos = out.ptr;
        it->end = out.ptr + out.len;
    } else {
        it->end = it->pos;
    }
    buf_release(&buf);
    if (rc != 0)
        it->left = -1;
    return rc;
}

int
batch_iter_init(struct batch_iter *it, const struct batch *b,
    struct arena *arena, struct err *err)
{
    assert(b->bytes.len >= BATCH_HEADER);
    *it = (struct batch_iter){
        .batch = *b,
        .pos = b->bytes.ptr + BATCH_HEADER,
        .end = b->bytes.ptr + b->bytes.len,
        .left = b->record_count,
        .delta = -1,
    };
    if (!offsets_fit(b) || !count_fits(b))
        return iter_fail(it, err, "it cannot hold as many records as it says");
    if (b->record_count != 0 && batch_codec(b) != CODEC_NONE)
        return records_decompress(it, arena, err);
    return 0;
}

/* The body of a record: exactly the bytes from p to end. */
static bool
read_record(struct batch_iter *it, const uint8_t *p, const uint8_t *end,
    struct record *r)
{
    const struct batch *b = &it->batch;
    int64_t since;
    int32_t delta;

    if (p == end)
        return false;
    p++;                         /* attributes: none is defined */
    if (!read_s64(&p, end, &since) || !read_s32(&p, end, &delta)
        || !read_bytes(&p, end, &r->key) || !read_bytes(&p, end, &r->value)
        || !read_headers(p, end, r))
        return false;
    if (delta <= it->delta || delta > b->last_offset_delta)
        return false;
    it->delta = delta;
    r->offset = b->base_offset + delta;
    r->timestamp = (b->attributes & BATCH_LOG_APPEND_TIME) != 0
        ? b->max_timestamp
        : (int64_t)((uint64_t)b->base_timestamp + (uint64_t)since);
    return true;
}

int
batch_iter_next(struct batch_iter *it, struct record *r, struct err *err)
{
    const uint8_t *p = it->pos;
    int32_t len;

    if (it->left < 0)
        return iter_fail(it, err, "it was found damaged before");
    if (it->left == 0) {
        if (p != it->end)
            return iter_fail(it, err, "bytes follow its last record");
        return 0;
    }
    if (!read_s32(&p, it->end, &len) || len < 0 || len > it->end - p)
        return iter_fail(it, err, "a record is longer than what is left");
    if (!read_record(it, p, p + len, r))
        return iter_fail(it, err, "the fields of a record do not fit it");
    it->pos = p + len;
    it->left--;
    return 1;
}
