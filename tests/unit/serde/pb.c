/* pb.c: protobuf's encoding, against the specification's examples, against
 * the protobuf-c library, and against hostile bytes. */
#include "config.h"

#include "serde/pb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/serde/old.pb-c.h"
#include "proto/shop.pb-c.h"
#include "random_message.h"
#include "tests/unit/serde/sample.pb-c.h"

static struct arena arena;
static struct buf buf;
static struct err err;

static int
fresh(void **state)
{
    arena_release(&arena);
    arena_init(&arena, 1 << 20);
    buf_release(&buf);
    buf_init(&buf, 1 << 20);
    err = (struct err){0};
    return 0;
}

#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

static void *
decoded(const ProtobufCMessageDescriptor *m, struct span bytes)
{
    ProtobufCMessage *msg;

    if (pb_decode(m, bytes, &arena, &msg, &err) != 0)
        fail_msg("%s", err.text);
    return msg;
}

static void
refused(const ProtobufCMessageDescriptor *m, struct span bytes,
    const char *words)
{
    ProtobufCMessage *msg;

    assert_int_equal(pb_decode(m, bytes, &arena, &msg, &err), -1);
    if (strstr(err.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void
encodes_to(const ProtobufCMessage *msg, struct span want)
{
    buf_clear(&buf);
    assert_int_equal(pb_encode(msg, &buf, &err), 0);
    assert_int_equal(buf.len, want.len);
    assert_memory_equal(buf.ptr, want.ptr, want.len);
}

#define ALL &sample__all__descriptor

/* ---- What the specification shows --------------------------------------- */

static void
numbers_are_as_in_the_specification(void **state)
{
    Sample__All *a = decoded(ALL, BYTES("\x08\x96\x01"));

    assert_int_equal(a->i32, 150);
    encodes_to(&a->base, BYTES("\x08\x96\x01"));
    a = decoded(ALL, BYTES("\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    assert_int_equal(a->i32, -2);
    encodes_to(&a->base,
        BYTES("\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    a = decoded(ALL, BYTES("\x10\x03\x38\x04"));
    assert_int_equal(a->s32, -2);
    assert_int_equal(a->s64, 2);
    encodes_to(&a->base, BYTES("\x10\x03\x38\x04"));
}

static void
text_and_bytes_and_messages(void **state)
{
    Sample__All *a = decoded(ALL,
        BYTES("\x7a\x07testing\x82\x01\x02\x00\xff\x8a\x01\x04\x0a\x02hi"));

    assert_string_equal(a->some_text, "testing");
    assert_int_equal(a->some_bytes.len, 2);
    assert_int_equal(a->some_bytes.data[1], 0xff);
    assert_string_equal(a->one->name, "hi");
    encodes_to(&a->base,
        BYTES("\x7a\x07testing\x82\x01\x02\x00\xff\x8a\x01\x04\x0a\x02hi"));
}

static void
an_empty_input_is_a_message_of_defaults(void **state)
{
    Shop__Order *o = decoded(&shop__order__descriptor, BYTES(""));

    assert_int_equal(o->state, SHOP__ORDER__STATE__UNSPECIFIED);
    assert_string_equal(o->id, "");
    encodes_to(&o->base, BYTES(""));
}

/* Packed and loose are the same to a reader, whatever the field says. */
static void
lists_are_read_packed_and_loose(void **state)
{
    Sample__All *a = decoded(ALL,
        BYTES("\xaa\x01\x03\x01\x02\x03\xa8\x01\x04\xf0\x01\x05"
              "\xf2\x01\x02\x06\x07\xaa\x01\x00"));

    assert_int_equal(a->n_many_i32, 4);
    assert_int_equal(a->many_i32[3], 4);
    assert_int_equal(a->n_many_loose, 3);
    assert_int_equal(a->many_loose[2], 7);
    encodes_to(&a->base,
        BYTES("\xaa\x01\x04\x01\x02\x03\x04\xf0\x01\x05\xf0\x01\x06\xf0\x01"
              "\x07"));
}

static void
a_message_that_comes_twice_is_merged(void **state)
{
    Sample__All *a = decoded(ALL,
        BYTES("\x8a\x01\x03\x0a\x01x\x8a\x01\x02\x10\x09"
              "\x8a\x01\x03\x0a\x01y"));

    assert_string_equal(a->one->name, "y");
    assert_int_equal(a->one->count, 9);
}

static void
the_last_member_of_a_oneof_wins(void **state)
{
    Sample__All *a = decoded(ALL,
        BYTES("\xaa\x03\x02\x10\x09\x98\x03\x05\xa2\x03\x01w"));

    assert_int_equal(a->choice_case, SAMPLE__ALL__CHOICE_WORD);
    assert_string_equal(a->word, "w");
    encodes_to(&a->base, BYTES("\xa2\x03\x01w"));
    /* what the message held before the number came is not merged into */
    a = decoded(ALL, BYTES("\xaa\x03\x02\x10\x09\x98\x03\x05"
                           "\xaa\x03\x03\x0a\x01z"));
    assert_int_equal(a->choice_case, SAMPLE__ALL__CHOICE_DEEP);
    assert_int_equal(a->deep->count, 0);
    /* a zero that was chosen is written */
    a = decoded(ALL, BYTES("\x98\x03\x00"));
    encodes_to(&a->base, BYTES("\x98\x03\x00"));
}

static void
an_unknown_number_of_an_enum_is_kept(void **state)
{
    Sample__All *a = decoded(ALL, BYTES("\x70\x63"));

    assert_int_equal((int)a->colour, 99);
    encodes_to(&a->base, BYTES("\x70\x63"));
}

static void
proto2_has_presence_defaults_and_required_fields(void **state)
{
    Sample__Old *o =
        decoded(&sample__old__descriptor, BYTES("\x08\x01\x10\x00"));

    assert_true(o->has_maybe);
    assert_string_equal(o->text, "said by none");
    encodes_to(&o->base, BYTES("\x08\x01\x10\x00"));
    refused(&sample__old__descriptor, BYTES("\x10\x01"), "must: is required");
    refused(&sample__old__descriptor, BYTES("\x08\x01\x2a\x00"), "required");
}

/* ---- What it must survive ----------------------------------------------- */

static void
unknown_fields_survive(void **state)
{
    static const char in[] =
        "\x08\x05"                      /* known */
        "\x10\x03"                      /* varint */
        "\x1d\x01\x02\x03\x04"          /* 32 bits */
        "\x41\x01\x02\x03\x04\x05\x06\x07\x08"
        "\x7a\x03\x00\xff\x61"          /* bytes that are no text */
        "\x8a\x01\x05\x20\x07\x0a\x01q";         /* known, unknown within */
    static const char out[] =
        "\x08\x05\x8a\x01\x05\x0a\x01q\x20\x07"
        "\x10\x03\x1d\x01\x02\x03\x04\x41\x01\x02\x03\x04\x05\x06\x07\x08"
        "\x7a\x03\x00\xff\x61";
    Sample__Few *f = decoded(&sample__few__descriptor, BYTES(in));

    assert_int_equal(f->base.n_unknown_fields, 4);
    encodes_to(&f->base, BYTES(out));
}

static void
strings_with_nul_or_bad_utf8_are_refused(void **state)
{
    static const char *const bad[] = {"\x80", "\xc0\x80", "\xed\xa0\x80",
        "\xf4\x90\x80\x80", "\xff", "abcdefgh\xc3", "12345678\xe2\x82",
        "abcdefghijklmnop\x80qrstuvwx"};
    char in[64];

    refused(ALL, BYTES("\x7a\x03" "a\0b"), "some_text: holds a NUL");
    refused(ALL, BYTES("\x7a\x09" "abcdefgh\0"), "some_text: holds a NUL");
    refused(ALL, BYTES("\x7a\x08" "abc\0efgh"), "some_text: holds a NUL");
    refused(ALL, BYTES("\xda\x01\x01\x00"), "many_text: holds a NUL");
    refused(ALL, BYTES("\x8a\x01\x03\x0a\x01\xff"), "name");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int n = snprintf(in, sizeof in, "\x7a%c%s", (int)strlen(bad[i]),
            bad[i]);

        refused(ALL, span_of(in, (size_t)n), "not UTF-8");
    }
    decoded(ALL, BYTES("\x7a\x0c" "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80xyz"));
}

static void
lengths_past_the_end_are_refused(void **state)
{
    refused(ALL, BYTES("\x7a\x05" "abc"), "past the end");
    refused(ALL, BYTES("\x82\x01\x01"), "past the end");
    refused(ALL, BYTES("\x7a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        "past the end");
    refused(ALL, BYTES("\x7a"), "past the end");
    /* within a message that itself fits: the outer bytes are not its own */
    refused(ALL, BYTES("\x8a\x01\x02\x0a\x05" "abcdef"), "name");
    refused(ALL, BYTES("\xaa\x01\x02\x80"), "packed");
    refused(ALL, BYTES("\xaa\x01\x02\x80\x80"), "packed");
    refused(ALL, BYTES("\xba\x01\x03\x01\x02\x03"), "packed");
    refused(ALL, BYTES("\x2d\x01\x02"), "f32: the number is cut off");
    refused(ALL, BYTES("\x08\x80\x80"), "i32: the number is cut off");
    refused(ALL, BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
        "i32");
    refused(&sample__few__descriptor, BYTES("\x7a\x05" "abc"), "unknown");
}

static void
what_is_no_protobuf_is_refused(void **state)
{
    refused(ALL, BYTES("\x00\x01"), "tag");
    refused(ALL, BYTES("\x07"), "tag");
    refused(ALL, BYTES("{\"id\":\"1\"}"), "wire type");
    refused(&sample__few__descriptor, BYTES("\x7b\x7c"), "group");
    refused(&sample__few__descriptor, BYTES("\x7e"), "group");
    refused(ALL, BYTES("\x0d\x01\x02\x03\x04"), "another wire type");
    refused(ALL, BYTES("\xf8\xff\xff\xff\xff\x01\x01"), "tag");
    refused(ALL, BYTES("\x80"), "tag");
}

static void
nesting_has_a_limit(void **state)
{
    uint8_t in[512];
    size_t at = sizeof in;

    in[--at] = 0;                        /* Inner.inner = {} */
    in[--at] = 0x1a;
    for (int depth = 2; depth < PB_DEPTH_MAX; depth++) {
        size_t n = sizeof in - at;

        assert_true(n < 128);
        in[--at] = (uint8_t)n;
        in[--at] = 0x1a;
    }
    decoded(&sample__inner__descriptor, span_of(in + at, sizeof in - at));
    encodes_to(decoded(&sample__inner__descriptor,
                   span_of(in + at, sizeof in - at)),
        span_of(in + at, sizeof in - at));
    for (int more = 0; more < 2; more++) {
        size_t n = sizeof in - at;

        in[--at] = (uint8_t)n;
        in[--at] = 0x1a;
    }
    refused(&sample__inner__descriptor, span_of(in + at, sizeof in - at),
        "too deep");
}

/* Two bytes on the wire, a struct in memory: the arena says when it is
 * enough, and nothing beyond it was asked for. */
static void
many_small_messages_stop_at_the_arena(void **state)
{
    size_t n = 100000;
    uint8_t *in = malloc(n * 3);

    for (size_t i = 0; i < n; i++)
        memcpy(in + i * 3, "\xea\x01\x00", 3);
    refused(ALL, span_of(in, n * 3), "bytes of memory");
    assert_int_equal(err.code, ERR_LIMIT);
    assert_true(arena.used <= arena.limit);
    /* a packed list counts before it allocates */
    fresh(NULL);
    memset(in, 1, n * 3);
    memcpy(in, "\xb2\x01\xc0\x84\x3d", 5);       /* 1000000 bytes: too long */
    refused(ALL, span_of(in, n * 3), "packed");
    memcpy(in, "\xb2\x01\xc0\x9a\x0c", 5);       /* 200000 numbers */
    refused(ALL, span_of(in, 5 + 200000), "bytes of memory");
    free(in);
}

static void
what_may_not_be_read_is_not_written(void **state)
{
    Sample__All a = SAMPLE__ALL__INIT;
    char bad[] = "\xff";

    a.some_text = bad;
    assert_int_equal(pb_encode(&a.base, &buf, &err), -1);
    assert_non_null(strstr(err.text, "some_text"));
}

static void
a_full_buffer_is_an_error(void **state)
{
    Sample__All a = SAMPLE__ALL__INIT;
    struct buf small;
    char text[300];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    a.some_text = text;
    buf_init(&small, 200);
    assert_int_equal(pb_encode(&a.base, &small, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    buf_release(&small);
}

/* ---- Against the library ------------------------------------------------ */

/* The library writes the same bytes, and reads ours; a length of a nested
 * message that needs one byte, two or three is put right. */
static void
random_messages_agree_with_the_library(void **state)
{
    uint64_t r = random_seed();
    uint8_t *want = malloc(1 << 20);

    for (int i = 0; i < 3000; i++) {
        ProtobufCMessage *msg, *theirs;
        size_t n;

        fresh(NULL);
        arena.limit = 64 << 20;
        msg = random_message(ALL, &r, &arena, false, 0);
        n = protobuf_c_message_get_packed_size(msg);
        assert_true(n <= 1 << 20);
        protobuf_c_message_pack(msg, want);
        encodes_to(msg, span_of(want, n));
        theirs = protobuf_c_message_unpack(ALL, NULL, n, want);
        assert_non_null(theirs);
        encodes_to(theirs, span_of(want, n));
        protobuf_c_message_free_unpacked(theirs, NULL);
        encodes_to(decoded(ALL, span_of(want, n)), span_of(want, n));
        /* what few knows, and what it does not, comes back whole */
        theirs = decoded(&sample__few__descriptor, span_of(want, n));
        buf_clear(&buf);
        assert_int_equal(pb_encode(theirs, &buf, &err), 0);
        assert_int_equal(buf.len, n);
    }
    free(want);
}

/* Bytes turned over: refused or read, and what was read is written and read
 * again the same. */
static void
broken_messages_do_no_harm(void **state)
{
    uint64_t r = random_seed();
    uint8_t *copy = malloc(1 << 20);

    for (int i = 0; i < 20000; i++) {
        ProtobufCMessage *msg;
        size_t n;

        fresh(NULL);
        msg = random_message(ALL, &r, &arena, false, 2);
        assert_int_equal(pb_encode(msg, &buf, &err), 0);
        n = buf.len;
        memcpy(copy, buf.ptr, n);
        for (int k = 0; k < 3 && n > 0; k++)
            copy[random_next(&r) % n] = (uint8_t)random_next(&r);
        if (n > 0 && random_next(&r) % 2)
            n = random_next(&r) % n;
        if (pb_decode(ALL, span_of(copy, n), &arena, &msg, &err) != 0)
            continue;
        buf_clear(&buf);
        assert_int_equal(pb_encode(msg, &buf, &err), 0);
        memcpy(copy, buf.ptr, buf.len);
        n = buf.len;
        encodes_to(decoded(ALL, span_of(copy, n)), span_of(copy, n));
    }
    free(copy);
}

/* A field that pb_field() reads is what pb_decode() puts into the struct. */
static void
field_agrees(const ProtobufCMessage *msg, struct span bytes,
    const ProtobufCFieldDescriptor *f)
{
    const char *at = (const char *)msg + f->offset;
    union pb_single one;
    int rc = pb_field(msg->descriptor, bytes, f, &one, &err);

    assert_true(rc >= 0);
    if (rc == 0)
        memset(&one, 0, sizeof one);
    if (f->type == PROTOBUF_C_TYPE_STRING) {
        assert_true(span_eq(one.bytes, span_str(*(char *const *)at)));
    } else if (f->type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *b = (const void *)at;

        assert_true(span_eq(one.bytes, span_of(b->data, b->len)));
    } else {
        assert_memory_equal(&one, at, pb_type_size(f->type));
    }
}

/* Without a struct: the same bytes are taken, the others refused with the
 * same words, and fields are the same. */
static void
bytes_alone_tell_the_same(void **state)
{
    uint64_t r = random_seed();
    uint8_t *copy = malloc(1 << 20);
    unsigned taken = 0, refused = 0;

    for (int i = 0; i < 20000; i++) {
        ProtobufCMessage *msg;
        struct err checked;
        size_t n;

        fresh(NULL);
        arena.limit = 64 << 20;
        msg = random_message(ALL, &r, &arena, false, i % 3);
        assert_int_equal(pb_encode(msg, &buf, &err), 0);
        n = buf.len;
        memcpy(copy, buf.ptr, n);
        for (int k = random_next(&r) % 3; k > 0 && n > 0; k--)
            copy[random_next(&r) % n] = (uint8_t)random_next(&r);
        if (n > 0 && random_next(&r) % 4 == 0)
            n = random_next(&r) % n;
        if (pb_decode(ALL, span_of(copy, n), &arena, &msg, &err) != 0) {
            assert_int_equal(pb_check(ALL, span_of(copy, n), &checked), -1);
            assert_string_equal(checked.text, err.text);
            refused++;
            continue;
        }
        assert_int_equal(pb_check(ALL, span_of(copy, n), &checked), 0);
        for (unsigned k = 0; k < (ALL)->n_fields; k++) {
            const ProtobufCFieldDescriptor *f = &(ALL)->fields[k];

            if (f->label == PROTOBUF_C_LABEL_NONE
                && f->type != PROTOBUF_C_TYPE_MESSAGE
                && (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
                field_agrees(msg, span_of(copy, n), f);
        }
        taken++;
    }
    assert_true(taken > 1000 && refused > 1000);
    free(copy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numbers_are_as_in_the_specification, fresh),
        cmocka_unit_test_setup(text_and_bytes_and_messages, fresh),
        cmocka_unit_test_setup(an_empty_input_is_a_message_of_defaults, fresh),
        cmocka_unit_test_setup(lists_are_read_packed_and_loose, fresh),
        cmocka_unit_test_setup(a_message_that_comes_twice_is_merged, fresh),
        cmocka_unit_test_setup(the_last_member_of_a_oneof_wins, fresh),
        cmocka_unit_test_setup(an_unknown_number_of_an_enum_is_kept, fresh),
        cmocka_unit_test_setup(
            proto2_has_presence_defaults_and_required_fields, fresh),
        cmocka_unit_test_setup(unknown_fields_survive, fresh),
        cmocka_unit_test_setup(strings_with_nul_or_bad_utf8_are_refused,
            fresh),
        cmocka_unit_test_setup(lengths_past_the_end_are_refused, fresh),
        cmocka_unit_test_setup(what_is_no_protobuf_is_refused, fresh),
        cmocka_unit_test_setup(nesting_has_a_limit, fresh),
        cmocka_unit_test_setup(many_small_messages_stop_at_the_arena, fresh),
        cmocka_unit_test_setup(what_may_not_be_read_is_not_written, fresh),
        cmocka_unit_test_setup(a_full_buffer_is_an_error, fresh),
        cmocka_unit_test_setup(random_messages_agree_with_the_library, fresh),
        cmocka_unit_test_setup(broken_messages_do_no_harm, fresh),
        cmocka_unit_test_setup(bytes_alone_tell_the_same, fresh),
    };
    int failed = cmocka_run_group_tests_name("pb", tests, NULL, NULL);

    arena_release(&arena);
    buf_release(&buf);
    return failed;
}
