/*
 * dump.h: what stands in the files of a data folder, for people or as an
 * object a line: segments batch by batch, the journal frame by frame, the
 * metadata record by record, the stores entry by entry. Damaged places are
 * told and passed over. Writes nothing. Thread: the caller's.
 */
#ifndef OFFLINE_DUMP_H
#define OFFLINE_DUMP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/world.h"

struct dump_options {
    struct world *world;
    FILE *out;
    bool json;                   /* an object a line, else for people */
    int64_t from;                /* offset; journal: epoch; 0: all */
    int64_t limit;               /* lines of the first level; 0: all */
    bool records;                /* of batches, too */
    bool values;                 /* of records; of blocks and operations */
    const char *topic;           /* how values are read; NULL: from the file's
                                    folder, if LMDB can be asked */
    uint64_t damages;            /* out */
};

/* The file of a segment; also one that was taken out of its folder. */
int dump_segment(struct dump_options *, const char *file, struct err *);
/* The rest: a data folder on which no server runs. */
int dump_journal(struct dump_options *, const char *dir, struct err *);
int dump_meta(struct dump_options *, const char *dir, struct err *);
int dump_state(struct dump_options *, const char *dir, struct err *);

#endif
