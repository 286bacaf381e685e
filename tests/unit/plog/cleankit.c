/* cleankit.c: a log, its model, and whether they agree. */
#include "config.h"

#include "cleankit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

#define GROW(list, n, cap)                                                     \
    do {                                                                       \
        if ((n) == (cap)) {                                                    \
            (cap) = (cap) == 0 ? 64 : (cap) * 2;                               \
            (list) = xrealloc((list), (cap) * sizeof *(list));                 \
        }                                                                      \
    } while (0)

static struct span
value_of(const struct rec *r, uint8_t room[2000])
{
    struct dice d = {r->seed | 1};

    if (r->tombstone)
        return SPAN_NULL;
    for (size_t i = 0; i < r->size; i++)
        room[i] = i % 3 ? (uint8_t)i : (uint8_t)dice_roll(&d, 256);
    return span_of(room, r->size);
}

static struct span
key_of(const struct rec *r, char room[32])
{
    if (r->key < 0)
        return SPAN_NULL;
    return span_of((const uint8_t *)room,
        (size_t)snprintf(room, 32, "key-%d", r->key));
}

/* ---- making a log ---- */

void
log_open(struct log *l, const struct plog_state *st)
{
    struct err err;

    l->cache = segcache_new(world_real(), 4, 4096);
    if (plog_open(l->cache, l->path, &l->config, st, &l->plog, &err) != 0)
        fail_msg("%s", err.text);
    plog_check(l->plog);
}

void
log_close(struct log *l)
{
    plog_close(l->plog);
    segcache_free(l->cache);
}

void
log_init(struct log *l)
{
    memset(l, 0, sizeof *l);
    l->path = kit_folder();
    l->now = 1000000;
    l->timestamp = 900000;
    l->config = (struct plog_config){.segment_bytes = 3000,
        .index_interval = 512};
    for (int i = 0; i < PRODUCERS; i++)
        l->open[i] = l->last[i] = -1;
    log_open(l, NULL);
}

void
log_release(struct log *l)
{
    log_close(l);
    plog_state_release(&l->state);
    for (size_t i = 0; i < l->steps_n; i++)
        if (l->steps[i].kind == STEP_APPEND)
            free((void *)(uintptr_t)l->steps[i].chunk.bytes.ptr);
    free(l->steps);
    free(l->recs);
    free(l->heads);
    free(l->aborted);
    kit_folder_remove(l->path);
}

void
log_apply(struct log *l, const struct step *s)
{
    struct err err;

    switch (s->kind) {
    case STEP_APPEND:
        if (plog_append(l->plog, &s->chunk, 1, &err) != 0)
            fail_msg("%s", err.text);
        break;
    case STEP_SWAP:
        plog_swap(l->plog, &s->cleaned);
        break;
    case STEP_TRIM:
        plog_trim(l->plog, s->offset);
        break;
    }
    plog_check(l->plog);
}

void
log_journal(struct log *l, const struct step *s)
{
    GROW(l->steps, l->steps_n, l->steps_cap);
    l->steps[l->steps_n++] = *s;
}

static struct rec *
rec_add(struct log *l)
{
    GROW(l->recs, l->n, l->cap);
    l->recs[l->n] = (struct rec){.offset = (int64_t)l->n, .key = -1,
        .producer = -1, .present = true};
    return &l->recs[l->n++];
}

