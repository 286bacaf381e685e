/* writer.c: see writer.h. */
#include "config.h"

#include "client/writer.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/table.h"
#include "base/world.h"
#include "wire/msg/produce.h"

struct writer_part {
    struct buf bytes;            /* the batch that grows */
    struct batch_builder builder;
    int32_t count;
    bool joined;                 /* its partition is in the transaction */
    int32_t sequence;            /* of the next batch, in a transaction */
};

struct writer {
    struct client *client;
    const struct client_topic *topic;
    struct writer_conf conf;
    struct writer_part *parts;
    struct arena answer;
    int32_t sent[CLIENT_PIPELINE];       /* records of each, oldest first */
    unsigned open;                       /* requests under way */
    int32_t sticky;                      /* where keyless records go */
};

static int32_t
any_partition(int32_t partitions)
{
    uint32_t random;

    world_random(world_real(), &random, sizeof random);
    return (int32_t)(random % (uint32_t)partitions);
}

struct writer *
writer_new(struct client *c, const struct client_topic *topic,
    const struct writer_conf *conf)
{
    struct writer *w = xcalloc(1, sizeof *w);

    w->client = c;
    w->topic = topic;
    w->conf = *conf;
    if (w->conf.batch_bytes == 0)
        w->conf.batch_bytes = 256 * KIB;
    w->parts = xcalloc((size_t)topic->partitions, sizeof *w->parts);
    for (int32_t i = 0; i < topic->partitions; i++)
        buf_init(&w->parts[i].bytes, FRAME_BYTES_MAX / 2);
    w->sticky = any_partition(topic->partitions);
    arena_init(&w->answer, 4 * MIB);
    return w;
}

void
writer_free(struct writer *w)
{
    if (w == NULL)
        return;
    for (int32_t i = 0; i < w->topic->partitions; i++)
        buf_release(&w->parts[i].bytes);
    arena_release(&w->answer);
    free(w->parts);
    free(w);
}

int32_t
writer_partition(struct span key, int32_t partitions)
{
    return (int32_t)((murmur2(key) & 0x7fffffff) % (uint32_t)partitions);
}

/* ---- answers ------------------------------------------------------------ */

static int
judge(struct writer *w, const struct produce_response_partition *p,
    int32_t count, struct err *err)
{
    if (p->error_code != 0)
        return client_refused(err, p->error_code, "%s/%d refused %d record%s%s"
            "%.*s", w->topic->name, p->index, count, count == 1 ? "" : "s",
            p->error_message.len > 0 ? ": " : "",
            (int)p->error_message.len, (const char *)p->error_message.ptr);
    if (w->conf.acked != NULL)
        w->conf.acked(w->conf.arg, p->index, p->base_offset, count);
    return 0;
}

static int
take_answer(struct writer *w, struct err *err)
{
    struct produce_response *resp;
    int32_t count = w->sent[0];
    void *got;

    arena_reset(&w->answer);
    if (client_receive(w->client, 0, &w->answer, &got, err) != 0)
        return -1;
    memmove(w->sent, w->sent + 1, sizeof w->sent - sizeof w->sent[0]);
    w->open--;
    resp = got;
    if (resp->responses.n != 1
        || resp->responses.v[0].partition_responses.n != 1)
        return err_set(err, ERR_FORMAT, "the answer to Produce has %d topics",
            resp->responses.n);
    return judge(w, &resp->responses.v[0].partition_responses.v[0], count, err);
}

/* ---- batches ------------------------------------------------------------ */

/* A request in between would be answered after those under way, so these
 * come first. */
static int
join_txn(struct writer *w, int32_t partition, struct batch_build *build,
    struct err *err)
{
    struct writer_part *part = &w->parts[partition];
    struct client_txn *t = w->conf.txn;

    while (!part->joined && w->open > 0)
        if (take_answer(w, err) != 0)
            return -1;
    if (!part->joined && client_txn_join(t, w->topic, partition, err) != 0)
        return -1;
    part->joined = true;
    build->producer_id = t->producer_id;
    build->producer_epoch = t->producer_epoch;
    build->base_sequence = part->sequence;
    build->attributes |= BATCH_TRANSACTIONAL;
    part->sequence += part->count;
    return 0;
}

static int
send_batch(struct writer *w, int32_t partition, struct err *err)
{
    struct writer_part *part = &w->parts[partition];
    struct batch_build build = BATCH_BUILD_PLAIN;
    struct produce_request_partition p;
    struct produce_request_topic t;
    struct produce_request req;

    if (w->open == CLIENT_PIPELINE && take_answer(w, err) != 0)
        return -1;
    build.attributes = (uint16_t)w->conf.codec;
    if (w->conf.txn != NULL && join_txn(w, partition, &build, err) != 0)
        return -1;
    if (batch_builder_end(&part->builder, &build, err) != 0)
        return -1;
    wire_init(&produce_request_partition_type, &p);
    wire_init(&produce_request_topic_type, &t);
    wire_init(&produce_request_type, &req);
    p.index = partition;
    p.records = buf_span(&part->bytes);
    t.name = client_name_span(w->topic->name);
    t.topic_id = w->topic->id;
    t.partition_data.v = &p;
    t.partition_data.n = 1;
    if (w->conf.txn != NULL)
        req.transactional_id = client_name_span(w->conf.txn->id);
    req.acks = -1;
    req.timeout_ms = client_timeout_ms(w->client);
    req.topic_data.v = &t;
    req.topic_data.n = 1;
    if (client_send(w->client, API_PRODUCE, &req, err) != 0)
        return -1;
    w->sent[w->open++] = part->count;
    part->count = 0;
    buf_clear(&part->bytes);
    return 0;
}

static int32_t
choose(struct writer *w, int32_t partition, struct span key)
{
    if (partition != PARTITION_BY_KEY)
        return partition;
    return key.ptr == NULL ? w->sticky
                           : writer_partition(key, w->topic->partitions);
}

int
writer_add(struct writer *w, int32_t partition, int64_t timestamp_ms,
    struct span key, struct span value, const struct header *headers,
    size_t header_count, struct err *err)
{
    struct writer_part *part;

    partition = choose(w, partition, key);
    if (partition < 0 || partition >= w->topic->partitions)
        return client_refused(err, KERR_UNKNOWN_TOPIC_OR_PARTITION,
            "topic '%s' has partitions 0 to %d, not %d", w->topic->name,
            w->topic->partitions - 1, partition);
    part = &w->parts[partition];
    if (part->count == 0)
        batch_builder_init(&part->builder, &part->bytes);
    batch_builder_add(&part->builder, timestamp_ms, key, value, headers,
        header_count);
    part->count++;
    if (part->bytes.failed)
        return err_set(err, ERR_LIMIT, "a record of %zu bytes",
            key.len + value.len);
    if (batch_builder_size(&part->builder) < w->conf.batch_bytes)
        return 0;
    if (partition == w->sticky)
        w->sticky = (w->sticky + 1) % w->topic->partitions;
    return send_batch(w, partition, err);
}

int
writer_flush(struct writer *w, struct err *err)
{
    for (int32_t i = 0; i < w->topic->partitions; i++) {
        if (w->parts[i].count > 0 && send_batch(w, i, err) != 0)
            return -1;
    }
    while (w->open > 0) {
        if (take_answer(w, err) != 0)
            return -1;
    }
    return 0;
}
