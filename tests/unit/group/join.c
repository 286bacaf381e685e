/* JoinGroup: who comes in, as whom, and how the join phase ends. */
#include "config.h"

#include "kit.h"

static struct kit k;

static int
setup(void **state)
{
    kit_init(&k, 1);
    return 0;
}

static int
teardown(void **state)
{
    kit_release(&k);
    return 0;
}

static void
a_new_member_is_told_its_id_and_comes_back_with_it(void **state)
{
    struct group_event ev = kit_join_event(&k, 1, "");
    const struct group_fx *e;

    ev.join.member_id_required = true;
    kit_step(&k, &ev);
    e = kit_expect(&k, 1, KERR_MEMBER_ID_REQUIRED);
    assert_int_equal(e->joined.member_id.len, strlen("client-") + 36);
    assert_memory_equal(e->joined.member_id.ptr, "client-", 7);
    assert_int_equal(e->joined.generation, -1);
    snprintf(k.ids[1], sizeof k.ids[1], "%.*s", (int)e->joined.member_id.len,
        (const char *)e->joined.member_id.ptr);
    kit_is(&k, GROUP_EMPTY, 0, 0);
    kit_join(&k, 1, NULL);
    assert_null(kit_reply(&k, 1));
    kit_is(&k, GROUP_PREPARING, 0, 1);
    assert_true(kit_tick(&k));
    e = kit_expect(&k, 1, KERR_NONE);
    assert_span(e->joined.member_id, k.ids[1]);
    assert_span(e->joined.leader, k.ids[1]);
    kit_is(&k, GROUP_COMPLETING, 1, 1);
}

static void
an_id_given_out_and_not_used_leaves_no_trace(void **state)
{
    struct group_event ev = kit_join_event(&k, 1, "");

    ev.join.member_id_required = true;
    kit_step(&k, &ev);
    assert_int_equal(kit_count(&k, GROUP_FX_PERSIST), 0);
    assert_false(kit_pass(&k, 9999));
    assert_int_equal(groups_count(&k.groups), 1);
    assert_false(kit_pass(&k, 1));
    assert_int_equal(groups_count(&k.groups), 0);
}

static void
an_older_client_is_a_member_at_once(void **state)
{
    kit_join(&k, 1, "");
    kit_is(&k, GROUP_PREPARING, 0, 1);
    assert_true(kit_tick(&k));
    kit_expect(&k, 1, KERR_NONE);
}

static void
session_timeouts_have_bounds(void **state)
{
    const int32_t refused[] = {5999, 30 * 60 * 1000 + 1, -1};
    struct group_event ev = kit_join_event(&k, 1, "");

    for (size_t i = 0; i < 3; i++) {
        ev.join.session_timeout_ms = refused[i];
        kit_step(&k, &ev);
        kit_expect(&k, 1, KERR_INVALID_SESSION_TIMEOUT);
    }
    assert_int_equal(groups_count(&k.groups), 0);
    ev.join.session_timeout_ms = 6000;
    kit_step(&k, &ev);
    assert_null(kit_reply(&k, 1));
}

static void
unknown_ids_do_not_make_a_group(void **state)
{
    kit_join(&k, 1, "nobody");
    kit_expect(&k, 1, KERR_UNKNOWN_MEMBER_ID);
    assert_null(kit_group(&k));
    kit_stable(&k, 1);
    kit_join(&k, 2, "nobody");
    kit_expect(&k, 2, KERR_UNKNOWN_MEMBER_ID);
    kit_is(&k, GROUP_STABLE, 1, 1);
}

static void
group_ids_are_not_empty_and_not_endless(void **state)
{
    struct group_event ev = kit_join_event(&k, 1, "");
    char name[GROUP_NAME_MAX + 2];

    ev.group_id = S("");
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_INVALID_GROUP_ID);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ev.group_id = S(name);
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_INVALID_GROUP_ID);
    ev.group_id.len--;
    kit_step(&k, &ev);
    assert_int_equal(groups_count(&k.groups), 1);
}

