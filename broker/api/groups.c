/*
 * groups.c: the group protocol at the door: requests become events of
 * broker/group, effects become one effect of the sequencer and answers.
 *
 *     request ─► room_take() ─► groups_step() ─► changes ─► api_put_records()
 *                                    │              └─► groups_mark(open epoch)
 *                                    └─► replies ─► request_reply(gate)
 *
 * Invariants
 *  1. The changes of one step are one effect: a restart sees all or none.
 *  2. Room for what a step may link is reserved before the step, since a
 *     group that has moved can not move back. Without room the request is
 *     starved: its frame comes again. Timers that may link more than a little
 *     reserve the most that any group's record may take.
 *  3. A token is a request. Those of JoinGroup and SyncGroup may wait; if
 *     their session ends, TOKEN_GONE takes the token back.
 *  4. While the disk is full (seq_readonly) nothing that must be persisted is
 *     begun: joins, leaves, commits and deletions answer
 *     COORDINATOR_NOT_AVAILABLE, as Kafka does when its offsets topic takes
 *     no writes, and timers stand still. Heartbeats, and syncs of a stable
 *     group, go on: members keep what they have.
 */
#include "config.h"

#include "api/group_records.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/endian.h"
#include "base/limits.h"
#include "proto/store.pb-c.h"
#include "wire/msg/groups.h"

enum {
    RECORD_ARENA = 64 * 1024 * 1024,
    TICK_SYSTEM_MAX = 16 * 1024,
    TICK_RETRY_MS = 10,
    SWEEP_GROUPS = 16,           /* a second */
    /* Read, delete, describe: all that there is without access control. */
    ALL_OPERATIONS = 1 << 3 | 1 << 6 | 1 << 8,
};

/* ---- what a step gave ---- */

static size_t
group_offset_count(const struct group *g)
{
    struct group_offsets_iter it = {0};
    size_t n = 0;

    while (group_offsets_next(g, &it) != NULL)
        n++;
    return n;
}

static size_t
change_count(const struct group_effects *fx)
{
    size_t n = 0;

    for (size_t i = 0; i < fx->count; i++)
        n += fx->list[i].kind == GROUP_FX_DELETE
            ? 1 + group_offset_count(fx->group)
            : fx->list[i].kind < GROUP_FX_JOINED;
    return n;
}

/* The group and all its offsets. */
static size_t
delete_puts(struct arena *a, const struct group *g, struct record_put *out)
{
    struct group_offsets_iter it = {0};
    const struct group_offset *o;
    size_t n = 0;

    out[n++].key = group_key(a, group_id(g));
    while ((o = group_offsets_next(g, &it)) != NULL)
        out[n++].key = group_offset_key(a, group_id(g), it.topic_name,
            o->partition);
    return n;
}

/* The records of one change; a null value deletes. */
static size_t
change_puts(struct arena *a, const struct group *g, const struct group_fx *e,
    struct record_put *out)
{
    switch (e->kind) {
    case GROUP_FX_PERSIST:
        out->key = group_key(a, group_id(g));
        out->value = group_type(g) == GROUP_CLASSIC
            ? group_record(a, g) : consumer_record(a, g);
        return 1;
    case GROUP_FX_PERSIST_MEMBER:
        consumer_member_put(a, g, e->member, out);
        return 1;
    case GROUP_FX_DELETE_MEMBER:
        out->key = consumer_member_key(a, group_id(g), e->member_id);
        return 1;
    case GROUP_FX_DELETE:
        return delete_puts(a, g, out);
    case GROUP_FX_PUT_OFFSET:
        out->key = group_offset_key(a, group_id(g), e->change.topic,
            e->change.offset.partition);
        out->value = group_offset_record(a, e);
        return 1;
    case GROUP_FX_DELETE_OFFSET:
        out->key = group_offset_key(a, group_id(g), e->change.topic,
            e->change.offset.partition);
        return 1;
    case GROUP_FX_JOINED:
    case GROUP_FX_SYNCED:
    case GROUP_FX_HEARTBEAT:
    case GROUP_FX_LEFT:
    case GROUP_FX_COMMITTED:
    case GROUP_FX_OFFSETS_DELETED:
    case GROUP_FX_DELETED:
    case GROUP_FX_BEATEN:
        break;
    }
    return 0;
}

