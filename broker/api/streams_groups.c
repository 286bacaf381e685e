/*
 * streams_groups.c: groups of the streams protocol (KIP-1071) at the door:
 * StreamsGroupHeartbeat and StreamsGroupDescribe. Steps, changes and answers
 * go the way of groups.c.
 *
 * Internal topics that the group misses are made when a heartbeat is
 * answered, each as CreateTopics would; the answer says that they were
 * missing (and why one could not be made), the next heartbeat finds them.
 */
#include "config.h"

#include "api/group_records.h"
#include "base/check.h"
#include "base/limits.h"
#include "wire/msg/streams_groups.h"
#include "wire/msg/topics.h"

enum {
    /* Read, delete, describe: all that there is without access control. */
    ALL_OPERATIONS = 1 << 3 | 1 << 6 | 1 << 8,
};

/* ---- StreamsGroupHeartbeat: in ---- */

static bool
read_pairs(struct request *r, const struct streams_key_value *from, int32_t n,
    struct streams_pair **out, uint32_t *count)
{
    *count = (uint32_t)wire_count(n);
    *out = request_alloc(r, *count, sizeof **out);
    for (uint32_t i = 0; *out != NULL && i < *count; i++)
        (*out)[i] = (struct streams_pair){from[i].key, from[i].value};
    return *out != NULL;
}

static bool
read_topics(struct request *r, const struct streams_topic_info *from,
    int32_t n, struct streams_topic **out, uint32_t *count)
{
    struct streams_topic *list;

    *count = (uint32_t)wire_count(n);
    *out = list = request_alloc(r, *count, sizeof *list);
    for (uint32_t i = 0; list != NULL && i < *count; i++) {
        list[i].name = from[i].name;
        list[i].partitions = from[i].partitions;
        list[i].replicas = from[i].replication_factor;
        if (!read_pairs(r, from[i].topic_configs.v, from[i].topic_configs.n,
                &list[i].configs, &list[i].config_count))
            return false;
    }
    return list != NULL;
}

static bool
read_subtopology(struct request *r,
    const struct streams_group_heartbeat_request_subtopology *from,
    struct streams_subtopology *to)
{
    to->id = from->subtopology_id;
    to->sources = from->source_topics.v;
    to->source_count = (uint32_t)wire_count(from->source_topics.n);
    to->sinks = from->repartition_sink_topics.v;
    to->sink_count = (uint32_t)wire_count(from->repartition_sink_topics.n);
    to->copartition_count = (uint32_t)wire_count(from->copartition_groups.n);
    to->copartitions = request_alloc(r, to->copartition_count,
        sizeof *to->copartitions);
    for (uint32_t i = 0; to->copartitions != NULL
         && i < to->copartition_count; i++) {
        const struct streams_copartition_group *c
            = &from->copartition_groups.v[i];

        to->copartitions[i] = (struct streams_copartition){
            .sources = c->source_topics.v,
            .source_count = (uint32_t)wire_count(c->source_topics.n),
            .repartitions = c->repartition_source_topics.v,
            .repartition_count
            = (uint32_t)wire_count(c->repartition_source_topics.n)};
    }
    return to->copartitions != NULL
        && read_topics(r, from->repartition_source_topics.v,
            from->repartition_source_topics.n, &to->repartitions,
            &to->repartition_count)
        && read_topics(r, from->state_changelog_topics.v,
            from->state_changelog_topics.n, &to->changelogs,
            &to->changelog_count);
}

static struct streams_topology *
read_topology(struct request *r,
    const struct streams_group_heartbeat_request_topology *from)
{
    struct streams_topology *t = request_alloc(r, 1, sizeof *t);
    size_t n = wire_count(from->subtopologies.n);

    if (t == NULL)
        return NULL;
    t->epoch = from->epoch;
    t->list = request_alloc(r, n, sizeof *t->list);
    for (; t->list != NULL && t->count < n; t->count++)
        if (!read_subtopology(r, &from->subtopologies.v[t->count],
                &t->list[t->count]))
            return NULL;
    return t->list == NULL ? NULL : t;
}

