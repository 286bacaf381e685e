/* The registry: lists, deletion, deadlines, gates, and images at a restart. */
#include "config.h"

#include "kit.h"

static struct kit k;
static struct arena arena;

static int
setup(void **state)
{
    kit_init(&k, 6);
    arena_init(&arena, MIB);
    return 0;
}

static int
teardown(void **state)
{
    arena_release(&arena);
    kit_release(&k);
    return 0;
}

/* ---- lists, deletion, gates ---- */

static void
lists_filter_by_state_and_type(void **state)
{
    const struct span stable[] = {S("Dead"), S(" sTABLE ")};
    const struct span empty[] = {S("empty"), S("stabl"), S("Stablee")};
    const struct span classic[] = {S("consumer"), S("Classic")};

    kit_stable(&k, 1);
    assert_true(group_listed(kit_group(&k), NULL, 0, NULL, 0));
    assert_true(group_listed(kit_group(&k), stable, 2, classic, 2));
    assert_false(group_listed(kit_group(&k), stable, 2, classic, 1));
    assert_false(group_listed(kit_group(&k), empty, 3, NULL, 0));
}

static void
only_empty_groups_are_deleted(void **state)
{
    struct group_event ev = {.kind = GROUP_EV_DELETE, .group_id = S("g"),
        .token = TOKEN(70)};

    kit_step(&k, &ev);
    kit_expect(&k, 70, KERR_GROUP_ID_NOT_FOUND);
    kit_stable(&k, 1);
    kit_step(&k, &ev);
    kit_expect(&k, 70, KERR_NON_EMPTY_GROUP);
    kit_leave(&k, 1);
    kit_step(&k, &ev);
    kit_expect(&k, 70, KERR_NONE);
    assert_int_equal(kit_count(&k, GROUP_FX_DELETE), 1);
    assert_null(kit_group(&k));
    assert_int_equal(group_state(k.fx.group), GROUP_DEAD);
}

static void
replies_wait_for_the_epoch_they_have_seen(void **state)
{
    struct group_event ev = {.kind = GROUP_EV_DELETE, .group_id = S("g"),
        .token = TOKEN(70)};

    assert_int_equal(groups_gate(&k.groups, NULL), 0);
    kit_stable(&k, 1);
    groups_mark(&k.groups, k.fx.group, 7);
    kit_beat(&k, 1, 1);
    assert_int_equal(groups_gate(&k.groups, k.fx.group), 7);
    assert_int_equal(groups_gate(&k.groups, NULL), 0);
    kit_leave(&k, 1);
    groups_mark(&k.groups, k.fx.group, 8);
    kit_step(&k, &ev);
    groups_mark(&k.groups, k.fx.group, 9);
    /* that it is not there any more is news as well */
    kit_beat(&k, 1, 1);
    assert_null(k.fx.group);
    assert_int_equal(groups_gate(&k.groups, NULL), 9);
    kit_join(&k, 1, "");
    assert_int_equal(groups_gate(&k.groups, k.fx.group), 9);
}

static void
groups_are_bounded(void **state)
{
    struct group_commit_item item = {S("t"), {{1}}, 0, 1, -1, S(""),
        KERR_NONE};
    struct group_event ev = {.kind = GROUP_EV_COMMIT, .group_id = S("h"),
        .token = TOKEN(1), .commit = {.generation = -1, .retention_ms = -1,
            .items = &item, .count = 1}};

    k.config.groups_max = 1;
    kit_restart(&k);
    kit_stable(&k, 1);
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_POLICY_VIOLATION);
    ev = kit_join_event(&k, 1, "");
    ev.group_id = S("h");
    kit_step(&k, &ev);
    kit_expect(&k, 1, KERR_POLICY_VIOLATION);
}

/* ---- deadlines ---- */

static void
ten_thousand_idle_groups_cost_nothing(void **state)
{
    struct group_commit_item item = {S("t"), {{1}}, 0, 1, -1, S(""),
        KERR_NONE};
    struct group_event ev = {.kind = GROUP_EV_COMMIT, .token = TOKEN(1),
        .commit = {.generation = -1, .retention_ms = -1, .items = &item,
            .count = 1}};
    char name[16];

    for (int i = 0; i < 9999; i++) {
        snprintf(name, sizeof name, "idle%d", i);
        ev.group_id = S(name);
        group_effects_clear(&k.fx);
        groups_step(&k.groups, &ev, k.now, &k.fx);
    }
    assert_true(groups_deadline(&k.groups) == INT64_MAX);
    kit_stable(&k, 1);
    assert_int_equal(groups_deadline(&k.groups), k.now);  /* a bound */
    assert_false(kit_tick(&k));
    assert_int_equal(groups_deadline(&k.groups), k.now + 10000);
    /* heartbeats leave the bound alone until it is reached */
    k.now += 5000;
    kit_beat(&k, 1, 1);
    assert_int_equal(groups_deadline(&k.groups), k.now + 5000);
    k.now += 5000;
    assert_false(kit_tick(&k));
    assert_int_equal(groups_deadline(&k.groups), k.now + 5000);
}

