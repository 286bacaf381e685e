/*
 * Streams groups (KIP-1071), one behaviour a test: topologies and the topics
 * they need, who runs which tasks, how tasks move, what a restart keeps; and
 * a simulation, where members come, go, move and die by a seed.
 */
#include "config.h"

#include "kit.h"
#include "topics.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "group/streams.h"

enum { MEMBERS = 8 };

struct act {
    struct kit k;
    struct topics topics;
    struct group_topics view;
    struct {
        int32_t epoch;
        struct parts has;
        bool in;
    } m[MEMBERS];
};

static const char *const ids[MEMBERS] = {"m0", "m1", "m2", "m3", "m4", "m5",
    "m6", "m7"};
static const char *const processes[MEMBERS] = {"p0", "p0", "p1", "p1", "p2",
    "p2", "p3", "p3"};

/* "in" -> 0 -> "re" -> 1, which has a store. */
static struct span sources[] = {{(const uint8_t *)"in", 2}};
static struct span sinks[] = {{(const uint8_t *)"re", 2}};
static struct streams_topic re = {.name = {(const uint8_t *)"re", 2}};
static struct streams_topic store = {.name = {(const uint8_t *)"ch", 2}};
static struct streams_subtopology two[] = {
    {.id = {(const uint8_t *)"0", 1},
        .sources = sources,
        .source_count = 1,
        .sinks = sinks,
        .sink_count = 1},
    {.id = {(const uint8_t *)"1", 1},
        .repartitions = &re,
        .repartition_count = 1,
        .changelogs = &store,
        .changelog_count = 1},
};
static const struct streams_topology both = {1, two, 2};
static const struct streams_topology one = {1, two, 1};

static int
setup(void **state)
{
    struct act *a = xcalloc(1, sizeof *a);

    kit_init(&a->k, kit_seed(1));
    a->view = topics_view(&a->topics);
    kit_restart(&a->k);
    groups_set_topics(&a->k.groups, &a->view);
    *state = a;
    return 0;
}

static int
teardown(void **state)
{
    struct act *a = *state;

    for (int i = 0; i < MEMBERS; i++) {
        parts_release(&a->m[i].has);
    }
    kit_release(&a->k);
    free(a);
    return 0;
}

/* ---- words ---- */

static const struct group_fx *
say(struct act *a, int m, int32_t epoch, const struct streams_beat *s,
    const struct parts *owned, enum kerr error)
{
    struct group_event ev = {.kind = GROUP_EV_BEAT,
        .group_id = S("g"),
        .token = TOKEN(900),
        .beat = {.member_id = S(ids[m]),
            .epoch = epoch,
            .rebalance_timeout_ms = epoch == 0 ? 10000 : -1,
            .client_id = S("c"),
            .client_host = S("/h"),
            .own_id = true,
            .streams = s}};
    const struct group_fx *e;

    if (owned != NULL) {
        ev.beat.owned = owned->v;
        ev.beat.owned_count = owned->count;
        ev.beat.has_owned = true;
    }
    kit_step(&a->k, &ev);
    groups_check(&a->k.groups);
    e = kit_expect(&a->k, 900, error);
    assert_int_equal(e->kind, GROUP_FX_BEATEN);
    assert_true(e->beaten.streams);
    return e;
}

static void
hear(struct act *a, int m, const struct group_fx *e)
{
    a->m[m].epoch = e->beaten.epoch;
    a->m[m].in = e->beaten.epoch > 0;
    if (e->beaten.assignment != NULL) {
        parts_copy(&a->m[m].has, e->beaten.assignment);
    }
}

static void
join_with(struct act *a, int m, const struct streams_topology *t)
{
    struct streams_beat s = {.topology = t, .process_id = S(processes[m])};
    struct parts none = {0};

    parts_clear(&a->m[m].has);
    hear(a, m, say(a, m, 0, &s, &none, KERR_NONE));
}

/* It says that it owns what it was told to. */
static void
beat(struct act *a, int m)
{
    struct streams_beat s = {.topology = NULL};

    hear(a, m, say(a, m, a->m[m].epoch, &s, &a->m[m].has, KERR_NONE));
}

static void
leave(struct act *a, int m)
{
    struct streams_beat s = {.topology = NULL};

    say(a, m, CONSUMER_EPOCH_LEAVE, &s, NULL, KERR_NONE);
    a->m[m].in = false;
    parts_clear(&a->m[m].has);
}

static enum streams_code
status(struct act *a)
{
    struct span detail;

    return streams_status(kit_group(&a->k), &detail);
}

