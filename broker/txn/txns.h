/*
 * txns.h: the transaction coordinator: transactional ids, who owns them, and
 * what their open transactions hold (KIP-98, 360, 447, 890). A pure state
 * machine: an event and the time in, what is to be linked and answered out.
 *
 *     txns_init_producer()  ┐           ┌ the record of the id, if `put`
 *     txns_add()            ├─► effects ┤ records of parts: added, or gone
 *     txns_end(), _abort()  │           │ markers and offsets, if `ended`
 *     txns_tick()           ┘           └ error, producer id and epoch
 *
 * All of one step's effects are linked as one, so a transaction over any
 * number of partitions ends in one epoch: there is no state in between, and
 * nothing that others would have to wait for (epoch.c).
 *
 * Ownership: the registry owns ids and parts; spans in effects live until
 * the next step. Thread: loop.
 */
#ifndef TXN_TXNS_H
#define TXN_TXNS_H

#include <sys/queue.h>

#include "base/err.h"
#include "base/span.h"
#include "base/table.h"
#include "base/uuid.h"
#include "record/kerr.h"

struct txn;

/* Kafka's, without those between: a step is from one of these to another. */
#define TXN_STATES(X)                                                          \
    X(EMPTY, "Empty")                                                          \
    X(ONGOING, "Ongoing")                                                      \
    X(COMPLETE_COMMIT, "CompleteCommit")                                       \
    X(COMPLETE_ABORT, "CompleteAbort")

enum txn_state {
#define X(name, text) TXN_##name,
    TXN_STATES(X)
#undef X
    TXN_STATE_COUNT
};

const char *txn_state_name(enum txn_state);

/* ---- what a transaction holds ---- */

enum txn_part_kind {
    TXN_PARTITION = 'p',         /* batches, or will have */
    TXN_GROUP = 'g',             /* offsets of it, or will have */
    TXN_OFFSET = 'o',            /* one pending offset */
};

struct txn_part {
    enum txn_part_kind kind;
    struct uuid topic_id;        /* PARTITION, OFFSET */
    struct span group, topic;    /* GROUP, OFFSET; topic: OFFSET */
    int32_t partition;           /* PARTITION, OFFSET */
    int64_t offset;              /* OFFSET, and all below */
    int32_t leader_epoch;        /* -1: none */
    int64_t commit_ms;           /* appliance clock */
    struct span metadata;
};

/* The part's place among those of its id: what its record's key ends with.
 * Writes at most txn_part_key_max() bytes; returns how many. */
size_t txn_part_key_max(const struct txn_part *);
size_t txn_part_key(const struct txn_part *, uint8_t *out);
/* The other way, without offset to metadata. false: it is none. */
bool txn_part_parse(struct span key, struct txn_part *);

struct txn_held;                 /* a set of parts */
size_t txn_held_count(const struct txn_held *);
/* In no order, begin with 0; NULL at the end. */
const struct txn_part *txn_held_next(const struct txn_held *, size_t *iter);

/* ---- the registry ---- */

TAILQ_HEAD(txn_list, txn);

struct txns_config {
    int32_t timeout_max_ms;      /* transaction.max.timeout.ms */
    int64_t expiration_ms;       /* transactional.id.expiration.ms */
    size_t ids_max, open_max;    /* counts */
    size_t id_bytes_max;         /* of all ids together */
    size_t cost_max;             /* bytes: what the end of one may link */
    size_t bytes_max;            /* of what open ones hold, all together */
    /* A producer id that was never given before, durably so. */
    int64_t (*new_id)(void *arg);
    void *arg;
};

void txns_config_init(struct txns_config *);

/* Fields are private, but for counts. */
struct txns {
    struct txns_config config;
    struct table by_id;          /* transactional ids */
    struct table by_producer;    /* open ones, by producer id */
    struct table pending;        /* offsets that open ones hold */
    struct txn_list open;
    size_t open_count, bytes, id_bytes;
    int64_t deadline;            /* of the open ones; not later than the first */
    size_t sweep;                /* expiration */
    int64_t sweep_ms;
    int16_t epoch_last;          /* then another producer id is taken */
};

void txns_init(struct txns *, const struct txns_config *);
void txns_release(struct txns *);

