/*
 * Random clients do what they like, some of it spoilt on its way, on topics
 * and groups that come and go; connections die, time passes. Whatever was
 * published must be there again after each restart, clean or not.
 */
#include "config.h"

#include "kit.h"

#include "base/buf.h"
#include "partition/topic_config.h"

enum { CLIENTS = 6, IDS = 16, STEPS = 250, LIVES = 12 };

struct random_test {
    struct kit *k;
    struct client *c[CLIENTS];
    char ids[IDS][400];          /* member ids heard of */
    struct buf before, after;
};

#define R(t, n) kit_random((t)->k, (n))

/* ---- what they say ---- */

static struct span
pick(struct random_test *t, const char *const *from, size_t n)
{
    size_t i = R(t, n + 1);

    return i == n ? span_of("a\0b", 3) : S(from[i]);
}

static struct span
any_group(struct random_test *t)
{
    static const char *const names[] = {"g", "g", "h", "i", ""};

    return pick(t, names, countof(names));
}

static struct span
any_topic(struct random_test *t)
{
    static const char *const names[] = {"orders", "orders", "stock", "a.b",
        "a_b", ""};

    return pick(t, names, countof(names));
}

static struct span
any_text(struct random_test *t)
{
    static const char *const names[] = {"range", "range", "sticky", "note",
        "", "1000", "retention.ms", "consumer"};

    return R(t, 9) == 0 ? SPAN_NULL : pick(t, names, countof(names));
}

static struct span
any_member(struct random_test *t)
{
    return S(t->ids[R(t, IDS)]);
}

static int32_t
any_number(struct random_test *t)
{
    static const int32_t list[] = {-1, 0, 1, 2, 3, 5, 10000, INT32_MIN,
        INT32_MAX, -2};

    return list[R(t, countof(list))];
}

static struct uuid
any_id(struct random_test *t)
{
    struct topic *have = topics_find(api_topics(t->k->api), any_topic(t));
    struct uuid none = {{0}};

    return have == NULL ? none : have->id;
}

/* ---- requests ---- */

static void
send_join(struct random_test *t, struct client *c, int v)
{
    struct join_group_request *q = KIT_NEW(t->k, join_group_request);

    q->group_id = any_group(t);
    q->session_timeout_ms = R(t, 8) ? 10000 : any_number(t);
    q->rebalance_timeout_ms = R(t, 8) ? 5000 : any_number(t);
    if (q->rebalance_timeout_ms > 0 && q->rebalance_timeout_ms < 5000)
        q->rebalance_timeout_ms = 5000; /* it would run out in a restart */
    q->member_id = any_member(t);
    q->group_instance_id = R(t, 3) ? SPAN_NULL : any_text(t);
    q->protocol_type = R(t, 8) ? S("consumer") : any_text(t);
    KIT_LIST(t->k, q->protocols, join_group_request_protocol,
        1 + R(t, 2));
    for (int i = 0; i < q->protocols.n; i++) {
        q->protocols.v[i].name = R(t, 4) ? S("range") : any_text(t);
        q->protocols.v[i].metadata = any_text(t);
    }
    client_send(c, API_JOIN_GROUP, v, q);
}

static void
send_sync(struct random_test *t, struct client *c, int v)
{
    struct sync_group_request *q = KIT_NEW(t->k, sync_group_request);
    const struct group *g;

    q->group_id = any_group(t);
    g = groups_get(api_groups(t->k->api), q->group_id);
    q->generation_id = g == NULL || R(t, 8) == 0 ? any_number(t)
                                                 : group_generation(g);
    q->member_id = any_member(t);
    KIT_LIST(t->k, q->assignments, sync_group_request_assignment, R(t, 4));
    for (int i = 0; i < q->assignments.n; i++) {
        q->assignments.v[i].member_id = any_member(t);
        q->assignments.v[i].assignment = any_text(t);
    }
    client_send(c, API_SYNC_GROUP, v, q);
}

