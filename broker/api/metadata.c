/*
 * metadata.c: what the broker is and what it has: ApiVersions, Metadata,
 * DescribeCluster, FindCoordinator. There is one node, which is leader,
 * controller and coordinator of everything.
 */
#include "config.h"

#include "api/api_priv.h"
#include "base/check.h"
#include "base/limits.h"
#include "wire/msg/groups.h"
#include "wire/msg/metadata.h"

/* Where clients reach us: as configured, else where this one did, so that
 * nobody has to set advertised listeners to get going. */
static struct span
our_host(const struct request *r)
{
    const char *h = r->api->opts.advertised_host;

    return span_str(h != NULL ? h : conn_local_host(r->session->conn));
}

static int32_t
our_port(const struct request *r)
{
    return r->api->opts.advertised_host != NULL
        ? r->api->opts.advertised_port
        : conn_local_port(r->session->conn);
}

static struct span
cluster_id(struct request *r)
{
    char text[UUID_TEXT];

    return request_text(r, "%s",
        uuid_text(seq_cluster_id(r->api->seq), text));
}

/* ---- ApiVersions ---- */

/* The software's name and version must look like one (KIP-511). */
static bool
software_ok(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        bool edge = i == 0 || i + 1 == s.len;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9'))
            continue;
        if (edge || (c != '-' && c != '.'))
            return false;
    }
    return s.len > 0;
}

/* What is on, and at which level (KIP-584). All are supported from 0 on. */
static const struct feature {
    const char *name;
    int16_t level;
} features[] = {
    {"group.version", 1},        /* KIP-848 */
    {"streams.version", 1},      /* KIP-1071 */
    {"transaction.version", 2},  /* KIP-890 */
};

enum { FEATURES = sizeof features / sizeof features[0] };

/* Before version 4 a minimum of 0 could not be read, so what has one is left
 * out of what is supported, as in Kafka. */
static void
fill_features(struct request *r, struct api_versions_response *out)
{
    out->supported_features.v = wire_new(
        &api_versions_response_supported_type, &r->arena, FEATURES);
    out->finalized_features.v = wire_new(
        &api_versions_response_finalized_type, &r->arena, FEATURES);
    assert(out->supported_features.v != NULL
        && out->finalized_features.v != NULL);
    for (int i = 0; i < FEATURES; i++) {
        out->supported_features.v[i].name = span_str(features[i].name);
        out->supported_features.v[i].max_version = features[i].level;
        out->finalized_features.v[i].name = span_str(features[i].name);
        out->finalized_features.v[i].min_version_level = features[i].level;
        out->finalized_features.v[i].max_version_level = features[i].level;
    }
    out->supported_features.n = r->header.api_version >= 4 ? FEATURES : 0;
    out->finalized_features.n = FEATURES;
    out->finalized_features_epoch = 0;
}

void
handle_api_versions(struct request *r)
{
    const struct api_versions_request *body = r->body;
    struct api_versions_response *out = request_response(r);
    const struct wire_api *api;
    size_t count = 0;

    if (!wire_api_takes(r->desc, r->header.api_version))
        out->error_code = KERR_UNSUPPORTED_VERSION;
    else if (r->header.api_version >= 3
        && (!software_ok(body->client_software_name)
            || !software_ok(body->client_software_version)))
        out->error_code = KERR_INVALID_REQUEST;
    while (wire_api_nth(count) != NULL)
        count++;
    out->api_keys.v = wire_new(&api_versions_response_api_type, &r->arena,
        count);
    assert(out->api_keys.v != NULL);
    for (size_t i = 0; i < count && out->error_code
            != KERR_INVALID_REQUEST; i++) {
        struct api_versions_response_api *to
            = &out->api_keys.v[out->api_keys.n];

        api = wire_api_nth(i);
        if (!api->served)
            continue;
        to->api_key = api->key;
        to->min_version = api->announced;
        to->max_version = api->max;
        out->api_keys.n++;
    }
    fill_features(r, out);
    request_reply(r, 0, out);
}

/* ---- Metadata ---- */

static int
fill_partitions(struct request *r, const struct topic *t,
    struct metadata_response_topic *out)
{
    int32_t *node = request_alloc(r, 1, sizeof *node);

    out->partitions.v = wire_new(&metadata_response_partition_type, &r->arena,
        (size_t)t->partition_count);
    if (out->partitions.v == NULL || node == NULL)
        return -1;
    *node = r->api->opts.node_id;
    out->partitions.n = t->partition_count;
    for (int32_t i = 0; i < t->partition_count; i++) {
        struct metadata_response_partition *p = &out->partitions.v[i];

        p->partition_index = i;
        p->leader_id = *node;
        p->leader_epoch = t->leader_epoch;
        p->replica_nodes.v = node;
        p->replica_nodes.n = 1;
        p->isr_nodes.v = node;
        p->isr_nodes.n = 1;
    }
    return 0;
}

static int
fill_topic(struct request *r, const struct topic *t,
    struct metadata_response_topic *out)
{
    const struct metadata_request *body = r->body;

    out->name = span_str(t->name);
    out->topic_id = t->id;
    out->is_internal = false;
    if (body->include_topic_authorized_operations)
        out->topic_authorized_operations = AUTHORIZED_TOPIC;
    return fill_partitions(r, t, out);
}

