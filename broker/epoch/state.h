/*
 * state.h: the stores of tasks: a shelf is one store in one partition, an
 * overlay over LMDB. The newest value is the task's, the published one is
 * for queries.
 *
 * Reading looks into the overlay first and into LMDB if it has nothing; what
 * is read again and again stays in the overlay as a clean key. The
 * keeper trims an overlay only after LMDB has committed what it trims, and
 * counts `trims` up before it does: a reader whose snapshot of LMDB is older
 * than the count it saw together with the overlay takes a new one. So a key
 * is never missed in both.
 *
 * Thread: any; a state_reader is used by one thread at a time.
 */
#ifndef EPOCH_STATE_H
#define EPOCH_STATE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/table.h"
#include "epoch/meta.h"
#include "epoch/overlay.h"

enum { SHELF_MAGIC = 0x54e1f54e };

struct shelf {
    uint32_t magic;
    uint32_t store, partition;
    struct overlay overlay;
    uint8_t key[META_STATE_PREFIX];      /* of the table, and of LMDB's keys */
};

struct state {
    struct lock lock;            /* of the table */
    struct table shelves;
    struct meta *meta;
    _Atomic uint64_t trims;
    _Atomic size_t bytes;        /* of overlays, as last counted */
    struct overlay_budget budget;        /* of clean keys in memory */
};

void state_init(struct state *, struct meta *);
void state_release(struct state *);
/* The shelf, made if need be; it lives as long as the state. */
struct shelf *state_shelf(struct state *, uint32_t store, uint32_t partition);
/* All shelves: for (size_t i = 0; (s = state_next(st, &i)) != NULL;), under
 * state->lock. */
struct shelf *state_next(struct state *, size_t *iter);

struct state_reader {
    struct state *state;
    struct meta_reader *meta;
    uint64_t trims;              /* of the snapshot */
    int64_t since_ns;            /* when it was taken */
};

int state_reader_init(struct state_reader *, struct state *, struct err *);
void state_reader_release(struct state_reader *);
/* Gives up the snapshot, when there is nothing to do or after 100 ms. */
void state_reader_park(struct state_reader *);

enum state_view { STATE_NEWEST, STATE_PUBLISHED };

/* 1: found, copied into the arena; 0: not there; -1. */
int state_get(struct state_reader *, struct shelf *, enum state_view,
    struct span key, struct arena *, struct span *value, struct err *);

/* A hint: these keys will be asked for soon. */
void state_ahead(struct shelf *, const struct span *keys, size_t n);

/* In key order, keys in [from, to) (to SPAN_NULL: no end), at most
 * `limit`; fn returns nonzero to end, which becomes the result. Memory is
 * the arena's, rewound after each chunk of keys. One chunk is consistent in
 * itself, and so is a whole STATE_NEWEST scan by the task that owns it. */
typedef int state_fn(void *arg, struct span key, struct span value,
    struct err *);
int state_scan(struct state_reader *, struct shelf *, enum state_view,
    struct span from, struct span to, size_t limit, struct arena *,
    state_fn *, void *arg, struct err *);

/* Puts the entries of a block into the overlay as run `run`. -1: damaged. */
int shelf_apply(struct shelf *, struct span block, uint64_t run);

#endif
