/*
 * streams.h: the vocabulary of streams groups (KIP-1071). Such a group is a
 * consumer group whose members run tasks: the essay is in streams.c.
 *
 * A task is a subtopology and a partition. In sets (parts.h) the subtopology
 * stands as an id made from its place in the topology: streams_part_id().
 *
 * Ownership and thread: as in group.h.
 */
#ifndef GROUP_STREAMS_H
#define GROUP_STREAMS_H

#include "base/arena.h"
#include "base/buf.h"
#include "group/parts.h"

enum {
    STREAMS_TOPOLOGY_MAX = 256 * 1024,   /* bytes, as it is persisted */
    STREAMS_TASKS_MAX = 20000,           /* count, of a group */
    /* Counts, of all subtopologies together: a plan looks at each source for
     * each repartition topic, perhaps as often as there are such topics. */
    STREAMS_SUBTOPOLOGIES_MAX = 1024,
    STREAMS_SOURCES_MAX = 2048,
    STREAMS_SINKS_MAX = 1024,
    STREAMS_REPARTITIONS_MAX = 256,
    STREAMS_TAGS_MAX = 8 * 1024,         /* bytes, of a member */
};

/* ---- the topology ---- */

struct streams_pair {
    struct span key, value;
};

struct streams_topic {               /* an internal one */
    struct span name;
    int32_t partitions;              /* 0: to be found */
    int16_t replicas;                /* 0: the default */
    struct streams_pair *configs;
    uint32_t config_count;
};

struct streams_copartition {         /* places in the subtopology's lists */
    int16_t *sources, *repartitions;
    uint32_t source_count, repartition_count;
};

struct streams_subtopology {
    struct span id;
    struct span *sources, *sinks;    /* sinks: repartition topics */
    struct streams_topic *repartitions, *changelogs;
    struct streams_copartition *copartitions;
    uint32_t source_count, sink_count, repartition_count, changelog_count,
        copartition_count;
};

struct streams_topology {
    int32_t epoch;
    struct streams_subtopology *list;
    uint32_t count;
};

/* As bytes, equal exactly if the topologies are: the form that is kept. */
void streams_topology_put(struct buf *, const struct streams_topology *);
/* NULL: it is none, or the arena is at its limit. Spans point into the
 * bytes. */
struct streams_topology *streams_topology_get(struct span, struct arena *);
/* The same for the tags of a client. */
void streams_pairs_put(struct buf *, const struct streams_pair *,
    uint32_t count);
bool streams_pairs_get(struct span, struct arena *, struct streams_pair **,
    uint32_t *count);

struct uuid streams_part_id(uint32_t place);
uint32_t streams_part_place(const struct uuid *);

/* ---- heartbeats ---- */

struct streams_endpoint_at {
    struct span host;
    uint16_t port;
};

/* Beside what a group_beat has. */
struct streams_beat {
    const struct streams_topology *topology;         /* NULL: none given */
    struct span process_id;          /* null: as before */
    const struct streams_endpoint_at *endpoint;      /* NULL: as before */
    struct span tags;                /* streams_pairs_put(); null: as before */
    int32_t endpoint_epoch;
    bool shutdown;
};

/* Kafka's codes. */
enum streams_code {
    STREAMS_STALE_TOPOLOGY,
    STREAMS_MISSING_SOURCE_TOPICS,
    STREAMS_INCORRECTLY_PARTITIONED,
    STREAMS_MISSING_INTERNAL_TOPICS,
    STREAMS_SHUTDOWN_APPLICATION,
    /* not Kafka's */
    STREAMS_READY = -1,              /* nothing to say */
    STREAMS_INVALID = -2,            /* no topics could make it work */
};

/* A topic that has to be made. */
struct streams_make {
    const struct streams_topic *topic;
    int32_t partitions;
};

/* What persists of a member, beside what consumer_member_image has. */
struct streams_member {
    struct span process_id;
    int32_t topology_epoch;
    bool has_endpoint;
    struct streams_endpoint_at endpoint;
    struct span tags;
};

/* ---- reads ---- */

struct group;
/* NULL: it is no streams group, or has had no topology yet. */
const struct streams_topology *streams_topology(const struct group *);
struct span streams_topology_bytes(const struct group *);
/* Place of a subtopology; -1: there is none of that id. */
int streams_place(const struct streams_topology *, struct span id);
/* What the topics say of the topology, and why; STREAMS_READY: all is there.
 * Holds until the next step. */
enum streams_code streams_status(const struct group *, struct span *detail);
const struct streams_make *streams_makes(const struct group *,
    size_t *count);
/* How many tasks the subtopology has; 0 while not ready. */
int32_t streams_tasks(const struct group *, uint32_t place);
/* Who asked for the shutdown of all; null: nobody. */
struct span streams_shutdown(const struct group *);

#endif
