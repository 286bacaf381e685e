/*
 * consume.c: penstock consume. Two ways to read: partitions from places of
 * one's own, or as a member of a group from where the group is.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/world.h"
#include "client/membership.h"
#include "client/peer.h"
#include "client/reader.h"
#include "commands.h"
#include "format.h"
#include "parse.h"
#include "payload.h"
#include "sheet.h"
#include "topic.h"

const struct opt opts_consume[] = {
    {'o', "offset", "WHERE",
        "beginning, end, N, -N (the last N), @TIME; or an output format"},
    {'e', "exit", NULL, "stop at what was the end when it began"},
    {'c', "count", "N", "stop after so many records"},
    {'p', "partition", "N", "that partition alone"},
    {'G', "group", "GROUP", "as a member of a group, which keeps offsets"},
    {'f', "format", "TEXT",
        "%t %p %o %k %s %T %D %h and others, see penstock-consume(1)"},
    {0, "json", NULL, "an object a line, as -o ndjson"},
    {0, "proto", "MESSAGE", "values are that message, shop.Order"},
    {0, "raw", NULL, "bytes as they are, nothing shown as JSON"},
    {0, "read-committed", NULL, "nothing of open or aborted transactions"},
    {0, "expect", "N", "fail unless so many come, then stop"},
    {0, "within", "TIME", "stop after that time"},
    {0, NULL, NULL, NULL},
};

enum { WAIT_MS = 500 };          /* of one Fetch */

struct place {                   /* what -o says */
    enum { AT_OFFSET, AT_TIME, FROM_END } kind;
    int64_t value;
};

struct job {
    struct cli *cli;
    struct place where;
    int64_t max, expect, deadline_ms, partition;
    const struct payload_type *type;
    bool raw, escape;
    struct format format;
    bool formatted;              /* else an object a line */
    struct client *client;
    const struct client_topic *topic;
    struct reader *reader;
    struct membership *member;
    struct arena arena;          /* of one record */
    struct buf out;
    int64_t count;
};

/* ---- options ------------------------------------------------------------ */

static int
read_where(struct job *j, struct err *err)
{
    const char *text = cli_get(j->cli, "offset");

    j->where = (struct place){AT_TIME, OFFSET_BEGIN};
    if (text == NULL || strcmp(text, "beginning") == 0
        || strcmp(text, "start") == 0 || strcmp(text, "earliest") == 0)
        return 0;
    if (strcmp(text, "end") == 0 || strcmp(text, "latest") == 0) {
        j->where.value = OFFSET_END;
        return 0;
    }
    if (*text == '@')
        return parse_time(text + 1, world_wall_ms(world_real()),
            &j->where.value, err);
    j->where.kind = AT_OFFSET;
    if (parse_int(text, -INT64_MAX, INT64_MAX, &j->where.value, err) != 0)
        return err_set(err, ERR_USAGE, "'%.40s' is no offset: beginning, end, "
            "N, -N, @TIME", text);
    if (j->where.value < 0) {
        j->where.kind = FROM_END;
        j->where.value = -j->where.value;
    }
    return 0;
}

static int
read_type(struct job *j, struct err *err)
{
    const char *message = cli_get(j->cli, "proto");

    j->raw = cli_has(j->cli, "raw") || j->cli->output == OUTPUT_RAW;
    if (message != NULL)
        j->type = payload_of_message(message, err);
    else
        j->type = payload_of_topic(j->cli->args[0]);
    return message != NULL && j->type == NULL ? -1 : 0;
}

/* Which of the forms: -f, objects, or what -o stands for. */
static int
read_format(struct job *j, struct err *err)
{
    static const char *const defaults[] = {
        [OUTPUT_TABLE] = "%k\t%s\n", [OUTPUT_RAW] = "%s\n",
        [OUTPUT_TSV] = "%p\t%o\t%T\t%k\t%s\n",
    };
    const char *text = cli_get(j->cli, "format");
    enum output output = j->cli->output;

    if (text == NULL && (cli_has(j->cli, "json") || output == OUTPUT_JSON
            || output == OUTPUT_NDJSON))
        return 0;
    j->formatted = true;
    /* A terminal is not to be told by a record what to do; columns stay
     * columns; else bytes are bytes. */
    j->escape = output == OUTPUT_TSV
        || (text == NULL && !j->raw && isatty(STDOUT_FILENO));
    return format_init(&j->format, text != NULL ? text : defaults[output],
        err);
}

