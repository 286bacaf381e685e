/* producer.c: what is taken, what is a duplicate, what is refused. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/check.h"
#include "partition/producer.h"

struct rig {
    struct producers ps;
    struct producer_list used;
    int64_t end, now;
};

static int
setup(void **state)
{
    struct rig *r = xcalloc(1, sizeof *r);

    TAILQ_INIT(&r->used);
    producers_init(&r->ps);
    r->ps.used = &r->used;
    *state = r;
    return 0;
}

static int
teardown(void **state)
{
    struct rig *r = *state;

    producers_release(&r->ps);
    assert_true(TAILQ_EMPTY(&r->used));
    free(r);
    return 0;
}

static struct batch
batch(int64_t id, int epoch, int32_t seq, int32_t count)
{
    return (struct batch){.producer_id = id, .producer_epoch = (int16_t)epoch,
        .base_sequence = seq, .last_offset_delta = count - 1,
        .record_count = count};
}

/* Judged, and appended if that is the verdict. */
static enum producer_verdict
offer(struct rig *r, struct batch b, struct producer_batch *known,
    enum kerr *error)
{
    enum producer_verdict v = producers_check(&r->ps, &b, known, error);

    if (v == PRODUCER_NEXT) {
        b.base_offset = r->end;
        r->end += b.last_offset_delta + 1;
        producers_apply(&r->ps, &b, ++r->now);
    }
    return v;
}

static void
expect_next(struct rig *r, struct batch b)
{
    struct producer_batch known;
    enum kerr error;

    assert_int_equal(offer(r, b, &known, &error), PRODUCER_NEXT);
    assert_int_equal(error, KERR_NONE);
}

static void
expect_known(struct rig *r, struct batch b, int64_t base)
{
    struct producer_batch known;
    enum kerr error;

    assert_int_equal(offer(r, b, &known, &error), PRODUCER_DUPLICATE);
    assert_int_equal(known.base_offset, base);
}

static void
expect_refused(struct rig *r, struct batch b, enum kerr want)
{
    struct producer_batch known;
    int64_t end = r->end;
    enum kerr error;

    assert_int_equal(offer(r, b, &known, &error), PRODUCER_REFUSED);
    assert_int_equal(error, want);
    assert_int_equal(r->end, end);
}

static struct batch
in_txn(struct batch b)
{
    b.attributes = BATCH_TRANSACTIONAL;
    return b;
}

