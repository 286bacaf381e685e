/*
 * Partitions are numbered through: partition p of topic t is first[t] + p,
 * and `owner` says whose each one is, by the member's place; NONE: nobody's
 * yet.
 *
 * Uniform, all members reading the same topics: each is due `low` partitions,
 * `extra` of them one more. Members keep what they had, up to low, or low + 1
 * while extras last; the rest goes to those who have too little.
 *
 * Uniform, else: members keep what they had; what is free goes to the reader
 * with the least, topics with few readers first; then, topic by topic,
 * partitions move from the reader with the most to the one with the least
 * while they are two or more apart. Each move makes the sum of the squares
 * smaller, so this ends; it is given up when it has cost some tens of
 * milliseconds, since the loop has other things to do.
 */
#include "config.h"

#include "group/assignor.h"

#include <stdlib.h>

#include "base/check.h"

#define NONE UINT32_MAX
#define BALANCE_WORK (16u << 20)         /* looks at a load, in one run */

static const char *const names[ASSIGNORS] = {
    [ASSIGNOR_UNIFORM] = "uniform",
    [ASSIGNOR_RANGE] = "range",
};

const char *
assignor_name(enum assignor a)
{
    assert(a < ASSIGNORS);
    return names[a];
}

enum assignor
assignor_find(struct span name)
{
    for (int i = 0; i < ASSIGNORS; i++) {
        if (span_eq(name, span_str(names[i]))) {
            return (enum assignor)i;
        }
    }
    return ASSIGNORS;
}

struct work {
    const struct assignor_topic *topics;
    size_t topic_count;
    struct assignor_member *members;
    size_t member_count;
    uint32_t *first;             /* by topic, and the total behind them */
    uint32_t *owner;             /* by partition */
    uint32_t *load;              /* by member */
    uint32_t **readers;          /* by topic: places of members, rising */
    uint32_t *reader_count;
    uint32_t total;
};

static bool
reads(const struct assignor_member *m, uint32_t topic)
{
    size_t low = 0, high = m->topic_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (m->topics[mid] < topic) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < m->topic_count && m->topics[low] == topic;
}

/* The number of a partition; NONE: its topic is gone, or it is. */
static uint32_t
number_of(const struct work *w, const struct part *p, uint32_t *topic)
{
    size_t low = 0, high = w->topic_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (memcmp(w->topics[mid].id.bytes, p->topic.bytes,
                sizeof p->topic.bytes) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low == w->topic_count || !uuid_eq(&w->topics[low].id, &p->topic) ||
        p->partition < 0 || p->partition >= w->topics[low].partitions) {
        return NONE;
    }
    *topic = (uint32_t)low;
    return w->first[low] + (uint32_t)p->partition;
}

static int
work_init(struct work *w, struct arena *a)
{
    w->first = arena_calloc(a, w->topic_count + 1, sizeof *w->first);
    w->load = arena_calloc(a, w->member_count + 1, sizeof *w->load);
    w->readers = arena_calloc(a, w->topic_count + 1, sizeof *w->readers);
    w->reader_count = arena_calloc(a, w->topic_count + 1,
        sizeof *w->reader_count);
    if (a->failed) {
        return -1;
    }
    for (size_t i = 0; i < w->topic_count; i++) {
        w->first[i + 1] = w->first[i] + (uint32_t)w->topics[i].partitions;
    }
    w->total = w->first[w->topic_count];
    w->owner = arena_alloc(a, (w->total + 1) * sizeof *w->owner);
    if (w->owner == NULL) {
        return -1;
    }
    memset(w->owner, 0xff, (w->total + 1) * sizeof *w->owner);
    for (size_t i = 0; i < w->member_count; i++) {
        for (size_t k = 0; k < w->members[i].topic_count; k++) {
            w->reader_count[w->members[i].topics[k]]++;
        }
    }
    for (size_t i = 0; i < w->topic_count; i++) {
        w->readers[i] = arena_calloc(a, w->reader_count[i] + 1,
            sizeof **w->readers);
        if (w->readers[i] == NULL) {
            return -1;
        }
        w->reader_count[i] = 0;
    }
    for (size_t i = 0; i < w->member_count; i++) {
        for (size_t k = 0; k < w->members[i].topic_count; k++) {
            uint32_t t = w->members[i].topics[k];

            w->readers[t][w->reader_count[t]++] = (uint32_t)i;
        }
    }
    return 0;
}

