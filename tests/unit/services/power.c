/* power.c: scenarios that are run again and again with the power cut after
 * each step. A failure prints seed and cut to repeat it. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "services/services.h"
#include "shop_help.h"

static const struct ps_driver_opts opts = {.partitions = 4, .seed = 7,
    .app = "shop"};

static void
swept(ps_scenario_fn scenario, ps_scenario_fn check)
{
    assert_int_equal(ps_driver_sweep(inventory, NULL, &opts, scenario, check),
        0);
}

/* ---- Two want the last -------------------------------------------------- */

static void
two_want_the_last(struct ps_driver *d, void *arg)
{
    ps_pipe(d, "warehouse-inventory", "ipad",
        J({"kind": "COUNT", "quantity": 1}));
    ps_settle(d);                    /* stock first; then let the orders race */
    ps_pipe(d, "orders", "1",
        J({"id": "1", "state": "CREATED", "product": "ipad", "quantity": 1}));
    ps_pipe(d, "orders", "2",
        J({"id": "2", "state": "CREATED", "product": "ipad", "quantity": 1}));
    ps_settle(d);
}

static void
one_gets_it(struct ps_driver *d, void *arg)
{
    assert_int_equal(
        ps_count(d, "order-validations", J({"result": "PASS"})), 1);
    assert_int_equal(
        ps_count(d, "order-validations", J({"reason": "OUT_OF_STOCK"})), 1);
    assert_int_equal(ps_count(d, "order-validations", "{}"), 2);
    assert_int_equal(ps_view_int(d, "stock", "ipad", "reserved"), 1);
}

static void
test_last_ipad(void **state)
{
    swept(two_want_the_last, one_gets_it);
}

/* ---- A cancellation races its order ------------------------------------- */

static void
cancelled_at_once(struct ps_driver *d, void *arg)
{
    movement(d, "ipad", "m1", "RECEIVE", 5);
    order(d, "1", "CREATED", "ipad", 2);
    request(d, "1", "CANCELLED");
    order(d, "2", "CREATED", "ipad", 3);
    request(d, "2", "SHIPPED");
    ps_settle(d);
}

/* The stock may come after the orders, in another topic; but what is known
 * holds: one verdict each, no reservation left, the books balance. */
static void
nothing_is_left(struct ps_driver *d, void *arg)
{
    static const char *const ids[] = {"1", "2"};

    assert_int_equal(ps_count(d, "order-validations", J({"orderId": "1"})), 1);
    assert_int_equal(ps_count(d, "order-validations", J({"orderId": "2"})), 1);
    assert_string_equal(state_of(d, "1"), "CANCELLED");
    assert_string_equal(state_of(d, "2"), "SHIPPED");
    assert_int_equal(stock(d, "ipad", "reserved"), 0);
    assert_int_equal(stock(d, "ipad", "received"), 5);
    assert_int_equal(ps_view_size(d, "reservations"), 0);
    balanced(d, "ipad", ids, 2);
}

static void
test_cancelled_at_once(void **state)
{
    swept(cancelled_at_once, nothing_is_left);
}

/* ---- Clients that repeat themselves ------------------------------------- */

static void
everything_twice(struct ps_driver *d, void *arg)
{
    for (int i = 0; i < 2; i++) {
        movement(d, "ipad", "m1", "RECEIVE", 10);
        movement(d, "case", "m1", "RECEIVE", 10);
    }
    ps_settle(d);
    for (int i = 0; i < 2; i++) {
        order(d, "1", "CREATED", "ipad", 4);
        order(d, "2", "CREATED", "case", 4);
        order(d, "1", "CREATED", "case", 4);
    }
    ps_settle(d);
}

/* Of id 1 the first body wins, whichever that was after a cut. */
static void
everything_once(struct ps_driver *d, void *arg)
{
    static const char *const ids[] = {"1", "2"};

    assert_int_equal(stock(d, "ipad", "on_hand"), 10);
    assert_int_equal(stock(d, "case", "on_hand"), 10);
    assert_int_equal(stock(d, "ipad", "reserved") +
            stock(d, "case", "reserved"),
        8);
    assert_int_equal(ps_count(d, "order-validations", "{}"), 2);
    assert_int_equal(verdicts(d, ""), 2);
    balanced(d, "ipad", ids, 2);
    balanced(d, "case", ids, 2);
}

static void
test_everything_twice(void **state)
{
    swept(everything_twice, everything_once);
}

/* ---- A correction below what is reserved -------------------------------- */

static void
corrected(struct ps_driver *d, void *arg)
{
    movement(d, "ipad", "m1", "RECEIVE", 6);
    ps_settle(d);
    order(d, "1", "CREATED", "ipad", 2);
    ps_settle(d);
    order(d, "2", "CREATED", "ipad", 2);
    ps_settle(d);
    order(d, "3", "CREATED", "ipad", 2);
    ps_settle(d);
    movement(d, "ipad", "m2", "COUNT", 3);
    request(d, "2", "PAID");
    ps_settle(d);
}

/* Order 3 is the newest and goes. Order 2 is paid, before or after it was
 * asked to go: then it stays, and 1 goes. */
static void
covered(struct ps_driver *d, void *arg)
{
    static const char *const ids[] = {"1", "2", "3"};
    bool paid = strcmp(state_of(d, "2"), "PAID") == 0;

    assert_string_equal(state_of(d, "3"), "CANCELLED");
    if (!paid)
        assert_string_equal(state_of(d, "2"), "CANCELLED");
    assert_string_equal(state_of(d, "1"), paid ? "CANCELLED" : "CREATED");
    assert_int_equal(stock(d, "ipad", "reserved"), 2);
    assert_int_equal(stock(d, "ipad", "short"), 0);
    assert_int_equal(stock(d, "ipad", "asked"), 0);
    balanced(d, "ipad", ids, 3);
}

static void
test_correction(void **state)
{
    swept(corrected, covered);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_ipad),
        cmocka_unit_test(test_cancelled_at_once),
        cmocka_unit_test(test_everything_twice),
        cmocka_unit_test(test_correction),
    };

    return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
