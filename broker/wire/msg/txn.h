/*
 * txn.h: producer ids and transactions (KIP-98, 360, 890).
 */
#ifndef WIRE_MSG_TXN_H
#define WIRE_MSG_TXN_H

#include "wire/field.h"

/* clang-format off */

/* -- InitProducerId --
 * Version 6 (two-phase commit, KIP-939) is unstable in Kafka and left out.
 */

#define INIT_PRODUCER_ID_REQUEST_FIELDS(X, T)                                  \
    X(T, STRING, transactional_id, 0, UP, NULLABLE(0))                         \
    X(T, INT32, transaction_timeout_ms, 0, UP)                                 \
    X(T, INT64, producer_id, 3, UP, DEFAULT(-1))                               \
    X(T, INT16, producer_epoch, 3, UP, DEFAULT(-1))

#define INIT_PRODUCER_ID_RESPONSE_FIELDS(X, T)                                 \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, INT64, producer_id, 0, UP, DEFAULT(-1))                               \
    X(T, INT16, producer_epoch, 0, UP)

/* -- AddPartitionsToTxn --
 * From version 4 on for brokers among themselves; clients stop at 3.
 */

#define ADD_PARTITIONS_TO_TXN_REQUEST_TOPIC_FIELDS(X, T)                       \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, LIST(INT32), partitions, 0, UP)

#define ADD_PARTITIONS_TO_TXN_REQUEST_TRANSACTION_FIELDS(X, T)                 \
    X(T, STRING, transactional_id, 4, UP)                                      \
    X(T, INT64, producer_id, 4, UP)                                            \
    X(T, INT16, producer_epoch, 4, UP)                                         \
    X(T, BOOL, verify_only, 4, UP)                                             \
    X(T, ARRAY(add_partitions_to_txn_request_topic), topics, 4, UP)

#define ADD_PARTITIONS_TO_TXN_REQUEST_FIELDS(X, T)                             \
    X(T, ARRAY(add_partitions_to_txn_request_transaction), transactions, 4, UP) \
    X(T, STRING, v3_and_below_transactional_id, 0, 3)                          \
    X(T, INT64, v3_and_below_producer_id, 0, 3)                                \
    X(T, INT16, v3_and_below_producer_epoch, 0, 3)                             \
    X(T, ARRAY(add_partitions_to_txn_request_topic), v3_and_below_topics, 0, 3)

#define ADD_PARTITIONS_TO_TXN_RESPONSE_PARTITION_FIELDS(X, T)                  \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT16, partition_error_code, 0, UP)

#define ADD_PARTITIONS_TO_TXN_RESPONSE_TOPIC_FIELDS(X, T)                      \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(add_partitions_to_txn_response_partition), results_by_partition, 0, UP)

#define ADD_PARTITIONS_TO_TXN_RESPONSE_TRANSACTION_FIELDS(X, T)                \
    X(T, STRING, transactional_id, 4, UP)                                      \
    X(T, ARRAY(add_partitions_to_txn_response_topic), topic_results, 4, UP)

#define ADD_PARTITIONS_TO_TXN_RESPONSE_FIELDS(X, T)                            \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 4, UP)                                             \
    X(T, ARRAY(add_partitions_to_txn_response_transaction), results_by_transaction, 4, UP) \
    X(T, ARRAY(add_partitions_to_txn_response_topic), results_by_topic_v3_and_below, 0, 3)

/* -- AddOffsetsToTxn -- */

#define ADD_OFFSETS_TO_TXN_REQUEST_FIELDS(X, T)                                \
    X(T, STRING, transactional_id, 0, UP)                                      \
    X(T, INT64, producer_id, 0, UP)                                            \
    X(T, INT16, producer_epoch, 0, UP)                                         \
    X(T, STRING, group_id, 0, UP)

#define ADD_OFFSETS_TO_TXN_RESPONSE_FIELDS(X, T)                               \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 0, UP)

/* -- EndTxn -- */

#define END_TXN_REQUEST_FIELDS(X, T)                                           \
    X(T, STRING, transactional_id, 0, UP)                                      \
    X(T, INT64, producer_id, 0, UP)                                            \
    X(T, INT16, producer_epoch, 0, UP)                                         \
    X(T, BOOL, committed, 0, UP)

#define END_TXN_RESPONSE_FIELDS(X, T)                                          \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, INT64, producer_id, 5, UP, DEFAULT(-1))                               \
    X(T, INT16, producer_epoch, 5, UP, DEFAULT(-1))

