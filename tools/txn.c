/*
 * txn.c: penstock txn list, describe, producers, abort, find-hanging
 * (KIP-664). All of them also speak to a real Kafka.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/world.h"
#include "client/client.h"
#include "client/txn.h"
#include "commands.h"
#include "near.h"
#include "parse.h"
#include "sheet.h"
#include "topic.h"
#include "wire/msg/txn.h"

const struct opt opts_txn_list[] = {
    {0, "state", "STATE", "Empty, Ongoing, CompleteCommit, CompleteAbort"},
    {0, "longer", "TIME", "open for longer than that"},
    {0, NULL, NULL, NULL},
};
const struct opt opts_txn_describe[] = {{0, NULL, NULL, NULL}};
const struct opt opts_txn_producers[] = {{0, NULL, NULL, NULL}};
const struct opt opts_txn_abort[] = {{0, NULL, NULL, NULL}};
const struct opt opts_txn_find_hanging[] = {{0, NULL, NULL, NULL}};

/* ---- list --------------------------------------------------------------- */

/* All ids, or those of one state (NULL: any), open for longer than that
 * (-1: any), of one producer (-1: any). */
static int
ask_list(struct client *c, const char *state, int64_t longer_ms,
    int64_t producer, struct arena *a, struct list_transactions_response **r,
    struct err *err)
{
    struct span filter = state == NULL ? SPAN_NULL : span_str(state);
    struct list_transactions_request req;

    wire_init(&list_transactions_request_type, &req);
    if (state != NULL) {
        req.state_filters.v = &filter;
        req.state_filters.n = 1;
    }
    if (producer >= 0) {
        req.producer_id_filters.v = &producer;
        req.producer_id_filters.n = 1;
    }
    req.duration_filter = longer_ms;
    if (client_call(c, API_LIST_TRANSACTIONS, &req, a, r, err) != 0)
        return -1;
    if ((*r)->error_code != 0)
        return client_refused(err, (*r)->error_code, "transactions");
    if ((*r)->unknown_state_filters.n > 0)
        return err_set(err, ERR_USAGE, "there is no state '%.40s': Empty, "
            "Ongoing, CompleteCommit, CompleteAbort", state);
    return 0;
}

static int
by_id(const void *a, const void *b)
{
    const struct list_transactions_response_state *x = a, *y = b;

    return span_cmp(x->transactional_id, y->transactional_id);
}

static int
list(struct cli *cli, struct client *c, struct arena *a, struct err *err)
{
    static const char *const columns[] = {"id", "state", "producer_id",
        NULL};
    struct list_transactions_response *resp;
    struct sheet sheet;
    int64_t longer;

    if (cli_ms(cli, "longer", -1, &longer, err) != 0
        || ask_list(c, cli_get(cli, "state"), longer, -1, a, &resp, err) != 0)
        return -1;
    if (resp->transaction_states.n > 0)
        qsort(resp->transaction_states.v,
            (size_t)resp->transaction_states.n,
            sizeof *resp->transaction_states.v, by_id);
    sheet_init(&sheet, stdout, cli->output, cli->color, columns);
    for (int32_t i = 0; i < resp->transaction_states.n; i++) {
        sheet_span(&sheet, resp->transaction_states.v[i].transactional_id);
        sheet_span(&sheet, resp->transaction_states.v[i].transaction_state);
        sheet_int(&sheet, resp->transaction_states.v[i].producer_id);
    }
    sheet_end(&sheet);
    return 0;
}

/* ---- describe ----------------------------------------------------------- */

