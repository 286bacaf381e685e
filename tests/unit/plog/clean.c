/*
 * Compaction against a model that remembers every record: random logs with
 * all codecs, tombstones, producers and transactions; passes with a small
 * map, trims, checkpoints, crashes with replay. After each step: what can be
 * read is what was appended, at its offset; the newest of each key is there;
 * what a pass has covered has nothing superfluous.
 */
#include "config.h"

#include "cleankit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "plog/keymap.h"

static void
random_pass(struct log *l)
{
    struct plog_clean_options o = log_options(l);
    struct plog_producer producers[PRODUCERS];

    if (dice_roll(&l->dice, 3) == 0)
        o.map_bytes = 1;         /* the least there is */
    if (dice_roll(&l->dice, 4) == 0)
        o.segment_bytes = 20000;
    for (int i = 0; i < PRODUCERS; i++)
        if (l->last[i] >= 0 && dice_roll(&l->dice, 2))
            producers[o.producer_count++] = (struct plog_producer){100 + i,
                l->last[i], 3};
    o.producers = producers;
    if (dice_roll(&l->dice, 4) == 0)
        l->stop_at = 1 + (int)dice_roll(&l->dice, 4);
    log_pass(l, &o);
    l->stop_at = 0;
}

static void
random_step(struct log *l)
{
    uint64_t roll = dice_roll(&l->dice, 100);
    struct step s = {.kind = STEP_TRIM};

    if (roll < 70) {
        log_add_data(l);
    } else if (roll < 85) {
        log_end_txn(l,
            TXN_FROM + (int)dice_roll(&l->dice, PRODUCERS - TXN_FROM),
            dice_roll(&l->dice, 2));
    } else if (roll < 90) {
        log_checkpoint(l);
    } else if (roll < 96) {
        random_pass(l);
        log_check_all(l);
    } else if (roll < 97 && l->end > l->log_start) {
        s.offset = l->log_start + 1 + (int64_t)dice_roll(&l->dice,
            (uint64_t)(l->end - l->log_start) / 4 + 1);
        log_apply(l, &s);
        log_journal(l, &s);
        l->log_start = s.offset;
        log_check_all(l);
    } else if (roll < 98) {
        log_crash(l, dice_roll(&l->dice, 2));
        log_check_all(l);
    } else {
        l->now += (int64_t)dice_roll(&l->dice, RETENTION);
    }
}

static void
random_logs(void **state)
{
    struct dice dice = dice_seeded();

    (void)state;
    for (int i = 0; i < 12; i++) {
        struct log l;

        log_init(&l);
        l.dice = (struct dice){dice_roll(&dice, UINT32_MAX) + 1};
        for (int k = 0; k < 700; k++)
            random_step(&l);
        for (int who = TXN_FROM; who < PRODUCERS; who++)
            log_end_txn(&l, who, true);
        log_checkpoint(&l);
        random_pass(&l);
        log_checkpoint(&l);
        log_check_all(&l);
        log_release(&l);
    }
}

/* One record as a batch of its own. */

static void
a_tombstone_goes_after_its_horizon(void **state)
{
    struct plog_clean_options o;
    struct log l;

    (void)state;
    log_init(&l);
    log_put(&l, 1, false, -1);
    log_put(&l, 1, true, -1);
    log_seal(&l);
    o = log_options(&l);
    log_pass(&l, &o);
    log_scan(&l);
    assert_false(l.recs[0].present);
    assert_true(l.recs[1].present);
    for (int i = 0; i < 2; i++) {
        l.now += RETENTION / 2 + (i ? 0 : -1);
        log_seal(&l);
        o = log_options(&l);
        log_pass(&l, &o);
        log_scan(&l);
        assert_true(l.recs[1].present);
    }
    l.now += 1;
    log_seal(&l);
    o = log_options(&l);
    log_pass(&l, &o);
    log_scan(&l);
    assert_false(l.recs[1].present);
    log_release(&l);
}

static void
a_marker_stays_while_it_has_data(void **state)
{
    enum { WHO = TXN_FROM };
    struct plog_clean_options o;
    struct log l;
    size_t abort_at, commit_at;

    (void)state;
    log_init(&l);
    log_put(&l, 1, false, WHO);
    abort_at = l.n;
    log_end_txn(&l, WHO, false);
    log_put(&l, 2, false, WHO);
    commit_at = l.n;
    log_end_txn(&l, WHO, true);
    for (int i = 0; i < 6; i++) {
        log_seal(&l);
        o = log_options(&l);
        log_pass(&l, &o);
        log_scan(&l);
        assert_false(l.recs[0].present);
        assert_true(l.recs[2].present);
        assert_true(l.recs[commit_at].present);
        /* The first pass removes the data, the second sets the horizon, the
         * fourth meets it expired and lets go of the range. */
        assert_int_equal(l.recs[abort_at].present, i < 4);
        l.now += RETENTION / 2;
    }
    log_put(&l, 2, false, -1);
    for (int i = 0; i < 6; i++) {
        log_seal(&l);
        o = log_options(&l);
        log_pass(&l, &o);
        log_scan(&l);
        assert_false(l.recs[2].present);
        assert_int_equal(l.recs[commit_at].present, i < 3);
        l.now += RETENTION / 2;
    }
    log_release(&l);
}

