/*
 * What a stranger may send: valid messages cut off, and with every byte that
 * may begin a length, a count or a tag replaced by the worst values. Each is
 * refused, or is a message that encodes and decodes again, and the memory
 * stays within the arena's limit. Bodies end where their memory ends, so that
 * a sanitizer sees a byte read too many.
 */
#include "config.h"

#include "tests/unit/wire/wiretest.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/varint.h"
#include "wire/wire_priv.h"

#include "wire/msg/fetch.h"

enum { ARENA = 64 << 10, OUT = 1 << 20, BODY_MAX = 700 };

struct bench {
    struct dice dice;
    struct arena arena, again;
    struct buf body, out, twice;
    size_t refused, taken;
};

static void
bench_init(struct bench *b, const char *who)
{
    *b = (struct bench){.dice = dice_start(who)};
    arena_init(&b->arena, ARENA);
    arena_init(&b->again, 16 * ARENA);
    buf_init(&b->body, OUT);
    buf_init(&b->out, OUT);
    buf_init(&b->twice, OUT);
}

static void
bench_release(struct bench *b)
{
    printf("# %zu refused, %zu taken\n", b->refused, b->taken);
    arena_release(&b->arena);
    arena_release(&b->again);
    buf_release(&b->body);
    buf_release(&b->out);
    buf_release(&b->twice);
}

/* A random message of moderate size, encoded into b->body. */
static void
make_body(struct bench *b, const struct wire_msg *msg, int version)
{
    do {
        arena_reset(&b->again);
        buf_clear(&b->body);
        wire_encode_buf(msg, version,
            message_random(&b->dice, msg->type, version, &b->again), &b->body);
    } while (b->body.len > BODY_MAX);
}

/* Decodes bytes of its own block; what is taken must survive a round. */
static void
try_body(struct bench *b, const struct wire_msg *msg, int version,
    const uint8_t *p, size_t len)
{
    struct err err = {0};
    void *got, *again;

    arena_reset(&b->arena);
    if (wire_decode(msg, version, span_of(p, len), &b->arena, &got, &err)) {
        assert_null(got);
        assert_true(err.code == ERR_FORMAT || err.code == ERR_LIMIT);
        assert_non_null(strstr(err.text, msg->name));
        b->refused++;
        return;
    }
    assert_in_range(b->arena.used, 0, ARENA);
    buf_clear(&b->out);
    buf_clear(&b->twice);
    arena_reset(&b->again);
    wire_encode_buf(msg, version, got, &b->out);
    assert_false(b->out.failed);
    if (wire_decode(msg, version, buf_span(&b->out), &b->again, &again, &err))
        fail_msg("%s", err.text);
    assert_null(message_differs(msg->type, got, again));
    b->taken++;
}

/* -- cut off ------------------------------------------------------------- */

static void
check_truncations(const struct wire_msg *msg, int version, void *arg)
{
    struct bench *b = arg;

    make_body(b, msg, version);
    for (size_t len = 0; len < b->body.len; len++) {
        uint8_t *p = len > 0 ? xmemdup(b->body.ptr, len) : NULL;
        struct err err = {0};
        void *got;

        arena_reset(&b->arena);
        if (wire_decode(msg, version, span_of(p, len), &b->arena, &got, &err) ==
            0)
            fail_msg("%s v%d: %zu of %zu bytes are taken", msg->name, version,
                len, b->body.len);
        free(p);
        b->refused++;
    }
}

static void
every_truncation_is_refused(void **state)
{
    struct bench b;

    bench_init(&b, "truncation");
    each_message(check_truncations, &b);
    bench_release(&b);
}

static void
check_tail(const struct wire_msg *msg, int version, void *arg)
{
    struct bench *b = arg;
    struct err err = {0};
    void *got;

    make_body(b, msg, version);
    buf_put_u8(&b->body, 0);
    arena_reset(&b->arena);
    assert_int_equal(
        wire_decode(msg, version, buf_span(&b->body), &b->arena, &got, &err),
        0);
}

