/*
 * Headers, frames, references, blobs, and what the table of APIs announces.
 */
#include "config.h"

#include "tests/unit/wire/wiretest.h"

#include <stdio.h>

#include "base/check.h"
#include "base/endian.h"
#include "wire/msg/consumer.h"
#include "wire/msg/fetch.h"
#include "wire/msg/metadata.h"
#include "wire/msg/produce.h"

static const struct wire_api *
only_api(int key)
{
    const struct wire_api *api = wire_api(key);

    assert_non_null(api);
    assert_int_equal(api->key, key);
    return api;
}

static void
the_apis_are_in_order(void **state)
{
    const struct wire_api *api;
    int before = -1;

    for (size_t i = 0; (api = wire_api_nth(i)) != NULL; i++) {
        assert_true(api->key > before);
        assert_ptr_equal(wire_api(api->key), api);
        assert_true(api->announced <= api->min);
        assert_true(api->min <= api->max);
        assert_int_equal(api->request->flexible, api->flexible);
        before = api->key;
    }
    assert_null(wire_api(-1));
    assert_null(wire_api(7));
    assert_null(wire_api(32767));
}

/* Old librdkafka looks for single versions before it turns features on. */
static void
minima_stay_where_old_clients_look(void **state)
{
    static const int16_t zero[] = {API_FIND_COORDINATOR, API_JOIN_GROUP,
        API_HEARTBEAT, API_LEAVE_GROUP, API_SYNC_GROUP, API_INIT_PRODUCER_ID,
        API_ADD_PARTITIONS_TO_TXN, API_ADD_OFFSETS_TO_TXN, API_END_TXN,
        API_TXN_OFFSET_COMMIT, API_PRODUCE, API_API_VERSIONS, API_METADATA};

    for (size_t i = 0; i < countof(zero); i++)
        assert_int_equal(only_api(zero[i])->announced, 0);
    assert_false(wire_api_takes(only_api(API_PRODUCE), 2));
    assert_true(wire_api_takes(only_api(API_PRODUCE), 3));
    assert_true(wire_api_takes(only_api(API_FETCH), 4));
    assert_false(wire_api_takes(only_api(API_FETCH), 19));
    assert_true(wire_api_takes(only_api(API_LIST_OFFSETS), 1));
    assert_true(wire_api_takes(only_api(API_OFFSET_FETCH), 1));
    assert_true(wire_api_takes(only_api(API_OFFSET_COMMIT), 2));
}

/* -- headers ------------------------------------------------------------- */

static int
read_header(const char *hex, struct request_header *h, size_t *used)
{
    static struct arena arena; /* the client id is looked at afterwards */
    struct err err = {0};
    int rc;

    arena_release(&arena);
    arena_init(&arena, 4096);
    rc = wire_decode_header(bytes_of_hex(&arena, hex), h, used, &err);
    assert_int_equal(rc == 0, err.code == 0);
    return rc;
}

static void
request_headers(void **state)
{
    struct request_header h;
    size_t used;

    /* header v1: Metadata v4, client "ab" */
    assert_int_equal(read_header("00030004000000070002"
                                 "6162"
                                 "ff",
                         &h, &used),
        0);
    assert_int_equal(used, 12);
    assert_int_equal(h.correlation_id, 7);
    assert_memory_equal(h.client_id.ptr, "ab", 2);
    /* header v2: Metadata v9, the client id is not compact, two tags */
    assert_int_equal(read_header("00030009000000070002"
                                 "6162"
                                 "02"
                                 "0001ff"
                                 "0200"
                                 "ee",
                         &h, &used),
        0);
    assert_int_equal(used, 18);
    /* no client id */
    assert_int_equal(read_header("0003000400000007ffff", &h, &used), 0);
    assert_int_equal(used, 10);
    assert_null(h.client_id.ptr);
    /* too new a version of ApiVersions can be read, to be answered */
    assert_int_equal(read_header("00120005ffffffff0000"
                                 "00",
                         &h, &used),
        0);
    assert_int_equal(h.api_version, 5);
    assert_int_equal(used, 11);
    /* nobody knows the rest of this one's header */
    assert_int_equal(read_header("7777000000000007ffff"
                                 "aa",
                         &h, &used),
        0);
    assert_int_equal(h.api_key, 0x7777);

    assert_int_equal(read_header("", &h, &used), -1);
    assert_int_equal(read_header("000300040000000700", &h, &used), -1);
    assert_int_equal(read_header("00030004000000070003"
                                 "6162",
                         &h, &used),
        -1);
    assert_int_equal(read_header("0003000400000007fffe", &h, &used), -1);
    assert_int_equal(read_header("00030009000000070000", &h, &used), -1);
    assert_int_equal(read_header("00030009000000070000"
                                 "010002ff",
                         &h, &used),
        -1);
}

