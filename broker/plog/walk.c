/*
 * A walk goes over batch headers without reading the bodies: a batch is
 * believed to be one if its header is possible and its base offset is the one
 * that is due. Bodies are verified by who reads them.
 *
 * Invariants
 *  1. pos is where a batch should begin, expect its base offset; both move
 *     together. In a cleaned segment the base offset is known only when the
 *     batch was looked at: until then expect is the lowest it can be. Index
 *     entries have the exact one, there as well.
 *  2. An index entry is never believed: a hop is taken only if a batch with
 *     the entry's offset stands there; else the entry before it is tried, at
 *     last the segment's start, which needs no entry. If the walk then passes
 *     the refused entry without meeting damage, the entry was wrong, not the
 *     log: the whole index is thrown away and grows anew.
 *  3. A walk that goes far learns the places it passes, so that the next one
 *     hops: this is how an index is rebuilt.
 *  4. Damage is confined. Example: the length in the header of batch B is
 *     hit, with A before and C, D behind, and the index knows A and, 4 KiB
 *     on, K:
 *
 *        A ------ B ~~~~~~ C ------ D ------ ... K ------
 *        known    |        |                     known
 *                 true     resume
 *                 damage
 *
 *     The walk gets stuck somewhere behind B. It goes back to A, verifies
 *     each batch by its CRC, and so finds that B is the bad one. If B's
 *     header leads to a whole batch with the next offset, the damage was in
 *     the body, and that is C. Else the walk looks at each byte behind B for
 *     a header from which batches with contiguous offsets lead exactly to K
 *     (or to the segment's end), and whose own CRC is right: that is C. A
 *     value that contains a batch can't pass for one, since no chain leads
 *     from within it to K. If there is more damage before K, no chain leads
 *     there either, and all up to K counts as damaged.
 */
#include "config.h"

#include "plog/walk.h"

#include <errno.h>

#include "base/check.h"
#include "base/limits.h"
#include "record/batch.h"

enum {
    BACK_MAX = 8,                /* entries tried before the start */
    AHEAD_MAX = 8,               /* entries tried behind damage */
    CANDIDATES_MAX = 64,         /* headers tried behind damage */
    LEARN_MIN = 4,               /* places worth a merge */
    HOLE = 64 * 1024,            /* bytes without an entry */
};

/* ----------------------------------------------------------- open, close */

static void
walk_start(struct walk *w)
{
    w->pos = w->known_pos = 0;
    w->expect = w->known_expect = w->view.meta.base_offset;
    w->max_before = -1;
    w->next_known = 0;
}

/* The view is a copy already: nothing is read from the segment here, which
 * the keeper may be moving on. */
void
walk_open_raw(struct walk *w, const struct segview *v, int fd)
{
    w->view = *v;
    w->fd = fd;
    w->stop = v->meta.size;
    w->sparse = segment_sparse(&v->meta);
    offidx_init(&w->learned);
    w->forced = w->damaged = false;
    w->suspect = 0;
    w->lied = false;
    w->raw = true;
    w->win_pos = w->win_len = 0;
    buf_init(&w->scratch, FRAME_BYTES_MAX);
    walk_start(w);
}

int
walk_open(struct walk *w, const struct segview *v, struct err *err)
{
    int fd = segment_take(v, err);

    if (fd < 0)
        return -1;
    walk_open_raw(w, v, fd);
    w->raw = false;
    return 0;
}

void
walk_close(struct walk *w)
{
    struct segment *s = w->view.seg;

    buf_release(&w->scratch);
    if (w->lied && !w->damaged)
        segslot_forget(&s->slot, s->cache);
    if (!w->raw && (w->forced || w->learned.count >= LEARN_MIN))
        segslot_learn(&s->slot, s->cache, &w->learned, false);
    offidx_release(&w->learned);
    if (!w->raw)
        segment_give(s);
}

/* --------------------------------------------------------------- reading */

/* Bytes at hand at pos, up to `want` or the segment's end; -1: err. The
 * window is filled again if it has less. */
static ssize_t
window(struct walk *w, uint32_t pos, uint32_t want, const uint8_t **p,
    struct err *err)
{
    struct world *world = w->view.seg->cache->world;
    uint32_t size = w->view.meta.size, left = size - pos;
    ssize_t n;

    assert(pos <= size);
    if (want > left)
        want = left;
    if (pos < w->win_pos || pos - w->win_pos > w->win_len ||
        w->win_len - (pos - w->win_pos) < want) {
        if (left > sizeof w->win)
            left = sizeof w->win;
        n = world->ops->pread(world, w->fd, w->win, left, (off_t)pos);
        w->win_pos = pos;
        w->win_len = n < 0 ? 0 : (uint32_t)n;
        if (n < 0)
            return err_set(err, errno, "read segment %lld at %u",
                (long long)w->view.meta.base_offset, pos);
    }
    *p = w->win + (pos - w->win_pos);
    return w->win_len - (pos - w->win_pos);
}

