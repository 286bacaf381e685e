/*
 * penstock/streams.h: stream processing on a log, the public interface.
 *
 * A topology is built once by a function of yours, checked as a whole, and
 * then run as tasks: one sub-topology on one partition, single-threaded,
 * deterministic. All effects of a record (what it forwards, puts, deletes and
 * arms) commit together with its input offset, or not at all.
 *
 * Ownership: what a callback receives is borrowed until it returns; what it
 * hands over is copied before the call returns; ps_get() gives a private copy
 * in the record's arena that may be changed.
 *
 * Errors stick to the context: after the first one every call does nothing,
 * and when the callback returns the record goes to the handler (ps_on_error):
 * its effects are dropped, those of other records are not.
 *
 * A callback that shall be repeatable uses the clocks and the randomness of
 * its context only, and keeps nothing elsewhere.
 *
 * Thread: a context belongs to the thread that runs its task. `conf` pointers
 * are shared by all tasks, so what they point to is constant after the build.
 */
#ifndef PENSTOCK_STREAMS_H
#define PENSTOCK_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#define PS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define PS_PRINTF(fmt, args)
#endif

enum { PS_OK = 0, PS_ERROR = -1 };

enum {
    PS_INPUTS_MAX = 8,       /* sources of one gather */
    PS_STORES_MAX = 8,       /* stores of one processor */
    PS_OUTPUTS_MAX = 8,      /* named outputs of one processor */
};

struct ps_topology;
struct ps_stream;            /* records on their way, inside a topology */
struct ps_table;             /* the newest value of each key */
struct ps_ctx;               /* where a callback runs */

/* ---- keys and values -------------------------------------------------- */

/*
 * What a value is, and what the void pointer of a record or of ps_get()
 * points to then.
 */
enum ps_type {
    PS_NULL,                 /* nothing: a tombstone, no key */
    PS_BYTES,                /* const uint8_t *, with a length */
    PS_STRING,               /* const char *: UTF-8, NUL after it */
    PS_INT64,                /* const int64_t * */
    PS_DOUBLE,               /* const double * */
    PS_JSON,                 /* const char *: JSON text, NUL after it */
    PS_MESSAGE,              /* a protobuf-c message; it knows its type */
    PS_OBJECT,               /* whatever your own serde makes */
};

/* A key or a value that is handed over. Small, passed by value. */
struct ps_val {
    union {
        const void *ptr;
        int64_t i64;
        double f64;
    } as;
    uint32_t len;            /* bytes, strings, JSON: without the NUL */
    uint16_t type;           /* enum ps_type */
    uint16_t same;           /* private: it is the record's, unchanged */
};

static inline struct ps_val
ps_make(int type, const void *ptr, size_t len)
{
    struct ps_val v;

    v.as.ptr = ptr;
    v.len = (uint32_t)len;
    v.type = (uint16_t)(ptr == NULL ? PS_NULL : type);
    v.same = 0;
    return v;
}

static inline struct ps_val
ps_null(void)
{
    return ps_make(PS_NULL, NULL, 0);
}

static inline struct ps_val
ps_str(const char *s)
{
    return ps_make(PS_STRING, s, s == NULL ? 0 : strlen(s));
}

/* n bytes of UTF-8; no NUL need follow. */
static inline struct ps_val
ps_strn(const char *s, size_t n)
{
    return ps_make(PS_STRING, s, n);
}

static inline struct ps_val
ps_mem(const void *p, size_t n)
{
    return ps_make(PS_BYTES, p, n);
}

static inline struct ps_val
ps_i64(int64_t i)
{
    struct ps_val v = ps_null();

    v.as.i64 = i;
    v.type = PS_INT64;
    return v;
}

static inline struct ps_val
ps_f64(double f)
{
    struct ps_val v = ps_null();

    v.as.f64 = f;
    v.type = PS_DOUBLE;
    return v;
}

static inline struct ps_val
ps_json_text(const char *text)
{
    return ps_make(PS_JSON, text, text == NULL ? 0 : strlen(text));
}

static inline struct ps_val
ps_object(const void *object)
{
    return ps_make(PS_OBJECT, object, 0);
}

