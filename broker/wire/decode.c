/*
 * decode.c: bytes to structs, driven by the tables.
 *
 * Everything here reads what a stranger sent:
 *
 *  1. pos <= end, always, and no byte at or past `end` is read. Lengths are
 *     compared with `end - pos`, never added to pos first.
 *  2. A count is compared with the bytes left before memory is asked for:
 *     every element has one byte at the least, those of fixed size as many
 *     as their size. What then is asked for is bounded by the arena's limit,
 *     so that ten bytes cannot become a gigabyte.
 *  3. Every field of a struct is written exactly once before tagged fields
 *     come, in the order of the table; the memory need not be zeroed.
 *  4. Tags rise strictly (KIP-482), so none is decoded twice, and a tagged
 *     field uses up exactly the bytes that its size announced.
 *  5. The depth of recursion is that of the tables, not of the input.
 *
 * Only strings, bytes and records point into the frame; all else is copied.
 */
#include "config.h"

#include "wire/wire_priv.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/endian.h"
#include "base/varint.h"

struct rd {
    const uint8_t *pos, *end;
    const struct wire_msg *msg;
    int version;
    bool flexible;
    struct arena *arena;
    struct err *err;
};

/* Where we are, for the message of an error: one link per nested struct. */
struct place {
    const struct place *up;
    const struct wire_field *field;
    int32_t index; /* in an array, else -1 */
};

/* -- errors -------------------------------------------------------------- */

static void
put_place(struct buf *b, const struct place *p)
{
    if (p == NULL || p->field == NULL)
        return;
    if (p->up != NULL) {
        put_place(b, p->up);
        buf_put_u8(b, '.');
    }
    buf_put_str(b, p->field->name);
    if (p->index >= 0)
        buf_printf(b, "[%d]", (int)p->index);
}

/* Always false, so that `return fail(...)` is one line. */
static bool __attribute__((format(printf, 4, 5)))
fail(struct rd *r, const struct place *p, int code, const char *fmt, ...)
{
    struct buf where, what;
    va_list ap;

    buf_init(&where, sizeof r->err->text);
    buf_init(&what, sizeof r->err->text);
    put_place(&where, p);
    va_start(ap, fmt);
    buf_vprintf(&what, fmt, ap);
    va_end(ap);
    err_set(r->err, code, "%s v%d%s%.*s: %.*s", r->msg->name, r->version,
        where.len > 0 ? " " : "", (int)where.len, (const char *)where.ptr,
        (int)what.len, (const char *)what.ptr);
    buf_release(&where);
    buf_release(&what);
    return false;
}

static inline size_t
left(const struct rd *r)
{
    return (size_t)(r->end - r->pos);
}

static bool
too_short(struct rd *r, const struct place *p, size_t need)
{
    return fail(
        r, p, ERR_FORMAT, "needs %zu bytes, %zu are left", need, left(r));
}

/* -- single values ------------------------------------------------------- */

static inline bool
read_uvarint(struct rd *r, const struct place *p, uint32_t *v)
{
    size_t n;

    if (r->pos < r->end && *r->pos < 0x80) {
        *v = *r->pos++;
        return true;
    }
    n = varint_get_u32(r->pos, r->end, v);
    if (n == 0)
        return fail(r, p, ERR_FORMAT, "a varint is cut off or too long");
    r->pos += n;
    return true;
}

/*
 * Values of fixed size. The kind is tested before the bytes are counted, and
 * everything is inline: most fields of most messages end here. False, without
 * an error, for kinds that are not of fixed size or when bytes are missing;
 * the caller's slow path tells which.
 */
static inline bool
read_fixed(struct rd *r, uint8_t kind, void *to)
{
    const uint8_t *from = r->pos;
    size_t n = left(r);

    switch ((enum wire_kind)kind) {
    case WIRE_BOOL:
        if (n < 1)
            return false;
        *(bool *)to = *from != 0;
        r->pos += 1;
        return true;
    case WIRE_INT8:
        if (n < 1)
            return false;
        *(uint8_t *)to = *from;
        r->pos += 1;
        return true;
    case WIRE_INT16:
    case WIRE_UINT16:
        if (n < 2)
            return false;
        *(uint16_t *)to = get_be16(from);
        r->pos += 2;
        return true;
    case WIRE_INT32:
    case WIRE_UINT32:
        if (n < 4)
            return false;
        *(uint32_t *)to = get_be32(from);
        r->pos += 4;
        return true;
    case WIRE_INT64:
    case WIRE_FLOAT64:
        if (n < 8)
            return false;
        *(uint64_t *)to = get_be64(from);
        r->pos += 8;
        return true;
    case WIRE_UUID:
        if (n < sizeof(struct uuid))
            return false;
        memcpy(to, from, sizeof(struct uuid));
        r->pos += sizeof(struct uuid);
        return true;
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
    case WIRE_STRUCT:
    case WIRE_OPTION:
    case WIRE_ARRAY:
    case WIRE_LIST:
        return false;
    }
    return false;
}

