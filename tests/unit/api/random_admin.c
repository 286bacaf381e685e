/*
 * Administrators who ask for anything: every field of every request of the
 * admin APIs, in every version, is drawn from words and numbers that mean
 * something and from some that do not, and bytes are spoilt on the way. The
 * broker must live, and what it says must be the same after it was killed.
 */
#include "config.h"

#include "kit.h"

enum { STEPS = 8000, CLIENTS = 4, CRASH_EVERY = 1000 };

struct random_test {
    struct kit *k;
    struct client *c[CLIENTS];
};

#define R(t, n) kit_random((t)->k, (n))

/* ---- any value ---- */

static const char *const words[] = {"a", "b", "c", "d", "", "1", "no/name",
    "*", "none", "0:1,1:1", "delete", "5000", "host", "user", "-1"};

/* What is often right in a field of that name; three in four are such. */
static const struct {
    const char *field, *words[8];
} fits[] = {
    {"topic", {"a", "b", "c", "d"}},
    {"resource_name", {"a", "b", "c", "1", ""}},
    {"entity_type", {"user", "client-id", "ip"}},
    {"entity_name", {"alice", "kit", "127.0.0.1"}},
    {"match", {"alice", "kit", "127.0.0.1"}},
    {"key", {"producer_byte_rate", "consumer_byte_rate",
        "request_percentage", "controller_mutation_rate",
        "connection_creation_rate"}},
    {"name", {"a", "b", "retention.ms", "log.retention.ms", "cleanup.policy",
        "log.segment.bytes", "consumer.session.timeout.ms",
        "segment.bytes"}},
    {"value", {"2000000", "compact", "50000", "50000", "delete,compact"}},
};

static int64_t
any_number(struct random_test *t)
{
    static const int64_t numbers[] = {-1, 0, 1, 2, 3, 4, 8, 16, 32, -2, 7,
        1000, INT16_MIN, INT16_MAX, INT32_MIN, INT32_MAX, INT64_MIN,
        INT64_MAX};

    return R(t, 8) == 0 ? (int64_t)R(t, UINT64_MAX)
                        : numbers[R(t, R(t, 3) == 0 ? countof(numbers) : 9)];
}

/* The same of numbers. */
static const struct {
    const char *field;
    int8_t numbers[4];
} counts[] = {
    {"resource_type", {2, 4, 32, 2}}, {"config_operation", {0, 0, 1, 2}},
    {"num_partitions", {1, 2, -1, 3}}, {"replication_factor", {1, -1, 1, 1}},
    {"count", {4, 5, 6, 7}}, {"match_type", {0, 1, 2, 0}},
};

static int64_t
number_for(struct random_test *t, const char *field)
{
    for (size_t i = R(t, 4) == 0 ? 99 : 0; i < countof(counts); i++)
        if (strcmp(counts[i].field, field) == 0)
            return counts[i].numbers[R(t, 4)];
    return any_number(t);
}

static struct span
any_word(struct random_test *t, const char *field)
{
    size_t n;
    uint8_t *p;

    for (size_t i = R(t, 4) == 0 ? 99 : 0; i < countof(fits); i++) {
        const char *word = fits[i].words[R(t, 8)];

        if (strcmp(fits[i].field, field) == 0 && word != NULL)
            return S(word);
    }
    if (R(t, 40) != 0)
        return S(words[R(t, countof(words))]);
    n = R(t, 3000);
    p = kit_alloc(t->k, n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)R(t, 256);
    return span_of(p, n);
}

static double
any_double(struct random_test *t)
{
    static const double doubles[] = {1, 1, 1000, 1e6, 0.5, 0, -1, 1e308};

    return doubles[R(t, R(t, 2) ? 4 : countof(doubles))];
}

static void any_struct(struct random_test *, const struct wire_type *, void *);

static size_t
kind_size(int kind)
{
    switch (kind) {
    case WIRE_BOOL:
    case WIRE_INT8:
        return 1;
    case WIRE_INT16:
        return 2;
    case WIRE_INT32:
        return 4;
    default:
        return sizeof(struct span);
    }
}

