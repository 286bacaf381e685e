/*
 * plog.h: one partition's log on disk: segment files of Kafka record batches,
 * byte for byte, with a sparse index beside each. The journal is the truth;
 * a plog is moved forward from committed frames, and after a crash the same
 * calls with the same frames make the same files again. Formats, names and
 * invariants: the essay in segment.c; rules and call sequences: README.md.
 *
 * Thread: one thread writes (the "keeper": append, sync, trim, unlink,
 * configure, state_get, close); any thread reads, at the same time. Two plogs
 * share nothing but the segcache, which locks itself, so different plogs may
 * be synced by different threads. plog_close() needs all readers gone.
 *
 * Ownership: a plog owns its segments and descriptors; it borrows the world
 * and the segcache, which outlive it.
 */
#ifndef PLOG_PLOG_H
#define PLOG_PLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "base/world.h"

struct plog;
struct segcache;

/* ------------------------------------------------------------- the cache */

/* What the plogs of a process share: open read descriptors and loaded
 * indexes of sealed segments, both bounded, the least recently read go
 * first. Descriptors in use at one moment may pass open_max for as long. */
struct segcache *segcache_new(struct world *, unsigned open_max,
    size_t index_bytes_max);
void segcache_free(struct segcache *);           /* after its last plog */

struct segcache_counts {
    unsigned open;               /* read descriptors */
    unsigned writers;            /* write descriptors: dirty, not yet synced */
    size_t index_bytes;          /* loaded indexes, those of active segments
                                    included */
    uint64_t opens, evictions;   /* since the start */
    uint64_t index_rebuilds;     /* indexes that were found wrong */
};

void segcache_counts(struct segcache *, struct segcache_counts *);

/* ------------------------------------------------------- state at epoch P */

struct plog_segment {            /* offsets are those of whole batches */
    int64_t base_offset;
    uint64_t epoch;              /* frame with the first batch: in its name */
    uint32_t size;               /* bytes */
    int64_t last_offset;
    int64_t first_timestamp;     /* max timestamp of its first batch */
    int64_t max_timestamp;       /* -1: no batch has one */
};

struct plog_name {
    int64_t base_offset;
    uint64_t epoch;
};

/* This bit of a segment's epoch: the cleaner made it, so there may be gaps
 * between its batches. */
#define PLOG_CLEANED (1ull << 63)

/* What a checkpoint keeps of a plog. Zeroed is the state of a new one. */
struct plog_state {
    int64_t log_start;
    int64_t written;             /* end offset (exclusive) of the files */
    struct plog_segment *segments;       /* ascending, contiguous */
    size_t segment_count;
    struct plog_name *doomed;    /* trimmed, file perhaps not yet unlinked */
    size_t doomed_count;
    int64_t cleaned;             /* compacted up to here: clean.h */
};

void plog_state_release(struct plog_state *);    /* arrays; zeroes it */

/* ----------------------------------------------------------- open, close */

struct plog_config {             /* 0 in a field: its default */
    uint32_t segment_bytes;      /* default 1 GiB */
    int64_t segment_ms;          /* default 7 days */
    uint32_t index_interval;     /* bytes of log an entry; default 4 KiB */
};

/* Opens the log in the folder `path` as `state` has it (NULL: new). Touches
 * no file: the folder is made by the first append, files are opened when
 * first read or written. The state is copied. ERR_DAMAGE if it contradicts
 * itself. */
int plog_open(struct segcache *, const char *path,
    const struct plog_config *, const struct plog_state *,
    struct plog **, struct err *);
/* Closes without syncing: what was not synced will be replayed. Accepts
 * NULL. */
void plog_close(struct plog *);
/* Takes effect with the next append. Rolls follow from it, so it must change
 * at the same place of the frames in a replay. */
void plog_configure(struct plog *, const struct plog_config *);

/* --------------------------------------------------------------- writing */

/* One batch, stamped, of a committed frame. */
struct plog_chunk {
    uint64_t epoch;              /* of the frame */
    int64_t base_offset, last_offset;
    int64_t max_timestamp;
    struct span bytes;           /* the batch; borrowed for the call */
};

/* Writes batches in order, those of one or of many frames, rolling segments
 * where due. What is at or below the written end already, or wholly below
 * the log start, is skipped (replay). Errors:
 *   ERR_DAMAGE   a gap, an overlap, a chunk that contradicts its header, a
 *                segment file that is missing or too short
 *   ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM   nothing is lost: call again
 *                later with the same batches
 *   else         the plog is poisoned: reads go on, appends and syncs fail
 * After an error the batches before the failing ones may be written; the
 * written end tells. */
int plog_append(struct plog *, const struct plog_chunk *, size_t count,
    struct err *);
/* Makes everything written so far durable, files, folder and its entry in
 * the folder above; closes the write descriptors. Any failure poisons. */
int plog_sync(struct plog *, struct err *);
bool plog_dirty(const struct plog *);            /* sync has work. Keeper. */
bool plog_poisoned(const struct plog *);         /* any thread */

/* For a checkpoint, after plog_sync(): the arrays are the caller's
 * (plog_state_release). Segments doomed up to now become due for
 * plog_unlink_doomed(). */
void plog_state_get(struct plog *, struct plog_state *);
/* The checkpoint with that state is durable: what it holds may be cleaned. */
void plog_checkpointed(struct plog *);

/* ---------------------------------------------------------------- reading */

