/*
 * records.h: what a partition knows of producers and transactions, as
 * metadata records. All of it follows from the batches: it is not in the
 * journal, only the checkpoint wants it (quiet operations), and a replay
 * finds it again. Thread: loop.
 */
#ifndef PARTITION_RECORDS_H
#define PARTITION_RECORDS_H

#include "partition/stable.h"
#include "partition/topic.h"

enum {
    PARTITION_RECORD_KEY = 1 + 16 + 4 + 8,
    PARTITION_RECORD_MAX = 288,  /* bytes of a value */
};

/* Key and value in one piece, for an effect to own. */
struct partition_record {
    uint8_t key[PARTITION_RECORD_KEY];
    uint8_t value[PARTITION_RECORD_MAX];
};

/* The values alone: an id stands in the key, and so does the offset of an
 * aborted one's marker. unpack: false, it is no message; else the producer
 * is made in `to` (NULL: nowhere, it was only to be proven). */
size_t producer_pack(const struct producer *,
    uint8_t value[PARTITION_RECORD_MAX]);
bool producer_unpack(struct producers *to, int64_t id, struct span value,
    struct producer **);
size_t aborted_pack(const struct stable_aborted *,
    uint8_t value[PARTITION_RECORD_MAX]);

/* Fill *op with the put of one, which borrows the record. */
void producer_put(const struct partition *, const struct producer *,
    struct partition_record *, struct effect_op *op);
void producer_delete(const struct partition *, const struct producer *,
    struct partition_record *, struct effect_op *op);
void aborted_put(const struct partition *, const struct stable_aborted *,
    struct partition_record *, struct effect_op *op);
void aborted_delete(const struct partition *, const struct stable_aborted *,
    struct partition_record *, struct effect_op *op);

/* Reads all of both kinds into the partitions: part of topics_load(). */
int partition_records_load(struct topics *, struct err *);

#endif
