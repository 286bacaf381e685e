/*
 * librdkafka against a broker: the admin interface. Each call is made through
 * one queue and answered by one event; admin_wait() takes it.
 */
#include "config.h"
#include "rdk.h"

#include <stdio.h>
#include <string.h>

static rd_kafka_t *rk;
static rd_kafka_queue_t *queue;

/* The event that answers the last call; the caller destroys it. */
static rd_kafka_event_t *
admin_wait(const char *what)
{
    rd_kafka_event_t *ev = rd_kafka_queue_poll(queue, RDK_WAIT_MS);

    if (!ev)
        bail("%s: no answer", what);
    if (rd_kafka_event_error(ev))
        note("%s: %s", what, rd_kafka_event_error_string(ev));
    return ev;
}

/* -- topics --------------------------------------------------------------- */

/* The number of partitions that Metadata shows; -1 if there is no topic. */
static int
partitions(const char *topic)
{
    const struct rd_kafka_metadata *md = NULL;
    int count = -1;

    if (rd_kafka_metadata(rk, 1, NULL, &md, RDK_WAIT_MS))
        return -2;
    for (int i = 0; i < md->topic_cnt; i++)
        if (!strcmp(md->topics[i].topic, topic) && !md->topics[i].err)
            count = md->topics[i].partition_cnt;
    rd_kafka_metadata_destroy(md);
    return count;
}

/* Metadata may lag behind the answer by a moment: ask until it agrees. */
static void
is_partitions(const char *topic, int want, const char *name)
{
    int64_t until = now_ms() + 10000;
    int got;

    do
        got = partitions(topic);
    while (got != want && now_ms() < until);
    is_int(got, want, name);
}

static rd_kafka_resp_err_t
delete_topic(const char *topic)
{
    rd_kafka_DeleteTopic_t *d = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_event_t *ev;
    rd_kafka_resp_err_t err;
    size_t n;

    rd_kafka_DeleteTopics(rk, &d, 1, NULL, queue);
    ev = admin_wait("DeleteTopics");
    err = rd_kafka_event_error(ev);
    if (!err)
        err = rd_kafka_topic_result_error(rd_kafka_DeleteTopics_result_topics(
            rd_kafka_event_DeleteTopics_result(ev), &n)[0]);
    rd_kafka_event_destroy(ev);
    rd_kafka_DeleteTopic_destroy(d);
    return err;
}

static rd_kafka_resp_err_t
more_partitions(const char *topic, size_t total)
{
    char text[256];
    rd_kafka_NewPartitions_t *p =
        rd_kafka_NewPartitions_new(topic, total, text, sizeof text);
    rd_kafka_event_t *ev;
    rd_kafka_resp_err_t err;
    size_t n;

    rd_kafka_CreatePartitions(rk, &p, 1, NULL, queue);
    ev = admin_wait("CreatePartitions");
    err = rd_kafka_event_error(ev);
    if (!err)
        err = rd_kafka_topic_result_error(
            rd_kafka_CreatePartitions_result_topics(
                rd_kafka_event_CreatePartitions_result(ev), &n)[0]);
    rd_kafka_event_destroy(ev);
    rd_kafka_NewPartitions_destroy(p);
    return err;
}

static void
test_topics(void)
{
    const char *topic = named("admin");
    static struct seen s;
    struct reports r;
    rd_kafka_t *p;

    is_err(topic_new(topic, 3, "retention.ms=86400000"), 0, "create a topic");
    is_partitions(topic, 3, "it has three partitions");
    is_err(topic_new(topic, 3, NULL), RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS,
        "create it again");
    is_err(topic_new("no/such/name", 1, NULL),
        RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, "create an invalid name");
    is_err(topic_new(named("config"), 1, "no.such.config=1"),
        RD_KAFKA_RESP_ERR_INVALID_CONFIG, "create with an unknown setting");
    is_err(topic_new(named("config"), 1, "retention.ms=soon"),
        RD_KAFKA_RESP_ERR_INVALID_CONFIG, "create with an invalid value");
    is_partitions(named("config"), -1, "neither made a topic");
    is_err(more_partitions(topic, 5), 0, "more partitions");
    is_partitions(topic, 5, "it has five");
    is_err(more_partitions(topic, 2), RD_KAFKA_RESP_ERR_INVALID_PARTITIONS,
        "fewer partitions");
    is_err(more_partitions(named("never"), 2),
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "more of an unknown topic");
    p = producer_new(&r, WORDS("acks=all"));
    produce_run(p, topic, 5, 0, 500);
    producer_free(p);
    is_int(r.count - r.failed - r.unordered, 500, "all five can be written");
    is_err(delete_topic(topic), 0, "delete the topic");
    is_partitions(topic, -1, "it is gone");
    is_err(delete_topic(topic), RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        "delete it again");
    is_err(topic_new(topic, 1, NULL), 0, "the name can be used anew");
    is_partitions(topic, 1, "with other partitions");
    consume_topic(topic, 1, &s);
    is_int(s.count, 0, "and none of the old records");
}

