/*
 * lmdbfile.h: LMDB's data file, read page by page without LMDB, trusting
 * nothing. LMDB believes its pages: a damaged one makes it read outside of
 * its map, or give a page away twice months later. And it writes to its lock
 * file. So whoever judges a file or saves what is left of one reads it here.
 *
 * Format: that of LMDB 0.9 (data version 1), 64-bit, little-endian; the
 * essay in lmdbfile.c. Ownership: what a scan gives is valid until its
 * function returns. Thread: one at a time. Writes nothing.
 */
#ifndef OFFLINE_LMDBFILE_H
#define OFFLINE_LMDBFILE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "base/world.h"

struct lmdbfile;

/* The databases that meta.c makes in it; the first two are meta_space's. */
enum lmdbfile_db {
    LMDBFILE_RECORDS,
    LMDBFILE_STATE,
    LMDBFILE_PIECES,
    LMDBFILE_DBS,
};

/* What is wrong, and in which page (byte: page * lmdbfile_page_size()). */
typedef void lmdbfile_finding_fn(void *arg, uint64_t page, const char *text);

/* ERR_DAMAGE: there is nothing that could be read; ERR_FORMAT; or I/O. What
 * is wrong beside that is told by lmdbfile_prove(). */
int lmdbfile_open(struct lmdbfile **, struct world *, const char *path,
    struct err *);
void lmdbfile_close(struct lmdbfile *);          /* NULL allowed */

size_t lmdbfile_page_size(const struct lmdbfile *);
uint64_t lmdbfile_pages(const struct lmdbfile *);        /* in use or free */
/* What the file says of itself. */
uint64_t lmdbfile_entries(const struct lmdbfile *, enum lmdbfile_db);

/* Everything that LMDB will rely on: head pages, all trees with order, depth
 * and counts, the list of free pages against the pages in use. The number of
 * findings goes to *found. 0, or -1 for I/O. Values are not its business. */
int lmdbfile_prove(struct lmdbfile *, lmdbfile_finding_fn *, void *arg,
    uint64_t *found, struct err *);

/* Every entry that can be reached, in order of the keys, with the page that
 * holds it. Damaged pages are passed over: *lost is set. fn's nonzero ends
 * it and is the result. */
typedef int lmdbfile_entry_fn(void *arg, struct span key, struct span value,
    uint64_t page, struct err *);
int lmdbfile_scan(struct lmdbfile *, enum lmdbfile_db, lmdbfile_entry_fn *,
    void *arg, bool *lost, struct err *);

/* 1: found, copied; 0: not there (or not reachable); -1: I/O. */
int lmdbfile_get(struct lmdbfile *, enum lmdbfile_db, struct span key,
    struct buf *value, struct err *);

#endif
