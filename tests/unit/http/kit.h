/*
 * kit.h: a running Penstock in a thread of this process, and a client of its
 * HTTP front that sends what it is told, well formed or not.
 *
 * Ownership: what ask() gives is the kit's until the next one. Thread: the
 * test's; the appliance has its own.
 */
#ifndef HTTP_KIT_H
#define HTTP_KIT_H

#include <pthread.h>
#include <semaphore.h>

#include "appliance.h"
#include "base/buf.h"

struct kit {
    struct appliance_options options;
    struct appliance *appliance;
    pthread_t thread;
    sem_t ready;
    int stop[2];                 /* a pipe: a byte stops it */
    char folder[256];
    char url[64], bootstrap[64];
    uint16_t port;               /* of HTTP */
    struct buf answer;
};

struct answer {
    int status;
    const char *head, *body;     /* NUL after each */
    size_t body_len;
};

/* A folder of its own; apps and topics (to be made) may be NULL. Fails the
 * test when it can't. */
void kit_open(struct kit *, const struct ps_app *apps,
    const struct appliance_topic *topics, int32_t partitions,
    enum durability);
/* A clean stop, and again on the same folder. */
void kit_restart(struct kit *);
void kit_stop(struct kit *);
void kit_close(struct kit *);

/* A connection to the front. */
int kit_connect(struct kit *);
/* The bytes as they are, then all that comes until the other end closes. */
struct answer kit_send(struct kit *, const char *bytes, size_t len);
/* A well-formed request with "Connection: close". */
struct answer kit_ask(struct kit *, const char *method, const char *path);
struct answer kit_get(struct kit *, const char *path);
struct answer kit_post(struct kit *, const char *path);

/* Fails unless the answer has that status; returns its body. */
const char *body_of(struct answer, int status);
void has(const char *text, const char *part);
void has_not(const char *text, const char *part);

/* Acknowledged when it returns. A NULL value is a tombstone. */
void kit_produce(struct kit *, const char *topic, const char *key,
    const char *value);
/* `count` records key0... in one go; the format makes the value of i. */
void kit_produce_many(struct kit *, const char *topic, const char *key_format,
    const char *value_format, int count);
void kit_settle(struct kit *);

#endif
