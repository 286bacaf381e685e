/*
 * inventory.c: orders and stock movements in, stock reserved, verdicts out.
 *
 * The inventory task reads one log, that of the product (its orders and its
 * movements, in the order in which they are decided), and alone writes stock
 * and reservations. Each admitted CREATED gets exactly one verdict. What ends
 * an order ends its reservation, by the reservation's own quantity; without a
 * reservation it changes nothing.
 *
 * A CREATED that passes costs one get and two puts; one that fails, one get.
 */
#include "config.h"

#include "services/keep.h"
#include "services/shop.h"
#include "services/stock.h"

static int
verdict(struct ps_ctx *c, const Shop__Order *o, const char *reason)
{
    Shop__OrderValidation v = SHOP__ORDER_VALIDATION__INIT;

    v.order_id = o->id;
    v.check = SHOP__CHECK__INVENTORY;
    v.result = reason ? SHOP__RESULT__FAIL : SHOP__RESULT__PASS;
    if (reason != NULL)
        v.reason = (char *)(uintptr_t)reason;    /* only read */
    return ps_forward(c, ps_str(o->id), PS_MSG(&v));
}

static int
reserve_for(struct ps_ctx *c, const struct ps_record *r, const Shop__Order *o)
{
    Shop__Held hold = SHOP__HELD__INIT;
    Shop__Stock *s;

    if (o->quantity <= 0)
        return verdict(c, o, "BAD_QUANTITY");
    s = ps_get(c, STOCK, r->key);
    if (s == NULL)
        return verdict(c, o, "UNKNOWN_PRODUCT");
    if (s->closed)
        return verdict(c, o, "DISCONTINUED");
    if (o->quantity > stock_free(s))
        return verdict(c, o, "OUT_OF_STOCK");
    stock_reserve(s, o->quantity);
    hold.quantity = o->quantity;
    hold.number = ++s->held;
    ps_put(c, HELD, pair_key(c, r->key, o->id), PS_MSG(&hold));
    ps_put(c, STOCK, r->key, PS_MSG(s));         /* errors stick to c */
    return verdict(c, o, NULL);
}

/* The order is over: so is its reservation, if it has one. */
static int
settle(struct ps_ctx *c, const struct ps_record *r, const Shop__Order *o)
{
    struct ps_val key = pair_key(c, r->key, o->id);
    const Shop__Held *h = ps_get(c, HELD, key);
    Shop__Stock *s = h == NULL ? NULL : ps_get(c, STOCK, r->key), was;

    if (s == NULL)
        return PS_OK;
    was = *s;
    if (h->asked)
        s->asked -= h->quantity;
    if (o->state == SHOP__ORDER__STATE__SHIPPED)
        stock_ship(s, h->quantity);
    else
        stock_release(s, h->quantity);
    ps_delete(c, HELD, key);
    return stock_changed(c, r->key, &was, s, "");
}

/* A paid order keeps its goods; was it asked to go, another one must. */
static int
paid(struct ps_ctx *c, const struct ps_record *r, const Shop__Order *o)
{
    struct ps_val key = pair_key(c, r->key, o->id);
    Shop__Held *h = ps_get(c, HELD, key);
    Shop__Stock *s = h == NULL ? NULL : ps_get(c, STOCK, r->key), was;

    if (s == NULL)
        return PS_OK;
    was = *s;
    if (h->asked)
        s->asked -= h->quantity;
    h->asked = false;
    h->paid = true;
    ps_put(c, HELD, key, PS_MSG(h));
    return stock_changed(c, r->key, &was, s, "");
}

static int
on_order(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    const Shop__Order *o = r->value;

    if (o->state == SHOP__ORDER__STATE__CREATED)
        return reserve_for(c, r, o);
    if (o->state == SHOP__ORDER__STATE__PAID)
        return paid(c, r, o);
    return order_is_over(o->state) ? settle(c, r, o) : PS_OK;
}

static int
on_timer(struct ps_ctx *c, const struct ps_timer *t, void *conf)
{
    return keep_sweep(c, t, MOVED, movement_forget, shop_keep_ms(conf));
}

static const struct ps_processor reserve = {
    .on = {on_order, on_movement},               /* one for each input */
    .on_timer = on_timer,
    .scratch = sizeof(struct keep),
    .stores = {[STOCK] = {"stock", &ps_string, PS_PROTO(shop__stock)},
        [HELD] = {"reservations", &ps_string, PS_PROTO(shop__held)},
        [MOVED] = {"movements", &ps_string, PS_PROTO(shop__moved)}},
    .out = {NULL, &ps_string, PS_PROTO(shop__order_validation)},
    .outs = {{ALERTS, &ps_string, PS_PROTO(shop__stock_alert)},
        {REQUESTS, &ps_string, PS_PROTO(shop__order)}},
};

void
inventory(struct ps_topology *t, void *conf)
{
    static struct shop_conf defaults;
    struct ps_stream *o = ps_stream(t, "orders", PS_PROTO(shop__order)),
                     *m = ps_stream(t, "warehouse-inventory", &movement_serde);

    if (conf == NULL)
        conf = &defaults;
    o = ps_repartition(o, "by-id", "id");        /* clients' hashes differ */
    o = ps_process(o, "admit", &admit, conf);    /* one body per order id */
    o = ps_gather(t, "by-product", PS_FROM({o, "product"}, {m, NULL}));
    o = ps_process(o, "reserve", &reserve, conf);
    ps_to(o, "order-validations", PS_PROTO(shop__order_validation));
    ps_to(ps_output(o, ALERTS), "stock-alerts", PS_PROTO(shop__stock_alert));
    ps_to(ps_output(o, REQUESTS), "orders", PS_PROTO(shop__order));
}

const struct ps_app services_apps[] = {{"inventory", inventory, NULL}, {NULL}};
