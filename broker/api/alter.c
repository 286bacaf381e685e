/*
 * alter.c: AlterConfigs and IncrementalAlterConfigs (KIP-339).
 *
 * Only topics can be altered; the broker is set by its command line. All
 * changes of a resource are checked before any is made. AlterConfigs gives
 * the whole: what it does not name goes back to its default.
 */
#include "config.h"

#include "api/api_priv.h"
#include "base/check.h"
#include "wire/msg/configs.h"

enum { RESOURCE_TOPIC = 2 };

/* config_operation of IncrementalAlterConfigs. */
enum { ALTER_SET, ALTER_DELETE, ALTER_APPEND, ALTER_SUBTRACT };

struct change {                  /* one setting of one topic */
    const struct config_def *def;
    struct span value;           /* null: back to the default */
};

struct alter {                   /* one resource */
    struct request *request;
    struct topic *topic;
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
alter_begin(struct alter *a, struct request *r, int8_t type,
    struct span name, int32_t n)
{
    *a = (struct alter){.request = r};
    a->changes = request_alloc(r, (size_t)(n > 0 ? n : 0),
        sizeof *a->changes);
    if (type != RESOURCE_TOPIC) {
        alter_refuse(a, KERR_INVALID_REQUEST,
            "only topics can be altered: the broker is set when it starts");
        return;
    }
    a->topic = api_topic(r->api, name, NULL, &a->error);
    if (a->topic == NULL)
        a->text = request_text(r, "The topic does not exist.");
    else if (a->changes == NULL)
        alter_refuse(a, KERR_INVALID_REQUEST, "too many settings");
}

static void
alter_add(struct alter *a, struct span name, struct span value)
{
    const struct config_def *def = config_def_find(name);
    struct err err;

    if (a->error != KERR_NONE)
        return;
    if (def == NULL) {
        a->error = KERR_INVALID_CONFIG;
        a->text = request_text(a->request, "Unknown topic config name: %.*s",
            (int)(name.len < 200 ? name.len : 200), (const char *)name.ptr);
        return;
    }
    if (value.ptr != NULL && config_check(def, value, &err) < 0) {
        alter_refuse(a, KERR_INVALID_CONFIG, err.text);
        return;
    }
    for (size_t i = 0; i < a->count; i++)
        if (a->changes[i].def == def)
            alter_refuse(a, KERR_INVALID_REQUEST,
                "a setting is named more than once");
    a->changes[a->count++] = (struct change){def, value};
}

/* ---- lists: "a,b" with an element more or less ---- */

static bool
list_has(const char *list, struct span one)
{
    while (*list != '\0') {
        size_t n = strcspn(list, ",");

        if (span_eq(span_of(list, n), one))
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

static struct span
list_change(struct alter *a, const struct config_def *def, struct span change,
    bool append)
{
    const char *now = topic_config_get(&a->topic->config, def->name, NULL);
    struct arena *arena = &a->request->arena;
    const char *at = now;
    char *out;

    if (append)
        return list_has(now, change) || change.len == 0
            ? span_str(now)
            : span_str(arena_printf(arena, "%s%s%.*s", now,
                now[0] == '\0' ? "" : ",", (int)change.len,
                (const char *)change.ptr));
    out = arena_strndup(arena, "", 0);
    while (*at != '\0' && out != NULL) {
        size_t n = strcspn(at, ",");

        if (!span_eq(span_of(at, n), change))
            out = arena_printf(arena, "%s%s%.*s", out,
                out[0] == '\0' ? "" : ",", (int)n, at);
        at += n + (at[n] == ',');
    }
    return span_str(out);
}

static void
alter_operate(struct alter *a, struct span name, int8_t operation,
    struct span value)
{
    const struct config_def *def = config_def_find(name);

    switch (operation) {
    case ALTER_SET:
        if (value.ptr == NULL)
            alter_refuse(a, KERR_INVALID_REQUEST, "a SET without a value");
        alter_add(a, name, value);
        return;
    case ALTER_DELETE:
        alter_add(a, name, SPAN_NULL);
        return;
    case ALTER_APPEND:
    case ALTER_SUBTRACT:
        if (a->error == KERR_NONE && def != NULL && def->type != CONFIG_LIST)
            alter_refuse(a, KERR_INVALID_CONFIG,
                "only a list can be appended to or subtracted from");
        if (a->error == KERR_NONE && def != NULL && value.ptr != NULL)
            value = list_change(a, def, value, operation == ALTER_APPEND);
        alter_add(a, name, value);
        return;
    default:
        alter_refuse(a, KERR_INVALID_REQUEST, "an unknown operation");
    }
}

/* ---- the act ---- */

static bool
alter_names(const struct alter *a, const struct config_def *def)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->changes[i].def == def)
            return true;
    return false;
}

static void
alter_end(struct alter *a)
{
    struct topic_config *c;

    if (a->error == KERR_NONE && seq_readonly(a->request->api->seq, NULL))
        alter_refuse(a, KERR_KAFKA_STORAGE_ERROR, "the disk is full");
    if (a->error != KERR_NONE || a->dry)
        return;
    c = &a->topic->config;
    for (size_t i = 0; a->whole && i < c->count;) {
        if (alter_names(a, c->set[i].def))
            i++;
        else
            topic_config_unset(c, c->set[i].def);
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->changes[i].value.ptr == NULL)
            topic_config_unset(c, a->changes[i].def);
        else
            topic_config_set(c, a->changes[i].def, a->changes[i].value);
    }
    topics_configured(&a->request->api->topics, a->topic);
}

