/* topic_config.c: penstock topic config: shows and changes settings. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "client/client.h"
#include "commands.h"
#include "near.h"
#include "sheet.h"
#include "topic.h"
#include "wire/msg/configs.h"

const struct opt opts_topic_config[] = {
    {0, "unset", "KEY", "back to the default; may be given again"},
    {'a', "all", NULL, "also what was not set"},
    {0, NULL, NULL, NULL},
};

enum { RESOURCE_TOPIC = 2, OP_SET = 0, OP_UNSET = 1 };

/* Kafka's numbers for where a value is from. */
static const char *
source_name(int source)
{
    static const char *const names[] = {"unknown", "topic", "broker",
        "cluster", "start", "default"};

    return source >= 0 && source < (int)(sizeof names / sizeof names[0])
        ? names[source] : "unknown";
}

/* ---- showing ------------------------------------------------------------ */

static int
ask(struct client *c, const char *name, struct arena *a,
    const struct describe_configs_response_resource **out, struct err *err)
{
    struct describe_configs_request_resource topic;
    struct describe_configs_request req;
    struct describe_configs_response *resp;

    wire_init(&describe_configs_request_resource_type, &topic);
    wire_init(&describe_configs_request_type, &req);
    topic.resource_type = RESOURCE_TOPIC;
    topic.resource_name = client_name_span(name);
    topic.configuration_keys.n = -1;
    req.resources.v = &topic;
    req.resources.n = 1;
    req.include_documentation = true;
    if (client_call(c, API_DESCRIBE_CONFIGS, &req, a, &resp, err) != 0)
        return -1;
    if (resp->results.n != 1)
        return err_set(err, ERR_FORMAT, "the broker's answer makes no sense");
    *out = &resp->results.v[0];
    if ((*out)->error_code != 0)
        return client_refused(err, (*out)->error_code, "topic '%s': %.*s",
            name, (int)(*out)->error_message.len,
            (*out)->error_message.ptr == NULL
                ? "" : (const char *)(*out)->error_message.ptr);
    return 0;
}

static void
show(const struct cli *cli,
    const struct describe_configs_response_resource *r)
{
    static const char *const columns[] = {"config", "value", "from", "help",
        NULL};
    static const char *const fewer[] = {"config", "value", "from", NULL};
    bool help = cli->verbose > 0;
    struct sheet sheet;

    sheet_init(&sheet, stdout, cli->output, cli->color,
        help ? columns : fewer);
    for (int32_t i = 0; i < r->configs.n; i++) {
        const struct describe_configs_response_config *c = &r->configs.v[i];

        if (!cli_has(cli, "all") && c->config_source == 5)
            continue;
        sheet_span(&sheet, c->name);
        sheet_span(&sheet, c->value);
        sheet_cstr(&sheet, source_name(c->config_source));
        if (help)
            sheet_span(&sheet, c->documentation);
    }
    sheet_end(&sheet);
}

/* ---- changing ----------------------------------------------------------- */

/* The broker would refuse the name; here is which one may have been meant. */
static int
check_name(struct arena *a,
    const struct describe_configs_response_resource *known,
    const char *topic, const char *key, struct err *err)
{
    char hint[280];
    struct near n;

    near_init(&n, key);
    for (int32_t i = 0; i < known->configs.n; i++) {
        struct span s = known->configs.v[i].name;
        const char *name = arena_strndup(a, (const char *)s.ptr, s.len);

        if (span_eq(s, span_str(key)))
            return 0;
        if (name != NULL)
            near_try(&n, name);
    }
    return client_refused(err, KERR_INVALID_CONFIG, "topic '%s' has no "
        "setting '%s'%s", topic, key, near_hint(&n, hint, sizeof hint));
}

struct edit {
    const struct cli *cli;
    struct arena *arena;
    const struct describe_configs_response_resource *known;
    struct incremental_alter_configs_request_config *list;
    int32_t count;
};

static int
edit_add(struct edit *e, const char *key, int operation, struct span value,
    struct err *err)
{
    struct incremental_alter_configs_request_config *c = &e->list[e->count];

    if (check_name(e->arena, e->known, e->cli->args[0], key, err) != 0)
        return -1;
    for (int32_t i = 0; i < e->count; i++)
        if (span_eq(e->list[i].name, span_str(key)))
            return err_set(err, ERR_USAGE, "'%s' is named twice", key);
    c->name = span_str(key);
    c->config_operation = (int8_t)operation;
    c->value = value;
    e->count++;
    return 0;
}

