/* effects.c: effects of all kinds, at random. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/limits.h"
#include "epoch/logrec.h"
#include "plog/clean.h"
#include "record/batch.h"
#include "work_priv.h"

enum { JOB_BATCHES = 4, JOB_OPS = 12, JOB_BLOCKS = 3, JOB_OWN = 64,
    JOB_PURGES = 2 };

/* An effect and all that it points to. */
struct job {
    struct effect e;
    struct work *work;
    uint32_t version;
    struct effect_batch batches[JOB_BATCHES];
    struct effect_op ops[JOB_OPS];
    struct effect_block blocks[JOB_BLOCKS];
    struct effect_purge purges[JOB_PURGES];
    struct fact facts[JOB_OPS + JOB_PURGES];     /* of ops and purges */
    uint32_t n_facts;
    struct {
        const struct topic *topic;
        int64_t producer;
        int32_t sequence;
    } about[JOB_BATCHES];
    struct facts states;                         /* of blocks */
    void *own[JOB_OWN];
    uint32_t n_own;
    struct topic *dropped;
    uint32_t cleaned;            /* number of the topic; 0: none */
    uint32_t cleaned_partition;
};

static void
job_published(struct effect *e)
{
    struct job *j = container_of(e, struct job, e);

    work_published(j->work, j->version);
}

static void
job_release(struct effect *e)
{
    struct job *j = container_of(e, struct job, e);

    for (int i = 0; i < TOPICS && j->cleaned != 0; i++)
        if (j->work->topics[i].number == j->cleaned)
            j->work->topics[i].cleaning[j->cleaned_partition]--;
    effect_unref_tails(e);
    for (uint32_t i = 0; i < j->n_own; i++)
        free(j->own[i]);
    facts_release(&j->states);
    free(j);
}

/* It was never linked: its batches' chunks are still its own. */
static void
job_free(struct job *j)
{
    for (uint32_t i = 0; i < j->e.n_batches; i++)
        chunk_unref(j->batches[i].batch.chunk);
    job_release(&j->e);
}

static const struct effect_ops job_ops = {.published = job_published,
    .release = job_release};

static struct job *
job_new(struct work *w)
{
    struct job *j = xcalloc(1, sizeof *j);

    j->work = w;
    j->e.magic = EFFECT_MAGIC;
    j->e.ops = &job_ops;
    j->e.batches = j->batches;
    j->e.op = j->ops;
    j->e.blocks = j->blocks;
    j->e.purges = j->purges;
    return j;
}

static void *
job_own(struct job *j, void *p)
{
    assert(j->n_own < JOB_OWN);
    return j->own[j->n_own++] = p;
}

/* Random bytes that don't repeat, mostly few of them. */
static struct span
job_bytes(struct job *j, size_t len)
{
    uint8_t *p = job_own(j, xmalloc(len + 1));

    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)rng_next(&j->work->rng);
    return span_of(p, len);
}

static size_t
size_of(struct work *w, size_t usual, size_t rare)
{
    return rng_one_in(&w->rng, 8) ? rng_below(&w->rng, (uint32_t)rare)
                                  : rng_below(&w->rng, (uint32_t)usual);
}

/* ---- parts ---- */

static struct topic *
any_topic(struct work *w)
{
    for (int i = 0; i < 8; i++) {
        struct topic *t = &w->topics[rng_below(&w->rng, TOPICS)];

        if (t->number != 0)
            return t;
    }
    return NULL;
}

static struct effect_op *
job_op(struct job *j, enum effect_op_kind kind)
{
    struct effect_op *op = &j->ops[j->e.n_ops++];

    assert(j->e.n_ops <= JOB_OPS);
    op->kind = kind;
    return op;
}

static void
job_fact(struct job *j, struct fact fact)
{
    assert(j->n_facts < countof(j->facts));
    j->facts[j->n_facts++] = fact;
}

