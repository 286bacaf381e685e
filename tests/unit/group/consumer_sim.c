/*
 * A consumer group (KIP-848) under a storm, in virtual time, from one seed:
 * members that join, leave, crash, sleep, are slow to give up, read something
 * else; topics that come, go and grow; a broker that restarts from what it
 * persisted. Between a change and its answer lies the epoch, as in sim.c: an
 * answer leaves when what it saw is published, and a restart takes back the
 * rest.
 *
 * Members behave as KIP-848 asks: they use a new partition only when told,
 * give up at once what they are told to (or a while later), drop everything
 * when fenced, and when they have heard nothing for their session.
 *
 * Checked: the room's own invariants after each step (no partition is claimed
 * by two); at no time do two members that keep to the rules own the same
 * partition; no epoch that a member sees is lower than one before, and the
 * group's is never below what anybody has seen, over restarts, too; when it
 * has been quiet for a while all members that live are in one epoch and own
 * every partition of every topic that they read.
 *
 * PENSTOCK_SEEDS: how many (100). PENSTOCK_SEED: the first, alone if set.
 */
#include "config.h"

#include <signal.h>
#include <unistd.h>

#include "kit.h"
#include "topics.h"

#include "base/alloc.h"
#include "base/check.h"

enum {
    CLIENTS = 12,
    STEPS = 1200,
    SESSION_MS = 12000,
    REBALANCE_MS = 20000,            /* longer than a session, as by default */
    MEMBERS_MAX = 4 * CLIENTS,
};

struct client {
    char id[40], instance[16];
    bool alive, joined, asked, full, is_static;
    bool stuck;                      /* gives up too late: keeps no rule */
    int32_t epoch;
    unsigned subscription, heard_of; /* now, and as the group knows it */
    struct parts owned, assignment;
    bool told;                       /* owned as it is has been sent */
    int64_t next, revoke_at;
    int64_t heard_ms;                /* when its last heard beat was sent */
    int64_t sent_ms;
    unsigned beats;                  /* the answer of the last one counts */
};

/* A reply on its way. */
struct letter {
    struct letter *next;
    uint64_t gate;
    int client;
    unsigned beat;
    enum kerr error;
    int32_t epoch;
    bool has_assignment;
    struct parts assignment;
};

/* What was persisted: the group, and its members with copies of all. */
struct row {
    char *block;                     /* texts, one after the other */
    struct span *topics;
    struct consumer_member_image im;
};

struct disk {
    bool is;
    struct consumer_image group;
    struct row rows[MEMBERS_MAX];
    size_t count;
};

static struct sim {
    struct kit k;
    struct topics topics;
    struct group_topics view;
    uint64_t seed, open, published, ids;
    struct client clients[CLIENTS];
    struct letter *letters, **last;
    struct disk open_disk, hard_disk;
    int32_t seen;                    /* the highest epoch told */
    bool quiet;
    unsigned restarts, assignments, fences;
} s;

#define expect(cond)                                                           \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("seed %llu: %s", (unsigned long long)s.seed, #cond);      \
        }                                                                      \
    } while (0)

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

/* ---- the disk ---- */

static struct span
copy_text(char **at, struct span v)
{
    struct span out = {(uint8_t *)*at, v.len};

    if (v.ptr == NULL) {
        return SPAN_NULL;
    }
    memcpy(*at, v.ptr, v.len);
    *at += v.len;
    return out;
}

static void
row_copy(struct row *to, const struct consumer_member_image *im)
{
    size_t size = 1 + im->member_id.len + im->instance_id.len +
        im->rack_id.len + im->client_id.len + im->client_host.len +
        im->regex.len + im->assignor.len;
    char *at;

    for (size_t i = 0; i < im->topic_count; i++) {
        size += im->topics[i].len;
    }
    *to = (struct row){.im = *im};
    at = to->block = xmalloc(size);
    to->topics = xcalloc(im->topic_count + 1, sizeof *to->topics);
    to->im.member_id = copy_text(&at, im->member_id);
    to->im.instance_id = copy_text(&at, im->instance_id);
    to->im.rack_id = copy_text(&at, im->rack_id);
    to->im.client_id = copy_text(&at, im->client_id);
    to->im.client_host = copy_text(&at, im->client_host);
    to->im.regex = copy_text(&at, im->regex);
    to->im.assignor = copy_text(&at, im->assignor);
    for (size_t i = 0; i < im->topic_count; i++) {
        to->topics[i] = copy_text(&at, im->topics[i]);
    }
    to->im.topics = to->topics;
    to->im.assigned = to->im.revoking = to->im.target = (struct parts){0};
    parts_copy(&to->im.assigned, &im->assigned);
    parts_copy(&to->im.revoking, &im->revoking);
    parts_copy(&to->im.target, &im->target);
}

