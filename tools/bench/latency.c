/*
 * latency.c: from a producer to a consumer that waits at the tail, at a rate
 * that leaves the broker idle most of the time.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/world.h"
#include "bench/child.h"
#include "bench/floor.h"
#include "bench/latency.h"
#include "bench/tail.h"
#include "bench/raw.h"

enum { LATENCY_MS = 5000 };

void
latency_tell(struct bench *b, const char *who, const char *name,
    const struct histogram *h, const struct floor_ack *f,
    const char *p50_goal, const char *p99_goal)
{
    static const struct {
        const char *key, *name;
        double percent;
    } points[] = {
        {"p50", "p50", 50}, {"p99", "p99", 99}, {"p999", "p99.9", 99.9}};

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        char key[48], text[64];

        snprintf(key, sizeof key, "%s_%s_us", who, points[i].key);
        snprintf(text, sizeof text, "%s: %s", name, points[i].name);
        report_add(&b->report, &(struct figure){.key = key, .name = text,
            .unit = "us",
            .value = (double)histogram_at(h, points[i].percent) / 1e3,
            .floor = f->p50 / 1e3,
            .floor_is = "p50 of append+flush and loopback exchange",
            .goal = i == 0 ? p50_goal : i == 1 ? p99_goal : NULL});
    }
}

struct payload {
    uint8_t *bytes;
    size_t size;
};

static struct span
same_value(void *arg, int64_t n)
{
    const struct payload *p = arg;

    return span_of(p->bytes, p->size);
}

static int
to_the_tail(struct bench *b, const struct child *c, const char *topic,
    struct payload *p, struct err *err)
{
    struct tail_load load = {.address = c->address,
        .from = topic,
        .to = topic,
        .from_partitions = 1,
        .to_partitions = 1,
        .rate = b->rate,
        .ms = bench_ms(b, LATENCY_MS),
        .value = same_value,
        .arg = p};
    struct floor_ack f = {0};
    struct tail_result r;
    int64_t cpu;

    if (!b->on_peer
        && floor_ack(b, b->size + 512, (size_t)b->size + 150, 60, &f, err) < 0)
        return -1;
    cpu = child_cpu_ns(c);
    if (tail_run(&load, &r, err) < 0)
        return -1;
    cpu = child_cpu_ns(c) - cpu;
    latency_tell(b, "latency", "producer to consumer", &r.seen, &f,
        "3 floors + 200", "10 floors");
    latency_tell(b, "latency_ack", "producer to ack", &r.acked, &f, NULL,
        NULL);
    if (c->pid > 0)
        report_add(&b->report, &(struct figure){
            .key = "latency_server_us_per_record",
            .name = "producer to consumer: CPU/record", .unit = "us",
            .value = (double)cpu / 1e3 / (double)r.total});
    return 0;
}

int
bench_latency(struct bench *b, struct err *err)
{
    struct payload p = {xmalloc((size_t)b->size), (size_t)b->size};
    char topic[BENCH_NAME_MAX] = "";
    struct child c;
    int rc = child_start_or_use(&c, b, "latency", err);

    world_random(world_real(), p.bytes, p.size);
    if (rc == 0)
        rc = topic_for(&c, "latency", 1, topic, err);
    if (rc == 0)
        rc = to_the_tail(b, &c, topic, &p, err);
    topic_drop(&c, topic);
    child_stop(&c, SIGTERM);
    folder_remove(c.data);
    free(p.bytes);
    return rc;
}
