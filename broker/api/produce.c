/*
 * produce.c: Produce.
 *
 * A request is one effect: its batches get their offsets together and the
 * answer leaves when that epoch is published. acks=1 is answered like
 * acks=all, since both mean "on stable storage" here; acks=0 gets no answer,
 * and is refused with a producer id, whose sequences would silently break.
 * The batches stay in the frame they came in.
 *
 * Transactional batches join the open transaction of their producer. Of
 * version 1 the partition must have been announced (AddPartitionsToTxn);
 * from Produce 12 on (KIP-890) a batch brings its partition along, in the
 * same effect.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/txn.h"
#include "api/txn_records.h"
#include "base/alloc.h"
#include "base/endian.h"
#include "partition/append.h"
#include "wire/msg/produce.h"

struct produce_item {
    struct partition *partition;
    struct append_result result;
    uint8_t *bytes;
    size_t len;
};

struct produce {
    struct produce_item *items;
    size_t count;
    struct txn_part *parts;      /* as many as there are items, */
    int64_t *offsets;            /* for produce_append() */
    struct produce_response *response;
};

static bool
produce_joins(const struct request *r)
{
    return r->header.api_version >= 12;
}

/* A pointer into the frame that may be written to: base offset, epoch and
 * log append time are stamped in place. */
static uint8_t *
frame_bytes(struct request *r, struct span s)
{
    return r->frame->data + (s.ptr - r->frame->data);
}

static void
produce_judge(struct request *r, struct topic *t, enum kerr missing,
    const struct produce_request_partition *in, struct produce_item *item)
{
    const struct produce_request *body = r->body;
    struct append_result *res = &item->result;

    *item = (struct produce_item){.result = {.base_offset = -1,
        .log_append_time = -1, .error = missing}};
    if (t == NULL)
        return;
    item->partition = topic_partition(t, in->index);
    if (item->partition == NULL) {
        res->error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        return;
    }
    if (t->internal) {
        res->error = KERR_INVALID_TOPIC_EXCEPTION;
        snprintf(res->text, sizeof res->text,
            "the topic belongs to an application");
        return;
    }
    if (in->records.ptr == NULL || in->records.len == 0) {
        res->error = KERR_INVALID_RECORD;
        snprintf(res->text, sizeof res->text, "there are no records");
        return;
    }
    item->bytes = frame_bytes(r, in->records);
    item->len = in->records.len;
    append_judge(&r->api->topics, item->partition, item->bytes, item->len,
        r->header.api_version, res);
    if (res->error == KERR_NONE && body->acks == 0
        && get_be64(item->bytes + 43) != UINT64_MAX)
        res->error = KERR_INVALID_REQUIRED_ACKS;
}

/* May the batch join a transaction? The epoch tells old from new. */
static enum kerr
produce_judge_txn(struct request *r, const struct produce_item *item)
{
    const struct produce_request *body = r->body;
    const struct append_result *res = &item->result;
    struct txn_caller c = {.id = body->transactional_id,
        .producer_id = res->producer_id,
        .producer_epoch = res->producer_epoch,
        .v2 = produce_joins(r)};
    struct txn_part part = {.kind = TXN_PARTITION,
        .topic_id = item->partition->topic->id,
        .partition = item->partition->index};
    struct txn *t;
    enum kerr error;

    if (!res->transactional)
        return body->transactional_id.ptr == NULL
            ? KERR_NONE : KERR_INVALID_RECORD;
    if (body->transactional_id.ptr == NULL)
        return KERR_INVALID_TXN_STATE;
    error = txns_check(&r->api->txns, &c, &t);
    if (error == KERR_PRODUCER_FENCED)
        return KERR_INVALID_PRODUCER_EPOCH;
    if (error == KERR_NONE && !c.v2 && !txn_holds(t, &part))
        return r->header.api_version >= 11 ? KERR_TRANSACTION_ABORTABLE
                                           : KERR_INVALID_TXN_STATE;
    return error;
}

static void
produce_judge_txns(struct request *r, struct produce *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct append_result *res = &p->items[i].result;

        if (res->error != KERR_NONE || res->duplicate)
            continue;
        res->error = produce_judge_txn(r, &p->items[i]);
        if (res->error != KERR_NONE)
            res->base_offset = -1;
    }
}

static int
by_address(const void *a, const void *b)
{
    const struct partition *const *x = a, *const *y = b;

    return (uintptr_t)*x < (uintptr_t)*y ? -1 : (uintptr_t)*x > (uintptr_t)*y;
}

