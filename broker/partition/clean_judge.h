/*
 * clean_judge.h: what the settings of a topic ask of a batch's records: keys
 * in a compacted topic, timestamps near the clock. Only where that can't be
 * told from the header is the batch opened, within the bounds of record/.
 * Pure; any thread.
 */
#ifndef PARTITION_CLEAN_JUDGE_H
#define PARTITION_CLEAN_JUDGE_H

#include "partition/topic.h"
#include "record/batch.h"

/* KERR_NONE; INVALID_RECORD: a record has no key, or can't be read;
 * INVALID_TIMESTAMP. *text says which record. */
enum kerr clean_judge(const struct topic *, const struct batch *,
    int64_t now_ms, char *text, size_t size);

#endif
