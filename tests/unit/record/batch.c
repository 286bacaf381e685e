/* Reading batches: those of a real client, and those of an enemy. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/limits.h"
#include "record/batch.h"
#include "help.h"
#include "vectors.h"

struct fixture {
    struct buf bytes;            /* a plain batch, to be spoiled */
    struct arena arena;
};

static int
setup(void **state)
{
    static struct fixture f;

    buf_init(&f.bytes, 1 * MIB);
    arena_init(&f.arena, 1 * MIB);
    hex_put(&f.bytes, vectors[CODEC_NONE]);
    *state = &f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    buf_release(&f->bytes);
    arena_release(&f->arena);
    return 0;
}

static void
crc_renew(struct buf *b)
{
    put_be32(b->ptr + 17, crc32c(0, b->ptr + 21, b->len - 21));
}

/* The batch's length follows what stands in the buf. */
static void
length_renew(struct buf *b)
{
    put_be32(b->ptr + 8, (uint32_t)b->len - 12);
}

static struct batch
parse(const struct buf *b)
{
    struct batch batch;

    assert_int_equal(batch_parse(buf_span(b), &batch), BATCH_OK);
    return batch;
}

/* Walks all records: how many, or -1 for a damaged batch. */
static int
walk(const struct batch *b, struct arena *arena, struct record *last)
{
    struct batch_iter it;
    struct record r;
    struct err err;
    int count = 0, rc;

    arena_reset(arena);
    if (batch_iter_init(&it, b, arena, &err) != 0)
        return -1;
    while ((rc = batch_iter_next(&it, &r, &err)) == 1) {
        struct span rest = r.headers, key, value;
        int headers = 0;

        while (headers_next(&rest, &key, &value) == 1)
            headers++;
        assert_int_equal(headers, r.header_count);
        if (last != NULL)
            *last = r;
        count++;
    }
    assert_int_equal(batch_iter_next(&it, &r, &err), rc);
    return rc == 0 ? count : -1;
}

static void
expect_bytes(struct span got, const char *want)
{
    assert_true(span_eq(got, span_str(want)));
    assert_int_equal(got.ptr == NULL, want == NULL);
}

/* What vectors.h says about all of its batches. */
static void
expect_vector(const struct batch *b, struct arena *arena, size_t value_len)
{
    static const char *const keys[] = {"k0", "k1", NULL, "k3"};
    struct batch_iter it;
    struct record r;
    struct span key, value;

    assert_int_equal(batch_iter_init(&it, b, arena, NULL), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(batch_iter_next(&it, &r, NULL), 1);
        assert_int_equal(r.offset, i);
        assert_int_equal(r.timestamp, VECTOR_TIME + 1000 * i);
        expect_bytes(r.key, keys[i]);
        assert_int_equal(r.value.len, i == 3 ? 0 : value_len);
        for (size_t k = 0; k < r.value.len; k++)
            assert_int_equal(r.value.ptr[k], 'a' + i);
        assert_int_equal(r.value.ptr == NULL, i == 3);
        assert_int_equal(r.header_count, i == 1 ? 2 : 0);
        if (i != 1)
            continue;
        assert_int_equal(headers_next(&r.headers, &key, &value), 1);
        expect_bytes(key, "trace");
        expect_bytes(value, "abc");
        assert_int_equal(headers_next(&r.headers, &key, &value), 1);
        expect_bytes(key, "none");
        expect_bytes(value, NULL);
        assert_int_equal(headers_next(&r.headers, &key, &value), 0);
    }
    assert_int_equal(batch_iter_next(&it, &r, NULL), 0);
    assert_int_equal(batch_iter_next(&it, &r, NULL), 0);
}

static void
header_of_a_client(void **state)
{
    struct fixture *f = *state;
    struct batch b = parse(&f->bytes);

    assert_int_equal(b.base_offset, 0);
    assert_int_equal(b.leader_epoch, 0);
    assert_int_equal(b.crc, 0xf9e638af);
    assert_int_equal(b.attributes, 0);
    assert_int_equal(b.last_offset_delta, 3);
    assert_int_equal(b.base_timestamp, VECTOR_TIME);
    assert_int_equal(b.max_timestamp, VECTOR_TIME + 3000);
    assert_int_equal(b.producer_id, 0x22003558);
    assert_int_equal(b.producer_epoch, 0);
    assert_int_equal(b.base_sequence, 0);
    assert_int_equal(b.record_count, 4);
    assert_int_equal(b.bytes.len, f->bytes.len);
    assert_int_equal(batch_last_offset(&b), 3);
    assert_int_equal(batch_check(&b), BATCH_OK);
    assert_int_equal(batch_check_produce(&b), BATCH_OK);
}

