/*
 * net.c: sockets and frames.
 *
 * Invariants
 *  1. The receive buffer of a frame grows with what has arrived, never with
 *     what its size declares: a promise of 100 MiB costs its sender bytes.
 *  2. A connection whose output passes OUTPUT_HIGH_WATER is not read until it
 *     has drained: who does not read answers can not make us hold them all.
 *  3. Slots leave in the order they were taken. A slot's bytes are collected
 *     in an evbuffer of its own, moved without copying when its turn comes.
 *  4. A connection is freed only by conn_reap(), between callbacks: whoever
 *     is called in between may go on with it.
 *  5. No peer keeps a connection by doing nothing (conn_is_late): to say its
 *     first word, to end a frame, to take an answer, and to wait for one after
 *     it has closed its side, it has so much time. The clock of a frame
 *     stands still while it is we who do not read.
 *  6. Frames being received hold in_flight_bytes in all, at most. Who finds
 *     no room for the rest of its frame is not read until another one is
 *     through or gone; its clock runs on, so somebody always goes.
 */
#include "config.h"

#include "net/net.h"
#include "net/address.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/endian.h"
#include "base/limits.h"

enum {
    CONN_MAGIC = 0xc0440c40,
    READ_BUFFER = 16 * 1024,     /* small frames are cut out of this */
    GROW_FIRST = 64 * 1024,      /* of a large frame, then doubled */
    READS_A_TURN = 8,            /* so that one sender can't keep the loop */
};

struct slot {
    struct conn *conn;
    TAILQ_ENTRY(slot) next;
    struct evbuffer *out;
    bool ready;
};

TAILQ_HEAD(slot_list, slot);

struct conn {
    uint32_t magic;
    struct net *net;
    uint64_t id;
    int fd;
    struct event *readable, *writable;
    void *session;
    char peer[ADDRESS_TEXT], host[ADDRESS_TEXT];
    uint16_t port;
    struct sockaddr_storage address;

    uint8_t *in;                 /* READ_BUFFER bytes, while it has any */
    size_t in_len;
    struct chunk *frame;         /* a large one, being received */
    size_t frame_len, frame_want;
    struct chunk *starved;       /* given back; starved_len bytes */
    size_t starved_len;
    int paused;
    bool closing, dirty, on_starved, on_closing;
    bool greeted;                /* a whole frame has come */
    bool ended;                  /* the peer has closed its side */
    bool crowded;                /* its frame finds no room to grow */
    int64_t heard_ms, frame_ms;  /* last bytes; begin of the frame */
    int64_t opened_ms, ended_ms;
    int64_t moved_ms;            /* output: last bytes taken, or its begin */

    struct slot_list slots;
    size_t slot_count;
    struct evbuffer *out;
    TAILQ_ENTRY(conn) all, dirty_next, starved_next, closing_next;
};

TAILQ_HEAD(conn_list, conn);

struct listener {
    int fd;
    struct event *event;
    struct net *net;
    TAILQ_ENTRY(listener) next;
};

struct net {
    struct event_base *base;
    const struct net_ops *ops;
    void *arg;
    struct net_limits limits;
    struct conn_list all, dirty, starved, closing;
    TAILQ_HEAD(, listener) listeners;
    struct event *sweep;
    uint64_t next_id, in_flight;
    uint32_t crowded;            /* connections that are */
    bool per_address_usual;      /* limits.h's: this machine is exempt */
    struct net_counters counters;
};

