/* SyncGroup: the leader's assignment reaches everybody, or nobody. */
#include "config.h"

#include "kit.h"

static struct kit k;

static int
setup(void **state)
{
    kit_init(&k, 3);
    return 0;
}

static int
teardown(void **state)
{
    kit_release(&k);
    return 0;
}

/* Members 1 (leading) to n with the answers of their joins. */
static void
joined(int n)
{
    for (int i = 1; i <= n; i++) {
        kit_join(&k, i, "");
    }
    assert_true(kit_pass(&k, 0));
    for (int i = 1; i <= n; i++) {
        const struct group_fx *e = kit_expect(&k, i, KERR_NONE);

        snprintf(k.ids[i], sizeof k.ids[i], "%.*s",
            (int)e->joined.member_id.len,
            (const char *)e->joined.member_id.ptr);
    }
}

static void
followers_wait_for_the_leader(void **state)
{
    joined(3);
    kit_sync(&k, 2, 1, NULL);
    assert_int_equal(k.fx.count, 0);
    kit_sync(&k, 1, 1, "1=one,2=two,9=stranger");
    assert_int_equal(kit_count(&k, GROUP_FX_PERSIST), 1);
    assert_span(kit_expect(&k, 1, KERR_NONE)->synced.assignment, "one");
    assert_span(kit_expect(&k, 2, KERR_NONE)->synced.assignment, "two");
    assert_span(kit_reply(&k, 2)->synced.protocol_name, "range");
    kit_is(&k, GROUP_STABLE, 1, 3);
    kit_sync(&k, 3, 1, NULL);
    assert_span(kit_expect(&k, 3, KERR_NONE)->synced.assignment, "");
}

static void
a_stable_group_answers_with_what_it_has(void **state)
{
    kit_stable(&k, 2);
    kit_sync(&k, 2, 1, NULL);
    assert_span(kit_expect(&k, 2, KERR_NONE)->synced.assignment, "two");
    kit_sync(&k, 1, 1, "1=two,2=one");
    assert_span(kit_expect(&k, 1, KERR_NONE)->synced.assignment, "one");
    assert_int_equal(kit_count(&k, GROUP_FX_PERSIST), 0);
}

static void
the_wrong_generation_and_strangers_are_refused(void **state)
{
    joined(1);
    kit_sync(&k, 1, 0, NULL);
    kit_expect(&k, 1, KERR_ILLEGAL_GENERATION);
    kit_sync(&k, 1, 2, NULL);
    kit_expect(&k, 1, KERR_ILLEGAL_GENERATION);
    snprintf(k.ids[2], sizeof k.ids[2], "nobody");
    kit_sync(&k, 2, 1, NULL);
    kit_expect(&k, 2, KERR_UNKNOWN_MEMBER_ID);
}

static void
no_group_no_member(void **state)
{
    snprintf(k.ids[2], sizeof k.ids[2], "nobody");
    kit_sync(&k, 2, 1, NULL);
    assert_span(kit_expect(&k, 2, KERR_UNKNOWN_MEMBER_ID)->synced.assignment,
        "");
    assert_null(k.fx.group);
}

static void
protocol_type_and_name_must_be_the_groups_if_given(void **state)
{
    struct group_event ev;

    joined(1);
    ev = (struct group_event){.kind = GROUP_EV_SYNC, .group_id = S("g"),
        .token = TOKEN(1), .sync = {.member_id = S(k.ids[1]),
            .generation = 1, .protocol_type = S("connect"),
            .protocol_name = S("range")}};
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_INCONSISTENT_GROUP_PROTOCOL);
    ev.sync.protocol_type = S("consumer");
    ev.sync.protocol_name = S("sticky");
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_INCONSISTENT_GROUP_PROTOCOL);
    ev.sync.protocol_name = S("range");
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_NONE);
}

static void
in_a_rebalance_everybody_has_to_join(void **state)
{
    kit_stable(&k, 2);
    kit_join(&k, 1, NULL);
    kit_sync(&k, 2, 1, NULL);
    kit_expect(&k, 2, KERR_REBALANCE_IN_PROGRESS);
}

static void
a_new_member_sends_those_who_wait_back_to_join(void **state)
{
    joined(3);
    kit_sync(&k, 2, 1, NULL);
    kit_join(&k, 4, "");
    kit_expect(&k, 2, KERR_REBALANCE_IN_PROGRESS);
    assert_null(kit_reply(&k, 3));
    kit_is(&k, GROUP_PREPARING, 1, 4);
}