static void
any_value(struct random_test *t, const char *field, int kind, void *to)
{
    int64_t n = number_for(t, field);


    if (kind == WIRE_BOOL)
        *(bool *)to = R(t, 8) == 0;
    else if (kind == WIRE_INT8)
        *(int8_t *)to = (int8_t)n;
    else if (kind == WIRE_INT16)
        *(int16_t *)to = (int16_t)n;
    else if (kind == WIRE_INT32)
        *(int32_t *)to = (int32_t)n;
    else if (kind == WIRE_INT64)
        *(int64_t *)to = n;
    else if (kind == WIRE_FLOAT64)
        *(double *)to = any_double(t);
    else if (kind == WIRE_STRING)
        *(struct span *)to = any_word(t, field);
}

static void
any_array(struct random_test *t, const struct wire_field *f, void *to)
{
    size_t n = R(t, 20) == 0 ? R(t, 60) : R(t, 3) == 0 ? R(t, 4) : 1;
    size_t size = f->kind == WIRE_ARRAY ? f->type->size : kind_size(f->elem);
    struct wire_array *a = to;

    if (strcmp(f->name, "assignments") == 0 && R(t, 8) != 0)
        n = 0;
    a->n = (int32_t)n;
    a->v = f->kind == WIRE_ARRAY ? kit_new(t->k, f->type, n + 1)
                                 : kit_alloc(t->k, n * size);
    for (size_t i = 0; i < n; i++) {
        if (f->kind == WIRE_ARRAY)
            any_struct(t, f->type, (uint8_t *)a->v + i * size);
        else
            any_value(t, f->name, f->elem, (uint8_t *)a->v + i * size);
    }
}

static void
any_struct(struct random_test *t, const struct wire_type *type, void *to)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct wire_field *f = &type->fields[i];
        uint8_t *at = (uint8_t *)to + f->offset;
        void *one;

        if (f->nullable && R(t, 5) == 0)
            continue; /* what wire_init() made of it */
        if (f->kind == WIRE_ARRAY || f->kind == WIRE_LIST) {
            any_array(t, f, at);
        } else if (f->kind == WIRE_OPTION) {
            one = kit_new(t->k, f->type, 1);
            any_struct(t, f->type, one);
            memcpy(at, &one, sizeof one);
        } else {
            any_value(t, f->name, f->kind, at);
        }
    }
}

/* ---- steps ---- */

static void
mangle(struct kit *k, uint8_t *body, size_t len)
{
    if (kit_random(k, 6) != 0)
        return;
    for (size_t i = 0; i <= kit_random(k, 3); i++)
        body[kit_random(k, len)] = (uint8_t)kit_random(k, 256);
}

static void
send_something(struct random_test *t, struct client *c)
{
    static const int keys[] = {API_METADATA, API_CREATE_TOPICS,
        API_CREATE_TOPICS, API_CREATE_TOPICS, API_DELETE_TOPICS,
        API_DELETE_RECORDS,
        API_OFFSET_FOR_LEADER_EPOCH, API_DESCRIBE_CONFIGS, API_ALTER_CONFIGS,
        API_DESCRIBE_LOG_DIRS, API_CREATE_PARTITIONS, API_ELECT_LEADERS,
        API_INCREMENTAL_ALTER_CONFIGS, API_INCREMENTAL_ALTER_CONFIGS,
        API_ALTER_REASSIGNMENTS, API_LIST_REASSIGNMENTS,
        API_DESCRIBE_CLIENT_QUOTAS, API_ALTER_CLIENT_QUOTAS,
        API_ALTER_CLIENT_QUOTAS, API_DESCRIBE_CLUSTER,
        API_LIST_CONFIG_RESOURCES, API_DESCRIBE_TOPIC_PARTITIONS};
    int key = keys[R(t, countof(keys))];
    const struct wire_api *api = wire_api(key);
    int v = api->min + (int)R(t, (uint64_t)(api->max - api->min + 1));
    void *q = kit_new(t->k, api->request->type, 1);

    any_struct(t, api->request->type, q);
    client_send(c, key, v, q);
}

