/* sheet.c: the same rows in each of the output formats. */
#include "config.h"

#include "sheet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const columns[] = {"topic", "records_in", "state", NULL};

static void
fill(struct sheet *s)
{
    sheet_cstr(s, "orders");
    sheet_int(s, 12);
    sheet_cstr(s, "a \"b\"\tc");
    sheet_cstr(s, "x");
    sheet_null(s);
    sheet_json(s, span_str("{\"k\":1}"), false);
}

static void
shows(enum output output, bool color, void (*put)(struct sheet *),
    const char *want)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    struct sheet s;

    sheet_init(&s, to, output, color, columns);
    if (put != NULL)
        put(&s);
    sheet_end(&s);
    fclose(to);
    assert_string_equal(text, want);
    free(text);
}

static void
tables_are_aligned(void **state)
{
    shows(OUTPUT_TABLE, false, fill,
        "TOPIC   RECORDS-IN  STATE\n"
        "orders          12  a \"b\"\\tc\n"
        "x                -  {\"k\":1}\n");
    shows(OUTPUT_TABLE, false, NULL, "TOPIC  RECORDS-IN  STATE\n");
    shows(OUTPUT_TABLE, true, NULL,
        "\033[1mTOPIC  RECORDS-IN  STATE\033[0m\n");
}

static void
names_become_titles(void **state)
{
    static const char *const names[] = {"onHand", "records_in", "ID", NULL};
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    struct sheet s;

    sheet_init(&s, to, OUTPUT_TABLE, false, names);
    sheet_end(&s);
    fclose(to);
    assert_string_equal(text, "ON-HAND  RECORDS-IN  ID\n");
    free(text);
}

static void
json_is_json(void **state)
{
    shows(OUTPUT_JSON, true, fill,
        "[{\"topic\":\"orders\",\"records_in\":12,"
        "\"state\":\"a \\\"b\\\"\\tc\"},\n"
        " {\"topic\":\"x\",\"records_in\":null,\"state\":{\"k\":1}}]\n");
    shows(OUTPUT_JSON, false, NULL, "[]\n");
    shows(OUTPUT_NDJSON, false, fill,
        "{\"topic\":\"orders\",\"records_in\":12,"
        "\"state\":\"a \\\"b\\\"\\tc\"}\n"
        "{\"topic\":\"x\",\"records_in\":null,\"state\":{\"k\":1}}\n");
    shows(OUTPUT_NDJSON, false, NULL, "");
}

static void
plain_forms_are_plain(void **state)
{
    shows(OUTPUT_TSV, true, fill,
        "orders\t12\ta \"b\"\\tc\nx\t\t{\"k\":1}\n");
    shows(OUTPUT_RAW, true, fill, "orders\nx\n");
    shows(OUTPUT_TSV, false, NULL, "");
}

static void
wide(struct sheet *s)
{
    sheet_span(s, span_of("\xc3\xa9t\xc3\xa9", 5));
    sheet_int(s, -1);
    sheet_cstr(s, "");
    sheet_span(s, span_of("a\0\xff\x1b[2J\n", 8));
    sheet_int(s, 1000000);
    sheet_span(s, span_of("\xc2\x9b", 2));
}

static void
terminals_are_safe(void **state)
{
    shows(OUTPUT_TABLE, false, wide,
        "TOPIC               RECORDS-IN  STATE\n"
        "\xc3\xa9t\xc3\xa9                         -1  -\n"
        "a\\x00\\xff\\x1b[2J\\n     1000000  \\xc2\\x9b\n");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_aligned),
        cmocka_unit_test(names_become_titles),
        cmocka_unit_test(json_is_json),
        cmocka_unit_test(plain_forms_are_plain),
        cmocka_unit_test(terminals_are_safe),
    };

    return cmocka_run_group_tests_name("sheet", tests, NULL, NULL);
}
