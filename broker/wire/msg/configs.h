/*
 * configs.h: settings of topics and brokers.
 */
#ifndef WIRE_MSG_CONFIGS_H
#define WIRE_MSG_CONFIGS_H

#include "wire/field.h"

/* clang-format off */

/* -- DescribeConfigs --
 * resource_type 2 topic, 4 broker, 32 group. configuration_keys null: all.
 */

#define DESCRIBE_CONFIGS_REQUEST_RESOURCE_FIELDS(X, T)                         \
    X(T, INT8, resource_type, 0, UP)                                           \
    X(T, STRING, resource_name, 0, UP)                                         \
    X(T, LIST(STRING), configuration_keys, 0, UP, NULLABLE(0))

#define DESCRIBE_CONFIGS_REQUEST_FIELDS(X, T)                                  \
    X(T, ARRAY(describe_configs_request_resource), resources, 0, UP)           \
    X(T, BOOL, include_synonyms, 1, UP)                                        \
    X(T, BOOL, include_documentation, 3, UP)

#define DESCRIBE_CONFIGS_RESPONSE_SYNONYM_FIELDS(X, T)                         \
    X(T, STRING, name, 1, UP)                                                  \
    X(T, STRING, value, 1, UP, NULLABLE(1))                                    \
    X(T, INT8, source, 1, UP)

#define DESCRIBE_CONFIGS_RESPONSE_CONFIG_FIELDS(X, T)                          \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, STRING, value, 0, UP, NULLABLE(0))                                    \
    X(T, BOOL, read_only, 0, UP)                                               \
    X(T, INT8, config_source, 1, UP, DEFAULT(-1))                              \
    X(T, BOOL, is_sensitive, 0, UP)                                            \
    X(T, ARRAY(describe_configs_response_synonym), synonyms, 1, UP)            \
    X(T, INT8, config_type, 3, UP)                                             \
    X(T, STRING, documentation, 3, UP, NULLABLE(3))

#define DESCRIBE_CONFIGS_RESPONSE_RESOURCE_FIELDS(X, T)                        \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0))                            \
    X(T, INT8, resource_type, 0, UP)                                           \
    X(T, STRING, resource_name, 0, UP)                                         \
    X(T, ARRAY(describe_configs_response_config), configs, 0, UP)

#define DESCRIBE_CONFIGS_RESPONSE_FIELDS(X, T)                                 \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(describe_configs_response_resource), results, 0, UP)

/* -- AlterConfigs -- */

#define ALTER_CONFIGS_REQUEST_CONFIG_FIELDS(X, T)                              \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, STRING, value, 0, UP, NULLABLE(0))

#define ALTER_CONFIGS_REQUEST_RESOURCE_FIELDS(X, T)                            \
    X(T, INT8, resource_type, 0, UP)                                           \
    X(T, STRING, resource_name, 0, UP)                                         \
    X(T, ARRAY(alter_configs_request_config), configs, 0, UP)

#define ALTER_CONFIGS_REQUEST_FIELDS(X, T)                                     \
    X(T, ARRAY(alter_configs_request_resource), resources, 0, UP)              \
    X(T, BOOL, validate_only, 0, UP)

#define ALTER_CONFIGS_RESPONSE_RESOURCE_FIELDS(X, T)                           \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0))                            \
    X(T, INT8, resource_type, 0, UP)                                           \
    X(T, STRING, resource_name, 0, UP)

#define ALTER_CONFIGS_RESPONSE_FIELDS(X, T)                                    \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(alter_configs_response_resource), responses, 0, UP)

/* -- IncrementalAlterConfigs --
 * config_operation 0 set, 1 delete, 2 append, 3 subtract (KIP-339).
 */

#define INCREMENTAL_ALTER_CONFIGS_REQUEST_CONFIG_FIELDS(X, T)                  \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, INT8, config_operation, 0, UP)                                        \
    X(T, STRING, value, 0, UP, NULLABLE(0))

#define INCREMENTAL_ALTER_CONFIGS_REQUEST_RESOURCE_FIELDS(X, T)                \
    X(T, INT8, resource_type, 0, UP)                                           \
    X(T, STRING, resource_name, 0, UP)                                         \
    X(T, ARRAY(incremental_alter_configs_request_config), configs, 0, UP)

