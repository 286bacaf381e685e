/*
 * txn.c: external transactions: each client, a thread with a connection of
 * its own, writes one record of 100 bytes and commits, again and again. Both
 * protocols are measured where the broker has them: v1 announces the
 * partition first (KIP-98), with v2 the record does it, and every end gives
 * the producer a new epoch (KIP-890).
 *
 *  1. A transaction counts when its commit was acknowledged while the clock
 *     ran; its time goes from the first request to that answer, with all the
 *     times that the broker said "not yet" (CONCURRENT_TRANSACTIONS).
 *  2. Afterwards the topic is read with isolation read_committed: as many
 *     records as commits were acknowledged, or the figure is none.
 *
 * The floor of n clients is one bare append and flush of n batches, each with
 * room for its marker.
 *
 * Thread: the command's, and one for each client. They share `phase`, which
 * only grows, and `failed`.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/histogram.h"
#include "base/limits.h"
#include "base/world.h"
#include "bench/child.h"
#include "bench/floor.h"
#include "bench/raw.h"
#include "client/client.h"
#include "client/reader.h"
#include "client/txn.h"
#include "record/batch.h"
#include "wire/msg/produce.h"

enum {
    TXN_MS = 3000,
    WARM_MS = 300,
    FLOOR_MS = 700,
    RECORD = 100,                /* bytes of a value */
    MARKER = 78,                 /* bytes of a control batch */
    TIMEOUT_MS = 30000,
    AGAIN_MS = 1,                /* between tries that were too early */
    SEEN_MS = 15000,             /* for the last markers to show */
    V1_PRODUCE = 11, V1_END = 4, V1_JOIN = 3,
    V2_PRODUCE = 12, V2_END = 5,
};

enum phase { PHASE_WARM, PHASE_COUNT, PHASE_STOP };

struct load {
    struct bench *bench;
    const struct child *child;
    const char *topic;
    int clients, protocol;       /* 1 or 2 */
    struct worker *workers;
    _Atomic int phase;
    _Atomic bool failed;
};

struct worker {
    struct load *load;
    pthread_t thread;
    bool runs;
    struct client *client;
    const struct client_topic *topic;
    struct client_txn txn;
    char id[BENCH_NAME_MAX];
    int32_t partition, sequence;
    uint8_t value[RECORD];
    struct arena arena;
    struct buf batch;
    struct histogram ns;
    int64_t counted, committed;  /* the second with those of the warm-up */
    struct err err;
};

struct taken {
    struct histogram ns;
    double rate, server_us, client_us;
};

/* ---- one transaction ---------------------------------------------------- */

static int
make_batch(struct worker *w, struct err *err)
{
    struct batch_builder builder;
    struct batch_build build = {
        .producer_id = w->txn.producer_id,
        .producer_epoch = w->txn.producer_epoch,
        .base_sequence = w->sequence,
        .attributes = BATCH_TRANSACTIONAL};

    buf_clear(&w->batch);
    batch_builder_init(&builder, &w->batch);
    batch_builder_add(&builder, world_wall_ms(world_real()), SPAN_NULL,
        span_of(w->value, sizeof w->value), NULL, 0);
    return batch_builder_end(&builder, &build, err);
}

/* *kerr: what the broker says of the record. */
static int
send_batch(struct worker *w, int *kerr, struct err *err)
{
    struct produce_request_partition p;
    struct produce_request_topic t;
    struct produce_request rq;
    struct produce_response *answer;

    wire_init(&produce_request_partition_type, &p);
    wire_init(&produce_request_topic_type, &t);
    wire_init(&produce_request_type, &rq);
    p.index = w->partition;
    p.records = buf_span(&w->batch);
    t.name = client_name_span(w->topic->name);
    t.topic_id = w->topic->id;
    t.partition_data.v = &p;
    t.partition_data.n = 1;
    rq.transactional_id = client_name_span(w->id);
    rq.acks = -1;
    rq.timeout_ms = TIMEOUT_MS;
    rq.topic_data.v = &t;
    rq.topic_data.n = 1;
    arena_reset(&w->arena);
    if (client_call(w->client, API_PRODUCE, &rq, &w->arena, &answer, err) < 0)
        return -1;
    if (answer->responses.n != 1
        || answer->responses.v[0].partition_responses.n != 1)
        return err_set(err, ERR_FORMAT, "an answer without a partition");
    *kerr = answer->responses.v[0].partition_responses.v[0].error_code;
    return 0;
}

static int
write_record(struct worker *w, struct err *err)
{
    int64_t end = bench_now_ns() + (int64_t)TIMEOUT_MS * 1000000;
    int kerr = 0;

    if (make_batch(w, err) < 0)
        return -1;
    while (send_batch(w, &kerr, err) == 0) {
        if (kerr == 0) {
            w->sequence++;
            return 0;
        }
        if (kerr != KERR_CONCURRENT_TRANSACTIONS || bench_now_ns() > end)
            return client_refused(err, kerr, "produce");
        if (bench_stopped(err) < 0)
            return -1;
        poll(NULL, 0, AGAIN_MS);
    }
    return -1;
}

