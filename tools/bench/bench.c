/* bench.c: the command: `penstock bench [WHAT] [flags]`. See bench.h. */
#include "config.h"

#include "bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "bench/child.h"
#include "bench/pump.h"
#include "bench/raw.h"
#include "client/client.h"
#include "commands.h"
#include "near.h"
#include "parse.h"
#include "sheet.h"

/* clang-format off */
const struct opt opts_bench[] = {
    {'b', "bootstrap", "HOST:PORT", "measure a broker that runs already"},
    {0, "secs", "TIME", "how long each load runs (as it suits the figure)"},
    {0, "repeat", "N", "take each figure N times: median, least, greatest (1)"},
    {0, "durability", "WHAT", "power, process or memory (power)"},
    {0, "dir", "DIR", "where the broker's data goes ($TMPDIR, /var/tmp)"},
    {'p', "partitions", "N", "of the shop's topics (4)"},
    {0, "threads", "N", "of the broker's applications (cores less one)"},
    {0, "size", "BYTES", "of a record (1K)"},
    {0, "batch", "BYTES", "of a batch where throughput counts (256K)"},
    {0, "producers", "N", "this number of synchronous producers only"},
    {0, "rate", "N", "records a second where latency counts (1000)"},
    {0, "products", "N", "in the inventory (100000)"},
    {0, "orders", "N", "written before the run (400000 for each second)"},
    {0, "whole", NULL, "the shop's own inventory application, too"},
    {0, "log-mb", "N", "of data, for fetch and start (1024)"},
    {0, "keys", "N", "in a store, for start after kill -9 (0)"},
    {0, "against", "HOST:PORT", "the same load on that broker, too"},
    {0, "against-pid", "PID", "its process, for its CPU time"},
    {0, "against-flush", NULL, "its topics flush each record"},
    {0, "against-redis", NULL, "Redis beside us, appendfsync always"},
    {0, NULL, NULL, NULL},
};
/* clang-format on */

static const struct {
    const char *name;
    bench_fn *run;
    bool own;                    /* wants a broker of its own: -b won't do */
    bool client;                 /* clients alone: any Kafka can be a peer */
} subjects[] = {
    {"produce", bench_produce, false, true},
    {"sync", bench_sync, false, true},
    {"partitions", bench_partitions, false, true},
    {"epoch", bench_epoch, true, false},
    {"fetch", bench_fetch, false, true},
    {"latency", bench_latency, false, true},
    {"txn", bench_txn, false, true},
    {"groups", bench_groups, false, true},
    {"inventory", bench_inventory, true, false},
    {"start", bench_start, true, false},
};

enum { SUBJECTS = sizeof subjects / sizeof *subjects };

int
bench_stopped(struct err *err)
{
    return cli_stop ? err_set(err, EINTR, "the benchmark") : 0;
}

/* ---- the command line --------------------------------------------------- */

static int
bytes_option(const struct cli *cli, const char *name, int64_t dflt,
    int64_t max, int64_t *out, struct err *err)
{
    const char *text = cli_get(cli, name);

    *out = dflt;
    if (text == NULL)
        return 0;
    if (parse_bytes(text, out, err) < 0)
        return err_prefix(err, "--%s", name);
    if (*out < 1 || *out > max)
        return err_set(err, ERR_USAGE, "--%s: between 1 and %lld bytes", name,
            (long long)max);
    return 0;
}

static int
sizes(struct bench *b, struct err *err)
{
    const struct cli *cli = b->cli;

    return bytes_option(cli, "size", 1024, 512 * KIB, &b->size, err) < 0
        || bytes_option(cli, "batch", 256 * KIB, MIB - 1024, &b->batch, err) < 0
        || cli_int(cli, "products", 100000, 1, 50000000, &b->products, err) < 0
        || cli_int(cli, "orders", 0, 1, 99999999, &b->orders, err) < 0
        || cli_int(cli, "log-mb", 1024, 1, 1 << 20, &b->log_mb, err) < 0
        || cli_int(cli, "keys", 0, 1, 50000000, &b->keys, err) < 0 ? -1 : 0;
}

