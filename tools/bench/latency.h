/*
 * latency.h: percentiles of a latency as figures. Thread: one.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include "bench/floor.h"

/* p50, p99 and p99.9 of h (ns) beside the floor's p50; goals may be NULL. */
void latency_tell(struct bench *, const char *key, const char *name,
    const struct histogram *h, const struct floor_ack *, const char *p50_goal,
    const char *p99_goal);

#endif
