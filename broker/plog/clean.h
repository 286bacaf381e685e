/*
 * clean.h: compaction: of each key only the newest record stays. The essay is
 * in clean.c; what is kept of a batch: sieve.c.
 *
 *     plog_dirt()    is it worth it?                        any thread
 *     plog_clean()   one pass: new files, nothing swapped   any one thread
 *         output()   -> a frame says so (committed)
 *     plog_swap()    new segments for old ones              keeper
 *
 * One pass of a plog at a time. While something that was handed to output()
 * is not swapped yet nothing is dirty, so the next pass waits: the names of
 * files follow from those in the list and are never used twice.
 */
#ifndef PLOG_CLEAN_H
#define PLOG_CLEAN_H

#include "plog/plog.h"

/* ------------------------------------------------------- is it worth it? */

struct plog_dirt {
    int64_t first_dirty;         /* first offset that no pass has covered */
    int64_t end;                 /* first that may not be cleaned yet */
    uint64_t clean_bytes, dirty_bytes;   /* below first_dirty; up to end */
    int64_t oldest_ms;           /* first dirty timestamp; -1: none. It is
                                    that of a segment's first batch */
};

/* Of the sealed segments wholly below limit and below the last checkpoint.
 * Those of the dirty part from the first one on whose newest timestamp is
 * younger than min_lag_ms are not cleaned yet. */
void plog_dirt(struct plog *, int64_t limit, int64_t min_lag_ms,
    int64_t now_ms, struct plog_dirt *);

/* ------------------------------------------------------------------ a pass */

/* A transaction that was aborted: its records lie in [first, last], the
 * marker's offset included. By producer id only, as consumers do it. A marker
 * whose range is listed is never removed: a consumer that is told of the range
 * waits for the marker, and would drop all that the producer wrote since. */
struct plog_aborted {
    int64_t producer_id;
    int64_t first_offset, last_offset;
};

/* A producer that is remembered: the batch that ends at its last offset is
 * kept, without records if need be, since it holds the last sequence. */
struct plog_producer {
    int64_t producer_id;
    int64_t last_offset;         /* -1: its last batch was a marker */
    int16_t epoch;               /* then the marker with this one is kept */
};

/* A new segment for all those that lie in [base_offset, last_offset]; size 0:
 * none, the pass only got that far. */
struct plog_cleaned {
    struct plog_segment segment;
    int64_t cleaned;             /* compacted up to here; never goes down */
};

struct plog_clean_options {
    int64_t limit;               /* the last stable offset */
    int64_t now_ms;              /* wall clock: horizons, lag */
    int64_t min_lag_ms;          /* min.compaction.lag.ms */
    int64_t delete_retention_ms; /* delete.retention.ms */
    uint32_t segment_bytes;      /* small segments are joined up to this */
    size_t map_bytes;            /* 0: 16 MiB */
    uint64_t seed;               /* random: of the hashes */
    bool nosync;                 /* durability=memory */
    const struct plog_aborted *aborted;  /* any order; borrowed */
    size_t aborted_count;
    const struct plog_producer *producers;       /* any order; borrowed */
    size_t producer_count;
    /* Called after each MiB or so of input. false: stop. NULL allowed. */
    bool (*pace)(void *arg, size_t bytes);
    /* A file is whole and on the disk, with its name: now a frame must say
     * what plog_swap() is to do. In the order of offsets. -1: stop; then the
     * file is removed again. */
    int (*output)(void *arg, const struct plog_cleaned *, struct err *);
    /* Nothing is left in the files of this range but its marker, for
     * delete_retention_ms at least: once nobody reads of it from memory, it
     * may be forgotten, and then the marker goes. NULL allowed. */
    void (*emptied)(void *arg, const struct plog_aborted *);
    void *arg;
};

struct plog_clean_stats {        /* added to */
    uint64_t bytes_read, bytes_written;
    uint64_t records_read, records_kept;
    uint64_t segments_read, segments_written;
};

/* 0: done, or nothing to do. -1, with what output() got so far still good:
 *   ECANCELED    stopped by pace() or output()
 *   ERR_DAMAGE   a batch can't be read or opened: try again only when
 *                somebody has looked at it
 *   EIO          and whatever else a write or sync gave: the plog is
 *                poisoned, as after a failed append
 *   ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM   try again later
 * Thread: any, one at a time for a plog; not beside plog_close(). */
int plog_clean(struct plog *, const struct plog_clean_options *,
    struct plog_clean_stats *, struct err *);

/* Puts the new segment in the place of the old ones, which are doomed. Old
 * ones that a trim took away meanwhile are fine; where nothing is left of
 * them, or newer ones are there (replay), the new one is not used. Touches no
 * file. Keeper. */
void plog_swap(struct plog *, const struct plog_cleaned *);
/* Recovery has found a frame that says so, which the keeper will come to. */
void plog_swap_due(struct plog *, const struct plog_cleaned *);

#endif
