/*
 * cluster.h: where partitions are and what leads them: log directories,
 * elections, reassignments.
 */
#ifndef WIRE_MSG_CLUSTER_H
#define WIRE_MSG_CLUSTER_H

#include "wire/field.h"

/* clang-format off */

/* -- DescribeLogDirs --
 * topics null: all of them. KIP-827: the volume's bytes.
 */

#define DESCRIBE_LOG_DIRS_REQUEST_TOPIC_FIELDS(X, T)                           \
    X(T, STRING, topic, 0, UP)                                                 \
    X(T, LIST(INT32), partitions, 0, UP)

#define DESCRIBE_LOG_DIRS_REQUEST_FIELDS(X, T)                                 \
    X(T, ARRAY(describe_log_dirs_request_topic), topics, 0, UP, NULLABLE(0))

#define DESCRIBE_LOG_DIRS_RESPONSE_PARTITION_FIELDS(X, T)                      \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT64, partition_size, 0, UP)                                         \
    X(T, INT64, offset_lag, 0, UP)                                             \
    X(T, BOOL, is_future_key, 0, UP)

#define DESCRIBE_LOG_DIRS_RESPONSE_TOPIC_FIELDS(X, T)                          \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(describe_log_dirs_response_partition), partitions, 0, UP)

#define DESCRIBE_LOG_DIRS_RESPONSE_RESULT_FIELDS(X, T)                         \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, log_dir, 0, UP)                                               \
    X(T, ARRAY(describe_log_dirs_response_topic), topics, 0, UP)               \
    X(T, INT64, total_bytes, 4, UP, DEFAULT(-1))                               \
    X(T, INT64, usable_bytes, 4, UP, DEFAULT(-1))

#define DESCRIBE_LOG_DIRS_RESPONSE_FIELDS(X, T)                                \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 3, UP)                                             \
    X(T, ARRAY(describe_log_dirs_response_result), results, 0, UP)

/* -- ElectLeaders --
 * election_type 0: the preferred one, 1: unclean. topic_partitions null: all.
 */

#define ELECT_LEADERS_REQUEST_TOPIC_FIELDS(X, T)                               \
    X(T, STRING, topic, 0, UP)                                                 \
    X(T, LIST(INT32), partitions, 0, UP)

#define ELECT_LEADERS_REQUEST_FIELDS(X, T)                                     \
    X(T, INT8, election_type, 1, UP)                                           \
    X(T, ARRAY(elect_leaders_request_topic), topic_partitions, 0, UP, NULLABLE(0)) \
    X(T, INT32, timeout_ms, 0, UP, DEFAULT(60000))

#define ELECT_LEADERS_RESPONSE_PARTITION_FIELDS(X, T)                          \
    X(T, INT32, partition_id, 0, UP)                                           \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0))

#define ELECT_LEADERS_RESPONSE_RESULT_FIELDS(X, T)                             \
    X(T, STRING, topic, 0, UP)                                                 \
    X(T, ARRAY(elect_leaders_response_partition), partition_result, 0, UP)

#define ELECT_LEADERS_RESPONSE_FIELDS(X, T)                                    \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 1, UP)                                             \
    X(T, ARRAY(elect_leaders_response_result), replica_election_results, 0, UP)

/* -- AlterPartitionReassignments (KIP-455) --
 * replicas null: a reassignment under way is called off.
 */

#define ALTER_REASSIGNMENTS_REQUEST_PARTITION_FIELDS(X, T)                     \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, LIST(INT32), replicas, 0, UP, NULLABLE(0), DEFAULT(NIL))

#define ALTER_REASSIGNMENTS_REQUEST_TOPIC_FIELDS(X, T)                         \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(alter_reassignments_request_partition), partitions, 0, UP)

#define ALTER_REASSIGNMENTS_REQUEST_FIELDS(X, T)                               \
    X(T, INT32, timeout_ms, 0, UP, DEFAULT(60000))                             \
    X(T, BOOL, allow_replication_factor_change, 1, UP, DEFAULT(true))          \
    X(T, ARRAY(alter_reassignments_request_topic), topics, 0, UP)

#define ALTER_REASSIGNMENTS_RESPONSE_PARTITION_FIELDS(X, T)                    \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0))

#define ALTER_REASSIGNMENTS_RESPONSE_TOPIC_FIELDS(X, T)                        \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(alter_reassignments_response_partition), partitions, 0, UP)

