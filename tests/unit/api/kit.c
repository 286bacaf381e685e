#include "config.h"

#include "kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/endian.h"

enum {
    TURNS_MAX = 20000,           /* of waiting for an answer */
    SILENT_TURNS = 20,
    IN_FLIGHT = 64,
    HEADER = 4 + 8 + 2 + 3 + 1,  /* size and header of a request by "kit" */
};

struct client {
    struct kit *kit;
    int fd;
    bool ended;
    int32_t next_id, first_id;   /* correlation ids of what is in flight */
    struct {
        const struct wire_api *api;
        int version;
    } asked[IN_FLIGHT];
    struct buf in;
};

/* ---- the world: the real one, but time may be told to pass ---- */

static int64_t
kit_mono_ns(struct world *w)
{
    const struct kit *k = w->arg;

    return world_mono_ns(world_real()) + k->ahead_ns;
}

static int64_t
kit_wall_ms(struct world *w)
{
    const struct kit *k = w->arg;

    return world_wall_ms(world_real()) + k->ahead_ns / 1000000;
}

static struct world_ops ops;

/* ---- the broker ---- */

/* The path stands wherever the command has %s. */
static void
shell(const char *command, const char *path)
{
    struct buf b;

    buf_init(&b, 4096);
    for (; *command != '\0'; command++) {
        if (command[0] == '%' && command[1] == 's') {
            buf_put_str(&b, path);
            command++;
        } else {
            buf_put_u8(&b, (uint8_t)*command);
        }
    }
    buf_put_u8(&b, 0);
    assert_int_equal(system((const char *)b.ptr), 0);
    buf_release(&b);
}

void
kit_start(struct kit *k)
{
    struct seq_options o = {.dir = k->dir, .world = &k->world,
        .durability = DURABILITY_POWER, .disk_floor = k->disk_floor,
        .ballast = 4096, .journal_first = k->journal_first,
        .map_bytes = 1 * GIB};
    struct err err = {0};

    if (seq_open(&k->seq, &o, &err) < 0
        || api_open(&k->api, k->seq, &k->opts, &err) < 0
        || seq_start(k->seq, topics_replayed, api_topics(k->api), &err) < 0)
        fail_msg("%s", err.text);
    api_start(k->api);
    k->base = event_base_new();
    k->net = net_new(k->base, &api_net_ops, k->api, NULL);
    if (net_listen(k->net, "127.0.0.1:0", false, &k->port, &err) < 0)
        fail_msg("%s", err.text);
    api_set_net(k->api, k->net);
    kit_turn(k, true);
}

void
kit_stop(struct kit *k)
{
    for (size_t i = 0; i < KIT_CLIENTS; i++)
        client_close(k->clients[i]);
    net_free(k->net);
    event_base_free(k->base);
    groups_check(api_groups(k->api));
    topics_check(api_topics(k->api));
    seq_stop(k->seq);
    api_free(k->api);
    seq_close(k->seq);
    k->seq = NULL;
}

void
kit_restart(struct kit *k)
{
    kit_stop(k);
    kit_start(k);
}

/* A copy of the folder is what the disk holds after the process was killed. */
void
kit_crash(struct kit *k)
{
    shell("cp -r %s %s.copy", k->dir);
    kit_stop(k);
    shell("rm -rf %s && mv %s.copy %s", k->dir);
    kit_start(k);
}

void
kit_anew(struct kit *k)
{
    kit_stop(k);
    shell("rm -rf %s && mkdir %s", k->dir);
    kit_start(k);
}

