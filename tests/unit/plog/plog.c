/* A plog, behaviour by behaviour: writing, rolling, trimming, the state. */
#include "config.h"

#include "kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "plog/plog_priv.h"

struct bed {                     /* a log with its model */
    struct segcache *cache;
    char *folder;
    char path[200];              /* does not exist at first */
    struct plog *plog;
    struct model model;
};

static void
bed_open(struct bed *b, const struct plog_config *config)
{
    *b = (struct bed){.cache = segcache_new(world_real(), 16, 1 * MIB)};
    b->folder = kit_folder();
    snprintf(b->path, sizeof b->path, "%s/0", b->folder);
    assert_int_equal(
        plog_open(b->cache, b->path, config, NULL, &b->plog, NULL), 0);
}

/* As a process that stops and starts again at this state. */
static void
bed_reopen(struct bed *b, const struct plog_config *config,
    const struct plog_state *st)
{
    plog_close(b->plog);
    assert_int_equal(
        plog_open(b->cache, b->path, config, st, &b->plog, NULL), 0);
    plog_check(b->plog);
}

static void
bed_close(struct bed *b)
{
    plog_check(b->plog);
    plog_close(b->plog);
    segcache_free(b->cache);
    kit_folder_remove(b->folder);
    model_release(&b->model);
}

static struct plog_state
checkpoint(struct plog *p)
{
    struct plog_state st;

    assert_int_equal(plog_sync(p, NULL), 0);
    plog_state_get(p, &st);
    return st;
}

/* ------------------------------------------------------------------ tests */

