/* What is damaged stays small; what time it is; verify and salvage. */
#include "config.h"

#include "kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/endian.h"
#include "base/limits.h"
#include "record/batch.h"

struct bed {
    struct segcache *cache;
    char *folder;
    struct plog *plog;
    struct plog_config config;
    struct model model;
    struct arena arena;
};

static void
bed_open(struct bed *b, uint32_t segment_bytes)
{
    *b = (struct bed){
        .cache = segcache_new(world_real(), 4, MIB),
        .folder = kit_folder(),
        .config = {.segment_bytes = segment_bytes},
    };
    arena_init(&b->arena, 8 * MIB);
    assert_int_equal(plog_open(b->cache, b->folder, &b->config, NULL,
        &b->plog, NULL), 0);
}

static struct plog_state
bed_state(struct bed *b)
{
    struct plog_state st;

    assert_int_equal(plog_sync(b->plog, NULL), 0);
    plog_state_get(b->plog, &st);
    return st;
}

static void
bed_reopen(struct bed *b, const struct plog_state *st)
{
    plog_close(b->plog);
    assert_int_equal(plog_open(b->cache, b->folder, &b->config, st, &b->plog,
        NULL), 0);
}

/* And without an index. */
static void
bed_forget(struct bed *b, const struct plog_state *st)
{
    bed_reopen(b, st);
    remove(kit_path(b->folder, &st->segments[0], ".index"));
}

static void
bed_close(struct bed *b)
{
    arena_release(&b->arena);
    plog_close(b->plog);
    segcache_free(b->cache);
    kit_folder_remove(b->folder);
    model_release(&b->model);
}

/* Where a batch of the model stands in its segment. */
static long
place_of(const struct model *m, const struct plog_segment *s, int64_t offset)
{
    long pos = 0;

    for (const struct plog_chunk *c = model_at(m, s->base_offset);
         c->last_offset < offset; c = model_at(m, c->last_offset + 1))
        pos += (long)c->bytes.len;
    return pos;
}

/* Reads at every offset. Those in [from, to) must be damaged and say so. */
static void
expect_damage(struct bed *b, int64_t from, int64_t to)
{
    struct plog_extent x;

    plog_extent(b->plog, &x);
    for (int64_t offset = x.log_start; offset < x.written; offset++) {
        struct plog_want want = {offset, INT64_MAX, 1000};
        struct plog_got got;
        struct buf out;

        if (offset < from || offset >= to) {
            model_read_check(&b->model, b->plog, offset, 400);
            continue;
        }
        buf_init(&out, MIB);
        assert_int_equal(plog_read(b->plog, &want, &out, &got, NULL),
            PLOG_DAMAGED);
        assert_int_equal(got.damage.offset, from);
        assert_int_equal(got.damage.resume_offset, to);
        assert_int_equal(out.len, 0);
        buf_release(&out);
    }
}

/* Each byte of a header, and some of the body, is hit in turn: only this
 * batch is lost, with an index and without. The masks make the length longer
 * in one case, shorter in the other. */
static void
hit_each_byte(uint8_t mask)
{
    enum { HIT = 137 };
    struct plog_state st;
    struct bed b;
    long pos;

    bed_open(&b, 0);
    model_simple(&b.model, b.plog, 300);
    st = bed_state(&b);
    pos = place_of(&b.model, &st.segments[0], HIT);
    for (long at = 0; at < 140; at += at < BATCH_HEADER ? 1 : 13) {
        char log[300];

        snprintf(log, sizeof log, "%s",
            kit_path(b.folder, &st.segments[0], ".log"));
        if (at >= 12 && at < 16)
            continue;            /* leader epoch: nobody can tell */
        /* an index that knows nothing of damage */
        bed_forget(&b, &st);
        model_read_check(&b.model, b.plog, 299, 300);
        kit_flip(log, pos + at, mask);
        model_read_check(&b.model, b.plog, HIT + 1, 300);
        expect_damage(&b, HIT, HIT + 1);
        bed_forget(&b, &st);
        expect_damage(&b, HIT, HIT + 1);
        kit_flip(log, pos + at, mask);
        model_read_all(&b.model, b.plog);
    }
    plog_state_release(&st);
    bed_close(&b);
}

