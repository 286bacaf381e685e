/* Client quotas: set, told and enforced, over the wire. */
#include "config.h"

#include "kit.h"
#include "record/batch.h"
#include "wire/msg/fetch.h"
#include "wire/msg/produce.h"

enum { EXACT, DEFAULT, ANY };

/* ---- requests ---- */

/* "user=alice,client-id=*": the entity; ~ is the default. */
static int
entity_of(struct kit *k, const char *text,
    struct alter_client_quotas_request_entity *v)
{
    int n = 0;

    while (*text != '\0') {
        size_t type = strcspn(text, "="), name;

        assert_true(text[type] == '=');
        name = strcspn(text + type + 1, ",");
        v[n].entity_type = kit_text(k, "%.*s", (int)type, text);
        v[n].entity_name = text[type + 1] == '~' ? SPAN_NULL
            : kit_text(k, "%.*s", (int)name, text + type + 1);
        text += type + 1 + name;
        text += *text == ',';
        n++;
    }
    return n;
}

static struct alter_client_quotas_request *
quota_request(struct kit *k, const char *entity, const char *key,
    double value)
{
    struct alter_client_quotas_request *q
        = KIT_NEW(k, alter_client_quotas_request);

    KIT_LIST(k, q->entries, alter_client_quotas_request_entry, 1);
    KIT_LIST(k, q->entries.v[0].entity, alter_client_quotas_request_entity,
        8);
    q->entries.v[0].entity.n = entity_of(k, entity,
        q->entries.v[0].entity.v);
    KIT_LIST(k, q->entries.v[0].ops, alter_client_quotas_request_op, 1);
    q->entries.v[0].ops.v[0].key = S(key);
    q->entries.v[0].ops.v[0].value = value;
    q->entries.v[0].ops.v[0].remove = value < 0 && value > -2;
    return q;
}

/* value -1: taken back. */
static int
quota(struct kit *k, const char *entity, const char *key, double value)
{
    const struct alter_client_quotas_response *p = kit_call(k,
        API_ALTER_CLIENT_QUOTAS, 1, quota_request(k, entity, key, value));

    assert_int_equal(p->entries.n, 1);
    return p->entries.v[0].error_code;
}

static const struct describe_client_quotas_response *
told(struct kit *k, int version, const char *type, int how, const char *name,
    bool strict)
{
    struct describe_client_quotas_request *q
        = KIT_NEW(k, describe_client_quotas_request);

    KIT_LIST(k, q->components, describe_client_quotas_request_component,
        type == NULL ? 0 : 1);
    if (type != NULL) {
        q->components.v[0].entity_type = S(type);
        q->components.v[0].match_type = (int8_t)how;
        q->components.v[0].match = S(name);
    }
    q->strict = strict;
    return kit_call(k, API_DESCRIBE_CLIENT_QUOTAS, version, q);
}

/* ---- what is set ---- */

static void
test_set_and_told(void **state)
{
    struct kit *k = *state;
    const struct describe_client_quotas_response *p;

    assert_error(quota(k, "user=a,client-id=c", "producer_byte_rate", 5),
        KERR_NONE);
    assert_error(quota(k, "user=a", "producer_byte_rate", 6), KERR_NONE);
    assert_error(quota(k, "user=a", "request_percentage", 0.5), KERR_NONE);
    assert_error(quota(k, "user=~", "consumer_byte_rate", 7), KERR_NONE);
    assert_error(quota(k, "client-id=c", "controller_mutation_rate", 1.5),
        KERR_NONE);
    assert_error(quota(k, "ip=::1", "connection_creation_rate", 9),
        KERR_NONE);
    kit_crash(k);
    for (int v = 0; v <= 1; v++) {
        assert_int_equal(told(k, v, NULL, 0, NULL, false)->entries.n, 5);
        p = told(k, v, "user", EXACT, "a", true);
        assert_error(p->error_code, KERR_NONE);
        assert_int_equal(p->entries.n, 1);
        assert_int_equal(p->entries.v[0].entity.n, 1);
        assert_span(p->entries.v[0].entity.v[0].entity_type, "user");
        assert_span(p->entries.v[0].entity.v[0].entity_name, "a");
        assert_int_equal(p->entries.v[0].values.n, 2);
        assert_span(p->entries.v[0].values.v[0].key, "producer_byte_rate");
        assert_true(p->entries.v[0].values.v[0].value == 6);
        assert_true(p->entries.v[0].values.v[1].value == 0.5);
        assert_int_equal(told(k, v, "user", EXACT, "a", false)->entries.n, 2);
        assert_int_equal(told(k, v, "user", ANY, NULL, false)->entries.n, 3);
        p = told(k, v, "user", DEFAULT, NULL, false);
        assert_int_equal(p->entries.n, 1);
        assert_span(p->entries.v[0].entity.v[0].entity_name, NULL);
        assert_int_equal(told(k, v, "ip", EXACT, "::1", true)->entries.n, 1);
        assert_int_equal(told(k, v, "user", EXACT, "b", false)->entries.n, 0);
    }
    assert_error(quota(k, "user=a", "producer_byte_rate", -1), KERR_NONE);
    assert_error(quota(k, "user=a", "request_percentage", -1), KERR_NONE);
    kit_restart(k);
    assert_int_equal(told(k, 1, "user", EXACT, "a", true)->entries.n, 0);
    assert_int_equal(told(k, 1, NULL, 0, NULL, false)->entries.n, 4);
}

