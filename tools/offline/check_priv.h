/*
 * check_priv.h: what the parts of a check share.
 *
 *   check.c          identity, snapshots, order, summary
 *   check_meta.c     LMDB's file, its values, its records
 *   check_journal.c  the frames after P, against records and logs
 *   check_logs.c     the segments
 */
#ifndef OFFLINE_CHECK_PRIV_H
#define OFFLINE_CHECK_PRIV_H

#include "offline/check.h"
#include "offline/folder.h"

#define CHECK_SALVAGE "keep a copy of the folder, then run penstock salvage"
#define CHECK_RESTORE "put it back from a backup or run penstock salvage"
#define CHECK_NOTHING "nothing to do"

struct check_topic {
    struct uuid id;
    char *name;
    uint32_t partitions;
    int32_t leader_epoch;
};

struct check_log {
    uint8_t key[LOG_KEY];
    struct uuid id;
    int32_t partition;
    struct plog_state st;        /* as of P */
    bool recorded;               /* LMDB has a record of it */
    int64_t start, end;          /* with the frames after P */
    int32_t leader_epoch;        /* highest in its batches so far */
};

struct check {
    const struct check_options *o;
    struct findings *f;
    struct folder folder;
    bool whole;                  /* LMDB could be read, a checkpoint found */
    bool journal_whole;          /* all frames after P were read */
    struct snapshot_head at;
    bool clean;
    bool loose;                  /* records_loose() */
    struct omap topics;          /* id -> struct check_topic */
    struct omap logs;            /* LOG_KEY -> struct check_log */
    struct omap stores;          /* number u32 BE -> partitions as a value */
    struct segcache *cache;
    struct frames *journal;      /* check_journal.c's */

    uint64_t n_segments, bytes, batches, frames, records, values, entries;
};

/* ---- check_meta.c ---- */

/* LMDB's file and values; its records into folder.records. */
int check_lmdb(struct check *, struct err *);
/* All records as messages, as of the end of the journal: topics, stores. */
void check_records(struct check *);
/* What refers to the logs' ends: producers, tasks. */
void check_references(struct check *);
/* Entries of stores that no record names. */
int check_state(struct check *, struct err *);

/* ---- check_journal.c ---- */

int check_journal(struct check *, struct err *);
/* The batches, trims and blocks of its frames, once all records are known. */
int check_frames(struct check *, struct err *);
void check_journal_release(struct check *);

/* ---- check_logs.c ---- */

struct check_log *check_log_get(struct check *, const struct uuid *,
    int32_t partition);
int check_logs(struct check *, struct err *);
/* Without LMDB: what the files alone say. */
int check_logs_alone(struct check *, struct err *);
/* A batch's leader epoch against those before it and its topic's. */
void check_leader_epoch(struct check *, struct check_log *, const char *file,
    int64_t pos, int64_t offset, int32_t leader_epoch);
/* --deep: every record of a batch. */
void check_batch_records(struct check *, struct span batch, const char *file,
    int64_t pos);

struct check_topic *check_topic_get(const struct check *,
    const struct uuid *);

#endif
