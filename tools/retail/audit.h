/*
 * audit.h: a shop's topics and views, read as any client reads them, and
 * what they say held against each other:
 *
 *     orders ─────────────┐ one verdict for each CREATED, none twice
 *     order-validations ──┤
 *     by-product logs ────┤ replayed: the same verdicts, the same stock
 *     view of the stock ──┤ the books balance, reserved = the sum of the
 *     view of reservations┘ live reservations
 *
 * Each function returns 0, or -1 and *err: AUDIT_DIFFERS with the first
 * difference, or what went wrong.
 *
 * Ownership: the caller's struct. Thread: the main one.
 */
#ifndef RETAIL_AUDIT_H
#define RETAIL_AUDIT_H

#include <stdio.h>

#include "client/client.h"
#include "retail/replay.h"
#include "retail/sales.h"

enum { AUDIT_DIFFERS = 10900 };

struct audit {
    const struct cli *cli;
    struct client *client;
    struct replay replay;
    struct books view;           /* as the view shows the stock */
    int64_t asked, verdicts, passed;
    int64_t held;                /* live reservations in the view */
    bool kept;                   /* the logs are whole */
    struct err first;            /* the first difference in them; code 0 */
    int64_t lines;               /* of the data that it was held against */
    FILE *log;                   /* NULL, or where the log goes as text */
};

int audit_open(struct audit *, const struct cli *, struct err *);
void audit_close(struct audit *);

/* In this order. */
int audit_orders(struct audit *, struct err *);
int audit_verdicts(struct audit *, struct err *);
/* Says in `kept` whether there was anything to replay. */
int audit_log(struct audit *, struct err *);
int audit_stock(struct audit *, struct err *);

/* One order: was it answered, and as the replay says? */
int audit_fate(const struct audit *, const struct fate *, struct err *);
/* Every order was answered once, and as the replay says. */
int audit_compare(struct audit *, struct err *);
/* Every product as the replay has it. */
int audit_compare_stock(struct audit *, struct err *);
/* Every order of the data is there. exact: and was answered, and the stock
 * is, as in the plain loop; *different counts those that were not. */
int audit_data(struct audit *, struct sales *, bool exact, int64_t *different,
    struct err *);

/* The outcome as NDJSON, as the oracle writes it. */
int audit_print(struct audit *, FILE *, struct err *);

#endif
