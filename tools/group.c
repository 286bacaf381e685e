/* group.c: penstock group list, describe, delete. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "client/client.h"
#include "commands.h"
#include "near.h"
#include "sheet.h"
#include "wire/msg/consumer.h"
#include "wire/msg/consumer_groups.h"
#include "wire/msg/groups.h"

const struct opt opts_group_list[] = {{0, NULL, NULL, NULL}};
const struct opt opts_group_describe[] = {{0, NULL, NULL, NULL}};
const struct opt opts_group_delete[] = {{0, NULL, NULL, NULL}};

/* ---- list --------------------------------------------------------------- */

static int
ask_list(struct client *c, struct arena *a,
    struct list_groups_response **resp, struct err *err)
{
    struct list_groups_request req;

    wire_init(&list_groups_request_type, &req);
    if (client_call(c, API_LIST_GROUPS, &req, a, resp, err) != 0)
        return -1;
    if ((*resp)->error_code != 0)
        return client_refused(err, (*resp)->error_code, "groups");
    return 0;
}

static int
by_id(const void *a, const void *b)
{
    const struct list_groups_response_group *x = a, *y = b;

    return span_cmp(x->group_id, y->group_id);
}

static int
list_groups(struct cli *cli, struct client *c, struct arena *a,
    struct err *err)
{
    static const char *const columns[] = {"group", "state", "type",
        "protocol", NULL};
    struct list_groups_response *resp;
    struct sheet sheet;

    if (ask_list(c, a, &resp, err) != 0)
        return -1;
    if (resp->groups.n > 0)
        qsort(resp->groups.v, (size_t)resp->groups.n, sizeof *resp->groups.v,
            by_id);
    sheet_init(&sheet, stdout, cli->output, cli->color, columns);
    for (int32_t i = 0; i < resp->groups.n; i++) {
        const struct list_groups_response_group *g = &resp->groups.v[i];

        sheet_span(&sheet, g->group_id);
        sheet_span(&sheet, g->group_state);
        sheet_span(&sheet, g->group_type);
        sheet_span(&sheet, g->protocol_type);
    }
    sheet_end(&sheet);
    return 0;
}

int
cmd_group_list(struct cli *cli)
{
    struct client *c = NULL;
    struct arena a;
    struct err err;
    int code = CLI_OK;

    arena_init(&a, CLIENT_ANSWER_MAX);
    if (cli_args(cli, 0, 0, &err) != 0 || (c = cli_client(cli, &err)) == NULL
        || list_groups(cli, c, &a, &err) != 0)
        code = cli_fail(cli, &err);
    client_close(c);
    arena_release(&a);
    return code;
}

/* ---- describe: what there is -------------------------------------------- */

struct member {
    struct span id, host;
};

struct line {                    /* one partition of the group */
    struct committed committed;
    int64_t end;                 /* -1: the topic is gone */
    const struct member *member; /* or NULL */
};

/* A group of either protocol, classic or KIP-848's. */
struct description {
    struct span id, state;
    struct span assignor;        /* who says which member reads what */
    struct member *members;
    size_t member_count;
    struct line *lines;
    size_t count;
};

/* "group 'biling' does not exist (did you mean 'billing'?)" */
static int
no_group(struct client *c, const char *name, struct err *err)
{
    struct list_groups_response *resp;
    struct err ignored;
    struct arena a;
    char hint[280];
    struct near n;

    arena_init(&a, CLIENT_ANSWER_MAX);
    near_init(&n, name);
    if (ask_list(c, &a, &resp, &ignored) == 0) {
        for (int32_t i = 0; i < resp->groups.n; i++) {
            const char *id = arena_strndup(&a,
                (const char *)resp->groups.v[i].group_id.ptr,
                resp->groups.v[i].group_id.len);

            if (id != NULL)
                near_try(&n, id);
        }
    }
    client_refused(err, KERR_GROUP_ID_NOT_FOUND, "group '%s' does not exist%s",
        name, near_hint(&n, hint, sizeof hint));
    arena_release(&a);
    return -1;
}

