/*
 * offsets.c: the offsets of groups: OffsetCommit, OffsetFetch.
 *
 * Topics are resolved here, by name or (from version 10 on) by id: a commit
 * for what is not there is refused, and an offset is kept with the id of its
 * topic, so that a topic made anew does not inherit it. All answers have seen
 * topics, too, hence they wait for whatever is unpublished.
 */
#include "config.h"

#include "api/api_priv.h"
#include "base/check.h"
#include "base/limits.h"
#include "wire/msg/offsets.h"

/* A request that names topics by id may not have the name of one; both must
 * not look like a name that is empty. */
static struct topic *
named_topic(struct request *r, struct span name, const struct uuid *id,
    enum kerr *error)
{
    struct topic *t = api_topic(r->api, name, id, error);

    if (t == NULL && r->header.api_version >= 10)
        *error = KERR_UNKNOWN_TOPIC_ID;
    return t;
}

/* ---- OffsetCommit ---- */

struct commit {
    struct group_commit_item *items;     /* in the order of the request */
    size_t count;
    size_t bytes;                        /* of the effect, at most */
};

static void
commit_add(struct request *r, struct commit *c, struct topic *t,
    enum kerr missing, const struct offset_commit_request_partition *in)
{
    const struct offset_commit_request *body = r->body;
    struct group_commit_item *item = &c->items[c->count++];

    *item = (struct group_commit_item){.partition = in->partition_index,
        .offset = in->committed_offset,
        .leader_epoch = in->committed_leader_epoch,
        .metadata = in->committed_metadata,
        .error = missing};
    if (t == NULL)
        return;
    item->topic = span_str(t->name);
    item->topic_id = t->id;
    if (topic_partition(t, in->partition_index) == NULL)
        item->error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    else if (span_has_nul(in->committed_metadata))
        item->error = KERR_INVALID_REQUEST; /* a record could not hold it */
    else
        c->bytes += GROUP_OFFSET_COST + body->group_id.len + item->topic.len
            + in->committed_metadata.len;
}

static bool
commit_prepare(struct request *r, struct commit *c)
{
    const struct offset_commit_request *body = r->body;
    size_t n = 0;

    for (size_t i = 0; i < wire_count(body->topics.n); i++)
        n += wire_count(body->topics.v[i].partitions.n);
    c->items = request_alloc(r, n, sizeof *c->items);
    if (c->items == NULL)
        return false;
    c->bytes = GROUP_OFFSET_COST;
    for (size_t i = 0; i < wire_count(body->topics.n); i++) {
        const struct offset_commit_request_topic *in = &body->topics.v[i];
        enum kerr missing = KERR_NONE;
        struct topic *t = named_topic(r, in->name, &in->topic_id, &missing);

        for (size_t k = 0; k < wire_count(in->partitions.n); k++)
            commit_add(r, c, t, missing, &in->partitions.v[k]);
    }
    return true;
}

void
handle_offset_commit(struct request *r)
{
    const struct offset_commit_request *body = r->body;
    struct commit *c = request_alloc(r, 1, sizeof *c);
    struct group_event ev = {.kind = GROUP_EV_COMMIT, .token = r,
        .group_id = body->group_id};

    if (c == NULL || !commit_prepare(r, c)) {
        request_close(r, "the request has too many partitions");
        return;
    }
    r->priv = c;
    ev.commit = (struct group_commit){.member_id = body->member_id,
        .instance_id = body->group_instance_id,
        .generation = body->generation_id_or_member_epoch,
        .retention_ms = body->retention_time_ms,
        .group_id_errors = r->header.api_version >= 9,
        .items = c->items,
        .count = c->count};
    if (seq_readonly(r->api->seq, NULL))
        group_refuse(r, GROUP_FX_COMMITTED, KERR_COORDINATOR_NOT_AVAILABLE);
    else if (c->count > GROUP_COMMIT_MAX)
        group_refuse(r, GROUP_FX_COMMITTED, KERR_POLICY_VIOLATION);
    else if (c->bytes > seq_effect_max(r->api->seq))
        group_refuse(r, GROUP_FX_COMMITTED, KERR_INVALID_COMMIT_OFFSET_SIZE);
    else
        group_request(r, &ev, c->bytes);
}