/* -- TxnOffsetCommit -- */

#define TXN_OFFSET_COMMIT_REQUEST_PARTITION_FIELDS(X, T)                       \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT64, committed_offset, 0, UP)                                       \
    X(T, INT32, committed_leader_epoch, 2, UP, DEFAULT(-1))                    \
    X(T, STRING, committed_metadata, 0, UP, NULLABLE(0))

#define TXN_OFFSET_COMMIT_REQUEST_TOPIC_FIELDS(X, T)                           \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(txn_offset_commit_request_partition), partitions, 0, UP)

#define TXN_OFFSET_COMMIT_REQUEST_FIELDS(X, T)                                 \
    X(T, STRING, transactional_id, 0, UP)                                      \
    X(T, STRING, group_id, 0, UP)                                              \
    X(T, INT64, producer_id, 0, UP)                                            \
    X(T, INT16, producer_epoch, 0, UP)                                         \
    X(T, INT32, generation_id, 3, UP, DEFAULT(-1))                             \
    X(T, STRING, member_id, 3, UP)                                             \
    X(T, STRING, group_instance_id, 3, UP, NULLABLE(3), DEFAULT(NIL))          \
    X(T, ARRAY(txn_offset_commit_request_topic), topics, 0, UP)

#define TXN_OFFSET_COMMIT_RESPONSE_PARTITION_FIELDS(X, T)                      \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT16, error_code, 0, UP)

#define TXN_OFFSET_COMMIT_RESPONSE_TOPIC_FIELDS(X, T)                          \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(txn_offset_commit_response_partition), partitions, 0, UP)

#define TXN_OFFSET_COMMIT_RESPONSE_FIELDS(X, T)                                \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(txn_offset_commit_response_topic), topics, 0, UP)

#define WIRE_TXN_TYPES(D)                                                      \
    D(init_producer_id_request, INIT_PRODUCER_ID_REQUEST_FIELDS)               \
    D(init_producer_id_response, INIT_PRODUCER_ID_RESPONSE_FIELDS)             \
    D(add_partitions_to_txn_request_topic, ADD_PARTITIONS_TO_TXN_REQUEST_TOPIC_FIELDS) \
    D(add_partitions_to_txn_request_transaction, ADD_PARTITIONS_TO_TXN_REQUEST_TRANSACTION_FIELDS) \
    D(add_partitions_to_txn_request, ADD_PARTITIONS_TO_TXN_REQUEST_FIELDS)     \
    D(add_partitions_to_txn_response_partition, ADD_PARTITIONS_TO_TXN_RESPONSE_PARTITION_FIELDS) \
    D(add_partitions_to_txn_response_topic, ADD_PARTITIONS_TO_TXN_RESPONSE_TOPIC_FIELDS) \
    D(add_partitions_to_txn_response_transaction, ADD_PARTITIONS_TO_TXN_RESPONSE_TRANSACTION_FIELDS) \
    D(add_partitions_to_txn_response, ADD_PARTITIONS_TO_TXN_RESPONSE_FIELDS)   \
    D(add_offsets_to_txn_request, ADD_OFFSETS_TO_TXN_REQUEST_FIELDS)           \
    D(add_offsets_to_txn_response, ADD_OFFSETS_TO_TXN_RESPONSE_FIELDS)         \
    D(end_txn_request, END_TXN_REQUEST_FIELDS)                                 \
    D(end_txn_response, END_TXN_RESPONSE_FIELDS)                               \
    D(txn_offset_commit_request_partition, TXN_OFFSET_COMMIT_REQUEST_PARTITION_FIELDS) \
    D(txn_offset_commit_request_topic, TXN_OFFSET_COMMIT_REQUEST_TOPIC_FIELDS) \
    D(txn_offset_commit_request, TXN_OFFSET_COMMIT_REQUEST_FIELDS)             \
    D(txn_offset_commit_response_partition, TXN_OFFSET_COMMIT_RESPONSE_PARTITION_FIELDS) \
    D(txn_offset_commit_response_topic, TXN_OFFSET_COMMIT_RESPONSE_TOPIC_FIELDS) \
    D(txn_offset_commit_response, TXN_OFFSET_COMMIT_RESPONSE_FIELDS)

/* clang-format on */
WIRE_TXN_TYPES(WIRE_STRUCT_OF)

#endif