/* In a cleaned segment nothing says which offset is due, and no checksum
 * covers it. But it must lie before that of the next batch, unless that one is
 * wrong: it is, if it lies before this place as well. */
static enum walk_end
next_fits(struct walk *w, const struct head *h, struct err *err)
{
    uint32_t pos = w->pos + h->size;
    struct head next;
    const uint8_t *p;
    ssize_t n;

    if (pos == w->view.meta.size)
        return w->raw || h->last == w->view.meta.last_offset ? WALK_AT
                                                             : WALK_BAD;
    n = window(w, pos, BATCH_HEADER, &p, err);
    if (n < 0)
        return WALK_FAILED;
    return n >= BATCH_HEADER && head_get(p, &next) &&
            next.base >= w->expect && next.base <= h->last
        ? WALK_BAD : WALK_AT;
}

enum walk_end
walk_peek(struct walk *w, struct head *h, struct err *err)
{
    uint32_t size = w->view.meta.size;
    const uint8_t *p;
    ssize_t n;

    if (w->pos >= w->stop)
        return WALK_END;
    n = window(w, w->pos, BATCH_HEADER, &p, err);
    if (n < 0)
        return WALK_FAILED;
    if (n < BATCH_HEADER || !head_get(p, h))
        return WALK_BAD;
    if (w->sparse ? h->base < w->expect : h->base != w->expect)
        return WALK_BAD;
    if (h->last > w->view.meta.last_offset)
        return WALK_BAD;
    if (h->size > size - w->pos)
        return WALK_BAD;
    if (w->sparse) {
        enum walk_end end = next_fits(w, h, err);

        if (end != WALK_AT)
            return end;
    }
    w->expect = h->base;
    if (w->suspect > 0 && h->size + w->pos > w->suspect)
        w->lied = true;
    return WALK_AT;
}

enum walk_end
walk_batch(struct walk *w, const struct head *h, struct span *out,
    struct err *err)
{
    struct world *world = w->view.seg->cache->world;
    const uint8_t *p;
    ssize_t n;

    if (h->size <= sizeof w->win) {
        n = window(w, w->pos, h->size, &p, err);
        if (n >= 0)
            *out = span_of(p, h->size);
    } else {
        uint8_t *room;
        uint8_t last;

        /* The header may lie about the length: nothing is allocated for
         * bytes that are not there. */
        n = world->ops->pread(world, w->fd, &last, 1,
            (off_t)w->pos + h->size - 1);
        if (n == 0)
            return WALK_BAD;
        buf_clear(&w->scratch);
        room = buf_reserve(&w->scratch, h->size);
        if (room == NULL) {
            err_set(err, ENOMEM, "read a batch of %u bytes", h->size);
            return WALK_FAILED;
        }
        if (n > 0)
            n = world->ops->pread(world, w->fd, room, h->size,
                (off_t)w->pos);
        if (n < 0)
            err_set(err, errno, "read segment %lld at %u",
                (long long)w->view.meta.base_offset, w->pos);
        *out = span_of(room, h->size);
    }
    if (n < 0)
        return WALK_FAILED;
    return n >= (ssize_t)h->size && head_whole(*out) ? WALK_AT : WALK_BAD;
}

/* ---------------------------------------------------------------- moving */

/* At a place that the index has or will have. */
static void
place_known(struct walk *w)
{
    struct segment *s = w->view.seg;
    struct offidx_entry next;

    w->known_pos = w->pos;
    w->known_expect = w->expect;
    w->next_known = segslot_after(&s->slot, s->cache, w->pos, 0, &next)
        ? next.pos : UINT32_MAX;
}

static void
place_learn(struct walk *w)
{
    struct offidx_entry e = {
        (uint32_t)(w->expect - w->view.meta.base_offset), w->pos,
        w->max_before};

    if (w->expect - w->view.meta.base_offset > UINT32_MAX)
        return;
    offidx_add(&w->learned, e);
    w->known_pos = w->pos;
    w->known_expect = w->expect;
}

void
walk_step(struct walk *w, const struct head *h)
{
    if (w->pos >= w->next_known)
        place_known(w);
    else if (w->pos - w->known_pos >= OFFIDX_INTERVAL)
        place_learn(w);
    if (h->max_timestamp > w->max_before)
        w->max_before = h->max_timestamp;
    w->pos += h->size;
    w->expect = h->last + 1;
}

