/*
 * sync.c: synchronous producers: each sends one record and waits for its ack
 * before the next. It is what group commit is for: n of them share a flush.
 * The floor of n is one bare append of all their batches and one exchange.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "bench/floor.h"
#include "bench/pump.h"

enum { SYNC_MS = 3000 };

struct sync {
    struct bench *bench;
    struct child child;
    struct shot *shot;
};

static const struct {
    int clients;
    const char *goal;
} crowds[] = {
    {1, "0.7 of the floor"},
    {16, "2 x Redis always"},
    {64, "2 x Redis always"},
    {256, "2 x Redis always"},
};

/* "sync_16_" before the key; the name stands behind the crowd's number. */
static void
add(struct bench *b, const char *who, int n, const char *key,
    const char *name, const char *unit, double value, double floor,
    const char *goal)
{
    char k[64], text[80];

    snprintf(k, sizeof k, "%s_%d_%s", who, n, key);
    snprintf(text, sizeof text, "%d sync producer%s: %s", n, n == 1 ? "" : "s",
        name);
    report_add(&b->report, &(struct figure){.key = k, .name = text,
        .unit = unit, .value = value, .floor = floor, .goal = goal,
        .floor_is = floor > 0 ? "append+flush, loopback exchange" : NULL});
}

static int
run(struct sync *s, int clients, struct pump_result *r, struct err *err)
{
    struct pump p = {.address = s->child.address,
        .clients = clients,
        .ms = bench_ms(s->bench, SYNC_MS),
        .child = &s->child,
        .shots = s->shot,
        .shot_count = 1,
        .whole = pump_whole_frame,
        .check = pump_check_frame};

    return pump_run(&p, r, err);
}

/* ---- the crowds --------------------------------------------------------- */

static int
crowd(struct sync *s, int n, const char *goal, struct err *err)
{
    struct bench *b = s->bench;
    int64_t block = n * (s->shot->bytes + 64) + 512;
    bool after = b->turn % 2 == 1;
    struct floor_ack f = {0};
    struct pump_result r;

    if (!after && !b->on_peer
        && floor_ack(b, block, s->shot->frame.len, 60, &f, err) < 0)
        return -1;
    if (run(s, n, &r, err) < 0)
        return -1;
    if (after && !b->on_peer
        && floor_ack(b, block, s->shot->frame.len, 60, &f, err) < 0)
        return -1;
    add(b, "sync", n, "acks_per_s", "acks", "/s", r.rate, n * f.rate, goal);
    add(b, "sync", n, "p50_us", "p50", "us",
        (double)histogram_at(&r.ns, 50) / 1e3, f.p50 / 1e3, NULL);
    add(b, "sync", n, "p99_us", "p99", "us",
        (double)histogram_at(&r.ns, 99) / 1e3, f.p99 / 1e3, NULL);
    if (s->child.pid > 0)
        add(b, "sync", n, "server_cpu_us", "server CPU/ack", "us",
            r.server_cpu_us, 0, NULL);
    add(b, "sync", n, "client_cpu_us", "client CPU/ack", "us",
        r.client_cpu_us, 0, NULL);
    return 0;
}

static int
against_redis(struct sync *s, int n, struct err *err)
{
    struct bench *b = s->bench;
    struct pump_result r;
    struct child redis;
    struct shot shot;
    bool found;
    int rc;

    if (redis_start(&redis, b, &found, err) < 0)
        return -1;
    if (!found)
        return err_set(err, ERR_NOTFOUND, "redis-server is not installed");
    redis_shot(&shot, b->size);
    rc = pump_run(&(struct pump){.address = redis.address,
        .clients = n,
        .ms = bench_ms(b, SYNC_MS),
        .child = &redis,
        .shots = &shot,
        .shot_count = 1,
        .whole = redis_whole,
        .check = redis_check}, &r, err);
    child_stop(&redis, SIGKILL);
    folder_remove(redis.data);
    shot_release(&shot);
    if (rc < 0)
        return -1;
    add(b, "redis", n, "acks_per_s", "Redis, acks", "/s", r.rate, 0, NULL);
    add(b, "redis", n, "server_cpu_us", "Redis, CPU/ack", "us",
        r.server_cpu_us, 0, NULL);
    return 0;
}

static int
crowds_run(struct sync *s, struct err *err)
{
    struct bench *b = s->bench;

    for (size_t i = 0; i < sizeof crowds / sizeof *crowds; i++) {
        int n = crowds[i].clients;

        if (b->producers > 0 && b->producers != n)
            continue;
        if (crowd(s, n, crowds[i].goal, err) < 0)
            return -1;
        if (b->against_redis && !b->on_peer && against_redis(s, n, err) < 0)
            return -1;
    }
    if (b->producers > 0 && b->producers != 1 && b->producers != 16
        && b->producers != 64 && b->producers != 256)
        return crowd(s, (int)b->producers, NULL, err);
    return 0;
}

int
bench_sync(struct bench *b, struct err *err)
{
    struct sync s = {.bench = b};
    char topic[BENCH_NAME_MAX] = "";
    int rc = child_start_or_use(&s.child, b, "sync", err);

    if (rc == 0)
        rc = topic_for(&s.child, "sync", 1, topic, err);
    if (rc == 0) {
        s.shot = shots_make(topic, 1, b->size);
        rc = crowds_run(&s, err);
    }
    shots_free(s.shot, 1);
    topic_drop(&s.child, topic);
    child_stop(&s.child, SIGTERM);
    folder_remove(s.child.data);
    return rc;
}
