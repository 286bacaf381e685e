/*
 * meta.h: LMDB, behind one door: what is authoritative at the checkpoint P.
 * Two key spaces: the metadata (META, keys begin with a letter, see below)
 * and the stores (STATE, keys begin with store and partition).
 *
 * Every value carries a CRC-32C over key and value. A value over 2 KB is cut
 * into pieces, so that LMDB needs no runs of contiguous pages. A key over
 * 484 bytes is kept as its first 484 and a hash, the whole key beside the
 * value: readers compare it, and walks put such neighbours into order.
 *
 * Threads: one writer (the keeper, or start-up). Readers have a meta_reader
 * each, which one thread uses at a time. Values are copied into the caller's
 * arena: nothing of LMDB's escapes.
 */
#ifndef EPOCH_META_H
#define EPOCH_META_H

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

struct meta;
struct meta_reader;

enum meta_space { META_RECORDS, META_STATE };

/* First byte of the keys of META_RECORDS; the values are store.proto's. */
enum meta_kind {
    META_CHECKPOINT = 'A',
    META_CONFIG = 'C',           /* type of resource u8, its name */
    META_ABORTED = 'B',          /* topic id, partition u32, offset i64 */
    META_GROUP = 'G',            /* group */
    META_IDS = 'I',
    META_TASK = 'K',             /* app, NUL, task */
    META_LOG = 'L',              /* topic id, partition u32 BE */
    META_MEMBER = 'M',           /* group, NUL, member */
    META_TXN = 'N',              /* transactional id */
    META_OFFSET = 'O',           /* group, NUL, topic, NUL, partition u32 BE */
    META_QUOTA = 'Q',            /* for each part: u, c or i; = and its name,
                                  * or *; NUL */
    META_PRODUCER = 'P',         /* topic id, partition u32, producer i64 */
    META_STORE = 'S',            /* app, NUL, store */
    META_TOPIC = 'T',            /* topic id */
    META_TXN_PART = 'U',         /* transactional id and part: store.proto */
    META_DOOMED = 'X',           /* topic id */
    META_APP = 'Y',              /* app */
};

/* `sync` false: for durability=memory, and until meta_sync_on(). */
int meta_open(struct meta **, const char *dir, uint64_t map_bytes, bool sync,
    struct err *);
/* The same; when LMDB trips over a damaged page, at any later call on any
 * thread, fn is told and must not return. Without it the process says so and
 * ends with status 7. */
typedef void meta_damaged_fn(void *arg, const struct err *);
int meta_open_guarded(struct meta **, const char *dir, uint64_t map_bytes,
    bool sync, meta_damaged_fn *fn, void *arg, struct err *);
/* What was put so far is on the disk, and each commit from now on: ends the
 * making of one that was opened without sync. */
int meta_sync_on(struct meta *, struct err *);
int meta_open_readonly(struct meta **, const char *dir, struct err *);
void meta_close(struct meta *);                  /* NULL allowed */

/* ---- reading ---- */

struct meta_reader *meta_reader_new(struct meta *, struct err *);
void meta_reader_free(struct meta_reader *);     /* NULL allowed */
/* The newest snapshot from now on. */
int meta_reader_renew(struct meta_reader *, struct err *);
/* Gives the snapshot back, so that LMDB may reuse its pages; the next read
 * takes a new one. */
void meta_reader_park(struct meta_reader *);

/* 1: found (value in the arena), 0: not there, -1. */
int meta_get(struct meta_reader *, enum meta_space, struct span key,
    struct arena *, struct span *value, struct err *);
/* In key order from the first key >= from, while keys begin with `prefix`;
 * fn returns nonzero to end, which becomes the result. Memory of the arena
 * is rewound after each call. */
typedef int meta_fn(void *arg, struct span key, struct span value,
    struct err *);
int meta_scan(struct meta_reader *, enum meta_space, struct span prefix,
    struct span from, struct arena *, meta_fn *, void *arg, struct err *);

/* ---- writing: a transaction with a sticky error ---- */

struct meta_write {              /* private */
    struct meta *meta;
    void *txn, *cursor[2];
    size_t puts, bytes;
    struct err err;
};

int meta_begin(struct meta *, struct meta_write *);
void meta_put(struct meta_write *, enum meta_space, struct span key,
    struct span value);
void meta_del(struct meta_write *, enum meta_space, struct span key);
/* Deletes up to n keys that begin with prefix; *more: some are left. */
void meta_del_prefix(struct meta_write *, enum meta_space, struct span prefix,
    size_t n, bool *more);
/* Is it time to commit and begin another? (at most 16k dirty pages) */
bool meta_full(const struct meta_write *);
/* 0, or -1 with the first error (ENOSPC for a full map or disk). */
int meta_commit(struct meta_write *, struct err *);
void meta_abort(struct meta_write *);

/* ---- helpers ---- */

/* A key of META_STATE for a store's key; in the arena. */
struct span meta_state_key(struct arena *, uint32_t store,
    uint32_t partition, struct span key);
enum { META_STATE_PREFIX = 8 };

/* The form in which a value is stored, for who reads LMDB's file without
 * LMDB (check, salvage): the true key and the value, proven and joined, in
 * the arena. `stored` and `data` are what stands in the file; fn gives one
 * piece of a large value, valid until the next call. 0 or -1. */
enum { META_PIECE_KEY = 20 };
typedef int meta_piece_fn(void *arg, const uint8_t key[META_PIECE_KEY],
    struct span *piece, struct err *);
int meta_unpack(enum meta_space, struct span stored, struct span data,
    meta_piece_fn *, void *arg, struct arena *, struct span *key,
    struct span *value, struct err *);

/* Of the library that runs. */
void meta_library_version(int *major, int *minor, int *patch);
/* Bytes of keys and values put since it was opened. The writer. */
uint64_t meta_put_bytes(const struct meta *);
/* Bytes of the data file in use, and the map's size. */
void meta_usage(struct meta *, uint64_t *used, uint64_t *map);

#endif
