/*
 * chain.c: what the epoch gives a chain of tasks, counted, not timed: its
 * stages cost no flush each, and an operator that sleeps holds nobody up.
 *
 * A flush is made slow here (--wrap), as on an SD card. So while one is under
 * way, or the cut waits for tasks as long as one takes, a chain of some
 * hundred microseconds is through, also on a busy machine.
 */
#include "config.h"

#include "kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"

enum { FLUSH_US = 15000, WARM = 20, ROUNDS = 300, ENOUGH = 5,
    PRODUCES = 200 };

ssize_t __real_pwritev(int fd, const struct iovec *v, int n, off_t at);
ssize_t __wrap_pwritev(int fd, const struct iovec *v, int n, off_t at);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

static atomic_bool slow;

static void
take_time(void)
{
    if (atomic_load(&slow))
        usleep(FLUSH_US);
}

ssize_t
__wrap_pwritev(int fd, const struct iovec *v, int n, off_t at)
{
    take_time();
    return __real_pwritev(fd, v, n, at);
}

int
__wrap_fdatasync(int fd)
{
    take_time();
    return __real_fdatasync(fd);
}

/* ---- the applications --------------------------------------------------- */

static sem_t go;
static atomic_bool door_shut, asleep;

static int
on_sleeper(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    if (atomic_load(&door_shut)) {
        atomic_store(&asleep, true);
        while (sem_wait(&go) != 0)
            ;
        atomic_store(&asleep, false);
    }
    return ps_forward(c, r->key, ps_value(r));
}

static const struct ps_processor sleeper = {.on = {on_sleeper},
    .out = {NULL, &ps_string, &ps_string}};

/* Four tasks, three logs of our own between them. */
static void
build_chain(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "in", &ps_string);

    s = ps_repartition(s, "first", NULL);
    s = ps_repartition(s, "second", NULL);
    s = ps_repartition(s, "third", NULL);
    ps_to(s, "out", &ps_string);
}

static void
build_sleeper(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "bed", &ps_string);

    s = ps_process(s, "sleeper", &sleeper, NULL);
    ps_to(s, "dreams", &ps_string);
}

static const struct appliance_topic topics[] = {{"elsewhere", 1}, {NULL, 0}};
static const struct ps_app apps[] = {{"chain", build_chain, NULL},
    {"sleeper", build_sleeper, NULL}, {NULL}};
static struct kit kit;

static unsigned long long
metric(const char *name)
{
    const char *at = body_of(kit_get(&kit, "/metrics"), 200);
    size_t n = strlen(name);

    while ((at = strstr(at, name)) != NULL) {
        if (at[-1] == '\n' && at[n] == ' ')
            return strtoull(at + n + 1, NULL, 10);
        at += n;
    }
    fail_msg("there is no metric %s", name);
    return 0;
}

/* ---- tests -------------------------------------------------------------- */

/* One record in, one out at the end of the chain. A commit for each stage
 * would be five epochs each time. The first rounds teach the sequencer how
 * long a flush takes here. */
static void
test_a_chain_commits_in_one_epoch(void **state)
{
    unsigned in_one = 0, in_more = 0;

    atomic_store(&slow, true);
    for (int i = 0; i < WARM; i++) {
        kit_produce(&kit, "in", "k", "v");
        kit_settle(&kit);
    }
    /* The wait is bounded: on a busy machine a chain may miss it often. One
     * without the wait does not make it at all. */
    for (int i = 0; i < ROUNDS && in_one < ENOUGH; i++) {
        unsigned long long before, epochs;

        kit_settle(&kit);
        before = metric("penstock_seq_epochs_total");
        kit_produce(&kit, "in", "k", "v");
        kit_settle(&kit);
        epochs = metric("penstock_seq_epochs_total") - before;
        assert_true(epochs >= 1);
        if (epochs == 1)
            in_one++;
        else
            in_more++;
    }
    atomic_store(&slow, false);
    print_message("# %u of %u in one epoch\n", in_one, in_one + in_more);
    assert_int_equal(in_one, ENOUGH);
}

/* An operator is asleep for as long as 200 produces need, to its own topic
 * and to another: none of their acks waits for it. */
static void
test_acks_do_not_wait_for_an_operator(void **state)
{
    atomic_store(&door_shut, true);
    kit_produce(&kit, "bed", "k", "v");
    while (!atomic_load(&asleep))
        usleep(1000);
    for (int i = 0; i < PRODUCES; i++) {
        kit_produce(&kit, i % 2 == 0 ? "bed" : "elsewhere", "k", "v");
        assert_true(atomic_load(&asleep));
    }
    atomic_store(&door_shut, false);
    sem_post(&go);
    kit_settle(&kit);
    assert_false(atomic_load(&asleep));
}

static int
open_kit(void **state)
{
    must(sem_init(&go, 0, 0));
    kit_open(&kit, apps, topics, 1, DURABILITY_POWER);
    return 0;
}

static int
close_kit(void **state)
{
    kit_close(&kit);
    sem_destroy(&go);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_chain_commits_in_one_epoch),
        cmocka_unit_test(test_acks_do_not_wait_for_an_operator),
    };

    return cmocka_run_group_tests_name("chain", tests, open_kit, close_kit);
}
