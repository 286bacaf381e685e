/*
 * Compaction: a pass over the log makes new segments, in which of each key
 * only the newest record is left, and they take the old ones' place.
 *
 *      log start                first dirty           map_end    end    written
 *      |                        |                     |          |      |
 *      [ s1 ][ s2 ][   s3      ][  s4  ][     s5     ][   s6    ][ active )
 *      `---- compacted before -'`---- keys are learnt -'
 *      `-- c1 ----'`---- c2 ---'`-------- c3 --------'     new segments
 *
 * 1. The keys from the first dirty offset on go into a map, key -> newest
 *    offset, until it is full or `end` is reached: the pass covers what is
 *    below map_end, and is bounded in memory whatever the log holds.
 * 2. All segments from the oldest on that begin below map_end are read, and
 *    what sieve.c leaves of them is written to new files. Small ones are
 *    joined up to segment.bytes.
 * 3. Each new file is synced, with its name, and handed to output(): a frame
 *    of the journal says that it takes the place of all segments that lie in
 *    its range of offsets. The keeper applies that, in normal life and after
 *    a crash (plog_swap()).
 *
 * Invariants
 *  1. Only sealed segments are touched that lie wholly below the last durable
 *     checkpoint P, so no replay can append to them again.
 *  2. Until the swap's frame is committed nobody refers to a new file; until
 *     the checkpoint that contains it the old ones are there. So a crash at
 *     any place leaves either all old segments of a group or the new one.
 *  3. The name of a new file: the base offset of the first old one, and an
 *     epoch one above the largest of theirs, with PLOG_CLEANED. Swaps of a
 *     plog come one pass after the other, so none is used twice: while a swap
 *     is due, after a start as well, no pass begins. A name that a crash left
 *     without a frame is made empty first.
 *  4. Its range of offsets is that of the old ones: the last batch stays, if
 *     need be without records, so the list of segments has no gaps, and
 *     the files alone tell it as well (salvage).
 *  5. A swap is stale, and does nothing, if what lies in its range has an
 *     epoch that is not below its own: a checkpoint that was not finished
 *     may have left a state that is ahead of P.
 *  6. Old records go before the newer ones that made them superfluous could:
 *     files are swapped in the order of offsets. A tombstone that goes lies
 *     behind all that it deleted, or in the same file.
 */
#include "config.h"

#include "plog/clean.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/seeded.h"
#include "plog/plog_priv.h"
#include "plog/sieve.h"
#include "plog/walk.h"
#include "record/batch.h"

enum {
    OUT_BYTES = 1 << 20,         /* in one write */
    PACE_BYTES = 1 << 20,
};

/* ------------------------------------------------------------------- dirt */

static int64_t
first_dirty(const struct plog *p)
{
    return p->cleaned > p->log_start ? p->cleaned : p->log_start;
}

void
plog_dirt(struct plog *p, int64_t limit, int64_t min_lag_ms, int64_t now_ms,
    struct plog_dirt *d)
{
    lock_take(&p->lock);
    if (limit > p->durable && !seeded("clean-beyond-P"))
        limit = p->durable;
    *d = (struct plog_dirt){.first_dirty = first_dirty(p), .oldest_ms = -1};
    d->end = p->count > 0 ? p->segments[0]->meta.base_offset : p->written;
    for (size_t i = 0; p->swaps_due == 0 && i + 1 < p->count; i++) {
        const struct plog_segment *m = &p->segments[i]->meta;
        bool dirty = m->last_offset >= d->first_dirty;

        if (m->last_offset >= limit)
            break;
        if (dirty && min_lag_ms > 0 && m->max_timestamp > now_ms - min_lag_ms)
            break;
        d->end = m->last_offset + 1;
        if (!dirty) {
            d->clean_bytes += m->size;
            continue;
        }
        d->dirty_bytes += m->size;
        if (m->first_timestamp >= 0 &&
            (d->oldest_ms < 0 || m->first_timestamp < d->oldest_ms))
            d->oldest_ms = m->first_timestamp;
    }
    lock_give(&p->lock);
}

/* ----------------------------------------------------------------- a pass */

struct pass {
    struct plog *plog;
    const struct plog_clean_options *opts;
    struct plog_clean_stats *stats;
    struct sieve sieve;
    struct plog_dirt dirt;
    size_t since_pace;
};