static void
one_damaged_batch_is_all_that_is_lost(void **state)
{
    hit_each_byte(0x10);
    hit_each_byte(0x20);
}

static void
first_and_last_batches_may_be_hit(void **state)
{
    static const int64_t hits[] = {0, 99};

    for (size_t i = 0; i < 2; i++) {
        struct plog_state st;
        struct bed b;

        bed_open(&b, 0);
        model_simple(&b.model, b.plog, 100);
        st = bed_state(&b);
        kit_flip(kit_path(b.folder, &st.segments[0], ".log"),
            place_of(&b.model, &st.segments[0], hits[i]) + 10, 0x01);
        expect_damage(&b, hits[i], hits[i] + 1);
        plog_state_release(&st);
        bed_close(&b);
    }
}

static void
a_batch_in_a_value_is_not_taken_for_one(void **state)
{
    struct kit_spec inner_spec = {.base = 12, .records = 1,
        .value_size = 50, .epoch = 1};
    struct kit_batch inner = kit_batch(&inner_spec);
    struct batch_builder builder;
    struct batch_build build = BATCH_BUILD_PLAIN;
    struct plog_state st;
    struct plog_chunk c;
    struct buf buf;
    struct bed b;

    /* Batch 10-14 has a batch 12-12 in its second value. */
    bed_open(&b, 0);
    model_simple(&b.model, b.plog, 10);
    buf_init(&buf, MIB);
    batch_builder_init(&builder, &buf);
    for (int i = 0; i < 5; i++)
        batch_builder_add(&builder, 1000 + i, SPAN_NULL, inner.chunk.bytes,
            NULL, 0);
    assert_int_equal(batch_builder_end(&builder, &build, NULL), 0);
    batch_stamp(buf.ptr, 10, 0);
    c = (struct plog_chunk){99, 10, 14, 1004, buf_span(&buf)};
    model_add(&b.model, &(struct kit_spec){.records = 5, .epoch = 99});
    assert_int_equal(plog_append(b.plog, &c, 1, NULL), 0);
    model_simple(&b.model, b.plog, 20);
    st = bed_state(&b);
    kit_flip(kit_path(b.folder, &st.segments[0], ".log"),
        place_of(&b.model, &st.segments[0], 10) + 16, 0x40);
    expect_damage(&b, 10, 15);
    plog_state_release(&st);
    buf_release(&buf);
    kit_batch_free(&inner);
    bed_close(&b);
}

static void
a_missing_file_is_damage_to_its_end(void **state)
{
    struct plog_want want = {7, INT64_MAX, 1000};
    struct plog_found found;
    struct plog_state st;
    struct plog_got got;
    struct buf out;
    struct bed b;

    bed_open(&b, 1000);
    model_simple(&b.model, b.plog, 20);
    st = bed_state(&b);
    remove(kit_path(b.folder, &st.segments[1], ".log"));
    buf_init(&out, MIB);
    assert_int_equal(plog_read(b.plog, &want, &out, &got, NULL),
        PLOG_DAMAGED);
    assert_int_equal(got.damage.resume_offset, 10);
    model_read_check(&b.model, b.plog, 10, 1000);
    assert_int_equal(plog_find_time(b.plog, 1060, &b.arena, &found, NULL),
        PLOG_OK);
    assert_int_equal(found.offset, 10);
    /* cut short: the rest of it can be read */
    assert_int_equal(truncate(kit_path(b.folder, &st.segments[2], ".log"),
        place_of(&b.model, &st.segments[2], 12) + 3), 0);
    model_read_check(&b.model, b.plog, 11, 100);
    want.offset = 12;
    assert_int_equal(plog_read(b.plog, &want, &out, &got, NULL),
        PLOG_DAMAGED);
    assert_int_equal(got.damage.offset, 12);
    assert_int_equal(got.damage.resume_offset, 15);
    buf_release(&out);
    plog_state_release(&st);
    bed_close(&b);
}