/* A pointer to a protobuf-c message, by its first member `base`. */
#define PS_MSG(message) ps_make(PS_MESSAGE, &(message)->base, 0)

/* ---- serdes (in the tree: streams/serde) ------------------------------- */

enum ps_format {             /* of bytes on a topic */
    PS_FORMAT_PLAIN,         /* the serde's own; messages: protobuf */
    PS_FORMAT_JSON,          /* messages: canonical JSON of protobuf */
    PS_FORMAT_CONFLUENT,     /* 0x00, schema id, message indexes, protobuf */
};

struct ps_arena;             /* in the tree: struct arena of base/arena.h */
struct ps_buf;               /* in the tree: struct buf of base/buf.h */

/* 16-byte aligned, lives as long as the record; NULL: over the limit, then
 * return PS_ERROR. */
void *ps_arena_alloc(struct ps_arena *, size_t size);
/* Appends; a buffer over its limit stays so, and the record fails. */
void ps_buf_put(struct ps_buf *, const void *bytes, size_t len);

struct ps_decode {
    struct ps_arena *arena;
    int format;              /* out: enum ps_format, PLAIN if not set */
    char why[160];           /* out: one line, when it fails */
};

struct ps_encode {
    struct ps_buf *out;
    int format;              /* in: enum ps_format that the topic wants */
    char why[160];           /* out */
};

#define PS_SERDE_MAGIC 0x5e4de5a1u

/*
 * From bytes to a value and back: two functions and a name. Objects of this
 * type are static and constant. Bytes are never null here: null stays null.
 * The value that decode makes may point into `bytes`, which live as long as
 * the record. Both return PS_OK or PS_ERROR with a line in `why`. They are
 * called by many threads at once.
 */
struct ps_serde {
    uint32_t magic;          /* PS_SERDE_MAGIC */
    uint16_t type;           /* enum ps_type of what it makes and takes */
    const char *name;        /* part of the topology's fingerprint */
    int (*decode)(const struct ps_serde *, struct ps_decode *,
        const void *bytes, size_t len, struct ps_val *out);
    int (*encode)(const struct ps_serde *, struct ps_encode *, struct ps_val);
    const void *conf;        /* for the two functions; messages: descriptor */
};

/* bytes as they are; UTF-8; 8 bytes big-endian; IEEE 754 big-endian; JSON
 * text, checked. As Kafka's own serializers write them. */
extern const struct ps_serde ps_bytes, ps_string, ps_int64, ps_double, ps_json;

/*
 * Where this header asks for `const void *serde` it takes the address of a
 * struct ps_serde or PS_PROTO(shop__order), the descriptor of a protobuf-c
 * message: both begin with a magic number. A constant expression.
 */
#define PS_PROTO(message) ((const void *)&message##__descriptor)

/* Fills `out` with the serde of a descriptor; `out` has the caller's life.
 * 0, or -1: this is neither a descriptor nor a serde. */
int ps_serde_of(const void *serde, struct ps_serde *out);

/* ---- records ----------------------------------------------------------- */

struct ps_header {
    const char *name;
    const void *value;       /* NULL: null */
    size_t len;
};

/* Borrowed until the callback returns, and not to be changed. */
struct ps_record {
    struct ps_val key;
    void *value;             /* by its type, see above; NULL: a tombstone */
    uint32_t value_len;      /* bytes, strings, JSON */
    uint16_t value_type;     /* enum ps_type */
    uint16_t input;          /* of a gathered stream: which source, from 0 */
    int64_t timestamp;       /* ms */
};

/* The record's value, to be forwarded or put as it is: its bytes are then
 * passed through without encoding. */
static inline struct ps_val
ps_value(const struct ps_record *r)
{
    struct ps_val v = ps_make(r->value_type, r->value, r->value_len);

    if (v.type == PS_INT64)
        memcpy(&v.as.i64, r->value, sizeof v.as.i64);
    else if (v.type == PS_DOUBLE)
        memcpy(&v.as.f64, r->value, sizeof v.as.f64);
    v.same = 1;
    return v;
}

