/*
 * rng.h: random numbers from a seed, the same on every machine (splitmix64).
 */
#ifndef CRASH_RNG_H
#define CRASH_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t at;
};

static inline uint64_t
rng_next(struct rng *r)
{
    uint64_t z = r->at += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* 0 .. n - 1; n > 0. */
static inline uint32_t
rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

static inline bool
rng_one_in(struct rng *r, uint32_t n)
{
    return rng_below(r, n) == 0;
}

/* Of a place: the same words give the same numbers, whatever came before. */
static inline struct rng
rng_of(uint64_t seed, uint64_t a, uint64_t b)
{
    struct rng r = {seed};

    r.at = rng_next(&r) ^ a;
    r.at = rng_next(&r) ^ b;
    return r;
}

#endif