static void
protocols_must_agree(void **state)
{
    const struct group_protocol other = {S("sticky"), S("")};
    struct group_event ev = kit_join_event(&k, 1, "");

    ev.join.protocol_count = 0;
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_INCONSISTENT_GROUP_PROTOCOL);
    assert_null(kit_group(&k));
    ev = kit_join_event(&k, 1, "");
    ev.join.protocol_type = S("");
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_INCONSISTENT_GROUP_PROTOCOL);

    kit_stable(&k, 1);
    ev = kit_join_event(&k, 2, "");
    ev.join.protocol_type = S("connect");
    kit_step(&k, &ev);
    kit_expect(&k, 2, KERR_INCONSISTENT_GROUP_PROTOCOL);
    ev = kit_join_event(&k, 2, "");
    ev.join.protocols = &other;
    kit_step(&k, &ev);
    kit_expect(&k, 2, KERR_INCONSISTENT_GROUP_PROTOCOL);
    kit_is(&k, GROUP_STABLE, 1, 1);
}

static void
an_empty_group_takes_any_protocol_type(void **state)
{
    struct group_event ev;

    kit_stable(&k, 1);
    kit_leave(&k, 1);
    kit_is(&k, GROUP_EMPTY, 2, 0);
    ev = kit_join_event(&k, 2, "");
    ev.join.protocol_type = S("connect");
    kit_step(&k, &ev);
    assert_true(kit_tick(&k));
    assert_span(kit_expect(&k, 2, KERR_NONE)->joined.protocol_type,
        "connect");
}

static void
join_with(int token, const char *a, const char *b, const char *c)
{
    struct group_protocol list[3] = {{S(a), S(a)}, {S(b), S(b)},
        {S(c), S(c)}};
    struct group_event ev = kit_join_event(&k, token, "");

    ev.join.protocols = list;
    ev.join.protocol_count = 3;
    kit_step(&k, &ev);
}

static void
the_protocol_is_chosen_by_vote_among_what_all_offer(void **state)
{
    const struct group_fx *e;

    /* "x", "y" and "z" have one or two friends; of "b" and "a", which all
     * offer, "a" is preferred twice */
    join_with(1, "x", "b", "a");
    join_with(2, "a", "y", "b");
    join_with(3, "z", "a", "b");
    assert_true(kit_tick(&k));
    e = kit_expect(&k, 1, KERR_NONE);
    assert_span(e->joined.protocol_name, "a");
    assert_int_equal(e->joined.member_count, 3);
    assert_span(e->joined.members[2].metadata, "a");
}

static void
the_leader_gets_the_members_and_followers_do_not(void **state)
{
    const struct group_fx *lead, *follow;

    kit_join(&k, 1, "");
    kit_join(&k, 2, "");
    assert_true(kit_tick(&k));
    assert_int_equal(kit_count(&k, GROUP_FX_PERSIST), 1);
    lead = kit_expect(&k, 1, KERR_NONE);
    follow = kit_expect(&k, 2, KERR_NONE);
    assert_int_equal(lead->joined.member_count, 2);
    assert_span(lead->joined.members[0].metadata, "m1");
    assert_span(lead->joined.members[1].metadata, "m2");
    assert_int_equal(follow->joined.member_count, 0);
    assert_true(span_eq(follow->joined.leader, lead->joined.member_id));
    assert_int_equal(follow->joined.generation, 1);
}

static void
a_full_group_refuses_but_keeps_its_members(void **state)
{
    k.config.members_max = 2;
    kit_restart(&k);
    kit_stable(&k, 2);
    kit_join(&k, 3, "");
    kit_expect(&k, 3, KERR_GROUP_MAX_SIZE_REACHED);
    kit_is(&k, GROUP_STABLE, 1, 2);
    /* in a rebalance those who are there first stay */
    kit_join(&k, 1, NULL);
    kit_is(&k, GROUP_PREPARING, 1, 2);
    kit_join(&k, 3, "");
    kit_is(&k, GROUP_PREPARING, 1, 3);
    kit_join(&k, 2, NULL);
    kit_expect(&k, 2, KERR_GROUP_MAX_SIZE_REACHED);
    kit_expect(&k, 1, KERR_NONE);
    kit_expect(&k, 3, KERR_NONE);
    kit_is(&k, GROUP_COMPLETING, 2, 2);
}