/* One error for all, or one for each; what was refused here keeps its own. */
static enum kerr
commit_error(const struct commit *c, const struct group_fx *e, size_t i)
{
    if (c->items[i].error != KERR_NONE)
        return c->items[i].error;
    if (e->error != KERR_NONE)
        return e->error;
    assert(i < e->each.count);
    return e->each.errors[i];
}

static bool
commit_response(struct request *r, const struct group_fx *e,
    struct offset_commit_response *out)
{
    const struct offset_commit_request *body = r->body;
    size_t n = wire_count(body->topics.n), item = 0;

    out->topics.v = wire_new(&offset_commit_response_topic_type, &r->arena,
        n);
    if (out->topics.v == NULL)
        return false;
    out->topics.n = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        const struct offset_commit_request_topic *in = &body->topics.v[i];
        struct offset_commit_response_topic *to = &out->topics.v[i];
        size_t parts = wire_count(in->partitions.n);

        to->name = in->name;
        to->topic_id = in->topic_id;
        to->partitions.v = wire_new(&offset_commit_response_partition_type,
            &r->arena, parts);
        if (to->partitions.v == NULL)
            return false;
        to->partitions.n = (int32_t)parts;
        for (size_t k = 0; k < parts; k++) {
            to->partitions.v[k].partition_index
                = in->partitions.v[k].partition_index;
            to->partitions.v[k].error_code
                = (int16_t)commit_error(r->priv, e, item++);
        }
    }
    return true;
}

void
offsets_committed(struct request *r, const struct group_fx *e)
{
    struct offset_commit_response *out = request_response(r);

    if (commit_response(r, e, out))
        request_reply(r, seq_gate(r->api->seq), out);
    else
        request_close(r, "the request has too many partitions");
}

/* ---- OffsetFetch: one group ---- */

static void
found_fill(struct offset_fetch_response_group_partition *out,
    int32_t partition, const struct group_offset *o)
{
    out->partition_index = partition;
    out->committed_offset = o == NULL ? -1 : o->offset;
    out->committed_leader_epoch = o == NULL ? -1 : o->leader_epoch;
    out->metadata = o == NULL ? span_str("") : o->metadata;
}

/* An open transaction may yet move the offset: who wants to be sure asks
 * again (KIP-447). */
static void
fetch_unstable(struct request *r, const struct group *g, struct span topic,
    struct offset_fetch_response_group_partition *out)
{
    const struct offset_fetch_request *body = r->body;

    if (g == NULL || !body->require_stable || !txns_unstable(&r->api->txns,
            group_id(g), topic, out->partition_index))
        return;
    found_fill(out, out->partition_index, NULL);
    out->error_code = KERR_UNSTABLE_OFFSET_COMMIT;
}

static bool
found_list(struct request *r, struct offset_fetch_response_group_topic *to,
    size_t n)
{
    to->partitions.v = wire_new(&offset_fetch_response_group_partition_type,
        &r->arena, n);
    to->partitions.n = (int32_t)n;
    return to->partitions.v != NULL;
}

static bool
fetch_topic(struct request *r, const struct group *g,
    const struct offset_fetch_request_group_topic *in,
    struct offset_fetch_response_group_topic *to)
{
    size_t n = wire_count(in->partition_indexes.n);
    enum kerr missing = KERR_NONE;
    const struct topic *t = named_topic(r, in->name, &in->topic_id, &missing);

    to->name = in->name;
    to->topic_id = in->topic_id;
    if (!found_list(r, to, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        int32_t partition = in->partition_indexes.v[i];

        found_fill(&to->partitions.v[i], partition, g == NULL || t == NULL
            ? NULL : group_offset(g, span_str(t->name), &t->id, partition));
        fetch_unstable(r, g, to->name.ptr == NULL && t != NULL
            ? span_str(t->name) : to->name, &to->partitions.v[i]);
        /* By name, a topic that is not there has no offsets: no error. */
        if (missing == KERR_UNKNOWN_TOPIC_ID)
            to->partitions.v[i].error_code = KERR_UNKNOWN_TOPIC_ID;
    }
    return true;
}

static size_t
fetch_all_count(const struct group *g)
{
    struct group_offsets_iter it = {0};
    const uint8_t *last = NULL;
    size_t n = 0;

    while (group_offsets_next(g, &it) != NULL) {
        n += it.topic_name.ptr != last;
        last = it.topic_name.ptr;
    }
    return n;
}

/* All offsets of the group: first how many each topic has, then they. */
static bool
fetch_all(struct request *r, const struct group *g,
    struct offset_fetch_response_group *out)
{
    struct offset_fetch_response_group_topic *to = NULL;
    struct group_offsets_iter it = {0};
    const struct group_offset *o;

