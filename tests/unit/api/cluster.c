/* Where partitions are, who leads them, and ids of topics, over the wire. */
#include "config.h"

#include "kit.h"
#include "record/batch.h"
#include "wire/msg/fetch.h"
#include "wire/msg/produce.h"

/* ---- DescribeTopicPartitions ---- */

static const struct describe_topic_partitions_response *
page(struct kit *k, const char *const *names, int n, int limit,
    const char *cursor, int32_t partition)
{
    struct describe_topic_partitions_request *q
        = KIT_NEW(k, describe_topic_partitions_request);

    KIT_LIST(k, q->topics, describe_topic_partitions_request_topic, n);
    for (int i = 0; i < n; i++)
        q->topics.v[i].name = S(names[i]);
    q->response_partition_limit = limit;
    if (cursor != NULL) {
        q->cursor = kit_new(k, &describe_topic_partitions_cursor_type, 1);
        q->cursor->topic_name = S(cursor);
        q->cursor->partition_index = partition;
    }
    return kit_call(k, API_DESCRIBE_TOPIC_PARTITIONS, 0, q);
}

static void
test_pages(void **state)
{
    struct kit *k = *state;
    static const char *const three[] = {"c", "a", "none", "a"};
    const struct describe_topic_partitions_response *p;
    int partitions = 0, pages = 0;
    const char *at = NULL;
    int32_t index = 0;

    kit_topic(k, "a", 5);
    kit_topic(k, "b", 1);
    kit_topic(k, "c", 3);
    p = page(k, NULL, 0, 2000, NULL, 0);
    assert_int_equal(p->topics.n, 3);
    assert_null(p->next_cursor);
    assert_span(p->topics.v[0].name, "a");
    assert_int_equal(p->topics.v[0].partitions.n, 5);
    assert_int_equal(p->topics.v[0].partitions.v[4].partition_index, 4);
    assert_int_equal(p->topics.v[0].partitions.v[4].leader_id, KIT_NODE);
    assert_int_equal(p->topics.v[0].partitions.v[4].isr_nodes.v[0], KIT_NODE);
    assert_int_equal(p->topics.v[0].topic_authorized_operations, 0xdf8);
    assert_false(uuid_is_zero(&p->topics.v[0].topic_id));
    p = page(k, three, 4, 2000, NULL, 0);
    assert_int_equal(p->topics.n, 3);
    assert_span(p->topics.v[1].name, "c");
    assert_span(p->topics.v[2].name, "none");
    assert_error(p->topics.v[2].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    for (; pages < 20; pages++) {
        p = page(k, NULL, 0, 2, at, index);
        for (int i = 0; i < p->topics.n; i++)
            partitions += p->topics.v[i].partitions.n;
        if (p->next_cursor == NULL)
            break;
        at = (const char *)kit_text(k, "%.*s",
            (int)p->next_cursor->topic_name.len,
            (const char *)p->next_cursor->topic_name.ptr).ptr;
        at = at[0] == 'a' ? "a" : at[0] == 'b' ? "b" : "c";
        index = p->next_cursor->partition_index;
    }
    assert_int_equal(partitions, 9);
    assert_int_equal(pages, 4);
}

static void
test_cursors(void **state)
{
    struct kit *k = *state;
    static const char *const two[] = {"a", "c"}, *const bad[] = {"no/name"};
    const struct describe_topic_partitions_response *p;

    kit_topic(k, "a", 2);
    kit_topic(k, "c", 2);
    /* A topic that was deleted meanwhile: on with the next. */
    p = page(k, NULL, 0, 10, "b", 1);
    assert_int_equal(p->topics.n, 1);
    assert_int_equal(p->topics.v[0].partitions.n, 2);
    assert_error(page(k, two, 2, 10, "b", 0)->topics.v[0].error_code,
        KERR_INVALID_REQUEST);
    assert_error(page(k, two, 2, 10, "a", -1)->topics.v[0].error_code,
        KERR_INVALID_REQUEST);
    p = page(k, two, 2, 10, "a", INT32_MAX);
    assert_int_equal(p->topics.v[0].partitions.n, 0);
    assert_int_equal(p->topics.v[1].partitions.n, 2);
    p = page(k, two, 2, INT32_MIN, "a", 1); /* at least one */
    assert_int_equal(p->topics.v[0].partitions.n, 1);
    assert_span(p->next_cursor->topic_name, "c");
    assert_error(page(k, bad, 1, 10, NULL, 0)->topics.v[0].error_code,
        KERR_INVALID_TOPIC_EXCEPTION);
}

/* ---- elections, reassignments ---- */

static const struct elect_leaders_response *
elect(struct kit *k, int version, int type, const char *topic,
    int32_t partition)
{
    struct elect_leaders_request *q = KIT_NEW(k, elect_leaders_request);

    q->election_type = (int8_t)type;
    q->topic_partitions.n = -1;
    if (topic != NULL) {
        KIT_LIST(k, q->topic_partitions, elect_leaders_request_topic, 1);
        q->topic_partitions.v[0].topic = S(topic);
        q->topic_partitions.v[0].partitions.v = kit_alloc(k, 4);
        q->topic_partitions.v[0].partitions.v[0] = partition;
        q->topic_partitions.v[0].partitions.n = 1;
    }
    return kit_call(k, API_ELECT_LEADERS, version, q);
}

static void
test_elections(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "a", 2);
    for (int v = 0; v <= 2; v++) {
        const struct elect_leaders_response *p = elect(k, v, 0, "a", 1);

        assert_error(p->error_code, KERR_NONE);
        assert_span(p->replica_election_results.v[0].topic, "a");
        assert_error(p->replica_election_results.v[0].partition_result.v[0]
            .error_code, KERR_ELECTION_NOT_NEEDED);
        assert_error(elect(k, v, 0, "a", 2)->replica_election_results.v[0]
            .partition_result.v[0].error_code,
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_error(elect(k, v, 0, "b", 0)->replica_election_results.v[0]
            .partition_result.v[0].error_code,
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_int_equal(elect(k, v, 0, NULL, 0)
            ->replica_election_results.n, 0);
    }
    assert_error(elect(k, 2, 7, "a", 0)->error_code, KERR_INVALID_REQUEST);
}

static int
reassign(struct kit *k, int version, const char *topic, int32_t partition,
    const int32_t *nodes, int n)
{
    struct alter_reassignments_request *q
        = KIT_NEW(k, alter_reassignments_request);
    const struct alter_reassignments_response *p;

    KIT_LIST(k, q->topics, alter_reassignments_request_topic, 1);
    q->topics.v[0].name = S(topic);
    KIT_LIST(k, q->topics.v[0].partitions,
        alter_reassignments_request_partition, 1);
    q->topics.v[0].partitions.v[0].partition_index = partition;
    q->topics.v[0].partitions.v[0].replicas.n = n;
    q->topics.v[0].partitions.v[0].replicas.v = kit_alloc(k, 64);
    if (n > 0)
        memcpy(q->topics.v[0].partitions.v[0].replicas.v, nodes,
            (size_t)n * sizeof nodes[0]);
    p = kit_call(k, API_ALTER_REASSIGNMENTS, version, q);
    assert_error(p->error_code, KERR_NONE);
    assert_int_equal(p->responses.v[0].partitions.v[0].partition_index,
        partition);
    return p->responses.v[0].partitions.v[0].error_code;
}

static void
test_reassignments(void **state)
{
    struct kit *k = *state;
    static const int32_t here[] = {KIT_NODE, KIT_NODE}, there[] = {7},
        both[] = {KIT_NODE, 7};
    struct list_reassignments_request *q
        = KIT_NEW(k, list_reassignments_request);
    const struct list_reassignments_response *p;

    kit_topic(k, "a", 2);
    for (int v = 0; v <= 1; v++) {
        assert_error(reassign(k, v, "a", 1, here, 1), KERR_NONE);
        assert_error(reassign(k, v, "a", 1, here, 2),
            KERR_INVALID_REPLICA_ASSIGNMENT);
        assert_error(reassign(k, v, "a", 1, there, 1),
            KERR_INVALID_REPLICA_ASSIGNMENT);
        assert_error(reassign(k, v, "a", 1, both, 2),
            KERR_INVALID_REPLICA_ASSIGNMENT);
        assert_error(reassign(k, v, "a", 1, NULL, 0),
            KERR_INVALID_REPLICA_ASSIGNMENT);
        assert_error(reassign(k, v, "a", 1, NULL, -1),
            KERR_NO_REASSIGNMENT_IN_PROGRESS);
        assert_error(reassign(k, v, "a", -1, here, 1),
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_error(reassign(k, v, "b", 0, here, 1),
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
    }
    p = kit_call(k, API_LIST_REASSIGNMENTS, 0, q);
    assert_error(p->error_code, KERR_NONE);
    assert_int_equal(p->topics.n, 0);
}

/* ---- records, to have something ---- */

static int
produce(struct kit *k, int version, const char *topic, const struct uuid *id,
    size_t bytes)
{
    struct produce_request *q = KIT_NEW(k, produce_request);
    const struct produce_response *p;
    uint8_t *value = kit_alloc(k, bytes);
    struct batch_builder bb;
    struct buf b;

    buf_init(&b, 1 * MIB);
    batch_builder_init(&bb, &b);
    batch_builder_add(&bb, 1000, SPAN_NULL, span_of(value, bytes), NULL, 0);
    assert_int_equal(batch_builder_end(&bb, &BATCH_BUILD_PLAIN, NULL), 0);
    q->acks = -1;
    KIT_LIST(k, q->topic_data, produce_request_topic, 1);
    q->topic_data.v[0].name = S(topic);
    if (id != NULL)
        q->topic_data.v[0].topic_id = *id;
    KIT_LIST(k, q->topic_data.v[0].partition_data, produce_request_partition,
        1);
    q->topic_data.v[0].partition_data.v[0].records
        = arena_copy(&k->arena, buf_span(&b));
    buf_release(&b);
    p = kit_call(k, API_PRODUCE, version, q);
    return p->responses.v[0].partition_responses.v[0].error_code;
}

static int
fetch(struct kit *k, int version, const char *topic, const struct uuid *id)
{
    struct fetch_request *q = KIT_NEW(k, fetch_request);
    const struct fetch_response *p;

    q->max_bytes = 1000000;
    KIT_LIST(k, q->topics, fetch_request_topic, 1);
    q->topics.v[0].topic = S(topic);
    if (id != NULL)
        q->topics.v[0].topic_id = *id;
    KIT_LIST(k, q->topics.v[0].partitions, fetch_request_partition, 1);
    q->topics.v[0].partitions.v[0].partition_max_bytes = 1000000;
    p = kit_call(k, API_FETCH, version, q);
    return p->responses.v[0].partitions.v[0].error_code;
}

/* ---- DescribeLogDirs ---- */

static const struct describe_log_dirs_response_result *
log_dir(struct kit *k, int version, const char *topic, int32_t partition)
{
    struct describe_log_dirs_request *q
        = KIT_NEW(k, describe_log_dirs_request);
    const struct describe_log_dirs_response *p;

    q->topics.n = -1;
    if (topic != NULL) {
        KIT_LIST(k, q->topics, describe_log_dirs_request_topic, 1);
        q->topics.v[0].topic = S(topic);
        q->topics.v[0].partitions.v = kit_alloc(k, 4);
        q->topics.v[0].partitions.v[0] = partition;
        q->topics.v[0].partitions.n = 1;
    }
    p = kit_call(k, API_DESCRIBE_LOG_DIRS, version, q);
    assert_int_equal(p->results.n, 1);
    assert_error(p->error_code, KERR_NONE);
    assert_error(p->results.v[0].error_code, KERR_NONE);
    assert_true(p->results.v[0].log_dir.len > 0);
    return &p->results.v[0];
}

static void
test_log_dirs(void **state)
{
    struct kit *k = *state;
    int64_t before;

    kit_topic(k, "a", 2);
    kit_topic(k, "b", 1);
    for (int i = 0; i < 3; i++)
        assert_error(produce(k, 9, "a", NULL, 1000), KERR_NONE);
    for (int v = 1; v <= 4; v++) {
        const struct describe_log_dirs_response_result *d
            = log_dir(k, v, NULL, 0);

        assert_int_equal(d->topics.n, 2);
        assert_span(d->topics.v[0].name, "a");
        assert_int_equal(d->topics.v[0].partitions.n, 2);
        assert_true(d->topics.v[0].partitions.v[0].partition_size > 3000);
        assert_true(d->topics.v[0].partitions.v[0].partition_size < 4000);
        assert_int_equal(d->topics.v[0].partitions.v[1].partition_size, 0);
        assert_int_equal(d->topics.v[0].partitions.v[0].offset_lag, 0);
        if (v == 4)
            assert_true(d->total_bytes >= d->usable_bytes
                && d->usable_bytes > 0);
        else
            assert_int_equal(d->total_bytes, -1);
    }
    before = log_dir(k, 4, "a", 0)->topics.v[0].partitions.v[0]
        .partition_size;
    seq_keep(k->seq, true); /* written back: the same bytes */
    assert_int_equal(log_dir(k, 4, "a", 0)->topics.v[0].partitions.v[0]
        .partition_size, before);
    kit_restart(k);
    assert_int_equal(log_dir(k, 4, "a", 0)->topics.v[0].partitions.v[0]
        .partition_size, before);
    assert_int_equal(log_dir(k, 4, "a", 2)->topics.n, 0);
    assert_int_equal(log_dir(k, 4, "a", INT32_MIN)->topics.n, 0);
    assert_int_equal(log_dir(k, 4, "none", 0)->topics.n, 0);
}

/* ---- Metadata, DescribeCluster, ids ---- */

static const struct metadata_response_topic *
metadata(struct kit *k, int version, const char *name, const struct uuid *id,
    bool operations)
{
    struct metadata_request *q = KIT_NEW(k, metadata_request);
    const struct metadata_response *p;

    KIT_LIST(k, q->topics, metadata_request_topic, 1);
    q->topics.v[0].name = S(name);
    if (id != NULL)
        q->topics.v[0].topic_id = *id;
    q->allow_auto_topic_creation = false;
    q->include_topic_authorized_operations = operations;
    q->include_cluster_authorized_operations = operations;
    p = kit_call(k, API_METADATA, version, q);
    assert_int_equal(p->controller_id, version >= 1 ? KIT_NODE : -1);
    assert_int_equal(p->brokers.v[0].node_id, KIT_NODE);
    if (version >= 8 && version <= 10)
        assert_int_equal(p->cluster_authorized_operations,
            operations ? 0x1fa0 : INT32_MIN);
    return &p->topics.v[0];
}

static void
test_metadata(void **state)
{
    struct kit *k = *state;
    struct uuid id, none = {{1, 2, 3}};

    kit_topic(k, "a", 1);
    id = kit_topic_id(k, "a");
    for (int v = 0; v <= 13; v++) {
        const struct metadata_response_topic *t
            = metadata(k, v, "a", NULL, true);

        assert_error(t->error_code, KERR_NONE);
        assert_int_equal(t->topic_authorized_operations,
            v >= 8 ? 0xdf8 : INT32_MIN);
        assert_error(metadata(k, v, "b", NULL, false)->error_code,
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        if (v >= 10)
            assert_true(uuid_eq(&t->topic_id, &id));
    }
    for (int v = 12; v <= 13; v++) {
        const struct metadata_response_topic *t
            = metadata(k, v, NULL, &id, false);

        assert_error(t->error_code, KERR_NONE);
        assert_span(t->name, "a");
        assert_int_equal(t->topic_authorized_operations, INT32_MIN);
        assert_span(metadata(k, v, "", &id, false)->name, "a");
        t = metadata(k, v, NULL, &none, false);
        assert_error(t->error_code, KERR_UNKNOWN_TOPIC_ID);
        assert_span(t->name, NULL);
        assert_true(uuid_eq(&t->topic_id, &none));
    }
}

static const struct describe_cluster_response *
cluster(struct kit *k, int version, int endpoints, bool operations)
{
    struct describe_cluster_request *q = KIT_NEW(k, describe_cluster_request);

    q->endpoint_type = (int8_t)endpoints;
    q->include_cluster_authorized_operations = operations;
    return kit_call(k, API_DESCRIBE_CLUSTER, version, q);
}

static void
test_cluster(void **state)
{
    struct kit *k = *state;
    struct span id = arena_copy(&k->arena, cluster(k, 0, 1, false)
        ->cluster_id);

    kit_restart(k);
    for (int v = 0; v <= 2; v++) {
        const struct describe_cluster_response *p = cluster(k, v, 1, true);

        assert_error(p->error_code, KERR_NONE);
        assert_true(span_eq(p->cluster_id, id));
        assert_int_equal(p->controller_id, KIT_NODE);
        assert_int_equal(p->brokers.n, 1);
        assert_int_equal(p->cluster_authorized_operations, 0x1fa0);
        assert_int_equal(cluster(k, v, 1, false)
            ->cluster_authorized_operations, INT32_MIN);
    }
    assert_error(cluster(k, 2, 2, false)->error_code,
        KERR_MISMATCHED_ENDPOINT_TYPE);
    assert_error(cluster(k, 2, 9, false)->error_code,
        KERR_UNSUPPORTED_ENDPOINT_TYPE);
}

/* A topic of the same name is another topic. */
static void
test_recreated(void **state)
{
    struct kit *k = *state;
    struct delete_topics_request *q = KIT_NEW(k, delete_topics_request);
    const struct delete_topics_response *p;
    struct uuid first, second;

    kit_topic(k, "a", 1);
    first = kit_topic_id(k, "a");
    assert_error(produce(k, 13, NULL, &first, 10), KERR_NONE);
    for (int v = 13; v <= 18; v++)
        assert_error(fetch(k, v, NULL, &first), KERR_NONE);
    KIT_LIST(k, q->topics, delete_topics_request_topic, 1);
    q->topics.v[0].topic_id = first;
    p = kit_call(k, API_DELETE_TOPICS, 6, q);
    assert_error(p->responses.v[0].error_code, KERR_NONE);
    assert_span(p->responses.v[0].name, "a");
    p = kit_call(k, API_DELETE_TOPICS, 6, q);
    assert_error(p->responses.v[0].error_code, KERR_UNKNOWN_TOPIC_ID);
    kit_topic(k, "a", 1);
    second = kit_topic_id(k, "a");
    assert_false(uuid_eq(&first, &second));
    assert_error(produce(k, 13, NULL, &first, 10), KERR_UNKNOWN_TOPIC_ID);
    assert_error(produce(k, 13, NULL, &second, 10), KERR_NONE);
    for (int v = 13; v <= 18; v++) {
        assert_error(fetch(k, v, NULL, &first), KERR_UNKNOWN_TOPIC_ID);
        assert_error(fetch(k, v, NULL, &second), KERR_NONE);
    }
    kit_crash(k);
    assert_error(fetch(k, 13, NULL, &first), KERR_UNKNOWN_TOPIC_ID);
    second = kit_topic_id(k, "a");
    assert_error(fetch(k, 13, NULL, &second), KERR_NONE);
    assert_error(fetch(k, 12, "a", NULL), KERR_NONE);
}

/* ---- OffsetForLeaderEpoch ---- */

static const struct offset_for_leader_epoch_response_partition *
epoch_end(struct kit *k, int version, int32_t current, int32_t epoch,
    int32_t partition)
{
    struct offset_for_leader_epoch_request *q
        = KIT_NEW(k, offset_for_leader_epoch_request);
    const struct offset_for_leader_epoch_response *p;

    KIT_LIST(k, q->topics, offset_for_leader_epoch_request_topic, 1);
    q->topics.v[0].topic = S("a");
    KIT_LIST(k, q->topics.v[0].partitions,
        offset_for_leader_epoch_request_partition, 1);
    q->topics.v[0].partitions.v[0].partition = partition;
    q->topics.v[0].partitions.v[0].current_leader_epoch = current;
    q->topics.v[0].partitions.v[0].leader_epoch = epoch;
    p = kit_call(k, API_OFFSET_FOR_LEADER_EPOCH, version, q);
    return &p->topics.v[0].partitions.v[0];
}

static void
test_leader_epochs(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "a", 1);
    for (int i = 0; i < 3; i++)
        assert_error(produce(k, 9, "a", NULL, 10), KERR_NONE);
    for (int v = 2; v <= 4; v++) {
        const struct offset_for_leader_epoch_response_partition *p
            = epoch_end(k, v, 0, 0, 0);

        assert_error(p->error_code, KERR_NONE);
        assert_int_equal(p->leader_epoch, 0);
        assert_int_equal(p->end_offset, 3);
        assert_int_equal(epoch_end(k, v, -1, 0, 0)->end_offset, 3);
        p = epoch_end(k, v, -1, 7, 0);
        assert_error(p->error_code, KERR_NONE);
        assert_int_equal(p->leader_epoch, -1);
        assert_int_equal(p->end_offset, -1);
        assert_int_equal(epoch_end(k, v, -1, -1, 0)->end_offset, -1);
        assert_error(epoch_end(k, v, 1, 0, 0)->error_code,
            KERR_UNKNOWN_LEADER_EPOCH);
        assert_error(epoch_end(k, v, -1, 0, 1)->error_code,
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
    }
}

int
main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, kit_setup,           \
    kit_teardown)
    const struct CMUnitTest tests[] = {
        STORY(test_pages),
        STORY(test_cursors),
        STORY(test_elections),
        STORY(test_reassignments),
        STORY(test_log_dirs),
        STORY(test_metadata),
        STORY(test_cluster),
        STORY(test_recreated),
        STORY(test_leader_epochs),
    };

    return cmocka_run_group_tests_name("api/cluster", tests, NULL, NULL);
}