static void
records_of_a_client_in_every_codec(void **state)
{
    struct fixture *f = *state;

    for (size_t c = 0; c < countof(vectors); c++) {
        struct batch b;

        buf_clear(&f->bytes);
        hex_put(&f->bytes, vectors[c]);
        b = parse(&f->bytes);
        assert_int_equal(b.attributes & BATCH_CODEC_MASK, c);
        assert_int_equal(batch_check(&b), BATCH_OK);
        assert_int_equal(batch_check_produce(&b), BATCH_OK);
        expect_vector(&b, &f->arena,
            c == CODEC_NONE ? VECTOR_VALUE_PLAIN : VECTOR_VALUE);
    }
}

static void
cut_off_anywhere_is_short(void **state)
{
    struct fixture *f = *state;
    struct batch b;

    for (size_t n = 0; n < f->bytes.len; n++) {
        uint8_t *copy = test_malloc(n);  /* so that a read past it is seen */

        memcpy(copy, f->bytes.ptr, n);
        assert_int_equal(batch_parse(span_of(copy, n), &b), BATCH_SHORT);
        test_free(copy);
    }
}

static void
a_second_batch_is_left_alone(void **state)
{
    struct fixture *f = *state;
    size_t len = f->bytes.len;
    struct batch b;

    hex_put(&f->bytes, vectors[CODEC_GZIP]);
    b = parse(&f->bytes);
    assert_int_equal(b.bytes.len, len);
    assert_int_equal(batch_check(&b), BATCH_OK);
}

/* Base offset (0-7) and leader epoch (12-15) are the broker's, and outside the
 * CRC; every other byte is guarded. */
static void
any_flipped_bit_is_noticed(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < f->bytes.len; i++) {
        bool free_byte = i < 8 || (i >= 12 && i < 16);

        for (int bit = 0; bit < 8; bit++) {
            struct batch b;
            enum batch_status s;

            f->bytes.ptr[i] ^= (uint8_t)(1 << bit);
            s = batch_parse(buf_span(&f->bytes), &b);
            if (s == BATCH_OK)
                s = batch_check(&b);
            assert_int_equal(s == BATCH_OK, free_byte);
            if (i >= 17)
                assert_int_equal(s, BATCH_BAD_CRC);
            f->bytes.ptr[i] ^= (uint8_t)(1 << bit);
        }
    }
}

static void
stamping_leaves_the_crc_right(void **state)
{
    struct fixture *f = *state;
    struct batch b;
    struct record last;

    batch_stamp(f->bytes.ptr, 0x123456789abcdef, 77);
    b = parse(&f->bytes);
    assert_int_equal(batch_check(&b), BATCH_OK);
    assert_int_equal(b.base_offset, 0x123456789abcdef);
    assert_int_equal(b.leader_epoch, 77);
    assert_int_equal(walk(&b, &f->arena, &last), 4);
    assert_int_equal(last.offset, 0x123456789abcdef + 3);
}

static void
lengths_below_the_header_are_refused(void **state)
{
    static const int32_t bad[] = {INT32_MIN, -1, 0, 48};
    struct fixture *f = *state;
    struct batch b;

    for (size_t i = 0; i < countof(bad); i++) {
        put_be32(f->bytes.ptr + 8, (uint32_t)bad[i]);
        assert_int_equal(batch_parse(buf_span(&f->bytes), &b),
            BATCH_BAD_LENGTH);
    }
    put_be32(f->bytes.ptr + 8, INT32_MAX);
    assert_int_equal(batch_parse(buf_span(&f->bytes), &b), BATCH_SHORT);
}

static void
other_formats_are_named(void **state)
{
    struct fixture *f = *state;
    struct batch b;

    for (int magic = 0; magic < 256; magic++) {
        f->bytes.ptr[16] = (uint8_t)magic;
        assert_int_equal(batch_parse(buf_span(&f->bytes), &b),
            magic == 2 ? BATCH_OK : BATCH_BAD_MAGIC);
    }
}

/* A change to the header, with the CRC made right again. */
struct change {
    size_t at, size;
    int64_t value;
    enum batch_status check, produce;
};

