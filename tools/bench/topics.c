/* topics.c: see raw.h. A topic for one load, which another's broker does not
 * keep. */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "bench/child.h"
#include "bench/raw.h"
#include "client/client.h"
#include "wire/msg/topics.h"

enum { READY_MS = 60000, PAUSE_MS = 20, DROP_MS = 5000 };

static bool
is_passing(const struct err *err)
{
    int kerr;

    return client_kerr(err, &kerr) && (kerr_retriable(kerr)
        || kerr == KERR_UNKNOWN_TOPIC_OR_PARTITION);
}

static int
create(struct client *c, const char *name, int64_t partitions, bool flush,
    struct err *err)
{
    struct create_topics_request_config config;
    struct create_topics_request rq;
    struct create_topics_request_topic t;
    struct create_topics_response *answer;
    struct arena arena;
    int rc, code;

    wire_init(&create_topics_request_type, &rq);
    wire_init(&create_topics_request_topic_type, &t);
    t.name = span_str(name);
    t.num_partitions = (int32_t)partitions;
    t.replication_factor = 1;
    if (flush) {
        wire_init(&create_topics_request_config_type, &config);
        config.name = span_str("flush.messages");
        config.value = span_str("1");
        t.configs.v = &config;
        t.configs.n = 1;
    }
    rq.topics.v = &t;
    rq.topics.n = 1;
    arena_init(&arena, MIB);
    rc = client_call(c, API_CREATE_TOPICS, &rq, &arena, &answer, err);
    if (rc == 0 && answer->topics.n == 1) {
        code = answer->topics.v[0].error_code;
        if (code != 0 && code != KERR_TOPIC_ALREADY_EXISTS)
            rc = client_refused(err, code, "make topic %s", name);
    }
    arena_release(&arena);
    return rc;
}

static int
ask_all(struct client *c, const char *name, struct err *err)
{
    const struct client_topic *t = client_topic(c, name, err);
    int64_t *ends;
    int rc;

    if (t == NULL)
        return -1;
    ends = xcalloc((size_t)t->partitions + 1, sizeof *ends);
    rc = client_offsets_of(c, t, OFFSET_END, ends, err);
    free(ends);
    return rc;
}

/* Whoever knows of a partition need not have it yet: Kafka tells of new ones
 * before it has made their files, and has made a topic before it tells. */
static int
wait_ready(struct client *c, const char *name, struct err *err)
{
    int64_t end = bench_now_ns() + (int64_t)READY_MS * 1000000;

    while (ask_all(c, name, err) < 0) {
        if (!is_passing(err) || bench_now_ns() > end)
            return -1;
        if (bench_stopped(err) < 0)
            return -1;
        poll(NULL, 0, PAUSE_MS);
        client_forget(c);
    }
    return 0;
}

static int
make(const char *address, const char *name, int64_t partitions, bool flush,
    struct err *err)
{
    struct client *c = topic_client(address, err);
    int rc;

    if (c == NULL)
        return -1;
    rc = create(c, name, partitions, flush, err);
    if (rc == 0)
        rc = wait_ready(c, name, err);
    client_close(c);
    return rc;
}

int
topic_make(const char *address, const char *name, int64_t partitions,
    struct err *err)
{
    return make(address, name, partitions, false, err);
}

int
topic_for(const struct child *c, const char *what, int64_t partitions,
    char name[BENCH_NAME_MAX], struct err *err)
{
    if (c->foreign)
        snprintf(name, BENCH_NAME_MAX, "bench-%s-%d-%llx", what,
            (int)getpid(), (unsigned long long)bench_now_ns());
    else
        snprintf(name, BENCH_NAME_MAX, "bench-%s", what);
    if (make(c->address, name, partitions, c->flush, err) == 0)
        return 0;
    topic_drop(c, name);
    name[0] = '\0';
    return -1;
}

/* Also after Ctrl-C: so this wait has a short end, and no other. */
void
topic_drop(const struct child *broker, const char *name)
{
    struct client_conf conf = {.bootstrap = broker->address,
        .timeout_ms = DROP_MS,
        .name = "bench"};
    struct delete_topics_request_topic topic;
    struct delete_topics_response *answer;
    struct delete_topics_request rq;
    struct span text = span_str(name);
    struct arena arena;
    struct client *c;

    if (!broker->foreign || name[0] == '\0')
        return;
    c = client_open(&conf, NULL);
    if (c == NULL)
        return;
    arena_init(&arena, MIB);
    wire_init(&delete_topics_request_topic_type, &topic);
    wire_init(&delete_topics_request_type, &rq);
    topic.name = text;
    rq.topics.v = &topic;
    rq.topic_names.v = &text;
    rq.topics.n = rq.topic_names.n = 1;
    rq.timeout_ms = DROP_MS;
    client_call(c, API_DELETE_TOPICS, &rq, &arena, &answer, NULL);
    arena_release(&arena);
    client_close(c);
}
