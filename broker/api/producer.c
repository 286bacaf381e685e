/*
 * producer.c: InitProducerId for idempotent producers.
 *
 * Ids are reserved durably in blocks, so that handing one out usually waits
 * for nothing and none is ever given twice, whatever happens in between.
 */
#include "config.h"

#include "api/api_priv.h"
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

void
handle_init_producer_id(struct request *r)
{
    const struct init_producer_id_request *body = r->body;
    struct init_producer_id_response *out = request_response(r);
    struct api *a = r->api;

    if (body->transactional_id.ptr != NULL) {
        out->error_code = KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        request_reply(r, 0, out);
        return;
    }
    if (seq_readonly(a->seq, NULL)) {
        out->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
        request_reply(r, 0, out);
        return;
    }
    if (a->next_producer_id == a->producer_ids_end)
        reserve_block(a);
    out->producer_id = a->next_producer_id++;
    out->producer_epoch = 0;
    request_reply(r, seq_gate(a->seq), out);
}
