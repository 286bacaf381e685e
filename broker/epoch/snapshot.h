/*
 * snapshot.h: a copy of all that LMDB holds, metadata and stores, in a plain
 * file of our own, for the day on which LMDB's file is lost or damaged
 * (epoch.md, rule 16). Two are kept, DATA/snapshot-0 and DATA/snapshot-1;
 * the older one is replaced. `penstock salvage` reads them; nothing else
 * does, and no snapshot ever keeps the appliance from starting.
 *
 * Writing goes step by step, so that whoever writes LMDB can do it beside
 * its work. One read transaction spans all steps: until the end LMDB's file
 * grows by what is changed meanwhile. The snapshot is LMDB as of begin.
 *
 * Ownership: a snapshot borrows world, folder and meta. Thread: one at a
 * time. The format: snapshot.c.
 */
#ifndef EPOCH_SNAPSHOT_H
#define EPOCH_SNAPSHOT_H

#include "base/uuid.h"
#include "epoch/journal.h"
#include "epoch/meta.h"

struct snapshot;

enum { SNAPSHOT_COUNT = 2, SNAPSHOT_PATH = 1100 };

/* ---- writing ---- */

/* Of the newest state in LMDB, into the folder `dir`. sync: as for LMDB. */
int snapshot_begin(struct snapshot **, struct world *, const char *dir,
    struct meta *, bool sync, struct err *);
/* Writes about `bytes` more. 1: there is more, 0: all is written, -1: give
 * it up with snapshot_free(). */
int snapshot_step(struct snapshot *, size_t bytes, struct err *);
/* After a step that returned 0: makes it durable and puts it into the place
 * of the older one. The snapshot is to be freed in any case. */
int snapshot_end(struct snapshot *, struct err *);
/* Removes what was not ended. NULL allowed. */
void snapshot_free(struct snapshot *);
/* All of it at once. */
int snapshot_write(struct world *, const char *dir, struct meta *, bool sync,
    struct err *);

/* ---- reading ---- */

struct snapshot_head {
    struct journal_cursor cursor;        /* its epoch: P */
    int64_t clock_ms;
    struct uuid cluster_id, data_id;
    uint64_t entries, bytes;             /* of keys and values, from the end */
};

const char *snapshot_path(const char *dir, unsigned n,
    char out[SNAPSHOT_PATH]);

/* Every entry to fn (NULL: to nobody), records before state, in key order,
 * each valid until fn returns; nonzero from fn ends with that result. What is
 * given is right as far as it goes, but only 0 means that it is all: prove
 * first, with NULL, where that matters. ERR_NOTFOUND, ERR_DAMAGE (with the
 * place), ERR_FORMAT. */
typedef int snapshot_fn(void *arg, enum meta_space, struct span key,
    struct span value, struct err *);
int snapshot_read(struct world *, const char *path, struct snapshot_head *,
    snapshot_fn *, void *arg, struct err *);

#endif
