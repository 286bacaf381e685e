/*
 * Helpers of the librdkafka suite: TAP, clients made from "key=value" words,
 * and a run of numbered records that is produced and found again.
 *
 * Every wait has a limit of RDK_WAIT_MS; a client that cannot be made ends the
 * program with "Bail out!". Nothing here is thread-safe.
 */
#ifndef COMPAT_RDK_H
#define COMPAT_RDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <librdkafka/rdkafka.h>

#define RDK_WAIT_MS 30000
#define RDK_PARTS 64    /* partitions of a topic here, at most */
#define RDK_RUN 20000   /* records of a run, at most */

/* What the delivery reports of one producer told, in order of arrival. */
struct reports {
    int64_t next[RDK_PARTS];    /* offset expected next in each partition */
    int count;                  /* reports */
    int failed;                 /* with an error */
    int unordered;              /* whose offset was not the expected one */
    rd_kafka_resp_err_t err;    /* the last error */
    int64_t tx_bytes;           /* from the statistics: sent to brokers */
    int stats;                  /* statistics seen */
};

/* What a consumer saw of a run whose values are its numbers. */
struct seen {
    uint8_t times[RDK_RUN];     /* how often each number came */
    int last[RDK_PARTS];        /* last number of each partition */
    int count;                  /* records */
    int distinct;               /* numbers */
    int unordered;              /* numbers that came after a larger one */
};

/*
 * TAP. ok() returns its condition; the plan is printed by done_testing().
 * client() and feature() name what the checks that follow are about, for the
 * table of docs/compatibility.md.
 */
bool ok(bool cond, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool is_int(int64_t got, int64_t want, const char *name);
bool is_str(const char *got, const char *want, const char *name);
bool is_err(rd_kafka_resp_err_t got, rd_kafka_resp_err_t want,
    const char *name);
void client(const char *what, const char *version);
void feature(const char *what);
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int done_testing(void);
_Noreturn void bail(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

int64_t now_ms(void);

/*
 * What the program tests/compat/broker says to these words, which give further
 * brokers and proxies: a line, or NULL if there is none. It lives until the
 * next call.
 */
const char *broker(const char *words);

/*
 * A name for a topic or group of this run: the prefix from the environment
 * and the word. The result lives until sixteen further calls.
 */
const char *named(const char *word);

/*
 * Clients from a list of "key=value" words that ends with NULL; the broker's
 * address is added. The caller destroys them: producer_free() flushes first,
 * consumer_free() closes.
 */
rd_kafka_t *producer_new(struct reports *r, const char *const words[]);
void producer_free(rd_kafka_t *rk);
rd_kafka_t *consumer_new(const char *const words[]);
void consumer_free(rd_kafka_t *rk);
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Creates the topic by the admin interface; config is "key=value" or NULL. */
rd_kafka_resp_err_t topic_new(const char *topic, int parts,
    const char *config);

/*
 * Produces the numbers from..to-1 as values, number n to partition n % parts
 * (so that order can be checked), serving reports between; then flushes.
 */
void produce_run(rd_kafka_t *rk, const char *topic, int parts, int from,
    int to);

/* Notes a record of a run; false if its value is not a number of the run. */
bool seen_add(struct seen *s, const rd_kafka_message_t *m);

/* How many of from..to-1 did not come exactly once. */
int seen_wrong(const struct seen *s, int from, int to);

/* Assigns one partition from an offset, in place of what was assigned. */
void assign_one(rd_kafka_t *rk, const char *topic, int part, int64_t offset);

/*
 * The next record, or NULL at the end of a partition, on an error (kept in
 * *err if that is not NULL) or after RDK_WAIT_MS. The caller destroys it.
 */
rd_kafka_message_t *consume_one(rd_kafka_t *rk, rd_kafka_resp_err_t *err);

/* Consumes into s until every partition of parts has reached its end. */
void consume_to_end(rd_kafka_t *rk, int parts, struct seen *s);

/* Consumes a whole topic of parts partitions from its beginning. */
void consume_topic(const char *topic, int parts, struct seen *s);

void test_consume(void);
void test_group(void);
void test_admin(void);

#endif
