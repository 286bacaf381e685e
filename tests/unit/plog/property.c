/*
 * Random operations on a plog against a model that holds all batches in
 * memory: append, read, trim, checkpoint, unlink, stop and start, crash. A
 * crash goes back to the last checkpoint's state, does to the files what a
 * power cut may do, and replays. After each step everything that the log
 * says must be what the model has.
 */
#include "config.h"

#include "kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/batch.h"

enum { STEPS = 500, LOGS = 6 };

struct trim {
    size_t after;                /* batches appended before it */
    int64_t log_start;
};

struct run {
    struct dice dice;
    struct segcache *cache;
    struct plog_config config;
    char path[200];
    struct plog *plog;
    struct model model;
    size_t appended;             /* batches of the model */
    int64_t timestamp;
    int64_t log_start;
    struct plog_state durable;
    struct trim trims[STEPS];    /* in the order of the frames */
    size_t trim_count, trims_durable;
};

static void
run_add_batches(struct run *r)
{
    static const uint16_t codecs[] = {CODEC_NONE, CODEC_NONE, CODEC_NONE,
        CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD};
    size_t n = 1 + dice_roll(&r->dice, 20);

    for (size_t i = 0; i < n; i++) {
        struct kit_spec spec = {
            .records = 1 + (int)dice_roll(&r->dice, 5),
            .value_size = dice_roll(&r->dice, 400),
            .timestamp = r->timestamp - (int64_t)dice_roll(&r->dice, 50),
            .step = 1,
            .attributes = codecs[dice_roll(&r->dice, 7)],
            .epoch = 1 + r->model.count / 3,
        };

        model_add(&r->model, &spec);
        r->timestamp += (int64_t)dice_roll(&r->dice, 30);
    }
}

static void
run_append_rest(struct run *r)
{
    while (r->appended < r->model.count) {
        size_t n = 1 + dice_roll(&r->dice, r->model.count - r->appended);
        struct err err = {0};

        if (model_append(&r->model, r->plog, r->appended, n, &err) != 0) {
            print_error("%s\n", err.text);
            fail();
        }
        r->appended += n;
    }
}

static void
run_append(struct run *r)
{
    run_add_batches(r);
    run_append_rest(r);
}

static void
run_trim(struct run *r)
{
    int64_t end, to;

    /* Sometimes ahead of what is written: as a DeleteRecords up to the high
     * watermark. */
    if (dice_roll(&r->dice, 4) == 0)
        run_add_batches(r);
    end = model_end(&r->model);
    to = r->log_start + (int64_t)dice_roll(&r->dice,
        (uint64_t)(end - r->log_start) / (1 + dice_roll(&r->dice, 3)) + 1);
    if (to > r->log_start) {
        plog_trim(r->plog, to);
        r->log_start = to;
        r->trims[r->trim_count++] = (struct trim){r->appended, to};
    }
    run_append_rest(r);
}

static void
run_checkpoint(struct run *r)
{
    plog_state_release(&r->durable);
    assert_int_equal(plog_sync(r->plog, NULL), 0);
    assert_false(plog_dirty(r->plog));
    plog_state_get(r->plog, &r->durable);
    r->trims_durable = r->trim_count;
    if (dice_roll(&r->dice, 2) == 0) {
        assert_int_equal(plog_unlink_doomed(r->plog, NULL), 0);
        assert_int_equal(plog_doomed(r->plog), 0);
    }
}

/* Stops and starts in order. */
static void
run_reopen(struct run *r)
{
    run_checkpoint(r);
    plog_close(r->plog);
    assert_int_equal(plog_open(r->cache, r->path, &r->config, &r->durable,
        &r->plog, NULL), 0);
}

/* The file of a segment that was written after the checkpoint. */
static void
wreck_file(struct run *r, const char *path, long keep)
{
    static uint8_t junk[6000];
    long size = kit_size(path);

    if (size < 0)
        return;
    memset(junk, (int)dice_roll(&r->dice, 3) * 0x55, sizeof junk);
    switch (dice_roll(&r->dice, 5)) {
    case 0:
        if (keep == 0)
            remove(path);
        else
            assert_int_equal(truncate(path, keep), 0);
        break;
    case 1:
        assert_int_equal(truncate(path,
            keep + (long)dice_roll(&r->dice, (uint64_t)(size - keep) + 1)), 0);
        break;
    case 2:
        kit_write(path, keep, junk, sizeof junk);
        break;
    case 3:
        if (size > keep)
            kit_flip(path, keep + (long)dice_roll(&r->dice,
                (uint64_t)(size - keep)), 0x40);
        break;
    default:
        break;
    }
}

static void
wreck_index(struct run *r, const char *path)
{
    long size = kit_size(path);

    if (size <= 0)
        return;
    switch (dice_roll(&r->dice, 4)) {
    case 0:
        remove(path);
        break;
    case 1:
        assert_int_equal(truncate(path,
            (long)dice_roll(&r->dice, (uint64_t)size)), 0);
        break;
    case 2:
        kit_flip(path, (long)dice_roll(&r->dice, (uint64_t)size), 0x04);
        break;
    default:
        break;
    }
}

static void
wreck(struct run *r, const struct plog_state *lost)
{
    for (size_t i = 0; i < lost->segment_count; i++) {
        const struct plog_segment *s = &lost->segments[i];
        const struct plog_state *d = &r->durable;
        size_t j = 0;

        while (j < d->segment_count &&
            d->segments[j].base_offset != s->base_offset)
            j++;
        wreck_index(r, kit_path(r->path, s, ".index"));
        /* What was sealed at the checkpoint was not touched since. */
        if (j + 1 >= d->segment_count)
            wreck_file(r, kit_path(r->path, s, ".log"),
                j < d->segment_count ? d->segments[j].size : 0);
    }
}