/* ---- images: what is persisted, and what DescribeTransactions shows ---- */

struct txn_image {
    int64_t producer_id;
    int64_t previous_id;         /* -1: none */
    int16_t epoch, last_epoch;   /* last: -1: none */
    enum txn_state state;
    int32_t timeout_ms;
    int64_t updated_ms;          /* appliance clock */
    int64_t started_ms;          /* wall clock; -1: not Ongoing */
    int version;                 /* of what began or ended it last: 1, or 2
                                    (KIP-890) */
};

struct txn *txns_get(const struct txns *, struct span id);       /* or NULL */
struct txn *txns_by_producer(const struct txns *, int64_t producer_id);
struct txn *txns_next(const struct txns *, size_t *iter);
struct span txn_id(const struct txn *);
void txn_image(const struct txn *, struct txn_image *);
const struct txn_held *txn_held(const struct txn *);
bool txn_holds(const struct txn *, const struct txn_part *);
/* Does an open transaction hold an offset for it (KIP-447)? */
bool txns_unstable(const struct txns *, struct span group,
    struct span topic, int32_t partition);
/* Bytes that its end links at most. */
size_t txn_end_cost(const struct txn *);         /* NULL allowed: 0 */

/* At start, before any step; images first. The timeout of an open one
 * begins anew, in full. -1: contradicts what is there. */
int txns_restore(struct txns *, struct span id, const struct txn_image *,
    int64_t now, struct err *);
int txns_restore_part(struct txns *, struct span id, const struct txn_part *,
    struct err *);

/* ---- steps ---- */

struct txn_effects {
    struct txn *txn;             /* whose; NULL: there is none */
    enum kerr error;
    int64_t producer_id;         /* to be answered; -1 with an error */
    int16_t producer_epoch;
    bool put;                    /* its image is to be written */
    bool deleted;                /* or its record to go; txn is still there */
    const struct txn_part **added;       /* parts to be written */
    size_t added_count;
    bool ended, committed;       /* `held` is to go, with markers */
    int64_t marker_id;
    int16_t marker_epoch;
    struct txn_held *held;
    size_t added_cap;            /* private, and all below */
    struct txn *dead;
};

void txn_effects_init(struct txn_effects *);
void txn_effects_clear(struct txn_effects *, struct txns *);
void txn_effects_release(struct txn_effects *, struct txns *);

/* Who speaks. `v2`: the request is of a version that takes part in KIP-890:
 * what it touches joins the transaction, and an end raises the epoch. */
struct txn_caller {
    struct span id;
    int64_t producer_id;
    int16_t producer_epoch;
    bool v2;
};

/* InitProducerId: the caller's producer id and epoch are -1, or what it had
 * (KIP-360). What is open is aborted, older producers are fenced. */
void txns_init_producer(struct txns *, const struct txn_caller *,
    int32_t timeout_ms, int64_t now, struct txn_effects *);

/* Would txns_add() of these parts be let through? Changes nothing. A part
 * that must be there already (a v1 produce) is asked for by txn_holds(). */
enum kerr txns_check(const struct txns *, const struct txn_caller *,
    struct txn **);
/* Takes parts into the transaction, which begins if none is open. */
void txns_add(struct txns *, const struct txn_caller *,
    const struct txn_part *, size_t n, int64_t now, int64_t wall_ms,
    struct txn_effects *);
/* EndTxn. */
void txns_end(struct txns *, const struct txn_caller *, bool commit,
    int64_t now, struct txn_effects *);
/* Ends one that hangs or is due: fences its producer, too. */
void txns_abort(struct txns *, struct txn *, int64_t now,
    struct txn_effects *);

/* When txns_tick() may have work; INT64_MAX: never. */
int64_t txns_deadline(const struct txns *);
/* The transaction that is to be aborted next, its time being over: NULL:
 * none is. The caller finds room for txn_end_cost() and calls txns_abort(). */
struct txn *txns_due(struct txns *, int64_t now);
/* Looks at some ids for one that expired; false: none was found. */
bool txns_expire(struct txns *, int64_t now, struct txn_effects *);

void txns_check_all(const struct txns *);        /* asserts the invariants */

#endif
