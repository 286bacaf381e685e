/* Kafka's error codes: the table is dense, and says what Kafka says. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "record/kerr.h"

static const int codes[] = {
#define X(name, code, retriable, text) code,
#include "record/kerr.tbl"
#undef X
};

static void
codes_are_dense_from_minus_one(void **state)
{
    for (size_t i = 0; i < countof(codes); i++)
        assert_int_equal(codes[i], (int)i - 1);
    assert_int_equal(codes[countof(codes) - 1], 133);
}

static void
names_and_sentences_are_there_once(void **state)
{
    for (int i = -1; i <= 133; i++) {
        size_t len = strlen(kerr_text(i));

        assert_true(len > 5);
        assert_int_equal(kerr_text(i)[len - 1], '.');
        for (int j = -1; j < i; j++) {
            assert_string_not_equal(kerr_name(i), kerr_name(j));
            assert_string_not_equal(kerr_text(i), kerr_text(j));
        }
    }
}

static void
well_known_codes(void **state)
{
    assert_int_equal(KERR_NONE, 0);
    assert_int_equal(KERR_UNKNOWN_SERVER_ERROR, -1);
    assert_int_equal(KERR_UNKNOWN_TOPIC_OR_PARTITION, 3);
    assert_int_equal(KERR_UNSUPPORTED_VERSION, 35);
    assert_int_equal(KERR_KAFKA_STORAGE_ERROR, 56);
    assert_int_equal(KERR_FENCED_INSTANCE_ID, 82);
    assert_int_equal(KERR_UNKNOWN_TOPIC_ID, 100);
    assert_string_equal(kerr_name(3), "UNKNOWN_TOPIC_OR_PARTITION");
    assert_string_equal(kerr_name(-1), "UNKNOWN_SERVER_ERROR");
    assert_string_equal(kerr_name(133), "SHARE_SESSION_LIMIT_REACHED");
}

static void
retriable_as_the_java_client_sees_it(void **state)
{
    int count = 0;

    assert_true(kerr_retriable(KERR_NOT_COORDINATOR));
    assert_true(kerr_retriable(KERR_CORRUPT_MESSAGE));
    assert_true(kerr_retriable(KERR_CONCURRENT_TRANSACTIONS));
    assert_false(kerr_retriable(KERR_NONE));
    assert_false(kerr_retriable(KERR_REBALANCE_IN_PROGRESS));
    assert_false(kerr_retriable(KERR_INVALID_RECORD));
    for (int i = -1; i <= 133; i++)
        count += kerr_retriable(i);
    assert_int_equal(count, 32);
}

static void
codes_of_nobody_are_answered(void **state)
{
    const int strange[] = {-2, 134, 32767, -32768, INT32_MAX, INT32_MIN};

    for (size_t i = 0; i < countof(strange); i++) {
        assert_string_equal(kerr_name(strange[i]), "UNKNOWN");
        assert_false(kerr_retriable(strange[i]));
        assert_non_null(kerr_text(strange[i]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_dense_from_minus_one),
        cmocka_unit_test(names_and_sentences_are_there_once),
        cmocka_unit_test(well_known_codes),
        cmocka_unit_test(retriable_as_the_java_client_sees_it),
        cmocka_unit_test(codes_of_nobody_are_answered),
    };

    return cmocka_run_group_tests_name("record/kerr", tests, NULL, NULL);
}
