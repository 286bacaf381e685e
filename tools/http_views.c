/*
 * http_views.c: stores, read from outside while their tasks run: published
 * values only, of one epoch, since publishing happens in this thread, too.
 *
 * A store is one shelf in each partition, and a key lies in the partition
 * that murmur2 gives it, as it does in the log that feeds the task. A page
 * merges the shelves in the order of keys; from each it takes as many rows
 * at a time as it needs, so that a page costs what it shows.
 *
 * Keys in paths, parameters and answers: strings as they are, int64 as
 * decimal numbers, bytes as hexadecimal digits. All in the order of bytes.
 */
#include "config.h"

#include "http_priv.h"

#include <stdio.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/table.h"
#include "epoch/seq.h"
#include "parse.h"
#include "port/local.h"
#include "serde/proto_json.h"
#include "task/engine.h"

enum {
    PAGE_ROWS = 100,             /* unless the request says otherwise */
    CHUNK_ROWS = 256,            /* taken from a shelf at once, at most */
    CHUNK_BYTES = 1 * MIB,
    PAGE_BYTES_MAX = 8 * MIB,    /* then a page ends early */
    KEY_TEXT_MAX = 2 * STORE_KEY_MAX,
};

struct view {
    const struct ps_app *app;
    const char *name;
    const struct ps_serde *key, *value;
    unsigned partitions;
};

/* ---- finding ------------------------------------------------------------ */

/* false: it has failed the call. */
static bool
view_find(struct http_call *c, struct view *v)
{
    const struct http_env *e = &c->http->env;
    const char *name = arena_strndup(&c->arena,
        (const char *)c->args[0].ptr, c->args[0].len);

    for (const struct ps_app *a = e->apps; name != NULL && e->engine != NULL
         && a != NULL && a->name != NULL; a++) {
        v->partitions = local_view_partitions(e->local, a->name, name);
        if (v->partitions > 0
            && engine_store_serdes(e->engine, a->name, name, &v->key,
                &v->value)) {
            v->app = a;
            v->name = name;
            return true;
        }
    }
    http_fail(c, 404, "NOT_FOUND", "there is no view '%.100s'",
        name == NULL ? "" : name);
    return false;
}

/* ---- keys --------------------------------------------------------------- */

static struct span
hex_bytes(struct http_call *c, struct span text)
{
    uint8_t *out = arena_alloc(&c->arena, text.len / 2 + 1);

    if (out == NULL || text.len % 2 != 0)
        return SPAN_NULL;
    for (size_t i = 0; i < text.len; i += 2) {
        unsigned byte;
        char two[3] = {(char)text.ptr[i], (char)text.ptr[i + 1], '\0'};

        if (strspn(two, "0123456789abcdefABCDEF") != 2
            || sscanf(two, "%2x", &byte) != 1)
            return SPAN_NULL;
        out[i / 2] = (uint8_t)byte;
    }
    return span_of(out, text.len / 2);
}

/* The value that the text of a key stands for; type PS_NULL: none. */
static struct ps_val
key_value(struct http_call *c, const struct ps_serde *serde, struct span text)
{
    struct span bytes;
    int64_t number;

    switch (serde->type) {
    case PS_STRING:
        return ps_strn((const char *)text.ptr, text.len);
    case PS_INT64:
        if (text.len == 0 || text.len > 20
            || parse_int(arena_strndup(&c->arena, (const char *)text.ptr,
                   text.len), INT64_MIN, INT64_MAX, &number, NULL) != 0)
            return ps_null();
        return ps_i64(number);
    case PS_BYTES:
        bytes = hex_bytes(c, text);
        return ps_mem(bytes.ptr, bytes.len);
    default:
        return ps_null();
    }
}

/* false: it has failed the call. */
static bool
key_bytes(struct http_call *c, const struct view *v, struct span text,
    struct span *out)
{
    struct ps_val key = text.len <= KEY_TEXT_MAX
        ? key_value(c, v->key, text) : ps_null();
    struct buf bytes;
    struct ps_encode e = {.out = (struct ps_buf *)&bytes};
    int rc = PS_ERROR;

    buf_init(&bytes, STORE_KEY_MAX);
    if (key.type != PS_NULL)
        rc = v->key->encode(v->key, &e, key);
    *out = rc == PS_OK ? arena_copy(&c->arena,
        span_of(bytes.len == 0 ? (const uint8_t *)"" : bytes.ptr, bytes.len))
        : SPAN_NULL;
    buf_release(&bytes);
    if (out->ptr != NULL)
        return true;
    http_fail(c, 400, "BAD_REQUEST", "'%.*s' is no key of '%s': its keys are "
        "of the type %s", (int)(text.len > 100 ? 100 : text.len),
        (const char *)text.ptr, v->name, v->key->name);
    return false;
}

/* ---- rows --------------------------------------------------------------- */

static void
put_hex(struct json *j, struct span bytes)
{
    struct buf text;

    buf_init(&text, KEY_TEXT_MAX);
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(&text, "%02x", bytes.ptr[i]);
    json_span(j, text.ptr == NULL ? span_str("") : buf_span(&text));
    buf_release(&text);
}