static void
header_put(uint8_t *p, const struct change *c)
{
    switch (c->size) {
    case 2:
        put_be16(p + c->at, (uint16_t)c->value);
        break;
    case 4:
        put_be32(p + c->at, (uint32_t)c->value);
        break;
    default:
        put_be64(p + c->at, (uint64_t)c->value);
    }
}

static void
contradictions_are_found(void **state)
{
    static const struct change changes[] = {
        /* attributes */
        {21, 2, 5, BATCH_BAD_HEADER, BATCH_OK},
        {21, 2, 7, BATCH_BAD_HEADER, BATCH_OK},
        {21, 2, BATCH_TRANSACTIONAL, BATCH_OK, BATCH_OK},
        {21, 2, BATCH_CONTROL, BATCH_OK, BATCH_BAD_HEADER},
        {21, 2, BATCH_LOG_APPEND_TIME, BATCH_OK, BATCH_BAD_HEADER},
        {21, 2, BATCH_DELETE_HORIZON, BATCH_OK, BATCH_BAD_HEADER},
        /* last offset delta, with four records */
        {23, 4, -1, BATCH_BAD_HEADER, BATCH_BAD_HEADER},
        {23, 4, INT32_MIN, BATCH_BAD_HEADER, BATCH_BAD_HEADER},
        {23, 4, 2, BATCH_BAD_HEADER, BATCH_BAD_HEADER},
        {23, 4, 4, BATCH_OK, BATCH_BAD_HEADER},
        {23, 4, INT32_MAX, BATCH_OK, BATCH_BAD_HEADER},
        /* record count */
        {57, 4, -1, BATCH_BAD_HEADER, BATCH_BAD_HEADER},
        {57, 4, INT32_MIN, BATCH_BAD_HEADER, BATCH_BAD_HEADER},
        {57, 4, 0, BATCH_BAD_HEADER, BATCH_BAD_HEADER},
        {57, 4, 3, BATCH_OK, BATCH_BAD_HEADER},
        {57, 4, INT32_MAX, BATCH_BAD_HEADER, BATCH_BAD_HEADER},
        /* base offset: the last would be past the end of all offsets */
        {0, 8, INT64_MAX - 2, BATCH_BAD_HEADER, BATCH_OK},
        {0, 8, INT64_MAX - 3, BATCH_OK, BATCH_OK},
        {0, 8, -1, BATCH_OK, BATCH_OK},
        /* timestamps are the client's affair */
        {35, 8, -1, BATCH_OK, BATCH_OK},
        /* producer id, epoch, sequence */
        {43, 8, -1, BATCH_OK, BATCH_OK},
        {43, 8, -2, BATCH_OK, BATCH_BAD_HEADER},
        {51, 2, -1, BATCH_OK, BATCH_BAD_HEADER},
        {53, 4, -1, BATCH_OK, BATCH_BAD_HEADER},
        {53, 4, INT32_MAX, BATCH_OK, BATCH_OK},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < countof(changes); i++) {
        struct batch b;

        buf_clear(&f->bytes);
        hex_put(&f->bytes, vectors[CODEC_NONE]);
        header_put(f->bytes.ptr, &changes[i]);
        crc_renew(&f->bytes);
        b = parse(&f->bytes);
        if (batch_check(&b) != changes[i].check
            || batch_check_produce(&b) != changes[i].produce)
            fail_msg("row %zu: %d %d", i, batch_check(&b),
                batch_check_produce(&b));
        walk(&b, &f->arena, NULL);
    }
}

static void
a_transaction_needs_a_producer(void **state)
{
    struct fixture *f = *state;
    struct batch b = parse(&f->bytes);

    b.attributes = BATCH_TRANSACTIONAL;
    assert_int_equal(batch_check_produce(&b), BATCH_OK);
    b.producer_id = -1;
    assert_int_equal(batch_check_produce(&b), BATCH_BAD_HEADER);
}

/* Compaction keeps the header of a producer's last batch. */
static void
a_batch_without_records_is_a_log_s(void **state)
{
    struct fixture *f = *state;
    struct batch b;

    f->bytes.len = BATCH_HEADER;
    length_renew(&f->bytes);
    put_be32(f->bytes.ptr + 57, 0);
    for (uint16_t codec = 0; codec <= CODEC_ZSTD; codec++) {
        put_be16(f->bytes.ptr + 21, codec);
        crc_renew(&f->bytes);
        b = parse(&f->bytes);
        assert_int_equal(batch_check(&b), BATCH_OK);
        assert_int_equal(batch_check_produce(&b), BATCH_BAD_HEADER);
        assert_int_equal(batch_last_offset(&b), 3);
        assert_int_equal(walk(&b, &f->arena, NULL), 0);
    }
    put_be32(f->bytes.ptr + 57, 1);
    crc_renew(&f->bytes);
    b = parse(&f->bytes);
    assert_int_equal(batch_check(&b), BATCH_BAD_HEADER);
    assert_int_equal(walk(&b, &f->arena, NULL), -1);
}

