/*
 * The list of segments and its writer. The format, and what holds for the
 * files: segment.c. What holds for the list: plog_priv.h.
 */
#include "config.h"

#include "plog/plog_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "record/batch.h"

enum {
    RUN_MAX = 256,               /* batches in one write */
    RUN_BYTES_MAX = 16 << 20,
};

static const struct plog_config config_default = {
    .segment_bytes = 1u << 30,
    .segment_ms = 7ll * 24 * 3600 * 1000,
    .index_interval = OFFIDX_INTERVAL,
};

/* ------------------------------------------------------------------ state */

void
plog_state_release(struct plog_state *st)
{
    free(st->segments);
    free(st->doomed);
    *st = (struct plog_state){0};
}

static int
segment_state_check(const struct plog_segment *s, struct err *err)
{
    if (s->base_offset < 0 || s->last_offset < s->base_offset ||
        s->last_offset == INT64_MAX ||
        s->last_offset - s->base_offset > INT32_MAX)
        return err_set(err, ERR_DAMAGE, "segment %lld has bad offsets",
            (long long)s->base_offset);
    if (s->size < BATCH_HEADER || s->size > SEGMENT_SIZE_MAX)
        return err_set(err, ERR_DAMAGE, "segment %lld has a bad size",
            (long long)s->base_offset);
    return 0;
}

static int
state_check(const struct plog_state *st, struct err *err)
{
    const struct plog_segment *s = st->segments;
    size_t n = st->segment_count;

    for (size_t i = 0; i < n; i++) {
        if (segment_state_check(&s[i], err) != 0)
            return -1;
        if (i > 0 && s[i].base_offset != s[i - 1].last_offset + 1)
            return err_set(err, ERR_DAMAGE, "segment %lld does not follow",
                (long long)s[i].base_offset);
        if (i + 1 < n && s[i].last_offset < st->log_start)
            return err_set(err, ERR_DAMAGE,
                "segment %lld is below the log start",
                (long long)s[i].base_offset);
    }
    if (st->cleaned < 0)
        return err_set(err, ERR_DAMAGE, "cleaned up to %lld",
            (long long)st->cleaned);
    if (st->log_start < 0 || st->log_start > st->written)
        return err_set(err, ERR_DAMAGE, "log start %lld, written end %lld",
            (long long)st->log_start, (long long)st->written);
    if (n == 0 ? st->log_start != st->written
               : (s[0].base_offset > st->log_start ||
                     s[n - 1].last_offset + 1 != st->written))
        return err_set(err, ERR_DAMAGE,
            "the segments do not hold %lld to %lld",
            (long long)st->log_start, (long long)st->written);
    return 0;
}

/* ------------------------------------------------------------ open, close */

void
plog_configure(struct plog *p, const struct plog_config *c)
{
    p->config = config_default;
    if (c == NULL)
        return;
    if (c->segment_bytes > 0)
        p->config.segment_bytes = c->segment_bytes;
    if (p->config.segment_bytes > SEGMENT_SIZE_MAX)
        p->config.segment_bytes = SEGMENT_SIZE_MAX;
    if (c->segment_ms > 0)
        p->config.segment_ms = c->segment_ms;
    if (c->index_interval > 0)
        p->config.index_interval = c->index_interval;
    if (p->config.index_interval < OFFIDX_INTERVAL_MIN)
        p->config.index_interval = OFFIDX_INTERVAL_MIN;
}

