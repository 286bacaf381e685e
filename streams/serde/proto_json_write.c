#include "config.h"

#include "serde/proto_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "serde/pb.h"

enum { NAME_ROOM = 128 };
static const char micros_suffix[] = "_micros";
enum { MICROS = 1000000, SUFFIX_LEN = sizeof micros_suffix - 1 };

typedef ProtobufCFieldDescriptor field_desc;

/* ---- Names -------------------------------------------------------------- */

bool
proto_json_is_money(const ProtobufCFieldDescriptor *f)
{
    size_t n = strlen(f->name);

    return f->type == PROTOBUF_C_TYPE_INT64 &&
        f->label != PROTOBUF_C_LABEL_REPEATED && n > SUFFIX_LEN &&
        strcmp(f->name + n - SUFFIX_LEN, micros_suffix) == 0;
}

const char *
proto_json_name(const ProtobufCFieldDescriptor *f, bool camel, bool money,
    char *room, size_t size)
{
    size_t n = strlen(f->name) - (money ? SUFFIX_LEN : 0), len = 0;
    bool raise = false;

    for (size_t i = 0; i < n && len + 1 < size; i++) {
        char c = f->name[i];

        if (camel && c == '_') {
            raise = true;
            continue;
        }
        if (raise && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        raise = false;
        room[len++] = c;
    }
    room[len] = '\0';
    return room;
}

/* ---- Values ------------------------------------------------------------- */

static int32_t
load_i32(const void *at)
{
    int32_t v;

    memcpy(&v, at, sizeof v);
    return v;
}

static int64_t
load_i64(const void *at)
{
    int64_t v;

    memcpy(&v, at, sizeof v);
    return v;
}

static void
write_text(struct json *j, const char *text, bool quoted)
{
    if (quoted)
        json_cstr(j, text);
    else
        json_raw(j, span_str(text));
}

static void
write_i64(struct json *j, int64_t v, bool quoted)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, v);
    write_text(j, text, quoted);
}

static void
write_u64(struct json *j, uint64_t v, bool quoted)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, v);
    write_text(j, text, quoted);
}

/* 1500000 as 1.5, 1000000 as 1.0: digits, so nothing is rounded. */
static void
write_money(struct json *j, int64_t v)
{
    uint64_t abs = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    char text[32];
    int n = snprintf(text, sizeof text, "%s%" PRIu64 ".%06" PRIu64,
        v < 0 ? "-" : "", abs / MICROS, abs % MICROS);

    while (text[n - 1] == '0' && text[n - 2] != '.')
        text[--n] = '\0';
    write_text(j, text, false);
}

static void
write_double(struct json *j, double v)
{
    if (isnan(v))
        json_cstr(j, "NaN");
    else if (isinf(v))
        json_cstr(j, v < 0 ? "-Infinity" : "Infinity");
    else if (v == 0 && signbit(v))
        write_text(j, "-0.0", false);    /* "-0" would be an integer */
    else
        json_double(j, v);
}

/* The shortest text that reads back as this float, not as the double. */
static void
write_float(struct json *j, float v)
{
    char text[32];

    if (!isfinite(v) || v == 0) {
        write_double(j, (double)v);
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)v);
        if (strtof(text, NULL) == v)
            break;
    }
    write_text(j, text, false);
}

static void
write_enum(struct json *j, const field_desc *f, int v)
{
    const ProtobufCEnumValue *e =
        protobuf_c_enum_descriptor_get_value(f->descriptor, v);

    if (e == NULL)
        json_int(j, v);
    else
        json_cstr(j, e->name);
}

static void write_message(const ProtobufCMessage *, unsigned flags,
    struct json *, unsigned depth);

