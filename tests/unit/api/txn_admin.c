/* Transactions as an operator sees them, and requests that nobody should
 * send. */
#include "config.h"

#include "txn_kit.h"

#include "api/api_priv.h"

/* ---- DescribeTransactions, ListTransactions ---- */

static const struct describe_transactions_response_state *
describe(struct kit *k, const char *id)
{
    struct describe_transactions_request *q
        = KIT_NEW(k, describe_transactions_request);
    const struct describe_transactions_response *p;

    q->transactional_ids.n = 1;
    q->transactional_ids.v = kit_alloc(k, sizeof(struct span));
    q->transactional_ids.v[0] = S(id);
    p = kit_call(k, API_DESCRIBE_TRANSACTIONS, 0, q);
    assert_int_equal(p->transaction_states.n, 1);
    return &p->transaction_states.v[0];
}

static void
test_describe_transactions(void **state)
{
    struct kit *k = *state;
    const struct describe_transactions_response_state *p;
    struct tx t;

    kit_topic(k, "t", 3);
    kit_topic(k, "u", 1);
    t = tx_begin(k, "x", 2);
    assert_error(describe(k, "y")->error_code,
        KERR_TRANSACTIONAL_ID_NOT_FOUND);
    assert_error(describe(k, "")->error_code, KERR_INVALID_REQUEST);
    p = describe(k, "x");
    assert_error(p->error_code, KERR_NONE);
    assert_span(p->transaction_state, "Empty");
    assert_int_equal(p->transaction_start_time_ms, -1);
    assert_int_equal(p->topics.n, 0);
    assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
    assert_error(tx_produce(&t, "t", 2, "a"), KERR_NONE);
    t.seq[0] = 0;
    assert_error(tx_produce(&t, "u", 0, "a"), KERR_NONE);
    p = describe(k, "x");
    assert_span(p->transaction_state, "Ongoing");
    assert_int_equal(p->producer_id, t.pid);
    assert_int_equal(p->producer_epoch, t.epoch);
    assert_int_equal(p->transaction_timeout_ms, TX_TIMEOUT);
    assert_true(p->transaction_start_time_ms > 0);
    assert_int_equal(p->topics.n, 2);
    assert_int_equal(p->topics.v[0].partitions.n
        + p->topics.v[1].partitions.n, 3);
    assert_error(tx_end(&t, true), KERR_NONE);
    assert_span(describe(k, "x")->transaction_state, "CompleteCommit");
    assert_int_equal(describe(k, "x")->topics.n, 0);
}

struct filter {
    const char *state, *pattern;
    int64_t producer, duration;
};

static const struct list_transactions_response *
list(struct kit *k, struct filter f)
{
    struct list_transactions_request *q
        = KIT_NEW(k, list_transactions_request);

    if (f.state != NULL) {
        q->state_filters.n = 1;
        q->state_filters.v = kit_alloc(k, sizeof(struct span));
        q->state_filters.v[0] = S(f.state);
    }
    if (f.producer >= 0) {
        q->producer_id_filters.n = 1;
        q->producer_id_filters.v = kit_alloc(k, sizeof(int64_t));
        q->producer_id_filters.v[0] = f.producer;
    }
    q->duration_filter = f.duration;
    if (f.pattern != NULL)
        q->transactional_id_pattern = S(f.pattern);
    return kit_call(k, API_LIST_TRANSACTIONS, 2, q);
}

static int
listed(struct kit *k, struct filter f)
{
    const struct list_transactions_response *p = list(k, f);

    assert_error(p->error_code, KERR_NONE);
    return p->transaction_states.n;
}

static void
test_list_transactions(void **state)
{
    struct kit *k = *state;
    struct tx t;

    kit_topic(k, "t", 1);
    t = tx_begin(k, "pay-1", 2);
    tx_begin(k, "pay-2", 2);
    tx_begin(k, "ship", 2);
    assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
    assert_int_equal(listed(k, (struct filter){NULL, NULL, -1, -1}), 3);
    assert_int_equal(listed(k, (struct filter){"Empty", NULL, -1, -1}), 2);
    assert_int_equal(listed(k, (struct filter){"Ongoing", NULL, -1, -1}), 1);
    assert_int_equal(listed(k, (struct filter){NULL, NULL, t.pid, -1}), 1);
    assert_int_equal(listed(k, (struct filter){NULL, "pay-.*", -1, -1}), 2);
    assert_int_equal(listed(k, (struct filter){NULL, "pay", -1, -1}), 0);
    assert_int_equal(listed(k, (struct filter){NULL, "", -1, -1}), 3);
    assert_int_equal(listed(k, (struct filter){NULL, NULL, -1, 5000}), 0);
    kit_pass(k, 6000);
    assert_int_equal(listed(k, (struct filter){NULL, NULL, -1, 5000}), 1);
    assert_error(list(k, (struct filter){NULL, "pay(", -1, -1})->error_code,
        KERR_INVALID_REGULAR_EXPRESSION);
    assert_int_equal(listed(k, (struct filter){"Nonsense", NULL, -1, -1}),
        0);
    assert_span(list(k, (struct filter){"Nonsense", NULL, -1, -1})
        ->unknown_state_filters.v[0], "Nonsense");
}

