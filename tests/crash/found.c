/* found.c: what is in a data folder, as facts. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "record/batch.h"
#include "work.h"

/* All but the checkpoint, the logs and what is doomed: those are the epoch
 * room's own. */
const char record_kinds[RECORD_KINDS] = {META_GROUP, META_IDS, META_TASK,
    META_OFFSET, META_STORE, META_APP};

struct uuid
topic_uuid(uint32_t number)
{
    struct uuid id = {{0}};

    put_be32(id.bytes, number);
    id.bytes[8] = 0x80;
    id.bytes[15] = 1;
    return id;
}

struct plog_config
topic_config(const struct topic *t)
{
    return (struct plog_config){.segment_bytes = t->segment_bytes,
        .index_interval = 512};
}

struct fact
key_fact(uint32_t topic, uint32_t partition, const struct record *r)
{
    return (struct fact){.tag = FACT_KEY, .a = topic, .b = partition,
        .c = r->key.ptr[0], .last = r->offset,
        .hash = r->value.ptr == NULL ? 0 : hash_bytes(r->value),
        .gone = r->value.ptr == NULL};
}

struct finding {
    struct work *work;
    struct facts *facts;
    int kind;
    const struct topic *topic;   /* while its log is read */
    uint32_t partition;
    int64_t next;                /* offset */
    int64_t start;               /* of the log */
    int64_t cleaned;             /* gaps are allowed below */
    struct fact keys[KEYS];      /* of a compacted topic: the newest */
};

/* ---- records ---- */

static int
found_record(void *arg, struct span key, struct span value, struct err *err)
{
    struct finding *f = arg;
    struct fact fact = {.tag = FACT_RECORD, .a = (uint32_t)f->kind,
        .c = hash_bytes(key), .hash = hash_bytes(value)};

    (void)err;
    facts_add(f->facts, &fact);
    return 0;
}

static int
found_topic(void *arg, struct span key, struct span value, struct err *err)
{
    struct finding *f = arg;
    struct fact fact = {.tag = FACT_TOPIC, .hash = hash_bytes(value)};

    if (key.len != 16 || value.len < 9)
        return err_set(err, ERR_DAMAGE, "a topic's record is off");
    fact.a = get_be32(key.ptr);
    facts_add(f->facts, &fact);
    for (int i = 0; i < TOPICS; i++) {
        struct topic *t = &f->work->topics[i];

        if (t->number != 0)
            continue;
        t->number = fact.a;
        t->parts = get_be32(value.ptr);
        t->segment_bytes = get_be32(value.ptr + 4);
        t->purged = value.ptr[8] & 1;
        t->compact = value.ptr[8] & 2;
        return 0;
    }
    return err_set(err, ERR_DAMAGE, "there are too many topics");
}

static struct topic *
topic_find(struct work *w, uint32_t number)
{
    for (int i = 0; i < TOPICS; i++)
        if (w->topics[i].number == number)
            return &w->topics[i];
    return NULL;
}

static int
found_producer(void *arg, struct span key, struct span value,
    struct err *err)
{
    struct finding *f = arg;
    struct fact fact = {.tag = FACT_PRODUCER};

    if (key.len != 28 || value.len != 8)
        return err_set(err, ERR_DAMAGE, "a producer's record is off");
    fact.a = get_be32(key.ptr);
    fact.b = get_be32(key.ptr + 16);
    fact.c = get_be64(key.ptr + 20);
    fact.hash = get_be64(value.ptr);
    /* Those of a dropped topic go with the next checkpoint. */
    if (topic_find(f->work, fact.a) != NULL)
        facts_add(f->facts, &fact);
    return 0;
}