int
kit_setup(void **state)
{
    struct kit *k = xcalloc(1, sizeof *k);

    snprintf(k->dir, sizeof k->dir, "api-test.XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    diag_configure("error", false);
    ops = *world_real()->ops;
    ops.mono_ns = kit_mono_ns;
    ops.wall_ms = kit_wall_ms;
    k->world.ops = &ops;
    k->world.arg = k;
    k->journal_first = 4 * MIB;
    k->disk_floor = 1;
    k->opts = (struct api_options){.node_id = KIT_NODE, .partitions = 1};
    group_config_init(&k->opts.groups);
    arena_init(&k->arena, 256 * MIB);
    kit_start(k);
    *state = k;
    return 0;
}

int
kit_teardown(void **state)
{
    struct kit *k = *state;

    if (k->seq != NULL)
        kit_stop(k);
    arena_release(&k->arena);
    shell("rm -rf %s %s.copy", k->dir);
    free(k);
    return 0;
}

void
kit_turn(struct kit *k, bool publish)
{
    event_base_loop(k->base, EVLOOP_NONBLOCK);
    api_tick(k->api);
    if (publish) {
        seq_turn(k->seq);
        seq_keep(k->seq, false);
    }
    net_flush(k->net);
    groups_check(api_groups(k->api));
}

void
kit_pass(struct kit *k, int64_t ms)
{
    while (ms > 0) {
        int64_t step = ms < 1000 ? ms : 1000;

        k->ahead_ns += step * 1000000;
        ms -= step;
        kit_turn(k, true);
    }
    kit_turn(k, true);
}

void
kit_forget(struct kit *k)
{
    arena_reset(&k->arena);
}

/* splitmix64 */
uint64_t
kit_random(struct kit *k, uint64_t below)
{
    uint64_t z = k->rng += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

void *
kit_new(struct kit *k, const struct wire_type *type, size_t n)
{
    void *p = wire_new(type, &k->arena, n);

    assert_non_null(p);
    return p;
}

void *
kit_alloc(struct kit *k, size_t bytes)
{
    void *p = arena_zalloc(&k->arena, bytes + 1);

    assert_non_null(p);
    return p;
}

struct span
kit_text(struct kit *k, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return arena_copy(&k->arena, span_str(text));
}

/* ---- clients ---- */

struct client *
kit_connect(struct kit *k)
{
    struct client *c = xcalloc(1, sizeof *c);
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons(k->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    size_t i = 0;

    while (i < KIT_CLIENTS && k->clients[i] != NULL)
        i++;
    assert_true(i < KIT_CLIENTS);
    k->clients[i] = c;
    c->kit = k;
    buf_init(&c->in, 128 * MIB);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(c->fd >= 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
    return c;
}

void
client_close(struct client *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < KIT_CLIENTS; i++)
        if (c->kit->clients[i] == c)
            c->kit->clients[i] = NULL;
    if (c->kit->main == c)
        c->kit->main = NULL;
    close(c->fd);
    buf_release(&c->in);
    free(c);
}

void
client_reset(struct client *c)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once,
        sizeof at_once), 0);
    client_close(c);
}

bool
client_ended(const struct client *c)
{
    return c->ended;
}

bool
client_asked(const struct client *c, int *key)
{
    if (c->first_id == c->next_id)
        return false;
    *key = c->asked[c->first_id % IN_FLIGHT].api->key;
    return true;
}

static void
client_fill(struct client *c)
{
    for (;;) {
        uint8_t *at = buf_reserve(&c->in, 64 * 1024);
        ssize_t n;

        assert_non_null(at);
        n = recv(c->fd, at, 64 * 1024, 0);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            c->ended = true;
        if (n <= 0)
            return;
        c->in.len += (size_t)n;
    }
}

void
client_send_bytes(struct client *c, struct span s)
{
    size_t at = 0;

    for (int i = 0; at < s.len && i < TURNS_MAX; i++) {
        ssize_t n = send(c->fd, s.ptr + at, s.len - at, MSG_NOSIGNAL);

        if (n > 0)
            at += (size_t)n;
        else
            kit_turn(c->kit, true); /* the broker reads */
    }
    assert_int_equal(at, s.len);
}

