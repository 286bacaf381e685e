/*
 * streams_groups.h: groups of the streams protocol (KIP-1071).
 */
#ifndef WIRE_MSG_STREAMS_GROUPS_H
#define WIRE_MSG_STREAMS_GROUPS_H

#include "wire/field.h"

/* clang-format off */

/* -- StreamsGroupHeartbeat --
 * member_epoch 0 joins, -1 leaves, -2 leaves for a while (static members).
 * What is null, and a rebalance_timeout_ms of -1, is as it was before. A
 * count of partitions or replicas of 0 is for the broker to find. The
 * numbers of a copartition group are places in the lists of its subtopology.
 */

#define STREAMS_KEY_VALUE_FIELDS(X, T)                                         \
    X(T, STRING, key, 0, UP)                                                   \
    X(T, STRING, value, 0, UP)

#define STREAMS_TOPIC_INFO_FIELDS(X, T)                                        \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, INT32, partitions, 0, UP)                                             \
    X(T, INT16, replication_factor, 0, UP)                                     \
    X(T, ARRAY(streams_key_value), topic_configs, 0, UP)

#define STREAMS_ENDPOINT_FIELDS(X, T)                                          \
    X(T, STRING, host, 0, UP)                                                  \
    X(T, UINT16, port, 0, UP)

#define STREAMS_TASK_OFFSET_FIELDS(X, T)                                       \
    X(T, STRING, subtopology_id, 0, UP)                                        \
    X(T, INT32, partition, 0, UP)                                              \
    X(T, INT64, offset, 0, UP)

#define STREAMS_TASK_IDS_FIELDS(X, T)                                          \
    X(T, STRING, subtopology_id, 0, UP)                                        \
    X(T, LIST(INT32), partitions, 0, UP)

#define STREAMS_COPARTITION_GROUP_FIELDS(X, T)                                 \
    X(T, LIST(INT16), source_topics, 0, UP)                                    \
    X(T, LIST(INT16), source_topic_regex, 0, UP)                               \
    X(T, LIST(INT16), repartition_source_topics, 0, UP)

#define STREAMS_GROUP_HEARTBEAT_REQUEST_SUBTOPOLOGY_FIELDS(X, T)               \
    X(T, STRING, subtopology_id, 0, UP)                                        \
    X(T, LIST(STRING), source_topics, 0, UP)                                   \
    X(T, LIST(STRING), source_topic_regex, 0, UP)                              \
    X(T, ARRAY(streams_topic_info), state_changelog_topics, 0, UP)             \
    X(T, LIST(STRING), repartition_sink_topics, 0, UP)                         \
    X(T, ARRAY(streams_topic_info), repartition_source_topics, 0, UP)          \
    X(T, ARRAY(streams_copartition_group), copartition_groups, 0, UP)

#define STREAMS_GROUP_HEARTBEAT_REQUEST_TOPOLOGY_FIELDS(X, T)                  \
    X(T, INT32, epoch, 0, UP)                                                  \
    X(T, ARRAY(streams_group_heartbeat_request_subtopology), subtopologies, 0, UP)

#define STREAMS_GROUP_HEARTBEAT_REQUEST_FIELDS(X, T)                           \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, STRING, member_id, 0, UP)                                             \
    X(T, INT32, member_epoch, 0, UP)                                           \
    X(T, INT32, endpoint_information_epoch, 0, UP)                             \
    X(T, STRING, instance_id, 0, UP, NULLABLE(0), DEFAULT(NIL))                \
    X(T, STRING, rack_id, 0, UP, NULLABLE(0), DEFAULT(NIL))                    \
    X(T, INT32, rebalance_timeout_ms, 0, UP, DEFAULT(-1))                      \
    X(T, OPTION(streams_group_heartbeat_request_topology), topology, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, ARRAY(streams_task_ids), active_tasks, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, ARRAY(streams_task_ids), standby_tasks, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, ARRAY(streams_task_ids), warmup_tasks, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, STRING, process_id, 0, UP, NULLABLE(0), DEFAULT(NIL))                 \
    X(T, OPTION(streams_endpoint), user_endpoint, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, ARRAY(streams_key_value), client_tags, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, ARRAY(streams_task_offset), task_offsets, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, ARRAY(streams_task_offset), task_end_offsets, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, BOOL, shutdown_application, 0, UP)

