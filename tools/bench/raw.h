/*
 * raw.h: clients that cost little: a socket, a request that was encoded once
 * and is sent again and again, an answer of which no more is looked at than
 * must be. Topics are made and offsets asked by client/client.h, since that
 * is not in anybody's way.
 *
 * Ownership: the caller's structs. Thread: one.
 */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include "base/arena.h"
#include "base/buf.h"
#include "bench/bench.h"

enum { RAW_WAIT_S = 30 };

struct raw {
    int fd;                      /* -1: closed */
    struct buf in;               /* the answer, grown as it needs */
    struct arena arena;          /* of what is decoded of it */
};

/* Blocking, with TCP_NODELAY; a wait ends after RAW_WAIT_S. */
int raw_open(struct raw *, const char *address, struct err *);
void raw_close(struct raw *);    /* zeroed is allowed */

int raw_send(struct raw *, struct span, struct err *);
/* One answer, without its size; valid until the next. */
int raw_receive(struct raw *, struct span *frame, struct err *);

/* ---- Produce ------------------------------------------------------------ */

/* What one request carries. */
struct shot {
    struct buf frame;
    int64_t records, bytes;      /* bytes: of the record batch */
};

/* `records` of `size` bytes with random content, acks=all, into `out`. */
void shot_make(struct shot *, const char *topic, int32_t partition,
    int64_t records, int64_t size);
/* The same of a batch that stands in `batch`. */
void shot_wrap(struct shot *, const char *topic, int32_t partition,
    struct span batch, int64_t records);
void shot_release(struct shot *);
/* One for each partition, of one record; shots_free() takes them back. */
struct shot *shots_make(const char *topic, int64_t partitions, int64_t size);
void shots_free(struct shot *, int64_t count);
/* 0, or -1: the answer refuses, or is none. */
int shot_answered(struct raw *, struct span frame, struct err *);
/* Both: sends, and waits for the ack. */
int shot_sync(struct raw *, const struct shot *, struct err *);

/* ---- Fetch -------------------------------------------------------------- */

enum { RAW_PARTITIONS_MAX = 256 };

struct raw_fetch {
    const char *topic;
    int32_t partitions;
    int32_t wait_ms, partition_bytes;
    int64_t offsets[RAW_PARTITIONS_MAX];         /* the next of each */
    struct buf frame;
    int64_t bytes, records;      /* of whole batches received */
};

/* Is called with each batch; NULL: headers are all that is read. */
struct batch;
typedef void raw_batch_fn(void *arg, int32_t partition, const struct batch *);

void raw_fetch_init(struct raw_fetch *, const char *topic, int32_t partitions);
void raw_fetch_release(struct raw_fetch *);
/* The request for what comes next, in f->frame. */
void raw_fetch_ask(struct raw_fetch *);
int raw_fetch_take(struct raw_fetch *, struct raw *, struct span frame,
    raw_batch_fn *, void *arg, struct err *);

/* ---- around ------------------------------------------------------------- */

/* A topic for one load: in a broker of our own "bench-WHAT", which may exist;
 * in another's one with a name that nobody has, which topic_drop() takes away
 * again. */
struct child;
int topic_for(const struct child *, const char *what, int64_t partitions,
    char name[BENCH_NAME_MAX], struct err *);
/* Nothing in a broker of our own; what fails here fails silently. */
void topic_drop(const struct child *, const char *name);
/* Makes the topic, and waits until every partition of it answers; one that
 * exists is made use of. */
int topic_make(const char *address, const char *name, int64_t partitions,
    struct err *err);
struct client;
/* For topic_end(); NULL and *err. client_close() ends it. */
struct client *topic_client(const char *address, struct err *err);
/* The sum of its partitions' ends. */
int topic_end(struct client *, const char *name, int64_t *records,
    struct err *err);

#endif