/* A new segment while it is written. */
struct output {
    struct plog *plog;
    struct plog_segment meta;
    int fd;
    struct buf buf;              /* not written yet: ends at meta.size */
    struct offidx idx;
    uint32_t indexed_pos;
    int64_t max_before;
    bool changed;                /* differs from what it is made of */
};

static int
pace(struct pass *s, size_t bytes, struct err *err)
{
    size_t now = s->since_pace + bytes;

    s->stats->bytes_read += bytes;
    s->since_pace = now;
    if (now < PACE_BYTES)
        return 0;
    s->since_pace = 0;
    if (s->opts->pace != NULL && !s->opts->pace(s->opts->arg, now))
        return err_set(err, ECANCELED, "compaction was stopped");
    return 0;
}

/* What each batch of a segment is given to. 1: go on, 0: enough, -1. */
typedef int (*batch_fn)(struct pass *, void *arg, const struct head *,
    struct span bytes, struct err *);

static int
damaged(struct pass *s, const struct walk *w, struct err *err)
{
    return err_set(err, ERR_DAMAGE, "compaction of %s: the batch at offset "
        "%lld is damaged, segment %lld at %u", s->plog->path,
        (long long)w->expect, (long long)w->view.meta.base_offset, w->pos);
}

static int
walk_batches(struct pass *s, struct walk *w, int64_t from, batch_fn fn,
    void *arg, struct err *err)
{
    const struct seek to = {from, INT64_MIN};
    struct head h;
    int rc = 1;

    if (walk_hop(w, &to, err) != 0)
        return -1;
    while (rc == 1) {
        enum walk_end end = walk_seek(w, &to, &h, err);
        struct span bytes;

        if (end == WALK_END)
            return 1;
        if (end == WALK_AT)
            end = walk_batch(w, &h, &bytes, err);
        if (end == WALK_FAILED)
            return -1;
        if (end == WALK_BAD)
            return damaged(s, w, err);
        rc = fn(s, arg, &h, bytes, err);
        if (rc < 0 && err->code == ERR_DAMAGE)
            err_prefix(err, "compaction of %s, batch at offset %lld",
                s->plog->path, (long long)h.base);
        if (rc >= 0 && pace(s, h.size, err) != 0)
            rc = -1;
        walk_step(w, &h);
    }
    return rc;
}

/* From the batch that holds the offset on. */
static int
each_batch(struct pass *s, const struct segview *v, int64_t from, batch_fn fn,
    void *arg, struct err *err)
{
    struct walk *w = xmalloc(sizeof *w);
    int rc = -1;

    if (walk_open(w, v, err) == 0) {
        rc = walk_batches(s, w, from, fn, arg, err);
        walk_close(w);
    }
    free(w);
    return rc;
}

/* --------------------------------------------------------------- learning */

static int
learn_batch(struct pass *s, void *arg, const struct head *h,
    struct span bytes, struct err *err)
{
    (void)arg;
    (void)h;
    return sieve_learn(&s->sieve, bytes, s->dirt.first_dirty, err);
}

static int
learn(struct pass *s, struct err *err)
{
    struct segview v;
    int64_t at = s->dirt.first_dirty;
    int rc = 1;

    s->sieve.map_end = at;
    while (rc == 1 && at < s->dirt.end && plog_take_view(s->plog, at, &v)) {
        int64_t base = v.meta.base_offset;

        if (v.meta.last_offset < s->dirt.end)
            rc = each_batch(s, &v, at, learn_batch, NULL, err);
        else
            rc = 0;
        /* Half a segment is not worth being written again, if there are
         * others. What the map has of it is true all the same. */
        if (rc == 0 && base > s->dirt.first_dirty)
            s->sieve.map_end = base;
        at = v.meta.last_offset + 1;
        plog_give_view(s->plog, &v);
    }
    return rc < 0 ? -1 : 0;
}

/* ---------------------------------------------------------------- writing */

static struct plog_name
output_name(const struct output *o)
{
    return (struct plog_name){o->meta.base_offset, o->meta.epoch};
}

