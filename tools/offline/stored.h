/*
 * stored.h: what LMDB holds, out of its file without LMDB: each entry as
 * meta.c wrote it, proven by its checksum. Ownership: what is given is valid
 * until the function returns; the file is borrowed. Writes nothing.
 */
#ifndef OFFLINE_STORED_H
#define OFFLINE_STORED_H

#include "epoch/meta.h"
#include "offline/lmdbfile.h"

/* One entry that is right. Nonzero ends the scan and is its result. */
typedef int stored_fn(void *arg, struct span key, struct span value,
    struct err *);
/* One that is not: its key as it stands there, perhaps damaged, too. */
typedef void stored_bad_fn(void *arg, uint64_t page, struct span key,
    const char *text);

struct stored_scan {
    enum meta_space space;
    stored_fn *fn;               /* NULL: prove only */
    stored_bad_fn *bad;
    void *arg;
    uint64_t good, damaged;      /* out: entries */
    uint64_t pieces;             /* out: of large values */
    bool lost;                   /* out: pages could not be read */
};

int stored_scan(struct lmdbfile *, struct stored_scan *, struct err *);

#endif
