/*
 * rig.h: the program itself, on a folder and an address of its own, started
 * and ended by a test that prints TAP.
 *
 * The address is one of 127/8 that nobody else uses, and its port is kept
 * over restarts. On 127.0.0.1 the port may be gone when the program comes
 * back: a client that connects in the meantime may get it for its own end,
 * even be connected to itself. From 127.0.0.1 to 127.9.8.7 it cannot be.
 */
#ifndef CRASH_RIG_H
#define CRASH_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rig {
    char binary[1024];           /* $top_builddir/penstock */
    char data[512];              /* below a fresh folder in $TMPDIR */
    char address[32];            /* host:port */
    char top[256];               /* the fresh folder; removed by rig_end() */
    char http[64];               /* host:port; "" before the first start */
    const char *more[8];         /* options, to NULL */
    pid_t pid;                   /* 0: not running */
    int64_t slowest_ms;          /* of all starts */
    uint64_t rng;
};

/* Prints the seed, from PENSTOCK_SEED or the time. */
void rig_init(struct rig *, const char *name);
unsigned rig_draw(struct rig *, unsigned n);
/* Starts it and waits until it is ready; the test is over if it is not so
 * within 30 s. */
void rig_start(struct rig *);
/* Starts it and goes on at once. */
void rig_launch(struct rig *);
/* Sends the signal and waits for the end; says how it ended (wait()). */
int rig_kill(struct rig *, int sig);
/* Is it still running? */
bool rig_lives(struct rig *);
/* SIGTERM must end it with status 0: a check. */
void rig_stop(struct rig *);
/* Anonymous memory of the process, in KiB. */
long rig_memory(const struct rig *);
/* `penstock ARGS...` without output; its exit status, or -1. */
int rig_run(const struct rig *, const char *const *args);
/* GET of its HTTP front; false if `words` are not in the answer. */
bool rig_says(const struct rig *, const char *path, const char *words);
/* Removes the folder if all went well; the program's status. */
int rig_end(struct rig *);

/* ---- TAP ---- */

void check(bool good, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The test can't go on. */
_Noreturn void bail(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
/* Nothing of it can be done here: one line, exit 0. */
_Noreturn void skip_all(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
int64_t now_ms(void);
/* A number from the environment. */
long setting(const char *name, long otherwise);

#endif