/* After a write or a sync that failed nobody knows what else did. */
static int
output_failed(struct output *o, struct err *err)
{
    if (err->code != ENOSPC && err->code != EDQUOT && err->code != ENOMEM &&
        err->code != EMFILE && err->code != ENFILE)
        atomic_store(&o->plog->poisoned, true);
    return -1;
}

static int
output_open(struct output *o, struct err *err)
{
    struct world *w = o->plog->world;
    struct plog_name name = output_name(o);
    char path[SEGMENT_PATH_MAX];

    (void)segment_path(o->plog->path, &name, ".log", path);
    o->fd = w->ops->open(w, path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
        0644);
    /* A folder that is missing: its topic is being deleted. */
    return o->fd < 0
        ? err_set(err, errno == ENOENT ? ECANCELED : errno, "create %s", path)
        : 0;
}

static int
output_flush(struct output *o, struct err *err)
{
    struct world *w = o->plog->world;
    off_t at = (off_t)o->meta.size - (off_t)o->buf.len;

    if (o->buf.len > 0 &&
        w->ops->pwrite(w, o->fd, o->buf.ptr, o->buf.len, at) != 0) {
        err_set(err, errno, "write the cleaned segment %lld of %s",
            (long long)o->meta.base_offset, o->plog->path);
        return output_failed(o, err);
    }
    buf_clear(&o->buf);
    return 0;
}

static int
output_put(struct output *o, struct span bytes, struct err *err)
{
    struct head h;

    if (bytes.len < BATCH_HEADER || !head_get(bytes.ptr, &h) ||
        h.size != bytes.len)
        unreachable("the sieve leaves whole batches");
    if (bytes.len > SEGMENT_SIZE_MAX - o->meta.size)
        return err_set(err, ERR_LIMIT, "a cleaned segment would be larger "
            "than a segment may be");
    if (o->meta.size - o->indexed_pos >= OFFIDX_INTERVAL) {
        offidx_add(&o->idx, (struct offidx_entry){
            (uint32_t)(h.base - o->meta.base_offset), o->meta.size,
            o->max_before});
        o->indexed_pos = o->meta.size;
    }
    if (h.records > 0) {
        if (o->meta.first_timestamp < 0)
            o->meta.first_timestamp = h.max_timestamp;
        if (h.max_timestamp > o->meta.max_timestamp)
            o->meta.max_timestamp = h.max_timestamp;
    }
    if (h.max_timestamp > o->max_before)
        o->max_before = h.max_timestamp;
    buf_put_span(&o->buf, bytes);
    o->meta.size += (uint32_t)bytes.len;
    return o->buf.len >= OUT_BYTES ? output_flush(o, err) : 0;
}

/* The file, its name, and the index as well as it can. */
static int
output_sync(struct output *o, bool sync, struct err *err)
{
    struct world *w = o->plog->world;
    struct offidx_id id = {o->meta.base_offset, o->meta.epoch};
    struct plog_name name = output_name(o);
    char path[SEGMENT_PATH_MAX];

    if (output_flush(o, err) != 0)
        return -1;
    if (sync && !seeded("skip-clean-sync")
        && w->ops->fdatasync(w, o->fd) != 0) {
        err_set(err, errno, "sync the cleaned segment %lld of %s",
            (long long)o->meta.base_offset, o->plog->path);
        atomic_store(&o->plog->poisoned, true);
        return -1;
    }
    (void)segment_path(o->plog->path, &name, ".index", path);
    if (o->idx.count > 0)
        offidx_save(&o->idx, w, path, &id, NULL);
    if (sync && !seeded("skip-clean-name")
        && folder_sync(w, o->plog->path, err) != 0) {
        if (err->code == ENOENT)
            return err_set(err, ECANCELED, "the log is being deleted");
        return output_failed(o, err);
    }
    return 0;
}

static void
output_close(struct output *o)
{
    struct world *w = o->plog->world;

    if (o->fd >= 0)
        w->ops->close(w, o->fd);
    o->fd = -1;
    buf_release(&o->buf);
    offidx_release(&o->idx);
}

/* It is not needed: as if it had not begun. */
static void
output_drop(struct output *o)
{
    struct plog_name name = output_name(o);

    (void)segment_unlink(o->plog->world, o->plog->path, &name, NULL);
    plog_making_del(o->plog, &name);
}

/* -------------------------------------------------------------- one group */