static void
make_all(struct act *a)
{
    size_t n;
    const struct streams_make *makes = streams_makes(kit_group(&a->k), &n);

    for (size_t i = 0; i < n; i++) {
        char name[32];

        snprintf(name, sizeof name, "%.*s", (int)makes[i].topic->name.len,
            (const char *)makes[i].topic->name.ptr);
        if (topics_id(&a->topics, name) == NULL) {
            topics_make(&a->topics, name, makes[i].partitions);
        }
    }
}

/* No task is with two; all are with somebody if `all`. */
static void
no_task_twice(struct act *a, size_t all)
{
    size_t count = 0;

    for (int i = 0; i < MEMBERS; i++) {
        count += a->m[i].in ? a->m[i].has.count : 0;
        for (int k = 0; k < i; k++) {
            assert_false(a->m[i].in && a->m[k].in &&
                parts_meet(&a->m[i].has, &a->m[k].has));
        }
    }
    if (all > 0) {
        assert_int_equal(count, all);
    }
}

static void
settle(struct act *a)
{
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < MEMBERS; i++) {
            if (a->m[i].in) {
                beat(a, i);
                no_task_twice(a, 0);
            }
        }
    }
}

/* As the api room does: images of the group and of its members. */
static void
crash(struct act *a)
{
    struct groups old = a->k.groups;
    struct group *g = groups_get(&old, S("g"));
    const struct consumer_member *m = NULL;
    struct consumer_image im;
    struct err err;

    groups_init(&a->k.groups, &a->k.world, &a->k.config);
    groups_set_topics(&a->k.groups, &a->view);
    consumer_image(g, &im);
    assert_true(im.topology.len > 0);
    assert_int_equal(groups_restore_consumer(&a->k.groups, &im, a->k.now,
        &err), 0);
    while ((m = consumer_member_next(g, m)) != NULL) {
        struct consumer_member_image mi;

        consumer_member_image(m, &mi);
        assert_int_equal(groups_restore_consumer_member(&a->k.groups, S("g"),
            &mi, a->k.now, &err), 0);
    }
    groups_restored_consumers(&a->k.groups);
    groups_release(&old);
    groups_check(&a->k.groups);
}

/* ---- stories ---- */

static void
test_topics_come_one_by_one(void **state)
{
    struct act *a = *state;
    size_t n;

    join_with(a, 0, &both);
    kit_is(&a->k, GROUP_NOT_READY, 1, 1);
    assert_int_equal(a->m[0].has.count, 0);
    assert_int_equal(status(a), STREAMS_MISSING_SOURCE_TOPICS);
    topics_make(&a->topics, "in", 3);
    beat(a, 0);
    assert_int_equal(status(a), STREAMS_MISSING_INTERNAL_TOPICS);
    streams_makes(kit_group(&a->k), &n);
    assert_int_equal(n, 2);
    assert_int_equal(streams_makes(kit_group(&a->k), &n)[0].partitions, 3);
    make_all(a);
    beat(a, 0);
    assert_int_equal(status(a), STREAMS_READY);
    assert_int_equal(a->m[0].has.count, 6);
    kit_is(&a->k, GROUP_STABLE, a->m[0].epoch, 1);
    /* A topic that goes takes the tasks along. */
    topics_drop(&a->topics, "in");
    settle(a);
    assert_int_equal(a->m[0].has.count, 0);
    kit_is(&a->k, GROUP_NOT_READY, a->m[0].epoch, 1);
}

static void
test_internal_topic_of_the_wrong_size(void **state)
{
    struct act *a = *state;

    topics_make(&a->topics, "in", 3);
    topics_make(&a->topics, "re", 2);
    join_with(a, 0, &both);
    assert_int_equal(status(a), STREAMS_INCORRECTLY_PARTITIONED);
}

static void
test_copartitions(void **state)
{
    struct act *a = *state;
    struct span names[] = {S("in"), S("side")};
    int16_t places[] = {0, 1}, zero[] = {0};
    struct streams_topic own = {.name = S("re")};
    struct streams_copartition c = {places, zero, 2, 1};
    struct streams_subtopology list[] = {
        {.id = S("0"), .sources = names, .source_count = 1, .sinks = sinks,
            .sink_count = 1},
        {.id = S("1"), .sources = names, .source_count = 2,
            .repartitions = &own, .repartition_count = 1,
            .copartitions = &c, .copartition_count = 1},
    };
    struct streams_topology t = {0, list, 2};
    size_t n;

    topics_make(&a->topics, "in", 2);
    topics_make(&a->topics, "side", 3);
    join_with(a, 0, &t);
    assert_int_equal(status(a), STREAMS_INCORRECTLY_PARTITIONED);
    topics_grow(&a->topics, "in", 3);
    beat(a, 0);
    assert_int_equal(status(a), STREAMS_MISSING_INTERNAL_TOPICS);
    assert_int_equal(streams_makes(kit_group(&a->k), &n)[0].partitions, 3);
}

