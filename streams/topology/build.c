/*
 * build.c: the words of <penstock/streams.h> that build a topology. Nothing
 * here fails: a mistake is noted and building goes on with something that
 * does no harm, so that all mistakes are seen at once.
 */
#include "config.h"

#include "topology/topology_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"

#define TOPOLOGY_BYTES_MAX (16 * MIB)

/* Serdes already resolved: one object for each address that was given, so
 * that equal serdes are equal pointers. */
struct serde_entry {
    const void *given;
    const struct ps_serde *serde;
    struct ps_serde made;
    struct serde_entry *next;
};

struct owned {
    void *conf;
    void (*free_fn)(void *);
    struct owned *next;
};

struct ps_topology *
topology_new(const char *app)
{
    struct ps_topology *t = xcalloc(1, sizeof *t);

    t->magic = TOPOLOGY_MAGIC;
    arena_init(&t->arena, TOPOLOGY_BYTES_MAX);
    t->app = arena_strndup(&t->arena, app, strlen(app));
    return t;
}

void
topology_free(struct ps_topology *t)
{
    if (t == NULL)
        return;
    check_obj(t, TOPOLOGY_MAGIC);
    for (struct owned *o = t->owned; o != NULL; o = o->next)
        o->free_fn(o->conf);
    arena_release(&t->arena);
    t->magic = 0;
    free(t);
}

void *
build_alloc(struct ps_topology *t, size_t size)
{
    void *p = arena_zalloc(&t->arena, size);

    assert(p != NULL);       /* nodes are counted, so the limit is not met */
    return p;
}

void
ps_mistake(struct ps_topology *t, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    check_obj(t, TOPOLOGY_MAGIC);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (t->mistake_count < MISTAKES_MAX)
        t->mistakes[t->mistake_count] =
            arena_strndup(&t->arena, text, strlen(text));
    t->mistake_count++;
}

void *
ps_own(struct ps_topology *t, void *conf, void (*free_fn)(void *))
{
    struct owned *o = build_alloc(t, sizeof *o);

    *o = (struct owned){conf, free_fn, t->owned};
    t->owned = o;
    return conf;
}

void
ps_on_error(struct ps_topology *t, enum ps_on_error how)
{
    check_obj(t, TOPOLOGY_MAGIC);
    t->on_error = how;
}

/* ---- parts -------------------------------------------------------------- */

const struct ps_serde *
build_serde(struct ps_topology *t, const void *given, const char *node)
{
    struct serde_entry *e;

    if (given == NULL)
        return NULL;
    for (e = t->serdes; e != NULL; e = e->next) {
        if (e->given == given)
            return e->serde;
    }
    e = build_alloc(t, sizeof *e);
    e->given = given;
    if (ps_serde_of(given, &e->made) != 0) {
        ps_mistake(t, "'%s': its serde is neither a struct ps_serde nor the "
            "descriptor of a message", node);
        return NULL;
    }
    e->serde = &e->made;
    if (((const struct ps_serde *)given)->magic == PS_SERDE_MAGIC)
        e->serde = given;
    e->next = t->serdes;
    t->serdes = e;
    return e->serde;
}

const struct ps_serde *
build_serde_need(struct ps_topology *t, const void *given, const char *node)
{
    if (given == NULL)
        ps_mistake(t, "'%s': it needs a serde", node);
    return build_serde(t, given, node);
}

void
build_name_check(struct ps_topology *t, const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
        "XYZ0123456789._-");

    if (name[0] == '\0' || name[n] != '\0')
        ps_mistake(t, "'%s': a name is made of letters, digits, '.', '_' and "
            "'-'", name);
    else if (n > TOPIC_NAME_MAX)
        ps_mistake(t, "'%s': a name has at most %d characters", name,
            TOPIC_NAME_MAX);
}

void
build_outlets(struct ps_topology *t, struct node *n, unsigned count)
{
    n->outs = build_alloc(t, count * sizeof *n->outs);
    n->out_count = count;
    for (unsigned i = 0; i < count; i++)
        n->outs[i].last = &n->outs[i].first;
}

struct node *
build_node(struct ps_topology *t, enum node_kind kind, const char *name,
    bool owns, const char *after)
{
    struct node *n = build_alloc(t, sizeof *n);

    check_obj(t, TOPOLOGY_MAGIC);
    assert(!t->finished);
    n->kind = kind;
    n->named = name != NULL;
    if (name != NULL) {
        n->name = arena_strndup(&t->arena, name, strlen(name));
        build_name_check(t, name);
    } else {
        n->name = arena_printf(&t->arena, "%s-%u", node_kind_name(kind),
            t->node_count);
        if (owns)
            ps_mistake(t, "the %s after '%s' has no name, but owns a log or "
                "a store", node_kind_name(kind), after);
    }
    build_outlets(t, n, 1);
    n->index = t->node_count;
    if (t->node_count < NODES_MAX)
        t->nodes[t->node_count++] = n;
    else
        ps_mistake(t, "'%s': more than %d nodes", n->name, NODES_MAX);
    return n;
}

