/*
 * topics.h: topics made, grown, cut short and deleted.
 */
#ifndef WIRE_MSG_TOPICS_H
#define WIRE_MSG_TOPICS_H

#include "wire/field.h"

/* clang-format off */

/* -- CreateTopics --
 * num_partitions and replication_factor -1: the defaults of the broker, or
 * what `assignments` says.
 */

#define CREATE_TOPICS_REQUEST_ASSIGNMENT_FIELDS(X, T)                          \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, LIST(INT32), broker_ids, 0, UP)

#define CREATE_TOPICS_REQUEST_CONFIG_FIELDS(X, T)                              \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, STRING, value, 0, UP, NULLABLE(0))

#define CREATE_TOPICS_REQUEST_TOPIC_FIELDS(X, T)                               \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, INT32, num_partitions, 0, UP)                                         \
    X(T, INT16, replication_factor, 0, UP)                                     \
    X(T, ARRAY(create_topics_request_assignment), assignments, 0, UP)          \
    X(T, ARRAY(create_topics_request_config), configs, 0, UP)

#define CREATE_TOPICS_REQUEST_FIELDS(X, T)                                     \
    X(T, ARRAY(create_topics_request_topic), topics, 0, UP)                    \
    X(T, INT32, timeout_ms, 0, UP, DEFAULT(60000))                             \
    X(T, BOOL, validate_only, 1, UP)

#define CREATE_TOPICS_RESPONSE_CONFIG_FIELDS(X, T)                             \
    X(T, STRING, name, 5, UP)                                                  \
    X(T, STRING, value, 5, UP, NULLABLE(5))                                    \
    X(T, BOOL, read_only, 5, UP)                                               \
    X(T, INT8, config_source, 5, UP, DEFAULT(-1))                              \
    X(T, BOOL, is_sensitive, 5, UP)

#define CREATE_TOPICS_RESPONSE_TOPIC_FIELDS(X, T)                              \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, UUID, topic_id, 7, UP)                                                \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 1, UP, NULLABLE(1))                            \
    X(T, INT16, topic_config_error_code, 5, UP, TAG(0))                        \
    X(T, INT32, num_partitions, 5, UP, DEFAULT(-1))                            \
    X(T, INT16, replication_factor, 5, UP, DEFAULT(-1))                        \
    X(T, ARRAY(create_topics_response_config), configs, 5, UP, NULLABLE(5))

#define CREATE_TOPICS_RESPONSE_FIELDS(X, T)                                    \
    X(T, INT32, throttle_time_ms, 2, UP)                                       \
    X(T, ARRAY(create_topics_response_topic), topics, 0, UP)

/* -- DeleteTopics --
 * topic_names up to version 5, then topics by name or id.
 */

#define DELETE_TOPICS_REQUEST_TOPIC_FIELDS(X, T)                               \
    X(T, STRING, name, 6, UP, NULLABLE(6), DEFAULT(NIL))                       \
    X(T, UUID, topic_id, 6, UP)

#define DELETE_TOPICS_REQUEST_FIELDS(X, T)                                     \
    X(T, ARRAY(delete_topics_request_topic), topics, 6, UP)                    \
    X(T, LIST(STRING), topic_names, 0, 5)                                      \
    X(T, INT32, timeout_ms, 0, UP)

#define DELETE_TOPICS_RESPONSE_TOPIC_FIELDS(X, T)                              \
    X(T, STRING, name, 0, UP, NULLABLE(6))                                     \
    X(T, UUID, topic_id, 6, UP)                                                \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 5, UP, NULLABLE(5), DEFAULT(NIL))

#define DELETE_TOPICS_RESPONSE_FIELDS(X, T)                                    \
    X(T, INT32, throttle_time_ms, 1, UP)                                       \
    X(T, ARRAY(delete_topics_response_topic), responses, 0, UP)

/* -- CreatePartitions --
 * count is the new total.
 */

#define CREATE_PARTITIONS_REQUEST_ASSIGNMENT_FIELDS(X, T)                      \
    X(T, LIST(INT32), broker_ids, 0, UP)

#define CREATE_PARTITIONS_REQUEST_TOPIC_FIELDS(X, T)                           \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, INT32, count, 0, UP)                                                  \
    X(T, ARRAY(create_partitions_request_assignment), assignments, 0, UP, NULLABLE(0))

