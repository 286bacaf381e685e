/*
 * Who gets what: random topics and members, against what must hold of every
 * assignment; and the promises of the two assignors.
 */
#include "config.h"

#include "kit.h"

#include "group/assignor.h"

#include "base/check.h"
#include "base/endian.h"

enum { TOPICS = 6, MEMBERS = 12 };

static struct work {
    struct kit k;
    struct assignor_topic topics[TOPICS];
    size_t topic_count, member_count;
    struct assignor_member members[MEMBERS];
    uint32_t reads[MEMBERS][TOPICS];
    char ids[MEMBERS][8];
    struct parts old[MEMBERS];
    struct arena arena;
} w;

static void
begin(bool alike)
{
    w.topic_count = 1 + kit_random(&w.k, TOPICS);
    w.member_count = 1 + kit_random(&w.k, MEMBERS);
    for (size_t t = 0; t < w.topic_count; t++) {
        put_be64(w.topics[t].id.bytes, t + 1);
        w.topics[t].partitions = (int32_t)kit_random(&w.k, 12);
    }
    for (size_t i = 0; i < w.member_count; i++) {
        struct assignor_member *m = &w.members[i];

        snprintf(w.ids[i], sizeof w.ids[i], "m%02d", (int)i);
        *m = (struct assignor_member){.id = S(w.ids[i]),
            .topics = w.reads[i], .old = &w.old[i]};
        for (uint32_t t = 0; t < w.topic_count; t++) {
            if (alike || kit_random(&w.k, 2) == 0) {
                w.reads[i][m->topic_count++] = t;
            }
        }
    }
}

static void
run(enum assignor which)
{
    arena_reset(&w.arena);
    assert_int_equal(assignor_run(which, w.topics, w.topic_count, w.members,
        w.member_count, &w.arena), 0);
}

/* The targets are what was, for the next run. */
static void
keep(void)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        parts_clear(&w.old[i]);
        if (i < w.member_count) {
            parts_copy(&w.old[i], &w.members[i].target);
            parts_release(&w.members[i].target);
        }
    }
}

static bool
reads(const struct assignor_member *m, uint32_t topic)
{
    for (size_t i = 0; i < m->topic_count; i++) {
        if (m->topics[i] == topic) {
            return true;
        }
    }
    return false;
}

/* Each partition that somebody reads has one owner, who reads it. */
static void
check_owners(void)
{
    for (uint32_t t = 0; t < w.topic_count; t++) {
        for (int32_t p = 0; p < w.topics[t].partitions; p++) {
            struct part part = {w.topics[t].id, p};
            unsigned owners = 0, readers = 0;

            for (size_t i = 0; i < w.member_count; i++) {
                readers += reads(&w.members[i], t);
                if (parts_has(&w.members[i].target, &part)) {
                    assert_true(reads(&w.members[i], t));
                    owners++;
                }
            }
            assert_int_equal(owners, readers > 0);
        }
    }
    for (size_t i = 0; i < w.member_count; i++) {
        parts_check(&w.members[i].target);
    }
}

/* Among members that read the same, nobody has two more than another; among
 * others, nobody has two more than somebody who could take one. */
static void
check_balance(void)
{
    for (size_t i = 0; i < w.member_count; i++) {
        for (size_t k = 0; k < w.member_count; k++) {
            const struct parts *a = &w.members[i].target;
            const struct parts *b = &w.members[k].target;

            for (uint32_t n = 0; n < a->count; n++) {
                uint32_t t = (uint32_t)get_be64(a->v[n].topic.bytes) - 1;

                assert_true(!reads(&w.members[k], t) ||
                    a->count < b->count + 2);
            }
        }
    }
}

static void
every_partition_has_one_owner(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        begin(kit_random(&w.k, 2) == 0);
        run(kit_random(&w.k, 2) == 0 ? ASSIGNOR_RANGE : ASSIGNOR_UNIFORM);
        check_owners();
        keep();
    }
}

static void
uniform_is_balanced(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        begin(kit_random(&w.k, 2) == 0);
        run(ASSIGNOR_UNIFORM);
        check_owners();
        check_balance();
        keep();
    }
}

static size_t
moved(void)
{
    size_t n = 0;

    for (size_t i = 0; i < w.member_count; i++) {
        struct parts gone = {0};

        parts_minus(&gone, &w.old[i], &w.members[i].target);
        n += gone.count;
        parts_release(&gone);
    }
    return n;
}

/* A member more takes its share and no more; a second run moves nothing. */
static void
uniform_is_sticky(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        size_t total = 0, last;

        begin(true);
        if (w.member_count == MEMBERS) {
            w.member_count--;
        }
        run(ASSIGNOR_UNIFORM);
        keep();
        run(ASSIGNOR_UNIFORM);
        assert_int_equal(moved(), 0);
        keep();
        last = w.member_count++;
        snprintf(w.ids[last], sizeof w.ids[last], "new");
        w.members[last] = (struct assignor_member){.id = S(w.ids[last]),
            .topics = w.members[0].topics,
            .topic_count = w.members[0].topic_count,
            .old = &w.old[last]};
        run(ASSIGNOR_UNIFORM);
        for (size_t t = 0; t < w.topic_count; t++) {
            total += (size_t)w.topics[t].partitions;
        }
        assert_int_equal(moved(), w.members[last].target.count);
        assert_in_range(w.members[last].target.count, total / w.member_count,
            total / w.member_count + 1);
        check_balance();
        keep();
    }
}

static void
range_gives_neighbours_and_equal_ranges(void **state)
{
    (void)state;
    memset(w.topics, 0, sizeof w.topics);
    begin(true);
    w.topic_count = 2;
    w.member_count = 3;
    for (size_t t = 0; t < 2; t++) {
        w.topics[t].partitions = 7;
        put_be64(w.topics[t].id.bytes, t + 1);
    }
    for (size_t i = 0; i < 3; i++) {
        w.reads[i][0] = 0;
        w.reads[i][1] = 1;
        w.members[i] = (struct assignor_member){.id = S(w.ids[i]),
            .topics = w.reads[i], .topic_count = 2, .old = &w.old[i]};
        snprintf(w.ids[i], sizeof w.ids[i], "m%d", (int)i);
        w.members[i].id = S(w.ids[i]);
    }
    w.members[2].instance_id = S("static");  /* it comes first */
    run(ASSIGNOR_RANGE);
    assert_int_equal(w.members[2].target.count, 6);
    assert_int_equal(w.members[2].target.v[0].partition, 0);
    assert_int_equal(w.members[2].target.v[2].partition, 2);
    assert_int_equal(w.members[2].target.v[3].partition, 0);
    assert_int_equal(w.members[0].target.count, 4);
    assert_int_equal(w.members[0].target.v[0].partition, 3);
    assert_int_equal(w.members[1].target.v[3].partition, 6);
    check_owners();
    keep();
}

static int
setup(void **state)
{
    (void)state;
    kit_init(&w.k, kit_seed(11));
    arena_init(&w.arena, 16 << 20);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < MEMBERS; i++) {
        parts_release(&w.old[i]);
    }
    arena_release(&w.arena);
    kit_release(&w.k);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_partition_has_one_owner),
        cmocka_unit_test(uniform_is_balanced),
        cmocka_unit_test(uniform_is_sticky),
        cmocka_unit_test(range_gives_neighbours_and_equal_ranges),
    };

    return cmocka_run_group_tests_name("assignor", tests, setup, teardown);
}
