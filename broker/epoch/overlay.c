/*
 * overlay.c: what one store and partition changed since the checkpoint.
 *
 * Time goes into waiting for memory: each key that a task meets is in no
 * cache. So a get touches two places, the line of its bucket and the entry,
 * where the key stands with its versions; and the put that follows finds both
 * in the cache.
 *
 *     segments ─► [ bucket | bucket | ... ]       bucket: 64 bytes
 *                     │ tags: 16 bits of the hash, compared first
 *                     ├─► entry: key, own[0] own[1]   versions, newest first;
 *                     │          newest ─┘            others on the heap
 *                     └─► spill: entries that found no slot, a list
 *
 * The table grows by one bucket at a time (linear hashing, Litwin 1980): a
 * bucket of the lower half is divided when its twin is added, so no put ever
 * waits for all entries to be moved.
 *
 *  1. A key has one entry. It is dirty if it has a version that LMDB does not
 *     have, else clean; a clean entry has one version, and it is no deletion.
 *  2. o->bytes counts dirty entries with their versions, o->clean_bytes and
 *     the budget the clean ones.
 *  3. `listed` says that the entry is in the map. ORDERED: all dirty ones
 *     are. ORDERING: those of buckets before order_at are, and all that were
 *     put since. LOOSE: the map is empty.
 *  4. An entry only ever moves to a bucket of a higher number, except in
 *     table_shrink() at the end of a trim. So who goes through the buckets
 *     upwards, in steps, misses none that was there before.
 */
#include "config.h"

#include "epoch/overlay.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/table.h"
#include "base/varint.h"

enum {
    SLOTS = 5,                   /* of a bucket */
    BUCKET_KEYS = 2,             /* more, on average: it grows */
    SEGMENT = 64,                /* buckets */
    STEP_KEYS = 512,             /* that are looked at under the lock */
    MALLOC_BYTES = 16,           /* the allocator's own, of each block */
    VERSION_ROUND = 16,
    AHEAD_KEYS = 64,
    OWN_MAX = 2,
    OWN_BOTH_MAX = 32,           /* values larger than this get one of them */
};

struct version {
    struct version *older;
    uint64_t run;
    uint32_t len, room;          /* of data */
    bool gone;
    bool own;                    /* part of its entry, not to be freed */
    bool busy;                   /* own: in the list */
    uint8_t data[];
};

struct overlay_entry {
    struct overlay_entry *next;  /* in the spill, or in a list */
    struct version *newest;
    uint64_t hash;
    uint32_t key_len;
    uint32_t own_room;           /* of each of its own versions */
    uint8_t own_count;
    bool clean, listed;
    bool used;                   /* since the last trim, and not only once */
    uint8_t key[];               /* then, aligned, its own versions */
};

struct overlay_bucket {
    uint16_t tags[SLOTS];
    uint16_t used;               /* slots */
    struct overlay_entry *slots[SLOTS];
    struct overlay_entry *spill;
};

_Static_assert(sizeof(struct overlay_bucket) == 64, "one line of the cache");

void
overlay_init(struct overlay *o)
{
    memset(o, 0, sizeof *o);
    lock_init(&o->lock);
    omap_init(&o->map);
}

static struct span
entry_key(const struct overlay_entry *e)
{
    return span_of(e->key, e->key_len);
}

/* ---- versions ----------------------------------------------------------- */