#define CREATE_PARTITIONS_REQUEST_FIELDS(X, T)                                 \
    X(T, ARRAY(create_partitions_request_topic), topics, 0, UP)                \
    X(T, INT32, timeout_ms, 0, UP)                                             \
    X(T, BOOL, validate_only, 0, UP)

#define CREATE_PARTITIONS_RESPONSE_TOPIC_FIELDS(X, T)                          \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0), DEFAULT(NIL))

#define CREATE_PARTITIONS_RESPONSE_FIELDS(X, T)                                \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(create_partitions_response_topic), results, 0, UP)

/* -- DeleteRecords -- */

#define DELETE_RECORDS_REQUEST_PARTITION_FIELDS(X, T)                          \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT64, offset, 0, UP)

#define DELETE_RECORDS_REQUEST_TOPIC_FIELDS(X, T)                              \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(delete_records_request_partition), partitions, 0, UP)

#define DELETE_RECORDS_REQUEST_FIELDS(X, T)                                    \
    X(T, ARRAY(delete_records_request_topic), topics, 0, UP)                   \
    X(T, INT32, timeout_ms, 0, UP)

#define DELETE_RECORDS_RESPONSE_PARTITION_FIELDS(X, T)                         \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT64, low_watermark, 0, UP)                                          \
    X(T, INT16, error_code, 0, UP)

#define DELETE_RECORDS_RESPONSE_TOPIC_FIELDS(X, T)                             \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(delete_records_response_partition), partitions, 0, UP)

#define DELETE_RECORDS_RESPONSE_FIELDS(X, T)                                   \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(delete_records_response_topic), topics, 0, UP)

#define WIRE_TOPICS_TYPES(D)                                                   \
    D(create_topics_request_assignment, CREATE_TOPICS_REQUEST_ASSIGNMENT_FIELDS) \
    D(create_topics_request_config, CREATE_TOPICS_REQUEST_CONFIG_FIELDS)       \
    D(create_topics_request_topic, CREATE_TOPICS_REQUEST_TOPIC_FIELDS)         \
    D(create_topics_request, CREATE_TOPICS_REQUEST_FIELDS)                     \
    D(create_topics_response_config, CREATE_TOPICS_RESPONSE_CONFIG_FIELDS)     \
    D(create_topics_response_topic, CREATE_TOPICS_RESPONSE_TOPIC_FIELDS)       \
    D(create_topics_response, CREATE_TOPICS_RESPONSE_FIELDS)                   \
    D(delete_topics_request_topic, DELETE_TOPICS_REQUEST_TOPIC_FIELDS)         \
    D(delete_topics_request, DELETE_TOPICS_REQUEST_FIELDS)                     \
    D(delete_topics_response_topic, DELETE_TOPICS_RESPONSE_TOPIC_FIELDS)       \
    D(delete_topics_response, DELETE_TOPICS_RESPONSE_FIELDS)                   \
    D(create_partitions_request_assignment, CREATE_PARTITIONS_REQUEST_ASSIGNMENT_FIELDS) \
    D(create_partitions_request_topic, CREATE_PARTITIONS_REQUEST_TOPIC_FIELDS) \
    D(create_partitions_request, CREATE_PARTITIONS_REQUEST_FIELDS)             \
    D(create_partitions_response_topic, CREATE_PARTITIONS_RESPONSE_TOPIC_FIELDS) \
    D(create_partitions_response, CREATE_PARTITIONS_RESPONSE_FIELDS)           \
    D(delete_records_request_partition, DELETE_RECORDS_REQUEST_PARTITION_FIELDS) \
    D(delete_records_request_topic, DELETE_RECORDS_REQUEST_TOPIC_FIELDS)       \
    D(delete_records_request, DELETE_RECORDS_REQUEST_FIELDS)                   \
    D(delete_records_response_partition, DELETE_RECORDS_RESPONSE_PARTITION_FIELDS) \
    D(delete_records_response_topic, DELETE_RECORDS_RESPONSE_TOPIC_FIELDS)     \
    D(delete_records_response, DELETE_RECORDS_RESPONSE_FIELDS)

/* clang-format on */
WIRE_TOPICS_TYPES(WIRE_STRUCT_OF)

#endif
