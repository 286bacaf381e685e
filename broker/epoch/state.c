/* state.c: the stores of tasks. */
#include "config.h"

#include "epoch/state.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/world.h"

enum {
    SNAPSHOT_NS = 100000000,     /* of LMDB, at most: pages can't be reused */
    CHUNK_KEYS = 256,            /* merged at a time by a scan */
    CLEAN_VALUE_MAX = 4 * KIB,   /* larger ones are read from LMDB again */
};

/* Clean keys of all shelves. It is what makes a store of some 100,000 keys
 * cost no look into LMDB at all. */
#define STATE_CLEAN_BYTES (32 * MIB)

void
state_init(struct state *s, struct meta *meta)
{
    memset(s, 0, sizeof *s);
    lock_init(&s->lock);
    table_init(&s->shelves);
    s->meta = meta;
    s->budget.max = STATE_CLEAN_BYTES;
}

void
state_release(struct state *s)
{
    struct shelf *f;

    for (size_t i = 0; (f = table_next(&s->shelves, &i)) != NULL;) {
        overlay_release(&f->overlay);
        f->magic = 0;
        free(f);
    }
    table_release(&s->shelves);
    lock_release(&s->lock);
}

struct shelf *
state_shelf(struct state *s, uint32_t store, uint32_t partition)
{
    uint8_t key[META_STATE_PREFIX];
    struct shelf *f;

    put_be32(key, store);
    put_be32(key + 4, partition);
    lock_take(&s->lock);
    f = table_get(&s->shelves, span_of(key, sizeof key));
    if (f == NULL) {
        f = xcalloc(1, sizeof *f);
        f->magic = SHELF_MAGIC;
        f->store = store;
        f->partition = partition;
        memcpy(f->key, key, sizeof key);
        overlay_init(&f->overlay);
        f->overlay.budget = &s->budget;
        table_put(&s->shelves, span_of(f->key, sizeof f->key), f);
    }
    lock_give(&s->lock);
    return f;
}

struct shelf *
state_next(struct state *s, size_t *iter)
{
    lock_assert_held(&s->lock);
    return table_next(&s->shelves, iter);
}

int
state_reader_init(struct state_reader *r, struct state *s, struct err *err)
{
    r->state = s;
    r->trims = 0;
    r->since_ns = 0;
    r->meta = meta_reader_new(s->meta, err);
    if (r->meta == NULL)
        return -1;
    meta_reader_park(r->meta);
    return 0;
}

void
state_reader_release(struct state_reader *r)
{
    meta_reader_free(r->meta);
    r->meta = NULL;
}

void
state_reader_park(struct state_reader *r)
{
    r->since_ns = 0;
    meta_reader_park(r->meta);
}

/* A snapshot at least as new as `trims`, and not too old. */
static int
reader_fresh(struct state_reader *r, uint64_t trims, struct err *err)
{
    int64_t now = world_mono_ns(world_real());

    if (r->since_ns != 0 && r->trims >= trims
        && now - r->since_ns < SNAPSHOT_NS)
        return 0;
    /* Read before the snapshot begins: what is counted is in it. */
    r->trims = atomic_load(&r->state->trims);
    r->since_ns = now;
    return meta_reader_renew(r->meta, err);
}

static uint64_t
view_run(const struct shelf *f, enum state_view view)
{
    return view == STATE_NEWEST ? UINT64_MAX : f->overlay.published;
}

/* The next look is spared. Not if anything was trimmed meanwhile: the value
 * may be one that was put, checkpointed and let go since the snapshot. */
static void
learn(struct state_reader *r, struct shelf *f, uint64_t trims,
    struct span key, struct span value)
{
    if (value.len > CLEAN_VALUE_MAX)
        return;
    overlay_lock(&f->overlay);
    if (atomic_load(&r->state->trims) == trims)
        overlay_learn(&f->overlay, key, value);
    overlay_unlock(&f->overlay);
}

int
state_get(struct state_reader *r, struct shelf *f, enum state_view view,
    struct span key, struct arena *arena, struct span *value,
    struct err *err)
{
    enum overlay_result found;
    struct span seen, at;
    uint64_t trims;
    int rc;

    check_obj(f, SHELF_MAGIC);
    overlay_lock(&f->overlay);
    found = overlay_get(&f->overlay, key, view_run(f, view), &seen);
    if (found == OVERLAY_VALUE)
        *value = arena_copy(arena, seen);
    trims = atomic_load(&r->state->trims);
    overlay_unlock(&f->overlay);
    if (found == OVERLAY_GONE)
        return 0;
    if (found == OVERLAY_VALUE)
        return value->ptr != NULL
            ? 1 : err_set(err, ERR_LIMIT, "no room for a stored value");
    if (reader_fresh(r, trims, err) < 0)
        return -1;
    at = meta_state_key(arena, f->store, f->partition, key);
    if (at.ptr == NULL)
        return err_set(err, ERR_LIMIT, "no room for a key");
    rc = meta_get(r->meta, META_STATE, at, arena, value, err);
    if (rc == 1 && view == STATE_NEWEST)
        learn(r, f, trims, key, *value);
    return rc;
}

void
state_ahead(struct shelf *f, const struct span *keys, size_t n)
{
    check_obj(f, SHELF_MAGIC);
    overlay_lock(&f->overlay);
    overlay_ahead(&f->overlay, keys, n);
    overlay_unlock(&f->overlay);
}

/* ---- scans: two ordered sources merged, a chunk of keys at a time ---- */

struct entry {
    struct span key, value;      /* value null: gone */
};

