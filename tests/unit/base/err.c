/* Errors are one line that always fits. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "base/err.h"

static void
set_returns_minus_one(void **state)
{
    struct err e = {0};

    assert_int_equal(err_set(&e, ERR_DAMAGE, "segment %d", 3), -1);
    assert_int_equal(e.code, ERR_DAMAGE);
    assert_string_equal(e.text, "segment 3");
    assert_int_equal(err_set(NULL, ERR_DAMAGE, "nobody listens"), -1);
    assert_int_equal(err_prefix(NULL, "nobody listens"), -1);
}

static void
system_codes_are_explained(void **state)
{
    struct err e;

    err_set(&e, ENOENT, "open %s", "x");
    assert_int_equal(e.code, ENOENT);
    assert_string_equal(e.text, "open x: No such file or directory");
    assert_int_equal(err_prefix(&e, "topic %s", "orders"), -1);
    assert_string_equal(e.text,
        "topic orders: open x: No such file or directory");
    assert_int_equal(e.code, ENOENT);
}

static void
long_text_is_cut(void **state)
{
    struct err e;
    char name[1000];

    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    err_set(&e, EIO, "%s", name);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    for (int i = 0; i < 300; i++) {
        err_prefix(&e, "p%d", i);
        assert_true(strlen(e.text) < sizeof e.text);
    }
    err_prefix(&e, "%s", name);
    assert_true(strlen(e.text) < sizeof e.text);
}

static void
one_line_stays_one(void **state)
{
    struct err e;

    err_set(&e, ERR_USAGE, "topic %s", "a\nb\x1b[31m");
    assert_string_equal(e.text, "topic a?b?[31m");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_returns_minus_one),
        cmocka_unit_test(system_codes_are_explained),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(one_line_stays_one),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
