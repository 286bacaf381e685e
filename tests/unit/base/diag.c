/* What lines look like: stderr goes into a pipe while a test runs. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "base/diag.h"

static char captured[100000];
static int saved = -1, from;

static void
capture_begin(void)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    saved = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    from = fds[0];
}

static const char *
capture_end(void)
{
    size_t len = 0;
    ssize_t n;

    while ((n = read(from, captured + len, sizeof captured - 1 - len)) > 0)
        len += (size_t)n;
    captured[len] = '\0';
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(from);
    return captured;
}

static unsigned
lines_of(const char *text)
{
    unsigned n = 0;

    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

static void
line_is_logfmt(void **state)
{
    const char *line;

    assert_int_equal(diag_configure("info", false), 0);
    capture_begin();
    diag(WARN, NET, "peer says \"hi\"\nand goes conn=%d peer=%s", 7, "a:1");
    line = capture_end();
    assert_int_equal(line[5], '2');        /* time=2... */
    assert_non_null(strstr(line,
        "Z level=warn area=net msg=\"peer says \\\"hi\\\"\\x0aand goes\" "
        "conn=7 peer=a:1\n"));
    assert_int_equal(lines_of(line), 1);
}

static void
line_is_json(void **state)
{
    json_t *doc;
    const char *line;

    assert_int_equal(diag_configure("info", true), 0);
    capture_begin();
    diag(ERROR, EPOCH, "sync of \x01 failed, stopping file=%s code=%d",
        "j\xff\"", 5);
    line = capture_end();
    doc = json_loads(line, 0, NULL);
    assert_non_null(doc);
    assert_string_equal(json_string_value(json_object_get(doc, "level")),
        "error");
    assert_string_equal(json_string_value(json_object_get(doc, "area")),
        "epoch");
    assert_string_equal(json_string_value(json_object_get(doc, "msg")),
        "sync of \x01 failed, stopping");
    assert_string_equal(json_string_value(json_object_get(doc, "file")),
        "j\xef\xbf\xbd\"");
    assert_string_equal(json_string_value(json_object_get(doc, "code")), "5");
    json_decref(doc);
    assert_int_equal(diag_configure("info", false), 0);
}

static int evaluated;

static int
costly(void)
{
    return ++evaluated;
}

static void
levels_are_checked_before_arguments(void **state)
{
    const char *text;

    assert_int_equal(diag_configure("warn,net=debug", false), 0);
    capture_begin();
    diag(INFO, WIRE, "no %d", costly());
    diag(DEBUG, NET, "yes %d", costly());
    text = capture_end();
    assert_int_equal(evaluated, 1);
    assert_int_equal(lines_of(text), 1);
    assert_int_equal(diag_configure("info", false), 0);
}

static void
unknown_words_change_nothing(void **state)
{
    static const char *const bad[] = {"", "loud", "debug,", "net", "net=",
        "nets=debug", "debug,net=loud", "=debug", ",info"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(diag_configure(bad[i], true), -1);
        for (int a = 0; a < DIAG_AREA_COUNT; a++)
            assert_int_equal(diag_levels[a], DIAG_INFO);
    }
}

static void
line_is_cut(void **state)
{
    char text[5000];
    const char *line;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    capture_begin();
    diag(INFO, MAIN, "%s", text);
    line = capture_end();
    assert_true(strlen(line) <= 1100);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

/* The second may turn meanwhile, so two windows at the most. */
static void
repeats_are_limited(void **state)
{
    const char *text;

    capture_begin();
    for (int i = 0; i < 1000; i++)
        diag(INFO, LOG, "again n=%d", i);
    text = capture_end();
    assert_in_range(lines_of(text), 10, 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_is_logfmt),
        cmocka_unit_test(line_is_json),
        cmocka_unit_test(levels_are_checked_before_arguments),
        cmocka_unit_test(unknown_words_change_nothing),
        cmocka_unit_test(line_is_cut),
        cmocka_unit_test(repeats_are_limited),
    };

    return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