static void
the_earliest_group_comes_first(void **state)
{
    int64_t last = 0;
    int fired = 0;

    for (int i = 0; i < 50; i++) {
        char name[16];
        struct group_event ev = kit_join_event(&k, 1, "");

        snprintf(name, sizeof name, "g%d", i);
        ev.group_id = S(name);
        ev.join.member_id_required = true;
        ev.join.session_timeout_ms = 6000 + (i * 37) % 50 * 100;
        kit_step(&k, &ev);
    }
    while (groups_deadline(&k.groups) != INT64_MAX) {
        k.now = groups_deadline(&k.groups);
        assert_true(k.now >= last);
        last = k.now;
        while (kit_tick(&k)) {
            fired++;
        }
    }
    assert_int_equal(fired, 50);
    assert_int_equal(groups_count(&k.groups), 0);
}

/* Bounds that were too early rise, and what lay beneath comes up. */
static void
every_session_ends_on_time(void **state)
{
    enum { GROUPS = 40 };
    int64_t began = k.now;
    int empty = 0;

    for (int i = 0; i < GROUPS; i++) {
        struct group_event ev = kit_join_event(&k, 1, "");
        char name[16];

        snprintf(name, sizeof name, "g%d", i);
        ev.group_id = S(name);
        ev.join.session_timeout_ms = 6000 + (i * 7) % GROUPS * 100;
        kit_step(&k, &ev);
    }
    while (kit_tick(&k)) {
    }
    for (; empty < GROUPS; k.now += 100) {
        while (kit_tick(&k)) {
            if (group_state(k.fx.group) == GROUP_EMPTY) {
                assert_int_equal(k.now - began, 6000 + empty * 100);
                empty++;
            }
        }
    }
}

/* ---- images ---- */

/* The registry forgets all but the image of "g". */
static void
restart_from_image(void)
{
    struct group_image image;
    struct groups old = k.groups;
    struct err err;

    assert_int_equal(group_image(kit_group(&k), &arena, &image), 0);
    group_effects_clear(&k.fx);
    groups_init(&k.groups, &k.world, &k.config);
    assert_int_equal(groups_restore(&k.groups, &image, k.now, &err), 0);
    groups_check(&k.groups);
    groups_release(&old);
}

static void
members_of_the_image_heartbeat_on(void **state)
{
    kit_stable(&k, 2);
    k.now += 9000;
    restart_from_image();
    kit_is(&k, GROUP_STABLE, 1, 2);
    assert_false(kit_pass(&k, 9999));    /* sessions in full */
    kit_beat(&k, 1, 1);
    kit_expect(&k, 1, KERR_NONE);
    kit_sync(&k, 2, 1, NULL);
    assert_span(kit_expect(&k, 2, KERR_NONE)->synced.assignment, "two");
    kit_join(&k, 1, NULL);
    kit_is(&k, GROUP_PREPARING, 1, 2);   /* it still leads */
    assert_true(kit_pass(&k, 1));        /* and 2 never sent a heartbeat */
    kit_expect(&k, 1, KERR_NONE);
    kit_is(&k, GROUP_COMPLETING, 2, 1);
}

static void
a_restart_between_join_and_sync_goes_on_there(void **state)
{
    kit_stable(&k, 2);
    kit_join(&k, 1, NULL);
    kit_join(&k, 2, NULL);
    kit_is(&k, GROUP_COMPLETING, 2, 2);
    restart_from_image();
    kit_is(&k, GROUP_COMPLETING, 2, 2);
    kit_join(&k, 1, NULL);
    assert_int_equal(kit_expect(&k, 1, KERR_NONE)->joined.member_count, 2);
    kit_sync(&k, 2, 2, NULL);
    kit_sync(&k, 1, 2, "1=x,2=y");
    assert_span(kit_expect(&k, 2, KERR_NONE)->synced.assignment, "y");
}

static void
a_restart_in_the_join_phase_waits_for_all(void **state)
{
    kit_stable(&k, 2);
    kit_join(&k, 1, NULL);
    restart_from_image();
    kit_is(&k, GROUP_PREPARING, 1, 2);
    kit_join(&k, 2, NULL);
    kit_join(&k, 1, NULL);
    assert_int_equal(kit_expect(&k, 1, KERR_NONE)->joined.generation, 2);
}