static void
state_load(struct plog *p, const struct plog_state *st)
{
    p->log_start = st->log_start;
    p->written = p->durable = p->durable_next = st->written;
    /* A salvage may have cut the log. */
    p->cleaned = st->cleaned < st->written ? st->cleaned : st->written;
    p->count = p->cap = st->segment_count;
    if (p->count > 0)
        p->segments = xcalloc(p->count, sizeof(struct segment *));
    for (size_t i = 0; i < p->count; i++)
        p->segments[i] =
            segment_new(p->cache, p->path, &st->segments[i], false);
    if (p->count > 0)
        segslot_activate(&p->segments[p->count - 1]->slot, p->cache, true);
    for (size_t i = 0; i < st->doomed_count; i++) {
        struct plog_segment meta = {
            .base_offset = st->doomed[i].base_offset,
            .epoch = st->doomed[i].epoch,
        };
        struct segment *s = segment_new(p->cache, p->path, &meta, false);

        s->due = true;           /* the state that we are given is durable */
        plog_doom(p, s);
    }
}

int
plog_open(struct segcache *cache, const char *path,
    const struct plog_config *config, const struct plog_state *st,
    struct plog **out, struct err *err)
{
    static const struct plog_state none;
    char longest[SEGMENT_PATH_MAX];
    struct plog *p;

    *out = NULL;
    if (st == NULL)
        st = &none;
    if (!segment_path(path, &(struct plog_name){0, 0}, ".index", longest))
        return err_set(err, ENAMETOOLONG, "open %.100s...", path);
    if (state_check(st, err) != 0)
        return err_prefix(err, "state of %s", path);
    p = xcalloc(1, sizeof *p);
    p->cache = cache;
    p->world = cache->world;
    p->path = xstrdup(path);
    lock_init(&p->lock);
    SLIST_INIT(&p->dirty);
    TAILQ_INIT(&p->doomed);
    atomic_init(&p->poisoned, false);
    p->parent_dirty = st->segment_count == 0;
    plog_configure(p, config);
    state_load(p, st);
    *out = p;
    return 0;
}

void
plog_close(struct plog *p)
{
    struct segment *s;

    if (p == NULL)
        return;
    while ((s = SLIST_FIRST(&p->dirty)) != NULL) {
        SLIST_REMOVE_HEAD(&p->dirty, dirty_link);
        s->dirty = false;
    }
    for (size_t i = 0; i < p->count; i++) {
        s = p->segments[i];
        if (i + 1 == p->count)
            segment_keep_index(s);
        segment_free(s);
    }
    while ((s = TAILQ_FIRST(&p->doomed)) != NULL) {
        TAILQ_REMOVE(&p->doomed, s, doomed_link);
        segment_free(s);
    }
    lock_release(&p->lock);
    free(p->segments);
    free(p->making);
    free(p->path);
    free(p);
}

bool
plog_poisoned(const struct plog *p)
{
    return atomic_load(&p->poisoned);
}

bool
plog_dirty(const struct plog *p)
{
    return !SLIST_EMPTY(&p->dirty) || p->folder_dirty;
}

/* -------------------------------------------------------------- appending */

/* What can be tried again: nothing of it is lost, nothing is in doubt. */
static bool
is_shortage(int code)
{
    return code == ENOSPC || code == EDQUOT || code == EMFILE ||
        code == ENFILE || code == ENOMEM;
}

static int
write_failed(struct plog *p, struct err *err)
{
    if (err->code != ERR_DAMAGE && !is_shortage(err->code))
        atomic_store(&p->poisoned, true);
    return -1;
}

/* The caller's words against the batch's own: a contradiction would reach
 * the disk and be met by a reader. */
static bool
chunk_agrees(const struct plog_chunk *c)
{
    struct head h;

    return c->bytes.len >= BATCH_HEADER && head_get(c->bytes.ptr, &h) &&
        h.size == c->bytes.len && h.base == c->base_offset &&
        h.last == c->last_offset && h.max_timestamp == c->max_timestamp;
}

