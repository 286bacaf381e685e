/*
 * librdkafka against a broker: consuming. Offsets in the middle of batches,
 * by time, at the ends and outside; seek; long polling; every form of a
 * record's fields.
 */
#include "config.h"
#include "rdk.h"

#include <string.h>

#define BASE 1600000000000

/*
 * One compressed batch of 100 records, a second apart by their own clock, and
 * then one whose time lies before them.
 */
static void
produce_timed(const char *topic)
{
    struct reports r;
    rd_kafka_t *rk;

    topic_new(topic, 1, "retention.ms=-1");
    rk = producer_new(&r, WORDS("linger.ms=500", "compression.codec=lz4",
        "enable.idempotence=true"));
    for (int i = 0; i <= 100; i++) {
        int64_t at = i < 100 ? BASE + i * 1000 : BASE + 500;

        rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
            RD_KAFKA_V_TIMESTAMP(at), RD_KAFKA_V_VALUE(&i, sizeof i),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (i == 99)
            rd_kafka_flush(rk, RDK_WAIT_MS);
    }
    producer_free(rk);
    is_int(r.count - r.failed - r.unordered, 101, "produce with own times");
}

static int64_t
offset_for(rd_kafka_t *rk, const char *topic, int64_t when)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    int64_t offset = -9999;

    rd_kafka_topic_partition_list_add(l, topic, 0)->offset = when;
    if (!rd_kafka_offsets_for_times(rk, l, RDK_WAIT_MS) && !l->elems[0].err)
        offset = l->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(l);
    return offset;
}

static void
test_offsets(rd_kafka_t *rk, const char *topic)
{
    int64_t lo = -1, hi = -1;

    is_err(rd_kafka_query_watermark_offsets(rk, topic, 0, &lo, &hi,
        RDK_WAIT_MS), 0, "ask for the ends");
    is_int(lo, 0, "the beginning");
    is_int(hi, 101, "the end");
    is_int(offset_for(rk, topic, 0), 0, "time 0 is the first");
    is_int(offset_for(rk, topic, BASE), 0, "the time of the first");
    is_int(offset_for(rk, topic, BASE + 41000), 41,
        "a time in the middle of a batch");
    is_int(offset_for(rk, topic, BASE + 40001), 41, "and one between two");
    is_int(offset_for(rk, topic, BASE + 99000), 99, "the time of the last");
    is_int(offset_for(rk, topic, BASE + 99001), RD_KAFKA_OFFSET_END,
        "a time after all is the end");
    is_err(rd_kafka_query_watermark_offsets(rk, named("no-such"), 0, &lo, &hi,
        5000), RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
        "the ends of an unknown topic");
}

/* Consumes from an offset to the end; checks that it is gapless from first. */
static void
is_gapless(rd_kafka_t *rk, const char *topic, int64_t from, int64_t first,
    const char *name)
{
    rd_kafka_message_t *m;
    int64_t next = first;
    bool good = true;

    assign_one(rk, topic, 0, from);
    while ((m = consume_one(rk, NULL))) {
        int value = -1;

        if (m->len == sizeof value)
            memcpy(&value, m->payload, sizeof value);
        good = good && m->offset == next && value == next;
        next++;
        rd_kafka_message_destroy(m);
    }
    if (!ok(good && next == 101, "%s", name))
        note("ended before %lld", (long long)next);
}

static void
test_seek(rd_kafka_t *rk, const char *topic)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_message_t *m;
    rd_kafka_error_t *err;

    assign_one(rk, topic, 0, 90);
    m = consume_one(rk, NULL);
    is_int(m ? m->offset : -1, 90, "read one at 90");
    if (m)
        rd_kafka_message_destroy(m);
    rd_kafka_topic_partition_list_add(l, topic, 0)->offset = 13;
    err = rd_kafka_seek_partitions(rk, l, RDK_WAIT_MS);
    ok(!err && !l->elems[0].err, "seek back to 13");
    rd_kafka_error_destroy(err);
    rd_kafka_topic_partition_list_destroy(l);
    m = consume_one(rk, NULL);
    is_int(m ? m->offset : -1, 13, "and read on there");
    is_int(m ? rd_kafka_message_timestamp(m, NULL) : -1, BASE + 13000,
        "the record has its own time");
    if (m)
        rd_kafka_message_destroy(m);
}

static void
test_reset(const char *topic)
{
    static const char *const words[] = {"auto.offset.reset=earliest",
        "auto.offset.reset=latest", "auto.offset.reset=error"};
    rd_kafka_resp_err_t err;

    for (int i = 0; i < 3; i++) {
        rd_kafka_t *rk = consumer_new(WORDS(words[i]));
        rd_kafka_message_t *m;

        assign_one(rk, topic, 0, 1000000);
        m = consume_one(rk, &err);
        if (i == 0 && !m)   /* the end may be told before the reset */
            m = consume_one(rk, &err);
        if (i == 0)
            is_int(m ? m->offset : -1, 0, "outside, reset to the earliest");
        else if (i == 1)
            is_err(err, RD_KAFKA_RESP_ERR__PARTITION_EOF,
                "outside, reset to the latest");
        else
            is_err(err, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET,
                "outside, and no reset wanted");
        if (m)
            rd_kafka_message_destroy(m);
        consumer_free(rk);
    }
}

