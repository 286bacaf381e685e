/* penstock dump: what it prints. */
#include "config.h"

#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "offline/dump.h"

typedef int dump_fn(struct dump_options *, const char *, struct err *);

static char *
dump(dump_fn *fn, const char *what, struct dump_options o)
{
    struct err err = {0};
    char *text;
    size_t size;

    o.out = open_memstream(&text, &size);
    o.world = world_real();
    if (fn(&o, what, &err) < 0)
        fail_msg("%s", err.text);
    fclose(o.out);
    return text;
}

static int
count(const char *text, const char *word)
{
    int n = 0;

    for (; (text = strstr(text, word)) != NULL; text++)
        n++;
    return n;
}

/* Each line is one JSON object. */
static void
is_json(const char *text)
{
    while (*text != '\0') {
        const char *end = strchr(text, '\n');
        json_error_t e;
        json_t *j = json_loadb(text, (size_t)(end - text), 0, &e);

        if (j == NULL)
            fail_msg("%s: %.*s", e.text, (int)(end - text), text);
        assert_non_null(json_object_get(j, "is"));
        json_decref(j);
        text = end + 1;
    }
}

static void
test_segment(void **state)
{
    struct kit *k = *state;
    char path[512], *text;

    kit_make(k, false);
    assert_true(kit_file(k->dir, "topics", ".log", 0, path));
    text = dump(dump_segment, path, (struct dump_options){0});
    assert_ptr_equal(strstr(text, "batch pos=0 base_offset=0 last_offset=0 "
        "records=1"), text);
    assert_int_equal(count(text, "record "), 0);
    free(text);
    text = dump(dump_segment, path, (struct dump_options){.records = true,
        .values = true, .from = 2, .limit = 2});
    assert_int_equal(count(text, "batch "), 2);
    assert_null(strstr(text, "base_offset=0 "));
    assert_non_null(strstr(text, "key=\"key\" value=\"part 1 record"));
    free(text);
    text = dump(dump_segment, path, (struct dump_options){.json = true,
        .records = true, .values = true});
    is_json(text);
    free(text);
    kit_flip(path, 100, 1);
    text = dump(dump_segment, path, (struct dump_options){0});
    assert_ptr_equal(strstr(text, "damage file="), text);
    assert_true(count(text, "batch ") > 3);
    free(text);
}

static void
test_journal(void **state)
{
    struct kit *k = *state;
    char *text;

    kit_make(k, false);
    text = dump(dump_journal, k->dir, (struct dump_options){0});
    assert_int_equal(count(text, "state=due"), 20);
    assert_true(count(text, "state=stale") > 30);
    assert_int_equal(count(text, "\n    trim "), 1);
    assert_non_null(strstr(text, "put kind=store app=\"shop\" "
        "store=\"stock\""));
    free(text);
    text = dump(dump_journal, k->dir, (struct dump_options){.json = true,
        .records = true, .values = true});
    is_json(text);
    free(text);
}

static void
test_meta_and_state(void **state)
{
    struct kit *k = *state;
    char *text;

    kit_make(k, false);
    text = dump(dump_meta, k->dir, (struct dump_options){0});
    assert_non_null(strstr(text, "\ntopic topic_id=0102030000000000000000000"
        "0000000 value={\"name\":\"orders\",\"partitions\":3}\n"));
    assert_non_null(strstr(text, "\noffset group=\"billing\" topic=\"orders\" "
        "partition=0 value={\"offset\":\"2\"}\n"));
    assert_ptr_equal(strstr(text, "checkpoint value="), text);
    free(text);
    text = dump(dump_meta, k->dir, (struct dump_options){.json = true});
    is_json(text);
    free(text);
    text = dump(dump_state, k->dir, (struct dump_options){.limit = 3});
    assert_int_equal(count(text, "\n"), 3);
    assert_ptr_equal(strstr(text, "entry store=1 partition=0 "
        "key=\"product-000\" value=\"part 1"), text);
    free(text);
    text = dump(dump_state, k->dir, (struct dump_options){.json = true});
    is_json(text);
    free(text);
}

/* Not a crash, whatever the bytes. */
static void
test_damaged_files(void **state)
{
    struct kit *k = *state;
    struct dice d = dice_seeded();
    struct dump_options o = {.records = true, .values = true, .json = true};
    char log[512], journal[512], mdb[512];

    kit_make(k, false);
    assert_true(kit_file(k->dir, "topics", ".log", 0, log));
    assert_true(kit_file(k->dir, "journal", ".journal", 0, journal));
    assert_true(kit_file(k->dir, "meta", "data.mdb", 0, mdb));
    for (int i = 0; i < 40; i++) {
        kit_flip(log, (long)dice_roll(&d, (uint64_t)kit_size(log)),
            (uint8_t)(1 + dice_roll(&d, 255)));
        kit_flip(journal, (long)dice_roll(&d, 400000),
            (uint8_t)(1 + dice_roll(&d, 255)));
        kit_flip(mdb, 8192 + (long)dice_roll(&d, (uint64_t)kit_size(mdb)
            - 8192), (uint8_t)(1 + dice_roll(&d, 255)));
        free(dump(dump_segment, log, o));
        free(dump(dump_journal, k->dir, o));
        free(dump(dump_meta, k->dir, o));
        free(dump(dump_state, k->dir, o));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
        T(test_segment),
        T(test_journal),
        T(test_meta_and_state),
        T(test_damaged_files),
#undef T
    };

    return cmocka_run_group_tests_name("offline/dump", tests, NULL, NULL);
}
