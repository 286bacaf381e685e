/*
 * recover.c: opening and closing. Recovery is: LMDB as of the checkpoint P,
 * then the frames after P applied to memory as in normal life; write-back
 * and checkpoint follow behind. No segment is scanned, no store restored,
 * and only partitions that a frame names are touched.
 *
 *   seq_open     lock, identity, LMDB; frames after P are read and proven,
 *                their records laid over LMDB's (the dirty map)
 *   (owners)     seq_records: topics, groups, tasks; seq_tail: their logs
 *   seq_start    batches are linked again, blocks applied, and the frames
 *                sent to the keeper: the same path as after a publish
 *
 * A batch of a topic that no record knows is skipped: the topic was dropped
 * by a later frame. Ids are never reused, so nothing else can be meant.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/endian.h"
#include "base/limits.h"
#include "epoch/logrec.h"
#include "epoch/metafile.h"
#include "epoch/seq_priv.h"
#include "plog/clean.h"
#include "proto/store.pb-c.h"
#include "record/batch.h"

/* What the journal grows by when a start finds it full. */
#define RING_MORE (8 * MIB)

enum {
    OPEN_FILES = 256,            /* segments open for reading */
    FIRST_FILE = 512 * 1024,     /* of a new journal, at most */
    EXIT_DAMAGE = 7,             /* of the process; tools/exits.tbl */
};

/* ---- frames read from the journal ---- */

struct replay_block {
    uint32_t store, partition;
    uint64_t run;
    struct span bytes;
};

struct replay_batch {
    struct uuid topic_id;
    int32_t partition;
    struct span bytes;
};

/* One frame: an effect whose tails are not known yet. */
struct replay {
    struct effect effect;
    struct chunk *frame;
    Store__Manifest *manifest;
    struct replay_batch *batches;
    struct replay_block *blocks;
    size_t n_batches, n_blocks;
};

static void
replay_release(struct effect *f)
{
    struct replay *r = container_of(f, struct replay, effect);

    effect_unref_tails(f);
    free(f->batches);
    free(f->op);
    free(r->batches);
    free(r->blocks);
    store__manifest__free_unpacked(r->manifest, NULL);
    chunk_unref(r->frame);
    free(r);
}

static const struct effect_ops replay_ops = {.release = replay_release};

static void
replay_payload(struct replay *r, struct span rest)
{
    const Store__Manifest *m = r->manifest;

    r->batches = xcalloc(m->n_batches + 1, sizeof *r->batches);
    r->blocks = xcalloc(m->n_blocks + 1, sizeof *r->blocks);
    for (; r->n_batches < m->n_batches; r->n_batches++) {
        const Store__BatchRef *ref = m->batches[r->n_batches];
        struct replay_batch *b = &r->batches[r->n_batches];

        memcpy(b->topic_id.bytes, ref->topic_id.data, 16);
        b->partition = (int32_t)ref->partition;
        b->bytes = span_of(rest.ptr, ref->length);
        rest.ptr += ref->length;
    }
    for (; r->n_blocks < m->n_blocks; r->n_blocks++) {
        const Store__StateBlock *ref = m->blocks[r->n_blocks];

        r->blocks[r->n_blocks] = (struct replay_block){ref->store,
            ref->partition, ref->run, span_of(rest.ptr, ref->length)};
        rest.ptr += ref->length;
    }
}

