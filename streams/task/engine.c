/*
 * engine.c: applications, their tasks, and whose turn it is.
 */
#include "config.h"

#include "task/task_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/diag.h"

enum {
    ENGINE_APPS_MAX = 256,
    ENGINE_THREADS_MAX = 256,
    IDLE_MS = 1000,              /* when no timer is near */
    BLOCKED_MS = 1,              /* when another task is in the way */
};

/* ---- making ------------------------------------------------------------- */

static int
app_build(struct app *a, const struct ps_app *spec, struct err *err,
    struct buf *report)
{
    a->name = spec->name;
    a->topology = topology_new(spec->name);
    spec->build(a->topology, spec->conf);
    if (topology_finish(a->topology) == 0)
        return 0;
    if (report != NULL)
        topology_print_mistakes(a->topology, report);
    return err_set(err, ERR_USAGE, "the topology of '%s' has %u mistakes, "
        "the first: %s", a->name, a->topology->mistake_count,
        a->topology->mistakes[0]);
}

/* A log of our own has as many partitions as what is written into it. */
static int32_t
log_partitions(const struct app *a, const struct node *log)
{
    int32_t most = 1;

    for (unsigned i = 0; i < a->topology->node_count; i++) {
        const struct node *n = a->topology->nodes[i];

        if (n->kind == NODE_REPARTITION && n->log == log &&
            a->sub_partitions[n->sub] > most)
            most = a->sub_partitions[n->sub];
    }
    return most;
}

/* Nodes come in the order of building, so the tasks that write a log are
 * counted before the source that reads it. */
static int
app_topics(struct app *a, struct err *err)
{
    struct port *port = a->engine->port;
    const struct ps_topology *t = a->topology;

    a->topics = xcalloc(t->node_count, sizeof *a->topics);
    a->sub_partitions = xcalloc(t->sub_count, sizeof *a->sub_partitions);
    for (unsigned i = 0; i < t->node_count; i++) {
        const struct node *n = t->nodes[i];
        int32_t want = n->internal ? log_partitions(a, n) : 0;

        if (n->kind != NODE_SOURCE && n->kind != NODE_TO)
            continue;
        if (port->ops->topic(port, n->topic,
            n->internal ? PORT_REPARTITION : PORT_TOPIC, want,
            &a->topics[i], err) != 0)
            return -1;
        if (n->kind == NODE_SOURCE &&
            a->sub_partitions[n->sub] < a->topics[i].partitions)
            a->sub_partitions[n->sub] = a->topics[i].partitions;
    }
    for (unsigned i = 0; i < t->node_count; i++) {
        if (t->nodes[i]->kind == NODE_REPARTITION)
            a->topics[i] = a->topics[t->nodes[i]->log->index];
    }
    return 0;
}

static int
app_side_topics(struct app *a, struct err *err)
{
    struct port *port = a->engine->port;
    char name[TOPIC_NAME_MAX + 32];

    snprintf(name, sizeof name, "%.249s-dead-letter", a->name);
    if (port->ops->topic(port, name, PORT_SIDE, 0, &a->dead_letter, err) != 0)
        return -1;
    snprintf(name, sizeof name, "%.249s-rejected", a->name);
    return port->ops->topic(port, name, PORT_SIDE, 0, &a->rejected, err);
}

static void
app_tasks(struct app *a)
{
    const struct ps_topology *t = a->topology;
    struct engine *e = a->engine;
    unsigned count = 0;

    a->sub_first = xcalloc(t->sub_count, sizeof *a->sub_first);
    for (unsigned s = 0; s < t->sub_count; s++)
        count += (unsigned)a->sub_partitions[s];
    a->tasks = xcalloc(count, sizeof *a->tasks);
    e->tasks = xrealloc(e->tasks, (e->task_count + count) * sizeof *e->tasks);
    for (unsigned s = 0; s < t->sub_count; s++) {
        a->sub_first[s] = a->task_count;
        for (int32_t p = 0; p < a->sub_partitions[s]; p++) {
            struct task *task = task_new(a, s, p);

            /* the stages of one partition are spread over the threads */
            task->thread = e->task_count % e->opts.threads;
            a->tasks[a->task_count++] = task;
            e->tasks[e->task_count++] = task;
        }
    }
}

