/*
 * local_poll.c: how a task reads its input: the newest linked records, from
 * memory while it keeps up, from the files when it has fallen behind.
 *
 * What a poll returns is borrowed until the next one: chunks that were left
 * behind meanwhile are kept in `retired` until then, and so is what was read
 * from files and the memory of decompressed batches. A batch that was only partly read is carried over to
 * the next poll, which ends with it: so its memory is let go in the one after.
 */
#include "config.h"

#include "port/local_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "plog/plog.h"

static void
retire(struct local_input *in, struct chunk *c)
{
    if (in->retired_count == countof(in->retired)) {
        chunk_unref(c); /* can't be: a poll meets SLICES + 1 at most */
        return;
    }
    in->retired[in->retired_count++] = c;
}

static void
drop_slices(struct local_input *in)
{
    for (; in->slice_at < in->slice_count; in->slice_at++)
        chunk_unref(in->slices[in->slice_at].chunk);
    in->slice_at = in->slice_count = 0;
}

static void
drop_retired(struct local_input *in)
{
    while (in->retired_count > 0)
        chunk_unref(in->retired[--in->retired_count]);
    in->cold_borrowed = false;
}

void
local_input_reset(struct local_input *in)
{
    drop_slices(in);
    drop_retired(in);
    buf_release(&in->cold);
    in->cold_open = false;
    in->iter_open = false;
    arena_reset(&in->arena);
}

/* Up to where it may read: what is linked, or published, and of ended
 * transactions. A transaction lowers `stable` before its first batch moves
 * the end, so the end is read first. */
static int64_t
input_limit(const struct local_input *in)
{
    int64_t end = in->published ? in->tail->hw : in->tail->end;
    int64_t stable = in->published ? in->tail->stable_published
                                   : in->tail->stable;

    return stable < end ? stable : end;
}

/* Reads batches from the files, into the same memory each time. */
static enum port_status
fill_cold(struct local_input *in, struct err *err)
{
    struct plog_want w = {.offset = in->next, .end_offset = input_limit(in),
        .max_bytes = POLL_BYTES};
    struct plog_got got;
    enum plog_status st;

    assert(!in->cold_open && !in->cold_borrowed);
    buf_clear(&in->cold);
    st = plog_read(in->tail->plog, &w, &in->cold, &got, err);
    if (st == PLOG_OK) {
        in->cold_open = in->cold.len > 0;
        in->cold_at = 0;
    }
    if (st == PLOG_BELOW) {
        in->next = in->tail->log_start;
        return PORT_OK;
    }
    if (st == PLOG_DAMAGED) {
        err_set(err, ERR_DAMAGE, "the log %s is damaged at offset %lld "
            "(partition %d): penstock check tells more", in->topic->name,
            (long long)got.damage.offset, in->tail->partition);
        return PORT_FAILED;
    }
    return st == PLOG_FAILED ? PORT_FAILED : PORT_OK;
}

/* The next batch's bytes; len 0: there is none now. */
static enum port_status
next_batch(struct local_input *in, struct span *bytes, struct err *err)
{
    bool cold = false;

    *bytes = SPAN_NULL;
    if (in->cold_open && in->cold_at == in->cold.len) {
        in->cold_open = false;
        in->cold_borrowed = true;
    }
    if (!in->cold_open && in->slice_at == in->slice_count) {
        in->slice_at = 0;
        if (in->retired_count > 0 || in->cold_borrowed) {
            /* What this poll borrows stays; more comes with the next. */
            in->slice_count = 0;
            return PORT_OK;
        }
        if (in->next < in->tail->log_start)
            in->next = in->tail->log_start;
        in->slice_count = tail_read(in->tail, in->next, input_limit(in),
            POLL_BYTES, in->slices, SLICES, &cold);
        if (cold && fill_cold(in, err) != PORT_OK)
            return PORT_FAILED;
        if (!cold)               /* caught up: the memory is others' */
            buf_release(&in->cold);
    }
    if (in->cold_open) {
        *bytes = span_of(in->cold.ptr + in->cold_at,
            in->cold.len - in->cold_at);
    } else if (in->slice_at < in->slice_count) {
        *bytes = in->slices[in->slice_at].bytes;
    }
    return PORT_OK;
}