#define ALTER_REASSIGNMENTS_RESPONSE_FIELDS(X, T)                              \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, BOOL, allow_replication_factor_change, 1, UP, DEFAULT(true))          \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0), DEFAULT(NIL))              \
    X(T, ARRAY(alter_reassignments_response_topic), responses, 0, UP)

/* -- ListPartitionReassignments -- topics null: all. */

#define LIST_REASSIGNMENTS_REQUEST_TOPIC_FIELDS(X, T)                          \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, LIST(INT32), partition_indexes, 0, UP)

#define LIST_REASSIGNMENTS_REQUEST_FIELDS(X, T)                                \
    X(T, INT32, timeout_ms, 0, UP, DEFAULT(60000))                             \
    X(T, ARRAY(list_reassignments_request_topic), topics, 0, UP, NULLABLE(0), DEFAULT(NIL))

#define LIST_REASSIGNMENTS_RESPONSE_PARTITION_FIELDS(X, T)                     \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, LIST(INT32), replicas, 0, UP)                                         \
    X(T, LIST(INT32), adding_replicas, 0, UP)                                  \
    X(T, LIST(INT32), removing_replicas, 0, UP)

#define LIST_REASSIGNMENTS_RESPONSE_TOPIC_FIELDS(X, T)                         \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(list_reassignments_response_partition), partitions, 0, UP)

#define LIST_REASSIGNMENTS_RESPONSE_FIELDS(X, T)                               \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0), DEFAULT(NIL))              \
    X(T, ARRAY(list_reassignments_response_topic), topics, 0, UP)

#define WIRE_CLUSTER_TYPES(D)                                                  \
    D(describe_log_dirs_request_topic, DESCRIBE_LOG_DIRS_REQUEST_TOPIC_FIELDS) \
    D(describe_log_dirs_request, DESCRIBE_LOG_DIRS_REQUEST_FIELDS)             \
    D(describe_log_dirs_response_partition, DESCRIBE_LOG_DIRS_RESPONSE_PARTITION_FIELDS) \
    D(describe_log_dirs_response_topic, DESCRIBE_LOG_DIRS_RESPONSE_TOPIC_FIELDS) \
    D(describe_log_dirs_response_result, DESCRIBE_LOG_DIRS_RESPONSE_RESULT_FIELDS) \
    D(describe_log_dirs_response, DESCRIBE_LOG_DIRS_RESPONSE_FIELDS)           \
    D(elect_leaders_request_topic, ELECT_LEADERS_REQUEST_TOPIC_FIELDS)         \
    D(elect_leaders_request, ELECT_LEADERS_REQUEST_FIELDS)                     \
    D(elect_leaders_response_partition, ELECT_LEADERS_RESPONSE_PARTITION_FIELDS) \
    D(elect_leaders_response_result, ELECT_LEADERS_RESPONSE_RESULT_FIELDS)     \
    D(elect_leaders_response, ELECT_LEADERS_RESPONSE_FIELDS)                   \
    D(alter_reassignments_request_partition, ALTER_REASSIGNMENTS_REQUEST_PARTITION_FIELDS) \
    D(alter_reassignments_request_topic, ALTER_REASSIGNMENTS_REQUEST_TOPIC_FIELDS) \
    D(alter_reassignments_request, ALTER_REASSIGNMENTS_REQUEST_FIELDS)         \
    D(alter_reassignments_response_partition, ALTER_REASSIGNMENTS_RESPONSE_PARTITION_FIELDS) \
    D(alter_reassignments_response_topic, ALTER_REASSIGNMENTS_RESPONSE_TOPIC_FIELDS) \
    D(alter_reassignments_response, ALTER_REASSIGNMENTS_RESPONSE_FIELDS)       \
    D(list_reassignments_request_topic, LIST_REASSIGNMENTS_REQUEST_TOPIC_FIELDS) \
    D(list_reassignments_request, LIST_REASSIGNMENTS_REQUEST_FIELDS)           \
    D(list_reassignments_response_partition, LIST_REASSIGNMENTS_RESPONSE_PARTITION_FIELDS) \
    D(list_reassignments_response_topic, LIST_REASSIGNMENTS_RESPONSE_TOPIC_FIELDS) \
    D(list_reassignments_response, LIST_REASSIGNMENTS_RESPONSE_FIELDS)

/* clang-format on */
WIRE_CLUSTER_TYPES(WIRE_STRUCT_OF)

#endif