static int
apps_make(struct engine *e, struct err *err, struct buf *report)
{
    struct err later;
    int rc = 0;

    while (e->opts.apps[e->app_count].name != NULL) {
        if (e->app_count == ENGINE_APPS_MAX)
            return err_set(err, ERR_LIMIT, "more than %d applications",
                ENGINE_APPS_MAX);
        e->app_count++;
    }
    e->apps = xcalloc(e->app_count + 1, sizeof *e->apps);
    for (unsigned i = 0; i < e->app_count; i++) {
        e->apps[i].engine = e;
        /* the report has the mistakes of all, the error the first */
        if (app_build(&e->apps[i], &e->opts.apps[i], rc == 0 ? err : &later,
            report) != 0)
            rc = -1;
    }
    for (unsigned i = 0; i < e->app_count && rc == 0; i++) {
        if (app_topics(&e->apps[i], err) != 0 ||
            app_side_topics(&e->apps[i], err) != 0)
            return -1;
        app_tasks(&e->apps[i]);
    }
    return rc;
}

int
engine_new(const struct engine_opts *opts, struct engine **out,
    struct err *err, struct buf *report)
{
    struct engine *e = xcalloc(1, sizeof *e);
    int rc;

    e->port = opts->port;
    e->opts = *opts;
    if (e->opts.threads == 0)
        e->opts.threads = 1;
    if (e->opts.threads > ENGINE_THREADS_MAX)
        e->opts.threads = ENGINE_THREADS_MAX;
    engine_set_run_records(e, opts->run_records);
    e->workers = xcalloc(e->opts.threads, sizeof(void *));
    e->cursors = xcalloc(e->opts.threads, sizeof *e->cursors);
    for (unsigned i = 0; i < e->opts.threads; i++)
        e->workers[i] = ctx_new(e);
    rc = apps_make(e, err, report);
    if (rc == 0)
        gates_build(e);
    for (unsigned i = 0; i < e->task_count && rc == 0; i++)
        rc = task_open(e->tasks[i], e->workers[e->tasks[i]->thread], err);
    if (rc != 0) {
        engine_free(e);
        e = NULL;
    }
    *out = e;
    return rc;
}

void
engine_free(struct engine *e)
{
    if (e == NULL)
        return;
    for (unsigned i = 0; i < e->task_count; i++)
        task_close(e->tasks[i], e->workers[e->tasks[i]->thread]);
    gates_free(e);
    for (unsigned i = 0; i < e->task_count; i++)
        task_free(e->tasks[i]);
    for (unsigned i = 0; i < e->app_count; i++) {
        struct app *a = &e->apps[i];

        topology_free(a->topology);
        free(a->topics);
        free(a->tasks);
        free(a->sub_first);
        free(a->sub_partitions);
    }
    for (unsigned i = 0; i < e->opts.threads; i++)
        ctx_free(e->workers[i]);
    free(e->workers);
    free(e->cursors);
    free(e->tasks);
    free(e->apps);
    free(e);
}

void
engine_set_run_records(struct engine *e, unsigned count)
{
    e->opts.run_records = count == 0 || count > RUN_RECORDS_MAX ?
        RUN_RECORDS_MAX : count;
}

/* ---- running ------------------------------------------------------------ */

bool
engine_step_task(struct engine *e, unsigned i)
{
    assert(i < e->task_count);
    return task_step(e->tasks[i], e->workers[e->tasks[i]->thread]);
}

bool
engine_step(struct engine *e, unsigned thread)
{
    assert(thread < e->opts.threads);
    for (unsigned n = 0; n < e->task_count; n++) {
        unsigned i = e->cursors[thread]++ % e->task_count;

        if (e->tasks[i]->thread == thread && engine_step_task(e, i))
            return true;
    }
    return false;
}

