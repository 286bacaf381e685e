/*
 * inventory.c: orders through a stream application to durable verdicts, while
 * checkpoints run. The orders stand in the log before; then the broker starts
 * anew with the application, and what counts is how the number of committed
 * verdicts grows from the first one on, and the CPU time of the whole
 * process meanwhile: broker, application and all that is written.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/child.h"
#include "bench/latency.h"
#include "bench/orders.h"
#include "bench/raw.h"
#include "bench/tail.h"
#include "client/client.h"
#include "services/services.h"

enum {
    INVENTORY_MS = 10000,
    LATENCY_MS = 5000,
    PATIENCE_MS = 30000,         /* until the first verdict */
    LOOK_MS = 20,
    ORDERS_PER_S = 400000,       /* that are made ready, by default */
    FLOOR_MS = 1000,
};

#define VERDICTS "order-validations"

struct subject {
    const char *key, *name;      /* of its figures */
    const struct ps_app *apps;
    bool whole;                  /* the shop's own, with stock and random ids */
    const char *goal;
};

static const struct subject reserving = {"", "inventory, reserved per product",
    reserve_apps, false, "300000"};
static const struct subject shop = {"whole_", "inventory, the shop's own",
    services_apps, true, "150000"};

static void
add(struct bench *b, const struct subject *s, const char *key,
    const char *name, const char *unit, double value, double floor,
    const char *floor_is, const char *goal)
{
    char k[48], text[64];

    snprintf(k, sizeof k, "%s%s", s->key, key);
    snprintf(text, sizeof text, "%s: %s", s->name, name);
    report_add(&b->report, &(struct figure){.key = k, .name = text,
        .unit = unit, .value = value, .floor = floor, .floor_is = floor_is,
        .goal = goal});
}

/* ---- throughput --------------------------------------------------------- */

struct look {
    int64_t ns, cpu_ns, verdicts;
};

static int
look(struct client *c, const struct child *child, struct look *l,
    struct err *err)
{
    if (bench_stopped(err) < 0)
        return -1;
    l->cpu_ns = child_cpu_ns(child);
    l->ns = bench_now_ns();
    return topic_end(c, VERDICTS, &l->verdicts, err);
}

/* Looks now and then until all are judged or the time is over. */
static int
watch(struct client *c, const struct child *child, int64_t orders, int64_t ms,
    struct look *first, struct look *last, struct err *err)
{
    struct timespec nap = {.tv_nsec = LOOK_MS * 1000000};
    int64_t end = bench_now_ns() + (int64_t)PATIENCE_MS * 1000000;

    memset(first, 0, sizeof *first);
    for (;;) {
        if (look(c, child, last, err) < 0)
            return -1;
        if (first->verdicts == 0 && last->verdicts > 0) {
            *first = *last;
            end = first->ns + ms * 1000000;
        }
        if (last->verdicts >= orders || last->ns >= end)
            break;
        nanosleep(&nap, NULL);
    }
    if (last->verdicts == first->verdicts)
        return err_set(err, ETIMEDOUT, "no verdicts come");
    return 0;
}

static int
prepare(struct bench *b, const struct subject *s, int64_t orders,
    struct err *err)
{
    struct child c;
    int rc;

    if (child_start(&c, b, "inventory", child_no_apps, err) < 0)
        return -1;
    rc = topic_make(c.address, VERDICTS, b->partitions, err);
    if (rc == 0 && s->whole)
        rc = stock_load(b, c.address, err);
    if (rc == 0)
        rc = orders_load(b, c.address, orders, s->whole, err);
    child_stop(&c, SIGTERM);
    return rc;
}

