/*
 * keeper.c: moves segments and LMDB forward from committed frames, off the
 * path, on a thread of its own.
 *
 *   queue of published epochs ─► write back ─► segments (page cache)
 *                 │                                  │ written moves up
 *                 └► dirty metadata        checkpoint P: fsync segments and
 *                                          folders, then LMDB, then recycle
 *
 * Invariants
 *  1. Epochs are written back in order; a checkpoint stands at its place in
 *     the queue: all before it is in the files when it begins.
 *  2. A checkpoint is many LMDB transactions. What they put is absolute, so
 *     it does no harm that some are ahead of P when we die; only the last
 *     one moves P. Overlays are trimmed and files unlinked after it.
 *  3. Replay after a crash sends the frames after P through this same code.
 *  4. ENOSPC loses nothing: epochs stay queued, what is not in a file is in
 *     memory and in the journal; entry is closed (readonly) and the work is
 *     tried again each second. Any other failure poisons (seq_die).
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/seeded.h"
#include "epoch/logrec.h"
#include "epoch/seq_priv.h"
#include "plog/clean.h"
#include "proto/store.pb-c.h"

enum {
    WAKE_BYTES = 1024 * 1024,    /* queued: the keeper begins at once */
    COALESCE_MS = 20,            /* else it waits for more */
};

/* ---- dirty metadata ---- */

void
keeper_dirty_put(struct seq *s, struct span key, const struct span *value)
{
    void **slot = omap_slot(&s->dirty, key);
    size_t len = value == NULL ? 0 : value->len;
    struct image *im = xmalloc(sizeof *im + len);

    im->len = (uint32_t)len;
    im->gone = value == NULL;
    if (len > 0)
        memcpy(im->data, value->ptr, len);
    free(*slot);
    *slot = im;
}

static void
image_free(void *value, void *arg)
{
    (void)arg;
    free(value);
}

void
keeper_free_dirty(struct seq *s)
{
    omap_release(&s->dirty, image_free, NULL);
    omap_init(&s->dirty);
}

/* ---- write back ---- */

void
keeper_tail_dirty(struct seq *s, struct tail *t)
{
    if (t->keeper_dirty)
        return;
    t->keeper_dirty = true;
    t->keeper_next = s->dirty_tails;
    s->dirty_tails = tail_ref(t);
}

/* Dropped for good: the frame that says so is on the disk. Until then what
 * is committed of it must be written like that of any other. */
bool
keeper_tail_gone(struct seq *s, struct tail *t)
{
    uint64_t in = atomic_load(&t->dropped_in);

    return in != 0 && in <= atomic_load(&s->published);
}

/* One batch on its way to its plog. */
struct due {
    struct tail *tail;
    size_t order;
    struct plog_chunk chunk;
};

struct dues {
    struct due *v;
    size_t n, cap;
    size_t bytes;
};

