/*
 * groups.h: the classic group protocol and the view of groups.
 */
#ifndef WIRE_MSG_GROUPS_H
#define WIRE_MSG_GROUPS_H

#include "wire/field.h"

/* clang-format off */

/* -- FindCoordinator --
 * key_type 0 group, 1 transaction, 2 share. Many keys from version 4 on.
 */

#define FIND_COORDINATOR_REQUEST_FIELDS(X, T)                                  \
    X(T, STRING, key, 0, 3)                                                    \
    X(T, INT8, key_type, 1, UP)                                                \
    X(T, LIST(STRING), coordinator_keys, 4, UP)

#define FIND_COORDINATOR_RESPONSE_COORDINATOR_FIELDS(X, T)                     \
    X(T, STRING, key, 4, UP)                                                   \
    X(T, INT32, node_id, 4, UP)                                                \
    X(T, STRING, host, 4, UP)                                                  \
    X(T, INT32, port, 4, UP)                                                   \
    X(T, INT16, error_code, 4, UP)                                             \
    X(T, STRING, error_message, 4, UP, NULLABLE(4))

#define FIND_COORDINATOR_RESPONSE_FIELDS(X, T)                                 \
    X(T, INT32, throttle_time_ms, 1, UP)                                       \
    X(T, INT16, error_code, 0, 3)                                              \
    X(T, STRING, error_message, 1, 3, NULLABLE(1))                             \
    X(T, INT32, node_id, 0, 3)                                                 \
    X(T, STRING, host, 0, 3)                                                   \
    X(T, INT32, port, 0, 3)                                                    \
    X(T, ARRAY(find_coordinator_response_coordinator), coordinators, 4, UP)

/* -- JoinGroup --
 * rebalance_timeout_ms below 0 (version 0): the session timeout counts.
 */

#define JOIN_GROUP_REQUEST_PROTOCOL_FIELDS(X, T)                               \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, BYTES, metadata, 0, UP)

#define JOIN_GROUP_REQUEST_FIELDS(X, T)                                        \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, INT32, session_timeout_ms, 0, UP)                                     \
    X(T, INT32, rebalance_timeout_ms, 1, UP, DEFAULT(-1))                      \
    X(T, STRING, member_id, 0, UP)                                             \
    X(T, STRING, group_instance_id, 5, UP, NULLABLE(5), DEFAULT(NIL))          \
    X(T, STRING, protocol_type, 0, UP)                                         \
    X(T, ARRAY(join_group_request_protocol), protocols, 0, UP)                 \
    X(T, STRING, reason, 8, UP, NULLABLE(8), DEFAULT(NIL))

#define JOIN_GROUP_RESPONSE_MEMBER_FIELDS(X, T)                                \
    X(T, STRING, member_id, 0, UP)                                             \
    X(T, STRING, group_instance_id, 5, UP, NULLABLE(5), DEFAULT(NIL))          \
    X(T, BYTES, metadata, 0, UP)

#define JOIN_GROUP_RESPONSE_FIELDS(X, T)                                       \
    X(T, INT32, throttle_time_ms, 2, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, INT32, generation_id, 0, UP, DEFAULT(-1))                             \
    X(T, STRING, protocol_type, 7, UP, NULLABLE(7), DEFAULT(NIL))              \
    X(T, STRING, protocol_name, 0, UP, NULLABLE(7))                            \
    X(T, STRING, leader, 0, UP)                                                \
    X(T, BOOL, skip_assignment, 9, UP)                                         \
    X(T, STRING, member_id, 0, UP)                                             \
    X(T, ARRAY(join_group_response_member), members, 0, UP)

/* -- SyncGroup -- */

#define SYNC_GROUP_REQUEST_ASSIGNMENT_FIELDS(X, T)                             \
    X(T, STRING, member_id, 0, UP)                                             \
    X(T, BYTES, assignment, 0, UP)

