/*
 * fetch.c: Fetch, with its long poll.
 *
 * Batches go out whole and untouched: from the tail by reference, from the
 * files through a chunk of their own, verified as they are read. Clients read
 * below the high watermark, which is the end of the last committed epoch: no
 * reader ever sees a record that a power cut can take back. Who wants
 * committed records only reads below the last stable offset, and is told
 * which transactions were aborted; others are not told.
 *
 * Fetch sessions (KIP-227) are answered with session id 0 and all partitions
 * in full, which every client takes as "no session".
 *
 * A fetch that has less than min_bytes waits: it hangs a waiter on each of
 * its partitions, is woken by a publish that moved one, looked at again once
 * after the publish, and answered with what there is at its deadline.
 */
#include "config.h"

#include <stdlib.h>

#include "api/api_priv.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/limits.h"
#include "base/seeded.h"
#include "record/batch.h"
#include "wire/msg/fetch.h"

enum {
    SLICES = 64,                 /* batches of one partition in one answer */
    WAIT_MS_MAX = 300000,
    COLD_MAX = 4 * 1024 * 1024,  /* read from files for one partition */
};

struct fetch_wait {
    struct request *request;
    int64_t deadline_ms;
    bool woken;                  /* in the list of those to look at again */
    size_t count;
    struct fetch_waiter {
        struct waiter waiter;
        struct fetch_wait *wait;
    } waiters[];
};

struct fetch_run {               /* one attempt */
    struct request *request;
    struct fetch_response *response;
    size_t left, bytes;          /* of max_bytes; found */
    bool failed;                 /* some partition has an error: answer now */
    bool committed;              /* records of ended transactions only */
};

/* ---- records ---- */

/* Batches of the tail that lie next to each other in one chunk go out as one
 * piece; the others are copied together, since an answer has one span for
 * each partition. */
static struct span
join_slices(struct request *r, struct tail_slice *s, size_t n)
{
    size_t bytes = 0, at = 0;
    struct chunk *c;

    if (n == 1) {
        request_hold(r, s[0].chunk);
        return s[0].bytes;
    }
    for (size_t i = 0; i < n; i++)
        bytes += s[i].bytes.len;
    c = chunk_new(bytes);
    for (size_t i = 0; i < n; i++) {
        memcpy(c->data + at, s[i].bytes.ptr, s[i].bytes.len);
        at += s[i].bytes.len;
        chunk_unref(s[i].chunk);
    }
    request_hold(r, c);
    return span_of(c->data, bytes);
}

/* From the files. */
static enum kerr
read_cold(struct request *r, struct tail *t, int64_t offset, int64_t limit,
    size_t max, struct span *out)
{
    struct plog_want w = {.offset = offset, .end_offset = limit,
        .max_bytes = max < COLD_MAX ? max : COLD_MAX};
    struct plog_got got;
    struct buf buf;
    struct err err = {0};
    struct chunk *c;
    enum plog_status st;

    buf_init(&buf, FRAME_BYTES_MAX);
    st = plog_read(t->plog, &w, &buf, &got, &err);
    if (st == PLOG_OK) {
        c = chunk_new(buf.len);
        memcpy(c->data, buf.ptr, buf.len);
        request_hold(r, c);
        *out = span_of(c->data, buf.len);
    }
    buf_release(&buf);
    switch (st) {
    case PLOG_OK:
    case PLOG_END:
        return KERR_NONE;
    case PLOG_BELOW:
        return KERR_OFFSET_OUT_OF_RANGE;
    case PLOG_DAMAGED:
        diag(ERROR, LOG, "a batch is damaged: consumers get CORRUPT_MESSAGE; "
            "penstock check tells more, DeleteRecords to offset %lld passes "
            "it partition=%d offset=%lld segment=%lld pos=%u",
            (long long)got.damage.resume_offset, t->partition,
            (long long)got.damage.offset, (long long)got.damage.segment_base,
            got.damage.pos);
        return KERR_CORRUPT_MESSAGE;
    case PLOG_FAILED:
        diag(ERROR, LOG, "%s: a fetch fails partition=%d", err.text,
            t->partition);
        return KERR_KAFKA_STORAGE_ERROR;
    }
    return KERR_UNKNOWN_SERVER_ERROR;
}

