/*
 * uuid.h: 16 random bytes (RFC 9562 version 4), and the text form Kafka
 * gives to topic and cluster ids: base64url without padding, 22 characters.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/world.h"

struct uuid {
    uint8_t bytes[16];
};

enum { UUID_TEXT = 23, UUID_HEX = 33 };          /* with the NUL */

/* Never zero, never with a '-' first in its text form (as Kafka's). */
struct uuid uuid_random(struct world *);
bool uuid_is_zero(const struct uuid *);
bool uuid_eq(const struct uuid *, const struct uuid *);
char *uuid_text(const struct uuid *, char out[UUID_TEXT]);
char *uuid_hex(const struct uuid *, char out[UUID_HEX]);
int uuid_parse(const char *text, struct uuid *);         /* base64url or hex */

#endif
