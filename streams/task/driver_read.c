/*
 * driver_read.c: what a test sees of topics, stores and tasks: only what is
 * published, as anybody outside.
 */
#include "config.h"

#include "task/driver_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/json.h"
#include "serde/proto_json.h"

/* ---- text and bytes ----------------------------------------------------- */

static struct span
number_bytes(struct ps_driver *d, const struct ps_serde *s, const char *text)
{
    uint8_t *p = arena_alloc(&d->arena, 8);
    char *end;
    uint64_t bits;
    double f;

    assert(p != NULL);
    if (s->type == PS_INT64) {
        bits = (uint64_t)strtoll(text, &end, 10);
    } else {
        f = strtod(text, &end);
        memcpy(&bits, &f, sizeof bits);
    }
    if (end == text || *end != '\0')
        driver_die("'%s' is no number for %s", text, s->name);
    put_be64(p, bits);
    return span_of(p, 8);
}

/* JSON of a message, written by hand in a test: it must be right. By lot it
 * goes on as it is, or as protobuf. */
static struct span
message_bytes(struct ps_driver *d, const struct ps_serde *s, const char *text)
{
    struct ps_decode dec = {.arena = (struct ps_arena *)&d->arena};
    struct ps_encode enc = {.out = (struct ps_buf *)&d->text};
    struct ps_val v;

    if (s->decode(s, &dec, text, strlen(text), &v) != PS_OK)
        driver_die("%s is no %s: %s", text, s->name, dec.why);
    if (driver_draw(d) % 2 == 0)
        return arena_copy(&d->arena, span_str(text));
    buf_clear(&d->text);
    if (s->encode(s, &enc, v) != PS_OK)
        driver_die("%s can't be written: %s", text, enc.why);
    return d->text.len == 0 ? span_of("", 0)
        : arena_copy(&d->arena, buf_span(&d->text));
}

struct span
driver_bytes(struct ps_driver *d, const struct ps_serde *s, const char *text)
{
    if (text == NULL)
        return SPAN_NULL;
    if (s != NULL && (s->type == PS_INT64 || s->type == PS_DOUBLE))
        return number_bytes(d, s, text);
    if (s != NULL && s->type == PS_MESSAGE)
        return message_bytes(d, s, text);
    return span_str(text);
}

void
driver_text(struct ps_driver *d, const struct ps_serde *s, struct span bytes,
    struct buf *out)
{
    struct ps_decode dec = {.arena = (struct ps_arena *)&d->arena};
    struct ps_val v;
    struct json j;

    if (bytes.ptr == NULL) {
        buf_put_str(out, "null");
        return;
    }
    if (s == NULL || (s->type != PS_INT64 && s->type != PS_DOUBLE &&
        s->type != PS_MESSAGE)) {
        buf_put_span(out, bytes);
        return;
    }
    if (s->decode(s, &dec, bytes.ptr, bytes.len, &v) != PS_OK) {
        buf_printf(out, "(no %s: %s)", s->name, dec.why);
    } else if (s->type == PS_INT64) {
        buf_printf(out, "%lld", (long long)v.as.i64);
    } else if (s->type == PS_DOUBLE) {
        buf_printf(out, "%.17g", v.as.f64);
    } else {
        json_init(&j, out);
        proto_json_write(v.as.ptr, 0, &j);
    }
}

static const char *
text_take(struct ps_driver *d)
{
    buf_put_u8(&d->text, 0);
    assert(!d->text.failed);
    return (const char *)d->text.ptr;
}

/* ---- topics ------------------------------------------------------------- */

static const struct port_topic *
topic_of(struct ps_driver *d, const char *topic)
{
    const struct port_topic *t;

    check_obj(d, DRIVER_MAGIC);
    t = memory_topic(d->port, topic);
    if (t == NULL)
        driver_die("there is no topic '%s'", topic);
    return t;
}

static struct reader *
reader_of(struct ps_driver *d, const char *topic)
{
    const struct port_topic *t = topic_of(d, topic);
    struct reader *r;

    for (r = d->readers; r != NULL; r = r->next) {
        if (strcmp(r->topic, topic) == 0)
            return r;
    }
    r = xcalloc(1, sizeof *r);
    r->topic = xstrdup(topic);
    r->offsets = xcalloc((size_t)t->partitions, sizeof *r->offsets);
    r->next = d->readers;
    d->readers = r;
    return r;
}

static const struct memory_record *
read_next(struct ps_driver *d, const char *topic)
{
    const struct port_topic *t = topic_of(d, topic);
    struct reader *r = reader_of(d, topic);
    const struct memory_record *first = NULL;

    for (int32_t p = 0; p < t->partitions; p++) {
        const struct memory_record *m = memory_record(t, p, r->offsets[p],
            false);

        if (m != NULL && (first == NULL || m->serial < first->serial))
            first = m;
    }
    if (first != NULL)
        r->offsets[first->partition]++;
    return first;
}

