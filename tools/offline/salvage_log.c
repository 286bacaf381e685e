/*
 * salvage_log.c: one new log: batches at its end, holes, its producers, its
 * record.
 */
#include "config.h"

#include "offline/salvage_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/limits.h"
#include "epoch/logrec.h"
#include "partition/records.h"
#include "proto/store.pb-c.h"
#include "record/control.h"

enum { DIRTY_MAX = 200 };        /* logs with an open file */

/* More starts than that do not raise it. */
enum { LEADER_EPOCH_LEAP = 1000 };

/* As the topic's record has it; without one a bound to be sensible by. */
static int32_t
topic_leader_epoch(const struct salvage *s, const struct uuid *id)
{
    uint8_t key[17] = {META_TOPIC};
    int32_t epoch = LEADER_EPOCH_LEAP;
    Store__Topic *m;
    struct span value;

    memcpy(key + 1, id->bytes, 16);
    if (!records_get(&s->records, span_of(key, sizeof key), &value))
        return epoch;
    m = store__topic__unpack(NULL, value.len, value.ptr);
    if (m != NULL)
        epoch = m->leader_epoch;
    store__topic__free_unpacked(m, NULL);
    return epoch;
}

bool
leader_epoch_good(const struct salvage_log *l, int32_t before, int32_t epoch)
{
    return epoch >= before && epoch <= l->leader_epoch_max;
}

struct salvage_log *
salvage_log_get(struct salvage *s, const struct uuid *id, int32_t partition)
{
    uint8_t key[LOG_KEY];
    void **slot;
    struct salvage_log *l;

    log_key(key, id, partition);
    slot = omap_slot(&s->logs, span_of(key, sizeof key));
    if (*slot == NULL) {
        l = xcalloc(1, sizeof *l);
        memcpy(l->key, key, sizeof key);
        l->id = *id;
        l->partition = partition;
        producers_init(&l->producers);
        l->stable = stable_new();
        l->leader_epoch_max = topic_leader_epoch(s, id);
        *slot = l;
    }
    return *slot;
}

void
log_lost(struct salvage *s, const struct salvage_log *l, const char *fmt, ...)
{
    char file[DATADIR_PATH], text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    say_lost(s, log_path(&l->id, l->partition, NULL, NULL, file), "%s", text);
}

bool
topic_known(const struct salvage *s, const struct uuid *id)
{
    uint8_t key[17] = {META_TOPIC};
    struct span ignored;

    memcpy(key + 1, id->bytes, 16);
    return records_get(&s->records, span_of(key, sizeof key), &ignored);
}

/* ---- producers ---- */

/* What the base knows of them. */
static void
producers_load(struct salvage *s, struct salvage_log *l)
{
    uint8_t prefix[1 + LOG_KEY] = {META_PRODUCER};
    struct omap_iter it;
    struct span key, value;

    l->loaded = true;
    memcpy(prefix + 1, l->key, LOG_KEY);
    omap_seek(&s->records, span_of(prefix, sizeof prefix), &it);
    while (records_next(&it, META_PRODUCER, &key, &value)
        && key.len == LOG_KEY + 8 && memcmp(key.ptr, l->key, LOG_KEY) == 0) {
        int64_t id = (int64_t)get_be64(key.ptr + LOG_KEY);
        struct producer *p;

        if (producer_unpack(&l->producers, id, value, &p)
            && p->txn_first >= 0)
            stable_begin(l->stable, id, p->txn_first);
    }
}

/* A marker ends its producer's transaction. Of the base come the aborted
 * ones below `known`; these stand in the log. */
static void
marker_see(struct salvage *s, struct salvage_log *l, const struct batch *b)
{
    enum control_type type = control_batch_type(b);
    struct stable_aborted gone;

    if (type == CONTROL_OTHER)
        return;
    producers_end(&l->producers, b->producer_id, b->producer_epoch,
        s->clock_ms);
    stable_end(l->stable, b->producer_id, b->base_offset,
        type == CONTROL_COMMIT, 1, 1, &gone);
}