static void
a_byte_too_many_is_ignored(void **state)
{
    struct bench b;

    bench_init(&b, "tail");
    each_message(check_tail, &b);
    bench_release(&b);
}

/* -- hostile numbers ----------------------------------------------------- */

static void
check_fixed_numbers(struct bench *b, const struct wire_msg *msg, int version,
    uint8_t *p, size_t len)
{
    for (size_t at = 0; at + 2 <= len; at++) {
        uint32_t rest4 = (uint32_t)(len - at - 4);
        uint32_t rest2 = (uint32_t)(len - at - 2);
        const uint32_t fours[] = {0xffffffffu, 0xfffffffeu, 0x7fffffff,
            0x80000000u, rest4 - 1, rest4, rest4 + 1, 0};
        const uint32_t twos[] = {
            0xffff, 0xfffe, 0x7fff, 0x8000, rest2 - 1, rest2, rest2 + 1, 0};
        uint32_t was;

        for (size_t i = 0; i < countof(fours); i++) {
            size_t width = at + 4 <= len && i % 2 == 0 ? 4 : 2;

            memcpy(&was, p + at, width);
            if (width == 4)
                put_be32(p + at, fours[i]);
            else
                put_be16(p + at, (uint16_t)twos[i]);
            try_body(b, msg, version, p, len);
            memcpy(p + at, &was, width);
        }
    }
}

/* A varint may have another length: the bytes behind it move. */
static void
check_varints(struct bench *b, const struct wire_msg *msg, int version,
    const uint8_t *p, size_t len)
{
    for (size_t at = 0; at < len; at++) {
        uint64_t rest = len - at - 1;
        const uint64_t values[] = {0, 1, 2, rest, rest + 1, rest + 2, 127, 128,
            0x7fff, 0x8000, 0x8001, 0x7fffffff, 0x80000000u, 0xffffffffu,
            0x100000000u, UINT64_MAX};

        for (size_t i = 0; i < countof(values); i++) {
            uint8_t bytes[VARINT_MAX];
            size_t n = varint_put_u64(bytes, values[i]);
            uint8_t *q = xmalloc(len - 1 + n);

            memcpy(q, p, at);
            memcpy(q + at, bytes, n);
            memcpy(q + at + n, p + at + 1, len - at - 1);
            try_body(b, msg, version, q, len - 1 + n);
            free(q);
        }
    }
}

static void
check_numbers(const struct wire_msg *msg, int version, void *arg)
{
    struct bench *b = arg;
    size_t len;
    uint8_t *p;

    make_body(b, msg, version);
    len = b->body.len;
    if (len == 0)
        return;
    p = xmemdup(b->body.ptr, len);
    if (version >= msg->flexible)
        check_varints(b, msg, version, p, len);
    else
        check_fixed_numbers(b, msg, version, p, len);
    free(p);
}

static void
hostile_numbers_are_refused_or_harmless(void **state)
{
    struct bench b;

    bench_init(&b, "numbers");
    each_message(check_numbers, &b);
    bench_release(&b);
}

/* Random damage of one to four bytes. */
static void
check_noise(const struct wire_msg *msg, int version, void *arg)
{
    struct bench *b = arg;

    make_body(b, msg, version);
    for (int turn = 0; turn < 200 && b->body.len > 0; turn++) {
        size_t len = b->body.len;
        uint8_t *p = xmemdup(b->body.ptr, len);

        for (uint32_t n = dice_below(&b->dice, 4) + 1; n > 0; n--)
            p[dice_below(&b->dice, (uint32_t)len)] =
                (uint8_t)dice_roll(&b->dice);
        try_body(b, msg, version, p, len);
        free(p);
    }
}

static void
noise_is_refused_or_harmless(void **state)
{
    struct bench b;

    bench_init(&b, "noise");
    each_message(check_noise, &b);
    bench_release(&b);
}

/* -- single stories ------------------------------------------------------ */

