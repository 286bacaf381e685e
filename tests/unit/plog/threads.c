/*
 * Readers beside a writer that appends, rolls, trims, checkpoints and
 * unlinks. Each offset's bytes are a function of the offset, so a reader can
 * tell what it got. Best run in a build with ThreadSanitizer.
 */
#include "config.h"

#include "kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "plog/clean.h"
#include "record/batch.h"

enum { READERS = 3, BATCHES = 3000, STEP = 3 };

struct stage {
    struct plog *plog;
    struct model model;          /* complete before the threads start */
    _Atomic int64_t linked;      /* batches up to here were appended */
    atomic_bool over;
    atomic_uint reads, finds;
};

/* No cmocka in threads: assert() ends the test as well. */
static void
read_check(struct stage *s, int64_t offset)
{
    struct plog_want want = {offset, INT64_MAX, 3000};
    enum plog_status status;
    struct plog_extent x;
    struct plog_got got;
    struct buf out;
    const struct plog_chunk *c;

    buf_init(&out, MIB);
    status = plog_read(s->plog, &want, &out, &got, NULL);
    plog_extent(s->plog, &x);
    if (status == PLOG_OK) {
        c = model_at(&s->model, offset);
        assert(got.base_offset == c->base_offset);
        assert(out.len >= c->bytes.len);
        assert(memcmp(out.ptr, c->bytes.ptr, c->bytes.len) == 0);
        assert(got.next_offset <= x.written);
        atomic_fetch_add(&s->reads, 1);
    } else if (status == PLOG_BELOW) {
        assert(offset < x.log_start);
    } else {
        assert(status == PLOG_END);
    }
    buf_release(&out);
}

static void
find_check(struct stage *s, int64_t ts)
{
    enum plog_status status;
    struct plog_found found;
    struct arena arena;

    arena_init(&arena, 4 * MIB);
    status = plog_find_time(s->plog, ts, &arena, &found, NULL);
    assert(status == PLOG_OK || status == PLOG_END);
    if (status == PLOG_OK) {
        assert(found.timestamp >= ts);
        atomic_fetch_add(&s->finds, 1);
    }
    arena_release(&arena);
}

static void *
reader_main(void *arg)
{
    struct stage *s = arg;
    struct dice dice = {(uint64_t)(uintptr_t)&dice | 1};
    struct plog_extent x;

    while (!atomic_load(&s->over)) {
        plog_extent(s->plog, &x);
        assert(x.log_start <= x.written);
        if (x.written == 0)
            continue;
        read_check(s, x.log_start + (int64_t)dice_roll(&dice,
            (uint64_t)(x.written - x.log_start) + 1));
        read_check(s, x.log_start);
        if (dice_roll(&dice, 8) == 0)
            find_check(s, (int64_t)dice_roll(&dice, 2 * (uint64_t)x.written));
    }
    return NULL;
}

static void
keeper_step(struct stage *s, size_t i)
{
    struct plog_state st;
    struct plog_extent x;
    struct err err = {0};

    assert_int_equal(model_append(&s->model, s->plog, i, STEP, &err), 0);
    if (i % 90 == 0) {
        plog_extent(s->plog, &x);
        plog_trim(s->plog, x.log_start + (x.written - x.log_start) / 3);
    }
    if (i % 150 == 0) {
        assert_int_equal(plog_sync(s->plog, NULL), 0);
        plog_state_get(s->plog, &st);
        plog_state_release(&st);
        assert_int_equal(plog_unlink_doomed(s->plog, NULL), 0);
    }
    if (i % 300 == 0)
        plog_check(s->plog);
}