void
producers_see(struct salvage *s, struct salvage_log *l, const struct batch *b)
{
    struct producer *p;
    bool open;

    if (b->producer_id < 0)
        return;
    if (b->producer_id > s->producer_max)
        s->producer_max = b->producer_id;
    if (!l->loaded)
        producers_load(s, l);
    p = producers_get(&l->producers, b->producer_id);
    if (b->attributes & BATCH_CONTROL) {
        if (b->base_offset >= l->known)
            marker_see(s, l, b);
        return;
    }
    if (b->base_offset < l->known || b->base_sequence < 0
        || (p != NULL && b->producer_epoch < p->epoch))
        return;
    open = p != NULL && p->txn_first >= 0;
    p = producers_apply(&l->producers, b, s->clock_ms);
    if (!open && p->txn_first >= 0)
        stable_begin(l->stable, p->id, p->txn_first);
}

static int
producers_put(struct salvage *s, const struct salvage_log *l,
    struct producer *p, struct err *err)
{
    uint8_t key[1 + LOG_KEY + 8] = {META_PRODUCER}, out[PARTITION_RECORD_MAX];
    struct span value = span_of(out, producer_pack(p, out));

    memcpy(key + 1, l->key, LOG_KEY);
    put_be64(key + 1 + LOG_KEY, (uint64_t)p->id);
    return salvage_put(s, META_RECORDS, span_of(key, sizeof key), &value,
        err);
}

/* Those that were found in the log; the others are records of the base. */
static int
aborted_puts(struct salvage *s, const struct salvage_log *l, struct err *err)
{
    size_t n = stable_aborted(l->stable, 0, INT64_MAX, NULL, 0);
    struct stable_aborted *list = xcalloc(n + 1, sizeof *list);
    uint8_t key[1 + LOG_KEY + 8] = {META_ABORTED}, out[PARTITION_RECORD_MAX];
    int rc = 0;

    stable_aborted(l->stable, 0, INT64_MAX, list, n);
    memcpy(key + 1, l->key, LOG_KEY);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct span value = span_of(out, aborted_pack(&list[i], out));

        put_be64(key + 1 + LOG_KEY, (uint64_t)list[i].last);
        rc = salvage_put(s, META_RECORDS, span_of(key, sizeof key), &value,
            err);
    }
    free(list);
    return rc;
}

/* ---- the new log ---- */

int
log_begin(struct salvage *s, struct salvage_log *l,
    const struct plog_state *st, struct err *err)
{
    char path[DATADIR_PATH];

    assert(!l->opened);
    l->opened = true;
    l->empty = st->segment_count == 0;
    l->start = l->due = st->log_start;
    l->end = st->written;
    for (size_t i = 0; i < st->segment_count; i++)
        if ((st->segments[i].epoch & ~PLOG_CLEANED) > s->highest)
            s->highest = st->segments[i].epoch & ~PLOG_CLEANED;
    if (s->o->dry_run)
        return 0;
    datadir_topic(s->dir, &l->id, path);
    if (s->world->ops->mkdir(s->world, path, 0700) < 0 && errno != EEXIST)
        return err_set(err, errno, "make folder %s", path);
    return plog_open(s->new_cache, datadir_partition(s->dir, &l->id,
        l->partition, path), NULL, st, &l->plog, err);
}

/* A log keeps a descriptor from its first write to its sync. */
static int
logs_sync(struct salvage *s, struct err *err)
{
    struct omap_iter it;
    struct span key;
    void *v;

    omap_seek(&s->logs, SPAN_NULL, &it);
    while (omap_next(&it, &key, &v)) {
        struct salvage_log *l = v;

        if (l->plog != NULL && plog_dirty(l->plog)
            && plog_sync(l->plog, err) < 0)
            return -1;
    }
    s->dirty = 0;
    return 0;
}

