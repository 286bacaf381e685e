/*
 * reader.h: reads partitions of one topic: fetch loop, batches, records.
 *
 *     reader_seek() for each partition
 *     while (!reader_done()) {
 *         reader_poll(r, wait_ms)              one Fetch
 *         while (reader_next(r, &record) == 1) its records, by partition
 *     }
 *
 *  1. position = the next offset that reader_next() may give out. It is past
 *     a record as soon as that record was given out.
 *  2. Records at or past `end` are not given out; a partition whose position
 *     has reached it is done and not fetched any more.
 *  3. Every batch's CRC is checked. Damage is ERR_DAMAGE and names the place.
 *  4. Control batches, and after client_read_committed() the records of
 *     aborted transactions, are passed over (KIP-98).
 *
 * Ownership: a record lives until the next reader_next() or reader_poll().
 * Thread: that of its client.
 */
#ifndef CLIENT_READER_H
#define CLIENT_READER_H

#include "client/client.h"
#include "record/batch.h"

struct reader;

struct reader_part {
    int32_t partition;
    int64_t position, end;
    int64_t skipped;             /* offsets that were gone before we came */
};

struct reader_record {
    const struct client_topic *topic;
    int32_t partition;
    struct record record;
};

/* The topic and the client must outlive it. */
struct reader *reader_new(struct client *, const struct client_topic *);
void reader_free(struct reader *);

/* Adds a partition or moves it. end: INT64_MAX: for ever. */
void reader_seek(struct reader *, int32_t partition, int64_t position,
    int64_t end);
/* No partitions. */
void reader_clear(struct reader *);
const struct reader_part *reader_parts(const struct reader *, size_t *count);
bool reader_done(const struct reader *);

/* One Fetch that waits up to wait_ms for a first byte. What was not taken of
 * the fetch before is dropped, and will come again. */
int reader_poll(struct reader *, int wait_ms, struct err *);
int reader_next(struct reader *, struct reader_record *, struct err *);

#endif
