/*
 * Every message in every version: filled at random, encoded, decoded, the
 * same; and encoded by reference, the same bytes.
 */
#include "config.h"

#include "tests/unit/wire/wiretest.h"

#include <stdio.h>

#include "base/check.h"
#include "wire/wire_priv.h"

enum { TURNS = 60, ARENA = 4 << 20, OUT = 4 << 20 };

static void
check_references(const struct wire_msg *msg, int version, const void *m,
    const struct buf *plain)
{
    struct wire_out out;
    struct buf flat;
    struct iovec iov[256];
    size_t n, sum = 0;

    wire_out_init(&out, OUT, 2);
    buf_init(&flat, OUT);
    wire_encode(msg, version, m, &out);
    assert_false(wire_out_failed(&out));
    assert_int_equal(wire_out_size(&out), plain->len);
    wire_out_copy(&out, &flat);
    assert_int_equal(flat.len, plain->len);
    assert_memory_equal(flat.ptr, plain->ptr, flat.len);

    n = wire_out_iov(&out, iov, countof(iov));
    assert_in_range(n, 0, countof(iov));
    for (size_t i = 0; i < n; i++) {
        assert_memory_equal(iov[i].iov_base, plain->ptr + sum, iov[i].iov_len);
        sum += iov[i].iov_len;
    }
    assert_int_equal(sum, plain->len);
    buf_release(&flat);
    wire_out_release(&out);
}

static void
check_message(const struct wire_msg *msg, int version, void *arg)
{
    struct dice *d = arg;
    struct arena arena;
    struct buf plain;

    arena_init(&arena, ARENA);
    buf_init(&plain, OUT);
    for (int turn = 0; turn < TURNS; turn++) {
        const void *m = message_random(d, msg->type, version, &arena);
        const char *differs;
        struct err err = {0};
        void *got;

        wire_encode_buf(msg, version, m, &plain);
        assert_false(plain.failed);
        if (wire_decode(msg, version, buf_span(&plain), &arena, &got, &err))
            fail_msg("%s", err.text);
        differs = message_differs(msg->type, m, got);
        if (differs != NULL)
            fail_msg("%s v%d: %s differs", msg->name, version, differs);
        check_references(msg, version, m, &plain);
        buf_clear(&plain);
        arena_reset(&arena);
    }
    buf_release(&plain);
    arena_release(&arena);
}

static void
every_message_in_every_version(void **state)
{
    struct dice d = dice_start("roundtrip");

    each_message(check_message, &d);
}

/* A zeroed struct is a message: null becomes empty where there is no null. */
static void
check_zeroed(const struct wire_msg *msg, int version, void *arg)
{
    struct arena arena;
    struct buf plain;
    struct err err = {0};
    void *zero, *got;

    arena_init(&arena, ARENA);
    buf_init(&plain, OUT);
    zero = arena_calloc(&arena, 1, msg->type->size);
    wire_encode_buf(msg, version, zero, &plain);
    assert_false(plain.failed);
    if (wire_decode(msg, version, buf_span(&plain), &arena, &got, &err) != 0)
        fail_msg("%s", err.text);
    buf_release(&plain);
    arena_release(&arena);
}

static void
a_zeroed_struct_is_a_message(void **state)
{
    each_message(check_zeroed, NULL);
}

/* -- the tables themselves ----------------------------------------------- */

static void
check_type(const struct wire_msg *msg, const struct wire_type *type, bool in)
{
    uint64_t tags = 0;

    for (size_t i = 0; i < type->count; i++) {
        const struct wire_field *f = &type->fields[i];

        assert_true(f->first <= f->last);
        if (f->tagged) {
            assert_true(f->first >= msg->flexible);
            assert_in_range(f->tag, 0, 63);
            assert_int_equal(tags & (1ull << f->tag), 0);
            tags |= 1ull << f->tag;
        }
        /* the encoder moves tagged fields, and references do not move */
        if (in || f->tagged)
            assert_int_not_equal(f->kind, WIRE_RECORDS);
        assert_int_equal(f->type != NULL, f->kind == WIRE_STRUCT ||
                                              f->kind == WIRE_OPTION ||
                                              f->kind == WIRE_ARRAY);
        if (f->type != NULL)
            check_type(msg, f->type, in || f->tagged);
    }
}

static void
check_table(const struct wire_msg *msg, int version, void *arg)
{
    check_type(msg, msg->type, false);
}

static void
the_tables_keep_the_encoders_rules(void **state)
{
    each_message(check_table, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_in_every_version),
        cmocka_unit_test(a_zeroed_struct_is_a_message),
        cmocka_unit_test(the_tables_keep_the_encoders_rules),
    };

    return cmocka_run_group_tests_name("roundtrip", tests, NULL, NULL);
}
