/*
 * Consumer groups (KIP-848), one behaviour a test: who is let in and who is
 * fenced, how partitions move, what a restart keeps, how a group changes its
 * type while members come and go.
 */
#include "config.h"

#include "kit.h"
#include "topics.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"

enum { MEMBERS = 8 };

struct act {
    struct kit k;
    struct topics topics;
    struct group_topics view;
    struct group_tuning tuning;
    int token;
    /* what each was told last */
    struct {
        int32_t epoch;
        struct parts has;
        bool told;
    } m[MEMBERS];
};

static void
tuned(void *arg, struct span group_id, struct group_tuning *out)
{
    const struct act *a = arg;

    assert_span(group_id, "g");
    *out = a->tuning;
}

static void
again(struct act *a)
{
    kit_restart(&a->k);
    groups_set_topics(&a->k.groups, &a->view);
    groups_set_tuning(&a->k.groups, tuned, a);
}

static int
setup(void **state)
{
    struct act *a = xcalloc(1, sizeof *a);

    kit_init(&a->k, 1);
    a->view = topics_view(&a->topics);
    topics_make(&a->topics, "t", 4);
    again(a);
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

static const char *const ids[MEMBERS] = {"m0", "m1", "m2", "m3", "m4", "m5",
    "m6", "m7"};
static const struct span topic_t[] = {{(const uint8_t *)"t", 1}};

static struct group_event
beat_event(int m, int32_t epoch)
{
    return (struct group_event){.kind = GROUP_EV_BEAT,
        .group_id = S("g"),
        .token = TOKEN(900),
        .beat = {.member_id = S(ids[m]),
            .epoch = epoch,
            .rebalance_timeout_ms = -1,
            .client_id = S("c"),
            .client_host = S("/h"),
            .own_id = true}};
}

/* Everything that a heartbeat may say: it reads "t". */
static struct group_event
full_event(int m, int32_t epoch)
{
    struct group_event ev = beat_event(m, epoch);

    ev.beat.rebalance_timeout_ms = 10000;
    ev.beat.topics = topic_t;
    ev.beat.topic_count = 1;
    ev.beat.has_topics = true;
    ev.beat.has_owned = true;
    return ev;
}

static const struct group_fx *
send(struct act *a, const struct group_event *ev, enum kerr error)
{
    const struct group_fx *e;

    kit_step(&a->k, ev);
    e = kit_expect(&a->k, 900, error);
    assert_int_equal(e->kind, GROUP_FX_BEATEN);
    return e;
}

static void
hear(struct act *a, int m, const struct group_fx *e)
{
    assert_true(e->beaten.epoch >= a->m[m].epoch || e->beaten.epoch < 0);
    a->m[m].epoch = e->beaten.epoch;
    a->m[m].told = e->beaten.assignment != NULL;
    if (a->m[m].told) {
        parts_copy(&a->m[m].has, e->beaten.assignment);
    }
}

static void
join(struct act *a, int m)
{
    struct group_event ev = full_event(m, 0);

    a->m[m].epoch = 0;
    hear(a, m, send(a, &ev, KERR_NONE));
}

/* It says that it owns what it was told to. */
static void
beat(struct act *a, int m)
{
    struct group_event ev = beat_event(m, a->m[m].epoch);

    ev.beat.has_owned = true;
    ev.beat.owned = a->m[m].has.v;
    ev.beat.owned_count = a->m[m].has.count;
    hear(a, m, send(a, &ev, KERR_NONE));
}

static void
settle(struct act *a, int members)
{
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < members; i++) {
            beat(a, i);
        }
    }
    assert_int_equal(group_state(kit_group(&a->k)), GROUP_STABLE);
}

static void
leave(struct act *a, int m, int32_t epoch, const char *instance)
{
    struct group_event ev = beat_event(m, epoch);

    if (instance != NULL) {
        ev.beat.instance_id = S(instance);
    }
    assert_int_equal(send(a, &ev, KERR_NONE)->beaten.epoch, epoch);
}

/* ---- epochs and assignments ---- */

static void
the_first_member_has_all(void **state)
{
    struct act *a = *state;

    join(a, 0);
    assert_int_equal(a->m[0].epoch, 1);
    assert_int_equal(a->m[0].has.count, 4);
    assert_int_equal(kit_count(&a->k, GROUP_FX_PERSIST), 1);
    assert_int_equal(kit_count(&a->k, GROUP_FX_PERSIST_MEMBER), 1);
    assert_int_equal(group_type(kit_group(&a->k)), GROUP_CONSUMER);
    beat(a, 0);
    assert_false(a->m[0].told);
    assert_int_equal(a->k.fx.count, 1);      /* nothing is persisted */
}

