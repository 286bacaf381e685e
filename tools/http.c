/*
 * http.c: from a connection to a route, and back.
 *
 * evhttp holds a request until it is answered and reads no further from its
 * connection meanwhile, so each connection has one call at most. A client
 * that is gone is noticed when we write: then the answer goes nowhere.
 *
 * The body limit that evhttp knows lies above ours, so that a body between
 * the two is refused in our own words (JSON); beyond it evhttp answers.
 */
#include "config.h"

#include "http_priv.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/limits.h"
#include "epoch/seq.h"
#include "net/net.h"
#include "parse.h"
#include "penstock/streams.h"

enum {
    HEADERS_MAX = 16 * KIB,
    BODY_MAX = 64 * KIB,
    EVHTTP_BODY_MAX = 2 * BODY_MAX,
    TIMEOUT_S = 60,
    ARENA_MAX = 32 * MIB,
    OUT_MAX = 32 * MIB,
    WRITE_MAX = 256 * KIB,
};

_Static_assert(HTTP_WAIT_MS_MAX < TIMEOUT_S * 1000, "a wait ends first");

/* clang-format off */
const struct http_route http_routes[] = {
    {"GET", "/", http_get_index, "this list"},
    {"GET", "/v1/health", http_get_health, "is it well"},
    {"GET", "/metrics", http_get_metrics, "counters for Prometheus"},
    {"GET", "/v1/views/*", http_get_view_page,
        "rows of a store: limit=, after=, from=, prefix="},
    {"GET", "/v1/views/*/*", http_get_view_row, "one row of a store"},
    {"GET", "/v1/streams", http_get_streams, "applications and their tasks"},
    {"GET", "/v1/streams/*", http_get_stream,
        "one application, with its topology; format=text, format=dot"},
    {"POST", "/v1/streams/*/pause", http_post_pause, "stops its tasks"},
    {"POST", "/v1/streams/*/resume", http_post_resume, "lets them go on"},
    {"POST", "/v1/settle", http_post_settle,
        "waits until all input is dealt with: within_ms="},
    {NULL, NULL, NULL, NULL},
};
/* clang-format on */

/* ---- calls -------------------------------------------------------------- */

static struct http_call *
call_new(struct http *h, struct evhttp_request *req)
{
    struct http_call *c = xcalloc(1, sizeof *c);

    c->magic = HTTP_CALL_MAGIC;
    c->http = h;
    c->req = req;
    TAILQ_INIT(&c->query);
    arena_init(&c->arena, ARENA_MAX);
    buf_init(&c->out, OUT_MAX);
    return c;
}

static void
call_free(struct http_call *c)
{
    evhttp_clear_headers(&c->query);
    arena_release(&c->arena);
    buf_release(&c->out);
    c->magic = 0;
    free(c);
}

static void
free_body(const void *data, size_t len, void *arg)
{
    (void)data;
    (void)len;
    free(arg);
}

/* The bytes move, they are not copied. */
static struct evbuffer *
take_body(struct http_call *c)
{
    struct evbuffer *b = evbuffer_new();
    size_t len;
    uint8_t *bytes = buf_take(&c->out, &len);

    if (b == NULL || bytes == NULL
        || evbuffer_add_reference(b, bytes, len, free_body, bytes) < 0)
        free(bytes);
    return b;
}

void
http_reply(struct http_call *c, int status, const char *type)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(c->req);
    struct http *h = c->http;
    struct evbuffer *body;
    char epoch[24], length[24];

    check_obj(c, HTTP_CALL_MAGIC);
    if (c->out.failed) {
        buf_release(&c->out);
        buf_init(&c->out, OUT_MAX);
        http_fail(c, 500, "INTERNAL", "the answer is too large");
        return;
    }
    if (status >= 400)
        h->counters.errors++;
    snprintf(epoch, sizeof epoch, "%llu",
        (unsigned long long)seq_published(h->env.seq));
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    evhttp_add_header(headers, "Penstock-Epoch", epoch);
    /* evhttp would send the body to HEAD as well */
    if (evhttp_request_get_command(c->req) == EVHTTP_REQ_HEAD) {
        snprintf(length, sizeof length, "%zu", c->out.len);
        evhttp_add_header(headers, "Content-Length", length);
        body = NULL;
    } else {
        body = take_body(c);
    }
    evhttp_send_reply(c->req, status, NULL, body);
    if (body != NULL)
        evbuffer_free(body);
    call_free(c);
}