/*
 * A length or a count: compact ones are a varint of the number plus one, the
 * others an integer of `width` bytes. *n is -1 for null, which is checked.
 */
static bool
read_count(struct rd *r, const struct place *p, size_t width, bool nullable,
    int64_t *n)
{
    uint32_t v;

    if (r->flexible) {
        if (!read_uvarint(r, p, &v))
            return false;
        *n = (int64_t)v - 1;
    } else {
        if (left(r) < width)
            return too_short(r, p, width);
        *n = width == 2 ? (int16_t)get_be16(r->pos) : (int32_t)get_be32(r->pos);
        r->pos += width;
    }
    if (*n >= 0)
        return true;
    if (*n != -1)
        return fail(r, p, ERR_FORMAT, "count %lld", (long long)*n);
    if (!nullable)
        return fail(r, p, ERR_FORMAT, "is null");
    return true;
}

static bool
read_span(struct rd *r, const struct place *p, uint8_t kind, bool nullable,
    struct span *to)
{
    bool string = kind == WIRE_STRING;
    int64_t n;

    if (!read_count(r, p, string ? 2 : 4, nullable, &n))
        return false;
    if (n < 0) {
        *to = SPAN_NULL;
        return true;
    }
    if (string && n > WIRE_STRING_MAX)
        return fail(r, p, ERR_LIMIT, "a string of %lld bytes", (long long)n);
    if ((uint64_t)n > left(r))
        return fail(r, p, ERR_FORMAT, "length %lld exceeds the %zu bytes left",
            (long long)n, left(r));
    *to = span_of(r->pos, (size_t)n);
    r->pos += n;
    return true;
}

/* -- structs and arrays -------------------------------------------------- */

static bool read_struct(
    struct rd *, const struct wire_type *, void *to, const struct place *up);

static bool
read_list(struct rd *r, struct place *p, const struct wire_field *f,
    struct wire_array *a)
{
    size_t size = wire_elem_size(f->elem);
    bool fixed = wire_fixed_size(f->elem) != 0;
    uint8_t *to = a->v;

    for (p->index = 0; p->index < a->n; p->index++, to += size) {
        if (fixed ? !read_fixed(r, f->elem, to)
                  : !read_span(r, p, f->elem, false, (void *)to))
            return false;
    }
    return true;
}

static bool
read_array(struct rd *r, struct place *p, const struct wire_field *f,
    bool nullable, struct wire_array *a)
{
    bool structs = f->kind == WIRE_ARRAY;
    size_t size = structs ? f->type->size : wire_elem_size(f->elem);
    size_t least = structs ? 0 : wire_fixed_size(f->elem);
    int64_t n;
    bool ok = true;

    if (!read_count(r, p, 4, nullable, &n))
        return false;
    if (n == 0 && f->empty_null && !nullable)
        n = -1;
    *a = (struct wire_array){NULL, (int32_t)n};
    if (n <= 0)
        return true;
    if ((uint64_t)n > left(r) / (least > 0 ? least : 1) || n > INT32_MAX)
        return fail(r, p, ERR_FORMAT, "count %lld exceeds the %zu bytes left",
            (long long)n, left(r));
    a->v = arena_alloc(r->arena, (size_t)n * size);
    if (a->v == NULL)
        return fail(r, p, ERR_LIMIT,
            "count %lld needs %zu bytes of memory, "
            "%zu are left of this request's %zu",
            (long long)n, (size_t)n * size, r->arena->limit - r->arena->used,
            r->arena->limit);
    if (!structs) {
        ok = read_list(r, p, f, a);
    } else {
        uint8_t *to = a->v;

        for (p->index = 0; ok && p->index < n; p->index++, to += size)
            ok = read_struct(r, f->type, to, p);
    }
    p->index = -1;
    return ok;
}

