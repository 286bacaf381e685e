/*
 * record_priv.h: what batch.c and build.c share and no other room may see:
 * where the fields of a batch's header lie (batch.h draws them).
 */
#ifndef RECORD_RECORD_PRIV_H
#define RECORD_RECORD_PRIV_H

#include "record/batch.h"

enum {
    AT_BASE_OFFSET = 0,
    AT_LENGTH = 8,
    AT_LEADER_EPOCH = 12,
    AT_MAGIC = 16,
    AT_CRC = 17,
    AT_ATTRIBUTES = 21,
    AT_LAST_OFFSET_DELTA = 23,
    AT_BASE_TIMESTAMP = 27,
    AT_MAX_TIMESTAMP = 35,
    AT_PRODUCER_ID = 43,
    AT_PRODUCER_EPOCH = 51,
    AT_BASE_SEQUENCE = 53,
    AT_RECORD_COUNT = 57,

    MAGIC_V2 = 2,
};

_Static_assert((int)AT_LEADER_EPOCH == (int)BATCH_LENGTH_FROM, "as drawn");
_Static_assert((int)AT_ATTRIBUTES == (int)BATCH_CRC_FROM, "as drawn");
_Static_assert(AT_RECORD_COUNT + 4 == (int)BATCH_HEADER, "as drawn");

#endif
