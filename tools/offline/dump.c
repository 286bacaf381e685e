/* dump.c: lines, batches, segments. */
#include "config.h"

#include "offline/dump_priv.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "offline/batchfile.h"
#include "offline/folder.h"
#include "parse.h"
#include "proto/store.pb-c.h"
#include "record/batch.h"
#include "record/compress.h"
#include "serde/proto_json.h"

enum { LINE_MAX_BYTES = 256 << 20 };

void
dump_init(struct dump *d, struct dump_options *o)
{
    *d = (struct dump){.o = o, .left = o->limit > 0 ? o->limit : -1};
    o->damages = 0;
    buf_init(&d->line, LINE_MAX_BYTES);
    arena_init(&d->arena, LINE_MAX_BYTES);
    if (o->topic != NULL)
        d->type = payload_of_topic(o->topic);
}

void
dump_release(struct dump *d)
{
    buf_release(&d->line);
    arena_release(&d->arena);
}

bool
dump_count(struct dump *d)
{
    if (d->left == 0)
        return false;
    if (d->left > 0)
        d->left--;
    return true;
}

/* ---- lines ---- */

void
line_begin(struct dump *d, const char *what, int depth)
{
    buf_clear(&d->line);
    if (!d->o->json) {
        buf_printf(&d->line, "%*s%s", 4 * depth, "", what);
        return;
    }
    json_init(&d->j, &d->line);
    json_object_begin(&d->j);
    json_kv_cstr(&d->j, "is", what);
}

void
line_int(struct dump *d, const char *name, int64_t value)
{
    if (d->o->json)
        json_kv_int(&d->j, name, value);
    else
        buf_printf(&d->line, " %s=%" PRId64, name, value);
}

void
line_hex(struct dump *d, const char *name, uint64_t value, int digits)
{
    char text[32];

    snprintf(text, sizeof text, "%0*" PRIx64, digits, value);
    line_text(d, name, text);
}

/* What could be taken for something else in a line stands in quotes. */
static bool
text_is_plain(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text == '"' || *text == '=' || *text == 127
            || *text == '\\')
            return false;
    return true;
}

void
line_text(struct dump *d, const char *name, const char *value)
{
    if (d->o->json) {
        json_kv_cstr(&d->j, name, value);
        return;
    }
    buf_printf(&d->line, " %s=", name);
    if (text_is_plain(value)) {
        buf_put_str(&d->line, value);
        return;
    }
    json_escape(&d->line, span_str(value));
}

static void
line_binary(struct dump *d, struct span bytes)
{
    static const char digits[] = "0123456789abcdef";

    if (d->o->json)
        buf_put_str(&d->line, "\"0x");
    else
        buf_put_str(&d->line, "0x");
    for (size_t i = 0; i < bytes.len; i++) {
        buf_put_u8(&d->line, (uint8_t)digits[bytes.ptr[i] >> 4]);
        buf_put_u8(&d->line, (uint8_t)digits[bytes.ptr[i] & 15]);
    }
    if (d->o->json)
        buf_put_u8(&d->line, '"');
}

void
line_bytes(struct dump *d, const char *name, const struct payload_type *type,
    struct span bytes)
{
    struct arena_mark mark = arena_mark(&d->arena);
    struct span text = SPAN_NULL;
    enum payload_kind kind = payload_show(type, bytes, &d->arena, &text);

    if (d->o->json)
        json_key(&d->j, name);
    else
        buf_printf(&d->line, " %s=", name);
    switch (kind) {
    case PAYLOAD_NULL:
        if (d->o->json)
            json_nil(&d->j);
        else
            buf_put_str(&d->line, "null");
        break;
    case PAYLOAD_JSON:
        if (d->o->json)
            json_raw(&d->j, text);
        else
            buf_put_span(&d->line, text);
        break;
    case PAYLOAD_TEXT:
        if (d->o->json)
            json_span(&d->j, text);
        else
            json_escape(&d->line, text);
        break;
    case PAYLOAD_BINARY:
        if (d->o->json)
            json_raw(&d->j, span_of("", 0));
        line_binary(d, bytes);
        break;
    }
    arena_rewind(&d->arena, mark);
}

