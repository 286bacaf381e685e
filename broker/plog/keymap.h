/*
 * keymap.h: the newest offset of each key, by 128 bits of hash, in bounded
 * memory: what a pass of the cleaner judges records by. Private to the room.
 *
 * Two keys with one hash would cost one of them its record, so the hash is
 * wide (2^64 keys for one clash) and seeded, lest somebody make two.
 * Ownership: the map owns its slots. Thread: one.
 */
#ifndef PLOG_KEYMAP_H
#define PLOG_KEYMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct keyslot {
    uint64_t hi, lo;
    int64_t next;                /* offset + 1; 0: free */
};

struct keymap {                  /* private, except count */
    struct keyslot *slots;
    size_t cap, count, cap_max;
    uint64_t seed;
};

/* bytes_max bounds the slots; while it grows, half as much again is used. */
void keymap_init(struct keymap *, size_t bytes_max, uint64_t seed);
void keymap_release(struct keymap *);
/* false: the key is new and there is no room. Offsets may only go up. */
bool keymap_put(struct keymap *, struct span key, int64_t offset);
/* -1: not in it. */
int64_t keymap_get(const struct keymap *, struct span key);

#endif