int64_t
engine_idle_ms(struct engine *e, unsigned thread)
{
    int64_t now = e->port->ops->clock_ms(e->port), idle = IDLE_MS, due;

    for (unsigned i = 0; i < e->task_count; i++) {
        const struct task *t = e->tasks[i];

        if (t->thread != thread || atomic_load(&t->state) != TASK_RUNNING)
            continue;
        if (t->blocked)
            return BLOCKED_MS;
        due = atomic_load_explicit(&t->due_ms, memory_order_relaxed);
        if (due != TIME_NONE && due - now < idle)
            idle = due - now;
    }
    return idle < BLOCKED_MS ? BLOCKED_MS : idle;
}

int64_t
engine_due_ms(const struct engine *e)
{
    int64_t first = TIME_NONE, due;

    for (unsigned i = 0; i < e->task_count; i++) {
        const struct task *t = e->tasks[i];

        due = atomic_load_explicit(&t->due_ms, memory_order_relaxed);
        if (atomic_load(&t->state) == TASK_RUNNING && due < first)
            first = due;
    }
    return first;
}

bool
engine_is_idle(const struct engine *e)
{
    for (unsigned i = 0; i < e->task_count; i++) {
        const struct task *t = e->tasks[i];

        if (atomic_load(&t->state) != TASK_RUNNING)
            continue;
        if (!task_is_linked(t, atomic_load(&t->handed)))
            return false;
        for (unsigned n = 0; n < t->input_count; n++) {
            if (atomic_load(&t->inputs[n].done) < t->ops->end(t->port, n))
                return false;
        }
    }
    return engine_due_ms(e) > e->port->ops->clock_ms(e->port);
}

bool
engine_is_held_up(const struct engine *e, unsigned *task)
{
    for (unsigned i = 0; i < e->task_count; i++) {
        const struct task *t = e->tasks[i];

        if (atomic_load(&t->state) == TASK_RUNNING || t->port == NULL)
            continue;
        *task = i;
        for (unsigned n = 0; n < t->input_count; n++)
            if (atomic_load(&t->inputs[n].done) < t->ops->end(t->port, n))
                return true;
    }
    return false;
}

void
engine_thread(struct engine *e, unsigned thread)
{
    while (!atomic_load(&e->stop)) {
        if (!engine_step(e, thread) && e->port->ops->wait != NULL)
            e->port->ops->wait(e->port, thread, engine_idle_ms(e, thread));
    }
}

void
engine_stop(struct engine *e)
{
    atomic_store(&e->stop, true);
    for (unsigned i = 0; i < e->opts.threads; i++) {
        if (e->port->ops->wake != NULL)
            e->port->ops->wake(e->port, i);
    }
}

/* A task changes from `from` to `to`, unless it has failed meanwhile. */
static int
change_state(struct engine *e, const char *app, int from, int to)
{
    int rc = -1;

    for (unsigned i = 0; i < e->task_count; i++) {
        struct task *t = e->tasks[i];
        int expected = from;

        if (app != NULL && strcmp(t->app->name, app) != 0)
            continue;
        rc = 0;
        if (atomic_compare_exchange_strong(&t->state, &expected, to))
            diag(INFO, TASK, "task %s app=%s task=%s",
                to == TASK_PAUSED ? "paused" : "resumed", t->app->name,
                t->name);
        if (e->port->ops->wake != NULL)
            e->port->ops->wake(e->port, t->thread);
    }
    return rc;
}

int
engine_pause(struct engine *e, const char *app)
{
    return change_state(e, app, TASK_RUNNING, TASK_PAUSED);
}

int
engine_resume(struct engine *e, const char *app)
{
    return change_state(e, app, TASK_PAUSED, TASK_RUNNING);
}

/* ---- seen from outside -------------------------------------------------- */

unsigned
engine_task_count(const struct engine *e)
{
    return e->task_count;
}

