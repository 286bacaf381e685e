/* Topics made, grown, cut short and deleted, over the wire. */
#include "config.h"

#include "kit.h"

#include "record/batch.h"
#include "partition/append.h"

/* ---- requests ---- */

static struct create_topics_request *
create_request(struct kit *k, const char *name, int32_t partitions)
{
    struct create_topics_request *q = KIT_NEW(k, create_topics_request);

    KIT_LIST(k, q->topics, create_topics_request_topic, 1);
    q->topics.v[0].name = S(name);
    q->topics.v[0].num_partitions = partitions;
    q->topics.v[0].replication_factor = 1;
    return q;
}

static const struct create_topics_response_topic *
create(struct kit *k, int version, const struct create_topics_request *q)
{
    const struct create_topics_response *p = kit_call(k, API_CREATE_TOPICS,
        version, q);

    assert_int_equal(p->topics.n, q->topics.n);
    for (int i = 0; i < p->topics.n; i++)
        assert_true(span_eq(p->topics.v[i].name, q->topics.v[i].name));
    if (p->topics.v[0].error_code == KERR_NONE)
        assert_null(p->topics.v[0].error_message.ptr);
    else
        assert_true(p->topics.v[0].error_message.len > 0);
    return &p->topics.v[0];
}

static struct delete_topics_request *
delete_request(struct kit *k, const char *name)
{
    struct delete_topics_request *q = KIT_NEW(k, delete_topics_request);

    q->topic_names.v = kit_alloc(k, sizeof(struct span));
    q->topic_names.v[0] = S(name);
    q->topic_names.n = 1;
    KIT_LIST(k, q->topics, delete_topics_request_topic, 1);
    q->topics.v[0].name = S(name);
    return q;
}

static int
delete_topic(struct kit *k, int version, const char *name)
{
    const struct delete_topics_response *p = kit_call(k, API_DELETE_TOPICS,
        version, delete_request(k, name));

    assert_int_equal(p->responses.n, 1);
    assert_span(p->responses.v[0].name, name);
    if (version >= 5 && p->responses.v[0].error_code != KERR_NONE)
        assert_true(p->responses.v[0].error_message.len > 0);
    return p->responses.v[0].error_code;
}

static struct create_partitions_request *
grow_request(struct kit *k, const char *name, int32_t count)
{
    struct create_partitions_request *q
        = KIT_NEW(k, create_partitions_request);

    KIT_LIST(k, q->topics, create_partitions_request_topic, 1);
    q->topics.v[0].name = S(name);
    q->topics.v[0].count = count;
    q->topics.v[0].assignments.n = -1;
    return q;
}

static int
grow(struct kit *k, int version, const struct create_partitions_request *q)
{
    const struct create_partitions_response *p
        = kit_call(k, API_CREATE_PARTITIONS, version, q);

    assert_int_equal(p->results.n, q->topics.n);
    assert_true(span_eq(p->results.v[0].name, q->topics.v[0].name));
    if (p->results.v[0].error_code == KERR_NONE)
        assert_null(p->results.v[0].error_message.ptr);
    else
        assert_true(p->results.v[0].error_message.len > 0);
    return p->results.v[0].error_code;
}

static const struct delete_records_response_partition *
trim(struct kit *k, int version, const char *topic, int32_t partition,
    int64_t offset)
{
    struct delete_records_request *q = KIT_NEW(k, delete_records_request);
    const struct delete_records_response *p;

    KIT_LIST(k, q->topics, delete_records_request_topic, 1);
    q->topics.v[0].name = S(topic);
    KIT_LIST(k, q->topics.v[0].partitions, delete_records_request_partition,
        1);
    q->topics.v[0].partitions.v[0].partition_index = partition;
    q->topics.v[0].partitions.v[0].offset = offset;
    p = kit_call(k, API_DELETE_RECORDS, version, q);
    assert_int_equal(p->topics.n, 1);
    assert_span(p->topics.v[0].name, topic);
    assert_int_equal(p->topics.v[0].partitions.v[0].partition_index,
        partition);
    return &p->topics.v[0].partitions.v[0];
}

static struct topic *
topic_of(struct kit *k, const char *name)
{
    return topics_find(api_topics(k->api), S(name));
}

static size_t
topics_count(struct kit *k)
{
    return api_topics(k->api)->by_name.count;
}

static int32_t
partitions_of(struct kit *k, const char *name)
{
    return topic_of(k, name) == NULL ? -1 : topic_of(k, name)->partition_count;
}