static void
send_beat(struct random_test *t, struct client *c, int v)
{
    struct heartbeat_request *q = KIT_NEW(t->k, heartbeat_request);

    q->group_id = any_group(t);
    q->generation_id = any_number(t);
    q->member_id = any_member(t);
    client_send(c, API_HEARTBEAT, v, q);
}

static void
send_leave(struct random_test *t, struct client *c, int v)
{
    struct leave_group_request *q = KIT_NEW(t->k, leave_group_request);

    q->group_id = any_group(t);
    q->member_id = any_member(t);
    KIT_LIST(t->k, q->members, leave_group_request_member, R(t, 3));
    for (int i = 0; i < q->members.n; i++) {
        q->members.v[i].member_id = any_member(t);
        q->members.v[i].group_instance_id = any_text(t);
    }
    client_send(c, API_LEAVE_GROUP, v, q);
}

static void
send_commit(struct random_test *t, struct client *c, int v)
{
    struct offset_commit_request *q = KIT_NEW(t->k, offset_commit_request);

    q->group_id = any_group(t);
    q->member_id = R(t, 2) ? S("") : any_member(t);
    q->generation_id_or_member_epoch = R(t, 2) ? -1 : any_number(t);
    KIT_LIST(t->k, q->topics, offset_commit_request_topic, R(t, 3));
    for (int i = 0; i < q->topics.n; i++) {
        struct offset_commit_request_topic *to = &q->topics.v[i];

        to->name = any_topic(t);
        to->topic_id = any_id(t);
        KIT_LIST(t->k, to->partitions, offset_commit_request_partition,
            R(t, 4));
        for (int n = 0; n < to->partitions.n; n++) {
            to->partitions.v[n].partition_index = any_number(t);
            to->partitions.v[n].committed_offset = any_number(t);
            to->partitions.v[n].committed_leader_epoch = any_number(t);
            to->partitions.v[n].committed_metadata = any_text(t);
        }
    }
    client_send(c, API_OFFSET_COMMIT, v, q);
}

static void
send_fetch(struct random_test *t, struct client *c, int v)
{
    struct offset_fetch_request *q = KIT_NEW(t->k, offset_fetch_request);

    q->group_id = any_group(t);
    q->topics.n = v >= 2 ? -1 : 0;
    KIT_LIST(t->k, q->groups, offset_fetch_request_group, R(t, 3));
    for (int i = 0; i < q->groups.n; i++) {
        q->groups.v[i].group_id = any_group(t);
        q->groups.v[i].topics.n = -1;
    }
    client_send(c, API_OFFSET_FETCH, v, q);
}

static void
send_groups(struct random_test *t, struct client *c, int key, int v)
{
    struct describe_groups_request *d = KIT_NEW(t->k,
        describe_groups_request);
    struct delete_groups_request *x = KIT_NEW(t->k, delete_groups_request);
    struct span *names = kit_alloc(t->k, 2 * sizeof *names);
    int32_t n = (int32_t)R(t, 3);

    names[0] = any_group(t);
    names[1] = any_group(t);
    d->groups.v = x->groups_names.v = names;
    d->groups.n = x->groups_names.n = n;
    client_send(c, key, v, key == API_DELETE_GROUPS ? (void *)x : (void *)d);
}

static void
send_list(struct random_test *t, struct client *c, int v)
{
    client_send(c, API_LIST_GROUPS, v, KIT_NEW(t->k, list_groups_request));
}

