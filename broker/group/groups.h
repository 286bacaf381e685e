/*
 * groups.h: all consumer groups of the broker, by id, with their deadlines
 * in a heap: ten thousand idle groups cost nothing. This is the door to the
 * room: the caller turns requests into events and effects into journal
 * operations and answers.
 *
 *     group_effects_clear(&fx);
 *     groups_step(&gs, &event, now, &fx);      or groups_tick(&gs, now, &fx)
 *     for each change in fx:  link it into the open epoch
 *     if there was one:       groups_mark(&gs, fx.group, open epoch)
 *     for each reply in fx:   send it when groups_gate(&gs, fx.group) is
 *                             published
 *
 * A group that a step deletes stays readable until the next step or tick.
 * Ownership: the registry owns its groups. Thread: the loop's.
 */
#ifndef GROUP_GROUPS_H
#define GROUP_GROUPS_H

#include "base/err.h"
#include "base/table.h"
#include "group/group.h"

/* What all groups share. */
struct group_env {
    struct group_config config;
    struct world *world;             /* for member ids */
    struct group_topics topics;
    group_tuning_fn *tuning;         /* NULL: no group sets anything */
    void *tuning_arg;
    uint64_t offset_bytes;           /* of all groups */
};

/* Fields are private. */
struct groups {
    struct group_env env;
    struct table by_id;
    struct group **heap;             /* by deadline, earliest first */
    size_t heap_capacity;
    struct group *dead;              /* freed at the next step */
    uint64_t delete_epoch;           /* of the newest deletion of a group */
};

void groups_init(struct groups *, struct world *,
    const struct group_config *);
/* Waiting tokens get no reply. */
void groups_release(struct groups *);

/* The topics there are: borrowed. Without it, there are none. */
void groups_set_topics(struct groups *, const struct group_topics *);
/* Who knows what groups set for themselves. Asked with each heartbeat; times
 * that run keep their end. */
void groups_set_tuning(struct groups *, group_tuning_fn *, void *arg);

/* One event. `fx` must be empty. Replies that are due come at once, those of
 * others who waited with them. */
void groups_step(struct groups *, const struct group_event *, int64_t now,
    struct group_effects *fx);

/* The earliest moment at which a tick may have work; INT64_MAX: never. */
int64_t groups_deadline(const struct groups *);
/* Fires one timer that is due (a session, a rebalance); `fx` must be empty.
 * false: none was due, nothing was done. Call it until then, and apply the
 * effects each time. With initial_delay_ms 0 a first join ends at a tick of
 * the same `now`. */
bool groups_tick(struct groups *, int64_t now, struct group_effects *fx);

struct group *groups_get(const struct groups *, struct span id); /* or NULL */
size_t groups_count(const struct groups *);
/* Walks in no order, begin with 0; NULL at the end. */
struct group *groups_next(const struct groups *, size_t *iter);

/* A heartbeat that will change nothing that is persisted: it needs no room. */
bool groups_beat_is_quiet(const struct groups *, struct span group_id,
    const struct group_beat *);

/* The change of `group` (may be deleted by it) was linked into `epoch`. */
void groups_mark(struct groups *, struct group *, uint64_t epoch);
/* The epoch that must be published before anything leaves that has seen the
 * group (NULL: that has seen there is none). For reads, too. */
uint64_t groups_gate(const struct groups *, const struct group *);

/* An open transaction holds offsets for the group: from its first
 * TxnOffsetCommit that was let through until its end, and again at boot.
 * While pinned, a group is not deleted, nor do its offsets expire. A group
 * that is not there is made. Counted: one unpin for each pin. */
void groups_pin(struct groups *, struct span id, int64_t now);
void groups_unpin(struct groups *, struct span id, int64_t now);

/* At boot, before any step. Members of the image are valid members again:
 * sessions and rebalances get their time anew, in full. The image is stored
 * data: 0, or -1 when it contradicts itself. It must not stand there yet. */
int groups_restore(struct groups *, const struct group_image *, int64_t now,
    struct err *);
/* The same for a consumer group: the group, then each of its members. */
int groups_restore_consumer(struct groups *, const struct consumer_image *,
    int64_t now, struct err *);
int groups_restore_consumer_member(struct groups *, struct span group_id,
    const struct consumer_member_image *, int64_t now, struct err *);
/* After all of them: groups whose topics are as they were when they were
 * persisted are looked at no more. */
void groups_restored_consumers(struct groups *);
/* Before or after the group's own image; without one it is that of a simple
 * consumer. */
int groups_restore_offset(struct groups *, struct span group_id,
    struct span topic, const struct uuid *topic_id,
    const struct group_offset *, int64_t now, struct err *);

/* The topic was deleted: its offsets go, in all groups. Gives no effects: in
 * the journal the deletion of the topic stands for them. */
void groups_forget_topic(struct groups *, const struct uuid *topic_id);

void groups_check(const struct groups *);        /* asserts the invariants */

#endif