/* A struct that may be null has a byte before it, negative for null. */
static bool
read_option(struct rd *r, struct place *p, const struct wire_field *f,
    bool nullable, void **to)
{
    *to = NULL;
    if (nullable) {
        if (left(r) < 1)
            return too_short(r, p, 1);
        if ((int8_t)*r->pos++ < 0)
            return true;
    }
    *to = arena_alloc(r->arena, f->type->size);
    if (*to == NULL)
        return fail(r, p, ERR_LIMIT, "the memory of this request is used up");
    return read_struct(r, f->type, *to, p);
}

static bool
read_field(struct rd *r, struct place *p, const struct wire_field *f, void *to)
{
    bool nullable = f->nullable && r->version >= f->null_first;

    if (read_fixed(r, f->kind, to))
        return true;
    switch ((enum wire_kind)f->kind) {
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
        return read_span(r, p, f->kind, nullable, to);
    case WIRE_STRUCT:
        return read_struct(r, f->type, to, p);
    case WIRE_OPTION:
        return read_option(r, p, f, nullable, to);
    case WIRE_ARRAY:
    case WIRE_LIST:
        return read_array(r, p, f, nullable, to);
    case WIRE_BOOL:
    case WIRE_INT8:
    case WIRE_INT16:
    case WIRE_UINT16:
    case WIRE_INT32:
    case WIRE_UINT32:
    case WIRE_INT64:
    case WIRE_FLOAT64:
    case WIRE_UUID:
        break;
    }
    return too_short(r, p, wire_fixed_size(f->kind));
}

static const struct wire_field *
tagged_field(const struct wire_type *type, int version, uint32_t tag)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct wire_field *f = &type->fields[i];

        if (f->tagged && f->tag == tag && wire_field_in(f, version))
            return f;
    }
    return NULL;
}

static bool
read_tagged(struct rd *r, struct place *p, const struct wire_field *f,
    uint32_t size, void *to)
{
    const uint8_t *end = r->end;
    bool ok;

    p->field = f;
    r->end = r->pos + size;
    ok = read_field(r, p, f, to);
    if (ok && r->pos != r->end)
        ok =
            fail(r, p, ERR_FORMAT, "%zu of the %u bytes of tag %u are too many",
                left(r), (unsigned)size, (unsigned)f->tag);
    r->end = end;
    return ok;
}

static bool
read_tags(struct rd *r, struct place *p, const struct wire_type *type, void *to)
{
    uint32_t count, tag, size, unknown = 0;
    int64_t before = -1;

    p->field = NULL;
    if (!read_uvarint(r, p->up, &count))
        return false;
    for (; count > 0; count--) {
        const struct wire_field *f;

        if (!read_uvarint(r, p->up, &tag) || !read_uvarint(r, p->up, &size))
            return false;
        if ((int64_t)tag <= before)
            return fail(r, p->up, ERR_FORMAT, "tag %u comes after tag %lld",
                (unsigned)tag, (long long)before);
        if (size > left(r))
            return fail(r, p->up, ERR_FORMAT,
                "tag %u has %u bytes, %zu are left", (unsigned)tag,
                (unsigned)size, left(r));
        before = tag;
        f = tagged_field(type, r->version, tag);
        if (f != NULL) {
            if (!read_tagged(r, p, f, size, wire_at(to, f)))
                return false;
        } else {
            if (++unknown > WIRE_UNKNOWN_TAGS_MAX)
                return fail(r, p->up, ERR_LIMIT, "over %d unknown tags",
                    WIRE_UNKNOWN_TAGS_MAX);
            r->pos += size;
        }
    }
    return true;
}

/* wire_field_init() with its usual cases inline. */
static inline void
set_default(const struct wire_field *f, void *to)
{
    if (f->kind == WIRE_INT32)
        *(int32_t *)to = (int32_t)f->dflt;
    else if (f->kind == WIRE_INT64)
        *(int64_t *)to = f->dflt;
    else
        wire_field_init(f, to);
}

static bool
read_struct(struct rd *r, const struct wire_type *type, void *to,
    const struct place *up)
{
    struct place here = {up, NULL, -1};
    const struct wire_field *f = type->fields, *last = f + type->count;

    for (; f < last; f++) {
        if (f->tagged || !wire_field_in(f, r->version)) {
            set_default(f, wire_at(to, f));
            continue;
        }
        here.field = f;
        if (!read_field(r, &here, f, wire_at(to, f)))
            return false;
    }
    return !r->flexible || read_tags(r, &here, type, to);
}

