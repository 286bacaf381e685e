/*
 * checkpoint.c: the keeper moves P: segments and folders are flushed, then
 * LMDB is brought up to the epoch P in as many transactions as it takes, of
 * which the last one moves P; then what it made superfluous goes. The essay
 * is in keeper.c, rules 1 to 3.
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
    WALK_KEYS = 256,             /* of an overlay under its lock */
    WALK_AHEAD = 8,
};

/* ---- stores ---- */

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

/* The keys of one shelf, to be put in order. */
struct due_key {
    const struct overlay_entry *entry;
    struct span key;             /* the arena's */
    uint64_t head;               /* eight bytes behind what all begin with */
};

struct due_keys {
    struct arena *arena;
    struct shelf *shelf;
    struct due_key *v;
    size_t n, cap;
    size_t common;               /* bytes that all keys begin with */
};

static void
due_key_add(void *arg, const struct overlay_entry *e)
{
    struct due_keys *d = arg;
    struct span key = overlay_entry_key(e), first;
    size_t same = 0;

    if (d->n == d->cap) {
        d->cap = d->cap == 0 ? 1024 : d->cap * 2;
        d->v = xrealloc(d->v, d->cap * sizeof *d->v);
    }
    d->v[d->n].entry = e;
    d->v[d->n].key = arena_copy(d->arena, key);
    assert(!d->arena->failed);
    first = d->v[0].key;
    if (d->n++ == 0)
        d->common = key.len;
    while (same < d->common && same < key.len
        && key.ptr[same] == first.ptr[same])
        same++;
    d->common = same;
}

static int
due_key_cmp(const void *a, const void *b)
{
    const struct due_key *x = a, *y = b;

    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    return span_cmp(x->key, y->key);
}

static void
due_keys_sort(struct due_keys *d)
{
    for (size_t i = 0; i < d->n; i++) {
        struct due_key *k = &d->v[i];
        size_t left = k->key.len - d->common;
        uint8_t head[8] = {0};

        if (left > 0)
            memcpy(head, k->key.ptr + d->common,
                left < sizeof head ? left : sizeof head);
        k->head = get_be64(head);
    }
    if (d->n > 0)
        qsort(d->v, d->n, sizeof *d->v, due_key_cmp);
}

static void
due_keys_collect(struct due_keys *d, uint64_t run)
{
    struct overlay *o = &d->shelf->overlay;
    bool more = true;

    for (size_t at = 0; more;) {
        overlay_lock(o);
        more = overlay_keys(o, run, &at, due_key_add, d);
        overlay_unlock(o);
    }
    due_keys_sort(d);
}

struct due_put {
    struct span key, value;      /* value null: delete */
};

/* Looks up to WALK_KEYS keys from `from` on up; returns how many it took. */
static size_t
due_puts(struct due_keys *d, size_t from, uint64_t run, struct arena *arena,
    struct due_put *puts, size_t *n)
{
    struct overlay *o = &d->shelf->overlay;
    size_t i = from;

    *n = 0;
    for (; i < d->n && i - from < WALK_AHEAD; i++)
        overlay_entry_ahead(d->v[i].entry);
    i = from;
    overlay_lock(o);
    for (; i < d->n && i - from < WALK_KEYS; i++) {
        struct span value;
        enum overlay_result r = overlay_entry_at(d->v[i].entry, run, &value);

        if (i + WALK_AHEAD < d->n)
            overlay_entry_ahead(d->v[i + WALK_AHEAD].entry);
        if (r == OVERLAY_MISS
            || (i > 0 && d->v[i].entry == d->v[i - 1].entry))
            continue;
        puts[*n].key = meta_state_key(arena, d->shelf->store,
            d->shelf->partition, d->v[i].key);
        puts[*n].value = r == OVERLAY_GONE ? SPAN_NULL
            : arena_copy(arena, value);
        ++*n;
    }
    overlay_unlock(o);
    return i - from;
}

/* One shelf up to its pinned run, in the order of keys. */
static int
checkpoint_shelf(struct seq *s, struct shelf *f, struct meta_write *w,
    struct arena *arena, struct err *err)
{
    struct arena keys;
    struct due_keys d = {.arena = &keys, .shelf = f};
    struct due_put puts[WALK_KEYS];
    uint64_t run = f->overlay.pinned;
    int rc = 0;

