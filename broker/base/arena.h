/*
 * arena.h: memory that dies together: a request, a record, a run. Bump
 * allocation in chunks, a limit, marks to go back to. Alignment 16.
 * What an arena gives is the arena's; nothing is freed one by one.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *first, *last;    /* private */
    uint8_t *pos, *end;                  /* private: free room of `last` */
    size_t used;                         /* bytes handed out */
    size_t limit;                        /* bytes it may hand out */
    bool failed;                         /* a request was over the limit */
};

struct arena_mark {
    struct arena_chunk *chunk;
    uint8_t *pos;
    size_t used;
};

void arena_init(struct arena *, size_t limit);   /* allocates nothing yet */
void arena_release(struct arena *);
/* Empties it, keeps its first chunk for the next use, clears `failed`. */
void arena_reset(struct arena *);

/* NULL when the limit is reached (`failed` is then set). Not zeroed. */
void *arena_alloc(struct arena *, size_t size);
void *arena_zalloc(struct arena *, size_t size);
/* count * size with overflow checked. Zeroed. */
void *arena_calloc(struct arena *, size_t count, size_t size);
char *arena_strndup(struct arena *, const char *, size_t);       /* NUL added */
struct span arena_copy(struct arena *, struct span);  /* null stays null */
char *arena_printf(struct arena *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

struct arena_mark arena_mark(const struct arena *);
void arena_rewind(struct arena *, struct arena_mark);

#endif
