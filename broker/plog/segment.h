/*
 * segment.h: one file of a partition's log. Private to the room. Formats and
 * invariants: segment.c.
 *
 * Ownership: a plog owns its segments; a reader borrows one by a reference.
 */
#ifndef PLOG_SEGMENT_H
#define PLOG_SEGMENT_H

#include <sys/queue.h>

#include "base/span.h"
#include "plog/segcache.h"

enum {
    SEGMENT_PATH_MAX = 4096,     /* with the name and the NUL */
    SEGMENT_NAME_LEN = 20 + 1 + 16,      /* without its ending */
    SEGMENT_SIZE_MAX = INT32_MAX,
};

/* ----------------------------------------------------------- batch heads */

struct head {                    /* of a batch v2: all that a walk needs */
    int64_t base, last;          /* offsets */
    int64_t max_timestamp;
    uint32_t size;
    uint32_t records;            /* 0: kept for its producer's sequence */
};

/* Decodes the header at p, of at least BATCH_HEADER bytes. false: it can't
 * be one: magic, length, counts. Nothing is said about its CRC. */
bool head_get(const uint8_t *p, struct head *);
/* The CRC, and all else that a whole batch must have. */
bool head_whole(struct span batch);

/* Are there gaps between its batches? Then it is the cleaner's. */
static inline bool
segment_sparse(const struct plog_segment *meta)
{
    return (meta->epoch & PLOG_CLEANED) != 0;
}

/* ------------------------------------------------------------- a segment */

struct segment {
    struct segcache *cache;
    const char *folder;          /* the plog's */

    /* Locks: the plog's. Only the keeper writes it and may read it without
     * the lock. base_offset and epoch never change. */
    struct plog_segment meta;
    unsigned refs;               /* readers */

    /* keeper */
    int wfd;                     /* open from the first write to the sync */
    bool dirty;                  /* in the plog's dirty list */
    bool due;                    /* doomed in the last checkpoint's state */
    bool resumed;                /* was there at open: index has a hole */
    uint32_t indexed_pos;        /* place of the last index entry */
    SLIST_ENTRY(segment) dirty_link;
    TAILQ_ENTRY(segment) doomed_link;

    struct segslot slot;         /* the cache's lock */
};

struct segview {                 /* what a reader took under the plog's lock */
    struct segment *seg;         /* with a reference */
    struct plog_segment meta;
};

struct segment *segment_new(struct segcache *, const char *folder,
    const struct plog_segment *, bool fresh);
void segment_free(struct segment *);             /* closes; NULL allowed */

/* false: the path is too long. ending: ".log" or ".index". */
bool segment_path(const char *folder, const struct plog_name *,
    const char *ending, char out[SEGMENT_PATH_MAX]);
/* The other way: only names exactly as segment_path() makes them. */
bool segment_parse_name(const char *file, const char *ending,
    struct plog_name *);

/* Keeper. Makes the file, empty even if one is there, open for writing. */
int segment_create(struct segment *, struct err *);
/* Opens it for writing if it is not: must be as long as recorded; what is
 * beyond that is cut off. */
int segment_open_write(struct segment *, struct err *);
/* Writes behind meta.size; meta is the caller's to move. The vector is
 * consumed. */
int segment_write(struct segment *, struct iovec *, int count, struct err *);
int segment_sync(struct segment *, struct err *);        /* and closes */
void segment_close_write(struct segment *);              /* without sync */
/* Fills the holes of the index and writes its file, as well as it can. */
void segment_save_index(struct segment *);

/* At closing: what the index of an active segment has, for the next run. */
void segment_keep_index(struct segment *);
/* Both files; one that is gone already is fine. */
int segment_unlink(struct world *, const char *folder,
    const struct plog_name *, struct err *);

/* A read descriptor, pinned; the index is loaded. -1: err. Any thread. */
int segment_take(const struct segview *, struct err *);
void segment_give(struct segment *);

#endif
