#include "config.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

void
json_init(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out};
}

/* Before each value: the comma that parts it from the one before. */
static void
separate(struct json *j)
{
    if (j->comma[j->depth])
        buf_put_u8(j->out, ',');
    j->comma[j->depth] = true;
}

static void
open_level(struct json *j, char bracket)
{
    separate(j);
    assert(j->depth + 1 < JSON_DEPTH);
    j->comma[++j->depth] = false;
    buf_put_u8(j->out, (uint8_t)bracket);
}

static void
close_level(struct json *j, char bracket)
{
    assert(j->depth > 0);
    j->depth--;
    buf_put_u8(j->out, (uint8_t)bracket);
}

void
json_object_begin(struct json *j)
{
    open_level(j, '{');
}

void
json_object_end(struct json *j)
{
    close_level(j, '}');
}

void
json_array_begin(struct json *j)
{
    open_level(j, '[');
}

void
json_array_end(struct json *j)
{
    close_level(j, ']');
}

void
json_key(struct json *j, const char *key)
{
    separate(j);
    json_escape(j->out, span_str(key));
    buf_put_u8(j->out, ':');
    j->comma[j->depth] = false;          /* its value follows directly */
}

void
json_span(struct json *j, struct span s)
{
    if (s.ptr == NULL) {
        json_nil(j);
        return;
    }
    separate(j);
    json_escape(j->out, s);
}

void
json_cstr(struct json *j, const char *s)
{
    json_span(j, span_str(s));
}

void
json_int(struct json *j, int64_t v)
{
    separate(j);
    buf_printf(j->out, "%lld", (long long)v);
}

void
json_uint(struct json *j, uint64_t v)
{
    separate(j);
    buf_printf(j->out, "%llu", (unsigned long long)v);
}

/* JSON has no word for infinity and not-a-number: they become null. */
void
json_double(struct json *j, double v)
{
    char text[32];

    if (!isfinite(v)) {
        json_nil(j);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    separate(j);
    buf_put_str(j->out, text);
}

void
json_bool(struct json *j, bool v)
{
    separate(j);
    buf_put_str(j->out, v ? "true" : "false");
}

void
json_nil(struct json *j)
{
    separate(j);
    buf_put_str(j->out, "null");
}

void
json_base64(struct json *j, struct span s)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    if (s.ptr == NULL) {
        json_nil(j);
        return;
    }
    separate(j);
    buf_put_u8(j->out, '"');
    for (size_t i = 0; i < s.len; i += 3) {
        size_t left = s.len - i;
        uint32_t v = (uint32_t)s.ptr[i] << 16
            | (left > 1 ? (uint32_t)s.ptr[i + 1] << 8 : 0)
            | (left > 2 ? s.ptr[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63],
            left > 1 ? digits[v >> 6 & 63] : '=',
            left > 2 ? digits[v & 63] : '='};

        buf_put(j->out, four, sizeof four);
    }
    buf_put_u8(j->out, '"');
}

void
json_raw(struct json *j, struct span s)
{
    separate(j);
    buf_put_span(j->out, s);
}

void
json_kv_cstr(struct json *j, const char *key, const char *s)
{
    json_key(j, key);
    json_cstr(j, s);
}

void
json_kv_int(struct json *j, const char *key, int64_t v)
{
    json_key(j, key);
    json_int(j, v);
}

void
json_kv_bool(struct json *j, const char *key, bool v)
{
    json_key(j, key);
    json_bool(j, v);
}

/* A pointer that may be counted from, even for a null span. */
static const uint8_t *
begin_of(struct span s)
{
    return s.ptr == NULL ? (const uint8_t *)"" : s.ptr;
}

static bool
is_tail(const uint8_t *p, const uint8_t *end)
{
    return p < end && (*p & 0xc0) == 0x80;
}

/* Bytes of the UTF-8 sequence at p (p < end), or 0 if it is none. RFC 3629
 * section 4 is the grammar. */
static size_t
utf8_length(const uint8_t *p, const uint8_t *end)
{
    uint8_t lead = *p;
    uint8_t low = 0x80, high = 0xbf;     /* bounds of the second byte */
    size_t n;

    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    n = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead == 0xe0)
        low = 0xa0;                      /* overlong below */
    else if (lead == 0xed)
        high = 0x9f;                     /* surrogates above */
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;                     /* past U+10FFFF above */
    if (p + 1 >= end || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (!is_tail(p + i, end))
            return 0;
    return n;
}

static void
escape_one(struct buf *b, uint8_t c)
{
    static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (const char *p = names; *p != '\0'; p += 2)
        if ((uint8_t)*p == c) {
            buf_put_u8(b, '\\');
            buf_put_u8(b, (uint8_t)p[1]);
            return;
        }
    buf_printf(b, "\\u%04x", c);
}

void
json_escape(struct buf *b, struct span s)
{
    const uint8_t *p = begin_of(s), *end = p + s.len, *plain = p;

    buf_put_u8(b, '"');
    while (p < end) {
        bool special = *p < 0x20 || *p == '"' || *p == '\\';
        size_t n = special ? 0 : utf8_length(p, end);

        if (n != 0) {
            p += n;
            continue;
        }
        buf_put(b, plain, (size_t)(p - plain));
        if (special)
            escape_one(b, *p);
        else
            buf_put_str(b, "\xef\xbf\xbd");      /* U+FFFD */
        plain = ++p;
    }
    buf_put(b, plain, (size_t)(p - plain));
    buf_put_u8(b, '"');
}

bool
utf8_valid(struct span s)
{
    const uint8_t *p = begin_of(s), *end = p + s.len;

    while (p < end) {
        size_t n = utf8_length(p, end);

        if (n == 0)
            return false;
        p += n;
    }
    return true;
}
