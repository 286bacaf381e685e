/*
 * local_task.c: tasks and their runs on the local log.
 *
 *     begin_run    reserves room
 *     put          into the overlay, tagged with this run, and into a block
 *     emit         into a batch builder, one for each partition written to
 *     end_run      one effect: batches, blocks, the task's record; submitted
 *
 * Invariants
 *  1. A run's puts are in the overlay before its effect is submitted, tagged
 *     with a number above what is published: nobody but the task sees them.
 *  2. One effect carries everything of a run. Runs of a task are linked in
 *     the order of their numbers, since the mailbox keeps the order.
 *  3. The task's record holds, as absolute after-images, its offsets, run and
 *     blob; a replay needs nothing else.
 */
#include "config.h"

#include "port/local_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "base/seeded.h"

#define SCAN_ARENA_MAX (256 * MIB)
#define COLD_BYTES_MAX (64 * MIB)

/* ---- opening ---- */

static int
open_store(struct local_task *t, const struct port_task_spec *spec,
    unsigned i, struct err *err)
{
    struct local *l = t->local;
    struct arena arena;
    struct span key;
    Store__Store *m;
    uint8_t out[64];
    uint32_t partition = (uint32_t)spec->inputs[0].partition;

    arena_init(&arena, 64 * KIB);
    key = local_key(&arena, META_STORE, spec->app, spec->stores[i]);
    m = omap_get(&l->stores, span_of(key.ptr + 1, key.len - 1));
    if (m == NULL || m->partitions <= partition) {
        Store__Store now = STORE__STORE__INIT;

        now.number = m == NULL ? l->next_store++ : m->number;
        now.partitions = (uint32_t)spec->inputs[0].topic->partitions;
        if (local_link_record(l, key,
                span_of(out, store__store__pack(&now, out)), err) < 0) {
            arena_release(&arena);
            return -1;
        }
        store__store__free_unpacked(m, NULL);
        m = store__store__unpack(NULL, store__store__get_packed_size(&now),
            out);
        assert(m != NULL);
        *omap_slot(&l->stores, span_of(key.ptr + 1, key.len - 1)) = m;
    }
    t->stores[i].shelf = state_shelf(seq_state(l->seq), m->number, partition);
    buf_init(&t->stores[i].block, PORT_RUN_BYTES_MAX * 2);
    arena_release(&arena);
    return 0;
}

static void
open_input(struct local_task *t, const struct port_task_spec *spec,
    unsigned i, const Store__Task *stored)
{
    struct local_input *in = &t->inputs[i];
    const struct port_input *from = &spec->inputs[i];

    in->topic = from->topic->handle;
    in->tail = in->topic->tails[from->partition];
    in->published = from->published;
    in->next = -1;
    arena_init(&in->arena, DECOMPRESSED_MAX + 16 * MIB);
    buf_init(&in->cold, COLD_BYTES_MAX);
    in->topic->readers[from->partition] |= UINT64_C(1) << t->thread;
    for (size_t k = 0; stored != NULL && k < stored->n_inputs; k++) {
        const Store__TaskInput *s = stored->inputs[k];

        if (s->topic_id.len == 16 && (int32_t)s->partition == from->partition
            && memcmp(s->topic_id.data, in->topic->topic_id.bytes, 16) == 0)
            t->pub.offsets[i] = s->offset;
        if (seeded("run-twice") && t->pub.offsets[i] > 0)
            t->pub.offsets[i]--;
    }
    if (t->pub.offsets[i] < in->tail->log_start)
        t->pub.offsets[i] = in->tail->log_start;
    /* A log of our own begins where its task goes on. */
    if (in->topic->purge)
        atomic_store(&in->tail->log_start, t->pub.offsets[i]);
}

static void
open_stored(struct local_task *t, const Store__Task *m)
{
    if (m == NULL)
        return;
    t->pub.run = m->run;
    t->run = m->run;
    atomic_store(&t->linked, m->run);
    t->pub.blob_len = m->blob.len < PORT_BLOB_MAX ? m->blob.len
                                                  : PORT_BLOB_MAX;
    if (t->pub.blob_len > 0)
        memcpy(t->pub.blob, m->blob.data, t->pub.blob_len);
}

int
local_open(struct port *port, const struct port_task_spec *spec,
    struct port_task **out, struct err *err)
{
    struct local *l = local_of(port);
    struct local_task *t = xcalloc(1, sizeof *t);
    struct arena arena;
    const Store__Task *m;
    struct span key;