#define INCREMENTAL_ALTER_CONFIGS_REQUEST_FIELDS(X, T)                         \
    X(T, ARRAY(incremental_alter_configs_request_resource), resources, 0, UP)  \
    X(T, BOOL, validate_only, 0, UP)

#define INCREMENTAL_ALTER_CONFIGS_RESPONSE_RESOURCE_FIELDS(X, T)               \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0))                            \
    X(T, INT8, resource_type, 0, UP)                                           \
    X(T, STRING, resource_name, 0, UP)

#define INCREMENTAL_ALTER_CONFIGS_RESPONSE_FIELDS(X, T)                        \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(incremental_alter_configs_response_resource), responses, 0, UP)

/* -- ListConfigResources (KIP-1142) --
 * Which resources have settings of their own; in version 0 the subscriptions
 * of client metrics alone, of which there are none.
 */

#define LIST_CONFIG_RESOURCES_REQUEST_FIELDS(X, T)                             \
    X(T, LIST(INT8), resource_types, 1, UP)

#define LIST_CONFIG_RESOURCES_RESPONSE_RESOURCE_FIELDS(X, T)                   \
    X(T, STRING, resource_name, 0, UP)                                         \
    X(T, INT8, resource_type, 1, UP, DEFAULT(16))

#define LIST_CONFIG_RESOURCES_RESPONSE_FIELDS(X, T)                            \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, ARRAY(list_config_resources_response_resource), config_resources, 0, UP)

#define WIRE_CONFIGS_TYPES(D)                                                  \
    D(describe_configs_request_resource, DESCRIBE_CONFIGS_REQUEST_RESOURCE_FIELDS) \
    D(describe_configs_request, DESCRIBE_CONFIGS_REQUEST_FIELDS)               \
    D(describe_configs_response_synonym, DESCRIBE_CONFIGS_RESPONSE_SYNONYM_FIELDS) \
    D(describe_configs_response_config, DESCRIBE_CONFIGS_RESPONSE_CONFIG_FIELDS) \
    D(describe_configs_response_resource, DESCRIBE_CONFIGS_RESPONSE_RESOURCE_FIELDS) \
    D(describe_configs_response, DESCRIBE_CONFIGS_RESPONSE_FIELDS)             \
    D(alter_configs_request_config, ALTER_CONFIGS_REQUEST_CONFIG_FIELDS)       \
    D(alter_configs_request_resource, ALTER_CONFIGS_REQUEST_RESOURCE_FIELDS)   \
    D(alter_configs_request, ALTER_CONFIGS_REQUEST_FIELDS)                     \
    D(alter_configs_response_resource, ALTER_CONFIGS_RESPONSE_RESOURCE_FIELDS) \
    D(alter_configs_response, ALTER_CONFIGS_RESPONSE_FIELDS)                   \
    D(incremental_alter_configs_request_config, INCREMENTAL_ALTER_CONFIGS_REQUEST_CONFIG_FIELDS) \
    D(incremental_alter_configs_request_resource, INCREMENTAL_ALTER_CONFIGS_REQUEST_RESOURCE_FIELDS) \
    D(incremental_alter_configs_request, INCREMENTAL_ALTER_CONFIGS_REQUEST_FIELDS) \
    D(incremental_alter_configs_response_resource, INCREMENTAL_ALTER_CONFIGS_RESPONSE_RESOURCE_FIELDS) \
    D(incremental_alter_configs_response, INCREMENTAL_ALTER_CONFIGS_RESPONSE_FIELDS) \
    D(list_config_resources_request, LIST_CONFIG_RESOURCES_REQUEST_FIELDS)     \
    D(list_config_resources_response_resource, LIST_CONFIG_RESOURCES_RESPONSE_RESOURCE_FIELDS) \
    D(list_config_resources_response, LIST_CONFIG_RESOURCES_RESPONSE_FIELDS)

/* clang-format on */
WIRE_CONFIGS_TYPES(WIRE_STRUCT_OF)

#endif
