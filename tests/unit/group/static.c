/* Static members: an instance id outlives the member id (KIP-345, KIP-814). */
#include "config.h"

#include "kit.h"

static struct kit k;

static int
setup(void **state)
{
    kit_init(&k, 2);
    return 0;
}

static int
teardown(void **state)
{
    kit_release(&k);
    return 0;
}

/* 1 leads as "i1", 2 follows as "i2", stable in generation 1. */
static void
two_statics(void)
{
    kit_join_static(&k, 1, "", "i1");
    kit_join_static(&k, 2, "", "i2");
    assert_true(kit_pass(&k, 0));
    for (int i = 1; i <= 2; i++) {
        const struct group_fx *e = kit_expect(&k, i, KERR_NONE);

        snprintf(k.ids[i], sizeof k.ids[i], "%.*s",
            (int)e->joined.member_id.len,
            (const char *)e->joined.member_id.ptr);
    }
}

static void
two_stable_statics(void)
{
    two_statics();
    kit_sync(&k, 2, 1, NULL);
    kit_sync(&k, 1, 1, "1=one,2=two");
    kit_is(&k, GROUP_STABLE, 1, 2);
}

static void
a_static_member_needs_no_second_round(void **state)
{
    struct group_event ev = kit_join_event(&k, 1, "");

    ev.join.member_id_required = true;
    ev.join.instance_id = S("i1");
    kit_step(&k, &ev);
    assert_null(kit_reply(&k, 1));
    assert_true(kit_pass(&k, 0));
    assert_memory_equal(kit_expect(&k, 1, KERR_NONE)->joined.member_id.ptr,
        "i1-", 3);
}

static void
a_restarted_follower_comes_back_without_a_rebalance(void **state)
{
    const struct group_fx *e;
    char old[320];

    two_stable_statics();
    memcpy(old, k.ids[2], sizeof old);
    kit_join_static(&k, 2, "", "i2");
    e = kit_expect(&k, 2, KERR_NONE);
    assert_int_equal(e->joined.generation, 1);
    assert_int_equal(e->joined.member_count, 0);
    assert_int_equal(kit_count(&k, GROUP_FX_PERSIST), 1);
    assert_string_not_equal(old, k.ids[2]);
    kit_is(&k, GROUP_STABLE, 1, 2);
    kit_sync(&k, 2, 1, NULL);
    assert_span(kit_expect(&k, 2, KERR_NONE)->synced.assignment, "two");
}

static void
the_one_that_was_replaced_is_fenced(void **state)
{
    struct group_event beat = {.kind = GROUP_EV_HEARTBEAT,
        .group_id = S("g"), .token = TOKEN(5)};
    char old[320];

    two_stable_statics();
    memcpy(old, k.ids[2], sizeof old);
    kit_join_static(&k, 2, "", "i2");
    beat.heartbeat = (struct group_heartbeat){S(old), S("i2"), 1};
    kit_step(&k, &beat);
    kit_expect(&k, 5, KERR_FENCED_INSTANCE_ID);
    beat.heartbeat.instance_id = SPAN_NULL;
    kit_step(&k, &beat);
    kit_expect(&k, 5, KERR_UNKNOWN_MEMBER_ID);
    kit_join_static(&k, 5, old, "i2");
    assert_span(kit_expect(&k, 5, KERR_FENCED_INSTANCE_ID)->joined.member_id,
        old);
}

static void
a_restarted_leader_skips_the_assignment(void **state)
{
    struct group_event ev;
    const struct group_fx *e;

    two_stable_statics();
    ev = kit_join_event(&k, 1, "");
    ev.join.instance_id = S("i1");
    ev.join.skip_assignment = true;
    kit_step(&k, &ev);
    e = kit_expect(&k, 1, KERR_NONE);
    assert_true(e->joined.skip_assignment);
    assert_true(span_eq(e->joined.leader, e->joined.member_id));
    assert_int_equal(e->joined.member_count, 2);
    assert_int_equal(e->joined.generation, 1);
    kit_is(&k, GROUP_STABLE, 1, 2);
}

static void
a_restarted_follower_that_could_skip_has_nothing_to_skip(void **state)
{
    struct group_event ev;

    two_stable_statics();
    ev = kit_join_event(&k, 2, "");
    ev.join.instance_id = S("i2");
    ev.join.skip_assignment = true;
    kit_step(&k, &ev);
    assert_false(kit_expect(&k, 2, KERR_NONE)->joined.skip_assignment);
    assert_span(kit_reply(&k, 2)->joined.leader, k.ids[1]);
}

