/*
 * proto_json_read.c: a JSON tree, as the jansson library reads it, into the C
 * struct of a message. jansson refuses bad UTF-8, NULs and duplicate members;
 * what protobuf demands beyond that is here. A member that came is ticked in
 * a bit set, so that "customerId" beside "customer_id" is found.
 */
#include "config.h"

#include "serde/proto_json.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/check.h"
#include "serde/pb.h"

enum { NAME_ROOM = 128, FIELDS_MAX = 256, MICROS = 1000000 };

typedef ProtobufCFieldDescriptor field_desc;
typedef ProtobufCMessageDescriptor message_desc;

struct reader {
    struct arena *arena;
    unsigned flags;
    struct err *err;
};

/* 2^63, the first double past int64. */
static const double two63 = 9223372036854775808.0;

static bool
refuse(struct reader *r, const field_desc *f, const char *why)
{
    err_set(r->err, ERR_FORMAT, "%s: %s", f->name, why);
    return false;
}

static bool
out_of_arena(struct reader *r)
{
    err_set(r->err, ERR_LIMIT, "takes more than %zu bytes of memory",
        r->arena->limit);
    return false;
}

/* ---- Numbers ------------------------------------------------------------ */

/* A decimal number and nothing else: strtod() alone also takes hexadecimal
 * digits, "inf", and blanks before it. */
static bool
parse_double(const char *s, double *v)
{
    char *end;

    if (*s == '\0' || s[strspn(s, "0123456789+-.eE")] != '\0' || *s == '+' ||
        *s == '.')
        return false;
    *v = strtod(s, &end);
    return *end == '\0' && end != s && isfinite(*v);
}

static bool
read_double(struct reader *r, const field_desc *f, const json_t *j, double *v)
{
    const char *s = json_string_value(j);

    if (json_is_number(j))
        *v = json_number_value(j);
    else if (s != NULL && strcmp(s, "NaN") == 0)
        *v = (double)NAN;
    else if (s != NULL && strcmp(s, "Infinity") == 0)
        *v = (double)INFINITY;
    else if (s != NULL && strcmp(s, "-Infinity") == 0)
        *v = -(double)INFINITY;
    else if (s == NULL || !parse_double(s, v))
        return refuse(r, f, "is not a number");
    return true;
}

/* 1.0 and 1e3 are integers for protobuf, 1.5 is none. */
static bool
whole_double(double d, int64_t *v)
{
    if (!(d >= -two63 && d < two63) || d != trunc(d))
        return false;
    *v = (int64_t)d;
    return true;
}

static bool
read_i64(struct reader *r, const field_desc *f, const json_t *j, int64_t *v)
{
    const char *s = json_string_value(j);
    double d;
    char *end;

    if (json_is_integer(j)) {
        *v = json_integer_value(j);
        return true;
    }
    if (json_is_real(j))
        return whole_double(json_real_value(j), v) ||
            refuse(r, f, "is not an integer in range");
    if (s == NULL || !parse_double(s, &d))
        return refuse(r, f, "is not an integer");
    if (s[strspn(s, "-0123456789")] != '\0')
        return whole_double(d, v) ||
            refuse(r, f, "is not an integer in range");
    errno = 0;
    *v = strtoll(s, &end, 10);
    return (*end == '\0' && errno == 0) ||
        refuse(r, f, "is not an integer in range");
}

static bool
read_u64(struct reader *r, const field_desc *f, const json_t *j, uint64_t *v)
{
    const char *s = json_string_value(j);
    int64_t i;
    char *end;

    if (s != NULL && *s != '\0' && s[strspn(s, "0123456789")] == '\0') {
        errno = 0;
        *v = strtoull(s, &end, 10);
        return errno == 0 || refuse(r, f, "is not an integer in range");
    }
    if (json_is_real(j) && json_real_value(j) >= two63 &&
        json_real_value(j) < two63 * 2 &&
        json_real_value(j) == trunc(json_real_value(j))) {
        *v = (uint64_t)json_real_value(j);
        return true;
    }
    if (!read_i64(r, f, j, &i))
        return false;
    *v = (uint64_t)i;
    return i >= 0 || refuse(r, f, "is negative");
}

