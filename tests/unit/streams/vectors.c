/*
 * The behaviour of Kafka's own examples (kafka-streams-examples, Apache-2.0;
 * their inputs and outcomes as facts), over several partitions.
 */
#include "config.h"

#include "tests/unit/streams/fixture.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- sums and counts ---------------------------------------------------- */

static struct ps_val
first_letter(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    const char *word = r->value;

    return ps_str(ps_printf(c, "%c", tolower((unsigned char)word[0])));
}

static struct ps_val
add_length(struct ps_ctx *c, const struct ps_record *r, void *old, void *conf)
{
    return ps_i64((old == NULL ? 0 : *(int64_t *)old) + r->value_len);
}

static void
aggregate(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "in", &ps_string);

    s = ps_select_key(s, NULL, first_letter, NULL, NULL);
    s = ps_group(s, "by-letter", NULL);
    ps_to(ps_table_updates(ps_aggregate(s, "lengths", add_length, NULL,
        &ps_int64)), "out", &ps_int64);
}

static void
test_aggregate(void **state)
{
    static const char *const words[] = {"stream", "all", "the", "things", "hi",
        "world", "kafka", "streams", "streaming"};
    struct ps_driver *d = ps_driver_new(aggregate, NULL,
        &(struct ps_driver_opts){.partitions = 3, .seed = 1});

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        ps_pipe(d, "in", NULL, words[i]);
    ps_settle(d);
    assert_int_equal(ps_view_int(d, "lengths", "a", NULL), 3);
    assert_int_equal(ps_view_int(d, "lengths", "t", NULL), 9);
    assert_int_equal(ps_view_int(d, "lengths", "h", NULL), 2);
    assert_int_equal(ps_view_int(d, "lengths", "w", NULL), 5);
    assert_int_equal(ps_view_int(d, "lengths", "k", NULL), 5);
    assert_int_equal(ps_view_int(d, "lengths", "s", NULL), 22);
    assert_int_equal(ps_count(d, "out", "{}"), 9);
    ps_driver_free(d);
}

static bool
is_odd(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return *(int64_t *)r->value % 2 == 1;
}

static struct ps_val
key_one(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return ps_i64(1);
}

static struct ps_val
add(struct ps_ctx *c, const struct ps_record *r, void *old, void *conf)
{
    return ps_i64(*(int64_t *)old + *(int64_t *)r->value);
}

static void
sum(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "in", &ps_int64);

    s = ps_filter(s, NULL, is_odd, NULL);
    s = ps_select_key(s, NULL, key_one, NULL, &ps_int64);
    s = ps_group(s, "one", NULL);
    ps_to(ps_table_updates(ps_reduce(s, "sum", add, NULL)), "out", NULL);
}

static void
test_sum(void **state)
{
    struct ps_driver *d = ps_driver_new(sum, NULL, NULL);
    char text[16];

    for (int i = 1; i <= 10; i++) {
        snprintf(text, sizeof text, "%d", i);
        ps_pipe(d, "in", NULL, text);
    }
    ps_settle(d);
    EXPECT(d, "out", "1:1", "1:4", "1:9", "1:16", "1:25");
    ps_driver_free(d);
}

/* Letters, digits and '_' of ASCII, and all of Cyrillic (two bytes, 0xd0 or
 * 0xd1 first); capitals become small. */
static int
split(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    const unsigned char *p = r->value;

    while (*p != '\0') {
        char *word = ps_alloc(c, r->value_len + 1u);
        size_t n = 0;

        for (; isalnum(*p) || *p == '_' || *p >= 0x80; p++) {
            if (*p == 0xd0 && p[1] >= 0x90 && p[1] <= 0x9f) {
                word[n++] = (char)*p++;
                word[n++] = (char)(*p + 0x20);
            } else if (*p == 0xd0 && p[1] >= 0xa0 && p[1] <= 0xaf) {
                word[n++] = (char)0xd1;
                word[n++] = (char)(*++p - 0x20);
            } else {
                word[n++] = (char)(*p < 0x80 ? tolower(*p) : *p);
            }
        }
        if (n > 0)
            ps_forward(c, ps_strn(word, n), ps_strn(word, n));
        if (*p != '\0')
            p++;
    }
    return PS_OK;
}

static void
word_count(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "lines", &ps_string);

    s = ps_flat_map(s, "split", split, NULL, &ps_string, &ps_string);
    s = ps_group(s, "by-word", NULL);
    ps_to(ps_table_updates(ps_count_by_key(s, "counts")), "counts-out", NULL);
}

