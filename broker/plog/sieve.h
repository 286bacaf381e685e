/*
 * sieve.h: what compaction keeps of one batch. Private to the room. Rules:
 * sieve.c.
 *
 * Ownership: a sieve owns its tables and its room for one batch. Thread: one.
 */
#ifndef PLOG_SIEVE_H
#define PLOG_SIEVE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/table.h"
#include "plog/clean.h"
#include "plog/keymap.h"

struct batch;

struct sieve {
    const struct plog_clean_options *opts;
    struct keymap map;
    int64_t map_end;             /* the map covers what is below */
    struct plog_aborted *aborted;        /* by producer and offset */
    struct plog_producer *producers;     /* by id */
    struct table open;           /* producers with data since their marker */
    struct arena arena;
    struct buf out;
    uint64_t records_read, records_kept;
};

void sieve_init(struct sieve *, const struct plog_clean_options *);
void sieve_release(struct sieve *);

/* Takes the batch's keys from `from` on into the map and moves map_end. 1:
 * all of them, 0: the map is full, -1: the batch can't be opened. */
int sieve_learn(struct sieve *, struct span bytes, int64_t from,
    struct err *);

/* What is left of the batch: itself, another one, borrowed until the next
 * call, or nothing. `keep`: it must leave a batch, were it without records.
 * Batches must come in order, from the log's first one on. 0 or -1. */
int sieve_batch(struct sieve *, struct span bytes, bool keep,
    struct span *left, struct err *);

#endif