/* Lays the frame's records over LMDB's. */
static int
replay_ops_apply(struct seq *s, const struct replay *r, struct err *err)
{
    for (size_t i = 0; i < r->manifest->n_ops; i++) {
        const Store__Op *op = r->manifest->ops[i];
        struct span key = span_of(op->key.data, op->key.len);
        struct span value = span_of(op->value.data, op->value.len);
        uint8_t topic[17] = {META_TOPIC};
        struct plog_segment segment;

        switch (op->kind) {
        case STORE__OP_KIND__OP_PUT:
            keeper_dirty_put(s, key, &value);
            break;
        case STORE__OP_KIND__OP_DELETE:
            keeper_dirty_put(s, key, NULL);
            break;
        case STORE__OP_KIND__OP_DROP_TOPIC:
            if (op->topic_id.len != 16)
                return err_set(err, ERR_DAMAGE, "a dropped topic has no id");
            memcpy(topic + 1, op->topic_id.data, 16);
            keeper_dirty_put(s, span_of(topic, sizeof topic), NULL);
            break;
        case STORE__OP_KIND__OP_TRIM:
            break;
        case STORE__OP_KIND__OP_CLEAN:
            if (value.len > 0
                && logrec_unpack_segment(value, &segment, err) < 0)
                return -1;
            break;
        case STORE__OP_KIND__OP_UNSPECIFIED:
        case _STORE__OP_KIND_IS_INT_SIZE:
        default:
            return err_set(err, ERR_FORMAT, "the journal holds an operation "
                "(%d) that this build does not know: use the version that "
                "wrote it", (int)op->kind);
        }
    }
    return 0;
}

static void
recover_incarnation(struct seq *s, uint64_t incarnation)
{
    if (s->seen_count > 0 && s->seen[s->seen_count - 1] == incarnation)
        return;
    s->seen = xrealloc(s->seen, (s->seen_count + 1) * sizeof *s->seen);
    s->seen[s->seen_count++] = incarnation;
}

static int
recover_frame(void *arg, const struct frame_header *h, struct span frame,
    struct err *err)
{
    struct seq *s = arg;
    struct replay *r = xcalloc(1, sizeof *r);
    struct epoch *e = epoch_new();

    recover_incarnation(s, h->incarnation);
    s->counters.recovered_frames++;
    s->counters.recovered_bytes += frame.len;
    r->effect.magic = EFFECT_MAGIC;
    r->effect.ops = &replay_ops;
    r->frame = chunk_new(frame.len);
    memcpy(r->frame->data, frame.ptr, frame.len);
    r->manifest = store__manifest__unpack(NULL, h->manifest_length,
        r->frame->data + FRAME_HEADER);
    assert(r->manifest != NULL); /* the frame was proven */
    replay_payload(r, span_of(
        r->frame->data + FRAME_HEADER + h->manifest_length,
        frame.len - FRAME_HEADER - h->manifest_length));
    e->number = h->epoch;
    e->clock_ms = r->manifest->clock_ms;
    e->bytes = frame.len;
    STAILQ_INSERT_TAIL(&e->effects, &r->effect, next);
    STAILQ_INSERT_TAIL(&s->recovered, e, next);
    if (e->clock_ms > s->clock_base_ms)
        s->clock_base_ms = e->clock_ms;
    s->since_checkpoint += frame.len;
    return replay_ops_apply(s, r, err);
}

/* ---- opening ---- */

static void
seq_defaults(struct seq_options *o)
{
    if (o->journal_max == 0)
        o->journal_max = 256 * MIB;
    if (o->journal_first == 0)
        o->journal_first = 4 * MIB;
    if (o->tail_max == 0)
        o->tail_max = 64 * MIB;
    if (o->cache_max == 0)
        o->cache_max = 16 * MIB;
    if (o->overlay_max == 0)
        o->overlay_max = 256 * MIB;
    if (o->map_bytes == 0)
        o->map_bytes = 64 * GIB;
    if (o->disk_floor == 0)
        o->disk_floor = 64 * MIB;
    if (o->ballast == 0)
        o->ballast = 16 * MIB;
}

static struct seq *
seq_new(const struct seq_options *opts)
{
    struct seq *s = xcalloc(1, sizeof *s);
    pthread_condattr_t attr;

    s->magic = SEQ_MAGIC;
    s->opts = *opts;
    seq_defaults(&s->opts);
    s->world = opts->world;
    table_init(&s->tails);
    lock_init(&s->tails_lock);
    lock_init(&s->clock_lock);
    omap_init(&s->dirty);
    buf_init(&s->doomed, 64 * MIB);
    STAILQ_INIT(&s->recovered);
    STAILQ_INIT(&s->keeper_queue);
    STAILQ_INIT(&s->keeper_work);
    must(pthread_condattr_init(&attr));
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    must(pthread_mutex_init(&s->room_mutex, NULL));
    must(pthread_cond_init(&s->room_cond, &attr));
    must(pthread_mutex_init(&s->helper_mutex, NULL));
    must(pthread_cond_init(&s->helper_cond, &attr));
    must(pthread_mutex_init(&s->keeper_mutex, NULL));
    must(pthread_cond_init(&s->keeper_cond, &attr));
    must(pthread_condattr_destroy(&attr));
    s->segcache = segcache_new(s->world, OPEN_FILES, 8 * MIB);
    s->open = epoch_new();
    s->clock_mono_ns = world_mono_ns(s->world);
    atomic_store(&s->flush_ns, 200000);
    return s;
}

