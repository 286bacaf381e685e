/*
 * blob.h: what consumers tell each other through JoinGroup and SyncGroup of
 * the classic protocol (ConsumerProtocolSubscription and -Assignment of
 * Kafka's clients, versions 0 to 3). The classic coordinator carries these
 * bytes without looking; a group that changes its type must read and write
 * them.
 *
 *     subscription   version i16, topics [string], user data bytes,
 *                    v1: owned [topic string, partitions [i32]],
 *                    v2: generation i32, v3: rack nullable string
 *     assignment     version i16, [topic string, partitions [i32]],
 *                    user data bytes
 *
 * A later version begins as version 3 does. The bytes come from outside: all
 * is checked. Ownership: names borrow from the blob. Thread: any.
 */
#ifndef GROUP_BLOB_H
#define GROUP_BLOB_H

#include "base/buf.h"
#include "group/consumer.h"
#include "group/parts.h"

struct blob_subscription {
    int16_t version;
    struct span *topics;                 /* in the arena */
    size_t topic_count;
    struct span rack;                    /* null: none */
    struct parts owned;                  /* of topics that are there */
};

/* false: malformed, or too large for the arena. Release `owned` in any
 * case. */
bool blob_read_subscription(struct span, const struct group_topics *,
    struct arena *, struct blob_subscription *);
/* Partitions of topics that are not there are left out. *custom: it carries
 * data of an assignor of its own. */
bool blob_read_assignment(struct span, const struct group_topics *,
    struct parts *, bool *custom);
/* In the version of the member's own subscription. */
void blob_write_assignment(struct buf *, const struct parts *,
    const struct group_topics *, struct span subscription);

#endif