/* What the last batch of a producer was, for the checkpoint alone. */
static void
add_producer(struct job *j, uint32_t topic, uint32_t partition,
    int64_t producer, int32_t sequence)
{
    struct effect_op *op = job_op(j, EFFECT_PUT);
    struct uuid id = topic_uuid(topic);
    uint8_t *p = job_own(j, xmalloc(37));

    p[0] = META_PRODUCER;
    memcpy(p + 1, id.bytes, 16);
    put_be32(p + 17, partition);
    put_be64(p + 21, (uint64_t)producer);
    put_be64(p + 29, (uint64_t)sequence);
    op->quiet = true;
    op->key = span_of(p, 29);
    op->value = span_of(p + 29, 8);
    job_fact(j, (struct fact){.tag = FACT_PRODUCER, .a = topic,
        .b = partition, .c = (uint64_t)producer,
        .hash = (uint64_t)sequence});
}

/* Makes the value a tombstone now and then, else marks it. */
static struct span
job_key(struct job *j, struct span *value)
{
    struct work *w = j->work;
    uint8_t *p = job_own(j, xmalloc(2 + value->len));

    p[0] = p[1] = (uint8_t)rng_below(&w->rng, KEYS);
    if (value->len > 0)
        memcpy(p + 2, value->ptr, value->len);
    *value = rng_one_in(&w->rng, 6) ? SPAN_NULL
                                    : span_of(p + 1, 1 + value->len);
    return span_of(p, 1);
}

static void
add_batch(struct job *j, const struct topic *t)
{
    struct work *w = j->work;
    uint32_t partition = rng_below(&w->rng, t->parts), i = j->e.n_batches;
    int count = 1 + (int)rng_below(&w->rng, 5);
    struct batch_build build = BATCH_BUILD_PLAIN;
    struct batch_builder bb;
    struct batch head;
    struct chunk *c;
    struct buf b;

    assert(i < JOB_BATCHES);
    buf_init(&b, 1 * MIB);
    batch_builder_init(&bb, &b);
    for (int k = 0; k < count; k++) {
        struct span key = SPAN_NULL,
            v = job_bytes(j, size_of(w, w->opts.usual, 2000));

        if (t->compact)
            key = job_key(j, &v);
        batch_builder_add(&bb, 1700000000000 + (int64_t)w->next_run, key, v,
            NULL, 0);
    }
    if (rng_one_in(&w->rng, 4))
        build.attributes = CODEC_LZ4;
    if (rng_one_in(&w->rng, 3)) {
        build.producer_id = 1000 + rng_below(&w->rng, 4);
        build.producer_epoch = 0;
        build.base_sequence = (int32_t)rng_below(&w->rng, 1u << 30);
        add_producer(j, t->number, partition, build.producer_id,
            build.base_sequence);
    }
    if (batch_builder_end(&bb, &build, NULL) < 0
        || batch_parse(buf_span(&b), &head) != BATCH_OK)
        unreachable("a batch of our own");
    c = chunk_new(b.len);
    memcpy(c->data, b.ptr, b.len);
    j->batches[i] = (struct effect_batch){
        .tail = tail_ref(t->tails[partition]),
        .crc = head.crc,
        .batch = {.chunk = c, .bytes = c->data, .size = (uint32_t)b.len,
            .last = count - 1, .max_timestamp = head.max_timestamp}};
    j->about[i].topic = t;
    j->e.n_batches++;
    buf_release(&b);
}

static void
block_key(struct job *j, struct shelf *s, struct buf *b, uint32_t number)
{
    struct work *w = j->work;
    uint8_t key[STATE_KEY_SIZE];
    struct fact fact = {.tag = FACT_STATE, .a = s->store,
        .b = s->partition};
    struct span value = SPAN_NULL;
    size_t len = state_key(number, key);

    if (!rng_one_in(&w->rng, 5))
        value = job_bytes(j, size_of(w, 60, 5000));
    block_put(b, span_of(key, len), value);
    fact.c = hash_bytes(span_of(key, len));
    fact.hash = hash_bytes(value);
    fact.gone = value.ptr == NULL;
    facts_add(&j->states, &fact);
}

/* Very many small keys: a checkpoint needs more than one transaction. */
static void
block_wide(struct job *j, struct shelf *s, struct buf *b)
{
    struct work *w = j->work;
    uint64_t from = rng_below(&w->rng, 8) * 1500ull;

    for (uint32_t i = 0; i < w->opts.wide; i++) {
        uint8_t key[8], value[1] = {(uint8_t)rng_next(&w->rng)};
        struct fact fact = {.tag = FACT_STATE, .a = s->store,
            .b = s->partition, .hash = hash_bytes(span_of(value, 1))};

        put_be64(key, from + i);
        block_put(b, span_of(key, 8), span_of(value, 1));
        fact.c = hash_bytes(span_of(key, 8));
        facts_add(&j->states, &fact);
    }
}