static struct journal_options
seq_journal_options(const struct seq *s)
{
    uint64_t half = s->opts.journal_first / 2;

    return (struct journal_options){.durability = s->opts.durability,
        .file_bytes = (half < FIRST_FILE ? half : FIRST_FILE)
            / JOURNAL_BLOCK * JOURNAL_BLOCK,
        .files = 1,
        .bytes_max = s->opts.journal_max,
        .fresh = s->datadir->fresh,
        .unflushed = s->unflushed};
}

/* Writes where we stand, before anything is done. */
static int
seq_mark(struct seq *s, const struct journal_cursor *at, int64_t clock_ms,
    struct err *err)
{
    struct meta_write w;

    if (meta_begin(s->meta, &w) < 0) {
        *err = w.err;
        meta_abort(&w);
        return -1;
    }
    keeper_mark(s, at, clock_ms, false, &w);
    return meta_commit(&w, err);
}

static void
seq_add_incarnation(struct seq *s, uint64_t incarnation)
{
    s->incarnations = xrealloc(s->incarnations,
        (s->incarnation_count + 1) * sizeof *s->incarnations);
    s->incarnations[s->incarnation_count++] = incarnation;
}

/* A new folder: nothing has happened, the journal begins at its start. Until
 * its identity is written nothing in it counts, so LMDB is flushed once. */
static int
seq_make(struct seq *s, const char *journal, struct err *err)
{
    struct journal_options jo = seq_journal_options(s);
    const struct journal_cursor start = {0};
    bool sync = s->opts.durability != DURABILITY_MEMORY;
    uint64_t incarnation;

    world_random(s->world, &incarnation, sizeof incarnation);
    seq_add_incarnation(s, incarnation);
    growth_add_part(s, (struct journal_part){0, jo.file_bytes});
    s->grow_bytes = s->opts.journal_first / 2 / JOURNAL_BLOCK * JOURNAL_BLOCK;
    if (journal_create(s->world, journal, &jo, err) < 0
        || seq_mark(s, &start, world_wall_ms(s->world), err) < 0)
        return -1;
    /* LMDB syncs its file, but not the name of it. */
    if (sync && (meta_sync_on(s->meta, err) < 0
            || datadir_sync(s->datadir, "meta", err) < 0))
        return -1;
    return datadir_made(s->datadir, sync, err);
}

static int
seq_read_checkpoint(struct seq *s, struct err *err)
{
    struct arena arena;
    struct span value;
    uint8_t key = META_CHECKPOINT;
    Store__Checkpoint *c = NULL;
    char boot[64];
    int rc;

    arena_init(&arena, 1 * MIB);
    rc = meta_get(s->reader, META_RECORDS, span_of(&key, 1), &arena, &value,
        err);
    if (rc == 1)
        c = store__checkpoint__unpack(NULL, value.len, value.ptr);
    arena_release(&arena);
    if (rc < 0)
        return -1;
    if (c == NULL || c->data_id.len != 16 || c->cluster_id.len != 16)
        return err_set(err, ERR_DAMAGE, "LMDB has no valid checkpoint: run "
            "penstock salvage");
    rc = 0;
    if (c->format != 1 || c->features != 0)
        rc = err_set(err, ERR_FORMAT, "the data has format %u, features "
            "%llx, and this build knows 1 and 0: use the version that wrote "
            "it", c->format, (unsigned long long)c->features);
    else if (memcmp(c->data_id.data, s->datadir->data_id.bytes, 16) != 0)
        rc = err_set(err, ERR_DAMAGE, "LMDB belongs to another data folder: "
            "parts of two copies are mixed");
    s->from = (struct journal_cursor){.file = c->journal_file,
        .pos = c->journal_pos,
        .epoch = c->epoch,
        .incarnation = c->incarnation,
        .check = c->frame_crc};
    s->clock_base_ms = c->clock_ms;
    datadir_boot_id(boot);
    s->boot_differs = !c->clean && c->durability == DURABILITY_PROCESS
        && strcmp(c->boot_id, boot) != 0;
    s->unflushed = !c->clean && c->durability != DURABILITY_POWER
        && s->opts.durability == DURABILITY_POWER;
    s->trusted_epoch = c->trusted_epoch;
    s->trusted_check = c->trusted_check;
    s->incarnation_count = s->part_count = 0;
    for (size_t i = 0; i < c->n_incarnations; i++)
        seq_add_incarnation(s, c->incarnations[i]);
    for (size_t i = 0; i < c->n_journal_files; i++)
        growth_add_part(s, (struct journal_part){
            c->journal_files[i]->number, c->journal_files[i]->size});
    store__checkpoint__free_unpacked(c, NULL);
    return rc;
}

