/*
 * txn_link.c: what a step of the transaction coordinator becomes in the log.
 *
 *     step ─► one effect: markers, the id's record, its parts' records
 *          └► offsets, by the group room, in the same epoch
 *
 * Invariants
 *  1. Room for all that a step may link is taken before the step: what has
 *     moved can not move back (txn_end_cost).
 *  2. All of it is linked without a turn of the loop between, so it is in one
 *     epoch: readers see the whole transaction or nothing of it.
 *  3. A marker goes to each partition that has batches of the transaction,
 *     and to no other. What was only announced has nothing to end.
 *  4. A group is pinned while a transaction holds offsets of it.
 *  5. An open transaction in a log belongs to an open one of the coordinator.
 *     At start, and only there, others are looked for: they are aborted.
 */
#include "config.h"

#include <stdlib.h>

#include "api/group_records.h"
#include "api/txn.h"
#include "api/txn_records.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/seeded.h"
#include "record/control.h"

enum {
    RETRY_MS = 10,
    TICK_MS = 1000,              /* at most between two looks at the time */
    EXPIRE_BYTES = ROOM_SYSTEM_MAX / 2,
};

/* ---- markers ---- */

/* Where the part has batches of the open transaction. NULL: nowhere. */
static struct partition *
part_partition(struct api *a, const struct txn_part *part, int64_t id)
{
    struct topic *t;
    struct partition *p;
    const struct producer *one;

    if (part->kind != TXN_PARTITION)
        return NULL;
    t = topics_by_id(&a->topics, &part->topic_id);
    p = t == NULL ? NULL : topic_partition(t, part->partition);
    if (p == NULL)
        return NULL;
    one = producers_get(&p->producers, id);
    return one != NULL && one->txn_first >= 0 ? p : NULL;
}

struct markers {
    struct chunk *chunk;
    size_t count, used;
    uint8_t image[CONTROL_BATCH_SIZE];
};

static void
markers_init(struct api *a, struct markers *m, bool committed, int64_t id,
    int16_t epoch, size_t count)
{
    *m = (struct markers){.count = count};
    if (count == 0)
        return;
    m->chunk = chunk_new(count * CONTROL_BATCH_SIZE);
    control_batch(m->image, committed ? CONTROL_COMMIT : CONTROL_ABORT, id,
        epoch, world_wall_ms(seq_world(a->seq)));
}

static void
markers_add(struct markers *m, struct append *ap, struct partition *p)
{
    uint8_t *at = m->chunk->data + m->used * CONTROL_BATCH_SIZE;

    assert(m->used < m->count);
    m->used++;
    memcpy(at, m->image, CONTROL_BATCH_SIZE);
    append_add(ap, p, at, CONTROL_BATCH_SIZE);
}

/* ---- offsets ---- */

static int
by_group(const void *a, const void *b)
{
    const struct txn_part *const *x = a, *const *y = b;

    return span_cmp((*x)->group, (*y)->group);
}

/* Pending offsets are committed, group by group. Those of topics that are
 * gone meanwhile went with them. */
static void
commit_groups(struct api *a, const struct txn_held *held)
{
    size_t max = txn_held_count(held) + 1, count = 0, n;
    const struct txn_part **parts = xcalloc(max, sizeof *parts), *p;
    struct group_commit_item *items = xcalloc(max, sizeof *items);

    for (size_t i = 0; (p = txn_held_next(held, &i)) != NULL;)
        if (p->kind == TXN_OFFSET
            && topics_by_id(&a->topics, &p->topic_id) != NULL)
            parts[count++] = p;
    qsort(parts, count, sizeof *parts, by_group);
    for (size_t at = 0; at < count; at += n) {
        for (n = 0; at + n < count
             && span_eq(parts[at + n]->group, parts[at]->group); n++)
            items[n] = (struct group_commit_item){
                .topic = parts[at + n]->topic,
                .topic_id = parts[at + n]->topic_id,
                .partition = parts[at + n]->partition,
                .offset = parts[at + n]->offset,
                .leader_epoch = parts[at + n]->leader_epoch,
                .metadata = parts[at + n]->metadata};
        groups_commit_pending(a, parts[at]->group, items, n);
    }
    free(items);
    free(parts);
}

static void
end_groups(struct api *a, const struct txn_effects *fx)
{
    const struct txn_part *p;

    if (fx->committed && !seeded("offsets-left"))
        commit_groups(a, fx->held);
    for (size_t i = 0; (p = txn_held_next(fx->held, &i)) != NULL;)
        if (p->kind == TXN_GROUP)
            groups_unpin(&a->groups, p->group, api_clock(a));
}

/* ---- the effect ---- */

size_t
txn_added_puts(const struct txn_effects *fx)
{
    return (size_t)(fx->put || fx->deleted) + fx->added_count;
}

void
txn_put_added(struct api *a, struct append *ap, const struct txn_effects *fx)
{
    if (fx->deleted)
        txn_delete(ap, fx->txn);
    else if (fx->put)
        txn_put(ap, fx->txn);
    for (size_t i = 0; i < fx->added_count; i++) {
        txn_part_put(ap, fx->txn, fx->added[i]);
        if (fx->added[i]->kind == TXN_GROUP)
            groups_pin(&a->groups, fx->added[i]->group, api_clock(a));
    }
}

