/*
 * txn_kit.h: transactional producers and readers over the wire, for tests: each
 * call is one request, and returns its error.
 */
#ifndef TESTS_API_TXN_KIT_H
#define TESTS_API_TXN_KIT_H

#include "kit.h"
#include "partition/append.h"
#include "txn/txns.h"
#include "wire/msg/fetch.h"
#include "wire/msg/produce.h"
#include "wire/msg/txn.h"

enum { TX_PARTITIONS = 64, TX_TIMEOUT = 60000 };

struct tx {
    struct kit *k;
    const char *id;
    int version;                 /* of the transaction: 1, or 2 (KIP-890) */
    int64_t pid;
    int16_t epoch;
    int32_t seq[TX_PARTITIONS];  /* of the topic, whichever */
};

/* InitProducerId of a new producer; it must be let in. */
struct tx tx_begin(struct kit *, const char *id, int version);
/* The same, with what it has. Its epoch and id are the answer's then. */
int tx_init(struct tx *, int api_version);

struct add_partitions_to_txn_request *tx_add_request(struct tx *,
    const char *topic, int32_t first, int32_t count);
int tx_add(struct tx *, const char *topic, int32_t partition);
struct produce_request *tx_produce_request(struct tx *, const char *topic,
    int32_t partition, const char *value);
int tx_produce_version(const struct tx *);
/* The sequence moves if it was taken. */
int tx_produce(struct tx *, const char *topic, int32_t partition,
    const char *value);
struct end_txn_request *tx_end_request(struct tx *, bool commit);
/* Epoch and id are the answer's then. */
int tx_end(struct tx *, bool commit);
int tx_add_offsets(struct tx *, const char *group);
int tx_commit_offset(struct tx *, const char *group, const char *topic,
    int32_t partition, int64_t offset);

/* A batch with one record, in the kit's arena. */
struct span tx_batch(struct kit *, int64_t pid, int epoch, int32_t seq,
    int attributes, const char *value);

/* What a reader is given from the offset on, values with a blank behind
 * each, as clients that want committed records do it. */
struct reading {
    struct span text;
    int64_t lso, hw, start;
    int error, aborted;          /* aborted: of the list; -1: null */
};
struct reading tx_read_from(struct kit *, const char *topic,
    int32_t partition, int64_t offset, bool committed, bool publish);
/* From the beginning, published meanwhile. */
struct reading tx_read(struct kit *, const char *topic, int32_t partition,
    bool committed);
#define assert_committed(k, topic, partition, want)                            \
    assert_span(tx_read(k, topic, partition, true).text, want)

/* OffsetFetch; -1: none. *error gets the partition's. */
int64_t tx_offset(struct kit *, const char *group, const char *topic,
    int32_t partition, bool stable, int *error);

struct partition *tx_partition(struct kit *, const char *topic,
    int32_t partition);

#endif
