/*
 * ops.c: what each kind of node does with a record. A record goes depth
 * first: a node's children have done their work when it returns. Errors stick
 * to the context, so nothing here returns one: who goes on checks
 * c->failed.
 */
#include "config.h"

#include "task/task_priv.h"

void
outlet_run(struct ps_ctx *c, const struct outlet *o, struct rec *r)
{
    for (const struct edge *e = o->first; e != NULL && !c->failed;
        e = e->next)
        node_run(c, e->to, r);
}

static bool
outlet_fits(struct ps_ctx *c, const struct outlet *o, struct ps_val key,
    struct ps_val value)
{
    if (o->key != NULL && !val_fits(o->key, key))
        ctx_fail(c, "TypeError", "it sends a key of type %s%s%s, where the "
            "topology says %s", val_type_name(key),
            o->name != NULL ? " to " : "", o->name != NULL ? o->name : "",
            o->key->name);
    else if (o->value != NULL && !val_fits(o->value, value))
        ctx_fail(c, "TypeError", "it sends %s%s%s, where the topology says %s",
            val_type_name(value), o->name != NULL ? " to " : "",
            o->name != NULL ? o->name : "", o->value->name);
    return !c->failed;
}

void
outlet_send(struct ps_ctx *c, const struct outlet *o, struct ps_val key,
    struct ps_val value)
{
    struct rec r;

    if (c->failed || o->first == NULL || !outlet_fits(c, o, key, value))
        return;
    rec_derive(&r, c->rec, key, value);
    r.pub.timestamp = c->out_time;
    outlet_run(c, o, &r);
}

static bool
test(struct ps_ctx *c, const struct node *n, struct rec *r)
{
    return rec_need_value(c, r) && n->fn.test(c, &r->pub, n->conf);
}

static void
call(struct ps_ctx *c, ps_fn fn, struct rec *r, void *conf)
{
    if (!rec_need_value(c, r))
        return;
    if (fn(c, &r->pub, conf) != PS_OK && !c->failed)
        ctx_fail(c, "ProcessingError", "it returned an error without a word");
}

static void
make(struct ps_ctx *c, const struct node *n, struct rec *r)
{
    struct ps_val key = r->pub.key, value = ps_null();
    struct ps_pair pair;

    if (!rec_need_value(c, r))
        return;
    if (n->kind == NODE_MAP) {
        pair = n->fn.pair(c, &r->pub, n->conf);
        key = pair.key;
        value = pair.value;
    } else if (n->kind == NODE_MAP_VALUES) {
        value = n->fn.val(c, &r->pub, n->conf);
    } else {
        key = n->fn.val(c, &r->pub, n->conf);
        value = rec_value(r);
    }
    outlet_send(c, &n->outs[0], key, value);
}

static void
node_work(struct ps_ctx *c, const struct node *n, struct rec *r)
{
    switch (n->kind) {
    case NODE_FILTER:
        if (test(c, n, r) != n->negate && !c->failed)
            outlet_run(c, &n->outs[0], r);
        break;
    case NODE_BRANCH:
        outlet_run(c, &n->outs[test(c, n, r) ? 0 : 1], r);
        break;
    case NODE_MERGE:
        outlet_run(c, &n->outs[0], r);
        break;
    case NODE_PEEK:
        call(c, n->fn.any, r, n->conf);
        outlet_run(c, &n->outs[0], r);
        break;
    case NODE_FLAT_MAP:
        call(c, n->fn.any, r, n->conf);
        break;
    case NODE_MAP:
    case NODE_MAP_VALUES:
    case NODE_SELECT_KEY:
        make(c, n, r);
        break;
    case NODE_PROCESS:
        call(c, n->processor->on[r->pub.input], r, n->conf);
        break;
    case NODE_TABLE:
    case NODE_COUNT:
    case NODE_REDUCE:
    case NODE_AGGREGATE:
        fold_run(c, n, r);
        break;
    case NODE_REPARTITION:
    case NODE_TO:
    case NODE_TO_NAMED:
        sink_run(c, n, r);
        break;
    case NODE_SOURCE:
    case NODE_KIND_COUNT:
        unreachable("no edge leads to a source");
    }
}

void
node_run(struct ps_ctx *c, const struct node *n, struct rec *r)
{
    const struct node *node = c->node;
    struct rec *rec = c->rec;
    int64_t out_time = c->out_time;
    struct port_header *headers = c->headers;
    unsigned header_count = c->header_count;

    c->node = n;
    c->rec = r;
    c->out_time = r->pub.timestamp;
    node_work(c, n, r);
    /* what ps_set_time() and ps_set_header() changed was for its children */
    c->node = node;
    c->rec = rec;
    c->out_time = out_time;
    c->headers = headers;
    c->header_count = header_count;
}
