/*
 * parts.h: a set of partitions of topics, as consumers own, give up and are
 * meant to have. A sorted array: by topic id, then by partition, each once;
 * what two sets have in common is found by walking both.
 *
 * Ownership: a set owns its array; zeroed is empty. What is read from `v`
 * holds until the set changes. Thread: any, one at a time.
 */
#ifndef GROUP_PARTS_H
#define GROUP_PARTS_H

#include "base/span.h"
#include "base/uuid.h"

struct part {
    struct uuid topic;
    int32_t partition;
};

struct parts {
    struct part *v;
    uint32_t count;
    uint32_t capacity;           /* private */
};

int part_cmp(const struct part *, const struct part *);

void parts_release(struct parts *);
void parts_clear(struct parts *);        /* empty, memory kept */
/* Appends without order: parts_sort() before anything else is asked. */
void parts_push(struct parts *, const struct uuid *topic, int32_t partition);
void parts_sort(struct parts *);
bool parts_has(const struct parts *, const struct part *);
bool parts_eq(const struct parts *, const struct parts *);
/* Have they one in common? */
bool parts_meet(const struct parts *, const struct parts *);

/* `out` is cleared first and is none of the others. */
void parts_copy(struct parts *out, const struct parts *);
void parts_both(struct parts *out, const struct parts *,
    const struct parts *);
void parts_minus(struct parts *out, const struct parts *,
    const struct parts *);
void parts_union(struct parts *out, const struct parts *,
    const struct parts *);
void parts_swap(struct parts *, struct parts *);
/* How many topics it names. */
size_t parts_topics(const struct parts *);

void parts_check(const struct parts *);          /* asserts the order */

#endif
