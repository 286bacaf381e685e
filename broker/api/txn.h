/*
 * txn.h: transactions at the door: what the other handlers need of them.
 * The essay is in txn_link.c. Thread: loop.
 */
#ifndef API_TXN_H
#define API_TXN_H

#include "api/api_priv.h"

struct append;

/* Links all that a step of the coordinator gave. Its room was taken. */
void txn_link(struct api *, const struct txn_effects *);
/* Puts the records that a step wants beside batches that go with it. */
size_t txn_added_puts(const struct txn_effects *);
void txn_put_added(struct api *, struct append *, const struct txn_effects *);
/* A producer id that was never given before; links a record now and then. */
int64_t api_new_producer_id(void *api);
enum { PRODUCER_ID_COST = 256 }; /* bytes */

#endif
