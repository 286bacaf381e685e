/*
 * batchfile.h: the batches of a segment's file from its first byte to its
 * last, whatever LMDB says of it; what is no batch is passed over. For who
 * looks (dump) and for who has lost the list (salvage).
 *
 * Ownership: a batch is valid until the next call. Writes nothing.
 */
#ifndef OFFLINE_BATCHFILE_H
#define OFFLINE_BATCHFILE_H

#include "base/world.h"
#include "record/batch.h"

struct batchfile {
    struct world *world;
    const char *path;            /* borrowed */
    int fd;
    uint64_t size;
    uint64_t pos;                /* where the next look begins */
    struct buf bytes;            /* private */
};

int batchfile_open(struct batchfile *, struct world *, const char *path,
    struct err *);
void batchfile_close(struct batchfile *);
/* The next batch that proves itself, at *at. Bytes before it, from `pos` on,
 * that are no batch: *skipped. 1, 0: no more, -1: I/O. */
int batchfile_next(struct batchfile *, struct batch *, uint64_t *at,
    uint64_t *skipped, struct err *);

#endif
