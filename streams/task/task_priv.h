/*
 * task_priv.h: what the files of this room share. README.md draws how a
 * record goes through them.
 *
 * The words: a *unit* is one record or one timer with all its effects; they
 * wait in a scratch until the unit has succeeded. A *run* is many units that
 * the port takes as one. A *step* of a task is at most one run.
 *
 * Thread: all but the atomics of struct task belongs to the worker's thread.
 */
#ifndef TASK_TASK_PRIV_H
#define TASK_TASK_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/table.h"
#include "port/port.h"
#include "serde/pb.h"
#include "task/engine.h"
#include "topology/topology.h"

enum {
    SCRATCH_BUCKETS = 256,
    TIMER_KINDS = 2,             /* enum ps_clock_kind */
    UNIT_ARENA_MAX = 64 * MIB,
    ERROR_TEXT = 280,
    FLIGHTS_MAX = 16,            /* runs handed over and not yet linked */
};

#define TIME_NONE INT64_MAX
#define HEAD_UNKNOWN INT64_MIN   /* there is input that was not looked at */

/* Header of a gathered log that tells which source a record is from. */
#define HEADER_INPUT "ps.in"

/* ---- a record on its way ------------------------------------------------ */

struct rec {
    struct ps_record pub;                /* first: callbacks get it */
    /* The bytes they were decoded from; the serde is NULL if there are none.
     * They live as long as the unit. */
    struct span key_raw, value_raw;
    const struct ps_serde *key_serde, *value_serde;
    int format;                          /* enum ps_format of value_raw */
    bool decoded;                        /* pub.value is there */
    bool checked;                        /* or would be, if it were decoded */
    union {
        int64_t i64;
        double f64;
    } num;                               /* what pub.value points to */
};

/* ---- effects ------------------------------------------------------------ */

struct timers;

struct effect {
    bool is_put;
    size_t bytes;                        /* of the port's reservation */
    /* a put */
    unsigned store;
    uint32_t hash;
    uint32_t next;                       /* in its bucket: index + 1 */
    struct span key, value;
    struct timers *timers;               /* it arms or disarms; or NULL */
    /* an emit */
    struct port_out out;
};

struct scratch {
    struct effect *effects;
    unsigned count, room;
    size_t bytes;
    uint32_t generation;
    struct {
        uint32_t generation, head;
    } buckets[SCRATCH_BUCKETS];
};

/* ---- the context -------------------------------------------------------- */

#define CTX_MAGIC 0xc0a7e475u

struct ps_ctx {
    uint32_t magic;
    bool owned;                          /* `owner` is set */
    pthread_t owner;
    struct engine *engine;
    struct arena arena;                  /* of the unit */
    struct scratch scratch;
    struct buf bytes;                    /* what a serde encodes into */
    struct table topics;                 /* found by name; see sink.c */

    /* the unit */
    struct task *task;
    const struct port_record *root;      /* NULL: a timer or init */
    unsigned root_input;
    bool read_only;                      /* init and close */
    int64_t root_time;
    int64_t out_time;                    /* of what it forwards */
    struct port_header *headers;         /* of what it forwards */
    unsigned header_count;
    uint64_t random;
    /* counted when it joins */
    unsigned rejected, dead_lettered, skipped;
    bool failed;
    const char *error_class;
    char error[ERROR_TEXT];

    /* the callback */
    const struct node *node;
    struct rec *rec;
};

/* ---- tasks -------------------------------------------------------------- */

/* The armed timers of one processor; they live in a store of their own. */
struct timers {
    const struct node *node;
    unsigned store;
    bool known[TIMER_KINDS];             /* is `next` right? */
    int64_t next[TIMER_KINDS];           /* TIME_NONE: none is armed */
};

struct input {
    const struct node *source;
    struct port_record records[PORT_POLL_MAX];
    unsigned count, at;                  /* polled; the next one to take */
    int64_t poll;                        /* offset of the next poll */
    int64_t taken;                       /* offset behind what was taken */
    /* For other threads, see gate.c: */
    _Atomic int64_t head;                /* timestamp of records[at] or NONE */
    _Atomic int64_t polled;              /* = poll */
    _Atomic int64_t done;                /* offset of the last run's end */
};

/* A timer due at T waits for all that was appended before T, here and in
 * the tasks whose logs this one reads (timers.c). */
