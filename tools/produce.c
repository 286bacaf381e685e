/*
 * produce.c: penstock produce. Values come from the arguments, from stdin
 * line by line, or from a file of comma-separated values; on a shop topic an
 * object in JSON becomes the message that belongs there.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/world.h"
#include "client/writer.h"
#include "commands.h"
#include "csv.h"
#include "lines.h"
#include "near.h"
#include "parse.h"
#include "payload.h"
#include "record/compress.h"
#include "sheet.h"
#include "topic.h"

const struct opt opts_produce[] = {
    {'k', "key", "KEY", "the key of every record; with --from its column"},
    {'K', "key-delimiter", "TEXT", "what parts key and value in a line"},
    {'H', "header", "NAME=VALUE", "a header of every record"},
    {'p', "partition", "N", "to that partition, whatever the key"},
    {'z', "compress", "CODEC", "none, gzip, snappy, lz4 or zstd"},
    {'Z', "null", NULL, "an empty value is a null one: a tombstone"},
    {0, "json", NULL, "every value must be the topic's message in JSON"},
    {0, "proto", "MESSAGE", "values are that message in JSON, shop.Order"},
    {0, "raw", NULL, "bytes as they are, also on a shop topic"},
    {0, "from", "csv:FILE", "rows as JSON objects; - is stdin"},
    {0, "timestamp", "TIME", "of the records (now)"},
    {0, "txn", "ID", "all or nothing: one transaction with that id"},
    {0, NULL, NULL, NULL},
};

enum { HEADERS_MAX = 64, TXN_TIMEOUT_MS = 60000 };

struct job {
    struct cli *cli;
    const struct payload_type *type;     /* NULL: bytes as they are */
    bool must;                           /* anything but the message is wrong */
    struct span key, delimiter;
    int64_t partition, timestamp;        /* timestamp -1: now */
    struct header headers[HEADERS_MAX];
    size_t header_count;
    enum codec codec;
    bool empty_is_null;
    struct client *client;
    const struct client_topic *topic;
    struct writer *writer;
    struct client_txn txn;
    struct arena arena;                  /* of one record */
    struct sheet sheet;
    int64_t count;
};

/* ---- options ------------------------------------------------------------ */

static int
read_codec(struct job *j, struct err *err)
{
    const char *name = cli_get(j->cli, "compress");

    if (name == NULL)
        return 0;
    for (int c = CODEC_NONE; c <= CODEC_ZSTD; c++) {
        if (strcmp(codec_name((enum codec)c), name) == 0) {
            j->codec = (enum codec)c;
            return 0;
        }
    }
    return err_set(err, ERR_USAGE, "there is no codec '%.40s': none, gzip, "
        "snappy, lz4, zstd", name);
}

static int
read_headers(struct job *j, struct err *err)
{
    const char *text, *equals;

    for (int i = 0; (text = cli_next(j->cli, "header", &i)) != NULL;) {
        equals = strchr(text, '=');
        if (equals == NULL || equals == text)
            return err_set(err, ERR_USAGE, "header '%.80s' is not NAME=VALUE",
                text);
        if (j->header_count == HEADERS_MAX)
            return err_set(err, ERR_USAGE, "more than %d headers", HEADERS_MAX);
        j->headers[j->header_count++] = (struct header){
            span_of(text, (size_t)(equals - text)), span_str(equals + 1)};
    }
    return 0;
}

static int
read_type(struct job *j, struct err *err)
{
    const char *message = cli_get(j->cli, "proto");

    j->must = message != NULL || cli_has(j->cli, "json");
    if (cli_has(j->cli, "raw"))
        return j->must ? err_set(err, ERR_USAGE, "--raw contradicts --json "
                                     "and --proto") : 0;
    if (message != NULL) {
        j->type = payload_of_message(message, err);
        return j->type == NULL ? -1 : 0;
    }
    j->type = payload_of_topic(j->cli->args[0]);
    if (j->type == NULL && j->must)
        return err_set(err, ERR_USAGE, "nothing is known about the messages "
            "of '%.100s': name one with --proto", j->cli->args[0]);
    return 0;
}

