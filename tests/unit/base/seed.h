/*
 * seed.h: random numbers of a property test. The seed is PENSTOCK_SEED of the
 * environment or a fixed one, and is printed, so that a failure comes again.
 */
#ifndef TESTS_UNIT_SEED_H
#define TESTS_UNIT_SEED_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t seed_state;

static inline void
seed_begin(const char *test)
{
    const char *text = getenv("PENSTOCK_SEED");

    seed_state = text == NULL ? 20240917 : strtoull(text, NULL, 0);
    printf("# %s: PENSTOCK_SEED=%" PRIu64 "\n", test, seed_state);
}

/* splitmix64 (Steele, Lea, Flood 2014) */
static inline uint64_t
seed_next(void)
{
    uint64_t z = (seed_state += 0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline size_t
seed_below(size_t n)
{
    return (size_t)(seed_next() % n);
}

#endif
