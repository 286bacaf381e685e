/*
 * A group under a storm, in virtual time, from one seed: tens of clients,
 * dynamic and static, that join, leave, crash, fall asleep, change what they
 * offer; a broker that restarts from what it persisted. Between the two lies
 * the epoch: changes become durable, and answers leave, at a publish that
 * comes a while later; a restart takes back both.
 *
 * Checked: the room's own invariants after each step; a token is answered
 * once and never after its connection died; a partition has one owner in a
 * generation, over restarts, too; generations that clients see never go
 * back; when it has been quiet for a while all clients that live are stable
 * in one generation and own all partitions.
 *
 * PENSTOCK_SEEDS: how many (200). PENSTOCK_SEED: the first, alone if set.
 */
#include "config.h"

#include <signal.h>
#include <unistd.h>

#include "kit.h"

#include "base/buf.h"
#include "base/check.h"

enum {
    CLIENTS = 24,
    PARTITIONS = 16,
    TOKENS = 65536,
    GENERATIONS = 8192,
    STEPS = 1500,
};

enum phase { AWAY, JOINING, SYNCING, RUNNING, FENCED };

/* What a client waits for, and what it will do next. */
struct client {
    enum phase phase;
    bool is_static, old_protocol, wants_round;   /* v9+ unless old */
    int32_t session_ms, rebalance_ms;
    unsigned version;                /* of its metadata */
    char instance[16];
    char id[320];
    int32_t generation;
    bool leads, skip;
    unsigned token;                  /* 0: no request is out */
    int64_t next;                    /* when it acts */
    uint32_t owned;                  /* bits of partitions */
    char (*members)[320];            /* what the leader was told */
    size_t member_count;
};

enum token_state { FREE, ASKED, ANSWERED, GONE };

/* A reply on its way to the client. */
struct letter {
    struct letter *next;
    uint64_t gate;
    unsigned token;
    enum group_fx_kind kind;
    enum kerr error;
    int32_t generation;
    bool leads, skip;
    char id[320];
    uint32_t owned;
    size_t member_count;
    char (*members)[320];
};

static void
letter_free(struct letter *l)
{
    free(l->members);
    free(l);
}

/* The image as the journal would hold it. */
struct durable {
    uint64_t epoch;
    uint8_t *bytes;
    size_t len;
};

static struct sim {
    struct kit k;
    uint64_t seed;
    struct client clients[CLIENTS];
    uint8_t tokens[TOKENS];
    uint8_t owner_of_token[TOKENS];
    unsigned next_token;
    int8_t owner[GENERATIONS][PARTITIONS];       /* client + 1 */
    int32_t seen;                    /* the highest generation told */
    uint64_t open, published;        /* epochs */
    struct letter *letters, **last;
    struct durable pending, stored;
    bool quiet;
    int64_t shortest, longest;       /* between a client's acts, ms */
    unsigned restarts, rounds;
} s;

#define expect(cond)                                                           \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("seed %llu: %s", (unsigned long long)s.seed, #cond);      \
        }                                                                      \
    } while (0)