void
client_send(struct client *c, int key, int version, const void *request)
{
    const struct wire_api *api = wire_api(key);
    struct wire_out out;
    struct buf all;

    assert_true(c->next_id - c->first_id < IN_FLIGHT);
    c->asked[c->next_id % IN_FLIGHT].api = api;
    c->asked[c->next_id % IN_FLIGHT].version = version;
    wire_out_init(&out, 128 * MIB, SIZE_MAX);
    wire_put_request(api, version, c->next_id++, S("kit"), request, &out);
    assert_false(wire_out_failed(&out));
    buf_init(&all, 128 * MIB);
    wire_out_copy(&out, &all);
    if (c->kit->mangle != NULL && all.len > HEADER)
        c->kit->mangle(c->kit, all.ptr + HEADER, all.len - HEADER);
    client_send_bytes(c, buf_span(&all));
    buf_release(&all);
    wire_out_release(&out);
}

const void *
client_poll(struct client *c)
{
    const struct wire_api *api = c->asked[c->first_id % IN_FLIGHT].api;
    int version = c->asked[c->first_id % IN_FLIGHT].version;
    struct err err = {0};
    struct span body;
    size_t used;
    int32_t id;
    void *out;

    client_fill(c);
    if (c->in.len < 4 || c->in.len - 4 < get_be32(c->in.ptr))
        return NULL;
    assert_true(c->first_id < c->next_id);
    body = arena_copy(&c->kit->arena, span_of(c->in.ptr + 4,
        get_be32(c->in.ptr)));
    c->in.len -= 4 + body.len;
    memmove(c->in.ptr, c->in.ptr + 4 + body.len, c->in.len);
    if (wire_decode_response_header(api, version, body, &id, &used, &err) < 0)
        fail_msg("%s v%d: %s", api->name, version, err.text);
    assert_int_equal(id, c->first_id);
    c->first_id++;
    if (wire_decode(api->response, version, span_of(body.ptr + used,
            body.len - used), &c->kit->arena, &out, &err) < 0)
        fail_msg("%s v%d: %s", api->name, version, err.text);
    return out;
}

const void *
client_wait(struct client *c)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        const void *out = client_poll(c);

        if (out != NULL)
            return out;
        if (c->ended)
            fail_msg("the broker has closed the connection");
        kit_turn(c->kit, true);
        if (i > 100)
            poll(&p, 1, 1);
    }
    fail_msg("no answer");
    return NULL;
}

void
client_expect_silence(struct client *c, bool publish)
{
    for (int i = 0; i < SILENT_TURNS; i++) {
        kit_turn(c->kit, publish);
        assert_null(client_poll(c));
    }
}

void
client_expect_closed(struct client *c)
{
    for (int i = 0; i < TURNS_MAX && !c->ended; i++) {
        kit_turn(c->kit, true);
        client_fill(c);
    }
    assert_true(c->ended);
}

const void *
client_call(struct client *c, int key, int version, const void *request)
{
    client_send(c, key, version, request);
    return client_wait(c);
}

const void *
kit_call(struct kit *k, int key, int version, const void *request)
{
    if (k->main == NULL)
        k->main = kit_connect(k);
    return client_call(k->main, key, version, request);
}

/* ---- what most stories need ---- */

void
kit_topic(struct kit *k, const char *name, int32_t partitions)
{
    struct topic_new n = {.name = S(name), .partitions = partitions};
    struct err err = {0};

    assert_error(topics_create(api_topics(k->api), &n, false, NULL, &err),
        KERR_NONE);
    kit_turn(k, true);
}

struct uuid
kit_topic_id(struct kit *k, const char *name)
{
    const struct topic *t = topics_find(api_topics(k->api), S(name));

    assert_non_null(t);
    return t->id;
}

bool
span_is(struct span s, const char *text)
{
    if (text == NULL ? s.ptr == NULL : s.ptr != NULL && span_eq(s, S(text)))
        return true;
    print_error("have \"%.*s\", want \"%s\"\n", (int)s.len,
        s.ptr == NULL ? "(null)" : (const char *)s.ptr,
        text == NULL ? "(null)" : text);
    return false;
}

void
error_is(int code, enum kerr want, const char *file, int line)
{
    if (code == (int)want)
        return;
    print_error("have %s, want %s\n", kerr_name(code), kerr_name((int)want));
    _fail(file, line);
}
