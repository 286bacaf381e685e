/*
 * consumer_groups.c: groups of the consumer protocol (KIP-848) at the door:
 * ConsumerGroupHeartbeat, ConsumerGroupDescribe; topics and settings as the
 * group room sees them. Steps, changes and answers go the way of groups.c.
 *
 * A heartbeat that changes nothing links nothing and takes no room: that is
 * all of them but a few. While the disk is full such go on, and the others
 * answer COORDINATOR_NOT_AVAILABLE.
 */
#include "config.h"

#include <stdlib.h>

#include "api/group_records.h"
#include "base/check.h"
#include "base/limits.h"
#include "wire/msg/consumer_groups.h"

enum {
    /* Read, delete, describe: all that there is without access control. */
    ALL_OPERATIONS = 1 << 3 | 1 << 6 | 1 << 8,
    OWNED_MAX = PARTITIONS_MAX,  /* partitions that a member says it owns */
};

/* ---- what the group room is told ---- */

static void
topic_view(const struct topic *t, struct group_topic *out)
{
    *out = (struct group_topic){.name = span_str(t->name),
        .id = t->id,
        .partitions = t->partition_count};
}

static bool
view_by_name(void *arg, struct span name, struct group_topic *out)
{
    const struct api *a = arg;
    const struct topic *t = topics_find(&a->topics, name);

    if (t != NULL)
        topic_view(t, out);
    return t != NULL;
}

static bool
view_by_id(void *arg, const struct uuid *id, struct group_topic *out)
{
    const struct api *a = arg;
    const struct topic *t = topics_by_id(&a->topics, id);

    if (t != NULL)
        topic_view(t, out);
    return t != NULL;
}

/* Expressions do not match what applications keep for themselves. */
static void
view_each(void *arg, group_topic_fn *fn, void *to)
{
    struct api *a = arg;
    struct omap_iter it;
    struct topic *t;

    omap_seek(&a->topics.by_name, SPAN_NULL, &it);
    while ((t = topics_next(&it)) != NULL) {
        struct group_topic view;

        topic_view(t, &view);
        if (!t->internal)
            fn(to, &view);
    }
}

static uint64_t
view_version(void *arg)
{
    const struct api *a = arg;

    return a->topics.changes + 1;
}

static void
topic_deleted(void *arg, const struct topic *t)
{
    struct api *a = arg;

    groups_forget_topic(&a->groups, &t->id);
}

static int32_t
own_config(const struct topic_config *c, const char *name)
{
    const struct config_def *d = group_config_find(span_str(name));
    const char *own = topic_config_own(c, d);

    return own == NULL ? 0 : (int32_t)strtol(own, NULL, 10);
}

static void
group_tuned(void *arg, struct span group_id, struct group_tuning *out)
{
    const struct topic_config *c = resource_get(arg, RESOURCE_GROUP,
        group_id);

    if (c == NULL)
        return;
    out->consumer_session_ms = own_config(c, "consumer.session.timeout.ms");
    out->consumer_heartbeat_ms
        = own_config(c, "consumer.heartbeat.interval.ms");
    out->streams_session_ms = own_config(c, "streams.session.timeout.ms");
    out->streams_heartbeat_ms
        = own_config(c, "streams.heartbeat.interval.ms");
}

void
consumer_groups_init(struct api *a)
{
    const struct group_topics topics = {.by_name = view_by_name,
        .by_id = view_by_id,
        .each = view_each,
        .version = view_version,
        .arg = a};

    groups_set_topics(&a->groups, &topics);
    groups_set_tuning(&a->groups, group_tuned, a);
    a->topics.on_delete = topic_deleted;
    a->topics.on_delete_arg = a;
}

/* ---- ConsumerGroupHeartbeat ---- */

static bool
owned_parts(struct request *r, struct group_beat *b)
{
    const struct consumer_group_heartbeat_request *body = r->body;
    struct part *list;
    size_t n = 0;

    for (size_t i = 0; i < wire_count(body->topic_partitions.n); i++)
        n += wire_count(body->topic_partitions.v[i].partitions.n);
    list = request_alloc(r, n, sizeof *list);
    if (list == NULL || n > OWNED_MAX)
        return false;
    for (size_t i = 0; i < wire_count(body->topic_partitions.n); i++) {
        const struct consumer_group_heartbeat_request_topic *t
            = &body->topic_partitions.v[i];

        for (size_t k = 0; k < wire_count(t->partitions.n); k++)
            list[b->owned_count++] = (struct part){t->topic_id,
                t->partitions.v[k]};
    }
    b->owned = list;
    b->has_owned = body->topic_partitions.n >= 0;
    return true;
}

