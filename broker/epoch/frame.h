/*
 * frame.h: one frame of the journal: an epoch on its way to disk.
 *
 * A frame starts on a block and is padded with zeros to the end of one. All
 * integers little-endian:
 *
 *    0 magic u32 "PSJ1" | 4 version u16 | 6 flags u16 | 8 length u32 |
 *   12 manifest length u32 | 16 epoch u64 | 24 incarnation u64 |
 *   32 check of the frame before u32 | 36 check u32 | 40 cut at u64 |
 *   48 reserved 16 | 64 manifest (store.proto) | batches | state blocks
 *
 * length counts header, manifest and payload, without the padding. `check` is
 * the CRC-32C of header (its own field zero) and manifest. The manifest holds
 * the length and CRC of each batch (the batch's own, so no byte is summed
 * twice) and of each block; they follow it in its order. So a frame whose
 * bytes are all there proves itself, and each frame names the one before.
 */
#ifndef EPOCH_FRAME_H
#define EPOCH_FRAME_H

#include "base/err.h"
#include "base/span.h"

enum { FRAME_HEADER = 64, FRAME_VERSION = 1 };

#define FRAME_MAGIC 0x314a5350u          /* "PSJ1" */

struct frame_header {
    uint32_t length, manifest_length;
    uint64_t epoch, incarnation;
    uint32_t before;             /* check of the frame before */
    uint32_t check;
};

enum frame_status {
    FRAME_OK,
    FRAME_NONE,                  /* no frame begins here */
    FRAME_SHORT,                 /* begins here, but ends past the input */
    FRAME_BAD,                   /* begins here, but a checksum is wrong */
    FRAME_UNKNOWN,               /* a version or feature that we can't read */
};

/* Fills in the 64 bytes before `manifest`, which follows them in memory. */
void frame_seal(uint8_t *frame, const struct frame_header *,
    uint32_t *check);

/* Sums a header again that was changed by hand: for tests and tools. */
void frame_reseal(uint8_t *frame, uint32_t manifest_length);

/* Decodes and proves the header and the manifest, not the payload. `in` need
 * hold no more than those; with less FRAME_SHORT and h->length is set if the
 * magic is right. */
enum frame_status frame_open(struct span in, struct frame_header *h);

/* Proves the whole frame: every batch and block against the manifest. `err`
 * says what is wrong. */
enum frame_status frame_prove(struct span in, struct err *err);

#endif