static void
append(struct kit *k, const char *topic, int records)
{
    struct partition *p = topic_partition(topic_of(k, topic), 0);
    struct batch_builder bb;
    struct buf b;
    struct chunk *c;
    struct append *a;
    int64_t base;

    buf_init(&b, 1 * MIB);
    batch_builder_init(&bb, &b);
    for (int i = 0; i < records; i++)
        batch_builder_add(&bb, 1000 + i, SPAN_NULL, S("value"), NULL, 0);
    assert_int_equal(batch_builder_end(&bb, &BATCH_BUILD_PLAIN, NULL), 0);
    c = chunk_new(b.len);
    memcpy(c->data, b.ptr, b.len);
    a = append_new(api_topics(k->api), c,
        &(struct append_size){.batches = 1});
    append_add(a, p, c->data, b.len);
    assert_true(seq_reserve(k->seq, append_cost(a)));
    append_commit(a, append_cost(a), &base, NULL, NULL);
    chunk_unref(c);
    buf_release(&b);
    kit_turn(k, true);
}

/* ---- CreateTopics ---- */

static void
test_create_every_version(void **state)
{
    struct kit *k = *state;

    for (int v = 2; v <= 7; v++) {
        struct create_topics_request *q = create_request(k, "", v);
        const struct create_topics_response_topic *p;

        q->topics.v[0].name = kit_text(k, "t%d", v);
        KIT_LIST(k, q->topics.v[0].configs, create_topics_request_config, 2);
        q->topics.v[0].configs.v[0].name = S("retention.ms");
        q->topics.v[0].configs.v[0].value = S("1000");
        q->topics.v[0].configs.v[1].name = S("retention.ms");
        q->topics.v[0].configs.v[1].value = S("2000");
        q->validate_only = true;
        p = create(k, v, q);
        assert_error(p->error_code, KERR_NONE);
        assert_true(uuid_is_zero(&p->topic_id));
        assert_int_equal(topics_count(k), v - 2);
        q->validate_only = false;
        p = create(k, v, q);
        assert_error(p->error_code, KERR_NONE);
        assert_int_equal(topics_count(k), v - 1);
        if (v >= 5) {
            assert_int_equal(p->num_partitions, v);
            assert_int_equal(p->replication_factor, 1);
            assert_true(p->configs.n > 30);
            for (int i = 0; i < p->configs.n; i++)
                if (span_eq(p->configs.v[i].name, S("retention.ms"))) {
                    assert_span(p->configs.v[i].value, "2000");
                    assert_int_equal(p->configs.v[i].config_source, 1);
                } else {
                    assert_int_equal(p->configs.v[i].config_source, 5);
                }
        }
        assert_int_equal(uuid_is_zero(&p->topic_id), v < 7);
        p = create(k, v, q);
        assert_error(p->error_code, KERR_TOPIC_ALREADY_EXISTS);
        if (v >= 5) {
            assert_int_equal(p->num_partitions, -1);
            assert_int_equal(p->configs.n, -1);
        }
    }
    kit_crash(k);
    assert_int_equal(topics_count(k), 6);
    for (int v = 2; v <= 7; v++) {
        struct topic *t = topics_find(api_topics(k->api),
            kit_text(k, "t%d", v));

        assert_int_equal(t->partition_count, v);
        assert_int_equal(topic_config_int(&t->config, "retention.ms"), 2000);
    }
}

static int
create_named(struct kit *k, const char *name, int32_t partitions, int rf)
{
    struct create_topics_request *q = create_request(k, name, partitions);

    q->topics.v[0].replication_factor = (int16_t)rf;
    return create(k, 7, q)->error_code;
}

