/*
 * Seven bits a byte, the lowest first, the top bit set on all but the last
 * (Protocol Buffers, "Encoding": Base 128 Varints). Zigzag puts the sign in
 * the lowest bit: 0, -1, 1, -2 become 0, 1, 2, 3.
 */
#include "config.h"
#include "base/varint.h"

static size_t
get(const uint8_t *p, const uint8_t *end, unsigned bits, uint64_t *v)
{
    uint64_t value = 0;
    const uint8_t *q = p;

    for (unsigned shift = 0; shift < bits && q < end; shift += 7) {
        uint64_t part = *q & 0x7f;

        if (bits - shift < 7 && part >> (bits - shift) != 0)
            return 0;
        value |= part << shift;
        if ((*q++ & 0x80) == 0) {
            *v = value;
            return (size_t)(q - p);
        }
    }
    return 0;
}

size_t
varint_get_u64(const uint8_t *p, const uint8_t *end, uint64_t *v)
{
    if (p < end && *p < 0x80) {          /* nearly all of them are short */
        *v = *p;
        return 1;
    }
    return get(p, end, 64, v);
}

size_t
varint_get_u32(const uint8_t *p, const uint8_t *end, uint32_t *v)
{
    uint64_t wide;
    size_t n;

    if (p < end && *p < 0x80) {
        *v = *p;
        return 1;
    }
    n = get(p, end, 32, &wide);
    if (n != 0)
        *v = (uint32_t)wide;
    return n;
}

size_t
varint_get_s64(const uint8_t *p, const uint8_t *end, int64_t *v)
{
    uint64_t u;
    size_t n = varint_get_u64(p, end, &u);

    if (n != 0)
        *v = (int64_t)(u >> 1 ^ (0 - (u & 1)));
    return n;
}

size_t
varint_get_s32(const uint8_t *p, const uint8_t *end, int32_t *v)
{
    uint32_t u;
    size_t n = varint_get_u32(p, end, &u);

    if (n != 0)
        *v = (int32_t)(u >> 1 ^ (0 - (u & 1)));
    return n;
}

static uint64_t
zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

size_t
varint_put_u64(uint8_t *p, uint64_t v)
{
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        p[n++] = (uint8_t)(v | 0x80);
    p[n++] = (uint8_t)v;
    return n;
}

size_t
varint_put_s64(uint8_t *p, int64_t v)
{
    return varint_put_u64(p, zigzag(v));
}

size_t
varint_size_u64(uint64_t v)
{
    return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

size_t
varint_size_s64(int64_t v)
{
    return varint_size_u64(zigzag(v));
}
