/*
 * value.c: between values and bytes.
 *
 * A record carries the bytes it was decoded from. As long as key or value
 * are handed on as they are and the other end has the same serde, the bytes
 * are handed on too, and nothing is encoded.
 */
#include "config.h"

#include "task/task_priv.h"

#include "base/endian.h"
#include "serde/lazy.h"

const char *
val_type_name(struct ps_val v)
{
    static const char *const names[] = {
        [PS_NULL] = "null", [PS_BYTES] = "bytes", [PS_STRING] = "string",
        [PS_INT64] = "int64", [PS_DOUBLE] = "double", [PS_JSON] = "json",
        [PS_MESSAGE] = "message", [PS_OBJECT] = "object"};

    if (v.type == PS_MESSAGE)
        return ((const ProtobufCMessage *)v.as.ptr)->descriptor->name;
    return v.type < countof(names) ? names[v.type] : "of no known type";
}

bool
val_fits(const struct ps_serde *s, struct ps_val v)
{
    if (v.type == PS_NULL)
        return true;
    if (v.type != s->type)
        return false;
    return v.type != PS_MESSAGE ||
        ((const ProtobufCMessage *)v.as.ptr)->descriptor == s->conf;
}

bool
val_encode(struct ps_ctx *c, const struct ps_serde *s, struct ps_val v,
    int format, const char *what, struct span *out)
{
    struct ps_encode e;

    *out = SPAN_NULL;
    if (v.type == PS_NULL)
        return true;
    if (!val_fits(s, v)) {
        ctx_fail(c, "TypeError", "%s takes %s, and got %s", what, s->name,
            val_type_name(v));
        return false;
    }
    buf_clear(&c->bytes);
    e.out = (struct ps_buf *)&c->bytes;
    e.format = format;
    e.why[0] = '\0';
    if (s->encode(s, &e, v) != PS_OK || c->bytes.failed) {
        ctx_fail(c, "OutputError", "%s: %s: %s", what, s->name,
            e.why[0] != '\0' ? e.why : "can't be encoded");
        return false;
    }
    /* of no bytes, but not null */
    *out = c->bytes.len == 0 ? span_of("", 0)
        : arena_copy(&c->arena, buf_span(&c->bytes));
    if (out->ptr == NULL) {
        ctx_fail(c, "OutputError", "%s: no memory left for this record", what);
        return false;
    }
    return true;
}

bool
val_decode(struct ps_ctx *c, const struct ps_serde *s, struct span bytes,
    const char *what, struct ps_val *out, int *format)
{
    struct ps_decode d;

    if (bytes.ptr == NULL) {
        *out = ps_null();
        return true;
    }
    d.arena = (struct ps_arena *)&c->arena;
    d.format = PS_FORMAT_PLAIN;
    d.why[0] = '\0';
    if (s->decode(s, &d, bytes.ptr, bytes.len, out) != PS_OK) {
        ctx_fail(c, "DecodeError", "%s: %s: %s", what, s->name,
            d.why[0] != '\0' ? d.why : "can't be decoded");
        return false;
    }
    if (format != NULL)
        *format = d.format;
    return true;
}

bool
val_encode_plain(struct ps_ctx *c, struct ps_val v, struct span *out)
{
    static const struct ps_serde *const plain[] = {
        [PS_BYTES] = &ps_bytes, [PS_STRING] = &ps_string,
        [PS_INT64] = &ps_int64, [PS_DOUBLE] = &ps_double,
        [PS_JSON] = &ps_json};

    *out = SPAN_NULL;
    if (v.type == PS_NULL)
        return true;
    if (v.type < countof(plain) && plain[v.type] != NULL)
        return val_encode(c, plain[v.type], v, PS_FORMAT_PLAIN, "a key", out);
    ctx_fail(c, "TypeError", "a key is of type %s, for which the topology "
        "names no serde", val_type_name(v));
    return false;
}

void *
val_pointer(struct ps_ctx *c, struct ps_val v)
{
    void *p;

    if (v.type == PS_INT64 || v.type == PS_DOUBLE) {
        p = ps_alloc(c, sizeof v.as.i64);
        if (p != NULL)
            memcpy(p, &v.as.i64, sizeof v.as.i64);
        return p;
    }
    memcpy(&p, &v.as.ptr, sizeof p);
    return v.type == PS_NULL ? NULL : p;
}

/* ---- records ------------------------------------------------------------ */

struct ps_val
rec_value(const struct rec *r)
{
    return ps_value(&r->pub);
}

