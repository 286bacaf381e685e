/*
 * local_priv.h: what local.c (topics, records, threads), local_task.c (runs)
 * and local_poll.c (input) share.
 */
#ifndef PORT_LOCAL_PRIV_H
#define PORT_LOCAL_PRIV_H

#include "port/local.h"
#include "proto/store.pb-c.h"
#include "record/batch.h"

enum { SLICES = 16, POLL_BYTES = 256 * 1024 };

struct local_task;

/* A topic as tasks see it: tails outlive the topic itself. */
struct local_topic {
    struct local *local;
    char *name;
    uint32_t id;                 /* counts from 0: index of a task's outs */
    struct port_topic pub;
    enum port_kind kind;
    bool purge;                  /* its start follows what its task has read */
    struct uuid topic_id;
    struct tail **tails;
    uint64_t *readers;           /* bit per thread, by partition */
    struct local_topic *next;
};

/* A thread that runs tasks. It is awake, or asleep until a link wakes it. */
struct local_thread {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool asleep, signalled;      /* by mutex */
    _Atomic bool seen;           /* has waited once: it runs */
};

struct local_record {            /* a stored task, store or application */
    struct span key, value;
};

struct local_app {
    char *name;
    bool paused;
    char *why;
    unsigned crashes;
    struct local_app *next;
};

struct local {
    struct port pub;             /* first */
    struct seq *seq;
    struct topics *topics;
    pthread_t loop;
    int32_t partitions;          /* of topics that are made */
    bool keep_logs;
    unsigned thread_count;
    struct local_thread *threads;
    struct local_topic *topic_list;      /* grows at the head */
    struct lock topic_lock;
    uint32_t topic_count;
    struct omap tasks;           /* "app NUL task" -> Store__Task */
    struct omap stores;          /* "app NUL store" -> Store__Store */
    struct local_app *apps;
    uint32_t next_store;
    uint64_t system_epoch;       /* in which system_bytes were taken */
    size_t system_bytes;
    _Atomic int in_flight;       /* runs handed over, not yet linked */
};

struct local_out {               /* one batch being built in this run */
    struct local_topic *topic;
    int32_t partition;
    struct buf bytes;
    struct batch_builder builder;
    bool open;
    struct local_out *next_open;
};

struct local_store {
    struct shelf *shelf;
    struct buf block;            /* this run's puts */
};

struct local_input {
    struct local_topic *topic;
    struct tail *tail;
    bool published;
    int64_t next;                /* offset that the state below stands at */
    struct tail_slice slices[SLICES];
    size_t slice_count, slice_at;
    struct chunk *retired[SLICES + 1];   /* borrowed by the last poll */
    size_t retired_count;
    struct buf cold;             /* batches read from files */
    size_t cold_at;
    bool cold_open;              /* there is more of it */
    bool cold_borrowed;          /* all was given out by the last poll */
    bool iter_open, iter_carried;
    struct batch_iter iter;
    struct arena arena;          /* decompressed batches, headers */
};

struct local_task {
    struct port_task pub;        /* first */
    struct local *local;
    char *id;                    /* "app NUL task", id_len bytes */
    size_t id_len;
    uint64_t fingerprint;
    unsigned thread, input_count, store_count;
    struct local_input inputs[PORT_INPUTS_MAX];
    struct local_store *stores;
    struct state_reader reader;
    size_t reserved;
    uint64_t run;                /* of the last one that was handed over */
    _Atomic uint64_t linked;     /* of the last one that is linked */
    struct local_out ***outs;    /* by topic id, then partition */
    uint32_t outs_count;
    struct local_out *open_outs;
    uint32_t open_count;
    struct buf causes;
    int64_t last_cause;
};

#define local_of(p) container_of(p, struct local, pub)
#define local_task_of(t) container_of(t, struct local_task, pub)

/* local_poll.c */
enum port_status local_poll(struct port_task *, unsigned input,
    int64_t offset, unsigned max, struct port_record *, unsigned *count,
    int64_t *next, struct err *);
int64_t local_end(struct port_task *, unsigned input);
void local_input_reset(struct local_input *);

/* local_task.c */
int local_open(struct port *, const struct port_task_spec *,
    struct port_task **, struct err *);
void local_close(struct port_task *);
void local_mark_failed(struct port_task *, const char *reason);
enum port_status local_get(struct port_task *, unsigned store, struct span,
    struct arena *, struct span *value, struct err *);
void local_ahead(struct port_task *, unsigned store, const struct span *keys,
    unsigned n);
enum port_status local_scan(struct port_task *, unsigned store,
    struct span from, struct span to, port_scan_fn, void *arg, struct err *);
enum port_status local_begin_run(struct port_task *, size_t bytes,
    struct err *);
void local_emit(struct port_task *, const struct port_out *);
void local_put(struct port_task *, unsigned store, struct span key,
    struct span value);
void local_end_run(struct port_task *, const struct port_run *);
uint64_t local_task_linked(struct port_task *);

/* local.c */
/* -1: there is no room for it now. */
int local_link_record(struct local *, struct span key, struct span value,
    struct err *);
struct span local_key(struct arena *, enum meta_kind, const char *app,
    const char *name);
struct local_app *local_app(struct local *, const char *app);

#endif
