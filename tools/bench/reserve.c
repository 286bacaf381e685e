/*
 * reserve.c: the least that an inventory is: orders, rekeyed by product,
 * reserved per product, a verdict for each. It stands beside measurements of
 * other stream processors that do the same: one read, one write of state,
 * one message through a log between, one message out.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/table.h"
#include "bench/orders.h"
#include "serde/pb.h"

enum { STOCK };

static int
reserve(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    Shop__OrderValidation v = SHOP__ORDER_VALIDATION__INIT;
    Shop__Stock fresh = SHOP__STOCK__INIT, *s;
    const Shop__Order *o = r->value;

    if (o == NULL)
        return ps_reject(c, "NO_ORDER");
    s = ps_get(c, STOCK, r->key);
    if (s == NULL)
        s = &fresh;
    s->reserved += o->quantity;
    ps_put(c, STOCK, r->key, PS_MSG(s));
    v.order_id = o->id;
    v.check = SHOP__CHECK__INVENTORY;
    v.result = SHOP__RESULT__PASS;
    return ps_forward(c, ps_str(o->id), PS_MSG(&v));
}

static const struct ps_processor reserver = {
    .on = {reserve},
    .stores = {[STOCK] = {"reserved", &ps_string, PS_PROTO(shop__stock)}},
    .out = {NULL, &ps_string, PS_PROTO(shop__order_validation)},
};

static void
reserving(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "orders", PS_PROTO(shop__order));

    s = ps_repartition(s, "by-product", "product");
    s = ps_process(s, "reserve", &reserver, NULL);
    ps_to(s, "order-validations", PS_PROTO(shop__order_validation));
}

const struct ps_app reserve_apps[] = {
    {"bench-inventory", reserving, NULL},
    {NULL, NULL, NULL},
};

/* ---- the floor ---------------------------------------------------------- */

enum { DRAWN = 4096, LOOKS = 64 };

struct shelf {
    char product[ORDER_TEXT_MAX];
    Shop__Stock stock;
};

struct bare {
    struct table table;
    struct shelf *shelves;
    struct buf orders;           /* encoded, one after the other */
    size_t ends[DRAWN];
    struct arena arena;
    struct buf out;
};

static void
bare_init(struct bare *b, int64_t products)
{
    uint8_t bytes[ORDER_BYTES_MAX];
    struct order_draw d;

    table_init(&b->table);
    b->shelves = xcalloc((size_t)products, sizeof *b->shelves);
    for (int64_t i = 0; i < products; i++) {
        struct shelf *s = &b->shelves[i];

        shop__stock__init(&s->stock);
        snprintf(s->product, sizeof s->product, "product-%lld", (long long)i);
        table_put(&b->table, span_str(s->product), s);
    }
    arena_init(&b->arena, MIB);
    buf_init(&b->out, MIB);
    buf_init(&b->orders, DRAWN * ORDER_BYTES_MAX);
    order_draw_init(&d, products, false);
    for (int64_t i = 0; i < DRAWN; i++) {
        buf_put(&b->orders, bytes,
            shop__order__pack(order_draw_next(&d, i), bytes));
        b->ends[i] = b->orders.len;
    }
}

static void
bare_release(struct bare *b)
{
    table_release(&b->table);
    free(b->shelves);
    arena_release(&b->arena);
    buf_release(&b->out);
    buf_release(&b->orders);
}

static void
bare_order(struct bare *b, size_t i)
{
    Shop__OrderValidation v = SHOP__ORDER_VALIDATION__INIT;
    size_t from = i == 0 ? 0 : b->ends[i - 1];
    ProtobufCMessage *message;
    struct shelf *s;
    Shop__Order *o;

    arena_reset(&b->arena);
    buf_clear(&b->out);
    if (pb_decode(&shop__order__descriptor,
            span_of(b->orders.ptr + from, b->ends[i] - from), &b->arena,
            &message, NULL) < 0)
        return;
    o = (Shop__Order *)message;
    s = table_get(&b->table, span_str(o->product));
    s->stock.reserved += o->quantity;
    v.order_id = o->id;
    v.check = SHOP__CHECK__INVENTORY;
    v.result = SHOP__RESULT__PASS;
    pb_encode(&s->stock.base, &b->out, NULL);
    pb_encode(&v.base, &b->out, NULL);
}

double
reserve_floor(int64_t products, int64_t ms)
{
    int64_t end, began, spent, done = 0;
    struct bare b;

    bare_init(&b, products);
    end = bench_now_ns() + ms * 1000000;
    began = bench_cpu_ns();
    do {
        for (int i = 0; i < LOOKS; i++)
            bare_order(&b, (size_t)(done++ % DRAWN));
    } while (bench_now_ns() < end);
    spent = bench_cpu_ns() - began;
    bare_release(&b);
    return (double)done * 1e9 / (double)spent;
}