static void
send_create(struct random_test *t, struct client *c, int v)
{
    struct create_topics_request *q = KIT_NEW(t->k, create_topics_request);

    KIT_LIST(t->k, q->topics, create_topics_request_topic, R(t, 3));
    for (int i = 0; i < q->topics.n; i++) {
        struct create_topics_request_topic *to = &q->topics.v[i];

        to->name = any_topic(t);
        to->num_partitions = R(t, 2) ? 3 : any_number(t);
        to->replication_factor = R(t, 4) ? 1 : (int16_t)any_number(t);
        KIT_LIST(t->k, to->configs, create_topics_request_config, R(t, 2));
        for (int n = 0; n < to->configs.n; n++) {
            to->configs.v[n].name = R(t, 3) ? S("retention.ms")
                                            : any_text(t);
            to->configs.v[n].value = R(t, 3) ? S("1000") : any_text(t);
        }
    }
    q->validate_only = R(t, 4) == 0;
    client_send(c, API_CREATE_TOPICS, v, q);
}

static void
send_delete(struct random_test *t, struct client *c, int v)
{
    struct delete_topics_request *q = KIT_NEW(t->k, delete_topics_request);

    q->topic_names.v = kit_alloc(t->k, sizeof(struct span));
    q->topic_names.v[0] = any_topic(t);
    q->topic_names.n = R(t, 4) == 0;
    KIT_LIST(t->k, q->topics, delete_topics_request_topic, R(t, 4) == 0);
    for (int i = 0; i < q->topics.n; i++) {
        q->topics.v[i].topic_id = any_id(t);
        q->topics.v[i].name = R(t, 2) ? SPAN_NULL : any_topic(t);
    }
    client_send(c, API_DELETE_TOPICS, v, q);
}

static void
send_grow(struct random_test *t, struct client *c, int v)
{
    struct create_partitions_request *q = KIT_NEW(t->k,
        create_partitions_request);

    KIT_LIST(t->k, q->topics, create_partitions_request_topic, R(t, 2));
    for (int i = 0; i < q->topics.n; i++) {
        q->topics.v[i].name = any_topic(t);
        q->topics.v[i].count = R(t, 2) ? 5 : any_number(t);
        q->topics.v[i].assignments.n = -1;
    }
    client_send(c, API_CREATE_PARTITIONS, v, q);
}

static void
send_trim(struct random_test *t, struct client *c, int v)
{
    struct delete_records_request *q = KIT_NEW(t->k, delete_records_request);

    KIT_LIST(t->k, q->topics, delete_records_request_topic, R(t, 3));
    for (int i = 0; i < q->topics.n; i++) {
        q->topics.v[i].name = any_topic(t);
        KIT_LIST(t->k, q->topics.v[i].partitions,
            delete_records_request_partition, R(t, 3));
        for (int n = 0; n < q->topics.v[i].partitions.n; n++) {
            q->topics.v[i].partitions.v[n].partition_index = any_number(t);
            q->topics.v[i].partitions.v[n].offset = any_number(t);
        }
    }
    client_send(c, API_DELETE_RECORDS, v, q);
}

static void
send_configs(struct random_test *t, struct client *c, int v)
{
    struct describe_configs_request *q = KIT_NEW(t->k,
        describe_configs_request);

    KIT_LIST(t->k, q->resources, describe_configs_request_resource, R(t, 3));
    for (int i = 0; i < q->resources.n; i++) {
        q->resources.v[i].resource_type = (int8_t)(2 * R(t, 3));
        q->resources.v[i].resource_name = R(t, 2) ? S("1") : any_topic(t);
        q->resources.v[i].configuration_keys.n = -1;
    }
    q->include_synonyms = R(t, 2);
    client_send(c, API_DESCRIBE_CONFIGS, v, q);
}

