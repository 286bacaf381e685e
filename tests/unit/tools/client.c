/* client.c: the client against a broker that a test makes up: versions,
 * damage, offsets that are gone, transactions, groups. */
#include "config.h"

#include "client/client.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "client/membership.h"
#include "client/reader.h"
#include "client/writer.h"
#include "fake.h"
#include "wire/msg/consumer.h"
#include "wire/msg/fetch.h"
#include "wire/msg/groups.h"
#include "wire/msg/metadata.h"
#include "wire/msg/offsets.h"
#include "wire/msg/produce.h"

enum { LOG_BEGIN = 100 };

/* The log of the only partition, and what the tests say about it. */
static struct {
    struct buf bytes;
    int64_t next;                /* offset */
    struct fetch_response_aborted aborted[2];
    int32_t aborted_count;
    int leaders_after;           /* Metadata requests without a leader */
    int16_t produce_error;
    int16_t isolation;           /* as last asked for */
    int rebalances;              /* heartbeats that say so */
    int64_t committed;
} world;

static struct fake fake;
static struct client *client;
static struct err err;

/* ---- the broker --------------------------------------------------------- */

static void
add_batch(uint16_t attributes, int64_t producer, const char *value, int count)
{
    struct batch_build build = {producer, (int16_t)(producer < 0 ? -1 : 0),
        producer < 0 ? -1 : 0, 0};
    size_t start = world.bytes.len;
    struct batch_builder b;

    batch_builder_init(&b, &world.bytes);
    for (int i = 0; i < count; i++)
        batch_builder_add(&b, 1000 + world.next + i, SPAN_NULL,
            span_str(value), NULL, 0);
    build.attributes = attributes;
    assert_int_equal(batch_builder_end(&b, &build, &err), 0);
    batch_stamp(world.bytes.ptr + start, world.next, 0);
    world.next += count;
}

static void
answer_metadata(const struct metadata_request *req,
    struct metadata_response *resp, struct arena *a)
{
    struct metadata_response_topic *t =
        wire_new(&metadata_response_topic_type, a, 1);
    bool known = req->topics.n < 0
        || span_eq(req->topics.v[0].name, span_str("log"));

    resp->topics.v = t;
    resp->topics.n = 1;
    t->name = req->topics.n < 0 ? span_str("log") : req->topics.v[0].name;
    if (!known) {
        t->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        return;
    }
    t->topic_id.bytes[0] = 7;
    t->partitions.v = wire_new(&metadata_response_partition_type, a, 1);
    t->partitions.n = 1;
    t->partitions.v[0].leader_id = world.leaders_after-- > 0 ? -1 : 1;
}

static void
answer_offsets(const struct list_offsets_request *req,
    struct list_offsets_response *resp, struct arena *a)
{
    struct list_offsets_response_topic *t =
        wire_new(&list_offsets_response_topic_type, a, 1);
    int64_t at = req->topics.v[0].partitions.v[0].timestamp;

    world.isolation = req->isolation_level;
    resp->topics.v = t;
    resp->topics.n = 1;
    t->name = req->topics.v[0].name;
    t->partitions.v = wire_new(&list_offsets_response_partition_type, a, 1);
    t->partitions.n = 1;
    t->partitions.v[0].offset = at == OFFSET_BEGIN ? LOG_BEGIN
        : at == OFFSET_END ? world.next : -1;
}

static void
answer_fetch(const struct fetch_request *req, struct fetch_response *resp,
    struct arena *a)
{
    struct fetch_response_topic *t = wire_new(&fetch_response_topic_type, a, 1);
    struct fetch_response_partition *p =
        wire_new(&fetch_response_partition_type, a, 1);
    int64_t offset = req->topics.v[0].partitions.v[0].fetch_offset;

    world.isolation = req->isolation_level;
    resp->responses.v = t;
    resp->responses.n = 1;
    t->topic = req->topics.v[0].topic;
    t->topic_id = req->topics.v[0].topic_id;
    t->partitions.v = p;
    t->partitions.n = 1;
    p->high_watermark = world.next;
    if (offset < LOG_BEGIN || offset > world.next) {
        p->error_code = KERR_OFFSET_OUT_OF_RANGE;
        return;
    }
    if (offset < world.next)
        p->records = buf_span(&world.bytes);
    p->aborted_transactions.v = world.aborted;
    p->aborted_transactions.n = world.aborted_count;
}

static void
answer_produce(const struct produce_request *req,
    struct produce_response *resp, struct arena *a)
{
    struct produce_response_topic *t =
        wire_new(&produce_response_topic_type, a, 1);
    struct produce_response_partition *p =
        wire_new(&produce_response_partition_type, a, 1);
    struct batch b;

