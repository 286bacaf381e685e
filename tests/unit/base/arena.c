/* Limits, marks and random allocations, each filled with its number. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/arena.h"
#include "seed.h"

static void
limit_is_exact(void **state)
{
    struct arena a;

    arena_init(&a, 64);
    for (int i = 0; i < 4; i++)
        assert_non_null(arena_alloc(&a, 16));
    assert_false(a.failed);
    assert_null(arena_alloc(&a, 1));
    assert_true(a.failed);
    arena_reset(&a);
    assert_false(a.failed);
    assert_int_equal(a.used, 0);
    assert_non_null(arena_alloc(&a, 64));
    arena_reset(&a);
    for (int i = 0; i < 4; i++)          /* each byte costs 16 */
        assert_non_null(arena_alloc(&a, 1));
    assert_int_equal(a.used, 64);
    assert_null(arena_alloc(&a, 1));
    arena_release(&a);
}

static void
refuses_sizes_that_overflow(void **state)
{
    struct arena a;

    arena_init(&a, SIZE_MAX);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 15));
    assert_null(arena_calloc(&a, SIZE_MAX / 2, 3));
    assert_null(arena_strndup(&a, "x", SIZE_MAX));
    assert_true(a.failed);
    arena_release(&a);
}

static void
copies(void **state)
{
    struct arena a;
    struct span s;
    uint8_t *zero;

    arena_init(&a, 10000);
    assert_string_equal(arena_strndup(&a, "hello", 4), "hell");
    assert_string_equal(arena_printf(&a, "%s-%d", "part", 7), "part-7");
    s = arena_copy(&a, span_str("bytes"));
    assert_true(span_eq(s, span_str("bytes")));
    assert_null(arena_copy(&a, SPAN_NULL).ptr);
    s = arena_copy(&a, span_of("", 0));
    assert_non_null(s.ptr);
    assert_int_equal(s.len, 0);
    zero = arena_calloc(&a, 10, 10);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zero[i], 0);
    arena_release(&a);
}

static void
rewind_gives_back(void **state)
{
    struct arena a;
    struct arena_mark empty, m;
    char *kept;

    arena_init(&a, 1 << 20);
    empty = arena_mark(&a);
    kept = arena_strndup(&a, "kept", 4);
    m = arena_mark(&a);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&a, 1000));
    arena_rewind(&a, m);
    assert_int_equal(a.used, m.used);
    assert_string_equal(kept, "kept");
    assert_ptr_equal(arena_alloc(&a, 8), kept + 16);
    arena_rewind(&a, empty);
    assert_int_equal(a.used, 0);
    assert_non_null(arena_alloc(&a, 1 << 20));
    arena_release(&a);
}

struct piece {
    uint8_t *p;
    size_t size;
    uint8_t fill;
};

static void
verify(const struct piece *pieces, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal((uintptr_t)pieces[i].p % 16, 0);
        for (size_t k = 0; k < pieces[i].size; k++)
            assert_int_equal(pieces[i].p[k], pieces[i].fill);
    }
}

static void
pieces_never_touch(void **state)
{
    enum { PIECES = 300 };
    struct piece pieces[PIECES];

    seed_begin("arena");
    for (int round = 0; round < 50; round++) {
        struct arena a;
        struct arena_mark mark = {0};
        unsigned count = 0, marked = 0;
        bool have_mark = false;

        arena_init(&a, 1 << 22);
        for (int op = 0; op < 400 && count < PIECES; op++) {
            struct piece *one = &pieces[count];

            if (seed_below(40) == 0) {
                mark = arena_mark(&a);
                marked = count;
                have_mark = true;
            } else if (have_mark && seed_below(20) == 0) {
                arena_rewind(&a, mark);
                count = marked;
                verify(pieces, count);
            } else {
                one->size = seed_below(10) == 0 ? seed_below(30000)
                                                : seed_below(100);
                one->fill = (uint8_t)op;
                one->p = arena_alloc(&a, one->size);
                assert_non_null(one->p);
                memset(one->p, one->fill, one->size);
                count++;
            }
        }
        verify(pieces, count);
        arena_release(&a);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_is_exact),
        cmocka_unit_test(refuses_sizes_that_overflow),
        cmocka_unit_test(copies),
        cmocka_unit_test(rewind_gives_back),
        cmocka_unit_test(pieces_never_touch),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
