/* Leader epochs of a log, against a list of all records. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "epoch/leaders.h"

enum { RECORDS = 200 };

static uint64_t
next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* By Kafka's words: the largest epoch not above the one asked for, and where
 * the next larger one begins. */
static void
expect(const int32_t *of, int start, int end, int32_t asked, int32_t now,
    int32_t *found, int64_t *found_end)
{
    *found = asked;
    *found_end = end;
    if (asked < 0 || asked > now) {
        *found = -1;
        *found_end = -1;
        return;
    }
    for (int i = start; i < end && asked < now; i++) {
        if (of[i] > asked) {
            *found_end = i;
            break;
        }
        *found = of[i];
    }
}

static void
ends_are_where_the_next_one_begins(void **state)
{
    const char *env = getenv("PENSTOCK_SEED");
    uint64_t seed = env != NULL ? strtoull(env, NULL, 10) : 7;

    printf("# seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 300; round++) {
        struct leaders l = {0}, again = {0};
        int32_t of[RECORDS], epoch = (int32_t)(next(&seed) % 3);
        int start;
        struct buf packed;
        bool identity;

        for (int i = 0; i < RECORDS; i++) {
            if (next(&seed) % 20 == 0)
                epoch += 1 + (int32_t)(next(&seed) % 3);
            of[i] = epoch;
            leaders_note(&l, epoch, i);
        }
        epoch += (int32_t)(next(&seed) % 2);
        start = (int)(next(&seed) % RECORDS);
        leaders_trim(&l, start);
        buf_init(&packed, 64 * 1024);
        leaders_pack(&l, RECORDS, true, &packed);
        leaders_unpack(buf_span(&packed), &again, &identity);
        assert_true(identity);
        for (int32_t asked = -1; asked < epoch + 2; asked++) {
            int32_t want, got;
            int64_t want_end, got_end;

            /* Below what is known, the answer is where that begins. */
            if (asked >= 0 && asked < of[start])
                continue;
            expect(of, start, RECORDS, asked, epoch, &want, &want_end);
            leaders_end(&again, asked, epoch, RECORDS, &got, &got_end);
            assert_int_equal(got, want);
            assert_int_equal(got_end, want_end);
        }
        buf_release(&packed);
        leaders_release(&l);
        leaders_release(&again);
    }
}

static void
what_is_not_written_is_not_packed(void **state)
{
    struct leaders l = {0}, again = {0};
    struct buf packed;
    bool identity;

    leaders_note(&l, 1, 0);
    leaders_note(&l, 1, 5);      /* not newer */
    leaders_note(&l, 0, 6);
    leaders_note(&l, 4, 10);
    buf_init(&packed, 4096);
    leaders_pack(&l, 10, false, &packed);
    leaders_unpack(buf_span(&packed), &again, &identity);
    assert_false(identity);
    assert_int_equal(again.n, 1);
    assert_int_equal(again.v[0].epoch, 1);
    assert_int_equal(again.v[0].start, 0);
    leaders_unpack(span_str("\xff\xff no message"), &again, &identity);
    assert_int_equal(again.n, 0);
    buf_release(&packed);
    leaders_release(&l);
    leaders_release(&again);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_where_the_next_one_begins),
        cmocka_unit_test(what_is_not_written_is_not_packed),
    };

    return cmocka_run_group_tests_name("epoch/leaders", tests, NULL, NULL);
}