static void
write_value(const field_desc *f, const void *at, unsigned flags,
    struct json *j, unsigned depth)
{
    bool quoted = (flags & PROTO_JSON_REST) == 0;
    const ProtobufCBinaryData *b = at;
    float f32;
    double f64;

    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        json_int(j, load_i32(at));
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        json_uint(j, (uint32_t)load_i32(at));
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        write_i64(j, load_i64(at), quoted);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        write_u64(j, (uint64_t)load_i64(at), quoted);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        memcpy(&f32, at, sizeof f32);
        write_float(j, f32);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        memcpy(&f64, at, sizeof f64);
        write_double(j, f64);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        json_bool(j, load_i32(at) != 0);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        write_enum(j, f, load_i32(at));
        break;
    case PROTOBUF_C_TYPE_STRING:
        json_cstr(j, *(char *const *)at);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        json_base64(j, span_of(b->data == NULL ? (const uint8_t *)"" : b->data,
            b->len));
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        write_message(*(ProtobufCMessage *const *)at, flags, j, depth + 1);
        break;
    }
}

/* ---- Fields ------------------------------------------------------------- */

static bool
is_zero(const field_desc *f, const void *at)
{
    static const char zero[16];
    const char *s;

    if (f->type == PROTOBUF_C_TYPE_STRING) {
        s = *(char *const *)at;
        return s == NULL || *s == '\0';
    }
    if (f->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)at)->len == 0;
    return memcmp(at, zero, pb_type_size(f->type)) == 0;
}

/* Strings, bytes and messages that are empty say nothing in any style: the
 * reference's clients refuse members they do not know. */
static bool
is_written(const field_desc *f, const char *msg, unsigned flags)
{
    const void *at = msg + f->offset;
    bool pointer = f->type == PROTOBUF_C_TYPE_STRING ||
        f->type == PROTOBUF_C_TYPE_MESSAGE;

    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return (uint32_t)load_i32(msg + f->quantifier_offset) == f->id;
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)(const void *)(msg + f->quantifier_offset) > 0;
    if (f->label == PROTOBUF_C_LABEL_NONE)
        return !is_zero(f, at) ||
            ((flags & PROTO_JSON_REST) != 0 && !pointer &&
                f->type != PROTOBUF_C_TYPE_BYTES);
    if (pointer)
        return *(void *const *)at != NULL;
    return f->label == PROTOBUF_C_LABEL_REQUIRED ||
        load_i32(msg + f->quantifier_offset) != 0;
}

static void
write_repeated(const field_desc *f, const char *msg, unsigned flags,
    struct json *j, unsigned depth)
{
    size_t n = *(const size_t *)(const void *)(msg + f->quantifier_offset);
    const char *array = *(char *const *)(const void *)(msg + f->offset);

    json_array_begin(j);
    for (size_t i = 0; i < n; i++)
        write_value(f, array + i * pb_type_size(f->type), flags, j, depth);
    json_array_end(j);
}

static void
write_message(const ProtobufCMessage *msg, unsigned flags, struct json *j,
    unsigned depth)
{
    const ProtobufCMessageDescriptor *m;
    char room[NAME_ROOM];

    /* A level may be an object in an array, which counts twice in json.h. */
    if (msg == NULL || depth >= PB_DEPTH_MAX || j->depth + 3 >= JSON_DEPTH) {
        json_nil(j);
        return;
    }
    m = msg->descriptor;
    json_object_begin(j);
    for (unsigned i = 0; i < m->n_fields; i++) {
        const field_desc *f = &m->fields[i];
        const char *base = (const char *)msg;
        bool money = (flags & PROTO_JSON_REST) && proto_json_is_money(f);

        if (!is_written(f, base, flags))
            continue;
        json_key(j, proto_json_name(f, !(flags & PROTO_JSON_OWN_NAMES), money,
            room, sizeof room));
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            write_repeated(f, base, flags, j, depth);
        else if (money)
            write_money(j, load_i64(base + f->offset));
        else
            write_value(f, base + f->offset, flags, j, depth);
    }
    json_object_end(j);
}

void
proto_json_write(const ProtobufCMessage *msg, unsigned flags, struct json *j)
{
    write_message(msg, flags, j, 0);
}