static const struct {
    const char *word;
    int count;
} words_want[] = {
    {"hello", 1}, {"kafka", 3}, {"streams", 2}, {"all", 1}, {"lead", 1},
    {"to", 1}, {"join", 1}, {"summit", 1},
    {"\xd0\xb8", 1},
    {"\xd1\x82\xd0\xb5\xd0\xbf\xd0\xb5\xd1\x80\xd1\x8c", 1},
    {"\xd0\xbf\xd0\xbe\xd1\x88\xd0\xbb\xd0\xb8", 1},
    {"\xd1\x80\xd1\x83\xd1\x81\xd1\x81\xd0\xba\xd0\xb8\xd0\xb5", 1},
    {"\xd1\x81\xd0\xbb\xd0\xbe\xd0\xb2\xd0\xb0", 1},
};
enum { WORDS = sizeof words_want / sizeof words_want[0] };

static void
four_lines(struct ps_driver *d, void *arg)
{
    ps_pipe(d, "lines", "1", "Hello Kafka Streams");
    ps_pipe(d, "lines", "2", "All streams lead to Kafka");
    ps_settle(d);
    ps_pipe(d, "lines", "3", "Join Kafka Summit");
    /* I teper' poshli russkie slova */
    ps_pipe(d, "lines", "4", "\xd0\x98 "
        "\xd1\x82\xd0\xb5\xd0\xbf\xd0\xb5\xd1\x80\xd1\x8c "
        "\xd0\xbf\xd0\xbe\xd1\x88\xd0\xbb\xd0\xb8 "
        "\xd1\x80\xd1\x83\xd1\x81\xd1\x81\xd0\xba\xd0\xb8\xd0\xb5 "
        "\xd1\x81\xd0\xbb\xd0\xbe\xd0\xb2\xd0\xb0");
    ps_settle(d);
}

/* Not one word lost, none counted twice, and each update seen once. */
static void
all_counted_once(struct ps_driver *d, void *arg)
{
    int seen[WORDS] = {0};
    const char *text;

    for (int i = 0; i < WORDS; i++)
        assert_int_equal(ps_view_int(d, "counts", words_want[i].word, NULL),
            words_want[i].count);
    assert_int_equal(ps_view_size(d, "counts"), WORDS);
    while ((text = ps_read_text(d, "counts-out")) != NULL) {
        const char *colon = strrchr(text, ':');

        for (int i = 0; i < WORDS; i++) {
            size_t n = strlen(words_want[i].word);

            if ((size_t)(colon - text) == n &&
                memcmp(text, words_want[i].word, n) == 0)
                assert_int_equal(strtol(colon + 1, NULL, 10), ++seen[i]);
        }
    }
    for (int i = 0; i < WORDS; i++)
        assert_int_equal(seen[i], words_want[i].count);
    assert_int_equal(ps_count(d, "counts-out", "{}"), 16);
    assert_int_equal(ps_counter(d, "dead_lettered"), 0);
}

static void
test_word_count_with_the_power_cut_anywhere(void **state)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        const struct ps_driver_opts o = {.partitions = 4, .seed = seed};

        assert_int_equal(ps_driver_sweep(word_count, NULL, &o, four_lines,
            all_counted_once), 0);
    }
}

/* ---- deduplication ------------------------------------------------------ */

enum { SEEN };

static int
first_only(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    if (ps_get(c, SEEN, r->key) != NULL)
        return PS_OK;
    ps_put(c, SEEN, r->key, ps_i64(ps_time(c)));
    ps_timer_at(c, PS_CLOCK, ps_clock(c) + 10 * 60000, r->key);
    return ps_forward(c, r->key, ps_value(r));
}

static int
forget(struct ps_ctx *c, const struct ps_timer *timer, void *conf)
{
    return ps_delete(c, SEEN, timer->key);
}

static const struct ps_processor dedup = {
    .on = {first_only},
    .on_timer = forget,
    .stores = {[SEEN] = {"seen", &ps_string, &ps_int64}}};

static struct ps_val
value_as_key(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return ps_str(r->value);
}

static void
deduplication(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "in", &ps_string);

    s = ps_select_key(s, NULL, value_as_key, NULL, NULL);
    s = ps_process(ps_repartition(s, "by-event", NULL), "dedup", &dedup, NULL);
    ps_to(s, "out", &ps_string);
}

static void
nine_events(struct ps_driver *d, void *arg)
{
    for (const char *p = "ABAABCCAB"; *p != '\0'; p++) {
        const char text[2] = {*p, '\0'};

        ps_pipe(d, "in", NULL, text);
    }
    ps_settle(d);
}

