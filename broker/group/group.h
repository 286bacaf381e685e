/*
 * group.h: one group of consumers as a pure state machine: an event and the
 * time go in, effects come out. No I/O, no thread, no clock. A group is
 * classic (JoinGroup, SyncGroup, Heartbeat, LeaveGroup; KIP-62, 134, 345,
 * 394, 559, 814) or a consumer group (KIP-848, consumer.h), and may become
 * the other. Behaves as the coordinator of Kafka 4.2; README.md lists where
 * it differs and why.
 *
 * Callers go through the registry (groups.h), which finds or makes the group
 * of an event. This header has the vocabulary: events, effects, images, and
 * reads of one group.
 *
 * Ownership: spans of an event are the caller's and are copied where they
 * are kept. What effects and images point to belongs to the group or to the
 * effects: it holds until the next step or tick of the same registry.
 * Thread: the loop's, all of it. Times: milliseconds of the appliance clock.
 */
#ifndef GROUP_GROUP_H
#define GROUP_GROUP_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "base/world.h"
#include "group/consumer.h"
#include "record/kerr.h"

/* Bounds of this room, beside GROUP_MEMBERS_MAX and GROUPS_MAX. */
#define GROUP_NAME_MAX 255           /* ids, protocols; client ids are cut */
#define GROUP_MEMBER_METADATA_MAX (64 * KIB)     /* all protocols of a member */
#define GROUP_PROTOCOLS_MAX 64       /* count, of one member */
#define GROUP_BYTES_MAX (4 * MIB)    /* all members with their assignments */
#define GROUP_COMMIT_MAX 20000       /* count, partitions of one commit */

_Static_assert(GROUP_BYTES_MAX <= EPOCH_BYTES_MAX / 4, "an image fits");

#define GROUP_STATES(X)                                                        \
    X(EMPTY, "Empty")                                                          \
    X(PREPARING, "PreparingRebalance")                                         \
    X(COMPLETING, "CompletingRebalance")                                       \
    X(STABLE, "Stable")                                                        \
    X(DEAD, "Dead")                                                            \
    /* of consumer groups, beside EMPTY, STABLE and DEAD */                    \
    X(ASSIGNING, "Assigning")                                                  \
    X(RECONCILING, "Reconciling")                                              \
    /* of streams groups, beside these */                                      \
    X(NOT_READY, "NotReady")

enum group_state {
#define X(name, text) GROUP_##name,
    GROUP_STATES(X)
#undef X
};

enum group_type { GROUP_CLASSIC, GROUP_CONSUMER, GROUP_STREAMS };

/* Times in milliseconds. Defaults (group_config_init) are Kafka's, but for
 * the initial delay, which is 0. */
struct group_config {
    int32_t session_timeout_min_ms;      /* group.min.session.timeout.ms */
    int32_t session_timeout_max_ms;      /* group.max.session.timeout.ms */
    int32_t initial_delay_ms;            /* group.initial.rebalance.delay.ms */
    int32_t new_member_timeout_ms;       /* a first join waits at most this */
    uint32_t members_max;                /* group.max.size */
    uint32_t groups_max;                 /* count, of the registry */
    uint32_t offset_metadata_max;        /* offset.metadata.max.bytes */
    uint64_t member_metadata_max;        /* bytes */
    uint64_t group_bytes_max;            /* bytes */
    uint64_t offset_bytes_max;           /* bytes, offsets of all groups */
    int64_t offset_retention_ms;         /* offsets.retention.minutes */
    int32_t consumer_session_ms;         /* group.consumer.session.timeout.ms */
    int32_t consumer_heartbeat_ms;       /* ...heartbeat.interval.ms */
    uint32_t consumer_members_max;       /* group.consumer.max.size */
    int32_t streams_session_ms;          /* group.streams.session.timeout.ms */
    int32_t streams_heartbeat_ms;        /* ...heartbeat.interval.ms */
};

/* What a group may set for itself (the configs of resource type GROUP).
 * Milliseconds; 0: as the broker has it. */
struct group_tuning {
    int32_t consumer_session_ms;         /* consumer.session.timeout.ms */
    int32_t consumer_heartbeat_ms;       /* consumer.heartbeat.interval.ms */
    int32_t streams_session_ms;          /* streams.session.timeout.ms */
    int32_t streams_heartbeat_ms;        /* streams.heartbeat.interval.ms */
};

typedef void group_tuning_fn(void *arg, struct span group_id,
    struct group_tuning *out);           /* `out` comes zeroed */

void group_config_init(struct group_config *);

/* A name and opaque bytes: what a member offers in JoinGroup. */
struct group_protocol {
    struct span name;
    struct span metadata;
};

/* ---- events ---- */

