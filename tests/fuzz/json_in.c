/*
 * json_in.c: text as the JSON of a message. The first byte chooses message
 * and style. What is taken must be written and read again as the same
 * message.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/json.h"
#include "proto/shop.pb-c.h"
#include "proto/store.pb-c.h"
#include "serde/pb.h"
#include "serde/proto_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
    &shop__order__descriptor, &shop__admitted__descriptor,
    &shop__stock__descriptor, &shop__movement__descriptor,
    &store__manifest__descriptor, &store__topic__descriptor,
    &store__group__descriptor};

static void
write_and_read(const ProtobufCMessage *msg, unsigned style, struct arena *a)
{
    struct buf text, want, got;
    struct json j;
    ProtobufCMessage *back;
    struct err err;

    buf_init(&text, 16 << 20);
    buf_init(&want, 16 << 20);
    buf_init(&got, 16 << 20);
    json_init(&j, &text);
    proto_json_write(msg, style, &j);
    assert(!text.failed);
    /* The REST style has plain numbers: a reader with doubles for fractions
     * and int64 for the rest does not get all of them back. */
    if (proto_json_read(msg->descriptor, buf_span(&text), 0, a, &back, &err) !=
        0) {
        assert(style & PROTO_JSON_REST);
    } else if ((style & PROTO_JSON_REST) == 0) {
        assert(pb_encode(msg, &want, &err) == 0);
        assert(pb_encode(back, &got, &err) == 0);
        assert(span_eq(buf_span(&want), buf_span(&got)));
    }
    buf_release(&text);
    buf_release(&want);
    buf_release(&got);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned flags;
    ProtobufCMessage *msg;
    struct arena a;
    struct err err;

    if (size == 0)
        return 0;
    flags = (data[0] / countof(types)) & (PROTO_JSON_IGNORE_UNKNOWN |
        PROTO_JSON_OWN_NAMES);
    arena_init(&a, 1 << 20);
    if (proto_json_read(types[data[0] % countof(types)],
            span_of(data + 1, size - 1), flags, &a, &msg, &err) == 0) {
        a.limit = 16 << 20;
        write_and_read(msg, flags, &a);
        write_and_read(msg, flags | PROTO_JSON_REST, &a);
    }
    arena_release(&a);
    return 0;
}
