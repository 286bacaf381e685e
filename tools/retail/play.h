/*
 * play.h: the plain loop. Plays lines of the retail data through a shop of
 * its own and tells each event to produce: openings, orders, payments,
 * cancellations, shipments, returns, losses. Equal to the byte to
 * tests/oracle/retail.py, whose README.md has the rules.
 *
 * The lines are gone through twice: the opening stock is known only when all
 * of the demand is.
 *
 * Ownership: an event lives during the call. Thread: one at a time.
 */
#ifndef RETAIL_PLAY_H
#define RETAIL_PLAY_H

#include "base/buf.h"
#include "retail/books.h"
#include "retail/sales.h"

enum event_kind {
    EVENT_MOVEMENT,
    EVENT_ORDER,
    EVENT_PAYMENT,
    EVENT_CANCEL,
    EVENT_SHIPMENT,
    EVENT_KINDS,
};

struct event {
    int64_t n, t;                /* counted from 0; ms, no two alike */
    enum event_kind kind;
    const char *id;              /* of a cancel: the order's */
    const char *order;           /* payment, shipment */
    const char *by;              /* cancel: the line that did it */
    const char *customer;        /* order */
    const char *product;         /* movement, order */
    enum move move;              /* movement */
    int64_t quantity;            /* movement, order */
    int64_t price;               /* order: of one; payment: the amount */
};

/* 0: go on; -1 and *err. */
typedef int (*event_fn)(void *arg, const struct event *, struct err *);

struct play_totals {
    int64_t lines, events, kinds[EVENT_KINDS];
};

/* From the first line to the last. totals may be NULL. */
int play(struct sales *, event_fn, void *arg, struct play_totals *,
    struct err *);

/* The event as retail.py writes it, with its newline. */
void event_print(const struct event *, struct buf *);

#endif
