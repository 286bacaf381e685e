/*
 * producer.h: what one partition knows of its idempotent producers (KIP-98):
 * the epoch and the last five batches of each, so that a retry is answered
 * with its first offset instead of being appended again, also after a
 * restart. A pure state machine; the loop's.
 */
#ifndef PARTITION_PRODUCER_H
#define PARTITION_PRODUCER_H

#include "base/limits.h"
#include "base/table.h"
#include "record/batch.h"
#include "record/kerr.h"

struct producer_batch {
    int32_t first_seq, last_seq;
    int64_t base_offset, last_offset;
    int64_t timestamp;           /* the batch's newest */
};

struct producer {
    int64_t id;                  /* the table's key, in our byte order */
    int16_t epoch;
    uint8_t count;               /* of window, oldest first */
    struct producer_batch window[PRODUCER_WINDOW];
    int64_t used_ms;             /* appliance clock */
};

struct producers {
    struct table by_id;
};

void producers_init(struct producers *);
void producers_release(struct producers *);
struct producer *producers_get(const struct producers *, int64_t id);
struct producer *producers_make(struct producers *, int64_t id);

enum producer_verdict {
    PRODUCER_NEXT,               /* append it */
    PRODUCER_DUPLICATE,          /* *known: what it was given then */
    PRODUCER_REFUSED,            /* *error */
};

/* Judges a batch with a producer id by its header alone. */
enum producer_verdict producers_check(const struct producers *,
    const struct batch *, struct producer_batch *known, enum kerr *error);
/* The batch was linked, its offset is in the header. */
struct producer *producers_apply(struct producers *, const struct batch *,
    int64_t now_ms);

/* Sequences count from 0 to 2^31-1 and begin again. */
int32_t sequence_add(int32_t seq, int32_t n);

#endif
