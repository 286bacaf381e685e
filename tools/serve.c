/*
 * serve.c: penstock serve, penstock config check.
 *
 *     settings ─► the process (limits, signals) ─► appliance_open
 *         ─► "ready" (a JSON line, a word in the log) ─► appliance_run
 *         ─► SIGTERM, SIGINT ─► appliance_close ─► 0
 */
#include "config.h"

#include "serve.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "appliance.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/limits.h"
#include "commands.h"
#include "crash.h"
#include "near.h"
#include "net/net.h"
#include "parse.h"
#include "settings.h"

enum { APPS_MAX = 256, HOST_MAX = 256, URL_MAX = HOST_MAX + 32 };

#define SETTING(field, letter, name, kind, value, help)                        \
    {letter, name, value, help},

/* clang-format off */
const struct opt opts_serve[] = {
    {'C', "config", "FILE", "settings from a file: [server], KEY = VALUE"},
#include "settings.tbl"
    {0, NULL, NULL, NULL},
};
/* clang-format on */
#undef SETTING

const struct opt opts_config_check[] = {{0, NULL, NULL, NULL}};

/* ---- what the appliance is told ----------------------------------------- */

/* Lives as long as the settings that it is made of. */
struct plan {
    struct appliance_options options;
    struct ps_app apps[APPS_MAX + 1];
    char host[HOST_MAX];         /* to advertise */
};

static int
plan_app(struct plan *p, unsigned n, const struct ps_app *apps,
    const char *name, struct err *err)
{
    char hint[96];
    struct near near;

    near_init(&near, name);
    for (; apps != NULL && apps->name != NULL; apps++) {
        near_try(&near, apps->name);
        if (strcmp(apps->name, name) != 0)
            continue;
        if (n == APPS_MAX)
            return err_set(err, ERR_LIMIT, "more than %d applications",
                APPS_MAX);
        p->apps[n] = *apps;
        return 0;
    }
    return err_set(err, ERR_USAGE, "there is no application '%.60s'%s", name,
        near_hint(&near, hint, sizeof hint));
}

static int
plan_apps(struct plan *p, const struct settings *s, const struct ps_app *apps,
    struct err *err)
{
    if (s->no_apps)
        return 0;
    p->options.apps = apps;
    if (s->app.count == 0)
        return 0;
    for (unsigned i = 0; i < s->app.count; i++) {
        for (unsigned k = 0; k < i; k++)
            if (strcmp(s->app.items[k], s->app.items[i]) == 0)
                return err_set(err, ERR_USAGE, "the application '%.60s' is "
                    "named twice", s->app.items[i]);
        if (plan_app(p, i, apps, s->app.items[i], err) < 0)
            return -1;
    }
    p->options.apps = p->apps;
    return 0;
}

/* "orders:4"; the number may be left out. */
static int
plan_topics(struct plan *p, struct settings *s, struct err *err)
{
    struct appliance_topic *topics = arena_calloc(&s->arena,
        s->topic.count + 1, sizeof *topics);

    for (size_t i = 0; topics != NULL && i < s->topic.count; i++) {
        const char *text = s->topic.items[i], *colon = strrchr(text, ':');
        int64_t n = s->partitions > 0 ? s->partitions : 1;

        if (colon != NULL
            && parse_int(colon + 1, 1, PARTITIONS_TOPIC_MAX, &n, err) < 0)
            return err_prefix(err, "topic '%.100s'", text);
        topics[i].name = arena_strndup(&s->arena, text,
            colon == NULL ? strlen(text) : (size_t)(colon - text));
        topics[i].partitions = (int32_t)n;
    }
    p->options.topics = topics;
    return 0;
}

static enum durability
durability_of(const char *word)
{
    return strcmp(word, "memory") == 0 ? DURABILITY_MEMORY
        : strcmp(word, "process") == 0 ? DURABILITY_PROCESS
                                       : DURABILITY_POWER;
}

static int
plan_make(struct plan *p, struct settings *s, const struct ps_app *apps,
    struct err *err)
{
    struct appliance_options *o = &p->options;