static int
peer_options(struct bench *b, struct err *err)
{
    struct child peer = {.foreign = true};

    b->against = cli_get(b->cli, "against");
    if (cli_int(b->cli, "against-pid", 0, 1, INT32_MAX, &b->against_pid,
            err) < 0)
        return -1;
    b->against_flush = cli_has(b->cli, "against-flush");
    if (b->against == NULL && (b->against_pid > 0 || b->against_flush))
        return err_set(err, ERR_USAGE, "--against-%s goes with --against",
            b->against_flush ? "flush" : "pid");
    if (b->against_pid == 0)
        return 0;
    peer.pid = (pid_t)b->against_pid;
    if (child_cpu_ns(&peer) == 0)
        return err_set(err, ERR_USAGE, "--against-pid: there is no process "
            "%lld", (long long)b->against_pid);
    return 0;
}

static int
options(struct bench *b, struct err *err)
{
    int64_t cores = sysconf(_SC_NPROCESSORS_ONLN);
    const struct cli *cli = b->cli;

    if (cli_ms(cli, "secs", 0, &b->load_ms, err) < 0
        || cli_int(cli, "repeat", 1, 1, REPORT_REPEATS_MAX, &b->repeats,
            err) < 0
        || cli_int(cli, "partitions", 4, 1, RAW_PARTITIONS_MAX,
            &b->partitions, err) < 0
        || cli_int(cli, "threads", cores > 1 ? cores - 1 : 1, 1, 64,
            &b->threads, err) < 0
        || cli_int(cli, "producers", 0, 1, PUMP_CLIENTS_MAX, &b->producers,
            err) < 0
        || cli_int(cli, "rate", 1000, 1, 100000, &b->rate, err) < 0
        || sizes(b, err) < 0 || peer_options(b, err) < 0)
        return -1;
    if (cli_has(cli, "secs") && (b->load_ms < 100 || b->load_ms > 3600000))
        return err_set(err, ERR_USAGE, "--secs: between 100ms and 1h");
    b->bootstrap = cli_get(cli, "bootstrap");
    b->durability = cli_get(cli, "durability");
    if (b->durability == NULL)
        b->durability = b->bootstrap != NULL ? "unknown" : "power";
    else if (strcmp(b->durability, "power") != 0
        && strcmp(b->durability, "process") != 0
        && strcmp(b->durability, "memory") != 0)
        return err_set(err, ERR_USAGE, "--durability: power, process or "
            "memory, not '%.60s'", b->durability);
    b->against_redis = cli_has(cli, "against-redis");
    b->whole = cli_has(cli, "whole");
    return cli_args(cli, 0, 1, err);
}

/* Which of the subjects: a number, SUBJECTS for all; -1: no such one. */
static int
subject_of(const char *word, struct err *err)
{
    char hint[96];
    struct near n;

    if (word == NULL || strcmp(word, "all") == 0)
        return SUBJECTS;
    near_init(&n, word);
    near_try(&n, "all");
    for (int i = 0; i < SUBJECTS; i++) {
        near_try(&n, subjects[i].name);
        if (strcmp(word, subjects[i].name) == 0)
            return i;
    }
    return err_set(err, ERR_USAGE, "there is nothing to measure called "
        "'%.60s'%s", word, near_hint(&n, hint, sizeof hint));
}

/* ---- running ------------------------------------------------------------ */

/* With all of them, those that need a broker of their own are left out when
 * one is given, and those that no peer can take when there is one. */
static bool
is_due(const struct bench *b, int which, int i)
{
    if (which != SUBJECTS)
        return which == i;
    return (b->bootstrap == NULL || !subjects[i].own)
        && (b->against == NULL || subjects[i].client);
}

/* Before anything is measured: is the peer there, and does it talk? */
static int
meet_peer(struct bench *b, int which, struct err *err)
{
    struct client *c;

    if (b->against == NULL)
        return 0;
    if (which != SUBJECTS && !subjects[which].client)
        return err_set(err, ERR_USAGE, "--against: %s is nothing that any "
            "broker does", subjects[which].name);
    c = topic_client(b->against, err);
    if (c == NULL)
        return err_prefix(err, "--against");
    client_close(c);
    return 0;
}

/* What one broker left in the page cache is written before the other is
 * measured: who flushes nothing would else slow down whoever comes next. */
static void
settle(const struct bench *b)
{
    int fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    syncfs(fd);
    close(fd);
}