static void
test_what_is_refused(void **state)
{
    struct act *a = *state;
    struct parts none = {0}, odd = {0};
    struct streams_beat s = {.topology = NULL};
    struct streams_subtopology loop = {.id = S("0"), .sinks = sinks,
        .sink_count = 1, .repartitions = &re, .repartition_count = 1};
    struct streams_topology t = {0, &loop, 1};
    struct uuid far = streams_part_id(9);

    say(a, 0, 0, &s, &none, KERR_INVALID_REQUEST);
    s.topology = &t;
    say(a, 0, 0, &s, &none, KERR_STREAMS_INVALID_TOPOLOGY);
    s.topology = &(struct streams_topology){0, NULL, 0};
    say(a, 0, 0, &s, &none, KERR_STREAMS_INVALID_TOPOLOGY);
    s.topology = &both;
    say(a, 0, 1, &s, &none, KERR_INVALID_REQUEST);
    s.topology = NULL;
    say(a, 0, 3, &s, &none, KERR_GROUP_ID_NOT_FOUND);
    join_with(a, 0, &one);
    say(a, 0, 7, &s, &none, KERR_FENCED_MEMBER_EPOCH);
    say(a, 1, 1, &s, &none, KERR_UNKNOWN_MEMBER_ID);
    parts_push(&odd, &far, 0);
    say(a, 0, 1, &s, &odd, KERR_INVALID_REQUEST);
    parts_release(&odd);
    s.topology = &both;
    say(a, 1, 0, &s, &none, KERR_INVALID_REQUEST);
}

/* Another topology of an older epoch is let in and told; an empty group takes
 * a new one. */
static void
test_topologies_change(void **state)
{
    struct act *a = *state;
    struct streams_topology old = {0, two, 2};

    topics_make(&a->topics, "in", 2);
    join_with(a, 0, &one);
    join_with(a, 1, &old);
    assert_int_equal(streams_topology(kit_group(&a->k))->epoch, 1);
    leave(a, 0);
    leave(a, 1);
    kit_is(&a->k, GROUP_EMPTY, 4, 0);
    join_with(a, 0, &both);
    assert_int_equal(streams_topology(kit_group(&a->k))->count, 2);
}

static void
test_tasks_move_and_stay(void **state)
{
    struct act *a = *state;
    struct parts before = {0}, kept = {0};

    topics_make(&a->topics, "in", 8);
    join_with(a, 0, &one);
    assert_int_equal(a->m[0].has.count, 8);
    parts_copy(&before, &a->m[0].has);
    join_with(a, 2, &one);
    assert_int_equal(a->m[2].has.count, 0);      /* not given up yet */
    settle(a);
    no_task_twice(a, 8);
    assert_int_equal(a->m[0].has.count, 4);
    parts_both(&kept, &before, &a->m[0].has);
    assert_int_equal(kept.count, 4);
    leave(a, 2);
    settle(a);
    assert_int_equal(a->m[0].has.count, 8);
    parts_release(&before);
    parts_release(&kept);
}

/* Sessions end, and so does the time to give up. */
static void
test_timers(void **state)
{
    struct act *a = *state;

    topics_make(&a->topics, "in", 4);
    join_with(a, 0, &one);
    join_with(a, 1, &one);
    beat(a, 0);                                  /* told, and says no more */
    assert_true(kit_pass(&a->k, 10001));
    assert_int_equal(group_member_count(kit_group(&a->k)), 1);
    a->m[0].in = false;
    settle(a);
    assert_int_equal(a->m[1].has.count, 4);
    assert_true(kit_pass(&a->k, 45001));
    kit_is(&a->k, GROUP_EMPTY, group_generation(kit_group(&a->k)), 0);
}

static void
test_shutdown(void **state)
{
    struct act *a = *state;
    struct streams_beat s = {.shutdown = true};

    topics_make(&a->topics, "in", 4);
    join_with(a, 0, &one);
    assert_null(streams_shutdown(kit_group(&a->k)).ptr);
    say(a, 0, a->m[0].epoch, &s, NULL, KERR_NONE);
    assert_span(streams_shutdown(kit_group(&a->k)), "m0");
    leave(a, 0);
    assert_null(streams_shutdown(kit_group(&a->k)).ptr);
}

static void
test_restart(void **state)
{
    struct act *a = *state;
    struct streams_beat s = {.process_id = S("p9"),
        .endpoint = &(struct streams_endpoint_at){S("host"), 80}};
    const struct consumer_member *m;
    struct consumer_member_image im;
    int32_t epoch;

    topics_make(&a->topics, "in", 4);
    join_with(a, 0, &both);
    make_all(a);
    beat(a, 0);
    hear(a, 0, say(a, 0, a->m[0].epoch, &s, NULL, KERR_NONE));
    epoch = a->m[0].epoch;
    crash(a);
    assert_int_equal(streams_topology(kit_group(&a->k))->count, 2);
    kit_is(&a->k, GROUP_STABLE, epoch, 1);
    m = consumer_member_next(kit_group(&a->k), NULL);
    consumer_member_image(m, &im);
    assert_span(im.streams->process_id, "p9");
    assert_span(im.streams->endpoint.host, "host");
    assert_int_equal(im.assigned.count, 8);
    beat(a, 0);
    assert_int_equal(a->m[0].epoch, epoch);
}

