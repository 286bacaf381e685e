/*
 * alter.c: AlterConfigs and IncrementalAlterConfigs (KIP-339, KIP-1000).
 *
 * Topics, the broker and groups can be altered. Of the broker what topics
 * have by default, where that acts; what it was told at start stays. All
 * changes of a resource are made in a copy, which is judged as a whole and
 * then takes the place of what was. AlterConfigs gives the whole: what it does
 * not name goes back to its default.
 */
#include "config.h"

#include "api/api_priv.h"
#include "api/resource.h"
#include "base/check.h"
#include "base/limits.h"
#include "wire/msg/configs.h"

/* config_operation of IncrementalAlterConfigs. */
enum { ALTER_SET, ALTER_DELETE, ALTER_APPEND, ALTER_SUBTRACT };

struct change {                  /* one setting of one resource */
    const struct config_def *def;
    struct span value;           /* null: back to the default */
};

struct alter {                   /* one resource */
    struct request *request;
    int type;                    /* enum resource_type */
    struct span name;
    struct topic *topic;         /* of RESOURCE_TOPIC */
    const struct topic_config *now;      /* NULL: nothing is set */
    struct change *changes;
    size_t count;
    bool whole, dry;
    enum kerr error;
    struct span text;
};

static void
alter_refuse(struct alter *a, enum kerr error, const char *text)
{
    if (a->error != KERR_NONE)
        return;
    a->error = error;
    a->text = request_text(a->request, "%s", text);
}

static void
alter_refuse_name(struct alter *a, enum kerr error, const char *text,
    struct span name)
{
    if (a->error != KERR_NONE)
        return;
    a->error = error;
    a->text = request_text(a->request, "%s%.*s", text, NAME_ARGS(name));
}

/* ---- what is altered ---- */

static void
begin_topic(struct alter *a)
{
    a->topic = api_topic(a->request->api, a->name, NULL, &a->error);
    if (a->topic != NULL) {
        a->now = &a->topic->config;
        return;
    }
    a->text = request_text(a->request, "The topic '%.*s' does not exist.",
        NAME_ARGS(a->name));
    if (!topic_name_valid(a->name))
        a->error = KERR_INVALID_TOPIC_EXCEPTION;
}

static void
begin_broker(struct alter *a)
{
    a->now = resource_get(a->request->api, RESOURCE_BROKER, a->name);
    if (a->now != NULL)
        return;
    a->error = KERR_INVALID_REQUEST;
    a->text = request_text(a->request, "Unexpected broker id, expected %d "
        "or empty string, but received %.*s", a->request->api->opts.node_id,
        NAME_ARGS(a->name));
}

static void
begin_group(struct alter *a)
{
    a->now = resource_get(a->request->api, RESOURCE_GROUP, a->name);
    if (a->name.len == 0)
        alter_refuse(a, KERR_INVALID_REQUEST,
            "Default group resources are not allowed.");
    else if (a->name.len > GROUP_NAME_MAX || span_has_nul(a->name))
        alter_refuse(a, KERR_INVALID_REQUEST, "That is no name of a group.");
}

static void
alter_begin(struct alter *a, struct request *r, int8_t type,
    struct span name, int32_t n)
{
    *a = (struct alter){.request = r, .type = type, .name = name};
    a->changes = request_alloc(r, wire_count(n), sizeof *a->changes);
    if (a->changes == NULL)
        alter_refuse(a, KERR_INVALID_REQUEST, "Too many settings.");
    else if (type == RESOURCE_TOPIC)
        begin_topic(a);
    else if (type == RESOURCE_BROKER)
        begin_broker(a);
    else if (type == RESOURCE_GROUP)
        begin_group(a);
    else if (type == RESOURCE_LOGGER)
        alter_refuse(a, KERR_INVALID_REQUEST, "This broker has no loggers: "
            "what it tells is set when it starts.");
    else if (type == RESOURCE_METRICS)
        alter_refuse(a, KERR_INVALID_REQUEST, "This broker takes no metrics "
            "from clients.");
    else
        alter_refuse(a, KERR_INVALID_REQUEST, "Unsupported resource type.");
}

/* ---- one setting ---- */