static void
readers_meet_only_whole_truths(void **state)
{
    struct plog_config config = {.segment_bytes = 5000,
        .index_interval = 512};
    struct segcache *cache = segcache_new(world_real(), 2, 500);
    char *folder = kit_folder();
    struct stage s = {0};
    pthread_t readers[READERS];

    for (size_t i = 0; i < BATCHES; i++)
        model_add(&s.model, &(struct kit_spec){.records = 1 + (int)(i % 3),
            .value_size = i % 300, .timestamp = 2 * (int64_t)i,
            .epoch = 1 + i, .attributes = i % 5 == 0 ? 3 : 0});
    assert_int_equal(plog_open(cache, folder, &config, NULL, &s.plog, NULL),
        0);
    for (int i = 0; i < READERS; i++)
        must(pthread_create(&readers[i], NULL, reader_main, &s));
    for (size_t i = 0; i + STEP <= BATCHES; i += STEP)
        keeper_step(&s, i);
    atomic_store(&s.over, true);
    for (int i = 0; i < READERS; i++)
        must(pthread_join(readers[i], NULL));
    print_message("# %u reads, %u finds\n", atomic_load(&s.reads),
        atomic_load(&s.finds));
    assert_true(atomic_load(&s.reads) > 0);
    model_read_all(&s.model, s.plog);
    plog_close(s.plog);
    segcache_free(cache);
    model_release(&s.model);
    kit_folder_remove(folder);
}

/* ---- with a cleaner ---- */

enum { KEYS = 40, SWAPS = 512 };

struct floor {                   /* what keeper, cleaner, readers share */
    struct plog *plog;
    pthread_mutex_t mutex;
    struct plog_cleaned swaps[SWAPS];    /* by mutex */
    unsigned count;
    atomic_bool over;
    atomic_uint passes, reads;
};

static int
floor_output(void *arg, const struct plog_cleaned *c, struct err *err)
{
    struct floor *f = arg;

    must(pthread_mutex_lock(&f->mutex));
    assert(f->count < SWAPS);
    f->swaps[f->count++] = *c;
    must(pthread_mutex_unlock(&f->mutex));
    (void)err;
    return 0;
}

static void *
cleaner_main(void *arg)
{
    struct floor *f = arg;
    struct plog_clean_options o = {.limit = INT64_MAX, .segment_bytes = 8000,
        .output = floor_output, .arg = f, .nosync = true};

    while (!atomic_load(&f->over)) {
        struct plog_clean_stats stats = {0};
        struct err err;

        o.now_ms++;
        if (plog_clean(f->plog, &o, &stats, &err) != 0)
            unreachable("nothing is wrong with this log");
        atomic_fetch_add(&f->passes, stats.segments_written > 0);
    }
    return NULL;
}

/* All that a read gives; each value is its offset. Keys: their newest. */
static int64_t
floor_read(struct floor *f, int64_t offset, int64_t newest[KEYS])
{
    struct plog_want want = {offset, INT64_MAX, 3000};
    enum plog_status status;
    struct plog_got got;
    struct buf out;
    struct span rest;

    buf_init(&out, MIB);
    status = plog_read(f->plog, &want, &out, &got, NULL);
    assert(status == PLOG_OK || status == PLOG_END || status == PLOG_BELOW);
    rest = buf_span(&out);
    while (rest.len > 0) {
        struct batch_iter it;
        struct record r;
        struct batch b;

        assert(batch_parse(rest, &b) == BATCH_OK);
        assert(batch_last_offset(&b) >= offset);
        assert(batch_iter_init(&it, &b, NULL, NULL) == 0);
        while (batch_iter_next(&it, &r, NULL) > 0) {
            assert((int64_t)get_be64(r.value.ptr) == r.offset);
            if (newest != NULL)
                newest[r.key.ptr[0]] = r.offset;
        }
        rest.ptr += b.bytes.len;
        rest.len -= b.bytes.len;
    }
    buf_release(&out);
    atomic_fetch_add(&f->reads, 1);
    return status == PLOG_OK ? got.next_offset : -1;
}

