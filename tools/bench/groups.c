/*
 * groups.c: how long a group of 1, 10, 100 members of the classic protocol
 * takes from nothing until it is stable, and again when one more joins. Each
 * member is a connection; one thread drives them all.
 *
 *     JOINING ──► SYNCING ──► RESTING ◄──► BEATING
 *        ▲           │                       │
 *        └───────────┴────── rebalance ──────┘
 *
 *  1. A group is stable when every member was given its part in one and the
 *     same generation, and that generation's leader saw as many members.
 *  2. A member hears of a rebalance by its heartbeat. Libraries send one
 *     every three seconds, which would be all that is measured; while the
 *     group is not stable these send one every millisecond, and 40 us more
 *     for each member, so that heartbeats are not the broker's main work.
 *  3. Connections stand and the coordinator has loaded before the clock runs;
 *     the first group of a size does not count.
 *
 * The floor is as many exchanges over loopback, one after the other as the
 * one thread has them, and one append and flush.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/endian.h"
#include "base/histogram.h"
#include "base/limits.h"
#include "bench/child.h"
#include "bench/floor.h"
#include "bench/raw.h"
#include "client/client.h"
#include "wire/msg/consumer.h"
#include "wire/msg/groups.h"

enum {
    GROUPS_MS = 1500,            /* of groups of one size, one by one */
    ROUNDS_MAX = 50,
    STABLE_MS = 60000,
    BEAT_NS = 1000000, BEAT_EACH_NS = 40000,
    SESSION_MS = 30000,
    REBALANCE_MS = 60000,
    ID_MAX = 256,
    FLOOR_MS = 300,
    THERE = 200, BACK = 200,     /* bytes of a request, of an answer */
    JOIN_VERSION = 7, SYNC_VERSION = 5, BEAT_VERSION = 4,
};

enum state { MEMBER_OUT, MEMBER_JOINING, MEMBER_SYNCING, MEMBER_RESTING,
    MEMBER_BEATING };

struct member {
    struct raw raw;
    enum state state;
    char id[ID_MAX];             /* "": not given yet */
    int32_t generation;
    int64_t beat_ns;             /* when the next heartbeat is due */
};

struct group {
    const char *name;
    struct member *members;
    struct pollfd *fds;
    int count;                   /* of those that are to be in */
    int32_t led;                 /* generation that had `led_count` members */
    int32_t led_count;
    struct buf subscription, assignment;
    struct wire_out out;
    struct err *err;
};

/* ---- requests ----------------------------------------------------------- */

static int
ask(struct group *g, struct member *m, enum api_key key, int version,
    const void *rq, enum state next)
{
    struct buf frame;
    int rc;

    wire_out_clear(&g->out);
    wire_put_request(wire_api(key), version, 1, span_str("bench"), rq,
        &g->out);
    buf_init(&frame, 4 * MIB);
    wire_out_copy(&g->out, &frame);
    rc = raw_send(&m->raw, buf_span(&frame), g->err);
    buf_release(&frame);
    m->state = next;
    return rc;
}

static int
join(struct group *g, struct member *m)
{
    struct join_group_request_protocol protocol;
    struct join_group_request rq;

    wire_init(&join_group_request_protocol_type, &protocol);
    wire_init(&join_group_request_type, &rq);
    protocol.name = span_str("range");
    protocol.metadata = buf_span(&g->subscription);
    rq.group_id = client_name_span(g->name);
    rq.session_timeout_ms = SESSION_MS;
    rq.rebalance_timeout_ms = REBALANCE_MS;
    rq.member_id = client_name_span(m->id);
    rq.protocol_type = span_str("consumer");
    rq.protocols.v = &protocol;
    rq.protocols.n = 1;
    return ask(g, m, API_JOIN_GROUP, JOIN_VERSION, &rq, MEMBER_JOINING);
}

/* The leader gives everybody the same: no broker looks into it. */
static int
synchronize(struct group *g, struct member *m,
    const struct join_group_response *joined)
{
    struct sync_group_request_assignment *to;
    struct sync_group_request rq;

    wire_init(&sync_group_request_type, &rq);
    rq.group_id = client_name_span(g->name);
    rq.generation_id = m->generation;
    rq.member_id = client_name_span(m->id);
    rq.protocol_type = span_str("consumer");
    rq.protocol_name = span_str("range");
    if (span_eq(joined->leader, joined->member_id)) {
        to = wire_new(&sync_group_request_assignment_type, &m->raw.arena,
            (size_t)joined->members.n + 1);
        if (to == NULL)
            return err_set(g->err, ERR_LIMIT, "too many members");
        for (int32_t i = 0; i < joined->members.n; i++) {
            to[i].member_id = joined->members.v[i].member_id;
            to[i].assignment = buf_span(&g->assignment);
        }
        rq.assignments.v = to;
        rq.assignments.n = joined->members.n;
        g->led = joined->generation_id;
        g->led_count = joined->members.n;
    }
    return ask(g, m, API_SYNC_GROUP, SYNC_VERSION, &rq, MEMBER_SYNCING);
}

