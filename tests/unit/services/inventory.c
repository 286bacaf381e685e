/* inventory.c: the shop's rules as stories: S2 one log per product, S4
 * admission, S6 reservations, S10 movements, S13 bytes, and the vectors of
 * the reference (T1) with those that it gets wrong (E2, E3, E5, E14). */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "services/services.h"
#include "shop_help.h"

static struct ps_driver *d;

static int
open_shop(void **state)
{
    d = ps_driver_new(inventory, NULL,
        &(struct ps_driver_opts){.partitions = 3, .seed = 7, .app = "shop"});
    return 0;
}

static int
close_shop(void **state)
{
    ps_driver_free(d);
    d = NULL;
    return 0;
}

static void
settled_order(const char *id, const char *state, const char *product,
    int quantity)
{
    order(d, id, state, product, quantity);
    ps_settle(d);
}

static void
settled_movement(const char *product, const char *id, const char *kind,
    int quantity)
{
    movement(d, product, id, kind, quantity);
    ps_settle(d);
}

/* ---- The reference's vectors -------------------------------------------- */

/* One partition, so that the order of the output is the input's. */
static void
t1_stock_75_and_1(void **state)
{
    static const char *const want[] = {
        "0:{\"orderId\":\"0\",\"check\":\"INVENTORY\",\"result\":\"PASS\"}",
        "1:{\"orderId\":\"1\",\"check\":\"INVENTORY\",\"result\":\"PASS\"}",
        ("2:{\"orderId\":\"2\",\"check\":\"INVENTORY\",\"result\":\"FAIL\","
         "\"reason\":\"OUT_OF_STOCK\"}")};

    close_shop(NULL);
    d = ps_driver_new(inventory, NULL,
        &(struct ps_driver_opts){.partitions = 1, .app = "shop"});
    /* as the reference's AddInventory writes it: an Integer */
    ps_pipe_bytes(d, "warehouse-inventory", "UNDERPANTS", 10, "\0\0\0\x4b", 4,
        1);
    ps_pipe_bytes(d, "warehouse-inventory", "JUMPERS", 7, "\0\0\0\1", 4, 2);
    ps_settle(d);
    order(d, "0", "CREATED", "UNDERPANTS", 3);
    order(d, "1", "CREATED", "JUMPERS", 1);
    order(d, "2", "CREATED", "JUMPERS", 1);
    ps_settle(d);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(ps_read_text(d, "order-validations"), want[i]);
    assert_null(ps_read_text(d, "order-validations"));
    assert_int_equal(stock(d, "UNDERPANTS", "reserved"), 3);
    assert_int_equal(stock(d, "JUMPERS", "reserved"), 1);
}

static void
e2_e3_no_quantity_no_reservation(void **state)
{
    settled_movement("ipad", "", "COUNT", 1);
    settled_order("1", "CREATED", "ipad", 0);
    settled_order("2", "CREATED", "ipad", -5);
    assert_int_equal(verdicts(d, "BAD_QUANTITY"), 2);
    assert_int_equal(stock(d, "ipad", "reserved"), 0);
    assert_int_equal(stock(d, "ipad", "on_hand"), 1);
    /* the quantity is looked at first, also for a product nobody knows */
    settled_order("3", "CREATED", "nothing", 0);
    assert_int_equal(verdicts(d, "BAD_QUANTITY"), 3);
}

static void
e5_an_unknown_product_gets_its_verdict(void **state)
{
    settled_order("1", "CREATED", "ipad", 1);
    settled_order("2", "CREATED", "", 1);
    assert_int_equal(verdicts(d, "UNKNOWN_PRODUCT"), 2);
}

static void
e14_a_verdict_stays_when_stock_comes(void **state)
{
    settled_movement("ipad", "", "COUNT", 0);
    settled_order("1", "CREATED", "ipad", 1);
    settled_movement("ipad", "", "COUNT", 10);
    settled_order("2", "CREATED", "ipad", 1);
    assert_int_equal(verdicts(d, "OUT_OF_STOCK"), 1);
    assert_int_equal(verdicts(d, ""), 1);
    assert_int_equal(ps_count(d, "order-validations", "{}"), 2);
}

