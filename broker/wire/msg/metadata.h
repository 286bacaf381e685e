/*
 * metadata.h: what the broker is, what it speaks, what it has.
 */
#ifndef WIRE_MSG_METADATA_H
#define WIRE_MSG_METADATA_H

#include "wire/field.h"

/* clang-format off */

/* -- ApiVersions --
 * Its response goes with header v0 in every version, and for a version that
 * is too new it is encoded in version 0 (KIP-511). Features: KIP-584.
 */

#define API_VERSIONS_REQUEST_FIELDS(X, T)                                      \
    X(T, STRING, client_software_name, 3, UP)                                  \
    X(T, STRING, client_software_version, 3, UP)

#define API_VERSIONS_RESPONSE_API_FIELDS(X, T)                                 \
    X(T, INT16, api_key, 0, UP)                                                \
    X(T, INT16, min_version, 0, UP)                                            \
    X(T, INT16, max_version, 0, UP)

#define API_VERSIONS_RESPONSE_SUPPORTED_FIELDS(X, T)                           \
    X(T, STRING, name, 3, UP)                                                  \
    X(T, INT16, min_version, 3, UP)                                            \
    X(T, INT16, max_version, 3, UP)

#define API_VERSIONS_RESPONSE_FINALIZED_FIELDS(X, T)                           \
    X(T, STRING, name, 3, UP)                                                  \
    X(T, INT16, max_version_level, 3, UP)                                      \
    X(T, INT16, min_version_level, 3, UP)

#define API_VERSIONS_RESPONSE_FIELDS(X, T)                                     \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, ARRAY(api_versions_response_api), api_keys, 0, UP)                    \
    X(T, INT32, throttle_time_ms, 1, UP)                                       \
    X(T, ARRAY(api_versions_response_supported), supported_features, 3, UP, TAG(0)) \
    X(T, INT64, finalized_features_epoch, 3, UP, TAG(1), DEFAULT(-1))          \
    X(T, ARRAY(api_versions_response_finalized), finalized_features, 3, UP, TAG(2)) \
    X(T, BOOL, zk_migration_ready, 3, UP, TAG(3))

/* -- Metadata --
 * topics null: all of them; empty: none. Version 0 has no null, there an empty
 * list means all, and is read as null.
 */

#define METADATA_REQUEST_TOPIC_FIELDS(X, T)                                    \
    X(T, UUID, topic_id, 10, UP)                                               \
    X(T, STRING, name, 0, UP, NULLABLE(10))

#define METADATA_REQUEST_FIELDS(X, T)                                          \
    X(T, ARRAY(metadata_request_topic), topics, 0, UP, NULLABLE(1), EMPTY_NULL) \
    X(T, BOOL, allow_auto_topic_creation, 4, UP, DEFAULT(true))                \
    X(T, BOOL, include_cluster_authorized_operations, 8, 10)                   \
    X(T, BOOL, include_topic_authorized_operations, 8, UP)

#define METADATA_RESPONSE_BROKER_FIELDS(X, T)                                  \
    X(T, INT32, node_id, 0, UP)                                                \
    X(T, STRING, host, 0, UP)                                                  \
    X(T, INT32, port, 0, UP)                                                   \
    X(T, STRING, rack, 1, UP, NULLABLE(1), DEFAULT(NIL))

#define METADATA_RESPONSE_PARTITION_FIELDS(X, T)                               \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT32, leader_id, 0, UP)                                              \
    X(T, INT32, leader_epoch, 7, UP, DEFAULT(-1))                              \
    X(T, LIST(INT32), replica_nodes, 0, UP)                                    \
    X(T, LIST(INT32), isr_nodes, 0, UP)                                        \
    X(T, LIST(INT32), offline_replicas, 5, UP)

#define METADATA_RESPONSE_TOPIC_FIELDS(X, T)                                   \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, name, 0, UP, NULLABLE(12))                                    \
    X(T, UUID, topic_id, 10, UP)                                               \
    X(T, BOOL, is_internal, 1, UP)                                             \
    X(T, ARRAY(metadata_response_partition), partitions, 0, UP)                \
    X(T, INT32, topic_authorized_operations, 8, UP, DEFAULT(INT32_MIN))

#define METADATA_RESPONSE_FIELDS(X, T)                                         \
    X(T, INT32, throttle_time_ms, 3, UP)                                       \
    X(T, ARRAY(metadata_response_broker), brokers, 0, UP)                      \
    X(T, STRING, cluster_id, 2, UP, NULLABLE(2), DEFAULT(NIL))                 \
    X(T, INT32, controller_id, 1, UP, DEFAULT(-1))                             \
    X(T, ARRAY(metadata_response_topic), topics, 0, UP)                        \
    X(T, INT32, cluster_authorized_operations, 8, 10, DEFAULT(INT32_MIN))      \
    X(T, INT16, error_code, 13, UP)

/* -- DescribeCluster --
 * endpoint_type 1: brokers, 2: controllers (KIP-919).
 */

#define DESCRIBE_CLUSTER_REQUEST_FIELDS(X, T)                                  \
    X(T, BOOL, include_cluster_authorized_operations, 0, UP)                   \
    X(T, INT8, endpoint_type, 1, UP, DEFAULT(1))                               \
    X(T, BOOL, include_fenced_brokers, 2, UP)

#define DESCRIBE_CLUSTER_RESPONSE_BROKER_FIELDS(X, T)                          \
    X(T, INT32, broker_id, 0, UP)                                              \
    X(T, STRING, host, 0, UP)                                                  \
    X(T, INT32, port, 0, UP)                                                   \
    X(T, STRING, rack, 0, UP, NULLABLE(0), DEFAULT(NIL))                       \
    X(T, BOOL, is_fenced, 2, UP)