static int
one_txn(struct worker *w, struct err *err)
{
    int64_t producer = w->txn.producer_id;
    int16_t epoch = w->txn.producer_epoch;

    if (client_txn_join(&w->txn, w->topic, w->partition, err) < 0
        || write_record(w, err) < 0
        || client_txn_end(&w->txn, true, err) < 0)
        return -1;
    w->committed++;
    if (w->txn.producer_id != producer || w->txn.producer_epoch != epoch)
        w->sequence = 0;
    return 0;
}

static void *
work(void *arg)
{
    struct worker *w = arg;
    struct load *l = w->load;

    while (atomic_load(&l->phase) != PHASE_STOP) {
        int64_t began = bench_now_ns();

        if (one_txn(w, &w->err) < 0) {
            atomic_store(&l->failed, true);
            break;
        }
        if (atomic_load(&l->phase) != PHASE_COUNT)
            continue;
        histogram_add(&w->ns, (uint64_t)(bench_now_ns() - began));
        w->counted++;
    }
    return NULL;
}

/* ---- the clients -------------------------------------------------------- */

static int
worker_open(struct worker *w, struct load *l, int i, struct err *err)
{
    w->load = l;
    w->partition = (int32_t)(i % l->bench->partitions);
    arena_init(&w->arena, MIB);
    buf_init(&w->batch, 64 * KIB);
    histogram_init(&w->ns);
    world_random(world_real(), w->value, sizeof w->value);
    snprintf(w->id, sizeof w->id, "%.40s-%d", l->topic, i);
    w->client = topic_client(l->child->address, err);
    if (w->client == NULL)
        return -1;
    if (l->protocol == 1) {
        client_cap(w->client, API_PRODUCE, V1_PRODUCE);
        client_cap(w->client, API_END_TXN, V1_END);
        client_cap(w->client, API_ADD_PARTITIONS_TO_TXN, V1_JOIN);
    }
    w->topic = client_topic(w->client, l->topic, err);
    return w->topic == NULL ? -1
        : client_txn_open(w->client, w->id, TIMEOUT_MS, &w->txn, err);
}

static void
worker_close(struct worker *w)
{
    client_close(w->client);
    if (w->load == NULL)
        return;
    arena_release(&w->arena);
    buf_release(&w->batch);
}

/* Until `ms` have passed, somebody failed, or the user wants no more. */
static void
let_run(struct load *l, int64_t ms)
{
    int64_t end = bench_now_ns() + ms * 1000000;

    while (bench_now_ns() < end && !cli_stop && !atomic_load(&l->failed))
        poll(NULL, 0, 5);
}

static int
start(struct load *l, struct err *err)
{
    for (int i = 0; i < l->clients; i++) {
        struct worker *w = &l->workers[i];
        int code = pthread_create(&w->thread, NULL, work, w);

        if (code != 0)
            return err_set(err, code, "start a thread");
        w->runs = true;
    }
    return 0;
}

/* The first that failed is the error. */
static int
finish(struct load *l, struct err *err)
{
    int rc = 0;

    atomic_store(&l->phase, PHASE_STOP);
    for (int i = 0; i < l->clients; i++) {
        struct worker *w = &l->workers[i];

        if (w->runs)
            pthread_join(w->thread, NULL);
        w->runs = false;
        if (rc == 0 && w->err.code != 0) {
            *err = w->err;
            rc = -1;
        }
    }
    return rc;
}

static int
measure(struct load *l, struct taken *t, struct err *err)
{
    int64_t began, server, client, took, counted = 0;
    int rc = start(l, err);

    if (rc == 0)
        let_run(l, WARM_MS);
    server = child_cpu_ns(l->child);
    client = bench_cpu_ns();
    began = bench_now_ns();
    atomic_store(&l->phase, PHASE_COUNT);
    if (rc == 0)
        let_run(l, bench_ms(l->bench, TXN_MS));
    took = bench_now_ns() - began;
    server = child_cpu_ns(l->child) - server;
    client = bench_cpu_ns() - client;
    if (finish(l, rc == 0 ? err : &(struct err){0}) < 0 || rc < 0
        || bench_stopped(err) < 0)
        return -1;
    histogram_init(&t->ns);
    for (int i = 0; i < l->clients; i++) {
        counted += l->workers[i].counted;
        histogram_merge(&t->ns, &l->workers[i].ns);
    }
    if (counted == 0)
        return err_set(err, ETIMEDOUT, "nothing was committed");
    t->rate = (double)counted * 1e9 / (double)took;
    t->server_us = (double)server / 1e3 / (double)counted;
    t->client_us = (double)client / 1e3 / (double)counted;
    return 0;
}

/* ---- was it true? ------------------------------------------------------- */

