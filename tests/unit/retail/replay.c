/* replay.c: what a by-product log comes to, and what can't be one. */
#include "config.h"

#include "retail/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct replay r;
static struct err err;

static int
setup(void **state)
{
    replay_init(&r);
    return 0;
}

static int
teardown(void **state)
{
    replay_release(&r);
    return 0;
}

static int
order(const char *id, int64_t quantity, int state)
{
    return replay_order(&r, 3, span_str(id), span_str("ipad"), quantity,
        state, &err);
}

static int
receive(const char *id, int64_t quantity)
{
    return replay_movement(&r, 3, span_str("ipad"), span_str(id),
        MOVE_RECEIVE, quantity, &err);
}

static const char *
told(const char *id)
{
    const struct fate *f = replay_find(&r, span_str(id));

    return f->reason == NULL ? "PASS" : f->reason;
}

static struct book *
ipad(void)
{
    return books_find(&r.books, span_str("ipad"));
}

static void
test_two_want_the_last(void **state)
{
    assert_int_equal(order("0", 1, REPLAY_CREATED), 0);
    assert_int_equal(receive("m1", 1), 0);
    assert_int_equal(order("1", 1, REPLAY_CREATED), 0);
    assert_int_equal(order("2", 1, REPLAY_CREATED), 0);
    assert_string_equal(told("0"), "UNKNOWN_PRODUCT");
    assert_string_equal(told("1"), "PASS");
    assert_string_equal(told("2"), "OUT_OF_STOCK");
    assert_int_equal(order("1", 1, REPLAY_CANCELLED), 0);
    assert_int_equal(order("3", 1, REPLAY_CREATED), 0);
    assert_string_equal(told("3"), "PASS");
    assert_int_equal(ipad()->reserved, 1);
    assert_string_equal(fate_state(replay_find(&r, span_str("1"))),
        "CANCELLED");
    assert_string_equal(fate_state(replay_find(&r, span_str("2"))), "FAILED");
    assert_string_equal(fate_state(replay_find(&r, span_str("3"))),
        "VALIDATED");
}

static void
test_what_comes_twice_counts_once(void **state)
{
    assert_int_equal(receive("m1", 2), 0);
    assert_int_equal(receive("m1", 2), 0);
    assert_int_equal(ipad()->on_hand, 2);
    assert_int_equal(receive("", 1), 0);
    assert_int_equal(receive("", 1), 0);
    assert_int_equal(ipad()->on_hand, 4);
    assert_int_equal(order("1", 3, REPLAY_CREATED), 0);
    assert_int_equal(order("1", 3, REPLAY_CREATED), 0);
    assert_int_equal(ipad()->reserved, 3);
    assert_int_equal(r.orders, 1);
}

static void
test_shipping_takes_what_was_reserved(void **state)
{
    assert_int_equal(receive("m1", 5), 0);
    assert_int_equal(order("1", 3, REPLAY_CREATED), 0);
    assert_int_equal(order("1", 99, REPLAY_PAID), 0);
    assert_int_equal(order("1", 99, REPLAY_SHIPPED), 0);
    assert_int_equal(ipad()->on_hand, 2);
    assert_int_equal(ipad()->shipped, 3);
    assert_int_equal(ipad()->reserved, 0);
    /* one that was refused has nothing to ship */
    assert_int_equal(order("2", 3, REPLAY_CREATED), 0);
    assert_int_equal(order("2", 3, REPLAY_SHIPPED), 0);
    assert_int_equal(ipad()->on_hand, 2);
}

static void
test_what_the_shop_refuses_changes_nothing(void **state)
{
    assert_int_equal(receive("m1", 0), 0);
    assert_null(ipad());
    /* and has not used its id */
    assert_int_equal(receive("m1", 1), 0);
    assert_int_equal(ipad()->on_hand, 1);
}

static void
test_what_cannot_be(void **state)
{
    assert_int_equal(receive("m1", 1), 0);
    assert_int_equal(order("1", 1, REPLAY_SHIPPED), -1);
    assert_int_equal(order("2", 1, REPLAY_CREATED), 0);
    assert_int_equal(order("2", 1, REPLAY_SHIPPED), 0);
    assert_int_equal(order("2", 1, REPLAY_CANCELLED), -1);
    assert_int_equal(replay_movement(&r, 4, span_str("ipad"), span_str("m2"),
        MOVE_RECEIVE, 1, &err), -1);
    assert_string_equal(err.text, "product ipad is in partitions 3 and 4");
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_two_want_the_last),
        CASE(test_what_comes_twice_counts_once),
        CASE(test_shipping_takes_what_was_reserved),
        CASE(test_what_the_shop_refuses_changes_nothing),
        CASE(test_what_cannot_be),
    };

    return cmocka_run_group_tests_name("retail_replay", tests, NULL, NULL);
}
