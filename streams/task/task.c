/*
 * task.c: one sub-topology on one partition.
 *
 *     CREATED --open--> RUNNING <--pause/resume--> PAUSED
 *                          `--a record (PS_STOP), the port--> FAILED
 *
 * A step is at most one run:
 *
 *     timers of the clock, if the barrier is open          (timers.c)
 *     poll the inputs that are empty
 *     while there is time: timers of stream time that are due, else the
 *         record with the lowest timestamp, if the gate lets it pass
 *     hand the run over
 */
#include "config.h"

#include "task/task_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "base/endian.h"

enum { BLOB_VERSION = 1, BLOB_BYTES = 1 + 3 * 8, TIME_CHECK = 4, AHEAD = 32 };

/* ---- what commits with it ----------------------------------------------- */

struct span
task_blob(const struct task *t, uint8_t out[PORT_BLOB_MAX])
{
    out[0] = BLOB_VERSION;
    put_be64(out + 1, t->seed);
    put_be64(out + 9, (uint64_t)t->stream_time);
    put_be64(out + 17, (uint64_t)t->clock_ms);
    return span_of(out, BLOB_BYTES);
}

static int
blob_read(struct task *t, struct err *err)
{
    const struct port_task *p = t->port;

    if (p->blob_len == 0) {      /* its first start */
        world_random(t->app->engine->port->world, &t->seed, sizeof t->seed);
        t->stream_time = INT64_MIN;
        t->clock_ms = 0;
        return 0;
    }
    if (p->blob_len != BLOB_BYTES || p->blob[0] != BLOB_VERSION)
        return err_set(err, ERR_FORMAT, "task %s was written by another "
            "version", t->name);
    t->seed = get_be64(p->blob + 1);
    t->stream_time = (int64_t)get_be64(p->blob + 9);
    t->clock_ms = (int64_t)get_be64(p->blob + 17);
    return 0;
}

/* ---- life --------------------------------------------------------------- */

void
task_fail(struct task *t, const char *fmt, ...)
{
    va_list ap;

    check_obj(t, TASK_MAGIC);
    va_start(ap, fmt);
    vsnprintf(t->reason, sizeof t->reason, fmt, ap);
    va_end(ap);
    diag(ERROR, TASK, "a task stops: %s app=%s task=%s", t->reason,
        t->app->name, t->name);
    atomic_store(&t->state, TASK_FAILED);
    if (t->port != NULL)
        t->ops->mark_failed(t->port, t->reason);
}

/* Sources with fewer partitions than the sub-topology have none here. */
static void
inputs_new(struct task *t)
{
    const struct sub *s = t->sub;

    t->inputs = xcalloc(s->source_count, sizeof *t->inputs);
    for (unsigned i = 0; i < s->source_count; i++) {
        const struct node *n = s->sources[i];

        if (t->partition < t->app->topics[n->index].partitions)
            t->inputs[t->input_count++].source = n;
    }
}

static void
timers_new(struct task *t)
{
    const struct sub *s = t->sub;

    t->timers = xcalloc(s->store_count + 1, sizeof *t->timers);
    for (unsigned i = 0; i < s->store_count; i++) {
        const struct node *n = s->stores[i]->owner;

        if (n->timers == s->stores[i])
            t->timers[t->timers_count++] = (struct timers){.node = n,
                .store = i};
    }
}

struct task *
task_new(struct app *a, unsigned sub, int32_t partition)
{
    struct task *t = xcalloc(1, sizeof *t);
    char name[TOPIC_NAME_MAX + 16];

    t->magic = TASK_MAGIC;
    t->app = a;
    t->sub_index = sub;
    t->sub = &a->topology->subs[sub];
    t->partition = partition;
    t->ops = a->engine->port->ops;
    snprintf(name, sizeof name, "%.249s_%d", t->sub->name, partition);
    t->name = xstrdup(name);
    t->scratch = xcalloc(a->topology->node_count, sizeof *t->scratch);
    atomic_init(&t->state, TASK_CREATED);
    inputs_new(t);
    timers_new(t);
    return t;
}