/* -- settings ------------------------------------------------------------- */

/* Reads one setting into value; false if it is not there. */
static bool
config_get(rd_kafka_ResourceType_t type, const char *of, const char *name,
    char *value, size_t size, bool *is_default)
{
    rd_kafka_ConfigResource_t *c = rd_kafka_ConfigResource_new(type, of);
    const rd_kafka_ConfigResource_t **res;
    const rd_kafka_ConfigEntry_t **entries;
    rd_kafka_event_t *ev;
    bool found = false;
    size_t n = 0;

    rd_kafka_DescribeConfigs(rk, &c, 1, NULL, queue);
    ev = admin_wait("DescribeConfigs");
    res = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(ev), &n);
    entries = n == 1 ? rd_kafka_ConfigResource_configs(res[0], &n) : NULL;
    for (size_t i = 0; entries && i < n; i++) {
        const char *v = rd_kafka_ConfigEntry_value(entries[i]);

        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name))
            continue;
        snprintf(value, size, "%s", v ? v : "(null)");
        *is_default = rd_kafka_ConfigEntry_is_default(entries[i]);
        found = true;
    }
    rd_kafka_event_destroy(ev);
    rd_kafka_ConfigResource_destroy(c);
    return found;
}

static void
is_config(const char *topic, const char *name, const char *want, bool dflt)
{
    char value[256] = "";
    bool is_default = false;
    int64_t until = now_ms() + 10000;

    do
        config_get(RD_KAFKA_RESOURCE_TOPIC, topic, name, value, sizeof value,
            &is_default);
    while (strcmp(value, want) && now_ms() < until);
    is_str(value, want, name);
    ok(is_default == dflt, "%s is%s the default", name, dflt ? "" : " not");
}

static void
test_configs(void)
{
    const char *topic = named("settings");
    char value[256];
    bool dflt;
    rd_kafka_ConfigResource_t *c;
    rd_kafka_event_t *ev;

    topic_new(topic, 1, "cleanup.policy=compact");
    is_config(topic, "cleanup.policy", "compact", false);
    is_config(topic, "retention.ms", "604800000", true);
    is_config(topic, "retention.bytes", "-1", true);
    is_config(topic, "min.compaction.lag.ms", "0", true);
    ok(config_get(RD_KAFKA_RESOURCE_TOPIC, topic, "max.message.bytes", value,
        sizeof value, &dflt), "max.message.bytes is told");
    ok(!config_get(RD_KAFKA_RESOURCE_TOPIC, topic, "no.such", value,
        sizeof value, &dflt), "an unknown one is not");
    ok(config_get(RD_KAFKA_RESOURCE_BROKER, "1", "auto.create.topics.enable",
        value, sizeof value, &dflt) || 1, "ask for the broker's settings");

    c = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_ConfigResource_set_config(c, "retention.ms", "12345000");
    rd_kafka_AlterConfigs(rk, &c, 1, NULL, queue);
    ev = admin_wait("AlterConfigs");
    is_err(rd_kafka_event_error(ev), 0, "alter the settings as a whole");
    rd_kafka_event_destroy(ev);
    rd_kafka_ConfigResource_destroy(c);
    is_config(topic, "retention.ms", "12345000", false);
    is_config(topic, "cleanup.policy", "delete", true);
}

/* -- records -------------------------------------------------------------- */

static void
test_delete_records(void)
{
    const char *topic = named("trim");
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_DeleteRecords_t *d;
    const rd_kafka_topic_partition_list_t *res;
    rd_kafka_event_t *ev;
    struct reports r;
    rd_kafka_t *p;
    int64_t lo = -1, hi = -1;
    static struct seen s;

    topic_new(topic, 1, NULL);
    p = producer_new(&r, WORDS("batch.num.messages=10", "linger.ms=0"));
    produce_run(p, topic, 1, 0, 100);
    producer_free(p);
    rd_kafka_topic_partition_list_add(l, topic, 0)->offset = 55;
    d = rd_kafka_DeleteRecords_new(l);
    rd_kafka_DeleteRecords(rk, &d, 1, NULL, queue);
    ev = admin_wait("DeleteRecords");
    res = rd_kafka_DeleteRecords_result_offsets(
        rd_kafka_event_DeleteRecords_result(ev));
    ok(res && res->cnt == 1 && !res->elems[0].err &&
        res->elems[0].offset == 55, "delete the records before 55");
    rd_kafka_event_destroy(ev);
    rd_kafka_DeleteRecords_destroy(d);
    rd_kafka_topic_partition_list_destroy(l);
    rd_kafka_query_watermark_offsets(rk, topic, 0, &lo, &hi, RDK_WAIT_MS);
    is_int(lo, 55, "the log begins at 55");
    is_int(hi, 100, "its end is where it was");
    consume_topic(topic, 1, &s);
    is_int(s.count, 45, "45 are left");
    is_int(seen_wrong(&s, 55, 100), 0, "the last ones");
}

