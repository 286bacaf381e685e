/* keep.c: S12, lifetimes, under a virtual clock: what is over is forgotten
 * after `keep_ms`, what is open expires then; nothing grows for ever. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "services/services.h"
#include "shop_help.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

static struct shop_conf conf;
static struct ps_driver *d;

static int
open_shop_that_keeps(int64_t keep_ms)
{
    conf = (struct shop_conf){.keep_ms = keep_ms};
    d = ps_driver_new(inventory, &conf,
        &(struct ps_driver_opts){.partitions = 2, .seed = 3, .app = "shop"});
    movement(d, "ipad", "m1", "RECEIVE", 100);
    ps_settle(d);
    return 0;
}

static int
open_shop(void **state)
{
    return open_shop_that_keeps(0);
}

static int
open_forgetful_shop(void **state)
{
    return open_shop_that_keeps(1000);
}

static int
close_shop(void **state)
{
    ps_driver_free(d);
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
a_shipped_order_is_kept_thirty_days(void **state)
{
    settled_order("1", "CREATED", "ipad", 2);
    settled_order("1", "SHIPPED", "ipad", 2);
    ps_advance(d, 30 * DAY - HOUR);
    assert_string_equal(state_of(d, "1"), "SHIPPED");
    settled_order("1", "CREATED", "ipad", 2);
    assert_int_equal(ps_count(d, "order-validations", "{}"), 1);
    ps_advance(d, 2 * DAY);                      /* 17/16 of 30 days */
    assert_string_equal(state_of(d, "1"), "");
    assert_int_equal(ps_view_size(d, "orders"), 0);
    /* then the id may be used again */
    settled_order("1", "CREATED", "ipad", 5);
    assert_int_equal(ps_count(d, "order-validations", "{}"), 2);
    assert_int_equal(stock(d, "ipad", "reserved"), 5);
}

static void
an_open_order_expires(void **state)
{
    settled_order("1", "CREATED", "ipad", 2);
    ps_advance(d, 30 * DAY - HOUR);
    assert_int_equal(stock(d, "ipad", "reserved"), 2);
    ps_advance(d, 2 * DAY);
    assert_string_equal(state_of(d, "1"), "CANCELLED");
    assert_int_equal(stock(d, "ipad", "reserved"), 0);
    assert_int_equal(ps_view_size(d, "reservations"), 0);
    ps_advance(d, 32 * DAY);
    assert_int_equal(ps_view_size(d, "orders"), 0);
}

/* It counts from the last transition, not from the first. */
static void
a_transition_starts_the_time_anew(void **state)
{
    settled_order("1", "CREATED", "ipad", 2);
    ps_advance(d, 20 * DAY);
    settled_order("1", "PAID", "ipad", 2);
    ps_advance(d, 20 * DAY);
    assert_string_equal(state_of(d, "1"), "PAID");
    assert_int_equal(stock(d, "ipad", "reserved"), 2);
}

static void
movement_ids_are_forgotten(void **state)
{
    movement(d, "ipad", "m1", "RECEIVE", 100);
    ps_settle(d);
    assert_int_equal(stock(d, "ipad", "on_hand"), 100);
    assert_int_equal(ps_view_size(d, "movements"), 1);
    ps_advance(d, 32 * DAY);
    assert_int_equal(ps_view_size(d, "movements"), 0);
    movement(d, "ipad", "m1", "RECEIVE", 100);
    ps_settle(d);
    assert_int_equal(stock(d, "ipad", "on_hand"), 200);
}

/* More entries than one step of a sweep looks at, and a short time. */
static void
all_of_many_are_forgotten(void **state)
{
    char id[16];

    for (int i = 0; i < 1500; i++) {
        snprintf(id, sizeof id, "%d", i);
        order(d, id, "CREATED", "ipad", 1000);
        request(d, id, i % 2 ? "CANCELLED" : "SHIPPED");
        movement(d, "ipad", id, "RECEIVE", 1);
    }
    ps_settle(d);
    assert_int_equal(ps_view_size(d, "orders"), 1500);
    assert_int_equal(ps_view_size(d, "movements"), 1501);
    ps_advance(d, 1063 * 2);
    assert_int_equal(ps_view_size(d, "orders"), 0);
    assert_int_equal(ps_view_size(d, "movements"), 0);
}

/* Timers are state: a power cut does not lose them, nor an idle shop. */
static void
a_power_cut_forgets_no_timer(void **state)
{
    settled_order("1", "CREATED", "ipad", 2);
    ps_crash(d);
    ps_advance(d, 15 * DAY);
    ps_crash(d);
    ps_advance(d, 17 * DAY);
    ps_crash(d);
    ps_settle(d);
    assert_string_equal(state_of(d, "1"), "CANCELLED");
    assert_int_equal(stock(d, "ipad", "reserved"), 0);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_shipped_order_is_kept_thirty_days),
        STORY(an_open_order_expires),
        STORY(a_transition_starts_the_time_anew),
        STORY(movement_ids_are_forgotten),
        cmocka_unit_test_setup_teardown(all_of_many_are_forgotten,
            open_forgetful_shop, close_shop),
        STORY(a_power_cut_forgets_no_timer),
    };

    return cmocka_run_group_tests_name("keep", tests, NULL, NULL);
}
