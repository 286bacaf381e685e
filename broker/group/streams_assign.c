/*
 * Who runs which tasks. Each member runs its share, which differs from that
 * of others by one task at most; a process has as many shares as it has
 * members. A task stays where it was while that leaves nobody without his
 * share; else it goes to a member of the process that had it, whose disk has
 * its state, and else to the member that has least.
 */
#include "config.h"

#include <stdlib.h>

#include "group/streams_priv.h"

#include "base/alloc.h"

struct runner {
    struct consumer_member *m;
    struct parts target;
    size_t share;
};

struct board {
    struct runner *list;
    size_t count;
    struct table owners;             /* of tasks, as of the old targets */
    bool *dealt;                     /* by number of the task */
};

static struct span
task_key(const struct part *p)
{
    return span_of(p, sizeof *p);
}

/* Those who have most keep the tasks that do not divide. */
static int
by_load(const void *a, const void *b)
{
    const struct runner *x = a, *y = b;

    if (x->m->target.count != y->m->target.count) {
        return x->m->target.count > y->m->target.count ? -1 : 1;
    }
    return span_cmp(x->m->id, y->m->id);
}

static void
board_init(struct board *b, const struct group *g, size_t tasks)
{
    const struct consumer_group *c = g->consumer;
    struct consumer_member *m;

    b->list = xcalloc(c->member_count + 1, sizeof *b->list);
    b->count = 0;
    b->dealt = xcalloc(tasks + 1, sizeof *b->dealt);
    table_init(&b->owners);
    TAILQ_FOREACH (m, &c->members, link) {
        b->list[b->count++].m = m;
    }
    qsort(b->list, b->count, sizeof *b->list, by_load);
    for (size_t i = 0; i < b->count; i++) {
        struct runner *r = &b->list[i];

        r->share = tasks / b->count + (i < tasks % b->count);
        for (uint32_t k = 0; k < r->m->target.count; k++) {
            table_put(&b->owners, task_key(&r->m->target.v[k]), r);
        }
    }
}

static bool
has_room(const struct runner *r)
{
    return r->target.count < r->share;
}

static struct runner *
least(struct board *b, const struct runner *owner)
{
    struct runner *best = NULL;
    bool best_near = false;

    for (size_t i = 0; i < b->count; i++) {
        struct runner *r = &b->list[i];
        bool near = owner != NULL && span_eq(r->m->streams->process_id,
            owner->m->streams->process_id);

        if (has_room(r) && (best == NULL || near > best_near ||
                (near == best_near &&
                    r->target.count < best->target.count))) {
            best = r;
            best_near = near;
        }
    }
    return best;
}

/* What stays in the first round, what has to go somewhere in the second. */
static void
deal(struct board *b, const struct group *g, bool stay)
{
    const struct streams *s = g->consumer->streams;
    size_t number = 0;

    for (uint32_t i = 0; i < s->topology->count; i++) {
        for (int32_t k = 0; k < s->plan.tasks[i]; k++, number++) {
            struct part p = {streams_part_id(i), k};
            struct runner *owner = table_get(&b->owners, task_key(&p));
            struct runner *to = stay ? owner : least(b, owner);

            if (!b->dealt[number] && to != NULL && has_room(to)) {
                b->dealt[number] = true;
                parts_push(&to->target, &p.topic, p.partition);
            }
        }
    }
}

void
streams_retarget(struct group *g)
{
    struct consumer_group *c = g->consumer;
    struct board b;

    board_init(&b, g, c->streams->plan.task_count);
    if (b.count > 0) {
        deal(&b, g, true);
        deal(&b, g, false);
    }
    /* The keys of `owners` lie in the old targets. */
    table_release(&b.owners);
    for (size_t i = 0; i < b.count; i++) {
        struct runner *r = &b.list[i];

        assert(r->target.count == r->share);
        parts_sort(&r->target);
        if (!parts_eq(&r->m->target, &r->target)) {
            parts_swap(&r->m->target, &r->target);
            r->m->dirty = true;
        }
        parts_release(&r->target);
    }
    free(b.list);
    free(b.dealt);
    c->target_epoch = g->generation;
    c->partitions = c->streams->plan.task_count;
    c->dirty = true;
}