void
rec_set_value(struct rec *r, struct ps_val v)
{
    r->decoded = true;
    r->pub.value_type = v.type;
    r->pub.value_len = v.len;
    if (v.type == PS_INT64 || v.type == PS_DOUBLE) {
        r->num.i64 = v.as.i64;       /* the bits of either */
        r->pub.value = &r->num;
    } else if (v.type == PS_NULL) {
        r->pub.value = NULL;
    } else {
        memcpy(&r->pub.value, &v.as.ptr, sizeof r->pub.value);
    }
}

bool
rec_need_value(struct ps_ctx *c, struct rec *r)
{
    struct ps_val v;

    if (r->decoded)
        return true;
    if (!val_decode(c, r->value_serde, r->value_raw, "the value", &v,
        &r->format))
        return false;
    rec_set_value(r, v);
    return true;
}

bool
rec_is_plain(const struct rec *r)
{
    return serde_plain_message(r->value_serde, r->value_raw) != NULL;
}

static bool
bad_value(struct ps_ctx *c, const struct rec *r, const struct err *err)
{
    ctx_fail(c, "DecodeError", "the value: %s: %s", r->value_serde->name,
        err->text);
    return false;
}

bool
rec_check(struct ps_ctx *c, struct rec *r)
{
    const ProtobufCMessageDescriptor *m;
    struct err err;

    if (r->decoded || r->checked)
        return true;
    m = serde_plain_message(r->value_serde, r->value_raw);
    if (m == NULL)
        return rec_need_value(c, r);
    r->checked = true;
    return pb_check(m, r->value_raw, &err) == 0 || bad_value(c, r, &err);
}

bool
rec_field(struct ps_ctx *c, struct rec *r,
    const ProtobufCFieldDescriptor *f, union pb_single *out)
{
    const ProtobufCMessageDescriptor *m;
    struct err err;
    int rc;

    /* Where a field may be absent its default is the struct's to know. */
    if (r->decoded || f->label != PROTOBUF_C_LABEL_NONE
        || (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
        return false;
    m = serde_plain_message(r->value_serde, r->value_raw);
    if (m == NULL)
        return false;
    r->checked = true;
    rc = pb_field(m, r->value_raw, f, out, &err);
    if (rc < 0)
        return bad_value(c, r, &err);
    if (rc == 0) {
        memset(out, 0, sizeof *out);
        if (f->type == PROTOBUF_C_TYPE_STRING
            || f->type == PROTOBUF_C_TYPE_BYTES)
            out->bytes = span_of("", 0);
    }
    return true;
}

static bool
same_val(struct ps_val a, struct ps_val b)
{
    return a.type == b.type && a.as.i64 == b.as.i64 && a.len == b.len;
}

void
rec_derive(struct rec *r, const struct rec *from, struct ps_val key,
    struct ps_val value)
{
    r->pub.key = key;
    r->pub.input = 0;
    r->pub.timestamp = from != NULL ? from->pub.timestamp : 0;
    r->key_serde = r->value_serde = NULL;
    r->checked = false;
    if (from != NULL && same_val(key, from->pub.key)) {
        r->key_raw = from->key_raw;
        r->key_serde = from->key_serde;
    }
    /* Only ps_value() says that the value is unchanged: a message under the
     * same pointer may have been written to. */
    if (from != NULL && value.same && same_val(value, rec_value(from))) {
        r->value_raw = from->value_raw;
        r->value_serde = from->value_serde;
        r->format = from->format;
    }
    value.same = 0;
    rec_set_value(r, value);
}

bool
rec_key_bytes(struct ps_ctx *c, struct rec *r, const struct ps_serde *serde,
    struct span *out)
{
    bool ok;

    if (r->key_serde != NULL && (serde == NULL || serde == r->key_serde)) {
        *out = r->key_raw;
        return true;
    }
    ok = serde == NULL ? val_encode_plain(c, r->pub.key, out)
        : val_encode(c, serde, r->pub.key, PS_FORMAT_PLAIN, "the key", out);
    if (ok && serde != NULL) {       /* the next sink need not do it again */
        r->key_raw = *out;
        r->key_serde = serde;
    }
    return ok;
}

bool
rec_value_bytes(struct ps_ctx *c, struct rec *r, const struct ps_serde *serde,
    int format, struct span *out)
{
    bool ok;

    if (r->value_serde == serde && (r->format == format ||
        serde->type != PS_MESSAGE || r->value_raw.ptr == NULL)) {
        *out = r->value_raw;
        return true;
    }
    if (!rec_need_value(c, r))
        return false;
    ok = val_encode(c, serde, rec_value(r), format, "the value", out);
    if (ok) {
        r->value_raw = *out;
        r->value_serde = serde;
        r->format = format;
    }
    return ok;
}
