/*
 * memory.h: a port in memory, for tests: logs and stores with an open epoch
 * that commits when it is told to, and a crash that forgets the rest.
 *
 * Ownership: the port owns all; what readers get is valid until the record
 * is lost in a crash or the port is freed. Thread: one.
 */
#ifndef PORT_MEMORY_H
#define PORT_MEMORY_H

#include "port/port.h"

struct memory_opts {
    int32_t partitions;          /* of new topics; 0: 1 */
    uint64_t seed;               /* of world_random() and of `again` */
    int64_t clock_ms;
    unsigned again_percent;      /* of begin_run() calls say PORT_AGAIN */
    bool real_time;              /* mono_ns runs; else it stands still */
    bool delay;                  /* runs wait for memory_link() */
};

struct memory_record {
    struct port_record r;
    uint64_t serial;             /* in the order of appending, from 1 */
    int32_t partition;
};

struct port *memory_new(const struct memory_opts *);
void memory_free(struct port *);                 /* NULL is fine */

void memory_set_format(struct port *, const char *topic, int format);
/* A client's record; into the open epoch. */
void memory_append(struct port *, const struct port_topic *, int32_t partition,
    int64_t timestamp, struct span key, struct span value,
    const struct port_header *, unsigned header_count);

/* What runs have emitted comes into its logs, if `delay` holds it back. */
void memory_link(struct port *);
/* All that was done until now is durable and published. */
void memory_commit(struct port *);
/* Anything since the last commit? */
bool memory_dirty(struct port *);
/* Forgets all since the last commit. No task may be open. */
void memory_crash(struct port *);
void memory_advance(struct port *, int64_t ms);

/* An existing topic or NULL. */
const struct port_topic *memory_topic(struct port *, const char *name);
/* Published record, or the open ones too; NULL past the end. */
const struct memory_record *memory_record(const struct port_topic *,
    int32_t partition, int64_t offset, bool open);

/* Published value of a key in whichever task's store of that name holds it;
 * null: none. SPAN_NULL and *known = false: no such store. */
struct span memory_view(struct port *, const char *store, struct span key,
    bool *known);
/* Published entries of a store over all tasks. */
size_t memory_view_size(struct port *, const char *store);
/* A hash of all that is published, independent of the order of tasks. */
uint64_t memory_digest(struct port *);

#endif
