/*
 * Consumer groups (KIP-848) over the wire: heartbeats, what a restart and a
 * crash keep, what other requests say of such groups, settings of a group,
 * topics that come and go.
 */
#include "config.h"

#include "kit.h"

#include "wire/msg/consumer_groups.h"

/* ---- words ---- */

static struct consumer_group_heartbeat_request *
beat_request(struct kit *k, const char *member, int32_t epoch)
{
    struct consumer_group_heartbeat_request *q =
        KIT_NEW(k, consumer_group_heartbeat_request);

    q->group_id = S("g");
    q->member_id = S(member);
    q->member_epoch = epoch;
    return q;
}

/* Reads "t", owns nothing. */
static struct consumer_group_heartbeat_request *
full_request(struct kit *k, const char *member, int32_t epoch)
{
    struct consumer_group_heartbeat_request *q =
        beat_request(k, member, epoch);

    q->rebalance_timeout_ms = 20000;
    q->subscribed_topic_names.n = 1;
    q->subscribed_topic_names.v = kit_alloc(k, sizeof(struct span));
    q->subscribed_topic_names.v[0] = S("t");
    KIT_LIST(k, q->topic_partitions, consumer_group_heartbeat_request_topic,
        0);
    return q;
}

static const struct consumer_group_heartbeat_response *
ask(struct kit *k, struct consumer_group_heartbeat_request *q,
    enum kerr error)
{
    const struct consumer_group_heartbeat_response *p =
        kit_call(k, API_CONSUMER_GROUP_HEARTBEAT, 1, q);

    assert_error(p->error_code, error);
    assert_true((p->error_message.ptr != NULL) == (error != KERR_NONE));
    return p;
}

static const struct consumer_group_heartbeat_response *
join(struct kit *k, const char *member)
{
    return ask(k, full_request(k, member, 0), KERR_NONE);
}

static const struct consumer_group_heartbeat_response *
beat(struct kit *k, const char *member, int32_t epoch)
{
    return ask(k, beat_request(k, member, epoch), KERR_NONE);
}

/* How many partitions it is told; -1: as before. */
static int
told(const struct consumer_group_heartbeat_response *p)
{
    int n = 0;

    if (p->assignment == NULL) {
        return -1;
    }
    for (int32_t i = 0; i < p->assignment->topic_partitions.n; i++) {
        n += p->assignment->topic_partitions.v[i].partitions.n;
    }
    return n;
}

static const struct consumer_group_describe_response_group *
describe(struct kit *k, const char *group)
{
    struct consumer_group_describe_request *q =
        KIT_NEW(k, consumer_group_describe_request);
    const struct consumer_group_describe_response *p;

    q->group_ids.n = 1;
    q->group_ids.v = kit_alloc(k, sizeof(struct span));
    q->group_ids.v[0] = S(group);
    q->include_authorized_operations = true;
    p = kit_call(k, API_CONSUMER_GROUP_DESCRIBE, 1, q);
    assert_int_equal(p->groups.n, 1);
    return &p->groups.v[0];
}

/* ---- stories ---- */

static void
test_join_and_describe(void **state)
{
    struct kit *k = *state;
    const struct consumer_group_describe_response_group *g;
    struct uuid id;
    const struct consumer_group_heartbeat_response *p;

    kit_topic(k, "t", 4);
    id = kit_topic_id(k, "t");
    p = join(k, "a");
    assert_int_equal(p->member_epoch, 1);
    assert_int_equal(p->heartbeat_interval_ms, 5000);
    assert_int_equal(told(p), 4);
    assert_true(uuid_eq(&p->assignment->topic_partitions.v[0].topic_id, &id));
    assert_int_equal(told(beat(k, "a", 1)), -1);
    g = describe(k, "g");
    assert_error(g->error_code, KERR_NONE);
    assert_span(g->group_state, "Stable");
    assert_span(g->assignor_name, "uniform");
    assert_int_equal(g->group_epoch, 1);
    assert_int_equal(g->assignment_epoch, 1);
    assert_int_equal(g->authorized_operations, 0x148);
    assert_int_equal(g->members.n, 1);
    assert_span(g->members.v[0].member_id, "a");
    assert_span(g->members.v[0].client_host, "/127.0.0.1");
    assert_int_equal(g->members.v[0].member_type, 1);
    assert_span(g->members.v[0].subscribed_topic_names.v[0], "t");
    assert_span(g->members.v[0].assignment.topic_partitions.v[0].topic_name,
        "t");
    assert_int_equal(g->members.v[0].target_assignment.topic_partitions.v[0]
            .partitions.n, 4);
    assert_error(describe(k, "none")->error_code, KERR_GROUP_ID_NOT_FOUND);
}

