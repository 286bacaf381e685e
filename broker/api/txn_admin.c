/*
 * txn_admin.c: transactions as an operator sees them (KIP-664):
 * ListTransactions, DescribeTransactions, DescribeProducers, and
 * WriteTxnMarkers, by which tools abort one.
 *
 * Kafka's tools look for transactions that hang: open in a partition, unknown
 * to the coordinator. Here there are none. An abort by partition and producer
 * therefore finds the transaction that is open there, and ends it whole.
 */
#include "config.h"

#include "api/txn.h"
#include "base/check.h"
#include "base/diag.h"
#include "group/pattern.h"
#include "wire/msg/txn.h"

/* ---- ListTransactions ---- */

static bool
state_known(struct span name)
{
    for (int i = 0; i < TXN_STATE_COUNT; i++)
        if (span_eq(name, span_str(txn_state_name((enum txn_state)i))))
            return true;
    return false;
}

static bool
state_listed(const struct list_transactions_request *body,
    enum txn_state state)
{
    size_t n = wire_count(body->state_filters.n);

    for (size_t i = 0; i < n; i++)
        if (span_eq(body->state_filters.v[i],
                span_str(txn_state_name(state))))
            return true;
    return n == 0;
}

static bool
producer_listed(const struct list_transactions_request *body, int64_t id)
{
    size_t n = wire_count(body->producer_id_filters.n);

    for (size_t i = 0; i < n; i++)
        if (body->producer_id_filters.v[i] == id)
            return true;
    return n == 0;
}

/* `pattern` NULL: any id. */
static bool
txn_listed(struct request *r, const struct txn *t,
    const struct txn_image *im, struct pattern *pattern)
{
    const struct list_transactions_request *body = r->body;
    int64_t now = world_wall_ms(seq_world(r->api->seq));

    if (!state_listed(body, im->state)
        || !producer_listed(body, im->producer_id))
        return false;
    if (pattern != NULL && !pattern_matches(pattern, txn_id(t)))
        return false;
    return body->duration_filter < 0 || (im->state == TXN_ONGOING
        && now - im->started_ms > body->duration_filter);
}

static bool
list_unknown(struct request *r, struct list_transactions_response *out)
{
    const struct list_transactions_request *body = r->body;
    size_t n = wire_count(body->state_filters.n);

    out->unknown_state_filters.v = request_alloc(r, n,
        sizeof *out->unknown_state_filters.v);
    for (size_t i = 0; out->unknown_state_filters.v != NULL && i < n; i++)
        if (!state_known(body->state_filters.v[i]))
            out->unknown_state_filters.v[out->unknown_state_filters.n++]
                = body->state_filters.v[i];
    return out->unknown_state_filters.v != NULL;
}

static void
list_all(struct request *r, struct pattern *pattern,
    struct list_transactions_response *out)
{
    struct txns *ts = &r->api->txns;
    struct txn *t;

    for (size_t i = 0; (t = txns_next(ts, &i)) != NULL;) {
        struct list_transactions_response_state *to
            = &out->transaction_states.v[out->transaction_states.n];
        struct txn_image im;

        txn_image(t, &im);
        if (!txn_listed(r, t, &im, pattern))
            continue;
        to->transactional_id = txn_id(t);
        to->producer_id = im.producer_id;
        to->transaction_state = span_str(txn_state_name(im.state));
        out->transaction_states.n++;
    }
}