/* ---- callbacks --------------------------------------------------------- */

struct ps_pair {
    struct ps_val key, value;
};

/* PS_OK or an error: return what ps_fail() or another call gave. */
typedef int (*ps_fn)(struct ps_ctx *, const struct ps_record *, void *conf);
typedef bool (*ps_test_fn)(struct ps_ctx *, const struct ps_record *,
    void *conf);
typedef struct ps_val (*ps_val_fn)(struct ps_ctx *, const struct ps_record *,
    void *conf);
typedef struct ps_pair (*ps_pair_fn)(struct ps_ctx *,
    const struct ps_record *, void *conf);
/* The topic of a record; the text is copied. NULL: to none. */
typedef const char *(*ps_name_fn)(struct ps_ctx *, const struct ps_record *,
    void *conf);
/* The event time of a record in ms; negative: none, which is an error. */
typedef int64_t (*ps_time_fn)(const struct ps_record *, void *conf);
/* old: NULL at first, else a private copy as of ps_get(). */
typedef struct ps_val (*ps_fold_fn)(struct ps_ctx *, const struct ps_record *,
    void *old, void *conf);

enum ps_clock_kind {
    PS_CLOCK,                /* the appliance's clock, ps_clock() */
    PS_STREAM_TIME,          /* the highest timestamp seen, ps_stream_time() */
};

struct ps_timer {
    enum ps_clock_kind kind;
    int64_t due_ms;
    struct ps_val key;
};

struct ps_store_spec {
    const char *name;        /* of the application's stores, unique */
    const void *key, *value;                     /* serdes */
};

struct ps_output_spec {
    const char *name;
    const void *key, *value;                     /* serdes */
};

/*
 * A processor of your own. Constant and static: tasks share it. Fields that
 * are not set have a meaning that fits most.
 */
struct ps_processor {
    ps_fn on[PS_INPUTS_MAX];                     /* one for each input */
    struct ps_store_spec stores[PS_STORES_MAX];  /* by slot */
    /* Fires after all input that was appended before it was due, as a step
     * of its own. ps_time() is then its due time. */
    int (*on_timer)(struct ps_ctx *, const struct ps_timer *, void *conf);
    /* When a task opens, on every start: may read stores, fill ps_scratch();
     * whatever it puts, forwards or arms is an error. close: at its end. */
    int (*init)(struct ps_ctx *, void *conf);
    void (*close)(struct ps_ctx *, void *conf);
    size_t scratch;          /* bytes for ps_scratch(), zeroed at start */
    /* What ps_forward() sends on: no value serde = any, checked at the next
     * node that knows; no key serde = that of the input. */
    struct ps_output_spec out;
    struct ps_output_spec outs[PS_OUTPUTS_MAX];  /* for ps_forward_to() */
    bool keeps_key;          /* forwards only under the key that came in */
    bool outside;            /* has effects outside: reads published only */
};

/* ---- building ---------------------------------------------------------- */
/*
 * Names: [A-Za-z0-9._-], unique in the topology. A node that owns a log or a
 * store must have one, since the name is on the disk; others may have NULL.
 * Nothing fails while building: mistakes are collected, and reported all
 * together with the names of the nodes before the first record is read.
 *
 * State stands behind a log of our own (ps_repartition, ps_gather), because a
 * client's partitioner is not ours; ps_trust() says that this one is.
 */

/* A topic; its keys are strings. */
struct ps_stream *ps_stream(struct ps_topology *, const char *topic,
    const void *serde);
struct ps_stream *ps_stream_keyed(struct ps_topology *, const char *topic,
    const void *key_serde, const void *serde);
/* Its producers use our partitioner (murmur2 of the key, as Java's). Takes
 * a stream that ps_stream() gave, returns it. */
struct ps_stream *ps_trust(struct ps_stream *source);
/* Timestamps from the value, instead of the record's own. The same. */
struct ps_stream *ps_event_time(struct ps_stream *source, ps_time_fn,
    void *conf);

struct ps_stream *ps_filter(struct ps_stream *, const char *name, ps_test_fn,
    void *conf);