static void
an_older_restarted_leader_believes_it_follows(void **state)
{
    const struct group_fx *e;
    char old[320];

    two_stable_statics();
    memcpy(old, k.ids[1], sizeof old);
    kit_join_static(&k, 1, "", "i1");
    e = kit_expect(&k, 1, KERR_NONE);
    assert_span(e->joined.leader, old);
    assert_int_equal(e->joined.member_count, 0);
    assert_false(e->joined.skip_assignment);
    /* but it does lead: when it joins again there is a rebalance */
    kit_join_static(&k, 1, k.ids[1], "i1");
    assert_null(kit_reply(&k, 1));
    kit_is(&k, GROUP_PREPARING, 1, 2);
}

static void
a_restart_that_changes_the_protocol_rebalances(void **state)
{
    const struct group_protocol two[] = {{S("range"), S("")},
        {S("sticky"), S("")}};
    const struct group_protocol swapped[] = {{S("sticky"), S("")},
        {S("range"), S("")}};
    struct group_event ev = kit_join_event(&k, 1, "");

    ev.join.instance_id = S("i1");
    ev.join.protocols = two;
    ev.join.protocol_count = 2;
    kit_step(&k, &ev);
    assert_true(kit_pass(&k, 0));
    snprintf(k.ids[1], sizeof k.ids[1], "%.*s",
        (int)kit_reply(&k, 1)->joined.member_id.len,
        (const char *)kit_reply(&k, 1)->joined.member_id.ptr);
    kit_sync(&k, 1, 1, "1=all");
    kit_is(&k, GROUP_STABLE, 1, 1);
    ev.join.protocols = swapped;
    kit_step(&k, &ev);
    assert_span(kit_expect(&k, 1, KERR_NONE)->joined.protocol_name, "sticky");
    kit_is(&k, GROUP_COMPLETING, 2, 1);
}

static void
a_restart_while_others_wait_for_the_leader_rebalances(void **state)
{
    two_statics();
    kit_sync(&k, 2, 1, NULL);
    assert_null(kit_reply(&k, 2));
    kit_join_static(&k, 3, "", "i1");
    kit_expect(&k, 2, KERR_REBALANCE_IN_PROGRESS);
    kit_is(&k, GROUP_PREPARING, 1, 2);
}

static void
who_waits_under_the_old_id_is_fenced_at_once(void **state)
{
    struct group_event ev;

    two_statics();
    kit_sync(&k, 2, 1, NULL);
    ev = kit_join_event(&k, 7, "");
    ev.join.instance_id = S("i2");
    kit_step(&k, &ev);
    kit_expect(&k, 2, KERR_FENCED_INSTANCE_ID);
    kit_is(&k, GROUP_PREPARING, 1, 2);
    ev.token = TOKEN(8);
    kit_step(&k, &ev);
    kit_expect(&k, 7, KERR_FENCED_INSTANCE_ID);
    assert_null(kit_reply(&k, 8));
}

static void
it_stays_through_a_rebalance_it_missed_until_its_session_ends(void **state)
{
    struct group_event ev;
    const struct group_fx *e;

    two_stable_statics();
    ev = kit_join_event(&k, 1, NULL);
    ev.join.instance_id = S("i1");
    ev.join.rebalance_timeout_ms = 5000;
    ev.join.session_timeout_ms = 30000;
    kit_join_static(&k, 2, k.ids[2], "i2");      /* nothing new: no wait */
    kit_expect(&k, 2, KERR_NONE);
    kit_step(&k, &ev);
    assert_true(kit_pass(&k, 10000));            /* the session of i2 */
    e = kit_expect(&k, 1, KERR_NONE);
    assert_int_equal(e->joined.member_count, 1);
    kit_is(&k, GROUP_COMPLETING, 2, 1);
}

/* As two_stable_statics(), with sessions of 20 s and rebalances of `ms`. */
static void
patient_statics(int32_t ms)
{
    struct group_event ev;

    two_stable_statics();
    for (int i = 1; i <= 2; i++) {
        ev = kit_join_event(&k, i, NULL);
        ev.join.instance_id = i == 1 ? S("i1") : S("i2");
        ev.join.rebalance_timeout_ms = ms;
        ev.join.session_timeout_ms = 20000;
        kit_step(&k, &ev);
    }
    kit_is(&k, GROUP_COMPLETING, 2, 2);
    kit_sync(&k, 2, 2, NULL);
    kit_sync(&k, 1, 2, "1=one,2=two");
    kit_is(&k, GROUP_STABLE, 2, 2);
}

static void
an_absent_static_member_counts_in_a_rebalance(void **state)
{
    struct group_event ev;

    patient_statics(5000);
    ev = kit_join_event(&k, 1, NULL);
    ev.join.instance_id = S("i1");
    ev.join.rebalance_timeout_ms = 5000;
    kit_step(&k, &ev);           /* 1 leads and wants one, 2 is silent */
    assert_true(kit_pass(&k, 5000));
    assert_int_equal(kit_expect(&k, 1, KERR_NONE)->joined.member_count, 2);
    kit_is(&k, GROUP_COMPLETING, 3, 2);
}