void
handle_list_transactions(struct request *r)
{
    const struct list_transactions_request *body = r->body;
    struct list_transactions_response *out;
    size_t count = r->api->txns.by_id.count;
    struct pattern *pattern = NULL;
    const char *fault;

    r->arena.limit += count * 128;
    out = request_response(r);
    out->transaction_states.v = wire_new(
        &list_transactions_response_state_type, &r->arena, count);
    if (out->transaction_states.v == NULL || !list_unknown(r, out)) {
        request_close(r, "the request has too many filters");
        return;
    }
    if (body->transactional_id_pattern.len > 0) {
        pattern = pattern_new(body->transactional_id_pattern, &fault);
        if (pattern == NULL)
            out->error_code = KERR_INVALID_REGULAR_EXPRESSION;
    }
    if (out->error_code == KERR_NONE)
        list_all(r, pattern, out);
    pattern_free(pattern);
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- DescribeTransactions ---- */

/* Its partitions by topic; false: too many. */
static bool
describe_parts(struct request *r, const struct txn *t,
    struct describe_transactions_response_state *out)
{
    const struct txn_held *held = txn_held(t);
    size_t n = txn_held_count(held);
    const struct txn_part *p;

    out->topics.v = wire_new(&describe_transactions_response_topic_type,
        &r->arena, n);
    if (out->topics.v == NULL)
        return false;
    for (size_t i = 0; n > 0 && (p = txn_held_next(held, &i)) != NULL;) {
        struct describe_transactions_response_topic *to = NULL;
        const struct topic *topic;

        if (p->kind != TXN_PARTITION)
            continue;
        topic = topics_by_id(&r->api->topics, &p->topic_id);
        if (topic == NULL)
            continue;
        for (int32_t k = 0; k < out->topics.n && to == NULL; k++)
            if (span_eq(out->topics.v[k].topic, span_str(topic->name)))
                to = &out->topics.v[k];
        if (to == NULL) {
            to = &out->topics.v[out->topics.n++];
            to->topic = span_str(topic->name);
            to->partitions.v = request_alloc(r, n, sizeof(int32_t));
            if (to->partitions.v == NULL)
                return false;
        }
        to->partitions.v[to->partitions.n++] = p->partition;
    }
    return true;
}

void
handle_describe_transactions(struct request *r)
{
    const struct describe_transactions_request *body = r->body;
    struct describe_transactions_response *out = request_response(r);
    size_t n = wire_count(body->transactional_ids.n);

    out->transaction_states.v = wire_new(
        &describe_transactions_response_state_type, &r->arena, n);
    for (size_t i = 0; out->transaction_states.v != NULL && i < n; i++) {
        struct describe_transactions_response_state *to
            = &out->transaction_states.v[i];
        struct span id = body->transactional_ids.v[i];
        const struct txn *t = txns_get(&r->api->txns, id);
        struct txn_image im;

        out->transaction_states.n++;
        to->transactional_id = id;
        if (t == NULL) {
            to->error_code = id.len == 0 ? KERR_INVALID_REQUEST
                                         : KERR_TRANSACTIONAL_ID_NOT_FOUND;
            continue;
        }
        txn_image(t, &im);
        to->transaction_state = span_str(txn_state_name(im.state));
        to->transaction_timeout_ms = im.timeout_ms;
        to->transaction_start_time_ms = im.started_ms;
        to->producer_id = im.producer_id;
        to->producer_epoch = im.epoch;
        if (!describe_parts(r, t, to)) {
            request_close(r, "the transactions have too many partitions");
            return;
        }
    }
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- DescribeProducers ---- */

static bool
describe_partition(struct request *r, const struct partition *p,
    struct describe_producers_response_partition *out)
{
    struct producer *one;

    out->active_producers.v = wire_new(
        &describe_producers_response_producer_type, &r->arena,
        p->producers.by_id.count);
    if (out->active_producers.v == NULL)
        return false;
    for (size_t i = 0;
         (one = table_next(&p->producers.by_id, &i)) != NULL;) {
        struct describe_producers_response_producer *to
            = &out->active_producers.v[out->active_producers.n++];

        to->producer_id = one->id;
        to->producer_epoch = one->epoch;
        to->current_txn_start_offset = one->txn_first;
        if (one->count > 0) {
            to->last_sequence = one->window[one->count - 1].last_seq;
            to->last_timestamp = one->window[one->count - 1].timestamp;
        }
    }
    return true;
}

static bool
describe_topic(struct request *r,
    const struct describe_producers_request_topic *in,
    struct describe_producers_response_topic *to)
{
    size_t n = wire_count(in->partition_indexes.n);
    const struct topic *t = topics_find(&r->api->topics, in->name);

    to->name = in->name;
    to->partitions.v = wire_new(&describe_producers_response_partition_type,
        &r->arena, n);
    if (to->partitions.v == NULL)
        return false;
    to->partitions.n = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        int32_t index = in->partition_indexes.v[i];
        const struct partition *p = t == NULL ? NULL
                                              : topic_partition(t, index);

        to->partitions.v[i].partition_index = index;
        if (p == NULL)
            to->partitions.v[i].error_code
                = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        else if (!describe_partition(r, p, &to->partitions.v[i]))
            return false;
    }
    return true;
}

void
handle_describe_producers(struct request *r)
{
    const struct describe_producers_request *body = r->body;
    struct describe_producers_response *out;
    size_t n = wire_count(body->topics.n);

    r->arena.limit += r->api->topics.producers * 64;
    out = request_response(r);
    out->topics.v = wire_new(&describe_producers_response_topic_type,
        &r->arena, n);
    for (size_t i = 0; out->topics.v != NULL && i < n; i++) {
        if (!describe_topic(r, &body->topics.v[i], &out->topics.v[i])) {
            request_close(r, "the request names too many partitions");
            return;
        }
        out->topics.n++;
    }
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- WriteTxnMarkers ---- */

/* Aborts the transaction that this producer has open in the partition. */
static enum kerr
abort_in(struct request *r,
    const struct write_txn_markers_request_marker *marker, struct span name,
    int32_t index)
{
    struct api *a = r->api;
    struct topic *topic = topics_find(&a->topics, name);
    struct partition *p = topic == NULL ? NULL
                                        : topic_partition(topic, index);
    struct txn *t = txns_by_producer(&a->txns, marker->producer_id);
    const struct producer *one;
    struct room room;

    if (p == NULL)
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    one = producers_get(&p->producers, marker->producer_id);
    /* It has ended already, perhaps with a partition named before this one:
     * the epoch is raised by that. */
    if (one == NULL || one->txn_first < 0)
        return KERR_NONE;
    if (marker->producer_epoch < one->epoch)
        return KERR_INVALID_PRODUCER_EPOCH;
    if (marker->transaction_result)
        return KERR_INVALID_TXN_STATE;   /* only its producer commits */
    assert(t != NULL);
    if (!room_take(a, txn_end_cost(t) + PRODUCER_ID_COST, false, &room))
        return KERR_COORDINATOR_NOT_AVAILABLE;
    diag(WARN, LOG, "an operator aborts a transaction id=%.*s",
        NAME_ARGS(txn_id(t)));
    txn_effects_clear(&a->txn_fx, &a->txns);
    txns_abort(&a->txns, t, api_clock(a), &a->txn_fx);
    txn_link(a, &a->txn_fx);
    room_give(a, &room);
    return KERR_NONE;
}

static bool
marker_topics(struct request *r,
    const struct write_txn_markers_request_marker *in,
    struct write_txn_markers_response_marker *to)
{
    size_t n = wire_count(in->topics.n);

    to->producer_id = in->producer_id;
    to->topics.v = wire_new(&write_txn_markers_response_topic_type,
        &r->arena, n);
    if (to->topics.v == NULL)
        return false;
    to->topics.n = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        const struct write_txn_markers_request_topic *from
            = &in->topics.v[i];
        struct write_txn_markers_response_topic *topic = &to->topics.v[i];
        size_t parts = wire_count(from->partition_indexes.n);

        topic->name = from->name;
        topic->partitions.v = wire_new(
            &write_txn_markers_response_partition_type, &r->arena, parts);
        if (topic->partitions.v == NULL)
            return false;
        topic->partitions.n = (int32_t)parts;
        for (size_t k = 0; k < parts; k++) {
            topic->partitions.v[k].partition_index
                = from->partition_indexes.v[k];
            topic->partitions.v[k].error_code = (int16_t)(
                seq_readonly(r->api->seq, NULL)
                    ? KERR_COORDINATOR_NOT_AVAILABLE
                    : abort_in(r, in, from->name,
                        from->partition_indexes.v[k]));
        }
    }
    return true;
}

void
handle_write_txn_markers(struct request *r)
{
    const struct write_txn_markers_request *body = r->body;
    struct write_txn_markers_response *out = request_response(r);
    size_t n = wire_count(body->markers.n);

    out->markers.v = wire_new(&write_txn_markers_response_marker_type,
        &r->arena, n);
    for (size_t i = 0; out->markers.v != NULL && i < n; i++) {
        if (!marker_topics(r, &body->markers.v[i], &out->markers.v[i])) {
            request_close(r, "the request names too many partitions");
            return;
        }
        out->markers.n++;
    }
    request_reply(r, seq_gate(r->api->seq), out);
}
