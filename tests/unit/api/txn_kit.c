#include "config.h"

#include "txn_kit.h"

#include <string.h>

#include "base/buf.h"
#include "record/control.h"

/* ---- producers ---- */

int
tx_init(struct tx *t, int api_version)
{
    struct init_producer_id_request *q
        = KIT_NEW(t->k, init_producer_id_request);
    const struct init_producer_id_response *p;

    q->transactional_id = S(t->id);
    q->transaction_timeout_ms = TX_TIMEOUT;
    q->producer_id = t->pid;
    q->producer_epoch = t->epoch;
    p = kit_call(t->k, API_INIT_PRODUCER_ID, api_version, q);
    if (p->error_code == KERR_NONE) {
        t->pid = p->producer_id;
        t->epoch = p->producer_epoch;
        memset(t->seq, 0, sizeof t->seq);
    }
    return p->error_code;
}

struct tx
tx_begin(struct kit *k, const char *id, int version)
{
    struct tx t = {.k = k, .id = id, .version = version, .pid = -1,
        .epoch = -1};

    assert_error(tx_init(&t, 4), KERR_NONE);
    return t;
}

struct add_partitions_to_txn_request *
tx_add_request(struct tx *t, const char *topic, int32_t first, int32_t count)
{
    struct add_partitions_to_txn_request *q
        = KIT_NEW(t->k, add_partitions_to_txn_request);

    q->v3_and_below_transactional_id = S(t->id);
    q->v3_and_below_producer_id = t->pid;
    q->v3_and_below_producer_epoch = t->epoch;
    KIT_LIST(t->k, q->v3_and_below_topics,
        add_partitions_to_txn_request_topic, 1);
    q->v3_and_below_topics.v[0].name = S(topic);
    q->v3_and_below_topics.v[0].partitions.n = count;
    q->v3_and_below_topics.v[0].partitions.v
        = kit_alloc(t->k, (size_t)count * sizeof(int32_t));
    for (int32_t i = 0; i < count; i++)
        q->v3_and_below_topics.v[0].partitions.v[i] = first + i;
    return q;
}

int
tx_add(struct tx *t, const char *topic, int32_t partition)
{
    const struct add_partitions_to_txn_response *p = kit_call(t->k,
        API_ADD_PARTITIONS_TO_TXN, 3, tx_add_request(t, topic, partition, 1));

    return p->results_by_topic_v3_and_below.v[0]
        .results_by_partition.v[0].partition_error_code;
}

struct span
tx_batch(struct kit *k, int64_t pid, int epoch, int32_t seq, int attributes,
    const char *value)
{
    struct batch_build how = {.producer_id = pid,
        .producer_epoch = (int16_t)epoch,
        .base_sequence = seq,
        .attributes = (uint16_t)attributes};
    struct batch_builder bb;
    struct span out;
    struct buf b;

    buf_init(&b, 1 * MIB);
    batch_builder_init(&bb, &b);
    batch_builder_add(&bb, world_wall_ms(&k->world), SPAN_NULL, S(value),
        NULL, 0);
    assert_int_equal(batch_builder_end(&bb, &how, NULL), 0);
    out = arena_copy(&k->arena, buf_span(&b));
    buf_release(&b);
    return out;
}

int
tx_produce_version(const struct tx *t)
{
    return t->version == 2 ? 12 : 11;
}

struct produce_request *
tx_produce_request(struct tx *t, const char *topic, int32_t partition,
    const char *value)
{
    struct produce_request *q = KIT_NEW(t->k, produce_request);

    q->transactional_id = S(t->id);
    q->acks = -1;
    KIT_LIST(t->k, q->topic_data, produce_request_topic, 1);
    q->topic_data.v[0].name = S(topic);
    KIT_LIST(t->k, q->topic_data.v[0].partition_data,
        produce_request_partition, 1);
    q->topic_data.v[0].partition_data.v[0].index = partition;
    q->topic_data.v[0].partition_data.v[0].records = tx_batch(t->k, t->pid,
        t->epoch, t->seq[partition], BATCH_TRANSACTIONAL, value);
    return q;
}