/* The frames after P, then what is known of the files from now on. */
static int
seq_open_journal(struct seq *s, const char *path, struct err *err)
{
    struct journal_options jo = seq_journal_options(s);

    if (journal_open(&s->journal, s->world, path, &jo, err) < 0
        || journal_expect(s->journal, s->parts, s->part_count, err) < 0)
        return -1;
    for (size_t i = 0; i < s->incarnation_count; i++)
        journal_know(s->journal, s->incarnations[i]);
    journal_trust(s->journal, s->trusted_epoch, s->trusted_check);
    if (journal_recover(s->journal, &s->from, s->boot_differs, recover_frame,
            s, err) < 0)
        return -1;
    journal_drop_strays(s->journal);
    s->part_count = 0;
    for (size_t i = 0; i < journal_files(s->journal); i++)
        growth_add_part(s, journal_file_part(s->journal, i));
    if (s->part_count == 1)
        s->grow_bytes = s->opts.journal_first / 2 / JOURNAL_BLOCK
            * JOURNAL_BLOCK;
    s->trusted_epoch = 0;
    if (s->opts.durability == DURABILITY_POWER) {
        s->trusted_epoch = journal_cursor(s->journal).epoch;
        s->trusted_check = journal_cursor(s->journal).check;
    }
    return 0;
}

/* Whoever watches us (tests) may do better than to end the process. */
static void
seq_meta_damaged(void *arg, const struct err *err)
{
    struct seq *s = arg;

    if (s->opts.on_fatal != NULL)
        s->opts.on_fatal(s->opts.on_fatal_arg, err);
    diag(ERROR, EPOCH, "%s", err->text);
    _exit(EXIT_DAMAGE);
}

static int
seq_open_parts(struct seq *s, struct err *err)
{
    char meta[DATADIR_PATH], journal[DATADIR_PATH], file[DATADIR_PATH];
    bool fresh = s->datadir->fresh;
    bool sync = s->opts.durability != DURABILITY_MEMORY;

    datadir_sub(s->datadir, "meta", meta);
    datadir_sub(s->datadir, "journal", journal);
    if ((!fresh && metafile_check(s->world,
            datadir_sub(s->datadir, "meta/data.mdb", file), err) < 0)
        || meta_open_guarded(&s->meta, meta, s->opts.map_bytes,
            sync && !fresh, seq_meta_damaged, s, err) < 0)
        return -1;
    if (fresh && seq_make(s, journal, err) < 0)
        return -1;
    state_init(&s->state, s->meta);
    s->reader = meta_reader_new(s->meta, err);
    if (s->reader == NULL || seq_read_checkpoint(s, err) < 0)
        return -1;
    return seq_open_journal(s, journal, err);
}

