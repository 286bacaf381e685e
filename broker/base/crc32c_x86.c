/*
 * The crc32 instruction of SSE 4.2 takes eight bytes and gives its result
 * three cycles later, but can begin one each cycle: so three streams run at
 * once, over three neighbouring parts of the input.
 *
 *      | a: size bytes | b: size bytes | c: size bytes |
 *
 * Together they are  a * x^(16 size) + b * x^(8 size) + c. A carry-less
 * product of two reflected 32-bit numbers is 63 bits long, so as a reflected
 * 64-bit number it counts one x too many; the instruction, begun with zero,
 * multiplies by x^32 and reduces. Hence the constants x^(n - 33).
 */
#include "config.h"
#include "base/crc32c_priv.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "base/check.h"
#include "base/endian.h"

/* Large, for what a stream costs to join is nothing then; small, so that
 * short records gain as well. Descending, multiples of eight. */
static const size_t sizes[] = {2048, 256, 64};
static struct {
    uint32_t one, two;                   /* shift by size and by two sizes */
} shifts[countof(sizes)];

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t
multiply(uint32_t a, uint32_t b)
{
    __m128i product = _mm_clmulepi64_si128(
        _mm_cvtsi32_si128((int)a), _mm_cvtsi32_si128((int)b), 0);

    return (uint64_t)_mm_cvtsi128_si64(product);
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
three_streams(uint32_t crc, const uint8_t *p, unsigned which)
{
    size_t size = sizes[which];
    uint64_t a = crc, b = 0, c = 0;

    for (const uint8_t *end = p + size; p < end; p += 8) {
        a = _mm_crc32_u64(a, get_le64(p));
        b = _mm_crc32_u64(b, get_le64(p + size));
        c = _mm_crc32_u64(c, get_le64(p + 2 * size));
    }
    return (uint32_t)(c
        ^ _mm_crc32_u64(0, multiply((uint32_t)a, shifts[which].two)
            ^ multiply((uint32_t)b, shifts[which].one)));
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
update_x86(uint32_t crc, const uint8_t *p, size_t len)
{
    uint64_t wide;

    for (unsigned i = 0; i < countof(sizes); i++)
        for (; len >= 3 * sizes[i]; p += 3 * sizes[i], len -= 3 * sizes[i])
            crc = three_streams(crc, p, i);
    wide = crc;
    for (; len >= 8; p += 8, len -= 8)
        wide = _mm_crc32_u64(wide, get_le64(p));
    crc = (uint32_t)wide;
    for (; len > 0; p++, len--)
        crc = _mm_crc32_u8(crc, *p);
    return crc;
}

crc32c_update_fn
crc32c_x86(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("pclmul"))
        return NULL;
    for (unsigned i = 0; i < countof(sizes); i++) {
        shifts[i].one = crc32c_power((unsigned)sizes[i] * 8 - 33);
        shifts[i].two = crc32c_power((unsigned)sizes[i] * 16 - 33);
    }
    return update_x86;
}

#endif