/* ---- S4: admission ------------------------------------------------------ */

static void
the_same_body_again_changes_nothing(void **state)
{
    settled_movement("ipad", "", "COUNT", 10);
    settled_order("1", "CREATED", "ipad", 2);
    settled_order("1", "CREATED", "ipad", 2);
    order(d, "1", "CREATED", "ipad", 2);
    order(d, "1", "CREATED", "ipad", 2);
    ps_settle(d);
    assert_int_equal(ps_count(d, "order-validations", "{}"), 1);
    assert_int_equal(stock(d, "ipad", "reserved"), 2);
    assert_int_equal(ps_counter(d, "rejected"), 0);
}

static void
another_body_is_a_conflict(void **state)
{
    settled_movement("ipad", "", "COUNT", 10);
    settled_movement("case", "", "COUNT", 10);
    settled_order("1", "CREATED", "ipad", 2);
    settled_order("1", "CREATED", "ipad", 3);
    settled_order("1", "CREATED", "case", 2);
    assert_int_equal(rejected(d, "CONFLICT"), 2);
    assert_int_equal(stock(d, "ipad", "reserved"), 2);
    assert_int_equal(stock(d, "case", "reserved"), 0);
    assert_int_equal(ps_count(d, "order-validations", "{}"), 1);
}

static void
what_is_no_order_is_rejected(void **state)
{
    ps_pipe(d, "orders", "1", J({"product": "ipad"}));
    ps_pipe(d, "orders", "1", "{}");
    request(d, "1", "UNSPECIFIED");
    request(d, "1", "CANCELLED");
    request(d, "1", "SHIPPED");
    ps_pipe(d, "orders", "1", J({"id": "1", "state": 99}));
    ps_settle(d);
    assert_int_equal(rejected(d, "NO_ORDER"), 2);
    assert_int_equal(rejected(d, "ILLEGAL_TRANSITION"), 4);
    assert_int_equal(ps_count(d, "order-validations", "{}"), 0);
    assert_int_equal(ps_view_size(d, "orders"), 0);
}

/* ---- S6: reservations --------------------------------------------------- */

static void
cancelled_and_failed_give_back(void **state)
{
    settled_movement("ipad", "", "COUNT", 10);
    settled_order("1", "CREATED", "ipad", 4);
    settled_order("2", "CREATED", "ipad", 5);
    assert_int_equal(stock(d, "ipad", "reserved"), 9);
    settled_order("1", "CANCELLED", "ipad", 4);
    assert_int_equal(stock(d, "ipad", "reserved"), 5);
    settled_order("2", "FAILED", "ipad", 5);
    assert_int_equal(stock(d, "ipad", "reserved"), 0);
    assert_int_equal(stock(d, "ipad", "on_hand"), 10);
    assert_int_equal(ps_view_size(d, "reservations"), 0);
}

static void
shipped_consumes(void **state)
{
    settled_movement("ipad", "", "RECEIVE", 10);
    settled_order("1", "CREATED", "ipad", 4);
    settled_order("1", "SHIPPED", "ipad", 4);
    assert_int_equal(stock(d, "ipad", "reserved"), 0);
    assert_int_equal(stock(d, "ipad", "on_hand"), 6);
    assert_int_equal(stock(d, "ipad", "shipped"), 4);
    /* once, and never back */
    settled_order("1", "SHIPPED", "ipad", 4);
    settled_order("1", "CANCELLED", "ipad", 4);
    assert_int_equal(rejected(d, "ILLEGAL_TRANSITION"), 2);
    assert_int_equal(stock(d, "ipad", "on_hand"), 6);
    assert_string_equal(state_of(d, "1"), "SHIPPED");
}

/* A message that lies about quantity and product ends the reservation that
 * there is, and no other. */
static void
the_reservation_counts_not_the_message(void **state)
{
    settled_movement("ipad", "", "COUNT", 10);
    settled_movement("case", "", "COUNT", 10);
    settled_order("1", "CREATED", "ipad", 4);
    settled_order("2", "CREATED", "case", 4);
    settled_order("1", "CANCELLED", "case", 999);
    assert_int_equal(stock(d, "ipad", "reserved"), 0);
    assert_int_equal(stock(d, "case", "reserved"), 4);
    request(d, "2", "SHIPPED");
    ps_settle(d);
    assert_int_equal(stock(d, "case", "shipped"), 4);
}

