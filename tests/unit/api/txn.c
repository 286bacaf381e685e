/* Transactions over the wire: both versions, from InitProducerId to what
 * readers see. */
#include "config.h"

#include "txn_kit.h"

#include "api/api_priv.h"

/* ---- flows ---- */

static void
test_version_one(void **state)
{
    struct kit *k = *state;
    struct tx t;

    kit_topic(k, "t", 2);
    t = tx_begin(k, "x", 1);
    assert_error(tx_produce(&t, "t", 0, "no"), KERR_TRANSACTION_ABORTABLE);
    assert_error(tx_add(&t, "t", 0), KERR_NONE);
    assert_error(tx_produce(&t, "t", 1, "no"), KERR_TRANSACTION_ABORTABLE);
    assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
    assert_error(tx_produce(&t, "t", 0, "b"), KERR_NONE);
    assert_committed(k, "t", 0, "");
    assert_span(tx_read(k, "t", 0, false).text, "a b ");
    assert_int_equal(tx_read(k, "t", 0, false).aborted, -1);
    assert_error(tx_end(&t, true), KERR_NONE);
    assert_committed(k, "t", 0, "a b ");
    assert_int_equal(tx_read(k, "t", 0, true).lso, 3);
    assert_int_equal(tx_read(k, "t", 1, true).hw, 0);    /* no marker */
    /* It goes on with its epoch and its sequences. */
    assert_error(tx_produce(&t, "t", 0, "no"), KERR_TRANSACTION_ABORTABLE);
    assert_error(tx_add(&t, "t", 0), KERR_NONE);
    assert_error(tx_produce(&t, "t", 0, "c"), KERR_NONE);
    assert_error(tx_end(&t, false), KERR_NONE);
    assert_error(tx_end(&t, false), KERR_NONE);          /* again */
    assert_error(tx_end(&t, true), KERR_INVALID_TXN_STATE);
    assert_committed(k, "t", 0, "a b ");
    assert_span(tx_read(k, "t", 0, false).text, "a b c ");
    assert_int_equal(tx_read(k, "t", 0, true).aborted, 1);
    assert_int_equal(tx_read(k, "t", 0, true).lso, 5);
}

static void
test_version_two(void **state)
{
    struct kit *k = *state;
    struct tx t, old;

    kit_topic(k, "t", 2);
    t = tx_begin(k, "x", 2);
    assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
    assert_error(tx_produce(&t, "t", 0, "b"), KERR_NONE);
    old = t;
    assert_error(tx_end(&t, true), KERR_NONE);
    assert_int_equal(t.epoch, old.epoch + 1);
    assert_committed(k, "t", 0, "a b ");
    /* What was on its way is of no effect: neither here nor elsewhere. */
    assert_error(tx_produce(&old, "t", 0, "no"),
        KERR_INVALID_PRODUCER_EPOCH);
    assert_error(tx_produce(&old, "t", 1, "no"),
        KERR_INVALID_PRODUCER_EPOCH);
    assert_error(tx_produce(&t, "t", 1, "c"), KERR_NONE);
    assert_error(tx_end(&old, true), KERR_PRODUCER_FENCED);
    assert_committed(k, "t", 1, "");
    assert_error(tx_end(&t, false), KERR_NONE);
    assert_committed(k, "t", 1, "");
    assert_span(tx_read(k, "t", 1, false).text, "c ");
    /* An end that comes again. */
    old = t;
    assert_error(tx_produce(&t, "t", 1, "d"), KERR_NONE);
    assert_error(tx_end(&t, true), KERR_NONE);
    assert_error(tx_end(&old, true), KERR_NONE);
    assert_int_equal(old.epoch, t.epoch);
    assert_committed(k, "t", 1, "d ");
    assert_error(tx_end(&t, true), KERR_INVALID_TXN_STATE);
    assert_error(tx_end(&t, false), KERR_NONE);
}

/* Of version 2 a transaction begins with sequence 0: what begins later has
 * lost its first. */
