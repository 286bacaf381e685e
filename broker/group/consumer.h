/*
 * consumer.h: the vocabulary of consumer groups (KIP-848), as group.h has it
 * for classic ones: the heartbeat, its answer, what is persisted. A group is
 * of one type at a time and may change it; the essay is in consumer.c.
 *
 * Ownership and thread: as in group.h.
 */
#ifndef GROUP_CONSUMER_H
#define GROUP_CONSUMER_H

#include "group/parts.h"
#include "group/streams.h"
#include "record/kerr.h"

enum {
    CONSUMER_EPOCH_LEAVE = -1,
    CONSUMER_EPOCH_LEAVE_STATIC = -2,    /* for a while */
};

/* ---- topics, as groups see them ---- */

struct group_topic {
    struct span name;
    struct uuid id;
    int32_t partitions;
};

typedef void group_topic_fn(void *to, const struct group_topic *);

/* false: there is none. What is found holds until the step ends. `version`
 * grows whenever a topic comes, goes or grows, and is never 0. */
struct group_topics {
    bool (*by_name)(void *arg, struct span name, struct group_topic *);
    bool (*by_id)(void *arg, const struct uuid *, struct group_topic *);
    void (*each)(void *arg, group_topic_fn *, void *to);
    uint64_t (*version)(void *arg);
    void *arg;
};

/* ---- ConsumerGroupHeartbeat ---- */

struct group_beat {
    struct span member_id;
    int32_t epoch;                   /* 0: joins; CONSUMER_EPOCH_...: leaves */
    /* null, -1, not `has_...`: as in the heartbeat before */
    struct span instance_id, rack_id;
    int32_t rebalance_timeout_ms;
    const struct span *topics;       /* names */
    size_t topic_count;
    bool has_topics;
    struct span regex;               /* empty: none any more */
    struct span assignor;
    const struct part *owned;
    size_t owned_count;
    bool has_owned;
    struct span client_id, client_host;
    bool own_id;                     /* v1: the member makes its own id */
    const struct streams_beat *streams;          /* NULL: ConsumerGroup... */
};

struct group_beaten {
    struct span member_id;
    int32_t epoch;
    int32_t interval_ms;             /* until the next heartbeat */
    const struct parts *assignment;  /* NULL: as it was */
    const char *message;             /* of an error; may be NULL */
    /* of a streams group: the caller asks streams.h for the rest */
    bool streams;
    int32_t endpoint_epoch;
};

/* ---- what is persisted, and what ConsumerGroupDescribe shows ---- */

#define CONSUMER_STATES(X)                                                     \
    X(STABLE)            /* has what it should have in its epoch */            \
    X(UNREVOKED)         /* has to give up `revoking` first */                 \
    X(UNRELEASED)        /* waits for what others have yet to give up */

enum consumer_state {
#define X(name) CONSUMER_##name,
    CONSUMER_STATES(X)
#undef X
    CONSUMER_STATE_COUNT,
};

struct consumer_image {              /* the group, without its members */
    struct span group_id;
    int32_t epoch, target_epoch;
    uint64_t topics_hash;
    struct span topology;            /* null: not a streams group */
};

struct group_protocol;

struct consumer_member_image {
    struct span member_id;
    struct span instance_id, rack_id;    /* null: none */
    struct span client_id, client_host;
    struct span regex;               /* empty: none */
    struct span assignor;            /* null: the group's */
    const struct span *topics;       /* rising, each once */
    size_t topic_count;
    int32_t rebalance_timeout_ms;
    int32_t epoch, previous_epoch;
    enum consumer_state state;
    struct parts assigned, revoking, target;     /* borrowed */
    /* of one who speaks the classic protocol */
    bool classic;
    int32_t session_timeout_ms;
    const struct group_protocol *protocols;
    size_t protocol_count;
    const struct streams_member *streams;        /* NULL: it is none */
};

struct group;
struct arena;

void consumer_image(const struct group *, struct consumer_image *);
/* Walks the members in order of joining, begin with NULL. */
struct consumer_member;
const struct consumer_member *consumer_member_next(const struct group *,
    const struct consumer_member *);
void consumer_member_image(const struct consumer_member *,
    struct consumer_member_image *);
/* Is the group to look at its topics again, or has it (a classic one) not
 * looked at them at all? */
bool consumer_topics_moved(const struct group *);
/* The assignor that the next target would come from. */
const char *consumer_assignor(const struct group *);

#endif
