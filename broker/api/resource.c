/* resource.c: settings of the broker and of groups: see resource.h. */
#include "config.h"

#include "api/resource.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api_priv.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "proto/store.pb-c.h"

enum { RECORD_COST = 128, SETTING_COST = 16 };

/* ---- the names of the broker ---- */

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

const char *
broker_config_name(const struct config_def *def, char text[BROKER_NAME])
{
    size_t n = strlen(def->name);

    for (size_t i = 0; i < countof(synonyms); i++)
        if (strcmp(synonyms[i].topic, def->name) == 0)
            return synonyms[i].broker;
    assert(n + 5 <= BROKER_NAME);
    memcpy(text, "log.", 4);
    memcpy(text + 4, def->name, n + 1);
    return text;
}

const struct config_def *
broker_config_find(struct span name)
{
    const struct config_def *def;
    char text[BROKER_NAME];

    for (size_t i = 0; (def = config_def_nth(i)) != NULL; i++) {
        const char *broker = broker_config_name(def, text);

        if (broker != NULL && span_eq(span_str(broker), name))
            return def;
    }
    return NULL;
}

const char *
config_default(const struct api *a, const struct config_def *def,
    enum config_source *source)
{
    const struct topic_defaults *d = &a->topics.defaults;
    const char *value = topic_config_own(&d->node, def);

    *source = CONFIG_FROM_NODE;
    if (value == NULL) {
        value = topic_config_own(&d->cluster, def);
        *source = CONFIG_FROM_CLUSTER;
    }
    if (value == NULL) {
        value = def->value;
        *source = CONFIG_FROM_DEFAULT;
    }
    return value;
}

/* ---- the configs of groups ---- */

