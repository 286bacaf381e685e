/* Transactions and the end of the process: wherever it comes, what was
 * answered holds, and what was asked again is done once. */
#include "config.h"

#include "txn_kit.h"

#include "api/api_priv.h"
#include "api/txn.h"

/* ---- a story that is cut at every point ---- */

struct step {
    enum { INIT, ADD, PRODUCE, OFFSETS, OFFSET, END } kind;
    int32_t partition;           /* END: commit */
    const char *value;
};

static const struct step story[] = {
    {INIT, 0, NULL},
    {ADD, 0, NULL},
    {PRODUCE, 0, "a"},
    {OFFSETS, 0, NULL},
    {OFFSET, 0, NULL},
    {ADD, 1, NULL},
    {PRODUCE, 1, "b"},
    {PRODUCE, 1, "c"},
    {END, true, NULL},
    {ADD, 0, NULL},
    {PRODUCE, 0, "no"},
    {END, false, NULL},
    {ADD, 0, NULL},
    {PRODUCE, 0, "d"},
    {END, true, NULL},
};

static void
end_part(struct tx *t, const char *topic, int32_t partition)
{
    assert_error(tx_commit_offset(t, "g", topic, partition, 5), KERR_NONE);
}

/* Repeated until it is answered. */
static void
step_do(struct tx *t, const struct step *s)
{
    switch (s->kind) {
    case INIT:
        assert_error(tx_init(t, 4), KERR_NONE);
        break;
    case ADD:
        if (t->version == 1)
            assert_error(tx_add(t, "t", s->partition), KERR_NONE);
        break;
    case PRODUCE:
        assert_error(tx_produce(t, "t", s->partition, s->value), KERR_NONE);
        break;
    case OFFSETS:
        if (t->version == 1)
            assert_error(tx_add_offsets(t, "g"), KERR_NONE);
        break;
    case OFFSET:
        end_part(t, "t", 0);
        break;
    case END:
        assert_error(tx_end(t, s->partition), KERR_NONE);
        break;
    }
}

/* The same request, of which the client does not learn what became. */
static void
step_send(struct tx *t, const struct step *s, struct client *c)
{
    struct tx copy = *t;

    if (s->kind == PRODUCE)
        client_send(c, API_PRODUCE, tx_produce_version(t),
            tx_produce_request(&copy, "t", s->partition, s->value));
    else if (s->kind == END)
        client_send(c, API_END_TXN, t->version == 2 ? 5 : 4,
            tx_end_request(&copy, s->partition));
    else if (s->kind == ADD && t->version == 1)
        client_send(c, API_ADD_PARTITIONS_TO_TXN, 3,
            tx_add_request(&copy, "t", s->partition, 1));
}

enum mode { UNPUBLISHED, ANSWER_LOST, ANSWERED, MODES };

static void
step_and_crash(struct kit *k, struct tx *t, const struct step *s,
    enum mode mode)
{
    if (mode == ANSWERED) {
        step_do(t, s);
        kit_crash(k);
        return;
    }
    step_send(t, s, kit_connect(k));
    for (int i = 0; i < 5; i++)
        kit_turn(k, mode == ANSWER_LOST);
    kit_crash(k);
    step_do(t, s);
}

static void
check_no_rest(struct kit *k)
{
    txns_check_all(&k->api->txns);
    assert_int_equal(k->api->txns.open_count, 0);
    assert_int_equal(k->api->txns.pending.count, 0);
    for (int32_t i = 0; i < 2; i++) {
        stable_check(tx_partition(k, "t", i)->stable);
        assert_int_equal(stable_open_count(tx_partition(k, "t", i)->stable),
            0);
        assert_int_equal(tx_read(k, "t", i, true).lso,
            tx_read(k, "t", i, true).hw);
    }
}

static void
run(struct kit *k, int version, size_t at, enum mode mode, bool checkpoints)
{
    struct tx t = {.k = k, .id = "x", .version = version, .pid = -1,
        .epoch = -1};
    int error;

    kit_anew(k);
    kit_topic(k, "t", 2);
    for (size_t i = 0; i < countof(story); i++) {
        if (i == at)
            step_and_crash(k, &t, &story[i], mode);
        else
            step_do(&t, &story[i]);
        if (checkpoints)
            seq_keep(k->seq, true);
    }
    assert_committed(k, "t", 0, "a d ");
    assert_committed(k, "t", 1, "b c ");
    assert_span(tx_read(k, "t", 0, false).text, "a no d ");
    assert_int_equal(tx_offset(k, "g", "t", 0, true, &error), 5);
    assert_error(error, KERR_NONE);
    check_no_rest(k);
    kit_forget(k);
}

