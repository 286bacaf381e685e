/*
 * span.h: bytes that somebody else owns. A span with ptr NULL is "null" in
 * the sense of Kafka's nullable bytes; an empty one has len 0 and a ptr.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *ptr;
    size_t len;
};

#define SPAN_NULL ((struct span){NULL, 0})

static inline struct span
span_of(const void *ptr, size_t len)
{
    return (struct span){ptr, len};
}

static inline struct span
span_str(const char *s)
{
    return (struct span){(const uint8_t *)s, s == NULL ? 0 : strlen(s)};
}

static inline bool
span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Order of bytes, the shorter first: as LMDB orders keys. */
static inline int
span_cmp(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);

    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

#endif