static int
members_new(struct description *d, int32_t n, struct arena *a,
    struct err *err)
{
    d->member_count = n > 0 ? (size_t)n : 0;
    d->members = arena_calloc(a, d->member_count + 1, sizeof *d->members);
    return d->members == NULL ? err_set(err, ERR_LIMIT, "too many members")
                              : 0;
}

static struct line *
line_of(struct description *d, struct span topic, int32_t partition,
    struct arena *a)
{
    struct line *l;

    for (size_t i = 0; i < d->count; i++) {
        l = &d->lines[i];
        if (l->committed.partition == partition
            && span_eq(client_name_span(l->committed.topic), topic))
            return l;
    }
    l = arena_calloc(a, d->count + 1, sizeof *l);
    if (l == NULL)
        return NULL;
    if (d->count > 0)
        memcpy(l, d->lines, d->count * sizeof *l);
    d->lines = l;
    l += d->count++;
    l->committed.topic = arena_strndup(a, (const char *)topic.ptr, topic.len);
    l->committed.partition = partition;
    l->committed.offset = -1;
    return l->committed.topic == NULL ? NULL : l;
}

/* Who has which partition stands in the blobs of the consumer protocol. */
static void
read_assignment(struct description *d, const struct member *member,
    struct span blob, struct arena *a)
{
    struct consumer_protocol_assignment *assignment;
    struct line *line;
    struct err ignored;
    int version;
    void *got;

    if (blob.len == 0
        || wire_decode_blob(&consumer_protocol_assignment_msg, blob, a,
               &version, &got, &ignored) != 0)
        return;
    assignment = got;
    for (int32_t i = 0; i < assignment->assigned_partitions.n; i++) {
        const struct consumer_protocol_assignment_topic *t =
            &assignment->assigned_partitions.v[i];

        for (int32_t j = 0; j < t->partitions.n; j++) {
            line = line_of(d, t->topic, t->partitions.v[j], a);
            if (line != NULL)
                line->member = member;
        }
    }
}

static int
read_classic(const struct describe_groups_response_group *g,
    struct arena *a, struct description *d, struct err *err)
{
    d->id = g->group_id;
    d->state = g->group_state;
    d->assignor = g->protocol_data;
    if (members_new(d, g->members.n, a, err) != 0)
        return -1;
    for (int32_t i = 0; i < g->members.n; i++) {
        d->members[i] = (struct member){g->members.v[i].member_id,
            g->members.v[i].client_host};
        read_assignment(d, &d->members[i], g->members.v[i].member_assignment,
            a);
    }
    return 0;
}

static int
read_consumer(const struct consumer_group_describe_response_group *g,
    struct arena *a, struct description *d, struct err *err)
{
    d->id = g->group_id;
    d->state = g->group_state;
    d->assignor = g->assignor_name;
    if (members_new(d, g->members.n, a, err) != 0)
        return -1;
    for (int32_t i = 0; i < g->members.n; i++) {
        const struct consumer_group_describe_response_member *m
            = &g->members.v[i];

        d->members[i] = (struct member){m->member_id, m->client_host};
        for (int32_t k = 0; k < m->assignment.topic_partitions.n; k++) {
            const struct consumer_group_describe_response_topic *t
                = &m->assignment.topic_partitions.v[k];

            for (int32_t p = 0; p < t->partitions.n; p++) {
                struct line *line = line_of(d, t->topic_name,
                    t->partitions.v[p], a);

                if (line != NULL)
                    line->member = &d->members[i];
            }
        }
    }
    return 0;
}

/* The new protocol's answer. 1: it does not know the group, either. */
static int
ask_consumer(struct client *c, const char *name, struct arena *a,
    struct description *d, struct err *err)
{
    struct span id = client_name_span(name);
    struct consumer_group_describe_request req;
    struct consumer_group_describe_response *resp;

    if (client_version(c, API_CONSUMER_GROUP_DESCRIBE) < 0)
        return 1;
    wire_init(&consumer_group_describe_request_type, &req);
    req.group_ids.v = &id;
    req.group_ids.n = 1;
    if (client_call(c, API_CONSUMER_GROUP_DESCRIBE, &req, a, &resp, err) != 0)
        return -1;
    if (resp->groups.n != 1)
        return err_set(err, ERR_FORMAT, "an answer for %d groups",
            resp->groups.n);
    if (resp->groups.v[0].error_code == KERR_GROUP_ID_NOT_FOUND)
        return 1;
    if (resp->groups.v[0].error_code != 0)
        return client_refused(err, resp->groups.v[0].error_code,
            "group '%s'", name);
    return read_consumer(&resp->groups.v[0], a, d, err);
}

