/*
 * check.c: what is wrong with a topology as a whole, and how it falls into
 * sub-topologies. See the invariants in topology.h: this file makes them
 * true or says which node is to blame.
 */
#include "config.h"

#include "topology/topology.h"

#include "base/check.h"
#include "base/table.h"

static const char *const kind_names[NODE_KIND_COUNT] = {
#define X(name, text) text,
    NODE_KINDS(X)
#undef X
};

const char *
node_kind_name(enum node_kind kind)
{
    return kind_names[kind];
}

bool
node_is_sink(const struct node *n)
{
    return n->kind == NODE_REPARTITION || n->kind == NODE_TO ||
        n->kind == NODE_TO_NAMED;
}

static bool
node_has_state(const struct node *n)
{
    return n->store_count > 0 || n->timers != NULL;
}

bool
serde_agrees(const struct ps_serde *from, const struct ps_serde *to)
{
    if (from == NULL || to == NULL || from == to)
        return true;
    if (from->type != to->type)
        return false;
    /* a message by its descriptor; an object only by its own serde */
    return from->type == PS_MESSAGE ? from->conf == to->conf
        : from->type != PS_OBJECT;
}

/* ---- single nodes ------------------------------------------------------- */

static void
check_names(struct ps_topology *t)
{
    struct table names;

    table_init(&names);
    for (unsigned i = 0; i < t->node_count; i++) {
        if (t->nodes[i]->named && table_put(&names,
            span_str(t->nodes[i]->name), t->nodes[i]) != NULL)
            ps_mistake(t, "'%s': two nodes have this name",
                t->nodes[i]->name);
    }
    table_release(&names);
    table_init(&names);
    for (unsigned i = 0; i < t->store_count; i++) {
        const struct node *other, *owner = t->stores[i]->owner;

        other = table_put(&names, span_str(t->stores[i]->name),
            t->stores[i]->owner);
        if (other != NULL)
            ps_mistake(t, "store '%s' is used twice, by '%s' and by '%s'",
                t->stores[i]->name, other->name, owner->name);
    }
    table_release(&names);
}

/* Records that nobody takes are a forgotten line of the builder. */
static void
check_leads_on(struct ps_topology *t, const struct node *n)
{
    bool any = false;

    for (unsigned i = 0; i < n->out_count; i++) {
        any |= n->outs[i].first != NULL;
        if (i > 0 && n->kind == NODE_PROCESS && n->outs[i].first == NULL)
            ps_mistake(t, "'%s': nobody takes its output '%s'", n->name,
                n->outs[i].name);
    }
    if (!any && !node_is_sink(n) && !node_has_state(n) &&
        n->kind != NODE_PROCESS && n->kind != NODE_PEEK)
        ps_mistake(t, "'%s' leads nowhere", n->name);
}

static void
check_state(struct ps_topology *t, const struct node *n)
{
    if (node_has_state(n) && n->unkeyed != NULL)
        ps_mistake(t, "'%s' has state, but %s: put ps_repartition or "
            "ps_gather before it", n->name, n->unkeyed);
}

static void
check_function(struct ps_topology *t, const struct node *n)
{
    switch (n->kind) {
    case NODE_FILTER:
    case NODE_BRANCH:
    case NODE_MAP:
    case NODE_MAP_VALUES:
    case NODE_FLAT_MAP:
    case NODE_SELECT_KEY:
    case NODE_PEEK:
    case NODE_REDUCE:
    case NODE_AGGREGATE:
    case NODE_TO_NAMED:
        if (n->fn.any == NULL)
            ps_mistake(t, "'%s' has no function", n->name);
        break;
    case NODE_SOURCE:
    case NODE_MERGE:
    case NODE_PROCESS:
    case NODE_TABLE:
    case NODE_COUNT:
    case NODE_REPARTITION:
    case NODE_TO:
    case NODE_KIND_COUNT:
        break;
    }
}

/* ---- loops -------------------------------------------------------------- */

/* Does every record that comes to `n` reach the topic? Then it comes back
 * for ever. Nodes that may hold a record back end the walk. */
static bool
always_reaches(const struct node *n, const char *topic, unsigned depth)
{
    if (depth > NODES_MAX)
        return false;
    if (n->kind == NODE_TO)
        return strcmp(n->topic, topic) == 0;
    if (n->kind == NODE_REPARTITION)
        return n->log != NULL && always_reaches(n->log, topic, depth + 1);
    if (n->kind != NODE_SOURCE && n->kind != NODE_MAP &&
        n->kind != NODE_MAP_VALUES && n->kind != NODE_SELECT_KEY &&
        n->kind != NODE_PEEK && n->kind != NODE_MERGE)
        return false;
    for (const struct edge *e = n->outs[0].first; e != NULL; e = e->next) {
        if (always_reaches(e->to, topic, depth + 1))
            return true;
    }
    return false;
}

static void
check_loops(struct ps_topology *t)
{
    for (unsigned i = 0; i < t->node_count; i++) {
        const struct node *n = t->nodes[i];

        if (n->kind == NODE_SOURCE && !n->internal &&
            always_reaches(n, n->topic, 0))
            ps_mistake(t, "'%s': a cycle: every record of this topic is "
                "written to it again", n->topic);
    }
}

/* ---- sub-topologies ----------------------------------------------------- */

static unsigned
root_of(unsigned *root, unsigned i)
{
    while (root[i] != i)
        i = root[i] = root[root[i]];
    return i;
}

