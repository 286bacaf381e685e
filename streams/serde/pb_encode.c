/*
 * pb_encode.c: messages to bytes, in one pass. A nested message's length is
 * not known beforehand: one byte is left for it, and the bytes behind it are
 * moved if it needs more.
 */
#include "config.h"

#include "serde/pb_priv.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/varint.h"

/* A window on the buf's room: p and end are put back by out_sync(). */
struct out {
    uint8_t *p, *end;
    struct buf *buf;
    struct err *err;
};

static void
out_sync(struct out *o)
{
    if (o->p != NULL)
        o->buf->len = (size_t)(o->p - o->buf->ptr);
}

static bool
out_widen(struct out *o, size_t n)
{
    out_sync(o);
    o->p = buf_reserve(o->buf, n);
    if (o->p == NULL) {
        err_set(o->err, ERR_LIMIT, "the message is larger than %zu bytes",
            o->buf->max);
        return false;
    }
    o->end = o->buf->ptr + o->buf->cap;
    return true;
}

static inline bool
out_room(struct out *o, size_t n)
{
    return (size_t)(o->end - o->p) >= n || out_widen(o, n);
}

/* Room for it has been made. */
static inline void
out_varint(struct out *o, uint64_t v)
{
    while (v >= 0x80) {
        *o->p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *o->p++ = (uint8_t)v;
}

static inline void
out_tag(struct out *o, uint32_t number, unsigned wire)
{
    out_varint(o, (uint64_t)number << 3 | wire);
}

static uint32_t
load_32(const void *from)
{
    uint32_t v;

    memcpy(&v, from, sizeof v);
    return v;
}

static uint64_t
load_64(const void *from)
{
    uint64_t v;

    memcpy(&v, from, sizeof v);
    return v;
}

/* The number as its wire type carries it: negative ones of int32 and enum
 * are widened with their sign. */
static uint64_t
load_number(ProtobufCType type, const void *from)
{
    uint64_t v;

    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM:
        return (uint64_t)(int64_t)(int32_t)load_32(from);
    case PROTOBUF_C_TYPE_SINT32:
        v = load_32(from);
        return (uint32_t)(v << 1) ^ (0 - (uint32_t)(v >> 31));
    case PROTOBUF_C_TYPE_SINT64:
        v = load_64(from);
        return v << 1 ^ (0 - (v >> 63));
    case PROTOBUF_C_TYPE_BOOL:
        return load_32(from) != 0;
    default:
        return pb_types[type].size == 8 ? load_64(from) : load_32(from);
    }
}

/* Room for 10 bytes has been made. */
static void
out_number(struct out *o, unsigned wire, uint64_t v)
{
    if (wire == WIRE_VARINT) {
        out_varint(o, v);
    } else if (wire == WIRE_64) {
        put_le64(o->p, v);
        o->p += 8;
    } else {
        put_le32(o->p, (uint32_t)v);
        o->p += 4;
    }
}

static bool encode_fields(struct out *, const ProtobufCMessage *,
    unsigned depth);

/* `from` is where the bytes behind the length begin; the length takes one
 * byte before it, or is given room by moving them. */
static bool
put_length(struct out *o, size_t from)
{
    size_t n = (size_t)(o->p - o->buf->ptr) - from;
    size_t extra = varint_size_u64(n) - 1;
    uint8_t *start;

    if (extra > 0 && !out_room(o, extra))
        return false;
    start = o->buf->ptr + from;
    if (extra > 0)
        memmove(start + extra, start, n);
    o->p += extra;
    varint_put_u64(start - 1, n);
    return true;
}

static bool
encode_nested(struct out *o, const field_desc *f, const ProtobufCMessage *msg,
    unsigned depth)
{
    if (depth == PB_DEPTH_MAX) {
        err_set(o->err, ERR_FORMAT, "%s: nested too deep", f->name);
        return false;
    }
    if (!out_room(o, 2 * VARINT_MAX))
        return false;
    out_tag(o, f->id, WIRE_LEN);
    o->p++;
    size_t from = (size_t)(o->p - o->buf->ptr);

    return encode_fields(o, msg, depth + 1) && put_length(o, from);
}

static bool
encode_bytes(struct out *o, uint32_t number, struct span s)
{
    if (s.len > o->buf->max || !out_room(o, s.len + 2 * VARINT_MAX)) {
        err_set(o->err, ERR_LIMIT, "the message is larger than %zu bytes",
            o->buf->max);
        return false;
    }
    out_tag(o, number, WIRE_LEN);
    out_varint(o, s.len);
    if (s.len > 0)
        memcpy(o->p, s.ptr, s.len);
    o->p += s.len;
    return true;
}

