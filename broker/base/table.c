/*
 * Linear probing over a power of two of slots, at most three quarters full.
 *
 *  1. A slot is empty if its value is NULL.
 *  2. Between the home of an entry (hash & mask) and the place where it
 *     stands, walking forward and around, no slot is empty. Deleting moves
 *     later entries back to keep this, so there are no tombstones.
 */
#include "config.h"
#include "base/table.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"

enum { TABLE_MIN = 16 };

struct table_slot {
    uint64_t hash;
    struct span key;
    void *value;
};

void
table_init(struct table *t)
{
    *t = (struct table){0};
}

void
table_release(struct table *t)
{
    free(t->slots);
    table_init(t);
}

/* Where the key stands, or the empty slot where it would. */
static size_t
find(const struct table *t, uint64_t hash, struct span key)
{
    size_t i = hash & t->mask;

    while (t->slots[i].value != NULL) {
        if (t->slots[i].hash == hash && span_eq(t->slots[i].key, key))
            break;
        i = (i + 1) & t->mask;
    }
    return i;
}

static void
table_resize(struct table *t, size_t size)
{
    struct table_slot *old = t->slots;
    size_t old_size = old == NULL ? 0 : t->mask + 1;

    t->slots = xcalloc(size, sizeof *t->slots);
    t->mask = size - 1;
    for (size_t i = 0; i < old_size; i++)
        if (old[i].value != NULL)
            t->slots[find(t, old[i].hash, old[i].key)] = old[i];
    free(old);
}

void *
table_get(const struct table *t, struct span key)
{
    if (t->count == 0)
        return NULL;
    return t->slots[find(t, hash_bytes(key), key)].value;
}

void *
table_put(struct table *t, struct span key, void *value)
{
    uint64_t hash = hash_bytes(key);
    struct table_slot *slot;
    void *old;

    assert(value != NULL);
    if (t->slots == NULL)
        table_resize(t, TABLE_MIN);
    else if (t->count >= (t->mask + 1) / 4 * 3)
        table_resize(t, (t->mask + 1) * 2);
    slot = &t->slots[find(t, hash, key)];
    old = slot->value;
    *slot = (struct table_slot){hash, key, value};
    t->count += old == NULL;
    return old;
}

/* Fills the hole with the next entry that may stand there, and so on. */
static void
close_hole(struct table *t, size_t hole)
{
    size_t i = hole;

    for (;;) {
        size_t home;

        i = (i + 1) & t->mask;
        if (t->slots[i].value == NULL)
            break;
        home = t->slots[i].hash & t->mask;
        if (((i - home) & t->mask) < ((i - hole) & t->mask))
            continue;                    /* its home is past the hole */
        t->slots[hole] = t->slots[i];
        hole = i;
    }
    t->slots[hole].value = NULL;
}

void *
table_del(struct table *t, struct span key)
{
    size_t i;
    void *old;

    if (t->count == 0)
        return NULL;
    i = find(t, hash_bytes(key), key);
    old = t->slots[i].value;
    if (old == NULL)
        return NULL;
    close_hole(t, i);
    t->count--;
    return old;
}

void *
table_next(const struct table *t, size_t *iter)
{
    if (t->slots == NULL)
        return NULL;
    while (*iter <= t->mask) {
        void *value = t->slots[(*iter)++].value;

        if (value != NULL)
            return value;
    }
    return NULL;
}

uint64_t
hash_bytes(struct span s)
{
    return XXH3_64bits(s.ptr, s.len);
}

uint32_t
murmur2(struct span s)
{
    const uint32_t m = 0x5bd1e995;
    const uint8_t *p = s.ptr;
    size_t len = s.len;
    uint32_t h = 0x9747b28c ^ (uint32_t)len;

    for (; len >= 4; p += 4, len -= 4) {
        uint32_t k = get_le32(p) * m;

        k ^= k >> 24;
        h = h * m ^ k * m;
    }
    if (len > 0) {
        for (size_t i = 0; i < len; i++)
            h ^= (uint32_t)p[i] << 8 * i;
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}