enum walk_end
walk_seek(struct walk *w, const struct seek *to, struct head *h,
    struct err *err)
{
    for (;;) {
        enum walk_end end = walk_peek(w, h, err);

        if (end != WALK_AT)
            return end;
        if (h->last >= to->offset && h->max_timestamp >= to->timestamp)
            return WALK_AT;
        walk_step(w, h);
    }
}

/* --------------------------------------------------------------- hopping */

static struct hop
hop_find(struct walk *w, const struct seek *to, size_t skip)
{
    struct segment *s = w->view.seg;
    struct hop by_offset = {{0, 0, -1}, 0}, by_time = by_offset;

    if (to->offset > w->view.meta.base_offset) {
        int64_t rel = to->offset - w->view.meta.base_offset;

        by_offset = segslot_by_rel(&s->slot, s->cache,
            rel > UINT32_MAX ? UINT32_MAX : (uint32_t)rel, skip);
    }
    if (to->timestamp > 0)
        by_time = segslot_by_time(&s->slot, s->cache, to->timestamp, skip);
    return by_time.at.pos > by_offset.at.pos ? by_time : by_offset;
}

static void
hop_take(struct walk *w, const struct offidx_entry *at)
{
    w->pos = at->pos;
    w->expect = w->view.meta.base_offset + at->rel;
    w->max_before = at->max_before;
    place_known(w);
}

int
walk_hop(struct walk *w, const struct seek *to, struct err *err)
{
    for (size_t skip = 0;; skip++) {
        struct hop hop = hop_find(w, to, skip);
        struct head h;
        enum walk_end end;

        /* Known to the index, but not in this view. */
        if (hop.at.pos >= w->view.meta.size)
            continue;
        if (skip > BACK_MAX && w->suspect > 0)
            hop.at = (struct offidx_entry){0, 0, -1};
        hop_take(w, &hop.at);
        if (w->pos == 0)
            return 0;
        end = walk_peek(w, &h, err);
        if (end == WALK_FAILED)
            return -1;
        if (end == WALK_AT && h.base == w->known_expect)
            return 0;
        if (w->suspect == 0)
            w->suspect = hop.at.pos;
    }
}

void
walk_all_holes(struct walk *w)
{
    struct segment *s = w->view.seg;
    struct seek nowhere = {INT64_MAX, INT64_MAX};
    struct offidx x;

    segslot_copy(&s->slot, s->cache, &x);
    for (size_t i = 0; i <= x.count; i++) {
        struct offidx_entry at = {0, 0, -1};
        struct head h;

        if (i > 0)
            at = x.entries[i - 1];
        w->stop = i < x.count ? x.entries[i].pos : w->view.meta.size;
        if (w->stop > w->view.meta.size)
            w->stop = w->view.meta.size;
        if (at.pos >= w->stop || w->stop - at.pos < HOLE)
            continue;
        hop_take(w, &at);
        (void)walk_seek(w, &nowhere, &h, NULL);
    }
    w->stop = w->view.meta.size;
    offidx_release(&x);
}

/* ---------------------------------------------------------------- damage */

struct place {
    uint32_t pos;
    int64_t expect;
};

static void
place_take(struct walk *w, struct place at)
{
    w->pos = at.pos;
    w->expect = at.expect;
}

/* Can the batch at the place follow one that ends before `due`? */
static bool
place_fits(const struct walk *w, int64_t due, struct place at)
{
    return w->sparse ? due <= at.expect : due == at.expect;
}

/* The first bad batch from the last known place on; at the latest the one
 * where the walk got stuck. */
static int
damage_begin(struct walk *w, struct place *at, struct err *err)
{
    struct place stuck = {w->pos, w->expect};

    *at = (struct place){w->known_pos, w->known_expect};
    while (at->pos < stuck.pos) {
        enum walk_end end;
        struct span bytes;
        struct head h;

        place_take(w, *at);
        end = walk_peek(w, &h, err);
        if (end == WALK_AT)
            end = walk_batch(w, &h, &bytes, err);
        if (end == WALK_FAILED)
            return -1;
        if (end != WALK_AT)
            return 0;
        *at = (struct place){at->pos + h.size, h.last + 1};
    }
    *at = stuck;
    return 0;
}

/* The first indexed place behind the damage where a whole batch stands, or
 * the segment's end. */
static int
damage_limit(struct walk *w, struct place from, struct place *limit,
    struct err *err)
{
    struct segment *s = w->view.seg;
    const struct plog_segment *meta = &w->view.meta;
    struct offidx_entry e;

