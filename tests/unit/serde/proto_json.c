/* proto_json.c: the JSON of messages: what the mapping of proto3 says, the
 * REST style, money, and what is refused. */
#include "config.h"

#include "serde/proto_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "proto/shop.pb-c.h"
#include "random_message.h"
#include "serde/pb.h"
#include "tests/unit/serde/old.pb-c.h"
#include "tests/unit/serde/sample.pb-c.h"

static struct arena arena;
static struct buf buf;
static struct err err;

static int
fresh(void **state)
{
    arena_release(&arena);
    arena_init(&arena, 64 << 20);
    buf_release(&buf);
    buf_init(&buf, 16 << 20);
    err = (struct err){0};
    return 0;
}

#define ALL &sample__all__descriptor
#define ORDER &shop__order__descriptor

static void *
read_text(const ProtobufCMessageDescriptor *m, const char *text)
{
    ProtobufCMessage *msg;

    if (proto_json_read(m, span_str(text), 0, &arena, &msg, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return msg;
}

static const char *
written(const ProtobufCMessage *msg, unsigned flags)
{
    struct json j;

    buf_clear(&buf);
    json_init(&j, &buf);
    proto_json_write(msg, flags, &j);
    buf_put_u8(&buf, 0);
    assert_false(buf.failed);
    return (const char *)buf.ptr;
}

/* Reads `text` and writes it: the canonical form of it. */
static void
becomes(const ProtobufCMessageDescriptor *m, const char *text,
    const char *want)
{
    assert_string_equal(written(read_text(m, text), 0), want);
}

static void
refused(const ProtobufCMessageDescriptor *m, const char *text,
    const char *words)
{
    ProtobufCMessage *msg;

    if (proto_json_read(m, span_str(text), 0, &arena, &msg, &err) == 0)
        fail_msg("%s was taken", text);
    if (strstr(err.text, words) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", text, err.text, words);
}

/* ---- The mapping -------------------------------------------------------- */

static void
an_order_in_both_styles(void **state)
{
    Shop__Order *o = read_text(ORDER,
        "{\"id\":\"1\",\"customerId\":2,\"state\":\"CREATED\","
        "\"product\":\"JUMPERS\",\"quantity\":10,\"price\":100.0}");

    assert_int_equal(o->customer_id, 2);
    assert_int_equal(o->state, SHOP__ORDER__STATE__CREATED);
    assert_int_equal(o->price_micros, 100000000);
    assert_string_equal(written(&o->base, 0),
        "{\"id\":\"1\",\"customerId\":\"2\",\"state\":\"CREATED\","
        "\"product\":\"JUMPERS\",\"quantity\":10,"
        "\"priceMicros\":\"100000000\"}");
    assert_string_equal(written(&o->base, PROTO_JSON_REST),
        "{\"id\":\"1\",\"customerId\":2,\"state\":\"CREATED\","
        "\"product\":\"JUMPERS\",\"quantity\":10,\"price\":100.0}");
    assert_string_equal(written(&o->base, PROTO_JSON_OWN_NAMES),
        "{\"id\":\"1\",\"customer_id\":\"2\",\"state\":\"CREATED\","
        "\"product\":\"JUMPERS\",\"quantity\":10,"
        "\"price_micros\":\"100000000\"}");
}

static void
names_are_taken_in_both_forms(void **state)
{
    becomes(ORDER, "{\"customer_id\":7}", "{\"customerId\":\"7\"}");
    becomes(ORDER, "{\"customerId\":7}", "{\"customerId\":\"7\"}");
    becomes(ORDER, "{\"price_micros\":7}", "{\"priceMicros\":\"7\"}");
    becomes(ALL, "{\"wideReal\":7}", "{\"wideReal\":7}");
    refused(ORDER, "{\"customerID\":7}", "no field customerID");
    refused(ORDER, "{\"customerId\":7,\"customer_id\":7}", "twice");
    refused(ORDER, "{\"price\":7,\"priceMicros\":7}", "twice");
    refused(ORDER, "{\"id\":\"1\",\"id\":\"1\"}", "duplicate");
}

static void
null_is_not_there(void **state)
{
    becomes(ORDER, "{\"id\":null,\"state\":null,\"price\":null}", "{}");
    becomes(ALL, "{\"one\":null,\"many\":null,\"word\":null}", "{}");
    refused(ALL, "{\"manyI32\":[1,null]}", "many_i32");
    refused(ALL, "{\"many\":[null]}", "not an object");
}

static void
integers_as_numbers_or_text(void **state)
{
    becomes(ALL, "{\"i64\":\"-9223372036854775808\"}",
        "{\"i64\":\"-9223372036854775808\"}");
    becomes(ALL, "{\"i64\":9223372036854775807}",
        "{\"i64\":\"9223372036854775807\"}");
    becomes(ALL, "{\"u64\":\"18446744073709551615\"}",
        "{\"u64\":\"18446744073709551615\"}");
    becomes(ALL, "{\"i32\":\"-5\",\"u32\":4294967295}",
        "{\"i32\":-5,\"u32\":4294967295}");
    becomes(ALL, "{\"i32\":1.0,\"i64\":1e3,\"u64\":\"1e2\"}",
        "{\"i32\":1,\"i64\":\"1000\",\"u64\":\"100\"}");
    refused(ALL, "{\"i32\":2147483648}", "32 bits");
    refused(ALL, "{\"i32\":-2147483649}", "32 bits");
    refused(ALL, "{\"u32\":-1}", "negative");
    refused(ALL, "{\"u64\":\"-1\"}", "negative");
    refused(ALL, "{\"u32\":4294967296}", "32 bits");
    refused(ALL, "{\"i64\":\"9223372036854775808\"}", "range");
    refused(ALL, "{\"i64\":9223372036854775808.0}", "range");
    refused(ALL, "{\"u64\":\"18446744073709551616\"}", "range");
    refused(ALL, "{\"i32\":1.5}", "integer");
    refused(ALL, "{\"i32\":\"1.5\"}", "integer");
    refused(ALL, "{\"i32\":\"\"}", "integer");
    refused(ALL, "{\"i32\":\" 1\"}", "integer");
    refused(ALL, "{\"i32\":\"+1\"}", "integer");
    refused(ALL, "{\"i32\":\"0x10\"}", "integer");
    refused(ALL, "{\"i32\":\"1-1\"}", "integer");
    refused(ALL, "{\"i32\":true}", "integer");
    refused(ALL, "{\"i32\":[1]}", "integer");
}

static void
doubles_and_floats(void **state)
{
    becomes(ALL, "{\"wideReal\":0.1,\"real\":0.1}",
        "{\"real\":0.1,\"wideReal\":0.1}");
    becomes(ALL, "{\"wideReal\":\"NaN\",\"real\":\"-Infinity\"}",
        "{\"real\":\"-Infinity\",\"wideReal\":\"NaN\"}");
    becomes(ALL, "{\"wideReal\":\"1.5e3\"}", "{\"wideReal\":1500}");
    becomes(ALL, "{\"wideReal\":-0.0}", "{\"wideReal\":-0.0}");
    refused(ALL, "{\"real\":1e39}", "float");
    refused(ALL, "{\"wideReal\":1e999}", "overflow");
    refused(ALL, "{\"wideReal\":\"1e999\"}", "number");
    refused(ALL, "{\"wideReal\":\"inf\"}", "number");
    refused(ALL, "{\"wideReal\":\"nan\"}", "number");
    refused(ALL, "{\"wideReal\":\"\"}", "number");
}

static void
enums_by_name_or_number(void **state)
{
    becomes(ALL, "{\"colour\":\"BLUE\"}", "{\"colour\":\"BLUE\"}");
    becomes(ALL, "{\"colour\":-2}", "{\"colour\":\"COLD\"}");
    becomes(ALL, "{\"colour\":99}", "{\"colour\":99}");
    becomes(ALL, "{\"manyColour\":[1,\"NONE\"]}",
        "{\"manyColour\":[\"RED\",\"NONE\"]}");
    refused(ALL, "{\"colour\":\"blue\"}", "no name of the enum");
    refused(ALL, "{\"colour\":\"\"}", "no name of the enum");
}

static void
bytes_in_base64(void **state)
{
    becomes(ALL, "{\"someBytes\":\"AP/+\"}", "{\"someBytes\":\"AP/+\"}");
    becomes(ALL, "{\"someBytes\":\"AP_-\"}", "{\"someBytes\":\"AP/+\"}");
    becomes(ALL, "{\"someBytes\":\"AA==\"}", "{\"someBytes\":\"AA==\"}");
    becomes(ALL, "{\"someBytes\":\"AA\"}", "{\"someBytes\":\"AA==\"}");
    becomes(ALL, "{\"someBytes\":\"AAA\"}", "{\"someBytes\":\"AAA=\"}");
    becomes(ALL, "{\"someBytes\":\"\"}", "{}");
    refused(ALL, "{\"someBytes\":\"A\"}", "base64");
    refused(ALL, "{\"someBytes\":\"A===\"}", "base64");
    refused(ALL, "{\"someBytes\":\"AA=A\"}", "base64");
    refused(ALL, "{\"someBytes\":\"A A\"}", "base64");
    refused(ALL, "{\"someBytes\":7}", "base64");
}

static void
text_is_utf8_without_nul(void **state)
{
    becomes(ALL, "{\"someText\":\"\\u20ac \\ud83d\\ude00 \\\"\\n\"}",
        "{\"someText\":\"\xe2\x82\xac \xf0\x9f\x98\x80 \\\"\\n\"}");
    refused(ALL, "{\"someText\":\"a\\u0000b\"}", "JSON");
    refused(ALL, "{\"someText\":\"\xff\"}", "JSON");
    refused(ALL, "{\"someText\":\"\\ud83d\"}", "JSON");
    refused(ALL, "{\"someText\":7}", "not a string");
}

static void
lists_messages_and_oneofs(void **state)
{
    becomes(ALL,
        "{\"manyI32\":[3,\"2\"],\"one\":{\"inner\":{}},\"many\":[{},"
        "{\"name\":\"x\"}]}",
        "{\"one\":{\"inner\":{}},\"manyI32\":[3,2],\"many\":[{},"
        "{\"name\":\"x\"}]}");
    becomes(ALL, "{\"number\":0}", "{\"number\":0}");
    becomes(ALL, "{\"word\":\"\"}", "{\"word\":\"\"}");
    refused(ALL, "{\"number\":1,\"word\":\"x\"}", "oneof");
    refused(ALL, "{\"manyI32\":3}", "not an array");
    refused(ALL, "{\"one\":[]}", "not an object");
    becomes(&sample__old__descriptor, "{\"must\":0,\"maybe\":0}",
        "{\"must\":0,\"maybe\":0,\"text\":\"said by none\"}");
    refused(&sample__old__descriptor, "{\"maybe\":0}", "required");
}

static void
unknown_names_are_errors_unless_asked(void **state)
{
    ProtobufCMessage *msg;
    const char *text = "{\"id\":\"1\",\"colour\":{\"a\":[1]},"
                       "\"state\":\"GONE\"}";

    refused(ORDER, text, "no field colour");
    assert_int_equal(proto_json_read(ORDER, span_str(text),
                         PROTO_JSON_IGNORE_UNKNOWN, &arena, &msg, &err),
        0);
    assert_string_equal(written(msg, 0), "{\"id\":\"1\"}");
    text = "{\"manyColour\":[\"RED\",\"GREEN\",\"BLUE\"]}";
    assert_int_equal(proto_json_read(ALL, span_str(text),
                         PROTO_JSON_IGNORE_UNKNOWN, &arena, &msg, &err),
        0);
    assert_string_equal(written(msg, 0), "{\"manyColour\":[\"RED\",\"BLUE\"]}");
}

static void
what_is_no_object_is_refused(void **state)
{
    static const char *const bad[] = {"", "{", "[]", "7", "null", "{}}",
        "{\"id\"}", "{'id':1}", "{\"id\":\"1\",}", "\xef\xbb\xbf{}"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused(ORDER, bad[i], "");
}

/* {"inner":{"inner":{}}} is 3 levels. */
static void
nested(char *text, size_t size, int levels)
{
    struct buf b;

    buf_init(&b, size);
    for (int i = 1; i < levels; i++)
        buf_put_str(&b, "{\"inner\":");
    buf_put_str(&b, "{}");
    for (int i = 1; i < levels; i++)
        buf_put_u8(&b, '}');
    buf_put_u8(&b, 0);
    assert_false(b.failed);
    memcpy(text, b.ptr, b.len);
    buf_release(&b);
}

static void
nesting_and_memory_have_limits(void **state)
{
    char text[1024];
    ProtobufCMessage *msg;

    nested(text, sizeof text, PB_DEPTH_MAX);
    becomes(&sample__inner__descriptor, text, text);
    nested(text, sizeof text, PB_DEPTH_MAX + 1);
    refused(&sample__inner__descriptor, text, "too deep");
    fresh(NULL);
    arena.limit = 1000;
    refused(ALL, "{\"many\":[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]}",
        "bytes of memory");
    assert_int_equal(proto_json_read(ORDER, span_str(""), 0, &arena, &msg,
                         &err),
        -1);
}

/* ---- Money -------------------------------------------------------------- */

static void
money_is(const char *text, int64_t micros, const char *rest)
{
    char in[64], want[64];
    Shop__Order *o;

    snprintf(in, sizeof in, "{\"price\":%s}", text);
    o = read_text(ORDER, in);
    assert_int_equal(o->price_micros, micros);
    snprintf(want, sizeof want, "\"price\":%s}", rest);
    assert_non_null(strstr(written(&o->base, PROTO_JSON_REST), want));
}

static void
money_is_converted_once(void **state)
{
    money_is("1", 1000000, "1.0");
    money_is("1.0", 1000000, "1.0");
    money_is("2.55", 2550000, "2.55");
    money_is("0.000001", 1, "0.000001");
    money_is("-0.5", -500000, "-0.5");
    money_is("1e3", 1000000000, "1000.0");
    money_is("\"2.55\"", 2550000, "2.55");
    money_is("\"-9223372036854.775808\"", INT64_MIN, "-9223372036854.775808");
    money_is("\"9223372036854.775807\"", INT64_MAX, "9223372036854.775807");
    money_is("0", 0, "0.0");
    refused(ORDER, "{\"price\":\"9223372036854.775808\"}", "money");
    refused(ORDER, "{\"price\":9223372036855}", "money");
    refused(ORDER, "{\"price\":1e13}", "money");
    refused(ORDER, "{\"price\":\"1.0000001\"}", "money");
    refused(ORDER, "{\"price\":\"\"}", "money");
    refused(ORDER, "{\"price\":\"-\"}", "money");
    refused(ORDER, "{\"price\":\"1.2.3\"}", "money");
    refused(ORDER, "{\"price\":\"1e3\"}", "money");
    refused(ORDER, "{\"price\":true}", "money");
}

/* ---- Round trips -------------------------------------------------------- */

static void
same_bytes(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    struct buf x, y;

    buf_init(&x, 16 << 20);
    buf_init(&y, 16 << 20);
    assert_int_equal(pb_encode(a, &x, &err), 0);
    assert_int_equal(pb_encode(b, &y, &err), 0);
    assert_true(span_eq(buf_span(&x), buf_span(&y)));
    buf_release(&x);
    buf_release(&y);
}

static void
random_messages_come_back(void **state)
{
    static const unsigned styles[] = {0, PROTO_JSON_REST, PROTO_JSON_OWN_NAMES,
        PROTO_JSON_REST | PROTO_JSON_OWN_NAMES};
    uint64_t r = random_seed();

    for (int i = 0; i < 3000; i++) {
        unsigned style = styles[i % 4];
        ProtobufCMessage *msg, *back;
        struct span text;

        fresh(NULL);
        msg = random_message(ALL, &r, &arena, style & PROTO_JSON_REST, 0);
        text = span_str(written(msg, style));
        if (proto_json_read(ALL, text, 0, &arena, &back, &err) != 0)
            fail_msg("%s: %s", err.text, (const char *)text.ptr);
        same_bytes(msg, back);
    }
}

static void
broken_text_does_no_harm(void **state)
{
    uint64_t r = random_seed();

    for (int i = 0; i < 10000; i++) {
        ProtobufCMessage *msg, *back;
        struct span text;

        fresh(NULL);
        msg = random_message(ALL, &r, &arena, false, 2);
        written(msg, 0);
        text = span_of(buf.ptr, buf.len - 1);
        for (int k = 0; k < 2; k++)
            buf.ptr[random_next(&r) % text.len] = (uint8_t)random_next(&r);
        if (random_next(&r) % 2)
            text.len = random_next(&r) % text.len;
        if (proto_json_read(ALL, text, 0, &arena, &back, &err) == 0)
            same_bytes(back, read_text(ALL, written(back, 0)));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_order_in_both_styles, fresh),
        cmocka_unit_test_setup(names_are_taken_in_both_forms, fresh),
        cmocka_unit_test_setup(null_is_not_there, fresh),
        cmocka_unit_test_setup(integers_as_numbers_or_text, fresh),
        cmocka_unit_test_setup(doubles_and_floats, fresh),
        cmocka_unit_test_setup(enums_by_name_or_number, fresh),
        cmocka_unit_test_setup(bytes_in_base64, fresh),
        cmocka_unit_test_setup(text_is_utf8_without_nul, fresh),
        cmocka_unit_test_setup(lists_messages_and_oneofs, fresh),
        cmocka_unit_test_setup(unknown_names_are_errors_unless_asked, fresh),
        cmocka_unit_test_setup(what_is_no_object_is_refused, fresh),
        cmocka_unit_test_setup(nesting_and_memory_have_limits, fresh),
        cmocka_unit_test_setup(money_is_converted_once, fresh),
        cmocka_unit_test_setup(random_messages_come_back, fresh),
        cmocka_unit_test_setup(broken_text_does_no_harm, fresh),
    };
    int failed = cmocka_run_group_tests_name("proto_json", tests, NULL, NULL);

    arena_release(&arena);
    buf_release(&buf);
    return failed;
}