static int
beat(struct group *g, struct member *m)
{
    struct heartbeat_request rq;

    wire_init(&heartbeat_request_type, &rq);
    rq.group_id = client_name_span(g->name);
    rq.generation_id = m->generation;
    rq.member_id = client_name_span(m->id);
    return ask(g, m, API_HEARTBEAT, BEAT_VERSION, &rq, MEMBER_BEATING);
}

/* ---- answers ------------------------------------------------------------ */

static int
decode(struct group *g, struct member *m, enum api_key key, int version,
    struct span frame, void *out)
{
    const struct wire_api *api = wire_api(key);
    int32_t correlation;
    size_t used;
    void *answer;

    arena_reset(&m->raw.arena);
    if (wire_decode_response_header(api, version, frame, &correlation, &used,
            g->err) < 0
        || wire_decode(api->response, version,
            span_of(frame.ptr + used, frame.len - used), &m->raw.arena,
            &answer, g->err) < 0)
        return -1;
    memcpy(out, &answer, sizeof answer);
    return 0;
}

static int
set_id(struct group *g, struct member *m, struct span id)
{
    if (id.len >= sizeof m->id)
        return err_set(g->err, ERR_LIMIT, "a member id of %zu bytes", id.len);
    memcpy(m->id, id.ptr, id.len);
    m->id[id.len] = '\0';
    return 0;
}

/* Once more, if that is what the code asks for: at once, or where the
 * coordinator has still to come, a little later. */
static int
again(struct group *g, struct member *m, int kerr, const char *what)
{
    if (kerr == KERR_NOT_COORDINATOR || kerr == KERR_COORDINATOR_NOT_AVAILABLE
        || kerr == KERR_COORDINATOR_LOAD_IN_PROGRESS) {
        m->state = MEMBER_OUT;
        m->beat_ns = bench_now_ns() + BEAT_NS;
        return 0;
    }
    if (kerr == KERR_UNKNOWN_MEMBER_ID)
        m->id[0] = '\0';
    else if (kerr != KERR_REBALANCE_IN_PROGRESS
        && kerr != KERR_ILLEGAL_GENERATION && kerr != KERR_MEMBER_ID_REQUIRED)
        return client_refused(g->err, kerr, "%s", what);
    return join(g, m);
}

static int
joined(struct group *g, struct member *m, struct span frame)
{
    struct join_group_response *r;

    if (decode(g, m, API_JOIN_GROUP, JOIN_VERSION, frame, &r) < 0)
        return -1;
    if ((r->error_code == 0 || r->error_code == KERR_MEMBER_ID_REQUIRED)
        && set_id(g, m, r->member_id) < 0)
        return -1;
    if (r->error_code != 0)
        return again(g, m, r->error_code, "join a group");
    m->generation = r->generation_id;
    return synchronize(g, m, r);
}

static void
rest(const struct group *g, struct member *m)
{
    m->state = MEMBER_RESTING;
    m->beat_ns = bench_now_ns() + BEAT_NS + g->count * BEAT_EACH_NS;
}

static int
synchronized(struct group *g, struct member *m, struct span frame)
{
    struct sync_group_response *r;

    if (decode(g, m, API_SYNC_GROUP, SYNC_VERSION, frame, &r) < 0)
        return -1;
    if (r->error_code != 0)
        return again(g, m, r->error_code, "synchronize a group");
    if (r->assignment.len != g->assignment.len)
        return err_set(g->err, ERR_DAMAGE, "a member's part is %zu bytes, not "
            "%zu", r->assignment.len, g->assignment.len);
    rest(g, m);
    return 0;
}

static int
beaten(struct group *g, struct member *m, struct span frame)
{
    struct heartbeat_response *r;

    if (decode(g, m, API_HEARTBEAT, BEAT_VERSION, frame, &r) < 0)
        return -1;
    if (r->error_code != 0)
        return again(g, m, r->error_code, "a heartbeat");
    rest(g, m);
    return 0;
}

/* A member has one request under way at most. */
static int
hear(struct group *g, struct member *m)
{
    struct span frame;

    if (raw_receive(&m->raw, &frame, g->err) < 0)
        return -1;
    switch (m->state) {
    case MEMBER_JOINING:
        return joined(g, m, frame);
    case MEMBER_SYNCING:
        return synchronized(g, m, frame);
    case MEMBER_BEATING:
        return beaten(g, m, frame);
    case MEMBER_OUT:
    case MEMBER_RESTING:
        break;
    }
    return err_set(g->err, ERR_FORMAT, "an answer that nobody asked for");
}

