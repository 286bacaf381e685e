/*
 * salvage.h: a new data folder from what can be read of a damaged one, which
 * is never changed. What it does, in which order, and what is lost when: the
 * essay in salvage.c. Thread: the caller's.
 */
#ifndef OFFLINE_SALVAGE_H
#define OFFLINE_SALVAGE_H

#include "base/err.h"
#include "base/world.h"
#include "offline/findings.h"

struct salvage_options {
    const char *dir, *to;        /* to: a new or an empty folder */
    struct world *world;
    bool dry_run;                /* only tells; `to` may be NULL */
    bool past_damage;            /* use frames behind a gap, too */
    struct findings *findings;   /* damage: what is lost; notes: the rest */
};

/* 0: the new folder is complete (findings->damages: is anything lost?). -1:
 * there is no new folder that would open. */
int salvage_run(const struct salvage_options *, struct err *);

#endif
