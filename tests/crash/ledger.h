/*
 * ledger.h: an account of what a real client was promised.
 *
 * One librdkafka producer, idempotent, lives through all that happens to the
 * program and sends orders for few products; the inventory service in it
 * answers each. In the end ledger_judge() reads it all back:
 *
 *   1. every order that was acknowledged stands in the topic, once;
 *   2. every order has exactly one verdict;
 *   3. what passed is what the stock has reserved, and it is not more than
 *      there was.
 *
 * Thread: one.
 */
#ifndef CRASH_LEDGER_H
#define CRASH_LEDGER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "rig.h"

enum { LEDGER_PRODUCTS = 20, LEDGER_STOCK = 500, LEDGER_PARTITIONS = 4 };

struct ledger {
    struct rig *rig;
    rd_kafka_t *producer;
    uint8_t *acked, *seen, *verdicts;    /* by the order's number */
    int sent, acks, passed;
};

/* The rig runs; sends the stock. */
void ledger_open(struct ledger *, struct rig *);
void ledger_close(struct ledger *);
/* One order, if the queue has room. */
bool ledger_order(struct ledger *);
/* Sends for so long. */
void ledger_load(struct ledger *, int64_t ms);
/* Waits until all are acknowledged, then reads back and checks. */
void ledger_judge(struct ledger *);
/* Checks now that all acknowledged orders can be read. */
void ledger_read(struct ledger *, const char *when);

/* A client of the rig with these settings (name, value, ..., NULL). */
rd_kafka_t *ledger_client(const struct rig *, rd_kafka_type_t,
    const char *const *settings, void (*delivered)(rd_kafka_t *,
        const rd_kafka_message_t *, void *), void *arg);
/* All of a topic from the beginning to the ends as they are now. false: the
 * ends were not reached within the time. */
bool ledger_scan(const struct rig *, const char *topic, int partitions,
    int64_t within_ms, void (*fn)(void *, const rd_kafka_message_t *),
    void *arg);

#endif
