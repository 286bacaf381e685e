/*
 * pb.h: protobuf messages between bytes and the C structs of protobuf-c, by
 * descriptor. The structs and descriptors are protobuf-c's, the walk is ours:
 * its unpacker allocates for each string, cuts strings at a NUL and checks no
 * UTF-8. Here one pass checks and decodes, and refuses:
 *
 *  1. lengths that point past the end, at any depth;
 *  2. messages nested deeper than PB_DEPTH_MAX;
 *  3. strings with a NUL or with bad UTF-8 (RFC 3629);
 *  4. groups, field number 0, a field whose wire type is not its own;
 *  5. more memory than the arena's limit: an empty message of two bytes on
 *     the wire costs the size of its struct here.
 *
 * Unknown fields are kept and written again, after the known ones. An unknown
 * number of an enum is kept as it is (proto3's open enums). Fields of a
 * singular message that comes twice are merged, as protobuf demands.
 *
 * Ownership: what is decoded is the arena's; nothing points into the input.
 * Thread: any. Source: protobuf.dev, "Encoding".
 */
#ifndef SERDE_PB_H
#define SERDE_PB_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { PB_DEPTH_MAX = 32 };

/* A message of that type in the arena, or -1 and *err says which field. */
int pb_decode(const ProtobufCMessageDescriptor *, struct span, struct arena *,
    ProtobufCMessage **, struct err *);

/* Would pb_decode() take these bytes, memory aside? 0, or -1 and *err. */
int pb_check(const ProtobufCMessageDescriptor *, struct span, struct err *);

/* One field out of bytes, without the message: 1, 0: it does not stand there,
 * so it has its default; or -1, as pb_check(). The field is one of the
 * descriptor's, single, no message and not in a oneof. `bytes` (a string or
 * bytes) point into the input, without a NUL behind; numbers lie as they lie
 * in the struct. */
union pb_single {
    struct span bytes;
    int32_t i32;
    int64_t i64;
};
int pb_field(const ProtobufCMessageDescriptor *, struct span,
    const ProtobufCFieldDescriptor *, union pb_single *, struct err *);

/* Appends the message's bytes. Fields in the order of their numbers, defaults
 * of proto3 left out: equal messages give equal bytes. -1 on a string that
 * must not be written (3.) or when the buf is full; it then holds a part. */
int pb_encode(const ProtobufCMessage *, struct buf *, struct err *);

/* Room for `count` more elements of `size` bytes behind the n that *array
 * holds; false when the arena is full. Capacities follow from n alone. */
bool pb_array_room(void **array, size_t n, size_t count, size_t size,
    struct arena *);
/* Bytes of one element in the C struct: of an array, or of a single field. */
size_t pb_type_size(ProtobufCType);
/* A string that may be written or kept: UTF-8, no NUL. */
bool pb_text_valid(struct span);

#endif
