/*
 * Values below 64 have a bucket each. Above, each doubling is cut in 64
 * equal parts: bucket (exponent - 5) * 64 + the six bits after the top one.
 */
#include "config.h"
#include "base/histogram.h"

#include <string.h>

#include "base/check.h"

enum { SUB_BITS = 6 };

static const uint64_t value_max = (UINT64_C(1) << 62) - 1;

void
histogram_init(struct histogram *h)
{
    memset(h, 0, sizeof *h);
    h->min = UINT64_MAX;
}

static unsigned
bucket_of(uint64_t v)
{
    unsigned exponent;

    if (v < HISTOGRAM_SUB)
        return (unsigned)v;
    exponent = 63 - (unsigned)__builtin_clzll(v);
    return (exponent - (SUB_BITS - 1)) * HISTOGRAM_SUB
        + (unsigned)(v >> (exponent - SUB_BITS) & (HISTOGRAM_SUB - 1));
}

/* The largest value that the bucket counts. */
static uint64_t
bucket_top(unsigned i)
{
    unsigned shift;

    if (i < HISTOGRAM_SUB)
        return i;
    shift = i / HISTOGRAM_SUB - 1;
    return ((uint64_t)(i % HISTOGRAM_SUB + HISTOGRAM_SUB + 1) << shift) - 1;
}

void
histogram_add(struct histogram *h, uint64_t v)
{
    if (v > value_max)
        v = value_max;
    h->counts[bucket_of(v)]++;
    h->count++;
    h->sum += v;
    if (v < h->min)
        h->min = v;
    if (v > h->max)
        h->max = v;
}

void
histogram_merge(struct histogram *to, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        to->counts[i] += from->counts[i];
    to->count += from->count;
    to->sum += from->sum;
    if (from->min < to->min)
        to->min = from->min;
    if (from->max > to->max)
        to->max = from->max;
}

uint64_t
histogram_at(const struct histogram *h, double percent)
{
    double exact = percent / 100 * (double)h->count;
    uint64_t rank = (uint64_t)exact, seen = 0;

    assert(percent >= 0 && percent <= 100);
    if (h->count == 0)
        return 0;
    rank += (double)rank < exact;        /* rounded up */
    if (rank == 0)
        return h->min;
    if (rank >= h->count)
        return h->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen >= rank) {
            uint64_t top = bucket_top(i);

            return top < h->max ? top : h->max;
        }
    }
    return h->max;
}
