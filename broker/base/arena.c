/*
 * Chunks form a list in the order of their making; only the last one has
 * free room. Each is twice the one before, up to CHUNK_MAX, so that a small
 * arena stays small and a big one needs few chunks.
 *
 *  1. used <= limit; it counts the rounded sizes handed out.
 *  2. pos and end point into `last`, or are both NULL.
 *  3. Under AddressSanitizer, what is not handed out is poisoned: use after
 *     a reset or a rewind is reported as use after free() would be.
 */
#include "config.h"
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/poison_priv.h"

enum { ALIGN = 16, CHUNK_MIN = 4096, CHUNK_MAX = 1 << 20 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;                         /* of data */
    _Alignas(ALIGN) uint8_t data[];
};

void
arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){.limit = limit};
}

static void
chunks_free(struct arena_chunk *c)
{
    while (c != NULL) {
        struct arena_chunk *next = c->next;

        unpoison(c->data, c->size);
        free(c);
        c = next;
    }
}

void
arena_release(struct arena *a)
{
    chunks_free(a->first);
    *a = (struct arena){.limit = a->limit};
}

/* Makes `c` the last chunk, with its room free from `pos` on. */
static void
chunk_open(struct arena *a, struct arena_chunk *c, uint8_t *pos)
{
    a->last = c;
    a->pos = pos;
    a->end = c->data + c->size;
    poison(pos, (size_t)(a->end - pos));
}

void
arena_reset(struct arena *a)
{
    a->used = 0;
    a->failed = false;
    if (a->first == NULL)
        return;
    chunks_free(a->first->next);
    a->first->next = NULL;
    chunk_open(a, a->first, a->first->data);
}

static bool
chunk_add(struct arena *a, size_t need)
{
    size_t size = a->last == NULL ? CHUNK_MIN : a->last->size * 2;
    struct arena_chunk *c;

    if (size > CHUNK_MAX)
        size = CHUNK_MAX;
    if (size < need)
        size = need;
    c = size > SIZE_MAX - sizeof *c ? NULL : malloc(sizeof *c + size);
    if (c == NULL)
        return false;
    c->next = NULL;
    c->size = size;
    if (a->last == NULL)
        a->first = c;
    else
        a->last->next = c;
    chunk_open(a, c, c->data);
    return true;
}

void *
arena_alloc(struct arena *a, size_t size)
{
    size_t need = size == 0 ? ALIGN : (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    uint8_t *p;

    if (need < size || need > a->limit - a->used) {
        a->failed = true;
        return NULL;
    }
    if (need > (size_t)(a->end - a->pos) && !chunk_add(a, need)) {
        a->failed = true;
        return NULL;
    }
    p = a->pos;
    a->pos += need;
    a->used += need;
    unpoison(p, size);
    return p;
}

void *
arena_zalloc(struct arena *a, size_t size)
{
    void *p = arena_alloc(a, size);

    if (p != NULL)
        memset(p, 0, size);
    return p;
}

void *
arena_calloc(struct arena *a, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        a->failed = true;
        return NULL;
    }
    return arena_zalloc(a, total);
}

char *
arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *p = len == SIZE_MAX ? NULL : arena_alloc(a, len + 1);

    if (p == NULL) {
        a->failed = true;
        return NULL;
    }
    if (len != 0)
        memcpy(p, s, len);
    p[len] = '\0';
    return p;
}

struct span
arena_copy(struct arena *a, struct span s)
{
    uint8_t *p;

    if (s.ptr == NULL)
        return SPAN_NULL;
    p = arena_alloc(a, s.len);
    if (p == NULL)
        return SPAN_NULL;
    if (s.len != 0)
        memcpy(p, s.ptr, s.len);
    return span_of(p, s.len);
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    int len;
    char *p;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    assert(len >= 0);
    p = arena_alloc(a, (size_t)len + 1);
    if (p == NULL)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)len + 1, fmt, ap);
    va_end(ap);
    return p;
}

struct arena_mark
arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->last, a->pos, a->used};
}

void
arena_rewind(struct arena *a, struct arena_mark m)
{
    bool failed = a->failed;

    assert(m.used <= a->used);
    if (m.chunk == NULL) {               /* marked before the first chunk */
        arena_reset(a);
        a->failed = failed;
        return;
    }
    chunks_free(m.chunk->next);
    m.chunk->next = NULL;
    chunk_open(a, m.chunk, m.pos);
    a->used = m.used;
}
