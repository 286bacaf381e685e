/*
 * lazy.h: what can be done with a value's bytes without making the value.
 * Thread: any.
 */
#ifndef SERDE_LAZY_H
#define SERDE_LAZY_H

#include <protobuf-c/protobuf-c.h>

#include "base/span.h"
#include "penstock/streams.h"

/* The descriptor, if the serde is that of a message and the bytes are plain
 * protobuf, not JSON or framed: then pb_check() says whether they can be
 * decoded, and pb_field() reads one field. Else NULL. */
const ProtobufCMessageDescriptor *serde_plain_message(const struct ps_serde *,
    struct span bytes);

#endif