/* An assertion of the room dies here: say which seed it was. */
static void
on_abort(int sig)
{
    char text[64];
    int n = snprintf(text, sizeof text, "seed %llu\n",
        (unsigned long long)s.seed);

    if (write(STDERR_FILENO, text, (size_t)n) < 0) {
        _exit(1);
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

static bool
chance(unsigned one_in)
{
    return kit_random(&s.k, one_in) == 0;
}

static int64_t
between(int64_t low, int64_t high)
{
    return low + (int64_t)kit_random(&s.k, (uint64_t)(high - low + 1));
}

/* ---- the disk: images as bytes ---- */

static void
put_span(struct buf *b, struct span v)
{
    buf_put_be32(b, v.ptr == NULL ? UINT32_MAX : (uint32_t)v.len);
    buf_put_span(b, v);
}

static uint32_t
get_u32(const uint8_t **p)
{
    uint32_t v = (uint32_t)(*p)[0] << 24 | (uint32_t)(*p)[1] << 16 |
        (uint32_t)(*p)[2] << 8 | (*p)[3];

    *p += 4;
    return v;
}

static struct span
get_span(const uint8_t **p)
{
    uint32_t len = get_u32(p);
    struct span v = len == UINT32_MAX ? SPAN_NULL : span_of(*p, len);

    *p += v.len;
    return v;
}

static void
store(const struct group *g)
{
    struct group_image image;
    struct arena arena;
    struct buf b;

    arena_init(&arena, MIB);
    buf_init(&b, MIB);
    expect(group_image(g, &arena, &image) == 0);
    buf_put_be32(&b, image.state);
    buf_put_be32(&b, (uint32_t)image.generation);
    put_span(&b, image.protocol_type);
    put_span(&b, image.protocol_name);
    put_span(&b, image.leader_id);
    buf_put_be32(&b, (uint32_t)image.member_count);
    for (size_t i = 0; i < image.member_count; i++) {
        const struct group_image_member *m = &image.members[i];

        put_span(&b, m->member_id);
        put_span(&b, m->instance_id);
        buf_put_be32(&b, (uint32_t)m->session_timeout_ms);
        buf_put_be32(&b, (uint32_t)m->rebalance_timeout_ms);
        put_span(&b, m->protocols[0].name);
        put_span(&b, m->protocols[0].metadata);
        put_span(&b, m->assignment);
    }
    expect(!b.failed);
    free(s.pending.bytes);
    s.pending.bytes = buf_take(&b, &s.pending.len);
    s.pending.epoch = s.open;
    arena_release(&arena);
}

static void
load(void)
{
    static struct group_image_member members[CLIENTS * 3];
    static struct group_protocol protocols[CLIENTS * 3];
    struct group_image image = {.group_id = S("g")};
    const uint8_t *p = s.stored.bytes;
    struct err err;

    if (p == NULL) {
        return;
    }
    image.state = (enum group_state)get_u32(&p);
    image.generation = (int32_t)get_u32(&p);
    image.protocol_type = get_span(&p);
    image.protocol_name = get_span(&p);
    image.leader_id = get_span(&p);
    image.member_count = get_u32(&p);
    expect(image.member_count <= countof(members));
    image.members = members;
    for (size_t i = 0; i < image.member_count; i++) {
        struct group_image_member *m = &members[i];

        *m = (struct group_image_member){.member_id = get_span(&p)};
        m->instance_id = get_span(&p);
        m->client_id = m->client_host = S("c");
        m->session_timeout_ms = (int32_t)get_u32(&p);
        m->rebalance_timeout_ms = (int32_t)get_u32(&p);
        protocols[i].name = get_span(&p);
        protocols[i].metadata = get_span(&p);
        m->protocols = &protocols[i];
        m->protocol_count = 1;
        m->assignment = get_span(&p);
    }
    expect(p == s.stored.bytes + s.stored.len);
    expect(groups_restore(&s.k.groups, &image, s.k.now, &err) == 0);
    groups_check(&s.k.groups);
}

/* ---- the post: replies leave when their epoch is published ---- */

static void
copy_span(char out[320], struct span v)
{
    expect(v.len < 320);
    snprintf(out, 320, "%.*s", (int)v.len,
        v.ptr == NULL ? "" : (const char *)v.ptr);
}

static void
write_letter(const struct group_fx *e)
{
    struct letter *l = calloc(1, sizeof *l);
    unsigned token = (unsigned)(uintptr_t)e->token;

    expect(s.tokens[token] == ASKED);
    s.tokens[token] = ANSWERED;
    l->token = token;
    l->kind = e->kind;
    l->error = e->error;
    l->gate = groups_gate(&s.k.groups, s.k.fx.group);
    if (e->kind == GROUP_FX_JOINED) {
        l->generation = e->joined.generation;
        l->skip = e->joined.skip_assignment;
        l->leads = span_eq(e->joined.leader, e->joined.member_id);
        copy_span(l->id, e->joined.member_id);
        l->member_count = e->joined.member_count;
        expect(l->member_count <= CLIENTS * 3);
        l->members = l->member_count == 0
            ? NULL : calloc(l->member_count, sizeof *l->members);
        for (size_t i = 0; i < l->member_count; i++) {
            copy_span(l->members[i], e->joined.members[i].member_id);
        }
    } else if (e->kind == GROUP_FX_SYNCED) {
        expect(e->synced.assignment.ptr != NULL);
        for (size_t i = 0; i < e->synced.assignment.len; i++) {
            l->owned |= 1u << e->synced.assignment.ptr[i];
        }
    }
    *s.last = l;
    s.last = &l->next;
}

static void
apply_effects(void)
{
    const struct group_effects *fx = &s.k.fx;

    for (size_t i = 0; i < fx->count; i++) {
        if (fx->list[i].kind == GROUP_FX_PERSIST) {
            store(fx->group);
            groups_mark(&s.k.groups, fx->group, s.open);
        }
        expect(fx->list[i].kind != GROUP_FX_DELETE);
    }
    for (size_t i = 0; i < fx->count; i++) {
        if (fx->list[i].token != NULL) {
            write_letter(&fx->list[i]);
        }
    }
}

static void
step(const struct group_event *ev)
{
    kit_step(&s.k, ev);
    apply_effects();
}

/* ---- clients ---- */

static unsigned
ask(struct client *c)
{
    unsigned token = s.next_token++;

    expect(token < TOKENS && s.tokens[token] == FREE);
    s.tokens[token] = ASKED;
    s.owner_of_token[token] = (uint8_t)(c - s.clients);
    return token;
}

static void
soon(struct client *c)
{
    c->next = s.k.now + between(s.shortest, s.longest);
}

static void
client_join(struct client *c)
{
    char metadata[16];
    struct group_protocol p = {S("range"), SPAN_NULL};
    struct group_event ev = {.kind = GROUP_EV_JOIN, .group_id = S("g")};

    snprintf(metadata, sizeof metadata, "v%u", c->version);
    p.metadata = S(metadata);
    c->phase = JOINING;
    c->token = ask(c);
    ev.token = TOKEN(c->token);
    ev.join = (struct group_join){
        .member_id = S(c->id),
        .instance_id = c->is_static ? S(c->instance) : SPAN_NULL,
        .client_id = S("c"),
        .client_host = S("/h"),
        .session_timeout_ms = c->session_ms,
        .rebalance_timeout_ms = c->rebalance_ms,
        .protocol_type = S("consumer"),
        .protocols = &p,
        .protocol_count = 1,
        .member_id_required = !c->old_protocol,
        .skip_assignment = !c->old_protocol,
    };
    step(&ev);
}

/* The leader deals the partitions out, in a fresh order each time. */
static void
client_sync(struct client *c)
{
    static uint8_t hands[CLIENTS * 3][PARTITIONS];
    static struct group_assignment list[CLIENTS * 3];
    struct group_event ev = {.kind = GROUP_EV_SYNC, .group_id = S("g")};
    size_t n = c->leads && !c->skip ? c->member_count : 0;
    size_t first = n == 0 ? 0 : kit_random(&s.k, n);

    for (size_t i = 0; i < n; i++) {
        list[i] = (struct group_assignment){S(c->members[i]),
            span_of(hands[i], 0)};
    }
    for (size_t p = 0; n > 0 && p < PARTITIONS; p++) {
        struct group_assignment *a = &list[(first + p) % n];

        hands[(first + p) % n][a->bytes.len++] = (uint8_t)p;
    }
    c->phase = SYNCING;
    c->token = ask(c);
    ev.token = TOKEN(c->token);
    ev.sync = (struct group_sync){
        .member_id = S(c->id),
        .instance_id = c->is_static ? S(c->instance) : SPAN_NULL,
        .generation = c->generation,
        .assignments = list,
        .assignment_count = n,
    };
    step(&ev);
}

static void
client_beat(struct client *c)
{
    struct group_event ev = {.kind = GROUP_EV_HEARTBEAT,
        .group_id = S("g")};

    c->token = ask(c);
    ev.token = TOKEN(c->token);
    ev.heartbeat = (struct group_heartbeat){S(c->id),
        c->is_static ? S(c->instance) : SPAN_NULL, c->generation};
    step(&ev);
}

static void
client_away(struct client *c)
{
    c->phase = AWAY;
    c->id[0] = '\0';
    c->owned = 0;
    c->token = 0;
}

static void
client_crash(struct client *c)
{
    struct group_event ev = {.kind = GROUP_EV_TOKEN_GONE,
        .group_id = S("g"), .token = TOKEN(c->token)};

    if (c->token != 0 && s.tokens[c->token] == ASKED) {
        s.tokens[c->token] = GONE;
        step(&ev);
    }
    client_away(c);
    c->next = s.k.now + between(100, 40000);
}

static void
client_leave(struct client *c)
{
    struct group_leaver leaver = {S(c->id), SPAN_NULL};
    struct group_event ev = {.kind = GROUP_EV_LEAVE, .group_id = S("g"),
        .leave = {&leaver, 1, false}};

    ev.token = TOKEN(ask(c));
    step(&ev);
    client_away(c);
    c->next = s.k.now + between(100, 40000);
}

/* Whatever went wrong, it starts again from the join. */
static void
client_rejoin(struct client *c, bool as_new)
{
    if (as_new) {
        c->id[0] = '\0';
    }
    c->owned = 0;
    c->phase = AWAY;
    c->token = 0;
    soon(c);
}

static void
client_failed(struct client *c, enum kerr error)
{
    expect(error == KERR_UNKNOWN_MEMBER_ID || error == KERR_MEMBER_ID_REQUIRED
        || error == KERR_REBALANCE_IN_PROGRESS ||
        error == KERR_ILLEGAL_GENERATION || error == KERR_FENCED_INSTANCE_ID);
    client_rejoin(c, error == KERR_UNKNOWN_MEMBER_ID);
    if (error == KERR_FENCED_INSTANCE_ID) {
        /* another of the same name; only those who share one may meet it */
        expect(c->is_static && c->instance[1] == 's');
        client_away(c);
        c->phase = FENCED;
    }
}

static void
client_joined(struct client *c, struct letter *l)
{
    if (l->error != KERR_NONE) {
        client_failed(c, l->error);
        if (l->error == KERR_MEMBER_ID_REQUIRED) {
            memcpy(c->id, l->id, sizeof c->id);
        }
        return;
    }
    expect(l->generation >= s.seen);
    expect(l->generation < GENERATIONS);
    s.seen = l->generation;
    memcpy(c->id, l->id, sizeof c->id);
    c->generation = l->generation;
    c->leads = l->leads;
    c->skip = l->skip;
    free(c->members);
    c->members = l->members;
    l->members = NULL;
    c->member_count = l->member_count;
    c->phase = SYNCING;
    c->token = 0;
    soon(c);
}

/* Those who share a name are one owner. */
static int8_t
owner_name(const struct client *c)
{
    return (int8_t)(c->is_static && c->instance[1] == 's'
        ? 1 : (c - s.clients) + 1);
}

static void
client_synced(struct client *c, const struct letter *l)
{
    if (l->error != KERR_NONE) {
        client_failed(c, l->error);
        return;
    }
    for (int p = 0; p < PARTITIONS; p++) {
        int8_t *owner = &s.owner[c->generation][p];

        if (l->owned >> p & 1) {
            expect(*owner == 0 || *owner == owner_name(c));
            *owner = owner_name(c);
        }
    }
    c->owned = l->owned;
    c->phase = RUNNING;
    c->token = 0;
    s.rounds++;
    soon(c);
}

static void
deliver(struct letter *l)
{
    struct client *c = &s.clients[s.owner_of_token[l->token]];

    if (c->token != l->token || c->phase == FENCED) {
        return;                  /* it has hung up */
    }
    if (l->kind == GROUP_FX_JOINED) {
        client_joined(c, l);
    } else if (l->kind == GROUP_FX_SYNCED) {
        client_synced(c, l);
    } else if (l->error != KERR_NONE) {
        client_failed(c, l->error);
    } else {
        c->token = 0;
        soon(c);
    }
}

static void
client_act(struct client *c)
{
    if (c->token != 0) {
        return;                  /* waits */
    }
    switch (c->phase) {
    case FENCED:
        c->next = INT64_MAX;
        break;
    case AWAY:
    case JOINING:
        client_join(c);
        break;
    case SYNCING:
        client_sync(c);
        break;
    case RUNNING:
        if (c->wants_round && (c->leads || chance(2))) {
            c->wants_round = false;
            c->owned = 0;
            client_join(c);
        } else {
            client_beat(c);
        }
        break;
    }
}

/* ---- the storm ---- */

/* Up to and with the epoch that is open; the next one opens. */
static void
publish(void)
{
    s.published = s.open++;
    if (s.pending.bytes != NULL) {
        free(s.stored.bytes);
        s.stored = s.pending;
        s.pending = (struct durable){0};
    }
    while (s.letters != NULL) {
        struct letter *l = s.letters;

        expect(l->gate <= s.published);
        s.letters = l->next;
        if (s.letters == NULL) {
            s.last = &s.letters;
        }
        deliver(l);
        letter_free(l);
    }
}

/* The power is gone: what was not published never was. */
static void
restart(void)
{
    s.restarts++;
    while (s.letters != NULL) {
        struct letter *l = s.letters;

        s.letters = l->next;
        letter_free(l);
    }
    s.last = &s.letters;
    free(s.pending.bytes);
    s.pending = (struct durable){0};
    kit_restart(&s.k);
    load();
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &s.clients[i];

        if (c->token != 0) {     /* its connection broke */
            if (s.tokens[c->token] == ASKED) {
                s.tokens[c->token] = GONE;
            }
            c->token = 0;
            if (c->phase != RUNNING) {
                client_rejoin(c, false);
            }
        }
        if (c->phase != FENCED) {
            soon(c);
        }
    }
}

static void
disturb(struct client *c)
{
    switch (kit_random(&s.k, 6)) {
    case 0:
        client_crash(c);
        break;
    case 1:
        if (c->id[0] != '\0' && c->token == 0) {
            client_leave(c);
        }
        break;
    case 2:                      /* asleep, longer than its session or not */
        c->next = s.k.now + between(3000, 30000);
        break;
    case 3:
        c->version++;
        c->wants_round = true;
        break;
    case 4:
        c->wants_round = true;
        break;
    case 5:
        if (c->phase == FENCED) {
            client_away(c);
            soon(c);
        }
        break;
    }
}

static void
run_timers(void)
{
    while (kit_tick(&s.k)) {
        apply_effects();
    }
}

static void
pass(int64_t ms)
{
    s.k.now += ms;
    run_timers();
    for (int i = 0; i < CLIENTS; i++) {
        if (s.clients[i].next <= s.k.now) {
            s.clients[i].next = s.k.now + 3000;
            client_act(&s.clients[i]);
        }
    }
    run_timers();
}

static void
begin(uint64_t seed)
{
    memset(&s, 0, sizeof s);
    s.seed = seed;
    s.last = &s.letters;
    s.next_token = s.open = 1;
    kit_init(&s.k, seed);
    s.k.config.initial_delay_ms = chance(2) ? 0 : 3000;
    kit_restart(&s.k);
    s.shortest = 0;
    s.longest = between(50, 3000);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &s.clients[i];

        c->is_static = chance(3);
        c->old_protocol = chance(3);
        c->session_ms = (int32_t)between(8000, 40000);
        c->rebalance_ms = (int32_t)between(4000, 30000);
        snprintf(c->instance, sizeof c->instance, "i%d", i);
        if (i < 2 && chance(2)) {        /* two that share a name */
            c->is_static = true;
            snprintf(c->instance, sizeof c->instance, "is");
        }
        c->next = s.k.now + between(0, 20000);
    }
}

