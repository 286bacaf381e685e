/*
 * cluster.c: who leads which partition, and where it stands:
 * DescribeTopicPartitions, ElectLeaders, AlterPartitionReassignments,
 * ListPartitionReassignments.
 *
 * There is one node. It leads everything, so an election is never needed; a
 * reassignment to this node is done when it is asked for, and one to anybody
 * else can't be.
 */
#include "config.h"

#include <stdlib.h>

#include "api/api_priv.h"
#include "base/limits.h"
#include "wire/msg/cluster.h"
#include "wire/msg/metadata.h"

enum { PAGE_MAX = 2000 };         /* max.request.partition.size.limit */

/* ---- DescribeTopicPartitions (KIP-966) ---- */

struct page {                    /* one answer, as it fills */
    struct request *request;
    struct describe_topic_partitions_response *out;
    int32_t left;                /* partitions that may follow */
    bool all;                    /* of all topics: none can be missing */
    bool full;                   /* the cursor is set */
};

static bool
page_stop(struct page *p, struct span name, int32_t partition)
{
    p->out->next_cursor = wire_new(&describe_topic_partitions_cursor_type,
        &p->request->arena, 1);
    if (p->out->next_cursor == NULL)
        return false;
    p->out->next_cursor->topic_name = name;
    p->out->next_cursor->partition_index = partition;
    p->full = true;
    return true;
}

static bool
page_partitions(struct page *p, const struct topic *t, int32_t first,
    int32_t n, struct describe_topic_partitions_response_topic *to)
{
    int32_t *node = request_alloc(p->request, 1, sizeof *node);

    to->partitions.v = wire_new(
        &describe_topic_partitions_response_partition_type,
        &p->request->arena, (size_t)n);
    if (node == NULL || to->partitions.v == NULL)
        return false;
    *node = p->request->api->opts.node_id;
    to->partitions.n = n;
    for (int32_t i = 0; i < n; i++) {
        struct describe_topic_partitions_response_partition *one
            = &to->partitions.v[i];

        one->partition_index = first + i;
        one->leader_id = *node;
        one->leader_epoch = t->leader_epoch;
        one->replica_nodes.v = one->isr_nodes.v = node;
        one->replica_nodes.n = one->isr_nodes.n = 1;
        /* Every replica is in sync: nobody else is eligible. */
        one->eligible_leader_replicas.n = one->last_known_elr.n = 0;
    }
    return true;
}

/* The topic's partitions from `first` on; false: out of memory. */
static bool
page_topic(struct page *p, struct span name, int32_t first)
{
    struct describe_topic_partitions_response_topic *to
        = &p->out->topics.v[p->out->topics.n];
    const struct topic *t = topics_find(&p->request->api->topics, name);
    int32_t n;

    if (p->left == 0)
        return page_stop(p, name, 0);
    to->name = name;
    to->topic_authorized_operations = AUTHORIZED_TOPIC;
    if (t == NULL) {
        to->error_code = topic_name_valid(name)
            ? KERR_UNKNOWN_TOPIC_OR_PARTITION : KERR_INVALID_TOPIC_EXCEPTION;
        p->out->topics.n++;
        return true;
    }
    to->topic_id = t->id;
    n = first < t->partition_count ? t->partition_count - first : 0;
    if (n > p->left)
        n = p->left;
    if (!page_partitions(p, t, first, n, to))
        return false;
    p->out->topics.n++;
    p->left -= n;
    return first + n >= t->partition_count
        || page_stop(p, name, first + n);
}

static int
span_order(const void *a, const void *b)
{
    const struct span *one = a, *other = b;

    return span_cmp(*one, *other);
}

/* The names to describe, in order and each once, from the cursor's on; of all
 * topics no more than an answer can hold. NULL: out of memory. */
