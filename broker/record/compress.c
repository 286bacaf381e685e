/*
 * All four codecs write through a sink, which holds them to the limit: it
 * gives out room only up to it, and behind that a single byte to see whether
 * more would have come. So nothing that the input declares decides how much
 * memory is taken; the libraries' own buffers are bounded by their formats
 * (gzip 32 KiB, lz4 two blocks of 4 MiB, zstd a window of 128 MiB, which is
 * touched only as far as output is really made).
 */
#define ZLIB_CONST
#include "config.h"
#include "record/compress.h"

#include <errno.h>
#include <lz4frame.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "record/snap.h"

enum {
    GZIP_BITS = 16 + MAX_WBITS,  /* zlib: with gzip's header, not its own */
    GZIP_MEMORY = 8,             /* zlib's default */

    ZSTD_LEVEL = 3,
    ZSTD_WINDOW_LOG_MAX = 27,    /* what level 22 needs */

    LZ4_MAGIC = 0x184d2204,
    LZ4_DESCRIPTOR = 4,          /* where it begins */
    LZ4_HEADER_MIN = 7,
    LZ4_HEADER_LEN_MAX = 19,
    LZ4_HAS_SIZE = 0x08,
    LZ4_HAS_DICTIONARY = 0x01,
};

#define CHUNK_MIN (4 * KIB)
#define CHUNK_MAX (256 * KIB)

/* The sink. */

struct sink {
    struct buf *out;
    size_t left;                 /* bytes that the limit still allows */
    size_t chunk;                /* bytes to ask for at once */
    uint8_t spare;
};

static void
sink_init(struct sink *s, struct span in, struct buf *out, size_t limit)
{
    size_t room = out->max - out->len;
    size_t chunk = in.len < CHUNK_MAX / 4 ? in.len * 4 : CHUNK_MAX;

    *s = (struct sink){
        .out = out,
        .left = limit < room ? limit : room,
        .chunk = chunk < CHUNK_MIN ? CHUNK_MIN : chunk,
    };
}

/* Where to write `*size` bytes, at least one; NULL: no memory. */
static uint8_t *
sink_room(struct sink *s, size_t *size)
{
    if (s->left == 0) {
        *size = 1;
        return &s->spare;
    }
    *size = s->left < s->chunk ? s->left : s->chunk;
    return buf_reserve(s->out, *size);
}

/* False: it was more than allowed. */
static bool
sink_wrote(struct sink *s, size_t n)
{
    if (n > s->left)
        return false;
    s->out->len += n;
    s->left -= n;
    return true;
}

static int
fail_limit(const char *name, struct err *err)
{
    return err_set(err, ERR_LIMIT, "%s: more bytes than allowed", name);
}

static int
fail_memory(const char *name, struct err *err)
{
    return err_set(err, ENOMEM, "%s", name);
}

static int
fail_damage(const char *name, const char *what, struct err *err)
{
    return err_set(err, ERR_DAMAGE, "%s: %s", name, what);
}

/* gzip (RFC 1952). */

static int
gzip_read(z_stream *z, struct sink *s, struct err *err)
{
    for (;;) {
        size_t room;
        uint8_t *p = sink_room(s, &room);
        int rc;

        if (p == NULL)
            return fail_memory("gzip", err);
        z->next_out = p;
        z->avail_out = (uInt)room;
        rc = inflate(z, Z_NO_FLUSH);
        if (!sink_wrote(s, room - z->avail_out))
            return fail_limit("gzip", err);
        if (rc == Z_STREAM_END && z->avail_in == 0)
            return 0;
        if (rc == Z_STREAM_END)
            rc = inflateReset(z);        /* another member follows */
        if (rc == Z_BUF_ERROR)
            return fail_damage("gzip", "the stream ends early", err);
        if (rc != Z_OK)
            return fail_damage("gzip", z->msg ? z->msg : "damaged", err);
    }
}

static int
gzip_decompress(struct span in, struct sink *s, struct err *err)
{
    z_stream z = {.next_in = in.ptr, .avail_in = (uInt)in.len};
    int rc;

    if (inflateInit2(&z, GZIP_BITS) != Z_OK)
        return fail_memory("gzip", err);
    rc = gzip_read(&z, s, err);
    inflateEnd(&z);
    return rc;
}

static int
gzip_compress(struct span in, struct buf *out, struct err *err)
{
    z_stream z = {.next_in = in.ptr, .avail_in = (uInt)in.len};
    size_t bound;
    int rc;

    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS,
            GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return fail_memory("gzip", err);
    bound = deflateBound(&z, in.len);
    z.next_out = buf_reserve(out, bound);
    if (z.next_out == NULL) {
        deflateEnd(&z);
        return fail_limit("gzip", err);
    }
    z.avail_out = (uInt)bound;
    rc = deflate(&z, Z_FINISH);
    assert(rc == Z_STREAM_END);          /* the bound is zlib's promise */
    out->len += bound - z.avail_out;
    deflateEnd(&z);
    return 0;
}