/* ---- DescribeProducers, WriteTxnMarkers ---- */

static const struct describe_producers_response_partition *
producers(struct kit *k, const char *topic, int32_t partition)
{
    struct describe_producers_request *q
        = KIT_NEW(k, describe_producers_request);
    const struct describe_producers_response *p;

    KIT_LIST(k, q->topics, describe_producers_request_topic, 1);
    q->topics.v[0].name = S(topic);
    q->topics.v[0].partition_indexes.n = 1;
    q->topics.v[0].partition_indexes.v = kit_alloc(k, sizeof(int32_t));
    q->topics.v[0].partition_indexes.v[0] = partition;
    p = kit_call(k, API_DESCRIBE_PRODUCERS, 0, q);
    return &p->topics.v[0].partitions.v[0];
}

/* Of both partitions of the topic; *second: that of the other one. */
static int
write_marker(struct kit *k, const char *topic, int64_t pid, int epoch,
    bool commit, int *second)
{
    struct write_txn_markers_request *q
        = KIT_NEW(k, write_txn_markers_request);
    const struct write_txn_markers_response *p;

    KIT_LIST(k, q->markers, write_txn_markers_request_marker, 1);
    q->markers.v[0].producer_id = pid;
    q->markers.v[0].producer_epoch = (int16_t)epoch;
    q->markers.v[0].transaction_result = commit;
    KIT_LIST(k, q->markers.v[0].topics, write_txn_markers_request_topic, 1);
    q->markers.v[0].topics.v[0].name = S(topic);
    q->markers.v[0].topics.v[0].partition_indexes.n = 2;
    q->markers.v[0].topics.v[0].partition_indexes.v
        = kit_alloc(k, 2 * sizeof(int32_t));
    q->markers.v[0].topics.v[0].partition_indexes.v[1] = 1;
    p = kit_call(k, API_WRITE_TXN_MARKERS, 1, q);
    *second = p->markers.v[0].topics.v[0].partitions.v[1].error_code;
    return p->markers.v[0].topics.v[0].partitions.v[0].error_code;
}

