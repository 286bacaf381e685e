/*
 * orders.h: orders and stock for the inventory benchmarks. Order n is the
 * same in every run: products are drawn by a generator with a fixed seed.
 * Thread: one.
 */
#ifndef BENCH_ORDERS_H
#define BENCH_ORDERS_H

#include "bench/bench.h"
#include "penstock/streams.h"
#include "proto/shop.pb-c.h"

enum { ORDER_BYTES_MAX = 128, ORDER_TEXT_MAX = 32 };

struct order_draw {
    int64_t products;
    bool random_ids;             /* spread over all ids, else "%08n" */
    uint64_t state;
    char id[ORDER_TEXT_MAX], product[ORDER_TEXT_MAX];
    Shop__Order order;
};

void order_draw_init(struct order_draw *, int64_t products, bool random_ids);
/* The next order is number n; it points into the draw. */
const Shop__Order *order_draw_next(struct order_draw *, int64_t n);

/* `count` orders onto `orders`, over its partitions in turn, in batches of
 * 1,000, each acknowledged. */
int orders_load(struct bench *, const char *address, int64_t count,
    bool random_ids, struct err *);
/* So much of each product that it never runs out, as a COUNT movement. */
int stock_load(struct bench *, const char *address, struct err *);

/* reserve.c: orders, rekeyed by product, reserved per product: one get and
 * one put of an order, and a verdict. What Kafka Streams is measured with. */
extern const struct ps_app reserve_apps[];

/* Decoding, looking up, encoding, for about `ms`, and nothing else, in this
 * process: orders a CPU second, which is what one core could do. */
double reserve_floor(int64_t products, int64_t ms);

#endif
