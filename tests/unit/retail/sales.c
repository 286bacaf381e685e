/* sales.c: prices and times by the digit, lines of a file and their faults,
 * lines made up. */
#include "config.h"

#include "retail/sales.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"

#define HEAD "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice," \
             "CustomerID,Country\n"
#define LINE "1,A,\"a \"\"lamp\"\", big\",3,2010-12-01 08:26:00,2.55,17850,UK\n"

static void
test_prices_are_exact(void **state)
{
    static const struct {
        const char *text;
        int64_t micros;
    } good[] = {{"2.55", 2550000}, {"0", 0}, {"-11062.06", -11062060000},
        {"0.001", 1000}, {".5", 500000}, {"7.", 7000000},
        {"1.000001", 1000001}, {"38970", 38970000000}};
    static const char *const bad[] = {"", "-", ".", "1.0000001", "1,5", "1e3",
        "--1", " 1", "1.2.3", "99999999999999999999"};
    int64_t v;

    for (size_t i = 0; i < countof(good); i++) {
        assert_int_equal(sale_micros(good[i].text, &v, NULL), 0);
        assert_int_equal(v, good[i].micros);
    }
    for (size_t i = 0; i < countof(bad); i++)
        assert_int_equal(sale_micros(bad[i], &v, NULL), -1);
}

static void
test_times_are_utc(void **state)
{
    static const char *const bad[] = {"", "2010-12-01", "2010-12-01T08:26:00",
        "2010-13-01 08:26:00", "2011-02-29 08:26:00", "2010-12-01 24:00:00",
        "2010-12-01 08:60:00", "2010-12-01 08:26:0x", "1899-12-01 08:26:00"};
    int64_t v;

    assert_int_equal(sale_instant("2010-12-01 08:26:00", &v, NULL), 0);
    assert_int_equal(v, 1291191960000);
    assert_int_equal(sale_instant("2012-02-29 23:59:59", &v, NULL), 0);
    assert_int_equal(v, 1330559999000);
    for (size_t i = 0; i < countof(bad); i++)
        assert_int_equal(sale_instant(bad[i], &v, NULL), -1);
}

/* ---- files -------------------------------------------------------------- */

static char path[] = "/tmp/retail-sales-XXXXXX";

static struct sales *
open_text(const char *text, struct err *err)
{
    struct sales_conf conf = {.file = path, .lines = INT64_MAX};
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return sales_open(&conf, err);
}

/* The fault of a file's first line, or of the file. */
static void
is_refused(const char *text, const char *words)
{
    struct err err = {0};
    struct sales *s = open_text(text, &err);
    struct sale sale;

    if (s != NULL) {
        assert_int_equal(sales_next(s, &sale, &err), -1);
        sales_close(s);
    }
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, words);
}

static void
test_a_line_is_read(void **state)
{
    struct err err;
    struct sales *s = open_text(HEAD LINE
        "C2,B,x,-1,2010-12-01 08:26:00,1,,F\n", &err);
    struct sale sale;

    assert_non_null(s);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(sales_next(s, &sale, &err), 1);
        assert_string_equal(sale.invoice, "1");
        assert_string_equal(sale.product, "A");
        assert_string_equal(sale.customer, "17850");
        assert_int_equal(sale.quantity, 3);
        assert_int_equal(sale.at, 1291191960000);
        assert_int_equal(sale.price, 2550000);
        assert_false(sale_cancels(&sale));
        assert_int_equal(sales_next(s, &sale, &err), 1);
        assert_true(sale_cancels(&sale));
        assert_string_equal(sale.customer, "");
        assert_int_equal(sales_next(s, &sale, &err), 0);
        assert_int_equal(sales_next(s, &sale, &err), 0);
        assert_int_equal(sales_rewind(s, &err), 0);
    }
    sales_close(s);
}

static void
test_faults_are_told(void **state)
{
    is_refused("", "empty");
    is_refused("a,b\n1,2\n", "no column InvoiceNo");
    is_refused(HEAD "1,A,x,0,2010-12-01 08:26:00,1,7,F\n", "Quantity is 0");
    is_refused(HEAD "1,A,x,y,2010-12-01 08:26:00,1,7,F\n", "line 2");
    is_refused(HEAD "1,,x,1,2010-12-01 08:26:00,1,7,F\n", "empty");
    is_refused(HEAD "1,A,x,1,2010-12-01,1,7,F\n", "no time");
    is_refused(HEAD "1,A,x,1,2010-12-01 08:26:00,a,7,F\n", "no price");
    is_refused(HEAD "1,A\n", "columns");
    is_refused(HEAD "1,\xff,x,1,2010-12-01 08:26:00,1,7,F\n", "StockCode");
    is_refused(HEAD "1,A,x,2147483647,2010-12-01 08:26:00,9999999.99,7,F\n",
        "too large");
}

static void
test_time_may_not_go_back(void **state)
{
    struct err err;
    struct sales *s = open_text(HEAD LINE "2,B,x,1,2010-12-01 08:25:00,1,,F\n",
        &err);
    struct sale sale;

    assert_int_equal(sales_next(s, &sale, &err), 1);
    assert_int_equal(sales_next(s, &sale, &err), -1);
    assert_non_null(strstr(err.text, "goes back"));
    sales_close(s);
}

/* ---- made up ------------------------------------------------------------ */

static void
test_the_same_seed_the_same_lines(void **state)
{
    struct sales_conf conf = {.lines = 5000, .seed = 3,
        .until_ms = 1767225600000};
    struct sales *a = sales_open(&conf, NULL), *b = sales_open(&conf, NULL);
    struct sale x, y;
    int64_t last = 0, back = 0, none = 0;
    int n = 0;

    for (; sales_next(a, &x, NULL) == 1; n++) {
        assert_int_equal(sales_next(b, &y, NULL), 1);
        assert_string_equal(x.invoice, y.invoice);
        assert_string_equal(x.product, y.product);
        assert_int_equal(x.quantity, y.quantity);
        assert_int_not_equal(x.quantity, 0);
        assert_true(x.at >= last && x.at <= conf.until_ms);
        last = x.at;
        back += sale_cancels(&x);
        none += x.customer[0] == '\0';
    }
    assert_int_equal(n, 5000);
    assert_true(back > 5 && back < 500);
    assert_true(none > 500 && none < 2500);
    sales_close(a);
    sales_close(b);
}

static int
make_file(void **state)
{
    int fd = mkstemp(path);

    return fd < 0 ? -1 : close(fd);
}

static int
remove_file(void **state)
{
    return unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prices_are_exact),
        cmocka_unit_test(test_times_are_utc),
        cmocka_unit_test(test_a_line_is_read),
        cmocka_unit_test(test_faults_are_told),
        cmocka_unit_test(test_time_may_not_go_back),
        cmocka_unit_test(test_the_same_seed_the_same_lines),
    };

    return cmocka_run_group_tests_name("retail_sales", tests, make_file,
        remove_file);
}
