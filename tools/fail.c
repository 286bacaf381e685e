/* fail.c: how a command ends badly, what it says and asks: stderr. */
#include "config.h"

#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "client/client.h"

volatile sig_atomic_t cli_stop;

/* ---- exit codes --------------------------------------------------------- */

static enum cli_exit
exit_of_kerr(int kerr)
{
    switch (kerr) {
    case KERR_UNKNOWN_TOPIC_OR_PARTITION:
    case KERR_UNKNOWN_TOPIC_ID:
    case KERR_GROUP_ID_NOT_FOUND:
    case KERR_TRANSACTIONAL_ID_NOT_FOUND:
        return CLI_NOT_FOUND;
    case KERR_TOPIC_ALREADY_EXISTS:
    case KERR_NON_EMPTY_GROUP:
    case KERR_GROUP_SUBSCRIBED_TO_TOPIC:
        return CLI_CONFLICT;
    case KERR_TOPIC_AUTHORIZATION_FAILED:
    case KERR_GROUP_AUTHORIZATION_FAILED:
    case KERR_CLUSTER_AUTHORIZATION_FAILED:
    case KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case KERR_SASL_AUTHENTICATION_FAILED:
    case KERR_SECURITY_DISABLED:
        return CLI_FORBIDDEN;
    case KERR_CORRUPT_MESSAGE:
        return CLI_DAMAGE;
    case KERR_REQUEST_TIMED_OUT:
    case KERR_NETWORK_EXCEPTION:
        return CLI_UNREACHABLE;
    default:
        return kerr_retriable(kerr) ? CLI_AGAIN : CLI_FAILED;
    }
}

enum cli_exit
cli_exit_of(const struct err *err)
{
    int kerr;

    if (client_kerr(err, &kerr))
        return exit_of_kerr(kerr);
    switch (err->code) {
    case ERR_USAGE:
        return CLI_USAGE;
    case ERR_NOTFOUND:
        return CLI_NOT_FOUND;
    case ERR_DAMAGE:
        return CLI_DAMAGE;
    case ENOENT:
        return CLI_NOT_FOUND;
    case EBUSY:
    case EEXIST:
        return CLI_CONFLICT;
    case EINTR:
        return CLI_INTERRUPTED;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return CLI_UNREACHABLE;
    default:
        return CLI_FAILED;
    }
}

/* ---- words -------------------------------------------------------------- */

static void
print_json(const struct err *err, const char *name, enum cli_exit code)
{
    struct buf out;
    struct json j;

    buf_init(&out, 64 << 10);
    json_init(&j, &out);
    json_object_begin(&j);
    json_kv_cstr(&j, "error", err->text);
    if (name != NULL)
        json_kv_cstr(&j, "code", name);
    json_kv_int(&j, "exit", code);
    json_object_end(&j);
    fprintf(stderr, "%.*s\n", (int)out.len, (const char *)out.ptr);
    buf_release(&out);
}

int
cli_fail(const struct cli *cli, const struct err *err)
{
    enum cli_exit code = cli_exit_of(err);
    int kerr = 0;
    const char *name = client_kerr(err, &kerr) ? kerr_name(kerr) : NULL;

    fflush(stdout);
    if (code == CLI_INTERRUPTED)
        return code;             /* whoever pressed ^C knows */
    if (cli->output == OUTPUT_JSON || cli->output == OUTPUT_NDJSON)
        print_json(err, name, code);
    else if (name != NULL)
        fprintf(stderr, "penstock: error: %s [%s]\n", err->text, name);
    else
        fprintf(stderr, "penstock: error: %s\n", err->text);
    return code;
}

int
cli_usage(const struct cli *cli, const char *fmt, ...)
{
    char text[256];
    struct err err;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err_set(&err, ERR_USAGE, "%s", text);
    return cli_fail(cli, &err);
}

void
cli_say(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;

    if (cli->quiet)
        return;
    fputs("penstock: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

int
cli_confirm(const struct cli *cli, const char *question, struct err *err)
{
    char answer[16];

    if (cli->yes)
        return 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return err_set(err, ERR_USAGE, "%s Say --yes", question);
    fprintf(stderr, "%s [y/N] ", question);
    fflush(stderr);
    if (fgets(answer, sizeof answer, stdin) != NULL
        && (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0))
        return 0;
    return err_set(err, ECANCELED, "nothing was changed");
}

/* ---- the rest ----------------------------------------------------------- */

/* Some senders, timeout(1) for one, signal a process and then its group: the
 * second time is no sign of impatience yet, the third is. */
static void
on_signal(int number)
{
    static volatile sig_atomic_t times;

    cli_stop = 1;
    if (++times > 2)
        _exit(CLI_INTERRUPTED);
}

void
cli_catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal};

    /* no SA_RESTART: whoever waits in poll() is to wake up */
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

struct client *
cli_client(const struct cli *cli, struct err *err)
{
    struct client_conf conf = {
        .bootstrap = cli->bootstrap,
        .timeout_ms = cli->timeout_ms,
        .stop = &cli_stop,
        .trace = cli->verbose >= 2 ? stderr : NULL,
    };

    return client_open(&conf, err);
}