#define STREAMS_STATUS_FIELDS(X, T)                                            \
    X(T, INT8, status_code, 0, UP)                                             \
    X(T, STRING, status_detail, 0, UP)

#define STREAMS_TOPIC_PARTITION_FIELDS(X, T)                                   \
    X(T, STRING, topic, 0, UP)                                                 \
    X(T, LIST(INT32), partitions, 0, UP)

#define STREAMS_ENDPOINT_PARTITIONS_FIELDS(X, T)                               \
    X(T, STRUCT(streams_endpoint), user_endpoint, 0, UP)                       \
    X(T, ARRAY(streams_topic_partition), active_partitions, 0, UP)             \
    X(T, ARRAY(streams_topic_partition), standby_partitions, 0, UP)

#define STREAMS_GROUP_HEARTBEAT_RESPONSE_FIELDS(X, T)                          \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0), DEFAULT(NIL))              \
    X(T, STRING, member_id, 0, UP)                                             \
    X(T, INT32, member_epoch, 0, UP)                                           \
    X(T, INT32, heartbeat_interval_ms, 0, UP)                                  \
    X(T, INT32, acceptable_recovery_lag, 0, UP)                                \
    X(T, INT32, task_offset_interval_ms, 0, UP)                                \
    X(T, ARRAY(streams_status), status, 0, UP, NULLABLE(0))                    \
    X(T, ARRAY(streams_task_ids), active_tasks, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, ARRAY(streams_task_ids), standby_tasks, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, ARRAY(streams_task_ids), warmup_tasks, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, INT32, endpoint_information_epoch, 0, UP)                             \
    X(T, ARRAY(streams_endpoint_partitions), partitions_by_user_endpoint, 0, UP, NULLABLE(0), DEFAULT(NIL))

/* -- StreamsGroupDescribe -- */

#define STREAMS_GROUP_DESCRIBE_REQUEST_FIELDS(X, T)                            \
    X(T, LIST(STRING), group_ids, 0, UP)                                       \
    X(T, BOOL, include_authorized_operations, 0, UP)

#define STREAMS_GROUP_DESCRIBE_RESPONSE_SUBTOPOLOGY_FIELDS(X, T)               \
    X(T, STRING, subtopology_id, 0, UP)                                        \
    X(T, LIST(STRING), source_topics, 0, UP)                                   \
    X(T, LIST(STRING), repartition_sink_topics, 0, UP)                         \
    X(T, ARRAY(streams_topic_info), state_changelog_topics, 0, UP)             \
    X(T, ARRAY(streams_topic_info), repartition_source_topics, 0, UP)

#define STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY_FIELDS(X, T)                  \
    X(T, INT32, epoch, 0, UP)                                                  \
    X(T, ARRAY(streams_group_describe_response_subtopology), subtopologies, 0, UP, NULLABLE(0), DEFAULT(NIL))

#define STREAMS_ASSIGNMENT_FIELDS(X, T)                                        \
    X(T, ARRAY(streams_task_ids), active_tasks, 0, UP)                         \
    X(T, ARRAY(streams_task_ids), standby_tasks, 0, UP)                        \
    X(T, ARRAY(streams_task_ids), warmup_tasks, 0, UP)