static void
a_follower_with_nothing_new_gets_the_generation_again(void **state)
{
    const struct group_fx *e;

    kit_stable(&k, 2);
    kit_join(&k, 2, NULL);
    e = kit_expect(&k, 2, KERR_NONE);
    assert_int_equal(e->joined.generation, 1);
    assert_int_equal(e->joined.member_count, 0);
    kit_is(&k, GROUP_STABLE, 1, 2);
}

static void
a_leader_that_rejoins_forces_a_rebalance(void **state)
{
    kit_stable(&k, 2);
    kit_join(&k, 1, NULL);
    assert_null(kit_reply(&k, 1));
    kit_is(&k, GROUP_PREPARING, 1, 2);
    kit_join(&k, 2, NULL);
    kit_expect(&k, 1, KERR_NONE);
    assert_int_equal(kit_expect(&k, 2, KERR_NONE)->joined.generation, 2);
}

static void
changed_metadata_force_a_rebalance(void **state)
{
    struct group_protocol p = {S("range"), S("other")};
    struct group_event ev;

    kit_stable(&k, 2);
    ev = kit_join_event(&k, 2, NULL);
    ev.join.protocols = &p;
    kit_step(&k, &ev);
    assert_null(kit_reply(&k, 2));
    kit_is(&k, GROUP_PREPARING, 1, 2);
    kit_join(&k, 1, NULL);
    assert_span(kit_expect(&k, 1, KERR_NONE)->joined.members[1].metadata,
        "other");
    /* and while the leader works on the assignment */
    p.metadata = S("again");
    kit_step(&k, &ev);
    kit_is(&k, GROUP_PREPARING, 2, 2);
}

static void
who_missed_the_answer_gets_it_again(void **state)
{
    kit_join(&k, 1, "");
    kit_join(&k, 2, "");
    assert_true(kit_tick(&k));
    for (int i = 1; i <= 2; i++) {
        const struct group_fx *e = kit_expect(&k, i, KERR_NONE);

        snprintf(k.ids[i], sizeof k.ids[i], "%.*s",
            (int)e->joined.member_id.len,
            (const char *)e->joined.member_id.ptr);
    }
    kit_join(&k, 1, NULL);
    assert_int_equal(kit_expect(&k, 1, KERR_NONE)->joined.member_count, 2);
    kit_join(&k, 2, NULL);
    assert_int_equal(kit_expect(&k, 2, KERR_NONE)->joined.member_count, 0);
    kit_is(&k, GROUP_COMPLETING, 1, 2);
}

static void
a_second_join_answers_the_first(void **state)
{
    struct group_event ev;

    kit_stable(&k, 2);
    kit_join(&k, 1, NULL);
    ev = kit_join_event(&k, 1, NULL);
    ev.token = TOKEN(9);
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_REBALANCE_IN_PROGRESS);
    kit_join(&k, 2, NULL);
    kit_expect(&k, 9, KERR_NONE);
    assert_null(kit_reply(&k, 1));
}

static void
a_dead_connection_gets_no_answer_but_its_member_counts(void **state)
{
    kit_stable(&k, 2);
    kit_join(&k, 1, NULL);
    kit_gone(&k, 1);
    kit_join(&k, 2, NULL);
    assert_null(kit_reply(&k, 1));
    kit_expect(&k, 2, KERR_NONE);
    kit_is(&k, GROUP_COMPLETING, 2, 2);
}

static void
who_stays_away_longer_than_the_rebalance_timeout_is_out(void **state)
{
    kit_stable(&k, 3);
    kit_join(&k, 2, NULL);
    kit_is(&k, GROUP_STABLE, 1, 3);
    kit_join(&k, 1, NULL);
    kit_join(&k, 2, NULL);
    for (int i = 0; i < 59; i++) {
        kit_pass(&k, 1000);
        kit_beat(&k, 3, 1);
        kit_expect(&k, 3, KERR_REBALANCE_IN_PROGRESS);
    }
    assert_true(kit_pass(&k, 1000));
    assert_int_equal(kit_expect(&k, 1, KERR_NONE)->joined.member_count, 2);
    kit_is(&k, GROUP_COMPLETING, 2, 2);
    kit_beat(&k, 3, 1);
    kit_expect(&k, 3, KERR_UNKNOWN_MEMBER_ID);
}

