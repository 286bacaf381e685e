/*
 * seeded.h: bugs made on purpose, so that tests can prove that they would be
 * found. Only a build that asks for them has any (--with-seeded-bug), and
 * there PENSTOCK_SEEDED_BUG names the one that is awake. The names, and which
 * test must find each: tests/crash/seeded.t.
 */
#ifndef BASE_SEEDED_H
#define BASE_SEEDED_H

#ifdef SEEDED_BUGS
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool
seeded(const char *name)
{
    const char *bug = getenv("PENSTOCK_SEEDED_BUG");

    return bug != NULL && strcmp(bug, name) == 0;
}
#else
#define seeded(name) false
#endif

#endif
