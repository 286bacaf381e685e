/*
 * offsets.h: offsets by time, by epoch, and those of groups.
 */
#ifndef WIRE_MSG_OFFSETS_H
#define WIRE_MSG_OFFSETS_H

#include "wire/field.h"

/* clang-format off */

/* -- ListOffsets --
 * timestamp -1 latest, -2 earliest, -3 the greatest timestamp, and below
 * that tiers of storage (KIP-405, 734, 1005).
 */

#define LIST_OFFSETS_REQUEST_PARTITION_FIELDS(X, T)                            \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT32, current_leader_epoch, 4, UP, DEFAULT(-1))                      \
    X(T, INT64, timestamp, 0, UP)

#define LIST_OFFSETS_REQUEST_TOPIC_FIELDS(X, T)                                \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(list_offsets_request_partition), partitions, 0, UP)

#define LIST_OFFSETS_REQUEST_FIELDS(X, T)                                      \
    X(T, INT32, replica_id, 0, UP)                                             \
    X(T, INT8, isolation_level, 2, UP)                                         \
    X(T, ARRAY(list_offsets_request_topic), topics, 0, UP)                     \
    X(T, INT32, timeout_ms, 10, UP)

#define LIST_OFFSETS_RESPONSE_PARTITION_FIELDS(X, T)                           \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, INT64, timestamp, 1, UP, DEFAULT(-1))                                 \
    X(T, INT64, offset, 1, UP, DEFAULT(-1))                                    \
    X(T, INT32, leader_epoch, 4, UP, DEFAULT(-1))

#define LIST_OFFSETS_RESPONSE_TOPIC_FIELDS(X, T)                               \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(list_offsets_response_partition), partitions, 0, UP)

#define LIST_OFFSETS_RESPONSE_FIELDS(X, T)                                     \
    X(T, INT32, throttle_time_ms, 2, UP)                                       \
    X(T, ARRAY(list_offsets_response_topic), topics, 0, UP)

/* -- OffsetForLeaderEpoch -- */

#define OFFSET_FOR_LEADER_EPOCH_REQUEST_PARTITION_FIELDS(X, T)                 \
    X(T, INT32, partition, 0, UP)                                              \
    X(T, INT32, current_leader_epoch, 2, UP, DEFAULT(-1))                      \
    X(T, INT32, leader_epoch, 0, UP)

#define OFFSET_FOR_LEADER_EPOCH_REQUEST_TOPIC_FIELDS(X, T)                     \
    X(T, STRING, topic, 0, UP)                                                 \
    X(T, ARRAY(offset_for_leader_epoch_request_partition), partitions, 0, UP)

#define OFFSET_FOR_LEADER_EPOCH_REQUEST_FIELDS(X, T)                           \
    X(T, INT32, replica_id, 3, UP, DEFAULT(-2))                                \
    X(T, ARRAY(offset_for_leader_epoch_request_topic), topics, 0, UP)

#define OFFSET_FOR_LEADER_EPOCH_RESPONSE_PARTITION_FIELDS(X, T)                \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, INT32, partition, 0, UP)                                              \
    X(T, INT32, leader_epoch, 1, UP, DEFAULT(-1))                              \
    X(T, INT64, end_offset, 0, UP, DEFAULT(-1))

#define OFFSET_FOR_LEADER_EPOCH_RESPONSE_TOPIC_FIELDS(X, T)                    \
    X(T, STRING, topic, 0, UP)                                                 \
    X(T, ARRAY(offset_for_leader_epoch_response_partition), partitions, 0, UP)

#define OFFSET_FOR_LEADER_EPOCH_RESPONSE_FIELDS(X, T)                          \
    X(T, INT32, throttle_time_ms, 2, UP)                                       \
    X(T, ARRAY(offset_for_leader_epoch_response_topic), topics, 0, UP)

/* -- OffsetCommit --
 * retention_time_ms is history; -1 is the default of the broker.
 */

#define OFFSET_COMMIT_REQUEST_PARTITION_FIELDS(X, T)                           \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT64, committed_offset, 0, UP)                                       \
    X(T, INT32, committed_leader_epoch, 6, UP, DEFAULT(-1))                    \
    X(T, STRING, committed_metadata, 0, UP, NULLABLE(0))

#define OFFSET_COMMIT_REQUEST_TOPIC_FIELDS(X, T)                               \
    X(T, STRING, name, 0, 9)                                                   \
    X(T, UUID, topic_id, 10, UP)                                               \
    X(T, ARRAY(offset_commit_request_partition), partitions, 0, UP)

#define OFFSET_COMMIT_REQUEST_FIELDS(X, T)                                     \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, INT32, generation_id_or_member_epoch, 1, UP, DEFAULT(-1))             \
    X(T, STRING, member_id, 1, UP)                                             \
    X(T, STRING, group_instance_id, 7, UP, NULLABLE(7), DEFAULT(NIL))          \
    X(T, INT64, retention_time_ms, 2, 4, DEFAULT(-1))                          \
    X(T, ARRAY(offset_commit_request_topic), topics, 0, UP)

