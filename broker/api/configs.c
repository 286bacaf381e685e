/*
 * configs.c: DescribeConfigs: what topics and the broker are set to.
 *
 * A topic shows every config there is, its own values or the defaults. The
 * broker shows the defaults of topics under the names that Kafka's broker has
 * for them, and what it was told at start; nothing of it can be altered.
 */
#include "config.h"

#include "api/api_priv.h"
#include "base/check.h"
#include "base/limits.h"
#include "wire/msg/configs.h"

enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4 };

/* ---- what there is ---- */

/* A topic's config and the broker's name for its default, where that is not
 * "log." and the same. */
static const struct {
    const char *topic, *broker;
} synonyms[] = {
    {"compression.type", "compression.type"},
    {"compression.gzip.level", "compression.gzip.level"},
    {"compression.lz4.level", "compression.lz4.level"},
    {"compression.zstd.level", "compression.zstd.level"},
    {"delete.retention.ms", "log.cleaner.delete.retention.ms"},
    {"file.delete.delay.ms", "log.segment.delete.delay.ms"},
    {"flush.messages", "log.flush.interval.messages"},
    {"flush.ms", "log.flush.interval.ms"},
    {"follower.replication.throttled.replicas", NULL},
    {"leader.replication.throttled.replicas", NULL},
    {"max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"},
    {"max.message.bytes", "message.max.bytes"},
    {"min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio"},
    {"min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms"},
    {"min.insync.replicas", "min.insync.replicas"},
    {"penstock.serde", NULL},
    {"remote.log.copy.disable", NULL},
    {"remote.log.delete.on.disable", NULL},
    {"remote.storage.enable", NULL},
    {"segment.index.bytes", "log.index.size.max.bytes"},
    {"segment.jitter.ms", "log.roll.jitter.ms"},
    {"segment.ms", "log.roll.ms"},
    {"unclean.leader.election.enable", "unclean.leader.election.enable"},
};

/* The broker's name for the default; null: it has none. */
static struct span
broker_name(struct request *r, const struct config_def *def)
{
    for (size_t i = 0; i < countof(synonyms); i++)
        if (strcmp(synonyms[i].topic, def->name) == 0)
            return span_str(synonyms[i].broker);
    return request_text(r, "log.%s", def->name);
}

/* One line of an answer, before it is known which lines are asked for. */
struct line {
    struct span name, value, synonym;    /* synonym: broker's name, or null */
    const char *dflt;                    /* of the synonym */
    enum config_type type;
    enum config_source source;
    bool read_only;
    const char *doc;
};

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

#define NUMBER(r, v) request_text(r, "%lld", (long long)(v))

/* What the process was told at start. */
static struct span
broker_value(struct request *r, const char *name)
{
    const struct api_options *o = &r->api->opts;
    const struct group_config *g = &o->groups;

    if (strcmp(name, "advertised.listeners") == 0)
        return broker_listeners(r);
    if (strcmp(name, "auto.create.topics.enable") == 0)
        return span_str(o->auto_create ? "true" : "false");
    if (strcmp(name, "broker.id") == 0 || strcmp(name, "node.id") == 0)
        return NUMBER(r, o->node_id);
    if (strcmp(name, "num.partitions") == 0)
        return NUMBER(r, o->partitions);
    if (strcmp(name, "group.initial.rebalance.delay.ms") == 0)
        return NUMBER(r, g->initial_delay_ms);
    if (strcmp(name, "group.max.session.timeout.ms") == 0)
        return NUMBER(r, g->session_timeout_max_ms);
    if (strcmp(name, "group.max.size") == 0)
        return NUMBER(r, g->members_max);
    if (strcmp(name, "group.min.session.timeout.ms") == 0)
        return NUMBER(r, g->session_timeout_min_ms);
    if (strcmp(name, "offset.metadata.max.bytes") == 0)
        return NUMBER(r, g->offset_metadata_max);
    if (strcmp(name, "offsets.retention.minutes") == 0)
        return NUMBER(r, g->offset_retention_ms / 60000);
    if (strcmp(name, "socket.request.max.bytes") == 0)
        return NUMBER(r, FRAME_BYTES_MAX);
    return span_str("1"); /* default.replication.factor and its like */
}

