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

/* -- WriteTxnMarkers --
 * Between brokers, and what an operator's tool sends to abort (KIP-664).
 */

#define WRITE_TXN_MARKERS_REQUEST_TOPIC_FIELDS(X, T)                           \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, LIST(INT32), partition_indexes, 0, UP)

#define WRITE_TXN_MARKERS_REQUEST_MARKER_FIELDS(X, T)                          \
    X(T, INT64, producer_id, 0, UP)                                            \
    X(T, INT16, producer_epoch, 0, UP)                                         \
    X(T, BOOL, transaction_result, 0, UP)                                      \
    X(T, ARRAY(write_txn_markers_request_topic), topics, 0, UP)                \
    X(T, INT32, coordinator_epoch, 0, UP)                                      \
    X(T, INT8, transaction_version, 2, UP)

#define WRITE_TXN_MARKERS_REQUEST_FIELDS(X, T)                                 \
    X(T, ARRAY(write_txn_markers_request_marker), markers, 0, UP)

#define WRITE_TXN_MARKERS_RESPONSE_PARTITION_FIELDS(X, T)                      \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT16, error_code, 0, UP)

#define WRITE_TXN_MARKERS_RESPONSE_TOPIC_FIELDS(X, T)                          \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(write_txn_markers_response_partition), partitions, 0, UP)

#define WRITE_TXN_MARKERS_RESPONSE_MARKER_FIELDS(X, T)                         \
    X(T, INT64, producer_id, 0, UP)                                            \
    X(T, ARRAY(write_txn_markers_response_topic), topics, 0, UP)

#define WRITE_TXN_MARKERS_RESPONSE_FIELDS(X, T)                                \
    X(T, ARRAY(write_txn_markers_response_marker), markers, 0, UP)

/* -- DescribeProducers (KIP-664) -- */

#define DESCRIBE_PRODUCERS_REQUEST_TOPIC_FIELDS(X, T)                          \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, LIST(INT32), partition_indexes, 0, UP)

#define DESCRIBE_PRODUCERS_REQUEST_FIELDS(X, T)                                \
    X(T, ARRAY(describe_producers_request_topic), topics, 0, UP)

#define DESCRIBE_PRODUCERS_RESPONSE_PRODUCER_FIELDS(X, T)                      \
    X(T, INT64, producer_id, 0, UP)                                            \
    X(T, INT32, producer_epoch, 0, UP)                                         \
    X(T, INT32, last_sequence, 0, UP, DEFAULT(-1))                             \
    X(T, INT64, last_timestamp, 0, UP, DEFAULT(-1))                            \
    X(T, INT32, coordinator_epoch, 0, UP)                                      \
    X(T, INT64, current_txn_start_offset, 0, UP, DEFAULT(-1))

#define DESCRIBE_PRODUCERS_RESPONSE_PARTITION_FIELDS(X, T)                     \
    X(T, INT32, partition_index, 0, UP)                                        \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, error_message, 0, UP, NULLABLE(0), DEFAULT(NIL))              \
    X(T, ARRAY(describe_producers_response_producer), active_producers, 0, UP)

#define DESCRIBE_PRODUCERS_RESPONSE_TOPIC_FIELDS(X, T)                         \
    X(T, STRING, name, 0, UP)                                                  \
    X(T, ARRAY(describe_producers_response_partition), partitions, 0, UP)

#define DESCRIBE_PRODUCERS_RESPONSE_FIELDS(X, T)                               \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(describe_producers_response_topic), topics, 0, UP)

/* -- DescribeTransactions (KIP-664) -- */

#define DESCRIBE_TRANSACTIONS_REQUEST_FIELDS(X, T)                             \
    X(T, LIST(STRING), transactional_ids, 0, UP)

#define DESCRIBE_TRANSACTIONS_RESPONSE_TOPIC_FIELDS(X, T)                      \
    X(T, STRING, topic, 0, UP)                                                 \
    X(T, LIST(INT32), partitions, 0, UP)

#define DESCRIBE_TRANSACTIONS_RESPONSE_STATE_FIELDS(X, T)                      \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, STRING, transactional_id, 0, UP)                                      \
    X(T, STRING, transaction_state, 0, UP)                                     \
    X(T, INT32, transaction_timeout_ms, 0, UP)                                 \
    X(T, INT64, transaction_start_time_ms, 0, UP)                              \
    X(T, INT64, producer_id, 0, UP)                                            \
    X(T, INT16, producer_epoch, 0, UP)                                         \
    X(T, ARRAY(describe_transactions_response_topic), topics, 0, UP)

