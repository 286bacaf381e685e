/*
 * txn.c: the requests of transactional producers: AddPartitionsToTxn,
 * AddOffsetsToTxn, TxnOffsetCommit, EndTxn. InitProducerId is in producer.c,
 * what a step becomes in the log in txn_link.c.
 *
 * Old versions know INVALID_PRODUCER_EPOCH only where newer ones are told
 * PRODUCER_FENCED: the one place where an answer, not a field, depends on the
 * version.
 */
#include "config.h"

#include "api/txn.h"

#include "api/txn_records.h"
#include "base/check.h"
#include "wire/msg/txn.h"

static struct txn_caller
caller_of(struct span id, int64_t producer_id, int16_t epoch, bool v2)
{
    return (struct txn_caller){.id = id,
        .producer_id = producer_id,
        .producer_epoch = epoch,
        .v2 = v2};
}

static int16_t
error_for(const struct request *r, enum kerr error, int fenced_since)
{
    if (error == KERR_PRODUCER_FENCED
        && r->header.api_version < fenced_since)
        error = KERR_INVALID_PRODUCER_EPOCH;
    return (int16_t)error;
}

/* What keeps any of these from being begun. */
static enum kerr
not_now(const struct request *r)
{
    return seq_readonly(r->api->seq, NULL) ? KERR_COORDINATOR_NOT_AVAILABLE
                                           : KERR_NONE;
}

static size_t
parts_cost(struct span id, const struct txn_part *parts, size_t n)
{
    size_t cost = txn_record_cost(id);

    for (size_t i = 0; i < n; i++)
        cost += txn_part_cost(id, &parts[i]);
    return cost + 64;
}

/* Takes parts in and links that. false: no room; the request is starved. */
static bool
add_parts(struct request *r, const struct txn_caller *c,
    const struct txn_part *parts, size_t n, enum kerr *error)
{
    struct api *a = r->api;
    struct room room;

    if (!room_take(a, parts_cost(c->id, parts, n), false, &room)) {
        request_starve(r);
        return false;
    }
    a->txns.config.cost_max = seq_effect_max(a->seq);
    txn_effects_clear(&a->txn_fx, &a->txns);
    txns_add(&a->txns, c, parts, n, api_clock(a),
        world_wall_ms(seq_world(a->seq)), &a->txn_fx);
    *error = a->txn_fx.error;
    txn_link(a, &a->txn_fx);
    room_give(a, &room);
    return true;
}

/* ---- AddPartitionsToTxn ---- */

struct add_partitions {
    struct txn_part *parts;
    size_t count;
    bool missing;                /* some partition is not there */
};

static struct partition *
named_partition(const struct api *a, struct span name, int32_t index)
{
    struct topic *t = topics_find(&a->topics, name);

    return t == NULL || t->internal ? NULL : topic_partition(t, index);
}

static bool
add_collect(struct request *r,
    const struct add_partitions_to_txn_request_topic *topics, int32_t count,
    struct add_partitions *add)
{
    size_t n = 0;

    for (int32_t i = 0; i < count; i++)
        n += wire_count(topics[i].partitions.n);
    add->parts = request_alloc(r, n, sizeof *add->parts);
    if (add->parts == NULL)
        return false;
    for (int32_t i = 0; i < count; i++) {
        for (size_t k = 0; k < wire_count(topics[i].partitions.n); k++) {
            struct partition *p = named_partition(r->api, topics[i].name,
                topics[i].partitions.v[k]);

            if (p == NULL)
                add->missing = true;
            else
                add->parts[add->count++] = (struct txn_part){
                    .kind = TXN_PARTITION,
                    .topic_id = p->topic->id,
                    .partition = p->index};
        }
    }
    return true;
}

/* One error for all, but if some are not there, for these; and the others
 * were not attempted. */