/* One run of a task in one shelf. */
static void
add_block(struct job *j, uint64_t run, uint32_t which)
{
    struct work *w = j->work;
    struct shelf *s = state_shelf(seq_state(w->seq), which / SHELVES + 1,
        which % SHELVES);
    struct effect_block *e = &j->blocks[j->e.n_blocks++];
    uint32_t n = 1 + rng_below(&w->rng, 4);
    struct buf b;

    buf_init(&b, 1 * MIB);
    for (uint32_t i = 0; i < n; i++)
        block_key(j, s, &b, rng_below(&w->rng, STATE_KEYS));
    if (which == 0)
        block_wide(j, s, &b);
    *e = (struct effect_block){.shelf = s, .run = run,
        .crc = crc32c(0, b.ptr, b.len)};
    e->bytes.ptr = job_own(j, buf_take(&b, &e->bytes.len));
}

static void
add_record(struct job *j)
{
    struct work *w = j->work;
    char kind = record_kinds[rng_below(&w->rng, RECORD_KINDS)];
    bool gone = rng_one_in(&w->rng, 4);
    struct effect_op *op = job_op(j, gone ? EFFECT_DELETE : EFFECT_PUT);
    uint32_t number = rng_below(&w->rng, 12);
    size_t len = number == 7 ? 600 : 8;
    uint8_t *key = job_own(j, xmalloc(len + 1));
    struct fact fact = {.tag = FACT_RECORD, .a = (uint32_t)kind,
        .gone = gone};

    memset(key, 'r', len + 1);
    key[0] = (uint8_t)kind;
    put_be32(key + len - 3, number);
    op->key = span_of(key, len + 1);
    fact.c = hash_bytes(span_of(key + 1, len));
    if (!gone) {
        op->value = job_bytes(j, size_of(w, 100, 6000));
        fact.hash = hash_bytes(op->value);
    }
    job_fact(j, fact);
}

static void
add_trim(struct job *j, struct topic *t)
{
    struct work *w = j->work;
    uint32_t p = rng_below(&w->rng, t->parts);
    struct tail *tail = t->tails[p];
    int64_t room = tail->hw - t->trimmed[p], at;
    struct fact fact = {.tag = t->purged ? FACT_PURGE : FACT_START,
        .a = t->number, .b = p};

    if (room <= 0)
        return;
    at = t->trimmed[p] + 1 + rng_below(&w->rng, (uint32_t)room);
    if (rng_one_in(&w->rng, 4))
        at = tail->hw;
    t->trimmed[p] = at;
    fact.hash = (uint64_t)at;
    job_fact(j, fact);
    if (t->purged) {
        j->purges[j->e.n_purges++] = (struct effect_purge){tail, at};
    } else {
        struct effect_op *op = job_op(j, EFFECT_TRIM);

        op->tail = tail_ref(tail);
        op->offset = at;
    }
}

/* ---- topics ---- */

static void
add_topic(struct job *j, struct topic *t)
{
    struct work *w = j->work;
    struct effect_op *op = job_op(j, EFFECT_PUT);
    struct span value = job_bytes(j, 9 + size_of(w, 100, 4000));
    uint8_t *key = job_own(j, xmalloc(17)), *v;
    struct uuid id = topic_uuid(w->next_topic);
    struct fact fact = {.tag = FACT_TOPIC, .a = w->next_topic};
    struct plog_config config;

    *t = (struct topic){.number = w->next_topic++,
        .parts = 1 + rng_below(&w->rng, PARTS),
        .segment_bytes = 1500 + rng_below(&w->rng, 6000),
        .purged = rng_one_in(&w->rng, 3)};
    t->compact = !t->purged && rng_one_in(&w->rng, 2);
    v = j->own[j->n_own - 2];
    put_be32(v, t->parts);
    put_be32(v + 4, t->segment_bytes);
    v[8] = (uint8_t)(t->purged | t->compact << 1);
    key[0] = META_TOPIC;
    memcpy(key + 1, id.bytes, 16);
    op->key = span_of(key, 17);
    op->value = value;
    fact.hash = hash_bytes(value);
    job_fact(j, fact);
    config = topic_config(t);
    for (uint32_t p = 0; p < t->parts; p++) {
        struct err err;

        fact = (struct fact){.tag = FACT_END, .a = t->number, .b = p};
        job_fact(j, fact);
        fact.tag = FACT_START;
        job_fact(j, fact);
        t->tails[p] = seq_tail(w->seq, &id, (int32_t)p, 0, &config, &err);
        assert(t->tails[p] != NULL);
    }
}