/* A batch that was linked again brings its producer up to date. */
static void
found_replayed(void *arg, struct tail *t, struct span bytes)
{
    struct finding *f = arg;
    struct fact fact = {.tag = FACT_PRODUCER};
    struct batch b;

    if (batch_parse(bytes, &b) != BATCH_OK || b.producer_id < 0)
        return;
    fact.a = get_be32(t->topic_id.bytes);
    fact.b = (uint32_t)t->partition;
    fact.c = (uint64_t)b.producer_id;
    fact.hash = (uint64_t)b.base_sequence;
    facts_add(&f->work->replayed, &fact);
    for (size_t i = 0; i < f->facts->n; i++) {
        struct fact *old = &f->facts->v[i];

        if (old->tag == FACT_PRODUCER && old->a == fact.a
            && old->b == fact.b && old->c == fact.c) {
            old->hash = fact.hash;
            return;
        }
    }
    facts_add(f->facts, &fact);
}

/* ---- logs ---- */

uint64_t
batch_hash(struct span batch)
{
    enum { MAGIC_AT = 16 };

    assert(batch.len >= BATCH_HEADER);
    return hash_bytes(span_of(batch.ptr + MAGIC_AT, batch.len - MAGIC_AT));
}

/* The key stands in the value, too: they must be of one record. */
static int
found_keys(struct finding *f, const struct batch *b, struct err *err)
{
    struct batch_iter it;
    struct arena arena;
    struct record r;
    int rc;

    arena_init(&arena, 4 * MIB);
    rc = batch_iter_init(&it, b, &arena, err);
    while (rc >= 0 && (rc = batch_iter_next(&it, &r, err)) > 0) {
        if (r.key.len != 1 || r.key.ptr[0] >= KEYS
            || (r.value.ptr != NULL && (r.value.len == 0
                || r.value.ptr[0] != r.key.ptr[0])))
            rc = err_set(err, ERR_DAMAGE, "the record at %lld is of no key",
                (long long)r.offset);
        else if (r.offset >= f->start)
            f->keys[r.key.ptr[0]] = key_fact(f->topic->number, f->partition,
                &r);
    }
    arena_release(&arena);
    return rc;
}

static int
found_batch(struct finding *f, struct span bytes, struct err *err)
{
    struct fact fact = {.tag = FACT_BATCH, .a = f->topic->number,
        .b = f->partition};
    struct batch b;

    if (batch_parse(bytes, &b) != BATCH_OK || batch_check(&b) != BATCH_OK
        || (b.leader_epoch != 0 && !f->work->tolerant))
        return err_set(err, ERR_DAMAGE, "a bad batch was served: %u/%u",
            fact.a, fact.b);
    if ((b.base_offset > f->next && b.base_offset >= f->cleaned)
        || batch_last_offset(&b) < f->next)
        return err_set(err, ERR_DAMAGE, "offset %lld was served for %lld: "
            "%u/%u", (long long)b.base_offset, (long long)f->next, fact.a,
            fact.b);
    fact.c = (uint64_t)b.base_offset;
    fact.last = batch_last_offset(&b);
    fact.hash = batch_hash(bytes);
    facts_add(f->facts, &fact);
    f->next = fact.last + 1;
    return f->topic->compact ? found_keys(f, &b, err) : 0;
}

static int
found_cold(struct finding *f, struct tail *t, struct err *err)
{
    struct plog_want want = {.offset = f->next, .end_offset = t->hw,
        .max_bytes = 64 * KIB};
    struct plog_got got;
    struct span rest;
    struct buf out;
    int rc = 0;

    enum plog_status status;

    buf_init(&out, 4 * MIB);
    status = plog_read(t->plog, &want, &out, &got, err);
    if (status == PLOG_DAMAGED && f->work->tolerant
        && got.damage.resume_offset > f->next && f->work->n_holes < HOLES) {
        f->work->holes[f->work->n_holes++] = (struct hole){f->topic->number,
            f->partition, f->next, got.damage.resume_offset};
        f->next = got.damage.resume_offset;
        buf_release(&out);
        return 0;
    }
    if (status != PLOG_OK)
        rc = err_set(err, ERR_DAMAGE, "the log %u/%u can't be read at %lld, "
            "status %d: damaged from %lld to %lld, segment %lld at %u",
            f->topic->number, f->partition, (long long)f->next, (int)status,
            (long long)got.damage.offset,
            (long long)got.damage.resume_offset,
            (long long)got.damage.segment_base, got.damage.pos);
    rest = buf_span(&out);
    while (rc == 0 && rest.len > 0) {
        struct batch b;

        if (batch_parse(rest, &b) != BATCH_OK) {
            rc = err_set(err, ERR_DAMAGE, "plog_read() gave no batch");
            break;
        }
        rc = found_batch(f, b.bytes, err);
        rest.ptr += b.bytes.len;
        rest.len -= b.bytes.len;
    }
    if (rc == 0 && got.next_offset != f->next)
        rc = err_set(err, ERR_DAMAGE, "plog_read() says %lld, gave %lld",
            (long long)got.next_offset, (long long)f->next);
    buf_release(&out);
    return rc;
}