/* 1: to write, 0: to skip, -1: refused. `end` is the offset due. */
static int
chunk_gate(const struct plog *p, const struct plog_chunk *c, struct err *err)
{
    if (!chunk_agrees(c))
        return err_set(err, ERR_DAMAGE,
            "append to %s: batch %lld is not what its frame says", p->path,
            (long long)c->base_offset);
    if (c->last_offset < p->written)
        return 0;                /* log_start <= written: trimmed or there */
    if (c->base_offset == p->written)
        return 1;
    /* The log start was moved into this batch before it was written. */
    if (p->count == 0 && c->base_offset < p->written)
        return 1;
    return err_set(err, ERR_DAMAGE,
        "append to %s: batch %lld to %lld, but %lld is due", p->path,
        (long long)c->base_offset, (long long)c->last_offset,
        (long long)p->written);
}

static bool
roll_due(const struct plog_config *config, const struct plog_segment *m,
    const struct plog_chunk *c)
{
    if (m->size == 0)
        return false;
    if (c->bytes.len > config->segment_bytes ||
        m->size > config->segment_bytes - c->bytes.len)
        return true;
    if (c->last_offset - m->base_offset > INT32_MAX)
        return true;
    return m->first_timestamp >= 0 && c->max_timestamp > m->first_timestamp &&
        c->max_timestamp - m->first_timestamp > config->segment_ms;
}

static void
meta_add(struct plog_segment *m, const struct plog_chunk *c)
{
    if (m->size == 0)
        m->first_timestamp = m->max_timestamp = c->max_timestamp;
    else if (c->max_timestamp > m->max_timestamp)
        m->max_timestamp = c->max_timestamp;
    m->size += (uint32_t)c->bytes.len;
    m->last_offset = c->last_offset;
}

struct run {                     /* batches for one write to one segment */
    struct plog_segment meta;    /* of the segment, with them */
    int count;
    struct iovec iov[RUN_MAX];
    struct offidx_entry entries[RUN_MAX];
    size_t entry_count;
    uint32_t indexed_pos;
};

static void
run_add(struct run *r, const struct plog_config *config,
    const struct plog_chunk *c)
{
    uint32_t pos = r->meta.size;

    if (pos - r->indexed_pos >= config->index_interval) {
        r->entries[r->entry_count++] = (struct offidx_entry){
            (uint32_t)(c->base_offset - r->meta.base_offset), pos,
            r->meta.max_timestamp};
        r->indexed_pos = pos;
    }
    r->iov[r->count++] = (struct iovec){
        (void *)(uintptr_t)c->bytes.ptr, c->bytes.len};
    meta_add(&r->meta, c);
}

/* Takes the batches that go behind s->meta with the first one, which is
 * already found to. */
static void
run_fill(struct run *r, const struct plog *p, const struct segment *s,
    const struct plog_chunk *c, size_t count)
{
    size_t bytes = 0;

    r->meta = s->meta;
    r->indexed_pos = s->indexed_pos;
    r->count = 0;
    r->entry_count = 0;
    for (size_t i = 0; i < count && i < RUN_MAX; i++) {
        bytes += c[i].bytes.len;
        if (i > 0 && (c[i].base_offset != c[i - 1].last_offset + 1 ||
                         bytes > RUN_BYTES_MAX || !chunk_agrees(&c[i]) ||
                         roll_due(&p->config, &r->meta, &c[i])))
            break;
        run_add(r, &p->config, &c[i]);
    }
}

/* Everything written: readers may see it. A new segment is listed. */
static void
run_publish(struct plog *p, struct segment *s, const struct run *r, bool new)
{
    segslot_add(&s->slot, p->cache, r->entries, r->entry_count);
    s->indexed_pos = r->indexed_pos;
    lock_take(&p->lock);
    /* Field by field: readers of the name need no lock. */
    s->meta.size = r->meta.size;
    s->meta.last_offset = r->meta.last_offset;
    s->meta.first_timestamp = r->meta.first_timestamp;
    s->meta.max_timestamp = r->meta.max_timestamp;
    if (new) {
        if (p->count == p->cap) {
            p->cap = p->cap == 0 ? 4 : p->cap * 2;
            p->segments =
                xrealloc(p->segments, p->cap * sizeof(struct segment *));
        }
        p->segments[p->count++] = s;
    }
    p->written = r->meta.last_offset + 1;
    lock_give(&p->lock);
}