/* A fetch that waits at the end is answered when something comes. */
static void
test_long_poll(void)
{
    const char *topic = named("long-poll");
    struct reports r;
    rd_kafka_t *p, *c;
    rd_kafka_message_t *m;
    int64_t began;

    topic_new(topic, 1, NULL);
    c = consumer_new(WORDS("fetch.wait.max.ms=20000",
        "isolation.level=read_committed", "enable.partition.eof=false",
        "socket.timeout.ms=30000"));
    assign_one(c, topic, 0, 0);
    m = rd_kafka_consumer_poll(c, 1500);
    ok(!m, "nothing there yet");
    p = producer_new(&r, WORDS("linger.ms=0"));
    began = now_ms();
    produce_run(p, topic, 1, 0, 1);
    m = consume_one(c, NULL);
    ok(m && now_ms() - began < 5000, "a waiting fetch is woken by a record");
    if (m)
        rd_kafka_message_destroy(m);
    producer_free(p);
    consumer_free(c);
}

/* Null is not empty, and headers keep order, repetition and null. */
static void
test_forms(void)
{
    const char *topic = named("forms");
    char bytes[] = "\0\xff";
    struct reports r;
    rd_kafka_t *rk;
    rd_kafka_message_t *m;
    rd_kafka_headers_t *h = NULL;
    const void *value;
    const char *name;
    size_t size;

    topic_new(topic, 1, NULL);
    rk = producer_new(&r, WORDS("acks=all"));
    rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_END);
    rd_kafka_flush(rk, RDK_WAIT_MS);
    rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
        RD_KAFKA_V_KEY(bytes, 0), RD_KAFKA_V_VALUE(bytes, 2),
        RD_KAFKA_V_HEADER("h", "one", 3), RD_KAFKA_V_HEADER("h", NULL, 0),
        RD_KAFKA_V_HEADER("", "\0", 1), RD_KAFKA_V_END);
    producer_free(rk);
    is_int(r.count - r.failed, 2, "produce every form of a field");

    rk = consumer_new(WORDS("check.crcs=true"));
    assign_one(rk, topic, 0, 0);
    m = consume_one(rk, NULL);
    ok(m && !m->key && !m->payload, "null key and value stay null");
    if (m)
        rd_kafka_message_destroy(m);
    m = consume_one(rk, NULL);
    ok(m && m->key && m->key_len == 0, "an empty key stays empty");
    ok(m && m->len == 2 && memcmp(m->payload, "\0\xff", 2) == 0,
        "a value may hold any byte");
    ok(m && !rd_kafka_message_headers(m, &h) && rd_kafka_header_cnt(h) == 3,
        "three headers");
    ok(h && !rd_kafka_header_get_all(h, 0, &name, &value, &size) &&
        size == 3 && memcmp(value, "one", 3) == 0, "the first of a name");
    ok(h && !rd_kafka_header_get_all(h, 1, &name, &value, &size) &&
        strcmp(name, "h") == 0 && !value, "its repetition, null");
    ok(h && !rd_kafka_header_get_all(h, 2, &name, &value, &size) &&
        *name == '\0' && size == 1, "an empty name");
    if (m)
        rd_kafka_message_destroy(m);
    consumer_free(rk);
}

static void
test_unknown(void)
{
    rd_kafka_t *rk = consumer_new(WORDS("allow.auto.create.topics=false"));
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t err;

    rd_kafka_topic_partition_list_add(l, named("never"), -1);
    rd_kafka_subscribe(rk, l);
    consume_one(rk, &err);
    is_err(err, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        "subscribe to an unknown topic");
    rd_kafka_topic_partition_list_destroy(l);
    consumer_free(rk);
}

void
test_consume(void)
{
    const char *topic = named("timed");
    rd_kafka_t *rk;

    produce_timed(topic);
    rk = consumer_new(WORDS("check.crcs=true"));
    test_offsets(rk, topic);
    is_gapless(rk, topic, 0, 0, "from the first");
    is_gapless(rk, topic, 57, 57, "from the middle of a batch");
    is_gapless(rk, topic, 99, 99, "from the last of a batch");
    is_gapless(rk, topic, 101, 101, "from the end");
    is_gapless(rk, topic, RD_KAFKA_OFFSET_BEGINNING, 0, "from BEGINNING");
    is_gapless(rk, topic, RD_KAFKA_OFFSET_TAIL(3), 98, "the last three");
    test_seek(rk, topic);
    consumer_free(rk);
    rk = consumer_new(WORDS("fetch.message.max.bytes=1",
        "fetch.max.bytes=1000000", "queued.min.messages=1"));
    is_gapless(rk, topic, 50, 50, "with a fetch limit of one byte");
    consumer_free(rk);
    test_reset(topic);
    test_long_poll();
    test_forms();
    test_unknown();
}
