/*
 * clean_judge.c: a look at a batch's records.
 *
 * Kafka looks into every batch; we take the header's word for how far ahead
 * of the clock a batch is, since opening each compressed one would cost the
 * most of a core. A producer that lies there harms its own topic's retention,
 * as it can with any timestamp that is allowed.
 */
#include "config.h"

#include "partition/clean_judge.h"

#include <stdio.h>

#include "base/limits.h"
#include "partition/cleaner.h"

struct demands {
    bool keys;
    int64_t oldest, newest;      /* timestamps that are taken */
};

static int64_t
minus(int64_t now, int64_t ms)
{
    return ms > now ? INT64_MIN : now - ms;
}

static int64_t
plus(int64_t now, int64_t ms)
{
    return ms > INT64_MAX - now ? INT64_MAX : now + ms;
}

static struct demands
demands_of(const struct topic *t, int64_t now)
{
    struct demands d = {t->rules.compacted, INT64_MIN, INT64_MAX};

    if (t->rules.append_time)
        return d;                /* they are ours */
    d.oldest = minus(now, t->rules.before_max_ms);
    d.newest = plus(now, t->rules.after_max_ms);
    return d;
}

static enum kerr
bad_time(int64_t ts, int64_t index, const struct demands *d, char *text,
    size_t size)
{
    snprintf(text, size, "record %lld has the time %lld: the topic takes "
        "%lld to %lld", (long long)index, (long long)ts,
        (long long)d->oldest, (long long)d->newest);
    return KERR_INVALID_TIMESTAMP;
}

static enum kerr
judge_record(const struct record *r, int64_t index, const struct demands *d,
    char *text, size_t size)
{
    if (d->keys && r->key.ptr == NULL) {
        snprintf(text, size, "record %lld has no key, and a compacted topic "
            "needs one", (long long)index);
        return KERR_INVALID_RECORD;
    }
    if (r->timestamp >= 0
        && (r->timestamp < d->oldest || r->timestamp > d->newest))
        return bad_time(r->timestamp, index, d, text, size);
    return KERR_NONE;
}

static enum kerr
judge_records(const struct batch *b, const struct demands *d, char *text,
    size_t size)
{
    enum kerr k = KERR_NONE;
    struct batch_iter it;
    struct arena arena;
    struct record r;
    struct err err = {0};
    int64_t index = 0;
    int rc;

    arena_init(&arena, DECOMPRESSED_MAX + 1 * MIB);
    rc = batch_iter_init(&it, b, &arena, &err);
    while (rc >= 0 && k == KERR_NONE
        && (rc = batch_iter_next(&it, &r, &err)) > 0)
        k = judge_record(&r, index++, d, text, size);
    if (rc < 0) {
        snprintf(text, size, "%.150s", err.text);
        k = KERR_INVALID_RECORD;
    }
    arena_release(&arena);
    return k;
}

enum kerr
clean_judge(const struct topic *t, const struct batch *b, int64_t now_ms,
    char *text, size_t size)
{
    struct demands d = demands_of(t, now_ms);
    int64_t newest = b->max_timestamp > b->base_timestamp
        ? b->max_timestamp : b->base_timestamp;

    if (newest > d.newest)
        return bad_time(newest, 0, &d, text, size);
    if ((b->attributes & BATCH_CONTROL) != 0 ||
        (!d.keys && d.oldest == INT64_MIN))
        return KERR_NONE;
    return judge_records(b, &d, text, size);
}
