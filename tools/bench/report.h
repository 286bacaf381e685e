/*
 * report.h: the figures of a benchmark. A figure that is taken several times
 * is one row: the median, with the least and the greatest; the floor's median
 * beside it; the ratio is the median of the ratios of each time, since only a
 * figure and a floor of the same moment belong together.
 * With a peer the same figure is taken of both brokers: two rows of one key,
 * and their quotient, again the median of those of each time.
 * Ownership: strings are copied. Thread: one.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { REPORT_REPEATS_MAX = 25, REPORT_ROWS_MAX = 320 };

struct figure {
    const char *key;             /* of the JSON object: "orders_per_s" */
    const char *name;            /* for people */
    const char *unit;
    double value;
    double floor;                /* 0: there is none */
    const char *floor_is;        /* what the floor is, or NULL */
    const char *goal;            /* or NULL */
};

struct report_row {
    char key[48], name[64], unit[16], floor_is[96], goal[64];
    double values[REPORT_REPEATS_MAX], floors[REPORT_REPEATS_MAX];
    int count;
    bool peer;                   /* of the peer, not of ours */
};

struct report {
    struct report_row *rows;
    size_t count;
    const char *durability;      /* stands beside every number of ours;
                                  * borrowed */
    const char *against;         /* the peer's address, or NULL; borrowed */
    const char *peer_durability; /* "": what it is set to; borrowed */
    bool on_peer;                /* what is added is the peer's */
};

struct summary {
    double median, min, max;
};

void report_init(struct report *, const char *durability);
void report_release(struct report *);
/* Adds a row, or one more value to the row of that key. */
void report_add(struct report *, const struct figure *);

/* count is at least 1; the values are not changed. */
struct summary report_summary(const double *values, int count);
struct summary report_value(const struct report_row *);
/* All 0 if there is no floor. */
struct summary report_floor(const struct report_row *);
struct summary report_ratio(const struct report_row *);
/* The other broker's row of the same key, or NULL. */
const struct report_row *report_other(const struct report *,
    const struct report_row *);
/* Ours by the peer's; false: there is none, or none that means something. */
bool report_against(const struct report *, const struct report_row *ours,
    struct summary *);
/* The rows in the order to be shown: each of ours, then the peer's beside it.
 * NULL: there are no more; *iter begins as 0. */
const struct report_row *report_next(const struct report *, size_t *iter);
/* Three or four digits that matter, never an exponent: "96520", "0.104". */
void report_number(struct buf *, double);

/* One JSON object on a line: a member for each key, then "rows" with all. */
void report_json(const struct report *, struct buf *);

#endif