int
seq_open(struct seq **out, const struct seq_options *opts, struct err *err)
{
    struct seq *s = seq_new(opts);
    bool sync = opts->durability != DURABILITY_MEMORY;

    if (mailbox_init(&s->box) < 0) {
        err_set(err, errno, "make an eventfd");
        s->box.fd = -1;
        seq_close(s);
        return -1;
    }
    if (datadir_open(&s->datadir, s->world, opts->dir, true, sync, err) < 0
        || seq_open_parts(s, err) < 0) {
        seq_close(s);
        return -1;
    }
    atomic_store(&s->checkpointed, s->from.epoch);
    *out = s;
    return 0;
}

/* ---- records ---- */

struct records {
    struct seq *seq;
    meta_fn *fn;
    void *arg;
};

static int
records_from_meta(void *arg, struct span key, struct span value,
    struct err *err)
{
    struct records *r = arg;

    if (omap_get(&r->seq->dirty, key) != NULL)
        return 0; /* a frame has a newer one */
    return r->fn(r->arg, span_of(key.ptr + 1, key.len - 1), value, err);
}

int
seq_records(struct seq *s, enum meta_kind kind, meta_fn *fn, void *arg,
    struct err *err)
{
    struct records r = {s, fn, arg};
    struct arena arena;
    struct omap_iter it;
    struct span key;
    uint8_t prefix = (uint8_t)kind;
    void *value;
    int rc;

    assert(!s->started);
    arena_init(&arena, 256 * MIB);
    rc = meta_scan(s->reader, META_RECORDS, span_of(&prefix, 1), SPAN_NULL,
        &arena, records_from_meta, &r, err);
    arena_release(&arena);
    omap_seek(&s->dirty, span_of(&prefix, 1), &it);
    while (rc == 0 && omap_next(&it, &key, &value)
        && key.ptr[0] == prefix) {
        const struct image *im = value;

        if (!im->gone)
            rc = fn(arg, span_of(key.ptr + 1, key.len - 1),
                span_of(im->data, im->len), err);
    }
    return rc;
}

/* ---- tails ---- */

struct tail_entry {
    uint8_t key[20];
    struct tail *tail;
};

static void
tail_entry_key(uint8_t key[20], const struct uuid *id, int32_t partition)
{
    memcpy(key, id->bytes, 16);
    put_be32(key + 16, (uint32_t)partition);
}

struct tail *
seq_tail_find(struct seq *s, const struct uuid *id, int32_t partition)
{
    uint8_t key[20];
    struct tail_entry *e;

    tail_entry_key(key, id, partition);
    e = table_get(&s->tails, span_of(key, sizeof key));
    return e == NULL ? NULL : e->tail;
}

/* What the checkpoint knows of the log; a new one if nothing. */
static int
log_read(struct seq *s, const struct uuid *id, int32_t partition,
    struct plog_state *st, struct leaders *leaders, bool *identity,
    struct err *err)
{
    uint8_t key[21] = {META_LOG};
    struct arena arena;
    struct span value;
    int rc;

    memset(st, 0, sizeof *st);
    value = SPAN_NULL;
    if (s->reader == NULL)
        return 0;
    tail_entry_key(key + 1, id, partition);
    arena_init(&arena, 64 * MIB);
    rc = meta_get(s->reader, META_RECORDS, span_of(key, sizeof key), &arena,
        &value, err);
    if (rc == 1)
        rc = logrec_unpack(value, st, err);
    if (rc == 0 && value.len > 0)
        leaders_unpack(value, leaders, identity);
    arena_release(&arena);
    return rc;
}

struct tail *
seq_tail(struct seq *s, const struct uuid *id, int32_t partition,
    int32_t leader_epoch, const struct plog_config *config, struct err *err)
{
    char path[DATADIR_PATH];
    struct plog_state st;
    struct leaders leaders = {0};
    bool identity = false;
    struct tail_entry *e;
    struct plog *plog;
    int rc = log_read(s, id, partition, &st, &leaders, &identity, err);

    /* The partitions of a topic are opened one after the other. */
    if (rc == 0 && identity && !uuid_eq(&s->identified, id))
        rc = datadir_check_topic(s->datadir, id, err);
    if (rc == 0 && identity)
        s->identified = *id;
    if (rc == 0)
        rc = plog_open(s->segcache, datadir_partition(s->datadir, id,
            partition, path), config, &st, &plog, err);
    if (rc < 0) {
        plog_state_release(&st);
        leaders_release(&leaders);
        return NULL;
    }
    e = xcalloc(1, sizeof *e);
    tail_entry_key(e->key, id, partition);
    e->tail = tail_new(id, partition, plog, st.log_start, st.written,
        leader_epoch);
    e->tail->leaders = leaders;
    e->tail->keeper_identity = identity;
    plog_state_release(&st);
    table_put(&s->tails, span_of(e->key, sizeof e->key), e);
    return tail_ref(e->tail);
}

