/* Limits of each width, input that ends early, and round trips. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdbool.h>

#include "base/varint.h"
#include "seed.h"

static void
known_bytes(void **state)
{
    static const struct {
        uint64_t v;
        size_t len;
        uint8_t bytes[VARINT_MAX];
    } rows[] = {
        {0, 1, {0}},
        {1, 1, {1}},
        {127, 1, {0x7f}},
        {128, 2, {0x80, 0x01}},
        {300, 2, {0xac, 0x02}},
        {UINT32_MAX, 5, {0xff, 0xff, 0xff, 0xff, 0x0f}},
        {UINT64_MAX, 10,
            {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t out[VARINT_MAX];
        uint64_t v;

        assert_int_equal(varint_put_u64(out, rows[i].v), rows[i].len);
        assert_memory_equal(out, rows[i].bytes, rows[i].len);
        assert_int_equal(varint_size_u64(rows[i].v), rows[i].len);
        assert_int_equal(varint_get_u64(out, out + rows[i].len, &v),
            rows[i].len);
        assert_true(v == rows[i].v);
    }
}

static void
zigzag_alternates(void **state)
{
    static const int64_t rows[] = {0, -1, 1, -2, 2, -3};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t out[VARINT_MAX];

        assert_int_equal(varint_put_s64(out, rows[i]), 1);
        assert_int_equal(out[0], i);
    }
}

static void
signed_limits(void **state)
{
    static const int64_t rows[] = {INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX,
        (int64_t)INT32_MIN - 1, (int64_t)INT32_MAX + 1, -64, 63, -65, 64};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t out[VARINT_MAX];
        size_t n = varint_put_s64(out, rows[i]);
        int64_t wide;
        int32_t narrow = 0;
        bool fits = rows[i] >= INT32_MIN && rows[i] <= INT32_MAX;

        assert_int_equal(varint_size_s64(rows[i]), n);
        assert_int_equal(varint_get_s64(out, out + n, &wide), n);
        assert_true(wide == rows[i]);
        assert_int_equal(varint_get_s32(out, out + n, &narrow), fits ? n : 0);
        if (fits)
            assert_int_equal(narrow, rows[i]);
    }
}

static void
too_long_is_refused(void **state)
{
    const uint8_t over64[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x02};
    const uint8_t eleven[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
        0x80, 0x80, 0x00};
    const uint8_t over32[] = {0xff, 0xff, 0xff, 0xff, 0x10};
    const uint8_t six[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    uint64_t v;
    uint32_t w;

    assert_int_equal(varint_get_u64(over64, over64 + sizeof over64, &v), 0);
    assert_int_equal(varint_get_u64(eleven, eleven + sizeof eleven, &v), 0);
    assert_int_equal(varint_get_u32(over32, over32 + sizeof over32, &w), 0);
    assert_int_equal(varint_get_u32(six, six + sizeof six, &w), 0);
}

/* Each input stands at the end of its own block: reading on is an error that
 * AddressSanitizer sees. */
static void
never_reads_past_the_end(void **state)
{
    seed_begin("varint");
    for (int round = 0; round < 20000; round++) {
        uint64_t v = seed_next() >> seed_below(64), back = 0;
        uint8_t out[VARINT_MAX];
        size_t n = varint_put_u64(out, v);

        assert_int_equal(n, varint_size_u64(v));
        for (size_t cut = 0; cut <= n; cut++) {
            uint8_t *block = malloc(cut + (cut == 0));

            memcpy(block, out, cut);
            assert_int_equal(varint_get_u64(block, block + cut, &back),
                cut == n ? n : 0);
            free(block);
        }
        assert_true(back == v);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_bytes),
        cmocka_unit_test(zigzag_alternates),
        cmocka_unit_test(signed_limits),
        cmocka_unit_test(too_long_is_refused),
        cmocka_unit_test(never_reads_past_the_end),
    };

    return cmocka_run_group_tests_name("varint", tests, NULL, NULL);
}