/* ---- until it is stable ------------------------------------------------- */

static bool
is_stable(const struct group *g)
{
    if (g->led_count != g->count)
        return false;
    for (int i = 0; i < g->count; i++) {
        if (g->members[i].state < MEMBER_RESTING
            || g->members[i].generation != g->led)
            return false;
    }
    return true;
}

static int
beat_those_due(struct group *g)
{
    int64_t now = bench_now_ns();

    for (int i = 0; i < g->count; i++) {
        struct member *m = &g->members[i];

        if (m->beat_ns > now)
            continue;
        if ((m->state == MEMBER_RESTING && beat(g, m) < 0)
            || (m->state == MEMBER_OUT && join(g, m) < 0))
            return -1;
    }
    return 0;
}

static int
step(struct group *g)
{
    for (int i = 0; i < g->count; i++)
        g->fds[i] = (struct pollfd){.fd = g->members[i].raw.fd,
            .events = POLLIN};
    if (beat_those_due(g) < 0)
        return -1;
    if (poll(g->fds, (nfds_t)g->count, 1) < 0 && errno != EINTR)
        return err_set(g->err, errno, "poll");
    for (int i = 0; i < g->count; i++) {
        if (g->fds[i].revents != 0 && hear(g, &g->members[i]) < 0)
            return -1;
    }
    return 0;
}

/* Those from `first` on join; *ns: until all are one group. */
static int
settle(struct group *g, int first, int count, int64_t *ns)
{
    int64_t began = bench_now_ns();
    int64_t end = began + (int64_t)STABLE_MS * 1000000;

    g->count = count;
    for (int i = first; i < count; i++) {
        if (join(g, &g->members[i]) < 0)
            return -1;
    }
    while (!is_stable(g)) {
        if (bench_stopped(g->err) < 0 || step(g) < 0)
            return -1;
        if (bench_now_ns() > end)
            return err_set(g->err, ETIMEDOUT, "%d members are no group yet",
                count);
    }
    *ns = bench_now_ns() - began;
    return 0;
}

/* ---- one group, from nothing to nothing --------------------------------- */

static void
blobs(struct group *g)
{
    struct consumer_protocol_assignment_topic t;
    struct consumer_protocol_subscription s;
    struct consumer_protocol_assignment a;
    struct span topic = span_str("bench-groups");
    int32_t partition = 0;

    wire_init(&consumer_protocol_subscription_type, &s);
    wire_init(&consumer_protocol_assignment_topic_type, &t);
    wire_init(&consumer_protocol_assignment_type, &a);
    s.topics.v = &topic;
    s.topics.n = 1;
    t.topic = topic;
    t.partitions.v = &partition;
    t.partitions.n = 1;
    a.assigned_partitions.v = &t;
    a.assigned_partitions.n = 1;
    buf_init(&g->subscription, 4 * KIB);
    buf_init(&g->assignment, 4 * KIB);
    wire_encode_blob(&consumer_protocol_subscription_msg, 0, &s,
        &g->subscription);
    wire_encode_blob(&consumer_protocol_assignment_msg, 0, &a,
        &g->assignment);
}

/* All at once, and the group with them: nothing stays in the broker. What
 * cannot be done here goes by itself, when the sessions end. */
static void
disband(struct group *g, struct client *c)
{
    struct leave_group_request_member *list =
        xcalloc((size_t)g->count + 1, sizeof *list);
    struct span name = client_name_span(g->name);
    struct leave_group_response *left;
    struct delete_groups_response *deleted;
    struct delete_groups_request gone;
    struct leave_group_request rq;
    struct arena arena;

    arena_init(&arena, 4 * MIB);
    wire_init(&leave_group_request_type, &rq);
    wire_init(&delete_groups_request_type, &gone);
    for (int i = 0; i < g->count; i++) {
        wire_init(&leave_group_request_member_type, &list[i]);
        list[i].member_id = client_name_span(g->members[i].id);
    }
    rq.group_id = name;
    rq.members.v = list;
    rq.members.n = g->count;
    gone.groups_names.v = &name;
    gone.groups_names.n = 1;
    if (client_call(c, API_LEAVE_GROUP, &rq, &arena, &left, NULL) == 0)
        client_call(c, API_DELETE_GROUPS, &gone, &arena, &deleted, NULL);
    arena_release(&arena);
    free(list);
}

struct times {
    int64_t form_ns, join_ns, cpu_ns;    /* cpu: the server's, of forming */
};

/* n members, then one more. */
static int
round_of(const struct child *child, struct client *c, int n, struct times *t,
    struct err *err)
{
    struct group g = {.err = err};
    char name[BENCH_NAME_MAX];
    int rc;

