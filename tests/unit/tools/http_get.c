/* http_get.c: answers of an HTTP server, good and bad, and addresses. */
#include "config.h"

#include "client/http_get.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "client/peer.h"

static struct http_answer answer;
static struct err err;

static int
parse(const char *text, size_t len)
{
    static struct arena a;

    arena_release(&a);
    arena_init(&a, 1 << 20);
    return http_parse(span_of(text, len), &a, &answer, &err);
}

#define PARSE(literal) parse(literal, sizeof(literal) - 1)

static void
body_is(int status, const char *body)
{
    assert_int_equal(answer.status, status);
    assert_string_equal((const char *)answer.body.ptr, body);
    assert_int_equal(answer.body.len, strlen(body));
}

static void
bodies_end_in_three_ways(void **state)
{
    assert_int_equal(PARSE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
                           "hello"), 0);
    body_is(200, "hello");
    assert_int_equal(PARSE("HTTP/1.1 404 Not Found\r\n\r\nto the end"), 0);
    body_is(404, "to the end");
    assert_int_equal(PARSE("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
                           "\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"),
        0);
    body_is(200, "abc0123456789");
    assert_int_equal(PARSE("HTTP/1.0 204 \nA: b\n\n"), 0);
    body_is(204, "");
    assert_int_equal(PARSE("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay"),
        0);
    body_is(200, "ok");
}

static void
short_answers_are_found(void **state)
{
    static const char full[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
                               "hello";
    static const char chunks[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                                 "chunked\r\n\r\n5\r\nhello\r\n0\r\n";

    for (size_t n = 0; n < sizeof full - 1; n++)
        assert_int_equal(parse(full, n), -1);
    for (size_t n = 0; n < sizeof chunks - 1; n++)
        assert_int_equal(parse(chunks, n), -1);
}

static void
nonsense_is_refused(void **state)
{
    assert_int_equal(PARSE("SSH-2.0-OpenSSH\r\n"), -1);
    assert_int_equal(err.code, ERR_FORMAT);
    assert_int_equal(PARSE("HTTP/1.1 2x0 OK\r\n\r\n"), -1);
    assert_int_equal(PARSE("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
        -1);
    assert_int_equal(PARSE("HTTP/1.1 200 OK\r\nContent-Length: "
                           "99999999999999999999\r\n\r\n"), -1);
    assert_int_equal(PARSE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                           "\r\nffffffffffffffff\r\n"), -1);
    assert_int_equal(PARSE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                           "\r\n1\r\nabc\r\n0\r\n"), -1);
}

static void
names_are_escaped(void **state)
{
    struct buf out;

    buf_init(&out, 100);
    http_escape(&out, "a-b_c.d~9 /?&=%\xc3\xa9");
    assert_true(span_eq(buf_span(&out),
        span_str("a-b_c.d~9%20%2F%3F%26%3D%25%C3%A9")));
    buf_release(&out);
}

static void
address_is(const char *text, const char *host, const char *port)
{
    char got_host[32], got_port[8];

    assert_int_equal(peer_address(text, "9092", got_host, sizeof got_host,
        got_port, sizeof got_port, &err), 0);
    assert_string_equal(got_host, host);
    assert_string_equal(got_port, port);
}

static void
addresses(void **state)
{
    static const char *const bad[] = {"", ":9092", "host:", "host:http",
        "host:70000", "[::1", "[::1]x", "[]:1",
        "a-name-that-is-longer-than-thirty-two-bytes:1"};
    char host[32], port[8];

    address_is("box", "box", "9092");
    address_is("box:1", "box", "1");
    address_is("127.0.0.1:65535", "127.0.0.1", "65535");
    address_is("[::1]:2", "::1", "2");
    address_is("[fe80::1]", "fe80::1", "9092");
    address_is("::1", "::1", "9092");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(peer_address(bad[i], "9092", host, sizeof host, port,
            sizeof port, &err), -1);
        assert_int_equal(err.code, ERR_USAGE);
    }
}

static void
nobody_there(void **state)
{
    struct arena a;

    arena_init(&a, 1 << 20);
    assert_int_equal(http_ask("GET", "http://127.0.0.1:1", "/", 1000, NULL, &a,
        &answer, &err), -1);
    assert_int_equal(err.code, ECONNREFUSED);
    assert_int_equal(http_ask("GET", "https://127.0.0.1:1", "/", 1000, NULL,
        &a, &answer, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_int_equal(http_ask("GET", "http:///x", "/", 1000, NULL, &a, &answer,
        &err), -1);
    arena_release(&a);
    parse("", 0);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_end_in_three_ways),
        cmocka_unit_test(short_answers_are_found),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(addresses),
        cmocka_unit_test(nobody_there),
    };

    return cmocka_run_group_tests_name("http_get", tests, NULL, NULL);
}