static void
row_free(struct row *r)
{
    free(r->block);
    free(r->topics);
    parts_release(&r->im.assigned);
    parts_release(&r->im.revoking);
    parts_release(&r->im.target);
}

static void
disk_del(struct disk *d, struct span id)
{
    for (size_t i = 0; i < d->count; i++) {
        if (span_eq(d->rows[i].im.member_id, id)) {
            row_free(&d->rows[i]);
            d->rows[i] = d->rows[--d->count];
            return;
        }
    }
}

static void
disk_put(struct disk *d, const struct consumer_member_image *im)
{
    disk_del(d, im->member_id);
    expect(d->count < MEMBERS_MAX);
    row_copy(&d->rows[d->count++], im);
}

static void
disk_clear(struct disk *d)
{
    while (d->count > 0) {
        row_free(&d->rows[--d->count]);
    }
    d->is = false;
}

static void
disk_copy(struct disk *to, const struct disk *from)
{
    disk_clear(to);
    to->is = from->is;
    to->group = from->group;
    for (size_t i = 0; i < from->count; i++) {
        row_copy(&to->rows[to->count++], &from->rows[i].im);
    }
}

static void
disk_load(const struct disk *d)
{
    struct err err;

    if (d->is) {
        expect(groups_restore_consumer(&s.k.groups, &d->group, s.k.now,
            &err) == 0);
    }
    for (size_t i = 0; i < d->count; i++) {
        expect(groups_restore_consumer_member(&s.k.groups, S("g"),
            &d->rows[i].im, s.k.now, &err) == 0);
    }
    groups_check(&s.k.groups);
}

/* ---- effects and the post ---- */

static void
write_letter(const struct group_fx *e, int client)
{
    struct letter *l = xcalloc(1, sizeof *l);

    expect(e->kind == GROUP_FX_BEATEN);
    l->client = client;
    l->beat = s.clients[client].beats;
    l->error = e->error;
    l->epoch = e->beaten.epoch;
    l->gate = groups_gate(&s.k.groups, s.k.fx.group);
    l->has_assignment = e->beaten.assignment != NULL;
    if (l->has_assignment) {
        parts_copy(&l->assignment, e->beaten.assignment);
    }
    *s.last = l;
    s.last = &l->next;
}

static void
apply_effects(int client)
{
    const struct group_effects *fx = &s.k.fx;
    bool changed = false;

    for (size_t i = 0; i < fx->count; i++) {
        const struct group_fx *e = &fx->list[i];
        struct consumer_member_image im;

        changed |= e->token == NULL;
        if (e->kind == GROUP_FX_PERSIST) {
            consumer_image(fx->group, &s.open_disk.group);
            s.open_disk.group.group_id = S("g");
            s.open_disk.is = true;
        } else if (e->kind == GROUP_FX_PERSIST_MEMBER) {
            consumer_member_image(e->member, &im);
            disk_put(&s.open_disk, &im);
        } else if (e->kind == GROUP_FX_DELETE_MEMBER) {
            disk_del(&s.open_disk, e->member_id);
        } else {
            expect(e->kind == GROUP_FX_BEATEN);
        }
    }
    if (changed) {
        groups_mark(&s.k.groups, fx->group, s.open);
    }
    for (size_t i = 0; i < fx->count; i++) {
        if (fx->list[i].token != NULL) {
            write_letter(&fx->list[i], client);
        }
    }
}

/* ---- members ---- */

