/* txn_priv.h: one transactional id, seen from inside of the room. */
#ifndef TXN_TXN_PRIV_H
#define TXN_TXN_PRIV_H

#include "txn/txns.h"

enum { TXN_MAGIC = 0x7a45ac70 };

struct txn_held {
    struct table by_key;         /* struct held_part */
    size_t cost;                 /* bytes: what their end links at most */
    size_t bytes;                /* of memory */
};

struct txn {
    uint32_t magic;
    uint8_t *id;
    size_t id_len;
    int64_t producer_id, previous_id;
    int16_t epoch, last_epoch;
    enum txn_state state;
    int32_t timeout_ms;
    int version;
    int64_t updated_ms, started_ms;      /* appliance clock, wall clock */
    int64_t deadline;                    /* appliance clock, while Ongoing */
    struct txn_held *held;
    TAILQ_ENTRY(txn) open;
};

/* held.c */
struct txn_held *held_new(void);
void held_free(struct txn_held *);               /* NULL allowed */
/* The part as it stands in the set, added or replaced; *fresh: added. */
const struct txn_part *held_put(struct txn_held *, const struct txn_part *,
    bool *fresh);
const struct txn_part *held_get(const struct txn_held *,
    const struct txn_part *);
/* What the part adds to the cost. */
size_t held_cost(const struct txn_part *);
size_t held_bytes(const struct txn_part *);

/* txns.c: what steps are made of. */
struct txn *txn_make(struct txns *, struct span id);
void txn_free(struct txn *);
void txn_open(struct txns *, struct txn *, int64_t now);
const struct txn_part *txn_hold(struct txns *, struct txn *,
    const struct txn_part *, bool *fresh);
struct txn_held *txn_close(struct txns *, struct txn *, enum txn_state);

#endif