static int
read_options(struct job *j, struct err *err)
{
    struct cli *cli = j->cli;
    const char *time = cli_get(cli, "timestamp");

    j->key = span_str(cli_get(cli, "key"));
    j->delimiter = span_str(cli_get(cli, "key-delimiter"));
    j->empty_is_null = cli_has(cli, "null");
    j->timestamp = -1;
    if (cli_args(cli, 1, -1, err) != 0
        || cli_int(cli, "partition", PARTITION_BY_KEY, 0, PARTITIONS_TOPIC_MAX,
            &j->partition, err) != 0
        || read_codec(j, err) != 0 || read_headers(j, err) != 0
        || read_type(j, err) != 0)
        return -1;
    if (j->delimiter.ptr != NULL && j->delimiter.len == 0)
        return err_set(err, ERR_USAGE, "-K needs a delimiter");
    if (cli_has(cli, "from") && cli->arg_count > 1)
        return err_set(err, ERR_USAGE, "--from contradicts values in the "
            "command line");
    if (time != NULL)
        return parse_time(time, world_wall_ms(world_real()), &j->timestamp,
            err);
    return 0;
}

/* ---- one record --------------------------------------------------------- */

/* Cuts "key:value". A line without the delimiter is all value. */
static void
split_line(const struct job *j, struct span *key, struct span *value)
{
    const uint8_t *at;

    *key = j->key;
    if (j->delimiter.ptr == NULL || value->len == 0)
        return;
    at = memmem(value->ptr, value->len, j->delimiter.ptr, j->delimiter.len);
    if (at == NULL)
        return;
    *key = span_of(value->ptr, (size_t)(at - value->ptr));
    *value = span_of(at + j->delimiter.len,
        value->len - key->len - j->delimiter.len);
}

static int
convert(struct job *j, struct span *key, struct span *value, struct err *err)
{
    struct span own;

    if (j->type == NULL || value->ptr == NULL
        || (!j->must && (value->len == 0 || value->ptr[0] != '{')))
        return 0;
    if (payload_read(j->type, *value, &j->arena, value, &own, err) != 0)
        return -1;
    if (key->ptr == NULL)
        *key = own;
    return 0;
}

/* Consumes what the arena holds. */
static int
add_record(struct job *j, struct span key, struct span value, struct err *err)
{
    int64_t time = j->timestamp >= 0 ? j->timestamp
                                     : world_wall_ms(world_real());
    int rc;

    if (value.len == 0 && j->empty_is_null)
        value = SPAN_NULL;
    else if (value.len == 0 && value.ptr == NULL)
        value = span_of("", 0);
    rc = convert(j, &key, &value, err);
    if (rc == 0 && !j->cli->dry_run)
        rc = writer_add(j->writer, (int32_t)j->partition, time, key, value,
            j->headers, j->header_count, err);
    arena_reset(&j->arena);
    j->count += rc == 0;
    return rc;
}

static int
add_line(struct job *j, struct span line, struct err *err)
{
    struct span key;

    split_line(j, &key, &line);
    return add_record(j, key, line, err);
}

/* ---- where they come from ----------------------------------------------- */

static int
from_args(struct job *j, struct err *err)
{
    for (int i = 1; i < j->cli->arg_count; i++) {
        if (add_line(j, span_str(j->cli->args[i]), err) != 0)
            return err_prefix(err, "value %d", i);
    }
    return 0;
}

static int
from_stdin(struct job *j, struct err *err)
{
    struct lines in;
    struct span line;
    int n;

    lines_init(&in, STDIN_FILENO);
    while ((n = lines_next(&in, &line, err)) == 1) {
        if (add_line(j, line, err) != 0) {
            n = err_prefix(err, "line %llu", (unsigned long long)in.number);
            break;
        }
        /* Whoever types, or a slow pipe, is not kept waiting for a full
         * batch. */
        if (j->writer != NULL && j->txn.id == NULL && !lines_ready(&in)
            && writer_flush(j->writer, err) != 0) {
            n = -1;
            break;
        }
    }
    lines_release(&in);
    return n;
}

static int
csv_rows(struct job *j, struct csv *csv, struct err *err)
{
    const char *name = cli_get(j->cli, "key");
    int column = name == NULL ? -1 : csv_column(csv, name), n;
    char hint[160];
    struct near near;
    struct buf json;

    if (name != NULL && column < 0) {
        near_init(&near, name);
        for (size_t i = 0; i < csv->columns; i++)
            near_try(&near, csv->names[i]);
        return err_set(err, ERR_USAGE, "there is no column '%.60s'%s", name,
            near_hint(&near, hint, sizeof hint));
    }
    buf_init(&json, LINE_MAX_BYTES);
    while ((n = csv_next(csv, err)) == 1) {
        buf_clear(&json);
        csv_json(csv, &json);
        if (add_record(j, column < 0 ? SPAN_NULL : csv->cells[column],
                buf_span(&json), err) != 0) {
            n = err_prefix(err, "line %llu",
                (unsigned long long)csv->lines.number);
            break;
        }
    }
    buf_release(&json);
    return n;
}