static void
test_version_0_makes_ids(void **state)
{
    struct kit *k = *state;
    struct consumer_group_heartbeat_request *q =
        full_request(k, "", 0);
    const struct consumer_group_heartbeat_response *p;

    p = kit_call(k, API_CONSUMER_GROUP_HEARTBEAT, 0, q);
    assert_error(p->error_code, KERR_NONE);
    assert_true(p->member_id.len >= 22);
    ask(k, full_request(k, "", 0), KERR_INVALID_REQUEST);
}

/* In the key of a record they would be another group's member. */
static void
test_ids_with_a_nul(void **state)
{
    struct kit *k = *state;
    struct consumer_group_heartbeat_request *q =
        full_request(k, "a", 0);

    q->member_id = (struct span){(const uint8_t *)"a\0b", 3};
    ask(k, q, KERR_INVALID_REQUEST);
    q = full_request(k, "a", 0);
    q->instance_id = (struct span){(const uint8_t *)"a\0b", 3};
    ask(k, q, KERR_INVALID_REQUEST);
    q = full_request(k, "a", 0);
    q->group_id = (struct span){(const uint8_t *)"g\0b", 3};
    ask(k, q, KERR_NONE);
    q = full_request(k, "b", 0);
    ask(k, q, KERR_NONE);
    kit_crash(k);
    assert_int_equal(describe(k, "g")->members.n, 1);
}

/* Two members, one of whom has yet to give up: that is kept, too. */
static void
test_restarts(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "t", 4);
    join(k, "a");
    assert_int_equal(told(join(k, "b")), 0);
    assert_int_equal(told(beat(k, "a", 1)), 2);
    for (int round = 0; round < 2; round++) {
        if (round == 0) {
            kit_restart(k);
        } else {
            kit_crash(k);
        }
        assert_int_equal(describe(k, "g")->group_epoch, 2);
        assert_int_equal(describe(k, "g")->members.n, 2);
        assert_span(describe(k, "g")->group_state, "Reconciling");
        assert_int_equal(told(beat(k, "b", 2)), -1);
        assert_int_equal(beat(k, "a", 1)->member_epoch, 1);
    }
    /* It has given up all but what it was told. */
    assert_int_equal(ask(k, full_request(k, "a", 1), KERR_NONE)
            ->member_epoch, 2);
    assert_int_equal(told(beat(k, "b", 2)), 2);
    kit_crash(k);
    assert_int_equal(told(beat(k, "b", 2)), -1);
    assert_span(describe(k, "g")->group_state, "Stable");
    /* A session begins anew, in full, and ends. */
    kit_pass(k, 44000);
    beat(k, "b", 2);
    kit_pass(k, 2000);
    ask(k, beat_request(k, "a", 2), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(told(beat(k, "b", 2)), 4);
    kit_restart(k);
    assert_int_equal(describe(k, "g")->members.n, 1);
    assert_int_equal(describe(k, "g")->group_epoch, 3);
}

static void
test_topics(void **state)
{
    struct kit *k = *state;
    const struct create_partitions_response *grown;
    struct create_partitions_request *grow =
        KIT_NEW(k, create_partitions_request);
    struct delete_topics_request *drop = KIT_NEW(k, delete_topics_request);
    struct consumer_group_heartbeat_request *q =
        full_request(k, "a", 0);

    q->subscribed_topic_regex = S("t|x-.*");
    assert_int_equal(told(ask(k, q, KERR_NONE)), 0);
    kit_topic(k, "t", 2);
    assert_int_equal(told(beat(k, "a", 1)), 2);
    kit_topic(k, "x-1", 3);
    kit_topic(k, "y-1", 3);
    assert_int_equal(told(beat(k, "a", 2)), 5);
    KIT_LIST(k, grow->topics, create_partitions_request_topic, 1);
    grow->topics.v[0].name = S("t");
    grow->topics.v[0].count = 6;
    grow->timeout_ms = 1000;
    grow->topics.v[0].assignments.n = -1;
    grown = kit_call(k, API_CREATE_PARTITIONS, 3, grow);
    assert_error(grown->results.v[0].error_code, KERR_NONE);
    assert_int_equal(told(beat(k, "a", 3)), 9);
    /* Made while nobody asked, and found after a crash. */
    kit_topic(k, "x-2", 1);
    kit_crash(k);
    assert_int_equal(told(beat(k, "a", 4)), 10);
    drop->topic_names.n = 1;
    drop->topic_names.v = kit_alloc(k, sizeof(struct span));
    drop->topic_names.v[0] = S("t");
    kit_call(k, API_DELETE_TOPICS, 5, drop);
    assert_int_equal(told(beat(k, "a", 5)), 4);
    q = beat_request(k, "a", 5);
    q->subscribed_topic_regex = S("[");
    ask(k, q, KERR_INVALID_REGULAR_EXPRESSION);
}

