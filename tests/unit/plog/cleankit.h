/*
 * cleankit.h: a log and the model that remembers every record of it: what the
 * tests of compaction share.
 */
#ifndef TEST_PLOG_CLEANKIT_H
#define TEST_PLOG_CLEANKIT_H

#include "kit.h"
#include "plog/clean.h"
#include "record/batch.h"

enum { KEYS = 40, PRODUCERS = 6, TXN_FROM = 3, RETENTION = 5000 };

struct rec {
    int64_t offset, timestamp;
    int key;                     /* -1: none */
    bool tombstone, txn, aborted, control, present;
    int producer;                /* -1: none */
    int64_t met_ms;              /* now of the first pass that met it; 0 */
    uint64_t seed;               /* of its value */
    size_t size;
};

struct head_of {                 /* of a batch as it was appended */
    int64_t base, last, pid;
    int16_t epoch;
    int32_t seq;
    uint16_t attributes;
};

struct step {                    /* of the journal */
    enum { STEP_APPEND, STEP_SWAP, STEP_TRIM } kind;
    struct plog_chunk chunk;     /* bytes are owned */
    struct plog_cleaned cleaned;
    int64_t offset;
};

struct log {
    struct dice dice;
    struct segcache *cache;
    struct plog_config config;
    char *path;
    struct plog *plog;
    struct rec *recs;
    size_t n, cap;
    struct head_of *heads;
    size_t heads_n, heads_cap;
    struct step *steps;
    size_t steps_n, steps_cap;
    size_t done, before;         /* steps in the last two checkpoints */
    struct plog_state state;     /* of the last one */
    struct plog_aborted *aborted;
    size_t aborted_n, aborted_cap;
    int64_t open[PRODUCERS];     /* first offset of a transaction; -1 */
    int32_t seq[PRODUCERS];
    int64_t last[PRODUCERS];     /* offset of its last batch; -1 */
    int64_t end, log_start, cleaned, now, timestamp;
    uint64_t epoch;
    int outputs;
    bool listed;                 /* ranges are never forgotten */
    int stop_at;                 /* output() that refuses; 0: none */
};

void log_open(struct log *l, const struct plog_state *st);
void log_close(struct log *l);
void log_init(struct log *l);
void log_release(struct log *l);
/* One step of the journal; log_journal() notes it for a replay. */
void log_apply(struct log *l, const struct step *s);
void log_journal(struct log *l, const struct step *s);
void log_add_data(struct log *l);
void log_end_txn(struct log *l, int who, bool commit);
/* The last stable offset. */
int64_t log_stable(const struct log *l);
struct plog_clean_options log_options(struct log *l);
/* One pass of the cleaner, and its swaps. */
void log_pass(struct log *l, const struct plog_clean_options *o);
void log_checkpoint(struct log *l);
/* From the last state on; or from one that is ahead of what is replayed. */
void log_crash(struct log *l, bool ahead);
void log_check_batch(struct log *l, const struct batch *b,
    struct arena *arena);
/* Reads all; recs[].present says what was met. Returns the batches. */
int log_scan(struct log *l);
void log_check_times(struct log *l);
void log_finding(void *arg, const struct plog_finding *f);
void log_check_all(struct log *l);
/* One record as a batch of its own. */
void log_put(struct log *l, int key, bool tombstone, int producer);
/* Fills the segment, so that what is before is sealed and in P. */
void log_seal(struct log *l);
/* The batch that a read at the offset finds. */
struct batch log_batch_at(struct log *l, int64_t offset, struct buf *out);

#endif
