/*
 * configs.c: DescribeConfigs and ListConfigResources: what topics, the broker
 * and groups are set to.
 *
 * A topic shows every config there is, its own values or what holds below
 * them (resource.h). The broker shows the defaults of topics under the names
 * that Kafka's broker has for them, and what it was told at start. A group
 * shows its own settings or the defaults, whether it has members or not.
 */
#include "config.h"

#include <stdio.h>

#include "api/api_priv.h"
#include "api/resource.h"
#include "base/check.h"
#include "base/limits.h"
#include "wire/msg/configs.h"

/* ---- what there is ---- */

enum { LAYERS = 4 };

/* One line of an answer, before it is known which lines are asked for. */
struct line {
    struct span name, value;
    enum config_type type;
    enum config_source source;
    bool read_only;
    const char *doc;
    struct {                     /* what holds, and what would without it */
        const char *name, *value;
        enum config_source source;
    } layer[LAYERS];
    size_t layers;
};

static void
line_layer(struct line *l, const char *name, const char *value,
    enum config_source source)
{
    if (name == NULL || value == NULL)
        return;
    assert(l->layers < LAYERS);
    if (l->layers == 0) {
        l->value = span_str(value);
        l->source = source;
    }
    l->layer[l->layers].name = name;
    l->layer[l->layers].value = value;
    l->layer[l->layers++].source = source;
}

static struct span
broker_listeners(struct request *r)
{
    const struct api_options *o = &r->api->opts;
    const struct conn *c = r->session->conn;
    bool told = o->advertised_host != NULL;

    return request_text(r, "PLAINTEXT://%s:%u",
        told ? o->advertised_host : conn_local_host(c),
        told ? o->advertised_port : conn_local_port(c));
}

/* What is a number and follows from a limit or an option. */
static bool
broker_number(struct request *r, const char *name, int64_t *out)
{
    const struct api_options *o = &r->api->opts;
    const struct group_config *g = &o->groups;
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"broker.id", o->node_id},
        {"connections.max.idle.ms", CONN_IDLE_MS},
        {"default.replication.factor", 1},
        {"fetch.max.bytes", 55 * MIB},
        {"group.consumer.heartbeat.interval.ms", g->consumer_heartbeat_ms},
        {"group.consumer.max.size", g->consumer_members_max},
        {"group.consumer.session.timeout.ms", g->consumer_session_ms},
        {"group.initial.rebalance.delay.ms", g->initial_delay_ms},
        {"group.max.session.timeout.ms", g->session_timeout_max_ms},
        {"group.max.size", g->members_max},
        {"group.min.session.timeout.ms", g->session_timeout_min_ms},
        {"max.connections", CONNECTIONS_MAX},
        {"max.request.partition.size.limit", 2000},
        {"node.id", o->node_id},
        {"num.partitions", o->partitions},
        {"offset.metadata.max.bytes", g->offset_metadata_max},
        {"offsets.retention.minutes", g->offset_retention_ms / 60000},
        {"offsets.topic.replication.factor", 1},
        {"quota.window.num", 11},
        {"quota.window.size.seconds", 1},
        {"socket.request.max.bytes", FRAME_BYTES_MAX},
        {"transaction.state.log.min.isr", 1},
        {"transaction.state.log.replication.factor", 1},
    };

    for (size_t i = 0; i < countof(numbers); i++) {
        if (strcmp(numbers[i].name, name) != 0)
            continue;
        *out = numbers[i].value;
        return true;
    }
    return false;
}

static struct span
broker_value(struct request *r, const char *name)
{
    const struct api_options *o = &r->api->opts;
    int64_t number;

    if (broker_number(r, name, &number))
        return request_text(r, "%lld", (long long)number);
    if (strcmp(name, "advertised.listeners") == 0)
        return broker_listeners(r);
    if (strcmp(name, "listeners") == 0)
        return request_text(r, "PLAINTEXT://%s:%u",
            conn_local_host(r->session->conn),
            conn_local_port(r->session->conn));
    if (strcmp(name, "auto.create.topics.enable") == 0)
        return span_str(o->auto_create ? "true" : "false");
    if (strcmp(name, "broker.rack") == 0)
        return SPAN_NULL;
    if (strcmp(name, "log.dirs") == 0)
        return span_str(seq_dir(r->api->seq));
    if (strcmp(name, "process.roles") == 0)
        return span_str("broker,controller");
    return span_str("true");
}