static size_t
rounded(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t
own_size(const struct overlay_entry *e)
{
    return rounded(sizeof(struct version) + e->own_room,
        _Alignof(struct version));
}

static size_t
own_at(const struct overlay_entry *e)
{
    return rounded(sizeof *e + e->key_len, _Alignof(struct version));
}

static struct version *
entry_own(struct overlay_entry *e, unsigned i)
{
    return (struct version *)(void *)((char *)e + own_at(e)
        + i * own_size(e));
}

/* Its own versions included. */
static size_t
entry_bytes(const struct overlay_entry *e)
{
    return own_at(e) + e->own_count * own_size(e) + MALLOC_BYTES
        + sizeof(struct overlay_bucket) / BUCKET_KEYS;
}

/* Beside what the entry counts. */
static size_t
version_bytes(const struct version *v)
{
    return v->own ? 0 : sizeof *v + v->room + MALLOC_BYTES;
}

static void
version_free(struct version *v)
{
    if (v->own)
        v->busy = false;
    else
        free(v);
}

/* Memory for a version: the entry's own, if there is one to spare. */
static struct version *
version_new(struct overlay *o, struct overlay_entry *e, size_t len)
{
    size_t room = rounded(len, VERSION_ROUND);
    struct version *v;

    for (unsigned i = 0; i < e->own_count && len <= e->own_room; i++) {
        v = entry_own(e, i);
        if (!v->busy) {
            v->busy = true;
            return v;
        }
    }
    v = xmalloc(sizeof *v + room);
    v->room = (uint32_t)room;
    v->own = false;
    o->bytes += version_bytes(v);
    return v;
}

static void
version_set(struct version *v, struct span value, uint64_t run)
{
    v->run = run;
    v->len = (uint32_t)value.len;
    v->gone = value.ptr == NULL;
    if (value.len > 0)
        memcpy(v->data, value.ptr, value.len);
}

/* Of a dirty entry. */
static void
versions_free(struct overlay *o, struct version *v)
{
    while (v != NULL) {
        struct version *older = v->older;

        o->bytes -= version_bytes(v);
        version_free(v);
        v = older;
    }
}

/* Cuts off what nobody can ask for: see overlay.h. */
static void
versions_prune(struct overlay *o, struct version *newest)
{
    struct version *v = newest, **keep;

    while (v != NULL && v->run > o->published)
        v = v->older;
    if (v == NULL || v->older == NULL)
        return;
    keep = &v->older;
    if (o->pinned != 0 && v->run > o->pinned) {
        while (*keep != NULL && (*keep)->run > o->pinned) {
            struct version *drop = *keep;

            *keep = drop->older;
            drop->older = NULL;
            versions_free(o, drop);
        }
        if (*keep != NULL)
            keep = &(*keep)->older;
    }
    v = *keep;
    *keep = NULL;
    versions_free(o, v);
}

static enum overlay_result
versions_at(const struct version *v, uint64_t run, struct span *value)
{
    while (v != NULL && v->run > run)
        v = v->older;
    if (v == NULL)
        return OVERLAY_MISS;
    *value = v->gone ? SPAN_NULL : span_of(v->data, v->len);
    return v->gone ? OVERLAY_GONE : OVERLAY_VALUE;
}

/* ---- buckets ------------------------------------------------------------ */

static struct overlay_bucket *
bucket_at(const struct overlay *o, size_t i)
{
    return &o->segments[i / SEGMENT][i % SEGMENT];
}

static size_t
bucket_of(const struct overlay *o, uint64_t hash)
{
    size_t i = hash & o->mask;

    return i < o->bucket_count ? i : i & o->mask >> 1;
}

static uint16_t
tag_of(uint64_t hash)
{
    return (uint16_t)(hash >> 48);
}

static void
bucket_add(struct overlay_bucket *b, struct overlay_entry *e)
{
    if (b->used == SLOTS) {
        e->next = b->spill;
        b->spill = e;
        return;
    }
    b->tags[b->used] = tag_of(e->hash);
    b->slots[b->used++] = e;
}

/* All entries of the bucket as a list; it is empty then. */
static struct overlay_entry *
bucket_take(struct overlay_bucket *b)
{
    struct overlay_entry *list = b->spill;

    while (b->used > 0) {
        struct overlay_entry *e = b->slots[--b->used];

        e->next = list;
        list = e;
    }
    b->spill = NULL;
    return list;
}

/* Goes through a bucket: i from 0 and e from NULL on. */
static struct overlay_entry *
bucket_next(const struct overlay_bucket *b, unsigned *i,
    const struct overlay_entry *e)
{
    if (*i < b->used)
        return b->slots[(*i)++];
    if (*i == b->used) {
        ++*i;
        return b->spill;
    }
    return e == NULL ? NULL : e->next;
}

static struct overlay_entry *
entry_find(const struct overlay *o, struct span key, uint64_t hash)
{
    const struct overlay_bucket *b;
    uint16_t tag = tag_of(hash);

    if (o->bucket_count == 0)
        return NULL;
    b = bucket_at(o, bucket_of(o, hash));
    for (unsigned i = 0; i < b->used; i++)
        if (b->tags[i] == tag && b->slots[i]->hash == hash
            && span_eq(entry_key(b->slots[i]), key))
            return b->slots[i];
    for (struct overlay_entry *e = b->spill; e != NULL; e = e->next)
        if (e->hash == hash && span_eq(entry_key(e), key))
            return e;
    return NULL;
}

static void
segment_add(struct overlay *o)
{
    size_t bytes = SEGMENT * sizeof(struct overlay_bucket);
    void *p = NULL;

    if (o->segment_count == o->segment_room) {
        o->segment_room = o->segment_room == 0 ? 4 : o->segment_room * 2;
        o->segments = xrealloc(o->segments, o->segment_room
            * sizeof(struct overlay_bucket *));
    }
    must(posix_memalign(&p, sizeof(struct overlay_bucket), bytes));
    memset(p, 0, bytes);
    o->segments[o->segment_count++] = p;
}

/* Adds a bucket, and gives it what belongs there of its twin's. */
static void
table_grow(struct overlay *o)
{
    struct overlay_entry *list, *next;
    size_t added = o->bucket_count;

    if (added / SEGMENT == o->segment_count)
        segment_add(o);
    if (added == 0) {
        o->bucket_count = SEGMENT;
        o->mask = SEGMENT - 1;
        return;
    }
    if (added > o->mask)
        o->mask = o->mask * 2 + 1;
    list = bucket_take(bucket_at(o, added & o->mask >> 1));
    o->bucket_count++;
    for (; list != NULL; list = next) {
        next = list->next;
        bucket_add(bucket_at(o, bucket_of(o, list->hash)), list);
    }
}

static void
table_shrink(struct overlay *o)
{
    struct overlay_entry *list, *next;

    while (o->bucket_count > SEGMENT && o->bucket_count / 4 > o->count) {
        size_t last = o->bucket_count - 1;

        list = bucket_take(bucket_at(o, last));
        o->bucket_count = last;
        if (last == (o->mask >> 1) + 1)
            o->mask >>= 1;
        for (; list != NULL; list = next) {
            next = list->next;
            bucket_add(bucket_at(o, bucket_of(o, list->hash)), list);
        }
    }
    while (o->segment_count * SEGMENT >= o->bucket_count + SEGMENT)
        free(o->segments[--o->segment_count]);
}

/* ---- entries ------------------------------------------------------------ */

/* With one version, which has that value; neither dirty nor clean yet. */
static struct overlay_entry *
entry_add(struct overlay *o, struct span key, uint64_t hash,
    struct span value, uint64_t run)
{
    size_t room = rounded(value.len, VERSION_ROUND);
    struct overlay_entry fresh = {.hash = hash,
        .key_len = (uint32_t)key.len,
        .own_room = (uint32_t)(room == 0 ? VERSION_ROUND : room),
        .own_count = room <= OWN_BOTH_MAX ? OWN_MAX : 1};
    struct overlay_entry *e;

    assert(key.len <= UINT32_MAX);
    if (o->count >= o->bucket_count * BUCKET_KEYS)
        table_grow(o);
    e = xmalloc(own_at(&fresh) + fresh.own_count * own_size(&fresh));
    *e = fresh;
    if (key.len > 0)
        memcpy(e->key, key.ptr, key.len);
    for (unsigned i = 0; i < e->own_count; i++)
        *entry_own(e, i) = (struct version){.room = e->own_room, .own = true};
    e->newest = version_new(o, e, value.len);
    version_set(e->newest, value, run);
    bucket_add(bucket_at(o, bucket_of(o, hash)), e);
    o->count++;
    return e;
}

static void
clean_bytes_add(struct overlay *o, size_t bytes)
{
    o->clean_bytes += bytes;
    atomic_fetch_add_explicit(&o->budget->bytes, bytes, memory_order_relaxed);
}

static void
clean_bytes_take(struct overlay *o, size_t bytes)
{
    o->clean_bytes -= bytes;
    atomic_fetch_sub_explicit(&o->budget->bytes, bytes, memory_order_relaxed);
}

static bool
clean_has_room(const struct overlay *o)
{
    return o->budget != NULL && atomic_load_explicit(&o->budget->bytes,
        memory_order_relaxed) < o->budget->max;
}

/* It is in no bucket any more. */
static void
entry_free(struct overlay *o, struct overlay_entry *e)
{
    o->count--;
    if (e->clean) {
        clean_bytes_take(o, entry_bytes(e) + version_bytes(e->newest));
        version_free(e->newest);
    } else {
        versions_free(o, e->newest);
        o->bytes -= entry_bytes(e);
    }
    free(e);
}

void
overlay_release(struct overlay *o)
{
    struct overlay_entry *list, *next;

    omap_release(&o->map, NULL, NULL);
    for (size_t i = 0; i < o->bucket_count; i++) {
        list = bucket_take(bucket_at(o, i));
        for (; list != NULL; list = next) {
            next = list->next;
            entry_free(o, list);
        }
    }
    while (o->segment_count > 0)
        free(o->segments[--o->segment_count]);
    free(o->segments);
    lock_release(&o->lock);
}

/* ---- put and get -------------------------------------------------------- */

static void
entry_list(struct overlay *o, struct overlay_entry *e)
{
    if (e->listed)
        return;
    e->listed = true;
    *omap_slot(&o->map, entry_key(e)) = e;
}

static void
entry_dirty(struct overlay *o, struct overlay_entry *e)
{
    size_t bytes = entry_bytes(e) + version_bytes(e->newest);

    e->clean = false;
    clean_bytes_take(o, bytes);
    o->bytes += bytes;
    if (o->order != OVERLAY_LOOSE)
        entry_list(o, e);
}

static void
entry_put(struct overlay *o, struct overlay_entry *e, struct span value,
    uint64_t run)
{
    struct version *v = e->newest, *same;

    if (e->clean)
        entry_dirty(o, e);
    e->used = true;
    /* The newest one is overwritten where that can't be seen. */
    if (v->run == run && v->room >= value.len) {
        version_set(v, value, run);
        return;
    }
    versions_prune(o, v);        /* so that one of its own may be free */
    v = version_new(o, e, value.len);
    version_set(v, value, run);
    same = e->newest;
    v->older = same;
    if (same->run == run) {
        v->older = same->older;
        same->older = NULL;
        versions_free(o, same);
    }
    e->newest = v;
    versions_prune(o, v);
}

void
overlay_put(struct overlay *o, struct span key, struct span value,
    uint64_t run)
{
    uint64_t hash = hash_bytes(key);
    struct overlay_entry *e = entry_find(o, key, hash);

    lock_assert_held(&o->lock);
    assert(run >= o->newest);
    o->newest = run;
    if (e != NULL) {
        entry_put(o, e, value, run);
        return;
    }
    e = entry_add(o, key, hash, value, run);
    o->bytes += entry_bytes(e);
    if (o->order != OVERLAY_LOOSE)
        entry_list(o, e);
}

enum overlay_result
overlay_get(struct overlay *o, struct span key, uint64_t run,
    struct span *value)
{
    struct overlay_entry *e;

    *value = SPAN_NULL;
    if (o->count == 0)
        return OVERLAY_MISS;
    e = entry_find(o, key, hash_bytes(key));
    if (e == NULL)
        return OVERLAY_MISS;
    if (!e->used)
        e->used = true;
    return versions_at(e->newest, run, value);
}

struct span
overlay_entry_key(const struct overlay_entry *e)
{
    return entry_key(e);
}

enum overlay_result
overlay_entry_at(const struct overlay_entry *e, uint64_t run,
    struct span *value)
{
    *value = SPAN_NULL;
    return versions_at(e->newest, run, value);
}

void
overlay_entry_ahead(const struct overlay_entry *e)
{
    __builtin_prefetch(e);
    __builtin_prefetch((const char *)e + 64);
}

void
overlay_ahead(struct overlay *o, const struct span *keys, size_t n)
{
    uint64_t hashes[AHEAD_KEYS];

    lock_assert_held(&o->lock);
    if (n > AHEAD_KEYS)
        n = AHEAD_KEYS;
    if (o->count == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        hashes[i] = hash_bytes(keys[i]);
        __builtin_prefetch(bucket_at(o, bucket_of(o, hashes[i])));
    }
    for (size_t i = 0; i < n; i++) {
        const struct overlay_bucket *b = bucket_at(o,
            bucket_of(o, hashes[i]));
        uint16_t tag = tag_of(hashes[i]);

        for (unsigned k = 0; k < b->used; k++) {
            if (b->tags[k] != tag)
                continue;
            __builtin_prefetch(b->slots[k], 1);
            __builtin_prefetch((const char *)b->slots[k] + 64, 1);
        }
    }
}

void
overlay_learn(struct overlay *o, struct span key, struct span value)
{
    uint64_t hash = hash_bytes(key);
    struct overlay_entry *e;

    lock_assert_held(&o->lock);
    if (!clean_has_room(o) || entry_find(o, key, hash) != NULL)
        return;
    e = entry_add(o, key, hash, value, 0);
    e->clean = true;
    clean_bytes_add(o, entry_bytes(e));
}

/* ---- in order ----------------------------------------------------------- */

/* True: done. */
static bool
order_step(struct overlay *o)
{
    size_t seen = 0;

    o->scanned = true;
    if (o->order == OVERLAY_ORDERED)
        return true;
    if (o->order == OVERLAY_LOOSE)
        o->order_at = 0;
    o->order = OVERLAY_ORDERING;
    for (; o->order_at < o->bucket_count && seen < STEP_KEYS; o->order_at++) {
        const struct overlay_bucket *b = bucket_at(o, o->order_at);
        struct overlay_entry *e = NULL;

        for (unsigned i = 0; (e = bucket_next(b, &i, e)) != NULL; seen++)
            if (!e->clean)
                entry_list(o, e);
        seen++;
    }
    if (o->order_at < o->bucket_count)
        return false;
    o->order = OVERLAY_ORDERED;
    return true;
}

void
overlay_order(struct overlay *o)
{
    bool done = false;

    while (!done) {
        overlay_lock(o);
        done = order_step(o);
        overlay_unlock(o);
    }
}

bool
overlay_walk(struct overlay *o, struct span from, uint64_t run, size_t n,
    overlay_fn *fn, void *arg, struct span *next)
{
    struct omap_iter it;
    struct span key, value;
    void *at;

    lock_assert_held(&o->lock);
    while (!order_step(o))
        ;
    omap_seek(&o->map, from, &it);
    while (omap_next(&it, &key, &at)) {
        const struct overlay_entry *e = at;
        enum overlay_result r = versions_at(e->newest, run, &value);

        if (r == OVERLAY_MISS)
            continue;
        if (n-- == 0) {
            *next = key;
            return true;
        }
        fn(arg, key, r == OVERLAY_GONE, value);
    }
    return false;
}

bool
overlay_keys(struct overlay *o, uint64_t run, size_t *at, overlay_key_fn *fn,
    void *arg)
{
    size_t seen = 0;
    struct span value;

    lock_assert_held(&o->lock);
    for (; *at < o->bucket_count && seen < STEP_KEYS; ++*at) {
        const struct overlay_bucket *b = bucket_at(o, *at);
        const struct overlay_entry *e = NULL;

        for (unsigned i = 0; (e = bucket_next(b, &i, e)) != NULL; seen++)
            if (!e->clean && versions_at(e->newest, run, &value)
                != OVERLAY_MISS)
                fn(arg, e);
        seen++;
    }
    return *at < o->bucket_count;
}

/* ---- after a checkpoint ------------------------------------------------- */

/* Does the entry stay, now that LMDB has its versions up to run? */
static bool
entry_trim(struct overlay *o, struct overlay_entry *e, uint64_t run)
{
    struct version *v = e->newest;
    bool used = e->used;

    e->used = false;
    if (e->clean)
        return used && o->budget->bytes <= o->budget->max;
    if (v->run > run) {
        while (v->older != NULL && v->older->run > run)
            v = v->older;
        versions_free(o, v->older);
        v->older = NULL;
        return true;
    }
    if (!used || v->gone || !clean_has_room(o))
        return false;
    versions_free(o, v->older);
    v->older = NULL;
    e->clean = true;
    o->bytes -= entry_bytes(e) + version_bytes(v);
    clean_bytes_add(o, entry_bytes(e) + version_bytes(v));
    return true;
}

static size_t
bucket_trim(struct overlay *o, size_t i, uint64_t run)
{
    struct overlay_bucket *b = bucket_at(o, i);
    struct overlay_entry *e = bucket_take(b), *next;
    size_t seen = 1;

    for (; e != NULL; e = next, seen++) {
        next = e->next;
        if (entry_trim(o, e, run))
            bucket_add(b, e);
        else
            entry_free(o, e);
    }
    return seen;
}

/* The map holds entries that are clean or gone now. What stays is usually
 * little: a new map costs less than deleting. */
static void
order_renew(struct overlay *o)
{
    bool again = o->scanned;

    omap_release(&o->map, NULL, NULL);
    o->order = OVERLAY_LOOSE;
    for (size_t i = 0; i < o->bucket_count; i++) {
        struct overlay_entry *e = NULL;

        for (unsigned k = 0; (e = bucket_next(bucket_at(o, i), &k, e))
            != NULL;)
            e->listed = false;
    }
    while (again && !order_step(o))
        ;
    o->scanned = false;
}

bool
overlay_trim_step(struct overlay *o, uint64_t run, size_t *at)
{
    size_t seen = 0, most = o->order == OVERLAY_LOOSE ? STEP_KEYS : SIZE_MAX;

    lock_assert_held(&o->lock);
    /* The map must not point to what is dropped here: so with an order all is
     * done at once. */
    if (o->order != OVERLAY_LOOSE)
        *at = 0;
    for (; *at < o->bucket_count && seen < most; ++*at)
        seen += bucket_trim(o, *at, run);
    if (*at < o->bucket_count)
        return true;
    table_shrink(o);
    if (o->order != OVERLAY_LOOSE)
        order_renew(o);
    return false;
}

void
overlay_trim(struct overlay *o, uint64_t run)
{
    size_t at = 0;

    while (overlay_trim_step(o, run, &at))
        ;
}

size_t
overlay_bytes(const struct overlay *o)
{
    return o->bytes + o->map.bytes;
}

/* ---- checks ------------------------------------------------------------- */

struct sums {
    size_t bytes, clean, count, listed;
};

static void
entry_check(const struct overlay *o, const struct overlay_entry *e, size_t at,
    struct sums *sums)
{
    const struct version *v = e->newest;
    size_t bytes = entry_bytes(e);

    assert(bucket_of(o, e->hash) == at);
    assert(e->hash == hash_bytes(entry_key(e)));
    assert(v != NULL);
    assert(!e->clean || (v->older == NULL && !v->gone));
    for (; v != NULL; v = v->older) {
        bytes += version_bytes(v);
        assert(v->len <= v->room && (!v->own || v->busy));
        assert(v->run <= o->newest);
        assert(v->older == NULL || v->older->run < v->run);
    }
    if (e->clean)
        sums->clean += bytes;
    else
        sums->bytes += bytes;
    assert(!e->listed || omap_get(&o->map, entry_key(e)) == e);
    assert(e->clean || e->listed || o->order != OVERLAY_ORDERED);
    sums->listed += e->listed;
    sums->count++;
}

void
overlay_check(const struct overlay *o)
{
    struct sums sums = {0};

    omap_check(&o->map);
    assert(o->order != OVERLAY_LOOSE || o->map.count == 0);
    assert(o->bucket_count <= o->mask + 1);
    assert(o->bucket_count == 0 || o->bucket_count > o->mask / 2);
    for (size_t i = 0; i < o->bucket_count; i++) {
        const struct overlay_entry *e = NULL;

        for (unsigned k = 0; (e = bucket_next(bucket_at(o, i), &k, e))
            != NULL;)
            entry_check(o, e, i, &sums);
    }
    assert(sums.bytes == o->bytes);
    assert(sums.clean == o->clean_bytes);
    assert(sums.count == o->count);
    assert(sums.listed == o->map.count);
}

/* ---- blocks ------------------------------------------------------------- */

void
block_put(struct buf *out, struct span key, struct span value)
{
    buf_put_uvarint(out, key.len);
    buf_put_span(out, key);
    buf_put_uvarint(out, value.ptr == NULL ? 0 : value.len + 1);
    buf_put_span(out, value);
}

static int
block_take(struct span *rest, bool nullable, struct span *out)
{
    uint64_t len;
    size_t n = varint_get_u64(rest->ptr, rest->ptr + rest->len, &len);

    if (n == 0)
        return -1;
    rest->ptr += n;
    rest->len -= n;
    *out = SPAN_NULL;
    if (nullable && len-- == 0)
        return 0;
    if (len > rest->len)
        return -1;
    *out = span_of(rest->ptr, len);
    rest->ptr += len;
    rest->len -= len;
    return 0;
}

int
block_next(struct span *rest, struct span *key, struct span *value)
{
    if (rest->len == 0)
        return 0;
    if (block_take(rest, false, key) < 0 || block_take(rest, true, value) < 0)
        return -1;
    return 1;
}