static void
send_something(struct random_test *t, struct client *c)
{
    static const int keys[] = {API_JOIN_GROUP, API_JOIN_GROUP,
        API_JOIN_GROUP, API_SYNC_GROUP, API_SYNC_GROUP, API_HEARTBEAT,
        API_LEAVE_GROUP, API_OFFSET_COMMIT, API_OFFSET_COMMIT,
        API_OFFSET_FETCH, API_DESCRIBE_GROUPS, API_LIST_GROUPS,
        API_DELETE_GROUPS, API_CREATE_TOPICS, API_CREATE_TOPICS,
        API_DELETE_TOPICS, API_CREATE_PARTITIONS, API_DELETE_RECORDS,
        API_DESCRIBE_CONFIGS};
    int key = keys[R(t, countof(keys))];
    const struct wire_api *api = wire_api(key);
    int v = api->min + (int)R(t, (uint64_t)(api->max - api->min + 1));

    if (key == API_JOIN_GROUP)
        send_join(t, c, v);
    else if (key == API_SYNC_GROUP)
        send_sync(t, c, v);
    else if (key == API_HEARTBEAT)
        send_beat(t, c, v);
    else if (key == API_LEAVE_GROUP)
        send_leave(t, c, v);
    else if (key == API_OFFSET_COMMIT)
        send_commit(t, c, v);
    else if (key == API_OFFSET_FETCH)
        send_fetch(t, c, v);
    else if (key == API_LIST_GROUPS)
        send_list(t, c, v);
    else if (key == API_CREATE_TOPICS)
        send_create(t, c, v);
    else if (key == API_DELETE_TOPICS)
        send_delete(t, c, v);
    else if (key == API_CREATE_PARTITIONS)
        send_grow(t, c, v);
    else if (key == API_DELETE_RECORDS)
        send_trim(t, c, v);
    else if (key == API_DESCRIBE_CONFIGS)
        send_configs(t, c, v);
    else
        send_groups(t, c, key, v);
}

static void
mangle(struct kit *k, uint8_t *body, size_t len)
{
    if (kit_random(k, 5) != 0)
        return;
    for (size_t i = 0; i <= kit_random(k, 3); i++)
        body[kit_random(k, len)] = (uint8_t)kit_random(k, 256);
}

/* ---- what they hear ---- */

static void
hear(struct random_test *t, struct client *c)
{
    const struct join_group_response *j;
    int key;

    if (!client_asked(c, &key))
        return;
    j = client_poll(c);
    if (j != NULL && key == API_JOIN_GROUP && j->member_id.len < 400)
        snprintf(t->ids[1 + R(t, IDS - 1)], sizeof t->ids[0], "%.*s",
            (int)j->member_id.len, (const char *)j->member_id.ptr);
}

static void
step(struct random_test *t)
{
    struct client **c = &t->c[R(t, CLIENTS)];
    int key;

    if (*c == NULL)
        *c = kit_connect(t->k);
    hear(t, *c);
    if (client_ended(*c) || R(t, 40) == 0) {
        if (R(t, 2))
            client_reset(*c);
        else
            client_close(*c);
        *c = NULL;
    } else if (!client_asked(*c, &key)) {
        send_something(t, *c);
    }
    if (R(t, 50) == 0)
        kit_pass(t->k, (int64_t)R(t, 12000));
    kit_turn(t->k, R(t, 3) != 0);
    topics_check(api_topics(t->k->api));
}

/* ---- what must not be lost ---- */

static void
dump_topics(struct kit *k, struct buf *out)
{
    struct omap_iter it;
    struct topic *t;

    omap_seek(&api_topics(k->api)->by_name, SPAN_NULL, &it);
    while ((t = topics_next(&it)) != NULL) {
        char id[UUID_TEXT];

        buf_printf(out, "topic %s %s %d %s\n", t->name,
            uuid_text(&t->id, id), t->partition_count,
            topic_config_get(&t->config, "retention.ms", NULL));
    }
}

