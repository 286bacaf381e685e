/*
 * completion.c: penstock completion bash. The script is made of the tables,
 * so that it cannot fall behind them; names of topics and groups are asked of
 * the broker, which gets 200 ms.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"

const struct opt opts_completion[] = {{0, NULL, NULL, NULL}};

static void
put_nouns(void)
{
    const char *last = "";

    for (const struct command *c = commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, last) != 0)
            printf("%s%s", *last ? " " : "", c->noun);
        last = c->noun;
    }
}

static void
put_options(const struct opt *o)
{
    for (; o != NULL && o->name != NULL; o++)
        printf(" --%s", o->name);
}

/* One case of the shell for each command: what may stand behind it. */
static void
put_cases(void)
{
    for (const struct command *c = commands; c->noun != NULL; c++) {
        printf("    '%s%s%s') words=\"", c->noun, c->verb ? " " : "",
            c->verb ? c->verb : "");
        if (strncmp(c->args, "TOPIC", 5) == 0
            || (strcmp(c->noun, "topic") == 0 && *c->args != '\0'))
            fputs("$(_penstock_names topic)", stdout);
        else if (strncmp(c->args, "GROUP", 5) == 0)
            fputs("$(_penstock_names group)", stdout);
        put_options(c->opts);
        puts("\" ;;");
    }
}

static void
put_verbs(void)
{
    const char *last = "";

    for (const struct command *c = commands; c->noun != NULL; c++) {
        if (c->verb == NULL)
            continue;
        if (strcmp(c->noun, last) != 0)
            printf("%s    '%s') words=\"", *last ? "\" ;;\n" : "", c->noun);
        printf("%s%s", strcmp(c->noun, last) != 0 ? "" : " ", c->verb);
        last = c->noun;
    }
    puts("\" ;;");
}

static void
put_script(void)
{
    puts("# bash completion for penstock; made by penstock completion bash\n"
         "_penstock_names() {\n"
         "    penstock $1 list -o raw --timeout 200ms 2>/dev/null\n"
         "}\n"
         "_penstock() {\n"
         "    local cur=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\" path=() w\n"
         "    for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "        [[ $w == -* ]] || path+=(\"$w\")\n"
         "    done\n"
         "    case \"${path[0]}\" in");
    printf("    '') words=\"");
    put_nouns();
    puts("\" ;;");
    put_verbs();
    puts("    esac\n    case \"${path[0]} ${path[1]}\" in");
    for (const struct command *c = commands; c->noun != NULL; c++) {
        if (c->verb == NULL)
            printf("    '%s '*) path=('%s') ;;\n", c->noun, c->noun);
    }
    puts("    esac\n    case \"${path[*]:0:2}\" in");
    put_cases();
    printf("    esac\n    [[ $cur == -* ]] && words+=\"");
    put_options(cli_globals);
    puts("\"\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "}\n"
         "complete -F _penstock penstock");
}

int
cmd_completion(struct cli *cli)
{
    struct err err;

    if (cli_args(cli, 1, 1, &err) != 0)
        return cli_fail(cli, &err);
    if (strcmp(cli->args[0], "bash") != 0)
        return cli_usage(cli, "there is a script for bash, none for '%.40s'",
            cli->args[0]);
    put_script();
    return CLI_OK;
}