/* ---- offsets ---- */

static int
commit(struct kit *k, int version, const char *member, int32_t epoch)
{
    struct offset_commit_request *q = KIT_NEW(k, offset_commit_request);
    const struct offset_commit_response *p;

    q->group_id = S("g");
    q->member_id = S(member);
    q->generation_id_or_member_epoch = epoch;
    KIT_LIST(k, q->topics, offset_commit_request_topic, 1);
    q->topics.v[0].name = S("t");
    q->topics.v[0].topic_id = kit_topic_id(k, "t");
    KIT_LIST(k, q->topics.v[0].partitions, offset_commit_request_partition,
        1);
    q->topics.v[0].partitions.v[0].committed_offset = 5;
    p = kit_call(k, API_OFFSET_COMMIT, version, q);
    return p->topics.v[0].partitions.v[0].error_code;
}

static const struct offset_fetch_response_group *
fetch(struct kit *k, int version, const char *member, int32_t epoch)
{
    struct offset_fetch_request *q = KIT_NEW(k, offset_fetch_request);
    const struct offset_fetch_response *p;

    KIT_LIST(k, q->groups, offset_fetch_request_group, 1);
    q->groups.v[0].group_id = S("g");
    q->groups.v[0].member_id = member == NULL
        ? (struct span){NULL, 0} : S(member);
    q->groups.v[0].member_epoch = epoch;
    q->groups.v[0].topics.n = -1;
    p = kit_call(k, API_OFFSET_FETCH, version, q);
    return &p->groups.v[0];
}

static void
test_offsets(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "t", 4);
    join(k, "a");
    assert_error(commit(k, 9, "a", 1), KERR_NONE);
    assert_error(commit(k, 10, "a", 1), KERR_NONE);
    assert_error(commit(k, 8, "a", 1), KERR_UNSUPPORTED_VERSION);
    assert_error(commit(k, 9, "a", 2), KERR_STALE_MEMBER_EPOCH);
    assert_error(commit(k, 9, "b", 1), KERR_UNKNOWN_MEMBER_ID);
    assert_error(commit(k, 9, "", -1), KERR_UNKNOWN_MEMBER_ID);
    assert_error(fetch(k, 9, "a", 1)->error_code, KERR_NONE);
    assert_int_equal(fetch(k, 10, "a", 1)->topics.n, 1);
    assert_error(fetch(k, 9, "a", 0)->error_code, KERR_STALE_MEMBER_EPOCH);
    assert_error(fetch(k, 9, "b", 0)->error_code, KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(fetch(k, 9, "b", 0)->topics.n, 0);
    assert_int_equal(fetch(k, 9, NULL, -1)->topics.n, 1);
    assert_int_equal(fetch(k, 8, NULL, -1)->topics.n, 1);
}

/* As the engine does it, without a request. */
static void
test_topics_deleted_by_others(void **state)
{
    struct kit *k = *state;
    struct topics *topics = api_topics(k->api);
    struct err err;

    kit_topic(k, "t", 4);
    join(k, "a");
    assert_error(commit(k, 9, "a", 1), KERR_NONE);
    assert_error(topics_delete(topics, topics_find(topics, S("t")), &err),
        KERR_NONE);
    kit_topic(k, "t", 2);
    assert_int_equal(fetch(k, 9, NULL, -1)->topics.n, 0);
    kit_crash(k);
    assert_int_equal(fetch(k, 9, NULL, -1)->topics.n, 0);
}

