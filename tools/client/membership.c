/* membership.c: see membership.h. */
#include "config.h"

#include "client/membership.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "client/client_priv.h"
#include "wire/msg/consumer.h"
#include "wire/msg/groups.h"
#include "wire/msg/offsets.h"

enum {
    SESSION_MS = 30000,
    REBALANCE_MS = 60000,
    HEARTBEAT_MS = 2000,
    COMMIT_MS = 1000,            /* at most so often, but for the last one */
};

struct membership {
    struct client *client;
    char *group;
    const struct client_topic *topic;
    struct reader *reader;
    membership_where_fn where;
    void *arg;
    char *id;                    /* "": not given yet */
    int32_t generation;
    int64_t heard_ms, committed_ms;
    struct arena arena;          /* of one step of joining */
};

struct membership *
membership_new(struct client *c, const char *group,
    const struct client_topic *topic, struct reader *reader,
    membership_where_fn where, void *arg)
{
    struct membership *m = xcalloc(1, sizeof *m);

    m->client = c;
    m->group = xstrdup(group);
    m->topic = topic;
    m->reader = reader;
    m->where = where;
    m->arg = arg;
    m->id = xstrdup("");
    arena_init(&m->arena, CLIENT_ANSWER_MAX);
    return m;
}

void
membership_free(struct membership *m)
{
    if (m == NULL)
        return;
    arena_release(&m->arena);
    free(m->id);
    free(m->group);
    free(m);
}

static int
refused(const struct membership *m, int kerr, const char *what, struct err *err)
{
    return client_refused(err, kerr, "%s group '%s'", what, m->group);
}

static void
set_id(struct membership *m, struct span id)
{
    free(m->id);
    m->id = xcalloc(id.len + 1, 1);
    memcpy(m->id, id.ptr, id.len);
}

/* ---- the leader's part: range ------------------------------------------- */

void
membership_range(int32_t partitions, int32_t members, int32_t at,
    int32_t *first, int32_t *count)
{
    int32_t each = partitions / members, more = partitions % members;

    *first = each * at + (at < more ? at : more);
    *count = each + (at < more);
}

static bool
subscribes(struct membership *m, const struct join_group_response_member *other,
    struct span topic)
{
    struct consumer_protocol_subscription *s;
    struct err err;
    int version;
    void *got;

    if (wire_decode_blob(&consumer_protocol_subscription_msg, other->metadata,
            &m->arena, &version, &got, &err) != 0)
        return false;
    s = got;
    for (int32_t i = 0; i < s->topics.n; i++) {
        if (span_eq(s->topics.v[i], topic))
            return true;
    }
    return false;
}

static int
by_id(const void *a, const void *b)
{
    const struct join_group_response_member *const *x = a, *const *y = b;

    return span_cmp((*x)->member_id, (*y)->member_id);
}

/* The blob for the member that gets `count` partitions from `first` on. */
static struct span
assignment_blob(struct membership *m, struct span topic, int32_t first,
    int32_t count)
{
    struct consumer_protocol_assignment_topic t;
    struct consumer_protocol_assignment a;
    struct span blob;
    struct buf out;

    wire_init(&consumer_protocol_assignment_topic_type, &t);
    wire_init(&consumer_protocol_assignment_type, &a);
    t.topic = topic;
    t.partitions.v = arena_calloc(&m->arena, (size_t)count + 1,
        sizeof *t.partitions.v);
    for (int32_t i = 0; i < count && t.partitions.v != NULL; i++)
        t.partitions.v[t.partitions.n++] = first + i;
    a.assigned_partitions.v = &t;
    a.assigned_partitions.n = count > 0 ? 1 : 0;
    buf_init(&out, 1 * MIB);
    wire_encode_blob(&consumer_protocol_assignment_msg, 0, &a, &out);
    blob = arena_copy(&m->arena, buf_span(&out));
    buf_release(&out);
    return blob;
}

/* Members that want other topics than ours get nothing from us: a group of
 * mixed subscriptions is not for this tool, and we say so by refusing. */
static int
assign(struct membership *m, const struct join_group_response *joined,
    struct sync_group_request *req, struct err *err)
{
    struct span topic = client_name_span(m->topic->name);
    size_t n = (size_t)joined->members.n;
    const struct join_group_response_member **list =
        arena_calloc(&m->arena, n + 1, sizeof *list);
    struct sync_group_request_assignment *to =
        wire_new(&sync_group_request_assignment_type, &m->arena, n + 1);
    int32_t first, count;

    if (list == NULL || to == NULL)
        return err_set(err, ERR_LIMIT, "too many members");
    for (size_t i = 0; i < n; i++) {
        list[i] = &joined->members.v[i];
        if (!subscribes(m, list[i], topic))
            return refused(m, KERR_INCONSISTENT_GROUP_PROTOCOL,
                "members want other topics in", err);
    }
    qsort(list, n, sizeof *list, by_id);
    for (size_t i = 0; i < n; i++) {
        membership_range(m->topic->partitions, (int32_t)n, (int32_t)i, &first,
            &count);
        to[i].member_id = list[i]->member_id;
        to[i].assignment = assignment_blob(m, topic, first, count);
    }
    req->assignments.v = to;
    req->assignments.n = (int32_t)n;
    return m->arena.failed ? err_set(err, ERR_LIMIT, "too many members") : 0;
}

