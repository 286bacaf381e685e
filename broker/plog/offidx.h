/*
 * offidx.h: the sparse index of a segment. An entry names the place of one
 * batch; an index is ANY increasing subset of the places of a segment's
 * batches, so an empty, partial or cut one is as good as a full one, only
 * slower to search with. It is a hint: who uses an entry checks the batch at
 * its place. File format: offidx.c.
 *
 * Ownership: the index owns its entries. Thread: the caller's lock.
 */
#ifndef PLOG_OFFIDX_H
#define PLOG_OFFIDX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/world.h"

enum {
    OFFIDX_INTERVAL = 4096,      /* bytes of log an entry, by default */
    OFFIDX_INTERVAL_MIN = 512,
};

struct offidx_entry {
    uint32_t rel;                /* batch's base offset - segment's */
    uint32_t pos;                /* byte in the segment */
    int64_t max_before;          /* max timestamp of all batches before it */
};

struct offidx {
    struct offidx_entry *entries;        /* rel and pos strictly ascending */
    size_t count, cap;
};

void offidx_init(struct offidx *);
void offidx_release(struct offidx *);            /* then as initialised */
static inline size_t
offidx_bytes(const struct offidx *x)
{
    return x->cap * sizeof(struct offidx_entry);
}

/* At the end. An entry that is not beyond the last one is dropped. */
void offidx_add(struct offidx *, struct offidx_entry);
/* All entries of both. Entries of `from` that contradict the order are
 * dropped. */
void offidx_merge(struct offidx *, const struct offidx *from);

/* How many entries have rel <= the given one; max_before < ts; pos <= the
 * given one. The entry before that many is the one to start from. */
size_t offidx_by_rel(const struct offidx *, uint32_t rel);
size_t offidx_by_time(const struct offidx *, int64_t ts);
size_t offidx_by_pos(const struct offidx *, uint32_t pos);

struct offidx_id {               /* what the file's header must match */
    int64_t base_offset;
    uint64_t epoch;
};

int offidx_save(const struct offidx *, struct world *, const char *path,
    const struct offidx_id *, struct err *);
/* Into an initialised, empty index. Entries at or past log_size are left
 * out. -1: missing (ERR_NOTFOUND), damaged (ERR_DAMAGE), of an unknown
 * version (ERR_FORMAT), unreadable; the index is then empty. */
int offidx_load(struct offidx *, struct world *, const char *path,
    const struct offidx_id *, uint32_t log_size, struct err *);

void offidx_check(const struct offidx *);        /* asserts the order */

#endif
