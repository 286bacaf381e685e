/*
 * work.h: one process at work on the data folder: it opens, links effects of
 * all kinds at random, cuts, writes back, makes checkpoints, dies and comes
 * back, and keeps the model and the trace informed.
 *
 * The random numbers are the work's own, so a seed is a whole history.
 */
#ifndef CRASH_WORK_H
#define CRASH_WORK_H

#include "epoch/seq.h"
#include "host.h"
#include "model.h"
#include "rng.h"

enum { TOPICS = 3, PARTS = 2, STORES = 3, SHELVES = 2,
    HOLES = 64, KEYS = 12 };

struct topic {
    uint32_t number;             /* 0: none here */
    uint32_t parts, segment_bytes;
    bool purged;                 /* its starts follow a task */
    bool compact;                /* of each key the newest record must stay */
    unsigned cleaning[PARTS];    /* swaps that are not applied yet */
    struct tail *tails[PARTS];
    int64_t trimmed[PARTS];      /* where the start was last moved to */
};

struct hole {                    /* offsets that were reported as damaged */
    uint32_t topic, partition;
    int64_t from, to;
};

struct work_options {
    uint64_t journal_first, journal_max, tail_max, overlay_max;
    bool refuse_direct;
    unsigned wide;               /* keys of one run now and then; 0: none */
    unsigned usual;              /* bytes of a record, at most */
};

struct work {
    struct seq *seq;             /* NULL: closed, or dead */
    struct model *model;
    struct rng rng;
    struct work_options opts;
    struct topic topics[TOPICS];
    uint32_t next_topic;
    uint64_t next_run;
    uint32_t open;               /* version being filled */
    bool open_used;              /* something is in it */
    bool turned;                 /* since the start */
    uint32_t cut;                /* newest whose frame was begun */
    uint32_t acked;              /* newest that somebody was told of */
    unsigned steps;              /* left to do */
    unsigned lazy;               /* of this life: how rarely it is kept */
    unsigned peek;               /* a reader at one in so many calls; 0: none */
    bool full;                   /* reservations failed to the end */
    struct facts replayed;       /* producers that the journal brought */
    bool tolerant;               /* damage that is reported is passed over */
    struct hole holes[HOLES];    /* it */
    unsigned n_holes;
    struct err fatal;            /* what on_fatal was given */
    struct err peeked;           /* a reader saw what it must not */
    bool serving;                /* readers may come */
    unsigned peeks;
    jmp_buf jump;
};

/* A work on an empty folder or one that holds `version`. */
void work_init(struct work *, struct model *, uint64_t seed,
    const struct work_options *, uint32_t version);
void work_options_random(struct work_options *, struct rng *);

/* Opens the folder and finds `must`, or `maybe` if that is not 0; what was
 * found is *version, and the model goes on from there. -1: refused, or
 * something else was found. */
int work_open(struct work *, uint32_t must, uint32_t maybe,
    uint32_t *version, struct err *);
/* Opens it and tells what is there, whatever that is. */
int work_open_seq(struct work *, struct facts *, struct err *);
/* Does so many steps; deaths are part of them. -1: an opening found what it
 * must not, or the process stopped by itself (err, w->fatal). */
int work_run(struct work *, unsigned steps, struct err *);
/* So many steps of one life. 0, or HOST_FATAL: it stopped (w->fatal). */
int work_steps(struct work *, unsigned steps);
/* Opens the folder: what was acked, or what was on its way, must be there. */
int work_reopen(struct work *, struct err *);
/* Commits, closes in order. */
int work_close(struct work *, struct err *);
/* Dies here: nothing is closed, nothing is freed. */
void work_die(struct work *);

/* Runs fn until it returns, the process dies at the host's call number
 * die_at (0: never) or stops: 0, HOST_DIED (then it is dead), HOST_FATAL. */
int work_guard(struct work *, uint64_t die_at, void (*fn)(struct work *));

void work_turn(struct work *);
void work_keep(struct work *, bool checkpoint);
/* Links a random effect, with reservation. false: there was no room. */
bool work_effect(struct work *);
/* Compacts a log, if there is one that may be. */
void work_clean(struct work *);
/* Is what can be seen now what was published? Logs and stores, not records. */
int work_look(struct work *, struct err *);

/* ---- found.c ---- */

/* Reads the records, opens the tails, starts. *facts: all that is there. */
int found_open(struct work *, struct facts *, struct err *);
/* What is in logs and stores, as clients see it. */
int found_live(struct work *, struct facts *, struct err *);
/* A reader of the stores that comes in between two calls. */
void found_peek(void *work);
enum { STATE_KEYS = 64, STATE_KEY_SIZE = 700 };
/* The key of that number; returns its length. */
size_t state_key(uint32_t number, uint8_t key[STATE_KEY_SIZE]);
/* Of all but the offset, the length and the leader epoch: the first two are
 * looked at otherwise, and no checksum covers the third (damage.c). */
uint64_t batch_hash(struct span batch);
struct uuid topic_uuid(uint32_t number);
struct record;
/* A record of a compacted topic; a tombstone's is gone. */
struct fact key_fact(uint32_t topic, uint32_t partition,
    const struct record *);
struct plog_config topic_config(const struct topic *);

enum { RECORD_KINDS = 6 };

extern const char record_kinds[RECORD_KINDS];

#endif
