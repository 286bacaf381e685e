/*
 * omap_priv.h: the node of an omap, for omap.c (the tree) and omap_node.c (the
 * inside of one node). Layout and invariants stand in omap.c.
 */
#ifndef BASE_OMAP_PRIV_H
#define BASE_OMAP_PRIV_H

#include "base/span.h"

enum {
    OMAP_NODE_MAX = 64,
    OMAP_NODE_MIN = OMAP_NODE_MAX / 4,
    OMAP_NODE_MERGE = OMAP_NODE_MAX * 3 / 4,     /* two become one */
    OMAP_PREFIX_MAX = 32,
    OMAP_PREFIX_WORDS = OMAP_PREFIX_MAX / 8,
};

/* What stands in one place of a node, as it moves about. */
struct omap_entry {
    const uint8_t *key;
    size_t len;
    void *value;                         /* above the leaves: a node */
};

struct omap_node {
    uint16_t count;
    uint8_t level;                       /* 0: leaf */
    uint8_t skip;
    struct omap_node *first;             /* above the leaves */
    struct omap_node *next;              /* of a leaf */
    uint64_t prefix[OMAP_PREFIX_WORDS];  /* zeros after skip bytes */
    uint64_t heads[OMAP_NODE_MAX];
    uint64_t tails[OMAP_NODE_MAX];
    void *values[OMAP_NODE_MAX];
    uint32_t lens[OMAP_NODE_MAX];
    const uint8_t *keys[OMAP_NODE_MAX];
};

/* A key to look for, its beginning as big-endian words, zeros after it. */
struct omap_probe {
    struct span key;
    uint64_t words[OMAP_PREFIX_WORDS + 3];
};

static inline struct span
omap_node_key(const struct omap_node *n, unsigned i)
{
    return span_of(n->keys[i], n->lens[i]);
}

void omap_probe(struct omap_probe *, struct span key);
/* The eight bytes of a key from `skip` on, zeros after its end. */
uint64_t omap_head(const uint8_t *key, size_t len, size_t skip);
size_t omap_common(struct span, struct span);    /* bytes alike at the front */

/* The first entry whose key is not less; is it equal? */
unsigned omap_node_find(const struct omap_node *, const struct omap_probe *,
    bool *equal);
/* -1, 0, 1: before all keys of the node, beginning like them, after all. */
int omap_node_prefix_cmp(const struct omap_node *, const struct omap_probe *);
/* There must be room. The entry's key is the probe's. */
void omap_node_insert(struct omap_node *, unsigned i,
    const struct omap_probe *, struct omap_entry);
void omap_node_remove(struct omap_node *, unsigned i);
/* Moves `count` entries from place j of one node to place i of another, or
 * of the same. Counts and prefixes are the caller's business. */
void omap_node_move(struct omap_node *to, unsigned i,
    const struct omap_node *from, unsigned j, unsigned count);
/* Prefix, heads and tails anew from the keys. */
void omap_node_rehead(struct omap_node *);

#endif
