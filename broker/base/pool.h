/*
 * pool.h: blocks of mixed sizes for one structure: given and taken back one
 * by one, or all at once. Free blocks are kept by size for the next one of
 * that size. Out of memory aborts. Not thread-safe.
 * What a pool gives is the pool's; pool_give() needs the size again.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

struct pool;

struct pool *pool_new(void);
void pool_free(struct pool *);                   /* and every block of it */
/* Aligned to 8; to 64 if size > 512. Not zeroed. size may be 0. */
void *pool_take(struct pool *, size_t size);
void pool_give(struct pool *, void *, size_t size);
/* Bytes of the blocks that are out, rounded as they are held. */
size_t pool_bytes(const struct pool *);

#endif
