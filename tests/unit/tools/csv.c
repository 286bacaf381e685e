/* csv.c: comma-separated values, and the lines below them. */
#include "config.h"

#include "csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int
file_of(const char *text, size_t len)
{
    char path[] = "/tmp/penstock-csv-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* All rows as JSON, a line each, or the error. */
static char *
rows_of(const char *text)
{
    static char all[4096];
    struct csv *c = calloc(1, sizeof *c);
    struct buf out;
    struct err err;
    int fd = file_of(text, strlen(text)), n;

    buf_init(&out, sizeof all - 1);
    n = csv_init(c, fd, &err);
    if (n == 0) {
        while ((n = csv_next(c, &err)) == 1) {
            csv_json(c, &out);
            buf_put_u8(&out, '\n');
        }
    }
    if (n < 0)
        buf_put_str(&out, err.text);
    memcpy(all, out.ptr == NULL ? (uint8_t *)"" : out.ptr, out.len);
    all[out.len] = '\0';
    buf_release(&out);
    csv_release(c);
    free(c);
    close(fd);
    return all;
}

static void
rows_are_objects(void **state)
{
    assert_string_equal(rows_of("a,b\n1,2\n3,4\n"),
        "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"3\",\"b\":\"4\"}\n");
    assert_string_equal(rows_of("a,b\r\n1,\r\n"),
        "{\"a\":\"1\",\"b\":\"\"}\n");
    assert_string_equal(rows_of("\xef\xbb\xbf" "a\nx"), "{\"a\":\"x\"}\n");
    assert_string_equal(rows_of("a\n\nx\n\n"), "{\"a\":\"x\"}\n");
    assert_string_equal(rows_of("a\n"), "");
}

static void
quotes_hold_anything(void **state)
{
    assert_string_equal(rows_of("a,b\n\"x, \"\"y\"\"\",2\n"),
        "{\"a\":\"x, \\\"y\\\"\",\"b\":\"2\"}\n");
    assert_string_equal(rows_of("a,b\n\"two\nlines\",2\n\"\",\"\"\n"),
        "{\"a\":\"two\\nlines\",\"b\":\"2\"}\n{\"a\":\"\",\"b\":\"\"}\n");
}

static void
bad_rows_are_named(void **state)
{
    assert_string_equal(rows_of(""), "the file is empty");
    assert_string_equal(rows_of("a,b\n1\n"), "line 2 has 1 columns, not 2");
    assert_string_equal(rows_of("a,b\n1,2\n1,2,3\n"),
        "{\"a\":\"1\",\"b\":\"2\"}\nline 3 has 3 columns, not 2");
    assert_string_equal(rows_of("a\n\"open\n"),
        "the last row has an open quote");
}

static void
lines_of_any_length(void **state)
{
    size_t big = 300000;
    char *text = malloc(big + 8);
    struct span line;
    struct lines l;
    struct err err;
    int fd;

    memset(text, 'x', big);
    memcpy(text + big, "\n\nlast", 6);
    fd = file_of(text, big + 6);
    lines_init(&l, fd);
    assert_int_equal(lines_next(&l, &line, &err), 1);
    assert_int_equal(line.len, big);
    assert_true(lines_ready(&l));
    assert_int_equal(lines_next(&l, &line, &err), 1);
    assert_int_equal(line.len, 0);
    assert_int_equal(lines_next(&l, &line, &err), 1);
    assert_true(span_eq(line, span_str("last")));
    assert_int_equal(l.number, 3);
    assert_int_equal(lines_next(&l, &line, &err), 0);
    lines_release(&l);
    close(fd);
    free(text);
}

static void
a_slow_pipe_is_not_ready(void **state)
{
    struct span line;
    struct lines l;
    struct err err;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    lines_init(&l, fds[0]);
    assert_false(lines_ready(&l));
    assert_int_equal(write(fds[1], "a\nb\n", 4), 4);
    assert_int_equal(lines_next(&l, &line, &err), 1);
    assert_true(lines_ready(&l));        /* b is there already */
    assert_int_equal(lines_next(&l, &line, &err), 1);
    assert_false(lines_ready(&l));
    close(fds[1]);
    assert_true(lines_ready(&l));        /* the end */
    assert_int_equal(lines_next(&l, &line, &err), 0);
    lines_release(&l);
    close(fds[0]);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_objects),
        cmocka_unit_test(quotes_hold_anything),
        cmocka_unit_test(bad_rows_are_named),
        cmocka_unit_test(lines_of_any_length),
        cmocka_unit_test(a_slow_pipe_is_not_ready),
    };

    return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
