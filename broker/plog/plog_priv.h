/*
 * plog_priv.h: the inside of a plog, for the files of this room.
 *
 * Invariants (plog_check)
 *  1. segments[0 .. count) are contiguous in offsets, each with a batch; all
 *     but the last are sealed.
 *  2. Without segments log_start == written. Else segments[0] begins at or
 *     below log_start, and all but the last end at or above it; written is
 *     the last one's last offset + 1, and log_start <= written.
 *  3. The dirty list holds those of the list that have an open write
 *     descriptor. What is doomed has none.
 *  4. References are taken through the array only, so those of a doomed
 *     segment only go down.
 */
#ifndef PLOG_PLOG_PRIV_H
#define PLOG_PLOG_PRIV_H

#include <stdatomic.h>

#include "base/thread.h"
#include "plog/segment.h"

struct plog {
    struct segcache *cache;
    struct world *world;
    char *path;

    struct lock lock;            /* never together with the segcache's, never
                                    over a system call */
    struct segment **segments;
    size_t count, cap;
    int64_t log_start, written;
    int64_t cleaned;             /* first offset that no pass has covered */
    int64_t durable;             /* what the last checkpoint holds */
    struct plog_name *making;    /* outputs of a cleaner, not listed yet */
    size_t making_count;
    size_t swaps_due;            /* told to output(), not swapped yet */

    /* keeper */
    int64_t durable_next;        /* of the last plog_state_get() */
    struct plog_config config;
    SLIST_HEAD(, segment) dirty;
    TAILQ_HEAD(, segment) doomed;
    size_t doomed_count;
    bool folder_dirty;           /* a file was made or unlinked */
    bool parent_dirty;           /* the folder itself may be new */

    atomic_bool poisoned;
};

/* Moves the log start there, no lower than it is, and dooms what is below. */
void plog_trim_to(struct plog *, int64_t log_start);
void plog_doom(struct plog *, struct segment *);

/* Is it a file of the list, doomed, or being made? Keeper. */
bool plog_knows(struct plog *, const struct plog_name *);
/* Out of the list already: lets go of its descriptors and dooms it. */
void plog_leave(struct plog *, struct segment *);
void plog_making_add(struct plog *, const struct plog_name *);
void plog_making_del(struct plog *, const struct plog_name *);

/* The segment that holds the offset or, in a gap of the list, the first one
 * after it, with a reference. false: none. */
bool plog_take_view(struct plog *, int64_t offset, struct segview *);
/* The first one from the offset on with a max timestamp >= ts. */
bool plog_take_view_time(struct plog *, int64_t offset, int64_t ts,
    struct segview *);
void plog_give_view(struct plog *, struct segview *);

/* Calls fn for each name in a folder but "." and "..". fn's -1 ends it. */
typedef int (*folder_fn)(void *arg, const char *name, struct err *);
int folder_each(const char *path, folder_fn, void *arg, struct err *);
int folder_sync(struct world *, const char *path, struct err *);
int folder_sync_parent(struct world *, const char *path, struct err *);

#endif
