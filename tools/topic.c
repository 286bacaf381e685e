/* topic.c: penstock topic create, list, describe, delete. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "client/client.h"
#include "commands.h"
#include "near.h"
#include "parse.h"
#include "sheet.h"
#include "topic.h"
#include "wire/msg/configs.h"
#include "wire/msg/topics.h"

const struct opt opts_topic_create[] = {
    {'p', "partitions", "N", "how many partitions (the broker's default)"},
    {'c', "config", "KEY=VALUE",
        "a setting; retention.bytes=1G, retention.ms=7d"},
    {0, "if-not-exists", NULL, "a topic that exists is no error"},
    {0, NULL, NULL, NULL},
};
const struct opt opts_topic_list[] = {
    {'a', "all", NULL, "internal topics, too"},
    {0, NULL, NULL, NULL},
};
const struct opt opts_topic_describe[] = {{0, NULL, NULL, NULL}};
const struct opt opts_topic_delete[] = {
    {0, "if-exists", NULL, "a topic that does not exist is no error"},
    {0, NULL, NULL, NULL},
};

/* ---- names -------------------------------------------------------------- */

/* "topic 'ordres' does not exist (did you mean 'orders'?)" */
static void
add_hint(struct client *c, const char *name, struct err *err)
{
    struct client_topic *topics;
    struct arena a;
    char hint[280];
    struct near n;
    struct err ignored;
    size_t count;

    arena_init(&a, CLIENT_ANSWER_MAX);
    near_init(&n, name);
    if (client_topics(c, &a, &topics, &count, &ignored) == 0) {
        for (size_t i = 0; i < count; i++)
            near_try(&n, topics[i].name);
        client_refused(err, KERR_UNKNOWN_TOPIC_OR_PARTITION,
            "topic '%s' does not exist%s", name,
            near_hint(&n, hint, sizeof hint));
    }
    arena_release(&a);
}

const struct client_topic *
topic_named(struct client *c, const char *name, struct err *err)
{
    const struct client_topic *t = client_topic(c, name, err);
    int kerr;

    if (t == NULL && client_kerr(err, &kerr)
        && kerr == KERR_UNKNOWN_TOPIC_OR_PARTITION)
        add_hint(c, name, err);
    return t;
}

/* ---- results of many names ---------------------------------------------- */

/* One row for each name that was to be changed. */
struct outcome {
    const struct cli *cli;
    struct sheet sheet;
    int done, failed, code;
};

static const char *const outcome_columns[] = {"topic", "partitions", "result",
    NULL};

static void
outcome_init(struct outcome *o, const struct cli *cli)
{
    *o = (struct outcome){.cli = cli};
    sheet_init(&o->sheet, stdout, cli->output, cli->color, outcome_columns);
}

static void
outcome_done(struct outcome *o, const char *name, int32_t partitions,
    const char *result)
{
    sheet_cstr(&o->sheet, name);
    if (partitions < 0)
        sheet_null(&o->sheet);
    else
        sheet_int(&o->sheet, partitions);
    sheet_cstr(&o->sheet, result);
    o->done++;
}

static void
outcome_failed(struct outcome *o, const char *name, const struct err *err)
{
    int kerr;

    o->code = cli_fail(o->cli, err);
    outcome_done(o, name, -1,
        client_kerr(err, &kerr) ? kerr_name(kerr) : "failed");
    o->done--;
    o->failed++;
}

static int
outcome_end(struct outcome *o)
{
    sheet_end(&o->sheet);
    return o->failed == 0 ? CLI_OK : o->done > 0 ? CLI_PARTLY : o->code;
}

/* ---- create ------------------------------------------------------------- */

/* Sizes and durations may have their units: what ends in .bytes, in .ms. */
int
topic_setting_value(const char *key, const char *text, struct arena *a,
    struct span *out, struct err *err)
{
    size_t n = strlen(key);
    int64_t v;
    int rc;

