/*
 * Streams groups (KIP-1071) over the wire: heartbeats, internal topics that
 * are made, endpoints, what a restart and a crash keep, what other requests
 * say of such groups.
 */
#include "config.h"

#include "kit.h"

#include "wire/msg/streams_groups.h"

/* ---- words ---- */

static struct streams_group_heartbeat_request *
beat_request(struct kit *k, const char *member, int32_t epoch)
{
    struct streams_group_heartbeat_request *q =
        KIT_NEW(k, streams_group_heartbeat_request);

    q->group_id = S("g");
    q->member_id = S(member);
    q->member_epoch = epoch;
    return q;
}

static void
names(struct kit *k, struct span **v, int32_t *n, const char *name)
{
    *v = kit_alloc(k, sizeof **v);
    (*v)[0] = S(name);
    *n = 1;
}

/* "in" -> 0 -> "g-re" -> 1 with the store "g-ch". */
static void
topology(struct kit *k, struct streams_group_heartbeat_request *q,
    const char *policy)
{
    struct streams_group_heartbeat_request_subtopology *s;
    struct streams_topic_info *t;

    q->topology = kit_new(k, &streams_group_heartbeat_request_topology_type,
        1);
    q->topology->epoch = 0;
    KIT_LIST(k, q->topology->subtopologies,
        streams_group_heartbeat_request_subtopology, 2);
    s = q->topology->subtopologies.v;
    s[0].subtopology_id = S("0");
    names(k, &s[0].source_topics.v, &s[0].source_topics.n, "in");
    names(k, &s[0].repartition_sink_topics.v,
        &s[0].repartition_sink_topics.n, "g-re");
    s[1].subtopology_id = S("1");
    KIT_LIST(k, s[1].repartition_source_topics, streams_topic_info, 1);
    s[1].repartition_source_topics.v[0].name = S("g-re");
    KIT_LIST(k, s[1].state_changelog_topics, streams_topic_info, 1);
    t = s[1].state_changelog_topics.v;
    t->name = S("g-ch");
    t->replication_factor = 3;
    KIT_LIST(k, t->topic_configs, streams_key_value, 1);
    t->topic_configs.v[0].key = S("cleanup.policy");
    t->topic_configs.v[0].value = S(policy);
}

static struct streams_group_heartbeat_request *
join_request(struct kit *k, const char *member)
{
    struct streams_group_heartbeat_request *q = beat_request(k, member, 0);

    q->rebalance_timeout_ms = 20000;
    q->process_id = S("p");
    topology(k, q, "compact");
    KIT_LIST(k, q->active_tasks, streams_task_ids, 0);
    KIT_LIST(k, q->standby_tasks, streams_task_ids, 0);
    KIT_LIST(k, q->warmup_tasks, streams_task_ids, 0);
    return q;
}

static const struct streams_group_heartbeat_response *
ask(struct kit *k, struct streams_group_heartbeat_request *q,
    enum kerr error)
{
    const struct streams_group_heartbeat_response *p =
        kit_call(k, API_STREAMS_GROUP_HEARTBEAT, 0, q);

    assert_error(p->error_code, error);
    assert_true((p->error_message.ptr != NULL) == (error != KERR_NONE));
    return p;
}

static const struct streams_group_heartbeat_response *
beat(struct kit *k, const char *member, int32_t epoch)
{
    return ask(k, beat_request(k, member, epoch), KERR_NONE);
}

/* How many tasks it is told; -1: as before. */
static int
told(const struct streams_group_heartbeat_response *p)
{
    int n = 0;

    if (p->active_tasks.n < 0) {
        return -1;
    }
    for (int32_t i = 0; i < p->active_tasks.n; i++) {
        n += p->active_tasks.v[i].partitions.n;
    }
    return n;
}

static const struct streams_group_describe_response_group *
describe(struct kit *k, const char *group)
{
    struct streams_group_describe_request *q =
        KIT_NEW(k, streams_group_describe_request);
    const struct streams_group_describe_response *p;

    names(k, &q->group_ids.v, &q->group_ids.n, group);
    q->include_authorized_operations = true;
    p = kit_call(k, API_STREAMS_GROUP_DESCRIBE, 0, q);
    assert_int_equal(p->groups.n, 1);
    return &p->groups.v[0];
}