static int
read_options(struct job *j, struct err *err)
{
    struct cli *cli = j->cli;
    int64_t within;

    if (cli_args(cli, 1, 1, err) != 0
        || cli_int(cli, "count", INT64_MAX, 0, INT64_MAX, &j->max, err) != 0
        || cli_int(cli, "expect", 0, 1, INT64_MAX, &j->expect, err) != 0
        || cli_int(cli, "partition", -1, 0, INT32_MAX, &j->partition, err) != 0
        || cli_ms(cli, "within", -1, &within, err) != 0
        || read_where(j, err) != 0 || read_type(j, err) != 0
        || read_format(j, err) != 0)
        return -1;
    if (cli_has(cli, "group") && cli_has(cli, "partition"))
        return err_set(err, ERR_USAGE, "a group gives the partitions: -G "
            "contradicts -p");
    if (j->expect > 0 && within < 0)
        within = 10000;
    if (j->expect > 0 && j->expect < j->max)
        j->max = j->expect;
    j->deadline_ms = within < 0 ? INT64_MAX : peer_now_ms() + within;
    return 0;
}

/* ---- printing ----------------------------------------------------------- */

static void
put_value(struct json *j, const char *name, struct span bytes,
    enum payload_kind kind, struct span text)
{
    char binary[32];

    if (kind == PAYLOAD_BINARY) {
        snprintf(binary, sizeof binary, "%s_base64", name);
        json_key(j, binary);
        json_base64(j, bytes);
        return;
    }
    json_key(j, name);
    if (kind == PAYLOAD_JSON)
        json_raw(j, text);
    else
        json_span(j, text);
}

static void
put_headers(struct json *j, struct span headers)
{
    struct span key, value, text;
    struct arena a;
    char name[256];

    arena_init(&a, 16 * MIB);
    json_key(j, "headers");
    json_object_begin(j);
    while (headers_next(&headers, &key, &value) == 1) {
        snprintf(name, sizeof name, "%.*s",
            (int)(key.len > 240 ? 240 : key.len), (const char *)key.ptr);
        put_value(j, name, value, payload_show(NULL, value, &a, &text)
            == PAYLOAD_BINARY ? PAYLOAD_BINARY : PAYLOAD_TEXT, value);
    }
    json_object_end(j);
    arena_release(&a);
}

static void
put_object(struct job *j, const struct reader_record *r)
{
    const struct record *rec = &r->record;
    enum payload_kind kind;
    struct span text;
    struct json json;

    json_init(&json, &j->out);
    json_object_begin(&json);
    json_kv_cstr(&json, "topic", r->topic->name);
    json_kv_int(&json, "partition", r->partition);
    json_kv_int(&json, "offset", rec->offset);
    json_kv_int(&json, "timestamp", rec->timestamp);
    /* a key that looks like a number or an object is text all the same */
    kind = payload_show(NULL, rec->key, &j->arena, &text);
    put_value(&json, "key", rec->key,
        kind == PAYLOAD_JSON ? PAYLOAD_TEXT : kind, rec->key);
    if (rec->header_count > 0)
        put_headers(&json, rec->headers);
    kind = payload_show(j->raw ? NULL : j->type, rec->value, &j->arena, &text);
    if (j->raw && kind == PAYLOAD_JSON)
        kind = PAYLOAD_TEXT;
    put_value(&json, "value", rec->value, kind, text);
    json_object_end(&json);
    buf_put_u8(&j->out, '\n');
}

static struct span
escaped(struct job *j, struct span text)
{
    struct buf out;

    if (!j->escape || text.ptr == NULL)
        return text;
    buf_init(&out, 4 * DECOMPRESSED_MAX);
    sheet_escape(&out, text);
    text = out.len == 0 ? span_of("", 0) : arena_copy(&j->arena,
        buf_span(&out));
    buf_release(&out);
    return text;
}