static void
another_leads_while_a_static_leader_is_away(void **state)
{
    struct group_protocol p = {S("range"), S("new")};
    struct group_event ev;

    patient_statics(5000);
    ev = kit_join_event(&k, 2, NULL);
    ev.join.instance_id = S("i2");
    ev.join.protocols = &p;
    ev.join.rebalance_timeout_ms = 5000;
    kit_step(&k, &ev);
    assert_true(kit_pass(&k, 5000));
    assert_span(kit_expect(&k, 2, KERR_NONE)->joined.leader, k.ids[2]);
    assert_int_equal(kit_reply(&k, 2)->joined.member_count, 2);
}

static void
a_join_phase_with_nobody_there_is_no_busy_loop(void **state)
{
    const struct group_leaver leaver = {S(""), S("i3")};
    struct group_event ev = kit_join_event(&k, 3, "");
    int ticks = 0;

    patient_statics(0);
    ev.join.instance_id = S("i3");
    ev.join.rebalance_timeout_ms = 0;
    kit_step(&k, &ev);
    ev = (struct group_event){.kind = GROUP_EV_LEAVE, .group_id = S("g"),
        .token = TOKEN(5), .leave = {&leaver, 1, false}};
    kit_step(&k, &ev);
    kit_expect(&k, 3, KERR_UNKNOWN_MEMBER_ID);
    kit_is(&k, GROUP_PREPARING, 2, 2);
    for (int64_t end = k.now + 30000; k.now < end; ticks++) {
        kit_tick(&k);
        if (groups_deadline(&k.groups) > k.now) {
            k.now = groups_deadline(&k.groups) > end
                ? end : groups_deadline(&k.groups);
        }
    }
    assert_in_range(ticks, 5, 150);
    kit_is(&k, GROUP_EMPTY, 3, 0);
}

static void
unknown_instances_are_unknown_members(void **state)
{
    two_stable_statics();
    kit_join_static(&k, 3, k.ids[1], "i9");
    kit_expect(&k, 3, KERR_UNKNOWN_MEMBER_ID);
}

static void
an_administrator_removes_it_by_its_instance_id(void **state)
{
    const struct group_leaver leavers[] = {
        {S(""), S("i2")}, {S(""), S("i9")}, {S(""), SPAN_NULL}};
    struct group_event ev = {.kind = GROUP_EV_LEAVE, .group_id = S("g"),
        .token = TOKEN(5), .leave = {leavers, 3, false}};
    const struct group_fx *e;

    two_stable_statics();
    kit_step(&k, &ev);
    e = kit_expect(&k, 5, KERR_NONE);
    assert_int_equal(e->each.count, 3);
    assert_int_equal(e->each.errors[0], KERR_NONE);
    assert_int_equal(e->each.errors[1], KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(e->each.errors[2], KERR_UNKNOWN_MEMBER_ID);
    kit_is(&k, GROUP_PREPARING, 1, 1);
}

static void
a_restart_needs_no_room_in_a_full_group(void **state)
{
    k.config.members_max = 2;
    kit_restart(&k);
    two_stable_statics();
    kit_join_static(&k, 2, "", "i2");
    kit_expect(&k, 2, KERR_NONE);
    kit_join_static(&k, 3, "", "i3");
    kit_expect(&k, 3, KERR_GROUP_MAX_SIZE_REACHED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_static_member_needs_no_second_round),
        T(a_restarted_follower_comes_back_without_a_rebalance),
        T(the_one_that_was_replaced_is_fenced),
        T(a_restarted_leader_skips_the_assignment),
        T(a_restarted_follower_that_could_skip_has_nothing_to_skip),
        T(an_older_restarted_leader_believes_it_follows),
        T(a_restart_that_changes_the_protocol_rebalances),
        T(a_restart_while_others_wait_for_the_leader_rebalances),
        T(who_waits_under_the_old_id_is_fenced_at_once),
        T(it_stays_through_a_rebalance_it_missed_until_its_session_ends),
        T(an_absent_static_member_counts_in_a_rebalance),
        T(another_leads_while_a_static_leader_is_away),
        T(a_join_phase_with_nobody_there_is_no_busy_loop),
        T(unknown_instances_are_unknown_members),
        T(an_administrator_removes_it_by_its_instance_id),
        T(a_restart_needs_no_room_in_a_full_group),
    };

    return cmocka_run_group_tests_name("static", tests, NULL, NULL);
}
