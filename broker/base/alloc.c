#include "config.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nothing that allocates may run here, so no diag(). */
static void *
must_have(void *p, size_t size)
{
    if (p == NULL) {
        fprintf(stderr, "penstock: out of memory for %zu bytes\n", size);
        abort();
    }
    return p;
}

void *
xmalloc(size_t size)
{
    return must_have(malloc(size == 0 ? 1 : size), size);
}

void *
xcalloc(size_t count, size_t size)
{
    if (count == 0 || size == 0)
        count = size = 1;
    return must_have(calloc(count, size), size);
}

void *
xrealloc(void *old, size_t size)
{
    return must_have(realloc(old, size == 0 ? 1 : size), size);
}

char *
xstrdup(const char *s)
{
    return xmemdup(s, strlen(s) + 1);
}

void *
xmemdup(const void *p, size_t size)
{
    void *copy = xmalloc(size);

    if (size != 0)
        memcpy(copy, p, size);
    return copy;
}