#define DESCRIBE_CLUSTER_RESPONSE_FIELDS(X, T)                                 \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0), DEFAULT(NIL))              \
    X(T, INT8, endpoint_type, 1, UP, DEFAULT(1))                               \
    X(T, STRING, cluster_id, 0, UP)                                            \
    X(T, INT32, controller_id, 0, UP, DEFAULT(-1))                             \
    X(T, ARRAY(describe_cluster_response_broker), brokers, 0, UP)              \
    X(T, INT32, cluster_authorized_operations, 0, UP, DEFAULT(INT32_MIN))

/* -- DescribeTopicPartitions (KIP-966) --
 * Topics by name, from the cursor on, and in the answer one to go on from.
 */

#define DESCRIBE_TOPIC_PARTITIONS_REQUEST_TOPIC_FIELDS(X, T)                   \
    X(T, STRING, name, 0, UP)

#define DESCRIBE_TOPIC_PARTITIONS_CURSOR_FIELDS(X, T)                          \
    X(T, STRING, topic_name, 0, UP)                                            \
    X(T, INT32, partition_index, 0, UP)

#define DESCRIBE_TOPIC_PARTITIONS_REQUEST_FIELDS(X, T)                         \
    X(T, ARRAY(describe_topic_partitions_request_topic), topics, 0, UP)        \
    X(T, INT32, response_partition_limit, 0, UP, DEFAULT(2000))                \
    X(T, OPTION(describe_topic_partitions_cursor), cursor, 0, UP, NULLABLE(0), DEFAULT(NIL))

#define DESCRIBE_TOPIC_PARTITIONS_RESPONSE_PARTITION_FIELDS(X, T)              \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT32, leader_id, 0, UP)                                              \
    X(T, INT32, leader_epoch, 0, UP, DEFAULT(-1))                              \
    X(T, LIST(INT32), replica_nodes, 0, UP)                                    \
    X(T, LIST(INT32), isr_nodes, 0, UP)                                        \
    X(T, LIST(INT32), eligible_leader_replicas, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, LIST(INT32), last_known_elr, 0, UP, NULLABLE(0), DEFAULT(NIL))        \
    X(T, LIST(INT32), offline_replicas, 0, UP)

#define DESCRIBE_TOPIC_PARTITIONS_RESPONSE_TOPIC_FIELDS(X, T)                  \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, name, 0, UP, NULLABLE(0))                                     \
    X(T, UUID, topic_id, 0, UP)                                                \
    X(T, BOOL, is_internal, 0, UP)                                             \
    X(T, ARRAY(describe_topic_partitions_response_partition), partitions, 0, UP) \
    X(T, INT32, topic_authorized_operations, 0, UP, DEFAULT(INT32_MIN))

#define DESCRIBE_TOPIC_PARTITIONS_RESPONSE_FIELDS(X, T)                        \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(describe_topic_partitions_response_topic), topics, 0, UP)       \
    X(T, OPTION(describe_topic_partitions_cursor), next_cursor, 0, UP, NULLABLE(0), DEFAULT(NIL))

#define WIRE_METADATA_TYPES(D)                                                 \
    D(api_versions_request, API_VERSIONS_REQUEST_FIELDS)                       \
    D(api_versions_response_api, API_VERSIONS_RESPONSE_API_FIELDS)             \
    D(api_versions_response_supported, API_VERSIONS_RESPONSE_SUPPORTED_FIELDS) \
    D(api_versions_response_finalized, API_VERSIONS_RESPONSE_FINALIZED_FIELDS) \
    D(api_versions_response, API_VERSIONS_RESPONSE_FIELDS)                     \
    D(metadata_request_topic, METADATA_REQUEST_TOPIC_FIELDS)                   \
    D(metadata_request, METADATA_REQUEST_FIELDS)                               \
    D(metadata_response_broker, METADATA_RESPONSE_BROKER_FIELDS)               \
    D(metadata_response_partition, METADATA_RESPONSE_PARTITION_FIELDS)         \
    D(metadata_response_topic, METADATA_RESPONSE_TOPIC_FIELDS)                 \
    D(metadata_response, METADATA_RESPONSE_FIELDS)                             \
    D(describe_cluster_request, DESCRIBE_CLUSTER_REQUEST_FIELDS)               \
    D(describe_cluster_response_broker, DESCRIBE_CLUSTER_RESPONSE_BROKER_FIELDS) \
    D(describe_cluster_response, DESCRIBE_CLUSTER_RESPONSE_FIELDS)             \
    D(describe_topic_partitions_request_topic, DESCRIBE_TOPIC_PARTITIONS_REQUEST_TOPIC_FIELDS) \
    D(describe_topic_partitions_cursor, DESCRIBE_TOPIC_PARTITIONS_CURSOR_FIELDS) \
    D(describe_topic_partitions_request, DESCRIBE_TOPIC_PARTITIONS_REQUEST_FIELDS) \
    D(describe_topic_partitions_response_partition, DESCRIBE_TOPIC_PARTITIONS_RESPONSE_PARTITION_FIELDS) \
    D(describe_topic_partitions_response_topic, DESCRIBE_TOPIC_PARTITIONS_RESPONSE_TOPIC_FIELDS) \
    D(describe_topic_partitions_response, DESCRIBE_TOPIC_PARTITIONS_RESPONSE_FIELDS)

/* clang-format on */
WIRE_METADATA_TYPES(WIRE_STRUCT_OF)

#endif
