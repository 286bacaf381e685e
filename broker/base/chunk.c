/* chunk.c: bytes with a count of references. */
#include "config.h"

#include "base/chunk.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

struct chunk *
chunk_new(size_t size)
{
    struct chunk *c = xmalloc(sizeof *c + size);

    atomic_init(&c->refs, 1);
    c->size = size;
    return c;
}

struct chunk *
chunk_ref(struct chunk *c)
{
    int before = atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);

    assert(before > 0);
    return c;
}

void
chunk_unref(struct chunk *c)
{
    int before;

    if (c == NULL)
        return;
    before = atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1)
        free(c);
}
