/* raw_fetch.c: consuming at little cost: of a batch the header is read. */
#include "config.h"

#include <string.h>

#include "base/limits.h"
#include "bench/raw.h"
#include "client/client.h"
#include "record/batch.h"
#include "wire/msg/fetch.h"
#include "wire/wire.h"

enum { FETCH_VERSION = 12, FETCH_BYTES = 50 << 20 };

void
raw_fetch_init(struct raw_fetch *f, const char *topic, int32_t partitions)
{
    memset(f, 0, sizeof *f);
    f->topic = topic;
    f->partitions = partitions;
    f->wait_ms = 500;
    f->partition_bytes = 1 << 20;        /* as clients have it by default */
    buf_init(&f->frame, MIB);
}

void
raw_fetch_release(struct raw_fetch *f)
{
    buf_release(&f->frame);
}

void
raw_fetch_ask(struct raw_fetch *f)
{
    struct fetch_request_partition p[RAW_PARTITIONS_MAX];
    struct fetch_request_topic t;
    struct fetch_request rq;
    struct wire_out out;

    wire_init(&fetch_request_type, &rq);
    wire_init(&fetch_request_topic_type, &t);
    for (int32_t i = 0; i < f->partitions; i++) {
        wire_init(&fetch_request_partition_type, &p[i]);
        p[i].partition = i;
        p[i].fetch_offset = f->offsets[i];
        p[i].partition_max_bytes = f->partition_bytes;
    }
    t.topic = span_str(f->topic);
    t.partitions.v = p;
    t.partitions.n = f->partitions;
    rq.max_wait_ms = f->wait_ms;
    rq.min_bytes = 1;
    rq.max_bytes = FETCH_BYTES;
    rq.topics.v = &t;
    rq.topics.n = 1;
    wire_out_init(&out, MIB, SIZE_MAX);
    wire_put_request(wire_api(API_FETCH), FETCH_VERSION, 1, span_str("bench"),
        &rq, &out);
    buf_clear(&f->frame);
    wire_out_copy(&out, &f->frame);
    wire_out_release(&out);
}

/* Whole batches from the partition's next offset on; the last may be cut. */
static void
take_batches(struct raw_fetch *f, int32_t partition, struct span records,
    raw_batch_fn *fn, void *arg)
{
    struct batch b;

    while (batch_parse(records, &b) == BATCH_OK) {
        records = span_of(records.ptr + b.bytes.len,
            records.len - b.bytes.len);
        if (fn != NULL)
            fn(arg, partition, &b);
        f->offsets[partition] = batch_last_offset(&b) + 1;
        f->bytes += (int64_t)b.bytes.len;
        f->records += b.record_count;
    }
}

int
raw_fetch_take(struct raw_fetch *f, struct raw *r, struct span frame,
    raw_batch_fn *fn, void *arg, struct err *err)
{
    const struct wire_api *api = wire_api(API_FETCH);
    struct fetch_response *answer;
    int32_t correlation;
    size_t used;

    arena_reset(&r->arena);
    if (wire_decode_response_header(api, FETCH_VERSION, frame, &correlation,
            &used, err) < 0
        || wire_decode(api->response, FETCH_VERSION,
            span_of(frame.ptr + used, frame.len - used), &r->arena,
            (void **)&answer, err) < 0)
        return -1;
    if (answer->error_code != 0)
        return client_refused(err, answer->error_code, "fetch");
    for (int32_t i = 0; answer->responses.n > 0
            && i < answer->responses.v[0].partitions.n; i++) {
        struct fetch_response_partition *p =
            &answer->responses.v[0].partitions.v[i];

        if (p->error_code != 0)
            return client_refused(err, p->error_code, "fetch %s", f->topic);
        if (p->partition_index < 0 || p->partition_index >= f->partitions)
            return err_set(err, ERR_FORMAT, "a partition nobody asked for");
        if (p->records.ptr != NULL)
            take_batches(f, p->partition_index, p->records, fn, arg);
    }
    return 0;
}
