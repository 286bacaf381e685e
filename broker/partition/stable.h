/*
 * stable.h: the transactions of one partition: where the oldest open one
 * began (the last stable offset, LSO) and which ranges were aborted (KIP-98).
 *
 *      log_start ... [ aborted ] ... [ committed ] .. [ open ......     end
 *                    first  last                      LSO
 *
 * Two readers see two moments. Tasks read what is linked: up to the first
 * offset of the oldest transaction that has no marker yet. Clients read what
 * is published: a marker counts once its epoch is. Offsets are exclusive
 * above: the LSO is the first that may not be read.
 *
 * Thread: the loop, except stable_is_aborted().
 */
#ifndef PARTITION_STABLE_H
#define PARTITION_STABLE_H

#include "base/thread.h"

struct stable_open {
    int64_t producer_id, first;
    uint64_t ended;              /* epoch of its marker; 0: it is open */
};

struct stable_aborted {
    int64_t producer_id;
    int64_t first, last;         /* last: the marker's offset */
    int64_t stable;              /* the LSO behind the marker: no later range
                                    begins below it */
};

/* Fields are private. */
struct stable {
    struct lock lock;            /* aborted, which tasks read, too */
    struct stable_open *open;    /* by first */
    size_t open_count, open_cap;
    struct stable_aborted *aborted;      /* by last */
    size_t head, count, cap;     /* head: trimmed ones before it */
};

struct stable *stable_new(void);
void stable_free(void *);                        /* NULL allowed */

/* A transaction begins with the batch at `first`, the newest. */
void stable_begin(struct stable *, int64_t producer_id, int64_t first);
/* Its marker was linked at `last` into `epoch`; `published` is the epoch
 * that readers see. Returns whether a range was aborted, then in *out. */
bool stable_end(struct stable *, int64_t producer_id, int64_t last,
    bool committed, uint64_t epoch, uint64_t published,
    struct stable_aborted *out);
/* From a record: ranges come in any order. */
void stable_restore_aborted(struct stable *, const struct stable_aborted *);

/* The last stable offset as linked, and as published: at most end, hw. */
int64_t stable_linked(const struct stable *, int64_t end);
int64_t stable_published(const struct stable *, uint64_t published,
    int64_t hw);
size_t stable_open_count(const struct stable *);

/* Aborted ranges that touch [from, to), in the order of their markers: up to
 * n of them are copied. Returns how many there are. */
size_t stable_aborted(const struct stable *, int64_t from, int64_t to,
    struct stable_aborted *out, size_t n);
size_t stable_aborted_count(const struct stable *);
/* Any thread, once it saw an LSO beyond `offset`: was it aborted? */
bool stable_is_aborted(struct stable *, int64_t producer_id, int64_t offset);
/* Forgets aborted ranges that lie wholly below the log's start, at most n:
 * they are in `out`, for their records to be deleted. Returns how many. */
size_t stable_trim(struct stable *, int64_t log_start,
    struct stable_aborted *out, size_t n);

/* The same of one range, by its marker's offset: compaction has removed all
 * of it. false: it is not there (any more). */
bool stable_forget(struct stable *, int64_t last, struct stable_aborted *out);

void stable_check(const struct stable *);

#endif
