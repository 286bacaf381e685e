/* Percentiles against a sorted array: never below, at most 1/64 above. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/histogram.h"
#include "seed.h"

static int
by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void
close_to_sorted_values(void **state)
{
    enum { VALUES = 5000 };
    static uint64_t values[VALUES];
    static const double percents[] = {0, 0.1, 1, 25, 50, 90, 99, 99.9, 100};
    static struct histogram whole, part[2];

    seed_begin("histogram");
    for (int round = 0; round < 30; round++) {
        size_t n = 1 + seed_below(VALUES);
        unsigned spread = 2 + (unsigned)seed_below(61);
        uint64_t sum = 0;

        histogram_init(&whole);
        histogram_init(&part[0]);
        histogram_init(&part[1]);
        for (size_t i = 0; i < n; i++) {
            values[i] = seed_next() >> (64 - seed_below(spread) - 1);
            if (values[i] >= UINT64_C(1) << 62)
                values[i] >>= 2;
            sum += values[i];
            histogram_add(&whole, values[i]);
            histogram_add(&part[i % 2], values[i]);
        }
        qsort(values, n, sizeof values[0], by_size);
        assert_true(whole.sum == sum && whole.count == n);
        assert_true(whole.min == values[0] && whole.max == values[n - 1]);
        for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
            double exact = percents[i] / 100 * (double)n;
            size_t rank = (size_t)exact + (exact > (double)(size_t)exact);
            uint64_t want = values[rank == 0 ? 0 : rank - 1];
            uint64_t got = histogram_at(&whole, percents[i]);

            assert_true(got >= want);
            assert_true(got - want <= want / 64);
        }
        histogram_merge(&part[0], &part[1]);
        assert_memory_equal(&part[0], &whole, sizeof whole);
    }
}

static void
ends_of_the_range(void **state)
{
    static struct histogram h;

    histogram_init(&h);
    assert_true(histogram_at(&h, 50) == 0);
    histogram_add(&h, 0);
    assert_true(histogram_at(&h, 0) == 0 && histogram_at(&h, 100) == 0);
    histogram_add(&h, UINT64_MAX);       /* counted as the largest */
    assert_true(histogram_at(&h, 100) == (UINT64_C(1) << 62) - 1);
    assert_int_equal(h.counts[HISTOGRAM_BUCKETS - 1], 1);
    for (unsigned shift = 0; shift < 62; shift++) {
        uint64_t v = UINT64_C(1) << shift, got;

        histogram_init(&h);
        histogram_add(&h, v);
        histogram_add(&h, UINT64_C(1) << 61);
        got = histogram_at(&h, 50);
        assert_true(got >= v && got - v <= v / 64);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_to_sorted_values),
        cmocka_unit_test(ends_of_the_range),
    };

    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
