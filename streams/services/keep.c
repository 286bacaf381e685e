#include "config.h"

#include "services/keep.h"

/* A record that armed the timer may fail afterwards and take it along, so
 * more than one arms it. */
enum { ARM_TIMES = 4 };

static int64_t
next_due(struct ps_ctx *c, int64_t keep_ms)
{
    int64_t part = keep_ms < KEEP_PARTS ? 1 : keep_ms / KEEP_PARTS;

    return (ps_clock(c) / part + 1) * part;
}

void
keep_arm(struct ps_ctx *c, int64_t keep_ms)
{
    struct keep *k = ps_scratch(c);

    if (k->due_ms > ps_clock(c) && k->times >= ARM_TIMES)
        return;
    if (k->due_ms <= ps_clock(c)) {
        k->due_ms = next_due(c, keep_ms);
        k->times = 0;
    }
    k->times++;
    ps_timer_at(c, PS_CLOCK, k->due_ms, ps_str(""));
}

int
keep_sweep(struct ps_ctx *c, const struct ps_timer *t, int slot, keep_fn look,
    int64_t keep_ms)
{
    /* The timer's key is where to go on; empty: a new round. */
    struct ps_iter i = ps_scan(c, slot, t->key, ps_null());

    for (int n = 0; ps_next(&i); n++) {
        if (n == KEEP_STEP)
            return ps_timer_at(c, PS_CLOCK, t->due_ms, i.key);
        if (look(c, slot, i.key, i.value, keep_ms) != PS_OK)
            return PS_ERROR;
    }
    return ps_timer_at(c, PS_CLOCK, next_due(c, keep_ms), ps_str(""));
}
