/*
 * serde.c: the serdes that penstock/streams.h names, and those that a
 * descriptor makes. A message on a topic comes in one of three dresses, told
 * apart by its first byte:
 *
 *     '{'     JSON. As protobuf it would be the start of a group.
 *     0x00    Confluent's framing: 4 bytes schema id, then either JSON or
 *             message indexes and protobuf. As protobuf: field number 0.
 *     else    protobuf; no bytes at all are a message of defaults.
 *
 * No protobuf that we take begins with either byte, so nothing is guessed.
 * Source of the framing: docs.confluent.io, "Wire format" of Schema Registry.
 */
#include "config.h"

#include "penstock/streams.h"

#include <stdio.h>

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/err.h"
#include "base/json.h"
#include "base/varint.h"
#include "serde/json_text.h"
#include "serde/lazy.h"
#include "serde/pb.h"
#include "serde/proto_json.h"

enum {
    FRAMING_MAGIC = 0x00,
    FRAMING_BYTES = 5,           /* magic and schema id */
    FRAMING_DEPTH_MAX = 16,      /* message indexes: how deep it is nested */
    FRAMING_INDEX_MAX = 9999,
};

/* ---- What user serdes get ----------------------------------------------- */

/* The public names are opaque; in the tree they are these. */
static struct arena *
arena_of(struct ps_arena *a)
{
    return (struct arena *)a;
}

static struct buf *
buf_of(struct ps_buf *b)
{
    return (struct buf *)b;
}

void *
ps_arena_alloc(struct ps_arena *a, size_t size)
{
    return arena_alloc(arena_of(a), size);
}

void
ps_buf_put(struct ps_buf *b, const void *bytes, size_t len)
{
    buf_put(buf_of(b), bytes, len);
}

/* ---- Plain values ------------------------------------------------------- */

static int
decode_why(struct ps_decode *d, const char *why)
{
    snprintf(d->why, sizeof d->why, "%.150s", why);
    return PS_ERROR;
}

static int
encode_why(struct ps_encode *e, const char *why)
{
    snprintf(e->why, sizeof e->why, "%.150s", why);
    return PS_ERROR;
}

static int
encode_bytes(struct ps_encode *e, const void *bytes, size_t len)
{
    buf_put(buf_of(e->out), bytes, len);
    if (buf_of(e->out)->failed)
        return encode_why(e, "larger than a record may be");
    return PS_OK;
}

/* Every encode function begins with it: the wrong type is an error of the
 * caller's code, but his record's, not the process's. */
static bool
is_type(struct ps_encode *e, const struct ps_serde *s, struct ps_val v)
{
    static const char *const names[] = {
        [PS_NULL] = "null", [PS_BYTES] = "bytes", [PS_STRING] = "a string",
        [PS_INT64] = "an int64", [PS_DOUBLE] = "a double",
        [PS_JSON] = "JSON", [PS_MESSAGE] = "a message",
        [PS_OBJECT] = "an object"};

    if (v.type == s->type)
        return true;
    snprintf(e->why, sizeof e->why, "the serde %s takes %s, this is %s",
        s->name, names[s->type],
        v.type < countof(names) ? names[v.type] : "of no type");
    return false;
}

static int
bytes_decode(const struct ps_serde *s, struct ps_decode *d, const void *bytes,
    size_t len, struct ps_val *out)
{
    *out = ps_mem(bytes, len);
    return PS_OK;
}

static int
bytes_encode(const struct ps_serde *s, struct ps_encode *e, struct ps_val v)
{
    return is_type(e, s, v) ? encode_bytes(e, v.as.ptr, v.len) : PS_ERROR;
}

/* A copy with a NUL behind it, as PS_STRING and PS_JSON promise. */
static int
text_out(struct ps_decode *d, int type, const void *bytes, size_t len,
    struct ps_val *out)
{
    const char *text = arena_strndup(arena_of(d->arena), bytes, len);

