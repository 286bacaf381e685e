/*
 * topic.h: topics and their partitions: the registry by name and by id, made
 * again at start from the metadata records, and the few acts that change it,
 * each one effect in the open epoch.
 *
 * What an act changes is seen by the loop at once; answers that show it must
 * wait for seq_gate(). A topic that is deleted while somebody still holds a
 * partition lives on, without an id, until the last one lets go.
 *
 * Ownership: the registry owns topics, a topic its partitions. Thread: loop.
 */
#ifndef PARTITION_TOPIC_H
#define PARTITION_TOPIC_H

#include <sys/queue.h>

#include "base/omap.h"
#include "epoch/seq.h"
#include "partition/producer.h"
#include "partition/stable.h"
#include "partition/topic_config.h"
#include "record/kerr.h"

enum { PARTITION_MAGIC = 0x9a471710, TOPIC_MAGIC = 0x70b1c000 };

struct waiter;
TAILQ_HEAD(waiter_list, waiter);

/* Somebody who wants to know when a partition's high watermark moves: a
 * fetch. fn is called from publish; it may remove itself. */
struct waiter {
    TAILQ_ENTRY(waiter) next;
    struct partition *partition;
    void (*fn)(struct waiter *);
};

struct partition {
    uint32_t magic;
    struct topic *topic;
    struct seq *seq;
    int32_t index;
    struct tail *tail;
    struct producers producers;
    struct stable *stable;       /* transactions; the tail's */
    struct waiter_list waiters;
    bool replayed;               /* its producers changed in the replay, */
    int64_t replayed_from;       /* with the batch at this offset first */
    int64_t clean_after_ms;      /* cleaner.c: wall clock, not before */
};

struct topic {
    uint32_t magic;
    struct uuid id;
    char *name;
    struct partition **partitions;
    int32_t partition_count;
    int32_t leader_epoch;
    bool internal;               /* an application's repartition log */
    bool purge;                  /* its start follows the committed offset */
    int64_t created_ms;          /* wall clock */
    struct topic_config config;
    /* What a produce asks of the settings, read once: they are text. */
    struct topic_rules {
        int64_t batch_max;       /* bytes */
        int64_t before_max_ms, after_max_ms;
        bool append_time;        /* the broker stamps, not the producer */
        bool compacted;
    } rules;
    /* Tasks that want to know of links: port. NULL: none. */
    void (*on_link)(struct topic *, int32_t partition);
    void *reader;                /* theirs */
};

struct topics {
    struct seq *seq;
    struct omap by_name;
    struct table by_id;
    size_t partitions;           /* of all topics */
    size_t producers;            /* of all partitions */
    struct producer_list used;   /* they, the least recently used first */
    size_t producers_max;        /* then the first of them is forgotten, */
    int64_t producer_idle_ms;    /* and who is not heard of for so long */
    size_t aborted;              /* transactions, of all partitions */
    struct cleaner *cleaner;     /* NULL: nothing is compacted */
    uint64_t changes;            /* grows when a topic comes, goes or grows */
    /* A topic is about to be deleted, by whatever path. NULL: none. */
    void (*on_delete)(void *arg, const struct topic *);
    void *on_delete_arg;
    struct topic_defaults {
        int32_t partitions;      /* num.partitions, for auto-creation */
        struct topic_config node, cluster;   /* below each topic's own */
    } defaults;
};

/* ---- start ---- */

/* Reads topics and producers, opens the tails: between seq_open and
 * seq_start, which gets topics_replayed. */
int topics_load(struct topics *, struct seq *, struct err *);
seq_replay_fn topics_replayed;
/* After seq_start: producers of replayed batches are told to the keeper, and
 * leader epochs are raised if history may be lost (KIP-320). */
void topics_started(struct topics *);
void topics_release(struct topics *);

/* ---- looking ---- */

struct topic *topics_find(const struct topics *, struct span name);
struct topic *topics_by_id(const struct topics *, const struct uuid *);
/* By name, in order. */
struct topic *topics_next(struct omap_iter *);
struct partition *topic_partition(const struct topic *, int32_t index);

/* 1 to 249 of a-z A-Z 0-9 . _ -, and not "." or "..". */
bool topic_name_valid(struct span name);

/* ---- acts ---- */

struct topic_new {
    struct span name;
    int32_t partitions;          /* > 0 */
    const struct topic_setting *settings;        /* checked; values borrowed */
    size_t setting_count;
    bool internal, purge;
    struct uuid id;              /* zero: a random one */
};

/* KERR_NONE and *out; or TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION,
 * INVALID_PARTITIONS, POLICY_VIOLATION (too many partitions), with a
 * sentence in err. `dry`: everything but the act. */
enum kerr topics_create(struct topics *, const struct topic_new *, bool dry,
    struct topic **out, struct err *);
/* To `count` partitions, more than now. */
enum kerr topics_grow(struct topics *, struct topic *, int32_t count,
    bool dry, struct err *);
/* Reads `rules` from the settings: after each change of what holds. */
void topic_rule(struct topic *);
/* The settings of the topic as they are now are to hold: call it after
 * topic_config_set() and _unset(). */
void topics_configured(struct topics *, struct topic *);
/* The same for all topics, after defaults.node or .cluster were changed;
 * `started` false: between topics_load() and seq_start(). */
void topics_reconfigured(struct topics *, bool started);
enum kerr topics_delete(struct topics *, struct topic *, struct err *);
/* Moves the log's start up: DeleteRecords and retention. */
void partition_trim(struct topics *, struct partition *, int64_t offset);
/* ---- transactions ---- */

/* The last stable offset, as published and as linked. */
int64_t partition_stable(const struct partition *);
int64_t partition_stable_linked(const struct partition *);

/* What an appended batch of a producer did, live or in the replay. */
struct partition_moved {
    struct producer *producer;           /* NULL: none that is known */
    bool was_aborted;
    struct stable_aborted aborted;
};

/* Before a batch is linked: tasks must not read beyond its beginning if a
 * transaction begins with it. */
void partition_hold(struct partition *, const uint8_t *batch);
/* After: `epoch` is that of the link. */
void partition_follow(struct topics *, struct partition *,
    const struct batch *, uint64_t epoch, uint64_t published,
    struct partition_moved *);
/* Tells the tail where the LSO is now, and its readers if it moved up. */
void partition_stable_moved(struct partition *);

/* Looks for segments past retention in a few partitions, and for a log that is
 * worth compaction; call it about once a second. */
void topics_retain(struct topics *, int64_t now_ms);

void topics_check(const struct topics *);

#endif
