/*
 * dump.c: a message as one line of text, for people and for tests.
 */
#include "config.h"

#include "wire/wire_priv.h"

#include <inttypes.h>

#include "base/check.h"

enum { SHOWN_MAX = 64 }; /* of bytes and records; more is counted */

static void
put_string(struct buf *b, struct span s)
{
    if (s.ptr == NULL) {
        buf_put_str(b, "null");
        return;
    }
    buf_put_u8(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_put_u8(b, c);
    }
    buf_put_u8(b, '"');
}

static void
put_bytes(struct buf *b, struct span s)
{
    if (s.ptr == NULL) {
        buf_put_str(b, "null");
        return;
    }
    buf_put_str(b, "x'");
    for (size_t i = 0; i < s.len && i < SHOWN_MAX; i++)
        buf_printf(b, "%02x", s.ptr[i]);
    buf_put_u8(b, '\'');
    if (s.len > SHOWN_MAX)
        buf_printf(b, "...(%zu bytes)", s.len);
}

static void
put_value(struct buf *b, uint8_t kind, const void *p)
{
    char text[UUID_TEXT];

    switch ((enum wire_kind)kind) {
    case WIRE_BOOL:
        buf_put_str(b, *(const bool *)p ? "true" : "false");
        return;
    case WIRE_INT8:
        buf_printf(b, "%d", *(const int8_t *)p);
        return;
    case WIRE_INT16:
        buf_printf(b, "%d", *(const int16_t *)p);
        return;
    case WIRE_UINT16:
        buf_printf(b, "%u", *(const uint16_t *)p);
        return;
    case WIRE_INT32:
        buf_printf(b, "%" PRId32, *(const int32_t *)p);
        return;
    case WIRE_UINT32:
        buf_printf(b, "%" PRIu32, *(const uint32_t *)p);
        return;
    case WIRE_INT64:
        buf_printf(b, "%" PRId64, *(const int64_t *)p);
        return;
    case WIRE_FLOAT64:
        buf_printf(b, "%.17g", *(const double *)p);
        return;
    case WIRE_UUID:
        buf_put_str(b, uuid_text(p, text));
        return;
    case WIRE_STRING:
        put_string(b, *(const struct span *)p);
        return;
    case WIRE_BYTES:
    case WIRE_RECORDS:
        put_bytes(b, *(const struct span *)p);
        return;
    case WIRE_STRUCT:
    case WIRE_OPTION:
    case WIRE_ARRAY:
    case WIRE_LIST:
        break;
    }
    unreachable("not a single value");
}

static void
put_array(struct buf *b, const struct wire_field *f, int version,
    const struct wire_array *a)
{
    size_t size =
        f->kind == WIRE_ARRAY ? f->type->size : wire_elem_size(f->elem);
    const uint8_t *p = a->v;

    if (a->n < 0) {
        buf_put_str(b, "null");
        return;
    }
    buf_put_u8(b, '[');
    for (int32_t i = 0; i < a->n; i++, p += size) {
        if (i > 0)
            buf_put_str(b, ", ");
        if (f->kind == WIRE_ARRAY)
            wire_dump(f->type, version, p, b);
        else
            put_value(b, f->elem, p);
    }
    buf_put_u8(b, ']');
}

static void
put_field(struct buf *b, const struct wire_field *f, int version, const void *p)
{
    const void *inner;

    switch ((enum wire_kind)f->kind) {
    case WIRE_STRUCT:
        wire_dump(f->type, version, p, b);
        return;
    case WIRE_OPTION:
        inner = *(void *const *)p;
        if (inner == NULL)
            buf_put_str(b, "null");
        else
            wire_dump(f->type, version, inner, b);
        return;
    case WIRE_ARRAY:
    case WIRE_LIST:
        put_array(b, f, version, p);
        return;
    case WIRE_BOOL:
    case WIRE_INT8:
    case WIRE_INT16:
    case WIRE_UINT16:
    case WIRE_INT32:
    case WIRE_UINT32:
    case WIRE_INT64:
    case WIRE_FLOAT64:
    case WIRE_UUID:
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
        put_value(b, f->kind, p);
        return;
    }
    unreachable("a kind outside of the enum");
}

void
wire_dump(
    const struct wire_type *type, int version, const void *msg, struct buf *b)
{
    const char *between = "";

    buf_put_u8(b, '{');
    for (size_t i = 0; i < type->count; i++) {
        const struct wire_field *f = &type->fields[i];

        if (!wire_field_in(f, version))
            continue;
        buf_printf(b, "%s%s: ", between, f->name);
        put_field(b, f, version, wire_at_const(msg, f));
        between = ", ";
    }
    buf_put_u8(b, '}');
}
