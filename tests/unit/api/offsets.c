/* Committed offsets over the wire: OffsetCommit, OffsetFetch. */
#include "config.h"

#include "kit.h"

enum { WEEK_MS = 7 * 24 * 3600 * 1000 };

/* ---- requests ---- */

/* By name up to version 9, by id from 10 on: a request has both. */
static struct offset_commit_request *
commit_request(struct kit *k, const char *group, const char *topic,
    int32_t partition, int64_t offset)
{
    struct offset_commit_request *q = KIT_NEW(k, offset_commit_request);
    struct offset_commit_request_topic *t;
    const struct topic *have = topics_find(api_topics(k->api), S(topic));

    q->group_id = S(group);
    KIT_LIST(k, q->topics, offset_commit_request_topic, 1);
    t = &q->topics.v[0];
    t->name = S(topic);
    if (have != NULL)
        t->topic_id = have->id;
    KIT_LIST(k, t->partitions, offset_commit_request_partition, 1);
    t->partitions.v[0].partition_index = partition;
    t->partitions.v[0].committed_offset = offset;
    t->partitions.v[0].committed_leader_epoch = 0;
    t->partitions.v[0].committed_metadata = S("note");
    return q;
}

static int
send_commit(struct kit *k, int version, struct offset_commit_request *q)
{
    const struct offset_commit_response *p = kit_call(k, API_OFFSET_COMMIT,
        version, q);

    assert_int_equal(p->topics.n, 1);
    if (version < 10)
        assert_true(span_eq(p->topics.v[0].name, q->topics.v[0].name));
    else
        assert_true(uuid_eq(&p->topics.v[0].topic_id,
            &q->topics.v[0].topic_id));
    assert_int_equal(p->topics.v[0].partitions.n, 1);
    assert_int_equal(p->topics.v[0].partitions.v[0].partition_index,
        q->topics.v[0].partitions.v[0].partition_index);
    return p->topics.v[0].partitions.v[0].error_code;
}

static int
commit(struct kit *k, int version, const char *group, const char *topic,
    int32_t partition, int64_t offset)
{
    return send_commit(k, version, commit_request(k, group, topic, partition,
        offset));
}

struct fetched {
    int64_t offset;
    int32_t leader_epoch;
    struct span metadata;
    int error;
};

static struct fetched
fetch_old(struct kit *k, int version, struct span group, const char *topic,
    int32_t *partition)
{
    struct offset_fetch_request *q = KIT_NEW(k, offset_fetch_request);
    const struct offset_fetch_response *p;
    const struct offset_fetch_response_partition *f;

    q->group_id = group;
    KIT_LIST(k, q->topics, offset_fetch_request_topic, 1);
    q->topics.v[0].name = S(topic);
    q->topics.v[0].partition_indexes.v = partition;
    q->topics.v[0].partition_indexes.n = 1;
    p = kit_call(k, API_OFFSET_FETCH, version, q);
    assert_error(p->error_code, KERR_NONE);
    assert_int_equal(p->topics.n, 1);
    assert_span(p->topics.v[0].name, topic);
    f = &p->topics.v[0].partitions.v[0];
    assert_int_equal(f->partition_index, *partition);
    return (struct fetched){f->committed_offset, f->committed_leader_epoch,
        f->metadata, f->error_code};
}

