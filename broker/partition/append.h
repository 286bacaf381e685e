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
    bool transactional;          /* the caller knows whether it may be */
    int64_t producer_id;         /* of the batch, -1: none */
    int16_t producer_epoch;
    char text[160];              /* what is wrong, for ErrorMessage */
};

/* Judges the batch for the partition: header, CRC, size, sequence. KERR_NONE
 * and not a duplicate: it is to be added, with append_stamp() if it has a
 * log_append_time. */
void append_judge(struct topics *, struct partition *, const uint8_t *bytes,
    size_t len, int produce_version, struct append_result *);

struct append_size {             /* at most */
    size_t batches;
    size_t markers;              /* of the batches */
    size_t puts;                 /* records */
};

/* `frame` gets a reference for each batch that is added; NULL: there will be
 * none. */
struct append *append_new(struct topics *, struct chunk *frame,
    const struct append_size *);
/* `bytes` lie in the frame. Markers (control.h) as well. */
void append_add(struct append *, struct partition *, uint8_t *bytes,
    size_t len);
/* The batch added last gets this LogAppendTime when it is linked; what is
 * not linked (append_free) stays as the client sent it, to be judged anew. */
void append_stamp(struct append *, int64_t time_ms);
/* A metadata record that is to be linked with the batches; copied. A null
 * value deletes. */
void append_put(struct append *, struct span key, struct span value);
size_t append_cost(const struct append *);
size_t append_count(const struct append *);
/* Bytes must have been reserved. Base offsets are known on return: those of
 * the batches in the order they were added (NULL: nobody asks). */
void append_commit(struct append *, size_t reserved, int64_t *base_offsets,
    void (*done)(void *arg), void *arg);
void append_free(struct append *);       /* instead of append_commit() */

/* The keeper learns a producer's window, or of an aborted transaction. */
void partition_put_producer(struct topics *, struct partition *,
    const struct producer *);
void partition_put_aborted(struct topics *, struct partition *,
    const struct stable_aborted *);
/* Forgets producers that are too many or idle for too long, except those with
 * an open transaction: those of whom nothing was heard for the longest time
 * go first. Some at a time. */
void topics_forget_producers(struct topics *);
/* Forgets some aborted transactions below the log's start. */
void partition_trim_aborted(struct topics *, struct partition *);

#endif