static int
ask_describe(struct client *c, const char *name, struct arena *a,
    struct description *d, struct err *err)
{
    struct span id = client_name_span(name);
    const struct describe_groups_response_group *g;
    struct describe_groups_request req;
    struct describe_groups_response *resp;
    int rc;

    wire_init(&describe_groups_request_type, &req);
    req.groups.v = &id;
    req.groups.n = 1;
    if (client_coordinator(c, name, err) != 0
        || client_call(c, API_DESCRIBE_GROUPS, &req, a, &resp, err) != 0)
        return -1;
    if (resp->groups.n != 1)
        return err_set(err, ERR_FORMAT, "an answer for %d groups",
            resp->groups.n);
    g = &resp->groups.v[0];
    /* Before version 6 a group that is not there is said to be Dead. One of
     * the new protocol is not there, too. */
    if (g->error_code == KERR_GROUP_ID_NOT_FOUND || (g->error_code == 0
            && span_eq(g->group_state, span_str("Dead")))) {
        rc = ask_consumer(c, name, a, d, err);
        return rc == 1 ? no_group(c, name, err) : rc;
    }
    if (g->error_code != 0)
        return client_refused(err, g->error_code, "group '%s'", name);
    return read_classic(g, a, d, err);
}

static int
by_place(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int c = strcmp(x->committed.topic, y->committed.topic);

    return c != 0 ? c : (x->committed.partition > y->committed.partition)
        - (x->committed.partition < y->committed.partition);
}

/* The end of each partition that still is there. */
static int
ask_ends(struct client *c, struct description *d, struct arena *a,
    struct err *err)
{
    struct offset_query *q = arena_calloc(a, d->count + 1, sizeof *q);
    size_t *of = arena_calloc(a, d->count + 1, sizeof *of), n = 0;
    struct err ignored;

