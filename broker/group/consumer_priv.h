/*
 * consumer_priv.h: what the files of consumer groups share. The essay stands
 * in consumer.c.
 */
#ifndef GROUP_CONSUMER_PRIV_H
#define GROUP_CONSUMER_PRIV_H

#include "base/arena.h"
#include "group/assignor.h"
#include "group/group_priv.h"

struct consumer_member {
    TAILQ_ENTRY(consumer_member) link;           /* in order of joining */
    struct span id, instance_id, rack_id, client_id, client_host;  /* owned */
    struct span regex;               /* owned; null: none */
    struct span assignor;            /* owned; null: the group's */
    struct span *topics;             /* rising; the block begins here */
    size_t topic_count;
    int32_t rebalance_timeout_ms;
    int32_t epoch, previous_epoch;
    enum consumer_state state;
    struct parts assigned, revoking, target;
    bool classic;                    /* speaks the classic protocol */
    int32_t session_timeout_ms;      /* then */
    struct group_protocol *protocols;            /* then; the block begins */
    size_t protocol_count;
    /* NEVER: not running */
    int64_t session_deadline, rebalance_deadline, join_deadline,
        sync_deadline;
    struct streams_member *streams;  /* NULL: not in a streams group */
    size_t bytes;                    /* of all that is owned, but for parts */
    bool dirty;                      /* to be persisted after this step */
};
TAILQ_HEAD(consumer_member_list, consumer_member);

/* An expression that members subscribe to, with what it matched. */
struct consumer_regex {
    uint32_t members;
    struct uuid *ids;                /* rising */
    size_t count;
    struct span text;                /* follows the struct */
};

/* How many have the partition in `assigned` or `revoking`. */
struct consumer_claim {
    struct part part;
    uint32_t count;
};

/* The group's epoch is the `generation` of struct group. */
struct consumer_group {
    struct consumer_member_list members;
    struct table by_id, by_instance;
    size_t member_count, classic_count;
    int32_t target_epoch;
    uint64_t topics_hash;            /* of what is subscribed, as of epoch */
    uint64_t topics_version;         /* 0: look again */
    struct table regexes, claims;
    size_t bytes;                    /* of all members */
    size_t partitions;               /* of all topics that are read */
    struct streams *streams;         /* NULL: not a streams group */
    bool dirty;                      /* the group, without its members */
};

/* All topics that are read, and which of them by whom: built for one step in
 * an arena. */
struct consumer_wanted {
    struct arena arena;
    struct table names;              /* struct named */
    struct assignor_topic *topics;   /* rising by id */
    size_t count;
};

/* consumer.c */
struct consumer_group *consumer_group_new(void);
void consumer_begin(struct group *);             /* an empty one */
void consumer_end(struct group *);               /* none any more */
struct consumer_member *consumer_find(const struct group *, struct span id);
struct consumer_member *consumer_static(const struct group *,
    struct span instance_id);
struct consumer_member *consumer_add(struct group *, struct span id);
void consumer_remove(const struct step *, struct consumer_member *);
void consumer_rename(const struct step *, struct consumer_member *,
    struct span id);
void consumer_bump(struct group *);
/* What a heartbeat and a JoinGroup have in common: a new epoch if need be, a
 * new target, a step of the member towards it. */
void consumer_advance(const struct step *, struct consumer_member *,
    const struct parts *owned, bool changed);
/* They are out; the group becomes classic if it can. */
void consumer_fence(const struct step *, struct consumer_member **list,
    size_t count);
void consumer_beat(const struct step *, const struct group_event *);
enum kerr consumer_beat_refusal(const struct group_env *,
    const struct group_beat *, const char **message);
void consumer_beat_error(const struct step *, const struct group_event *,
    enum kerr, const char *message);
bool consumer_tick(const struct step *);
/* The changes of the step, after it. */
void consumer_flush(const struct step *);
void consumer_check(const struct group *);
struct group_tuning consumer_tuning(const struct group *);

/* consumer_member.c: members as memory. */
struct consumer_member *consumer_member_new(struct span id);
void consumer_member_free(struct consumer_member *);
/* true: that is new. Null changes nothing. */
bool consumer_member_set(struct group *, struct consumer_member *,
    struct span *field, struct span to);
bool consumer_member_topics(struct group *, struct consumer_member *,
    const struct span *names, size_t count);
/* The fields of JoinGroup, or of none (NULL) for the consumer protocol. */
bool consumer_member_classic(struct group *, struct consumer_member *,
    const struct group_join *);
void consumer_member_instance(struct group *, struct consumer_member *,
    struct span instance_id);

/* consumer_topics.c: subscriptions and targets. */
bool consumer_member_regex(struct group *, struct consumer_member *,
    struct span regex);
void consumer_regexes_resolve(struct group *);
void consumer_regexes_release(struct consumer_group *);
size_t consumer_regexes_max(void);
void consumer_wanted_init(struct consumer_wanted *, const struct group *);
void consumer_wanted_release(struct consumer_wanted *);
uint64_t consumer_wanted_hash(const struct consumer_wanted *);
/* How many partitions they have: what a target may hold. */
void consumer_wanted_count(struct group *, const struct consumer_wanted *);
void consumer_retarget(struct group *, struct consumer_wanted *);
/* The ids of what the member reads, rising. */
struct uuid *consumer_reads(const struct group *,
    const struct consumer_member *, struct arena *, size_t *count);
enum assignor consumer_assignor_of(const struct group *);

/* reconcile.c */
void consumer_reconcile(const struct step *, struct consumer_member *,
    const struct parts *owned, bool changed);
void consumer_claim(struct consumer_group *, const struct parts *);
void consumer_unclaim(struct consumer_group *, const struct parts *);
/* Does one that the member waits for still belong to another? */
bool consumer_waits(const struct consumer_group *,
    const struct consumer_member *);

/* consumer_classic.c: members that speak the classic protocol. */
void consumer_join(const struct step *, const struct group_event *);
void consumer_sync(const struct step *, const struct group_event *);
void consumer_heartbeat(const struct step *, const struct group_event *);
void consumer_leave_many(const struct step *, const struct group_event *);

/* streams.c: the group runs tasks. */
void streams_begin(struct group *);              /* an empty one */
void streams_end(struct consumer_group *);
void streams_member_free(struct consumer_member *);
enum kerr streams_beat_refusal(const struct group_beat *,
    const char **message);
/* The topology that it brings becomes the group's, or is the group's. */
enum kerr streams_admit(const struct step *, const struct group_beat *,
    const char **message);
/* true: the group has to look again who does what. */
bool streams_update(struct group *, struct consumer_member *,
    const struct streams_beat *);
void streams_advance(const struct step *, struct consumer_member *,
    const struct parts *owned, bool changed);
bool streams_is_quiet(const struct group *, const struct consumer_member *,
    const struct streams_beat *);
bool streams_ready(const struct group *);
/* After a member's tasks moved: who asks, shall hear where they are. */
void streams_moved(struct group *, const struct consumer_member *);
/* Nobody is left to be shut down. */
void streams_emptied(struct group *);
void streams_settle(struct group *);             /* after a restart */
bool streams_restore(struct group *, struct span topology);
void streams_restore_member(struct group *, struct consumer_member *,
    const struct streams_member *);
void streams_check(const struct group *);

/* migrate.c */
enum kerr consumer_upgrade(const struct step *, const char **message);
bool consumer_downgradable(const struct group *,
    struct consumer_member *const *leaving, size_t count);
void consumer_downgrade(const struct step *,
    struct consumer_member *const *leaving, size_t count, bool rebalance);

#endif