static bool
read_tags(struct request *r, struct span *out)
{
    const struct streams_group_heartbeat_request *body = r->body;
    struct streams_pair *pairs;
    uint32_t count;
    struct buf b;

    *out = SPAN_NULL;
    if (body->client_tags.n < 0)
        return true;
    if (!read_pairs(r, body->client_tags.v, body->client_tags.n, &pairs,
            &count))
        return false;
    buf_init(&b, 2 * STREAMS_TAGS_MAX);
    streams_pairs_put(&b, pairs, count);
    *out = b.failed ? SPAN_NULL : arena_copy(&r->arena, buf_span(&b));
    buf_release(&b);
    return out->ptr != NULL;
}

/* A task of a subtopology that the group does not have becomes one that no
 * topology has: the group refuses it. */
static bool
read_owned(struct request *r, struct group_beat *b)
{
    const struct streams_group_heartbeat_request *body = r->body;
    const struct group *g = groups_get(&r->api->groups, body->group_id);
    const struct streams_topology *t = g == NULL ? NULL : streams_topology(g);
    struct part *list;
    size_t n = 0;

    for (size_t i = 0; i < wire_count(body->active_tasks.n); i++)
        n += wire_count(body->active_tasks.v[i].partitions.n);
    list = request_alloc(r, n, sizeof *list);
    if (list == NULL || n > PARTITIONS_MAX)
        return false;
    for (size_t i = 0; i < wire_count(body->active_tasks.n); i++) {
        const struct streams_task_ids *ids = &body->active_tasks.v[i];
        int place = streams_place(t, ids->subtopology_id);
        struct uuid id = streams_part_id(place < 0 ? UINT32_MAX - 1
                                                   : (uint32_t)place);

        for (size_t k = 0; k < wire_count(ids->partitions.n); k++)
            list[b->owned_count++] = (struct part){id, ids->partitions.v[k]};
    }
    b->owned = list;
    b->has_owned = body->active_tasks.n >= 0;
    return true;
}

static bool
read_beat(struct request *r, struct group_beat *b, struct streams_beat *s)
{
    const struct streams_group_heartbeat_request *body = r->body;
    struct streams_endpoint_at *at = request_alloc(r, 1, sizeof *at);

    *b = (struct group_beat){.member_id = body->member_id,
        .epoch = body->member_epoch,
        .instance_id = body->instance_id,
        .rack_id = body->rack_id,
        .rebalance_timeout_ms = body->rebalance_timeout_ms,
        .client_id = request_client_id(r),
        .client_host = request_client_host(r),
        .own_id = true,
        .streams = s};
    *s = (struct streams_beat){.process_id = body->process_id,
        .endpoint_epoch = body->endpoint_information_epoch,
        .shutdown = body->shutdown_application};
    if (at == NULL || !read_tags(r, &s->tags) || !read_owned(r, b))
        return false;
    if (body->user_endpoint != NULL) {
        *at = (struct streams_endpoint_at){body->user_endpoint->host,
            body->user_endpoint->port};
        s->endpoint = at;
    }
    if (body->topology != NULL) {
        s->topology = read_topology(r, body->topology);
        return s->topology != NULL;
    }
    return true;
}

static bool
has_regex(const struct streams_group_heartbeat_request *body)
{
    for (size_t i = 0; body->topology != NULL
         && i < wire_count(body->topology->subtopologies.n); i++) {
        const struct streams_group_heartbeat_request_subtopology *s
            = &body->topology->subtopologies.v[i];

        if (s->source_topic_regex.n > 0)
            return true;
        for (size_t k = 0; k < wire_count(s->copartition_groups.n); k++)
            if (s->copartition_groups.v[k].source_topic_regex.n > 0)
                return true;
    }
    return false;
}

static const char *
fault(const struct streams_group_heartbeat_request *body)
{
    bool joins = body->member_epoch == 0;

    if (joins && body->standby_tasks.n > 0)
        return "A member that joins holds no standby tasks.";
    if (joins && body->warmup_tasks.n > 0)
        return "A member that joins holds no warm-up tasks.";
    if ((body->active_tasks.n < 0) != (body->standby_tasks.n < 0)
        || (body->active_tasks.n < 0) != (body->warmup_tasks.n < 0))
        return "Tasks of all three kinds are told, or of none.";
    if (body->task_offsets.n > 0)
        return "Offsets of tasks are not taken.";
    if (body->task_end_offsets.n > 0)
        return "End offsets of tasks are not taken.";
    if (body->warmup_tasks.n > 0)
        return "There are no warm-up tasks here.";
    if (has_regex(body))
        return "A subtopology names its source topics: no expressions.";
    if (span_has_nul(body->member_id) || span_has_nul(body->instance_id))
        return "An id can not hold a NUL.";
    return NULL;
}