/* -- groups --------------------------------------------------------------- */

static bool
group_listed(const char *group)
{
    const rd_kafka_ConsumerGroupListing_t **found;
    rd_kafka_event_t *ev;
    bool listed = false;
    size_t n = 0;

    rd_kafka_ListConsumerGroups(rk, NULL, queue);
    ev = admin_wait("ListConsumerGroups");
    found = rd_kafka_ListConsumerGroups_result_valid(
        rd_kafka_event_ListConsumerGroups_result(ev), &n);
    for (size_t i = 0; i < n; i++)
        listed |= !strcmp(group,
            rd_kafka_ConsumerGroupListing_group_id(found[i]));
    rd_kafka_event_destroy(ev);
    return listed;
}

static void
group_describe(const char *group, rd_kafka_consumer_group_state_t state,
    size_t count)
{
    const rd_kafka_ConsumerGroupDescription_t **d;
    rd_kafka_event_t *ev;
    size_t n = 0;

    rd_kafka_DescribeConsumerGroups(rk, &group, 1, NULL, queue);
    ev = admin_wait("DescribeConsumerGroups");
    d = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(ev), &n);
    if (ok(n == 1 && !rd_kafka_ConsumerGroupDescription_error(d[0]),
            "describe a group")) {
        is_str(rd_kafka_consumer_group_state_name(
            rd_kafka_ConsumerGroupDescription_state(d[0])),
            rd_kafka_consumer_group_state_name(state), "its state");
        is_int((int64_t)rd_kafka_ConsumerGroupDescription_member_count(d[0]),
            (int64_t)count, "its members");
    }
    if (n == 1 && count == 1) {
        const rd_kafka_MemberDescription_t *m =
            rd_kafka_ConsumerGroupDescription_member(d[0], 0);

        is_str(rd_kafka_MemberDescription_client_id(m), "the-member",
            "the member's client id");
        is_str(rd_kafka_ConsumerGroupDescription_partition_assignor(d[0]),
            "roundrobin", "its assignor");
        is_int(rd_kafka_MemberAssignment_partitions(
            rd_kafka_MemberDescription_assignment(m))->cnt, 2,
            "its partitions");
    }
    rd_kafka_event_destroy(ev);
}

/* Asks what the group has committed for partition 1; -9999 on an error. */
static int64_t
group_offset(const char *group, const char *topic)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_ListConsumerGroupOffsets_t *ask;
    const rd_kafka_group_result_t **g;
    const rd_kafka_topic_partition_list_t *got = NULL;
    rd_kafka_event_t *ev;
    int64_t offset = -9999;
    size_t n = 0;

    rd_kafka_topic_partition_list_add(l, topic, 1);
    ask = rd_kafka_ListConsumerGroupOffsets_new(group, l);
    rd_kafka_ListConsumerGroupOffsets(rk, &ask, 1, NULL, queue);
    ev = admin_wait("ListConsumerGroupOffsets");
    g = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(ev), &n);
    if (n == 1 && !rd_kafka_group_result_error(g[0]))
        got = rd_kafka_group_result_partitions(g[0]);
    if (got && got->cnt == 1)
        offset = got->elems[0].offset;
    rd_kafka_event_destroy(ev);
    rd_kafka_ListConsumerGroupOffsets_destroy(ask);
    rd_kafka_topic_partition_list_destroy(l);
    return offset;
}

static rd_kafka_resp_err_t
group_set_offset(const char *group, const char *topic, int64_t offset)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_AlterConsumerGroupOffsets_t *a;
    const rd_kafka_group_result_t **g;
    const rd_kafka_topic_partition_list_t *got;
    rd_kafka_event_t *ev;
    rd_kafka_resp_err_t err;
    size_t n = 0;

    rd_kafka_topic_partition_list_add(l, topic, 1)->offset = offset;
    a = rd_kafka_AlterConsumerGroupOffsets_new(group, l);
    rd_kafka_AlterConsumerGroupOffsets(rk, &a, 1, NULL, queue);
    ev = admin_wait("AlterConsumerGroupOffsets");
    err = rd_kafka_event_error(ev);
    g = rd_kafka_AlterConsumerGroupOffsets_result_groups(
        rd_kafka_event_AlterConsumerGroupOffsets_result(ev), &n);
    if (!err && n == 1) {
        err = rd_kafka_error_code(rd_kafka_group_result_error(g[0]));
        got = rd_kafka_group_result_partitions(g[0]);
        if (!err && got && got->cnt == 1)
            err = got->elems[0].err;
    }
    rd_kafka_event_destroy(ev);
    rd_kafka_AlterConsumerGroupOffsets_destroy(a);
    rd_kafka_topic_partition_list_destroy(l);
    return err;
}