static void
link_changes(struct api *a)
{
    const struct group_effects *fx = &a->group_fx;
    size_t n = change_count(fx), at = 0;
    struct record_put *puts;
    struct arena arena;

    if (n == 0)
        return;
    arena_init(&arena, RECORD_ARENA);
    puts = group_list(&arena, n, sizeof *puts);
    for (size_t i = 0; i < fx->count; i++)
        at += change_puts(&arena, fx->group, &fx->list[i], &puts[at]);
    assert(at == n);
    api_put_records(a, puts, n);
    arena_release(&arena);
    groups_mark(&a->groups, fx->group, seq_open_epoch(a->seq));
}

/* ---- answers ---- */

static bool
joined_members(struct request *r, const struct group_joined *in,
    struct join_group_response *out)
{
    out->members.v = wire_new(&join_group_response_member_type, &r->arena,
        in->member_count);
    if (out->members.v == NULL)
        return false;
    out->members.n = (int32_t)in->member_count;
    for (size_t i = 0; i < in->member_count; i++) {
        out->members.v[i].member_id = in->members[i].member_id;
        out->members.v[i].group_instance_id = in->members[i].instance_id;
        out->members.v[i].metadata = in->members[i].metadata;
    }
    return true;
}

static void
reply_joined(struct request *r, const struct group_fx *e, uint64_t gate)
{
    struct join_group_response *out = request_response(r);

    out->error_code = (int16_t)e->error;
    out->generation_id = e->joined.generation;
    out->protocol_type = e->joined.protocol_type;
    out->protocol_name = e->joined.protocol_name;
    out->leader = e->joined.leader;
    out->member_id = e->joined.member_id;
    out->skip_assignment = e->joined.skip_assignment;
    if (joined_members(r, &e->joined, out))
        request_reply(r, gate, out);
    else
        request_close(r, "the group has too many members to list");
}

static void
reply_synced(struct request *r, const struct group_fx *e, uint64_t gate)
{
    struct sync_group_response *out = request_response(r);

    out->error_code = (int16_t)e->error;
    out->protocol_type = e->synced.protocol_type;
    out->protocol_name = e->synced.protocol_name;
    out->assignment = e->synced.assignment;
    request_reply(r, gate, out);
}

static void
reply_heartbeat(struct request *r, const struct group_fx *e, uint64_t gate)
{
    struct heartbeat_response *out = request_response(r);

    out->error_code = (int16_t)e->error;
    request_reply(r, gate, out);
}

static void
reply_left(struct request *r, const struct group_fx *e, uint64_t gate)
{
    const struct leave_group_request *body = r->body;
    struct leave_group_response *out = request_response(r);
    size_t n = e->each.errors == NULL ? 0 : wire_count(body->members.n);

    out->error_code = (int16_t)e->error;
    out->members.v = wire_new(&leave_group_response_member_type, &r->arena,
        n);
    if (out->members.v == NULL) {
        request_close(r, "the request names too many members");
        return;
    }
    assert(n == 0 || n == e->each.count);
    out->members.n = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        out->members.v[i].member_id = body->members.v[i].member_id;
        out->members.v[i].group_instance_id
            = body->members.v[i].group_instance_id;
        out->members.v[i].error_code = (int16_t)e->each.errors[i];
    }
    request_reply(r, gate, out);
}

static void
group_answer(const struct group_fx *e, uint64_t gate)
{
    struct request *r = e->token;

    switch (e->kind) {
    case GROUP_FX_JOINED:
        reply_joined(r, e, gate);
        break;
    case GROUP_FX_SYNCED:
        reply_synced(r, e, gate);
        break;
    case GROUP_FX_HEARTBEAT:
        reply_heartbeat(r, e, gate);
        break;
    case GROUP_FX_LEFT:
        reply_left(r, e, gate);
        break;
    case GROUP_FX_COMMITTED:
        offsets_committed(r, e);
        break;
    case GROUP_FX_DELETED:
        /* One of many: the request goes on, see handle_delete_groups(). */
        ((struct delete_groups_response_group *)r->priv)->error_code
            = (int16_t)e->error;
        break;
    case GROUP_FX_PERSIST:
    case GROUP_FX_PERSIST_MEMBER:
    case GROUP_FX_DELETE_MEMBER:
    case GROUP_FX_DELETE:
    case GROUP_FX_PUT_OFFSET:
    case GROUP_FX_DELETE_OFFSET:
        break;
    case GROUP_FX_OFFSETS_DELETED:
        offsets_deleted(r, e, gate);
        break;
    case GROUP_FX_BEATEN:
        (e->beaten.streams ? streams_group_beaten : consumer_group_beaten)(r,
            e, gate);
        break;
    }
}