static int
count_seen(struct reader *r, int64_t want, int64_t *seen, struct err *err)
{
    int64_t end = bench_now_ns() + (int64_t)SEEN_MS * 1000000;
    struct reader_record record;
    bool more = true;            /* a last look, for what should not be there */

    while (bench_now_ns() < end && (*seen < want || more)) {
        int rc;

        more = *seen < want;
        if (bench_stopped(err) < 0 || reader_poll(r, 50, err) < 0)
            return -1;
        while ((rc = reader_next(r, &record, err)) == 1)
            ++*seen;
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int
verify(const struct load *l, struct err *err)
{
    struct client *c = topic_client(l->child->address, err);
    const struct client_topic *t = NULL;
    struct reader *r = NULL;
    int64_t want = 0, seen = 0;
    int rc = -1;

    for (int i = 0; i < l->clients; i++)
        want += l->workers[i].committed;
    if (c != NULL) {
        client_read_committed(c);
        t = client_topic(c, l->topic, err);
    }
    if (t != NULL) {
        r = reader_new(c, t);
        for (int32_t i = 0; i < t->partitions; i++)
            reader_seek(r, i, 0, INT64_MAX);
        rc = count_seen(r, want, &seen, err);
    }
    if (rc == 0 && seen != want)
        rc = err_set(err, ERR_DAMAGE, "%lld transactions were committed, the "
            "topic has %lld", (long long)want, (long long)seen);
    reader_free(r);
    client_close(c);
    return rc;
}

/* ---- a crowd ------------------------------------------------------------ */

static void
tell(const struct load *l, const struct taken *t, const struct histogram *floor,
    const char *goal)
{
    struct bench *b = l->bench;
    char key[48], name[64];
    int n = l->clients, v = l->protocol;

#define ADD(suffix, says, ...)                                                 \
    snprintf(key, sizeof key, "txn_%d_v%d_" suffix, n, v);                     \
    snprintf(name, sizeof name, "%d txn client%s, v%d: " says, n,              \
        n == 1 ? "" : "s", v);                                                 \
    report_add(&b->report, &(struct figure){.key = key, .name = name,          \
        __VA_ARGS__})
    ADD("per_s", "commits", .unit = "/s", .value = t->rate,
        .floor = n * floor_rate(floor), .floor_is = "bare append+flush",
        .goal = goal);
    ADD("p50_us", "p50", .unit = "us",
        .value = (double)histogram_at(&t->ns, 50) / 1e3,
        .floor = (double)histogram_at(floor, 50) / 1e3,
        .floor_is = "bare append+flush");
    ADD("p99_us", "p99", .unit = "us",
        .value = (double)histogram_at(&t->ns, 99) / 1e3,
        .floor = (double)histogram_at(floor, 99) / 1e3,
        .floor_is = "bare append+flush");
    if (l->child->pid > 0) {
        ADD("server_cpu_us", "server CPU each", .unit = "us",
            .value = t->server_us);
    }
    ADD("client_cpu_us", "client CPU each", .unit = "us",
        .value = t->client_us);
#undef ADD
}

static int
crowd(struct bench *b, const struct child *c, int n, int protocol,
    const struct histogram *floor, struct err *err)
{
    struct load l = {.bench = b, .child = c, .clients = n,
        .protocol = protocol};
    char topic[BENCH_NAME_MAX], what[24];
    struct taken *t = xcalloc(1, sizeof *t);
    int rc;

    snprintf(what, sizeof what, "txn-%d-v%d", n, protocol);
    rc = topic_for(c, what, b->partitions, topic, err);
    l.topic = topic;
    l.workers = xcalloc((size_t)n, sizeof *l.workers);
    for (int i = 0; i < n && rc == 0; i++)
        rc = worker_open(&l.workers[i], &l, i, err);
    if (rc == 0)
        rc = measure(&l, t, err);
    if (rc == 0)
        rc = verify(&l, err);
    if (rc == 0)
        tell(&l, t, floor, n == 1 ? "20 x Kafka, 1000" : "20 x Kafka, 5000");
    for (int i = 0; i < n; i++)
        worker_close(&l.workers[i]);
    topic_drop(c, topic);
    free(l.workers);
    free(t);
    return rc;
}

/* Has it transactions, and those of the second kind? */
static int
has_v2(const struct child *c, bool *yes, struct err *err)
{
    struct client *client = topic_client(c->address, err);

    if (client == NULL)
        return -1;
    *yes = client_version(client, API_PRODUCE) >= V2_PRODUCE
        && client_version(client, API_END_TXN) >= V2_END;
    client_close(client);
    return 0;
}

static int
crowds(struct bench *b, const struct child *c, struct err *err)
{
    static const int sizes[] = {1, 16};
    struct histogram floor;
    bool v2;

    if (has_v2(c, &v2, err) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        int n = sizes[i];

        histogram_init(&floor);
        if (!b->on_peer && floor_append(b, n * (RECORD + 70 + MARKER) + 512,
                FLOOR_MS, &floor, err) < 0)
            return -1;
        if (crowd(b, c, n, 1, &floor, err) < 0
            || (v2 && crowd(b, c, n, 2, &floor, err) < 0))
            return -1;
    }
    return 0;
}

int
bench_txn(struct bench *b, struct err *err)
{
    struct child c;
    int rc = child_start_or_use(&c, b, "txn", err);

    if (rc == 0)
        rc = crowds(b, &c, err);
    child_stop(&c, SIGTERM);
    folder_remove(c.data);
    return rc;
}