    memset(p, 0, sizeof *p);
    if (s->data == NULL)
        return err_set(err, ERR_USAGE, "where shall the data be? Say --data "
            "DIR");
    o->data = s->data;
    o->listen = settings_listen(s);
    o->http = settings_http(s);
    o->allow_public = s->allow_public;
    o->guard = crash_guard;
    o->durability = durability_of(s->durability);
    o->threads = (unsigned)s->threads;
    o->partitions = (int32_t)s->partitions;
    o->auto_create = !s->no_auto_create;
    o->keep_logs = s->keep_logs;
    o->journal_max = (uint64_t)s->journal_max;
    /* In the proportions of the defaults. */
    o->overlay_max = (uint64_t)s->memory / 16 * 12;
    o->tail_max = (uint64_t)s->memory / 16 * 3;
    o->cache_max = (uint64_t)s->memory / 16;
    if (s->threads > 64)
        return err_set(err, ERR_USAGE, "at most 64 threads");
    if (s->advertise != NULL) {
        o->advertised_host = p->host;
        if (settings_split(s->advertise, p->host, sizeof p->host,
                &o->advertised_port, err) < 0)
            return err_prefix(err, "advertise");
    }
    return plan_apps(p, s, apps, err) < 0 || plan_topics(p, s, err) < 0
        ? -1 : 0;
}

/* ---- the process -------------------------------------------------------- */

