/* appliance.c: one running Penstock. */
#include "config.h"

#include "appliance.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "http.h"
#include "net/loop.h"
#include "partition/cleaner.h"
#include "port/local.h"
#include "task/engine.h"

enum { CRASHES_MAX = 3 };        /* in a row: then applications wait */

struct worker {
    pthread_t thread;
    struct appliance *appliance;
    unsigned number;
    bool runs;
};

struct appliance {
    struct loop *loop;
    struct seq *seq;
    struct api *api;
    struct net *net;
    struct http *http;
    struct local *local;
    struct engine *engine;
    struct worker *workers;
    unsigned threads;
    const struct ps_app *apps;
    char *crash_mark;            /* stands there after a crash of our own */
    uint16_t port;
};

/* The end of a turn: timers, the cut, then the answers that may leave. */
static int64_t
appliance_turn(void *arg)
{
    struct appliance *a = arg;
    int64_t due = api_tick(a->api) * 1000;
    int64_t again = seq_turn(a->seq), look = -1;

    /* What the turn freed is given away in it: nothing else may wake us. */
    if (api_let_in(a->api))
        again = 0;
    net_flush(a->net);
    if (a->http != NULL)
        look = http_turn(a->http);
    if (again >= 0 && again < due)
        due = again;
    return look >= 0 && look < due ? look : due;
}

static int
open_broker(struct appliance *a, const struct appliance_options *o,
    struct err *err)
{
    struct seq_options so = {.dir = o->data,
        .world = world_real(),
        .durability = o->durability,
        .threads = true,
        .journal_max = o->journal_max,
        .tail_max = o->tail_max,
        .cache_max = o->cache_max,
        .overlay_max = o->overlay_max};
    struct api_options ao = {.node_id = 1,
        .advertised_host = o->advertised_host,
        .advertised_port = o->advertised_port,
        .auto_create = o->auto_create,
        .partitions = o->partitions > 0 ? o->partitions : 1};

    group_config_init(&ao.groups);
    if (seq_open(&a->seq, &so, err) < 0
        || api_open(&a->api, a->seq, &ao, err) < 0
        || local_load(&a->local, a->seq, api_topics(a->api), a->threads,
            ao.partitions, err) < 0
        || seq_start(a->seq, topics_replayed, api_topics(a->api), err) < 0)
        return -1;
    if (o->keep_logs)
        local_keep_logs(a->local);
    api_start(a->api);
    cleaner_start(api_topics(a->api), 0);
    return 0;
}

/* Before applications, which would make theirs with the default. */
static int
make_topics(struct appliance *a, const struct appliance_options *o,
    struct err *err)
{
    const struct appliance_topic *t = o->topics;

    for (; t != NULL && t->name != NULL; t++) {
        struct topic_new n = {.name = span_str(t->name),
            .partitions = t->partitions,
            .settings = local_for_good(),
            .setting_count = o->keep_logs ? 1 : 0};
        enum kerr rc = topics_create(api_topics(a->api), &n, false, NULL,
            err);

        if (rc != KERR_NONE && rc != KERR_TOPIC_ALREADY_EXISTS) {
            err->code = ERR_USAGE;
            return -1;
        }
    }
    return 0;
}

/* ---- applications ---- */

static void *
worker_main(void *arg)
{
    struct worker *w = arg;
    char name[16];

    snprintf(name, sizeof name, "penstock-task%u", w->number);
    thread_name(name);
    engine_thread(w->appliance->engine, w->number);
    return NULL;
}

/* A program error in an application brings the whole process down. If that
 * happens time after time, it starts without running it, and says so. */
static void
count_crashes(struct appliance *a)
{
    bool crashed = access(a->crash_mark, F_OK) == 0;

    for (const struct ps_app *p = a->apps; p->name != NULL; p++) {
        unsigned n = local_app_crashes(a->local, p->name);
        struct err err;

        if (!crashed)
            continue;
        local_app_set_crashes(a->local, p->name, ++n);
        if (n < CRASHES_MAX || local_app_paused(a->local, p->name, NULL))
            continue;
        if (local_app_set_paused(a->local, p->name, true,
                "it was running at three crashes in a row", &err) < 0)
            diag(WARN, TASK, "%s", err.text);
        diag(ERROR, TASK, "application %s was running at %u crashes in a "
            "row: it stays paused until penstock streams resume %s", p->name,
            n, p->name);
    }
    if (crashed)
        unlink(a->crash_mark);
}

static int
open_apps(struct appliance *a, const struct appliance_options *o,
    struct err *err)
{
    struct engine_opts eo = {.port = local_port(a->local),
        .apps = a->apps,
        .threads = a->threads};
    struct buf report;
    int rc;