void
http_reply_json(struct http_call *c, int status)
{
    buf_put_u8(&c->out, '\n');
    http_reply(c, status, "application/json");
}

void
http_fail(struct http_call *c, int status, const char *code, const char *fmt,
    ...)
{
    char text[400];
    struct json j;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    buf_clear(&c->out);
    json_init(&j, &c->out);
    json_object_begin(&j);
    json_kv_cstr(&j, "error", text);
    json_kv_cstr(&j, "code", code);
    json_object_end(&j);
    http_reply_json(c, status);
}

/* ---- parameters --------------------------------------------------------- */

const char *
http_param(const struct http_call *c, const char *name)
{
    return evhttp_find_header(&c->query, name);
}

bool
http_number(struct http_call *c, const char *name, int64_t dflt, int64_t min,
    int64_t max, int64_t *out)
{
    const char *text = http_param(c, name);
    struct err err;

    *out = dflt;
    if (text == NULL || parse_int(text, min, max, out, &err) == 0)
        return true;
    http_fail(c, 400, "BAD_REQUEST", "%s: %s", name, err.text);
    return false;
}

const struct ps_app *
http_app(const struct http *h, struct span name)
{
    const struct ps_app *a = h->env.apps;

    if (a == NULL || h->env.engine == NULL)
        return NULL;
    while (a->name != NULL && !span_eq(span_str(a->name), name))
        a++;
    return a->name == NULL ? NULL : a;
}

/* ---- paths -------------------------------------------------------------- */

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
        : c >= 'a' && c <= 'f' ? c - 'a' + 10
        : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3986, 2.1; a '+' is a '+' here. Null span: not well formed. */
static struct span
decode(struct arena *arena, const char *s, size_t len)
{
    uint8_t *out = arena_alloc(arena, len + 1);
    size_t n = 0;

    if (out == NULL)
        return SPAN_NULL;
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '%') {
            out[n++] = (uint8_t)s[i];
            continue;
        }
        if (len - i < 3 || hex_digit(s[i + 1]) < 0 || hex_digit(s[i + 2]) < 0)
            return SPAN_NULL;
        out[n++] = (uint8_t)(hex_digit(s[i + 1]) << 4 | hex_digit(s[i + 2]));
        i += 2;
    }
    out[n] = 0;
    return span_of(out, n);
}

/* 1: the path is the route's, call->args are set; 0: it is another; -1: what
 * stands for a `*` is not well formed. */
static int
match(struct http_call *c, const char *pattern, const char *path)
{
    unsigned n = 0;

    while (*pattern != '\0' && *path != '\0') {
        size_t len;

        if (*pattern != '*') {
            if (*pattern++ != *path++)
                return 0;
            continue;
        }
        len = strcspn(path, "/");
        if (len == 0)
            return 0;
        assert(n < HTTP_ARGS_MAX);
        c->args[n] = decode(&c->arena, path, len);
        if (c->args[n++].ptr == NULL)
            return -1;
        path += len;
        pattern++;
    }
    return *pattern == '\0' && *path == '\0';
}

/* ---- requests ----------------------------------------------------------- */

static bool
host_is_local(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < countof(names); i++) {
        size_t n = strlen(names[i]);

        if (strncasecmp(host, names[i], n) != 0)
            continue;
        if (host[n] == '\0'
            || (host[n] == ':'
                && strspn(host + n + 1, "0123456789") == strlen(host + n + 1)))
            return true;
    }
    return false;
}

/* A page of another site: its browser says where it comes from. */
static bool
is_foreign(const char *origin, const char *host)
{
    const char *at = strstr(origin, "://");

    return at == NULL || host == NULL || strcasecmp(at + 3, host) != 0;
}

