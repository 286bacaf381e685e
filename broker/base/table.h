/*
 * table.h: a hash table from bytes to a pointer (XXH3, open addressing,
 * backward-shift deletion). The key's bytes are the value's: the caller
 * keeps them unchanged while the entry is in the table.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/span.h"

struct table_slot;

struct table {
    struct table_slot *slots;    /* private */
    size_t count;                /* entries */
    size_t mask;                 /* private */
};

void table_init(struct table *);                 /* allocates nothing yet */
void table_release(struct table *);              /* values are not freed */
void *table_get(const struct table *, struct span key);          /* or NULL */
/* Returns the value that stood there before, or NULL. value != NULL. */
void *table_put(struct table *, struct span key, void *value);
void *table_del(struct table *, struct span key);                /* or NULL */

/* Walks in no order: `for (size_t i = 0; (v = table_next(t, &i)) != NULL;)`.
 * Nothing may be put or deleted meanwhile. */
void *table_next(const struct table *, size_t *iter);

uint64_t hash_bytes(struct span);                /* XXH3, 64 bits */
/* Kafka's own partitioner for keys: murmur2 of the Java client. */
uint32_t murmur2(struct span);

#endif