static struct span
answer(struct wire_out *out, int key, int version, const void *msg)
{
    wire_out_clear(out);
    wire_put_response(only_api(key), version, 0x01020304, msg, out);
    assert_false(wire_out_failed(out));
    return buf_span(&out->buf);
}

/* KIP-511: an old client must be able to read this answer. */
static void
api_versions_is_answered_with_the_old_header(void **state)
{
    struct api_versions_response r;
    struct wire_out out;
    struct span s;

    wire_out_init(&out, 4096, SIZE_MAX);
    wire_init(&api_versions_response_type, &r);
    r.error_code = 35;
    s = answer(&out, API_API_VERSIONS, 3, &r);
    assert_int_equal(s.len, 4 + 4 + 2 + 1 + 4 + 1);
    assert_memory_equal(s.ptr, "\0\0\0\x0c\1\2\3\4\0\x23\1\0\0\0\0\0", s.len);
    s = answer(&out, API_API_VERSIONS, 0, &r);
    assert_int_equal(s.len, 4 + 4 + 2 + 4);
    wire_out_release(&out);
}

static void
response_headers(void **state)
{
    struct span s = span_of("\0\0\1\2"
                            "\1\5\1x"
                            "yz",
        10);
    struct err err = {0};
    int32_t correlation;
    size_t used;

    assert_int_equal(wire_decode_response_header(only_api(API_METADATA), 8, s,
                         &correlation, &used, &err),
        0);
    assert_int_equal(correlation, 0x102);
    assert_int_equal(used, 4);
    assert_int_equal(wire_decode_response_header(only_api(API_METADATA), 9, s,
                         &correlation, &used, &err),
        0);
    assert_int_equal(used, 8);
    assert_int_equal(wire_decode_response_header(only_api(API_API_VERSIONS), 3,
                         s, &correlation, &used, &err),
        0);
    assert_int_equal(used, 4);
    s.len = 3;
    assert_int_equal(wire_decode_response_header(only_api(API_METADATA), 8, s,
                         &correlation, &used, &err),
        -1);
    s.len = 7;
    assert_int_equal(wire_decode_response_header(only_api(API_METADATA), 9, s,
                         &correlation, &used, &err),
        -1);
}

/* Version 0 of Metadata has no null, and asks for all by an empty list. */
static void
empty_means_null_where_null_is_unknown(void **state)
{
    struct arena arena;
    struct metadata_request *r;
    struct err err = {0};
    struct buf b;
    void *got;

    arena_init(&arena, 4096);
    buf_init(&b, 4096);
    for (int version = 0; version <= 1; version++) {
        assert_int_equal(wire_decode(&metadata_request_msg, version,
                             span_of("\0\0\0\0", 4), &arena, &got, &err),
            0);
        r = got;
        assert_int_equal(r->topics.n, version == 0 ? -1 : 0);
        buf_clear(&b);
        wire_encode_buf(&metadata_request_msg, version, r, &b);
        assert_int_equal(b.len, 4);
        assert_memory_equal(b.ptr, "\0\0\0\0", 4);
    }
    buf_release(&b);
    arena_release(&arena);
}