static void
refuse(struct request *r, enum kerr error, const char *text)
{
    struct streams_group_heartbeat_response *out = request_response(r);

    out->error_code = (int16_t)error;
    out->error_message = span_str(text == NULL ? kerr_text(error) : text);
    request_reply(r, 0, out);
}

/* What the members' records may grow by: all tasks. */
static size_t
beat_cost(struct request *r)
{
    const struct streams_group_heartbeat_request *body = r->body;
    const struct group *g = groups_get(&r->api->groups, body->group_id);
    const struct streams_topology *t = g == NULL ? NULL : streams_topology(g);
    size_t subtopologies = t == NULL ? 0 : t->count, tasks;

    if (body->topology != NULL)
        subtopologies += wire_count(body->topology->subtopologies.n);
    tasks = subtopologies * r->api->topics.partitions;
    if (tasks > STREAMS_TASKS_MAX)
        tasks = STREAMS_TASKS_MAX;
    return group_cost(r, body->group_id) + tasks * CONSUMER_PART_COST;
}

void
handle_streams_group_heartbeat(struct request *r)
{
    const struct streams_group_heartbeat_request *body = r->body;
    struct group_event ev = {.kind = GROUP_EV_BEAT, .token = r,
        .group_id = body->group_id};
    const char *text = fault(body);
    struct streams_beat s;
    bool quiet;

    if (text != NULL) {
        refuse(r, KERR_INVALID_REQUEST, text);
        return;
    }
    if (!read_beat(r, &ev.beat, &s)) {
        request_close(r, "the request is too large");
        return;
    }
    quiet = groups_beat_is_quiet(&r->api->groups, body->group_id, &ev.beat);
    if (!quiet && seq_readonly(r->api->seq, NULL))
        refuse(r, KERR_COORDINATOR_NOT_AVAILABLE, NULL);
    else
        group_request(r, &ev, quiet ? 0 : beat_cost(r));
}

/* ---- StreamsGroupHeartbeat: out ---- */

static struct streams_task_ids *
task_ids(struct request *r, const struct streams_topology *t,
    const struct parts *parts, int32_t *count)
{
    struct streams_task_ids *list = wire_new(&streams_task_ids_type,
        &r->arena, parts_topics(parts));

    *count = 0;
    for (uint32_t i = 0, end; list != NULL && i < parts->count; i = end) {
        struct streams_task_ids *to = &list[(*count)++];
        uint32_t place = streams_part_place(&parts->v[i].topic);

        assert(place < t->count);
        to->subtopology_id = t->list[place].id;
        to->partitions.v = request_alloc(r, parts->count - i,
            sizeof *to->partitions.v);
        if (to->partitions.v == NULL)
            return NULL;
        for (end = i; end < parts->count && uuid_eq(&parts->v[end].topic,
                 &parts->v[i].topic); end++)
            to->partitions.v[to->partitions.n++] = parts->v[end].partition;
    }
    return list;
}

/* The sentence says which could not be made; true: one was. */
static bool
make_topics(struct request *r, const struct group *g, struct span *detail)
{
    size_t n;
    const struct streams_make *makes = streams_makes(g, &n);
    bool made = false;

    for (size_t i = 0; i < n; i++) {
        const struct streams_topic *from = makes[i].topic;
        struct create_topics_request_topic *in = wire_new(
            &create_topics_request_topic_type, &r->arena, 1);
        struct create_topics_request_config *configs = wire_new(
            &create_topics_request_config_type, &r->arena,
            from->config_count);
        struct err err = {0};

        if (in == NULL || configs == NULL)
            break;
        in->name = from->name;
        in->num_partitions = makes[i].partitions;
        in->replication_factor = from->replicas == 0 ? -1 : from->replicas;
        in->configs.v = configs;
        in->configs.n = (int32_t)from->config_count;
        for (uint32_t k = 0; k < from->config_count; k++) {
            configs[k].name = from->configs[k].key;
            configs[k].value = from->configs[k].value;
        }
        if (api_create_topic(r, in, &err) == KERR_NONE)
            made = true;
        else
            *detail = request_text(r, "%.*s; Creation of %.*s failed: %s",
                (int)(detail->len < 1000 ? detail->len : 1000),
                (const char *)detail->ptr, NAME_ARGS(from->name), err.text);
    }
    return made;
}