static void
give(struct work *w, uint32_t number, uint32_t member)
{
    if (w->owner[number] != NONE) {
        w->load[w->owner[number]]--;
    }
    w->owner[number] = member;
    w->load[member]++;
}

/* The first of them that counts keeps what it had, up to `most`. */
static void
keep_old(struct work *w, uint32_t member, uint32_t most)
{
    const struct assignor_member *m = &w->members[member];

    for (uint32_t i = 0; i < m->old->count && w->load[member] < most; i++) {
        uint32_t topic, n = number_of(w, &m->old->v[i], &topic);

        if (n != NONE && w->owner[n] == NONE && reads(m, topic)) {
            give(w, n, member);
        }
    }
}

/* How much of what it had it could keep, if it were not for the balance. */
static uint32_t
old_count(const struct work *w, uint32_t member)
{
    const struct assignor_member *m = &w->members[member];
    uint32_t count = 0;

    for (uint32_t i = 0; i < m->old->count; i++) {
        uint32_t topic, n = number_of(w, &m->old->v[i], &topic);

        count += n != NONE && w->owner[n] == NONE && reads(m, topic);
    }
    return count;
}

/* ---- uniform, all reading the same ---- */

static void
uniform_alike(struct work *w)
{
    uint32_t members = (uint32_t)w->member_count, next = 0;
    uint32_t low = w->total / members, extra = w->total % members;
    uint32_t wanted[2] = {low, low + 1};

    for (uint32_t i = 0; i < members; i++) {
        bool more = extra > 0 && old_count(w, i) > low;

        keep_old(w, i, wanted[more]);
        extra -= more && w->load[i] > low;
    }
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < members; i++) {
            while (w->load[i] < wanted[round] && (round == 0 || extra > 0)) {
                while (next < w->total && w->owner[next] != NONE) {
                    next++;
                }
                if (next == w->total) {
                    return;
                }
                extra -= round == 1;
                give(w, next, i);
            }
        }
    }
}

/* ---- uniform, each reading its own ---- */

static uint32_t
least_loaded(const struct work *w, uint32_t topic)
{
    uint32_t best = w->readers[topic][0];

    for (uint32_t i = 1; i < w->reader_count[topic]; i++) {
        if (w->load[w->readers[topic][i]] < w->load[best]) {
            best = w->readers[topic][i];
        }
    }
    return best;
}

/* A partition of the topic, of the owner with the most. */
static uint32_t
most_loaded(const struct work *w, uint32_t topic)
{
    uint32_t best = NONE;

    for (uint32_t n = w->first[topic]; n < w->first[topic + 1]; n++) {
        if (best == NONE || w->load[w->owner[n]] > w->load[w->owner[best]]) {
            best = n;
        }
    }
    return best;
}

static void
balance(struct work *w)
{
    uint32_t left = BALANCE_WORK;
    bool moved = true;

    while (moved) {
        moved = false;
        for (uint32_t t = 0; t < w->topic_count; t++) {
            uint32_t cost = w->reader_count[t] + w->first[t + 1] - w->first[t];

            while (w->reader_count[t] > 1 && w->first[t] < w->first[t + 1]) {
                uint32_t from = most_loaded(w, t), to = least_loaded(w, t);

                if (left < cost) {
                    return;
                }
                left -= cost;
                if (w->load[w->owner[from]] < w->load[to] + 2) {
                    break;
                }
                give(w, from, to);
                moved = true;
            }
        }
    }
}

static int
by_readers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int
uniform_mixed(struct work *w, struct arena *a)
{
    /* readers above, the topic below */
    uint64_t *order = arena_calloc(a, w->topic_count + 1, sizeof *order);

    if (order == NULL) {
        return -1;
    }
    for (uint32_t i = 0; i < w->member_count; i++) {
        keep_old(w, i, NONE);
    }
    for (uint32_t i = 0; i < w->topic_count; i++) {
        order[i] = (uint64_t)w->reader_count[i] << 32 | i;
    }
    qsort(order, w->topic_count, sizeof *order, by_readers);
    for (uint32_t i = 0; i < w->topic_count; i++) {
        uint32_t t = (uint32_t)order[i];

        for (uint32_t n = w->first[t];
             n < w->first[t + 1] && w->reader_count[t] > 0; n++) {
            if (w->owner[n] == NONE) {
                give(w, n, least_loaded(w, t));
            }
        }
    }
    balance(w);
    return 0;
}