static bool
read_i32(struct reader *r, const field_desc *f, const json_t *j, void *to)
{
    int64_t v;
    int32_t narrow;

    if (!read_i64(r, f, j, &v))
        return false;
    narrow = (int32_t)v;
    memcpy(to, &narrow, sizeof narrow);
    return narrow == v || refuse(r, f, "is not in the range of 32 bits");
}

static bool
read_u32(struct reader *r, const field_desc *f, const json_t *j, void *to)
{
    uint64_t v;
    uint32_t narrow;

    if (!read_u64(r, f, j, &v))
        return false;
    narrow = (uint32_t)v;
    memcpy(to, &narrow, sizeof narrow);
    return narrow == v || refuse(r, f, "is not in the range of 32 bits");
}

/* "12.34" to 12340000, exactly: at most six digits behind the point. */
static bool
parse_money(const char *s, int64_t *v)
{
    bool negative = *s == '-';
    int64_t sum = 0;
    int behind = -1;             /* digits behind the point; -1: before it */

    s += negative;
    if (*s < '0' || *s > '9')
        return false;
    for (; *s != '\0'; s++) {
        if (*s == '.' && behind < 0) {
            behind = 0;
            continue;
        }
        if (*s < '0' || *s > '9' || behind == 6)
            return false;
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_sub_overflow(sum, *s - '0', &sum))
            return false;        /* downwards: INT64_MIN has no positive */
        behind += behind >= 0;
    }
    for (int i = behind < 0 ? 0 : behind; i < 6; i++)
        if (__builtin_mul_overflow(sum, 10, &sum))
            return false;
    if (negative) {
        *v = sum;
        return true;
    }
    return !__builtin_sub_overflow(INT64_C(0), sum, v);
}

/* The one place where money becomes an integer. */
static bool
read_money(struct reader *r, const field_desc *f, const json_t *j, void *to)
{
    int64_t v;
    bool fits;

    if (json_is_string(j))
        fits = parse_money(json_string_value(j), &v);
    else if (json_is_integer(j))
        fits = !__builtin_mul_overflow((int64_t)json_integer_value(j),
            (int64_t)MICROS, &v);
    else
        fits = json_is_real(j) &&
            whole_double(round(json_real_value(j) * MICROS), &v);
    if (!fits)
        return refuse(r, f, "is not an amount of money in range");
    memcpy(to, &v, sizeof v);
    return true;
}

static bool
read_float(struct reader *r, const field_desc *f, const json_t *j, void *to)
{
    double v;
    float narrow;

    if (!read_double(r, f, j, &v))
        return false;
    if (isfinite(v) && fabs(v) > (double)FLT_MAX)
        return refuse(r, f, "is not in the range of a float");
    narrow = (float)v;
    memcpy(to, &narrow, sizeof narrow);
    return true;
}

/* ---- Text, bytes, enums ------------------------------------------------- */

static bool
read_string(struct reader *r, const field_desc *f, const json_t *j, char **to)
{
    if (!json_is_string(j))
        return refuse(r, f, "is not a string");
    *to = arena_strndup(r->arena, json_string_value(j), json_string_length(j));
    return *to != NULL || out_of_arena(r);
}

