/*
 * journal_read.c: reading the journal: recovery, and a walk that only looks.
 *
 * Frames are found by their chain, not by their place: the next one is that
 * which names the check of the last (frame.h). It stands right behind, or
 * first in another file, or, if what stood between is lost, further behind.
 * The end and damage are told apart so: reading stops when there is no next
 * frame in the first two places. Then all blocks behind in that file are
 * looked at, and those of each other file up to the first older frame: what
 * lies behind it is older still.
 *
 *   A header there that proves itself, with a later epoch, of an incarnation
 *   that we know, and
 *      names the last frame, and is whole: the next frame, after all;
 *      names it, and is not whole:         torn, it was never acknowledged;
 *      names another:                      the frame it names was committed
 *                                          and is not there: damage, exit 7.
 *
 * Known are the incarnations that LMDB has from their start, and those read.
 * They are random: so no record of a client can pass for a frame and keep us
 * from starting.
 *
 * The last frame, again
 *  1. Before the last frame is trusted it must be on the disk for sure. After
 *     a failed flush the page cache may show bytes that the disk lacks, and
 *     no later flush would bring them there. So it is written once more.
 *  2. Not where it stands: a power cut within that write could tear the only
 *     copy of a frame that was acknowledged. It is written behind, to blocks
 *     that hold nothing, and flushed. If that is torn, the first one is what
 *     it was.
 *  3. Who reads the frame a second time (the same epoch and check as the
 *     last one) goes past it. If the first one is lost, the second names the
 *     frame before as well, and takes its place.
 *  4. When the flush has returned, the checkpoint's record says so
 *     (journal_trust). So the same frame is not written again at each start,
 *     and crashes in a row fill no journal.
 *  5. A copy of which no record says so was never relied on: if it was acked
 *     at all, the first one is on the disk. So when there is no room, such a
 *     copy is written over. Entry keeps room for one (journal_room_twice).
 *
 * Reading goes by windows of 1 MiB: with O_DIRECT each call is a journey to
 * the disk, and a ring has 65,536 blocks.
 */
#include "config.h"

#include "epoch/journal_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/seeded.h"

enum { WINDOW = 1024 * 1024 };

/* The state of one walk. */
struct walk {
    struct journal *j;
    uint8_t *buf;                /* aligned: the window */
    size_t cap;
    size_t win_file, win_len;    /* what is in it */
    uint64_t win_pos;
    size_t file;                 /* where reading goes on */
    uint64_t pos;
    struct frame_header last;    /* epoch, incarnation and check of it */
    struct journal_slot slot;    /* where it was read; size 0: nowhere */
    struct journal_slot copy;    /* of a whole copy; size 0: none */
    bool torn_ok;
    bool jumped;                 /* a frame was not where it was due */
    /* What was seen behind the end. */
    bool damaged, next;
    size_t seen_file;
    uint64_t seen_pos;
};

/* ---- the window ---- */

static void
walk_room(struct walk *k, size_t size)
{
    void *p = NULL;

    if (size <= k->cap)
        return;
    must(posix_memalign(&p, JOURNAL_BLOCK, size));
    free(k->buf);
    k->buf = p;
    k->cap = size;
}

/* The bytes of a file at pos, a block's begin; NULL: it does not have so
 * many. Valid until the next call. 0 or -1. */
static int
walk_view(struct walk *k, size_t file, uint64_t pos, uint64_t size,
    const uint8_t **out, struct err *err)
{
    struct journal_file *f = k->j->files[file];
    struct world *w = k->j->world;
    uint64_t want = size > WINDOW ? size : WINDOW;
    ssize_t n;

    *out = NULL;
    if (pos > f->size || size > f->size - pos)
        return 0;
    if (k->win_len == 0 || k->win_file != file || pos < k->win_pos
        || pos + size > k->win_pos + k->win_len) {
        if (want > f->size - pos)
            want = f->size - pos;
        walk_room(k, want);
        k->win_len = 0;
        n = w->ops->pread(w, f->fd, k->buf, want, (off_t)pos);
        if (n < 0)
            return err_set(err, errno, "read journal file %08x", f->number);
        k->win_file = file;
        k->win_pos = pos;
        k->win_len = (size_t)n;
        if ((uint64_t)n < size)
            return 0;
    }
    *out = k->buf + (pos - k->win_pos);
    return 0;
}

