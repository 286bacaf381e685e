/* cut.c: what a power cut can leave of a trace. */
#include "config.h"

#include "cut.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

enum { SECTOR = 512, META_PAGES = 2 * PAGE };

const char *const cut_kind_text[CUT_KIND_COUNT] = {
#define X(name, text) [CUT_##name] = text,
    CUT_KINDS(X)
#undef X
};

/* ---- the disk ---- */

void
disk_init(struct disk *d, const struct trace *t, uint64_t seed,
    uint32_t must)
{
    memset(d, 0, sizeof *d);
    d->trace = t;
    d->seed = seed;
    d->must = must;
    image_copy(&d->durable, &t->start);
}

void
disk_release(struct disk *d)
{
    image_release(&d->durable);
    free(d->pending);
}

static bool
overlap(const struct op *a, const struct op *b)
{
    if (a->kind == OP_RESIZE || b->kind == OP_RESIZE)
        return true;
    return a->pos < b->pos + b->len && b->pos < a->pos + a->len;
}

static void
disk_sync(struct disk *d, int inode)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < d->n; i++) {
        const struct op *op = &d->trace->ops[d->pending[i]];

        if (op_object(op) == inode)
            op_apply(op, &d->durable);
        else
            d->pending[kept++] = d->pending[i];
    }
    d->n = kept;
}

/* One write of a file, and what of it lies below. */
static void
disk_sync_one(struct disk *d, const struct op *sync)
{
    const struct op *write = &d->trace->ops[sync->target];
    uint32_t kept = 0;

    assert(write->kind == OP_WRITE);
    for (uint32_t i = 0; i < d->n; i++) {
        const struct op *op = &d->trace->ops[d->pending[i]];

        if (op_object(op) == sync->inode && overlap(op, write))
            op_apply(op, &d->durable);
        else
            d->pending[kept++] = d->pending[i];
    }
    d->n = kept;
}

/* The kernel marks pages clean that it could not write: they are in its
 * cache and nowhere else. Sometimes the disk had them all the same. */
static void
disk_sync_failed(struct disk *d, int inode)
{
    struct rng r = rng_of(d->seed, d->at, 77);
    uint32_t kept = 0;

    if (rng_one_in(&r, 3))
        return;
    for (uint32_t i = 0; i < d->n; i++)
        if (op_object(&d->trace->ops[d->pending[i]]) != inode)
            d->pending[kept++] = d->pending[i];
    d->n = kept;
}

void
disk_step(struct disk *d)
{
    const struct op *op = &d->trace->ops[d->at++];

    assert(d->at <= d->trace->count);
    switch (op->kind) {
    case OP_SYNC:
        disk_sync(d, op->inode);
        break;
    case OP_SYNC_ONE:
        disk_sync_one(d, op);
        break;
    case OP_SYNC_FAILED:
        disk_sync_failed(d, op->inode);
        break;
    case OP_CUT:
        if (op->version != d->must)
            d->maybe = op->version;
        break;
    case OP_ACK:
        d->must = op->version;
        if (d->maybe == d->must)
            d->maybe = 0;
        break;
    case OP_OPENED:
        d->must = op->version;
        d->maybe = 0;
        break;
    case OP_WRITE:
    case OP_RESIZE:
    case OP_CREATE:
    case OP_MKDIR:
    case OP_UNLINK:
    case OP_RMDIR:
    case OP_RENAME:
        if (d->n == d->cap) {
            d->cap = d->cap == 0 ? 64 : d->cap * 2;
            d->pending = xrealloc(d->pending, d->cap * sizeof *d->pending);
        }
        d->pending[d->n++] = d->at - 1;
        break;
    }
}

/* ---- one operation, in part ---- */

/* LMDB's meta pages: their sectors are whole or not at all. */
static bool
is_meta(const struct disk *d, const struct op *op)
{
    char head[8] = {0};

    if (op->pos >= META_PAGES || op->len > 512)
        return false;
    /* Each begins with its number, then the page's flags: 8 is meta. */
    if (image_size(&d->durable, op->inode) < META_PAGES)
        return false;
    image_read(&d->durable, op->inode, op->pos / PAGE * PAGE + 8, head, 4);
    return head[2] == 8;
}

enum part { PART_FRONT, PART_SOME, PART_GARBAGE };

/* The sectors of a write that one part takes, in units of `unit` bytes. */
static void
write_part(const struct op *op, enum part part, uint32_t unit,
    struct rng *r, struct image *im)
{
    uint32_t first = unit - (uint32_t)(op->pos % unit);
    uint32_t count = op->len <= first ? 1 : 1 + (op->len - first + unit - 1)
        / unit;
    uint32_t chosen = rng_below(r, count);
    struct op piece = *op;

    for (uint32_t i = 0, at = 0; i < count; i++) {
        uint32_t n = i == 0 ? first : unit;
        uint8_t junk[PAGE];

        if (n > op->len - at)
            n = op->len - at;
        piece.pos = op->pos + at;
        piece.len = n;
        piece.bytes = op->bytes + at;
        at += n;
        if (part == PART_FRONT && i >= chosen)
            return;
        if (part == PART_SOME && rng_one_in(r, 2))
            continue;
        if (part == PART_GARBAGE && i == chosen) {
            for (uint32_t k = 0; k < n; k++)
                junk[k] = (uint8_t)rng_next(r);
            piece.bytes = junk;
        }
        op_apply(&piece, im);
    }
}