/* A name that the broker shows but that can't be altered is told from one
 * that nobody knows. */
static const struct config_def *
alter_broker_def(struct alter *a, struct span name)
{
    const struct config_def *def = broker_config_find(name);

    if (def != NULL && def->acts)
        return def;
    alter_refuse_name(a, KERR_INVALID_REQUEST, def != NULL
        ? "It has no effect on one node, so it can not be set for the "
          "broker: "
        : "Cannot update these configs dynamically: ", name);
    return NULL;
}

static const struct config_def *
alter_def(struct alter *a, struct span name)
{
    const struct config_def *def;

    if (a->type == RESOURCE_BROKER)
        return alter_broker_def(a, name);
    def = a->type == RESOURCE_GROUP ? group_config_find(name)
                                    : config_def_find(name);
    if (def == NULL)
        alter_refuse_name(a, KERR_INVALID_CONFIG, a->type == RESOURCE_GROUP
            ? "Unknown group config name: " : "Unknown topic config name: ",
            name);
    return def;
}

static bool
alter_names(const struct alter *a, const struct config_def *def)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->changes[i].def == def)
            return true;
    return false;
}

static void
alter_add(struct alter *a, const struct config_def *def, struct span value)
{
    struct err err;
    int rc = 0;

    if (a->error != KERR_NONE)
        return;
    if (value.ptr != NULL)
        rc = a->type == RESOURCE_GROUP
            ? group_config_check(def, value, &err)
            : config_check(def, value, &err);
    if (rc < 0)
        alter_refuse(a, KERR_INVALID_CONFIG, err.text);
    else if (alter_names(a, def))
        alter_refuse(a, KERR_INVALID_REQUEST,
            "Error due to duplicate config keys");
    else
        a->changes[a->count++] = (struct change){def, value};
}

/* ---- lists: "a,b" with elements more or less ---- */

static struct span
list_next(struct span *rest)
{
    const uint8_t *comma = rest->len == 0
        ? NULL : memchr(rest->ptr, ',', rest->len);
    size_t n = comma == NULL ? rest->len : (size_t)(comma - rest->ptr);
    struct span one = span_of(rest->ptr, n);

    n += comma != NULL;
    rest->ptr += n;
    rest->len -= n;
    return one;
}

static bool
list_has(struct span list, struct span one)
{
    while (list.len > 0)
        if (span_eq(list_next(&list), one))
            return true;
    return false;
}

/* Appends those elements of `from` that `unless` does not have. */
static void
list_copy(struct buf *out, struct span from, struct span unless)
{
    while (from.len > 0) {
        struct span one = list_next(&from);

        if (one.len == 0 || list_has(unless, one))
            continue;
        if (out->len > 0)
            buf_put_u8(out, ',');
        buf_put_span(out, one);
    }
}

static struct span
list_change(struct alter *a, const struct config_def *def, struct span change,
    bool append)
{
    struct span now = span_str(topic_config_get(a->now, def->name, NULL));
    struct span none = span_str(""), result;
    struct buf out;

    buf_init(&out, 64 * KIB);
    list_copy(&out, now, append ? none : change);
    if (append)
        list_copy(&out, change, now);
    result = arena_copy(&a->request->arena, span_of(
        out.ptr == NULL ? (const uint8_t *)"" : out.ptr, out.len));
    buf_release(&out);
    return result;
}

static void
alter_operate(struct alter *a, struct span name, int8_t operation,
    struct span value)
{
    bool list = operation == ALTER_APPEND || operation == ALTER_SUBTRACT;
    const struct config_def *def;

    if (a->error != KERR_NONE)
        return;
    if (operation < ALTER_SET || operation > ALTER_SUBTRACT) {
        alter_refuse(a, KERR_INVALID_REQUEST, "Unknown config operation.");
        return;
    }
    if (operation == ALTER_DELETE)
        value = SPAN_NULL;
    else if (value.ptr == NULL) {
        alter_refuse_name(a, KERR_INVALID_REQUEST,
            "Null value not supported for : ", name);
        return;
    }
    def = alter_def(a, name);
    if (def == NULL)
        return;
    if (list && def->type != CONFIG_LIST) {
        alter_refuse_name(a, KERR_INVALID_CONFIG, "Config value append or "
            "subtract is not allowed for config key: ", name);
        return;
    }
    if (list)
        value = list_change(a, def, value, operation == ALTER_APPEND);
    alter_add(a, def, value);
}