static void
mark_dirty(struct plog *p, struct segment *s)
{
    if (s->dirty)
        return;
    s->dirty = true;
    SLIST_INSERT_HEAD(&p->dirty, s, dirty_link);
}

static int
run_write(struct plog *p, struct segment *s, struct run *r,
    const struct plog_chunk *c, size_t count, struct err *err)
{
    run_fill(r, p, s, c, count);
    return segment_write(s, r->iov, r->count, err);
}

/* A segment for the batch; its file is made, but it is not listed yet. */
static struct segment *
segment_begin(struct plog *p, const struct plog_chunk *c, struct err *err)
{
    struct plog_segment meta = {
        .base_offset = c->base_offset,
        .epoch = c->epoch,
        .last_offset = c->base_offset - 1,
        .first_timestamp = -1,
        .max_timestamp = -1,
    };
    struct segment *s = segment_new(p->cache, p->path, &meta, true);

    if (segment_create(s, err) == 0)
        return s;
    if (err->code == ENOENT) {
        if (p->world->ops->mkdir(p->world, p->path, 0755) != 0 &&
            errno != EEXIST)
            err_set(err, errno, "make folder %s", p->path);
        else if (segment_create(s, err) == 0)
            return s;
    }
    segment_free(s);
    return NULL;
}

static int
append_new(struct plog *p, struct run *r, const struct plog_chunk *c,
    size_t count, struct err *err)
{
    struct segment *last = p->count == 0 ? NULL : p->segments[p->count - 1];
    struct segment *s;

    /* Nothing was written to it since the start, so what a crash left behind
     * its end is still there. Nobody needs it gone but a salvage. */
    if (last != NULL && last->resumed) {
        if (segment_open_write(last, err) != 0)
            return -1;
        mark_dirty(p, last);
    }
    s = segment_begin(p, c, err);
    if (s == NULL)
        return -1;
    p->folder_dirty = true;
    if (run_write(p, s, r, c, count, err) != 0) {
        struct plog_name name = {s->meta.base_offset, s->meta.epoch};

        /* Not listed: as if it had not begun. */
        segment_free(s);
        (void)segment_unlink(p->world, p->path, &name, NULL);
        return -1;
    }
    mark_dirty(p, s);
    segslot_activate(&s->slot, p->cache, true);
    run_publish(p, s, r, true);
    if (last != NULL) {
        segment_save_index(last);
        segslot_activate(&last->slot, p->cache, false);
        plog_trim_to(p, p->log_start);        /* it was the last one till now */
    }
    return 0;
}

static int
append_last(struct plog *p, struct run *r, const struct plog_chunk *c,
    size_t count, struct err *err)
{
    struct segment *s = p->segments[p->count - 1];

    if (segment_open_write(s, err) != 0)
        return -1;
    mark_dirty(p, s);
    if (run_write(p, s, r, c, count, err) != 0)
        return -1;
    run_publish(p, s, r, false);
    return 0;
}

int
plog_append(struct plog *p, const struct plog_chunk *c, size_t count,
    struct err *err)
{
    struct err local;
    struct run run;

    if (err == NULL)
        err = &local;
    if (plog_poisoned(p))
        return err_set(err, EIO, "append to %s: poisoned before", p->path);
    while (count > 0) {
        size_t took = 1;
        int gate = chunk_gate(p, c, err);

        if (gate < 0)
            return -1;
        if (gate > 0) {
            bool roll = p->count == 0 ||
                roll_due(&p->config, &p->segments[p->count - 1]->meta, c);

            if ((roll ? append_new : append_last)(p, &run, c, count, err) != 0)
                return write_failed(p, err);
            took = (size_t)run.count;
        }
        c += took;
        count -= took;
    }
    return 0;
}

/* ------------------------------------------------------------------ sync */