static void
add_drop(struct job *j, struct topic *t)
{
    struct effect_op *op = job_op(j, EFFECT_DROP_TOPIC);

    op->topic_id = topic_uuid(t->number);
    j->dropped = t;
    job_fact(j, (struct fact){.tag = FACT_TOPIC, .a = t->number,
        .gone = true});
}

/* ---- linking ---- */

static void
model_keys(struct job *j, const struct effect_batch *eb)
{
    struct batch_iter it;
    struct arena arena;
    struct record r;
    struct batch b;

    arena_init(&arena, 4 * MIB);
    if (batch_parse(span_of(eb->batch.bytes, eb->batch.size), &b) != BATCH_OK
        || batch_iter_init(&it, &b, &arena, NULL) < 0)
        unreachable("a batch of our own");
    while (batch_iter_next(&it, &r, NULL) > 0) {
        struct fact fact = key_fact(get_be32(eb->tail->topic_id.bytes),
            (uint32_t)eb->tail->partition, &r);

        model_change(j->work->model, j->work->open, &fact);
    }
    arena_release(&arena);
}

static void
job_model(struct job *j)
{
    struct work *w = j->work;

    for (uint32_t i = 0; i < j->n_facts; i++)
        model_change(w->model, w->open, &j->facts[i]);
    for (size_t i = 0; i < j->states.n; i++)
        model_change(w->model, w->open, &j->states.v[i]);
    for (uint32_t i = 0; i < j->e.n_batches; i++) {
        const struct effect_batch *b = &j->batches[i];
        struct fact fact = {.tag = FACT_BATCH,
            .a = j->about[i].topic->number,
            .b = (uint32_t)b->tail->partition,
            .c = (uint64_t)b->batch.base,
            .last = b->batch.last,
            .hash = batch_hash(span_of(b->batch.bytes, b->batch.size))};

        model_change(w->model, w->open, &fact);
        fact = (struct fact){.tag = FACT_END, .a = fact.a, .b = fact.b,
            .hash = (uint64_t)b->batch.last + 1};
        model_change(w->model, w->open, &fact);
        if (j->about[i].topic->compact)
            model_keys(j, b);
    }
}

static void
job_link(struct job *j)
{
    struct work *w = j->work;
    struct topic *t = j->dropped;

    j->version = w->open;
    w->open_used = true;
    /* As a task does: its puts are seen by itself before they are linked. */
    for (uint32_t i = 0; i < j->e.n_blocks; i++)
        if (shelf_apply(j->blocks[i].shelf, j->blocks[i].bytes,
                j->blocks[i].run) < 0)
            unreachable("a block of our own");
    seq_link(w->seq, &j->e);
    job_model(j);
    if (t == NULL)
        return;
    for (uint32_t p = 0; p < t->parts; p++) {
        seq_tail_drop(w->seq, t->tails[p]);
        tail_unref(t->tails[p]);
    }
    memset(t, 0, sizeof *t);
}

void
work_put_replayed(struct work *w)
{
    size_t at = 0;

    while (at < w->replayed.n) {
        struct job *j = job_new(w);

        for (; at < w->replayed.n && j->e.n_ops < JOB_OPS; at++) {
            const struct fact *f = &w->replayed.v[at];

            add_producer(j, f->a, f->b, (int64_t)f->c, (int32_t)f->hash);
        }
        j->e.reserved = effect_cost(&j->e);
        seq_reserve_system(w->seq, j->e.reserved);
        job_link(j);
    }
    facts_release(&w->replayed);
}

static bool
reserve(struct work *w, size_t bytes)
{
    for (int i = 0; i < 6; i++) {
        if (seq_reserve(w->seq, bytes))
            return true;
        work_turn(w);
        work_keep(w, i > 3);
    }
    return false;
}