static void
put_ended(struct api *a, struct append *ap, struct markers *m,
    const struct txn_effects *fx)
{
    const struct txn_part *part;

    for (size_t i = 0; (part = txn_held_next(fx->held, &i)) != NULL;) {
        struct partition *p = part_partition(a, part, fx->marker_id);

        if (p != NULL)
            markers_add(m, ap, p);
        txn_part_delete(ap, fx->txn, part);
    }
}

static size_t
count_markers(struct api *a, const struct txn_effects *fx)
{
    const struct txn_part *part;
    size_t n = 0;

    for (size_t i = 0;
         fx->ended && (part = txn_held_next(fx->held, &i)) != NULL;)
        n += part_partition(a, part, fx->marker_id) != NULL;
    return n;
}

static void
link_append(struct api *a, struct append *ap)
{
    size_t cost = append_cost(ap);

    seq_reserve_system(a->seq, cost);    /* within the room that was taken */
    append_commit(ap, cost, NULL, NULL, NULL);
}

void
txn_link(struct api *a, const struct txn_effects *fx)
{
    size_t gone = fx->ended ? txn_held_count(fx->held) : 0;
    struct append_size size = {.puts = txn_added_puts(fx) + gone};
    struct markers m;
    struct append *ap;

    size.markers = size.batches = count_markers(a, fx);
    if (size.puts == 0)
        return;
    markers_init(a, &m, fx->committed, fx->marker_id, fx->marker_epoch,
        size.markers);
    ap = append_new(&a->topics, m.chunk, &size);
    txn_put_added(a, ap, fx);
    if (fx->ended)
        put_ended(a, ap, &m, fx);
    chunk_unref(m.chunk);
    link_append(a, ap);
    if (fx->ended)
        end_groups(a, fx);
}

/* ---- time ---- */

/* Aborts what is due; false: there was no room. */
static bool
abort_due(struct api *a, int64_t now)
{
    struct room room;
    struct txn *t;

    while ((t = txns_due(&a->txns, now)) != NULL) {
        struct span id = txn_id(t);

        if (!room_take(a, txn_end_cost(t) + PRODUCER_ID_COST, false, &room))
            return false;
        diag(INFO, LOG, "a transaction took longer than its timeout and is "
            "aborted id=%.*s", (int)id.len, (const char *)id.ptr);
        txn_effects_clear(&a->txn_fx, &a->txns);
        txns_abort(&a->txns, t, now, &a->txn_fx);
        txn_link(a, &a->txn_fx);
        room_give(a, &room);
    }
    return true;
}

/* Forgets some ids that nobody has used for long. One is at most 32 KiB. */
static bool
expire_some(struct api *a, int64_t now)
{
    struct room room;
    size_t bytes = 0;

    if (!room_take(a, ROOM_SYSTEM_MAX, false, &room))
        return false;
    while (bytes < EXPIRE_BYTES) {
        txn_effects_clear(&a->txn_fx, &a->txns);
        if (!txns_expire(&a->txns, now, &a->txn_fx))
            break;
        bytes += txn_record_cost(txn_id(a->txn_fx.txn));
        txn_link(a, &a->txn_fx);
    }
    txn_effects_clear(&a->txn_fx, &a->txns);
    room_give(a, &room);
    return true;
}

int64_t
txn_tick(struct api *a)
{
    int64_t now = api_clock(a), due;

    if (seq_readonly(a->seq, NULL))
        return TICK_MS;
    if (txns_deadline(&a->txns) <= now
        && (!abort_due(a, now) || !expire_some(a, now)))
        return RETRY_MS;
    due = txns_deadline(&a->txns) - now;
    return due < 0 ? 0 : due < TICK_MS ? due : TICK_MS;
}

/* ---- start ---- */

static void
abort_orphan(struct api *a, struct partition *p, const struct producer *one)
{
    struct append_size size = {.batches = 1, .markers = 1};
    struct markers m;
    struct append *ap;

    diag(WARN, LOG, "an open transaction has no owner and is aborted "
        "topic=%s partition=%d producer=%lld", p->topic->name, p->index,
        (long long)one->id);
    markers_init(a, &m, false, one->id, one->epoch, 1);
    ap = append_new(&a->topics, m.chunk, &size);
    markers_add(&m, ap, p);
    chunk_unref(m.chunk);
    link_append(a, ap);
}

static bool
orphaned(const struct api *a, const struct partition *p,
    const struct producer *one)
{
    const struct txn *t = txns_by_producer(&a->txns, one->id);
    struct txn_part part = {.kind = TXN_PARTITION,
        .topic_id = p->topic->id,
        .partition = p->index};

    return t == NULL || !txn_holds(t, &part);
}

void
txn_start(struct api *a)
{
    struct omap_iter it;
    struct topic *t;

    omap_seek(&a->topics.by_name, SPAN_NULL, &it);
    while ((t = topics_next(&it)) != NULL) {
        for (int32_t i = 0; i < t->partition_count; i++) {
            struct partition *p = t->partitions[i];
            struct producer *one;

            if (stable_open_count(p->stable) == 0)
                continue;
            for (size_t k = 0;
                 (one = table_next(&p->producers.by_id, &k)) != NULL;)
                if (one->txn_first >= 0 && orphaned(a, p, one))
                    abort_orphan(a, p, one);
        }
    }
}