static enum kerr
read_records(struct request *r, struct tail *t, int64_t offset,
    int64_t limit, size_t max, struct span *out)
{
    struct tail_slice s[SLICES];
    bool cold;
    size_t n;

    *out = span_of("", 0);
    if (offset >= limit)
        return KERR_NONE;
    n = tail_read(t, offset, limit, max, s, SLICES, &cold);
    if (cold)
        return read_cold(r, t, offset, limit, max, out);
    if (n > 0)
        *out = join_slices(r, s, n);
    return KERR_NONE;
}

/* ---- aborted transactions ---- */

/* One past the last offset of the batches. */
static int64_t
records_end(struct span records)
{
    int64_t end = -1;
    struct batch b;

    while (records.len > 0 && batch_parse(records, &b) == BATCH_OK) {
        end = batch_last_offset(&b) + 1;
        records = span_of(records.ptr + b.bytes.len,
            records.len - b.bytes.len);
    }
    return end;
}

/* Clients take them in the order in which they began. */
static int
by_first(const void *a, const void *b)
{
    const struct stable_aborted *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

/* Those that touch what is answered: a reader of committed records needs
 * them to drop batches, and gets an empty list, not null, if there are none
 * (KIP-98). false: the arena is at its limit. */
static bool
fetch_aborted(struct request *r, const struct partition *p, int64_t from,
    struct span records, struct fetch_response_partition *out)
{
    int64_t to = stable_aborted_count(p->stable) == 0 ? -1
                                                       : records_end(records);
    size_t n = to < 0 || seeded("aborts-unsaid")
        ? 0 : stable_aborted(p->stable, from, to, NULL, 0);
    struct stable_aborted *found = request_alloc(r, n, sizeof *found);

    out->aborted_transactions.v = wire_new(
        &fetch_response_aborted_type, &r->arena, n);
    if (found == NULL || out->aborted_transactions.v == NULL)
        return false;
    if (n > 0) {
        stable_aborted(p->stable, from, to, found, n);
        qsort(found, n, sizeof *found, by_first);
    }
    for (size_t i = 0; i < n; i++) {
        out->aborted_transactions.v[i].producer_id = found[i].producer_id;
        out->aborted_transactions.v[i].first_offset = found[i].first;
    }
    out->aborted_transactions.n = (int32_t)n;
    return true;
}

/* ---- one partition ---- */

static enum kerr
check_leader_epoch(const struct partition *p, int32_t epoch)
{
    if (epoch < 0 || epoch == p->tail->leader_epoch)
        return KERR_NONE;
    return epoch < p->tail->leader_epoch ? KERR_FENCED_LEADER_EPOCH
                                         : KERR_UNKNOWN_LEADER_EPOCH;
}

static void
fetch_partition(struct fetch_run *f, struct topic *t, enum kerr missing,
    const struct fetch_request_partition *in,
    struct fetch_response_partition *out)
{
    struct partition *p = t == NULL ? NULL : topic_partition(t, in->partition);
    size_t max = in->partition_max_bytes < 0
        ? 0 : (size_t)in->partition_max_bytes;
    struct span records = span_of("", 0);
    enum kerr error = missing;

    out->partition_index = in->partition;
    out->high_watermark = -1;
    out->records = records;
    out->aborted_transactions.n = -1;
    if (t != NULL && p == NULL)
        error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    if (p != NULL)
        error = check_leader_epoch(p, in->current_leader_epoch);
    if (error == KERR_NONE) {
        struct tail *tail = p->tail;

        out->high_watermark = tail->hw;
        out->last_stable_offset = partition_stable(p);
        out->log_start_offset = tail->log_start;
        if (in->fetch_offset < tail->log_start
            || in->fetch_offset > tail->hw)
            error = KERR_OFFSET_OUT_OF_RANGE;
        else if (f->left > 0 || f->bytes == 0)
            error = read_records(f->request, tail, in->fetch_offset,
                f->committed && !seeded("lso-ignored")
                    ? out->last_stable_offset : tail->hw,
                max < f->left ? max : f->left, &records);
        if (f->committed && error == KERR_NONE
            && !fetch_aborted(f->request, p, in->fetch_offset, records, out))
            error = KERR_UNKNOWN_SERVER_ERROR;
    }
    out->error_code = (int16_t)error;
    out->records = records;
    f->failed |= error != KERR_NONE;
    f->bytes += records.len;
    f->left -= records.len < f->left ? records.len : f->left;
}

/* ---- an attempt ---- */

static int
fetch_try(struct fetch_run *f)
{
    struct request *r = f->request;
    const struct fetch_request *body = r->body;
    struct fetch_response *out = request_response(r);
    int32_t topics = body->topics.n > 0 ? body->topics.n : 0;

    f->response = out;
    f->left = body->max_bytes < 0 ? 0 : (size_t)body->max_bytes;
    if (f->left > quota_fetch_max(r))
        f->left = quota_fetch_max(r);
    out->responses.v = wire_new(&fetch_response_topic_type, &r->arena,
        (size_t)topics);
    if (out->responses.v == NULL)
        return -1;
    out->responses.n = topics;
    for (int32_t i = 0; i < topics; i++) {
        const struct fetch_request_topic *in = &body->topics.v[i];
        struct fetch_response_topic *to = &out->responses.v[i];
        int32_t n = in->partitions.n > 0 ? in->partitions.n : 0;
        enum kerr missing = KERR_NONE;
        struct topic *t = api_topic(r->api, in->topic, &in->topic_id,
            &missing);

        to->topic = in->topic;
        to->topic_id = in->topic_id;
        to->partitions.v = wire_new(&fetch_response_partition_type, &r->arena,
            (size_t)n);
        if (to->partitions.v == NULL)
            return -1;
        to->partitions.n = n;
        for (int32_t k = 0; k < n; k++)
            fetch_partition(f, t, missing, &in->partitions.v[k],
                &to->partitions.v[k]);
    }
    return 0;
}

/* ---- waiting ---- */

/* Called within a publish: only remembers; fetch_recheck() looks. */
static void
fetch_woken(struct waiter *w)
{
    struct fetch_wait *f = container_of(w, struct fetch_waiter, waiter)->wait;
    struct api *a = f->request->api;

    if (f->woken)
        return;
    f->woken = true;
    TAILQ_REMOVE(&a->fetches, f->request, waiting);
    TAILQ_INSERT_TAIL(&a->woken, f->request, waiting);
}

static void
fetch_stop_waiting(struct request *r)
{
    struct fetch_wait *f = r->priv;
    struct api *a = r->api;

    for (size_t i = 0; i < f->count; i++)
        if (f->waiters[i].waiter.partition != NULL)
            TAILQ_REMOVE(&f->waiters[i].waiter.partition->waiters,
                &f->waiters[i].waiter, next);
    if (f->woken)
        TAILQ_REMOVE(&a->woken, r, waiting);
    else
        TAILQ_REMOVE(&a->fetches, r, waiting);
    free(f);
    r->priv = NULL;
    r->cancel = NULL;
}

static size_t
fetch_partitions(const struct fetch_request *body)
{
    size_t n = 0;

    for (int32_t i = 0; i < body->topics.n; i++)
        n += (size_t)(body->topics.v[i].partitions.n > 0
                ? body->topics.v[i].partitions.n : 0);
    return n;
}

static void
fetch_wait_on(struct fetch_wait *f, struct partition *p)
{
    struct fetch_waiter *w = &f->waiters[f->count++];

    w->wait = f;
    w->waiter.partition = p;
    w->waiter.fn = fetch_woken;
    TAILQ_INSERT_TAIL(&p->waiters, &w->waiter, next);
}

/* In the order of deadlines; most have the same wait and go to the end. */
static void
fetch_enqueue(struct api *a, struct request *r)
{
    const struct fetch_wait *f = r->priv;
    struct request *at = TAILQ_LAST(&a->fetches, waiting_list);

    while (at != NULL) {
        const struct fetch_wait *other = at->priv;

        if (other->deadline_ms <= f->deadline_ms)
            break;
        at = TAILQ_PREV(at, waiting_list, waiting);
    }
    if (at == NULL)
        TAILQ_INSERT_HEAD(&a->fetches, r, waiting);
    else
        TAILQ_INSERT_AFTER(&a->fetches, at, r, waiting);
}

static void
fetch_begin_waiting(struct request *r)
{
    const struct fetch_request *body = r->body;
    size_t n = fetch_partitions(body);
    struct fetch_wait *f = xcalloc(1, sizeof *f + n * sizeof f->waiters[0]);
    int64_t wait = body->max_wait_ms;

    f->request = r;
    f->deadline_ms = api_now(r->api)
        + (wait > WAIT_MS_MAX ? WAIT_MS_MAX : wait);
    for (int32_t i = 0; i < body->topics.n; i++) {
        const struct fetch_request_topic *in = &body->topics.v[i];
        enum kerr missing;
        struct topic *t = api_topic(r->api, in->topic, &in->topic_id,
            &missing);

        for (int32_t k = 0; t != NULL && k < in->partitions.n; k++) {
            struct partition *p = topic_partition(t,
                in->partitions.v[k].partition);

            if (p != NULL)
                fetch_wait_on(f, p);
        }
    }
    r->priv = f;
    r->cancel = fetch_stop_waiting;
    fetch_enqueue(r->api, r);
}

static void
fetch_drop_held(struct request *r)
{
    for (size_t i = 0; i < r->held_count; i++)
        chunk_unref(r->held[i]);
    r->held_count = 0;
}

/* One attempt: answered, or not enough yet and `final` not set. */
static bool
fetch_attempt(struct request *r, bool final)
{
    const struct fetch_request *body = r->body;
    struct arena_mark mark = arena_mark(&r->arena);
    struct fetch_run f = {.request = r,
        .committed = body->isolation_level == 1};

    if (fetch_try(&f) < 0) {
        if (r->priv != NULL)
            fetch_stop_waiting(r);
        request_close(r, "the fetch has too many partitions");
        return true;
    }
    if (!final && !f.failed && body->max_wait_ms > 0
        && f.bytes < (size_t)(body->min_bytes > 0 ? body->min_bytes : 0)) {
        fetch_drop_held(r);
        arena_rewind(&r->arena, mark);
        return false;
    }
    if (r->priv != NULL)
        fetch_stop_waiting(r);
    /* What is read is published, so it needs no gate. */
    request_reply(r, 0, f.response);
    return true;
}

void
fetch_recheck(struct api *a)
{
    struct waiting_list list;
    struct request *r;

    TAILQ_INIT(&list);
    TAILQ_CONCAT(&list, &a->woken, waiting);
    while ((r = TAILQ_FIRST(&list)) != NULL) {
        struct fetch_wait *f = r->priv;

        TAILQ_REMOVE(&list, r, waiting);
        f->woken = false;
        fetch_enqueue(a, r);
        fetch_attempt(r, false);
    }
}

int64_t
fetch_tick(struct api *a, int64_t now_ms)
{
    struct request *r;

    if (!TAILQ_EMPTY(&a->woken))
        fetch_recheck(a); /* a topic was deleted under them */
    while ((r = TAILQ_FIRST(&a->fetches)) != NULL) {
        const struct fetch_wait *f = r->priv;

        if (f->deadline_ms > now_ms)
            return f->deadline_ms - now_ms;
        fetch_attempt(r, true);
    }
    return 1000;
}

/* ---- the request ---- */

static void
fetch_refuse(struct request *r, enum kerr error)
{
    struct fetch_response *out = request_response(r);

    out->error_code = (int16_t)error;
    request_reply(r, 0, out);
}

void
handle_fetch(struct request *r)
{
    const struct fetch_request *body = r->body;

    if (body->replica_id >= 0 || body->replica_state.replica_id >= 0) {
        request_close(r, "a fetch as a replica: there are none");
        return;
    }
    /* A session that we never gave: the client begins a new one. */
    if (body->session_id != 0 && body->session_epoch > 0) {
        fetch_refuse(r, KERR_FETCH_SESSION_ID_NOT_FOUND);
        return;
    }
    if (!fetch_attempt(r, false))
        fetch_begin_waiting(r);
}
