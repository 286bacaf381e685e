/*
 * producer.c: InitProducerId, for idempotent and transactional producers.
 *
 * Ids are reserved durably in blocks, so that handing one out usually waits
 * for nothing and none is ever given twice, whatever happens in between.
 */
#include "config.h"

#include "api/txn.h"
#include "api/txn_records.h"
#include "base/check.h"
#include "proto/store.pb-c.h"
#include "wire/msg/txn.h"

enum { BLOCK = 1000 };

static int
load_ids(void *arg, struct span key, struct span value, struct err *err)
{
    struct api *a = arg;
    Store__ProducerIds *m
        = store__producer_ids__unpack(NULL, value.len, value.ptr);

    (void)key;
    if (m == NULL)
        return err_set(err, ERR_DAMAGE, "the record of producer ids is no "
            "message");
    a->next_producer_id = m->next;
    a->producer_ids_end = m->next;
    store__producer_ids__free_unpacked(m, NULL);
    return 0;
}

int
api_load_producer_ids(struct api *a, struct err *err)
{
    return seq_records(a->seq, META_IDS, load_ids, a, err);
}

static void
reserve_block(struct api *a)
{
    Store__ProducerIds m = STORE__PRODUCER_IDS__INIT;
    uint8_t key = META_IDS, out[16];
    struct record_put put = {.key = span_of(&key, 1)};

    a->producer_ids_end += BLOCK;
    m.next = a->producer_ids_end;
    put.value = span_of(out, store__producer_ids__pack(&m, out));
    api_put_records(a, &put, 1);
}

int64_t
api_new_producer_id(void *api)
{
    struct api *a = api;

    if (a->next_producer_id == a->producer_ids_end)
        reserve_block(a);
    return a->next_producer_id++;
}

/* Of a transactional id: who had it is fenced, what it left open aborted. */
static enum kerr
init_transactional(struct request *r, struct init_producer_id_response *out)
{
    const struct init_producer_id_request *body = r->body;
    struct api *a = r->api;
    struct txn_caller c = {.id = body->transactional_id,
        .producer_id = body->producer_id,
        .producer_epoch = body->producer_epoch};
    enum kerr error;

    txn_effects_clear(&a->txn_fx, &a->txns);
    txns_init_producer(&a->txns, &c, body->transaction_timeout_ms,
        api_clock(a), &a->txn_fx);
    error = a->txn_fx.error;
    out->producer_id = a->txn_fx.producer_id;
    out->producer_epoch = a->txn_fx.producer_epoch;
    txn_link(a, &a->txn_fx);
    if (error == KERR_PRODUCER_FENCED && r->header.api_version < 4)
        error = KERR_INVALID_PRODUCER_EPOCH;
    return error;
}

void
handle_init_producer_id(struct request *r)
{
    const struct init_producer_id_request *body = r->body;
    struct span id = body->transactional_id;
    struct init_producer_id_response *out;
    struct api *a = r->api;
    struct room room = {0};

    if (seq_readonly(a->seq, NULL)) {
        out = request_response(r);
        out->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
        request_reply(r, 0, out);
        return;
    }
    if ((body->producer_id < 0) != (body->producer_epoch < 0)) {
        out = request_response(r);
        out->error_code = KERR_INVALID_REQUEST;
        request_reply(r, 0, out);
        return;
    }
    if (!room_take(a, PRODUCER_ID_COST + (id.ptr == NULL ? 0
            : txn_record_cost(id) + txn_end_cost(txns_get(&a->txns, id))),
            false, &room)) {
        request_starve(r);
        return;
    }
    out = request_response(r);
    if (id.ptr != NULL) {
        out->error_code = (int16_t)init_transactional(r, out);
    } else {
        out->producer_id = api_new_producer_id(a);
        out->producer_epoch = 0;
    }
    room_give(a, &room);
    request_reply(r, seq_gate(a->seq), out);
}