enum group_event_kind {
    GROUP_EV_JOIN,           /* -> GROUP_FX_JOINED, perhaps much later */
    GROUP_EV_SYNC,           /* -> GROUP_FX_SYNCED, perhaps later */
    GROUP_EV_HEARTBEAT,      /* -> GROUP_FX_HEARTBEAT at once */
    GROUP_EV_LEAVE,          /* -> GROUP_FX_LEFT at once */
    GROUP_EV_COMMIT,         /* -> GROUP_FX_COMMITTED at once */
    GROUP_EV_OFFSET_DELETE,  /* -> GROUP_FX_OFFSETS_DELETED at once */
    GROUP_EV_DELETE,         /* -> GROUP_FX_DELETED at once */
    GROUP_EV_EXPIRE,         /* offsets retention; no token, no reply */
    GROUP_EV_TOKEN_GONE,     /* its connection died; no reply, ever */
    GROUP_EV_BEAT,           /* ConsumerGroupHeartbeat -> GROUP_FX_BEATEN */
};

struct group_join {
    struct span member_id;           /* empty or null: a new member */
    struct span instance_id;         /* null: a dynamic member */
    struct span client_id, client_host;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;    /* below 0: as the session's (v0) */
    struct span protocol_type;
    const struct group_protocol *protocols;
    size_t protocol_count;
    bool member_id_required;         /* JoinGroup v4 and later, KIP-394 */
    bool skip_assignment;            /* JoinGroup v9 and later, KIP-814 */
};

struct group_assignment {
    struct span member_id;
    struct span bytes;
};

struct group_sync {
    struct span member_id;
    struct span instance_id;         /* null: dynamic */
    int32_t generation;
    struct span protocol_type, protocol_name;    /* null before v5 */
    const struct group_assignment *assignments;
    size_t assignment_count;
};

struct group_heartbeat {
    struct span member_id, instance_id;
    int32_t generation;
};

struct group_leaver {
    struct span member_id;           /* empty: by instance_id alone */
    struct span instance_id;
};

struct group_leave {
    const struct group_leaver *leavers;
    size_t count;
    bool single;     /* LeaveGroup before v3: one leaver, its error on top */
};

/* One partition of a commit. The caller resolves topics; what it refused
 * already carries its error, which goes through to the reply. */
struct group_commit_item {
    struct span topic;
    struct uuid topic_id;
    int32_t partition;
    int64_t offset;
    int32_t leader_epoch;            /* -1: none */
    struct span metadata;            /* null is stored as empty */
    enum kerr error;                 /* KERR_NONE: to be committed */
};

struct group_commit {
    struct span member_id;           /* empty: none */
    struct span instance_id;         /* null: none */
    int32_t generation;              /* -1: a simple consumer or an admin */
    int64_t retention_ms;            /* v2 to v4, else -1 */
    bool group_id_errors;            /* v9 and later: GROUP_ID_NOT_FOUND */
    /* TxnOffsetCommit: validates by its rules and stores nothing. The txn
     * room keeps the items pending and, at the commit of the transaction,
     * sends them again with `applied`. */
    bool transactional;
    bool applied;                    /* no validation: decided elsewhere */
    const struct group_commit_item *items;
    size_t count;                    /* up to GROUP_COMMIT_MAX */
};

struct group_offset_key {
    struct span topic;
    int32_t partition;
    enum kerr error;                 /* as in group_commit_item */
};

struct group_offset_delete {
    const struct group_offset_key *keys;
    size_t count;
};

struct group_event {
    enum group_event_kind kind;
    struct span group_id;
    void *token;     /* the request, opaque, not NULL where a reply is due;
                        unique among those that wait */
    union {
        struct group_join join;
        struct group_sync sync;
        struct group_heartbeat heartbeat;
        struct group_leave leave;
        struct group_commit commit;
        struct group_offset_delete offset_delete;
        struct group_beat beat;
    };
};

/* ---- offsets ---- */

struct group_offset {
    int32_t partition;
    int32_t leader_epoch;            /* -1: none */
    int64_t offset;
    int64_t commit_ms;
    int64_t expire_ms;               /* -1: by the retention */
    struct span metadata;            /* never null */
};

/* ---- effects ---- */

enum group_fx_kind {
    /* changes, to be linked into the open epoch, in the order given */
    GROUP_FX_PERSIST,        /* `group` as it is now, by its type: group_image()
                                or consumer_image() */
    GROUP_FX_PERSIST_MEMBER, /* consumer_member_image() of `member` */
    GROUP_FX_DELETE_MEMBER,  /* the record of `member_id`, of this group */
    GROUP_FX_DELETE,         /* the group with all its offsets */
    GROUP_FX_PUT_OFFSET,
    GROUP_FX_DELETE_OFFSET,
    /* replies, to be gated by groups_gate() after the changes are linked */
    GROUP_FX_JOINED,
    GROUP_FX_SYNCED,
    GROUP_FX_HEARTBEAT,
    GROUP_FX_LEFT,
    GROUP_FX_COMMITTED,
    GROUP_FX_OFFSETS_DELETED,
    GROUP_FX_DELETED,
    GROUP_FX_BEATEN,
};

struct group_joined_member {
    struct span member_id, instance_id, metadata;
};