/* With a rack the record has no null: none and empty are the same there, and
 * an empty one is refused by the group. */
static void
beat_read(struct request *r, struct group_beat *b)
{
    const struct consumer_group_heartbeat_request *body = r->body;

    *b = (struct group_beat){.member_id = body->member_id,
        .epoch = body->member_epoch,
        .instance_id = body->instance_id,
        .rack_id = body->rack_id,
        .rebalance_timeout_ms = body->rebalance_timeout_ms,
        .topics = body->subscribed_topic_names.v,
        .topic_count = wire_count(body->subscribed_topic_names.n),
        .has_topics = body->subscribed_topic_names.n >= 0,
        .regex = body->subscribed_topic_regex,
        .assignor = body->server_assignor,
        .client_id = request_client_id(r),
        .client_host = request_client_host(r),
        .own_id = r->header.api_version >= 1};
}

/* The target may hold all that the member reads, and so may the members: the
 * group cannot know how much that is when it does not know the topics yet. */
static size_t
beat_cost(struct request *r)
{
    const struct consumer_group_heartbeat_request *body = r->body;
    const struct api *a = r->api;
    const struct group *g = groups_get(&a->groups, body->group_id);
    size_t partitions = 0;

    if (body->subscribed_topic_regex.len > 0
        || (g != NULL && consumer_topics_moved(g)))
        partitions = a->topics.partitions;
    for (size_t i = 0; i < wire_count(body->subscribed_topic_names.n)
         && partitions < a->topics.partitions; i++) {
        const struct topic *t = topics_find(&a->topics,
            body->subscribed_topic_names.v[i]);

        partitions += t == NULL ? 0 : (size_t)t->partition_count;
    }
    return group_cost(r, body->group_id) + partitions * CONSUMER_PART_COST;
}

void
handle_consumer_group_heartbeat(struct request *r)
{
    const struct consumer_group_heartbeat_request *body = r->body;
    struct group_event ev = {.kind = GROUP_EV_BEAT, .token = r,
        .group_id = body->group_id};
    bool quiet;

    beat_read(r, &ev.beat);
    if (!owned_parts(r, &ev.beat)) {
        request_close(r, "the request names too many partitions");
        return;
    }
    /* Ids end at a NUL: a member's in the key of its record, an instance's
     * in a classic group's. */
    if (span_has_nul(body->member_id) || span_has_nul(body->instance_id)) {
        group_refuse(r, GROUP_FX_BEATEN, KERR_INVALID_REQUEST);
        return;
    }
    quiet = groups_beat_is_quiet(&r->api->groups, body->group_id, &ev.beat);
    if (!quiet && seq_readonly(r->api->seq, NULL))
        group_refuse(r, GROUP_FX_BEATEN, KERR_COORDINATOR_NOT_AVAILABLE);
    else
        group_request(r, &ev, quiet ? 0 : beat_cost(r));
}

static bool
beaten_assignment(struct request *r, const struct parts *parts,
    struct consumer_group_heartbeat_response *out)
{
    size_t n = parts_topics(parts);
    struct consumer_group_heartbeat_response_topic *to;

    out->assignment = wire_new(
        &consumer_group_heartbeat_response_assignment_type, &r->arena, 1);
    to = wire_new(&consumer_group_heartbeat_response_topic_type, &r->arena,
        n);
    if (out->assignment == NULL || to == NULL)
        return false;
    out->assignment->topic_partitions.v = to;
    out->assignment->topic_partitions.n = (int32_t)n;
    for (uint32_t i = 0, end; i < parts->count; i = end, to++) {
        to->topic_id = parts->v[i].topic;
        to->partitions.v = request_alloc(r, parts->count - i,
            sizeof *to->partitions.v);
        if (to->partitions.v == NULL)
            return false;
        for (end = i; end < parts->count
             && uuid_eq(&parts->v[end].topic, &to->topic_id); end++)
            to->partitions.v[to->partitions.n++] = parts->v[end].partition;
    }
    return true;
}

void
consumer_group_beaten(struct request *r, const struct group_fx *e,
    uint64_t gate)
{
    struct consumer_group_heartbeat_response *out = request_response(r);

    out->error_code = (int16_t)e->error;
    if (e->error != KERR_NONE) {
        out->error_message = span_str(e->beaten.message == NULL
                ? kerr_text(e->error) : e->beaten.message);
    } else {
        out->member_id = e->beaten.member_id;
        out->member_epoch = e->beaten.epoch;
        out->heartbeat_interval_ms = e->beaten.interval_ms;
    }
    if (e->beaten.assignment != NULL
        && !beaten_assignment(r, e->beaten.assignment, out))
        request_close(r, "an assignment is too large");
    else
        request_reply(r, gate, out);
}