    if (text == NULL)
        return decode_why(d, "takes more memory than a record may");
    *out = ps_make(type, text, len);
    return PS_OK;
}

static int
string_decode(const struct ps_serde *s, struct ps_decode *d, const void *bytes,
    size_t len, struct ps_val *out)
{
    if (!pb_text_valid(span_of(bytes, len)))
        return decode_why(d, "a string holds a NUL or is not UTF-8");
    return text_out(d, PS_STRING, bytes, len, out);
}

static int
string_encode(const struct ps_serde *s, struct ps_encode *e, struct ps_val v)
{
    if (!is_type(e, s, v))
        return PS_ERROR;
    if (!pb_text_valid(span_of(v.as.ptr, v.len)))
        return encode_why(e, "a string holds a NUL or is not UTF-8");
    return encode_bytes(e, v.as.ptr, v.len);
}

static int
int64_decode(const struct ps_serde *s, struct ps_decode *d, const void *bytes,
    size_t len, struct ps_val *out)
{
    if (len != 8)
        return decode_why(d, "an int64 has 8 bytes");
    *out = ps_i64((int64_t)get_be64(bytes));
    return PS_OK;
}

static int
int64_encode(const struct ps_serde *s, struct ps_encode *e, struct ps_val v)
{
    uint8_t b[8];

    if (!is_type(e, s, v))
        return PS_ERROR;
    put_be64(b, (uint64_t)v.as.i64);
    return encode_bytes(e, b, sizeof b);
}

static int
double_decode(const struct ps_serde *s, struct ps_decode *d, const void *bytes,
    size_t len, struct ps_val *out)
{
    uint64_t bits;
    double v;

    if (len != 8)
        return decode_why(d, "a double has 8 bytes");
    bits = get_be64(bytes);
    memcpy(&v, &bits, sizeof v);
    *out = ps_f64(v);
    return PS_OK;
}

static int
double_encode(const struct ps_serde *s, struct ps_encode *e, struct ps_val v)
{
    uint64_t bits;
    uint8_t b[8];

    if (!is_type(e, s, v))
        return PS_ERROR;
    memcpy(&bits, &v.as.f64, sizeof bits);
    put_be64(b, bits);
    return encode_bytes(e, b, sizeof b);
}

static int
json_decode(const struct ps_serde *s, struct ps_decode *d, const void *bytes,
    size_t len, struct ps_val *out)
{
    if (json_text_check(span_of(bytes, len), d->why, sizeof d->why) != 0)
        return PS_ERROR;
    d->format = PS_FORMAT_JSON;
    return text_out(d, PS_JSON, bytes, len, out);
}

static int
json_encode(const struct ps_serde *s, struct ps_encode *e, struct ps_val v)
{
    struct span text = span_of(v.as.ptr, v.len);

    if (!is_type(e, s, v) || json_text_check(text, e->why, sizeof e->why) != 0)
        return PS_ERROR;
    return encode_bytes(e, text.ptr, text.len);
}

#define SERDE(noun, kind)                                                      \
    const struct ps_serde ps_##noun = {.magic = PS_SERDE_MAGIC, .type = kind,  \
        .name = #noun, .decode = noun##_decode, .encode = noun##_encode}

SERDE(bytes, PS_BYTES);
SERDE(string, PS_STRING);
SERDE(int64, PS_INT64);
SERDE(double, PS_DOUBLE);
SERDE(json, PS_JSON);

/* ---- Messages ----------------------------------------------------------- */

/* Takes the framing off: behind the schema id come the indexes of the message
 * in its file (a zigzag count, then as many; a 0 alone is the first message),
 * then protobuf; or JSON at once. Which message it is says the topic, not the
 * number, since another file may order them otherwise. */
