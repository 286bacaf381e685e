/*
 * state.c: stores, as a callback sees them: first what the unit itself has
 * put, then the port's newest. Scans merge both in the order of keys.
 */
#include "config.h"

#include "task/task_priv.h"

/* Entries are fetched in batches, since the port must not be called while it
 * scans, and a callback may stop early. */
enum { SCAN_BATCH = 64 };

struct scan_entry {
    struct span key, value;
};

struct ps_scan {
    struct ps_ctx *c;
    const struct store_spec *store;
    struct span last, to;            /* keys > last (>= at first) and < to */
    bool begun, drained, done;
    struct scan_entry batch[SCAN_BATCH];
    unsigned count, at;
};

static const struct store_spec *
slot_store(struct ps_ctx *c, int slot)
{
    const struct node *n = c->node;

    if (!ctx_check(c))
        return NULL;
    if (slot >= 0 && (unsigned)slot < n->store_count &&
        n->stores[slot] != NULL)
        return n->stores[slot];
    ctx_fail(c, "ProcessingError", "there is no store in slot %d", slot);
    return NULL;
}

/* The record's own key is already there as bytes, mostly. */
static bool
key_bytes(struct ps_ctx *c, const struct ps_serde *serde, struct ps_val key,
    const char *store, struct span *out)
{
    const struct rec *r = c->rec;

    if (key.type == PS_NULL) {
        ctx_fail(c, "ProcessingError", "a null key for store '%s'", store);
        return false;
    }
    if (r != NULL && r->key_serde == serde && key.type == r->pub.key.type &&
        key.as.ptr == r->pub.key.as.ptr && key.len == r->pub.key.len) {
        *out = r->key_raw;
        return true;
    }
    return val_encode(c, serde, key, PS_FORMAT_PLAIN, store, out);
}

struct ps_val
store_get(struct ps_ctx *c, const struct store_spec *store, struct ps_val key)
{
    struct ps_val out = ps_null();
    const struct effect *own;
    struct span k, v;
    struct err err;

    if (!key_bytes(c, store->key, key, store->name, &k))
        return out;
    own = scratch_find(&c->scratch, store->local, k);
    if (own != NULL) {
        v = own->value;
    } else if (c->task->ops->get(c->task->port, store->local, k, &c->arena,
        &v, &err) != PORT_OK) {
        ctx_fail(c, "StoreError", "store '%s': %s", store->name, err.text);
        return out;
    }
    if (v.ptr == NULL)
        return out;
    /* What is decoded may point into its bytes, and the caller may change
     * it: so the bytes are his, too. */
    v = v.len == 0 ? v : arena_copy(&c->arena, v);
    if (v.ptr == NULL)
        ctx_fail(c, "ProcessingError", "no memory left for this record");
    else
        val_decode(c, store->value, v, store->name, &out, NULL);
    return c->failed ? ps_null() : out;
}

int
store_put(struct ps_ctx *c, const struct store_spec *store, struct ps_val key,
    struct ps_val value)
{
    struct rec *r = c->rec;
    struct span k, v;

    if (c->read_only)
        return ctx_fail(c, "ProcessingError", "init and close put nothing");
    if (!key_bytes(c, store->key, key, store->name, &k))
        return PS_ERROR;
    if (value.same && r != NULL && r->value_serde == store->value &&
        r->decoded && value.as.ptr == rec_value(r).as.ptr) {
        if (!rec_value_bytes(c, r, store->value, PS_FORMAT_PLAIN, &v))
            return PS_ERROR;
    } else if (!val_encode(c, store->value, value, PS_FORMAT_PLAIN,
        store->name, &v)) {
        return PS_ERROR;
    }
    scratch_put(c, store->local, k, v, NULL);
    return c->failed ? PS_ERROR : PS_OK;
}

struct ps_val
ps_get_val(struct ps_ctx *c, int slot, struct ps_val key)
{
    const struct store_spec *store = slot_store(c, slot);

    return store == NULL ? ps_null() : store_get(c, store, key);
}

void *
ps_get(struct ps_ctx *c, int slot, struct ps_val key)
{
    return val_pointer(c, ps_get_val(c, slot, key));
}

int
ps_put(struct ps_ctx *c, int slot, struct ps_val key, struct ps_val value)
{
    const struct store_spec *store = slot_store(c, slot);

    return store == NULL ? PS_ERROR : store_put(c, store, key, value);
}

int
ps_delete(struct ps_ctx *c, int slot, struct ps_val key)
{
    return ps_put(c, slot, key, ps_null());
}

/* ---- scans -------------------------------------------------------------- */

static int
scan_take(void *arg, struct span key, struct span value)
{
    struct ps_scan *s = arg;
    struct scan_entry *e = &s->batch[s->count++];

    e->key = key.len == 0 ? span_of("", 0) : arena_copy(&s->c->arena, key);
    e->value = value.len == 0 ? span_of("", 0)
        : arena_copy(&s->c->arena, value);
    if (e->key.ptr == NULL || e->value.ptr == NULL) {
        ctx_fail(s->c, "ProcessingError", "a scan of store '%s' takes more "
            "memory than a record may", s->store->name);
        return 1;
    }
    return s->count == SCAN_BATCH;
}

