/*
 * omap.h: an ordered map from bytes to a pointer: a B+ tree in memory whose
 * nodes hold what tells their keys apart inline, so that most comparisons
 * touch no other memory. Keys are in the order of span_cmp(), of less than
 * 4 GiB each. The map copies keys. Not thread-safe.
 */
#ifndef BASE_OMAP_H
#define BASE_OMAP_H

#include "base/span.h"

struct omap_node;
struct pool;

struct omap {
    struct omap_node *root, *head;       /* private; head: leftmost leaf */
    struct pool *pool;                   /* private: of nodes and keys */
    size_t count;                        /* entries */
    size_t bytes;                        /* memory in use, keys and nodes */
};

struct omap_iter {                       /* private */
    struct omap_node *leaf;
    unsigned slot;
};

void omap_init(struct omap *);                   /* allocates nothing yet */
/* Calls fn (may be NULL) with each value, then frees all. */
void omap_release(struct omap *, void (*fn)(void *value, void *arg),
    void *arg);
void *omap_get(const struct omap *, struct span key);            /* or NULL */
/* The place of the value, made with NULL in it if the key is new. Valid
 * until the next insert or delete. */
void **omap_slot(struct omap *, struct span key);
void *omap_del(struct omap *, struct span key);                  /* or NULL */

/* To the first key >= `from` (SPAN_NULL: to the first of all). */
void omap_seek(const struct omap *, struct span from, struct omap_iter *);
/* The entry there, then one further. false at the end. The map must not be
 * changed meanwhile, but omap_seek() just past the last key goes on. */
bool omap_next(struct omap_iter *, struct span *key, void **value);

void omap_check(const struct omap *);            /* asserts the invariants */

#endif
