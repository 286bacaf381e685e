/*
 * consumer_groups.h: groups of the consumer protocol (KIP-848).
 */
#ifndef WIRE_MSG_CONSUMER_GROUPS_H
#define WIRE_MSG_CONSUMER_GROUPS_H

#include "wire/field.h"

/* clang-format off */

/* -- ConsumerGroupHeartbeat --
 * member_epoch 0 joins, -1 leaves, -2 leaves for a while (static members).
 * What is null, and a rebalance_timeout_ms of -1, is as it was before.
 */

#define CONSUMER_GROUP_HEARTBEAT_REQUEST_TOPIC_FIELDS(X, T)                    \
    X(T, UUID, topic_id, 0, UP)                                                \
    X(T, LIST(INT32), partitions, 0, UP)

#define CONSUMER_GROUP_HEARTBEAT_REQUEST_FIELDS(X, T)                          \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, STRING, member_id, 0, UP)                                             \
    X(T, INT32, member_epoch, 0, UP)                                           \
    X(T, STRING, instance_id, 0, UP, NULLABLE(0), DEFAULT(NIL))                \
    X(T, STRING, rack_id, 0, UP, NULLABLE(0), DEFAULT(NIL))                    \
    X(T, INT32, rebalance_timeout_ms, 0, UP, DEFAULT(-1))                      \
    X(T, LIST(STRING), subscribed_topic_names, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, STRING, subscribed_topic_regex, 1, UP, NULLABLE(1), DEFAULT(NIL))     \
    X(T, STRING, server_assignor, 0, UP, NULLABLE(0), DEFAULT(NIL))            \
    X(T, ARRAY(consumer_group_heartbeat_request_topic), topic_partitions, 0, UP, NULLABLE(0), DEFAULT(NIL))

#define CONSUMER_GROUP_HEARTBEAT_RESPONSE_TOPIC_FIELDS(X, T)                   \
    X(T, UUID, topic_id, 0, UP)                                                \
    X(T, LIST(INT32), partitions, 0, UP)

#define CONSUMER_GROUP_HEARTBEAT_RESPONSE_ASSIGNMENT_FIELDS(X, T)              \
    X(T, ARRAY(consumer_group_heartbeat_response_topic), topic_partitions, 0, UP)

#define CONSUMER_GROUP_HEARTBEAT_RESPONSE_FIELDS(X, T)                         \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0), DEFAULT(NIL))              \
    X(T, STRING, member_id, 0, UP, NULLABLE(0), DEFAULT(NIL))                  \
    X(T, INT32, member_epoch, 0, UP)                                           \
    X(T, INT32, heartbeat_interval_ms, 0, UP)                                  \
    X(T, OPTION(consumer_group_heartbeat_response_assignment), assignment, 0, UP, NULLABLE(0), DEFAULT(NIL))

/* -- ConsumerGroupDescribe --
 * member_type 0 classic, 1 consumer.
 */

#define CONSUMER_GROUP_DESCRIBE_REQUEST_FIELDS(X, T)                           \
    X(T, LIST(STRING), group_ids, 0, UP)                                       \
    X(T, BOOL, include_authorized_operations, 0, UP)

#define CONSUMER_GROUP_DESCRIBE_RESPONSE_TOPIC_FIELDS(X, T)                    \
    X(T, UUID, topic_id, 0, UP)                                                \
    X(T, STRING, topic_name, 0, UP)                                            \
    X(T, LIST(INT32), partitions, 0, UP)

#define CONSUMER_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT_FIELDS(X, T)               \
    X(T, ARRAY(consumer_group_describe_response_topic), topic_partitions, 0, UP)

#define CONSUMER_GROUP_DESCRIBE_RESPONSE_MEMBER_FIELDS(X, T)                   \
    X(T, STRING, member_id, 0, UP)                                             \
    X(T, STRING, instance_id, 0, UP, NULLABLE(0), DEFAULT(NIL))                \
    X(T, STRING, rack_id, 0, UP, NULLABLE(0), DEFAULT(NIL))                    \
    X(T, INT32, member_epoch, 0, UP)                                           \
    X(T, STRING, client_id, 0, UP)                                             \
    X(T, STRING, client_host, 0, UP)                                           \
    X(T, LIST(STRING), subscribed_topic_names, 0, UP)                          \
    X(T, STRING, subscribed_topic_regex, 0, UP, NULLABLE(0), DEFAULT(NIL))     \
    X(T, STRUCT(consumer_group_describe_response_assignment), assignment, 0, UP) \
    X(T, STRUCT(consumer_group_describe_response_assignment), target_assignment, 0, UP) \
    X(T, INT8, member_type, 1, UP, DEFAULT(-1))

#define CONSUMER_GROUP_DESCRIBE_RESPONSE_GROUP_FIELDS(X, T)                    \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0), DEFAULT(NIL))              \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, STRING, group_state, 0, UP)                                           \
    X(T, INT32, group_epoch, 0, UP)                                            \
    X(T, INT32, assignment_epoch, 0, UP)                                       \
    X(T, STRING, assignor_name, 0, UP)                                         \
    X(T, ARRAY(consumer_group_describe_response_member), members, 0, UP)       \
    X(T, INT32, authorized_operations, 0, UP, DEFAULT(INT32_MIN))

#define CONSUMER_GROUP_DESCRIBE_RESPONSE_FIELDS(X, T)                          \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(consumer_group_describe_response_group), groups, 0, UP)

#define WIRE_CONSUMER_GROUPS_TYPES(D)                                          \
    D(consumer_group_heartbeat_request_topic, CONSUMER_GROUP_HEARTBEAT_REQUEST_TOPIC_FIELDS) \
    D(consumer_group_heartbeat_request, CONSUMER_GROUP_HEARTBEAT_REQUEST_FIELDS) \
    D(consumer_group_heartbeat_response_topic, CONSUMER_GROUP_HEARTBEAT_RESPONSE_TOPIC_FIELDS) \
    D(consumer_group_heartbeat_response_assignment, CONSUMER_GROUP_HEARTBEAT_RESPONSE_ASSIGNMENT_FIELDS) \
    D(consumer_group_heartbeat_response, CONSUMER_GROUP_HEARTBEAT_RESPONSE_FIELDS) \
    D(consumer_group_describe_request, CONSUMER_GROUP_DESCRIBE_REQUEST_FIELDS) \
    D(consumer_group_describe_response_topic, CONSUMER_GROUP_DESCRIBE_RESPONSE_TOPIC_FIELDS) \
    D(consumer_group_describe_response_assignment, CONSUMER_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT_FIELDS) \
    D(consumer_group_describe_response_member, CONSUMER_GROUP_DESCRIBE_RESPONSE_MEMBER_FIELDS) \
    D(consumer_group_describe_response_group, CONSUMER_GROUP_DESCRIBE_RESPONSE_GROUP_FIELDS) \
    D(consumer_group_describe_response, CONSUMER_GROUP_DESCRIBE_RESPONSE_FIELDS)

/* clang-format on */
WIRE_CONSUMER_GROUPS_TYPES(WIRE_STRUCT_OF)

#endif
