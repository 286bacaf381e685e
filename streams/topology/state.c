/*
 * state.c: the words that give a topology logs and stores of its own, and
 * those that end a stream. See build.c.
 */
#include "config.h"

#include "topology/topology_priv.h"

#include "base/check.h"

/* ---- logs of our own ---------------------------------------------------- */

static const struct ps_serde *
field_serde(struct ps_topology *t, const char *node,
    const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f)
{
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        ps_mistake(t, "'%s': field '%s' of %s is repeated, so it is no key",
            node, f->name, d->name);
        return NULL;
    }
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_ENUM:
        return &ps_string;
    case PROTOBUF_C_TYPE_BYTES:
        return &ps_bytes;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return &ps_int64;
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_MESSAGE:
        break;
    }
    ps_mistake(t, "'%s': field '%s' of %s has a type that makes no key", node,
        f->name, d->name);
    return NULL;
}

/* Sets field and key of a writing node. */
static void
key_of_field(struct ps_stream *s, struct node *n, const char *field)
{
    const ProtobufCMessageDescriptor *d;

    n->key_out = s->key;
    if (field == NULL)
        return;
    n->key_out = NULL;
    if (s->value == NULL)        /* writer_new() says what is missing */
        return;
    if (s->value->type != PS_MESSAGE) {
        ps_mistake(s->t, "'%s': field '%s' of %s, which is no message",
            n->name, field, s->value->name);
        return;
    }
    d = s->value->conf;
    n->field = protobuf_c_message_descriptor_get_field_by_name(d, field);
    if (n->field == NULL)
        ps_mistake(s->t, "'%s': there is no field '%s' of %s", n->name, field,
            d->name);
    else
        n->key_out = field_serde(s->t, n->name, d, n->field);
}

/* A node that writes `s` into the log that `source` reads. */
static struct node *
writer_new(struct ps_stream *s, const char *name, bool owns, const char *topic,
    const char *field)
{
    struct node *n = build_node_after(s, NODE_REPARTITION, name, owns);

    n->topic = topic;
    key_of_field(s, n, field);
    n->value_out = s->value;
    if (s->value == NULL && s->gathered == 0)
        ps_mistake(s->t, "'%s': the type of its values is not known; say .out "
            "in '%s'", n->name, s->node->name);
    return n;
}

static const char *
log_name(struct ps_topology *t, const char *name)
{
    return arena_printf(&t->arena, "%s-%s-repartition", t->app, name);
}

static struct node *
log_source(struct ps_topology *t, const char *name, const char *topic,
    unsigned inputs)
{
    struct node *n = build_node(t, NODE_SOURCE, NULL, false, "");

    n->name = name;
    n->topic = topic;
    n->internal = true;
    n->inputs = inputs;
    return n;
}

static struct ps_stream *
repartition(struct ps_stream *s, const char *name, const char *log,
    const char *field)
{
    struct ps_topology *t = s->t;
    struct node *w = writer_new(s, name, true, NULL, field), *n;

    w->topic = log_name(t, log != NULL ? log : w->name);
    n = log_source(t, w->topic, w->topic, 1);
    n->key_out = w->key_out;
    n->values[0] = w->value_out;
    w->log = n;
    return build_stream(t, n, 0, n->key_out, n->values[0], NULL);
}

struct ps_stream *
ps_repartition(struct ps_stream *s, const char *name, const char *field)
{
    return s == NULL ? NULL : repartition(s, name, NULL, field);
}

struct ps_stream *
ps_group(struct ps_stream *s, const char *name, const char *field)
{
    return ps_repartition(s, name, field);
}