static void
put_val(struct json *j, struct ps_val v, struct span raw, bool is_key)
{
    switch (v.type) {
    case PS_STRING:
        json_span(j, span_of(v.as.ptr, v.len));
        break;
    case PS_INT64:
        json_int(j, v.as.i64);
        break;
    case PS_DOUBLE:
        json_double(j, v.as.f64);
        break;
    case PS_JSON:
        json_raw(j, span_of(v.as.ptr, v.len));
        break;
    case PS_MESSAGE:
        proto_json_write(v.as.ptr, PROTO_JSON_REST, j);
        break;
    default:
        if (is_key)
            put_hex(j, raw);
        else
            json_base64(j, raw);
        break;
    }
}

/* A value that its serde can't read is shown as null: it does not keep the
 * others from being seen. */
static void
put_bytes(struct json *j, struct http_call *c, const struct ps_serde *serde,
    struct span bytes, bool is_key)
{
    struct arena_mark mark = arena_mark(&c->arena);
    struct ps_decode d = {.arena = (struct ps_arena *)&c->arena};
    struct ps_val v;

    if (serde->decode(serde, &d, bytes.ptr, bytes.len, &v) == PS_OK)
        put_val(j, v, bytes, is_key);
    else
        json_nil(j);
    arena_rewind(&c->arena, mark);
}

static void
put_row(struct json *j, struct http_call *c, const struct view *v,
    struct span key, struct span value)
{
    json_key(j, "key");
    put_bytes(j, c, v->key, key, true);
    json_key(j, "value");
    put_bytes(j, c, v->value, value, false);
}

static void
put_epoch(struct json *j, struct http_call *c)
{
    json_key(j, "epoch");
    json_uint(j, seq_published(c->http->env.seq));
}

void
http_get_view_row(struct http_call *c)
{
    struct http *h = c->http;
    struct err err = {0};
    struct shelf *shelf;
    struct span key, value;
    struct view v;
    struct json j;
    int rc;

    if (!view_find(c, &v) || !key_bytes(c, &v, c->args[1], &key))
        return;
    shelf = local_view_shelf(h->env.local, v.app->name, v.name,
        (murmur2(key) & 0x7fffffff) % v.partitions);
    rc = state_get(&h->reader, shelf, STATE_PUBLISHED, key, &c->arena, &value,
        &err);
    state_reader_park(&h->reader);
    if (rc < 0) {
        http_fail(c, 500, "INTERNAL", "%s", err.text);
        return;
    }
    if (rc == 0) {
        http_fail(c, 404, "NOT_FOUND", "there is no '%.*s' in '%s'",
            (int)(c->args[1].len > 100 ? 100 : c->args[1].len),
            (const char *)c->args[1].ptr, v.name);
        return;
    }
    json_init(&j, &c->out);
    json_object_begin(&j);
    put_epoch(&j, c);
    put_row(&j, c, &v, key, value);
    json_object_end(&j);
    http_reply_json(c, 200);
}

/* ---- pages -------------------------------------------------------------- */

struct row {
    struct span key, value;
};

/* What was taken from one shelf and not yet shown. */
struct cursor {
    struct shelf *shelf;
    struct row *rows;
    unsigned count, at;
    size_t bytes;                /* of the rows */
    bool drained;                /* nothing is behind the rows */
};

struct page {
    struct http_call *call;
    struct view view;
    struct span from, to;
    unsigned limit, chunk;
    struct cursor *cursors;
    struct arena rows, scan;     /* what is kept; what a scan needs */
};

struct take {
    struct page *page;
    struct cursor *cursor;
};

static int
take_row(void *arg, struct span key, struct span value, struct err *err)
{
    struct take *t = arg;
    struct row *r = &t->cursor->rows[t->cursor->count];

    (void)err;
    r->key = arena_copy(&t->page->rows, key);
    r->value = arena_copy(&t->page->rows, value);
    if (r->key.ptr == NULL || r->value.ptr == NULL)
        return 1;                /* no room: the page ends here */
    t->cursor->count++;
    t->cursor->bytes += key.len + value.len;
    return t->cursor->count == t->page->chunk
        || t->cursor->bytes > CHUNK_BYTES;
}

/* The key right behind, in the order of bytes. */
static struct span
key_behind(struct arena *a, struct span key)
{
    uint8_t *p = arena_zalloc(a, key.len + 1);

    if (p == NULL)
        return SPAN_NULL;
    memcpy(p, key.ptr, key.len);
    return span_of(p, key.len + 1);
}

/* So that the cursor has a row, if its shelf has one. */
static int
cursor_fill(struct page *p, struct cursor *k, struct err *err)
{
    struct take t = {p, k};
    struct span from = p->from;
    int rc;

    if (k->at < k->count || k->drained)
        return 0;
    if (k->rows == NULL)
        k->rows = arena_calloc(&p->rows, p->chunk, sizeof *k->rows);
    else
        from = key_behind(&p->rows, k->rows[k->count - 1].key);
    if (k->rows == NULL || from.ptr == NULL)
        return err_set(err, ERR_LIMIT, "the page is too large");
    k->at = k->count = 0;
    k->bytes = 0;
    rc = state_scan(&p->call->http->reader, k->shelf, STATE_PUBLISHED, from,
        p->to, p->chunk, &p->scan, take_row, &t, err);
    if (rc < 0)
        return -1;
    k->drained = rc == 0;
    if (k->count == 0 && !k->drained)
        return err_set(err, ERR_LIMIT, "the page is too large");
    return 0;
}

