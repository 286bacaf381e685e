/*
 * lists.c: where in a log something is: ListOffsets, OffsetForLeaderEpoch.
 *
 * Times are looked up in the files first and then in the tail, batch by
 * batch by their newest timestamp; the record itself is found by walking the
 * one batch, decompressed if need be.
 */
#include "config.h"

#include "api/api_priv.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/limits.h"
#include "record/batch.h"
#include "wire/msg/offsets.h"

/* Special timestamps, as of ListOffsets v11. */
enum {
    AT_LATEST = -1,
    AT_EARLIEST = -2,
    AT_MAX_TIMESTAMP = -3,       /* KIP-734 */
    AT_EARLIEST_LOCAL = -4,      /* KIP-405 */
    AT_LATEST_TIERED = -5,       /* KIP-1005: no tier here */
    AT_EARLIEST_PENDING = -6,    /* KIP-1023 */
};

struct found {
    int64_t offset, timestamp;
    int32_t leader_epoch;        /* of its batch; -1: the present one */
};

/* The first record of the batch with a timestamp >= ts (`newest` false), or
 * the first with the highest one. */
static int
find_in_batch(struct span bytes, int64_t ts, bool newest, struct arena *a,
    struct found *out, struct err *err)
{
    struct arena_mark mark = arena_mark(a);
    struct batch_iter it;
    struct record rec;
    struct batch b;
    int rc = -1;

    if (batch_parse(bytes, &b) != BATCH_OK)
        return err_set(err, ERR_DAMAGE, "a batch in memory is damaged");
    if (b.attributes & BATCH_LOG_APPEND_TIME) {
        *out = (struct found){b.base_offset, b.max_timestamp,
            b.leader_epoch};
        return 0;
    }
    *out = (struct found){-1, -1, -1};
    if (batch_iter_init(&it, &b, a, err) == 0) {
        while ((rc = batch_iter_next(&it, &rec, err)) == 1) {
            if (newest ? rec.timestamp > out->timestamp
                       : rec.timestamp >= ts) {
                *out = (struct found){rec.offset, rec.timestamp,
                    b.leader_epoch};
                if (!newest)
                    break;
            }
        }
    }
    arena_rewind(a, mark);
    return rc < 0 ? -1 : 0;
}

static enum kerr
find_time(struct request *r, struct tail *t, int64_t ts, int64_t limit,
    struct found *out)
{
    struct plog_found pf;
    struct tail_slice s;
    struct err err = {0};
    enum plog_status st;
    int rc;

    *out = (struct found){-1, -1, -1};
    st = plog_find_time(t->plog, ts, &r->arena, &pf, &err);
    if (st == PLOG_OK) {
        if (pf.offset < limit)
            *out = (struct found){pf.offset, pf.timestamp,
                pf.leader_epoch};
        return KERR_NONE;
    }
    if (st != PLOG_END) {
        diag(ERROR, LOG, "%s: a search by time fails partition=%d", err.text,
            t->partition);
        return KERR_KAFKA_STORAGE_ERROR;
    }
    if (!tail_find_time(t, ts, limit, &s))
        return KERR_NONE;
    rc = find_in_batch(s.bytes, ts, false, &r->arena, out, &err);
    chunk_unref(s.chunk);
    return rc < 0 ? KERR_CORRUPT_MESSAGE : KERR_NONE;
}

/* The newest timestamp may be in the files or in the tail. */
static enum kerr
find_newest(struct request *r, struct tail *t, int64_t limit,
    struct found *out)
{
    struct plog_found pf;
    struct tail_slice s;
    struct found one;
    struct err err = {0};
    enum plog_status st = plog_max_timestamp(t->plog, &r->arena, &pf, &err);

    *out = (struct found){-1, -1, -1};
    if (st == PLOG_OK)
        *out = (struct found){pf.offset, pf.timestamp,
                pf.leader_epoch};
    else if (st != PLOG_END)
        return KERR_KAFKA_STORAGE_ERROR;
    while (tail_find_time(t, out->timestamp + 1, limit, &s)) {
        int rc = find_in_batch(s.bytes, 0, true, &r->arena, &one, &err);

        chunk_unref(s.chunk);
        if (rc < 0)
            return KERR_CORRUPT_MESSAGE;
        if (one.timestamp <= out->timestamp)
            break; /* its header promised more than its records have */
        *out = one;
    }
    if (out->offset >= limit)
        *out = (struct found){-1, -1, -1};   /* not yet, for who asks */
    return KERR_NONE;
}

static enum kerr
find_offset(struct request *r, struct tail *t, int64_t timestamp,
    int64_t limit, struct found *out)
{
    *out = (struct found){-1, -1, -1};
    switch (timestamp) {
    case AT_LATEST:
        out->offset = limit;
        return KERR_NONE;
    case AT_EARLIEST:
    case AT_EARLIEST_LOCAL:
        out->offset = t->log_start;
        return KERR_NONE;
    case AT_EARLIEST_PENDING:
    case AT_LATEST_TIERED:
        return KERR_NONE;
    case AT_MAX_TIMESTAMP:
        return find_newest(r, t, limit, out);
    default:
        if (timestamp < 0)
            return KERR_INVALID_REQUEST;
        return find_time(r, t, timestamp, limit, out);
    }
}

