/*
 * driver_priv.h: between driver.c, driver_read.c and sweep.c.
 */
#ifndef TASK_DRIVER_PRIV_H
#define TASK_DRIVER_PRIV_H

#include <penstock/driver.h>

#include "base/arena.h"
#include "base/buf.h"
#include "port/memory.h"
#include "task/engine.h"

#define DRIVER_MAGIC 0xd417e4aau

/* Input that a client has no answer for yet. */
struct piped {
    char *topic;
    struct span key, value;              /* malloc'ed */
    int64_t timestamp;
    struct piped *next;
};

/* Where the reader of a topic stands. */
struct reader {
    char *topic;
    int64_t *offsets;                    /* by partition */
    struct reader *next;
};

struct ps_driver {
    uint32_t magic;
    struct ps_driver_opts opts;
    const struct ps_app *apps;
    struct ps_app own[2];                /* for ps_driver_new() */
    struct port *port;
    struct engine *engine;
    uint64_t rng;
    uint64_t steps;                      /* runs and inputs so far */
    uint64_t cut, cut_again;             /* crash after that step; 0: never */
    struct piped *piped, **piped_last;
    struct reader *readers;
    struct arena arena;                  /* of what a reader gave last */
    struct buf text;
    bool failed;                         /* a task has failed */
};

/* Ends the program: the test is wrong. */
_Noreturn void driver_die(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
uint64_t driver_draw(struct ps_driver *);

/* Text as ps_pipe() takes it, to bytes of that serde, in the arena. */
struct span driver_bytes(struct ps_driver *, const struct ps_serde *,
    const char *text);
/* And back, appended to `out`. */
void driver_text(struct ps_driver *, const struct ps_serde *, struct span,
    struct buf *out);
/* driver_json.c: does the JSON object have the filter's members? */
bool driver_json_matches(const char *text, const char *filter);
/* A member as a number, 0 if it is not there; field NULL: all of it. */
int64_t driver_json_int(const char *text, const char *field);

#endif