/* Old clients say for how long an offset is to be kept. */
static void
test_retention_of_an_offset(void **state)
{
    struct kit *k = *state;
    struct offset_commit_request *q = KIT_NEW(k, offset_commit_request);

    kit_topic(k, "t", 1);
    q->group_id = S("g");
    q->generation_id_or_member_epoch = -1;
    q->retention_time_ms = 60000;
    KIT_LIST(k, q->topics, offset_commit_request_topic, 1);
    q->topics.v[0].name = S("t");
    KIT_LIST(k, q->topics.v[0].partitions, offset_commit_request_partition,
        1);
    kit_call(k, API_OFFSET_COMMIT, 3, q);
    kit_crash(k);
    assert_int_equal(fetch(k, 9, NULL, -1)->topics.n, 1);
    kit_pass(k, 11 * 60 * 1000);     /* a sweep */
    assert_int_equal(fetch(k, 9, NULL, -1)->topics.n, 0);
}

/* ---- what other requests say ---- */

static void
test_lists(void **state)
{
    struct kit *k = *state;
    struct list_groups_request *q = KIT_NEW(k, list_groups_request);
    struct describe_groups_request *d = KIT_NEW(k, describe_groups_request);
    struct delete_groups_request *del = KIT_NEW(k, delete_groups_request);
    const struct list_groups_response *p;
    const struct describe_groups_response *dp;
    const struct delete_groups_response *gone;

    kit_topic(k, "t", 1);
    join(k, "a");
    q->types_filter.n = 1;
    q->types_filter.v = kit_alloc(k, sizeof(struct span));
    q->types_filter.v[0] = S("Consumer");
    p = kit_call(k, API_LIST_GROUPS, 5, q);
    assert_int_equal(p->groups.n, 1);
    assert_span(p->groups.v[0].group_type, "consumer");
    assert_span(p->groups.v[0].protocol_type, "consumer");
    assert_span(p->groups.v[0].group_state, "Stable");
    q->types_filter.v[0] = S("classic");
    p = kit_call(k, API_LIST_GROUPS, 5, q);
    assert_int_equal(p->groups.n, 0);
    d->groups.n = 1;
    d->groups.v = kit_alloc(k, sizeof(struct span));
    d->groups.v[0] = S("g");
    dp = kit_call(k, API_DESCRIBE_GROUPS, 6, d);
    assert_error(dp->groups.v[0].error_code, KERR_GROUP_ID_NOT_FOUND);
    dp = kit_call(k, API_DESCRIBE_GROUPS, 5, d);
    assert_error(dp->groups.v[0].error_code, KERR_NONE);
    assert_span(dp->groups.v[0].group_state, "Dead");
    del->groups_names = (__typeof__(del->groups_names)){d->groups.v, 1};
    gone = kit_call(k, API_DELETE_GROUPS, 2, del);
    assert_error(gone->results.v[0].error_code, KERR_NON_EMPTY_GROUP);
    beat(k, "a", CONSUMER_EPOCH_LEAVE);
    gone = kit_call(k, API_DELETE_GROUPS, 2, del);
    assert_error(gone->results.v[0].error_code, KERR_NONE);
    kit_crash(k);
    assert_error(describe(k, "g")->error_code, KERR_GROUP_ID_NOT_FOUND);
}

static void
test_features(void **state)
{
    struct kit *k = *state;
    struct api_versions_request *q = KIT_NEW(k, api_versions_request);
    const struct api_versions_response *p;
    int found = 0;

    q->client_software_name = q->client_software_version = S("x");
    p = kit_call(k, API_API_VERSIONS, 4, q);
    for (int32_t i = 0; i < p->finalized_features.n; i++) {
        if (span_eq(p->finalized_features.v[i].name, S("group.version"))) {
            found += p->finalized_features.v[i].max_version_level;
        }
    }
    assert_int_equal(found, 1);
    assert_true(p->finalized_features_epoch >= 0);
}

static void
test_settings_of_a_group(void **state)
{
    struct kit *k = *state;
    struct incremental_alter_configs_request *q =
        KIT_NEW(k, incremental_alter_configs_request);
    const struct incremental_alter_configs_response *p;

    KIT_LIST(k, q->resources, incremental_alter_configs_request_resource, 1);
    q->resources.v[0].resource_type = 32;
    q->resources.v[0].resource_name = S("g");
    KIT_LIST(k, q->resources.v[0].configs,
        incremental_alter_configs_request_config, 1);
    q->resources.v[0].configs.v[0].name = S("consumer.heartbeat.interval.ms");
    q->resources.v[0].configs.v[0].value = S("9000");
    p = kit_call(k, API_INCREMENTAL_ALTER_CONFIGS, 1, q);
    assert_error(p->responses.v[0].error_code, KERR_NONE);
    assert_int_equal(join(k, "a")->heartbeat_interval_ms, 9000);
    kit_restart(k);
    assert_int_equal(beat(k, "a", 1)->heartbeat_interval_ms, 9000);
}

