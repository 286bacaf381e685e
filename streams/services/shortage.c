/*
 * shortage.c: reality wins. A correction may leave less on the shelf than is
 * reserved. Then the reservations stand, the difference is `short`, an alert
 * goes out, and the order task is asked to cancel unpaid orders, the newest
 * first, until it is covered. Asked is not done: the reservation goes when
 * the cancellation comes back as a transition. The order task refuses if the
 * order was paid or ended meanwhile, but then that transition is on its way
 * here, and takes the mark off: so each question ends, and another is asked.
 */
#include "config.h"

#include <assert.h>

#include "services/shop.h"
#include "services/stock.h"

enum {
    BATCH = 64,              /* questions found in one walk */
    /* Reservations of a product looked at in one walk. With more than these
     * alive, those asked are the newest of the first so many. */
    WALK_MAX = 10000,
};

struct found {
    struct ps_val key;
    Shop__Held *held;
};

static int
alert(struct ps_ctx *c, struct ps_val product, const char *reason,
    const Shop__Stock *s, int64_t missing, const char *movement_id)
{
    Shop__StockAlert a = SHOP__STOCK_ALERT__INIT;
    char *name = ps_alloc(c, product.len + 1);

    if (name == NULL)
        return PS_ERROR;
    memcpy(name, product.as.ptr, product.len);
    name[product.len] = '\0';
    a.product = name;
    a.reason = (char *)(uintptr_t)reason;
    a.on_hand = s->on_hand;
    a.reserved = s->reserved;
    a.short_ = s->short_;
    a.missing = missing;
    a.movement_id = (char *)(uintptr_t)movement_id;
    return ps_forward_to(c, ALERTS, product, PS_MSG(&a));
}

/* Keeps the newest of those seen, in order, newest first. */
static size_t
insert(struct found *f, size_t n, struct found one)
{
    size_t i = n < BATCH ? n : BATCH;

    for (; i > 0 && f[i - 1].held->number < one.held->number; i--)
        if (i < BATCH)
            f[i] = f[i - 1];
    if (i < BATCH)
        f[i] = one;
    return n < BATCH ? n + 1 : n;
}

static size_t
newest_unpaid(struct ps_ctx *c, struct ps_val product, struct found *f)
{
    struct ps_iter i = ps_scan_prefix(c, HELD, pair_key(c, product, ""));
    size_t n = 0;

    for (int walked = 0; walked < WALK_MAX && ps_next(&i); walked++) {
        Shop__Held *h = i.value;

        if (!h->paid && !h->asked)
            n = insert(f, n, (struct found){i.key, h});
    }
    return n;
}

static int
ask(struct ps_ctx *c, struct ps_val product, Shop__Stock *s, struct found f)
{
    static char reason[] = "SHORT";
    Shop__Order o = SHOP__ORDER__INIT;
    size_t head = pair_key(c, product, "").len;
    char *id = ps_alloc(c, f.key.len - head + 1);

    if (id == NULL)
        return PS_ERROR;
    memcpy(id, (const char *)f.key.as.ptr + head, f.key.len - head);
    id[f.key.len - head] = '\0';
    o.id = id;
    o.state = SHOP__ORDER__STATE__CANCELLED;
    o.reason = reason;
    f.held->asked = true;
    s->asked += f.held->quantity;
    ps_put(c, HELD, f.key, PS_MSG(f.held));
    return ps_forward_to(c, REQUESTS, ps_str(id), PS_MSG(&o));
}

static int
ask_until_covered(struct ps_ctx *c, struct ps_val product, Shop__Stock *s)
{
    struct found f[BATCH];
    size_t n = newest_unpaid(c, product, f);

    for (size_t i = 0; i < n && s->asked < s->short_; i++)
        if (ask(c, product, s, f[i]) != PS_OK)
            return PS_ERROR;
    return PS_OK;
}

int
stock_changed(struct ps_ctx *c, struct ps_val product, const Shop__Stock *was,
    Shop__Stock *now, const char *movement_id)
{
    int64_t missing = now->missing - was->missing;

    if (now->short_ > now->asked)
        ask_until_covered(c, product, now);
    stock_check(now);
    ps_put(c, STOCK, product, PS_MSG(now));
    if (missing > 0)
        alert(c, product, "MISSING", now, missing, movement_id);
    if (now->short_ > was->short_)
        alert(c, product, "SHORT", now, 0, movement_id);
    if (now->short_ == 0 && was->short_ > 0)
        alert(c, product, "COVERED", now, 0, movement_id);
    return ps_error(c) == NULL ? PS_OK : PS_ERROR;
}