/* ---- one frame ---- */

enum found { FOUND_NOTHING, FOUND_NEXT, FOUND_AGAIN, FOUND_TORN };

static bool
frame_is_next(const struct walk *k, const struct frame_header *h)
{
    return h->epoch > k->last.epoch && h->before == k->last.check;
}

static bool
frame_is_last(const struct walk *k, const struct frame_header *h)
{
    return k->slot.size > 0 && h->epoch == k->last.epoch
        && h->check == k->last.check
        && h->incarnation == k->last.incarnation;
}

static int
walk_unknown(const struct walk *k, size_t file, uint64_t pos,
    struct err *err)
{
    return err_set(err, ERR_FORMAT, "journal file %08x at %llu holds a frame "
        "of a version that this build can't read",
        k->j->files[file]->number, (unsigned long long)pos);
}

/* What begins at file, pos, and does it prove itself? *frame: its bytes,
 * without the padding. */
static int
walk_read(struct walk *k, size_t file, uint64_t pos, struct frame_header *h,
    struct span *frame, enum found *found, struct err *err)
{
    const uint8_t *p;
    enum frame_status status;
    bool again;

    *found = FOUND_NOTHING;
    if (walk_view(k, file, pos, JOURNAL_BLOCK, &p, err) < 0)
        return -1;
    if (p == NULL || get_le32(p) != FRAME_MAGIC)
        return 0;
    if (walk_view(k, file, pos, journal_pad(get_le32(p + 8)), &p, err) < 0)
        return -1;
    if (p == NULL)
        return 0;
    status = frame_open(span_of(p, get_le32(p + 8)), h);
    if (status == FRAME_UNKNOWN)
        return walk_unknown(k, file, pos, err);
    if (status != FRAME_OK)
        return 0;
    again = frame_is_last(k, h);
    if (!again && !frame_is_next(k, h))
        return 0;
    *frame = span_of(p, h->length);
    switch (frame_prove(*frame, err)) {
    case FRAME_UNKNOWN:
        return -1;
    case FRAME_OK:
        *found = again ? FOUND_AGAIN : FOUND_NEXT;
        break;
    case FRAME_NONE:
    case FRAME_SHORT:
    case FRAME_BAD:
        *found = FOUND_TORN;
        break;
    }
    return 0;
}

/* ---- the next frame ---- */

static struct journal_slot
slot_at(const struct walk *k, size_t file, uint64_t pos, uint64_t size)
{
    return (struct journal_slot){.file = (uint32_t)file, .pos = pos,
        .size = size, .to = k->j->files[file]};
}

static void
walk_past(struct walk *k, size_t file, uint64_t pos,
    const struct frame_header *h)
{
    k->copy = slot_at(k, file, pos, journal_pad(h->length));
    k->file = file;
    k->pos = pos + k->copy.size;
    if (k->pos > k->j->files[file]->used)
        k->j->files[file]->used = k->pos;
    k->j->files[file]->newest = h->epoch;
}

/* Where reading stands, else first in another file: the next frame, or the
 * last one again. The next one goes before. */
static int
walk_places(struct walk *k, struct frame_header *h, struct span *frame,
    enum found *found, struct err *err)
{
    size_t again = SIZE_MAX, at = k->file;
    struct frame_header copy;

