/*
 * topic_trim.c: penstock topic trim: deletes the oldest records, before an
 * offset or a time, of all partitions or one.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/world.h"
#include "client/client.h"
#include "commands.h"
#include "parse.h"
#include "sheet.h"
#include "topic.h"
#include "wire/msg/topics.h"

const struct opt opts_topic_trim[] = {
    {0, "before", "WHERE", "an offset, a time, or end: what is older goes"},
    {'p', "partition", "N", "that partition alone"},
    {0, NULL, NULL, NULL},
};

struct cut {                     /* one partition */
    int32_t partition;
    int64_t begin, end, to;
    int kerr;
};

struct trim {
    const struct cli *cli;
    const struct client_topic *topic;
    bool by_time;
    int64_t where;               /* offset, or ms, or OFFSET_END */
    struct cut *cuts;
    int32_t count;
};

/* Digits alone are an offset; a time has a sign or more in it, or stands
 * behind @, as in the other commands. */
static int
read_before(const char *text, struct trim *t, struct err *err)
{
    if (text == NULL)
        return err_set(err, ERR_USAGE, "before what? --before OFFSET, TIME "
            "or end");
    t->where = OFFSET_END;
    t->by_time = true;
    if (strcmp(text, "end") == 0)
        return 0;
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0') {
        t->by_time = false;
        return parse_int(text, 0, INT64_MAX, &t->where, err);
    }
    return parse_time(text + (text[0] == '@'), world_wall_ms(world_real()),
        &t->where, err);
}

/* Begin, end and the place to cut of each partition. */
static int
find_places(struct client *c, struct trim *t, int64_t only, struct arena *a,
    struct err *err)
{
    size_t n = (size_t)t->topic->partitions;
    int64_t *begin = arena_calloc(a, n, sizeof *begin);
    int64_t *end = arena_calloc(a, n, sizeof *end);
    int64_t *at = arena_calloc(a, n, sizeof *at);

    t->cuts = arena_calloc(a, n, sizeof *t->cuts);
    if (begin == NULL || end == NULL || at == NULL || t->cuts == NULL)
        return err_set(err, ERR_LIMIT, "too many partitions");
    if (only >= t->topic->partitions)
        return client_refused(err, KERR_UNKNOWN_TOPIC_OR_PARTITION,
            "topic '%s' has partitions 0 to %d", t->topic->name,
            t->topic->partitions - 1);
    if (client_offsets_of(c, t->topic, OFFSET_BEGIN, begin, err) != 0
        || client_offsets_of(c, t->topic, OFFSET_END, end, err) != 0
        || (t->by_time
            && client_offsets_of(c, t->topic, t->where, at, err) != 0))
        return -1;
    for (int32_t i = 0; i < t->topic->partitions; i++) {
        struct cut *one = &t->cuts[t->count];

        if (only >= 0 && i != only)
            continue;
        *one = (struct cut){.partition = i, .begin = begin[i],
            .end = end[i], .to = t->where};
        if (t->by_time) /* -1: no record is that young, all go */
            one->to = at[i] < 0 ? end[i] : at[i];
        else if (t->where > end[i])
            one->kerr = KERR_OFFSET_OUT_OF_RANGE;
        t->count++;
    }
    return 0;
}

static bool
cut_does(const struct cut *c)
{
    return c->kerr == 0 && c->to > c->begin;
}