    assert(spec->thread < l->thread_count);
    arena_init(&arena, 64 * KIB);
    key = local_key(&arena, META_TASK, spec->app, spec->name);
    t->local = l;
    t->pub.port = port;
    t->id = xmemdup(key.ptr, key.len);
    t->id_len = key.len;
    m = omap_get(&l->tasks, span_of(key.ptr + 1, key.len - 1));
    arena_release(&arena);
    t->thread = spec->thread;
    t->input_count = spec->input_count;
    t->store_count = spec->store_count;
    t->stores = xcalloc(spec->store_count + 1, sizeof *t->stores);
    buf_init(&t->causes, 1 * MIB);
    if (m != NULL && m->fingerprint != 0
        && m->fingerprint != spec->fingerprint) {
        err_set(err, ERR_FORMAT, "application %s: its topology is another "
            "one than what its state was made with (task %s): start the "
            "earlier version, or give the application another name",
            spec->app, spec->name);
        local_close(&t->pub);
        return -1;
    }
    if (state_reader_init(&t->reader, seq_state(l->seq), err) < 0) {
        local_close(&t->pub);
        return -1;
    }
    open_stored(t, m);
    t->fingerprint = spec->fingerprint;
    for (unsigned i = 0; i < spec->input_count; i++)
        open_input(t, spec, i, m);
    for (unsigned i = 0; i < spec->store_count; i++)
        if (open_store(t, spec, i, err) < 0) {
            local_close(&t->pub);
            return -1;
        }
    *out = &t->pub;
    return 0;
}

static void
free_outs(struct local_task *t)
{
    for (uint32_t i = 0; i < t->outs_count; i++) {
        struct local_out **by_partition = t->outs[i];

        if (by_partition == NULL)
            continue;
        for (int32_t p = 0; by_partition[p] != NULL || p == 0; p++) {
            if (by_partition[p] == NULL)
                break;
            buf_release(&by_partition[p]->bytes);
            free(by_partition[p]);
        }
        free(by_partition);
    }
    free(t->outs);
}

void
local_close(struct port_task *task)
{
    struct local_task *t;

    if (task == NULL)
        return;
    t = local_task_of(task);
    for (unsigned i = 0; i < t->input_count; i++) {
        if (t->inputs[i].topic == NULL)
            continue;
        local_input_reset(&t->inputs[i]);
        arena_release(&t->inputs[i].arena);
    }
    for (unsigned i = 0; i < t->store_count; i++)
        buf_release(&t->stores[i].block);
    if (t->reader.meta != NULL)
        state_reader_release(&t->reader);
    free_outs(t);
    buf_release(&t->causes);
    free(t->stores);
    free(t->id);
    free(t);
}

void
local_mark_failed(struct port_task *task, const char *reason)
{
    (void)task;
    (void)reason; /* the engine shows it; the next start tries again */
}

uint64_t
local_task_linked(struct port_task *task)
{
    return atomic_load(&local_task_of(task)->linked);
}

/* ---- state ---- */

enum port_status
local_get(struct port_task *task, unsigned store, struct span key,
    struct arena *arena, struct span *value, struct err *err)
{
    struct local_task *t = local_task_of(task);

    switch (state_get(&t->reader, t->stores[store].shelf, STATE_NEWEST, key,
        arena, value, err)) {
    case 1:
        return PORT_OK;
    case 0:
        *value = SPAN_NULL;
        return PORT_OK;
    default:
        return PORT_FAILED;
    }
}

void
local_ahead(struct port_task *task, unsigned store, const struct span *keys,
    unsigned n)
{
    state_ahead(local_task_of(task)->stores[store].shelf, keys, n);
}

struct scan_arg {
    port_scan_fn fn;
    void *arg;
};

static int
scan_one(void *arg, struct span key, struct span value, struct err *err)
{
    struct scan_arg *s = arg;

    (void)err;
    return s->fn(s->arg, key, value) != 0;
}

enum port_status
local_scan(struct port_task *task, unsigned store, struct span from,
    struct span to, port_scan_fn fn, void *arg, struct err *err)
{
    struct local_task *t = local_task_of(task);
    struct scan_arg s = {fn, arg};
    struct arena arena;
    int rc;

    arena_init(&arena, SCAN_ARENA_MAX);
    rc = state_scan(&t->reader, t->stores[store].shelf, STATE_NEWEST, from,
        to, SIZE_MAX, &arena, scan_one, &s, err);
    arena_release(&arena);
    return rc < 0 ? PORT_FAILED : PORT_OK;
}

void
local_put(struct port_task *task, unsigned store, struct span key,
    struct span value)
{
    struct local_task *t = local_task_of(task);
    struct local_store *s = &t->stores[store];

    block_put(&s->block, key, value);
    overlay_lock(&s->shelf->overlay);
    overlay_put(&s->shelf->overlay, key, value, t->run + 1);
    overlay_unlock(&s->shelf->overlay);
}

/* ---- output ---- */

