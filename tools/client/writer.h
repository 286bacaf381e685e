/*
 * writer.h: writes records to one topic: a batch per partition grows until it
 * is full or flushed, is sent with acks=all, and up to CLIENT_PIPELINE of
 * them are under way at once.
 *
 *  1. Nothing is sent twice: the first failure ends the writer, so that
 *     order and count are never in doubt. What was acknowledged is told to
 *     `acked`, in the order of sending.
 *  2. A key goes where the Java client sends it (murmur2); records without a
 *     key fill one batch after another, partition by partition.
 *
 * Ownership: nothing is kept of what is added. Thread: that of its client.
 */
#ifndef CLIENT_WRITER_H
#define CLIENT_WRITER_H

#include "client/client.h"
#include "client/txn.h"
#include "record/batch.h"

struct writer;

/* `count` records have the offsets from `offset` on. */
typedef void (*writer_acked_fn)(void *arg, int32_t partition, int64_t offset,
    int32_t count);

struct writer_conf {
    enum codec codec;
    size_t batch_bytes;          /* 0: 256 KiB */
    writer_acked_fn acked;       /* or NULL */
    void *arg;
    struct client_txn *txn;      /* or NULL: what is written joins it */
};

struct writer *writer_new(struct client *, const struct client_topic *,
    const struct writer_conf *);
void writer_free(struct writer *);

enum { PARTITION_BY_KEY = -1 };

int writer_add(struct writer *, int32_t partition, int64_t timestamp_ms,
    struct span key, struct span value, const struct header *, size_t headers,
    struct err *);
/* Everything is sent and acknowledged. */
int writer_flush(struct writer *, struct err *);

/* Where the Java client sends a key; not for a null key. */
int32_t writer_partition(struct span key, int32_t partitions);

#endif