struct ps_stream *ps_filter_not(struct ps_stream *, const char *name,
    ps_test_fn, void *conf);
/* New key and value; a serde of NULL is that of the stream. */
struct ps_stream *ps_map(struct ps_stream *, const char *name, ps_pair_fn,
    void *conf, const void *key_serde, const void *serde);
struct ps_stream *ps_map_values(struct ps_stream *, const char *name,
    ps_val_fn, void *conf, const void *serde);
/* Any number of records, each by ps_forward(). */
struct ps_stream *ps_flat_map(struct ps_stream *, const char *name, ps_fn,
    void *conf, const void *key_serde, const void *serde);
struct ps_stream *ps_select_key(struct ps_stream *, const char *name,
    ps_val_fn, void *conf, const void *key_serde);
struct ps_stream *ps_peek(struct ps_stream *, const char *name, ps_fn,
    void *conf);
/* The records that pass; the others go to *rest (chain it for more cases). */
struct ps_stream *ps_branch(struct ps_stream *, const char *name, ps_test_fn,
    void *conf, struct ps_stream **rest);
struct ps_stream *ps_merge(struct ps_stream *, struct ps_stream *);

/*
 * Through a log of our own, `<app>-<name>-repartition`, keyed by a field of
 * the message (`"id"`; a string, an integer, bytes, or an enum's name) or by
 * the current key (NULL). ps_group is the same in other words.
 */
struct ps_stream *ps_repartition(struct ps_stream *, const char *name,
    const char *field);
struct ps_stream *ps_group(struct ps_stream *, const char *name,
    const char *field);

/* Several sources into one such log, the lowest timestamp first while there
 * is a backlog. What comes out goes into ps_process(), `.on` by source. */
struct ps_from {
    struct ps_stream *stream;
    const char *field;       /* or NULL: its current key */
};
#define PS_FROM(...) ((const struct ps_from[]){__VA_ARGS__, {NULL, NULL}})
struct ps_stream *ps_gather(struct ps_topology *, const char *name,
    const struct ps_from *from);

struct ps_stream *ps_process(struct ps_stream *, const char *name,
    const struct ps_processor *, void *conf);
/* What ps_forward_to(c, name, ...) of that processor sends. */
struct ps_stream *ps_output(struct ps_stream *processed, const char *name);

/* The newest value of each key in a store `name`; null deletes. ps_table
 * reads a topic, through a log of our own unless `trusted`. */
struct ps_table *ps_table(struct ps_topology *, const char *name,
    const char *topic, const void *serde, bool trusted);
struct ps_table *ps_to_table(struct ps_stream *, const char *name);
/* Aggregates by key in a store `name`: int64 counts; the value folded with
 * the one before (the first stays as it is); any type, `add` gets NULL first.
 * A result of null deletes. Every update is forwarded. */
struct ps_table *ps_count_by_key(struct ps_stream *, const char *name);
struct ps_table *ps_reduce(struct ps_stream *, const char *name, ps_fold_fn,
    void *conf);
struct ps_table *ps_aggregate(struct ps_stream *, const char *name,
    ps_fold_fn add, void *conf, const void *serde);
struct ps_stream *ps_table_updates(struct ps_table *);

/* Into a topic, partitioned by the key; the key's serde is the stream's. */
void ps_to(struct ps_stream *, const char *topic, const void *serde);
void ps_to_named(struct ps_stream *, const char *name, ps_name_fn, void *conf,
    const void *serde);

enum ps_on_error {
    PS_DEAD_LETTER,          /* into `<app>-dead-letter`, counted; default */
    PS_SKIP,                 /* counted */
    PS_STOP,                 /* the task fails */
};
/* Bytes that can't be decoded, ps_fail(), wrong types, limits. */
void ps_on_error(struct ps_topology *, enum ps_on_error);

/* The topology calls free_fn(conf) at its end. Returns conf. */
void *ps_own(struct ps_topology *, void *conf, void (*free_fn)(void *));
/* A mistake that you found while building; reported with the others. */
void ps_mistake(struct ps_topology *, const char *fmt, ...) PS_PRINTF(2, 3);

/* ---- inside a callback ------------------------------------------------- */

