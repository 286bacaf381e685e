/* cli.c: the command line by tables. See cli.h. */
#include "config.h"

#include "cli.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "near.h"
#include "parse.h"

struct cli_value {
    const struct opt *opt;
    const char *text;            /* NULL: a flag */
};

const struct opt cli_globals[] = {
    {'b', "bootstrap", "HOST:PORT",
        "where the broker is (127.0.0.1:9092; $PENSTOCK_BOOTSTRAP)"},
    {'o', "output", "FORMAT", "table, json, ndjson, tsv or raw"},
    {'q', "quiet", NULL, "no remarks on stderr"},
    {'v', "verbose", NULL, "say more; twice: requests and answers, too"},
    {0, "timeout", "TIME", "how long to wait for an answer (5s)"},
    {0, "no-color", NULL, "plain text ($NO_COLOR)"},
    {'y', "yes", NULL, "don't ask before something is destroyed"},
    {0, "dry-run", NULL, "check and show, change nothing"},
    {'h', "help", NULL, "examples and options of a command"},
    {'V', "version", NULL, "the version"},
    {0, NULL, NULL, NULL},
};

static const char *const output_names[] = {
    [OUTPUT_TABLE] = "table", [OUTPUT_JSON] = "json",
    [OUTPUT_NDJSON] = "ndjson", [OUTPUT_TSV] = "tsv", [OUTPUT_RAW] = "raw",
};

/* -1: no such format. */
static int
output_of(const char *name)
{
    for (int i = OUTPUT_TABLE; i <= OUTPUT_RAW; i++) {
        if (strcasecmp(name, output_names[i]) == 0)
            return i;
    }
    return -1;
}

/* ---- global options ----------------------------------------------------- */

static int
set_output(struct cli *cli, const char *text, struct err *err)
{
    int o = output_of(text);

    if (o < 0)
        return err_set(err, ERR_USAGE, "there is no output format '%.40s': "
            "table, json, ndjson, tsv, raw", text);
    cli->output = (enum output)o;
    cli->output_given = true;
    return 0;
}

static int
set_timeout(struct cli *cli, const char *text, struct err *err)
{
    int64_t ms;

    if (parse_ms(text, &ms, err) != 0)
        return -1;
    if (ms < 1 || ms > 3600000)
        return err_set(err, ERR_USAGE, "a timeout is between 1ms and 1h");
    cli->timeout_ms = (int)ms;
    return 0;
}

static int
set_global(struct cli *cli, const struct opt *opt, const char *text,
    struct err *err)
{
    const char *name = opt->name;

    if (strcmp(name, "bootstrap") == 0)
        cli->bootstrap = text;
    else if (strcmp(name, "output") == 0)
        return set_output(cli, text, err);
    else if (strcmp(name, "timeout") == 0)
        return set_timeout(cli, text, err);
    else if (strcmp(name, "quiet") == 0)
        cli->quiet = true;
    else if (strcmp(name, "verbose") == 0)
        cli->verbose++;
    else if (strcmp(name, "no-color") == 0)
        cli->color = false;
    else if (strcmp(name, "yes") == 0)
        cli->yes = true;
    else if (strcmp(name, "dry-run") == 0)
        cli->dry_run = true;
    else if (strcmp(name, "help") == 0)
        cli->help = true;
    else
        cli->version = true;
    return 0;
}

static bool
is_global(const struct opt *opt)
{
    const struct opt *g = cli_globals;

    for (; g->name != NULL; g++) {
        if (g == opt)
            return true;
    }
    return false;
}

static int
set_value(struct cli *cli, const struct opt *opt, const char *text,
    struct err *err)
{
    if (is_global(opt))
        return set_global(cli, opt, text, err);
    /* The letter of --output, where a command uses it for something else,
     * still takes the names of formats: none of them is anything else. */
    if (opt->letter == 'o' && text != NULL && output_of(text) >= 0)
        return set_output(cli, text, err);
    cli->values[cli->value_count++] = (struct cli_value){opt, text};
    return 0;
}

/* ---- options ------------------------------------------------------------ */

static const struct opt *
find_long(const struct opt *table, const char *name, size_t len)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (strlen(table->name) == len && memcmp(table->name, name, len) == 0)
            return table;
    }
    return NULL;
}

static const struct opt *
find_letter(const struct opt *table, char letter)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (table->letter == letter)
            return table;
    }
    return NULL;
}

static const struct opt *
own_opts(const struct cli *cli)
{
    return cli->command == NULL ? NULL : cli->command->opts;
}