/* ------------------------------------------------------------------ index */

static void
a_wrong_index_harms_nothing(void **state)
{
    struct segcache_counts counts;
    struct plog_state st;
    const char *index;
    struct bed b;
    long size;

    bed_open(&b, 100000);
    model_simple(&b.model, b.plog, 700);
    st = bed_state(&b);
    assert_int_equal(st.segment_count, 2);
    index = kit_path(b.folder, &st.segments[0], ".index");
    size = kit_size(index);
    assert_true(size > 48 + 16 * 10);
    for (long at = 0; at < size; at += at < 64 ? 1 : 31) {
        bed_reopen(&b, &st);
        kit_flip(kit_path(b.folder, &st.segments[0], ".index"), at, 0x02);
        for (int64_t o = 0; o < 700; o += 83)
            model_read_check(&b.model, b.plog, o, 500);
        kit_flip(kit_path(b.folder, &st.segments[0], ".index"), at, 0x02);
    }
    segcache_counts(b.cache, &counts);
    assert_int_equal(counts.index_rebuilds, 0);  /* CRCs told before */
    plog_state_release(&st);
    bed_close(&b);
}

/* An index that is whole, but of another file: as if a restore had mixed
 * folders. */
static void
a_lying_index_is_found_out(void **state)
{
    struct segcache_counts counts;
    struct plog_state st, other;
    struct bed b, c;
    char from[300], to[300], command[700];

    bed_open(&b, 100000);
    bed_open(&c, 100000);
    model_simple(&b.model, b.plog, 700);
    for (int i = 0; i < 700; i++) {
        model_add(&c.model, &(struct kit_spec){.records = 1,
            .value_size = 100 + (size_t)i % 3, .timestamp = 1000,
            .epoch = (uint64_t)i + 1});
        assert_int_equal(model_append(&c.model, c.plog, (size_t)i, 1, NULL),
            0);
    }
    st = bed_state(&b);
    other = bed_state(&c);
    snprintf(from, sizeof from, "%s",
        kit_path(c.folder, &other.segments[0], ".index"));
    snprintf(to, sizeof to, "%s",
        kit_path(b.folder, &st.segments[0], ".index"));
    snprintf(command, sizeof command, "cp %s %s", from, to);
    assert_int_equal(system(command), 0);
    bed_reopen(&b, &st);
    model_read_all(&b.model, b.plog);
    segcache_counts(b.cache, &counts);
    assert_true(counts.index_rebuilds >= 1);
    assert_true(counts.index_rebuilds <= 3);
    plog_state_release(&st);
    plog_state_release(&other);
    bed_close(&b);
    bed_close(&c);
}

/* ------------------------------------------------------------------- time */

static void
find_by_time_gives_the_first_record(void **state)
{
    static const uint16_t codecs[] = {CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY,
        CODEC_LZ4, CODEC_ZSTD};
    struct plog_found found;
    struct bed b;

    bed_open(&b, 2000);
    for (int i = 0; i < 100; i++) {
        model_add(&b.model, &(struct kit_spec){.records = 10,
            .value_size = 30, .timestamp = 1000 + 100 * i, .step = 10,
            .attributes = codecs[i % 5], .epoch = (uint64_t)i});
        assert_int_equal(model_append(&b.model, b.plog, (size_t)i, 1, NULL),
            0);
    }
    for (int64_t ts = 0; ts < 11000; ts += 37) {
        int64_t want = ts <= 1000 ? 0 : (ts - 1000 + 9) / 10;

        assert_int_equal(plog_find_time(b.plog, ts, &b.arena, &found, NULL),
            want > 999 ? PLOG_END : PLOG_OK);
        if (want <= 999) {
            assert_int_equal(found.offset, want);
            assert_int_equal(found.timestamp, 1000 + 10 * want);
        }
    }
    assert_int_equal(plog_max_timestamp(b.plog, &b.arena, &found, NULL),
        PLOG_OK);
    assert_int_equal(found.offset, 999);
    /* not below the log start */
    plog_trim(b.plog, 555);
    assert_int_equal(plog_find_time(b.plog, 0, &b.arena, &found, NULL),
        PLOG_OK);
    assert_int_equal(found.offset, 555);
    bed_close(&b);
}

