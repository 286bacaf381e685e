/* pump: when is an answer whole; which command lines are wrong. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/pump.h"
#include "commands.h"
#include "penstock/streams.h"

static void
a_frame_is_whole_when_its_size_is_there(void **state)
{
    static const uint8_t frame[] = {0, 0, 0, 2, 'a', 'b', 0};

    for (size_t n = 0; n < 6; n++)
        assert_int_equal(pump_whole_frame(span_of(frame, n)), 0);
    assert_int_equal(pump_whole_frame(span_of(frame, 6)), 6);
    assert_int_equal(pump_whole_frame(span_of(frame, 7)), 6);
}

static void
redis_answers_in_two_lines_and_refuses_in_one(void **state)
{
    assert_int_equal(redis_whole(span_str("$3\r\n1-")), 0);
    assert_int_equal(redis_whole(span_str("$3\r\n1-0")), 0);
    assert_int_equal(redis_whole(span_str("$3\r\n1-0\r\n$3")), 9);
    assert_int_equal(redis_whole(span_str("-ERR no\r\n")), 9);
    assert_int_equal(redis_check(NULL, span_str("$3\r\n1-0\r\n"), NULL), 0);
    assert_int_equal(redis_check(NULL, span_str("-ERR no\r\n"), NULL), -1);
}

/* Exit code of `penstock bench` with these words. */
static int
bench_says(const char *a, const char *b)
{
    const char *words[] = {"penstock", "bench", a, b, NULL};

    return penstock_main(b == NULL ? 3 : 4,
        (char **)(uintptr_t)(const void *)words, child_no_apps);
}

static void
wrong_command_lines_are_usage_errors(void **state)
{
    assert_int_equal(bench_says("everything", NULL), CLI_USAGE);
    assert_int_equal(bench_says("sync", "latency"), CLI_USAGE);
    assert_int_equal(bench_says("--repeat", "0"), CLI_USAGE);
    assert_int_equal(bench_says("--secs", "0"), CLI_USAGE);
    assert_int_equal(bench_says("--durability", "rain"), CLI_USAGE);
    assert_int_equal(bench_says("--size", "2G"), CLI_USAGE);
    assert_int_equal(bench_says("--producers", "5000"), CLI_USAGE);
    assert_int_equal(bench_says("--against-pid", "1"), CLI_USAGE);
    assert_int_equal(bench_says("txn", "--against-flush"), CLI_USAGE);
    assert_int_equal(bench_says("start", "--against=127.0.0.1:1"), CLI_USAGE);
}

int
main(void)
{
    const struct CMUnitTest pump[] = {
        cmocka_unit_test(a_frame_is_whole_when_its_size_is_there),
        cmocka_unit_test(redis_answers_in_two_lines_and_refuses_in_one),
        cmocka_unit_test(wrong_command_lines_are_usage_errors),
    };

    return cmocka_run_group_tests(pump, NULL, NULL);
}
