/* Overlays and LMDB, against a plain model of versions. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/limits.h"
#include "epoch/meta.h"
#include "epoch/overlay.h"

enum { KEYS = 40, RUNS = 400 };

static uint64_t rng;

static unsigned
draw(unsigned n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (unsigned)(rng % n);
}

/* values[run][key]: 0 never put, 1 deleted, else the value. */
static unsigned values[RUNS + 1][KEYS];

static void
key_text(char out[16], unsigned k)
{
    snprintf(out, 16, "key-%03u", k);
}

static void
expect_at(struct overlay *o, uint64_t run, uint64_t floor)
{
    for (unsigned k = 0; k < KEYS; k++) {
        char key[16], want[16];
        struct span got;
        enum overlay_result r;

        key_text(key, k);
        overlay_lock(o);
        r = overlay_get(o, span_str(key), run, &got);
        if (values[run][k] == 0 || values[run][k] == values[floor][k]) {
            /* Not put since the trim: LMDB's, or the same all the same. */
            if (r == OVERLAY_VALUE) {
                snprintf(want, sizeof want, "%u", values[run][k]);
                assert_true(span_eq(got, span_str(want)));
            }
        } else if (values[run][k] == 1) {
            assert_int_equal(r, OVERLAY_GONE);
        } else {
            snprintf(want, sizeof want, "%u", values[run][k]);
            assert_int_equal(r, OVERLAY_VALUE);
            assert_true(span_eq(got, span_str(want)));
        }
        overlay_unlock(o);
    }
}

static void
versions_match_a_model(void **state)
{
    struct overlay o;
    uint64_t trimmed = 0;

    (void)state;
    overlay_init(&o);
    for (uint64_t run = 1; run <= RUNS; run++) {
        memcpy(values[run], values[run - 1], sizeof values[run]);
        overlay_lock(&o);
        for (unsigned i = draw(12); i > 0; i--) {
            unsigned k = draw(KEYS);
            char key[16], value[16];
            bool gone = draw(4) == 0;

            values[run][k] = gone ? 1 : (unsigned)run * 100 + i + 2;
            key_text(key, k);
            snprintf(value, sizeof value, "%u", values[run][k]);
            overlay_put(&o, span_str(key),
                gone ? SPAN_NULL : span_str(value), run);
        }
        overlay_check(&o);
        overlay_unlock(&o);
        expect_at(&o, run, trimmed);
        expect_at(&o, o.published, trimmed);
        if (o.pinned > 0)
            expect_at(&o, o.pinned, trimmed);
        overlay_lock(&o);
        if (draw(3) == 0)
            o.published = run - draw((unsigned)(run - o.published) + 1);
        if (o.pinned == 0 && draw(10) == 0) {
            o.pinned = o.published;
        } else if (o.pinned > 0 && draw(5) == 0) {
            overlay_trim(&o, o.pinned);
            trimmed = o.pinned;
            o.pinned = 0;
        }
        overlay_check(&o);
        overlay_unlock(&o);
    }
    overlay_release(&o);
}

/* ---- clean keys, order, steps ---- */

/* LMDB as a plain array: what the last trim made of it. */
static unsigned under[KEYS];

struct seen {
    unsigned times[KEYS];
    unsigned count;
    char text[16];
};

static unsigned
key_number(struct span key)
{
    char text[16] = {0};

    assert_true(key.len < sizeof text);
    memcpy(text, key.ptr, key.len);
    return (unsigned)strtoul(text + 4, NULL, 10);
}

static void
seen_key(void *arg, const struct overlay_entry *e)
{
    struct seen *s = arg;

    s->times[key_number(overlay_entry_key(e))]++;
}

static void
seen_in_order(void *arg, struct span key, bool gone, struct span value)
{
    struct seen *s = arg;
    unsigned k = key_number(key);

    (void)gone;
    (void)value;
    if (s->count++ > 0)
        assert_true(span_cmp(span_str(s->text), key) < 0);
    key_text(s->text, k);
    s->times[k]++;
}

