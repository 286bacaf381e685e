/*
 * books.h: the books of a shop's stock: one for each product. Written a
 * second time, apart from the shop itself (streams/services), so that the one
 * can be checked by the other; the rules stand in tests/oracle/README.md
 * ("Stock").
 *
 *  1. received + returned + adjusted - shipped = on_hand >= 0.
 *  2. 0 <= reserved <= on_hand + max(0, reserved - on_hand).
 *
 * Ownership: books own their books until books_release(). Thread: any, one.
 */
#ifndef RETAIL_BOOKS_H
#define RETAIL_BOOKS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/table.h"

struct book {
    int64_t on_hand, reserved;
    int64_t received, returned, adjusted, shipped;
    int64_t missing;             /* what was to be taken and was not there */
    bool closed;                 /* sold no more */
    int64_t held;                /* for users: the sum of its reservations */
    int32_t home;                /* for users: a partition */
    size_t name_len;
    char name[];                 /* and a NUL */
};

struct books {
    struct table by_name;
};

/* Numbers as in shop.Movement. */
enum move {
    MOVE_RECEIVE = 1,
    MOVE_RETURN,
    MOVE_ADJUST,
    MOVE_COUNT,
    MOVE_CLOSE,
    MOVE_OPEN,
};

void books_init(struct books *);
void books_release(struct books *);
/* NULL: no movement has named it yet. */
struct book *books_find(const struct books *, struct span product);
struct book *books_make(struct books *, struct span product);

/* Why so many can't be reserved, a word; NULL: they can. book may be NULL. */
const char *book_refuses(const struct book *, int64_t quantity);
void book_reserve(struct book *, int64_t quantity);
void book_release(struct book *, int64_t quantity);
void book_ship(struct book *, int64_t quantity);
/* Would the shop book that at all? */
bool move_is_valid(enum move, int64_t quantity);
void book_move(struct book *, enum move, int64_t quantity);

const char *move_name(enum move);        /* RECEIVE ... */
/* 0, or -1 and which law does not hold. */
int book_audit(const struct book *, struct err *);

#endif