struct group {                   /* old segments that become one */
    struct segview *views;
    size_t count, cap;
    uint64_t bytes;
};

static void
group_clear(struct pass *s, struct group *g)
{
    for (size_t i = 0; i < g->count; i++)
        plog_give_view(s->plog, &g->views[i]);
    g->count = 0;
    g->bytes = 0;
}

static int
sift_batch(struct pass *s, void *arg, const struct head *h,
    struct span bytes, struct err *err)
{
    struct output *o = arg;
    struct span left;

    if (sieve_batch(&s->sieve, bytes, h->last == o->meta.last_offset, &left,
            err) != 0)
        return -1;
    if (left.ptr != bytes.ptr)
        o->changed = true;
    if (left.len > 0 && output_put(o, left, err) != 0)
        return -1;
    return 1;
}

static int
output_write(struct pass *s, struct group *g, struct output *o,
    struct err *err)
{
    if (output_open(o, err) != 0)
        return -1;
    for (size_t i = 0; i < g->count; i++) {
        if (each_batch(s, &g->views[i], 0, sift_batch, o, err) < 0)
            return -1;
        s->stats->segments_read++;
    }
    if (!o->changed)
        return 0;
    return output_sync(o, !s->opts->nosync, err);
}

static struct output
output_of(struct pass *s, const struct group *g)
{
    struct output o = {.plog = s->plog, .fd = -1, .max_before = -1,
        .meta = g->views[0].meta, .changed = g->count > 1};

    o.meta.size = 0;
    o.meta.first_timestamp = o.meta.max_timestamp = -1;
    o.meta.last_offset = g->views[g->count - 1].meta.last_offset;
    o.meta.epoch = 0;
    for (size_t i = 0; i < g->count; i++) {
        uint64_t epoch = g->views[i].meta.epoch & ~PLOG_CLEANED;

        if (epoch >= o.meta.epoch)
            o.meta.epoch = epoch + 1;
    }
    o.meta.epoch |= PLOG_CLEANED;
    buf_init(&o.buf, OUT_BYTES + FRAME_BYTES_MAX);
    offidx_init(&o.idx);
    return o;
}

static void
swaps_due_add(struct plog *p, int change)
{
    lock_take(&p->lock);
    if (change > 0 || p->swaps_due > 0)
        p->swaps_due += (size_t)change;
    lock_give(&p->lock);
}

/* From when it is told on the keeper may swap, so it is counted before. */
static int
output_tell(struct pass *s, const struct plog_cleaned *c, struct err *err)
{
    swaps_due_add(s->plog, 1);
    if (s->opts->output(s->opts->arg, c, err) == 0)
        return 0;
    swaps_due_add(s->plog, -1);
    return -1;
}

static int
group_clean(struct pass *s, struct group *g, struct err *err)
{
    struct output o = output_of(s, g);
    struct plog_name name = output_name(&o);
    struct plog_cleaned cleaned;
    int rc;

    plog_making_add(s->plog, &name);
    rc = output_write(s, g, &o, err);
    output_close(&o);
    cleaned = (struct plog_cleaned){.segment = o.meta};
    if (rc == 0 && o.changed) {
        rc = output_tell(s, &cleaned, err);
        if (rc == 0) {
            s->stats->segments_written++;
            s->stats->bytes_written += o.meta.size;
            return 0;
        }
    }
    if (rc == 0)
        s->stats->bytes_written += o.meta.size;
    output_drop(&o);
    return rc;
}

static bool
group_fits(const struct pass *s, const struct group *g,
    const struct plog_segment *m)
{
    uint32_t max = s->opts->segment_bytes > 0 ? s->opts->segment_bytes
                                              : SEGMENT_SIZE_MAX;

    return g->count == 0 ||
        (g->bytes + m->size <= max &&
            m->last_offset - g->views[0].meta.base_offset <= INT32_MAX);
}

static void
group_add(struct group *g, const struct segview *v)
{
    if (g->count == g->cap) {
        g->cap = g->cap == 0 ? 8 : g->cap * 2;
        g->views = xrealloc(g->views, g->cap * sizeof *g->views);
    }
    g->views[g->count++] = *v;
    g->bytes += v->meta.size;
}

