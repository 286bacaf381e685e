/*
 * encode.c: structs to bytes, driven by the tables. Failure sticks in the
 * buf; nothing here looks at it but where a position would be wrong.
 *
 * Null in a field that has no null in this version goes out as empty: the
 * handlers fill one struct for all versions and need not know which of them
 * have learned to be null.
 */
#include "config.h"

#include "wire/wire_priv.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/varint.h"

struct wr {
    struct buf *buf;
    struct wire_out *out; /* NULL: every record is copied */
    int version;
    bool flexible;
};

/* -- single values ------------------------------------------------------- */

/* buf_reserve() with its usual case inline. */
static inline uint8_t *
room(struct buf *b, size_t n)
{
    if (n <= b->cap - b->len && !b->failed && b->ptr != NULL)
        return b->ptr + b->len;
    return buf_reserve(b, n);
}

static inline void
write_uvarint(struct buf *b, uint64_t v)
{
    uint8_t *p = room(b, VARINT_MAX);

    if (p == NULL)
        return;
    if (v < 0x80) {
        *p = (uint8_t)v;
        b->len++;
    } else {
        b->len += varint_put_u64(p, v);
    }
}

static inline void
write8(struct buf *b, uint8_t v)
{
    uint8_t *p = room(b, 1);

    if (p == NULL)
        return;
    *p = v;
    b->len += 1;
}

static inline void
write16(struct buf *b, uint16_t v)
{
    uint8_t *p = room(b, 2);

    if (p == NULL)
        return;
    put_be16(p, v);
    b->len += 2;
}

static inline void
write32(struct buf *b, uint32_t v)
{
    uint8_t *p = room(b, 4);

    if (p == NULL)
        return;
    put_be32(p, v);
    b->len += 4;
}

static inline void
write64(struct buf *b, uint64_t v)
{
    uint8_t *p = room(b, 8);

    if (p == NULL)
        return;
    put_be64(p, v);
    b->len += 8;
}