    snprintf(name, sizeof name, "bench-%d-%llx", (int)getpid(),
        (unsigned long long)bench_now_ns());
    g.name = name;
    g.members = xcalloc((size_t)n + 1, sizeof *g.members);
    g.fds = xcalloc((size_t)n + 1, sizeof *g.fds);
    wire_out_init(&g.out, 4 * MIB, SIZE_MAX);
    blobs(&g);
    rc = client_coordinator(c, name, err);
    for (int i = 0; i <= n && rc == 0; i++)
        rc = raw_open(&g.members[i].raw, child->address, err);
    t->cpu_ns = child_cpu_ns(child);
    if (rc == 0)
        rc = settle(&g, 0, n, &t->form_ns);
    t->cpu_ns = child_cpu_ns(child) - t->cpu_ns;
    if (rc == 0)
        rc = settle(&g, n, n + 1, &t->join_ns);
    if (rc == 0)
        disband(&g, c);
    for (int i = 0; i <= n; i++)
        raw_close(&g.members[i].raw);
    wire_out_release(&g.out);
    buf_release(&g.subscription);
    buf_release(&g.assignment);
    free(g.members);
    free(g.fds);
    return rc;
}

/* ---- figures ------------------------------------------------------------ */

/* What one group takes at the least: for forming and for one who joins. */
static int
floors(struct bench *b, int n, double *form_ms, double *join_ms,
    struct err *err)
{
    struct histogram append, exchange;
    double flush, trip;

    *form_ms = *join_ms = 0;
    if (b->on_peer)
        return 0;
    if (floor_append(b, 512 + n * THERE, FLOOR_MS, &append, err) < 0
        || floor_exchange(THERE, BACK, FLOOR_MS, &exchange, err) < 0)
        return -1;
    flush = (double)histogram_at(&append, 50);
    trip = (double)histogram_at(&exchange, 50);
    *form_ms = (2 * n * trip + flush) / 1e6;
    *join_ms = (2 * (n + 1) * trip + flush) / 1e6;
    return 0;
}

struct sums {
    struct histogram form, join;
    int64_t cpu_ns, rounds;
};

static void
tell(struct bench *b, const struct child *c, int n, const struct sums *s,
    double form_floor, double join_floor)
{
    static const char is[] =
        "two loopback exchanges a member, one append+flush";
    char key[48], name[64];

#define ADD(suffix, says, ...)                                                 \
    snprintf(key, sizeof key, "groups_%d_" suffix, n);                         \
    snprintf(name, sizeof name, "group of %d: " says, n);                      \
    report_add(&b->report, &(struct figure){.key = key, .name = name,          \
        __VA_ARGS__})
    ADD("stable_ms", "from nothing", .unit = "ms",
        .value = (double)histogram_at(&s->form, 50) / 1e6,
        .floor = form_floor, .floor_is = is);
    ADD("rebalance_ms", "one more joins", .unit = "ms",
        .value = (double)histogram_at(&s->join, 50) / 1e6,
        .floor = join_floor, .floor_is = is);
    if (c->pid > 0) {
        ADD("server_us_per_member", "CPU/member", .unit = "us",
            .value = (double)s->cpu_ns / 1e3 / (double)s->rounds / n);
    }
#undef ADD
}

static int
one_size(struct bench *b, const struct child *child, struct client *c, int n,
    struct err *err)
{
    int64_t end;
    struct sums *s = xcalloc(1, sizeof *s);
    double form, joining;
    struct times t = {0};
    int rc;

    histogram_init(&s->form);
    histogram_init(&s->join);
    rc = round_of(child, c, n, &t, err);
    end = bench_now_ns() + bench_ms(b, GROUPS_MS) * 1000000;
    while (rc == 0 && (s->rounds == 0
            || (bench_now_ns() < end && s->rounds < ROUNDS_MAX))) {
        rc = round_of(child, c, n, &t, err);
        if (rc == 0) {
            histogram_add(&s->form, (uint64_t)t.form_ns);
            histogram_add(&s->join, (uint64_t)t.join_ns);
            s->cpu_ns += t.cpu_ns;
            s->rounds++;
        }
    }
    if (rc == 0)
        rc = floors(b, n, &form, &joining, err);
    if (rc == 0)
        tell(b, child, n, s, form, joining);
    free(s);
    return rc;
}

int
bench_groups(struct bench *b, struct err *err)
{
    static const int sizes[] = {1, 10, 100};
    struct client *c = NULL;
    struct child child;
    int rc = child_start_or_use(&child, b, "groups", err);

    if (rc == 0) {
        c = topic_client(child.address, err);
        rc = c == NULL ? -1 : 0;
    }
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = one_size(b, &child, c, sizes[i], err);
    client_close(c);
    child_stop(&child, SIGTERM);
    folder_remove(child.data);
    return rc;
}
