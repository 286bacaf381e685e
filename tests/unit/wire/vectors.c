/*
 * Frames of real clients and of Kafka 4.2: bytes to text, and to the same
 * bytes again.
 */
#include "config.h"

#include "tests/unit/wire/wiretest.h"

#include <stdio.h>

#include "base/check.h"

enum direction { REQUEST, RESPONSE };

static const struct vector {
    enum direction direction;
    const char *api;
    int version;
    const char *hex, *text;
} vectors[] = {
#define VECTOR(...) {__VA_ARGS__},
#include "tests/unit/wire/vectors.tbl"
#undef VECTOR
};

static const struct wire_api *
api_named(const char *name)
{
    const struct wire_api *api;

    for (size_t i = 0; (api = wire_api_nth(i)) != NULL; i++)
        if (strcmp(api->name, name) == 0)
            return api;
    fail_msg("no API %s", name);
    return NULL;
}

/* Reads the header and leaves in `out` the same header, encoded again. */
static size_t
pass_header(const struct vector *v, const struct wire_api *api,
    struct span frame, struct wire_out *out)
{
    struct request_header h;
    struct err err = {0};
    int32_t correlation;
    size_t used;

    if (v->direction == REQUEST) {
        assert_int_equal(wire_decode_header(frame, &h, &used, &err), 0);
        assert_int_equal(h.api_key, api->key);
        assert_int_equal(h.api_version, v->version);
        wire_encode_request_header(&h, out);
    } else {
        assert_int_equal(wire_decode_response_header(
                             api, v->version, frame, &correlation, &used, &err),
            0);
        wire_encode_response_header(api, v->version, correlation, out);
    }
    return used;
}

static void
check_vector(const struct vector *v)
{
    const struct wire_api *api = api_named(v->api);
    const struct wire_msg *msg =
        v->direction == REQUEST ? api->request : api->response;
    struct arena arena;
    struct wire_out out;
    struct err err = {0};
    struct buf text;
    struct span frame;
    size_t used;
    void *m;

    arena_init(&arena, 1 << 20);
    wire_out_init(&out, 1 << 20, SIZE_MAX);
    buf_init(&text, 1 << 20);
    frame = bytes_of_hex(&arena, v->hex);
    used = pass_header(v, api, frame, &out);
    if (wire_decode(msg, v->version,
            span_of(frame.ptr + used, frame.len - used), &arena, &m, &err) != 0)
        fail_msg("%s", err.text);
    wire_dump(msg->type, v->version, m, &text);
    buf_put_u8(&text, 0);
    assert_string_equal((const char *)text.ptr, v->text);
    wire_encode(msg, v->version, m, &out);
    assert_int_equal(out.buf.len, frame.len);
    assert_memory_equal(out.buf.ptr, frame.ptr, frame.len);
    buf_release(&text);
    wire_out_release(&out);
    arena_release(&arena);
}

static void
real_frames_to_text_and_back(void **state)
{
    for (size_t i = 0; i < countof(vectors); i++) {
        const struct vector *v = &vectors[i];

        printf("# %s %s v%d\n", v->direction == REQUEST ? "request" : "answer",
            v->api, v->version);
        check_vector(v);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_frames_to_text_and_back),
    };

    return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