static void
join_nodes(struct ps_topology *t, unsigned *root)
{
    for (unsigned i = 0; i < t->node_count; i++) {
        const struct node *n = t->nodes[i];

        for (unsigned o = 0; o < n->out_count; o++) {
            for (struct edge *e = n->outs[o].first; e != NULL; e = e->next) {
                unsigned a = root_of(root, i),
                         b = root_of(root, e->to->index);

                assert(e->to->index > i);
                /* the smaller index leads, so that numbers are stable */
                if (a < b)
                    root[b] = a;
                else
                    root[a] = b;
            }
        }
    }
}

static void
sub_fill(struct ps_topology *t, struct sub *s, unsigned index)
{
    s->sources = arena_calloc(&t->arena, t->node_count, sizeof *s->sources);
    s->stores = arena_calloc(&t->arena, t->store_count + 1,
        sizeof *s->stores);
    assert(s->sources != NULL);
    assert(s->stores != NULL);
    for (unsigned i = 0; i < t->node_count; i++) {
        struct node *n = t->nodes[i];

        if (n->sub != index)
            continue;
        if (n->kind == NODE_SOURCE)
            s->sources[s->source_count++] = n;
        if (n->processor != NULL && n->processor->outside)
            s->outside = true;
        if (s->name == NULL && node_has_state(n))
            s->name = n->name;
    }
    if (s->name == NULL && s->source_count > 0)
        s->name = s->sources[0]->topic;
    for (unsigned i = 0; i < t->store_count; i++) {
        if (t->stores[i]->owner->sub == index) {
            t->stores[i]->local = s->store_count;
            s->stores[s->store_count++] = t->stores[i];
        }
    }
}

/* Task names are on the disk: two subs that read one topic get a number. */
static void
subs_name(struct ps_topology *t)
{
    for (unsigned i = 0; i < t->sub_count; i++) {
        const char *name = t->subs[i].name;
        unsigned same = 1;

        for (unsigned j = 0; j < i; j++)
            same += strcmp(t->subs[j].name, name) == 0;
        if (same > 1)
            t->subs[i].name = arena_printf(&t->arena, "%s.%u", name, same);
    }
}

static void
divide(struct ps_topology *t)
{
    unsigned root[NODES_MAX], numbers[NODES_MAX];

    for (unsigned i = 0; i < t->node_count; i++)
        root[i] = i;
    join_nodes(t, root);
    for (unsigned i = 0; i < t->node_count; i++) {
        unsigned r = root_of(root, i);

        if (r == i)
            numbers[i] = t->sub_count++;
        t->nodes[i]->sub = numbers[r];
    }
    t->subs = arena_calloc(&t->arena, t->sub_count + 1, sizeof *t->subs);
    assert(t->subs != NULL);
    for (unsigned i = 0; i < t->sub_count; i++)
        sub_fill(t, &t->subs[i], i);
    subs_name(t);
}

static void
check_subs(struct ps_topology *t)
{
    for (unsigned i = 0; i < t->sub_count; i++) {
        const struct sub *s = &t->subs[i];

        if (s->source_count > PS_INPUTS_MAX)
            ps_mistake(t, "'%s': %u topics meet in one task, more than %d",
                s->name, s->source_count, PS_INPUTS_MAX);
        if (s->store_count > 0 && s->source_count > 1)
            ps_mistake(t, "'%s' has state and %u inputs ('%s' and '%s'): "
                "gather them into one log", s->name, s->source_count,
                s->sources[0]->topic, s->sources[1]->topic);
    }
}

/* ---- all of it ---------------------------------------------------------- */

/* What is on the disk under names: a change here needs a reset. Operators
 * without state may come and go. */
static uint64_t
fingerprint(const struct ps_topology *t)
{
    struct buf b;
    uint64_t print;

    buf_init(&b, 1 << 20);
    for (unsigned i = 0; i < t->node_count; i++) {
        const struct node *n = t->nodes[i];

        if (n->kind == NODE_SOURCE) {
            buf_printf(&b, "in %s %s", n->topic,
                n->key_out != NULL ? n->key_out->name : "-");
            for (unsigned v = 0; v < n->inputs; v++)
                buf_printf(&b, " %s", n->values[v]->name);
            buf_printf(&b, " of %s\n", t->subs[n->sub].name);
        }
    }
    for (unsigned i = 0; i < t->store_count; i++) {
        const struct store_spec *s = t->stores[i];

        buf_printf(&b, "store %s %s %s of %s\n", s->name, s->key->name,
            s->value->name, t->subs[s->owner->sub].name);
    }
    print = hash_bytes(buf_span(&b));
    buf_release(&b);
    return print;
}

int
topology_finish(struct ps_topology *t)
{
    check_obj(t, TOPOLOGY_MAGIC);
    assert(!t->finished);
    t->finished = true;
    if (t->node_count == 0)
        ps_mistake(t, "the topology of '%s' is empty", t->app);
    check_names(t);
    for (unsigned i = 0; i < t->node_count; i++) {
        check_leads_on(t, t->nodes[i]);
        check_state(t, t->nodes[i]);
        check_function(t, t->nodes[i]);
    }
    check_loops(t);
    divide(t);
    check_subs(t);
    if (t->mistake_count > 0)
        return -1;
    t->fingerprint = fingerprint(t);
    return 0;
}
