/* payload.c: bytes of the shop's topics as JSON, and back. */
#include "config.h"

#include "payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int
fresh(void **state)
{
    arena_release(&arena);
    arena_init(&arena, 1 << 20);
    return 0;
}

static int
end(void **state)
{
    arena_release(&arena);
    return 0;
}

static void
shows(const char *topic, const void *bytes, size_t len,
    enum payload_kind kind, const char *want)
{
    struct span text;

    assert_int_equal(payload_show(payload_of_topic(topic), span_of(bytes, len),
        &arena, &text), kind);
    if (!span_eq(text, span_str(want)))
        fail_msg("%.*s", (int)text.len, (const char *)text.ptr);
}

#define BYTES(literal) literal, sizeof(literal) - 1
/* id "1", state CREATED, product "ipad" */
#define ORDER "\x0a\x01" "1\x18\x01\x22\x04ipad"
#define ORDER_JSON "{\"id\":\"1\",\"state\":\"CREATED\",\"product\":\"ipad\"}"

static void
three_dresses_look_alike(void **state)
{
    shows("orders", BYTES(ORDER), PAYLOAD_JSON, ORDER_JSON);
    shows("orders", BYTES(ORDER_JSON), PAYLOAD_JSON, ORDER_JSON);
    shows("orders", BYTES("\0\0\0\0\7\0" ORDER), PAYLOAD_JSON, ORDER_JSON);
}

static void
a_count_of_four_bytes(void **state)
{
    shows("warehouse-inventory", BYTES("\0\0\0\x14"), PAYLOAD_JSON,
        "{\"kind\":\"COUNT\",\"quantity\":20}");
}

static void
other_bytes_stay_as_they_are(void **state)
{
    struct span text;

    shows("orders", BYTES("not an order"), PAYLOAD_TEXT, "not an order");
    shows("notes", BYTES("hello\n"), PAYLOAD_TEXT, "hello\n");
    shows("notes", BYTES("[1, 2]"), PAYLOAD_JSON, "[1, 2]");
    shows("notes", BYTES("{oops"), PAYLOAD_TEXT, "{oops");
    shows("notes", BYTES("\x08\x01"), PAYLOAD_BINARY, "\x08\x01");
    shows("notes", BYTES("caf\xc3\xa9"), PAYLOAD_TEXT, "caf\xc3\xa9");
    shows("notes", BYTES("\xff"), PAYLOAD_BINARY, "\xff");
    shows("notes", BYTES(""), PAYLOAD_TEXT, "");
    assert_int_equal(payload_show(NULL, SPAN_NULL, &arena, &text),
        PAYLOAD_NULL);
    assert_null(text.ptr);
}

static void
json_becomes_bytes_and_a_key(void **state)
{
    struct span out, key;
    struct err err;

    assert_int_equal(payload_read(payload_of_topic("orders"),
        span_str(ORDER_JSON), &arena, &out, &key, &err), 0);
    assert_true(span_eq(out, span_of(ORDER, sizeof ORDER - 1)));
    assert_true(span_eq(key, span_str("1")));
    assert_int_equal(payload_read(payload_of_topic("customers"),
        span_str("{\"id\": 42}"), &arena, &out, &key, &err), 0);
    assert_true(span_eq(key, span_str("42")));
    assert_int_equal(payload_read(payload_of_topic("warehouse-inventory"),
        span_str("{\"kind\":\"COUNT\"}"), &arena, &out, &key, &err), 0);
    assert_null(key.ptr);
    /* without an id there is no key, and an empty message is not null */
    assert_int_equal(payload_read(payload_of_topic("orders"), span_str("{}"),
        &arena, &out, &key, &err), 0);
    assert_null(key.ptr);
    assert_non_null(out.ptr);
    assert_int_equal(out.len, 0);
    assert_int_equal(payload_read(payload_of_topic("orders"),
        span_str("{\"sate\":1}"), &arena, &out, &key, &err), -1);
    assert_non_null(strstr(err.text, "sate"));
}

static void
messages_have_names(void **state)
{
    struct err err;

    assert_null(payload_of_topic("notes"));
    assert_ptr_equal(payload_of_message("shop.Order", &err),
        payload_of_topic("orders"));
    assert_ptr_equal(payload_of_message("Movement", &err),
        payload_of_topic("warehouse-inventory"));
    assert_null(payload_of_message("Ordr", &err));
    assert_string_equal(err.text,
        "there is no message 'Ordr' (did you mean 'Order'?)");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(three_dresses_look_alike, fresh),
        cmocka_unit_test_setup(a_count_of_four_bytes, fresh),
        cmocka_unit_test_setup(other_bytes_stay_as_they_are, fresh),
        cmocka_unit_test_setup(json_becomes_bytes_and_a_key, fresh),
        cmocka_unit_test_setup(messages_have_names, fresh),
    };

    return cmocka_run_group_tests_name("payload", tests, NULL, end);
}
