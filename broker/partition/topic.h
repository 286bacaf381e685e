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
    int32_t index;
    struct tail *tail;
    struct producers producers;
    struct waiter_list waiters;
    bool replayed;               /* its producers changed in the replay */
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
    struct topic_defaults {
        int32_t partitions;      /* num.partitions, for auto-creation */
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
/* The settings of the topic as they are now are to hold: call it after
 * topic_config_set() and _unset(). */
void topics_configured(struct topics *, struct topic *);
enum kerr topics_delete(struct topics *, struct topic *, struct err *);
/* Moves the log's start up: DeleteRecords and retention. */
void partition_trim(struct topics *, struct partition *, int64_t offset);
/* Looks for segments past retention in a few partitions; call it about once
 * a second. */
void topics_retain(struct topics *, int64_t now_ms);

void topics_check(const struct topics *);

#endif