static void
test_cut_everywhere(void **state)
{
    for (int version = 1; version <= 2; version++)
        for (size_t at = 0; at < countof(story); at++)
            for (enum mode mode = 0; mode < MODES; mode++)
                run(*state, version, at, mode, at % 2 == 0);
}

/* Nobody comes back: what was open at the end is aborted in time. */
static void
test_left_open_everywhere(void **state)
{
    struct kit *k = *state;

    for (size_t at = 1; at < 8; at++) {
        struct tx t = {.k = k, .id = "x", .version = 1 + at % 2, .pid = -1,
            .epoch = -1};
        int error;

        kit_anew(k);
        kit_topic(k, "t", 2);
        for (size_t i = 0; i < at; i++)
            step_do(&t, &story[i]);
        kit_crash(k);
        kit_pass(k, TX_TIMEOUT - 2000);
        if (at > 2) {
            assert_int_equal(k->api->txns.open_count, 1);
            assert_int_equal(tx_read(k, "t", 0, true).lso, 0);
        }
        kit_pass(k, 4000);
        check_no_rest(k);
        assert_committed(k, "t", 0, "");
        assert_committed(k, "t", 1, "");
        assert_int_equal(tx_offset(k, "g", "t", 0, true, &error), -1);
        assert_error(error, KERR_NONE);
        kit_forget(k);
    }
}

/* ---- what a restart must know ---- */

static void
test_fencing_survives(void **state)
{
    struct kit *k = *state;
    struct tx old, t, other;

    kit_topic(k, "t", 1);
    old = tx_begin(k, "x", 2);
    t = tx_begin(k, "x", 2);
    kit_restart(k);
    assert_error(tx_produce(&old, "t", 0, "no"),
        KERR_INVALID_PRODUCER_EPOCH);
    assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
    old = t;
    kit_crash(k);
    assert_error(tx_end(&t, true), KERR_NONE);
    kit_crash(k);
    /* By the partition's own knowledge and by the coordinator's. */
    assert_error(tx_produce(&old, "t", 0, "no"),
        KERR_INVALID_PRODUCER_EPOCH);
    assert_error(tx_end(&old, true), KERR_NONE); /* again */
    other = tx_begin(k, "y", 2);
    assert_true(other.pid > t.pid);
    assert_committed(k, "t", 0, "a ");
}

static void
test_another_producer_id_when_epochs_end(void **state)
{
    struct kit *k = *state;
    struct tx t, old;

    kit_topic(k, "t", 1);
    t = tx_begin(k, "x", 2);
    for (int i = 0; i < 3; i++) {
        k->api->txns.epoch_last = t.epoch;
        old = t;
        assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
        assert_error(tx_end(&t, i != 1), KERR_NONE);
        assert_int_not_equal(t.pid, old.pid);
        assert_int_equal(t.epoch, 0);
        assert_error(tx_produce(&old, "t", 0, "no"),
            KERR_INVALID_PRODUCER_EPOCH);
        kit_crash(k);
        k->api->txns.epoch_last = old.epoch;
        assert_error(tx_end(&old, i != 1), KERR_NONE);   /* again */
        assert_int_equal(old.pid, t.pid);
    }
    assert_committed(k, "t", 0, "a a ");
}

/* A checkpoint that was cut short leaves records that are ahead of the
 * journal: a replay over them must end where it began. */
static void
replay_from(struct kit *k, struct partition *p, int64_t offset)
{
    struct tail_slice s[64];
    bool cold;
    size_t n = tail_read(p->tail, offset, INT64_MAX, 1 << 20, s, countof(s),
        &cold);

    assert_true(n > 0 && !cold);
    for (size_t i = 0; i < n; i++) {
        topics_replayed(api_topics(k->api), p->tail, s[i].bytes);
        chunk_unref(s[i].chunk);
    }
    stable_check(p->stable);
}