static void
features_are_tagged(void **state)
{
    struct api_versions_response r;
    struct api_versions_response_finalized f = {
        span_str("group.version"), 1, 1};
    struct wire_out out;
    struct span s;

    wire_out_init(&out, 4096, SIZE_MAX);
    wire_init(&api_versions_response_type, &r);
    r.finalized_features_epoch = 5;
    r.finalized_features.v = &f;
    r.finalized_features.n = 1;
    s = answer(&out, API_API_VERSIONS, 3, &r);
    assert_memory_equal(s.ptr + 8,
        "\0\0"
        "\1"
        "\0\0\0\0" /* error, keys, throttle */
        "\2"
        "\1\x08"
        "\0\0\0\0\0\0\0\5" /* two tags; 1: epoch */
        "\2\x14"
        "\2"
        "\x0egroup.version"
        "\0\1"
        "\0\1"
        "\0",
        s.len - 8);
    assert_int_equal(s.len, 8 + 7 + 1 + 10 + 2 + 1 + 14 + 4 + 1);
    wire_out_release(&out);
}

/* A tagged field of 128 bytes needs a size of two bytes, known afterwards. */
static void
a_long_tagged_field_moves_up(void **state)
{
    struct fetch_request r;
    char name[200];
    struct arena arena;
    struct buf b;

    memset(name, 'c', sizeof name);
    arena_init(&arena, 1 << 16);
    buf_init(&b, 4096);
    for (size_t len = 120; len <= sizeof name; len++) {
        struct err err = {0};
        void *got;

        wire_init(&fetch_request_type, &r);
        r.cluster_id = span_of(name, len);
        r.replica_state.replica_id = 4;
        buf_clear(&b);
        wire_encode_buf(&fetch_request_msg, 15, &r, &b);
        assert_int_equal(wire_decode(&fetch_request_msg, 15, buf_span(&b),
                             &arena, &got, &err),
            0);
        assert_null(message_differs(&fetch_request_type, &r, got));
        arena_reset(&arena);
    }
    buf_release(&b);
    arena_release(&arena);
}

/* -- references ---------------------------------------------------------- */

static void
records_go_by_reference(void **state)
{
    static const char one[] = "0123456789", two[] = "abcdefghijkl";
    struct fetch_response_partition part[3];
    struct fetch_response_topic topic;
    struct fetch_response r;
    struct wire_out out;
    const struct wire_ref *ref;
    struct buf flat;
    struct iovec iov[2];
    size_t n;

    wire_out_init(&out, 1 << 16, 4);
    buf_init(&flat, 1 << 16);
    wire_init(&fetch_response_type, &r);
    wire_init(&fetch_response_topic_type, &topic);
    for (size_t i = 0; i < 3; i++)
        wire_init(&fetch_response_partition_type, &part[i]);
    part[0].records = span_of(one, 10);
    part[1].records = span_of("tiny", 4);
    part[2].records = span_of(two, 12);
    topic.partitions.v = part;
    topic.partitions.n = 3;
    r.responses.v = &topic;
    r.responses.n = 1;

    wire_put_response(only_api(API_FETCH), 12, 1, &r, &out);
    ref = wire_out_refs(&out, &n);
    assert_int_equal(n, 2);
    assert_ptr_equal(ref[0].bytes.ptr, one);
    assert_ptr_equal(ref[1].bytes.ptr, two);
    assert_int_equal(wire_out_iov(&out, iov, 2), 5);
    assert_ptr_equal(iov[1].iov_base, one);
    wire_out_copy(&out, &flat);
    assert_int_equal(flat.len, wire_out_size(&out));
    assert_int_equal(get_be32(flat.ptr), flat.len - 4);
    assert_int_equal(out.buf.len + 22, flat.len);

    /* a second frame behind the first one has its own size */
    wire_put_response(only_api(API_FETCH), 12, 2, &r, &out);
    buf_clear(&flat);
    wire_out_copy(&out, &flat);
    assert_int_equal(get_be32(flat.ptr + flat.len / 2), flat.len / 2 - 4);
    buf_release(&flat);
    wire_out_release(&out);
}

