/*
 * wiretest.h: what the wire tests share: numbers from a seed, messages filled
 * at random by their descriptor, comparison by descriptor, hex.
 */
#ifndef TESTS_WIRETEST_H
#define TESTS_WIRETEST_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/wire.h"

struct dice {
    uint64_t state;
};

/* PENSTOCK_SEED or a fixed one; printed, so that a failure can be repeated. */
struct dice dice_start(const char *who);
uint64_t dice_roll(struct dice *);
uint32_t dice_below(struct dice *, uint32_t n);

/*
 * A message with random values in the fields that the version has and
 * defaults in the others, in the arena: what a decoder gives back for it.
 */
void *message_random(
    struct dice *, const struct wire_type *, int version, struct arena *);
/* NULL when equal, else the name of a field that differs. */
const char *message_differs(
    const struct wire_type *, const void *, const void *);

/* Calls fn for every message in every version that the tables know. */
typedef void each_message_fn(const struct wire_msg *, int version, void *arg);
void each_message(each_message_fn *, void *arg);

/* Bytes of a hex string, in the arena. */
struct span bytes_of_hex(struct arena *, const char *hex);

#endif