static void
list_partition(struct request *r, struct topic *t, enum kerr missing,
    const struct list_offsets_request_partition *in,
    struct list_offsets_response_partition *out)
{
    struct partition *p = t == NULL
        ? NULL : topic_partition(t, in->partition_index);
    const struct list_offsets_request *body = r->body;
    struct found f = {-1, -1, -1};
    enum kerr error = missing;

    out->partition_index = in->partition_index;
    if (p == NULL) {
        out->error_code = (int16_t)(error != KERR_NONE
                ? error : KERR_UNKNOWN_TOPIC_OR_PARTITION);
        return;
    }
    if (in->current_leader_epoch >= 0
        && in->current_leader_epoch != p->tail->leader_epoch)
        error = in->current_leader_epoch < p->tail->leader_epoch
            ? KERR_FENCED_LEADER_EPOCH : KERR_UNKNOWN_LEADER_EPOCH;
    else
        error = find_offset(r, p->tail, in->timestamp,
            body->isolation_level == 1
                ? partition_stable(p) : p->tail->hw, &f);
    out->error_code = (int16_t)error;
    out->offset = f.offset;
    out->timestamp = f.timestamp;
    out->leader_epoch = f.offset < 0 || f.leader_epoch >= 0
        ? f.leader_epoch : p->tail->leader_epoch;
}

void
handle_list_offsets(struct request *r)
{
    const struct list_offsets_request *body = r->body;
    struct list_offsets_response *out;
    int32_t n = body->topics.n > 0 ? body->topics.n : 0;

    r->arena.limit += DECOMPRESSED_MAX;
    out = request_response(r);
    out->topics.v = wire_new(&list_offsets_response_topic_type, &r->arena,
        (size_t)n);
    for (; out->topics.v != NULL && out->topics.n < n; out->topics.n++) {
        const struct list_offsets_request_topic *in
            = &body->topics.v[out->topics.n];
        struct list_offsets_response_topic *to
            = &out->topics.v[out->topics.n];
        enum kerr missing = KERR_NONE;
        struct topic *t = api_topic(r->api, in->name, NULL, &missing);
        int32_t parts = in->partitions.n > 0 ? in->partitions.n : 0;

        to->name = in->name;
        to->partitions.v = wire_new(&list_offsets_response_partition_type,
            &r->arena, (size_t)parts);
        if (to->partitions.v == NULL)
            break;
        for (int32_t k = 0; k < parts; k++)
            list_partition(r, t, missing, &in->partitions.v[k],
                &to->partitions.v[k]);
        to->partitions.n = parts;
    }
    if (out->topics.v == NULL || out->topics.n < n) {
        request_close(r, "the request names too many partitions");
        return;
    }
    request_reply(r, 0, out);
}

/* ---- OffsetForLeaderEpoch (KIP-320) ---- */

static void
epoch_partition(struct topic *t, enum kerr missing,
    const struct offset_for_leader_epoch_request_partition *in,
    struct offset_for_leader_epoch_response_partition *out)
{
    struct partition *p = t == NULL
        ? NULL : topic_partition(t, in->partition);
    int32_t now;

    out->partition = in->partition;
    if (p == NULL) {
        out->error_code = (int16_t)(missing != KERR_NONE
                ? missing : KERR_UNKNOWN_TOPIC_OR_PARTITION);
        return;
    }
    now = p->tail->leader_epoch;
    if (in->current_leader_epoch >= 0 && in->current_leader_epoch != now) {
        out->error_code = in->current_leader_epoch < now
            ? KERR_FENCED_LEADER_EPOCH : KERR_UNKNOWN_LEADER_EPOCH;
        return;
    }
    if (in->leader_epoch >= 0)           /* else -1, -1: no epoch at all */
        tail_epoch_end(p->tail, in->leader_epoch, p->tail->hw,
            &out->leader_epoch, &out->end_offset);
}

void
handle_offset_for_leader_epoch(struct request *r)
{
    const struct offset_for_leader_epoch_request *body = r->body;
    struct offset_for_leader_epoch_response *out = request_response(r);
    int32_t n = body->topics.n > 0 ? body->topics.n : 0;

    out->topics.v = wire_new(&offset_for_leader_epoch_response_topic_type,
        &r->arena, (size_t)n);
    for (; out->topics.v != NULL && out->topics.n < n; out->topics.n++) {
        const struct offset_for_leader_epoch_request_topic *in
            = &body->topics.v[out->topics.n];
        struct offset_for_leader_epoch_response_topic *to
            = &out->topics.v[out->topics.n];
        enum kerr missing = KERR_NONE;
        struct topic *t = api_topic(r->api, in->topic, NULL, &missing);
        int32_t parts = in->partitions.n > 0 ? in->partitions.n : 0;

        to->topic = in->topic;
        to->partitions.v = wire_new(
            &offset_for_leader_epoch_response_partition_type, &r->arena,
            (size_t)parts);
        if (to->partitions.v == NULL)
            break;
        for (int32_t k = 0; k < parts; k++)
            epoch_partition(t, missing, &in->partitions.v[k],
                &to->partitions.v[k]);
        to->partitions.n = parts;
    }
    if (out->topics.v == NULL || out->topics.n < n) {
        request_close(r, "the request names too many partitions");
        return;
    }
    request_reply(r, 0, out);
}