static int
found_log(struct finding *f, struct tail *t, struct err *err)
{
    struct fact end = {.tag = FACT_END, .a = f->topic->number,
        .b = f->partition, .hash = (uint64_t)t->hw};
    struct fact start = {.tag = FACT_START, .a = f->topic->number,
        .b = f->partition, .hash = (uint64_t)t->log_start};
    int rc = 0;

    struct fact cleaned = {.tag = FACT_CLEANED, .a = f->topic->number,
        .b = f->partition};
    struct plog_extent x;

    tail_check(t);
    plog_check(t->plog);
    plog_extent(t->plog, &x);
    cleaned.hash = (uint64_t)x.compacted;
    facts_add(f->facts, &start);
    facts_add(f->facts, &end);
    if (f->topic->compact)
        facts_add(f->facts, &cleaned);
    f->cleaned = f->topic->compact ? x.compacted : 0;
    f->next = f->start = t->log_start;
    memset(f->keys, 0, sizeof f->keys);
    while (rc == 0 && f->next < t->hw) {
        struct tail_slice s[16];
        bool cold;
        size_t n = tail_read(t, f->next, t->hw, 256 * KIB, s, 16, &cold);

        if (cold)
            rc = found_cold(f, t, err);
        else if (n == 0)
            rc = err_set(err, ERR_DAMAGE, "the tail %u/%u has nothing at "
                "%lld", f->topic->number, f->partition, (long long)f->next);
        for (size_t i = 0; i < n; i++) {
            if (rc == 0)
                rc = found_batch(f, s[i].bytes, err);
            chunk_unref(s[i].chunk);
        }
    }
    for (size_t i = 0; i < KEYS; i++)
        if (f->keys[i].tag == FACT_KEY && !f->keys[i].gone)
            facts_add(f->facts, &f->keys[i]);
    return rc;
}

/* ---- stores ---- */

struct scanning {
    struct facts *facts;
    const struct shelf *shelf;
};

static int
found_key(void *arg, struct span key, struct span value, struct err *err)
{
    struct scanning *s = arg;
    struct fact fact = {.tag = FACT_STATE, .a = s->shelf->store,
        .b = s->shelf->partition, .c = hash_bytes(key),
        .hash = hash_bytes(value)};

    (void)err;
    facts_add(s->facts, &fact);
    return 0;
}

static int
found_stores(struct work *w, struct facts *facts, struct err *err)
{
    struct state_reader r;
    struct arena arena;
    int rc = 0;

    if (state_reader_init(&r, seq_state(w->seq), err) < 0)
        return -1;
    arena_init(&arena, 64 * MIB);
    for (uint32_t i = 0; i < STORES * SHELVES && rc == 0; i++) {
        struct shelf *f = state_shelf(seq_state(w->seq), i / SHELVES + 1,
            i % SHELVES);
        struct scanning s = {facts, f};

        overlay_lock(&f->overlay);
        overlay_check(&f->overlay);
        overlay_unlock(&f->overlay);
        rc = state_scan(&r, f, STATE_PUBLISHED, SPAN_NULL, SPAN_NULL,
            SIZE_MAX, &arena, found_key, &s, err);
    }
    arena_release(&arena);
    state_reader_release(&r);
    return rc;
}

