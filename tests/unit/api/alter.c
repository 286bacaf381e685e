/* Settings altered, over the wire: topics, the broker, groups. */
#include "config.h"

#include "kit.h"
#include "partition/topic_config.h"

enum { TOPIC = 2, BROKER = 4, LOGGER = 8, METRICS = 16, GROUP = 32 };
enum { SET, DELETE, APPEND, SUBTRACT };

/* ---- requests ---- */

static struct incremental_alter_configs_request *
alter_request(struct kit *k, int type, const char *name, int n)
{
    struct incremental_alter_configs_request *q
        = KIT_NEW(k, incremental_alter_configs_request);

    KIT_LIST(k, q->resources, incremental_alter_configs_request_resource, 1);
    q->resources.v[0].resource_type = (int8_t)type;
    q->resources.v[0].resource_name = S(name);
    KIT_LIST(k, q->resources.v[0].configs,
        incremental_alter_configs_request_config, n);
    return q;
}

static int
alter_send(struct kit *k, int version,
    const struct incremental_alter_configs_request *q)
{
    const struct incremental_alter_configs_response *p
        = kit_call(k, API_INCREMENTAL_ALTER_CONFIGS, version, q);

    assert_int_equal(p->responses.n, q->resources.n);
    assert_int_equal(p->responses.v[0].resource_type,
        q->resources.v[0].resource_type);
    assert_true(span_eq(p->responses.v[0].resource_name,
        q->resources.v[0].resource_name));
    if (p->responses.v[0].error_code == KERR_NONE)
        assert_null(p->responses.v[0].error_message.ptr);
    else
        assert_true(p->responses.v[0].error_message.len > 0);
    return p->responses.v[0].error_code;
}

static int
alter(struct kit *k, int type, const char *name, int op, const char *key,
    const char *value)
{
    struct incremental_alter_configs_request *q
        = alter_request(k, type, name, 1);

    q->resources.v[0].configs.v[0].name = S(key);
    q->resources.v[0].configs.v[0].config_operation = (int8_t)op;
    q->resources.v[0].configs.v[0].value = S(value);
    return alter_send(k, 1, q);
}

static int
replace(struct kit *k, int version, int type, const char *name,
    const char *key, const char *value)
{
    struct alter_configs_request *q = KIT_NEW(k, alter_configs_request);
    const struct alter_configs_response *p;

    KIT_LIST(k, q->resources, alter_configs_request_resource, 1);
    q->resources.v[0].resource_type = (int8_t)type;
    q->resources.v[0].resource_name = S(name);
    KIT_LIST(k, q->resources.v[0].configs, alter_configs_request_config,
        key == NULL ? 0 : 1);
    if (key != NULL) {
        q->resources.v[0].configs.v[0].name = S(key);
        q->resources.v[0].configs.v[0].value = S(value);
    }
    p = kit_call(k, API_ALTER_CONFIGS, version, q);
    assert_int_equal(p->responses.n, 1);
    return p->responses.v[0].error_code;
}

/* The line of DescribeConfigs; NULL: there is none. */
static const struct describe_configs_response_config *
line(struct kit *k, int type, const char *name, const char *key)
{
    struct describe_configs_request *q = KIT_NEW(k, describe_configs_request);
    const struct describe_configs_response *p;

    KIT_LIST(k, q->resources, describe_configs_request_resource, 1);
    q->resources.v[0].resource_type = (int8_t)type;
    q->resources.v[0].resource_name = S(name);
    q->resources.v[0].configuration_keys.n = -1;
    q->include_synonyms = true;
    p = kit_call(k, API_DESCRIBE_CONFIGS, 4, q);
    assert_error(p->results.v[0].error_code, KERR_NONE);
    for (int i = 0; i < p->results.v[0].configs.n; i++)
        if (span_eq(p->results.v[0].configs.v[i].name, S(key)))
            return &p->results.v[0].configs.v[i];
    return NULL;
}

#define assert_line(k, type, name, key, want, from)                            \
    do {                                                                       \
        const struct describe_configs_response_config *l_                      \
            = line(k, type, name, key);                                        \
        assert_non_null(l_);                                                   \
        assert_span(l_->value, want);                                          \
        assert_int_equal(l_->config_source, from);                             \
    } while (0)

static const struct topic_config *
config_of(struct kit *k, const char *name)
{
    return &topics_find(api_topics(k->api), S(name))->config;
}

/* ---- topics ---- */

