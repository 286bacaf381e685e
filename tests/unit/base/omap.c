/* Random operations against a sorted array, over kinds of keys that
 * press on each part of a node: long prefixes, zeros, ties, order. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/omap.h"
#include "seed.h"

enum { KEYS = 3000, KEY_MAX = 80 };

struct model {
    struct span keys[KEYS];              /* in order, each once */
    bool in[KEYS];
    size_t count, held;
};

static uint8_t arena[KEYS][KEY_MAX];

typedef size_t (*key_fn)(uint8_t *, size_t i);

static size_t
random_key(uint8_t *p, size_t i)
{
    size_t len = seed_below(20);

    for (size_t k = 0; k < len; k++)
        p[k] = (uint8_t)seed_next();
    return len;
}

/* Two letters and zeros: many keys begin alike and end within a head. */
static size_t
poor_key(uint8_t *p, size_t i)
{
    size_t len = seed_below(30);

    for (size_t k = 0; k < len; k++)
        p[k] = (uint8_t)seed_below(2);
    return len;
}

static size_t
counted_key(uint8_t *p, size_t i)
{
    return (size_t)snprintf((char *)p, KEY_MAX, "order-%08zu", i);
}

/* More in common than a node keeps apart, and the same heads. */
static size_t
long_key(uint8_t *p, size_t i)
{
    memset(p, 'p', 40 + i % 30);
    return 40 + i % 30
        + (size_t)snprintf((char *)p + 40 + i % 30, 10, "%zu", i % 10000);
}

/* Window stores: a small set of prefixes with a time behind. */
static size_t
window_key(uint8_t *p, size_t i)
{
    memset(p, 0, 16);
    p[7] = (uint8_t)seed_below(5);
    p[14] = (uint8_t)(i >> 8);
    p[15] = (uint8_t)i;
    return 16;
}

static int
by_bytes(const void *a, const void *b)
{
    return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

static void
model_init(struct model *m, key_fn make)
{
    size_t kept = 0;

    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < KEYS; i++)
        m->keys[i] = span_of(arena[i], make(arena[i], i));
    qsort(m->keys, KEYS, sizeof m->keys[0], by_bytes);
    for (size_t i = 0; i < KEYS; i++)
        if (kept == 0 || !span_eq(m->keys[kept - 1], m->keys[i]))
            m->keys[kept++] = m->keys[i];
    m->count = kept;
}

/* From a random key on, the whole rest must come, in order. */
static void
compare(const struct omap *map, const struct model *m)
{
    size_t i = seed_below(m->count), held = 0;
    struct omap_iter it;
    struct span key;
    void *value;

    omap_check(map);
    for (size_t k = 0; k < m->count; k++) {
        assert_ptr_equal(omap_get(map, m->keys[k]),
            m->in[k] ? m->keys[k].ptr : NULL);
        held += m->in[k];
    }
    assert_int_equal(map->count, held);
    if (seed_below(4) == 0)
        i = 0;
    omap_seek(map, i == 0 ? SPAN_NULL : m->keys[i], &it);
    for (; i < m->count; i++) {
        if (!m->in[i])
            continue;
        assert_true(omap_next(&it, &key, &value));
        assert_true(span_eq(key, m->keys[i]));
        assert_ptr_equal(value, m->keys[i].ptr);
    }
    assert_false(omap_next(&it, &key, &value));
}

static void
step(struct omap *map, struct model *m, size_t i, bool insert)
{
    struct span key = m->keys[i];
    void *self = (void *)(uintptr_t)key.ptr;

    if (insert) {
        void **slot = omap_slot(map, key);

        assert_ptr_equal(*slot, m->in[i] ? self : NULL);
        *slot = self;
    } else {
        assert_ptr_equal(omap_del(map, key), m->in[i] ? self : NULL);
    }
    m->in[i] = insert;
}