static void
an_output_that_is_full_fails(void **state)
{
    struct metadata_request r;
    struct wire_out out;
    struct buf flat;

    wire_out_init(&out, 12, SIZE_MAX);
    buf_init(&flat, 100);
    wire_init(&metadata_request_type, &r);
    wire_put_request(only_api(API_METADATA), 9, 1, SPAN_NULL, &r, &out);
    assert_true(wire_out_failed(&out));
    wire_out_copy(&out, &flat);
    assert_true(flat.failed);
    buf_release(&flat);
    wire_out_release(&out);
}

/* -- defaults, blobs ----------------------------------------------------- */

static void
defaults_are_kafkas(void **state)
{
    struct arena arena;
    struct fetch_response_partition *p;
    struct metadata_request m;

    arena_init(&arena, 4096);
    p = wire_new(&fetch_response_partition_type, &arena, 2);
    assert_int_equal(p[1].preferred_read_replica, -1);
    assert_int_equal(p[1].current_leader.leader_id, -1);
    assert_int_equal(p[1].aborted_transactions.n, 0);
    assert_non_null(p[1].records.ptr);
    wire_init(&metadata_request_type, &m);
    assert_true(m.allow_auto_topic_creation);
    assert_null(wire_new(&fetch_response_partition_type, &arena, 1000));
    arena_release(&arena);
}

/* What librdkafka's range assignor says in JoinGroup: version 1. */
static void
blobs_carry_their_version(void **state)
{
    struct consumer_protocol_subscription *sub;
    struct arena arena;
    struct err err = {0};
    struct span blob;
    struct buf again;
    void *got;
    int version;

    arena_init(&arena, 4096);
    buf_init(&again, 4096);
    blob = bytes_of_hex(&arena, "0001"
                                "00000001"
                                "00066f7264657273"
                                "00000000"
                                "00000000");
    assert_int_equal(wire_decode_blob(&consumer_protocol_subscription_msg, blob,
                         &arena, &version, &got, &err),
        0);
    sub = got;
    assert_int_equal(version, 1);
    assert_int_equal(sub->topics.n, 1);
    assert_memory_equal(sub->topics.v[0].ptr, "orders", 6);
    assert_int_equal(sub->generation_id, -1);
    wire_encode_blob(&consumer_protocol_subscription_msg, 1, sub, &again);
    assert_int_equal(again.len, blob.len);
    assert_memory_equal(again.ptr, blob.ptr, blob.len);

    /* a version from the future: what we know of it, and a tail */
    blob = bytes_of_hex(&arena, "0009"
                                "00000000"
                                "ffffffff"
                                "00000000"
                                "00000005"
                                "ffff"
                                "cafe");
    assert_int_equal(wire_decode_blob(&consumer_protocol_subscription_msg, blob,
                         &arena, &version, &got, &err),
        0);
    sub = got;
    assert_int_equal(version, 9);
    assert_int_equal(sub->generation_id, 5);
    assert_int_equal(wire_decode_blob(&consumer_protocol_assignment_msg,
                         span_of("\xff\xff", 2), &arena, &version, &got, &err),
        -1);
    assert_int_equal(wire_decode_blob(&consumer_protocol_assignment_msg,
                         span_of("", 1), &arena, &version, &got, &err),
        -1);
    buf_release(&again);
    arena_release(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_apis_are_in_order),
        cmocka_unit_test(minima_stay_where_old_clients_look),
        cmocka_unit_test(request_headers),
        cmocka_unit_test(api_versions_is_answered_with_the_old_header),
        cmocka_unit_test(response_headers),
        cmocka_unit_test(empty_means_null_where_null_is_unknown),
        cmocka_unit_test(features_are_tagged),
        cmocka_unit_test(a_long_tagged_field_moves_up),
        cmocka_unit_test(records_go_by_reference),
        cmocka_unit_test(an_output_that_is_full_fails),
        cmocka_unit_test(defaults_are_kafkas),
        cmocka_unit_test(blobs_carry_their_version),
    };

    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
