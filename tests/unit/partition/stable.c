/* stable.c against a list of everything that ever happened. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/check.h"
#include "partition/stable.h"
#include "../base/seed.h"

/* ---- the model: each transaction, from its first offset to its marker ---- */

enum { TXNS = 400, PRODUCERS = 12, ROUNDS = 60 };

struct txn {
    int64_t producer, first, last;       /* last -1: open */
    uint64_t epoch;
    bool aborted, gone;
};

struct model {
    struct txn txns[TXNS];
    size_t count;
    int64_t end, hw, start;
    uint64_t open_epoch, published;
    int64_t linked_before, published_before;
};

static struct txn *
open_of(struct model *m, int64_t producer)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->txns[i].producer == producer && m->txns[i].last < 0)
            return &m->txns[i];
    return NULL;
}

static int64_t
model_linked(const struct model *m)
{
    int64_t at = m->end;

    for (size_t i = 0; i < m->count; i++)
        if (m->txns[i].last < 0 && m->txns[i].first < at)
            at = m->txns[i].first;
    return at;
}

static int64_t
model_published(const struct model *m)
{
    int64_t at = m->hw;

    for (size_t i = 0; i < m->count; i++)
        if ((m->txns[i].last < 0 || m->txns[i].epoch > m->published)
            && m->txns[i].first < at)
            at = m->txns[i].first;
    return at;
}

static bool
touches(const struct txn *t, int64_t from, int64_t to)
{
    return t->aborted && !t->gone && t->last >= from && t->first < to;
}

/* ---- comparing ---- */

static void
compare_range(const struct model *m, const struct stable *s, int64_t from,
    int64_t to)
{
    struct stable_aborted got[TXNS];
    size_t n = stable_aborted(s, from, to, got, TXNS), want = 0;

    for (size_t i = 0; i < m->count; i++) {
        bool found = false;

        if (!touches(&m->txns[i], from, to))
            continue;
        want++;
        for (size_t k = 0; k < n; k++)
            found |= got[k].last == m->txns[i].last
                && got[k].first == m->txns[i].first
                && got[k].producer_id == m->txns[i].producer;
        assert_true(found);
    }
    assert_int_equal(n, want);
    for (size_t k = 1; k < n; k++)
        assert_true(got[k - 1].last < got[k].last);
    assert_int_equal(stable_aborted(s, from, to, NULL, 0), n);
}

static void
compare_offset(const struct model *m, struct stable *s, int64_t at)
{
    for (int64_t producer = 0; producer < PRODUCERS; producer++) {
        bool want = false;

        for (size_t i = 0; i < m->count; i++)
            want |= m->txns[i].producer == producer
                && touches(&m->txns[i], at, at + 1);
        assert_int_equal(stable_is_aborted(s, producer, at), want);
    }
}

static void
compare(struct model *m, struct stable *s)
{
    int64_t linked = stable_linked(s, m->end);
    int64_t published = stable_published(s, m->published, m->hw);
    int64_t from = m->start + (int64_t)seed_below((size_t)(m->end - m->start)
        + 1);

    stable_check(s);
    assert_int_equal(linked, model_linked(m));
    assert_int_equal(published, model_published(m));
    assert_true(published <= linked);
    /* Neither goes back. */
    assert_true(linked >= m->linked_before);
    assert_true(published >= m->published_before);
    m->linked_before = linked;
    m->published_before = published;
    compare_range(m, s, m->start, m->end);
    compare_range(m, s, from, from + (int64_t)seed_below(20));
    if (from < linked)
        compare_offset(m, s, from);
}

/* ---- a history ---- */

static void
batch(struct model *m, struct stable *s)
{
    int64_t producer = (int64_t)seed_below(PRODUCERS);

    if (seed_below(4) > 0 && open_of(m, producer) == NULL
        && m->count < TXNS) {
        m->txns[m->count++] = (struct txn){.producer = producer,
            .first = m->end, .last = -1};
        stable_begin(s, producer, m->end);
    }
    m->end += 1 + (int64_t)seed_below(5);
}

static void
marker(struct model *m, struct stable *s)
{
    int64_t producer = (int64_t)seed_below(PRODUCERS);
    struct txn *t = open_of(m, producer);
    bool commit = seed_below(2) == 0, aborted;
    struct stable_aborted a;

    aborted = stable_end(s, producer, m->end, commit, m->open_epoch,
        m->published, &a);
    assert_int_equal(aborted, t != NULL && !commit);
    if (t == NULL)
        return;
    t->last = m->end++;
    t->epoch = m->open_epoch;
    t->aborted = !commit;
    if (aborted) {
        assert_int_equal(a.first, t->first);
        assert_int_equal(a.last, t->last);
        assert_int_equal(a.stable, model_linked(m));
    }
}

static void
publish(struct model *m)
{
    m->published = m->open_epoch++;
    m->hw = m->end;
}

