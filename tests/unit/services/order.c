/* order.c: the table of states, cell by cell, under each setting (S3). */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "services/shop.h"

/* Rows and columns: CREATED VALIDATED FAILED CANCELLED PAID SHIPPED. */
static void
table_is(const struct shop_conf *conf, const char *const rows[6])
{
    for (unsigned from = 0; from < 8; from++) {
        for (unsigned to = 0; to < 8; to++) {
            Shop__Order a = SHOP__ORDER__INIT, b = SHOP__ORDER__INIT;
            bool want = from >= 1 && from <= 6 && to >= 1 && to <= 6 &&
                rows[from - 1][to - 1] == 'x';

            a.state = from;
            b.state = to;
            if (order_may_become(conf, &a, &b) != want)
                fail_msg("%u -> %u is wrong", from, to);
        }
    }
}

static void
with_checks(void **state)
{
    static const struct shop_conf conf = {.checks = SHOP_CHECK_INVENTORY},
                                  paid = {.checks = SHOP_CHECK_INVENTORY,
                                      .ship_paid_only = true};

    table_is(&conf, (const char *const[]){".xxx..", "...xxx", "......",
                        "......", "...x.x", "......"});
    table_is(&paid, (const char *const[]){".xxx..", "...xx.", "......",
                        "......", "...x.x", "......"});
}

static void
without_checks_nobody_validates(void **state)
{
    static const struct shop_conf conf, paid = {.ship_paid_only = true};

    table_is(&conf, (const char *const[]){".xxxxx", "...xxx", "......",
                        "......", "...x.x", "......"});
    table_is(&paid, (const char *const[]){".xxxx.", "...xx.", "......",
                        "......", "...x.x", "......"});
}

static void
numbers_of_no_state_go_nowhere(void **state)
{
    static const struct shop_conf conf;
    Shop__Order a = SHOP__ORDER__INIT, b = SHOP__ORDER__INIT;

    a.state = SHOP__ORDER__STATE__CREATED;
    b.state = (Shop__Order__State)-1;
    assert_false(order_may_become(&conf, &a, &b));
    assert_false(order_may_become(&conf, &b, &a));
    assert_false(order_is_over(b.state));
}

static void
a_paid_order_is_not_cancelled_for_shortage(void **state)
{
    static const struct shop_conf conf;
    static char reason[] = "SHORT";
    Shop__Order a = SHOP__ORDER__INIT, b = SHOP__ORDER__INIT;

    b.state = SHOP__ORDER__STATE__CANCELLED;
    b.reason = reason;
    a.state = SHOP__ORDER__STATE__CREATED;
    assert_true(order_may_become(&conf, &a, &b));
    a.state = SHOP__ORDER__STATE__PAID;
    assert_false(order_may_become(&conf, &a, &b));
}

static void
state_and_reason_are_not_the_body(void **state)
{
    static char x[] = "x", y[] = "y";
    Shop__Order a = SHOP__ORDER__INIT, b = SHOP__ORDER__INIT;

    a.product = b.product = x;
    a.state = SHOP__ORDER__STATE__PAID;
    b.reason = y;
    assert_true(order_same_body(&a, &b));
    b.product = y;
    assert_false(order_same_body(&a, &b));
    b = a;
    b.quantity++;
    assert_false(order_same_body(&a, &b));
    b = a;
    b.price_micros++;
    assert_false(order_same_body(&a, &b));
    b = a;
    b.customer_id++;
    assert_false(order_same_body(&a, &b));
    b = a;
    b.currency = y;
    assert_false(order_same_body(&a, &b));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_checks),
        cmocka_unit_test(without_checks_nobody_validates),
        cmocka_unit_test(numbers_of_no_state_go_nowhere),
        cmocka_unit_test(a_paid_order_is_not_cancelled_for_shortage),
        cmocka_unit_test(state_and_reason_are_not_the_body),
    };

    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