static void
status_add(struct streams_group_heartbeat_response *out,
    enum streams_code code, struct span detail)
{
    struct streams_status *to = &out->status.v[out->status.n++];

    to->status_code = (int8_t)code;
    to->status_detail = detail;
}

/* true: topics were made. */
static bool
fill_status(struct request *r, const struct group *g,
    const struct streams_member *m,
    struct streams_group_heartbeat_response *out)
{
    const struct streams_topology *t = streams_topology(g);
    struct span detail, by = streams_shutdown(g);
    enum streams_code code = streams_status(g, &detail);
    bool made = false;

    if (m->topology_epoch < t->epoch)
        status_add(out, STREAMS_STALE_TOPOLOGY, request_text(r,
            "The member knows the topology of epoch %d, the group that of "
            "%d.", (int)m->topology_epoch, (int)t->epoch));
    if (code >= 0) {
        if (code == STREAMS_MISSING_INTERNAL_TOPICS)
            made = make_topics(r, g, &detail);
        status_add(out, code, arena_copy(&r->arena, detail));
    }
    if (by.ptr != NULL)
        status_add(out, STREAMS_SHUTDOWN_APPLICATION, request_text(r,
            "Member %.*s asks all of the application to stop: it can't "
            "go on.",
            NAME_ARGS(by)));
    return made;
}

/* The partitions that the tasks of one subtopology read from one topic. */
static bool
topic_partitions(struct request *r, const struct parts *parts, uint32_t from,
    uint32_t to, struct span name, struct streams_topic_partition *out)
{
    const struct topic *t = topics_find(&r->api->topics, name);

    out->topic = arena_copy(&r->arena, name);
    out->partitions.v = request_alloc(r, to - from, sizeof(int32_t));
    for (uint32_t i = from; t != NULL && out->partitions.v != NULL && i < to;
         i++)
        if (parts->v[i].partition < t->partition_count)
            out->partitions.v[out->partitions.n++] = parts->v[i].partition;
    return out->partitions.v != NULL;
}

static bool
endpoint_partitions(struct request *r, const struct streams_topology *t,
    const struct parts *parts, struct streams_endpoint_partitions *out)
{
    size_t n = 0;

    for (uint32_t i = 0; i < parts->count; i++)
        if (i == 0 || !uuid_eq(&parts->v[i].topic, &parts->v[i - 1].topic)) {
            const struct streams_subtopology *s
                = &t->list[streams_part_place(&parts->v[i].topic)];

            n += s->source_count + s->repartition_count;
        }
    out->active_partitions.v = wire_new(&streams_topic_partition_type,
        &r->arena, n);
    if (out->active_partitions.v == NULL)
        return false;
    for (uint32_t i = 0, end; i < parts->count; i = end) {
        const struct streams_subtopology *s
            = &t->list[streams_part_place(&parts->v[i].topic)];

        for (end = i; end < parts->count && uuid_eq(&parts->v[end].topic,
                 &parts->v[i].topic); end++)
            continue;
        for (uint32_t k = 0; k < s->source_count + s->repartition_count; k++)
            if (!topic_partitions(r, parts, i, end, k < s->source_count
                        ? s->sources[k]
                        : s->repartitions[k - s->source_count].name,
                    &out->active_partitions.v[out->active_partitions.n++]))
                return false;
    }
    return true;
}

static bool
fill_endpoints(struct request *r, const struct group *g,
    struct streams_group_heartbeat_response *out)
{
    const struct consumer_member *m = NULL;
    struct consumer_member_image im;

    out->partitions_by_user_endpoint.n = 0;
    out->partitions_by_user_endpoint.v = wire_new(
        &streams_endpoint_partitions_type, &r->arena, group_member_count(g));
    if (out->partitions_by_user_endpoint.v == NULL)
        return false;
    while ((m = consumer_member_next(g, m)) != NULL) {
        struct streams_endpoint_partitions *to;

        consumer_member_image(m, &im);
        if (!im.streams->has_endpoint)
            continue;
        to = &out->partitions_by_user_endpoint
                  .v[out->partitions_by_user_endpoint.n++];
        to->user_endpoint.host = im.streams->endpoint.host;
        to->user_endpoint.port = im.streams->endpoint.port;
        if (!endpoint_partitions(r, streams_topology(g), &im.assigned, to))
            return false;
    }
    return true;
}