static void
edge_add(struct ps_topology *t, struct node *from, unsigned out,
    struct node *to)
{
    struct edge *e = build_alloc(t, sizeof *e);

    e->to = to;
    *from->outs[out].last = e;
    from->outs[out].last = &e->next;
    to->parents++;
}

struct ps_stream *
build_stream(struct ps_topology *t, struct node *n, unsigned out,
    const struct ps_serde *key, const struct ps_serde *value,
    const char *unkeyed)
{
    struct ps_stream *s = build_alloc(t, sizeof *s);

    *s = (struct ps_stream){STREAM_MAGIC, t, n, out, key, value, 0, unkeyed};
    n->outs[out].key = key;
    n->outs[out].value = value;
    return s;
}

struct node *
build_node_after(struct ps_stream *s, enum node_kind kind, const char *name,
    bool owns)
{
    struct node *n;

    check_obj(s, STREAM_MAGIC);
    n = build_node(s->t, kind, name, owns, s->node->name);
    n->key_in = s->key;
    n->value_in = s->value;
    n->unkeyed = s->unkeyed;
    if (s->gathered > 0 && kind != NODE_PROCESS)
        ps_mistake(s->t, "'%s': what '%s' gathers goes into ps_process only",
            n->name, s->node->name);
    edge_add(s->t, s->node, s->out, n);
    return n;
}

struct store_spec *
topology_store(struct ps_topology *t, struct node *n, const char *name,
    const struct ps_serde *key, const struct ps_serde *value)
{
    struct store_spec *s = build_alloc(t, sizeof *s);

    *s = (struct store_spec){name, key, value, n, 0};
    build_name_check(t, name);
    if (t->store_count < TOPOLOGY_STORES_MAX)
        t->stores[t->store_count++] = s;
    else
        ps_mistake(t, "'%s': more than %d stores", name, TOPOLOGY_STORES_MAX);
    return s;
}

const char *
build_text(struct ps_topology *t, const char *fmt, const char *name)
{
    char text[300];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, fmt, name);
#pragma GCC diagnostic pop
    return arena_strndup(&t->arena, text, strlen(text));
}

/* ---- sources ------------------------------------------------------------ */

struct ps_stream *
ps_stream_keyed(struct ps_topology *t, const char *topic,
    const void *key_serde, const void *serde)
{
    struct node *n = build_node(t, NODE_SOURCE, NULL, false, "");

    n->name = topic = arena_strndup(&t->arena, topic, strlen(topic));
    build_name_check(t, topic);
    n->topic = topic;
    n->inputs = 1;
    n->values[0] = build_serde_need(t, serde, topic);
    n->key_out = build_serde_need(t, key_serde, topic);
    return build_stream(t, n, 0, n->key_out, n->values[0],
        build_text(t, "the producers of topic '%s' choose its partitions",
            topic));
}

struct ps_stream *
ps_stream(struct ps_topology *t, const char *topic, const void *serde)
{
    return ps_stream_keyed(t, topic, &ps_string, serde);
}

struct ps_stream *
ps_trust(struct ps_stream *s)
{
    if (s == NULL)
        return NULL;
    if (s->node->kind != NODE_SOURCE)
        ps_mistake(s->t, "'%s': ps_trust takes what ps_stream gave",
            s->node->name);
    s->node->trusted = true;
    s->unkeyed = NULL;
    return s;
}

struct ps_stream *
ps_event_time(struct ps_stream *s, ps_time_fn fn, void *conf)
{
    if (s == NULL)
        return NULL;
    if (s->node->kind != NODE_SOURCE || s->node->internal)
        ps_mistake(s->t, "'%s': ps_event_time takes what ps_stream gave",
            s->node->name);
    s->node->time_fn = fn;
    s->node->time_conf = conf;
    return s;
}

/* ---- operators without state -------------------------------------------- */

static struct ps_stream *
op_test(struct ps_stream *s, const char *name, ps_test_fn fn, void *conf,
    bool negate)
{
    struct node *n;

    if (s == NULL)
        return NULL;
    n = build_node_after(s, NODE_FILTER, name, false);
    n->fn.test = fn;
    n->conf = conf;
    n->negate = negate;
    return build_stream(s->t, n, 0, s->key, s->value, s->unkeyed);
}

