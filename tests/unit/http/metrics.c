/* metrics.c: the text form of Prometheus, and that it counts. */
#include "config.h"

#include "kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/table.h"
#include "services/services.h"

static struct kit kit;

static double
value_of(const char *series)
{
    const char *body = body_of(kit_get(&kit, "/metrics"), 200), *at = body;
    size_t n = strlen(series);

    while ((at = strstr(at, series)) != NULL) {
        if ((at == body || at[-1] == '\n') && at[n] == ' ')
            return strtod(at + n, NULL);
        at++;
    }
    print_error("no series %s\n", series);
    fail();
    return -1;
}

/* One line of a sample: name, labels, a number. Returns the name's length. */
static size_t
check_sample(const char *line, size_t len)
{
    size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz_0123456789");
    const char *at = line + name;
    char *end;

    assert_true(strncmp(line, "penstock_", 9) == 0);
    if (*at == '{')
        at += strcspn(at, "}") + 1;
    assert_int_equal(*at, ' ');
    strtod(at + 1, &end);
    assert_ptr_equal(end, line + len);
    return name;
}

static void
take_line(struct table *seen, const char *line, size_t len, char *family)
{
    size_t name;

    if (strncmp(line, "# HELP ", 7) == 0) {
        name = strcspn(line + 7, " ");
        snprintf(family, 128, "%.*s", (int)name, line + 7);
        assert_null(table_put(seen, span_of(line, 7 + name), seen));
        assert_true(len > 8 + name);
        return;
    }
    if (strncmp(line, "# TYPE ", 7) == 0) {
        name = strcspn(line + 7, " ");
        assert_int_equal(name, strlen(family));
        assert_memory_equal(line + 7, family, name);
        /* a counter is called so, a gauge is not */
        assert_int_equal(strncmp(line + 8 + name, "counter\n", 8) == 0,
            strcmp(family + name - 6, "_total") == 0);
        return;
    }
    name = check_sample(line, len);
    assert_int_equal(name, strlen(family));
    assert_memory_equal(line, family, name);
    name = (size_t)((char *)memrchr(line, ' ', len) - line);
    assert_null(table_put(seen, span_of(line, name), seen));
}

static void
test_the_form(void **state)
{
    struct answer a = kit_get(&kit, "/metrics");
    char family[128] = "";
    struct table seen;

    body_of(a, 200);
    has(a.head, "Content-Type: text/plain; version=0.0.4");
    table_init(&seen);
    for (const char *at = a.body; *at != '\0';) {
        size_t len = strcspn(at, "\n");

        assert_int_equal(at[len], '\n');
        take_line(&seen, at, len, family);
        at += len + 1;
    }
    assert_true(seen.count > 80);
    table_release(&seen);
}

static void
test_it_counts(void **state)
{
    double epochs = value_of("penstock_seq_epochs_total");
    double produced = value_of("penstock_api_requests_total{api=\"Produce\"}");

    kit_produce(&kit, "warehouse-inventory", "ipad",
        "{\"kind\":\"RECEIVE\",\"quantity\":10}");
    kit_settle(&kit);
    assert_true(value_of("penstock_seq_epochs_total") > epochs);
    assert_true(value_of("penstock_api_requests_total{api=\"Produce\"}")
        == produced + 1);
    assert_true(value_of("penstock_topic_records"
        "{topic=\"warehouse-inventory\"}") == 1);
    assert_true(value_of("penstock_task_in_total{app=\"inventory\","
        "task=\"reserve_0\",partition=\"0\"}") == 1);
    assert_true(value_of("penstock_task_running{app=\"inventory\","
        "task=\"reserve_0\",partition=\"0\"}") == 1);
    assert_true(value_of("penstock_process_resident_anon_bytes") > 100000);
    assert_true(value_of("penstock_process_open_fds") > 5);
    assert_true(value_of("penstock_net_connections") >= 0);
}

/* Many topics are summed up only: a scrape stays small. */
static void
test_it_is_bounded(void **state)
{
    static struct appliance_topic topics[101];
    static char names[100][32];
    double records = value_of("penstock_records");

    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "many-%d", i);
        topics[i] = (struct appliance_topic){names[i], 2};
    }
    has(body_of(kit_get(&kit, "/metrics"), 200), "{topic=\"orders\"}");
    kit.options.topics = topics;
    kit_restart(&kit);
    for (int i = 0; i < 100; i += 10)
        kit_produce(&kit, names[i], "k", "v");
    has_not(body_of(kit_get(&kit, "/metrics"), 200), "{topic=\"orders\"}");
    has_not(body_of(kit_get(&kit, "/metrics"), 200), "many-");
    assert_true(value_of("penstock_topics") > 100);
    assert_true(value_of("penstock_records") == records + 10);
}

static int
open_kit(void **state)
{
    kit_open(&kit, services_apps, NULL, 1, DURABILITY_PROCESS);
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
        cmocka_unit_test(test_the_form),
        cmocka_unit_test(test_it_counts),
        cmocka_unit_test(test_it_is_bounded),
    };

    return cmocka_run_group_tests_name("metrics", tests, open_kit,
        close_kit);
}