/* By id, beside which the Java client sends an empty name, or by name. */
static int
fill_asked(struct request *r, const struct metadata_request_topic *in,
    struct metadata_response_topic *out)
{
    const struct metadata_request *body = r->body;
    enum kerr error;
    struct topic *t;

    out->topic_id = in->topic_id;
    if (!uuid_is_zero(&in->topic_id)) {
        out->name = SPAN_NULL;
        t = api_topic(r->api, SPAN_NULL, &in->topic_id, &error);
    } else if (in->name.ptr == NULL) {
        out->error_code = KERR_INVALID_REQUEST;
        return 0;
    } else {
        out->name = in->name;
        t = api_topic(r->api, in->name, NULL, &error);
        if (t == NULL && !topic_name_valid(in->name))
            error = KERR_INVALID_TOPIC_EXCEPTION;
        else if (t == NULL && body->allow_auto_topic_creation)
            t = api_auto_create(r->api, in->name, &error);
    }
    out->error_code = (int16_t)(t == NULL ? error : KERR_NONE);
    return t == NULL ? 0 : fill_topic(r, t, out);
}

static int
fill_topics(struct request *r, struct metadata_response *out)
{
    const struct metadata_request *body = r->body;
    struct topics *ts = &r->api->topics;
    bool all = body->topics.n < 0;
    size_t n = all ? ts->by_name.count : (size_t)body->topics.n;
    struct omap_iter it;
    struct topic *t;

    out->topics.v = wire_new(&metadata_response_topic_type, &r->arena, n);
    if (out->topics.v == NULL)
        return -1;
    if (!all) {
        for (; out->topics.n < body->topics.n; out->topics.n++)
            if (fill_asked(r, &body->topics.v[out->topics.n],
                    &out->topics.v[out->topics.n]) < 0)
                return -1;
        return 0;
    }
    omap_seek(&ts->by_name, SPAN_NULL, &it);
    while ((t = topics_next(&it)) != NULL)
        if (fill_topic(r, t, &out->topics.v[out->topics.n++]) < 0)
            return -1;
    return 0;
}

void
handle_metadata(struct request *r)
{
    const struct metadata_request *body = r->body;
    struct metadata_response *out;

    /* 20,000 partitions need more than a request's usual arena. */
    r->arena.limit += PARTITIONS_MAX * 256;
    out = request_response(r);
    out->brokers.v = wire_new(&metadata_response_broker_type, &r->arena, 1);
    if (out->brokers.v == NULL || fill_topics(r, out) < 0) {
        request_close(r, "the request names too many topics");
        return;
    }
    out->brokers.n = 1;
    out->brokers.v[0].node_id = r->api->opts.node_id;
    out->brokers.v[0].host = our_host(r);
    out->brokers.v[0].port = our_port(r);
    out->cluster_id = cluster_id(r);
    out->controller_id = r->api->opts.node_id;
    if (body->include_cluster_authorized_operations)
        out->cluster_authorized_operations = AUTHORIZED_CLUSTER;
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- DescribeCluster ---- */

void
handle_describe_cluster(struct request *r)
{
    const struct describe_cluster_request *body = r->body;
    struct describe_cluster_response *out = request_response(r);

    out->endpoint_type = body->endpoint_type;
    out->cluster_id = cluster_id(r);
    if (body->endpoint_type != 1) {
        out->error_code = body->endpoint_type == 2
            ? KERR_MISMATCHED_ENDPOINT_TYPE
            : KERR_UNSUPPORTED_ENDPOINT_TYPE;
        out->error_message = request_text(r,
            "this is an endpoint of brokers");
        request_reply(r, 0, out);
        return;
    }
    out->controller_id = r->api->opts.node_id;
    out->brokers.v = wire_new(&describe_cluster_response_broker_type,
        &r->arena, 1);
    assert(out->brokers.v != NULL);
    out->brokers.n = 1;
    out->brokers.v[0].broker_id = r->api->opts.node_id;
    out->brokers.v[0].host = our_host(r);
    out->brokers.v[0].port = our_port(r);
    if (body->include_cluster_authorized_operations)
        out->cluster_authorized_operations = AUTHORIZED_CLUSTER;
    request_reply(r, 0, out);
}

/* ---- FindCoordinator ---- */

void
handle_find_coordinator(struct request *r)
{
    const struct find_coordinator_request *body = r->body;
    struct find_coordinator_response *out = request_response(r);
    int32_t n = body->coordinator_keys.n > 0 ? body->coordinator_keys.n : 0;

    out->node_id = r->api->opts.node_id;
    out->host = our_host(r);
    out->port = our_port(r);
    out->coordinators.v = wire_new(
        &find_coordinator_response_coordinator_type, &r->arena, (size_t)n);
    if (out->coordinators.v == NULL) {
        request_close(r, "the request names too many coordinators");
        return;
    }
    out->coordinators.n = n;
    for (int32_t i = 0; i < n; i++) {
        struct find_coordinator_response_coordinator *c
            = &out->coordinators.v[i];

        c->key = body->coordinator_keys.v[i];
        c->node_id = out->node_id;
        c->host = out->host;
        c->port = out->port;
    }
    /* 0: group, 1: transaction; 2: share groups, which are not served. */
    if (body->key_type < 0 || body->key_type > 1) {
        out->error_code = KERR_INVALID_REQUEST;
        for (int32_t i = 0; i < n; i++)
            out->coordinators.v[i].error_code = KERR_INVALID_REQUEST;
    }
    request_reply(r, 0, out);
}
