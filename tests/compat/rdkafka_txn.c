/*
 * librdkafka against a broker: transactions. Run by txn-rdkafka.t; arguments
 * name the tests to run, none means all.
 *
 * librdkafka speaks the transactions of version 1: AddPartitionsToTxn and
 * AddOffsetsToTxn before what they are for, EndTxn without a new epoch.
 */
#include "config.h"
#include "rdk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a consumer of one isolation level sees of a whole topic. */
struct view {
    struct seen seen;
    int64_t ends; /* the sum of the partitions' ends as it knows them */
};

static struct view view; /* large, and of no use after the next reading */
static struct reports reports;

/* -- helpers -------------------------------------------------------------- */

/* The code of an error, which is freed. */
static rd_kafka_resp_err_t
code(rd_kafka_error_t *e)
{
    rd_kafka_resp_err_t err = rd_kafka_error_code(e);

    if (e && getenv("RDK_LOG"))
        note("%s", rd_kafka_error_string(e));
    rd_kafka_error_destroy(e);
    return err;
}

static void
must(rd_kafka_error_t *e, const char *what)
{
    if (e)
        bail("%s: %s", what, rd_kafka_error_string(e));
}

static rd_kafka_t *
txn_producer(const char *word, const char *more)
{
    char id[300];
    rd_kafka_t *rk;

    snprintf(id, sizeof id, "transactional.id=%s", named(word));
    rk = producer_new(&reports, WORDS(id, more, "retry.backoff.ms=20",
        "reconnect.backoff.ms=20", "reconnect.backoff.max.ms=50"));
    must(rd_kafka_init_transactions(rk, RDK_WAIT_MS), "init_transactions");
    return rk;
}

static void
begin(rd_kafka_t *rk)
{
    must(rd_kafka_begin_transaction(rk), "begin_transaction");
}

static void
commit(rd_kafka_t *rk)
{
    must(rd_kafka_commit_transaction(rk, RDK_WAIT_MS), "commit_transaction");
}

static void
abort_txn(rd_kafka_t *rk)
{
    must(rd_kafka_abort_transaction(rk, RDK_WAIT_MS), "abort_transaction");
}

/* Reads all partitions to the end that this level shows, into view. */
static const struct view *
read_topic(const char *topic, int parts, const char *level)
{
    rd_kafka_t *rk = consumer_new(WORDS(level, "check.crcs=true"));
    rd_kafka_topic_partition_list_t *l =
        rd_kafka_topic_partition_list_new(parts);
    int64_t until = now_ms() + RDK_WAIT_MS;
    bool ended[RDK_PARTS] = {false};

    memset(&view, 0, sizeof view);
    for (int i = 0; i < parts; i++)
        rd_kafka_topic_partition_list_add(l, topic, i)->offset = 0;
    if (rd_kafka_assign(rk, l))
        bail("assign");
    rd_kafka_topic_partition_list_destroy(l);
    for (int left = parts; left > 0 && now_ms() < until;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 100);

        if (!m)
            continue;
        if (!m->err) {
            seen_add(&view.seen, m);
        } else if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF &&
            !ended[m->partition]) {
            ended[m->partition] = true;
            view.ends += m->offset;
            left--;
        }
        rd_kafka_message_destroy(m);
    }
    consumer_free(rk);
    return &view;
}

static const struct view *
committed(const char *topic, int parts)
{
    return read_topic(topic, parts, "isolation.level=read_committed");
}

static const struct view *
uncommitted(const char *topic, int parts)
{
    return read_topic(topic, parts, "isolation.level=read_uncommitted");
}

/* Waits until nothing is open any more. */
static bool
unblocked(const char *topic, int parts)
{
    int64_t until = now_ms() + RDK_WAIT_MS;
    int64_t end = uncommitted(topic, parts)->ends;

    while (committed(topic, parts)->ends < end) {
        if (now_ms() > until)
            return false;
        end = uncommitted(topic, parts)->ends;
    }
    return true;
}

/* The view shows from..to-1, each once and in order, and no more. */
static void
is_view(const struct view *v, int from, int to, const char *name)
{
    if (!ok(v->seen.count == to - from && v->seen.unordered == 0 &&
            seen_wrong(&v->seen, from, to) == 0, "%s", name))
        note("%d records, %d wrong, %d unordered", v->seen.count,
            seen_wrong(&v->seen, from, to), v->seen.unordered);
}

/*
 * What read_committed shows when all has ended: the answer to a commit or an
 * abort may come before its markers are written.
 */
