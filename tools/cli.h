/*
 * cli.h: the frame of the program: the command line by tables, what a command
 * gets from it, how it ends.
 *
 *     penstock [global options] NOUN VERB [ARGS] [options]
 *
 *  1. A command is a row of commands.tbl and a table of options. Its options
 *     stand behind its name, in any order with its arguments; global options
 *     stand anywhere. A letter that both have means the command's, behind it.
 *  2. `--name value`, `--name=value`, `-n value`, `-nvalue`; letters without a
 *     value may be joined. `--` ends the options.
 *  3. Data goes to stdout; everything else, also progress and questions, to
 *     stderr. An error is one line, with -o json an object.
 *  4. A command returns one of the codes of exits.tbl, usually by cli_fail().
 *
 * Ownership: arguments and values are borrowed from argv.
 * Thread: the main one.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum cli_exit {
#define X(NAME, code, text) CLI_##NAME = (code),
#include "exits.tbl"
#undef X
};

enum output {
    OUTPUT_TABLE,                /* for people */
    OUTPUT_JSON,
    OUTPUT_NDJSON,               /* an object a line */
    OUTPUT_TSV,                  /* no header; tab and newline as \t and \n */
    OUTPUT_RAW,                  /* the one thing that matters, bare */
};

struct opt {
    char letter;                 /* 0: none */
    const char *name;            /* NULL ends a table */
    const char *value;           /* what to call it; NULL: a flag */
    const char *help;
};

struct cli;

struct command {
    const char *noun;            /* NULL ends a table */
    const char *verb;            /* NULL: the noun is all */
    int (*run)(struct cli *);
    const struct opt *opts;
    const char *args;            /* "NAME..." */
    const char *help;            /* one line, lower case, no period */
    const char *examples;        /* lines */
};

struct ps_app;
struct cli_value;

struct cli {
    const struct command *commands;
    const struct command *command;       /* NULL: none was named */
    const char *noun;                    /* of one that lacks its verb */
    const struct ps_app *apps;
    char **args;                         /* NULL-terminated */
    int arg_count;

    enum output output;
    bool output_given;
    bool quiet, yes, dry_run, color, help, version;
    int verbose;                         /* 0, 1, 2 */
    const char *bootstrap;
    int timeout_ms;

    struct cli_value *values;            /* private */
    int value_count;
};

extern const struct opt cli_globals[];

/* 0, or -1: a line that says what is wrong with the command line, code
 * ERR_USAGE. *cli is then good for cli_fail() all the same. */
int cli_parse(struct cli *, const struct command *, int argc, char **argv,
    struct err *);
void cli_release(struct cli *);

/* ---- for commands ------------------------------------------------------- */

/* By the long name, which must be in the command's table. */
bool cli_has(const struct cli *, const char *name);
/* The last one given, or NULL. */
const char *cli_get(const struct cli *, const char *name);
/* All of them: `for (int i = 0; (s = cli_next(cli, "header", &i)) != NULL;)` */
const char *cli_next(const struct cli *, const char *name, int *iter);
/* As a number within the bounds, or as a duration in ms; dflt if not given. */
int cli_int(const struct cli *, const char *name, int64_t dflt, int64_t min,
    int64_t max, int64_t *out, struct err *);
int cli_ms(const struct cli *, const char *name, int64_t dflt, int64_t *out,
    struct err *);
/* Between min and max arguments (max -1: any number), or ERR_USAGE. */
int cli_args(const struct cli *, int min, int max, struct err *);

/* Prints the error, returns the exit code that fits it. */
int cli_fail(const struct cli *, const struct err *);
/* The same for a usage error that is made here. */
int cli_usage(const struct cli *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A line on stderr, unless -q. */
void cli_say(const struct cli *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
enum cli_exit cli_exit_of(const struct err *);
/* A destructive command asks: --yes, or a person at a terminal who says so.
 * 0, or -1 and *err. */
int cli_confirm(const struct cli *, const char *question, struct err *);

/* From now on SIGINT and SIGTERM set cli_stop, and end waits by EINTR. */
extern volatile sig_atomic_t cli_stop;
void cli_catch_signals(void);

struct client;
/* Connects to --bootstrap; NULL and *err. */
struct client *cli_client(const struct cli *, struct err *);

#endif
