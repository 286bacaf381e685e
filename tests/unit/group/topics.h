/*
 * topics.h: a few topics in memory, that come, go and grow: what groups see
 * of the rest of the broker.
 */
#ifndef TESTS_GROUP_TOPICS_H
#define TESTS_GROUP_TOPICS_H

#include "group/groups.h"

enum { TOPICS = 8 };

struct topics {
    struct {
        char name[32];           /* "": none stands here */
        struct uuid id;
        int32_t partitions;
    } list[TOPICS];
    uint64_t version, ids;
};

/* To groups_set_topics(). */
struct group_topics topics_view(struct topics *);
void topics_make(struct topics *, const char *name, int32_t partitions);
void topics_grow(struct topics *, const char *name, int32_t partitions);
void topics_drop(struct topics *, const char *name);
/* NULL: there is none. */
const struct uuid *topics_id(const struct topics *, const char *name);

#endif