size_t
state_key(uint32_t number, uint8_t key[STATE_KEY_SIZE])
{
    size_t len = 12;

    memset(key, 'k', STATE_KEY_SIZE);
    /* Some are so long that LMDB gets a prefix and a hash. */
    if (number % 16 == 3)
        len = 500 + number;
    put_be32(key + len - 4, number);
    if (number % 16 == 5) {
        len = 4 + number % 3;
        put_be32(key, number);
    }
    return len;
}

/* What another thread would see, if it came just now. */
void
found_peek(void *arg)
{
    struct work *w = arg;
    uint32_t which = rng_below(&w->rng, STORES * SHELVES);
    uint8_t bytes[STATE_KEY_SIZE];
    struct span value, key = {bytes,
        state_key(rng_below(&w->rng, STATE_KEYS), bytes)};
    const struct fact *want;
    struct state_reader r;
    struct shelf *f;
    struct arena arena;
    int rc;

    if (!w->serving || w->peek == 0 || !rng_one_in(&w->rng, w->peek))
        return;
    f = state_shelf(seq_state(w->seq), which / SHELVES + 1, which % SHELVES);
    want = facts_find(model_facts(w->model, w->acked), FACT_STATE, f->store,
        f->partition, hash_bytes(key));
    arena_init(&arena, 1 * MIB);
    rc = state_reader_init(&r, seq_state(w->seq), &w->peeked);
    if (rc == 0) {
        rc = state_get(&r, f, STATE_PUBLISHED, key, &arena, &value,
            &w->peeked);
        state_reader_release(&r);
    }
    w->peeks++;
    if (rc >= 0 && (rc == 0 ? want != NULL
            : want == NULL || want->hash != hash_bytes(value)))
        err_set(&w->peeked, ERR_DAMAGE, "a reader beside it %s, and %s",
            rc == 0 ? "found nothing" : "found a value",
            want == NULL ? "nothing is there" : "another is there");
    arena_release(&arena);
}

/* ---- the whole ---- */

int
found_live(struct work *w, struct facts *facts, struct err *err)
{
    struct finding f = {.work = w, .facts = facts};
    int rc = 0;

    for (int i = 0; i < TOPICS && rc == 0; i++) {
        f.topic = &w->topics[i];
        if (f.topic->number == 0)
            continue;
        for (f.partition = 0; f.partition < f.topic->parts && rc == 0;
             f.partition++)
            rc = found_log(&f, f.topic->tails[f.partition], err);
    }
    return rc < 0 ? -1 : found_stores(w, facts, err);
}

static int
found_tails(struct work *w, struct err *err)
{
    for (int i = 0; i < TOPICS; i++) {
        struct topic *t = &w->topics[i];
        struct uuid id = topic_uuid(t->number);
        struct plog_config config = topic_config(t);

        if (t->number == 0)
            continue;
        if (t->parts > PARTS)
            return err_set(err, ERR_DAMAGE, "too many partitions");
        for (uint32_t p = 0; p < t->parts; p++) {
            t->tails[p] = seq_tail(w->seq, &id, (int32_t)p, 0, &config, err);
            if (t->tails[p] == NULL)
                return -1;
        }
    }
    return 0;
}

int
found_open(struct work *w, struct facts *facts, struct err *err)
{
    struct finding f = {.work = w, .facts = facts};

    memset(w->topics, 0, sizeof w->topics);
    w->replayed.n = 0;
    for (size_t i = 0; i < RECORD_KINDS; i++) {
        f.kind = record_kinds[i];
        if (seq_records(w->seq, (enum meta_kind)f.kind, found_record, &f,
                err) < 0)
            return -1;
    }
    if (seq_records(w->seq, META_TOPIC, found_topic, &f, err) < 0
        || seq_records(w->seq, META_PRODUCER, found_producer, &f, err) < 0
        || found_tails(w, err) < 0
        || seq_start(w->seq, found_replayed, &f, err) < 0)
        return -1;
    for (int i = 0; i < TOPICS; i++)
        for (uint32_t p = 0; p < w->topics[i].parts; p++)
            w->topics[i].trimmed[p] = w->topics[i].tails[p]->log_start;
    return found_live(w, facts, err);
}
