/* payload.c: see payload.h. */
#include "config.h"

#include "payload.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/endian.h"
#include "base/json.h"
#include "base/limits.h"
#include "near.h"
#include "penstock/streams.h"
#include "proto/shop.pb-c.h"
#include "serde/json_text.h"
#include "serde/pb.h"
#include "serde/proto_json.h"

static const struct payload_type types[] = {
#define X(topic, message, key) {topic, &shop__##message##__descriptor, key},
#include "payloads.tbl"
#undef X
};

const struct payload_type *
payload_of_topic(const char *topic)
{
    for (size_t i = 0; i < countof(types); i++) {
        if (strcmp(types[i].topic, topic) == 0)
            return &types[i];
    }
    return NULL;
}

const struct payload_type *
payload_of_message(const char *name, struct err *err)
{
    char hint[96];
    struct near n;

    near_init(&n, name);
    for (size_t i = 0; i < countof(types); i++) {
        const ProtobufCMessageDescriptor *m = types[i].message;

        if (strcmp(m->name, name) == 0 || strcmp(m->short_name, name) == 0)
            return &types[i];
        near_try(&n, m->name);
        near_try(&n, m->short_name);
    }
    err_set(err, ERR_USAGE, "there is no message '%.60s'%s", name,
        near_hint(&n, hint, sizeof hint));
    return NULL;
}

/* ---- bytes to text ------------------------------------------------------ */

/* The reference's stock: four bytes big-endian, of which the first is 0. */
static bool
is_count(const struct payload_type *type, struct span bytes)
{
    return type->message == &shop__movement__descriptor && bytes.len == 4
        && bytes.ptr[0] == 0;
}

static const ProtobufCMessage *
decode_count(struct span bytes, struct arena *a)
{
    Shop__Movement *m = arena_alloc(a, sizeof *m);

    if (m == NULL)
        return NULL;
    shop__movement__init(m);
    m->kind = SHOP__MOVEMENT__KIND__COUNT;
    m->quantity = (int32_t)get_be32(bytes.ptr);
    return &m->base;
}

static const ProtobufCMessage *
decode(const struct payload_type *type, struct span bytes, struct arena *a)
{
    struct ps_decode d = {.arena = (struct ps_arena *)(void *)a};
    struct ps_serde serde;
    struct ps_val v;

    if (is_count(type, bytes))
        return decode_count(bytes, a);
    if (ps_serde_of(type->message, &serde) != 0
        || serde.decode(&serde, &d, bytes.ptr, bytes.len, &v) != PS_OK)
        return NULL;
    return v.as.ptr;
}

static bool
show_message(const struct payload_type *type, struct span bytes,
    struct arena *a, struct span *text)
{
    const ProtobufCMessage *msg = decode(type, bytes, a);
    struct buf out;
    struct json j;

    if (msg == NULL)
        return false;
    buf_init(&out, DECOMPRESSED_MAX);
    json_init(&j, &out);
    proto_json_write(msg, 0, &j);
    *text = out.failed ? SPAN_NULL : arena_copy(a, buf_span(&out));
    buf_release(&out);
    return text->ptr != NULL;
}

/* Text has no control characters but those of layout. */
static bool
is_text(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((s.ptr[i] < 0x20 && strchr("\t\n\r", s.ptr[i]) == NULL)
            || s.ptr[i] == 0 || s.ptr[i] == 0x7f)
            return false;
    }
    return utf8_valid(s);
}

enum payload_kind
payload_show(const struct payload_type *type, struct span bytes,
    struct arena *a, struct span *text)
{
    char why[160];

    *text = bytes;
    if (bytes.ptr == NULL)
        return PAYLOAD_NULL;
    if (type != NULL && show_message(type, bytes, a, text))
        return PAYLOAD_JSON;
    *text = bytes;
    if (bytes.len > 0 && (bytes.ptr[0] == '{' || bytes.ptr[0] == '[')
        && json_text_check(bytes, why, sizeof why) == 0)
        return PAYLOAD_JSON;
    return is_text(bytes) ? PAYLOAD_TEXT : PAYLOAD_BINARY;
}

/* ---- text to bytes ------------------------------------------------------ */

/* A key is text: a string as it is, a number in decimal. */
static struct span
key_of(const ProtobufCMessage *msg, const char *field, struct arena *a)
{
    const ProtobufCFieldDescriptor *f = field == NULL ? NULL
        : protobuf_c_message_descriptor_get_field_by_name(msg->descriptor,
              field);
    const uint8_t *at;
    const char *text;
    int64_t number;

    if (f == NULL)
        return SPAN_NULL;
    at = (const uint8_t *)msg + f->offset;
    if (f->type == PROTOBUF_C_TYPE_STRING) {
        memcpy(&text, at, sizeof text);
        return text == NULL || *text == '\0' ? SPAN_NULL : span_str(text);
    }
    assert(f->type == PROTOBUF_C_TYPE_INT64);
    memcpy(&number, at, sizeof number);
    return span_str(arena_printf(a, "%lld", (long long)number));
}

int
payload_read(const struct payload_type *type, struct span json,
    struct arena *a, struct span *out, struct span *key, struct err *err)
{
    ProtobufCMessage *msg;
    struct buf bytes;
    int rc;

    if (proto_json_read(type->message, json, 0, a, &msg, err) != 0)
        return -1;
    *key = key_of(msg, type->key, a);
    buf_init(&bytes, DECOMPRESSED_MAX);
    rc = pb_encode(msg, &bytes, err);
    if (rc == 0) {
        /* an empty message is no bytes, which is not the same as null */
        *out = bytes.len == 0 ? span_of("", 0)
                              : arena_copy(a, buf_span(&bytes));
        if (out->ptr == NULL)
            rc = err_set(err, ERR_LIMIT, "the message is too large");
    }
    buf_release(&bytes);
    return rc;
}
