/* raw.c: see raw.h. Topics are named in requests, so versions stay below 13. */
#include "config.h"

#include "bench/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/world.h"
#include "client/client.h"
#include "client/peer.h"
#include "record/batch.h"
#include "wire/msg/produce.h"
#include "wire/msg/topics.h"
#include "wire/wire.h"

enum { PRODUCE_VERSION = 9, ANSWER_MAX = 128 << 20 };

/* ---- the connection ----------------------------------------------------- */

int
raw_open(struct raw *r, const char *address, struct err *err)
{
    struct timeval wait = {.tv_sec = RAW_WAIT_S};
    struct peer p;
    int flags;

    memset(&p, 0, sizeof p);
    p.stop = &cli_stop;
    buf_init(&r->in, ANSWER_MAX);
    arena_init(&r->arena, 16 * MIB);
    peer_within(&p, RAW_WAIT_S * 1000);
    r->fd = -1;
    if (peer_connect(&p, address, "9092", err) < 0)
        return -1;
    r->fd = p.fd;
    flags = fcntl(r->fd, F_GETFL);
    if (flags < 0 || fcntl(r->fd, F_SETFL, flags & ~O_NONBLOCK) < 0
        || setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0
        || setsockopt(r->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0)
        return err_set(err, errno, "prepare a socket");
    return 0;
}

void
raw_close(struct raw *r)
{
    if (r->in.max == 0)
        return;                  /* zeroed */
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    buf_release(&r->in);
    arena_release(&r->arena);
    memset(r, 0, sizeof *r);
    r->fd = -1;
}

int
raw_send(struct raw *r, struct span s, struct err *err)
{
    while (s.len > 0) {
        ssize_t n = send(r->fd, s.ptr, s.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR && !cli_stop)
            continue;
        if (n <= 0)
            return err_set(err, errno, "send");
        s = span_of(s.ptr + n, s.len - (size_t)n);
    }
    return 0;
}

static int
receive(struct raw *r, uint8_t *to, size_t n, struct err *err)
{
    while (n > 0) {
        ssize_t got = recv(r->fd, to, n, 0);

        if (got < 0 && errno == EINTR && !cli_stop)
            continue;
        if (got < 0)
            return err_set(err, errno, "receive");
        if (got == 0)
            return err_set(err, ECONNRESET, "the broker closed");
        to += got;
        n -= (size_t)got;
    }
    return 0;
}

int
raw_receive(struct raw *r, struct span *frame, struct err *err)
{
    uint8_t size[4];
    uint8_t *room;
    uint32_t n;

    if (receive(r, size, sizeof size, err) < 0)
        return -1;
    n = get_be32(size);
    buf_clear(&r->in);
    room = n > ANSWER_MAX ? NULL : buf_grow(&r->in, n);
    if (room == NULL)
        return err_set(err, ERR_LIMIT, "an answer of %u bytes", n);
    *frame = span_of(room, n);
    return receive(r, room, n, err);
}

/* ---- Produce ------------------------------------------------------------ */

void
shot_wrap(struct shot *s, const char *topic, int32_t partition,
    struct span batch, int64_t records)
{
    struct produce_request rq;
    struct produce_request_topic t;
    struct produce_request_partition p;
    struct wire_out out;

    wire_init(&produce_request_type, &rq);
    wire_init(&produce_request_topic_type, &t);
    wire_init(&produce_request_partition_type, &p);
    p.index = partition;
    p.records = batch;
    t.name = span_str(topic);
    t.partition_data.v = &p;
    t.partition_data.n = 1;
    rq.acks = -1;
    rq.timeout_ms = RAW_WAIT_S * 1000;
    rq.topic_data.v = &t;
    rq.topic_data.n = 1;
    wire_out_init(&out, FRAME_BYTES_MAX, SIZE_MAX);
    wire_put_request(wire_api(API_PRODUCE), PRODUCE_VERSION, 1,
        span_str("bench"), &rq, &out);
    buf_init(&s->frame, FRAME_BYTES_MAX);
    wire_out_copy(&out, &s->frame);
    wire_out_release(&out);
    s->records = records;
    s->bytes = (int64_t)batch.len;
}

void
shot_make(struct shot *s, const char *topic, int32_t partition,
    int64_t records, int64_t size)
{
    uint8_t *value = xmalloc((size_t)size);
    struct batch_builder builder;
    int64_t now = world_wall_ms(world_real());
    struct buf batch;

    buf_init(&batch, FRAME_BYTES_MAX);
    batch_builder_init(&builder, &batch);
    for (int64_t i = 0; i < records; i++) {
        world_random(world_real(), value, (size_t)size);
        batch_builder_add(&builder, now, SPAN_NULL,
            span_of(value, (size_t)size), NULL, 0);
    }
    batch_builder_end(&builder, &BATCH_BUILD_PLAIN, NULL);
    shot_wrap(s, topic, partition, buf_span(&batch), records);
    buf_release(&batch);
    free(value);
}

void
shot_release(struct shot *s)
{
    buf_release(&s->frame);
}

struct shot *
shots_make(const char *topic, int64_t partitions, int64_t size)
{
    struct shot *shots = xcalloc((size_t)partitions, sizeof *shots);

    for (int64_t i = 0; i < partitions; i++)
        shot_make(&shots[i], topic, (int32_t)i, 1, size);
    return shots;
}

void
shots_free(struct shot *shots, int64_t count)
{
    for (int64_t i = 0; shots != NULL && i < count; i++)
        shot_release(&shots[i]);
    free(shots);
}

int
shot_answered(struct raw *r, struct span frame, struct err *err)
{
    const struct wire_api *api = wire_api(API_PRODUCE);
    struct produce_response *answer;
    int32_t correlation;
    size_t used;
    int code;

    arena_reset(&r->arena);
    if (wire_decode_response_header(api, PRODUCE_VERSION, frame, &correlation,
            &used, err) < 0
        || wire_decode(api->response, PRODUCE_VERSION,
            span_of(frame.ptr + used, frame.len - used), &r->arena,
            (void **)&answer, err) < 0)
        return -1;
    if (answer->responses.n != 1
        || answer->responses.v[0].partition_responses.n != 1)
        return err_set(err, ERR_FORMAT, "an answer without a partition");
    code = answer->responses.v[0].partition_responses.v[0].error_code;
    if (code != 0)
        return client_refused(err, code, "produce");
    return 0;
}

int
shot_sync(struct raw *r, const struct shot *s, struct err *err)
{
    struct span frame;

    if (raw_send(r, buf_span(&s->frame), err) < 0
        || raw_receive(r, &frame, err) < 0)
        return -1;
    return shot_answered(r, frame, err);
}

/* ---- around ------------------------------------------------------------- */

struct client *
topic_client(const char *address, struct err *err)
{
    struct client_conf conf = {.bootstrap = address,
        .timeout_ms = RAW_WAIT_S * 1000,
        .name = "bench",
        .stop = &cli_stop};

    return client_open(&conf, err);
}

int
topic_end(struct client *c, const char *name, int64_t *records,
    struct err *err)
{
    int64_t ends[RAW_PARTITIONS_MAX];
    const struct client_topic *t = client_topic(c, name, err);

    *records = 0;
    if (t == NULL)
        return -1;
    if (t->partitions > RAW_PARTITIONS_MAX)
        return err_set(err, ERR_LIMIT, "%s has too many partitions", name);
    if (client_offsets_of(c, t, OFFSET_END, ends, err) < 0)
        return -1;
    for (int32_t i = 0; i < t->partitions; i++)
        *records += ends[i];
    return 0;
}