/* The smallest key after `key`: with a NUL behind it. */
static struct span
key_after(struct ps_ctx *c, struct span key)
{
    uint8_t *p = arena_zalloc(&c->arena, key.len + 1);

    if (p == NULL) {
        ctx_fail(c, "ProcessingError", "no memory left for this record");
        return SPAN_NULL;
    }
    if (key.len > 0)
        memcpy(p, key.ptr, key.len);
    return span_of(p, key.len + 1);
}

static void
scan_fill(struct ps_scan *s)
{
    struct ps_ctx *c = s->c;
    struct span from = s->last;
    struct err err;

    if (s->count > 0)
        from = key_after(c, s->batch[s->count - 1].key);
    s->count = s->at = 0;
    if (c->failed)
        return;
    if (c->task->ops->scan(c->task->port, s->store->local, from, s->to,
        scan_take, s, &err) != PORT_OK)
        ctx_fail(c, "StoreError", "store '%s': %s", s->store->name, err.text);
    s->drained = s->count < SCAN_BATCH;
}

/* The unit's own put with the smallest key that is still ahead. */
static const struct effect *
scan_own(const struct ps_scan *s)
{
    const struct scratch *w = &s->c->scratch;
    const struct effect *best = NULL;

    for (unsigned i = 0; i < w->count; i++) {
        const struct effect *e = &w->effects[i];
        int order;

        if (!e->is_put || e->store != s->store->local)
            continue;
        order = s->last.ptr == NULL ? 1 : span_cmp(e->key, s->last);
        if (order < 0 || (order == 0 && s->begun))
            continue;
        if (s->to.ptr != NULL && span_cmp(e->key, s->to) >= 0)
            continue;
        if (best == NULL || span_cmp(e->key, best->key) < 0)
            best = e;
    }
    return best;
}

/* One step of the merge. False at the end; a value of null was deleted. */
static bool
scan_step(struct ps_scan *s, struct span *key, struct span *value)
{
    const struct effect *own;
    const struct scan_entry *e = NULL;
    int order;

    if (s->at == s->count && !s->drained)
        scan_fill(s);
    if (s->c->failed)
        return false;
    if (s->at < s->count)
        e = &s->batch[s->at];
    own = scan_own(s);
    if (e == NULL && own == NULL)
        return false;
    order = e == NULL ? -1 : own == NULL ? 1 : span_cmp(own->key, e->key);
    *key = order <= 0 ? own->key : e->key;
    *value = order <= 0 ? own->value : e->value;
    if (order >= 0)
        s->at++;
    s->last = *key;
    s->begun = true;
    return true;
}

bool
ps_next(struct ps_iter *i)
{
    struct ps_scan *s = i->scan;
    struct span key, value;
    struct ps_val v;

    if (s == NULL || s->done || !ctx_check(s->c))
        return false;
    do {
        s->done = !scan_step(s, &key, &value);
    } while (!s->done && value.ptr == NULL);
    if (s->done || !val_decode(s->c, s->store->key, key, s->store->name,
        &i->key, NULL))
        return false;
    if (value.len > 0)       /* see store_get() */
        value = arena_copy(&s->c->arena, value);
    if (value.ptr == NULL ||
        !val_decode(s->c, s->store->value, value, s->store->name, &v, NULL))
        return false;
    i->value = val_pointer(s->c, v);
    i->value_type = v.type;
    i->value_len = v.len;
    return !s->c->failed;
}

static struct ps_iter
scan_new(struct ps_ctx *c, const struct store_spec *store, struct span from,
    struct span to)
{
    struct ps_iter i = {.scan = NULL};
    struct ps_scan *s = ps_alloc(c, sizeof *s);

    if (s == NULL)
        return i;
    s->c = c;
    s->store = store;
    s->last = from;
    s->to = to;
    i.scan = s;
    return i;
}

struct ps_iter
ps_scan(struct ps_ctx *c, int slot, struct ps_val from, struct ps_val to)
{
    const struct store_spec *store = slot_store(c, slot);
    struct ps_iter none = {.scan = NULL};
    struct span f, t;

    if (store == NULL ||
        !val_encode(c, store->key, from, PS_FORMAT_PLAIN, store->name, &f) ||
        !val_encode(c, store->key, to, PS_FORMAT_PLAIN, store->name, &t))
        return none;
    return scan_new(c, store, f, t);
}

/* The first key that does not begin with the prefix; null: there is none. */
static struct span
prefix_end(struct ps_ctx *c, struct span prefix)
{
    uint8_t *p;
    size_t n = prefix.len;

    while (n > 0 && prefix.ptr[n - 1] == 0xff)
        n--;
    if (n == 0)
        return SPAN_NULL;
    p = ps_alloc(c, n);
    if (p == NULL)
        return SPAN_NULL;
    memcpy(p, prefix.ptr, n);
    p[n - 1]++;
    return span_of(p, n);
}

struct ps_iter
ps_scan_prefix(struct ps_ctx *c, int slot, struct ps_val prefix)
{
    const struct store_spec *store = slot_store(c, slot);
    struct ps_iter none = {.scan = NULL};
    struct span f;

    if (store == NULL ||
        !val_encode(c, store->key, prefix, PS_FORMAT_PLAIN, store->name, &f))
        return none;
    return scan_new(c, store, f, prefix_end(c, f));
}