static void
test_create_sizes(void **state)
{
    struct kit *k = *state;

    k->opts.partitions = 3;
    kit_restart(k);
    assert_error(create_named(k, "default", -1, -1), KERR_NONE);
    assert_int_equal(partitions_of(k, "default"), 3);
    assert_error(create_named(k, "three", 2, 3), KERR_NONE);
    assert_error(create_named(k, "zero", 0, 1), KERR_INVALID_PARTITIONS);
    assert_error(create_named(k, "minus", -2, 1), KERR_INVALID_PARTITIONS);
    assert_error(create_named(k, "least", INT32_MIN, 1),
        KERR_INVALID_PARTITIONS);
    assert_error(create_named(k, "many", 5000, 1), KERR_POLICY_VIOLATION);
    assert_error(create_named(k, "most", INT32_MAX, 1),
        KERR_POLICY_VIOLATION);
    assert_error(create_named(k, "rf0", 1, 0),
        KERR_INVALID_REPLICATION_FACTOR);
    assert_error(create_named(k, "rf-2", 1, -2),
        KERR_INVALID_REPLICATION_FACTOR);
    assert_error(create_named(k, "", 1, 1), KERR_INVALID_TOPIC_EXCEPTION);
    assert_error(create_named(k, "..", 1, 1), KERR_INVALID_TOPIC_EXCEPTION);
    assert_error(create_named(k, "a/b", 1, 1), KERR_INVALID_TOPIC_EXCEPTION);
    assert_error(create_named(k, "a.b", 1, 1), KERR_NONE);
    assert_error(create_named(k, "a_b", 1, 1), KERR_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(topics_count(k), 3);
}

static int
create_config(struct kit *k, const char *name, const char *value)
{
    struct create_topics_request *q = create_request(k, "t", 1);

    KIT_LIST(k, q->topics.v[0].configs, create_topics_request_config, 1);
    q->topics.v[0].configs.v[0].name = S(name);
    q->topics.v[0].configs.v[0].value = S(value);
    q->validate_only = true;
    return create(k, 7, q)->error_code;
}

static void
test_create_configs(void **state)
{
    struct kit *k = *state;

    assert_error(create_config(k, "cleanup.policy", "compact"), KERR_NONE);
    assert_error(create_config(k, "cleanup.policy", "shred"),
        KERR_INVALID_CONFIG);
    assert_error(create_config(k, "retention.ms", "-2"), KERR_INVALID_CONFIG);
    assert_error(create_config(k, "retention.ms", "soon"),
        KERR_INVALID_CONFIG);
    assert_error(create_config(k, "retention.ms", ""), KERR_INVALID_CONFIG);
    assert_error(create_config(k, "no.such.config", "1"),
        KERR_INVALID_CONFIG);
    assert_error(create_config(k, "", ""), KERR_INVALID_CONFIG);
    assert_error(create_config(k, "retention.ms", NULL), KERR_INVALID_CONFIG);
}

static int
create_assigned(struct kit *k, int32_t partitions, int n,
    const int32_t *indexes, const int32_t *brokers, int rf)
{
    struct create_topics_request *q = create_request(k, "t", partitions);
    struct create_topics_request_topic *t = &q->topics.v[0];

    t->replication_factor = (int16_t)rf;
    KIT_LIST(k, t->assignments, create_topics_request_assignment,
        (size_t)n);
    for (int i = 0; i < n; i++) {
        t->assignments.v[i].partition_index = indexes[i];
        t->assignments.v[i].broker_ids.v = kit_alloc(k, sizeof(int32_t));
        t->assignments.v[i].broker_ids.v[0] = brokers[i];
        t->assignments.v[i].broker_ids.n = brokers[i] < 0 ? 0 : 1;
    }
    q->validate_only = true;
    return create(k, 7, q)->error_code;
}

static void
test_create_assignments(void **state)
{
    struct kit *k = *state;
    static const int32_t up[] = {0, 1, 2}, down[] = {2, 1, 0},
        gap[] = {0, 1, 3}, twice[] = {0, 1, 1}, below[] = {-1, 0, 1},
        us[] = {1, 1, 1}, them[] = {1, 2, 1}, nobody[] = {1, -1, 1};

    assert_error(create_assigned(k, -1, 3, up, us, -1), KERR_NONE);
    assert_error(create_assigned(k, -1, 3, down, us, -1), KERR_NONE);
    assert_error(create_assigned(k, 3, 3, up, us, 1), KERR_NONE);
    assert_error(create_assigned(k, 4, 3, up, us, -1), KERR_INVALID_REQUEST);
    assert_error(create_assigned(k, -1, 3, gap, us, -1),
        KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_error(create_assigned(k, -1, 3, twice, us, -1),
        KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_error(create_assigned(k, -1, 3, below, us, -1),
        KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_error(create_assigned(k, -1, 3, up, them, -1),
        KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_error(create_assigned(k, -1, 3, up, nobody, -1),
        KERR_INVALID_REPLICA_ASSIGNMENT);
}

static void
test_create_many(void **state)
{
    struct kit *k = *state;
    struct create_topics_request *q = KIT_NEW(k, create_topics_request);
    static const char *const names[] = {"a", "b", "a", "c/d", "e"};
    static const enum kerr want[] = {KERR_INVALID_REQUEST, KERR_NONE,
        KERR_INVALID_REQUEST, KERR_INVALID_TOPIC_EXCEPTION, KERR_NONE};
    const struct create_topics_response_topic *p;

    KIT_LIST(k, q->topics, create_topics_request_topic, 5);
    for (int i = 0; i < 5; i++) {
        q->topics.v[i].name = S(names[i]);
        q->topics.v[i].num_partitions = 1;
        q->topics.v[i].replication_factor = 1;
    }
    p = create(k, 7, q);
    for (int i = 0; i < 5; i++)
        assert_error(p[i].error_code, want[i]);
    assert_int_equal(topics_count(k), 2);
    KIT_LIST(k, q->topics, create_topics_request_topic, 1000);
    for (int i = 0; i < 1000; i++) {
        q->topics.v[i].name = kit_text(k, "topic-%d", i);
        q->topics.v[i].num_partitions = 2;
        q->topics.v[i].replication_factor = 1;
    }
    p = create(k, 7, q);
    for (int i = 0; i < 1000; i++)
        assert_error(p[i].error_code, KERR_NONE);
    kit_crash(k);
    assert_int_equal(topics_count(k), 1002);
    q->topics.n = 0;
    kit_call(k, API_CREATE_TOPICS, 7, q);
}

static void
test_answers_wait_for_publish(void **state)
{
    struct kit *k = *state;
    struct client *c = kit_connect(k);

    client_send(c, API_CREATE_TOPICS, 7, create_request(k, "t", 1));
    client_expect_silence(c, false);
    assert_int_equal(topics_count(k), 1);
    kit_turn(k, true);
    assert_non_null(client_wait(c));
    client_send(c, API_CREATE_PARTITIONS, 3, grow_request(k, "t", 2));
    client_expect_silence(c, false);
    kit_turn(k, true);
    assert_non_null(client_wait(c));
    client_send(c, API_DELETE_TOPICS, 5, delete_request(k, "t"));
    client_expect_silence(c, false);
    kit_turn(k, true);
    assert_non_null(client_wait(c));
}

/* ---- DeleteTopics ---- */

static void
test_delete_every_version(void **state)
{
    struct kit *k = *state;

    for (int v = 1; v <= 6; v++) {
        kit_topic(k, "t", 2);
        assert_error(delete_topic(k, v, "t"), KERR_NONE);
        assert_error(delete_topic(k, v, "t"),
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_error(delete_topic(k, v, ""),
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
    }
    kit_topic(k, "kept", 2);
    kit_crash(k);
    assert_null(topic_of(k, "t"));
    assert_int_equal(partitions_of(k, "kept"), 2);
}

static void
test_delete_by_id(void **state)
{
    struct kit *k = *state;
    struct delete_topics_request *q = delete_request(k, "t");
    struct delete_topics_request_topic *t = &q->topics.v[0];
    const struct delete_topics_response *p;
    struct uuid old;

    kit_topic(k, "t", 1);
    old = kit_topic_id(k, "t");
    t->topic_id = old;
    p = kit_call(k, API_DELETE_TOPICS, 6, q);
    assert_error(p->responses.v[0].error_code, KERR_INVALID_REQUEST);
    t->name = SPAN_NULL;
    p = kit_call(k, API_DELETE_TOPICS, 6, q);
    assert_error(p->responses.v[0].error_code, KERR_NONE);
    assert_span(p->responses.v[0].name, "t");
    assert_true(uuid_eq(&p->responses.v[0].topic_id, &old));
    kit_topic(k, "t", 1);
    p = kit_call(k, API_DELETE_TOPICS, 6, q);
    assert_error(p->responses.v[0].error_code, KERR_UNKNOWN_TOPIC_ID);
    assert_span(p->responses.v[0].name, NULL);
    assert_true(uuid_eq(&p->responses.v[0].topic_id, &old));
    memset(&t->topic_id, 0, sizeof t->topic_id);
    p = kit_call(k, API_DELETE_TOPICS, 6, q);
    assert_error(p->responses.v[0].error_code, KERR_INVALID_REQUEST);
    /* The same topic under both its names. */
    KIT_LIST(k, q->topics, delete_topics_request_topic, 2);
    q->topics.v[0].name = S("t");
    q->topics.v[1].topic_id = kit_topic_id(k, "t");
    p = kit_call(k, API_DELETE_TOPICS, 6, q);
    assert_error(p->responses.v[0].error_code, KERR_INVALID_REQUEST);
    assert_error(p->responses.v[1].error_code, KERR_INVALID_REQUEST);
    assert_non_null(topic_of(k, "t"));
}

static void
test_internal_topics(void **state)
{
    struct kit *k = *state;
    struct topic_new n = {.name = S("app-repartition"), .partitions = 1,
        .internal = true};
    struct err err;

    assert_error(topics_create(api_topics(k->api), &n, false, NULL, &err),
        KERR_NONE);
    assert_error(delete_topic(k, 6, "app-repartition"),
        KERR_INVALID_REQUEST);
    assert_error(grow(k, 3, grow_request(k, "app-repartition", 5)),
        KERR_INVALID_REQUEST);
    assert_error(trim(k, 2, "app-repartition", 0, -1)->error_code,
        KERR_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(partitions_of(k, "app-repartition"), 1);
}

/* ---- CreatePartitions ---- */

static void
test_grow(void **state)
{
    struct kit *k = *state;
    struct create_partitions_request *q;
    const struct create_partitions_response *p;

    kit_topic(k, "t", 1);
    for (int v = 0; v <= 3; v++) {
        q = grow_request(k, "t", v + 2);
        q->validate_only = true;
        assert_error(grow(k, v, q), KERR_NONE);
        assert_int_equal(partitions_of(k, "t"), v + 1);
        q->validate_only = false;
        assert_error(grow(k, v, q), KERR_NONE);
        assert_int_equal(partitions_of(k, "t"), v + 2);
        assert_error(grow(k, v, q), KERR_INVALID_PARTITIONS);
        assert_error(grow(k, v, grow_request(k, "missing", 3)),
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_error(grow(k, v, grow_request(k, "t", -1)),
            KERR_INVALID_PARTITIONS);
        assert_error(grow(k, v, grow_request(k, "t", INT32_MIN)),
            KERR_INVALID_PARTITIONS);
        assert_error(grow(k, v, grow_request(k, "t", INT32_MAX)),
            KERR_INVALID_PARTITIONS);
    }
    kit_crash(k);
    assert_int_equal(partitions_of(k, "t"), 5);
    q = grow_request(k, "t", 7);
    KIT_LIST(k, q->topics.v[0].assignments,
        create_partitions_request_assignment, 1);
    q->topics.v[0].assignments.v[0].broker_ids.v
        = kit_alloc(k, sizeof(int32_t));
    q->topics.v[0].assignments.v[0].broker_ids.n = 1;
    q->topics.v[0].assignments.v[0].broker_ids.v[0] = KIT_NODE;
    assert_error(grow(k, 3, q), KERR_INVALID_REPLICA_ASSIGNMENT);
    q->topics.v[0].count = 6;
    assert_error(grow(k, 3, q), KERR_NONE);
    q->topics.v[0].count = 7;
    q->topics.v[0].assignments.v[0].broker_ids.v[0] = 9;
    assert_error(grow(k, 3, q), KERR_INVALID_REPLICA_ASSIGNMENT);
    q->topics.v[0].assignments.v[0].broker_ids.n = 0;
    assert_error(grow(k, 3, q), KERR_INVALID_REPLICA_ASSIGNMENT);
    KIT_LIST(k, q->topics, create_partitions_request_topic, 2);
    for (int i = 0; i < 2; i++) {
        q->topics.v[i].name = S("t");
        q->topics.v[i].count = 8 + i;
        q->topics.v[i].assignments.n = -1;
    }
    p = kit_call(k, API_CREATE_PARTITIONS, 3, q);
    assert_error(p->results.v[0].error_code, KERR_INVALID_REQUEST);
    assert_error(p->results.v[1].error_code, KERR_INVALID_REQUEST);
    assert_int_equal(partitions_of(k, "t"), 6);
}

/* ---- DeleteRecords ---- */

static void
test_delete_records(void **state)
{
    struct kit *k = *state;
    const struct tail *tail;

    kit_topic(k, "t", 2);
    append(k, "t", 100);
    for (int v = 0; v <= 2; v++) {
        tail = topic_partition(topic_of(k, "t"), 0)->tail;
        assert_int_equal(tail->hw, 100);
        assert_error(trim(k, v, "t", 0, 10 + v)->error_code, KERR_NONE);
        assert_int_equal(tail->log_start, 10 + v);
        /* Below the start there is nothing to do. */
        assert_int_equal(trim(k, v, "t", 0, 5)->low_watermark, 10 + v);
        assert_error(trim(k, v, "t", 0, 101)->error_code,
            KERR_OFFSET_OUT_OF_RANGE);
        assert_int_equal(trim(k, v, "t", 0, 101)->low_watermark, -1);
        assert_error(trim(k, v, "t", 0, -2)->error_code,
            KERR_OFFSET_OUT_OF_RANGE);
        assert_error(trim(k, v, "t", 0, INT64_MIN)->error_code,
            KERR_OFFSET_OUT_OF_RANGE);
        assert_error(trim(k, v, "t", 2, 0)->error_code,
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_error(trim(k, v, "t", -1, 0)->error_code,
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_error(trim(k, v, "missing", 0, 0)->error_code,
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_int_equal(trim(k, v, "t", 1, -1)->low_watermark, 0);
    }
    kit_crash(k);
    tail = topic_partition(topic_of(k, "t"), 0)->tail;
    assert_int_equal(tail->log_start, 12);
    assert_int_equal(trim(k, 2, "t", 0, -1)->low_watermark, 100);
    assert_int_equal(tail->log_start, 100);
    kit_restart(k);
    tail = topic_partition(topic_of(k, "t"), 0)->tail;
    assert_int_equal(tail->log_start, 100);
    assert_int_equal(tail->hw, 100);
}

static void
test_compacted_records_stay(void **state)
{
    struct kit *k = *state;
    struct create_topics_request *q = create_request(k, "t", 1);

    KIT_LIST(k, q->topics.v[0].configs, create_topics_request_config, 1);
    q->topics.v[0].configs.v[0].name = S("cleanup.policy");
    q->topics.v[0].configs.v[0].value = S("compact");
    assert_error(create(k, 7, q)->error_code, KERR_NONE);
    assert_error(trim(k, 2, "t", 0, 0)->error_code, KERR_POLICY_VIOLATION);
}

/* ---- a full disk ---- */

static void
test_disk_full(void **state)
{
    struct kit *k = *state;
    struct delete_topics_request *q = KIT_NEW(k, delete_topics_request);
    const struct delete_topics_response *p;
    int gone = 0;

    kit_topic(k, "t", 2);
    append(k, "t", 10);
    for (int i = 0; i < 400; i++) {
        char name[16];

        snprintf(name, sizeof name, "t%d", i);
        kit_topic(k, name, 1);
    }
    k->disk_floor = UINT64_MAX;
    kit_restart(k);
    kit_turn(k, true);
    for (int v = 2; v <= 7; v++)
        assert_error(create(k, v, create_request(k, "new", 1))->error_code,
            KERR_KAFKA_STORAGE_ERROR);
    for (int v = 0; v <= 3; v++)
        assert_error(grow(k, v, grow_request(k, "t", 5)),
            KERR_KAFKA_STORAGE_ERROR);
    assert_int_equal(trim(k, 2, "t", 0, 5)->low_watermark, 5);
    assert_error(delete_topic(k, 6, "t"), KERR_NONE);
    /* In small portions, else the journal would be full as well. */
    q->topic_names.v = kit_alloc(k, 400 * sizeof(struct span));
    q->topic_names.n = 400;
    for (int i = 0; i < 400; i++)
        q->topic_names.v[i] = kit_text(k, "t%d", i);
    p = kit_call(k, API_DELETE_TOPICS, 5, q);
    for (int i = 0; i < 400; i++)
        assert_error(p->responses.v[i].error_code,
            KERR_KAFKA_STORAGE_ERROR);
    q->topic_names.n = 100;
    for (int round = 0; round < 4; round++) {
        p = kit_call(k, API_DELETE_TOPICS, 5, q);
        for (int i = 0; i < 100; i++)
            gone += p->responses.v[i].error_code == KERR_NONE;
        q->topic_names.v += 100;
    }
    assert_int_equal(gone, 400);
    assert_int_equal(topics_count(k), 0);
}

int
main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, kit_setup,           \
    kit_teardown)
    const struct CMUnitTest tests[] = {
        STORY(test_create_every_version),
        STORY(test_create_sizes),
        STORY(test_create_configs),
        STORY(test_create_assignments),
        STORY(test_create_many),
        STORY(test_answers_wait_for_publish),
        STORY(test_delete_every_version),
        STORY(test_delete_by_id),
        STORY(test_internal_topics),
        STORY(test_grow),
        STORY(test_delete_records),
        STORY(test_compacted_records_stay),
        STORY(test_disk_full),
    };

    return cmocka_run_group_tests_name("api/admin", tests, NULL, NULL);
}