static struct fetched
fetch_new(struct kit *k, int version, struct span group, const char *topic,
    int32_t *partition)
{
    struct offset_fetch_request *q = KIT_NEW(k, offset_fetch_request);
    const struct topic *have = topics_find(api_topics(k->api), S(topic));
    const struct offset_fetch_response *p;
    const struct offset_fetch_response_group_partition *f;

    KIT_LIST(k, q->groups, offset_fetch_request_group, 1);
    q->groups.v[0].group_id = group;
    KIT_LIST(k, q->groups.v[0].topics, offset_fetch_request_group_topic, 1);
    q->groups.v[0].topics.v[0].name = S(topic);
    if (have != NULL)
        q->groups.v[0].topics.v[0].topic_id = have->id;
    q->groups.v[0].topics.v[0].partition_indexes.v = partition;
    q->groups.v[0].topics.v[0].partition_indexes.n = 1;
    q->require_stable = true;
    p = kit_call(k, API_OFFSET_FETCH, version, q);
    assert_int_equal(p->groups.n, 1);
    assert_error(p->groups.v[0].error_code, KERR_NONE);
    assert_true(span_eq(p->groups.v[0].group_id, group));
    f = &p->groups.v[0].topics.v[0].partitions.v[0];
    assert_int_equal(f->partition_index, *partition);
    return (struct fetched){f->committed_offset, f->committed_leader_epoch,
        f->metadata, f->error_code};
}

static struct fetched
fetch(struct kit *k, int version, const char *group, const char *topic,
    int32_t partition)
{
    int32_t *p = kit_alloc(k, sizeof *p);

    *p = partition;
    return version < 8 ? fetch_old(k, version, S(group), topic, p)
                       : fetch_new(k, version, S(group), topic, p);
}

static int64_t
offset_of(struct kit *k, const char *group, const char *topic, int32_t p)
{
    return fetch(k, 9, group, topic, p).offset;
}

/* ---- stories ---- */

static void
test_every_version(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "orders", 4);
    for (int v = 2; v <= 10; v++) {
        assert_error(commit(k, v, "g", "orders", 1, 100 + v), KERR_NONE);
        for (int f = 1; f <= 10; f++) {
            struct fetched got = fetch(k, f, "g", "orders", 1);

            assert_error(got.error, KERR_NONE);
            assert_int_equal(got.offset, 100 + v);
            assert_span(got.metadata, "note");
            if (f >= 5)
                assert_int_equal(got.leader_epoch, v >= 6 ? 0 : -1);
            got = fetch(k, f, "g", "orders", 2);
            assert_error(got.error, KERR_NONE);
            assert_int_equal(got.offset, -1);
            assert_int_equal(got.leader_epoch, -1);
            assert_span(got.metadata, "");
            assert_int_equal(fetch(k, f, "nobody", "orders", 1).offset, -1);
            got = fetch(k, f, "g", "missing", 1);
            assert_int_equal(got.offset, -1);
            assert_error(got.error,
                f >= 10 ? KERR_UNKNOWN_TOPIC_ID : KERR_NONE);
        }
        kit_forget(k);
    }
}

