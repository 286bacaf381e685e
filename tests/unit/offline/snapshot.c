/* Snapshots: whole, two of them, damage is found. */
#include "config.h"

#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/table.h"
#include "epoch/snapshot.h"

static struct meta *
meta_of(struct kit *k)
{
    return seq_state(k->seq)->meta;
}

struct sum {
    uint64_t sum, n;
    enum meta_space space;
};

static void
sum_add(struct sum *s, enum meta_space space, struct span key,
    struct span value)
{
    s->n++;
    s->sum = s->sum * 31 + hash_bytes(key) * 7 + hash_bytes(value) + space;
}

static int
sum_scan(void *arg, struct span key, struct span value, struct err *err)
{
    struct sum *s = arg;

    sum_add(s, s->space, key, value);
    return 0;
}

static int
sum_snapshot(void *arg, enum meta_space space, struct span key,
    struct span value, struct err *err)
{
    sum_add(arg, space, key, value);
    return 0;
}

static struct sum
sum_of_meta(struct kit *k)
{
    struct sum s = {0};
    struct meta_reader *r;
    struct arena a;
    struct err err;

    arena_init(&a, 64 * MIB);
    r = meta_reader_new(meta_of(k), &err);
    assert_non_null(r);
    for (int i = 0; i < 2; i++) {
        s.space = (enum meta_space)i;
        assert_int_equal(meta_scan(r, s.space, SPAN_NULL, SPAN_NULL, &a,
            sum_scan, &s, &err), 0);
    }
    meta_reader_free(r);
    arena_release(&a);
    return s;
}

static struct sum
sum_of_file(const struct kit *k, unsigned n, struct snapshot_head *h)
{
    char path[SNAPSHOT_PATH];
    struct sum s = {0};
    struct err err;

    if (snapshot_read(world_real(), snapshot_path(k->dir, n, path), h,
            sum_snapshot, &s, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(h->entries, s.n);
    return s;
}

static void
begin(struct kit *k)
{
    char path[SNAPSHOT_PATH];

    kit_open(k, k->dir);
    kit_records(k);
    kit_fill(k, 1, 60);
    seq_keep(k->seq, true);
    seq_turn(k->seq);
    /* The keeper's own; the next one is far away. */
    assert_int_equal(unlink(snapshot_path(k->dir, 0, path)), 0);
}

static void
test_holds_all(void **state)
{
    struct kit *k = *state;
    struct snapshot_head h;
    struct sum want, got;
    struct err err = {0};

    begin(k);
    want = sum_of_meta(k);
    assert_int_equal(snapshot_write(world_real(), k->dir, meta_of(k), true,
        &err), 0);
    got = sum_of_file(k, 0, &h);
    assert_int_equal(got.n, want.n);
    assert_true(got.sum == want.sum);
    assert_int_equal(h.cursor.epoch, seq_checkpointed(k->seq));
    assert_true(uuid_eq(&h.cluster_id, seq_cluster_id(k->seq)));
}

static void
test_two_are_kept(void **state)
{
    struct kit *k = *state;
    struct snapshot_head h[2];
    struct err err = {0};
    char path[SNAPSHOT_PATH];
    uint64_t last = 0;

    begin(k);
    for (int i = 0; i < 5; i++) {
        kit_fill(k, i + 2, 6);
        seq_keep(k->seq, true);
        seq_turn(k->seq);
        assert_int_equal(snapshot_write(world_real(), k->dir, meta_of(k),
            true, &err), 0);
        sum_of_file(k, (unsigned)i % 2, &h[0]);
        assert_int_equal(h[0].cursor.epoch, seq_checkpointed(k->seq));
        if (i > 0) {
            sum_of_file(k, (unsigned)(i + 1) % 2, &h[1]);
            assert_int_equal(h[1].cursor.epoch, last);
        }
        last = h[0].cursor.epoch;
    }
    snprintf(path, sizeof path, "%s/snapshot.new", k->dir);
    assert_int_equal(access(path, F_OK), -1);
    snapshot_path(k->dir, 2, path);
    assert_int_equal(access(path, F_OK), -1);
}

/* What is changed while it is written is not in it. */
static void
test_steps_see_one_state(void **state)
{
    struct kit *k = *state;
    struct snapshot_head h;
    struct snapshot *s;
    struct sum want, got;
    struct err err = {0};
    int rc, steps = 0;

    begin(k);
    want = sum_of_meta(k);
    assert_int_equal(snapshot_begin(&s, world_real(), k->dir, meta_of(k),
        true, &err), 0);
    while ((rc = snapshot_step(s, 500, &err)) > 0) {
        if (steps++ % 8 == 0) {
            kit_fill(k, steps, 6);
            seq_keep(k->seq, true);
            seq_turn(k->seq);
        }
    }
    assert_int_equal(rc, 0);
    assert_true(steps > 10);
    assert_int_equal(snapshot_end(s, &err), 0);
    snapshot_free(s);
    got = sum_of_file(k, 0, &h);
    assert_int_equal(got.n, want.n);
    assert_true(got.sum == want.sum);
}

static void
test_given_up(void **state)
{
    struct kit *k = *state;
    struct snapshot *s;
    struct err err = {0};
    char path[SNAPSHOT_PATH];

    begin(k);
    assert_int_equal(snapshot_begin(&s, world_real(), k->dir, meta_of(k),
        true, &err), 0);
    assert_int_equal(snapshot_step(s, 100, &err), 1);
    snapshot_free(s);
    snprintf(path, sizeof path, "%s/snapshot.new", k->dir);
    assert_int_equal(access(path, F_OK), -1);
    snapshot_path(k->dir, 0, path);
    assert_int_equal(access(path, F_OK), -1);
}

/* Every byte, every length. */
static void
test_damage_is_found(void **state)
{
    struct kit *k = *state;
    struct snapshot_head h;
    struct err err = {0};
    char path[SNAPSHOT_PATH];
    long size;

    kit_open(k, k->dir);
    kit_records(k);
    kit_state(k, "key", "value");
    seq_turn(k->seq);
    seq_keep(k->seq, true);
    assert_int_equal(snapshot_write(world_real(), k->dir, meta_of(k), true,
        &err), 0);
    snapshot_path(k->dir, 0, path);
    size = kit_size(path);
    for (long i = 0; i < size; i++) {
        kit_flip(path, i, (uint8_t)(1 << i % 8));
        assert_int_equal(snapshot_read(world_real(), path, &h, NULL, NULL,
            &err), -1);
        kit_flip(path, i, (uint8_t)(1 << i % 8));
    }
    assert_int_equal(snapshot_read(world_real(), path, &h, NULL, NULL, &err),
        0);
    kit_cut(path, size + 1);
    assert_int_equal(snapshot_read(world_real(), path, &h, NULL, NULL, &err),
        -1);
    while (size-- > 0) {
        kit_cut(path, size);
        assert_int_equal(snapshot_read(world_real(), path, &h, NULL, NULL,
            &err), -1);
        assert_int_equal(err.code, ERR_DAMAGE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
        T(test_holds_all),
        T(test_two_are_kept),
        T(test_steps_see_one_state),
        T(test_given_up),
        T(test_damage_is_found),
#undef T
    };

    return cmocka_run_group_tests_name("offline/snapshot", tests, NULL, NULL);
}
