/* help.c: the tables of commands and options as text. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "near.h"

const struct opt opts_help[] = {{0, NULL, NULL, NULL}};

static void
print_option(const struct opt *o)
{
    char left[64];

    snprintf(left, sizeof left, "%c%c%s--%s%s%s", o->letter ? '-' : ' ',
        o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
        o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
    printf("  %-30s %s\n", left, o->help);
}

static void
print_options(const char *title, const struct opt *o)
{
    if (o == NULL || o->name == NULL)
        return;
    printf("\n%s\n", title);
    for (; o->name != NULL; o++)
        print_option(o);
}

static void
print_examples(const char *text)
{
    size_t n;

    puts("Examples");
    for (; *text != '\0'; text += n + 1) {
        n = strcspn(text, "\n");
        printf("  %.*s\n", (int)n, text);
    }
}

static void
full_name(const struct command *c, char *room, size_t size)
{
    snprintf(room, size, "%s%s%s", c->noun, c->verb != NULL ? " " : "",
        c->verb != NULL ? c->verb : "");
}

void
help_command(const struct command *c)
{
    char name[64];

    full_name(c, name, sizeof name);
    printf("penstock %s: %s\n\n", name, c->help);
    print_examples(c->examples);
    printf("\nUsage\n  penstock %s%s%s%s\n", name, *c->args ? " " : "", c->args,
        c->opts != NULL && c->opts->name != NULL ? " [options]" : "");
    print_options("Options", c->opts);
    print_options("Global options", cli_globals);
}

static void
print_command(const struct command *c)
{
    char name[64];

    full_name(c, name, sizeof name);
    printf("  %-18s %s\n", name, c->help);
}

void
help_noun(const char *noun)
{
    printf("penstock %s: choose one of\n\n", noun);
    for (const struct command *c = commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, noun) == 0)
            print_command(c);
    }
    printf("\nSee penstock help %s COMMAND\n", noun);
}

void
help_overview(void)
{
    puts("penstock: an append-only log that speaks Kafka, with stream "
         "processing inside\n\nExamples\n"
         "  penstock topic create orders -p 4\n"
         "  penstock produce orders -k 1 'hello'\n"
         "  penstock consume orders -e\n\n"
         "Usage\n  penstock [global options] COMMAND [arguments] [options]\n\n"
         "Commands");
    for (const struct command *c = commands; c->noun != NULL; c++)
        print_command(c);
    print_options("Global options", cli_globals);
    puts("\nSee penstock help COMMAND, penstock help exit-codes, and "
         "penstock(1)");
}

void
help_exit_codes(void)
{
#define X(NAME, code, text) printf("%4d  %s\n", code, text);
#include "exits.tbl"
#undef X
}

static const struct command *
find(const char *noun, const char *verb)
{
    for (const struct command *c = commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, noun) == 0 && (c->verb == NULL
                || (verb != NULL && strcmp(c->verb, verb) == 0)))
            return c;
    }
    return NULL;
}

static bool
is_noun(const char *word)
{
    for (const struct command *c = commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, word) == 0)
            return true;
    }
    return false;
}

int
cmd_help(struct cli *cli)
{
    const char *noun = cli->args[0];
    const struct command *c;
    char hint[96];
    struct near n;

    if (noun == NULL) {
        help_overview();
        return CLI_OK;
    }
    if (strcmp(noun, "exit-codes") == 0) {
        help_exit_codes();
        return CLI_OK;
    }
    c = find(noun, cli->args[1]);
    if (c != NULL) {
        help_command(c);
        return CLI_OK;
    }
    if (is_noun(noun) && cli->args[1] == NULL) {
        help_noun(noun);
        return CLI_OK;
    }
    near_init(&n, cli->args[1] != NULL && is_noun(noun) ? cli->args[1] : noun);
    for (c = commands; c->noun != NULL; c++) {
        if (!is_noun(noun))
            near_try(&n, c->noun);
        else if (strcmp(c->noun, noun) == 0)
            near_try(&n, c->verb);
    }
    return cli_usage(cli, "there is no command '%.60s%s%.60s'%s", noun,
        cli->args[1] != NULL ? " " : "",
        cli->args[1] != NULL ? cli->args[1] : "",
        near_hint(&n, hint, sizeof hint));
}
