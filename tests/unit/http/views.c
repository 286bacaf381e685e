/* views.c: stores read over HTTP: rows, pages, kinds of keys and values. */
#include "config.h"

#include "kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

enum { PARTITIONS = 4, KEYS = 700 };

/* ---- an application with stores of all kinds ---------------------------- */

enum { TEXTS, DOCS, DOUBLES, RAW };

static int
on_text(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    if (r->value == NULL) {
        ps_delete(c, TEXTS, r->key);
        return PS_OK;
    }
    ps_put(c, TEXTS, r->key, ps_value(r));
    ps_put(c, DOCS, r->key, ps_json_text(ps_printf(c, "{\"n\":[%d,null]}",
        (int)r->value_len)));
    ps_put(c, DOUBLES, r->key, ps_f64(r->value_len / 4.0));
    ps_put(c, RAW, ps_mem(r->key.as.ptr, r->key.len), ps_mem("\xff\x00", 2));
    return PS_OK;
}

static const struct ps_processor texts = {
    .on = {on_text},
    .stores = {[TEXTS] = {"texts", &ps_string, &ps_string},
        [DOCS] = {"docs", &ps_string, &ps_json},
        [DOUBLES] = {"doubles", &ps_string, &ps_double},
        [RAW] = {"raw", &ps_bytes, &ps_bytes}}};

static struct ps_val
length_of(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return ps_i64(r->value == NULL ? -1 : (int64_t)r->value_len);
}

static int
on_number(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return ps_put(c, 0, r->key, ps_i64(-r->key.as.i64));
}

static const struct ps_processor numbers = {
    .on = {on_number},
    .stores = {{"numbers", &ps_int64, &ps_int64}}};

static void
build(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_trust(ps_stream(t, "in", &ps_string));

    ps_process(s, "texts", &texts, NULL);
    s = ps_select_key(s, "length", length_of, NULL, &ps_int64);
    s = ps_repartition(s, "by-length", NULL);
    ps_process(s, "numbers", &numbers, NULL);
}

static const struct ps_app apps[] = {{"kinds", build, NULL}, {NULL}};
static struct kit kit;

/* ---- rows --------------------------------------------------------------- */

static void
test_no_such_view(void **state)
{
    has(body_of(kit_get(&kit, "/v1/views/nothing"), 404),
        "there is no view 'nothing'");
    has(body_of(kit_get(&kit, "/v1/views/nothing/x"), 404),
        "\"code\":\"NOT_FOUND\"");
}

static void
test_no_such_row(void **state)
{
    has(body_of(kit_get(&kit, "/v1/views/texts/nobody"), 404),
        "there is no 'nobody' in 'texts'");
}

static void
test_rows_of_all_kinds(void **state)
{
    const char *body;

    kit_produce(&kit, "in", "a", "three");
    kit_settle(&kit);
    body = body_of(kit_get(&kit, "/v1/views/texts/a"), 200);
    has(body, "\"key\":\"a\",\"value\":\"three\"}");
    has(body, "{\"epoch\":");
    has(body_of(kit_get(&kit, "/v1/views/docs/a"), 200),
        "\"value\":{\"n\":[5,null]}}");
    has(body_of(kit_get(&kit, "/v1/views/doubles/a"), 200),
        "\"value\":1.25}");
    has(body_of(kit_get(&kit, "/v1/views/raw/61"), 200),
        "\"key\":\"61\",\"value\":\"/wA=\"}");
    has(body_of(kit_get(&kit, "/v1/views/numbers/5"), 200),
        "\"key\":5,\"value\":-5}");
    body_of(kit_get(&kit, "/v1/views/numbers/5x"), 400);
    body_of(kit_get(&kit, "/v1/views/raw/6"), 400);
    body_of(kit_get(&kit, "/v1/views/raw/6g"), 400);
    body_of(kit_get(&kit, "/v1/views/numbers?prefix=1"), 400);
}

static void
test_keys_with_any_character(void **state)
{
    kit_produce(&kit, "in", "a/b c\xc3\xa4%?&", "odd");
    kit_settle(&kit);
    has(body_of(kit_get(&kit, "/v1/views/texts/a%2Fb%20c%C3%A4%25%3F%26"),
        200), "\"key\":\"a/b c\xc3\xa4%?&\",\"value\":\"odd\"");
    has(body_of(kit_get(&kit, "/v1/views/texts?prefix=a%2Fb"), 200),
        "\"value\":\"odd\"");
    body_of(kit_get(&kit, "/v1/views/texts/%FF"), 400);
    body_of(kit_get(&kit, "/v1/views/texts/%00"), 400);
}

static void
test_a_deleted_row_is_gone(void **state)
{
    kit_produce(&kit, "in", "a", NULL);
    kit_produce(&kit, "in", "a/b c\xc3\xa4%?&", NULL);
    kit_settle(&kit);
    body_of(kit_get(&kit, "/v1/views/texts/a"), 404);
    has(body_of(kit_get(&kit, "/v1/views/texts"), 200),
        "\"rows\":[],\"next\":null}");
}

/* ---- pages -------------------------------------------------------------- */

