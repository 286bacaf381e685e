/*
 * field.h: what a message is made of. A message is a table with one row per
 * field (msg/ has them); the row becomes a member of a C struct here and
 * a `struct wire_field` in msg.c, so the two cannot disagree.
 *
 * A table is a macro of two parameters:
 *
 *     #define THING_REQUEST(X, T)                                            \
 *         X(T, STRING, name, 0, 12)                                          \
 *         X(T, UUID, topic_id, 13, UP)                                       \
 *         X(T, ARRAY(thing_request_part), parts, 0, UP, NULLABLE(2))         \
 *         X(T, INT32, leader_epoch, 4, UP, DEFAULT(-1))                      \
 *         X(T, STRING, rack, 5, UP, TAG(0), NULLABLE(5), DEFAULT(NIL))
 *
 * Columns: X and T as they are; type; name; first and last version (UP: no
 * last one); then, in any order: NULLABLE(first version that may be null),
 * TAG(number) for tagged fields (KIP-482), DEFAULT(value) for what the field
 * has in versions without it; without DEFAULT that is zero, empty or false;
 * EMPTY_NULL for an array whose emptiness, in versions before null, means what
 * null says later: it is read as null, and null is written as empty.
 *
 * The rows follow the order of the wire. Fields in one struct that a version
 * does not have get their default on decode and are left out on encode.
 * Facts of the tables: Kafka 4.2, clients/src/main/resources/common/message.
 */
#ifndef WIRE_FIELD_H
#define WIRE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/uuid.h"

/* The C type of each wire type: what the column `type` may say. STRING,
 * BYTES and RECORDS borrow from the frame; a null one has ptr NULL; the
 * characters of a string have no NUL behind them. */
#define WIRE_C_BOOL bool
#define WIRE_C_INT8 int8_t
#define WIRE_C_INT16 int16_t
#define WIRE_C_UINT16 uint16_t
#define WIRE_C_INT32 int32_t
#define WIRE_C_UINT32 uint32_t
#define WIRE_C_INT64 int64_t
#define WIRE_C_FLOAT64 double
#define WIRE_C_UUID struct uuid
#define WIRE_C_STRING struct span
#define WIRE_C_BYTES struct span
#define WIRE_C_RECORDS struct span
/* one struct inside another; by pointer, NULL for null, where it may be so */
#define WIRE_C_STRUCT(t) struct t
#define WIRE_C_OPTION(t) struct t *
/* arrays of structs and of anything above that has no parameter; n -1: null */
#define WIRE_C_ARRAY(t)                                                        \
    struct {                                                                   \
        struct t *v;                                                           \
        int32_t n;                                                             \
    }
#define WIRE_C_LIST(k)                                                         \
    struct {                                                                   \
        WIRE_C_##k *v;                                                         \
        int32_t n;                                                             \
    }

enum wire_kind {
    WIRE_BOOL,
    WIRE_INT8,
    WIRE_INT16,
    WIRE_UINT16,
    WIRE_INT32,
    WIRE_UINT32,
    WIRE_INT64,
    WIRE_FLOAT64,
    WIRE_UUID,
    WIRE_STRING,
    WIRE_BYTES,
    WIRE_RECORDS,
    WIRE_STRUCT,
    WIRE_OPTION,
    WIRE_ARRAY,          /* of structs of `type` */
    WIRE_LIST,           /* of `elem` */
};

struct wire_type;

struct wire_field {
    const char *name;
    const struct wire_type *type;        /* STRUCT, OPTION, ARRAY */
    int64_t dflt;                        /* -1 for null, 0 for empty */
    uint16_t offset;                     /* in the C struct */
    uint8_t kind, elem;                  /* enum wire_kind; elem of a LIST */
    uint8_t first, last;                 /* versions that have it */
    bool nullable, tagged;
    bool empty_null;                     /* see EMPTY_NULL above */
    uint8_t null_first;                  /* if nullable: from which version */
    uint8_t tag;                         /* if tagged */
};

/* one C struct: a message or a part of one */
struct wire_type {
    const char *name;                    /* the struct's tag */
    uint16_t size;                       /* sizeof */
    uint16_t count;                      /* of fields */
    const struct wire_field *fields;     /* in the order of the wire */
};

/* one message: a request, a response, or a blob inside of one */
struct wire_msg {
    const char *name;                    /* Kafka's, "FetchRequest" */
    const struct wire_type *type;
    int16_t min, max;                    /* versions that the table knows */
    int16_t flexible;                    /* first such version, or WIRE_NEVER */
};

enum { WIRE_NEVER = INT16_MAX };

/* Any C array of a table has this shape; the interpreters use it alone. */
struct wire_array {
    void *v;
    int32_t n;
};

#define WIRE_MEMBER(T, kind, name, ...) WIRE_C_##kind name;
#define WIRE_STRUCT_OF(T, rows)                                                \
    struct T {                                                                 \
        rows(WIRE_MEMBER, T)                                                   \
    };                                                                         \
    extern const struct wire_type T##_type;

#endif
