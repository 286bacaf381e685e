#include "config.h"

#include "serde/pb_priv.h"

#include "base/endian.h"
#include "base/json.h"

enum { ARRAY_MIN = 4 };                  /* elements of a first allocation */

const struct pb_type pb_types[] = {
    [PROTOBUF_C_TYPE_INT32] = {WIRE_VARINT, 4},
    [PROTOBUF_C_TYPE_SINT32] = {WIRE_VARINT, 4},
    [PROTOBUF_C_TYPE_SFIXED32] = {WIRE_32, 4},
    [PROTOBUF_C_TYPE_INT64] = {WIRE_VARINT, 8},
    [PROTOBUF_C_TYPE_SINT64] = {WIRE_VARINT, 8},
    [PROTOBUF_C_TYPE_SFIXED64] = {WIRE_64, 8},
    [PROTOBUF_C_TYPE_UINT32] = {WIRE_VARINT, 4},
    [PROTOBUF_C_TYPE_FIXED32] = {WIRE_32, 4},
    [PROTOBUF_C_TYPE_UINT64] = {WIRE_VARINT, 8},
    [PROTOBUF_C_TYPE_FIXED64] = {WIRE_64, 8},
    [PROTOBUF_C_TYPE_FLOAT] = {WIRE_32, 4},
    [PROTOBUF_C_TYPE_DOUBLE] = {WIRE_64, 8},
    [PROTOBUF_C_TYPE_BOOL] = {WIRE_VARINT, sizeof(protobuf_c_boolean)},
    [PROTOBUF_C_TYPE_ENUM] = {WIRE_VARINT, 4},
    [PROTOBUF_C_TYPE_STRING] = {WIRE_LEN, sizeof(char *)},
    [PROTOBUF_C_TYPE_BYTES] = {WIRE_LEN, sizeof(ProtobufCBinaryData)},
    [PROTOBUF_C_TYPE_MESSAGE] = {WIRE_LEN, sizeof(void *)},
};

_Static_assert(sizeof(int) == 4, "enums and booleans of protobuf-c are int");

size_t
pb_type_size(ProtobufCType type)
{
    return pb_types[type].size;
}

/* Eight bytes at a time while all are ASCII and none is NUL: the usual text
 * never meets the exact check. */
bool
pb_text_valid(struct span s)
{
    const uint64_t ones = 0x0101010101010101u, high = ones << 7;
    size_t i = 0;

    for (; s.len - i >= 8; i += 8) {
        uint64_t v = get_le64(s.ptr + i);

        if (((v | (v - ones)) & high) != 0)
            break;
    }
    while (i < s.len && s.ptr[i] - 1u < 0x7f)
        i++;
    if (i == s.len)
        return true;
    return memchr(s.ptr + i, 0, s.len - i) == NULL &&
        utf8_valid(span_of(s.ptr + i, s.len - i));
}

static size_t
array_capacity(size_t n)
{
    size_t cap = ARRAY_MIN;

    while (cap < n)
        cap *= 2;
    return n == 0 ? 0 : cap;
}

bool
pb_array_room(void **array, size_t n, size_t count, size_t size,
    struct arena *a)
{
    void *wider;

    if (n + count <= array_capacity(n))
        return true;
    wider = arena_calloc(a, array_capacity(n + count), size);
    if (wider == NULL)
        return false;
    if (n > 0)
        memcpy(wider, *array, n * size);
    *array = wider;
    return true;
}
