/*
 * floor.h: what the machine does when nobody but the kernel is in the way.
 *
 *   append     blocks of a size, one after the other, into a file whose bytes
 *              were written before, with O_DIRECT and O_DSYNC (or fdatasync
 *              where the file system does not take that): as the journal
 *              does. With durability=process without the flush; with
 *              durability=memory there is nothing to append to
 *   exchange   so many bytes to another process over loopback TCP, so many
 *              back, by blocking calls
 *   stream     bytes from another process over loopback TCP, as fast as they
 *              come
 *   cache      bytes written to a new file through the page cache. On a
 *              virtual machine whose free memory goes back to the host this
 *              is several times what it is elsewhere
 *
 * Thread: one; exchange and stream fork a process for their other end.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "base/histogram.h"
#include "bench/bench.h"

/* Nanoseconds each, for about `ms`; `h` is begun anew. */
int floor_append(const struct bench *, int64_t block, int64_t ms,
    struct histogram *h, struct err *);
int floor_exchange(size_t there, size_t back, int64_t ms, struct histogram *h,
    struct err *);
struct floor_stream {
    double bytes_s;
    double sent_ns, taken_ns;    /* CPU of either side for a KiB */
};
int floor_stream(size_t chunk, int64_t ms, struct floor_stream *,
    struct err *);
/* CPU ns for a KiB. */
int floor_cache(const struct bench *, double *cpu_ns, struct err *);

/* How many a second, from the mean. */
double floor_rate(const struct histogram *);

/* One append of `block` bytes and one exchange, in ns: p50 and p99 are the
 * sums of both, rate is one after the other's. */
struct floor_ack {
    double p50, p99, rate;
};
int floor_ack(const struct bench *, int64_t block, size_t there, size_t back,
    struct floor_ack *, struct err *);

#endif
