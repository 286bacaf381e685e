/*
 * settings.h: what an appliance is told: by options, by a file, by default,
 * in this order of weight. The table is settings.tbl.
 *
 *     [server]
 *     data = /var/lib/penstock      # a key is the name of an option
 *     listen = 0.0.0.0:9092
 *     allow-public = yes            # a flag: yes or no
 *     topic = orders:4              # a list: as often as you like
 *
 * Ownership: the texts are the settings' own. Thread: any, one at a time.
 */
#ifndef TOOLS_SETTINGS_H
#define TOOLS_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "cli.h"

struct settings_list {
    const char **items;          /* NULL ends it; NULL: nothing was given */
    size_t count;
};

struct settings {
    struct arena arena;          /* private */
    const char *data, *listen, *http, *advertise, *log_level;
    const char *durability, *log_format;
    int64_t port, http_port, ready_fd;   /* -1: not given */
    int64_t threads, partitions, journal_max, memory;    /* 0: the default */
    bool allow_public, no_auto_create, no_apps, keep_logs, die;
    struct settings_list app, topic;
};

void settings_init(struct settings *);
void settings_release(struct settings *);
/* Reads the file; an unknown key is an error with file, line and the nearest
 * name. ERR_USAGE. */
int settings_file(struct settings *, const char *path, struct err *);
/* Options of the command; they replace what a file said. */
int settings_options(struct settings *, const struct cli *, struct err *);

/* "HOST:PORT" with its port replaced, if that was given. The arena's. */
const char *settings_listen(struct settings *);
const char *settings_http(struct settings *);    /* NULL: off */
/* Splits "HOST:PORT". */
int settings_split(const char *where, char *host, size_t size,
    uint16_t *port, struct err *);

#endif