static int
base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* RFC 4648, both alphabets, with or without padding. */
static bool
read_bytes(struct reader *r, const field_desc *f, const json_t *j,
    ProtobufCBinaryData *to)
{
    const char *s = json_string_value(j);
    size_t n = json_string_length(j), len = 0;
    uint32_t bits = 0, count = 0;
    uint8_t *data;

    if (s == NULL)
        return refuse(r, f, "is not a string of base64");
    if (n % 4 == 0)
        for (int pads = 0; pads < 2 && n > 0 && s[n - 1] == '='; pads++)
            n--;
    data = arena_alloc(r->arena, n / 4 * 3 + 3);
    if (data == NULL)
        return out_of_arena(r);
    for (size_t i = 0; i < n; i++) {
        int digit = base64_digit(s[i]);

        if (digit < 0)
            return refuse(r, f, "is not base64");
        bits = bits << 6 | (uint32_t)digit;
        if ((count += 6) >= 8)
            data[len++] = (uint8_t)(bits >> (count -= 8));
    }
    if (n % 4 == 1)
        return refuse(r, f, "is not base64");
    *to = (ProtobufCBinaryData){len, data};
    return true;
}

/* *known is false for a name to be ignored. */
static bool
read_enum(struct reader *r, const field_desc *f, const json_t *j, void *to,
    bool *known)
{
    const ProtobufCEnumValue *e;

    if (!json_is_string(j))
        return read_i32(r, f, j, to);
    e = protobuf_c_enum_descriptor_get_value_by_name(f->descriptor,
        json_string_value(j));
    *known = e != NULL;
    if (e != NULL)
        memcpy(to, &e->value, sizeof e->value);
    else if ((r->flags & PROTO_JSON_IGNORE_UNKNOWN) == 0)
        return refuse(r, f, "is no name of the enum");
    return true;
}

static bool
read_bool(struct reader *r, const field_desc *f, const json_t *j, void *to)
{
    protobuf_c_boolean v = json_is_true(j);

    if (!json_is_boolean(j))
        return refuse(r, f, "is neither true nor false");
    memcpy(to, &v, sizeof v);
    return true;
}

/* ---- Fields ------------------------------------------------------------- */

static bool read_message(struct reader *, const message_desc *, json_t *,
    ProtobufCMessage **, unsigned depth);

static bool
read_value(struct reader *r, const field_desc *f, json_t *j, void *to,
    unsigned depth, bool *known)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return read_i32(r, f, j, to);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return read_u32(r, f, j, to);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return read_i64(r, f, j, to);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return read_u64(r, f, j, to);
    case PROTOBUF_C_TYPE_FLOAT:
        return read_float(r, f, j, to);
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_double(r, f, j, to);
    case PROTOBUF_C_TYPE_BOOL:
        return read_bool(r, f, j, to);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(r, f, j, to, known);
    case PROTOBUF_C_TYPE_STRING:
        return read_string(r, f, j, to);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(r, f, j, to);
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_message(r, f->descriptor, j, to, depth + 1);
    }
    unreachable("a type that protobuf-c does not have");
    return false;
}

static bool
read_repeated(struct reader *r, const field_desc *f, json_t *j, char *msg,
    unsigned depth)
{
    size_t *n = (size_t *)(void *)(msg + f->quantifier_offset);
    void **array = (void **)(void *)(msg + f->offset);
    size_t size = pb_type_size(f->type);

    if (!json_is_array(j))
        return refuse(r, f, "is not an array");
    if (!pb_array_room(array, 0, json_array_size(j), size, r->arena))
        return out_of_arena(r);
    for (size_t i = 0; i < json_array_size(j); i++) {
        bool known = true;

        if (!read_value(r, f, json_array_get(j, i),
                (char *)*array + *n * size, depth, &known))
            return false;
        *n += known;
    }
    return true;
}

