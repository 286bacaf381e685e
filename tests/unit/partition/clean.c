/*
 * What the settings of a topic ask of records, and the cleaner: which log it
 * takes, and that an aborted transaction is forgotten only when nothing of it
 * is left. The wall clock is the test's own.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "partition/append.h"
#include "partition/clean_judge.h"
#include "partition/cleaner.h"
#include "record/batch.h"
#include "record/control.h"

/* ---- judging ---- */

static void
set(struct topic *t, const char *name, const char *value)
{
    const struct config_def *d = config_def_find(span_str(name));

    assert_non_null(d);
    assert_true(d->acts);
    assert_int_equal(config_check(d, span_str(value), NULL), 0);
    topic_config_set(&t->config, d, span_str(value));
    topic_rule(t);
}

struct one {
    const char *key;
    int64_t timestamp;
};

static struct batch
batch_of(struct buf *buf, const struct one *v, size_t n, uint16_t codec)
{
    struct batch_build build = BATCH_BUILD_PLAIN;
    struct batch_builder b;
    struct batch out;

    buf_init(buf, 1 * MIB);
    build.attributes = codec;
    batch_builder_init(&b, buf);
    for (size_t i = 0; i < n; i++)
        batch_builder_add(&b, v[i].timestamp,
            v[i].key == NULL ? SPAN_NULL : span_str(v[i].key),
            span_str("value"), NULL, 0);
    assert_int_equal(batch_builder_end(&b, &build, NULL), 0);
    assert_int_equal(batch_parse(buf_span(buf), &out), BATCH_OK);
    return out;
}

static enum kerr
judge(const struct topic *t, const struct one *v, size_t n, uint16_t codec)
{
    struct buf buf;
    struct batch b = batch_of(&buf, v, n, codec);
    char text[160] = "";
    enum kerr k = clean_judge(t, &b, 1000000000, text, sizeof text);

    assert_int_equal(k == KERR_NONE, text[0] == '\0');
    buf_release(&buf);
    return k;
}

static void
a_compacted_topic_wants_keys(void **state)
{
    static const uint16_t codecs[] = {CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY,
        CODEC_LZ4, CODEC_ZSTD};
    const struct one good[] = {{"a", 1000000000}, {"", 1000000000}},
        bad[] = {{"a", 1000000000}, {NULL, 1000000000}};
    struct topic t = {.magic = TOPIC_MAGIC};

    (void)state;
    topic_rule(&t);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(judge(&t, bad, 2, codecs[i]), KERR_NONE);
    set(&t, "cleanup.policy", "compact,delete");
    assert_true(topic_is_compacted(&t));
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(judge(&t, good, 2, codecs[i]), KERR_NONE);
        assert_int_equal(judge(&t, bad, 2, codecs[i]), KERR_INVALID_RECORD);
    }
    topic_config_release(&t.config);
}

static void
timestamps_must_be_near_the_clock(void **state)
{
    const int64_t now = 1000000000;
    const struct one far[] = {{"a", now}, {"b", now + 3600001}},
        near[] = {{"a", now}, {"b", now + 3600000}},
        old[] = {{"a", now}, {"b", now - 5001}, {"c", now}},
        none[] = {{"a", -1}};
    struct topic t = {.magic = TOPIC_MAGIC};

    (void)state;
    topic_rule(&t);
    assert_int_equal(judge(&t, far, 2, CODEC_NONE), KERR_INVALID_TIMESTAMP);
    assert_int_equal(judge(&t, far, 2, CODEC_ZSTD), KERR_INVALID_TIMESTAMP);
    assert_int_equal(judge(&t, near, 2, CODEC_NONE), KERR_NONE);
    assert_int_equal(judge(&t, old, 3, CODEC_NONE), KERR_NONE);
    set(&t, "message.timestamp.before.max.ms", "5000");
    assert_int_equal(judge(&t, old, 3, CODEC_NONE), KERR_INVALID_TIMESTAMP);
    assert_int_equal(judge(&t, old, 3, CODEC_LZ4), KERR_INVALID_TIMESTAMP);
    assert_int_equal(judge(&t, near, 2, CODEC_LZ4), KERR_NONE);
    assert_int_equal(judge(&t, none, 1, CODEC_NONE), KERR_NONE);
    set(&t, "message.timestamp.type", "LogAppendTime");
    assert_int_equal(judge(&t, far, 2, CODEC_NONE), KERR_NONE);
    assert_int_equal(judge(&t, old, 3, CODEC_NONE), KERR_NONE);
    topic_config_release(&t.config);
}

