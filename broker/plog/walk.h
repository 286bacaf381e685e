/*
 * walk.h: from batch to batch through a segment: how offsets, timestamps and
 * damage are found. Private to the room. Invariants: walk.c.
 *
 * Ownership: a walk pins the segment's descriptor from open to close; the
 * caller holds the reference of the view. Thread: any, one a walk.
 */
#ifndef PLOG_WALK_H
#define PLOG_WALK_H

#include "base/buf.h"
#include "plog/segment.h"

enum walk_end {
    WALK_AT,             /* at a batch: head */
    WALK_END,            /* at the segment's end */
    WALK_BAD,            /* what is here is no batch: walk_mend() */
    WALK_FAILED,         /* I/O: err */
};

struct walk {                    /* private, except pos and expect */
    struct segview view;
    int fd;
    uint32_t pos;                /* of the next batch */
    int64_t expect;              /* its base offset; sparse: exact after a
                                    peek, before it may be lower */
    int64_t max_before;          /* highest timestamp met before it */
    uint32_t stop;               /* WALK_END there: view size or earlier */

    uint32_t known_pos;          /* last place at or before pos that an index
                                    has or will have, and its offset */
    int64_t known_expect;
    uint32_t next_known;         /* first one after it in the index */
    struct offidx learned;
    bool forced;                 /* learned has a place behind damage */
    bool damaged;
    uint32_t suspect;            /* 0, or place of an entry that was refused */
    bool lied;                   /* the entry is wrong, not the log */
    bool raw;
    bool sparse;                 /* gaps may stand before batches */

    uint32_t win_pos, win_len;   /* what win[] holds */
    struct buf scratch;
    uint8_t win[16384];
};

struct seek {
    int64_t offset;              /* the batch ends at or after it */
    int64_t timestamp;           /* and has a max timestamp >= it */
};

/* At the segment's first batch. 0 or -1. */
int walk_open(struct walk *, const struct segview *, struct err *);
/* For a file without a state: no index, fd is borrowed, no walk_mend(). */
void walk_open_raw(struct walk *, const struct segview *, int fd);
/* Hands what was learnt to the segment's index. */
void walk_close(struct walk *);

/* To where an index says that a walk to it should begin. 0 or -1. */
int walk_hop(struct walk *, const struct seek *, struct err *);
enum walk_end walk_peek(struct walk *, struct head *, struct err *);
void walk_step(struct walk *, const struct head *);
/* On to the first batch that fits; steps over none that does. */
enum walk_end walk_seek(struct walk *, const struct seek *, struct head *,
    struct err *);
/* The bytes of the batch here, until the next call. WALK_AT, WALK_BAD (its
 * CRC, or the file is short) or WALK_FAILED. */
enum walk_end walk_batch(struct walk *, const struct head *, struct span *,
    struct err *);
/* Here is damage: says where it begins and goes to the first batch behind
 * it, or the end. 0 or -1. */
int walk_mend(struct walk *, struct plog_damage *, struct err *);

/* Walks through every stretch without index entries. */
void walk_all_holes(struct walk *);

#endif