static int
from_csv(struct job *j, const char *from, struct err *err)
{
    struct csv *csv;
    int fd = STDIN_FILENO, rc;

    if (strncmp(from, "csv:", 4) != 0 || from[4] == '\0')
        return err_set(err, ERR_USAGE, "--from '%.80s' is not csv:FILE", from);
    if (strcmp(from + 4, "-") != 0)
        fd = open(from + 4, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno, "%s", from + 4);
    csv = xcalloc(1, sizeof *csv);
    rc = csv_init(csv, fd, err);
    if (rc == 0)
        rc = csv_rows(j, csv, err);
    if (csv != NULL)
        csv_release(csv);
    free(csv);
    if (fd != STDIN_FILENO)
        close(fd);
    return rc;
}

/* ---- the command -------------------------------------------------------- */

static void
acked(void *arg, int32_t partition, int64_t offset, int32_t count)
{
    struct job *j = arg;

    if (j->cli->output_given) {
        sheet_cstr(&j->sheet, j->topic->name);
        sheet_int(&j->sheet, partition);
        sheet_int(&j->sheet, offset);
        sheet_int(&j->sheet, count);
    } else if (j->cli->verbose > 0) {
        cli_say(j->cli, "%d record%s at %s/%d, offset %lld", count,
            count == 1 ? "" : "s", j->topic->name, partition,
            (long long)offset);
    }
}

/* All of it, or with a bad line nothing. */
static int
end_txn(struct job *j, int rc, struct err *err)
{
    struct err ignored;

    if (rc == 0)
        return client_txn_end(&j->txn, true, err);
    if (client_txn_end(&j->txn, false, &ignored) == 0)
        cli_say(j->cli, "nothing was written: the transaction is aborted");
    return rc;
}

static int
run(struct job *j, struct err *err)
{
    struct writer_conf conf = {.codec = j->codec, .acked = acked, .arg = j};
    const char *from = cli_get(j->cli, "from");
    const char *id = cli_get(j->cli, "txn");
    int rc;

    j->client = cli_client(j->cli, err);
    if (j->client == NULL)
        return -1;
    j->topic = topic_named(j->client, j->cli->args[0], err);
    if (j->topic == NULL)
        return -1;
    if (!j->cli->dry_run) {
        if (id != NULL && client_txn_open(j->client, id, TXN_TIMEOUT_MS, &j->txn,
                err) != 0)
            return -1;
        conf.txn = id == NULL ? NULL : &j->txn;
        j->writer = writer_new(j->client, j->topic, &conf);
    }
    if (from != NULL)
        rc = from_csv(j, from, err);
    else if (j->cli->arg_count > 1)
        rc = from_args(j, err);
    else
        rc = from_stdin(j, err);
    /* What stood before a bad line goes out all the same: its number tells
     * where to go on. */
    if (j->writer != NULL) {
        struct err flush;

        if (writer_flush(j->writer, rc == 0 ? err : &flush) != 0)
            rc = -1;
    }
    return j->txn.id == NULL ? rc : end_txn(j, rc, err);
}

int
cmd_produce(struct cli *cli)
{
    static const char *const columns[] = {"topic", "partition", "offset",
        "count", NULL};
    struct job j = {.cli = cli};
    struct err err;
    int code = CLI_OK, rc;

    arena_init(&j.arena, 4 * DECOMPRESSED_MAX);
    sheet_init(&j.sheet, stdout, cli->output, cli->color, columns);
    rc = read_options(&j, &err);
    if (rc == 0)
        rc = run(&j, &err);
    if (cli->output_given && rc == 0)
        sheet_end(&j.sheet);
    if (rc != 0)
        code = cli_fail(cli, &err);
    else if (cli->dry_run)
        cli_say(cli, "%lld records would be written to %s",
            (long long)j.count, j.topic->name);
    writer_free(j.writer);
    client_close(j.client);
    arena_release(&j.arena);
    return code;
}
