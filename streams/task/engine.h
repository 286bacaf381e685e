/*
 * engine.h: runs applications over a port. It builds their topologies, makes
 * a task for each sub-topology and partition, and gives each task to one of
 * its threads. It has no threads of its own: whoever has them calls
 * engine_step() or engine_thread() with their numbers; a test calls it from
 * one.
 *
 * Ownership: the engine keeps the pointers `port`, names and confs of apps;
 * they outlive it.
 */
#ifndef TASK_ENGINE_H
#define TASK_ENGINE_H

#include <penstock/streams.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/err.h"
#include "port/port.h"

struct engine;

struct engine_opts {
    struct port *port;
    const struct ps_app *apps;       /* up to a NULL name */
    unsigned threads;                /* 0: 1 */
    unsigned run_records;            /* of a run, at most; 0: the default */
    bool start_paused;
};

enum task_state { TASK_CREATED, TASK_RUNNING, TASK_PAUSED, TASK_FAILED };

#define TASK_COUNTERS(X)                                                       \
    X(in, "records read")                                                      \
    X(out, "records written, dead letters and rejected ones not counted")      \
    X(skipped, "records that failed and were left out")                        \
    X(dead_lettered, "records and timers that failed and are dead letters")    \
    X(rejected, "records that ps_reject() sent away")                          \
    X(runs, "runs handed over")                                                \
    X(timers, "timers fired")                                                  \
    X(late, "records older than the stream time")                              \
    X(again, "times it found no room and paused")

struct task_stats {
#define X(name, help) _Atomic uint64_t name;
    TASK_COUNTERS(X)
#undef X
};

/* A copy, for people and metrics. */
struct task_info {
    const char *app, *name;
    int32_t partition;
    enum task_state state;
    char reason[280];                /* of FAILED */
    int64_t lag;                     /* records to read */
    int64_t stream_time;             /* ms; INT64_MIN: no record yet */
    unsigned thread;
#define X(name, help) uint64_t name;
    TASK_COUNTERS(X)
#undef X
};

/* Builds and opens everything. -1: *err has the first reason, `report` (may
 * be NULL) all mistakes of the topologies, a line each. */
int engine_new(const struct engine_opts *, struct engine **, struct err *,
    struct buf *report);
/* Nobody may be inside it. Hands nothing over: what is done is done. */
void engine_free(struct engine *);

/* At most one run of one task of this thread, in turn. false: there was
 * nothing to do. Thread: always the same for one number. */
bool engine_step(struct engine *, unsigned thread);
/* Steps until engine_stop(), waiting in the port when there is nothing. */
void engine_thread(struct engine *, unsigned thread);
void engine_stop(struct engine *);               /* any thread */
/* How long this thread may sleep if no record comes. */
int64_t engine_idle_ms(struct engine *, unsigned thread);

/* Any thread: no running task has anything to read, and no timer is due. What
 * was done may still be unpublished: that is the port's to know. */
bool engine_is_idle(const struct engine *);
/* Any thread: is there a task that has input and does not run? *task is the
 * first such, for engine_task_info(). */
bool engine_is_held_up(const struct engine *, unsigned *task);
/* When the first timer of the appliance clock is due, INT64_MAX: none. */
int64_t engine_due_ms(const struct engine *);

/* Any thread. app NULL: all. Resuming a failed task is not possible: it is
 * made anew with the engine. -1: no such application. */
int engine_pause(struct engine *, const char *app);
int engine_resume(struct engine *, const char *app);

unsigned engine_task_count(const struct engine *);
/* Any thread; `reason` is best read when the thread rests. */
void engine_task_info(const struct engine *, unsigned task,
    struct task_info *);
/* Topologies as text, and each task with its counters. */
void engine_describe(const struct engine *, struct buf *);
void engine_describe_dot(const struct engine *, struct buf *);

/* For the driver, which draws lots: one task of its choice, and how many
 * records a run may have. */
bool engine_step_task(struct engine *, unsigned task);
void engine_set_run_records(struct engine *, unsigned count);
/* The serdes by which a topic is read or written here, else a store's; false:
 * unknown. A gathered topic's value serde is that of the input. */
bool engine_topic_serdes(const struct engine *, const char *topic,
    unsigned input, const struct ps_serde **key, const struct ps_serde **value);
/* Do its producers use our partitioner (ps_trust)? */
bool engine_topic_is_trusted(const struct engine *, const char *topic);
/* Stores of several applications may have one name; app NULL: the first. */
bool engine_store_serdes(const struct engine *, const char *app,
    const char *store, const struct ps_serde **key,
    const struct ps_serde **value);

#endif
