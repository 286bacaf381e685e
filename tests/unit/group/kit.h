/*
 * kit.h: a registry of groups in a world of its own (a clock that stands
 * still until told, randomness from a seed), and short words for the requests
 * of a story. Tokens are small numbers; the group is always "g".
 */
#ifndef TESTS_GROUP_KIT_H
#define TESTS_GROUP_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "group/groups.h"

#define S(text) span_str(text)
#define TOKEN(n) ((void *)(uintptr_t)(n))

struct kit {
    struct groups groups;
    struct group_config config;
    struct group_effects fx;         /* of the last step or tick */
    struct world world;
    uint64_t rng;
    int64_t now;
    char ids[10][320];               /* member ids, by token */
};

uint64_t kit_seed(uint64_t otherwise);   /* PENSTOCK_SEED or otherwise */
void kit_init(struct kit *, uint64_t seed);
void kit_restart(struct kit *);          /* with k->config, and nothing kept */
void kit_release(struct kit *);
uint64_t kit_random(struct kit *, uint64_t below);

void kit_step(struct kit *, const struct group_event *);
bool kit_tick(struct kit *);             /* one timer */
/* Time passes; timers fire, each effect is looked at by nobody but the last
 * one is left in fx. Stops at the first timer that does something. */
bool kit_pass(struct kit *, int64_t ms);

struct group *kit_group(struct kit *);
void kit_is(struct kit *, enum group_state, int32_t generation,
    size_t members);
const struct group_fx *kit_reply(struct kit *, int token);   /* or NULL */
/* The reply must be there, with this error. */
const struct group_fx *kit_expect(struct kit *, int token, enum kerr);
size_t kit_count(struct kit *, enum group_fx_kind);

/* A JoinGroup of "consumer" with protocol "range", metadata "m<token>";
 * member_id NULL: the one of this token. */
struct group_event kit_join_event(struct kit *, int token,
    const char *member_id);
void kit_join(struct kit *, int token, const char *member_id);
void kit_join_static(struct kit *, int token, const char *member_id,
    const char *instance_id);
/* A SyncGroup of the member of `token`; `assignment` (may be NULL) is
 * "token=bytes,token=bytes". */
void kit_sync(struct kit *, int token, int32_t generation,
    const char *assignment);
void kit_beat(struct kit *, int token, int32_t generation);
void kit_leave(struct kit *, int token);
void kit_gone(struct kit *, int token);

/* Members 1 to n, the first of them leading, in generation 1. */
void kit_stable(struct kit *, int n);
bool span_is(struct span, const char *text);

#define assert_span(s, text) assert_true(span_is(s, text))

#endif