static void
test_topic(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "a", 3);
    assert_error(alter(k, TOPIC, "a", SET, "retention.ms", "5000"),
        KERR_NONE);
    assert_line(k, TOPIC, "a", "retention.ms", "5000", 1);
    kit_crash(k);
    assert_line(k, TOPIC, "a", "retention.ms", "5000", 1);
    /* Whole: what is not named goes back. */
    for (int v = 0; v <= 2; v++) {
        assert_error(replace(k, v, TOPIC, "a", "segment.bytes", "2000000"),
            KERR_NONE);
        assert_line(k, TOPIC, "a", "segment.bytes", "2000000", 1);
        assert_line(k, TOPIC, "a", "retention.ms", "604800000", 5);
    }
    assert_error(replace(k, 2, TOPIC, "a", NULL, NULL), KERR_NONE);
    assert_int_equal(config_of(k, "a")->count, 0);
    assert_error(alter(k, TOPIC, "a", DELETE, "segment.bytes", NULL),
        KERR_NONE);
}

static void
test_lists(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "a", 1);
    assert_error(alter(k, TOPIC, "a", APPEND, "cleanup.policy",
        "compact,delete"), KERR_NONE);
    assert_line(k, TOPIC, "a", "cleanup.policy", "delete,compact", 1);
    assert_error(alter(k, TOPIC, "a", SUBTRACT, "cleanup.policy",
        "delete"), KERR_NONE);
    assert_line(k, TOPIC, "a", "cleanup.policy", "compact", 1);
    assert_error(alter(k, TOPIC, "a", APPEND, "cleanup.policy", "burn"),
        KERR_INVALID_CONFIG);
    assert_error(alter(k, TOPIC, "a", APPEND, "retention.ms", "1"),
        KERR_INVALID_CONFIG);
    assert_error(alter(k, TOPIC, "a", SET,
        "leader.replication.throttled.replicas", "0:1,1:1"), KERR_NONE);
    assert_error(alter(k, TOPIC, "a", SUBTRACT,
        "leader.replication.throttled.replicas", "0:1"), KERR_NONE);
    assert_line(k, TOPIC, "a", "leader.replication.throttled.replicas",
        "1:1", 1);
}