/* ---- the act ---- */

/* What the settings will be: a copy. */
static struct topic_config
alter_result(const struct alter *a)
{
    struct topic_config c = {.below = a->now != NULL ? a->now->below : NULL};

    for (size_t i = 0; a->now != NULL && i < a->now->count; i++)
        if (!a->whole)
            topic_config_set(&c, a->now->set[i].def,
                span_str(a->now->set[i].value));
    for (size_t i = 0; i < a->count; i++) {
        if (a->changes[i].value.ptr == NULL)
            topic_config_unset(&c, a->changes[i].def);
        else
            topic_config_set(&c, a->changes[i].def, a->changes[i].value);
    }
    return c;
}

/* Takes the settings over. false: there are too many resources. */
static bool
alter_apply(struct alter *a, const struct topic_config *c)
{
    struct api *api = a->request->api;
    struct topic_config *to = a->topic != NULL ? &a->topic->config
        : resource_make(api, (enum resource_type)a->type, a->name);

    if (to == NULL)
        return false;
    topic_config_release(to);
    *to = *c;
    if (a->topic != NULL)
        topics_configured(&api->topics, a->topic);
    else
        resource_changed(api, (enum resource_type)a->type, a->name);
    if (a->type == RESOURCE_BROKER)
        topics_reconfigured(&api->topics, true);
    return true;
}

static void
alter_end(struct alter *a)
{
    const struct api *api = a->request->api;
    struct topic_config c;
    struct err err;

    if (seq_readonly(api->seq, NULL))
        alter_refuse(a, KERR_KAFKA_STORAGE_ERROR, "The disk is full.");
    if (a->error != KERR_NONE)
        return;
    c = alter_result(a);
    if (a->type != RESOURCE_GROUP && topic_config_check(&c, &err) < 0)
        alter_refuse(a, KERR_INVALID_CONFIG, err.text);
    if (a->error == KERR_NONE && !a->dry) {
        if (alter_apply(a, &c))
            return;
        alter_refuse(a, KERR_POLICY_VIOLATION,
            "Too many groups have settings of their own.");
    }
    topic_config_release(&c);
}

/* ---- many resources ---- */

struct item {                    /* one resource of either request */
    int8_t type;
    struct span name;
    int32_t count;
    const struct alter_configs_request_config *all;
    const struct incremental_alter_configs_request_config *some;
    bool twice;                  /* named elsewhere in the request, too */
    enum kerr error;
    struct span text;            /* null: there was none */
};

/* Of what is named twice neither is done: nobody knows in what order they
 * were meant. false: out of memory. */
static bool
find_twice(struct request *r, struct item *list, size_t n)
{
    struct table seen;
    bool ok = true;

    table_init(&seen);
    for (size_t i = 0; ok && i < n; i++) {
        uint8_t *key = arena_alloc(&r->arena, list[i].name.len + 1);
        struct item *other;

        ok = key != NULL;
        if (!ok)
            break;
        key[0] = (uint8_t)list[i].type;
        if (list[i].name.len > 0)
            memcpy(key + 1, list[i].name.ptr, list[i].name.len);
        other = table_put(&seen, span_of(key, list[i].name.len + 1),
            &list[i]);
        if (other != NULL)
            other->twice = list[i].twice = true;
    }
    table_release(&seen);
    return ok;
}

/* What the resources that are named have already; to this the request's own
 * texts may be added, once in its topic's record. */
static size_t
items_cost(struct request *r, const struct item *list, size_t n)
{
    struct api *a = r->api;
    size_t cost = 2 * r->frame_len;

    for (size_t i = 0; i < n; i++) {
        const struct topic *t = list[i].type == RESOURCE_TOPIC
            ? topics_find(&a->topics, list[i].name) : NULL;

        cost += t != NULL ? topic_record_cost(t)
            : resource_cost(resource_get(a, (enum resource_type)list[i].type,
                  list[i].name), list[i].name.len);
    }
    return cost;
}