void
handle_alter_configs(struct request *r)
{
    const struct alter_configs_request *body = r->body;
    struct alter_configs_response *out = request_response(r);
    int32_t n = body->resources.n > 0 ? body->resources.n : 0;

    out->responses.v = wire_new(&alter_configs_response_resource_type,
        &r->arena, (size_t)n);
    if (out->responses.v == NULL) {
        request_close(r, "the request names too many resources");
        return;
    }
    for (; out->responses.n < n; out->responses.n++) {
        const struct alter_configs_request_resource *in
            = &body->resources.v[out->responses.n];
        struct alter_configs_response_resource *to
            = &out->responses.v[out->responses.n];
        struct alter a;

        alter_begin(&a, r, in->resource_type, in->resource_name,
            in->configs.n);
        a.whole = true;
        a.dry = body->validate_only;
        for (int32_t i = 0; i < in->configs.n; i++)
            alter_add(&a, in->configs.v[i].name, in->configs.v[i].value);
        alter_end(&a);
        to->resource_type = in->resource_type;
        to->resource_name = in->resource_name;
        to->error_code = (int16_t)a.error;
        to->error_message = a.error == KERR_NONE ? SPAN_NULL : a.text;
    }
    request_reply(r, seq_gate(r->api->seq), out);
}

void
handle_incremental_alter_configs(struct request *r)
{
    const struct incremental_alter_configs_request *body = r->body;
    struct incremental_alter_configs_response *out = request_response(r);
    int32_t n = body->resources.n > 0 ? body->resources.n : 0;

    out->responses.v = wire_new(
        &incremental_alter_configs_response_resource_type, &r->arena,
        (size_t)n);
    if (out->responses.v == NULL) {
        request_close(r, "the request names too many resources");
        return;
    }
    for (; out->responses.n < n; out->responses.n++) {
        const struct incremental_alter_configs_request_resource *in
            = &body->resources.v[out->responses.n];
        struct incremental_alter_configs_response_resource *to
            = &out->responses.v[out->responses.n];
        struct alter a;

        alter_begin(&a, r, in->resource_type, in->resource_name,
            in->configs.n);
        a.dry = body->validate_only;
        for (int32_t i = 0; i < in->configs.n; i++)
            alter_operate(&a, in->configs.v[i].name,
                in->configs.v[i].config_operation, in->configs.v[i].value);
        alter_end(&a);
        to->resource_type = in->resource_type;
        to->resource_name = in->resource_name;
        to->error_code = (int16_t)a.error;
        to->error_message = a.error == KERR_NONE ? SPAN_NULL : a.text;
    }
    request_reply(r, seq_gate(r->api->seq), out);
}