static void
a_partition_is_given_up_before_it_is_given(void **state)
{
    struct act *a = *state;
    struct parts was = {0};

    join(a, 0);
    join(a, 1);
    assert_int_equal(a->m[1].epoch, 2);
    assert_int_equal(a->m[1].has.count, 0);
    parts_copy(&was, &a->m[0].has);
    beat(a, 0);                  /* is told, still owns all */
    assert_int_equal(a->m[0].epoch, 1);
    assert_int_equal(a->m[0].has.count, 2);
    beat(a, 1);
    assert_false(a->m[1].told);
    beat(a, 0);                  /* has given up */
    assert_int_equal(a->m[0].epoch, 2);
    beat(a, 1);
    assert_int_equal(a->m[1].has.count, 2);
    assert_false(parts_meet(&a->m[0].has, &a->m[1].has));
    settle(a, 2);
    parts_release(&was);
}

static void
who_does_not_give_up_in_time_is_out(void **state)
{
    struct act *a = *state;
    struct group_event ev;

    join(a, 0);
    join(a, 1);
    beat(a, 0);
    for (int i = 0; i < 9; i++) {
        ev = beat_event(0, 1);
        kit_pass(&a->k, 1000);
        send(a, &ev, KERR_NONE);
    }
    assert_true(kit_pass(&a->k, 1000));
    assert_int_equal(kit_count(&a->k, GROUP_FX_DELETE_MEMBER), 1);
    ev = beat_event(0, 1);
    send(a, &ev, KERR_UNKNOWN_MEMBER_ID);
    beat(a, 1);
    assert_int_equal(a->m[1].has.count, 4);
    assert_int_equal(a->m[1].epoch, 3);
}

static void
silence_ends_a_membership(void **state)
{
    struct act *a = *state;

    join(a, 0);
    assert_false(kit_pass(&a->k, 44999));
    assert_true(kit_pass(&a->k, 1));
    assert_int_equal(group_state(kit_group(&a->k)), GROUP_EMPTY);
    a->tuning.consumer_session_ms = 60000;
    a->tuning.consumer_heartbeat_ms = 7000;
    join(a, 1);
    assert_int_equal(kit_reply(&a->k, 900)->beaten.interval_ms, 7000);
    assert_false(kit_pass(&a->k, 59999));
    assert_true(kit_pass(&a->k, 1));
}

static void
epochs_that_are_not_its_own_fence(void **state)
{
    struct act *a = *state;
    struct group_event ev;

    join(a, 0);
    join(a, 1);
    beat(a, 0);
    beat(a, 0);
    assert_int_equal(a->m[0].epoch, 2);
    ev = beat_event(0, 3);
    send(a, &ev, KERR_FENCED_MEMBER_EPOCH);
    ev = beat_event(0, 1);       /* the one before, but owns who knows what */
    send(a, &ev, KERR_FENCED_MEMBER_EPOCH);
    ev.beat.has_owned = true;    /* it owns a part of what it has */
    send(a, &ev, KERR_NONE);
    ev = beat_event(5, 1);
    send(a, &ev, KERR_UNKNOWN_MEMBER_ID);
    ev.group_id = S("none");
    send(a, &ev, KERR_GROUP_ID_NOT_FOUND);
    join(a, 0);                  /* fenced, it comes again as itself */
    assert_int_equal(group_member_count(kit_group(&a->k)), 2);
}

static void
topics_that_change_move_the_group(void **state)
{
    struct act *a = *state;

    join(a, 0);
    topics_grow(&a->topics, "t", 6);
    beat(a, 0);
    assert_int_equal(a->m[0].epoch, 2);
    assert_int_equal(a->m[0].has.count, 6);
    topics_make(&a->topics, "other", 3);
    beat(a, 0);
    assert_int_equal(a->m[0].epoch, 2);
    topics_drop(&a->topics, "t");
    beat(a, 0);
    assert_int_equal(a->m[0].has.count, 0);
    beat(a, 0);
    assert_int_equal(a->m[0].epoch, 3);
    topics_make(&a->topics, "t", 2);
    beat(a, 0);
    assert_int_equal(a->m[0].has.count, 2);
}