static int
edit_set(struct edit *e, const char *text, struct err *err)
{
    const char *equals = strchr(text, '=');
    struct span value;
    char *key;

    if (equals == NULL || equals == text)
        return err_set(err, ERR_USAGE, "'%.80s' is not KEY=VALUE", text);
    key = arena_strndup(e->arena, text, (size_t)(equals - text));
    if (key == NULL)
        return err_set(err, ERR_LIMIT, "too many settings");
    if (topic_setting_value(key, equals + 1, e->arena, &value, err) != 0)
        return -1;
    return edit_add(e, key, OP_SET, value, err);
}

static int
edit_read(struct edit *e, struct err *err)
{
    const struct cli *cli = e->cli;
    const char *key;

    e->list = wire_new(&incremental_alter_configs_request_config_type,
        e->arena, (size_t)(cli->arg_count + cli->value_count));
    if (e->list == NULL)
        return err_set(err, ERR_LIMIT, "too many settings");
    for (int i = 1; i < cli->arg_count; i++)
        if (edit_set(e, cli->args[i], err) != 0)
            return -1;
    for (int i = 0; (key = cli_next(cli, "unset", &i)) != NULL;)
        if (edit_add(e, key, OP_UNSET, SPAN_NULL, err) != 0)
            return -1;
    return 0;
}

static int
edit_send(struct client *c, struct edit *e, struct err *err)
{
    const struct cli *cli = e->cli;
    struct incremental_alter_configs_request_resource topic;
    struct incremental_alter_configs_request req;
    struct incremental_alter_configs_response *resp;

    wire_init(&incremental_alter_configs_request_resource_type, &topic);
    wire_init(&incremental_alter_configs_request_type, &req);
    topic.resource_type = RESOURCE_TOPIC;
    topic.resource_name = client_name_span(cli->args[0]);
    topic.configs.v = e->list;
    topic.configs.n = e->count;
    req.resources.v = &topic;
    req.resources.n = 1;
    req.validate_only = cli->dry_run;
    if (client_call(c, API_INCREMENTAL_ALTER_CONFIGS, &req, e->arena, &resp,
            err) != 0)
        return -1;
    if (resp->responses.n == 1 && resp->responses.v[0].error_code != 0)
        return client_refused(err, resp->responses.v[0].error_code,
            "topic '%s': %.*s", cli->args[0],
            (int)resp->responses.v[0].error_message.len,
            resp->responses.v[0].error_message.ptr == NULL ? ""
                : (const char *)resp->responses.v[0].error_message.ptr);
    return 0;
}

static void
edit_show(const struct edit *e)
{
    static const char *const columns[] = {"config", "value", "result", NULL};
    const struct cli *cli = e->cli;
    struct sheet sheet;

    sheet_init(&sheet, stdout, cli->output, cli->color, columns);
    for (int32_t i = 0; i < e->count; i++) {
        bool set = e->list[i].config_operation == OP_SET;

        sheet_span(&sheet, e->list[i].name);
        sheet_span(&sheet, e->list[i].value);
        sheet_cstr(&sheet, cli->dry_run
            ? set ? "would be set" : "would be unset"
            : set ? "set" : "unset");
    }
    sheet_end(&sheet);
}

static int
run(struct cli *cli, struct client *c, struct arena *a, struct err *err)
{
    struct edit e = {.cli = cli, .arena = a};

    if (topic_named(c, cli->args[0], err) == NULL
        || ask(c, cli->args[0], a, &e.known, err) != 0
        || edit_read(&e, err) != 0)
        return -1;
    if (e.count == 0) {
        show(cli, e.known);
        return 0;
    }
    if (edit_send(c, &e, err) != 0)
        return -1;
    edit_show(&e);
    return 0;
}

int
cmd_topic_config(struct cli *cli)
{
    struct client *c = NULL;
    struct arena a;
    struct err err;
    int code = CLI_OK;

    arena_init(&a, CLIENT_ANSWER_MAX);
    if (cli_args(cli, 1, -1, &err) != 0
        || (c = cli_client(cli, &err)) == NULL
        || run(cli, c, &a, &err) != 0)
        code = cli_fail(cli, &err);
    client_close(c);
    arena_release(&a);
    return code;
}
