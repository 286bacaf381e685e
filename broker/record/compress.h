/*
 * compress.h: the four codecs of Kafka. gzip by zlib; lz4 in the frame
 * format; zstd; snappy by our own hand (libsnappy is C++, see snap.h): raw
 * blocks, and xerial's framing as the Java client writes it, both read,
 * xerial written.
 *
 * Several gzip members, lz4 or zstd frames in a row are read as one. An lz4
 * frame may carry the header checksum of clients before Kafka 0.10, which
 * covered the magic number too. Contexts live as long as a call: any thread
 * may call. Ownership: nothing is kept.
 */
#ifndef RECORD_COMPRESS_H
#define RECORD_COMPRESS_H

#include "base/buf.h"
#include "base/err.h"
#include "record/batch.h"

/* Appends to `out`, never more than `limit` bytes: over it, or over the
 * maximum of `out`, is an error of code ERR_LIMIT; input that is not what
 * the codec writes, or ends early, is ERR_DAMAGE. Lengths that the input
 * declares are checked before anything is allocated. After an error `out`
 * has the length it had. */
int codec_decompress(enum codec, struct span in, struct buf *out,
    size_t limit, struct err *);
/* Appends to `out`. After an error it has the length it had. */
int codec_compress(enum codec, struct span in, struct buf *out,
    struct err *);
const char *codec_name(enum codec);      /* "none", "gzip", ... */

#endif
