/*
 * A frame, without its size, as a stranger may send it: header, then the body
 * by the tables. What is taken must encode, decode again and encode to the
 * same bytes. With the highest bit of the api key set the same is done with
 * the API's response, and 0x7ff0, 0x7ff1 are the consumer protocol's blobs.
 */
#include "config.h"

#include <stdint.h>

#include "base/check.h"
#include "base/endian.h"
#include "wire/msg/consumer.h"
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA = 1 << 20, OUT = 16 << 20 };

/* Encodes what was decoded, twice with a decoding between. */
static void
check_again(const struct wire_msg *msg, int version, const void *first,
    struct arena *arena)
{
    struct buf once, twice, text;
    struct err err = {0};
    void *second;

    buf_init(&once, OUT);
    buf_init(&twice, OUT);
    buf_init(&text, 4096); /* it may fail; it may not crash */
    wire_dump(msg->type, version, first, &text);
    wire_encode_buf(msg, version, first, &once);
    assert(!once.failed);
    if (wire_decode(msg, version, buf_span(&once), arena, &second, &err) == 0) {
        wire_encode_buf(msg, version, second, &twice);
        assert(span_eq(buf_span(&once), buf_span(&twice)));
    } else {
        assert(err.code == ERR_LIMIT);
    }
    buf_release(&once);
    buf_release(&twice);
    buf_release(&text);
}

static void
try_body(const struct wire_msg *msg, int version, struct span body)
{
    struct arena arena;
    struct err err = {0};
    void *got;

    arena_init(&arena, ARENA);
    if (wire_decode(msg, version, body, &arena, &got, &err) == 0) {
        arena.limit = 3 * ARENA;
        check_again(msg, version, got, &arena);
    } else {
        assert(err.code == ERR_FORMAT || err.code == ERR_LIMIT);
        assert(err.text[0] != '\0');
    }
    assert(arena.used <= arena.limit);
    arena_release(&arena);
}

static void
try_blob(const struct wire_msg *msg, struct span blob)
{
    struct arena arena;
    int version;
    void *got;

    arena_init(&arena, ARENA);
    if (wire_decode_blob(msg, blob, &arena, &version, &got, NULL) == 0) {
        arena.limit = 3 * ARENA;
        check_again(msg, version > msg->max ? msg->max : version, got, &arena);
    }
    arena_release(&arena);
}

/* A response: api key, version, then header and body. */
static void
try_response(struct span s)
{
    const struct wire_api *api = wire_api(get_be16(s.ptr) & 0x7fff);
    int version = (int16_t)get_be16(s.ptr + 2);
    int32_t correlation;
    size_t used;

    s = span_of(s.ptr + 4, s.len - 4);
    if (api == NULL || !wire_api_takes(api, version) ||
        wire_decode_response_header(
            api, version, s, &correlation, &used, NULL) != 0)
        return;
    assert(used <= s.len);
    try_body(api->response, version, span_of(s.ptr + used, s.len - used));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span frame = span_of(data, size);
    const struct wire_api *api;
    struct request_header h;
    size_t used;

    if (size >= 4 && (data[0] & 0x80) != 0) {
        try_response(frame);
        return 0;
    }
    if (size >= 2 && get_be16(data) == 0x7ff0)
        try_blob(
            &consumer_protocol_subscription_msg, span_of(data + 2, size - 2));
    if (size >= 2 && get_be16(data) == 0x7ff1)
        try_blob(
            &consumer_protocol_assignment_msg, span_of(data + 2, size - 2));
    if (wire_decode_header(frame, &h, &used, NULL) != 0)
        return 0;
    assert(used <= size);
    api = wire_api(h.api_key);
    if (api != NULL && wire_api_takes(api, h.api_version))
        try_body(
            api->request, h.api_version, span_of(data + used, size - used));
    return 0;
}
