/*
 * segcache.h: what is held open of segments by all plogs of a process: read
 * descriptors and indexes. Private to the room; made and freed through
 * plog.h. A segment embeds a segslot.
 *
 * Invariants (segcache_check):
 *  1. One lock covers every segslot, its index included, and the counts. It
 *     is held for a search or a merge in memory, never for a system call,
 *     and no other lock is taken under it.
 *  2. A slot with a descriptor is in the idle list, oldest use first, if and
 *     only if it has no user. Only idle slots are evicted.
 *  3. An active slot (of the segment that is appended to) keeps its index
 *     when its descriptor is evicted: the index of an active segment has no
 *     other place. A sealed one loses both; its index is in its file.
 *
 * Thread: any.
 */
#ifndef PLOG_SEGCACHE_H
#define PLOG_SEGCACHE_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "base/thread.h"
#include "plog/offidx.h"
#include "plog/plog.h"

TAILQ_HEAD(segslot_list, segslot);

struct segcache {
    struct world *world;
    struct lock lock;
    struct segslot_list idle;
    unsigned open, open_max;
    size_t sealed_bytes, active_bytes;   /* of indexes */
    size_t index_bytes_max;              /* for the sealed */
    uint64_t opens, evictions, rebuilds;
    atomic_uint writers;
};

struct segslot {                 /* private to segcache.c */
    int fd;                      /* -1: closed */
    unsigned users;
    bool active;
    bool loaded;                 /* its index file was tried */
    struct offidx idx;
    TAILQ_ENTRY(segslot) link;
};

/* fresh: the segment has no index file yet. */
void segslot_init(struct segslot *, bool fresh);
/* No user may be left. */
void segslot_release(struct segslot *, struct segcache *);
/* From now on its index is kept, or not any more. */
void segslot_activate(struct segslot *, struct segcache *, bool active);

/* The descriptor, pinned until segslot_give(), or -1: then the caller opens
 * the file and hands it to segslot_install(), which pins, and closes the
 * given one if another thread was faster. *loaded: no need to try the index
 * file. */
int segslot_take(struct segslot *, struct segcache *, bool *loaded);
int segslot_install(struct segslot *, struct segcache *, int fd);
void segslot_give(struct segslot *, struct segcache *);

struct hop {                     /* where to start, from an index */
    struct offidx_entry at;      /* zero: the segment's start */
    size_t back;                 /* entries before this one */
};

/* The last entry at or before the offset, or before the first batch whose
 * timestamp can be >= ts, or at or before the position; `skip` entries
 * further back. */
struct hop segslot_by_rel(struct segslot *, struct segcache *, uint32_t rel,
    size_t skip);
struct hop segslot_by_time(struct segslot *, struct segcache *, int64_t ts,
    size_t skip);
struct hop segslot_by_pos(struct segslot *, struct segcache *, uint32_t pos,
    size_t skip);
/* The first entry past the position, `skip` further on. false: none. */
bool segslot_after(struct segslot *, struct segcache *, uint32_t pos,
    size_t skip, struct offidx_entry *);

void segslot_add(struct segslot *, struct segcache *,
    const struct offidx_entry *, size_t count);
/* Merges; loaded: these are from the file. */
void segslot_learn(struct segslot *, struct segcache *, const struct offidx *,
    bool loaded);
/* The index turned out to be wrong: away with it. */
void segslot_forget(struct segslot *, struct segcache *);
/* A copy; *out is initialised by it. */
void segslot_copy(struct segslot *, struct segcache *, struct offidx *out);

void segcache_check(struct segcache *);

#endif
