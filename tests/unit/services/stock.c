/* stock.c: the arithmetic of one product, without streams. */
#include "config.h"

#include "services/stock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    RECEIVE = SHOP__MOVEMENT__KIND__RECEIVE,
    RETURN = SHOP__MOVEMENT__KIND__RETURN,
    ADJUST = SHOP__MOVEMENT__KIND__ADJUST,
    COUNT = SHOP__MOVEMENT__KIND__COUNT,
    CLOSE = SHOP__MOVEMENT__KIND__CLOSE,
    OPEN = SHOP__MOVEMENT__KIND__OPEN,
};

static Shop__Stock s;

static int
empty(void **state)
{
    shop__stock__init(&s);
    return 0;
}

static const char *
move(int kind, int32_t quantity)
{
    Shop__Movement m = SHOP__MOVEMENT__INIT;
    const char *refused;

    m.kind = (Shop__Movement__Kind)kind;
    m.quantity = quantity;
    refused = stock_move(&s, &m);
    stock_check(&s);
    return refused;
}

static void
what_comes_in_is_on_hand(void **state)
{
    assert_null(move(RECEIVE, 10));
    assert_null(move(RETURN, 2));
    assert_null(move(ADJUST, 1));
    assert_null(move(ADJUST, -4));
    assert_int_equal(s.on_hand, 9);
    assert_int_equal(s.received, 10);
    assert_int_equal(s.returned, 2);
    assert_int_equal(s.adjusted, -3);
    assert_int_equal(s.missing, 0);
}

static void
a_count_is_physical(void **state)
{
    move(RECEIVE, 10);
    stock_reserve(&s, 4);
    assert_null(move(COUNT, 7));         /* the reserved ones are among them */
    assert_int_equal(s.on_hand, 7);
    assert_int_equal(s.adjusted, -3);
    assert_int_equal(stock_free(&s), 3);
    assert_null(move(COUNT, 12));
    assert_int_equal(s.adjusted, 2);
}

static void
on_hand_stops_at_zero(void **state)
{
    move(RECEIVE, 3);
    assert_null(move(ADJUST, -5));
    assert_int_equal(s.on_hand, 0);
    assert_int_equal(s.adjusted, -3);
    assert_int_equal(s.missing, 2);
}

static void
below_reserved_it_is_short(void **state)
{
    move(RECEIVE, 10);
    stock_reserve(&s, 8);
    move(ADJUST, -7);
    assert_int_equal(s.on_hand, 3);
    assert_int_equal(s.short_, 5);
    assert_int_equal(stock_free(&s), -5);
    stock_release(&s, 4);
    assert_int_equal(s.short_, 1);
    stock_ship(&s, 4);                   /* one of the four is not there */
    stock_check(&s);
    assert_int_equal(s.on_hand, 0);
    assert_int_equal(s.shipped, 3);
    assert_int_equal(s.missing, 1);
    assert_int_equal(s.short_, 0);
}

static void
nonsense_is_refused_and_changes_nothing(void **state)
{
    move(RECEIVE, 5);
    assert_string_equal(move(RECEIVE, 0), "BAD_QUANTITY");
    assert_string_equal(move(RECEIVE, -1), "BAD_QUANTITY");
    assert_string_equal(move(RETURN, -5), "BAD_QUANTITY");
    assert_string_equal(move(COUNT, -1), "BAD_QUANTITY");
    assert_string_equal(move(0, 5), "BAD_KIND");
    assert_string_equal(move(99, 5), "BAD_KIND");
    assert_int_equal(s.on_hand, 5);
    assert_null(move(ADJUST, 0));
}

static void
extreme_numbers_do_not_overflow(void **state)
{
    s.on_hand = s.received = STOCK_MAX;
    assert_null(move(RECEIVE, INT32_MAX));
    assert_string_equal(move(RECEIVE, 1), "STOCK_OVERFLOW");
    shop__stock__init(&s);
    assert_null(move(ADJUST, INT32_MIN));
    assert_int_equal(s.missing, -(int64_t)INT32_MIN);
    assert_null(move(ADJUST, INT32_MAX));
    assert_null(move(COUNT, 0));
    assert_int_equal(s.on_hand, 0);
}

static void
closed_is_closed_until_it_is_opened(void **state)
{
    move(RECEIVE, 5);
    assert_null(move(CLOSE, 0));
    assert_null(move(RECEIVE, 5));
    assert_true(s.closed);
    assert_null(move(OPEN, 0));
    assert_false(s.closed);
    assert_int_equal(s.on_hand, 10);
}

/* Whatever happens, the books balance: stock_check() asserts it. */
static void
random_histories_balance(void **state)
{
    const char *text = getenv("PENSTOCK_SEED");
    unsigned seed = text == NULL ? 42 : (unsigned)strtoul(text, NULL, 0);

    printf("# seed %u\n", seed);
    for (int round = 0; round < 200; round++) {
        int64_t held[100], n = 0;

        empty(NULL);
        for (int i = 0; i < 300; i++) {
            int q = rand_r(&seed) % 60 - 10, kind = rand_r(&seed) % 8;

            if (kind <= OPEN) {
                move(kind, q);
            } else if (q > 0 && q <= stock_free(&s) && n < 100) {
                stock_reserve(&s, held[n++] = q);
            } else if (n > 0 && q % 2) {
                stock_release(&s, held[--n]);
            } else if (n > 0) {
                stock_ship(&s, held[--n]);
            }
            stock_check(&s);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_comes_in_is_on_hand, empty),
        cmocka_unit_test_setup(a_count_is_physical, empty),
        cmocka_unit_test_setup(on_hand_stops_at_zero, empty),
        cmocka_unit_test_setup(below_reserved_it_is_short, empty),
        cmocka_unit_test_setup(nonsense_is_refused_and_changes_nothing, empty),
        cmocka_unit_test_setup(extreme_numbers_do_not_overflow, empty),
        cmocka_unit_test_setup(closed_is_closed_until_it_is_opened, empty),
        cmocka_unit_test_setup(random_histories_balance, empty),
    };

    return cmocka_run_group_tests_name("stock", tests, NULL, NULL);
}
