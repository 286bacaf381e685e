/* DescribeConfigs over the wire. */
#include "config.h"

#include "kit.h"
#include "partition/topic_config.h"

enum { TOPIC = 2, BROKER = 4, LOGGER = 8, METRICS = 16, GROUP = 32 };

static const struct describe_configs_response_resource *
describe(struct kit *k, int version, int type, const char *name,
    const char *key)
{
    struct describe_configs_request *q = KIT_NEW(k, describe_configs_request);
    const struct describe_configs_response *p;

    KIT_LIST(k, q->resources, describe_configs_request_resource, 1);
    q->resources.v[0].resource_type = (int8_t)type;
    q->resources.v[0].resource_name = S(name);
    q->resources.v[0].configuration_keys.n = -1;
    if (key != NULL) {
        q->resources.v[0].configuration_keys.v
            = kit_alloc(k, sizeof(struct span));
        q->resources.v[0].configuration_keys.v[0] = S(key);
        q->resources.v[0].configuration_keys.n = 1;
    }
    q->include_synonyms = true;
    q->include_documentation = true;
    p = kit_call(k, API_DESCRIBE_CONFIGS, version, q);
    assert_int_equal(p->results.n, 1);
    assert_int_equal(p->results.v[0].resource_type, type);
    assert_span(p->results.v[0].resource_name, name);
    return &p->results.v[0];
}

static const struct describe_configs_response_config *
config_of(const struct describe_configs_response_resource *r,
    const char *name)
{
    for (int i = 0; i < r->configs.n; i++)
        if (span_eq(r->configs.v[i].name, S(name)))
            return &r->configs.v[i];
    fail_msg("no config %s", name);
    return NULL;
}

static void
make_topic(struct kit *k, const char *name, const char *config, char *value)
{
    struct topic_setting s = {config_def_find(S(config)), value};
    struct topic_new n = {.name = S(name), .partitions = 1, .settings = &s,
        .setting_count = 1};
    struct err err;

    assert_error(topics_create(api_topics(k->api), &n, false, NULL, &err),
        KERR_NONE);
}

static void
test_topic(void **state)
{
    struct kit *k = *state;
    char value[] = "1234";
    size_t defs = 0;

    while (config_def_nth(defs) != NULL)
        defs++;
    make_topic(k, "orders", "retention.ms", value);
    kit_restart(k);
    for (int v = 1; v <= 4; v++) {
        const struct describe_configs_response_resource *r
            = describe(k, v, TOPIC, "orders", NULL);
        const struct describe_configs_response_config *c;

        assert_error(r->error_code, KERR_NONE);
        assert_span(r->error_message, NULL);
        assert_int_equal(r->configs.n, defs);
        c = config_of(r, "retention.ms");
        assert_span(c->value, "1234");
        assert_int_equal(c->config_source, 1);
        assert_false(c->read_only);
        assert_false(c->is_sensitive);
        assert_int_equal(c->synonyms.n, 2);
        assert_span(c->synonyms.v[0].name, "retention.ms");
        assert_span(c->synonyms.v[0].value, "1234");
        assert_int_equal(c->synonyms.v[0].source, 1);
        assert_span(c->synonyms.v[1].name, "log.retention.ms");
        assert_span(c->synonyms.v[1].value, "604800000");
        assert_int_equal(c->synonyms.v[1].source, 5);
        if (v >= 3) {
            assert_int_equal(c->config_type, CONFIG_LONG);
            assert_true(c->documentation.len > 10);
        }
        c = config_of(r, "max.message.bytes");
        assert_span(c->value, "1048588");
        assert_int_equal(c->config_source, 5);
        assert_int_equal(c->synonyms.n, 1);
        assert_span(c->synonyms.v[0].name, "message.max.bytes");
        /* Kafka Streams wants to read these four. */
        assert_span(config_of(r, "cleanup.policy")->value, "delete");
        assert_span(config_of(r, "retention.bytes")->value, "-1");
        assert_span(config_of(r, "min.compaction.lag.ms")->value, "0");
        r = describe(k, v, TOPIC, "orders", "segment.bytes");
        assert_int_equal(r->configs.n, 1);
        assert_span(r->configs.v[0].value, "1073741824");
        assert_int_equal(describe(k, v, TOPIC, "orders", "no.such")
            ->configs.n, 0);
    }
}

static void
test_plain_answer(void **state)
{
    struct kit *k = *state;
    struct describe_configs_request *q = KIT_NEW(k, describe_configs_request);
    const struct describe_configs_response *p;
    static const char *const names[] = {"a", "b", "a"};

    kit_topic(k, "a", 1);
    kit_topic(k, "b", 1);
    KIT_LIST(k, q->resources, describe_configs_request_resource, 3);
    for (int i = 0; i < 3; i++) {
        q->resources.v[i].resource_type = TOPIC;
        q->resources.v[i].resource_name = S(names[i]);
        /* Empty is all, as null is. */
        q->resources.v[i].configuration_keys.n = i == 0 ? 0 : -1;
    }
    p = kit_call(k, API_DESCRIBE_CONFIGS, 4, q);
    assert_int_equal(p->results.n, 3);
    for (int i = 0; i < 3; i++) {
        assert_span(p->results.v[i].resource_name, names[i]);
        assert_true(p->results.v[i].configs.n > 30);
        assert_int_equal(p->results.v[i].configs.v[0].synonyms.n, 0);
        assert_span(p->results.v[i].configs.v[0].documentation, NULL);
    }
    q->resources.n = 0;
    p = kit_call(k, API_DESCRIBE_CONFIGS, 4, q);
    assert_int_equal(p->results.n, 0);
}