static void
test_other_types(void **state)
{
    struct act *a = *state;
    struct group_event ev = {.kind = GROUP_EV_BEAT, .group_id = S("g"),
        .token = TOKEN(900),
        .beat = {.member_id = S("x"), .rebalance_timeout_ms = 1,
            .has_topics = true, .has_owned = true, .own_id = true}};

    join_with(a, 0, &one);
    kit_step(&a->k, &ev);
    kit_expect(&a->k, 900, KERR_GROUP_ID_NOT_FOUND);
    kit_join(&a->k, 1, "");
    kit_expect(&a->k, 1, KERR_INCONSISTENT_GROUP_PROTOCOL);
    assert_string_equal(group_type_name(group_type(kit_group(&a->k))),
        "streams");
    leave(a, 0);
    kit_step(&a->k, &ev);
    kit_expect(&a->k, 900, KERR_NONE);
    assert_int_equal(group_type(kit_group(&a->k)), GROUP_CONSUMER);
    groups_check(&a->k.groups);
}

/* ---- the simulation ---- */

static void
random_act(struct act *a)
{
    int m = (int)kit_random(&a->k, MEMBERS);
    uint64_t what = kit_random(&a->k, 100);

    if (!a->m[m].in) {
        join_with(a, m, &both);
    } else if (what < 75) {
        beat(a, m);
    } else if (what < 83) {
        leave(a, m);
    } else if (what < 88) {
        join_with(a, m, &both);
    } else if (what < 92) {
        make_all(a);
    } else if (what < 95) {
        crash(a);
    } else if (what < 97) {
        if (topics_id(&a->topics, "ch") != NULL) {
            topics_drop(&a->topics, "ch");
        }
    } else {
        a->k.now += 1000;
    }
}

/* Whatever happens, no task is with two; and when all is calm, all tasks are
 * with somebody, evenly. */
static void
test_simulation(void **state)
{
    struct act *a = *state;

    topics_make(&a->topics, "in", 7);
    for (int i = 0; i < 4000; i++) {
        random_act(a);
        no_task_twice(a, 0);
        if (i % 100 == 99) {
            size_t most = 0, least = 100;

            a->m[0].in ? beat(a, 0) : join_with(a, 0, &both);
            make_all(a);
            settle(a);
            no_task_twice(a, 14);
            for (int k = 0; k < MEMBERS; k++) {
                if (a->m[k].in) {
                    most = a->m[k].has.count > most ? a->m[k].has.count
                                                    : most;
                    least = a->m[k].has.count < least ? a->m[k].has.count
                                                      : least;
                }
            }
            assert_true(most - least <= 1);
            kit_is(&a->k, GROUP_STABLE, a->m[0].epoch,
                group_member_count(kit_group(&a->k)));
            /* A new time for all. */
            a->k.now += 1;
        }
    }
}

/* What is cut off or changed is no topology, or one that can be read. */
static void
test_bytes(void **state)
{
    struct act *a = *state;
    struct buf b;

    buf_init(&b, STREAMS_TOPOLOGY_MAX);
    streams_topology_put(&b, &both);
    for (size_t len = 0; len <= b.len; len++) {
        struct arena arena;

        arena_init(&arena, 1 << 20);
        assert_int_equal(streams_topology_get(span_of(b.ptr, len), &arena) !=
                NULL, len == b.len);
        arena_release(&arena);
    }
    for (int i = 0; i < 20000; i++) {
        size_t at = (size_t)kit_random(&a->k, b.len);
        uint8_t was = b.ptr[at];
        struct arena arena;

        arena_init(&arena, 1 << 20);
        b.ptr[at] = (uint8_t)kit_random(&a->k, 256);
        streams_topology_get(buf_span(&b), &arena);
        b.ptr[at] = was;
        arena_release(&arena);
    }
    buf_release(&b);
}

int
main(void)
{
#define STORY(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(test_topics_come_one_by_one),
        STORY(test_internal_topic_of_the_wrong_size),
        STORY(test_copartitions),
        STORY(test_what_is_refused),
        STORY(test_topologies_change),
        STORY(test_tasks_move_and_stay),
        STORY(test_timers),
        STORY(test_shutdown),
        STORY(test_restart),
        STORY(test_other_types),
        STORY(test_simulation),
        STORY(test_bytes),
    };

    return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