/* Done with the batch at hand: its chunk is kept until the next poll. */
static void
end_batch(struct local_input *in)
{
    in->iter_open = false;
    if (in->next <= batch_last_offset(&in->iter.batch))
        in->next = batch_last_offset(&in->iter.batch) + 1;
    if (in->cold_open)
        in->cold_at += in->iter.batch.bytes.len;
    else
        retire(in, in->slices[in->slice_at++].chunk);
}

/* Opens the iterator on the next batch that has records for tasks. */
static enum port_status
open_batch(struct local_input *in, struct err *err)
{
    struct span bytes;
    struct batch b;

    for (;;) {
        if (next_batch(in, &bytes, err) != PORT_OK)
            return PORT_FAILED;
        if (bytes.len == 0)
            return PORT_OK;
        if (batch_parse(bytes, &b) != BATCH_OK) {
            err_set(err, ERR_DAMAGE, "a batch of %s is damaged",
                in->topic->name);
            return PORT_FAILED;
        }
        in->iter.batch = b;
        if (b.attributes & BATCH_CONTROL
            || (b.attributes & BATCH_TRANSACTIONAL
                && stable_is_aborted(in->tail->txns, b.producer_id,
                    b.base_offset))) {
            end_batch(in);
            continue;
        }
        if (batch_iter_init(&in->iter, &b, &in->arena, err) < 0) {
            err_prefix(err, "%s[%d] at offset %lld", in->topic->name,
                in->tail->partition, (long long)b.base_offset);
            return PORT_FAILED;
        }
        in->iter_open = true;
        return PORT_OK;
    }
}

static int
record_headers(struct local_input *in, const struct record *r,
    struct port_record *out)
{
    struct port_header *h;
    struct span rest = r->headers;

    out->headers = NULL;
    out->header_count = 0;
    if (r->header_count <= 0)
        return 0;
    h = arena_calloc(&in->arena, (size_t)r->header_count, sizeof *h);
    if (h == NULL)
        return -1;
    for (int32_t i = 0; i < r->header_count; i++)
        if (headers_next(&rest, &h[i].name, &h[i].value) != 1)
            return -1;
    out->headers = h;
    out->header_count = (unsigned)r->header_count;
    return 0;
}

/* Records of the open batch, from in->next on. */
static enum port_status
take_records(struct local_input *in, unsigned max, struct port_record *out,
    unsigned *count, struct err *err)
{
    struct record r;
    int rc = 1;

    while (*count < max) {
        rc = batch_iter_next(&in->iter, &r, err);
        if (rc != 1)
            break;
        if (r.offset < in->next)
            continue; /* began within the batch */
        out[*count] = (struct port_record){.offset = r.offset,
            .timestamp = in->iter.batch.attributes & BATCH_LOG_APPEND_TIME
                ? in->iter.batch.max_timestamp : r.timestamp,
            .key = r.key,
            .value = r.value};
        if (record_headers(in, &r, &out[*count]) < 0) {
            err_set(err, ERR_DAMAGE, "headers at offset %lld of %s are "
                "damaged", (long long)r.offset, in->topic->name);
            return PORT_FAILED;
        }
        (*count)++;
        in->next = r.offset + 1;
    }
    if (rc < 0) {
        err_prefix(err, "%s[%d] near offset %lld", in->topic->name,
            in->tail->partition, (long long)in->next);
        return PORT_FAILED;
    }
    if (rc == 0)
        end_batch(in);
    return PORT_OK;
}

enum port_status
local_poll(struct port_task *task, unsigned input, int64_t offset,
    unsigned max, struct port_record *out, unsigned *count, int64_t *next,
    struct err *err)
{
    struct local_task *t = local_task_of(task);
    struct local_input *in = &t->inputs[input];
    bool carried = in->iter_open;
    enum port_status st = PORT_OK;

    *count = 0;
    if (offset != in->next) {
        local_input_reset(in);
        in->next = offset;
        carried = false;
    }
    drop_retired(in);
    if (!carried)
        arena_reset(&in->arena);
    while (*count < max && st == PORT_OK) {
        if (!in->iter_open) {
            if (carried && *count > 0)
                break; /* its memory can be let go at the next poll */
            st = open_batch(in, err);
            if (st != PORT_OK || !in->iter_open)
                break;
        }
        st = take_records(in, max, out, count, err);
    }
    *next = in->next;
    if (*count == 0)
        state_reader_park(&t->reader); /* LMDB may reuse its pages */
    return st;
}

int64_t
local_end(struct port_task *task, unsigned input)
{
    return input_limit(&local_task_of(task)->inputs[input]);
}
