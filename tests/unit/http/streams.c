/* streams.c: applications over HTTP: what they do, pause and resume. */
#include "config.h"

#include "kit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/check.h"
#include "services/services.h"

static struct kit kit;

static void
receive(int quantity)
{
    char value[64];

    snprintf(value, sizeof value, "{\"kind\":\"RECEIVE\",\"quantity\":%d}",
        quantity);
    kit_produce(&kit, "warehouse-inventory", "ipad", value);
}

static const char *
inventory_state(void)
{
    const char *body = body_of(kit_get(&kit, "/v1/streams"), 200);
    const char *at = strstr(body, "\"name\":\"inventory\",\"state\":\"");
    static char state[32];

    assert_non_null(at);
    at += strlen("\"name\":\"inventory\",\"state\":\"");
    snprintf(state, sizeof state, "%.*s", (int)strcspn(at, "\""), at);
    return state;
}

static void
test_the_list_has_its_shape(void **state)
{
    static const char *const members[] = {"task", "partition", "state",
        "reason", "lag", "records_in", "records_out", "skipped",
        "dead_lettered", "rejected", "runs", "stream_time", "thread"};
    json_t *root, *app, *tasks, *task;

    receive(10);
    kit_settle(&kit);
    root = json_loads(body_of(kit_get(&kit, "/v1/streams"), 200), 0, NULL);
    app = json_array_get(json_object_get(root, "apps"), 0);
    assert_string_equal(json_string_value(json_object_get(app, "name")),
        "inventory");
    assert_string_equal(json_string_value(json_object_get(app, "state")),
        "running");
    tasks = json_object_get(app, "tasks");
    assert_int_equal(json_array_size(tasks), 4);
    for (size_t i = 0; i < json_array_size(tasks); i++) {
        task = json_array_get(tasks, i);
        assert_int_equal(json_object_size(task), countof(members));
        for (size_t m = 0; m < countof(members); m++)
            assert_non_null(json_object_get(task, members[m]));
        assert_int_equal(json_integer_value(json_object_get(task, "lag")), 0);
    }
    json_decref(root);
}

static void
test_one_application(void **state)
{
    const char *body = body_of(kit_get(&kit, "/v1/streams/inventory"), 200);

    has(body, "\"topology\":\"application inventory");
    has(body, "\"tasks\":[{\"task\":");
    has(body_of(kit_get(&kit, "/v1/streams/inventory?format=text"), 200),
        "\n    process reserve");
    has(body_of(kit_get(&kit, "/v1/streams/inventory?format=dot"), 200),
        "digraph");
    body_of(kit_get(&kit, "/v1/streams/inventory?format=png"), 400);
    has(body_of(kit_get(&kit, "/v1/streams/inventor"), 404),
        "there is no application 'inventor'");
    body_of(kit_post(&kit, "/v1/streams/inventor/pause"), 404);
    body_of(kit_post(&kit, "/v1/streams/inventor/resume"), 404);
}

static void
test_a_paused_one_reads_nothing(void **state)
{
    has(body_of(kit_post(&kit, "/v1/streams/inventory/pause"), 200),
        "\"name\":\"inventory\",\"state\":\"paused\"}");
    assert_string_equal(inventory_state(), "paused");
    receive(5);
    /* Waiting will not help, so it says so. */
    has(body_of(kit_post(&kit, "/v1/settle?within_ms=30000"), 409),
        "is paused, and input waits for it");
    has(body_of(kit_get(&kit, "/v1/views/stock/ipad"), 200),
        "\"onHand\":10,");
}

static void
test_a_pause_survives(void **state)
{
    kit_restart(&kit);
    assert_string_equal(inventory_state(), "paused");
    has(body_of(kit_get(&kit, "/v1/streams"), 200),
        "\"reason\":\"paused by request\"");
    has(body_of(kit_post(&kit, "/v1/settle?within_ms=30000"), 409),
        "\"code\":\"HELD_UP\"");
    has(body_of(kit_get(&kit, "/v1/views/stock/ipad"), 200),
        "\"onHand\":10,");
}

static void
test_a_resumed_one_goes_on(void **state)
{
    has(body_of(kit_post(&kit, "/v1/streams/inventory/resume"), 200),
        "\"state\":\"running\"}");
    kit_settle(&kit);
    has(body_of(kit_get(&kit, "/v1/views/stock/ipad"), 200),
        "\"onHand\":15,");
    kit_restart(&kit);
    assert_string_equal(inventory_state(), "running");
}

static void
crash(int times)
{
    char path[512];

    for (int i = 0; i < times; i++) {
        int fd;

        /* as the handler of SIGSEGV does; the stop before was a clean one,
         * so the count must not begin anew with it */
        kit_stop(&kit);
        snprintf(path, sizeof path, "%s/crashed", kit.folder);
        fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_true(fd >= 0);
        close(fd);
        kit_restart(&kit);
    }
}

/* A clean stop ends a row of crashes: one mark alone pauses nothing. */
static void
test_crashes_with_clean_stops_between(void **state)
{
    crash(4);
    assert_string_equal(inventory_state(), "running");
}

static int
open_kit(void **state)
{
    kit_open(&kit, services_apps, NULL, 1, DURABILITY_POWER);
    return 0;
}

static int
close_kit(void **state)
{
    kit_close(&kit);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_list_has_its_shape),
        cmocka_unit_test(test_one_application),
        cmocka_unit_test(test_a_paused_one_reads_nothing),
        cmocka_unit_test(test_a_pause_survives),
        cmocka_unit_test(test_a_resumed_one_goes_on),
        cmocka_unit_test(test_crashes_with_clean_stops_between),
    };

    return cmocka_run_group_tests_name("streams", tests, open_kit,
        close_kit);
}
