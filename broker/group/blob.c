#include "config.h"

#include "group/blob.h"

#include "base/arena.h"
#include "base/endian.h"

enum { VERSION_MAX = 3 };

/* ---- reading: after the first fault nothing more is read ---- */

struct in {
    struct span left;
    bool failed;
};

static const uint8_t *
take(struct in *in, size_t n)
{
    const uint8_t *p = in->left.ptr;

    if (in->failed || in->left.len < n) {
        in->failed = true;
        return NULL;
    }
    in->left = span_of(p + n, in->left.len - n);
    return p;
}

static int16_t
take_i16(struct in *in)
{
    const uint8_t *p = take(in, 2);

    return p == NULL ? 0 : (int16_t)get_be16(p);
}

static int32_t
take_i32(struct in *in)
{
    const uint8_t *p = take(in, 4);

    return p == NULL ? 0 : (int32_t)get_be32(p);
}

/* Of things of `each` bytes at least; null is none. */
static uint32_t
take_count(struct in *in, size_t each)
{
    int32_t n = take_i32(in);

    if (n < -1 || (n > 0 && (uint32_t)n > in->left.len / each)) {
        in->failed = true;
    }
    return in->failed || n < 0 ? 0 : (uint32_t)n;
}

static struct span
take_string(struct in *in)
{
    int16_t len = take_i16(in);

    if (len < 0) {
        in->failed |= len != -1;
        return SPAN_NULL;
    }
    return span_of(take(in, (size_t)len), (size_t)len);
}

static struct span
take_bytes(struct in *in)
{
    int32_t len = take_i32(in);

    if (len < 0) {
        in->failed |= len != -1;
        return SPAN_NULL;
    }
    return span_of(take(in, (size_t)len), (size_t)len);
}

static void
take_parts(struct in *in, const struct group_topics *topics,
    struct parts *out)
{
    for (uint32_t n = take_count(in, 6); n > 0 && !in->failed; n--) {
        struct span name = take_string(in);
        uint32_t count = take_count(in, 4);
        struct group_topic t;
        bool there;

        if (in->failed || name.ptr == NULL) {
            in->failed = true;
            return;
        }
        there = topics->by_name(topics->arg, name, &t);
        for (; count > 0; count--) {
            int32_t partition = take_i32(in);

            if (there && partition >= 0 && partition < t.partitions) {
                parts_push(out, &t.id, partition);
            }
        }
    }
    parts_sort(out);
}

static int16_t
take_version(struct in *in)
{
    int16_t version = take_i16(in);

    in->failed |= version < 0;
    return version > VERSION_MAX ? VERSION_MAX : version;
}

bool
blob_read_subscription(struct span blob, const struct group_topics *topics,
    struct arena *a, struct blob_subscription *out)
{
    struct in in = {.left = blob};

    *out = (struct blob_subscription){.version = take_version(&in)};
    out->topic_count = take_count(&in, 2);
    out->topics = arena_calloc(a, out->topic_count + 1, sizeof *out->topics);
    if (out->topics == NULL) {
        return false;
    }
    for (size_t i = 0; i < out->topic_count; i++) {
        out->topics[i] = take_string(&in);
        in.failed |= out->topics[i].ptr == NULL;
    }
    take_bytes(&in);
    if (out->version >= 1) {
        take_parts(&in, topics, &out->owned);
    }
    if (out->version >= 2) {
        take_i32(&in);
    }
    if (out->version >= 3) {
        out->rack = take_string(&in);
    }
    return !in.failed;
}

bool
blob_read_assignment(struct span blob, const struct group_topics *topics,
    struct parts *out, bool *custom)
{
    struct in in = {.left = blob};

    *custom = false;
    if (blob.len == 0) {
        return true;             /* has never synced */
    }
    take_version(&in);
    take_parts(&in, topics, out);
    *custom = take_bytes(&in).len > 0;
    return !in.failed;
}

/* ---- writing ---- */

static void
put_topic(struct buf *b, struct span name, const struct part *v, uint32_t n)
{
    buf_put_be16(b, (uint16_t)name.len);
    buf_put_span(b, name);
    buf_put_be32(b, n);
    for (uint32_t i = 0; i < n; i++) {
        buf_put_be32(b, (uint32_t)v[i].partition);
    }
}

/* A topic that has just gone has no name to be assigned by. */
void
blob_write_assignment(struct buf *b, const struct parts *parts,
    const struct group_topics *topics, struct span subscription)
{
    struct in in = {.left = subscription};
    int16_t version = take_version(&in);
    size_t count_at = b->len + 2;
    uint32_t count = 0;

    buf_put_be16(b, in.failed ? 0 : (uint16_t)version);
    buf_put_be32(b, 0);
    for (uint32_t i = 0, end; i < parts->count; i = end) {
        struct group_topic t;

        for (end = i + 1; end < parts->count &&
                uuid_eq(&parts->v[end].topic, &parts->v[i].topic);) {
            end++;
        }
        if (topics->by_id(topics->arg, &parts->v[i].topic, &t)) {
            put_topic(b, t.name, &parts->v[i], end - i);
            count++;
        }
    }
    buf_put_be32(b, UINT32_MAX);         /* no user data: null */
    if (!b->failed) {
        put_be32(b->ptr + count_at, count);
    }
}
