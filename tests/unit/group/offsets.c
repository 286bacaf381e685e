/* Committed offsets: who may commit, delete, and what expires. */
#include "config.h"

#include "kit.h"

#define DAY (24ll * 3600 * 1000)

static struct kit k;
static const struct uuid id_a = {{1}}, id_b = {{2}};

static int
setup(void **state)
{
    kit_init(&k, 5);
    return 0;
}

static int
teardown(void **state)
{
    kit_release(&k);
    return 0;
}

static struct group_event
commit_event(const struct group_commit_item *items, size_t count)
{
    return (struct group_event){
        .kind = GROUP_EV_COMMIT,
        .group_id = S("g"),
        .token = TOKEN(50),
        .commit = {.member_id = S(""), .generation = -1, .retention_ms = -1,
            .items = items, .count = count},
    };
}

static struct group_commit_item
item(const char *topic, int32_t partition, int64_t offset)
{
    return (struct group_commit_item){S(topic), id_a, partition, offset, 3,
        S("meta"), KERR_NONE};
}

/* As member `token` (0: as nobody) in this generation; the error of all or
 * else of the one. */
static enum kerr
commit(int token, int32_t generation, const char *topic, int64_t offset)
{
    struct group_commit_item one = item(topic, 0, offset);
    struct group_event ev = commit_event(&one, 1);
    const struct group_fx *e;

    if (token > 0) {
        ev.commit.member_id = S(k.ids[token]);
    }
    ev.commit.generation = generation;
    kit_step(&k, &ev);
    e = kit_reply(&k, 50);
    assert_non_null(e);
    return e->error != KERR_NONE ? e->error : e->each.errors[0];
}

static int64_t
committed(const char *topic, int32_t partition)
{
    const struct group_offset *o = kit_group(&k) == NULL
        ? NULL : group_offset(kit_group(&k), S(topic), NULL, partition);

    return o == NULL ? -1 : o->offset;
}

static void
a_simple_consumer_makes_a_group_of_offsets(void **state)
{
    const struct group_offset *o;

    assert_int_equal(commit(0, -1, "t", 42), KERR_NONE);
    assert_int_equal(kit_count(&k, GROUP_FX_PUT_OFFSET), 1);
    assert_int_equal(kit_count(&k, GROUP_FX_PERSIST), 0);
    kit_is(&k, GROUP_EMPTY, 0, 0);
    o = group_offset(kit_group(&k), S("t"), &id_a, 0);
    assert_int_equal(o->offset, 42);
    assert_int_equal(o->leader_epoch, 3);
    assert_int_equal(o->commit_ms, k.now);
    assert_span(o->metadata, "meta");
    assert_null(group_offset(kit_group(&k), S("t"), &id_a, 1));
    assert_null(group_offset(kit_group(&k), S("t"), &id_b, 0));
}

static void
no_group_and_a_generation(void **state)
{
    struct group_commit_item one = item("t", 0, 1);
    struct group_event ev = commit_event(&one, 1);

    ev.commit.generation = 3;
    kit_step(&k, &ev);
    kit_expect(&k, 50, KERR_ILLEGAL_GENERATION);
    ev.commit.group_id_errors = true;
    kit_step(&k, &ev);
    kit_expect(&k, 50, KERR_GROUP_ID_NOT_FOUND);
    ev.commit.transactional = true;
    kit_step(&k, &ev);
    kit_expect(&k, 50, KERR_ILLEGAL_GENERATION);
    assert_null(kit_group(&k));
}