/* Builds what was added from `from` on as one batch. */
static void
batch_add(struct log *l, size_t from, struct batch_build build)
{
    struct batch_builder b;
    struct step s = {.kind = STEP_APPEND};
    struct buf buf;
    struct batch head;
    uint8_t value[2000];
    char key[32];

    buf_init(&buf, 1 << 20);
    batch_builder_init(&b, &buf);
    for (size_t i = from; i < l->n; i++) {
        const struct header h = {span_str("h"), span_str("x")};
        const struct rec *r = &l->recs[i];

        batch_builder_add(&b, r->timestamp, key_of(r, key),
            value_of(r, value), &h, i % 4 == 0);
    }
    assert_int_equal(batch_builder_end(&b, &build, NULL), 0);
    batch_stamp(buf.ptr, (int64_t)from, 7);
    assert_int_equal(batch_parse(buf_span(&buf), &head), BATCH_OK);
    s.chunk = (struct plog_chunk){.epoch = ++l->epoch,
        .base_offset = (int64_t)from,
        .last_offset = (int64_t)l->n - 1,
        .max_timestamp = head.max_timestamp};
    s.chunk.bytes.len = buf.len;
    s.chunk.bytes.ptr = buf_take(&buf, &s.chunk.bytes.len);
    GROW(l->heads, l->heads_n, l->heads_cap);
    l->heads[l->heads_n++] = (struct head_of){(int64_t)from,
        (int64_t)l->n - 1, head.producer_id, head.producer_epoch,
        head.base_sequence, head.attributes};
    log_apply(l, &s);
    log_journal(l, &s);
    l->end = (int64_t)l->n;
}

void
log_add_data(struct log *l)
{
    static const uint16_t codecs[] = {CODEC_NONE, CODEC_NONE, CODEC_GZIP,
        CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD};
    struct batch_build build = BATCH_BUILD_PLAIN;
    int who = (int)dice_roll(&l->dice, PRODUCERS + 2);
    size_t from = l->n, count = 1 + dice_roll(&l->dice, 6);

    if (who >= PRODUCERS)
        who = -1;
    build.attributes = codecs[dice_roll(&l->dice, 6)];
    if (who >= 0) {
        build.producer_id = 100 + who;
        build.producer_epoch = 3;
        build.base_sequence = l->seq[who];
        l->seq[who] += (int32_t)count;
        l->last[who] = (int64_t)(from + count) - 1;
    }
    if (who >= TXN_FROM) {
        build.attributes |= BATCH_TRANSACTIONAL;
        if (l->open[who] < 0)
            l->open[who] = (int64_t)from;
    }
    for (size_t i = 0; i < count; i++) {
        struct rec *r = rec_add(l);

        r->key = dice_roll(&l->dice, 50) == 0
            ? -1 : (int)dice_roll(&l->dice, KEYS);
        r->tombstone = dice_roll(&l->dice, 6) == 0;
        r->timestamp = l->timestamp + (int64_t)dice_roll(&l->dice, 30);
        r->seed = dice_roll(&l->dice, 1u << 30);
        r->size = dice_roll(&l->dice, dice_roll(&l->dice, 9) ? 60 : 1500);
        r->producer = who;
        r->txn = who >= TXN_FROM;
        l->timestamp += (int64_t)dice_roll(&l->dice, 10);
    }
    batch_add(l, from, build);
}

void
log_end_txn(struct log *l, int who, bool commit)
{
    struct batch_build build = {100 + who, 3, -1,
        BATCH_TRANSACTIONAL | BATCH_CONTROL};
    struct rec *r;
    size_t from = l->n;

    if (l->open[who] < 0)
        return;
    for (size_t i = (size_t)l->open[who]; i < l->n && !commit; i++)
        if (l->recs[i].producer == who)
            l->recs[i].aborted = true;
    r = rec_add(l);
    r->key = commit ? 1001 : 1000;
    r->size = 6;
    r->control = true;
    r->producer = who;
    r->timestamp = l->timestamp;
    batch_add(l, from, build);
    if (!commit) {
        GROW(l->aborted, l->aborted_n, l->aborted_cap);
        l->aborted[l->aborted_n++] = (struct plog_aborted){100 + who,
            l->open[who], (int64_t)from};
    }
    l->open[who] = -1;
}

/* ---- passes ---- */

int64_t
log_stable(const struct log *l)
{
    int64_t lso = l->end;

    for (int i = 0; i < PRODUCERS; i++)
        if (l->open[i] >= 0 && l->open[i] < lso)
            lso = l->open[i];
    return lso;
}

