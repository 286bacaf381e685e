/*
 * race.c: penstock demo race: two customers want the last iPad. Both orders
 * go out in one go; one of them gets it, the other is told so, and the shop
 * has done it all by the time the orders are acknowledged.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/world.h"
#include "client/reader.h"
#include "client/writer.h"
#include "commands.h"
#include "proto/shop.pb-c.h"
#include "retail/front.h"
#include "retail/retail.h"
#include "serde/pb.h"
#include "views.h"

const struct opt opts_demo_race[] = {RETAIL_HTTP_OPT, {0, NULL, NULL, NULL}};

enum { CUSTOMERS = 2, NAME_MAX_BYTES = 48, WITHIN_MS = 10000, POLL_MS = 500 };

static const char *const customers[CUSTOMERS] = {"Alice", "Bob"};

struct race {
    struct cli *cli;
    struct client *writes, *reads;       /* each its own connection */
    struct arena arena;
    char product[NAME_MAX_BYTES], ids[CUSTOMERS][NAME_MAX_BYTES];
    char reasons[CUSTOMERS][NAME_MAX_BYTES];
    bool told[CUSTOMERS], passed[CUSTOMERS];
    int64_t acked_us, told_us;           /* after the orders were sent */
    int64_t epochs;              /* cuts of the log, each one flush */
};

static int64_t
now_us(void)
{
    return world_mono_ns(world_real()) / 1000;
}

/* ---- saying ------------------------------------------------------------- */

static int
add(struct race *r, struct writer *w, const char *key,
    const ProtobufCMessage *m, struct err *err)
{
    struct buf bytes;
    int rc;

    buf_init(&bytes, 64 * KIB);
    rc = pb_encode(m, &bytes, err);
    if (rc == 0)
        rc = writer_add(w, PARTITION_BY_KEY, world_wall_ms(world_real()),
            span_str(key), buf_span(&bytes), NULL, 0, err);
    buf_release(&bytes);
    return rc;
}

static struct writer *
writer_to(struct race *r, const char *topic, struct err *err)
{
    static const struct writer_conf conf;
    const struct client_topic *t = client_topic(r->writes, topic, err);

    return t == NULL ? NULL : writer_new(r->writes, t, &conf);
}

static int
receive_one(struct race *r, struct err *err)
{
    Shop__Movement m = SHOP__MOVEMENT__INIT;
    struct writer *w = writer_to(r, "warehouse-inventory", err);
    int rc;

    if (w == NULL)
        return -1;
    m.id = r->product;
    m.kind = SHOP__MOVEMENT__KIND__RECEIVE;
    m.quantity = 1;
    rc = add(r, w, r->product, &m.base, err);
    if (rc == 0)
        rc = writer_flush(w, err);
    writer_free(w);
    return rc;
}

static int
send_orders(struct race *r, struct err *err)
{
    struct writer *w = writer_to(r, "orders", err);
    static char currency[] = "GBP";
    int rc = w == NULL ? -1 : 0;

    for (int i = 0; rc == 0 && i < CUSTOMERS; i++) {
        Shop__Order o = SHOP__ORDER__INIT;

        o.id = r->ids[i];
        o.customer_id = i + 1;
        o.state = SHOP__ORDER__STATE__CREATED;
        o.product = r->product;
        o.quantity = 1;
        o.price_micros = INT64_C(499000000);
        o.currency = currency;
        rc = add(r, w, r->ids[i], &o.base, err);
    }
    if (rc == 0)
        rc = writer_flush(w, err);
    writer_free(w);
    return rc;
}

/* ---- hearing ------------------------------------------------------------ */

static int
hear(struct race *r, struct span value, struct err *err)
{
    ProtobufCMessage *m;
    Shop__OrderValidation *v;

    arena_reset(&r->arena);
    if (pb_decode(&shop__order_validation__descriptor, value, &r->arena, &m,
            err) != 0)
        return -1;
    v = (Shop__OrderValidation *)(void *)m;
    for (int i = 0; i < CUSTOMERS; i++) {
        if (strcmp(v->order_id, r->ids[i]) != 0)
            continue;
        r->told[i] = true;
        r->passed[i] = v->result == SHOP__RESULT__PASS;
        snprintf(r->reasons[i], sizeof r->reasons[i], "%s", v->reason);
    }
    return 0;
}