enum port_status
local_begin_run(struct port_task *task, size_t bytes, struct err *err)
{
    struct local_task *t = local_task_of(task);

    (void)err;
    assert(t->reserved == 0);
    /* Beside what the caller counts: headers of batches, the record. */
    bytes += bytes / 2 + 16 * KIB;
    if (!seq_reserve(t->local->seq, bytes))
        return PORT_AGAIN;
    t->reserved = bytes;
    t->last_cause = 0;
    buf_clear(&t->causes);
    return PORT_OK;
}

static struct local_out *
out_of(struct local_task *t, struct local_topic *topic, int32_t partition)
{
    struct local_out **by_partition, *o;

    if (topic->id >= t->outs_count) {
        t->outs = xrealloc(t->outs, (topic->id + 1) * sizeof *t->outs);
        while (t->outs_count <= topic->id)
            t->outs[t->outs_count++] = NULL;
    }
    if (t->outs[topic->id] == NULL) {
        t->outs[topic->id] = xcalloc((size_t)topic->pub.partitions + 1,
            sizeof(struct local_out *));
        for (int32_t p = 0; p < topic->pub.partitions; p++) {
            o = xcalloc(1, sizeof *o);
            o->topic = topic;
            o->partition = p;
            buf_init(&o->bytes, PORT_RUN_BYTES_MAX * 2);
            t->outs[topic->id][p] = o;
        }
    }
    by_partition = t->outs[topic->id];
    o = by_partition[partition];
    if (!o->open) {
        o->open = true;
        buf_clear(&o->bytes);
        batch_builder_init(&o->builder, &o->bytes);
        o->next_open = t->open_outs;
        t->open_outs = o;
        t->open_count++;
    }
    return o;
}

void
local_emit(struct port_task *task, const struct port_out *out)
{
    struct local_task *t = local_task_of(task);
    struct local_topic *topic = out->topic->handle;
    struct local_out *o;

    assert(out->partition >= 0 && out->partition < topic->pub.partitions);
    o = out_of(t, topic, out->partition);
    if (out->header_count == 0) {
        batch_builder_add(&o->builder, out->timestamp, out->key, out->value,
            NULL, 0);
    } else {
        struct header h[64];
        unsigned n = out->header_count < 64 ? out->header_count : 64;

        for (unsigned i = 0; i < n; i++)
            h[i] = (struct header){out->headers[i].name,
                out->headers[i].value};
        batch_builder_add(&o->builder, out->timestamp, out->key, out->value,
            h, n);
    }
    buf_put_svarint(&t->causes, out->cause_input);
    buf_put_svarint(&t->causes, out->cause_offset - t->last_cause);
    t->last_cause = out->cause_offset;
}

/* ---- the effect of a run ---- */

struct run_effect {
    struct effect effect;
    struct local *local;
    struct local_task *task;     /* lives until all its runs are linked */
    uint64_t run;
    struct chunk *chunk;         /* all batches of the run */
    uint8_t *block_bytes;
    uint8_t *record;
    struct effect_op op[1];
    struct effect_purge purges[PORT_INPUTS_MAX];
    struct effect_batch *batches;        /* behind, then the blocks */
};

static void
run_linked(struct effect *f)
{
    struct run_effect *r = container_of(f, struct run_effect, effect);

    atomic_store(&r->task->linked, r->run);
    atomic_fetch_sub(&r->local->in_flight, 1);
    seq_tasks_moved(r->local->seq);
}

static void
run_release(struct effect *f)
{
    struct run_effect *r = container_of(f, struct run_effect, effect);

    effect_unref_tails(f);
    chunk_unref(r->chunk);
    free(r->block_bytes);
    free(r->record);
    free(r);
}

static const struct effect_ops run_ops = {.linked = run_linked,
    .release = run_release};

static void
run_batches(struct local_task *t, struct run_effect *r)
{
    struct local_out *o, *next;
    size_t bytes = 0, at = 0;

    for (o = t->open_outs; o != NULL; o = o->next_open) {
        int rc = batch_builder_end(&o->builder, &BATCH_BUILD_PLAIN, NULL);

        assert(rc == 0); /* the engine bounds what a run may hold */
        bytes += o->bytes.len;
    }
    if (bytes == 0)
        return;
    r->chunk = chunk_new(bytes);
    for (o = t->open_outs; o != NULL; o = next) {
        struct effect_batch *b = &r->batches[r->effect.n_batches++];
        struct batch head;
        enum batch_status st;

        next = o->next_open;
        memcpy(r->chunk->data + at, o->bytes.ptr, o->bytes.len);
        st = batch_parse(span_of(r->chunk->data + at, o->bytes.len), &head);
        assert(st == BATCH_OK);
        b->tail = tail_ref(o->topic->tails[o->partition]);
        b->crc = head.crc;
        b->batch = (struct tail_batch){.chunk = chunk_ref(r->chunk),
            .bytes = r->chunk->data + at,
            .size = (uint32_t)o->bytes.len,
            .last = head.last_offset_delta,
            .max_timestamp = head.max_timestamp};
        at += o->bytes.len;
        o->open = false;
    }
    t->open_outs = NULL;
    t->open_count = 0;
}