static bool
unframe(struct span *s)
{
    const uint8_t *p = s->ptr + FRAMING_BYTES, *end = s->ptr + s->len;
    int64_t count, number;
    size_t n;

    if (s->len <= FRAMING_BYTES)
        return false;
    if (*p != '{') {
        n = varint_get_s64(p, end, &count);
        if (n == 0 || count < 0 || count > FRAMING_DEPTH_MAX)
            return false;
        for (p += n; count > 0; count--, p += n) {
            n = varint_get_s64(p, end, &number);
            if (n == 0 || number < 0 || number > FRAMING_INDEX_MAX)
                return false;
        }
    }
    *s = span_of(p, (size_t)(end - p));
    return true;
}

static int
message_decode(const struct ps_serde *s, struct ps_decode *d,
    const void *bytes, size_t len, struct ps_val *out)
{
    const ProtobufCMessageDescriptor *m = s->conf;
    struct span in = span_of(bytes, len);
    struct arena *a = arena_of(d->arena);
    ProtobufCMessage *msg;
    struct err err;
    int rc;

    d->format = PS_FORMAT_PLAIN;
    if (in.len > 0 && in.ptr[0] == FRAMING_MAGIC) {
        if (!unframe(&in))
            return decode_why(d, "not the framing of a schema registry");
        d->format = PS_FORMAT_CONFLUENT;
    }
    if (in.len > 0 && in.ptr[0] == '{') {
        if (d->format == PS_FORMAT_PLAIN)
            d->format = PS_FORMAT_JSON;
        rc = proto_json_read(m, in, 0, a, &msg, &err);
    } else {
        rc = pb_decode(m, in, a, &msg, &err);
    }
    if (rc != 0)
        return decode_why(d, err.text);
    *out = ps_make(PS_MESSAGE, msg, 0);
    return PS_OK;
}

const ProtobufCMessageDescriptor *
serde_plain_message(const struct ps_serde *s, struct span bytes)
{
    if (s->decode != message_decode || bytes.ptr == NULL)
        return NULL;
    if (bytes.len > 0 && (bytes.ptr[0] == FRAMING_MAGIC
        || bytes.ptr[0] == '{'))
        return NULL;
    return s->conf;
}

static int
encode_json(struct ps_encode *e, const ProtobufCMessage *msg)
{
    struct json j;

    json_init(&j, buf_of(e->out));
    proto_json_write(msg, 0, &j);
    if (buf_of(e->out)->failed)
        return encode_why(e, "larger than a record may be");
    return PS_OK;
}

static int
message_encode(const struct ps_serde *s, struct ps_encode *e, struct ps_val v)
{
    const ProtobufCMessageDescriptor *m = s->conf;
    const ProtobufCMessage *msg = v.as.ptr;
    struct err err;

    if (!is_type(e, s, v))
        return PS_ERROR;
    if (msg->descriptor != m) {
        snprintf(e->why, sizeof e->why, "this is a %.60s, not a %.60s",
            msg->descriptor->name, m->name);
        return PS_ERROR;
    }
    if (e->format == PS_FORMAT_JSON)
        return encode_json(e, msg);
    if (e->format == PS_FORMAT_CONFLUENT)
        return encode_why(e, "the framing needs a schema registry's id");
    if (pb_encode(msg, buf_of(e->out), &err) != 0)
        return encode_why(e, err.text);
    return PS_OK;
}

int
ps_serde_of(const void *serde, struct ps_serde *out)
{
    const ProtobufCMessageDescriptor *m = serde;
    uint32_t magic;

    if (serde == NULL)
        return -1;
    memcpy(&magic, serde, sizeof magic);
    if (magic == PS_SERDE_MAGIC) {
        *out = *(const struct ps_serde *)serde;
        return 0;
    }
    if (magic != PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC)
        return -1;
    *out = (struct ps_serde){.magic = PS_SERDE_MAGIC, .type = PS_MESSAGE,
        .name = m->name, .decode = message_decode, .encode = message_encode,
        .conf = m};
    return 0;
}
