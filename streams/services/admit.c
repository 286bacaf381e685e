/*
 * admit.c: the order task. It alone decides an order's state. Requests come
 * in, by order id, in the order of the by-id log; what goes out are the
 * transitions that happened, each with the whole order as first admitted: so
 * inventory meets each id under one product and one quantity only.
 *
 *  1. The first CREATED of an id wins. The same body again changes nothing,
 *     another body is CONFLICT.
 *  2. Any other request is a transition that order.c allows, or goes to the
 *     rejected ones as ILLEGAL_TRANSITION; only its id, state and reason
 *     count.
 *  3. An order that is over is forgotten after keep_ms; one that is not, and
 *     of which nothing was heard for so long, is CANCELLED (EXPIRED) first.
 *     Then the id may be used again. Nothing grows for ever.
 */
#include "config.h"

#include "services/keep.h"
#include "services/shop.h"

enum { ORDERS };

/* Remembers the order as it is now, and tells. */
static int
transition(struct ps_ctx *c, struct ps_val id, Shop__Admitted *a)
{
    a->changed_ms = ps_clock(c);
    ps_put(c, ORDERS, id, PS_MSG(a));
    return ps_forward(c, id, PS_MSG(a->order));
}

static int
on_created(struct ps_ctx *c, const struct ps_record *r, const Shop__Admitted *a)
{
    Shop__Admitted fresh = SHOP__ADMITTED__INIT;

    if (a != NULL && !order_same_body(a->order, r->value))
        return ps_reject(c, "CONFLICT");
    if (a != NULL)
        return PS_OK;
    fresh.order = r->value;
    fresh.changed_ms = ps_clock(c);
    ps_put(c, ORDERS, r->key, PS_MSG(&fresh));
    return ps_forward(c, r->key, ps_value(r));
}

static int
on_request(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    const Shop__Order *o = r->value;
    Shop__Admitted *a;

    if (o == NULL || o->id[0] == '\0')
        return ps_reject(c, "NO_ORDER");
    keep_arm(c, shop_keep_ms(conf));
    a = ps_get(c, ORDERS, r->key);
    if (o->state == SHOP__ORDER__STATE__CREATED)
        return on_created(c, r, a);
    if (a == NULL || !order_may_become(conf, a->order, o))
        return ps_reject(c, "ILLEGAL_TRANSITION");
    a->order->state = o->state;
    a->order->reason = o->reason;
    return transition(c, r->key, a);
}

static int
forget(struct ps_ctx *c, int slot, struct ps_val id, void *value,
    int64_t keep_ms)
{
    Shop__Admitted *a = value;
    static char expired[] = "EXPIRED";

    if (ps_clock(c) - a->changed_ms < keep_ms)
        return PS_OK;
    if (order_is_over(a->order->state))
        return ps_delete(c, slot, id);
    a->order->state = SHOP__ORDER__STATE__CANCELLED;
    a->order->reason = expired;
    return transition(c, id, a);
}

static int
on_timer(struct ps_ctx *c, const struct ps_timer *t, void *conf)
{
    return keep_sweep(c, t, ORDERS, forget, shop_keep_ms(conf));
}

const struct ps_processor admit = {
    .on = {on_request},
    .on_timer = on_timer,
    .scratch = sizeof(struct keep),
    .stores = {[ORDERS] = {"orders", &ps_string, PS_PROTO(shop__admitted)}},
    .out = {NULL, NULL, PS_PROTO(shop__order)},
    .keeps_key = true,
};