static void
fill(struct job *j)
{
    struct work *w = j->work;
    uint32_t dice = rng_below(&w->rng, 100);
    struct topic *t = any_topic(w);

    if (t != NULL && dice < 60) {
        for (uint32_t n = 1 + rng_below(&w->rng, JOB_BATCHES); n > 0; n--) {
            struct topic *other = any_topic(w);

            add_batch(j, other == NULL ? t : other);
        }
    }
    if (dice >= 40 && dice < 85) {
        uint64_t run = w->next_run++;
        uint32_t which = rng_below(&w->rng, STORES * SHELVES);

        for (uint32_t n = 1 + rng_below(&w->rng, JOB_BLOCKS); n > 0; n--)
            add_block(j, run, (which + n) % (STORES * SHELVES));
    }
    if (dice >= 50 && dice < 65)
        for (uint32_t n = 1 + rng_below(&w->rng, 3); n > 0; n--)
            add_record(j);
    if (t != NULL && dice >= 85 && dice < 95)
        add_trim(j, t);
}

/* Making and dropping topics needs no reservation: it always finds room. */
static bool
topic_work(struct work *w)
{
    struct topic *t = &w->topics[rng_below(&w->rng, TOPICS)];
    struct job *j;

    if (t->number == 0 ? rng_one_in(&w->rng, 3) : !rng_one_in(&w->rng, 80))
        return false;
    j = job_new(w);
    if (t->number == 0) {
        add_topic(j, t);
    } else {
        work_turn(w);
        add_drop(j, t);
    }
    j->e.reserved = effect_cost(&j->e);
    seq_reserve_system(w->seq, j->e.reserved);
    job_link(j);
    return true;
}

/* ---- compaction ---- */

struct cleaning {
    struct work *work;
    struct topic *topic;
    uint32_t partition;
};

static int
cleaned(void *arg, const struct plog_cleaned *c, struct err *err)
{
    struct cleaning *k = arg;
    struct job *j;
    struct effect_op *op;
    uint8_t *value;

    if (rng_one_in(&k->work->rng, 30))
        return err_set(err, ECANCELED, "stopped");
    j = job_new(k->work);
    j->cleaned = k->topic->number;
    j->cleaned_partition = k->partition;
    k->topic->cleaning[k->partition]++;
    op = job_op(j, EFFECT_CLEAN);
    op->tail = tail_ref(k->topic->tails[k->partition]);
    op->offset = c->cleaned;
    value = job_own(j, xmalloc(LOGREC_SEGMENT));
    if (c->segment.size > 0)
        op->value = span_of(value, logrec_pack_segment(&c->segment, value));
    j->e.reserved = effect_cost(&j->e);
    seq_reserve_system(k->work->seq, j->e.reserved);
    job_link(j);
    return 0;
}

void
work_clean(struct work *w)
{
    struct topic *t = any_topic(w);
    struct cleaning k = {w, t, 0};
    struct plog_clean_stats stats = {0};
    struct plog_clean_options o = {.output = cleaned, .arg = &k};
    struct err err = {0};

    if (t == NULL || !t->compact || seq_readonly(w->seq, NULL))
        return;
    k.partition = rng_below(&w->rng, t->parts);
    if (t->cleaning[k.partition] > 0)
        return;
    o.limit = t->tails[k.partition]->hw;
    o.now_ms = (int64_t)w->next_run * 1000;
    o.delete_retention_ms = rng_below(&w->rng, 100000);
    o.segment_bytes = t->segment_bytes * (1 + rng_below(&w->rng, 3));
    o.map_bytes = 1;
    o.seed = rng_next(&w->rng);
    if (plog_clean(t->tails[k.partition]->plog, &o, &stats, &err) < 0
        && plog_poisoned(t->tails[k.partition]->plog))
        seq_fail(w->seq, &err);
}

bool
work_effect(struct work *w)
{
    struct job *j;

    w->full = seq_readonly(w->seq, NULL);
    if (w->full)
        return false;
    if (topic_work(w))
        return true;
    j = job_new(w);
    fill(j);
    j->e.reserved = effect_cost(&j->e);
    w->full = !reserve(w, j->e.reserved);
    if (w->full)
        job_free(j);
    else
        job_link(j);
    return !w->full;
}