    resp->responses.v = t;
    resp->responses.n = 1;
    t->partition_responses.v = p;
    t->partition_responses.n = 1;
    assert_int_equal(batch_parse(req->topic_data.v[0].partition_data.v[0]
        .records, &b), BATCH_OK);
    p->error_code = world.produce_error;
    p->base_offset = world.next;
    world.next += b.record_count;
}

static void
answer_join(const struct join_group_request *req,
    struct join_group_response *resp, struct arena *a)
{
    struct join_group_response_member *m =
        wire_new(&join_group_response_member_type, a, 1);

    resp->member_id = resp->leader = m->member_id = span_str("m-1");
    if (req->member_id.len == 0) {
        resp->error_code = KERR_MEMBER_ID_REQUIRED;
        return;
    }
    resp->generation_id = fake.seen[API_JOIN_GROUP];
    resp->protocol_type = span_str("consumer");
    resp->protocol_name = span_str("range");
    m->metadata = req->protocols.v[0].metadata;
    resp->members.v = m;
    resp->members.n = 1;
}

static void
answer_committed(const struct offset_fetch_request *req,
    struct offset_fetch_response *resp, struct arena *a)
{
    struct offset_fetch_response_group *g =
        wire_new(&offset_fetch_response_group_type, a, 1);
    struct offset_fetch_response_group_topic *t =
        wire_new(&offset_fetch_response_group_topic_type, a, 1);

    resp->groups.v = g;
    resp->groups.n = 1;
    g->group_id = req->groups.v[0].group_id;
    g->topics.v = t;
    g->topics.n = 1;
    t->name = span_str("log");
    t->partitions.v =
        wire_new(&offset_fetch_response_group_partition_type, a, 1);
    t->partitions.n = 1;
    t->partitions.v[0].committed_offset = world.committed;
}

static void
answer_commit(const struct offset_commit_request *req,
    struct offset_commit_response *resp, struct arena *a)
{
    struct offset_commit_response_topic *t =
        wire_new(&offset_commit_response_topic_type, a, 1);

    world.committed = req->topics.v[0].partitions.v[0].committed_offset;
    resp->topics.v = t;
    resp->topics.n = 1;
    t->name = span_str("log");
    t->partitions.v = wire_new(&offset_commit_response_partition_type, a, 1);
    t->partitions.n = 1;
}

static void
answer(struct fake *f, enum api_key key, int version, const void *req,
    void *resp, struct arena *a)
{
    if (key == API_METADATA)
        answer_metadata(req, resp, a);
    else if (key == API_LIST_OFFSETS)
        answer_offsets(req, resp, a);
    else if (key == API_FETCH)
        answer_fetch(req, resp, a);
    else if (key == API_PRODUCE)
        answer_produce(req, resp, a);
    else if (key == API_JOIN_GROUP)
        answer_join(req, resp, a);
    else if (key == API_SYNC_GROUP)
        ((struct sync_group_response *)resp)->assignment =
            ((const struct sync_group_request *)req)->assignments.v[0]
                .assignment;
    else if (key == API_OFFSET_FETCH)
        answer_committed(req, resp, a);
    else if (key == API_OFFSET_COMMIT)
        answer_commit(req, resp, a);
    else if (key == API_HEARTBEAT && world.rebalances-- > 0)
        ((struct heartbeat_response *)resp)->error_code =
            KERR_REBALANCE_IN_PROGRESS;
}

static int
start(void **state)
{
    memset(&fake, 0, sizeof fake);
    memset(&world, 0, sizeof world);
    buf_init(&world.bytes, 16 * MIB);
    world.next = LOG_BEGIN;
    world.committed = -1;
    fake.answer = answer;
    fake_start(&fake);
    client = NULL;
    return 0;
}

static int
stop(void **state)
{
    client_close(client);
    fake_stop(&fake);
    buf_release(&world.bytes);
    return 0;
}

static void
open_client(void)
{
    struct client_conf conf = {.bootstrap = fake.address, .timeout_ms = 2000};

    client = client_open(&conf, &err);
    if (client == NULL)
        fail_msg("%s", err.text);
}

static const struct client_topic *
topic(void)
{
    const struct client_topic *t;

    if (client == NULL)
        open_client();
    t = client_topic(client, "log", &err);
    if (t == NULL)
        fail_msg("%s", err.text);
    return t;
}

/* ---- versions, frames --------------------------------------------------- */

