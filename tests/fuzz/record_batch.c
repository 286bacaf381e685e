/*
 * Bytes as a client or a disk may give them: batches one behind the other.
 * Whatever walks to its end is built anew and must walk the same again.
 */
#include "config.h"

#include <stdint.h>

#include "base/check.h"
#include "base/limits.h"
#include "record/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
same(struct span a, struct span b)
{
    return span_eq(a, b) && (a.ptr == NULL) == (b.ptr == NULL);
}

static void
headers_walk(const struct record *r)
{
    struct span rest = r->headers, key, value;
    int32_t count = 0;

    while (headers_next(&rest, &key, &value) == 1) {
        assert(key.ptr != NULL);
        count++;
    }
    assert(count == r->header_count);
    assert(rest.len == 0);
}

/* Both walk together; the copy has its offsets from 0 without gaps. */
static void
compare(const struct batch *a, const struct batch *b, struct arena *arena)
{
    struct batch_iter x, y;
    struct record r, s;

    assert(batch_iter_init(&x, a, arena, NULL) == 0);
    assert(batch_iter_init(&y, b, arena, NULL) == 0);
    for (int32_t i = 0; batch_iter_next(&x, &r, NULL) == 1; i++) {
        assert(batch_iter_next(&y, &s, NULL) == 1);
        assert(s.offset == i);
        assert(r.timestamp == s.timestamp);
        assert(same(r.key, s.key));
        assert(same(r.value, s.value));
        assert(same(r.headers, s.headers));
        assert(r.header_count == s.header_count);
    }
    assert(batch_iter_next(&y, &s, NULL) == 0);
}

static void
rebuild(const struct batch *b, struct arena *arena)
{
    struct batch_build how = BATCH_BUILD_PLAIN;
    struct batch_builder builder;
    struct batch_iter it;
    struct record r;
    struct batch again;
    struct buf out;

    how.attributes = b->attributes & BATCH_CODEC_MASK;
    buf_init(&out, 16 * MIB);
    batch_builder_init(&builder, &out);
    assert(batch_iter_init(&it, b, arena, NULL) == 0);
    while (batch_iter_next(&it, &r, NULL) == 1)
        batch_builder_add_raw(&builder, r.timestamp, r.key, r.value,
            r.headers, r.header_count);
    assert(batch_builder_end(&builder, &how, NULL) == 0);
    assert(batch_parse(buf_span(&out), &again) == BATCH_OK);
    assert(batch_check(&again) == BATCH_OK);
    assert(batch_check_produce(&again) == BATCH_OK);
    arena_reset(arena);
    compare(b, &again, arena);
    buf_release(&out);
}

/* `arena` for the first walk, `large` for those of which two go at a time. */
static void
walk(const struct batch *b, struct arena *arena, struct arena *large)
{
    struct batch_iter it;
    struct record r;
    int64_t before = 0;
    int32_t count = 0;
    int rc;

    if (batch_iter_init(&it, b, arena, NULL) != 0)
        return;
    while ((rc = batch_iter_next(&it, &r, NULL)) == 1) {
        assert(count == 0 || r.offset > before);
        assert(r.offset <= batch_last_offset(b));
        before = r.offset;
        headers_walk(&r);
        count++;
    }
    assert(rc == -1 || count == b->record_count);
    if (rc == 0 && count > 0)
        rebuild(b, large);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    struct arena arena, large;
    struct batch b;

    arena_init(&arena, 4 * MIB);
    arena_init(&large, 16 * MIB);
    while (batch_parse(rest, &b) == BATCH_OK) {
        assert(b.bytes.ptr == rest.ptr);
        assert(b.bytes.len <= rest.len);
        batch_check_produce(&b);
        walk(&b, &arena, &large);
        arena_reset(&arena);
        arena_reset(&large);
        rest.ptr += b.bytes.len;
        rest.len -= b.bytes.len;
    }
    arena_release(&arena);
    arena_release(&large);
    return 0;
}