static void
run_blocks(struct local_task *t, struct run_effect *r)
{
    size_t bytes = 0, at = 0;

    for (unsigned i = 0; i < t->store_count; i++)
        bytes += t->stores[i].block.len;
    if (bytes == 0)
        return;
    r->block_bytes = xmalloc(bytes);
    for (unsigned i = 0; i < t->store_count; i++) {
        struct local_store *s = &t->stores[i];
        struct effect_block *b;

        if (s->block.len == 0)
            continue;
        assert(!s->block.failed);
        memcpy(r->block_bytes + at, s->block.ptr, s->block.len);
        b = &r->effect.blocks[r->effect.n_blocks++];
        *b = (struct effect_block){.shelf = s->shelf,
            .run = t->run,
            .bytes = span_of(r->block_bytes + at, s->block.len),
            .crc = crc32c(0, s->block.ptr, s->block.len)};
        at += s->block.len;
        buf_clear(&s->block);
    }
}

static void
run_record(struct local_task *t, struct run_effect *r,
    const struct port_run *run)
{
    Store__Task m = STORE__TASK__INIT;
    Store__TaskInput inputs[PORT_INPUTS_MAX], *list[PORT_INPUTS_MAX];
    union {
        const uint8_t *from;
        uint8_t *to;
    } blob = {.from = run->blob.ptr};

    for (unsigned i = 0; i < t->input_count; i++) {
        store__task_input__init(&inputs[i]);
        inputs[i].topic_id.data = t->inputs[i].topic->topic_id.bytes;
        inputs[i].topic_id.len = 16;
        inputs[i].partition = (uint32_t)t->inputs[i].tail->partition;
        inputs[i].offset = seeded("forget-offset") ? t->pub.offsets[i]
            : run->offsets[i];
        list[i] = &inputs[i];
    }
    m.inputs = list;
    m.n_inputs = t->input_count;
    m.run = run->number;
    m.blob.data = blob.to;
    m.blob.len = run->blob.len;
    m.fingerprint = t->fingerprint;
    m.clock_ms = run->clock_ms;
    m.timers = run->timers;
    m.causes.data = t->causes.ptr;
    m.causes.len = t->causes.len;
    assert(!t->causes.failed);
    /* The effect may outlive the task: it owns its key as well. */
    r->record = xmalloc(t->id_len + store__task__get_packed_size(&m));
    memcpy(r->record, t->id, t->id_len);
    r->op[0] = (struct effect_op){.kind = EFFECT_PUT,
        .key = span_of(r->record, t->id_len)};
    r->op[0].value = span_of(r->record + t->id_len,
        store__task__pack(&m, r->record + t->id_len));
}

static void
run_purges(struct local_task *t, struct run_effect *r,
    const struct port_run *run)
{
    for (unsigned i = 0; i < t->input_count; i++)
        if (t->inputs[i].topic->purge)
            r->purges[r->effect.n_purges++] = (struct effect_purge){
                t->inputs[i].tail, run->offsets[i]};
}

void
local_end_run(struct port_task *task, const struct port_run *run)
{
    struct local_task *t = local_task_of(task);
    struct run_effect *r;
    size_t cost;

    assert(t->reserved > 0);
    assert(run->number == t->run + 1);
    r = xmalloc(sizeof *r + t->open_count * sizeof(struct effect_batch)
        + t->store_count * sizeof(struct effect_block));
    memset(r, 0, offsetof(struct run_effect, op));
    r->batches = (struct effect_batch *)(void *)(r + 1);
    r->effect.magic = EFFECT_MAGIC;
    r->effect.ops = &run_ops;
    r->effect.batches = r->batches;
    r->effect.blocks = (struct effect_block *)(void *)(r->batches
        + t->open_count);
    r->effect.op = r->op;
    r->effect.n_ops = 1;
    r->effect.purges = r->purges;
    r->local = t->local;
    r->task = t;
    r->run = run->number;
    t->run = run->number;
    run_batches(t, r);
    run_blocks(t, r);
    run_record(t, r, run);
    run_purges(t, r, run);
    cost = effect_cost(&r->effect);
    assert(cost <= t->reserved);
    seq_unreserve(t->local->seq, t->reserved - cost);
    r->effect.reserved = cost;
    t->reserved = 0;
    atomic_fetch_add(&t->local->in_flight, 1);
    seq_submit(t->local->seq, &r->effect);
}
