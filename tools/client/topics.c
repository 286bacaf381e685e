/* topics.c: what topics there are, and where their partitions begin and end. */
#include "config.h"

#include "client/client_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "wire/msg/metadata.h"
#include "wire/msg/offsets.h"

enum { PAUSE_MS = 20 };

int
client_pause(struct client *c, int64_t deadline_ms)
{
    if (peer_now_ms() + PAUSE_MS > deadline_ms)
        return -1;
    poll(NULL, 0, PAUSE_MS);
    return c->peer.stop != NULL && *c->peer.stop ? -1 : 0;
}

/* ---- Metadata ----------------------------------------------------------- */

/* One topic, or all with name NULL. Never makes one. */
static int
ask(struct client *c, const char *name, struct arena *a,
    struct metadata_response **resp, struct err *err)
{
    struct metadata_request_topic one;
    struct metadata_request req;

    wire_init(&metadata_request_type, &req);
    req.allow_auto_topic_creation = false;
    req.topics.n = -1;
    if (name != NULL) {
        wire_init(&metadata_request_topic_type, &one);
        one.name = client_name_span(name);
        req.topics.v = &one;
        req.topics.n = 1;
    }
    return client_call(c, API_METADATA, &req, a, resp, err);
}

/* The worst that it says, of the topic itself or of a partition. */
static int
topic_kerr(const struct metadata_response_topic *t)
{
    if (t->error_code != 0)
        return t->error_code;
    for (int32_t i = 0; i < t->partitions.n; i++) {
        if (t->partitions.v[i].leader_id < 0)
            return KERR_LEADER_NOT_AVAILABLE;
    }
    return t->partitions.n == 0 ? KERR_LEADER_NOT_AVAILABLE : 0;
}

static void
describe(const struct metadata_response_topic *t, struct arena *a,
    struct client_topic *out)
{
    out->name = arena_strndup(a, (const char *)t->name.ptr, t->name.len);
    out->id = t->topic_id;
    out->partitions = t->partitions.n;
    out->internal = t->is_internal;
}

static int
refuse_topic(int kerr, const char *name, struct err *err)
{
    if (kerr == KERR_UNKNOWN_TOPIC_OR_PARTITION)
        return client_refused(err, kerr, "topic '%s' does not exist", name);
    if (kerr == KERR_INVALID_TOPIC_EXCEPTION)
        return client_refused(err, kerr, "'%s' can't be the name of a topic",
            name);
    return client_refused(err, kerr, "topic '%s'", name);
}

const struct client_topic *
client_topic(struct client *c, const char *name, struct err *err)
{
    int64_t deadline = peer_now_ms() + c->timeout_ms;
    struct metadata_response *resp;
    struct cached_topic *cached;
    struct arena a;
    int kerr;

    SLIST_FOREACH(cached, &c->topics, next) {
        if (strcmp(cached->topic.name, name) == 0)
            return &cached->topic;
    }
    arena_init(&a, CLIENT_ANSWER_MAX);
    do {
        arena_reset(&a);
        if (ask(c, name, &a, &resp, err) != 0)
            goto done;
        kerr = resp->topics.n == 1 ? topic_kerr(&resp->topics.v[0])
                                   : KERR_UNKNOWN_TOPIC_OR_PARTITION;
    } while (kerr == KERR_LEADER_NOT_AVAILABLE
        && client_pause(c, deadline) == 0);
    if (kerr != 0) {
        refuse_topic(kerr, name, err);
        goto done;
    }
    cached = arena_zalloc(&c->topics_arena, sizeof *cached);
    if (cached == NULL) {
        err_set(err, ERR_LIMIT, "too many topics");
        goto done;
    }
    describe(&resp->topics.v[0], &c->topics_arena, &cached->topic);
    SLIST_INSERT_HEAD(&c->topics, cached, next);
done:
    arena_release(&a);
    return cached == NULL ? NULL : &cached->topic;
}

void
client_forget(struct client *c)
{
    SLIST_INIT(&c->topics);
    arena_reset(&c->topics_arena);
}

static int
by_name(const void *a, const void *b)
{
    const struct client_topic *x = a, *y = b;

    return strcmp(x->name, y->name);
}

