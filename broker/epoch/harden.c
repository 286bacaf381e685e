/*
 * harden.c: an epoch becomes a frame and goes to disk, inline or by a helper.
 *
 * The committer is a role, not a thread: an idle loop writes by itself (to
 * hand over and back costs two wake-ups, half a flush), under load the helper
 * writes while the loop fills the next epoch. Packing the manifest is the
 * loop's in both cases, since it needs the journal's place; copying and
 * writing touch nothing that the loop changes: the effects of a cut epoch
 * stand still, and their batches were stamped when they were linked.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/limits.h"
#include "epoch/seq_priv.h"
#include "proto/store.pb-c.h"

static void
pack_batch(Store__BatchRef *ref, const struct effect_batch *b)
{
    union {
        const uint8_t *from;
        uint8_t *to;
    } id = {.from = b->tail->topic_id.bytes};

    store__batch_ref__init(ref);
    ref->topic_id.data = id.to;
    ref->topic_id.len = sizeof b->tail->topic_id.bytes;
    ref->partition = (uint32_t)b->tail->partition;
    ref->base_offset = b->batch.base;
    ref->leader_epoch = b->tail->leader_epoch;
    ref->length = b->batch.size;
    ref->crc = b->crc;
}

static ProtobufCBinaryData
pack_bytes(struct span s)
{
    union {
        const uint8_t *from;
        uint8_t *to;
    } u = {.from = s.ptr};

    return (ProtobufCBinaryData){s.len, u.to};
}

static void
pack_op(Store__Op *op, const struct effect_op *from)
{
    store__op__init(op);
    op->kind = (Store__OpKind)from->kind;
    op->key = pack_bytes(from->key);
    op->value = pack_bytes(from->value);
    op->offset = from->offset;
    if (from->kind == EFFECT_TRIM || from->kind == EFFECT_CLEAN) {
        op->topic_id = pack_bytes(span_of(from->tail->topic_id.bytes, 16));
        op->partition = (uint32_t)from->tail->partition;
    } else if (from->kind == EFFECT_DROP_TOPIC) {
        op->topic_id = pack_bytes(span_of(from->topic_id.bytes, 16));
    }
}

static void
pack_block(Store__StateBlock *block, const struct effect_block *from)
{
    store__state_block__init(block);
    block->store = from->shelf->store;
    block->partition = from->shelf->partition;
    block->run = from->run;
    block->length = (uint32_t)from->bytes.len;
    block->crc = from->crc;
}

/* The messages' structs, made only to be packed. */
struct packing {
    Store__Manifest manifest;
    Store__BatchRef *batches;
    Store__Op *ops;
    Store__StateBlock *blocks;
    size_t payload;
};

static void
pack_effect(struct packing *p, const struct effect *f)
{
    Store__Manifest *m = &p->manifest;

    for (uint32_t i = 0; i < f->n_batches; i++) {
        pack_batch(&p->batches[m->n_batches], &f->batches[i]);
        m->batches[m->n_batches] = &p->batches[m->n_batches];
        m->n_batches++;
        p->payload += f->batches[i].batch.size;
    }
    for (uint32_t i = 0; i < f->n_ops; i++) {
        if (f->op[i].quiet)
            continue;
        pack_op(&p->ops[m->n_ops], &f->op[i]);
        m->ops[m->n_ops] = &p->ops[m->n_ops];
        m->n_ops++;
    }
    for (uint32_t i = 0; i < f->n_blocks; i++) {
        pack_block(&p->blocks[m->n_blocks], &f->blocks[i]);
        m->blocks[m->n_blocks] = &p->blocks[m->n_blocks];
        m->n_blocks++;
        p->payload += f->blocks[i].bytes.len;
    }
}

static size_t
pack_room(const struct epoch *e)
{
    return 1024
        + e->n_batches * (sizeof(Store__BatchRef) + sizeof(void *))
        + e->n_ops * (sizeof(Store__Op) + sizeof(void *))
        + e->n_blocks * (sizeof(Store__StateBlock) + sizeof(void *));
}

