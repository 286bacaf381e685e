/* Heartbeat, LeaveGroup, and sessions that end. */
#include "config.h"

#include "kit.h"

static struct kit k;

static int
setup(void **state)
{
    kit_init(&k, 4);
    return 0;
}

static int
teardown(void **state)
{
    kit_release(&k);
    return 0;
}

static void
a_heartbeat_hears_of_a_rebalance(void **state)
{
    kit_stable(&k, 2);
    kit_beat(&k, 2, 1);
    kit_expect(&k, 2, KERR_NONE);
    kit_join(&k, 1, NULL);
    kit_beat(&k, 2, 1);
    kit_expect(&k, 2, KERR_REBALANCE_IN_PROGRESS);
    kit_join(&k, 2, NULL);
    kit_is(&k, GROUP_COMPLETING, 2, 2);
    kit_beat(&k, 2, 2);
    kit_expect(&k, 2, KERR_NONE);
    kit_beat(&k, 2, 1);
    kit_expect(&k, 2, KERR_ILLEGAL_GENERATION);
}

static void
a_heartbeat_of_nobody_is_refused(void **state)
{
    snprintf(k.ids[2], sizeof k.ids[2], "nobody");
    kit_beat(&k, 2, 1);
    kit_expect(&k, 2, KERR_UNKNOWN_MEMBER_ID);
    kit_stable(&k, 1);
    kit_beat(&k, 2, 1);
    kit_expect(&k, 2, KERR_UNKNOWN_MEMBER_ID);
    kit_leave(&k, 1);
    kit_is(&k, GROUP_EMPTY, 2, 0);
    kit_beat(&k, 1, 2);
    kit_expect(&k, 1, KERR_UNKNOWN_MEMBER_ID);
}

static void
a_silent_member_is_out_after_its_session(void **state)
{
    kit_stable(&k, 2);
    kit_pass(&k, 6000);
    kit_beat(&k, 1, 1);
    assert_false(kit_pass(&k, 3999));
    kit_is(&k, GROUP_STABLE, 1, 2);
    kit_pass(&k, 1);
    kit_is(&k, GROUP_PREPARING, 1, 1);
    kit_join(&k, 1, NULL);
    kit_is(&k, GROUP_COMPLETING, 2, 1);
}

static void
a_group_whose_members_all_fall_silent_becomes_empty(void **state)
{
    kit_stable(&k, 2);
    k.now += 100000;             /* all of it is late, and in one turn */
    while (kit_tick(&k)) {
    }
    kit_is(&k, GROUP_EMPTY, 2, 0);
    assert_true(groups_deadline(&k.groups) == INT64_MAX);
}

static void
the_last_leave_is_a_generation_of_its_own(void **state)
{
    kit_stable(&k, 1);
    kit_leave(&k, 1);
    kit_expect(&k, 101, KERR_NONE);
    assert_int_equal(kit_count(&k, GROUP_FX_PERSIST), 1);
    kit_is(&k, GROUP_EMPTY, 2, 0);
    assert_span(group_protocol_type(kit_group(&k)), "consumer");
}

static void
who_leaves_starts_a_rebalance(void **state)
{
    kit_stable(&k, 2);
    kit_leave(&k, 1);
    kit_is(&k, GROUP_PREPARING, 1, 1);
    kit_join(&k, 2, NULL);
    assert_span(kit_expect(&k, 2, KERR_NONE)->joined.leader, k.ids[2]);
}

static void
who_leaves_last_ends_the_join_phase(void **state)
{
    kit_stable(&k, 2);
    kit_join(&k, 1, NULL);
    kit_leave(&k, 2);
    kit_expect(&k, 1, KERR_NONE);
    kit_is(&k, GROUP_COMPLETING, 2, 1);
}

static void
who_leaves_while_it_joins_is_answered(void **state)
{
    kit_stable(&k, 2);
    kit_join(&k, 1, NULL);
    kit_leave(&k, 1);
    kit_expect(&k, 1, KERR_UNKNOWN_MEMBER_ID);
    kit_is(&k, GROUP_PREPARING, 1, 1);
}