/* "transactional id 'laod-1' does not exist (did you mean 'load-1'?)" */
static int
no_txn(struct client *c, const char *id, struct err *err)
{
    struct list_transactions_response *resp;
    struct err ignored;
    struct arena a;
    char hint[280];
    struct near n;

    arena_init(&a, CLIENT_ANSWER_MAX);
    near_init(&n, id);
    if (ask_list(c, NULL, -1, -1, &a, &resp, &ignored) == 0) {
        for (int32_t i = 0; i < resp->transaction_states.n; i++) {
            struct span s = resp->transaction_states.v[i].transactional_id;
            const char *name = arena_strndup(&a, (const char *)s.ptr, s.len);

            if (name != NULL)
                near_try(&n, name);
        }
    }
    client_refused(err, KERR_TRANSACTIONAL_ID_NOT_FOUND,
        "transactional id '%s' does not exist%s", id,
        near_hint(&n, hint, sizeof hint));
    arena_release(&a);
    return -1;
}

static int
ask_describe(struct client *c, const char *id, struct arena *a,
    const struct describe_transactions_response_state **out, struct err *err)
{
    struct span name = client_name_span(id);
    struct describe_transactions_request req;
    struct describe_transactions_response *resp;

    wire_init(&describe_transactions_request_type, &req);
    req.transactional_ids.v = &name;
    req.transactional_ids.n = 1;
    if (client_txn_coordinator(c, id, err) != 0
        || client_call(c, API_DESCRIBE_TRANSACTIONS, &req, a, &resp, err)
            != 0)
        return -1;
    if (resp->transaction_states.n != 1)
        return err_set(err, ERR_FORMAT, "an answer for %d ids",
            resp->transaction_states.n);
    *out = &resp->transaction_states.v[0];
    if ((*out)->error_code == KERR_TRANSACTIONAL_ID_NOT_FOUND)
        return no_txn(c, id, err);
    if ((*out)->error_code != 0)
        return client_refused(err, (*out)->error_code,
            "transactional id '%s'", id);
    return 0;
}

static struct span
partitions_text(const struct describe_transactions_response_state *t,
    struct arena *a)
{
    struct span s;
    struct buf b;

    buf_init(&b, 1 * MIB);
    for (int32_t i = 0; i < t->topics.n; i++) {
        for (int32_t k = 0; k < t->topics.v[i].partitions.n; k++)
            buf_printf(&b, "%s%.*s/%d", b.len > 0 ? " " : "",
                (int)t->topics.v[i].topic.len,
                (const char *)t->topics.v[i].topic.ptr,
                t->topics.v[i].partitions.v[k]);
    }
    s = arena_copy(a, buf_span(&b));
    buf_release(&b);
    return s;
}

static int
describe(struct cli *cli, struct client *c, struct arena *a, struct err *err)
{
    static const char *const columns[] = {"id", "state", "producer_id",
        "epoch", "timeout_ms", "open_ms", "partitions", NULL};
    int64_t now = world_wall_ms(world_real());
    struct sheet sheet;
    int rc = 0;

    sheet_init(&sheet, stdout, cli->output, cli->color, columns);
    for (int i = 0; rc == 0 && i < cli->arg_count; i++) {
        const struct describe_transactions_response_state *t;

        rc = ask_describe(c, cli->args[i], a, &t, err);
        if (rc != 0)
            break;
        sheet_cstr(&sheet, cli->args[i]);
        sheet_span(&sheet, t->transaction_state);
        sheet_int(&sheet, t->producer_id);
        sheet_int(&sheet, t->producer_epoch);
        sheet_int(&sheet, t->transaction_timeout_ms);
        if (t->transaction_start_time_ms < 0)
            sheet_null(&sheet);
        else
            sheet_int(&sheet, now - t->transaction_start_time_ms);
        sheet_span(&sheet, partitions_text(t, a));
    }
    sheet_end(&sheet);
    return rc;
}

/* ---- producers ---------------------------------------------------------- */

/* "orders/3" */
static int
read_place(const char *text, char *topic, size_t size, int32_t *partition,
    struct err *err)
{
    const char *slash = strrchr(text, '/');
    int64_t n;