static void
tell(struct bench *b, const struct subject *s, const struct child *c,
    const struct look *first, const struct look *last)
{
    double n = (double)(last->verdicts - first->verdicts);
    double floor = reserve_floor(b->products, FLOOR_MS);

    add(b, s, "orders_per_s", "orders", "/s",
        n * 1e9 / (double)(last->ns - first->ns), floor,
        "decode, look up, encode in bare C, one core", s->goal);
    add(b, s, "orders_per_cpu_s", "orders a CPU second", "/s",
        n * 1e9 / (double)(last->cpu_ns - first->cpu_ns), floor,
        "decode, look up, encode in bare C, one core",
        s->whole ? NULL : "550000");
    add(b, s, "orders_judged", "orders judged", "", n, 0, NULL, NULL);
    add(b, s, "inventory_memory_mb", "server memory", "MB",
        (double)child_memory(c) / 1e6, 0, NULL, NULL);
}

static int
throughput(struct bench *b, const struct subject *s, struct err *err)
{
    int64_t ms = bench_ms(b, INVENTORY_MS);
    int64_t orders = b->orders > 0 ? b->orders : ms * ORDERS_PER_S / 1000;
    struct look first, last;
    struct client *client = NULL;
    struct child c;
    int rc = -1;

    cli_say(b->cli, "%lld orders are written first", (long long)orders);
    if (prepare(b, s, orders, err) < 0
        || child_start(&c, b, "inventory", s->apps, err) < 0)
        return -1;
    client = topic_client(c.address, err);
    if (client != NULL)
        rc = watch(client, &c, orders, ms, &first, &last, err);
    if (rc == 0)
        tell(b, s, &c, &first, &last);
    client_close(client);
    child_stop(&c, SIGTERM);
    folder_remove(c.data);
    return rc;
}

/* ---- latency ------------------------------------------------------------ */

struct drawn {
    struct order_draw draw;
    uint8_t bytes[ORDER_BYTES_MAX];
};

static struct span
order_value(void *arg, int64_t n)
{
    struct drawn *d = arg;

    return span_of(d->bytes,
        shop__order__pack(order_draw_next(&d->draw, n), d->bytes));
}

static int
verdict_latency(struct bench *b, const struct subject *s,
    const struct child *c, struct err *err)
{
    struct drawn d;
    struct tail_load load = {.address = c->address,
        .from = "orders",
        .to = VERDICTS,
        .from_partitions = (int32_t)b->partitions,
        .to_partitions = (int32_t)b->partitions,
        .rate = b->rate,
        .ms = bench_ms(b, LATENCY_MS),
        .value = order_value,
        .arg = &d};
    struct tail_result r;
    struct floor_ack f;
    char key[48], name[64];

    order_draw_init(&d.draw, b->products, false);
    if (topic_make(c->address, "orders", b->partitions, err) < 0
        || topic_make(c->address, VERDICTS, b->partitions, err) < 0
        || (s->whole && stock_load(b, c->address, err) < 0)
        || floor_ack(b, 512, 256, 60, &f, err) < 0
        || tail_run(&load, &r, err) < 0)
        return -1;
    snprintf(key, sizeof key, "%sverdict", s->key);
    snprintf(name, sizeof name, "%sorder to verdict",
        s->whole ? "the shop's own: " : "");
    latency_tell(b, key, name, &r.seen, &f, "4 floors", "10 floors");
    return 0;
}

static int
latency(struct bench *b, const struct subject *s, struct err *err)
{
    struct child c;
    int rc;

    if (child_start(&c, b, "verdicts", s->apps, err) < 0)
        return -1;
    rc = verdict_latency(b, s, &c, err);
    child_stop(&c, SIGTERM);
    folder_remove(c.data);
    return rc;
}

static int
subject_run(struct bench *b, const struct subject *s, struct err *err)
{
    if (throughput(b, s, err) < 0)
        return -1;
    return latency(b, s, err);
}

int
bench_inventory(struct bench *b, struct err *err)
{
    if (b->bootstrap != NULL)
        return err_set(err, ERR_USAGE, "inventory brings an application "
            "along, so it wants a broker of its own: leave -b away");
    if (subject_run(b, &reserving, err) < 0)
        return -1;
    return b->whole ? subject_run(b, &shop, err) : 0;
}