static bool
alike(const struct work *w)
{
    const struct assignor_member *a = &w->members[0];

    for (size_t i = 1; i < w->member_count; i++) {
        const struct assignor_member *b = &w->members[i];

        if (a->topic_count != b->topic_count ||
            memcmp(a->topics, b->topics,
                a->topic_count * sizeof *a->topics) != 0) {
            return false;
        }
    }
    return true;
}

/* ---- range ---- */

struct ranked {
    const struct assignor_member *m;
    uint32_t place;
};

/* Static members first, by their names: they keep their ranges over a
 * restart, whatever their new ids are. */
static int
rank(const void *a, const void *b)
{
    const struct assignor_member *x = ((const struct ranked *)a)->m;
    const struct assignor_member *y = ((const struct ranked *)b)->m;

    if (x->instance_id.ptr != NULL && y->instance_id.ptr != NULL) {
        return span_cmp(x->instance_id, y->instance_id);
    }
    if (x->instance_id.ptr != NULL || y->instance_id.ptr != NULL) {
        return x->instance_id.ptr != NULL ? -1 : 1;
    }
    return span_cmp(x->id, y->id);
}

static int
range(struct work *w, struct arena *a)
{
    struct ranked *order = arena_calloc(a, w->member_count, sizeof *order);
    uint32_t *next = arena_calloc(a, w->topic_count + 1, sizeof *next);
    uint32_t *extra = arena_calloc(a, w->topic_count + 1, sizeof *extra);

    if (a->failed) {
        return -1;
    }
    for (uint32_t i = 0; i < w->member_count; i++) {
        order[i] = (struct ranked){&w->members[i], i};
    }
    qsort(order, w->member_count, sizeof *order, rank);
    for (uint32_t t = 0; t < w->topic_count; t++) {
        next[t] = w->first[t];
        extra[t] = w->reader_count[t] == 0 ? 0
            : (uint32_t)w->topics[t].partitions % w->reader_count[t];
    }
    for (size_t i = 0; i < w->member_count; i++) {
        for (size_t k = 0; k < order[i].m->topic_count; k++) {
            uint32_t t = order[i].m->topics[k];
            uint32_t count = (uint32_t)w->topics[t].partitions /
                    w->reader_count[t] + (extra[t] > 0);

            extra[t] -= extra[t] > 0;
            while (count-- > 0) {
                give(w, next[t]++, order[i].place);
            }
        }
    }
    return 0;
}

/* ---- all ---- */

static void
write_targets(struct work *w)
{
    for (size_t i = 0; i < w->member_count; i++) {
        parts_clear(&w->members[i].target);
    }
    for (size_t t = 0; t < w->topic_count; t++) {
        for (uint32_t n = w->first[t]; n < w->first[t + 1]; n++) {
            if (w->owner[n] != NONE) {
                parts_push(&w->members[w->owner[n]].target,
                    &w->topics[t].id, (int32_t)(n - w->first[t]));
            }
        }
    }
}

int
assignor_run(enum assignor which, const struct assignor_topic *topics,
    size_t topic_count, struct assignor_member *members, size_t member_count,
    struct arena *a)
{
    struct work w = {.topics = topics,
        .topic_count = topic_count,
        .members = members,
        .member_count = member_count};
    int rc = 0;

    if (member_count == 0) {
        return 0;
    }
    if (work_init(&w, a) < 0) {
        return -1;
    }
    if (which == ASSIGNOR_RANGE) {
        rc = range(&w, a);
    } else if (alike(&w) && members[0].topic_count == topic_count) {
        uniform_alike(&w);
    } else {
        rc = uniform_mixed(&w, a);
    }
    if (rc == 0) {
        write_targets(&w);
    }
    return rc;
}