static struct span *
page_names(struct request *r, bool all, struct span from, size_t *count)
{
    const struct describe_topic_partitions_request *body = r->body;
    const struct topics *ts = &r->api->topics;
    size_t n = all ? ts->by_name.count : wire_count(body->topics.n), kept = 0;
    struct span *names = request_alloc(r, n, sizeof *names);
    struct omap_iter it;
    const struct topic *t;

    if (names == NULL)
        return NULL;
    omap_seek(&ts->by_name, from, &it);
    *count = 0;
    while (all && *count <= PAGE_MAX && (t = topics_next(&it)) != NULL)
        names[(*count)++] = span_str(t->name);
    if (all)
        return names;
    for (size_t i = 0; i < n; i++)
        if (span_cmp(body->topics.v[i].name, from) >= 0)
            names[(*count)++] = body->topics.v[i].name;
    if (*count > 0)
        qsort(names, *count, sizeof *names, span_order);
    for (size_t i = 0; i < *count; i++)
        if (kept == 0 || !span_eq(names[i], names[kept - 1]))
            names[kept++] = names[i];
    *count = kept;
    return names;
}

/* Kafka wants a cursor that stands in the list, at no negative partition. */
static bool
cursor_ok(const struct describe_topic_partitions_cursor *c,
    const struct span *names, size_t count, bool all)
{
    if (c == NULL)
        return true;
    if (c->partition_index < 0)
        return false;
    return all || (count > 0 && span_eq(names[0], c->topic_name));
}

static void
page_refuse(struct request *r, struct describe_topic_partitions_response *out)
{
    const struct describe_topic_partitions_request *body = r->body;

    for (size_t i = 0; i < wire_count(body->topics.n); i++) {
        out->topics.v[i].name = body->topics.v[i].name;
        out->topics.v[i].error_code = KERR_INVALID_REQUEST;
    }
    out->topics.n = (int32_t)wire_count(body->topics.n);
    request_reply(r, 0, out);
}

