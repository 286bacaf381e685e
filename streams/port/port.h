/*
 * port.h: the only door to the log. The engine knows nothing else, so that
 * the same topology runs on the appliance's own log (local.c), in memory
 * under a test (memory.c), and later on a cluster.
 *
 * What a port promises:
 *  1. A run (begin, emit/put..., end) takes effect as one: outputs, state,
 *     input offsets, blob and run number commit together or vanish together.
 *     Nothing between begin and end can fail for want of room: begin reserved
 *     it. A run is never given back; only the death of the process undoes it.
 *  2. Durability is a prefix: a run survives only if all that it has read
 *     survives.
 *  3. get() and scan() see all that the task has put, the open run included.
 *  4. poll() gives records in offset order, without aborted ones and control
 *     records, up to the open last stable offset; an input marked `published`
 *     only up to the high watermark.
 *  5. One task has one caller at a time; several tasks run on several
 *     threads. topic(), end(), linked() and clock_ms() may be called by any
 *     thread. Runs of a task are linked in order; the next one may begin
 *     before the one before is linked.
 *  6. A store belongs to one task; its name is unique in the application, so
 *     a view over all partitions is the union of the stores of that name.
 *
 * Ownership: everything handed over is copied before the call returns.
 */
#ifndef PORT_PORT_H
#define PORT_PORT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/world.h"

enum {
    PORT_INPUTS_MAX = 8,             /* of one task */
    PORT_BLOB_MAX = 64,              /* bytes the engine keeps in a task */
    PORT_POLL_MAX = RUN_RECORDS_MAX, /* records of one poll */
};

/* Bytes of one run: keys, values and headers of all emits and puts, plus
 * PORT_ENTRY_BYTES for each. A single record that makes more is an error. */
#define PORT_RUN_BYTES (256 * KIB)
#define PORT_RUN_BYTES_MAX (4 * MIB)
#define PORT_ENTRY_BYTES 64

_Static_assert(PORT_RUN_BYTES_MAX <= EPOCH_BYTES_MAX / 4, "a run fits");

enum port_status {
    PORT_OK,
    PORT_AGAIN,              /* no room now: the task pauses, tries later */
    PORT_FAILED,             /* err says why; the task fails */
};

enum port_kind {
    PORT_TOPIC,              /* a topic of the user's */
    PORT_REPARTITION,        /* purged up to what its one reader committed */
    PORT_SIDE,               /* dead letters, rejected: kept for a time */
};

struct port_topic {
    void *handle;            /* the port's; lives as long as the port */
    int32_t partitions;
    int format;              /* enum ps_format: how values are written */
};

struct port_header {
    struct span name, value;         /* value may be null */
};

struct port_record {
    int64_t offset, timestamp;       /* ms */
    struct span key, value;          /* may be null */
    const struct port_header *headers;
    unsigned header_count;
};

struct port_out {
    const struct port_topic *topic;
    int32_t partition;
    int64_t timestamp;               /* ms */
    struct span key, value;
    const struct port_header *headers;
    unsigned header_count;
    int16_t cause_input;             /* what caused it; -1: a timer */
    int64_t cause_offset;
};

struct port_input {
    const struct port_topic *topic;
    int32_t partition;
    bool published;                  /* below the high watermark only */
};

struct port_task_spec {
    const char *app;
    const char *name;                /* "reserve_3": sub-topology_partition */
    const struct port_input *inputs;
    unsigned input_count;
    const char *const *stores;       /* names; get() takes the index */
    unsigned store_count;
    uint64_t fingerprint;            /* of the topology: another is refused */
    unsigned thread;                 /* that will run it */
};

/* The port embeds this in what it opens. The engine reads it after open and
 * from then on keeps its own copies. */
struct port_task {
    struct port *port;
    int64_t offsets[PORT_INPUTS_MAX];    /* next to read; 0 or log start */
    uint64_t run;                        /* of the last run, 0: none yet */
    uint8_t blob[PORT_BLOB_MAX];
    size_t blob_len;
};

/* What end_run() hands over beside the emits and puts. */
struct port_run {
    uint64_t number;                 /* of this run: the last one's + 1 */
    int64_t clock_ms;                /* the only clock its callbacks saw */
    const int64_t *offsets;          /* next to read, one for each input */
    uint32_t records, timers;        /* read; fired */
    struct span blob;
};

/* Not zero: stop. The spans are valid during the call. */
typedef int (*port_scan_fn)(void *arg, struct span key, struct span value);

struct port_ops {
    /* The appliance clock: never goes back, survives a restart. */
    int64_t (*clock_ms)(struct port *);

    /* Finds a topic, or makes it: partitions 0 is the port's default. An
     * existing one keeps its own number. 0 or -1. */
    int (*topic)(struct port *, const char *name, enum port_kind,
        int32_t partitions, struct port_topic *out, struct err *);

    /* 0 or -1; ERR_FORMAT: stored under another fingerprint. */
    int (*open)(struct port *, const struct port_task_spec *,
        struct port_task **out, struct err *);
    void (*close)(struct port_task *);   /* NULL is fine */
    /* Marked failed, for people to see; it stays so until it is opened
     * again. */
    void (*mark_failed)(struct port_task *, const char *reason);

    /* Up to max records from `offset` on into `out`, borrowed until the next
     * poll of this input. count 0: nothing there now. An offset below the
     * log's start gives the first record there is. `*next` is where to go
     * on: past the last record, or past what is not shown (4). */
    enum port_status (*poll)(struct port_task *, unsigned input,
        int64_t offset, unsigned max, struct port_record *out,
        unsigned *count, int64_t *next, struct err *);
    /* Where the input ends now, as poll() would reach it: no record at or
     * past it was there when the call was made. Any thread. */
    int64_t (*end)(struct port_task *, unsigned input);

    /* The number of the last run whose records stand in their logs, so that
     * end() of those who read them counts them. Any thread. NULL: that is so
     * when end_run() returns. */
    uint64_t (*linked)(struct port_task *);

    /* The newest value; null: no such key. It lies in the arena, or where
     * it stays as it is until the next call for this task. */
    enum port_status (*get)(struct port_task *, unsigned store,
        struct span key, struct arena *, struct span *value, struct err *);
    /* Calls fn for keys from <= key < to in order; null: no bound. fn must
     * not call the port. */
    enum port_status (*scan)(struct port_task *, unsigned store,
        struct span from, struct span to, port_scan_fn fn, void *arg,
        struct err *);

    /* Reserves `bytes` for one run. PORT_AGAIN: nothing was begun. */
    enum port_status (*begin_run)(struct port_task *, size_t bytes,
        struct err *);
    void (*emit)(struct port_task *, const struct port_out *);
    /* A null value deletes. */
    void (*put)(struct port_task *, unsigned store, struct span key,
        struct span value);
    void (*end_run)(struct port_task *, const struct port_run *);

    /* Sleeps until there may be something to do for this thread, or max_ms
     * have passed; wake() ends it early. NULL for a port without threads. */
    void (*wait)(struct port *, unsigned thread, int64_t max_ms);
    void (*wake)(struct port *, unsigned thread);

    /* A hint: these keys will be asked for soon. NULL: the port has no use for it. */
    void (*ahead)(struct port_task *, unsigned store,
        const struct span *keys, unsigned n);
};

struct port {
    const struct port_ops *ops;
    struct world *world;             /* for the length of a run; the seed */
};

#endif
