/*
 * fetch.h: read record batches.
 */
#ifndef WIRE_MSG_FETCH_H
#define WIRE_MSG_FETCH_H

#include "wire/field.h"

/* clang-format off */

/* -- Fetch --
 * Topics by id alone from version 13. A missing preferred_read_replica is -1;
 * 0 would send consumers to broker 0. From version 12 empty records must be
 * empty, not null, for librdkafka. replica_id >= 0 is a broker: not for us.
 */

#define FETCH_REQUEST_REPLICA_STATE_FIELDS(X, T)                               \
    X(T, INT32, replica_id, 15, UP, DEFAULT(-1))                               \
    X(T, INT64, replica_epoch, 15, UP, DEFAULT(-1))

#define FETCH_REQUEST_PARTITION_FIELDS(X, T)                                   \
    X(T, INT32, partition, 0, UP)                                              \
    X(T, INT32, current_leader_epoch, 9, UP, DEFAULT(-1))                      \
    X(T, INT64, fetch_offset, 0, UP)                                           \
    X(T, INT32, last_fetched_epoch, 12, UP, DEFAULT(-1))                       \
    X(T, INT64, log_start_offset, 5, UP, DEFAULT(-1))                          \
    X(T, INT32, partition_max_bytes, 0, UP)                                    \
    X(T, UUID, replica_directory_id, 17, UP, TAG(0))                           \
    X(T, INT64, high_watermark, 18, UP, TAG(1), DEFAULT(INT64_MAX))

#define FETCH_REQUEST_TOPIC_FIELDS(X, T)                                       \
    X(T, STRING, topic, 0, 12)                                                 \
    X(T, UUID, topic_id, 13, UP)                                               \
    X(T, ARRAY(fetch_request_partition), partitions, 0, UP)

#define FETCH_REQUEST_FORGOTTEN_FIELDS(X, T)                                   \
    X(T, STRING, topic, 7, 12)                                                 \
    X(T, UUID, topic_id, 13, UP)                                               \
    X(T, LIST(INT32), partitions, 7, UP)

#define FETCH_REQUEST_FIELDS(X, T)                                             \
    X(T, STRING, cluster_id, 12, UP, TAG(0), NULLABLE(12), DEFAULT(NIL))       \
    X(T, INT32, replica_id, 0, 14, DEFAULT(-1))                                \
    X(T, STRUCT(fetch_request_replica_state), replica_state, 15, UP, TAG(1))   \
    X(T, INT32, max_wait_ms, 0, UP)                                            \
    X(T, INT32, min_bytes, 0, UP)                                              \
    X(T, INT32, max_bytes, 3, UP, DEFAULT(INT32_MAX))                          \
    X(T, INT8, isolation_level, 4, UP)                                         \
    X(T, INT32, session_id, 7, UP)                                             \
    X(T, INT32, session_epoch, 7, UP, DEFAULT(-1))                             \
    X(T, ARRAY(fetch_request_topic), topics, 0, UP)                            \
    X(T, ARRAY(fetch_request_forgotten), forgotten_topics_data, 7, UP)         \
    X(T, STRING, rack_id, 11, UP)

#define FETCH_RESPONSE_EPOCH_END_FIELDS(X, T)                                  \
    X(T, INT32, epoch, 12, UP, DEFAULT(-1))                                    \
    X(T, INT64, end_offset, 12, UP, DEFAULT(-1))

#define FETCH_RESPONSE_LEADER_FIELDS(X, T)                                     \
    X(T, INT32, leader_id, 12, UP, DEFAULT(-1))                                \
    X(T, INT32, leader_epoch, 12, UP, DEFAULT(-1))

#define FETCH_RESPONSE_SNAPSHOT_ID_FIELDS(X, T)                                \
    X(T, INT64, end_offset, 0, UP, DEFAULT(-1))                                \
    X(T, INT32, epoch, 0, UP, DEFAULT(-1))

#define FETCH_RESPONSE_ABORTED_FIELDS(X, T)                                    \
    X(T, INT64, producer_id, 4, UP)                                            \
    X(T, INT64, first_offset, 4, UP)

#define FETCH_RESPONSE_PARTITION_FIELDS(X, T)                                  \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, INT64, high_watermark, 0, UP)                                         \
    X(T, INT64, last_stable_offset, 4, UP, DEFAULT(-1))                        \
    X(T, INT64, log_start_offset, 5, UP, DEFAULT(-1))                          \
    X(T, STRUCT(fetch_response_epoch_end), diverging_epoch, 12, UP, TAG(0))    \
    X(T, STRUCT(fetch_response_leader), current_leader, 12, UP, TAG(1))        \
    X(T, STRUCT(fetch_response_snapshot_id), snapshot_id, 12, UP, TAG(2))      \
    X(T, ARRAY(fetch_response_aborted), aborted_transactions, 4, UP, NULLABLE(4)) \
    X(T, INT32, preferred_read_replica, 11, UP, DEFAULT(-1))                   \
    X(T, RECORDS, records, 0, UP, NULLABLE(0))

#define FETCH_RESPONSE_TOPIC_FIELDS(X, T)                                      \
    X(T, STRING, topic, 0, 12)                                                 \
    X(T, UUID, topic_id, 13, UP)                                               \
    X(T, ARRAY(fetch_response_partition), partitions, 0, UP)

#define FETCH_RESPONSE_NODE_FIELDS(X, T)                                       \
    X(T, INT32, node_id, 16, UP)                                               \
    X(T, STRING, host, 16, UP)                                                 \
    X(T, INT32, port, 16, UP)                                                  \
    X(T, STRING, rack, 16, UP, NULLABLE(16), DEFAULT(NIL))

#define FETCH_RESPONSE_FIELDS(X, T)                                            \
    X(T, INT32, throttle_time_ms, 1, UP)                                       \
    X(T, INT16, error_code, 7, UP)                                             \
    X(T, INT32, session_id, 7, UP)                                             \
    X(T, ARRAY(fetch_response_topic), responses, 0, UP)                        \
    X(T, ARRAY(fetch_response_node), node_endpoints, 16, UP, TAG(0))

#define WIRE_FETCH_TYPES(D)                                                    \
    D(fetch_request_replica_state, FETCH_REQUEST_REPLICA_STATE_FIELDS)         \
    D(fetch_request_partition, FETCH_REQUEST_PARTITION_FIELDS)                 \
    D(fetch_request_topic, FETCH_REQUEST_TOPIC_FIELDS)                         \
    D(fetch_request_forgotten, FETCH_REQUEST_FORGOTTEN_FIELDS)                 \
    D(fetch_request, FETCH_REQUEST_FIELDS)                                     \
    D(fetch_response_epoch_end, FETCH_RESPONSE_EPOCH_END_FIELDS)               \
    D(fetch_response_leader, FETCH_RESPONSE_LEADER_FIELDS)                     \
    D(fetch_response_snapshot_id, FETCH_RESPONSE_SNAPSHOT_ID_FIELDS)           \
    D(fetch_response_aborted, FETCH_RESPONSE_ABORTED_FIELDS)                   \
    D(fetch_response_partition, FETCH_RESPONSE_PARTITION_FIELDS)               \
    D(fetch_response_topic, FETCH_RESPONSE_TOPIC_FIELDS)                       \
    D(fetch_response_node, FETCH_RESPONSE_NODE_FIELDS)                         \
    D(fetch_response, FETCH_RESPONSE_FIELDS)

/* clang-format on */
WIRE_FETCH_TYPES(WIRE_STRUCT_OF)

#endif
