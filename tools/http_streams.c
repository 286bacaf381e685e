/* http_streams.c: applications: what they do, and stop and go. */
#include "config.h"

#include "http_priv.h"

#include "epoch/seq.h"
#include "port/local.h"
#include "task/engine.h"
#include "topology/topology.h"

static const char *const state_names[] = {[TASK_CREATED] = "created",
    [TASK_RUNNING] = "running", [TASK_PAUSED] = "paused",
    [TASK_FAILED] = "failed"};

/* As bad as its worst task. */
static enum task_state
app_state(const struct engine *e, const char *app)
{
    enum task_state worst = TASK_CREATED;
    struct task_info t;

    for (unsigned i = 0; i < engine_task_count(e); i++) {
        engine_task_info(e, i, &t);
        if (strcmp(t.app, app) == 0 && t.state > worst)
            worst = t.state;
    }
    return worst;
}

static void
put_number(struct json *j, const char *key, uint64_t n)
{
    json_key(j, key);
    json_uint(j, n);
}

static void
put_task(struct json *j, const struct task_info *t)
{
    json_object_begin(j);
    json_kv_cstr(j, "task", t->name);
    json_kv_int(j, "partition", t->partition);
    json_kv_cstr(j, "state", state_names[t->state]);
    json_kv_cstr(j, "reason", t->reason[0] == '\0' ? NULL : t->reason);
    json_kv_int(j, "lag", t->lag);
    put_number(j, "records_in", t->in);
    put_number(j, "records_out", t->out);
    put_number(j, "skipped", t->skipped);
    put_number(j, "dead_lettered", t->dead_lettered);
    put_number(j, "rejected", t->rejected);
    put_number(j, "runs", t->runs);
    json_key(j, "stream_time");
    if (t->stream_time == INT64_MIN)
        json_nil(j);
    else
        json_int(j, t->stream_time);
    json_kv_int(j, "thread", t->thread);
    json_object_end(j);
}

/* The members that an application has wherever it is shown. */
static void
put_app(struct json *j, const struct http *h, const struct ps_app *app)
{
    const struct engine *e = h->env.engine;
    const char *why = NULL;
    struct task_info t;

    json_kv_cstr(j, "name", app->name);
    json_kv_cstr(j, "state", state_names[app_state(e, app->name)]);
    if (local_app_paused(h->env.local, app->name, &why))
        json_kv_cstr(j, "reason", why);
    json_key(j, "tasks");
    json_array_begin(j);
    for (unsigned i = 0; i < engine_task_count(e); i++) {
        engine_task_info(e, i, &t);
        if (strcmp(t.app, app->name) == 0)
            put_task(j, &t);
    }
    json_array_end(j);
}

void
http_get_streams(struct http_call *c)
{
    const struct http_env *e = &c->http->env;
    struct json j;

    json_init(&j, &c->out);
    json_object_begin(&j);
    json_key(&j, "apps");
    json_array_begin(&j);
    for (const struct ps_app *a = e->apps; e->engine != NULL && a != NULL
         && a->name != NULL; a++) {
        json_object_begin(&j);
        put_app(&j, c->http, a);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
    http_reply_json(c, 200);
}

/* NULL: it has failed the call. */
static const struct ps_app *
find_app(struct http_call *c)
{
    const struct ps_app *a = http_app(c->http, c->args[0]);

    if (a == NULL)
        http_fail(c, 404, "NOT_FOUND", "there is no application '%.*s'",
            (int)(c->args[0].len > 100 ? 100 : c->args[0].len),
            (const char *)c->args[0].ptr);
    return a;
}

/* Built once more, to be looked at: the engine's own belongs to tasks. */
static void
put_topology(struct buf *b, const struct ps_app *app, bool dot)
{
    struct ps_topology *t = topology_new(app->name);

    app->build(t, app->conf);
    if (topology_finish(t) != 0)
        topology_print_mistakes(t, b);
    else if (dot)
        topology_print_dot(t, b);
    else
        topology_print(t, b);
    topology_free(t);
}

void
http_get_stream(struct http_call *c)
{
    const struct ps_app *app = find_app(c);
    const char *format = http_param(c, "format");
    struct buf text;
    struct json j;

    if (app == NULL)
        return;
    if (format != NULL && strcmp(format, "json") != 0) {
        bool dot = strcmp(format, "dot") == 0;

        if (!dot && strcmp(format, "text") != 0) {
            http_fail(c, 400, "BAD_REQUEST", "format is json, text or dot");
            return;
        }
        put_topology(&c->out, app, dot);
        http_reply(c, 200, dot ? "text/vnd.graphviz; charset=utf-8"
                               : "text/plain; charset=utf-8");
        return;
    }
    buf_init(&text, 1 << 20);
    put_topology(&text, app, false);
    json_init(&j, &c->out);
    json_object_begin(&j);
    put_app(&j, c->http, app);
    json_key(&j, "topology");
    json_span(&j, buf_span(&text));
    json_object_end(&j);
    buf_release(&text);
    http_reply_json(c, 200);
}

/* ---- stop and go -------------------------------------------------------- */

/* Kept over a restart, so the answer waits until that is on the disk. */
static void
reply_state(struct http_call *c, const struct ps_app *app)
{
    const struct http_env *e = &c->http->env;
    uint64_t gate = seq_gate(e->seq);
    struct json j;

    json_init(&j, &c->out);
    json_object_begin(&j);
    put_number(&j, "epoch", gate != 0 ? gate : seq_published(e->seq));
    json_kv_cstr(&j, "name", app->name);
    json_kv_cstr(&j, "state", state_names[app_state(e->engine, app->name)]);
    json_object_end(&j);
    http_reply_published(c);
}

void
http_post_pause(struct http_call *c)
{
    const struct ps_app *app = find_app(c);
    struct err err;
    int rc;

    if (app == NULL)
        return;
    rc = local_app_set_paused(c->http->env.local, app->name, true,
        "paused by request", &err);
    engine_pause(c->http->env.engine, app->name);
    if (rc < 0)
        http_fail(c, 503, "UNAVAILABLE", "%s", err.text);
    else
        reply_state(c, app);
}

/* A person says that it may run: what it did before is forgiven. */
void
http_post_resume(struct http_call *c)
{
    const struct ps_app *app = find_app(c);
    struct err err;
    int rc;

    if (app == NULL)
        return;
    local_app_set_crashes(c->http->env.local, app->name, 0);
    rc = local_app_set_paused(c->http->env.local, app->name, false, NULL,
        &err);
    engine_resume(c->http->env.engine, app->name);
    if (rc < 0)
        http_fail(c, 503, "UNAVAILABLE", "%s", err.text);
    else
        reply_state(c, app);
}