static void
check_quiet(void)
{
    const struct group *g = kit_group(&s.k);
    uint32_t owned = 0;
    size_t live = 0;

    expect(g != NULL && group_state(g) == GROUP_STABLE);
    for (int i = 0; i < CLIENTS; i++) {
        const struct client *c = &s.clients[i];

        if (c->phase == FENCED) {
            continue;
        }
        live++;
        expect(c->phase == RUNNING);
        expect(c->generation == group_generation(g));
        expect((owned & c->owned) == 0);
        owned |= c->owned;
    }
    expect(live == group_member_count(g));
    expect(owned == (1u << PARTITIONS) - 1);
    for (unsigned t = 1; t < s.next_token; t++) {
        expect(s.tokens[t] != ASKED);
    }
}

static void
run(uint64_t seed)
{
    begin(seed);
    for (int i = 0; i < STEPS; i++) {
        pass(between(1, 400));
        if (chance(3)) {
            publish();
        }
        if (chance(8)) {
            disturb(&s.clients[kit_random(&s.k, CLIENTS)]);
        }
        if (chance(200)) {
            restart();
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        s.clients[i].wants_round = false;
    }
    s.quiet = true;
    s.longest = 1000;
    for (int i = 0; i < 1000; i++) {
        pass(200);
        publish();
    }
    check_quiet();
    for (int i = 0; i < CLIENTS; i++) {
        free(s.clients[i].members);
    }
    free(s.stored.bytes);
    free(s.pending.bytes);
    kit_release(&s.k);
}

static void
storms_end_in_one_stable_generation(void **state)
{
    const char *text = getenv("PENSTOCK_SEEDS");
    const char *alone = getenv("PENSTOCK_SEED");
    uint64_t first = kit_seed(1), rounds = 0, restarts = 0;
    uint64_t count = text != NULL ? strtoull(text, NULL, 10)
        : alone != NULL ? 1 : 200;

    for (uint64_t i = 0; i < count; i++) {
        run(first + i);
        rounds += s.rounds;
        restarts += s.restarts;
    }
    print_message("# seeds %llu to %llu: %llu assignments, %llu restarts\n",
        (unsigned long long)first, (unsigned long long)(first + count - 1),
        (unsigned long long)rounds, (unsigned long long)restarts);
    assert_true(count < 20 || (rounds > count * 100 && restarts > count));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storms_end_in_one_stable_generation),
    };

    signal(SIGABRT, on_abort);
    return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}
