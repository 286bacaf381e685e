/*
 * sink.c: where a record leaves its task: into a topic, or into a log of our
 * own. Partition: murmur2 of the key's bytes, as Java's producer does it; a
 * record without a key keeps the number of its task's partition.
 */
#include "config.h"

#include "task/task_priv.h"

#include <stdlib.h>

#include "base/alloc.h"

enum { NAMED_TOPICS_MAX = 10000 };

/* A topic that ps_to_named() has named once. */
struct named_topic {
    struct port_topic topic;
    struct app *app;
    size_t len;                  /* of the name */
    char name[];
};

static int32_t
partition_of(const struct task *t, const struct port_topic *topic,
    struct span key)
{
    uint32_t n = (uint32_t)topic->partitions;

    if (key.ptr == NULL)
        return (int32_t)((uint32_t)t->partition % n);
    return (int32_t)((murmur2(key) & 0x7fffffff) % n);
}

static void
emit(struct ps_ctx *c, const struct port_topic *topic, struct span key,
    struct span value, int64_t timestamp, const struct port_header *headers,
    unsigned header_count)
{
    struct port_out o = {
        .topic = topic,
        .partition = partition_of(c->task, topic, key),
        .timestamp = timestamp,
        .key = key,
        .value = value,
        .headers = headers,
        .header_count = header_count,
        .cause_input = c->root == NULL ? -1 : (int16_t)c->root_input,
        .cause_offset = c->root == NULL ? -1 : c->root->offset};

    scratch_emit(c, &o);
}

/* ---- logs of our own ---------------------------------------------------- */

static int64_t
integer_at(const ProtobufCFieldDescriptor *f, const uint8_t *at)
{
    int64_t i64;
    int32_t i32;
    uint32_t u32;

    memcpy(&i32, at, sizeof i32);
    memcpy(&u32, at, sizeof u32);
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return i32;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return u32;
    default:
        memcpy(&i64, at, sizeof i64);
        return i64;
    }
}

static bool
field_is_set(const ProtobufCFieldDescriptor *f, const uint8_t *message)
{
    const uint8_t *quantifier = message + f->quantifier_offset;
    uint32_t which;
    protobuf_c_boolean has;

    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        memcpy(&which, quantifier, sizeof which);
        return which == f->id;
    }
    if (f->label != PROTOBUF_C_LABEL_OPTIONAL ||
        f->type == PROTOBUF_C_TYPE_STRING)
        return true;
    memcpy(&has, quantifier, sizeof has);
    return has != 0;
}

/* A field that was read out of the value's bytes as a key. */
static struct ps_val
single_key(struct ps_ctx *c, const ProtobufCFieldDescriptor *f,
    const union pb_single *single)
{
    const ProtobufCEnumValue *v;

    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        return ps_make(PS_STRING, arena_strndup(&c->arena,
            (const char *)single->bytes.ptr, single->bytes.len),
            single->bytes.len);
    case PROTOBUF_C_TYPE_BYTES:
        return ps_mem(single->bytes.ptr, single->bytes.len);
    case PROTOBUF_C_TYPE_ENUM:
        v = protobuf_c_enum_descriptor_get_value(f->descriptor, single->i32);
        return v == NULL ? ps_null() : ps_str(v->name);
    default:
        return ps_i64(integer_at(f, (const uint8_t *)single));
    }
}

/* The field of a message as a key; null if it is not set. */
static struct ps_val
field_key(const ProtobufCFieldDescriptor *f, const void *message)
{
    const uint8_t *at = (const uint8_t *)message + f->offset;
    const ProtobufCEnumValue *v;
    ProtobufCBinaryData bytes;
    const char *text;
    int number;

    if (!field_is_set(f, message))
        return ps_null();
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        memcpy(&text, at, sizeof text);
        return ps_str(text);
    case PROTOBUF_C_TYPE_BYTES:
        memcpy(&bytes, at, sizeof bytes);
        return ps_mem(bytes.len == 0 ? (const uint8_t *)"" : bytes.data,
            bytes.len);
    case PROTOBUF_C_TYPE_ENUM:
        memcpy(&number, at, sizeof number);
        v = protobuf_c_enum_descriptor_get_value(f->descriptor, number);
        return v == NULL ? ps_null() : ps_str(v->name);
    default:
        return ps_i64(integer_at(f, at));
    }
}

/* The key of a log that is keyed by a field of the value. The value itself is
 * not needed for it, if nobody else has asked for it. */
static bool
key_by_field(struct ps_ctx *c, const struct node *n, struct rec *r,
    struct span *key)
{
    union pb_single single;
    struct ps_val v;