static void *
floor_reader(void *arg)
{
    struct floor *f = arg;
    struct dice dice = {(uint64_t)(uintptr_t)&dice | 1};

    while (!atomic_load(&f->over)) {
        struct plog_extent x;
        struct plog_dirt d;

        plog_extent(f->plog, &x);
        plog_dirt(f->plog, INT64_MAX, 0, 0, &d);
        assert(d.end <= x.written || x.written == 0);
        floor_read(f, (int64_t)dice_roll(&dice, (uint64_t)x.written + 1),
            NULL);
    }
    return NULL;
}

static void
floor_append(struct floor *f, int64_t offset)
{
    struct batch_build build = BATCH_BUILD_PLAIN;
    struct batch_builder b;
    struct plog_chunk c = {.epoch = (uint64_t)offset + 1,
        .base_offset = offset, .last_offset = offset,
        .max_timestamp = offset};
    struct buf buf;
    uint8_t key[1] = {(uint8_t)(offset % KEYS)}, value[8];

    put_be64(value, (uint64_t)offset);
    buf_init(&buf, MIB);
    batch_builder_init(&b, &buf);
    batch_builder_add(&b, offset, span_of(key, 1), span_of(value, 8), NULL,
        0);
    assert_int_equal(batch_builder_end(&b, &build, NULL), 0);
    batch_stamp(buf.ptr, offset, 0);
    c.bytes = buf_span(&buf);
    assert_int_equal(plog_append(f->plog, &c, 1, NULL), 0);
    buf_release(&buf);
}

static void
floor_swap(struct floor *f)
{
    struct plog_cleaned swaps[SWAPS];
    unsigned n;

    must(pthread_mutex_lock(&f->mutex));
    n = f->count;
    memcpy(swaps, f->swaps, n * sizeof *swaps);
    f->count = 0;
    must(pthread_mutex_unlock(&f->mutex));
    for (unsigned i = 0; i < n; i++)
        plog_swap(f->plog, &swaps[i]);
}

static void
floor_keep(struct floor *f)
{
    struct plog_state st;

    floor_swap(f);
    assert_int_equal(plog_sync(f->plog, NULL), 0);
    plog_state_get(f->plog, &st);
    plog_state_release(&st);
    plog_checkpointed(f->plog);
    assert_int_equal(plog_sweep(f->plog, NULL), 0);
    assert_int_equal(plog_unlink_doomed(f->plog, NULL), 0);
    plog_check(f->plog);
}

/* The keeper goes on until the cleaner has done some passes. */
static void
a_cleaner_works_beside_all_others(void **state)
{
    struct plog_config config = {.segment_bytes = 3000,
        .index_interval = 512};
    struct segcache *cache = segcache_new(world_real(), 2, 500);
    char *folder = kit_folder();
    struct floor f = {.passes = 0};
    int64_t newest[KEYS], end = 0;
    pthread_t threads[3];

    (void)state;
    must(pthread_mutex_init(&f.mutex, NULL));
    assert_int_equal(plog_open(cache, folder, &config, NULL, &f.plog, NULL),
        0);
    must(pthread_create(&threads[0], NULL, cleaner_main, &f));
    must(pthread_create(&threads[1], NULL, floor_reader, &f));
    must(pthread_create(&threads[2], NULL, floor_reader, &f));
    while (end < 20000 || atomic_load(&f.passes) < 20) {
        floor_append(&f, end++);
        if (end % 300 == 0)
            floor_keep(&f);
    }
    atomic_store(&f.over, true);
    for (int i = 0; i < 3; i++)
        must(pthread_join(threads[i], NULL));
    floor_keep(&f);
    for (int64_t at = 0; at >= 0;)
        at = floor_read(&f, at, newest);
    for (int64_t k = 0; k < KEYS; k++)
        assert_true(newest[k] >= end - KEYS);
    print_message("# %u passes, %u reads\n", atomic_load(&f.passes),
        atomic_load(&f.reads));
    plog_close(f.plog);
    segcache_free(cache);
    must(pthread_mutex_destroy(&f.mutex));
    kit_folder_remove(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_meet_only_whole_truths),
        cmocka_unit_test(a_cleaner_works_beside_all_others),
    };

    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