/* The changes, then the answers; perhaps of others who waited. */
static void
group_apply(struct api *a)
{
    const struct group_effects *fx = &a->group_fx;
    uint64_t gate;

    link_changes(a);
    gate = groups_gate(&a->groups, fx->group);
    for (size_t i = 0; i < fx->count; i++) {
        struct request *r = fx->list[i].token;

        if (r == NULL)
            continue;
        check_obj(r, REQUEST_MAGIC);
        r->cancel = NULL;
        group_answer(&fx->list[i], gate);
    }
}

static void
group_step(struct api *a, const struct group_event *ev)
{
    group_effects_clear(&a->group_fx);
    groups_step(&a->groups, ev, api_clock(a), &a->group_fx);
    group_apply(a);
}

void
groups_judge_pending(struct api *a, const struct group_event *ev)
{
    assert(ev->commit.transactional);
    group_effects_clear(&a->group_fx);
    groups_step(&a->groups, ev, api_clock(a), &a->group_fx);
    assert(change_count(&a->group_fx) == 0);
}

void
groups_commit_pending(struct api *a, struct span group,
    const struct group_commit_item *items, size_t n)
{
    for (size_t at = 0; at < n; at += GROUP_COMMIT_MAX) {
        struct group_event ev = {.kind = GROUP_EV_COMMIT,
            .token = a,          /* nobody's: its reply is dropped */
            .group_id = group,
            .commit = {.generation = -1,
                .retention_ms = -1,
                .applied = true,
                .items = items + at,
                .count = n - at < GROUP_COMMIT_MAX ? n - at
                                                   : GROUP_COMMIT_MAX}};

        group_effects_clear(&a->group_fx);
        groups_step(&a->groups, &ev, api_clock(a), &a->group_fx);
        link_changes(a);
    }
}

void
group_refuse(struct request *r, enum group_fx_kind kind, enum kerr error)
{
    struct group_fx e = {.kind = kind, .token = r, .error = error};

    if (kind == GROUP_FX_JOINED) {
        e.joined.generation = -1;
        e.joined.leader = span_str("");
        e.joined.member_id
            = ((const struct join_group_request *)r->body)->member_id;
    } else if (kind == GROUP_FX_SYNCED) {
        e.synced.assignment = span_str("");
    }
    group_answer(&e, 0);
}

void
group_request(struct request *r, const struct group_event *ev, size_t bytes)
{
    struct api *a = r->api;
    struct room room = {0};

    if (bytes > 0 && !room_take(a, bytes, false, &room)) {
        r->cancel = NULL;
        request_starve(r);
        return;
    }
    group_step(a, ev);
    room_give(a, &room);
}

/* ---- the room that a step may need ---- */

/* No record of the group takes more after this request, whose own bytes may
 * all come in. */
size_t
group_cost(struct request *r, struct span id)
{
    struct api *a = r->api;
    const struct group *g = groups_get(&a->groups, id);
    struct arena_mark mark = arena_mark(&r->arena);
    size_t most = 2 * (size_t)a->opts.groups.group_bytes_max + 64 * KIB;
    size_t cost = GROUP_RECORD_COST + 4 * GROUP_NAME_MAX + 2 * r->frame_len;
    struct group_image im;

    if (g != NULL && group_type(g) != GROUP_CLASSIC)
        cost += consumer_cost(r->api, g);
    else if (g != NULL && group_image(g, &r->arena, &im) < 0)
        cost = most;
    else if (g != NULL)
        cost += group_image_cost(&im);
    arena_rewind(&r->arena, mark);
    if (cost > most)
        cost = most;
    if (cost > a->group_care.record_most)
        a->group_care.record_most = cost;
    return cost;
}

/* ---- JoinGroup, SyncGroup, Heartbeat, LeaveGroup ---- */

/* The session of a request that waits has ended. */
static void
waiter_gone(struct request *r)
{
    struct group_event ev = {.kind = GROUP_EV_TOKEN_GONE, .token = r,
        .group_id = *(const struct span *)r->priv};

    group_step(r->api, &ev);
}