static rd_kafka_resp_err_t
group_delete_offset(const char *group, const char *topic)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_DeleteConsumerGroupOffsets_t *d;
    rd_kafka_event_t *ev;
    rd_kafka_resp_err_t err;

    rd_kafka_topic_partition_list_add(l, topic, 1);
    d = rd_kafka_DeleteConsumerGroupOffsets_new(group, l);
    rd_kafka_DeleteConsumerGroupOffsets(rk, &d, 1, NULL, queue);
    ev = admin_wait("DeleteConsumerGroupOffsets");
    err = rd_kafka_event_error(ev);
    rd_kafka_event_destroy(ev);
    rd_kafka_DeleteConsumerGroupOffsets_destroy(d);
    rd_kafka_topic_partition_list_destroy(l);
    return err;
}

static rd_kafka_resp_err_t
group_delete(const char *group)
{
    rd_kafka_DeleteGroup_t *d = rd_kafka_DeleteGroup_new(group);
    const rd_kafka_group_result_t **g;
    rd_kafka_event_t *ev;
    rd_kafka_resp_err_t err;
    size_t n = 0;

    rd_kafka_DeleteGroups(rk, &d, 1, NULL, queue);
    ev = admin_wait("DeleteGroups");
    err = rd_kafka_event_error(ev);
    g = rd_kafka_DeleteGroups_result_groups(
        rd_kafka_event_DeleteGroups_result(ev), &n);
    if (!err && n == 1)
        err = rd_kafka_error_code(rd_kafka_group_result_error(g[0]));
    rd_kafka_event_destroy(ev);
    rd_kafka_DeleteGroup_destroy(d);
    return err;
}

static void
test_groups(void)
{
    const char *topic = named("admin-group");
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_t *mine = NULL;
    char id[300];
    rd_kafka_t *member;

    topic_new(topic, 2, NULL);
    snprintf(id, sizeof id, "group.id=%s", topic);
    ok(!group_listed(topic), "the group is not there yet");
    member = consumer_new(WORDS(id, "client.id=the-member",
        "partition.assignment.strategy=roundrobin"));
    rd_kafka_topic_partition_list_add(l, topic, -1);
    rd_kafka_subscribe(member, l);
    for (int i = 0; i < 300; i++) {
        consume_one(member, NULL);  /* the ends of both partitions */
        rd_kafka_assignment(member, &mine);
        if (mine && mine->cnt == 2)
            break;
        rd_kafka_topic_partition_list_destroy(mine);
        mine = NULL;
    }
    ok(mine != NULL, "a member has both partitions");
    ok(group_listed(topic), "the group is listed");
    group_describe(topic, RD_KAFKA_CONSUMER_GROUP_STATE_STABLE, 1);
    is_err(group_delete(topic), RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP,
        "a group with members is not deleted");
    if (mine)
        rd_kafka_topic_partition_list_destroy(mine);
    l->elems[0].partition = 1;
    l->elems[0].offset = 17;
    is_err(rd_kafka_commit(member, l, 0), 0, "the member commits");
    rd_kafka_topic_partition_list_destroy(l);
    is_int(group_offset(topic, topic), 17, "the offset is told");
    is_err(group_set_offset(topic, topic, 3),
        RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
        "nobody else alters it as long as there are members");
    consumer_free(member);

    group_describe(topic, RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY, 0);
    is_err(group_set_offset(topic, topic, 3), 0, "then it can be altered");
    is_int(group_offset(topic, topic), 3, "and is what it was set to");
    is_err(group_delete_offset(topic, topic), 0, "it can be deleted");
    is_int(group_offset(topic, topic), RD_KAFKA_OFFSET_INVALID,
        "and is gone");
    is_err(group_set_offset(topic, topic, 5), 0, "set one more");
    is_err(group_delete(topic), 0, "delete the empty group");
    ok(!group_listed(topic), "it is gone");
    is_err(group_delete(topic), RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND,
        "delete it again");
}

void
test_admin(void)
{
    struct reports unused;

    rk = producer_new(&unused, WORDS("client.id=admin"));
    queue = rd_kafka_queue_new(rk);
    test_topics();
    test_configs();
    test_delete_records();
    test_groups();
    rd_kafka_queue_destroy(queue);
    producer_free(rk);
}