static const struct {
    const char *name;
    enum config_type type;
    enum config_source source;
    const char *doc;
} broker_lines[] = {
#define X(name, type, source, doc)                                             \
    {name, CONFIG_##type, CONFIG_FROM_##source, doc},
#include "api/broker_config.tbl"
#undef X
};

/* A name that lives as long as the request. NULL: the broker has none. */
static const char *
broker_name(struct request *r, const struct config_def *def)
{
    char text[BROKER_NAME];
    const char *name = broker_config_name(def, text);

    return name == text
        ? arena_strndup(&r->arena, text, strlen(text)) : name;
}

/* What topics have below their own. */
static void
line_defaults(struct line *l, const struct topic_defaults *d,
    const struct config_def *def, const char *name)
{
    line_layer(l, name, topic_config_own(&d->node, def), CONFIG_FROM_NODE);
    line_layer(l, name, topic_config_own(&d->cluster, def),
        CONFIG_FROM_CLUSTER);
    line_layer(l, name, def->value, CONFIG_FROM_DEFAULT);
    if (l->layers == 0) { /* the broker has no name for it */
        l->value = span_str(def->value);
        l->source = CONFIG_FROM_DEFAULT;
    }
}

/* Line i of the broker; false behind the last. */
static bool
broker_line(struct request *r, const void *of, size_t i, struct line *out)
{
    const struct config_def *def;
    const char *name;

    (void)of;
    *out = (struct line){.read_only = true};
    if (i < countof(broker_lines)) {
        out->name = span_str(broker_lines[i].name);
        out->value = broker_value(r, broker_lines[i].name);
        out->type = broker_lines[i].type;
        out->source = broker_lines[i].source;
        out->doc = broker_lines[i].doc;
        return true;
    }
    def = config_def_nth(i - countof(broker_lines));
    if (def == NULL)
        return false;
    name = broker_name(r, def);
    out->name = span_str(name);          /* null: not shown */
    out->type = def->type;
    out->read_only = !def->acts;
    out->doc = def->doc;
    line_defaults(out, &r->api->topics.defaults, def, name);
    return true;
}

/* Line i of what was set for all brokers (the empty name). */
static bool
cluster_line(struct request *r, const void *of, size_t i, struct line *out)
{
    const struct topic_config *c = of;

    if (i >= c->count)
        return false;
    *out = (struct line){.type = c->set[i].def->type,
        .doc = c->set[i].def->doc};
    line_layer(out, broker_name(r, c->set[i].def), c->set[i].value,
        CONFIG_FROM_CLUSTER);
    out->name = span_str(out->layer[0].name);
    return true;
}

static bool
topic_line(struct request *r, const void *of, size_t i, struct line *out)
{
    const struct topic *t = of;
    const struct config_def *def = config_def_nth(i);

    if (def == NULL)
        return false;
    *out = (struct line){.name = span_str(def->name), .type = def->type,
        .doc = def->doc};
    line_layer(out, def->name, topic_config_own(&t->config, def),
        CONFIG_FROM_TOPIC);
    line_defaults(out, &r->api->topics.defaults, def, broker_name(r, def));
    return true;
}

static bool
group_line(struct request *r, const void *of, size_t i, struct line *out)
{
    const struct topic_config *c = of;   /* NULL: nothing is set */
    const struct config_def *def = group_config_nth(i);
    char broker[BROKER_NAME];
    int64_t number;

    if (def == NULL)
        return false;
    *out = (struct line){.name = span_str(def->name), .type = def->type,
        .doc = def->doc};
    if (c != NULL)
        line_layer(out, def->name, topic_config_own(c, def),
            CONFIG_FROM_GROUP);
    snprintf(broker, sizeof broker, "group.%s", def->name);
    line_layer(out, def->name, broker_number(r, broker, &number)
        ? arena_printf(&r->arena, "%lld", (long long)number) : def->value,
        CONFIG_FROM_DEFAULT);
    return true;
}

/* ---- the answer ---- */

/* No keys: all. */
static bool
asked_for(const struct describe_configs_request_resource *in,
    struct span name)
{
    for (size_t i = 0; i < wire_count(in->configuration_keys.n); i++)
        if (span_eq(in->configuration_keys.v[i], name))
            return true;
    return in->configuration_keys.n <= 0;
}

static bool
fill_synonyms(struct request *r, const struct line *l,
    struct describe_configs_response_config *out)
{
    struct describe_configs_response_synonym *s = wire_new(
        &describe_configs_response_synonym_type, &r->arena, l->layers + 1);

    if (s == NULL)
        return false;
    out->synonyms.v = s;
    for (size_t i = 0; i < l->layers; i++) {
        s[i].name = span_str(l->layer[i].name);
        s[i].value = span_str(l->layer[i].value);
        s[i].source = l->layer[i].source;
    }
    out->synonyms.n = (int32_t)l->layers;
    if (l->layers == 0 && l->source == CONFIG_FROM_BROKER) {
        s[0].name = l->name;
        s[0].value = l->value;
        s[0].source = l->source;
        out->synonyms.n = 1;
    }
    return true;
}

static bool
fill_line(struct request *r, const struct line *l,
    struct describe_configs_response_config *out)
{
    const struct describe_configs_request *body = r->body;

    out->name = l->name;
    out->value = l->value;
    out->read_only = l->read_only;
    out->config_source = l->source;
    out->config_type = (int8_t)l->type;
    out->documentation = body->include_documentation ? span_str(l->doc)
                                                     : SPAN_NULL;
    return !body->include_synonyms || fill_synonyms(r, l, out);
}

typedef bool line_fn(struct request *, const void *of, size_t i,
    struct line *);

static bool
fill_configs(struct request *r, line_fn *line, const void *of,
    const struct describe_configs_request_resource *in,
    struct describe_configs_response_resource *out)
{
    struct line l;
    size_t n = 0;

    while (line(r, of, n, &l))
        n++;
    out->configs.v = wire_new(&describe_configs_response_config_type,
        &r->arena, n);
    if (out->configs.v == NULL)
        return false;
    for (size_t i = 0; line(r, of, i, &l); i++)
        if (l.name.ptr != NULL && asked_for(in, l.name)
            && !fill_line(r, &l, &out->configs.v[out->configs.n++]))
            return false;
    return true;
}

/* ---- resources ---- */

static void
refuse(struct request *r, struct describe_configs_response_resource *out,
    enum kerr error, const char *text)
{
    out->error_code = (int16_t)error;
    out->error_message = request_text(r, "%s", text);
}

/* Topics without settings of their own are all the same: one list serves
 * them (*shared), so that ten thousand topics fit an answer. */
static bool
describe_topic(struct request *r,
    const struct describe_configs_request_resource *in,
    struct describe_configs_response_resource *out,
    struct describe_configs_response_resource *shared)
{
    enum kerr error;
    const struct topic *t = api_topic(r->api, in->resource_name, NULL,
        &error);
    bool plain = t != NULL && t->config.count == 0
        && in->configuration_keys.n <= 0;

    if (t == NULL) {
        if (!topic_name_valid(in->resource_name))
            error = KERR_INVALID_TOPIC_EXCEPTION;
        refuse(r, out, error, kerr_text((int)error));
        return true;
    }
    if (plain && shared->configs.v != NULL) {
        out->configs.v = shared->configs.v;
        out->configs.n = shared->configs.n;
        return true;
    }
    if (!fill_configs(r, topic_line, t, in, out))
        return false;
    if (plain) {
        shared->configs.v = out->configs.v;
        shared->configs.n = out->configs.n;
    }
    return true;
}

static bool
describe_broker(struct request *r,
    const struct describe_configs_request_resource *in,
    struct describe_configs_response_resource *out)
{
    if (in->resource_name.len == 0)
        return fill_configs(r, cluster_line, &r->api->topics.defaults.cluster,
            in, out);
    if (resource_get(r->api, RESOURCE_BROKER, in->resource_name) != NULL)
        return fill_configs(r, broker_line, NULL, in, out);
    out->error_code = KERR_INVALID_REQUEST;
    out->error_message = request_text(r, "Unexpected broker id, expected %d "
        "or empty string, but received %.*s", r->api->opts.node_id,
        NAME_ARGS(in->resource_name));
    return true;
}

static bool
describe_group(struct request *r,
    const struct describe_configs_request_resource *in,
    struct describe_configs_response_resource *out)
{
    if (in->resource_name.len > 0)
        return fill_configs(r, group_line, resource_get(r->api,
            RESOURCE_GROUP, in->resource_name), in, out);
    refuse(r, out, KERR_INVALID_REQUEST, "Group name must not be empty");
    return true;
}

static bool
describe(struct request *r,
    const struct describe_configs_request_resource *in,
    struct describe_configs_response_resource *out,
    struct describe_configs_response_resource *shared)
{
    out->error_message = SPAN_NULL;
    out->resource_type = in->resource_type;
    out->resource_name = in->resource_name;
    switch (in->resource_type) {
    case RESOURCE_TOPIC:
        return describe_topic(r, in, out, shared);
    case RESOURCE_BROKER:
        return describe_broker(r, in, out);
    case RESOURCE_GROUP:
        return describe_group(r, in, out);
    case RESOURCE_LOGGER:
        refuse(r, out, KERR_INVALID_REQUEST, "This broker has no loggers: "
            "what it tells is set when it starts.");
        return true;
    case RESOURCE_METRICS:
        refuse(r, out, KERR_INVALID_REQUEST, "This broker takes no metrics "
            "from clients.");
        return true;
    default:
        out->error_code = KERR_INVALID_REQUEST;
        out->error_message = request_text(r, "Unsupported resource type: %d",
            in->resource_type);
        return true;
    }
}

void
handle_describe_configs(struct request *r)
{
    const struct describe_configs_request *body = r->body;
    struct describe_configs_response *out = request_response(r);
    struct describe_configs_response_resource shared = {0};
    size_t n = wire_count(body->resources.n);
    bool ok;

    out->results.v = wire_new(&describe_configs_response_resource_type,
        &r->arena, n);
    ok = out->results.v != NULL;
    for (size_t i = 0; ok && i < n; i++)
        ok = describe(r, &body->resources.v[i], &out->results.v[i], &shared);
    if (!ok) {
        request_close(r, "the request names too many resources");
        return;
    }
    out->results.n = (int32_t)n;
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- ListConfigResources (KIP-1142) ---- */

static void
list_add(struct list_config_resources_response *out, int type,
    struct span name)
{
    struct list_config_resources_response_resource *to
        = &out->config_resources.v[out->config_resources.n++];

    to->resource_type = (int8_t)type;
    to->resource_name = name;
}

static void
list_type(struct request *r, int type,
    struct list_config_resources_response *out)
{
    struct api *a = r->api;
    struct omap_iter it;
    struct span key;
    const struct topic *t;
    void *value;

    if (type == RESOURCE_BROKER || type == RESOURCE_LOGGER)
        list_add(out, type,
            request_text(r, "%d", a->opts.node_id));
    if (type == RESOURCE_TOPIC) {
        omap_seek(&a->topics.by_name, SPAN_NULL, &it);
        while ((t = topics_next(&it)) != NULL)
            list_add(out, RESOURCE_TOPIC, span_str(t->name));
    }
    if (type == RESOURCE_GROUP) {
        omap_seek(&a->resources.groups, SPAN_NULL, &it);
        while (omap_next(&it, &key, &value))
            list_add(out, RESOURCE_GROUP, key);
    }
}

void
handle_list_config_resources(struct request *r)
{
    static const int known[] = {RESOURCE_TOPIC, RESOURCE_BROKER,
        RESOURCE_LOGGER, RESOURCE_METRICS, RESOURCE_GROUP};
    const struct list_config_resources_request *body = r->body;
    struct list_config_resources_response *out = request_response(r);
    struct api *a = r->api;
    size_t asked = wire_count(body->resource_types.n), found = 0;
    bool wanted[countof(known)] = {false};

    for (size_t i = 0; i < asked; i++)
        for (size_t k = 0; k < countof(known); k++)
            if (body->resource_types.v[i] == known[k]) {
                wanted[k] = true;
                found++;
            }
    out->config_resources.v = wire_new(
        &list_config_resources_response_resource_type, &r->arena,
        a->topics.by_name.count + a->resources.groups.count + 2);
    if (out->config_resources.v == NULL) {
        request_close(r, "there are too many topics");
        return;
    }
    if (found < asked)
        out->error_code = KERR_UNSUPPORTED_VERSION;
    /* Version 0 names no types and means client metrics: there are none. */
    for (size_t k = 0; found == asked && r->header.api_version > 0
            && k < countof(known); k++)
        if (wanted[k] || asked == 0)
            list_type(r, known[k], out);
    request_reply(r, seq_gate(a->seq), out);
}
