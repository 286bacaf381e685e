/* pump.c: see pump.h. */
#include "config.h"

#include "bench/pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/endian.h"

enum { EVENTS = 256, WARM_MS = 300, IN_MIN = 512 };

struct pumped {
    struct raw raw;
    int64_t sent_ns;
    size_t next;                 /* shot */
};

struct pumping {
    const struct pump *conf;
    struct pumped *clients;
    struct pump_result *result;
    int epoll;
    bool counts;                 /* the warm-up is over */
    int64_t answers;
};

size_t
pump_whole_frame(struct span in)
{
    size_t n;

    if (in.len < 4)
        return 0;
    n = 4 + (size_t)get_be32(in.ptr);
    return in.len >= n ? n : 0;
}

int
pump_check_frame(struct raw *r, struct span answer, struct err *err)
{
    return shot_answered(r, span_of(answer.ptr + 4, answer.len - 4), err);
}

/* ---- one client --------------------------------------------------------- */

static int
shoot(struct pumping *p, struct pumped *c, struct err *err)
{
    const struct shot *s = &p->conf->shots[c->next++ % p->conf->shot_count];

    c->sent_ns = bench_now_ns();
    return raw_send(&c->raw, buf_span(&s->frame), err);
}

static int
answered(struct pumping *p, struct pumped *c, size_t n, struct err *err)
{
    struct buf *in = &c->raw.in;

    if (p->counts) {
        histogram_add(&p->result->ns, (uint64_t)(bench_now_ns() - c->sent_ns));
        p->answers++;
    }
    if (p->conf->check(&c->raw, span_of(in->ptr, n), err) < 0)
        return -1;
    memmove(in->ptr, in->ptr + n, in->len - n);
    in->len -= n;
    return shoot(p, c, err);
}

/* Reads what is there; `wait`: at least a byte. */
static int
hear(struct pumping *p, struct pumped *c, bool wait, struct err *err)
{
    struct buf *in = &c->raw.in;
    uint8_t *room = buf_reserve(in, IN_MIN);
    ssize_t got;
    size_t n;

    if (room == NULL)
        return err_set(err, ERR_LIMIT, "an answer without an end");
    got = recv(c->raw.fd, room, IN_MIN, wait ? 0 : MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || (!wait && errno == EAGAIN)))
        return 0;
    if (got <= 0)
        return err_set(err, got == 0 ? ECONNRESET : errno, "an answer");
    in->len += (size_t)got;
    n = p->conf->whole(buf_span(in));
    return n > 0 ? answered(p, c, n, err) : 0;
}

/* ---- all of them -------------------------------------------------------- */

static int
round_of(struct pumping *p, struct err *err)
{
    struct epoll_event events[EVENTS];
    int n;

    if (p->conf->clients == 1)
        return hear(p, &p->clients[0], true, err);
    n = epoll_wait(p->epoll, events, EVENTS, 1000);
    for (int i = 0; i < n; i++) {
        if (hear(p, events[i].data.ptr, false, err) < 0)
            return -1;
    }
    return 0;
}

static int
rounds(struct pumping *p, int64_t ms, struct err *err)
{
    int64_t end = bench_now_ns() + ms * 1000000;

    while (bench_now_ns() < end) {
        if (bench_stopped(err) < 0 || round_of(p, err) < 0)
            return -1;
    }
    return 0;
}

static int
open_clients(struct pumping *p, struct err *err)
{
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll < 0)
        return err_set(err, errno, "epoll");
    for (int i = 0; i < p->conf->clients; i++) {
        struct pumped *c = &p->clients[i];
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

        if (raw_open(&c->raw, p->conf->address, err) < 0)
            return -1;
        if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, c->raw.fd, &e) < 0)
            return err_set(err, errno, "epoll");
        c->next = (size_t)i;
    }
    for (int i = 0; i < p->conf->clients; i++) {
        if (shoot(p, &p->clients[i], err) < 0)
            return -1;
    }
    return 0;
}

static int
measure(struct pumping *p, struct err *err)
{
    int64_t began, server, client;

    if (rounds(p, WARM_MS, err) < 0)
        return -1;
    p->counts = true;
    began = bench_now_ns();
    server = child_cpu_ns(p->conf->child);
    client = bench_cpu_ns();
    if (rounds(p, p->conf->ms, err) < 0)
        return -1;
    if (p->answers == 0)
        return err_set(err, ETIMEDOUT, "no request was answered");
    p->result->rate = (double)p->answers * 1e9
        / (double)(bench_now_ns() - began);
    p->result->client_cpu_us = (double)(bench_cpu_ns() - client) / 1e3
        / (double)p->answers;
    p->result->server_cpu_us = (double)(child_cpu_ns(p->conf->child) - server)
        / 1e3 / (double)p->answers;
    return 0;
}

int
pump_run(const struct pump *conf, struct pump_result *result, struct err *err)
{
    struct pumping p = {.conf = conf, .result = result, .epoll = -1};
    int rc;

    memset(result, 0, sizeof *result);
    histogram_init(&result->ns);
    p.clients = xcalloc((size_t)conf->clients, sizeof *p.clients);
    rc = open_clients(&p, err);
    if (rc == 0)
        rc = measure(&p, err);
    for (int i = 0; i < conf->clients; i++)
        raw_close(&p.clients[i].raw);
    if (p.epoll >= 0)
        close(p.epoll);
    free(p.clients);
    return rc;
}