    out->topics.v = wire_new(&offset_fetch_response_group_topic_type,
        &r->arena, fetch_all_count(g));
    if (out->topics.v == NULL)
        return false;
    while (group_offsets_next(g, &it) != NULL) {
        if (to == NULL || to->name.ptr != it.topic_name.ptr) {
            to = &out->topics.v[out->topics.n++];
            to->name = it.topic_name;
            to->topic_id = it.topic_id;
        }
        to->partitions.n++;
    }
    it = (struct group_offsets_iter){0};
    for (int32_t i = 0; i < out->topics.n; i++) {
        to = &out->topics.v[i];
        if (!found_list(r, to, wire_count(to->partitions.n)))
            return false;
        for (int32_t k = 0; k < to->partitions.n; k++) {
            o = group_offsets_next(g, &it);
            assert(o != NULL);
            found_fill(&to->partitions.v[k], o->partition, o);
            fetch_unstable(r, g, to->name, &to->partitions.v[k]);
        }
    }
    return true;
}

static bool
fetch_group(struct request *r, const struct offset_fetch_request_group *in,
    struct offset_fetch_response_group *out)
{
    const struct group *g = groups_get(&r->api->groups, in->group_id);
    size_t n = wire_count(in->topics.n);

    out->group_id = in->group_id;
    if (g != NULL)
        out->error_code = (int16_t)group_fetch_refusal(g, in->member_id,
            in->member_epoch);
    if (out->error_code != KERR_NONE)
        return true;
    if (in->topics.n < 0)
        return g == NULL || fetch_all(r, g, out);
    out->topics.v = wire_new(&offset_fetch_response_group_topic_type,
        &r->arena, n);
    if (out->topics.v == NULL)
        return false;
    out->topics.n = (int32_t)n;
    for (size_t i = 0; i < n; i++)
        if (!fetch_topic(r, g, &in->topics.v[i], &out->topics.v[i]))
            return false;
    return true;
}

/* ---- OffsetFetch: before version 8, one group in fields of its own ---- */

static bool
single_request(struct request *r, struct offset_fetch_request_group *one)
{
    const struct offset_fetch_request *body = r->body;
    size_t n = wire_count(body->topics.n);

    wire_init(&offset_fetch_request_group_type, one);
    one->group_id = body->group_id;
    one->topics.n = body->topics.n;
    one->topics.v = wire_new(&offset_fetch_request_group_topic_type,
        &r->arena, n);
    if (one->topics.v == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        one->topics.v[i].name = body->topics.v[i].name;
        one->topics.v[i].partition_indexes.v
            = body->topics.v[i].partition_indexes.v;
        one->topics.v[i].partition_indexes.n
            = body->topics.v[i].partition_indexes.n;
    }
    return true;
}

static bool
single_topic(struct request *r,
    const struct offset_fetch_response_group_topic *from,
    struct offset_fetch_response_topic *to)
{
    size_t n = wire_count(from->partitions.n);

