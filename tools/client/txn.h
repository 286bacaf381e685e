/*
 * txn.h: a transactional producer, for writer.h: one transaction, then the
 * end (KIP-98, 890).
 *
 *     client_txn_open(c, id, timeout_ms, &t)         who had the id is fenced
 *     writer_new() with conf.txn = &t         what it writes joins
 *     writer_flush(), client_txn_end(&t, commit)
 *
 * Partitions are announced where the broker's Produce does not do it by
 * itself (before version 12). Thread: that of its client.
 */
#ifndef CLIENT_TXN_H
#define CLIENT_TXN_H

#include "client/client.h"

struct client_txn {
    struct client *client;
    const char *id;
    int64_t producer_id;
    int16_t producer_epoch;
    bool open;                   /* something was written */
};

int client_txn_open(struct client *, const char *id, int timeout_ms,
    struct client_txn *, struct err *);
/* Before the first batch to a partition. */
int client_txn_join(struct client_txn *, const struct client_topic *,
    int32_t partition, struct err *);
/* Also ends what never was begun: then nothing is sent. Another one may
 * follow, of whoever counts: from EndTxn version 5 on the producer has a new
 * epoch, or id, and its sequences begin at 0; before, they go on (KIP-890). */
int client_txn_end(struct client_txn *, bool commit, struct err *);
/* The coordinator, which is our node; waits until it has loaded. */
int client_txn_coordinator(struct client *, const char *id, struct err *);

#endif
