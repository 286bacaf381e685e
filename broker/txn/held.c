/* held.c: what a transaction holds: partitions, groups, pending offsets. */
#include "config.h"

#include "txn/txn_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"

enum {
    COST_RECORD = 96,            /* bytes of an operation, beside its texts */
    COST_MARKER = 256,           /* a control batch and its reference, its
                                    quiet records */
    COST_QUIET = 2 * (64 + 29 + 288),
    COST_OFFSET = 2 * COST_RECORD + 64,
};

struct held_part {
    struct txn_part part;        /* its spans point behind the key */
    size_t key_len;
    uint8_t *metadata;
    uint8_t key[];
};

/* ---- keys ---- */

size_t
txn_part_key_max(const struct txn_part *p)
{
    return 1 + 16 + 2 + 4 + p->group.len + p->topic.len;
}

size_t
txn_part_key(const struct txn_part *p, uint8_t *out)
{
    uint8_t *at = out;

    *at++ = (uint8_t)p->kind;
    switch (p->kind) {
    case TXN_PARTITION:
        memcpy(at, p->topic_id.bytes, 16);
        put_be32(at + 16, (uint32_t)p->partition);
        at += 20;
        break;
    case TXN_GROUP:
        memcpy(at, p->group.ptr, p->group.len);
        at += p->group.len;
        break;
    case TXN_OFFSET:
        put_be16(at, (uint16_t)p->group.len);
        at += 2;
        memcpy(at, p->group.ptr, p->group.len);
        at += p->group.len;
        memcpy(at, p->topic.ptr, p->topic.len);
        at += p->topic.len;
        put_be32(at, (uint32_t)p->partition);
        at += 4;
        break;
    }
    return (size_t)(at - out);
}

bool
txn_part_parse(struct span key, struct txn_part *p)
{
    struct span rest = {key.ptr + 1, key.len - 1};

    *p = (struct txn_part){.leader_epoch = -1};
    if (key.len == 0)
        return false;
    p->kind = (enum txn_part_kind)key.ptr[0];
    switch (p->kind) {
    case TXN_PARTITION:
        if (rest.len != 20)
            return false;
        memcpy(p->topic_id.bytes, rest.ptr, 16);
        p->partition = (int32_t)get_be32(rest.ptr + 16);
        return true;
    case TXN_GROUP:
        p->group = rest;
        return rest.len > 0;
    case TXN_OFFSET:
        if (rest.len < 2 || get_be16(rest.ptr) > rest.len - 2)
            return false;
        p->group = span_of(rest.ptr + 2, get_be16(rest.ptr));
        rest = span_of(rest.ptr + 2 + p->group.len,
            rest.len - 2 - p->group.len);
        if (rest.len < 5)
            return false;
        p->topic = span_of(rest.ptr, rest.len - 4);
        p->partition = (int32_t)get_be32(rest.ptr + rest.len - 4);
        return true;
    }
    return false;
}

/* ---- the set ---- */

struct txn_held *
held_new(void)
{
    struct txn_held *h = xcalloc(1, sizeof *h);

    table_init(&h->by_key);
    return h;
}

void
held_free(struct txn_held *h)
{
    struct held_part *p;

    if (h == NULL)
        return;
    for (size_t i = 0; (p = table_next(&h->by_key, &i)) != NULL;) {
        free(p->metadata);
        free(p);
    }
    table_release(&h->by_key);
    free(h);
}

size_t
held_cost(const struct txn_part *p)
{
    size_t key = COST_RECORD + txn_part_key_max(p);

    switch (p->kind) {
    case TXN_PARTITION:
        return key + COST_MARKER + COST_QUIET;
    case TXN_GROUP:
        return key;
    case TXN_OFFSET:
        return 2 * key + COST_OFFSET + p->metadata.len;
    }
    unreachable("a kind of part that the enum does not have");
    return 0;
}

size_t
held_bytes(const struct txn_part *p)
{
    return sizeof(struct held_part) + txn_part_key_max(p) + p->metadata.len;
}

/* The part in memory of its own: group and topic are pieces of the key. */
static struct held_part *
part_new(const struct txn_part *p, const uint8_t *key, size_t len)
{
    struct held_part *h = xmalloc(sizeof *h + len);
    bool ok;

    memcpy(h->key, key, len);
    h->key_len = len;
    h->metadata = NULL;
    ok = txn_part_parse(span_of(h->key, len), &h->part);
    assert(ok);
    h->part.topic_id = p->topic_id;
    return h;
}

static void
part_set(struct held_part *h, const struct txn_part *p)
{
    free(h->metadata);
    h->metadata = xmalloc(p->metadata.len + 1);
    if (p->metadata.len > 0)
        memcpy(h->metadata, p->metadata.ptr, p->metadata.len);
    h->part.topic_id = p->topic_id;
    h->part.offset = p->offset;
    h->part.leader_epoch = p->leader_epoch;
    h->part.commit_ms = p->commit_ms;
    h->part.metadata = span_of(h->metadata, p->metadata.len);
}

const struct txn_part *
held_put(struct txn_held *h, const struct txn_part *p, bool *fresh)
{
    uint8_t *key = xmalloc(txn_part_key_max(p));
    size_t len = txn_part_key(p, key);
    struct held_part *part = table_get(&h->by_key, span_of(key, len));

    *fresh = part == NULL;
    if (part == NULL) {
        part = part_new(p, key, len);
        table_put(&h->by_key, span_of(part->key, len), part);
    } else {
        h->cost -= held_cost(&part->part);
        h->bytes -= held_bytes(&part->part);
    }
    part_set(part, p);
    h->cost += held_cost(&part->part);
    h->bytes += held_bytes(&part->part);
    free(key);
    return &part->part;
}

const struct txn_part *
held_get(const struct txn_held *h, const struct txn_part *p)
{
    uint8_t small[512], *key = small;
    size_t max = txn_part_key_max(p);
    struct held_part *part;

    if (max > sizeof small)
        key = xmalloc(max);
    part = table_get(&h->by_key, span_of(key, txn_part_key(p, key)));
    if (key != small)
        free(key);
    return part == NULL ? NULL : &part->part;
}

size_t
txn_held_count(const struct txn_held *h)
{
    return h == NULL ? 0 : h->by_key.count;
}

const struct txn_part *
txn_held_next(const struct txn_held *h, size_t *iter)
{
    const struct held_part *p = table_next(&h->by_key, iter);

    return p == NULL ? NULL : &p->part;
}