static int
sync_failed(struct plog *p)
{
    atomic_store(&p->poisoned, true);
    return -1;
}

int
plog_sync(struct plog *p, struct err *err)
{
    struct segment *s;

    if (plog_poisoned(p))
        return err_set(err, EIO, "sync %s: poisoned before", p->path);
    while ((s = SLIST_FIRST(&p->dirty)) != NULL) {
        if (segment_sync(s, err) != 0)
            return sync_failed(p);
        s->dirty = false;
        SLIST_REMOVE_HEAD(&p->dirty, dirty_link);
    }
    if (p->folder_dirty && folder_sync(p->world, p->path, err) != 0)
        return sync_failed(p);
    if (p->folder_dirty && p->parent_dirty) {
        if (folder_sync_parent(p->world, p->path, err) != 0)
            return sync_failed(p);
        p->parent_dirty = false;
    }
    p->folder_dirty = false;
    return 0;
}

void
plog_state_get(struct plog *p, struct plog_state *st)
{
    struct segment *s;
    size_t i = 0;

    p->durable_next = p->written;
    *st = (struct plog_state){
        .log_start = p->log_start,
        .written = p->written,
        .cleaned = p->cleaned,
        .segment_count = p->count,
        .doomed_count = p->doomed_count,
    };
    if (p->count > 0)
        st->segments = xcalloc(p->count, sizeof *st->segments);
    for (; i < p->count; i++)
        st->segments[i] = p->segments[i]->meta;
    if (p->doomed_count > 0)
        st->doomed = xcalloc(p->doomed_count, sizeof *st->doomed);
    i = 0;
    TAILQ_FOREACH(s, &p->doomed, doomed_link) {
        s->due = true;
        st->doomed[i++] = (struct plog_name){
            s->meta.base_offset, s->meta.epoch};
    }
}

void
plog_checkpointed(struct plog *p)
{
    lock_take(&p->lock);
    p->durable = p->durable_next;
    lock_give(&p->lock);
}

void
plog_extent(struct plog *p, struct plog_extent *x)
{
    lock_take(&p->lock);
    *x = (struct plog_extent){p->log_start, p->written, 0, p->count, 0};
    for (size_t i = 0; i < p->count; i++) {
        const struct plog_segment *m = &p->segments[i]->meta;

        x->bytes += m->size;
        if (segment_sparse(m))
            x->compacted = m->last_offset + 1;
    }
    lock_give(&p->lock);
}

/* ------------------------------------------------------------------ check */

static void
check_segments(const struct plog *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct segment *s = p->segments[i];
        const struct plog_segment *m = &s->meta;

        assert(m->size >= BATCH_HEADER);
        assert(m->last_offset >= m->base_offset);
        assert(m->last_offset - m->base_offset <= INT32_MAX);
        if (i > 0)
            assert(m->base_offset == p->segments[i - 1]->meta.last_offset + 1);
        assert(m->last_offset >= p->log_start || i + 1 == p->count);
        assert(s->slot.active == (i + 1 == p->count));
        assert(!s->dirty || s->wfd >= 0);
    }
}

void
plog_check(struct plog *p)
{
    struct segment *s;
    size_t n = 0;

    lock_take(&p->lock);
    assert(p->log_start >= 0);
    assert(p->log_start <= p->written);
    assert(p->cleaned >= 0);
    assert(p->cleaned <= p->written);
    assert(p->durable <= p->written);
    if (p->count == 0) {
        assert(p->log_start == p->written);
    } else {
        assert(p->segments[0]->meta.base_offset <= p->log_start);
        assert(p->segments[p->count - 1]->meta.last_offset + 1 == p->written);
    }
    check_segments(p);
    TAILQ_FOREACH(s, &p->doomed, doomed_link) {
        assert(s->wfd < 0);
        assert(!s->dirty);
        n++;
    }
    assert(n == p->doomed_count);
    lock_give(&p->lock);
    segcache_check(p->cache);
}