void
handle_describe_topic_partitions(struct request *r)
{
    const struct describe_topic_partitions_request *body = r->body;
    const struct describe_topic_partitions_cursor *c = body->cursor;
    struct describe_topic_partitions_response *out = request_response(r);
    struct page p = {.request = r, .out = out, .all = body->topics.n <= 0};
    size_t count = 0, asked = wire_count(body->topics.n);
    struct span *names = page_names(r, p.all,
        c != NULL ? c->topic_name : span_str(""), &count);
    bool ok;

    out->topics.v = wire_new(
        &describe_topic_partitions_response_topic_type, &r->arena,
        count > asked ? count : asked);
    ok = names != NULL && out->topics.v != NULL;
    if (ok && !cursor_ok(c, names, count, p.all)) {
        page_refuse(r, out);
        return;
    }
    p.left = body->response_partition_limit;
    p.left = p.left < 1 ? 1 : p.left > PAGE_MAX ? PAGE_MAX : p.left;
    for (size_t i = 0; ok && i < count && !p.full; i++)
        ok = page_topic(&p, names[i], c != NULL
            && span_eq(names[i], c->topic_name) ? c->partition_index : 0);
    if (!ok) {
        request_close(r, "the request names too many topics");
        return;
    }
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- ElectLeaders (KIP-183, KIP-460) ---- */

static bool
elect_topic(struct request *r, const struct elect_leaders_request_topic *in,
    struct elect_leaders_response_result *to)
{
    const struct topic *t = topics_find(&r->api->topics, in->topic);
    int32_t n = (int32_t)wire_count(in->partitions.n);
    struct span none = request_text(r, "No such topic as %.*s",
        NAME_ARGS(in->topic));

    to->topic = in->topic;
    to->partition_result.v = wire_new(&elect_leaders_response_partition_type,
        &r->arena, (size_t)n);
    if (to->partition_result.v == NULL)
        return false;
    to->partition_result.n = n;
    for (int32_t i = 0; i < n; i++) {
        struct elect_leaders_response_partition *p
            = &to->partition_result.v[i];

        p->partition_id = in->partitions.v[i];
        if (t == NULL || topic_partition(t, p->partition_id) == NULL) {
            p->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
            p->error_message = t == NULL
                ? none : span_str("No such partition");
        } else {
            p->error_code = KERR_ELECTION_NOT_NEEDED;
            p->error_message = SPAN_NULL;
        }
    }
    return true;
}

void
handle_elect_leaders(struct request *r)
{
    const struct elect_leaders_request *body = r->body;
    struct elect_leaders_response *out = request_response(r);
    size_t n = wire_count(body->topic_partitions.n);
    bool ok;

    if (body->election_type < 0 || body->election_type > 1) {
        out->error_code = KERR_INVALID_REQUEST;
        request_reply(r, 0, out);
        return;
    }
    /* Asked for all, Kafka names those that got another leader: none. */
    out->replica_election_results.v = wire_new(
        &elect_leaders_response_result_type, &r->arena, n);
    ok = out->replica_election_results.v != NULL;
    for (size_t i = 0; ok && i < n; i++)
        ok = elect_topic(r, &body->topic_partitions.v[i],
            &out->replica_election_results.v[i]);
    if (!ok) {
        request_close(r, "the request names too many partitions");
        return;
    }
    out->replica_election_results.n = (int32_t)n;
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- AlterPartitionReassignments, ListPartitionReassignments (KIP-455) -- */

static enum kerr
judge_replicas(struct request *r,
    const struct alter_reassignments_request_partition *in, struct span *why)
{
    int32_t node = r->api->opts.node_id, n = in->replicas.n;

    if (n < 0) {
        *why = SPAN_NULL;
        return KERR_NO_REASSIGNMENT_IN_PROGRESS;
    }
    if (n == 0) {
        *why = span_str("The manual partition assignment includes an empty "
            "replica list.");
        return KERR_INVALID_REPLICA_ASSIGNMENT;
    }
    for (int32_t i = 0; i < n; i++) {
        if (in->replicas.v[i] == node && i == 0)
            continue;
        *why = in->replicas.v[i] == node
            ? request_text(r, "The manual partition assignment includes the "
                "broker %d more than once.", node)
            : request_text(r, "The manual partition assignment includes "
                "broker %d, but no such broker is registered.",
                in->replicas.v[i]);
        return KERR_INVALID_REPLICA_ASSIGNMENT;
    }
    *why = SPAN_NULL;
    return KERR_NONE;
}

static bool
reassign_topic(struct request *r,
    const struct alter_reassignments_request_topic *in,
    struct alter_reassignments_response_topic *to)
{
    const struct topic *t = topics_find(&r->api->topics, in->name);
    int32_t n = (int32_t)wire_count(in->partitions.n);

    to->name = in->name;
    to->partitions.v = wire_new(&alter_reassignments_response_partition_type,
        &r->arena, (size_t)n);
    if (to->partitions.v == NULL)
        return false;
    to->partitions.n = n;
    for (int32_t i = 0; i < n; i++) {
        const struct alter_reassignments_request_partition *from
            = &in->partitions.v[i];
        struct alter_reassignments_response_partition *p
            = &to->partitions.v[i];

        p->partition_index = from->partition_index;
        if (t == NULL || topic_partition(t, from->partition_index) == NULL) {
            p->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
            p->error_message = span_str("There is no such partition.");
        } else {
            p->error_code = (int16_t)judge_replicas(r, from,
                &p->error_message);
        }
    }
    return true;
}

void
handle_alter_reassignments(struct request *r)
{
    const struct alter_reassignments_request *body = r->body;
    struct alter_reassignments_response *out = request_response(r);
    size_t n = wire_count(body->topics.n);
    bool ok;

    out->allow_replication_factor_change
        = body->allow_replication_factor_change;
    out->responses.v = wire_new(&alter_reassignments_response_topic_type,
        &r->arena, n);
    ok = out->responses.v != NULL;
    for (size_t i = 0; ok && i < n; i++)
        ok = reassign_topic(r, &body->topics.v[i], &out->responses.v[i]);
    if (!ok) {
        request_close(r, "the request names too many partitions");
        return;
    }
    out->responses.n = (int32_t)n;
    request_reply(r, seq_gate(r->api->seq), out);
}

/* What was asked for was done at once: nothing is under way. */
void
handle_list_reassignments(struct request *r)
{
    request_reply(r, 0, request_response(r));
}
