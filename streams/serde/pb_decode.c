/*
 * pb_decode.c: bytes to messages, checked in the same pass. `struct in` is a
 * sticky reader: its first failure stays, and each step checks what is left
 * by subtraction. Strings and bytes are copied into one pool of as many bytes
 * as the input has: that is enough, since each cost a tag and a length in the
 * input and costs one NUL here. A nested message is decoded with `end` moved
 * in; a message that exists already is decoded into, which is exactly the
 * merge that protobuf asks for.
 */
#include "config.h"

#include "serde/pb_priv.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/varint.h"

enum { FIELD_NUMBER_MAX = (1 << 29) - 1 };

struct in {
    const uint8_t *p, *end;      /* end: of the innermost message */
    uint8_t *pool;               /* room for strings and bytes */
    struct arena *arena;
    struct err *err;
    bool failed;
};

static bool
refuse(struct in *in, const message_desc *m, const field_desc *f,
    const char *why)
{
    if (!in->failed)
        err_set(in->err, ERR_FORMAT, "%s%s%s: %s", m->short_name,
            f == NULL ? "" : ".", f == NULL ? "" : f->name, why);
    in->failed = true;
    return false;
}

static bool
out_of_arena(struct in *in, const message_desc *m)
{
    if (!in->failed)
        err_set(in->err, ERR_LIMIT, "%s: takes more than %zu bytes of memory",
            m->short_name, in->arena->limit);
    in->failed = true;
    return false;
}

static inline bool
in_varint(struct in *in, uint64_t *v)
{
    size_t n;

    if (in->p < in->end && *in->p < 0x80) {
        *v = *in->p++;
        return true;
    }
    n = varint_get_u64(in->p, in->end, v);
    in->p += n;
    return n > 0;
}

/* The bytes behind a length, which is checked against what is left. */
static inline bool
in_bytes(struct in *in, struct span *s)
{
    uint64_t n;

    if (!in_varint(in, &n) || n > (size_t)(in->end - in->p))
        return false;
    *s = span_of(in->p, (size_t)n);
    in->p += n;
    return true;
}

static inline uint8_t *
pool_copy(struct in *in, struct span s)
{
    uint8_t *to = in->pool;

    memcpy(to, s.ptr, s.len);
    to[s.len] = 0;
    in->pool += s.len + 1;
    return to;
}

static const field_desc *
field_by_number(const message_desc *m, uint32_t number)
{
    unsigned low = 0, high = m->n_fields;

    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (m->fields[mid].id == number)
            return &m->fields[mid];
        if (m->fields[mid].id < number)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static void
store_32(void *to, uint32_t v)
{
    memcpy(to, &v, sizeof v);
}

static void
store_64(void *to, uint64_t v)
{
    memcpy(to, &v, sizeof v);
}

/* A value of wire type varint, 64 or 32 bits, as it lies in the struct. */
static void
store_number(ProtobufCType type, void *to, uint64_t v)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SINT32:
        store_32(to, (uint32_t)v >> 1 ^ (0 - ((uint32_t)v & 1)));
        break;
    case PROTOBUF_C_TYPE_SINT64:
        store_64(to, v >> 1 ^ (0 - (v & 1)));
        break;
    case PROTOBUF_C_TYPE_BOOL:
        store_32(to, v != 0);
        break;
    default:
        if (pb_types[type].size == 8)
            store_64(to, v);
        else
            store_32(to, (uint32_t)v);
    }
}

/* Reads a number of that wire type, which is not WIRE_LEN. */
static inline bool
in_number(struct in *in, unsigned wire, uint64_t *v)
{
    size_t left = (size_t)(in->end - in->p);

    if (wire == WIRE_VARINT)
        return in_varint(in, v);
    if (wire == WIRE_64 && left >= 8) {
        *v = get_le64(in->p);
        in->p += 8;
        return true;
    }
    if (wire == WIRE_32 && left >= 4) {
        *v = get_le32(in->p);
        in->p += 4;
        return true;
    }
    return false;
}