static void
group_wait(struct request *r, struct span *id)
{
    r->cancel = waiter_gone;
    r->priv = id;
}

/* What a record must give back whole can not hold a NUL. */
static bool
join_readable(const struct join_group_request *body)
{
    for (size_t i = 0; i < wire_count(body->protocols.n); i++)
        if (span_has_nul(body->protocols.v[i].name))
            return false;
    return !span_has_nul(body->group_instance_id)
        && !span_has_nul(body->member_id)
        && !span_has_nul(body->protocol_type);
}

/* As Kafka shows it: "/127.0.0.1". */
struct span
request_client_host(struct request *r)
{
    const char *peer = conn_peer(r->session->conn);
    const char *colon = strrchr(peer, ':');
    size_t len = colon == NULL ? strlen(peer) : (size_t)(colon - peer);

    return request_text(r, "/%.*s", (int)len, peer);
}

struct span
request_client_id(const struct request *r)
{
    struct span id = r->header.client_id;
    const uint8_t *nul = id.len == 0 ? NULL : memchr(id.ptr, '\0', id.len);

    if (id.ptr == NULL)
        return span_str("");
    return nul == NULL ? id : span_of(id.ptr, (size_t)(nul - id.ptr));
}

/* In a consumer group it may read what nobody has read yet. */
static size_t
join_cost(struct request *r, struct span id)
{
    const struct group *g = groups_get(&r->api->groups, id);
    size_t cost = group_cost(r, id);

    return g == NULL || group_type(g) == GROUP_CLASSIC
        ? cost : cost + r->api->topics.partitions * CONSUMER_PART_COST;
}

void
handle_join_group(struct request *r)
{
    struct join_group_request *body = r->body;
    size_t n = wire_count(body->protocols.n);
    struct group_protocol *protocols = request_alloc(r, n, sizeof *protocols);
    struct group_event ev = {.kind = GROUP_EV_JOIN, .token = r,
        .group_id = body->group_id};

    if (protocols == NULL) {
        request_close(r, "the request has too many protocols");
        return;
    }
    for (size_t i = 0; i < n; i++)
        protocols[i] = (struct group_protocol){body->protocols.v[i].name,
            body->protocols.v[i].metadata};
    ev.join = (struct group_join){.member_id = body->member_id,
        .instance_id = body->group_instance_id,
        .client_id = request_client_id(r),
        .client_host = request_client_host(r),
        .session_timeout_ms = body->session_timeout_ms,
        .rebalance_timeout_ms = body->rebalance_timeout_ms,
        .protocol_type = body->protocol_type,
        .protocols = protocols,
        .protocol_count = n,
        .member_id_required = r->header.api_version >= 4,
        .skip_assignment = r->header.api_version >= 9};
    if (!join_readable(body)) {
        group_refuse(r, GROUP_FX_JOINED, KERR_INVALID_REQUEST);
    } else if (seq_readonly(r->api->seq, NULL)) {
        group_refuse(r, GROUP_FX_JOINED, KERR_COORDINATOR_NOT_AVAILABLE);
    } else {
        group_wait(r, &body->group_id);
        group_request(r, &ev, join_cost(r, body->group_id));
    }
}

/* Only the sync of a leader, before the group is stable, is persisted; but
 * whoever waits for it could wait for long. */
static bool
sync_persists(const struct request *r, struct span id)
{
    const struct group *g = groups_get(&r->api->groups, id);

    return g != NULL && group_state(g) != GROUP_STABLE;
}