static void
item_alter(struct request *r, struct item *item, bool dry)
{
    struct alter a;

    alter_begin(&a, r, item->type, item->name, item->count);
    a.whole = item->all != NULL;
    a.dry = dry;
    if (item->twice)
        alter_refuse(&a, KERR_INVALID_REQUEST,
            "Each resource must appear at most once.");
    for (int32_t i = 0; i < item->count; i++) {
        if (item->all != NULL)
            alter_operate(&a, item->all[i].name, ALTER_SET,
                item->all[i].value);
        else
            alter_operate(&a, item->some[i].name,
                item->some[i].config_operation, item->some[i].value);
    }
    alter_end(&a);
    item->error = a.error;
    item->text = a.error == KERR_NONE ? SPAN_NULL : a.text;
}

/* false: the request has ended otherwise. */
static bool
items_alter(struct request *r, struct item *list, size_t n, bool dry)
{
    struct room room = {0};
    size_t cost;

    if (!find_twice(r, list, n)) {
        request_close(r, "the request names too many resources");
        return false;
    }
    cost = items_cost(r, list, n);
    if (cost > seq_effect_max(r->api->seq)) {
        request_close(r, "the request alters too much at once");
        return false;
    }
    if (!seq_readonly(r->api->seq, NULL)
        && !room_take(r->api, cost, false, &room)) {
        request_starve(r);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        item_alter(r, &list[i], dry);
    room_give(r->api, &room);
    return true;
}

/* ---- the requests ---- */

void
handle_alter_configs(struct request *r)
{
    /* An empty list is given as well: all that was set goes. */
    static const struct alter_configs_request_config nothing;
    const struct alter_configs_request *body = r->body;
    struct alter_configs_response *out = request_response(r);
    size_t n = wire_count(body->resources.n);
    struct item *list = request_alloc(r, n, sizeof *list);

    out->responses.v = wire_new(&alter_configs_response_resource_type,
        &r->arena, n);
    if (list == NULL || out->responses.v == NULL) {
        request_close(r, "the request names too many resources");
        return;
    }
    for (size_t i = 0; i < n; i++)
        list[i] = (struct item){.type = body->resources.v[i].resource_type,
            .name = body->resources.v[i].resource_name,
            .count = (int32_t)wire_count(body->resources.v[i].configs.n),
            .all = body->resources.v[i].configs.n > 0
                ? body->resources.v[i].configs.v : &nothing};
    if (!items_alter(r, list, n, body->validate_only))
        return;
    for (size_t i = 0; i < n; i++) {
        out->responses.v[i].resource_type = list[i].type;
        out->responses.v[i].resource_name = list[i].name;
        out->responses.v[i].error_code = (int16_t)list[i].error;
        out->responses.v[i].error_message = list[i].text;
    }
    out->responses.n = (int32_t)n;
    request_reply(r, seq_gate(r->api->seq), out);
}

void
handle_incremental_alter_configs(struct request *r)
{
    const struct incremental_alter_configs_request *body = r->body;
    struct incremental_alter_configs_response *out = request_response(r);
    size_t n = wire_count(body->resources.n);
    struct item *list = request_alloc(r, n, sizeof *list);

    out->responses.v = wire_new(
        &incremental_alter_configs_response_resource_type, &r->arena, n);
    if (list == NULL || out->responses.v == NULL) {
        request_close(r, "the request names too many resources");
        return;
    }
    for (size_t i = 0; i < n; i++)
        list[i] = (struct item){.type = body->resources.v[i].resource_type,
            .name = body->resources.v[i].resource_name,
            .count = (int32_t)wire_count(body->resources.v[i].configs.n),
            .some = body->resources.v[i].configs.v};
    if (!items_alter(r, list, n, body->validate_only))
        return;
    for (size_t i = 0; i < n; i++) {
        out->responses.v[i].resource_type = list[i].type;
        out->responses.v[i].resource_name = list[i].name;
        out->responses.v[i].error_code = (int16_t)list[i].error;
        out->responses.v[i].error_message = list[i].text;
    }
    out->responses.n = (int32_t)n;
    request_reply(r, seq_gate(r->api->seq), out);
}