static void
test_refusals(void **state)
{
    struct kit *k = *state;
    struct alter_client_quotas_request *q;
    const struct alter_client_quotas_response *p;
    static const struct {
        const char *entity, *key;
        double value;
    } bad[] = {
        {"", "producer_byte_rate", 1}, {"host=a", "producer_byte_rate", 1},
        {"user=", "producer_byte_rate", 1},
        {"user=a,user=b", "producer_byte_rate", 1},
        {"user=a", "no_such", 1}, {"user=a", "producer_byte_rate", 0},
        {"user=a", "producer_byte_rate", -5},
        {"user=a", "producer_byte_rate", 1.5},
        {"user=a", "producer_byte_rate", 1e30},
        {"user=a", "connection_creation_rate", 1},
        {"ip=1.2.3.4", "producer_byte_rate", 1},
        {"ip=1.2.3.4,user=a", "connection_creation_rate", 1},
        {"ip=here", "connection_creation_rate", 1},
    };

    for (size_t i = 0; i < countof(bad); i++)
        assert_error(quota(k, bad[i].entity, bad[i].key, bad[i].value),
            KERR_INVALID_REQUEST);
    q = quota_request(k, "user=a", "producer_byte_rate", 1);
    q->entries.v[0].ops.v[0].value = __builtin_nan("");
    p = kit_call(k, API_ALTER_CLIENT_QUOTAS, 1, q);
    assert_error(p->entries.v[0].error_code, KERR_INVALID_REQUEST);
    assert_true(p->entries.v[0].error_message.len > 0);
    q = quota_request(k, "user=a", "producer_byte_rate", 1);
    q->entries.v[0].entity.v[0].entity_name = span_of("a\0b", 3);
    p = kit_call(k, API_ALTER_CLIENT_QUOTAS, 0, q);
    assert_error(p->entries.v[0].error_code, KERR_INVALID_REQUEST);
    q->entries.v[0].entity.v[0].entity_name
        = span_of(kit_alloc(k, 5000), 5000);
    p = kit_call(k, API_ALTER_CLIENT_QUOTAS, 0, q);
    assert_error(p->entries.v[0].error_code, KERR_INVALID_REQUEST);
    assert_int_equal(told(k, 1, NULL, 0, NULL, false)->entries.n, 0);
    assert_error(told(k, 1, "host", EXACT, "a", false)->error_code,
        KERR_UNSUPPORTED_VERSION);
    assert_error(told(k, 1, "", EXACT, "a", false)->error_code,
        KERR_INVALID_REQUEST);
    assert_error(told(k, 1, "user", EXACT, NULL, false)->error_code,
        KERR_INVALID_REQUEST);
    assert_error(told(k, 1, "user", ANY, "a", false)->error_code,
        KERR_INVALID_REQUEST);
    assert_error(told(k, 1, "user", 7, NULL, false)->error_code,
        KERR_INVALID_REQUEST);
}

static void
test_dry_and_twice(void **state)
{
    struct kit *k = *state;
    struct alter_client_quotas_request *q
        = quota_request(k, "user=a", "producer_byte_rate", 1);
    struct alter_client_quotas_request_entry one = q->entries.v[0];
    const struct alter_client_quotas_response *p;

    q->validate_only = true;
    p = kit_call(k, API_ALTER_CLIENT_QUOTAS, 1, q);
    assert_error(p->entries.v[0].error_code, KERR_NONE);
    assert_span(p->entries.v[0].entity.v[0].entity_name, "a");
    assert_int_equal(told(k, 1, NULL, 0, NULL, false)->entries.n, 0);
    q->validate_only = false;
    KIT_LIST(k, q->entries, alter_client_quotas_request_entry, 2);
    q->entries.v[0] = q->entries.v[1] = one;
    p = kit_call(k, API_ALTER_CLIENT_QUOTAS, 1, q);
    assert_error(p->entries.v[0].error_code, KERR_INVALID_REQUEST);
    assert_error(p->entries.v[1].error_code, KERR_INVALID_REQUEST);
    assert_int_equal(told(k, 1, NULL, 0, NULL, false)->entries.n, 0);
}