static void
log_append_time_is_that_of_the_batch(void **state)
{
    struct fixture *f = *state;
    struct batch b;
    struct record last;

    put_be16(f->bytes.ptr + 21, BATCH_LOG_APPEND_TIME);
    put_be64(f->bytes.ptr + 35, 4711);
    b = parse(&f->bytes);
    assert_int_equal(walk(&b, &f->arena, &last), 4);
    assert_int_equal(last.timestamp, 4711);
}

/* The iterator alone, without the CRC before it. */

/* Puts records in hex behind the header, one offset for each. */
static struct batch
batch_of(struct buf *b, const char *records, int32_t count)
{
    b->len = BATCH_HEADER;
    hex_put(b, records);
    length_renew(b);
    put_be32(b->ptr + 57, (uint32_t)count);
    put_be32(b->ptr + 23, (uint32_t)count - 1);
    return parse(b);
}

struct damage {
    const char *hex;
    int32_t count;
    int want;                    /* what walk() says */
};

static void
damaged_records_are_refused(void **state)
{
    static const struct damage rows[] = {
        /* length attr since delta key value headers */
        {"0c" "00" "00" "00" "01" "01" "00", 1, 1},
        {"0e" "00" "00" "00" "0261" "01" "00", 1, 1},
        {"0c00000001010000", 1, -1},     /* a byte behind the last */
        {"0c000000010100" "0c000000010100", 1, -1},
        {"0c000000010100" "0c000002010100", 2, 2},
        {"0c000000010100" "0c000000010100", 2, -1},  /* offset twice */
        {"0c000002010100" "0c000000010100", 2, -1},  /* descending */
        {"0c000000010100" "0c000004010100", 2, -1},  /* above the last */
        {"0c000001010100", 1, -1},       /* offset delta -1 */
        {"0b000000010100", 1, -1},       /* length -6 */
        {"00000000000000", 1, -1},       /* length 0 */
        {"0a000000010100", 1, -1},       /* record ends before its headers */
        {"0e000000010100", 1, -1},       /* longer than the batch */
        {"feffffff0f0101", 1, -1},       /* length INT32_MAX */
        {"ffffffff0f0101", 1, -1},       /* INT32_MIN */
        {"ffffffffffffff", 1, -1},       /* a varint without end */
        {"0c000000030100", 1, -1},       /* key length -2 */
        {"0c000000040100", 1, -1},       /* key beyond the record */
        {"0c000000010300", 1, -1},       /* value length -2 */
        {"0c000000010200", 1, -1},       /* value takes the headers' count */
        {"0c000000010102", 1, -1},       /* one header, no bytes */
        {"0c000000010101", 1, -1},       /* -1 headers */
        {"10000000010102" "0000", 1, 1}, /* a header, both parts empty */
        {"10000000010102" "0001", 1, 1}, /* its value null */
        {"10000000010102" "0100", 1, -1},        /* its key null */
        {"10000000010102" "0002", 1, -1},        /* value too long */
        {"10000000010100" "0000", 1, -1},        /* bytes, but no headers */
        {"14000000010102" "00000000", 1, -1},    /* two, and says one */
        {"14000000010104" "00000000", 1, 1},
        {"14000000010106" "00000000", 1, -1},    /* two, and says three */
        {"140000000101feffffff0f", 1, -1},       /* INT32_MAX of them */
        {"0c000000010100", INT32_MAX, -1},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < countof(rows); i++) {
        struct batch b = batch_of(&f->bytes, rows[i].hex, rows[i].count);
        int got = walk(&b, &f->arena, NULL);

        if (got != rows[i].want)
            fail_msg("row %zu: %d instead of %d", i, got, rows[i].want);
    }
}

