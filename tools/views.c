/*
 * views.c: what the HTTP front knows: penstock stock, streams, settle. The
 * answers are JSON; a table is made of an array of objects, a column for each
 * member, in the order in which they first appear.
 */
#include "config.h"

#include "views.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "client/client.h"
#include "client/http_get.h"
#include "commands.h"
#include "sheet.h"

#define HTTP_OPT                                                               \
    {0, "http", "URL", "where the front is (http://127.0.0.1:8080; "           \
                       "$PENSTOCK_HTTP)"}

const struct opt opts_stock_get[] = {HTTP_OPT, {0, NULL, NULL, NULL}};
const struct opt opts_stock_list[] = {
    {0, "after", "PRODUCT", "those that come after it"},
    {0, "limit", "N", "so many at most (all)"},
    HTTP_OPT,
    {0, NULL, NULL, NULL},
};
const struct opt opts_streams_list[] = {HTTP_OPT, {0, NULL, NULL, NULL}};
const struct opt opts_streams_describe[] = {HTTP_OPT, {0, NULL, NULL, NULL}};
const struct opt opts_streams_pause[] = {HTTP_OPT, {0, NULL, NULL, NULL}};
const struct opt opts_streams_resume[] = {HTTP_OPT, {0, NULL, NULL, NULL}};
const struct opt opts_settle[] = {
    {0, "within", "TIME", "how long to wait (10s)"},
    HTTP_OPT,
    {0, NULL, NULL, NULL},
};

enum { PAGE = 500, COLUMNS_MAX = 64, SETTLE_STEP_MS = 20000 };

/* ---- asking ------------------------------------------------------------- */

static const char *
base_url(const struct cli *cli)
{
    const char *given = cli_get(cli, "http"), *env = getenv("PENSTOCK_HTTP");

    if (given != NULL)
        return given;
    return env != NULL && *env != '\0' ? env : "http://127.0.0.1:8080";
}

/* The failures of HTTP in the words of the other commands. */
static int
code_of(int status)
{
    switch (status) {
    case 404:
        return ERR_NOTFOUND;
    case 409:
        return CLIENT_KERR + KERR_NON_EMPTY_GROUP;
    case 401:
    case 403:
        return CLIENT_KERR + KERR_CLUSTER_AUTHORIZATION_FAILED;
    case 408:
    case 504:
        return CLIENT_KERR + KERR_REQUEST_TIMED_OUT;
    case 429:
    case 503:
        return CLIENT_KERR + KERR_COORDINATOR_LOAD_IN_PROGRESS;
    case 400:
        return ERR_USAGE;
    default:
        return ERR_LIMIT;
    }
}

/* What the front says for its refusal: {"error": "..."}, or a line. */
static void
words_of(const struct http_answer *answer, char *room, size_t size)
{
    json_t *root = json_loadb((const char *)answer->body.ptr,
        answer->body.len, 0, NULL);
    const char *text = json_string_value(json_object_get(root, "error"));
    size_t n = strcspn((const char *)answer->body.ptr, "\r\n");

    if (text != NULL)
        snprintf(room, size, "%s", text);
    else if (root == NULL && n > 0 && answer->body.ptr[0] != '<')
        snprintf(room, size, "%.*s", (int)(n > 200 ? 200 : n),
            (const char *)answer->body.ptr);
    else
        snprintf(room, size, "the front answers %d", answer->status);
    json_decref(root);
}

int
views_ask(const struct cli *cli, const char *method, const char *path,
    int wait_ms, json_t **root, struct err *err)
{
    struct http_answer answer;
    struct arena a;
    char words[220];
    json_error_t why;
    int rc = -1;

    *root = NULL;
    arena_init(&a, 4 * (size_t)HTTP_ANSWER_MAX);
    if (http_ask(method, base_url(cli), path, cli->timeout_ms + wait_ms,
            &cli_stop, &a, &answer, err) != 0)
        goto done;
    if (cli->verbose >= 2)
        fprintf(stderr, "> %s %s\n< %d %.*s\n", method, path, answer.status,
            (int)answer.body.len, (const char *)answer.body.ptr);
    if (answer.status < 200 || answer.status > 299) {
        words_of(&answer, words, sizeof words);
        err_set(err, code_of(answer.status), "%s", words);
        goto done;
    }
    if (answer.body.len > 0) {
        *root = json_loadb((const char *)answer.body.ptr, answer.body.len,
            JSON_DECODE_ANY, &why);
        if (*root == NULL) {
            err_set(err, ERR_FORMAT, "the front's answer is not JSON: %s",
                why.text);
            goto done;
        }
    }
    rc = 0;
done:
    arena_release(&a);
    return rc;
}

/* "/v1/streams/" + what + tail, escaped; the caller's to free. */
static char *
path_of(const char *before, const char *name, const char *after)
{
    struct buf path;
    size_t len;

    buf_init(&path, 64 << 10);
    buf_put_str(&path, before);
    http_escape(&path, name);
    buf_put_str(&path, after);
    buf_put_u8(&path, '\0');
    return path.failed ? xstrdup("/") : (char *)buf_take(&path, &len);
}

