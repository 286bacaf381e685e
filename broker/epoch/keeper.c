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
#include "proto/store.pb-c.h"

enum {
    WAKE_BYTES = 1024 * 1024,    /* queued: the keeper begins at once */
    COALESCE_MS = 20,            /* else it waits for more */
    WALK_KEYS = 256,             /* of an overlay under its lock */
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

static void
tail_dirty(struct seq *s, struct tail *t)
{
    if (t->keeper_dirty)
        return;
    t->keeper_dirty = true;
    t->keeper_next = s->dirty_tails;
    s->dirty_tails = tail_ref(t);
}

/* Dropped for good: the frame that says so is on the disk. Until then what
 * is committed of it must be written like that of any other. */
static bool
tail_gone(struct seq *s, struct tail *t)
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

    if (tail_gone(s, t)) {
        atomic_store(&t->written, end);
        return 0;
    }
    if (!dues_passed(v, n, t)) {
        if (topic_folder(s, t, err) < 0)
            return -1;
        tail_dirty(s, t);
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
    tail_dirty(s, t);
    start = atomic_load(&t->log_start);
    plog_trim(t->plog, start < end ? start : end);
    atomic_store(&t->written, end);
    return 0;
}

static bool
full_disk(const struct err *err)
{
    return err->code == ENOSPC || err->code == EDQUOT
        || err->code == EMFILE || err->code == ENFILE || err->code == ENOMEM;
}

/* Is the work to be tried again later? Else the process ends here. */
static void
keeper_failed(struct seq *s, const struct err *err)
{
    if (!full_disk(err))
        seq_die(s, err);
    if (!s->readonly) {
        diag(ERROR, EPOCH, "%s: only reading and deleting go on until there "
            "is room", err->text);
        if (datadir_ballast_drop(s->datadir))
            diag(WARN, EPOCH, "gave up the ballast file to make room");
    }
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
        if (op->tail != NULL && !tail_gone(s, op->tail)) {
            plog_trim(op->tail->plog, op->offset);
            tail_dirty(s, op->tail);
        }
        break;
    case EFFECT_DROP_TOPIC:
        drop_topic(s, op, epoch);
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

/* ---- the checkpoint ---- */

/* Begins another transaction when one is large enough. */
static int
write_turn(struct seq *s, struct meta_write *w, struct err *err)
{
    if (!meta_full(w))
        return 0;
    if (meta_commit(w, err) < 0)
        return -1;
    if (meta_begin(s->meta, w) == 0)
        return 0;
    *err = w->err;
    return -1;
}

struct put_arg {
    struct seq *seq;
    struct arena *arena;
    struct shelf *shelf;
    struct {
        struct span key, value;
    } keys[WALK_KEYS];
    size_t n;
};

static void
put_collect(void *arg, struct span key, bool gone, struct span value)
{
    struct put_arg *p = arg;

    p->keys[p->n].key = meta_state_key(p->arena, p->shelf->store,
        p->shelf->partition, key);
    p->keys[p->n].value = gone ? SPAN_NULL : arena_copy(p->arena, value);
    p->n++;
}

/* One shelf up to its pinned run, in the order of keys. */
static int
checkpoint_shelf(struct seq *s, struct shelf *f, struct meta_write *w,
    struct arena *arena, struct err *err)
{
    struct put_arg *p = xcalloc(1, sizeof *p);
    struct buf from;
    struct span next;
    bool more = true;
    int rc = 0;

    p->arena = arena;
    p->shelf = f;
    buf_init(&from, STORE_KEY_MAX + 1);
    while (more && rc == 0) {
        arena_reset(arena);
        p->n = 0;
        overlay_lock(&f->overlay);
        more = overlay_walk(&f->overlay, buf_span(&from), f->overlay.pinned,
            WALK_KEYS, put_collect, p, &next);
        buf_clear(&from);
        if (more)
            buf_put_span(&from, next);
        overlay_unlock(&f->overlay);
        for (size_t i = 0; i < p->n && rc == 0; i++) {
            if (p->keys[i].value.ptr == NULL)
                meta_del(w, META_STATE, p->keys[i].key);
            else
                meta_put(w, META_STATE, p->keys[i].key, p->keys[i].value);
            rc = write_turn(s, w, err);
        }
        s->counters.checkpoint_keys += p->n;
    }
    buf_release(&from);
    free(p);
    return rc;
}

static int
shelf_cmp(const void *a, const void *b)
{
    struct shelf *const *x = a, *const *y = b;

    return memcmp((*x)->key, (*y)->key, META_STATE_PREFIX);
}

static struct shelf **
shelves_sorted(struct seq *s, size_t *n)
{
    struct shelf **v, *f;

    lock_take(&s->state.lock);
    v = xcalloc(s->state.shelves.count + 1, sizeof(struct shelf *));
    *n = 0;
    for (size_t i = 0; (f = state_next(&s->state, &i)) != NULL;)
        v[(*n)++] = f;
    lock_give(&s->state.lock);
    qsort(v, *n, sizeof(struct shelf *), shelf_cmp);
    return v;
}

static int
checkpoint_stores(struct seq *s, struct meta_write *w, struct err *err)
{
    struct arena arena;
    size_t n;
    struct shelf **v = shelves_sorted(s, &n);
    int rc = 0;

    arena_init(&arena, 512 * MIB);
    for (size_t i = 0; i < n && rc == 0; i++)
        if (v[i]->overlay.pinned > 0)
            rc = checkpoint_shelf(s, v[i], w, &arena, err);
    arena_release(&arena);
    free(v);
    return rc;
}

/* LMDB has them now: readers that look into the overlays after this must
 * have a newer snapshot (state.h). */
static void
trim_overlays(struct seq *s)
{
    struct shelf *f;
    size_t n;
    struct shelf **v = shelves_sorted(s, &n);

    atomic_fetch_add(&s->state.trims, 1);
    for (size_t i = 0; i < n; i++) {
        f = v[i];
        overlay_lock(&f->overlay);
        if (f->overlay.pinned > 0)
            overlay_trim(&f->overlay, f->overlay.pinned);
        f->overlay.pinned = 0;
        overlay_unlock(&f->overlay);
    }
    free(v);
}

static int
checkpoint_records(struct seq *s, struct meta_write *w, struct err *err)
{
    struct omap_iter it;
    struct span key;
    void *value;
    int rc = 0;

    omap_seek(&s->dirty, SPAN_NULL, &it);
    while (rc == 0 && omap_next(&it, &key, &value)) {
        const struct image *im = value;

        if (im->gone)
            meta_del(w, META_RECORDS, key);
        else
            meta_put(w, META_RECORDS, key, span_of(im->data, im->len));
        rc = write_turn(s, w, err);
    }
    return rc;
}

static void
log_key(uint8_t key[21], const struct tail *t)
{
    key[0] = META_LOG;
    memcpy(key + 1, t->topic_id.bytes, 16);
    put_be32(key + 17, (uint32_t)t->partition);
}

static int
checkpoint_logs(struct seq *s, struct meta_write *w, struct err *err)
{
    struct buf packed;
    uint8_t key[21];
    int rc = 0;

    buf_init(&packed, 64 * MIB);
    for (struct tail *t = s->dirty_tails; t != NULL && rc == 0;
         t = t->keeper_next) {
        struct plog_state st;

        if (tail_gone(s, t))
            continue;
        plog_state_get(t->plog, &st);
        logrec_pack(&st, &packed);
        plog_state_release(&st);
        log_key(key, t);
        meta_put(w, META_RECORDS, span_of(key, sizeof key),
            buf_span(&packed));
        rc = write_turn(s, w, err);
    }
    buf_release(&packed);
    return rc;
}

/* The records of logs and producers of topics that are gone. */
static int
checkpoint_drops(struct seq *s, struct meta_write *w, struct err *err)
{
    static const char kinds[] = {META_LOG, META_PRODUCER};
    uint8_t prefix[17];
    bool more;
    int rc = 0;

    for (size_t at = 0; at < s->doomed.len; at += 16) {
        for (size_t k = 0; k < countof(kinds); k++) {
            prefix[0] = (uint8_t)kinds[k];
            memcpy(prefix + 1, s->doomed.ptr + at, 16);
            do {
                meta_del_prefix(w, META_RECORDS,
                    span_of(prefix, sizeof prefix), 1000, &more);
                rc = write_turn(s, w, err);
            } while (more && rc == 0);
        }
    }
    return rc;
}

void
keeper_mark(struct seq *s, const struct journal_cursor *at, int64_t clock_ms,
    bool clean, struct meta_write *w)
{
    Store__Checkpoint c = STORE__CHECKPOINT__INIT;
    uint8_t key = META_CHECKPOINT, *out;
    char boot[64];

    datadir_boot_id(boot);
    c.format = 1;
    c.epoch = at->epoch;
    c.incarnation = at->incarnation;
    c.frame_crc = at->check;
    c.journal_file = at->file;
    c.journal_pos = at->pos;
    c.clock_ms = clock_ms;
    c.boot_id = boot;
    c.clean = clean;
    c.durability = s->opts.durability;
    c.cluster_id.data = s->datadir->cluster_id.bytes;
    c.cluster_id.len = 16;
    c.data_id.data = s->datadir->data_id.bytes;
    c.data_id.len = 16;
    c.incarnations = s->incarnations;
    c.n_incarnations = s->incarnation_count;
    out = xmalloc(store__checkpoint__get_packed_size(&c));
    meta_put(w, META_RECORDS, span_of(&key, 1),
        span_of(out, store__checkpoint__pack(&c, out)));
    free(out);
}

static int
checkpoint_sync(struct seq *s, struct err *err)
{
    if (s->opts.durability == DURABILITY_MEMORY)
        return 0;
    for (struct tail *t = s->dirty_tails; t != NULL; t = t->keeper_next)
        if (!tail_gone(s, t) && !seeded("skip-segment-sync")
            && plog_sync(t->plog, err) < 0)
            return -1;
    if (s->topics_dirty && !seeded("skip-folder-sync")
        && datadir_sync(s->datadir, "topics", err) < 0)
        return -1;
    s->topics_dirty = false;
    return 0;
}

static int
checkpoint_meta(struct seq *s, const struct epoch *e, struct err *err)
{
    struct meta_write w;

    if (meta_begin(s->meta, &w) < 0) {
        meta_abort(&w);
        *err = w.err;
        return -1;
    }
    if (checkpoint_stores(s, &w, err) < 0
        || checkpoint_records(s, &w, err) < 0
        || checkpoint_logs(s, &w, err) < 0
        || checkpoint_drops(s, &w, err) < 0) {
        meta_abort(&w);
        return -1;
    }
    /* Less right after a start: the numbers behind were left out. */
    assert(e->cursor.epoch <= e->number);
    keeper_mark(s, &e->cursor, e->clock_ms, e->clean, &w);
    if (seeded("trim-before-commit"))
        trim_overlays(s);
    return meta_commit(&w, err);
}

/* What the durable checkpoint no longer refers to. A failure here leaves
 * garbage, which the next start or checkpoint removes. */
static void
checkpoint_sweep(struct seq *s)
{
    char path[DATADIR_PATH];
    struct err err;
    struct tail *list, *t;
    uint8_t key[17];

    for (size_t at = 0; at < s->doomed.len; at += 16) {
        struct uuid id;

        memcpy(id.bytes, s->doomed.ptr + at, 16);
        if (plog_remove_folder(s->world, datadir_topic(s->datadir, &id, path),
                &err) < 0) {
            /* After a failed flush nobody knows which names are there. */
            if (err.code == EIO)
                seq_die(s, &err);
            diag(WARN, EPOCH, "%s: the next start tries again", err.text);
            continue;
        }
        key[0] = META_DOOMED;
        memcpy(key + 1, id.bytes, 16);
        keeper_dirty_put(s, span_of(key, sizeof key), NULL);
    }
    buf_clear(&s->doomed);
    list = s->dirty_tails;
    s->dirty_tails = NULL;
    while ((t = list) != NULL) {
        list = t->keeper_next;
        t->keeper_dirty = false;
        /* A replay may lay segments out in another way than before. */
        if (t->recovered && !tail_gone(s, t)
            && plog_sweep(t->plog, &err) < 0)
            diag(WARN, LOG, "%s", err.text);
        t->recovered = false;
        if (!tail_gone(s, t) && plog_doomed(t->plog) > 0) {
            if (plog_unlink_doomed(t->plog, &err) < 0)
                diag(WARN, LOG, "%s", err.text);
            tail_dirty(s, t); /* so that the next one forgets their names */
        }
        tail_unref(t);
    }
}

static int
checkpoint(struct seq *s, struct epoch *e, struct err *err)
{
    int64_t began = world_mono_ns(s->world);

    /* The frames of earlier ones are all before P, which this one wrote. */
    s->incarnations[0] = s->incarnations[s->incarnation_count - 1];
    s->incarnation_count = 1;
    if (seeded("move-P-early") && checkpoint_meta(s, e, err) < 0)
        return -1;
    if (checkpoint_sync(s, err) < 0 || checkpoint_meta(s, e, err) < 0)
        return -1;
    keeper_free_dirty(s);
    trim_overlays(s);
    atomic_store(&s->checkpointed, e->number);
    checkpoint_sweep(s);
    s->counters.checkpoints++;
    s->counters.checkpoint_ns += (uint64_t)(world_mono_ns(s->world) - began);
    return 0;
}

/* ---- growth of the journal ---- */

struct growth {
    struct seq_call call;
    struct seq *seq;
    struct journal_file *file;
};

static void
grown(struct seq_call *call)
{
    struct growth *g = container_of(call, struct growth, call);

    journal_add_file(g->seq->journal, g->file);
    seq_refresh_limit(g->seq);
    free(g);
}

static void
keeper_grow(struct seq *s, uint64_t bytes, uint32_t number)
{
    struct err err;
    struct growth *g;
    struct journal_file *f;

    f = journal_make_file(s->world, journal_dir(s->journal),
        s->opts.durability, number, bytes, &err);
    if (f == NULL) {
        diag(WARN, EPOCH, "%s: the journal stays as small as it is",
            err.text);
        return;
    }
    g = xcalloc(1, sizeof *g);
    g->call.fn = grown;
    g->seq = s;
    g->file = f;
    seq_post(s, &g->call);
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
    if (checkpoint(s, until, &err) < 0) {
        keeper_failed(s, &err);
        return false;
    }
    if (until->grow_bytes > 0)
        keeper_grow(s, until->grow_bytes, until->grow_number);
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
    while (!STAILQ_EMPTY(&s->keeper_work)) {
        if (!keeper_work_off(s))
            break;
        if (!all)
            break;
    }
    keeper_watch_disk(s);
}

/* Waits until there is work worth beginning. Returns false at the end. */
static bool
keeper_wait(struct seq *s)
{
    struct timespec until;
    bool go_on;

    must(pthread_mutex_lock(&s->keeper_mutex));
    s->keeper_sleeps = true;
    while (STAILQ_EMPTY(&s->keeper_queue) && !s->keeper_stop
        && STAILQ_EMPTY(&s->keeper_work) && !s->readonly)
        must(pthread_cond_wait(&s->keeper_cond, &s->keeper_mutex));
    /* A little later there is more, and one write serves it all. */
    must(clock_gettime(CLOCK_MONOTONIC, &until));
    until.tv_nsec += s->readonly ? 500000000 : COALESCE_MS * 1000000;
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
    while (keeper_wait(s))
        keeper_pass(s, false);
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
