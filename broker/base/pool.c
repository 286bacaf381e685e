/*
 * Blocks are cut from chunks that double from 4 KiB to 2 MiB; a chunk of
 * 2 MiB is aligned to its size and may become one huge page, which saves a
 * random access its walk through the page tables.
 *
 *   size     up to 512      up to 2048      above
 *   class    each 8 bytes   each 64 bytes   malloc(), in a list
 *
 *  1. A free block holds the link of its class in its first eight bytes;
 *     under AddressSanitizer the rest of it is poisoned.
 *  2. What is left at a chunk's end when the next one begins is lost.
 */
#include "config.h"
#include "base/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/poison_priv.h"

enum {
    SMALL = 512,
    SMALL_STEP = 8,
    MEDIUM = 2048,
    MEDIUM_STEP = 64,
    SMALL_CLASSES = SMALL / SMALL_STEP + 1,
    CLASSES = SMALL_CLASSES + (MEDIUM - SMALL) / MEDIUM_STEP,
    CHUNK_FIRST = 4096,
    CHUNK_LAST = 2 << 20,
};

struct block {
    struct block *next;
};

struct chunk {
    SLIST_ENTRY(chunk) link;
    size_t size;
};

struct big {
    LIST_ENTRY(big) link;
};

struct pool {
    uint8_t *pos, *end;                  /* free room of the newest chunk */
    size_t bytes;
    SLIST_HEAD(, chunk) chunks;
    LIST_HEAD(, big) bigs;
    struct block *free[CLASSES];
};

struct pool *
pool_new(void)
{
    return xcalloc(1, sizeof(struct pool));
}

void
pool_free(struct pool *p)
{
    struct chunk *c;
    struct big *b;

    if (p == NULL)
        return;
    while ((c = SLIST_FIRST(&p->chunks)) != NULL) {
        SLIST_REMOVE_HEAD(&p->chunks, link);
        unpoison(c, c->size);
        free(c);
    }
    while ((b = LIST_FIRST(&p->bigs)) != NULL) {
        LIST_REMOVE(b, link);
        free(b);
    }
    free(p);
}

static unsigned
class_of(size_t size, size_t *rounded)
{
    size_t n;

    if (size <= SMALL) {
        n = size == 0 ? 1 : (size + SMALL_STEP - 1) / SMALL_STEP;
        *rounded = n * SMALL_STEP;
        return (unsigned)n;
    }
    n = (size - SMALL + MEDIUM_STEP - 1) / MEDIUM_STEP;
    *rounded = SMALL + n * MEDIUM_STEP;
    return (unsigned)(SMALL_CLASSES - 1 + n);
}

static void
chunk_add(struct pool *p)
{
    struct chunk *newest = SLIST_FIRST(&p->chunks), *c = NULL;
    size_t size = newest == NULL ? CHUNK_FIRST : newest->size * 2;

    if (size < CHUNK_LAST) {
        c = xmalloc(size);
    } else {
        size = CHUNK_LAST;
        c = aligned_alloc(CHUNK_LAST, CHUNK_LAST);
        if (c == NULL)
            c = xmalloc(size);           /* aborts, or is aligned to less */
        else
            (void)madvise(c, size, MADV_HUGEPAGE);
    }
    c->size = size;
    SLIST_INSERT_HEAD(&p->chunks, c, link);
    p->pos = (uint8_t *)(c + 1);
    p->end = (uint8_t *)c + size;
    poison(p->pos, (size_t)(p->end - p->pos));
}

static void *
cut(struct pool *p, size_t size)
{
    uintptr_t align = size > SMALL ? MEDIUM_STEP : SMALL_STEP;
    size_t gap = -(uintptr_t)p->pos & (align - 1);
    uint8_t *block;

    if (p->pos == NULL || (size_t)(p->end - p->pos) < gap + size) {
        chunk_add(p);
        gap = -(uintptr_t)p->pos & (align - 1);
    }
    block = p->pos + gap;
    p->pos = block + size;
    return block;
}

static void *
big_take(struct pool *p, size_t size)
{
    struct big *b;

    assert(size <= SIZE_MAX - sizeof *b);
    b = xmalloc(sizeof *b + size);
    LIST_INSERT_HEAD(&p->bigs, b, link);
    p->bytes += sizeof *b + size;
    return b + 1;
}

void *
pool_take(struct pool *p, size_t size)
{
    struct block *b;
    unsigned class;
    size_t rounded;

    if (size > MEDIUM)
        return big_take(p, size);
    class = class_of(size, &rounded);
    p->bytes += rounded;
    b = p->free[class];
    if (b != NULL)
        p->free[class] = b->next;
    else
        b = cut(p, rounded);
    unpoison(b, rounded);
    return b;
}

void
pool_give(struct pool *p, void *ptr, size_t size)
{
    struct block *b = ptr;
    unsigned class;
    size_t rounded;

    if (size > MEDIUM) {
        struct big *big = (struct big *)ptr - 1;

        LIST_REMOVE(big, link);
        p->bytes -= sizeof *big + size;
        free(big);
        return;
    }
    class = class_of(size, &rounded);
    assert(p->bytes >= rounded);
    p->bytes -= rounded;
    b->next = p->free[class];
    p->free[class] = b;
    poison(b + 1, rounded - sizeof *b);
}

size_t
pool_bytes(const struct pool *p)
{
    return p->bytes;
}
