/*
 * timers.c: timers, as entries of a store that each processor with .on_timer
 * has beside its own: so they commit, come back and move with its state.
 *
 *     key    kind (1) | due, big-endian, sign flipped (8) | type (1) | key
 *     value  one byte, without meaning
 *
 * The order of the store's keys is the order of firing. A timer in stream
 * time fires behind the record that moves the time past it. A timer of the
 * appliance clock is harder, since it must not overtake input (epoch.md, rule
 * 21): what was appended before T comes first. A record is "appended before
 * T" also when it stands in a topic that another task of ours has yet to
 * carry into the log that we read: a payment that was accepted before an
 * order expires counts. Hence a barrier, in steps of the task:
 *
 *   NONE   a timer is due at the clock C. Note the ends of the inputs of all
 *          tasks above, as of now (every record appended before C is below).
 *   ABOVE  wait until they have all handed over runs up to there.
 *   LINK   wait until these runs are linked. Whatever they made of it now
 *          stands in our log: note its end.
 *   HERE   go on with records until that end is reached.
 *   OPEN   fire what is due by C, and no later; then NONE.
 *
 * It always ends, since the ends noted do not move. Tasks that have failed
 * are not waited for.
 */
#include "config.h"

#include "task/task_priv.h"

#include "base/endian.h"

enum { TIMER_HEAD = 10 };                /* bytes before the user's key */

#define SIGN (1ull << 63)

/* ---- keys --------------------------------------------------------------- */

void
timer_key_read(struct span key, struct ps_timer *out)
{
    struct span rest = span_of(key.ptr + TIMER_HEAD, key.len - TIMER_HEAD);
    int64_t bits = 0;

    assert(key.len >= TIMER_HEAD);
    out->kind = (enum ps_clock_kind)key.ptr[0];
    out->due_ms = (int64_t)(get_be64(key.ptr + 1) ^ SIGN);
    if (key.ptr[9] == PS_NULL) {
        out->key = ps_null();
    } else if (key.ptr[9] == PS_INT64 || key.ptr[9] == PS_DOUBLE) {
        assert(rest.len == 8);
        bits = (int64_t)get_be64(rest.ptr);
        out->key = ps_i64(bits);         /* the bits of either */
        out->key.type = key.ptr[9];
    } else {
        /* the NUL that stands behind text in the store */
        out->key = ps_make(key.ptr[9], rest.ptr,
            rest.len - (key.ptr[9] != PS_BYTES));
    }
}

/* Text is stored with its NUL, so that on_timer may print it. */
static bool
timer_key(struct ps_ctx *c, enum ps_clock_kind kind, int64_t due_ms,
    struct ps_val key, struct span *out)
{
    size_t len = key.type == PS_NULL ? 0 : key.len;
    bool number = key.type == PS_INT64 || key.type == PS_DOUBLE,
         text = key.type == PS_STRING || key.type == PS_JSON;
    uint8_t *p;

    if (!number && !text && key.type != PS_BYTES && key.type != PS_NULL) {
        ctx_fail(c, "TypeError", "a timer's key can't be of type %s",
            val_type_name(key));
        return false;
    }
    if (number)
        len = 8;
    p = ps_alloc(c, TIMER_HEAD + len + 1);
    if (p == NULL)
        return false;
    p[0] = (uint8_t)kind;
    put_be64(p + 1, (uint64_t)due_ms ^ SIGN);
    p[9] = (uint8_t)key.type;
    if (number)
        put_be64(p + TIMER_HEAD, (uint64_t)key.as.i64);
    else if (len > 0)
        memcpy(p + TIMER_HEAD, key.as.ptr, len);
    *out = span_of(p, TIMER_HEAD + len + text);
    return true;
}

/* ---- arming ------------------------------------------------------------- */

static int
timer_set(struct ps_ctx *c, enum ps_clock_kind kind, int64_t due_ms,
    struct ps_val key, struct span value)
{
    struct timers *timers = NULL;
    struct span k;

    if (!ctx_check(c))
        return PS_ERROR;
    if (c->read_only)
        return ctx_fail(c, "ProcessingError", "init and close arm nothing");
    for (unsigned i = 0; i < c->task->timers_count; i++) {
        if (c->task->timers[i].node == c->node)
            timers = &c->task->timers[i];
    }
    if (timers == NULL)
        return ctx_fail(c, "ProcessingError", "a timer, but no .on_timer");
    if (kind != PS_CLOCK && kind != PS_STREAM_TIME)
        return ctx_fail(c, "ProcessingError", "a timer of no known clock");
    if (timer_key(c, kind, due_ms, key, &k))
        scratch_put(c, timers->store, k, value, timers);
    return c->failed ? PS_ERROR : PS_OK;
}

int
ps_timer_at(struct ps_ctx *c, enum ps_clock_kind kind, int64_t due_ms,
    struct ps_val key)
{
    return timer_set(c, kind, due_ms, key, span_of("t", 1));
}

int
ps_timer_cancel(struct ps_ctx *c, enum ps_clock_kind kind, int64_t due_ms,
    struct ps_val key)
{
    return timer_set(c, kind, due_ms, key, SPAN_NULL);
}

void
timers_note(struct timers *timers, const struct effect *e)
{
    unsigned kind = e->key.ptr[0];
    int64_t due = (int64_t)(get_be64(e->key.ptr + 1) ^ SIGN);

    if (!timers->known[kind])
        return;
    if (e->value.ptr == NULL)    /* the first may be gone: look again */
        timers->known[kind] = due > timers->next[kind];
    else if (due < timers->next[kind])
        timers->next[kind] = due;
}

/* ---- firing ------------------------------------------------------------- */

struct first_key {
    struct arena *arena;
    struct span key;
};