struct barrier {
    enum { BARRIER_NONE, BARRIER_ABOVE, BARRIER_LINK, BARRIER_HERE,
        BARRIER_OPEN } state;
    int64_t clock_ms;
    int64_t *above;                      /* ends of the inputs above */
    uint64_t *runs;                      /* of the tasks above */
    int64_t here[PORT_INPUTS_MAX];
};

/* A run handed over, for gate.c: the lowest timestamp of its records. */
struct flight {
    _Atomic uint64_t run;
    _Atomic int64_t low;
};

#define TASK_MAGIC 0x7a5c7a5cu

struct task {
    uint32_t magic;
    struct app *app;
    const struct sub *sub;
    unsigned sub_index, thread;
    int32_t partition;
    char *name;
    struct port_task *port;
    const struct port_ops *ops;
    struct input *inputs;
    unsigned input_count;

    _Atomic int state;                   /* enum task_state */
    char reason[ERROR_TEXT];             /* why it failed */
    struct task_stats stats;
    _Atomic int64_t due_ms;              /* its first timer of the clock */
    _Atomic int64_t seen_time;           /* = stream_time */
    _Atomic uint64_t handed;             /* = run */

    /* what commits with it (the blob) */
    uint64_t seed;
    int64_t stream_time, clock_ms;
    uint64_t run;

    bool blocked;                        /* waits for another task or room */
    bool in_run;
    size_t room;                         /* of the open run */
    size_t need;                         /* of a unit that found no room */
    unsigned run_records, run_timers;
    int64_t run_low;                     /* lowest timestamp in it */
    struct flight flights[FLIGHTS_MAX];  /* by run number */

    struct timers *timers;
    unsigned timers_count;
    struct barrier barrier;
    void **scratch;                      /* by node, for ps_scratch() */

    struct gate_place *gates;            /* logs it writes; see gate.c */
    unsigned gate_count;
    struct task **above;                 /* tasks whose logs it reads */
    unsigned above_count;
};

struct app {
    struct engine *engine;
    struct ps_topology *topology;
    const char *name;
    struct port_topic *topics;           /* by node index: read or written */
    struct port_topic dead_letter, rejected;
    struct task **tasks;                 /* by sub, then partition */
    unsigned task_count;
    unsigned *sub_first;                 /* of each sub: its first task */
    int32_t *sub_partitions;
};

struct engine {
    struct port *port;
    struct engine_opts opts;
    struct app *apps;
    unsigned app_count;
    struct task **tasks;                 /* of all apps */
    unsigned task_count;
    struct ps_ctx **workers;             /* one for each thread */
    unsigned *cursors;                   /* whose turn it is, by thread */
    struct gate *gates;
    atomic_bool stop;
};

/* Counters have one writer; readers only want no torn values. */
static inline void
stat_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter,
        atomic_load_explicit(counter, memory_order_relaxed) + n,
        memory_order_relaxed);
}

/* ---- scratch.c ---------------------------------------------------------- */

void scratch_clear(struct scratch *);
/* The unit's newest put of that key, or NULL. */
const struct effect *scratch_find(const struct scratch *, unsigned store,
    struct span key);
/* Both take spans that live as long as the unit. They set the context's
 * error when the unit gets too large. */
void scratch_put(struct ps_ctx *, unsigned store, struct span key,
    struct span value, struct timers *);
void scratch_emit(struct ps_ctx *, const struct port_out *);

/* ---- value.c: keys and values to bytes and back ------------------------- */

const char *val_type_name(struct ps_val);
/* Is the value what the serde takes? */
bool val_fits(const struct ps_serde *, struct ps_val);
/* In the unit's arena. False: the context has the error. `what` and `where`
 * are for its text. */
bool val_encode(struct ps_ctx *, const struct ps_serde *, struct ps_val,
    int format, const char *what, struct span *out);
bool val_decode(struct ps_ctx *, const struct ps_serde *, struct span,
    const char *what, struct ps_val *out, int *format);
/* Without a serde: as the type's own serde would. */
bool val_encode_plain(struct ps_ctx *, struct ps_val, struct span *out);
/* Where a void pointer to the value may point; numbers get memory. */
void *val_pointer(struct ps_ctx *, struct ps_val);

struct ps_val rec_value(const struct rec *);
void rec_set_value(struct rec *, struct ps_val);
/* Decodes the value if that was not done. */
bool rec_need_value(struct ps_ctx *, struct rec *);
/* Can the value's bytes be checked without decoding them? */
bool rec_is_plain(const struct rec *);
/* Are they right, if nobody has looked yet? False: the context knows. */
bool rec_check(struct ps_ctx *, struct rec *);
/* A field of the value, out of its bytes if it was not decoded: false if that
 * can't be done (or the bytes are wrong, which the context knows). */
