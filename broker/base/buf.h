/*
 * buf.h: bytes that grow up to a maximum. Errors stick: after the first
 * failure (`failed`) every put is ignored, so the writer checks once.
 * Integers are big-endian, as on Kafka's wire, unless the name says `le`.
 * Ownership: the buf owns ptr until buf_take().
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/span.h"

struct buf {
    uint8_t *ptr;
    size_t len, cap, max;
    bool failed;
};

void buf_init(struct buf *, size_t max);         /* allocates nothing yet */
void buf_release(struct buf *);
void buf_clear(struct buf *);                    /* empty, memory kept */

/* Room for n more bytes at ptr + len, or NULL and failed. len is unchanged:
 * the caller adds to it what it wrote. */
uint8_t *buf_reserve(struct buf *, size_t n);
/* Appends n bytes not set, returns where they begin. */
uint8_t *buf_grow(struct buf *, size_t n);
void buf_put(struct buf *, const void *, size_t);
void buf_put_span(struct buf *, struct span);
void buf_put_u8(struct buf *, uint8_t);
void buf_put_be16(struct buf *, uint16_t);
void buf_put_be32(struct buf *, uint32_t);
void buf_put_be64(struct buf *, uint64_t);
void buf_put_uvarint(struct buf *, uint64_t);    /* varint.h */
void buf_put_svarint(struct buf *, int64_t);     /* zigzag */
void buf_put_str(struct buf *, const char *);    /* without the NUL */
void buf_printf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *, const char *fmt, va_list)
    __attribute__((format(printf, 2, 0)));

/* The memory goes to the caller (free()); the buf is empty afterwards. */
uint8_t *buf_take(struct buf *, size_t *len);

static inline struct span
buf_span(const struct buf *b)
{
    return span_of(b->ptr, b->len);
}

#endif