enum plog_status {
    PLOG_OK,
    PLOG_END,            /* at or past the written end: see the tail */
    PLOG_BELOW,          /* below the log start */
    PLOG_DAMAGED,        /* got->damage tells where: CORRUPT_MESSAGE */
    PLOG_FAILED,         /* err: I/O, or `out` has no room for one batch */
};

struct plog_damage {
    int64_t offset;              /* first that can't be read */
    int64_t resume_offset;       /* first after it that perhaps can */
    int64_t segment_base;
    uint64_t segment_epoch;
    uint32_t pos;                /* in the segment's file */
};

struct plog_want {
    int64_t offset;
    int64_t end_offset;          /* no batch that begins here or later */
    size_t max_bytes;            /* the first batch may pass it */
};

struct plog_got {
    int64_t base_offset, next_offset;    /* [first, past last) batch */
    uint32_t count;              /* batches */
    size_t bytes;                /* appended to `out` */
    struct plog_damage damage;   /* for PLOG_DAMAGED */
};

/* Appends whole batches to `out`, from the one that contains want->offset (or,
 * where compaction has left a gap, the first behind it), each with its CRC
 * verified. Ends at the segment's end: call again with
 * got->next_offset for more. Damage behind good batches is left for the next
 * call. Never returns what was beyond the written end when it was called.
 * Thread: any. Nothing is appended unless PLOG_OK. */
enum plog_status plog_read(struct plog *, const struct plog_want *,
    struct buf *out, struct plog_got *, struct err *);

struct plog_found {
    int64_t offset;              /* of the record */
    int64_t timestamp;
    int32_t leader_epoch;        /* of its batch */
};

/* The first record in the files, at or after the log start, whose timestamp
 * is >= ts. PLOG_END: none here, the tail may have one. Damaged stretches
 * are passed over. The arena is used for decompression and rewound. */
enum plog_status plog_find_time(struct plog *, int64_t ts, struct arena *,
    struct plog_found *, struct err *);
/* The first record of those with the highest timestamp (KIP-734). PLOG_END:
 * no record in the files. */
enum plog_status plog_max_timestamp(struct plog *, struct arena *,
    struct plog_found *, struct err *);

struct plog_extent {
    int64_t log_start, written;
    uint64_t bytes;              /* of all segments */
    size_t segments;
    int64_t compacted;           /* end of the last one that the cleaner made;
                                    there are no gaps from there on */
};

void plog_extent(struct plog *, struct plog_extent *);   /* any thread */

/* -------------------------------------------------- retention, deletion */

/* What a retention step would drop: of the sealed segments wholly below
 * limit_offset (the checkpointed end), from the oldest on, those older than
 * retention_ms by their newest timestamp, or too much for retention_bytes.
 * -1 in either: no limit. A segment without timestamps goes by bytes only.
 * true: *new_log_start is beyond the present one. Changes nothing. Thread:
 * any. */
bool plog_expired(struct plog *, int64_t retention_ms,
    int64_t retention_bytes, int64_t now_ms, int64_t limit_offset,
    int64_t *new_log_start);

/* Moves the log start up (lower: no effect) and takes the segments wholly
 * below it out of the list. The last segment stays, until the next roll or
 * until the start passes the written end: then all go and the written end
 * moves up to it. Files stay until plog_unlink_doomed(). */
void plog_trim(struct plog *, int64_t new_log_start);
size_t plog_doomed(struct plog *);       /* files that wait for unlinking */
/* Call when the checkpoint for which plog_state_get() was last called is
 * durable. Unlinks what was doomed then and has no reader any more; the rest
 * waits for a later call. A file that is gone already is fine. */
int plog_unlink_doomed(struct plog *, struct err *);

/* Unlinks segment files that are neither in the list nor doomed nor being
 * made by a cleaner: what a crash left whose batches a replay had no need to
 * write again, or what a cleaner had not finished. At any time, but
 * it lists the folder: once after a recovery, when idle. */
int plog_sweep(struct plog *, struct err *);

/* Deletes a folder with the files in it, and folders below (two levels, as
 * topic and partition), then syncs the folder above. It being gone already
 * is fine. No plog may be open there. */
int plog_remove_folder(struct world *, const char *path, struct err *);

/* ------------------------------------------------------ check and salvage */

enum plog_finding_kind {
    PLOG_FINDING_FILE,           /* missing, unreadable or too short */
    PLOG_FINDING_BATCH,          /* damaged batch */
    PLOG_FINDING_INDEX,          /* damaged or wrong; rebuilt when needed */
    PLOG_FINDING_GAP,            /* salvage: offsets are missing here */
    PLOG_FINDING_TAIL,           /* salvage: the last file ends in bytes that
                                    are no batch; usual after a power cut */
};

struct plog_finding {
    enum plog_finding_kind kind;
    struct plog_damage where;
    const char *text;            /* one line, for a person; borrowed */
};

typedef void (*plog_finding_fn)(void *arg, const struct plog_finding *);

/* Reads everything up to the written end: headers, order, CRCs, indexes.
 * Each finding goes to fn. 0: all was looked at, findings or not. -1: it
 * could not be. Thread: any. */
int plog_verify(struct plog *, plog_finding_fn, void *arg, struct err *);

/* What the files alone say, when LMDB is lost: the segments from the one
 * that contains log_start (0 if unknown) on, up to the first damage, gap or
 * unreadable file, as a state that plog_open() takes. Changes no file.
 * Anything passed over or left out is told to fn (may be NULL). */
int plog_salvage_scan(struct world *, const char *path, int64_t log_start,
    struct plog_state *, plog_finding_fn, void *arg, struct err *);

void plog_check(struct plog *);  /* asserts the invariants. Keeper. */

#endif
