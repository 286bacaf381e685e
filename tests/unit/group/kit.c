#include "config.h"

#include "kit.h"

#include "base/check.h"

static void
random_bytes(struct world *w, void *p, size_t n)
{
    struct kit *k = w->arg;

    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)p)[i] = (uint8_t)kit_random(k, 256);
    }
}

static const struct world_ops ops = {.random = random_bytes};

/* splitmix64 */
uint64_t
kit_random(struct kit *k, uint64_t below)
{
    uint64_t z = k->rng += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

uint64_t
kit_seed(uint64_t otherwise)
{
    const char *text = getenv("PENSTOCK_SEED");

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

void
kit_init(struct kit *k, uint64_t seed)
{
    *k = (struct kit){.rng = seed, .now = 1000000};
    k->world.ops = &ops;
    k->world.arg = k;
    group_config_init(&k->config);
    group_effects_init(&k->fx);
    groups_init(&k->groups, &k->world, &k->config);
}

void
kit_restart(struct kit *k)
{
    groups_release(&k->groups);
    group_effects_clear(&k->fx);
    groups_init(&k->groups, &k->world, &k->config);
}

void
kit_release(struct kit *k)
{
    groups_release(&k->groups);
    group_effects_release(&k->fx);
}

void
kit_step(struct kit *k, const struct group_event *ev)
{
    group_effects_clear(&k->fx);
    groups_step(&k->groups, ev, k->now, &k->fx);
    groups_check(&k->groups);
}

bool
kit_tick(struct kit *k)
{
    bool fired;

    group_effects_clear(&k->fx);
    fired = groups_tick(&k->groups, k->now, &k->fx);
    groups_check(&k->groups);
    return fired;
}

bool
kit_pass(struct kit *k, int64_t ms)
{
    int64_t end = k->now + ms;

    while (groups_deadline(&k->groups) <= end) {
        if (groups_deadline(&k->groups) > k->now) {
            k->now = groups_deadline(&k->groups);
        }
        if (kit_tick(k) && k->fx.count > 0) {
            return true;
        }
    }
    k->now = end;
    return false;
}

struct group *
kit_group(struct kit *k)
{
    return groups_get(&k->groups, S("g"));
}

void
kit_is(struct kit *k, enum group_state state, int32_t generation,
    size_t members)
{
    const struct group *g = kit_group(k);

    assert_non_null(g);
    assert_string_equal(group_state_name(group_state(g)),
        group_state_name(state));
    assert_int_equal(group_generation(g), generation);
    assert_int_equal(group_member_count(g), members);
}

const struct group_fx *
kit_reply(struct kit *k, int token)
{
    for (size_t i = 0; i < k->fx.count; i++) {
        if (k->fx.list[i].token == TOKEN(token)) {
            return &k->fx.list[i];
        }
    }
    return NULL;
}

const struct group_fx *
kit_expect(struct kit *k, int token, enum kerr error)
{
    const struct group_fx *e = kit_reply(k, token);

    assert_non_null(e);
    assert_string_equal(kerr_name((int)e->error), kerr_name((int)error));
    return e;
}

size_t
kit_count(struct kit *k, enum group_fx_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < k->fx.count; i++) {
        n += k->fx.list[i].kind == kind;
    }
    return n;
}

/* ---- requests ---- */

struct group_event
kit_join_event(struct kit *k, int token, const char *member_id)
{
    static const char *const metadata[8] = {"m0", "m1", "m2", "m3", "m4",
        "m5", "m6", "m7"};
    static struct group_protocol protocols[8];
    struct group_protocol *p = &protocols[token & 7];

    *p = (struct group_protocol){S("range"), S(metadata[token & 7])};
    return (struct group_event){
        .kind = GROUP_EV_JOIN,
        .group_id = S("g"),
        .token = TOKEN(token),
        .join = {
            .member_id = S(member_id == NULL ? k->ids[token] : member_id),
            .instance_id = SPAN_NULL,
            .client_id = S("client"),
            .client_host = S("/127.0.0.1"),
            .session_timeout_ms = 10000,
            .rebalance_timeout_ms = 60000,
            .protocol_type = S("consumer"),
            .protocols = p,
            .protocol_count = 1,
        },
    };
}

/* Keeps the member id of a reply, as a client does. */
static void
remember(struct kit *k)
{
    for (size_t i = 0; i < k->fx.count; i++) {
        const struct group_fx *e = &k->fx.list[i];
        size_t n = (size_t)(uintptr_t)e->token;

        if (e->kind == GROUP_FX_JOINED && n < countof(k->ids) &&
            (e->error == KERR_NONE || e->error == KERR_MEMBER_ID_REQUIRED)) {
            snprintf(k->ids[n], sizeof k->ids[n], "%.*s",
                (int)e->joined.member_id.len,
                (const char *)e->joined.member_id.ptr);
        }
    }
}

void
kit_join(struct kit *k, int token, const char *member_id)
{
    struct group_event ev = kit_join_event(k, token, member_id);

    kit_step(k, &ev);
    remember(k);
}

void
kit_join_static(struct kit *k, int token, const char *member_id,
    const char *instance_id)
{
    struct group_event ev = kit_join_event(k, token, member_id);

    ev.join.instance_id = S(instance_id);
    kit_step(k, &ev);
    remember(k);
}

void
kit_sync(struct kit *k, int token, int32_t generation, const char *assignment)
{
    struct group_assignment list[8];
    struct group_event ev = {
        .kind = GROUP_EV_SYNC,
        .group_id = S("g"),
        .token = TOKEN(token),
        .sync = {
            .member_id = S(k->ids[token]),
            .generation = generation,
            .assignments = list,
        },
    };

    for (const char *p = assignment; p != NULL && *p != '\0';) {
        size_t len = strcspn(p + 2, ",");

        list[ev.sync.assignment_count++] = (struct group_assignment){
            S(k->ids[p[0] - '0']), span_of(p + 2, len)};
        p += 2 + len + (p[2 + len] == ',');
    }
    kit_step(k, &ev);
}

void
kit_beat(struct kit *k, int token, int32_t generation)
{
    struct group_event ev = {
        .kind = GROUP_EV_HEARTBEAT,
        .group_id = S("g"),
        .token = TOKEN(token),
        .heartbeat = {.member_id = S(k->ids[token]),
            .generation = generation},
    };

    kit_step(k, &ev);
}

void
kit_leave(struct kit *k, int token)
{
    struct group_leaver leaver = {S(k->ids[token]), SPAN_NULL};
    struct group_event ev = {
        .kind = GROUP_EV_LEAVE,
        .group_id = S("g"),
        .token = TOKEN(100 + token),
        .leave = {.leavers = &leaver, .count = 1},
    };

    kit_step(k, &ev);
}

void
kit_gone(struct kit *k, int token)
{
    struct group_event ev = {.kind = GROUP_EV_TOKEN_GONE,
        .group_id = S("g"), .token = TOKEN(token)};

    kit_step(k, &ev);
}

void
kit_stable(struct kit *k, int n)
{
    for (int i = 1; i <= n; i++) {
        kit_join(k, i, "");
    }
    assert_true(kit_tick(k));
    remember(k);
    for (int i = n; i >= 1; i--) {
        kit_sync(k, i, 1, i == 1 ? "1=one,2=two,3=three,4=four" : NULL);
    }
    kit_is(k, GROUP_STABLE, 1, (size_t)n);
}

bool
span_is(struct span s, const char *text)
{
    if (span_eq(s, S(text)) && s.ptr != NULL) {
        return true;
    }
    print_error("have \"%.*s\", want \"%s\"\n", (int)s.len,
        s.ptr == NULL ? "" : (const char *)s.ptr, text);
    return false;
}
