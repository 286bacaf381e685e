/* settle.c: settle answers when all is done and published, and not before. */
#include "config.h"

#include "kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"

/* ---- a pipeline whose last step waits for a word from the test ---------- */

static sem_t go;
static atomic_int held;          /* callbacks that wait */
static atomic_bool open_door = true;

static int
on_sum(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    int64_t *sum = ps_get(c, 0, ps_str("sum"));

    if (!atomic_load(&open_door)) {
        atomic_fetch_add(&held, 1);
        while (sem_wait(&go) != 0)
            ;
        atomic_fetch_sub(&held, 1);
    }
    return ps_put(c, 0, ps_str("sum"), ps_i64((sum == NULL ? 0 : *sum) + 1));
}

static const struct ps_processor sum = {
    .on = {on_sum},
    .stores = {{"sums", &ps_string, &ps_int64}}};

static void
build(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "in", &ps_string);

    s = ps_repartition(s, "first", NULL);
    s = ps_repartition(s, "second", NULL);
    ps_process(s, "sum", &sum, NULL);
}

static const struct ps_app apps[] = {{"sums", build, NULL}, {NULL}};
static struct kit kit;

static void
expect_sum(int n)
{
    char text[64];

    snprintf(text, sizeof text, "\"key\":\"sum\",\"value\":%d}", n);
    has(body_of(kit_get(&kit, "/v1/views/sums"), 200), text);
}

/* ---- tests -------------------------------------------------------------- */

static void
test_an_idle_one_is_settled_at_once(void **state)
{
    has(body_of(kit_post(&kit, "/v1/settle?within_ms=5000"), 200),
        "{\"epoch\":");
}

static void
test_all_stages_have_finished(void **state)
{
    int total = 0;

    for (int round = 0; round < 20; round++) {
        int n = 1 + 37 * round;

        kit_produce_many(&kit, "in", "k%d", "v%d", n);
        total += n;
        kit_settle(&kit);
        expect_sum(total);
    }
}

static void
test_a_task_at_work_is_not_settled(void **state)
{
    const char *body;
    char text[32];
    long before;

    body = strstr(kit_get(&kit, "/v1/views/sums").body, "\"value\":");
    before = strtol(body + 8, NULL, 10);
    atomic_store(&open_door, false);
    kit_produce(&kit, "in", "k", "v");
    has(body_of(kit_post(&kit, "/v1/settle?within_ms=60"), 504),
        "\"code\":\"TIMEOUT\"");
    while (atomic_load(&held) == 0)
        usleep(1000);
    body_of(kit_post(&kit, "/v1/settle?within_ms=10"), 504);
    snprintf(text, sizeof text, "\"value\":%ld}", before);
    has(body_of(kit_get(&kit, "/v1/views/sums"), 200), text);
    atomic_store(&open_door, true);
    sem_post(&go);
    kit_settle(&kit);
    expect_sum((int)before + 1);
}

/* Longer than the front keeps a request: it does what it can. */
static void
test_a_long_time_is_allowed(void **state)
{
    has(body_of(kit_post(&kit, "/v1/settle?within_ms=600000"), 200),
        "{\"epoch\":");
    body_of(kit_post(&kit, "/v1/settle?within_ms=3600001"), 400);
}

static void
test_several_wait_together(void **state)
{
    static const char text[] = "POST /v1/settle?within_ms=30000 HTTP/1.1\r\n"
        "Host: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    int fds[8];

    atomic_store(&open_door, false);
    kit_produce(&kit, "in", "k", "v");
    while (atomic_load(&held) == 0)
        usleep(1000);
    for (int i = 0; i < 8; i++) {
        fds[i] = kit_connect(&kit);
        assert_true(write(fds[i], text, sizeof text - 1) > 0);
    }
    atomic_store(&open_door, true);
    sem_post(&go);
    for (int i = 0; i < 8; i++) {
        char room[4096] = "";

        assert_true(read(fds[i], room, sizeof room - 1) > 0);
        has(room, "200 OK");
        close(fds[i]);
    }
}

/* What a settled epoch shows is found by whoever asks for that epoch. */
static void
test_the_epoch_is_a_token(void **state)
{
    char path[128];
    const char *body;

    kit_produce_many(&kit, "in", "k%d", "v%d", 100);
    body = body_of(kit_post(&kit, "/v1/settle"), 200);
    snprintf(path, sizeof path, "/v1/views/sums?at_least=%llu&within_ms=0",
        strtoull(strstr(body, "\"epoch\":") + 8, NULL, 10));
    body_of(kit_get(&kit, path), 200);
}

static int
open_kit(void **state)
{
    must(sem_init(&go, 0, 0));
    kit_open(&kit, apps, NULL, 1, DURABILITY_MEMORY);
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
        cmocka_unit_test(test_an_idle_one_is_settled_at_once),
        cmocka_unit_test(test_all_stages_have_finished),
        cmocka_unit_test(test_a_task_at_work_is_not_settled),
        cmocka_unit_test(test_a_long_time_is_allowed),
        cmocka_unit_test(test_several_wait_together),
        cmocka_unit_test(test_the_epoch_is_a_token),
    };

    return cmocka_run_group_tests_name("settle", tests, open_kit, close_kit);
}