/* ---- JoinGroup, SyncGroup ----------------------------------------------- */

static struct span
subscription_blob(struct membership *m)
{
    struct consumer_protocol_subscription s;
    struct span topic = client_name_span(m->topic->name), blob;
    struct buf out;

    wire_init(&consumer_protocol_subscription_type, &s);
    s.topics.v = &topic;
    s.topics.n = 1;
    buf_init(&out, 64 * KIB);
    wire_encode_blob(&consumer_protocol_subscription_msg, 0, &s, &out);
    blob = arena_copy(&m->arena, buf_span(&out));
    buf_release(&out);
    return blob;
}

static int
ask_join(struct membership *m, struct join_group_response **resp,
    struct err *err)
{
    struct join_group_request_protocol protocol;
    struct join_group_request req;

    wire_init(&join_group_request_protocol_type, &protocol);
    wire_init(&join_group_request_type, &req);
    protocol.name = span_str("range");
    protocol.metadata = subscription_blob(m);
    req.group_id = client_name_span(m->group);
    req.session_timeout_ms = SESSION_MS;
    req.rebalance_timeout_ms = REBALANCE_MS;
    req.member_id = client_name_span(m->id);
    req.protocol_type = span_str("consumer");
    req.protocols.v = &protocol;
    req.protocols.n = 1;
    return client_call_wait(m->client, API_JOIN_GROUP, &req, REBALANCE_MS,
        &m->arena, resp, err);
}

static int
ask_sync(struct membership *m, const struct join_group_response *joined,
    struct sync_group_response **resp, struct err *err)
{
    struct sync_group_request req;

    wire_init(&sync_group_request_type, &req);
    req.group_id = client_name_span(m->group);
    req.generation_id = m->generation;
    req.member_id = client_name_span(m->id);
    req.protocol_type = span_str("consumer");
    req.protocol_name = span_str("range");
    if (span_eq(joined->leader, joined->member_id)
        && assign(m, joined, &req, err) != 0)
        return -1;
    return client_call_wait(m->client, API_SYNC_GROUP, &req, REBALANCE_MS,
        &m->arena, resp, err);
}

/* Are these answers no refusal, but "once more"? Forgets the id if it is the
 * id that is unknown. */
static bool
once_more(struct membership *m, int kerr)
{
    if (kerr == KERR_UNKNOWN_MEMBER_ID || kerr == KERR_ILLEGAL_GENERATION)
        set_id(m, span_str(""));
    return kerr == KERR_MEMBER_ID_REQUIRED || kerr == KERR_UNKNOWN_MEMBER_ID
        || kerr == KERR_ILLEGAL_GENERATION
        || kerr == KERR_REBALANCE_IN_PROGRESS || kerr_retriable(kerr);
}

/* 1: in, with *blob; 0: once more. */
static int
join_once(struct membership *m, struct span *blob, struct err *err)
{
    struct join_group_response *joined;
    struct sync_group_response *synced;

    arena_reset(&m->arena);
    if (ask_join(m, &joined, err) != 0)
        return -1;
    if (joined->error_code == KERR_MEMBER_ID_REQUIRED
        || joined->error_code == 0)
        set_id(m, joined->member_id);
    if (joined->error_code != 0) {
        refused(m, joined->error_code, "cannot join", err);
        return once_more(m, joined->error_code) ? 0 : -1;
    }
    m->generation = joined->generation_id;
    if (ask_sync(m, joined, &synced, err) != 0)
        return -1;
    if (synced->error_code != 0) {
        refused(m, synced->error_code, "cannot join", err);
        return once_more(m, synced->error_code) ? 0 : -1;
    }
    *blob = synced->assignment;
    return 1;
}

/* ---- positions ---------------------------------------------------------- */

static int
begin_at(struct membership *m, int32_t partition, const struct committed *list,
    size_t count, struct err *err)
{
    int64_t offset = -1;

    for (size_t i = 0; i < count; i++) {
        if (list[i].partition == partition)
            offset = list[i].offset;
    }
    if (offset < 0 && m->where(m->arg, partition, &offset, err) != 0)
        return -1;
    reader_seek(m->reader, partition, offset, INT64_MAX);
    return 0;
}

