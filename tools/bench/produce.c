/*
 * produce.c: one connection, five requests under way, batches as large as
 * clients make them, acks=all. The floor is the disk alone: the same bytes,
 * in blocks as large as the frames of the journal were. The broker writes
 * them twice, so half of that is what can be had.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bench/child.h"
#include "bench/floor.h"
#include "bench/meter.h"
#include "bench/raw.h"

enum {
    PRODUCE_MS = 5000,
    WARM_MS = 500,
    IN_FLIGHT = 5,
    EPOCH_BATCHES = 2,           /* that one flush takes, if nobody tells */
    FLOOR_MS = 700,
    CHUNK = 1 << 20,
};

#define BYTES_MAX (INT64_C(6) << 30)     /* of one load: disks are finite */

struct load {
    struct raw raw;
    struct shot shot;
    int in_flight;
    int64_t acked;               /* requests */
};

/* Requests until `ms` have passed; the last ones may still be open. */
static int
flood(struct load *l, int64_t ms, struct err *err)
{
    int64_t end = bench_now_ns() + ms * 1000000;
    struct span frame;

    while (bench_now_ns() < end && l->acked * l->shot.bytes < BYTES_MAX) {
        if (bench_stopped(err) < 0)
            return -1;
        if (l->in_flight < IN_FLIGHT) {
            if (raw_send(&l->raw, buf_span(&l->shot.frame), err) < 0)
                return -1;
            l->in_flight++;
            continue;
        }
        if (raw_receive(&l->raw, &frame, err) < 0
            || shot_answered(&l->raw, frame, err) < 0)
            return -1;
        l->in_flight--;
        l->acked++;
    }
    return 0;
}

struct taken {
    double bytes_s, records_s, server_ns, client_ns;     /* ns: CPU a KiB */
    double record_ns;            /* the server's CPU a record */
    double memory;
};

static int
flood_measured(struct load *l, const struct child *c, int64_t ms,
    struct taken *t, struct err *err)
{
    int64_t began, server, client, acked;
    double secs, kib;

    if (flood(l, WARM_MS, err) < 0)
        return -1;
    began = bench_now_ns();
    server = child_cpu_ns(c);
    client = bench_cpu_ns();
    acked = l->acked;
    if (flood(l, ms, err) < 0)
        return -1;
    secs = (double)(bench_now_ns() - began) / 1e9;
    kib = (double)((l->acked - acked) * l->shot.bytes) / 1024;
    if (kib <= 0)
        return err_set(err, ETIMEDOUT, "nothing was acknowledged");
    t->bytes_s = kib * 1024 / secs;
    t->records_s = (double)((l->acked - acked) * l->shot.records) / secs;
    t->server_ns = (double)(child_cpu_ns(c) - server) / kib;
    t->record_ns = t->server_ns * kib
        / (double)((l->acked - acked) * l->shot.records);
    t->client_ns = (double)(bench_cpu_ns() - client) / kib;
    t->memory = (double)child_memory(c);
    return 0;
}

/* ---- floors ------------------------------------------------------------- */

struct floors {
    double bytes_s;              /* of the disk, for bytes written twice */
    double cpu_ns;               /* to take a KiB and to put it in a file */
};

/* Appends are as large as the frames were, if the broker told. */
static int
floors_of(struct bench *b, const struct child *c, const struct load *l,
    const struct meter *before, struct floors *f, struct err *err)
{
    double frame, unused, cache;
    struct floor_stream stream;
    struct histogram h;

    if (!meter_epoch(c, before, &frame, &unused))
        frame = (double)(EPOCH_BATCHES * l->shot.bytes);
    if (floor_append(b, (int64_t)frame, FLOOR_MS, &h, err) < 0
        || floor_stream(CHUNK, FLOOR_MS, &stream, err) < 0
        || floor_cache(b, &cache, err) < 0)
        return -1;
    f->bytes_s = floor_rate(&h) * frame / 2;
    f->cpu_ns = stream.taken_ns + cache;
    return 0;
}

/* ---- figures ------------------------------------------------------------ */

static void
tell(struct bench *b, const struct child *c, const char *what, int64_t size,
    const struct taken *t, const struct floors *f)
{
    static const char half[] = "half of bare append+flush",
        copies[] = "a loopback receive, a write to the page cache";
    char key[48], name[64];

#define ADD(suffix, says, ...)                                                 \
    snprintf(key, sizeof key, "produce_%s_" suffix, what);                     \
    snprintf(name, sizeof name, "produce %lld B: " says, (long long)size);     \
    report_add(&b->report, &(struct figure){.key = key, .name = name,          \
        __VA_ARGS__})
    ADD("mb_per_s", "bytes", .unit = "MB/s", .value = t->bytes_s / 1e6,
        .floor = f->bytes_s / 1e6, .floor_is = half,
        .goal = "0.8 of the floor");
    ADD("records_per_s", "records", .unit = "/s", .value = t->records_s);
    if (c->pid > 0) {
        ADD("server_ns_per_kb", "server CPU", .unit = "ns/KB",
            .value = t->server_ns, .floor = f->cpu_ns, .floor_is = copies,
            .goal = "1100");
        ADD("server_ns_per_record", "CPU/record", .unit = "ns",
            .value = t->record_ns);
        ADD("memory_mb", "server memory", .unit = "MB",
            .value = t->memory / 1e6, .goal = "64");
    }
    ADD("client_ns_per_kb", "client CPU", .unit = "ns/KB",
        .value = t->client_ns);
#undef ADD
}

static int
one_size(struct bench *b, const struct child *c, const char *what,
    int64_t size, struct err *err)
{
    int64_t records = b->batch / (size + 10);
    char topic[BENCH_NAME_MAX];
    struct taken t = {0};
    struct floors f = {0};
    struct meter before;
    struct load l;
    int rc;

    memset(&l, 0, sizeof l);
    if (topic_for(c, "produce", 1, topic, err) < 0)
        return -1;
    shot_make(&l.shot, topic, 0, records > 0 ? records : 1, size);
    meter_read(c, &before);
    rc = raw_open(&l.raw, c->address, err);
    if (rc == 0)
        rc = flood_measured(&l, c, bench_ms(b, PRODUCE_MS), &t, err);
    raw_close(&l.raw);
    topic_drop(c, topic);
    if (rc == 0 && !b->on_peer)
        rc = floors_of(b, c, &l, &before, &f, err);
    if (rc == 0)
        tell(b, c, what, size, &t, &f);
    shot_release(&l.shot);
    return rc;
}

static int
one_broker(struct bench *b, const char *what, int64_t size, struct err *err)
{
    struct child c;
    int rc = child_start_or_use(&c, b, "produce", err);

    if (rc == 0)
        rc = one_size(b, &c, what, size, err);
    child_stop(&c, SIGTERM);
    folder_remove(c.data);
    return rc;
}

int
bench_produce(struct bench *b, struct err *err)
{
    if (one_broker(b, "1k", b->size, err) < 0)
        return -1;
    return one_broker(b, "100b", 100, err);
}