/* Values of fixed size; false for other kinds. */
static inline bool
write_fixed(struct buf *b, uint8_t kind, const void *from)
{
    switch ((enum wire_kind)kind) {
    case WIRE_BOOL:
        write8(b, *(const bool *)from);
        return true;
    case WIRE_INT8:
        write8(b, *(const uint8_t *)from);
        return true;
    case WIRE_INT16:
    case WIRE_UINT16:
        write16(b, *(const uint16_t *)from);
        return true;
    case WIRE_INT32:
    case WIRE_UINT32:
        write32(b, *(const uint32_t *)from);
        return true;
    case WIRE_INT64:
    case WIRE_FLOAT64:
        write64(b, *(const uint64_t *)from);
        return true;
    case WIRE_UUID:
        buf_put(b, from, sizeof(struct uuid));
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

/* n is -1 for null. */
static void
write_count(struct wr *w, size_t width, int64_t n)
{
    if (n > (width == 2 ? INT16_MAX : INT32_MAX))
        w->buf->failed = true;
    else if (w->flexible)
        write_uvarint(w->buf, (uint64_t)(n + 1));
    else if (width == 2)
        write16(w->buf, (uint16_t)n);
    else
        write32(w->buf, (uint32_t)n);
}

static void
put_ref(struct wire_out *out, struct span bytes)
{
    struct wire_ref ref = {out->buf.len, bytes};

    if (out->buf.failed)
        return;
    buf_put(&out->refs, &ref, sizeof ref);
    if (out->refs.failed)
        out->buf.failed = true;
    else
        out->ref_bytes += bytes.len;
}

static void
write_span(struct wr *w, uint8_t kind, bool nullable, const struct span *s)
{
    size_t width = kind == WIRE_STRING ? 2 : 4;
    uint8_t *p;

    if (s->ptr == NULL) {
        write_count(w, width, nullable ? -1 : 0);
        return;
    }
    if (s->len > INT32_MAX) {
        w->buf->failed = true;
        return;
    }
    write_count(w, width, (int64_t)s->len);
    if (kind == WIRE_RECORDS && w->out != NULL && s->len > w->out->copy_max) {
        put_ref(w->out, *s);
        return;
    }
    p = room(w->buf, s->len);
    if (p == NULL)
        return;
    memcpy(p, s->ptr, s->len);
    w->buf->len += s->len;
}

/* -- structs and arrays -------------------------------------------------- */

static void write_struct(struct wr *, const struct wire_type *, const void *);

static void
write_array(struct wr *w, const struct wire_field *f, bool nullable,
    const struct wire_array *a)
{
    const uint8_t *from = a->v;
    size_t size =
        f->kind == WIRE_ARRAY ? f->type->size : wire_elem_size(f->elem);

    if (a->n < 0) {
        write_count(w, 4, nullable ? -1 : 0);
        return;
    }
    write_count(w, 4, a->n);
    for (int32_t i = 0; i < a->n; i++, from += size) {
        if (f->kind == WIRE_ARRAY)
            write_struct(w, f->type, from);
        else if (!write_fixed(w->buf, f->elem, from))
            write_span(w, f->elem, false, (const void *)from);
    }
}

static void
write_option(
    struct wr *w, const struct wire_field *f, bool nullable, const void *p)
{
    if (nullable)
        write8(w->buf, p == NULL ? UINT8_MAX : 1);
    if (p != NULL)
        write_struct(w, f->type, p);
    else if (!nullable)
        w->buf->failed = true; /* a struct has no empty form */
}

static void
write_field(struct wr *w, const struct wire_field *f, const void *from)
{
    bool nullable = f->nullable && w->version >= f->null_first;

    if (write_fixed(w->buf, f->kind, from))
        return;
    switch ((enum wire_kind)f->kind) {
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
        write_span(w, f->kind, nullable, from);
        return;
    case WIRE_STRUCT:
        write_struct(w, f->type, from);
        return;
    case WIRE_OPTION:
        write_option(w, f, nullable, *(void *const *)from);
        return;
    case WIRE_ARRAY:
    case WIRE_LIST:
        write_array(w, f, nullable, from);
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
        break;
    }
    unreachable("written already, or a kind outside of the enum");
}

/*
 * The size comes before the field and is known after it: one byte is kept
 * free, and when that is too little the field moves up. No field with
 * references is tagged, so their positions stay right.
 */
static void
write_tagged(struct wr *w, const struct wire_field *f, const void *from)
{
    struct buf *b = w->buf;
    uint8_t bytes[VARINT_MAX];
    size_t pos, size, n;

    write_uvarint(b, f->tag);
    pos = b->len;
    write8(b, 0);
    write_field(w, f, from);
    if (b->failed)
        return;
    size = b->len - pos - 1;
    n = varint_put_u64(bytes, size);
    if (n > 1) {
        if (buf_grow(b, n - 1) == NULL)
            return;
        memmove(b->ptr + pos + n, b->ptr + pos + 1, size);
    }
    memcpy(b->ptr + pos, bytes, n);
}

/* Ascending by tag, which need not be the order of the table. */
static void
write_tags(
    struct wr *w, const struct wire_type *type, const void *msg, unsigned count)
{
    write_uvarint(w->buf, count);
    for (unsigned tag = 0; count > 0; tag++) {
        assert(tag <= UINT8_MAX);
        for (size_t i = 0; i < type->count; i++) {
            const struct wire_field *f = &type->fields[i];

            if (!f->tagged || f->tag != tag || !wire_field_in(f, w->version) ||
                wire_field_is_default(f, wire_at_const(msg, f)))
                continue;
            write_tagged(w, f, wire_at_const(msg, f));
            count--;
        }
    }
}

static void
write_struct(struct wr *w, const struct wire_type *type, const void *msg)
{
    const struct wire_field *f = type->fields, *last = f + type->count;
    unsigned tags = 0;

    for (; f < last; f++) {
        if (!wire_field_in(f, w->version))
            continue;
        if (f->tagged)
            tags += !wire_field_is_default(f, wire_at_const(msg, f));
        else
            write_field(w, f, wire_at_const(msg, f));
    }
    if (w->flexible)
        write_tags(w, type, msg, tags);
}

/* -- messages ------------------------------------------------------------ */

static void
encode(const struct wire_msg *msg, int version, const void *from,
    struct buf *buf, struct wire_out *out)
{
    struct wr w = {buf, out, version, version >= msg->flexible};

    assert(version >= msg->min);
    assert(version <= msg->max);
    write_struct(&w, msg->type, from);
}

void
wire_encode(const struct wire_msg *msg, int version, const void *from,
    struct wire_out *out)
{
    encode(msg, version, from, &out->buf, out);
}

void
wire_encode_buf(
    const struct wire_msg *msg, int version, const void *from, struct buf *buf)
{
    encode(msg, version, from, buf, NULL);
}

void
wire_encode_blob(
    const struct wire_msg *msg, int version, const void *from, struct buf *buf)
{
    buf_put_be16(buf, (uint16_t)version);
    encode(msg, version, from, buf, NULL);
}

/* -- headers and frames -------------------------------------------------- */

void
wire_encode_request_header(const struct request_header *h, struct wire_out *out)
{
    const struct wire_api *api = wire_api(h->api_key);
    /* The client id keeps its plain form in header v2. */
    struct wr w = {&out->buf, NULL, 1, false};

    assert(api != NULL);
    buf_put_be16(&out->buf, (uint16_t)h->api_key);
    buf_put_be16(&out->buf, (uint16_t)h->api_version);
    buf_put_be32(&out->buf, (uint32_t)h->correlation_id);
    write_span(&w, WIRE_STRING, true, &h->client_id);
    if (h->api_version >= api->flexible)
        buf_put_u8(&out->buf, 0);
}

void
wire_encode_response_header(const struct wire_api *api, int version,
    int32_t correlation_id, struct wire_out *out)
{
    buf_put_be32(&out->buf, (uint32_t)correlation_id);
    if (version >= api->flexible && api->key != API_API_VERSIONS)
        buf_put_u8(&out->buf, 0);
}

/* The frame's size goes to `pos`, where four bytes were kept for it; `before`
 * is what wire_out_size() was then. */
static void
frame_end(struct wire_out *out, size_t pos, size_t before)
{
    size_t size = wire_out_size(out) - before;

    if (wire_out_failed(out))
        return;
    if (size - 4 > INT32_MAX) {
        out->buf.failed = true;
        return;
    }
    put_be32(out->buf.ptr + pos, (uint32_t)(size - 4));
}

void
wire_put_request(const struct wire_api *api, int version,
    int32_t correlation_id, struct span client_id, const void *msg,
    struct wire_out *out)
{
    struct request_header h = {
        api->key, (int16_t)version, correlation_id, client_id};
    size_t pos = out->buf.len, before = wire_out_size(out);

    buf_put_be32(&out->buf, 0);
    wire_encode_request_header(&h, out);
    wire_encode(api->request, version, msg, out);
    frame_end(out, pos, before);
}

void
wire_put_response(const struct wire_api *api, int version,
    int32_t correlation_id, const void *msg, struct wire_out *out)
{
    size_t pos = out->buf.len, before = wire_out_size(out);

    buf_put_be32(&out->buf, 0);
    wire_encode_response_header(api, version, correlation_id, out);
    wire_encode(api->response, version, msg, out);
    frame_end(out, pos, before);
}