static int
hear_both(struct race *r, struct reader *from, struct err *err)
{
    int64_t until = now_us() + WITHIN_MS * INT64_C(1000);
    struct reader_record record;
    int n;

    while (!r->told[0] || !r->told[1]) {
        if (now_us() > until)
            return err_set(err, ERR_LIMIT, "there is no verdict within %d s",
                WITHIN_MS / 1000);
        if (reader_poll(from, POLL_MS, err) != 0)
            return -1;
        while ((n = reader_next(from, &record, err)) == 1) {
            if (hear(r, record.record.value, err) != 0)
                return -1;
        }
        if (n != 0)
            return -1;
    }
    return 0;
}

static struct reader *
reader_at_end(struct race *r, struct err *err)
{
    const struct client_topic *t = client_topic(r->reads,
        "order-validations", err);
    struct reader *from;
    int64_t *end;

    if (t == NULL)
        return NULL;
    end = xcalloc((size_t)t->partitions, sizeof *end);
    from = reader_new(r->reads, t);
    if (client_offsets_of(r->reads, t, OFFSET_END, end, err) != 0) {
        reader_free(from);
        from = NULL;
    }
    for (int32_t i = 0; from != NULL && i < t->partitions; i++)
        reader_seek(from, i, end[i], INT64_MAX);
    free(end);
    return from;
}

/* ---- the race ----------------------------------------------------------- */

/* -1: nobody says. */
static int64_t
epoch_now(const struct cli *cli)
{
    struct err ignored;
    json_t *root;
    int64_t epoch;

    if (views_ask(cli, "GET", "/v1/health", 0, &root, &ignored) != 0)
        return -1;
    epoch = front_int(root, "epoch");
    json_decref(root);
    return epoch;
}

static int
run(struct race *r, struct reader *from, struct err *err)
{
    int64_t began, epoch = epoch_now(r->cli);

    began = now_us();
    if (send_orders(r, err) != 0)
        return -1;
    r->acked_us = now_us() - began;
    if (hear_both(r, from, err) != 0)
        return -1;
    r->told_us = now_us() - began;
    r->epochs = epoch < 0 ? -1 : epoch_now(r->cli) - epoch;
    return 0;
}

static int
race(struct race *r, struct err *err)
{
    int64_t n = world_wall_ms(world_real()) % 100000000;
    struct reader *from = NULL;
    int rc;

    snprintf(r->product, sizeof r->product, "ipad-%" PRId64, n);
    for (int i = 0; i < CUSTOMERS; i++)
        snprintf(r->ids[i], sizeof r->ids[i], "%s-%" PRId64, customers[i], n);
    r->writes = cli_client(r->cli, err);
    r->reads = r->writes == NULL ? NULL : cli_client(r->cli, err);
    if (r->reads == NULL || receive_one(r, err) != 0
        || front_settle(r->cli, WITHIN_MS, err) < 0
        || client_topic(r->writes, "orders", err) == NULL)
        return -1;
    from = reader_at_end(r, err);
    rc = from == NULL ? -1 : run(r, from, err);
    reader_free(from);
    return rc;
}

static void
report(const struct race *r)
{
    char us[32];

    for (int i = 0; i < CUSTOMERS; i++)
        printf("  %-6s order %-16s CREATED -> %s%s\n", customers[i],
            r->ids[i], r->passed[i] ? "PASS, the iPad is reserved" : "FAIL, ",
            r->reasons[i]);
    printf("  both orders acknowledged after %s us, ",
        retail_number(us, r->acked_us));
    printf("both verdicts read after %s us", retail_number(us, r->told_us));
    if (r->epochs > 0)
        printf(", %" PRId64 " flush%s to the disk", r->epochs,
            r->epochs == 1 ? "" : "es");
    putchar('\n');
}

int
cmd_demo_race(struct cli *cli)
{
    struct race r = {.cli = cli};
    struct err err = {0};
    int code = CLI_OK;

    cli_catch_signals();
    arena_init(&r.arena, 1 * MIB);
    if (cli_args(cli, 0, 0, &err) != 0 || race(&r, &err) != 0) {
        code = cli_fail(cli, &err);
    } else {
        report(&r);
        if (r.passed[0] == r.passed[1])
            code = CLI_FAILED;   /* never: one iPad, one customer */
    }
    client_close(r.writes);
    client_close(r.reads);
    arena_release(&r.arena);
    return code;
}