static void
step(struct random_test *t)
{
    struct client **c = &t->c[R(t, CLIENTS)];
    int key;

    if (*c == NULL)
        *c = kit_connect(t->k);
    if (client_asked(*c, &key))
        client_poll(*c);
    if (client_ended(*c) || R(t, 60) == 0) {
        if (R(t, 2))
            client_reset(*c);
        else
            client_close(*c);
        *c = NULL;
    } else if (!client_asked(*c, &key)) {
        send_something(t, *c);
    }
    if (R(t, 30) == 0)
        kit_pass(t->k, (int64_t)R(t, 20000));
    kit_turn(t->k, R(t, 3) != 0);
    topics_check(api_topics(t->k->api));
}

/* ---- what must not be lost ---- */

static void
dump_answer(struct kit *k, int key, const void *request, struct buf *out)
{
    const struct wire_api *api = wire_api(key);
    const void *answer = kit_call(k, key, api->max, request);

    wire_dump(api->response->type, api->max, answer, out);
    buf_put_u8(out, '\n');
}

/* Topics and all that is set, as the broker tells it. */
static void
dump_all(struct kit *k, struct buf *out)
{
    static const char *const groups[] = {"a", "b", "c", "d", "1", "kit"};
    struct describe_configs_request *q = KIT_NEW(k, describe_configs_request);
    struct describe_topic_partitions_request *all
        = KIT_NEW(k, describe_topic_partitions_request);
    struct omap_iter it;
    const struct topic *t;

    KIT_LIST(k, q->resources, describe_configs_request_resource, 500);
    q->resources.n = 0;
    for (size_t i = 0; i < countof(groups); i++) {
        q->resources.v[q->resources.n].resource_type = 32;
        q->resources.v[q->resources.n++].resource_name = S(groups[i]);
    }
    q->resources.v[q->resources.n++].resource_type = 4; /* of all brokers */
    omap_seek(&api_topics(k->api)->by_name, SPAN_NULL, &it);
    while ((t = topics_next(&it)) != NULL && q->resources.n < 500) {
        q->resources.v[q->resources.n].resource_type = 2;
        q->resources.v[q->resources.n++].resource_name = S(t->name);
    }
    for (int i = 0; i < q->resources.n; i++)
        q->resources.v[i].configuration_keys.n = -1;
    q->include_synonyms = true;
    dump_answer(k, API_DESCRIBE_CONFIGS, q, out);
    dump_answer(k, API_DESCRIBE_TOPIC_PARTITIONS, all, out);
    dump_answer(k, API_DESCRIBE_CLIENT_QUOTAS,
        KIT_NEW(k, describe_client_quotas_request), out);
}

static void
crash(struct random_test *t)
{
    struct buf before, after;

    t->k->mangle = NULL;
    for (int i = 0; i < CLIENTS; i++) {
        client_close(t->c[i]);
        t->c[i] = NULL;
    }
    kit_pass(t->k, 30000); /* nobody is muted any more */
    buf_init(&before, 64 * MIB);
    buf_init(&after, 64 * MIB);
    dump_all(t->k, &before);
    kit_crash(t->k);
    dump_all(t->k, &after);
    assert_false(before.failed);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.ptr, after.ptr, before.len);
    buf_release(&before);
    buf_release(&after);
    kit_forget(t->k);
    t->k->mangle = mangle;
}

static void
test_random_admins(void **state)
{
    struct random_test t = {.k = *state};
    const char *seed = getenv("PENSTOCK_SEED");

    t.k->rng = seed == NULL ? 42 : strtoull(seed, NULL, 10);
    print_message("# PENSTOCK_SEED=%llu\n", (unsigned long long)t.k->rng);
    t.k->mangle = mangle;
    for (int i = 1; i <= STEPS; i++) {
        step(&t);
        if (i % CRASH_EVERY == 0)
            crash(&t);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_admins, kit_setup,
            kit_teardown),
    };

    return cmocka_run_group_tests_name("api/random_admin", tests, NULL, NULL);
}