void
handle_sync_group(struct request *r)
{
    struct sync_group_request *body = r->body;
    size_t n = wire_count(body->assignments.n);
    struct group_assignment *list = request_alloc(r, n, sizeof *list);
    bool persists = sync_persists(r, body->group_id);
    struct group_event ev = {.kind = GROUP_EV_SYNC, .token = r,
        .group_id = body->group_id};

    if (list == NULL) {
        request_close(r, "the request has too many assignments");
        return;
    }
    for (size_t i = 0; i < n; i++)
        list[i] = (struct group_assignment){body->assignments.v[i].member_id,
            body->assignments.v[i].assignment};
    ev.sync = (struct group_sync){.member_id = body->member_id,
        .instance_id = body->group_instance_id,
        .generation = body->generation_id,
        .protocol_type = body->protocol_type,
        .protocol_name = body->protocol_name,
        .assignments = list,
        .assignment_count = n};
    if (persists && seq_readonly(r->api->seq, NULL)) {
        group_refuse(r, GROUP_FX_SYNCED, KERR_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    group_wait(r, &body->group_id);
    group_request(r, &ev, persists ? group_cost(r, body->group_id) : 0);
}

void
handle_heartbeat(struct request *r)
{
    const struct heartbeat_request *body = r->body;
    struct group_event ev = {.kind = GROUP_EV_HEARTBEAT, .token = r,
        .group_id = body->group_id,
        .heartbeat = {.member_id = body->member_id,
            .instance_id = body->group_instance_id,
            .generation = body->generation_id}};

    group_request(r, &ev, 0);
}

void
handle_leave_group(struct request *r)
{
    const struct leave_group_request *body = r->body;
    bool single = r->header.api_version < 3;
    size_t n = single ? 1 : wire_count(body->members.n);
    struct group_leaver *list = request_alloc(r, n, sizeof *list);
    struct group_event ev = {.kind = GROUP_EV_LEAVE, .token = r,
        .group_id = body->group_id};

    if (list == NULL) {
        request_close(r, "the request names too many members");
        return;
    }
    for (size_t i = 0; i < n && !single; i++)
        list[i] = (struct group_leaver){body->members.v[i].member_id,
            body->members.v[i].group_instance_id};
    if (single)
        list[0].member_id = body->member_id;
    ev.leave = (struct group_leave){.leavers = list, .count = n,
        .single = single};
    if (seq_readonly(r->api->seq, NULL))
        group_refuse(r, GROUP_FX_LEFT, KERR_COORDINATOR_NOT_AVAILABLE);
    else
        group_request(r, &ev, group_cost(r, body->group_id));
}

/* ---- DescribeGroups, ListGroups ---- */

static bool
describe_members(struct request *r, const struct group_image *im,
    struct describe_groups_response_group *out)
{
    bool stable = im->state == GROUP_STABLE;

    out->members.v = wire_new(&describe_groups_response_member_type,
        &r->arena, im->member_count);
    if (out->members.v == NULL)
        return false;
    out->members.n = (int32_t)im->member_count;
    for (size_t i = 0; i < im->member_count; i++) {
        const struct group_image_member *m = &im->members[i];
        struct describe_groups_response_member *to = &out->members.v[i];

        to->member_id = m->member_id;
        to->group_instance_id = m->instance_id;
        to->client_id = m->client_id;
        to->client_host = m->client_host;
        to->member_metadata = stable ? group_image_metadata(im, m)
                                     : span_str("");
        to->member_assignment = stable ? m->assignment : span_str("");
    }
    return true;
}

static bool
describe_group(struct request *r, struct span id,
    struct describe_groups_response_group *out)
{
    const struct describe_groups_request *body = r->body;
    const struct group *g = groups_get(&r->api->groups, id);
    struct group_image im;

    out->group_id = id;
    out->group_state = span_str(group_state_name(GROUP_DEAD));
    if (g == NULL || group_type(g) != GROUP_CLASSIC) {
        /* Older clients take a dead group for one that is not there. */
        if (r->header.api_version >= 6) {
            out->error_code = KERR_GROUP_ID_NOT_FOUND;
            out->error_message = request_text(r, g == NULL
                    ? "Group %.*s not found."
                    : "Group %.*s is not a classic group.", NAME_ARGS(id));
        }
        return true;
    }
    if (group_image(g, &r->arena, &im) < 0)
        return false;
    out->group_state = span_str(group_state_name(im.state));
    out->protocol_type = im.protocol_type;
    if (im.state == GROUP_STABLE)
        out->protocol_data = im.protocol_name;
    if (body->include_authorized_operations)
        out->authorized_operations = ALL_OPERATIONS;
    return describe_members(r, &im, out);
}

void
handle_describe_groups(struct request *r)
{
    const struct describe_groups_request *body = r->body;
    struct describe_groups_response *out = request_response(r);
    size_t n = wire_count(body->groups.n);

    out->groups.v = wire_new(&describe_groups_response_group_type, &r->arena,
        n);
    for (size_t i = 0; i < n && out->groups.v != NULL; i++) {
        if (!describe_group(r, body->groups.v[i], &out->groups.v[i]))
            out->groups.v = NULL;
    }
    if (out->groups.v == NULL) {
        request_close(r, "the request names too many groups");
        return;
    }
    out->groups.n = (int32_t)n;
    request_reply(r, seq_gate(r->api->seq), out);
}

void
handle_list_groups(struct request *r)
{
    const struct list_groups_request *body = r->body;
    struct list_groups_response *out = request_response(r);
    struct groups *gs = &r->api->groups;
    const struct group *g;

    out->groups.v = wire_new(&list_groups_response_group_type, &r->arena,
        groups_count(gs));
    if (out->groups.v == NULL) {
        request_close(r, "there are too many groups to list");
        return;
    }
    for (size_t i = 0; (g = groups_next(gs, &i)) != NULL;) {
        struct list_groups_response_group *to = &out->groups.v[out->groups.n];

        if (!group_listed(g, body->states_filter.v,
                wire_count(body->states_filter.n), body->types_filter.v,
                wire_count(body->types_filter.n)))
            continue;
        to->group_id = group_id(g);
        to->protocol_type = group_protocol_type(g);
        to->group_state = span_str(group_state_name(group_state(g)));
        to->group_type = span_str(group_type_name(group_type(g)));
        out->groups.n++;
    }
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- DeleteGroups ---- */

/* What the deletion of a group links: a key for it and for each offset. */
static size_t
delete_cost(const struct api *a, struct span id)
{
    const struct group *g = groups_get(&a->groups, id);
    struct group_offsets_iter it = {0};
    size_t cost = GROUP_RECORD_COST + id.len;

    while (g != NULL && group_offsets_next(g, &it) != NULL)
        cost += GROUP_OFFSET_COST + id.len + it.topic_name.len;
    return cost;
}

/* Groups that do not fit one effect beside those before them must come
 * again: clients retry this error. */
static size_t
delete_plan(struct request *r, struct delete_groups_response *out)
{
    const struct delete_groups_request *body = r->body;
    size_t total = 0;

    for (size_t i = 0; i < wire_count(body->groups_names.n); i++) {
        size_t cost = delete_cost(r->api, body->groups_names.v[i]);

        out->results.v[i].group_id = body->groups_names.v[i];
        if (seq_readonly(r->api->seq, NULL)
            || total + cost > seq_effect_max(r->api->seq))
            out->results.v[i].error_code = KERR_COORDINATOR_NOT_AVAILABLE;
        else
            total += cost;
    }
    return total;
}

void
handle_delete_groups(struct request *r)
{
    const struct delete_groups_request *body = r->body;
    struct delete_groups_response *out = request_response(r);
    size_t n = wire_count(body->groups_names.n), cost;
    struct room room = {0};

    out->results.v = wire_new(&delete_groups_response_group_type, &r->arena,
        n);
    if (out->results.v == NULL) {
        request_close(r, "the request names too many groups");
        return;
    }
    out->results.n = (int32_t)n;
    cost = delete_plan(r, out);
    if (cost > 0 && !room_take(r->api, cost, false, &room)) {
        request_starve(r);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct group_event ev = {.kind = GROUP_EV_DELETE, .token = r,
            .group_id = body->groups_names.v[i]};

        r->priv = &out->results.v[i];
        if (out->results.v[i].error_code == KERR_NONE)
            group_step(r->api, &ev);
    }
    room_give(r->api, &room);
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- time ---- */

/* Timers that are due, as far as there is room. */
static bool
groups_fire(struct api *a, int64_t now)
{
    size_t most = a->group_care.record_most;
    bool fired = true;

    while (fired && groups_deadline(&a->groups) <= now) {
        struct room room;

        if (!room_take(a, most, most <= TICK_SYSTEM_MAX, &room))
            return false;
        group_effects_clear(&a->group_fx);
        fired = groups_tick(&a->groups, now, &a->group_fx);
        if (fired && change_count(&a->group_fx) > 0)
            room.system = 0;     /* used: not to be given back */
        if (fired)
            group_apply(a);
        room_give(a, &room);
    }
    return true;
}

/* In a classic group that has emptied the retention may have begun with that,
 * before a commit. */
static int64_t
empty_since(const struct group *g)
{
    struct group_image im = {0};
    struct arena arena;
    int rc;

    if (group_state(g) != GROUP_EMPTY || group_type(g) != GROUP_CLASSIC)
        return INT64_MAX;
    arena_init(&arena, 64 * KIB);
    rc = group_image(g, &arena, &im);
    assert(rc == 0);
    arena_release(&arena);
    return im.state_since_ms;
}

/* How much an EXPIRE of the group may link; 0: it need not be sent. */
static size_t
expire_cost(const struct api *a, const struct group *g, int64_t now)
{
    int64_t old = now - a->opts.groups.offset_retention_ms;
    int64_t since = empty_since(g);
    struct group_offsets_iter it = {0};
    const struct group_offset *o;
    size_t offsets = 0, due = 0, each = GROUP_OFFSET_COST + group_id(g).len;

    while ((o = group_offsets_next(g, &it)) != NULL) {
        offsets++;
        if (o->expire_ms >= 0 ? now >= o->expire_ms
                              : o->commit_ms <= old || since <= old)
            due++;
    }
    if (offsets == 0 && group_state(g) == GROUP_EMPTY)
        return GROUP_RECORD_COST + group_id(g).len;    /* the group itself */
    if (due > GROUP_COMMIT_MAX)
        due = GROUP_COMMIT_MAX;
    return due == 0 ? 0 : GROUP_RECORD_COST + due * (each + TOPIC_NAME_MAX);
}

static bool
group_sweep(struct api *a, const struct group *g, int64_t now)
{
    struct group_event ev = {.kind = GROUP_EV_EXPIRE,
        .group_id = group_id(g)};
    size_t cost = expire_cost(a, g, now);
    struct room room;

    if (cost == 0)
        return true;
    if (!room_take(a, cost, false, &room))
        return false;
    group_step(a, &ev);
    room_give(a, &room);
    return true;
}

/* Retention of offsets: some groups a second. */
static void
groups_sweep(struct api *a, int64_t now)
{
    if (now < a->group_care.sweep_ms)
        return;
    a->group_care.sweep_ms = now + 1000;
    for (int i = 0; i < SWEEP_GROUPS; i++) {
        const struct group *g = groups_next(&a->groups,
            &a->group_care.sweep);

        if (g == NULL) {
            a->group_care.sweep = 0;
            a->group_care.sweep_ms = now + GROUP_SWEEP_MS;
            return;
        }
        if (!group_sweep(a, g, now))
            return;
    }
}

/* Deletes an orphan's record, unless its topic was made again and an offset
 * has taken its place. false: no room. */
static bool
orphan_drop(struct api *a, struct span key)
{
    uint8_t kind = META_OFFSET;
    struct record_put put = {0};
    struct group_offset_name name;
    const struct group *g;
    struct room room;
    struct arena arena;

    if (!group_offset_key_parse(key, &name))
        return true;
    g = groups_get(&a->groups, name.group);
    if (g != NULL && group_offset(g, name.topic, NULL, name.partition) != NULL)
        return true;
    if (!room_take(a, GROUP_OFFSET_COST + key.len, false, &room))
        return false;
    arena_init(&arena, RECORD_ARENA);
    put.key = group_offset_key(&arena, name.group, name.topic, name.partition);
    assert(put.key.len == key.len + 1 && put.key.ptr[0] == kind);
    api_put_records(a, &put, 1);
    arena_release(&arena);
    room_give(a, &room);
    return true;
}

static void
orphans_drop(struct api *a)
{
    struct buf *b = &a->group_care.orphans;
    size_t at = 0, count = 0;

    while (at < b->len) {
        size_t len = get_be32(b->ptr + at);

        if (!orphan_drop(a, span_of(b->ptr + at + 4, len))) {
            memmove(b->ptr, b->ptr + at, b->len - at);
            b->len -= at;
            return;
        }
        at += 4 + len;
        count++;
    }
    if (count > 0)
        diag(INFO, GROUP, "offsets of deleted topics were dropped count=%zu",
            count);
    buf_release(b);
}

int64_t
groups_due(struct api *a)
{
    int64_t now = api_clock(a), due;

    if (seq_readonly(a->seq, NULL))
        return 1000;
    if (a->group_care.orphans.len > 0)
        orphans_drop(a);
    if (!groups_fire(a, now))
        return TICK_RETRY_MS;
    groups_sweep(a, now);
    due = groups_deadline(&a->groups);
    return due > now + 1000 ? 1000 : due < now ? 0 : due - now;
}