    if (q == NULL || of == NULL)
        return err_set(err, ERR_LIMIT, "too many partitions");
    for (size_t i = 0; i < d->count; i++) {
        const struct committed *at = &d->lines[i].committed;
        const struct client_topic *t = client_topic(c, at->topic, &ignored);

        d->lines[i].end = -1;
        if (t == NULL || at->partition >= t->partitions)
            continue;
        q[n] = (struct offset_query){.topic = t, .partition = at->partition,
            .at = OFFSET_END};
        of[n++] = i;
    }
    if (client_offsets(c, q, n, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        d->lines[of[i]].end = q[i].offset;
    return 0;
}

static int
gather(struct client *c, const char *name, struct arena *a,
    struct description *d, struct err *err)
{
    struct committed *committed;
    struct line *line;
    size_t n;

    memset(d, 0, sizeof *d);
    if (ask_describe(c, name, a, d, err) != 0
        || client_committed(c, name, NULL, a, &committed, &n, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        line = line_of(d, client_name_span(committed[i].topic),
            committed[i].partition, a);
        if (line != NULL)
            line->committed.offset = committed[i].offset;
    }
    if (a->failed)
        return err_set(err, ERR_LIMIT, "too many partitions");
    if (d->count > 0)
        qsort(d->lines, d->count, sizeof *d->lines, by_place);
    return ask_ends(c, d, a, err);
}

/* ---- describe: how it is shown ------------------------------------------ */

static void
print_members(const struct description *d)
{
    printf("group %.*s, %.*s, %zu member%s%s%.*s\n", (int)d->id.len,
        (const char *)d->id.ptr, (int)d->state.len,
        (const char *)d->state.ptr, d->member_count,
        d->member_count == 1 ? "" : "s", d->assignor.len > 0 ? ", " : "",
        (int)d->assignor.len, (const char *)d->assignor.ptr);
    for (size_t i = 0; i < d->member_count; i++)
        printf("  %.*s from %.*s\n", (int)d->members[i].id.len,
            (const char *)d->members[i].id.ptr, (int)d->members[i].host.len,
            (const char *)d->members[i].host.ptr);
    putchar('\n');
}

static void
print_lines(const struct cli *cli, const struct description *d)
{
    static const char *const columns[] = {"topic", "partition", "committed",
        "end", "lag", "member", NULL};
    struct sheet s;

    sheet_init(&s, stdout, cli->output, cli->color, columns);
    for (size_t i = 0; i < d->count; i++) {
        const struct line *l = &d->lines[i];

        sheet_cstr(&s, l->committed.topic);
        sheet_int(&s, l->committed.partition);
        if (l->committed.offset < 0)
            sheet_null(&s);
        else
            sheet_int(&s, l->committed.offset);
        if (l->end < 0)
            sheet_null(&s);
        else
            sheet_int(&s, l->end);
        if (l->end < 0 || l->committed.offset < 0)
            sheet_null(&s);
        else
            sheet_int(&s, l->end - l->committed.offset);
        sheet_span(&s, l->member == NULL ? SPAN_NULL : l->member->id);
    }
    sheet_end(&s);
}

int
cmd_group_describe(struct cli *cli)
{
    struct client *c = NULL;
    struct description d;
    struct arena a;
    struct err err;
    int code = CLI_OK;

    arena_init(&a, CLIENT_ANSWER_MAX);
    if (cli_args(cli, 1, 1, &err) != 0 || (c = cli_client(cli, &err)) == NULL
        || gather(c, cli->args[0], &a, &d, &err) != 0) {
        code = cli_fail(cli, &err);
    } else {
        if (cli->output == OUTPUT_TABLE)
            print_members(&d);
        print_lines(cli, &d);
    }
    client_close(c);
    arena_release(&a);
    return code;
}

/* ---- delete ------------------------------------------------------------- */

static int
delete_one(struct client *c, const char *name, struct err *err)
{
    struct span id = client_name_span(name);
    struct delete_groups_request req;
    struct delete_groups_response *resp;
    struct arena a;
    int rc, kerr = 0;

    arena_init(&a, 4 * MIB);
    wire_init(&delete_groups_request_type, &req);
    req.groups_names.v = &id;
    req.groups_names.n = 1;
    rc = client_coordinator(c, name, err);
    if (rc == 0)
        rc = client_call(c, API_DELETE_GROUPS, &req, &a, &resp, err);
    if (rc == 0 && resp->results.n == 1)
        kerr = resp->results.v[0].error_code;
    arena_release(&a);
    if (kerr == KERR_GROUP_ID_NOT_FOUND)
        return no_group(c, name, err);
    if (kerr == KERR_NON_EMPTY_GROUP)
        return client_refused(err, kerr, "group '%s' still has members", name);
    return kerr != 0 ? client_refused(err, kerr, "group '%s'", name) : rc;
}

int
cmd_group_delete(struct cli *cli)
{
    char question[200];
    struct client *c = NULL;
    struct err err;
    int code = CLI_OK, failed = 0;

    if (cli_args(cli, 1, -1, &err) != 0)
        return cli_fail(cli, &err);
    snprintf(question, sizeof question, "Delete group '%.100s'%s and the "
        "offsets?", cli->args[0], cli->arg_count > 1 ? " and the others" : "");
    if ((!cli->dry_run && cli_confirm(cli, question, &err) != 0)
        || (c = cli_client(cli, &err)) == NULL)
        return cli_fail(cli, &err);
    for (int i = 0; i < cli->arg_count; i++) {
        struct description d = {0};
        struct arena a;
        int rc;

        arena_init(&a, CLIENT_ANSWER_MAX);
        rc = cli->dry_run ? ask_describe(c, cli->args[i], &a, &d, &err)
                          : delete_one(c, cli->args[i], &err);
        arena_release(&a);
        if (rc != 0) {
            code = cli_fail(cli, &err);
            failed++;
        } else {
            cli_say(cli, "group '%s' %s deleted", cli->args[i],
                cli->dry_run ? "would be" : "is");
        }
    }
    client_close(c);
    return failed > 0 && failed < cli->arg_count ? CLI_PARTLY : code;
}
