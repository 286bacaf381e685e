/*
 * The polynomial is 0x11edc6f41; with the bits reflected, as everywhere here,
 * 0x82f63b78. Bit 31 of a register is the coefficient of x^0.
 *
 * Without an instruction: eight tables, eight bytes a step. slices[k][b] is
 * the register after byte b and k zero bytes.
 */
#include "config.h"
#include "base/crc32c.h"

#include "base/crc32c_priv.h"
#include "base/endian.h"

static const uint32_t polynomial = 0x82f63b78;
static uint32_t slices[8][256];

static uint32_t
update_tables(uint32_t crc, const uint8_t *p, size_t len)
{
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t v = get_le64(p) ^ crc;

        crc = slices[7][v & 0xff] ^ slices[6][v >> 8 & 0xff]
            ^ slices[5][v >> 16 & 0xff] ^ slices[4][v >> 24 & 0xff]
            ^ slices[3][v >> 32 & 0xff] ^ slices[2][v >> 40 & 0xff]
            ^ slices[1][v >> 48 & 0xff] ^ slices[0][v >> 56];
    }
    for (; len > 0; p++, len--)
        crc = crc >> 8 ^ slices[0][(crc ^ *p) & 0xff];
    return crc;
}

static crc32c_update_fn update = update_tables;

static uint32_t
times_x(uint32_t v)
{
    return v >> 1 ^ (v & 1 ? polynomial : 0);
}

uint32_t
crc32c_power(unsigned n)
{
    uint32_t v = 0x80000000;             /* x^0 */

    while (n-- > 0)
        v = times_x(v);
    return v;
}

/* Before main(), so that no call needs to ask whether it has happened. */
__attribute__((constructor)) static void
crc32c_setup(void)
{
    crc32c_update_fn best = NULL;

    for (unsigned i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = times_x(crc);
        slices[0][i] = crc;
    }
    for (unsigned i = 0; i < 256; i++)
        for (int s = 1; s < 8; s++)
            slices[s][i] = slices[s - 1][i] >> 8
                ^ slices[0][slices[s - 1][i] & 0xff];
#if defined(__x86_64__)
    best = crc32c_x86();
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
    best = crc32c_arm();
#endif
    if (best != NULL)
        update = best;
}

uint32_t
crc32c(uint32_t crc, const void *data, size_t len)
{
    return ~update(~crc, data, len);
}