static int
log_write(struct salvage *s, struct salvage_log *l, const struct batch *b,
    uint64_t epoch, struct err *err)
{
    struct plog_chunk c = {.epoch = epoch,
        .base_offset = b->base_offset,
        .last_offset = batch_last_offset(b),
        .max_timestamp = b->max_timestamp,
        .bytes = b->bytes};

    s->n_batches++;
    l->empty = false;
    l->end = c.last_offset + 1;
    l->leader_epoch = b->leader_epoch;
    producers_see(s, l, b);
    if (l->known < l->end)
        l->known = l->end;
    if (epoch > s->highest)
        s->highest = epoch;
    if (l->plog == NULL)
        return 0;
    s->dirty += !plog_dirty(l->plog);
    if (plog_append(l->plog, &c, 1, err) < 0)
        return -1;
    return s->dirty < DIRTY_MAX ? 0 : logs_sync(s, err);
}

/* A batch without records that stands for [l->end, to). */
int
log_fill(struct salvage *s, struct salvage_log *l, int64_t to,
    uint64_t epoch, struct err *err)
{
    while (l->end < to) {
        int64_t n = to - l->end < INT32_MAX ? to - l->end : INT32_MAX;
        uint8_t p[BATCH_HEADER] = {0};
        struct batch b;

        put_be32(p + 8, BATCH_HEADER - BATCH_LENGTH_FROM);
        p[16] = 2;
        put_be32(p + 23, (uint32_t)(n - 1));
        put_be64(p + 27, (uint64_t)-1);
        put_be64(p + 35, (uint64_t)-1);
        put_be64(p + 43, (uint64_t)-1);
        put_be16(p + 51, (uint16_t)-1);
        put_be32(p + 53, (uint32_t)-1);
        put_be32(p + 17, crc32c(0, p + BATCH_CRC_FROM,
            sizeof p - BATCH_CRC_FROM));
        batch_stamp(p, l->end, l->leader_epoch);
        if (batch_parse(span_of(p, sizeof p), &b) != BATCH_OK)
            return err_set(err, ERR_DAMAGE, "no batch can stand for %" PRId64
                " offsets", n);
        if (log_write(s, l, &b, epoch, err) < 0)
            return -1;
    }
    return 0;
}

int
log_gap(struct salvage *s, struct salvage_log *l, int64_t to, uint64_t epoch,
    struct err *err)
{
    log_lost(s, l, "offsets %" PRId64 " to %" PRId64 " are lost", l->end,
        to - 1);
    l->lost += (uint64_t)(to - l->end);
    s->lost += (uint64_t)(to - l->end);
    return log_fill(s, l, to, epoch, err);
}

/* For a log of which LMDB knows no file: from the first offset on if the
 * files or this batch have it, else from the batch on. */
static int
log_first(struct salvage *s, struct salvage_log *l, int64_t base,
    struct err *err)
{
    struct plog_state begin = {.log_start = base, .written = base};

    if (base > 0 && log_extend(s, l, err) < 0)
        return -1;
    if (l->opened)
        return 0;
    if (base > 0)
        log_lost(s, l, "offsets below %" PRId64 " are lost, if any were "
            "there", base);
    return log_begin(s, l, &begin, err);
}

