/*
 * partitions.c: 64 synchronous producers that go round over 1, 10, 100 and
 * 1,000 partitions. Where one flush serves them all, their number should not
 * tell; who has a file and a flush for each pays. The order of the counts
 * turns with every repetition, so that no drift of the machine stands for a
 * loss.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>

#include "bench/floor.h"
#include "bench/pump.h"

enum { PARTITIONS_MS = 3000, CLIENTS = 64 };

static const struct {
    int partitions;
    const char *goal;
} steps[] = {{1, NULL}, {10, "5"}, {100, "5"}, {1000, "5"}};

enum { STEPS = sizeof steps / sizeof *steps };

static int
clients_of(const struct bench *b)
{
    return b->producers > 0 ? (int)b->producers : CLIENTS;
}

static int
one_step(struct bench *b, const struct child *c, int partitions,
    struct pump_result *r, struct err *err)
{
    char topic[BENCH_NAME_MAX], what[24];
    struct pump p = {.address = c->address,
        .clients = clients_of(b),
        .ms = bench_ms(b, PARTITIONS_MS),
        .child = c,
        .shot_count = (size_t)partitions,
        .whole = pump_whole_frame,
        .check = pump_check_frame};
    struct shot *shots;
    int rc;

    snprintf(what, sizeof what, "%d-parts", partitions);
    if (topic_for(c, what, partitions, topic, err) < 0)
        return -1;
    shots = shots_make(topic, partitions, b->size);
    p.shots = shots;
    rc = pump_run(&p, r, err);
    shots_free(shots, partitions);
    topic_drop(c, topic);
    return rc;
}

static void
tell(struct bench *b, const struct child *c, int i,
    const struct pump_result *r, double one, double floor)
{
    char key[48], name[64], n[16];

    snprintf(n, sizeof n, "%d part%s", steps[i].partitions,
        i == 0 ? "" : "s");
#define ADD(suffix, says, ...)                                                 \
    snprintf(key, sizeof key, "partitions_%d_" suffix, steps[i].partitions);   \
    snprintf(name, sizeof name, "%d producers, %s: " says, clients_of(b), n);  \
    report_add(&b->report, &(struct figure){.key = key, .name = name,          \
        __VA_ARGS__})
    ADD("acks_per_s", "acks", .unit = "/s", .value = r->rate,
        .floor = i == 0 ? floor : one,
        .floor_is = i == 0 ? "append+flush, loopback exchange"
                           : "the same with 1 partition");
    if (i > 0) {
        ADD("loss_percent", "loss", .unit = "%",
            .value = 100 * (1 - r->rate / one), .goal = steps[i].goal);
    }
    if (c->pid > 0) {
        ADD("server_us_per_record", "CPU/record", .unit = "us",
            .value = r->server_cpu_us);
    }
#undef ADD
}

static int
all_steps(struct bench *b, const struct child *c, struct err *err)
{
    int n = clients_of(b);
    struct pump_result r[STEPS];
    struct floor_ack f = {0};

    for (int i = 0; i < STEPS; i++) {
        int at = b->turn % 2 == 0 ? i : STEPS - 1 - i;

        if (one_step(b, c, steps[at].partitions, &r[at], err) < 0)
            return -1;
    }
    if (!b->on_peer && floor_ack(b, n * (b->size + 130) + 512,
            (size_t)b->size + 150, 60, &f, err) < 0)
        return -1;
    for (int i = 0; i < STEPS; i++)
        tell(b, c, i, &r[i], r[0].rate, n * f.rate);
    return 0;
}

int
bench_partitions(struct bench *b, struct err *err)
{
    struct child c;
    int rc = child_start_or_use(&c, b, "partitions", err);

    if (rc == 0)
        rc = all_steps(b, &c, err);
    child_stop(&c, SIGTERM);
    folder_remove(c.data);
    return rc;
}