static void
test_a_replay_over_newer_records(void **state)
{
    struct kit *k = *state;
    struct partition *p;
    struct producer was;
    struct tx t, u;

    kit_topic(k, "t", 1);
    p = tx_partition(k, "t", 0);
    for (int version = 1; version <= 2; version++) {
        t = tx_begin(k, version == 1 ? "x" : "y", version);
        u = tx_begin(k, version == 1 ? "v" : "w", version);
        for (int i = 0; i < 4; i++) {
            size_t aborted, open;
            int64_t lso;

            if (version == 1) {
                assert_error(tx_add(&t, "t", 0), KERR_NONE);
                assert_error(tx_add(&u, "t", 0), KERR_NONE);
            }
            assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
            assert_error(tx_produce(&u, "t", 0, "b"), KERR_NONE);
            if (i < 3)
                assert_error(tx_end(&t, i == 1), KERR_NONE);
            assert_error(tx_end(&u, i == 0), KERR_NONE);
            aborted = stable_aborted_count(p->stable);
            open = stable_open_count(p->stable);
            lso = partition_stable_linked(p);
            was = *producers_get(&p->producers, t.pid);
            replay_from(k, p, 0);
            replay_from(k, p, p->tail->end / 2);
            assert_int_equal(stable_aborted_count(p->stable), aborted);
            assert_int_equal(api_topics(k->api)->aborted, aborted);
            assert_int_equal(stable_open_count(p->stable), open);
            assert_int_equal(partition_stable_linked(p), lso);
            assert_int_equal(producers_get(&p->producers, t.pid)->epoch,
                was.epoch);
            assert_int_equal(producers_get(&p->producers, t.pid)->txn_first,
                was.txn_first);
            assert_int_equal(producers_get(&p->producers, t.pid)->count,
                was.count);
        }
        assert_error(tx_end(&t, true), KERR_NONE);
    }
    assert_committed(k, "t", 0, "b a a b a a ");
}

/* ---- producers are forgotten, but never one that is in a transaction ---- */

static int64_t
idempotent(struct kit *k, int32_t partition)
{
    struct produce_request *q = KIT_NEW(k, produce_request);
    const struct produce_response *p;
    int64_t id = api_new_producer_id(k->api);

    q->acks = -1;
    KIT_LIST(k, q->topic_data, produce_request_topic, 1);
    q->topic_data.v[0].name = S("t");
    KIT_LIST(k, q->topic_data.v[0].partition_data,
        produce_request_partition, 1);
    q->topic_data.v[0].partition_data.v[0].index = partition;
    q->topic_data.v[0].partition_data.v[0].records = tx_batch(k, id, 0, 0, 0,
        "i");
    p = kit_call(k, API_PRODUCE, 11, q);
    assert_error(p->responses.v[0].partition_responses.v[0].error_code,
        KERR_NONE);
    return id;
}

static void
test_producers_are_forgotten(void **state)
{
    struct kit *k = *state;
    struct topics *ts;
    struct tx t;
    int64_t last = -1;

    kit_topic(k, "t", 2);
    t = tx_begin(k, "x", 2);
    assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
    ts = api_topics(k->api);
    ts->producers_max = 3;
    for (int i = 0; i < 10; i++)
        last = idempotent(k, i % 2);
    assert_int_equal(ts->producers, 3);
    assert_non_null(producers_get(&tx_partition(k, "t", 0)->producers,
        t.pid));
    assert_non_null(producers_get(&tx_partition(k, "t", 1)->producers,
        last));
    seq_keep(k->seq, true);
    kit_restart(k);
    ts = api_topics(k->api);
    assert_int_equal(ts->producers, 3);
    ts->producer_idle_ms = 5000;
    kit_pass(k, 7000);
    assert_int_equal(ts->producers, 1);
    assert_error(tx_produce(&t, "t", 0, "b"), KERR_NONE);
    assert_error(tx_end(&t, true), KERR_NONE);
    kit_pass(k, 7000);
    assert_int_equal(ts->producers, 0);
    assert_true(TAILQ_EMPTY(&ts->used));
    kit_restart(k);
    assert_int_equal(api_topics(k->api)->producers, 0);
    assert_true(api_topics(k->api)->by_name.count == 1);
}

/* ---- the log changes under it ---- */