static int
unknown_long(const struct cli *cli, const char *name, struct err *err)
{
    const struct opt *tables[] = {own_opts(cli), cli_globals};
    char hint[96], with[64];
    struct near n;

    near_init(&n, name);
    for (int i = 0; i < 2; i++) {
        for (const struct opt *o = tables[i]; o != NULL && o->name != NULL; o++)
            near_try(&n, o->name);
    }
    if (n.best != NULL) {
        snprintf(with, sizeof with, "--%s", n.best);
        n.best = with;
    }
    return err_set(err, ERR_USAGE, "unknown option '--%.60s'%s%s", name,
        near_hint(&n, hint, sizeof hint),
        cli->command == NULL && n.best == NULL
            ? " before the command: its options stand behind it" : "");
}

/* `argv` points at the option; *used: how many words it took. */
static int
take_long(struct cli *cli, char **argv, int *used, struct err *err)
{
    char *name = argv[0] + 2, *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct opt *opt = find_long(own_opts(cli), name, len);
    const char *text = equals != NULL ? equals + 1 : argv[1];
    char word[64];

    if (opt == NULL)
        opt = find_long(cli_globals, name, len);
    if (opt == NULL) {
        snprintf(word, sizeof word, "%.*s", (int)(len > 60 ? 60 : len), name);
        return unknown_long(cli, word, err);
    }
    *used = 1;
    if (opt->value == NULL && equals != NULL)
        return err_set(err, ERR_USAGE, "--%s takes no value", opt->name);
    if (opt->value == NULL)
        return set_value(cli, opt, NULL, err);
    if (text == NULL)
        return err_set(err, ERR_USAGE, "--%s needs a value: --%s %s",
            opt->name, opt->name, opt->value);
    *used += equals == NULL;
    return set_value(cli, opt, text, err);
}

static int
take_letters(struct cli *cli, char **argv, int *used, struct err *err)
{
    const struct opt *opt;

    *used = 1;
    for (const char *s = argv[0] + 1; *s != '\0'; s++) {
        opt = find_letter(own_opts(cli), *s);
        if (opt == NULL)
            opt = find_letter(cli_globals, *s);
        if (opt == NULL)
            return err_set(err, ERR_USAGE, "unknown option '-%c'%s", *s,
                cli->command == NULL
                    ? " before the command: its options stand behind it" : "");
        if (opt->value == NULL) {
            if (set_value(cli, opt, NULL, err) != 0)
                return -1;
            continue;
        }
        if (s[1] != '\0')
            return set_value(cli, opt, s + 1 + (s[1] == '='), err);
        if (argv[1] == NULL)
            return err_set(err, ERR_USAGE, "-%c needs a value: -%c %s", *s,
                *s, opt->value);
        *used = 2;
        return set_value(cli, opt, argv[1], err);
    }
    return 0;
}

/* ---- commands ----------------------------------------------------------- */

static int
unknown_noun(const struct cli *cli, const char *word, struct err *err)
{
    char hint[96];
    struct near n;

    near_init(&n, word);
    for (const struct command *c = cli->commands; c->noun != NULL; c++)
        near_try(&n, c->noun);
    return err_set(err, ERR_USAGE, "unknown command '%.60s'%s", word,
        n.best == NULL ? ", see penstock help"
                       : near_hint(&n, hint, sizeof hint));
}

static int
unknown_verb(const struct cli *cli, const char *word, struct err *err)
{
    char hint[160], verbs[120] = "";
    size_t len = 0;
    struct near n;

    near_init(&n, word);
    for (const struct command *c = cli->commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, cli->noun) != 0)
            continue;
        near_try(&n, c->verb);
        len += (size_t)snprintf(verbs + len,
            len < sizeof verbs ? sizeof verbs - len : 0, "%s %s",
            len == 0 ? "" : ",", c->verb);
    }
    if (n.best == NULL)
        snprintf(hint, sizeof hint, ":%s", verbs);
    else
        near_hint(&n, hint, sizeof hint);
    return err_set(err, ERR_USAGE, "unknown command '%s %.60s'%s", cli->noun,
        word, hint);
}

