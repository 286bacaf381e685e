/*
 * A small stock with reservations: repartition, gather, two stores, the power
 * cut after every step. A miniature of the shop's inventory service.
 */
#include "config.h"

#include "tests/unit/streams/fixture.h"

#include <stdio.h>

#include "tests/unit/streams/trade.pb-c.h"

enum { STOCK, HELD };

static int
verdict(struct ps_ctx *c, const Trade__Order *o, const char *reason)
{
    Trade__Verdict v = TRADE__VERDICT__INIT;
    char *copy = ps_printf(c, "%s", reason != NULL ? reason : "");

    v.order_id = o->id;
    v.pass = reason == NULL;
    v.reason = copy;
    return ps_forward(c, ps_str(o->id), PS_MSG(&v));
}

static int
on_order(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    Trade__Order *o = r->value;
    Trade__Stock *s = ps_get(c, STOCK, r->key);
    Trade__Held *h = ps_get(c, HELD, ps_str(o->id));
    Trade__Held hold = TRADE__HELD__INIT;

    if (o->state == TRADE__STATE__CREATED) {
        if (o->quantity <= 0)
            return verdict(c, o, "BAD_QUANTITY");
        if (s == NULL)
            return verdict(c, o, "UNKNOWN_PRODUCT");
        if (o->quantity > s->on_hand - s->reserved)
            return verdict(c, o, "OUT_OF_STOCK");
        hold.quantity = o->quantity;
        s->reserved += hold.quantity;
        ps_put(c, HELD, ps_str(o->id), PS_MSG(&hold));
        ps_put(c, STOCK, r->key, PS_MSG(s));
        return verdict(c, o, NULL);
    }
    if (h != NULL) {
        s->reserved -= h->quantity;
        ps_delete(c, HELD, ps_str(o->id));
        ps_put(c, STOCK, r->key, PS_MSG(s));
    }
    return PS_OK;
}

static int
on_movement(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    Trade__Movement *m = r->value;
    Trade__Stock *s = ps_get(c, STOCK, r->key), fresh = TRADE__STOCK__INIT;

    if (s == NULL)
        s = &fresh;
    s->on_hand += m->quantity;
    return ps_put(c, STOCK, r->key, PS_MSG(s));
}

static int
admit(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    Trade__Order *o = r->value, *first = ps_get(c, 0, r->key);

    if (first != NULL && o->state == TRADE__STATE__CREATED)
        return ps_reject(c, "CONFLICT");
    ps_put(c, 0, r->key, ps_value(r));
    return ps_forward(c, r->key, ps_value(r));
}

static const struct ps_processor admission = {
    .on = {admit},
    .stores = {{"orders", &ps_string, PS_PROTO(trade__order)}},
    .out = {.value = PS_PROTO(trade__order)}};

static const struct ps_processor reserve = {
    .on = {on_order, on_movement},
    .stores = {[STOCK] = {"stock", &ps_string, PS_PROTO(trade__stock)},
        [HELD] = {"reservations", &ps_string, PS_PROTO(trade__held)}}};

static void
inventory(struct ps_topology *t, void *conf)
{
    struct ps_stream *o = ps_stream(t, "orders", PS_PROTO(trade__order)),
                     *m = ps_stream(t, "movements", PS_PROTO(trade__movement));

    o = ps_repartition(o, "by-id", "id");
    o = ps_process(o, "admit", &admission, conf);
    o = ps_gather(t, "by-product", PS_FROM({o, "product"}, {m, NULL}));
    o = ps_process(o, "reserve", &reserve, conf);
    ps_to(o, "verdicts", PS_PROTO(trade__verdict));
}

/* ---- the last one ------------------------------------------------------- */

static void
two_want_the_last(struct ps_driver *d, void *arg)
{
    ps_pipe(d, "movements", "ipad", J({"id": "m1", "quantity": 1}));
    ps_settle(d);                /* stock first; then let the orders race */
    ps_pipe(d, "orders", "1", J({"id": "1", "state": "CREATED",
        "product": "ipad", "quantity": 1}));
    ps_pipe(d, "orders", "2", J({"id": "2", "state": "CREATED",
        "product": "ipad", "quantity": 1}));
    ps_settle(d);
}

