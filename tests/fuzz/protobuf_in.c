/*
 * protobuf_in.c: bytes as protobuf. The first byte chooses the message. What
 * is taken must be written and read again as the same bytes, and never cost
 * more than the arena's limit.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "proto/shop.pb-c.h"
#include "proto/store.pb-c.h"
#include "serde/pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
    &shop__order__descriptor, &shop__admitted__descriptor,
    &shop__stock__descriptor, &shop__movement__descriptor,
    &store__manifest__descriptor, &store__topic__descriptor,
    &store__group__descriptor};

static void
same_again(const ProtobufCMessageDescriptor *m, struct span first,
    struct arena *a)
{
    ProtobufCMessage *msg;
    struct buf second;
    struct err err;

    buf_init(&second, 1 << 20);
    assert(pb_decode(m, first, a, &msg, &err) == 0);
    assert(pb_encode(msg, &second, &err) == 0);
    assert(span_eq(first, buf_span(&second)));
    buf_release(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ProtobufCMessageDescriptor *m;
    ProtobufCMessage *msg;
    struct arena a;
    struct buf b;
    struct err err;

    if (size == 0)
        return 0;
    m = types[data[0] % countof(types)];
    arena_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    if (pb_decode(m, span_of(data + 1, size - 1), &a, &msg, &err) == 0) {
        assert(pb_check(m, span_of(data + 1, size - 1), &err) == 0);
        assert(pb_encode(msg, &b, &err) == 0);
        a.limit = 4 << 20;       /* the first pass may just have fitted */
        same_again(m, buf_span(&b), &a);
    }
    assert(a.used <= a.limit);
    arena_release(&a);
    buf_release(&b);
    return 0;
}
