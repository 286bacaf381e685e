/* control.c: the marker that ends a transaction in a partition. */
#include "config.h"

#include "record/control.h"

#include "base/check.h"
#include "base/endian.h"

enum { KEY_SIZE = 4, VALUE_SIZE = 6, MARKER_VERSION = 0 };

void
control_batch(uint8_t out[CONTROL_BATCH_SIZE], enum control_type type,
    int64_t producer_id, int16_t producer_epoch, int64_t timestamp_ms)
{
    const struct batch_build how = {.producer_id = producer_id,
        .producer_epoch = producer_epoch,
        .base_sequence = -1,
        .attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL};
    uint8_t key[KEY_SIZE] = {0}, value[VALUE_SIZE] = {0};
    struct batch_builder b;
    struct buf buf;
    struct err err;
    int rc;

    assert(type != CONTROL_OTHER);
    put_be16(key, MARKER_VERSION);
    put_be16(key + 2, (uint16_t)type);
    put_be16(value, MARKER_VERSION);    /* the coordinator's epoch behind it: 0 */
    buf_init(&buf, CONTROL_BATCH_SIZE);
    batch_builder_init(&b, &buf);
    batch_builder_add(&b, timestamp_ms, span_of(key, sizeof key),
        span_of(value, sizeof value), NULL, 0);
    rc = batch_builder_end(&b, &how, &err);
    assert(rc == 0 && buf.len == CONTROL_BATCH_SIZE);
    memcpy(out, buf.ptr, CONTROL_BATCH_SIZE);
    buf_release(&buf);
}

enum control_type
control_batch_type(const struct batch *b)
{
    struct batch_iter it;
    struct record rec;
    struct err err;

    if ((b->attributes & BATCH_CONTROL) == 0
        || (b->attributes & BATCH_CODEC_MASK) != CODEC_NONE
        || batch_iter_init(&it, b, NULL, &err) < 0
        || batch_iter_next(&it, &rec, &err) != 1 || rec.key.len < KEY_SIZE)
        return CONTROL_OTHER;
    switch (get_be16(rec.key.ptr + 2)) {
    case CONTROL_ABORT:
        return CONTROL_ABORT;
    case CONTROL_COMMIT:
        return CONTROL_COMMIT;
    default:
        return CONTROL_OTHER;
    }
}