static void
is_committed(const char *topic, int parts, int from, int to, const char *name)
{
    unblocked(topic, parts);
    is_view(committed(topic, parts), from, to, name);
}

/* A topic whose partitions are all there: each has told its end. */
static const char *
topic_ready(const char *word, int parts)
{
    const char *topic = named(word);

    is_err(topic_new(topic, parts, NULL), 0, "create a topic");
    uncommitted(topic, parts);
    return topic;
}

/* -- one producer --------------------------------------------------------- */

static void
test_commit(void)
{
    const char *topic = topic_ready("commit", 3);
    rd_kafka_t *rk = txn_producer("commit", NULL);

    begin(rk);
    produce_run(rk, topic, 3, 0, 90);
    is_int(uncommitted(topic, 3)->seen.count, 90,
        "read_uncommitted sees an open transaction");
    is_int(committed(topic, 3)->ends, 0,
        "read_committed is at the end before it");
    commit(rk);
    is_committed(topic, 3, 0, 90, "after the commit it sees all");
    is_int(committed(topic, 3)->ends, 93, "each partition has one marker");
    begin(rk);
    commit(rk);
    is_int(committed(topic, 3)->ends, 93, "an empty transaction leaves none");
    is_int(reports.failed, 0, "reports of success only");
    producer_free(rk);
}

static void
test_abort(void)
{
    const char *topic = topic_ready("abort", 2);
    rd_kafka_t *rk = txn_producer("abort", NULL);

    begin(rk);
    produce_run(rk, topic, 2, 0, 50);
    abort_txn(rk);
    ok(unblocked(topic, 2), "an abort moves the stable offset");
    is_int(committed(topic, 2)->seen.count, 0,
        "read_committed sees nothing of it");
    is_int(uncommitted(topic, 2)->seen.count, 50, "read_uncommitted does");
    begin(rk);
    produce_run(rk, topic, 2, 50, 70);
    commit(rk);
    is_committed(topic, 2, 50, 70, "what is committed next is seen");
    producer_free(rk);
}

/* Two producers take turns in one partition; one of them always aborts. */
static void
test_interleaved(void)
{
    const char *topic = topic_ready("interleaved", 1);
    rd_kafka_t *good = txn_producer("good", "linger.ms=0");
    rd_kafka_t *bad = txn_producer("bad", "linger.ms=0");

    for (int n = 0; n < 200; n += 20) {
        begin(bad);
        produce_run(bad, topic, 1, 1000 + n, 1005 + n);
        begin(good);
        produce_run(good, topic, 1, n, n + 10);
        produce_run(bad, topic, 1, 1005 + n, 1010 + n);
        produce_run(good, topic, 1, n + 10, n + 20);
        commit(good);
        produce_run(bad, topic, 1, 1010 + n, 1015 + n);
        abort_txn(bad);
    }
    producer_free(good);
    producer_free(bad);
    is_committed(topic, 1, 0, 200, "only what was committed, in order");
    is_int(uncommitted(topic, 1)->seen.count, 350,
        "read_uncommitted has all");
}

static void
test_many(void)
{
    const char *topic = topic_ready("many", RDK_PARTS);
    rd_kafka_t *rk = txn_producer("many", NULL);

    begin(rk);
    produce_run(rk, topic, RDK_PARTS, 0, 1000);
    commit(rk);
    begin(rk);
    produce_run(rk, topic, RDK_PARTS, 1000, 2000);
    abort_txn(rk);
    producer_free(rk);
    is_committed(topic, RDK_PARTS, 0, 1000, "64 partitions in a transaction");
    is_int(committed(topic, RDK_PARTS)->ends, 2000 + 2 * RDK_PARTS,
        "two markers in each");
}

/* -- offsets -------------------------------------------------------------- */

/* The committed offset of partition 0, -1 where there is none or an error. */
static int64_t
group_offset(const char *group, const char *topic)
{
    char id[300];
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    int64_t offset = -1;
    rd_kafka_t *rk;

    snprintf(id, sizeof id, "group.id=%s", group);
    rk = consumer_new(WORDS(id));
    rd_kafka_topic_partition_list_add(l, topic, 0);
    if (!rd_kafka_committed(rk, l, RDK_WAIT_MS) && l->elems[0].offset >= 0)
        offset = l->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(l);
    consumer_free(rk);
    return offset;
}

