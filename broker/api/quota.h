/*
 * quota.h: how much clients may ask for: what is set for whom (KIP-546), and
 * buckets of tokens that say how far somebody is beyond it.
 *
 * An entity is a user, a client id, both, or an address; a part of it may be
 * the default, for who has none of his own. Of all that fit the most special
 * one holds:
 *
 *     user, client | user, default client | user
 *     | default user, client | default user, default client | default user
 *     | client | default client                       address | default address
 *
 * A bucket belongs to who is limited together: one of the user's for a quota
 * of users alone, one of each user and client otherwise. It holds what may
 * be used at once, ten seconds' worth, as Kafka's eleven windows of a second
 * do; who takes more goes into debt and is told to wait until it is paid. A
 * bucket that nobody has touched for ten seconds is full, so forgetting it
 * loses nothing: there are at most QUOTA_BUCKETS_MAX, the oldest go.
 *
 * Thread: loop. Times: milliseconds of the appliance clock.
 */
#ifndef API_QUOTA_H
#define API_QUOTA_H

#include <sys/queue.h>

#include "base/omap.h"
#include "base/table.h"

enum quota_part { QUOTA_USER, QUOTA_CLIENT, QUOTA_IP, QUOTA_PARTS };

/* X(NAME, key, integral, of an address) */
#define QUOTA_KEYS_TABLE(X)                                                    \
    X(PRODUCE, "producer_byte_rate", true, false)                              \
    X(FETCH, "consumer_byte_rate", true, false)                                \
    X(REQUEST, "request_percentage", false, false)                             \
    X(MUTATION, "controller_mutation_rate", false, false)                      \
    X(CONNECTION, "connection_creation_rate", true, true)

enum quota_key {
#define X(NAME, ...) QUOTA_##NAME,
    QUOTA_KEYS_TABLE(X)
#undef X
    QUOTA_KEYS
};

enum {
    QUOTA_NAME_MAX = 1024,       /* bytes of a user, a client id, an address */
    QUOTA_ENTITY_MAX = 3 * (QUOTA_NAME_MAX + 3),
    QUOTAS_MAX = 10000,          /* entities */
    QUOTA_BUCKETS_MAX = 20000,
    QUOTA_BURST_S = 10,
};

struct quota_entity {
    bool has[QUOTA_PARTS];
    struct span name[QUOTA_PARTS];       /* null: the default */
};

struct quota {                   /* of one entity */
    double value[QUOTA_KEYS];    /* 0: not set */
};

struct quota_bucket;
TAILQ_HEAD(quota_bucket_list, quota_bucket);

struct quotas {                  /* private */
    struct omap by_entity;       /* encoded entity -> struct quota * */
    size_t set[QUOTA_KEYS];      /* entities that have it */
    struct table buckets;
    struct quota_bucket_list used;       /* least recently used first */
};

void quotas_init(struct quotas *);
void quotas_release(struct quotas *);

/* ---- names ---- */

const char *quota_part_name(enum quota_part);    /* "client-id" */
bool quota_part_find(struct span, enum quota_part *);
const char *quota_key_name(enum quota_key);
bool quota_key_find(struct span, enum quota_key *);
bool quota_key_integral(enum quota_key);
bool quota_key_of_ip(enum quota_key);

/* ---- what is set ---- */

/* The entity as bytes, by which it is kept; names must be without NUL and of
 * at most QUOTA_NAME_MAX bytes. Returns the length. */
size_t quota_encode(const struct quota_entity *, uint8_t[QUOTA_ENTITY_MAX]);
/* Names point into the bytes. false: they are no entity. */
bool quota_decode(struct span, struct quota_entity *);

const struct quota *quotas_get(const struct quotas *, struct span entity);
/* Nothing but zeros: the entity has none any more. */
void quotas_set(struct quotas *, struct span entity, const struct quota *);
/* In the order of the encoded entities; begin with omap_seek() on by_entity.
 * false at the end. */
bool quotas_next(struct omap_iter *, struct span *entity,
    const struct quota **);

/* ---- how far somebody is beyond it ---- */

struct quota_who {
    struct span user, client;    /* of a request; or */
    struct span ip;              /* of a connection */
};

/* What holds, per second; 0: no limit. */
double quotas_limit(const struct quotas *, enum quota_key,
    const struct quota_who *);
/* Takes from the bucket, into debt if it must. The milliseconds until the
 * debt is paid; 0: there is none. */
int64_t quotas_take(struct quotas *, enum quota_key,
    const struct quota_who *, double amount, int64_t now_ms);

#endif
