/*
 * log_dirs.c: DescribeLogDirs: how large the logs are and how much room the
 * volume has (KIP-113, KIP-827). There is one directory.
 *
 * A partition's size is what its segments have and what is committed but not
 * yet written into them: so it grows when an answer says that records are
 * kept, not some time later.
 */
#include "config.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "api/api_priv.h"
#include "wire/msg/cluster.h"

/* Loop; takes tail->lock. */
static int64_t
partition_bytes(const struct partition *p)
{
    struct tail *t = p->tail;
    struct plog_extent e;
    uint64_t more = 0;

    plog_extent(t->plog, &e);
    lock_take(&t->lock);
    for (size_t i = t->count; i-- > 0;) {
        const struct tail_batch *b = &t->ring[(t->head + i) & (t->cap - 1)];

        if (b->base < e.written)
            break;
        more += b->size;
    }
    lock_give(&t->lock);
    return (int64_t)(e.bytes + more);
}

static struct describe_log_dirs_response_partition *
log_partitions(struct request *r, size_t n)
{
    return wire_new(&describe_log_dirs_response_partition_type, &r->arena, n);
}

static bool
log_whole(struct request *r, const struct topic *t,
    struct describe_log_dirs_response_topic *to)
{
    to->name = span_str(t->name);
    to->partitions.v = log_partitions(r, (size_t)t->partition_count);
    if (to->partitions.v == NULL)
        return false;
    to->partitions.n = t->partition_count;
    for (int32_t i = 0; i < t->partition_count; i++) {
        to->partitions.v[i].partition_index = i;
        to->partitions.v[i].partition_size
            = partition_bytes(t->partitions[i]);
    }
    return true;
}

/* Of what is asked for only what is here is told. */
static bool
log_asked(struct request *r, const struct describe_log_dirs_request_topic *in,
    struct describe_log_dirs_response_result *dir)
{
    const struct topic *t = topics_find(&r->api->topics, in->topic);
    size_t n = wire_count(in->partitions.n);
    struct describe_log_dirs_response_topic *to;

    if (t == NULL)
        return true;
    to = &dir->topics.v[dir->topics.n];
    to->name = in->topic;
    to->partitions.v = log_partitions(r, n);
    if (to->partitions.v == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct partition *p = topic_partition(t, in->partitions.v[i]);

        if (p == NULL)
            continue;
        to->partitions.v[to->partitions.n].partition_index = p->index;
        to->partitions.v[to->partitions.n++].partition_size
            = partition_bytes(p);
    }
    dir->topics.n += to->partitions.n > 0;
    return true;
}

static bool
log_topics(struct request *r, struct describe_log_dirs_response_result *dir)
{
    const struct describe_log_dirs_request *body = r->body;
    const struct topics *ts = &r->api->topics;
    bool all = body->topics.n < 0, ok;
    size_t n = all ? ts->by_name.count : wire_count(body->topics.n);
    struct omap_iter it;
    const struct topic *t;

    dir->topics.v = wire_new(&describe_log_dirs_response_topic_type,
        &r->arena, n);
    ok = dir->topics.v != NULL;
    if (!all) {
        for (size_t i = 0; ok && i < n; i++)
            ok = log_asked(r, &body->topics.v[i], dir);
        return ok;
    }
    omap_seek(&ts->by_name, SPAN_NULL, &it);
    while (ok && (t = topics_next(&it)) != NULL)
        ok = log_whole(r, t, &dir->topics.v[dir->topics.n++]);
    return ok;
}

void
handle_describe_log_dirs(struct request *r)
{
    struct describe_log_dirs_response *out = request_response(r);
    const char *path = seq_dir(r->api->seq);
    char *whole = realpath(path, NULL);
    struct describe_log_dirs_response_result *dir;
    struct statvfs st;

    dir = out->results.v = wire_new(&describe_log_dirs_response_result_type,
        &r->arena, 1);
    if (dir == NULL || !log_topics(r, dir)) {
        free(whole);
        request_close(r, "the request names too many partitions");
        return;
    }
    out->results.n = 1;
    dir->log_dir = arena_copy(&r->arena,
        span_str(whole != NULL ? whole : path));
    free(whole);
    if (statvfs(path, &st) == 0) {
        dir->total_bytes = (int64_t)(st.f_blocks * st.f_frsize);
        dir->usable_bytes = (int64_t)(st.f_bavail * st.f_frsize);
    }
    request_reply(r, seq_gate(r->api->seq), out);
}