static void
expressions_follow_the_topics(void **state)
{
    struct act *a = *state;
    struct group_event ev = full_event(0, 0);

    ev.beat.has_topics = false;
    ev.beat.topics = NULL;
    ev.beat.topic_count = 0;
    ev.beat.regex = S("(a");
    assert_non_null(send(a, &ev, KERR_INVALID_REGULAR_EXPRESSION)
            ->beaten.message);
    ev.beat.regex = S("a.*");
    hear(a, 0, send(a, &ev, KERR_NONE));
    assert_int_equal(a->m[0].has.count, 0);
    topics_make(&a->topics, "ab", 3);
    topics_make(&a->topics, "ba", 3);
    beat(a, 0);
    assert_int_equal(a->m[0].has.count, 3);
    ev = beat_event(0, a->m[0].epoch);
    ev.beat.regex = S("");
    ev.beat.topics = topic_t;
    ev.beat.topic_count = 1;
    ev.beat.has_topics = true;
    hear(a, 0, send(a, &ev, KERR_NONE));
    assert_int_equal(a->m[0].has.count, 0);
    beat(a, 0);
    assert_int_equal(a->m[0].has.count, 4);
}

static void
requests_that_say_too_little_are_refused(void **state)
{
    struct act *a = *state;
    struct group_event ev = full_event(0, 0);

    ev.beat.member_id = S("");
    send(a, &ev, KERR_INVALID_REQUEST);
    ev.beat.own_id = false;      /* v0: an id is made */
    assert_true(send(a, &ev, KERR_NONE)->beaten.member_id.len > 16);
    ev = full_event(0, 0);
    ev.beat.rebalance_timeout_ms = -1;
    send(a, &ev, KERR_INVALID_REQUEST);
    ev = full_event(0, 0);
    ev.beat.has_topics = false;
    send(a, &ev, KERR_INVALID_REQUEST);
    ev = full_event(0, 0);
    ev.beat.has_owned = false;
    send(a, &ev, KERR_INVALID_REQUEST);
    ev = full_event(0, 0);
    ev.beat.assignor = S("best");
    send(a, &ev, KERR_UNSUPPORTED_ASSIGNOR);
    ev.beat.assignor = S("range");
    send(a, &ev, KERR_NONE);
    assert_string_equal(consumer_assignor(kit_group(&a->k)), "range");
    ev = beat_event(0, -3);
    send(a, &ev, KERR_INVALID_REQUEST);
    ev = beat_event(0, CONSUMER_EPOCH_LEAVE_STATIC);
    send(a, &ev, KERR_INVALID_REQUEST);
    ev = full_event(0, 0);
    ev.group_id = S("");
    send(a, &ev, KERR_INVALID_GROUP_ID);
}

/* ---- static members ---- */

static void
join_static(struct act *a, int m, enum kerr error)
{
    struct group_event ev = full_event(m, 0);
    const struct group_fx *e;

    ev.beat.instance_id = S("i");
    a->m[m].epoch = 0;
    e = send(a, &ev, error);
    if (error == KERR_NONE) {
        hear(a, m, e);
    }
}

static void
a_static_member_that_left_for_a_while_has_its_place(void **state)
{
    struct act *a = *state;
    struct parts had = {0};
    struct group_event ev;

    join_static(a, 0, KERR_NONE);
    join(a, 1);
    settle(a, 2);
    parts_copy(&had, &a->m[0].has);
    join_static(a, 2, KERR_UNRELEASED_INSTANCE_ID);
    leave(a, 0, CONSUMER_EPOCH_LEAVE_STATIC, "i");
    beat(a, 1);
    assert_false(a->m[1].told);  /* nothing moves */
    join_static(a, 2, KERR_NONE);
    assert_int_equal(a->m[2].epoch, 2);
    assert_true(parts_eq(&a->m[2].has, &had));
    ev = beat_event(0, 2);
    ev.beat.instance_id = S("i");
    send(a, &ev, KERR_FENCED_INSTANCE_ID);
    leave(a, 2, CONSUMER_EPOCH_LEAVE, "i");
    beat(a, 1);
    assert_int_equal(a->m[1].has.count, 4);
    parts_release(&had);
}

