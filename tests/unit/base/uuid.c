/* Text forms there and back, and what is no uuid. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/uuid.h"

static void
text_and_back(void **state)
{
    for (int i = 0; i < 5000; i++) {
        struct uuid u = uuid_random(world_real()), back;
        char text[UUID_TEXT], hex[UUID_HEX];

        assert_false(uuid_is_zero(&u));
        assert_int_equal(u.bytes[6] >> 4, 4);    /* version */
        assert_int_equal(u.bytes[8] >> 6, 2);    /* variant */
        assert_ptr_equal(uuid_text(&u, text), text);
        assert_int_equal(strlen(text), 22);
        assert_int_not_equal(text[0], '-');
        assert_int_equal(uuid_parse(text, &back), 0);
        assert_true(uuid_eq(&u, &back));
        assert_int_equal(strlen(uuid_hex(&u, hex)), 32);
        memset(&back, 0, sizeof back);
        assert_int_equal(uuid_parse(hex, &back), 0);
        assert_true(uuid_eq(&u, &back));
    }
}

static void
known_text(void **state)
{
    struct uuid u;
    char text[UUID_TEXT];

    assert_int_equal(uuid_parse("000102030405060708090A0b0c0d0eff", &u), 0);
    assert_string_equal(uuid_text(&u, text), "AAECAwQFBgcICQoLDA0O_w");
    memset(&u, 0, sizeof u);
    assert_true(uuid_is_zero(&u));
    assert_string_equal(uuid_text(&u, text), "AAAAAAAAAAAAAAAAAAAAAA");
    memset(&u, 0xff, sizeof u);
    assert_string_equal(uuid_text(&u, text), "_____________________w");
}

static void
refuses_what_is_none(void **state)
{
    static const char *const bad[] = {"", "A", "AAECAwQFBgcICQoLDA0O_",
        "AAECAwQFBgcICQoLDA0O_ww", "AAECAwQFBgcICQoLDA0O/w",
        "AAECAwQFBgcICQoLDA0O_x", "AAECAwQFBgcICQoLDA0 _w",
        "000102030405060708090a0b0c0d0e0g",
        "000102030405060708090a0b0c0d0e0",
        "00010203-0405-0607-0809-0a0b0c0d0eff"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct uuid u = {{42}};

        assert_int_equal(uuid_parse(bad[i], &u), -1);
        assert_int_equal(u.bytes[0], 42);
    }
}

/* A world whose randomness would give a leading '-' twice. */
static void
bad_random(struct world *w, void *p, size_t n)
{
    int *calls = w->arg;

    memset(p, *calls < 2 ? 0xf8 : 0x11, n);
    ++*calls;
}

static void
first_letter_is_no_dash(void **state)
{
    static const struct world_ops ops = {.random = bad_random};
    int calls = 0;
    struct world w = {&ops, &calls};
    struct uuid u = uuid_random(&w);

    assert_int_equal(calls, 3);
    assert_int_equal(u.bytes[0], 0x11);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(known_text),
        cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(first_letter_is_no_dash),
    };

    return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