/* The batch that a read at the offset finds. */
static void
a_marker_stays_while_its_range_is_listed(void **state)
{
    enum { WHO = TXN_FROM };
    struct plog_clean_options o;
    struct log l;

    (void)state;
    log_init(&l);
    log_put(&l, 1, false, WHO);
    log_end_txn(&l, WHO, false);
    l.listed = true;
    for (int i = 0; i < 8; i++) {
        log_seal(&l);
        l.listed = i < 4;
        o = log_options(&l);
        log_pass(&l, &o);
        log_scan(&l);
        assert_false(l.recs[0].present);
        /* The fifth pass is the first after which nobody lists it. */
        assert_int_equal(l.recs[1].present, i < 5);
        l.now += RETENTION;
    }
    log_release(&l);
}

static void
the_last_sequence_of_a_producer_stays(void **state)
{
    struct plog_producer who = {100, 1, 3};
    struct plog_clean_options o;
    struct log l;
    struct buf out;
    struct batch b;

    (void)state;
    log_init(&l);
    buf_init(&out, 1 << 20);
    log_put(&l, 1, false, 0);
    l.timestamp = 2000000;       /* beyond all that stay */
    log_put(&l, 1, false, 0);
    l.timestamp = 900001;
    log_put(&l, 1, false, -1);
    log_seal(&l);
    o = log_options(&l);
    o.producers = &who;
    o.producer_count = 1;
    log_pass(&l, &o);
    log_scan(&l);
    assert_false(l.recs[0].present);
    assert_false(l.recs[1].present);
    b = log_batch_at(&l, 0, &out);
    assert_int_equal(b.base_offset, 1);
    assert_int_equal(b.record_count, 0);
    assert_int_equal(b.base_sequence, 1);
    log_check_times(&l);
    log_seal(&l);
    o.producer_count = 0;
    o.limit = log_stable(&l);
    log_pass(&l, &o);
    b = log_batch_at(&l, 0, &out);
    assert_int_equal(b.base_offset, 2);
    assert_int_equal(b.record_count, 1);
    log_check_all(&l);
    buf_release(&out);
    log_release(&l);
}

static void
the_lag_holds_young_segments_back(void **state)
{
    struct plog_clean_options o;
    struct plog_dirt d;
    struct log l;

    (void)state;
    log_init(&l);
    for (int i = 0; i < 100; i++)
        log_put(&l, 1, false, -1);
    log_checkpoint(&l);
    o = log_options(&l);
    o.min_lag_ms = o.now_ms - 900050;
    plog_dirt(l.plog, o.limit, o.min_lag_ms, o.now_ms, &d);
    assert_true(d.end > 20);
    assert_true(d.end <= 51);
    assert_int_equal(d.oldest_ms, 900000);
    log_pass(&l, &o);
    assert_int_equal(l.cleaned, d.end);
    log_scan(&l);
    for (int i = 0; i < 100; i++)
        assert_int_equal(l.recs[i].present, i >= d.end - 1);
    log_release(&l);
}

/* Neither the active segment, nor what P does not hold, nor what is behind
 * the limit. */
static void
what_may_not_be_cleaned_is_left_alone(void **state)
{
    struct plog_clean_options o;
    struct plog_dirt d;
    struct log l;

    (void)state;
    log_init(&l);
    for (int i = 0; i < 100; i++)
        log_put(&l, 1, false, -1);
    o = log_options(&l);
    plog_dirt(l.plog, o.limit, 0, l.now, &d);
    assert_int_equal(d.dirty_bytes, 0);
    log_pass(&l, &o);
    assert_int_equal(l.outputs, 0);
    log_checkpoint(&l);
    plog_dirt(l.plog, o.limit, 0, l.now, &d);
    assert_true(d.end > 80);
    assert_true(d.end < 100);
    o.limit = 30;
    plog_dirt(l.plog, o.limit, 0, l.now, &d);
    assert_true(d.end <= 30);
    log_pass(&l, &o);
    log_scan(&l);
    assert_true(l.recs[30].present);
    assert_false(l.recs[0].present);
    log_release(&l);
}