void
harden_pack(struct seq *s, struct epoch *e)
{
    struct packing p;
    struct arena arena;
    const struct effect *f;
    size_t size;

    memset(&p, 0, sizeof p);
    arena_init(&arena, pack_room(e));
    store__manifest__init(&p.manifest);
    p.batches = arena_alloc(&arena, (e->n_batches + 1) * sizeof *p.batches);
    p.ops = arena_alloc(&arena, (e->n_ops + 1) * sizeof *p.ops);
    p.blocks = arena_alloc(&arena, (e->n_blocks + 1) * sizeof *p.blocks);
    p.manifest.batches = arena_alloc(&arena, (e->n_batches + 1) * 8ul);
    p.manifest.ops = arena_alloc(&arena, (e->n_ops + 1) * 8ul);
    p.manifest.blocks = arena_alloc(&arena, (e->n_blocks + 1) * 8ul);
    assert(!arena.failed);
    p.manifest.clock_ms = e->clock_ms;
    STAILQ_FOREACH(f, &e->effects, next)
        pack_effect(&p, f);

    size = store__manifest__get_packed_size(&p.manifest);
    buf_clear(&e->manifest);
    store__manifest__pack(&p.manifest, buf_grow(&e->manifest, size));
    arena_release(&arena);
    assert(!e->manifest.failed);
    assert(FRAME_HEADER + size + p.payload <= UINT32_MAX);
    e->header = (struct frame_header){
        .length = (uint32_t)(FRAME_HEADER + size + p.payload),
        .manifest_length = (uint32_t)size,
        .epoch = e->number};
    e->slot = journal_take(s->journal, e->header.length, &e->header);
    s->counters.payload_bytes += p.payload;
    s->counters.frame_bytes += e->slot.size;
}

static void
frame_room(struct seq *s, size_t size)
{
    void *p = NULL;
    size_t cap = s->frame_cap == 0 ? 64 * KIB : s->frame_cap;

    if (size <= s->frame_cap)
        return;
    while (cap < size)
        cap *= 2;
    free(s->frame);
    must(posix_memalign(&p, JOURNAL_BLOCK, cap));
    s->frame = p;
    s->frame_cap = cap;
}

/* Gathers the frame: header, manifest, batches, blocks, zeros to the end of
 * the block. */
static void
frame_gather(struct seq *s, struct epoch *e)
{
    const struct effect *f;
    uint8_t *at;

    frame_room(s, e->slot.size);
    at = s->frame + FRAME_HEADER;
    memcpy(at, e->manifest.ptr, e->manifest.len);
    at += e->manifest.len;
    STAILQ_FOREACH(f, &e->effects, next) {
        for (uint32_t i = 0; i < f->n_batches; i++) {
            memcpy(at, f->batches[i].batch.bytes, f->batches[i].batch.size);
            at += f->batches[i].batch.size;
        }
    }
    STAILQ_FOREACH(f, &e->effects, next) {
        for (uint32_t i = 0; i < f->n_blocks; i++) {
            memcpy(at, f->blocks[i].bytes.ptr, f->blocks[i].bytes.len);
            at += f->blocks[i].bytes.len;
        }
    }
    assert(at == s->frame + e->header.length);
    memset(at, 0, (size_t)(s->frame + e->slot.size - at));
    frame_seal(s->frame, &e->header, &e->header.check);
}

int
harden_write(struct seq *s, struct epoch *e, struct err *err)
{
    int64_t began = world_mono_ns(s->world), took;
    int rc;

    check_obj(e, EPOCH_MAGIC);
    frame_gather(s, e);
    rc = journal_write(s->journal, &e->slot, s->frame, err);
    took = world_mono_ns(s->world) - began;
    s->counters.flush_ns += (uint64_t)took;
    s->flush_ns = (s->flush_ns * 7 + took) / 8;
    return rc;
}

/* ---- the helper ---- */

static void
hardened(struct seq_call *call)
{
    struct epoch *e = container_of(call, struct epoch, call);

    seq_published_epoch(e->seq, e);
}

static void *
helper_main(void *arg)
{
    struct seq *s = arg;
    struct err err = {0};

    thread_name("penstock-commit");
    for (;;) {
        struct epoch *e;

        must(pthread_mutex_lock(&s->helper_mutex));
        while (s->helper_job == NULL && !s->helper_stop)
            must(pthread_cond_wait(&s->helper_cond, &s->helper_mutex));
        e = s->helper_job;
        s->helper_job = NULL;
        must(pthread_mutex_unlock(&s->helper_mutex));
        if (e == NULL)
            return NULL;
        if (harden_write(s, e, &err) < 0)
            seq_die(s, &err);
        e->call.fn = hardened;
        seq_post(s, &e->call);
    }
}

void
harden_by_helper(struct seq *s, struct epoch *e)
{
    if (!s->helper_runs) {
        must(pthread_create(&s->helper, NULL, helper_main, s));
        s->helper_runs = true;
    }
    must(pthread_mutex_lock(&s->helper_mutex));
    assert(s->helper_job == NULL);
    s->helper_job = e;
    must(pthread_cond_signal(&s->helper_cond));
    must(pthread_mutex_unlock(&s->helper_mutex));
}

void
harden_stop(struct seq *s)
{
    if (!s->helper_runs)
        return;
    must(pthread_mutex_lock(&s->helper_mutex));
    s->helper_stop = true;
    must(pthread_cond_signal(&s->helper_cond));
    must(pthread_mutex_unlock(&s->helper_mutex));
    must(pthread_join(s->helper, NULL));
    s->helper_runs = false;
}
