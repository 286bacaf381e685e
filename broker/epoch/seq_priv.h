/*
 * seq_priv.h: what seq.c, harden.c, keeper.c and recover.c share. Fields say
 * who owns them: L the loop, K the keeper, A atomic.
 */
#ifndef EPOCH_SEQ_PRIV_H
#define EPOCH_SEQ_PRIV_H

#include "base/buf.h"
#include "base/omap.h"
#include "epoch/datadir.h"
#include "epoch/seq.h"

enum { SEQ_MAGIC = 0x5e95e95e, EPOCH_MAGIC = 0xe90c4000 };
/* Starts without a checkpoint, of which there are frames: from so many on
 * one is asked for; no more are recorded. */
enum { INCARNATIONS_MANY = 64, INCARNATIONS_MAX = 4096 };

STAILQ_HEAD(effect_list, effect);

/* Open, hardening, published, with the keeper: in this order. */
struct epoch {
    uint32_t magic;
    uint64_t number;
    int64_t clock_ms;
    struct effect_list effects;
    size_t bytes, reserved;      /* cost of its effects; what was reserved */
    uint32_t n_effects, n_batches, n_ops, n_blocks;
    int64_t opened_ns;           /* when the first effect was linked */
    bool checkpoint;             /* the keeper makes one here */
    bool clean;                  /* the last one: nothing follows */
    uint64_t grow_bytes;         /* the keeper makes a journal file; 0: no */
    struct journal_cursor cursor;        /* right behind its frame */
    struct buf manifest;         /* packed at the cut */
    struct frame_header header;
    struct journal_slot slot;
    struct seq_call call;        /* back to the loop */
    struct seq *seq;
    STAILQ_ENTRY(epoch) next;
};

STAILQ_HEAD(epoch_list, epoch);

/* A record's newest value, in the dirty map by its key. */
struct image {
    uint32_t len;
    bool gone;                   /* a tombstone */
    uint8_t data[];
};

/* Batches that are written, in the order of their epochs: the first to go. */
struct cached {
    struct tail *tail;
    int64_t next;                /* evict below this offset */
    size_t bytes;
};

struct seq {
    uint32_t magic;
    struct seq_options opts;
    struct world *world;
    struct datadir *datadir;
    struct meta *meta;
    struct state state;
    struct journal *journal;             /* L; write: the hardener */
    struct segcache *segcache;
    struct table tails;                  /* L: by topic id and partition */
    struct lock tails_lock;              /* the keeper looks up, too */
    struct mailbox box;                  /* to the loop */

    struct epoch *open, *hard;           /* L; hard: NULL when none */
    uint64_t next_number;                /* L */
    _Atomic uint64_t published, checkpointed;
    _Atomic uint64_t limit, in_open;     /* bytes; seq_reserve() */
    uint64_t largest;                    /* effect refused for its size: L */
    _Atomic uint64_t wanted;
    uint64_t room_looks;                 /* seq_room_looks() */
    _Atomic int64_t busy;                /* tasks: seq_tasks_busy() */
    _Atomic int64_t moved_ns;            /* when one last moved */
    uint32_t frame_check;                /* L: of the newest frame */
    bool started, checkpointing;         /* L */
    uint64_t checkpoint_used;            /* L: journal bytes at the last P */
    uint64_t since_checkpoint;           /* L: bytes of frames after P */
    int64_t last_cut_ns;                 /* L */

    int64_t clock_base_ms, clock_mono_ns;        /* A by clock_lock */
    struct lock clock_lock;

    void (*on_publish)(void *, uint64_t);        /* L */
    void *on_publish_arg;

    pthread_mutex_t room_mutex;          /* seq_room_wait() */
    pthread_cond_t room_cond;
    uint64_t room_turn;
    _Atomic int room_waiters;

    /* hardening: harden.c */
    uint8_t *frame;                      /* aligned buffer of one frame */
    size_t frame_cap;
    pthread_t helper;
    bool helper_runs;
    pthread_mutex_t helper_mutex;
    pthread_cond_t helper_cond;
    struct epoch *helper_job;            /* by helper_mutex */
    bool helper_stop;
    _Atomic int64_t flush_ns;            /* smoothed */

