/*
 * replay.h: what must have come of a run, from its by-product logs alone: who
 * gets the last item is decided by the order in them, and by nothing else.
 * The same rules as tests/oracle/replay.py.
 *
 *  1. Records are fed in the order of their offsets; partitions may be mixed,
 *     as a product has one home.
 *  2. A CREATED or a movement that comes twice changes nothing. A transition
 *     that cannot be is an error: then the log is none of the shop's.
 *
 * Ownership: a replay owns fates and books. Thread: one.
 */
#ifndef RETAIL_REPLAY_H
#define RETAIL_REPLAY_H

#include "retail/books.h"

enum {
    REPLAY_CREATED = 1, REPLAY_VALIDATED, REPLAY_FAILED, REPLAY_CANCELLED,
    REPLAY_PAID, REPLAY_SHIPPED,         /* numbers as in shop.Order */
};

/* An order. What it should have been told, and what users noted. */
struct fate {
    struct book *book;           /* of its reservation */
    int64_t quantity;
    const char *reason;          /* NULL: PASS */
    int state;                   /* the last one; 0: not in the log */
    bool live;                   /* its reservation stands */
    bool asked;                  /* for users: seen on the orders' topic */
    unsigned verdicts;           /* for users: how many it got ... */
    const char *said;            /* ... and the first: NULL: PASS */
    size_t id_len;
    char id[];
};

struct replay {
    struct table fates, moved;
    struct books books;
    int64_t records, orders;
};

void replay_init(struct replay *);
void replay_release(struct replay *);
struct fate *replay_fate(struct replay *, struct span id);       /* made */
struct fate *replay_find(const struct replay *, struct span id); /* or NULL */

int replay_order(struct replay *, int32_t partition, struct span id,
    struct span product, int64_t quantity, int state, struct err *);
/* An empty id always counts. What the shop refuses changes nothing. */
int replay_movement(struct replay *, int32_t partition, struct span product,
    struct span id, enum move, int64_t quantity, struct err *);

/* VALIDATED, FAILED, CANCELLED or SHIPPED, as the oracle names the end. */
const char *fate_state(const struct fate *);

#endif
