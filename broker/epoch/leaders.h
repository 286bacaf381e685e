/*
 * leaders.h: where the records of each leader epoch of a log begin (KIP-320,
 * epoch.md rule 23). A leader epoch rises when acknowledged records may have
 * been lost (a reboot under durability=process, salvage); a client that comes
 * with an older one asks where it ended, and goes back to there.
 *
 * Entries are (epoch, start), both rising. They follow from the headers of
 * batches, so a replay finds them again; LMDB has those below `written`.
 *
 * Ownership: a leaders owns its entries. Thread: the owner's; a tail has one
 * under its lock.
 */
#ifndef EPOCH_LEADERS_H
#define EPOCH_LEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct leader_start {
    int32_t epoch;
    int64_t start;
};

struct leaders {
    struct leader_start *v;
    size_t n, cap;
};

void leaders_release(struct leaders *);
/* A batch of `epoch` begins at `start`. What is not newer changes nothing. */
void leaders_note(struct leaders *, int32_t epoch, int64_t start);
/* Forgets epochs that ended at or below the log's start. */
void leaders_trim(struct leaders *, int64_t log_start);
/* Where the records of `epoch` end, by Kafka's rules, when the present epoch
 * is `now` and the log ends at `end`: *found is the newest epoch that is not
 * above the one asked for, *found_end where the next one begins. Both are -1
 * for an epoch above the present one. One from before all that is known ends
 * where the first known one begins. */
void leaders_end(const struct leaders *, int32_t epoch, int32_t now,
    int64_t end, int32_t *found, int64_t *found_end);

/* Behind the record of a log (logrec.h), of which it is a part: the entries
 * that begin below `written`, and whether the topic's folder says whose it
 * is (datadir.h). */
void leaders_pack(const struct leaders *, int64_t written, bool identity,
    struct buf *out);
/* From such a record; an empty one from one without, or that is none. */
void leaders_unpack(struct span record, struct leaders *, bool *identity);

#endif