int
tx_produce(struct tx *t, const char *topic, int32_t partition,
    const char *value)
{
    const struct produce_response *p = kit_call(t->k, API_PRODUCE,
        tx_produce_version(t), tx_produce_request(t, topic, partition,
            value));
    int error = p->responses.v[0].partition_responses.v[0].error_code;

    if (error == KERR_NONE)
        t->seq[partition]++;
    return error;
}

struct end_txn_request *
tx_end_request(struct tx *t, bool commit)
{
    struct end_txn_request *q = KIT_NEW(t->k, end_txn_request);

    q->transactional_id = S(t->id);
    q->producer_id = t->pid;
    q->producer_epoch = t->epoch;
    q->committed = commit;
    return q;
}

int
tx_end(struct tx *t, bool commit)
{
    const struct end_txn_response *p = kit_call(t->k, API_END_TXN,
        t->version == 2 ? 5 : 4, tx_end_request(t, commit));

    if (p->error_code == KERR_NONE && t->version == 2) {
        t->pid = p->producer_id;
        t->epoch = p->producer_epoch;
        memset(t->seq, 0, sizeof t->seq);
    }
    return p->error_code;
}

int
tx_add_offsets(struct tx *t, const char *group)
{
    struct add_offsets_to_txn_request *q
        = KIT_NEW(t->k, add_offsets_to_txn_request);
    const struct add_offsets_to_txn_response *p;

    q->transactional_id = S(t->id);
    q->producer_id = t->pid;
    q->producer_epoch = t->epoch;
    q->group_id = S(group);
    p = kit_call(t->k, API_ADD_OFFSETS_TO_TXN, 3, q);
    return p->error_code;
}

int
tx_commit_offset(struct tx *t, const char *group, const char *topic,
    int32_t partition, int64_t offset)
{
    struct txn_offset_commit_request *q
        = KIT_NEW(t->k, txn_offset_commit_request);
    const struct txn_offset_commit_response *p;

    q->transactional_id = S(t->id);
    q->producer_id = t->pid;
    q->producer_epoch = t->epoch;
    q->group_id = S(group);
    KIT_LIST(t->k, q->topics, txn_offset_commit_request_topic, 1);
    q->topics.v[0].name = S(topic);
    KIT_LIST(t->k, q->topics.v[0].partitions,
        txn_offset_commit_request_partition, 1);
    q->topics.v[0].partitions.v[0].partition_index = partition;
    q->topics.v[0].partitions.v[0].committed_offset = offset;
    q->topics.v[0].partitions.v[0].committed_metadata = S("note");
    p = kit_call(t->k, API_TXN_OFFSET_COMMIT, t->version == 2 ? 5 : 3, q);
    return p->topics.v[0].partitions.v[0].error_code;
}

/* ---- readers ---- */

/* As clients do it: a transaction is dropped from its first offset to its
 * marker, found by the producer's id. */
static bool
dropped(const struct fetch_response_partition *p, const struct batch *b,
    bool *ended)
{
    for (int32_t i = 0; i < p->aborted_transactions.n; i++)
        if (!ended[i]
            && p->aborted_transactions.v[i].producer_id == b->producer_id
            && p->aborted_transactions.v[i].first_offset <= b->base_offset) {
            if (control_batch_type(b) == CONTROL_ABORT)
                ended[i] = true;
            return true;
        }
    return false;
}

/* *next: one past the last batch. */
static void
put_values(struct kit *k, const struct fetch_response_partition *p,
    struct buf *out, int64_t *next)
{
    struct span rest = p->records;
    bool *ended = kit_alloc(k, (size_t)(p->aborted_transactions.n + 1));
    struct batch b;

