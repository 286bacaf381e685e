/* main.c: penstock_main(): from the command line to the command. */
#include "config.h"

#include "penstock/streams.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

const struct command commands[] = {
#define COMMAND(noun, verb, name, args, help, examples)                        \
    {noun, verb, cmd_##name, opts_##name, args, help, examples},
#include "commands.tbl"
#undef COMMAND
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

/* An error in the command line may stand before the word that says in which
 * form errors are wanted. */
static void
look_for_json(struct cli *cli, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *s = argv[i];

        if (strncmp(s, "-o", 2) == 0)
            s += 2;
        else if (strncmp(s, "--output", 8) == 0)
            s += 8;
        else
            continue;
        s = *s == '\0' && argv[i + 1] != NULL ? argv[i + 1] : s + (*s == '=');
        if (strcmp(s, "json") == 0 || strcmp(s, "ndjson") == 0)
            cli->output = OUTPUT_JSON;
    }
}

static int
dispatch(struct cli *cli)
{
    if (cli->version) {
        printf("penstock %s\n", PACKAGE_VERSION);
        return CLI_OK;
    }
    if (cli->command != NULL && cli->help) {
        help_command(cli->command);
        return CLI_OK;
    }
    if (cli->command != NULL)
        return cli->command->run(cli);
    if (cli->noun != NULL && cli->help) {
        help_noun(cli->noun);
        return CLI_OK;
    }
    if (cli->noun != NULL)
        return cli_usage(cli, "'%s' needs a command: see penstock help %s",
            cli->noun, cli->noun);
    if (cli->help) {
        help_overview();
        return CLI_OK;
    }
    return cli_usage(cli, "no command is given: see penstock help");
}

/* What was printed has arrived, or the command has failed. */
static int
finish(const struct cli *cli, int code)
{
    struct err err;

    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    err_set(&err, errno != 0 ? errno : EIO, "cannot write to stdout");
    cli_fail(cli, &err);
    return code == CLI_OK ? CLI_FAILED : code;
}

int
penstock_main(int argc, char **argv, const struct ps_app *apps)
{
    struct cli cli;
    struct err err;
    int code;

    if (cli_parse(&cli, commands, argc, argv, &err) != 0) {
        look_for_json(&cli, argc, argv);
        code = cli_fail(&cli, &err);
    } else {
        cli.apps = apps;
        code = finish(&cli, dispatch(&cli));
    }
    cli_release(&cli);
    return code;
}