static int
take_assignment(struct membership *m, struct span blob, struct err *err)
{
    struct consumer_protocol_assignment *a;
    struct committed *list;
    size_t count;
    int version;
    void *got;

    reader_clear(m->reader);
    if (blob.len == 0)
        return 0;                /* more members than partitions */
    if (wire_decode_blob(&consumer_protocol_assignment_msg, blob, &m->arena,
            &version, &got, err) != 0)
        return -1;
    a = got;
    if (a->assigned_partitions.n > 0
        && client_committed(m->client, m->group, m->topic, &m->arena, &list,
            &count, err) != 0)
        return -1;
    for (int32_t i = 0; i < a->assigned_partitions.n; i++) {
        const struct consumer_protocol_assignment_topic *t =
            &a->assigned_partitions.v[i];

        if (!span_eq(t->topic, client_name_span(m->topic->name)))
            continue;
        for (int32_t j = 0; j < t->partitions.n; j++) {
            if (begin_at(m, t->partitions.v[j], list, count, err) != 0)
                return -1;
        }
    }
    return 0;
}

int
membership_join(struct membership *m, struct err *err)
{
    int64_t deadline = peer_now_ms() + REBALANCE_MS;
    struct span blob;
    int n;

    if (client_coordinator(m->client, m->group, err) != 0)
        return -1;
    while ((n = join_once(m, &blob, err)) == 0) {
        if (client_pause(m->client, deadline) != 0)
            return -1;
    }
    if (n < 0)
        return -1;
    m->heard_ms = m->committed_ms = peer_now_ms();
    return take_assignment(m, blob, err);
}

/* ---- while it runs ------------------------------------------------------ */

static int
commit_now(struct membership *m, int *kerr, struct err *err)
{
    struct offset_commit_request_topic t;
    struct offset_commit_request req;
    struct offset_commit_response *resp;
    const struct reader_part *parts;
    size_t n;

    arena_reset(&m->arena);
    *kerr = 0;
    parts = reader_parts(m->reader, &n);
    if (n == 0)
        return 0;
    wire_init(&offset_commit_request_topic_type, &t);
    wire_init(&offset_commit_request_type, &req);
    t.name = client_name_span(m->topic->name);
    t.partitions.v = wire_new(&offset_commit_request_partition_type, &m->arena,
        n);
    if (t.partitions.v == NULL)
        return err_set(err, ERR_LIMIT, "too many partitions");
    for (size_t i = 0; i < n; i++) {
        t.partitions.v[i].partition_index = parts[i].partition;
        t.partitions.v[i].committed_offset = parts[i].position;
    }
    t.partitions.n = (int32_t)n;
    req.group_id = client_name_span(m->group);
    req.generation_id_or_member_epoch = m->generation;
    req.member_id = client_name_span(m->id);
    req.topics.v = &t;
    req.topics.n = 1;
    if (client_call(m->client, API_OFFSET_COMMIT, &req, &m->arena, &resp, err)
        != 0)
        return -1;
    m->committed_ms = peer_now_ms();
    if (resp->topics.n == 1 && resp->topics.v[0].partitions.n > 0)
        *kerr = resp->topics.v[0].partitions.v[0].error_code;
    return 0;
}

int
membership_commit(struct membership *m, struct err *err)
{
    int kerr;

    if (peer_now_ms() - m->committed_ms < COMMIT_MS)
        return 0;
    if (commit_now(m, &kerr, err) != 0)
        return -1;
    /* In a rebalance the next membership_keep() commits and joins again. */
    if (kerr != 0 && !once_more(m, kerr))
        return refused(m, kerr, "cannot commit to", err);
    return 0;
}

int
membership_keep(struct membership *m, bool *moved, struct err *err)
{
    struct heartbeat_request req;
    struct heartbeat_response *resp;
    int kerr;

    *moved = false;
    if (peer_now_ms() - m->heard_ms < HEARTBEAT_MS && m->id[0] != '\0')
        return 0;
    arena_reset(&m->arena);
    wire_init(&heartbeat_request_type, &req);
    req.group_id = client_name_span(m->group);
    req.generation_id = m->generation;
    req.member_id = client_name_span(m->id);
    if (client_call(m->client, API_HEARTBEAT, &req, &m->arena, &resp, err)
        != 0)
        return -1;
    m->heard_ms = peer_now_ms();
    kerr = resp->error_code;
    if (kerr == 0)
        return 0;
    if (kerr == KERR_REBALANCE_IN_PROGRESS
        && commit_now(m, &(int){0}, err) != 0)
        return -1;
    if (!once_more(m, kerr))
        return refused(m, kerr, "lost", err);
    *moved = true;
    return membership_join(m, err);
}

int
membership_leave(struct membership *m, struct err *err)
{
    struct leave_group_request_member one;
    struct leave_group_request req;
    struct leave_group_response *resp;
    int kerr;

    if (commit_now(m, &kerr, err) != 0)
        return -1;
    wire_init(&leave_group_request_member_type, &one);
    wire_init(&leave_group_request_type, &req);
    one.member_id = req.member_id = client_name_span(m->id);
    req.group_id = client_name_span(m->group);
    req.members.v = &one;
    req.members.n = 1;
    if (client_call(m->client, API_LEAVE_GROUP, &req, &m->arena, &resp, err)
        != 0)
        return -1;
    if (kerr != 0)
        return refused(m, kerr, "the last commit failed in", err);
    return 0;
}
