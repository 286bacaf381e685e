/*
 * alloc.h: small allocations that abort when memory is out. What grows with
 * a request or with data uses an arena or a buf, which have limits and fail.
 * Ownership: the caller's, released with free().
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);        /* zeroed */
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *s);
void *xmemdup(const void *p, size_t size);

#endif