/* What a reader finds who looks under what the overlay does not have. */
static void
expect_now(struct overlay *o, unsigned k, unsigned want)
{
    char key[16], text[16];
    struct span got;
    enum overlay_result r;

    key_text(key, k);
    snprintf(text, sizeof text, "%u", want);
    overlay_lock(o);
    r = overlay_get(o, span_str(key), UINT64_MAX, &got);
    if (r == OVERLAY_VALUE)
        assert_true(span_eq(got, span_str(text)));
    else if (r == OVERLAY_GONE)
        assert_true(want <= 1);
    else
        assert_true(under[k] == want || (under[k] <= 1 && want <= 1));
    if (r == OVERLAY_MISS && want > 1 && draw(2) == 0)
        overlay_learn(o, span_str(key), span_str(text));
    overlay_unlock(o);
}

/* Exactly the keys that are not clean come, each of them. */
static void
expect_dirty(struct overlay *o, uint64_t run, const bool *dirty)
{
    struct seen all = {.count = 0}, ordered = {.count = 0};
    struct span next;
    size_t at = 0;
    bool more = true;

    while (more) {
        overlay_lock(o);
        more = overlay_keys(o, run, &at, seen_key, &all);
        overlay_unlock(o);
    }
    if (draw(4) == 0) {
        if (draw(2) == 0)
            overlay_order(o);
        overlay_lock(o);
        assert_false(overlay_walk(o, SPAN_NULL, run, KEYS + 1, seen_in_order,
            &ordered, &next));
        overlay_unlock(o);
        assert_memory_equal(ordered.times, all.times, sizeof all.times);
    }
    for (unsigned k = 0; k < KEYS; k++)
        assert_int_equal(all.times[k], dirty[k]);
}

/* All is published at once; every few runs a checkpoint takes what there is,
 * and the trim comes some runs later. */
static void
clean_keys_are_never_wrong(void **state)
{
    static unsigned now[KEYS], pinned[KEYS];
    struct overlay_budget budget = {.max = 24 * 200};
    bool dirty[KEYS] = {false}, since[KEYS] = {false};
    struct overlay o;

    (void)state;
    memset(now, 0, sizeof now);
    memset(under, 0, sizeof under);
    overlay_init(&o);
    o.budget = &budget;
    for (uint64_t run = 1; run <= 3000; run++) {
        for (unsigned i = draw(6); i > 0; i--) {
            unsigned k = draw(KEYS);
            char key[16], value[16];
            bool gone = draw(5) == 0;

            now[k] = gone ? 1 : (unsigned)run * 10 + i + 2;
            key_text(key, k);
            snprintf(value, sizeof value, "%u", now[k]);
            overlay_lock(&o);
            overlay_put(&o, span_str(key),
                gone ? SPAN_NULL : span_str(value), run);
            overlay_unlock(&o);
            dirty[k] = since[k] = true;
        }
        overlay_lock(&o);
        o.published = run;
        overlay_check(&o);
        overlay_unlock(&o);
        for (unsigned i = 0; i < 6; i++) {
            unsigned k = draw(KEYS);

            expect_now(&o, k, now[k]);
        }
        expect_dirty(&o, run, dirty);
        if (o.pinned == 0 && draw(6) == 0) {
            o.pinned = run;
            memcpy(pinned, now, sizeof now);
            memset(since, 0, sizeof since);
        } else if (o.pinned > 0 && draw(3) == 0) {
            memcpy(under, pinned, sizeof under);
            overlay_lock(&o);
            overlay_trim(&o, o.pinned);
            o.pinned = 0;
            overlay_check(&o);
            overlay_unlock(&o);
            memcpy(dirty, since, sizeof dirty);
        }
        assert_true(budget.bytes == o.clean_bytes);
        assert_true(budget.bytes < budget.max + 400);
    }
    assert_true(o.clean_bytes > 0);
    overlay_release(&o);
    assert_true(budget.bytes == 0);
}

