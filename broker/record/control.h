/*
 * control.h: control batches: the marker that ends a transaction in a
 * partition (KIP-98). One record: its key says commit or abort, its value
 * which coordinator. It takes one offset, and no consumer is shown it.
 */
#ifndef RECORD_CONTROL_H
#define RECORD_CONTROL_H

#include "record/batch.h"

enum { CONTROL_BATCH_SIZE = BATCH_HEADER + 17 };

enum control_type {
    CONTROL_ABORT = 0,
    CONTROL_COMMIT = 1,
    CONTROL_OTHER = -1,          /* none of a transaction, or damaged */
};

void control_batch(uint8_t out[CONTROL_BATCH_SIZE], enum control_type,
    int64_t producer_id, int16_t producer_epoch, int64_t timestamp_ms);
enum control_type control_batch_type(const struct batch *);

#endif
