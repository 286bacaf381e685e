/* The four codecs: there and back, and what an enemy sends. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "record/compress.h"
#include "help.h"

#define EACH_CODEC(c) \
    for (enum codec c = CODEC_GZIP; c <= CODEC_ZSTD; c++)

static uint8_t plain[1 << 20];

static void
pack(enum codec c, struct span in, struct buf *out)
{
    buf_clear(out);
    assert_int_equal(codec_compress(c, in, out, NULL), 0);
}

/* What decompression says: 0 or the error's code. `out` is emptied first. */
static int
unpack(enum codec c, struct span in, struct buf *out, size_t limit)
{
    struct err err = {0};

    buf_clear(out);
    buf_put_str(out, "before");
    if (codec_decompress(c, in, out, limit, &err) == 0)
        return 0;
    assert_int_equal(out->len, 6);
    assert_true(err.text[0] != '\0');
    return err.code;
}

static void
expect(const struct buf *out, struct span want)
{
    assert_int_equal(out->len, want.len + 6);
    assert_memory_equal(out->ptr, "before", 6);
    assert_true(span_eq(span_of(out->ptr + 6, out->len - 6), want));
}

struct fixture {
    struct buf packed, out;
};

static int
setup(void **state)
{
    static struct fixture f;

    buf_init(&f.packed, 4 * MIB);
    buf_init(&f.out, 4 * MIB);
    *state = &f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    buf_release(&f->packed);
    buf_release(&f->out);
    return 0;
}

/* Each length at its own limit: one byte less is too little. */
static void
there_and_back(void **state)
{
    static const size_t lens[] = {0, 1, 2, 3, 4, 5, 15, 16, 17, 60, 61, 62,
        255, 256, 257, 4096, 32767, 32768, 32769, 65535, 65536, 65537, 262144,
        262145, sizeof plain};
    static const size_t letters[] = {1, 2, 20, 256};
    struct fixture *f = *state;

    random_begin();
    for (size_t l = 0; l < countof(letters); l++) {
        random_fill(plain, sizeof plain, letters[l]);
        for (size_t i = 0; i < countof(lens); i++) {
            struct span in = span_of(plain, lens[i]);

            EACH_CODEC(c) {
                pack(c, in, &f->packed);
                assert_int_equal(
                    unpack(c, buf_span(&f->packed), &f->out, in.len), 0);
                expect(&f->out, in);
                if (in.len == 0)
                    continue;
                assert_int_equal(
                    unpack(c, buf_span(&f->packed), &f->out, in.len - 1),
                    ERR_LIMIT);
            }
        }
    }
}

static void
none_is_a_copy(void **state)
{
    struct fixture *f = *state;
    struct span in = span_str("abc");

    pack(CODEC_NONE, in, &f->packed);
    assert_true(span_eq(buf_span(&f->packed), in));
    assert_int_equal(unpack(CODEC_NONE, in, &f->out, 3), 0);
    expect(&f->out, in);
    assert_int_equal(unpack(CODEC_NONE, in, &f->out, 2), ERR_LIMIT);
    assert_int_equal(unpack(CODEC_NONE, span_of(plain, 0), &f->out, 2), 0);
}

/* 1 MiB of zeros, many times over: the limit holds, and so does memory. */
static void
bombs_stop_at_the_limit(void **state)
{
    struct fixture *f = *state;
    struct buf bomb;

    memset(plain, 0, sizeof plain);
    EACH_CODEC(c) {
        static const size_t limits[] = {0, 1, 1000, 300000};

        buf_init(&bomb, 100 * MIB);
        pack(c, span_of(plain, sizeof plain), &f->packed);
        if (c == CODEC_SNAPPY)
            buf_put_span(&bomb, buf_span(&f->packed));
        else
            for (int i = 0; i < 50; i++)
                buf_put_span(&bomb, buf_span(&f->packed));
        for (size_t i = 0; i < countof(limits); i++) {
            struct buf out;

            buf_init(&out, 10 * MIB);
            assert_int_equal(
                unpack(c, buf_span(&bomb), &out, limits[i]), ERR_LIMIT);
            assert_true(out.cap <= 2 * limits[i] + 128);
            buf_release(&out);

            buf_init(&out, limits[i] + 6);       /* its maximum counts too */
            assert_int_equal(
                unpack(c, buf_span(&bomb), &out, 10 * MIB), ERR_LIMIT);
            buf_release(&out);
        }
        buf_release(&bomb);
    }
}

struct liar {
    enum codec codec;
    const char *hex;
};