/* ---- what is enforced ---- */

static void
produce_send(struct kit *k, struct client *c, const char *topic, size_t bytes)
{
    struct produce_request *q = KIT_NEW(k, produce_request);
    struct batch_builder bb;
    uint8_t *value = kit_alloc(k, bytes);
    struct buf b;

    buf_init(&b, 4 * MIB);
    batch_builder_init(&bb, &b);
    batch_builder_add(&bb, 1000, SPAN_NULL, span_of(value, bytes), NULL, 0);
    assert_int_equal(batch_builder_end(&bb, &BATCH_BUILD_PLAIN, NULL), 0);
    q->acks = -1;
    KIT_LIST(k, q->topic_data, produce_request_topic, 1);
    q->topic_data.v[0].name = S(topic);
    KIT_LIST(k, q->topic_data.v[0].partition_data, produce_request_partition,
        1);
    q->topic_data.v[0].partition_data.v[0].records
        = arena_copy(&k->arena, buf_span(&b));
    buf_release(&b);
    client_send(c, API_PRODUCE, 9, q);
}

static const struct produce_response *
produce(struct kit *k, struct client *c, const char *topic, size_t bytes)
{
    produce_send(k, c, topic, bytes);
    return client_wait(c);
}

static const struct fetch_response *
fetch(struct kit *k, struct client *c, const char *topic, int64_t offset)
{
    struct fetch_request *q = KIT_NEW(k, fetch_request);

    q->max_bytes = 10 * (int32_t)MIB;
    KIT_LIST(k, q->topics, fetch_request_topic, 1);
    q->topics.v[0].topic = S(topic);
    KIT_LIST(k, q->topics.v[0].partitions, fetch_request_partition, 1);
    q->topics.v[0].partitions.v[0].fetch_offset = offset;
    q->topics.v[0].partitions.v[0].partition_max_bytes = 10 * (int32_t)MIB;
    return client_call(c, API_FETCH, 11, q);
}

/* The client's next request is not read before `ms` have passed. */
static void
assert_muted(struct kit *k, struct client *c, int64_t ms)
{
    client_send(c, API_LIST_GROUPS, 0, KIT_NEW(k, list_groups_request));
    client_expect_silence(c, true);
    k->ahead_ns += (ms - 500) * 1000000;
    client_expect_silence(c, true);
    kit_pass(k, 600);
    assert_non_null(client_wait(c));
}

static void
test_produce(void **state)
{
    struct kit *k = *state;
    struct client *c = kit_connect(k), *other = kit_connect(k);
    const struct produce_response *p;

    kit_topic(k, "a", 1);
    assert_error(quota(k, "client-id=kit", "producer_byte_rate", 1000),
        KERR_NONE);
    p = produce(k, c, "a", 9000); /* ten seconds' worth is free */
    assert_int_equal(p->throttle_time_ms, 0);
    p = produce(k, c, "a", 5000); /* all have this client id: one bucket */
    assert_true(p->throttle_time_ms > 3000);
    assert_true(p->throttle_time_ms < 5000);
    assert_muted(k, c, p->throttle_time_ms);
    p = produce(k, other, "a", 3000);
    assert_true(p->throttle_time_ms > 1000);
    assert_muted(k, other, p->throttle_time_ms);
    kit_pass(k, 20000);
    assert_int_equal(produce(k, c, "a", 5000)->throttle_time_ms, 0);
    assert_error(quota(k, "client-id=kit", "producer_byte_rate", -1),
        KERR_NONE);
    assert_int_equal(produce(k, c, "a", 50000)->throttle_time_ms, 0);
}

/* What was sent before the answer could be read waits as well. */
static void
test_pipelined(void **state)
{
    struct kit *k = *state;
    struct client *c = kit_connect(k);
    const struct produce_response *p;

    kit_topic(k, "a", 1);
    assert_error(quota(k, "client-id=kit", "producer_byte_rate", 1000),
        KERR_NONE);
    produce_send(k, c, "a", 14000);
    produce_send(k, c, "a", 10);
    client_send(c, API_LIST_GROUPS, 0, KIT_NEW(k, list_groups_request));
    p = client_wait(c);
    assert_true(p->throttle_time_ms > 3000);
    client_expect_silence(c, true);
    kit_pass(k, p->throttle_time_ms + 1000);
    p = client_wait(c);
    assert_error(p->responses.v[0].partition_responses.v[0].error_code,
        KERR_NONE);
    assert_non_null(client_wait(c));
}