    *out = span_str(text);
    if (text[0] == '\0' || text[0] == '-'
        || strspn(text, "0123456789") == strlen(text))
        return 0;
    if (n > 6 && strcmp(key + n - 6, ".bytes") == 0)
        rc = parse_bytes(text, &v, err);
    else if (n > 3 && strcmp(key + n - 3, ".ms") == 0)
        rc = parse_ms(text, &v, err);
    else
        return 0;
    if (rc == 0)
        *out = span_str(arena_printf(a, "%lld", (long long)v));
    return rc == 0 ? 0 : err_prefix(err, "%s", key);
}

static int
read_settings(const struct cli *cli, struct arena *a,
    struct create_topics_request_topic *t, struct err *err)
{
    const char *text, *equals;
    char *key;

    t->configs.v = wire_new(&create_topics_request_config_type, a,
        (size_t)cli->value_count + 1);
    for (int i = 0; (text = cli_next(cli, "config", &i)) != NULL;) {
        struct create_topics_request_config *c = &t->configs.v[t->configs.n++];

        equals = strchr(text, '=');
        if (equals == NULL || equals == text)
            return err_set(err, ERR_USAGE, "-c '%.80s' is not KEY=VALUE", text);
        key = arena_strndup(a, text, (size_t)(equals - text));
        c->name = span_str(key);
        if (topic_setting_value(key, equals + 1, a, &c->value, err) != 0)
            return -1;
    }
    return 0;
}

static int
build_create(const struct cli *cli, struct arena *a,
    struct create_topics_request *req, struct err *err)
{
    int64_t partitions;
    struct create_topics_request_topic *t;

    if (cli_args(cli, 1, REQUEST_TOPICS_MAX, err) != 0
        || cli_int(cli, "partitions", -1, 1, PARTITIONS_TOPIC_MAX, &partitions,
            err) != 0)
        return -1;
    wire_init(&create_topics_request_type, req);
    t = wire_new(&create_topics_request_topic_type, a, (size_t)cli->arg_count);
    if (t == NULL)
        return err_set(err, ERR_LIMIT, "too many topics");
    req->topics.v = t;
    req->topics.n = cli->arg_count;
    req->timeout_ms = cli->timeout_ms;
    req->validate_only = cli->dry_run;
    if (read_settings(cli, a, t, err) != 0)
        return -1;
    for (int i = 0; i < cli->arg_count; i++) {
        t[i].name = span_str(cli->args[i]);
        t[i].num_partitions = (int32_t)partitions;
        t[i].replication_factor = -1;
        t[i].configs = t[0].configs;
    }
    return 0;
}

static void
created(struct outcome *o, const struct create_topics_response_topic *t,
    const char *name)
{
    struct err err;

    if (t->error_code == 0) {
        outcome_done(o, name, t->num_partitions,
            o->cli->dry_run ? "would be created" : "created");
    } else if (t->error_code == KERR_TOPIC_ALREADY_EXISTS
        && cli_has(o->cli, "if-not-exists")) {
        outcome_done(o, name, -1, "exists");
    } else {
        if (t->error_code == KERR_TOPIC_ALREADY_EXISTS)
            client_refused(&err, t->error_code, "topic '%s' exists already",
                name);
        else
            client_refused(&err, t->error_code, "topic '%s': %.*s", name,
                t->error_message.len > 0 ? (int)t->error_message.len : 200,
                t->error_message.len > 0 ? (const char *)t->error_message.ptr
                                         : kerr_text(t->error_code));
        outcome_failed(o, name, &err);
    }
}

int
cmd_topic_create(struct cli *cli)
{
    struct create_topics_request req;
    struct create_topics_response *resp;
    struct client *c = NULL;
    struct outcome o;
    struct arena a;
    struct err err;
    int code;

    arena_init(&a, CLIENT_ANSWER_MAX);
    if (build_create(cli, &a, &req, &err) != 0
        || (c = cli_client(cli, &err)) == NULL
        || client_call_wait(c, API_CREATE_TOPICS, &req, cli->timeout_ms, &a,
            &resp, &err) != 0) {
        code = cli_fail(cli, &err);
    } else {
        outcome_init(&o, cli);
        for (int32_t i = 0; i < resp->topics.n; i++)
            created(&o, &resp->topics.v[i],
                arena_strndup(&a, (const char *)resp->topics.v[i].name.ptr,
                    resp->topics.v[i].name.len));
        code = outcome_end(&o);
    }
    client_close(c);
    arena_release(&a);
    return code;
}

