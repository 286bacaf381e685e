/*
 * consumer.h: what consumers tell each other through JoinGroup and SyncGroup.
 * The broker carries these blobs without looking; our own client and the
 * group views read them, by wire_decode_blob().
 */
#ifndef WIRE_MSG_CONSUMER_H
#define WIRE_MSG_CONSUMER_H

#include "wire/field.h"

/* clang-format off */

/* -- ConsumerProtocolSubscription -- */

#define CONSUMER_PROTOCOL_SUBSCRIPTION_TOPIC_FIELDS(X, T)                      \
    X(T, STRING, topic, 1, UP)                                                 \
    X(T, LIST(INT32), partitions, 1, UP)

#define CONSUMER_PROTOCOL_SUBSCRIPTION_FIELDS(X, T)                            \
    X(T, LIST(STRING), topics, 0, UP)                                          \
    X(T, BYTES, user_data, 0, UP, NULLABLE(0), DEFAULT(NIL))                   \
    X(T, ARRAY(consumer_protocol_subscription_topic), owned_partitions, 1, UP) \
    X(T, INT32, generation_id, 2, UP, DEFAULT(-1))                             \
    X(T, STRING, rack_id, 3, UP, NULLABLE(3), DEFAULT(NIL))

/* -- ConsumerProtocolAssignment -- */

#define CONSUMER_PROTOCOL_ASSIGNMENT_TOPIC_FIELDS(X, T)                        \
    X(T, STRING, topic, 0, UP)                                                 \
    X(T, LIST(INT32), partitions, 0, UP)

#define CONSUMER_PROTOCOL_ASSIGNMENT_FIELDS(X, T)                              \
    X(T, ARRAY(consumer_protocol_assignment_topic), assigned_partitions, 0, UP) \
    X(T, BYTES, user_data, 0, UP, NULLABLE(0), DEFAULT(NIL))

#define WIRE_CONSUMER_TYPES(D)                                                 \
    D(consumer_protocol_subscription_topic, CONSUMER_PROTOCOL_SUBSCRIPTION_TOPIC_FIELDS) \
    D(consumer_protocol_subscription, CONSUMER_PROTOCOL_SUBSCRIPTION_FIELDS)   \
    D(consumer_protocol_assignment_topic, CONSUMER_PROTOCOL_ASSIGNMENT_TOPIC_FIELDS) \
    D(consumer_protocol_assignment, CONSUMER_PROTOCOL_ASSIGNMENT_FIELDS)

/* clang-format on */
WIRE_CONSUMER_TYPES(WIRE_STRUCT_OF)

extern const struct wire_msg consumer_protocol_subscription_msg;
extern const struct wire_msg consumer_protocol_assignment_msg;

#endif
