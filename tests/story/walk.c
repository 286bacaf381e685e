/*
 * walk.c: see walk.h. The writer here is not the broker's: one that shares no
 * line with the decoder also shows that a valid request is taken for one.
 */
#include "config.h"

#include "tests/story/walk.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/varint.h"
#include "record/batch.h"
#include "wire/wire_priv.h"

enum {
    UNKNOWN_TAG = 500,
    LENGTH_AT = 8,            /* positions in a batch */
    CRC_AT = 17,
    LAST_DELTA_AT = 23,
    COUNT_AT = 57,
    RECORDS_AT = BATCH_HEADER,
};

void
walk_init(struct walk *w, size_t bytes_max)
{
    memset(w, 0, sizeof *w);
    buf_init(&w->frame, bytes_max);
}

void
walk_release(struct walk *w)
{
    buf_release(&w->frame);
}

/* ---- numbers ---- */

static struct mark *
mark_add(struct walk *w, const char *name, uint8_t width)
{
    struct mark *m = &w->marks[w->count];

    assert(w->count < WALK_MARKS);
    *m = (struct mark){.pos = w->frame.len, .width = width, .name = name};
    w->count++;
    return m;
}

static void
put_uvarint(struct buf *b, uint64_t v)
{
    uint8_t bytes[VARINT_MAX];

    buf_put(b, bytes, varint_put_u64(bytes, v));
}

static void
put_number(struct buf *b, uint8_t width, uint64_t v)
{
    if (width == 0)
        put_uvarint(b, v);
    else if (width == 1)
        buf_put_u8(b, (uint8_t)v);
    else if (width == 2)
        buf_put_be16(b, (uint16_t)v);
    else
        buf_put_be32(b, (uint32_t)v);
}

/* A length or a count, as the version writes it. */
static struct mark *
put_count(struct walk *w, const char *name, uint8_t width, uint64_t n)
{
    struct mark *m = mark_add(w, name, w->flexible ? 0 : width);

    m->compact = w->flexible;
    put_number(&w->frame, m->width, w->flexible ? n + 1 : n);
    return m;
}

/* ---- values ---- */

/* One record with a key, a value and a header, small enough for each of its
 * lengths to be one byte. */
static void
put_records(struct walk *w, const char *name)
{
    struct header h = {span_str("h"), span_str("v")};
    struct batch_builder builder;
    struct buf b;
    size_t at;
    struct {
        size_t pos;
        uint8_t width;
    } inner[] = {{LENGTH_AT, 4}, {LAST_DELTA_AT, 4}, {COUNT_AT, 4},
        {RECORDS_AT, 1}, {RECORDS_AT + 4, 1}, {RECORDS_AT + 6, 1},
        {RECORDS_AT + 8, 1}, {RECORDS_AT + 9, 1},
        {RECORDS_AT + 11, 1}};
    int rc;

    buf_init(&b, 4096);
    batch_builder_init(&builder, &b);
    batch_builder_add(&builder, 1700000000000, span_str("k"), span_str("v"),
        &h, 1);
    rc = batch_builder_end(&builder, &BATCH_BUILD_PLAIN, NULL);
    assert(rc == 0);
    put_count(w, name, 4, b.len);
    at = w->frame.len;
    for (size_t i = 0; i < countof(inner); i++) {
        struct mark *m = mark_add(w, "in the batch", inner[i].width);

        m->pos = at + inner[i].pos;
        m->batch = at;
        m->batch_end = at + b.len;
    }
    buf_put(&w->frame, b.ptr, b.len);
    buf_release(&b);
}

static void
put_text(struct walk *w, const char *name, uint8_t kind, bool least)
{
    struct span text = least ? span_str("") : span_str("hostile");

    put_count(w, name, kind == WIRE_STRING ? 2 : 4, text.len);
    buf_put(&w->frame, text.ptr, text.len);
}

static void
put_value(struct walk *w, const char *name, uint8_t kind, bool least)
{
    size_t size = wire_fixed_size(kind);
    uint8_t bytes[16] = {0};

    if (kind == WIRE_RECORDS && !least) {
        put_records(w, name);
    } else if (size == 0) {
        put_text(w, name, kind, least);
    } else {
        bytes[size - 1] = least ? 0 : 1;
        if (strstr(name, "replica_id") != NULL || strcmp(name, "acks") == 0)
            memset(bytes, 0xff, size);
        buf_put(&w->frame, bytes, size);
    }
}

/* ---- structs ---- */

static void put_struct(struct walk *, const struct wire_type *, bool least);

static void
put_element(struct walk *w, const struct wire_field *f, bool least)
{
    if (f->kind == WIRE_ARRAY)
        put_struct(w, f->type, least);
    else
        put_value(w, f->name, f->elem, least);
}

/* How much of the least elements makes so many bytes? */
static uint64_t
stuffing_count(struct walk *w, const struct wire_field *f)
{
    size_t before = w->frame.len;
    unsigned marks = w->count;
    uint64_t n;

    put_element(w, f, true);
    n = w->stuffing / (w->frame.len - before) + 1;
    w->frame.len = before;
    w->count = marks;
    return n;
}

static void
put_array(struct walk *w, const struct wire_field *f, bool least)
{
    bool stuff = w->stuffing > 0 && w->count == w->stuffed && !least;
    uint64_t n = stuff ? stuffing_count(w, f) : least ? 0 : 2;
    unsigned marks;

    put_count(w, f->name, 4, n)->many = true;
    marks = w->count;
    for (uint64_t i = 0; i < n; i++) {
        put_element(w, f, least || stuff);
        if (stuff)
            w->count = marks; /* they would be too many */
    }
}