    to->name = from->name;
    to->partitions.n = from->partitions.n;
    to->partitions.v = wire_new(&offset_fetch_response_partition_type,
        &r->arena, n);
    if (to->partitions.v == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct offset_fetch_response_group_partition *f
            = &from->partitions.v[i];
        struct offset_fetch_response_partition *p = &to->partitions.v[i];

        p->partition_index = f->partition_index;
        p->committed_offset = f->committed_offset;
        p->committed_leader_epoch = f->committed_leader_epoch;
        p->metadata = f->metadata;
        p->error_code = f->error_code;
    }
    return true;
}

static bool
fetch_single(struct request *r, struct offset_fetch_response *out)
{
    struct offset_fetch_request_group in;
    struct offset_fetch_response_group one;

    wire_init(&offset_fetch_response_group_type, &one);
    if (!single_request(r, &in) || !fetch_group(r, &in, &one))
        return false;
    out->topics.v = wire_new(&offset_fetch_response_topic_type, &r->arena,
        wire_count(one.topics.n));
    if (out->topics.v == NULL)
        return false;
    out->topics.n = one.topics.n;
    for (int32_t i = 0; i < one.topics.n; i++)
        if (!single_topic(r, &one.topics.v[i], &out->topics.v[i]))
            return false;
    return true;
}

static bool
fetch_many(struct request *r, struct offset_fetch_response *out)
{
    const struct offset_fetch_request *body = r->body;
    size_t n = wire_count(body->groups.n);

    out->groups.v = wire_new(&offset_fetch_response_group_type, &r->arena, n);
    if (out->groups.v == NULL)
        return false;
    out->groups.n = (int32_t)n;
    for (size_t i = 0; i < n; i++)
        if (!fetch_group(r, &body->groups.v[i], &out->groups.v[i]))
            return false;
    return true;
}

void
handle_offset_fetch(struct request *r)
{
    struct offset_fetch_response *out;
    bool ok;

    /* All offsets of a group may need more than a request's usual arena. */
    r->arena.limit += PARTITIONS_MAX * 256;
    out = request_response(r);
    ok = r->header.api_version < 8 ? fetch_single(r, out)
                                   : fetch_many(r, out);
    if (ok)
        request_reply(r, seq_gate(r->api->seq), out);
    else
        request_close(r, "the request asks for too many offsets");
}

/* ---- OffsetDelete (KIP-496) ---- */

static int
delete_keys(struct request *r, struct group_offset_delete *d)
{
    const struct offset_delete_request *body = r->body;
    struct group_offset_key *keys;
    size_t n = 0;

    for (int32_t i = 0; i < body->topics.n; i++)
        n += (size_t)(body->topics.v[i].partitions.n > 0
                ? body->topics.v[i].partitions.n : 0);
    keys = request_alloc(r, n, sizeof *keys);
    if (keys == NULL || n > GROUP_COMMIT_MAX)
        return -1;
    for (int32_t i = 0; i < body->topics.n; i++) {
        const struct offset_delete_request_topic *in = &body->topics.v[i];
        enum kerr missing = KERR_NONE;
        struct topic *t = api_topic(r->api, in->name, NULL, &missing);

        for (int32_t k = 0; k < in->partitions.n; k++) {
            int32_t p = in->partitions.v[k].partition_index;

            keys[d->count++] = (struct group_offset_key){.topic = in->name,
                .partition = p,
                .error = t != NULL && topic_partition(t, p) == NULL
                    ? KERR_UNKNOWN_TOPIC_OR_PARTITION : missing};
        }
    }
    d->keys = keys;
    return 0;
}

void
offsets_deleted(struct request *r, const struct group_fx *e, uint64_t gate)
{
    const struct offset_delete_request *body = r->body;
    struct offset_delete_response *out = request_response(r);
    size_t at = 0;

    out->error_code = (int16_t)e->error;
    out->topics.v = wire_new(&offset_delete_response_topic_type, &r->arena,
        (size_t)(body->topics.n > 0 ? body->topics.n : 0));
    for (int32_t i = 0; out->topics.v != NULL && e->each.errors != NULL
            && i < body->topics.n; i++) {
        const struct offset_delete_request_topic *in = &body->topics.v[i];
        struct offset_delete_response_topic *to = &out->topics.v[i];
        int32_t n = in->partitions.n > 0 ? in->partitions.n : 0;

        to->name = in->name;
        to->partitions.v = wire_new(&offset_delete_response_partition_type,
            &r->arena, (size_t)n);
        if (to->partitions.v == NULL)
            break;
        for (int32_t k = 0; k < n; k++) {
            to->partitions.v[k].partition_index
                = in->partitions.v[k].partition_index;
            to->partitions.v[k].error_code = (int16_t)e->each.errors[at++];
        }
        to->partitions.n = n;
        out->topics.n++;
    }
    request_reply(r, gate, out);
}

void
handle_offset_delete(struct request *r)
{
    const struct offset_delete_request *body = r->body;
    struct group_event ev = {.kind = GROUP_EV_OFFSET_DELETE,
        .group_id = body->group_id,
        .token = r};

    if (delete_keys(r, &ev.offset_delete) < 0) {
        request_close(r, "the request names too many offsets");
        return;
    }
    if (seq_readonly(r->api->seq, NULL)) {
        group_refuse(r, GROUP_FX_OFFSETS_DELETED,
            KERR_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    group_request(r, &ev, ev.offset_delete.count
        * (GROUP_OFFSET_COST + body->group_id.len + TOPIC_NAME_MAX));
}
