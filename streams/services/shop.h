/*
 * shop.h: what the files of the shop share. Not for other rooms.
 */
#ifndef SERVICES_SHOP_H
#define SERVICES_SHOP_H

#include "penstock/streams.h"
#include "proto/shop.pb-c.h"
#include "services/services.h"

#define DAY_MS (24 * 3600 * INT64_C(1000))

/* The order task: decides which requests become transitions (admit.c). Takes
 * and gives orders by their id. conf: struct shop_conf. */
extern const struct ps_processor admit;

/* May an order in state `from` become `to`? (order.c: the table of states) */
bool order_may_become(const struct shop_conf *, const Shop__Order *from,
    const Shop__Order *to);
/* FAILED, CANCELLED, SHIPPED: it stays so. */
bool order_is_over(Shop__Order__State);
/* What a customer orders: all but state and reason. */
bool order_same_body(const Shop__Order *, const Shop__Order *);

/* The inventory task's stores and outputs (inventory.c, movement.c). */
enum { STOCK, HELD, MOVED };
#define ALERTS "alerts"
#define REQUESTS "requests"

/* Input 1 of the inventory task: a movement, or a tombstone. */
int on_movement(struct ps_ctx *, const struct ps_record *, void *conf);
/* Movement as protobuf, JSON, or the reference's 4 bytes. */
extern const struct ps_serde movement_serde;
/* keep_fn: forgets that a movement was counted. */
int movement_forget(struct ps_ctx *, int slot, struct ps_val key, void *value,
    int64_t keep_ms);

/* Puts the stock, which has changed from `was`; says so if pieces are short
 * or missing, and asks for cancellations (shortage.c). */
int stock_changed(struct ps_ctx *, struct ps_val product,
    const Shop__Stock *was, Shop__Stock *now, const char *movement_id);

/* "4:ipad:1" of a product and an id; only the id's part may be empty. With
 * the length in front no two pairs meet, and "4:ipad:" is the prefix of the
 * product's and of no other's. NULL sticks as an error. */
struct ps_val pair_key(struct ps_ctx *, struct ps_val product, const char *id);

static inline int64_t
shop_keep_ms(const struct shop_conf *conf)
{
    return conf->keep_ms > 0 ? conf->keep_ms : 30 * DAY_MS;
}

#endif
