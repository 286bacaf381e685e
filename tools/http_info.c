/* http_info.c: what there is, is it well, and has all been done. */
#include "config.h"

#include "http_priv.h"

#include "api/api.h"
#include "epoch/seq.h"
#include "port/local.h"
#include "task/engine.h"

enum { LOOK_US_MAX = 20000, QUIET_LOOKS = 2 };

void
http_get_index(struct http_call *c)
{
    buf_put_str(&c->out, "penstock " PACKAGE_VERSION "\n\n");
    for (const struct http_route *r = http_routes; r->path != NULL; r++)
        buf_printf(&c->out, "%-5s%-26s%s\n", r->method, r->path, r->help);
    http_reply(c, 200, "text/plain; charset=utf-8");
}

void
http_get_health(struct http_call *c)
{
    const struct http *h = c->http;
    struct seq *seq = h->env.seq;
    const char *why = NULL;
    bool readonly = seq_readonly(seq, &why);
    struct json j;

    json_init(&j, &c->out);
    json_object_begin(&j);
    json_kv_cstr(&j, "status", readonly ? "readonly" : "ok");
    if (readonly)
        json_kv_cstr(&j, "reason", why);
    json_kv_cstr(&j, "version", PACKAGE_VERSION);
    json_key(&j, "epoch");
    json_uint(&j, seq_published(seq));
    json_kv_int(&j, "uptime_ms",
        (http_now_ns(h) - h->started_ns) / 1000000);
    json_object_end(&j);
    http_reply_json(c, 200);
}

/* ---- settle ------------------------------------------------------------- */

/*
 * Nothing is to be done: no task has input or a timer that is due, no run is
 * on its way to the sequencer, no epoch is open or being hardened. One look
 * may fall between two of these, where work has left one and not yet reached
 * the next; so it takes two, and a moment between them.
 */
static bool
is_quiet(struct http *h)
{
    if (!h->quiet_known) {
        h->quiet_known = true;
        h->quiet = (h->env.engine == NULL || engine_is_idle(h->env.engine))
            && !local_in_flight(h->env.local) && seq_gate(h->env.seq) == 0;
    }
    return h->quiet;
}

/* What stands still though it has input will not be done by waiting, and who
 * took it for settled would read what is not yet there. */
static bool
is_held_up(struct http_call *c)
{
    const struct engine *e = c->http->env.engine;
    struct task_info info;
    unsigned task;

    if (e == NULL || !engine_is_held_up(e, &task))
        return false;
    engine_task_info(e, task, &info);
    http_fail(c, 409, "HELD_UP", "task %s of %s %s, and input waits for it",
        info.name, info.app, info.state == TASK_PAUSED ? "is paused"
        : info.state == TASK_FAILED ? "has failed" : "does not run yet");
    return true;
}

static bool
look_for_quiet(struct http_call *c)
{
    struct http *h = c->http;
    int64_t now = http_now_ns(h);
    struct json j;

    if (c->looked_ns != 0 && now - c->looked_ns < HTTP_LOOK_US * 1000)
        return false;
    c->looked_ns = now;
    c->quiet = is_quiet(h) ? c->quiet + 1 : 0;
    if (c->quiet > 0)
        c->look_us = HTTP_LOOK_US;
    else if (c->look_us < LOOK_US_MAX)
        c->look_us *= 2;
    if (c->quiet < QUIET_LOOKS)
        return false;
    if (is_held_up(c))
        return true;
    json_init(&j, &c->out);
    json_object_begin(&j);
    json_key(&j, "epoch");
    json_uint(&j, seq_published(h->env.seq));
    json_object_end(&j);
    http_reply_json(c, 200);
    return true;
}

void
http_post_settle(struct http_call *c)
{
    c->look_us = HTTP_LOOK_US;
    http_wait(c, look_for_quiet);
}