#define SYNC_GROUP_REQUEST_FIELDS(X, T)                                        \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, INT32, generation_id, 0, UP)                                          \
    X(T, STRING, member_id, 0, UP)                                             \
    X(T, STRING, group_instance_id, 3, UP, NULLABLE(3), DEFAULT(NIL))          \
    X(T, STRING, protocol_type, 5, UP, NULLABLE(5), DEFAULT(NIL))              \
    X(T, STRING, protocol_name, 5, UP, NULLABLE(5), DEFAULT(NIL))              \
    X(T, ARRAY(sync_group_request_assignment), assignments, 0, UP)

#define SYNC_GROUP_RESPONSE_FIELDS(X, T)                                       \
    X(T, INT32, throttle_time_ms, 1, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, protocol_type, 5, UP, NULLABLE(5), DEFAULT(NIL))              \
    X(T, STRING, protocol_name, 5, UP, NULLABLE(5), DEFAULT(NIL))              \
    X(T, BYTES, assignment, 0, UP)

/* -- Heartbeat -- */

#define HEARTBEAT_REQUEST_FIELDS(X, T)                                         \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, INT32, generation_id, 0, UP)                                          \
    X(T, STRING, member_id, 0, UP)                                             \
    X(T, STRING, group_instance_id, 3, UP, NULLABLE(3), DEFAULT(NIL))

#define HEARTBEAT_RESPONSE_FIELDS(X, T)                                        \
    X(T, INT32, throttle_time_ms, 1, UP)                                       \
    X(T, INT16, error_code, 0, UP)

/* -- LeaveGroup --
 * One member up to version 2, many from 3 on (KIP-345).
 */

#define LEAVE_GROUP_REQUEST_MEMBER_FIELDS(X, T)                                \
    X(T, STRING, member_id, 3, UP)                                             \
    X(T, STRING, group_instance_id, 3, UP, NULLABLE(3), DEFAULT(NIL))          \
    X(T, STRING, reason, 5, UP, NULLABLE(5), DEFAULT(NIL))

#define LEAVE_GROUP_REQUEST_FIELDS(X, T)                                       \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, STRING, member_id, 0, 2)                                              \
    X(T, ARRAY(leave_group_request_member), members, 3, UP)

#define LEAVE_GROUP_RESPONSE_MEMBER_FIELDS(X, T)                               \
    X(T, STRING, member_id, 3, UP)                                             \
    X(T, STRING, group_instance_id, 3, UP, NULLABLE(3))                        \
    X(T, INT16, error_code, 3, UP)

#define LEAVE_GROUP_RESPONSE_FIELDS(X, T)                                      \
    X(T, INT32, throttle_time_ms, 1, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, ARRAY(leave_group_response_member), members, 3, UP)

/* -- DescribeGroups -- */

#define DESCRIBE_GROUPS_REQUEST_FIELDS(X, T)                                   \
    X(T, LIST(STRING), groups, 0, UP)                                          \
    X(T, BOOL, include_authorized_operations, 3, UP)

#define DESCRIBE_GROUPS_RESPONSE_MEMBER_FIELDS(X, T)                           \
    X(T, STRING, member_id, 0, UP)                                             \
    X(T, STRING, group_instance_id, 4, UP, NULLABLE(4), DEFAULT(NIL))          \
    X(T, STRING, client_id, 0, UP)                                             \
    X(T, STRING, client_host, 0, UP)                                           \
    X(T, BYTES, member_metadata, 0, UP)                                        \
    X(T, BYTES, member_assignment, 0, UP)

#define DESCRIBE_GROUPS_RESPONSE_GROUP_FIELDS(X, T)                            \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 6, UP, NULLABLE(6), DEFAULT(NIL))              \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, STRING, group_state, 0, UP)                                           \
    X(T, STRING, protocol_type, 0, UP)                                         \
    X(T, STRING, protocol_data, 0, UP)                                         \
    X(T, ARRAY(describe_groups_response_member), members, 0, UP)               \
    X(T, INT32, authorized_operations, 3, UP, DEFAULT(INT32_MIN))

#define DESCRIBE_GROUPS_RESPONSE_FIELDS(X, T)                                  \
    X(T, INT32, throttle_time_ms, 1, UP)                                       \
    X(T, ARRAY(describe_groups_response_group), groups, 0, UP)