struct ps_stream *
ps_gather(struct ps_topology *t, const char *name, const struct ps_from *from)
{
    const char *label = name != NULL ? name : "gather";
    const char *topic = log_name(t, label);
    struct ps_stream *out;
    struct node *n;
    unsigned count = 0;

    if (name == NULL)
        ps_mistake(t, "a gather has no name, but owns a log");
    else
        build_name_check(t, name);
    n = log_source(t, topic, topic, 0);
    for (; from->stream != NULL; from++) {
        struct node *w;

        if (from->stream->t != t || count == PS_INPUTS_MAX) {
            ps_mistake(t, "'%s': it gathers at most %d streams of its own "
                "topology", label, PS_INPUTS_MAX);
            break;
        }
        w = writer_new(from->stream, arena_printf(&t->arena, "%s.%u", label,
            count), true, topic, from->field);
        w->log = n;
        w->input = count;
        n->values[count++] = w->value_out;
        if (n->key_out == NULL)
            n->key_out = w->key_out;
        else if (!serde_agrees(w->key_out, n->key_out))
            ps_mistake(t, "'%s': the keys have different types: %s from '%s', "
                "%s before", label, w->key_out->name,
                from->stream->node->name, n->key_out->name);
    }
    if (count == 0)
        ps_mistake(t, "'%s': it gathers nothing (a NULL stream ends the list)",
            label);
    n->inputs = count;
    out = build_stream(t, n, 0, n->key_out, NULL, NULL);
    out->gathered = count;
    return out;
}

/* ---- nodes with state --------------------------------------------------- */

static void
processor_stores(struct ps_topology *t, struct node *n)
{
    const struct ps_processor *p = n->processor;
    unsigned count = PS_STORES_MAX;

    while (count > 0 && p->stores[count - 1].name == NULL)
        count--;
    n->stores = build_alloc(t, PS_STORES_MAX * sizeof *n->stores);
    n->store_count = count;
    for (unsigned i = 0; i < count; i++) {
        const struct ps_store_spec *s = &p->stores[i];

        if (s->name != NULL)
            n->stores[i] = topology_store(t, n, s->name,
                build_serde_need(t, s->key, s->name),
                build_serde_need(t, s->value, s->name));
    }
    if (p->on_timer != NULL)
        n->timers = topology_store(t, n,
            arena_printf(&t->arena, "%s.timers", n->name), &ps_bytes,
            &ps_bytes);
}

static void
processor_inputs(struct ps_stream *s, struct node *n)
{
    const struct ps_processor *p = n->processor;
    unsigned inputs = s->gathered > 0 ? s->gathered : 1;

    for (unsigned i = 0; i < PS_INPUTS_MAX; i++) {
        if (i < inputs && p->on[i] == NULL)
            ps_mistake(s->t, "'%s': no .on[%u] for its input %u", n->name, i,
                i);
        if (i >= inputs && p->on[i] != NULL)
            ps_mistake(s->t, "'%s': there is no input %u for its .on[%u]",
                n->name, i, i);
    }
}

struct ps_stream *
ps_process(struct ps_stream *s, const char *name,
    const struct ps_processor *p, void *conf)
{
    struct ps_topology *t;
    const struct ps_serde *key, *value;
    struct node *n;
    unsigned outs = 1;

    if (s == NULL)
        return NULL;
    t = s->t;
    n = build_node_after(s, NODE_PROCESS, name,
        p->stores[0].name != NULL || p->on_timer != NULL);
    n->processor = p;
    n->conf = conf;
    processor_inputs(s, n);
    processor_stores(t, n);
    while (outs <= PS_OUTPUTS_MAX && p->outs[outs - 1].name != NULL)
        outs++;
    build_outlets(t, n, outs);
    for (unsigned i = 1; i < outs; i++) {
        const struct ps_output_spec *o = &p->outs[i - 1];

        key = build_serde(t, o->key, n->name);
        n->outs[i].name = o->name;
        n->outs[i].key = key != NULL ? key : s->key;
        n->outs[i].value = build_serde(t, o->value, n->name);
    }
    key = build_serde(t, p->out.key, n->name);
    value = build_serde(t, p->out.value, n->name);
    return build_stream(t, n, 0, key != NULL ? key : s->key, value,
        p->keeps_key ? s->unkeyed :
        build_text(t, "'%s' may change the key (it does not say .keeps_key)",
            n->name));
}

struct ps_stream *
ps_output(struct ps_stream *s, const char *name)
{
    struct node *n;

    if (s == NULL)
        return NULL;
    n = s->node;
    for (unsigned i = 1; n->kind == NODE_PROCESS && i < n->out_count; i++) {
        if (strcmp(n->outs[i].name, name) == 0)
            return build_stream(s->t, n, i, n->outs[i].key, n->outs[i].value,
                build_text(s->t, "'%s' may change the key", n->name));
    }
    ps_mistake(s->t, "'%s' has no output '%s' in .outs", n->name, name);
    return NULL;
}