static void
test_unknown_topics(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "orders", 2);
    for (int v = 2; v <= 10; v++) {
        assert_error(commit(k, v, "g", "missing", 0, 1),
            v >= 10 ? KERR_UNKNOWN_TOPIC_ID
                    : KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_error(commit(k, v, "g", "", 0, 1),
            v >= 10 ? KERR_UNKNOWN_TOPIC_ID
                    : KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_error(commit(k, v, "g", "orders", 2, 1),
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_error(commit(k, v, "g", "orders", -1, 1),
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_error(commit(k, v, "g", "orders", INT32_MIN, 1),
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
    }
    /* Nothing was committed, so there is no group. */
    assert_int_equal(groups_count(api_groups(k->api)), 0);
}

/* Good and bad partitions in one commit: each has its own answer. */
static void
test_mixed_commit(void **state)
{
    struct kit *k = *state;
    struct offset_commit_request *q;
    const struct offset_commit_response *p;
    struct offset_commit_request_partition *parts;
    static const enum kerr want[] = {KERR_NONE,
        KERR_UNKNOWN_TOPIC_OR_PARTITION, KERR_OFFSET_METADATA_TOO_LARGE,
        KERR_INVALID_REQUEST, KERR_NONE};
    uint8_t *big = kit_alloc(k, 5000);

    memset(big, 'x', 5000);
    kit_topic(k, "orders", 4);
    q = commit_request(k, "g", "orders", 0, 0);
    KIT_LIST(k, q->topics.v[0].partitions, offset_commit_request_partition,
        5);
    parts = q->topics.v[0].partitions.v;
    for (int i = 0; i < 5; i++) {
        parts[i].partition_index = i == 4 ? 0 : i;
        parts[i].committed_offset = 10 + i;
        parts[i].committed_metadata = SPAN_NULL;
    }
    parts[1].partition_index = 9;
    parts[2].committed_metadata = span_of(big, 5000);
    parts[3].committed_metadata = span_of("a\0b", 3);
    p = kit_call(k, API_OFFSET_COMMIT, 8, q);
    assert_int_equal(p->topics.v[0].partitions.n, 5);
    for (int i = 0; i < 5; i++)
        assert_error(p->topics.v[0].partitions.v[i].error_code, want[i]);
    assert_int_equal(offset_of(k, "g", "orders", 0), 14);
    assert_int_equal(offset_of(k, "g", "orders", 2), -1);
    assert_int_equal(offset_of(k, "g", "orders", 3), -1);
    assert_span(fetch(k, 9, "g", "orders", 0).metadata, "");
}

static void
test_group_errors(void **state)
{
    struct kit *k = *state;
    struct offset_commit_request *q;
    char *name = kit_alloc(k, 300);

    memset(name, 'g', 256);
    kit_topic(k, "orders", 2);
    q = commit_request(k, "g", "orders", 0, 1);
    q->generation_id_or_member_epoch = 3;
    q->member_id = S("nobody");
    assert_error(send_commit(k, 8, q), KERR_ILLEGAL_GENERATION);
    assert_error(send_commit(k, 9, q), KERR_GROUP_ID_NOT_FOUND);
    assert_error(commit(k, 8, name, "orders", 0, 1), KERR_INVALID_GROUP_ID);
    /* What was refused for its own sake says so, whatever the group does. */
    q->topics.v[0].partitions.v[0].partition_index = 7;
    assert_error(send_commit(k, 8, q), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    /* Old clients commit without any group. */
    assert_error(commit(k, 8, "", "orders", 0, 5), KERR_NONE);
    assert_int_equal(offset_of(k, "", "orders", 0), 5);
    kit_restart(k);
    assert_int_equal(offset_of(k, "", "orders", 0), 5);
}

static void
again(struct kit *k, void (*how)(struct kit *))
{
    char nul[] = "a\0b";
    struct offset_commit_request *q;
    int32_t part = 0;

    kit_topic(k, "orders", 3);
    kit_topic(k, "other", 1);
    assert_error(commit(k, 8, "g", "orders", 0, 10), KERR_NONE);
    assert_error(commit(k, 8, "g", "orders", 2, 12), KERR_NONE);
    assert_error(commit(k, 8, "g", "other", 0, INT64_MAX), KERR_NONE);
    assert_error(commit(k, 8, "h", "orders", 0, 99), KERR_NONE);
    assert_error(commit(k, 8, "g", "orders", 0, 11), KERR_NONE);
    /* An id may hold whatever it likes. */
    q = commit_request(k, "", "orders", 0, 77);
    q->group_id = span_of(nul, 3);
    assert_error(send_commit(k, 8, q), KERR_NONE);
    how(k);
    assert_int_equal(offset_of(k, "g", "orders", 0), 11);
    assert_int_equal(offset_of(k, "g", "orders", 1), -1);
    assert_int_equal(offset_of(k, "g", "orders", 2), 12);
    assert_int_equal(offset_of(k, "g", "other", 0), INT64_MAX);
    assert_int_equal(offset_of(k, "h", "orders", 0), 99);
    assert_span(fetch(k, 9, "h", "orders", 0).metadata, "note");
    assert_int_equal(fetch_new(k, 9, span_of(nul, 3), "orders", &part).offset,
        77);
    assert_int_equal(groups_count(api_groups(k->api)), 3);
}

static void
test_restart(void **state)
{
    again(*state, kit_restart);
}

static void
test_crash(void **state)
{
    again(*state, kit_crash);
}

static void
test_fetch_all(void **state)
{
    struct kit *k = *state;
    struct offset_fetch_request *q = KIT_NEW(k, offset_fetch_request);
    const struct offset_fetch_response *p;
    struct uuid orders;
    int64_t sum;

    kit_topic(k, "orders", 3);
    kit_topic(k, "other", 1);
    orders = kit_topic_id(k, "orders");
    for (int i = 0; i < 3; i++)
        assert_error(commit(k, 8, "g", "orders", i, i + 1), KERR_NONE);
    assert_error(commit(k, 8, "g", "other", 0, 10), KERR_NONE);
    q->group_id = S("g");
    q->topics.n = -1;
    KIT_LIST(k, q->groups, offset_fetch_request_group, 2);
    q->groups.v[0].group_id = S("g");
    q->groups.v[0].topics.n = -1;
    q->groups.v[1].group_id = S("nobody");
    q->groups.v[1].topics.n = -1;
    for (int v = 2; v <= 7; v++) {
        p = kit_call(k, API_OFFSET_FETCH, v, q);
        assert_int_equal(p->topics.n, 2);
        sum = 0;
        for (int i = 0; i < 2; i++)
            for (int n = 0; n < p->topics.v[i].partitions.n; n++)
                sum += p->topics.v[i].partitions.v[n].committed_offset;
        assert_int_equal(sum, 16);
    }
    for (int v = 8; v <= 10; v++) {
        p = kit_call(k, API_OFFSET_FETCH, v, q);
        assert_int_equal(p->groups.n, 2);
        assert_int_equal(p->groups.v[0].topics.n, 2);
        assert_int_equal(p->groups.v[1].topics.n, 0);
        sum = 0;
        for (int i = 0; i < 2; i++) {
            const struct offset_fetch_response_group_topic *t
                = &p->groups.v[0].topics.v[i];

            if (v >= 10)
                assert_int_equal(uuid_eq(&t->topic_id, &orders),
                    t->partitions.n == 3);
            else
                assert_span(t->name, t->partitions.n == 3 ? "orders"
                                                          : "other");
            for (int n = 0; n < t->partitions.n; n++)
                sum += t->partitions.v[n].committed_offset;
        }
        assert_int_equal(sum, 16);
    }
    q->groups.n = 0;
    p = kit_call(k, API_OFFSET_FETCH, 9, q);
    assert_int_equal(p->groups.n, 0);
}

/* A commit is not answered before it is hard; nor is a fetch that saw it. */
static void
test_answers_wait_for_publish(void **state)
{
    struct kit *k = *state;
    struct client *a = kit_connect(k), *b = kit_connect(k);
    struct offset_fetch_request *q = KIT_NEW(k, offset_fetch_request);
    const struct offset_fetch_response *f;
    const struct offset_commit_response *p;

    kit_topic(k, "orders", 1);
    q->group_id = S("g");
    q->topics.n = -1;
    client_send(a, API_OFFSET_COMMIT, 8, commit_request(k, "g", "orders", 0,
        3));
    client_expect_silence(a, false);
    client_send(b, API_OFFSET_FETCH, 5, q);
    client_expect_silence(b, false);
    client_expect_silence(a, false);
    kit_turn(k, true);
    p = client_wait(a);
    assert_error(p->topics.v[0].partitions.v[0].error_code, KERR_NONE);
    f = client_wait(b);
    assert_int_equal(f->topics.v[0].partitions.v[0].committed_offset, 3);
}

static void
delete_topic(struct kit *k, const char *name)
{
    struct delete_topics_request *q = KIT_NEW(k, delete_topics_request);
    const struct delete_topics_response *p;

    q->topic_names.v = kit_alloc(k, sizeof(struct span));
    q->topic_names.v[0] = S(name);
    q->topic_names.n = 1;
    p = kit_call(k, API_DELETE_TOPICS, 5, q);
    assert_error(p->responses.v[0].error_code, KERR_NONE);
}

static int
count_record(void *arg, struct span key, struct span value, struct err *err)
{
    (void)key;
    (void)value;
    (void)err;
    ++*(int *)arg;
    return 0;
}

/* Records of offsets on the disk. */
static int
records(struct kit *k)
{
    struct seq_options o = {.dir = k->dir, .world = &k->world,
        .durability = DURABILITY_POWER, .disk_floor = 1, .ballast = 4096,
        .journal_first = k->journal_first, .map_bytes = 1 * GIB};
    struct seq *seq;
    struct err err = {0};
    int n = 0;

    kit_stop(k);
    if (seq_open(&seq, &o, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(seq_records(seq, META_OFFSET, count_record, &n, &err),
        0);
    seq_close(seq);
    kit_start(k);
    return n;
}

/* Offsets go with their topic; one made anew under the name begins without,
 * and the old records leave the disk. */
static void
test_topic_deleted(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "orders", 2);
    kit_topic(k, "other", 1);
    assert_error(commit(k, 8, "g", "orders", 0, 10), KERR_NONE);
    assert_error(commit(k, 8, "g", "orders", 1, 11), KERR_NONE);
    assert_error(commit(k, 8, "g", "other", 0, 5), KERR_NONE);
    assert_int_equal(records(k), 3);
    delete_topic(k, "orders");
    assert_int_equal(offset_of(k, "g", "orders", 0), -1);
    assert_null(group_offset(groups_get(api_groups(k->api), S("g")),
        S("orders"), NULL, 0));
    kit_topic(k, "orders", 2);
    assert_int_equal(offset_of(k, "g", "orders", 0), -1);
    assert_error(commit(k, 8, "g", "orders", 1, 21), KERR_NONE);
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            kit_crash(k);
        else
            kit_restart(k);
        assert_int_equal(offset_of(k, "g", "orders", 0), -1);
        assert_int_equal(offset_of(k, "g", "orders", 1), 21);
        assert_int_equal(offset_of(k, "g", "other", 0), 5);
    }
    assert_int_equal(records(k), 2);
    delete_topic(k, "orders");
    delete_topic(k, "other");
    kit_restart(k);
    assert_int_equal(groups_count(api_groups(k->api)), 0);
    assert_int_equal(records(k), 0);
}

static void
test_retention(void **state)
{
    struct kit *k = *state;
    struct offset_commit_request *q;

    kit_topic(k, "orders", 3);
    assert_error(commit(k, 8, "g", "orders", 0, 10), KERR_NONE);
    q = commit_request(k, "g", "orders", 1, 11);
    q->retention_time_ms = 60000;
    assert_error(send_commit(k, 4, q), KERR_NONE);
    kit_pass(k, 11 * 60000);
    assert_int_equal(offset_of(k, "g", "orders", 0), 10);
    assert_int_equal(offset_of(k, "g", "orders", 1), -1);
    seq_clock_advance(k->seq, WEEK_MS - 60000);
    assert_error(commit(k, 8, "g", "orders", 2, 12), KERR_NONE);
    kit_pass(k, 21 * 60000);
    assert_int_equal(offset_of(k, "g", "orders", 0), -1);
    assert_int_equal(offset_of(k, "g", "orders", 2), 12);
    kit_restart(k);
    assert_int_equal(offset_of(k, "g", "orders", 0), -1);
    assert_int_equal(offset_of(k, "g", "orders", 2), 12);
    seq_clock_advance(k->seq, WEEK_MS);
    kit_pass(k, 11 * 60000);
    assert_int_equal(groups_count(api_groups(k->api)), 0);
    kit_crash(k);
    assert_int_equal(groups_count(api_groups(k->api)), 0);
}

/* A group goes with all its offsets. */
static void
test_delete_group(void **state)
{
    struct kit *k = *state;
    struct delete_groups_request *q = KIT_NEW(k, delete_groups_request);
    const struct delete_groups_response *p;

    kit_topic(k, "orders", 500);
    for (int i = 0; i < 500; i++)
        assert_error(commit(k, 8, i % 5 ? "g" : "h", "orders", i, i),
            KERR_NONE);
    q->groups_names.v = kit_alloc(k, sizeof(struct span));
    q->groups_names.v[0] = S("g");
    q->groups_names.n = 1;
    p = kit_call(k, API_DELETE_GROUPS, 2, q);
    assert_error(p->results.v[0].error_code, KERR_NONE);
    assert_int_equal(offset_of(k, "g", "orders", 1), -1);
    kit_crash(k);
    assert_int_equal(groups_count(api_groups(k->api)), 1);
    assert_int_equal(offset_of(k, "g", "orders", 1), -1);
    assert_int_equal(offset_of(k, "h", "orders", 495), 495);
}

/* Many at once; so many that no epoch would hold them; and more than there
 * may be. */
static void
test_large_commits(void **state)
{
    struct kit *k = *state;
    struct offset_commit_request *q;
    struct offset_commit_request_partition *parts;
    const struct offset_commit_response *p;
    uint8_t *note = kit_alloc(k, 4096);

    memset(note, 'n', 4096);
    kit_topic(k, "orders", 4096);
    q = commit_request(k, "g", "orders", 0, 0);
    KIT_LIST(k, q->topics.v[0].partitions, offset_commit_request_partition,
        20001);
    parts = q->topics.v[0].partitions.v;
    for (int i = 0; i < 20001; i++) {
        parts[i].partition_index = i % 4096;
        parts[i].committed_offset = i;
        parts[i].committed_metadata = S("");
    }
    p = kit_call(k, API_OFFSET_COMMIT, 8, q);
    assert_error(p->topics.v[0].partitions.v[0].error_code,
        KERR_POLICY_VIOLATION);
    q->topics.v[0].partitions.n = 4096;
    p = kit_call(k, API_OFFSET_COMMIT, 8, q);
    for (int i = 0; i < 4096; i++)
        assert_error(p->topics.v[0].partitions.v[i].error_code, KERR_NONE);
    for (int i = 0; i < 4096; i++)
        parts[i].committed_metadata = span_of(note, 4096);
    p = kit_call(k, API_OFFSET_COMMIT, 8, q);
    for (int i = 0; i < 4096; i++)
        assert_error(p->topics.v[0].partitions.v[i].error_code,
            KERR_INVALID_COMMIT_OFFSET_SIZE);
    kit_crash(k);
    assert_int_equal(offset_of(k, "g", "orders", 4095), 4095);
    assert_span(fetch(k, 9, "g", "orders", 4095).metadata, "");
}

static void
test_disk_full(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "orders", 1);
    assert_error(commit(k, 8, "g", "orders", 0, 10), KERR_NONE);
    k->disk_floor = UINT64_MAX;
    kit_restart(k);
    kit_turn(k, true);
    for (int v = 2; v <= 10; v++) {
        assert_error(commit(k, v, "g", "orders", 0, 11),
            KERR_COORDINATOR_NOT_AVAILABLE);
        assert_error(commit(k, v, "g", "orders", 7, 11),
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
    }
    assert_int_equal(offset_of(k, "g", "orders", 0), 10);
}

int
main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, kit_setup,           \
    kit_teardown)
    const struct CMUnitTest tests[] = {
        STORY(test_every_version),
        STORY(test_unknown_topics),
        STORY(test_mixed_commit),
        STORY(test_group_errors),
        STORY(test_restart),
        STORY(test_crash),
        STORY(test_fetch_all),
        STORY(test_answers_wait_for_publish),
        STORY(test_topic_deleted),
        STORY(test_retention),
        STORY(test_delete_group),
        STORY(test_large_commits),
        STORY(test_disk_full),
    };

    return cmocka_run_group_tests_name("api/offsets", tests, NULL, NULL);
}