static bool
encode_value(struct out *o, const field_desc *f, const void *from,
    unsigned depth)
{
    const ProtobufCBinaryData *b = from;
    struct span s;

    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        s = span_str(*(char *const *)from);
        if (!pb_text_valid(s)) {
            err_set(o->err, ERR_FORMAT, "%s: is not UTF-8", f->name);
            return false;
        }
        return encode_bytes(o, f->id, s);
    case PROTOBUF_C_TYPE_BYTES:
        return encode_bytes(o, f->id, span_of(b->data, b->len));
    case PROTOBUF_C_TYPE_MESSAGE:
        return encode_nested(o, f, *(ProtobufCMessage *const *)from, depth);
    default:
        if (!out_room(o, 2 * VARINT_MAX))
            return false;
        out_tag(o, f->id, pb_types[f->type].wire);
        out_number(o, pb_types[f->type].wire, load_number(f->type, from));
        return true;
    }
}

static bool
encode_repeated(struct out *o, const field_desc *f, const char *msg,
    unsigned depth)
{
    size_t n = *(const size_t *)(const void *)(msg + f->quantifier_offset);
    const char *array = *(char *const *)(const void *)(msg + f->offset);
    size_t size = pb_types[f->type].size, from;

    if (n == 0 || (f->flags & PROTOBUF_C_FIELD_FLAG_PACKED) == 0) {
        for (size_t i = 0; i < n; i++)
            if (!encode_value(o, f, array + i * size, depth))
                return false;
        return true;
    }
    if (!out_room(o, 2 * VARINT_MAX))
        return false;
    out_tag(o, f->id, WIRE_LEN);
    o->p++;
    from = (size_t)(o->p - o->buf->ptr);
    for (size_t i = 0; i < n; i++) {
        if (!out_room(o, VARINT_MAX))
            return false;
        out_number(o, pb_types[f->type].wire,
            load_number(f->type, array + i * size));
    }
    return put_length(o, from);
}

/* proto3: a field without a label is written when it is not zero. */
static bool
is_zero(const field_desc *f, const void *at)
{
    const char *s;

    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        s = *(char *const *)at;
        return s == NULL || *s == '\0';
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)at)->len == 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(void *const *)at == NULL;
    default:
        return pb_types[f->type].size == 8 ? load_64(at) == 0
            : load_32(at) == 0;
    }
}

static bool
is_present(const field_desc *f, const char *msg)
{
    const void *at = msg + f->offset;
    bool pointer = f->type == PROTOBUF_C_TYPE_STRING ||
        f->type == PROTOBUF_C_TYPE_MESSAGE;

    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return load_32(msg + f->quantifier_offset) == f->id &&
            (!pointer || *(void *const *)at != NULL);
    if (f->label == PROTOBUF_C_LABEL_NONE)
        return !is_zero(f, at);
    if (pointer)
        return *(const void *const *)at != NULL &&
            (f->label == PROTOBUF_C_LABEL_REQUIRED ||
                *(const void *const *)at != f->default_value);
    return f->label == PROTOBUF_C_LABEL_REQUIRED ||
        load_32(msg + f->quantifier_offset) != 0;
}

static bool
encode_unknown(struct out *o, const ProtobufCMessage *msg)
{
    for (unsigned i = 0; i < msg->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *u = &msg->unknown_fields[i];

        if (!out_room(o, VARINT_MAX + u->len))
            return false;
        out_tag(o, u->tag, u->wire_type);
        memcpy(o->p, u->data, u->len);
        o->p += u->len;
    }
    return true;
}

static bool
encode_fields(struct out *o, const ProtobufCMessage *msg, unsigned depth)
{
    const message_desc *m = msg->descriptor;

    for (unsigned i = 0; i < m->n_fields; i++) {
        const field_desc *f = &m->fields[i];
        const char *base = (const char *)msg;

        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            if (!encode_repeated(o, f, base, depth))
                return false;
        } else if (is_present(f, base)) {
            if (!encode_value(o, f, base + f->offset, depth))
                return false;
        }
    }
    return msg->n_unknown_fields == 0 || encode_unknown(o, msg);
}

int
pb_encode(const ProtobufCMessage *msg, struct buf *buf, struct err *err)
{
    struct out o = {.buf = buf, .err = err};
    bool done;

    assert(msg->descriptor->magic == PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC);
    done = out_widen(&o, 64) && encode_fields(&o, msg, 0);
    out_sync(&o);
    return done ? 0 : -1;
}