static void
versions_are_the_highest_common(void **state)
{
    fake.version_max[API_METADATA] = 4;
    fake.version_max[API_FETCH] = 99;
    fake.version_max[API_PRODUCE] = 2;   /* below what we speak */
    open_client();
    assert_int_equal(client_version(client, API_METADATA), 4);
    assert_int_equal(client_version(client, API_FETCH),
        wire_api(API_FETCH)->max);
    assert_int_equal(client_version(client, API_PRODUCE), -1);
    topic();
    assert_int_equal(fake.last_version[API_METADATA], 4);
    assert_int_equal(client_send(client, API_PRODUCE, NULL, &err), -1);
    assert_int_equal(err.code, CLIENT_KERR + KERR_UNSUPPORTED_VERSION);
}

static void
an_old_broker_is_asked_again(void **state)
{
    fake.old_api_versions = true;
    open_client();
    assert_int_equal(fake.seen[API_API_VERSIONS], 2);
    assert_int_equal(fake.last_version[API_API_VERSIONS], 0);
    assert_int_equal(client_version(client, API_METADATA),
        wire_api(API_METADATA)->max);
}

static void
tricks_are_errors(void **state)
{
    static const struct {
        enum fake_trick trick;
        int code;
    } rows[] = {{FAKE_WRONG_CORRELATION, ERR_FORMAT},
        {FAKE_HUGE_FRAME, ERR_FORMAT}, {FAKE_CUT_FRAME, ECONNRESET},
        {FAKE_GARBAGE, ERR_FORMAT}};

    for (size_t i = 0; i < countof(rows); i++) {
        open_client();
        fake.trick = rows[i].trick;
        assert_null(client_topic(client, "log", &err));
        assert_int_equal(err.code, rows[i].code);
        client_close(client);
        client = NULL;
        fake.trick = FAKE_HONEST;
    }
}

/* ---- topics ------------------------------------------------------------- */

static void
a_topic_without_leader_is_waited_for(void **state)
{
    world.leaders_after = 3;
    assert_int_equal(topic()->partitions, 1);
    assert_int_equal(fake.seen[API_METADATA], 4);
    topic();
    assert_int_equal(fake.seen[API_METADATA], 4);        /* from the cache */
    client_forget(client);
    topic();
    assert_int_equal(fake.seen[API_METADATA], 5);
}

