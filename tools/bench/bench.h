/*
 * bench.h: `penstock bench`: how fast this build is on this machine, each
 * figure beside its floor: the same bytes appended and flushed by nobody but
 * the kernel, the same bytes sent over loopback by nobody but the kernel.
 *
 *  1. A figure and its floor are taken one right after the other, where it
 *     can be in alternating order. What a machine does at another hour is no
 *     measure.
 *  2. The broker is a process of its own, our child, with a data folder that
 *     goes when it goes; its CPU time is its own, the client's is told apart.
 *  3. Latency under a rate is counted from the moment when a record was due,
 *     not from when we came to send it (coordinated omission).
 *  4. Every wait has an end, and every wait ends by Ctrl-C (cli_stop).
 *  5. A peer (--against) gets the same load from the same client in the same
 *     run, one time after us, the next time before us. Nothing in a load may
 *     ask who is under it; only floors, which are the machine's, are taken
 *     with ours alone.
 *
 * Ownership: the caller's struct, borrowed by everything below.
 * Thread: one.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdint.h>
#include <time.h>

#include "bench/report.h"
#include "cli.h"

enum { BENCH_PATH_MAX = 512, BENCH_NAME_MAX = 64 };

/* What the command line says; see opts_bench for the meaning and defaults. */
struct bench {
    const struct cli *cli;
    struct report report;
    char dir[BENCH_PATH_MAX];    /* our own, temporary */
    const char *bootstrap;       /* of a running broker; NULL: our child */
    const char *durability;      /* as `serve` takes it */
    int64_t load_ms;             /* of each load; 0: as it suits the figure */
    int64_t repeats, partitions, threads;
    int64_t size, batch, producers, rate;
    int64_t products, orders, log_mb, keys;
    bool against_redis, whole;
    const char *against;         /* the peer's address, or NULL */
    int64_t against_pid;         /* its process; 0: unknown */
    bool against_flush;          /* its topics flush each record */
    bool on_peer;                /* the load is the peer's now */
    int turn;                    /* which repetition this is, from 0 */
};

/* How long a load runs: --secs, or what suits it. */
static inline int64_t
bench_ms(const struct bench *b, int64_t dflt)
{
    return b->load_ms > 0 ? b->load_ms : dflt;
}

static inline int64_t
bench_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* CPU time of this process. */
static inline int64_t
bench_cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Parameters that a load shares with what its figures are called. 0, or -1
 * and *err; after Ctrl-C the code is EINTR. */
typedef int bench_fn(struct bench *, struct err *);

bench_fn bench_produce, bench_sync, bench_epoch, bench_fetch, bench_latency,
    bench_inventory, bench_start, bench_txn, bench_groups, bench_partitions;

/* -1 and EINTR if the user wants no more. */
int bench_stopped(struct err *);

#endif
