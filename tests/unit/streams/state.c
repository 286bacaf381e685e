/* Stores, scans, timers and chance, as a callback sees them. */
#include "config.h"

#include "tests/unit/streams/fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "port/memory.h"
#include "task/driver_priv.h"

/* ---- scans -------------------------------------------------------------- */

/* "put k", "del k", "scan from to", "prefix p"; scans forward all they see.
 * Several on one line, divided by ';', are one record's. */
static void
one_word(struct ps_ctx *c, char *line)
{
    char *word = strtok_r(line, " ", &line), *a = strtok_r(NULL, " ", &line),
         *b = strtok_r(NULL, " ", &line), *out = ps_printf(c, "%s", "");
    struct ps_iter i;

    if (strcmp(word, "put") == 0) {
        ps_put(c, 0, ps_str(a), ps_str(b));
        return;
    }
    if (strcmp(word, "del") == 0) {
        ps_delete(c, 0, ps_str(a));
        return;
    }
    if (strcmp(word, "scan") == 0)
        i = ps_scan(c, 0, ps_str(a), ps_str(b));
    else
        i = ps_scan_prefix(c, 0, ps_str(a));
    while (ps_next(&i)) {
        out = ps_printf(c, "%s %.*s=%s", out, (int)i.key.len,
            (const char *)i.key.as.ptr, (const char *)i.value);
        if (strcmp(word, "scan") == 0 && i.key.len == 1)
            ps_put(c, 0, ps_str(ps_printf(c, "%sx",
                (const char *)i.key.as.ptr)), ps_str("new"));
    }
    ps_forward(c, ps_str("all"), ps_str(out));
}

static int
words(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    char *line = ps_printf(c, "%s", (const char *)r->value), *part;

    while ((part = strtok_r(line, ";", &line)) != NULL)
        one_word(c, part);
    return PS_OK;
}

static const struct ps_processor clerk = {
    .on = {words},
    .stores = {{"words", &ps_string, &ps_string}},
    .out = {.value = &ps_string}};

static void
clerking(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_repartition(ps_stream(t, "in", &ps_string), "one",
        NULL);

    ps_to(ps_process(s, "clerk", &clerk, NULL), "out", NULL);
}

static void
test_scans_merge_own_writes(void **state)
{
    struct ps_driver *d = ps_driver_new(clerking, NULL, NULL);

    ps_pipe(d, "in", "k", "put b 1;put d 2;put f 3;put ab 4");
    ps_settle(d);
    ps_pipe(d, "in", "k", "prefix ");
    ps_pipe(d, "in", "k", "prefix a");
    ps_pipe(d, "in", "k", "put c 5;del d;put f 6;prefix ");
    ps_pipe(d, "in", "k", "del b;del c;del f;del ab;prefix ");
    ps_settle(d);
    EXPECT(d, "out", "all: ab=4 b=1 d=2 f=3", "all: ab=4",
        "all: ab=4 b=1 c=5 f=6", "all:");
    assert_int_equal(ps_view_size(d, "words"), 0);
    ps_driver_free(d);
}

static void
test_a_scan_sees_what_is_put_ahead_of_it(void **state)
{
    struct ps_driver *d = ps_driver_new(clerking, NULL, NULL);

    ps_pipe(d, "in", "k", "put a 1;put b 2;put c 3");
    ps_pipe(d, "in", "k", "scan a c");
    ps_settle(d);
    EXPECT(d, "out", "all: a=1 ax=new b=2 bx=new");
    ps_driver_free(d);
}

static void
test_a_long_scan_goes_in_batches(void **state)
{
    struct ps_driver *d = ps_driver_new(clerking, NULL, NULL);
    char line[64], want[3000] = "all:";
    size_t n = 4;

    for (int i = 0; i < 200; i++) {
        snprintf(line, sizeof line, "put k%03d %d", (i * 7) % 200, i);
        ps_pipe(d, "in", "k", line);
    }
    ps_pipe(d, "in", "k", "del k063;del k064;put k1280 new;prefix k");
    ps_settle(d);
    for (int i = 0; i < 200; i++) {
        if (i != 63 && i != 64)
            n += (size_t)snprintf(want + n, sizeof want - n, " k%03d=%d", i,
                (i * 143) % 200);
        if (i == 128)
            n += (size_t)snprintf(want + n, sizeof want - n, " k1280=new");
    }
    EXPECT(d, "out", want);
    ps_driver_free(d);
}