static void
put_formatted(struct job *j, const struct reader_record *r)
{
    const struct record *rec = &r->record;
    struct format_record f = {
        .topic = r->topic->name,
        .partition = r->partition,
        .offset = rec->offset,
        .timestamp = rec->timestamp,
        .key = escaped(j, rec->key),
        .value = rec->value,
        .key_bytes = rec->key.ptr == NULL ? -1 : (int64_t)rec->key.len,
        .value_bytes = rec->value.ptr == NULL ? -1 : (int64_t)rec->value.len,
        .headers = rec->headers,
    };

    if (!j->raw && j->type != NULL)
        payload_show(j->type, rec->value, &j->arena, &f.value);
    f.value = escaped(j, f.value);
    format_put(&j->format, &f, &j->out);
}

static int
flush(struct job *j, struct err *err)
{
    size_t n = fwrite(j->out.ptr, 1, j->out.len, stdout);

    if (j->out.failed)
        return err_set(err, ERR_LIMIT, "a record is too large to be shown");
    if (n != j->out.len || fflush(stdout) != 0)
        return err_set(err, EIO, "cannot write to stdout");
    buf_clear(&j->out);
    return 0;
}

static int
print(struct job *j, const struct reader_record *r, struct err *err)
{
    if (j->formatted)
        put_formatted(j, r);
    else
        put_object(j, r);
    arena_reset(&j->arena);
    j->count++;
    return j->out.len < 64 * KIB && !j->out.failed ? 0 : flush(j, err);
}

/* ---- where to begin ----------------------------------------------------- */

static int
ask_offset(struct job *j, int32_t partition, int64_t at, int64_t *offset,
    struct err *err)
{
    struct offset_query q = {.topic = j->topic, .partition = partition,
        .at = at};

    if (client_offsets(j->client, &q, 1, err) != 0)
        return -1;
    *offset = q.offset;
    return 0;
}

/* Also what a member asks for, where its group has committed nothing. */
static int
begin_of(void *arg, int32_t partition, int64_t *offset, struct err *err)
{
    struct job *j = arg;
    int64_t begin, end;

    if (j->where.kind == AT_OFFSET) {
        *offset = j->where.value;
        return 0;
    }
    if (j->where.kind == AT_TIME) {
        if (ask_offset(j, partition, j->where.value, offset, err) != 0)
            return -1;
        /* nothing is that young: what comes from now on */
        return *offset >= 0 ? 0
            : ask_offset(j, partition, OFFSET_END, offset, err);
    }
    if (ask_offset(j, partition, OFFSET_BEGIN, &begin, err) != 0
        || ask_offset(j, partition, OFFSET_END, &end, err) != 0)
        return -1;
    *offset = end - j->where.value > begin ? end - j->where.value : begin;
    return 0;
}

static int
seek_all(struct job *j, struct err *err)
{
    int64_t *ends, offset;
    int rc = 0;

    if (j->partition >= j->topic->partitions)
        return client_refused(err, KERR_UNKNOWN_TOPIC_OR_PARTITION,
            "topic '%s' has partitions 0 to %d", j->topic->name,
            j->topic->partitions - 1);
    ends = xcalloc((size_t)j->topic->partitions, sizeof *ends);
    if (cli_has(j->cli, "exit"))
        rc = client_offsets_of(j->client, j->topic, OFFSET_END, ends, err);
    for (int32_t p = 0; p < j->topic->partitions && rc == 0; p++) {
        if (j->partition >= 0 && p != j->partition)
            continue;
        rc = begin_of(j, p, &offset, err);
        if (rc == 0)
            reader_seek(j->reader, p, offset,
                cli_has(j->cli, "exit") ? ends[p] : INT64_MAX);
    }
    free(ends);
    return rc;
}

/* ---- reading ------------------------------------------------------------ */

static int
wait_ms(const struct job *j)
{
    int64_t left = j->deadline_ms - peer_now_ms();

    return left <= 0 ? 0 : left < WAIT_MS ? (int)left : WAIT_MS;
}

/* With -e a member stops at what is the end when it gets a partition. */
static int
set_ends(struct job *j, struct err *err)
{
    const struct reader_part *parts;
    int64_t *ends;
    size_t n;
    int rc;

    if (!cli_has(j->cli, "exit"))
        return 0;
    ends = xcalloc((size_t)j->topic->partitions, sizeof *ends);
    rc = client_offsets_of(j->client, j->topic, OFFSET_END, ends, err);
    parts = reader_parts(j->reader, &n);
    for (size_t i = 0; i < n && rc == 0; i++)
        reader_seek(j->reader, parts[i].partition, parts[i].position,
            ends[parts[i].partition]);
    free(ends);
    return rc;
}

