/*
 * dev.c: penstock dev: an appliance for an afternoon: a folder of its own
 * that goes away with it, nothing synced, the usual ports or the next ones
 * that are free, all that one needs to know on the screen.
 */
#include "config.h"

#include "serve.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "commands.h"
#include "letters.h"
#include "net/net.h"
#include "penstock/streams.h"
#include "settings.h"

enum { PORTS_TRIED = 100, OPEN_FOLDERS = 16 };

#define SETTING(field, letter, name, kind, value, help)                        \
    {letter, name, value, help},

/* clang-format off */
const struct opt opts_dev[] = {
    {'C', "config", "FILE", "settings from a file: [server], KEY = VALUE"},
#include "settings.tbl"
    {0, NULL, NULL, NULL},
};
/* clang-format on */
#undef SETTING

struct dev {
    const struct cli *cli;
    bool shop;                   /* does the inventory run? */
    struct letters *letters;
};

/* ---- the folder --------------------------------------------------------- */

static int
make_folder(char *room, size_t size, struct err *err)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(room, size, "%s/penstock-XXXXXX",
        tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
    if (mkdtemp(room) == NULL)
        return err_set(err, errno, "make a folder like %s", room);
    return 0;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void
remove_folder(const char *path)
{
    if (nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "penstock: %s is left behind: %s\n", path,
            strerror(errno));
}

/* ---- ports -------------------------------------------------------------- */

/* The first free port from that of `where` on; it may be gone again when it
 * is wanted, which is then an error as usual. */
static int64_t
free_port(const char *where, bool public_ok)
{
    char host[256], text[300];
    uint16_t port, got;
    bool loopback;
    struct err err;
    int fd;

    if (settings_split(where, host, sizeof host, &port, &err) < 0
        || port == 0)
        return -1;
    for (unsigned i = 0; i < PORTS_TRIED && port + i < 65536; i++) {
        snprintf(text, sizeof text, "%s:%u", host, port + i);
        if (net_socket(text, public_ok, &fd, &got, &loopback, &err) == 0) {
            close(fd);
            return port + i;
        }
        if (err.code != EADDRINUSE)
            return -1;
    }
    return -1;
}

/* ---- words -------------------------------------------------------------- */

static void
on_ready(void *arg, const struct serve_ready *r)
{
    struct dev *d = arg;

    for (const struct ps_app *a = r->apps; a != NULL && a->name != NULL; a++)
        d->shop |= strcmp(a->name, "inventory") == 0;
    if (!d->cli->quiet) {
        fprintf(stderr,
            "\n"
            "  Kafka  %s\n"
            "  HTTP   %s\n"
            "  data   %s (gone at the end)\n"
            "\n"
            "  echo hello | kcat -b %s -t notes -P\n"
            "  kcat -b %s -t notes -C -e\n", r->bootstrap,
            r->http != NULL ? r->http : "off", r->data, r->bootstrap,
            r->bootstrap);
        if (d->shop && r->http != NULL)
            fprintf(stderr,
                "  echo 'ipad:{\"kind\":\"RECEIVE\",\"quantity\":10}' |"
                " kcat -b %s -t warehouse-inventory -P -K:\n"
                "  curl %s/v1/views/stock/ipad\n", r->bootstrap, r->http);
        fprintf(stderr, "\n");
    }
    d->letters = letters_start(r->bootstrap, r->apps);
}

/* ---- the command -------------------------------------------------------- */

static int
take_settings(struct settings *s, const struct cli *cli, struct err *err)
{
    const char *file = cli_get(cli, "config");

    s->durability = "memory";
    if (cli_args(cli, 0, 0, err) < 0
        || (file != NULL && settings_file(s, file, err) < 0)
        || settings_options(s, cli, err) < 0)
        return -1;
    if (s->port < 0)
        s->port = free_port(s->listen, s->allow_public);
    if (s->http_port < 0 && strcmp(s->http, "off") != 0)
        s->http_port = free_port(s->http, s->allow_public);
    return 0;
}

int
cmd_dev(struct cli *cli)
{
    struct dev d = {.cli = cli};
    char folder[512] = "";
    struct settings s;
    struct err err = {0};
    int code;

    settings_init(&s);
    if (take_settings(&s, cli, &err) < 0
        || (s.data == NULL && make_folder(folder, sizeof folder, &err) < 0)) {
        code = cli_fail(cli, &err);
    } else {
        if (s.data == NULL)
            s.data = folder;
        code = serve_run(cli, &s, on_ready, &d);
        letters_stop(d.letters); /* its connection is closed by now */
        if (s.data == folder)
            remove_folder(folder);
    }
    settings_release(&s);
    return code;
}
