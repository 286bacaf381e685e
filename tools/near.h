/*
 * near.h: "did you mean": the word of a list that a person probably meant.
 */
#ifndef TOOLS_NEAR_H
#define TOOLS_NEAR_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap of neighbours) from a to b, capital
 * letters aside; anything above 8 is 9. */
int near_distance(const char *a, const char *b);

struct near {
    const char *word;            /* what was said */
    const char *best;            /* NULL: nothing is near */
    int distance;
};

/* near_init(), near_try() each candidate, then read `best`. */
void near_init(struct near *, const char *word);
void near_try(struct near *, const char *candidate);
/* " (did you mean 'orders'?)" or "". */
const char *near_hint(const struct near *, char *room, size_t size);

#endif