static void
three_went_out(struct ps_driver *d, void *arg)
{
    assert_int_equal(ps_count(d, "out", "{}"), 3);
    assert_int_equal(ps_view_size(d, "seen"), 3);
    ps_advance(d, 10 * 60000 - 1);
    assert_int_equal(ps_view_size(d, "seen"), 3);
    ps_advance(d, 1);
    assert_int_equal(ps_view_size(d, "seen"), 0);
    ps_pipe(d, "in", NULL, "A");
    ps_settle(d);
    assert_int_equal(ps_count(d, "out", "{}"), 4);
}

static void
test_deduplication(void **state)
{
    struct ps_driver *d = ps_driver_new(deduplication, NULL, NULL);
    const struct ps_driver_opts o = {.partitions = 3, .seed = 11};

    nine_events(d, NULL);
    EXPECT(d, "out", "A:A", "B:B", "C:C");
    ps_driver_free(d);
    assert_int_equal(ps_driver_sweep(deduplication, NULL, &o, nine_events,
        three_went_out), 0);
}

/* ---- without state ------------------------------------------------------ */

static struct ps_val
doubled(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return ps_i64(2 * *(int64_t *)r->value);
}

static void
corrupted(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "in", &ps_int64);

    ps_on_error(t, PS_SKIP);
    ps_to(ps_map_values(s, NULL, doubled, NULL, NULL), "out", NULL);
}

static void
test_corrupted_input_is_skipped(void **state)
{
    struct ps_driver *d = ps_driver_new(corrupted, NULL, NULL);

    ps_pipe_bytes(d, "in", NULL, 0, "foo", 3, 1);
    ps_pipe(d, "in", NULL, "1");
    ps_pipe(d, "in", NULL, "2");
    ps_pipe(d, "in", NULL, "3");
    ps_settle(d);
    EXPECT(d, "out", "null:2", "null:4", "null:6");
    assert_int_equal(ps_counter(d, "skipped"), 1);
    assert_int_equal(ps_count(d, "test-dead-letter", "{}"), 0);
    ps_driver_free(d);
}

static struct ps_val
changed_case(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    int (*how)(int) = *(int (**)(int))conf;
    char *text = ps_printf(c, "%s", (const char *)r->value);

    for (char *p = text; *p != '\0'; p++)
        *p = (char)how((unsigned char)*p);
    return ps_str(text);
}

static int (*upper)(int) = toupper;
static int (*lower)(int) = tolower;

static void
fanout(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "in", &ps_string);

    ps_to(ps_map_values(s, "up", changed_case, &upper, NULL), "upper", NULL);
    ps_to(ps_map_values(s, "low", changed_case, &lower, NULL), "lower", NULL);
    ps_to(s, "same", NULL);
}

static void
test_fanout_map_and_pass_through(void **state)
{
    struct ps_driver *d = ps_driver_new(fanout, NULL, NULL);

    ps_pipe(d, "in", "1", "Hello");
    ps_pipe(d, "in", "2", "World");
    ps_settle(d);
    EXPECT(d, "upper", "1:HELLO", "2:WORLD");
    EXPECT(d, "lower", "1:hello", "2:world");
    EXPECT(d, "same", "1:Hello", "2:World");
    ps_driver_free(d);
}

/* MixAndMatch: the last octet of an address is hidden. */
static struct ps_pair
anonymous(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    char *text = ps_printf(c, "%s", (const char *)r->value);
    char *dot = strrchr(text, '.');

    if (dot != NULL)
        text = ps_printf(c, "%.*s.XXX", (int)(dot - text), text);
    return (struct ps_pair){r->key, ps_str(text)};
}

static void
mix_and_match(struct ps_topology *t, void *conf)
{
    ps_to(ps_map(ps_stream(t, "in", &ps_string), NULL, anonymous, NULL, NULL,
        NULL), "out", NULL);
}

static void
test_mix_and_match(void **state)
{
    struct ps_driver *d = ps_driver_new(mix_and_match, NULL, NULL);

    ps_pipe(d, "in", NULL, "Hello, 1.2.3.4");
    ps_pipe(d, "in", NULL, "foo 192.168.1.55");
    ps_settle(d);
    EXPECT(d, "out", "null:Hello, 1.2.3.XXX", "null:foo 192.168.1.XXX");
    ps_driver_free(d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aggregate),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_word_count_with_the_power_cut_anywhere),
        cmocka_unit_test(test_deduplication),
        cmocka_unit_test(test_corrupted_input_is_skipped),
        cmocka_unit_test(test_fanout_map_and_pass_through),
        cmocka_unit_test(test_mix_and_match),
    };

    return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
