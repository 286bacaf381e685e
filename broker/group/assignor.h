/*
 * assignor.h: who gets which partitions (KIP-848's server-side assignors):
 *
 *   uniform   balanced over all topics, and sticky: members keep what they
 *             were meant to have as far as balance allows
 *   range     by topic, neighbours to neighbours: members with the same
 *             topics get the same partitions of each, so that topics of
 *             equal keys can be joined
 *
 * Pure: from topics, members and their old targets to new ones. Every
 * partition of a topic that somebody reads goes to exactly one of its
 * readers. Equal input gives equal output, whatever the addresses.
 */
#ifndef GROUP_ASSIGNOR_H
#define GROUP_ASSIGNOR_H

#include "base/arena.h"
#include "group/parts.h"

struct assignor_topic {
    struct uuid id;
    int32_t partitions;
};

struct assignor_member {
    struct span id;
    struct span instance_id;             /* null: dynamic */
    const uint32_t *topics;              /* places in the list, rising */
    size_t topic_count;
    const struct parts *old;
    struct parts target;                 /* out; the caller's */
};

enum assignor { ASSIGNOR_UNIFORM, ASSIGNOR_RANGE, ASSIGNORS };

const char *assignor_name(enum assignor);
/* ASSIGNORS: there is none of that name. */
enum assignor assignor_find(struct span name);

/* `topics` rise by id. Scratch comes from the arena; -1 when it is at its
 * limit: no target is of use then. */
int assignor_run(enum assignor, const struct assignor_topic *topics,
    size_t topic_count, struct assignor_member *members, size_t member_count,
    struct arena *);

#endif
