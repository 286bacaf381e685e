/*
 * librdkafka against a broker: producing. Consuming, groups and the admin
 * interface are in rdkafka_consume.c, rdkafka_group.c, rdkafka_admin.c.
 *
 * Run by rdkafka.t, which sets BOOTSTRAP (address) and TOPIC (a prefix that is
 * this run's own). RDK_LOG=1 shows librdkafka's log.
 */
#include "config.h"
#include "rdk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * With acks=0 nobody hears that a partition is not ready yet, as it may be for
 * a moment after CreateTopics: the first record waits for an answer.
 */
static void
test_acks(void)
{
    static const char *const acks[] = {"acks=0", "acks=1", "acks=all"};
    static struct seen s;

    for (int i = 0; i < 3; i++) {
        const char *topic = named(acks[i] + 5);
        struct reports r;
        rd_kafka_t *rk;

        is_err(topic_new(topic, 1, NULL), 0, "create a topic");
        rk = producer_new(&r, WORDS("acks=all"));
        produce_run(rk, topic, 1, 0, 1);
        producer_free(rk);
        rk = producer_new(&r, WORDS(acks[i], "linger.ms=0"));
        r.next[0] = 1;
        produce_run(rk, topic, 1, 1, 2000);
        producer_free(rk);
        ok(r.count == 1999 && r.failed == 0, "%s: reports of success only",
            acks[i]);
        if (i > 0)
            is_int(r.unordered, 0, "their offsets are 1, 2, 3...");
        consume_topic(topic, 1, &s);
        is_int(s.count, 2000, "as many are consumed");
        is_int(seen_wrong(&s, 0, 2000) + s.unordered, 0,
            "each once and in order");
    }
}

/* Sends what squeezes well and returns how many bytes went over the wire. */
static int64_t
bytes_with(const char *codec, const char *topic)
{
    static char text[] = "to be squeezed, to be squeezed, to be squeezed,"
        " to be squeezed, to be squeezed, to be squeezed, to be squeezed";
    struct reports r;
    rd_kafka_t *rk = producer_new(&r,
        WORDS(codec, "linger.ms=200", "statistics.interval.ms=50"));
    int64_t until = now_ms() + RDK_WAIT_MS;
    int stats;

    for (int i = 0; i < 5000; i++)
        rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
            RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE(text, sizeof text),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    rd_kafka_flush(rk, RDK_WAIT_MS);
    stats = r.stats;
    while (r.stats < stats + 2 && now_ms() < until)
        rd_kafka_poll(rk, 50);
    producer_free(rk);
    ok(r.count == 5000 && r.failed + r.unordered == 0, "produce with %s",
        codec);
    return r.tx_bytes;
}

/*
 * librdkafka sends uncompressed, and says nothing, to a broker that does not
 * announce the versions by which it knows the codecs: so look at the bytes.
 */
static void
test_codecs(void)
{
    static const char *const codecs[] = {"compression.codec=none",
        "compression.codec=gzip", "compression.codec=snappy",
        "compression.codec=lz4", "compression.codec=zstd"};
    int64_t plain = 0;

    for (int i = 0; i < 5; i++) {
        const char *topic = named(strchr(codecs[i], '=') + 1);
        int64_t sent;
        int n = 0;
        rd_kafka_t *rk;
        rd_kafka_message_t *m;

        topic_new(topic, 1, NULL);
        sent = bytes_with(codecs[i], topic);
        if (i == 0)
            plain = sent;
        else
            ok(sent > 0 && sent < plain / 3,
                "it was really compressed: %lld bytes of %lld",
                (long long)sent, (long long)plain);
        rk = consumer_new(WORDS("check.crcs=true"));
        assign_one(rk, topic, 0, 0);
        while ((m = consume_one(rk, NULL))) {
            n += m->offset == n && m->len == 111;
            rd_kafka_message_destroy(m);
        }
        consumer_free(rk);
        is_int(n, 5000, "all come back");
    }
}

