/*
 * produce.h: append record batches.
 */
#ifndef WIRE_MSG_PRODUCE_H
#define WIRE_MSG_PRODUCE_H

#include "wire/field.h"

/* clang-format off */

/* -- Produce --
 * From version 13 a topic goes by its id alone (KIP-516). acks 0 wants no
 * response at all. Versions below 3 carry old formats and are refused.
 */

#define PRODUCE_REQUEST_PARTITION_FIELDS(X, T)                                 \
    X(T, INT32, index, 0, UP)                                                  \
    X(T, RECORDS, records, 0, UP, NULLABLE(0))

#define PRODUCE_REQUEST_TOPIC_FIELDS(X, T)                                     \
    X(T, STRING, name, 0, 12)                                                  \
    X(T, UUID, topic_id, 13, UP)                                               \
    X(T, ARRAY(produce_request_partition), partition_data, 0, UP)

#define PRODUCE_REQUEST_FIELDS(X, T)                                           \
    X(T, STRING, transactional_id, 3, UP, NULLABLE(3), DEFAULT(NIL))           \
    X(T, INT16, acks, 0, UP)                                                   \
    X(T, INT32, timeout_ms, 0, UP)                                             \
    X(T, ARRAY(produce_request_topic), topic_data, 0, UP)

#define PRODUCE_RESPONSE_RECORD_ERROR_FIELDS(X, T)                             \
    X(T, INT32, batch_index, 8, UP)                                            \
    X(T, STRING, batch_index_error_message, 8, UP, NULLABLE(8), DEFAULT(NIL))

#define PRODUCE_RESPONSE_LEADER_FIELDS(X, T)                                   \
    X(T, INT32, leader_id, 10, UP, DEFAULT(-1))                                \
    X(T, INT32, leader_epoch, 10, UP, DEFAULT(-1))

#define PRODUCE_RESPONSE_PARTITION_FIELDS(X, T)                                \
    X(T, INT32, index, 0, UP)                                                  \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, INT64, base_offset, 0, UP)                                            \
    X(T, INT64, log_append_time_ms, 2, UP, DEFAULT(-1))                        \
    X(T, INT64, log_start_offset, 5, UP, DEFAULT(-1))                          \
    X(T, ARRAY(produce_response_record_error), record_errors, 8, UP)           \
    X(T, STRING, error_message, 8, UP, NULLABLE(8), DEFAULT(NIL))              \
    X(T, STRUCT(produce_response_leader), current_leader, 10, UP, TAG(0))

#define PRODUCE_RESPONSE_TOPIC_FIELDS(X, T)                                    \
    X(T, STRING, name, 0, 12)                                                  \
    X(T, UUID, topic_id, 13, UP)                                               \
    X(T, ARRAY(produce_response_partition), partition_responses, 0, UP)

#define PRODUCE_RESPONSE_NODE_FIELDS(X, T)                                     \
    X(T, INT32, node_id, 10, UP)                                               \
    X(T, STRING, host, 10, UP)                                                 \
    X(T, INT32, port, 10, UP)                                                  \
    X(T, STRING, rack, 10, UP, NULLABLE(10), DEFAULT(NIL))

#define PRODUCE_RESPONSE_FIELDS(X, T)                                          \
    X(T, ARRAY(produce_response_topic), responses, 0, UP)                      \
    X(T, INT32, throttle_time_ms, 1, UP)                                       \
    X(T, ARRAY(produce_response_node), node_endpoints, 10, UP, TAG(0))

#define WIRE_PRODUCE_TYPES(D)                                                  \
    D(produce_request_partition, PRODUCE_REQUEST_PARTITION_FIELDS)             \
    D(produce_request_topic, PRODUCE_REQUEST_TOPIC_FIELDS)                     \
    D(produce_request, PRODUCE_REQUEST_FIELDS)                                 \
    D(produce_response_record_error, PRODUCE_RESPONSE_RECORD_ERROR_FIELDS)     \
    D(produce_response_leader, PRODUCE_RESPONSE_LEADER_FIELDS)                 \
    D(produce_response_partition, PRODUCE_RESPONSE_PARTITION_FIELDS)           \
    D(produce_response_topic, PRODUCE_RESPONSE_TOPIC_FIELDS)                   \
    D(produce_response_node, PRODUCE_RESPONSE_NODE_FIELDS)                     \
    D(produce_response, PRODUCE_RESPONSE_FIELDS)

/* clang-format on */
WIRE_PRODUCE_TYPES(WIRE_STRUCT_OF)

#endif
