/*
 * seq.c: the sequencer.
 *
 * An epoch is a consistent cut through the whole process: the end of every
 * partition, the offsets of every group and task, the content of every
 * store. Nothing else commits anything.
 *
 *     effects of requests ─► link ─► [ open N+1 ]   pack, cut
 *     runs of tasks ───────► link ─►      │
 *                                         ▼
 *                                    [ hard  N  ]   one frame, one flush
 *                                         ▼
 *                                     publish: views, watermarks, replies
 *                                         ▼
 *                                      keeper: segments, LMDB, recycling
 *
 * Invariants
 *  1. Only the loop links. What is linked has its offset and can not be
 *     taken back: the only undo is the death of the process.
 *  2. At most one epoch is being hardened. The next is open meanwhile; it is
 *     cut as soon as that is done and it holds anything. There is no timer.
 *  3. While tasks have work (busy > 0) a cut waits for them, at most as long
 *     as a flush takes: so a pipeline of tasks usually costs one flush, and
 *     waiting never doubles what a producer pays.
 *  4. Publish moves store views first, then watermarks, then lets replies go:
 *     who has seen a reply finds all of it.
 *  5. An effect is linked only with a reservation. in_open <= limit, and
 *     limit is what surely fits the journal as it stands; so a cut always
 *     finds room, and a full journal blocks entry, never a cut.
 *  6. Checkpoints are asked for here, at a publish, by bytes or idleness. The
 *     runs that are published then are pinned in the overlays.
 *  7. A failed write or flush is never retried: the process says so and
 *     ends; the restart replays what is on the disk.
 */
#include "config.h"

#include "epoch/seq.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/limits.h"
#include "base/seeded.h"
#include "epoch/seq_priv.h"

enum {
    COST_EFFECT = 64,            /* bytes of a frame that each takes at most */
    COST_BATCH = 72,
    COST_OP = 64,
    COST_BLOCK = 48,
    COST_FRAME = FRAME_HEADER + JOURNAL_BLOCK + 64,
    SYSTEM_RESERVE = 256 * 1024,
    USUAL_EFFECT = 64 * 1024,
    INLINE_EFFECTS = 4,
    INLINE_BYTES = 64 * 1024,
    IDLE_CHECKPOINT_BYTES = 256 * 1024,
};

#define IDLE_NS 2000000000
#define BUSY_WAIT_NS_MAX 20000000

/* ---- effects ---- */

size_t
effect_cost(const struct effect *f)
{
    size_t cost = COST_EFFECT;

    for (uint32_t i = 0; i < f->n_batches; i++)
        cost += COST_BATCH + f->batches[i].batch.size;
    for (uint32_t i = 0; i < f->n_ops; i++)
        cost += COST_OP + f->op[i].key.len + f->op[i].value.len;
    for (uint32_t i = 0; i < f->n_blocks; i++)
        cost += COST_BLOCK + f->blocks[i].bytes.len;
    return cost;
}

void
effect_unref_tails(struct effect *f)
{
    for (uint32_t i = 0; i < f->n_batches; i++)
        tail_unref(f->batches[i].tail);
    for (uint32_t i = 0; i < f->n_ops; i++)
        tail_unref(f->op[i].tail);
}

struct epoch *
epoch_new(void)
{
    struct epoch *e = xcalloc(1, sizeof *e);

    e->magic = EPOCH_MAGIC;
    STAILQ_INIT(&e->effects);
    buf_init(&e->manifest, EPOCH_BYTES_MAX);
    return e;
}

void
epoch_free(struct seq *s, struct epoch *e)
{
    struct effect *f;

    check_obj(e, EPOCH_MAGIC);
    while ((f = STAILQ_FIRST(&e->effects)) != NULL) {
        STAILQ_REMOVE_HEAD(&e->effects, next);
        f->ops->release(f);
    }
    buf_release(&e->manifest);
    e->magic = 0;
    free(e);
}

/* ---- reservations ---- */

static uint64_t
seq_epoch_max(const struct seq *s)
{
    uint64_t max = journal_bytes(s->journal) / 8;

    if (max > EPOCH_BYTES_MAX)
        max = EPOCH_BYTES_MAX;
    return max > 1 * MIB ? max : 1 * MIB;
}

/* The bytes of the next file: as many as there are, or what is left; 0: the
 * ring is as large as it may be. */
