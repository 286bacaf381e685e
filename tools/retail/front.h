/*
 * front.h: what the demo asks the HTTP front of a running appliance: the
 * inventory stops and goes on, is it done, what its stores hold.
 * Thread: the main one.
 */
#ifndef RETAIL_FRONT_H
#define RETAIL_FRONT_H

#include <jansson.h>

#include "cli.h"

/* 1: done; 0: no inventory runs there; -1. */
int front_pause(const struct cli *, struct err *);
int front_resume(const struct cli *, struct err *);
/* Waits until all input is dealt with. 1: so it is, or what is left waits for
 * a task that stands still (then whoever looks sees what is missing); 0: not
 * in time; -1. */
int front_settle(const struct cli *, int within_ms, struct err *);

/* Each row of a view: its key and its value, an object. 0: go on; -1. */
typedef int (*front_row_fn)(void *arg, const char *key, const json_t *value,
    struct err *);
int front_rows(const struct cli *, const char *view, front_row_fn, void *arg,
    struct err *);

/* A member that is a number, or a string of digits (as protobuf prints 64
 * bits); 0 if there is none. */
int64_t front_int(const json_t *object, const char *name);

#endif