static void
trim(struct model *m, struct stable *s)
{
    struct stable_aborted out[3];
    size_t n;

    m->start += (int64_t)seed_below((size_t)(m->hw - m->start) + 1);
    while ((n = stable_trim(s, m->start, out, countof(out))) > 0)
        for (size_t k = 0; k < n; k++)
            for (size_t i = 0; i < m->count; i++)
                if (m->txns[i].aborted && m->txns[i].last == out[k].last) {
                    assert_true(out[k].last < m->start);
                    m->txns[i].gone = true;
                }
    for (size_t i = 0; i < m->count; i++)
        assert_true(m->txns[i].gone || !m->txns[i].aborted
            || m->txns[i].last >= m->start);
}

static void
forget(struct model *m, struct stable *s)
{
    struct txn *t = m->count == 0 ? NULL : &m->txns[seed_below(m->count)];
    struct stable_aborted out;

    if (t == NULL || t->last < 0)
        return;
    assert_int_equal(stable_forget(s, t->last, &out),
        t->aborted && !t->gone);
    if (t->aborted)
        t->gone = true;
}

/* All of it is known from records, which come in any order, and only what is
 * published counts. */
static struct stable *
restart(struct model *m, struct stable *old)
{
    struct stable *s = stable_new();
    struct stable_aborted all[TXNS];
    size_t n = stable_aborted(old, 0, INT64_MAX, all, TXNS);

    publish(m);
    while (n > 0) {
        size_t i = seed_below(n);

        stable_restore_aborted(s, &all[i]);
        if (seed_below(4) == 0)
            stable_restore_aborted(s, &all[i]);  /* the replay, again */
        all[i] = all[--n];
    }
    for (size_t i = m->count; i-- > 0;)
        if (m->txns[i].last < 0)
            stable_begin(s, m->txns[i].producer, m->txns[i].first);
    assert_int_equal(stable_open_count(s), stable_open_count(old));
    assert_int_equal(stable_aborted_count(s), stable_aborted_count(old));
    stable_free(old);
    return s;
}

static void
test_random_histories(void **state)
{
    (void)state;
    seed_begin("stable");
    for (int round = 0; round < ROUNDS; round++) {
        struct model m = {.open_epoch = 2, .published = 1};
        struct stable *s = stable_new();
        size_t steps = 50 + seed_below(600);

        for (size_t i = 0; i < steps; i++) {
            size_t what = seed_below(100);

            if (what < 50)
                batch(&m, s);
            else if (what < 80)
                marker(&m, s);
            else if (what < 92)
                publish(&m);
            else if (what < 96)
                trim(&m, s);
            else if (what < 99)
                forget(&m, s);
            else
                s = restart(&m, s);
            compare(&m, s);
        }
        stable_free(s);
    }
}

/* ---- by hand ---- */

static void
test_the_first_offset_that_may_not_be_read(void **state)
{
    struct stable *s = stable_new();
    struct stable_aborted a;

    (void)state;
    assert_int_equal(stable_linked(s, 10), 10);
    stable_begin(s, 1, 10);
    stable_begin(s, 2, 12);
    assert_int_equal(stable_linked(s, 15), 10);
    assert_int_equal(stable_published(s, 1, 10), 10);
    assert_true(stable_end(s, 1, 15, false, 2, 1, &a));
    assert_int_equal(a.stable, 12);
    assert_int_equal(stable_linked(s, 16), 12);
    assert_int_equal(stable_published(s, 1, 15), 10);
    assert_int_equal(stable_published(s, 2, 16), 12);
    assert_true(stable_is_aborted(s, 1, 10));
    assert_true(stable_is_aborted(s, 1, 15));
    assert_false(stable_is_aborted(s, 1, 9));
    assert_false(stable_is_aborted(s, 1, 16));
    assert_false(stable_is_aborted(s, 2, 12));
    assert_false(stable_end(s, 1, 16, false, 2, 1, &a));
    stable_free(s);
}

/* One that ends and begins again before anything is published. */
static void
test_a_producer_again_before_a_publish(void **state)
{
    struct stable *s = stable_new();
    struct stable_aborted a;

    (void)state;
    stable_begin(s, 1, 0);
    assert_false(stable_end(s, 1, 5, true, 7, 6, &a));
    stable_begin(s, 1, 6);
    assert_int_equal(stable_open_count(s), 1);
    assert_int_equal(stable_linked(s, 9), 6);
    assert_int_equal(stable_published(s, 6, 5), 0);
    assert_true(stable_end(s, 1, 9, false, 7, 6, &a));
    assert_int_equal(a.first, 6);
    assert_int_equal(stable_published(s, 6, 9), 0);
    assert_int_equal(stable_published(s, 7, 10), 10);
    stable_free(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_offset_that_may_not_be_read),
        cmocka_unit_test(test_a_producer_again_before_a_publish),
        cmocka_unit_test(test_random_histories),
    };

    return cmocka_run_group_tests_name("stable", tests, NULL, NULL);
}