void
seq_tail_drop(struct seq *s, struct tail *t)
{
    uint8_t key[20];
    struct tail_entry *e;

    tail_entry_key(key, &t->topic_id, t->partition);
    e = table_del(&s->tails, span_of(key, sizeof key));
    assert(e != NULL);
    atomic_store(&t->dropped_in, s->open->number);
    t->owner = NULL;
    t->on_link = NULL;
    t->on_publish = NULL;
    tail_unref(e->tail);
    free(e);
}

/* ---- start ---- */

struct replaying {
    seq_replay_fn *fn;
    void *arg;
};

static int
replay_batch(struct seq *s, struct replay *r, const struct replay_batch *b,
    uint64_t epoch, const struct replaying *to, struct err *err)
{
    struct tail *t = seq_tail_find(s, &b->topic_id, b->partition);
    struct effect_batch *eb;
    struct batch head;

    if (t == NULL)
        return 0;
    if (batch_parse(b->bytes, &head) != BATCH_OK)
        return err_set(err, ERR_DAMAGE, "a batch of epoch %llu is no batch",
            (unsigned long long)epoch);
    if (head.base_offset != t->end)
        return err_set(err, ERR_DAMAGE, "partition %d goes on at offset "
            "%lld, but epoch %llu has offset %lld: run penstock check",
            b->partition, (long long)t->end, (unsigned long long)epoch,
            (long long)head.base_offset);
    eb = &r->effect.batches[r->effect.n_batches++];
    eb->tail = tail_ref(t);
    eb->crc = head.crc;
    eb->batch = (struct tail_batch){.chunk = chunk_ref(r->frame),
        .bytes = r->frame->data + (b->bytes.ptr - r->frame->data),
        .size = (uint32_t)b->bytes.len,
        .base = head.base_offset,
        .last = batch_last_offset(&head),
        .max_timestamp = head.max_timestamp,
        .epoch = epoch};
    tail_replay(t, &eb->batch);
    t->recovered = true;
    atomic_store(&t->hw, t->end);
    s->unwritten += eb->batch.size;
    if (to->fn != NULL)
        to->fn(to->arg, t, b->bytes);
    return 0;
}

/* Until the keeper comes to it nobody may compact this log. */
static void
replay_clean(struct tail *t, const struct effect_op *op)
{
    struct plog_cleaned c = {.cleaned = op->offset};
    struct err err;

    if (op->value.len > 0
        && logrec_unpack_segment(op->value, &c.segment, &err) < 0)
        unreachable("replay_ops_apply() has looked at it");
    plog_swap_due(t->plog, &c);
}

static void
replay_op(struct seq *s, struct replay *r, const Store__Op *op)
{
    struct effect_op *eo = &r->effect.op[r->effect.n_ops];
    struct uuid id = {{0}};

    *eo = (struct effect_op){.kind = (enum effect_op_kind)op->kind,
        .key = span_of(op->key.data, op->key.len),
        .value = span_of(op->value.data, op->value.len),
        .offset = op->offset};
    if (op->topic_id.len == 16) {
        memcpy(id.bytes, op->topic_id.data, 16);
        eo->topic_id = id;
    }
    if (op->kind == STORE__OP_KIND__OP_TRIM
        || op->kind == STORE__OP_KIND__OP_CLEAN) {
        struct tail *t = seq_tail_find(s, &id, (int32_t)op->partition);

        if (t == NULL)
            return;
        eo->tail = tail_ref(t);
        if (op->kind == STORE__OP_KIND__OP_CLEAN)
            replay_clean(t, eo);
        if (op->kind == STORE__OP_KIND__OP_TRIM
            && op->offset > t->log_start)
            atomic_store(&t->log_start, op->offset);
    }
    r->effect.n_ops++;
}

