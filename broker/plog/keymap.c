/* keymap.c: open addressing, linear probing, at most nine tenths full. */
#include "config.h"

#include "plog/keymap.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "base/check.h"

enum { SLOTS_FIRST = 1024 };

void
keymap_init(struct keymap *m, size_t bytes_max, uint64_t seed)
{
    *m = (struct keymap){.seed = seed, .cap_max = SLOTS_FIRST};
    while (m->cap_max * 2 * sizeof *m->slots <= bytes_max)
        m->cap_max *= 2;
    /* A bound between two powers is used, too: a multiple is as good. */
    if (bytes_max / sizeof *m->slots > m->cap_max)
        m->cap_max = bytes_max / sizeof *m->slots;
}

void
keymap_release(struct keymap *m)
{
    free(m->slots);
    *m = (struct keymap){0};
}

static bool
is_full(const struct keymap *m)
{
    return m->count >= m->cap / 10 * 9;
}

/* The slot of the hash, or the free one where it would go. */
static struct keyslot *
slot_find(const struct keymap *m, uint64_t hi, uint64_t lo)
{
    size_t i = (size_t)(lo % m->cap);

    while (m->slots[i].next != 0
        && (m->slots[i].hi != hi || m->slots[i].lo != lo))
        i = i + 1 == m->cap ? 0 : i + 1;
    return &m->slots[i];
}

static bool
grow(struct keymap *m)
{
    struct keymap old = *m;

    if (m->cap == m->cap_max)
        return false;
    m->cap = m->cap == 0 ? SLOTS_FIRST : m->cap * 2;
    if (m->cap > m->cap_max)
        m->cap = m->cap_max;
    m->slots = xcalloc(m->cap, sizeof *m->slots);
    for (size_t i = 0; i < old.cap; i++) {
        const struct keyslot *s = &old.slots[i];

        if (s->next != 0)
            *slot_find(m, s->hi, s->lo) = *s;
    }
    free(old.slots);
    return true;
}

bool
keymap_put(struct keymap *m, struct span key, int64_t offset)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(key.ptr, key.len, m->seed);
    struct keyslot *s;

    if (m->cap == 0)
        grow(m);
    s = slot_find(m, h.high64, h.low64);
    if (s->next == 0) {
        if (is_full(m)) {
            if (!grow(m))
                return false;
            s = slot_find(m, h.high64, h.low64);
        }
        m->count++;
    }
    assert(s->next <= offset + 1);
    *s = (struct keyslot){h.high64, h.low64, offset + 1};
    return true;
}

int64_t
keymap_get(const struct keymap *m, struct span key)
{
    XXH128_hash_t h;

    if (m->cap == 0)
        return -1;
    h = XXH3_128bits_withSeed(key.ptr, key.len, m->seed);
    return slot_find(m, h.high64, h.low64)->next - 1;
}
