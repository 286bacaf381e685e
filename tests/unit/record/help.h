/*
 * help.h: what the tests of this room share: bytes from hex, and random
 * numbers from PENSTOCK_SEED (splitmix64), so that a failure can be repeated.
 * Include behind cmocka.h.
 */
#ifndef TESTS_RECORD_HELP_H
#define TESTS_RECORD_HELP_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

static inline void
hex_put(struct buf *out, const char *hex)
{
    unsigned v;

    for (; hex[0] != '\0'; hex += 2) {
        assert_int_equal(sscanf(hex, "%2x", &v), 1);
        buf_put_u8(out, (uint8_t)v);
    }
}

static uint64_t random_state;

static inline void
random_begin(void)
{
    const char *seed = getenv("PENSTOCK_SEED");

    random_state = seed == NULL ? 42 : strtoull(seed, NULL, 0);
    fprintf(stderr, "# PENSTOCK_SEED=%" PRIu64 "\n", random_state);
}

static inline uint64_t
random_u64(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline size_t
random_below(size_t n)
{
    return (size_t)(random_u64() % n);
}

/* Small numbers often, large ones now and then. */
static inline size_t
random_size(size_t max)
{
    return random_below(((size_t)1 << random_below(63)) % (max + 1) + 1);
}

/* Bytes of which `letters` differ: 1 compresses best, 256 not at all. */
static inline void
random_fill(uint8_t *p, size_t n, size_t letters)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)random_below(letters);
}

#endif
