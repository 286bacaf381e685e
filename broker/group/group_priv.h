/*
 * group_priv.h: what the files of this room share. The essay on states and
 * invariants stands in group.c. Nobody else includes this.
 */
#ifndef GROUP_GROUP_PRIV_H
#define GROUP_GROUP_PRIV_H

#include <sys/queue.h>

#include "base/check.h"
#include "base/table.h"
#include "group/groups.h"

#define GROUP_MAGIC 0x67726f75u
#define NEVER INT64_MAX

/* A member. Its names live in one block, its protocols in another. */
struct member {
    TAILQ_ENTRY(member) link;        /* in order of joining */
    struct span id;
    struct span instance_id;         /* null: dynamic */
    struct span client_id, client_host;
    void *names;                     /* the block of the four above */
    int32_t session_timeout_ms, rebalance_timeout_ms;
    struct group_protocol *protocols;    /* the block begins here */
    size_t protocol_count;
    uint8_t *assignment;             /* NULL: empty */
    size_t assignment_len;
    size_t bytes;                    /* names, protocols and assignment */
    void *join_token, *sync_token;   /* NULL: its connection died */
    int64_t session_deadline;        /* NEVER: while it waits */
    bool awaiting_join;              /* counts as here in this rebalance */
    bool awaiting_sync;
    bool pending_sync;               /* has yet to sync this generation */
    bool is_new;                     /* joined, and had no answer yet */
};
TAILQ_HEAD(member_list, member);

/* A member id that was given out (KIP-394) and has not come back yet. */
struct pending {
    TAILQ_ENTRY(pending) link;       /* oldest first */
    int64_t deadline;
    struct span id;                  /* follows the struct */
};
TAILQ_HEAD(pending_list, pending);

/* How many members offer a protocol. */
struct support {
    uint32_t count;
    uint32_t votes;                  /* scratch of group_select() */
    struct span name;                /* follows the struct */
};

/* The committed offsets of a topic. */
struct topic_offsets {
    struct uuid id;
    struct group_offset *list;       /* by partition; metadata is owned */
    size_t count, capacity;
    struct topic_offsets *next_empty;    /* scratch of a sweep */
    struct span name;                /* follows the struct */
};

struct group {
    unsigned magic;
    struct group_env *env;
    struct span id;                  /* owned */
    enum group_state state, previous;
    int64_t state_since_ms;
    int32_t generation;
    struct span protocol_type, protocol_name;    /* owned, or null */
    struct member *leader;

    struct member_list members;
    struct table by_id, by_instance;
    size_t member_count;
    size_t awaiting_joins, pending_syncs;        /* members, counted */
    struct table support;
    size_t bytes;                    /* of all members */

    struct pending_list pending;
    struct table pending_by_id;

    int64_t join_deadline, sync_deadline;
    int32_t delay_ms, remaining_ms;  /* of an initial rebalance */
    bool new_member_added;           /* lengthens an initial rebalance */

    struct table topics;             /* struct topic_offsets by name */
    size_t offset_count;
    unsigned pins;

    /* NULL: it is classic. Else the members are there, and none here; the
     * generation is the group's epoch. */
    struct consumer_group *consumer;

    bool persisted;                  /* something of it was */
    uint64_t epoch;                  /* of its newest change */
    int64_t deadline;                /* no timer is due before */
    size_t heap_slot;                /* groups.c */
    struct group *next_dead;         /* groups.c */
};

/* What a step carries down. */
struct step {
    struct group *group;
    int64_t now;
    struct group_effects *fx;
};

/* group.c */
struct group *group_new(struct group_env *, struct span id, int64_t now);
void group_free(struct group *);
struct span span_own(struct span);               /* null stays null */
void span_disown(struct span *);
void group_move(struct group *, enum group_state, int64_t now);
void group_wake(struct group *, int64_t at);
struct member *group_member(const struct group *, struct span id);
struct member *group_static(const struct group *, struct span instance_id);
void group_add(struct group *, struct member *);
void group_remove(const struct step *, struct member *);
enum kerr group_validate(const struct group *, struct span member_id,
    struct span instance_id);
