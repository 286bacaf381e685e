/*
 * The first byte chooses codec and limit, the rest is to be decompressed.
 * What comes out is compressed and must come back.
 */
#include "config.h"

#include <stdint.h>

#include "base/check.h"
#include "base/limits.h"
#include "record/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
again(enum codec codec, struct span plain)
{
    struct buf packed, out;

    buf_init(&packed, 4 * MIB);
    buf_init(&out, plain.len);
    assert(codec_compress(codec, plain, &packed, NULL) == 0);
    assert(codec_decompress(codec, buf_span(&packed), &out, plain.len, NULL)
        == 0);
    assert(span_eq(buf_span(&out), plain));
    buf_release(&packed);
    buf_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum codec codec;
    struct buf out;
    struct err err = {0};
    size_t limit;

    if (size == 0)
        return 0;
    codec = (enum codec)(data[0] & BATCH_CODEC_MASK);
    limit = (data[0] & 8) != 0 ? 100 : 1 * MIB;
    buf_init(&out, 2 * MIB);
    if (codec_decompress(codec, span_of(data + 1, size - 1), &out, limit,
            &err) == 0) {
        assert(out.len <= limit);
        again(codec, buf_span(&out));
    } else {
        assert(err.code != 0);
        assert(out.len == 0);
    }
    assert(out.cap <= 2 * limit + 128);
    buf_release(&out);
    return 0;
}
