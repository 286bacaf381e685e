/* commands.c: penstock check, dump, salvage. */
#include "config.h"

#include <stdio.h>

#include "base/check.h"
#include "commands.h"
#include "offline/check.h"
#include "offline/dump.h"
#include "offline/salvage.h"

#define OPT_DATA {0, "data", "DIR", "the data folder"}

const struct opt opts_check[] = {
    OPT_DATA,
    {0, "deep", NULL, "every record of every batch, too"},
    {0, NULL, NULL, NULL},
};
const struct opt opts_dump_segment[] = {
    {0, "from", "OFFSET", "begin with the batch that has it"},
    {'n', "count", "N", "at most so many batches"},
    {0, "records", NULL, "the records of batches"},
    {0, "values", NULL, "their values, too"},
    {0, "topic", "NAME", "read values as those of this topic"},
    {0, NULL, NULL, NULL},
};
const struct opt opts_dump_journal[] = {
    OPT_DATA,
    {0, "from", "EPOCH", "begin with this frame"},
    {'n', "count", "N", "at most so many frames"},
    {0, "records", NULL, "the batches in them and their records"},
    {0, "values", NULL, "values of records, of metadata and of stores"},
    {0, NULL, NULL, NULL},
};
const struct opt opts_dump_meta[] = {
    OPT_DATA,
    {'n', "count", "N", "at most so many records"},
    {0, NULL, NULL, NULL},
};
const struct opt opts_dump_state[] = {
    OPT_DATA,
    {'n', "count", "N", "at most so many entries"},
    {0, NULL, NULL, NULL},
};
const struct opt opts_salvage[] = {
    OPT_DATA,
    {0, "to", "NEWDIR", "the folder to make"},
    {0, "past-damage", NULL, "use metadata and stores behind a gap, too"},
    {0, NULL, NULL, NULL},
};

static enum findings_form
form_of(const struct cli *cli)
{
    switch (cli->output) {
    case OUTPUT_JSON:
        return FINDINGS_JSON;
    case OUTPUT_NDJSON:
        return FINDINGS_NDJSON;
    case OUTPUT_TABLE:
    case OUTPUT_TSV:
    case OUTPUT_RAW:
        break;
    }
    return FINDINGS_TEXT;
}

/* The folder: an option, or the only argument. */
static const char *
folder_of(const struct cli *cli, struct err *err)
{
    const char *dir = cli_get(cli, "data");

    if (cli_args(cli, 0, dir == NULL ? 1 : 0, err) < 0)
        return NULL;
    if (dir == NULL && cli->arg_count == 1)
        dir = cli->args[0];
    if (dir == NULL)
        err_set(err, ERR_USAGE, "which folder? say --data DIR");
    return dir;
}

int
cmd_check(struct cli *cli)
{
    struct err err = {0};
    struct findings f;
    struct check_options o = {.world = world_real(),
        .dir = folder_of(cli, &err),
        .deep = cli_has(cli, "deep"),
        .findings = &f};

    if (o.dir == NULL)
        return cli_fail(cli, &err);
    findings_init(&f, stdout, form_of(cli));
    if (check_run(&o, &err) < 0)
        return cli_fail(cli, &err);
    return f.damages > 0 ? CLI_DAMAGE : CLI_OK;
}

int
cmd_salvage(struct cli *cli)
{
    struct err err = {0};
    struct findings f;
    struct salvage_options o = {.world = world_real(),
        .dir = folder_of(cli, &err),
        .to = cli_get(cli, "to"),
        .dry_run = cli->dry_run,
        .past_damage = cli_has(cli, "past-damage"),
        .findings = &f};

    if (o.dir == NULL)
        return cli_fail(cli, &err);
    if (o.to == NULL && !o.dry_run)
        return cli_usage(cli, "where to? say --to NEWDIR, or --dry-run");
    findings_init(&f, stdout, form_of(cli));
    if (salvage_run(&o, &err) < 0)
        return cli_fail(cli, &err);
    return f.damages > 0 ? CLI_PARTLY : CLI_OK;
}

/* ---- dump --------------------------------------------------------------- */

typedef int dump_fn(struct dump_options *, const char *, struct err *);

static int
dump_run(struct cli *cli, dump_fn *fn, const char *what,
    struct dump_options *o)
{
    struct err err = {0};

    o->world = world_real();
    o->out = stdout;
    o->json = cli->output == OUTPUT_JSON || cli->output == OUTPUT_NDJSON;
    if (cli_int(cli, "count", 0, 1, INT64_MAX, &o->limit, &err) < 0)
        return cli_fail(cli, &err);
    if (fn(o, what, &err) < 0)
        return cli_fail(cli, &err);
    return o->damages > 0 ? CLI_DAMAGE : CLI_OK;
}

int
cmd_dump_segment(struct cli *cli)
{
    struct dump_options o = {.records = cli_has(cli, "records")
            || cli_has(cli, "values"),
        .values = cli_has(cli, "values"),
        .topic = cli_get(cli, "topic")};
    struct err err = {0};

    if (cli_args(cli, 1, 1, &err) < 0
        || cli_int(cli, "from", 0, 0, INT64_MAX, &o.from, &err) < 0)
        return cli_fail(cli, &err);
    return dump_run(cli, dump_segment, cli->args[0], &o);
}

int
cmd_dump_journal(struct cli *cli)
{
    struct dump_options o = {.records = cli_has(cli, "records"),
        .values = cli_has(cli, "values")};
    struct err err = {0};
    const char *dir = folder_of(cli, &err);

    if (dir == NULL
        || cli_int(cli, "from", 0, 0, INT64_MAX, &o.from, &err) < 0)
        return cli_fail(cli, &err);
    return dump_run(cli, dump_journal, dir, &o);
}

static int
dump_of_folder(struct cli *cli, dump_fn *fn)
{
    struct dump_options o = {0};
    struct err err = {0};
    const char *dir = folder_of(cli, &err);

    return dir == NULL ? cli_fail(cli, &err) : dump_run(cli, fn, dir, &o);
}

int
cmd_dump_meta(struct cli *cli)
{
    return dump_of_folder(cli, dump_meta);
}

int
cmd_dump_state(struct cli *cli)
{
    return dump_of_folder(cli, dump_state);
}
