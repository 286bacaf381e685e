/*
 * endian.h: integers in bytes, by memcpy, so that alignment never matters.
 */
#ifndef BASE_ENDIAN_H
#define BASE_ENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define ENDIAN_PAIR(name, type, from, to)                                      \
    static inline type get_##name(const void *p)                               \
    {                                                                          \
        type v;                                                                \
        memcpy(&v, p, sizeof v);                                               \
        return from(v);                                                        \
    }                                                                          \
    static inline void put_##name(void *p, type v)                             \
    {                                                                          \
        v = to(v);                                                             \
        memcpy(p, &v, sizeof v);                                               \
    }

ENDIAN_PAIR(be16, uint16_t, be16toh, htobe16)
ENDIAN_PAIR(be32, uint32_t, be32toh, htobe32)
ENDIAN_PAIR(be64, uint64_t, be64toh, htobe64)
ENDIAN_PAIR(le32, uint32_t, le32toh, htole32)
ENDIAN_PAIR(le64, uint64_t, le64toh, htole64)

#undef ENDIAN_PAIR

#endif