static void
test_a_topic_goes_in_the_middle(void **state)
{
    struct kit *k = *state;
    struct err err;
    struct tx t;
    int error;

    kit_topic(k, "t", 1);
    kit_topic(k, "u", 1);
    t = tx_begin(k, "x", 2);
    assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
    t.seq[0] = 0;
    assert_error(tx_produce(&t, "u", 0, "b"), KERR_NONE);
    assert_error(tx_commit_offset(&t, "g", "u", 0, 5), KERR_NONE);
    assert_error(tx_commit_offset(&t, "g", "t", 0, 6), KERR_NONE);
    topics_delete(api_topics(k->api),
        topics_find(api_topics(k->api), S("u")), &err);
    kit_topic(k, "u", 1);
    kit_crash(k);
    assert_error(tx_end(&t, true), KERR_NONE);
    assert_committed(k, "t", 0, "a ");
    assert_int_equal(tx_read(k, "u", 0, true).hw, 0);
    assert_int_equal(tx_offset(k, "g", "u", 0, true, &error), -1);
    assert_error(error, KERR_NONE);
    assert_int_equal(tx_offset(k, "g", "t", 0, true, &error), 6);
}

static void
test_the_log_starts_behind_it(void **state)
{
    struct kit *k = *state;
    struct tx t;

    kit_topic(k, "t", 1);
    t = tx_begin(k, "x", 2);
    assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
    assert_error(tx_produce(&t, "t", 0, "b"), KERR_NONE);
    partition_trim(api_topics(k->api), tx_partition(k, "t", 0), 2);
    kit_turn(k, true);
    assert_int_equal(tx_read(k, "t", 0, true).lso, 2);
    assert_int_equal(tx_read(k, "t", 0, true).start, 2);
    kit_restart(k);
    assert_int_equal(tx_read(k, "t", 0, true).lso, 2);
    assert_error(tx_produce(&t, "t", 0, "c"), KERR_NONE);
    assert_committed(k, "t", 0, "");
    assert_error(tx_end(&t, false), KERR_NONE);
    assert_committed(k, "t", 0, "");
    assert_int_equal(tx_read(k, "t", 0, true).lso, 4);
    assert_int_equal(api_topics(k->api)->aborted, 1);
    partition_trim(api_topics(k->api), tx_partition(k, "t", 0), 4);
    kit_pass(k, 3000);
    assert_int_equal(api_topics(k->api)->aborted, 0);
    seq_keep(k->seq, true);
    kit_restart(k);
    assert_int_equal(api_topics(k->api)->aborted, 0);
}

/* ---- no space left ---- */

static void
test_a_full_disk(void **state)
{
    struct kit *k = *state;
    struct tx t, refused;

    kit_topic(k, "t", 1);
    t = tx_begin(k, "x", 1);
    assert_error(tx_add(&t, "t", 0), KERR_NONE);
    assert_error(tx_produce(&t, "t", 0, "a"), KERR_NONE);
    k->disk_floor = UINT64_MAX / 4;
    kit_restart(k);
    kit_turn(k, true);
    if (!seq_readonly(k->seq, NULL))
        seq_idle(k->seq);
    assert_true(seq_readonly(k->seq, NULL));
    refused = t;
    assert_error(tx_init(&refused, 4), KERR_COORDINATOR_NOT_AVAILABLE);
    assert_error(tx_add(&t, "t", 0), KERR_COORDINATOR_NOT_AVAILABLE);
    assert_error(tx_add_offsets(&t, "g"), KERR_COORDINATOR_NOT_AVAILABLE);
    assert_error(tx_commit_offset(&t, "g", "t", 0, 1),
        KERR_COORDINATOR_NOT_AVAILABLE);
    assert_error(tx_produce(&t, "t", 0, "b"), KERR_KAFKA_STORAGE_ERROR);
    assert_error(tx_end(&t, true), KERR_COORDINATOR_NOT_AVAILABLE);
    kit_pass(k, TX_TIMEOUT + 2000);
    assert_int_equal(k->api->txns.open_count, 1);
    k->disk_floor = 1;
    kit_restart(k);
    assert_error(tx_produce(&t, "t", 0, "b"), KERR_NONE);
    assert_error(tx_end(&t, true), KERR_NONE);
    assert_committed(k, "t", 0, "a b ");
}

int
main(void)
{
#define T(name)                                                                \
    cmocka_unit_test_setup_teardown(test_##name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(cut_everywhere),
        T(left_open_everywhere),
        T(fencing_survives),
        T(another_producer_id_when_epochs_end),
        T(a_replay_over_newer_records),
        T(producers_are_forgotten),
        T(a_topic_goes_in_the_middle),
        T(the_log_starts_behind_it),
        T(a_full_disk),
    };

    return cmocka_run_group_tests_name("txn_crash", tests, NULL, NULL);
}
