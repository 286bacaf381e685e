/* txn.c: see txn.h. */
#include "config.h"

#include "client/txn.h"

#include "base/check.h"
#include "base/limits.h"
#include "client/client_priv.h"
#include "wire/msg/groups.h"
#include "wire/msg/txn.h"

enum {
    KEY_TYPE_TXN = 1,
    PRODUCE_JOINS = 12,          /* from here on a batch joins by itself */
    ARENA = 1 << 20,
};

/* What passes: the coordinator loads, or the one before is being ended (of a
 * real Kafka). */
static bool
is_passing(int kerr)
{
    return kerr == KERR_COORDINATOR_NOT_AVAILABLE
        || kerr == KERR_COORDINATOR_LOAD_IN_PROGRESS
        || kerr == KERR_NOT_COORDINATOR
        || kerr == KERR_CONCURRENT_TRANSACTIONS;
}

/* Sends until it is answered otherwise. `error` reads the answer's code. */
static int
ask(struct client *c, enum api_key key, const void *request,
    struct arena *a, int (*error)(const void *), const char *id, void *out,
    struct err *err)
{
    int64_t deadline = peer_now_ms() + client_timeout_ms(c);
    void *resp;
    int kerr;

    do {
        arena_reset(a);
        if (client_call(c, key, request, a, &resp, err) != 0)
            return -1;
        kerr = error(resp);
    } while (is_passing(kerr) && client_pause(c, deadline) == 0);
    if (kerr != 0)
        return client_refused(err, kerr, "transactional id '%s'", id);
    memcpy(out, &resp, sizeof resp);
    return 0;
}

static int
coordinator_error(const void *p)
{
    const struct find_coordinator_response *r = p;

    return r->coordinators.n == 1 ? r->coordinators.v[0].error_code
                                  : r->error_code;
}

int
client_txn_coordinator(struct client *c, const char *id, struct err *err)
{
    struct span key = client_name_span(id);
    struct find_coordinator_request req;
    struct find_coordinator_response *resp;
    struct arena a;
    int rc;

    arena_init(&a, ARENA);
    wire_init(&find_coordinator_request_type, &req);
    req.key = key;
    req.key_type = KEY_TYPE_TXN;
    req.coordinator_keys.v = &key;
    req.coordinator_keys.n = 1;
    rc = ask(c, API_FIND_COORDINATOR, &req, &a, coordinator_error, id, &resp,
        err);
    arena_release(&a);
    return rc;
}

static int
init_error(const void *p)
{
    return ((const struct init_producer_id_response *)p)->error_code;
}

int
client_txn_open(struct client *c, const char *id, int timeout_ms,
    struct client_txn *t, struct err *err)
{
    struct init_producer_id_request req;
    struct init_producer_id_response *resp;
    struct arena a;
    int rc;

    *t = (struct client_txn){.client = c, .id = id};
    if (client_version(c, API_INIT_PRODUCER_ID) < 0
        || client_version(c, API_END_TXN) < 0)
        return client_refused(err, KERR_UNSUPPORTED_VERSION,
            "the broker has no transactions");
    if (client_txn_coordinator(c, id, err) != 0)
        return -1;
    arena_init(&a, ARENA);
    wire_init(&init_producer_id_request_type, &req);
    req.transactional_id = client_name_span(id);
    req.transaction_timeout_ms = timeout_ms;
    rc = ask(c, API_INIT_PRODUCER_ID, &req, &a, init_error, id, &resp, err);
    if (rc == 0) {
        t->producer_id = resp->producer_id;
        t->producer_epoch = resp->producer_epoch;
    }
    arena_release(&a);
    return rc;
}

static int
join_error(const void *p)
{
    const struct add_partitions_to_txn_response *r = p;

    if (r->results_by_topic_v3_and_below.n != 1
        || r->results_by_topic_v3_and_below.v[0].results_by_partition.n != 1)
        return r->error_code;
    return r->results_by_topic_v3_and_below.v[0].results_by_partition.v[0]
        .partition_error_code;
}

int
client_txn_join(struct client_txn *t, const struct client_topic *topic,
    int32_t partition, struct err *err)
{
    struct add_partitions_to_txn_request req;
    struct add_partitions_to_txn_request_topic one;
    struct add_partitions_to_txn_response *resp;
    struct arena a;
    int rc;

    t->open = true;
    if (client_version(t->client, API_PRODUCE) >= PRODUCE_JOINS)
        return 0;
    arena_init(&a, ARENA);
    wire_init(&add_partitions_to_txn_request_type, &req);
    wire_init(&add_partitions_to_txn_request_topic_type, &one);
    one.name = client_name_span(topic->name);
    one.partitions.v = &partition;
    one.partitions.n = 1;
    req.v3_and_below_transactional_id = client_name_span(t->id);
    req.v3_and_below_producer_id = t->producer_id;
    req.v3_and_below_producer_epoch = t->producer_epoch;
    req.v3_and_below_topics.v = &one;
    req.v3_and_below_topics.n = 1;
    rc = ask(t->client, API_ADD_PARTITIONS_TO_TXN, &req, &a, join_error,
        t->id, &resp, err);
    arena_release(&a);
    return rc;
}

static int
end_error(const void *p)
{
    return ((const struct end_txn_response *)p)->error_code;
}

int
client_txn_end(struct client_txn *t, bool commit, struct err *err)
{
    struct end_txn_request req;
    struct end_txn_response *resp;
    struct arena a;
    int rc;

    if (!t->open)
        return 0;
    t->open = false;
    arena_init(&a, ARENA);
    wire_init(&end_txn_request_type, &req);
    req.transactional_id = client_name_span(t->id);
    req.producer_id = t->producer_id;
    req.producer_epoch = t->producer_epoch;
    req.committed = commit;
    rc = ask(t->client, API_END_TXN, &req, &a, end_error, t->id, &resp, err);
    if (rc == 0 && resp->producer_id >= 0 && resp->producer_epoch >= 0) {
        t->producer_id = resp->producer_id;
        t->producer_epoch = resp->producer_epoch;
    }
    arena_release(&a);
    return rc;
}
