/*
 * child.h: the broker under test: a process of its own, started in one of two
 * ways. Forked it runs `serve` of this program with the applications that the
 * benchmark brings along; executed anew, from /proc/self/exe, it is what a
 * user starts, which is what counts for the time and memory of a start.
 *
 * It listens on a port of its choice and tells it by --ready-fd. It dies with
 * us whatever happens. What it says goes to `serve.log` beside its data; if
 * it does not come up, the last line of that is the error.
 *
 * Ownership: the caller's struct; child_stop() may be called twice, and on a
 * zeroed one. Thread: one.
 */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <sys/types.h>

#include "bench/bench.h"
#include "penstock/streams.h"

struct child {
    pid_t pid;                   /* 0: none, or unknown */
    bool foreign;                /* not ours: measured, never stopped */
    bool flush;                  /* topics made there flush each record */
    char address[BENCH_NAME_MAX];        /* "127.0.0.1:40123" */
    char http[BENCH_NAME_MAX];   /* "127.0.0.1:40124", "" if it told none */
    char data[BENCH_PATH_MAX];
};

/* The data folder is `name` in the benchmark's own; it is made if it is not
 * there. apps NULL: executed anew, with the program's own applications. */
int child_start(struct child *, struct bench *, const char *name,
    const struct ps_app *apps, struct err *);
/* As above; or the peer, while the load is the peer's; or, with -b, the
 * broker that runs, whose pid is 0. */
int child_start_or_use(struct child *, struct bench *, const char *name,
    struct err *);
/* By a signal: SIGTERM for a clean end, SIGKILL for the other. Waits. */
void child_stop(struct child *, int sig);

/* CPU time so far, 0 if unknown. */
int64_t child_cpu_ns(const struct child *);
/* Anonymous resident memory (RssAnon) in bytes, 0 if unknown. */
int64_t child_memory(const struct child *);

/* An application table without applications. */
extern const struct ps_app child_no_apps[];

/* The benchmark's own folder, under --dir, $TMPDIR or /var/tmp. */
int folder_make(struct bench *, const char *under, struct err *);
/* With all that is in it. Nothing is followed out of it. */
void folder_remove(const char *path);
/* The files of a tree are no longer in the page cache, as far as a process
 * may ask for that. */
void folder_forget(const char *path);

#endif
