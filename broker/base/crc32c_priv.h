/*
 * crc32c_priv.h: what the backends of crc32c.c share. Each update function
 * takes and returns the register as it stands, without the inversions.
 */
#ifndef BASE_CRC32C_PRIV_H
#define BASE_CRC32C_PRIV_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t (*crc32c_update_fn)(uint32_t, const uint8_t *, size_t);

/* The update function of this processor, or NULL if it has no instruction
 * for it; one of the two is compiled. Called once, before any use. */
crc32c_update_fn crc32c_x86(void);
crc32c_update_fn crc32c_arm(void);

/* x^n modulo the polynomial, bits reflected; n >= 0. */
uint32_t crc32c_power(unsigned n);

#endif