static void
no_reservation_no_change(void **state)
{
    settled_movement("ipad", "", "COUNT", 1);
    settled_order("1", "CREATED", "ipad", 2);
    settled_order("2", "CREATED", "ipad", 2);
    assert_int_equal(verdicts(d, "OUT_OF_STOCK"), 2);
    settled_order("1", "CANCELLED", "ipad", 2);
    settled_order("2", "SHIPPED", "ipad", 2);
    assert_int_equal(stock(d, "ipad", "on_hand"), 1);
    assert_int_equal(stock(d, "ipad", "reserved"), 0);
    assert_string_equal(state_of(d, "1"), "CANCELLED");
}

static void
what_is_given_back_can_be_had(void **state)
{
    settled_movement("ipad", "", "COUNT", 1);
    settled_order("1", "CREATED", "ipad", 1);
    settled_order("2", "CREATED", "ipad", 1);
    request(d, "1", "CANCELLED");
    ps_settle(d);
    settled_order("3", "CREATED", "ipad", 1);
    assert_int_equal(verdicts(d, ""), 2);
    assert_int_equal(verdicts(d, "OUT_OF_STOCK"), 1);
}

/* ---- S10: movements ----------------------------------------------------- */

static void
each_kind_has_its_book(void **state)
{
    settled_movement("ipad", "", "RECEIVE", 10);
    settled_movement("ipad", "", "RETURN", 2);
    settled_movement("ipad", "", "ADJUST", -3);
    assert_int_equal(stock(d, "ipad", "on_hand"), 9);
    settled_movement("ipad", "", "COUNT", 20);
    assert_int_equal(stock(d, "ipad", "received"), 10);
    assert_int_equal(stock(d, "ipad", "returned"), 2);
    assert_int_equal(stock(d, "ipad", "adjusted"), 8);
    assert_int_equal(stock(d, "ipad", "on_hand"), 20);
    settled_movement("ipad", "", "RECEIVE", 0);
    settled_movement("ipad", "", "COUNT", -1);
    settled_movement("ipad", "", "UNSPECIFIED", 5);
    assert_int_equal(rejected(d, "BAD_QUANTITY"), 2);
    assert_int_equal(rejected(d, "BAD_KIND"), 1);
    assert_int_equal(stock(d, "ipad", "on_hand"), 20);
}

static void
an_id_counts_once_for_its_product(void **state)
{
    settled_movement("ipad", "m1", "RECEIVE", 10);
    settled_movement("ipad", "m1", "RECEIVE", 10);
    movement(d, "ipad", "m1", "RECEIVE", 10);
    movement(d, "case", "m1", "RECEIVE", 10);
    ps_settle(d);
    assert_int_equal(stock(d, "ipad", "on_hand"), 10);
    assert_int_equal(stock(d, "case", "on_hand"), 10);
    assert_int_equal(ps_counter(d, "rejected"), 0);
    settled_movement("ipad", "m1", "RECEIVE", 11);
    assert_int_equal(rejected(d, "CONFLICT"), 1);
    settled_movement("ipad", "", "RECEIVE", 1);
    settled_movement("ipad", "", "RECEIVE", 1);
    assert_int_equal(stock(d, "ipad", "on_hand"), 12);
}

static void
a_tombstone_closes(void **state)
{
    settled_movement("ipad", "", "COUNT", 10);
    settled_order("1", "CREATED", "ipad", 2);
    ps_pipe(d, "warehouse-inventory", "ipad", NULL);
    ps_settle(d);
    settled_order("2", "CREATED", "ipad", 2);
    assert_int_equal(verdicts(d, "DISCONTINUED"), 1);
    /* live reservations go on */
    settled_order("1", "SHIPPED", "ipad", 2);
    assert_int_equal(stock(d, "ipad", "on_hand"), 8);
    settled_movement("ipad", "", "OPEN", 0);
    settled_order("3", "CREATED", "ipad", 2);
    assert_int_equal(verdicts(d, ""), 2);
    /* a product that nobody knew is closed, too */
    settled_movement("case", "", "CLOSE", 0);
    settled_order("4", "CREATED", "case", 1);
    assert_int_equal(verdicts(d, "DISCONTINUED"), 2);
}

