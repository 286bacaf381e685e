/* reader.c: see reader.h. */
#include "config.h"

#include "client/reader.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "client/client_priv.h"
#include "wire/msg/fetch.h"

enum {
    FETCH_BYTES = 16 << 20,      /* of one answer */
    FETCH_PART_BYTES = 1 << 20,  /* of a partition in it */
};

struct reader {
    struct client *client;
    const struct client_topic *topic;
    struct reader_part *parts;
    size_t count, first;         /* whose turn it is to be asked first */
    struct arena fetched;        /* the answer */
    struct arena batch;          /* what a batch is when decompressed */

    /* where reader_next() is */
    const struct fetch_response *resp;
    int32_t topic_at, part_at;
    struct span left;            /* of the records of that partition */
    bool in_part, in_batch;
    struct batch_iter iter;
};

struct reader *
reader_new(struct client *c, const struct client_topic *topic)
{
    struct reader *r = xcalloc(1, sizeof *r);

    r->client = c;
    r->topic = topic;
    arena_init(&r->fetched, CLIENT_ANSWER_MAX);
    arena_init(&r->batch, 2 * DECOMPRESSED_MAX);
    return r;
}

void
reader_free(struct reader *r)
{
    if (r == NULL)
        return;
    arena_release(&r->fetched);
    arena_release(&r->batch);
    free(r->parts);
    free(r);
}

/* ---- partitions --------------------------------------------------------- */

static struct reader_part *
part_of(struct reader *r, int32_t partition)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->parts[i].partition == partition)
            return &r->parts[i];
    }
    return NULL;
}

void
reader_seek(struct reader *r, int32_t partition, int64_t position, int64_t end)
{
    struct reader_part *p = part_of(r, partition);

    if (p == NULL) {
        r->parts = xrealloc(r->parts, (r->count + 1) * sizeof *p);
        p = &r->parts[r->count++];
        *p = (struct reader_part){.partition = partition};
    }
    p->position = position;
    p->end = end;
    r->resp = NULL;
}

void
reader_clear(struct reader *r)
{
    r->count = r->first = 0;
    r->resp = NULL;
}

const struct reader_part *
reader_parts(const struct reader *r, size_t *count)
{
    *count = r->count;
    return r->parts;
}

bool
reader_done(const struct reader *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->parts[i].position < r->parts[i].end)
            return false;
    }
    return true;
}

/* ---- one Fetch ---------------------------------------------------------- */

static int
build_request(struct reader *r, int wait_ms, struct fetch_request *req)
{
    struct fetch_request_topic *t;
    struct fetch_request_partition *to;

    wire_init(&fetch_request_type, req);
    req->max_wait_ms = wait_ms;
    req->min_bytes = 1;
    req->max_bytes = FETCH_BYTES;
    req->isolation_level = r->client->committed;
    t = wire_new(&fetch_request_topic_type, &r->fetched, 1);
    to = wire_new(&fetch_request_partition_type, &r->fetched, r->count + 1);
    if (t == NULL || to == NULL)
        return -1;
    t->topic = client_name_span(r->topic->name);
    t->topic_id = r->topic->id;
    t->partitions.v = to;
    for (size_t i = 0; i < r->count; i++) {
        const struct reader_part *p = &r->parts[(r->first + i) % r->count];

        if (p->position >= p->end)
            continue;
        to->partition = p->partition;
        to->fetch_offset = p->position;
        to->partition_max_bytes = FETCH_PART_BYTES;
        to++;
    }
    t->partitions.n = (int32_t)(to - t->partitions.v);
    req->topics.v = t;
    req->topics.n = t->partitions.n > 0 ? 1 : 0;
    return 0;
}

/* What the partition held at our position has been deleted: go on where it
 * begins now, and remember how much that was. */
static int
catch_up(struct reader *r, struct reader_part *p, struct err *err)
{
    struct offset_query q[2] = {
        {.topic = r->topic, .partition = p->partition, .at = OFFSET_BEGIN},
        {.topic = r->topic, .partition = p->partition, .at = OFFSET_END},
    };

    /* One question a request: some brokers take no partition twice. */
    if (client_offsets(r->client, &q[0], 1, err) != 0
        || client_offsets(r->client, &q[1], 1, err) != 0)
        return -1;
    if (p->position > q[1].offset || p->position >= q[0].offset)
        return client_refused(err, KERR_OFFSET_OUT_OF_RANGE,
            "offset %lld of %s/%d lies outside %lld..%lld",
            (long long)p->position, r->topic->name, p->partition,
            (long long)q[0].offset, (long long)q[1].offset);
    p->skipped += q[0].offset - p->position;
    p->position = q[0].offset;
    return 0;
}

static int
check_answer(struct reader *r, struct err *err)
{
    struct reader_part *part;

    if (r->resp->error_code != 0)
        return client_refused(err, r->resp->error_code, "fetch of '%s'",
            r->topic->name);
    for (int32_t i = 0; i < r->resp->responses.n; i++) {
        const struct fetch_response_topic *t = &r->resp->responses.v[i];

        for (int32_t j = 0; j < t->partitions.n; j++) {
            const struct fetch_response_partition *p = &t->partitions.v[j];

            part = part_of(r, p->partition_index);
            if (part == NULL)
                return err_set(err, ERR_FORMAT, "records of %s/%d came "
                    "unasked", r->topic->name, p->partition_index);
            if (p->error_code == KERR_OFFSET_OUT_OF_RANGE) {
                if (catch_up(r, part, err) != 0)
                    return -1;
            } else if (p->error_code != 0) {
                return client_refused(err, p->error_code, "fetch of %s/%d",
                    r->topic->name, p->partition_index);
            }
        }
    }
    return 0;
}