static void
run(const char *name, key_fn make)
{
    static struct model m;
    struct omap map;

    seed_begin(name);
    model_init(&m, make);
    omap_init(&map);
    compare(&map, &m);
    for (int op = 0; op < 30000; op++) {
        bool growing = op / 6000 % 2 == 0;

        step(&map, &m, seed_below(m.count),
            seed_below(10) < (growing ? 8u : 2u));
        if (op % 300 == 0)
            compare(&map, &m);
    }
    /* in order up, in order down from the front, and up again backwards */
    for (size_t i = 0; i < m.count; i++)
        step(&map, &m, i, true);
    compare(&map, &m);
    for (size_t i = 0; i < m.count; i++) {
        step(&map, &m, i, false);
        if (i % 100 == 0)
            omap_check(&map);
    }
    compare(&map, &m);
    assert_null(map.root);
    for (size_t i = m.count; i-- > 0;)
        step(&map, &m, i, true);
    compare(&map, &m);
    for (size_t i = m.count; i-- > 0;)
        step(&map, &m, i, false);
    compare(&map, &m);
    for (size_t i = 0; i < m.count; i++)
        step(&map, &m, i, true);
    compare(&map, &m);
    omap_release(&map, NULL, NULL);
    omap_check(&map);
}

static void
random_keys(void **state)
{
    run("omap random", random_key);
}

static void
poor_keys(void **state)
{
    run("omap poor", poor_key);
}

static void
counted_keys(void **state)
{
    run("omap counted", counted_key);
}

static void
long_keys(void **state)
{
    run("omap long", long_key);
}

static void
window_keys(void **state)
{
    run("omap window", window_key);
}

static void
count_one(void *value, void *arg)
{
    assert_non_null(value);
    ++*(unsigned *)arg;
}

static void
release_visits_each_value(void **state)
{
    struct omap map;
    unsigned seen = 0;
    char key[20];

    omap_init(&map);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "%d", i * 37);
        *omap_slot(&map, span_str(key)) = &map;
    }
    omap_release(&map, count_one, &seen);
    assert_int_equal(seen, 1000);
    omap_release(&map, count_one, &seen);
    assert_int_equal(seen, 1000);
}

/* Keys that come in order fill their nodes; and big keys are given back. */
static void
memory_is_what_it_says(void **state)
{
    static uint8_t big[100000];
    struct omap map;
    size_t bytes;

    omap_init(&map);
    for (uint32_t i = 0; i < 50000; i++) {
        uint8_t key[4] = {(uint8_t)(i >> 24), (uint8_t)(i >> 16),
            (uint8_t)(i >> 8), (uint8_t)i};

        *omap_slot(&map, span_of(key, 4)) = &map;
    }
    omap_check(&map);
    assert_true(map.bytes / map.count < 50);
    bytes = map.bytes;
    *omap_slot(&map, span_of(big, sizeof big)) = &map;
    assert_true(map.bytes >= bytes + sizeof big);
    omap_check(&map);
    assert_ptr_equal(omap_del(&map, span_of(big, sizeof big)), &map);
    /* it had cut a full leaf in two */
    assert_true(map.bytes < bytes + sizeof big / 2);
    omap_check(&map);
    omap_release(&map, NULL, NULL);
    assert_int_equal(map.bytes, 0);
}

/* A seek just past the last key is how a scan goes on after a change. */
static void
seek_goes_on(void **state)
{
    struct omap map;
    struct omap_iter it;
    struct span key;
    uint8_t last[4];
    void *value;
    unsigned seen = 0;

    omap_init(&map);
    for (unsigned i = 0; i < 500; i++) {
        uint8_t k[2] = {(uint8_t)(i >> 8), (uint8_t)i};

        *omap_slot(&map, span_of(k, 2)) = &map;
    }
    omap_seek(&map, SPAN_NULL, &it);
    while (omap_next(&it, &key, &value)) {
        memcpy(last, key.ptr, key.len);
        last[key.len] = 0;
        seen++;
        omap_del(&map, key);
        omap_seek(&map, span_of(last, 3), &it);
    }
    assert_int_equal(seen, 500);
    assert_int_equal(map.count, 0);
    omap_release(&map, NULL, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_keys),
        cmocka_unit_test(poor_keys),
        cmocka_unit_test(counted_keys),
        cmocka_unit_test(long_keys),
        cmocka_unit_test(window_keys),
        cmocka_unit_test(release_visits_each_value),
        cmocka_unit_test(memory_is_what_it_says),
        cmocka_unit_test(seek_goes_on),
    };

    return cmocka_run_group_tests_name("omap", tests, NULL, NULL);
}