static bool decode_fields(struct in *, const message_desc *,
    ProtobufCMessage *, unsigned depth);

static ProtobufCMessage *
message_new(struct in *in, const message_desc *m)
{
    ProtobufCMessage *msg = arena_alloc(in->arena, m->sizeof_message);

    if (msg == NULL)
        out_of_arena(in, m);
    else
        m->message_init(msg);
    return msg;
}

/* Into *slot, which may hold a message already: then they are merged. */
static bool
decode_nested(struct in *in, const message_desc *m, const field_desc *f,
    ProtobufCMessage **slot, unsigned depth)
{
    const uint8_t *end = in->end;
    struct span s;

    if (depth == PB_DEPTH_MAX)
        return refuse(in, m, f, "nested too deep");
    if (!in_bytes(in, &s))
        return refuse(in, m, f, "the length is past the end");
    if (*slot == NULL && (*slot = message_new(in, f->descriptor)) == NULL)
        return false;
    in->p = s.ptr;
    in->end = s.ptr + s.len;
    if (!decode_fields(in, f->descriptor, *slot, depth + 1))
        return false;
    in->end = end;
    return true;
}

/* One value, tag read, wire type right, to where it lies in the struct. */
static bool
decode_value(struct in *in, const message_desc *m, const field_desc *f,
    void *to, unsigned depth)
{
    struct span s;
    uint64_t v;

    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (!in_bytes(in, &s))
            return refuse(in, m, f, "the length is past the end");
        if (!pb_text_valid(s))
            return refuse(in, m, f, "holds a NUL or is not UTF-8");
        *(char **)to = (char *)pool_copy(in, s);
        return true;
    case PROTOBUF_C_TYPE_BYTES:
        if (!in_bytes(in, &s))
            return refuse(in, m, f, "the length is past the end");
        *(ProtobufCBinaryData *)to =
            (ProtobufCBinaryData){s.len, pool_copy(in, s)};
        return true;
    case PROTOBUF_C_TYPE_MESSAGE:
        return decode_nested(in, m, f, to, depth);
    default:
        if (!in_number(in, pb_types[f->type].wire, &v))
            return refuse(in, m, f, "the number is cut off");
        store_number(f->type, to, v);
        return true;
    }
}

/* How many numbers are in s: the bytes tell, before memory is asked for. */
static bool
packed_count(unsigned wire, struct span s, size_t *count)
{
    size_t width = wire == WIRE_64 ? 8 : 4;

    *count = 0;
    if (wire != WIRE_VARINT) {
        *count = s.len / width;
        return s.len % width == 0;
    }
    for (size_t i = 0; i < s.len; i++)
        *count += s.ptr[i] < 0x80;
    return s.len == 0 || s.ptr[s.len - 1] < 0x80;
}

static bool
decode_packed(struct in *in, const message_desc *m, const field_desc *f,
    ProtobufCMessage *msg)
{
    size_t *n = (size_t *)(void *)((char *)msg + f->quantifier_offset);
    void **array = (void **)(void *)((char *)msg + f->offset);
    size_t size = pb_types[f->type].size, count;
    unsigned wire = pb_types[f->type].wire;
    struct in sub = *in;
    struct span s;
    uint64_t v;

    if (!in_bytes(in, &s) || !packed_count(wire, s, &count))
        return refuse(in, m, f, "the packed list is cut off");
    if (!pb_array_room(array, *n, count, size, in->arena))
        return out_of_arena(in, m);
    sub.p = s.ptr;
    sub.end = s.ptr + s.len;
    for (; sub.p < sub.end; ++*n) {
        if (!in_number(&sub, wire, &v))
            return refuse(in, m, f, "a packed number is too long");
        store_number(f->type, (char *)*array + *n * size, v);
    }
    return true;
}