/* Finds "key":"kNNN" from *at on, and moves it behind. -1: there is none. */
static int
next_key(const char **at)
{
    const char *key = strstr(*at, "\"key\":\"k");

    if (key == NULL)
        return -1;
    *at = key + 8;
    return (int)strtol(key + 8, NULL, 10);
}

static bool
next_page(const char *body, char *next, size_t size)
{
    const char *at = strstr(body, "\"next\":\"");

    if (at == NULL) {
        has(body, "\"next\":null}");
        return false;
    }
    snprintf(next, size, "%.*s", (int)strcspn(at + 8, "\""), at + 8);
    return true;
}

static void
walk(unsigned limit)
{
    char path[128], next[64] = "";
    unsigned expected = 0, rows;
    bool more = true;

    while (more) {
        const char *body, *at;
        int key;

        snprintf(path, sizeof path, "/v1/views/texts?limit=%u&after=%s",
            limit, next);
        at = body = body_of(kit_get(&kit, path), 200);
        for (rows = 0; (key = next_key(&at)) >= 0; rows++)
            assert_int_equal(key, expected++);
        more = next_page(body, next, sizeof next);
        assert_int_equal(rows, more || KEYS % limit == 0 ? limit
                                                         : KEYS % limit);
    }
    assert_int_equal(expected, KEYS);
}

static void
test_pages_in_the_order_of_keys(void **state)
{
    kit_produce_many(&kit, "in", "k%03d", "v%d", KEYS);
    kit_settle(&kit);
    walk(1000);
    walk(KEYS);
    walk(7);
    walk(100);
    walk(KEYS - 1);
}

static unsigned
count(const char *path)
{
    const char *at = body_of(kit_get(&kit, path), 200);
    unsigned n = 0;

    while (next_key(&at) >= 0)
        n++;
    return n;
}

static void
test_bounds_of_a_page(void **state)
{
    const char *body;

    assert_int_equal(count("/v1/views/texts"), 100);
    assert_int_equal(count("/v1/views/texts?prefix=k12"), 10);
    assert_int_equal(count("/v1/views/texts?prefix=k12&after=k125"), 4);
    assert_int_equal(count("/v1/views/texts?prefix=k12&from=k125"), 5);
    assert_int_equal(count("/v1/views/texts?prefix=k12&from=k125&after=k127"),
        2);
    assert_int_equal(count("/v1/views/texts?from=k690"), 10);
    assert_int_equal(count("/v1/views/texts?prefix=z"), 0);
    assert_int_equal(count("/v1/views/texts?after=z"), 0);
    body = body_of(kit_get(&kit, "/v1/views/texts?limit=1"), 200);
    has(body, "\"rows\":[{\"key\":\"k000\",\"value\":\"v0\"}],"
        "\"next\":\"k000\"}");
    body_of(kit_get(&kit, "/v1/views/texts?limit=0"), 400);
    body_of(kit_get(&kit, "/v1/views/texts?limit=1001"), 400);
    has(body_of(kit_get(&kit, "/v1/views/numbers?after=2"), 200),
        "\"rows\":[{\"key\":3,\"value\":-3},{\"key\":4,\"value\":-4},"
        "{\"key\":5,");
}

static void
test_a_page_of_large_values_ends_early(void **state)
{
    char *value = xcalloc(1, 300001), next[64];
    const char *body, *at;
    unsigned rows = 0, pages = 0;

    memset(value, 'x', 300000);
    for (int i = 0; i < 40; i++) {
        char key[16];

        snprintf(key, sizeof key, "k9%02d", i);
        kit_produce(&kit, "in", key, value);
    }
    free(value);
    kit_settle(&kit);
    snprintf(next, sizeof next, "k899");
    do {
        char path[128];

        snprintf(path, sizeof path, "/v1/views/texts?limit=1000&after=%s",
            next);
        at = body = body_of(kit_get(&kit, path), 200);
        while (next_key(&at) >= 0)
            rows++;
        pages++;
    } while (next_page(body, next, sizeof next));
    assert_int_equal(rows, 40);
    assert_true(pages >= 2);
}

/* ---- over a restart ----------------------------------------------------- */

static void
test_views_survive(void **state)
{
    kit_restart(&kit);
    assert_int_equal(count("/v1/views/texts?prefix=k12"), 10);
    has(body_of(kit_get(&kit, "/v1/views/texts/k001"), 200),
        "\"value\":\"v1\"");
}

static int
open_kit(void **state)
{
    kit_open(&kit, apps, NULL, PARTITIONS, DURABILITY_POWER);
    return 0;
}

static int
close_kit(void **state)
{
    kit_close(&kit);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_such_view),
        cmocka_unit_test(test_no_such_row),
        cmocka_unit_test(test_rows_of_all_kinds),
        cmocka_unit_test(test_keys_with_any_character),
        cmocka_unit_test(test_a_deleted_row_is_gone),
        cmocka_unit_test(test_pages_in_the_order_of_keys),
        cmocka_unit_test(test_bounds_of_a_page),
        cmocka_unit_test(test_a_page_of_large_values_ends_early),
        cmocka_unit_test(test_views_survive),
    };

    return cmocka_run_group_tests_name("views", tests, open_kit, close_kit);
}
