/*
 * client.h: a small blocking client of Kafka's protocol, for commands and
 * tests. One connection to one node, which is penstock's whole cluster; a
 * real Kafka of one node does as well.
 *
 *  1. Versions are the highest that both sides have (ApiVersions, KIP-511).
 *  2. Answers come in the order of the requests: client_send() and
 *     client_receive() may be some requests apart (CLIENT_PIPELINE).
 *  3. After an error of the connection the client is dead: close it. EINTR is
 *     none: the answer is still to come, client_drain() waits for it.
 *  4. What the broker refuses is a struct err with the code CLIENT_KERR +
 *     Kafka's code; the text says what for whom, client_kerr() which.
 *
 * Ownership: the client's own until client_close(); what is received is the
 * arena's. Thread: one at a time.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <signal.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "record/kerr.h"
#include "wire/wire.h"

enum {
    CLIENT_PIPELINE = 8,         /* requests whose answers are open */
    CLIENT_KERR = 20000,
    CLIENT_ANSWER_MAX = 256 << 20,       /* bytes of a decoded answer */
};

struct client;

struct client_conf {
    const char *bootstrap;       /* "host:port", several with commas */
    int timeout_ms;              /* for the connection, and for each answer */
    const char *name;            /* client.id; NULL: penstock */
    const volatile sig_atomic_t *stop;   /* or NULL: nonzero ends a wait */
    FILE *trace;                 /* or NULL: a line each way */
};

/* NULL and *err. The strings of conf are copied, stop and trace are kept. */
struct client *client_open(const struct client_conf *, struct err *);
void client_close(struct client *);
int client_timeout_ms(const struct client *);
/* Readers get only what is committed, and partitions end where the first
 * open transaction begins. */
void client_read_committed(struct client *);

/* Returns -1: *err gets kerr's code and the text; name and sentence are added
 * by whoever prints. */
int client_refused(struct err *, int kerr, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Is it one, and which? */
bool client_kerr(const struct err *, int *kerr);

/* -1: the broker does not offer it. */
int client_version(const struct client *, enum api_key);
/* Never above `max`. For messages whose later versions name topics by id
 * only, where names are at hand. */
void client_cap(struct client *, enum api_key, int max);

int client_send(struct client *, enum api_key, const void *request,
    struct err *);
/* The answer to the oldest open request. wait_ms: how much longer than usual
 * the broker may take, because the request asked it to. */
int client_receive(struct client *, int wait_ms, struct arena *, void **answer,
    struct err *);
/* Takes the answers that are still to come, and drops them. */
int client_drain(struct client *, struct err *);
/* Both. There must be no open request. */
int client_call(struct client *, enum api_key, const void *request,
    struct arena *, void *answer, struct err *);
int client_call_wait(struct client *, enum api_key, const void *request,
    int wait_ms, struct arena *, void *answer, struct err *);

/* ---- topics ------------------------------------------------------------- */

struct client_topic {
    const char *name;            /* NUL-terminated */
    struct uuid id;              /* zero: the broker has no ids */
    int32_t partitions;
    bool internal;
};

/* From the cache, or by Metadata; waits while a partition has no leader yet.
 * Refused: UNKNOWN_TOPIC_OR_PARTITION and others. The client's. */
const struct client_topic *client_topic(struct client *, const char *name,
    struct err *);
/* All of them, in the order of their names; the arena's. */
int client_topics(struct client *, struct arena *, struct client_topic **,
    size_t *count, struct err *);
/* The cache is empty again: topics may have been made or deleted. */
void client_forget(struct client *);

enum { OFFSET_END = -1, OFFSET_BEGIN = -2 };

/* One question to ListOffsets. */
struct offset_query {
    const struct client_topic *topic;
    int32_t partition;
    int64_t at;                  /* OFFSET_END, OFFSET_BEGIN, or a time in ms:
                                  * the first record that is not older */
    int64_t offset;              /* out; -1: no record is that young */
    int kerr;                    /* out */
};

/* Those of a topic stand side by side. The first refusal is the error. */
int client_offsets(struct client *, struct offset_query *, size_t count,
    struct err *);
/* For every partition of a topic, in order; `out` has room for them. */
int client_offsets_of(struct client *, const struct client_topic *, int64_t at,
    int64_t *out, struct err *);

/* ---- groups ------------------------------------------------------------- */

/* Finds the coordinator, which is our node, and waits until it has loaded:
 * before any other request about a group. */
int client_coordinator(struct client *, const char *group, struct err *);

struct committed {
    const char *topic;
    int32_t partition;
    int64_t offset;              /* -1: none */
};

/* What the group has committed: for one topic's partitions (with -1 where
 * there is none), or for all topics (topic NULL). The arena's. */
int client_committed(struct client *, const char *group,
    const struct client_topic *, struct arena *, struct committed **,
    size_t *count, struct err *);

static inline struct span
client_name_span(const char *name)
{
    return span_of(name, strlen(name));
}

#endif