/* ---- list --------------------------------------------------------------- */

/* How many offsets each topic holds, begin to end: one pair of requests. */
static int
count_records(struct client *c, const struct client_topic *topics, size_t n,
    int64_t *records, struct err *err)
{
    struct offset_query *q;
    struct arena a;
    size_t total = 0, at = 0;
    int rc = -1;

    for (size_t i = 0; i < n; i++)
        total += (size_t)topics[i].partitions;
    arena_init(&a, CLIENT_ANSWER_MAX);
    q = arena_calloc(&a, total + 1, sizeof *q);
    if (q == NULL) {
        err_set(err, ERR_LIMIT, "too many partitions");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        for (int32_t p = 0; p < topics[i].partitions; p++)
            q[at++] = (struct offset_query){.topic = &topics[i],
                .partition = p, .at = OFFSET_END};
    }
    for (int pass = 0; pass < 2; pass++) {
        if (client_offsets(c, q, total, err) != 0)
            goto done;
        for (size_t i = 0; i < total; i++) {
            records[q[i].topic - topics] += pass == 0 ? q[i].offset
                                                      : -q[i].offset;
            q[i].at = OFFSET_BEGIN;
        }
    }
    rc = 0;
done:
    arena_release(&a);
    return rc;
}

static int
list_topics(struct cli *cli, struct client *c, struct arena *a,
    struct err *err)
{
    static const char *const columns[] = {"topic", "partitions", "records",
        NULL};
    struct client_topic *topics;
    struct sheet sheet;
    int64_t *records;
    size_t count, n = 0;

    if (client_topics(c, a, &topics, &count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (!topics[i].internal || cli_has(cli, "all"))
            topics[n++] = topics[i];
    }
    records = arena_calloc(a, n + 1, sizeof *records);
    if (records == NULL)
        return err_set(err, ERR_LIMIT, "too many topics");
    if (cli->output != OUTPUT_RAW
        && count_records(c, topics, n, records, err) != 0)
        return -1;
    sheet_init(&sheet, stdout, cli->output, cli->color, columns);
    for (size_t i = 0; i < n; i++) {
        sheet_cstr(&sheet, topics[i].name);
        sheet_int(&sheet, topics[i].partitions);
        sheet_int(&sheet, records[i]);
    }
    sheet_end(&sheet);
    return 0;
}

int
cmd_topic_list(struct cli *cli)
{
    struct client *c = NULL;
    struct arena a;
    struct err err;
    int code = CLI_OK;

    arena_init(&a, CLIENT_ANSWER_MAX);
    if (cli_args(cli, 0, 0, &err) != 0 || (c = cli_client(cli, &err)) == NULL
        || list_topics(cli, c, &a, &err) != 0)
        code = cli_fail(cli, &err);
    client_close(c);
    arena_release(&a);
    return code;
}

/* ---- describe ----------------------------------------------------------- */

struct description {
    const struct client_topic *topic;
    int64_t *begin, *end;
    const struct describe_configs_response_resource *configs;    /* or NULL */
};

static int
ask_configs(struct client *c, const char *name, struct arena *a,
    struct description *d, struct err *err)
{
    struct describe_configs_request_resource topic;
    struct describe_configs_request req;
    struct describe_configs_response *resp;

