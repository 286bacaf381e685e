/*
 * format.c: see format.h. The pieces are a byte each, the letter of a field,
 * or a 0 and then a length and that much text.
 */
#include "config.h"

#include "format.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/endian.h"
#include "parse.h"
#include "record/batch.h"

static const char letters[] = "tpoTDksvhKSR";

/* ---- compiling ---------------------------------------------------------- */

static void
put_text(struct buf *pieces, const char *text, size_t n)
{
    uint8_t len[4];

    if (n == 0)
        return;
    put_le32(len, (uint32_t)n);
    buf_put_u8(pieces, 0);
    buf_put(pieces, len, sizeof len);
    buf_put(pieces, text, n);
}

/* The escape after a backslash; *used: its characters. -1: none. */
static int
escape(const char *s, char *out, size_t *used)
{
    static const char names[] = "ntr\\0e", values[] = "\n\t\r\\\0\033";
    const char *at = *s == '\0' ? NULL : strchr(names, *s);
    char digits[3];

    *used = 1;
    if (at != NULL) {
        *out = values[at - names];
        return 0;
    }
    if (*s != 'x' || !isxdigit((unsigned char)s[1])
        || !isxdigit((unsigned char)s[2]))
        return -1;
    digits[0] = s[1];
    digits[1] = s[2];
    digits[2] = '\0';
    *out = (char)strtol(digits, NULL, 16);
    *used = 3;
    return 0;
}

static int
percent(struct buf *pieces, char letter, struct err *err)
{
    if (letter == '%' || letter == 'n')
        put_text(pieces, letter == '%' ? "%" : "\n", 1);
    else if (letter != '\0' && strchr(letters, letter) != NULL)
        buf_put_u8(pieces, (uint8_t)letter);
    else if (letter == '\0')
        return err_set(err, ERR_USAGE, "the format ends with %%");
    else
        return err_set(err, ERR_USAGE, "the format has %%%c: there are %%t %%p "
            "%%o %%k %%s %%v %%T %%D %%h %%K %%S %%R %%n %%%%", letter);
    return 0;
}

int
format_init(struct format *f, const char *text, struct err *err)
{
    size_t used;
    char c;

    buf_init(&f->pieces, 1 << 20);
    for (; *text != '\0'; text += used) {
        used = strcspn(text, "%\\");
        if (used > 0) {
            put_text(&f->pieces, text, used);
        } else if (*text == '%') {
            used = 2;
            if (percent(&f->pieces, text[1], err) != 0)
                return -1;
        } else {
            if (escape(text + 1, &c, &used) != 0)
                return err_set(err, ERR_USAGE, "the format has \\%c: there are "
                    "\\n \\t \\r \\\\ \\0 \\e \\xHH", text[1]);
            put_text(&f->pieces, &c, 1);
            used++;
        }
    }
    return 0;
}

void
format_release(struct format *f)
{
    buf_release(&f->pieces);
}

/* ---- printing ----------------------------------------------------------- */

static void
put_headers(struct span headers, struct buf *out)
{
    struct span key, value;
    bool first = true;

    while (headers_next(&headers, &key, &value) == 1) {
        if (!first)
            buf_put_u8(out, ',');
        first = false;
        buf_put_span(out, key);
        buf_put_u8(out, '=');
        if (value.ptr == NULL)
            buf_put_str(out, "NULL");
        else
            buf_put_span(out, value);
    }
}

static void
put_letter(uint8_t letter, const struct format_record *r, struct buf *out)
{
    char room[32];

    switch (letter) {
    case 't':
        buf_put_str(out, r->topic);
        break;
    case 'p':
        buf_printf(out, "%d", r->partition);
        break;
    case 'o':
        buf_printf(out, "%lld", (long long)r->offset);
        break;
    case 'T':
        buf_printf(out, "%lld", (long long)r->timestamp);
        break;
    case 'D':
        buf_put_str(out, format_time(r->timestamp, room));
        break;
    case 'k':
        buf_put_span(out, r->key);
        break;
    case 's':
    case 'v':
        buf_put_span(out, r->value);
        break;
    case 'K':
        buf_printf(out, "%lld", (long long)r->key_bytes);
        break;
    case 'S':
        buf_printf(out, "%lld", (long long)r->value_bytes);
        break;
    case 'R':
        buf_put_be32(out, (uint32_t)r->value_bytes);
        break;
    default:
        put_headers(r->headers, out);
        break;
    }
}

void
format_put(const struct format *f, const struct format_record *r,
    struct buf *out)
{
    const uint8_t *p = f->pieces.ptr;
    const uint8_t *end = p == NULL ? NULL : p + f->pieces.len;
    uint32_t n;

    while (p < end) {
        if (*p != 0) {
            put_letter(*p++, r, out);
            continue;
        }
        n = get_le32(p + 1);
        buf_put(out, p + 5, n);
        p += 5 + n;
    }
}