#define OFFSET_COMMIT_RESPONSE_PARTITION_FIELDS(X, T)                          \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT16, error_code, 0, UP)

#define OFFSET_COMMIT_RESPONSE_TOPIC_FIELDS(X, T)                              \
    X(T, STRING, name, 0, 9)                                                   \
    X(T, UUID, topic_id, 10, UP)                                               \
    X(T, ARRAY(offset_commit_response_partition), partitions, 0, UP)

#define OFFSET_COMMIT_RESPONSE_FIELDS(X, T)                                    \
    X(T, INT32, throttle_time_ms, 3, UP)                                       \
    X(T, ARRAY(offset_commit_response_topic), topics, 0, UP)

/* -- OffsetFetch --
 * One group up to version 7, many from 8 on (KIP-709). topics null: all.
 */

#define OFFSET_FETCH_REQUEST_TOPIC_FIELDS(X, T)                                \
    X(T, STRING, name, 0, 7)                                                   \
    X(T, LIST(INT32), partition_indexes, 0, 7)

#define OFFSET_FETCH_REQUEST_GROUP_TOPIC_FIELDS(X, T)                          \
    X(T, STRING, name, 8, 9)                                                   \
    X(T, UUID, topic_id, 10, UP)                                               \
    X(T, LIST(INT32), partition_indexes, 8, UP)

#define OFFSET_FETCH_REQUEST_GROUP_FIELDS(X, T)                                \
    X(T, STRING, group_id, 8, UP)                                              \
    X(T, STRING, member_id, 9, UP, NULLABLE(9), DEFAULT(NIL))                  \
    X(T, INT32, member_epoch, 9, UP, DEFAULT(-1))                              \
    X(T, ARRAY(offset_fetch_request_group_topic), topics, 8, UP, NULLABLE(8))

#define OFFSET_FETCH_REQUEST_FIELDS(X, T)                                      \
    X(T, STRING, group_id, 0, 7)                                               \
    X(T, ARRAY(offset_fetch_request_topic), topics, 0, 7, NULLABLE(2))         \
    X(T, ARRAY(offset_fetch_request_group), groups, 8, UP)                     \
    X(T, BOOL, require_stable, 7, UP)

#define OFFSET_FETCH_RESPONSE_PARTITION_FIELDS(X, T)                           \
    X(T, INT32, partition_index, 0, 7)                                         \
    X(T, INT64, committed_offset, 0, 7)                                        \
    X(T, INT32, committed_leader_epoch, 5, 7, DEFAULT(-1))                     \
    X(T, STRING, metadata, 0, 7, NULLABLE(0))                                  \
    X(T, INT16, error_code, 0, 7)

#define OFFSET_FETCH_RESPONSE_TOPIC_FIELDS(X, T)                               \
    X(T, STRING, name, 0, 7)                                                   \
    X(T, ARRAY(offset_fetch_response_partition), partitions, 0, 7)

#define OFFSET_FETCH_RESPONSE_GROUP_PARTITION_FIELDS(X, T)                     \
    X(T, INT32, partition_index, 8, UP)                                        \
    X(T, INT64, committed_offset, 8, UP)                                       \
    X(T, INT32, committed_leader_epoch, 8, UP, DEFAULT(-1))                    \
    X(T, STRING, metadata, 8, UP, NULLABLE(8))                                 \
    X(T, INT16, error_code, 8, UP)

#define OFFSET_FETCH_RESPONSE_GROUP_TOPIC_FIELDS(X, T)                         \
    X(T, STRING, name, 8, 9)                                                   \
    X(T, UUID, topic_id, 10, UP)                                               \
    X(T, ARRAY(offset_fetch_response_group_partition), partitions, 8, UP)

#define OFFSET_FETCH_RESPONSE_GROUP_FIELDS(X, T)                               \
    X(T, STRING, group_id, 8, UP)                                              \
    X(T, ARRAY(offset_fetch_response_group_topic), topics, 8, UP)              \
    X(T, INT16, error_code, 8, UP)

#define OFFSET_FETCH_RESPONSE_FIELDS(X, T)                                     \
    X(T, INT32, throttle_time_ms, 3, UP)                                       \
    X(T, ARRAY(offset_fetch_response_topic), topics, 0, 7)                     \
    X(T, INT16, error_code, 2, 7)                                              \
    X(T, ARRAY(offset_fetch_response_group), groups, 8, UP)

/* -- OffsetDelete -- */

#define OFFSET_DELETE_REQUEST_PARTITION_FIELDS(X, T)                           \
    X(T, INT32, partition_index, 0, UP)

#define OFFSET_DELETE_REQUEST_TOPIC_FIELDS(X, T)                               \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(offset_delete_request_partition), partitions, 0, UP)