static void
expect_error(const struct wire_msg *msg, int version, const char *hex,
    size_t limit, int code, const char *text)
{
    struct arena bytes, arena;
    struct err err = {0};
    void *got;

    arena_init(&bytes, 1 << 20);
    arena_init(&arena, limit);
    assert_int_equal(wire_decode(msg, version, bytes_of_hex(&bytes, hex),
                         &arena, &got, &err),
        -1);
    assert_string_equal(err.text, text);
    assert_int_equal(err.code, code);
    arena_release(&arena);
    arena_release(&bytes);
}

/* Fetch v4 up to its topics: replica, wait, min, max, isolation. */
#define FETCH_V4                                                               \
    "ffffffff"                                                                 \
    "000001f4"                                                                 \
    "00000001"                                                                 \
    "00100000"                                                                 \
    "00"

static void
an_error_names_the_field(void **state)
{
    expect_error(&fetch_request_msg, 4,
        FETCH_V4 "00000002"
                 "00016100000000" /* topic a, no partitions */
                 "0001620000ffff",
        1 << 20, ERR_FORMAT,
        "FetchRequest v4 topics[1].partitions: count 65535 exceeds the 0 "
        "bytes left");
    expect_error(&fetch_request_msg, 4,
        FETCH_V4 "00000001"
                 "000161"
                 "00000001"
                 "00000000"
                 "00",
        1 << 20, ERR_FORMAT,
        "FetchRequest v4 "
        "topics[0].partitions[0].fetch_offset: needs 8 bytes, 1 are left");
    expect_error(&fetch_request_msg, 4,
        FETCH_V4 "00000001"
                 "ffff",
        1 << 20, ERR_FORMAT, "FetchRequest v4 topics[0].topic: is null");
    expect_error(&fetch_request_msg, 4, FETCH_V4 "fffffffe", 1 << 20,
        ERR_FORMAT, "FetchRequest v4 topics: count -2");
    expect_error(&fetch_request_msg, 19, "", 1 << 20, ERR_FORMAT,
        "FetchRequest v19: the versions are 4 to 18");
    expect_error(&metadata_request_msg, 0,
        "00000001"
        "000561",
        1 << 20, ERR_FORMAT,
        "MetadataRequest v0 topics[0].name: length 5 exceeds the 1 bytes left");
}

/* Few bytes must not become much memory: the arena's limit says so first. */
static void
a_count_is_held_against_the_memory(void **state)
{
    char hex[2 * 4 + 2 * 400 + 1];

    memset(hex, '0', sizeof hex);
    memcpy(hex, "00000190", 8); /* 400 topics of 400 bytes */
    hex[sizeof hex - 1] = '\0';
    expect_error(&metadata_request_msg, 0, hex, 8192, ERR_LIMIT,
        "MetadataRequest v0 topics: count 400 needs 12800 bytes of memory, "
        "8160 are left of this request's 8192");
}

static void
tags_rise_and_fit(void **state)
{
    /* Heartbeat v4: group, generation, member, instance, tags */
#define HEARTBEAT_V4                                                           \
    "0267"                                                                     \
    "00000001"                                                                 \
    "026d"                                                                     \
    "00"
    expect_error(&heartbeat_request_msg, 4,
        HEARTBEAT_V4 "02"
                     "0500"
                     "0500",
        4096, ERR_FORMAT, "HeartbeatRequest v4: tag 5 comes after tag 5");
    expect_error(&heartbeat_request_msg, 4,
        HEARTBEAT_V4 "01"
                     "0502"
                     "00",
        4096, ERR_FORMAT, "HeartbeatRequest v4: tag 5 has 2 bytes, 1 are left");
    expect_error(&heartbeat_request_msg, 4,
        HEARTBEAT_V4 "01"
                     "ffffffffff01",
        4096, ERR_FORMAT,
        "HeartbeatRequest v4: a varint is cut off or too long");
    /* ApiVersions v3 response: error, no keys, throttle; tag 1 is an int64 */
    expect_error(&api_versions_response_msg, 3,
        "0000"
        "01"
        "00000000"
        "01"
        "01"
        "09"
        "000000000000000000",
        4096, ERR_FORMAT,
        "ApiVersionsResponse v3 finalized_features_epoch: 1 of the "
        "9 bytes of tag 1 are too many");
    expect_error(&api_versions_response_msg, 3,
        "0000"
        "01"
        "00000000"
        "01"
        "01"
        "07"
        "00000000000000",
        4096, ERR_FORMAT,
        "ApiVersionsResponse v3 finalized_features_epoch: needs 8 "
        "bytes, 7 are left");
}