/* Rule 3 of http.h. false: refused. */
static bool
check_origin(struct http_call *c, const struct evhttp_uri *uri)
{
    struct evkeyvalq *in = evhttp_request_get_input_headers(c->req);
    const char *host = evhttp_find_header(in, "Host");
    const char *origin = evhttp_find_header(in, "Origin");
    const char *named = evhttp_uri_get_host(uri);

    if (c->http->loopback
        && ((host != NULL && !host_is_local(host))
            || (named != NULL && !host_is_local(named)))) {
        http_fail(c, 403, "FORBIDDEN", "this address is served to "
            "localhost, 127.0.0.1 and [::1] only, not to %.100s",
            host != NULL && !host_is_local(host) ? host : named);
        return false;
    }
    if (evhttp_request_get_command(c->req) == EVHTTP_REQ_POST
        && origin != NULL && is_foreign(origin, host)) {
        http_fail(c, 403, "FORBIDDEN", "a page of %.100s may change nothing "
            "here", origin);
        return false;
    }
    return true;
}

static bool
check_request(struct http_call *c, const struct evhttp_uri *uri)
{
    const char *query;
    size_t body = evbuffer_get_length(
        evhttp_request_get_input_buffer(c->req));

    if (uri == NULL) {
        http_fail(c, 400, "BAD_REQUEST", "the request's path is not well "
            "formed");
        return false;
    }
    if (!check_origin(c, uri))
        return false;
    if (body > BODY_MAX) {
        http_fail(c, 413, "TOO_LARGE", "a body has at most %llu bytes, this "
            "has %zu", (unsigned long long)BODY_MAX, body);
        return false;
    }
    query = evhttp_uri_get_query(uri);
    if (query != NULL && *query != '\0'
        && (strstr(query, "%00") != NULL
            || evhttp_parse_query_str(query, &c->query) != 0)) {
        TAILQ_INIT(&c->query);
        http_fail(c, 400, "BAD_REQUEST", "the query is not well formed");
        return false;
    }
    return true;
}

static const char *
method_of(const struct evhttp_request *req)
{
    switch (evhttp_request_get_command(req)) {
    case EVHTTP_REQ_GET:
    case EVHTTP_REQ_HEAD:
        return "GET";
    case EVHTTP_REQ_POST:
        return "POST";
    default:
        return "";
    }
}

/* NULL: it has failed the call. */
static const struct http_route *
find_route(struct http_call *c, const char *path)
{
    const char *method = method_of(c->req), *allow = NULL;

    for (const struct http_route *r = http_routes; r->path != NULL; r++) {
        int rc = match(c, r->path, path);

        if (rc < 0) {
            http_fail(c, 400, "BAD_REQUEST", "the path is not well formed");
            return NULL;
        }
        if (rc == 1 && strcmp(r->method, method) == 0)
            return r;
        if (rc == 1)
            allow = r->method;
    }
    if (allow == NULL) {
        http_fail(c, 404, "NOT_FOUND", "there is nothing at %.200s: see /",
            path);
        return NULL;
    }
    evhttp_add_header(evhttp_request_get_output_headers(c->req), "Allow",
        strcmp(allow, "GET") == 0 ? "GET, HEAD" : allow);
    http_fail(c, 405, "METHOD_NOT_ALLOWED", "%.200s takes %s", path, allow);
    return NULL;
}

static void
on_request(struct evhttp_request *req, void *arg)
{
    struct http *h = arg;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const struct http_route *route;
    struct http_call *c;
    const char *path;
    int64_t at_least;

    check_obj(h, HTTP_MAGIC);
    h->counters.requests++;
    c = call_new(h, req);
    if (h->stopping) {
        http_fail(c, 503, "UNAVAILABLE", "it is being stopped");
        return;
    }
    if (!check_request(c, uri))
        return;
    path = evhttp_uri_get_path(uri);
    route = find_route(c, path == NULL || *path == '\0' ? "/" : path);
    if (route == NULL
        || !http_number(c, "at_least", 0, 0, INT64_MAX, &at_least))
        return;
    c->route = route;
    c->epoch = (uint64_t)at_least;
    if (c->epoch > seq_published(h->env.seq))
        http_wait_epoch(c);
    else
        c->route->handle(c);
}

/* ---- life --------------------------------------------------------------- */

