/*
 * quotas.h: how much clients may ask for (KIP-546).
 */
#ifndef WIRE_MSG_QUOTAS_H
#define WIRE_MSG_QUOTAS_H

#include "wire/field.h"

/* clang-format off */

/* -- DescribeClientQuotas --
 * match_type 0: this name, 1: the default, 2: any name. An entity's name is
 * null for the default.
 */

#define DESCRIBE_CLIENT_QUOTAS_REQUEST_COMPONENT_FIELDS(X, T)                  \
    X(T, STRING, entity_type, 0, UP)                                           \
    X(T, INT8, match_type, 0, UP)                                              \
    X(T, STRING, match, 0, UP, NULLABLE(0))

#define DESCRIBE_CLIENT_QUOTAS_REQUEST_FIELDS(X, T)                            \
    X(T, ARRAY(describe_client_quotas_request_component), components, 0, UP)   \
    X(T, BOOL, strict, 0, UP)

#define DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTITY_FIELDS(X, T)                    \
    X(T, STRING, entity_type, 0, UP)                                           \
    X(T, STRING, entity_name, 0, UP, NULLABLE(0))

#define DESCRIBE_CLIENT_QUOTAS_RESPONSE_VALUE_FIELDS(X, T)                     \
    X(T, STRING, key, 0, UP)                                                   \
    X(T, FLOAT64, value, 0, UP)

#define DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTRY_FIELDS(X, T)                     \
    X(T, ARRAY(describe_client_quotas_response_entity), entity, 0, UP)         \
    X(T, ARRAY(describe_client_quotas_response_value), values, 0, UP)

#define DESCRIBE_CLIENT_QUOTAS_RESPONSE_FIELDS(X, T)                           \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0), DEFAULT(NIL))              \
    X(T, ARRAY(describe_client_quotas_response_entry), entries, 0, UP, NULLABLE(0))

/* -- AlterClientQuotas -- */

#define ALTER_CLIENT_QUOTAS_REQUEST_ENTITY_FIELDS(X, T)                        \
    X(T, STRING, entity_type, 0, UP)                                           \
    X(T, STRING, entity_name, 0, UP, NULLABLE(0))

#define ALTER_CLIENT_QUOTAS_REQUEST_OP_FIELDS(X, T)                            \
    X(T, STRING, key, 0, UP)                                                   \
    X(T, FLOAT64, value, 0, UP)                                                \
    X(T, BOOL, remove, 0, UP)

#define ALTER_CLIENT_QUOTAS_REQUEST_ENTRY_FIELDS(X, T)                         \
    X(T, ARRAY(alter_client_quotas_request_entity), entity, 0, UP)             \
    X(T, ARRAY(alter_client_quotas_request_op), ops, 0, UP)

#define ALTER_CLIENT_QUOTAS_REQUEST_FIELDS(X, T)                               \
    X(T, ARRAY(alter_client_quotas_request_entry), entries, 0, UP)             \
    X(T, BOOL, validate_only, 0, UP)

#define ALTER_CLIENT_QUOTAS_RESPONSE_ENTITY_FIELDS(X, T)                       \
    X(T, STRING, entity_type, 0, UP)                                           \
    X(T, STRING, entity_name, 0, UP, NULLABLE(0))

#define ALTER_CLIENT_QUOTAS_RESPONSE_ENTRY_FIELDS(X, T)                        \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0))                            \
    X(T, ARRAY(alter_client_quotas_response_entity), entity, 0, UP)

#define ALTER_CLIENT_QUOTAS_RESPONSE_FIELDS(X, T)                              \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(alter_client_quotas_response_entry), entries, 0, UP)

#define WIRE_QUOTAS_TYPES(D)                                                   \
    D(describe_client_quotas_request_component, DESCRIBE_CLIENT_QUOTAS_REQUEST_COMPONENT_FIELDS) \
    D(describe_client_quotas_request, DESCRIBE_CLIENT_QUOTAS_REQUEST_FIELDS)   \
    D(describe_client_quotas_response_entity, DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTITY_FIELDS) \
    D(describe_client_quotas_response_value, DESCRIBE_CLIENT_QUOTAS_RESPONSE_VALUE_FIELDS) \
    D(describe_client_quotas_response_entry, DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTRY_FIELDS) \
    D(describe_client_quotas_response, DESCRIBE_CLIENT_QUOTAS_RESPONSE_FIELDS) \
    D(alter_client_quotas_request_entity, ALTER_CLIENT_QUOTAS_REQUEST_ENTITY_FIELDS) \
    D(alter_client_quotas_request_op, ALTER_CLIENT_QUOTAS_REQUEST_OP_FIELDS)   \
    D(alter_client_quotas_request_entry, ALTER_CLIENT_QUOTAS_REQUEST_ENTRY_FIELDS) \
    D(alter_client_quotas_request, ALTER_CLIENT_QUOTAS_REQUEST_FIELDS)         \
    D(alter_client_quotas_response_entity, ALTER_CLIENT_QUOTAS_RESPONSE_ENTITY_FIELDS) \
    D(alter_client_quotas_response_entry, ALTER_CLIENT_QUOTAS_RESPONSE_ENTRY_FIELDS) \
    D(alter_client_quotas_response, ALTER_CLIENT_QUOTAS_RESPONSE_FIELDS)

/* clang-format on */
WIRE_QUOTAS_TYPES(WIRE_STRUCT_OF)

#endif