/* lz4, the frame format (lz4_Frame_format.md 1.6). */

/* Feeds p to end, or to the end of the frame if that comes first: *p then
 * stands behind it and *done is set. */
static int
lz4_feed(LZ4F_dctx *ctx, const uint8_t **p, const uint8_t *end,
    struct sink *s, bool *done, struct err *err)
{
    *done = false;
    while (!*done) {
        size_t room, used = (size_t)(end - *p), rc;
        uint8_t *to = sink_room(s, &room);

        if (to == NULL)
            return fail_memory("lz4", err);
        rc = LZ4F_decompress(ctx, to, &room, *p, &used, NULL);
        if (LZ4F_isError(rc))
            return fail_damage("lz4", LZ4F_getErrorName(rc), err);
        if (!sink_wrote(s, room))
            return fail_limit("lz4", err);
        *p += used;
        *done = rc == 0;
        if (room == 0 && used == 0)
            break;               /* all is fed, all is out */
    }
    return 0;
}

/* Copies the header of the frame at p to `header` with a checksum that the
 * library accepts: clients before Kafka 0.10 (KIP-57) counted the magic number
 * in. Its length, or 0: no header. */
static size_t
lz4_header(const uint8_t *p, size_t left, uint8_t *header)
{
    size_t size = LZ4_HEADER_MIN, at;

    if (left < LZ4_HEADER_MIN || get_le32(p) != LZ4_MAGIC)
        return 0;
    if ((p[LZ4_DESCRIPTOR] & LZ4_HAS_SIZE) != 0)
        size += 8;
    if ((p[LZ4_DESCRIPTOR] & LZ4_HAS_DICTIONARY) != 0)
        size += 4;
    if (left < size)
        return 0;
    memcpy(header, p, size);
    at = size - 1;
    if (header[at] == (uint8_t)(XXH32(p, at, 0) >> 8))
        header[at] = (uint8_t)(XXH32(p + LZ4_DESCRIPTOR,
            at - LZ4_DESCRIPTOR, 0) >> 8);
    return size;
}

static int
lz4_frame(LZ4F_dctx *ctx, const uint8_t **p, const uint8_t *end,
    struct sink *s, struct err *err)
{
    uint8_t header[LZ4_HEADER_LEN_MAX];
    const uint8_t *h = header;
    size_t size = lz4_header(*p, (size_t)(end - *p), header);
    bool done;

    if (size == 0)
        return fail_damage("lz4", "no frame begins here", err);
    if (lz4_feed(ctx, &h, header + size, s, &done, err) != 0)
        return -1;
    *p += size;
    if (lz4_feed(ctx, p, end, s, &done, err) != 0)
        return -1;
    if (!done)
        return fail_damage("lz4", "the frame ends early", err);
    return 0;
}

static int
lz4_decompress(struct span in, struct sink *s, struct err *err)
{
    const uint8_t *p = in.ptr, *end = in.ptr + in.len;
    LZ4F_dctx *ctx;
    int rc = 0;

    if (LZ4F_isError(LZ4F_createDecompressionContext(&ctx, LZ4F_VERSION)))
        return fail_memory("lz4", err);
    while (rc == 0 && p < end)
        rc = lz4_frame(ctx, &p, end, s, err);
    LZ4F_freeDecompressionContext(ctx);
    return rc;
}

/* The Java client reads independent blocks only. */
static int
lz4_compress(struct span in, struct buf *out, struct err *err)
{
    const LZ4F_preferences_t how = {
        .frameInfo.blockSizeID = LZ4F_max64KB,
        .frameInfo.blockMode = LZ4F_blockIndependent,
    };
    size_t bound = LZ4F_compressFrameBound(in.len, &how), n;
    uint8_t *p = buf_reserve(out, bound);

    if (p == NULL)
        return fail_limit("lz4", err);
    n = LZ4F_compressFrame(p, bound, in.ptr, in.len, &how);
    if (LZ4F_isError(n))
        return fail_memory("lz4", err);
    out->len += n;
    return 0;
}

/* zstd (RFC 8878). */

static int
zstd_fail(size_t rc, struct err *err)
{
    switch (ZSTD_getErrorCode(rc)) {
    case ZSTD_error_frameParameter_windowTooLarge:
        return fail_limit("zstd", err);
    case ZSTD_error_memory_allocation:
        return fail_memory("zstd", err);
    default:
        return fail_damage("zstd", ZSTD_getErrorName(rc), err);
    }
}

/* With room for the whole frame the library decodes in place, without a
 * window of its own; so its declared size is a hint, within reason. */