int
client_topics(struct client *c, struct arena *a, struct client_topic **out,
    size_t *count, struct err *err)
{
    struct metadata_response *resp;
    struct client_topic *topics;
    size_t n = 0;

    if (ask(c, NULL, a, &resp, err) != 0)
        return -1;
    topics = arena_calloc(a, (size_t)resp->topics.n + 1, sizeof *topics);
    if (topics == NULL)
        return err_set(err, ERR_LIMIT, "too many topics");
    for (int32_t i = 0; i < resp->topics.n; i++) {
        if (resp->topics.v[i].error_code == 0)
            describe(&resp->topics.v[i], a, &topics[n++]);
    }
    if (a->failed)
        return err_set(err, ERR_LIMIT, "too many topics");
    qsort(topics, n, sizeof *topics, by_name);
    *out = topics;
    *count = n;
    return 0;
}

/* ---- ListOffsets -------------------------------------------------------- */

static int
build_offsets_request(const struct client *c, struct list_offsets_request *req,
    const struct offset_query *q, size_t count, struct arena *a)
{
    struct list_offsets_request_topic *t = NULL;
    struct list_offsets_request_partition *p;

    wire_init(&list_offsets_request_type, req);
    req->replica_id = -1;
    req->isolation_level = c->committed;
    req->timeout_ms = c->timeout_ms;
    req->topics.v = wire_new(&list_offsets_request_topic_type, a, count);
    p = wire_new(&list_offsets_request_partition_type, a, count);
    if (req->topics.v == NULL || p == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || q[i].topic != q[i - 1].topic) {
            t = &req->topics.v[req->topics.n++];
            t->name = client_name_span(q[i].topic->name);
            t->partitions.v = &p[i];
        }
        p[i].partition_index = q[i].partition;
        p[i].timestamp = q[i].at;
        t->partitions.n++;
    }
    return 0;
}

static void
take_offset(struct offset_query *q, size_t count, struct span topic,
    const struct list_offsets_response_partition *p)
{
    for (size_t i = 0; i < count; i++) {
        if (q[i].partition == p->partition_index
            && span_eq(topic, client_name_span(q[i].topic->name))
            && q[i].kerr == KERR_UNKNOWN_SERVER_ERROR) {
            q[i].offset = p->offset;
            q[i].kerr = p->error_code;
            return;
        }
    }
}

/* Brokers answer in the order of the request as a rule: look there first. */
static void
take_offsets(struct offset_query *q, size_t count,
    const struct list_offsets_response *resp)
{
    size_t at = 0;

    for (int32_t i = 0; i < resp->topics.n; i++) {
        const struct list_offsets_response_topic *t = &resp->topics.v[i];

        for (int32_t j = 0; j < t->partitions.n; j++, at++) {
            const struct list_offsets_response_partition *p =
                &t->partitions.v[j];

            if (at < count && q[at].partition == p->partition_index
                && span_eq(t->name, client_name_span(q[at].topic->name))) {
                q[at].offset = p->offset;
                q[at].kerr = p->error_code;
            } else {
                take_offset(q, count, t->name, p);
            }
        }
    }
}

int
client_offsets(struct client *c, struct offset_query *q, size_t count,
    struct err *err)
{
    struct list_offsets_request req;
    struct list_offsets_response *resp;
    struct arena a;
    int rc = -1;

    if (count == 0)
        return 0;
    arena_init(&a, CLIENT_ANSWER_MAX);
    for (size_t i = 0; i < count; i++) {
        q[i].offset = -1;
        q[i].kerr = KERR_UNKNOWN_SERVER_ERROR;   /* not answered */
    }
    if (build_offsets_request(c, &req, q, count, &a) != 0) {
        err_set(err, ERR_LIMIT, "too many partitions");
        goto done;
    }
    if (client_call(c, API_LIST_OFFSETS, &req, &a, &resp, err) != 0)
        goto done;
    take_offsets(q, count, resp);
    rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (q[i].kerr != 0)
            rc = client_refused(err, q[i].kerr, "offsets of %s/%d",
                q[i].topic->name, q[i].partition);
    }
done:
    arena_release(&a);
    return rc;
}

int
client_offsets_of(struct client *c, const struct client_topic *topic,
    int64_t at, int64_t *out, struct err *err)
{
    size_t n = (size_t)topic->partitions;
    struct offset_query *q;
    struct arena a;
    int rc;

    arena_init(&a, CLIENT_ANSWER_MAX);
    q = arena_calloc(&a, n, sizeof *q);
    if (q == NULL) {
        arena_release(&a);
        return err_set(err, ERR_LIMIT, "too many partitions");
    }
    for (size_t i = 0; i < n; i++)
        q[i] = (struct offset_query){.topic = topic, .partition = (int32_t)i,
            .at = at};
    rc = client_offsets(c, q, n, err);
    for (size_t i = 0; i < n; i++)
        out[i] = q[i].offset;
    arena_release(&a);
    return rc;
}
