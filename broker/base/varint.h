/*
 * varint.h: base-128 integers as protobuf and Kafka's records have them,
 * signed ones zigzag. Readers never touch a byte at or past `end`.
 */
#ifndef BASE_VARINT_H
#define BASE_VARINT_H

#include <stddef.h>
#include <stdint.h>

enum { VARINT_MAX = 10 };        /* bytes of the longest one */

/* Each returns the bytes used, 0 when the input ends too early or is longer
 * than the type allows. */
size_t varint_get_u64(const uint8_t *p, const uint8_t *end, uint64_t *v);
size_t varint_get_u32(const uint8_t *p, const uint8_t *end, uint32_t *v);
size_t varint_get_s64(const uint8_t *p, const uint8_t *end, int64_t *v);
size_t varint_get_s32(const uint8_t *p, const uint8_t *end, int32_t *v);

/* Room for VARINT_MAX bytes at p; returns the bytes written. */
size_t varint_put_u64(uint8_t *p, uint64_t v);
size_t varint_put_s64(uint8_t *p, int64_t v);
size_t varint_size_u64(uint64_t v);
size_t varint_size_s64(int64_t v);

#endif