static uint64_t
seq_growth(const struct seq *s)
{
    uint64_t have = journal_bytes(s->journal), more = have;
    uint64_t left = s->opts.journal_max > have ? s->opts.journal_max - have
                                               : 0;

    if (more > 64 * MIB)
        more = 64 * MIB;
    if (more > left)
        more = left < have / 8 ? 0 : left;
    return more / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

static uint64_t
seq_twice(const struct seq *s, bool recycled)
{
    uint64_t twice = journal_room_twice(s->journal, recycled);

    return twice > COST_FRAME ? twice - COST_FRAME : 0;
}

/* What is left of a frame for those who ask. */
static uint64_t
seq_less_reserve(uint64_t room)
{
    return room > COST_FRAME + SYSTEM_RESERVE
        ? room - COST_FRAME - SYSTEM_RESERVE : 0;
}

bool
seq_ring_is_full(const struct seq *s)
{
    return journal_room(s->journal) < COST_FRAME + SYSTEM_RESERVE / 2;
}

/* An effect that the ring can't take, with the reserve and with room for a
 * copy, not even when all of it is recycled: it must grow. */
static bool
seq_wants_growth(const struct seq *s)
{
    return s->wanted > seq_twice(s, true)
        || s->wanted > seq_less_reserve(journal_room_recycled(s->journal));
}

/* What the next frame may hold for those who ask; the rest of it is for cuts
 * and what the system itself must say. A recovery must find room for a copy
 * of it (journal_read.c); only what could never enter then, enters without. */
static uint64_t
seq_usable_room(const struct seq *s)
{
    uint64_t room = seq_less_reserve(journal_room(s->journal));
    uint64_t twice = seq_twice(s, false);

    if (room <= twice || (seq_wants_growth(s) && seq_growth(s) == 0))
        return room;
    return twice;
}

/* What may be in the open epoch now. Loop. */
void
seq_refresh_limit(struct seq *s)
{
    uint64_t room = seq_usable_room(s);
    uint64_t limit = seq_epoch_max(s);
    uint64_t wanted = atomic_load(&s->wanted);

    /* An effect larger than an epoch should be is let in alone. */
    if (wanted > limit)
        limit = wanted;
    if (limit > room)
        limit = room;
    if (s->unwritten >= s->opts.tail_max
        || s->state.bytes >= s->opts.overlay_max || s->readonly)
        limit = 0;
    atomic_store(&s->limit, limit);
    s->room_looks++;
}

uint64_t
seq_room_looks(const struct seq *s)
{
    return s->room_looks;
}

bool
seq_reserve(struct seq *s, size_t bytes)
{
    uint64_t now = atomic_fetch_add(&s->in_open, bytes) + bytes;
    uint64_t limit = atomic_load(&s->limit), wanted;

    if (now <= limit)
        return true;
    atomic_fetch_sub(&s->in_open, bytes);
    atomic_fetch_add(&s->counters.refused, 1);
    /* Remembered, so that the next limit lets it in alone. */
    wanted = atomic_load(&s->wanted);
    while (bytes > wanted
        && !atomic_compare_exchange_weak(&s->wanted, &wanted, bytes))
        ;
    return false;
}

void
seq_unreserve(struct seq *s, size_t bytes)
{
    uint64_t before = atomic_fetch_sub(&s->in_open, bytes);

    assert(before >= bytes);
}

bool
seq_has_room(struct seq *s)
{
    uint64_t limit = atomic_load(&s->limit), used = atomic_load(&s->in_open);

    return limit > 0 && (used == 0 || used + USUAL_EFFECT <= limit);
}

void
seq_reserve_system(struct seq *s, size_t bytes)
{
    atomic_fetch_add(&s->in_open, bytes);
}

size_t
seq_effect_max(const struct seq *s)
{
    return EPOCH_BYTES_MAX - COST_FRAME;
}

uint64_t
seq_room_wait(struct seq *s, uint64_t seen, int64_t us)
{
    struct timespec until;
    uint64_t now;

    must(clock_gettime(CLOCK_MONOTONIC, &until));
    until.tv_nsec += us % 1000000 * 1000;
    until.tv_sec += us / 1000000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    must(pthread_mutex_lock(&s->room_mutex));
    atomic_fetch_add(&s->room_waiters, 1);
    while (s->room_turn == seen) {
        int rc = pthread_cond_timedwait(&s->room_cond, &s->room_mutex,
            &until);

        if (rc == ETIMEDOUT)
            break;
        assert(rc == 0);
    }
    now = s->room_turn;
    atomic_fetch_sub(&s->room_waiters, 1);
    must(pthread_mutex_unlock(&s->room_mutex));
    return now;
}

static void
seq_room_tell(struct seq *s)
{
    if (atomic_load(&s->room_waiters) == 0)
        return;
    must(pthread_mutex_lock(&s->room_mutex));
    s->room_turn++;
    must(pthread_cond_broadcast(&s->room_cond));
    must(pthread_mutex_unlock(&s->room_mutex));
}

/* ---- linking ---- */

void
seq_link(struct seq *s, struct effect *f)
{
    struct epoch *e = s->open;

    check_obj(f, EFFECT_MAGIC);
    assert(s->started);
    assert(effect_cost(f) <= f->reserved);
    if (STAILQ_EMPTY(&e->effects))
        e->opened_ns = world_mono_ns(s->world);
    f->epoch = e->number;
    for (uint32_t i = 0; i < f->n_batches; i++) {
        struct effect_batch *b = &f->batches[i];

        b->batch.epoch = e->number;
        tail_append(b->tail, &b->batch);
        s->unwritten += b->batch.size;
        if (b->tail->on_link != NULL)
            b->tail->on_link(b->tail);
    }
    STAILQ_INSERT_TAIL(&e->effects, f, next);
    e->bytes += effect_cost(f);
    e->reserved += f->reserved;
    e->n_effects++;
    e->n_batches += f->n_batches;
    e->n_ops += f->n_ops;
    e->n_blocks += f->n_blocks;
    if (f->ops->linked != NULL)
        f->ops->linked(f);
    if (seeded("answer-before-publish") && f->ops->published != NULL)
        f->ops->published(f);
}

static void
seq_submitted(struct seq_call *call)
{
    struct effect *f = container_of(call, struct effect, call);

    seq_link(f->seq, f);
}

void
seq_submit(struct seq *s, struct effect *f)
{
    check_obj(f, EFFECT_MAGIC);
    f->seq = s;
    f->call.fn = seq_submitted;
    mailbox_send(&s->box, &f->call.mail);
}

void
seq_post(struct seq *s, struct seq_call *call)
{
    mailbox_send(&s->box, &call->mail);
}

void
seq_tasks_busy(struct seq *s, int change)
{
    if (change > 0)
        seq_tasks_moved(s);
    atomic_fetch_add(&s->busy, change);
}

void
seq_tasks_moved(struct seq *s)
{
    atomic_store_explicit(&s->moved_ns, world_mono_ns(s->world),
        memory_order_relaxed);
}

/* ---- publish ---- */

static void
publish_views(struct effect *f)
{
    for (uint32_t i = 0; i < f->n_blocks; i++) {
        struct overlay *o = &f->blocks[i].shelf->overlay;

        overlay_lock(o);
        if (f->blocks[i].run > o->published)
            o->published = f->blocks[i].run;
        overlay_unlock(o);
    }
}

static void
publish_marks(struct effect *f)
{
    for (uint32_t i = 0; i < f->n_ops; i++) {
        const struct effect_op *op = &f->op[i];

        if (op->kind == EFFECT_TRIM && op->offset > op->tail->log_start)
            atomic_store(&op->tail->log_start, op->offset);
    }
    for (uint32_t i = 0; i < f->n_batches; i++)
        atomic_store(&f->batches[i].tail->hw, f->batches[i].batch.last + 1);
    for (uint32_t i = 0; i < f->n_purges; i++)
        if (f->purges[i].offset > f->purges[i].tail->log_start)
            atomic_store(&f->purges[i].tail->log_start, f->purges[i].offset);
}

static void
publish_replies(struct effect *f)
{
    for (uint32_t i = 0; i < f->n_batches; i++) {
        struct tail *t = f->batches[i].tail;

        if (t->on_publish != NULL)
            t->on_publish(t);
    }
    if (f->ops->published != NULL && !seeded("answer-before-publish"))
        f->ops->published(f);
}

/* Overlays are counted now and then: there may be some hundreds. */
void
seq_count_overlays(struct seq *s)
{
    size_t bytes = 0;
    struct shelf *f;

    lock_take(&s->state.lock);
    for (size_t i = 0; (f = state_next(&s->state, &i)) != NULL;) {
        overlay_lock(&f->overlay);
        bytes += overlay_bytes(&f->overlay);
        overlay_unlock(&f->overlay);
    }
    lock_give(&s->state.lock);
    s->state.bytes = bytes;
}

/* The ring doubles while checkpoints come because it is full, and when an
 * effect does not fit it. */
static void
seq_plan_growth(struct seq *s, struct epoch *e)
{
    uint64_t have = journal_bytes(s->journal);

    /* A ring that is asked for more than it has right now holds somebody up:
     * with a larger one checkpoints come more seldom. */
    if (s->since_checkpoint < have / 2 && s->wanted < have / 4
        && s->wanted <= seq_usable_room(s) && !seq_wants_growth(s))
        return;
    e->grow_bytes = seq_growth(s);
}

void
seq_ask_checkpoint(struct seq *s, bool clean)
{
    struct epoch *e = epoch_new();
    struct shelf *f;

    assert(!s->checkpointing);
    s->checkpointing = true;
    s->many_starts = false;
    e->checkpoint = true;
    e->clean = clean;
    if (!clean)
        seq_plan_growth(s, e);
    e->cursor = journal_cursor(s->journal);
    e->number = e->cursor.epoch;
    e->clock_ms = seq_clock_ms(s);
    lock_take(&s->state.lock);
    for (size_t i = 0; (f = state_next(&s->state, &i)) != NULL;) {
        overlay_lock(&f->overlay);
        f->overlay.pinned = f->overlay.published;
        overlay_unlock(&f->overlay);
    }
    lock_give(&s->state.lock);
    keeper_send(s, e);
}

static void
seq_maybe_checkpoint(struct seq *s)
{
    if (s->counters.epochs % 16 == 0)
        seq_count_overlays(s);
    /* While a frame is in flight the cursor already stands behind it. */
    if (s->checkpointing || s->hard != NULL)
        return;
    if (s->many_starts || s->since_checkpoint >= journal_bytes(s->journal) / 2
        || s->state.bytes >= s->opts.overlay_max / 2
        || s->wanted > seq_usable_room(s))
        seq_ask_checkpoint(s, false);
}

void
seq_published_epoch(struct seq *s, struct epoch *e)
{
    struct effect *f;

    check_obj(e, EPOCH_MAGIC);
    assert(s->hard == e);
    s->hard = NULL;
    journal_took(s->journal, &e->slot, e->number, e->header.check);
    e->cursor = journal_cursor(s->journal);
    s->since_checkpoint += e->slot.size;
    if (seeded("recycle-early"))
        journal_recycle(s->journal, e->number);
    STAILQ_FOREACH(f, &e->effects, next)
        publish_views(f);
    STAILQ_FOREACH(f, &e->effects, next)
        publish_marks(f);
    atomic_store(&s->published, e->number);
    s->counters.epochs++;
    STAILQ_FOREACH(f, &e->effects, next)
        publish_replies(f);
    if (s->on_publish != NULL)
        s->on_publish(s->on_publish_arg, e->number);
    keeper_send(s, e);
    seq_maybe_checkpoint(s);
    seq_refresh_limit(s);
    seq_room_tell(s);
}

/* ---- the cut ---- */

static void
seq_cut(struct seq *s)
{
    struct epoch *e = s->open;

    assert(s->hard == NULL);
    e->clock_ms = seq_clock_ms(s);
    atomic_fetch_sub(&s->in_open, e->reserved);
    s->hard = e;
    s->open = epoch_new();
    s->open->number = ++s->next_number;
    if (e->bytes >= atomic_load(&s->wanted))
        atomic_store(&s->wanted, 0);
    harden_pack(s, e);
    s->last_cut_ns = world_mono_ns(s->world);
    if (!s->opts.threads
        || (e->n_effects <= INLINE_EFFECTS && e->bytes <= INLINE_BYTES)) {
        struct err err = {0};

        s->counters.epochs_inline++;
        if (harden_write(s, e, &err) < 0)
            seq_die(s, &err);
        seq_published_epoch(s, e);
    } else {
        e->seq = s;
        seq_refresh_limit(s);
        harden_by_helper(s, e);
    }
}

/* Nanoseconds that the cut still waits for tasks (invariant 3). */
static int64_t
seq_cut_wait(struct seq *s)
{
    int64_t patience = s->flush_ns, now, age;

    if (atomic_load(&s->busy) <= 0 || !s->opts.threads)
        return 0;
    if (patience > BUSY_WAIT_NS_MAX)
        patience = BUSY_WAIT_NS_MAX;
    now = world_mono_ns(s->world);
    age = now - s->open->opened_ns;
    /* A task that has not moved for so long is in an operator that sleeps:
     * nobody waits for it. */
    if (age >= patience || now - s->moved_ns >= patience)
        return 0;
    return patience - age;
}

int64_t
seq_turn(struct seq *s)
{
    struct mail *m = mailbox_take(&s->box);
    int64_t wait;

    check_obj(s, SEQ_MAGIC);
    while (m != NULL) {
        struct seq_call *call = container_of(m, struct seq_call, mail);

        m = m->next;
        call->fn(call);
    }
    if (!s->started || s->hard != NULL)
        return -1;
    if (STAILQ_EMPTY(&s->open->effects)) {
        /* An effect that the ring can't take as it is: nothing else may come
         * that would ask for a larger one. Not while anything is open: what a
         * start puts there (producers that a replay brought) must come before
         * the checkpoint that lets go of the frames it follows from. */
        if (!s->checkpointing && !s->readonly
            && ((s->wanted > seq_usable_room(s)
                    && (s->since_checkpoint > 0 || seq_growth(s) > 0))
                || (s->state.bytes >= s->opts.overlay_max
                    && s->since_checkpoint > 0)))
            seq_ask_checkpoint(s, false);
        return -1;
    }
    wait = seq_cut_wait(s);
    if (wait > 0)
        return wait / 1000 + 1;
    seq_cut(s);
    return STAILQ_EMPTY(&s->open->effects) || s->hard != NULL ? -1 : 0;
}

int
seq_fd(const struct seq *s)
{
    return s->box.fd;
}

void
seq_idle(struct seq *s)
{
    int64_t now = world_mono_ns(s->world);

    /* The keeper may have opened or closed the door. */
    seq_refresh_limit(s);
    seq_room_tell(s);
    if (s->checkpointing || s->hard != NULL || !s->started
        || !STAILQ_EMPTY(&s->open->effects))
        return;
    /* On a full disk what was deleted gives its room only after a checkpoint,
     * however little there is to write. */
    if (s->since_checkpoint >= (s->readonly ? 1 : IDLE_CHECKPOINT_BYTES)
        && now - s->last_cut_ns >= IDLE_NS)
        seq_ask_checkpoint(s, false);
}

void
seq_keep(struct seq *s, bool checkpoint)
{
    assert(!s->opts.threads);
    if (checkpoint && !s->checkpointing && s->hard == NULL)
        seq_ask_checkpoint(s, false);
    keeper_pass(s, true);
    seq_turn(s);
}

/* ---- the rest ---- */

void
seq_die(struct seq *s, const struct err *err)
{
    diag(ERROR, EPOCH, "%s: stopping, since what reached the disk is not "
        "known; a restart replays what is there", err->text);
    if (s->opts.on_fatal != NULL)
        s->opts.on_fatal(s->opts.on_fatal_arg, err);
    _exit(74);
}

void
seq_fail(struct seq *s, const struct err *err)
{
    check_obj(s, SEQ_MAGIC);
    seq_die(s, err);
}

uint64_t
seq_open_epoch(const struct seq *s)
{
    return s->open->number;
}

uint64_t
seq_published(const struct seq *s)
{
    return atomic_load(&s->published);
}

uint64_t
seq_checkpointed(const struct seq *s)
{
    return atomic_load(&s->checkpointed);
}

uint64_t
seq_gate(const struct seq *s)
{
    if (!STAILQ_EMPTY(&s->open->effects))
        return s->open->number;
    return s->hard != NULL ? s->hard->number : 0;
}

int64_t
seq_clock_ms(struct seq *s)
{
    int64_t now;

    lock_take(&s->clock_lock);
    now = s->clock_base_ms
        + (world_mono_ns(s->world) - s->clock_mono_ns) / 1000000;
    lock_give(&s->clock_lock);
    return now;
}

void
seq_clock_advance(struct seq *s, int64_t ms)
{
    assert(ms >= 0);
    lock_take(&s->clock_lock);
    s->clock_base_ms += ms;
    lock_give(&s->clock_lock);
}

struct state *
seq_state(struct seq *s)
{
    return &s->state;
}

struct world *
seq_world(struct seq *s)
{
    return s->world;
}

const struct uuid *
seq_cluster_id(const struct seq *s)
{
    return &s->datadir->cluster_id;
}

const char *
seq_dir(const struct seq *s)
{
    return s->datadir->path;
}

bool
seq_history_lost(const struct seq *s)
{
    return s->boot_differs;
}

bool
seq_readonly(const struct seq *s, const char **why)
{
    if (!atomic_load(&s->readonly))
        return false;
    if (why != NULL)
        *why = s->readonly_why;
    return true;
}

void
seq_on_publish(struct seq *s, void (*fn)(void *, uint64_t), void *arg)
{
    s->on_publish = fn;
    s->on_publish_arg = arg;
}

struct seq_counters *
seq_counters(struct seq *s)
{
    return &s->counters;
}

void
seq_levels(struct seq *s, struct seq_levels *out)
{
    *out = (struct seq_levels){.journal_bytes = journal_bytes(s->journal),
        .journal_used = journal_used(s->journal),
        .epoch_bytes = s->open->bytes,
        .tail_bytes = s->unwritten,
        .cache_bytes = s->cached_bytes,
        .overlay_bytes = s->state.bytes};
}