static void
another_leads_when_the_leader_stays_away(void **state)
{
    kit_stable(&k, 2);
    kit_join(&k, 3, "");
    kit_join(&k, 2, NULL);
    kit_pass(&k, 5000);
    assert_true(kit_pass(&k, 5000));     /* the session of 1 is over */
    assert_int_equal(kit_expect(&k, 2, KERR_NONE)->joined.member_count, 2);
    kit_is(&k, GROUP_COMPLETING, 2, 2);
}

static void
an_id_given_out_holds_up_a_rebalance_until_its_session_ends(void **state)
{
    struct group_event ev;

    kit_stable(&k, 1);
    ev = kit_join_event(&k, 2, "");
    ev.join.member_id_required = true;
    kit_step(&k, &ev);
    kit_is(&k, GROUP_STABLE, 1, 1);
    kit_join(&k, 1, NULL);
    assert_null(kit_reply(&k, 1));
    assert_true(kit_pass(&k, 10000));
    kit_expect(&k, 1, KERR_NONE);
}

static void
the_initial_delay_waits_for_more_members(void **state)
{
    k.config.initial_delay_ms = 3000;
    kit_restart(&k);
    kit_join(&k, 1, "");
    assert_false(kit_pass(&k, 2000));
    kit_join(&k, 2, "");
    assert_false(kit_pass(&k, 3999));    /* 3 s, and 3 s for the second */
    assert_true(kit_pass(&k, 1));
    assert_int_equal(kit_expect(&k, 1, KERR_NONE)->joined.member_count, 2);
}

static void
the_initial_delay_ends_with_the_rebalance_timeout(void **state)
{
    struct group_event ev;
    int64_t began = k.now;

    k.config.initial_delay_ms = 3000;
    kit_restart(&k);
    for (int i = 1; i < 8; i++) {
        ev = kit_join_event(&k, i, "");
        ev.join.rebalance_timeout_ms = 8000;
        kit_step(&k, &ev);
        if (kit_pass(&k, 2000)) {
            break;
        }
    }
    assert_int_equal(k.now - began, 8000);
    kit_expect(&k, 1, KERR_NONE);
}

static void
a_new_member_waits_at_most_five_minutes(void **state)
{
    kit_stable(&k, 1);
    for (int i = 1; i < 2; i++) {
        struct group_event ev = kit_join_event(&k, 2, "");

        ev.join.rebalance_timeout_ms = 600000;
        kit_step(&k, &ev);
    }
    for (int i = 0; i < 299; i++) {
        assert_false(kit_pass(&k, 1000));
        kit_beat(&k, 1, 1);
    }
    assert_true(kit_pass(&k, 1000));
    kit_expect(&k, 2, KERR_UNKNOWN_MEMBER_ID);
    kit_is(&k, GROUP_PREPARING, 1, 1);
}

static void
metadata_have_a_limit(void **state)
{
    static uint8_t big[GROUP_MEMBER_METADATA_MAX];
    struct group_protocol p = {S("range"), span_of(big, sizeof big - 5)};
    struct group_event ev = kit_join_event(&k, 1, "");

    ev.join.protocols = &p;
    kit_step(&k, &ev);
    assert_null(kit_reply(&k, 1));
    p.metadata.len++;
    ev.token = TOKEN(2);
    kit_step(&k, &ev);
    kit_expect(&k, 2, KERR_POLICY_VIOLATION);
    k.config.group_bytes_max = 100000;
    kit_restart(&k);
    p.metadata.len = 60000;
    ev.token = TOKEN(1);
    kit_step(&k, &ev);
    assert_null(kit_reply(&k, 1));
    ev.token = TOKEN(2);
    kit_step(&k, &ev);
    kit_expect(&k, 2, KERR_POLICY_VIOLATION);
    kit_is(&k, GROUP_PREPARING, 0, 1);
}

static void
a_protocol_named_twice_counts_once(void **state)
{
    const struct group_protocol twice[] = {{S("range"), S("m2")},
        {S("range"), S("again")}};
    struct group_event ev;

    kit_stable(&k, 2);
    ev = kit_join_event(&k, 2, NULL);
    ev.join.protocols = twice;
    ev.join.protocol_count = 2;
    kit_step(&k, &ev);           /* so this is nothing new */
    kit_expect(&k, 2, KERR_NONE);
    kit_is(&k, GROUP_STABLE, 1, 2);
}

