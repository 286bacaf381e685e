/* parse.c: words as numbers, sizes, durations, times. */
#include "config.h"

#include "parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1700000000000ll      /* 2023-11-14T22:13:20Z */

static struct err err;

static void
numbers(void **state)
{
    int64_t v;

    assert_int_equal(parse_int("-12", -20, 20, &v, &err), 0);
    assert_int_equal(v, -12);
    assert_int_equal(parse_int("9223372036854775807", 0, INT64_MAX, &v, &err),
        0);
    assert_int_equal(parse_int("9223372036854775808", 0, INT64_MAX, &v, &err),
        -1);
    assert_int_equal(parse_int("", 0, 9, &v, &err), -1);
    assert_int_equal(parse_int("1 ", 0, 9, &v, &err), -1);
    assert_int_equal(parse_int("10", 0, 9, &v, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
}

static void
durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {{"5s", 5000}, {"500ms", 500}, {"2m", 120000}, {"3", 3000},
        {"1.5h", 5400000}, {"7d", 604800000}, {"0", 0}, {".5s", 500},
        {"10MIN", 600000}, {"", -1}, {"s", -1}, {"-5s", -1}, {"5 s", -1},
        {"5x", -1}, {"nan", -1}, {"1e300d", -1}, {"inf", -1}};
    int64_t v;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        v = -1;
        if (parse_ms(rows[i].text, &v, &err) != 0)
            v = -1;
        if (v != rows[i].ms)
            fail_msg("'%s' gives %lld", rows[i].text, (long long)v);
    }
}

static void
sizes(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } rows[] = {{"64", 64}, {"64K", 65536}, {"1.5M", 1572864},
        {"2GiB", 2147483648}, {"1T", 1099511627776}, {"9B", 9}, {"K", -1},
        {"1 K", -1}, {"1Q", -1}, {"-1", -1}, {"99999999999T", -1}};
    int64_t v;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        v = -1;
        if (parse_bytes(rows[i].text, &v, &err) != 0)
            v = -1;
        if (v != rows[i].bytes)
            fail_msg("'%s' gives %lld", rows[i].text, (long long)v);
    }
}

static void
times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"1700000000000", NOW},
        {"2023-11-14", 1699920000000},
        {"2023-11-14T22:13:20Z", NOW},
        {"2023-11-14T22:13:20", NOW},
        {"2023-11-14 22:13:20Z", NOW},
        {"2023-11-14T22:13:20.5Z", NOW + 500},
        {"2023-11-14T22:13Z", NOW - 20000},
        {"2023-11-15T00:13:20+02:00", NOW},
        {"2023-11-14T18:13:20-04:00", NOW},
        {"-10m", NOW - 600000},
        {"-1d", NOW - 86400000},
        {"1969-12-31T23:59:59Z", -1000},
        {"", -1}, {"yesterday", -1}, {"2023-02-30", -1}, {"2023-13-01", -1},
        {"2023-11-14T25:00Z", -1}, {"2023-11-14T22:13:20X", -1},
        {"2023-11-14T22:13:20+2", -1}, {"2023-11", -1},
        {"99999999999999999999", -1},
    };
    int64_t v;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (parse_time(rows[i].text, NOW, &v, &err) != 0) {
            v = -1;
            assert_int_equal(err.code, ERR_USAGE);
        }
        if (v != rows[i].ms)
            fail_msg("'%s' gives %lld", rows[i].text, (long long)v);
    }
}

static void
times_are_written(void **state)
{
    char room[32];
    int64_t back;

    assert_string_equal(format_time(NOW + 7, room),
        "2023-11-14T22:13:20.007Z");
    assert_string_equal(format_time(0, room), "1970-01-01T00:00:00.000Z");
    assert_string_equal(format_time(-1, room), "1969-12-31T23:59:59.999Z");
    assert_string_equal(format_time(INT64_MAX, room), "9223372036854775807");
    assert_string_equal(format_time(INT64_MIN + 1000, room),
        "-9223372036854774808");
    for (int64_t ms = 1; ms < 4000000000000; ms = ms * 3 + 1) {
        format_time(ms, room);
        assert_int_equal(parse_time(room, NOW, &back, &err), 0);
        assert_int_equal(back, ms);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(times),
        cmocka_unit_test(times_are_written),
    };

    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