    if (walk_read(k, at, k->pos, h, frame, found, err) < 0)
        return -1;
    if (*found == FOUND_AGAIN)
        walk_past(k, at, k->pos, h);
    if (*found == FOUND_AGAIN || *found == FOUND_NEXT)
        return 0;
    for (size_t i = 0; i < k->j->count; i++) {
        struct journal_file *f = k->j->files[i];

        if (i == at)
            continue;
        if (walk_read(k, i, 0, h, frame, found, err) < 0)
            return -1;
        if (*found == FOUND_NEXT) {
            k->file = i;
            k->pos = 0;
            return 0;
        }
        if (*found == FOUND_AGAIN && f->again != h->epoch
            && !(k->slot.file == i && k->slot.pos == 0)) {
            again = i;
            copy = *h;
        }
    }
    *found = again == SIZE_MAX ? FOUND_NOTHING : FOUND_AGAIN;
    if (again != SIZE_MAX) {
        /* Each file is entered once for a frame: copies of it can stand
         * first in more than one. */
        k->j->files[again]->again = copy.epoch;
        walk_past(k, again, 0, &copy);
    }
    return 0;
}

static int walk_look_behind(struct walk *k, struct err *err);

/* *ok: h and frame are the next one, at k->file, k->pos. */
static int
walk_next(struct walk *k, struct frame_header *h, struct span *frame,
    bool *ok, struct err *err)
{
    enum found found = FOUND_AGAIN;

    *ok = false;
    while (found == FOUND_AGAIN)
        if (walk_places(k, h, frame, &found, err) < 0)
            return -1;
    if (found != FOUND_NEXT) {
        if (walk_look_behind(k, err) < 0)
            return -1;
        if (!k->next)
            return 0;
        k->file = k->seen_file;
        k->pos = k->seen_pos;
        k->jumped = true;
        if (walk_read(k, k->file, k->pos, h, frame, &found, err) < 0)
            return -1;
        if (found != FOUND_NEXT)
            return err_set(err, EIO, "journal file %08x at %llu reads "
                "otherwise now: the disk is failing",
                k->j->files[k->file]->number, (unsigned long long)k->pos);
    }
    *ok = true;
    return 0;
}

/* ---- incarnations ---- */

static bool
incarnation_known(const struct journal *j, uint64_t incarnation)
{
    for (size_t i = j->known_count; i > 0; i--)
        if (j->known[i - 1] == incarnation)
            return true;
    return false;
}

static void
incarnation_learn(struct journal *j, uint64_t incarnation)
{
    if (!incarnation_known(j, incarnation)
        && j->known_count < JOURNAL_INCARNATIONS_MAX)
        j->known[j->known_count++] = incarnation;
}

void
journal_know(struct journal *j, uint64_t incarnation)
{
    incarnation_learn(j, incarnation);
}

/* ---- behind the end ---- */

/* Is there a header at file, pos that proves itself? */
static int
walk_header(struct walk *k, size_t file, uint64_t pos,
    struct frame_header *h, bool *ok, struct err *err)
{
    const uint8_t *p;
    enum frame_status status;
    uint64_t size;

    *ok = false;
    if (walk_view(k, file, pos, JOURNAL_BLOCK, &p, err) < 0)
        return -1;
    if (p == NULL || get_le32(p) != FRAME_MAGIC)
        return 0;
    status = frame_open(span_of(p, JOURNAL_BLOCK), h);
    if (status == FRAME_SHORT) {
        size = journal_pad(FRAME_HEADER + (uint64_t)h->manifest_length);
        if (walk_view(k, file, pos, size, &p, err) < 0)
            return -1;
        if (p == NULL)
            return 0;
        status = frame_open(span_of(p, size), h);
    }
    *ok = status == FRAME_OK;
    return 0;
}

/* Judges what stands in one block. *older: an older frame begins there. */
static int
walk_look(struct walk *k, size_t file, uint64_t pos, bool *older,
    struct err *err)
{
    struct frame_header h;
    struct span frame;
    enum found found;
    bool ok;

    *older = false;
    if (walk_header(k, file, pos, &h, &ok, err) < 0)
        return -1;
    if (!ok)
        return 0;
    *older = h.epoch <= k->last.epoch;
    if (*older || !incarnation_known(k->j, h.incarnation))
        return 0;
    if (h.epoch > k->j->highest)
        k->j->highest = h.epoch;
    if (k->next)
        return 0;
    if (frame_is_next(k, &h)) {
        if (walk_read(k, file, pos, &h, &frame, &found, err) < 0)
            return -1;
        k->next = found == FOUND_NEXT;
        if (!k->next)
            return 0;
    } else if (k->damaged) {
        return 0;
    } else {
        k->damaged = true;
    }
    k->seen_file = file;
    k->seen_pos = pos;
    return 0;
}

