/*
 * Snappy by hand. Reading is hostile ground: every element is compared with
 * what is left of the input and of the room for the block before it moves a
 * byte, and a copy may only reach back to the block's first byte. The room
 * itself is taken by the length that the block declares, but not before that
 * was held against the limit and against what so many bytes can say at best.
 *
 * Writing is greedy: a table remembers where each hash of four bytes was seen
 * last, and where nothing matches the steps grow, so that what cannot be
 * compressed passes quickly.
 */
#include "config.h"
#include "record/snap.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/varint.h"

enum {
    MAGIC_LEN = 8,
    FRAME_HEADER = 16,
    FRAME_BLOCK = 32 * 1024,
    FRAGMENT = 64 * 1024,        /* matches reach no further: 16 bits */
    HASH_BITS = 13,
    RATIO_BEST = 22,             /* a copy of 64 bytes takes 3 */
    COPY_MAX = 64,
};

static const uint8_t magic[MAGIC_LEN] =
    {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

/* Reading. */

/* `n` bytes at `to` repeat those `offset` before it. Eight at a time where
 * they do not overlap and `room` allows to write some too many. */
static void
copy_back(uint8_t *to, size_t offset, size_t n, size_t room)
{
    const uint8_t *from = to - offset;

    if (offset >= 8 && room - n >= 8) {
        for (size_t i = 0; i < n; i += 8)
            memcpy(to + i, from + i, 8);
        return;
    }
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
}

/* The length of a literal whose tag is at p[-1]; 0: the input ends. */
static size_t
literal_length(const uint8_t **p, const uint8_t *end)
{
    size_t len = (size_t)((*p)[-1] >> 2) + 1, extra, n = 0;

    if (len <= 60)
        return len;
    extra = len - 60;
    if (extra > (size_t)(end - *p))
        return 0;
    for (size_t i = 0; i < extra; i++)
        n |= (size_t)*(*p)++ << (8 * i);
    return n + 1;
}

/* Length and offset of the copy whose tag is at p[-1]. */
static bool
copy_decode(const uint8_t **p, const uint8_t *end, size_t *len, size_t *offset)
{
    static const uint8_t bytes[] = {0, 1, 2, 4};
    uint8_t tag = (*p)[-1];
    size_t extra = bytes[tag & 3];

    if (extra > (size_t)(end - *p))
        return false;
    *len = (size_t)(tag >> 2) + 1;
    *offset = 0;
    for (size_t i = 0; i < extra; i++)
        *offset |= (size_t)(*p)[i] << (8 * i);
    if (extra == 1) {
        *len = (size_t)(tag >> 2 & 7) + 4;
        *offset |= (size_t)(tag >> 5) << 8;
    }
    *p += extra;
    return true;
}

/* The elements from p to end fill exactly the n bytes at dst. */
static bool
elements_decode(const uint8_t *p, const uint8_t *end, uint8_t *dst, size_t n)
{
    uint8_t *to = dst;
    size_t len, offset, room = n;

    while (p < end) {
        bool literal = (*p++ & 3) == 0;

        if (literal) {
            len = literal_length(&p, end);
            if (len == 0 || len > (size_t)(end - p) || len > room)
                return false;
            memcpy(to, p, len);
            p += len;
        } else {
            if (!copy_decode(&p, end, &len, &offset))
                return false;
            if (offset == 0 || offset > (size_t)(to - dst) || len > room)
                return false;
            copy_back(to, offset, len, room);
        }
        to += len;
        room -= len;
    }
    return room == 0;
}

static int
block_decompress(struct span in, struct buf *out, size_t limit,
    struct err *err)
{
    const uint8_t *end = in.ptr + in.len;
    uint32_t declared;
    size_t used = varint_get_u32(in.ptr, end, &declared);
    uint8_t *dst;

    if (used == 0)
        return err_set(err, ERR_DAMAGE, "snappy: a block without its length");
    if (declared > limit || declared > out->max - out->len)
        return err_set(err, ERR_LIMIT, "snappy: more than %zu bytes", limit);
    if (declared / RATIO_BEST > in.len)
        return err_set(err, ERR_DAMAGE, "snappy: %zu bytes cannot be %u",
            in.len, (unsigned)declared);
    dst = buf_reserve(out, declared);
    if (dst == NULL)
        return err_set(err, ERR_LIMIT, "snappy: no memory");
    if (!elements_decode(in.ptr + used, end, dst, declared))
        return err_set(err, ERR_DAMAGE, "snappy: the block is damaged");
    out->len += declared;
    return 0;
}

/* The versions in the frame's header are not judged: there is one format,
 * and not every client writes them as xerial does. */
int
snap_decompress(struct span in, struct buf *out, size_t limit,
    struct err *err)
{
    const uint8_t *p = in.ptr, *end = in.ptr + in.len;
    size_t start = out->len;

    if (in.len < FRAME_HEADER || memcmp(p, magic, MAGIC_LEN) != 0)
        return block_decompress(in, out, limit, err);
    for (p += FRAME_HEADER; p < end;) {
        uint32_t len;

        if (end - p < 4)
            return err_set(err, ERR_DAMAGE, "snappy: the frame ends early");
        len = get_be32(p);
        p += 4;
        if (len > (size_t)(end - p))
            return err_set(err, ERR_DAMAGE, "snappy: the frame ends early");
        if (block_decompress(span_of(p, len), out,
                limit - (out->len - start), err) != 0)
            return -1;
        p += len;
    }
    return 0;
}

/* Writing. */

static uint8_t *
put_literal(uint8_t *p, const uint8_t *from, size_t n)
{
    if (n == 0)
        return p;
    if (n <= 60) {
        *p++ = (uint8_t)((n - 1) << 2);
    } else if (n <= 256) {
        *p++ = 60 << 2;
        *p++ = (uint8_t)(n - 1);
    } else {
        *p++ = 61 << 2;
        *p++ = (uint8_t)(n - 1);
        *p++ = (uint8_t)((n - 1) >> 8);
    }
    memcpy(p, from, n);
    return p + n;
}

static uint8_t *
put_copy_part(uint8_t *p, size_t offset, size_t n)
{
    if (n >= 4 && n < 12 && offset < 2048) {
        *p++ = (uint8_t)(1 | (n - 4) << 2 | (offset >> 8) << 5);
        *p++ = (uint8_t)offset;
        return p;
    }
    *p++ = (uint8_t)(2 | (n - 1) << 2);
    *p++ = (uint8_t)offset;
    *p++ = (uint8_t)(offset >> 8);
    return p;
}

/* Cut so that four bytes at least are left for the last part, which may then
 * take two bytes. */
static uint8_t *
put_copy(uint8_t *p, size_t offset, size_t n)
{
    for (; n >= COPY_MAX + 4; n -= COPY_MAX)
        p = put_copy_part(p, offset, COPY_MAX);
    if (n > COPY_MAX) {
        p = put_copy_part(p, offset, COPY_MAX - 4);
        n -= COPY_MAX - 4;
    }
    return put_copy_part(p, offset, n);
}

static size_t
match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
    const uint8_t *from = b;

    while (end - b >= 8) {
        uint64_t diff = get_le64(a) ^ get_le64(b);

        if (diff != 0)
            return (size_t)(b - from) + (size_t)__builtin_ctzll(diff) / 8;
        a += 8;
        b += 8;
    }
    for (; b < end && *a == *b; a++)
        b++;
    return (size_t)(b - from);
}

