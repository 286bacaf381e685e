/* format.c: the letters of consume -f. */
#include "config.h"

#include "format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "record/batch.h"

static struct arena arena;
static struct buf batch_bytes;

/* A record as it comes from a batch, with headers in wire form. */
static struct record
one_record(void)
{
    struct header headers[] = {{span_str("a"), span_str("1")},
        {span_str("b"), SPAN_NULL}};
    struct batch_build build = BATCH_BUILD_PLAIN;
    struct batch_builder b;
    struct batch_iter iter;
    struct record r;
    struct batch batch;
    struct err err;

    arena_init(&arena, 1 << 20);
    buf_init(&batch_bytes, 1 << 20);
    batch_builder_init(&b, &batch_bytes);
    batch_builder_add(&b, 1700000000123, span_str("key"), span_str("va\0lue"),
        headers, 2);
    assert_int_equal(batch_builder_end(&b, &build, &err), 0);
    assert_int_equal(batch_parse(buf_span(&batch_bytes), &batch), BATCH_OK);
    assert_int_equal(batch_iter_init(&iter, &batch, &arena, &err), 0);
    assert_int_equal(batch_iter_next(&iter, &r, &err), 1);
    return r;
}

static void
prints(const char *format, struct format_record r, const char *want,
    size_t len)
{
    struct format f;
    struct buf out;
    struct err err;

    buf_init(&out, 1 << 16);
    if (format_init(&f, format, &err) != 0)
        fail_msg("%s: %s", format, err.text);
    format_put(&f, &r, &out);
    if (!span_eq(buf_span(&out), span_of(want, len)))
        fail_msg("%s gives \"%.*s\"", format, (int)out.len,
            (const char *)out.ptr);
    buf_release(&out);
    format_release(&f);
}

#define PRINTS(format, r, want) prints(format, r, want, sizeof(want) - 1)

static void
letters_print_fields(void **state)
{
    struct record rec = one_record();
    struct format_record r = {.topic = "orders", .partition = 3,
        .offset = 1042, .timestamp = rec.timestamp, .key = rec.key,
        .value = rec.value, .key_bytes = 3, .value_bytes = 2,
        .headers = rec.headers};

    PRINTS("%t[%p]@%o %k=%v\\n", r, "orders[3]@1042 key=va\n");
    PRINTS("%s", r, "va");
    PRINTS("%T %D", r, "1700000000123 2023-11-14T22:13:20.123Z");
    PRINTS("%h", r, "a=1,b=NULL");
    PRINTS("%K %S", r, "3 2");
    PRINTS("%R", r, "\0\0\0\2");
    PRINTS("%%n%n", r, "%n\n");
    PRINTS("", r, "");
    PRINTS("plain", r, "plain");
    buf_release(&batch_bytes);
    arena_release(&arena);
}

static void
escapes_are_bytes(void **state)
{
    struct format_record r = {.topic = "t"};

    PRINTS("a\\tb\\r\\n\\\\", r, "a\tb\r\n\\");
    PRINTS("\\x41\\x7a\\xff", r, "Az\xff");
    PRINTS("\\0%t\\0", r, "\0t\0");
    PRINTS("\\e[1m", r, "\033[1m");
}

static void
null_is_empty(void **state)
{
    struct format_record r = {.topic = "t", .key_bytes = -1,
        .value_bytes = -1};

    PRINTS("<%k|%s|%h>", r, "<||>");
    PRINTS("%K %S", r, "-1 -1");
    PRINTS("%R", r, "\xff\xff\xff\xff");
}

static void
unknown_ones_are_refused(void **state)
{
    static const char *const formats[] = {"%x", "%", "ok %z", "\\q", "\\",
        "\\x4", "\\xg0", "%\\"};
    struct format f;
    struct err err;

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        assert_int_equal(format_init(&f, formats[i], &err), -1);
        assert_int_equal(err.code, ERR_USAGE);
        assert_non_null(strstr(err.text, "the format"));
        format_release(&f);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_print_fields),
        cmocka_unit_test(escapes_are_bytes),
        cmocka_unit_test(null_is_empty),
        cmocka_unit_test(unknown_ones_are_refused),
    };

    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