static void
what_is_not_there_is_missing(void **state)
{
    settled_movement("ipad", "", "RECEIVE", 3);
    settled_movement("ipad", "m2", "ADJUST", -5);
    assert_int_equal(stock(d, "ipad", "on_hand"), 0);
    assert_int_equal(stock(d, "ipad", "missing"), 2);
    assert_int_equal(ps_count(d, "stock-alerts",
                         J({"product": "ipad", "reason": "MISSING",
                             "missing": 2, "movementId": "m2"})),
        1);
    balanced(d, "ipad", NULL, 0);
}

/* Reality wins: the newest unpaid orders are asked to go, until what is on
 * the shelf covers the rest. */
static void
a_correction_below_reserved_cancels_the_newest(void **state)
{
    static const char *const ids[] = {"a", "b", "c", "d"};

    settled_movement("ipad", "", "RECEIVE", 10);
    settled_order("a", "CREATED", "ipad", 3);
    settled_order("b", "CREATED", "ipad", 3);
    settled_order("c", "CREATED", "ipad", 2);
    settled_order("d", "CREATED", "ipad", 2);
    settled_order("d", "PAID", "ipad", 2);
    settled_movement("ipad", "", "COUNT", 6);
    assert_string_equal(state_of(d, "a"), "CREATED");
    assert_string_equal(state_of(d, "b"), "CANCELLED");
    assert_string_equal(state_of(d, "c"), "CANCELLED");
    assert_string_equal(state_of(d, "d"), "PAID");
    assert_int_equal(stock(d, "ipad", "reserved"), 5);
    assert_int_equal(stock(d, "ipad", "short"), 0);
    assert_int_equal(stock(d, "ipad", "asked"), 0);
    assert_int_equal(ps_count(d, "stock-alerts", J({"reason": "SHORT"})), 1);
    assert_int_equal(ps_count(d, "stock-alerts", J({"reason": "COVERED"})), 1);
    assert_int_equal(ps_count(d, "orders", J({"reason": "SHORT"})), 2);
    balanced(d, "ipad", ids, 4);
}

static void
paid_orders_stay_short(void **state)
{
    static const char *const ids[] = {"a"};

    settled_movement("ipad", "", "RECEIVE", 5);
    settled_order("a", "CREATED", "ipad", 5);
    settled_order("a", "PAID", "ipad", 5);
    settled_movement("ipad", "", "COUNT", 1);
    assert_string_equal(state_of(d, "a"), "PAID");
    assert_int_equal(stock(d, "ipad", "short"), 4);
    assert_int_equal(ps_count(d, "stock-alerts",
                         J({"reason": "SHORT", "short": 4})),
        1);
    settled_order("b", "CREATED", "ipad", 1);
    assert_int_equal(verdicts(d, "OUT_OF_STOCK"), 1);
    balanced(d, "ipad", ids, 1);
    settled_movement("ipad", "", "RECEIVE", 4);
    assert_int_equal(stock(d, "ipad", "short"), 0);
    assert_int_equal(ps_count(d, "stock-alerts", J({"reason": "COVERED"})), 1);
}

/* A product's name may be the start of another's, or look like a key. */
static void
products_do_not_mix(void **state)
{
    settled_movement("a", "", "RECEIVE", 5);
    settled_movement("a:1", "", "RECEIVE", 5);
    settled_order("1:1", "CREATED", "a", 5);
    settled_order("1", "CREATED", "a:1", 5);
    settled_movement("a", "", "COUNT", 0);
    assert_string_equal(state_of(d, "1:1"), "CANCELLED");
    assert_string_equal(state_of(d, "1"), "CREATED");
    assert_int_equal(stock(d, "a", "reserved"), 0);
    assert_int_equal(stock(d, "a:1", "reserved"), 5);
}

/* ---- S13: bytes --------------------------------------------------------- */

