/*
 * proto_json.h: protobuf messages as JSON and back, by descriptor: the
 * canonical mapping of proto3 (protobuf.dev, "ProtoJSON Format"), and the
 * REST style that the shop's front prints.
 *
 * Reading takes, for each field, its lowerCamelCase name or its own; numbers
 * as numbers or strings; enums by name or number; bytes in base64 of either
 * alphabet; null for "not there". It refuses duplicates of a field, unknown
 * names (unless asked), numbers out of range, two members of a oneof, strings
 * with a NUL, and messages nested deeper than PB_DEPTH_MAX.
 *
 * Money: an int64 field x_micros is also read as x, a decimal number of the
 * currency: {"price": 1.5} is price_micros 1500000. As a string, "1.50", it
 * is exact; as a number it has a double's fifteen digits.
 *
 * Not here: maps, Any, Timestamp and the other well-known types with a JSON
 * form of their own, extensions, unknown fields (JSON has no numbers).
 *
 * Ownership: what is read is the arena's. Thread: any.
 *
 * Reading and writing are two files, because the jansson library and
 * base/json.h have functions of the same names.
 */
#ifndef SERDE_PROTO_JSON_H
#define SERDE_PROTO_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/err.h"

struct json;                         /* base/json.h */

enum {
    PROTO_JSON_IGNORE_UNKNOWN = 1,   /* reading: names and enum names */
    /* Writing: 64-bit integers as numbers, x_micros as x with a decimal
     * number; zeros of numbers, enums and booleans are written, too. */
    PROTO_JSON_REST = 2,
    PROTO_JSON_OWN_NAMES = 4,        /* writing: customer_id, as in .proto */
};

/* A message of that type in the arena. -1 and *err with field and reason. */
int proto_json_read(const ProtobufCMessageDescriptor *, struct span text,
    unsigned flags, struct arena *, ProtobufCMessage **, struct err *);

/* One JSON object. Fields without a label are left out when they are zero,
 * unless REST says otherwise. A message nested deeper than PB_DEPTH_MAX, which
 * only code can make, becomes null. */
void proto_json_write(const ProtobufCMessage *, unsigned flags, struct json *);

/* How a field is called: its own name or the lowerCamelCase of it, which has
 * at most as many bytes; without the suffix where `money` says so. */
const char *proto_json_name(const ProtobufCFieldDescriptor *, bool camel,
    bool money, char *room, size_t size);
/* An int64 named ..._micros. */
bool proto_json_is_money(const ProtobufCFieldDescriptor *);

#endif