static void
test_an_operator_aborts(void **state)
{
    struct kit *k = *state;
    const struct describe_producers_response_partition *p;
    struct tx t;
    int second;

    kit_topic(k, "t", 3);
    t = tx_begin(k, "x", 2);
    assert_error(tx_end(&t, false), KERR_NONE);
    for (int32_t i = 0; i < 3; i++)
        assert_error(tx_produce(&t, "t", i, "a"), KERR_NONE);
    assert_error(tx_produce(&t, "t", 0, "b"), KERR_NONE);
    p = producers(k, "t", 0);
    assert_int_equal(p->active_producers.n, 1);
    assert_int_equal(p->active_producers.v[0].producer_id, t.pid);
    assert_int_equal(p->active_producers.v[0].producer_epoch, t.epoch);
    assert_int_equal(p->active_producers.v[0].last_sequence, 1);
    assert_int_equal(p->active_producers.v[0].current_txn_start_offset, 0);
    assert_error(producers(k, "t", 7)->error_code,
        KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_error(write_marker(k, "t", t.pid, t.epoch, true, &second),
        KERR_INVALID_TXN_STATE);
    assert_error(write_marker(k, "t", t.pid, t.epoch - 1, false, &second),
        KERR_INVALID_PRODUCER_EPOCH);
    assert_error(write_marker(k, "u", t.pid, t.epoch, false, &second),
        KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(k->api->txns.open_count, 1);
    assert_error(write_marker(k, "t", t.pid, t.epoch, false, &second),
        KERR_NONE);
    assert_error(second, KERR_NONE);
    /* The whole of it, also where it was not asked for. */
    for (int32_t i = 0; i < 3; i++) {
        assert_committed(k, "t", i, "");
        assert_int_equal(tx_read(k, "t", i, true).lso,
            tx_read(k, "t", i, true).hw);
    }
    assert_error(write_marker(k, "t", t.pid, t.epoch, false, &second),
        KERR_NONE);              /* again */
    assert_int_equal(producers(k, "t", 0)->active_producers.v[0]
        .current_txn_start_offset, -1);
    assert_error(tx_end(&t, true), KERR_PRODUCER_FENCED);
    assert_error(tx_produce(&t, "t", 0, "no"), KERR_INVALID_PRODUCER_EPOCH);
}

/* The form of brokers: several transactions, or a question. */
static void
test_add_partitions_of_brokers(void **state)
{
    struct kit *k = *state;
    struct add_partitions_to_txn_request *q;
    struct add_partitions_to_txn_request_transaction *one;
    const struct add_partitions_to_txn_response *p;
    struct tx t;

    kit_topic(k, "t", 2);
    t = tx_begin(k, "x", 1);
    for (int ask = 1; ask >= 0; ask--) {
        for (int again = 0; again < 2; again++) {
            q = tx_add_request(&t, "t", 0, 1);
            KIT_LIST(k, q->transactions,
                add_partitions_to_txn_request_transaction, 1);
            one = &q->transactions.v[0];
            one->transactional_id = S("x");
            one->producer_id = t.pid;
            one->producer_epoch = t.epoch;
            one->verify_only = ask == 1 || again == 1;
            one->topics.v = q->v3_and_below_topics.v;
            one->topics.n = q->v3_and_below_topics.n;
            p = kit_call(k, API_ADD_PARTITIONS_TO_TXN, 5, q);
            assert_error(p->results_by_transaction.v[0].topic_results.v[0]
                .results_by_partition.v[0].partition_error_code,
                ask == 1 ? KERR_TRANSACTION_ABORTABLE : KERR_NONE);
        }
    }
    assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
}

/* ---- hostile ---- */

/* Idempotent, so that the epoch is the client's own. */
static struct produce_request *
produce_many(struct kit *k, size_t n, bool twice)
{
    struct produce_request *q = KIT_NEW(k, produce_request);

    q->acks = -1;
    KIT_LIST(k, q->topic_data, produce_request_topic, 1);
    q->topic_data.v[0].name = S("t");
    KIT_LIST(k, q->topic_data.v[0].partition_data,
        produce_request_partition, n);
    for (size_t i = 0; i < n; i++) {
        q->topic_data.v[0].partition_data.v[i].index
            = twice && i == n - 1 ? 0 : (int32_t)i;
        q->topic_data.v[0].partition_data.v[i].records = tx_batch(k, 4711,
            (int)(n - i), 0, 0, "a");
    }
    return q;
}

static void
test_a_partition_twice(void **state)
{
    struct kit *k = *state;
    const struct produce_response *p;

    kit_topic(k, "t", 80);
    for (size_t n = 2; n <= 80; n += 26) {
        p = kit_call(k, API_PRODUCE, 11, produce_many(k, n, true));
        assert_error(p->responses.v[0].partition_responses.v[0].error_code,
            KERR_INVALID_REQUEST);
    }
    assert_int_equal(tx_read(k, "t", 0, false).hw, 0);
    p = kit_call(k, API_PRODUCE, 11, produce_many(k, 80, false));
    assert_error(p->responses.v[0].partition_responses.v[79].error_code,
        KERR_NONE);
}

/* Were it appended, the frame in the journal would be damage. */
static void
test_a_wrong_checksum(void **state)
{
    struct kit *k = *state;
    struct produce_request *q;
    const struct produce_response *p;
    struct span s;
    uint8_t *bytes;

    kit_topic(k, "t", 1);
    q = produce_many(k, 1, false);
    s = q->topic_data.v[0].partition_data.v[0].records;
    bytes = kit_alloc(k, s.len);
    memcpy(bytes, s.ptr, s.len);
    bytes[s.len - 2] ^= 1;
    q->topic_data.v[0].partition_data.v[0].records = span_of(bytes, s.len);
    p = kit_call(k, API_PRODUCE, 11, q);
    assert_error(p->responses.v[0].partition_responses.v[0].error_code,
        KERR_CORRUPT_MESSAGE);
    assert_int_equal(tx_read(k, "t", 0, false).hw, 0);
    kit_crash(k);
    p = kit_call(k, API_PRODUCE, 11, produce_many(k, 1, false));
    assert_error(p->responses.v[0].partition_responses.v[0].error_code,
        KERR_NONE);
}

static void
test_batches_that_do_not_belong(void **state)
{
    struct kit *k = *state;
    struct produce_request *q;
    const struct produce_response *p;
    struct tx t, no;

    kit_topic(k, "t", 1);
    t = tx_begin(k, "x", 2);
    /* Not of this transaction's producer, of no producer, a marker. */
    no = t;
    no.pid = t.pid + 1;
    assert_error(tx_produce(&no, "t", 0, "no"),
        KERR_INVALID_PRODUCER_ID_MAPPING);
    no = t;
    no.id = "nobody";
    assert_error(tx_produce(&no, "t", 0, "no"),
        KERR_INVALID_PRODUCER_ID_MAPPING);
    q = tx_produce_request(&t, "t", 0, "no");
    q->transactional_id = SPAN_NULL;
    p = kit_call(k, API_PRODUCE, 12, q);
    assert_error(p->responses.v[0].partition_responses.v[0].error_code,
        KERR_INVALID_TXN_STATE);
    q->topic_data.v[0].partition_data.v[0].records = tx_batch(k, t.pid,
        t.epoch, 0, BATCH_TRANSACTIONAL | BATCH_CONTROL, "no");
    p = kit_call(k, API_PRODUCE, 12, q);
    assert_error(p->responses.v[0].partition_responses.v[0].error_code,
        KERR_INVALID_RECORD);
    assert_int_equal(k->api->txns.open_count, 0);
    assert_int_equal(tx_read(k, "t", 0, false).hw, 0);
}

/* A name may be as long as the wire lets it be. */
static void
test_long_names(void **state)
{
    struct kit *k = *state;
    const size_t sizes[] = {255, 500, 512, 3000, 32767};

    kit_topic(k, "t", 1);
    for (size_t i = 0; i < countof(sizes); i++) {
        char *id = kit_alloc(k, sizes[i]), *group = kit_alloc(k, 249);
        struct tx t;
        int error;

        memset(id, 'i', sizes[i]);
        memset(group, 'g', 200 + i);   /* of groups 249 are let in */
        t = tx_begin(k, id, 2);
        assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
        assert_error(tx_commit_offset(&t, group, "t", 0, 3), KERR_NONE);
        if (i % 2 == 0)
            seq_keep(k->seq, true);
        kit_crash(k);
        assert_error(tx_end(&t, true), KERR_NONE);
        kit_restart(k);
        assert_int_equal(tx_offset(k, group, "t", 0, true, &error), 3);
        assert_error(error, KERR_NONE);
    }
    assert_committed(k, "t", 0, "a a a a a ");
}

/* Ids that nobody uses go, some at a time, and their records. */
static void
test_expiration(void **state)
{
    struct kit *k = *state;

    for (int i = 0; i < 100; i++) {
        char id[32];

        snprintf(id, sizeof id, "id-%d", i);
        tx_begin(k, id, 2);
    }
    assert_int_equal(k->api->txns.by_id.count, 100);
    k->api->txns.config.expiration_ms = 20000;
    kit_pass(k, 40000);
    assert_int_equal(k->api->txns.by_id.count, 0);
    assert_int_equal(k->api->txns.id_bytes, 0);
    seq_keep(k->seq, true);
    kit_restart(k);
    assert_int_equal(k->api->txns.by_id.count, 0);
}

/* What was judged and not linked, for want of room, is judged again. */
static void
test_log_append_time_is_stamped_when_it_is_linked(void **state)
{
    struct kit *k = *state;
    struct topics *ts = api_topics(k->api);
    const struct config_def *d
        = config_def_find(S("message.timestamp.type"));
    struct append_result r;
    struct partition *p;
    struct chunk *c;
    struct append *a;
    struct span s;

    kit_topic(k, "t", 1);
    p = tx_partition(k, "t", 0);
    topic_config_set(&p->topic->config, d, S("LogAppendTime"));
    topic_rule(p->topic);
    s = tx_batch(k, 5, 0, 0, 0, "a");
    c = chunk_new(s.len);
    memcpy(c->data, s.ptr, s.len);
    for (int i = 0; i < 3; i++) {
        append_judge(ts, p, c->data, s.len, 11, &r);
        assert_error(r.error, KERR_NONE);
        assert_true(r.log_append_time > 0);
        a = append_new(ts, c, &(struct append_size){.batches = 1});
        append_add(a, p, c->data, s.len);
        append_stamp(a, r.log_append_time);
        if (i < 2) {
            append_free(a);      /* no room */
            continue;
        }
        assert_true(seq_reserve(k->seq, append_cost(a)));
        append_commit(a, append_cost(a), NULL, NULL, NULL);
    }
    chunk_unref(c);
    kit_turn(k, true);
    kit_crash(k);
    assert_span(tx_read(k, "t", 0, false).text, "a ");
}

int
main(void)
{
#define T(name)                                                                \
    cmocka_unit_test_setup_teardown(test_##name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(describe_transactions),
        T(list_transactions),
        T(an_operator_aborts),
        T(add_partitions_of_brokers),
        T(a_partition_twice),
        T(a_wrong_checksum),
        T(batches_that_do_not_belong),
        T(long_names),
        T(expiration),
        T(log_append_time_is_stamped_when_it_is_linked),
    };

    return cmocka_run_group_tests_name("txn_admin", tests, NULL, NULL);
}
