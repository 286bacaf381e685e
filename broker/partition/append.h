/*
 * append.h: batches of clients become facts: judged, then linked as one
 * effect for a whole request.
 *
 *     append_begin       what is to be appended is judged, batch by batch
 *     append_add
 *     append_commit      linked into the open epoch; `done` is called when
 *                        that is published
 *
 * Ownership: an append holds a reference to the frame that its batches lie
 * in. Thread: loop.
 */
#ifndef PARTITION_APPEND_H
#define PARTITION_APPEND_H

#include "partition/topic.h"

struct append;

struct append_result {
    enum kerr error;
    int64_t base_offset;         /* -1 with an error */
    int64_t log_append_time;     /* -1: the producer's time holds */
    bool duplicate;              /* was appended before: nothing to add */
    char text[160];              /* what is wrong, for ErrorMessage */
};

/* Judges the batch for the partition: header, CRC, size, sequence. KERR_NONE
 * and not a duplicate: it is to be added. Stamps LogAppendTime if the topic
 * has it (which changes the CRC). `bytes` must be writable. */
void append_judge(struct topics *, struct partition *, uint8_t *bytes,
    size_t len, int produce_version, struct append_result *);

/* Room for n batches; `frame` gets a reference for each that is added. */
struct append *append_new(struct topics *, struct chunk *frame, size_t n);
void append_add(struct append *, struct partition *, uint8_t *bytes,
    size_t len);
size_t append_cost(const struct append *);
size_t append_count(const struct append *);
/* Bytes must have been reserved. Base offsets are known on return: those of
 * the batches in the order they were added. */
void append_commit(struct append *, size_t reserved, int64_t *base_offsets,
    void (*done)(void *arg), void *arg);
void append_free(struct append *);       /* instead of append_commit() */

/* The keeper learns a producer's window. */
void partition_put_producer(struct topics *, struct partition *,
    const struct producer *);

#endif
