/* serde.c: the serdes by their public interface: plain values as Kafka's
 * serializers write them, and messages in each of their three dresses. */
#include "config.h"

#include "penstock/streams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "proto/shop.pb-c.h"

static struct arena arena;
static struct buf buf;
static struct ps_decode in;
static struct ps_encode out;

static int
fresh(void **state)
{
    arena_release(&arena);
    arena_init(&arena, 1 << 20);
    buf_release(&buf);
    buf_init(&buf, 1 << 20);
    in = (struct ps_decode){.arena = (struct ps_arena *)&arena};
    out = (struct ps_encode){.out = (struct ps_buf *)&buf};
    return 0;
}

#define BYTES(literal) literal, sizeof(literal) - 1
#define ORDER PS_PROTO(shop__order)

static struct ps_val
decoded(const void *serde, const void *bytes, size_t len)
{
    struct ps_serde s;
    struct ps_val v;

    assert_int_equal(ps_serde_of(serde, &s), 0);
    if (s.decode(&s, &in, bytes, len, &v) != PS_OK)
        fail_msg("%s", in.why);
    assert_int_equal(v.type, s.type);
    return v;
}

static void
not_decoded(const void *serde, const void *bytes, size_t len,
    const char *words)
{
    struct ps_serde s;
    struct ps_val v;

    assert_int_equal(ps_serde_of(serde, &s), 0);
    assert_int_equal(s.decode(&s, &in, bytes, len, &v), PS_ERROR);
    if (strstr(in.why, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", in.why, words);
}

static void
encodes_to(const void *serde, struct ps_val v, const void *bytes, size_t len)
{
    struct ps_serde s;

    assert_int_equal(ps_serde_of(serde, &s), 0);
    buf_clear(&buf);
    if (s.encode(&s, &out, v) != PS_OK)
        fail_msg("%s", out.why);
    assert_int_equal(buf.len, len);
    assert_memory_equal(buf.ptr, bytes, len);
}

static void
not_encoded(const void *serde, struct ps_val v, const char *words)
{
    struct ps_serde s;

    assert_int_equal(ps_serde_of(serde, &s), 0);
    assert_int_equal(s.encode(&s, &out, v), PS_ERROR);
    if (strstr(out.why, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", out.why, words);
}

/* ---- Plain values ------------------------------------------------------- */

static void
plain_values_are_kafkas(void **state)
{
    struct ps_val v = decoded(&ps_int64, BYTES("\0\0\0\0\0\0\1\2"));

    assert_int_equal(v.as.i64, 258);
    encodes_to(&ps_int64, ps_i64(-1),
        BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"));
    v = decoded(&ps_double, BYTES("\x3f\xf8\0\0\0\0\0\0"));
    assert_true(v.as.f64 == 1.5);
    encodes_to(&ps_double, v, BYTES("\x3f\xf8\0\0\0\0\0\0"));
    v = decoded(&ps_string, BYTES("h\xc3\xa9"));
    assert_string_equal(v.as.ptr, "h\xc3\xa9");
    assert_int_equal(v.len, 3);
    encodes_to(&ps_string, ps_strn("abc", 2), BYTES("ab"));
    v = decoded(&ps_bytes, BYTES("\0\xff"));
    assert_int_equal(v.len, 2);
    encodes_to(&ps_bytes, v, BYTES("\0\xff"));
    v = decoded(&ps_json, BYTES("[1, {\"a\": null}]"));
    assert_string_equal(v.as.ptr, "[1, {\"a\": null}]");
    encodes_to(&ps_json, ps_json_text("7"), BYTES("7"));
}

static void
plain_values_are_checked(void **state)
{
    not_decoded(&ps_int64, BYTES("\0\0\0\0\0\0\1"), "8 bytes");
    not_decoded(&ps_int64, BYTES(""), "8 bytes");
    not_decoded(&ps_double, BYTES("123456789"), "8 bytes");
    not_decoded(&ps_string, BYTES("a\0b"), "NUL");
    not_decoded(&ps_string, BYTES("\xff"), "UTF-8");
    not_decoded(&ps_json, BYTES("{\"a\":1"), "JSON");
    not_decoded(&ps_json, BYTES(""), "JSON");
    not_decoded(&ps_json, BYTES("\"\\u0000\""), "JSON");
    not_encoded(&ps_json, ps_json_text("{"), "JSON");
    not_encoded(&ps_string, ps_strn("\0", 1), "NUL");
    not_encoded(&ps_string, ps_i64(1), "takes a string, this is an int64");
    not_encoded(&ps_int64, ps_str("1"), "takes an int64");
    not_encoded(ORDER, ps_str("1"), "takes a message");
    arena.limit = 4;
    not_decoded(&ps_string, BYTES("hello"), "memory");
}

static void
only_serdes_and_descriptors_are_serdes(void **state)
{
    static const uint32_t other = 7;
    struct ps_serde s;

    assert_int_equal(ps_serde_of(&other, &s), -1);
    assert_int_equal(ps_serde_of(NULL, &s), -1);
    assert_int_equal(ps_serde_of(ORDER, &s), 0);
    assert_string_equal(s.name, "shop.Order");
}

/* ---- Messages ----------------------------------------------------------- */

static void
is_order_7(const void *bytes, size_t len, int format)
{
    const Shop__Order *o = decoded(ORDER, bytes, len).as.ptr;

    assert_string_equal(o->id, "7");
    assert_int_equal(o->state, SHOP__ORDER__STATE__CREATED);
    assert_int_equal(in.format, format);
}

static void
three_dresses_of_one_message(void **state)
{
    is_order_7(BYTES("\x0a\x01" "7\x18\x01"), PS_FORMAT_PLAIN);
    is_order_7(BYTES("{\"id\":\"7\",\"state\":\"CREATED\"}"), PS_FORMAT_JSON);
    is_order_7(BYTES("\0\0\0\1\2\0\x0a\x01" "7\x18\x01"),
        PS_FORMAT_CONFLUENT);
    /* the second message of the first message of the file */
    is_order_7(BYTES("\0\xff\xff\xff\xff\4\0\2\x0a\x01" "7\x18\x01"),
        PS_FORMAT_CONFLUENT);
    is_order_7(BYTES("\0\0\0\0\1{\"id\":\"7\",\"state\":1}"),
        PS_FORMAT_CONFLUENT);
}

static void
no_bytes_are_a_message_of_defaults(void **state)
{
    const Shop__Order *o = decoded(ORDER, "", 0).as.ptr;

    assert_int_equal(o->state, SHOP__ORDER__STATE__UNSPECIFIED);
    o = decoded(ORDER, BYTES("\0\0\0\0\1\0")).as.ptr;
    assert_string_equal(o->id, "");
}

static void
other_dresses_are_refused(void **state)
{
    not_decoded(ORDER, BYTES("\0"), "framing");
    not_decoded(ORDER, BYTES("\0\0\0\0\1"), "framing");
    not_decoded(ORDER, BYTES("\0\0\0\0\1\1"), "framing");       /* -1 */
    not_decoded(ORDER, BYTES("\0\0\0\0\1\x22"), "framing");     /* 17 deep */
    not_decoded(ORDER, BYTES("\0\0\0\0\1\4\2"), "framing");     /* cut off */
    not_decoded(ORDER, BYTES("\0\0\0\0\1\2\1"), "framing");     /* [-1] */
    not_decoded(ORDER, BYTES("\0\0\0\0\1\x80\x80\x80\x80\x80\x80\x80\x80"
                             "\x80\x80\x80\x80"),
        "framing");
    not_decoded(ORDER, BYTES("{\"id\":7}"), "not a string");
    not_decoded(ORDER, BYTES("\x0a\x01\x00"), "NUL");
    not_decoded(ORDER, BYTES("[]"), "");
    not_decoded(ORDER, BYTES(" {}"), "");
}

static void
the_topic_says_how_it_is_written(void **state)
{
    const void *o = decoded(ORDER, BYTES("{\"id\":\"7\",\"state\":1}")).as.ptr;
    struct ps_val v = ps_make(PS_MESSAGE, o, 0);

    out.format = PS_FORMAT_PLAIN;
    encodes_to(ORDER, v, BYTES("\x0a\x01" "7\x18\x01"));
    out.format = PS_FORMAT_JSON;
    encodes_to(ORDER, v, BYTES("{\"id\":\"7\",\"state\":\"CREATED\"}"));
    out.format = PS_FORMAT_CONFLUENT;
    not_encoded(ORDER, v, "registry");
    not_encoded(PS_PROTO(shop__stock), v, "a shop.Order, not a shop.Stock");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(plain_values_are_kafkas, fresh),
        cmocka_unit_test_setup(plain_values_are_checked, fresh),
        cmocka_unit_test_setup(only_serdes_and_descriptors_are_serdes, fresh),
        cmocka_unit_test_setup(three_dresses_of_one_message, fresh),
        cmocka_unit_test_setup(no_bytes_are_a_message_of_defaults, fresh),
        cmocka_unit_test_setup(other_dresses_are_refused, fresh),
        cmocka_unit_test_setup(the_topic_says_how_it_is_written, fresh),
    };
    int failed = cmocka_run_group_tests_name("serde", tests, NULL, NULL);

    arena_release(&arena);
    buf_release(&buf);
    return failed;
}
