/*
 * out.c: output in pieces. `buf` holds what was encoded; `refs` says which
 * foreign bytes go between:
 *
 *     buf   aaaaaaaabbbbbbbbbbcccc          refs  {8, X}, {18, Y}
 *     sent  aaaaaaaa X bbbbbbbbbb Y cccc
 *
 *  1. refs are in the order of pos, pos <= buf.len; two may share a pos.
 *  2. ref_bytes is the sum of their lengths, and none is empty.
 */
#include "config.h"

#include "wire/wire_priv.h"

#include "base/check.h"

void
wire_out_init(struct wire_out *out, size_t max, size_t copy_max)
{
    buf_init(&out->buf, max);
    /* A reference stands for records longer than copy_max, in a message that
     * has at least two bytes of its own for each. */
    buf_init(&out->refs, max);
    out->ref_bytes = 0;
    out->copy_max = copy_max;
}

void
wire_out_release(struct wire_out *out)
{
    buf_release(&out->buf);
    buf_release(&out->refs);
    out->ref_bytes = 0;
}

void
wire_out_clear(struct wire_out *out)
{
    buf_clear(&out->buf);
    buf_clear(&out->refs);
    out->ref_bytes = 0;
}

bool
wire_out_failed(const struct wire_out *out)
{
    return out->buf.failed || out->refs.failed;
}

size_t
wire_out_size(const struct wire_out *out)
{
    return out->buf.len + out->ref_bytes;
}

const struct wire_ref *
wire_out_refs(const struct wire_out *out, size_t *count)
{
    *count = out->refs.len / sizeof(struct wire_ref);
    return (const struct wire_ref *)(const void *)out->refs.ptr;
}

static void
put_piece(
    struct iovec *iov, size_t max, size_t *n, const uint8_t *p, size_t len)
{
    if (len == 0)
        return;
    /* an iovec has no const, though sending does not write */
    if (*n < max)
        iov[*n] = (struct iovec){(void *)(uintptr_t)p, len};
    (*n)++;
}

size_t
wire_out_iov(const struct wire_out *out, struct iovec *iov, size_t max)
{
    size_t count, n = 0, pos = 0;
    const struct wire_ref *ref = wire_out_refs(out, &count);

    for (size_t i = 0; i < count; i++) {
        put_piece(iov, max, &n, out->buf.ptr + pos, ref[i].pos - pos);
        put_piece(iov, max, &n, ref[i].bytes.ptr, ref[i].bytes.len);
        pos = ref[i].pos;
    }
    if (pos < out->buf.len)
        put_piece(iov, max, &n, out->buf.ptr + pos, out->buf.len - pos);
    return n;
}

void
wire_out_copy(const struct wire_out *out, struct buf *to)
{
    size_t count, pos = 0;
    const struct wire_ref *ref = wire_out_refs(out, &count);

    if (wire_out_failed(out))
        to->failed = true;
    for (size_t i = 0; i < count; i++) {
        assert(ref[i].pos >= pos && ref[i].pos <= out->buf.len);
        buf_put(to, out->buf.ptr + pos, ref[i].pos - pos);
        buf_put_span(to, ref[i].bytes);
        pos = ref[i].pos;
    }
    if (pos < out->buf.len)
        buf_put(to, out->buf.ptr + pos, out->buf.len - pos);
}