static bool
fill_tasks(struct request *r, const struct group *g,
    const struct parts *parts, struct streams_group_heartbeat_response *out)
{
    out->active_tasks.v = task_ids(r, streams_topology(g), parts,
        &out->active_tasks.n);
    out->standby_tasks.v = wire_new(&streams_task_ids_type, &r->arena, 0);
    out->warmup_tasks.v = wire_new(&streams_task_ids_type, &r->arena, 0);
    out->standby_tasks.n = out->warmup_tasks.n = 0;
    return out->active_tasks.v != NULL;
}

static const struct streams_member *
member_of(const struct group *g, struct span id)
{
    const struct consumer_member *m = NULL;
    struct consumer_member_image im;

    while ((m = consumer_member_next(g, m)) != NULL) {
        consumer_member_image(m, &im);
        if (span_eq(im.member_id, id))
            return im.streams;
    }
    return NULL;
}

void
streams_group_beaten(struct request *r, const struct group_fx *e,
    uint64_t gate)
{
    const struct streams_group_heartbeat_request *body = r->body;
    struct streams_group_heartbeat_response *out = request_response(r);
    const struct group *g = groups_get(&r->api->groups, body->group_id);
    bool fine = true;

    out->status.n = 0;
    out->status.v = wire_new(&streams_status_type, &r->arena, 3);
    out->error_code = (int16_t)e->error;
    if (e->error != KERR_NONE) {
        out->error_message = span_str(e->beaten.message == NULL
                ? kerr_text(e->error) : e->beaten.message);
        request_reply(r, gate, out);
        return;
    }
    out->member_id = e->beaten.member_id;
    out->member_epoch = e->beaten.epoch;
    out->heartbeat_interval_ms = e->beaten.interval_ms;
    if (out->status.v == NULL) {
        fine = false;
    } else if (e->beaten.epoch >= 0) {
        const struct streams_member *m = member_of(g, e->beaten.member_id);

        assert(m != NULL);
        out->endpoint_information_epoch = e->beaten.endpoint_epoch;
        if (e->beaten.assignment != NULL)
            fine = fill_tasks(r, g, e->beaten.assignment, out);
        if (fine && body->endpoint_information_epoch
                != e->beaten.endpoint_epoch)
            fine = fill_endpoints(r, g, out);
        if (fine && fill_status(r, g, m, out))
            gate = seq_gate(r->api->seq);
    }
    if (fine)
        request_reply(r, gate, out);
    else
        request_close(r, "an assignment is too large");
}

/* ---- StreamsGroupDescribe ---- */

static bool
describe_topics(struct request *r, const struct streams_topic *list,
    uint32_t n, struct streams_topic_info **out, int32_t *count)
{
    struct streams_topic_info *to = wire_new(&streams_topic_info_type,
        &r->arena, n);

    *out = to;
    *count = (int32_t)n;
    for (uint32_t i = 0; to != NULL && i < n; i++) {
        to[i].name = list[i].name;
        to[i].partitions = list[i].partitions;
        to[i].replication_factor = list[i].replicas;
        to[i].topic_configs.n = (int32_t)list[i].config_count;
        to[i].topic_configs.v = wire_new(&streams_key_value_type, &r->arena,
            list[i].config_count);
        if (to[i].topic_configs.v == NULL)
            return false;
        for (uint32_t k = 0; k < list[i].config_count; k++) {
            to[i].topic_configs.v[k].key = list[i].configs[k].key;
            to[i].topic_configs.v[k].value = list[i].configs[k].value;
        }
    }
    return to != NULL;
}

static bool
describe_topology(struct request *r, const struct streams_topology *t,
    struct streams_group_describe_response_group *out)
{
    struct streams_group_describe_response_subtopology *to = wire_new(
        &streams_group_describe_response_subtopology_type, &r->arena,
        t->count);

