/*
 * membership.h: a client's place in a consumer group, by the classic protocol
 * (KIP-62, KIP-394), for one topic, with the range assignor.
 *
 *     membership_join()            until it has partitions and positions
 *     while (...) {
 *         membership_keep()        heartbeat; joins again where that is due
 *         reader_poll(), reader_next() ...
 *         membership_commit()      what was given out is done
 *     }
 *     membership_leave()
 *
 *  1. The member sets the partitions of the reader: those that it was given,
 *     at what the group committed, else at what `where` says.
 *  2. It commits before it gives partitions away.
 *
 * Ownership: client, topic and reader must outlive it. Thread: the client's.
 */
#ifndef CLIENT_MEMBERSHIP_H
#define CLIENT_MEMBERSHIP_H

#include "client/client.h"
#include "client/reader.h"

struct membership;

/* Where a partition begins for which the group has committed nothing. */
typedef int (*membership_where_fn)(void *arg, int32_t partition,
    int64_t *offset, struct err *);

struct membership *membership_new(struct client *, const char *group,
    const struct client_topic *, struct reader *, membership_where_fn,
    void *arg);
void membership_free(struct membership *);
int membership_join(struct membership *, struct err *);
/* To be called at least every few seconds. *moved: it was in a rebalance, the
 * reader has other partitions now. */
int membership_keep(struct membership *, bool *moved, struct err *);
int membership_commit(struct membership *, struct err *);
/* Commits and leaves. */
int membership_leave(struct membership *, struct err *);

/* Of `partitions`, those that the member at `at` of `members` gets, members
 * in the order of their ids: from *first, *count of them. */
void membership_range(int32_t partitions, int32_t members, int32_t at,
    int32_t *first, int32_t *count);

#endif