static int64_t
now_ms(void)
{
    struct timespec ts;

    must(clock_gettime(CLOCK_MONOTONIC_COARSE, &ts));
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* At the next flush it writes what it may and goes on reading. */
static void
conn_dirty(struct conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    TAILQ_INSERT_TAIL(&c->net->dirty, c, dirty_next);
}

static void net_uncrowd(struct net *, uint64_t bytes);

/* ---- closing ---- */

void
conn_close(struct conn *c)
{
    check_obj(c, CONN_MAGIC);
    c->closing = true;
    if (!c->on_closing) {
        c->on_closing = true;
        TAILQ_INSERT_TAIL(&c->net->closing, c, closing_next);
    }
}

static void
conn_drop_slots(struct conn *c)
{
    struct slot *s;

    while ((s = TAILQ_FIRST(&c->slots)) != NULL) {
        TAILQ_REMOVE(&c->slots, s, next);
        if (s->out != NULL)
            evbuffer_free(s->out);
        free(s);
    }
}

static void
conn_free(struct conn *c)
{
    struct net *n = c->net;

    if (c->session != NULL)
        n->ops->closed(c->session);
    conn_drop_slots(c);
    TAILQ_REMOVE(&n->all, c, all);
    if (c->dirty)
        TAILQ_REMOVE(&n->dirty, c, dirty_next);
    if (c->on_starved)
        TAILQ_REMOVE(&n->starved, c, starved_next);
    if (c->readable != NULL)
        event_free(c->readable);
    if (c->writable != NULL)
        event_free(c->writable);
    evbuffer_free(c->out);
    close(c->fd);
    if (c->crowded)
        n->crowded--;
    if (c->frame != NULL)
        net_uncrowd(n, c->frame->size);
    chunk_unref(c->frame);
    chunk_unref(c->starved);
    free(c->in);
    n->counters.connections--;
    c->magic = 0;
    free(c);
}

static void
conn_reap(struct net *n)
{
    struct conn *c;

    while ((c = TAILQ_FIRST(&n->closing)) != NULL) {
        TAILQ_REMOVE(&n->closing, c, closing_next);
        conn_free(c);
    }
}

/* ---- reading ---- */

static bool
conn_may_read(const struct conn *c)
{
    return !c->closing && !c->ended && !c->crowded && c->paused == 0
        && c->starved == NULL && c->slot_count < PIPELINE_MAX
        && evbuffer_get_length(c->out) < OUTPUT_HIGH_WATER;
}

static void
conn_want(struct conn *c)
{
    if (conn_may_read(c))
        event_add(c->readable, NULL);
    else
        event_del(c->readable);
}

static void
conn_give(struct conn *c, struct chunk *frame, size_t len)
{
    c->net->counters.frames++;
    c->greeted = true;
    if (!c->net->ops->frame(c->session, frame, len))
        conn_close(c);
}

/* Is the size of the next frame possible? */
static bool
conn_size_ok(struct conn *c, uint32_t size)
{
    uint64_t max = c->net->limits.frame_bytes;

    if (size > 0 && size <= max)
        return true;
    c->net->counters.bad_frames++;
    diag(WARN, NET, "a frame of %u bytes is impossible (1 to %llu): closing "
        "peer=%s conn=%llu", size, (unsigned long long)max, c->peer,
        (unsigned long long)c->id);
    conn_close(c);
    return false;
}

/* Frames that are whole in the read buffer, and the begin of a large one. */
static void
conn_cut(struct conn *c)
{
    size_t at = 0;

    while (c->in_len - at >= 4 && conn_may_read(c) && c->frame == NULL) {
        uint32_t size = get_be32(c->in + at);
        size_t have = c->in_len - at - 4;
        struct chunk *f;

        if (!conn_size_ok(c, size))
            break;
        if (have < size && size + 4 <= READ_BUFFER)
            break; /* it will fit, once the buffer is moved down */
        f = chunk_new(have < size && size > GROW_FIRST ? GROW_FIRST : size);
        memcpy(f->data, c->in + at + 4, have < size ? have : size);
        at += 4 + (have < size ? have : size);
        if (have >= size) {
            conn_give(c, f, size);
            c->frame_ms = 0;
            continue;
        }
        c->frame = f;
        c->frame_len = have;
        c->frame_want = size;
        c->frame_ms = c->heard_ms;
        c->net->in_flight += f->size;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
    if (c->in_len == 0) {
        free(c->in); /* ten thousand idle connections need none */
        c->in = NULL;
    } else if (c->frame_ms == 0) {
        c->frame_ms = c->heard_ms;
    }
}

static ssize_t
conn_read(struct conn *c, void *to, size_t room)
{
    ssize_t n;

    do
        n = read(c->fd, to, room);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        c->net->counters.bytes_in += (uint64_t)n;
        c->heard_ms = now_ms();
        return n;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return -1;
    /* The peer is done. What it asked for is still answered, if that takes
     * no longer than ended_ms: whether anybody reads on its side shows itself
     * only when we write, and a JoinGroup may wait for minutes. */
    if (n == 0 && !TAILQ_EMPTY(&c->slots)) {
        c->ended = true;
        c->ended_ms = now_ms();
    } else {
        conn_close(c);
    }
    return -1;
}

/* Bytes of frames being received are free again: who waits for such reads
 * on at the next flush. */
static void
net_uncrowd(struct net *n, uint64_t bytes)
{
    struct conn *c;

    assert(n->in_flight >= bytes);
    n->in_flight -= bytes;
    if (n->crowded == 0)
        return;
    TAILQ_FOREACH(c, &n->all, all) {
        if (!c->crowded)
            continue;
        c->crowded = false;
        conn_dirty(c);
    }
    n->crowded = 0;
}

/* Doubles the chunk of a large frame once it is full. false: no room now. */
static bool
conn_grow_frame(struct conn *c)
{
    size_t size = c->frame->size * 2;
    struct net *n = c->net;
    struct chunk *bigger;

    if (size > c->frame_want)
        size = c->frame_want;
    /* A frame that is alone may always be received. */
    if (n->in_flight > c->frame->size
        && n->in_flight + (size - c->frame->size)
            > n->limits.in_flight_bytes) {
        c->crowded = true;
        n->crowded++;
        n->counters.crowded++;
        return false;
    }
    bigger = chunk_new(size);
    memcpy(bigger->data, c->frame->data, c->frame_len);
    n->in_flight += size - c->frame->size;
    chunk_unref(c->frame);
    c->frame = bigger;
    return true;
}

static bool
conn_fill_frame(struct conn *c)
{
    struct chunk *f;
    ssize_t n;

    if (c->frame_len == c->frame->size && !conn_grow_frame(c))
        return false;
    n = conn_read(c, c->frame->data + c->frame_len,
        c->frame->size - c->frame_len);
    if (n < 0)
        return false;
    c->frame_len += (size_t)n;
    if (c->frame_len < c->frame_want)
        return true;
    f = c->frame;
    c->frame = NULL;
    c->frame_ms = 0;
    net_uncrowd(c->net, f->size);
    conn_give(c, f, c->frame_want);
    return true;
}

static bool
conn_fill_buffer(struct conn *c)
{
    ssize_t n;

    if (c->in == NULL)
        c->in = xmalloc(READ_BUFFER);
    n = conn_read(c, c->in + c->in_len, READ_BUFFER - c->in_len);
    if (n > 0)
        c->in_len += (size_t)n;
    conn_cut(c);
    return n > 0;
}

static void
conn_readable(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;

    (void)fd;
    (void)what;
    check_obj(c, CONN_MAGIC);
    for (int i = 0; i < READS_A_TURN && conn_may_read(c); i++) {
        size_t before = c->in_len;
        bool more = c->frame != NULL ? conn_fill_frame(c)
                                     : conn_fill_buffer(c);

        /* A buffer that was not filled: there is no more for now. */
        if (!more || (c->frame == NULL && before == 0
                && c->in_len < READ_BUFFER))
            break;
    }
    conn_want(c);
}

/* After a pause frames may be whole in the buffer already. */
static void
conn_go_on(struct conn *c)
{
    if (c->starved == NULL && c->in_len >= 4 && conn_may_read(c))
        conn_cut(c);
    conn_want(c);
}

void
conn_pause(struct conn *c)
{
    check_obj(c, CONN_MAGIC);
    c->paused++;
}

void
conn_resume(struct conn *c)
{
    check_obj(c, CONN_MAGIC);
    assert(c->paused > 0);
    c->paused--;
    conn_dirty(c); /* goes on at the flush, not within this call */
}

void
conn_starve(struct conn *c, struct chunk *frame, size_t len)
{
    check_obj(c, CONN_MAGIC);
    assert(c->starved == NULL);
    c->starved = frame;
    c->starved_len = len;
    c->net->counters.starved++;
    if (!c->on_starved) {
        c->on_starved = true;
        TAILQ_INSERT_TAIL(&c->net->starved, c, starved_next);
    }
}

bool
net_room(struct net *n)
{
    struct conn_list list;
    struct conn *c;
    bool any = false;

    TAILQ_INIT(&list);
    TAILQ_CONCAT(&list, &n->starved, starved_next);
    while ((c = TAILQ_FIRST(&list)) != NULL) {
        struct chunk *f = c->starved;

        any = true;
        TAILQ_REMOVE(&list, c, starved_next);
        c->on_starved = false;
        c->starved = NULL;
        if (c->closing) {
            chunk_unref(f);
            continue;
        }
        n->counters.frames--;
        conn_give(c, f, c->starved_len);
        conn_go_on(c);
    }
    return any;
}

/* ---- writing ---- */

/* Moves what may leave into the output. */
static void
conn_collect(struct conn *c)
{
    struct slot *s;

    if (evbuffer_get_length(c->out) == 0)
        c->moved_ms = now_ms();
    while ((s = TAILQ_FIRST(&c->slots)) != NULL && s->ready) {
        TAILQ_REMOVE(&c->slots, s, next);
        c->slot_count--;
        if (s->out != NULL) {
            evbuffer_add_buffer(c->out, s->out);
            evbuffer_free(s->out);
        }
        free(s);
    }
}

static void
conn_write(struct conn *c)
{
    while (evbuffer_get_length(c->out) > 0) {
        int n = evbuffer_write(c->out, c->fd);

        if (n > 0) {
            c->net->counters.bytes_out += (uint64_t)n;
            c->heard_ms = c->moved_ms = now_ms();
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            event_add(c->writable, NULL);
            return;
        }
        conn_close(c);
        return;
    }
    if (c->ended && TAILQ_EMPTY(&c->slots))
        conn_close(c);
}

static void
conn_writable(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;

    (void)fd;
    (void)what;
    check_obj(c, CONN_MAGIC);
    conn_dirty(c);
}

void
net_flush(struct net *n)
{
    struct conn *c;

    while ((c = TAILQ_FIRST(&n->dirty)) != NULL) {
        TAILQ_REMOVE(&n->dirty, c, dirty_next);
        c->dirty = false;
        if (c->closing)
            continue;
        conn_collect(c);
        conn_write(c);
        conn_go_on(c);
    }
    conn_reap(n);
}

struct slot *
conn_slot(struct conn *c)
{
    struct slot *s = xcalloc(1, sizeof *s);

    check_obj(c, CONN_MAGIC);
    s->conn = c;
    TAILQ_INSERT_TAIL(&c->slots, s, next);
    c->slot_count++;
    return s;
}

void
slot_skip(struct slot *s)
{
    slot_send(s);
}

void
slot_withdraw(struct slot *s)
{
    struct conn *c = s->conn;

    assert(TAILQ_LAST(&c->slots, slot_list) == s);
    TAILQ_REMOVE(&c->slots, s, next);
    c->slot_count--;
    if (s->out != NULL)
        evbuffer_free(s->out);
    free(s);
}

void
slot_copy(struct slot *s, struct span bytes)
{
    if (s->out == NULL)
        s->out = evbuffer_new();
    if (s->out == NULL || evbuffer_add(s->out, bytes.ptr, bytes.len) < 0)
        conn_close(s->conn);
}

void
slot_refer(struct slot *s, struct span bytes,
    void (*done)(const void *, size_t, void *), void *arg)
{
    if (s->out == NULL)
        s->out = evbuffer_new();
    if (s->out == NULL
        || evbuffer_add_reference(s->out, bytes.ptr, bytes.len, done, arg)
            < 0)
        conn_close(s->conn);
}

void
slot_send(struct slot *s)
{
    assert(!s->ready);
    s->ready = true;
    if (TAILQ_FIRST(&s->conn->slots) == s)
        conn_dirty(s->conn);
}

/* ---- accepting ---- */

static bool
net_has_place(struct net *n, const struct sockaddr_storage *from)
{
    const struct conn *c;
    uint32_t same = 0;

    if (n->counters.connections >= n->limits.connections)
        return false;
    /* From this machine comes all that a proxy or a TLS front passes on. */
    if (n->per_address_usual
        && address_is_loopback((const struct sockaddr *)from))
        return true;
    if (n->counters.connections < n->limits.per_address)
        return true;
    TAILQ_FOREACH(c, &n->all, all)
        same += address_same(&c->address, from);
    return same < n->limits.per_address;
}

static void
conn_open(struct net *n, int fd, const struct sockaddr_storage *from)
{
    struct conn *c = xcalloc(1, sizeof *c);
    struct sockaddr_storage local;
    socklen_t len = sizeof local;
    char peer[INET6_ADDRSTRLEN] = "";
    uint16_t port = 0;
    int one = 1;

    memset(&local, 0, sizeof local);
    c->magic = CONN_MAGIC;
    c->net = n;
    c->fd = fd;
    c->id = ++n->next_id;
    c->address = *from;
    c->heard_ms = c->opened_ms = now_ms();
    TAILQ_INIT(&c->slots);
    address_text(from, peer, sizeof peer, &port);
    snprintf(c->peer, sizeof c->peer, "%s:%u", peer, port);
    getsockname(fd, (struct sockaddr *)&local, &len);
    address_text(&local, c->host, sizeof c->host, &c->port);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->readable = event_new(n->base, fd, EV_READ | EV_PERSIST, conn_readable,
        c);
    c->writable = event_new(n->base, fd, EV_WRITE, conn_writable, c);
    c->out = evbuffer_new();
    assert(c->readable != NULL && c->writable != NULL && c->out != NULL);
    TAILQ_INSERT_TAIL(&n->all, c, all);
    n->counters.accepted++;
    n->counters.connections++;
    c->session = n->ops->opened(n->arg, c);
    if (c->session == NULL)
        conn_close(c);
    conn_want(c);
}

static void
listener_ready(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;
    struct net *n = l->net;

    (void)what;
    for (int i = 0; i < 64; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof from;
        int got;

        memset(&from, 0, sizeof from);
        got = accept4(fd, (struct sockaddr *)&from, &len,
            SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (got < 0) {
            /* Out of descriptors: it stays readable, the sweep frees some;
             * without a pause this would spin. */
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM
                || errno == ENOBUFS) {
                diag(WARN, NET, "no descriptor for a connection: %s; "
                    "accepting again in a second", strerror(errno));
                event_del(l->event);
            }
            return;
        }
        if (!net_has_place(n, &from)) {
            n->counters.refused++;
            diag(WARN, NET, "a connection over the limit was refused "
                "open=%llu", (unsigned long long)n->counters.connections);
            close(got);
            continue;
        }
        conn_open(n, got, &from);
    }
}

int
net_listen(struct net *n, const char *where, bool public_ok, uint16_t *port,
    struct err *err)
{
    struct listener *l;
    bool loopback;
    int fd = -1;

    if (net_socket(where, public_ok, &fd, port, &loopback, err) < 0)
        return -1;
    l = xcalloc(1, sizeof *l);
    l->fd = fd;
    l->net = n;
    l->event = event_new(n->base, fd, EV_READ | EV_PERSIST, listener_ready,
        l);
    assert(l->event != NULL);
    event_add(l->event, NULL);
    TAILQ_INSERT_TAIL(&n->listeners, l, next);
    return 0;
}

/* ---- life ---- */

/* Has its peer, or the silence, taken longer than it may? */
static bool
conn_is_late(struct conn *c, int64_t now)
{
    const struct net_limits *l = &c->net->limits;

    if (c->ended)
        return now - c->ended_ms > l->ended_ms;
    if (!c->greeted)
        return now - c->opened_ms > l->greet_ms;
    if (evbuffer_get_length(c->out) > 0)
        return now - c->moved_ms > l->stuck_ms;
    if (c->frame_ms != 0 && !c->crowded && !conn_may_read(c))
        c->frame_ms = now;
    if (c->frame_ms != 0)
        return now - c->frame_ms > l->frame_ms;
    return TAILQ_EMPTY(&c->slots) && c->starved == NULL && c->paused == 0
        && now - c->heard_ms > l->idle_ms;
}

static void
net_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct net *n = arg;
    struct listener *l;
    struct conn *c;
    int64_t now = now_ms();

    (void)fd;
    (void)what;
    TAILQ_FOREACH(l, &n->listeners, next)
        event_add(l->event, NULL);
    TAILQ_FOREACH(c, &n->all, all) {
        if (!c->closing && conn_is_late(c, now)) {
            n->counters.late++;
            conn_close(c);
        }
    }
    conn_reap(n);
}

/* What is 0 is as limits.h has it. */
static void
limits_complete(struct net *n)
{
    struct net_limits *l = &n->limits;

    n->per_address_usual = l->per_address == 0;
    if (l->connections == 0)
        l->connections = CONNECTIONS_MAX;
    if (l->per_address == 0)
        l->per_address = CONNECTIONS_ADDRESS_MAX;
    if (l->frame_bytes == 0)
        l->frame_bytes = FRAME_BYTES_MAX;
    if (l->in_flight_bytes == 0)
        l->in_flight_bytes = FRAMES_BYTES_MAX;
    if (l->idle_ms == 0)
        l->idle_ms = CONN_IDLE_MS;
    if (l->frame_ms == 0)
        l->frame_ms = CONN_FRAME_MS;
    if (l->greet_ms == 0)
        l->greet_ms = CONN_GREET_MS;
    if (l->stuck_ms == 0)
        l->stuck_ms = CONN_STUCK_MS;
    if (l->ended_ms == 0)
        l->ended_ms = CONN_ENDED_MS;
    if (l->sweep_ms == 0)
        l->sweep_ms = CONN_SWEEP_MS;
}

struct net *
net_new(struct event_base *base, const struct net_ops *ops, void *arg,
    const struct net_limits *limits)
{
    struct net *n = xcalloc(1, sizeof *n);
    struct timeval every;

    n->base = base;
    n->ops = ops;
    n->arg = arg;
    if (limits != NULL)
        n->limits = *limits;
    limits_complete(n);
    every.tv_sec = n->limits.sweep_ms / 1000;
    every.tv_usec = n->limits.sweep_ms % 1000 * 1000;
    TAILQ_INIT(&n->all);
    TAILQ_INIT(&n->dirty);
    TAILQ_INIT(&n->starved);
    TAILQ_INIT(&n->closing);
    TAILQ_INIT(&n->listeners);
    n->sweep = event_new(base, -1, EV_PERSIST, net_sweep, n);
    assert(n->sweep != NULL);
    event_add(n->sweep, &every);
    return n;
}

void
net_stop_accepting(struct net *n)
{
    struct listener *l;

    while ((l = TAILQ_FIRST(&n->listeners)) != NULL) {
        TAILQ_REMOVE(&n->listeners, l, next);
        event_free(l->event);
        close(l->fd);
        free(l);
    }
}

void
net_free(struct net *n)
{
    struct conn *c;

    if (n == NULL)
        return;
    net_stop_accepting(n);
    TAILQ_FOREACH(c, &n->all, all)
        conn_close(c);
    conn_reap(n);
    event_free(n->sweep);
    free(n);
}

const char *
conn_peer(const struct conn *c)
{
    return c->peer;
}

const char *
conn_local_host(const struct conn *c)
{
    return c->host;
}

uint16_t
conn_local_port(const struct conn *c)
{
    return c->port;
}

uint64_t
conn_id(const struct conn *c)
{
    return c->id;
}

const struct net_counters *
net_counters(const struct net *n)
{
    return &n->counters;
}
