/*
 * crew.h: processes that try many states, some at a time. What a state does
 * to its process (an assertion, a fault, a loop without end) is that state's
 * failure; the next process goes on behind it.
 *
 *   the program ──► one process a unit: makes its history
 *                         └──► one process after the other: some hundred
 *                              states each, then its leaks go with it
 *
 * PENSTOCK_FIRST in the environment: the first failure is enough.
 */
#ifndef CRASH_CREW_H
#define CRASH_CREW_H

#include <stdbool.h>
#include <stdint.h>

enum { CREW_COUNTS = 32, CREW_TEXT = 600 };

/* Shared by all processes; one for each unit. */
struct crew_unit {
    uint64_t next;               /* the state at hand */
    uint64_t end;                /* states of this unit; set by begin */
    uint64_t done, failed, crashed;
    uint64_t counts[CREW_COUNTS];        /* the program's own */
    char first[CREW_TEXT];       /* the first failure */
    char note[CREW_TEXT];        /* of the state at hand */
    bool broken;                 /* begin failed: note says why */
};

struct crew {
    unsigned units, workers, chunk, patience_s;
    const char *folder;          /* each worker has one below */
    /* Makes the unit's history in an empty folder, sets unit->end. */
    void (*begin)(void *arg, unsigned unit, struct crew_unit *);
    /* Tries state number unit->next. -1: failed, said by crew_fail(). */
    int (*state)(void *arg, unsigned unit, struct crew_unit *);
    /* One line of TAP when a unit is through; whether it failed, which is
     * the program's to say: damage may crash where nothing can detect it. */
    bool (*report)(void *arg, unsigned unit, const struct crew_unit *);
    void *arg;
};

/* Runs all units; returns how many failed. NULL folder: one is
 * made in memory if there is a place for it, and removed. `only`: one state
 * of one unit, in this process. */
int crew_run(struct crew *, struct crew_unit **all);
int crew_run_one(struct crew *, unsigned unit, uint64_t state);

/* What a program with these units is asked for. */
struct crew_job {
    const char *program;         /* argv[0] */
    uint64_t count, seed;        /* states of a unit */
    bool talk;                   /* one state alone, talking */
};

/* main(): "[count [seed]]", where count is of all units together and comes
 * from `name` in the environment, or `otherwise`, if not given, and the seed
 * from PENSTOCK_SEED; or "-r unit state count seed". The units are told apart
 * before. Returns the status. */
int crew_main(struct crew *, struct crew_job *, const char *name,
    uint64_t otherwise, int argc, char **argv);

/* A number from the command line, else from the environment. */
uint64_t crew_number(const char *arg, const char *name, uint64_t otherwise);

int crew_fail(struct crew_unit *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