int
reader_poll(struct reader *r, int wait_ms, struct err *err)
{
    struct fetch_request req;
    struct fetch_response *resp;

    r->resp = NULL;
    r->topic_at = r->part_at = 0;
    r->in_part = r->in_batch = false;
    arena_reset(&r->fetched);
    if (build_request(r, wait_ms, &req) != 0)
        return err_set(err, ERR_LIMIT, "too many partitions");
    if (req.topics.n == 0)
        return 0;
    r->first = (r->first + 1) % r->count;
    if (client_call_wait(r->client, API_FETCH, &req, wait_ms, &r->fetched,
            &resp, err) != 0)
        return -1;
    r->resp = resp;
    if (check_answer(r, err) != 0) {
        r->resp = NULL;
        return -1;
    }
    return 0;
}

/* ---- its records -------------------------------------------------------- */

/* An aborted transaction reaches from its first offset to the marker that
 * ends it. The marker in the data takes the entry out of the list. */
static bool
is_aborted(struct fetch_response_partition *p, const struct batch *b)
{
    bool marker = (b->attributes & BATCH_CONTROL) != 0;

    if (!(b->attributes & BATCH_TRANSACTIONAL))
        return false;
    for (int32_t i = 0; i < p->aborted_transactions.n; i++) {
        struct fetch_response_aborted *t = &p->aborted_transactions.v[i];

        if (t->producer_id != b->producer_id
            || t->first_offset > batch_last_offset(b))
            continue;
        if (marker) {
            *t = p->aborted_transactions.v[p->aborted_transactions.n - 1];
            p->aborted_transactions.n--;
        }
        return true;
    }
    return false;
}

/* The next partition of the answer that has records, or NULL. */
static struct fetch_response_partition *
this_part(struct reader *r)
{
    while (r->resp != NULL && r->topic_at < r->resp->responses.n) {
        const struct fetch_response_topic *t =
            &r->resp->responses.v[r->topic_at];

        if (r->part_at < t->partitions.n)
            return &t->partitions.v[r->part_at];
        r->topic_at++;
        r->part_at = 0;
        r->in_part = false;
    }
    return NULL;
}

static int
damaged(const struct reader *r, const struct reader_part *part,
    const char *what, struct err *err)
{
    return err_set(err, ERR_DAMAGE, "%s/%d near offset %lld: %s",
        r->topic->name, part->partition, (long long)part->position, what);
}

/* Opens the next batch of the partition. 1: there is one, 0: no more. */
static int
next_batch(struct reader *r, struct fetch_response_partition *p,
    struct reader_part *part, struct err *err)
{
    enum batch_status status;
    struct batch b;
    struct err why;

    while (r->left.len > 0) {
        status = batch_parse(r->left, &b);
        if (status == BATCH_SHORT)
            break;               /* brokers cut the last one where it ends */
        if (status == BATCH_OK)
            status = batch_check(&b);
        if (status != BATCH_OK)
            return damaged(r, part, batch_status_text(status), err);
        r->left.ptr += b.bytes.len;
        r->left.len -= b.bytes.len;
        if (is_aborted(p, &b) || (b.attributes & BATCH_CONTROL)) {
            if (part->position <= batch_last_offset(&b))
                part->position = batch_last_offset(&b) + 1;
            continue;
        }
        arena_reset(&r->batch);
        if (batch_iter_init(&r->iter, &b, &r->batch, &why) != 0)
            return damaged(r, part, why.text, err);
        r->in_batch = true;
        return 1;
    }
    return 0;
}

/* The next record of the open batch that is wanted. 1, or 0: no more. */
static int
next_record(struct reader *r, struct reader_part *part, struct record *rec,
    struct err *err)
{
    int64_t after = batch_last_offset(&r->iter.batch) + 1;
    struct err why;
    int n;

    while ((n = batch_iter_next(&r->iter, rec, &why)) == 1) {
        if (rec->offset < part->position)
            continue;
        if (rec->offset >= part->end) {
            part->position = part->end;
            return 0;
        }
        part->position = rec->offset + 1;
        return 1;
    }
    if (n < 0)
        return damaged(r, part, why.text, err);
    if (part->position < after)
        part->position = after;
    return 0;
}

int
reader_next(struct reader *r, struct reader_record *out, struct err *err)
{
    struct fetch_response_partition *p;
    struct reader_part *part;
    int n;

    while ((p = this_part(r)) != NULL) {
        part = part_of(r, p->partition_index);
        if (!r->in_part) {
            r->left = p->records;
            r->in_part = true;
            r->in_batch = false;
        }
        if (!r->in_batch) {
            n = part->position >= part->end ? 0
                                            : next_batch(r, p, part, err);
            if (n < 0)
                return -1;
            if (n == 0) {
                r->part_at++;
                r->in_part = false;
            }
            continue;
        }
        n = next_record(r, part, &out->record, err);
        if (n == 1) {
            out->topic = r->topic;
            out->partition = part->partition;
            return 1;
        }
        r->in_batch = false;
        if (n < 0)
            return -1;
    }
    return 0;
}