static struct add_partitions_to_txn_response_topic *
add_results(struct request *r,
    const struct add_partitions_to_txn_request_topic *topics, size_t count,
    bool missing, enum kerr error)
{
    struct add_partitions_to_txn_response_topic *out = wire_new(
        &add_partitions_to_txn_response_topic_type, &r->arena, count);

    for (size_t i = 0; out != NULL && i < count; i++) {
        size_t n = wire_count(topics[i].partitions.n);

        out[i].name = topics[i].name;
        out[i].results_by_partition.v = wire_new(
            &add_partitions_to_txn_response_partition_type, &r->arena, n);
        if (out[i].results_by_partition.v == NULL)
            return NULL;
        out[i].results_by_partition.n = (int32_t)n;
        for (size_t k = 0; k < n; k++) {
            struct add_partitions_to_txn_response_partition *p
                = &out[i].results_by_partition.v[k];
            enum kerr one = error;

            p->partition_index = topics[i].partitions.v[k];
            if (missing && error == KERR_NONE)
                one = named_partition(r->api, topics[i].name,
                          p->partition_index) == NULL
                    ? KERR_UNKNOWN_TOPIC_OR_PARTITION
                    : KERR_OPERATION_NOT_ATTEMPTED;
            p->partition_error_code = error_for(r, one, 2);
        }
    }
    return out;
}

/* One transaction of the request. Sets *error; false: the request is gone,
 * closed or starved. */
static bool
add_one(struct request *r, const struct txn_caller *c, bool verify_only,
    const struct add_partitions_to_txn_request_topic *topics, int32_t count,
    bool *missing, enum kerr *error)
{
    struct add_partitions add = {0};
    struct txn *t;

    if (!add_collect(r, topics, count, &add)) {
        request_close(r, "the request has too many partitions");
        return false;
    }
    *missing = add.missing;
    *error = not_now(r);
    if (*error == KERR_NONE)
        *error = txns_check(&r->api->txns, c, &t);
    if (*error != KERR_NONE || add.missing)
        return true;
    if (!verify_only)
        return add_parts(r, c, add.parts, add.count, error);
    for (size_t i = 0; i < add.count; i++)
        if (!txn_holds(t, &add.parts[i]))
            *error = KERR_TRANSACTION_ABORTABLE;
    return true;
}

/* The form that brokers use among themselves, and some tools. */
static void
add_many(struct request *r)
{
    const struct add_partitions_to_txn_request *body = r->body;
    struct add_partitions_to_txn_response *out = request_response(r);
    size_t n = wire_count(body->transactions.n);

    out->results_by_transaction.v = wire_new(
        &add_partitions_to_txn_response_transaction_type, &r->arena, n);
    for (size_t i = 0; out->results_by_transaction.v != NULL && i < n; i++) {
        const struct add_partitions_to_txn_request_transaction *in
            = &body->transactions.v[i];
        struct add_partitions_to_txn_response_transaction *to
            = &out->results_by_transaction.v[i];
        struct txn_caller c = caller_of(in->transactional_id,
            in->producer_id, in->producer_epoch, false);
        enum kerr error;
        bool missing;

        if (!add_one(r, &c, in->verify_only, in->topics.v, in->topics.n,
                &missing, &error))
            return;
        to->transactional_id = in->transactional_id;
        to->topic_results.v = add_results(r, in->topics.v,
            wire_count(in->topics.n), missing, error);
        to->topic_results.n = to->topic_results.v == NULL ? 0
                                                          : in->topics.n;
        out->results_by_transaction.n++;
    }
    request_reply(r, seq_gate(r->api->seq), out);
}