    if (a->apps == NULL || a->apps[0].name == NULL)
        return 0;
    count_crashes(a);
    if (o->guard != NULL)
        o->guard(a->crash_mark);
    buf_init(&report, 64 * 1024);
    rc = engine_new(&eo, &a->engine, err, &report);
    if (rc < 0 && report.len > 0)
        fprintf(stderr, "%.*s", (int)report.len, (const char *)report.ptr);
    buf_release(&report);
    if (rc < 0)
        return -1;
    for (const struct ps_app *p = a->apps; p->name != NULL; p++)
        if (local_app_paused(a->local, p->name, NULL))
            engine_pause(a->engine, p->name);
    a->workers = xcalloc(a->threads, sizeof *a->workers);
    for (unsigned i = 0; i < a->threads; i++) {
        a->workers[i].appliance = a;
        a->workers[i].number = i;
        must(pthread_create(&a->workers[i].thread, NULL, worker_main,
            &a->workers[i]));
        a->workers[i].runs = true;
    }
    return 0;
}

/* A task that asks the loop for a topic while we wait for it would wait for
 * ever: so the loop goes on turning until all have ended. */
static void
stop_apps(struct appliance *a)
{
    if (a->engine == NULL)
        return;
    engine_stop(a->engine);
    for (unsigned i = 0; a->workers != NULL && i < a->threads; i++) {
        while (a->workers[i].runs
            && pthread_tryjoin_np(a->workers[i].thread, NULL) != 0) {
            seq_turn(a->seq);
            usleep(200);
        }
    }
    for (const struct ps_app *p = a->apps; p->name != NULL; p++)
        local_app_set_crashes(a->local, p->name, 0);
    seq_turn(a->seq);
}

static int
open_fronts(struct appliance *a, const struct appliance_options *o,
    struct err *err)
{
    struct http_env env;

    a->net = net_new(loop_base(a->loop), &api_net_ops, a->api, NULL);
    api_set_net(a->api, a->net);
    if (net_listen(a->net, o->listen, o->allow_public, &a->port, err) < 0)
        return -1;
    if (o->http == NULL)
        return 0;
    env = (struct http_env){.base = loop_base(a->loop),
        .seq = a->seq,
        .api = a->api,
        .net = a->net,
        .local = a->local,
        .engine = a->engine,
        .apps = a->apps};
    return http_open(&a->http, &env, o->http, o->allow_public, err);
}

int
appliance_open(struct appliance **out, const struct appliance_options *o,
    struct err *err)
{
    struct appliance *a = xcalloc(1, sizeof *a);

    char mark[1024];

    a->loop = loop_new();
    a->threads = o->threads > 0 ? o->threads : 1;
    a->apps = o->apps;
    snprintf(mark, sizeof mark, "%s/crashed", o->data);
    a->crash_mark = xstrdup(mark);
    if (open_broker(a, o, err) < 0 || make_topics(a, o, err) < 0
        || open_apps(a, o, err) < 0 || open_fronts(a, o, err) < 0) {
        appliance_close(a);
        return -1;
    }
    loop_watch(a->loop, seq_fd(a->seq));
    loop_hook(a->loop, appliance_turn, a);
    *out = a;
    return 0;
}

void
appliance_run(struct appliance *a)
{
    loop_run(a->loop);
}

void
appliance_stop(struct appliance *a)
{
    loop_stop(a->loop);
}

void
appliance_close(struct appliance *a)
{
    if (a == NULL)
        return;
    http_close(a->http);
    if (a->net != NULL) {
        net_stop_accepting(a->net);
        net_flush(a->net);
        api_set_net(a->api, NULL);
        net_free(a->net);
    }
    stop_apps(a);
    if (a->seq != NULL && a->api != NULL) {
        cleaner_stop(api_topics(a->api)->cleaner);
        seq_on_publish(a->seq, NULL, NULL);
        seq_stop(a->seq);
    }
    /* Only now: what the keeper had still to store names the tasks. */
    engine_free(a->engine);
    free(a->workers);
    local_free(a->local);
    api_free(a->api);
    seq_close(a->seq);
    loop_free(a->loop);
    free(a->crash_mark);
    free(a);
}

const char *
appliance_crash_mark(const struct appliance *a)
{
    return a->crash_mark;
}

uint16_t
appliance_port(const struct appliance *a)
{
    return a->port;
}

uint16_t
appliance_http_port(const struct appliance *a)
{
    return a->http == NULL ? 0 : http_port(a->http);
}

struct event_base *
appliance_base(struct appliance *a)
{
    return loop_base(a->loop);
}
