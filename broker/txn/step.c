/*
 * step.c: what may be done with a transaction, and what follows.
 *
 *              add                end(commit)
 *     Empty ───────► Ongoing ──────────────────► CompleteCommit
 *       ▲            ▲     │ end(abort), timeout, operator
 *       │         add│     └──────────────────► CompleteAbort
 *       │            └── from both Complete states
 *       └── init, from all: what is open is aborted
 *
 * Rules
 *  1. An epoch fences: who comes with an older one is refused, whatever he
 *     wants. In version 2 each end raises it, so that nothing of an old
 *     transaction can touch a newer one (KIP-890). In version 1 only a new
 *     producer, a timeout and an operator raise it.
 *  2. An end that comes twice is answered like the first one as long as its
 *     result is known: in version 2 by the epoch that the first one raised,
 *     which is last_epoch as long as nobody else has ended anything since.
 *  3. InitProducerId with the epoch before the present one is a retry, and
 *     gets the present one (KIP-360).
 *  4. When epochs run out, the id gets another producer id. The marker has
 *     the one epoch that producers can not have.
 */
#include "config.h"

#include "txn/txns.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/seeded.h"
#include "txn/txn_priv.h"

/* ---- effects ---- */

void
txn_effects_init(struct txn_effects *fx)
{
    *fx = (struct txn_effects){.producer_id = -1, .producer_epoch = -1};
}

void
txn_effects_clear(struct txn_effects *fx, struct txns *ts)
{
    const struct txn_part **added = fx->added;
    size_t cap = fx->added_cap;

    (void)ts;
    held_free(fx->held);
    if (fx->dead != NULL)
        txn_free(fx->dead);
    txn_effects_init(fx);
    fx->added = added;
    fx->added_cap = cap;
}

void
txn_effects_release(struct txn_effects *fx, struct txns *ts)
{
    txn_effects_clear(fx, ts);
    free(fx->added);
}

static void
fx_add(struct txn_effects *fx, const struct txn_part *p)
{
    if (fx->added_count == fx->added_cap) {
        fx->added_cap = fx->added_cap == 0 ? 8 : fx->added_cap * 2;
        fx->added = xrealloc(fx->added, fx->added_cap * sizeof *fx->added);
    }
    fx->added[fx->added_count++] = p;
}

static void
fx_answer(struct txn_effects *fx, struct txn *t)
{
    fx->error = KERR_NONE;
    fx->producer_id = t->producer_id;
    fx->producer_epoch = t->epoch;
}

/* ---- epochs ---- */

/* Another epoch, or another producer id when there is none left. */
static void
bump(struct txns *ts, struct txn *t)
{
    if (t->epoch < ts->epoch_last) {
        t->last_epoch = t->epoch++;
        return;
    }
    t->previous_id = t->producer_id;
    t->producer_id = ts->config.new_id(ts->config.arg);
    t->last_epoch = t->epoch;
    t->epoch = 0;
}

/* Ends what is open. `raise`: the producer that did it is fenced by the
 * marker already. */
static void
finish(struct txns *ts, struct txn *t, bool commit, bool raise, int64_t now,
    struct txn_effects *fx)
{
    fx->txn = t;
    fx->put = fx->ended = true;
    fx->committed = commit;
    t->version = raise ? 2 : 1;
    fx->marker_id = t->producer_id;
    fx->marker_epoch = (int16_t)(t->epoch + raise);
    fx->held = txn_close(ts, t,
        commit ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT);
    if (raise)
        bump(ts, t);
    t->updated_ms = now;
}

/* ---- InitProducerId ---- */

/* May who had this producer id and epoch go on? *again: it has what it asks
 * for already. */
static enum kerr
init_judge(const struct txns *ts, const struct txn *t,
    const struct txn_caller *c, bool *again)
{
    bool same = c->producer_id == t->producer_id;

    *again = false;
    if (c->producer_id < 0)
        return KERR_NONE;
    if (!same && !(c->producer_id == t->previous_id
            && c->producer_epoch >= ts->epoch_last))
        return KERR_PRODUCER_FENCED;
    if (same && c->producer_epoch == t->epoch)
        return KERR_NONE;
    *again = c->producer_epoch == t->last_epoch && t->state != TXN_ONGOING;
    return *again ? KERR_NONE : KERR_PRODUCER_FENCED;
}

static void
init_new(struct txns *ts, const struct txn_caller *c, int32_t timeout_ms,
    int64_t now, struct txn_effects *fx)
{
    struct txn *t;

    if (ts->by_id.count >= ts->config.ids_max
        || c->id.len > ts->config.id_bytes_max - ts->id_bytes) {
        fx->error = KERR_POLICY_VIOLATION;
        return;
    }
    t = txn_make(ts, c->id);
    t->producer_id = ts->config.new_id(ts->config.arg);
    t->epoch = 0;
    t->timeout_ms = timeout_ms;
    t->updated_ms = now;
    fx->txn = t;
    fx->put = true;
    fx_answer(fx, t);
}

