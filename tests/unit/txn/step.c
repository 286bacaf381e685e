/* step.c: what may be done with a transaction, rule by rule. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/check.h"
#include "txn/txns.h"

#define S(text) span_str(text)

struct rig {
    struct txns ts;
    struct txn_effects fx;
    int64_t ids, now;
};

enum { TIMEOUT = 60000 };

static int64_t
next_id(void *arg)
{
    struct rig *r = arg;

    return r->ids++;
}

static void
rig_config(struct rig *r, struct txns_config *c)
{
    txns_config_init(c);
    c->new_id = next_id;
    c->arg = r;
}

static int
setup(void **state)
{
    struct rig *r = xcalloc(1, sizeof *r);
    struct txns_config c;

    r->ids = 100;
    r->now = 1000000;
    rig_config(r, &c);
    txns_init(&r->ts, &c);
    txn_effects_init(&r->fx);
    *state = r;
    return 0;
}

static int
teardown(void **state)
{
    struct rig *r = *state;

    txns_check_all(&r->ts);
    txn_effects_release(&r->fx, &r->ts);
    txns_release(&r->ts);
    free(r);
    return 0;
}

/* ---- steps ---- */

struct who {
    int64_t id;
    int16_t epoch;
};

static struct txn_caller
caller(const char *id, struct who w, int version)
{
    return (struct txn_caller){.id = S(id), .producer_id = w.id,
        .producer_epoch = w.epoch, .v2 = version == 2};
}

static enum kerr
init_as(struct rig *r, const char *id, struct who w)
{
    struct txn_caller c = caller(id, w, 1);

    txn_effects_clear(&r->fx, &r->ts);
    txns_init_producer(&r->ts, &c, TIMEOUT, ++r->now, &r->fx);
    txns_check_all(&r->ts);
    return r->fx.error;
}

/* A new producer of the id. */
static struct who
begin(struct rig *r, const char *id)
{
    assert_int_equal(init_as(r, id, (struct who){-1, -1}), KERR_NONE);
    return (struct who){r->fx.producer_id, r->fx.producer_epoch};
}

static enum kerr
add_part(struct rig *r, const char *id, struct who w, int version,
    const struct txn_part *p)
{
    struct txn_caller c = caller(id, w, version);

    txn_effects_clear(&r->fx, &r->ts);
    r->now++;
    txns_add(&r->ts, &c, p, 1, r->now, r->now, &r->fx);
    txns_check_all(&r->ts);
    return r->fx.error;
}

static struct txn_part
partition(int32_t index)
{
    return (struct txn_part){.kind = TXN_PARTITION,
        .topic_id = {.bytes = {7}}, .partition = index};
}

static struct txn_part
offset(const char *group, int32_t index, int64_t at)
{
    return (struct txn_part){.kind = TXN_OFFSET, .group = S(group),
        .topic = S("t"), .topic_id = {.bytes = {7}}, .partition = index,
        .offset = at, .metadata = S("m")};
}

static enum kerr
add(struct rig *r, const char *id, struct who w, int version)
{
    struct txn_part p = partition(0);

    return add_part(r, id, w, version, &p);
}

static enum kerr
end(struct rig *r, const char *id, struct who w, int version, bool commit)
{
    struct txn_caller c = caller(id, w, version);

    txn_effects_clear(&r->fx, &r->ts);
    txns_end(&r->ts, &c, commit, ++r->now, &r->fx);
    txns_check_all(&r->ts);
    return r->fx.error;
}

static struct txn_image
image(struct rig *r, const char *id)
{
    struct txn *t = txns_get(&r->ts, S(id));
    struct txn_image im;

    assert_non_null(t);
    txn_image(t, &im);
    return im;
}

static void
assert_ended(const struct rig *r, bool committed, struct who marker)
{
    assert_true(r->fx.ended && r->fx.put);
    assert_int_equal(r->fx.committed, committed);
    assert_int_equal(r->fx.marker_id, marker.id);
    assert_int_equal(r->fx.marker_epoch, marker.epoch);
}

