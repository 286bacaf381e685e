/*
 * tail.h: a log's newest batches in memory, and its four watermarks.
 *
 *      log_start <= written <= hw <= end
 *          |           |        |     |
 *      ....[ segments  )........)     )        files hold [log_start, written)
 *                  [ the tail's batches  )     memory holds up to end
 *
 * 1. Only the loop appends (a batch is *linked*: it has its offset and
 *    belongs to the open epoch) and only the loop moves hw (at publish) and
 *    log_start; only the keeper moves `written`.
 * 2. A batch stays in memory at least until it is written: [written, end) is
 *    always here. Batches below `written` stay as a cache while memory allows.
 * 3. Clients read below hw, tasks below end. A batch's bytes do not change
 *    after it is linked.
 *
 * Ownership: counted references; the tail owns its plog and a reference to
 * each batch's chunk. Thread: any, under the tail's own lock, except where a
 * function says loop or keeper.
 */
#ifndef EPOCH_TAIL_H
#define EPOCH_TAIL_H

#include "base/chunk.h"
#include "base/span.h"
#include "base/thread.h"
#include "base/uuid.h"
#include "epoch/leaders.h"

struct plog;

enum { TAIL_MAGIC = 0x7a11ba7c };

struct tail_batch {
    struct chunk *chunk;         /* one reference is the tail's */
    uint8_t *bytes;              /* within the chunk */
    uint32_t size;
    int64_t base, last;          /* offsets */
    int64_t max_timestamp;
    uint64_t epoch;              /* of the frame that holds it; 0 while open */
};

struct tail {
    uint32_t magic;
    atomic_int refs;
    struct uuid topic_id;
    int32_t partition;
    int32_t leader_epoch;        /* loop */
    struct plog *plog;           /* the files; the tail's */
    void *owner;                 /* the partition (loop); NULL when dropped */
    void (*on_link)(struct tail *);      /* loop; NULL allowed */
    void (*on_publish)(struct tail *);   /* loop; hw moved; NULL allowed */

    struct lock lock;
    struct leaders leaders;      /* where each leader epoch begins; by lock */
    struct tail_batch *ring;     /* oldest at head; count of them, cap 2^n */
    size_t head, count, cap;
    _Atomic int64_t log_start, written, hw, end;
    /* The first offset of the oldest open transaction, as linked and as
     * published; INT64_MAX: none. Tasks read below it. The owner moves them. */
    _Atomic int64_t stable, stable_published;
    void *txns;                  /* the owner's, who may go before the tail */
    void (*txns_free)(void *);
    size_t bytes;                /* of the batches held */
    _Atomic uint64_t dropped_in; /* epoch that deletes its topic; 0: none */

    bool recovered;              /* keeper: the journal had batches of it */
    bool keeper_dirty;           /* keeper: has changed since the checkpoint */
    bool keeper_folder;          /* keeper: its topic's folder is there */
    bool keeper_identity;        /* keeper: and says whose it is, durably */
    struct tail *keeper_next;    /* keeper: its list of such tails */
};

struct tail *tail_new(const struct uuid *topic_id, int32_t partition,
    struct plog *, int64_t log_start, int64_t end, int32_t leader_epoch);
struct tail *tail_ref(struct tail *);
void tail_unref(struct tail *);          /* NULL allowed */

/* Links a batch at the end: gives it its offset, stamps it. Loop. The
 * chunk's reference becomes the tail's. */
void tail_append(struct tail *, struct tail_batch *);
/* For OffsetForLeaderEpoch: where the records of leader epoch `epoch` end,
 * in a log that ends at `end` for who asks (leaders.h, leaders_end). Loop,
 * since the present leader epoch is. */
void tail_epoch_end(struct tail *, int32_t epoch, int64_t end,
    int32_t *found, int64_t *found_end);
/* Links a batch that has its offset, the end's, and its stamp: from the
 * journal. */
void tail_replay(struct tail *, const struct tail_batch *);

/* Up to n batches from the one that holds `offset` on, below `limit`, until
 * max_bytes are reached (the first comes however large it is). Each slice
 * has a reference of its own (chunk_unref). Returns the count; *cold is set
 * if `offset` lies below what memory holds: read the plog then. */
struct tail_slice {
    struct chunk *chunk;
    struct span bytes;
    int64_t base, last, max_timestamp;
};
size_t tail_read(struct tail *, int64_t offset, int64_t limit,
    size_t max_bytes, struct tail_slice *out, size_t n, bool *cold);

/* First batch in memory with max_timestamp >= ts below limit; false: none. */
bool tail_find_time(struct tail *, int64_t ts, int64_t limit,
    struct tail_slice *out);

/* Forgets batches that end below `offset` and are written. Returns the bytes
 * given back. */
size_t tail_evict(struct tail *, int64_t offset);

void tail_check(struct tail *);

#endif