/* ---- tables ------------------------------------------------------------- */

static void
tabling(struct ps_topology *t, void *conf)
{
    ps_to(ps_table_updates(ps_table(t, "names", "in", &ps_string, false)),
        "out", NULL);
    ps_to(ps_table_updates(ps_table(t, "trusted", "own", &ps_string, true)),
        "own-out", NULL);
}

static void
test_a_table_keeps_the_newest(void **state)
{
    struct ps_driver *d = ps_driver_new(tabling, NULL,
        &(struct ps_driver_opts){.partitions = 4, .seed = 2});

    for (int i = 0; i < 2; i++) {
        const char *topic = i == 0 ? "in" : "own";

        ps_pipe(d, topic, "a", "1");
        ps_pipe(d, topic, "b", "2");
        ps_pipe(d, topic, "a", "3");
        ps_pipe(d, topic, "b", NULL);
    }
    ps_settle(d);
    assert_string_equal(ps_view_get(d, "names", "a"), "3");
    assert_null(ps_view_get(d, "names", "b"));
    assert_string_equal(ps_view_get(d, "trusted", "a"), "3");
    assert_int_equal(ps_view_size(d, "trusted"), 1);
    assert_int_equal(ps_count(d, "out", "{}"), 4);
    ps_driver_free(d);
}

/* ---- timers ------------------------------------------------------------- */

/* "at ms", "cancel ms", "every ms", "stream ms", "note": relative times. */
static int
arm(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    const char *text = r->value, *space = strchr(text, ' ');
    int64_t ms = space == NULL ? 0 : strtoll(space, NULL, 10);

    if (strncmp(text, "at", 2) == 0)
        return ps_timer_at(c, PS_CLOCK, ps_clock(c) + ms, r->key);
    if (strncmp(text, "cancel", 6) == 0)
        return ps_timer_cancel(c, PS_CLOCK, ps_clock(c) + ms, r->key);
    if (strncmp(text, "every", 5) == 0)
        return ps_timer_at(c, PS_CLOCK, ps_clock(c) + ms,
            ps_str(ps_printf(c, "every %d", (int)ms)));
    if (strncmp(text, "stream", 6) == 0)
        return ps_timer_at(c, PS_STREAM_TIME, ps_time(c) + ms, r->key);
    if (strncmp(text, "number", 6) == 0)
        return ps_timer_at(c, PS_CLOCK, ps_clock(c) + ms, ps_i64(-42));
    ps_put(c, 0, r->key, ps_value(r));
    return ps_forward(c, r->key, ps_value(r));
}

static int
ring(struct ps_ctx *c, const struct ps_timer *timer, void *conf)
{
    const char *key = timer->key.type == PS_INT64 ? ps_printf(c, "%d",
        (int)timer->key.as.i64) : timer->key.as.ptr;
    const char *note = ps_get(c, 0, ps_str(key));

    if (strncmp(key, "every", 5) == 0 && timer->due_ms < 1000000003000)
        ps_timer_at(c, PS_CLOCK, timer->due_ms + strtoll(key + 6, NULL, 10),
            timer->key);
    ps_forward(c, ps_str(key), ps_str(ps_printf(c, "%s %lld %s",
        timer->kind == PS_CLOCK ? "clock" : "stream",
        (long long)timer->due_ms, note != NULL ? note : "-")));
    if (strcmp(key, "bad") == 0)
        return ps_fail(c, "a bad timer");
    return PS_OK;
}

static const struct ps_processor clock_tower = {
    .on = {arm},
    .on_timer = ring,
    .stores = {{"notes", &ps_string, &ps_string}},
    .out = {.value = &ps_string}};

static void
towering(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_repartition(ps_stream(t, "in", &ps_string),
        "by-key", NULL);

    ps_to(ps_process(s, "tower", &clock_tower, NULL), "out", NULL);
}