static void
names_and_counts_have_limits(void **state)
{
    static char name[GROUP_NAME_MAX + 1];
    struct group_protocol many[GROUP_PROTOCOLS_MAX + 1];
    struct group_event ev = kit_join_event(&k, 1, "");

    for (size_t i = 0; i < GROUP_PROTOCOLS_MAX + 1; i++) {
        many[i] = (struct group_protocol){S("p"), SPAN_NULL};
    }
    ev.join.protocols = many;
    ev.join.protocol_count = GROUP_PROTOCOLS_MAX + 1;
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_POLICY_VIOLATION);
    many[0].name = span_of(name, sizeof name);
    ev.join.protocol_count = 1;
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_POLICY_VIOLATION);
    ev = kit_join_event(&k, 1, "");
    ev.join.instance_id = span_of(name, sizeof name);
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_INVALID_REQUEST);
    assert_int_equal(groups_count(&k.groups), 0);
}

static void
ids_given_out_are_bounded_the_oldest_goes(void **state)
{
    struct group_event ev = kit_join_event(&k, 1, "");

    ev.join.member_id_required = true;
    for (int i = 0; i <= GROUP_MEMBERS_MAX; i++) {
        ev.token = TOKEN(i + 1);
        k.now++;
        group_effects_clear(&k.fx);
        groups_step(&k.groups, &ev, k.now, &k.fx);
        if (i == 0) {
            const struct group_fx *e =
                kit_expect(&k, 1, KERR_MEMBER_ID_REQUIRED);

            snprintf(k.ids[1], sizeof k.ids[1], "%.*s",
                (int)e->joined.member_id.len,
                (const char *)e->joined.member_id.ptr);
        }
    }
    kit_join(&k, 1, NULL);
    kit_expect(&k, 1, KERR_UNKNOWN_MEMBER_ID);
}

static void
a_long_client_id_is_cut_between_characters(void **state)
{
    struct group_event ev = kit_join_event(&k, 1, "");
    char name[302];
    const struct group_fx *e;

    for (size_t i = 0; i < 300; i += 3) {
        memcpy(name + i + 1, "\xe2\x82\xac", 3);
    }
    name[0] = 'x';
    name[301] = '\0';
    ev.join.client_id = S(name);
    ev.join.member_id_required = true;
    kit_step(&k, &ev);
    e = kit_expect(&k, 1, KERR_MEMBER_ID_REQUIRED);
    assert_int_equal(e->joined.member_id.len, 1 + 84 * 3 + 1 + 36);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_new_member_is_told_its_id_and_comes_back_with_it),
        T(an_id_given_out_and_not_used_leaves_no_trace),
        T(an_older_client_is_a_member_at_once),
        T(session_timeouts_have_bounds),
        T(unknown_ids_do_not_make_a_group),
        T(group_ids_are_not_empty_and_not_endless),
        T(protocols_must_agree),
        T(an_empty_group_takes_any_protocol_type),
        T(the_protocol_is_chosen_by_vote_among_what_all_offer),
        T(the_leader_gets_the_members_and_followers_do_not),
        T(a_full_group_refuses_but_keeps_its_members),
        T(a_follower_with_nothing_new_gets_the_generation_again),
        T(a_leader_that_rejoins_forces_a_rebalance),
        T(changed_metadata_force_a_rebalance),
        T(who_missed_the_answer_gets_it_again),
        T(a_second_join_answers_the_first),
        T(a_dead_connection_gets_no_answer_but_its_member_counts),
        T(who_stays_away_longer_than_the_rebalance_timeout_is_out),
        T(another_leads_when_the_leader_stays_away),
        T(an_id_given_out_holds_up_a_rebalance_until_its_session_ends),
        T(the_initial_delay_waits_for_more_members),
        T(the_initial_delay_ends_with_the_rebalance_timeout),
        T(a_new_member_waits_at_most_five_minutes),
        T(metadata_have_a_limit),
        T(a_protocol_named_twice_counts_once),
        T(names_and_counts_have_limits),
        T(ids_given_out_are_bounded_the_oldest_goes),
        T(a_long_client_id_is_cut_between_characters),
    };

    return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