    out->topology = wire_new(&streams_group_describe_response_topology_type,
        &r->arena, 1);
    if (out->topology == NULL || to == NULL)
        return false;
    out->topology->epoch = t->epoch;
    out->topology->subtopologies.v = to;
    out->topology->subtopologies.n = (int32_t)t->count;
    for (uint32_t i = 0; i < t->count; i++, to++) {
        const struct streams_subtopology *s = &t->list[i];

        to->subtopology_id = s->id;
        to->source_topics.v = s->sources;
        to->source_topics.n = (int32_t)s->source_count;
        to->repartition_sink_topics.v = s->sinks;
        to->repartition_sink_topics.n = (int32_t)s->sink_count;
        if (!describe_topics(r, s->changelogs, s->changelog_count,
                &to->state_changelog_topics.v, &to->state_changelog_topics.n)
            || !describe_topics(r, s->repartitions, s->repartition_count,
                &to->repartition_source_topics.v,
                &to->repartition_source_topics.n))
            return false;
    }
    return true;
}

static bool
describe_tags(struct request *r, struct span tags,
    struct streams_group_describe_response_member *out)
{
    struct streams_pair *pairs;
    uint32_t n;

    if (!streams_pairs_get(tags, &r->arena, &pairs, &n))
        return false;
    out->client_tags.n = (int32_t)n;
    out->client_tags.v = wire_new(&streams_key_value_type, &r->arena, n);
    for (uint32_t i = 0; out->client_tags.v != NULL && i < n; i++) {
        out->client_tags.v[i].key = pairs[i].key;
        out->client_tags.v[i].value = pairs[i].value;
    }
    return out->client_tags.v != NULL;
}

static bool
describe_member(struct request *r, const struct streams_topology *t,
    const struct consumer_member *m,
    struct streams_group_describe_response_member *out)
{
    struct consumer_member_image im;

    consumer_member_image(m, &im);
    out->member_id = im.member_id;
    out->member_epoch = im.epoch;
    out->instance_id = im.instance_id;
    out->rack_id = im.rack_id;
    out->client_id = im.client_id;
    out->client_host = im.client_host;
    out->topology_epoch = im.streams->topology_epoch;
    out->process_id = im.streams->process_id;
    if (im.streams->has_endpoint) {
        out->user_endpoint = wire_new(&streams_endpoint_type, &r->arena, 1);
        if (out->user_endpoint == NULL)
            return false;
        out->user_endpoint->host = im.streams->endpoint.host;
        out->user_endpoint->port = im.streams->endpoint.port;
    }
    out->assignment.active_tasks.v = task_ids(r, t, &im.assigned,
        &out->assignment.active_tasks.n);
    out->target_assignment.active_tasks.v = task_ids(r, t, &im.target,
        &out->target_assignment.active_tasks.n);
    return out->assignment.active_tasks.v != NULL
        && out->target_assignment.active_tasks.v != NULL
        && describe_tags(r, im.streams->tags, out);
}

static bool
describe_group(struct request *r, struct span id,
    struct streams_group_describe_response_group *out)
{
    const struct streams_group_describe_request *body = r->body;
    const struct group *g = groups_get(&r->api->groups, id);
    const struct consumer_member *m = NULL;
    struct consumer_image im;

    out->group_id = id;
    if (g == NULL || group_type(g) != GROUP_STREAMS) {
        out->error_code = KERR_GROUP_ID_NOT_FOUND;
        out->error_message = request_text(r, g == NULL
                ? "There is no group %.*s."
                : "Group %.*s is of another type.", NAME_ARGS(id));
        return true;
    }
    consumer_image(g, &im);
    out->group_state = span_str(group_state_name(group_state(g)));
    out->group_epoch = im.epoch;
    out->assignment_epoch = im.target_epoch;
    if (body->include_authorized_operations)
        out->authorized_operations = ALL_OPERATIONS;
    if (streams_topology(g) != NULL
        && !describe_topology(r, streams_topology(g), out))
        return false;
    out->members.v = wire_new(&streams_group_describe_response_member_type,
        &r->arena, group_member_count(g));
    if (out->members.v == NULL)
        return false;
    while ((m = consumer_member_next(g, m)) != NULL)
        if (!describe_member(r, streams_topology(g), m,
                &out->members.v[out->members.n++]))
            return false;
    return true;
}

void
handle_streams_group_describe(struct request *r)
{
    const struct streams_group_describe_request *body = r->body;
    struct streams_group_describe_response *out = request_response(r);
    size_t n = wire_count(body->group_ids.n);

    out->groups.v = wire_new(&streams_group_describe_response_group_type,
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