/* A word that is no option: noun, verb or argument. */
static int
take_word(struct cli *cli, char *word, struct err *err)
{
    bool known = false;

    if (cli->command != NULL) {
        cli->args[cli->arg_count++] = word;
        return 0;
    }
    for (const struct command *c = cli->commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, cli->noun != NULL ? cli->noun : word) != 0)
            continue;
        known = true;
        if (c->verb == NULL || (cli->noun != NULL
                && strcmp(c->verb, word) == 0)) {
            cli->command = c;
            return 0;
        }
    }
    if (!known)
        return unknown_noun(cli, word, err);
    if (cli->noun != NULL)
        return unknown_verb(cli, word, err);
    cli->noun = word;
    return 0;
}

static void
set_defaults(struct cli *cli, const struct command *commands, int argc)
{
    const char *bootstrap = getenv("PENSTOCK_BOOTSTRAP"),
        *no_color = getenv("NO_COLOR");

    memset(cli, 0, sizeof *cli);
    cli->commands = commands;
    cli->bootstrap = bootstrap != NULL && *bootstrap != '\0'
        ? bootstrap : "127.0.0.1:9092";
    cli->timeout_ms = 5000;
    cli->color = isatty(STDOUT_FILENO)
        && (no_color == NULL || *no_color == '\0');
    cli->args = xcalloc((size_t)argc + 1, sizeof *cli->args);
    /* joined letters can be more options than there are words */
    cli->values = NULL;
}

static size_t
letters_in(int argc, char **argv)
{
    size_t n = 0;

    for (int i = 0; i < argc; i++)
        n += strlen(argv[i]) + 1;
    return n;
}

/* Digits after a hyphen are an argument, if no option has such a letter. */
static bool
is_option(const struct cli *cli, const char *word)
{
    return word[0] == '-' && word[1] != '\0'
        && ((word[1] < '0' || word[1] > '9')
            || find_letter(own_opts(cli), word[1]) != NULL);
}

int
cli_parse(struct cli *cli, const struct command *commands, int argc,
    char **argv, struct err *err)
{
    bool options = true;
    int used, rc;

    set_defaults(cli, commands, argc);
    cli->values = xcalloc(letters_in(argc, argv) + 1, sizeof *cli->values);
    for (int i = 1; i < argc; i += used) {
        used = 1;
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
            continue;
        }
        if (!options || !is_option(cli, argv[i]))
            rc = take_word(cli, argv[i], err);
        else if (argv[i][1] == '-')
            rc = take_long(cli, argv + i, &used, err);
        else
            rc = take_letters(cli, argv + i, &used, err);
        if (rc != 0)
            return -1;
    }
    return 0;
}

void
cli_release(struct cli *cli)
{
    free(cli->args);
    free(cli->values);
    cli->args = NULL;
    cli->values = NULL;
}

/* ---- what was given ----------------------------------------------------- */

const char *
cli_next(const struct cli *cli, const char *name, int *iter)
{
    assert(find_long(own_opts(cli), name, strlen(name)) != NULL);
    while (*iter < cli->value_count) {
        const struct cli_value *v = &cli->values[(*iter)++];

        if (strcmp(v->opt->name, name) == 0)
            return v->text != NULL ? v->text : "";
    }
    return NULL;
}

const char *
cli_get(const struct cli *cli, const char *name)
{
    const char *text, *last = NULL;

    for (int i = 0; (text = cli_next(cli, name, &i)) != NULL;)
        last = text;
    return last;
}

bool
cli_has(const struct cli *cli, const char *name)
{
    return cli_get(cli, name) != NULL;
}

int
cli_int(const struct cli *cli, const char *name, int64_t dflt, int64_t min,
    int64_t max, int64_t *out, struct err *err)
{
    const char *text = cli_get(cli, name);

    *out = dflt;
    if (text == NULL)
        return 0;
    if (parse_int(text, min, max, out, err) != 0)
        return err_prefix(err, "--%s", name);
    return 0;
}

int
cli_ms(const struct cli *cli, const char *name, int64_t dflt, int64_t *out,
    struct err *err)
{
    const char *text = cli_get(cli, name);

    *out = dflt;
    if (text == NULL)
        return 0;
    if (parse_ms(text, out, err) != 0)
        return err_prefix(err, "--%s", name);
    return 0;
}

int
cli_args(const struct cli *cli, int min, int max, struct err *err)
{
    if (cli->arg_count < min)
        return err_set(err, ERR_USAGE, "%s%s%s needs %s", cli->command->noun,
            cli->command->verb != NULL ? " " : "",
            cli->command->verb != NULL ? cli->command->verb : "",
            cli->command->args);
    if (max >= 0 && cli->arg_count > max)
        return err_set(err, ERR_USAGE, "'%.80s' is one argument too many",
            cli->args[max]);
    return 0;
}