/* Joined, its topics made, with all tasks. */
static int32_t
running(struct kit *k, const char *member)
{
    const struct streams_group_heartbeat_response *p;

    kit_topic(k, "in", 3);
    p = ask(k, join_request(k, member), KERR_NONE);
    assert_int_equal(told(p), 0);
    assert_int_equal(p->status.n, 1);
    assert_int_equal(p->status.v[0].status_code, 3);
    p = beat(k, member, p->member_epoch);
    assert_int_equal(p->status.n, 0);
    assert_int_equal(told(p), 6);
    return p->member_epoch;
}

/* ---- stories ---- */

static void
test_join_and_describe(void **state)
{
    struct kit *k = *state;
    const struct streams_group_describe_response_group *g;
    const struct streams_group_heartbeat_response *p;
    int32_t epoch;

    p = ask(k, join_request(k, "a"), KERR_NONE);
    assert_int_equal(p->status.v[0].status_code, 1);
    assert_span(p->status.v[0].status_detail, "Source topics that are not there: in");
    assert_span(describe(k, "g")->group_state, "NotReady");
    epoch = running(k, "a");
    g = describe(k, "g");
    assert_error(g->error_code, KERR_NONE);
    assert_span(g->group_state, "Stable");
    assert_int_equal(g->group_epoch, epoch);
    assert_int_equal(g->topology->subtopologies.n, 2);
    assert_span(g->topology->subtopologies.v[1].state_changelog_topics.v[0]
            .topic_configs.v[0].value, "compact");
    assert_span(g->members.v[0].process_id, "p");
    assert_int_equal(g->members.v[0].assignment.active_tasks.n, 2);
    assert_int_equal(g->members.v[0].target_assignment.active_tasks.v[1]
            .partitions.n, 3);
    assert_error(describe(k, "none")->error_code, KERR_GROUP_ID_NOT_FOUND);
}

static void
test_internal_topic_that_can_not_be_made(void **state)
{
    struct kit *k = *state;
    struct streams_group_heartbeat_request *q = join_request(k, "a");
    const struct streams_group_heartbeat_response *p;

    kit_topic(k, "in", 3);
    topology(k, q, "nonsense");
    p = ask(k, q, KERR_NONE);
    assert_int_equal(p->status.v[0].status_code, 3);
    assert_non_null(memmem(p->status.v[0].status_detail.ptr,
        p->status.v[0].status_detail.len, "Creation of g-ch failed", 23));
    p = beat(k, "a", p->member_epoch);
    assert_int_equal(p->status.v[0].status_code, 3);
}

static void
test_refusals(void **state)
{
    struct kit *k = *state;
    struct streams_group_heartbeat_request *q = join_request(k, "a");

    q->standby_tasks.n = -1;
    ask(k, q, KERR_INVALID_REQUEST);
    q = join_request(k, "a");
    names(k, &q->topology->subtopologies.v[0].source_topic_regex.v,
        &q->topology->subtopologies.v[0].source_topic_regex.n, ".*");
    ask(k, q, KERR_INVALID_REQUEST);
    q = join_request(k, "a\0b");
    q->member_id.len = 3;
    ask(k, q, KERR_INVALID_REQUEST);
    ask(k, beat_request(k, "a", 1), KERR_GROUP_ID_NOT_FOUND);
    running(k, "a");
    q = beat_request(k, "a", 2);
    KIT_LIST(k, q->active_tasks, streams_task_ids, 1);
    KIT_LIST(k, q->standby_tasks, streams_task_ids, 0);
    KIT_LIST(k, q->warmup_tasks, streams_task_ids, 0);
    q->active_tasks.v[0].subtopology_id = S("7");
    q->active_tasks.v[0].partitions.v = kit_alloc(k, sizeof(int32_t));
    q->active_tasks.v[0].partitions.n = 1;
    ask(k, q, KERR_INVALID_REQUEST);
}

static void
test_restarts(void **state)
{
    struct kit *k = *state;
    const struct streams_group_heartbeat_response *p;
    int32_t epoch = running(k, "a");

    for (int round = 0; round < 2; round++) {
        if (round == 0) {
            kit_restart(k);
        } else {
            kit_crash(k);
        }
        assert_span(describe(k, "g")->group_state, "Stable");
        p = beat(k, "a", epoch);
        assert_int_equal(p->member_epoch, epoch);
        assert_int_equal(told(p), -1);
        assert_int_equal(p->status.n, 0);
    }
    /* The second waits for what the first has to give up. */
    p = ask(k, join_request(k, "b"), KERR_NONE);
    assert_int_equal(told(p), 0);
    kit_crash(k);
    assert_span(describe(k, "g")->group_state, "Reconciling");
    assert_int_equal(told(beat(k, "a", epoch)), 3);
    beat(k, "b", -1);
    beat(k, "a", -1);
    kit_crash(k);
    assert_span(describe(k, "g")->group_state, "Empty");
    assert_int_equal(told(ask(k, join_request(k, "c"), KERR_NONE)), 6);
}

