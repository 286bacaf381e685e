#include "config.h"
#include "base/uuid.h"

#include <string.h>

static const char base64url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char hex[] = "0123456789abcdef";

struct uuid
uuid_random(struct world *w)
{
    struct uuid u;

    do
        world_random(w, u.bytes, sizeof u.bytes);
    while (base64url[u.bytes[0] >> 2] == '-');   /* reads as an option */
    u.bytes[6] = (uint8_t)((u.bytes[6] & 0x0f) | 0x40);
    u.bytes[8] = (uint8_t)((u.bytes[8] & 0x3f) | 0x80);
    return u;
}

bool
uuid_is_zero(const struct uuid *u)
{
    static const struct uuid zero;

    return uuid_eq(u, &zero);
}

bool
uuid_eq(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

char *
uuid_text(const struct uuid *u, char out[UUID_TEXT])
{
    unsigned bits = 0, have = 0, n = 0;

    for (unsigned i = 0; i < sizeof u->bytes; i++) {
        bits = (bits << 8 | u->bytes[i]) & 0x3fff;
        for (have += 8; have >= 6; have -= 6)
            out[n++] = base64url[bits >> (have - 6) & 63];
    }
    out[n++] = base64url[bits << (6 - have) & 63];
    out[n] = '\0';
    return out;
}

char *
uuid_hex(const struct uuid *u, char out[UUID_HEX])
{
    for (unsigned i = 0; i < sizeof u->bytes; i++) {
        out[2 * i] = hex[u->bytes[i] >> 4];
        out[2 * i + 1] = hex[u->bytes[i] & 15];
    }
    out[UUID_HEX - 1] = '\0';
    return out;
}

static int
digit_of(const char *alphabet, char c)
{
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);

    return at == NULL ? -1 : (int)(at - alphabet);
}

static int
parse_hex(const char *text, struct uuid *u)
{
    for (unsigned i = 0; i < 2 * sizeof u->bytes; i++) {
        char c = text[i] >= 'A' && text[i] <= 'F' ? text[i] | 0x20 : text[i];
        int d = digit_of(hex, c);

        if (d < 0)
            return -1;
        u->bytes[i / 2] = (uint8_t)(u->bytes[i / 2] << 4 | d);
    }
    return 0;
}

static int
parse_base64url(const char *text, struct uuid *u)
{
    unsigned bits = 0, have = 0, n = 0;

    for (; *text != '\0'; text++) {
        int d = digit_of(base64url, *text);

        if (d < 0)
            return -1;
        bits = (bits << 6 | (unsigned)d) & 0x3fff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            u->bytes[n++] = (uint8_t)(bits >> have);
        }
    }
    /* One text for each uuid: the four bits left over are zero. */
    return (bits & 15) == 0 ? 0 : -1;
}

int
uuid_parse(const char *text, struct uuid *out)
{
    struct uuid u = {{0}};
    size_t len = strlen(text);
    int rc = -1;

    if (len == UUID_TEXT - 1)
        rc = parse_base64url(text, &u);
    else if (len == UUID_HEX - 1)
        rc = parse_hex(text, &u);
    if (rc == 0)
        *out = u;
    return rc;
}