/* As many descriptors as we may have: connections and segments. */
static void
raise_files(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

/* The parent may be gone before the kernel is asked to tell us. */
static int
follow_parent(pid_t parent, struct err *err)
{
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
        return err_set(err, errno, "follow the parent");
    if (getppid() != parent)
        return err_set(err, ECANCELED, "the process that started this one is "
            "gone");
    return 0;
}

struct signals {
    struct appliance *appliance;
    struct event *term, *interrupt, *hangup;
};

static void
on_stop(evutil_socket_t number, short what, void *arg)
{
    struct signals *s = arg;

    (void)what;
    diag(INFO, MAIN, "stopping signal=%s", number == SIGTERM ? "TERM" : "INT");
    appliance_stop(s->appliance);
}

static void
on_hangup(evutil_socket_t number, short what, void *arg)
{
    (void)number;
    (void)what;
    (void)arg;
    diag(WARN, MAIN, "nothing is read again at SIGHUP: restart to change "
        "settings");
}

static void
signals_open(struct signals *s, struct appliance *a)
{
    struct event_base *base = appliance_base(a);

    s->appliance = a;
    s->term = evsignal_new(base, SIGTERM, on_stop, s);
    s->interrupt = evsignal_new(base, SIGINT, on_stop, s);
    s->hangup = evsignal_new(base, SIGHUP, on_hangup, s);
    assert(s->term != NULL && s->interrupt != NULL && s->hangup != NULL);
    event_add(s->term, NULL);
    event_add(s->interrupt, NULL);
    event_add(s->hangup, NULL);
}

static void
signals_close(struct signals *s)
{
    event_free(s->term);
    event_free(s->interrupt);
    event_free(s->hangup);
}

/* ---- ready -------------------------------------------------------------- */

/* What a client on this machine connects to. */
static void
address_text(char *room, size_t size, const char *where, uint16_t port)
{
    const char *colon = strrchr(where, ':');
    int n = (int)(colon - where);

    if (n == 0 || strncmp(where, "0.0.0.0:", 8) == 0
        || strncmp(where, "[::]:", 5) == 0)
        snprintf(room, size, "127.0.0.1:%u", port);
    else
        snprintf(room, size, "%.*s:%u", n > HOST_MAX ? HOST_MAX : n, where,
            port);
}

/* The descriptor is closed afterwards; what people may still write to stays
 * open, without effect. */
static void
ready_line(int fd, const struct serve_ready *r)
{
    struct buf out;
    struct json j;
    size_t done = 0;
    ssize_t n;

    buf_init(&out, 64 * KIB);
    json_init(&j, &out);
    json_object_begin(&j);
    json_kv_int(&j, "v", 1);
    json_kv_int(&j, "pid", getpid());
    json_kv_cstr(&j, "bootstrap", r->bootstrap);
    json_kv_cstr(&j, "http", r->http);
    json_kv_cstr(&j, "data", r->data);
    json_kv_cstr(&j, "version", PACKAGE_VERSION);
    json_object_end(&j);
    buf_put_u8(&out, '\n');
    while (done < out.len) {
        n = write(fd, out.ptr + done, out.len - done);
        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    buf_release(&out);
    if (fd > STDERR_FILENO) {
        close(fd);
    } else {
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

        dup2(nothing, fd);
        close(nothing);
    }
}

static void
say_ready(const struct settings *s, const struct plan *p, struct appliance *a,
    void (*ready)(void *, const struct serve_ready *), void *arg)
{
    char address[URL_MAX], http_address[URL_MAX], url[URL_MAX + 8];
    char *path = realpath(s->data, NULL);
    struct serve_ready r = {.bootstrap = address,
        .data = path != NULL ? path : s->data,
        .apps = p->options.apps};

    address_text(address, sizeof address, p->options.listen,
        appliance_port(a));
    if (p->options.http != NULL) {
        address_text(http_address, sizeof http_address, p->options.http,
            appliance_http_port(a));
        snprintf(url, sizeof url, "http://%s", http_address);
        r.http = url;
    }
    diag(INFO, MAIN, "serving kafka=%s http=%s data=%s durability=%s", address,
        r.http != NULL ? r.http : "off", r.data, s->durability);
    if (s->ready_fd >= 0)
        ready_line((int)s->ready_fd, &r);
    if (ready != NULL)
        ready(arg, &r);
    free(path);
}

/* ---- running ------------------------------------------------------------ */

/* An address that is refused or taken is found before the data is touched. */
static int
try_address(const char *where, bool public_ok, struct err *err)
{
    uint16_t port;
    bool loopback;
    int fd;

    if (where == NULL)
        return 0;
    if (net_socket(where, public_ok, &fd, &port, &loopback, err) < 0)
        return -1;
    close(fd);
    return 0;
}

static int
prepare(const struct settings *s, pid_t parent, struct err *err)
{
    const char *level = s->log_level != NULL ? s->log_level : "info";

    if (diag_configure(level, strcmp(s->log_format, "json") == 0) < 0)
        return err_set(err, ERR_USAGE, "--log-level: '%.100s' is not like "
            "info or warn,net=debug", level);
    if (s->ready_fd >= 0 && fcntl((int)s->ready_fd, F_GETFD) < 0)
        return err_set(err, ERR_USAGE, "--ready-fd: the descriptor %d is not "
            "open", (int)s->ready_fd);
    if (s->die && follow_parent(parent, err) < 0)
        return -1;
    raise_files();
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

/* A folder that another process works on is a conflict. */
static int
fail(const struct cli *cli, const struct err *err)
{
    int code = cli_fail(cli, err);

    return err->code == EBUSY ? CLI_CONFLICT : code;
}

static void
turn(struct appliance *a, const struct settings *s, const struct plan *p,
    void (*ready)(void *, const struct serve_ready *), void *arg)
{
    struct signals signals;

    signals_open(&signals, a);
    say_ready(s, p, a, ready, arg);
    appliance_run(a);
    signals_close(&signals);
}

int
serve_run(struct cli *cli, struct settings *s,
    void (*ready)(void *, const struct serve_ready *), void *arg)
{
    pid_t parent = getppid();
    struct plan *plan = arena_alloc(&s->arena, sizeof *plan);
    struct appliance *a = NULL;
    struct err err = {0};
    int code = CLI_OK;

    assert(plan != NULL);
    if (plan_make(plan, s, cli->apps, &err) < 0
        || prepare(s, parent, &err) < 0
        || try_address(plan->options.listen, s->allow_public, &err) < 0
        || try_address(plan->options.http, s->allow_public, &err) < 0
        || appliance_open(&a, &plan->options, &err) < 0) {
        code = fail(cli, &err);
    } else {
        turn(a, s, plan, ready, arg);
        appliance_close(a);
    }
    crash_unguard();
    return code;
}

int
cmd_serve(struct cli *cli)
{
    const char *file = cli_get(cli, "config");
    struct settings s;
    struct err err = {0};
    int code;

    settings_init(&s);
    if (cli_args(cli, 0, 0, &err) < 0
        || (file != NULL && settings_file(&s, file, &err) < 0)
        || settings_options(&s, cli, &err) < 0)
        code = cli_fail(cli, &err);
    else
        code = serve_run(cli, &s, NULL, NULL);
    settings_release(&s);
    return code;
}

/* Everything that can be said without touching the data or the network. */
int
cmd_config_check(struct cli *cli)
{
    struct settings s;
    struct plan plan;
    struct err err = {0};
    int code = CLI_OK;

    settings_init(&s);
    if (cli_args(cli, 1, 1, &err) < 0
        || settings_file(&s, cli->args[0], &err) < 0) {
        code = cli_fail(cli, &err);
    } else {
        if (s.data == NULL)
            s.data = ".";        /* may be said on the command line */
        if (plan_make(&plan, &s, cli->apps, &err) < 0) {
            err_prefix(&err, "%s", cli->args[0]);
            code = cli_fail(cli, &err);
        } else {
            cli_say(cli, "%s is fine", cli->args[0]);
        }
    }
    settings_release(&s);
    return code;
}