/* What follows from the frames after the checkpoint, as they came. */
static void
replay(struct run *r)
{
    size_t from = 0;

    for (size_t i = r->trims_durable; i <= r->trim_count; i++) {
        size_t to = i < r->trim_count ? r->trims[i].after : r->appended;

        assert_int_equal(
            model_append(&r->model, r->plog, from, to - from, NULL), 0);
        if (i < r->trim_count)
            plog_trim(r->plog, r->trims[i].log_start);
        from = to;
    }
}

static void
run_crash(struct run *r)
{
    struct plog_state lost, again;

    plog_state_get(r->plog, &lost);
    plog_close(r->plog);
    wreck(r, &lost);
    assert_int_equal(plog_open(r->cache, r->path, &r->config, &r->durable,
        &r->plog, NULL), 0);
    plog_check(r->plog);
    model_read_all(&r->model, r->plog);
    replay(r);
    plog_state_get(r->plog, &again);
    assert_int_equal(again.log_start, lost.log_start);
    assert_int_equal(again.written, lost.written);
    assert_int_equal(again.segment_count, lost.segment_count);
    if (lost.segment_count > 0)
        kit_segments_equal(again.segments, lost.segments,
            lost.segment_count);
    plog_state_release(&lost);
    plog_state_release(&again);
}

static void
run_find(struct run *r)
{
    int64_t ts = (int64_t)dice_roll(&r->dice, (uint64_t)r->timestamp + 100);
    struct plog_found found;
    struct arena arena;
    int64_t want = -1;
    enum plog_status status;

    for (size_t i = 0; i < r->model.count && want < 0; i++) {
        const struct plog_chunk *c = &r->model.batches[i].chunk;
        int64_t first = c->max_timestamp - (c->last_offset - c->base_offset);

        for (int64_t o = c->base_offset; o <= c->last_offset; o++) {
            if (o >= r->log_start && first + (o - c->base_offset) >= ts) {
                want = o;
                break;
            }
        }
    }
    arena_init(&arena, 4 * MIB);
    status = plog_find_time(r->plog, ts, &arena, &found, NULL);
    assert_int_equal(status, want < 0 ? PLOG_END : PLOG_OK);
    if (want >= 0) {
        assert_int_equal(found.offset, want);
        assert_true(found.timestamp >= ts);
    }
    assert_int_equal(arena.used, 0);
    arena_release(&arena);
}

/* Indexes may be: the crashes do that. */
static void
no_finding(void *arg, const struct plog_finding *f)
{
    if (f->kind == PLOG_FINDING_INDEX)
        return;
    print_error("%s\n", f->text);
    fail();
}

static void
salvage_finding(void *arg, const struct plog_finding *f)
{
    if (f->kind == PLOG_FINDING_TAIL)
        return;
    print_error("salvage: %s\n", f->text);
}

static void
run_step(struct run *r)
{
    uint64_t roll = dice_roll(&r->dice, 100);

    if (roll < 35)
        run_append(r);
    else if (roll < 70)
        model_read_check(&r->model, r->plog,
            (int64_t)dice_roll(&r->dice, (uint64_t)model_end(&r->model) + 2),
            dice_roll(&r->dice, 20000));
    else if (roll < 78)
        run_trim(r);
    else if (roll < 86)
        run_find(r);
    else if (roll < 93)
        run_checkpoint(r);
    else if (roll < 96)
        run_reopen(r);
    else if (roll < 99)
        run_crash(r);
    else
        assert_int_equal(plog_verify(r->plog, no_finding, NULL, NULL), 0);
}

static void
run_log(struct dice dice, uint32_t segment_bytes)
{
    char *folder = kit_folder();
    struct plog_state salvaged;
    struct run *r = xcalloc(1, sizeof *r);
    struct plog_extent x;

    r->dice = dice;
    r->cache = segcache_new(world_real(), 3, 2000);
    r->config = (struct plog_config){.segment_bytes = segment_bytes,
        .segment_ms = 2000, .index_interval = 512};
    r->timestamp = 1000;
    snprintf(r->path, sizeof r->path, "%s/0", folder);
    assert_int_equal(
        plog_open(r->cache, r->path, &r->config, NULL, &r->plog, NULL), 0);
    for (int i = 0; i < STEPS; i++) {
        run_step(r);
        plog_check(r->plog);
        plog_extent(r->plog, &x);
        assert_int_equal(x.log_start, r->log_start);
        assert_int_equal(x.written, model_end(&r->model));
    }
    model_read_all(&r->model, r->plog);

    /* The files alone tell the same. */
    run_checkpoint(r);
    assert_int_equal(plog_unlink_doomed(r->plog, NULL), 0);
    assert_int_equal(plog_salvage_scan(world_real(), r->path, r->log_start,
        &salvaged, salvage_finding, NULL, NULL), 0);
    assert_int_equal(salvaged.segment_count, r->durable.segment_count);
    kit_segments_equal(salvaged.segments, r->durable.segments,
        salvaged.segment_count);
    assert_int_equal(salvaged.written, r->durable.written);
    assert_int_equal(salvaged.log_start, r->durable.log_start);

    plog_state_release(&salvaged);
    plog_state_release(&r->durable);
    plog_close(r->plog);
    segcache_free(r->cache);
    model_release(&r->model);
    free(r);
    kit_folder_remove(folder);
}

static void
a_log_says_what_the_model_says(void **state)
{
    struct dice dice = dice_seeded();

    for (int i = 0; i < LOGS; i++) {
        dice_roll(&dice, 2);
        run_log(dice, i % 2 == 0 ? 3000 : 60000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_says_what_the_model_says),
    };

    return cmocka_run_group_tests_name("property", tests, NULL, NULL);
}
