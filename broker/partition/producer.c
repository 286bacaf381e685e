/*
 * producer.c: what one partition knows of its idempotent producers.
 *
 * Invariants
 *  1. The window holds the last batches of the present epoch only, in the
 *     order of their sequences, without gaps between them.
 *  2. An epoch never goes back while the producer is known. A new one begins
 *     with sequence 0.
 *  3. Between its first transactional batch and the marker a producer has an
 *     open transaction, and sends nothing else.
 *  4. A producer that is not known (expired, or its records were deleted)
 *     may begin with any sequence: Kafka takes it, too, since it can not
 *     know better (KIP-360). So what is older than the window may never have
 *     been appended, and is refused as out of order: to say "duplicate" would
 *     be to say that it is there.
 *  5. In a replay a batch is as it was judged then, by who may have known
 *     less: a producer that was forgotten in between began anew.
 */
#include "config.h"

#include "partition/producer.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/seeded.h"

void
producers_init(struct producers *p)
{
    table_init(&p->by_id);
    p->used = NULL;
}

void
producers_release(struct producers *p)
{
    struct producer *one;

    for (size_t i = 0; (one = table_next(&p->by_id, &i)) != NULL;) {
        if (p->used != NULL)
            TAILQ_REMOVE(p->used, one, used);
        free(one);
    }
    table_release(&p->by_id);
}

struct producer *
producers_get(const struct producers *p, int64_t id)
{
    return table_get(&p->by_id, span_of(&id, sizeof id));
}

struct producer *
producers_make(struct producers *p, int64_t id)
{
    struct producer *one = producers_get(p, id);

    if (one != NULL)
        return one;
    one = xcalloc(1, sizeof *one);
    one->id = id;
    one->epoch = -1;
    one->txn_first = -1;
    one->owner = p;
    table_put(&p->by_id, span_of(&one->id, sizeof one->id), one);
    if (p->used != NULL)
        TAILQ_INSERT_TAIL(p->used, one, used);
    return one;
}

void
producer_forget(struct producer *one)
{
    table_del(&one->owner->by_id, span_of(&one->id, sizeof one->id));
    if (one->owner->used != NULL)
        TAILQ_REMOVE(one->owner->used, one, used);
    free(one);
}

static void
producer_use(struct producer *p, int64_t now_ms)
{
    p->used_ms = now_ms;
    if (p->owner->used != NULL) {
        TAILQ_REMOVE(p->owner->used, p, used);
        TAILQ_INSERT_TAIL(p->owner->used, p, used);
    }
}

int32_t
sequence_add(int32_t seq, int32_t n)
{
    return (int32_t)(((int64_t)seq + n) & INT32_MAX);
}

static bool
window_find(const struct producer *p, const struct batch *b,
    struct producer_batch *known)
{
    int32_t last = sequence_add(b->base_sequence, b->last_offset_delta);

    for (uint8_t i = 0; i < p->count; i++) {
        if (p->window[i].first_seq == b->base_sequence
            && p->window[i].last_seq == last) {
            *known = p->window[i];
            return true;
        }
    }
    return false;
}

enum producer_verdict
producers_check(const struct producers *ps, const struct batch *b,
    struct producer_batch *known, enum kerr *error)
{
    const struct producer *p = producers_get(ps, b->producer_id);

    *error = KERR_NONE;
    if (b->base_sequence < 0 || b->producer_epoch < 0) {
        *error = KERR_INVALID_RECORD;
        return PRODUCER_REFUSED;
    }
    if (p == NULL)
        return PRODUCER_NEXT;
    if (b->producer_epoch < p->epoch) {
        *error = KERR_INVALID_PRODUCER_EPOCH;
        return PRODUCER_REFUSED;
    }
    if (p->txn_first >= 0 && (b->attributes & BATCH_TRANSACTIONAL) == 0) {
        *error = KERR_INVALID_TXN_STATE;
        return PRODUCER_REFUSED;
    }
    if (b->producer_epoch > p->epoch || p->count == 0) {
        if (b->base_sequence == 0)
            return PRODUCER_NEXT;
        *error = KERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        return PRODUCER_REFUSED;
    }
    if (window_find(p, b, known))
        return seeded("append-twice") ? PRODUCER_NEXT
                                       : PRODUCER_DUPLICATE;
    if (b->base_sequence
        == sequence_add(p->window[p->count - 1].last_seq, 1))
        return PRODUCER_NEXT;
    *error = KERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    return PRODUCER_REFUSED;
}

struct producer *
producers_apply(struct producers *ps, const struct batch *b, int64_t now_ms)
{
    struct producer *p = producers_make(ps, b->producer_id);

    if (b->producer_epoch != p->epoch || (p->count > 0 && b->base_sequence
            != sequence_add(p->window[p->count - 1].last_seq, 1))) {
        p->epoch = b->producer_epoch;
        p->count = 0;
    }
    if (p->count == PRODUCER_WINDOW) {
        memmove(&p->window[0], &p->window[1],
            (PRODUCER_WINDOW - 1) * sizeof p->window[0]);
        p->count--;
    }
    p->window[p->count++] = (struct producer_batch){
        .first_seq = b->base_sequence,
        .last_seq = sequence_add(b->base_sequence, b->last_offset_delta),
        .base_offset = b->base_offset,
        .last_offset = batch_last_offset(b),
        .timestamp = b->max_timestamp};
    if ((b->attributes & BATCH_TRANSACTIONAL) != 0 && p->txn_first < 0)
        p->txn_first = b->base_offset;
    producer_use(p, now_ms);
    return p;
}

struct producer *
producers_end(struct producers *ps, int64_t id, int16_t epoch,
    int64_t now_ms)
{
    struct producer *p = producers_get(ps, id);

    if (p == NULL)
        return NULL;
    if (epoch > p->epoch) {
        p->epoch = epoch;
        p->count = 0;
    }
    p->txn_first = -1;
    producer_use(p, now_ms);
    return p;
}