    arena_init(&keys, SIZE_MAX);
    due_keys_collect(&d, run);
    for (size_t at = 0, n; at < d.n && rc == 0;) {
        arena_reset(arena);
        at += due_puts(&d, at, run, arena, puts, &n);
        for (size_t i = 0; i < n && rc == 0; i++) {
            if (puts[i].value.ptr == NULL)
                meta_del(w, META_STATE, puts[i].key);
            else
                meta_put(w, META_STATE, puts[i].key, puts[i].value);
            rc = write_turn(s, w, err);
        }
        s->counters.checkpoint_keys += n;
    }
    free(d.v);
    arena_release(&keys);
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
        size_t at = 0;
        bool more = true;

        f = v[i];
        while (more) {           /* in steps, so that its task goes on */
            overlay_lock(&f->overlay);
            more = f->overlay.pinned > 0
                && overlay_trim_step(&f->overlay, f->overlay.pinned, &at);
            if (!more)
                f->overlay.pinned = 0;
            overlay_unlock(&f->overlay);
        }
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

        if (keeper_tail_gone(s, t))
            continue;
        plog_state_get(t->plog, &st);
        logrec_pack(&st, &packed);
        lock_take(&t->lock);
        leaders_trim(&t->leaders, st.log_start);
        leaders_pack(&t->leaders, st.written, t->keeper_identity, &packed);
        lock_give(&t->lock);
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
    static const char kinds[] = {META_LOG, META_PRODUCER, META_ABORTED};
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
    Store__JournalFile *files = xcalloc(s->part_count, sizeof *files);
    uint8_t key = META_CHECKPOINT, *out;
    char boot[64];

    s->marked = *at;
    s->marked_clock_ms = clock_ms;
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
    c.trusted_epoch = s->trusted_epoch;
    c.trusted_check = s->trusted_check;
    c.journal_files = xcalloc(s->part_count, sizeof *c.journal_files);
    for (size_t i = 0; i < s->part_count; i++) {
        store__journal_file__init(&files[i]);
        files[i].number = s->parts[i].number;
        files[i].size = s->parts[i].size;
        c.journal_files[c.n_journal_files++] = &files[i];
    }
    out = xmalloc(store__checkpoint__get_packed_size(&c));
    meta_put(w, META_RECORDS, span_of(&key, 1),
        span_of(out, store__checkpoint__pack(&c, out)));
    free(out);
    free(c.journal_files);
    free(files);
}

/* The names of what topic_folder() has written. */
static int
sync_identity(struct seq *s, struct tail *t, struct err *err)
{
    if (t->keeper_identity || !t->keeper_folder)
        return 0;
    if (s->opts.durability != DURABILITY_MEMORY
        && !seeded("skip-folder-sync")
        && datadir_sync_topic(s->datadir, &t->topic_id, err) < 0)
        return -1;
    t->keeper_identity = true;
    return 0;
}

static int
checkpoint_sync(struct seq *s, struct err *err)
{
    for (struct tail *t = s->dirty_tails; t != NULL; t = t->keeper_next)
        if (!keeper_tail_gone(s, t) && sync_identity(s, t, err) < 0)
            return -1;
    if (s->opts.durability == DURABILITY_MEMORY)
        return 0;
    for (struct tail *t = s->dirty_tails; t != NULL; t = t->keeper_next)
        if (!keeper_tail_gone(s, t) && !seeded("skip-segment-sync")
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
        if (!keeper_tail_gone(s, t))
            plog_checkpointed(t->plog);
        /* A replay may lay segments out in another way than before. */
        if (t->recovered && !keeper_tail_gone(s, t)
            && plog_sweep(t->plog, &err) < 0)
            diag(WARN, LOG, "%s", err.text);
        t->recovered = false;
        if (!keeper_tail_gone(s, t) && plog_doomed(t->plog) > 0) {
            if (plog_unlink_doomed(t->plog, &err) < 0)
                diag(WARN, LOG, "%s", err.text);
            /* So that the next one forgets their names. */
            keeper_tail_dirty(s, t);
        }
        tail_unref(t);
    }
}

int
checkpoint_make(struct seq *s, struct epoch *e, struct err *err)
{
    int64_t began = world_mono_ns(s->world);

    /* The frames of earlier ones are all before P, which this one wrote. */
    s->incarnations[0] = s->incarnations[s->incarnation_count - 1];
    s->incarnation_count = 1;
    if (seeded("move-P-early") && checkpoint_meta(s, e, err) < 0)
        return -1;
    if (checkpoint_sync(s, err) < 0 || checkpoint_meta(s, e, err) < 0)
        return -1;
    snapper_note(s);
    keeper_free_dirty(s);
    trim_overlays(s);
    atomic_store(&s->checkpointed, e->number);
    checkpoint_sweep(s);
    snapper_checkpointed(s);
    s->counters.checkpoints++;
    s->counters.checkpoint_ns += (uint64_t)(world_mono_ns(s->world) - began);
    return 0;
}