#define OFFSET_DELETE_REQUEST_FIELDS(X, T)                                     \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, ARRAY(offset_delete_request_topic), topics, 0, UP)

#define OFFSET_DELETE_RESPONSE_PARTITION_FIELDS(X, T)                          \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT16, error_code, 0, UP)

#define OFFSET_DELETE_RESPONSE_TOPIC_FIELDS(X, T)                              \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(offset_delete_response_partition), partitions, 0, UP)

#define OFFSET_DELETE_RESPONSE_FIELDS(X, T)                                    \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(offset_delete_response_topic), topics, 0, UP)

#define WIRE_OFFSETS_TYPES(D)                                                  \
    D(list_offsets_request_partition, LIST_OFFSETS_REQUEST_PARTITION_FIELDS)   \
    D(list_offsets_request_topic, LIST_OFFSETS_REQUEST_TOPIC_FIELDS)           \
    D(list_offsets_request, LIST_OFFSETS_REQUEST_FIELDS)                       \
    D(list_offsets_response_partition, LIST_OFFSETS_RESPONSE_PARTITION_FIELDS) \
    D(list_offsets_response_topic, LIST_OFFSETS_RESPONSE_TOPIC_FIELDS)         \
    D(list_offsets_response, LIST_OFFSETS_RESPONSE_FIELDS)                     \
    D(offset_for_leader_epoch_request_partition, OFFSET_FOR_LEADER_EPOCH_REQUEST_PARTITION_FIELDS) \
    D(offset_for_leader_epoch_request_topic, OFFSET_FOR_LEADER_EPOCH_REQUEST_TOPIC_FIELDS) \
    D(offset_for_leader_epoch_request, OFFSET_FOR_LEADER_EPOCH_REQUEST_FIELDS) \
    D(offset_for_leader_epoch_response_partition, OFFSET_FOR_LEADER_EPOCH_RESPONSE_PARTITION_FIELDS) \
    D(offset_for_leader_epoch_response_topic, OFFSET_FOR_LEADER_EPOCH_RESPONSE_TOPIC_FIELDS) \
    D(offset_for_leader_epoch_response, OFFSET_FOR_LEADER_EPOCH_RESPONSE_FIELDS) \
    D(offset_commit_request_partition, OFFSET_COMMIT_REQUEST_PARTITION_FIELDS) \
    D(offset_commit_request_topic, OFFSET_COMMIT_REQUEST_TOPIC_FIELDS)         \
    D(offset_commit_request, OFFSET_COMMIT_REQUEST_FIELDS)                     \
    D(offset_commit_response_partition, OFFSET_COMMIT_RESPONSE_PARTITION_FIELDS) \
    D(offset_commit_response_topic, OFFSET_COMMIT_RESPONSE_TOPIC_FIELDS)       \
    D(offset_commit_response, OFFSET_COMMIT_RESPONSE_FIELDS)                   \
    D(offset_fetch_request_topic, OFFSET_FETCH_REQUEST_TOPIC_FIELDS)           \
    D(offset_fetch_request_group_topic, OFFSET_FETCH_REQUEST_GROUP_TOPIC_FIELDS) \
    D(offset_fetch_request_group, OFFSET_FETCH_REQUEST_GROUP_FIELDS)           \
    D(offset_fetch_request, OFFSET_FETCH_REQUEST_FIELDS)                       \
    D(offset_fetch_response_partition, OFFSET_FETCH_RESPONSE_PARTITION_FIELDS) \
    D(offset_fetch_response_topic, OFFSET_FETCH_RESPONSE_TOPIC_FIELDS)         \
    D(offset_fetch_response_group_partition, OFFSET_FETCH_RESPONSE_GROUP_PARTITION_FIELDS) \
    D(offset_fetch_response_group_topic, OFFSET_FETCH_RESPONSE_GROUP_TOPIC_FIELDS) \
    D(offset_fetch_response_group, OFFSET_FETCH_RESPONSE_GROUP_FIELDS)         \
    D(offset_fetch_response, OFFSET_FETCH_RESPONSE_FIELDS)                     \
    D(offset_delete_request_partition, OFFSET_DELETE_REQUEST_PARTITION_FIELDS) \
    D(offset_delete_request_topic, OFFSET_DELETE_REQUEST_TOPIC_FIELDS)         \
    D(offset_delete_request, OFFSET_DELETE_REQUEST_FIELDS)                     \
    D(offset_delete_response_partition, OFFSET_DELETE_RESPONSE_PARTITION_FIELDS) \
    D(offset_delete_response_topic, OFFSET_DELETE_RESPONSE_TOPIC_FIELDS)       \
    D(offset_delete_response, OFFSET_DELETE_RESPONSE_FIELDS)

/* clang-format on */
WIRE_OFFSETS_TYPES(WIRE_STRUCT_OF)

#endif
