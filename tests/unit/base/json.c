/* What is written, jansson reads as what was meant; UTF-8 row by row. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include <float.h>
#include <jansson.h>
#include <math.h>

#include "base/json.h"
#include "seed.h"

static void
writes_all_kinds(void **state)
{
    struct buf b;
    struct json j;

    buf_init(&b, 10000);
    json_init(&j, &b);
    json_object_begin(&j);
    json_kv_cstr(&j, "s", "a\"b");
    json_kv_cstr(&j, "none", NULL);
    json_kv_int(&j, "i", INT64_MIN);
    json_kv_bool(&j, "t", true);
    json_key(&j, "list");
    json_array_begin(&j);
    json_uint(&j, UINT64_MAX);
    json_double(&j, 0.1);
    json_double(&j, NAN);
    json_double(&j, -INFINITY);
    json_nil(&j);
    json_array_begin(&j);
    json_array_end(&j);
    json_object_begin(&j);
    json_object_end(&j);
    json_bool(&j, false);
    json_span(&j, SPAN_NULL);
    json_span(&j, span_of("", 0));
    json_raw(&j, span_str("{\"raw\":1}"));
    json_array_end(&j);
    json_kv_int(&j, "last", 0);
    json_object_end(&j);
    buf_put_u8(&b, 0);
    assert_string_equal((char *)b.ptr,
        "{\"s\":\"a\\\"b\",\"none\":null,\"i\":-9223372036854775808,\"t\":true,"
        "\"list\":[18446744073709551615,0.1,null,null,null,[],{},false,null,"
        "\"\",{\"raw\":1}],\"last\":0}");
    buf_release(&b);
}

static void
base64_vectors_of_rfc_4648(void **state)
{
    static const char *const rows[][2] = {{"", "\"\""}, {"f", "\"Zg==\""},
        {"fo", "\"Zm8=\""}, {"foo", "\"Zm9v\""}, {"foob", "\"Zm9vYg==\""},
        {"fooba", "\"Zm9vYmE=\""}, {"foobar", "\"Zm9vYmFy\""},
        {"\xfb\xff\xbf", "\"+/+/\""}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;
        struct json j;

        buf_init(&b, 100);
        json_init(&j, &b);
        json_base64(&j, span_str(rows[i][0]));
        assert_true(span_eq(buf_span(&b), span_str(rows[i][1])));
        buf_release(&b);
    }
}

static void
doubles_read_back(void **state)
{
    static const double ends[] = {0, -0.0, DBL_MIN, DBL_MAX, -DBL_MAX,
        DBL_TRUE_MIN, DBL_EPSILON, 1e22, 123456789, 1.0 / 3};
    enum { ENDS = sizeof ends / sizeof *ends };

    seed_begin("json doubles");
    for (size_t i = 0; i < 20000; i++) {
        struct buf b;
        struct json j;
        uint64_t bits = seed_next();
        double v;

        memcpy(&v, &bits, sizeof v);
        if (i < ENDS)
            v = ends[i];
        if (!isfinite(v))
            continue;
        buf_init(&b, 100);
        json_init(&j, &b);
        json_double(&j, v);
        buf_put_u8(&b, 0);
        assert_true(strtod((char *)b.ptr, NULL) == v);
        buf_release(&b);
    }
}

static void
utf8_row_by_row(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {"", true},
        {"plain", true},
        {"\x7f", true},
        {"\xc2\x80", true},
        {"\xdf\xbf", true},
        {"\xe0\xa0\x80", true},
        {"\xed\x9f\xbf", true},
        {"\xee\x80\x80", true},
        {"\xef\xbf\xbf", true},
        {"\xf0\x90\x80\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\x80", false},                 /* a tail alone */
        {"\xc0\xaf", false},             /* overlong */
        {"\xc1\xbf", false},
        {"\xe0\x9f\xbf", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xed\xa0\x80", false},         /* a surrogate */
        {"\xed\xbf\xbf", false},
        {"\xf4\x90\x80\x80", false},     /* past U+10FFFF */
        {"\xf5\x80\x80\x80", false},
        {"\xff", false},
        {"\xc2", false},                 /* ends early */
        {"\xe1\x80", false},
        {"\xf1\x80\x80", false},
        {"\xe1\x80x", false},
        {"\xf1\x80\x80x", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(utf8_valid(span_str(rows[i].text)), rows[i].valid);
    assert_true(utf8_valid(SPAN_NULL));
    assert_true(utf8_valid(span_of("a\0b", 3)));
}

static void
escapes(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *want;
    } rows[] = {
        {"\"\\/", 3, "\"\\\"\\\\/\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"\0\x1f\x7f", 3, "\"\\u0000\\u001f\x7f\""},
        {"a\xff\xfe" "b", 4, "\"a\xef\xbf\xbd\xef\xbf\xbd" "b\""},
        {"\xe2\x82\xac", 3, "\"\xe2\x82\xac\""},
        {"\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;

        buf_init(&b, 100);
        json_escape(&b, span_of(rows[i].text, rows[i].len));
        assert_true(span_eq(buf_span(&b), span_str(rows[i].want)));
        buf_release(&b);
    }
}

/* Whatever the bytes, the text is JSON; valid UTF-8 comes back unchanged. */
static void
any_bytes_become_json(void **state)
{
    static const char *const parts[] = {"a", "\"", "\\", "\xc3\xa9", "\n",
        "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xff", "\xe2\x82", "\x01"};

    seed_begin("json bytes");
    for (int round = 0; round < 5000; round++) {
        char text[100] = "";
        size_t len = 0;
        struct buf b;
        json_t *doc;

        for (size_t n = seed_below(10); n > 0; n--) {
            const char *part = parts[seed_below(sizeof parts / sizeof *parts)];

            memcpy(text + len, part, strlen(part));
            len += strlen(part);
        }
        buf_init(&b, 1000);
        json_escape(&b, span_of(text, len));
        assert_true(utf8_valid(buf_span(&b)));
        doc = json_loadb((char *)b.ptr, b.len, JSON_DECODE_ANY, NULL);
        assert_non_null(doc);
        if (utf8_valid(span_of(text, len))) {
            assert_int_equal(json_string_length(doc), len);
            assert_memory_equal(json_string_value(doc), text, len);
        }
        json_decref(doc);
        buf_release(&b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_all_kinds),
        cmocka_unit_test(base64_vectors_of_rfc_4648),
        cmocka_unit_test(doubles_read_back),
        cmocka_unit_test(utf8_row_by_row),
        cmocka_unit_test(escapes),
        cmocka_unit_test(any_bytes_become_json),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
