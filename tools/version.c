/*
 * version.c: penstock version: what this program is made of. It asks the
 * libraries that run, not the headers it was built with.
 */
#include "config.h"

#include <event2/event.h>
#include <jansson.h>
#include <lz4.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

#include "commands.h"
#include "epoch/meta.h"
#include "sheet.h"

const struct opt opts_version[] = {
    {0, "json", NULL, "as -o json"},
    {0, NULL, NULL, NULL},
};

static void
put(struct sheet *s, const char *name, const char *version)
{
    sheet_cstr(s, name);
    sheet_cstr(s, version);
}

static void
put_numbers(struct sheet *s, const char *name, int major, int minor, int patch)
{
    char text[40];

    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    put(s, name, text);
}

int
cmd_version(struct cli *cli)
{
    static const char *const columns[] = {"name", "version", NULL};
    unsigned xxh = XXH_versionNumber();
    int major, minor, patch;
    struct sheet s;
    struct err err;

    if (cli_args(cli, 0, 0, &err) != 0)
        return cli_fail(cli, &err);
    sheet_init(&s, stdout, cli_has(cli, "json") ? OUTPUT_JSON : cli->output,
        cli->color, columns);
    put(&s, "penstock", PACKAGE_VERSION);
    put(&s, "jansson", jansson_version_str());
    put(&s, "libevent", event_get_version());
    meta_library_version(&major, &minor, &patch);
    put_numbers(&s, "lmdb", major, minor, patch);
    put(&s, "lz4", LZ4_versionString());
    put(&s, "protobuf-c", protobuf_c_version());
    put_numbers(&s, "xxhash", (int)(xxh / 10000), (int)(xxh / 100 % 100),
        (int)(xxh % 100));
    put(&s, "zlib", zlibVersion());
    put(&s, "zstd", ZSTD_versionString());
    sheet_end(&s);
    return CLI_OK;
}
