/*
 * check.h: proves a data folder: identity, LMDB, snapshots, journal, logs,
 * each for itself and against each other. A server must not run on it.
 * Writes nothing, not even into LMDB's lock file. Thread: the caller's.
 */
#ifndef OFFLINE_CHECK_H
#define OFFLINE_CHECK_H

#include "base/err.h"
#include "base/world.h"
#include "offline/findings.h"

struct check_options {
    const char *dir;
    struct world *world;
    bool deep;                   /* every record of every batch, too */
    struct findings *findings;
};

/* 0: everything was looked at, findings->damages tells. -1: it could not be
 * looked at (EBUSY: a server runs). */
int check_run(const struct check_options *, struct err *);

#endif