static void
max_timestamp_is_the_first_of_the_highest(void **state)
{
    static const int64_t stamps[] = {10, 90, 30, 90, 20, 60, 60, 5};
    struct plog_found found;
    struct bed b;

    bed_open(&b, 0);
    assert_int_equal(plog_max_timestamp(b.plog, &b.arena, &found, NULL),
        PLOG_END);
    for (size_t i = 0; i < 8; i++) {
        model_add(&b.model, &(struct kit_spec){.records = 1,
            .value_size = 30, .timestamp = stamps[i], .epoch = i});
        assert_int_equal(model_append(&b.model, b.plog, i, 1, NULL), 0);
    }
    assert_int_equal(plog_max_timestamp(b.plog, &b.arena, &found, NULL),
        PLOG_OK);
    assert_int_equal(found.offset, 1);
    /* The segment's own maximum is below the log start now. */
    plog_trim(b.plog, 4);
    assert_int_equal(plog_max_timestamp(b.plog, &b.arena, &found, NULL),
        PLOG_OK);
    assert_int_equal(found.offset, 5);
    assert_int_equal(found.timestamp, 60);
    /* and a log start within a batch whose maximum is below it */
    model_add(&b.model, &(struct kit_spec){.records = 3, .value_size = 3,
        .timestamp = 200, .step = -50, .epoch = 9});
    assert_int_equal(model_append(&b.model, b.plog, 8, 1, NULL), 0);
    plog_trim(b.plog, 9);
    assert_int_equal(plog_max_timestamp(b.plog, &b.arena, &found, NULL),
        PLOG_OK);
    assert_int_equal(found.offset, 9);
    assert_int_equal(found.timestamp, 150);
    bed_close(&b);
}

static void
find_by_time_passes_over_damage(void **state)
{
    struct plog_found found;
    struct plog_state st;
    struct bed b;

    bed_open(&b, 0);
    model_simple(&b.model, b.plog, 100);
    st = bed_state(&b);
    kit_flip(kit_path(b.folder, &st.segments[0], ".log"),
        place_of(&b.model, &st.segments[0], 50) + 70, 0x01);
    kit_flip(kit_path(b.folder, &st.segments[0], ".log"),
        place_of(&b.model, &st.segments[0], 52) + 9, 0x01);
    assert_int_equal(plog_find_time(b.plog, 1500, &b.arena, &found, NULL),
        PLOG_OK);
    assert_int_equal(found.offset, 51);
    assert_int_equal(plog_find_time(b.plog, 1520, &b.arena, &found, NULL),
        PLOG_OK);
    assert_int_equal(found.offset, 53);
    plog_state_release(&st);
    bed_close(&b);
}

/* ------------------------------------------------------ verify and salvage */

struct findings {
    int count[PLOG_FINDING_TAIL + 1];
    int64_t offset;              /* of the last one */
};

static void
finding_count(void *arg, const struct plog_finding *f)
{
    struct findings *all = arg;

    all->count[f->kind]++;
    all->offset = f->where.offset;
    assert_true(strlen(f->text) > 10);
}

static void
verify_finds_what_is_wrong(void **state)
{
    struct findings all = {0};
    struct plog_state st;
    struct bed b;

    bed_open(&b, 20000);
    model_simple(&b.model, b.plog, 400);
    st = bed_state(&b);
    assert_true(st.segment_count > 3);
    assert_int_equal(plog_verify(b.plog, finding_count, &all, NULL), 0);
    for (int i = 0; i <= PLOG_FINDING_TAIL; i++)
        assert_int_equal(all.count[i], 0);

    kit_flip(kit_path(b.folder, &st.segments[0], ".log"),
        place_of(&b.model, &st.segments[0], 20) + 80, 0x01);
    kit_flip(kit_path(b.folder, &st.segments[0], ".log"),
        place_of(&b.model, &st.segments[0], 70) + 9, 0x01);
    kit_flip(kit_path(b.folder, &st.segments[1], ".index"), 60, 0x01);
    remove(kit_path(b.folder, &st.segments[2], ".log"));
    remove(kit_path(b.folder, &st.segments[3], ".index"));
    bed_reopen(&b, &st);
    assert_int_equal(plog_verify(b.plog, finding_count, &all, NULL), 0);
    assert_int_equal(all.count[PLOG_FINDING_BATCH], 2);
    assert_int_equal(all.count[PLOG_FINDING_INDEX], 1);
    assert_int_equal(all.count[PLOG_FINDING_FILE], 1);
    plog_state_release(&st);
    bed_close(&b);
}