static const struct config_def group_defs[] = {
#define X(name, type, value, least, most, doc)                                 \
    {name, CONFIG_##type, value, least, most, false, doc},
#include "api/group_config.tbl"
#undef X
};

const struct config_def *
group_config_nth(size_t i)
{
    return i < countof(group_defs) ? &group_defs[i] : NULL;
}

const struct config_def *
group_config_find(struct span name)
{
    for (size_t i = 0; i < countof(group_defs); i++)
        if (span_eq(span_str(group_defs[i].name), name))
            return &group_defs[i];
    return NULL;
}

static bool
one_of(struct span value, const char *a, const char *b)
{
    return span_eq(value, span_str(a)) || span_eq(value, span_str(b));
}

int
group_config_check(const struct config_def *d, struct span value,
    struct err *err)
{
    struct span since = span_str("by_duration:P");
    bool ok = true;

    if (config_check(d, value, err) < 0)
        return -1;
    if (strcmp(d->name, "share.isolation.level") == 0)
        ok = one_of(value, "read_committed", "read_uncommitted");
    else if (strcmp(d->name, "share.auto.offset.reset") == 0)
        ok = one_of(value, "latest", "earliest")
            || (value.len > since.len
                && memcmp(value.ptr, since.ptr, since.len) == 0);
    return ok ? 0 : err_set(err, ERR_USAGE, "Invalid value %.*s for "
        "configuration %s", (int)value.len, (const char *)value.ptr, d->name);
}

const char *
group_config_get(const struct api *a, struct span group, const char *name)
{
    const struct config_def *d = group_config_find(span_str(name));
    const struct topic_config *c = omap_get(&a->resources.groups, group);
    const char *own = c == NULL ? NULL : topic_config_own(c, d);

    assert(d != NULL);
    return own != NULL ? own : d->value;
}

/* 0: the group has none of its own. */
static int32_t
group_number(const struct topic_config *c, const char *name)
{
    const char *own = topic_config_own(c, group_config_find(span_str(name)));

    return own == NULL ? 0 : (int32_t)strtol(own, NULL, 10);
}

void
group_config_tune(void *api, struct span group, struct group_tuning *out)
{
    const struct api *a = api;
    const struct topic_config *c = omap_get(&a->resources.groups, group);

    if (c == NULL)
        return;
    out->consumer_session_ms = group_number(c, "consumer.session.timeout.ms");
    out->consumer_heartbeat_ms = group_number(c,
        "consumer.heartbeat.interval.ms");
}

/* ---- what is set ---- */

static struct topic_config *
broker_settings(struct api *a, struct span name)
{
    struct topic_defaults *d = &a->topics.defaults;
    char id[16];

    if (name.len == 0)
        return &d->cluster;
    snprintf(id, sizeof id, "%d", a->opts.node_id);
    return span_eq(name, span_str(id)) ? &d->node : NULL;
}

struct topic_config *
resource_get(struct api *a, enum resource_type type, struct span name)
{
    if (type == RESOURCE_BROKER)
        return broker_settings(a, name);
    return type == RESOURCE_GROUP && name.len > 0
        ? omap_get(&a->resources.groups, name) : NULL;
}

struct topic_config *
resource_make(struct api *a, enum resource_type type, struct span name)
{
    struct topic_config *c = resource_get(a, type, name);

    if (c != NULL || type != RESOURCE_GROUP || name.len == 0
        || a->resources.groups.count >= RESOURCES_MAX)
        return c;
    c = xcalloc(1, sizeof *c);
    *omap_slot(&a->resources.groups, name) = c;
    return c;
}

static void
resource_forget(struct api *a, struct span name)
{
    struct topic_config *c = omap_del(&a->resources.groups, name);

    topic_config_release(c);
    free(c);
}

/* ---- records ---- */

size_t
resource_cost(const struct topic_config *c, size_t more)
{
    size_t cost = RECORD_COST + SETTING_COST + more;

    for (size_t i = 0; c != NULL && i < c->count; i++)
        cost += SETTING_COST + strlen(c->set[i].def->name)
            + strlen(c->set[i].value);
    return cost;
}

static struct span
resource_pack(const struct topic_config *c)
{
    Store__Configs m = STORE__CONFIGS__INIT;
    Store__Config *one = xcalloc(c->count + 1, sizeof *one);
    Store__Config **list = xcalloc(c->count + 1, sizeof *list);
    uint8_t *bytes;
    size_t size;

    m.configs = list;
    for (; m.n_configs < c->count; m.n_configs++) {
        union {
            const char *from;
            char *to;
        } name = {.from = c->set[m.n_configs].def->name};

        store__config__init(&one[m.n_configs]);
        one[m.n_configs].name = name.to;
        one[m.n_configs].value = c->set[m.n_configs].value;
        list[m.n_configs] = &one[m.n_configs];
    }
    size = store__configs__get_packed_size(&m);
    bytes = xmalloc(size + 1);
    store__configs__pack(&m, bytes);
    free(one);
    free(list);
    return span_of(bytes, size);
}

void
resource_changed(struct api *a, enum resource_type type, struct span name)
{
    struct topic_config *c = resource_get(a, type, name);
    uint8_t *key = xmalloc(name.len + 2);
    struct record_put put = {.key = span_of(key, name.len + 2)};
    union {
        const uint8_t *from;
        void *to;
    } value = {NULL};

    assert(c != NULL);
    key[0] = META_CONFIG;
    key[1] = (uint8_t)type;
    if (name.len > 0)
        memcpy(key + 2, name.ptr, name.len);
    if (c->count > 0) {
        put.value = resource_pack(c);
        value.from = put.value.ptr;
    }
    api_put_records(a, &put, 1);
    free(value.to);
    if (c->count == 0 && type == RESOURCE_GROUP)
        resource_forget(a, name);
    free(key);
}

static int
resource_read(void *arg, struct span key, struct span value, struct err *err)
{
    struct api *a = arg;
    struct span name = span_of(key.ptr + 1, key.len > 0 ? key.len - 1 : 0);
    enum resource_type type = key.len > 0 ? (enum resource_type)key.ptr[0]
                                          : RESOURCE_TOPIC;
    struct topic_config *c = resource_make(a, type, name);
    Store__Configs *m = store__configs__unpack(NULL, value.len, value.ptr);

    if (m == NULL)
        return err_set(err, ERR_DAMAGE, "a record of settings is no message");
    /* Of another node's settings nothing is known here; nor of names that
     * another version had. */
    for (size_t i = 0; c != NULL && i < m->n_configs; i++) {
        struct span one = span_str(m->configs[i]->name);
        const struct config_def *d = type == RESOURCE_GROUP
            ? group_config_find(one) : config_def_find(one);

        if (d != NULL)
            topic_config_set(c, d, span_str(m->configs[i]->value));
    }
    store__configs__free_unpacked(m, NULL);
    return 0;
}

int
resources_load(struct api *a, struct err *err)
{
    if (seq_records(a->seq, META_CONFIG, resource_read, a, err) < 0)
        return -1;
    topics_reconfigured(&a->topics, false);
    return 0;
}

static void
settings_free(void *value, void *arg)
{
    (void)arg;
    topic_config_release(value);
    free(value);
}

void
resources_release(struct api *a)
{
    omap_release(&a->resources.groups, settings_free, NULL);
}