static const char *const subscriptions[][3] = {
    {"a", "b", NULL}, {"a", NULL}, {"b", "c", NULL}, {NULL}, {"a", "none"},
};
static const char *const regexes[] = {"", "", "", "a|d.*", ""};

static void
client_new(struct client *c)
{
    snprintf(c->id, sizeof c->id, "m%d-%llu", (int)(c - s.clients),
        (unsigned long long)++s.ids);
    c->alive = true;
    c->joined = c->asked = c->stuck = false;
    c->epoch = 0;
    c->full = true;
    parts_clear(&c->owned);
    parts_clear(&c->assignment);
    c->next = s.k.now + between(0, 3000);
}

static void
client_drop(struct client *c)
{
    parts_clear(&c->owned);
    parts_clear(&c->assignment);
    c->joined = c->stuck = false;
    c->epoch = 0;
    c->full = true;
}

static void
client_beat(struct client *c, int32_t epoch)
{
    struct group_event ev = {.kind = GROUP_EV_BEAT, .group_id = S("g"),
        .token = TOKEN(c - s.clients + 1)};
    struct group_beat *b = &ev.beat;
    struct span topics[3];
    bool full = c->full || epoch == 0;

    *b = (struct group_beat){.member_id = S(c->id),
        .epoch = epoch,
        .instance_id = c->is_static ? S(c->instance) : SPAN_NULL,
        .rebalance_timeout_ms = full ? REBALANCE_MS : -1,
        .topics = topics,
        .client_id = S("c"),
        .client_host = S("/h"),
        .own_id = true};
    if (full || c->heard_of != c->subscription) {
        const char *const *names = subscriptions[c->subscription];

        for (; b->topic_count < 3 && names[b->topic_count] != NULL;
             b->topic_count++) {
            topics[b->topic_count] = S(names[b->topic_count]);
        }
        b->has_topics = true;
        b->regex = S(regexes[c->subscription]);
    }
    if (full || !c->told) {
        b->has_owned = true;
        b->owned = c->owned.v;
        b->owned_count = c->owned.count;
    }
    c->sent_ms = s.k.now;
    c->beats++;
    c->heard_of = c->subscription;
    c->told = true;
    c->asked = epoch >= 0;
    kit_step(&s.k, &ev);
    apply_effects((int)(c - s.clients));
}

/* It gives up, which may take a while, and takes; only when both are done it
 * says so. (Were it to say what it has in between, the group would take the
 * rest for given up.) */
static void
client_move(struct client *c)
{
    struct parts keep = {0};

    parts_both(&keep, &c->owned, &c->assignment);
    if (keep.count == c->owned.count || s.k.now >= c->revoke_at) {
        c->told = c->told && parts_eq(&c->owned, &c->assignment);
        parts_copy(&c->owned, &c->assignment);
    }
    parts_release(&keep);
}

static void
client_failed(struct client *c, enum kerr error)
{
    expect(error == KERR_UNKNOWN_MEMBER_ID ||
        error == KERR_FENCED_MEMBER_EPOCH || error == KERR_GROUP_ID_NOT_FOUND
        || (c->is_static && (error == KERR_UNRELEASED_INSTANCE_ID ||
            error == KERR_FENCED_INSTANCE_ID)));
    s.fences++;
    client_drop(c);
    c->next = s.k.now + between(100, 2000);
}

static void
client_heard(struct client *c, struct letter *l)
{
    if (!c->alive || !c->asked || c->beats != l->beat) {
        return;                  /* it has hung up */
    }
    c->asked = false;
    if (l->error != KERR_NONE) {
        client_failed(c, l->error);
        return;
    }
    expect(!c->joined || l->epoch >= c->epoch);
    c->joined = true;
    c->epoch = l->epoch;
    c->heard_ms = c->sent_ms;
    c->full = false;
    if (l->epoch > s.seen) {
        s.seen = l->epoch;
    }
    if (l->has_assignment) {
        s.assignments++;
        parts_copy(&c->assignment, &l->assignment);
        c->stuck |= !s.quiet && chance(40);
        c->revoke_at = s.k.now + (c->stuck ? 2 * REBALANCE_MS
            : s.quiet || chance(2)         ? 0
                                   : between(0, REBALANCE_MS / 3));
    }
    client_move(c);
}