static bool
decode_repeated(struct in *in, const message_desc *m, const field_desc *f,
    ProtobufCMessage *msg, unsigned depth)
{
    size_t *n = (size_t *)(void *)((char *)msg + f->quantifier_offset);
    void **array = (void **)(void *)((char *)msg + f->offset);
    size_t size = pb_types[f->type].size;

    if (!pb_array_room(array, *n, 1, size, in->arena))
        return out_of_arena(in, m);
    if (!decode_value(in, m, f, (char *)*array + *n * size, depth))
        return false;
    ++*n;
    return true;
}

/* A member of a oneof takes the union; what another left there is no longer
 * anything, and must not be merged into. */
static void
oneof_take(const field_desc *f, ProtobufCMessage *msg)
{
    uint32_t *which = (uint32_t *)(void *)((char *)msg + f->quantifier_offset);

    if (*which != f->id)
        memset((char *)msg + f->offset, 0, pb_types[f->type].size);
    *which = f->id;
}

static bool
decode_known(struct in *in, const message_desc *m, const field_desc *f,
    ProtobufCMessage *msg, unsigned wire, unsigned depth)
{
    unsigned own = pb_types[f->type].wire;

    if (f->label == PROTOBUF_C_LABEL_REPEATED && wire == WIRE_LEN &&
        own != WIRE_LEN)
        return decode_packed(in, m, f, msg);
    if (wire != own)
        return refuse(in, m, f, "has another wire type");
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return decode_repeated(in, m, f, msg, depth);
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        oneof_take(f, msg);
    else if (f->label == PROTOBUF_C_LABEL_OPTIONAL &&
        f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
        store_32((char *)msg + f->quantifier_offset, 1);
    return decode_value(in, m, f, (char *)msg + f->offset, depth);
}

/* Kept as protobuf-c keeps it: the bytes behind the tag, length included. */
static bool
decode_unknown(struct in *in, const message_desc *m, ProtobufCMessage *msg,
    uint32_t number, unsigned wire)
{
    ProtobufCMessageUnknownField *u;
    const uint8_t *from = in->p;
    struct span s;
    uint64_t v;

    if (wire == WIRE_LEN ? !in_bytes(in, &s) : !in_number(in, wire, &v))
        return refuse(in, m, NULL, "an unknown field is cut off or a group");
    if (!pb_array_room((void **)&msg->unknown_fields, msg->n_unknown_fields,
            1, sizeof *u, in->arena))
        return out_of_arena(in, m);
    s = span_of(from, (size_t)(in->p - from));
    u = &msg->unknown_fields[msg->n_unknown_fields++];
    u->tag = number;
    u->wire_type = (ProtobufCWireType)wire;
    u->len = s.len;
    u->data = pool_copy(in, s);
    return true;
}

/* proto2 only: `seen` has a bit for each field that came. */
static bool
check_required(struct in *in, const message_desc *m, uint64_t seen)
{
    for (unsigned i = 0; i < m->n_fields; i++) {
        if (m->fields[i].label == PROTOBUF_C_LABEL_NONE)
            return true;         /* it is proto3 */
        if (m->fields[i].label != PROTOBUF_C_LABEL_REQUIRED)
            continue;
        assert(i < 64);
        if ((seen >> i & 1) == 0)
            return refuse(in, m, &m->fields[i], "is required");
    }
    return true;
}

/* The usual field: of proto3, single, a varint or a string, in the order of
 * numbers, all of whose bytes are there. False: it is none, and nothing was
 * done. What it takes is only what decode_value() would. */
static inline bool
decode_usual(struct in *in, const field_desc *f, unsigned wire,
    ProtobufCMessage *msg)
{
    const uint8_t *p = in->p;
    char *to = (char *)msg + f->offset;
    size_t left = (size_t)(in->end - p), n;
    uint64_t v;

    if (f->label != PROTOBUF_C_LABEL_NONE
        || (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
        return false;
    if (wire == WIRE_VARINT) {
        if (pb_types[f->type].wire != WIRE_VARINT || left < VARINT_MAX)
            return false;
        v = *p++;
        if (v >= 0x80) {
            unsigned shift = 7;

            v &= 0x7f;
            for (; *p >= 0x80 && shift < 56; shift += 7)
                v |= (uint64_t)(*p++ & 0x7f) << shift;
            if (*p >= 0x80)
                return false;    /* of 9 or 10 bytes: negative, mostly */
            v |= (uint64_t)*p++ << shift;
        }
        in->p = p;
        store_number(f->type, to, v);
        return true;
    }
    if (f->type != PROTOBUF_C_TYPE_STRING || wire != WIRE_LEN || left < 1)
        return false;
    n = *p++;
    if (n >= 0x80 || n > left - 1 || !pb_text_valid(span_of(p, n)))
        return false;
    in->p = p;
    *(char **)(void *)to = (char *)pool_copy(in, span_of(p, n));
    in->p += n;
    return true;
}

static bool
decode_fields(struct in *in, const message_desc *m, ProtobufCMessage *msg,
    unsigned depth)
{
    const field_desc *f, *next = m->fields, *end = next + m->n_fields;
    uint64_t tag, seen = 0;

    while (in->p < in->end) {
        if (!in_varint(in, &tag) || tag >> 3 == 0 ||
            tag >> 3 > FIELD_NUMBER_MAX)
            return refuse(in, m, NULL, "not a field's tag");
        /* Writers go by number: the field is the one after the last. */
        while (next < end && next->id < tag >> 3)
            next++;
        f = next < end && next->id == tag >> 3
            ? next
            : field_by_number(m, (uint32_t)(tag >> 3));
        if (f == NULL) {
            if (!decode_unknown(in, m, msg, (uint32_t)(tag >> 3), tag & 7))
                return false;
            continue;
        }
        if (decode_usual(in, f, tag & 7, msg))
            continue;
        if (f - m->fields < 64)
            seen |= UINT64_C(1) << (f - m->fields);
        if (!decode_known(in, m, f, msg, tag & 7, depth))
            return false;
    }
    return check_required(in, m, seen);
}

/* ---- without a struct --------------------------------------------------- */

static bool
check_value(struct in *in, const message_desc *m, const field_desc *f,
    unsigned wire, unsigned depth);

/* What decode_fields() would say, but for the arena's limit. `found`, if not
 * NULL, is where the value of `want` begins that counts: the last one. */
static bool
check_fields(struct in *in, const message_desc *m, unsigned depth,
    const field_desc *want, const uint8_t **found)
{
    const field_desc *f, *next = m->fields, *end = next + m->n_fields;
    uint64_t tag, v, seen = 0;
    struct span s;

    while (in->p < in->end) {
        if (!in_varint(in, &tag) || tag >> 3 == 0 ||
            tag >> 3 > FIELD_NUMBER_MAX)
            return refuse(in, m, NULL, "not a field's tag");
        while (next < end && next->id < tag >> 3)
            next++;
        f = next < end && next->id == tag >> 3
            ? next
            : field_by_number(m, (uint32_t)(tag >> 3));
        if (f == NULL) {
            if ((tag & 7) == WIRE_LEN ? !in_bytes(in, &s)
                : !in_number(in, tag & 7, &v))
                return refuse(in, m, NULL,
                    "an unknown field is cut off or a group");
            continue;
        }
        if (f - m->fields < 64)
            seen |= UINT64_C(1) << (f - m->fields);
        if (f == want)
            *found = in->p;
        if (!check_value(in, m, f, tag & 7, depth))
            return false;
    }
    return check_required(in, m, seen);
}

static bool
check_packed(struct in *in, const message_desc *m, const field_desc *f)
{
    unsigned wire = pb_types[f->type].wire;
    struct in sub = *in;
    struct span s;
    size_t count;
    uint64_t v;

    if (!in_bytes(in, &s) || !packed_count(wire, s, &count))
        return refuse(in, m, f, "the packed list is cut off");
    sub.p = s.ptr;
    sub.end = s.ptr + s.len;
    while (sub.p < sub.end)
        if (!in_number(&sub, wire, &v))
            return refuse(in, m, f, "a packed number is too long");
    return true;
}

static bool
check_nested(struct in *in, const message_desc *m, const field_desc *f,
    unsigned depth)
{
    const uint8_t *end = in->end;
    struct span s;

    if (depth == PB_DEPTH_MAX)
        return refuse(in, m, f, "nested too deep");
    if (!in_bytes(in, &s))
        return refuse(in, m, f, "the length is past the end");
    in->p = s.ptr;
    in->end = s.ptr + s.len;
    if (!check_fields(in, f->descriptor, depth + 1, NULL, NULL))
        return false;
    in->end = end;
    return true;
}

static bool
check_value(struct in *in, const message_desc *m, const field_desc *f,
    unsigned wire, unsigned depth)
{
    unsigned own = pb_types[f->type].wire;
    struct span s;
    uint64_t v;

    if (f->label == PROTOBUF_C_LABEL_REPEATED && wire == WIRE_LEN &&
        own != WIRE_LEN)
        return check_packed(in, m, f);
    if (wire != own)
        return refuse(in, m, f, "has another wire type");
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return check_nested(in, m, f, depth);
    if (own != WIRE_LEN)
        return in_number(in, own, &v)
            || refuse(in, m, f, "the number is cut off");
    if (!in_bytes(in, &s))
        return refuse(in, m, f, "the length is past the end");
    return f->type != PROTOBUF_C_TYPE_STRING || pb_text_valid(s)
        || refuse(in, m, f, "holds a NUL or is not UTF-8");
}

int
pb_check(const ProtobufCMessageDescriptor *m, struct span bytes,
    struct err *err)
{
    struct in in = {.p = bytes.ptr, .end = bytes.ptr + bytes.len, .err = err};

    assert(m->magic == PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC);
    return check_fields(&in, m, 0, NULL, NULL) ? 0 : -1;
}

int
pb_field(const ProtobufCMessageDescriptor *m, struct span bytes,
    const ProtobufCFieldDescriptor *f, union pb_single *out, struct err *err)
{
    struct in in = {.p = bytes.ptr, .end = bytes.ptr + bytes.len, .err = err};
    const uint8_t *at = NULL;
    uint64_t v = 0;

    assert(f >= m->fields && f < m->fields + m->n_fields);
    assert(f->label != PROTOBUF_C_LABEL_REPEATED
        && f->type != PROTOBUF_C_TYPE_MESSAGE
        && (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0);
    if (!check_fields(&in, m, 0, f, &at))
        return -1;
    if (at == NULL)
        return 0;
    in.p = at;
    if (pb_types[f->type].wire == WIRE_LEN) {
        in_bytes(&in, &out->bytes);
        return 1;
    }
    in_number(&in, pb_types[f->type].wire, &v);
    memset(out, 0, sizeof *out);
    store_number(f->type, out, v);
    return 1;
}

int
pb_decode(const ProtobufCMessageDescriptor *m, struct span bytes,
    struct arena *a, ProtobufCMessage **out, struct err *err)
{
    struct in in = {.p = bytes.ptr, .end = bytes.ptr + bytes.len, .arena = a,
        .err = err};

    assert(m->magic == PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC);
    *out = message_new(&in, m);
    if (*out == NULL)
        return -1;
    if (bytes.len == 0)
        return 0;
    in.pool = arena_alloc(a, bytes.len);
    if (in.pool == NULL) {
        out_of_arena(&in, m);
        return -1;
    }
    return decode_fields(&in, m, *out, 0) ? 0 : -1;
}
