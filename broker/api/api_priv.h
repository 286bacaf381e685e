/*
 * api_priv.h: what the handlers share. One file per family of requests; a
 * handler gets a decoded request and ends it with request_reply(), now or
 * later.
 *
 * Life of a request: made when its frame is decoded, in its session's list
 * until it is replied to. If the session ends first, `cancel` is called (if
 * the handler set it, since it waits for something) and the request is
 * freed. A reply is encoded at once and leaves when its gate is published.
 */
#ifndef API_API_PRIV_H
#define API_API_PRIV_H

#include "api/api.h"
#include "api/quota.h"
#include "api/resource.h"
#include "base/arena.h"
#include "txn/txns.h"
#include "wire/wire.h"

enum { REQUEST_MAGIC = 0x4e90e570, SESSION_MAGIC = 0x5e5510f1 };

struct gated;
struct request;
TAILQ_HEAD(request_list, request);
TAILQ_HEAD(waiting_list, request);
TAILQ_HEAD(gated_by_epoch, gated);
TAILQ_HEAD(gated_by_session, gated);
TAILQ_HEAD(muted_list, session);

struct session {
    uint32_t magic;
    struct api *api;
    struct conn *conn;
    struct request_list requests;        /* not yet replied to */
    struct gated_by_session gated;       /* replied to, waiting for publish */
    TAILQ_ENTRY(session) muted;
    int64_t muted_until;         /* not read from before; 0: it is */
};

struct request {
    uint32_t magic;
    struct api *api;
    struct session *session;
    struct slot *slot;
    struct chunk *frame;
    size_t frame_len;
    struct request_header header;
    const struct wire_api *desc;
    struct arena arena;          /* the decoded body, and the response */
    void *body, *response;
    int64_t throttle_ms;         /* quota_mutate() */
    TAILQ_ENTRY(request) next, waiting;
    void (*cancel)(struct request *);    /* the session has ended */
    void *priv;                  /* the handler's, while it waits */
    struct chunk **held;         /* kept until the answer is sent */
    size_t held_count, held_cap;
};

/* A response of the request's type with defaults, from its arena. */
void *request_response(struct request *);
/* Encodes and sends once `gate` is published (0: at once). The request is
 * freed. */
void request_reply(struct request *, uint64_t gate, const void *response);
/* Ends without an answer: Produce with acks=0. */
void request_done(struct request *);
/* The body was malformed beyond an answer: closes the connection. */
void request_close(struct request *, const char *why);
/* Was not begun, for want of room: the frame is given again later. */
void request_starve(struct request *);
/* Keeps a chunk until the answer is sent; takes the reference. */
void request_hold(struct request *, struct chunk *);

/* In the request's arena; NULL/false only when it is at its limit, which
 * closes the connection. */