bool rec_field(struct ps_ctx *, struct rec *,
    const ProtobufCFieldDescriptor *, union pb_single *);
/* `from` (or NULL) with another key and value; keeps the bytes of what is
 * the same. */
void rec_derive(struct rec *, const struct rec *from, struct ps_val key,
    struct ps_val value);
/* The record's key as bytes of that serde (NULL: of its own type). */
bool rec_key_bytes(struct ps_ctx *, struct rec *, const struct ps_serde *,
    struct span *out);
bool rec_value_bytes(struct ps_ctx *, struct rec *, const struct ps_serde *,
    int format, struct span *out);

/* ---- ctx.c -------------------------------------------------------------- */

struct ps_ctx *ctx_new(struct engine *);
void ctx_free(struct ps_ctx *);
void ctx_begin(struct ps_ctx *, struct task *);  /* a unit */
int ctx_fail(struct ps_ctx *, const char *error_class, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* May this call do something now? Asserts magic and thread. */
bool ctx_check(struct ps_ctx *);

/* ---- ops.c, sink.c, fold.c ---------------------------------------------- */

void node_run(struct ps_ctx *, const struct node *, struct rec *);
void outlet_run(struct ps_ctx *, const struct outlet *, struct rec *);
/* The same after a check of the types. */
void outlet_send(struct ps_ctx *, const struct outlet *, struct ps_val key,
    struct ps_val value);
void sink_run(struct ps_ctx *, const struct node *, struct rec *);
void fold_run(struct ps_ctx *, const struct node *, struct rec *);
void sink_topics_free(struct ps_ctx *);
/* The input record itself to `topic`, with more headers. */
void sink_root(struct ps_ctx *, const struct port_topic *topic,
    const struct port_header *more, unsigned count);

/* ---- state.c ------------------------------------------------------------ */

struct ps_val store_get(struct ps_ctx *, const struct store_spec *,
    struct ps_val key);
int store_put(struct ps_ctx *, const struct store_spec *, struct ps_val key,
    struct ps_val value);

/* ---- unit.c ------------------------------------------------------------- */

enum unit_result {
    UNIT_DONE,
    UNIT_AGAIN,              /* no room: nothing happened */
    UNIT_STOP,               /* the task has failed */
};

enum unit_result unit_record(struct ps_ctx *, struct task *, unsigned input,
    const struct port_record *);
enum unit_result unit_timer(struct ps_ctx *, struct task *, struct timers *,
    struct span timer_key);
/* Opens a run with room for `bytes`; false: not now, or the task failed. */
bool run_open(struct task *, size_t bytes);
void run_close(struct task *);

/* ---- timers.c ----------------------------------------------------------- */

/* Learns from a put or delete of a timer that joined a run. */
void timers_note(struct timers *, const struct effect *);
/* The earliest due time of a kind over all processors, or TIME_NONE. */
int64_t timers_next(struct ps_ctx *, struct task *, enum ps_clock_kind);
/* Fires what is due by `limit`, at most `max`; returns how many. The run is
 * opened when there is one. *result: as of the last. */
unsigned timers_fire(struct ps_ctx *, struct task *, enum ps_clock_kind,
    int64_t limit, unsigned max, enum unit_result *result);
/* May timers of the appliance clock fire, and up to when? */
bool barrier_pass(struct ps_ctx *, struct task *, int64_t *limit);
void timer_key_read(struct span key, struct ps_timer *out);

/* ---- gate.c ------------------------------------------------------------- */

void gates_build(struct engine *);
void gates_free(struct engine *);
/* Up to which timestamp the task may take records now. */
int64_t gate_bound(const struct task *);
/* The open run is about to be handed over under that number. */
void flight_note(struct task *, uint64_t run);
/* Is the head of its input known, and which? */
int64_t task_head(const struct task *);
/* Stand the records of that run in their logs? Any thread. */
bool task_is_linked(const struct task *, uint64_t run);

/* ---- task.c ------------------------------------------------------------- */

void task_fail(struct task *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
struct span task_blob(const struct task *, uint8_t out[PORT_BLOB_MAX]);
struct task *task_new(struct app *, unsigned sub, int32_t partition);
int task_open(struct task *, struct ps_ctx *, struct err *);
void task_close(struct task *, struct ps_ctx *);
void task_free(struct task *);
/* At most one run. */
bool task_step(struct task *, struct ps_ctx *);

#endif
