/*
 * txn_records.h: transactional ids and what their open transactions hold, as
 * metadata records (store.proto: Txn, TxnPart). Thread: loop.
 */
#ifndef API_TXN_RECORDS_H
#define API_TXN_RECORDS_H

#include "api/api_priv.h"
#include "partition/append.h"

/* Bytes that the record of an id, and that of a part, take at most. */
size_t txn_record_cost(struct span id);
size_t txn_part_cost(struct span id, const struct txn_part *);

/* Puts records beside the batches of an effect. */
void txn_put(struct append *, const struct txn *);
void txn_delete(struct append *, const struct txn *);
void txn_part_put(struct append *, const struct txn *,
    const struct txn_part *);
void txn_part_delete(struct append *, const struct txn *,
    const struct txn_part *);

/* At start, behind topics and groups. */
int txn_records_load(struct api *, struct err *);

#endif