static void
put_field(struct walk *w, const struct wire_field *f, bool least)
{
    bool nullable = f->nullable && w->version >= f->null_first;

    switch ((enum wire_kind)f->kind) {
    case WIRE_STRUCT:
        put_struct(w, f->type, least);
        break;
    case WIRE_OPTION:
        if (nullable)
            buf_put_u8(&w->frame, least ? 0xff : 1);
        if (!nullable || !least)
            put_struct(w, f->type, least);
        break;
    case WIRE_ARRAY:
    case WIRE_LIST:
        put_array(w, f, least);
        break;
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
        put_value(w, f->name, f->kind, least);
        break;
    }
}

/* Its size is one byte, which all that is tagged here fits. */
static void
put_tagged(struct walk *w, const struct wire_field *f)
{
    struct mark *m;
    size_t at;

    put_uvarint(&w->frame, f->tag);
    m = mark_add(w, f->name, 0);
    at = w->frame.len;
    buf_put_u8(&w->frame, 0);
    put_field(w, f, w->stuffing > 0);
    assert(w->frame.len - at - 1 < 128);
    w->frame.ptr[at] = (uint8_t)(w->frame.len - at - 1);
    assert(m->pos == at);
}

static void
put_tags(struct walk *w, const struct wire_type *type, bool least)
{
    bool stuff = w->stuffing > 0 && w->count == w->stuffed && !least;
    uint64_t n = 1, i;

    if (least) {
        buf_put_u8(&w->frame, 0);
        return;
    }
    for (i = 0; i < type->count; i++)
        n += type->fields[i].tagged
            && wire_field_in(&type->fields[i], w->version);
    if (stuff)
        n = w->stuffing / 4;
    mark_add(w, "the tags", 0)->many = true;
    put_uvarint(&w->frame, n);
    for (i = 0; stuff && i < n; i++) {
        put_uvarint(&w->frame, UNKNOWN_TAG + i);
        buf_put_u8(&w->frame, 0);
    }
    if (stuff)
        return;
    for (unsigned tag = 0; tag < UNKNOWN_TAG; tag++)
        for (i = 0; i < type->count; i++)
            if (type->fields[i].tagged && type->fields[i].tag == tag
                && wire_field_in(&type->fields[i], w->version))
                put_tagged(w, &type->fields[i]);
    put_uvarint(&w->frame, UNKNOWN_TAG);
    mark_add(w, "an unknown tag", 0);
    put_uvarint(&w->frame, 3);
    buf_put(&w->frame, "abc", 3);
}

static void
put_struct(struct walk *w, const struct wire_type *type, bool least)
{
    for (size_t i = 0; i < type->count; i++)
        if (!type->fields[i].tagged
            && wire_field_in(&type->fields[i], w->version))
            put_field(w, &type->fields[i], least);
    if (w->flexible)
        put_tags(w, type, least);
}

/* ---- requests ---- */

static const struct wire_type no_fields = {"header", 0, 0, NULL};

void
walk_stuff(struct walk *w, const struct wire_api *api, int version,
    unsigned mark, size_t bytes)
{
    w->api = api;
    w->version = version;
    w->count = 0;
    w->stuffed = mark;
    w->stuffing = bytes;
    buf_clear(&w->frame);
    buf_put_be16(&w->frame, (uint16_t)api->key);
    buf_put_be16(&w->frame, (uint16_t)version);
    buf_put_be32(&w->frame, 7);
    w->flexible = false; /* the client id keeps its plain form */
    put_text(w, "client_id", WIRE_STRING, false);
    w->flexible = version >= api->flexible;
    if (w->flexible)
        put_tags(w, &no_fields, false);
    put_struct(w, api->request->type, false);
    assert(!w->frame.failed);
}

void
walk_make(struct walk *w, const struct wire_api *api, int version)
{
    walk_stuff(w, api, version, WALK_MARKS, 0);
}

/* How long the number at the mark is. */
static size_t
mark_size(const struct walk *w, const struct mark *m)
{
    size_t n = m->width;

    if (m->width != 0)
        return n;
    while (w->frame.ptr[m->pos + n] >= 0x80)
        n++;
    return n + 1;
}

void
walk_lie(const struct walk *w, const struct mark *m, int64_t number,
    struct buf *out)
{
    size_t size = mark_size(w, m), start = out->len;

    buf_put(out, w->frame.ptr, m->pos);
    if (m->width == 0)
        put_uvarint(out, (uint32_t)(number + (m->compact ? 1 : 0)));
    else if (m->width == 1)
        buf_put_u8(out, (uint8_t)((((uint64_t)number << 1)
            ^ (uint64_t)(number >> 63)) & 0x7f));
    else
        put_number(out, m->width, (uint64_t)number);
    buf_put(out, w->frame.ptr + m->pos + size,
        w->frame.len - m->pos - size);
    assert(!out->failed);
    if (m->batch_end > 0) {
        uint8_t *batch = out->ptr + start + m->batch;

        put_be32(batch + CRC_AT, crc32c(0, batch + BATCH_CRC_FROM,
            m->batch_end - m->batch - BATCH_CRC_FROM));
    }
}