static size_t
hash(uint32_t four)
{
    return four * 0x9e3779b1u >> (32 - HASH_BITS);
}

/* Up to FRAGMENT bytes as elements. */
static uint8_t *
fragment_encode(uint8_t *p, const uint8_t *in, size_t n)
{
    uint16_t seen[1 << HASH_BITS] = {0};
    const uint8_t *end = in + n, *literal = in, *at = in + 1;
    size_t step = 32;

    assert(n <= FRAGMENT);
    while (end - at >= 4) {
        uint16_t *slot = &seen[hash(get_le32(at))];
        const uint8_t *match = in + *slot;

        *slot = (uint16_t)(at - in);
        if (get_le32(match) == get_le32(at)) {
            size_t len = match_length(match, at, end);

            p = put_literal(p, literal, (size_t)(at - literal));
            p = put_copy(p, (size_t)(at - match), len);
            at += len;
            literal = at;
            step = 32;
        } else {
            at += step++ / 32;
        }
    }
    return put_literal(p, literal, (size_t)(end - literal));
}

/* What makes a block longer than its contents: its length (5 bytes), and the
 * tags of literals. A literal of up to 60 bytes takes one for its tag, which
 * the copy behind it gives back (4 bytes or more in 3); a longer one takes two
 * or three, and a fragment's last has no copy behind it. A sixth is ample. */
static size_t
block_bound(size_t n)
{
    return 32 + n + n / 6;
}

void
snap_compress_raw(struct span in, struct buf *out)
{
    uint8_t *p, *from;

    assert(in.len <= INT32_MAX);
    from = buf_reserve(out, block_bound(in.len));
    if (from == NULL)
        return;
    p = from + varint_put_u64(from, in.len);
    for (size_t done = 0, n; done < in.len; done += n) {
        n = in.len - done < FRAGMENT ? in.len - done : FRAGMENT;
        p = fragment_encode(p, in.ptr + done, n);
    }
    assert((size_t)(p - from) <= block_bound(in.len));
    out->len += (size_t)(p - from);
}

void
snap_compress(struct span in, struct buf *out)
{
    size_t n;

    buf_put(out, magic, MAGIC_LEN);
    buf_put_be32(out, 1);        /* version */
    buf_put_be32(out, 1);        /* the oldest that can read it */
    for (size_t done = 0; done < in.len && !out->failed; done += n) {
        size_t at = out->len;

        n = in.len - done < FRAME_BLOCK ? in.len - done : FRAME_BLOCK;
        buf_put_be32(out, 0);
        snap_compress_raw(span_of(in.ptr + done, n), out);
        if (!out->failed)
            put_be32(out->ptr + at, (uint32_t)(out->len - at - 4));
    }
}
