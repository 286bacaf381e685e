/*
 * seq.h: the sequencer: the one thread that assigns offsets and links
 * effects into the open epoch, cuts it, and publishes it once it is hard.
 * The essay is in seq.c.
 *
 * Life: seq_open() (folder, LMDB, journal read), then the owners of metadata
 * read it (seq_records) and open their tails (seq_tail), then seq_start().
 *
 * Thread: the loop, except where "any" is said.
 */
#ifndef EPOCH_SEQ_H
#define EPOCH_SEQ_H

#include "base/world.h"
#include "epoch/effect.h"
#include "epoch/journal.h"
#include "epoch/state.h"
#include "plog/plog.h"

struct seq;

struct seq_options {
    const char *dir;
    struct world *world;
    enum durability durability;
    /* Without threads everything happens inside seq_turn(), in one order:
     * for the crash tests. */
    bool threads;
    uint64_t journal_max;        /* bytes; 0: 256 MiB */
    uint64_t journal_first;      /* bytes of the first ring; 0: 4 MiB */
    uint64_t tail_max;           /* bytes linked, not yet written; 0: 64 MiB */
    uint64_t cache_max;          /* bytes written, still in memory; 0: 16 MiB */
    uint64_t overlay_max;        /* bytes; 0: 256 MiB */
    uint64_t map_bytes;          /* LMDB's; 0: 64 GiB */
    uint64_t disk_floor;         /* free bytes below which no entry; 0: 64 MiB */
    uint64_t ballast;            /* bytes held for a full disk; 0: 16 MiB */
    /* Called instead of ending the process after a failed write or flush
     * (rule 7 in seq.c); NULL: the process ends with status 74. */
    void (*on_fatal)(void *arg, const struct err *);
    void *on_fatal_arg;
};

/* ---- opening ---- */

int seq_open(struct seq **, const struct seq_options *, struct err *);
/* Every metadata record whose key begins with `kind`, as of the last
 * committed epoch; the key comes without that byte. Before seq_start(). */
int seq_records(struct seq *, enum meta_kind kind, meta_fn *, void *arg,
    struct err *);
/* The tail of a partition, its log opened as the checkpoint has it. */
struct tail *seq_tail(struct seq *, const struct uuid *topic_id,
    int32_t partition, int32_t leader_epoch, const struct plog_config *,
    struct err *);
/* Forgets a tail whose topic is being dropped by an effect just linked. */
void seq_tail_drop(struct seq *, struct tail *);
/* Replays what the journal has after the checkpoint: batches into tails,
 * blocks into shelves. `replayed` sees each batch that was linked again. */
typedef void seq_replay_fn(void *arg, struct tail *, struct span batch);
int seq_start(struct seq *, seq_replay_fn *, void *arg, struct err *);
/* Commits what is open and stops the threads; with a checkpoint if that is
 * quick. */
void seq_stop(struct seq *);
/* The same, then lets go of everything. Tails that others hold must have
 * been given back before. */
void seq_close(struct seq *);                    /* NULL allowed */

/* ---- work ---- */

/* Room for an effect of that many bytes (effect_cost). Any thread. false:
 * not now: wait for seq_room_wait() or the next publish. */
bool seq_reserve(struct seq *, size_t bytes);
void seq_unreserve(struct seq *, size_t bytes);
/* Is there room for an effect of usual size? Any thread. */
bool seq_has_room(struct seq *);
/* For cut, deletion, groups: small effects that must always find room. */
void seq_reserve_system(struct seq *, size_t bytes);
/* Larger than this can never be reserved. Any thread. */
size_t seq_effect_max(const struct seq *);
/* Counts the moments at which there may be more room than before: publishes,
 * checkpoints, a larger ring. Loop. */
uint64_t seq_room_looks(const struct seq *);
/* Blocks until something was published since `seen`, or us have passed.
 * Any thread but the loop. Returns the new value for `seen`. */
uint64_t seq_room_wait(struct seq *, uint64_t seen, int64_t us);

void seq_link(struct seq *, struct effect *);
void seq_submit(struct seq *, struct effect *);  /* any thread */
void seq_post(struct seq *, struct seq_call *);  /* any thread */

/* The end of a turn of the loop: takes in what threads sent, cuts, hardens
 * inline or by the helper, publishes. Returns in how many microseconds it
 * wants to be called again at the latest; -1: when seq_fd() says so. */
int64_t seq_turn(struct seq *);
int seq_fd(const struct seq *);          /* readable: call seq_turn() */
/* Called now and then when the loop is idle (about once a second). */
void seq_idle(struct seq *);
/* Without threads: writes back and checkpoints as far as there is work. */
void seq_keep(struct seq *, bool checkpoint);

/* Tasks that have unread input or a run under way: while there are any, a
 * cut waits for them, at most as long as a flush takes. Any thread. */
void seq_tasks_busy(struct seq *, int change);
/* A run was handed over. Any thread. */
void seq_tasks_moved(struct seq *);

/* ---- looking ---- */

uint64_t seq_open_epoch(const struct seq *);
uint64_t seq_published(const struct seq *);      /* any thread */
/* Milliseconds of the appliance clock . Any thread. */
int64_t seq_clock_ms(struct seq *);
void seq_clock_advance(struct seq *, int64_t ms);        /* demo, driver */
/* The epoch that a reply must wait for: the open one if anything is in it,
 * else none (what is published already). */
uint64_t seq_gate(const struct seq *);

struct state *seq_state(struct seq *);
struct world *seq_world(struct seq *);
const struct uuid *seq_cluster_id(const struct seq *);
const char *seq_dir(const struct seq *);         /* the data folder */
/* Acknowledged data may be gone (durability=process and another boot): the
 * owner of topics raises their leader epochs (KIP-320). */
bool seq_history_lost(const struct seq *);
bool seq_readonly(const struct seq *, const char **why); /* disk full. Any. */
uint64_t seq_checkpointed(const struct seq *);           /* P */

/* A write or a flush of the caller's failed, and nobody knows what reached
 * the disk: the process ends (seq_options.on_fatal). */
void seq_fail(struct seq *, const struct err *);

/* Is called after each publish, with the epoch's number. */
void seq_on_publish(struct seq *, void (*fn)(void *arg, uint64_t), void *);

/* A counter of each kind for /metrics: name, help, value. */
#define SEQ_COUNTERS(X)                                                        \
    X(epochs, "epochs committed")                                              \
    X(epochs_inline, "epochs that the loop hardened itself")                   \
    X(frame_bytes, "bytes of frames, padding included")                        \
    X(payload_bytes, "bytes of batches and blocks in frames")                  \
    X(flush_ns, "nanoseconds spent in writing and flushing frames")            \
    X(written_bytes, "bytes of batches written back to segments")              \
    X(checkpoints, "checkpoints")                                              \
    X(checkpoint_ns, "nanoseconds spent in checkpoints")                       \
    X(checkpoint_keys, "keys of stores written to LMDB")                       \
    X(snapshots, "snapshots of LMDB written")                                  \
    X(recovered_frames, "frames that the start has read")                      \
    X(recovered_bytes, "bytes of the frames that the start has read")          \
    X(refused, "reservations that found no room")

struct seq_counters {
#define X(name, help) _Atomic uint64_t name;
    SEQ_COUNTERS(X)
#undef X
};

struct seq_counters *seq_counters(struct seq *);

struct seq_levels {
    uint64_t journal_bytes, journal_used, epoch_bytes, tail_bytes,
        cache_bytes, overlay_bytes;
};
void seq_levels(struct seq *, struct seq_levels *);

#endif