/* Asks for all cuts in one request; each gets its error. */
static int
send_cuts(struct client *c, struct trim *t, struct arena *a, struct err *err)
{
    struct delete_records_request_partition *list = arena_calloc(a,
        (size_t)t->count, sizeof *list);
    struct delete_records_request_topic topic;
    struct delete_records_request req;
    struct delete_records_response *resp;

    if (list == NULL)
        return err_set(err, ERR_LIMIT, "too many partitions");
    wire_init(&delete_records_request_type, &req);
    wire_init(&delete_records_request_topic_type, &topic);
    topic.name = client_name_span(t->topic->name);
    topic.partitions.v = list;
    for (int32_t i = 0; i < t->count; i++) {
        if (!cut_does(&t->cuts[i]))
            continue;
        list[topic.partitions.n].partition_index = t->cuts[i].partition;
        list[topic.partitions.n++].offset = t->cuts[i].to;
    }
    if (topic.partitions.n == 0)
        return 0;
    req.topics.v = &topic;
    req.topics.n = 1;
    req.timeout_ms = t->cli->timeout_ms;
    if (client_call_wait(c, API_DELETE_RECORDS, &req, t->cli->timeout_ms, a,
            &resp, err) != 0)
        return -1;
    for (int32_t i = 0; resp->topics.n == 1
            && i < resp->topics.v[0].partitions.n; i++) {
        const struct delete_records_response_partition *p
            = &resp->topics.v[0].partitions.v[i];

        for (int32_t k = 0; k < t->count; k++)
            if (t->cuts[k].partition == p->partition_index)
                t->cuts[k].kerr = p->error_code;
    }
    return 0;
}

static const char *
result_of(const struct trim *t, const struct cut *c)
{
    if (c->kerr != 0)
        return kerr_name(c->kerr);
    if (!cut_does(c))
        return "nothing to trim";
    return t->cli->dry_run ? "would be trimmed" : "trimmed";
}

/* The rows, and the exit code. */
static int
show_cuts(const struct trim *t)
{
    static const char *const columns[] = {"topic", "partition", "begin",
        "new_begin", "records", "result", NULL};
    struct sheet sheet;
    struct err err;
    int failed = 0, code = CLI_OK;

    sheet_init(&sheet, stdout, t->cli->output, t->cli->color, columns);
    for (int32_t i = 0; i < t->count; i++) {
        const struct cut *c = &t->cuts[i];
        int64_t to = cut_does(c) ? c->to : c->begin;

        if (c->kerr != 0) {
            client_refused(&err, c->kerr, c->kerr == KERR_OFFSET_OUT_OF_RANGE
                ? "%s/%d ends at %lld" : "%s/%d", t->topic->name,
                c->partition, (long long)c->end);
            code = cli_fail(t->cli, &err);
            failed++;
        }
        sheet_cstr(&sheet, t->topic->name);
        sheet_int(&sheet, c->partition);
        sheet_int(&sheet, c->begin);
        sheet_int(&sheet, to);
        sheet_int(&sheet, to - c->begin);
        sheet_cstr(&sheet, result_of(t, c));
    }
    sheet_end(&sheet);
    return failed > 0 && failed < t->count ? CLI_PARTLY : code;
}

static int
run(struct cli *cli, struct client *c, struct arena *a, int *code,
    struct err *err)
{
    struct trim t = {.cli = cli};
    int64_t only;

    if (read_before(cli_get(cli, "before"), &t, err) != 0
        || cli_int(cli, "partition", -1, 0, INT32_MAX, &only, err) != 0)
        return -1;
    t.topic = topic_named(c, cli->args[0], err);
    if (t.topic == NULL || find_places(c, &t, only, a, err) != 0
        || (!cli->dry_run && send_cuts(c, &t, a, err) != 0))
        return -1;
    *code = show_cuts(&t);
    return 0;
}

/* What is wrong with the line is said before anybody is asked. */
static int
prepare(struct cli *cli, struct err *err)
{
    char question[200];
    struct trim t = {0};
    int64_t only;

    if (cli_args(cli, 1, 1, err) != 0
        || read_before(cli_get(cli, "before"), &t, err) != 0
        || cli_int(cli, "partition", -1, 0, INT32_MAX, &only, err) != 0)
        return -1;
    snprintf(question, sizeof question, "Delete the records of '%.100s' "
        "before %.50s?", cli->args[0], cli_get(cli, "before"));
    return cli->dry_run ? 0 : cli_confirm(cli, question, err);
}

int
cmd_topic_trim(struct cli *cli)
{
    struct client *c = NULL;
    struct arena a;
    struct err err;
    int code = CLI_OK;

    arena_init(&a, CLIENT_ANSWER_MAX);
    if (prepare(cli, &err) != 0 || (c = cli_client(cli, &err)) == NULL
        || run(cli, c, &a, &code, &err) != 0)
        code = cli_fail(cli, &err);
    client_close(c);
    arena_release(&a);
    return code;
}