void
line_message(struct dump *d, const char *name, const ProtobufCMessage *m)
{
    struct json j;

    if (d->o->json) {
        json_key(&d->j, name);
        proto_json_write(m, PROTO_JSON_OWN_NAMES, &d->j);
        return;
    }
    buf_printf(&d->line, " %s=", name);
    json_init(&j, &d->line);
    proto_json_write(m, PROTO_JSON_OWN_NAMES, &j);
}

void
line_end(struct dump *d)
{
    if (d->o->json)
        json_object_end(&d->j);
    buf_put_u8(&d->line, '\n');
    fwrite(d->line.ptr, 1, d->line.len, d->o->out);
}

void
line_damage(struct dump *d, const char *file, uint64_t pos, const char *fmt,
    ...)
{
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    d->o->damages++;
    line_begin(d, "damage", 0);
    line_text(d, "file", file);
    line_int(d, "pos", (int64_t)pos);
    line_text(d, "text", text);
    line_end(d);
}

/* ---- batches ---- */

static void
dump_headers(struct dump *d, struct span headers)
{
    struct span key, value;
    char name[64];

    while (headers_next(&headers, &key, &value) == 1) {
        snprintf(name, sizeof name, "header:%.*s",
            (int)(key.len < 50 ? key.len : 50), (const char *)key.ptr);
        for (char *c = name; *c != '\0'; c++)
            if (*c <= ' ' || *c == 127) /* they are a client's */
                *c = '_';
        line_bytes(d, name, NULL, value);
    }
}

static void
dump_records(struct dump *d, const struct batch *b, int depth)
{
    struct arena_mark mark = arena_mark(&d->arena);
    struct batch_iter it;
    struct record r;
    struct err err = {0};
    int rc = batch_iter_init(&it, b, &d->arena, &err);

    while (rc >= 0 && (rc = batch_iter_next(&it, &r, &err)) > 0) {
        line_begin(d, "record", depth);
        line_int(d, "offset", r.offset);
        line_int(d, "timestamp", r.timestamp);
        line_bytes(d, "key", NULL, r.key);
        if (d->o->values)
            line_bytes(d, "value", d->type, r.value);
        else
            line_int(d, "value_size",
                r.value.ptr == NULL ? -1 : (int64_t)r.value.len);
        dump_headers(d, r.headers);
        line_end(d);
    }
    if (rc < 0) {
        line_begin(d, "unreadable", depth);
        line_text(d, "why", err.text);
        line_end(d);
    }
    arena_rewind(&d->arena, mark);
}

static void
dump_attributes(struct dump *d, const struct batch *b)
{
    char text[80];

    snprintf(text, sizeof text, "%s%s%s%s",
        b->attributes & BATCH_TRANSACTIONAL ? ",transactional" : "",
        b->attributes & BATCH_CONTROL ? ",control" : "",
        b->attributes & BATCH_LOG_APPEND_TIME ? ",log-append-time" : "",
        b->attributes & BATCH_DELETE_HORIZON ? ",delete-horizon" : "");
    if (text[0] != '\0')
        line_text(d, "attributes", text + 1);
}

