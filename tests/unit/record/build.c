/* Building batches: byte for byte as a client does, and back again. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/limits.h"
#include "record/batch.h"
#include "help.h"
#include "vectors.h"

enum { RECORDS = 200, HEADERS = 4, POOL = 1 << 16 };

/* The model: what was put in, as it must come out. */
struct model {
    int64_t timestamp;
    struct span key, value;
    struct header headers[HEADERS];
    size_t header_count;
};

static uint8_t pool[POOL];       /* all bytes of random records */

static bool
same(struct span a, struct span b)
{
    return span_eq(a, b) && (a.ptr == NULL) == (b.ptr == NULL);
}

static void
vector_add(struct batch_builder *b, int i)
{
    static const char *const keys[] = {"k0", "k1", NULL, "k3"};
    const struct header headers[] = {
        {span_str("trace"), span_str("abc")},
        {span_str("none"), SPAN_NULL},
    };
    uint8_t value[VECTOR_VALUE_PLAIN];

    memset(value, 'a' + i, sizeof value);
    batch_builder_add(b, VECTOR_TIME + 1000 * i, span_str(keys[i]),
        i == 3 ? SPAN_NULL : span_of(value, sizeof value), headers,
        i == 1 ? countof(headers) : 0);
}

static void
the_same_bytes_as_a_client_s(void **state)
{
    const struct batch_build how = {.producer_id = 0x22003558};
    struct buf want, got;
    struct batch_builder b;

    buf_init(&want, 1000);
    buf_init(&got, 1000);
    hex_put(&want, vectors[CODEC_NONE]);
    batch_builder_init(&b, &got);
    for (int i = 0; i < 4; i++)
        vector_add(&b, i);
    assert_int_equal(batch_builder_size(&b), want.len);
    assert_int_equal(batch_builder_end(&b, &how, NULL), 0);
    batch_stamp(got.ptr, 0, 0);
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.ptr, want.ptr, want.len);
    buf_release(&want);
    buf_release(&got);
}

static struct span
random_span(size_t max, bool may_be_null)
{
    size_t len = random_size(max);

    if (may_be_null && random_below(8) == 0)
        return SPAN_NULL;
    return span_of(pool + random_below(POOL - len), len);
}

static int64_t
random_time(void)
{
    switch (random_below(8)) {
    case 0:
        return INT64_MIN;
    case 1:
        return INT64_MAX;
    case 2:
        return (int64_t)random_u64();
    default:
        return VECTOR_TIME + (int64_t)random_below(100000);
    }
}

static void
model_fill(struct model *m)
{
    m->timestamp = random_time();
    m->key = random_span(200, true);
    m->value = random_span(4000, true);
    m->header_count = random_below(3) != 0 ? 0 : random_below(HEADERS + 1);
    for (size_t i = 0; i < m->header_count; i++) {
        m->headers[i].key = random_span(100, false);
        m->headers[i].value = random_span(200, true);
    }
}

static void
model_expect(const struct model *m, const struct record *r, int i)
{
    struct span rest = r->headers, key, value;

    assert_int_equal(r->offset, i);
    assert_int_equal(r->timestamp, m->timestamp);
    assert_true(same(r->key, m->key));
    assert_true(same(r->value, m->value));
    assert_int_equal(r->header_count, m->header_count);
    for (size_t k = 0; k < m->header_count; k++) {
        assert_int_equal(headers_next(&rest, &key, &value), 1);
        assert_true(same(key, m->headers[k].key));
        assert_true(same(value, m->headers[k].value));
    }
    assert_int_equal(headers_next(&rest, &key, &value), 0);
}

/* Builds `count` records behind `before` bytes of others. */
static struct batch
build(struct buf *out, const struct model *m, size_t count,
    const struct batch_build *how)
{
    size_t before = out->len;
    struct batch_builder b;
    struct batch batch;

    batch_builder_init(&b, out);
    for (size_t i = 0; i < count; i++)
        batch_builder_add(&b, m[i].timestamp, m[i].key, m[i].value,
            m[i].headers, m[i].header_count);
    assert_int_equal(batch_builder_end(&b, how, NULL), 0);
    assert_int_equal(batch_parse(
        span_of(out->ptr + before, out->len - before), &batch), BATCH_OK);
    assert_int_equal(batch.bytes.len, out->len - before);
    assert_int_equal(batch_check(&batch), BATCH_OK);
    return batch;
}

/* Copies a batch record by record, the headers as they stand. */
static void
copy_raw(const struct batch *from, struct arena *arena, struct buf *out,
    const struct batch_build *how)
{
    struct batch_builder b;
    struct batch_iter it;
    struct record r;

    assert_int_equal(batch_iter_init(&it, from, arena, NULL), 0);
    batch_builder_init(&b, out);
    while (batch_iter_next(&it, &r, NULL) == 1)
        batch_builder_add_raw(&b, r.timestamp, r.key, r.value, r.headers,
            r.header_count);
    assert_int_equal(batch_builder_end(&b, how, NULL), 0);
}