static void
salvage_goes_up_to_the_first_damage(void **state)
{
    struct findings all = {0};
    struct plog_state st, got;
    struct world *w = world_real();
    struct bed b;

    bed_open(&b, 1000);
    model_simple(&b.model, b.plog, 38);      /* 5 a segment, 8 of them */
    st = bed_state(&b);
    assert_int_equal(plog_salvage_scan(w, b.folder, 0, &got, finding_count,
        &all, NULL), 0);
    assert_int_equal(got.segment_count, st.segment_count);
    kit_segments_equal(got.segments, st.segments,
        st.segment_count);
    plog_state_release(&got);
    /* garbage at the end is usual */
    kit_write(kit_path(b.folder, &st.segments[7], ".log"),
        st.segments[7].size, "garbage", 7);
    assert_int_equal(plog_salvage_scan(w, b.folder, 0, &got, finding_count,
        &all, NULL), 0);
    assert_int_equal(got.written, 38);
    assert_int_equal(all.count[PLOG_FINDING_TAIL], 1);
    plog_state_release(&got);

    kit_flip(kit_path(b.folder, &st.segments[5], ".log"),
        place_of(&b.model, &st.segments[5], 27) + 80, 0x01);
    assert_int_equal(plog_salvage_scan(w, b.folder, 12, &got, finding_count,
        &all, NULL), 0);
    assert_int_equal(got.log_start, 12);
    assert_int_equal(got.written, 27);
    assert_int_equal(all.count[PLOG_FINDING_BATCH], 1);
    assert_int_equal(all.offset, 27);
    assert_int_equal(got.segments[0].base_offset, 10);
    /* what comes out can be opened and goes on */
    bed_reopen(&b, &got);
    model_read_all(&b.model, b.plog);
    assert_int_equal(model_append(&b.model, b.plog, 0, 38, NULL), 0);
    model_read_all(&b.model, b.plog);
    plog_state_release(&got);

    remove(kit_path(b.folder, &st.segments[2], ".log"));
    assert_int_equal(plog_salvage_scan(w, b.folder, 0, &got, finding_count,
        &all, NULL), 0);
    assert_int_equal(got.written, 10);
    assert_int_equal(all.count[PLOG_FINDING_GAP], 1);
    plog_state_release(&got);
    assert_int_equal(plog_salvage_scan(w, b.folder, 17, &got, NULL, NULL,
        NULL), 0);
    assert_int_equal(got.log_start, 17);
    plog_state_release(&got);
    plog_state_release(&st);
    bed_close(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_damaged_batch_is_all_that_is_lost),
        cmocka_unit_test(first_and_last_batches_may_be_hit),
        cmocka_unit_test(a_batch_in_a_value_is_not_taken_for_one),
        cmocka_unit_test(a_missing_file_is_damage_to_its_end),
        cmocka_unit_test(a_wrong_index_harms_nothing),
        cmocka_unit_test(a_lying_index_is_found_out),
        cmocka_unit_test(find_by_time_gives_the_first_record),
        cmocka_unit_test(max_timestamp_is_the_first_of_the_highest),
        cmocka_unit_test(find_by_time_passes_over_damage),
        cmocka_unit_test(verify_finds_what_is_wrong),
        cmocka_unit_test(salvage_goes_up_to_the_first_damage),
    };

    return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}