static void
one_gets_it(struct ps_driver *d, void *arg)
{
    assert_int_equal(ps_count(d, "verdicts", J({"pass": true})), 1);
    assert_int_equal(ps_count(d, "verdicts", J({"reason": "OUT_OF_STOCK"})),
        1);
    assert_int_equal(ps_count(d, "verdicts", "{}"), 2);
    assert_int_equal(ps_view_int(d, "stock", "ipad", "reserved"), 1);
    assert_int_equal(ps_view_int(d, "stock", "ipad", "on_hand"), 1);
}

static void
test_two_want_the_last(void **state)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        const struct ps_driver_opts o = {.partitions = 4, .seed = seed};

        assert_int_equal(ps_driver_sweep(inventory, NULL, &o,
            two_want_the_last, one_gets_it), 0);
    }
}

/* ---- a backlog ---------------------------------------------------------- */

enum { PRODUCTS = 5, ORDERS = 20 };

/* Orders and goods are in the log; *arg is the time of the goods, the orders
 * were placed at 2000. The lower timestamps go first, over all partitions and
 * through the by-id log. */
static void
backlog(struct ps_driver *d, void *arg)
{
    char key[16], text[200];
    int64_t goods_ms = *(int64_t *)arg;

    for (int i = 0; i < ORDERS; i++) {
        snprintf(key, sizeof key, "o%d", i);
        snprintf(text, sizeof text, J({"id": "o%d", "state": "CREATED",
            "product": "p%d", "quantity": 1}), i, i % PRODUCTS);
        ps_pipe_at(d, "orders", key, text, 2000 + i);
    }
    for (int i = 0; i < ORDERS; i++) {
        snprintf(key, sizeof key, "p%d", i % PRODUCTS);
        snprintf(text, sizeof text, J({"id": "m%d", "quantity": 1}), i);
        ps_pipe_at(d, "movements", key, text, goods_ms + i);
    }
    ps_settle(d);
}

static void
all_are_served(struct ps_driver *d, void *arg)
{
    char key[16];

    assert_int_equal(ps_count(d, "verdicts", J({"pass": true})), ORDERS);
    assert_int_equal(ps_count(d, "verdicts", "{}"), ORDERS);
    for (int i = 0; i < PRODUCTS; i++) {
        snprintf(key, sizeof key, "p%d", i);
        assert_int_equal(ps_view_int(d, "stock", key, "reserved"), 4);
    }
    assert_int_equal(ps_view_size(d, "reservations"), ORDERS);
}

static void
test_a_backlog_goes_by_timestamp(void **state)
{
    int64_t before = 1000, after = 3000;

    for (uint64_t seed = 1; seed <= 30; seed++) {
        const struct ps_driver_opts o = {.partitions = 4, .seed = seed};
        struct ps_driver *d = ps_driver_new(inventory, NULL, &o);

        /* the client is done before the service starts */
        backlog(d, &before);
        all_are_served(d, NULL);
        ps_driver_free(d);
        d = ps_driver_new(inventory, NULL, &o);
        backlog(d, &after);
        assert_int_equal(ps_count(d, "verdicts",
            J({"reason": "UNKNOWN_PRODUCT"})), ORDERS);
        ps_driver_free(d);
    }
}

/* ---- a life of many orders ---------------------------------------------- */

static void
many_orders(struct ps_driver *d, void *arg)
{
    char key[16], text[200];

    for (int i = 0; i < 40; i++) {
        if (i % 10 == 0) {
            snprintf(key, sizeof key, "p%d", i / 10 % 3);
            ps_pipe(d, "movements", key, J({"id": "m", "quantity": 7}));
        }
        snprintf(key, sizeof key, "o%d", i);
        snprintf(text, sizeof text, J({"id": "o%d", "state": "CREATED",
            "product": "p%d", "quantity": %d}), i, i % 4, i % 5);
        ps_pipe(d, "orders", key, text);
        if (i % 3 == 0) {
            snprintf(text, sizeof text, J({"id": "o%d", "state": "CANCELLED",
                "product": "p%d", "quantity": %d}), i, i % 4, i % 5);
            ps_pipe(d, "orders", key, text);
        }
        if (i % 7 == 0)          /* a second body of the same id */
            ps_pipe(d, "orders", key, text);
    }
    ps_settle(d);
}

