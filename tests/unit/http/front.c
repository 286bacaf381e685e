/* front.c: what comes in over HTTP, before any route: methods, paths, hosts,
 * limits, waiting. */
#include "config.h"

#include "kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct kit kit;

static struct answer
raw(const char *text)
{
    return kit_send(&kit, text, strlen(text));
}

static void
test_index_names_the_routes(void **state)
{
    const char *body = body_of(kit_get(&kit, "/"), 200);

    has(body, "penstock " PACKAGE_VERSION);
    has(body, "/v1/settle");
    has(body, "/metrics");
}

static void
test_health(void **state)
{
    struct answer a = kit_get(&kit, "/v1/health");

    has(body_of(a, 200), "{\"status\":\"ok\",\"version\":\"");
    has(a.head, "Content-Type: application/json");
    has(a.head, "Penstock-Epoch: ");
    has(a.head, "Cache-Control: no-store");
}

static void
test_head_has_no_body(void **state)
{
    struct answer a = kit_ask(&kit, "HEAD", "/v1/health");

    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, 0);
}

static void
test_unknown_path_is_404(void **state)
{
    has(body_of(kit_get(&kit, "/v1/nothing"), 404),
        "\"code\":\"NOT_FOUND\"");
    body_of(kit_get(&kit, "/v1/healthy"), 404);
    body_of(kit_get(&kit, "/v1/health/"), 404);
    body_of(kit_get(&kit, "/v1/streams/"), 404);
    body_of(kit_get(&kit, "/v1/views/a/b/c"), 404);
}

static void
test_wrong_method_is_405_and_says_which(void **state)
{
    struct answer a = kit_get(&kit, "/v1/settle");

    has(body_of(a, 405), "\"code\":\"METHOD_NOT_ALLOWED\"");
    has(a.head, "Allow: POST");
    a = kit_ask(&kit, "DELETE", "/v1/health");
    body_of(a, 405);
    has(a.head, "Allow: GET, HEAD");
    body_of(kit_post(&kit, "/v1/streams"), 405);
}

static void
test_malformed_is_400(void **state)
{
    body_of(kit_get(&kit, "/v1/health?x"), 400);
    body_of(kit_get(&kit, "/v1/health?at_least=two"), 400);
    body_of(kit_get(&kit, "/v1/health?at_least=-1"), 400);
    body_of(kit_get(&kit, "/v1/health?at_least=1&x=%00"), 400);
    body_of(kit_get(&kit, "/v1/views/%zz"), 400);
    body_of(kit_get(&kit, "/v1/views/%4"), 400);
    assert_int_equal(raw("GARBAGE\r\n\r\n").status, 400);
    assert_int_equal(raw("GET / HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: -1\r\n\r\n").status / 100, 4);
}

/* A page of another site that has its name point to 127.0.0.1. */
static void
test_only_local_hosts_are_served(void **state)
{
    static const char *const yes[] = {"localhost", "LOCALHOST", "127.0.0.1",
        "[::1]", "localhost:1", "[::1]:8080"};
    static const char *const no[] = {"evil.example", "localhost.evil.example",
        "127.0.0.1.evil.example:80", "localhost:80x", "127.0.0.2",
        "localhost:80@evil.example", ""};
    char text[256];

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        snprintf(text, sizeof text, "GET /v1/health HTTP/1.1\r\nHost: %s\r\n"
            "Connection: close\r\n\r\n", yes[i]);
        body_of(raw(text), 200);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        snprintf(text, sizeof text, "GET /v1/health HTTP/1.1\r\nHost: %s\r\n"
            "Connection: close\r\n\r\n", no[i]);
        has(body_of(raw(text), 403), "\"code\":\"FORBIDDEN\"");
    }
    has(body_of(raw("GET http://evil.example/v1/health HTTP/1.1\r\n"
        "Host: localhost\r\nConnection: close\r\n\r\n"), 403),
        "not to evil.example");
}

static void
test_foreign_pages_change_nothing(void **state)
{
    char text[512];
    static const struct {
        const char *origin;
        int status;
    } cases[] = {{"http://evil.example", 403}, {"null", 403},
        {"http://localhost:1", 403}, {"http://localhost:80", 200}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "POST /v1/settle HTTP/1.1\r\n"
            "Host: localhost:80\r\nOrigin: %s\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n", cases[i].origin);
        body_of(raw(text), cases[i].status);
    }
}

static struct answer
with_body(size_t len)
{
    char *text = calloc(1, len + 512);
    int n = snprintf(text, 512, "POST /v1/settle HTTP/1.1\r\nHost: localhost"
        "\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", len);
    struct answer a;

    memset(text + n, 'x', len);
    a = kit_send(&kit, text, (size_t)n + len);
    free(text);
    return a;
}

static void
test_large_bodies_are_413(void **state)
{
    body_of(with_body(64 * 1024), 200);
    has(body_of(with_body(64 * 1024 + 1), 413), "\"code\":\"TOO_LARGE\"");
    assert_int_equal(raw("POST /v1/settle HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: 99999999\r\n\r\n").status, 413);
    body_of(kit_get(&kit, "/v1/health"), 200);
}

