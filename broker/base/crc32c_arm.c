/*
 * ARMv8 with the CRC extension. The compiler decides (-march=armv8-a+crc,
 * part of every ARMv8.1): where it does not know the extension, the tables
 * of crc32c.c serve. One stream; the processors that matter run it at eight
 * bytes in two or three cycles.
 */
#include "config.h"
#include "base/crc32c_priv.h"

#if defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)

#include <arm_acle.h>

#include "base/endian.h"

static uint32_t
update_arm(uint32_t crc, const uint8_t *p, size_t len)
{
    for (; len >= 8; p += 8, len -= 8)
        crc = __crc32cd(crc, get_le64(p));
    for (; len > 0; p++, len--)
        crc = __crc32cb(crc, *p);
    return crc;
}

crc32c_update_fn
crc32c_arm(void)
{
    return update_arm;
}

#endif
