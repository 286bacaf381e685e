/*
 * driver.c: a topology under test. One thread steps the engine over the port
 * in memory; lots are drawn from the seed.
 *
 *  1. Every run and every input is a step; a sweep cuts the power after one.
 *  2. What a run emits comes into its logs later, as with a sequencer on
 *     another thread; at a step's end all until then may become durable. Both
 *     by lot.
 *  3. A crash ends the engine as a power cut would: nothing is handed over.
 *     The new one starts from what is durable.
 */
#include "config.h"

#include "task/driver_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/table.h"

enum {
    COMMIT_ONE_IN = 8,           /* steps, on average */
    LINK_ONE_IN = 3,
    AGAIN_PERCENT = 3,           /* of begin_run() find no room */
    IDLE_PASSES_MAX = 10000,     /* then something is stuck */
};

#define CLOCK_START 1000000000000ll
#define DRIVER_BYTES_MAX (64 * MIB)

void
driver_die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("driver: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(99);                    /* a hard error in automake's words */
}

/* splitmix64 (Vigna) */
uint64_t
driver_draw(struct ps_driver *d)
{
    uint64_t z = d->rng += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* ---- life --------------------------------------------------------------- */

static void
start(struct ps_driver *d)
{
    const struct engine_opts opts = {.port = d->port, .apps = d->apps};
    struct buf report;
    struct err err;

    buf_init(&report, MIB);
    if (engine_new(&opts, &d->engine, &err, &report) != 0)
        driver_die("%s\n%.*s", err.text, (int)report.len,
            report.ptr != NULL ? (const char *)report.ptr : "");
    buf_release(&report);
}

static struct ps_driver *
driver_make(const struct ps_driver_opts *opts)
{
    struct ps_driver *d = xcalloc(1, sizeof *d);

    d->magic = DRIVER_MAGIC;
    if (opts != NULL)
        d->opts = *opts;
    if (d->opts.partitions == 0)
        d->opts.partitions = 1;
    if (d->opts.clock_ms == 0)
        d->opts.clock_ms = CLOCK_START;
    d->rng = d->opts.seed;
    d->piped_last = &d->piped;
    arena_init(&d->arena, DRIVER_BYTES_MAX);
    buf_init(&d->text, DRIVER_BYTES_MAX);
    d->port = memory_new(&(struct memory_opts){
        .partitions = (int32_t)d->opts.partitions,
        .seed = d->opts.seed,
        .clock_ms = d->opts.clock_ms,
        .again_percent = AGAIN_PERCENT,
        .delay = true});
    return d;
}

struct ps_driver *
ps_driver_new_apps(const struct ps_app *apps, const struct ps_driver_opts *opts)
{
    struct ps_driver *d = driver_make(opts);

    d->apps = apps;
    start(d);
    return d;
}

struct ps_driver *
ps_driver_new(void (*build)(struct ps_topology *, void *conf), void *conf,
    const struct ps_driver_opts *opts)
{
    struct ps_driver *d = driver_make(opts);

    d->own[0].name = d->opts.app != NULL ? d->opts.app : "test";
    d->own[0].build = build;
    d->own[0].conf = conf;
    d->apps = d->own;
    start(d);
    return d;
}

static void
free_span(struct span s)
{
    void *p;

    memcpy(&p, &s.ptr, sizeof p);
    free(p);
}

static void
piped_clear(struct ps_driver *d)
{
    while (d->piped != NULL) {
        struct piped *p = d->piped;

        d->piped = p->next;
        free(p->topic);
        free_span(p->key);
        free_span(p->value);
        free(p);
    }
    d->piped_last = &d->piped;
}

void
ps_driver_free(struct ps_driver *d)
{
    if (d == NULL)
        return;
    check_obj(d, DRIVER_MAGIC);
    engine_free(d->engine);
    memory_free(d->port);
    piped_clear(d);
    while (d->readers != NULL) {
        struct reader *r = d->readers;

        d->readers = r->next;
        free(r->topic);
        free(r->offsets);
        free(r);
    }
    arena_release(&d->arena);
    buf_release(&d->text);
    free(d);
}

/* ---- power -------------------------------------------------------------- */

static void
commit(struct ps_driver *d)
{
    memory_commit(d->port);
    piped_clear(d);
}

/* A client chooses partitions in its own way, but always the same for a key. */
static int32_t
client_partition(struct ps_driver *d, const struct port_topic *t,
    const char *topic, struct span key)
{
    uint64_t n = (uint64_t)t->partitions;

    if (key.ptr == NULL)
        return (int32_t)(driver_draw(d) % n);
    if (engine_topic_is_trusted(d->engine, topic))
        return (int32_t)((murmur2(key) & 0x7fffffff) % n);
    return (int32_t)((hash_bytes(key) ^ d->opts.seed) % n);
}

static void
append(struct ps_driver *d, const struct piped *p)
{
    const struct port_topic *t = memory_topic(d->port, p->topic);

    memory_append(d->port, t, client_partition(d, t, p->topic, p->key),
        p->timestamp, p->key, p->value, NULL, 0);
}

void
ps_crash(struct ps_driver *d)
{
    check_obj(d, DRIVER_MAGIC);
    engine_free(d->engine);
    memory_crash(d->port);
    start(d);
    for (const struct piped *p = d->piped; p != NULL; p = p->next)
        append(d, p);
}

static void
step_done(struct ps_driver *d)
{
    d->steps++;
    if (d->steps == d->cut || d->steps == d->cut_again)
        ps_crash(d);
    else if (driver_draw(d) % COMMIT_ONE_IN == 0)
        commit(d);
    else if (driver_draw(d) % LINK_ONE_IN == 0)
        memory_link(d->port);
}

/* ---- running ------------------------------------------------------------ */

static bool
step(struct ps_driver *d)
{
    unsigned count = engine_task_count(d->engine);
    unsigned first = (unsigned)(driver_draw(d) % count);
    uint64_t lot = driver_draw(d);

    /* short runs as often as long ones */
    engine_set_run_records(d->engine, 1u << (lot % 7));
    for (unsigned i = 0; i < count; i++) {
        if (engine_step_task(d->engine, (first + i) % count)) {
            step_done(d);
            return true;
        }
    }
    return false;
}

bool
ps_step(struct ps_driver *d)
{
    check_obj(d, DRIVER_MAGIC);
    for (unsigned i = 0; i < IDLE_PASSES_MAX; i++) {
        if (step(d))
            return true;
        if (engine_is_idle(d->engine))
            return false;
        memory_link(d->port);
    }
    driver_die("stuck: %s", ps_driver_describe(d));
}

static void
note_failures(struct ps_driver *d)
{
    struct task_info info;

    for (unsigned i = 0; i < engine_task_count(d->engine); i++) {
        engine_task_info(d->engine, i, &info);
        if (info.state != TASK_FAILED)
            continue;
        if (!d->failed && !d->opts.keep_going)
            fprintf(stderr, "driver: task %s/%s has failed: %s\n", info.app,
                info.name, info.reason);
        d->failed = true;
    }
}

void
ps_settle(struct ps_driver *d)
{
    /* what is published may be input again, for tasks with outside effects */
    do {
        while (ps_step(d))
            continue;
        commit(d);
    } while (!engine_is_idle(d->engine));
    note_failures(d);
}

void
ps_advance(struct ps_driver *d, int64_t ms)
{
    assert(ms >= 0);
    ps_settle(d);
    while (ms > 0) {
        int64_t due = engine_due_ms(d->engine) - ps_driver_clock(d);
        int64_t hop = due > 0 && due < ms ? due : ms;

        memory_advance(d->port, hop);
        ms -= hop;
        ps_settle(d);
    }
}

int64_t
ps_driver_clock(struct ps_driver *d)
{
    check_obj(d, DRIVER_MAGIC);
    return d->port->ops->clock_ms(d->port);
}

/* ---- input -------------------------------------------------------------- */

static struct span
dup_span(const void *p, size_t n)
{
    uint8_t *copy;

    if (p == NULL)
        return SPAN_NULL;
    copy = xmalloc(n + 1);
    memcpy(copy, p, n);
    return span_of(copy, n);
}

void
ps_pipe_bytes(struct ps_driver *d, const char *topic, const void *key,
    size_t key_len, const void *value, size_t value_len, int64_t timestamp_ms)
{
    struct piped *p;

    check_obj(d, DRIVER_MAGIC);
    if (memory_topic(d->port, topic) == NULL)
        driver_die("nobody reads or writes a topic '%s'", topic);
    p = xcalloc(1, sizeof *p);
    p->topic = xstrdup(topic);
    p->key = dup_span(key, key_len);
    p->value = dup_span(value, value_len);
    p->timestamp = timestamp_ms;
    *d->piped_last = p;
    d->piped_last = &p->next;
    append(d, p);
    step_done(d);
}

void
ps_pipe_at(struct ps_driver *d, const char *topic, const char *key,
    const char *text, int64_t timestamp_ms)
{
    const struct ps_serde *ks = NULL, *vs = NULL;
    struct span k, v;

    check_obj(d, DRIVER_MAGIC);
    engine_topic_serdes(d->engine, topic, 0, &ks, &vs);
    arena_reset(&d->arena);
    k = driver_bytes(d, ks, key);
    v = driver_bytes(d, vs, text);
    ps_pipe_bytes(d, topic, k.ptr, k.len, v.ptr, v.len, timestamp_ms);
}

void
ps_pipe(struct ps_driver *d, const char *topic, const char *key,
    const char *text)
{
    ps_pipe_at(d, topic, key, text, ps_driver_clock(d));
}
