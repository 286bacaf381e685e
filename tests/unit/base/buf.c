/* Vectors, and random operations against a plain array of bytes. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/endian.h"
#include "base/varint.h"
#include "seed.h"

static void
puts_in_network_order(void **state)
{
    struct buf b;
    const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7, 8, 'a',
        'b', 0xac, 0x02, 0x03, 'x', '=', '4', '2'};

    buf_init(&b, 1000);
    buf_put_u8(&b, 1);
    buf_put_be16(&b, 0x0203);
    buf_put_be32(&b, 0x04050607);
    buf_put_be64(&b, 0x0102030405060708);
    buf_put_str(&b, "ab");
    buf_put_uvarint(&b, 300);
    buf_put_svarint(&b, -2);
    buf_printf(&b, "x=%d", 42);
    assert_false(b.failed);
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(b.ptr, want, sizeof want);
    buf_release(&b);
}

static void
failure_sticks_and_clear_mends(void **state)
{
    struct buf b;

    buf_init(&b, 10);
    buf_put(&b, "0123456789", 10);
    assert_false(b.failed);
    buf_put(&b, "", 0);
    assert_false(b.failed);
    buf_put_u8(&b, 'x');
    assert_true(b.failed);
    assert_int_equal(b.len, 10);
    buf_put(&b, "", 0);
    assert_null(buf_reserve(&b, 0));
    assert_true(b.failed);
    buf_clear(&b);
    assert_false(b.failed);
    buf_put(&b, "abc", 3);
    assert_true(span_eq(buf_span(&b), span_str("abc")));
    buf_release(&b);
}

static void
refuses_sizes_that_overflow(void **state)
{
    struct buf b;

    buf_init(&b, SIZE_MAX);
    buf_put_u8(&b, 1);
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    buf_clear(&b);
    buf_put_u8(&b, 1);
    assert_null(buf_grow(&b, SIZE_MAX - 1));
    assert_true(b.failed);
    buf_release(&b);
}

/* Text may end at the last byte although printf wants room for its NUL. */
static void
printf_fills_to_the_brim(void **state)
{
    for (size_t max = 0; max < 200; max++) {
        struct buf b;

        buf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            buf_printf(&b, "%c", 'a' + (int)(i % 26));
        assert_false(b.failed);
        assert_int_equal(b.len, max);
        for (size_t i = 0; i < max; i++)
            assert_int_equal(b.ptr[i], 'a' + i % 26);
        buf_printf(&b, "%s", "!");
        assert_true(b.failed);
        assert_int_equal(b.len, max);
        buf_release(&b);
    }
}

static void
take_moves_the_memory(void **state)
{
    struct buf b;
    size_t len;
    uint8_t *p;

    buf_init(&b, 100);
    buf_put_str(&b, "mine");
    p = buf_take(&b, &len);
    assert_int_equal(len, 4);
    assert_memory_equal(p, "mine", 4);
    free(p);
    assert_int_equal(b.len, 0);
    buf_put_str(&b, "next");
    assert_true(span_eq(buf_span(&b), span_str("next")));
    buf_grow(&b, 1000);
    p = buf_take(&b, &len);              /* what failed gives nothing */
    assert_null(p);
    assert_int_equal(len, 0);
    buf_release(&b);
}

static void
behaves_like_an_array(void **state)
{
    enum { MAX = 5000 };
    static uint8_t model[MAX];

    seed_begin("buf");
    for (int round = 0; round < 300; round++) {
        struct buf b;
        size_t len = 0, max = seed_below(MAX + 1);
        bool failed = false;

        buf_init(&b, max);
        for (int op = 0; op < 100; op++) {
            uint8_t bytes[200];
            size_t n = seed_below(sizeof bytes);

            for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)seed_next();
            if (seed_below(3) == 0) {
                uint8_t *p = buf_reserve(&b, n);

                if (p != NULL) {
                    memcpy(p, bytes, n);
                    b.len += n;
                }
            } else {
                buf_put(&b, bytes, n);
            }
            if (!failed && n <= max - len) {
                memcpy(model + len, bytes, n);
                len += n;
            } else {
                failed = true;
            }
            assert_int_equal(b.failed, failed);
            assert_int_equal(b.len, len);
            assert_true(b.cap <= max);
        }
        assert_true(span_eq(buf_span(&b), span_of(model, len)));
        buf_release(&b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_in_network_order),
        cmocka_unit_test(failure_sticks_and_clear_mends),
        cmocka_unit_test(refuses_sizes_that_overflow),
        cmocka_unit_test(printf_fills_to_the_brim),
        cmocka_unit_test(take_moves_the_memory),
        cmocka_unit_test(behaves_like_an_array),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
