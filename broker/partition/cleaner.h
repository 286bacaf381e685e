/*
 * cleaner.h: compaction of topics with cleanup.policy=compact: one log at a
 * time, the dirtiest first, on a thread of its own. What a pass does is
 * plog/clean.c's; here is when, and how it becomes a fact of the journal.
 *
 * Thread: the loop, except what the thread itself runs. Ownership: the
 * cleaner belongs to who started it until cleaner_stop().
 */
#ifndef PARTITION_CLEANER_H
#define PARTITION_CLEANER_H

#include <stdatomic.h>

#include "partition/topic.h"

struct cleaner;

/* For /metrics. */
#define CLEANER_COUNTERS(X)                                                    \
    X(passes, "passes of the log cleaner")                                     \
    X(failed, "passes that did not come to their end")                         \
    X(read_bytes, "bytes of batches that passes have read")                    \
    X(written_bytes, "bytes of batches that passes have kept")                 \
    X(read_records, "records that passes have judged")                         \
    X(kept_records, "records that passes have kept")                           \
    X(pass_ns, "nanoseconds spent in passes")

struct cleaner_counters {
#define X(name, help) uint64_t name;
    CLEANER_COUNTERS(X)
#undef X
    uint64_t last_pass_ns;       /* how long the last one took */
    double dirty_ratio_max;      /* of all compacted logs, a second ago */
    uint64_t damaged;            /* logs that can't be compacted */
};

/* Starts the thread, after topics_started(); topics_retain() drives it.
 * map_bytes: memory of a pass, 0: the default. */
struct cleaner *cleaner_start(struct topics *, size_t map_bytes);
/* Ends a pass under way and the thread, before seq_stop(). NULL allowed. */
void cleaner_stop(struct cleaner *);
/* Looks for the dirtiest log; topics_retain() calls it. */
void cleaner_turn(struct cleaner *, int64_t now_ms);
const struct cleaner_counters *cleaner_counters(const struct cleaner *);

bool topic_is_compacted(const struct topic *);

#endif
