/*
 * logrec.h: the record of a log (META_LOG): its state as of the checkpoint.
 * Pure; any thread.
 */
#ifndef EPOCH_LOGREC_H
#define EPOCH_LOGREC_H

#include "base/buf.h"
#include "base/err.h"
#include "plog/plog.h"

/* Into `out`, which is cleared first. */
void logrec_pack(const struct plog_state *, struct buf *out);
/* The state is the caller's (plog_state_release), also after -1:
 * ERR_DAMAGE. */
int logrec_unpack(struct span, struct plog_state *, struct err *);

/* A cleaned segment, as the frame that swaps it in has it: LOGREC_SEGMENT
 * bytes at most; returns how many. */
enum { LOGREC_SEGMENT = 80 };
size_t logrec_pack_segment(const struct plog_segment *,
    uint8_t out[LOGREC_SEGMENT]);
/* ERR_DAMAGE: it is no message, or not of a cleaned segment. */
int logrec_unpack_segment(struct span, struct plog_segment *, struct err *);

#endif