/* ---- JSON as a table ---------------------------------------------------- */

struct columns {
    const char *names[COLUMNS_MAX + 1];
    size_t count;
};

static void
add_column(struct columns *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->names[i], name) == 0)
            return;
    }
    if (c->count < COLUMNS_MAX)
        c->names[c->count++] = name;
}

static void
put_cell(struct sheet *s, const json_t *v)
{
    const char *text = json_string_value(v);
    char *dump;

    if (v == NULL || json_is_null(v)) {
        sheet_null(s);
    } else if (text != NULL) {
        /* 64-bit numbers are strings in protobuf's JSON: to the right */
        bool digits = *text != '\0' && strlen(text) < 20
            && strspn(text + (*text == '-'), "0123456789")
                == strlen(text) - (*text == '-');

        if (digits && s->output == OUTPUT_TABLE)
            sheet_json(s, span_str(text), true);
        else
            sheet_cstr(s, text);
    } else {
        dump = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
        sheet_json(s, span_str(dump), json_is_number(v));
        free(dump);
    }
}

/* The object's own members, and those of its member `inner`. */
static const json_t *
member(const json_t *row, const char *inner, const char *name)
{
    const json_t *v = json_object_get(row, name);

    if (v == NULL && inner != NULL)
        v = json_object_get(json_object_get(row, inner), name);
    return v;
}

void
views_print(const struct cli *cli, const json_t *rows, const char *inner)
{
    struct columns c = {.count = 0};
    struct sheet s;
    const char *name;
    json_t *v;

    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);

        json_object_foreach(row, name, v) {
            if (inner == NULL || strcmp(name, inner) != 0)
                add_column(&c, name);
        }
        json_object_foreach(inner == NULL ? NULL : json_object_get(row, inner),
            name, v)
            add_column(&c, name);
    }
    if (c.count == 0)
        c.names[c.count++] = "key";
    sheet_init(&s, stdout, cli->output, cli->color, c.names);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        for (size_t k = 0; k < c.count; k++)
            put_cell(&s, member(json_array_get(rows, i), inner, c.names[k]));
    }
    sheet_end(&s);
}

/* JSON goes out as it came: a script sees what the front says. */
static bool
printed_as_json(const struct cli *cli, const json_t *v)
{
    char *dump;

    if (cli->output != OUTPUT_JSON && cli->output != OUTPUT_NDJSON)
        return false;
    dump = v == NULL ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    if (dump != NULL)
        puts(dump);
    free(dump);
    return true;
}

/* ---- stock -------------------------------------------------------------- */

int
cmd_stock_get(struct cli *cli)
{
    json_t *root = NULL, *rows;
    struct err err;
    char *path;
    int rc;

    if (cli_args(cli, 1, 1, &err) != 0)
        return cli_fail(cli, &err);
    path = path_of("/v1/views/stock/", cli->args[0], "");
    rc = views_ask(cli, "GET", path, 0, &root, &err);
    free(path);
    if (rc != 0)
        return cli_fail(cli, &err);
    if (!printed_as_json(cli, root)) {
        json_object_del(root, "epoch");
        rows = json_array();
        json_array_append(rows, root);
        views_print(cli, rows, "value");
        json_decref(rows);
    }
    json_decref(root);
    return CLI_OK;
}

/* Appends a page to `rows`. *next: where to go on, to be freed, or NULL. */
static int
stock_page(const struct cli *cli, const char *after, int64_t limit,
    json_t *rows, char **next, struct err *err)
{
    char tail[32];
    json_t *root;
    char *path;
    int rc;

    snprintf(tail, sizeof tail, "&limit=%lld", (long long)limit);
    path = path_of("/v1/views/stock?after=", after, tail);
    rc = views_ask(cli, "GET", path, 0, &root, err);
    free(path);
    *next = NULL;
    if (rc != 0)
        return -1;
    json_array_extend(rows, json_object_get(root, "rows"));
    if (json_is_string(json_object_get(root, "next"))
        && json_array_size(json_object_get(root, "rows")) > 0)
        *next = xstrdup(json_string_value(json_object_get(root, "next")));
    json_decref(root);
    return 0;
}

int
cmd_stock_list(struct cli *cli)
{
    const char *after = cli_get(cli, "after");
    json_t *rows = json_array();
    int64_t limit, left;
    struct err err;
    char *at, *next = NULL;
    int rc;

    at = xstrdup(after == NULL ? "" : after);
    rc = cli_args(cli, 0, 0, &err);
    if (rc == 0)
        rc = cli_int(cli, "limit", INT64_MAX, 1, INT64_MAX, &limit, &err);
    while (rc == 0) {
        left = limit - (int64_t)json_array_size(rows);
        if (left <= 0)
            break;
        rc = stock_page(cli, at, left < PAGE ? left : PAGE, rows, &next, &err);
        if (rc != 0 || next == NULL || strcmp(next, at) == 0)
            break;
        free(at);
        at = next;
        next = NULL;
    }
    if (rc == 0)
        views_print(cli, rows, cli->output == OUTPUT_TABLE
                || cli->output == OUTPUT_TSV || cli->output == OUTPUT_RAW
            ? "value" : NULL);
    json_decref(rows);
    free(at);
    free(next);
    return rc == 0 ? CLI_OK : cli_fail(cli, &err);
}