static int
on_output(void *arg, const struct plog_cleaned *c, struct err *err)
{
    struct log *l = arg;
    struct step s = {.kind = STEP_SWAP, .cleaned = *c};

    if (++l->outputs == l->stop_at)
        return err_set(err, ECANCELED, "stopped");
    /* It is on the disk as a whole before it is told. */
    if (c->segment.size > 0)
        assert_int_equal(kit_size(kit_path(l->path, &c->segment, ".log")),
            c->segment.size);
    log_journal(l, &s);
    return 0;
}

static void
on_emptied(void *arg, const struct plog_aborted *a)
{
    struct log *l = arg;

    for (size_t i = 0; i < l->aborted_n && !l->listed; i++)
        if (l->aborted[i].producer_id == a->producer_id
            && l->aborted[i].last_offset == a->last_offset)
            l->aborted[i].producer_id = -1;      /* of nobody */
}

struct plog_clean_options
log_options(struct log *l)
{
    return (struct plog_clean_options){.limit = log_stable(l),
        .now_ms = l->now,
        .delete_retention_ms = RETENTION,
        .segment_bytes = l->config.segment_bytes,
        .seed = 42,
        .aborted = l->aborted,
        .aborted_count = l->aborted_n,
        .output = on_output,
        .emptied = on_emptied,
        .arg = l};
}

void
log_pass(struct log *l, const struct plog_clean_options *o)
{
    struct plog_clean_stats stats = {0};
    size_t first = l->steps_n;
    struct plog_dirt d;
    struct err err;
    int rc;

    plog_dirt(l->plog, o->limit, o->min_lag_ms, o->now_ms, &d);
    assert_true(d.end <= o->limit || d.dirty_bytes == 0);
    l->outputs = 0;
    rc = plog_clean(l->plog, o, &stats, &err);
    if (rc != 0 && err.code != ECANCELED)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < l->n && l->recs[i].offset < d.end; i++)
        if (l->recs[i].met_ms == 0)
            l->recs[i].met_ms = l->now;
    for (size_t i = first; i < l->steps_n; i++) {
        log_apply(l, &l->steps[i]);
        if (l->steps[i].cleaned.cleaned > l->cleaned)
            l->cleaned = l->steps[i].cleaned.cleaned;
    }
    if (rc == 0 && d.first_dirty < d.end)
        assert_true(l->cleaned > d.first_dirty);
    assert_true(l->cleaned <= l->end);
}

void
log_checkpoint(struct log *l)
{
    struct err err;

    if (plog_sync(l->plog, &err) != 0)
        fail_msg("%s", err.text);
    plog_state_release(&l->state);
    plog_state_get(l->plog, &l->state);
    plog_checkpointed(l->plog);
    assert_int_equal(plog_unlink_doomed(l->plog, &err), 0);
    l->before = l->done;
    l->done = l->steps_n;
}

/* From the last state on; or from one that is ahead of what is replayed. */
void
log_crash(struct log *l, bool ahead)
{
    log_close(l);
    log_open(l, l->done == 0 ? NULL : &l->state);
    for (size_t i = ahead ? l->before : l->done; i < l->steps_n; i++)
        log_apply(l, &l->steps[i]);
    assert_int_equal(plog_sweep(l->plog, NULL), 0);
}

/* ---- what is there ---- */

static const struct head_of *
head_at(const struct log *l, int64_t base)
{
    size_t lo = 0, hi = l->heads_n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (l->heads[mid].base < base)
            lo = mid + 1;
        else
            hi = mid;
    }
    assert_true(lo < l->heads_n);
    return &l->heads[lo];
}

static void
check_record(struct log *l, const struct record *r)
{
    struct rec *m;
    uint8_t value[2000];
    char key[32];

    assert_in_range(r->offset, 0, l->n - 1);
    m = &l->recs[r->offset];
    assert_int_equal(r->timestamp, m->timestamp);
    assert_true(span_eq(r->key, key_of(m, key)));
    assert_int_equal(r->value.ptr == NULL, m->tombstone);
    assert_true(m->tombstone || span_eq(r->value, value_of(m, value)));
    assert_int_equal(r->header_count, r->offset % 4 == 0);
    m->present = true;
}

