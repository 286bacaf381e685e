/*
 * pb_priv.h: the encoding of protobuf, both ways, driven by descriptors. What
 * pb.c, pb_decode.c and pb_encode.c share; not for other rooms.
 *
 *     field    = tag value         tag = varint of (number << 3 | wire type)
 *     wire 0   varint              1  8 bytes LE         5  4 bytes LE
 *          2   varint length, then so many bytes: a string, bytes, a nested
 *              message, or the values of a packed list without tags
 */
#ifndef SERDE_PB_PRIV_H
#define SERDE_PB_PRIV_H

#include "serde/pb.h"

enum {
    WIRE_VARINT = PROTOBUF_C_WIRE_TYPE_VARINT,
    WIRE_64 = PROTOBUF_C_WIRE_TYPE_64BIT,
    WIRE_LEN = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
    WIRE_32 = PROTOBUF_C_WIRE_TYPE_32BIT,
};

typedef ProtobufCFieldDescriptor field_desc;
typedef ProtobufCMessageDescriptor message_desc;

/* By ProtobufCType: the wire type of one value and its size in the struct. */
struct pb_type {
    uint8_t wire, size;
};
extern const struct pb_type pb_types[];

#endif