/* ---- ConsumerGroupDescribe ---- */

/* Topics that have just gone have no name, and are left out. */
static bool
describe_parts(struct request *r, const struct parts *parts,
    struct consumer_group_describe_response_assignment *out)
{
    size_t n = parts_topics(parts);
    struct consumer_group_describe_response_topic *to = wire_new(
        &consumer_group_describe_response_topic_type, &r->arena, n);

    out->topic_partitions.v = to;
    for (uint32_t i = 0, end; to != NULL && i < parts->count; i = end) {
        const struct topic *t = topics_by_id(&r->api->topics,
            &parts->v[i].topic);

        for (end = i; end < parts->count
             && uuid_eq(&parts->v[end].topic, &parts->v[i].topic);)
            end++;
        if (t == NULL)
            continue;
        to->topic_id = t->id;
        to->topic_name = span_str(t->name);
        to->partitions.v = request_alloc(r, end - i,
            sizeof *to->partitions.v);
        if (to->partitions.v == NULL)
            return false;
        for (uint32_t k = i; k < end; k++)
            to->partitions.v[to->partitions.n++] = parts->v[k].partition;
        out->topic_partitions.n++;
        to++;
    }
    return out->topic_partitions.v != NULL;
}

static bool
describe_member(struct request *r, const struct consumer_member *m,
    struct consumer_group_describe_response_member *out)
{
    struct consumer_member_image im;

    consumer_member_image(m, &im);
    out->member_id = im.member_id;
    out->instance_id = im.instance_id;
    out->rack_id = im.rack_id;
    out->member_epoch = im.epoch;
    out->client_id = im.client_id;
    out->client_host = im.client_host;
    out->subscribed_topic_regex = im.regex.len == 0 ? SPAN_NULL : im.regex;
    out->member_type = im.classic ? 0 : 1;
    out->subscribed_topic_names.v = request_alloc(r, im.topic_count,
        sizeof *im.topics);
    if (out->subscribed_topic_names.v == NULL)
        return false;
    for (size_t i = 0; i < im.topic_count; i++)
        out->subscribed_topic_names.v[i] = im.topics[i];
    out->subscribed_topic_names.n = (int32_t)im.topic_count;
    return describe_parts(r, &im.assigned, &out->assignment)
        && describe_parts(r, &im.target, &out->target_assignment);
}

static bool
describe_group(struct request *r, struct span id,
    struct consumer_group_describe_response_group *out)
{
    const struct consumer_group_describe_request *body = r->body;
    const struct group *g = groups_get(&r->api->groups, id);
    const struct consumer_member *m = NULL;
    struct consumer_image im;

    out->group_id = id;
    if (g == NULL || group_type(g) != GROUP_CONSUMER) {
        out->error_code = KERR_GROUP_ID_NOT_FOUND;
        out->error_message = request_text(r, g == NULL
                ? "Group %.*s not found."
                : "Group %.*s is not a consumer group.", NAME_ARGS(id));
        return true;
    }
    consumer_image(g, &im);
    out->group_state = span_str(group_state_name(group_state(g)));
    out->group_epoch = im.epoch;
    out->assignment_epoch = im.target_epoch;
    out->assignor_name = span_str(consumer_assignor(g));
    if (body->include_authorized_operations)
        out->authorized_operations = ALL_OPERATIONS;
    out->members.v = wire_new(&consumer_group_describe_response_member_type,
        &r->arena, group_member_count(g));
    if (out->members.v == NULL)
        return false;
    while ((m = consumer_member_next(g, m)) != NULL)
        if (!describe_member(r, m, &out->members.v[out->members.n++]))
            return false;
    return true;
}

void
handle_consumer_group_describe(struct request *r)
{
    const struct consumer_group_describe_request *body = r->body;
    struct consumer_group_describe_response *out = request_response(r);
    size_t n = wire_count(body->group_ids.n);

    out->groups.v = wire_new(&consumer_group_describe_response_group_type,
        &r->arena, n);
    for (size_t i = 0; i < n && out->groups.v != NULL; i++)
        if (!describe_group(r, body->group_ids.v[i], &out->groups.v[i]))
            out->groups.v = NULL;
    if (out->groups.v == NULL) {
        request_close(r, "the request names too many groups");
        return;
    }
    out->groups.n = (int32_t)n;
    request_reply(r, seq_gate(r->api->seq), out);
}
