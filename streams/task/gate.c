/*
 * gate.c: the order in which a gathered log is written. Its sources are
 * different tasks, on different partitions, and while they have a backlog the
 * lowest timestamp shall go first: stock that was counted before an order was
 * placed must be there when the order is looked at, whichever partitions the
 * two came in by.
 *
 *      orders -> task -> by-id log -> task -.   branch 0: both tasks, all
 *                                           +-> gathered log   partitions
 *      movements -> task -------------------'   branch 1
 *
 * 1. A branch of a gate is all that leads to one source of the gather through
 *    logs of our own. A topic of the user's ends it.
 * 2. A task that writes the log takes no record with a timestamp above the
 *    lowest head of the other branches. Within a branch nothing is held up.
 * 3. The head of a task is the timestamp of its next record. While there is
 *    input that it has not polled, its head is unknown and counts as lowest:
 *    it will poll when it is its turn, and nothing keeps it from that.
 *    Records that it has taken, but whose run is not yet linked, so that the
 *    next task of the branch can't see them, count as its head, too.
 * 4. A task that has failed has no head. A paused one keeps its own: all tasks
 *    of an application pause and resume together, but one after another, and
 *    the first to resume must not run ahead of the others.
 *
 * No deadlock: the task with the lowest head of all may always go on.
 *
 * Other threads' heads may be a moment old. That is harmless: what is decided
 * stands in the gathered log, and only a backlog asks for an order.
 */
#include "config.h"

#include "task/task_priv.h"

#include <stdlib.h>

#include "base/alloc.h"

struct branch {
    struct task **tasks;
    unsigned count;
};

struct gate {
    const struct node *log;
    struct branch branches[PS_INPUTS_MAX];
    unsigned count;
    struct gate *next;
};

struct gate_place {
    const struct gate *gate;
    unsigned branch;
};

/* ---- heads -------------------------------------------------------------- */

/* The place of an older run is taken over: if that is still in flight, the
 * new one answers for it too. */
void
flight_note(struct task *t, uint64_t run)
{
    struct flight *f = &t->flights[run % FLIGHTS_MAX];
    int64_t low = t->run_low, old = atomic_load(&f->low);

    if (old < low && !task_is_linked(t, atomic_load(&f->run)))
        low = old;
    atomic_store(&f->low, HEAD_UNKNOWN);     /* while it is neither */
    atomic_store(&f->run, run);
    atomic_store(&f->low, low);
}

static int64_t
flights_low(const struct task *t)
{
    uint64_t linked;
    int64_t low = TIME_NONE, h;

    if (t->ops->linked == NULL)
        return TIME_NONE;
    linked = t->ops->linked(t->port);
    for (unsigned i = 0; i < FLIGHTS_MAX; i++) {
        if (atomic_load(&t->flights[i].run) <= linked)
            continue;
        h = atomic_load(&t->flights[i].low);
        if (h < low)
            low = h;
    }
    return low;
}

int64_t
task_head(const struct task *t)
{
    int64_t head = TIME_NONE, h;
    int state = atomic_load(&t->state);

    if (state != TASK_RUNNING && state != TASK_PAUSED)
        return TIME_NONE;
    for (unsigned i = 0; i < t->input_count; i++) {
        const struct input *in = &t->inputs[i];

        h = atomic_load(&in->head);
        if (h == TIME_NONE &&
            t->ops->end(t->port, i) > atomic_load(&in->polled))
            return HEAD_UNKNOWN;
        if (h < head)
            head = h;
    }
    h = flights_low(t);
    return h < head ? h : head;
}

static bool
in_branch(const struct branch *b, const struct task *t)
{
    for (unsigned i = 0; i < b->count; i++) {
        if (b->tasks[i] == t)
            return true;
    }
    return false;
}