static int
replay_epoch(struct seq *s, struct epoch *e, const struct replaying *to,
    struct err *err)
{
    struct replay *r = container_of(STAILQ_FIRST(&e->effects), struct replay,
        effect);

    r->effect.batches = xcalloc(r->n_batches + 1, sizeof *r->effect.batches);
    r->effect.op = xcalloc(r->manifest->n_ops + 1, sizeof *r->effect.op);
    for (size_t i = 0; i < r->n_batches; i++)
        if (replay_batch(s, r, &r->batches[i], e->number, to, err) < 0)
            return -1;
    for (size_t i = 0; i < r->n_blocks; i++) {
        const struct replay_block *b = &r->blocks[i];
        struct shelf *f = state_shelf(&s->state, b->store, b->partition);

        if (shelf_apply(f, b->bytes, b->run) < 0)
            return err_set(err, ERR_DAMAGE, "a block of store %u in epoch "
                "%llu is no block", b->store, (unsigned long long)e->number);
        f->overlay.published = b->run;
    }
    for (size_t i = 0; i < r->manifest->n_ops; i++)
        replay_op(s, r, r->manifest->ops[i]);
    return 0;
}

static void
seq_begin(struct seq *s)
{
    s->next_number = journal_begin(s->journal,
        s->incarnations[s->incarnation_count - 1]);
    s->open->number = s->next_number;
    s->published = s->next_number - 1;
    s->started = true;
    seq_refresh_limit(s);
}

/* Folders of dropped topics that were perhaps not removed. */
static int
doomed_read(void *arg, struct span key, struct span value, struct err *err)
{
    struct seq *s = arg;

    (void)value;
    if (key.len != 16)
        return err_set(err, ERR_DAMAGE, "the record of a dropped topic has "
            "no id");
    buf_put_span(&s->doomed, key);
    return 0;
}

/* On a full disk we start all the same: what is there can be read, and be
 * deleted. Who writes to the journal is then recorded by the checkpoint that
 * finds room. */
static void
seq_start_full(struct seq *s, const struct err *err)
{
    diag(WARN, EPOCH, "%s: starting read-only", err->text);
    s->readonly_why = "the disk is full";
    atomic_store(&s->readonly, true);
}

static bool
seq_has_seen(const struct seq *s, uint64_t incarnation)
{
    for (size_t i = 0; i < s->seen_count; i++)
        if (s->seen[i] == incarnation)
            return true;
    return false;
}

/* The next start can only judge what it finds in the journal if it knows who
 * wrote there, under which boot and durability. Those of whom no frame is
 * left are forgotten: they write no more. */
static int
seq_begin_incarnation(struct seq *s, struct err *err)
{
    uint64_t incarnation;
    size_t kept = 0, from;

    if (s->datadir->fresh)
        return 0; /* seq_make did */
    for (size_t i = 0; i < s->incarnation_count; i++)
        if (seq_has_seen(s, s->incarnations[i]))
            s->incarnations[kept++] = s->incarnations[i];
    from = kept < INCARNATIONS_MAX ? 0 : kept - INCARNATIONS_MAX + 1;
    if (from > 0)
        memmove(s->incarnations, s->incarnations + from,
            (kept - from) * sizeof *s->incarnations);
    s->incarnation_count = kept - from;
    s->many_starts = kept > INCARNATIONS_MANY;
    world_random(s->world, &incarnation, sizeof incarnation);
    seq_add_incarnation(s, incarnation);
    return seq_mark(s, &s->from, s->clock_base_ms, err);
}

/* Each start takes a little of the journal: a copy of the last frame, a frame
 * of its own. Many in a row, each killed before its checkpoint, use up what
 * is kept for cuts; then the ring grows, whatever its bound. */
static int
seq_make_room(struct seq *s, struct err *err)
{
    if (!seq_ring_is_full(s))
        return 0;
    diag(WARN, EPOCH, "the journal is full, since no start came to a "
        "checkpoint: it grows by %llu MiB", RING_MORE / MIB);
    if (s->readonly || !growth_make(s, RING_MORE))
        return err_set(err, ENOSPC, "the journal is full, and there is no "
            "room for more of it: %llu MiB on the disk are wanted",
            RING_MORE / MIB);
    return 0;
}