static void
test_endpoints(void **state)
{
    struct kit *k = *state;
    struct streams_group_heartbeat_request *q;
    const struct streams_group_heartbeat_response *p;
    int32_t epoch = running(k, "a");

    q = beat_request(k, "a", epoch);
    q->user_endpoint = kit_new(k, &streams_endpoint_type, 1);
    q->user_endpoint->host = S("h");
    q->user_endpoint->port = 80;
    q->endpoint_information_epoch = -1;
    p = ask(k, q, KERR_NONE);
    assert_int_equal(p->partitions_by_user_endpoint.n, 1);
    assert_span(p->partitions_by_user_endpoint.v[0].user_endpoint.host, "h");
    assert_int_equal(p->partitions_by_user_endpoint.v[0].active_partitions.n,
        2);
    assert_span(p->partitions_by_user_endpoint.v[0].active_partitions.v[0]
            .topic, "in");
    assert_int_equal(p->partitions_by_user_endpoint.v[0].active_partitions
            .v[0].partitions.n, 3);
}

static void
test_shutdown(void **state)
{
    struct kit *k = *state;
    int32_t epoch = running(k, "a");
    struct streams_group_heartbeat_request *q = beat_request(k, "a", epoch);
    const struct streams_group_heartbeat_response *p;

    q->shutdown_application = true;
    ask(k, q, KERR_NONE);
    p = beat(k, "a", epoch);
    assert_int_equal(p->status.n, 1);
    assert_int_equal(p->status.v[0].status_code, 4);
}

static void
test_offsets_and_lists(void **state)
{
    struct kit *k = *state;
    int32_t epoch = running(k, "a");
    struct offset_commit_request *q = KIT_NEW(k, offset_commit_request);
    const struct offset_commit_response *p;
    struct list_groups_request *l = KIT_NEW(k, list_groups_request);
    const struct list_groups_response *lp;
    struct delete_groups_request *d = KIT_NEW(k, delete_groups_request);
    const struct delete_groups_response *dp;

    q->group_id = S("g");
    q->member_id = S("a");
    q->generation_id_or_member_epoch = epoch;
    KIT_LIST(k, q->topics, offset_commit_request_topic, 1);
    q->topics.v[0].name = S("in");
    KIT_LIST(k, q->topics.v[0].partitions, offset_commit_request_partition,
        1);
    q->topics.v[0].partitions.v[0].committed_offset = 0;
    p = kit_call(k, API_OFFSET_COMMIT, 9, q);
    assert_error(p->topics.v[0].partitions.v[0].error_code, KERR_NONE);
    q->generation_id_or_member_epoch = epoch - 1;
    p = kit_call(k, API_OFFSET_COMMIT, 9, q);
    assert_error(p->topics.v[0].partitions.v[0].error_code,
        KERR_STALE_MEMBER_EPOCH);
    names(k, &l->types_filter.v, &l->types_filter.n, "Streams");
    lp = kit_call(k, API_LIST_GROUPS, 5, l);
    assert_int_equal(lp->groups.n, 1);
    assert_span(lp->groups.v[0].group_type, "streams");
    assert_span(lp->groups.v[0].protocol_type, "streams");
    names(k, &d->groups_names.v, &d->groups_names.n, "g");
    dp = kit_call(k, API_DELETE_GROUPS, 2, d);
    assert_error(dp->results.v[0].error_code, KERR_NON_EMPTY_GROUP);
    beat(k, "a", -1);
    dp = kit_call(k, API_DELETE_GROUPS, 2, d);
    assert_error(dp->results.v[0].error_code, KERR_NONE);
    kit_crash(k);
    assert_error(describe(k, "g")->error_code, KERR_GROUP_ID_NOT_FOUND);
}

int
main(void)
{
#define STORY(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        STORY(test_join_and_describe),
        STORY(test_internal_topic_that_can_not_be_made),
        STORY(test_refusals),
        STORY(test_restarts),
        STORY(test_endpoints),
        STORY(test_shutdown),
        STORY(test_offsets_and_lists),
    };

    return cmocka_run_group_tests_name("streams_groups", tests, NULL, NULL);
}
