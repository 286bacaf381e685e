#include "config.h"

#include <stdlib.h>

#include "group/group_priv.h"

#include "base/alloc.h"

/* Holds the largest answers: a member list for a leader, an error for each
 * partition of a commit, names of topics whose offsets expire. */
#define FX_ARENA_MAX (16 * MIB)

void
group_effects_init(struct group_effects *fx)
{
    *fx = (struct group_effects){0};
    arena_init(&fx->arena, FX_ARENA_MAX);
}

void
group_effects_release(struct group_effects *fx)
{
    free(fx->list);
    arena_release(&fx->arena);
    *fx = (struct group_effects){0};
}

void
group_effects_clear(struct group_effects *fx)
{
    fx->count = 0;
    fx->group = NULL;
    arena_reset(&fx->arena);
}

struct group_fx *
fx_add(struct group_effects *fx, enum group_fx_kind kind)
{
    struct group_fx *e;

    if (fx->count == fx->capacity) {
        fx->capacity = fx->capacity == 0 ? 8 : fx->capacity * 2;
        fx->list = xrealloc(fx->list, fx->capacity * sizeof *fx->list);
    }
    e = &fx->list[fx->count++];
    *e = (struct group_fx){.kind = kind};
    return e;
}

struct group_fx *
fx_reply(struct group_effects *fx, enum group_fx_kind kind, void *token,
    enum kerr error)
{
    struct group_fx *e;

    if (token == NULL) {
        return NULL;
    }
    e = fx_add(fx, kind);
    e->token = token;
    e->error = error;
    return e;
}

/* The image is taken after the step, so once is enough. */
void
fx_persist(struct group_effects *fx, struct group *g)
{
    g->persisted = true;
    for (size_t i = 0; i < fx->count; i++) {
        if (fx->list[i].kind == GROUP_FX_PERSIST) {
            return;
        }
    }
    fx_add(fx, GROUP_FX_PERSIST);
}

struct span
fx_copy(struct group_effects *fx, struct span s)
{
    struct span copy = arena_copy(&fx->arena, s);

    assert(!fx->arena.failed);
    return copy;
}

enum kerr *
fx_each(struct group_effects *fx, struct group_fx *e, size_t count,
    enum kerr error)
{
    enum kerr *errors = arena_calloc(&fx->arena, count + 1, sizeof *errors);

    assert(errors != NULL);
    for (size_t i = 0; i < count; i++) {
        errors[i] = error;
    }
    e->each.errors = errors;
    e->each.count = count;
    return errors;
}