static int
port_open(struct task *t, struct err *err)
{
    struct port *port = t->app->engine->port;
    struct port_input inputs[PORT_INPUTS_MAX];
    const char *stores[TOPOLOGY_STORES_MAX];
    struct port_task_spec spec = {
        .app = t->app->name,
        .name = t->name,
        .inputs = inputs,
        .input_count = t->input_count,
        .stores = stores,
        .store_count = t->sub->store_count,
        .fingerprint = t->app->topology->fingerprint,
        .thread = t->thread};

    for (unsigned i = 0; i < t->input_count; i++)
        inputs[i] = (struct port_input){
            &t->app->topics[t->inputs[i].source->index], t->partition,
            t->sub->outside};
    for (unsigned i = 0; i < t->sub->store_count; i++)
        stores[i] = t->sub->stores[i]->name;
    if (t->ops->open(port, &spec, &t->port, err) != 0)
        return -1;
    for (unsigned i = 0; i < t->input_count; i++) {
        struct input *in = &t->inputs[i];

        in->poll = in->taken = t->port->offsets[i];
        atomic_init(&in->head, TIME_NONE);
        atomic_init(&in->polled, in->poll);
        atomic_init(&in->done, in->taken);
    }
    t->run = t->port->run;
    atomic_init(&t->handed, t->run);
    return blob_read(t, err);
}

/* Calls init or close of each processor. */
static int
processors_call(struct task *t, struct ps_ctx *c, bool init)
{
    const struct ps_topology *top = t->app->topology;

    for (unsigned i = 0; i < top->node_count; i++) {
        const struct node *n = top->nodes[i];
        const struct ps_processor *p = n->processor;

        if (n->sub != t->sub_index || p == NULL)
            continue;
        if (init && p->scratch > 0)
            t->scratch[i] = xcalloc(1, p->scratch);
        ctx_begin(c, t);
        c->node = n;
        c->read_only = true;
        c->root_time = c->out_time = t->stream_time;
        if (init && p->init != NULL &&
            (p->init(c, n->conf) != PS_OK || c->failed)) {
            ctx_fail(c, "ProcessingError", "init failed without a word");
            return -1;
        }
        if (!init && p->close != NULL)
            p->close(c, n->conf);
    }
    return 0;
}

/* For other threads: when it wants to run next, how far its time is. */
static void
task_publish(struct task *t, struct ps_ctx *c)
{
    int64_t due = t->timers_count == 0 ? TIME_NONE
        : timers_next(c, t, PS_CLOCK);

    atomic_store_explicit(&t->due_ms, due, memory_order_relaxed);
    atomic_store_explicit(&t->seen_time, t->stream_time,
        memory_order_relaxed);
}

int
task_open(struct task *t, struct ps_ctx *c, struct err *err)
{
    /* The thread that opens is mostly not the one that runs: the context is
     * bound to the latter at its first step. */
    if (port_open(t, err) != 0)
        return -1;
    c->owned = false;
    if (processors_call(t, c, true) != 0)
        task_fail(t, "%s", c->error);
    else
        atomic_store(&t->state, t->app->engine->opts.start_paused ?
            TASK_PAUSED : TASK_RUNNING);
    task_publish(t, c);
    c->owned = false;
    return 0;
}

void
task_close(struct task *t, struct ps_ctx *c)
{
    if (t->port == NULL)
        return;
    c->owned = false;
    if (atomic_load(&t->state) == TASK_RUNNING ||
        atomic_load(&t->state) == TASK_PAUSED)
        processors_call(t, c, false);
    t->ops->close(t->port);
    t->port = NULL;
}

void
task_free(struct task *t)
{
    if (t == NULL)
        return;
    assert(t->port == NULL);
    for (unsigned i = 0; i < t->app->topology->node_count; i++)
        free(t->scratch[i]);
    free(t->scratch);
    free(t->inputs);
    free(t->timers);
    free(t->gates);
    free(t->above);
    free(t->barrier.above);
    free(t->barrier.runs);
    free(t->name);
    t->magic = 0;
    free(t);
}

bool
task_is_linked(const struct task *t, uint64_t run)
{
    return t->ops->linked == NULL || t->ops->linked(t->port) >= run;
}

/* ---- inputs ------------------------------------------------------------- */

static void
input_head(struct input *in)
{
    atomic_store(&in->head, in->at < in->count ?
        in->records[in->at].timestamp : TIME_NONE);
}

/* What a record changes has its key, mostly: the stores may look for the keys
 * of the next records all at once. */
static void
input_ahead(struct task *t, const struct input *in)
{
    struct span keys[AHEAD];
    unsigned n = 0;

    if (t->ops->ahead == NULL || t->sub->store_count == 0)
        return;
    for (unsigned i = in->at; i < in->count && i < in->at + AHEAD; i++)
        if (in->records[i].key.ptr != NULL)
            keys[n++] = in->records[i].key;
    for (unsigned i = 0; i < t->sub->store_count; i++)
        if (t->sub->stores[i]->key == in->source->key_out)
            t->ops->ahead(t->port, i, keys, n);
}