static void
a_second_sync_answers_the_first(void **state)
{
    joined(2);
    kit_sync(&k, 2, 1, NULL);
    memcpy(k.ids[3], k.ids[2], sizeof k.ids[3]);
    kit_sync(&k, 3, 1, NULL);
    kit_expect(&k, 2, KERR_REBALANCE_IN_PROGRESS);
    kit_sync(&k, 1, 1, "1=one,2=two");
    assert_span(kit_expect(&k, 3, KERR_NONE)->synced.assignment, "two");
    assert_null(kit_reply(&k, 2));
}

static void
who_does_not_sync_in_time_is_out(void **state)
{
    joined(3);
    kit_sync(&k, 2, 1, NULL);
    for (int i = 0; i < 59; i++) {
        assert_false(kit_pass(&k, 1000));
        kit_beat(&k, 1, 1);
        kit_expect(&k, 1, KERR_NONE);
        kit_beat(&k, 3, 1);
    }
    assert_true(kit_pass(&k, 1000));
    kit_expect(&k, 2, KERR_REBALANCE_IN_PROGRESS);
    kit_is(&k, GROUP_PREPARING, 1, 1);
    kit_join(&k, 2, NULL);
    kit_expect(&k, 2, KERR_NONE);
    kit_is(&k, GROUP_COMPLETING, 2, 1);
}

static void
followers_of_a_stable_group_must_sync_in_time_as_well(void **state)
{
    joined(2);
    kit_sync(&k, 1, 1, "1=one,2=two");
    for (int i = 0; i < 59; i++) {
        assert_false(kit_pass(&k, 1000));
        kit_beat(&k, 1, 1);
        kit_beat(&k, 2, 1);
        kit_expect(&k, 2, KERR_NONE);
    }
    kit_is(&k, GROUP_STABLE, 1, 2);
    kit_pass(&k, 1000);
    kit_is(&k, GROUP_PREPARING, 1, 1);
}

static void
the_session_of_who_waits_does_not_end(void **state)
{
    joined(2);
    kit_sync(&k, 2, 1, NULL);
    for (int i = 0; i < 6; i++) {
        assert_false(kit_pass(&k, 9000));
        kit_beat(&k, 1, 1);
    }
    kit_sync(&k, 1, 1, "2=two");
    kit_expect(&k, 2, KERR_NONE);
    kit_pass(&k, 5000);
    kit_beat(&k, 1, 1);
    assert_false(kit_pass(&k, 4999));            /* it began anew */
    kit_is(&k, GROUP_STABLE, 1, 2);
    kit_pass(&k, 1);
    kit_is(&k, GROUP_PREPARING, 1, 1);
}

static void
who_leaves_while_it_waits_is_answered(void **state)
{
    joined(2);
    kit_sync(&k, 2, 1, NULL);
    kit_leave(&k, 2);
    kit_expect(&k, 2, KERR_UNKNOWN_MEMBER_ID);
    kit_expect(&k, 102, KERR_NONE);
    kit_is(&k, GROUP_PREPARING, 1, 1);
}

static void
a_dead_connection_gets_no_assignment(void **state)
{
    joined(2);
    kit_sync(&k, 2, 1, NULL);
    kit_gone(&k, 2);
    kit_sync(&k, 1, 1, "2=two");
    assert_null(kit_reply(&k, 2));
    memcpy(k.ids[3], k.ids[2], sizeof k.ids[3]);
    kit_sync(&k, 3, 1, NULL);
    assert_span(kit_expect(&k, 3, KERR_NONE)->synced.assignment, "two");
}

static void
assignments_have_a_limit(void **state)
{
    k.config.group_bytes_max = 5000;
    kit_restart(&k);
    joined(2);
    for (int i = 0; i < 2; i++) {
        char text[6000] = "1=";

        memset(text + 2, 'x', i == 0 ? 4900 : 1000);
        kit_sync(&k, 1, 1, text);
        kit_expect(&k, 1, i == 0 ? KERR_POLICY_VIOLATION : KERR_NONE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(followers_wait_for_the_leader),
        T(a_stable_group_answers_with_what_it_has),
        T(the_wrong_generation_and_strangers_are_refused),
        T(no_group_no_member),
        T(protocol_type_and_name_must_be_the_groups_if_given),
        T(in_a_rebalance_everybody_has_to_join),
        T(a_new_member_sends_those_who_wait_back_to_join),
        T(a_second_sync_answers_the_first),
        T(who_does_not_sync_in_time_is_out),
        T(followers_of_a_stable_group_must_sync_in_time_as_well),
        T(the_session_of_who_waits_does_not_end),
        T(who_leaves_while_it_waits_is_answered),
        T(a_dead_connection_gets_no_assignment),
        T(assignments_have_a_limit),
    };

    return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
