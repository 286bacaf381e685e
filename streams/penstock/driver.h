/*
 * penstock/driver.h: a topology under test, with partitions, a virtual clock,
 * a seed and power cuts. One thread, no files, no network.
 *
 * The seed decides which task runs next, how many records it takes, and when
 * what was done becomes durable. A crash forgets everything after the last
 * durable point; input that was not durable by then is piped again, as a
 * client without an answer does. ps_settle() ends with everything durable.
 *
 * A client's partitioner is not ours: unless a topic is trusted, the seed says
 * which partition a key goes to. JSON for a message goes in as JSON or as
 * protobuf, by the seed.
 *
 * Misuse (an unknown topic or store, JSON that does not parse) and a topology
 * with mistakes end the program with a message: this is for tests.
 *
 * Ownership: what the readers give is valid until the next call for the same
 * driver; the driver copies what is piped.
 */
#ifndef PENSTOCK_DRIVER_H
#define PENSTOCK_DRIVER_H

#include <penstock/streams.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

struct ps_driver;

struct ps_driver_opts {
    unsigned partitions;     /* of every topic; 0: 1 */
    uint64_t seed;
    int64_t clock_ms;        /* at the start; 0: 1,000,000,000,000 */
    const char *app;         /* name of the application; NULL: "test" */
    unsigned cuts_max;       /* of a sweep: 0: every step, else spread */
    bool keep_going;         /* a failed task does not fail a sweep */
};

struct ps_driver *ps_driver_new(
    void (*build)(struct ps_topology *, void *conf), void *conf,
    const struct ps_driver_opts *);
/* Several applications beside each other, as `serve` runs them. */
struct ps_driver *ps_driver_new_apps(const struct ps_app *apps,
    const struct ps_driver_opts *);
void ps_driver_free(struct ps_driver *);

/* Input. `text` is JSON for message and JSON topics, a decimal number for
 * int64 and double, the string itself for others; NULL is a tombstone. The
 * key likewise, NULL: none. Timestamp: the clock, or as given. */
void ps_pipe(struct ps_driver *, const char *topic, const char *key,
    const char *text);
void ps_pipe_at(struct ps_driver *, const char *topic, const char *key,
    const char *text, int64_t timestamp_ms);
/* The bytes as they are; NULL: null. */
void ps_pipe_bytes(struct ps_driver *, const char *topic, const void *key,
    size_t key_len, const void *value, size_t value_len,
    int64_t timestamp_ms);

/* Runs tasks until none has anything to do, and makes all of it durable. */
void ps_settle(struct ps_driver *);
/* One run of one task. false: nothing to do. */
bool ps_step(struct ps_driver *);
/* Moves the clock on, firing timers on the way at their time; settles. */
void ps_advance(struct ps_driver *, int64_t ms);
int64_t ps_driver_clock(struct ps_driver *);
/* Power off and on. */
void ps_crash(struct ps_driver *);

/* Output: what a consumer would see. A topic's records come partition by
 * partition in the order they were appended. */
struct ps_read {
    int32_t partition;
    int64_t offset, timestamp;
    const void *key, *value;         /* NULL: null */
    size_t key_len, value_len;
    const struct ps_header *headers;
    size_t header_count;
};
/* The next one, over all partitions in the order of appending. */
bool ps_read(struct ps_driver *, const char *topic, struct ps_read *out);
/* The next one as text, "key:value", values as ps_pipe() takes them, null as
 * "null"; NULL: no more. */
const char *ps_read_text(struct ps_driver *, const char *topic);
/* Again from the start. */
void ps_rewind(struct ps_driver *, const char *topic);
/* Records of the topic whose JSON has all members of the filter with equal
 * values (a member that is not there counts as its default); "{}": all. */
int64_t ps_count(struct ps_driver *, const char *topic, const char *filter);

/* State, as a query would see it. NULL: no such key. JSON or text. */
const char *ps_view_get(struct ps_driver *, const char *store,
    const char *key);
/* A number in it: of a message's field, or field NULL for the whole value.
 * 0 if there is no such key or field is not set. */
int64_t ps_view_int(struct ps_driver *, const char *store, const char *key,
    const char *field);
/* Keys in all partitions. */
int64_t ps_view_size(struct ps_driver *, const char *store);

/* Sums over all tasks, by name: "in", "out", "skipped", "dead_lettered",
 * "rejected", "runs", "timers", "failed_tasks". */
int64_t ps_counter(struct ps_driver *, const char *name);
/* The topology as text; borrowed. */
const char *ps_driver_describe(struct ps_driver *);
/* A hash over all that is durable: topics with offsets, stores. */
uint64_t ps_driver_digest(struct ps_driver *);

/*
 * Runs `scenario` and `check` once without a cut, counts the steps, and then
 * again for every step with the power cut after it. `check` asserts. Returns
 * 0, or -1 when a task failed. If check does not return (an assertion), seed
 * and cut are printed; PENSTOCK_SEED and PENSTOCK_CUT in the environment
 * repeat that one. `arg` of both: `conf` in the first form.
 */
typedef void (*ps_scenario_fn)(struct ps_driver *, void *arg);
int ps_driver_sweep(void (*build)(struct ps_topology *, void *conf),
    void *conf, const struct ps_driver_opts *, ps_scenario_fn scenario,
    ps_scenario_fn check);
int ps_driver_sweep_apps(const struct ps_app *apps,
    const struct ps_driver_opts *, ps_scenario_fn scenario,
    ps_scenario_fn check, void *arg);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