void
engine_task_info(const struct engine *e, unsigned i, struct task_info *out)
{
    const struct task *t = e->tasks[i];

    memset(out, 0, sizeof *out);
    out->app = t->app->name;
    out->name = t->name;
    out->partition = t->partition;
    out->thread = t->thread;
    out->state = (enum task_state)atomic_load(&t->state);
    out->stream_time = atomic_load_explicit(&t->seen_time,
        memory_order_relaxed);
    if (out->state == TASK_FAILED)
        snprintf(out->reason, sizeof out->reason, "%s", t->reason);
    for (unsigned n = 0; n < t->input_count; n++)
        out->lag += t->ops->end(t->port, n) -
            atomic_load(&t->inputs[n].done);
#define X(field, help)                                                         \
    out->field = atomic_load_explicit(&t->stats.field, memory_order_relaxed);
    TASK_COUNTERS(X)
#undef X
}

static const char *
state_name(enum task_state s)
{
    static const char *const names[] = {[TASK_CREATED] = "created",
        [TASK_RUNNING] = "running", [TASK_PAUSED] = "paused",
        [TASK_FAILED] = "failed"};

    return names[s];
}

void
engine_describe(const struct engine *e, struct buf *b)
{
    struct task_info info;

    for (unsigned i = 0; i < e->app_count; i++)
        topology_print(e->apps[i].topology, b);
    buf_put_str(b, "tasks\n");
    for (unsigned i = 0; i < e->task_count; i++) {
        engine_task_info(e, i, &info);
        buf_printf(b, "  %s/%s %s lag=%lld", info.app, info.name,
            state_name(info.state), (long long)info.lag);
#define X(name, help) buf_printf(b, " " #name "=%llu", \
        (unsigned long long)info.name);
        TASK_COUNTERS(X)
#undef X
        buf_printf(b, "%s%s\n", info.reason[0] != '\0' ? " reason: " : "",
            info.reason);
    }
}

void
engine_describe_dot(const struct engine *e, struct buf *b)
{
    for (unsigned i = 0; i < e->app_count; i++)
        topology_print_dot(e->apps[i].topology, b);
}

bool
engine_topic_serdes(const struct engine *e, const char *topic, unsigned input,
    const struct ps_serde **key, const struct ps_serde **value)
{
    for (unsigned a = 0; a < e->app_count; a++) {
        const struct ps_topology *t = e->apps[a].topology;

        for (unsigned i = 0; i < t->node_count; i++) {
            const struct node *n = t->nodes[i];

            if (n->topic == NULL || strcmp(n->topic, topic) != 0)
                continue;
            if (n->kind == NODE_REPARTITION)
                continue;        /* its source knows as much */
            *key = n->key_out;
            *value = n->kind != NODE_SOURCE ? n->value_out
                : input < n->inputs ? n->values[input] : NULL;
            return true;
        }
    }
    return false;
}

bool
engine_topic_is_trusted(const struct engine *e, const char *topic)
{
    for (unsigned a = 0; a < e->app_count; a++) {
        const struct ps_topology *t = e->apps[a].topology;

        for (unsigned i = 0; i < t->node_count; i++) {
            if (t->nodes[i]->trusted &&
                strcmp(t->nodes[i]->topic, topic) == 0)
                return true;
        }
    }
    return false;
}

bool
engine_store_serdes(const struct engine *e, const char *app,
    const char *store, const struct ps_serde **key,
    const struct ps_serde **value)
{
    for (unsigned a = 0; a < e->app_count; a++) {
        const struct ps_topology *t = e->apps[a].topology;

        if (app != NULL && strcmp(e->apps[a].name, app) != 0)
            continue;
        for (unsigned i = 0; i < t->store_count; i++) {
            if (strcmp(t->stores[i]->name, store) == 0) {
                *key = t->stores[i]->key;
                *value = t->stores[i]->value;
                return true;
            }
        }
    }
    return false;
}
