/*
 * http.h: the HTTP front of a running Penstock: metrics, views, streams,
 * settle, on libevent's evhttp. The routes are the table in http.c.
 *
 *  1. Answers show published state only. Each carries the epoch that it
 *     shows, in the body or as Penstock-Epoch; `?at_least=E` waits for it.
 *  2. Nothing sleeps and nothing blocks the loop: who waits is looked at in
 *     http_turn(), at the end of each turn.
 *  3. On a loopback address only requests that name it (localhost, 127.0.0.1,
 *     [::1]) are answered, and a POST must not come from another site's page:
 *     a page in a browser here is no friend (DNS rebinding).
 *
 * Ownership: what the env points to is borrowed and outlives the http.
 * Thread: loop.
 */
#ifndef TOOLS_HTTP_H
#define TOOLS_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct http;
struct event_base;

struct http_env {
    struct event_base *base;
    struct seq *seq;
    struct api *api;
    struct net *net;
    struct local *local;
    struct engine *engine;       /* NULL: no applications */
    const struct ps_app *apps;   /* as the engine has them; NULL: none */
};

/* "HOST:PORT", port 0: any. Beyond loopback only with `allow_public`. */
int http_open(struct http **, const struct http_env *, const char *where,
    bool allow_public, struct err *);
uint16_t http_port(const struct http *);
/* At the end of each turn, after publish. Returns in how many microseconds it
 * wants to be called again at the latest, -1: when there is an event. */
int64_t http_turn(struct http *);
/* Who waits is told that we stop. */
void http_close(struct http *);          /* NULL allowed */

#endif
