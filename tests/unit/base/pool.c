/* Blocks keep their bytes and alignment; the count of bytes is exact. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/pool.h"
#include "seed.h"

struct piece {
    uint8_t *p;
    size_t size;
    uint8_t fill;
};

static size_t
any_size(void)
{
    switch (seed_below(10)) {
    case 0:
        return seed_below(5000);
    case 1:
    case 2:
        return seed_below(2100);
    default:
        return seed_below(64);
    }
}

static void
verify(const struct piece *one)
{
    assert_int_equal((uintptr_t)one->p % 8, 0);
    if (one->size > 512 && one->size <= 2048)
        assert_int_equal((uintptr_t)one->p % 64, 0);
    for (size_t i = 0; i < one->size; i++)
        assert_int_equal(one->p[i], one->fill);
}

static void
pieces_never_touch(void **state)
{
    enum { PIECES = 2000 };
    static struct piece pieces[PIECES];
    struct pool *pool = pool_new();

    seed_begin("pool");
    for (int op = 0; op < 60000; op++) {
        struct piece *one = &pieces[seed_below(PIECES)];

        if (one->p == NULL) {
            one->size = any_size();
            one->fill = (uint8_t)op;
            one->p = pool_take(pool, one->size);
            memset(one->p, one->fill, one->size);
        } else {
            verify(one);
            pool_give(pool, one->p, one->size);
            one->p = NULL;
        }
    }
    for (int i = 0; i < PIECES; i++) {
        if (pieces[i].p == NULL)
            continue;
        verify(&pieces[i]);
        if (i % 2 == 0) {
            pool_give(pool, pieces[i].p, pieces[i].size);
            pieces[i].p = NULL;
        }
    }
    pool_free(pool);                     /* with half of them still out */
}

static void
bytes_come_and_go(void **state)
{
    static const size_t sizes[] = {0, 1, 8, 9, 512, 513, 2048, 2049, 100000};
    struct pool *pool = pool_new();

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *p = pool_take(pool, sizes[i]), *again;

        assert_true(pool_bytes(pool) >= sizes[i]);
        assert_true(pool_bytes(pool) <= sizes[i] + 64);
        pool_give(pool, p, sizes[i]);
        assert_int_equal(pool_bytes(pool), 0);
        again = pool_take(pool, sizes[i]);
        if (sizes[i] <= 2048)
            assert_ptr_equal(again, p);  /* the same block once more */
        pool_give(pool, again, sizes[i]);
    }
    pool_free(pool);
    pool_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_never_touch),
        cmocka_unit_test(bytes_come_and_go),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
