/*
 * overlay.h: what one store and partition changed since the checkpoint, over
 * LMDB (epoch.md's rule 14), and what is read of it again and again.
 *
 * A key has versions, newest first, each with the number of the task's run
 * that made it; a deletion is a version, too. The task reads the newest, a
 * query the newest that is published, a checkpoint the newest up to P. So
 * nothing moves at a cut. Of the versions at or below `published` only the
 * newest is kept, and while a checkpoint is under way the newest up to its
 * run as well.
 *
 * Keys are found by hash. Their order is made when somebody asks for it (a
 * scan) and kept up until a checkpoint finds that nobody asked again: stores
 * that are only got and put never pay for it.
 *
 * A key whose newest version LMDB has is *clean*. Clean keys are a cache: they
 * stay as long as they are used between two checkpoints and the budget, which
 * all overlays share, has room. Walks and overlay_keys() leave them out.
 *
 * Thread: any, under the overlay's lock, which the callers take: overlay_lock
 * around whatever belongs together. Spans are valid until it is given back.
 */
#ifndef EPOCH_OVERLAY_H
#define EPOCH_OVERLAY_H

#include "base/omap.h"
#include "base/thread.h"

struct overlay_bucket;
struct overlay_entry;            /* a key */

struct overlay_budget {          /* of clean keys, shared */
    _Atomic size_t bytes;
    size_t max;
};

struct overlay {
    struct lock lock;
    struct overlay_bucket **segments;    /* private: overlay.c's essay */
    size_t segment_count, segment_room, bucket_count, mask;
    size_t count;                /* keys, clean ones included */
    size_t bytes;                /* of what is not clean, the map left out */
    size_t clean_bytes;
    struct overlay_budget *budget;       /* NULL: nothing stays clean */
    struct omap map;             /* key -> entry, while the order is kept */
    enum { OVERLAY_LOOSE, OVERLAY_ORDERING, OVERLAY_ORDERED } order;
    size_t order_at;             /* the next bucket to be put in order */
    bool scanned;                /* since the last trim */
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
enum overlay_result overlay_get(struct overlay *, struct span key,
    uint64_t run, struct span *value);
/* These keys will be asked for soon: has their memory come nearer, all at
 * once instead of one wait after the other. */
void overlay_ahead(struct overlay *, const struct span *keys, size_t n);
/* LMDB has that value: remembers it as a clean one, if the key is not here
 * and there is room. Copies. */
void overlay_learn(struct overlay *, struct span key, struct span value);

/* Puts keys in order, step by step, so that the walk that follows finds it
 * done and nobody waits long. Takes the lock itself. */
void overlay_order(struct overlay *);
/* At most n keys from `from` on, in order, those with a version up to `run`.
 * Returns false at the end, else *next is the key to go on with (valid under
 * the lock). */
typedef void overlay_fn(void *arg, struct span key, bool gone,
    struct span value);
bool overlay_walk(struct overlay *, struct span from, uint64_t run,
    size_t n, overlay_fn *fn, void *arg, struct span *next);

/* For a checkpoint: all keys that have a version up to `run`, in no order, in
 * steps of some hundred. *at is 0 at first; false: that was all. The lock may
 * be given back in between: a key that is there all the time comes once or
 * twice. An entry lives until the next trim, and its key stays where it is;
 * its versions are looked at under the lock. */
typedef void overlay_key_fn(void *arg, const struct overlay_entry *);
bool overlay_keys(struct overlay *, uint64_t run, size_t *at,
    overlay_key_fn *fn, void *arg);
struct span overlay_entry_key(const struct overlay_entry *);
enum overlay_result overlay_entry_at(const struct overlay_entry *,
    uint64_t run, struct span *value);
/* Has its memory come nearer. */
void overlay_entry_ahead(const struct overlay_entry *);

/* Forgets versions up to `run`: LMDB has them. In steps as above. */
bool overlay_trim_step(struct overlay *, uint64_t run, size_t *at);
void overlay_trim(struct overlay *, uint64_t run);       /* all of them */
size_t overlay_bytes(const struct overlay *);            /* not the clean */
void overlay_check(const struct overlay *);

/* A block of a frame: the puts of one run, encoded one after another:
 * key length (varint), key, value length + 1 (varint; 0: deleted), value. */
struct buf;
void block_put(struct buf *, struct span key, struct span value);
/* 1: an entry, 0: the end, -1: damaged. */
int block_next(struct span *rest, struct span *key, struct span *value);

#endif
