/*
 * snap.h: Snappy's block format (google/snappy, format_description.txt) and
 * xerial's framing of it, which the Java client writes. The names avoid
 * snappy_, which belongs to libsnappy.
 *
 * A block is a varint with the decompressed length, then elements; the low
 * two bits of an element's first byte say what it is:
 *
 *   00 literal   upper six bits: length - 1, or 60..63: length - 1 follows in
 *                1..4 bytes, little-endian; then the bytes
 *   01 copy      3 bits length - 4, 3 bits + 1 byte offset
 *   10 copy      6 bits length - 1, 2 bytes offset, little-endian
 *   11 copy      6 bits length - 1, 4 bytes offset, little-endian
 *
 * An offset counts back from the next byte to be written and may be smaller
 * than the length: then what is being written repeats.
 *
 * Framing: 82 "SNAPPY" 00, version i32, compatible version i32, then
 * { length i32, block } until the end; integers big-endian, blocks of 32 KiB
 * before compression. Ownership: nothing is kept. Any thread.
 */
#ifndef RECORD_SNAP_H
#define RECORD_SNAP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* Framed or raw, as found. Limits and errors as codec_decompress(), except
 * that `out` is left with what was written before the error. */
int snap_decompress(struct span in, struct buf *out, size_t limit,
    struct err *);
/* Framed. A full `out` shows as out->failed. */
void snap_compress(struct span in, struct buf *out);
/* One raw block of any length, as librdkafka and others write. */
void snap_compress_raw(struct span in, struct buf *out);

#endif
