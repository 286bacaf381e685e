/*
 * Nanoseconds for the hot messages. Not a test: it prints and asserts nothing
 * but that the work is done. Run by hand on a quiet machine.
 */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "wire/wire.h"
#include "wire/msg/fetch.h"
#include "wire/msg/produce.h"

enum { PARTS = 100 };

struct shot {
    const struct wire_msg *msg;
    int version;
    const void *from;
    struct arena arena;
    struct wire_out out;
    struct span body;
};

static uint64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
decode_once(struct shot *s)
{
    struct err err;
    void *got;
    int rc = wire_decode(s->msg, s->version, s->body, &s->arena, &got, &err);

    assert(rc == 0);
    arena_reset(&s->arena);
}

static void
encode_once(struct shot *s)
{
    wire_out_clear(&s->out);
    wire_encode(s->msg, s->version, s->from, &s->out);
}

/* The least of eleven rounds: the others were disturbed. */
static double
least_ns(void (*step)(struct shot *), struct shot *s, size_t turns)
{
    double least = 1e18;

    for (int round = 0; round < 11; round++) {
        uint64_t began = now_ns();

        for (size_t i = 0; i < turns; i++)
            step(s);
        if ((double)(now_ns() - began) / (double)turns < least)
            least = (double)(now_ns() - began) / (double)turns;
    }
    return least;
}

static void
measure(const struct wire_msg *msg, int version, const void *from, int parts)
{
    struct shot s = {msg, version, from};
    size_t turns = parts == 1 ? 100000 : 5000;
    struct buf body;
    double in, out;

    arena_init(&s.arena, 1 << 20);
    wire_out_init(&s.out, 1 << 20, 1024);
    buf_init(&body, 1 << 20);
    wire_encode_buf(msg, version, from, &body);
    s.body = buf_span(&body);
    in = least_ns(decode_once, &s, turns);
    out = least_ns(encode_once, &s, turns);
    printf("%-15s v%-2d %3d partitions %6zu bytes: decode %7.0f ns, "
           "encode %7.0f ns\n",
        msg->name, version, parts, body.len, in, out);
    buf_release(&body);
    wire_out_release(&s.out);
    arena_release(&s.arena);
}

static void
fetch_requests(int parts)
{
    static struct fetch_request_partition p[PARTS];
    struct fetch_request_topic t;
    struct fetch_request r;

    for (int i = 0; i < parts; i++) {
        wire_init(&fetch_request_partition_type, &p[i]);
        p[i].partition = i;
    }
    wire_init(&fetch_request_type, &r);
    wire_init(&fetch_request_topic_type, &t);
    t.topic = span_str("orders");
    t.partitions.v = p;
    t.partitions.n = parts;
    r.topics.v = &t;
    r.topics.n = 1;
    measure(&fetch_request_msg, 11, &r, parts);
    measure(&fetch_request_msg, 12, &r, parts);
    measure(&fetch_request_msg, 18, &r, parts);
}

static void
fetch_responses(int parts)
{
    static struct fetch_response_partition p[PARTS];
    static const uint8_t records[4096];
    struct fetch_response_topic t;
    struct fetch_response r;

    for (int i = 0; i < parts; i++) {
        wire_init(&fetch_response_partition_type, &p[i]);
        p[i].partition_index = i;
        p[i].records = span_of(records, sizeof records);
    }
    wire_init(&fetch_response_type, &r);
    wire_init(&fetch_response_topic_type, &t);
    t.topic = span_str("orders");
    t.partitions.v = p;
    t.partitions.n = parts;
    r.responses.v = &t;
    r.responses.n = 1;
    measure(&fetch_response_msg, 11, &r, parts);
    measure(&fetch_response_msg, 12, &r, parts);
}

static void
produce_requests(int parts)
{
    static struct produce_request_partition p[PARTS];
    static const uint8_t records[400];
    struct produce_request_topic t;
    struct produce_request r;

    for (int i = 0; i < parts; i++) {
        wire_init(&produce_request_partition_type, &p[i]);
        p[i].index = i;
        p[i].records = span_of(records, sizeof records);
    }
    wire_init(&produce_request_type, &r);
    wire_init(&produce_request_topic_type, &t);
    t.name = span_str("orders");
    t.partition_data.v = p;
    t.partition_data.n = parts;
    r.topic_data.v = &t;
    r.topic_data.n = 1;
    measure(&produce_request_msg, 7, &r, parts);
    measure(&produce_request_msg, 9, &r, parts);
}

int
main(void)
{
    for (int parts = 1; parts <= PARTS; parts *= 100) {
        fetch_requests(parts);
        fetch_responses(parts);
        produce_requests(parts);
    }
    return 0;
}
