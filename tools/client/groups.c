/* groups.c: a group's coordinator, and what it has committed. */
#include "config.h"

#include "client/client_priv.h"

#include "base/check.h"
#include "base/limits.h"
#include "wire/msg/groups.h"
#include "wire/msg/offsets.h"

/* The coordinator of a real Kafka is not there before its topic is, which
 * this very request makes it create. */
static bool
is_loading(int kerr)
{
    return kerr == KERR_COORDINATOR_NOT_AVAILABLE
        || kerr == KERR_COORDINATOR_LOAD_IN_PROGRESS
        || kerr == KERR_NOT_COORDINATOR;
}

static int
find(struct client *c, const char *group, struct arena *a, int *kerr,
    struct err *err)
{
    struct span key = client_name_span(group);
    struct find_coordinator_request req;
    struct find_coordinator_response *resp;

    wire_init(&find_coordinator_request_type, &req);
    req.key = key;
    req.coordinator_keys.v = &key;
    req.coordinator_keys.n = 1;
    if (client_call(c, API_FIND_COORDINATOR, &req, a, &resp, err) != 0)
        return -1;
    *kerr = resp->coordinators.n == 1 ? resp->coordinators.v[0].error_code
                                      : resp->error_code;
    return 0;
}

int
client_coordinator(struct client *c, const char *group, struct err *err)
{
    int64_t deadline = peer_now_ms() + c->timeout_ms;
    struct arena a;
    int kerr = 0, rc;

    arena_init(&a, 1 * MIB);
    do {
        arena_reset(&a);
        rc = find(c, group, &a, &kerr, err);
    } while (rc == 0 && is_loading(kerr) && client_pause(c, deadline) == 0);
    arena_release(&a);
    if (rc == 0 && kerr != 0)
        rc = client_refused(err, kerr, "group '%s'", group);
    return rc;
}

/* ---- OffsetFetch --------------------------------------------------------
 * One group up to version 7, many from 8 on: both are filled in.
 */

static int32_t *
all_partitions(const struct client_topic *t, struct arena *a)
{
    int32_t *list = arena_calloc(a, (size_t)t->partitions, sizeof *list);

    for (int32_t i = 0; list != NULL && i < t->partitions; i++)
        list[i] = i;
    return list;
}

static int
ask(struct client *c, const char *group, const struct client_topic *topic,
    struct arena *a, struct offset_fetch_response **resp, struct err *err)
{
    struct offset_fetch_request_group_topic new_topic;
    struct offset_fetch_request_group g;
    struct offset_fetch_request_topic old_topic;
    struct offset_fetch_request req;
    int32_t *list = topic == NULL ? NULL : all_partitions(topic, a);

    wire_init(&offset_fetch_request_group_topic_type, &new_topic);
    wire_init(&offset_fetch_request_group_type, &g);
    wire_init(&offset_fetch_request_topic_type, &old_topic);
    wire_init(&offset_fetch_request_type, &req);
    req.group_id = g.group_id = client_name_span(group);
    req.groups.v = &g;
    req.groups.n = 1;
    req.require_stable = true;
    req.topics.v = &old_topic;
    g.topics.v = &new_topic;
    req.topics.n = g.topics.n = topic == NULL ? -1 : 1;
    if (topic != NULL) {
        old_topic.name = new_topic.name = client_name_span(topic->name);
        old_topic.partition_indexes.v = new_topic.partition_indexes.v = list;
        old_topic.partition_indexes.n = new_topic.partition_indexes.n =
            list == NULL ? 0 : topic->partitions;
    }
    return client_call(c, API_OFFSET_FETCH, &req, a, resp, err);
}

struct gathering {
    struct arena *arena;
    struct committed *list;
    size_t count, room;
    int kerr;
};

static void
gather(struct gathering *g, struct span topic, int32_t partition,
    int64_t offset, int kerr)
{
    struct committed *bigger;

    if (kerr != 0 && g->kerr == 0)
        g->kerr = kerr;
    if (g->count == g->room) {
        g->room = g->room * 2 + 16;
        bigger = arena_calloc(g->arena, g->room, sizeof *bigger);
        if (bigger == NULL) {
            g->room = g->count;
            return;
        }
        if (g->count > 0)
            memcpy(bigger, g->list, g->count * sizeof *bigger);
        g->list = bigger;
    }
    g->list[g->count++] = (struct committed){
        .topic = arena_strndup(g->arena, (const char *)topic.ptr, topic.len),
        .partition = partition,
        .offset = offset,
    };
}

static void
gather_old(struct gathering *g, const struct offset_fetch_response *resp)
{
    g->kerr = resp->error_code;
    for (int32_t i = 0; i < resp->topics.n; i++) {
        const struct offset_fetch_response_topic *t = &resp->topics.v[i];

        for (int32_t j = 0; j < t->partitions.n; j++)
            gather(g, t->name, t->partitions.v[j].partition_index,
                t->partitions.v[j].committed_offset,
                t->partitions.v[j].error_code);
    }
}

static void
gather_new(struct gathering *g, const struct offset_fetch_response_group *r)
{
    g->kerr = r->error_code;
    for (int32_t i = 0; i < r->topics.n; i++) {
        const struct offset_fetch_response_group_topic *t = &r->topics.v[i];

        for (int32_t j = 0; j < t->partitions.n; j++)
            gather(g, t->name, t->partitions.v[j].partition_index,
                t->partitions.v[j].committed_offset,
                t->partitions.v[j].error_code);
    }
}

int
client_committed(struct client *c, const char *group,
    const struct client_topic *topic, struct arena *a, struct committed **out,
    size_t *count, struct err *err)
{
    struct gathering g = {.arena = a};
    struct offset_fetch_response *resp;

    if (ask(c, group, topic, a, &resp, err) != 0)
        return -1;
    if (resp->groups.n == 1)
        gather_new(&g, &resp->groups.v[0]);
    else
        gather_old(&g, resp);
    if (g.kerr != 0)
        return client_refused(err, g.kerr, "group '%s'", group);
    if (a->failed)
        return err_set(err, ERR_LIMIT, "too many partitions");
    *out = g.list;
    *count = g.count;
    return 0;
}