/* One that goes while it is muted is let go of. */
static void
test_gone(void **state)
{
    struct kit *k = *state;
    struct client *c = kit_connect(k);

    kit_topic(k, "a", 1);
    assert_error(quota(k, "client-id=kit", "producer_byte_rate", 1000),
        KERR_NONE);
    assert_true(produce(k, c, "a", 900000)->throttle_time_ms > 800000);
    client_reset(c);
    c = kit_connect(k);
    produce_send(k, c, "a", 900000);
    kit_pass(k, 2000);
    kit_restart(k); /* muted as it ends */
    assert_int_equal(produce(k, kit_connect(k), "a", 10)->throttle_time_ms,
        0);
}

static void
test_fetch(void **state)
{
    struct kit *k = *state;
    struct client *c = kit_connect(k);
    const struct fetch_response *p;

    kit_topic(k, "a", 1);
    for (int i = 0; i < 4; i++)
        produce(k, c, "a", 9000);
    assert_error(quota(k, "user=~", "consumer_byte_rate", 1000), KERR_NONE);
    p = fetch(k, c, "a", 0);
    /* No more than ten seconds' worth in one answer, but for one batch. */
    assert_true(p->responses.v[0].partitions.v[0].records.len < 20000);
    assert_true(p->responses.v[0].partitions.v[0].records.len > 9000);
    p = fetch(k, c, "a", 1);
    assert_true(p->throttle_time_ms > 1000);
    assert_muted(k, c, p->throttle_time_ms);
}

static const struct create_topics_response *
create(struct kit *k, struct client *c, int version, const char *name, int n)
{
    struct create_topics_request *q = KIT_NEW(k, create_topics_request);

    KIT_LIST(k, q->topics, create_topics_request_topic, 1);
    q->topics.v[0].name = S(name);
    q->topics.v[0].num_partitions = n;
    q->topics.v[0].replication_factor = 1;
    return client_call(c, API_CREATE_TOPICS, version, q);
}

static void
test_mutations(void **state)
{
    struct kit *k = *state;
    struct client *c = kit_connect(k);
    const struct create_topics_response *p;

    assert_error(quota(k, "client-id=~", "controller_mutation_rate", 0.5),
        KERR_NONE);
    p = create(k, c, 7, "a", 8);
    assert_error(p->topics.v[0].error_code, KERR_NONE);
    assert_int_equal(p->throttle_time_ms, 0);
    p = create(k, c, 7, "b", 1);
    assert_error(p->topics.v[0].error_code,
        KERR_THROTTLING_QUOTA_EXCEEDED);
    assert_true(p->topics.v[0].error_message.len > 0);
    assert_true(p->throttle_time_ms > 4000);
    assert_muted(k, c, p->throttle_time_ms);
    assert_error(create(k, c, 7, "b", 2)->topics.v[0].error_code, KERR_NONE);
    /* An old client does not know the error: it is served and waits. */
    p = create(k, c, 5, "c", 1);
    assert_error(p->topics.v[0].error_code, KERR_NONE);
    assert_true(p->throttle_time_ms > 1000);
    assert_muted(k, c, p->throttle_time_ms);
}

static void
test_connections(void **state)
{
    struct kit *k = *state;
    struct client *c[12];

    assert_error(quota(k, "ip=127.0.0.1", "connection_creation_rate", 1),
        KERR_NONE);
    for (int i = 0; i < 12; i++) {
        c[i] = kit_connect(k);
        kit_turn(k, true);
    }
    client_send(c[0], API_LIST_GROUPS, 0, KIT_NEW(k, list_groups_request));
    assert_non_null(client_wait(c[0]));
    client_send(c[11], API_LIST_GROUPS, 0, KIT_NEW(k, list_groups_request));
    client_expect_silence(c[11], true);
    client_reset(c[10]); /* while it is muted */
    kit_pass(k, 3000);
    assert_non_null(client_wait(c[11]));
}

int
main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, kit_setup,           \
    kit_teardown)
    const struct CMUnitTest tests[] = {
        STORY(test_set_and_told),
        STORY(test_refusals),
        STORY(test_dry_and_twice),
        STORY(test_produce),
        STORY(test_pipelined),
        STORY(test_gone),
        STORY(test_fetch),
        STORY(test_mutations),
        STORY(test_connections),
    };

    return cmocka_run_group_tests_name("api/quotas", tests, NULL, NULL);
}
