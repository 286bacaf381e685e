/*
 * meter.h: what the broker says of its epochs, by /metrics. Where nobody
 * answers there, everything is 0.
 * Thread: one.
 */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include "bench/child.h"

struct meter {
    double epochs, frame_bytes, flush_s;         /* since the start */
};

void meter_read(const struct child *, struct meter *);
/* From `before` until now, an epoch: bytes of its frame, ns of its flush.
 * false: unknown, or there was none. */
bool meter_epoch(const struct child *, const struct meter *before,
    double *bytes, double *ns);

#endif
