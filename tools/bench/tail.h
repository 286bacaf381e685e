/*
 * tail.h: records at a steady rate into one topic, and a consumer that waits
 * at the end of another (or the same) for what comes of each: how long that
 * takes. The record of number n has the key "%08n", and so has what comes.
 *
 * The load is open: records are due by the clock, whatever became of those
 * before them, and the time counts from when a record was due.
 * Thread: one.
 */
#ifndef BENCH_TAIL_H
#define BENCH_TAIL_H

#include "base/histogram.h"
#include "bench/bench.h"

enum { TAIL_KEY = 8 };

struct tail_load {
    const char *address;
    const char *from, *to;       /* topics */
    int32_t from_partitions, to_partitions;
    int64_t rate, ms;
    /* The value of record n; the bytes are the function's until the next. */
    struct span (*value)(void *arg, int64_t n);
    void *arg;
};

struct tail_result {
    struct histogram seen, acked;        /* ns */
    int64_t sent;                /* of those that count */
    int64_t total;               /* with those of the warm-up */
};

int tail_run(const struct tail_load *, struct tail_result *, struct err *);

#endif
