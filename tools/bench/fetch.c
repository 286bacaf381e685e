/*
 * fetch.c: consuming from the start, one connection, one Fetch after the
 * other. Hot: what was just written. Cold: after a restart, with the files
 * out of the page cache as far as a process may ask for that. The floor is a
 * bare loopback stream.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bench/child.h"
#include "bench/floor.h"
#include "bench/raw.h"

enum { IN_FLIGHT = 5, CHUNK = 1 << 20, FLOOR_MS = 700 };

static int
fill(struct bench *b, const char *address, const char *topic,
    struct err *err)
{
    int64_t left = b->log_mb << 20, per = b->batch / (b->size + 10);
    struct raw raw = {.fd = -1};
    int rc, in_flight = 0;
    struct span frame;
    struct shot shot;

    shot_make(&shot, topic, 0, per > 0 ? per : 1, b->size);
    rc = raw_open(&raw, address, err);
    while (rc == 0 && (left > 0 || in_flight > 0)) {
        if (left > 0 && in_flight < IN_FLIGHT) {
            rc = bench_stopped(err) < 0 ? -1
                : raw_send(&raw, buf_span(&shot.frame), err);
            left -= shot.bytes;
            in_flight++;
            continue;
        }
        rc = raw_receive(&raw, &frame, err);
        if (rc == 0)
            rc = shot_answered(&raw, frame, err);
        in_flight--;
    }
    raw_close(&raw);
    shot_release(&shot);
    return rc;
}

struct read_result {
    double bytes_s, server_ns, client_ns;        /* ns: CPU a KiB */
    double record_ns;            /* the server's CPU a record */
};

static int
read_through(struct raw_fetch *f, struct raw *raw, int64_t bytes,
    struct err *err)
{
    struct span frame;
    int64_t before;

    while (f->bytes < bytes) {
        before = f->bytes;
        raw_fetch_ask(f);
        if (bench_stopped(err) < 0
            || raw_send(raw, buf_span(&f->frame), err) < 0
            || raw_receive(raw, &frame, err) < 0
            || raw_fetch_take(f, raw, frame, NULL, NULL, err) < 0)
            return -1;
        if (f->bytes == before)
            return err_set(err, ERR_FORMAT, "the topic ends after %lld bytes",
                (long long)f->bytes);
    }
    return 0;
}

static int
read_all(struct bench *b, const struct child *c, const char *topic,
    struct read_result *r, struct err *err)
{
    int64_t began, server, client;
    struct raw_fetch f;
    struct raw raw;
    double kib;
    int rc;

    raw_fetch_init(&f, topic, 1);
    rc = raw_open(&raw, c->address, err);
    began = bench_now_ns();
    server = child_cpu_ns(c);
    client = bench_cpu_ns();
    if (rc == 0)
        rc = read_through(&f, &raw, b->log_mb << 20, err);
    kib = (double)f.bytes / 1024;
    if (rc == 0) {
        r->bytes_s = kib * 1024e9 / (double)(bench_now_ns() - began);
        r->server_ns = (double)(child_cpu_ns(c) - server) / kib;
        r->record_ns = r->server_ns * kib / (double)f.records;
        r->client_ns = (double)(bench_cpu_ns() - client) / kib;
    }
    raw_close(&raw);
    raw_fetch_release(&f);
    return rc;
}

static void
add(struct bench *b, const char *how, const char *key, const char *name,
    const char *unit, double value, double floor, const char *goal)
{
    char k[48], text[64];

    snprintf(k, sizeof k, "fetch_%s_%s", how, key);
    snprintf(text, sizeof text, "consume, %s: %s", how, name);
    report_add(&b->report, &(struct figure){.key = k, .name = text,
        .unit = unit, .value = value, .floor = floor,
        .floor_is = floor > 0 ? "bare loopback stream" : NULL, .goal = goal});
}

static int
measure(struct bench *b, const struct child *c, const char *topic,
    const char *how, const char *goal, struct err *err)
{
    struct floor_stream f = {0};
    struct read_result r = {0};

    if (read_all(b, c, topic, &r, err) < 0)
        return -1;
    if (!b->on_peer && floor_stream(CHUNK, FLOOR_MS, &f, err) < 0)
        return -1;
    add(b, how, "mb_per_s", "bytes", "MB/s", r.bytes_s / 1e6, f.bytes_s / 1e6,
        goal);
    if (c->pid > 0) {
        add(b, how, "server_ns_per_kb", "server CPU", "ns/KB", r.server_ns,
            f.sent_ns, "400");
        add(b, how, "server_ns_per_record", "CPU/record", "ns", r.record_ns,
            0, NULL);
    }
    add(b, how, "client_ns_per_kb", "client CPU", "ns/KB", r.client_ns, 0,
        NULL);
    return 0;
}

/* After a clean stop, so that everything stands in segments. */
static int
cold(struct bench *b, struct child *c, const char *topic, struct err *err)
{
    child_stop(c, SIGTERM);
    folder_forget(c->data);
    if (child_start(c, b, "fetch", child_no_apps, err) < 0)
        return -1;
    return measure(b, c, topic, "cold", NULL, err);
}

int
bench_fetch(struct bench *b, struct err *err)
{
    char topic[BENCH_NAME_MAX] = "";
    struct child c;
    int rc = child_start_or_use(&c, b, "fetch", err);

    if (rc == 0)
        rc = topic_for(&c, "fetch", 1, topic, err);
    if (rc == 0)
        rc = fill(b, c.address, topic, err);
    if (rc == 0)
        rc = measure(b, &c, topic, "hot", "3 x Kafka", err);
    if (rc == 0 && !c.foreign)
        rc = cold(b, &c, topic, err);
    topic_drop(&c, topic);
    child_stop(&c, SIGTERM);
    folder_remove(c.data);
    return rc;
}