static void
test_disk_full(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "t", 1);
    join(k, "a");
    k->disk_floor = UINT64_MAX;
    kit_restart(k);
    kit_pass(k, 2000);
    beat(k, "a", 1);             /* nothing changes */
    ask(k, full_request(k, "b", 0), KERR_COORDINATOR_NOT_AVAILABLE);
    ask(k, beat_request(k, "a", CONSUMER_EPOCH_LEAVE),
        KERR_COORDINATOR_NOT_AVAILABLE);
    k->disk_floor = 1;
    kit_restart(k);
    kit_pass(k, 2000);
    join(k, "b");
}

/* A classic member's group is upgraded, restarted, and downgraded. */
static void
test_types_change_over_restarts(void **state)
{
    struct kit *k = *state;
    static const uint8_t subscription[] = {0, 1, 0, 0, 0, 1, 0, 1, 't', 0xff,
        0xff, 0xff, 0xff, 0, 0, 0, 0};
    struct join_group_request *q = KIT_NEW(k, join_group_request);
    struct sync_group_request *sync = KIT_NEW(k, sync_group_request);
    struct heartbeat_request *h = KIT_NEW(k, heartbeat_request);
    const struct join_group_response *p;
    const struct sync_group_response *sp;
    const struct heartbeat_response *hp;

    kit_topic(k, "t", 4);
    q->group_id = sync->group_id = h->group_id = S("g");
    q->session_timeout_ms = 10000;
    q->rebalance_timeout_ms = 10000;
    q->protocol_type = S("consumer");
    KIT_LIST(k, q->protocols, join_group_request_protocol, 1);
    q->protocols.v[0].name = S("range");
    q->protocols.v[0].metadata = span_of(subscription, sizeof subscription);
    p = kit_call(k, API_JOIN_GROUP, 9, q);
    q->member_id = sync->member_id = h->member_id = p->member_id;
    p = kit_call(k, API_JOIN_GROUP, 9, q);
    assert_error(p->error_code, KERR_NONE);
    sync->generation_id = 1;
    kit_call(k, API_SYNC_GROUP, 5, sync);
    assert_int_equal(told(join(k, "a")), 2);  /* the other had none */
    kit_crash(k);
    h->generation_id = 1;
    hp = kit_call(k, API_HEARTBEAT, 4, h);
    assert_error(hp->error_code, KERR_REBALANCE_IN_PROGRESS);
    p = kit_call(k, API_JOIN_GROUP, 9, q);
    assert_error(p->error_code, KERR_NONE);
    assert_int_equal(p->generation_id, 2);
    assert_int_equal(p->members.n, 0);
    sync->generation_id = 2;
    sp = kit_call(k, API_SYNC_GROUP, 5, sync);
    assert_error(sp->error_code, KERR_NONE);
    assert_int_equal(sp->assignment.len, 25);        /* two of "t" */
    assert_int_equal(describe(k, "g")->members.v[0].member_type +
            describe(k, "g")->members.v[1].member_type, 1);
    beat(k, "a", CONSUMER_EPOCH_LEAVE);
    kit_crash(k);
    assert_error(describe(k, "g")->error_code, KERR_GROUP_ID_NOT_FOUND);
    p = kit_call(k, API_JOIN_GROUP, 9, q);
    assert_error(p->error_code, KERR_NONE);
    assert_int_equal(p->generation_id, 3);
    assert_int_equal(p->members.n, 1);
}

int
main(void)
{
#define STORY(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        STORY(test_join_and_describe),
        STORY(test_version_0_makes_ids),
        STORY(test_ids_with_a_nul),
        STORY(test_restarts),
        STORY(test_topics),
        STORY(test_offsets),
        STORY(test_topics_deleted_by_others),
        STORY(test_retention_of_an_offset),
        STORY(test_lists),
        STORY(test_features),
        STORY(test_settings_of_a_group),
        STORY(test_disk_full),
        STORY(test_types_change_over_restarts),
    };

    return cmocka_run_group_tests_name("consumer_groups", tests, NULL, NULL);
}