void
log_check_batch(struct log *l, const struct batch *b, struct arena *arena)
{
    const struct head_of *h = head_at(l, b->base_offset);
    struct batch_iter it;
    struct record r;
    int rc;

    assert_int_equal(batch_check(b), BATCH_OK);
    assert_int_equal(h->base, b->base_offset);
    assert_int_equal(h->last, batch_last_offset(b));
    assert_int_equal(h->pid, b->producer_id);
    assert_int_equal(h->epoch, b->producer_epoch);
    assert_int_equal(h->seq, b->base_sequence);
    assert_int_equal(b->leader_epoch, 7);
    assert_int_equal(h->attributes & 0x30, b->attributes & 0x30);
    if (b->record_count > 0 && (b->attributes & BATCH_CODEC_MASK) != 0)
        assert_int_equal(h->attributes & 7, b->attributes & 7);
    assert_int_equal(batch_iter_init(&it, b, arena, NULL), 0);
    while ((rc = batch_iter_next(&it, &r, NULL)) > 0)
        check_record(l, &r);
    assert_int_equal(rc, 0);
}

/* Reads all; recs[].present says what was met. Returns the batches. */
int
log_scan(struct log *l)
{
    int64_t at = l->log_start;
    struct arena arena;
    struct buf out;
    int batches = 0;

    arena_init(&arena, 64 * MIB);
    buf_init(&out, 4 * MIB);
    for (size_t i = 0; i < l->n; i++)
        l->recs[i].present = false;
    while (at < l->end) {
        struct plog_want w = {.offset = at, .end_offset = l->end,
            .max_bytes = 1 + dice_roll(&l->dice, 5000)};
        struct plog_got g;
        struct err err;
        struct span rest;
        enum plog_status st = plog_read(l->plog, &w, &out, &g, &err);

        if (st != PLOG_OK)
            fail_msg("status %d at %" PRId64, st, at);
        assert_true(g.next_offset > at);
        rest = buf_span(&out);
        while (rest.len > 0) {
            struct batch b;

            assert_int_equal(batch_parse(rest, &b), BATCH_OK);
            assert_true(batch_last_offset(&b) >= at);
            log_check_batch(l, &b, &arena);
            arena_reset(&arena);
            at = batch_last_offset(&b) + 1;
            rest.ptr += b.bytes.len;
            rest.len -= b.bytes.len;
            batches++;
        }
        assert_int_equal(at, g.next_offset);
        buf_clear(&out);
    }
    arena_release(&arena);
    buf_release(&out);
    return batches;
}

static bool
counts(const struct rec *r)
{
    return !r->control && !r->aborted && r->key >= 0;
}

/* After log_scan(). */
static void
check_kept(struct log *l)
{
    int64_t newest[KEYS], newest_cleaned[KEYS], lso = log_stable(l);

    for (int k = 0; k < KEYS; k++)
        newest[k] = newest_cleaned[k] = -1;
    for (size_t i = 0; i < l->n; i++) {
        const struct rec *r = &l->recs[i];

        if (counts(r) && r->offset < lso)
            newest[r->key] = r->offset;
        if (counts(r) && r->offset < l->cleaned)
            newest_cleaned[r->key] = r->offset;
    }
    for (int k = 0; k < KEYS; k++) {
        const struct rec *r = &l->recs[newest[k] < 0 ? 0 : newest[k]];

        if (newest[k] < l->log_start || r->present)
            continue;
        if (!r->tombstone || r->met_ms == 0 || l->now - r->met_ms < RETENTION)
            fail_msg("key %d has lost offset %" PRId64, k, newest[k]);
    }
    for (size_t i = (size_t)l->log_start; i < l->n; i++) {
        const struct rec *r = &l->recs[i];

        if (r->offset >= l->cleaned && r->met_ms == 0)
            assert_true(r->present);
        if (r->control || !r->present || r->offset >= l->cleaned)
            continue;
        if (r->aborted || r->key < 0)
            fail_msg("offset %" PRId64 " should be gone", r->offset);
        if (newest_cleaned[r->key] > r->offset)
            fail_msg("offset %" PRId64 " is not the newest of its key: %"
                PRId64, r->offset, newest_cleaned[r->key]);
    }
}