/* Sizes without the bytes that could make them. */
static void
declared_sizes_allocate_nothing(void **state)
{
    static const struct liar liars[] = {
        {CODEC_SNAPPY, "ffffffff0f" "00"},
        {CODEC_SNAPPY, "80808010" "00"},         /* 32 MiB */
        {CODEC_SNAPPY, "82534e41505059000000000100000001" "7fffffff"},
        {CODEC_SNAPPY, "82534e41505059000000000100000001" "ffffffff00"},
        {CODEC_SNAPPY, "82534e41505059000000000100000001" "00000005"
                       "8080801000"},
        {CODEC_ZSTD, "28b52ffde0" "ffffffffffffff7f" "0000"},
        {CODEC_ZSTD, "28b52ffda0" "00000004" "0b000061"}, /* 64 MiB, one comes */
        {CODEC_ZSTD, "28b52ffd00" "f8" "010000"},        /* window 2^41 */
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < countof(liars); i++) {
        struct buf out;
        int rc;

        buf_clear(&f->packed);
        hex_put(&f->packed, liars[i].hex);
        buf_init(&out, 100 * MIB);
        rc = unpack(liars[i].codec, buf_span(&f->packed), &out, 64 * MIB);
        if (rc != ERR_DAMAGE && rc != ERR_LIMIT)
            fail_msg("row %zu: %d", i, rc);
        assert_true(out.cap <= 256 * KIB);
        buf_release(&out);
    }
}

static void
cut_off_anywhere_is_damage(void **state)
{
    struct fixture *f = *state;

    random_begin();
    random_fill(plain, 3000, 4);
    EACH_CODEC(c) {
        pack(c, span_of(plain, 3000), &f->packed);
        for (size_t n = 0; n < f->packed.len; n++) {
            uint8_t *copy = test_malloc(n);
            int rc;

            memcpy(copy, f->packed.ptr, n);
            rc = unpack(c, span_of(copy, n), &f->out, 20000);
            /* xerial's frame has no end: its header alone is empty */
            if (c == CODEC_SNAPPY && n == 16)
                assert_int_equal(rc, 0);
            else
                assert_int_equal(rc, ERR_DAMAGE);
            test_free(copy);
        }
    }
}

static void
flipped_bits_do_no_harm(void **state)
{
    struct fixture *f = *state;

    random_begin();
    random_fill(plain, 2000, 4);
    EACH_CODEC(c) {
        pack(c, span_of(plain, 2000), &f->packed);
        for (size_t i = 0; i < f->packed.len * 8; i++) {
            f->packed.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
            unpack(c, buf_span(&f->packed), &f->out, 100000);
            f->packed.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
        }
    }
}

static void
random_bytes_do_no_harm(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[64];

    random_begin();
    for (int i = 0; i < 20000; i++) {
        size_t n = random_below(sizeof bytes) + 1;

        random_fill(bytes, n, 256);
        EACH_CODEC(c)
            unpack(c, span_of(bytes, n), &f->out, 100000);
    }
}

static void
frames_in_a_row_are_one(void **state)
{
    static const enum codec codecs[] = {CODEC_GZIP, CODEC_LZ4, CODEC_ZSTD};
    struct fixture *f = *state;

    for (size_t i = 0; i < countof(codecs); i++) {
        struct buf two;

        buf_init(&two, 1000);
        pack(codecs[i], span_str("one, "), &f->packed);
        buf_put_span(&two, buf_span(&f->packed));
        pack(codecs[i], span_str("two"), &f->packed);
        buf_put_span(&two, buf_span(&f->packed));
        assert_int_equal(unpack(codecs[i], buf_span(&two), &f->out, 8), 0);
        expect(&f->out, span_str("one, two"));
        assert_int_equal(
            unpack(codecs[i], buf_span(&two), &f->out, 7), ERR_LIMIT);
        buf_put_u8(&two, 0);
        assert_int_equal(
            unpack(codecs[i], buf_span(&two), &f->out, 100), ERR_DAMAGE);
        buf_release(&two);
    }
}

/* The descriptor is 60 40; its checksum 82, or with the magic number counted
 * in, as old clients do, 1a. */
static void
lz4_takes_both_header_checksums(void **state)
{
    struct fixture *f = *state;
    int taken = 0;

    for (int checksum = 0; checksum < 256; checksum++) {
        int rc;

        buf_clear(&f->packed);
        hex_put(&f->packed, "04224d186040" "00" "03000080" "616263"
                            "00000000");
        f->packed.ptr[6] = (uint8_t)checksum;
        rc = unpack(CODEC_LZ4, buf_span(&f->packed), &f->out, 100);
        assert_int_equal(rc,
            checksum == 0x82 || checksum == 0x1a ? 0 : ERR_DAMAGE);
        if (rc == 0)
            expect(&f->out, span_str("abc"));
        taken += rc == 0;
    }
    assert_int_equal(taken, 2);
}

/* Level 22 without a known size: the widest window a producer can ask for. */
static void
zstd_window_of_level_22(void **state)
{
    struct fixture *f = *state;
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    ZSTD_inBuffer in = {"abc", 3, 0};
    uint8_t bytes[100];
    ZSTD_outBuffer out = {bytes, sizeof bytes, 0};

    ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, 27);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_hashLog, 10);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_chainLog, 10);
    assert_false(
        ZSTD_isError(ZSTD_compressStream2(ctx, &out, &in, ZSTD_e_flush)));
    assert_int_equal(ZSTD_compressStream2(ctx, &out, &in, ZSTD_e_end), 0);
    ZSTD_freeCCtx(ctx);
    assert_int_equal(
        unpack(CODEC_ZSTD, span_of(bytes, out.pos), &f->out, 100), 0);
    expect(&f->out, span_str("abc"));
}

