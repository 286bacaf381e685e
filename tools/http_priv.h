/*
 * http_priv.h: one request under way, and what the routes answer it with.
 *
 *     request ─► http.c: checks, finds the route ─► handler(call)
 *                                                     │
 *          http_reply(), http_fail()  ◄───────────────┤
 *          http_wait(look) ─► look(call) each turn ───┘  true: it replied
 *
 * Ownership: a call is the front's. A handler ends it by http_reply() or
 * http_fail(), after which it is gone, or lets it wait.
 */
#ifndef TOOLS_HTTP_PRIV_H
#define TOOLS_HTTP_PRIV_H

#include "http.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/json.h"
#include "epoch/state.h"

enum {
    HTTP_MAGIC = 0x47700070,
    HTTP_CALL_MAGIC = 0x477ca110,
    HTTP_ARGS_MAX = 2,
    HTTP_PAGE_ROWS_MAX = 1000,
    HTTP_WAIT_MS_MAX = 50000,    /* below the connection's own patience */
    HTTP_LOOK_US = 1000,         /* the least between two looks */
};

struct http_call;
/* Looks whether what it waits for has come: true, it replied. */
typedef bool http_look_fn(struct http_call *);
typedef void http_handler_fn(struct http_call *);

struct http_call {
    uint32_t magic;
    struct http *http;
    struct evhttp_request *req;
    const struct http_route *route;
    struct span args[HTTP_ARGS_MAX];     /* the *s of the path, decoded */
    struct evkeyvalq query;
    struct arena arena;
    struct buf out;              /* the body */

    TAILQ_ENTRY(http_call) next; /* while it waits: */
    http_look_fn *look;
    int64_t until_ns;
    uint64_t epoch;              /* that it waits for */
    unsigned quiet;              /* settle: looks in a row without work */
    int64_t looked_ns, look_us;  /* settle: the last look; until the next */
};

TAILQ_HEAD(http_call_list, http_call);

struct http_counters {
    uint64_t requests, errors;
};

struct http {
    uint32_t magic;
    struct http_env env;
    struct evhttp *evhttp;
    struct evconnlistener *listener;
    struct event *second;        /* accepts again, after a shortage */
    uint16_t port;
    bool loopback;
    struct state_reader reader;
    bool reader_ready;
    struct http_call_list waiting;
    unsigned waiting_count;
    bool quiet_known, quiet;     /* in this turn: nothing is to be done */
    bool stopping;
    int64_t started_ns;
    struct http_counters counters;
};

/* ---- answers ---- */

/* The body is call->out. */
void http_reply(struct http_call *, int status, const char *type);
void http_reply_json(struct http_call *, int status);
/* {"error": the sentence, "code": the word}. */
void http_fail(struct http_call *, int status, const char *code,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Until `look` says that it has answered, or the request's within_ms have
 * passed (504). */
void http_wait(struct http_call *, http_look_fn *look);
/* Until call->epoch is published; then the route's handler gets it. */
void http_wait_epoch(struct http_call *);
/* Answers call->out as JSON once what is linked now is published. */
void http_reply_published(struct http_call *);

int64_t http_now_ns(const struct http *);

/* ---- parameters ---- */

/* NULL: not given. */
const char *http_param(const struct http_call *, const char *name);
/* Of the query. false: it has failed the call. */
bool http_number(struct http_call *, const char *name, int64_t dflt,
    int64_t min, int64_t max, int64_t *out);

const struct ps_app *http_app(const struct http *, struct span name);

/* ---- routes ---- */

http_handler_fn http_get_index, http_get_health, http_post_settle,
    http_get_metrics, http_get_view_row, http_get_view_page,
    http_get_streams, http_get_stream, http_post_pause, http_post_resume;

struct http_route {
    const char *method;          /* GET answers HEAD as well */
    const char *path;            /* `*` stands for one segment */
    http_handler_fn *handle;
    const char *help;
};

extern const struct http_route http_routes[];    /* ends with a NULL path */

#endif