static void
test_version_two_begins_with_sequence_zero(void **state)
{
    struct kit *k = *state;
    struct tx t;

    kit_topic(k, "t", 1);
    t = tx_begin(k, "x", 2);
    t.seq[0] = 1;
    assert_error(tx_produce(&t, "t", 0, "no"),
        KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    t.seq[0] = 0;
    assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
    assert_error(tx_produce(&t, "t", 0, "b"), KERR_NONE);
    assert_error(tx_end(&t, true), KERR_NONE);
    assert_committed(k, "t", 0, "a b ");
}

static void
test_a_new_producer_aborts(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "t", 1);
    for (int version = 1; version <= 2; version++) {
        struct tx old = tx_begin(k, "x", version), new;

        assert_error(tx_add(&old, "t", 0), KERR_NONE);
        assert_error(tx_produce(&old, "t", 0, "no"), KERR_NONE);
        new = tx_begin(k, "x", version);
        assert_int_equal(new.pid, old.pid);
        assert_int_equal(new.epoch, old.epoch + 1);
        assert_error(tx_produce(&old, "t", 0, "no"),
            KERR_INVALID_PRODUCER_EPOCH);
        assert_error(tx_end(&old, true), KERR_PRODUCER_FENCED);
        assert_error(tx_add(&old, "t", 0), KERR_PRODUCER_FENCED);
        assert_error(tx_add_offsets(&old, "g"), KERR_PRODUCER_FENCED);
        assert_error(tx_commit_offset(&old, "g", "t", 0, 1),
            KERR_INVALID_PRODUCER_EPOCH);
        assert_committed(k, "t", 0, "");
        assert_int_equal(tx_read(k, "t", 0, true).lso,
            tx_read(k, "t", 0, true).hw);
    }
}

static void
test_old_versions_know_no_fencing(void **state)
{
    struct kit *k = *state;
    struct tx old = tx_begin(k, "x", 1);
    const struct add_partitions_to_txn_response *add;
    const struct end_txn_response *end;

    tx_begin(k, "x", 1);
    assert_error(tx_init(&old, 4), KERR_PRODUCER_FENCED);
    assert_error(tx_init(&old, 3), KERR_INVALID_PRODUCER_EPOCH);
    kit_topic(k, "t", 1);
    add = kit_call(k, API_ADD_PARTITIONS_TO_TXN, 1,
        tx_add_request(&old, "t", 0, 1));
    assert_error(add->results_by_topic_v3_and_below.v[0]
        .results_by_partition.v[0].partition_error_code,
        KERR_INVALID_PRODUCER_EPOCH);
    end = kit_call(k, API_END_TXN, 1, tx_end_request(&old, true));
    assert_error(end->error_code, KERR_INVALID_PRODUCER_EPOCH);
    end = kit_call(k, API_END_TXN, 2, tx_end_request(&old, true));
    assert_error(end->error_code, KERR_PRODUCER_FENCED);
}