#define DESCRIBE_TRANSACTIONS_RESPONSE_FIELDS(X, T)                            \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, ARRAY(describe_transactions_response_state), transaction_states, 0, UP)

/* -- ListTransactions (KIP-664, 994, 1152) -- */

#define LIST_TRANSACTIONS_REQUEST_FIELDS(X, T)                                 \
    X(T, LIST(STRING), state_filters, 0, UP)                                   \
    X(T, LIST(INT64), producer_id_filters, 0, UP)                              \
    X(T, INT64, duration_filter, 1, UP, DEFAULT(-1))                           \
    X(T, STRING, transactional_id_pattern, 2, UP, NULLABLE(2), DEFAULT(NIL))

#define LIST_TRANSACTIONS_RESPONSE_STATE_FIELDS(X, T)                          \
    X(T, STRING, transactional_id, 0, UP)                                      \
    X(T, INT64, producer_id, 0, UP)                                            \
    X(T, STRING, transaction_state, 0, UP)

#define LIST_TRANSACTIONS_RESPONSE_FIELDS(X, T)                                \
    X(T, INT32, throttle_time_ms, 0, UP)                                       \
    X(T, INT16, error_code, 0, UP)                                             \
    X(T, LIST(STRING), unknown_state_filters, 0, UP)                           \
    X(T, ARRAY(list_transactions_response_state), transaction_states, 0, UP)

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
    D(txn_offset_commit_response, TXN_OFFSET_COMMIT_RESPONSE_FIELDS)           \
    D(write_txn_markers_request_topic, WRITE_TXN_MARKERS_REQUEST_TOPIC_FIELDS) \
    D(write_txn_markers_request_marker, WRITE_TXN_MARKERS_REQUEST_MARKER_FIELDS) \
    D(write_txn_markers_request, WRITE_TXN_MARKERS_REQUEST_FIELDS)             \
    D(write_txn_markers_response_partition, WRITE_TXN_MARKERS_RESPONSE_PARTITION_FIELDS) \
    D(write_txn_markers_response_topic, WRITE_TXN_MARKERS_RESPONSE_TOPIC_FIELDS) \
    D(write_txn_markers_response_marker, WRITE_TXN_MARKERS_RESPONSE_MARKER_FIELDS) \
    D(write_txn_markers_response, WRITE_TXN_MARKERS_RESPONSE_FIELDS)           \
    D(describe_producers_request_topic, DESCRIBE_PRODUCERS_REQUEST_TOPIC_FIELDS) \
    D(describe_producers_request, DESCRIBE_PRODUCERS_REQUEST_FIELDS)           \
    D(describe_producers_response_producer, DESCRIBE_PRODUCERS_RESPONSE_PRODUCER_FIELDS) \
    D(describe_producers_response_partition, DESCRIBE_PRODUCERS_RESPONSE_PARTITION_FIELDS) \
    D(describe_producers_response_topic, DESCRIBE_PRODUCERS_RESPONSE_TOPIC_FIELDS) \
    D(describe_producers_response, DESCRIBE_PRODUCERS_RESPONSE_FIELDS)         \
    D(describe_transactions_request, DESCRIBE_TRANSACTIONS_REQUEST_FIELDS)     \
    D(describe_transactions_response_topic, DESCRIBE_TRANSACTIONS_RESPONSE_TOPIC_FIELDS) \
    D(describe_transactions_response_state, DESCRIBE_TRANSACTIONS_RESPONSE_STATE_FIELDS) \
    D(describe_transactions_response, DESCRIBE_TRANSACTIONS_RESPONSE_FIELDS)   \
    D(list_transactions_request, LIST_TRANSACTIONS_REQUEST_FIELDS)             \
    D(list_transactions_response_state, LIST_TRANSACTIONS_RESPONSE_STATE_FIELDS) \
    D(list_transactions_response, LIST_TRANSACTIONS_RESPONSE_FIELDS)

/* clang-format on */
WIRE_TXN_TYPES(WIRE_STRUCT_OF)

#endif