static void
a_static_member_that_stays_away_is_out(void **state)
{
    struct act *a = *state;

    join_static(a, 0, KERR_NONE);
    leave(a, 0, CONSUMER_EPOCH_LEAVE_STATIC, "i");
    assert_int_equal(group_member_count(kit_group(&a->k)), 1);
    assert_true(kit_pass(&a->k, 45000));
    assert_int_equal(group_state(kit_group(&a->k)), GROUP_EMPTY);
}

/* ---- offsets ---- */

static enum kerr
commit(struct act *a, const char *member, int32_t epoch, bool v9, bool txn)
{
    struct group_commit_item item = {.topic = S("t"),
        .topic_id = *topics_id(&a->topics, "t"), .offset = 7};
    struct group_event ev = {.kind = GROUP_EV_COMMIT,
        .group_id = S("g"),
        .token = TOKEN(901),
        .commit = {.member_id = S(member),
            .generation = epoch,
            .retention_ms = -1,
            .group_id_errors = v9,
            .transactional = txn,
            .items = &item,
            .count = 1}};

    kit_step(&a->k, &ev);
    return kit_reply(&a->k, 901)->error;
}

static void
commits_name_the_epoch(void **state)
{
    struct act *a = *state;
    const struct group *g;

    join(a, 0);
    g = kit_group(&a->k);
    assert_int_equal(commit(a, "m0", 1, true, false), KERR_NONE);
    assert_int_equal(commit(a, "m0", 0, true, false), KERR_STALE_MEMBER_EPOCH);
    assert_int_equal(commit(a, "m0", 0, true, true), KERR_ILLEGAL_GENERATION);
    assert_int_equal(commit(a, "m0", 1, false, false),
        KERR_UNSUPPORTED_VERSION);
    assert_int_equal(commit(a, "m9", 1, true, false), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(commit(a, "", -1, true, false), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(commit(a, "", -1, true, true), KERR_NONE);
    assert_int_equal(group_fetch_refusal(g, SPAN_NULL, -1), KERR_NONE);
    assert_int_equal(group_fetch_refusal(g, S("m0"), 1), KERR_NONE);
    assert_int_equal(group_fetch_refusal(g, S("m0"), 2),
        KERR_STALE_MEMBER_EPOCH);
    assert_int_equal(group_fetch_refusal(g, S("m9"), 1),
        KERR_UNKNOWN_MEMBER_ID);
    leave(a, 0, CONSUMER_EPOCH_LEAVE, NULL);
    assert_int_equal(commit(a, "", -1, true, false), KERR_NONE);
}

static void
offsets_of_what_is_not_read_expire(void **state)
{
    struct act *a = *state;
    struct group_event expire = {.kind = GROUP_EV_EXPIRE,
        .group_id = S("g")};
    struct group_event drop = {.kind = GROUP_EV_DELETE,
        .group_id = S("g"), .token = TOKEN(902)};

    join(a, 0);
    commit(a, "m0", 1, true, false);
    a->k.now += 8ll * 24 * 3600 * 1000;
    kit_step(&a->k, &expire);
    assert_int_equal(kit_count(&a->k, GROUP_FX_DELETE_OFFSET), 0);
    kit_step(&a->k, &drop);
    kit_expect(&a->k, 902, KERR_NON_EMPTY_GROUP);
    while (kit_pass(&a->k, 1)) {
    }
    assert_int_equal(group_state(kit_group(&a->k)), GROUP_EMPTY);
    kit_step(&a->k, &expire);
    assert_int_equal(kit_count(&a->k, GROUP_FX_DELETE_OFFSET), 1);
    assert_int_equal(kit_count(&a->k, GROUP_FX_DELETE), 1);
    assert_null(kit_group(&a->k));
}

/* ---- bounds ---- */

static void
a_full_group_takes_nobody_but_its_own(void **state)
{
    struct act *a = *state;
    struct group_event ev = full_event(3, 0);

    a->k.config.consumer_members_max = 2;
    again(a);
    join_static(a, 0, KERR_NONE);
    join(a, 1);
    send(a, &ev, KERR_GROUP_MAX_SIZE_REACHED);
    beat(a, 1);
    leave(a, 0, CONSUMER_EPOCH_LEAVE_STATIC, "i");
    join_static(a, 2, KERR_NONE);
}

static void
a_thousand_members_and_no_more(void **state)
{
    struct act *a = *state;
    struct group_event ev = full_event(0, 0);
    size_t persisted = 0;
    char id[16];

    topics_grow(&a->topics, "t", 2000);
    ev.beat.member_id.ptr = (uint8_t *)id;
    for (int i = 0; i <= GROUP_MEMBERS_MAX; i++) {
        ev.beat.member_id.len = (size_t)snprintf(id, sizeof id, "n%d", i);
        group_effects_clear(&a->k.fx);
        groups_step(&a->k.groups, &ev, a->k.now, &a->k.fx);
        kit_expect(&a->k, 900, i < GROUP_MEMBERS_MAX
                ? KERR_NONE : KERR_GROUP_MAX_SIZE_REACHED);
        persisted += kit_count(&a->k, GROUP_FX_PERSIST_MEMBER);
    }
    groups_check(&a->k.groups);
    assert_int_equal(group_member_count(kit_group(&a->k)), GROUP_MEMBERS_MAX);
    /* What moved, and not all of them each time. */
    assert_true(persisted < 20 * GROUP_MEMBERS_MAX);
    assert_true(group_record_bytes(kit_group(&a->k)) < 2 * MIB);
}

static void
ten_thousand_groups_and_no_more(void **state)
{
    struct act *a = *state;
    struct group_event ev = full_event(0, 0);
    char id[16];

    ev.group_id.ptr = (uint8_t *)id;
    groups_set_tuning(&a->k.groups, NULL, NULL);
    for (int i = 0; i <= GROUPS_MAX; i++) {
        ev.group_id.len = (size_t)snprintf(id, sizeof id, "g%d", i);
        group_effects_clear(&a->k.fx);
        groups_step(&a->k.groups, &ev, a->k.now, &a->k.fx);
        kit_expect(&a->k, 900,
            i < GROUPS_MAX ? KERR_NONE : KERR_POLICY_VIOLATION);
    }
    groups_check(&a->k.groups);
}

static void
what_members_say_is_bounded(void **state)
{
    struct act *a = *state;
    struct group_event ev = full_event(0, 0);
    char *name = xcalloc(1, 30000);
    struct span names[4];

    memset(name, 'x', 29999);
    for (int i = 0; i < 4; i++) {
        names[i] = S(name);
        names[i].len -= (size_t)i;
    }
    ev.beat.topics = names;
    ev.beat.topic_count = 4;
    send(a, &ev, KERR_POLICY_VIOLATION);
    ev = full_event(0, 0);
    ev.beat.regex = span_of(name, 1025);
    send(a, &ev, KERR_INVALID_REGULAR_EXPRESSION);
    ev.beat.regex = S("((a{1000}){1000}){1000}");
    send(a, &ev, KERR_INVALID_REGULAR_EXPRESSION);
    ev.beat.regex = SPAN_NULL;
    ev.beat.member_id = span_of(name, 256);
    send(a, &ev, KERR_INVALID_REQUEST);
    for (int i = 0; i < 33; i++) {
        char id[16], regex[16];

        snprintf(id, sizeof id, "r%d", i);
        snprintf(regex, sizeof regex, "x%d", i);
        ev.beat.member_id = S(id);
        ev.beat.regex = S(regex);
        send(a, &ev, i < 32 ? KERR_NONE : KERR_POLICY_VIOLATION);
    }
    free(name);
}

/* ---- the classic protocol ---- */

/* "t" alone, version 1, owning the partitions of `own`. */
static struct span
subscription(uint8_t *b, const struct parts *own)
{
    uint32_t n = own == NULL ? 0 : own->count;
    uint8_t *at = b;

    put_be16(at, 1);
    put_be32(at + 2, 1);
    put_be16(at + 6, 1);
    at[8] = 't';
    put_be32(at + 9, UINT32_MAX);
    put_be32(at + 13, n > 0);
    at += 17;
    if (n > 0) {
        put_be16(at, 1);
        at[2] = 't';
        put_be32(at + 3, n);
        at += 7;
        for (uint32_t i = 0; i < n; i++, at += 4) {
            put_be32(at, (uint32_t)own->v[i].partition);
        }
    }
    return span_of(b, (size_t)(at - b));
}

static void
classic_join(struct act *a, const char *member, const char *instance,
    const struct parts *own)
{
    uint8_t b[200];
    struct group_protocol p = {S("cooperative-sticky"),
        subscription(b, own)};
    struct group_event ev = {.kind = GROUP_EV_JOIN,
        .group_id = S("g"),
        .token = TOKEN(903),
        .join = {.member_id = S(member),
            .instance_id = instance == NULL ? SPAN_NULL : S(instance),
            .client_id = S("c"),
            .client_host = S("/h"),
            .session_timeout_ms = 10000,
            .rebalance_timeout_ms = 20000,
            .protocol_type = S("consumer"),
            .protocols = &p,
            .protocol_count = 1,
            .member_id_required = true}};

    kit_step(&a->k, &ev);
    if (kit_reply(&a->k, 903) == NULL) {
        kit_tick(&a->k);
    }
}

static enum kerr
classic_beat(struct act *a, const char *member, int32_t generation)
{
    struct group_event ev = {.kind = GROUP_EV_HEARTBEAT,
        .group_id = S("g"),
        .token = TOKEN(904),
        .heartbeat = {.member_id = S(member), .generation = generation}};

    kit_step(&a->k, &ev);
    return kit_reply(&a->k, 904)->error;
}

/* How many partitions of "t" it gets; -1: an error. */
static int
classic_sync(struct act *a, const char *member, int32_t generation,
    const struct group_assignment *list, size_t count, struct parts *out)
{
    struct group_event ev = {.kind = GROUP_EV_SYNC,
        .group_id = S("g"),
        .token = TOKEN(905),
        .sync = {.member_id = S(member), .generation = generation,
            .assignments = list, .assignment_count = count}};
    const struct group_fx *e;
    const uint8_t *p;

    kit_step(&a->k, &ev);
    e = kit_reply(&a->k, 905);
    if (e == NULL || e->error != KERR_NONE) {
        return -1;
    }
    parts_clear(out);
    p = e->synced.assignment.ptr;
    if (e->synced.assignment.len < 13 || get_be32(p + 2) == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < get_be32(p + 9); i++) {
        parts_push(out, topics_id(&a->topics, "t"),
            (int32_t)get_be32(p + 13 + 4 * i));
    }
    return (int)out->count;
}

/* One classic member, leading itself, with all of "t". */
static void
classic_alone(struct act *a, char id[64], struct parts *has)
{
    uint8_t b[64] = {0};
    struct group_assignment list;
    const struct group_fx *e;

    classic_join(a, "", NULL, NULL);
    e = kit_expect(&a->k, 903, KERR_MEMBER_ID_REQUIRED);
    snprintf(id, 64, "%.*s", (int)e->joined.member_id.len,
        (const char *)e->joined.member_id.ptr);
    classic_join(a, id, NULL, NULL);
    kit_expect(&a->k, 903, KERR_NONE);
    put_be16(b, 1);
    put_be32(b + 2, 1);
    put_be16(b + 6, 1);
    b[8] = 't';
    put_be32(b + 9, 4);
    for (uint32_t i = 0; i < 4; i++) {
        put_be32(b + 13 + 4 * i, i);
    }
    put_be32(b + 29, UINT32_MAX);
    list = (struct group_assignment){S(id), span_of(b, 33)};
    assert_int_equal(classic_sync(a, id, 1, &list, 1, has), 4);
}

static void
a_classic_group_becomes_a_consumer_group_and_back(void **state)
{
    struct act *a = *state;
    struct parts has = {0};
    struct group *g;
    char id[64];

    classic_alone(a, id, &has);
    join(a, 1);                  /* up */
    g = kit_group(&a->k);
    assert_int_equal(group_type(g), GROUP_CONSUMER);
    assert_int_equal(kit_count(&a->k, GROUP_FX_PERSIST_MEMBER), 2);
    assert_int_equal(a->m[1].epoch, 2);
    assert_int_equal(a->m[1].has.count, 0);
    assert_int_equal(commit(a, id, 1, false, false), KERR_NONE);
    assert_int_equal(commit(a, id, 0, false, false),
        KERR_ILLEGAL_GENERATION);

    assert_int_equal(classic_beat(a, id, 1), KERR_REBALANCE_IN_PROGRESS);
    classic_join(a, id, NULL, &has);
    assert_int_equal(kit_expect(&a->k, 903, KERR_NONE)->joined.generation, 1);
    assert_int_equal(classic_sync(a, id, 1, NULL, 0, &has), 2);
    assert_int_equal(classic_beat(a, id, 1), KERR_REBALANCE_IN_PROGRESS);
    classic_join(a, id, NULL, &has);         /* it has given up two */
    assert_int_equal(kit_expect(&a->k, 903, KERR_NONE)->joined.generation, 2);
    assert_int_equal(classic_sync(a, id, 2, NULL, 0, &has), 2);
    assert_int_equal(classic_beat(a, id, 2), KERR_NONE);
    beat(a, 1);
    assert_int_equal(a->m[1].has.count, 2);
    assert_false(parts_meet(&a->m[1].has, &has));

    leave(a, 1, CONSUMER_EPOCH_LEAVE, NULL);         /* down */
    g = kit_group(&a->k);
    assert_int_equal(group_type(g), GROUP_CLASSIC);
    assert_int_equal(group_state(g), GROUP_PREPARING);
    assert_int_equal(kit_count(&a->k, GROUP_FX_DELETE_MEMBER), 2);
    assert_int_equal(classic_beat(a, id, 2), KERR_REBALANCE_IN_PROGRESS);
    classic_join(a, id, NULL, &has);
    assert_int_equal(kit_expect(&a->k, 903, KERR_NONE)->joined.generation, 3);
    parts_release(&has);
}

static void
classic_members_join_a_consumer_group(void **state)
{
    struct act *a = *state;
    struct parts has = {0};
    char id[64];
    const struct group_fx *e;

    join(a, 0);
    classic_join(a, "", NULL, NULL);
    e = kit_expect(&a->k, 903, KERR_MEMBER_ID_REQUIRED);
    snprintf(id, sizeof id, "%.*s", (int)e->joined.member_id.len,
        (const char *)e->joined.member_id.ptr);
    classic_join(a, id, NULL, NULL);
    e = kit_expect(&a->k, 903, KERR_NONE);
    assert_int_equal(e->joined.generation, 2);
    assert_int_equal(e->joined.member_count, 0);
    assert_span(e->joined.leader, "");
    assert_int_equal(classic_sync(a, id, 2, NULL, 0, &has), 0);
    assert_int_equal(classic_beat(a, id, 2), KERR_NONE);
    beat(a, 0);
    beat(a, 0);
    assert_int_equal(classic_beat(a, id, 2), KERR_REBALANCE_IN_PROGRESS);
    classic_join(a, id, NULL, NULL);
    assert_int_equal(classic_sync(a, id, 2, NULL, 0, &has), 2);
    assert_false(parts_meet(&a->m[0].has, &has));
    /* A member that joined must sync, or it is out. */
    classic_join(a, id, NULL, &has);
    for (int i = 0; i < 19; i++) {
        classic_beat(a, id, 2);
        beat(a, 0);
        kit_pass(&a->k, 1000);
    }
    assert_int_equal(classic_beat(a, id, 2), KERR_NONE);
    assert_true(kit_pass(&a->k, 1000));
    assert_int_equal(classic_beat(a, id, 2), KERR_UNKNOWN_MEMBER_ID);
    parts_release(&has);
}

static void
a_static_member_changes_its_protocol(void **state)
{
    struct act *a = *state;
    struct parts has = {0};
    const struct group_fx *e;
    char id[64];

    join_static(a, 0, KERR_NONE);
    classic_join(a, "", "i", NULL);          /* the last one: down */
    e = kit_expect(&a->k, 903, KERR_NONE);
    assert_int_equal(e->joined.generation, 1);
    snprintf(id, sizeof id, "%.*s", (int)e->joined.member_id.len,
        (const char *)e->joined.member_id.ptr);
    assert_int_equal(group_type(kit_group(&a->k)), GROUP_CLASSIC);
    assert_int_equal(group_state(kit_group(&a->k)), GROUP_STABLE);
    assert_int_equal(classic_sync(a, id, 1, NULL, 0, &has), 4);
    join_static(a, 2, KERR_NONE);            /* up, without a leave */
    assert_int_equal(group_type(kit_group(&a->k)), GROUP_CONSUMER);
    assert_int_equal(a->m[2].has.count, 4);
    assert_int_equal(group_member_count(kit_group(&a->k)), 1);
    parts_release(&has);
}

static void
other_protocols_stay_what_they_are(void **state)
{
    struct act *a = *state;
    struct group_event ev = full_event(0, 0);
    struct group_event join_event = kit_join_event(&a->k, 1, "");

    /* "m1" is no subscription of consumers */
    join_event.join.member_id_required = false;
    kit_step(&a->k, &join_event);
    kit_tick(&a->k);
    send(a, &ev, KERR_GROUP_ID_NOT_FOUND);
    assert_int_equal(group_type(kit_group(&a->k)), GROUP_CLASSIC);
    assert_int_equal(group_member_count(kit_group(&a->k)), 1);
}

static void
an_empty_group_is_of_either_type(void **state)
{
    struct act *a = *state;
    struct parts has = {0};
    char id[64];

    join(a, 0);
    commit(a, "m0", 1, true, false);
    leave(a, 0, CONSUMER_EPOCH_LEAVE, NULL);
    classic_join(a, "", NULL, NULL);
    assert_int_equal(group_type(kit_group(&a->k)), GROUP_CLASSIC);
    snprintf(id, sizeof id, "%.*s",
        (int)kit_reply(&a->k, 903)->joined.member_id.len,
        (const char *)kit_reply(&a->k, 903)->joined.member_id.ptr);
    classic_join(a, id, NULL, NULL);
    assert_int_equal(kit_expect(&a->k, 903, KERR_NONE)->joined.generation, 3);
    kit_pass(&a->k, 100000);
    while (kit_tick(&a->k)) {
    }
    assert_int_equal(group_state(kit_group(&a->k)), GROUP_EMPTY);
    join(a, 1);
    assert_int_equal(group_type(kit_group(&a->k)), GROUP_CONSUMER);
    assert_non_null(group_offset(kit_group(&a->k), S("t"), NULL, 0));
    parts_release(&has);
}

/* ---- restarts ---- */

static void
a_restart_keeps_members_and_begins_their_time_anew(void **state)
{
    struct act *a = *state;
    const struct consumer_member *m = NULL;
    struct consumer_member_image images[3];
    struct consumer_image image;
    struct groups was = {0};
    struct err err;
    size_t n = 0;

    join(a, 0);
    join(a, 1);
    beat(a, 0);                  /* m0 has two to give up */
    consumer_image(kit_group(&a->k), &image);
    while ((m = consumer_member_next(kit_group(&a->k), m)) != NULL) {
        consumer_member_image(m, &images[n++]);
    }
    assert_int_equal(n, 2);
    was = a->k.groups;           /* what the images point to */
    groups_init(&a->k.groups, &a->k.world, &a->k.config);
    groups_set_topics(&a->k.groups, &a->view);
    topics_grow(&a->topics, "t", 6);         /* while it was down */
    assert_int_equal(groups_restore_consumer(&a->k.groups, &image, a->k.now,
        &err), 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(groups_restore_consumer_member(&a->k.groups, S("g"),
            &images[i], a->k.now, &err), 0);
    }
    groups_check(&a->k.groups);
    assert_int_equal(groups_restore_consumer_member(&a->k.groups, S("g"),
        &images[0], a->k.now, &err), -1);
    groups_release(&was);
    beat(a, 1);
    assert_int_equal(a->m[1].epoch, 3);      /* the topic has grown */
    settle(a, 2);
    assert_int_equal(a->m[0].has.count + a->m[1].has.count, 6);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_first_member_has_all),
        TEST(a_partition_is_given_up_before_it_is_given),
        TEST(who_does_not_give_up_in_time_is_out),
        TEST(silence_ends_a_membership),
        TEST(epochs_that_are_not_its_own_fence),
        TEST(topics_that_change_move_the_group),
        TEST(expressions_follow_the_topics),
        TEST(requests_that_say_too_little_are_refused),
        TEST(a_static_member_that_left_for_a_while_has_its_place),
        TEST(a_static_member_that_stays_away_is_out),
        TEST(commits_name_the_epoch),
        TEST(offsets_of_what_is_not_read_expire),
        TEST(a_full_group_takes_nobody_but_its_own),
        TEST(a_thousand_members_and_no_more),
        TEST(ten_thousand_groups_and_no_more),
        TEST(what_members_say_is_bounded),
        TEST(a_classic_group_becomes_a_consumer_group_and_back),
        TEST(classic_members_join_a_consumer_group),
        TEST(a_static_member_changes_its_protocol),
        TEST(other_protocols_stay_what_they_are),
        TEST(an_empty_group_is_of_either_type),
        TEST(a_restart_keeps_members_and_begins_their_time_anew),
    };

    return cmocka_run_group_tests_name("consumer", tests, NULL, NULL);
}