/* Some partitions are not there: none is taken. */
static void
test_add_partitions_is_all_or_nothing(void **state)
{
    struct kit *k = *state;
    struct tx t = tx_begin(k, "x", 1);
    const struct add_partitions_to_txn_response *p;

    kit_topic(k, "t", 2);
    p = kit_call(k, API_ADD_PARTITIONS_TO_TXN, 3,
        tx_add_request(&t, "t", 1, 2));
    assert_error(p->results_by_topic_v3_and_below.v[0]
        .results_by_partition.v[0].partition_error_code,
        KERR_OPERATION_NOT_ATTEMPTED);
    assert_error(p->results_by_topic_v3_and_below.v[0]
        .results_by_partition.v[1].partition_error_code,
        KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_error(tx_produce(&t, "t", 1, "no"), KERR_TRANSACTION_ABORTABLE);
}

/* ---- publish ---- */

static void
turns(struct kit *k, int n)
{
    while (n-- > 0)
        kit_turn(k, false);
}

static struct reading
read_now(struct kit *k, bool committed)
{
    return tx_read_from(k, "t", 0, 0, committed, false);
}

static void
test_readers_see_it_at_its_publish(void **state)
{
    struct kit *k = *state;
    struct client *c = kit_connect(k);
    struct tx t;

    kit_topic(k, "t", 1);
    t = tx_begin(k, "x", 2);
    client_send(c, API_PRODUCE, 12, tx_produce_request(&t, "t", 0, "a"));
    turns(k, 5);
    assert_int_equal(read_now(k, false).hw, 0);
    assert_int_equal(read_now(k, true).lso, 0);
    assert_non_null(client_wait(c));
    assert_int_equal(read_now(k, true).hw, 1);
    assert_int_equal(read_now(k, true).lso, 0);
    assert_span(read_now(k, true).text, "");
    assert_span(read_now(k, false).text, "a ");
    client_send(c, API_END_TXN, 5, tx_end_request(&t, true));
    turns(k, 5);
    assert_null(client_poll(c));
    assert_int_equal(partition_stable_linked(tx_partition(k, "t", 0)), 2);
    assert_int_equal(read_now(k, true).lso, 0);
    assert_span(read_now(k, true).text, "");
    assert_non_null(client_wait(c));
    assert_int_equal(read_now(k, true).lso, 2);
    assert_span(read_now(k, true).text, "a ");
}

/* A fetch of committed records waits for the marker, not for records. */
static void
test_a_waiting_fetch_wakes_at_the_end(void **state)
{
    struct kit *k = *state;
    struct client *c = kit_connect(k);
    struct fetch_request *q;
    const struct fetch_response *p;
    struct tx t;

    kit_topic(k, "t", 1);
    t = tx_begin(k, "x", 2);
    assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
    q = KIT_NEW(k, fetch_request);
    q->max_bytes = 1 << 20;
    q->max_wait_ms = 30000;
    q->min_bytes = 1;
    q->isolation_level = 1;
    KIT_LIST(k, q->topics, fetch_request_topic, 1);
    q->topics.v[0].topic = S("t");
    KIT_LIST(k, q->topics.v[0].partitions, fetch_request_partition, 1);
    q->topics.v[0].partitions.v[0].partition_max_bytes = 1 << 20;
    client_send(c, API_FETCH, 11, q);
    client_expect_silence(c, true);
    assert_error(tx_produce(&t, "t", 0, "b"), KERR_NONE);
    client_expect_silence(c, true);
    assert_error(tx_end(&t, true), KERR_NONE);
    p = client_wait(c);
    assert_true(p->responses.v[0].partitions.v[0].records.len > 0);
}

static void
test_an_end_is_one_epoch(void **state)
{
    enum { MANY = 50 };
    struct kit *k = *state;
    struct client *c = kit_connect(k);
    uint64_t epochs, open;
    struct tx t;
    int error;

    kit_topic(k, "t", MANY);
    t = tx_begin(k, "x", 2);
    for (int32_t i = 0; i < MANY; i++)
        assert_error(tx_produce(&t, "t", i, "a"), KERR_NONE);
    for (int32_t i = 0; i < MANY; i++)
        assert_error(tx_commit_offset(&t, "g", "t", i, 7), KERR_NONE);
    kit_turn(k, true);
    epochs = atomic_load(&seq_counters(k->seq)->epochs);
    client_send(c, API_END_TXN, 5, tx_end_request(&t, true));
    turns(k, 3);
    open = seq_open_epoch(k->seq);
    assert_true(seq_gate(k->seq) == open);
    for (int32_t i = 0; i < MANY; i++) {
        assert_int_equal(tx_partition(k, "t", i)->tail->end, 2);
        assert_int_equal(tx_partition(k, "t", i)->tail->hw, 1);
    }
    while (seq_published(k->seq) < open)
        seq_turn(k->seq);
    assert_int_equal(atomic_load(&seq_counters(k->seq)->epochs), epochs + 1);
    for (int32_t i = 0; i < MANY; i++)
        assert_int_equal(partition_stable(tx_partition(k, "t", i)), 2);
    assert_non_null(client_wait(c));
    for (int32_t i = 0; i < MANY; i++) {
        assert_committed(k, "t", i, "a ");
        assert_int_equal(tx_offset(k, "g", "t", i, true, &error), 7);
    }
}

/* ---- offsets ---- */

static void
test_offsets_are_committed_with_it(void **state)
{
    struct kit *k = *state;
    int error;

    kit_topic(k, "t", 1);
    for (int version = 1; version <= 2; version++) {
        struct tx t = tx_begin(k, "x", version);
        const char *group = version == 1 ? "g1" : "g2";

        if (version == 1)
            assert_error(tx_commit_offset(&t, group, "t", 0, 1),
                KERR_INVALID_TXN_STATE);
        if (version == 1)
            assert_error(tx_add_offsets(&t, group), KERR_NONE);
        assert_error(tx_commit_offset(&t, group, "t", 0, 5), KERR_NONE);
        assert_int_equal(tx_offset(k, group, "t", 0, false, &error), -1);
        assert_error(error, KERR_NONE);
        tx_offset(k, group, "t", 0, true, &error);
        assert_error(error, KERR_UNSTABLE_OFFSET_COMMIT);
        assert_error(tx_commit_offset(&t, group, "t", 9, 5),
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_error(tx_end(&t, true), KERR_NONE);
        assert_int_equal(tx_offset(k, group, "t", 0, true, &error), 5);
        assert_error(error, KERR_NONE);
        if (version == 1)
            assert_error(tx_add_offsets(&t, group), KERR_NONE);
        assert_error(tx_commit_offset(&t, group, "t", 0, 8), KERR_NONE);
        tx_offset(k, group, "t", 0, true, &error);
        assert_error(error, KERR_UNSTABLE_OFFSET_COMMIT);
        assert_error(tx_end(&t, false), KERR_NONE);
        assert_int_equal(tx_offset(k, group, "t", 0, true, &error), 5);
        assert_error(error, KERR_NONE);
    }
}

static void
test_a_timeout_frees_what_is_held(void **state)
{
    struct kit *k = *state;
    struct tx t;
    int error;

    kit_topic(k, "t", 1);
    t = tx_begin(k, "x", 2);
    assert_error(tx_produce(&t, "t", 0, "no"), KERR_NONE);
    assert_error(tx_commit_offset(&t, "g", "t", 0, 5), KERR_NONE);
    kit_pass(k, TX_TIMEOUT - 2000);
    tx_offset(k, "g", "t", 0, true, &error);
    assert_error(error, KERR_UNSTABLE_OFFSET_COMMIT);
    assert_int_equal(tx_read(k, "t", 0, true).lso, 0);
    kit_pass(k, 3000);
    assert_int_equal(tx_offset(k, "g", "t", 0, true, &error), -1);
    assert_error(error, KERR_NONE);
    assert_int_equal(tx_read(k, "t", 0, true).lso, 2);
    assert_committed(k, "t", 0, "");
    assert_error(tx_produce(&t, "t", 0, "no"), KERR_INVALID_PRODUCER_EPOCH);
    assert_error(tx_end(&t, false), KERR_PRODUCER_FENCED);
    assert_error(tx_end(&t, true), KERR_PRODUCER_FENCED);
    assert_null(groups_get(api_groups(k->api), S("g")));
}

int
main(void)
{
#define T(name)                                                                \
    cmocka_unit_test_setup_teardown(test_##name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(version_one),
        T(version_two),
        T(version_two_begins_with_sequence_zero),
        T(a_new_producer_aborts),
        T(old_versions_know_no_fencing),
        T(add_partitions_is_all_or_nothing),
        T(readers_see_it_at_its_publish),
        T(a_waiting_fetch_wakes_at_the_end),
        T(an_end_is_one_epoch),
        T(offsets_are_committed_with_it),
        T(a_timeout_frees_what_is_held),
    };

    return cmocka_run_group_tests_name("txn", tests, NULL, NULL);
}
