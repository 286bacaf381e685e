/*
 * client_priv.h: what the files of this folder share.
 */
#ifndef CLIENT_CLIENT_PRIV_H
#define CLIENT_CLIENT_PRIV_H

#include <sys/queue.h>

#include "client/client.h"
#include "client/peer.h"

enum { CLIENT_KEYS = 128 };      /* keys of APIs are below */

struct client_open_request {
    const struct wire_api *api;
    int version;
    int32_t correlation;
};

struct cached_topic {
    SLIST_ENTRY(cached_topic) next;
    struct client_topic topic;
};

struct client {
    struct peer peer;
    const volatile sig_atomic_t *stop;
    int timeout_ms;
    char *name;
    FILE *trace;
    bool committed;              /* client_read_committed() */
    int32_t correlation;
    int16_t versions[CLIENT_KEYS];       /* to speak; -1: not offered */
    struct client_open_request open[CLIENT_PIPELINE];
    unsigned open_first, open_count;
    struct wire_out out;
    struct arena topics_arena;
    SLIST_HEAD(, cached_topic) topics;
};

/* Waits a little before the same request is sent again. -1 when `deadline_ms`
 * (peer_now_ms()) has passed or *stop is set: *err stays as it is. */
int client_pause(struct client *, int64_t deadline_ms);

#endif