static void
test_the_window_knows_five(void **state)
{
    struct rig *r = *state;

    for (int i = 0; i < 7; i++)
        expect_next(r, batch(1, 0, i * 10, 10));
    for (int i = 2; i < 7; i++)
        expect_known(r, batch(1, 0, i * 10, 10), i * 10);
    /* To call these duplicates would be to promise that they are there. */
    expect_refused(r, batch(1, 0, 0, 10), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect_refused(r, batch(1, 0, 10, 10),
        KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect_refused(r, batch(1, 0, 60, 9), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect_refused(r, batch(1, 0, 71, 1), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect_next(r, batch(1, 0, 70, 1));
}

static void
test_who_is_not_known_begins_anywhere(void **state)
{
    struct rig *r = *state;

    expect_next(r, batch(1, 3, 500, 1));
    expect_refused(r, batch(1, 3, 0, 1), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect_refused(r, batch(1, 3, 499, 1),
        KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect_next(r, batch(1, 3, 501, 1));
}

static void
test_sequences_begin_again(void **state)
{
    struct rig *r = *state;

    assert_int_equal(sequence_add(INT32_MAX, 1), 0);
    expect_next(r, batch(1, 0, INT32_MAX - 1, 2));
    expect_next(r, batch(1, 0, 0, 1));
    expect_known(r, batch(1, 0, 0, 1), 2);
    expect_known(r, batch(1, 0, INT32_MAX - 1, 2), 0);
    expect_next(r, batch(2, 0, INT32_MAX, 3));   /* goes round within */
    expect_next(r, batch(2, 0, 2, 1));
}

static void
test_an_epoch_fences(void **state)
{
    struct rig *r = *state;

    expect_next(r, batch(1, 1, 0, 1));
    expect_refused(r, batch(1, 0, 1, 1), KERR_INVALID_PRODUCER_EPOCH);
    expect_refused(r, batch(1, 2, 1, 1), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect_next(r, batch(1, 2, 0, 1));
    expect_refused(r, batch(1, 1, 0, 1), KERR_INVALID_PRODUCER_EPOCH);
    expect_refused(r, batch(1, -1, 0, 1), KERR_INVALID_RECORD);
    expect_refused(r, batch(1, 2, -1, 1), KERR_INVALID_RECORD);
}

static void
test_a_marker_of_version_one_keeps_the_window(void **state)
{
    struct rig *r = *state;

    expect_next(r, in_txn(batch(1, 0, 0, 1)));
    assert_int_equal(producers_get(&r->ps, 1)->txn_first, 0);
    expect_refused(r, batch(1, 0, 1, 1), KERR_INVALID_TXN_STATE);
    assert_non_null(producers_end(&r->ps, 1, 0, 5));
    assert_int_equal(producers_get(&r->ps, 1)->txn_first, -1);
    expect_known(r, in_txn(batch(1, 0, 0, 1)), 0);
    expect_next(r, in_txn(batch(1, 0, 1, 1)));
    assert_int_equal(producers_get(&r->ps, 1)->txn_first, 1);
}

static void
test_a_marker_of_version_two_fences(void **state)
{
    struct rig *r = *state;

    expect_next(r, in_txn(batch(1, 0, 0, 1)));
    assert_non_null(producers_end(&r->ps, 1, 1, 5));
    expect_refused(r, in_txn(batch(1, 0, 0, 1)), KERR_INVALID_PRODUCER_EPOCH);
    expect_refused(r, in_txn(batch(1, 0, 1, 1)), KERR_INVALID_PRODUCER_EPOCH);
    expect_refused(r, in_txn(batch(1, 1, 1, 1)),
        KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect_next(r, in_txn(batch(1, 1, 0, 1)));
    assert_null(producers_end(&r->ps, 2, 1, 5));
}

/* In a replay it was forgotten between these two. */
static void
test_a_replay_takes_what_was_taken(void **state)
{
    struct rig *r = *state;
    struct batch b = batch(1, 5, 40, 1);
    struct producer *p;

    producers_apply(&r->ps, &b, 1);
    b = batch(1, 3, 90, 1);
    b.base_offset = 7;
    p = producers_apply(&r->ps, &b, 2);
    assert_int_equal(p->epoch, 3);
    assert_int_equal(p->count, 1);
    b = batch(1, 3, 200, 1);
    b.base_offset = 9;
    p = producers_apply(&r->ps, &b, 3);
    assert_int_equal(p->count, 1);
    assert_int_equal(p->window[0].base_offset, 9);
}

static void
test_the_list_is_in_the_order_of_use(void **state)
{
    struct rig *r = *state;
    int64_t want[] = {2, 1, 3};
    struct producer *p;
    size_t i = 0;

    expect_next(r, batch(1, 0, 0, 1));
    expect_next(r, batch(2, 0, 0, 1));
    expect_next(r, batch(3, 0, 0, 1));
    expect_next(r, batch(1, 0, 1, 1));
    producers_end(&r->ps, 3, 0, ++r->now);
    TAILQ_FOREACH(p, &r->used, used)
        assert_int_equal(p->id, want[i++]);
    producer_forget(producers_get(&r->ps, 1));
    assert_null(producers_get(&r->ps, 1));
    assert_int_equal(r->ps.by_id.count, 2);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_window_knows_five),
        T(who_is_not_known_begins_anywhere),
        T(sequences_begin_again),
        T(an_epoch_fences),
        T(a_marker_of_version_one_keeps_the_window),
        T(a_marker_of_version_two_fences),
        T(a_replay_takes_what_was_taken),
        T(the_list_is_in_the_order_of_use),
    };

    return cmocka_run_group_tests_name("producer", tests, NULL, NULL);
}
