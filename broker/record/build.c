/*
 * The way of every record that a task or the program writes, so it is made
 * to be quick: sizes are computed first, room for the record is reserved
 * once, and varints, key and value go straight to where they stay. The header
 * is a gap until the end, when its values are known.
 *
 * The two varint functions are twins of those in base/varint.c that the
 * compiler can put in line and that need no slack behind the last byte.
 */
#include "config.h"
#include "record/batch.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "record/compress.h"
#include "record/record_priv.h"

static inline uint64_t
zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static inline size_t
size_s64(int64_t v)
{
    return (size_t)(70 - __builtin_clzll(zigzag(v) | 1)) / 7;
}

static inline uint8_t *
put_s64(uint8_t *p, int64_t v)
{
    uint64_t z = zigzag(v);

    for (; z >= 0x80; z >>= 7)
        *p++ = (uint8_t)(z | 0x80);
    *p++ = (uint8_t)z;
    return p;
}

/* Bytes with their length before them; a null span is the length -1. */
static inline size_t
size_bytes(struct span s)
{
    return s.ptr == NULL ? 1 : size_s64((int64_t)s.len) + s.len;
}

static inline uint8_t *
put_bytes(uint8_t *p, struct span s)
{
    if (s.ptr == NULL)
        return put_s64(p, -1);
    p = put_s64(p, (int64_t)s.len);
    if (s.len != 0)
        memcpy(p, s.ptr, s.len);
    return p + s.len;
}

void
batch_builder_init(struct batch_builder *b, struct buf *out)
{
    *b = (struct batch_builder){.out = out, .start = out->len, .open = true};
    buf_grow(out, BATCH_HEADER);
}

/* Writes all of a record but its headers, for which `size` bytes are left
 * free: returns where they go. NULL: no room. */
static uint8_t *
builder_record(struct batch_builder *b, int64_t timestamp, struct span key,
    struct span value, size_t count, size_t size)
{
    int64_t since;
    size_t len;
    uint8_t *p;

    assert(b->open);
    if (b->count == 0)
        b->base_timestamp = b->max_timestamp = timestamp;
    since = (int64_t)((uint64_t)timestamp - (uint64_t)b->base_timestamp);
    if (key.len > INT32_MAX || value.len > INT32_MAX || size > INT32_MAX
        || count > INT32_MAX || b->count == INT32_MAX) {
        b->out->failed = true;
        return NULL;
    }
    len = 1 + size_s64(since) + size_s64(b->count) + size_bytes(key)
        + size_bytes(value) + size_s64((int64_t)count) + size;
    if (len > INT32_MAX) {
        b->out->failed = true;
        return NULL;
    }
    p = buf_reserve(b->out, len + size_s64((int64_t)len));
    if (p == NULL)
        return NULL;
    b->out->len += len + size_s64((int64_t)len);
    p = put_s64(p, (int64_t)len);
    *p++ = 0;                    /* attributes: none is defined */
    p = put_s64(p, since);
    p = put_s64(p, b->count);
    p = put_bytes(p, key);
    p = put_bytes(p, value);
    p = put_s64(p, (int64_t)count);
    if (timestamp > b->max_timestamp)
        b->max_timestamp = timestamp;
    b->count++;
    return p;
}

void
batch_builder_add(struct batch_builder *b, int64_t timestamp, struct span key,
    struct span value, const struct header *headers, size_t count)
{
    size_t size = 0;
    uint8_t *p;

    for (size_t i = 0; i < count; i++) {
        assert(headers[i].key.ptr != NULL);
        size += size_bytes(headers[i].key) + size_bytes(headers[i].value);
    }
    p = builder_record(b, timestamp, key, value, count, size);
    for (size_t i = 0; p != NULL && i < count; i++) {
        p = put_bytes(p, headers[i].key);
        p = put_bytes(p, headers[i].value);
    }
}

void
batch_builder_add_raw(struct batch_builder *b, int64_t timestamp,
    struct span key, struct span value, struct span headers,
    int32_t header_count)
{
    uint8_t *p;

    assert(header_count >= 0);
    p = builder_record(b, timestamp, key, value, (size_t)header_count,
        headers.len);
    if (p != NULL && headers.len != 0)
        memcpy(p, headers.ptr, headers.len);
}

/* Replaces the records by what the codec makes of them; or leaves them plain
 * and takes the codec from *attributes, where that would be smaller than a
 * reader believes: what we write we must be able to read. */
static int
builder_compress(struct batch_builder *b, uint16_t *attributes,
    struct err *err)
{
    struct buf *out = b->out;
    size_t from = b->start + BATCH_HEADER, size = out->len - from;
    struct buf packed;
    int rc;

    buf_init(&packed, INT32_MAX);        /* the codecs know their bounds */
    rc = codec_compress((enum codec)(*attributes & BATCH_CODEC_MASK),
        span_of(out->ptr + from, size), &packed, err);
    if (rc == 0 && size > batch_decompressed_max(packed.len)) {
        *attributes &= (uint16_t)~BATCH_CODEC_MASK;
    } else if (rc == 0) {
        out->len = from;
        buf_put_span(out, buf_span(&packed));
    }
    buf_release(&packed);
    return rc;
}

static void
builder_header(const struct batch_builder *b, const struct batch_build *how,
    uint16_t attributes)
{
    uint8_t *p = b->out->ptr + b->start;
    size_t size = b->out->len - b->start;

    put_be64(p + AT_BASE_OFFSET, 0);
    put_be32(p + AT_LENGTH, (uint32_t)(size - BATCH_LENGTH_FROM));
    put_be32(p + AT_LEADER_EPOCH, UINT32_MAX);        /* leader epoch: not known, -1 */
    p[AT_MAGIC] = MAGIC_V2;
    put_be16(p + AT_ATTRIBUTES, attributes);
    put_be32(p + AT_LAST_OFFSET_DELTA, (uint32_t)b->count - 1);
    put_be64(p + AT_BASE_TIMESTAMP, (uint64_t)b->base_timestamp);
    put_be64(p + AT_MAX_TIMESTAMP, (uint64_t)b->max_timestamp);
    put_be64(p + AT_PRODUCER_ID, (uint64_t)how->producer_id);
    put_be16(p + AT_PRODUCER_EPOCH, (uint16_t)how->producer_epoch);
    put_be32(p + AT_BASE_SEQUENCE, (uint32_t)how->base_sequence);
    put_be32(p + AT_RECORD_COUNT, (uint32_t)b->count);
    put_be32(p + AT_CRC,
        crc32c(0, p + BATCH_CRC_FROM, size - BATCH_CRC_FROM));
}

static int
builder_finish(struct batch_builder *b, const struct batch_build *how,
    struct err *err)
{
    uint16_t attributes = how->attributes;

    if (!b->out->failed && b->count == 0)
        return err_set(err, ERR_USAGE, "a batch without records");
    if (!b->out->failed && (attributes & BATCH_CODEC_MASK) != CODEC_NONE
        && builder_compress(b, &attributes, err) != 0)
        return -1;
    if (b->out->failed || b->out->len - b->start > INT32_MAX)
        return err_set(err, ERR_LIMIT, "the batch is larger than its room");
    builder_header(b, how, attributes);
    return 0;
}

int
batch_builder_end(struct batch_builder *b, const struct batch_build *how,
    struct err *err)
{
    int rc;

    assert(b->open);
    b->open = false;
    rc = builder_finish(b, how, err);
    if (rc != 0)
        b->out->len = b->start;
    return rc;
}