    /* the keeper: keeper.c */
    pthread_t keeper;
    bool keeper_runs;
    pthread_mutex_t keeper_mutex;
    pthread_cond_t keeper_cond;
    struct epoch_list keeper_queue;      /* by keeper_mutex */
    size_t keeper_queued;                /* bytes in it, by keeper_mutex */
    bool keeper_stop, keeper_sleeps;     /* by keeper_mutex */
    _Atomic uint64_t unwritten;          /* bytes linked, not written back */
    struct omap dirty;                   /* K: metadata since P */
    struct tail *dirty_tails;            /* K */
    bool topics_dirty;                   /* K: a folder was made in topics/ */
    struct buf doomed;                   /* K: folders to remove after P */
    struct epoch_list keeper_work;       /* K: taken from the queue */
    _Atomic bool readonly;
    const char *readonly_why;
    int64_t retry_ns;                    /* K */
    bool boot_differs;                   /* start under another boot */
    bool unflushed;                      /* frames of the last process are */
    /* Begun since P, this one last. Start-up, then K. */
    uint64_t *incarnations;
    size_t incarnation_count;
    uint64_t *seen;              /* start-up: those that wrote frames */
    size_t seen_count;
    bool many_starts;            /* L: a checkpoint is due */
    struct journal_part *parts;  /* the journal's files: start-up, then K */
    size_t part_count;
    uint64_t trusted_epoch;      /* what recovery made sure of: start-up */
    uint32_t trusted_check;
    struct journal_cursor marked;        /* K: the record of the checkpoint */
    int64_t marked_clock_ms;
    uint64_t grow_bytes;         /* K: of a journal file still to be made */
    struct snapshot *snapshot;           /* K: being written; NULL: none */
    uint64_t snapshot_put;       /* K: bytes put into LMDB when it began */
    uint64_t snapshot_used;      /* K: bytes of LMDB's file then; 0: none */
    int64_t snapshot_next_ns;    /* K: its next step */
    bool snapshot_any;           /* K: one is there */
    bool snapshot_topics;        /* K: topics have changed since */

    struct cached *cached;               /* L: a ring */
    size_t cached_head, cached_count, cached_cap;
    _Atomic uint64_t cached_bytes;

    struct epoch_list recovered;         /* between open and start */
    struct meta_reader *reader;          /* likewise */
    struct journal_cursor from;          /* of the checkpoint */
    struct uuid identified;              /* topic whose folder was checked */

    struct seq_counters counters;
};

/* seq.c */
struct epoch *epoch_new(void);
void epoch_free(struct seq *, struct epoch *);   /* releases its effects */
void seq_published_epoch(struct seq *, struct epoch *);
void seq_count_overlays(struct seq *);
/* Is even the reserve for cuts and for the system's own used up? */
bool seq_ring_is_full(const struct seq *);
void seq_refresh_limit(struct seq *);
void seq_ask_checkpoint(struct seq *, bool clean);
void seq_die(struct seq *, const struct err *);  /* rule 19 */
struct tail *seq_tail_find(struct seq *, const struct uuid *, int32_t);

/* harden.c: an epoch becomes a frame */
void harden_pack(struct seq *, struct epoch *);  /* manifest, slot. Loop. */
int harden_write(struct seq *, struct epoch *, struct err *);
void harden_by_helper(struct seq *, struct epoch *);
void harden_stop(struct seq *);

/* keeper.c */
void keeper_start(struct seq *);
void keeper_send(struct seq *, struct epoch *);
void keeper_stop(struct seq *);
void keeper_pass(struct seq *, bool all);        /* inline, without thread */
void keeper_dirty_put(struct seq *, struct span key, const struct span *);
void keeper_free_dirty(struct seq *);
bool keeper_full_disk(const struct err *);
/* It has something for the next checkpoint. */
void keeper_tail_dirty(struct seq *, struct tail *);
/* Dropped, and the frame that says so is on the disk. */
bool keeper_tail_gone(struct seq *, struct tail *);

/* checkpoint.c: at the place of that epoch in the queue */
int checkpoint_make(struct seq *, struct epoch *, struct err *);
struct meta_write;
/* Puts the record of the checkpoint. */
void keeper_mark(struct seq *, const struct journal_cursor *,
    int64_t clock_ms, bool clean, struct meta_write *);

/* snapper.c: on the keeper's thread */
void snapper_note(struct seq *);         /* before the dirty map is freed */
void snapper_checkpointed(struct seq *); /* begins one if it is due */
/* One step if it is time; `all`: to the end. */
void snapper_step(struct seq *, bool all);
void snapper_stop(struct seq *);         /* finishes a small one */
void snapper_drop(struct seq *);

/* growth.c: on the keeper's thread */
void growth_add_part(struct seq *, struct journal_part);
/* A file of so many bytes, at last in the loop's hands. false: not now. */
bool growth_make(struct seq *, uint64_t bytes);

#endif
