/* tail.c: see tail.h. Both sockets in one poll(); sends are on time within
 * what the kernel's timers give. */
#include "config.h"

#include "bench/tail.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/world.h"
#include "bench/raw.h"
#include "client/client.h"
#include "record/batch.h"

enum { WARM_MS = 500, DRAIN_MS = 10000, SENT_MAX = 20 * 1000 * 1000 };

struct tailing {
    const struct tail_load *conf;
    struct tail_result *result;
    struct raw producer, consumer;
    struct raw_fetch fetch;
    struct buf out;              /* requests that the socket did not take */
    struct arena arena;          /* of batches that are looked into */
    int64_t began_ns, step_ns;
    int64_t total, warm;         /* records; the first ones don't count */
    int64_t sent, acked, seen;
    int64_t heard_ns;            /* when the answer under way came */
    struct err *err;
};

static int64_t
due_ns(const struct tailing *t, int64_t n)
{
    return t->began_ns + n * t->step_ns;
}

/* ---- producer ----------------------------------------------------------- */

static int
push_out(struct tailing *t)
{
    ssize_t n;

    if (t->out.len == 0)
        return 0;
    n = send(t->producer.fd, t->out.ptr, t->out.len,
        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR
            ? 0 : err_set(t->err, errno, "send");
    memmove(t->out.ptr, t->out.ptr + n, t->out.len - (size_t)n);
    t->out.len -= (size_t)n;
    return 0;
}

static void
queue_record(struct tailing *t, int64_t n)
{
    struct batch_builder builder;
    struct shot shot;
    struct buf batch;
    char key[TAIL_KEY + 16];

    snprintf(key, sizeof key, "%08lld", (long long)n);
    buf_init(&batch, MIB);
    batch_builder_init(&builder, &batch);
    batch_builder_add(&builder, world_wall_ms(world_real()), span_str(key),
        t->conf->value(t->conf->arg, n), NULL, 0);
    batch_builder_end(&builder, &BATCH_BUILD_PLAIN, NULL);
    shot_wrap(&shot, t->conf->from, (int32_t)(n % t->conf->from_partitions),
        buf_span(&batch), 1);
    buf_put_span(&t->out, buf_span(&shot.frame));
    shot_release(&shot);
    buf_release(&batch);
}

static int
send_due(struct tailing *t)
{
    while (t->sent < t->total && bench_now_ns() >= due_ns(t, t->sent))
        queue_record(t, t->sent++);
    if (t->out.failed)
        return err_set(t->err, ERR_LIMIT, "the broker takes no more records");
    return push_out(t);
}

/* ---- answers ------------------------------------------------------------ */

static int
hear(struct tailing *t, struct raw *r)
{
    uint8_t *room = buf_reserve(&r->in, 64 * KIB);
    ssize_t n;

    if (room == NULL)
        return err_set(t->err, ERR_LIMIT, "an answer without an end");
    n = recv(r->fd, room, 64 * KIB, MSG_DONTWAIT);
    t->heard_ns = bench_now_ns();
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return err_set(t->err, n == 0 ? ECONNRESET : errno, "receive");
    r->in.len += (size_t)n;
    return 0;
}

/* The first whole answer of those that have come; false: none is whole. */
static bool
next_answer(struct raw *r, struct span *answer)
{
    if (r->in.len < 4 || r->in.len - 4 < get_be32(r->in.ptr))
        return false;
    *answer = span_of(r->in.ptr + 4, get_be32(r->in.ptr));
    return true;
}

static void
drop_answer(struct raw *r, size_t size)
{
    memmove(r->in.ptr, r->in.ptr + 4 + size, r->in.len - 4 - size);
    r->in.len -= 4 + size;
}

/* Answers come in the order of the requests: the next ack is the next
 * record's. */
static int
hear_acks(struct tailing *t)
{
    struct span answer;

    if (hear(t, &t->producer) < 0)
        return -1;
    while (next_answer(&t->producer, &answer)) {
        if (shot_answered(&t->producer, answer, t->err) < 0)
            return -1;
        if (t->acked >= t->warm)
            histogram_add(&t->result->acked,
                (uint64_t)(t->heard_ns - due_ns(t, t->acked)));
        t->acked++;
        drop_answer(&t->producer, answer.len);
    }
    return 0;
}

static void
see_batch(void *arg, int32_t partition, const struct batch *b)
{
    struct tailing *t = arg;
    struct batch_iter iter;
    struct record r;
    char key[TAIL_KEY + 1];

    arena_reset(&t->arena);
    if (batch_iter_init(&iter, b, &t->arena, NULL) < 0)
        return;
    while (batch_iter_next(&iter, &r, NULL) == 1) {
        int64_t n;

        if (r.key.len != TAIL_KEY)
            continue;
        memcpy(key, r.key.ptr, TAIL_KEY);
        key[TAIL_KEY] = '\0';
        n = strtoll(key, NULL, 10);
        if (n < 0 || n >= t->sent)
            continue;
        if (n >= t->warm)
            histogram_add(&t->result->seen,
                (uint64_t)(t->heard_ns - due_ns(t, n)));
        t->seen++;
    }
}

static int
ask(struct tailing *t)
{
    raw_fetch_ask(&t->fetch);
    return raw_send(&t->consumer, buf_span(&t->fetch.frame), t->err);
}

static int
hear_records(struct tailing *t)
{
    struct span answer;

    if (hear(t, &t->consumer) < 0)
        return -1;
    while (next_answer(&t->consumer, &answer)) {
        if (raw_fetch_take(&t->fetch, &t->consumer, answer, see_batch, t,
                t->err) < 0)
            return -1;
        drop_answer(&t->consumer, answer.len);
        if (ask(t) < 0)
            return -1;
    }
    return 0;
}

/* ---- the run ------------------------------------------------------------ */

static int
wait_and_hear(struct tailing *t)
{
    struct pollfd fds[2] = {
        {.fd = t->producer.fd, .events = POLLIN},
        {.fd = t->consumer.fd, .events = POLLIN}};
    int64_t left = t->sent < t->total
        ? due_ns(t, t->sent) - bench_now_ns() : 100000000;
    struct timespec wait;

    if (t->out.len > 0)
        fds[0].events |= POLLOUT;
    if (left < 0)
        left = 0;
    wait = (struct timespec){left / 1000000000, left % 1000000000};
    if (ppoll(fds, 2, &wait, NULL) <= 0)
        return 0;
    if (fds[1].revents != 0 && hear_records(t) < 0)
        return -1;
    if ((fds[0].revents & POLLOUT) != 0 && push_out(t) < 0)
        return -1;
    return (fds[0].revents & ~POLLOUT) != 0 ? hear_acks(t) : 0;
}

static int
flow(struct tailing *t)
{
    int64_t end;

    t->began_ns = bench_now_ns() + t->step_ns;
    end = due_ns(t, t->total) + (int64_t)DRAIN_MS * 1000000;
    while (t->seen < t->total || t->acked < t->total) {
        if (bench_stopped(t->err) < 0 || send_due(t) < 0
            || wait_and_hear(t) < 0)
            return -1;
        if (bench_now_ns() > end)
            return err_set(t->err, ETIMEDOUT, "of %lld records %lld came to "
                "the consumer", (long long)t->total, (long long)t->seen);
    }
    return 0;
}

/* From the ends that the topic has now. */
static int
at_the_end(struct tailing *t)
{
    struct client *c = topic_client(t->conf->address, t->err);
    const struct client_topic *topic = NULL;
    int rc = -1;

    if (c == NULL)
        return -1;
    topic = client_topic(c, t->conf->to, t->err);
    if (topic != NULL && topic->partitions != t->conf->to_partitions)
        err_set(t->err, ERR_LIMIT, "%s has %d partitions", t->conf->to,
            (int)topic->partitions);
    else if (topic != NULL)
        rc = client_offsets_of(c, topic, OFFSET_END, t->fetch.offsets, t->err);
    client_close(c);
    return rc;
}

int
tail_run(const struct tail_load *conf, struct tail_result *result,
    struct err *err)
{
    struct tailing t = {.conf = conf, .result = result, .err = err};
    int rc = -1;

    histogram_init(&result->seen);
    histogram_init(&result->acked);
    t.step_ns = 1000000000 / conf->rate;
    t.warm = conf->rate * WARM_MS / 1000;
    t.total = t.warm + conf->rate * conf->ms / 1000;
    if (t.total > SENT_MAX)
        return err_set(err, ERR_LIMIT, "too many records: a lower --rate or "
            "fewer --secs");
    prctl(PR_SET_TIMERSLACK, 1);
    buf_init(&t.out, 16 * MIB);
    arena_init(&t.arena, 64 * MIB);
    raw_fetch_init(&t.fetch, conf->to, conf->to_partitions);
    if (at_the_end(&t) == 0 && raw_open(&t.producer, conf->address, err) == 0
        && raw_open(&t.consumer, conf->address, err) == 0 && ask(&t) == 0)
        rc = flow(&t);
    result->sent = t.total - t.warm;
    result->total = t.total;
    raw_close(&t.producer);
    raw_close(&t.consumer);
    raw_fetch_release(&t.fetch);
    arena_release(&t.arena);
    buf_release(&t.out);
    return rc;
}
