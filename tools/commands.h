/*
 * commands.h: the commands, declared from their table.
 */
#ifndef TOOLS_COMMANDS_H
#define TOOLS_COMMANDS_H

#include "cli.h"

#define COMMAND(noun, verb, name, ...)                                         \
    int cmd_##name(struct cli *);                                              \
    extern const struct opt opts_##name[];
#include "commands.tbl"
#undef COMMAND

extern const struct command commands[];          /* ends with a NULL noun */

/* ---- help.c ------------------------------------------------------------- */

/* What there is; a noun's verbs; one command. To stdout. */
void help_overview(void);
void help_noun(const char *noun);
void help_command(const struct command *);
void help_exit_codes(void);

#endif
