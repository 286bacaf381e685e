#include "config.h"

#include "services/stock.h"

#include <assert.h>


int64_t
stock_free(const Shop__Stock *s)
{
    return s->on_hand - s->reserved;
}

static void
find_short(Shop__Stock *s)
{
    s->short_ = s->reserved > s->on_hand ? s->reserved - s->on_hand : 0;
}

/* Takes what is there, returns how much that was. */
static int64_t
take(Shop__Stock *s, int64_t quantity)
{
    int64_t taken = quantity < s->on_hand ? quantity : s->on_hand;

    s->on_hand -= taken;
    s->missing += quantity - taken;
    return taken;
}

void
stock_reserve(Shop__Stock *s, int64_t quantity)
{
    assert(quantity > 0);
    assert(quantity <= stock_free(s));
    s->reserved += quantity;
}

void
stock_release(Shop__Stock *s, int64_t quantity)
{
    assert(quantity <= s->reserved);
    s->reserved -= quantity;
    find_short(s);
}

void
stock_ship(Shop__Stock *s, int64_t quantity)
{
    s->shipped += take(s, quantity);
    stock_release(s, quantity);
}

/* +-quantity by hand, or by a count. */
static void
adjust(Shop__Stock *s, int64_t quantity)
{
    if (quantity < 0) {
        s->adjusted -= take(s, -quantity);
    } else {
        s->adjusted += quantity;
        s->on_hand += quantity;
    }
}

static bool
is_full(const Shop__Stock *s)
{
    return s->on_hand > STOCK_MAX || s->received > STOCK_MAX ||
        s->returned > STOCK_MAX || s->missing > STOCK_MAX ||
        s->adjusted > STOCK_MAX || s->adjusted < -STOCK_MAX;
}

const char *
stock_move(Shop__Stock *s, const Shop__Movement *m)
{
    Shop__Movement__Kind kind = m->kind;

    if (is_full(s))
        return "STOCK_OVERFLOW";
    if (kind == SHOP__MOVEMENT__KIND__RECEIVE ||
        kind == SHOP__MOVEMENT__KIND__RETURN) {
        if (m->quantity <= 0)
            return "BAD_QUANTITY";
        s->on_hand += m->quantity;
        if (kind == SHOP__MOVEMENT__KIND__RECEIVE)
            s->received += m->quantity;
        else
            s->returned += m->quantity;
    } else if (kind == SHOP__MOVEMENT__KIND__ADJUST) {
        adjust(s, m->quantity);
    } else if (kind == SHOP__MOVEMENT__KIND__COUNT) {
        if (m->quantity < 0)
            return "BAD_QUANTITY";
        adjust(s, m->quantity - s->on_hand);
    } else if (kind == SHOP__MOVEMENT__KIND__CLOSE) {
        s->closed = true;
    } else if (kind == SHOP__MOVEMENT__KIND__OPEN) {
        s->closed = false;
    } else {
        return "BAD_KIND";
    }
    find_short(s);
    return NULL;
}

void
stock_check(const Shop__Stock *s)
{
    assert(s->on_hand >= 0);
    assert(s->reserved >= 0);
    assert(s->missing >= 0);
    assert(s->asked >= 0);
    assert(s->asked <= s->reserved);
    assert(s->received + s->returned + s->adjusted - s->shipped == s->on_hand);
    assert(s->short_ ==
        (s->reserved > s->on_hand ? s->reserved - s->on_hand : 0));
}
