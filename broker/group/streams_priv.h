/*
 * streams_priv.h: what the files of streams groups share. The essay stands in
 * streams.c.
 */
#ifndef GROUP_STREAMS_PRIV_H
#define GROUP_STREAMS_PRIV_H

#include "group/consumer_priv.h"

/* A topology against the topics there are. */
struct streams_plan {
    struct arena arena;
    enum streams_code code;
    struct span detail;
    struct streams_make *makes;      /* if internal topics are missing */
    size_t make_count;
    int32_t *tasks;                  /* of each subtopology; 0: not ready */
    size_t task_count;
    uint64_t hash;                   /* of all that was looked at */
};

struct streams {
    struct span bytes;               /* owned: the topology; null: none yet */
    struct arena arena;              /* of `topology` */
    const struct streams_topology *topology;
    struct streams_plan plan;
    int32_t endpoint_epoch;          /* in memory: clients ask anew */
    struct span shutdown;            /* owned: who asked; in memory */
};

/* streams_plan.c. `topics` NULL: as if all were there, with one partition. */
void streams_plan_make(struct streams_plan *, const struct streams_topology *,
    const struct group_topics *topics);
void streams_plan_release(struct streams_plan *);

/* streams_assign.c: new targets, sticky and balanced. */
void streams_retarget(struct group *);

#endif