static int
take_first(void *arg, struct span key, struct span value)
{
    struct first_key *f = arg;

    f->key = arena_copy(f->arena, key);
    return 1;
}

/* The first timer of a kind; null: none, or the task has failed. */
static struct span
first_timer(struct ps_ctx *c, struct task *t, const struct timers *timers,
    unsigned kind)
{
    uint8_t from = (uint8_t)kind, to = (uint8_t)(kind + 1);
    struct first_key f = {&c->arena, SPAN_NULL};
    struct err err;

    arena_reset(&c->arena);
    if (t->ops->scan(t->port, timers->store, span_of(&from, 1),
        span_of(&to, 1), take_first, &f, &err) != PORT_OK)
        task_fail(t, "timers of '%s': %s", timers->node->name, err.text);
    if (f.key.ptr != NULL && f.key.len < TIMER_HEAD) {
        task_fail(t, "timers of '%s': a damaged entry", timers->node->name);
        return SPAN_NULL;
    }
    return f.key;
}

static void
look_up(struct ps_ctx *c, struct task *t, struct timers *timers, unsigned kind)
{
    struct span key;

    if (timers->known[kind])
        return;
    key = first_timer(c, t, timers, kind);
    timers->next[kind] = key.ptr == NULL ? TIME_NONE
        : (int64_t)(get_be64(key.ptr + 1) ^ SIGN);
    timers->known[kind] = true;
}

int64_t
timers_next(struct ps_ctx *c, struct task *t, enum ps_clock_kind kind)
{
    int64_t next = TIME_NONE;

    for (unsigned i = 0; i < t->timers_count; i++) {
        look_up(c, t, &t->timers[i], kind);
        if (t->timers[i].next[kind] < next)
            next = t->timers[i].next[kind];
    }
    return next;
}

static bool
fire_first(struct ps_ctx *c, struct task *t, enum ps_clock_kind kind,
    enum unit_result *result)
{
    struct timers *first = NULL;
    struct span key;

    for (unsigned i = 0; i < t->timers_count; i++) {
        if (first == NULL || t->timers[i].next[kind] < first->next[kind])
            first = &t->timers[i];
    }
    key = first_timer(c, t, first, kind);
    if (key.ptr == NULL) {
        *result = t->state == TASK_FAILED ? UNIT_STOP : UNIT_DONE;
        return false;
    }
    *result = unit_timer(c, t, first, key);
    return *result == UNIT_DONE;
}

unsigned
timers_fire(struct ps_ctx *c, struct task *t, enum ps_clock_kind kind,
    int64_t limit, unsigned max, enum unit_result *result)
{
    unsigned fired = 0;

    *result = UNIT_DONE;
    while (fired < max && timers_next(c, t, kind) <= limit) {
        if (!t->in_run && !run_open(t, 0)) {
            *result = t->state == TASK_FAILED ? UNIT_STOP : UNIT_AGAIN;
            break;
        }
        if (!fire_first(c, t, kind, result))
            break;
        fired++;
    }
    return fired;
}

/* ---- the barrier -------------------------------------------------------- */

static void
barrier_note_above(struct task *t)
{
    int64_t *end = t->barrier.above;

    for (unsigned i = 0; i < t->above_count; i++) {
        const struct task *u = t->above[i];

        for (unsigned n = 0; n < u->input_count; n++)
            *end++ = u->ops->end(u->port, n);
    }
}

static bool
barrier_reached_above(const struct task *t)
{
    const int64_t *end = t->barrier.above;

    for (unsigned i = 0; i < t->above_count; i++) {
        const struct task *u = t->above[i];
        bool failed = atomic_load(&u->state) == TASK_FAILED;

        for (unsigned n = 0; n < u->input_count; n++, end++) {
            if (atomic_load(&u->inputs[n].done) < *end && !failed)
                return false;
        }
    }
    return true;
}

static void
barrier_note_runs(struct task *t)
{
    for (unsigned i = 0; i < t->above_count; i++)
        t->barrier.runs[i] = atomic_load(&t->above[i]->handed);
}

static bool
barrier_linked(const struct task *t)
{
    for (unsigned i = 0; i < t->above_count; i++) {
        if (!task_is_linked(t->above[i], t->barrier.runs[i]))
            return false;
    }
    return true;
}

static bool
barrier_reached_here(const struct task *t)
{
    for (unsigned i = 0; i < t->input_count; i++) {
        if (t->inputs[i].taken < t->barrier.here[i])
            return false;
    }
    return true;
}

bool
barrier_pass(struct ps_ctx *c, struct task *t, int64_t *limit)
{
    struct barrier *b = &t->barrier;

    if (timers_next(c, t, PS_CLOCK) > t->clock_ms) {
        b->state = BARRIER_NONE;
        return false;
    }
    if (b->state == BARRIER_NONE) {
        b->clock_ms = t->clock_ms;
        barrier_note_above(t);
        b->state = BARRIER_ABOVE;
    }
    if (b->state == BARRIER_ABOVE && barrier_reached_above(t)) {
        barrier_note_runs(t);
        b->state = BARRIER_LINK;
    }
    if (b->state == BARRIER_LINK && barrier_linked(t)) {
        for (unsigned i = 0; i < t->input_count; i++)
            b->here[i] = t->ops->end(t->port, i);
        b->state = BARRIER_HERE;
    }
    if (b->state == BARRIER_HERE && barrier_reached_here(t))
        b->state = BARRIER_OPEN;
    if (b->state == BARRIER_OPEN && timers_next(c, t, PS_CLOCK) > b->clock_ms) {
        /* what was due is fired; what came due since starts over */
        b->state = BARRIER_NONE;
        return false;
    }
    *limit = b->clock_ms;
    return b->state == BARRIER_OPEN;
}
