/* overlay.c: what one store and partition changed since the checkpoint. */
#include "config.h"

#include "epoch/overlay.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/varint.h"

struct version {
    struct version *older;
    uint64_t run;
    uint32_t len;
    bool gone;
    uint8_t data[];
};

void
overlay_init(struct overlay *o)
{
    memset(o, 0, sizeof *o);
    lock_init(&o->lock);
    omap_init(&o->map);
}

static size_t
version_bytes(const struct version *v)
{
    return sizeof *v + v->len + 16; /* 16: the allocator's own */
}

static void
versions_free(struct overlay *o, struct version *v)
{
    while (v != NULL) {
        struct version *older = v->older;

        o->bytes -= version_bytes(v);
        free(v);
        v = older;
    }
}

static void
overlay_free_value(void *value, void *arg)
{
    versions_free(arg, value);
}

void
overlay_release(struct overlay *o)
{
    omap_release(&o->map, overlay_free_value, o);
    lock_release(&o->lock);
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

void
overlay_put(struct overlay *o, struct span key, struct span value,
    uint64_t run)
{
    struct version **slot, *v;

    lock_assert_held(&o->lock);
    assert(run >= o->newest);
    o->newest = run;
    slot = (struct version **)omap_slot(&o->map, key);
    /* The newest one is overwritten where that can't be seen. */
    v = *slot;
    if (v != NULL && v->run == run && v->len == value.len) {
        v->gone = value.ptr == NULL;
        if (value.len > 0)
            memcpy(v->data, value.ptr, value.len);
        return;
    }
    v = xmalloc(sizeof *v + value.len);
    v->run = run;
    v->len = (uint32_t)value.len;
    v->gone = value.ptr == NULL;
    if (value.len > 0)
        memcpy(v->data, value.ptr, value.len);
    v->older = *slot;
    if (v->older != NULL && v->older->run == run) {
        struct version *same = v->older;

        v->older = same->older;
        same->older = NULL;
        versions_free(o, same);
    }
    o->bytes += version_bytes(v);
    *slot = v;
    versions_prune(o, v);
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

enum overlay_result
overlay_get(const struct overlay *o, struct span key, uint64_t run,
    struct span *value)
{
    *value = SPAN_NULL;
    return versions_at(omap_get(&o->map, key), run, value);
}

enum overlay_result
overlay_first(const struct overlay *o, struct span from, uint64_t run,
    struct span *key, struct span *value)
{
    struct omap_iter it;
    enum overlay_result r;
    void *v;

    omap_seek(&o->map, from, &it);
    while (omap_next(&it, key, &v)) {
        r = versions_at(v, run, value);
        if (r != OVERLAY_MISS)
            return r;
    }
    return OVERLAY_MISS;
}

bool
overlay_walk(const struct overlay *o, struct span from, uint64_t run,
    size_t n, overlay_fn *fn, void *arg, struct span *next)
{
    struct omap_iter it;
    struct span key, value;
    void *v;

    omap_seek(&o->map, from, &it);
    while (omap_next(&it, &key, &v)) {
        enum overlay_result r = versions_at(v, run, &value);

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

/* Drops the versions up to run from one key; NULL: nothing is left. */
static struct version *
versions_trim(struct overlay *o, struct version *newest, uint64_t run)
{
    struct version *v = newest;

    if (v->run <= run) {
        versions_free(o, v);
        return NULL;
    }
    while (v->older != NULL && v->older->run > run)
        v = v->older;
    versions_free(o, v->older);
    v->older = NULL;
    return newest;
}

void
overlay_trim(struct overlay *o, uint64_t run)
{
    struct omap rest;
    struct omap_iter it;
    struct span key;
    void *v;

    lock_assert_held(&o->lock);
    if (run >= o->newest) {
        omap_release(&o->map, overlay_free_value, o);
        omap_init(&o->map);
        return;
    }
    /* What stays is usually little: a new map costs less than deleting. */
    omap_init(&rest);
    omap_seek(&o->map, SPAN_NULL, &it);
    while (omap_next(&it, &key, &v)) {
        struct version *left = versions_trim(o, v, run);

        if (left != NULL)
            *omap_slot(&rest, key) = left;
    }
    omap_release(&o->map, NULL, NULL);
    o->map = rest;
}

size_t
overlay_bytes(const struct overlay *o)
{
    return o->bytes + o->map.bytes;
}

void
overlay_check(const struct overlay *o)
{
    struct omap_iter it;
    struct span key;
    size_t bytes = 0;
    void *value;

    omap_check(&o->map);
    omap_seek(&o->map, SPAN_NULL, &it);
    while (omap_next(&it, &key, &value)) {
        const struct version *v = value;

        assert(v != NULL);
        for (; v != NULL; v = v->older) {
            bytes += version_bytes(v);
            assert(v->run <= o->newest);
            assert(v->older == NULL || v->older->run < v->run);
        }
    }
    assert(bytes == o->bytes);
}

/* ---- blocks ---- */

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