    wire_init(&describe_configs_request_resource_type, &topic);
    wire_init(&describe_configs_request_type, &req);
    topic.resource_type = 2;
    topic.resource_name = client_name_span(name);
    topic.configuration_keys.n = -1;
    req.resources.v = &topic;
    req.resources.n = 1;
    if (client_call(c, API_DESCRIBE_CONFIGS, &req, a, &resp, err) != 0)
        return -1;
    if (resp->results.n == 1 && resp->results.v[0].error_code == 0)
        d->configs = &resp->results.v[0];
    return 0;
}

static int
gather(struct client *c, const char *name, struct arena *a,
    struct description *d, struct err *err)
{
    *d = (struct description){.topic = topic_named(c, name, err)};
    if (d->topic == NULL)
        return -1;
    d->begin = arena_calloc(a, (size_t)d->topic->partitions, sizeof *d->begin);
    d->end = arena_calloc(a, (size_t)d->topic->partitions, sizeof *d->end);
    if (d->begin == NULL || d->end == NULL)
        return err_set(err, ERR_LIMIT, "too many partitions");
    if (client_offsets_of(c, d->topic, OFFSET_BEGIN, d->begin, err) != 0
        || client_offsets_of(c, d->topic, OFFSET_END, d->end, err) != 0)
        return -1;
    return ask_configs(c, name, a, d, err);
}

/* Is it set for this topic? 1 is Kafka's "dynamic topic config". */
static bool
is_own(const struct describe_configs_response_config *c)
{
    return c->config_source == 1;
}

static void
describe_json(const struct description *d, struct buf *out)
{
    char id[UUID_TEXT];
    struct json j;

    json_init(&j, out);
    json_object_begin(&j);
    json_kv_cstr(&j, "topic", d->topic->name);
    json_kv_cstr(&j, "id", uuid_text(&d->topic->id, id));
    json_kv_bool(&j, "internal", d->topic->internal);
    json_key(&j, "partitions");
    json_array_begin(&j);
    for (int32_t i = 0; i < d->topic->partitions; i++) {
        json_object_begin(&j);
        json_kv_int(&j, "partition", i);
        json_kv_int(&j, "begin", d->begin[i]);
        json_kv_int(&j, "end", d->end[i]);
        json_kv_int(&j, "records", d->end[i] - d->begin[i]);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_key(&j, "configs");
    json_object_begin(&j);
    for (int32_t i = 0; d->configs != NULL && i < d->configs->configs.n; i++) {
        const struct describe_configs_response_config *c =
            &d->configs->configs.v[i];
        struct buf key;

        buf_init(&key, 64 * KIB);
        buf_put_span(&key, c->name);
        buf_put_u8(&key, '\0');
        json_key(&j, (const char *)key.ptr);
        json_span(&j, c->value);
        buf_release(&key);
    }
    json_object_end(&j);
    json_object_end(&j);
}

static void
print_settings(const struct cli *cli, const struct description *d)
{
    for (int32_t i = 0; d->configs != NULL && i < d->configs->configs.n; i++) {
        const struct describe_configs_response_config *c =
            &d->configs->configs.v[i];

        if (is_own(c) || cli->verbose > 0)
            printf("%.*s=%.*s%s\n", (int)c->name.len,
                (const char *)c->name.ptr, (int)c->value.len,
                (const char *)c->value.ptr, is_own(c) ? "" : "  (default)");
    }
}

static void
describe_people(const struct cli *cli, const struct description *d)
{
    static const char *const columns[] = {"partition", "begin", "end",
        "records", NULL};
    struct sheet sheet;
    char id[UUID_TEXT];

    if (cli->output == OUTPUT_TABLE) {
        printf("topic %s, id %s%s\n", d->topic->name,
            uuid_text(&d->topic->id, id), d->topic->internal ? ", internal"
                                                             : "");
        print_settings(cli, d);
        putchar('\n');
    }
    sheet_init(&sheet, stdout, cli->output, cli->color, columns);
    for (int32_t i = 0; i < d->topic->partitions; i++) {
        sheet_int(&sheet, i);
        sheet_int(&sheet, d->begin[i]);
        sheet_int(&sheet, d->end[i]);
        sheet_int(&sheet, d->end[i] - d->begin[i]);
    }
    sheet_end(&sheet);
}

static int
describe_one(const struct cli *cli, struct client *c, const char *name,
    struct err *err)
{
    struct description d;
    struct arena a;
    struct buf out;
    int rc;

    arena_init(&a, CLIENT_ANSWER_MAX);
    rc = gather(c, name, &a, &d, err);
    if (rc == 0 && (cli->output == OUTPUT_JSON
            || cli->output == OUTPUT_NDJSON)) {
        buf_init(&out, CLIENT_ANSWER_MAX);
        describe_json(&d, &out);
        printf("%.*s\n", (int)out.len, (const char *)out.ptr);
        buf_release(&out);
    } else if (rc == 0) {
        describe_people(cli, &d);
    }
    arena_release(&a);
    return rc;
}

int
cmd_topic_describe(struct cli *cli)
{
    struct client *c = NULL;
    struct err err;
    int code = CLI_OK, failed = 0;

    if (cli_args(cli, 1, -1, &err) != 0
        || (c = cli_client(cli, &err)) == NULL)
        return cli_fail(cli, &err);
    for (int i = 0; i < cli->arg_count; i++) {
        if (describe_one(cli, c, cli->args[i], &err) != 0) {
            code = cli_fail(cli, &err);
            failed++;
        } else if (cli->output == OUTPUT_TABLE && i + 1 < cli->arg_count) {
            putchar('\n');
        }
    }
    client_close(c);
    return failed > 0 && failed < cli->arg_count ? CLI_PARTLY : code;
}

/* ---- delete ------------------------------------------------------------- */

static int
delete_one(struct client *c, const char *name, struct err *err)
{
    struct delete_topics_request_topic topic;
    struct span span = client_name_span(name);
    struct delete_topics_request req;
    struct delete_topics_response *resp;
    struct arena a;
    int rc;

    arena_init(&a, 4 * MIB);
    wire_init(&delete_topics_request_topic_type, &topic);
    wire_init(&delete_topics_request_type, &req);
    topic.name = span;
    req.topics.v = &topic;
    req.topic_names.v = &span;
    req.topics.n = req.topic_names.n = 1;
    req.timeout_ms = client_timeout_ms(c);
    rc = client_call_wait(c, API_DELETE_TOPICS, &req, client_timeout_ms(c), &a,
        &resp, err);
    if (rc == 0 && resp->responses.n == 1
        && resp->responses.v[0].error_code != 0)
        rc = client_refused(err, resp->responses.v[0].error_code,
            "topic '%s'", name);
    arena_release(&a);
    return rc;
}

static void
delete_topic(struct outcome *o, struct client *c, const char *name)
{
    const struct client_topic *t;
    struct err err;
    int kerr = 0;

    t = topic_named(c, name, &err);
    if (t == NULL) {
        if (client_kerr(&err, &kerr)
            && kerr == KERR_UNKNOWN_TOPIC_OR_PARTITION
            && cli_has(o->cli, "if-exists"))
            outcome_done(o, name, -1, "does not exist");
        else
            outcome_failed(o, name, &err);
    } else if (o->cli->dry_run) {
        outcome_done(o, name, t->partitions, "would be deleted");
    } else if (delete_one(c, name, &err) != 0) {
        outcome_failed(o, name, &err);
    } else {
        outcome_done(o, name, t->partitions, "deleted");
    }
}

int
cmd_topic_delete(struct cli *cli)
{
    char question[200];
    struct client *c = NULL;
    struct outcome o;
    struct err err;
    int code;

    if (cli_args(cli, 1, -1, &err) != 0)
        return cli_fail(cli, &err);
    snprintf(question, sizeof question, cli->arg_count == 1
        ? "Delete topic '%.100s' and its records?"
        : "Delete '%.100s' and the other topics, and their records?",
        cli->args[0]);
    if ((!cli->dry_run && cli_confirm(cli, question, &err) != 0)
        || (c = cli_client(cli, &err)) == NULL)
        return cli_fail(cli, &err);
    outcome_init(&o, cli);
    for (int i = 0; i < cli->arg_count; i++)
        delete_topic(&o, c, cli->args[i]);
    code = outcome_end(&o);
    client_close(c);
    return code;
}