void *request_alloc(struct request *, size_t count, size_t size);
struct span request_text(struct request *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

typedef void request_fn(struct request *);

/* The handlers: dispatch.c has the table. */
request_fn handle_produce, handle_fetch, handle_list_offsets,
    handle_metadata, handle_offset_commit, handle_offset_fetch,
    handle_find_coordinator, handle_join_group, handle_heartbeat,
    handle_leave_group, handle_sync_group, handle_describe_groups,
    handle_list_groups, handle_api_versions, handle_create_topics,
    handle_delete_topics, handle_delete_records, handle_init_producer_id,
    handle_offset_for_leader_epoch, handle_describe_configs,
    handle_create_partitions, handle_delete_groups, handle_describe_cluster,
    handle_alter_configs, handle_incremental_alter_configs,
    handle_add_partitions_to_txn, handle_add_offsets_to_txn,
    handle_txn_offset_commit, handle_end_txn, handle_write_txn_markers,
    handle_describe_producers, handle_describe_transactions,
    handle_list_transactions,
    handle_offset_delete, handle_describe_topic_partitions,
    handle_elect_leaders, handle_alter_reassignments,
    handle_list_reassignments, handle_describe_log_dirs,
    handle_list_config_resources, handle_describe_client_quotas,
    handle_alter_client_quotas, handle_consumer_group_heartbeat,
    handle_consumer_group_describe, handle_streams_group_heartbeat,
    handle_streams_group_describe;

/* ---- what else they share ---- */

struct gated {                   /* a reply on hold */
    TAILQ_ENTRY(gated) by_session, by_epoch;
    struct slot *slot;
    struct session *session;
    uint64_t gate;
};

struct api {
    struct seq *seq;
    struct net *net;
    struct api_options opts;
    struct topics topics;
    struct groups groups;
    struct resources resources;
    struct quotas quotas;
    struct txns txns;
    struct group_effects group_fx;       /* reused */
    struct txn_effects txn_fx;           /* reused */
    int64_t next_producer_id;            /* handed out below; in memory */
    int64_t producer_ids_end;            /* reserved durably up to here */
    struct gated_by_epoch gated;         /* in the order of epochs */
    struct muted_list muted;             /* sessions, by muted_until */
    struct waiting_list fetches;         /* waiting, by deadline */
    struct waiting_list woken;           /* waiting ones to look at again */
    struct wire_out out;                 /* reused */
    int64_t last_second_ms;
    int64_t wall_offset_ms, steady_ms;   /* api_retain() */
    struct api_counter counters[128];
    struct {                             /* groups.c */
        size_t record_most;              /* bytes: no group's is larger */
        size_t sweep;                    /* how far retention has come */
        int64_t sweep_ms;                /* when it goes on */
        struct buf orphans;              /* keys of offsets without topic */
    } group_care;
    struct {                             /* admin.c: room_take() */
        uint64_t epoch;
        size_t system;                   /* bytes, in that epoch */
        uint64_t looks;          /* seq_room_looks() at the last api_let_in() */
    } room;
};

/* Appliance clock and the monotonic one for waiting, in milliseconds. */
#define api_clock(a) seq_clock_ms((a)->seq)
#define api_now(a) (world_mono_ns(seq_world((a)->seq)) / 1000000)

/* The topic that a request names by id (if not zero) or by name. */
struct topic *api_topic(struct api *, struct span name, const struct uuid *,
    enum kerr *);
/* Makes a topic that is asked for and missing, as the options say. */
struct topic *api_auto_create(struct api *, struct span name, enum kerr *);
/* Links metadata records as one effect; keys and values are copied. */
struct record_put {
    struct span key;             /* with the kind byte */
    struct span value;           /* SPAN_NULL: delete */
};
void api_put_records(struct api *, const struct record_put *, size_t n);

/* Room for effects of up to `bytes` that are about to be linked. Taken before
 * anything changes, since what was linked can not be taken back; given when
 * all is linked (what links meanwhile counts for itself). `system`: of what
 * the sequencer keeps for timers and deletions, if it is little. false: not
 * now; the request is starved. */
struct room {
    size_t bytes, system;
};
bool room_take(struct api *, size_t bytes, bool system, struct room *);
void room_give(struct api *, struct room *);
enum { ROOM_SYSTEM_MAX = 64 * 1024 };    /* bytes, in one epoch */

/* groups.c: the step of a request, which links at most `bytes`; and the
 * refusal of one that needs no step. Both may free the request. */
void group_request(struct request *, const struct group_event *,
    size_t bytes);
void group_refuse(struct request *, enum group_fx_kind, enum kerr);
/* groups.c: offsets of a transaction: judged when they come (the answer is
 * in api->group_fx), committed when it ends. */
void groups_judge_pending(struct api *, const struct group_event *);
void groups_commit_pending(struct api *, struct span group,
    const struct group_commit_item *, size_t n);
/* The client as DescribeGroups shows it. */
struct span request_client_id(const struct request *);
struct span request_client_host(struct request *);
/* consumer_groups.c */
void consumer_group_beaten(struct request *, const struct group_fx *,
    uint64_t gate);
void consumer_groups_init(struct api *);         /* before groups are loaded */
/* streams_groups.c */
void streams_group_beaten(struct request *, const struct group_fx *,
    uint64_t gate);
/* admin.c: makes a topic as CreateTopics would; `err` has a sentence if it
 * does not. Takes its own room. */
struct create_topics_request_topic;
enum kerr api_create_topic(struct request *,
    const struct create_topics_request_topic *, struct err *);
enum { GROUP_OFFSET_COST = 160 };        /* bytes, beside names and metadata */
/* offsets.c */
void offsets_deleted(struct request *, const struct group_fx *,
    uint64_t gate);
void offsets_committed(struct request *, const struct group_fx *);

/* What one may do where nobody is refused anything, as the bits of KIP-430:
 * the operations that Kafka knows for such a resource. */
enum {
    AUTHORIZED_TOPIC = 0xdf8,    /* read to describe, the configs */
    AUTHORIZED_CLUSTER = 0x1fa0, /* create, alter, describe, the rest */
};

/* For a sentence with a name that a client sent: %.*s. */
enum { NAME_SHOWN = 249 };       /* bytes of it */
#define NAME_ARGS(s)                                                           \
    (int)((s).len < NAME_SHOWN ? (s).len : NAME_SHOWN),                        \
        (s).ptr == NULL ? "" : (const char *)(s).ptr

/* admin.c: bytes of a topic's record, at most. */
size_t topic_record_cost(const struct topic *);

/* Texts of records end at a NUL. */
static inline bool
span_has_nul(struct span s)
{
    return s.len > 0 && memchr(s.ptr, '\0', s.len) != NULL;
}

/* A count that came over the wire, where null is none. */
static inline size_t
wire_count(int32_t n)
{
    return n > 0 ? (size_t)n : 0;
}

/* quotas.c: the answer of `bytes` is made: the milliseconds for which its
 * sender has to wait. */
int64_t quota_answered(struct request *, size_t bytes);
/* The same for a connection that begins. */
int64_t quota_connected(struct api *, const struct conn *);
/* Bytes of an answer to a fetch, at most. */
size_t quota_fetch_max(const struct request *);
/* `partitions` are about to be made or deleted. false: not now, say
 * THROTTLING_QUOTA_EXCEEDED. */
bool quota_mutate(struct request *, int32_t partitions);
int api_load_quotas(struct api *, struct err *);

/* dispatch.c calls these */
void fetch_recheck(struct api *);        /* after a publish */
int64_t fetch_tick(struct api *, int64_t now_ms);        /* ms until due */
int api_load_groups(struct api *, struct err *);         /* groups.c */
int64_t groups_due(struct api *);        /* fires timers; ms until due */
int api_load_producer_ids(struct api *, struct err *);   /* producer.c */
void txn_start(struct api *);            /* txn_link.c */
int64_t txn_tick(struct api *);          /* ms until due */

#endif