void
txns_init_producer(struct txns *ts, const struct txn_caller *c,
    int32_t timeout_ms, int64_t now, struct txn_effects *fx)
{
    struct txn *t = txns_get(ts, c->id);
    bool again;

    if (c->id.len == 0 || (c->producer_id < 0) != (c->producer_epoch < 0)) {
        fx->error = KERR_INVALID_REQUEST;
        return;
    }
    if (timeout_ms <= 0 || timeout_ms > ts->config.timeout_max_ms) {
        fx->error = KERR_INVALID_TRANSACTION_TIMEOUT;
        return;
    }
    if (t == NULL) {
        init_new(ts, c, timeout_ms, now, fx);
        return;
    }
    fx->txn = t;
    fx->error = init_judge(ts, t, c, &again);
    if (fx->error != KERR_NONE)
        return;
    if (!again) {
        if (t->state == TXN_ONGOING)
            finish(ts, t, false, true, now, fx);
        else
            bump(ts, t);
        t->state = TXN_EMPTY;
        /* Whoever had the epoch before, it was not this one: rule 3. */
        if (c->producer_id < 0)
            t->last_epoch = -1;
    }
    t->timeout_ms = timeout_ms;
    t->updated_ms = now;
    fx->put = true;
    fx_answer(fx, t);
}

/* ---- what joins ---- */

enum kerr
txns_check(const struct txns *ts, const struct txn_caller *c,
    struct txn **out)
{
    struct txn *t = txns_get(ts, c->id);

    *out = NULL;
    if (c->id.len == 0)
        return KERR_INVALID_REQUEST;
    if (t == NULL || t->producer_id != c->producer_id)
        return KERR_INVALID_PRODUCER_ID_MAPPING;
    if (t->epoch != c->producer_epoch && !seeded("no-fence"))
        return KERR_PRODUCER_FENCED;
    *out = t;
    return KERR_NONE;
}

/* Could it still be ended in one epoch? Offsets count twice at most, since
 * one may replace another. */
static enum kerr
add_fits(const struct txns *ts, const struct txn *t,
    const struct txn_part *parts, size_t n)
{
    size_t cost = txn_end_cost(t), bytes = ts->bytes;

    for (size_t i = 0; i < n; i++) {
        if (parts[i].kind != TXN_OFFSET && txn_holds(t, &parts[i]))
            continue;
        cost += held_cost(&parts[i]) + 2 * t->id_len;
        bytes += held_bytes(&parts[i]);
    }
    if (cost > ts->config.cost_max || bytes > ts->config.bytes_max)
        return KERR_POLICY_VIOLATION;
    if (t->state != TXN_ONGOING && ts->open_count >= ts->config.open_max)
        return KERR_POLICY_VIOLATION;
    return KERR_NONE;
}

void
txns_add(struct txns *ts, const struct txn_caller *c,
    const struct txn_part *parts, size_t n, int64_t now, int64_t wall_ms,
    struct txn_effects *fx)
{
    struct txn *t;
    bool fresh;

    fx->error = txns_check(ts, c, &t);
    if (fx->error == KERR_NONE)
        fx->error = add_fits(ts, t, parts, n);
    if (fx->error != KERR_NONE)
        return;
    fx->txn = t;
    fx_answer(fx, t);
    if (t->state != TXN_ONGOING) {
        txn_open(ts, t, now);
        t->started_ms = wall_ms;
        t->updated_ms = now;
        t->version = c->v2 ? 2 : 1;
        fx->put = true;
    }
    for (size_t i = 0; i < n; i++) {
        const struct txn_part *p = txn_hold(ts, t, &parts[i], &fresh);

        if (fresh || p->kind == TXN_OFFSET)
            fx_add(fx, p);
    }
}

/* ---- ends ---- */

/* Of version 2: was this end answered before, with the epoch raised since? */
static bool
end_repeats(const struct txns *ts, const struct txn *t,
    const struct txn_caller *c)
{
    if (!c->v2 || t->version != 2 || t->state == TXN_ONGOING
        || t->state == TXN_EMPTY || c->producer_epoch < 0
        || c->producer_epoch != t->last_epoch)
        return false;
    if (c->producer_id == t->producer_id)
        return c->producer_epoch == t->epoch - 1;
    return c->producer_id == t->previous_id && t->epoch == 0
        && c->producer_epoch >= ts->epoch_last;
}

/* Nothing is open. */
static void
end_nothing(struct txns *ts, struct txn *t, const struct txn_caller *c,
    bool commit, int64_t now, struct txn_effects *fx)
{
    bool known = t->state
        == (commit ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT);

    if (!c->v2) {
        fx->error = known ? KERR_NONE : KERR_INVALID_TXN_STATE;
        return;
    }
    /* A client of version 2 may abort what it never wrote to: only the epoch
     * moves, for whatever may still be on its way. */
    if (commit) {
        fx->error = KERR_INVALID_TXN_STATE;
        return;
    }
    bump(ts, t);
    t->state = TXN_COMPLETE_ABORT;
    t->version = 2;
    t->updated_ms = now;
    fx->put = true;
    fx_answer(fx, t);
}

void
txns_end(struct txns *ts, const struct txn_caller *c, bool commit,
    int64_t now, struct txn_effects *fx)
{
    struct txn *t = txns_get(ts, c->id);

    if (t != NULL && end_repeats(ts, t, c)) {
        fx->txn = t;
        if ((t->state == TXN_COMPLETE_COMMIT) == commit)
            fx_answer(fx, t);
        else
            fx->error = KERR_INVALID_TXN_STATE;
        return;
    }
    fx->error = txns_check(ts, c, &t);
    if (fx->error != KERR_NONE)
        return;
    fx->txn = t;
    if (t->state != TXN_ONGOING) {
        end_nothing(ts, t, c, commit, now, fx);
        return;
    }
    finish(ts, t, commit, c->v2, now, fx);
    fx_answer(fx, t);
}

void
txns_abort(struct txns *ts, struct txn *t, int64_t now,
    struct txn_effects *fx)
{
    check_obj(t, TXN_MAGIC);
    finish(ts, t, false, true, now, fx);
    t->last_epoch = -1;          /* its producer does not come back: rule 3 */
    fx_answer(fx, t);
}