static void
test_timers_fire_in_their_order(void **state)
{
    struct ps_driver *d = ps_driver_new(towering, NULL, NULL);
    struct ps_read r;

    ps_pipe(d, "in", "c", "at 300");
    ps_pipe(d, "in", "b", "at 200");
    ps_pipe(d, "in", "a", "at 300");
    ps_pipe(d, "in", "x", "at 250");
    ps_pipe(d, "in", "b", "at 200");         /* arming twice is once */
    ps_pipe(d, "in", "n", "number 400");
    ps_settle(d);
    EXPECT_NONE(d, "out");
    ps_pipe(d, "in", "x", "cancel 250");
    ps_advance(d, 299);
    EXPECT(d, "out", "b:clock 1000000000200 -");
    ps_advance(d, 1000);
    assert_true(ps_read(d, "out", &r));
    assert_int_equal(r.timestamp, 1000000000300);
    EXPECT(d, "out", "c:clock 1000000000300 -",
        "-42:clock 1000000000400 -");
    assert_int_equal(ps_counter(d, "timers"), 4);
    ps_driver_free(d);
}

static void
test_a_timer_may_arm_the_next(void **state)
{
    struct ps_driver *d = ps_driver_new(towering, NULL, NULL);

    ps_pipe(d, "in", "k", "every 1000");
    ps_advance(d, 10000);
    EXPECT(d, "out", "every 1000:clock 1000000001000 -",
        "every 1000:clock 1000000002000 -", "every 1000:clock 1000000003000 -");
    ps_driver_free(d);
}

static void
test_timers_in_stream_time(void **state)
{
    struct ps_driver *d = ps_driver_new(towering, NULL, NULL);

    ps_pipe_at(d, "in", "a", "stream 50", 1000);
    ps_pipe_at(d, "in", "a", "first", 1049);
    ps_settle(d);
    ps_advance(d, 100000);               /* the clock is no matter */
    EXPECT(d, "out", "a:first");
    ps_pipe_at(d, "in", "a", "second", 1050);
    ps_pipe_at(d, "in", "a", "third", 1051);
    ps_settle(d);
    EXPECT(d, "out", "a:second", "a:stream 1050 second", "a:third");
    ps_driver_free(d);
}

static void
test_a_bad_timer_harms_no_record(void **state)
{
    struct ps_driver *d = ps_driver_new(towering, NULL, NULL);
    struct ps_read r;

    ps_pipe(d, "in", "bad", "at 10");
    ps_pipe(d, "in", "a", "note");
    ps_settle(d);
    ps_advance(d, 10);
    ps_pipe(d, "in", "b", "note");
    ps_settle(d);
    EXPECT(d, "out", "a:note", "b:note");
    assert_true(ps_read(d, "test-dead-letter", &r));
    assert_null(r.value);
    assert_int_equal(r.timestamp, 1000000000010);
    assert_false(ps_read(d, "test-dead-letter", &r));
    ps_advance(d, 10000);                /* it had its one turn */
    assert_false(ps_read(d, "test-dead-letter", &r));
    ps_driver_free(d);
}

/* A note was appended before the timer was due, and no task has looked at it
 * when the clock passes: it must be there when the timer fires, through the
 * log between. */
static void
test_a_timer_waits_for_input_before_it(void **state)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct ps_driver *d = ps_driver_new(towering, NULL,
            &(struct ps_driver_opts){.partitions = 3, .seed = seed});

        ps_pipe(d, "in", "a", "at 100");
        ps_pipe(d, "in", "b", "at 100");
        ps_settle(d);
        memory_advance(d->port, 99);
        for (int i = 0; i < 100; i++)
            ps_pipe(d, "in", i % 2 == 0 ? "a" : "b", "early");
        ps_pipe(d, "in", "a", "paid");
        ps_pipe(d, "in", "b", "paid");
        memory_advance(d->port, 1);
        ps_settle(d);
        assert_int_equal(ps_count(d, "out", "{}"), 104);
        for (int i = 0; i < 104; i++) {
            const char *text = ps_read_text(d, "out");

            if (strstr(text, "clock") != NULL)
                assert_non_null(strstr(text, "clock 1000000000100 paid"));
        }
        ps_driver_free(d);
    }
}