static rd_kafka_error_t *
send_offset(rd_kafka_t *rk, const char *group, const char *topic,
    int64_t offset)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *m =
        rd_kafka_consumer_group_metadata_new(group);
    rd_kafka_error_t *e;

    rd_kafka_topic_partition_list_add(l, topic, 0)->offset = offset;
    e = rd_kafka_send_offsets_to_transaction(rk, l, m, RDK_WAIT_MS);
    rd_kafka_topic_partition_list_destroy(l);
    rd_kafka_consumer_group_metadata_destroy(m);
    return e;
}

/* Takes up to 30 records of the source and produces them again; how many. */
static int
copy_some(rd_kafka_t *rk, rd_kafka_t *consumer, const char *sink)
{
    int n = 0;
    rd_kafka_message_t *m;

    while (n < 30 && (m = consume_one(consumer, NULL))) {
        rd_kafka_resp_err_t err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(sink),
            RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE(m->payload, m->len),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

        if (err)
            bail("produce: %s", rd_kafka_err2str(err));
        rd_kafka_message_destroy(m);
        n++;
    }
    return n;
}

/* Consume, transform, produce; every third transaction is done twice. */
static void
test_offsets(void)
{
    const char *source = topic_ready("offsets", 1);
    const char *sink = topic_ready("sink", 1), *group = named("group");
    struct reports plain;
    rd_kafka_t *rk = producer_new(&plain, WORDS("acks=all")), *consumer;
    int at = 0;

    produce_run(rk, source, 1, 0, 300);
    producer_free(rk);
    rk = txn_producer("offsets", NULL);
    consumer = consumer_new(WORDS("isolation.level=read_committed"));
    for (int round = 0; at < 300 && round < 100; round++) {
        int n;

        assign_one(consumer, source, 0, at);
        begin(rk);
        n = copy_some(rk, consumer, sink);
        must(send_offset(rk, group, source, at + n), "send offsets");
        if (round % 3 == 2) {
            abort_txn(rk);
            is_int(group_offset(group, source), at, "an abort: the old offset");
        } else {
            commit(rk);
            at += n;
        }
    }
    consumer_free(consumer);
    producer_free(rk);
    is_committed(sink, 1, 0, 300, "each exactly once");
    is_int(group_offset(group, source), 300,
        "the group's offsets were committed with them");
}

/* -- fencing and timeouts ------------------------------------------------- */

static void
test_fencing(void)
{
    const char *topic = topic_ready("fencing", 1);
    rd_kafka_t *old = txn_producer("fencing", NULL), *young;
    char text[256];

    begin(old);
    produce_run(old, topic, 1, 1000, 1010);
    young = txn_producer("fencing", NULL);
    ok(unblocked(topic, 1),
        "a second producer of the id aborts what the first began");
    is_err(code(rd_kafka_commit_transaction(old, RDK_WAIT_MS)),
        RD_KAFKA_RESP_ERR__FENCED, "a commit by the first says it is fenced");
    is_err(rd_kafka_fatal_error(old, text, sizeof text),
        RD_KAFKA_RESP_ERR__FENCED, "which is fatal");
    begin(young);
    produce_run(young, topic, 1, 0, 10);
    commit(young);
    producer_free(young);
    rd_kafka_destroy(old);
    is_committed(topic, 1, 0, 10, "only the second one's records are there");
}

static void
test_timeout(void)
{
    const char *topic = topic_ready("timeout", 2);
    rd_kafka_t *rk = txn_producer("timeout", "transaction.timeout.ms=1500");
    struct reports unused;
    rd_kafka_error_t *e;
    char id[300];

    begin(rk);
    produce_run(rk, topic, 2, 1000, 1010);
    ok(unblocked(topic, 2), "the broker aborts what takes too long");
    is_int(committed(topic, 2)->seen.count, 0, "nothing is seen");
    is_int(committed(topic, 2)->ends, 12, "markers were written");
    ok(code(rd_kafka_commit_transaction(rk, RDK_WAIT_MS)) != 0,
        "a commit comes too late");
    rd_kafka_destroy(rk);
    rk = txn_producer("timeout", NULL);
    begin(rk);
    produce_run(rk, topic, 2, 0, 10);
    commit(rk);
    producer_free(rk);
    is_committed(topic, 2, 0, 10, "the next producer of the id goes on");

    snprintf(id, sizeof id, "transactional.id=%s", named("timeout-long"));
    rk = producer_new(&unused, WORDS(id, "transaction.timeout.ms=90000000",
        "message.timeout.ms=60000"));
    e = rd_kafka_init_transactions(rk, RDK_WAIT_MS);
    is_err(code(e), RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT,
        "a timeout over the broker's limit is refused");
    rd_kafka_destroy(rk);
}

/* -- a bad network, restarts ---------------------------------------------- */

