/* seek.c: penstock group seek: moves what a group has committed. */
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
#include "wire/msg/offsets.h"

const struct opt opts_group_seek[] = {
    {'t', "topic", "TOPIC", "whose offsets move; may be given again"},
    {0, "to", "WHERE", "beginning, end, N, +N or -N from where it is, @TIME"},
    {'p', "partition", "N", "that partition alone"},
    {0, NULL, NULL, NULL},
};

struct where {
    enum { TO_TIME, TO_OFFSET, BY_SHIFT } kind;
    int64_t value;
};

static int
read_where(const char *text, struct where *w, struct err *err)
{
    *w = (struct where){TO_TIME, OFFSET_BEGIN};
    if (text == NULL)
        return err_set(err, ERR_USAGE, "where to? --to beginning, end, N, "
            "+N, -N or @TIME");
    if (strcmp(text, "beginning") == 0 || strcmp(text, "earliest") == 0)
        return 0;
    w->value = OFFSET_END;
    if (strcmp(text, "end") == 0 || strcmp(text, "latest") == 0)
        return 0;
    if (text[0] == '@')
        return parse_time(text + 1, world_wall_ms(world_real()), &w->value,
            err);
    w->kind = text[0] == '+' || text[0] == '-' ? BY_SHIFT : TO_OFFSET;
    if (parse_int(text + (text[0] == '+'), -INT64_MAX, INT64_MAX, &w->value,
            err) != 0)
        return err_set(err, ERR_USAGE, "'%.40s' is no place: beginning, end, "
            "N, +N, -N, @TIME", text);
    return 0;
}

struct seek {
    struct cli *cli;
    struct client *client;
    const char *group;
    struct where where;
    int64_t only;                /* partition; -1: all */
    struct arena arena;
    struct sheet sheet;
};

/* Where one partition goes: within what is there. */
static int64_t
target(const struct where *w, int64_t committed, int64_t begin, int64_t end,
    int64_t at_time)
{
    int64_t to = w->value;

    if (w->kind == TO_TIME)
        to = at_time < 0 ? end : at_time;
    else if (w->kind == BY_SHIFT)
        to += committed < 0 ? begin : committed;
    return to < begin ? begin : to > end ? end : to;
}

static int
commit(struct seek *s, const struct client_topic *topic,
    const int64_t *targets, struct err *err)
{
    struct offset_commit_request_partition *p = arena_calloc(&s->arena,
        (size_t)topic->partitions, sizeof *p);
    struct offset_commit_request_topic t;
    struct offset_commit_request req;
    struct offset_commit_response *resp;

    if (p == NULL)
        return err_set(err, ERR_LIMIT, "too many partitions");
    wire_init(&offset_commit_request_type, &req);
    wire_init(&offset_commit_request_topic_type, &t);
    t.name = client_name_span(topic->name);
    t.topic_id = topic->id;
    t.partitions.v = p;
    for (int32_t i = 0; i < topic->partitions; i++) {
        if (targets[i] < 0)
            continue;
        wire_init(&offset_commit_request_partition_type,
            &p[t.partitions.n]);
        p[t.partitions.n].partition_index = i;
        p[t.partitions.n++].committed_offset = targets[i];
    }
    req.group_id = client_name_span(s->group);
    req.generation_id_or_member_epoch = -1;
    req.topics.v = &t;
    req.topics.n = 1;
    if (client_call(s->client, API_OFFSET_COMMIT, &req, &s->arena, &resp, err)
        != 0)
        return -1;
    for (int32_t i = 0; i < resp->topics.n; i++)
        for (int32_t k = 0; k < resp->topics.v[i].partitions.n; k++) {
            int kerr = resp->topics.v[i].partitions.v[k].error_code;

            if (kerr == KERR_UNKNOWN_MEMBER_ID)
                return client_refused(err, kerr, "group '%s' has members: "
                    "stop them first", s->group);
            if (kerr != 0)
                return client_refused(err, kerr, "group '%s'", s->group);
        }
    return 0;
}

static int
seek_topic(struct seek *s, const char *name, struct err *err)
{
    const struct client_topic *topic = topic_named(s->client, name, err);
    size_t n = topic == NULL ? 0 : (size_t)topic->partitions, found;
    int64_t *lists = arena_calloc(&s->arena, 4 * n + 1, sizeof *lists);
    int64_t *begin = lists, *end = lists + n, *at = lists + 2 * n,
            *to = lists + 3 * n;
    struct committed *committed;

    if (topic == NULL)
        return -1;
    if (lists == NULL)
        return err_set(err, ERR_LIMIT, "too many partitions");
    if (client_offsets_of(s->client, topic, OFFSET_BEGIN, begin, err) != 0
        || client_offsets_of(s->client, topic, OFFSET_END, end, err) != 0
        || client_offsets_of(s->client, topic, s->where.kind == TO_TIME
                ? s->where.value : OFFSET_END, at, err) != 0
        || client_committed(s->client, s->group, topic, &s->arena,
            &committed, &found, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        to[i] = -1;
    for (size_t i = 0; i < found; i++) {
        int32_t p = committed[i].partition;

        if (p < 0 || (size_t)p >= n || (s->only >= 0 && s->only != p))
            continue;
        to[p] = target(&s->where, committed[i].offset, begin[p], end[p],
            at[p]);
        sheet_cstr(&s->sheet, name);
        sheet_int(&s->sheet, p);
        if (committed[i].offset < 0)
            sheet_null(&s->sheet);
        else
            sheet_int(&s->sheet, committed[i].offset);
        sheet_int(&s->sheet, to[p]);
    }
    return s->cli->dry_run ? 0 : commit(s, topic, to, err);
}

static int
seek(struct seek *s, struct err *err)
{
    static const char *const columns[] = {"topic", "partition", "committed",
        "new", NULL};
    struct cli *cli = s->cli;
    char question[200];
    const char *name;
    int rc = 0;

    if (cli_args(cli, 1, 1, err) != 0
        || read_where(cli_get(cli, "to"), &s->where, err) != 0
        || cli_int(cli, "partition", -1, 0, PARTITIONS_TOPIC_MAX, &s->only,
            err) != 0)
        return -1;
    if (cli_get(cli, "topic") == NULL)
        return err_set(err, ERR_USAGE, "which topic? --topic TOPIC");
    s->group = cli->args[0];
    snprintf(question, sizeof question, "Move the offsets of group "
        "'%.100s'?", s->group);
    if (!cli->dry_run && cli_confirm(cli, question, err) != 0)
        return -1;
    s->client = cli_client(cli, err);
    if (s->client == NULL
        || client_coordinator(s->client, s->group, err) != 0)
        return -1;
    sheet_init(&s->sheet, stdout, cli->output, cli->color, columns);
    for (int i = 0; rc == 0 && (name = cli_next(cli, "topic", &i)) != NULL;)
        rc = seek_topic(s, name, err);
    sheet_end(&s->sheet);
    if (rc == 0 && cli->dry_run)
        cli_say(cli, "nothing was moved: this was --dry-run");
    return rc;
}

int
cmd_group_seek(struct cli *cli)
{
    struct seek s = {.cli = cli};
    struct err err;
    int code = CLI_OK;

    arena_init(&s.arena, CLIENT_ANSWER_MAX);
    if (seek(&s, &err) != 0)
        code = cli_fail(cli, &err);
    client_close(s.client);
    arena_release(&s.arena);
    return code;
}