static void
members_commit_in_their_generation(void **state)
{
    kit_stable(&k, 2);
    assert_int_equal(commit(2, 1, "t", 1), KERR_NONE);
    assert_int_equal(commit(2, 0, "t", 2), KERR_ILLEGAL_GENERATION);
    assert_int_equal(commit(2, -1, "t", 2), KERR_ILLEGAL_GENERATION);
    assert_int_equal(commit(0, -1, "t", 2), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(commit(0, 1, "t", 2), KERR_UNKNOWN_MEMBER_ID);
    kit_join(&k, 1, NULL);       /* of the last generation, still */
    assert_int_equal(commit(2, 1, "t", 3), KERR_NONE);
    kit_join(&k, 2, NULL);
    kit_is(&k, GROUP_COMPLETING, 2, 2);
    assert_int_equal(commit(2, 2, "t", 4), KERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(committed("t", 0), 3);
}

static void
an_instance_that_was_replaced_cannot_commit(void **state)
{
    struct group_commit_item one = item("t", 0, 1);
    struct group_event ev = commit_event(&one, 1);

    kit_join_static(&k, 1, "", "i1");
    kit_pass(&k, 0);
    ev.commit.instance_id = S("i1");
    ev.commit.member_id = S("old");
    ev.commit.generation = 1;
    kit_step(&k, &ev);
    kit_expect(&k, 50, KERR_FENCED_INSTANCE_ID);
    ev.commit.instance_id = S("i2");
    kit_step(&k, &ev);
    kit_expect(&k, 50, KERR_UNKNOWN_MEMBER_ID);
}

static void
a_commit_is_a_sign_of_life(void **state)
{
    kit_stable(&k, 1);
    for (int i = 0; i < 5; i++) {
        assert_false(kit_pass(&k, 8000));
        assert_int_equal(commit(1, 1, "t", i), KERR_NONE);
    }
    kit_is(&k, GROUP_STABLE, 1, 1);
}

static void
metadata_have_a_limit_for_each_partition(void **state)
{
    static char big[OFFSET_METADATA_MAX + 1];
    struct group_commit_item items[3] = {item("t", 0, 1), item("t", 1, 2),
        item("t", 2, 3)};
    struct group_event ev = commit_event(items, 3);
    const struct group_fx *e;

    items[0].metadata = span_of(big, sizeof big);
    items[1].metadata = SPAN_NULL;
    items[2].error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    kit_step(&k, &ev);
    e = kit_expect(&k, 50, KERR_NONE);
    assert_int_equal(e->each.errors[0], KERR_OFFSET_METADATA_TOO_LARGE);
    assert_int_equal(e->each.errors[1], KERR_NONE);
    assert_int_equal(e->each.errors[2], KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(committed("t", 0), -1);
    assert_span(group_offset(kit_group(&k), S("t"), &id_a, 1)->metadata, "");
    assert_int_equal(committed("t", 2), -1);
    items[0].metadata.len--;
    kit_step(&k, &ev);
    assert_int_equal(committed("t", 0), 1);
}

static void
all_offsets_together_have_a_limit(void **state)
{
    enum kerr error = KERR_NONE;
    int64_t n = 0;

    k.config.offset_bytes_max = 2000;
    kit_restart(&k);
    while (error == KERR_NONE) {
        char topic[8];

        snprintf(topic, sizeof topic, "t%d", (int)n);
        error = commit(0, -1, topic, n++);
    }
    assert_int_equal(error, KERR_POLICY_VIOLATION);
    assert_in_range(n, 5, 30);
}

static void
a_topic_made_anew_drops_the_offsets_of_the_old_one(void **state)
{
    struct group_commit_item one = item("t", 5, 7);
    struct group_event ev = commit_event(&one, 1);

    commit(0, -1, "t", 1);
    one.topic_id = id_b;
    kit_step(&k, &ev);
    assert_int_equal(kit_count(&k, GROUP_FX_DELETE_OFFSET), 1);
    assert_true(uuid_eq(&k.fx.list[1].change.topic_id, &id_a));
    assert_int_equal(committed("t", 0), -1);
    assert_int_equal(committed("t", 5), 7);
    groups_forget_topic(&k.groups, &id_a);
    assert_int_equal(committed("t", 5), 7);
    groups_forget_topic(&k.groups, &id_b);
    assert_int_equal(committed("t", 5), -1);
    groups_check(&k.groups);
}

static void
all_offsets_can_be_walked_in_order(void **state)
{
    struct group_offsets_iter iter = {0};
    const struct group_offset *o;
    int32_t last[2] = {-1, -1};
    int n = 0;

    for (int i = 0; i < 40; i++) {
        struct group_commit_item one =
            item(i % 2 ? "a" : "b", (i * 7) % 40, i);
        struct group_event ev = commit_event(&one, 1);

        kit_step(&k, &ev);
    }
    while ((o = group_offsets_next(kit_group(&k), &iter)) != NULL) {
        int t = iter.topic_name.ptr[0] - 'a';

        assert_true(o->partition > last[t]);
        last[t] = o->partition;
        assert_int_equal(o->partition, (o->offset * 7) % 40);
        n++;
    }
    assert_int_equal(n, 40);
}

/* ---- transactions: the seam ---- */

static void
a_transactions_offsets_are_validated_and_not_stored(void **state)
{
    struct group_commit_item one = item("t", 0, 9);
    struct group_event ev = commit_event(&one, 1);

    kit_stable(&k, 1);
    ev.commit.transactional = true;
    kit_step(&k, &ev);           /* by a client too old to name a member */
    assert_int_equal(kit_expect(&k, 50, KERR_NONE)->each.errors[0],
        KERR_NONE);
    assert_int_equal(committed("t", 0), -1);
    ev.commit.generation = 7;
    ev.commit.member_id = S(k.ids[1]);
    kit_step(&k, &ev);
    kit_expect(&k, 50, KERR_ILLEGAL_GENERATION);
    ev.commit.transactional = false;
    ev.commit.applied = true;
    kit_step(&k, &ev);
    kit_expect(&k, 50, KERR_NONE);
    assert_int_equal(kit_count(&k, GROUP_FX_PUT_OFFSET), 1);
    assert_int_equal(committed("t", 0), 9);
}

static void
a_pinned_group_stays(void **state)
{
    struct group_event ev = {.kind = GROUP_EV_EXPIRE, .group_id = S("g")};

    groups_pin(&k.groups, S("g"), k.now);
    groups_pin(&k.groups, S("g"), k.now);
    k.now += 100 * DAY;
    kit_step(&k, &ev);
    groups_unpin(&k.groups, S("g"), k.now);
    ev.kind = GROUP_EV_DELETE;
    ev.token = TOKEN(1);
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_NON_EMPTY_GROUP);
    groups_unpin(&k.groups, S("g"), k.now);
    assert_null(kit_group(&k));
}

/* ---- OffsetDelete ---- */

static enum kerr
offset_delete(const char *topic)
{
    const struct group_offset_key key = {S(topic), 0, KERR_NONE};
    struct group_event ev = {.kind = GROUP_EV_OFFSET_DELETE,
        .group_id = S("g"), .token = TOKEN(60), .offset_delete = {&key, 1}};
    const struct group_fx *e;

    kit_step(&k, &ev);
    e = kit_reply(&k, 60);
    assert_non_null(e);
    return e->error != KERR_NONE ? e->error : e->each.errors[0];
}

/* A group of one that reads "read", by the consumers' protocol. */
static void
subscriber(struct span metadata, const char *type)
{
    const struct group_protocol p = {S("range"), metadata};
    struct group_event ev = kit_join_event(&k, 1, "");

    ev.join.protocol_type = S(type);
    ev.join.protocols = &p;
    kit_step(&k, &ev);
    kit_pass(&k, 0);
    snprintf(k.ids[1], sizeof k.ids[1], "%.*s",
        (int)kit_reply(&k, 1)->joined.member_id.len,
        (const char *)kit_reply(&k, 1)->joined.member_id.ptr);
    kit_sync(&k, 1, 1, NULL);
    assert_int_equal(commit(1, 1, "read", 1), KERR_NONE);
    assert_int_equal(commit(1, 1, "other", 2), KERR_NONE);
}

#define SUBSCRIPTION "\0\1\0\0\0\1\0\4read\xff\xff\xff\xff"

static void
offsets_of_topics_that_are_read_are_not_deleted(void **state)
{
    assert_int_equal(offset_delete("read"), KERR_GROUP_ID_NOT_FOUND);
    subscriber(span_of(SUBSCRIPTION, sizeof SUBSCRIPTION - 1), "consumer");
    assert_int_equal(offset_delete("read"), KERR_GROUP_SUBSCRIBED_TO_TOPIC);
    assert_int_equal(offset_delete("other"), KERR_NONE);
    assert_int_equal(kit_count(&k, GROUP_FX_DELETE_OFFSET), 1);
    assert_int_equal(offset_delete("never"), KERR_NONE);
    assert_int_equal(committed("read", 0), 1);
    assert_int_equal(committed("other", 0), -1);
    kit_leave(&k, 1);
    assert_int_equal(offset_delete("read"), KERR_NONE);
    assert_int_equal(committed("read", 0), -1);
}

static void
a_subscription_that_does_not_parse_protects_all_topics(void **state)
{
    for (size_t len = 0; len < 12; len++) {
        kit_restart(&k);
        subscriber(span_of(SUBSCRIPTION, len), "consumer");
        assert_int_equal(offset_delete("other"),
            KERR_GROUP_SUBSCRIBED_TO_TOPIC);
    }
    kit_restart(&k);
    subscriber(span_of("\0\0\x7f\xff\xff\xff\0", 7), "consumer");
    assert_int_equal(offset_delete("other"), KERR_GROUP_SUBSCRIBED_TO_TOPIC);
}

static void
other_protocols_protect_all_while_members_are_in(void **state)
{
    subscriber(span_of(SUBSCRIPTION, sizeof SUBSCRIPTION - 1), "connect");
    assert_int_equal(offset_delete("other"), KERR_NON_EMPTY_GROUP);
    kit_leave(&k, 1);
    assert_int_equal(offset_delete("other"), KERR_NONE);
}

/* ---- retention ---- */

static void
sweep(void)
{
    struct group_event ev = {.kind = GROUP_EV_EXPIRE, .group_id = S("g")};

    kit_step(&k, &ev);
}

static void
offsets_of_an_empty_group_expire_after_the_last_leave(void **state)
{
    subscriber(span_of(SUBSCRIPTION, sizeof SUBSCRIPTION - 1), "consumer");
    for (int i = 0; i < 10 * 24 * 60; i++) {
        k.now += 6000;
        kit_beat(&k, 1, 1);
    }
    kit_leave(&k, 1);
    k.now += 7 * DAY - 1;
    sweep();
    assert_int_equal(committed("other", 0), 2);
    k.now++;
    sweep();
    assert_int_equal(kit_count(&k, GROUP_FX_DELETE_OFFSET), 2);
    assert_int_equal(kit_count(&k, GROUP_FX_DELETE), 1);
    assert_null(kit_group(&k));
    assert_int_equal(group_state(k.fx.group), GROUP_DEAD);
}

static void
a_stable_group_loses_what_it_no_longer_reads(void **state)
{
    subscriber(span_of(SUBSCRIPTION, sizeof SUBSCRIPTION - 1), "consumer");
    for (int64_t end = k.now + 7 * DAY; k.now < end; k.now += 9000) {
        kit_beat(&k, 1, 1);
    }
    sweep();
    assert_int_equal(committed("read", 0), 1);
    assert_int_equal(committed("other", 0), -1);
    kit_is(&k, GROUP_STABLE, 1, 1);
}

static void
offsets_of_a_simple_consumer_expire_one_by_one(void **state)
{
    commit(0, -1, "a", 1);
    k.now += 3 * DAY;
    commit(0, -1, "b", 2);
    k.now += 4 * DAY;
    sweep();
    assert_int_equal(committed("a", 0), -1);
    assert_int_equal(committed("b", 0), 2);
    k.now += 3 * DAY;
    sweep();
    assert_null(kit_group(&k));
}

static void
an_old_commit_may_name_its_own_retention(void **state)
{
    struct group_commit_item one = item("t", 0, 1);
    struct group_event ev = commit_event(&one, 1);

    ev.commit.retention_ms = 5000;
    kit_step(&k, &ev);
    k.now += 4999;
    sweep();
    assert_int_equal(committed("t", 0), 1);
    k.now++;
    sweep();
    assert_null(kit_group(&k));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_simple_consumer_makes_a_group_of_offsets),
        T(no_group_and_a_generation),
        T(members_commit_in_their_generation),
        T(an_instance_that_was_replaced_cannot_commit),
        T(a_commit_is_a_sign_of_life),
        T(metadata_have_a_limit_for_each_partition),
        T(all_offsets_together_have_a_limit),
        T(a_topic_made_anew_drops_the_offsets_of_the_old_one),
        T(all_offsets_can_be_walked_in_order),
        T(a_transactions_offsets_are_validated_and_not_stored),
        T(a_pinned_group_stays),
        T(offsets_of_topics_that_are_read_are_not_deleted),
        T(a_subscription_that_does_not_parse_protects_all_topics),
        T(other_protocols_protect_all_while_members_are_in),
        T(offsets_of_an_empty_group_expire_after_the_last_leave),
        T(a_stable_group_loses_what_it_no_longer_reads),
        T(offsets_of_a_simple_consumer_expire_one_by_one),
        T(an_old_commit_may_name_its_own_retention),
    };

    return cmocka_run_group_tests_name("offsets", tests, NULL, NULL);
}
