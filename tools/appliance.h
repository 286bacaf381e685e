/*
 * appliance.h: one running Penstock: the data folder, the broker's front,
 * the HTTP front, the applications and their threads, and the loop that
 * turns them. `serve` and the embedding library stand on it.
 *
 * Thread: appliance_open, _run and _close belong to one thread, the loop's.
 */
#ifndef TOOLS_APPLIANCE_H
#define TOOLS_APPLIANCE_H

#include "base/err.h"
#include "epoch/journal.h"
#include "penstock/streams.h"

struct appliance;

struct appliance_topic {
    const char *name;
    int32_t partitions;
};

struct appliance_options {
    const char *data;
    const char *listen;          /* HOST:PORT */
    const char *http;            /* HOST:PORT, NULL: none */
    bool allow_public;
    enum durability durability;
    const struct ps_app *apps;   /* ends with a NULL name; NULL: none */
    unsigned threads;            /* of streams */
    int32_t partitions;          /* of topics made by themselves */
    bool auto_create;
    bool keep_logs;              /* local_keep_logs(); and of `topics` */
    const struct appliance_topic *topics;    /* made unless they are there;
                                              * NULL name ends; NULL: none */
    const char *advertised_host; /* NULL: who asks is told its own */
    uint16_t advertised_port;
    /* Called before the first application runs, with the name of the file
     * that a handler of fatal signals shall make. NULL: nobody. */
    void (*guard)(const char *crash_mark);
    uint64_t journal_max, tail_max, cache_max, overlay_max;  /* 0: defaults */
};

int appliance_open(struct appliance **, const struct appliance_options *,
    struct err *);
void appliance_run(struct appliance *);          /* until appliance_stop() */
void appliance_stop(struct appliance *);         /* loop thread */
/* What is open is committed; the folder is left as a clean stop leaves it. */
void appliance_close(struct appliance *);        /* NULL allowed */

uint16_t appliance_port(const struct appliance *);
uint16_t appliance_http_port(const struct appliance *);  /* 0: none */
/* The file that a handler of fatal signals makes: a crash of our own, told
 * apart from kill -9 and power cuts. */
const char *appliance_crash_mark(const struct appliance *);
struct event_base *appliance_base(struct appliance *);

#endif
