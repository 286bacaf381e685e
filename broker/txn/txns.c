/*
 * txns.c: the registry of transactional ids.
 *
 * Invariants
 *  1. An id is Ongoing exactly while it is in the list of open ones, in the
 *     table by producer, and has a set of parts (which may be empty).
 *  2. `pending` counts, for each offset, the open transactions that hold it.
 *  3. `deadline` is at most the earliest one of the open; it is found anew
 *     when it has passed.
 *  4. An epoch never goes back, nor is a producer id given to another id:
 *     who was fenced stays so, also after a restart.
 */
#include "config.h"

#include "txn/txns.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "txn/txn_priv.h"

enum {
    TIMEOUT_MAX_MS = 15 * 60 * 1000,     /* Kafka's */
    IDS_MAX = 100000,
    OPEN_MAX = 10000,
    ID_BYTES_MAX = 32 << 20,
    SWEEP_IDS = 64,
    SWEEP_MS = 1000,
    EPOCH_LAST = INT16_MAX - 1,          /* one more is for the marker */
};

struct pending {
    size_t count;
    size_t len;
    uint8_t key[];
};

const char *
txn_state_name(enum txn_state state)
{
    static const char *const names[TXN_STATE_COUNT] = {
#define X(name, text) [TXN_##name] = text,
        TXN_STATES(X)
#undef X
    };

    assert(state < TXN_STATE_COUNT);
    return names[state];
}

void
txns_config_init(struct txns_config *c)
{
    *c = (struct txns_config){.timeout_max_ms = TIMEOUT_MAX_MS,
        .expiration_ms = INT64_C(7) * 24 * 3600 * 1000,
        .ids_max = IDS_MAX,
        .open_max = OPEN_MAX,
        .id_bytes_max = ID_BYTES_MAX,
        .cost_max = 1 << 20,
        .bytes_max = 64 << 20};
}

void
txns_init(struct txns *ts, const struct txns_config *config)
{
    memset(ts, 0, sizeof *ts);
    ts->config = *config;
    table_init(&ts->by_id);
    table_init(&ts->by_producer);
    table_init(&ts->pending);
    TAILQ_INIT(&ts->open);
    ts->deadline = INT64_MAX;
    ts->epoch_last = EPOCH_LAST;
}

void
txn_free(struct txn *t)
{
    check_obj(t, TXN_MAGIC);
    held_free(t->held);
    free(t->id);
    t->magic = 0;
    free(t);
}

void
txns_release(struct txns *ts)
{
    struct pending *p;
    struct txn *t;

    for (size_t i = 0; (t = table_next(&ts->by_id, &i)) != NULL;)
        txn_free(t);
    for (size_t i = 0; (p = table_next(&ts->pending, &i)) != NULL;)
        free(p);
    table_release(&ts->by_id);
    table_release(&ts->by_producer);
    table_release(&ts->pending);
}

/* ---- ids ---- */

struct txn *
txns_get(const struct txns *ts, struct span id)
{
    return id.len == 0 ? NULL : table_get(&ts->by_id, id);
}

struct txn *
txns_by_producer(const struct txns *ts, int64_t id)
{
    return table_get(&ts->by_producer, span_of(&id, sizeof id));
}

struct txn *
txns_next(const struct txns *ts, size_t *iter)
{
    return table_next(&ts->by_id, iter);
}

struct txn *
txn_make(struct txns *ts, struct span id)
{
    struct txn *t = xcalloc(1, sizeof *t);

    t->magic = TXN_MAGIC;
    t->id = xmalloc(id.len);
    memcpy(t->id, id.ptr, id.len);
    t->id_len = id.len;
    t->producer_id = t->previous_id = -1;
    t->epoch = t->last_epoch = -1;
    t->version = 1;
    table_put(&ts->by_id, txn_id(t), t);
    ts->id_bytes += id.len;
    return t;
}

struct span
txn_id(const struct txn *t)
{
    check_obj(t, TXN_MAGIC);
    return span_of(t->id, t->id_len);
}

void
txn_image(const struct txn *t, struct txn_image *im)
{
    check_obj(t, TXN_MAGIC);
    *im = (struct txn_image){.producer_id = t->producer_id,
        .previous_id = t->previous_id,
        .epoch = t->epoch,
        .last_epoch = t->last_epoch,
        .state = t->state,
        .timeout_ms = t->timeout_ms,
        .updated_ms = t->updated_ms,
        .started_ms = t->state == TXN_ONGOING ? t->started_ms : -1,
        .version = t->version};
}

const struct txn_held *
txn_held(const struct txn *t)
{
    return t->held;
}

bool
txn_holds(const struct txn *t, const struct txn_part *p)
{
    return t->held != NULL && held_get(t->held, p) != NULL;
}

size_t
txn_end_cost(const struct txn *t)
{
    enum { COST_IMAGE = 512 };

    if (t == NULL)
        return COST_IMAGE;
    return COST_IMAGE + 2 * t->id_len
        + (t->held == NULL ? 0 : t->held->cost
            + t->id_len * 2 * txn_held_count(t->held));
}

/* ---- open ones ---- */

void
txn_open(struct txns *ts, struct txn *t, int64_t now)
{
    assert(t->state != TXN_ONGOING && t->held == NULL);
    t->state = TXN_ONGOING;
    t->held = held_new();
    t->deadline = now + t->timeout_ms;
    if (t->deadline < ts->deadline)
        ts->deadline = t->deadline;
    TAILQ_INSERT_TAIL(&ts->open, t, open);
    table_put(&ts->by_producer,
        span_of(&t->producer_id, sizeof t->producer_id), t);
    ts->open_count++;
}