static bool
input_fill(struct task *t, unsigned i)
{
    struct input *in = &t->inputs[i];
    struct err err;

    if (in->at < in->count)
        return true;
    in->at = in->count = 0;
    if (t->ops->poll(t->port, i, in->poll, PORT_POLL_MAX, in->records,
        &in->count, &in->poll, &err) != PORT_OK) {
        task_fail(t, "%s", err.text);
        return false;
    }
    if (in->count == 0)          /* past what nobody shows, if anything */
        in->taken = in->poll;
    input_head(in);
    atomic_store(&in->polled, in->poll);
    return true;
}

static bool
inputs_fill(struct task *t)
{
    for (unsigned i = 0; i < t->input_count; i++) {
        if (!input_fill(t, i))
            return false;
    }
    return true;
}

/* The input with the lowest timestamp at its head, or -1. */
static int
input_choose(const struct task *t)
{
    int best = -1;
    int64_t lowest = TIME_NONE;

    for (unsigned i = 0; i < t->input_count; i++) {
        const struct input *in = &t->inputs[i];

        if (in->at == in->count)
            continue;
        if (best < 0 || in->records[in->at].timestamp < lowest) {
            lowest = in->records[in->at].timestamp;
            best = (int)i;
        }
    }
    return best;
}

/* ---- steps -------------------------------------------------------------- */

static bool
time_is_up(struct task *t, unsigned done, int64_t started_us)
{
    struct world *w = t->app->engine->port->world;

    return done % TIME_CHECK == 0 && done > 0 &&
        world_mono_us(w) - started_us >= RUN_US_MAX;
}

/* One record, or one timer in stream time. False: the run ends here. */
static bool
take_one(struct task *t, struct ps_ctx *c, int64_t bound, bool *worked)
{
    enum unit_result result;
    struct input *in;
    int i;

    if (t->timers_count > 0 && timers_fire(c, t, PS_STREAM_TIME,
        t->stream_time, 1, &result) > 0) {
        *worked = true;
        return true;
    }
    if (atomic_load(&t->state) == TASK_FAILED)
        return false;
    i = input_choose(t);
    if (i < 0)
        return false;
    in = &t->inputs[i];
    if (in->records[in->at].timestamp > bound) {
        t->blocked = true;
        return false;
    }
    if (!t->in_run && !run_open(t, 0))
        return false;
    if (in->at % AHEAD == 0)
        input_ahead(t, in);
    result = unit_record(c, t, (unsigned)i, &in->records[in->at]);
    if (result != UNIT_DONE)
        return false;
    in->at++;
    *worked = true;
    /* the lowest head of several inputs needs all of them filled; one input
     * is filled by the next step */
    return in->at < in->count || (t->input_count > 1 && input_fill(t,
        (unsigned)i));
}

static bool
step_records(struct task *t, struct ps_ctx *c)
{
    unsigned max = t->app->engine->opts.run_records;
    int64_t started = world_mono_us(t->app->engine->port->world);
    int64_t bound = t->gate_count > 0 ? gate_bound(t) : TIME_NONE;
    bool worked = false;

    for (unsigned done = 0; done < max && !time_is_up(t, done, started);
        done++) {
        if (!take_one(t, c, bound, &worked))
            break;
    }
    return worked;
}

static bool
step_timers(struct task *t, struct ps_ctx *c)
{
    unsigned max = t->app->engine->opts.run_records;
    enum unit_result result;
    int64_t limit;

    if (t->timers_count == 0 || !barrier_pass(c, t, &limit))
        return false;
    return timers_fire(c, t, PS_CLOCK, limit, max, &result) > 0;
}

bool
task_step(struct task *t, struct ps_ctx *c)
{
    struct port *port = t->app->engine->port;
    int64_t now;
    bool worked;

    check_obj(t, TASK_MAGIC);
    if (atomic_load(&t->state) != TASK_RUNNING)
        return false;
    assert(!t->in_run);
    t->blocked = false;
    now = port->ops->clock_ms(port);
    if (t->clock_ms < now)
        t->clock_ms = now;
    worked = step_timers(t, c);
    if (!worked && atomic_load(&t->state) == TASK_RUNNING)
        worked = inputs_fill(t) && step_records(t, c);
    if (t->barrier.state != BARRIER_NONE)
        t->blocked = true;
    if (t->in_run)
        run_close(t);
    for (unsigned i = 0; i < t->input_count; i++) {
        input_head(&t->inputs[i]);
        atomic_store(&t->inputs[i].done, t->inputs[i].taken);
    }
    task_publish(t, c);
    return worked;
}