/* The blocks of one file from `pos` on, all or up to the first older frame. */
static int
walk_look_file(struct walk *k, size_t file, uint64_t pos, bool all,
    struct err *err)
{
    uint64_t end = k->j->files[file]->size;
    bool older = false;

    for (; pos + JOURNAL_BLOCK <= end && (all || !older) && !k->next;
         pos += JOURNAL_BLOCK)
        if (walk_look(k, file, pos, &older, err) < 0)
            return -1;
    return 0;
}

/* When a gap is no damage all blocks are looked at, since their numbers must
 * not come again; and when frames were not in their places, since then they
 * may be anywhere. */
static int
walk_look_behind(struct walk *k, struct err *err)
{
    bool all = k->torn_ok || k->jumped;

    k->damaged = k->next = false;
    if (walk_look_file(k, k->file, k->jumped ? 0 : k->pos, true, err) < 0)
        return -1;
    for (size_t i = 0; i < k->j->count && !k->next; i++)
        if (i != k->file && walk_look_file(k, i, 0, all, err) < 0)
            return -1;
    return 0;
}

static int
walk_check_end(const struct walk *k, struct err *err)
{
    struct journal *j = k->j;

    if (!k->damaged || k->torn_ok)
        return 0;
    return err_set(err, ERR_DAMAGE, "the journal is damaged after epoch %llu "
        "(file %08x at %llu): a later frame is there (file %08x at %llu); "
        "keep a copy of the folder, then run penstock salvage",
        (unsigned long long)k->last.epoch, j->files[k->file]->number,
        (unsigned long long)k->pos, j->files[k->seen_file]->number,
        (unsigned long long)k->seen_pos);
}

/* ---- a walk ---- */

static void
walk_advance(struct walk *k, const struct frame_header *h)
{
    struct journal_file *f = k->j->files[k->file];

    k->last = *h;
    k->slot = slot_at(k, k->file, k->pos, journal_pad(h->length));
    k->copy.size = 0;
    k->pos += k->slot.size;
    f->newest = h->epoch;
    f->used = k->pos;
    incarnation_learn(k->j, h->incarnation);
}

static int
walk_start(struct walk *k, struct journal *j,
    const struct journal_cursor *from, struct err *err)
{
    *k = (struct walk){.j = j, .pos = from->pos};
    k->last.epoch = from->epoch;
    k->last.incarnation = from->incarnation;
    k->last.check = from->check;
    j->highest = from->epoch;
    incarnation_learn(j, from->incarnation);
    for (size_t i = 0; i < j->count; i++)
        j->files[i]->again = 0;
    for (size_t i = 0; i < j->count; i++) {
        if (j->files[i]->number == from->file) {
            k->file = i;
            return 0;
        }
    }
    return err_set(err, ERR_DAMAGE, "journal file %08x, where epoch %llu "
        "goes on, is missing: put it back or run penstock salvage",
        from->file, (unsigned long long)from->epoch);
}

static void
walk_tell(const struct walk *k)
{
    k->j->walked_file = k->j->files[k->file]->number;
    k->j->walked_pos = k->pos;
}

/* All frames to fn, then the end is judged. */
static int
walk_run(struct walk *k, journal_frame_fn *fn, void *arg, struct err *err)
{
    struct frame_header h;
    struct span frame;
    bool ok = true;
    int rc = 0;

    while (rc == 0) {
        rc = walk_next(k, &h, &frame, &ok, err);
        walk_tell(k);
        if (rc < 0 || !ok)
            break;
        rc = fn(arg, &h, frame, err);
        walk_advance(k, &h);
    }
    return rc == 0 ? walk_check_end(k, err) : rc;
}