/* The same partition twice in a request would pass the sequence check twice
 * before either is linked. */
static bool
produce_repeats(const struct produce *p)
{
    struct partition **all = xcalloc(p->count + 1, sizeof *all);
    bool twice = false;
    size_t n = 0;

    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].partition != NULL)
            all[n++] = p->items[i].partition;
    qsort(all, n, sizeof(struct partition *), by_address);
    for (size_t i = 1; i < n; i++)
        twice |= all[i - 1] == all[i];
    free(all);
    return twice;
}

static size_t
produce_count(const struct produce_request *body)
{
    size_t n = 0;

    for (int32_t i = 0; i < body->topic_data.n; i++)
        n += (size_t)(body->topic_data.v[i].partition_data.n > 0
                ? body->topic_data.v[i].partition_data.n : 0);
    return n;
}

static int
produce_prepare(struct request *r, struct produce *p)
{
    const struct produce_request *body = r->body;

    size_t n = produce_count(body);

    p->items = request_alloc(r, n, sizeof *p->items);
    p->offsets = request_alloc(r, n, sizeof *p->offsets);
    p->parts = request_alloc(r, body->transactional_id.ptr == NULL ? 0 : n,
        sizeof *p->parts);
    if (p->items == NULL || p->offsets == NULL || p->parts == NULL)
        return -1;
    for (int32_t i = 0; i < body->topic_data.n; i++) {
        const struct produce_request_topic *in = &body->topic_data.v[i];
        enum kerr missing = KERR_NONE;
        struct topic *t = api_topic(r->api, in->name, &in->topic_id,
            &missing);

        for (int32_t k = 0; k < in->partition_data.n; k++)
            produce_judge(r, t, missing, &in->partition_data.v[k],
                &p->items[p->count++]);
    }
    return 0;
}

static void
produce_fill(struct request *r, const struct produce_item *item,
    int32_t index, struct produce_response_partition *out)
{
    const struct append_result *res = &item->result;

    out->index = index;
    out->error_code = (int16_t)res->error;
    out->base_offset = res->base_offset;
    out->log_append_time_ms = res->error != KERR_NONE
        ? -1 : res->log_append_time;
    out->log_start_offset = item->partition == NULL || res->error != KERR_NONE
        ? -1 : item->partition->tail->log_start;
    if (res->error != KERR_NONE && res->text[0] != '\0')
        out->error_message = request_text(r, "%s", res->text);
}

static int
produce_response(struct request *r, struct produce *p)
{
    const struct produce_request *body = r->body;
    const struct produce_item *item = p->items;
    struct produce_response *out = request_response(r);

    p->response = out;
    out->responses.v = wire_new(&produce_response_topic_type, &r->arena,
        (size_t)(body->topic_data.n > 0 ? body->topic_data.n : 0));
    if (out->responses.v == NULL)
        return -1;
    for (int32_t i = 0; i < body->topic_data.n; i++) {
        const struct produce_request_topic *in = &body->topic_data.v[i];
        struct produce_response_topic *to = &out->responses.v[i];
        int32_t n = in->partition_data.n > 0 ? in->partition_data.n : 0;

        to->name = in->name;
        to->topic_id = in->topic_id;
        to->partition_responses.v = wire_new(&produce_response_partition_type,
            &r->arena, (size_t)n);
        if (to->partition_responses.v == NULL)
            return -1;
        for (int32_t k = 0; k < n; k++)
            produce_fill(r, item++, in->partition_data.v[k].index,
                &to->partition_responses.v[k]);
        to->partition_responses.n = n;
    }
    out->responses.n = body->topic_data.n > 0 ? body->topic_data.n : 0;
    return 0;
}

static void
produce_fail_all(struct produce *p, enum kerr error)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->items[i].result.error == KERR_NONE) {
            p->items[i].result.error = error;
            p->items[i].result.base_offset = -1;
        }
    }
}

static void
produce_answer(struct request *r, struct produce *p)
{
    const struct produce_request *body = r->body;

    if (body->acks == 0) {
        bool failed = false;

        /* Kafka tells acks=0 of an error by closing: the client looks for
         * the reason in metadata. */
        for (size_t i = 0; i < p->count; i++)
            failed |= p->items[i].result.error != KERR_NONE;
        if (failed)
            request_close(r, "a produce with acks=0 failed");
        else
            request_done(r);
        return;
    }
    if (produce_response(r, p) < 0) {
        request_close(r, "the request has too many partitions");
        return;
    }
    request_reply(r, seq_gate(r->api->seq), p->response);
}

