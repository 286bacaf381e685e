/* Our Snappy and Google's read each other, and call the same things damage. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <snappy-c.h>

#include "base/limits.h"
#include "record/snap.h"
#include "help.h"

enum { PLAIN = 200000 };

static uint8_t plain[PLAIN], theirs[PLAIN * 2], back[PLAIN];

/* Of few letters, or words said again: so that matches of all lengths and
 * distances appear. */
static size_t
plain_fill(void)
{
    static const size_t letters[] = {1, 2, 5, 30, 256};
    size_t len = random_size(PLAIN);

    random_fill(plain, len, letters[random_below(5)]);
    for (size_t i = random_below(200); i > 0 && len > 1; i--) {
        size_t n = random_size(len / 2), from = random_below(len - n),
               to = random_below(len - n);

        memmove(plain + to, plain + from, n);
    }
    return len;
}

static void
they_read_what_we_write(void **state)
{
    struct buf out;

    random_begin();
    buf_init(&out, 1 * MIB);
    for (int i = 0; i < 500; i++) {
        size_t len = plain_fill(), n = sizeof back;

        buf_clear(&out);
        snap_compress_raw(span_of(plain, len), &out);
        assert_false(out.failed);
        assert_true(out.len <= snappy_max_compressed_length(len));
        assert_int_equal(snappy_uncompress((const char *)out.ptr, out.len,
            (char *)back, &n), SNAPPY_OK);
        assert_int_equal(n, len);
        assert_true(len == 0 || memcmp(back, plain, len) == 0);
    }
    buf_release(&out);
}

static void
we_read_what_they_write(void **state)
{
    struct buf out;

    random_begin();
    buf_init(&out, 1 * MIB);
    for (int i = 0; i < 500; i++) {
        size_t len = plain_fill(), n = sizeof theirs;

        buf_clear(&out);
        assert_int_equal(snappy_compress((const char *)plain, len,
            (char *)theirs, &n), SNAPPY_OK);
        assert_int_equal(
            snap_decompress(span_of(theirs, n), &out, len, NULL), 0);
        assert_int_equal(out.len, len);
        assert_true(len == 0 || memcmp(out.ptr, plain, len) == 0);
    }
    buf_release(&out);
}

/* Theirs with bytes changed: either both refuse, or both read the same. */
static void
we_agree_about_damage(void **state)
{
    size_t good = 0, bad = 0;
    struct buf out;

    random_begin();
    buf_init(&out, 1 * MIB);
    for (int i = 0; i < 20000; i++) {
        size_t len = plain_fill() % 300, n = sizeof theirs, m = sizeof back;
        int rc;

        snappy_compress((const char *)plain, len, (char *)theirs, &n);
        for (size_t k = random_below(4); k > 0; k--)
            theirs[random_below(n)] = (uint8_t)random_u64();
        buf_clear(&out);
        rc = snap_decompress(span_of(theirs, n), &out, sizeof back, NULL);
        if (snappy_uncompress((const char *)theirs, n, (char *)back, &m)
            != SNAPPY_OK) {
            assert_int_equal(rc, -1);
            bad++;
            continue;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(out.len, m);
        assert_true(m == 0 || memcmp(out.ptr, back, m) == 0);
        good++;
    }
    assert_true(good > 1000);
    assert_true(bad > 1000);
    buf_release(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_read_what_we_write),
        cmocka_unit_test(we_read_what_they_write),
        cmocka_unit_test(we_agree_about_damage),
    };

    return cmocka_run_group_tests_name("record/snap", tests, NULL, NULL);
}
