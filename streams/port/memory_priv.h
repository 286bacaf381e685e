/*
 * memory_priv.h: between memory.c and memory_view.c.
 */
#ifndef PORT_MEMORY_PRIV_H
#define PORT_MEMORY_PRIV_H

#include "port/memory.h"

#include "base/check.h"
#include "base/omap.h"
#include "base/table.h"

struct mlog {
    struct memory_record **records;
    size_t count, room, committed;
};

struct mtopic {
    char *name;
    struct port_topic pub;
    enum port_kind kind;
    struct mlog *logs;                   /* one for each partition */
    struct mtopic *next;
};

struct mentry {
    struct span key, newest, old;        /* values malloc'ed */
    bool dirty;
    struct mstore *store;
    struct mentry *next_dirty;
};

struct mstore {
    char *name;
    struct mtask *task;
    struct omap entries;
    struct mstore *next;                 /* of the port */
};

/* A record that a run has handed over, not yet in its log. */
struct mflight {
    struct mtopic *topic;
    struct memory_record *record;
    struct mtask *task;
    uint64_t run;
    struct mflight *next;
};

struct mstate {                          /* what commits with a task */
    int64_t offsets[PORT_INPUTS_MAX];
    uint64_t run;
    uint8_t blob[PORT_BLOB_MAX];
    size_t blob_len;
};

struct mtask {
    struct port_task pub;                /* first: ops get a pointer to it */
    char *id;                            /* "app/name" */
    char *failed;
    uint64_t fingerprint;
    struct mstate newest, old;
    bool is_open, in_run;
    size_t room;                         /* left of the reservation */
    uint64_t linked;                     /* run whose records are in logs */
    unsigned input_count;
    struct port_input inputs[PORT_INPUTS_MAX];
    struct mstore **stores;
    unsigned store_count;
    struct mtask *next;
};

struct mport {
    struct port pub;                     /* first */
    struct world world;
    struct memory_opts opts;
    uint64_t rng;
    int64_t clock_ms;
    uint64_t serial;
    bool dirty;
    struct mtopic *topics;
    struct table topics_by_name;
    struct mtask *tasks;
    struct mstore *stores;
    struct mentry *dirty_entries;
    struct mflight *flying, **flying_last;       /* oldest first */
};

static inline struct mport *
mport_of(struct port *p)
{
    return container_of(p, struct mport, pub);
}

static inline struct mtask *
mtask_of(struct port_task *t)
{
    return container_of(t, struct mtask, pub);
}

struct mlog *memory_log(const struct port_topic *, int32_t partition);

#endif
