/* RFC 3720 appendix B.4, and every length against one bit at a time. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/crc32c.h"
#include "seed.h"

static uint32_t
bit_by_bit(uint32_t crc, const uint8_t *p, size_t len)
{
    crc = ~crc;
    for (; len > 0; p++, len--) {
        crc ^= *p;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static void
vectors_of_the_rfc(void **state)
{
    uint8_t bytes[32];
    static const uint8_t iscsi_read[48] = {0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14, 0, 0, 0,
        0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0};

    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    assert_int_equal(crc32c(0, bytes, 32), 0x113fdb5c);
    assert_int_equal(crc32c(0, iscsi_read, 48), 0xd9963a56);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, "", 0), 0);
}

/* Lengths up to 7,000 pass each way through the streams and their tails. */
static void
every_length(void **state)
{
    enum { MAX = 7000 };
    static uint8_t data[MAX + 8];
    uint32_t slow;

    seed_begin("crc32c");
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)seed_next();
    slow = 0x12345678;
    for (size_t len = 0; len <= MAX; len++) {
        assert_int_equal(crc32c(0x12345678, data, len), slow);
        slow = bit_by_bit(slow, data + len, 1);
    }
    for (size_t off = 0; off < 8; off++)
        assert_int_equal(crc32c(0, data + off, 1000),
            bit_by_bit(0, data + off, 1000));
}

static void
continues_at_any_cut(void **state)
{
    enum { LEN = 20000 };
    uint8_t *data = malloc(LEN);
    uint32_t whole;

    for (size_t i = 0; i < LEN; i++)
        data[i] = (uint8_t)seed_next();
    whole = crc32c(0, data, LEN);
    assert_int_equal(whole, bit_by_bit(0, data, LEN));
    for (int i = 0; i < 300; i++) {
        size_t cut = seed_below(LEN + 1);

        assert_int_equal(whole,
            crc32c(crc32c(0, data, cut), data + cut, LEN - cut));
    }
    free(data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_rfc),
        cmocka_unit_test(every_length),
        cmocka_unit_test(continues_at_any_cut),
    };

    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
