/* Random operations against an array of flags; Kafka's hash vectors. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/table.h"
#include "seed.h"

struct thing {
    char key[16];
    size_t len;
    bool in;
};

static struct span
key_of(const struct thing *t)
{
    return span_of(t->key, t->len);
}

static void
check_against(const struct table *t, struct thing *things, size_t count)
{
    size_t in = 0, iter = 0;
    struct thing *thing;

    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(table_get(t, key_of(&things[i])),
            things[i].in ? &things[i] : NULL);
        in += things[i].in;
    }
    assert_int_equal(t->count, in);
    while ((thing = table_next(t, &iter)) != NULL) {
        assert_true(thing->in);
        in--;
    }
    assert_int_equal(in, 0);
}

/* Shrinking and growing phases take turns, so that runs form and close. */
static void
behaves_like_a_set(void **state)
{
    enum { THINGS = 500 };
    static struct thing things[THINGS];
    struct table t;

    seed_begin("table");
    for (int i = 0; i < THINGS; i++) {
        int n = snprintf(things[i].key, sizeof things[i].key, "%x", i * 7919);

        things[i].len = i == 0 ? 0 : (size_t)n;
    }
    table_init(&t);
    check_against(&t, things, THINGS);
    for (int op = 0; op < 60000; op++) {
        struct thing *one = &things[seed_below(THINGS)];
        bool growing = op / 2000 % 2 == 0;
        void *old = one->in ? one : NULL;

        if (seed_below(10) < (growing ? 7u : 3u)) {
            assert_ptr_equal(table_put(&t, key_of(one), one), old);
            one->in = true;
        } else {
            assert_ptr_equal(table_del(&t, key_of(one)), old);
            one->in = false;
        }
        if (op % 500 == 0)
            check_against(&t, things, THINGS);
    }
    check_against(&t, things, THINGS);
    table_release(&t);
    assert_int_equal(t.count, 0);
    assert_null(table_get(&t, span_str("x")));
}

static void
put_replaces(void **state)
{
    struct table t;
    char a[] = "same", b[] = "same";

    table_init(&t);
    assert_null(table_del(&t, span_str("same")));
    assert_null(table_put(&t, span_str(a), a));
    assert_ptr_equal(table_put(&t, span_str(b), b), a);
    memset(a, 'x', 4);                   /* the key is now b's bytes */
    assert_ptr_equal(table_get(&t, span_str("same")), b);
    assert_int_equal(t.count, 1);
    table_release(&t);
}

/* Vectors of the Java client's own unit test (Utils.murmur2). */
static void
murmur2_is_kafkas(void **state)
{
    static const struct {
        const char *key;
        int32_t hash;
    } rows[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal((int32_t)murmur2(span_str(rows[i].key)),
            rows[i].hash);
}

static void
hash_takes_the_empty_key(void **state)
{
    assert_true(hash_bytes(SPAN_NULL) == hash_bytes(span_of("", 0)));
    assert_true(hash_bytes(span_str("a")) != hash_bytes(span_str("b")));
    assert_int_equal(murmur2(SPAN_NULL), murmur2(span_of("", 0)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_like_a_set),
        cmocka_unit_test(put_replaces),
        cmocka_unit_test(murmur2_is_kafkas),
        cmocka_unit_test(hash_takes_the_empty_key),
    };

    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