/* The partitions that come along with their batches. */
static size_t
produce_parts(struct request *r, const struct produce *p,
    struct txn_part *parts)
{
    size_t n = 0;

    if (!produce_joins(r))
        return 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct produce_item *it = &p->items[i];

        if (it->result.error == KERR_NONE && !it->result.duplicate
            && it->result.transactional)
            parts[n++] = (struct txn_part){.kind = TXN_PARTITION,
                .topic_id = it->partition->topic->id,
                .partition = it->partition->index};
    }
    return n;
}

/* They join: all of one request are of one producer. */
static enum kerr
produce_join(struct request *r, const struct produce *p,
    const struct txn_part *parts, size_t n)
{
    const struct produce_request *body = r->body;
    struct api *a = r->api;
    struct txn_caller c = {.id = body->transactional_id, .v2 = true};

    for (size_t i = 0; i < p->count; i++) {
        const struct append_result *res = &p->items[i].result;

        if (res->error == KERR_NONE && res->transactional) {
            c.producer_id = res->producer_id;
            c.producer_epoch = res->producer_epoch;
        }
    }
    a->txns.config.cost_max = seq_effect_max(a->seq);
    txns_add(&a->txns, &c, parts, n, api_clock(a),
        world_wall_ms(seq_world(a->seq)), &a->txn_fx);
    return a->txn_fx.error;
}

/* Links what was judged good. false: no room now. */
static bool
produce_append(struct request *r, struct produce *p, size_t good)
{
    struct api *a = r->api;
    const struct produce_request *body = r->body;
    struct txn_part *parts = p->parts;
    int64_t *offsets = p->offsets;
    size_t joining, cost, n = 0;
    struct append *ap;
    enum kerr error;

    joining = produce_parts(r, p, parts);
    ap = append_new(&a->topics, r->frame, &(struct append_size){
        .batches = good, .puts = joining == 0 ? 0 : joining + 1});
    for (size_t i = 0; i < p->count; i++) {
        struct produce_item *it = &p->items[i];

        if (it->result.error != KERR_NONE || it->result.duplicate)
            continue;
        append_add(ap, it->partition, it->bytes, it->len);
        if (it->result.log_append_time >= 0)
            append_stamp(ap, it->result.log_append_time);
    }
    cost = append_cost(ap);
    if (joining > 0)
        cost += txn_record_cost(body->transactional_id);
    for (size_t i = 0; i < joining; i++)
        cost += txn_part_cost(body->transactional_id, &parts[i]);
    if (cost > seq_effect_max(a->seq)) {
        append_free(ap);
        produce_fail_all(p, KERR_MESSAGE_TOO_LARGE);
        return true;
    }
    if (!seq_reserve(a->seq, cost)) {
        append_free(ap);
        return false;
    }
    txn_effects_clear(&a->txn_fx, &a->txns);
    error = joining == 0 ? KERR_NONE : produce_join(r, p, parts, joining);
    if (error != KERR_NONE) {
        seq_unreserve(a->seq, cost);
        append_free(ap);
        produce_fail_all(p, error);
        return true;
    }
    txn_put_added(a, ap, &a->txn_fx);
    append_commit(ap, cost, offsets, NULL, NULL);
    for (size_t i = 0; i < p->count; i++) {
        struct append_result *res = &p->items[i].result;

        if (res->error == KERR_NONE && !res->duplicate)
            res->base_offset = offsets[n++];
    }
    return true;
}

void
handle_produce(struct request *r)
{
    const struct produce_request *body = r->body;
    struct produce p = {0};
    size_t good = 0;

    if (produce_prepare(r, &p) < 0) {
        request_close(r, "the request has too many partitions");
        return;
    }
    if (body->acks < -1 || body->acks > 1)
        produce_fail_all(&p, KERR_INVALID_REQUIRED_ACKS);
    else if (produce_repeats(&p))
        produce_fail_all(&p, KERR_INVALID_REQUEST);
    else if (seq_readonly(r->api->seq, NULL))
        produce_fail_all(&p, KERR_KAFKA_STORAGE_ERROR);
    produce_judge_txns(r, &p);
    for (size_t i = 0; i < p.count; i++)
        good += p.items[i].result.error == KERR_NONE
            && !p.items[i].result.duplicate;
    if (good > 0 && !produce_append(r, &p, good)) {
        request_starve(r);
        return;
    }
    produce_answer(r, &p);
}