#define STREAMS_GROUP_DESCRIBE_RESPONSE_MEMBER_FIELDS(X, T)                    \
    X(T, STRING, member_id, 0, UP)                                             \
    X(T, INT32, member_epoch, 0, UP)                                           \
    X(T, STRING, instance_id, 0, UP, NULLABLE(0), DEFAULT(NIL))                \
    X(T, STRING, rack_id, 0, UP, NULLABLE(0), DEFAULT(NIL))                    \
    X(T, STRING, client_id, 0, UP)                                             \
    X(T, STRING, client_host, 0, UP)                                           \
    X(T, INT32, topology_epoch, 0, UP)                                         \
    X(T, STRING, process_id, 0, UP)                                            \
    X(T, OPTION(streams_endpoint), user_endpoint, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, ARRAY(streams_key_value), client_tags, 0, UP)                         \
    X(T, ARRAY(streams_task_offset), task_offsets, 0, UP)                      \
    X(T, ARRAY(streams_task_offset), task_end_offsets, 0, UP)                  \
    X(T, STRUCT(streams_assignment), assignment, 0, UP)                        \
    X(T, STRUCT(streams_assignment), target_assignment, 0, UP)                 \
    X(T, BOOL, is_classic, 0, UP)

#define STREAMS_GROUP_DESCRIBE_RESPONSE_GROUP_FIELDS(X, T)                     \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0), DEFAULT(NIL))              \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, STRING, group_state, 0, UP)                                           \
    X(T, INT32, group_epoch, 0, UP)                                            \
    X(T, INT32, assignment_epoch, 0, UP)                                       \
    X(T, OPTION(streams_group_describe_response_topology), topology, 0, UP, NULLABLE(0), DEFAULT(NIL)) \
    X(T, ARRAY(streams_group_describe_response_member), members, 0, UP)        \
    X(T, INT32, authorized_operations, 0, UP, DEFAULT(INT32_MIN))

#define STREAMS_GROUP_DESCRIBE_RESPONSE_FIELDS(X, T)                           \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(streams_group_describe_response_group), groups, 0, UP)

#define WIRE_STREAMS_GROUPS_TYPES(D)                                           \
    D(streams_key_value, STREAMS_KEY_VALUE_FIELDS)                             \
    D(streams_topic_info, STREAMS_TOPIC_INFO_FIELDS)                           \
    D(streams_endpoint, STREAMS_ENDPOINT_FIELDS)                               \
    D(streams_task_offset, STREAMS_TASK_OFFSET_FIELDS)                         \
    D(streams_task_ids, STREAMS_TASK_IDS_FIELDS)                               \
    D(streams_copartition_group, STREAMS_COPARTITION_GROUP_FIELDS)             \
    D(streams_group_heartbeat_request_subtopology, STREAMS_GROUP_HEARTBEAT_REQUEST_SUBTOPOLOGY_FIELDS) \
    D(streams_group_heartbeat_request_topology, STREAMS_GROUP_HEARTBEAT_REQUEST_TOPOLOGY_FIELDS) \
    D(streams_group_heartbeat_request, STREAMS_GROUP_HEARTBEAT_REQUEST_FIELDS) \
    D(streams_status, STREAMS_STATUS_FIELDS)                                   \
    D(streams_topic_partition, STREAMS_TOPIC_PARTITION_FIELDS)                 \
    D(streams_endpoint_partitions, STREAMS_ENDPOINT_PARTITIONS_FIELDS)         \
    D(streams_group_heartbeat_response, STREAMS_GROUP_HEARTBEAT_RESPONSE_FIELDS) \
    D(streams_group_describe_request, STREAMS_GROUP_DESCRIBE_REQUEST_FIELDS)   \
    D(streams_group_describe_response_subtopology, STREAMS_GROUP_DESCRIBE_RESPONSE_SUBTOPOLOGY_FIELDS) \
    D(streams_group_describe_response_topology, STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY_FIELDS) \
    D(streams_assignment, STREAMS_ASSIGNMENT_FIELDS)                           \
    D(streams_group_describe_response_member, STREAMS_GROUP_DESCRIBE_RESPONSE_MEMBER_FIELDS) \
    D(streams_group_describe_response_group, STREAMS_GROUP_DESCRIBE_RESPONSE_GROUP_FIELDS) \
    D(streams_group_describe_response, STREAMS_GROUP_DESCRIBE_RESPONSE_FIELDS)

/* clang-format on */
WIRE_STREAMS_GROUPS_TYPES(WIRE_STRUCT_OF)

#endif