int
seq_start(struct seq *s, seq_replay_fn *replayed, void *arg, struct err *err)
{
    struct replaying to = {replayed, arg};
    struct epoch *e;

    check_obj(s, SEQ_MAGIC);
    assert(!s->started);
    if (seq_records(s, META_DOOMED, doomed_read, s, err) < 0)
        return -1;
    /* The keeper applies the records of these frames itself, in order. */
    STAILQ_FOREACH(e, &s->recovered, next)
        if (replay_epoch(s, e, &to, err) < 0)
            return -1;
    meta_reader_free(s->reader);
    s->reader = NULL;
    if (seq_begin_incarnation(s, err) < 0) {
        if (err->code != ENOSPC && err->code != EDQUOT)
            return -1;
        seq_start_full(s, err);
    }
    if (seq_make_room(s, err) < 0)
        return -1;
    while ((e = STAILQ_FIRST(&s->recovered)) != NULL) {
        STAILQ_REMOVE_HEAD(&s->recovered, next);
        keeper_send(s, e);
    }
    if (datadir_ballast_hold(s->datadir, s->opts.ballast, err) < 0)
        seq_start_full(s, err);
    seq_begin(s);
    if (s->opts.threads)
        keeper_start(s);
    return 0;
}

/* ---- closing ---- */

static void
seq_drain(struct seq *s)
{
    struct pollfd p = {.fd = s->box.fd, .events = POLLIN};

    while (s->hard != NULL || !STAILQ_EMPTY(&s->open->effects)) {
        if (s->hard != NULL)
            poll(&p, 1, 100);
        seq_turn(s);
    }
    if (!s->checkpointing && s->state.bytes < 64 * MIB && !s->readonly)
        seq_ask_checkpoint(s, true);
}

static void
epochs_free(struct seq *s, struct epoch_list *list)
{
    struct epoch *e;

    while ((e = STAILQ_FIRST(list)) != NULL) {
        STAILQ_REMOVE_HEAD(list, next);
        epoch_free(s, e);
    }
}

static void
seq_free_tails(struct seq *s)
{
    struct tail_entry *e;

    for (; s->cached_count > 0; s->cached_count--) {
        tail_unref(s->cached[s->cached_head].tail);
        s->cached_head = (s->cached_head + 1) & (s->cached_cap - 1);
    }
    free(s->cached);
    while (s->dirty_tails != NULL) {
        struct tail *t = s->dirty_tails;

        s->dirty_tails = t->keeper_next;
        tail_unref(t);
    }
    for (size_t i = 0; (e = table_next(&s->tails, &i)) != NULL;) {
        tail_unref(e->tail);
        free(e);
    }
    table_release(&s->tails);
}

void
seq_stop(struct seq *s)
{
    check_obj(s, SEQ_MAGIC);
    if (!s->started)
        return;
    seq_drain(s);
    if (s->opts.threads)
        keeper_stop(s);
    else
        keeper_pass(s, true);
    seq_turn(s); /* what the keeper gave back */
    harden_stop(s);
    s->started = false;
}

void
seq_close(struct seq *s)
{
    if (s == NULL)
        return;
    seq_stop(s);
    epochs_free(s, &s->recovered);
    epochs_free(s, &s->keeper_queue);
    epochs_free(s, &s->keeper_work);
    epoch_free(s, s->open);
    seq_free_tails(s);
    keeper_free_dirty(s);
    snapper_drop(s);
    buf_release(&s->doomed);
    meta_reader_free(s->reader);
    if (s->state.meta != NULL)
        state_release(&s->state);
    meta_close(s->meta);
    journal_close(s->journal);
    segcache_free(s->segcache);
    datadir_close(s->datadir);
    if (s->box.fd >= 0)
        mailbox_release(&s->box);
    lock_release(&s->tails_lock);
    lock_release(&s->clock_lock);
    free(s->frame);
    free(s->incarnations);
    free(s->seen);
    free(s->parts);
    s->magic = 0;
    free(s);
}
