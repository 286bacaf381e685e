/*
 * pump.h: many synchronous clients in one thread: each sends a request, waits
 * for its answer, sends the next. One client blocks in recv(), as a program
 * of one thread would; more of them wait in one epoll.
 * Ownership: the caller's; the requests must outlive the run. Thread: one.
 */
#ifndef BENCH_PUMP_H
#define BENCH_PUMP_H

#include "base/histogram.h"
#include "bench/child.h"
#include "bench/raw.h"

enum { PUMP_CLIENTS_MAX = 1024 };

struct pump {
    const char *address;
    int clients;
    int64_t ms;                  /* after a warm-up */
    const struct child *child;   /* whose CPU time is counted */
    const struct shot *shots;    /* client i begins at i and goes round */
    size_t shot_count;
    /* The bytes of the first whole answer in `in`, 0: not yet. */
    size_t (*whole)(struct span in);
    int (*check)(struct raw *, struct span answer, struct err *);
};

struct pump_result {
    double rate;                 /* answers a second */
    double server_cpu_us, client_cpu_us;         /* an answer */
    struct histogram ns;         /* of an answer */
};

int pump_run(const struct pump *, struct pump_result *, struct err *);

/* For Kafka's answers: four bytes of size before each. */
size_t pump_whole_frame(struct span in);
int pump_check_frame(struct raw *, struct span answer, struct err *);

/* redis.c: a Redis that flushes each write, on loopback, if it is installed
 * (*found). `shot` is a request of its protocol. */
int redis_start(struct child *, struct bench *, bool *found, struct err *);
void redis_shot(struct shot *, int64_t size);
size_t redis_whole(struct span in);
int redis_check(struct raw *, struct span answer, struct err *);

#endif
