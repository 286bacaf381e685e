/*
 * sales.h: the lines of the retail data, one after another: from a file of
 * comma-separated values (gzipped or not), or made up from a seed. What a
 * line is, exactly, stands in tests/oracle/README.md ("Lines").
 *
 * Ownership: a sale is the caller's. Thread: one at a time.
 */
#ifndef RETAIL_SALES_H
#define RETAIL_SALES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
    SALE_TEXT_MAX = 200,         /* bytes of a number, product, customer */
    SALE_PRODUCTS = 1000,        /* of those that are made up */
};

struct sale {
    char invoice[SALE_TEXT_MAX + 1];
    char product[SALE_TEXT_MAX + 1];
    char customer[SALE_TEXT_MAX + 1];    /* "": none */
    int64_t quantity;            /* never 0; fits an int32_t */
    int64_t at;                  /* ms */
    int64_t price;               /* millionths, of one piece */
};

struct sales_conf {
    const char *file;            /* NULL: made up */
    int64_t lines;               /* so many at most; made up: exactly */
    uint64_t seed;
    int64_t until_ms;            /* made up: none is later */
};

struct sales;

/* NULL and *err. The conf is copied, its strings are kept. */
struct sales *sales_open(const struct sales_conf *, struct err *);
void sales_close(struct sales *);                /* NULL allowed */
/* 1: a line; 0: the end; -1. */
int sales_next(struct sales *, struct sale *, struct err *);
/* From the first line on again. */
int sales_rewind(struct sales *, struct err *);

/* Does the line take an order back? (its invoice begins with C) */
static inline bool
sale_cancels(const struct sale *s)
{
    return s->invoice[0] == 'C';
}

/* Decimal text in millionths, exactly; YYYY-MM-DD HH:MM:SS, UTC, in ms. */
int sale_micros(const char *text, int64_t *, struct err *);
int sale_instant(const char *text, int64_t *, struct err *);

/* ---- made up (own.c) ---- */

struct own;

struct own *own_new(const struct sales_conf *);
void own_free(struct own *);
void own_rewind(struct own *);
bool own_next(struct own *, struct sale *);

#endif
