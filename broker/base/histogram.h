/*
 * histogram.h: counts of values by magnitude, log-linear with 1/64 relative
 * error, from 0 to 2^62. Fixed memory, mergeable, not thread-safe.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SUB = 64, HISTOGRAM_BUCKETS = (62 - 5) * HISTOGRAM_SUB };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count, sum, min, max;
};

void histogram_init(struct histogram *);
void histogram_add(struct histogram *, uint64_t value);
void histogram_merge(struct histogram *, const struct histogram *);
/* The value at or below which `percent` (0 to 100) of the values lie. */
uint64_t histogram_at(const struct histogram *, double percent);

#endif
