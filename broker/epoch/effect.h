/*
 * effect.h: one atomic change, prepared outside the open epoch: parsed,
 * checked, checksums computed, memory reserved. Linking it allocates nothing
 * that can fail, makes no system call and is bounded. What must be atomic (a
 * task's run, the markers of a transaction) is one effect.
 *
 * Ownership: whoever prepares an effect owns it until seq_link() or
 * seq_submit(); then the sequencer does, until it calls ops->release() on the
 * loop, after the keeper is done with it. Everything it points to lives as
 * long.
 */
#ifndef EPOCH_EFFECT_H
#define EPOCH_EFFECT_H

#include <sys/queue.h>

#include "base/span.h"
#include "base/thread.h"
#include "epoch/tail.h"
#include "plog/plog.h"

struct effect;
struct seq;
struct shelf;

/* Work that must be done on the loop, sent by any thread: seq_post(). The
 * sender keeps it alive until fn runs. */
struct seq_call {
    struct mail mail;
    void (*fn)(struct seq_call *);
};

enum { EFFECT_MAGIC = 0xeffec7ed };

struct effect_batch {
    struct tail *tail;           /* a reference of the effect's */
    struct tail_batch batch;     /* base 0, last = count - 1 before linking */
    uint32_t crc;                /* the batch's own */
};

/* The numbers are store.proto's OpKind. A quiet one is not in the frame: it
 * follows from what is, and only the checkpoint wants it. */
enum effect_op_kind {
    EFFECT_PUT = 1,
    EFFECT_DELETE = 2,
    EFFECT_TRIM = 3,             /* tail's log start moves to offset */
    EFFECT_DROP_TOPIC = 4,       /* topic_id */
    EFFECT_CLEAN = 5,            /* tail's log was compacted: value is a packed
                                    segment or empty, offset how far */
    EFFECT_CONFIGURE = 64,       /* tail's log gets `config`; always quiet */
};

struct effect_op {
    enum effect_op_kind kind;
    bool quiet;
    struct span key, value;      /* metadata: meta.h */
    struct tail *tail;           /* TRIM, CLEAN, CONFIGURE: a reference */
    int64_t offset;
    struct uuid topic_id;
    struct plog_config config;
};

struct effect_block {            /* one run in one store and partition */
    struct shelf *shelf;
    uint64_t run;
    struct span bytes;           /* overlay.h's block_put() */
    uint32_t crc;
};

/* A log whose start follows this task: epoch.md, rule 25. */
struct effect_purge {
    struct tail *tail;           /* borrowed from the task, which lives on */
    int64_t offset;
};

struct effect_ops {
    /* Loop, right after linking: offsets are known. NULL allowed. */
    void (*linked)(struct effect *);
    /* Loop, at publish, after views and watermarks moved. NULL allowed. */
    void (*published)(struct effect *);
    void (*release)(struct effect *);
};

struct effect {
    uint32_t magic;
    const struct effect_ops *ops;
    STAILQ_ENTRY(effect) next;   /* the sequencer's */
    struct seq_call call;        /* for seq_submit() */
    struct seq *seq;             /* likewise */
    uint64_t epoch;              /* set when linked */
    size_t reserved;             /* bytes, from seq_reserve() */
    struct effect_batch *batches;
    struct effect_op *op;
    struct effect_block *blocks;
    struct effect_purge *purges;
    uint32_t n_batches, n_ops, n_blocks, n_purges;
};

/* The bytes that it takes in a frame, at most. */
size_t effect_cost(const struct effect *);
/* Gives back the references to tails; for release(). */
void effect_unref_tails(struct effect *);

#endif