bool
ps_read(struct ps_driver *d, const char *topic, struct ps_read *out)
{
    const struct memory_record *m = read_next(d, topic);
    struct ps_header *headers;

    if (m == NULL)
        return false;
    arena_reset(&d->arena);
    headers = arena_calloc(&d->arena, m->r.header_count + 1, sizeof *headers);
    assert(headers != NULL);
    for (unsigned i = 0; i < m->r.header_count; i++) {
        const struct port_header *h = &m->r.headers[i];

        headers[i].name = arena_strndup(&d->arena,
            (const char *)h->name.ptr, h->name.len);
        headers[i].value = h->value.ptr;
        headers[i].len = h->value.len;
    }
    *out = (struct ps_read){m->partition, m->r.offset, m->r.timestamp,
        m->r.key.ptr, m->r.value.ptr, m->r.key.len, m->r.value.len, headers,
        m->r.header_count};
    return true;
}

/* The serdes of a record; a gathered one says where it is from. */
static void
serdes_of(struct ps_driver *d, const char *topic,
    const struct memory_record *m, const struct ps_serde **key,
    const struct ps_serde **value)
{
    unsigned input = 0;

    if (m->r.header_count > 0 && m->r.headers[0].value.len == 1 &&
        span_eq(m->r.headers[0].name, span_str("ps.in")))
        input = m->r.headers[0].value.ptr[0];
    *key = *value = NULL;
    engine_topic_serdes(d->engine, topic, input, key, value);
}

const char *
ps_read_text(struct ps_driver *d, const char *topic)
{
    const struct memory_record *m = read_next(d, topic);
    const struct ps_serde *key, *value;

    if (m == NULL)
        return NULL;
    serdes_of(d, topic, m, &key, &value);
    arena_reset(&d->arena);
    buf_clear(&d->text);
    driver_text(d, key, m->r.key, &d->text);
    buf_put_u8(&d->text, ':');
    driver_text(d, value, m->r.value, &d->text);
    return text_take(d);
}

void
ps_rewind(struct ps_driver *d, const char *topic)
{
    struct reader *r = reader_of(d, topic);
    int32_t n = topic_of(d, topic)->partitions;

    memset(r->offsets, 0, (size_t)n * sizeof *r->offsets);
}

static bool
record_matches(struct ps_driver *d, const char *topic,
    const struct memory_record *m, const char *filter)
{
    const struct ps_serde *key, *value;

    if (strcmp(filter, "{}") == 0)
        return true;
    if (m->r.value.ptr == NULL)
        return false;
    serdes_of(d, topic, m, &key, &value);
    arena_reset(&d->arena);
    buf_clear(&d->text);
    driver_text(d, value, m->r.value, &d->text);
    return driver_json_matches(text_take(d), filter);
}

int64_t
ps_count(struct ps_driver *d, const char *topic, const char *filter)
{
    const struct port_topic *t = topic_of(d, topic);
    const struct memory_record *m;
    int64_t count = 0;

    for (int32_t p = 0; p < t->partitions; p++) {
        for (int64_t i = 0; (m = memory_record(t, p, i, false)) != NULL; i++)
            count += record_matches(d, topic, m, filter);
    }
    return count;
}

/* ---- state -------------------------------------------------------------- */

const char *
ps_view_get(struct ps_driver *d, const char *store, const char *key)
{
    const struct ps_serde *ks, *vs;
    struct span value;
    bool known;

    check_obj(d, DRIVER_MAGIC);
    if (!engine_store_serdes(d->engine, NULL, store, &ks, &vs))
        driver_die("there is no store '%s'", store);
    arena_reset(&d->arena);
    value = memory_view(d->port, store, driver_bytes(d, ks, key), &known);
    if (value.ptr == NULL)
        return NULL;
    buf_clear(&d->text);
    driver_text(d, vs, value, &d->text);
    return text_take(d);
}

int64_t
ps_view_int(struct ps_driver *d, const char *store, const char *key,
    const char *field)
{
    const char *text = ps_view_get(d, store, key);

    return text == NULL ? 0 : driver_json_int(text, field);
}

int64_t
ps_view_size(struct ps_driver *d, const char *store)
{
    check_obj(d, DRIVER_MAGIC);
    return (int64_t)memory_view_size(d->port, store);
}

/* ---- tasks -------------------------------------------------------------- */

static int64_t
counter_of(const struct task_info *info, const char *name)
{
    if (strcmp(name, "failed_tasks") == 0)
        return info->state == TASK_FAILED;
#define X(field, help)                                                         \
    if (strcmp(name, #field) == 0)                                             \
        return (int64_t)info->field;
    TASK_COUNTERS(X)
#undef X
    driver_die("there is no counter '%s'", name);
}

int64_t
ps_counter(struct ps_driver *d, const char *name)
{
    struct task_info info;
    int64_t sum = 0;

    check_obj(d, DRIVER_MAGIC);
    for (unsigned i = 0; i < engine_task_count(d->engine); i++) {
        engine_task_info(d->engine, i, &info);
        sum += counter_of(&info, name);
    }
    return sum;
}

const char *
ps_driver_describe(struct ps_driver *d)
{
    check_obj(d, DRIVER_MAGIC);
    buf_clear(&d->text);
    engine_describe(d->engine, &d->text);
    return text_take(d);
}

uint64_t
ps_driver_digest(struct ps_driver *d)
{
    check_obj(d, DRIVER_MAGIC);
    return memory_digest(d->port);
}
