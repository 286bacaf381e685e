/*
 * print.c: a topology as text for people, and as a drawing.
 */
#include "config.h"

#include "topology/topology.h"

#include "base/check.h"

void
topology_print_mistakes(const struct ps_topology *t, struct buf *b)
{
    unsigned kept = t->mistake_count;

    if (kept > MISTAKES_MAX)
        kept = MISTAKES_MAX;
    for (unsigned i = 0; i < kept; i++)
        buf_printf(b, "%s: %s\n", t->app, t->mistakes[i]);
    if (t->mistake_count > kept)
        buf_printf(b, "%s: and %u more\n", t->app, t->mistake_count - kept);
}

static const char *
serde_name(const struct ps_serde *s)
{
    return s == NULL ? "any" : s->name;
}

static void
print_node(const struct node *n, struct buf *b)
{
    buf_printf(b, "    %s %s", node_kind_name(n->kind), n->name);
    if (n->kind == NODE_SOURCE) {
        buf_printf(b, " <%s", serde_name(n->key_out));
        for (unsigned i = 0; i < n->inputs; i++)
            buf_printf(b, "%s%s", i == 0 ? ", " : " | ",
                serde_name(n->values[i]));
        buf_printf(b, ">%s", n->trusted ? " trusted" : "");
    } else if (n->kind == NODE_REPARTITION) {
        buf_printf(b, " (topic: %s", n->topic);
        if (n->field != NULL)
            buf_printf(b, ", key: %s", n->field->name);
        buf_put_str(b, ")");
    } else if (node_is_sink(n)) {
        buf_printf(b, " <%s, %s>", serde_name(n->key_out),
            serde_name(n->value_out));
    }
    for (unsigned i = 0; i < n->store_count; i++)
        buf_printf(b, "%s%s", i == 0 ? " (stores: " : ", ",
            n->stores[i] != NULL ? n->stores[i]->name : "-");
    if (n->store_count > 0)
        buf_put_str(b, ")");
    if (n->timers != NULL)
        buf_put_str(b, " (timers)");
    buf_put_str(b, "\n");
    for (unsigned i = 0; i < n->out_count; i++) {
        for (const struct edge *e = n->outs[i].first; e != NULL; e = e->next)
            buf_printf(b, "      --%s%s> %s\n",
                n->outs[i].name != NULL ? n->outs[i].name : "",
                n->outs[i].name != NULL ? "--" : "", e->to->name);
    }
}

void
topology_print(const struct ps_topology *t, struct buf *b)
{
    buf_printf(b, "application %s (fingerprint %016llx)\n", t->app,
        (unsigned long long)t->fingerprint);
    for (unsigned s = 0; s < t->sub_count; s++) {
        buf_printf(b, "  sub-topology %u: %s%s\n", s, t->subs[s].name,
            t->subs[s].outside ? " (outside: reads published records)" : "");
        for (unsigned i = 0; i < t->node_count; i++) {
            if (t->nodes[i]->sub == s)
                print_node(t->nodes[i], b);
        }
    }
}

static void
dot_edges(const struct node *n, struct buf *b)
{
    for (unsigned i = 0; i < n->out_count; i++) {
        for (const struct edge *e = n->outs[i].first; e != NULL; e = e->next) {
            buf_printf(b, "  n%u -> n%u", n->index, e->to->index);
            if (n->outs[i].name != NULL)
                buf_printf(b, " [label=\"%s\"]", n->outs[i].name);
            buf_put_str(b, ";\n");
        }
    }
    if (n->kind == NODE_REPARTITION)
        buf_printf(b, "  n%u -> n%u [style=dashed];\n", n->index,
            n->log->index);
}

/* Names hold no quote: name_check() in build.c saw to it. */
void
topology_print_dot(const struct ps_topology *t, struct buf *b)
{
    assert(t->mistake_count == 0);
    buf_printf(b, "digraph \"%s\" {\n  rankdir=LR;\n  node [shape=box];\n",
        t->app);
    for (unsigned s = 0; s < t->sub_count; s++) {
        buf_printf(b, "  subgraph cluster_%u {\n    label=\"%s\";\n", s,
            t->subs[s].name);
        for (unsigned i = 0; i < t->node_count; i++) {
            const struct node *n = t->nodes[i];

            if (n->sub == s)
                buf_printf(b, "    n%u [label=\"%s\\n%s\"%s];\n", n->index,
                    n->name, node_kind_name(n->kind),
                    n->store_count > 0 ? " shape=cylinder" : "");
        }
        buf_put_str(b, "  }\n");
    }
    for (unsigned i = 0; i < t->node_count; i++)
        dot_edges(t->nodes[i], b);
    buf_put_str(b, "}\n");
}