struct ps_stream *
ps_filter(struct ps_stream *s, const char *name, ps_test_fn fn, void *conf)
{
    return op_test(s, name, fn, conf, false);
}

struct ps_stream *
ps_filter_not(struct ps_stream *s, const char *name, ps_test_fn fn, void *conf)
{
    return op_test(s, name, fn, conf, true);
}

/* What comes out of an operator that makes new values: given serdes, or the
 * stream's; and whether its key is still the one that came in. */
static struct ps_stream *
op_made(struct ps_stream *s, struct node *n, const void *key_serde,
    const void *serde, bool new_key)
{
    struct ps_topology *t = s->t;
    const struct ps_serde *key = build_serde(t, key_serde, n->name),
                          *value = build_serde(t, serde, n->name);
    const char *unkeyed = s->unkeyed;

    if (new_key)
        unkeyed = build_text(t, "'%s' changes the key", n->name);
    return build_stream(t, n, 0, key != NULL ? key : s->key,
        value != NULL ? value : s->value, unkeyed);
}

struct ps_stream *
ps_map(struct ps_stream *s, const char *name, ps_pair_fn fn, void *conf,
    const void *key_serde, const void *serde)
{
    struct node *n;

    if (s == NULL)
        return NULL;
    n = build_node_after(s, NODE_MAP, name, false);
    n->fn.pair = fn;
    n->conf = conf;
    return op_made(s, n, key_serde, serde, true);
}

struct ps_stream *
ps_map_values(struct ps_stream *s, const char *name, ps_val_fn fn, void *conf,
    const void *serde)
{
    struct node *n;

    if (s == NULL)
        return NULL;
    n = build_node_after(s, NODE_MAP_VALUES, name, false);
    n->fn.val = fn;
    n->conf = conf;
    return op_made(s, n, NULL, serde, false);
}

struct ps_stream *
ps_flat_map(struct ps_stream *s, const char *name, ps_fn fn, void *conf,
    const void *key_serde, const void *serde)
{
    struct node *n;

    if (s == NULL)
        return NULL;
    n = build_node_after(s, NODE_FLAT_MAP, name, false);
    n->fn.any = fn;
    n->conf = conf;
    return op_made(s, n, key_serde, serde, true);
}

struct ps_stream *
ps_select_key(struct ps_stream *s, const char *name, ps_val_fn fn, void *conf,
    const void *key_serde)
{
    struct node *n;

    if (s == NULL)
        return NULL;
    n = build_node_after(s, NODE_SELECT_KEY, name, false);
    n->fn.val = fn;
    n->conf = conf;
    return op_made(s, n, key_serde, NULL, true);
}

struct ps_stream *
ps_peek(struct ps_stream *s, const char *name, ps_fn fn, void *conf)
{
    struct node *n;

    if (s == NULL)
        return NULL;
    n = build_node_after(s, NODE_PEEK, name, false);
    n->fn.any = fn;
    n->conf = conf;
    return build_stream(s->t, n, 0, s->key, s->value, s->unkeyed);
}

struct ps_stream *
ps_branch(struct ps_stream *s, const char *name, ps_test_fn fn, void *conf,
    struct ps_stream **rest)
{
    struct node *n;

    if (s == NULL) {
        *rest = NULL;
        return NULL;
    }
    n = build_node_after(s, NODE_BRANCH, name, false);
    n->fn.test = fn;
    n->conf = conf;
    build_outlets(s->t, n, 2);
    n->outs[1].name = "rest";
    *rest = build_stream(s->t, n, 1, s->key, s->value, s->unkeyed);
    return build_stream(s->t, n, 0, s->key, s->value, s->unkeyed);
}

struct ps_stream *
ps_merge(struct ps_stream *a, struct ps_stream *b)
{
    struct node *n;

    if (a == NULL || b == NULL)
        return a == NULL ? b : a;
    n = build_node_after(a, NODE_MERGE, NULL, false);
    if (a->t != b->t) {
        ps_mistake(a->t, "'%s' merges streams of two topologies", n->name);
        return a;
    }
    if (b->gathered > 0)
        ps_mistake(a->t, "'%s': what '%s' gathers goes into ps_process only",
            n->name, b->node->name);
    edge_add(a->t, b->node, b->out, n);
    if (n->unkeyed == NULL)
        n->unkeyed = b->unkeyed;
    if (!serde_agrees(a->key, b->key) || !serde_agrees(a->value, b->value))
        ps_mistake(a->t, "'%s': '%s' and '%s' have different types", n->name,
            a->node->name, b->node->name);
    return build_stream(a->t, n, 0, a->key != NULL ? a->key : b->key,
        a->value != NULL ? a->value : b->value,
        a->unkeyed != NULL ? a->unkeyed : b->unkeyed);
}