static void
sums_of_timestamps_wrap_around(void **state)
{
    struct fixture *f = *state;
    struct record last;
    struct batch b;

    b = batch_of(&f->bytes, "0e" "00" "8001" "00" "01" "01" "00", 1);
    b.base_timestamp = INT64_MAX;        /* and 64 more */
    assert_int_equal(walk(&b, &f->arena, &last), 1);
    assert_int_equal(last.timestamp, INT64_MIN + 63);
}

static void
headers_next_refuses_what_no_iterator_gave(void **state)
{
    struct span key, value, rest = SPAN_NULL;
    static const uint8_t cut[] = {8, 'a'}, value_cut[] = {2, 'a', 2};

    assert_int_equal(headers_next(&rest, &key, &value), 0);
    rest = span_of(cut, sizeof cut);
    assert_int_equal(headers_next(&rest, &key, &value), -1);
    rest = span_of(value_cut, sizeof value_cut);
    assert_int_equal(headers_next(&rest, &key, &value), -1);
    rest = span_of(value_cut, 2);
    assert_int_equal(headers_next(&rest, &key, &value), -1);
}

/* Any bytes at all behind the header: no crash, no endless walk. Memory
 * checkers see the rest. */
static void
random_bytes_do_no_harm(void **state)
{
    struct fixture *f = *state;
    size_t damaged = 0, rounds = 20000;

    random_begin();
    for (size_t i = 0; i < rounds; i++) {
        struct batch b;

        buf_clear(&f->bytes);
        hex_put(&f->bytes, vectors[i % countof(vectors)]);
        for (size_t k = random_below(4) + 1; k > 0; k--)
            f->bytes.ptr[BATCH_HEADER
                + random_below(f->bytes.len - BATCH_HEADER)] =
                (uint8_t)random_u64();
        if (random_below(4) == 0) {
            f->bytes.len -= random_below(f->bytes.len - BATCH_HEADER);
            length_renew(&f->bytes);
        }
        b = parse(&f->bytes);
        damaged += walk(&b, &f->arena, NULL) < 0;
    }
    assert_true(damaged > rounds / 4);
}

static void
an_arena_too_small_is_a_limit(void **state)
{
    struct fixture *f = *state;
    struct arena small;
    struct batch_iter it;
    struct record r;
    struct err err;
    struct batch b;

    buf_clear(&f->bytes);
    hex_put(&f->bytes, vectors[CODEC_ZSTD]);
    b = parse(&f->bytes);
    arena_init(&small, 100);
    assert_int_equal(batch_iter_init(&it, &b, &small, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(batch_iter_next(&it, &r, &err), -1);
    arena_release(&small);
}

static void
decompressed_size_is_bounded(void **state)
{
    assert_int_equal(batch_decompressed_max(0), 1 * MIB);
    assert_int_equal(batch_decompressed_max(10485), 1 * MIB);
    assert_int_equal(batch_decompressed_max(20000), 2000000);
    assert_int_equal(batch_decompressed_max(671088), 67108800);
    assert_int_equal(batch_decompressed_max(671089), 64 * MIB);
    assert_int_equal(batch_decompressed_max(SIZE_MAX), 64 * MIB);
}

static void
each_status_has_words_and_a_code(void **state)
{
    static const int codes[] = {0, 2, 87, 2, 2, 87};

    for (int s = BATCH_OK; s <= BATCH_BAD_HEADER; s++) {
        assert_true(strlen(batch_status_text((enum batch_status)s)) > 10);
        assert_int_equal(batch_status_kerr((enum batch_status)s), codes[s]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(header_of_a_client),
        TEST(records_of_a_client_in_every_codec),
        TEST(cut_off_anywhere_is_short),
        TEST(a_second_batch_is_left_alone),
        TEST(any_flipped_bit_is_noticed),
        TEST(stamping_leaves_the_crc_right),
        TEST(lengths_below_the_header_are_refused),
        TEST(other_formats_are_named),
        TEST(contradictions_are_found),
        TEST(a_transaction_needs_a_producer),
        TEST(a_batch_without_records_is_a_log_s),
        TEST(log_append_time_is_that_of_the_batch),
        TEST(damaged_records_are_refused),
        TEST(sums_of_timestamps_wrap_around),
        TEST(headers_next_refuses_what_no_iterator_gave),
        TEST(random_bytes_do_no_harm),
        TEST(an_arena_too_small_is_a_limit),
        TEST(decompressed_size_is_bounded),
        TEST(each_status_has_words_and_a_code),
    };

    return cmocka_run_group_tests_name("record/batch", tests, NULL, NULL);
}