struct chunk_of {
    struct arena *arena;
    struct entry entries[CHUNK_KEYS];
    size_t n;
    bool full;                   /* there may be more behind the last key */
    bool failed;
};

static void
chunk_add(struct chunk_of *c, struct span key, bool gone, struct span value)
{
    struct entry *e = &c->entries[c->n++];

    assert(c->n <= CHUNK_KEYS);
    e->key = arena_copy(c->arena, key);
    e->value = gone ? SPAN_NULL : arena_copy(c->arena, value);
    c->failed |= e->key.ptr == NULL || (!gone && e->value.ptr == NULL);
}

static void
chunk_from_overlay(void *arg, struct span key, bool gone, struct span value)
{
    chunk_add(arg, key, gone, value);
}

static int
chunk_from_meta(void *arg, struct span key, struct span value,
    struct err *err)
{
    struct chunk_of *c = arg;

    (void)err;
    if (c->n == CHUNK_KEYS) {
        c->full = true;
        return 1;
    }
    key.ptr += META_STATE_PREFIX;
    key.len -= META_STATE_PREFIX;
    chunk_add(c, key, false, value);
    return 0;
}

struct scan_state {
    struct state_reader *reader;
    struct shelf *shelf;
    enum state_view view;
    struct span to;
    size_t left;
    struct arena *arena, keep;   /* keep: for LMDB's side of the chunk */
    state_fn *fn;
    void *arg;
    struct chunk_of over, under;
};

static int
scan_fill(struct scan_state *s, struct span from, struct err *err)
{
    struct overlay *o = &s->shelf->overlay;
    struct span prefix = span_of(s->shelf->key, META_STATE_PREFIX), at, next;
    uint64_t trims;

    s->over = (struct chunk_of){.arena = s->arena};
    s->under = (struct chunk_of){.arena = &s->keep};
    overlay_order(o);
    overlay_lock(o);
    s->over.full = overlay_walk(o, from, view_run(s->shelf, s->view),
        CHUNK_KEYS, chunk_from_overlay, &s->over, &next);
    trims = atomic_load(&s->reader->state->trims);
    overlay_unlock(o);
    if (reader_fresh(s->reader, trims, err) < 0)
        return -1;
    at = meta_state_key(s->arena, s->shelf->store, s->shelf->partition, from);
    if (at.ptr == NULL || s->over.failed)
        return err_set(err, ERR_LIMIT, "no room for a scan");
    if (meta_scan(s->reader->meta, META_STATE, prefix, at, s->arena,
            chunk_from_meta, &s->under, err) < 0)
        return -1;
    if (s->under.failed)
        return err_set(err, ERR_LIMIT, "no room for a scan");
    return 0;
}

/* Merges the two chunks up to where both are known. *last: the last key that
 * was dealt with. */
static int
scan_merge(struct scan_state *s, struct span *last, struct err *err)
{
    size_t i = 0, j = 0;
    int rc = 0;

    while (rc == 0 && s->left > 0) {
        const struct entry *a = i < s->over.n ? &s->over.entries[i] : NULL;
        const struct entry *b = j < s->under.n ? &s->under.entries[j] : NULL;
        const struct entry *e;
        int c;

        if ((a == NULL && s->over.full) || (b == NULL && s->under.full))
            return 0;
        if (a == NULL && b == NULL)
            return 0;
        c = a == NULL ? 1 : b == NULL ? -1 : span_cmp(a->key, b->key);
        e = c <= 0 ? a : b;
        i += c <= 0;
        j += c >= 0;
        *last = e->key;
        if (s->to.ptr != NULL && span_cmp(e->key, s->to) >= 0) {
            s->left = 0;
            return 0;
        }
        if (e->value.ptr == NULL)
            continue;
        s->left--;
        rc = s->fn(s->arg, e->key, e->value, err);
    }
    return rc;
}

int
state_scan(struct state_reader *r, struct shelf *f, enum state_view view,
    struct span from, struct span to, size_t limit, struct arena *arena,
    state_fn *fn, void *arg, struct err *err)
{
    struct scan_state *s = xcalloc(1, sizeof *s);
    struct buf at;
    int rc = 0;

    s->reader = r;
    s->shelf = f;
    s->view = view;
    s->to = to;
    s->left = limit;
    s->arena = arena;
    s->fn = fn;
    s->arg = arg;
    arena_init(&s->keep, 64 * MIB);
    buf_init(&at, STORE_KEY_MAX + 1);
    buf_put_span(&at, from);
    while (rc == 0 && s->left > 0) {
        struct arena_mark mark = arena_mark(arena);
        struct span last = SPAN_NULL;

        rc = scan_fill(s, buf_span(&at), err);
        if (rc == 0)
            rc = scan_merge(s, &last, err);
        if (last.ptr != NULL) {
            buf_clear(&at);
            buf_put_span(&at, last);
            buf_put_u8(&at, 0); /* the key right behind */
        }
        arena_rewind(arena, mark);
        arena_reset(&s->keep);
        if (!s->over.full && !s->under.full)
            break;
    }
    buf_release(&at);
    arena_release(&s->keep);
    free(s);
    return rc;
}

int
shelf_apply(struct shelf *f, struct span block, uint64_t run)
{
    struct span key, value;
    int rc;

    check_obj(f, SHELF_MAGIC);
    overlay_lock(&f->overlay);
    while ((rc = block_next(&block, &key, &value)) == 1)
        overlay_put(&f->overlay, key, value, run);
    overlay_unlock(&f->overlay);
    return rc;
}