/* Steps with puts in between, over a table that grows and shrinks. */
static void
steps_miss_no_key(void **state)
{
    enum { MANY = 20000 };
    struct overlay o;
    size_t at = 0, steps = 0;
    char key[16];
    bool more = true;

    (void)state;
    overlay_init(&o);
    overlay_lock(&o);
    for (unsigned k = 0; k < MANY; k++) {
        snprintf(key, sizeof key, "%u", k);
        overlay_put(&o, span_str(key), span_str(key), 1);
    }
    o.published = 1;
    while (more) {
        more = overlay_trim_step(&o, 1, &at);
        for (unsigned k = 0; more && k < 300; k++) {
            snprintf(key, sizeof key, "+%zu.%u", steps, k);
            overlay_put(&o, span_str(key), span_str(key), 2);
        }
        steps++;
    }
    assert_true(steps > 10);
    assert_int_equal(o.count, (steps - 1) * 300);
    overlay_check(&o);
    o.published = 2;
    overlay_trim(&o, 2);
    assert_int_equal(o.count, 0);
    assert_true(o.bucket_count <= 64);
    overlay_check(&o);
    overlay_unlock(&o);
    overlay_release(&o);
}

static void
blocks_come_back(void **state)
{
    struct buf b;
    struct span rest, key, value;
    int n = 0;

    (void)state;
    buf_init(&b, 4096);
    block_put(&b, span_str("a"), span_str("1"));
    block_put(&b, span_str(""), span_of("", 0));
    block_put(&b, span_str("gone"), SPAN_NULL);
    rest = buf_span(&b);
    while (block_next(&rest, &key, &value) == 1)
        n++;
    assert_int_equal(n, 3);
    assert_null(value.ptr);
    for (size_t cut = 1; cut < b.len; cut++) {
        int rc;

        rest = span_of(b.ptr, cut);
        while ((rc = block_next(&rest, &key, &value)) == 1)
            ;
        assert_true(rc <= 0); /* never reads past the end (ASan) */
    }
    buf_release(&b);
}

/* ---- LMDB ---- */

struct fixture {
    char dir[64];
    struct meta *meta;
    struct meta_reader *reader;
    struct arena arena;
};

static int
setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct err err;

    snprintf(f->dir, sizeof f->dir, "meta-test.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(meta_open(&f->meta, f->dir, 64 * MIB, true, &err), 0);
    f->reader = meta_reader_new(f->meta, &err);
    assert_non_null(f->reader);
    arena_init(&f->arena, 16 * MIB);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char cmd[128];

    arena_release(&f->arena);
    meta_reader_free(f->reader);
    meta_close(f->meta);
    snprintf(cmd, sizeof cmd, "rm -rf %s", f->dir);
    assert_int_equal(system(cmd), 0);
    free(f);
    return 0;
}

static void
put_one(struct fixture *f, struct span key, struct span value)
{
    struct meta_write w;
    struct err err;

    assert_int_equal(meta_begin(f->meta, &w), 0);
    if (value.ptr == NULL)
        meta_del(&w, META_STATE, key);
    else
        meta_put(&w, META_STATE, key, value);
    assert_int_equal(meta_commit(&w, &err), 0);
    assert_int_equal(meta_reader_renew(f->reader, &err), 0);
}

static void
holds(struct fixture *f, struct span key, struct span want)
{
    struct span got;
    struct err err = {0};
    int rc = meta_get(f->reader, META_STATE, key, &f->arena, &got, &err);

    if (rc < 0)
        fail_msg("%s", err.text);
    assert_int_equal(rc, want.ptr != NULL);
    if (want.ptr != NULL)
        assert_true(span_eq(got, want));
    arena_reset(&f->arena);
}

