/*
 * scratch.c: the effects of one unit, until it has succeeded.
 *
 *  1. Effects stand in the order they were made; a second put of a key
 *     changes the first one's value, since only the newest counts.
 *  2. Puts are found by the hash of store and key: buckets hold chains of
 *     indexes, and a bucket of an older generation is empty, so that a
 *     clear costs nothing.
 *  3. Spans live as long as the unit: in its arena, or in the port's
 *     records.
 */
#include "config.h"

#include "task/task_priv.h"

#include "base/alloc.h"
#include "base/table.h"

enum {
    EFFECTS_FIRST = 64,
    EFFECTS_MAX = PORT_RUN_BYTES_MAX / PORT_ENTRY_BYTES,
};

void
scratch_clear(struct scratch *s)
{
    s->count = 0;
    s->bytes = 0;
    if (++s->generation == 0) {      /* once in 2^32 units */
        memset(s->buckets, 0, sizeof s->buckets);
        s->generation = 1;
    }
}

static uint32_t
hash_of(unsigned store, struct span key)
{
    return (uint32_t)hash_bytes(key) ^ (store * 0x9e3779b9u);
}

static struct effect *
find(const struct scratch *s, unsigned store, struct span key, uint32_t hash)
{
    uint32_t at = 0;

    if (s->buckets[hash % SCRATCH_BUCKETS].generation == s->generation)
        at = s->buckets[hash % SCRATCH_BUCKETS].head;
    while (at != 0) {
        struct effect *e = &s->effects[at - 1];

        if (e->hash == hash && e->store == store && span_eq(e->key, key))
            return e;
        at = e->next;
    }
    return NULL;
}

const struct effect *
scratch_find(const struct scratch *s, unsigned store, struct span key)
{
    return s->count == 0 ? NULL : find(s, store, key, hash_of(store, key));
}

/* NULL: the unit is too large, which the context knows. */
static struct effect *
effect_add(struct ps_ctx *c, size_t bytes)
{
    struct scratch *s = &c->scratch;

    bytes += PORT_ENTRY_BYTES;
    if (bytes > PORT_RUN_BYTES_MAX - s->bytes || s->count >= EFFECTS_MAX) {
        ctx_fail(c, "OutputError", "this record makes more than %llu bytes of "
            "output and state", (unsigned long long)PORT_RUN_BYTES_MAX);
        return NULL;
    }
    if (s->count == s->room) {
        s->room = s->room == 0 ? EFFECTS_FIRST : s->room * 2;
        s->effects = xrealloc(s->effects, s->room * sizeof *s->effects);
    }
    s->bytes += bytes;
    s->effects[s->count].bytes = bytes;
    return &s->effects[s->count++];
}

void
scratch_put(struct ps_ctx *c, unsigned store, struct span key,
    struct span value, struct timers *timers)
{
    struct scratch *s = &c->scratch;
    uint32_t hash = hash_of(store, key), generation = s->generation;
    struct effect *e = find(s, store, key, hash);

    if (key.len > STORE_KEY_MAX) {
        ctx_fail(c, "ProcessingError", "a key of %zu bytes: at most %d",
            key.len, STORE_KEY_MAX);
        return;
    }
    if (e != NULL && e->value.len >= value.len) {
        e->value = value;            /* its room is enough */
        return;
    }
    if (e != NULL) {
        size_t more = value.len - e->value.len;

        if (more > PORT_RUN_BYTES_MAX - s->bytes) {
            effect_add(c, more);     /* says so */
            return;
        }
        s->bytes += more;
        e->bytes += more;
        e->value = value;
        return;
    }
    e = effect_add(c, key.len + value.len);
    if (e == NULL)
        return;
    e->is_put = true;
    e->store = store;
    e->hash = hash;
    e->key = key;
    e->value = value;
    e->timers = timers;
    e->next = 0;
    if (s->buckets[hash % SCRATCH_BUCKETS].generation == generation)
        e->next = s->buckets[hash % SCRATCH_BUCKETS].head;
    s->buckets[hash % SCRATCH_BUCKETS].generation = generation;
    s->buckets[hash % SCRATCH_BUCKETS].head = s->count;
}

void
scratch_emit(struct ps_ctx *c, const struct port_out *o)
{
    size_t bytes = o->key.len + o->value.len;
    struct effect *e;

    for (unsigned i = 0; i < o->header_count; i++)
        bytes += o->headers[i].name.len + o->headers[i].value.len;
    if (bytes > BATCH_BYTES_MAX - 1024) {
        ctx_fail(c, "OutputError", "a record of %zu bytes for a topic: larger "
            "than a batch may be", bytes);
        return;
    }
    e = effect_add(c, bytes);
    if (e == NULL)
        return;
    e->is_put = false;
    e->out = *o;
}