/* Whatever is there of a transaction, or told to consumers, its end is. */
static void
check_markers(const struct log *l)
{
    bool data[PRODUCERS] = {false};

    for (size_t i = (size_t)l->log_start; i < l->n; i++) {
        const struct rec *r = &l->recs[i];

        if (r->present && r->txn)
            data[r->producer] = true;
        if (!r->control)
            continue;
        if (data[r->producer])
            assert_true(r->present);
        data[r->producer] = false;
    }
    for (size_t i = 0; i < l->aborted_n; i++)
        if (l->aborted[i].producer_id >= 0
            && l->aborted[i].last_offset >= l->log_start)
            assert_true(l->recs[l->aborted[i].last_offset].present);
}

void
log_check_times(struct log *l)
{
    struct plog_found f;
    struct arena arena;
    int64_t ts = 900000 + (int64_t)dice_roll(&l->dice,
        (uint64_t)(l->timestamp - 900000) + 50);
    const struct rec *want = NULL, *max = NULL;
    enum plog_status st;

    arena_init(&arena, 64 * MIB);
    for (size_t i = (size_t)l->log_start; i < l->n; i++) {
        const struct rec *r = &l->recs[i];

        if (r->present && r->timestamp >= ts && want == NULL)
            want = r;
        if (r->present && (max == NULL || r->timestamp > max->timestamp))
            max = r;
    }
    st = plog_find_time(l->plog, ts, &arena, &f, NULL);
    assert_int_equal(st, want == NULL ? PLOG_END : PLOG_OK);
    if (want != NULL) {
        assert_int_equal(f.offset, want->offset);
        assert_int_equal(f.timestamp, want->timestamp);
    }
    st = plog_max_timestamp(l->plog, &arena, &f, NULL);
    assert_int_equal(st, max == NULL ? PLOG_END : PLOG_OK);
    if (max != NULL)
        assert_int_equal(f.offset, max->offset);
    arena_release(&arena);
}

void
log_finding(void *arg, const struct plog_finding *f)
{
    (void)arg;
    fail_msg("%s", f->text);
}

void
log_check_all(struct log *l)
{
    log_scan(l);
    check_kept(l);
    check_markers(l);
    log_check_times(l);
    assert_int_equal(plog_verify(l->plog, log_finding, NULL, NULL), 0);
}

/* ---- records one by one ---- */

void
log_put(struct log *l, int key, bool tombstone, int producer)
{
    struct batch_build build = BATCH_BUILD_PLAIN;
    struct rec *r = rec_add(l);

    r->key = key;
    r->tombstone = tombstone;
    r->size = 300;
    r->timestamp = l->timestamp++;
    r->producer = producer;
    if (producer >= 0) {
        build.producer_id = 100 + producer;
        build.producer_epoch = 3;
        build.base_sequence = l->seq[producer]++;
        l->last[producer] = r->offset;
    }
    if (producer >= TXN_FROM) {
        r->txn = true;
        build.attributes |= BATCH_TRANSACTIONAL;
        if (l->open[producer] < 0)
            l->open[producer] = r->offset;
    }
    batch_add(l, l->n - 1, build);
}

/* Fills the segment, so that what is before is sealed and in P. */
void
log_seal(struct log *l)
{
    for (int i = 0; i < 14; i++)
        log_put(l, KEYS - 1, false, -1);
    log_checkpoint(l);
}

struct batch
log_batch_at(struct log *l, int64_t offset, struct buf *out)
{
    struct plog_want w = {.offset = offset, .end_offset = l->end,
        .max_bytes = 1};
    struct plog_got g;
    struct batch b;

    buf_clear(out);
    assert_int_equal(plog_read(l->plog, &w, out, &g, NULL), PLOG_OK);
    assert_int_equal(batch_parse(buf_span(out), &b), BATCH_OK);
    return b;
}