static void
test_broker(void **state)
{
    struct kit *k = *state;
    const struct describe_configs_response_resource *r;
    char listener[64];

    k->opts.partitions = 7;
    k->opts.auto_create = true;
    kit_restart(k);
    for (int v = 1; v <= 4; v++) {
        r = describe(k, v, BROKER, "1", NULL);
        assert_error(r->error_code, KERR_NONE);
        assert_span(config_of(r, "num.partitions")->value, "7");
        assert_span(config_of(r, "broker.id")->value, "1");
        assert_span(config_of(r, "auto.create.topics.enable")->value, "true");
        assert_span(config_of(r, "message.max.bytes")->value, "1048588");
        assert_span(config_of(r, "log.retention.ms")->value, "604800000");
        snprintf(listener, sizeof listener, "PLAINTEXT://127.0.0.1:%u",
            k->port);
        assert_span(config_of(r, "advertised.listeners")->value, listener);
        assert_true(config_of(r, "num.partitions")->read_only);
        assert_true(config_of(r, "log.flush.interval.ms")->read_only);
        assert_false(config_of(r, "log.retention.ms")->read_only);
        for (int i = 0; i < r->configs.n; i++)
            assert_true(r->configs.v[i].name.len > 0);
        r = describe(k, v, BROKER, "1", "num.partitions");
        assert_int_equal(r->configs.n, 1);
        assert_int_equal(r->configs.v[0].config_source, 4);
        r = describe(k, v, BROKER, "", NULL);
        assert_error(r->error_code, KERR_NONE);
        assert_int_equal(r->configs.n, 0);
    }
    k->opts.advertised_host = "shop.example";
    k->opts.advertised_port = 19092;
    kit_restart(k);
    r = describe(k, 4, BROKER, "1", "advertised.listeners");
    assert_span(r->configs.v[0].value, "PLAINTEXT://shop.example:19092");
}

static void
test_refusals(void **state)
{
    struct kit *k = *state;

    for (int v = 1; v <= 4; v++) {
        assert_error(describe(k, v, TOPIC, "missing", NULL)->error_code,
            KERR_UNKNOWN_TOPIC_OR_PARTITION);
        assert_error(describe(k, v, TOPIC, "", NULL)->error_code,
            KERR_INVALID_TOPIC_EXCEPTION);
        assert_error(describe(k, v, TOPIC, "not/good", NULL)->error_code,
            KERR_INVALID_TOPIC_EXCEPTION);
        assert_error(describe(k, v, BROKER, "2", NULL)->error_code,
            KERR_INVALID_REQUEST);
        assert_error(describe(k, v, BROKER, "1 ", NULL)->error_code,
            KERR_INVALID_REQUEST);
        assert_error(describe(k, v, GROUP, "", NULL)->error_code,
            KERR_INVALID_REQUEST);
        assert_error(describe(k, v, LOGGER, "1", NULL)->error_code,
            KERR_INVALID_REQUEST);
        assert_error(describe(k, v, METRICS, "m", NULL)->error_code,
            KERR_INVALID_REQUEST);
        assert_error(describe(k, v, -1, "", NULL)->error_code,
            KERR_INVALID_REQUEST);
    }
}

/* Ten thousand topics share what they have in common; ten thousand brokers
 * would not, and are too much. */
static void
test_many_resources(void **state)
{
    struct kit *k = *state;
    struct describe_configs_request *q = KIT_NEW(k, describe_configs_request);
    const struct describe_configs_response *p;
    struct client *c = kit_connect(k);

    kit_topic(k, "orders", 1);
    KIT_LIST(k, q->resources, describe_configs_request_resource, 10000);
    for (int i = 0; i < 10000; i++) {
        q->resources.v[i].resource_type = TOPIC;
        q->resources.v[i].resource_name = S("orders");
        q->resources.v[i].configuration_keys.n = -1;
    }
    p = client_call(c, API_DESCRIBE_CONFIGS, 4, q);
    assert_int_equal(p->results.n, 10000);
    assert_true(p->results.v[9999].configs.n > 30);
    for (int i = 0; i < 10000; i++) {
        q->resources.v[i].resource_type = BROKER;
        q->resources.v[i].resource_name = S("1");
    }
    client_send(c, API_DESCRIBE_CONFIGS, 4, q);
    client_expect_closed(c);
}

int
main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, kit_setup,           \
    kit_teardown)
    const struct CMUnitTest tests[] = {
        STORY(test_topic),
        STORY(test_plain_answer),
        STORY(test_broker),
        STORY(test_refusals),
        STORY(test_many_resources),
    };

    return cmocka_run_group_tests_name("api/configs", tests, NULL, NULL);
}