static void
the_books_balance(struct ps_driver *d, void *arg)
{
    char key[16];

    /* one verdict for each admitted order */
    assert_int_equal(ps_count(d, "verdicts", "{}"), 40);
    for (int i = 0; i < 40; i++) {
        char filter[64];

        snprintf(filter, sizeof filter, "{\"orderId\": \"o%d\"}", i);
        assert_int_equal(ps_count(d, "verdicts", filter), 1);
    }
    for (int i = 0; i < 4; i++) {
        int64_t on_hand, reserved;

        snprintf(key, sizeof key, "p%d", i);
        on_hand = ps_view_int(d, "stock", key, "on_hand");
        reserved = ps_view_int(d, "stock", key, "reserved");
        assert_true(reserved >= 0);
        assert_true(reserved <= on_hand);
        assert_int_equal(on_hand, i == 0 ? 14 : i < 3 ? 7 : 0);
    }
    assert_int_equal(ps_counter(d, "dead_lettered"), 0);
}

static void
test_the_books_balance_wherever_the_power_is_cut(void **state)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        const struct ps_driver_opts o = {.partitions = 4, .seed = seed};

        assert_int_equal(ps_driver_sweep(inventory, NULL, &o, many_orders,
            the_books_balance), 0);
    }
}

/* ---- the same again ----------------------------------------------------- */

struct digests {
    uint64_t first;
    int runs;
};

/* With one partition and a timestamp of its own for each record, the gathered
 * log can have one order only: so all bytes are the same, whatever the lots
 * and wherever the cut. */
static void
one_by_one(struct ps_driver *d, void *arg)
{
    char key[16], text[200];

    for (int i = 0; i < 12; i++) {
        snprintf(key, sizeof key, "p%d", i % 2);
        snprintf(text, sizeof text, J({"id": "m%d", "quantity": 1}), i);
        ps_pipe_at(d, "movements", key, text, 1000 + 20 * i);
        snprintf(key, sizeof key, "o%d", i);
        snprintf(text, sizeof text, J({"id": "o%d", "state": "CREATED",
            "product": "p%d", "quantity": 2}), i, i % 2);
        ps_pipe_at(d, "orders", key, text, 1010 + 20 * i);
        ps_settle(d);
    }
}

static void
same_verdicts(struct ps_driver *d, void *arg)
{
    struct digests *g = arg;
    uint64_t h = 0;
    const char *text;

    while ((text = ps_read_text(d, "verdicts")) != NULL) {
        for (; *text != '\0'; text++)
            h = (h + (uint8_t)*text) * 1099511628211u;
    }
    if (g->runs++ == 0)
        g->first = h;
    assert_true(h == g->first);
}

static void
test_the_same_input_gives_the_same_output(void **state)
{
    struct digests g = {0, 0};

    for (uint64_t seed = 1; seed <= 3; seed++) {
        const struct ps_driver_opts o = {.partitions = 1, .seed = seed,
            .cuts_max = 60};
        const struct ps_app apps[] = {{"shop", inventory, NULL},
            {NULL, NULL, NULL}};

        assert_int_equal(ps_driver_sweep_apps(apps, &o, one_by_one,
            same_verdicts, &g), 0);
    }
    assert_true(g.runs > 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_want_the_last),
        cmocka_unit_test(test_a_backlog_goes_by_timestamp),
        cmocka_unit_test(test_the_books_balance_wherever_the_power_is_cut),
        cmocka_unit_test(test_the_same_input_gives_the_same_output),
    };

    return cmocka_run_group_tests_name("stock", tests, NULL, NULL);
}
