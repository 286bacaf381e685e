/*
 * kit.h: a broker in this process, without threads, and clients that talk to
 * it over loopback: so that a test decides when a turn of the loop is, when
 * an epoch is published and how much time passes.
 *
 *     struct kit *k = *state;                       kit_setup, kit_teardown
 *     struct join_group_request *q = KIT_NEW(k, join_group_request);
 *     const struct join_group_response *p
 *         = kit_call(k, API_JOIN_GROUP, 5, q);
 *
 * Responses live in the kit's arena until kit_forget().
 */
#ifndef TESTS_API_KIT_H
#define TESTS_API_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "api/api.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "wire/msg/cluster.h"
#include "wire/msg/configs.h"
#include "wire/msg/groups.h"
#include "wire/msg/metadata.h"
#include "wire/msg/offsets.h"
#include "wire/msg/quotas.h"
#include "wire/msg/topics.h"
#include "wire/wire.h"

#define S(text) span_str(text)

enum { KIT_CLIENTS = 16, KIT_NODE = 1 };

struct client;

struct kit {
    char dir[64];
    /* Change these before kit_start() or kit_restart(). */
    struct api_options opts;
    uint64_t journal_first, disk_floor;

    struct seq *seq;             /* NULL: the broker is down */
    struct api *api;
    struct net *net;
    struct event_base *base;
    uint16_t port;
    struct client *clients[KIT_CLIENTS], *main;  /* main: kit_call()'s */
    struct arena arena;
    struct world world;
    int64_t ahead_ns;            /* of the real clock */
    /* Spoils the body of a request on its way; NULL: nothing does. */
    void (*mangle)(struct kit *, uint8_t *body, size_t len);
    uint64_t rng;
};

/* A started broker in a folder of its own. */
int kit_setup(void **state);
int kit_teardown(void **state);

void kit_start(struct kit *);
void kit_stop(struct kit *);
void kit_restart(struct kit *);          /* closed cleanly */
void kit_crash(struct kit *);            /* as after kill -9, and up again */
void kit_anew(struct kit *);             /* in an empty folder */

/* One turn of the loop; `publish`: with the sequencer's. */
void kit_turn(struct kit *, bool publish);
/* Time passes, in steps of a second at most, with a turn after each. */
void kit_pass(struct kit *, int64_t ms);
void kit_forget(struct kit *);           /* what was received */
uint64_t kit_random(struct kit *, uint64_t below);       /* from k->rng */

#define KIT_NEW(k, type) ((struct type *)kit_new(k, &type##_type, 1))
/* An array of n in the field, each with defaults. */
#define KIT_LIST(k, field, type, count)                                        \
    ((field).n = (int32_t)(count),                                             \
        (field).v = kit_new(k, &type##_type, (size_t)(field).n))
void *kit_new(struct kit *, const struct wire_type *, size_t n);
void *kit_alloc(struct kit *, size_t bytes);
struct span kit_text(struct kit *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- clients ---- */

struct client *kit_connect(struct kit *);
void client_close(struct client *);      /* what it asked is still answered */
void client_reset(struct client *);      /* the broker closes at once */
void client_send(struct client *, int key, int version, const void *request);
void client_send_bytes(struct client *, struct span);
/* The next answer, if it has arrived; takes no turn. */
const void *client_poll(struct client *);
bool client_ended(const struct client *);        /* closed by the broker */
bool client_asked(const struct client *, int *key);      /* and waits */
/* Turns, until the next answer is there. */
const void *client_wait(struct client *);
/* Turns; nothing must come. */
void client_expect_silence(struct client *, bool publish);
/* Turns, until the broker has closed the connection. */
void client_expect_closed(struct client *);
const void *client_call(struct client *, int key, int version,
    const void *request);

/* By a client that is always there. */
const void *kit_call(struct kit *, int key, int version, const void *request);

/* ---- what most stories need ---- */

void kit_topic(struct kit *, const char *name, int32_t partitions);
struct uuid kit_topic_id(struct kit *, const char *name);
bool span_is(struct span, const char *text);
void error_is(int code, enum kerr want, const char *file, int line);

#define assert_span(s, text) assert_true(span_is(s, text))
#define assert_error(code, want) error_is(code, want, __FILE__, __LINE__)

#endif