static void
dump_members(const struct group *g, struct buf *out)
{
    struct group_image im;
    struct arena a;

    arena_init(&a, 1 * MIB);
    assert_int_equal(group_image(g, &a, &im), 0);
    buf_printf(out, " %s %d", group_state_name(im.state), im.generation);
    for (size_t i = 0; i < im.member_count; i++) {
        const struct group_image_member *m = &im.members[i];

        buf_printf(out, " member %.*s/%.*s=%.*s", (int)m->member_id.len,
            (const char *)m->member_id.ptr, (int)m->instance_id.len,
            m->instance_id.ptr == NULL ? ""
                                       : (const char *)m->instance_id.ptr,
            (int)m->assignment.len, (const char *)m->assignment.ptr);
    }
    arena_release(&a);
}

/* Its members count from the moment they are in a generation: what a
 * rebalance is about to change is not persisted, nor is what is empty. */
static void
dump_group(struct kit *k, struct span id, struct buf *out)
{
    const struct group *g = groups_get(api_groups(k->api), id);
    const char *topics[] = {"a.b", "a_b", "orders", "stock"};

    if (g == NULL)
        return;
    if (group_generation(g) > 0 && group_state(g) != GROUP_PREPARING) {
        buf_printf(out, "group %.*s", (int)id.len, (const char *)id.ptr);
        dump_members(g, out);
        buf_printf(out, "\n");
    }
    for (size_t i = 0; i < countof(topics); i++)
        for (int32_t p = 0; p < 10001; p++) {
            const struct group_offset *o = group_offset(g, S(topics[i]),
                NULL, p);

            if (o != NULL)
                buf_printf(out, "offset %.*s %s %d: %lld %d %.*s\n",
                    (int)id.len, (const char *)id.ptr, topics[i], p,
                    (long long)o->offset, o->leader_epoch,
                    (int)o->metadata.len, (const char *)o->metadata.ptr);
        }
}

static void
dump(struct kit *k, struct buf *out)
{
    static const char *const names[] = {"", "g", "h", "i"};

    buf_clear(out);
    dump_topics(k, out);
    for (size_t i = 0; i < countof(names); i++)
        dump_group(k, S(names[i]), out);
    dump_group(k, span_of("a\0b", 3), out);
    buf_put_u8(out, 0);
}

/* A group that was in a rebalance comes back as it was before: its line may
 * be there afterwards only. */
static void
compare(const struct buf *before, const struct buf *after)
{
    const char *b = (const char *)before->ptr, *a = (const char *)after->ptr;

    while (*b != '\0' || *a != '\0') {
        size_t nb = strcspn(b, "\n"), na = strcspn(a, "\n");

        if (nb == na && memcmp(a, b, na) == 0) {
            b += nb + (b[nb] == '\n');
        } else if (strncmp(a, "group ", 6) != 0) {
            fail_msg("before: %.*s\nafter:  %.*s", (int)nb, b, (int)na, a);
        }
        a += na + (a[na] == '\n');
    }
}

static void
live(struct random_test *t, bool crash)
{
    struct kit *k = t->k;

    k->mangle = mangle;
    for (int i = 0; i < STEPS; i++)
        step(t);
    k->mangle = NULL;
    kit_turn(k, true);
    kit_turn(k, true);
    dump(k, &t->before);
    memset(t->c, 0, sizeof t->c);
    if (crash)
        kit_crash(k);
    else
        kit_restart(k);
    dump(k, &t->after);
    compare(&t->before, &t->after);
    kit_forget(k);
}

static void
test_random_clients(void **state)
{
    const char *seed = getenv("PENSTOCK_SEED");
    struct random_test t = {.k = *state};

    t.k->rng = seed == NULL ? 42 : strtoull(seed, NULL, 10);
    print_message("# PENSTOCK_SEED=%llu\n", (unsigned long long)t.k->rng);
    buf_init(&t.before, 64 * MIB);
    buf_init(&t.after, 64 * MIB);
    for (int i = 0; i < LIVES; i++)
        live(&t, i % 2 == 1);
    buf_release(&t.before);
    buf_release(&t.after);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_clients, kit_setup,
            kit_teardown),
    };

    return cmocka_run_group_tests_name("api/random", tests, NULL, NULL);
}
