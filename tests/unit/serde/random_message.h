/*
 * random_message.h: messages with random fields, for round trips.
 * Ownership: the arena's.
 */
#ifndef TESTS_RANDOM_MESSAGE_H
#define TESTS_RANDOM_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"

/* xorshift; the state is never 0. */
uint64_t random_next(uint64_t *state);
/* PENSTOCK_SEED from the environment or a fixed one; printed. */
uint64_t random_seed(void);

/* `tame`: numbers of 64 bits stay below 2^40, so that a double holds them. */
ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *,
    uint64_t *state, struct arena *, bool tame, unsigned depth);

#endif
