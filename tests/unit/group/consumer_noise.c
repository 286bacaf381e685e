/*
 * Both protocols at one group, without manners: random requests with random
 * ids, epochs and generations, some of them right, so that the group changes
 * its type over and over; topics that come and go; restarts from what was
 * persisted. Nothing is asked of the outcome but what always holds: the
 * room's invariants, no token answered twice or never, and that what is
 * persisted is what a restart needs: it reads back as it was.
 *
 * PENSTOCK_SEEDS: how many (60). PENSTOCK_SEED: the first, alone if set.
 */
#include "config.h"

#include <signal.h>
#include <unistd.h>

#include "kit.h"
#include "topics.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"

enum { STEPS = 1500, TOKENS = STEPS + 2, IDS = 6, MADE = 8 };

static struct noise {
    struct kit k;
    struct topics topics;
    struct group_topics view;
    uint64_t seed;
    unsigned next;
    uint8_t asked[TOKENS];           /* 1: waits */
    char made[MADE][320];            /* ids that the group made */
    unsigned made_next;
    unsigned upgrades, downgrades, restarts;
    bool was_consumer;
} z;

#define expect(cond)                                                           \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("seed %llu: %s", (unsigned long long)z.seed, #cond);      \
        }                                                                      \
    } while (0)

static void
on_abort(int sig)
{
    char text[64];
    int n = snprintf(text, sizeof text, "seed %llu\n",
        (unsigned long long)z.seed);

    if (write(STDERR_FILENO, text, (size_t)n) < 0) {
        _exit(1);
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

static size_t
upto(size_t n)
{
    return (size_t)kit_random(&z.k, n);
}

/* ---- what is asked ---- */

static struct span
any_id(void)
{
    static const char *const ids[IDS] = {"a", "b", "c", "d", "e", ""};
    size_t i = upto(IDS + MADE);

    return i < IDS ? S(ids[i]) : S(z.made[i - IDS]);
}

static struct span
any_instance(void)
{
    static const char *const ids[] = {"i", "j"};

    return upto(3) == 0 ? S(ids[upto(2)]) : SPAN_NULL;
}

/* The right one, mostly. */
static int32_t
any_epoch(void)
{
    const struct group *g = kit_group(&z.k);
    int32_t epoch = g == NULL ? 0 : group_generation(g);

    return upto(3) > 0 ? epoch : (int32_t)upto((size_t)epoch + 3) - 2;
}

/* Topics a and b, and what it owns of a, all in one byte each. */
static struct span
subscription(uint8_t b[64])
{
    uint8_t *at = b;

    put_be16(at, (uint16_t)upto(4));
    put_be32(at + 2, 2);
    memcpy(at + 6, "\0\1a\0\1b", 6);
    put_be32(at + 12, UINT32_MAX);
    at += 16;
    put_be32(at, 1);
    memcpy(at + 4, "\0\1a", 3);
    put_be32(at + 7, 1);
    put_be32(at + 11, (uint32_t)upto(4));
    put_be32(at + 15, UINT32_MAX);   /* generation */
    put_be16(at + 19, UINT16_MAX);   /* rack */
    return span_of(b, upto(20) == 0 ? upto(37) : 37);
}

static void
step(struct group_event *ev)
{
    ev->group_id = S("g");
    if (ev->kind != GROUP_EV_EXPIRE) {
        ev->token = TOKEN(++z.next);
        z.asked[z.next] = 1;
    }
    kit_step(&z.k, ev);
}

static void
do_join(void)
{
    uint8_t b[64];
    struct group_protocol p = {upto(2) ? S("range") : S("sticky"),
        subscription(b)};
    struct group_event ev = {.kind = GROUP_EV_JOIN,
        .join = {.member_id = any_id(),
            .instance_id = any_instance(),
            .client_id = S("cl"),
            .client_host = S("/h"),
            .session_timeout_ms = 6000 + (int32_t)upto(6000),
            .rebalance_timeout_ms = (int32_t)upto(9000) - 1,
            .protocol_type = upto(10) ? S("consumer") : S("connect"),
            .protocols = &p,
            .protocol_count = upto(20) > 0,
            .member_id_required = upto(2) == 0,
            .skip_assignment = upto(2) == 0}};

    step(&ev);
}

static void
do_sync(void)
{
    uint8_t b[32];
    struct group_assignment list = {any_id(), span_of(b, 25)};
    struct group_event ev = {.kind = GROUP_EV_SYNC,
        .sync = {.member_id = any_id(),
            .instance_id = any_instance(),
            .generation = any_epoch(),
            .assignments = &list,
            .assignment_count = 1}};

    memcpy(b, "\0\1\0\0\0\1\0\1a\0\0\0\2\0\0\0\0\0\0\0\1\xff\xff\xff\xff", 25);
    put_be32(b + 17, (uint32_t)upto(5));
    step(&ev);
}

static void
do_beat(void)
{
    static const struct span names[] = {{(const uint8_t *)"a", 1},
        {(const uint8_t *)"b", 1}};
    const struct uuid *id = topics_id(&z.topics, "a");
    struct part owned[2];
    struct group_event ev = {.kind = GROUP_EV_BEAT,
        .beat = {.member_id = any_id(),
            .epoch = upto(3) == 0 ? 0 : any_epoch(),
            .instance_id = any_instance(),
            .rebalance_timeout_ms = upto(2) ? 5000 : -1,
            .topics = names,
            .topic_count = upto(3),
            .has_topics = upto(2) == 0,
            .regex = upto(4) ? SPAN_NULL : upto(2) ? S("a|b") : S(""),
            .owned = owned,
            .has_owned = upto(3) > 0,
            .client_id = S("cl"),
            .client_host = S("/h"),
            .own_id = upto(2) == 0}};

    for (size_t i = 0; i < 2 && id != NULL && ev.beat.epoch != 0 &&
         ev.beat.has_owned && upto(2) == 0; i++) {
        owned[ev.beat.owned_count++] = (struct part){*id, (int32_t)upto(5)};
    }
    step(&ev);
}

static void
do_other(void)
{
    struct group_leaver leaver = {any_id(), any_instance()};
    struct group_event ev = {.kind = GROUP_EV_HEARTBEAT,
        .heartbeat = {.member_id = any_id(), .instance_id = any_instance(),
            .generation = any_epoch()}};
    struct group_commit_item item = {.topic = S("a"), .offset = 1};

    switch (upto(5)) {
    case 0:
        ev = (struct group_event){.kind = GROUP_EV_LEAVE,
            .leave = {&leaver, 1, upto(2) == 0}};
        break;
    case 1:
        ev = (struct group_event){.kind = GROUP_EV_COMMIT,
            .commit = {.member_id = any_id(), .generation = any_epoch(),
                .retention_ms = -1, .group_id_errors = upto(2) == 0,
                .items = &item, .count = 1}};
        break;
    case 2:
        ev = (struct group_event){.kind = upto(2) ? GROUP_EV_EXPIRE
                                                  : GROUP_EV_DELETE};
        break;
    default:
        break;
    }
    step(&ev);
}

static void
do_topics(void)
{
    const char *name = upto(2) ? "a" : "b";

    if (topics_id(&z.topics, name) == NULL) {
        topics_make(&z.topics, name, 1 + (int32_t)upto(5));
    } else if (upto(2) == 0) {
        topics_drop(&z.topics, name);
    } else {
        topics_grow(&z.topics, name, 5 + (int32_t)upto(3));
    }
}

/* ---- what comes back ---- */

static void
hear(void)
{
    const struct group_effects *fx = &z.k.fx;
    const struct group *g = kit_group(&z.k);

    for (size_t i = 0; i < fx->count; i++) {
        const struct group_fx *e = &fx->list[i];
        struct span id = e->kind == GROUP_FX_JOINED ? e->joined.member_id
            : e->kind == GROUP_FX_BEATEN            ? e->beaten.member_id
                                                    : SPAN_NULL;

        if (e->token == NULL) {
            continue;
        }
        expect(z.asked[(uintptr_t)e->token] == 1);
        z.asked[(uintptr_t)e->token] = 2;
        if (id.len > 4 && id.len < 320) {
            snprintf(z.made[z.made_next++ % MADE], 320, "%.*s", (int)id.len,
                (const char *)id.ptr);
        }
    }
    if (g != NULL) {
        bool consumer = group_type(g) == GROUP_CONSUMER;

        z.upgrades += consumer && !z.was_consumer;
        z.downgrades += !consumer && z.was_consumer;
        z.was_consumer = consumer;
    }
}

/* ---- restarts ---- */

static void
restart_consumer(const struct group *g)
{
    static struct consumer_member_image list[64];
    const struct consumer_member *m = NULL;
    struct consumer_image image;
    struct groups was = z.k.groups;
    struct err err;
    size_t n = 0;

    consumer_image(g, &image);
    while ((m = consumer_member_next(g, m)) != NULL) {
        expect(n < countof(list));
        consumer_member_image(m, &list[n++]);
    }
    groups_init(&z.k.groups, &z.k.world, &z.k.config);
    groups_set_topics(&z.k.groups, &z.view);
    expect(groups_restore_consumer(&z.k.groups, &image, z.k.now, &err) == 0);
    for (size_t i = 0; i < n; i++) {
        expect(groups_restore_consumer_member(&z.k.groups, S("g"), &list[i],
            z.k.now, &err) == 0);
    }
    groups_restored_consumers(&z.k.groups);
    g = kit_group(&z.k);
    m = NULL;
    for (size_t i = 0; i < n; i++) {
        struct consumer_member_image im;

        m = consumer_member_next(g, m);
        consumer_member_image(m, &im);
        expect(span_eq(im.member_id, list[i].member_id));
        expect(im.epoch == list[i].epoch && im.state == list[i].state);
        expect(im.classic == list[i].classic);
        expect(parts_eq(&im.assigned, &list[i].assigned));
        expect(parts_eq(&im.revoking, &list[i].revoking));
        expect(parts_eq(&im.target, &list[i].target));
    }
    expect(group_generation(g) == image.epoch);
    groups_release(&was);
}

static void
restart_classic(const struct group *g)
{
    struct groups was = z.k.groups;
    struct group_image image;
    struct arena arena;
    struct err err;

    arena_init(&arena, MIB);
    expect(group_image(g, &arena, &image) == 0);
    groups_init(&z.k.groups, &z.k.world, &z.k.config);
    groups_set_topics(&z.k.groups, &z.view);
    if (image.state == GROUP_PREPARING && image.leader_id.ptr == NULL) {
        image.state = GROUP_EMPTY;
    }
    expect(groups_restore(&z.k.groups, &image, z.k.now, &err) == 0);
    arena_release(&arena);
    groups_release(&was);
}

/* Requests that wait are lost with their connections. */
static void
restart(void)
{
    const struct group *g = kit_group(&z.k);

    z.restarts++;
    for (unsigned t = 1; t <= z.next; t++) {
        z.asked[t] = 0;
    }
    if (g == NULL) {
        return;
    }
    if (group_type(g) == GROUP_CONSUMER) {
        restart_consumer(g);
    } else {
        restart_classic(g);
    }
    groups_check(&z.k.groups);
}

/* ---- */

static void
act(void)
{
    size_t what = upto(100);

    if (what < 25) {
        do_join();
    } else if (what < 40) {
        do_sync();
    } else if (what < 70) {
        do_beat();
    } else if (what < 95) {
        do_other();
    } else if (what < 98) {
        do_topics();
        return;
    } else if (what < 99) {
        restart();
        return;
    } else {
        z.k.now += (int64_t)upto(20000);
        return;
    }
    hear();
}

static void
run(uint64_t seed)
{
    memset(&z, 0, sizeof z);
    z.seed = seed;
    kit_init(&z.k, seed);
    z.k.config.consumer_session_ms = 9000;
    kit_restart(&z.k);
    z.view = topics_view(&z.topics);
    groups_set_topics(&z.k.groups, &z.view);
    topics_make(&z.topics, "a", 4);
    for (int i = 0; i < STEPS; i++) {
        z.k.now += (int64_t)upto(300);
        act();
        while (kit_tick(&z.k)) {
            hear();
        }
    }
    /* All who waited are answered when all is over. */
    for (int i = 0; i < 200; i++) {
        z.k.now += 1000;
        while (kit_tick(&z.k)) {
            hear();
        }
    }
    for (unsigned t = 1; t <= z.next; t++) {
        expect(z.asked[t] != 1);
    }
    kit_release(&z.k);
}

static void
noise_breaks_nothing(void **state)
{
    const char *text = getenv("PENSTOCK_SEEDS");
    const char *alone = getenv("PENSTOCK_SEED");
    uint64_t first = kit_seed(1), up = 0, down = 0, restarts = 0;
    uint64_t count = text != NULL ? strtoull(text, NULL, 10)
        : alone != NULL ? 1 : 60;

    (void)state;
    for (uint64_t i = 0; i < count; i++) {
        run(first + i);
        up += z.upgrades;
        down += z.downgrades;
        restarts += z.restarts;
    }
    print_message("# seeds %llu to %llu: %llu up, %llu down, %llu restarts\n",
        (unsigned long long)first, (unsigned long long)(first + count - 1),
        (unsigned long long)up, (unsigned long long)down,
        (unsigned long long)restarts);
    assert_true(count < 20 || (up > count && down > count));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_breaks_nothing),
    };

    signal(SIGABRT, on_abort);
    return cmocka_run_group_tests_name("consumer_noise", tests, NULL, NULL);
}