static void
test_refusals(void **state)
{
    struct kit *k = *state;
    static const char *const bad[][2] = {
        {"retention.ms", "soon"}, {"retention.ms", "-2"},
        {"retention.ms", ""}, {"segment.bytes", "1"},
        {"segment.bytes", "99999999999999999999"},
        {"cleanup.policy", "burn"}, {"preallocate", "1"},
        {"min.cleanable.dirty.ratio", "nan"},
        {"compression.gzip.level", "0"}, {"compression.gzip.level", "10"},
        {"min.compaction.lag.ms", "9223372036854775808"},
        {"leader.replication.throttled.replicas", "all"},
        {"leader.replication.throttled.replicas", "0:1,"},
        {"leader.replication.throttled.replicas", "0:"},
        {"remote.storage.enable", "true"}, {"no.such", "1"}, {"", ""},
    };

    kit_topic(k, "a", 1);
    for (size_t i = 0; i < countof(bad); i++) {
        assert_error(alter(k, TOPIC, "a", SET, bad[i][0], bad[i][1]),
            KERR_INVALID_CONFIG);
        assert_error(replace(k, 2, TOPIC, "a", bad[i][0], bad[i][1]),
            KERR_INVALID_CONFIG);
    }
    assert_error(alter(k, TOPIC, "a", SET, "retention.ms", NULL),
        KERR_INVALID_REQUEST);
    assert_error(alter(k, TOPIC, "a", 4, "retention.ms", "5"),
        KERR_INVALID_REQUEST);
    assert_error(alter(k, TOPIC, "a", -1, "retention.ms", "5"),
        KERR_INVALID_REQUEST);
    assert_error(alter(k, TOPIC, "none", SET, "retention.ms", "5"),
        KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_error(alter(k, TOPIC, "no/name", SET, "retention.ms", "5"),
        KERR_INVALID_TOPIC_EXCEPTION);
    assert_error(alter(k, LOGGER, "1", SET, "root", "DEBUG"),
        KERR_INVALID_REQUEST);
    assert_error(alter(k, METRICS, "m", SET, "interval.ms", "5"),
        KERR_INVALID_REQUEST);
    assert_error(alter(k, 0, "a", SET, "retention.ms", "5"),
        KERR_INVALID_REQUEST);
    assert_error(alter(k, TOPIC, "a", SET, "max.compaction.lag.ms", "5"),
        KERR_NONE);
    assert_error(alter(k, TOPIC, "a", SET, "min.compaction.lag.ms", "6"),
        KERR_INVALID_CONFIG);
    assert_int_equal(config_of(k, "a")->count, 1);
}

/* Which of two was meant? */
static void
test_twice(void **state)
{
    struct kit *k = *state;
    struct incremental_alter_configs_request *q
        = alter_request(k, TOPIC, "a", 2);
    const struct incremental_alter_configs_response *p;

    kit_topic(k, "a", 1);
    q->resources.v[0].configs.v[0].name = S("retention.ms");
    q->resources.v[0].configs.v[0].value = S("5");
    q->resources.v[0].configs.v[1] = q->resources.v[0].configs.v[0];
    assert_error(alter_send(k, 0, q), KERR_INVALID_REQUEST);
    KIT_LIST(k, q->resources, incremental_alter_configs_request_resource, 3);
    for (int i = 0; i < 3; i++) {
        q->resources.v[i].resource_type = i == 1 ? BROKER : TOPIC;
        q->resources.v[i].resource_name = S(i == 1 ? "1" : "a");
    }
    p = kit_call(k, API_INCREMENTAL_ALTER_CONFIGS, 1, q);
    assert_error(p->responses.v[0].error_code, KERR_INVALID_REQUEST);
    assert_error(p->responses.v[1].error_code, KERR_NONE);
    assert_error(p->responses.v[2].error_code, KERR_INVALID_REQUEST);
    assert_int_equal(config_of(k, "a")->count, 0);
}

static void
test_dry(void **state)
{
    struct kit *k = *state;
    struct incremental_alter_configs_request *q;

    kit_topic(k, "a", 1);
    for (int i = 0; i < 3; i++) {
        static const int types[] = {TOPIC, BROKER, GROUP};
        static const char *const names[] = {"a", "1", "g"};
        static const char *const keys[] = {"retention.ms",
            "log.retention.ms", "consumer.session.timeout.ms"};

        q = alter_request(k, types[i], names[i], 1);
        q->validate_only = true;
        q->resources.v[0].configs.v[0].name = S(keys[i]);
        q->resources.v[0].configs.v[0].value = S("50000");
        assert_error(alter_send(k, 1, q), KERR_NONE);
        assert_line(k, types[i], names[i], keys[i],
            i < 2 ? "604800000" : "45000", 5);
    }
}

/* ---- the broker ---- */

static void
test_broker(void **state)
{
    struct kit *k = *state;

    kit_topic(k, "a", 2);
    kit_topic(k, "b", 1);
    assert_error(alter(k, TOPIC, "b", SET, "retention.ms", "7"), KERR_NONE);
    assert_error(alter(k, BROKER, "", SET, "log.retention.ms", "5"),
        KERR_NONE);
    assert_line(k, TOPIC, "a", "retention.ms", "5", 3);
    assert_line(k, TOPIC, "b", "retention.ms", "7", 1);
    assert_line(k, BROKER, "", "log.retention.ms", "5", 3);
    assert_line(k, BROKER, "1", "log.retention.ms", "5", 3);
    assert_int_equal(topic_config_int(config_of(k, "a"), "retention.ms"), 5);
    assert_error(alter(k, BROKER, "1", SET, "log.retention.ms", "6"),
        KERR_NONE);
    assert_line(k, TOPIC, "a", "retention.ms", "6", 2);
    assert_line(k, BROKER, "1", "log.retention.ms", "6", 2);
    assert_int_equal(line(k, TOPIC, "b", "retention.ms")->synonyms.n, 4);
    kit_crash(k);
    assert_line(k, TOPIC, "a", "retention.ms", "6", 2);
    kit_topic(k, "c", 1);
    assert_int_equal(topic_config_int(config_of(k, "c"), "retention.ms"), 6);
    assert_error(alter(k, BROKER, "1", DELETE, "log.retention.ms", NULL),
        KERR_NONE);
    assert_line(k, TOPIC, "a", "retention.ms", "5", 3);
    assert_error(replace(k, 2, BROKER, "", NULL, NULL), KERR_NONE);
    kit_restart(k);
    assert_line(k, TOPIC, "a", "retention.ms", "604800000", 5);
    assert_null(line(k, BROKER, "", "log.retention.ms"));
}

static void
test_broker_refusals(void **state)
{
    struct kit *k = *state;

    assert_error(alter(k, BROKER, "1", SET, "broker.id", "2"),
        KERR_INVALID_REQUEST);
    assert_error(alter(k, BROKER, "1", SET, "num.partitions", "2"),
        KERR_INVALID_REQUEST);
    assert_error(alter(k, BROKER, "1", SET, "log.flush.interval.ms", "2"),
        KERR_INVALID_REQUEST);
    assert_error(alter(k, BROKER, "1", SET, "retention.ms", "2"),
        KERR_INVALID_REQUEST);
    assert_error(alter(k, BROKER, "2", SET, "log.retention.ms", "2"),
        KERR_INVALID_REQUEST);
    assert_error(alter(k, BROKER, "01", SET, "log.retention.ms", "2"),
        KERR_INVALID_REQUEST);
    assert_error(alter(k, BROKER, "1", SET, "log.retention.ms", "x"),
        KERR_INVALID_CONFIG);
}

/* ---- groups ---- */

static void
test_group(void **state)
{
    struct kit *k = *state;
    static const char key[] = "consumer.session.timeout.ms";

    assert_line(k, GROUP, "g", key, "45000", 5);
    assert_error(alter(k, GROUP, "g", SET, key, "50000"), KERR_NONE);
    assert_line(k, GROUP, "g", key, "50000", 8);
    assert_line(k, GROUP, "other", key, "45000", 5);
    kit_crash(k);
    assert_line(k, GROUP, "g", key, "50000", 8);
    assert_error(alter(k, GROUP, "g", SET, key, "1"), KERR_INVALID_CONFIG);
    assert_error(alter(k, GROUP, "g", SET, "share.isolation.level", "x"),
        KERR_INVALID_CONFIG);
    assert_error(alter(k, GROUP, "g", SET, "share.auto.offset.reset",
        "by_duration:PT1H"), KERR_NONE);
    assert_error(alter(k, GROUP, "g", SET, "retention.ms", "1"),
        KERR_INVALID_CONFIG);
    assert_error(alter(k, GROUP, "", SET, key, "50000"),
        KERR_INVALID_REQUEST);
    assert_error(replace(k, 2, GROUP, "g", NULL, NULL), KERR_NONE);
    assert_line(k, GROUP, "g", key, "45000", 5);
    kit_restart(k);
    assert_line(k, GROUP, "g", key, "45000", 5);
}

/* ---- ListConfigResources ---- */

static const struct list_config_resources_response *
list(struct kit *k, int version, const int8_t *types, int n)
{
    struct list_config_resources_request *q
        = KIT_NEW(k, list_config_resources_request);

    q->resource_types.v = kit_alloc(k, (size_t)n);
    if (n > 0)
        memcpy(q->resource_types.v, types, (size_t)n);
    q->resource_types.n = n;
    return kit_call(k, API_LIST_CONFIG_RESOURCES, version, q);
}

static void
test_list(void **state)
{
    struct kit *k = *state;
    const struct list_config_resources_response *p;
    static const int8_t groups[] = {GROUP}, none[] = {GROUP, 3},
        metrics[] = {METRICS};

    kit_topic(k, "a", 1);
    assert_error(alter(k, GROUP, "g", SET, "consumer.session.timeout.ms",
        "50000"), KERR_NONE);
    p = list(k, 1, NULL, 0);
    assert_error(p->error_code, KERR_NONE);
    assert_int_equal(p->config_resources.n, 4); /* topic, broker, its logger */
    p = list(k, 1, groups, 1);
    assert_int_equal(p->config_resources.n, 1);
    assert_span(p->config_resources.v[0].resource_name, "g");
    assert_int_equal(p->config_resources.v[0].resource_type, GROUP);
    assert_int_equal(list(k, 1, metrics, 1)->config_resources.n, 0);
    assert_error(list(k, 1, none, 2)->error_code, KERR_UNSUPPORTED_VERSION);
    p = list(k, 0, NULL, 0);
    assert_error(p->error_code, KERR_NONE);
    assert_int_equal(p->config_resources.n, 0);
}

/* A group's name and its settings are bounded. */
static void
test_hostile(void **state)
{
    struct kit *k = *state;
    char name[300];
    struct incremental_alter_configs_request *q;

    memset(name, 'g', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_error(alter(k, GROUP, name, SET, "consumer.session.timeout.ms",
        "50000"), KERR_INVALID_REQUEST);
    q = alter_request(k, GROUP, "g", 1);
    q->resources.v[0].resource_name = span_of("a\0b", 3);
    q->resources.v[0].configs.v[0].name = S("consumer.session.timeout.ms");
    q->resources.v[0].configs.v[0].value = S("50000");
    assert_error(alter_send(k, 1, q), KERR_INVALID_REQUEST);
    q = alter_request(k, TOPIC, "a", 0);
    KIT_LIST(k, q->resources, incremental_alter_configs_request_resource, 0);
    assert_int_equal(((const struct incremental_alter_configs_response *)
        kit_call(k, API_INCREMENTAL_ALTER_CONFIGS, 1, q))->responses.n, 0);
}

int
main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, kit_setup,           \
    kit_teardown)
    const struct CMUnitTest tests[] = {
        STORY(test_topic),
        STORY(test_lists),
        STORY(test_refusals),
        STORY(test_twice),
        STORY(test_dry),
        STORY(test_broker),
        STORY(test_broker_refusals),
        STORY(test_group),
        STORY(test_list),
        STORY(test_hostile),
    };

    return cmocka_run_group_tests_name("api/alter", tests, NULL, NULL);
}