/* Out of descriptors: the listener would be ready again and again. (The
 * second argument is evhttp's, not ours.) */
static void
on_accept_error(struct evconnlistener *l, void *arg)
{
    (void)arg;
    diag(WARN, HTTP, "no descriptor for a connection: %s; accepting again in "
        "a second", strerror(errno));
    evconnlistener_disable(l);
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
    struct http *h = arg;

    (void)fd;
    (void)what;
    if (!h->stopping)
        evconnlistener_enable(h->listener);
}

/* As evhttp would make it, but an answer leaves in few writes. */
static struct bufferevent *
make_connection(struct event_base *base, void *arg)
{
    struct bufferevent *b = bufferevent_socket_new(base, -1, 0);

    (void)arg;
    if (b != NULL)
        bufferevent_set_max_single_write(b, WRITE_MAX);
    return b;
}

static int
open_listener(struct http *h, const char *where, bool allow_public,
    struct err *err)
{
    static const struct timeval second = {1, 0};
    int fd, one = 1;

    if (net_socket(where, allow_public, &fd, &h->port, &h->loopback, err) < 0)
        return -1;
    /* Inherited by what it accepts. The end of an answer would else wait for
     * the peer's delayed acknowledgment of what came before. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    h->listener = evconnlistener_new(h->env.base, NULL, NULL,
        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (h->listener == NULL) {
        close(fd);
        return err_set(err, ENOMEM, "listen on %s", where);
    }
    if (evhttp_bind_listener(h->evhttp, h->listener) == NULL) {
        evconnlistener_free(h->listener);
        h->listener = NULL;
        return err_set(err, ENOMEM, "listen on %s", where);
    }
    evconnlistener_set_error_cb(h->listener, on_accept_error);
    event_add(h->second, &second);
    return 0;
}

int
http_open(struct http **out, const struct http_env *env, const char *where,
    bool allow_public, struct err *err)
{
    struct http *h = xcalloc(1, sizeof *h);

    h->magic = HTTP_MAGIC;
    h->env = *env;
    TAILQ_INIT(&h->waiting);
    h->started_ns = http_now_ns(h);
    h->evhttp = evhttp_new(env->base);
    h->second = event_new(env->base, -1, EV_PERSIST, on_second, h);
    assert(h->evhttp != NULL && h->second != NULL);
    evhttp_set_max_headers_size(h->evhttp, HEADERS_MAX);
    evhttp_set_max_body_size(h->evhttp, EVHTTP_BODY_MAX);
    evhttp_set_timeout(h->evhttp, TIMEOUT_S);
    /* All methods come in, so that a wrong one is refused in our words. */
    evhttp_set_allowed_methods(h->evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_POST
        | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE
        | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_PATCH);
    evhttp_set_default_content_type(h->evhttp, NULL);
    evhttp_set_bevcb(h->evhttp, make_connection, NULL);
    evhttp_set_gencb(h->evhttp, on_request, h);
    if (state_reader_init(&h->reader, seq_state(env->seq), err) < 0) {
        http_close(h);
        return -1;
    }
    h->reader_ready = true;
    if (open_listener(h, where, allow_public, err) < 0) {
        http_close(h);
        return -1;
    }
    *out = h;
    return 0;
}

uint16_t
http_port(const struct http *h)
{
    return h->port;
}

void
http_close(struct http *h)
{
    struct http_call *c;

    if (h == NULL)
        return;
    check_obj(h, HTTP_MAGIC);
    h->stopping = true;
    if (h->listener != NULL)
        evconnlistener_disable(h->listener);
    if (!TAILQ_EMPTY(&h->waiting)) {
        while ((c = TAILQ_FIRST(&h->waiting)) != NULL) {
            TAILQ_REMOVE(&h->waiting, c, next);
            http_fail(c, 503, "UNAVAILABLE", "it is being stopped");
        }
        event_base_loop(h->env.base, EVLOOP_NONBLOCK); /* writes them */
    }
    evhttp_free(h->evhttp);      /* the listener, too */
    event_free(h->second);
    if (h->reader_ready)
        state_reader_release(&h->reader);
    h->magic = 0;
    free(h);
}