/* Nothing heard for as long as the group waits, or as long as it may take to
 * give up: what it had may be another's. */
static void
client_expire(struct client *c)
{
    if (c->joined && s.k.now - c->heard_ms >= SESSION_MS - 1000) {
        client_drop(c);
        c->asked = false;
    }
}

static void
client_act(struct client *c)
{
    client_expire(c);
    if (c->joined) {
        client_move(c);
    }
    if (c->next > s.k.now || !c->alive) {
        return;
    }
    if (c->asked) {
        c->asked = false;        /* no answer: it says all anew */
        c->full = true;
    }
    c->next = s.k.now + between(500, 2500);
    client_beat(c, c->epoch);
}

/* ---- what is checked all the time ---- */

static void
check_owners(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        for (int k = i + 1; k < CLIENTS; k++) {
            if (!s.clients[i].stuck && !s.clients[k].stuck) {
                expect(!parts_meet(&s.clients[i].owned,
                    &s.clients[k].owned));
            }
        }
    }
}

/* ---- the storm ---- */

static void
publish(void)
{
    s.published = s.open++;
    disk_copy(&s.hard_disk, &s.open_disk);
    while (s.letters != NULL) {
        struct letter *l = s.letters;

        expect(l->gate <= s.published);
        s.letters = l->next;
        if (s.letters == NULL) {
            s.last = &s.letters;
        }
        client_heard(&s.clients[l->client], l);
        parts_release(&l->assignment);
        free(l);
        check_owners();
    }
}

static void
letters_lose(void)
{
    while (s.letters != NULL) {
        struct letter *l = s.letters;

        s.letters = l->next;
        parts_release(&l->assignment);
        free(l);
    }
    s.last = &s.letters;
}

static void
restart(void)
{
    const struct group *g;

    s.restarts++;
    letters_lose();
    kit_restart(&s.k);
    groups_set_topics(&s.k.groups, &s.view);
    disk_load(&s.hard_disk);
    disk_copy(&s.open_disk, &s.hard_disk);
    g = kit_group(&s.k);
    expect(g == NULL ? s.seen == 0 : group_generation(g) >= s.seen);
    for (int i = 0; i < CLIENTS; i++) {
        if (s.clients[i].asked) {
            s.clients[i].asked = false;
            s.clients[i].full = true;
        }
    }
}

static void
disturb_topics(void)
{
    static const char *const names[] = {"a", "b", "c", "d1", "d2"};
    const char *name = names[kit_random(&s.k, 5)];
    const struct uuid *id = topics_id(&s.topics, name);
    struct group_topic t;

    if (id == NULL) {
        topics_make(&s.topics, name, (int32_t)between(1, 9));
    } else if (chance(3)) {
        topics_drop(&s.topics, name);
    } else if (s.view.by_id(s.view.arg, id, &t) && t.partitions < 40) {
        topics_grow(&s.topics, name,
            t.partitions + (int32_t)between(1, 5));
    }
}

static void
disturb(struct client *c)
{
    switch (kit_random(&s.k, 7)) {
    case 0:                      /* crashes; somebody else comes later */
        client_new(c);
        c->next = s.k.now + between(100, 2 * SESSION_MS);
        break;
    case 1:                      /* leaves */
        if (c->joined) {
            client_beat(c, c->is_static && chance(2)
                    ? CONSUMER_EPOCH_LEAVE_STATIC : CONSUMER_EPOCH_LEAVE);
        }
        client_new(c);
        c->next = s.k.now + between(100, SESSION_MS);
        break;
    case 2:                      /* sleeps, longer than its session or not */
        c->next = s.k.now + between(1000, 2 * SESSION_MS);
        break;
    case 3:
        c->subscription = (unsigned)kit_random(&s.k, 5);
        break;
    case 4:
        c->full = true;
        break;
    case 5:                      /* an answer is lost */
        c->asked = false;
        c->full = true;
        break;
    case 6:
        disturb_topics();
        break;
    }
}

