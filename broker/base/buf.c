/*
 * The block at ptr has one byte more than cap says, so that vsnprintf() may
 * end its text with a NUL there, even in a full buf.
 */
#include "config.h"
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/endian.h"
#include "base/varint.h"

enum { BUF_MIN = 64 };

void
buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void
buf_release(struct buf *b)
{
    free(b->ptr);
    *b = (struct buf){.max = b->max};
}

void
buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

static uint8_t *
buf_fail(struct buf *b)
{
    b->failed = true;
    return NULL;
}

static bool
buf_enlarge(struct buf *b, size_t need)
{
    size_t cap = b->cap < BUF_MIN ? BUF_MIN : b->cap;
    uint8_t *p;

    while (cap < need && cap <= SIZE_MAX / 2)
        cap *= 2;
    if (cap > b->max)
        cap = b->max;
    if (cap < need || cap == SIZE_MAX)
        return false;
    p = realloc(b->ptr, cap + 1);
    if (p == NULL)
        return false;
    b->ptr = p;
    b->cap = cap;
    return true;
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (n <= b->cap - b->len && b->ptr != NULL)
        return b->ptr + b->len;
    if (n > b->max - b->len || !buf_enlarge(b, b->len + n))
        return buf_fail(b);
    return b->ptr + b->len;
}

uint8_t *
buf_grow(struct buf *b, size_t n)
{
    uint8_t *p = buf_reserve(b, n);

    if (p != NULL)
        b->len += n;
    return p;
}

void
buf_put(struct buf *b, const void *p, size_t n)
{
    uint8_t *to = buf_grow(b, n);

    if (to != NULL && n != 0)
        memcpy(to, p, n);
}

void
buf_put_span(struct buf *b, struct span s)
{
    buf_put(b, s.ptr, s.len);
}

void
buf_put_u8(struct buf *b, uint8_t v)
{
    buf_put(b, &v, 1);
}

void
buf_put_be16(struct buf *b, uint16_t v)
{
    uint8_t *p = buf_grow(b, sizeof v);

    if (p != NULL)
        put_be16(p, v);
}

void
buf_put_be32(struct buf *b, uint32_t v)
{
    uint8_t *p = buf_grow(b, sizeof v);

    if (p != NULL)
        put_be32(p, v);
}

void
buf_put_be64(struct buf *b, uint64_t v)
{
    uint8_t *p = buf_grow(b, sizeof v);

    if (p != NULL)
        put_be64(p, v);
}

void
buf_put_uvarint(struct buf *b, uint64_t v)
{
    uint8_t bytes[VARINT_MAX];

    buf_put(b, bytes, varint_put_u64(bytes, v));
}

void
buf_put_svarint(struct buf *b, int64_t v)
{
    uint8_t bytes[VARINT_MAX];

    buf_put(b, bytes, varint_put_s64(bytes, v));
}

void
buf_put_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    if (b->failed)
        return;
    va_copy(again, ap);
    n = vsnprintf(b->ptr == NULL ? NULL : (char *)b->ptr + b->len,
        b->ptr == NULL ? 0 : b->cap - b->len + 1, fmt, ap);
    assert(n >= 0);
    if ((size_t)n > b->cap - b->len || b->ptr == NULL) {
        if (buf_reserve(b, (size_t)n) != NULL)
            vsnprintf((char *)b->ptr + b->len, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    if (!b->failed)
        b->len += (size_t)n;
}

uint8_t *
buf_take(struct buf *b, size_t *len)
{
    uint8_t *p = b->ptr;

    if (b->failed) {                     /* half a text is no text */
        free(p);
        p = NULL;
        b->len = 0;
    }
    *len = b->len;
    *b = (struct buf){.max = b->max};
    return p;
}
