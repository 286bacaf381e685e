/*
 * feed.h: events become records of the shop's topics:
 *
 *     movement   warehouse-inventory   shop.Movement   key: the product
 *     order      orders                shop.Order      CREATED, key: its id
 *     payment    orders  ... PAID, or payments: shop.Payment, key: its id
 *     cancel     orders  ... CANCELLED
 *     shipment   orders  ... SHIPPED
 *
 *  1. A record's timestamp is its event's time.
 *  2. Payments as requests say PAID of every order, also of one that costs
 *     nothing: the shop keeps what is paid when goods run short, and the
 *     plain loop takes every order for paid.
 *  3. Nothing is in doubt after a lost connection: the events come again from
 *     the first on (feed_again), and as many of each partition are passed
 *     over as were acknowledged. What was written but not acknowledged is
 *     written twice, which the shop's rules (one body of an id, a movement's
 *     id once, no transition twice) make harmless.
 *
 * Ownership: the caller's. Thread: the main one.
 */
#ifndef RETAIL_FEED_H
#define RETAIL_FEED_H

#include "client/client.h"
#include "cli.h"
#include "retail/play.h"

enum feed_payments { PAYMENTS_AS_REQUESTS, PAYMENTS_AS_TOPIC, PAYMENTS_NONE };

enum { FEED_ORDERS, FEED_MOVEMENTS, FEED_PAYMENTS, FEED_TOPICS };

struct feed_conf {
    const struct cli *cli;
    int32_t partitions;          /* of topics that are missing; -1: default */
    enum feed_payments payments;
    int64_t rate;                /* events a second; 0: as fast as it goes */
    /* The shop works meanwhile: movements, which fill few batches, are not
     * kept back behind the orders that want them. */
    bool live;
    /* NULL, or called now and then. */
    void (*tick)(void *arg);
    void *arg;
};

struct feed;

struct feed *feed_new(const struct feed_conf *);
void feed_free(struct feed *);                   /* NULL allowed */

/* Connects; makes topics that are missing, to be kept for good. After a lost
 * connection: -1 and ERR_DAMAGE if what was acknowledged is not there. */
int feed_open(struct feed *, struct err *);
/* Refused: a topic would forget a record of that time at once. */
int feed_may_keep(struct feed *, int64_t oldest_ms, int64_t now_ms,
    struct err *);
void feed_again(struct feed *);
/* An event_fn. */
int feed_event(void *feed, const struct event *, struct err *);
/* All that was taken is acknowledged. */
int feed_flush(struct feed *, struct err *);
void feed_close(struct feed *);                  /* the connections */

/* Is that a connection that broke, so that it is worth trying again? */
bool feed_is_lost(const struct err *);
int64_t feed_acked(const struct feed *);
int64_t feed_repeated(const struct feed *);      /* by 3., at least 0 */
/* Records on a topic, now; *count stays if there is no such topic. Has a
 * connection of its own, opened again after an error. */
int feed_count(struct feed *, const char *topic, int64_t *, struct err *);

#endif