struct snappy_row {
    const char *hex, *want;      /* NULL: damaged */
};

/* Blocks by hand, after Snappy's format_description.txt. */
static void
snappy_elements(void **state)
{
    static const struct snappy_row rows[] = {
        {"00", ""},
        {"03" "08616263", "abc"},                /* a literal */
        {"03" "f002616263", "abc"},              /* its length in 1 byte */
        {"03" "f40200616263", "abc"},            /* in 2 */
        {"03" "f8020000616263", "abc"},          /* in 3 */
        {"03" "fc02000000616263", "abc"},        /* in 4 */
        {"06" "0861626309" "03", NULL},          /* 6 of 3 + 6 */
        {"09" "08616263" "0903", "abcabcabc"},   /* copy, 1 byte offset */
        {"09" "08616263" "160300", "abcabcabc"}, /* 2 bytes */
        {"09" "08616263" "1703000000", "abcabcabc"},     /* 4 bytes */
        {"05" "0061" "0101", "aaaaa"},           /* it repeats itself */
        {"05" "0061" "0102", NULL},              /* before the beginning */
        {"05" "0061" "0100", NULL},              /* offset 0 */
        {"04" "0101", NULL},                     /* nothing to copy */
        {"04" "0061" "0101", NULL},              /* more than declared */
        {"06" "0061" "0101", NULL},              /* less */
        {"03" "086162", NULL},                   /* the literal ends early */
        {"03" "f0", NULL},
        {"03" "fcffffffff616263", NULL},         /* a length of 2^32 */
        {"05" "0061" "01", NULL},                /* copies that end early */
        {"05" "0061" "0e01", NULL},
        {"05" "0061" "0f010000", NULL},
        {"05" "0061" "0f01000000", "aaaaa"},
        {"8080808080", NULL},                    /* the length has no end */
        {"82534e41505059000000000100000001", ""},
        {"82534e41505059000000000100000001" "00000005" "0308616263"
         "00000004" "02046465", "abcde"},
        {"82534e41505059000100000001000000" "00000005" "0308616263", "abc"},
        {"82534e41505059000000000100000001" "000000", NULL},
        {"82534e41505059000000000100000001" "00000006" "0308616263", NULL},
        {"82534e41505059000000000100000001" "00000000", NULL},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < countof(rows); i++) {
        int rc;

        buf_clear(&f->packed);
        hex_put(&f->packed, rows[i].hex);
        rc = unpack(CODEC_SNAPPY, buf_span(&f->packed), &f->out, 1000);
        if (rc != (rows[i].want == NULL ? ERR_DAMAGE : 0))
            fail_msg("row %zu: %d", i, rc);
        if (rc == 0)
            expect(&f->out, span_str(rows[i].want));
    }
}

static void
snappy_is_written_as_xerial(void **state)
{
    struct fixture *f = *state;

    memset(plain, 'x', 40000);
    pack(CODEC_SNAPPY, span_of(plain, 40000), &f->packed);
    assert_memory_equal(f->packed.ptr,
        "\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
    assert_memory_equal(f->packed.ptr + 20, "\x80\x80\x02", 3);  /* 32 KiB */
    assert_true(f->packed.len < 3000);
}

static void
codecs_have_names(void **state)
{
    assert_string_equal(codec_name(CODEC_NONE), "none");
    assert_string_equal(codec_name(CODEC_GZIP), "gzip");
    assert_string_equal(codec_name(CODEC_SNAPPY), "snappy");
    assert_string_equal(codec_name(CODEC_LZ4), "lz4");
    assert_string_equal(codec_name(CODEC_ZSTD), "zstd");
    assert_string_equal(codec_name((enum codec)7), "unknown");
}

static void
a_codec_of_nobody_is_an_error(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        unpack((enum codec)5, span_str("abc"), &f->out, 10), ERR_FORMAT);
    assert_int_equal(
        codec_compress((enum codec)5, span_str("abc"), &f->out, NULL), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(there_and_back),
        TEST(none_is_a_copy),
        TEST(bombs_stop_at_the_limit),
        TEST(declared_sizes_allocate_nothing),
        TEST(cut_off_anywhere_is_damage),
        TEST(flipped_bits_do_no_harm),
        TEST(random_bytes_do_no_harm),
        TEST(frames_in_a_row_are_one),
        TEST(lz4_takes_both_header_checksums),
        TEST(zstd_window_of_level_22),
        TEST(snappy_elements),
        TEST(snappy_is_written_as_xerial),
        TEST(codecs_have_names),
        TEST(a_codec_of_nobody_is_an_error),
    };

    return cmocka_run_group_tests_name("record/compress", tests, NULL, NULL);
}