/* -- ListGroups -- */

#define LIST_GROUPS_REQUEST_FIELDS(X, T)                                       \
    X(T, LIST(STRING), states_filter, 4, UP)                                   \
    X(T, LIST(STRING), types_filter, 5, UP)

#define LIST_GROUPS_RESPONSE_GROUP_FIELDS(X, T)                                \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, STRING, protocol_type, 0, UP)                                         \
    X(T, STRING, group_state, 4, UP)                                           \
    X(T, STRING, group_type, 5, UP)

#define LIST_GROUPS_RESPONSE_FIELDS(X, T)                                      \
    X(T, INT32, throttle_time_ms, 1, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, ARRAY(list_groups_response_group), groups, 0, UP)

/* -- DeleteGroups -- */

#define DELETE_GROUPS_REQUEST_FIELDS(X, T)                                     \
    X(T, LIST(STRING), groups_names, 0, UP)

#define DELETE_GROUPS_RESPONSE_GROUP_FIELDS(X, T)                              \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, INT16, error_code, 0, UP)

#define DELETE_GROUPS_RESPONSE_FIELDS(X, T)                                    \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(delete_groups_response_group), results, 0, UP)

#define WIRE_GROUPS_TYPES(D)                                                   \
    D(find_coordinator_request, FIND_COORDINATOR_REQUEST_FIELDS)               \
    D(find_coordinator_response_coordinator, FIND_COORDINATOR_RESPONSE_COORDINATOR_FIELDS) \
    D(find_coordinator_response, FIND_COORDINATOR_RESPONSE_FIELDS)             \
    D(join_group_request_protocol, JOIN_GROUP_REQUEST_PROTOCOL_FIELDS)         \
    D(join_group_request, JOIN_GROUP_REQUEST_FIELDS)                           \
    D(join_group_response_member, JOIN_GROUP_RESPONSE_MEMBER_FIELDS)           \
    D(join_group_response, JOIN_GROUP_RESPONSE_FIELDS)                         \
    D(sync_group_request_assignment, SYNC_GROUP_REQUEST_ASSIGNMENT_FIELDS)     \
    D(sync_group_request, SYNC_GROUP_REQUEST_FIELDS)                           \
    D(sync_group_response, SYNC_GROUP_RESPONSE_FIELDS)                         \
    D(heartbeat_request, HEARTBEAT_REQUEST_FIELDS)                             \
    D(heartbeat_response, HEARTBEAT_RESPONSE_FIELDS)                           \
    D(leave_group_request_member, LEAVE_GROUP_REQUEST_MEMBER_FIELDS)           \
    D(leave_group_request, LEAVE_GROUP_REQUEST_FIELDS)                         \
    D(leave_group_response_member, LEAVE_GROUP_RESPONSE_MEMBER_FIELDS)         \
    D(leave_group_response, LEAVE_GROUP_RESPONSE_FIELDS)                       \
    D(describe_groups_request, DESCRIBE_GROUPS_REQUEST_FIELDS)                 \
    D(describe_groups_response_member, DESCRIBE_GROUPS_RESPONSE_MEMBER_FIELDS) \
    D(describe_groups_response_group, DESCRIBE_GROUPS_RESPONSE_GROUP_FIELDS)   \
    D(describe_groups_response, DESCRIBE_GROUPS_RESPONSE_FIELDS)               \
    D(list_groups_request, LIST_GROUPS_REQUEST_FIELDS)                         \
    D(list_groups_response_group, LIST_GROUPS_RESPONSE_GROUP_FIELDS)           \
    D(list_groups_response, LIST_GROUPS_RESPONSE_FIELDS)                       \
    D(delete_groups_request, DELETE_GROUPS_REQUEST_FIELDS)                     \
    D(delete_groups_response_group, DELETE_GROUPS_RESPONSE_GROUP_FIELDS)       \
    D(delete_groups_response, DELETE_GROUPS_RESPONSE_FIELDS)

/* clang-format on */
WIRE_GROUPS_TYPES(WIRE_STRUCT_OF)

#endif