/* -- messages ------------------------------------------------------------ */

static int
decode(const struct wire_msg *msg, int version, struct span body,
    struct arena *arena, void **out, struct err *err)
{
    struct err dummy;
    const uint8_t *pos = body.len > 0 ? body.ptr : (const uint8_t *)"";
    struct rd r = {pos, pos + body.len, msg, version, version >= msg->flexible,
        arena, err != NULL ? err : &dummy};

    *out = NULL;
    if (version < msg->min || version > msg->max) {
        fail(&r, NULL, ERR_FORMAT, "the versions are %d to %d", msg->min,
            msg->max);
        return -1;
    }
    *out = arena_alloc(arena, msg->type->size);
    if (*out == NULL) {
        fail(&r, NULL, ERR_LIMIT, "no memory for the message itself");
        return -1;
    }
    if (!read_struct(&r, msg->type, *out, NULL)) {
        *out = NULL;
        return -1;
    }
    return 0;
}

int
wire_decode(const struct wire_msg *msg, int version, struct span body,
    struct arena *arena, void **out, struct err *err)
{
    return decode(msg, version, body, arena, out, err);
}

int
wire_decode_blob(const struct wire_msg *msg, struct span blob,
    struct arena *arena, int *version, void **out, struct err *err)
{
    *out = NULL;
    *version = -1;
    if (blob.len < 2)
        return err_set(err, ERR_FORMAT, "%s: %zu bytes have no version",
            msg->name, blob.len);
    *version = (int16_t)get_be16(blob.ptr);
    return decode(msg, *version > msg->max ? msg->max : *version,
        span_of(blob.ptr + 2, blob.len - 2), arena, out, err);
}

/* -- headers ------------------------------------------------------------- */

static const struct wire_type no_fields = {"header", 0, 0, NULL};

/* The tagged fields of a header: none is known, all are skipped. */
static int
skip_tags(const char *what, int version, struct span frame, size_t *used,
    struct err *err)
{
    struct err dummy;
    const struct wire_msg msg = {what, &no_fields, 0, INT16_MAX, 0};
    struct rd r = {frame.ptr + *used, frame.ptr + frame.len, &msg, version,
        true, NULL, err != NULL ? err : &dummy};
    struct place here = {NULL, NULL, -1};

    if (!read_tags(&r, &here, &no_fields, NULL))
        return -1;
    *used = (size_t)(r.pos - frame.ptr);
    return 0;
}

int
wire_decode_header(
    struct span frame, struct request_header *h, size_t *used, struct err *err)
{
    enum { FIXED = 10 }; /* key, version, correlation, length */
    const struct wire_api *api;
    int len;

    *used = 0;
    *h = (struct request_header){0};
    if (frame.len < FIXED)
        return err_set(err, ERR_FORMAT, "request header: %zu bytes are too few",
            frame.len);
    h->api_key = (int16_t)get_be16(frame.ptr);
    h->api_version = (int16_t)get_be16(frame.ptr + 2);
    h->correlation_id = (int32_t)get_be32(frame.ptr + 4);
    len = (int16_t)get_be16(frame.ptr + 8);
    *used = FIXED;
    if (len < -1 || (len > 0 && (size_t)len > frame.len - FIXED))
        return err_set(err, ERR_FORMAT,
            "request header: a client id of %d bytes, %zu are left", len,
            frame.len - FIXED);
    if (len >= 0) {
        h->client_id = span_of(frame.ptr + FIXED, (size_t)len);
        *used += (size_t)len;
    }
    api = wire_api(h->api_key);
    if (api == NULL || h->api_version < api->flexible)
        return 0;
    return skip_tags("request header", 2, frame, used, err);
}

int
wire_decode_response_header(const struct wire_api *api, int version,
    struct span frame, int32_t *correlation_id, size_t *used, struct err *err)
{
    *used = 0;
    if (frame.len < 4)
        return err_set(err, ERR_FORMAT,
            "response header: %zu bytes are too few", frame.len);
    *correlation_id = (int32_t)get_be32(frame.ptr);
    *used = 4;
    if (version < api->flexible || api->key == API_API_VERSIONS)
        return 0;
    return skip_tags("response header", 1, frame, used, err);
}