static bool
read_single(struct reader *r, const field_desc *f, json_t *j, char *msg,
    unsigned depth)
{
    char *quantifier = msg + f->quantifier_offset;
    bool known = true, oneof = f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
    uint32_t which;

    if (oneof) {
        memcpy(&which, quantifier, sizeof which);
        if (which != 0)
            return refuse(r, f, "a second member of its oneof");
    }
    if (!read_value(r, f, j, msg + f->offset, depth, &known))
        return false;
    if (oneof)
        which = known ? f->id : 0;
    else if (f->label == PROTOBUF_C_LABEL_OPTIONAL &&
        f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
        which = known;
    else
        return true;
    memcpy(quantifier, &which, sizeof which);
    return true;
}

/* The field that the JSON calls so, from `i` on and around; *money when it
 * is the name without the suffix. */
static const field_desc *
field_by_json_name(const message_desc *m, const char *name, unsigned i,
    bool *money)
{
    char room[NAME_ROOM];

    for (unsigned n = 0; n < m->n_fields; n++, i++) {
        const field_desc *f = &m->fields[i % m->n_fields];

        *money = false;
        if (strcmp(f->name, name) == 0 ||
            strcmp(proto_json_name(f, true, false, room, sizeof room), name) ==
                0)
            return f;
        *money = proto_json_is_money(f);
        if (*money &&
            (strcmp(proto_json_name(f, true, true, room, sizeof room), name) ==
                    0 ||
                strcmp(proto_json_name(f, false, true, room, sizeof room),
                    name) == 0))
            return f;
    }
    return NULL;
}

static bool
read_member(struct reader *r, const field_desc *f, bool money, json_t *j,
    ProtobufCMessage *msg, unsigned depth)
{
    char *base = (char *)msg;

    if (json_is_null(j))
        return true;
    if (money)
        return read_money(r, f, j, base + f->offset);
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return read_repeated(r, f, j, base, depth);
    return read_single(r, f, j, base, depth);
}

static bool
check_required(struct reader *r, const message_desc *m, const uint8_t *seen)
{
    for (unsigned i = 0; i < m->n_fields; i++)
        if (m->fields[i].label == PROTOBUF_C_LABEL_REQUIRED && !seen[i])
            return refuse(r, &m->fields[i], "is required");
    return true;
}

static bool
read_fields(struct reader *r, const message_desc *m, json_t *j,
    ProtobufCMessage *msg, unsigned depth)
{
    uint8_t seen[FIELDS_MAX] = {0};
    unsigned next = 0;
    const char *name;
    json_t *value;

    json_object_foreach (j, name, value) {
        bool money;
        const field_desc *f = field_by_json_name(m, name, next, &money);

        if (f == NULL && (r->flags & PROTO_JSON_IGNORE_UNKNOWN))
            continue;
        if (f == NULL) {
            err_set(r->err, ERR_FORMAT, "%s has no field %.64s",
                m->short_name, name);
            return false;
        }
        next = (unsigned)(f - m->fields);
        if (seen[next]++ != 0)
            return refuse(r, f, "comes twice, under two names");
        if (!read_member(r, f, money, value, msg, depth))
            return false;
        next++;
    }
    return check_required(r, m, seen);
}

static bool
read_message(struct reader *r, const message_desc *m, json_t *j,
    ProtobufCMessage **out, unsigned depth)
{
    assert(m->n_fields <= FIELDS_MAX);
    if (!json_is_object(j)) {
        err_set(r->err, ERR_FORMAT, "%s: is not an object", m->short_name);
        return false;
    }
    if (depth >= PB_DEPTH_MAX) {
        err_set(r->err, ERR_FORMAT, "%s: nested too deep", m->short_name);
        return false;
    }
    *out = arena_alloc(r->arena, m->sizeof_message);
    if (*out == NULL)
        return out_of_arena(r);
    m->message_init(*out);
    return read_fields(r, m, j, *out, depth);
}

int
proto_json_read(const ProtobufCMessageDescriptor *m, struct span text,
    unsigned flags, struct arena *a, ProtobufCMessage **out, struct err *err)
{
    struct reader r = {a, flags, err};
    json_error_t why;
    json_t *j;
    bool done;

    j = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES,
        &why);
    if (j == NULL)
        return err_set(err, ERR_FORMAT, "not JSON: %.120s at byte %d",
            why.text, why.position);
    done = read_message(&r, m, j, out, 0);
    json_decref(j);
    return done ? 0 : -1;
}