static void
every_dress_is_taken(void **state)
{
    static const char order_1[] = "\x0a\x01" "1\x18\x01\x22\x01p\x28\x01",
                      order_2[] = "\0\0\0\0\7\0\x0a\x01" "2\x18\x01\x22\x01p"
                                  "\x28\x01";

    ps_pipe_bytes(d, "warehouse-inventory", "p", 1, "\x10\x04\x18\x0a", 4, 1);
    ps_settle(d);
    assert_int_equal(stock(d, "p", "on_hand"), 10);
    ps_pipe_bytes(d, "orders", "1", 1, order_1, sizeof order_1 - 1, 2);
    ps_pipe_bytes(d, "orders", "2", 1, order_2, sizeof order_2 - 1, 3);
    order(d, "3", "CREATED", "p", 1);
    ps_settle(d);
    assert_int_equal(verdicts(d, ""), 3);
    assert_int_equal(stock(d, "p", "reserved"), 3);
    ps_pipe_bytes(d, "warehouse-inventory", "p", 1, "\0\0\1\0", 4, 4);
    ps_settle(d);
    assert_int_equal(stock(d, "p", "on_hand"), 256);
}

static void
bad_bytes_are_dead_letters(void **state)
{
    static const char nul[] = "\x0a\x03" "1\0" "1\x18\x01\x22\x01p\x28\x01";

    settled_movement("p", "", "COUNT", 10);
    ps_pipe_bytes(d, "orders", "1", 1, nul, sizeof nul - 1, 1);
    ps_pipe_bytes(d, "orders", "1", 1, "\xff", 1, 1);
    ps_pipe_bytes(d, "orders", "1", 1, "{\"idd\":\"1\"}", 11, 1);
    ps_pipe_bytes(d, "warehouse-inventory", "p", 1, "\0\0\1", 3, 1);
    settled_order("2", "CREATED", "p", 1);
    assert_int_equal(ps_counter(d, "dead_lettered"), 4);
    assert_int_equal(verdicts(d, ""), 1);
}

/* ---- S2: one log per product -------------------------------------------- */

/* Clients hash keys as they like; the order of a product's log decides. */
static void
any_number_of_partitions_gives_the_same(void **state)
{
    static const unsigned partitions[] = {1, 2, 5, 16};

    for (size_t i = 0; i < 4; i++) {
        close_shop(NULL);
        d = ps_driver_new(inventory, NULL,
            &(struct ps_driver_opts){.partitions = partitions[i],
                .seed = i, .app = "shop"});
        settled_movement("ipad", "m", "RECEIVE", 5);
        settled_order("1", "CREATED", "ipad", 3);
        settled_order("2", "CREATED", "ipad", 3);
        settled_order("3", "CREATED", "ipad", 2);
        settled_order("1", "SHIPPED", "", 0);
        assert_int_equal(stock(d, "ipad", "on_hand"), 2);
        assert_int_equal(stock(d, "ipad", "reserved"), 2);
        assert_int_equal(held(d, "ipad", "3"), 2);
        assert_int_equal(verdicts(d, "OUT_OF_STOCK"), 1);
    }
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(t1_stock_75_and_1),
        STORY(e2_e3_no_quantity_no_reservation),
        STORY(e5_an_unknown_product_gets_its_verdict),
        STORY(e14_a_verdict_stays_when_stock_comes),
        STORY(the_same_body_again_changes_nothing),
        STORY(another_body_is_a_conflict),
        STORY(what_is_no_order_is_rejected),
        STORY(cancelled_and_failed_give_back),
        STORY(shipped_consumes),
        STORY(the_reservation_counts_not_the_message),
        STORY(no_reservation_no_change),
        STORY(what_is_given_back_can_be_had),
        STORY(each_kind_has_its_book),
        STORY(an_id_counts_once_for_its_product),
        STORY(a_tombstone_closes),
        STORY(what_is_not_there_is_missing),
        STORY(a_correction_below_reserved_cancels_the_newest),
        STORY(paid_orders_stay_short),
        STORY(products_do_not_mix),
        STORY(every_dress_is_taken),
        STORY(bad_bytes_are_dead_letters),
        STORY(any_number_of_partitions_gives_the_same),
    };

    return cmocka_run_group_tests_name("inventory", tests, NULL, NULL);
}
