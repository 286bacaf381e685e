/*
 * payload.h: what lies on a topic, for people: protobuf as JSON and back, by
 * the topic's name (payloads.tbl).
 *
 * What is read may be any of the three dresses of a message (JSON, protobuf
 * behind a schema registry's framing, plain protobuf), and is told apart by
 * its first byte. On other topics JSON is recognised, and text.
 *
 * Ownership: results are the arena's or borrow from the input. Thread: any.
 */
#ifndef TOOLS_PAYLOAD_H
#define TOOLS_PAYLOAD_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/err.h"

struct payload_type {
    const char *topic;
    const ProtobufCMessageDescriptor *message;
    const char *key;             /* the field that is the record's key, as in
                                  * .proto; NULL: the message does not say */
};

/* NULL: nothing is known about that topic. */
const struct payload_type *payload_of_topic(const char *topic);
/* By the name of a message, "shop.Order" or "Order"; `topic` is then NULL.
 * NULL and *err with the nearest name. */
const struct payload_type *payload_of_message(const char *name, struct err *);

enum payload_kind {
    PAYLOAD_NULL,
    PAYLOAD_JSON,                /* text is JSON */
    PAYLOAD_TEXT,                /* UTF-8 */
    PAYLOAD_BINARY,
};

/* Bytes of a record as text; *text borrows where it can. type may be NULL.
 * Bytes that are not what the type says are shown as they are. */
enum payload_kind payload_show(const struct payload_type *, struct span bytes,
    struct arena *, struct span *text);

/* JSON to the bytes of the message, *out; and what its key field says, *key
 * (null if the type names none). -1: a line that names the field. */
int payload_read(const struct payload_type *, struct span json, struct arena *,
    struct span *out, struct span *key, struct err *);

#endif
