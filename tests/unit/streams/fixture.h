/*
 * fixture.h: what the tests of the stream runtime share.
 */
#ifndef TESTS_STREAMS_FIXTURE_H
#define TESTS_STREAMS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <penstock/driver.h>

#define J(...) #__VA_ARGS__

/* The next records of a topic, one after another, then no more. */
static inline void
expect_texts(struct ps_driver *d, const char *topic, const char *const *want)
{
    for (; *want != NULL; want++) {
        const char *got = ps_read_text(d, topic);

        assert_non_null(got);
        assert_string_equal(got, *want);
    }
    assert_null(ps_read_text(d, topic));
}
#define EXPECT(d, topic, ...) \
    expect_texts(d, topic, (const char *const[]){__VA_ARGS__, NULL})
#define EXPECT_NONE(d, topic) assert_null(ps_read_text(d, topic))

#endif