static void
pass(int64_t ms)
{
    s.k.now += ms;
    for (int i = 0; i < CLIENTS; i++) {
        client_expire(&s.clients[i]);
    }
    while (kit_tick(&s.k)) {
        apply_effects(-1);
    }
    for (int i = 0; i < CLIENTS; i++) {
        client_act(&s.clients[i]);
    }
    check_owners();
}

static void
begin(uint64_t seed)
{
    memset(&s, 0, sizeof s);
    s.seed = seed;
    s.last = &s.letters;
    s.open = 1;
    kit_init(&s.k, seed);
    s.k.config.consumer_session_ms = SESSION_MS;
    kit_restart(&s.k);
    s.view = topics_view(&s.topics);
    groups_set_topics(&s.k.groups, &s.view);
    topics_make(&s.topics, "a", 7);
    topics_make(&s.topics, "b", 3);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &s.clients[i];

        c->is_static = chance(3);
        snprintf(c->instance, sizeof c->instance, "i%d", i);
        c->subscription = chance(2) ? 0 : (unsigned)kit_random(&s.k, 5);
        client_new(c);
        c->next = s.k.now + between(0, 20000);
    }
}

/* ---- the calm ---- */

static bool
reads(const struct client *c, const char *topic)
{
    const char *const *names = subscriptions[c->subscription];
    bool named = false;

    for (int i = 0; i < 3 && names[i] != NULL; i++) {
        named |= strcmp(names[i], topic) == 0;
    }
    return named || (regexes[c->subscription][0] != '\0' &&
        (topic[0] == 'd' || strcmp(topic, "a") == 0));
}

static void
check_quiet(void)
{
    const struct group *g = kit_group(&s.k);

    expect(g != NULL && group_state(g) == GROUP_STABLE);
    expect(group_member_count(g) == CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        expect(s.clients[i].joined);
        expect(s.clients[i].epoch == group_generation(g));
        expect(parts_eq(&s.clients[i].owned, &s.clients[i].assignment));
    }
    for (size_t t = 0; t < TOPICS; t++) {
        for (int32_t p = 0; p < s.topics.list[t].partitions; p++) {
            struct part part = {s.topics.list[t].id, p};
            unsigned owners = 0, readers = 0;

            for (int i = 0; i < CLIENTS; i++) {
                bool reader = reads(&s.clients[i], s.topics.list[t].name);

                readers += reader;
                if (parts_has(&s.clients[i].owned, &part)) {
                    expect(reader);
                    owners++;
                }
            }
            expect(s.topics.list[t].name[0] == '\0' ? owners == 0
                    : owners == (readers > 0));
        }
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
    s.quiet = true;
    for (int i = 0; i < 800; i++) {
        pass(200);
        publish();
    }
    check_quiet();
    for (int i = 0; i < CLIENTS; i++) {
        parts_release(&s.clients[i].owned);
        parts_release(&s.clients[i].assignment);
    }
    letters_lose();
    disk_clear(&s.open_disk);
    disk_clear(&s.hard_disk);
    kit_release(&s.k);
}

static void
storms_end_with_every_partition_owned_once(void **state)
{
    const char *text = getenv("PENSTOCK_SEEDS");
    const char *alone = getenv("PENSTOCK_SEED");
    uint64_t first = kit_seed(1), told = 0, restarts = 0, fences = 0;
    uint64_t count = text != NULL ? strtoull(text, NULL, 10)
        : alone != NULL ? 1 : 100;

    (void)state;
    for (uint64_t i = 0; i < count; i++) {
        run(first + i);
        told += s.assignments;
        restarts += s.restarts;
        fences += s.fences;
    }
    print_message("# seeds %llu to %llu: %llu assignments, %llu restarts, "
        "%llu fences\n", (unsigned long long)first,
        (unsigned long long)(first + count - 1), (unsigned long long)told,
        (unsigned long long)restarts, (unsigned long long)fences);
    assert_true(count < 20 || (told > count * 100 && restarts > count));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storms_end_with_every_partition_owned_once),
    };

    signal(SIGABRT, on_abort);
    return cmocka_run_group_tests_name("consumer_sim", tests, NULL, NULL);
}
