/*
 * crc32c.h: CRC-32C (Castagnoli, RFC 3720 appendix B.4), the checksum of
 * record batches and of everything that we store. Uses the processor's
 * instruction in three interleaved streams where it has one, else tables.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues from `crc`; begin with 0. crc32c(0, "123456789", 9) is
 * 0xe3069283. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