static void
zstd_hint(struct span in, struct sink *s)
{
    unsigned long long size = ZSTD_getFrameContentSize(in.ptr, in.len);

    if (size != ZSTD_CONTENTSIZE_UNKNOWN && size != ZSTD_CONTENTSIZE_ERROR
        && size > s->chunk && size <= batch_decompressed_max(in.len))
        s->chunk = (size_t)size;
}

static int
zstd_read(ZSTD_DCtx *ctx, struct span in, struct sink *s, struct err *err)
{
    ZSTD_inBuffer from = {in.ptr, in.len, 0};

    for (;;) {
        size_t room, before = from.pos, rc;
        ZSTD_outBuffer to = {sink_room(s, &room), 0, 0};

        if (to.dst == NULL)
            return fail_memory("zstd", err);
        to.size = room;
        rc = ZSTD_decompressStream(ctx, &to, &from);
        if (ZSTD_isError(rc))
            return zstd_fail(rc, err);
        if (!sink_wrote(s, to.pos))
            return fail_limit("zstd", err);
        if (rc == 0 && from.pos == from.size)
            return 0;
        if (to.pos == 0 && from.pos == before)
            return fail_damage("zstd", "the frame ends early", err);
    }
}

static int
zstd_decompress(struct span in, struct sink *s, struct err *err)
{
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    size_t set;
    int rc;

    if (ctx == NULL)
        return fail_memory("zstd", err);
    set = ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax,
        ZSTD_WINDOW_LOG_MAX);
    assert(!ZSTD_isError(set));
    zstd_hint(in, s);
    rc = zstd_read(ctx, in, s, err);
    ZSTD_freeDCtx(ctx);
    return rc;
}

static int
zstd_compress(struct span in, struct buf *out, struct err *err)
{
    size_t bound = ZSTD_compressBound(in.len), n;
    uint8_t *p = buf_reserve(out, bound);

    if (p == NULL)
        return fail_limit("zstd", err);
    n = ZSTD_compress(p, bound, in.ptr, in.len, ZSTD_LEVEL);
    if (ZSTD_isError(n))
        return fail_memory("zstd", err);
    out->len += n;
    return 0;
}

/* All of them. */

static int
copy(struct span in, struct buf *out, struct err *err)
{
    buf_put_span(out, in);
    return out->failed ? fail_limit("records", err) : 0;
}

static int
decompress(enum codec codec, struct span in, struct buf *out, size_t limit,
    struct err *err)
{
    struct sink s;

    sink_init(&s, in, out, limit);
    switch (codec) {
    case CODEC_NONE:
        return in.len > s.left ? fail_limit("records", err)
                               : copy(in, out, err);
    case CODEC_GZIP:
        return gzip_decompress(in, &s, err);
    case CODEC_SNAPPY:
        return snap_decompress(in, out, s.left, err);
    case CODEC_LZ4:
        return lz4_decompress(in, &s, err);
    case CODEC_ZSTD:
        return zstd_decompress(in, &s, err);
    }
    return err_set(err, ERR_FORMAT, "codec %d is not known", (int)codec);
}

int
codec_decompress(enum codec codec, struct span in, struct buf *out,
    size_t limit, struct err *err)
{
    size_t start = out->len;
    int rc;

    if (in.len > INT32_MAX)
        return fail_limit(codec_name(codec), err);
    if (in.len == 0 && codec != CODEC_NONE)
        return fail_damage(codec_name(codec), "no bytes", err);
    rc = decompress(codec, in, out, limit, err);
    if (rc != 0)
        out->len = start;
    return rc;
}

static int
compress_with(enum codec codec, struct span in, struct buf *out,
    struct err *err)
{
    switch (codec) {
    case CODEC_NONE:
        return copy(in, out, err);
    case CODEC_GZIP:
        return gzip_compress(in, out, err);
    case CODEC_SNAPPY:
        snap_compress(in, out);
        return out->failed ? fail_limit("snappy", err) : 0;
    case CODEC_LZ4:
        return lz4_compress(in, out, err);
    case CODEC_ZSTD:
        return zstd_compress(in, out, err);
    }
    return err_set(err, ERR_FORMAT, "codec %d is not known", (int)codec);
}

int
codec_compress(enum codec codec, struct span in, struct buf *out,
    struct err *err)
{
    size_t start = out->len;
    int rc;

    if (in.len > INT32_MAX / 2)
        return fail_limit(codec_name(codec), err);
    rc = compress_with(codec, in, out, err);
    if (rc != 0)
        out->len = start;
    return rc;
}

const char *
codec_name(enum codec codec)
{
    switch (codec) {
    case CODEC_NONE:
        return "none";
    case CODEC_GZIP:
        return "gzip";
    case CODEC_SNAPPY:
        return "snappy";
    case CODEC_LZ4:
        return "lz4";
    case CODEC_ZSTD:
        return "zstd";
    }
    return "unknown";
}
