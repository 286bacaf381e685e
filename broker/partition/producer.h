/*
 * producer.h: what one partition knows of its idempotent producers (KIP-98):
 * the epoch and the last five batches of each, so that a retry is answered
 * with its first offset instead of being appended again, also after a
 * restart. A pure state machine; the loop's.
 */
#ifndef PARTITION_PRODUCER_H
#define PARTITION_PRODUCER_H

#include <sys/queue.h>

#include "base/limits.h"
#include "base/table.h"
#include "record/batch.h"
#include "record/kerr.h"

struct producer_batch {
    int32_t first_seq, last_seq;
    int64_t base_offset, last_offset;
    int64_t timestamp;           /* the batch's newest */
};

struct producers;

struct producer {
    int64_t id;                  /* the table's key, in our byte order */
    struct producers *owner;
    TAILQ_ENTRY(producer) used;
    int16_t epoch;
    uint8_t count;               /* of window, oldest first */
    struct producer_batch window[PRODUCER_WINDOW];
    int64_t used_ms;             /* appliance clock */
    int64_t txn_first;           /* offset where its open transaction began,
                                    -1: there is none */
};

/* Those of all partitions, the least recently used first. */
TAILQ_HEAD(producer_list, producer);

struct producers {
    struct table by_id;
    struct producer_list *used;  /* the owner's; NULL: nobody asks */
};

void producers_init(struct producers *);
void producers_release(struct producers *);
struct producer *producers_get(const struct producers *, int64_t id);
struct producer *producers_make(struct producers *, int64_t id);
void producer_forget(struct producer *);

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

/* The marker of its transaction was linked. An epoch above its own (KIP-890)
 * fences what it sent before. NULL: nothing is known of it. */
struct producer *producers_end(struct producers *, int64_t id,
    int16_t epoch, int64_t now_ms);

/* Sequences count from 0 to 2^31-1 and begin again. */
int32_t sequence_add(int32_t seq, int32_t n);

#endif