    if (slash == NULL || slash == text || (size_t)(slash - text) >= size
        || parse_int(slash + 1, 0, PARTITIONS_TOPIC_MAX, &n, err) != 0)
        return err_set(err, ERR_USAGE, "'%.200s' is not TOPIC/PARTITION",
            text);
    memcpy(topic, text, (size_t)(slash - text));
    topic[slash - text] = '\0';
    *partition = (int32_t)n;
    return 0;
}

/* The producers of partitions of one topic. */
static int
ask_producers(struct client *c, const char *topic, int32_t *partitions,
    int32_t count, struct arena *a,
    const struct describe_producers_response_topic **out, struct err *err)
{
    struct describe_producers_request_topic one;
    struct describe_producers_request req;
    struct describe_producers_response *resp;

    wire_init(&describe_producers_request_type, &req);
    wire_init(&describe_producers_request_topic_type, &one);
    one.name = client_name_span(topic);
    one.partition_indexes.v = partitions;
    one.partition_indexes.n = count;
    req.topics.v = &one;
    req.topics.n = 1;
    if (client_call(c, API_DESCRIBE_PRODUCERS, &req, a, &resp, err) != 0)
        return -1;
    if (resp->topics.n != 1 || resp->topics.v[0].partitions.n != count)
        return err_set(err, ERR_FORMAT, "an answer for %d topics",
            resp->topics.n);
    *out = &resp->topics.v[0];
    for (int32_t i = 0; i < count; i++)
        if (resp->topics.v[0].partitions.v[i].error_code != 0)
            return client_refused(err,
                resp->topics.v[0].partitions.v[i].error_code, "%s/%d", topic,
                partitions[i]);
    return 0;
}

static void
print_producers(struct cli *cli,
    const struct describe_producers_response_partition *p)
{
    static const char *const columns[] = {"producer_id", "epoch",
        "last_sequence", "last_timestamp", "open_since_offset", NULL};
    struct sheet s;

    sheet_init(&s, stdout, cli->output, cli->color, columns);
    for (int32_t i = 0; i < p->active_producers.n; i++) {
        const struct describe_producers_response_producer *one
            = &p->active_producers.v[i];

        sheet_int(&s, one->producer_id);
        sheet_int(&s, one->producer_epoch);
        sheet_int(&s, one->last_sequence);
        sheet_int(&s, one->last_timestamp);
        if (one->current_txn_start_offset < 0)
            sheet_null(&s);
        else
            sheet_int(&s, one->current_txn_start_offset);
    }
    sheet_end(&s);
}

static int
producers(struct cli *cli, struct client *c, struct arena *a, struct err *err)
{
    const struct describe_producers_response_topic *t;
    const struct client_topic *topic;
    int32_t partition;
    char name[256];

    if (read_place(cli->args[0], name, sizeof name, &partition, err) != 0)
        return -1;
    topic = topic_named(c, name, err);
    if (topic == NULL
        || ask_producers(c, name, &partition, 1, a, &t, err) != 0)
        return -1;
    print_producers(cli, &t->partitions.v[0]);
    return 0;
}

/* ---- abort -------------------------------------------------------------- */

/* A new producer with the id fences the old one and aborts what it left. */
static int
abort_txn(struct cli *cli, struct client *c, struct arena *a,
    struct err *err)
{
    const struct describe_transactions_response_state *t;
    const char *id = cli->args[0];
    struct client_txn txn;
    char question[200];

    if (ask_describe(c, id, a, &t, err) != 0)
        return -1;
    if (!span_eq(t->transaction_state, span_str("Ongoing"))) {
        cli_say(cli, "'%s' has no open transaction: it is %.*s", id,
            (int)t->transaction_state.len,
            (const char *)t->transaction_state.ptr);
        return 0;
    }
    if (cli->dry_run) {
        cli_say(cli, "the open transaction of '%s' would be aborted, and its "
            "producer fenced", id);
        return 0;
    }
    snprintf(question, sizeof question, "Abort the open transaction of "
        "'%.100s' and fence its producer?", id);
    if (cli_confirm(cli, question, err) != 0
        || client_txn_open(c, id, t->transaction_timeout_ms, &txn, err) != 0)
        return -1;
    cli_say(cli, "the transaction of '%s' is aborted", id);
    return 0;
}