static void
some_timers(struct ps_driver *d, void *arg)
{
    ps_pipe(d, "in", "a", "at 100");
    ps_pipe(d, "in", "b", "every 1000");
    ps_pipe(d, "in", "c", "note");
    ps_advance(d, 150);
    ps_pipe(d, "in", "d", "at 20");
    ps_advance(d, 5000);
}

static void
each_fired_once(struct ps_driver *d, void *arg)
{
    assert_int_equal(ps_count(d, "out", "{}"), 6);
    assert_int_equal(ps_view_size(d, "tower.timers"), 0);
}

static void
test_timers_fire_once_wherever_the_power_is_cut(void **state)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        const struct ps_driver_opts o = {.partitions = 2, .seed = seed};

        assert_int_equal(ps_driver_sweep(towering, NULL, &o, some_timers,
            each_fired_once), 0);
    }
}

/* ---- chance, scratch, init ---------------------------------------------- */

static int
throw_dice(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    int *calls = ps_scratch(c);

    if (*calls < 100)
        return ps_fail(c, "init did not run");
    ++*calls;
    return ps_forward(c, r->key, ps_str(ps_printf(c, "%llx %llx",
        (unsigned long long)ps_random(c), (unsigned long long)ps_random(c))));
}

static int
start_dice(struct ps_ctx *c, void *conf)
{
    *(int *)ps_scratch(c) = 100;
    if (conf != NULL)
        ps_forward(c, ps_null(), ps_null());
    return PS_OK;
}

static const struct ps_processor dice = {
    .on = {throw_dice},
    .init = start_dice,
    .scratch = sizeof(int),
    .out = {.value = &ps_string}};

static void
dicing(struct ps_topology *t, void *conf)
{
    ps_to(ps_process(ps_stream(t, "in", &ps_string), "dice", &dice, conf),
        "out", NULL);
}

static void
test_chance_is_repeated_after_a_crash(void **state)
{
    char first[2][64], then[2][64];

    for (int crash = 0; crash < 2; crash++) {
        struct ps_driver *d = ps_driver_new(dicing, NULL,
            &(struct ps_driver_opts){.seed = 3});

        ps_pipe(d, "in", "k", "1");
        ps_settle(d);
        snprintf(first[crash], 64, "%s", ps_read_text(d, "out"));
        ps_pipe(d, "in", "k", "2");
        if (crash == 1)
            ps_crash(d);
        ps_settle(d);
        snprintf(then[crash], 64, "%s", ps_read_text(d, "out"));
        assert_null(ps_read_text(d, "out"));
        ps_driver_free(d);
    }
    assert_string_equal(first[0], first[1]);
    assert_string_equal(then[0], then[1]);
    assert_string_not_equal(first[0], then[0]);
}

static void
test_init_has_no_effects(void **state)
{
    struct ps_driver *d = ps_driver_new(dicing, &(int){1},
        &(struct ps_driver_opts){.keep_going = true});

    ps_settle(d);
    assert_int_equal(ps_counter(d, "failed_tasks"), 1);
    ps_driver_free(d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scans_merge_own_writes),
        cmocka_unit_test(test_a_scan_sees_what_is_put_ahead_of_it),
        cmocka_unit_test(test_a_long_scan_goes_in_batches),
        cmocka_unit_test(test_a_table_keeps_the_newest),
        cmocka_unit_test(test_timers_fire_in_their_order),
        cmocka_unit_test(test_a_timer_may_arm_the_next),
        cmocka_unit_test(test_timers_in_stream_time),
        cmocka_unit_test(test_a_bad_timer_harms_no_record),
        cmocka_unit_test(test_a_timer_waits_for_input_before_it),
        cmocka_unit_test(test_timers_fire_once_wherever_the_power_is_cut),
        cmocka_unit_test(test_chance_is_repeated_after_a_crash),
        cmocka_unit_test(test_init_has_no_effects),
    };

    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
