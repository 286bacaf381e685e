/* books.c: what each step does to a book, that the laws hold after any steps,
 * and that a book that was tampered with is found out. */
#include "config.h"

#include "retail/books.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct book *
with(struct books *b, int64_t on_hand)
{
    struct book *one;

    books_init(b);
    one = books_make(b, span_str("ipad"));
    book_move(one, MOVE_RECEIVE, on_hand);
    return one;
}

static void
test_the_last_one_goes_once(void **state)
{
    struct books b;
    struct book *one = with(&b, 1);

    assert_null(book_refuses(one, 1));
    book_reserve(one, 1);
    assert_string_equal(book_refuses(one, 1), "OUT_OF_STOCK");
    book_release(one, 1);
    assert_null(book_refuses(one, 1));
    books_release(&b);
}

static void
test_reasons_have_an_order(void **state)
{
    struct books b;
    struct book *one = with(&b, 1);

    assert_string_equal(book_refuses(NULL, 0), "BAD_QUANTITY");
    assert_string_equal(book_refuses(NULL, 1), "UNKNOWN_PRODUCT");
    book_move(one, MOVE_CLOSE, 0);
    assert_string_equal(book_refuses(one, 2), "DISCONTINUED");
    book_move(one, MOVE_OPEN, 0);
    assert_string_equal(book_refuses(one, 2), "OUT_OF_STOCK");
    books_release(&b);
}

static void
test_what_is_not_there_is_missing(void **state)
{
    struct books b;
    struct book *one = with(&b, 5);

    book_reserve(one, 4);
    book_move(one, MOVE_ADJUST, -3);
    assert_int_equal(one->on_hand, 2);
    book_ship(one, 4);
    assert_int_equal(one->on_hand, 0);
    assert_int_equal(one->shipped, 2);
    assert_int_equal(one->missing, 2);
    assert_int_equal(one->reserved, 0);
    assert_int_equal(book_audit(one, NULL), 0);
    book_move(one, MOVE_COUNT, 7);
    assert_int_equal(one->on_hand, 7);
    assert_int_equal(one->adjusted, 4);
    assert_int_equal(book_audit(one, NULL), 0);
    books_release(&b);
}

static void
test_what_the_shop_would_not_book(void **state)
{
    assert_true(move_is_valid(MOVE_RECEIVE, 1));
    assert_false(move_is_valid(MOVE_RECEIVE, 0));
    assert_false(move_is_valid(MOVE_RETURN, -1));
    assert_false(move_is_valid(MOVE_COUNT, -1));
    assert_true(move_is_valid(MOVE_COUNT, 0));
    assert_true(move_is_valid(MOVE_ADJUST, -1));
    assert_false(move_is_valid((enum move)0, 1));
    assert_false(move_is_valid((enum move)99, 1));
    assert_string_equal(move_name(MOVE_ADJUST), "ADJUST");
    assert_string_equal(move_name((enum move)99), "");
}

static void
test_tampering_is_found(void **state)
{
    struct books b;
    struct book *one = with(&b, 5);
    struct err err;

    one->on_hand++;
    assert_int_equal(book_audit(one, &err), -1);
    assert_non_null(strstr(err.text, "ipad: received 5"));
    one->on_hand--;
    one->reserved = -1;
    assert_int_equal(book_audit(one, &err), -1);
    books_release(&b);
}

/* Any steps, each only where it is allowed: the laws hold after each. */
static void
test_the_laws_hold(void **state)
{
    const char *env = getenv("PENSTOCK_SEED");
    unsigned seed = env != NULL ? (unsigned)strtoul(env, NULL, 10) : 42;
    int64_t live[64] = {0};
    struct books b;
    struct book *one = with(&b, 100);
    struct err err;

    print_message("# seed %u\n", seed);
    for (int i = 0; i < 20000; i++) {
        int step = rand_r(&seed) % 6, at = rand_r(&seed) % 64;
        int64_t q = 1 + rand_r(&seed) % 9, sum = 0;

        if (step == 0 && live[at] == 0 && book_refuses(one, q) == NULL) {
            book_reserve(one, q);
            live[at] = q;
        } else if (step <= 2 && live[at] != 0) {
            (step == 1 ? book_release : book_ship)(one, live[at]);
            live[at] = 0;
        } else if (step >= 3) {
            book_move(one, step == 3 ? MOVE_RECEIVE
                : step == 4 ? MOVE_ADJUST : MOVE_COUNT,
                step == 4 ? q - 9 : q);
        }
        for (int k = 0; k < 64; k++)
            sum += live[k];
        assert_int_equal(one->reserved, sum);
        assert_int_equal(book_audit(one, &err), 0);
    }
    books_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_one_goes_once),
        cmocka_unit_test(test_reasons_have_an_order),
        cmocka_unit_test(test_what_is_not_there_is_missing),
        cmocka_unit_test(test_what_the_shop_would_not_book),
        cmocka_unit_test(test_tampering_is_found),
        cmocka_unit_test(test_the_laws_hold),
    };

    return cmocka_run_group_tests_name("retail_books", tests, NULL, NULL);
}