static void
round_trip(struct buf *out, struct arena *arena, const struct model *m,
    size_t count)
{
    const struct batch_build how = {
        .producer_id = (int64_t)(random_u64() >> 1),
        .producer_epoch = (int16_t)(random_u64() >> 49),
        .base_sequence = (int32_t)(random_u64() >> 33),
        .attributes = (uint16_t)(random_below(5) | BATCH_TRANSACTIONAL),
    };
    size_t before = random_size(100);
    struct batch_iter it;
    struct record r;
    struct batch b;

    buf_grow(out, before);
    b = build(out, m, count, &how);
    assert_int_equal(b.producer_id, how.producer_id);
    assert_int_equal(b.producer_epoch, how.producer_epoch);
    assert_int_equal(b.base_sequence, how.base_sequence);
    if (b.attributes != how.attributes)  /* it compresses too well */
        assert_int_equal(b.attributes, BATCH_TRANSACTIONAL);
    assert_int_equal(batch_check_produce(&b), BATCH_OK);
    assert_int_equal(batch_iter_init(&it, &b, arena, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(batch_iter_next(&it, &r, NULL), 1);
        model_expect(&m[i], &r, (int)i);
        assert_true(r.timestamp <= b.max_timestamp);
    }
    assert_int_equal(batch_iter_next(&it, &r, NULL), 0);
}

static void
random_records_come_back(void **state)
{
    static struct model m[RECORDS];
    struct arena arena;
    struct buf out;

    random_begin();
    arena_init(&arena, 4 * MIB);
    buf_init(&out, 4 * MIB);
    for (int round = 0; round < 300; round++) {
        size_t count = random_size(RECORDS - 1) + 1;

        random_fill(pool, POOL, round % 3 == 0 ? 256 : 3);
        for (size_t i = 0; i < count; i++)
            model_fill(&m[i]);
        buf_clear(&out);
        arena_reset(&arena);
        round_trip(&out, &arena, m, count);
    }
    arena_release(&arena);
    buf_release(&out);
}

static void
raw_headers_give_the_same_bytes(void **state)
{
    static struct model m[RECORDS];
    struct arena arena;
    struct buf out, again;
    struct batch b;

    random_begin();
    arena_init(&arena, 4 * MIB);
    buf_init(&out, 4 * MIB);
    buf_init(&again, 4 * MIB);
    for (size_t i = 0; i < RECORDS; i++)
        model_fill(&m[i]);
    b = build(&out, m, RECORDS, &BATCH_BUILD_PLAIN);
    copy_raw(&b, &arena, &again, &BATCH_BUILD_PLAIN);
    assert_int_equal(again.len, out.len);
    assert_memory_equal(again.ptr, out.ptr, out.len);
    arena_release(&arena);
    buf_release(&out);
    buf_release(&again);
}

static void
plain_means_nobody_s(void **state)
{
    struct buf out;
    struct model m = {.timestamp = 5, .value = span_str("v")};
    struct batch b;

    buf_init(&out, 1000);
    b = build(&out, &m, 1, &BATCH_BUILD_PLAIN);
    assert_int_equal(b.base_offset, 0);
    assert_int_equal(b.leader_epoch, -1);
    assert_int_equal(b.producer_id, -1);
    assert_int_equal(b.producer_epoch, -1);
    assert_int_equal(b.base_sequence, -1);
    assert_int_equal(b.base_timestamp, 5);
    assert_int_equal(b.max_timestamp, 5);
    assert_int_equal(batch_check_produce(&b), BATCH_OK);
    buf_release(&out);
}

/* Lengths around the places where a varint gets a byte more, in room that is
 * exactly enough. */
static void
every_length_fits_exactly(void **state)
{
    for (size_t len = 0; len < 20000; len < 140 ? len++ : (len += 97)) {
        struct model m = {.timestamp = 1, .value = span_of(pool, len)};
        struct buf wide, tight;
        struct batch_builder b;

        buf_init(&wide, 1 * MIB);
        build(&wide, &m, 1, &BATCH_BUILD_PLAIN);
        buf_init(&tight, wide.len);
        build(&tight, &m, 1, &BATCH_BUILD_PLAIN);
        assert_memory_equal(tight.ptr, wide.ptr, wide.len);
        buf_release(&tight);

        buf_init(&tight, wide.len - 1);
        batch_builder_init(&b, &tight);
        batch_builder_add(&b, 1, m.key, m.value, NULL, 0);
        assert_true(tight.failed);
        assert_int_equal(
            batch_builder_end(&b, &BATCH_BUILD_PLAIN, NULL), -1);
        assert_int_equal(tight.len, 0);
        buf_release(&tight);
        buf_release(&wide);
    }
}

static void
without_room_nothing_is_left(void **state)
{
    int failures = 0;

    for (size_t max = 0; max < 600; max++) {
        struct buf out;
        struct batch_builder b;
        struct err err;
        struct batch_build how = BATCH_BUILD_PLAIN;

        how.attributes = (uint16_t)(max % 5);
        buf_init(&out, max);
        buf_grow(&out, max / 2);
        batch_builder_init(&b, &out);
        for (int i = 0; i < 4; i++)
            vector_add(&b, i);
        if (batch_builder_end(&b, &how, &err) != 0) {
            assert_true(out.failed);
            assert_int_equal(err.code, ERR_LIMIT);
            assert_int_equal(out.len, out.ptr == NULL ? 0 : max / 2);
            failures++;
        }
        buf_release(&out);
    }
    assert_true(failures > 100);
    assert_true(failures < 600);
}

/* A reader refuses what grows more than a hundredfold (limits.h). */
static uint8_t one_byte[1 << 20];

static void
what_compresses_too_well_stays_plain(void **state)
{
    struct model m = {.timestamp = 1};
    struct batch_build how = BATCH_BUILD_PLAIN;
    struct arena arena;
    struct buf out;

    how.attributes = CODEC_ZSTD | BATCH_TRANSACTIONAL;
    memset(one_byte, 'x', sizeof one_byte);
    arena_init(&arena, 4 * MIB);
    buf_init(&out, 4 * MIB);
    for (int big = 0; big < 2; big++) {
        struct batch b;
        struct batch_iter it;
        struct record r;

        buf_clear(&out);
        m.key = m.value = span_of(one_byte,
            big ? sizeof one_byte - 1 : sizeof one_byte / 2 - 100);
        b = build(&out, &m, 1, &how);
        assert_int_equal(b.attributes & BATCH_CODEC_MASK,
            big ? CODEC_NONE : CODEC_ZSTD);
        assert_true((b.attributes & BATCH_TRANSACTIONAL) != 0);
        assert_int_equal(batch_iter_init(&it, &b, &arena, NULL), 0);
        assert_int_equal(batch_iter_next(&it, &r, NULL), 1);
        model_expect(&m, &r, 0);
    }
    arena_release(&arena);
    buf_release(&out);
}

static void
larger_than_the_format_is_refused(void **state)
{
    struct span huge = span_of(pool, (size_t)INT32_MAX + 1);
    struct span half = span_of(pool, (size_t)INT32_MAX / 2 + 1);
    const struct header header = {span_of(pool, 1), huge};
    struct buf out;
    struct batch_builder b;

    for (int i = 0; i < 4; i++) {
        buf_init(&out, SIZE_MAX / 4);
        batch_builder_init(&b, &out);
        batch_builder_add(&b, 1, i == 0 ? huge : i == 1 ? half : SPAN_NULL,
            i == 2 ? huge : i == 1 ? half : SPAN_NULL, &header, i == 3);
        assert_true(out.failed);
        assert_int_equal(
            batch_builder_end(&b, &BATCH_BUILD_PLAIN, NULL), -1);
        buf_release(&out);
    }
}

static void
no_records_no_batch(void **state)
{
    struct buf out;
    struct batch_builder b;
    struct err err;

    buf_init(&out, 1000);
    buf_put_str(&out, "before");
    batch_builder_init(&b, &out);
    assert_int_equal(batch_builder_end(&b, &BATCH_BUILD_PLAIN, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_int_equal(out.len, 6);
    assert_false(out.failed);
    buf_release(&out);
}

static void
a_codec_of_nobody_is_an_error(void **state)
{
    const struct batch_build how = {-1, -1, -1, 6};
    struct buf out;
    struct batch_builder b;
    struct err err;

    buf_init(&out, 1000);
    batch_builder_init(&b, &out);
    vector_add(&b, 0);
    assert_int_equal(batch_builder_end(&b, &how, &err), -1);
    assert_int_equal(err.code, ERR_FORMAT);
    assert_int_equal(out.len, 0);
    buf_release(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_as_a_client_s),
        cmocka_unit_test(random_records_come_back),
        cmocka_unit_test(raw_headers_give_the_same_bytes),
        cmocka_unit_test(plain_means_nobody_s),
        cmocka_unit_test(every_length_fits_exactly),
        cmocka_unit_test(without_room_nothing_is_left),
        cmocka_unit_test(what_compresses_too_well_stays_plain),
        cmocka_unit_test(larger_than_the_format_is_refused),
        cmocka_unit_test(no_records_no_batch),
        cmocka_unit_test(a_codec_of_nobody_is_an_error),
    };

    return cmocka_run_group_tests_name("record/build", tests, NULL, NULL);
}