void group_session(struct group *, struct member *, int64_t until);
struct pending *group_pending(const struct group *, struct span id);
void group_pending_add(struct group *, struct span id, int64_t deadline);
void group_pending_del(struct group *, struct pending *);
void group_pending_clear(struct group *);
/* All members of the classic protocol, who wait for nothing. */
void group_members_drop(struct group *);
bool group_uses_consumer_protocol(const struct group *);

/* The protocols: what all members offer, and the vote among it. */
void group_support(struct group *, const struct member *, int by);
bool group_supports(const struct group *, struct span type,
    const struct group_protocol *, size_t count);
struct span group_select(struct group *);

/* member.c */
struct member *member_new(struct span id, const struct group_join *);
void member_free(struct member *);
/* New names (the id of a static member that was replaced). */
void member_rename(struct member *, struct span id, struct span client_id,
    struct span client_host);
void member_offer(struct member *, const struct group_join *);
bool member_matches(const struct member *, const struct group_join *);
const struct group_protocol *member_protocol(const struct member *,
    struct span name);
void member_assign(struct member *, struct span);
size_t member_join_bytes(const struct group_join *);
struct span name_cut(struct span);

/* join.c */
enum kerr group_join_refusal(const struct group_env *,
    const struct group_join *);
void group_join(const struct step *, const struct group_event *);
void group_join_error(const struct step *, void *token, enum kerr,
    struct span member_id);
/* `<client id>-<uuid>`, for static members `<instance id>-<uuid>`. */
struct span group_member_id_make(const struct step *,
    const struct group_join *);

/* rebalance.c */
void rebalance_prepare(const struct step *);
void rebalance_complete_join(const struct step *);
void rebalance_maybe_complete(const struct step *);
bool rebalance_all_joined(const struct group *);
void rebalance_expire_syncs(const struct step *);
void rebalance_join_timer(const struct step *);
void rebalance_await_join(const struct step *, struct member *, void *token);
void rebalance_await_sync(const struct step *, struct member *, void *token);
void rebalance_answer_syncs(const struct step *, enum kerr);
void rebalance_synced(struct group *, struct member *);
void rebalance_joined(const struct step *, struct member *, void *token,
    bool as_leader);
int32_t rebalance_timeout(const struct group *);

/* session.c */
void group_sync(const struct step *, const struct group_event *);
void group_heartbeat(const struct step *, const struct group_event *);
void group_leave(const struct step *, const struct group_event *);
void group_delete(const struct step *, const struct group_event *);
void group_token_gone(const struct step *, const struct group_event *);
bool group_tick(const struct step *);    /* one timer; false: none is due */

/* offsets.c */
void group_commit(const struct step *, const struct group_event *);
void group_offset_delete(const struct step *, const struct group_event *);
void group_expire(const struct step *);
void group_offsets_release(struct group *);
bool group_offset_put(struct group *, struct span topic,
    const struct uuid *topic_id, const struct group_offset *);
void group_forget_topic(struct group *, const struct uuid *topic_id);
void group_offsets_check(const struct group *);

/* subscription.c: the topics that the members read. */
struct subscription {
    struct table topics;
    bool known;                      /* else: any topic of a consumer group */
    bool consumer;
    /* of a consumer group: the topics matched by expressions */
    const struct group *group;
};
void subscription_init(struct subscription *, const struct group *);
void subscription_release(struct subscription *);
bool subscription_has(const struct subscription *, struct span topic);

/* groups.c, at boot */
struct group *groups_restored(struct groups *, struct span id, int64_t now);
void groups_moved(struct groups *, struct group *);      /* its deadline */

/* image.c */
struct group *group_from_image(struct group_env *, const struct group_image *,
    int64_t now, struct err *);

/* effects.c */
struct group_fx *fx_add(struct group_effects *, enum group_fx_kind);
/* NULL when the token is NULL: nobody waits for it any more. */
struct group_fx *fx_reply(struct group_effects *, enum group_fx_kind,
    void *token, enum kerr);
void fx_persist(struct group_effects *, struct group *);
struct span fx_copy(struct group_effects *, struct span);
/* For a LEFT, COMMITTED or OFFSETS_DELETED: all of them `error` at first. */
enum kerr *fx_each(struct group_effects *, struct group_fx *, size_t count,
    enum kerr error);

#endif