static void
test_large_headers_are_refused(void **state)
{
    char *text = calloc(1, 40000);
    int n = snprintf(text, 100, "GET /v1/health HTTP/1.1\r\nX: ");

    memset(text + n, 'x', 20000);
    memcpy(text + n + 20000, "\r\n\r\n", 4);
    assert_int_equal(kit_send(&kit, text, (size_t)n + 20004).status, 400);
    free(text);
    body_of(kit_get(&kit, "/v1/health"), 200);
}

/* ---- waiting ------------------------------------------------------------ */

static void
test_an_epoch_that_does_not_come_is_504(void **state)
{
    has(body_of(kit_get(&kit,
        "/v1/health?at_least=1000000&within_ms=20"), 504),
        "\"code\":\"TIMEOUT\"");
    body_of(kit_get(&kit, "/v1/health?at_least=1000000&within_ms=0"), 504);
    body_of(kit_get(&kit, "/v1/health?at_least=1000000&within_ms=9999999"),
        400);
}

static uint64_t
epoch_now(void)
{
    const char *at = strstr(kit_get(&kit, "/v1/health").body, "\"epoch\":");

    assert_non_null(at);
    return strtoull(at + 8, NULL, 10);
}

static void
test_an_epoch_that_comes_is_waited_for(void **state)
{
    char text[256], room[4096] = "";
    uint64_t epoch = epoch_now();
    int fd = kit_connect(&kit);
    ssize_t n;

    snprintf(text, sizeof text, "GET /v1/health?at_least=%llu&within_ms=30000 "
        "HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        (unsigned long long)epoch + 1);
    assert_true(write(fd, text, strlen(text)) > 0);
    /* it is waiting by now, or will see it at once */
    assert_true(recv(fd, room, sizeof room, MSG_DONTWAIT) < 0);
    kit_produce(&kit, "notes", "k", "v");
    n = read(fd, room, sizeof room - 1);
    assert_true(n > 0);
    has(room, "200 OK");
    close(fd);
    assert_true(epoch_now() > epoch);
}

/* evhttp reads no further while a request waits; the second comes after. */
static void
test_requests_behind_a_waiting_one(void **state)
{
    static const char two[] =
        "GET /v1/health?at_least=1000000&within_ms=30 HTTP/1.1\r\n"
        "Host: localhost\r\n\r\n"
        "GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        "\r\n";
    struct answer a = kit_send(&kit, two, sizeof two - 1);

    assert_int_equal(a.status, 504);
    has(a.body, "HTTP/1.1 200 OK");
}

static void
test_clients_that_leave_while_they_wait(void **state)
{
    static const char text[] =
        "GET /v1/health?at_least=1000000&within_ms=10 HTTP/1.1\r\n"
        "Host: localhost\r\n\r\n";

    for (int i = 0; i < 20; i++) {
        int fd = kit_connect(&kit);

        assert_true(write(fd, text, sizeof text - 1) > 0);
        close(fd);
    }
    while (strstr(kit_get(&kit, "/metrics").body,
        "penstock_http_errors_total 0\n") != NULL
        || strstr(kit_get(&kit, "/metrics").body,
               "penstock_http_waiting 0\n") == NULL)
        ;
    body_of(kit_get(&kit, "/v1/health"), 200);
}

static void
test_who_waits_is_told_that_it_stops(void **state)
{
    static const char text[] =
        "GET /v1/health?at_least=1000000&within_ms=50000 HTTP/1.1\r\n"
        "Host: localhost\r\nConnection: close\r\n\r\n";
    char room[4096] = "";
    int fd = kit_connect(&kit);

    assert_true(write(fd, text, sizeof text - 1) > 0);
    /* an answer to a later request says that the first has come in */
    while (strstr(kit_get(&kit, "/metrics").body, "penstock_http_waiting 1\n")
        == NULL)
        ;
    kit_stop(&kit);
    assert_true(read(fd, room, sizeof room - 1) > 0);
    has(room, "503");
    close(fd);
    kit_restart(&kit);
}

static int
open_kit(void **state)
{
    static const struct appliance_topic topics[] = {{"notes", 1}, {NULL, 0}};

    kit_open(&kit, NULL, topics, 1, DURABILITY_MEMORY);
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
        cmocka_unit_test(test_index_names_the_routes),
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_head_has_no_body),
        cmocka_unit_test(test_unknown_path_is_404),
        cmocka_unit_test(test_wrong_method_is_405_and_says_which),
        cmocka_unit_test(test_malformed_is_400),
        cmocka_unit_test(test_only_local_hosts_are_served),
        cmocka_unit_test(test_foreign_pages_change_nothing),
        cmocka_unit_test(test_large_bodies_are_413),
        cmocka_unit_test(test_large_headers_are_refused),
        cmocka_unit_test(test_an_epoch_that_does_not_come_is_504),
        cmocka_unit_test(test_an_epoch_that_comes_is_waited_for),
        cmocka_unit_test(test_requests_behind_a_waiting_one),
        cmocka_unit_test(test_clients_that_leave_while_they_wait),
        cmocka_unit_test(test_who_waits_is_told_that_it_stops),
    };

    return cmocka_run_group_tests_name("front", tests, open_kit, close_kit);
}
