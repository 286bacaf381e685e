/*
 * msg.c: the descriptors of all messages, from the same rows as their C
 * structs (field.h has the columns).
 */
#include "config.h"

#include "wire/wire_priv.h"

#include "wire/msg/cluster.h"
#include "wire/msg/configs.h"
#include "wire/msg/consumer.h"
#include "wire/msg/consumer_groups.h"
#include "wire/msg/fetch.h"
#include "wire/msg/groups.h"
#include "wire/msg/metadata.h"
#include "wire/msg/offsets.h"
#include "wire/msg/produce.h"
#include "wire/msg/quotas.h"
#include "wire/msg/streams_groups.h"
#include "wire/msg/topics.h"
#include "wire/msg/txn.h"

/* The words of the tables. They have a meaning in this file only, so that no
 * name as short as these leaks out of a header. */
#define UP UINT8_MAX
#define NIL WIRE_NULL
#define NULLABLE(v) .nullable = true, .null_first = (v)
#define TAG(n) .tagged = true, .tag = (n)
#define DEFAULT(x) .dflt = (x)
#define EMPTY_NULL .empty_null = true

#define ROW_BOOL .kind = WIRE_BOOL
#define ROW_INT8 .kind = WIRE_INT8
#define ROW_INT16 .kind = WIRE_INT16
#define ROW_UINT16 .kind = WIRE_UINT16
#define ROW_INT32 .kind = WIRE_INT32
#define ROW_UINT32 .kind = WIRE_UINT32
#define ROW_INT64 .kind = WIRE_INT64
#define ROW_FLOAT64 .kind = WIRE_FLOAT64
#define ROW_UUID .kind = WIRE_UUID
#define ROW_STRING .kind = WIRE_STRING
#define ROW_BYTES .kind = WIRE_BYTES
#define ROW_RECORDS .kind = WIRE_RECORDS
#define ROW_STRUCT(t) .kind = WIRE_STRUCT, .type = &t##_type
#define ROW_OPTION(t) .kind = WIRE_OPTION, .type = &t##_type
#define ROW_ARRAY(t) .kind = WIRE_ARRAY, .type = &t##_type
#define ROW_LIST(k) .kind = WIRE_LIST, .elem = WIRE_##k

#define ROW(T, what, member, from, to, ...)                                    \
    {.name = #member,                                                          \
        .offset = offsetof(struct T, member),                                  \
        .first = (from),                                                       \
        .last = (to),                                                          \
        ROW_##what,                                                            \
        __VA_ARGS__},

#define DESCRIBE(T, rows)                                                      \
    static const struct wire_field T##_rows[] = {rows(ROW, T)};                \
    const struct wire_type T##_type = {#T, sizeof(struct T),                   \
        sizeof(T##_rows) / sizeof(T##_rows[0]), T##_rows};

/* clang-format off */
WIRE_PRODUCE_TYPES(DESCRIBE)
WIRE_FETCH_TYPES(DESCRIBE)
WIRE_METADATA_TYPES(DESCRIBE)
WIRE_OFFSETS_TYPES(DESCRIBE)
WIRE_GROUPS_TYPES(DESCRIBE)
WIRE_TOPICS_TYPES(DESCRIBE)
WIRE_CONFIGS_TYPES(DESCRIBE)
WIRE_CLUSTER_TYPES(DESCRIBE)
WIRE_QUOTAS_TYPES(DESCRIBE)
WIRE_TXN_TYPES(DESCRIBE)
WIRE_CONSUMER_TYPES(DESCRIBE)
WIRE_CONSUMER_GROUPS_TYPES(DESCRIBE)
WIRE_STREAMS_GROUPS_TYPES(DESCRIBE)
/* clang-format on */

/* -- messages of the APIs ------------------------------------------------ */

#define API(KEY, key, noun, label, shown, from, to, flex, served)              \
    const struct wire_msg noun##_request_msg = {                               \
        label "Request", &noun##_request_type, from, to, flex};                \
    const struct wire_msg noun##_response_msg = {                              \
        label "Response", &noun##_response_type, from, to, flex};
#include "wire/apis.tbl"
#undef API

#define API(KEY, key, noun, label, shown, from, to, flex, served)              \
    {key, label, shown, from, to, flex, served, &noun##_request_msg,           \
        &noun##_response_msg},
static const struct wire_api apis[] = {
#include "wire/apis.tbl"
};
#undef API

/* -- the consumer protocol ----------------------------------------------- */

const struct wire_msg consumer_protocol_subscription_msg = {
    "ConsumerProtocolSubscription", &consumer_protocol_subscription_type, 0, 3,
    WIRE_NEVER};
const struct wire_msg consumer_protocol_assignment_msg = {
    "ConsumerProtocolAssignment", &consumer_protocol_assignment_type, 0, 3,
    WIRE_NEVER};

/* -- look-ups ------------------------------------------------------------ */

const struct wire_api *
wire_api(int key)
{
    size_t low = 0, high = sizeof(apis) / sizeof(apis[0]);

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (apis[mid].key < key)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == sizeof(apis) / sizeof(apis[0]) || apis[low].key != key)
        return NULL;
    return &apis[low];
}

const struct wire_api *
wire_api_nth(size_t n)
{
    return n < sizeof(apis) / sizeof(apis[0]) ? &apis[n] : NULL;
}

bool
wire_api_takes(const struct wire_api *api, int version)
{
    return version >= api->min && version <= api->max;
}