static void
pending_change(struct txns *ts, const struct txn_part *part, int change)
{
    uint8_t *key = xmalloc(txn_part_key_max(part));
    size_t len = txn_part_key(part, key);
    struct pending *p = table_get(&ts->pending, span_of(key, len));

    if (p == NULL) {
        assert(change > 0);
        p = xmalloc(sizeof *p + len);
        p->count = 0;
        p->len = len;
        memcpy(p->key, key, len);
        table_put(&ts->pending, span_of(p->key, len), p);
    }
    p->count += (size_t)change;
    if (p->count == 0) {
        table_del(&ts->pending, span_of(key, len));
        free(p);
    }
    free(key);
}

const struct txn_part *
txn_hold(struct txns *ts, struct txn *t, const struct txn_part *part,
    bool *fresh)
{
    size_t before = t->held->bytes;
    const struct txn_part *p = held_put(t->held, part, fresh);

    ts->bytes += t->held->bytes - before;
    if (*fresh && p->kind == TXN_OFFSET)
        pending_change(ts, p, 1);
    return p;
}

/* The parts are the caller's now. */
struct txn_held *
txn_close(struct txns *ts, struct txn *t, enum txn_state state)
{
    struct txn_held *held = t->held;
    const struct txn_part *p;

    assert(t->state == TXN_ONGOING);
    for (size_t i = 0; (p = txn_held_next(held, &i)) != NULL;)
        if (p->kind == TXN_OFFSET)
            pending_change(ts, p, -1);
    ts->bytes -= held->bytes;
    t->held = NULL;
    t->state = state;
    TAILQ_REMOVE(&ts->open, t, open);
    table_del(&ts->by_producer,
        span_of(&t->producer_id, sizeof t->producer_id));
    ts->open_count--;
    return held;
}

bool
txns_unstable(const struct txns *ts, struct span group, struct span topic,
    int32_t partition)
{
    struct txn_part part = {.kind = TXN_OFFSET, .group = group,
        .topic = topic, .partition = partition};
    uint8_t *key;
    bool found;

    if (ts->pending.count == 0)
        return false;
    key = xmalloc(txn_part_key_max(&part));
    found = table_get(&ts->pending, span_of(key, txn_part_key(&part, key)))
        != NULL;
    free(key);
    return found;
}

/* ---- start ---- */

int
txns_restore(struct txns *ts, struct span id, const struct txn_image *im,
    int64_t now, struct err *err)
{
    struct txn *t;

    if (id.len == 0 || txns_get(ts, id) != NULL || im->producer_id < 0
        || im->epoch < 0 || im->state >= TXN_STATE_COUNT
        || im->timeout_ms <= 0)
        return err_set(err, ERR_DAMAGE, "the record of transactional id "
            "%.*s contradicts itself", (int)id.len, (const char *)id.ptr);
    t = txn_make(ts, id);
    t->producer_id = im->producer_id;
    t->previous_id = im->previous_id;
    t->epoch = im->epoch;
    t->last_epoch = im->last_epoch;
    t->timeout_ms = im->timeout_ms;
    t->updated_ms = im->updated_ms;
    t->started_ms = im->started_ms;
    t->version = im->version;
    if (im->state == TXN_ONGOING)
        txn_open(ts, t, now);
    else
        t->state = im->state;
    return 0;
}

int
txns_restore_part(struct txns *ts, struct span id,
    const struct txn_part *part, struct err *err)
{
    struct txn *t = txns_get(ts, id);
    bool fresh;

    if (t == NULL || t->state != TXN_ONGOING)
        return err_set(err, ERR_DAMAGE, "a part of transactional id %.*s, "
            "which has no open transaction", (int)id.len,
            (const char *)id.ptr);
    txn_hold(ts, t, part, &fresh);
    return 0;
}

/* ---- time ---- */

int64_t
txns_deadline(const struct txns *ts)
{
    return ts->by_id.count > 0 && ts->sweep_ms < ts->deadline
        ? ts->sweep_ms : ts->deadline;
}

struct txn *
txns_due(struct txns *ts, int64_t now)
{
    int64_t first = INT64_MAX;
    struct txn *t;

    if (now < ts->deadline)
        return NULL;
    TAILQ_FOREACH(t, &ts->open, open) {
        if (t->deadline <= now)
            return t;
        if (t->deadline < first)
            first = t->deadline;
    }
    ts->deadline = first;
    return NULL;
}

bool
txns_expire(struct txns *ts, int64_t now, struct txn_effects *fx)
{
    struct txn *t;

    if (now < ts->sweep_ms)
        return false;
    for (int i = 0; i < SWEEP_IDS; i++) {
        t = table_next(&ts->by_id, &ts->sweep);
        if (t == NULL) {
            ts->sweep = 0;
            break;
        }
        if (t->state != TXN_ONGOING
            && now - t->updated_ms > ts->config.expiration_ms) {
            table_del(&ts->by_id, txn_id(t));
            ts->id_bytes -= t->id_len;
            fx->txn = fx->dead = t;
            fx->deleted = true;
            return true;
        }
    }
    ts->sweep_ms = now + SWEEP_MS;
    return false;
}

void
txns_check_all(const struct txns *ts)
{
    size_t open = 0, bytes = 0, id_bytes = 0;
    const struct txn *t;

    for (size_t i = 0; (t = txns_next(ts, &i)) != NULL;) {
        check_obj(t, TXN_MAGIC);
        id_bytes += t->id_len;
        assert((t->held != NULL) == (t->state == TXN_ONGOING));
        if (t->held == NULL)
            continue;
        open++;
        bytes += t->held->bytes;
        assert(txns_by_producer(ts, t->producer_id) == t);
        assert(t->deadline >= ts->deadline);
    }
    assert(open == ts->open_count && open == ts->by_producer.count);
    assert(bytes == ts->bytes && id_bytes == ts->id_bytes);
}
