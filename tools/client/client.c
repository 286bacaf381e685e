/*
 * client.c: the connection: frames out, frames in, versions. A frame lives
 * in the arena of its answer, so that strings may point into it.
 */
#include "config.h"

#include "client/client_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "wire/msg/metadata.h"

/* ---- errors ------------------------------------------------------------- */

int
client_refused(struct err *err, int kerr, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(err, CLIENT_KERR + kerr, "%s", text);
}

bool
client_kerr(const struct err *err, int *kerr)
{
    if (err->code < CLIENT_KERR - 1)
        return false;
    *kerr = err->code - CLIENT_KERR;
    return true;
}

/* ---- requests out, answers in ------------------------------------------- */

static void
trace(struct client *c, char way, const struct wire_msg *msg, int version,
    const void *body)
{
    struct buf line;

    if (c->trace == NULL)
        return;
    buf_init(&line, 64 * KIB);
    wire_dump(msg->type, version, body, &line);
    fprintf(c->trace, "%c %s v%d %.*s%s\n", way, msg->name, version,
        (int)line.len, (const char *)line.ptr, line.failed ? "..." : "");
    buf_release(&line);
}

static int
send_out(struct client *c, struct err *err)
{
    size_t n = wire_out_iov(&c->out, NULL, 0);
    struct iovec *iov;
    int rc;

    if (wire_out_failed(&c->out))
        return err_set(err, ERR_LIMIT, "the request is too large");
    iov = xcalloc(n, sizeof *iov);
    wire_out_iov(&c->out, iov, n);
    rc = peer_send(&c->peer, iov, (int)n, err);
    free(iov);
    return rc;
}

int
client_send(struct client *c, enum api_key key, const void *request,
    struct err *err)
{
    const struct wire_api *api = wire_api(key);
    struct client_open_request *open;
    int version = c->versions[key];

    assert(c->open_count < CLIENT_PIPELINE);
    if (version < 0)
        return client_refused(err, KERR_UNSUPPORTED_VERSION,
            "%s does not offer %s in a version of ours", c->peer.name,
            api->name);
    open = &c->open[(c->open_first + c->open_count) % CLIENT_PIPELINE];
    open->api = api;
    open->version = version;
    open->correlation = c->correlation++;
    trace(c, '>', api->request, version, request);
    wire_out_clear(&c->out);
    wire_put_request(api, version, open->correlation,
        client_name_span(c->name), request, &c->out);
    peer_within(&c->peer, c->timeout_ms);
    if (send_out(c, err) != 0)
        return -1;
    c->open_count++;
    return 0;
}

static int
receive_frame(struct client *c, struct arena *a, struct span *frame,
    struct err *err)
{
    uint8_t size[4];
    uint8_t *bytes;
    uint32_t n;
    int rc;

    if (peer_recv(&c->peer, size, sizeof size, err) != 0)
        return -1;
    n = get_be32(size);
    if (n > FRAME_BYTES_MAX)
        return err_set(err, ERR_FORMAT, "%s sends a frame of %u bytes: that "
            "is not Kafka's protocol", c->peer.name, n);
    bytes = arena_alloc(a, n + 1);
    if (bytes == NULL)
        return err_set(err, ERR_LIMIT, "an answer of %u bytes", n);
    *frame = span_of(bytes, n);
    c->peer.stop = NULL;         /* a frame that has begun is read whole */
    rc = peer_recv(&c->peer, bytes, n, err);
    c->peer.stop = c->stop;
    return rc;
}

/* A broker that is too old for our ApiVersions says so in version 0. */
static int
version_of_answer(const struct client_open_request *open, struct span body)
{
    if (open->api->key == API_API_VERSIONS && body.len >= 2
        && get_be16(body.ptr) == KERR_UNSUPPORTED_VERSION)
        return 0;
    return open->version;
}

int
client_receive(struct client *c, int wait_ms, struct arena *a, void **answer,
    struct err *err)
{
    const struct client_open_request *open = &c->open[c->open_first];
    struct span frame, body;
    int32_t correlation;
    size_t used;
    int version;

    assert(c->open_count > 0);
    peer_within(&c->peer, (int64_t)c->timeout_ms + wait_ms);
    if (receive_frame(c, a, &frame, err) != 0)
        return err_prefix(err, "%s", open->api->name);
    c->open_first = (c->open_first + 1) % CLIENT_PIPELINE;
    c->open_count--;
    if (wire_decode_response_header(open->api, open->version, frame,
            &correlation, &used, err) != 0)
        return -1;
    if (correlation != open->correlation)
        return err_set(err, ERR_FORMAT, "%s answers request %d, not %d",
            c->peer.name, correlation, open->correlation);
    body = span_of(frame.ptr + used, frame.len - used);
    version = version_of_answer(open, body);
    if (wire_decode(open->api->response, version, body, a, answer, err) != 0)
        return -1;
    trace(c, '<', open->api->response, version, *answer);
    return 0;
}

