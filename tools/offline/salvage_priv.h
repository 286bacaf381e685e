/*
 * salvage_priv.h: what the parts of a salvage share.
 *
 *   salvage.c         order, identity, the new folder, the report
 *   salvage_base.c    metadata and stores: LMDB, else a snapshot
 *   salvage_frames.c  which frames are used; what they do
 *   salvage_logs.c    segments: linked, copied, or rebuilt batch by batch
 *   salvage_log.c     one new log
 */
#ifndef OFFLINE_SALVAGE_PRIV_H
#define OFFLINE_SALVAGE_PRIV_H

#include "offline/folder.h"
#include "offline/salvage.h"
#include "offline/survey.h"
#include "partition/producer.h"
#include "partition/stable.h"
#include "record/batch.h"

enum salvage_base {
    BASE_LMDB,                   /* all of it proves itself */
    BASE_FILLED,                 /* LMDB, gaps filled from a snapshot if any */
    BASE_SNAPSHOT,
    BASE_NOTHING,
};

struct salvage_log {
    uint8_t key[LOG_KEY];
    struct uuid id;
    int32_t partition;
    int32_t leader_epoch;        /* of its last batch */
    int32_t leader_epoch_max;    /* no batch has a higher one */
    int64_t start, end;          /* of the new log */
    int64_t due;                 /* where it should start; trims move it */
    int64_t known;               /* producers are known up to here */
    struct plog *plog;           /* the new one; NULL in a dry run */
    struct producers producers;
    struct stable *stable;       /* transactions */
    bool loaded;                 /* producers */
    bool opened;                 /* there is something of it */
    bool empty;                  /* it has no batch yet */
    uint64_t lost;               /* offsets */
};

struct salvage {
    const struct salvage_options *o;
    struct findings *f;
    struct world *world;
    struct folder old;

    /* salvage_base.c */
    enum salvage_base base;
    struct omap bad_keys;        /* of LMDB's values that are damaged */
    char snapshot[SNAPSHOT_PATH];        /* "": none is used */
    bool lmdb_usable, lmdb_lost;
    bool at_known;
    struct snapshot_head at;
    struct omap records;         /* as they will be */
    struct omap log_states;      /* LMDB's: LOG_KEY -> logrec */
    struct omap dropped;         /* topic ids */
    struct omap stores;          /* numbers u32 BE of those with a record */

    /* salvage_frames.c */
    struct survey survey;
    uint8_t *use;                /* per frame: FRAME_USE_ */
    bool complete;               /* nothing between P and the end is missing */
    uint64_t highest;            /* epoch ever seen */
    int64_t clock_ms;

    struct datadir *dir;         /* the new one */
    struct meta *meta;
    struct meta_write write;
    struct segcache *old_cache, *new_cache;
    struct omap logs;            /* LOG_KEY -> struct salvage_log */
    unsigned dirty;              /* new logs that hold a descriptor */
    int64_t producer_max;        /* highest producer id seen */
    uint64_t n_homeless;         /* entries of stores without a record */
    uint64_t n_entries, n_batches, n_frames, n_linked, n_copied, lost;
};

enum { FRAME_SKIP, FRAME_USE_BATCHES, FRAME_USE_ALL };

#define say_lost(s, file, ...) \
    finding_add((s)->f, FINDING_DAMAGE, file, FINDING_NOWHERE, NULL, \
        __VA_ARGS__)
#define say_note(s, file, ...) \
    finding_add((s)->f, FINDING_NOTE, file, FINDING_NOWHERE, NULL, \
        __VA_ARGS__)

/* ---- salvage_base.c ---- */

int base_choose(struct salvage *, struct err *);
/* The entries of a space: those of the snapshot that are wanted, then LMDB's
 * on top. */
int base_each(struct salvage *, enum meta_space, stored_fn *, void *arg,
    struct err *);

/* ---- salvage_frames.c ---- */

int frames_open(struct salvage *, struct err *);
/* Operations onto the records. */
int frames_records(struct salvage *, struct err *);
/* The record of a topic in a frame that is not used otherwise: its name. */
bool frames_find_topic(struct salvage *, const struct uuid *, struct buf *);
/* Batches into logs, blocks into LMDB. */
int frames_apply(struct salvage *, struct err *);

/* ---- salvage_log.c ---- */

struct salvage_log *salvage_log_get(struct salvage *, const struct uuid *,
    int32_t partition);
void log_lost(struct salvage *, const struct salvage_log *, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));
bool topic_known(const struct salvage *, const struct uuid *);
/* A batch of the log, for what is known of its producer. */
/* The leader epoch lies outside of a batch's CRC: one that goes back, or
 * above its topic's, is damage. */
bool leader_epoch_good(const struct salvage_log *, int32_t before,
    int32_t epoch);
void producers_see(struct salvage *, struct salvage_log *,
    const struct batch *);
/* The new log, its files in place as the state has them. */
int log_begin(struct salvage *, struct salvage_log *,
    const struct plog_state *, struct err *);
/* One batch at the log's end; what is missing before it is filled. */
int log_append(struct salvage *, struct salvage_log *, struct span batch,
    uint64_t epoch, struct err *);
/* Batches without records stand for the offsets up to `to`. */
int log_fill(struct salvage *, struct salvage_log *, int64_t to,
    uint64_t epoch, struct err *);
/* The same, and it is told that they are lost. */
int log_gap(struct salvage *, struct salvage_log *, int64_t to,
    uint64_t epoch, struct err *);
/* The log had reached `end` once: no offset is given out twice. */
int log_reach(struct salvage *, struct salvage_log *, int64_t end,
    struct err *);
void log_trim(struct salvage *, struct salvage_log *, int64_t offset);
/* Records of logs and producers. */
int logs_finish(struct salvage *, struct err *);
void logs_release(struct salvage *);

/* ---- salvage_logs.c ---- */

/* Topics that only have a folder get a record. */
int logs_name(struct salvage *, struct err *);
/* What the files have. */
int logs_copy(struct salvage *, struct err *);
/* What the files have behind the log's end; all logs. */
int log_extend(struct salvage *, struct salvage_log *, struct err *);
int logs_extend(struct salvage *, struct err *);
/* Logs that had gone further, as the base and the tasks say. */
int logs_reach(struct salvage *, struct err *);

/* ---- salvage.c ---- */

/* value NULL: delete. What belongs to no store is left out. */
int salvage_put(struct salvage *, enum meta_space, struct span key,
    const struct span *value, struct err *);

#endif