/* The cursor with the smallest key; NULL and rc 0: there is none. */
static int
page_first(struct page *p, struct cursor **out, struct err *err)
{
    struct cursor *best = NULL;

    for (unsigned i = 0; i < p->view.partitions; i++) {
        struct cursor *k = &p->cursors[i];

        if (cursor_fill(p, k, err) < 0)
            return -1;
        if (k->at < k->count
            && (best == NULL || span_cmp(k->rows[k->at].key,
                                    best->rows[best->at].key) < 0))
            best = k;
    }
    *out = best;
    return 0;
}

static int
put_rows(struct page *p, struct json *j, struct err *err)
{
    struct http_call *c = p->call;
    struct span last = SPAN_NULL;
    struct cursor *k = NULL;

    json_key(j, "rows");
    json_array_begin(j);
    for (unsigned n = 0;; n++) {
        if (page_first(p, &k, err) < 0)
            return -1;
        if (k == NULL || n == p->limit || c->out.len > PAGE_BYTES_MAX)
            break;
        last = k->rows[k->at].key;
        json_object_begin(j);
        put_row(j, c, &p->view, last, k->rows[k->at].value);
        json_object_end(j);
        k->at++;
    }
    json_array_end(j);
    json_key(j, "next");
    if (k == NULL || last.ptr == NULL)
        json_nil(j);
    else
        put_bytes(j, c, p->view.key, last, true);
    return 0;
}

/* The first key that does not begin with the prefix; null: there is none. */
static struct span
prefix_end(struct arena *a, struct span prefix)
{
    size_t n = prefix.len;
    uint8_t *p;

    while (n > 0 && prefix.ptr[n - 1] == 0xff)
        n--;
    p = n == 0 ? NULL : arena_alloc(a, n);
    if (p == NULL)
        return SPAN_NULL;
    memcpy(p, prefix.ptr, n);
    p[n - 1]++;
    return span_of(p, n);
}

/* Where a page begins and ends. false: it has failed the call. */
static bool
page_bounds(struct page *p)
{
    struct http_call *c = p->call;
    const char *from = http_param(c, "from"), *after = http_param(c, "after"),
        *prefix = http_param(c, "prefix");
    struct span key;

    p->from = span_of("", 0);
    p->to = SPAN_NULL;
    if (from != NULL && !key_bytes(c, &p->view, span_str(from), &p->from))
        return false;
    if (after != NULL) {
        if (!key_bytes(c, &p->view, span_str(after), &key))
            return false;
        key = key_behind(&c->arena, key);
        if (span_cmp(key, p->from) > 0)
            p->from = key;
    }
    if (prefix == NULL)
        return true;
    if (p->view.key->type != PS_STRING && p->view.key->type != PS_BYTES) {
        http_fail(c, 400, "BAD_REQUEST", "keys of the type %s have no "
            "prefix", p->view.key->name);
        return false;
    }
    if (!key_bytes(c, &p->view, span_str(prefix), &key))
        return false;
    p->to = prefix_end(&c->arena, key);
    if (span_cmp(key, p->from) > 0)
        p->from = key;
    return true;
}

static int
page_open(struct page *p, struct err *err)
{
    struct http_call *c = p->call;

    p->chunk = p->limit + 1 < CHUNK_ROWS ? p->limit + 1 : CHUNK_ROWS;
    p->cursors = arena_calloc(&c->arena, p->view.partitions,
        sizeof *p->cursors);
    if (p->cursors == NULL)
        return err_set(err, ERR_LIMIT, "the page is too large");
    for (unsigned i = 0; i < p->view.partitions; i++)
        p->cursors[i].shelf = local_view_shelf(c->http->env.local,
            p->view.app->name, p->view.name, i);
    arena_init(&p->rows, 64 * MIB);
    arena_init(&p->scan, 64 * MIB);
    return 0;
}

void
http_get_view_page(struct http_call *c)
{
    struct page p = {.call = c};
    struct err err = {0};
    struct json j;
    int64_t limit;
    int rc;

    if (!view_find(c, &p.view)
        || !http_number(c, "limit", PAGE_ROWS, 1, HTTP_PAGE_ROWS_MAX, &limit)
        || !page_bounds(&p))
        return;
    p.limit = (unsigned)limit;
    json_init(&j, &c->out);
    json_object_begin(&j);
    put_epoch(&j, c);
    rc = page_open(&p, &err);
    if (rc == 0) {
        rc = put_rows(&p, &j, &err);
        arena_release(&p.rows);
        arena_release(&p.scan);
    }
    state_reader_park(&c->http->reader);
    if (rc < 0) {
        http_fail(c, 500, "INTERNAL", "%s", err.text);
        return;
    }
    json_object_end(&j);
    http_reply_json(c, 200);
}
