/*
 * loop.h: the turns of the one thread that owns connections, partitions,
 * groups and the open epoch. libevent waits and calls back; after that, once
 * a turn, the hooks run: whatever events came in together is committed and
 * answered together.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct loop;

/* Runs at the end of each turn; returns in how many microseconds it wants to
 * run again at the latest, -1: whenever there is an event. */
typedef int64_t loop_hook_fn(void *arg);

struct loop *loop_new(void);             /* aborts without memory */
void loop_free(struct loop *);
struct event_base *loop_base(struct loop *);
void loop_hook(struct loop *, loop_hook_fn *, void *arg);
/* A descriptor that only needs a turn when it is readable. */
void loop_watch(struct loop *, int fd);
/* Until loop_stop(). */
void loop_run(struct loop *);
/* After this turn. Loop thread, or a signal event on it. */
void loop_stop(struct loop *);

#endif