static void
a_reader_keeps_the_old_files(void **state)
{
    struct plog_clean_options o;
    struct plog_extent before, after;
    struct log l;
    struct err err;

    (void)state;
    log_init(&l);
    for (int i = 0; i < 300; i++)
        log_put(&l, i % 3, false, -1);
    log_checkpoint(&l);
    plog_extent(l.plog, &before);
    o = log_options(&l);
    log_pass(&l, &o);
    plog_extent(l.plog, &after);
    assert_true(after.bytes < before.bytes / 4);
    assert_true(plog_doomed(l.plog) > 10);
    /* Not before the checkpoint that has the swap. */
    assert_int_equal(plog_unlink_doomed(l.plog, &err), 0);
    assert_true(plog_doomed(l.plog) > 10);
    log_checkpoint(&l);
    assert_int_equal(plog_doomed(l.plog), 0);
    log_check_all(&l);
    log_release(&l);
}

static void
a_damaged_batch_ends_the_pass(void **state)
{
    struct plog_clean_stats stats = {0};
    struct plog_clean_options o;
    struct log l;
    struct err err = {0};
    int files;

    (void)state;
    log_init(&l);
    for (int i = 0; i < 100; i++)
        log_put(&l, i % 3, false, -1);
    log_checkpoint(&l);
    kit_flip(kit_path(l.path, &l.state.segments[2], ".log"), 100, 1);
    files = kit_files(l.path);
    o = log_options(&l);
    assert_int_equal(plog_clean(l.plog, &o, &stats, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
    assert_int_equal(kit_files(l.path), files);
    assert_false(plog_poisoned(l.plog));
    log_release(&l);
}

/* What the files alone say, in whatever state a crash left the swap. */

static void
scan_salvaged(struct log *l)
{
    struct plog_state st;
    int64_t start = l->log_start;

    assert_int_equal(plog_salvage_scan(world_real(), l->path, 0, &st,
        log_finding,
        NULL, NULL), 0);
    log_close(l);
    log_open(l, &st);
    assert_int_equal(st.log_start, start);
    assert_int_equal(st.written, l->end);
    plog_state_release(&st);
    l->cleaned = 0;
    log_check_all(l);
    assert_int_equal(plog_verify(l->plog, log_finding, NULL, NULL), 0);
}

static void
salvage_finds_the_old_or_the_new(void **state)
{
    struct plog_segment outputs[50];
    struct plog_clean_options o;
    struct plog_extent x;
    struct log l;
    int n = 0;

    (void)state;
    log_init(&l);
    for (int i = 0; i < 300; i++)
        log_put(&l, i % 3, false, -1);
    log_checkpoint(&l);
    plog_extent(l.plog, &x);
    o = log_options(&l);
    o.segment_bytes = 10000;
    log_pass(&l, &o);
    for (size_t i = 0; i < l.steps_n; i++)
        if (l.steps[i].kind == STEP_SWAP && l.steps[i].cleaned.segment.size)
            outputs[n++] = l.steps[i].cleaned.segment;
    assert_in_range(n, 3, 49);
    /* Both are there: the old ones are whole, whatever the new ones are. */
    scan_salvaged(&l);
    assert_int_equal(truncate(kit_path(l.path, &outputs[1], ".log"), 70), 0);
    assert_int_equal(truncate(kit_path(l.path, &outputs[2], ".log"), 0), 0);
    scan_salvaged(&l);
    plog_extent(l.plog, &x);
    assert_true(x.segments > 20);
    log_release(&l);

    log_init(&l);
    for (int i = 0; i < 300; i++)
        log_put(&l, i % 3, false, -1);
    log_checkpoint(&l);
    o = log_options(&l);
    o.segment_bytes = 10000;
    log_pass(&l, &o);
    log_checkpoint(&l);
    scan_salvaged(&l);
    plog_extent(l.plog, &x);
    assert_true(x.segments < 20);
    /* A second pass over cleaned ones, half of which is there. */
    for (int i = 0; i < 30; i++)
        log_put(&l, i % 3, false, -1);
    log_checkpoint(&l);
    o = log_options(&l);
    log_pass(&l, &o);
    assert_int_equal(unlink(kit_path(l.path, &l.steps[l.steps_n - 2]
        .cleaned.segment, ".log")), 0);
    scan_salvaged(&l);
    log_release(&l);
}

static void
count_finding(void *arg, const struct plog_finding *f)
{
    (void)f;
    ++*(int *)arg;
}

/* Reads on past what is reported; recs[].present says what was met. Returns
 * how often damage was. */
static int
scan_damaged(struct log *l)
{
    int64_t at = l->log_start;
    struct arena arena;
    struct buf out;
    int damages = 0;

    arena_init(&arena, 64 * MIB);
    buf_init(&out, 4 * MIB);
    for (size_t i = 0; i < l->n; i++)
        l->recs[i].present = false;
    while (at < l->end) {
        struct plog_want w = {.offset = at, .end_offset = l->end,
            .max_bytes = 1};
        struct plog_got g;
        struct batch b;
        enum plog_status st = plog_read(l->plog, &w, &out, &g, NULL);

        if (st == PLOG_DAMAGED) {
            damages++;
            assert_true(g.damage.resume_offset > at);
            at = g.damage.resume_offset;
            continue;
        }
        assert_int_equal(st, PLOG_OK);
        assert_int_equal(batch_parse(buf_span(&out), &b), BATCH_OK);
        log_check_batch(l, &b, &arena);
        arena_reset(&arena);
        at = g.next_offset;
        buf_clear(&out);
    }
    arena_release(&arena);
    buf_release(&out);
    return damages;
}

/* One batch is lost, and that is told, wherever it is hit: in its body, in
 * its length, its magic, its offset. With an index and without. */
static void
damage_in_a_cleaned_segment_costs_one_batch(void **state)
{
    static const long places[] = {100, 10, 16, 7, 6};

    (void)state;
    for (size_t i = 0; i < 2 * countof(places); i++) {
        struct plog_clean_options o;
        struct plog_state st;
        struct buf out;
        struct log l;
        int lost = 0, findings = 0;
        int kept[KEYS];
        size_t n = 0;
        long third = 0;

        log_init(&l);
        for (int k = 0; k < 600; k++)
            log_put(&l, k < 500 ? k % 30 : KEYS - 1, false, -1);
        log_checkpoint(&l);
        o = log_options(&l);
        o.segment_bytes = 1 << 20;
        log_pass(&l, &o);
        log_checkpoint(&l);
        log_scan(&l);
        for (size_t k = 0; k < l.n && n < KEYS; k++)
            if (l.recs[k].present)
                kept[n++] = (int)k;
        assert_true(n > 20);
        plog_state_get(l.plog, &st);
        assert_true((st.segments[0].epoch & PLOG_CLEANED) != 0);
        buf_init(&out, 1 << 20);
        for (size_t k = 0; k < 2; k++)
            third += (long)log_batch_at(&l, kept[k], &out).bytes.len;
        buf_release(&out);
        if (i % 2)
            unlink(kit_path(l.path, &st.segments[0], ".index"));
        log_close(&l);
        kit_flip(kit_path(l.path, &st.segments[0], ".log"),
            third + places[i / 2], 0x40);
        log_open(&l, &st);
        assert_true(scan_damaged(&l) >= 1);
        for (size_t k = 0; k < n; k++)
            lost += !l.recs[kept[k]].present;
        assert_int_equal(lost, 1);
        assert_false(l.recs[kept[2]].present);
        assert_int_equal(plog_verify(l.plog, count_finding, &findings, NULL),
            0);
        assert_in_range(findings, 1, 2);
        plog_state_release(&st);
        log_release(&l);
    }
}

static void
the_map_is_bounded(void **state)
{
    struct keymap m;
    char key[20];
    int n = 0;

    (void)state;
    keymap_init(&m, 100000, 1);
    for (;; n++) {
        snprintf(key, sizeof key, "k%d", n);
        if (!keymap_put(&m, span_str(key), n))
            break;
    }
    assert_in_range(n, 3600, 4167);
    assert_true(m.cap * sizeof *m.slots <= 100000);
    for (int i = 0; i < n; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(keymap_get(&m, span_str(key)), i);
        assert_true(keymap_put(&m, span_str(key), n + i));
    }
    assert_int_equal(keymap_get(&m, span_str("other")), -1);
    keymap_release(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_map_is_bounded),
        cmocka_unit_test(a_tombstone_goes_after_its_horizon),
        cmocka_unit_test(a_marker_stays_while_it_has_data),
        cmocka_unit_test(a_marker_stays_while_its_range_is_listed),
        cmocka_unit_test(the_last_sequence_of_a_producer_stays),
        cmocka_unit_test(the_lag_holds_young_segments_back),
        cmocka_unit_test(what_may_not_be_cleaned_is_left_alone),
        cmocka_unit_test(a_reader_keeps_the_old_files),
        cmocka_unit_test(a_damaged_batch_ends_the_pass),
        cmocka_unit_test(salvage_finds_the_old_or_the_new),
        cmocka_unit_test(damage_in_a_cleaned_segment_costs_one_batch),
        cmocka_unit_test(random_logs),
    };

    return cmocka_run_group_tests_name("clean", tests, NULL, NULL);
}
