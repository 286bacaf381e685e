/*
 * Reading: by offset, by time. A reader takes a view of one segment under
 * the plog's lock, with a reference; all file reads happen outside of it.
 */
#include "config.h"

#include "plog/plog_priv.h"

#include <errno.h>

#include "base/check.h"
#include "base/limits.h"
#include "plog/walk.h"
#include "record/batch.h"

/* ------------------------------------------------------------------ views */

static size_t
segment_at(struct plog *p, int64_t offset)
{
    size_t lo = 0, hi = p->count;

    lock_assert_held(&p->lock);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (p->segments[mid]->meta.last_offset < offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool
view_locked(struct plog *p, size_t i, struct segview *v)
{
    if (i >= p->count)
        return false;
    v->seg = p->segments[i];
    v->meta = v->seg->meta;
    v->seg->refs++;
    return true;
}

bool
plog_take_view(struct plog *p, int64_t offset, struct segview *v)
{
    bool found;

    lock_take(&p->lock);
    found = view_locked(p, segment_at(p, offset), v);
    lock_give(&p->lock);
    return found;
}

bool
plog_take_view_time(struct plog *p, int64_t offset, int64_t ts,
    struct segview *v)
{
    bool found;
    size_t i;

    lock_take(&p->lock);
    for (i = segment_at(p, offset); i < p->count; i++) {
        if (p->segments[i]->meta.max_timestamp >= ts)
            break;
    }
    found = view_locked(p, i, v);
    lock_give(&p->lock);
    return found;
}

void
plog_give_view(struct plog *p, struct segview *v)
{
    lock_take(&p->lock);
    assert(v->seg->refs > 0);
    v->seg->refs--;
    lock_give(&p->lock);
    v->seg = NULL;
}

/* -------------------------------------------------------------- by offset */

/* Does a header that lies behind this batch and its offset stand there? */
static bool
next_follows(struct span bytes, const struct head *h)
{
    struct head next;

    return bytes.len - h->size >= BATCH_HEADER &&
        head_get(bytes.ptr + h->size, &next) && next.base > h->last;
}

/* How many bytes from p on are good batches that are wanted. */
static size_t
batches_count(const struct walk *w, const struct plog_want *want,
    struct span bytes, struct plog_got *got)
{
    int64_t expect = w->expect;
    size_t done = 0;

    while (bytes.len - done >= BATCH_HEADER) {
        struct head h;

        if (!head_get(bytes.ptr + done, &h) ||
            (segment_sparse(&w->view.meta) ? h.base < expect
                                           : h.base != expect) ||
            h.last > w->view.meta.last_offset || h.size > bytes.len - done)
            break;
        if (done > 0 && (h.base >= want->end_offset ||
                            done + h.size > want->max_bytes))
            break;
        if (!head_whole(span_of(bytes.ptr + done, h.size)))
            break;
        /* Of a cleaned one only the walk can say whether its offset is
         * right, which looks at the one behind it. */
        if (segment_sparse(&w->view.meta) && done > 0 &&
            !next_follows(span_of(bytes.ptr + done, bytes.len - done), &h))
            break;
        done += h.size;
        expect = h.last + 1;
        got->count++;
    }
    got->base_offset = w->expect;
    got->next_offset = expect;
    got->bytes = done;
    return done;
}

/* From the walk's batch on, whose header is h. WALK_BAD: its CRC is not
 * right. */
static enum walk_end
batches_read(struct walk *w, const struct head *h,
    const struct plog_want *want, struct buf *out, struct plog_got *got,
    struct err *err)
{
    struct world *world = w->view.seg->cache->world;
    size_t n = w->view.meta.size - w->pos, room = out->max - out->len;
    ssize_t have;
    uint8_t *to;

    if (n > want->max_bytes)
        n = want->max_bytes;
    if (n > room)
        n = room;
    if (n < h->size)
        n = h->size;
    if (n > room) {
        err_set(err, ERR_LIMIT, "a batch of %u bytes, room for %zu", h->size,
            room);
        return WALK_FAILED;
    }
    to = buf_reserve(out, n);
    if (to == NULL) {
        err_set(err, ENOMEM, "read %zu bytes", n);
        return WALK_FAILED;
    }
    have = world->ops->pread(world, w->fd, to, n, (off_t)w->pos);
    if (have < 0) {
        err_set(err, errno, "read segment %lld at %u",
            (long long)w->view.meta.base_offset, w->pos);
        return WALK_FAILED;
    }
    n = batches_count(w, want, span_of(to, (size_t)have), got);
    out->len += n;
    return n > 0 ? WALK_AT : WALK_BAD;
}

static enum plog_status
view_read(struct walk *w, const struct plog_want *want, struct buf *out,
    struct plog_got *got, struct err *err)
{
    struct seek to = {want->offset, INT64_MIN};
    struct head h;

    if (walk_hop(w, &to, err) != 0)
        return PLOG_FAILED;
    for (;;) {
        enum walk_end end = walk_seek(w, &to, &h, err);

        /* There was a gap up to where the caller wants no more. */
        if (end == WALK_AT && h.base > want->offset &&
            h.base >= want->end_offset)
            return PLOG_END;
        if (end == WALK_AT)
            end = batches_read(w, &h, want, out, got, err);
        if (end == WALK_AT)
            return PLOG_OK;
        if (end == WALK_FAILED || walk_mend(w, &got->damage, err) != 0)
            return PLOG_FAILED;
        if (got->damage.resume_offset > want->offset)
            return PLOG_DAMAGED;
    }
}

/* A file that is missing is all damage. */
static enum plog_status
open_failed(const struct segview *v, const struct plog_want *want,
    struct plog_got *got, const struct err *err)
{
    if (err->code != ERR_DAMAGE)
        return PLOG_FAILED;
    got->damage = (struct plog_damage){
        .offset = want->offset,
        .resume_offset = v->meta.last_offset + 1,
        .segment_base = v->meta.base_offset,
        .segment_epoch = v->meta.epoch,
    };
    return PLOG_DAMAGED;
}

enum plog_status
plog_read(struct plog *p, const struct plog_want *want, struct buf *out,
    struct plog_got *got, struct err *err)
{
    enum plog_status status = PLOG_OK;
    struct segview view;
    struct walk walk;
    struct err local;

    if (err == NULL)
        err = &local;
    *got = (struct plog_got){.next_offset = want->offset};
    lock_take(&p->lock);
    if (want->offset < p->log_start)
        status = PLOG_BELOW;
    else if (want->offset >= p->written || want->offset >= want->end_offset)
        status = PLOG_END;
    else if (!view_locked(p, segment_at(p, want->offset), &view))
        unreachable("an offset below the written end has a segment");
    lock_give(&p->lock);
    if (status != PLOG_OK)
        return status;

    if (walk_open(&walk, &view, err) != 0) {
        status = open_failed(&view, want, got, err);
    } else {
        status = view_read(&walk, want, out, got, err);
        walk_close(&walk);
    }
    plog_give_view(p, &view);
    return status;
}

/* ---------------------------------------------------------------- by time */

/* In one batch. false: none, though its header said so. */
static bool
batch_find_time(struct span bytes, const struct seek *to, struct arena *arena,
    struct plog_found *found)
{
    struct batch_iter it;
    struct record r;
    struct batch b;
    int rc;

    if (batch_parse(bytes, &b) != BATCH_OK)
        return false;
    *found = (struct plog_found){
        .offset = b.base_offset < to->offset ? to->offset : b.base_offset,
        .timestamp = b.max_timestamp,
        .leader_epoch = b.leader_epoch,
    };
    if (b.attributes & BATCH_LOG_APPEND_TIME)
        return true;             /* all its records have this one */
    /* What can't be unpacked, a client that unpacks it will complain about:
     * the batch itself is the answer. */
    if (batch_iter_init(&it, &b, arena, NULL) != 0)
        return true;
    while ((rc = batch_iter_next(&it, &r, NULL)) > 0) {
        if (r.offset < to->offset || r.timestamp < to->timestamp)
            continue;
        found->offset = r.offset;
        found->timestamp = r.timestamp;
        return true;
    }
    return rc < 0;
}

/* PLOG_END: not in this segment. */
static enum plog_status
view_find_time(struct walk *w, const struct seek *to, struct arena *arena,
    struct plog_found *found, struct err *err)
{
    struct plog_damage passed;
    struct head h;

    if (walk_hop(w, to, err) != 0)
        return PLOG_FAILED;
    for (;;) {
        enum walk_end end = walk_seek(w, to, &h, err);
        struct span bytes;

        if (end == WALK_END)
            return PLOG_END;
        if (end == WALK_AT)
            end = walk_batch(w, &h, &bytes, err);
        if (end == WALK_FAILED)
            return PLOG_FAILED;
        if (end == WALK_BAD) {
            if (walk_mend(w, &passed, err) != 0)
                return PLOG_FAILED;
        } else {
            struct arena_mark mark = arena_mark(arena);
            bool got = batch_find_time(bytes, to, arena, found);

            arena_rewind(arena, mark);
            if (got)
                return PLOG_OK;
            walk_step(w, &h);
        }
    }
}

static enum plog_status
find_time_in(struct plog *p, struct segview *v, const struct seek *to,
    struct arena *arena, struct plog_found *found, struct err *err)
{
    enum plog_status status = PLOG_FAILED;
    struct walk walk;
    struct err local;

    if (err == NULL)
        err = &local;
    if (walk_open(&walk, v, err) == 0) {
        status = view_find_time(&walk, to, arena, found, err);
        walk_close(&walk);
    } else if (err->code == ERR_DAMAGE) {
        status = PLOG_END;       /* the file is missing: all damage */
    }
    plog_give_view(p, v);
    return status;
}

static int64_t
log_start_of(struct plog *p)
{
    int64_t offset;

    lock_take(&p->lock);
    offset = p->log_start;
    lock_give(&p->lock);
    return offset;
}

enum plog_status
plog_find_time(struct plog *p, int64_t ts, struct arena *arena,
    struct plog_found *found, struct err *err)
{
    struct seek to = {log_start_of(p), ts};
    struct segview v;

    while (plog_take_view_time(p, to.offset, ts, &v)) {
        int64_t next = v.meta.last_offset + 1;
        enum plog_status status =
            find_time_in(p, &v, &to, arena, found, err);

        if (status != PLOG_END)
            return status;
        to.offset = next;
    }
    return PLOG_END;
}

/* Of the records at or after the offset. */
static int64_t
batch_max_from(struct span bytes, int64_t offset, struct arena *arena)
{
    struct arena_mark mark = arena_mark(arena);
    struct batch_iter it;
    struct record r;
    struct batch b;
    int64_t max = -1;

    if (batch_parse(bytes, &b) != BATCH_OK)
        return -1;
    if (batch_iter_init(&it, &b, arena, NULL) == 0) {
        while (batch_iter_next(&it, &r, NULL) > 0) {
            if (r.offset >= offset && r.timestamp > max)
                max = r.timestamp;
        }
    }
    arena_rewind(arena, mark);
    return max;
}

/* The highest timestamp at or after the offset, as batch headers say; only
 * the batch that the offset lies in is opened. */
static int
view_max_timestamp(struct walk *w, int64_t offset, struct arena *arena,
    int64_t *max, struct err *err)
{
    struct seek to = {offset, INT64_MIN};
    struct plog_damage passed;
    struct head h;

    *max = -1;
    if (walk_hop(w, &to, err) != 0)
        return -1;
    for (;;) {
        enum walk_end end = walk_seek(w, &to, &h, err);
        struct span bytes;

        if (end == WALK_END)
            return 0;
        if (end == WALK_AT && h.base < offset) {
            end = walk_batch(w, &h, &bytes, err);
            if (end == WALK_AT)
                h.max_timestamp = batch_max_from(bytes, offset, arena);
        }
        if (end == WALK_FAILED)
            return -1;
        if (end == WALK_BAD) {
            if (walk_mend(w, &passed, err) != 0)
                return -1;
            continue;
        }
        if (h.records > 0 && h.max_timestamp > *max)
            *max = h.max_timestamp;
        walk_step(w, &h);
    }
}

/* The segment that the log start lies in may owe its maximum to records
 * below it. It is walked only if it would win. */
static int
first_max_timestamp(struct plog *p, int64_t offset, struct arena *arena,
    int64_t *max, struct err *err)
{
    struct segview v;
    struct walk walk;
    int64_t first = -1;
    int rc = -1;

    if (!plog_take_view(p, offset, &v))
        return 0;
    if (v.meta.base_offset >= offset || v.meta.max_timestamp <= *max) {
        first = v.meta.max_timestamp;
        rc = 0;
    } else if (walk_open(&walk, &v, err) == 0) {
        rc = view_max_timestamp(&walk, offset, arena, &first, err);
        walk_close(&walk);
    }
    plog_give_view(p, &v);
    if (first > *max)
        *max = first;
    return rc;
}

enum plog_status
plog_max_timestamp(struct plog *p, struct arena *arena,
    struct plog_found *found, struct err *err)
{
    int64_t start, max = -1;

    lock_take(&p->lock);
    start = p->log_start;
    for (size_t i = segment_at(p, start); i < p->count; i++) {
        const struct plog_segment *m = &p->segments[i]->meta;

        if (m->base_offset >= start && m->max_timestamp > max)
            max = m->max_timestamp;
    }
    lock_give(&p->lock);
    if (first_max_timestamp(p, start, arena, &max, err) != 0)
        return PLOG_FAILED;
    return plog_find_time(p, max, arena, found, err);
}