/* One Fetch and what it brought. */
static int
turn(struct job *j, struct err *err)
{
    struct reader_record r;
    bool moved = false;
    size_t parts;
    int n = 0;

    if (j->member != NULL && membership_keep(j->member, &moved, err) != 0)
        return -1;
    if (moved && set_ends(j, err) != 0)
        return -1;
    reader_parts(j->reader, &parts);
    if (parts == 0) {
        poll(NULL, 0, 100);      /* the group has nothing for us, for now */
        return 0;
    }
    if (reader_poll(j->reader, wait_ms(j), err) != 0)
        return -1;
    while (j->count < j->max && (n = reader_next(j->reader, &r, err)) == 1) {
        if (print(j, &r, err) != 0)
            return -1;
    }
    if (n < 0) {
        struct err flush_err;

        flush(j, &flush_err);    /* what was good comes before the error */
        return -1;
    }
    if (flush(j, err) != 0)
        return -1;
    return j->member != NULL ? membership_commit(j->member, err) : 0;
}

static bool
finished(const struct job *j)
{
    size_t parts;

    reader_parts(j->reader, &parts);
    return j->count >= j->max || cli_stop
        || peer_now_ms() >= j->deadline_ms
        || ((parts > 0 || cli_has(j->cli, "exit")) && reader_done(j->reader));
}

static int
run(struct job *j, struct err *err)
{
    const char *group = cli_get(j->cli, "group");
    int rc;

    j->client = cli_client(j->cli, err);
    if (j->client == NULL)
        return -1;
    j->topic = topic_named(j->client, j->cli->args[0], err);
    if (j->topic == NULL)
        return -1;
    if (cli_has(j->cli, "read-committed"))
        client_read_committed(j->client);
    j->reader = reader_new(j->client, j->topic);
    cli_catch_signals();
    if (group != NULL) {
        j->member = membership_new(j->client, group, j->topic, j->reader,
            begin_of, j);
        rc = membership_join(j->member, err);
        if (rc == 0)
            rc = set_ends(j, err);
    } else {
        rc = seek_all(j, err);
    }
    while (rc == 0 && !finished(j))
        rc = turn(j, err);
    return rc;
}

/* The member says good-bye even when a signal ended the reading. */
static int
leave(struct job *j, int rc, struct err *err)
{
    bool interrupted = cli_stop;
    struct err ignored;

    if (j->member == NULL)
        return rc;
    cli_stop = 0;
    if (rc == 0)
        rc = membership_leave(j->member, err);
    else if (err->code == EINTR && client_drain(j->client, &ignored) == 0)
        membership_leave(j->member, &ignored);
    cli_stop = interrupted;
    return rc;
}

static void
say_skipped(const struct job *j)
{
    const struct reader_part *parts;
    size_t n;

    if (j->reader == NULL)
        return;
    parts = reader_parts(j->reader, &n);
    for (size_t i = 0; i < n; i++) {
        if (parts[i].skipped > 0)
            cli_say(j->cli, "%s/%d: %lld offsets were gone already",
                j->topic->name, parts[i].partition,
                (long long)parts[i].skipped);
    }
}

int
cmd_consume(struct cli *cli)
{
    struct job j = {.cli = cli};
    struct err err;
    int code = CLI_OK, rc;

    arena_init(&j.arena, 8 * DECOMPRESSED_MAX);
    buf_init(&j.out, 8 * DECOMPRESSED_MAX);
    rc = read_options(&j, &err);
    if (rc == 0)
        rc = leave(&j, run(&j, &err), &err);
    say_skipped(&j);
    if (rc != 0)
        code = cli_fail(cli, &err);
    else if (cli_stop)
        code = CLI_INTERRUPTED;
    else if (j.count < j.expect) {
        err_set(&err, ERR_LIMIT, "expected %lld records, got %lld",
            (long long)j.expect, (long long)j.count);
        code = cli_fail(cli, &err);
    }
    membership_free(j.member);
    reader_free(j.reader);
    client_close(j.client);
    format_release(&j.format);
    buf_release(&j.out);
    arena_release(&j.arena);
    return code;
}