/* State. slot: index in `.stores`. Own writes are seen. NULL: no such key,
 * or an error, which sticks. */
void *ps_get(struct ps_ctx *, int slot, struct ps_val key);
/* The same with its type and length; type PS_NULL: no such key. */
struct ps_val ps_get_val(struct ps_ctx *, int slot, struct ps_val key);
int ps_put(struct ps_ctx *, int slot, struct ps_val key, struct ps_val value);
int ps_delete(struct ps_ctx *, int slot, struct ps_val key);

/*
 * Keys in the order of their bytes, from <= key < to; ps_null() is no bound.
 *     for (struct ps_iter i = ps_scan(c, STOCK, a, b); ps_next(&i);) ...
 * key and value stay valid until the callback returns. Own writes ahead of
 * the place reached are seen.
 */
struct ps_iter {
    struct ps_val key;
    void *value;
    uint32_t value_len;
    uint16_t value_type;
    struct ps_scan *scan;    /* private */
};
struct ps_iter ps_scan(struct ps_ctx *, int slot, struct ps_val from,
    struct ps_val to);
struct ps_iter ps_scan_prefix(struct ps_ctx *, int slot,
    struct ps_val prefix);
bool ps_next(struct ps_iter *);

/* On to the next nodes, which run before this returns. The timestamp and the
 * headers are the input's. */
int ps_forward(struct ps_ctx *, struct ps_val key, struct ps_val value);
int ps_forward_to(struct ps_ctx *, const char *output, struct ps_val key,
    struct ps_val value);
/* For all that the record forwards from now on. */
void ps_set_time(struct ps_ctx *, int64_t timestamp_ms);
int ps_set_header(struct ps_ctx *, const char *name, const void *value,
    size_t len);

/* The business's way out: the input record goes to `<app>-rejected` with the
 * reason in a header. What the record did before stays. Returns PS_OK. */
int ps_reject(struct ps_ctx *, const char *reason);
/* The record fails with this message. Returns PS_ERROR. */
int ps_fail(struct ps_ctx *, const char *fmt, ...) PS_PRINTF(2, 3);
/* The error so far, or NULL. */
const char *ps_error(struct ps_ctx *);

/* Calls .on_timer at or after due_ms, once. A timer is its kind, due time
 * and key together: arming twice is once; keep due_ms to cancel it. */
int ps_timer_at(struct ps_ctx *, enum ps_clock_kind, int64_t due_ms,
    struct ps_val key);
int ps_timer_cancel(struct ps_ctx *, enum ps_clock_kind, int64_t due_ms,
    struct ps_val key);

int64_t ps_time(struct ps_ctx *);        /* of the record or timer, ms */
int64_t ps_stream_time(struct ps_ctx *); /* highest seen by the task, ms */
int64_t ps_clock(struct ps_ctx *);       /* never goes back, ms */
uint64_t ps_random(struct ps_ctx *);     /* the same when repeated */

/* Of the input record; in a timer: of none (NULL, partition, -1). */
const char *ps_topic(struct ps_ctx *);
int32_t ps_partition(struct ps_ctx *);   /* of the task */
int64_t ps_offset(struct ps_ctx *);
const struct ps_header *ps_headers(struct ps_ctx *, size_t *count);

/* Dies with the record. NULL: over the limit, which sticks. */
void *ps_alloc(struct ps_ctx *, size_t size);
char *ps_printf(struct ps_ctx *, const char *fmt, ...) PS_PRINTF(2, 3);
/* `.scratch` bytes of this task: a cache only, since it dies with it. */
void *ps_scratch(struct ps_ctx *);
/* A line in the log, with the task's name, limited in rate. */
void ps_warn(struct ps_ctx *, const char *fmt, ...) PS_PRINTF(2, 3);

/* ---- applications ------------------------------------------------------ */

struct ps_app {
    const char *name;        /* prefix of its logs; NULL ends an array */
    void (*build)(struct ps_topology *, void *conf);
    void *conf;
};

/* A program with all of penstock's commands and these applications. */
int penstock_main(int argc, char **argv, const struct ps_app *apps);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