    while (rest.len > 0 && batch_parse(rest, &b) == BATCH_OK) {
        struct batch_iter it;
        struct record r;
        struct err err;

        rest = span_of(rest.ptr + b.bytes.len, rest.len - b.bytes.len);
        *next = batch_last_offset(&b) + 1;
        if (dropped(p, &b, ended) || (b.attributes & BATCH_CONTROL))
            continue;
        assert_int_equal(batch_iter_init(&it, &b, NULL, &err), 0);
        while (batch_iter_next(&it, &r, &err) == 1) {
            buf_put(out, r.value.ptr, r.value.len);
            buf_put_str(out, " ");
        }
    }
}

static const struct fetch_response *
fetch(struct kit *k, const struct fetch_request *q, bool publish)
{
    struct client *c = kit_connect(k);
    const struct fetch_response *p = NULL;

    client_send(c, API_FETCH, 11, q);
    for (int i = 0; i < 20000 && p == NULL; i++) {
        kit_turn(k, publish);
        p = client_poll(c);
    }
    client_close(c);
    assert_non_null(p);
    return p;
}

struct reading
tx_read_from(struct kit *k, const char *topic, int32_t partition,
    int64_t offset, bool committed, bool publish)
{
    struct fetch_request *q = KIT_NEW(k, fetch_request);
    const struct fetch_response_partition *p;
    struct reading out;
    int32_t aborted = 0;
    struct buf b;

    q->max_bytes = 1 << 20;
    q->isolation_level = committed;
    KIT_LIST(k, q->topics, fetch_request_topic, 1);
    q->topics.v[0].topic = S(topic);
    KIT_LIST(k, q->topics.v[0].partitions, fetch_request_partition, 1);
    q->topics.v[0].partitions.v[0].partition = partition;
    q->topics.v[0].partitions.v[0].partition_max_bytes = 1 << 20;
    buf_init(&b, 1 * MIB);
    do {
        q->topics.v[0].partitions.v[0].fetch_offset = offset;
        p = &fetch(k, q, publish)->responses.v[0].partitions.v[0];
        put_values(k, p, &b, &offset);
        if (p->aborted_transactions.n < 0)
            aborted = -1;
        else
            aborted += p->aborted_transactions.n;
    } while (p->records.len > 0);
    out = (struct reading){.text = b.len == 0 ? S("")
            : arena_copy(&k->arena, buf_span(&b)),
        .lso = p->last_stable_offset, .hw = p->high_watermark,
        .start = p->log_start_offset, .error = p->error_code,
        .aborted = aborted};
    buf_release(&b);
    return out;
}

struct reading
tx_read(struct kit *k, const char *topic, int32_t partition, bool committed)
{
    return tx_read_from(k, topic, partition,
        tx_partition(k, topic, partition)->tail->log_start, committed, true);
}

int64_t
tx_offset(struct kit *k, const char *group, const char *topic,
    int32_t partition, bool stable, int *error)
{
    struct offset_fetch_request *q = KIT_NEW(k, offset_fetch_request);
    const struct offset_fetch_response_group_partition *p;

    q->require_stable = stable;
    KIT_LIST(k, q->groups, offset_fetch_request_group, 1);
    q->groups.v[0].group_id = S(group);
    KIT_LIST(k, q->groups.v[0].topics, offset_fetch_request_group_topic, 1);
    q->groups.v[0].topics.v[0].name = S(topic);
    q->groups.v[0].topics.v[0].partition_indexes.n = 1;
    q->groups.v[0].topics.v[0].partition_indexes.v
        = kit_alloc(k, sizeof(int32_t));
    q->groups.v[0].topics.v[0].partition_indexes.v[0] = partition;
    p = &((const struct offset_fetch_response *)kit_call(k, API_OFFSET_FETCH,
        8, q))->groups.v[0].topics.v[0].partitions.v[0];
    *error = p->error_code;
    return p->committed_offset;
}

struct partition *
tx_partition(struct kit *k, const char *topic, int32_t partition)
{
    struct topic *t = topics_find(api_topics(k->api), S(topic));
    struct partition *p = t == NULL ? NULL : topic_partition(t, partition);

    assert_non_null(p);
    return p;
}
