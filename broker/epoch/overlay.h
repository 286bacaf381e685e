/*
 * overlay.h: what one store and partition changed since the checkpoint, in
 * key order, over LMDB (epoch.md's rule 14).
 *
 * A key has versions, newest first, each with the number of the task's run
 * that made it; a deletion is a version, too. The task reads the newest, a
 * query the newest that is published, a checkpoint the newest up to P. So
 * nothing moves at a cut. Of the versions at or below `published` only the
 * newest is kept, and while a checkpoint is under way the newest up to its
 * run as well.
 *
 * Thread: any, under the overlay's lock, which the callers take: overlay_lock
 * around whatever belongs together. Spans are valid until it is given back.
 */
#ifndef EPOCH_OVERLAY_H
#define EPOCH_OVERLAY_H

#include "base/omap.h"
#include "base/thread.h"

struct overlay {
    struct lock lock;
    struct omap map;             /* key -> newest version */
    size_t bytes;                /* of versions, beside the map's own */
    uint64_t newest;             /* run of the last put */
    uint64_t published;          /* run; what queries may see */
    uint64_t pinned;             /* run of a checkpoint under way; 0: none */
};

enum overlay_result {
    OVERLAY_MISS,                /* look in LMDB */
    OVERLAY_VALUE,
    OVERLAY_GONE,                /* deleted: do not look in LMDB */
};

void overlay_init(struct overlay *);
void overlay_release(struct overlay *);
#define overlay_lock(o) lock_take(&(o)->lock)
#define overlay_unlock(o) lock_give(&(o)->lock)

/* value SPAN_NULL: deleted. run >= every run put before. Copies. */
void overlay_put(struct overlay *, struct span key, struct span value,
    uint64_t run);
enum overlay_result overlay_get(const struct overlay *, struct span key,
    uint64_t run, struct span *value);

/* The first key at or after `from` that has a version up to `run`. */
enum overlay_result overlay_first(const struct overlay *, struct span from,
    uint64_t run, struct span *key, struct span *value);

/* Walks keys in order, those with a version up to `run` and above `after`
 * to fn. */
typedef void overlay_fn(void *arg, struct span key, bool gone,
    struct span value);
/* At most n keys from `from` on; returns false at the end, else *next is the
 * key to go on with (valid under the lock). */
bool overlay_walk(const struct overlay *, struct span from, uint64_t run,
    size_t n, overlay_fn *fn, void *arg, struct span *next);

/* Forgets versions up to `run`: LMDB has them. */
void overlay_trim(struct overlay *, uint64_t run);
size_t overlay_bytes(const struct overlay *);
void overlay_check(const struct overlay *);

/* A block of a frame: the puts of one run, encoded one after another:
 * key length (varint), key, value length + 1 (varint; 0: deleted), value. */
struct buf;
void block_put(struct buf *, struct span key, struct span value);
/* 1: an entry, 0: the end, -1: damaged. */
int block_next(struct span *rest, struct span *key, struct span *value);

#endif