    if (rec_field(c, r, n->field, &single)) {
        /* checked, and as the serde would write it */
        if (n->key_out->encode == ps_string.encode &&
            n->field->type == PROTOBUF_C_TYPE_STRING) {
            *key = single.bytes;
            return true;
        }
        v = single_key(c, n->field, &single);
    } else {
        if (c->failed || !rec_need_value(c, r))
            return false;
        if (r->pub.value == NULL) {
            ctx_fail(c, "ProcessingError", "a tombstone has no field '%s' to "
                "be keyed by", n->field->name);
            return false;
        }
        v = field_key(n->field, r->pub.value);
    }
    return val_encode(c, n->key_out, v, PS_FORMAT_PLAIN, "the key", key);
}

static bool
log_key(struct ps_ctx *c, const struct node *n, struct rec *r,
    struct span *key)
{
    if (n->field == NULL ? !rec_key_bytes(c, r, n->key_out, key)
        : !key_by_field(c, n, r, key))
        return false;
    if (key->ptr == NULL)
        ctx_fail(c, "ProcessingError", "a record without a key");
    return !c->failed;
}

static void
sink_log(struct ps_ctx *c, const struct node *n, struct rec *r)
{
    const struct port_header *headers = c->headers;
    unsigned count = c->header_count;
    struct port_header *tagged;
    struct span key, value;

    if (!log_key(c, n, r, &key) ||
        !rec_value_bytes(c, r, n->value_out, PS_FORMAT_PLAIN, &value))
        return;
    if (n->log->inputs > 1) {
        tagged = ps_alloc(c, (count + 1) * sizeof *tagged + 1);
        if (tagged == NULL)
            return;
        if (count > 0)
            memcpy(tagged + 1, headers, count * sizeof *tagged);
        ((uint8_t *)(tagged + count + 1))[0] = (uint8_t)n->input;
        tagged[0].name = span_of(HEADER_INPUT, sizeof HEADER_INPUT - 1);
        tagged[0].value = span_of(tagged + count + 1, 1);
        headers = tagged;
        count++;
    }
    emit(c, &c->task->app->topics[n->index], key, value, r->pub.timestamp,
        headers, count);
}

/* ---- topics ------------------------------------------------------------- */

void
sink_topics_free(struct ps_ctx *c)
{
    struct named_topic *t;

    for (size_t i = 0; (t = table_next(&c->topics, &i)) != NULL;)
        free(t);
    table_release(&c->topics);
}

static const struct port_topic *
topic_by_name(struct ps_ctx *c, const char *name)
{
    struct named_topic *t = table_get(&c->topics, span_str(name));
    struct port *port = c->engine->port;
    size_t len = strlen(name);
    struct err err;

    if (t != NULL)
        return &t->topic;
    if (c->topics.count >= NAMED_TOPICS_MAX) {
        ctx_fail(c, "OutputError", "more than %d topics by name",
            NAMED_TOPICS_MAX);
        return NULL;
    }
    t = xcalloc(1, sizeof *t + len + 1);
    memcpy(t->name, name, len);
    if (port->ops->topic(port, name, PORT_TOPIC, 0, &t->topic, &err) != 0) {
        ctx_fail(c, "OutputError", "%s", err.text);
        free(t);
        return NULL;
    }
    table_put(&c->topics, span_str(t->name), t);
    return &t->topic;
}

static void
sink_topic(struct ps_ctx *c, const struct node *n, struct rec *r)
{
    const struct port_topic *topic = &c->task->app->topics[n->index];
    struct span key, value;
    const char *name;

    if (n->kind == NODE_TO_NAMED) {
        if (!rec_need_value(c, r))
            return;
        name = n->fn.name(c, &r->pub, n->conf);
        if (c->failed || name == NULL)
            return;
        topic = topic_by_name(c, name);
        if (topic == NULL)
            return;
    }
    if (rec_key_bytes(c, r, n->key_out, &key) &&
        rec_value_bytes(c, r, n->value_out, topic->format, &value))
        emit(c, topic, key, value, r->pub.timestamp, c->headers,
            c->header_count);
}

void
sink_run(struct ps_ctx *c, const struct node *n, struct rec *r)
{
    if (n->kind == NODE_REPARTITION)
        sink_log(c, n, r);
    else
        sink_topic(c, n, r);
}

void
sink_root(struct ps_ctx *c, const struct port_topic *topic,
    const struct port_header *more, unsigned count)
{
    const struct port_record *r = c->root;
    struct port_header *all;
    unsigned n = r->header_count;

    all = arena_calloc(&c->arena, n + count, sizeof *all);
    if (all == NULL) {
        ctx_fail(c, "OutputError", "no memory left for this record");
        return;
    }
    if (n > 0)
        memcpy(all, r->headers, n * sizeof *all);
    memcpy(all + n, more, count * sizeof *all);
    emit(c, topic, r->key, r->value, r->timestamp, all, n + count);
}