static void
damage_within_a_batch_is_refused(void **state)
{
    const struct one v[] = {{"a", 1000000000}};
    struct topic t = {.magic = TOPIC_MAGIC};
    struct buf buf;
    struct batch b = batch_of(&buf, v, 1, CODEC_NONE);
    char text[160];

    (void)state;
    set(&t, "cleanup.policy", "compact");
    buf.ptr[BATCH_HEADER] ^= 0x10;
    assert_int_equal(clean_judge(&t, &b, 1000000000, text, sizeof text),
        KERR_INVALID_RECORD);
    buf_release(&buf);
    topic_config_release(&t.config);
}

/* ---- the cleaner ---- */

static int64_t wall_now;
static struct world_ops ops;
static struct world world;

static int64_t
wall_ms(struct world *w)
{
    (void)w;
    return wall_now;
}

struct broker {
    char dir[40];
    struct seq *seq;
    struct topics topics;
    struct cleaner *cleaner;
    struct partition *p;
};

static void
broker_open(struct broker *k)
{
    struct seq_options o = {.dir = k->dir, .world = &world,
        .durability = DURABILITY_POWER, .disk_floor = 1, .ballast = 4096,
        .map_bytes = 256 * MIB};
    struct err err;

    if (seq_open(&k->seq, &o, &err) < 0
        || topics_load(&k->topics, k->seq, &err) < 0
        || seq_start(k->seq, topics_replayed, &k->topics, &err) < 0)
        fail_msg("%s", err.text);
    topics_started(&k->topics);
    k->cleaner = cleaner_start(&k->topics, 0);
}

static void
broker_close(struct broker *k)
{
    cleaner_stop(k->topics.cleaner);
    seq_stop(k->seq);
    topics_release(&k->topics);
    seq_close(k->seq);
}

static void
broker_init(struct broker *k)
{
    struct topic_new n = {.name = span_str("c"), .partitions = 1};
    struct topic *t;
    struct err err;

    *k = (struct broker){.dir = "/tmp/partition-clean-XXXXXX"};
    ops = *world_real()->ops;
    ops.wall_ms = wall_ms;
    world = (struct world){.ops = &ops};
    wall_now = 1700000000000;
    assert_non_null(mkdtemp(k->dir));
    broker_open(k);
    assert_int_equal(topics_create(&k->topics, &n, false, &t, &err),
        KERR_NONE);
    set(t, "cleanup.policy", "compact");
    set(t, "segment.bytes", "1048576");
    set(t, "min.cleanable.dirty.ratio", "0");
    set(t, "delete.retention.ms", "60000");
    topics_configured(&k->topics, t);
    k->p = t->partitions[0];
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st;
    (void)flag;
    (void)at;
    return remove(path);
}