int
log_append(struct salvage *s, struct salvage_log *l, struct span bytes,
    uint64_t epoch, struct err *err)
{
    struct batch b;

    if (batch_parse(bytes, &b) != BATCH_OK || batch_check(&b) != BATCH_OK
        || b.base_offset < 0) {
        log_lost(s, l, "a batch of epoch %" PRIu64 " is none", epoch);
        return 0;
    }
    if (!l->opened && log_first(s, l, b.base_offset, err) < 0)
        return -1;
    /* A frame is missing. Segments may have what was in it. */
    if (b.base_offset > l->end && log_extend(s, l, err) < 0)
        return -1;
    if (batch_last_offset(&b) < l->end)
        return 0; /* the files have it */
    /* A log may start within its first batch. */
    if (b.base_offset < l->end && !l->empty) {
        log_lost(s, l, "a batch of epoch %" PRIu64 " at offset %" PRId64
            " overlaps the log's end %" PRId64, epoch, b.base_offset, l->end);
        return 0;
    }
    if (b.base_offset > l->end && log_gap(s, l, b.base_offset, epoch, err) < 0)
        return -1;
    /* The batch goes on under the leader epoch of the one before it. */
    if (!leader_epoch_good(l, l->leader_epoch, b.leader_epoch)) {
        uint8_t *copy = xmemdup(b.bytes.ptr, b.bytes.len);
        enum batch_status st;
        int rc;

        batch_stamp(copy, b.base_offset, l->leader_epoch);
        st = batch_parse(span_of(copy, b.bytes.len), &b);
        assert(st == BATCH_OK);
        rc = log_write(s, l, &b, epoch, err);
        free(copy);
        return rc;
    }
    return log_write(s, l, &b, epoch, err);
}

void
log_trim(struct salvage *s, struct salvage_log *l, int64_t offset)
{
    if (offset > l->due)
        l->due = offset;
    if (!l->opened || offset <= l->start)
        return;
    l->start = offset < l->end ? offset : l->end;
    if (l->plog != NULL)
        plog_trim(l->plog, l->start);
}

int
log_reach(struct salvage *s, struct salvage_log *l, int64_t end,
    struct err *err)
{
    struct plog_state begin = {.log_start = end, .written = end};

    if (end <= l->end)
        return 0;
    if (l->opened)
        return log_gap(s, l, end, s->highest, err);
    log_lost(s, l, "offsets below %" PRId64 " are lost, if any were there",
        end);
    return log_begin(s, l, &begin, err);
}

/* ---- the end ---- */

static int
log_finish(struct salvage *s, struct salvage_log *l, struct err *err)
{
    uint8_t key[1 + LOG_KEY] = {META_LOG};
    struct plog_state st;
    struct producer *p;
    struct buf packed;
    struct span value;
    int rc;

    if (l->opened && l->due < l->start) {
        s->lost += (uint64_t)(l->start - l->due);
        log_lost(s, l, "offsets %" PRId64 " to %" PRId64 " are lost, unless "
            "they had been deleted", l->due, l->start - 1);
    }
    if (l->plog == NULL)
        return 0;
    if (plog_sync(l->plog, err) < 0)
        return -1;
    plog_state_get(l->plog, &st);
    st.doomed_count = 0; /* what was trimmed here was never in a checkpoint */
    buf_init(&packed, 64 * MIB);
    logrec_pack(&st, &packed);
    plog_state_release(&st);
    memcpy(key + 1, l->key, LOG_KEY);
    value = buf_span(&packed);
    rc = salvage_put(s, META_RECORDS, span_of(key, sizeof key), &value, err);
    buf_release(&packed);
    for (size_t i = 0;
         rc == 0 && (p = table_next(&l->producers.by_id, &i)) != NULL;)
        rc = producers_put(s, l, p, err);
    if (rc == 0)
        rc = aborted_puts(s, l, err);
    return rc;
}

int
logs_finish(struct salvage *s, struct err *err)
{
    struct omap_iter it;
    struct span key;
    void *l;

    omap_seek(&s->logs, SPAN_NULL, &it);
    while (omap_next(&it, &key, &l))
        if (log_finish(s, l, err) < 0)
            return -1;
    return 0;
}

static void
log_free(void *value, void *arg)
{
    struct salvage_log *l = value;

    (void)arg;
    plog_close(l->plog);
    producers_release(&l->producers);
    stable_free(l->stable);
    free(l);
}

void
logs_release(struct salvage *s)
{
    omap_release(&s->logs, log_free, NULL);
    omap_init(&s->logs);
}