void
journal_walked(const struct journal *j, uint32_t *file, uint64_t *pos)
{
    *file = j->walked_file;
    *pos = j->walked_pos;
}

int
journal_walk(struct journal *j, const struct journal_cursor *from,
    journal_frame_fn *fn, void *arg, struct err *err)
{
    struct walk k;
    int rc = walk_start(&k, j, from, err);

    if (rc == 0)
        rc = walk_run(&k, fn, arg, err);
    free(k.buf);
    return rc;
}

/* ---- the last frame, again ---- */

/* A place for a copy: behind, else in a free file, else where an older copy
 * stands, which nobody relies on. */
static bool
again_place(struct walk *k, struct journal_slot *slot)
{
    struct journal *j = k->j;
    uint64_t size = k->slot.size;
    size_t file = k->file;

    *slot = slot_at(k, file, k->pos, size);
    if (size <= j->files[file]->size - k->pos)
        return true;
    j->current = file;
    file = journal_free_file(j, size);
    if (file != SIZE_MAX) {
        j->files[file]->used = 0;
        *slot = slot_at(k, file, 0, size);
        return true;
    }
    *slot = k->copy;
    return slot->size != 0;
}

static int
again_read(struct walk *k, struct err *err)
{
    struct journal_file *f = k->j->files[k->slot.file];
    struct world *w = k->j->world;
    struct frame_header h;

    walk_room(k, k->slot.size);
    k->win_len = 0;
    if (w->ops->pread(w, f->fd, k->buf, k->slot.size, (off_t)k->slot.pos)
        != (ssize_t)k->slot.size)
        return err_set(err, errno, "read journal file %08x", f->number);
    if (frame_open(span_of(k->buf, k->slot.size), &h) != FRAME_OK
        || h.check != k->last.check
        || frame_prove(span_of(k->buf, h.length), err) != FRAME_OK)
        return err_set(err, EIO, "journal file %08x at %llu reads otherwise "
            "now: the disk is failing", f->number,
            (unsigned long long)k->slot.pos);
    return 0;
}

/* Makes sure that the last frame is on the disk: see the essay. */
static int
walk_harden_last(struct walk *k, struct err *err)
{
    struct journal *j = k->j;
    struct journal_slot slot;
    struct journal_file *f;

    if (k->slot.size == 0 || j->opts.durability != DURABILITY_POWER
        || (j->trusted_epoch == k->last.epoch
            && j->trusted_check == k->last.check)
        || seeded("trust-last-frame"))
        return 0;
    if (again_read(k, err) < 0)
        return -1;
    if (seeded("harden-in-place"))
        return journal_write(j, &k->slot, k->buf, err);
    if (!again_place(k, &slot)) {
        /* Entry keeps room for it; what the system itself must say may have
         * used that up. */
        diag(WARN, EPOCH, "the journal is full: its last frame is written "
            "again where it stands");
        return journal_write(j, &k->slot, k->buf, err);
    }
    if (journal_write(j, &slot, k->buf, err) < 0)
        return -1;
    f = slot.to;
    f->newest = k->last.epoch;
    if (slot.pos + slot.size > f->used)
        f->used = slot.pos + slot.size;
    if (slot.file != k->file || slot.pos == k->pos) {
        k->file = slot.file;
        k->pos = slot.pos + slot.size;
    }
    return 0;
}

int
journal_recover(struct journal *j, const struct journal_cursor *from,
    bool torn_ok, journal_frame_fn *fn, void *arg, struct err *err)
{
    struct walk k;
    int rc = walk_start(&k, j, from, err);

    check_obj(j, JOURNAL_MAGIC);
    k.torn_ok = torn_ok;
    if (rc == 0)
        rc = walk_run(&k, fn, arg, err);
    if (rc == 0)
        rc = walk_harden_last(&k, err);
    j->current = k.file;
    j->pos = k.pos;
    j->epoch = k.last.epoch;
    j->check = k.last.check;
    j->last_incarnation = k.last.incarnation;
    if (k.last.epoch > j->highest)
        j->highest = k.last.epoch;
    free(k.buf);
    return rc;
}