/* ---- find-hanging ------------------------------------------------------- */

/* Does the coordinator know the producer's transaction as open? */
static int
is_known(struct client *c, int64_t producer, bool *known, struct err *err)
{
    struct list_transactions_response *resp;
    struct arena a;
    int rc;

    arena_init(&a, CLIENT_ANSWER_MAX);
    rc = ask_list(c, "Ongoing", -1, producer, &a, &resp, err);
    if (rc == 0)
        *known = resp->transaction_states.n > 0;
    arena_release(&a);
    return rc;
}

static int
find_in_topic(struct client *c, const struct client_topic *topic,
    struct sheet *s, struct err *err)
{
    const struct describe_producers_response_topic *t;
    struct arena a;
    int32_t *list;
    int rc;

    arena_init(&a, CLIENT_ANSWER_MAX);
    list = arena_calloc(&a, (size_t)topic->partitions, sizeof *list);
    for (int32_t i = 0; i < topic->partitions; i++)
        list[i] = i;
    rc = ask_producers(c, topic->name, list, topic->partitions, &a, &t, err);
    for (int32_t i = 0; rc == 0 && i < t->partitions.n; i++) {
        for (int32_t k = 0;
             rc == 0 && k < t->partitions.v[i].active_producers.n; k++) {
            const struct describe_producers_response_producer *p
                = &t->partitions.v[i].active_producers.v[k];
            bool known = true;

            if (p->current_txn_start_offset < 0)
                continue;
            rc = is_known(c, p->producer_id, &known, err);
            if (rc != 0 || known)
                continue;
            sheet_cstr(s, topic->name);
            sheet_int(s, i);
            sheet_int(s, p->producer_id);
            sheet_int(s, p->producer_epoch);
            sheet_int(s, p->current_txn_start_offset);
        }
    }
    arena_release(&a);
    return rc;
}

static int
find_hanging(struct cli *cli, struct client *c, struct arena *a,
    struct err *err)
{
    static const char *const columns[] = {"topic", "partition",
        "producer_id", "epoch", "open_since_offset", NULL};
    struct client_topic *topics;
    struct sheet s;
    size_t n;
    int rc;

    if (client_topics(c, a, &topics, &n, err) != 0)
        return -1;
    sheet_init(&s, stdout, cli->output, cli->color, columns);
    rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = find_in_topic(c, &topics[i], &s, err);
    sheet_end(&s);
    return rc;
}

/* ---- the commands ------------------------------------------------------- */

static int
run(struct cli *cli, int min, int max,
    int (*fn)(struct cli *, struct client *, struct arena *, struct err *))
{
    struct client *c = NULL;
    struct arena a;
    struct err err;
    int code = CLI_OK;

    arena_init(&a, CLIENT_ANSWER_MAX);
    if (cli_args(cli, min, max, &err) != 0
        || (c = cli_client(cli, &err)) == NULL || fn(cli, c, &a, &err) != 0)
        code = cli_fail(cli, &err);
    client_close(c);
    arena_release(&a);
    return code;
}

int
cmd_txn_list(struct cli *cli)
{
    return run(cli, 0, 0, list);
}

int
cmd_txn_describe(struct cli *cli)
{
    return run(cli, 1, -1, describe);
}

int
cmd_txn_producers(struct cli *cli)
{
    return run(cli, 1, 1, producers);
}

int
cmd_txn_abort(struct cli *cli)
{
    return run(cli, 1, 1, abort_txn);
}

int
cmd_txn_find_hanging(struct cli *cli)
{
    return run(cli, 0, 0, find_hanging);
}