void
handle_add_partitions_to_txn(struct request *r)
{
    const struct add_partitions_to_txn_request *body = r->body;
    struct add_partitions_to_txn_response *out;
    struct txn_caller c = caller_of(body->v3_and_below_transactional_id,
        body->v3_and_below_producer_id, body->v3_and_below_producer_epoch,
        false);
    enum kerr error;
    bool missing;

    if (body->transactions.n > 0) {
        add_many(r);
        return;
    }
    if (!add_one(r, &c, false, body->v3_and_below_topics.v,
            body->v3_and_below_topics.n, &missing, &error))
        return;
    out = request_response(r);
    out->results_by_topic_v3_and_below.v = add_results(r,
        body->v3_and_below_topics.v,
        wire_count(body->v3_and_below_topics.n), missing, error);
    if (out->results_by_topic_v3_and_below.v == NULL) {
        request_close(r, "the request has too many partitions");
        return;
    }
    out->results_by_topic_v3_and_below.n
        = (int32_t)wire_count(body->v3_and_below_topics.n);
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- AddOffsetsToTxn ---- */

/* A transaction makes the groups that it names: not without bound. */
static bool
group_may_be(const struct api *a, struct span id)
{
    return groups_get(&a->groups, id) != NULL
        || groups_count(&a->groups) < a->groups.env.config.groups_max;
}

void
handle_add_offsets_to_txn(struct request *r)
{
    const struct add_offsets_to_txn_request *body = r->body;
    struct add_offsets_to_txn_response *out;
    struct txn_caller c = caller_of(body->transactional_id,
        body->producer_id, body->producer_epoch, false);
    struct txn_part part = {.kind = TXN_GROUP, .group = body->group_id};
    enum kerr error = not_now(r);

    if (error == KERR_NONE && (body->group_id.len == 0
            || body->group_id.len > GROUP_NAME_MAX))
        error = KERR_INVALID_GROUP_ID;
    if (error == KERR_NONE && !group_may_be(r->api, body->group_id))
        error = KERR_POLICY_VIOLATION;
    if (error == KERR_NONE && !add_parts(r, &c, &part, 1, &error))
        return;
    out = request_response(r);
    out->error_code = error_for(r, error, 2);
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- TxnOffsetCommit ---- */

struct offsets {
    struct group_commit_item *items;
    struct txn_part *parts;      /* the group first */
    size_t count, part_count;
};

static void
offsets_add(struct request *r, struct offsets *o, struct span name,
    const struct txn_offset_commit_request_partition *in)
{
    struct group_commit_item *item = &o->items[o->count++];
    struct partition *p = named_partition(r->api, name, in->partition_index);

    *item = (struct group_commit_item){.topic = name,
        .partition = in->partition_index,
        .offset = in->committed_offset,
        .leader_epoch = in->committed_leader_epoch,
        .metadata = in->committed_metadata};
    if (p == NULL)
        item->error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    else if (span_has_nul(in->committed_metadata))
        item->error = KERR_INVALID_REQUEST;
    else
        item->topic_id = p->topic->id;
}

static bool
offsets_collect(struct request *r, struct offsets *o)
{
    const struct txn_offset_commit_request *body = r->body;
    size_t n = 0;

    for (size_t i = 0; i < wire_count(body->topics.n); i++)
        n += wire_count(body->topics.v[i].partitions.n);
    o->items = request_alloc(r, n, sizeof *o->items);
    o->parts = request_alloc(r, n + 1, sizeof *o->parts);
    if (o->items == NULL || o->parts == NULL)
        return false;
    for (size_t i = 0; i < wire_count(body->topics.n); i++)
        for (size_t k = 0; k < wire_count(body->topics.v[i].partitions.n);
             k++)
            offsets_add(r, o, body->topics.v[i].name,
                &body->topics.v[i].partitions.v[k]);
    return true;
}

/* The group's own rules: member, generation, size of metadata. */
static enum kerr
offsets_judge(struct request *r, struct offsets *o)
{
    const struct txn_offset_commit_request *body = r->body;
    struct group_event ev = {.kind = GROUP_EV_COMMIT,
        .token = r,
        .group_id = body->group_id,
        .commit = {.member_id = body->member_id,
            .instance_id = body->group_instance_id,
            .generation = body->generation_id,
            .retention_ms = -1,
            .transactional = true,
            .items = o->items,
            .count = o->count}};
    const struct group_effects *fx = &r->api->group_fx;

    groups_judge_pending(r->api, &ev);
    assert(fx->count == 1 && fx->list[0].kind == GROUP_FX_COMMITTED);
    if (fx->list[0].error != KERR_NONE)
        return fx->list[0].error;
    for (size_t i = 0; i < o->count; i++)
        if (o->items[i].error == KERR_NONE)
            o->items[i].error = fx->list[0].each.errors[i];
    return KERR_NONE;
}

static void
offsets_parts(struct request *r, struct offsets *o)
{
    const struct txn_offset_commit_request *body = r->body;

    o->parts[o->part_count++] = (struct txn_part){.kind = TXN_GROUP,
        .group = body->group_id};
    for (size_t i = 0; i < o->count; i++)
        if (o->items[i].error == KERR_NONE)
            o->parts[o->part_count++] = (struct txn_part){
                .kind = TXN_OFFSET,
                .group = body->group_id,
                .topic = o->items[i].topic,
                .topic_id = o->items[i].topic_id,
                .partition = o->items[i].partition,
                .offset = o->items[i].offset,
                .leader_epoch = o->items[i].leader_epoch,
                .commit_ms = api_clock(r->api),
                .metadata = o->items[i].metadata};
}

static bool
offsets_response(struct request *r, const struct offsets *o, enum kerr error,
    struct txn_offset_commit_response *out)
{
    const struct txn_offset_commit_request *body = r->body;
    size_t n = wire_count(body->topics.n), item = 0;

    out->topics.v = wire_new(&txn_offset_commit_response_topic_type,
        &r->arena, n);
    if (out->topics.v == NULL)
        return false;
    out->topics.n = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        const struct txn_offset_commit_request_topic *in
            = &body->topics.v[i];
        struct txn_offset_commit_response_topic *to = &out->topics.v[i];
        size_t parts = wire_count(in->partitions.n);

        to->name = in->name;
        to->partitions.v = wire_new(
            &txn_offset_commit_response_partition_type, &r->arena, parts);
        if (to->partitions.v == NULL)
            return false;
        to->partitions.n = (int32_t)parts;
        for (size_t k = 0; k < parts; k++, item++) {
            enum kerr own = o->items[item].error;

            to->partitions.v[k].partition_index
                = in->partitions.v[k].partition_index;
            to->partitions.v[k].error_code
                = (int16_t)(own != KERR_NONE ? own : error);
        }
    }
    return true;
}

/* Is the producer at a point where offsets may join? Of version 1 the group
 * must have been announced. */
static enum kerr
offsets_allowed(struct request *r, const struct txn_caller *c)
{
    const struct txn_offset_commit_request *body = r->body;
    struct txn_part group = {.kind = TXN_GROUP, .group = body->group_id};
    enum kerr error = not_now(r);
    struct txn *t;

    if (error == KERR_NONE && body->group_id.len == 0)
        error = KERR_INVALID_GROUP_ID;
    if (error == KERR_NONE)
        error = txns_check(&r->api->txns, c, &t);
    if (error == KERR_PRODUCER_FENCED)
        return KERR_INVALID_PRODUCER_EPOCH;
    if (error == KERR_NONE && !c->v2 && !txn_holds(t, &group))
        error = r->header.api_version >= 4 ? KERR_TRANSACTION_ABORTABLE
                                           : KERR_INVALID_TXN_STATE;
    return error;
}

void
handle_txn_offset_commit(struct request *r)
{
    const struct txn_offset_commit_request *body = r->body;
    struct txn_caller c = caller_of(body->transactional_id,
        body->producer_id, body->producer_epoch,
        r->header.api_version >= 5);
    struct txn_offset_commit_response *out;
    struct offsets o = {0};
    enum kerr error;

    if (!offsets_collect(r, &o)) {
        request_close(r, "the request has too many partitions");
        return;
    }
    error = offsets_allowed(r, &c);
    if (error == KERR_NONE)
        error = offsets_judge(r, &o);
    if (error == KERR_NONE) {
        offsets_parts(r, &o);
        if (!add_parts(r, &c, o.parts, o.part_count, &error))
            return;
    }
    out = request_response(r);
    if (offsets_response(r, &o, error, out))
        request_reply(r, seq_gate(r->api->seq), out);
    else
        request_close(r, "the request has too many partitions");
}

/* ---- EndTxn ---- */

void
handle_end_txn(struct request *r)
{
    const struct end_txn_request *body = r->body;
    struct txn_caller c = caller_of(body->transactional_id,
        body->producer_id, body->producer_epoch,
        r->header.api_version >= 5);
    struct api *a = r->api;
    struct end_txn_response *out;
    enum kerr error = not_now(r);
    struct room room;

    if (error == KERR_NONE) {
        if (!room_take(a, txn_end_cost(txns_get(&a->txns, c.id))
                + PRODUCER_ID_COST, false, &room)) {
            request_starve(r);
            return;
        }
        txn_effects_clear(&a->txn_fx, &a->txns);
        txns_end(&a->txns, &c, body->committed, api_clock(a), &a->txn_fx);
        error = a->txn_fx.error;
        txn_link(a, &a->txn_fx);
        room_give(a, &room);
    }
    out = request_response(r);
    out->error_code = error_for(r, error, 2);
    if (error == KERR_NONE) {
        out->producer_id = a->txn_fx.producer_id;
        out->producer_epoch = a->txn_fx.producer_epoch;
    }
    request_reply(r, seq_gate(a->seq), out);
}