static const struct {
    const char *name;
    enum config_type type;
    enum config_source source;
    const char *doc;
} broker_lines[] = {
    {"advertised.listeners", CONFIG_STRING, CONFIG_FROM_BROKER,
        "where clients reach this broker; unless told, where they came"},
    {"auto.create.topics.enable", CONFIG_BOOLEAN, CONFIG_FROM_BROKER,
        "topics that clients ask for and that are missing are made"},
    {"broker.id", CONFIG_INT, CONFIG_FROM_BROKER, "this node"},
    {"default.replication.factor", CONFIG_INT, CONFIG_FROM_DEFAULT,
        "there is one node"},
    {"group.initial.rebalance.delay.ms", CONFIG_INT, CONFIG_FROM_BROKER,
        "how long the first rebalance of a group waits for more members"},
    {"group.max.session.timeout.ms", CONFIG_INT, CONFIG_FROM_BROKER,
        "the longest session that a member may ask for"},
    {"group.max.size", CONFIG_INT, CONFIG_FROM_BROKER, "members of a group"},
    {"group.min.session.timeout.ms", CONFIG_INT, CONFIG_FROM_BROKER,
        "the shortest session that a member may ask for"},
    {"node.id", CONFIG_INT, CONFIG_FROM_BROKER, "this node"},
    {"num.partitions", CONFIG_INT, CONFIG_FROM_BROKER,
        "partitions of a topic that does not say how many"},
    {"offset.metadata.max.bytes", CONFIG_INT, CONFIG_FROM_BROKER,
        "bytes beside a committed offset"},
    {"offsets.retention.minutes", CONFIG_INT, CONFIG_FROM_BROKER,
        "how long offsets of a group without members are kept"},
    {"offsets.topic.replication.factor", CONFIG_SHORT, CONFIG_FROM_DEFAULT,
        "offsets are not kept in a topic"},
    {"socket.request.max.bytes", CONFIG_INT, CONFIG_FROM_DEFAULT,
        "the largest request"},
    {"transaction.state.log.replication.factor", CONFIG_SHORT,
        CONFIG_FROM_DEFAULT, "there is one node"},
};

/* Line i of the broker; false behind the last. */
static bool
broker_line(struct request *r, size_t i, struct line *out)
{
    const struct config_def *def;

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
    out->name = broker_name(r, def);     /* null: not shown */
    out->value = span_str(def->value);
    out->type = def->type;
    out->source = CONFIG_FROM_DEFAULT;
    out->doc = def->doc;
    return true;
}

static bool
topic_line(struct request *r, const struct topic *t, size_t i,
    struct line *out)
{
    const struct config_def *def = config_def_nth(i);
    bool is_default;

    if (def == NULL)
        return false;
    *out = (struct line){.name = span_str(def->name),
        .synonym = broker_name(r, def),
        .dflt = def->value,
        .type = def->type,
        .doc = def->doc};
    out->value = span_str(topic_config_get(&t->config, def->name,
        &is_default));
    out->source = is_default ? CONFIG_FROM_DEFAULT : CONFIG_FROM_TOPIC;
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
    struct describe_configs_response_synonym *s
        = wire_new(&describe_configs_response_synonym_type, &r->arena, 2);
    bool own = l->source != CONFIG_FROM_DEFAULT || l->dflt == NULL;

    if (s == NULL)
        return false;
    out->synonyms.v = s;
    if (own) {
        s[out->synonyms.n].name = l->name;
        s[out->synonyms.n].value = l->value;
        s[out->synonyms.n++].source = l->source;
    }
    if (l->dflt != NULL && l->synonym.ptr != NULL) {
        s[out->synonyms.n].name = l->synonym;
        s[out->synonyms.n].value = span_str(l->dflt);
        s[out->synonyms.n++].source = CONFIG_FROM_DEFAULT;
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

/* Of a topic, or (NULL) of the broker. */
static bool
fill_configs(struct request *r, const struct topic *t,
    const struct describe_configs_request_resource *in,
    struct describe_configs_response_resource *out)
{
    size_t n = 0;
    struct line l;

    while (config_def_nth(n) != NULL)
        n++;
    if (t == NULL)
        n += countof(broker_lines);
    out->configs.v = wire_new(&describe_configs_response_config_type,
        &r->arena, n);
    if (out->configs.v == NULL)
        return false;
    for (size_t i = 0; t != NULL ? topic_line(r, t, i, &l)
                                 : broker_line(r, i, &l); i++)
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
    if (!fill_configs(r, t, in, out))
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
    /* The empty name: defaults of all brokers, set at run time. None are. */
    if (in->resource_name.len == 0)
        return true;
    if (span_eq(in->resource_name, NUMBER(r, r->api->opts.node_id)))
        return fill_configs(r, NULL, in, out);
    refuse(r, out, KERR_INVALID_REQUEST, "There is no broker of that id.");
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
    if (in->resource_type == RESOURCE_TOPIC)
        return describe_topic(r, in, out, shared);
    if (in->resource_type == RESOURCE_BROKER)
        return describe_broker(r, in, out);
    refuse(r, out, KERR_INVALID_REQUEST, "Topics and brokers have configs, "
        "other resources do not.");
    return true;
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