/* One transaction, done again after what may be aborted; false if not. */
static bool
commit_somehow(rd_kafka_t *rk, const char *group, const char *topic, int from,
    int to)
{
    for (int tries = 0; tries < 10; tries++) {
        rd_kafka_error_t *e;
        bool again;

        begin(rk);
        produce_run(rk, topic, 3, from, to);
        e = send_offset(rk, group, topic, to);
        while (!e && (e = rd_kafka_commit_transaction(rk, RDK_WAIT_MS)) &&
            rd_kafka_error_is_retriable(e)) {
            rd_kafka_error_destroy(e);
            e = NULL;
        }
        if (!e)
            return true;
        note("%s", rd_kafka_error_string(e));
        again = rd_kafka_error_txn_requires_abort(e);
        rd_kafka_error_destroy(e);
        if (!again)
            return false;
        abort_txn(rk);
    }
    return false;
}

static void
through(const char *word, const char *faults)
{
    const char *topic = topic_ready(word, 3), *group = named("faults");
    char direct[256], words[512];
    const char *proxy;
    bool all = true;
    rd_kafka_t *rk;

    snprintf(direct, sizeof direct, "%s", getenv("BOOTSTRAP"));
    snprintf(words, sizeof words, "proxy %s %s", direct, faults);
    proxy = broker(words);
    if (!proxy)
        bail("no proxy");
    setenv("BOOTSTRAP", proxy, 1);
    rk = txn_producer(word, "linger.ms=0");
    for (int t = 0; t < 24; t++) {
        if (t % 4 == 1) {
            begin(rk);
            produce_run(rk, topic, 3, 10000 + t * 10, 10010 + t * 10);
            abort_txn(rk);
        }
        all = commit_somehow(rk, group, topic, t * 10, t * 10 + 10) && all;
    }
    producer_free(rk);
    setenv("BOOTSTRAP", direct, 1);
    ok(all, "%s", faults);
    unblocked(topic, 3);
    is_committed(topic, 3, 0, 240, "each exactly once");
    is_int(group_offset(group, topic), 240, "the last offset");
}

/* Keys of the wire: see the table broker/wire/apis.tbl. */
static void
test_faults(void)
{
    through("lost", "drop:26:3 drop:0:7 drop:28:5 drop:24:4 drop:25:4");
    through("repeated",
        "repeat:26:1 repeat:0:3 repeat:28:2 repeat:24:2 repeat:25:2");
}

static void
restart(const char *how)
{
    const char *topic = topic_ready(how, 3);
    rd_kafka_t *rk = txn_producer(how, "transaction.timeout.ms=120000");

    begin(rk);
    produce_run(rk, topic, 3, 1000, 1030);
    abort_txn(rk);
    begin(rk);
    produce_run(rk, topic, 3, 0, 30);
    commit(rk);
    begin(rk);
    produce_run(rk, topic, 3, 30, 60);
    must(send_offset(rk, named("restart"), topic, 7), "send offsets");
    broker(how);
    is_str(broker("again"), getenv("BOOTSTRAP"), "the broker comes back");
    is_view(committed(topic, 3), 0, 30, "committed is there, open is not");
    produce_run(rk, topic, 3, 60, 90);
    commit(rk);
    begin(rk);
    produce_run(rk, topic, 3, 90, 120);
    commit(rk);
    producer_free(rk);
    is_committed(topic, 3, 0, 120, "the open transaction went on");
    is_int(group_offset(named("restart"), topic), 7, "and its offsets");
}

static void
test_restart(void)
{
    char before[256];
    const char *own = broker("start");

    if (!own) {
        ok(true, "restarts # SKIP there is no broker that may be stopped");
        return;
    }
    snprintf(before, sizeof before, "%s", getenv("BOOTSTRAP"));
    setenv("BOOTSTRAP", own, 1);
    restart("halt");
    restart("kill");
    broker("end");
    setenv("BOOTSTRAP", before, 1);
}

static const struct test {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"commit", test_commit},
    {"abort", test_abort},
    {"interleaved", test_interleaved},
    {"64 partitions", test_many},
    {"offsets", test_offsets},
    {"fencing", test_fencing},
    {"timeout", test_timeout},
    {"lost, repeated requests", test_faults},
    {"broker restarted and killed", test_restart},
};

static bool
wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 1;
}

int
main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    client("librdkafka", rd_kafka_version_str());
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (wanted(tests[i].name, argc, argv)) {
            char what[128];

            snprintf(what, sizeof what, "transactions: %s", tests[i].name);
            feature(what);
            tests[i].run();
        }
    return done_testing();
}
