/* orders.c: see orders.h. */
#include "config.h"

#include "bench/orders.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/world.h"
#include "bench/raw.h"
#include "record/batch.h"

enum { BATCH_RECORDS = 1000, IN_FLIGHT = 5, PLENTY = 1000000000 };

/* ---- what there is ------------------------------------------------------ */

void
order_draw_init(struct order_draw *d, int64_t products, bool random_ids)
{
    static char nothing[] = "";

    memset(d, 0, sizeof *d);
    d->products = products;
    d->random_ids = random_ids;
    d->state = UINT64_C(88172645463325252);
    shop__order__init(&d->order);
    d->order.id = d->id;
    d->order.product = d->product;
    d->order.currency = nothing;
    d->order.reason = nothing;
    d->order.quantity = 1;
    d->order.price_micros = 1500000;
    d->order.state = SHOP__ORDER__STATE__CREATED;
}

/* A xorshift generator (Marsaglia 2003). */
static uint64_t
draw(struct order_draw *d)
{
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return d->state;
}

const Shop__Order *
order_draw_next(struct order_draw *d, int64_t n)
{
    uint64_t r = draw(d);

    if (d->random_ids)
        snprintf(d->id, sizeof d->id, "%016llx", (unsigned long long)r);
    else
        snprintf(d->id, sizeof d->id, "%08lld", (long long)n);
    snprintf(d->product, sizeof d->product, "product-%llu",
        (unsigned long long)(r % (uint64_t)d->products));
    d->order.customer_id = n;
    return &d->order;
}

/* ---- loading ------------------------------------------------------------ */

struct loader {
    struct raw raw;
    const char *topic;
    int64_t partitions, batches;
    int in_flight;
    struct buf batch;
    struct batch_builder builder;
    int64_t now_ms;
};

static int
settle(struct loader *l, int left, struct err *err)
{
    struct span frame;

    for (; l->in_flight > left; l->in_flight--) {
        if (raw_receive(&l->raw, &frame, err) < 0
            || shot_answered(&l->raw, frame, err) < 0)
            return -1;
    }
    return 0;
}

static int
flush_batch(struct loader *l, int64_t records, struct err *err)
{
    struct shot shot;
    int rc;

    if (bench_stopped(err) < 0)
        return -1;
    if (batch_builder_end(&l->builder, &BATCH_BUILD_PLAIN, err) < 0)
        return -1;
    shot_wrap(&shot, l->topic, (int32_t)(l->batches++ % l->partitions),
        buf_span(&l->batch), records);
    rc = settle(l, IN_FLIGHT - 1, err);
    if (rc == 0)
        rc = raw_send(&l->raw, buf_span(&shot.frame), err);
    l->in_flight++;
    shot_release(&shot);
    buf_clear(&l->batch);
    batch_builder_init(&l->builder, &l->batch);
    return rc;
}

/* Key and value of number n. */
typedef void load_fn(void *arg, int64_t n, struct span *key,
    struct span *value);

static int
load(struct bench *b, const char *address, const char *topic, int64_t count,
    load_fn *fn, void *arg, struct err *err)
{
    struct loader l = {.topic = topic, .partitions = b->partitions,
        .now_ms = world_wall_ms(world_real())};
    int rc;

    if (topic_make(address, topic, b->partitions, err) < 0)
        return -1;
    buf_init(&l.batch, MIB);
    batch_builder_init(&l.builder, &l.batch);
    rc = raw_open(&l.raw, address, err);
    for (int64_t n = 0; rc == 0 && n < count; n++) {
        struct span key, value;

        fn(arg, n, &key, &value);
        batch_builder_add(&l.builder, l.now_ms, key, value, NULL, 0);
        if ((n + 1) % BATCH_RECORDS == 0 || n + 1 == count)
            rc = flush_batch(&l, n % BATCH_RECORDS + 1, err);
    }
    if (rc == 0)
        rc = settle(&l, 0, err);
    raw_close(&l.raw);
    buf_release(&l.batch);
    return rc;
}

struct drawn {
    struct order_draw draw;
    uint8_t bytes[ORDER_BYTES_MAX];
};

static void
order_of(void *arg, int64_t n, struct span *key, struct span *value)
{
    struct drawn *d = arg;
    const Shop__Order *o = order_draw_next(&d->draw, n);

    *key = span_str(o->id);
    *value = span_of(d->bytes, shop__order__pack(o, d->bytes));
}

int
orders_load(struct bench *b, const char *address, int64_t count,
    bool random_ids, struct err *err)
{
    struct drawn d;

    order_draw_init(&d.draw, b->products, random_ids);
    return load(b, address, "orders", count, order_of, &d, err);
}

struct counted {
    char product[ORDER_TEXT_MAX];
    uint8_t bytes[ORDER_BYTES_MAX];
};

static void
count_of(void *arg, int64_t n, struct span *key, struct span *value)
{
    Shop__Movement m = SHOP__MOVEMENT__INIT;
    struct counted *c = arg;

    m.kind = SHOP__MOVEMENT__KIND__COUNT;
    m.quantity = PLENTY;
    snprintf(c->product, sizeof c->product, "product-%lld", (long long)n);
    *key = span_str(c->product);
    *value = span_of(c->bytes, shop__movement__pack(&m, c->bytes));
}

int
stock_load(struct bench *b, const char *address, struct err *err)
{
    struct counted c;

    return load(b, address, "warehouse-inventory", b->products, count_of, &c,
        err);
}