static void
a_topic_that_is_not_there(void **state)
{
    int kerr;

    open_client();
    assert_null(client_topic(client, "nope", &err));
    assert_true(client_kerr(&err, &kerr));
    assert_int_equal(kerr, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_string_equal(err.text, "topic 'nope' does not exist");
}

/* ---- reading ------------------------------------------------------------ */

/* All values from `position` to `end`, with commas; or the error's text. */
static const char *
read_from(int64_t position, int64_t end)
{
    static char all[512];
    const struct client_topic *t = topic();
    struct reader *r = reader_new(client, t);
    struct reader_record rec;
    size_t len = 0;
    int n = 0;

    all[0] = '\0';
    reader_seek(r, 0, position, end);
    for (int i = 0; i < 20 && !reader_done(r) && n >= 0; i++) {
        n = reader_poll(r, 10, &err);
        while (n >= 0 && (n = reader_next(r, &rec, &err)) == 1)
            len += (size_t)snprintf(all + len, sizeof all - len, "%lld%.*s,",
                (long long)rec.record.offset, (int)rec.record.value.len,
                (const char *)rec.record.value.ptr);
    }
    if (n < 0)
        snprintf(all + len, sizeof all - len, "%s", err.text);
    reader_free(r);
    return all;
}

static void
records_before_the_position_are_passed_over(void **state)
{
    add_batch(0, -1, "a", 3);
    add_batch(0, -1, "b", 2);
    assert_string_equal(read_from(100, 105), "100a,101a,102a,103b,104b,");
    assert_string_equal(read_from(102, 105), "102a,103b,104b,");
    assert_string_equal(read_from(101, 104), "101a,102a,103b,");
    assert_string_equal(read_from(104, 104), "");
}

static void
what_is_gone_is_passed_over_and_counted(void **state)
{
    struct reader *r;
    const struct reader_part *parts;
    size_t n;

    add_batch(0, -1, "a", 1);
    topic();
    assert_string_equal(read_from(40, 101), "100a,");
    r = reader_new(client, topic());
    reader_seek(r, 0, 40, 101);
    assert_int_equal(reader_poll(r, 10, &err), 0);
    parts = reader_parts(r, &n);
    assert_int_equal(n, 1);
    assert_int_equal(parts[0].skipped, 60);
    assert_int_equal(parts[0].position, 100);
    reader_free(r);
    assert_string_equal(read_from(500, INT64_MAX),
        "offset 500 of log/0 lies outside 100..101");
    assert_int_equal(err.code, CLIENT_KERR + KERR_OFFSET_OUT_OF_RANGE);
}

static void
damage_is_found_after_what_is_good(void **state)
{
    add_batch(0, -1, "a", 1);
    add_batch(0, -1, "b", 1);
    world.bytes.ptr[world.bytes.len - 2] ^= 1;    /* the value */
    topic();
    assert_non_null(strstr(read_from(100, 102), "100a,log/0 near offset 101:"));
    assert_int_equal(err.code, ERR_DAMAGE);
}

static void
a_batch_that_is_cut_off_comes_again(void **state)
{
    size_t whole;

    add_batch(0, -1, "a", 1);
    add_batch(0, -1, "b", 1);
    topic();
    whole = world.bytes.len;
    world.bytes.len -= 5;
    assert_string_equal(read_from(100, 102), "100a,");
    world.bytes.len = whole;
    assert_string_equal(read_from(100, 102), "100a,101b,");
}

/* A marker, as brokers write it: version 0, then 0 abort or 1 commit. */
static void
add_marker(int64_t producer, int type)
{
    struct batch_build build = {producer, 0, -1,
        BATCH_TRANSACTIONAL | BATCH_CONTROL};
    uint8_t key[4] = {0, 0, 0, (uint8_t)type}, value[6] = {0};
    size_t start = world.bytes.len;
    struct batch_builder b;

    batch_builder_init(&b, &world.bytes);
    batch_builder_add(&b, 1, span_of(key, 4), span_of(value, 6), NULL, 0);
    assert_int_equal(batch_builder_end(&b, &build, &err), 0);
    batch_stamp(world.bytes.ptr + start, world.next, 0);
    world.next++;
}

static void
aborted_records_are_passed_over(void **state)
{
    add_batch(BATCH_TRANSACTIONAL, 7, "x", 2);   /* 100, 101: aborted */
    add_batch(BATCH_TRANSACTIONAL, 8, "y", 1);   /* 102: committed */
    add_batch(0, -1, "z", 1);                    /* 103 */
    add_marker(7, 0);                            /* 104 */
    add_batch(BATCH_TRANSACTIONAL, 7, "w", 1);   /* 105: committed later */
    add_marker(8, 1);                            /* 106 */
    add_marker(7, 1);                            /* 107 */
    topic();
    assert_string_equal(read_from(100, 108), "100x,101x,102y,103z,105w,");
    assert_int_equal(world.isolation, 0);
    client_read_committed(client);
    world.aborted[0] = (struct fetch_response_aborted){7, 100};
    world.aborted_count = 1;
    assert_string_equal(read_from(100, 108), "102y,103z,105w,");
    assert_int_equal(world.isolation, 1);
    assert_int_equal(client_offsets_of(client, topic(), OFFSET_END,
        &(int64_t){0}, &err), 0);
    assert_int_equal(world.isolation, 1);
}

/* ---- writing ------------------------------------------------------------ */

static int64_t acked_count;

static void
acked(void *arg, int32_t partition, int64_t offset, int32_t count)
{
    assert_int_equal(partition, 0);
    assert_int_equal(offset, LOG_BEGIN + acked_count);
    acked_count += count;
}

static void
batches_are_acknowledged_in_order(void **state)
{
    struct writer_conf conf = {.acked = acked, .batch_bytes = 2000,
        .codec = CODEC_LZ4};
    const struct client_topic *t = topic();
    struct writer *w = writer_new(client, t, &conf);

    acked_count = 0;
    for (int i = 0; i < 5000; i++)
        assert_int_equal(writer_add(w, PARTITION_BY_KEY, i, SPAN_NULL,
            span_str("a value of some length"), NULL, 0, &err), 0);
    assert_int_equal(writer_flush(w, &err), 0);
    assert_int_equal(acked_count, 5000);
    assert_true(fake.seen[API_PRODUCE] > 2 * CLIENT_PIPELINE);
    assert_int_equal(writer_flush(w, &err), 0);
    assert_int_equal(writer_add(w, 1, 0, SPAN_NULL, SPAN_NULL, NULL, 0, &err),
        -1);
    writer_free(w);
}

static void
a_refusal_names_the_partition(void **state)
{
    struct writer_conf conf = {.acked = acked};
    const struct client_topic *t = topic();
    struct writer *w = writer_new(client, t, &conf);
    int kerr;

    acked_count = 0;
    world.produce_error = KERR_MESSAGE_TOO_LARGE;
    assert_int_equal(writer_add(w, 0, 0, SPAN_NULL, SPAN_NULL, NULL, 0, &err),
        0);
    assert_int_equal(writer_flush(w, &err), -1);
    assert_true(client_kerr(&err, &kerr));
    assert_int_equal(kerr, KERR_MESSAGE_TOO_LARGE);
    assert_string_equal(err.text, "log/0 refused 1 record");
    assert_int_equal(acked_count, 0);
    writer_free(w);
}

/* Numbers of Kafka's own test of its partitioner (Utils.murmur2). */
static void
keys_go_where_java_sends_them(void **state)
{
    static const struct {
        const char *key;
        int32_t murmur2;
    } rows[] = {{"21", -973932308}, {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107}};

    for (size_t i = 0; i < countof(rows); i++)
        assert_int_equal(writer_partition(span_str(rows[i].key), 13),
            ((uint32_t)rows[i].murmur2 & 0x7fffffff) % 13);
}

/* ---- groups ------------------------------------------------------------- */

static void
range_shares_out_everything(void **state)
{
    int32_t first, count, next;

    for (int32_t partitions = 0; partitions < 20; partitions++) {
        for (int32_t members = 1; members < 8; members++) {
            next = 0;
            for (int32_t i = 0; i < members; i++) {
                membership_range(partitions, members, i, &first, &count);
                assert_int_equal(first, next);
                assert_true(count == partitions / members
                    || count == partitions / members + 1);
                next = first + count;
            }
            assert_int_equal(next, partitions);
        }
    }
}

static int
where(void *arg, int32_t partition, int64_t *offset, struct err *e)
{
    *offset = 100;
    return 0;
}

static void
a_member_joins_commits_and_leaves(void **state)
{
    const struct client_topic *t = topic();
    struct reader *r = reader_new(client, t);
    struct membership *m = membership_new(client, "g", t, r, where, NULL);
    struct reader_record rec;
    const struct reader_part *parts;
    size_t n;

    add_batch(0, -1, "a", 3);
    assert_int_equal(membership_join(m, &err), 0);
    assert_int_equal(fake.seen[API_JOIN_GROUP], 2);      /* KIP-394 */
    parts = reader_parts(r, &n);
    assert_int_equal(n, 1);
    assert_int_equal(parts[0].position, 100);
    assert_int_equal(reader_poll(r, 10, &err), 0);
    assert_int_equal(reader_next(r, &rec, &err), 1);
    assert_int_equal(reader_next(r, &rec, &err), 1);
    /* what was given out is done, what was only fetched is not */
    assert_int_equal(membership_leave(m, &err), 0);
    assert_int_equal(world.committed, 102);
    assert_int_equal(fake.seen[API_LEAVE_GROUP], 1);
    membership_free(m);
    m = membership_new(client, "g", topic(), r, where, NULL);
    assert_int_equal(membership_join(m, &err), 0);
    parts = reader_parts(r, &n);
    assert_int_equal(parts[0].position, 102);
    membership_free(m);
    reader_free(r);
}

static void
no_address_answers(void **state)
{
    struct client_conf conf = {.bootstrap = "127.0.0.1:1,127.0.0.1:2",
        .timeout_ms = 500};

    assert_null(client_open(&conf, &err));
    assert_int_equal(err.code, ECONNREFUSED);
    assert_non_null(strstr(err.text, "cannot connect to 127.0.0.1:2"));
    conf.bootstrap = ",";
    assert_null(client_open(&conf, &err));
    assert_int_equal(err.code, ERR_USAGE);
}

static void
the_second_address_will_do(void **state)
{
    struct client_conf conf = {.timeout_ms = 2000};
    char both[64];

    snprintf(both, sizeof both, "127.0.0.1:1,%s", fake.address);
    conf.bootstrap = both;
    client = client_open(&conf, &err);
    assert_non_null(client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(versions_are_the_highest_common),
        TEST(an_old_broker_is_asked_again),
        TEST(tricks_are_errors),
        TEST(a_topic_without_leader_is_waited_for),
        TEST(a_topic_that_is_not_there),
        TEST(records_before_the_position_are_passed_over),
        TEST(what_is_gone_is_passed_over_and_counted),
        TEST(damage_is_found_after_what_is_good),
        TEST(a_batch_that_is_cut_off_comes_again),
        TEST(aborted_records_are_passed_over),
        TEST(batches_are_acknowledged_in_order),
        TEST(a_refusal_names_the_partition),
        cmocka_unit_test(keys_go_where_java_sends_them),
        cmocka_unit_test(range_shares_out_everything),
        TEST(a_member_joins_commits_and_leaves),
        cmocka_unit_test(no_address_answers),
        TEST(the_second_address_will_do),
    };

    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
