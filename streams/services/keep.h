/*
 * keep.h: forgets entries of a store some time after they were settled, at no
 * cost for those that come in: no timer for each of them, but one for the
 * task, which walks through the store every sixteenth of that time in steps
 * of KEEP_STEP entries. So an entry goes between keep and 17/16 of keep.
 *
 * The struct lies at the start of the processor's scratch. It only spares the
 * arming of a timer that is armed: a fresh one costs nothing but that.
 */
#ifndef SERVICES_KEEP_H
#define SERVICES_KEEP_H

#include "penstock/streams.h"

enum { KEEP_STEP = 256, KEEP_PARTS = 16 };

struct keep {
    int64_t due_ms;          /* of the timer */
    unsigned times;          /* it was armed by so many records */
};

/* By each record that may have put something into the store. */
void keep_arm(struct ps_ctx *, int64_t keep_ms);

/* Looks at one entry; deletes it if its time has come. PS_OK or an error. */
typedef int (*keep_fn)(struct ps_ctx *, int slot, struct ps_val key,
    void *value, int64_t keep_ms);

/* To be called by .on_timer. Goes on by further timers. */
int keep_sweep(struct ps_ctx *, const struct ps_timer *, int slot, keep_fn,
    int64_t keep_ms);

#endif