static void
test_idempotent(void)
{
    const char *topic = named("idempotent");
    static struct seen s;
    struct reports r;
    rd_kafka_t *rk;

    topic_new(topic, 4, NULL);
    rk = producer_new(&r, WORDS("enable.idempotence=true", "linger.ms=0",
        "batch.num.messages=20", "max.in.flight=5"));
    produce_run(rk, topic, 4, 0, RDK_RUN);
    is_int(r.count, RDK_RUN, "idempotent, 5 in flight: all reported");
    is_int(r.failed, 0, "none failed");
    is_int(r.unordered, 0, "offsets follow the order of producing");
    is_err(rd_kafka_fatal_error(rk, NULL, 0), 0, "no fatal error");
    producer_free(rk);
    consume_topic(topic, 4, &s);
    is_int(s.count, RDK_RUN, "as many are consumed");
    is_int(seen_wrong(&s, 0, RDK_RUN), 0, "each exactly once");
    is_int(s.unordered, 0, "and in order");
}

/* Several idempotent producers on one partition must not disturb each other. */
static void
test_idempotent_many(void)
{
    const char *topic = named("idempotent-many");
    static struct seen s;
    struct reports r[4];
    rd_kafka_t *rk[4];
    int failed = 0;

    topic_new(topic, 1, NULL);
    for (int i = 0; i < 4; i++)
        rk[i] = producer_new(&r[i], WORDS("enable.idempotence=true",
            "linger.ms=0", "batch.num.messages=10"));
    for (int n = 0; n < 4000; n += 100)
        produce_run(rk[n / 100 % 4], topic, 1, n, n + 100);
    for (int i = 0; i < 4; i++) {
        failed += r[i].failed;
        producer_free(rk[i]);
    }
    is_int(failed, 0, "four idempotent producers on one partition");
    consume_topic(topic, 1, &s);
    is_int(seen_wrong(&s, 0, 4000) + s.unordered, 0, "each once, in order");
}

/* Produces one value of size bytes and returns what its report said. */
static rd_kafka_resp_err_t
produce_size(rd_kafka_t *rk, struct reports *r, const char *topic, size_t size)
{
    static char big[2000000];
    uint64_t x = 88172645463325252u;
    int count = r->count;
    rd_kafka_resp_err_t err;

    for (size_t i = 0; i < sizeof big; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        big[i] = (char)x;
    }
    r->err = RD_KAFKA_RESP_ERR_NO_ERROR;
    err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
        RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE(big, size),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (err)
        return err;
    rd_kafka_flush(rk, RDK_WAIT_MS);
    return r->count > count ? r->err : RD_KAFKA_RESP_ERR__TIMED_OUT;
}

static void
test_too_large(void)
{
    const char *topic = named("large"), *roomy = named("roomy");
    struct reports r;
    rd_kafka_t *rk;

    topic_new(topic, 1, NULL);
    topic_new(roomy, 1, "max.message.bytes=4000000");
    rk = producer_new(&r, WORDS("message.max.bytes=4000000"));
    is_err(produce_size(rk, &r, topic, 2000000),
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "a batch over the limit");
    is_err(produce_size(rk, &r, topic, 900000), 0, "one under it");
    is_err(produce_size(rk, &r, roomy, 2000000), 0,
        "a topic with a larger max.message.bytes takes it");
    producer_free(rk);
}

static void
test_errors(void)
{
    const char *topic = named("four");
    char x = 'x';
    struct reports r;
    rd_kafka_t *rk;

    topic_new(topic, 4, NULL);
    rk = producer_new(&r, WORDS("message.timeout.ms=20000"));
    rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(99),
        RD_KAFKA_V_END);
    rd_kafka_flush(rk, RDK_WAIT_MS);
    is_err(r.err, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
        "a partition that is not there");
    r.err = 0;
    rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("bad name!"), RD_KAFKA_V_END);
    rd_kafka_flush(rk, RDK_WAIT_MS);
    is_err(r.err, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, "an invalid topic name");
    is_int(r.failed, 2, "each failed once");
    rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(named("created")),
        RD_KAFKA_V_VALUE(&x, 1), RD_KAFKA_V_END);
    rd_kafka_flush(rk, RDK_WAIT_MS);
    ok(r.count == 3 && r.failed == 2, "a new topic is created on first use");
    producer_free(rk);
}

int
main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    client("librdkafka", rd_kafka_version_str());
    feature("acks");
    test_acks();
    feature("codecs");
    test_codecs();
    feature("idempotence");
    test_idempotent();
    test_idempotent_many();
    feature("large records");
    test_too_large();
    feature("errors");
    test_errors();
    feature("consuming");
    test_consume();
    feature("groups");
    test_group();
    feature("admin");
    test_admin();
    return done_testing();
}