int64_t
gate_bound(const struct task *t)
{
    int64_t bound = TIME_NONE, h;

    for (unsigned g = 0; g < t->gate_count; g++) {
        const struct gate *gate = t->gates[g].gate;
        const struct branch *own = &gate->branches[t->gates[g].branch];

        for (unsigned b = 0; b < gate->count; b++) {
            const struct branch *other = &gate->branches[b];

            for (unsigned i = 0; other != own && i < other->count; i++) {
                h = task_head(other->tasks[i]);
                if (h < bound && !in_branch(own, other->tasks[i]))
                    bound = h;
            }
        }
    }
    return bound;
}

/* ---- building ----------------------------------------------------------- */

/* Adds the tasks of a sub-topology, and of all above it, to a list. */
static void
add_above(struct app *a, unsigned sub, bool *seen, struct task ***list,
    unsigned *count)
{
    const struct ps_topology *t = a->topology;

    if (seen[sub])
        return;
    seen[sub] = true;
    *list = xrealloc(*list, (*count + (unsigned)a->sub_partitions[sub]) *
        sizeof **list);
    for (int32_t p = 0; p < a->sub_partitions[sub]; p++)
        (*list)[(*count)++] = a->tasks[a->sub_first[sub] + (unsigned)p];
    for (unsigned i = 0; i < t->node_count; i++) {
        const struct node *n = t->nodes[i];

        if (n->kind == NODE_REPARTITION && n->log->sub == sub)
            add_above(a, n->sub, seen, list, count);
    }
}

static void
place_add(struct task *t, const struct gate *g, unsigned branch)
{
    t->gates = xrealloc(t->gates, (t->gate_count + 1) * sizeof *t->gates);
    t->gates[t->gate_count++] = (struct gate_place){g, branch};
}

static void
gate_build(struct app *a, const struct node *log)
{
    const struct ps_topology *t = a->topology;
    struct gate *g = xcalloc(1, sizeof *g);

    g->log = log;
    g->count = log->inputs;
    g->next = a->engine->gates;
    a->engine->gates = g;
    for (unsigned i = 0; i < t->node_count; i++) {
        const struct node *w = t->nodes[i];
        struct branch *b;
        bool *seen;

        if (w->kind != NODE_REPARTITION || w->log != log)
            continue;
        b = &g->branches[w->input];
        seen = xcalloc(t->sub_count, sizeof *seen);
        add_above(a, w->sub, seen, &b->tasks, &b->count);
        free(seen);
        for (int32_t p = 0; p < a->sub_partitions[w->sub]; p++)
            place_add(a->tasks[a->sub_first[w->sub] + (unsigned)p], g,
                w->input);
    }
}

/* The tasks above each task that has timers of the clock, for its barrier. */
static void
above_build(struct app *a, struct task *t)
{
    bool *seen = xcalloc(a->topology->sub_count, sizeof *seen);
    unsigned own = (unsigned)a->sub_partitions[t->sub_index], inputs = 0;

    add_above(a, t->sub_index, seen, &t->above, &t->above_count);
    free(seen);
    /* its own sub-topology stands first, and is not above itself */
    t->above_count -= own;
    memmove(t->above, t->above + own, t->above_count * sizeof *t->above);
    for (unsigned i = 0; i < t->above_count; i++)
        inputs += t->above[i]->input_count;
    t->barrier.above = xcalloc(inputs + 1, sizeof *t->barrier.above);
    t->barrier.runs = xcalloc(t->above_count + 1, sizeof *t->barrier.runs);
}

void
gates_build(struct engine *e)
{
    for (unsigned n = 0; n < e->app_count; n++) {
        struct app *a = &e->apps[n];

        for (unsigned i = 0; i < a->topology->node_count; i++) {
            const struct node *log = a->topology->nodes[i];

            if (log->kind == NODE_SOURCE && log->internal && log->inputs > 1)
                gate_build(a, log);
        }
        for (unsigned i = 0; i < a->task_count; i++) {
            if (a->tasks[i]->timers_count > 0)
                above_build(a, a->tasks[i]);
        }
    }
}

void
gates_free(struct engine *e)
{
    while (e->gates != NULL) {
        struct gate *g = e->gates;

        e->gates = g->next;
        for (unsigned i = 0; i < g->count; i++)
            free(g->branches[i].tasks);
        free(g);
    }
}