static void
an_empty_groups_generation_is_remembered(void **state)
{
    kit_stable(&k, 1);
    kit_leave(&k, 1);
    restart_from_image();
    kit_is(&k, GROUP_EMPTY, 2, 0);
    kit_join(&k, 1, "");
    kit_pass(&k, 0);
    assert_int_equal(kit_expect(&k, 1, KERR_NONE)->joined.generation, 3);
}

static void
an_image_shows_what_describe_groups_shows(void **state)
{
    struct group_image image;

    kit_stable(&k, 2);
    assert_int_equal(group_image(kit_group(&k), &arena, &image), 0);
    assert_span(image.group_id, "g");
    assert_span(image.protocol_type, "consumer");
    assert_span(image.protocol_name, "range");
    assert_span(image.leader_id, k.ids[1]);
    assert_int_equal(image.member_count, 2);
    assert_span(image.members[1].client_host, "/127.0.0.1");
    assert_span(image.members[1].assignment, "two");
    assert_span(group_image_metadata(&image, &image.members[1]), "m2");
    assert_null(image.members[1].instance_id.ptr);
    assert_true(arena.used <= group_image_size(kit_group(&k)));
}

static void
offsets_and_image_come_in_any_order(void **state)
{
    const struct group_offset o = {.partition = 3, .leader_epoch = 1,
        .offset = 77, .commit_ms = 5, .expire_ms = -1,
        .metadata = S("m")};
    const struct uuid id = {{9}};
    struct group_image image;
    struct groups old;
    struct err err;

    kit_stable(&k, 1);
    assert_int_equal(group_image(kit_group(&k), &arena, &image), 0);
    old = k.groups;
    groups_init(&k.groups, &k.world, &k.config);
    assert_int_equal(groups_restore_offset(&k.groups, S("g"), S("t"), &id,
        &o, k.now, &err), 0);
    kit_is(&k, GROUP_EMPTY, 0, 0);
    assert_int_equal(groups_restore(&k.groups, &image, k.now, &err), 0);
    assert_int_equal(groups_restore_offset(&k.groups, S("g"), S("u"), &id,
        &o, k.now, &err), 0);
    groups_check(&k.groups);
    kit_is(&k, GROUP_STABLE, 1, 1);
    assert_int_equal(group_offset(kit_group(&k), S("t"), &id, 3)->offset, 77);
    assert_int_equal(group_offset(kit_group(&k), S("u"), &id, 3)->offset, 77);
    assert_int_equal(groups_restore(&k.groups, &image, k.now, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
    groups_release(&old);
}

/* Each fault by itself, on a good image of two. */
static void
a_damaged_image_is_refused(void **state)
{
    struct group_image good, image;
    struct group_image_member members[2];
    struct group_protocol other = {S("sticky"), S("")};

    kit_stable(&k, 2);
    assert_int_equal(group_image(kit_group(&k), &arena, &good), 0);
    for (int fault = 0; fault < 14; fault++) {
        struct groups gs;
        struct err err = {0};

        image = good;
        memcpy(members, good.members, sizeof members);
        image.members = members;
        switch (fault) {
        case 0: break;           /* none: this one is taken */
        case 1: image.state = GROUP_DEAD; break;
        case 2: image.generation = -1; break;
        case 3: image.state = GROUP_EMPTY; break;
        case 4: image.member_count = 0; break;
        case 5: image.protocol_type = SPAN_NULL; break;
        case 6: image.protocol_name = SPAN_NULL; break;
        case 7: image.leader_id = S("nobody"); break;
        case 8: members[1].member_id = members[0].member_id; break;
        case 9: members[0].session_timeout_ms = 0; break;
        case 10: members[1].protocols = &other; break;
        case 11: members[0].protocol_count = 0; break;
        case 12:
            members[0].instance_id = members[1].instance_id = S("i");
            break;
        case 13: image.group_id = SPAN_NULL; break;
        }
        groups_init(&gs, &k.world, &k.config);
        assert_int_equal(groups_restore(&gs, &image, k.now, &err),
            fault == 0 ? 0 : -1);
        assert_int_equal(err.code, fault == 0 ? 0 : ERR_DAMAGE);
        groups_check(&gs);
        groups_release(&gs);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(lists_filter_by_state_and_type),
        T(only_empty_groups_are_deleted),
        T(replies_wait_for_the_epoch_they_have_seen),
        T(groups_are_bounded),
        T(ten_thousand_idle_groups_cost_nothing),
        T(the_earliest_group_comes_first),
        T(every_session_ends_on_time),
        T(members_of_the_image_heartbeat_on),
        T(a_restart_between_join_and_sync_goes_on_there),
        T(a_restart_in_the_join_phase_waits_for_all),
        T(an_empty_groups_generation_is_remembered),
        T(an_image_shows_what_describe_groups_shows),
        T(offsets_and_image_come_in_any_order),
        T(a_damaged_image_is_refused),
    };

    return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}