static void
apply_torn(const struct disk *d, const struct op *op, enum part part,
    struct rng *r, struct image *im)
{
    if (op->kind != OP_WRITE) {
        if (rng_one_in(r, 2))
            op_apply(op, im);
    } else if (is_meta(d, op)) {
        if (rng_one_in(r, 2))
            op_apply(op, im);
    } else {
        write_part(op, part, rng_one_in(r, 2) ? SECTOR : PAGE, r, im);
    }
}

/* The file has its new size, the new part has no data yet. */
static void
apply_zeros(const struct op *op, struct image *im)
{
    if (op->kind != OP_WRITE) {
        op_apply(op, im);
    } else {
        image_inode(im, op->inode, false);
        if (op->pos + op->len > image_size(im, op->inode))
            image_resize(im, op->inode, op->pos + op->len);
    }
}

/* The data is there, as far as the old size lets one see. */
static void
apply_short(const struct op *op, struct image *im)
{
    uint64_t size = image_size(im, op->inode);
    struct op piece = *op;

    if (op->kind != OP_WRITE) {
        op_apply(op, im);
    } else if (op->pos < size) {
        if (piece.len > size - op->pos)
            piece.len = (uint32_t)(size - op->pos);
        op_apply(&piece, im);
    }
}

/* ---- the kinds ---- */

static bool
of_data(const struct op *op)
{
    return op->kind == OP_WRITE || op->kind == OP_RESIZE;
}

static void
make_files(const struct disk *d, struct rng *r, struct image *im)
{
    uint64_t salt = rng_next(r);

    /* Each object takes a prefix of its own; how long, says a hash. */
    for (uint32_t i = 0; i < d->n; i++) {
        const struct op *op = &d->trace->ops[d->pending[i]];
        struct rng of = rng_of(salt, (uint64_t)op_object(op), 0);
        uint32_t total = 0, before = 0;

        for (uint32_t k = 0; k < d->n; k++) {
            if (op_object(&d->trace->ops[d->pending[k]]) != op_object(op))
                continue;
            total++;
            before += k < i;
        }
        if (before < rng_below(&of, total + 1))
            op_apply(op, im);
    }
}

/* Operation number i of n, with `chosen` the one that matters. */
static void
make_one(const struct disk *d, enum cut_kind kind, uint32_t i,
    uint32_t chosen, struct rng *r, struct image *im)
{
    const struct op *op = &d->trace->ops[d->pending[i]];

    switch (kind) {
    case CUT_NONE:
    case CUT_FILES:
    case CUT_KIND_COUNT:
        break;
    case CUT_ALL:
        op_apply(op, im);
        break;
    case CUT_PREFIX:
        if (i < chosen)
            op_apply(op, im);
        break;
    case CUT_OMIT:
        if (i != chosen)
            op_apply(op, im);
        break;
    case CUT_ONLY:
        if (i == chosen)
            op_apply(op, im);
        break;
    case CUT_SUBSET:
        if (rng_one_in(r, 2))
            op_apply(op, im);
        break;
    case CUT_TORN:
    case CUT_GARBAGE:
        if (i < chosen)
            op_apply(op, im);
        else if (i == chosen)
            apply_torn(d, op, kind == CUT_TORN ? PART_FRONT : PART_GARBAGE,
                r, im);
        break;
    case CUT_TORN_MANY:
        apply_torn(d, op, PART_SOME, r, im);
        break;
    case CUT_ZEROS:
        apply_zeros(op, im);
        break;
    case CUT_SHORT:
        apply_short(op, im);
        break;
    case CUT_NAMELESS:
    case CUT_NAMES:
        if (of_data(op) == (kind == CUT_NAMELESS))
            op_apply(op, im);
        break;
    }
}

/* The kinds that say something new about so many operations. */
static bool
worth(const struct disk *d, enum cut_kind kind)
{
    uint32_t data = 0;

    for (uint32_t i = 0; i < d->n; i++)
        data += of_data(&d->trace->ops[d->pending[i]]);
    switch (kind) {
    case CUT_NONE:
    case CUT_KIND_COUNT:
        return true;
    case CUT_ALL:
        return d->n > 0;
    case CUT_PREFIX:
    case CUT_OMIT:
    case CUT_ONLY:
    case CUT_SUBSET:
    case CUT_FILES:
        return d->n > 1;
    case CUT_TORN:
    case CUT_TORN_MANY:
    case CUT_GARBAGE:
    case CUT_ZEROS:
    case CUT_SHORT:
        return data > 0;
    case CUT_NAMELESS:
    case CUT_NAMES:
        return data > 0 && data < d->n;
    }
    return false;
}

bool
cut_make(const struct disk *d, enum cut_kind kind, struct rng *r,
    struct image *out)
{
    uint32_t chosen;

    if (!worth(d, kind))
        return false;
    image_copy(out, &d->durable);
    if (kind == CUT_FILES)
        make_files(d, r, out);
    chosen = d->n == 0 ? 0 : rng_below(r, d->n);
    /* What was asked for last is on its way: torn more often than the rest. */
    if ((kind == CUT_TORN || kind == CUT_GARBAGE) && !rng_one_in(r, 4))
        chosen = d->n - 1;
    for (uint32_t i = 0; i < d->n; i++)
        make_one(d, kind, i, chosen, r, out);
    return true;
}
