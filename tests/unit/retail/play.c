/* play.c: the events of the oracle's small shop, byte for byte; that a stop
 * stops; and of lines made up, that what the events say is possible. */
#include "config.h"

#include "retail/play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "retail/replay.h"

static int
print(void *arg, const struct event *e, struct err *err)
{
    event_print(e, arg);
    return 0;
}

static void
read_whole(const char *name, struct buf *out)
{
    const char *top = getenv("top_srcdir");
    char path[4096];
    uint8_t *room;
    FILE *f;

    snprintf(path, sizeof path, "%s/tests/oracle/%s", top, name);
    f = fopen(path, "r");
    assert_non_null(f);
    room = buf_reserve(out, 64 * KIB);
    out->len += fread(room, 1, 64 * KIB, f);
    fclose(f);
}

static void
test_the_small_shop(void **state)
{
    const char *top = getenv("top_srcdir");
    struct sales_conf conf = {.lines = INT64_MAX};
    struct play_totals totals;
    struct sales *s;
    struct buf got, want;
    struct err err;
    char path[4096];

    if (top == NULL)
        skip();
    snprintf(path, sizeof path, "%s/tests/oracle/sample.csv", top);
    conf.file = path;
    buf_init(&got, 1 * MIB);
    buf_init(&want, 1 * MIB);
    read_whole("sample.events", &want);
    s = sales_open(&conf, &err);
    assert_non_null(s);
    assert_int_equal(play(s, print, &got, &totals, &err), 0);
    assert_int_equal(totals.lines, 13);
    assert_int_equal(totals.events, 24);
    assert_true(span_eq(buf_span(&got), buf_span(&want)));
    sales_close(s);
    buf_release(&got);
    buf_release(&want);
}

/* ---- made up ------------------------------------------------------------ */

struct check {
    struct replay replay;
    int64_t last_t, stop_at, events;
};

/* Times are all different only of the same base; within the log of events
 * they never go back, as their lines don't. */
static int
tell(void *arg, const struct event *e, struct err *err)
{
    struct check *c = arg;
    struct span none = span_of("", 0);
    struct fate *f;

    assert_int_equal(e->n, c->events);
    assert_true(e->t > c->last_t);
    c->last_t = e->t;
    if (++c->events == c->stop_at)
        return err_set(err, ERR_LIMIT, "enough");
    switch (e->kind) {
    case EVENT_MOVEMENT:
        return replay_movement(&c->replay, 0, span_str(e->product),
            span_str(e->id), e->move, e->quantity, err);
    case EVENT_ORDER:
        return replay_order(&c->replay, 0, span_str(e->id),
            span_str(e->product), e->quantity, REPLAY_CREATED, err);
    case EVENT_CANCEL:
    case EVENT_SHIPMENT:
        f = replay_find(&c->replay,
            span_str(e->kind == EVENT_CANCEL ? e->id : e->order));
        assert_non_null(f);
        assert_true(f->live);
        return replay_order(&c->replay, 0, span_of(f->id, f->id_len), none, 0,
            e->kind == EVENT_CANCEL ? REPLAY_CANCELLED : REPLAY_SHIPPED, err);
    case EVENT_PAYMENT:
    case EVENT_KINDS:
        break;
    }
    return 0;
}

static int
play_own(struct check *c, int64_t lines, uint64_t seed, struct err *err)
{
    struct sales_conf conf = {.lines = lines, .seed = seed,
        .until_ms = 1767225600000};
    struct sales *s = sales_open(&conf, err);
    int rc;

    assert_non_null(s);
    replay_init(&c->replay);
    rc = play(s, tell, c, NULL, err);
    sales_close(s);
    return rc;
}

static void
test_only_what_is_reserved_ships_or_is_cancelled(void **state)
{
    struct check c = {.last_t = INT64_MIN};
    struct book *b;
    struct err err;

    assert_int_equal(play_own(&c, 30000, 5, &err), 0);
    assert_true(c.replay.orders > 29000);
    for (size_t i = 0; (b = table_next(&c.replay.books.by_name, &i)) != NULL;)
        assert_int_equal(book_audit(b, &err), 0);
    replay_release(&c.replay);
}

static void
test_a_stop_stops(void **state)
{
    struct err err;

    for (int64_t at = 1; at < 2000; at += 97) {
        struct check c = {.last_t = INT64_MIN, .stop_at = at};

        assert_int_equal(play_own(&c, 1000, 1, &err), -1);
        assert_string_equal(err.text, "enough");
        assert_int_equal(c.events, at);
        replay_release(&c.replay);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_small_shop),
        cmocka_unit_test(test_only_what_is_reserved_ships_or_is_cancelled),
        cmocka_unit_test(test_a_stop_stops),
    };

    return cmocka_run_group_tests_name("retail_play", tests, NULL, NULL);
}