static void
opening_many_touches_no_file(void **state)
{
    enum { MANY = 20000 };
    struct plog **plogs = xcalloc(MANY, sizeof(struct plog *));
    struct plog_segment one = {0, 1, 1000, 9, 100, 200};
    struct plog_state st = {3, 10, &one, 1, NULL, 0};
    struct fault_world f;
    struct segcache *cache;
    unsigned calls = 0;

    fault_init(&f);
    cache = segcache_new(&f.world, 16, 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(plog_open(cache, "/nonexistent/topic/0", NULL, &st,
            &plogs[i], NULL), 0);
    for (int i = 0; i < MANY; i++) {
        plog_trim(plogs[i], 5);
        assert_false(plog_dirty(plogs[i]));
        plog_close(plogs[i]);
    }
    for (int i = 0; i < FAULT_OPS; i++)
        calls += f.calls[i];
    assert_int_equal(calls, 0);
    segcache_free(cache);
    free(plogs);
}

static void
what_is_appended_is_read(void **state)
{
    struct bed b;

    bed_open(&b, NULL);
    assert_int_equal(kit_files(b.path), -1);
    model_read_check(&b.model, b.plog, 0, 1000);
    model_simple(&b.model, b.plog, 50);
    model_read_all(&b.model, b.plog);
    model_read_check(&b.model, b.plog, 0, 1 << 20);
    model_read_check(&b.model, b.plog, 50, 1000);
    assert_int_equal(kit_files(b.path), 1);
    bed_close(&b);
}

static void
a_file_is_batches_and_nothing_else(void **state)
{
    struct plog_state st;
    struct bed b;
    long pos = 0;
    FILE *file;

    bed_open(&b, NULL);
    model_simple(&b.model, b.plog, 20);
    st = checkpoint(b.plog);
    assert_int_equal(st.segment_count, 1);
    assert_string_equal(strrchr(kit_path(b.path, &st.segments[0], ".log"),
        '/'), "/00000000000000000000-0000000000000001.log");
    file = fopen(kit_path(b.path, &st.segments[0], ".log"), "r");
    for (size_t i = 0; i < b.model.count; i++) {
        struct span bytes = b.model.batches[i].chunk.bytes;
        uint8_t *got = xmalloc(bytes.len);

        assert_int_equal(fread(got, 1, bytes.len, file), bytes.len);
        assert_memory_equal(got, bytes.ptr, bytes.len);
        pos += (long)bytes.len;
        free(got);
    }
    assert_int_equal(fgetc(file), EOF);
    assert_int_equal(pos, st.segments[0].size);
    fclose(file);
    plog_state_release(&st);
    bed_close(&b);
}

static void
rolls_before_segment_bytes_are_passed(void **state)
{
    struct plog_config config = {.segment_bytes = 1000};
    struct kit_spec big = {.records = 1, .value_size = 5000, .epoch = 77};
    struct plog_state st;
    struct bed b;

    bed_open(&b, &config);
    model_simple(&b.model, b.plog, 20);
    model_add(&b.model, &big);
    assert_int_equal(model_append(&b.model, b.plog, 20, 1, NULL), 0);
    model_simple(&b.model, b.plog, 1);
    st = checkpoint(b.plog);
    for (size_t i = 0; i < st.segment_count; i++) {
        const struct plog_segment *s = &st.segments[i];

        assert_int_equal(kit_size(kit_path(b.path, s, ".log")), s->size);
        if (s->size > 1000) {
            assert_int_equal(s->base_offset, s->last_offset);
            assert_int_equal(s->epoch, 77);
        }
    }
    assert_true(st.segment_count >= 5);
    model_read_all(&b.model, b.plog);
    plog_state_release(&st);
    bed_close(&b);
}

static void
rolls_by_batch_timestamps(void **state)
{
    struct plog_config config = {.segment_ms = 100};
    struct plog_state st;
    struct bed b;

    bed_open(&b, &config);
    model_simple(&b.model, b.plog, 30);      /* 10 ms apart */
    st = checkpoint(b.plog);
    assert_int_equal(st.segment_count, 3);
    assert_int_equal(st.segments[0].last_offset, 10);
    assert_int_equal(st.segments[0].first_timestamp, 1000);
    assert_int_equal(st.segments[0].max_timestamp, 1100);
    assert_int_equal(st.segments[1].base_offset, 11);
    plog_state_release(&st);
    bed_close(&b);
}

static void
rolls_before_relative_offsets_overflow(void **state)
{
    struct plog_state st;
    struct bed b;
    int64_t delta = INT32_MAX - 5;

    bed_open(&b, NULL);
    for (int i = 0; i < 2; i++) {
        struct plog_chunk *c = model_add(&b.model, &(struct kit_spec){
            .records = 1, .value_size = 10, .epoch = 5});

        put_be32((uint8_t *)(uintptr_t)c->bytes.ptr + 23, (uint32_t)delta);
        c->last_offset = c->base_offset + delta;
    }
    assert_int_equal(model_append(&b.model, b.plog, 0, 2, NULL), 0);
    st = checkpoint(b.plog);
    assert_int_equal(st.segment_count, 2);
    assert_int_equal(st.segments[1].base_offset, delta + 1);
    plog_state_release(&st);
    bed_close(&b);
}

static void
what_is_written_already_is_skipped(void **state)
{
    struct plog_extent x;
    struct bed b;
    struct err err = {0};
    struct plog_chunk lie;

    bed_open(&b, NULL);
    model_simple(&b.model, b.plog, 10);
    model_add(&b.model, &(struct kit_spec){.records = 3, .epoch = 11});
    model_add(&b.model, &(struct kit_spec){.records = 3, .epoch = 12});
    assert_int_equal(model_append(&b.model, b.plog, 0, 11, NULL), 0);
    plog_extent(b.plog, &x);
    assert_int_equal(x.written, 13);

    /* a contradiction to the header, an overlap, a gap */
    lie = b.model.batches[11].chunk;
    lie.last_offset--;
    assert_int_equal(plog_append(b.plog, &lie, 1, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
    lie = b.model.batches[10].chunk;
    put_be64((uint8_t *)(uintptr_t)lie.bytes.ptr, 12);
    lie.base_offset = 12;
    lie.last_offset = 14;
    assert_int_equal(plog_append(b.plog, &lie, 1, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
    put_be64((uint8_t *)(uintptr_t)lie.bytes.ptr, 14);
    lie.base_offset = 14;
    lie.last_offset = 16;
    assert_int_equal(plog_append(b.plog, &lie, 1, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
    put_be64((uint8_t *)(uintptr_t)lie.bytes.ptr, 10);

    /* none of it harms */
    assert_false(plog_poisoned(b.plog));
    assert_int_equal(model_append(&b.model, b.plog, 0, 12, NULL), 0);
    model_read_all(&b.model, b.plog);
    bed_close(&b);
}

static void
a_state_reopens(void **state)
{
    struct plog_config config = {.segment_bytes = 3000};
    struct plog_state st, again;
    struct bed b;

    bed_open(&b, &config);
    model_simple(&b.model, b.plog, 100);
    plog_trim(b.plog, 42);
    st = checkpoint(b.plog);
    assert_int_equal(st.log_start, 42);
    assert_int_equal(st.written, 100);
    bed_reopen(&b, &config, &st);
    model_read_all(&b.model, b.plog);
    model_simple(&b.model, b.plog, 100);
    model_read_all(&b.model, b.plog);
    plog_state_get(b.plog, &again);
    kit_segments_equal(again.segments, st.segments,
        (st.segment_count - 1));
    plog_state_release(&again);
    plog_state_release(&st);
    bed_close(&b);
}

static void
a_contradictory_state_is_refused(void **state)
{
    struct plog_segment s[2] = {
        {0, 1, 1000, 9, 1, 1}, {10, 2, 1000, 19, 1, 1}};
    struct segcache *cache = segcache_new(world_real(), 1, 0);
    struct plog *p;

#define REFUSED(start, end, n)                                                 \
    do {                                                                       \
        struct plog_state st = {start, end, s, n, NULL, 0};                    \
        struct err err = {0};                                                  \
        assert_int_equal(plog_open(cache, "/x", NULL, &st, &p, &err), -1);     \
        assert_int_equal(err.code, ERR_DAMAGE);                                \
        assert_null(p);                                                        \
    } while (0)

    REFUSED(0, 21, 2);
    REFUSED(21, 20, 2);
    REFUSED(-1, 20, 2);
    REFUSED(10, 20, 2);          /* the first one is wholly below */
    REFUSED(0, 5, 0);
    s[1].base_offset = 11;
    REFUSED(0, 20, 2);
    s[1].base_offset = 10;
    s[1].size = 60;
    REFUSED(0, 20, 2);
    s[1].size = 1000;
    s[1].last_offset = INT64_MAX;
    REFUSED(0, 20, 2);
    segcache_free(cache);
}

static void
replay_writes_over_what_a_crash_left(void **state)
{
    struct plog_config config = {.segment_bytes = 4000};
    static const uint8_t garbage[9000] = {1, 2, 3};
    struct plog_state st, end;
    struct bed b;

    bed_open(&b, &config);
    model_simple(&b.model, b.plog, 60);
    st = checkpoint(b.plog);
    model_simple(&b.model, b.plog, 60);
    plog_state_get(b.plog, &end);
    assert_true(end.segment_count >= st.segment_count + 2);
    plog_close(b.plog);

    /* Garbage behind the recorded end, and in files that came after; one
     * of these is missing. */
    kit_write(kit_path(b.path, &st.segments[st.segment_count - 1], ".log"),
        st.segments[st.segment_count - 1].size, garbage, sizeof garbage);
    kit_write(kit_path(b.path, &end.segments[st.segment_count], ".log"), 0,
        garbage, sizeof garbage);
    remove(kit_path(b.path, &end.segments[end.segment_count - 1], ".log"));

    b.plog = NULL;
    bed_reopen(&b, &config, &st);
    model_read_all(&b.model, b.plog);
    assert_int_equal(model_append(&b.model, b.plog, 0, 120, NULL), 0);
    model_read_all(&b.model, b.plog);
    plog_state_release(&st);
    st = checkpoint(b.plog);
    assert_int_equal(st.segment_count, end.segment_count);
    kit_segments_equal(st.segments, end.segments,
        st.segment_count);
    for (size_t i = 0; i < st.segment_count; i++)
        assert_int_equal(kit_size(kit_path(b.path, &st.segments[i], ".log")),
            st.segments[i].size);
    plog_state_release(&st);
    plog_state_release(&end);
    bed_close(&b);
}

static void
a_file_shorter_than_recorded_is_damage(void **state)
{
    struct plog_state st;
    struct err err = {0};
    struct bed b;

    bed_open(&b, NULL);
    model_simple(&b.model, b.plog, 10);
    st = checkpoint(b.plog);
    bed_reopen(&b, NULL, &st);
    remove(kit_path(b.path, &st.segments[0], ".log"));
    model_add(&b.model, &(struct kit_spec){.records = 1});
    assert_int_equal(model_append(&b.model, b.plog, 10, 1, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
    fclose(fopen(kit_path(b.path, &st.segments[0], ".log"), "w"));
    assert_int_equal(model_append(&b.model, b.plog, 10, 1, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
    assert_int_equal(kit_size(kit_path(b.path, &st.segments[0], ".log")), 0);
    plog_state_release(&st);
    bed_close(&b);
}

static void
trim_takes_whole_segments_but_the_last(void **state)
{
    struct plog_config config = {.segment_bytes = 1000};
    struct plog_extent x;
    struct bed b;

    bed_open(&b, &config);
    model_simple(&b.model, b.plog, 20);      /* 5 a segment */
    plog_trim(b.plog, 7);
    plog_extent(b.plog, &x);
    assert_int_equal(x.log_start, 7);
    assert_int_equal(x.segments, 3);
    assert_int_equal(plog_doomed(b.plog), 1);
    plog_trim(b.plog, 6);
    plog_extent(b.plog, &x);
    assert_int_equal(x.log_start, 7);
    model_read_all(&b.model, b.plog);
    plog_trim(b.plog, 20);
    plog_extent(b.plog, &x);
    assert_int_equal(x.segments, 1);
    plog_check(b.plog);
    model_simple(&b.model, b.plog, 3);
    plog_extent(b.plog, &x);
    assert_int_equal(x.log_start, 20);
    assert_int_equal(x.segments, 1);         /* the roll took 15-19 along */
    assert_int_equal(plog_doomed(b.plog), 4);
    model_read_all(&b.model, b.plog);
    bed_close(&b);
}

static void
trim_past_the_written_end_allows_a_gap(void **state)
{
    struct plog_extent x;
    struct err err = {0};
    struct bed b;

    bed_open(&b, NULL);
    model_simple(&b.model, b.plog, 10);
    for (int i = 0; i < 5; i++)              /* 10-14, 15-19, ... 30-34 */
        model_add(&b.model, &(struct kit_spec){
            .records = 5, .value_size = 10, .epoch = 100 + (uint64_t)i});
    plog_trim(b.plog, 22);                   /* in 20-24, not written yet */
    plog_extent(b.plog, &x);
    assert_int_equal(x.written, 22);
    assert_int_equal(x.segments, 0);
    plog_check(b.plog);
    model_read_check(&b.model, b.plog, 21, 100);
    model_read_check(&b.model, b.plog, 22, 100);

    assert_int_equal(model_append(&b.model, b.plog, 13, 1, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
    assert_int_equal(model_append(&b.model, b.plog, 10, 5, NULL), 0);
    plog_extent(b.plog, &x);
    assert_int_equal(x.written, 35);
    assert_int_equal(x.segments, 1);
    model_read_all(&b.model, b.plog);
    bed_close(&b);
}

static void
files_go_after_the_checkpoint_and_the_last_reader(void **state)
{
    struct plog_config config = {.segment_bytes = 1000};
    struct plog_state st;
    struct segview view;
    struct bed b;

    bed_open(&b, &config);
    model_simple(&b.model, b.plog, 20);      /* 4 segments, 3 indexes or 0 */
    st = checkpoint(b.plog);
    plog_state_release(&st);
    assert_true(plog_take_view(b.plog, 7, &view));
    plog_trim(b.plog, 12);
    assert_int_equal(plog_doomed(b.plog), 2);
    /* not in a checkpoint yet */
    assert_int_equal(plog_unlink_doomed(b.plog, NULL), 0);
    assert_int_equal(plog_doomed(b.plog), 2);
    st = checkpoint(b.plog);
    assert_int_equal(st.doomed_count, 2);
    assert_int_equal(st.doomed[1].base_offset, 5);
    plog_trim(b.plog, 15);
    assert_int_equal(plog_doomed(b.plog), 3);

    assert_int_equal(plog_unlink_doomed(b.plog, NULL), 0);
    assert_int_equal(plog_doomed(b.plog), 2);
    assert_int_equal(kit_size(kit_path(b.path, &(struct plog_segment){
        .base_offset = 0, .epoch = 1}, ".log")), -1);
    assert_true(kit_size(kit_path(b.path, &view.meta, ".log")) > 0);
    plog_give_view(b.plog, &view);
    assert_int_equal(plog_unlink_doomed(b.plog, NULL), 0);
    assert_int_equal(plog_doomed(b.plog), 1);
    assert_true(plog_dirty(b.plog));
    plog_state_release(&st);

    /* A crash before the unlink: the next process does it. */
    st = checkpoint(b.plog);
    assert_int_equal(st.doomed_count, 1);
    bed_reopen(&b, &config, &st);
    assert_int_equal(plog_doomed(b.plog), 1);
    assert_int_equal(plog_unlink_doomed(b.plog, NULL), 0);
    assert_int_equal(kit_files(b.path), 1);
    plog_state_release(&st);
    bed_close(&b);
}

static void
sweep_takes_what_nobody_knows(void **state)
{
    struct plog_config config = {.segment_bytes = 1000};
    struct plog_state st;
    struct bed b;

    bed_open(&b, &config);
    assert_int_equal(plog_sweep(b.plog, NULL), 0);   /* no folder yet */
    model_simple(&b.model, b.plog, 7);
    st = checkpoint(b.plog);
    model_simple(&b.model, b.plog, 20);
    bed_reopen(&b, &config, &st);
    fclose(fopen(kit_path(b.path, &(struct plog_segment){0}, ".txt"), "w"));
    assert_true(kit_files(b.path) > 3);
    assert_int_equal(plog_sweep(b.plog, NULL), 0);
    assert_int_equal(kit_files(b.path), 3);
    assert_true(plog_dirty(b.plog));
    model_read_all(&b.model, b.plog);
    plog_state_release(&st);
    bed_close(&b);
}

static void
retention_drops_the_oldest_sealed_below_the_limit(void **state)
{
    struct plog_config config = {.segment_bytes = 1000};
    struct plog_extent x;
    int64_t start = -5;
    struct bed b;

    bed_open(&b, &config);
    model_simple(&b.model, b.plog, 22);      /* last timestamp 1210 */
    plog_extent(b.plog, &x);
    assert_int_equal(x.segments, 5);
    assert_false(plog_expired(b.plog, -1, -1, 1 << 30, 100, &start));
    /* by time: newest of each is 1040, 1090, 1140, 1190 */
    assert_false(plog_expired(b.plog, 100, -1, 1140, 100, &start));
    assert_true(plog_expired(b.plog, 100, -1, 1141, 100, &start));
    assert_int_equal(start, 5);
    assert_true(plog_expired(b.plog, 100, -1, 1 << 30, 100, &start));
    assert_int_equal(start, 20);             /* never the last one */
    assert_true(plog_expired(b.plog, 100, -1, 1 << 30, 14, &start));
    assert_int_equal(start, 10);             /* wholly below the limit */
    assert_true(plog_expired(b.plog, 100, -1, 1 << 30, 15, &start));
    assert_int_equal(start, 15);
    /* by bytes: what is left is still at least that much */
    assert_true(plog_expired(b.plog, -1, (int64_t)x.bytes - 900, 0, 100,
        &start));
    assert_int_equal(start, 5);
    assert_false(plog_expired(b.plog, -1, (int64_t)x.bytes - 800, 0, 100,
        &start));
    assert_true(plog_expired(b.plog, -1, 0, 0, 100, &start));
    assert_int_equal(start, 20);
    plog_trim(b.plog, 20);
    assert_false(plog_expired(b.plog, 100, 0, 1 << 30, 100, &start));
    bed_close(&b);
}

static void
reads_stop_where_they_are_told(void **state)
{
    struct plog_want want = {5, 12, 1 << 20};
    struct plog_got got;
    struct buf out;
    struct err err = {0};
    struct bed b;

    bed_open(&b, NULL);
    model_simple(&b.model, b.plog, 20);
    buf_init(&out, 1 << 20);
    assert_int_equal(plog_read(b.plog, &want, &out, &got, NULL), PLOG_OK);
    assert_int_equal(got.next_offset, 12);
    assert_int_equal(got.count, 7);
    want.end_offset = 5;
    assert_int_equal(plog_read(b.plog, &want, &out, &got, NULL), PLOG_END);
    buf_release(&out);
    /* no room for one batch */
    want.end_offset = 12;
    buf_init(&out, 100);
    assert_int_equal(plog_read(b.plog, &want, &out, &got, &err), PLOG_FAILED);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(out.len, 0);
    buf_release(&out);
    bed_close(&b);
}

static void
descriptors_are_bounded(void **state)
{
    struct plog_config config = {.segment_bytes = 1000};
    struct segcache_counts counts;
    struct plog_state st;
    struct fault_world f;
    struct bed b = {.folder = kit_folder()};

    fault_init(&f);
    b.cache = segcache_new(&f.world, 4, 0);
    snprintf(b.path, sizeof b.path, "%s/0", b.folder);
    assert_int_equal(
        plog_open(b.cache, b.path, &config, NULL, &b.plog, NULL), 0);
    model_simple(&b.model, b.plog, 100);
    segcache_counts(b.cache, &counts);
    assert_int_equal(counts.writers, 20);
    st = checkpoint(b.plog);
    assert_int_equal(f.open_now, 0);
    for (int i = 0; i < 3; i++) {
        model_read_all(&b.model, b.plog);
        segcache_counts(b.cache, &counts);
        assert_int_equal(counts.writers, 0);
        assert_true(counts.open <= 4);
        assert_int_equal(counts.open, f.open_now);
        plog_check(b.plog);
    }
    assert_true(counts.evictions >= 40);
    plog_state_release(&st);
    bed_close(&b);
    assert_int_equal(f.open_now, 0);
}

/* A read far into a segment costs a handful of calls, not a walk. */
static unsigned
preads_of(struct fault_world *f, struct bed *b, int64_t offset)
{
    unsigned before = f->calls[FAULT_PREAD];

    model_read_check(&b->model, b->plog, offset, 1000);
    return f->calls[FAULT_PREAD] - before;
}

static void
the_index_spares_walking(void **state)
{
    struct plog_config config = {.segment_bytes = 900000};
    struct plog_state st;
    struct fault_world f;
    struct bed b = {.folder = kit_folder()};

    fault_init(&f);
    b.cache = segcache_new(&f.world, 4, 1 << 20);
    snprintf(b.path, sizeof b.path, "%s/0", b.folder);
    assert_int_equal(
        plog_open(b.cache, b.path, &config, NULL, &b.plog, NULL), 0);
    model_simple(&b.model, b.plog, 9000);
    st = checkpoint(b.plog);
    assert_int_equal(st.segment_count, 2);
    preads_of(&f, &b, 0);
    assert_true(preads_of(&f, &b, 5000) <= 2);
    assert_true(preads_of(&f, &b, 8900) <= 2);
    bed_reopen(&b, &config, &st);            /* kept at closing */
    preads_of(&f, &b, 0);
    assert_true(preads_of(&f, &b, 5000) <= 2);
    preads_of(&f, &b, 8999);
    assert_true(preads_of(&f, &b, 8900) <= 2);

    /* without the files: a walk, once */
    plog_close(b.plog);
    b.plog = NULL;
    remove(kit_path(b.path, &st.segments[0], ".index"));
    remove(kit_path(b.path, &st.segments[1], ".index"));
    bed_reopen(&b, &config, &st);
    assert_true(preads_of(&f, &b, 5000) > 20);
    assert_true(preads_of(&f, &b, 4990) <= 2);
    /* A resumed segment is sealed with a full index. */
    model_simple(&b.model, b.plog, 6000);
    plog_state_release(&st);
    st = checkpoint(b.plog);
    assert_int_equal(st.segment_count, 3);
    assert_true(kit_size(kit_path(b.path, &st.segments[1], ".index")) >
        16 * 180);
    plog_state_release(&st);
    bed_close(&b);
}

static void
a_folder_is_removed_with_all_below(void **state)
{
    char *folder = kit_folder();
    char topic[200], path[230];
    struct err err = {0};
    struct world *w = world_real();

    snprintf(topic, sizeof topic, "%s/topic", folder);
    assert_int_equal(plog_remove_folder(w, topic, NULL), 0);
    assert_int_equal(w->ops->mkdir(w, topic, 0755), 0);
    snprintf(path, sizeof path, "%s/identity", topic);
    fclose(fopen(path, "w"));
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%d", topic, i);
        assert_int_equal(w->ops->mkdir(w, path, 0755), 0);
        snprintf(path, sizeof path, "%s/%d/file", topic, i);
        fclose(fopen(path, "w"));
    }
    assert_int_equal(plog_remove_folder(w, topic, &err), 0);
    assert_int_equal(kit_files(topic), -1);
    assert_int_equal(kit_files(folder), 0);
    kit_folder_remove(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_many_touches_no_file),
        cmocka_unit_test(what_is_appended_is_read),
        cmocka_unit_test(a_file_is_batches_and_nothing_else),
        cmocka_unit_test(rolls_before_segment_bytes_are_passed),
        cmocka_unit_test(rolls_by_batch_timestamps),
        cmocka_unit_test(rolls_before_relative_offsets_overflow),
        cmocka_unit_test(what_is_written_already_is_skipped),
        cmocka_unit_test(a_state_reopens),
        cmocka_unit_test(a_contradictory_state_is_refused),
        cmocka_unit_test(replay_writes_over_what_a_crash_left),
        cmocka_unit_test(a_file_shorter_than_recorded_is_damage),
        cmocka_unit_test(trim_takes_whole_segments_but_the_last),
        cmocka_unit_test(trim_past_the_written_end_allows_a_gap),
        cmocka_unit_test(files_go_after_the_checkpoint_and_the_last_reader),
        cmocka_unit_test(sweep_takes_what_nobody_knows),
        cmocka_unit_test(retention_drops_the_oldest_sealed_below_the_limit),
        cmocka_unit_test(reads_stop_where_they_are_told),
        cmocka_unit_test(descriptors_are_bounded),
        cmocka_unit_test(the_index_spares_walking),
        cmocka_unit_test(a_folder_is_removed_with_all_below),
    };

    return cmocka_run_group_tests_name("plog", tests, NULL, NULL);
}
