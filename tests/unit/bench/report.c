/* report: medians, ratios, numbers, JSON. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>

#include "bench/report.h"

static void
the_median_of_an_odd_number_is_the_middle(void **state)
{
    struct summary s = report_summary((const double[]){9, 1, 5}, 3);

    assert_true(s.median == 5);
    assert_true(s.min == 1);
    assert_true(s.max == 9);
}

static void
the_median_of_an_even_number_lies_between(void **state)
{
    struct summary s = report_summary((const double[]){4, 1, 2, 100}, 4);

    assert_true(s.median == 3);
    assert_true(s.max == 100);
}

/* Machines slow down and speed up: 10 of 20, then 1 of 2, is half in any
 * case, while the quotient of the medians may be anything. */
static void
a_ratio_is_taken_within_each_run(void **state)
{
    struct report r;

    report_init(&r, "power");
    for (int i = 0; i < 3; i++)
        report_add(&r, &(struct figure){.key = "k", .name = "n", .unit = "/s",
            .value = i == 1 ? 1 : 10, .floor = i == 1 ? 2 : i == 2 ? 40 : 20});
    assert_int_equal(r.count, 1);
    assert_int_equal(r.rows[0].count, 3);
    assert_true(report_ratio(&r.rows[0]).median == 0.5);
    assert_true(report_ratio(&r.rows[0]).min == 0.25);
    report_release(&r);
}

static void
check_number(double v, const char *want)
{
    struct buf text;

    buf_init(&text, 64);
    report_number(&text, v);
    buf_put_u8(&text, 0);
    assert_string_equal((const char *)text.ptr, want);
    buf_release(&text);
}

static void
numbers_have_no_exponent(void **state)
{
    check_number(1234567.8, "1234568");
    check_number(123.4, "123");
    check_number(12.34, "12.3");
    check_number(1.234, "1.23");
    check_number(0.12345, "0.1235");
    check_number(0, "0");
    check_number(NAN, "null");
}

static void
json_has_each_figure_by_its_key(void **state)
{
    struct report r;
    struct buf text;
    json_t *all, *j;

    report_init(&r, "process");
    report_add(&r, &(struct figure){.key = "orders_per_s", .name = "orders",
        .unit = "/s", .value = 300000, .floor = 600000, .goal = "many"});
    buf_init(&text, 65536);
    report_json(&r, &text);
    j = all = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    assert_non_null(j);
    assert_int_equal(json_integer_value(json_object_get(j, "orders_per_s")),
        300000);
    assert_string_equal(json_string_value(json_object_get(j, "durability")),
        "process");
    j = json_array_get(json_object_get(j, "rows"), 0);
    assert_true(json_real_value(json_object_get(j, "ratio")) == 0.5);
    assert_string_equal(json_string_value(json_object_get(j, "goal")), "many");
    assert_null(json_object_get(j, "floor_is"));
    json_decref(all);
    buf_release(&text);
    report_release(&r);
}

int
main(void)
{
    const struct CMUnitTest report[] = {
        cmocka_unit_test(the_median_of_an_odd_number_is_the_middle),
        cmocka_unit_test(the_median_of_an_even_number_lies_between),
        cmocka_unit_test(a_ratio_is_taken_within_each_run),
        cmocka_unit_test(numbers_have_no_exponent),
        cmocka_unit_test(json_has_each_figure_by_its_key),
    };

    return cmocka_run_group_tests(report, NULL, NULL);
}
