/* tail.c: a log's newest batches in memory, and its four watermarks. */
#include "config.h"

#include "epoch/tail.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "plog/plog.h"
#include "record/batch.h"

enum { AT_LEADER_EPOCH = 12 };   /* in a batch's header: record/batch.h */

struct tail *
tail_new(const struct uuid *topic_id, int32_t partition, struct plog *plog,
    int64_t log_start, int64_t end, int32_t leader_epoch)
{
    struct tail *t = xcalloc(1, sizeof *t);

    assert(log_start <= end);
    t->magic = TAIL_MAGIC;
    atomic_init(&t->refs, 1);
    t->topic_id = *topic_id;
    t->partition = partition;
    t->leader_epoch = leader_epoch;
    t->plog = plog;
    lock_init(&t->lock);
    atomic_init(&t->log_start, log_start);
    atomic_init(&t->written, end);
    atomic_init(&t->hw, end);
    atomic_init(&t->end, end);
    atomic_init(&t->stable, INT64_MAX);
    atomic_init(&t->stable_published, INT64_MAX);
    return t;
}

struct tail *
tail_ref(struct tail *t)
{
    check_obj(t, TAIL_MAGIC);
    atomic_fetch_add(&t->refs, 1);
    return t;
}

static struct tail_batch *
tail_at(const struct tail *t, size_t i)
{
    return &t->ring[(t->head + i) & (t->cap - 1)];
}

void
tail_unref(struct tail *t)
{
    if (t == NULL)
        return;
    check_obj(t, TAIL_MAGIC);
    if (atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    for (size_t i = 0; i < t->count; i++)
        chunk_unref(tail_at(t, i)->chunk);
    free(t->ring);
    leaders_release(&t->leaders);
    if (t->plog != NULL)
        plog_close(t->plog);
    if (t->txns_free != NULL)
        t->txns_free(t->txns);
    lock_release(&t->lock);
    t->magic = 0;
    free(t);
}

/* Growth aborts when memory is out: that is the process's death, the only
 * undo an open epoch has. */
static void
tail_grow(struct tail *t)
{
    size_t cap = t->cap == 0 ? 8 : t->cap * 2;
    struct tail_batch *ring = xmalloc(cap * sizeof *ring);

    for (size_t i = 0; i < t->count; i++)
        ring[i] = *tail_at(t, i);
    free(t->ring);
    t->ring = ring;
    t->head = 0;
    t->cap = cap;
}

void
tail_replay(struct tail *t, const struct tail_batch *b)
{
    check_obj(t, TAIL_MAGIC);
    assert(b->last >= b->base);
    lock_take(&t->lock);
    assert(b->base == atomic_load(&t->end));
    if (t->count == t->cap)
        tail_grow(t);
    *tail_at(t, t->count++) = *b;
    t->bytes += b->size;
    leaders_note(&t->leaders, (int32_t)get_be32(b->bytes + AT_LEADER_EPOCH),
        b->base);
    atomic_store(&t->end, b->last + 1);
    lock_give(&t->lock);
}

void
tail_append(struct tail *t, struct tail_batch *b)
{
    int64_t end = atomic_load(&t->end);

    b->last = end + (b->last - b->base);
    b->base = end;
    batch_stamp(b->bytes, b->base, t->leader_epoch);
    tail_replay(t, b);
}

void
tail_epoch_end(struct tail *t, int32_t epoch, int64_t end, int32_t *found,
    int64_t *found_end)
{
    check_obj(t, TAIL_MAGIC);
    lock_take(&t->lock);
    leaders_end(&t->leaders, epoch, t->leader_epoch, end, found, found_end);
    lock_give(&t->lock);
}

/* The first batch whose last offset is >= offset. */
static size_t
tail_search(const struct tail *t, int64_t offset)
{
    size_t lo = 0, hi = t->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (tail_at(t, mid)->last < offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct tail_slice
tail_slice(const struct tail_batch *b)
{
    return (struct tail_slice){.chunk = chunk_ref(b->chunk),
        .bytes = span_of(b->bytes, b->size),
        .base = b->base,
        .last = b->last,
        .max_timestamp = b->max_timestamp};
}

size_t
tail_read(struct tail *t, int64_t offset, int64_t limit, size_t max_bytes,
    struct tail_slice *out, size_t n, bool *cold)
{
    size_t found = 0, bytes = 0;

    check_obj(t, TAIL_MAGIC);
    lock_take(&t->lock);
    *cold = offset < atomic_load(&t->end)
        && (t->count == 0 || offset < tail_at(t, 0)->base);
    if (!*cold) {
        for (size_t i = tail_search(t, offset); i < t->count && found < n;
             i++) {
            const struct tail_batch *b = tail_at(t, i);

            if (b->last >= limit)
                break;
            if (found > 0 && bytes + b->size > max_bytes)
                break;
            bytes += b->size;
            out[found++] = tail_slice(b);
        }
    }
    lock_give(&t->lock);
    return found;
}

bool
tail_find_time(struct tail *t, int64_t ts, int64_t limit,
    struct tail_slice *out)
{
    bool found = false;

    lock_take(&t->lock);
    for (size_t i = 0; i < t->count && !found; i++) {
        const struct tail_batch *b = tail_at(t, i);

        if (b->last >= limit)
            break;
        if (b->max_timestamp >= ts
            && b->last >= atomic_load(&t->log_start)) {
            *out = tail_slice(b);
            found = true;
        }
    }
    lock_give(&t->lock);
    return found;
}

size_t
tail_evict(struct tail *t, int64_t offset)
{
    size_t freed = 0;

    check_obj(t, TAIL_MAGIC);
    lock_take(&t->lock);
    if (offset > atomic_load(&t->written))
        offset = atomic_load(&t->written);
    while (t->count > 0 && tail_at(t, 0)->last < offset) {
        struct tail_batch *b = tail_at(t, 0);

        freed += b->size;
        chunk_unref(b->chunk);
        t->head = (t->head + 1) & (t->cap - 1);
        t->count--;
    }
    t->bytes -= freed;
    lock_give(&t->lock);
    return freed;
}

void
tail_check(struct tail *t)
{
    int64_t next = -1;

    lock_take(&t->lock);
    assert(t->log_start <= t->hw);
    assert(t->written <= t->hw);
    assert(t->hw <= t->end);
    for (size_t i = 0; i < t->count; i++) {
        const struct tail_batch *b = tail_at(t, i);

        assert(next == -1 || b->base == next);
        next = b->last + 1;
    }
    assert(next == -1 || next == t->end);
    if (t->count > 0)
        assert(tail_at(t, 0)->base <= t->written);
    else
        assert(t->written == t->end);
    lock_give(&t->lock);
}