struct group_joined {
    int32_t generation;              /* -1 with an error */
    struct span protocol_type;       /* null with an error */
    struct span protocol_name;       /* null with an error: v0-6 send "" */
    struct span leader;              /* empty with an error */
    struct span member_id;
    bool skip_assignment;
    const struct group_joined_member *members;   /* for the leader only */
    size_t member_count;
};

struct group_synced {
    struct span protocol_type, protocol_name;    /* null with an error */
    struct span assignment;          /* never null */
};

struct group_fx {
    enum group_fx_kind kind;
    void *token;                     /* of a reply */
    enum kerr error;                 /* of a reply, for the request whole */
    union {
        struct group_joined joined;
        struct group_synced synced;
        struct group_beaten beaten;
        const struct consumer_member *member;    /* PERSIST_MEMBER */
        struct span member_id;                   /* DELETE_MEMBER */
        /* LEFT, COMMITTED and OFFSETS_DELETED: one error for each leaver,
         * item or key of the event, in its order. NULL where `error` is set
         * and for a single leaver. */
        struct {
            const enum kerr *errors;
            size_t count;
        } each;
        /* PUT_OFFSET and DELETE_OFFSET. What a PUT points to is the event's. */
        struct {
            struct span topic;
            struct uuid topic_id;
            struct group_offset offset;  /* DELETE: its partition alone */
        } change;
    };
};

struct group;

struct group_effects {
    struct group *group;     /* whose; NULL when there is none of that id */
    struct group_fx *list;
    size_t count;
    size_t capacity;         /* private */
    struct arena arena;      /* private: what the replies point to */
};

void group_effects_init(struct group_effects *);
void group_effects_release(struct group_effects *);
void group_effects_clear(struct group_effects *);    /* memory is kept */

/* ---- images: what is persisted, and what DescribeGroups shows ---- */

struct group_image_member {
    struct span member_id;
    struct span instance_id;         /* null: dynamic */
    struct span client_id, client_host;
    int32_t session_timeout_ms, rebalance_timeout_ms;
    const struct group_protocol *protocols;      /* by preference */
    size_t protocol_count;
    struct span assignment;          /* empty while there is none */
};

struct group_image {
    struct span group_id;
    enum group_state state;
    int32_t generation;
    int64_t state_since_ms;          /* for the retention of offsets */
    struct span protocol_type;       /* null: none yet (a simple consumer) */
    struct span protocol_name;       /* null: none chosen */
    struct span leader_id;           /* null: no members */
    const struct group_image_member *members;    /* in order of joining */
    size_t member_count;
};

/* The absolute after-image of a classic group. The arrays come from the
 * arena, the spans point into the group. Returns 0, or -1 when the arena is at
 * its limit; it takes at most group_image_size() bytes of it. */
int group_image(const struct group *, struct arena *, struct group_image *);
size_t group_image_size(const struct group *);
/* Metadata of the member for the group's chosen protocol, else empty:
 * DescribeGroups shows it, in state Stable only. */
struct span group_image_metadata(const struct group_image *,
    const struct group_image_member *);

/* ---- reads ---- */

const char *group_state_name(enum group_state);      /* Kafka's spelling */
struct span group_id(const struct group *);
enum group_state group_state(const struct group *);
int32_t group_generation(const struct group *);
enum group_type group_type(const struct group *);
const char *group_type_name(enum group_type);    /* "classic"... */
struct span group_protocol_type(const struct group *);   /* null: none */
size_t group_member_count(const struct group *);
/* The filters of ListGroups, regardless of case and outer blanks; an empty
 * list lets all pass. */
bool group_listed(const struct group *, const struct span *states,
    size_t state_count, const struct span *types, size_t type_count);

/* May who asks so fetch offsets (OffsetFetch v9 and later)? member_id null and
 * epoch below 0: an admin, or an older client. */
enum kerr group_fetch_refusal(const struct group *, struct span member_id,
    int32_t epoch);
/* Bytes that the records of a consumer group take at most after one more
 * step, beside what the request brings; 0 for a classic one. */
size_t group_record_bytes(const struct group *);

/* The committed offset, NULL: none. A topic_id of another incarnation of the
 * topic finds nothing; topic_id NULL: by name alone. */
const struct group_offset *group_offset(const struct group *,
    struct span topic, const struct uuid *topic_id, int32_t partition);

struct group_offsets_iter {              /* zeroed: from the start */
    size_t topic;                        /* private */
    size_t slot;                         /* private */
    const void *at;                      /* private */
    struct span topic_name;              /* of the entry just returned */
    struct uuid topic_id;
};

/* All committed offsets, by topic in no order, then by partition; NULL at
 * the end. The group must not change meanwhile. */
const struct group_offset *group_offsets_next(const struct group *,
    struct group_offsets_iter *);

/* The epoch that holds the newest change of the group: groups_mark(). */
uint64_t group_epoch(const struct group *);

/* When the group wants a tick at the earliest; INT64_MAX: never. */
int64_t group_deadline(const struct group *);

void group_check(const struct group *);          /* asserts the invariants */

#endif
