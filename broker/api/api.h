/*
 * api.h: the broker as seen by its front: frames in, answers out. Owns
 * topics and groups; everything durable goes through the sequencer.
 *
 *     net ─► api_frame ─► handler (api_priv.h) ─► reply, gated by an epoch
 *                                   │ effects           ▲
 *                                   ▼                   │ publish
 *                                sequencer ─────────────┘
 *
 * Thread: loop.
 */
#ifndef API_API_H
#define API_API_H

#include "group/groups.h"
#include "net/net.h"
#include "partition/topic.h"

struct api;

struct api_options {
    int32_t node_id;
    const char *advertised_host; /* NULL: the local address of who asks */
    uint16_t advertised_port;
    bool auto_create;            /* topics, by Metadata and Produce */
    int32_t partitions;          /* of auto-created topics */
    struct group_config groups;  /* group_config_init() first */
};

/* Between seq_open() and seq_start(): reads topics, groups, producer ids.
 * seq_start() gets topics_replayed and api_topics(). */
int api_open(struct api **, struct seq *, const struct api_options *,
    struct err *);
/* After seq_start(). */
void api_start(struct api *);
void api_free(struct api *);             /* NULL allowed */

/* For net_new(): sessions and frames; the argument is the api. */
extern const struct net_ops api_net_ops;
/* The net whose starved connections are told of room. */
void api_set_net(struct api *, struct net *);

/* Timers: fetches that waited long enough, groups. Call it when due, and at
 * least after each turn. Returns milliseconds until it is due again. */
int64_t api_tick(struct api *);

/* After seq_turn(): if there is more room than before, requests that waited
 * for it come again. true: they did, so the sequencer has work. */
bool api_let_in(struct api *);

struct topics *api_topics(struct api *);
struct groups *api_groups(struct api *);
struct seq *api_seq(struct api *);

/* Counters by API for /metrics: requests, errors, bytes. */
struct api_counter {
    uint64_t requests, errors;
};
const struct api_counter *api_counter(const struct api *, int key);

#endif