static int
side(struct bench *b, int i, bool peer, struct err *err)
{
    if (b->against != NULL)
        settle(b);
    b->on_peer = b->report.on_peer = peer;
    cli_say(b->cli, "measuring %s%s%s (%d of %d)", subjects[i].name,
        peer ? " of " : "", peer ? b->against : "", b->turn + 1,
        (int)b->repeats);
    if (subjects[i].run(b, err) == 0)
        return 0;
    return peer ? err_prefix(err, "bench %s of %s", subjects[i].name,
        b->against) : err_prefix(err, "bench %s", subjects[i].name);
}

/* Both, in turns the one first and the other. */
static int
sides(struct bench *b, int i, struct err *err)
{
    bool peer_first = b->against != NULL && b->turn % 2 == 1;

    if (side(b, i, peer_first, err) < 0)
        return -1;
    return b->against == NULL ? 0 : side(b, i, !peer_first, err);
}

static int
run(struct bench *b, int which, struct err *err)
{
    for (b->turn = 0; b->turn < b->repeats; b->turn++) {
        for (int i = 0; i < SUBJECTS; i++) {
            if (!is_due(b, which, i))
                continue;
            if (sides(b, i, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* ---- printing ----------------------------------------------------------- */

static void
cell(struct sheet *s, double v, bool known)
{
    struct buf text;

    buf_init(&text, 64);
    report_number(&text, v);
    if (known)
        sheet_json(s, buf_span(&text), true);
    else
        sheet_null(s);
    buf_release(&text);
}

static void
text_cell(struct sheet *s, const char *text)
{
    if (text[0] != '\0')
        sheet_cstr(s, text);
    else
        sheet_null(s);
}

/* Cells that are there with a peer only. */
static void
peer_cells(struct sheet *s, const struct report *r,
    const struct report_row *row)
{
    struct summary a = {0};
    bool known = report_against(r, row, &a);

    cell(s, a.median, known);
    cell(s, a.min, known && row->count > 1);
    cell(s, a.max, known && row->count > 1);
}

static void
print_sheet(const struct bench *b)
{
    static const char *const alone[] = {"what", "figure", "unit", "min",
        "max", "floor", "ratio", "goal", "durability", NULL};
    static const char *const beside[] = {"what", "broker", "figure", "unit",
        "min", "max", "ours/theirs", "least", "most", "floor", "ratio", "goal",
        "durability", NULL};
    const struct report *r = &b->report;
    const struct report_row *row;
    struct sheet s;
    size_t iter = 0;

    sheet_init(&s, stdout, b->cli->output, b->cli->color,
        r->against != NULL ? beside : alone);
    while ((row = report_next(r, &iter)) != NULL) {
        struct summary v = report_value(row), f = report_floor(row);

        sheet_cstr(&s, row->name);
        if (r->against != NULL)
            sheet_cstr(&s, row->peer ? r->against : "penstock");
        cell(&s, v.median, true);
        text_cell(&s, row->unit);
        cell(&s, v.min, row->count > 1);
        cell(&s, v.max, row->count > 1);
        if (r->against != NULL)
            peer_cells(&s, r, row);
        cell(&s, f.median, f.median > 0);
        cell(&s, report_ratio(row).median, f.median > 0);
        text_cell(&s, row->goal);
        text_cell(&s, row->peer ? r->peer_durability : r->durability);
    }
    sheet_end(&s);
}

static void
print(const struct bench *b)
{
    struct buf text;

    if (b->cli->output != OUTPUT_JSON) {
        print_sheet(b);
        return;
    }
    buf_init(&text, MIB);
    report_json(&b->report, &text);
    fwrite(text.ptr, 1, text.len, stdout);
    buf_release(&text);
}

/* What was taken before a failure is shown, too. */
int
cmd_bench(struct cli *cli)
{
    struct bench b = {.cli = cli};
    struct err err = {0};
    int which = -1, rc = options(&b, &err);

    if (rc == 0)
        which = subject_of(cli->args[0], &err);
    if (which < 0)
        return cli_fail(cli, &err);
    cli_catch_signals();
    report_init(&b.report, b.durability);
    b.report.against = b.against;
    b.report.peer_durability = b.against_flush ? "flush.messages=1" : "";
    rc = meet_peer(&b, which, &err);
    if (rc == 0)
        rc = folder_make(&b, cli_get(cli, "dir"), &err);
    if (rc == 0)
        rc = run(&b, which, &err);
    folder_remove(b.dir);
    if (b.report.count > 0)
        print(&b);
    report_release(&b.report);
    return rc < 0 ? cli_fail(cli, &err) : CLI_OK;
}