/* ---- streams ------------------------------------------------------------ */

static int64_t
sum_of(const json_t *tasks, const char *name)
{
    int64_t sum = 0;

    for (size_t i = 0; i < json_array_size(tasks); i++)
        sum += json_integer_value(json_object_get(json_array_get(tasks, i),
            name));
    return sum;
}

/* An application a line: its tasks in sums. */
static void
print_apps(const struct cli *cli, const json_t *apps)
{
    static const char *const columns[] = {"name", "state", "tasks", "lag",
        "records_in", "records_out", NULL};
    struct sheet s;

    sheet_init(&s, stdout, cli->output, cli->color, columns);
    for (size_t i = 0; i < json_array_size(apps); i++) {
        const json_t *app = json_array_get(apps, i),
            *tasks = json_object_get(app, "tasks");

        sheet_cstr(&s, json_string_value(json_object_get(app, "name")));
        sheet_cstr(&s, json_string_value(json_object_get(app, "state")));
        sheet_int(&s, (int64_t)json_array_size(tasks));
        for (int k = 3; k < 6; k++)
            sheet_int(&s, sum_of(tasks, columns[k]));
    }
    sheet_end(&s);
}

int
cmd_streams_list(struct cli *cli)
{
    struct err err;
    json_t *root;

    if (cli_args(cli, 0, 0, &err) != 0
        || views_ask(cli, "GET", "/v1/streams", 0, &root, &err) != 0)
        return cli_fail(cli, &err);
    if (!printed_as_json(cli, json_object_get(root, "apps")))
        print_apps(cli, json_object_get(root, "apps"));
    json_decref(root);
    return CLI_OK;
}

static int
ask_app(const struct cli *cli, const char *method, const char *tail,
    json_t **root, struct err *err)
{
    char *path;
    int rc;

    if (cli_args(cli, 1, 1, err) != 0)
        return -1;
    path = path_of("/v1/streams/", cli->args[0], tail);
    rc = views_ask(cli, method, path, 0, root, err);
    free(path);
    return rc;
}

int
cmd_streams_describe(struct cli *cli)
{
    struct err err;
    json_t *root;

    if (ask_app(cli, "GET", "", &root, &err) != 0)
        return cli_fail(cli, &err);
    if (!printed_as_json(cli, root)) {
        const char *state = json_string_value(json_object_get(root, "state"));

        if (cli->output == OUTPUT_TABLE)
            printf("%s, %s\n\n", cli->args[0], state == NULL ? "?" : state);
        views_print(cli, json_object_get(root, "tasks"), NULL);
    }
    json_decref(root);
    return CLI_OK;
}

static int
command_app(struct cli *cli, const char *tail, const char *done)
{
    struct err err;
    json_t *root;

    if (cli->dry_run) {
        if (ask_app(cli, "GET", "", &root, &err) != 0)
            return cli_fail(cli, &err);
        cli_say(cli, "%s would be %s", cli->args[0], done);
    } else {
        if (ask_app(cli, "POST", tail, &root, &err) != 0)
            return cli_fail(cli, &err);
        if (!printed_as_json(cli, root))
            cli_say(cli, "%s is %s", cli->args[0], done);
    }
    json_decref(root);
    return CLI_OK;
}

int
cmd_streams_pause(struct cli *cli)
{
    return command_app(cli, "/pause", "paused");
}

int
cmd_streams_resume(struct cli *cli)
{
    return command_app(cli, "/resume", "resumed");
}

/* ---- settle ------------------------------------------------------------- */

/* The front waits for less than a minute at a time. 0 with *root NULL: it is
 * to be asked again. */
static int
settle_step(const struct cli *cli, int ms, bool again, json_t **root,
    struct err *err)
{
    char path[64];
    int kerr;

    *root = NULL;
    snprintf(path, sizeof path, "/v1/settle?within_ms=%d", ms);
    if (views_ask(cli, "POST", path, ms, root, err) == 0)
        return 0;
    *root = NULL;
    return again && client_kerr(err, &kerr)
        && kerr == KERR_REQUEST_TIMED_OUT ? 0 : -1;
}

int
cmd_settle(struct cli *cli)
{
    int64_t within;
    struct err err;
    json_t *root = NULL;

    if (cli_args(cli, 0, 0, &err) != 0
        || cli_ms(cli, "within", 10000, &within, &err) != 0)
        return cli_fail(cli, &err);
    if (within > 3600000)
        within = 3600000;
    while (root == NULL) {
        int64_t step = within < SETTLE_STEP_MS ? within : SETTLE_STEP_MS;

        within -= step;
        if (settle_step(cli, (int)step, within > 0 && !cli_stop, &root,
                &err) != 0)
            return cli_fail(cli, &err);
    }
    printed_as_json(cli, root);
    json_decref(root);
    return CLI_OK;
}
