/* books.c: see books.h. */
#include "config.h"

#include "retail/books.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

void
books_init(struct books *b)
{
    table_init(&b->by_name);
}

void
books_release(struct books *b)
{
    struct book *one;

    for (size_t i = 0; (one = table_next(&b->by_name, &i)) != NULL;)
        free(one);
    table_release(&b->by_name);
}

struct book *
books_find(const struct books *b, struct span product)
{
    return table_get(&b->by_name, product);
}

struct book *
books_make(struct books *b, struct span product)
{
    struct book *one = books_find(b, product);

    if (one != NULL)
        return one;
    one = xcalloc(1, sizeof *one + product.len + 1);
    one->home = -1;
    one->name_len = product.len;
    memcpy(one->name, product.ptr, product.len);
    table_put(&b->by_name, span_of(one->name, one->name_len), one);
    return one;
}

/* ---- one book ----------------------------------------------------------- */

const char *
book_refuses(const struct book *b, int64_t quantity)
{
    if (quantity <= 0)
        return "BAD_QUANTITY";
    if (b == NULL)
        return "UNKNOWN_PRODUCT";
    if (b->closed)
        return "DISCONTINUED";
    return b->on_hand - b->reserved < quantity ? "OUT_OF_STOCK" : NULL;
}

void
book_reserve(struct book *b, int64_t quantity)
{
    b->reserved += quantity;
}

void
book_release(struct book *b, int64_t quantity)
{
    b->reserved -= quantity;
}

/* Takes goods away; returns how many were there to take. */
static int64_t
take(struct book *b, int64_t quantity)
{
    int64_t taken = quantity < b->on_hand ? quantity : b->on_hand;

    b->on_hand -= taken;
    b->missing += quantity - taken;
    return taken;
}

void
book_ship(struct book *b, int64_t quantity)
{
    b->reserved -= quantity;
    b->shipped += take(b, quantity);
}

bool
move_is_valid(enum move move, int64_t quantity)
{
    switch (move) {
    case MOVE_RECEIVE:
    case MOVE_RETURN:
        return quantity > 0;
    case MOVE_COUNT:
        return quantity >= 0;
    case MOVE_ADJUST:
    case MOVE_CLOSE:
    case MOVE_OPEN:
        return true;
    default:
        return false;
    }
}

void
book_move(struct book *b, enum move move, int64_t quantity)
{
    assert(move_is_valid(move, quantity));
    if (move == MOVE_COUNT) {
        move = MOVE_ADJUST;
        quantity -= b->on_hand;
    }
    switch (move) {
    case MOVE_RECEIVE:
        b->on_hand += quantity;
        b->received += quantity;
        break;
    case MOVE_RETURN:
        b->on_hand += quantity;
        b->returned += quantity;
        break;
    case MOVE_ADJUST:
    case MOVE_COUNT:
        if (quantity < 0) {
            b->adjusted -= take(b, -quantity);
        } else {
            b->on_hand += quantity;
            b->adjusted += quantity;
        }
        break;
    case MOVE_CLOSE:
    case MOVE_OPEN:
        b->closed = move == MOVE_CLOSE;
        break;
    }
}

const char *
move_name(enum move move)
{
    static const char *const names[] = {"", "RECEIVE", "RETURN", "ADJUST",
        "COUNT", "CLOSE", "OPEN"};

    return (size_t)move < countof(names) ? names[move] : "";
}

int
book_audit(const struct book *b, struct err *err)
{
    int64_t booked = b->received + b->returned + b->adjusted - b->shipped;
    int64_t over = b->reserved > b->on_hand ? b->reserved - b->on_hand : 0;

    if (booked != b->on_hand)
        return err_set(err, ERR_DAMAGE, "%s: received %lld + returned %lld + "
            "adjusted %lld - shipped %lld is not on hand %lld", b->name,
            (long long)b->received, (long long)b->returned,
            (long long)b->adjusted, (long long)b->shipped,
            (long long)b->on_hand);
    if (b->reserved < 0 || b->reserved > b->on_hand + over || b->on_hand < 0
        || b->missing < 0)
        return err_set(err, ERR_DAMAGE, "%s: reserved %lld, on hand %lld, "
            "missing %lld can't be", b->name, (long long)b->reserved,
            (long long)b->on_hand, (long long)b->missing);
    return 0;
}