static void
large_values_are_cut_and_joined(void **state)
{
    static uint8_t big[100100];
    static const size_t sizes[] = {0, 1, 1999, 2000, 2001, 4000, 4001, 99999,
        3, 50000};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)draw(256);
    for (size_t i = 0; i < countof(sizes); i++) {
        put_one(f, span_str("key"), span_of(big + i, sizes[i]));
        holds(f, span_str("key"), span_of(big + i, sizes[i]));
    }
    put_one(f, span_str("key"), SPAN_NULL);
    holds(f, span_str("key"), SPAN_NULL);
}

static int
collect(void *arg, struct span key, struct span value, struct err *err)
{
    struct buf *b = arg;

    (void)value;
    (void)err;
    buf_put_u8(b, key.ptr[key.len - 1]);
    return 0;
}

/* Keys beyond LMDB's 511 bytes keep their order, their own value, and do not
 * meet short ones. */
static void
long_keys_keep_their_order(void **state)
{
    static const char ends[] = "qwertzuiopasdfghjklyxcvbnm";
    struct fixture *f = *state;
    uint8_t key[2000];
    struct buf seen;
    struct err err;

    memset(key, 'k', sizeof key);
    for (size_t i = 0; ends[i] != '\0'; i++) {
        key[1499] = (uint8_t)ends[i];
        put_one(f, span_of(key, 1500), span_of(&ends[i], 1));
    }
    key[483] = 'A';
    put_one(f, span_of(key, 484), span_str("short"));
    key[483] = 'k';
    for (size_t i = 0; ends[i] != '\0'; i++) {
        key[1499] = (uint8_t)ends[i];
        holds(f, span_of(key, 1500), span_of(&ends[i], 1));
    }
    buf_init(&seen, 1000);
    assert_int_equal(meta_scan(f->reader, META_STATE, span_of(key, 100),
        SPAN_NULL, &f->arena, collect, &seen, &err), 0);
    buf_put_u8(&seen, 0);
    assert_string_equal((char *)seen.ptr, "Aabcdefghijklmnopqrstuvwxyz");
    buf_clear(&seen);
    key[1499] = 'm';
    assert_int_equal(meta_scan(f->reader, META_STATE, span_of(key, 100),
        span_of(key, 1500), &f->arena, collect, &seen, &err), 0);
    buf_put_u8(&seen, 0);
    assert_string_equal((char *)seen.ptr, "mnopqrstuvwxyz");
    buf_release(&seen);
}

static void
a_prefix_is_deleted_in_steps(void **state)
{
    struct fixture *f = *state;
    struct meta_write w;
    struct err err;
    bool more = true;
    int steps = 0;

    for (int i = 0; i < 25; i++) {
        char key[16];

        snprintf(key, sizeof key, "p%02d", i);
        put_one(f, span_str(key), span_str("x"));
    }
    put_one(f, span_str("q"), span_str("stays"));
    while (more) {
        assert_int_equal(meta_begin(f->meta, &w), 0);
        meta_del_prefix(&w, META_STATE, span_str("p"), 10, &more);
        assert_int_equal(meta_commit(&w, &err), 0);
        steps++;
    }
    assert_int_equal(steps, 3);
    assert_int_equal(meta_reader_renew(f->reader, &err), 0);
    holds(f, span_str("p00"), SPAN_NULL);
    holds(f, span_str("q"), span_str("stays"));
}

int
main(void)
{
    const char *seed = getenv("PENSTOCK_SEED");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_match_a_model),
        cmocka_unit_test(clean_keys_are_never_wrong),
        cmocka_unit_test(steps_miss_no_key),
        cmocka_unit_test(blocks_come_back),
        cmocka_unit_test_setup_teardown(large_values_are_cut_and_joined,
            setup, teardown),
        cmocka_unit_test_setup_teardown(long_keys_keep_their_order, setup,
            teardown),
        cmocka_unit_test_setup_teardown(a_prefix_is_deleted_in_steps, setup,
            teardown),
    };

    rng = seed != NULL ? strtoull(seed, NULL, 0) : 0x9e3779b97f4a7c15u;
    printf("# seed %llu\n", (unsigned long long)rng);
    return cmocka_run_group_tests_name("epoch/overlay", tests, NULL, NULL);
}