static void
many_leave_at_once(void **state)
{
    struct group_leaver leavers[3];
    struct group_event ev = {.kind = GROUP_EV_LEAVE, .group_id = S("g"),
        .token = TOKEN(9), .leave = {leavers, 3, false}};
    const struct group_fx *e;

    kit_stable(&k, 3);
    leavers[0] = (struct group_leaver){S(k.ids[3]), SPAN_NULL};
    leavers[1] = (struct group_leaver){S("nobody"), SPAN_NULL};
    leavers[2] = (struct group_leaver){S(k.ids[1]), SPAN_NULL};
    kit_step(&k, &ev);
    e = kit_expect(&k, 9, KERR_NONE);
    assert_int_equal(e->each.errors[0], KERR_NONE);
    assert_int_equal(e->each.errors[1], KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(e->each.errors[2], KERR_NONE);
    kit_is(&k, GROUP_PREPARING, 1, 1);
}

static void
an_older_client_hears_its_error_on_top(void **state)
{
    const struct group_leaver leaver = {S("nobody"), SPAN_NULL};
    struct group_event ev = {.kind = GROUP_EV_LEAVE, .group_id = S("g"),
        .token = TOKEN(9), .leave = {&leaver, 1, true}};

    kit_step(&k, &ev);
    kit_expect(&k, 9, KERR_UNKNOWN_MEMBER_ID);
    kit_stable(&k, 1);
    kit_step(&k, &ev);
    assert_null(kit_expect(&k, 9, KERR_UNKNOWN_MEMBER_ID)->each.errors);
}

static void
leaving_no_group_is_an_error_of_each(void **state)
{
    const struct group_leaver leavers[2] = {{S("a"), SPAN_NULL},
        {S(""), S("b")}};
    struct group_event ev = {.kind = GROUP_EV_LEAVE, .group_id = S("g"),
        .token = TOKEN(9), .leave = {leavers, 2, false}};
    const struct group_fx *e;

    kit_step(&k, &ev);
    e = kit_expect(&k, 9, KERR_NONE);
    assert_int_equal(e->each.count, 2);
    assert_int_equal(e->each.errors[1], KERR_UNKNOWN_MEMBER_ID);
}

static void
an_id_given_out_can_leave(void **state)
{
    struct group_event ev;

    kit_stable(&k, 1);
    ev = kit_join_event(&k, 2, "");
    ev.join.member_id_required = true;
    kit_step(&k, &ev);
    snprintf(k.ids[2], sizeof k.ids[2], "%.*s",
        (int)kit_reply(&k, 2)->joined.member_id.len,
        (const char *)kit_reply(&k, 2)->joined.member_id.ptr);
    kit_join(&k, 1, NULL);
    assert_null(kit_reply(&k, 1));       /* waits for 2 */
    kit_leave(&k, 2);
    kit_expect(&k, 1, KERR_NONE);
    kit_is(&k, GROUP_COMPLETING, 2, 1);
}

static void
a_member_that_joins_does_not_expire(void **state)
{
    struct group_event ev;

    kit_stable(&k, 2);
    kit_join(&k, 1, NULL);
    for (int i = 0; i < 5; i++) {
        assert_false(kit_pass(&k, 9000));
        kit_beat(&k, 2, 1);
    }
    kit_is(&k, GROUP_PREPARING, 1, 2);
    ev = kit_join_event(&k, 2, NULL);
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_heartbeat_hears_of_a_rebalance),
        T(a_heartbeat_of_nobody_is_refused),
        T(a_silent_member_is_out_after_its_session),
        T(a_group_whose_members_all_fall_silent_becomes_empty),
        T(the_last_leave_is_a_generation_of_its_own),
        T(who_leaves_starts_a_rebalance),
        T(who_leaves_last_ends_the_join_phase),
        T(who_leaves_while_it_joins_is_answered),
        T(many_leave_at_once),
        T(an_older_client_hears_its_error_on_top),
        T(leaving_no_group_is_an_error_of_each),
        T(an_id_given_out_can_leave),
        T(a_member_that_joins_does_not_expire),
    };

    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