/* From the oldest segment on, as far as the map can judge. */
static int
sift(struct pass *s, struct err *err)
{
    struct group g = {.count = 0};
    struct segview v;
    int64_t at = 0;
    int rc = 0;

    while (rc == 0 && plog_take_view(s->plog, at, &v)) {
        at = v.meta.last_offset + 1;
        if (v.meta.base_offset >= s->sieve.map_end || at > s->dirt.end) {
            plog_give_view(s->plog, &v);
            break;
        }
        if (!group_fits(s, &g, &v.meta)) {
            rc = group_clean(s, &g, err);
            group_clear(s, &g);
        }
        group_add(&g, &v);
    }
    if (rc == 0 && g.count > 0)
        rc = group_clean(s, &g, err);
    group_clear(s, &g);
    free(g.views);
    return rc;
}

int
plog_clean(struct plog *p, const struct plog_clean_options *o,
    struct plog_clean_stats *stats, struct err *err)
{
    struct pass s = {.plog = p, .opts = o, .stats = stats};
    struct err local;
    int rc;

    if (err == NULL)
        err = &local;
    if (plog_poisoned(p))
        return err_set(err, EIO, "clean %s: poisoned before", p->path);
    plog_dirt(p, o->limit, o->min_lag_ms, o->now_ms, &s.dirt);
    if (s.dirt.first_dirty >= s.dirt.end)
        return 0;
    sieve_init(&s.sieve, o);
    rc = learn(&s, err);
    if (rc == 0)
        rc = sift(&s, err);
    if (rc == 0) {
        struct plog_cleaned done = {.cleaned = s.sieve.map_end};

        rc = output_tell(&s, &done, err);
    }
    stats->records_read += s.sieve.records_read;
    stats->records_kept += s.sieve.records_kept;
    sieve_release(&s.sieve);
    return rc;
}

/* --------------------------------------------------------------- the swap */

/* The segments that lie in the range: [*from, *to). false: none, or it is
 * not for these. */
static bool
swap_range(const struct plog *p, const struct plog_segment *new, size_t *from,
    size_t *to)
{
    size_t i = 0;

    while (i < p->count && p->segments[i]->meta.base_offset <
            new->base_offset)
        i++;
    *from = i;
    for (; i < p->count; i++) {
        const struct plog_segment *m = &p->segments[i]->meta;

        if (m->last_offset > new->last_offset)
            break;
        if ((m->epoch & ~PLOG_CLEANED) >= (new->epoch & ~PLOG_CLEANED))
            return false;
    }
    *to = i;
    return i > *from && i < p->count &&
        p->segments[i - 1]->meta.last_offset == new->last_offset;
}

static void
swap_segments(struct plog *p, struct segment *new, size_t from, size_t to)
{
    size_t n = to - from;
    struct segment **gone =
        xmemdup(p->segments + from, n * sizeof(struct segment *));

    lock_take(&p->lock);
    p->segments[from] = new;
    memmove(p->segments + from + 1, p->segments + to,
        (p->count - to) * sizeof(struct segment *));
    p->count -= n - 1;
    lock_give(&p->lock);
    for (size_t i = 0; i < n; i++)
        plog_leave(p, gone[i]);
    free(gone);
}

void
plog_swap_due(struct plog *p, const struct plog_cleaned *c)
{
    struct plog_name name = {c->segment.base_offset, c->segment.epoch};

    swaps_due_add(p, 1);
    if (c->segment.size > 0)
        plog_making_add(p, &name);
}

void
plog_swap(struct plog *p, const struct plog_cleaned *c)
{
    struct plog_name name = {c->segment.base_offset, c->segment.epoch};
    struct segment *new;
    size_t from, to;

    if (c->segment.size > 0) {
        assert(segment_sparse(&c->segment));
        plog_making_del(p, &name);
        new = segment_new(p->cache, p->path, &c->segment, false);
        if (swap_range(p, &c->segment, &from, &to))
            swap_segments(p, new, from, to);
        else if (plog_knows(p, &name))
            segment_free(new);   /* a state ahead of P has it already */
        else
            plog_doom(p, new);   /* a trim took all it was made of */
    }
    swaps_due_add(p, -1);
    lock_take(&p->lock);
    if (c->cleaned > p->cleaned)
        p->cleaned = c->cleaned < p->written ? c->cleaned : p->written;
    lock_give(&p->lock);
}
