/* report: medians, ratios, numbers, JSON. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

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
add(struct report *r, bool on_peer, const char *key, const char *unit,
    double value)
{
    r->on_peer = on_peer;
    report_add(r, &(struct figure){.key = key, .name = key, .unit = unit,
        .value = value, .goal = "more"});
}

/* In turns: who is first is never the same twice. */
static void
add_both(struct report *r, const char *key, const char *unit,
    const double (*values)[2], int count)
{
    for (int i = 0; i < count; i++) {
        add(r, i % 2 == 1, key, unit, values[i][i % 2]);
        add(r, i % 2 == 0, key, unit, values[i][1 - i % 2]);
    }
}

static void
two_brokers_are_divided_repetition_by_repetition(void **state)
{
    struct report r;
    struct summary a;

    report_init(&r, "power");
    r.against = "peer:9092";
    add_both(&r, "k", "/s", (const double[][2]){{10, 1}, {20, 10}, {90, 30}},
        3);
    assert_int_equal(r.count, 2);
    assert_true(report_against(&r, &r.rows[0], &a));
    assert_true(a.median == 3);
    assert_true(a.min == 2);
    assert_true(a.max == 10);
    assert_false(report_against(&r, &r.rows[1], &a));
    assert_string_equal(r.rows[0].goal, "more");
    assert_string_equal(r.rows[1].goal, "");
    report_release(&r);
}

static void
no_quotient_of_a_percentage_of_nothing_or_of_one(void **state)
{
    struct report r;
    struct summary a;

    report_init(&r, "power");
    add_both(&r, "loss", "%", (const double[][2]){{5, 10}}, 1);
    add_both(&r, "idle", "us", (const double[][2]){{5, 0}}, 1);
    add(&r, false, "alone", "/s", 7);
    for (size_t i = 0; i < r.count; i++)
        assert_false(report_against(&r, &r.rows[i], &a));
    report_release(&r);
}

static void
rows_of_a_key_stand_together_and_each_stands_once(void **state)
{
    static const char *const want[] = {"a/0", "b/0", "b/1", "c/1", "d/0",
        "d/1"};
    const struct report_row *row, *before = NULL;
    char got[64];
    struct report r;
    size_t iter = 0, n = 0;

    report_init(&r, "power");
    add(&r, false, "a", "/s", 1);
    add(&r, true, "b", "/s", 1);
    add(&r, true, "c", "/s", 1);
    add(&r, true, "d", "/s", 1);
    add(&r, false, "d", "/s", 1);
    add(&r, false, "b", "/s", 1);
    r.on_peer = false;
    while ((row = report_next(&r, &iter)) != NULL) {
        bool found = false;

        snprintf(got, sizeof got, "%s/%d", row->key, row->peer);
        for (size_t i = 0; i < 6; i++)
            found |= strcmp(want[i], got) == 0;
        assert_true(found);
        if (row->peer && report_other(&r, row) != NULL)
            assert_ptr_equal(report_other(&r, row), before);
        before = row;
        n++;
    }
    assert_int_equal(n, 6);
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
        cmocka_unit_test(two_brokers_are_divided_repetition_by_repetition),
        cmocka_unit_test(no_quotient_of_a_percentage_of_nothing_or_of_one),
        cmocka_unit_test(rows_of_a_key_stand_together_and_each_stands_once),
        cmocka_unit_test(numbers_have_no_exponent),
        cmocka_unit_test(json_has_each_figure_by_its_key),
    };

    return cmocka_run_group_tests(report, NULL, NULL);
}
