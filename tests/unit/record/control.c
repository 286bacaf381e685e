/* control.c: markers, byte by byte and in pieces. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "record/control.h"

static struct batch
parsed(const uint8_t *bytes, size_t len)
{
    struct batch b;

    assert_int_equal(batch_parse(span_of(bytes, len), &b), BATCH_OK);
    return b;
}

static void
test_a_marker_is_what_kafka_writes(void **state)
{
    /* One record: length, attributes, two deltas, a key of 4 (version 0, type
     * 1), a value of 6 (version 0, coordinator's epoch 0), no headers. */
    static const uint8_t record[] = {16 * 2, 0, 0, 0, 4 * 2, 0, 0, 0, 1,
        6 * 2, 0, 0, 0, 0, 0, 0, 0};
    uint8_t out[CONTROL_BATCH_SIZE];
    struct batch b;

    (void)state;
    control_batch(out, CONTROL_COMMIT, 4711, 32767, 1234567);
    b = parsed(out, sizeof out);
    assert_int_equal(b.attributes, BATCH_TRANSACTIONAL | BATCH_CONTROL);
    assert_int_equal(b.producer_id, 4711);
    assert_int_equal(b.producer_epoch, 32767);
    assert_int_equal(b.base_sequence, -1);
    assert_int_equal(b.record_count, 1);
    assert_int_equal(b.last_offset_delta, 0);
    assert_int_equal(b.base_timestamp, 1234567);
    assert_int_equal(b.max_timestamp, 1234567);
    assert_int_equal(b.crc, crc32c(0, out + BATCH_CRC_FROM,
        sizeof out - BATCH_CRC_FROM));
    assert_memory_equal(out + BATCH_HEADER, record, sizeof record);
    assert_int_equal(control_batch_type(&b), CONTROL_COMMIT);
    control_batch(out, CONTROL_ABORT, 0, 0, 0);
    b = parsed(out, sizeof out);
    assert_int_equal(out[BATCH_HEADER + 8], 0);
    assert_int_equal(control_batch_type(&b), CONTROL_ABORT);
}

/* A client may not send one. */
static void
test_a_marker_is_refused_from_clients(void **state)
{
    uint8_t out[CONTROL_BATCH_SIZE];
    struct batch b;

    (void)state;
    control_batch(out, CONTROL_ABORT, 1, 1, 1);
    b = parsed(out, sizeof out);
    assert_int_not_equal(batch_check_produce(&b), BATCH_OK);
}

/* Every byte spoiled in turn: it is read, and never beyond its end. */
static void
test_hostile_markers(void **state)
{
    uint8_t good[CONTROL_BATCH_SIZE];

    (void)state;
    control_batch(good, CONTROL_COMMIT, 1, 1, 1);
    for (size_t at = 0; at < sizeof good; at++) {
        for (int v = 0; v < 256; v++) {
            uint8_t *bytes = xmalloc(sizeof good);
            struct batch b;

            memcpy(bytes, good, sizeof good);
            bytes[at] = (uint8_t)v;
            if (batch_parse(span_of(bytes, sizeof good), &b) == BATCH_OK)
                control_batch_type(&b);
            free(bytes);
        }
    }
}

static void
test_other_control_batches(void **state)
{
    uint8_t out[CONTROL_BATCH_SIZE];
    struct batch b;

    (void)state;
    control_batch(out, CONTROL_COMMIT, 1, 1, 1);
    put_be16(out + BATCH_HEADER + 7, 2);         /* LeaderChange */
    b = parsed(out, sizeof out);
    assert_int_equal(control_batch_type(&b), CONTROL_OTHER);
    control_batch(out, CONTROL_COMMIT, 1, 1, 1);
    put_be16(out + 21, BATCH_TRANSACTIONAL);     /* data */
    b = parsed(out, sizeof out);
    assert_int_equal(control_batch_type(&b), CONTROL_OTHER);
    control_batch(out, CONTROL_COMMIT, 1, 1, 1);
    put_be16(out + 21, BATCH_TRANSACTIONAL | BATCH_CONTROL | CODEC_GZIP);
    b = parsed(out, sizeof out);
    assert_int_equal(control_batch_type(&b), CONTROL_OTHER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_marker_is_what_kafka_writes),
        cmocka_unit_test(test_a_marker_is_refused_from_clients),
        cmocka_unit_test(test_hostile_markers),
        cmocka_unit_test(test_other_control_batches),
    };

    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
