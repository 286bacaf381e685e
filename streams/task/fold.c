/*
 * fold.c: tables and aggregates: one value for each key, in the store of the
 * node's own name. Each update is sent on.
 */
#include "config.h"

#include "task/task_priv.h"

static struct ps_val
folded(struct ps_ctx *c, const struct node *n, struct rec *r)
{
    struct ps_val old = store_get(c, n->stores[0], r->pub.key);

    if (c->failed)
        return old;
    if (n->kind == NODE_COUNT)
        return ps_i64(old.type == PS_NULL ? 1 : old.as.i64 + 1);
    if (n->kind == NODE_REDUCE && old.type == PS_NULL)
        return rec_value(r);
    return n->fn.fold(c, &r->pub, val_pointer(c, old), n->conf);
}

void
fold_run(struct ps_ctx *c, const struct node *n, struct rec *r)
{
    struct ps_val value;

    if (r->pub.key.type == PS_NULL) {
        ctx_fail(c, "ProcessingError", "a record without a key");
        return;
    }
    if (!rec_need_value(c, r))
        return;
    if (n->kind == NODE_TABLE)
        value = rec_value(r);
    else if (r->pub.value == NULL)
        return;                  /* nothing to add, as Kafka Streams has it */
    else
        value = folded(c, n, r);
    if (!c->failed && store_put(c, n->stores[0], r->pub.key, value) == PS_OK)
        outlet_send(c, &n->outs[0], r->pub.key, value);
}