static void
broker_release(struct broker *k)
{
    broker_close(k);
    assert_int_equal(nftw(k->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void
turn(struct broker *k)
{
    seq_turn(k->seq);
    seq_keep(k->seq, true);
    seq_idle(k->seq);
    seq_turn(k->seq);
}

static int64_t
append(struct broker *k, struct span bytes)
{
    struct chunk *c = chunk_new(bytes.len);
    struct append *a = append_new(&k->topics, c,
        &(struct append_size){.batches = 1, .markers = 1});
    size_t cost = append_cost(a) + 4096 + bytes.len;
    int64_t base;

    memcpy(c->data, bytes.ptr, bytes.len);
    append_add(a, k->p, c->data, bytes.len);
    while (!seq_reserve(k->seq, cost))
        turn(k);
    append_commit(a, cost, &base, NULL, NULL);
    chunk_unref(c);
    return base;
}

/* A batch of 300 KB, so that three fill a segment. */
static int64_t
put(struct broker *k, const char *key, int64_t producer, int32_t seq)
{
    struct batch_build build = BATCH_BUILD_PLAIN;
    static uint8_t value[300000];
    struct batch_builder b;
    struct buf buf;
    int64_t base;

    buf_init(&buf, 1 * MIB);
    if (producer >= 0)
        build = (struct batch_build){producer, 0, seq, BATCH_TRANSACTIONAL};
    batch_builder_init(&b, &buf);
    batch_builder_add(&b, wall_now, span_str(key),
        span_of(value, sizeof value), NULL, 0);
    assert_int_equal(batch_builder_end(&b, &build, NULL), 0);
    base = append(k, buf_span(&buf));
    buf_release(&buf);
    return base;
}

static void
end_txn(struct broker *k, int64_t producer, enum control_type type)
{
    uint8_t marker[CONTROL_BATCH_SIZE];

    control_batch(marker, type, producer, 0, wall_now);
    append(k, span_of(marker, sizeof marker));
}

/* Turns until a pass has come to its end and was applied. */
static void
pass(struct broker *k)
{
    uint64_t before;

    for (int i = 0; i < 4; i++)
        put(k, "filler", -1, 0);
    turn(k);
    before = cleaner_counters(k->cleaner)->passes;
    for (int i = 0; cleaner_counters(k->cleaner)->passes == before; i++) {
        assert_true(i < 10000000);
        topics_retain(&k->topics, wall_now);
        turn(k);
        sched_yield();
    }
    for (int i = 0; i < 4; i++)
        turn(k);
    topics_check(&k->topics);
}

/* The record count of the batch that a read from the files finds first at
 * or behind the offset; *base: its own. */
static int32_t
cold(struct broker *k, int64_t offset, int64_t *base)
{
    struct plog_want w = {.offset = offset, .end_offset = INT64_MAX,
        .max_bytes = 1};
    struct plog_got g;
    struct batch b;
    struct buf out;
    int32_t count;

    buf_init(&out, 4 * MIB);
    assert_int_equal(plog_read(k->p->tail->plog, &w, &out, &g, NULL),
        PLOG_OK);
    assert_int_equal(batch_parse(buf_span(&out), &b), BATCH_OK);
    *base = b.base_offset;
    count = b.record_count;
    buf_release(&out);
    return count;
}

static bool
has_batch(struct broker *k, int64_t offset)
{
    int64_t base;

    return cold(k, offset, &base) > 0 && base == offset;
}

static void
an_aborted_transaction_is_forgotten_when_it_is_gone(void **state)
{
    struct broker k;
    int64_t first, marker;

    (void)state;
    broker_init(&k);
    first = put(&k, "a", 7, 0);
    marker = first + 1;
    end_txn(&k, 7, CONTROL_ABORT);
    put(&k, "b", 7, 1);
    end_txn(&k, 7, CONTROL_COMMIT);
    assert_int_equal(stable_aborted_count(k.p->stable), 1);

    pass(&k);                    /* the data goes */
    assert_false(has_batch(&k, first));
    assert_true(has_batch(&k, first + 2));
    assert_true(has_batch(&k, marker));
    assert_int_equal(stable_aborted_count(k.p->stable), 1);
    pass(&k);                    /* the marker gets its horizon */
    assert_true(has_batch(&k, marker));
    assert_int_equal(stable_aborted_count(k.p->stable), 1);
    wall_now += 60000;
    pass(&k);                    /* it has passed: the range is forgotten */
    assert_true(has_batch(&k, marker));
    assert_int_equal(stable_aborted_count(k.p->stable), 0);
    assert_int_equal(k.topics.aborted, 0);

    /* And stays so, though the marker is still there. */
    broker_close(&k);
    broker_open(&k);
    k.p = topics_find(&k.topics, span_str("c"))->partitions[0];
    assert_int_equal(stable_aborted_count(k.p->stable), 0);
    pass(&k);
    assert_false(has_batch(&k, marker));
    assert_true(has_batch(&k, first + 2));
    broker_release(&k);
}

/* What an open transaction holds back is not compacted. */
static void
an_open_transaction_holds_it_back(void **state)
{
    struct broker k;
    int64_t first, base;

    (void)state;
    broker_init(&k);
    first = put(&k, "a", -1, 0);
    for (int i = 0; i < 6; i++)
        put(&k, "a", -1, 0);
    base = put(&k, "a", 9, 0);
    for (int i = 0; i < 6; i++)
        put(&k, "a", -1, 0);
    pass(&k);
    assert_false(has_batch(&k, first));
    for (int64_t at = base - 1; at < base + 6; at++)
        assert_true(has_batch(&k, at));
    end_txn(&k, 9, CONTROL_COMMIT);
    pass(&k);
    assert_false(has_batch(&k, base + 1));
    broker_release(&k);
}

/* A stop in the middle of a pass: whatever it had handed over is taken in. */
static void
it_can_be_stopped_at_any_time(void **state)
{
    struct broker k;

    (void)state;
    broker_init(&k);
    for (int i = 0; i < 6; i++) {
        for (int n = 0; n < 5; n++)
            put(&k, "a", -1, 0);
        turn(&k);
        topics_retain(&k.topics, wall_now);
        for (int n = 0; n < i; n++)
            sched_yield();
        if (i % 2)
            turn(&k);
        broker_close(&k);
        broker_open(&k);
        k.p = topics_find(&k.topics, span_str("c"))->partitions[0];
    }
    pass(&k);
    broker_release(&k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_compacted_topic_wants_keys),
        cmocka_unit_test(timestamps_must_be_near_the_clock),
        cmocka_unit_test(damage_within_a_batch_is_refused),
        cmocka_unit_test(an_aborted_transaction_is_forgotten_when_it_is_gone),
        cmocka_unit_test(an_open_transaction_holds_it_back),
        cmocka_unit_test(it_can_be_stopped_at_any_time),
    };

    return cmocka_run_group_tests_name("clean", tests, NULL, NULL);
}
