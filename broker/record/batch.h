/*
 * batch.h: Kafka's record batch v2 (KIP-98): a header of 61 bytes, then the
 * records, compressed together or not. The broker treats a batch as opaque:
 * it checks header and CRC and writes base offset and leader epoch in place,
 * which lie outside the CRC.
 *
 *    0 baseOffset i64 | 8 batchLength i32 | 12 partitionLeaderEpoch i32 |
 *   16 magic i8 = 2 | 17 crc u32 of all that follows | 21 attributes i16 |
 *   23 lastOffsetDelta i32 | 27 baseTimestamp i64 | 35 maxTimestamp i64 |
 *   43 producerId i64 | 51 producerEpoch i16 | 53 baseSequence i32 |
 *   57 recordCount i32 | 61 records
 *
 * batchLength counts from byte 12 on. Ownership: everything here borrows.
 */
#ifndef RECORD_BATCH_H
#define RECORD_BATCH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "record/kerr.h"

enum { BATCH_HEADER = 61, BATCH_LENGTH_FROM = 12, BATCH_CRC_FROM = 21 };

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD };

enum {
    BATCH_CODEC_MASK = 0x07,
    BATCH_LOG_APPEND_TIME = 0x08,
    BATCH_TRANSACTIONAL = 0x10,
    BATCH_CONTROL = 0x20,
    BATCH_DELETE_HORIZON = 0x40,
};

struct batch {                   /* the header, decoded */
    int64_t base_offset;
    int32_t leader_epoch;
    uint32_t crc;
    uint16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp, max_timestamp;       /* ms since 1970 */
    int64_t producer_id;                         /* -1: none */
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t record_count;
    struct span bytes;           /* the whole batch, header included */
};

static inline int64_t
batch_last_offset(const struct batch *b)
{
    return b->base_offset + b->last_offset_delta;
}

enum batch_status {
    BATCH_OK,
    BATCH_SHORT,                 /* `in` ends within the batch */
    BATCH_BAD_MAGIC,             /* magic 0 or 1, or unknown */
    BATCH_BAD_LENGTH,
    BATCH_BAD_CRC,               /* batch_check() only */
    BATCH_BAD_HEADER,            /* counts or deltas that contradict */
};

/* Decodes the header of the batch at the start of `in`; b->bytes is cut to
 * the batch. Reads only the header; no CRC. */
enum batch_status batch_parse(struct span in, struct batch *b);
/* CRC and consistency of the header's counts with each other and with the
 * bytes there are. It holds for every batch of a log: compaction leaves gaps
 * (record_count below last_offset_delta + 1) and, to remember a producer,
 * headers without records. base_offset is not judged, as it is the broker
 * that gives it; neither are the timestamps of the header, since Sarama
 * before 1.45.1 writes max_timestamp as -1. */
enum batch_status batch_check(const struct batch *b);
/* What a batch that comes from a client must satisfy besides (Kafka does the
 * same in LogValidator): at least one record and record_count ==
 * last_offset_delta + 1, because the broker hands out that many offsets
 * without looking inside; no control batch, since a client could end the
 * transaction of another; no broker's bits (log append time, delete
 * horizon); with a producer id its epoch and sequence, with the transaction
 * bit a producer id. BATCH_OK or BATCH_BAD_HEADER. */
enum batch_status batch_check_produce(const struct batch *b);
const char *batch_status_text(enum batch_status);
/* What a client that produced the batch is told. */
enum kerr batch_status_kerr(enum batch_status);

/* Writes the fields outside the CRC, in place. */
void batch_stamp(uint8_t *bytes, int64_t base_offset, int32_t leader_epoch);

/* The bytes that the records of a batch may have when decompressed, `size`
 * being what they have compressed: DECOMPRESSED_MAX and
 * DECOMPRESSION_RATIO_MAX of limits.h. */
size_t batch_decompressed_max(size_t size);

struct record {
    int64_t offset, timestamp;
    struct span key, value;      /* null span: null */
    struct span headers;         /* raw: headers_next() */
    int32_t header_count;
};

/* Walks the records. Decompresses into the arena first where needed, within
 * DECOMPRESSED_MAX and DECOMPRESSION_RATIO_MAX (limits.h). */
struct batch_iter {              /* private */
    struct batch batch;
    const uint8_t *pos, *end;
    int32_t left;
    int32_t delta;               /* of the previous record, -1 before all */
};

int batch_iter_init(struct batch_iter *, const struct batch *,
    struct arena *, struct err *);
/* 1: a record, 0: the end, -1: damaged (err). Spans point into the batch or
 * the arena. A record that is given out is whole: its headers have been
 * walked and its offset is above the one before it. After -1 the iterator
 * stays at -1. */
int batch_iter_next(struct batch_iter *, struct record *, struct err *);

/* The header at the start of *rest, which begins as r->headers and is
 * advanced. Same results; -1 only for bytes that no iterator gave. */
int headers_next(struct span *rest, struct span *key, struct span *value);

/* Builds one batch, record by record, straight into `out`, behind what is
 * there. Offsets begin at 0, timestamps at the first record's. Between init
 * and end nobody else writes to `out`. To give a batch up, cut out->len back
 * to what it was. A record that has no room, or is larger than the format
 * can say, sets out->failed. */
struct batch_builder {           /* private */
    struct buf *out;
    size_t start;
    int64_t base_timestamp, max_timestamp;
    int32_t count;
    bool open;
};

struct header {
    struct span key, value;
};

struct batch_build {             /* what a builder may set at its end */
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    uint16_t attributes;         /* the codec is taken from here */
};

#define BATCH_BUILD_PLAIN ((struct batch_build){-1, -1, -1, 0})

void batch_builder_init(struct batch_builder *, struct buf *out);
/* Bytes of the batch so far, before compression. */
static inline size_t
batch_builder_size(const struct batch_builder *b)
{
    return b->out->len - b->start;
}
void batch_builder_add(struct batch_builder *, int64_t timestamp,
    struct span key, struct span value, const struct header *, size_t count);
/* As above with headers already in wire form (record.headers). */
void batch_builder_add_raw(struct batch_builder *, int64_t timestamp,
    struct span key, struct span value, struct span headers,
    int32_t header_count);
/* Completes header and CRC, compresses if asked (not what would compress
 * beyond batch_decompressed_max(), which no reader here would take). 0, or -1 (out->failed, the
 * codec failed, or no record was added: ERR_USAGE); then nothing of the
 * batch is left in `out`. */
int batch_builder_end(struct batch_builder *, const struct batch_build *,
    struct err *);

#endif