/* A node with one store of its own name. */
static struct ps_table *
table_new(struct ps_stream *s, enum node_kind kind, const char *name,
    const struct ps_serde *value, union node_fn fn, void *conf)
{
    struct ps_topology *t = s->t;
    struct node *n = build_node_after(s, kind, name, true);
    struct ps_table *table = build_alloc(t, sizeof *table);

    n->fn = fn;
    n->conf = conf;
    n->stores = build_alloc(t, sizeof *n->stores);
    n->store_count = 1;
    n->stores[0] = topology_store(t, n, n->name, s->key, value);
    if (s->key == NULL || value == NULL)
        ps_mistake(t, "'%s': the types of keys and values must be known; say "
            ".out in '%s'", n->name, s->node->name);
    table->updates = *build_stream(t, n, 0, s->key, value, s->unkeyed);
    return table;
}

struct ps_table *
ps_to_table(struct ps_stream *s, const char *name)
{
    union node_fn none = {NULL};

    return s == NULL ? NULL
        : table_new(s, NODE_TABLE, name, s->value, none, NULL);
}

struct ps_table *
ps_table(struct ps_topology *t, const char *name, const char *topic,
    const void *serde, bool trusted)
{
    struct ps_stream *s = ps_stream(t, topic, serde);

    if (trusted)
        s = ps_trust(s);
    else if (name != NULL)
        s = repartition(s, arena_printf(&t->arena, "%s.log", name), name,
            NULL);
    return ps_to_table(s, name);
}

struct ps_table *
ps_count_by_key(struct ps_stream *s, const char *name)
{
    union node_fn none = {NULL};

    return s == NULL ? NULL
        : table_new(s, NODE_COUNT, name, &ps_int64, none, NULL);
}

struct ps_table *
ps_reduce(struct ps_stream *s, const char *name, ps_fold_fn fn, void *conf)
{
    union node_fn f = {.fold = fn};

    return s == NULL ? NULL
        : table_new(s, NODE_REDUCE, name, s->value, f, conf);
}

struct ps_table *
ps_aggregate(struct ps_stream *s, const char *name, ps_fold_fn add, void *conf,
    const void *serde)
{
    union node_fn f = {.fold = add};

    return s == NULL ? NULL
        : table_new(s, NODE_AGGREGATE, name,
            build_serde(s->t, serde, name != NULL ? name : "aggregate"), f,
            conf);
}

struct ps_stream *
ps_table_updates(struct ps_table *table)
{
    return table == NULL ? NULL : &table->updates;
}

/* ---- sinks -------------------------------------------------------------- */

static struct node *
sink_new(struct ps_stream *s, enum node_kind kind, const char *name,
    const char *topic, const void *serde)
{
    struct node *n = build_node_after(s, kind, name, false);

    if (topic != NULL) {
        n->name = n->topic = arena_strndup(&s->t->arena, topic,
            strlen(topic));
        build_name_check(s->t, topic);
    }
    n->key_out = s->key;
    n->value_out = build_serde(s->t, serde, n->name);
    if (n->value_out == NULL)
        n->value_out = s->value;
    if (n->value_out == NULL)
        ps_mistake(s->t, "'%s': it needs a serde, since '%s' says no .out",
            n->name, s->node->name);
    if (!serde_agrees(s->value, n->value_out))
        ps_mistake(s->t, "'%s' takes %s, but '%s' gives %s", n->name,
            n->value_out->name, s->node->name, s->value->name);
    return n;
}

void
ps_to(struct ps_stream *s, const char *topic, const void *serde)
{
    if (s != NULL)
        sink_new(s, NODE_TO, NULL, topic, serde);
}

void
ps_to_named(struct ps_stream *s, const char *name, ps_name_fn fn, void *conf,
    const void *serde)
{
    struct node *n;

    if (s == NULL)
        return;
    n = sink_new(s, NODE_TO_NAMED, name, NULL, serde);
    n->fn.name = fn;
    n->conf = conf;
}