    for (size_t skip = 0; skip < AHEAD_MAX; skip++) {
        enum walk_end end;
        struct span bytes;
        struct head h;

        if (!segslot_after(&s->slot, s->cache, from.pos, skip, &e) ||
            e.pos >= meta->size)
            break;
        *limit = (struct place){e.pos, meta->base_offset + e.rel};
        place_take(w, *limit);
        end = walk_peek(w, &h, err);
        if (end == WALK_AT)
            end = walk_batch(w, &h, &bytes, err);
        if (end == WALK_FAILED)
            return -1;
        if (end == WALK_AT && limit->expect > from.expect)
            return 0;
    }
    *limit = (struct place){meta->size, meta->last_offset + 1};
    return 0;
}

/* Do batches lead from here to the limit, the first of them whole? */
static enum walk_end
chain_check(struct walk *w, struct place from, struct place limit,
    struct err *err)
{
    enum walk_end end;
    struct span bytes;
    struct head h;

    place_take(w, from);
    while (w->pos < limit.pos) {
        end = walk_peek(w, &h, err);
        if (end != WALK_AT)
            return end;
        place_take(w, (struct place){w->pos + h.size, h.last + 1});
    }
    if (w->pos != limit.pos || !place_fits(w, w->expect, limit))
        return WALK_BAD;
    place_take(w, from);
    end = walk_peek(w, &h, err);
    return end == WALK_AT ? walk_batch(w, &h, &bytes, err) : end;
}

/* The first header in [*at, limit) that could follow on the damage. */
static enum walk_end
candidate_find(struct walk *w, int64_t after, struct place limit,
    struct place *at, struct err *err)
{
    struct head h;
    const uint8_t *p;

    while (limit.pos - at->pos >= BATCH_HEADER) {
        ssize_t n = window(w, at->pos, BATCH_HEADER, &p, err);

        if (n < 0)
            return WALK_FAILED;
        if (n < BATCH_HEADER)
            return WALK_END;
        for (; n >= BATCH_HEADER && limit.pos - at->pos >= BATCH_HEADER;
             n--, p++, at->pos++) {
            if (p[16] != 2 || !head_get(p, &h) || h.base <= after ||
                h.last >= limit.expect || h.size > limit.pos - at->pos)
                continue;
            at->expect = h.base;
            return WALK_AT;
        }
    }
    return WALK_END;
}

/* The usual damage leaves the header's length and offsets alone: then a
 * whole batch with the next offset stands right behind. */
static enum walk_end
successor_check(struct walk *w, struct place from, struct place limit,
    struct place *resume, struct err *err)
{
    enum walk_end end;
    struct span bytes;
    struct head h;

    place_take(w, from);
    end = walk_peek(w, &h, err);
    if (end != WALK_AT)
        return end;
    *resume = (struct place){w->pos + h.size, h.last + 1};
    if (resume->pos == limit.pos && place_fits(w, resume->expect, limit))
        return WALK_AT;
    if (resume->pos >= limit.pos)
        return WALK_BAD;
    place_take(w, *resume);
    end = walk_peek(w, &h, err);
    return end == WALK_AT ? walk_batch(w, &h, &bytes, err) : end;
}

static int
damage_end(struct walk *w, struct place from, struct place limit,
    struct place *resume, struct err *err)
{
    struct place at = {from.pos + 1, 0};
    enum walk_end next = successor_check(w, from, limit, resume, err);

    if (next == WALK_AT || next == WALK_FAILED)
        return next == WALK_AT ? 0 : -1;
    *resume = limit;
    for (int i = 0; i < CANDIDATES_MAX && at.pos < limit.pos; i++) {
        enum walk_end end = candidate_find(w, from.expect, limit, &at, err);

        if (end == WALK_AT)
            end = chain_check(w, at, limit, err);
        else if (end == WALK_END)
            return 0;
        if (end == WALK_FAILED)
            return -1;
        if (end == WALK_AT) {
            *resume = at;
            return 0;
        }
        at.pos++;
    }
    return 0;
}

int
walk_mend(struct walk *w, struct plog_damage *d, struct err *err)
{
    struct place from, limit, resume;
    struct head h;

    w->damaged = true;
    if (damage_begin(w, &from, err) != 0 ||
        damage_limit(w, from, &limit, err) != 0 ||
        damage_end(w, from, limit, &resume, err) != 0)
        return -1;
    *d = (struct plog_damage){
        .offset = from.expect,
        .resume_offset = resume.expect,
        .segment_base = w->view.meta.base_offset,
        .segment_epoch = w->view.meta.epoch,
        .pos = from.pos,
    };
    place_take(w, resume);
    /* Behind damage a whole batch was found; now its offset is exact. */
    if (resume.pos < w->view.meta.size &&
        (!w->sparse || walk_peek(w, &h, err) == WALK_AT)) {
        place_learn(w);
        w->forced = true;
    }
    return 0;
}