static int
due_cmp(const void *a, const void *b)
{
    const struct due *x = a, *y = b;

    if (x->tail != y->tail)
        return x->tail < y->tail ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static void
dues_add(struct dues *d, const struct effect_batch *b)
{
    if (d->n == d->cap) {
        d->cap = d->cap == 0 ? 64 : d->cap * 2;
        d->v = xrealloc(d->v, d->cap * sizeof *d->v);
    }
    d->v[d->n] = (struct due){.tail = b->tail,
        .order = d->n,
        .chunk = {.epoch = b->batch.epoch,
            .base_offset = b->batch.base,
            .last_offset = b->batch.last,
            .max_timestamp = b->batch.max_timestamp,
            .bytes = span_of(b->batch.bytes, b->batch.size)}};
    d->bytes += b->batch.size;
    d->n++;
}

/* What the log's start has passed need not be written at all: a repartition
 * log that its task keeps up with costs no segment. All of it or nothing:
 * else each pass would begin a file of its own. */
static bool
dues_passed(const struct due *v, size_t n, struct tail *t)
{
    return v[n - 1].chunk.last_offset < atomic_load(&t->log_start);
}

/* The folder of the topic; plog makes that of the partition in it. One that
 * is there may be from a process that died before it was synced. */
static int
topic_folder(struct seq *s, struct tail *t, struct err *err)
{
    char path[DATADIR_PATH];

    if (t->keeper_folder)
        return 0;
    datadir_topic(s->datadir, &t->topic_id, path);
    if (s->world->ops->mkdir(s->world, path, 0700) < 0 && errno != EEXIST)
        return err_set(err, errno, "make folder %s", path);
    s->topics_dirty = true;
    if (!t->keeper_identity && datadir_identify_topic(s->datadir,
            &t->topic_id, s->opts.durability != DURABILITY_MEMORY, err) < 0)
        return -1;
    t->keeper_folder = true;
    return 0;
}

static int
write_tail(struct seq *s, struct due *v, size_t n, struct err *err)
{
    struct tail *t = v[0].tail;
    int64_t end = v[n - 1].chunk.last_offset + 1, start;
    struct plog_chunk *chunks;
    int rc = 0;

    if (keeper_tail_gone(s, t)) {
        atomic_store(&t->written, end);
        return 0;
    }
    if (!dues_passed(v, n, t)) {
        if (topic_folder(s, t, err) < 0)
            return -1;
        keeper_tail_dirty(s, t);
        chunks = xcalloc(n, sizeof *chunks);
        for (size_t i = 0; i < n; i++) {
            chunks[i] = v[i].chunk;
            s->counters.written_bytes += v[i].chunk.bytes.len;
        }
        rc = plog_append(t->plog, chunks, n, err);
        free(chunks);
    }
    if (rc < 0)
        return -1;
    keeper_tail_dirty(s, t);
    start = atomic_load(&t->log_start);
    plog_trim(t->plog, start < end ? start : end);
    atomic_store(&t->written, end);
    return 0;
}

bool
keeper_full_disk(const struct err *err)
{
    return err->code == ENOSPC || err->code == EDQUOT
        || err->code == EMFILE || err->code == ENFILE || err->code == ENOMEM;
}

/* Is the work to be tried again later? Else the process ends here. */
static void
keeper_failed(struct seq *s, const struct err *err)
{
    if (!keeper_full_disk(err))
        seq_die(s, err);
    snapper_drop(s);
    if (!s->readonly)
        diag(ERROR, EPOCH, "%s: only reading and deleting go on until there "
            "is room", err->text);
    /* Below the floor the door is closed already, but nothing had failed. */
    if (datadir_ballast_drop(s->datadir))
        diag(WARN, EPOCH, "gave up the ballast file to make room");
    s->readonly_why = "the disk is full";
    atomic_store(&s->readonly, true);
    s->retry_ns = world_mono_ns(s->world) + 1000000000;
}

static int
write_back(struct seq *s, const struct epoch_list *work,
    const struct epoch *until, struct err *err)
{
    struct dues d = {0};
    const struct epoch *e;
    const struct effect *f;
    int rc = 0;

    STAILQ_FOREACH(e, work, next) {
        if (e == until)
            break;
        STAILQ_FOREACH(f, &e->effects, next)
            for (uint32_t i = 0; i < f->n_batches; i++)
                dues_add(&d, &f->batches[i]);
    }
    if (d.n > 0)
        qsort(d.v, d.n, sizeof *d.v, due_cmp);
    for (size_t i = 0, n; i < d.n && rc == 0; i += n) {
        for (n = 1; i + n < d.n && d.v[i + n].tail == d.v[i].tail; n++)
            ;
        rc = write_tail(s, &d.v[i], n, err);
    }
    free(d.v);
    return rc;
}

/* ---- operations ---- */

static void
drop_topic(struct seq *s, const struct effect_op *op, uint64_t epoch)
{
    Store__Doomed doomed = STORE__DOOMED__INIT;
    uint8_t key[1 + 16], value[32];
    struct span packed = span_of(value, 0);

    key[0] = META_TOPIC;
    memcpy(key + 1, op->topic_id.bytes, 16);
    keeper_dirty_put(s, span_of(key, sizeof key), NULL);
    key[0] = META_DOOMED;
    doomed.epoch = epoch;
    packed.len = store__doomed__pack(&doomed, value);
    keeper_dirty_put(s, span_of(key, sizeof key), &packed);
    buf_put(&s->doomed, op->topic_id.bytes, 16);
}

/* The new segment was synced before the effect was made. */
static void
clean(struct seq *s, const struct effect_op *op)
{
    struct plog_cleaned c = {.cleaned = op->offset};
    struct tail *t = op->tail;
    struct err err;

    if (t == NULL || keeper_tail_gone(s, t))
        return;
    if (op->value.len > 0
        && logrec_unpack_segment(op->value, &c.segment, &err) < 0)
        unreachable("recovery has looked at it, or we packed it");
    plog_swap(t->plog, &c);
    keeper_tail_dirty(s, t);
    /* A pass that a crash cut short has left a file. */
    if (c.segment.size > 0)
        t->recovered = true;
}

static void
apply_op(struct seq *s, const struct effect_op *op, uint64_t epoch)
{
    switch (op->kind) {
    case EFFECT_PUT:
        keeper_dirty_put(s, op->key, &op->value);
        break;
    case EFFECT_DELETE:
        keeper_dirty_put(s, op->key, NULL);
        break;
    case EFFECT_TRIM:
        if (op->tail != NULL && !keeper_tail_gone(s, op->tail)) {
            plog_trim(op->tail->plog, op->offset);
            keeper_tail_dirty(s, op->tail);
        }
        break;
    case EFFECT_DROP_TOPIC:
        drop_topic(s, op, epoch);
        break;
    case EFFECT_CLEAN:
        clean(s, op);
        break;
    case EFFECT_CONFIGURE:
        plog_configure(op->tail->plog, &op->config);
        break;
    }
}

static void
apply_ops(struct seq *s, const struct epoch *e)
{
    const struct effect *f;

    STAILQ_FOREACH(f, &e->effects, next)
        for (uint32_t i = 0; i < f->n_ops; i++)
            apply_op(s, &f->op[i], e->number);
}

/* ---- back on the loop ---- */

static void
cache_push(struct seq *s, const struct effect_batch *b)
{
    struct cached *c;

    if (s->cached_count == s->cached_cap) {
        size_t cap = s->cached_cap == 0 ? 64 : s->cached_cap * 2;
        struct cached *v = xmalloc(cap * sizeof *v);

        for (size_t i = 0; i < s->cached_count; i++)
            v[i] = s->cached[(s->cached_head + i) & (s->cached_cap - 1)];
        free(s->cached);
        s->cached = v;
        s->cached_head = 0;
        s->cached_cap = cap;
    }
    c = &s->cached[(s->cached_head + s->cached_count++)
        & (s->cached_cap - 1)];
    *c = (struct cached){.tail = tail_ref(b->tail),
        .next = b->batch.last + 1,
        .bytes = b->batch.size};
    s->cached_bytes += c->bytes;
}

static void
cache_evict(struct seq *s, uint64_t max)
{
    while (s->cached_count > 0 && s->cached_bytes > max) {
        struct cached *c = &s->cached[s->cached_head];

        tail_evict(c->tail, c->next);
        tail_unref(c->tail);
        s->cached_bytes -= c->bytes;
        s->cached_head = (s->cached_head + 1) & (s->cached_cap - 1);
        s->cached_count--;
    }
}

/* The keeper is done with an epoch. */
static void
kept(struct seq_call *call)
{
    struct epoch *e = container_of(call, struct epoch, call);
    struct seq *s = e->seq;
    struct effect *f;

    if (e->checkpoint) {
        journal_recycle(s->journal, e->number);
        s->checkpointing = false;
        s->since_checkpoint = 0;
        /* The overlays are smaller now: by the old count the door might stay
         * closed, and nothing would come to count again. */
        seq_count_overlays(s);
        seq_refresh_limit(s);
        epoch_free(s, e);
        return;
    }
    STAILQ_FOREACH(f, &e->effects, next) {
        for (uint32_t i = 0; i < f->n_batches; i++) {
            s->unwritten -= f->batches[i].batch.size;
            cache_push(s, &f->batches[i]);
        }
    }
    cache_evict(s, s->opts.cache_max);
    epoch_free(s, e);
    seq_refresh_limit(s);
}

/* ---- the thread ---- */

static void
keeper_give_back(struct seq *s, struct epoch *e)
{
    STAILQ_REMOVE_HEAD(&s->keeper_work, next);
    e->seq = s;
    e->call.fn = kept;
    seq_post(s, &e->call);
}

/* Everything that is in hand, up to the first checkpoint and with it.
 * Returns false if it must be tried again. */
static bool
keeper_work_off(struct seq *s)
{
    struct err err = {0};
    struct epoch *e, *until = NULL;

    STAILQ_FOREACH(e, &s->keeper_work, next) {
        if (e->checkpoint) {
            until = e;
            break;
        }
    }
    if (write_back(s, &s->keeper_work, until, &err) < 0) {
        keeper_failed(s, &err);
        return false;
    }
    while ((e = STAILQ_FIRST(&s->keeper_work)) != NULL && e != until) {
        apply_ops(s, e);
        keeper_give_back(s, e);
    }
    if (until == NULL)
        return true;
    if (checkpoint_make(s, until, &err) < 0) {
        keeper_failed(s, &err);
        return false;
    }
    if (until->grow_bytes > 0 && s->grow_bytes == 0)
        growth_make(s, until->grow_bytes);
    keeper_give_back(s, until);
    return true;
}

static void
keeper_take(struct seq *s)
{
    must(pthread_mutex_lock(&s->keeper_mutex));
    STAILQ_CONCAT(&s->keeper_work, &s->keeper_queue);
    s->keeper_queued = 0;
    must(pthread_mutex_unlock(&s->keeper_mutex));
}

/* Space that came back reopens the door; too little closes it in time. */
static void
keeper_watch_disk(struct seq *s)
{
    uint64_t bytes;
    struct err err;

    if (datadir_free_bytes(s->datadir, &bytes, &err) < 0)
        return;
    if (bytes < s->opts.disk_floor && !s->readonly) {
        diag(ERROR, EPOCH, "only %llu MiB are free on the disk, the floor is "
            "%llu: only reading and deleting go on until there is room",
            bytes / MIB, (unsigned long long)(s->opts.disk_floor / MIB));
        s->readonly_why = "the disk is full";
        atomic_store(&s->readonly, true);
    } else if (s->readonly && bytes >= s->opts.disk_floor
        && STAILQ_EMPTY(&s->keeper_work)) {
        if (datadir_ballast_hold(s->datadir, s->opts.ballast, &err) < 0)
            return;
        diag(INFO, EPOCH, "there is room on the disk again: writing goes on");
        atomic_store(&s->readonly, false);
    }
}

void
keeper_pass(struct seq *s, bool all)
{
    keeper_take(s);
    if (s->grow_bytes > 0 && growth_make(s, s->grow_bytes))
        s->grow_bytes = 0;
    while (!STAILQ_EMPTY(&s->keeper_work)) {
        if (!keeper_work_off(s))
            break;
        if (!all)
            break;
    }
    snapper_step(s, all);
    keeper_watch_disk(s);
}

/* Waits until there is work worth beginning. Returns false at the end. */
static bool
keeper_wait(struct seq *s)
{
    struct timespec until;
    bool go_on, again = s->grow_bytes > 0 || s->snapshot != NULL;

    must(pthread_mutex_lock(&s->keeper_mutex));
    s->keeper_sleeps = true;
    while (STAILQ_EMPTY(&s->keeper_queue) && !s->keeper_stop && !again
        && STAILQ_EMPTY(&s->keeper_work) && !s->readonly)
        must(pthread_cond_wait(&s->keeper_cond, &s->keeper_mutex));
    /* A little later there is more, and one write serves it all. */
    must(clock_gettime(CLOCK_MONOTONIC, &until));
    until.tv_nsec += s->readonly || s->grow_bytes > 0 ? 500000000
        : COALESCE_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (s->keeper_queued < WAKE_BYTES && !s->keeper_stop) {
        int rc = pthread_cond_timedwait(&s->keeper_cond, &s->keeper_mutex,
            &until);

        if (rc == ETIMEDOUT)
            break;
        assert(rc == 0);
    }
    s->keeper_sleeps = false;
    go_on = !s->keeper_stop || !STAILQ_EMPTY(&s->keeper_queue);
    must(pthread_mutex_unlock(&s->keeper_mutex));
    return go_on;
}

static void *
keeper_main(void *arg)
{
    struct seq *s = arg;

    thread_name("penstock-keeper");
    if (s->grow_bytes > 0)
        keeper_pass(s, false);
    while (keeper_wait(s))
        keeper_pass(s, false);
    snapper_stop(s);
    return NULL;
}

void
keeper_start(struct seq *s)
{
    must(pthread_create(&s->keeper, NULL, keeper_main, s));
    s->keeper_runs = true;
}

void
keeper_send(struct seq *s, struct epoch *e)
{
    bool wake;

    must(pthread_mutex_lock(&s->keeper_mutex));
    wake = STAILQ_EMPTY(&s->keeper_queue)
        || (s->keeper_queued + e->bytes >= WAKE_BYTES
            && s->keeper_queued < WAKE_BYTES)
        || e->checkpoint;
    STAILQ_INSERT_TAIL(&s->keeper_queue, e, next);
    s->keeper_queued += e->checkpoint ? WAKE_BYTES : e->bytes;
    if (wake && s->keeper_sleeps)
        must(pthread_cond_signal(&s->keeper_cond));
    must(pthread_mutex_unlock(&s->keeper_mutex));
}

void
keeper_stop(struct seq *s)
{
    if (s->keeper_runs) {
        must(pthread_mutex_lock(&s->keeper_mutex));
        s->keeper_stop = true;
        must(pthread_cond_signal(&s->keeper_cond));
        must(pthread_mutex_unlock(&s->keeper_mutex));
        must(pthread_join(s->keeper, NULL));
        s->keeper_runs = false;
    }
}