int
client_drain(struct client *c, struct err *err)
{
    struct arena a;
    void *dropped;
    int rc = 0;

    arena_init(&a, CLIENT_ANSWER_MAX);
    while (c->open_count > 0 && rc == 0) {
        arena_reset(&a);
        rc = client_receive(c, 0, &a, &dropped, err);
    }
    arena_release(&a);
    return rc;
}

int
client_call_wait(struct client *c, enum api_key key, const void *request,
    int wait_ms, struct arena *a, void *answer, struct err *err)
{
    void *got;

    assert(c->open_count == 0);
    if (client_send(c, key, request, err) != 0
        || client_receive(c, wait_ms, a, &got, err) != 0)
        return -1;
    memcpy(answer, &got, sizeof got);
    return 0;
}

int
client_call(struct client *c, enum api_key key, const void *request,
    struct arena *a, void *answer, struct err *err)
{
    return client_call_wait(c, key, request, 0, a, answer, err);
}

/* ---- versions ----------------------------------------------------------- */

int
client_version(const struct client *c, enum api_key key)
{
    return c->versions[key];
}

void
client_cap(struct client *c, enum api_key key, int max)
{
    if (c->versions[key] > max)
        c->versions[key] = (int16_t)(max < wire_api(key)->min ? -1 : max);
}

static void
learn_version(struct client *c, const struct api_versions_response_api *theirs)
{
    const struct wire_api *ours = wire_api(theirs->api_key);
    int lowest, highest;

    if (ours == NULL || ours->key >= CLIENT_KEYS)
        return;
    lowest = ours->min > theirs->min_version ? ours->min : theirs->min_version;
    highest = ours->max < theirs->max_version ? ours->max
                                              : theirs->max_version;
    c->versions[ours->key] = (int16_t)(highest < lowest ? -1 : highest);
}

static int
negotiate(struct client *c, struct err *err)
{
    struct api_versions_request req = {
        .client_software_name = span_str("penstock"),
        .client_software_version = span_str(PACKAGE_VERSION),
    };
    struct api_versions_response *resp;
    struct arena a;
    int rc = -1;

    arena_init(&a, 4 * MIB);
    for (int i = 0; i < CLIENT_KEYS; i++)
        c->versions[i] = -1;
    c->versions[API_API_VERSIONS] = wire_api(API_API_VERSIONS)->max;
    if (client_call(c, API_API_VERSIONS, &req, &a, &resp, err) != 0)
        goto done;
    if (resp->error_code == KERR_UNSUPPORTED_VERSION) {
        c->versions[API_API_VERSIONS] = 0;
        if (client_call(c, API_API_VERSIONS, &req, &a, &resp, err) != 0)
            goto done;
    }
    if (resp->error_code != 0) {
        client_refused(err, resp->error_code, "%s", c->peer.name);
        goto done;
    }
    for (int32_t i = 0; i < resp->api_keys.n; i++)
        learn_version(c, &resp->api_keys.v[i]);
    client_cap(c, API_OFFSET_COMMIT, 9);
    client_cap(c, API_OFFSET_FETCH, 9);
    rc = 0;
done:
    arena_release(&a);
    return rc;
}

/* ---- life --------------------------------------------------------------- */

struct client *
client_open(const struct client_conf *conf, struct err *err)
{
    struct client *c = xcalloc(1, sizeof *c);

    c->peer.fd = -1;
    c->peer.stop = c->stop = conf->stop;
    c->timeout_ms = conf->timeout_ms;
    c->trace = conf->trace;
    c->name = xstrdup(conf->name != NULL ? conf->name : "penstock");
    /* Records are not copied: they lie still until they are sent. */
    wire_out_init(&c->out, FRAME_BYTES_MAX, 4096);
    arena_init(&c->topics_arena, 64 * MIB);
    SLIST_INIT(&c->topics);
    peer_within(&c->peer, conf->timeout_ms);
    if (peer_connect(&c->peer, conf->bootstrap, "9092", err) == 0
        && negotiate(c, err) == 0)
        return c;
    client_close(c);
    return NULL;
}

void
client_close(struct client *c)
{
    if (c == NULL)
        return;
    peer_close(&c->peer);
    wire_out_release(&c->out);
    arena_release(&c->topics_arena);
    free(c->name);
    free(c);
}

void
client_read_committed(struct client *c)
{
    c->committed = true;
}

int
client_timeout_ms(const struct client *c)
{
    return c->timeout_ms;
}