void
dump_batch(struct dump *d, struct span bytes, uint64_t pos, int depth)
{
    char time[32];
    struct batch b;

    if (batch_parse(bytes, &b) != BATCH_OK)
        return;
    line_begin(d, "batch", depth);
    line_int(d, "pos", (int64_t)pos);
    line_int(d, "base_offset", b.base_offset);
    line_int(d, "last_offset", batch_last_offset(&b));
    line_int(d, "records", b.record_count);
    line_int(d, "size", (int64_t)b.bytes.len);
    line_text(d, "codec",
        (b.attributes & BATCH_CODEC_MASK) > CODEC_ZSTD
            ? "unknown" : codec_name(b.attributes & BATCH_CODEC_MASK));
    line_int(d, "leader_epoch", b.leader_epoch);
    line_text(d, "max_timestamp",
        b.max_timestamp < 0 ? "none" : format_time(b.max_timestamp, time));
    if (b.producer_id >= 0) {
        line_int(d, "producer_id", b.producer_id);
        line_int(d, "producer_epoch", b.producer_epoch);
        line_int(d, "base_sequence", b.base_sequence);
    }
    dump_attributes(d, &b);
    line_hex(d, "crc", b.crc, 8);
    line_end(d);
    if (d->o->records)
        dump_records(d, &b, depth + 1);
}

/* ---- a segment ---- */

static int
segment_dump(struct dump *d, struct batchfile *f, struct err *err)
{
    for (;;) {
        uint64_t from = f->pos, at, skipped;
        struct batch b;
        int rc = batchfile_next(f, &b, &at, &skipped, err);

        if (rc < 0)
            return -1;
        if (skipped > 0)
            line_damage(d, f->path, from, "%" PRIu64 " bytes are no batch",
                skipped);
        if (rc == 0)
            return 0;
        if (batch_last_offset(&b) < d->o->from)
            continue;
        if (!dump_count(d))
            return 0;
        dump_batch(d, b.bytes, at, 0);
    }
}

/* DIR/topics/<id>/<partition>/<file>: LMDB in DIR/meta knows the name of the
 * topic. A server may be writing there: then we do without. */
static int
find_name(void *arg, struct span key, struct span value, struct err *err)
{
    struct dump *d = arg;
    Store__Topic *m = store__topic__unpack(NULL, value.len, value.ptr);

    if (m != NULL)
        d->type = payload_of_topic(m->name);
    store__topic__free_unpacked(m, NULL);
    return 0;
}

struct naming {
    struct dump *d;
    uint8_t key[17];
};

static int
name_entry(void *arg, struct span key, struct span value, struct err *err)
{
    struct naming *n = arg;

    return span_eq(key, span_of(n->key, sizeof n->key))
        ? find_name(n->d, key, value, err) : 0;
}

static void
segment_topic(struct dump *d, const char *path)
{
    struct naming n = {.d = d, .key = {META_TOPIC}};
    struct stored_scan scan = {.space = META_RECORDS, .fn = name_entry,
        .arg = &n};
    char *copy = realpath(path, NULL), *at[3] = {NULL};
    struct folder f;
    struct uuid id;
    struct err err;

    for (int i = 0; i < 3 && copy != NULL; i++) {
        at[i] = strrchr(copy, '/');
        if (at[i] == NULL) {
            free(copy);
            return;
        }
        *at[i] = '\0';
    }
    /* copy: DIR/topics; behind it the id */
    if (copy == NULL || uuid_parse(at[2] + 1, &id) < 0
        || strrchr(copy, '/') == NULL) {
        free(copy);
        return;
    }
    *strrchr(copy, '/') = '\0';
    memcpy(n.key + 1, id.bytes, 16);
    if (folder_open(&f, d->o->world, copy, &err) == 0 && f.lmdb != NULL)
        stored_scan(f.lmdb, &scan, &err);
    folder_release(&f);
    free(copy);
}

int
dump_segment(struct dump_options *o, const char *file, struct err *err)
{
    struct batchfile f;
    struct dump d;
    int rc;

    if (batchfile_open(&f, o->world, file, err) < 0)
        return -1;
    dump_init(&d, o);
    if (o->topic == NULL && o->values)
        segment_topic(&d, file);
    rc = segment_dump(&d, &f, err);
    dump_release(&d);
    batchfile_close(&f);
    return rc;
}