static void
assert_answer(const struct rig *r, int64_t id, int epoch)
{
    assert_int_equal(r->fx.error, KERR_NONE);
    assert_int_equal(r->fx.producer_id, id);
    assert_int_equal(r->fx.producer_epoch, epoch);
}

/* Nothing is to be written. */
static void
assert_quiet(const struct rig *r)
{
    assert_false(r->fx.put || r->fx.ended || r->fx.deleted);
    assert_int_equal(r->fx.added_count, 0);
}

static struct who
next(struct who w)
{
    return (struct who){w.id, (int16_t)(w.epoch + 1)};
}

/* ---- rule 1: an epoch fences ---- */

static void
test_a_new_producer_fences_the_one_before(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x"), b = begin(r, "x"), other = {999, 0};

    assert_int_equal(a.id, b.id);
    assert_int_equal(b.epoch, a.epoch + 1);
    assert_int_equal(add(r, "x", a, 1), KERR_PRODUCER_FENCED);
    assert_int_equal(end(r, "x", a, 1, true), KERR_PRODUCER_FENCED);
    assert_int_equal(end(r, "x", a, 2, false), KERR_PRODUCER_FENCED);
    assert_int_equal(add(r, "x", next(b), 2), KERR_PRODUCER_FENCED);
    assert_int_equal(add(r, "x", other, 1), KERR_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(add(r, "y", b, 1), KERR_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(end(r, "y", b, 2, true),
        KERR_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(add(r, "", b, 1), KERR_INVALID_REQUEST);
    assert_quiet(r);
    assert_int_equal(add(r, "x", b, 1), KERR_NONE);
}

static void
test_a_new_producer_aborts_what_is_open(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");

    assert_int_equal(add(r, "x", a, 2), KERR_NONE);
    begin(r, "x");
    assert_ended(r, false, next(a));
    assert_int_equal(txn_held_count(r->fx.held), 1);
    assert_answer(r, a.id, a.epoch + 1);
    assert_int_equal(image(r, "x").state, TXN_EMPTY);
    assert_int_equal(end(r, "x", a, 2, true), KERR_PRODUCER_FENCED);
    assert_int_equal(end(r, "x", a, 1, true), KERR_PRODUCER_FENCED);
}

static void
test_version_one_keeps_its_epoch(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");

    assert_int_equal(add(r, "x", a, 1), KERR_NONE);
    assert_int_equal(end(r, "x", a, 1, true), KERR_NONE);
    assert_ended(r, true, a);
    assert_int_equal(add(r, "x", a, 1), KERR_NONE);
    assert_int_equal(end(r, "x", a, 1, false), KERR_NONE);
    assert_ended(r, false, a);
}

static void
test_version_two_raises_it_with_each_end(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");

    assert_int_equal(add(r, "x", a, 2), KERR_NONE);
    assert_int_equal(end(r, "x", a, 2, true), KERR_NONE);
    assert_ended(r, true, next(a));
    assert_answer(r, a.id, a.epoch + 1);
    assert_int_equal(add(r, "x", a, 2), KERR_PRODUCER_FENCED);
    assert_int_equal(add(r, "x", next(a), 2), KERR_NONE);
    assert_int_equal(end(r, "x", next(a), 2, false), KERR_NONE);
    assert_ended(r, false, next(next(a)));
}

static void
test_a_timeout_fences(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");
    struct txn *t;

    assert_int_equal(add(r, "x", a, 2), KERR_NONE);
    assert_true(txns_deadline(&r->ts) <= r->now + TIMEOUT);
    assert_null(txns_due(&r->ts, r->now + TIMEOUT - 1));
    r->now += TIMEOUT;
    t = txns_due(&r->ts, r->now);
    assert_non_null(t);
    txn_effects_clear(&r->fx, &r->ts);
    txns_abort(&r->ts, t, r->now, &r->fx);
    assert_ended(r, false, next(a));
    assert_null(txns_due(&r->ts, r->now));
    assert_int_equal(image(r, "x").epoch, a.epoch + 1);
    /* Its end is not taken for one that was answered. */
    assert_int_equal(end(r, "x", a, 2, false), KERR_PRODUCER_FENCED);
    assert_int_equal(end(r, "x", a, 2, true), KERR_PRODUCER_FENCED);
    assert_int_equal(end(r, "x", a, 1, true), KERR_PRODUCER_FENCED);
    assert_int_equal(init_as(r, "x", a), KERR_PRODUCER_FENCED);
    assert_quiet(r);
    begin(r, "x");
    assert_answer(r, a.id, a.epoch + 2);
}

/* ---- rule 2: an end that comes twice ---- */

static void
test_version_one_repeats(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");

    assert_int_equal(end(r, "x", a, 1, false), KERR_INVALID_TXN_STATE);
    assert_int_equal(end(r, "x", a, 1, true), KERR_INVALID_TXN_STATE);
    assert_int_equal(add(r, "x", a, 1), KERR_NONE);
    assert_int_equal(end(r, "x", a, 1, true), KERR_NONE);
    assert_int_equal(end(r, "x", a, 1, true), KERR_NONE);
    assert_quiet(r);
    assert_int_equal(end(r, "x", a, 1, false), KERR_INVALID_TXN_STATE);
    assert_quiet(r);
    assert_int_equal(add(r, "x", a, 1), KERR_NONE);
    assert_int_equal(end(r, "x", a, 1, false), KERR_NONE);
    assert_int_equal(end(r, "x", a, 1, false), KERR_NONE);
    assert_int_equal(end(r, "x", a, 1, true), KERR_INVALID_TXN_STATE);
}

static void
test_version_two_repeats(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");

    assert_int_equal(add(r, "x", a, 2), KERR_NONE);
    assert_int_equal(end(r, "x", a, 2, true), KERR_NONE);
    assert_int_equal(end(r, "x", a, 2, true), KERR_NONE);
    assert_answer(r, a.id, a.epoch + 1);
    assert_quiet(r);
    assert_int_equal(end(r, "x", a, 2, false), KERR_INVALID_TXN_STATE);
    assert_quiet(r);
    /* It must never end the next one. */
    assert_int_equal(add(r, "x", next(a), 2), KERR_NONE);
    assert_int_equal(end(r, "x", a, 2, true), KERR_PRODUCER_FENCED);
    assert_quiet(r);
    assert_int_equal(image(r, "x").state, TXN_ONGOING);
    assert_int_equal(end(r, "x", next(a), 2, false), KERR_NONE);
    assert_int_equal(end(r, "x", a, 2, true), KERR_PRODUCER_FENCED);
}

static void
test_version_two_may_abort_nothing(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");

    assert_int_equal(end(r, "x", a, 2, true), KERR_INVALID_TXN_STATE);
    assert_quiet(r);
    assert_int_equal(end(r, "x", a, 2, false), KERR_NONE);
    assert_answer(r, a.id, a.epoch + 1);
    assert_true(r->fx.put && !r->fx.ended);
    assert_int_equal(end(r, "x", a, 2, false), KERR_NONE);
    assert_answer(r, a.id, a.epoch + 1);
    assert_quiet(r);
    assert_int_equal(add(r, "x", a, 2), KERR_PRODUCER_FENCED);
    assert_int_equal(end(r, "x", next(a), 2, false), KERR_NONE);
    assert_answer(r, a.id, a.epoch + 2);
}

/* The epoch before was raised by something else than an end. */
static void
test_what_version_one_ended_is_no_repeat_of_version_two(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x"), b = next(a);

    assert_int_equal(init_as(r, "x", a), KERR_NONE);
    assert_answer(r, b.id, b.epoch);
    assert_int_equal(add(r, "x", b, 1), KERR_NONE);
    assert_int_equal(end(r, "x", b, 1, true), KERR_NONE);
    assert_int_equal(end(r, "x", a, 2, true), KERR_PRODUCER_FENCED);
    assert_quiet(r);
}

/* ---- rule 3: InitProducerId ---- */

static void
test_init_with_an_epoch_goes_on(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");

    assert_int_equal(init_as(r, "x", a), KERR_NONE);
    assert_answer(r, a.id, a.epoch + 1);
    /* The answer got lost. */
    assert_int_equal(init_as(r, "x", a), KERR_NONE);
    assert_answer(r, a.id, a.epoch + 1);
    assert_int_equal(init_as(r, "x", next(a)), KERR_NONE);
    assert_answer(r, a.id, a.epoch + 2);
    assert_int_equal(init_as(r, "x", a), KERR_PRODUCER_FENCED);
    assert_int_equal(init_as(r, "x", (struct who){55, 0}),
        KERR_PRODUCER_FENCED);
    assert_quiet(r);
    /* Somebody else came: the epoch before was not his. */
    begin(r, "x");
    assert_answer(r, a.id, a.epoch + 3);
    assert_int_equal(init_as(r, "x", next(next(a))), KERR_PRODUCER_FENCED);
}

static void
test_init_refuses(void **state)
{
    struct rig *r = *state;
    struct txn_caller c = caller("x", (struct who){-1, -1}, 1);
    int32_t bad[] = {0, -1, 15 * 60 * 1000 + 1, INT32_MIN, INT32_MAX};

    for (size_t i = 0; i < countof(bad); i++) {
        txn_effects_clear(&r->fx, &r->ts);
        txns_init_producer(&r->ts, &c, bad[i], r->now, &r->fx);
        assert_int_equal(r->fx.error, KERR_INVALID_TRANSACTION_TIMEOUT);
    }
    assert_int_equal(init_as(r, "", (struct who){-1, -1}),
        KERR_INVALID_REQUEST);
    assert_int_equal(init_as(r, "x", (struct who){5, -1}),
        KERR_INVALID_REQUEST);
    assert_int_equal(init_as(r, "x", (struct who){-1, 5}),
        KERR_INVALID_REQUEST);
    assert_int_equal(r->ts.by_id.count, 0);
}

static void
test_init_of_what_is_open_is_no_retry(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");

    assert_int_equal(init_as(r, "x", a), KERR_NONE);
    assert_int_equal(add(r, "x", next(a), 1), KERR_NONE);
    assert_int_equal(init_as(r, "x", a), KERR_PRODUCER_FENCED);
    assert_int_equal(image(r, "x").state, TXN_ONGOING);
    assert_int_equal(init_as(r, "x", next(a)), KERR_NONE);
    assert_ended(r, false, next(next(a)));
}

/* ---- rule 4: epochs run out ---- */

static void
test_the_end_of_epochs_in_an_end(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x"), b;

    r->ts.epoch_last = 1;
    assert_int_equal(end(r, "x", a, 2, false), KERR_NONE);
    a = next(a);
    assert_int_equal(add(r, "x", a, 2), KERR_NONE);
    assert_int_equal(end(r, "x", a, 2, true), KERR_NONE);
    assert_ended(r, true, (struct who){a.id, 2});
    b = (struct who){r->fx.producer_id, r->fx.producer_epoch};
    assert_int_not_equal(b.id, a.id);
    assert_int_equal(b.epoch, 0);
    assert_int_equal(end(r, "x", a, 2, true), KERR_NONE);
    assert_answer(r, b.id, 0);
    assert_quiet(r);
    assert_int_equal(end(r, "x", a, 2, false), KERR_INVALID_TXN_STATE);
    assert_int_equal(add(r, "x", a, 2), KERR_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(end(r, "x", (struct who){a.id, 0}, 2, true),
        KERR_INVALID_PRODUCER_ID_MAPPING);
    /* The next one is not touched by it. */
    assert_int_equal(add(r, "x", b, 2), KERR_NONE);
    assert_int_equal(end(r, "x", a, 2, true),
        KERR_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(image(r, "x").state, TXN_ONGOING);
    assert_int_equal(end(r, "x", b, 2, true), KERR_NONE);
    assert_int_equal(end(r, "x", a, 2, true),
        KERR_INVALID_PRODUCER_ID_MAPPING);
}

static void
test_the_end_of_epochs_in_init(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");
    int64_t other;

    r->ts.epoch_last = a.epoch;
    assert_int_equal(init_as(r, "x", a), KERR_NONE);
    other = r->fx.producer_id;
    assert_int_not_equal(other, a.id);
    assert_answer(r, other, 0);
    assert_int_equal(init_as(r, "x", a), KERR_NONE);     /* again */
    assert_answer(r, other, 0);
    begin(r, "x");
    assert_int_not_equal(r->fx.producer_id, other);
    assert_int_equal(r->fx.producer_epoch, 0);
    assert_int_equal(init_as(r, "x", a), KERR_PRODUCER_FENCED);
}

static void
test_the_end_of_epochs_in_an_abort(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");

    r->ts.epoch_last = a.epoch;
    assert_int_equal(add(r, "x", a, 1), KERR_NONE);
    txn_effects_clear(&r->fx, &r->ts);
    txns_abort(&r->ts, txns_get(&r->ts, S("x")), r->now, &r->fx);
    assert_ended(r, false, next(a));
    assert_int_not_equal(r->fx.producer_id, a.id);
    assert_int_equal(end(r, "x", a, 1, true),
        KERR_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(end(r, "x", a, 2, false),
        KERR_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(end(r, "x", (struct who){r->ids - 1, -1}, 2, false),
        KERR_PRODUCER_FENCED);
    assert_int_equal(init_as(r, "x", a), KERR_PRODUCER_FENCED);
}

/* ---- what is held ---- */

static void
test_parts_are_held_once_and_told_once(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");
    struct txn_part p[] = {partition(1), partition(2), partition(1),
        {.kind = TXN_GROUP, .group = S("g")}};
    struct txn_caller c = caller("x", a, 2);
    struct txn *t;
    size_t cost;

    txn_effects_clear(&r->fx, &r->ts);
    txns_add(&r->ts, &c, p, countof(p), r->now, 5, &r->fx);
    assert_int_equal(r->fx.added_count, 3);
    assert_true(r->fx.put);
    t = txns_get(&r->ts, S("x"));
    cost = txn_end_cost(t);
    txn_effects_clear(&r->fx, &r->ts);
    txns_add(&r->ts, &c, p, countof(p), r->now, 6, &r->fx);
    assert_quiet(r);
    assert_int_equal(txn_end_cost(t), cost);
    assert_true(txn_holds(t, &p[0]) && txn_holds(t, &p[3]));
    assert_int_equal(image(r, "x").started_ms, 5);
    assert_ptr_equal(txns_by_producer(&r->ts, a.id), t);
    assert_int_equal(end(r, "x", a, 2, true), KERR_NONE);
    assert_int_equal(txn_held_count(r->fx.held), 3);
    assert_null(txns_by_producer(&r->ts, a.id));
    assert_int_equal(image(r, "x").started_ms, -1);
}

static void
test_pending_offsets(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x"), b = begin(r, "y");
    struct txn_part one = offset("g", 0, 5), two = offset("g", 0, 9);

    assert_false(txns_unstable(&r->ts, S("g"), S("t"), 0));
    assert_int_equal(add_part(r, "x", a, 2, &one), KERR_NONE);
    assert_int_equal(r->fx.added_count, 1);
    assert_int_equal(add_part(r, "x", a, 2, &two), KERR_NONE);
    assert_int_equal(r->fx.added_count, 1);      /* replaced */
    assert_int_equal(r->fx.added[0]->offset, 9);
    assert_true(txns_unstable(&r->ts, S("g"), S("t"), 0));
    assert_false(txns_unstable(&r->ts, S("g"), S("t"), 1));
    assert_false(txns_unstable(&r->ts, S("h"), S("t"), 0));
    assert_int_equal(add_part(r, "y", b, 2, &one), KERR_NONE);
    assert_int_equal(end(r, "x", a, 2, true), KERR_NONE);
    assert_true(txns_unstable(&r->ts, S("g"), S("t"), 0));
    assert_int_equal(end(r, "y", b, 2, false), KERR_NONE);
    assert_false(txns_unstable(&r->ts, S("g"), S("t"), 0));
    assert_int_equal(r->ts.pending.count, 0);
    assert_int_equal(r->ts.bytes, 0);
}

static void
test_keys_of_parts(void **state)
{
    struct txn_part in[] = {partition(-1), partition(INT32_MAX),
        offset("a group", 3, 0), {.kind = TXN_GROUP, .group = S("g")}}, out;
    uint8_t key[64];

    (void)state;
    for (size_t i = 0; i < countof(in); i++) {
        size_t len = txn_part_key(&in[i], key);

        assert_true(len <= txn_part_key_max(&in[i]));
        assert_true(txn_part_parse(span_of(key, len), &out));
        assert_int_equal(out.kind, in[i].kind);
        assert_int_equal(out.partition, in[i].partition);
        assert_true(span_eq(out.group, in[i].group));
        assert_true(span_eq(out.topic, in[i].topic));
        /* Cut short it is another one, or none; it is never read beyond. */
        for (size_t n = 0; n < len; n++) {
            uint8_t *copy = xmalloc(n + 1);

            memcpy(copy, key, n);
            if (in[i].kind == TXN_PARTITION || n < 2)
                assert_false(txn_part_parse(span_of(copy, n), &out));
            else
                txn_part_parse(span_of(copy, n), &out);
            free(copy);
        }
    }
    memcpy(key, "o\xff\xff" "abc", 6);
    assert_false(txn_part_parse(span_of(key, 6), &out));
    assert_false(txn_part_parse(S("z12345"), &out));
}

/* ---- bounds: refused, and nothing has moved ---- */

static void
test_bounds(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x"), b = begin(r, "y");
    struct txn_part p = partition(0), q = partition(1);

    r->ts.config.ids_max = 2;
    assert_int_equal(init_as(r, "z", (struct who){-1, -1}),
        KERR_POLICY_VIOLATION);
    r->ts.config.ids_max = 3;
    r->ts.config.id_bytes_max = 4;
    assert_int_equal(init_as(r, "long", (struct who){-1, -1}),
        KERR_POLICY_VIOLATION);
    assert_quiet(r);
    assert_null(txns_get(&r->ts, S("z")));
    r->ts.config.open_max = 1;
    assert_int_equal(add_part(r, "x", a, 2, &p), KERR_NONE);
    assert_int_equal(add_part(r, "y", b, 2, &p), KERR_POLICY_VIOLATION);
    assert_int_equal(image(r, "y").state, TXN_EMPTY);
    r->ts.config.cost_max = txn_end_cost(txns_get(&r->ts, S("x")));
    assert_int_equal(add_part(r, "x", a, 2, &q), KERR_POLICY_VIOLATION);
    assert_int_equal(add_part(r, "x", a, 2, &p), KERR_NONE);
    assert_quiet(r);             /* it is there, and costs nothing more */
    r->ts.config.cost_max = 1 << 20;
    r->ts.config.bytes_max = r->ts.bytes;
    assert_int_equal(add_part(r, "x", a, 2, &q), KERR_POLICY_VIOLATION);
    assert_false(txn_holds(txns_get(&r->ts, S("x")), &q));
    assert_int_equal(end(r, "x", a, 2, true), KERR_NONE);
}

/* ---- restart ---- */

static void
copy_parts(struct rig *to, struct rig *from, const char *id)
{
    const struct txn_part *p;
    struct err err;

    for (size_t i = 0; txn_held_count(txn_held(txns_get(&from->ts, S(id))))
             > 0 && (p = txn_held_next(txn_held(txns_get(&from->ts, S(id))),
             &i)) != NULL;)
        assert_int_equal(txns_restore_part(&to->ts, S(id), p, &err), 0);
}

static void
test_restart(void **state)
{
    struct rig *r = *state, *n;
    struct who a = begin(r, "x"), b = begin(r, "y");
    struct txn_part o = offset("g", 1, 4);
    struct txn_image im;
    struct err err;
    void *fresh;

    assert_int_equal(add(r, "x", a, 2), KERR_NONE);
    assert_int_equal(end(r, "x", a, 2, true), KERR_NONE);
    assert_int_equal(add_part(r, "y", b, 1, &o), KERR_NONE);
    setup(&fresh);
    n = fresh;
    n->now = r->now + 5;
    im = image(r, "x");
    assert_int_equal(txns_restore(&n->ts, S("x"), &im, n->now, &err), 0);
    assert_int_equal(txns_restore_part(&n->ts, S("x"), &o, &err), -1);
    assert_int_equal(txns_restore(&n->ts, S("x"), &im, n->now, &err), -1);
    im = image(r, "y");
    assert_int_equal(txns_restore(&n->ts, S("y"), &im, n->now, &err), 0);
    copy_parts(n, r, "y");
    txns_check_all(&n->ts);
    assert_true(txns_unstable(&n->ts, S("g"), S("t"), 1));
    /* The timeout begins anew, in full. */
    assert_null(txns_due(&n->ts, n->now + TIMEOUT - 1));
    assert_non_null(txns_due(&n->ts, n->now + TIMEOUT));
    /* An end that comes again is known. */
    assert_int_equal(end(n, "x", a, 2, true), KERR_NONE);
    assert_answer(n, a.id, a.epoch + 1);
    assert_int_equal(end(n, "y", b, 1, true), KERR_NONE);
    assert_int_equal(txn_held_count(n->fx.held), 1);
    im.state = TXN_STATE_COUNT;
    assert_int_equal(txns_restore(&n->ts, S("z"), &im, 0, &err), -1);
    teardown(&fresh);
}

/* ---- expiration ---- */

static void
test_expiration(void **state)
{
    struct rig *r = *state;
    struct who a = begin(r, "x");
    int64_t late;

    begin(r, "y");
    assert_int_equal(add(r, "x", a, 1), KERR_NONE);
    late = r->now + r->ts.config.expiration_ms;
    txn_effects_clear(&r->fx, &r->ts);
    assert_false(txns_expire(&r->ts, late - 1, &r->fx));
    late += 5000;
    assert_true(txns_expire(&r->ts, late, &r->fx));
    assert_true(r->fx.deleted && !r->fx.ended);
    assert_true(span_eq(txn_id(r->fx.txn), S("y")));
    txn_effects_clear(&r->fx, &r->ts);
    assert_false(txns_expire(&r->ts, late, &r->fx));
    assert_null(txns_get(&r->ts, S("y")));
    assert_non_null(txns_get(&r->ts, S("x")));
    txns_check_all(&r->ts);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_new_producer_fences_the_one_before),
        T(a_new_producer_aborts_what_is_open),
        T(version_one_keeps_its_epoch),
        T(version_two_raises_it_with_each_end),
        T(a_timeout_fences),
        T(version_one_repeats),
        T(version_two_repeats),
        T(version_two_may_abort_nothing),
        T(what_version_one_ended_is_no_repeat_of_version_two),
        T(init_with_an_epoch_goes_on),
        T(init_refuses),
        T(init_of_what_is_open_is_no_retry),
        T(the_end_of_epochs_in_an_end),
        T(the_end_of_epochs_in_init),
        T(the_end_of_epochs_in_an_abort),
        T(parts_are_held_once_and_told_once),
        T(pending_offsets),
        T(keys_of_parts),
        T(bounds),
        T(restart),
        T(expiration),
    };

    return cmocka_run_group_tests_name("step", tests, NULL, NULL);
}