static void
unknown_tags_are_skipped_up_to_a_number(void **state)
{
    struct buf body;
    struct arena arena;
    struct err err = {0};
    void *got;

    buf_init(&body, 4096);
    arena_init(&arena, 4096);
    for (uint32_t n = WIRE_UNKNOWN_TAGS_MAX; n <= WIRE_UNKNOWN_TAGS_MAX + 1;
         n++) {
        buf_clear(&body);
        buf_put(&body, "\2g\0\0\0\1\2m\0", 9);
        buf_put_uvarint(&body, n);
        for (uint32_t tag = 0; tag < n; tag++) {
            buf_put_uvarint(&body, 3 * tag);
            buf_put(&body, "\2xy", 3);
        }
        assert_int_equal(wire_decode(&heartbeat_request_msg, 4, buf_span(&body),
                             &arena, &got, &err),
            n <= WIRE_UNKNOWN_TAGS_MAX ? 0 : -1);
    }
    assert_string_equal(err.text, "HeartbeatRequest v4: over 64 unknown tags");
    arena_release(&arena);
    buf_release(&body);
}

/* Compact lengths could say more than Kafka's strings may hold. */
static void
a_string_has_a_limit(void **state)
{
    struct buf body;
    struct arena arena;
    struct err err = {0};
    void *got;

    buf_init(&body, 1 << 20);
    arena_init(&arena, 4096);
    for (uint32_t n = WIRE_STRING_MAX; n <= WIRE_STRING_MAX + 1; n++) {
        buf_clear(&body);
        buf_put_uvarint(&body, n + 1);
        memset(buf_grow(&body, n), 'g', n);
        buf_put(&body, "\0\0\0\1\2m\0\0", 8);
        assert_int_equal(wire_decode(&heartbeat_request_msg, 4, buf_span(&body),
                             &arena, &got, &err),
            n <= WIRE_STRING_MAX ? 0 : -1);
    }
    assert_string_equal(
        err.text, "HeartbeatRequest v4 group_id: a string of 32768 bytes");
    assert_int_equal(err.code, ERR_LIMIT);
    arena_release(&arena);
    buf_release(&body);
}

static void
what_cannot_be_said_fails_the_output(void **state)
{
    struct fetch_request r;
    struct buf b;
    char *text = xcalloc(1, WIRE_STRING_MAX + 1);

    buf_init(&b, 1 << 20);
    wire_init(&fetch_request_type, &r);
    r.rack_id = span_of(text, WIRE_STRING_MAX);
    wire_encode_buf(&fetch_request_msg, 11, &r, &b);
    assert_false(b.failed);
    r.rack_id.len++;
    buf_clear(&b);
    wire_encode_buf(&fetch_request_msg, 11, &r, &b);
    assert_true(b.failed);
    buf_clear(&b);
    wire_encode_buf(&fetch_request_msg, 12, &r, &b);
    assert_true(b.failed);
    buf_release(&b);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_byte_too_many_is_ignored),
        cmocka_unit_test(hostile_numbers_are_refused_or_harmless),
        cmocka_unit_test(noise_is_refused_or_harmless),
        cmocka_unit_test(an_error_names_the_field),
        cmocka_unit_test(a_count_is_held_against_the_memory),
        cmocka_unit_test(tags_rise_and_fit),
        cmocka_unit_test(unknown_tags_are_skipped_up_to_a_number),
        cmocka_unit_test(a_string_has_a_limit),
        cmocka_unit_test(what_cannot_be_said_fails_the_output),
    };

    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
