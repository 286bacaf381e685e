/* One record's way through a task: bytes, types, failures, headers. */
#include "config.h"

#include "tests/unit/streams/fixture.h"

#include <stdlib.h>
#include <stdio.h>

#include "port/memory.h"
#include "task/driver_priv.h"
#include "tests/unit/streams/trade.pb-c.h"

#define ORDER PS_PROTO(trade__order)

static const char *
header_of(const struct ps_read *r, const char *name)
{
    static char text[300];

    for (size_t i = 0; i < r->header_count; i++) {
        if (strcmp(r->headers[i].name, name) == 0) {
            snprintf(text, sizeof text, "%.*s", (int)r->headers[i].len,
                (const char *)r->headers[i].value);
            return text;
        }
    }
    return NULL;
}

static struct ps_driver *
driver(void (*build)(struct ps_topology *, void *), unsigned partitions)
{
    return ps_driver_new(build, NULL,
        &(struct ps_driver_opts){.partitions = partitions, .seed = 5});
}

static bool
yes(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return r->value != NULL;
}

/* ---- bytes that pass through -------------------------------------------- */

/* product "p", then id "1", then an unknown field 99: not how we write it. */
static const uint8_t odd_order[] = {0x1a, 1, 'p', 0x0a, 1, '1', 0x98, 6, 5};

static int
improve(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    Trade__Order *o = r->value;

    o->quantity = 7;
    return ps_forward(c, r->key, PS_MSG(o));
}

static int
hand_on(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return ps_forward(c, r->key, ps_value(r));
}

static const struct ps_processor improver = {.on = {improve},
    .out = {.value = ORDER}};
static const struct ps_processor passer = {.on = {hand_on}};

static void
passing(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "orders", ORDER);

    ps_to(s, "copy", ORDER);
    s = ps_repartition(ps_filter(s, NULL, yes, NULL), "by-id", "id");
    ps_to(ps_process(s, "pass", &passer, NULL), "passed", ORDER);
    ps_to(ps_process(s, "improve", &improver, NULL), "improved", NULL);
}

static void
test_unchanged_bytes_pass_through(void **state)
{
    struct ps_driver *d = driver(passing, 2);
    struct ps_read r;

    ps_pipe_bytes(d, "orders", "k", 1, odd_order, sizeof odd_order, 77);
    ps_settle(d);
    assert_true(ps_read(d, "copy", &r));
    assert_int_equal(r.value_len, sizeof odd_order);
    assert_memory_equal(r.value, odd_order, sizeof odd_order);
    assert_memory_equal(r.key, "k", 1);
    assert_true(ps_read(d, "passed", &r));
    assert_int_equal(r.value_len, sizeof odd_order);
    assert_memory_equal(r.value, odd_order, sizeof odd_order);
    assert_memory_equal(r.key, "1", 1);
    assert_int_equal(r.timestamp, 77);
    /* what PS_MSG hands over is encoded anew, changed or not */
    assert_true(ps_read(d, "improved", &r));
    assert_memory_not_equal(r.value, odd_order, 6);
    EXPECT_NONE(d, "improved");
    ps_rewind(d, "improved");
    EXPECT(d, "improved", "1:{\"id\":\"1\",\"product\":\"p\",\"quantity\":7}");
    ps_driver_free(d);
}

static void
test_a_topic_says_how_it_is_written(void **state)
{
    static const char json[] = "{\"id\":\"1\"}";
    struct port *port = memory_new(&(struct memory_opts){.seed = 1});
    const struct ps_app apps[] = {{"pass", passing, NULL},
        {NULL, NULL, NULL}};
    const struct memory_record *m;
    struct engine *e;
    struct err err;

    memory_set_format(port, "passed", PS_FORMAT_JSON);
    assert_int_equal(engine_new(&(struct engine_opts){.port = port,
        .apps = apps}, &e, &err, NULL), 0);
    memory_append(port, memory_topic(port, "orders"), 0, 1, span_str("k"),
        span_str(json), NULL, 0);
    while (engine_step(e, 0))
        continue;
    /* JSON came: here protobuf is wanted, there JSON */
    m = memory_record(memory_topic(port, "copy"), 0, 0, true);
    assert_true(span_eq(m->r.value, span_of("\n\0011", 3)));
    m = memory_record(memory_topic(port, "passed"), 0, 0, true);
    assert_true(span_eq(m->r.value, span_str(json)));
    engine_free(e);
    memory_free(port);
}

static void
test_a_tombstone_passes(void **state)
{
    struct ps_driver *d = driver(passing, 1);

    ps_pipe(d, "orders", "k", NULL);
    ps_settle(d);
    EXPECT(d, "copy", "k:null");
    EXPECT_NONE(d, "passed");
    ps_driver_free(d);
}

/* ---- failures ----------------------------------------------------------- */

enum { SUMS, LAST };

/* Puts and forwards first, and fails then if the value is negative. */
static int
add(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    int64_t n = *(int64_t *)r->value, *sum = ps_get(c, SUMS, r->key);
    int64_t total = n + (sum != NULL ? *sum : 0), *again;

    ps_put(c, SUMS, r->key, ps_i64(total));
    ps_put(c, LAST, r->key, ps_value(r));
    ps_forward(c, r->key, ps_i64(total));
    again = ps_get(c, SUMS, r->key);         /* own writes are seen */
    if (again == NULL || *again != total)
        return ps_fail(c, "own write not seen");
    if (n < 0)
        return ps_fail(c, "%s goes down by %d", "it", (int)-n);
    if (n == 0)
        return ps_reject(c, "ZERO");
    return PS_OK;
}

static const struct ps_processor adder = {
    .on = {add},
    .stores = {[SUMS] = {"sums", &ps_string, &ps_int64},
        [LAST] = {"last", &ps_string, &ps_int64}},
    .out = {.value = &ps_int64}};

static void
adding(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "in", &ps_int64);

    if (conf != NULL)
        ps_on_error(t, *(enum ps_on_error *)conf);
    s = ps_repartition(s, "by-key", NULL);
    ps_to(ps_process(s, "add", &adder, NULL), "sums-out", NULL);
}

static void
test_a_failed_record_drops_its_own_effects_only(void **state)
{
    struct ps_driver *d = driver(adding, 1);
    struct ps_read r;

    ps_pipe(d, "in", "a", "1");
    ps_pipe(d, "in", "a", "-5");
    ps_pipe(d, "in", "a", "2");
    ps_settle(d);
    EXPECT(d, "sums-out", "a:1", "a:3");
    assert_int_equal(ps_view_int(d, "sums", "a", NULL), 3);
    assert_int_equal(ps_view_int(d, "last", "a", NULL), 2);
    assert_true(ps_read(d, "test-dead-letter", &r));
    assert_memory_equal(r.key, "a", 1);
    assert_int_equal(r.value_len, 8);
    assert_string_equal(header_of(&r, "__streams.errors.exception"),
        "ProcessingError");
    assert_string_equal(header_of(&r, "__streams.errors.message"),
        "'add': it goes down by 5");
    assert_string_equal(header_of(&r, "__streams.errors.topic"),
        "test-by-key-repartition");
    assert_string_equal(header_of(&r, "__streams.errors.partition"), "0");
    assert_string_equal(header_of(&r, "__streams.errors.offset"), "1");
    assert_false(ps_read(d, "test-dead-letter", &r));
    assert_int_equal(ps_counter(d, "dead_lettered"), 1);
    assert_int_equal(ps_counter(d, "out"), 3 + 2);
    ps_driver_free(d);
}

static void
test_bytes_that_cannot_be_decoded_are_dead_letters(void **state)
{
    struct ps_driver *d = driver(adding, 1);
    struct ps_read r;

    ps_pipe_bytes(d, "in", "a", 1, "short", 5, 1);
    ps_pipe_bytes(d, "in", "\xff", 1, "12345678", 8, 1);
    ps_settle(d);
    assert_true(ps_read(d, "test-dead-letter", &r));
    assert_memory_equal(r.value, "short", 5);
    assert_string_equal(header_of(&r, "__streams.errors.exception"),
        "DecodeError");
    assert_string_equal(header_of(&r, "__streams.errors.topic"), "in");
    assert_true(ps_read(d, "test-dead-letter", &r));
    assert_int_equal(((const uint8_t *)r.key)[0], 0xff);
    assert_int_equal(ps_counter(d, "dead_lettered"), 2);
    ps_driver_free(d);
}

static void
test_a_task_may_stop(void **state)
{
    enum ps_on_error stop = PS_STOP;
    struct ps_driver *d = ps_driver_new(adding, &stop,
        &(struct ps_driver_opts){.keep_going = true});
    struct task_info info;

    ps_pipe(d, "in", "a", "1");
    ps_pipe(d, "in", "a", "-5");
    ps_pipe(d, "in", "a", "2");
    ps_settle(d);
    EXPECT(d, "sums-out", "a:1");
    assert_int_equal(ps_counter(d, "failed_tasks"), 1);
    engine_task_info(d->engine, 1, &info);
    assert_string_equal(info.name, "add_0");
    assert_string_equal(info.reason, "offset 1: 'add': it goes down by 5");
    assert_int_equal(info.lag, 2);           /* its offset stays before it */
    ps_driver_free(d);
}

static void
test_a_rejected_record_keeps_what_it_did(void **state)
{
    struct ps_driver *d = driver(adding, 1);
    struct ps_read r;

    ps_pipe(d, "in", "a", "3");
    ps_pipe(d, "in", "a", "0");
    ps_settle(d);
    EXPECT(d, "sums-out", "a:3", "a:3");
    assert_true(ps_read(d, "test-rejected", &r));
    assert_string_equal(header_of(&r, "penstock.reason"), "ZERO");
    assert_int_equal(ps_counter(d, "rejected"), 1);
    ps_driver_free(d);
}

static void
test_a_record_without_a_key_has_no_log(void **state)
{
    struct ps_driver *d = driver(adding, 1);
    struct ps_read r;

    ps_pipe(d, "in", NULL, "3");
    ps_settle(d);
    assert_true(ps_read(d, "test-dead-letter", &r));
    assert_string_equal(header_of(&r, "__streams.errors.message"),
        "'by-key': a record without a key");
    ps_driver_free(d);
}

/* ---- types -------------------------------------------------------------- */

/* The value says which mistake it makes. */
static int
blunder(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    Trade__Stock stock = TRADE__STOCK__INIT;
    const char *what = r->value;

    if (strcmp(what, "put") == 0)
        ps_put(c, 0, r->key, PS_MSG(&stock));
    else if (strcmp(what, "key") == 0)
        ps_get(c, 0, ps_i64(1));
    else if (strcmp(what, "slot") == 0)
        ps_get(c, 3, r->key);
    else if (strcmp(what, "forward") == 0)
        ps_forward(c, r->key, PS_MSG(&stock));
    else if (strcmp(what, "output") == 0)
        ps_forward_to(c, "nobody", r->key, ps_value(r));
    else if (strcmp(what, "sticky") == 0) {
        ps_put(c, 0, ps_null(), ps_null());
        ps_forward(c, r->key, ps_null());    /* does nothing any more */
        if (ps_error(c) == NULL)
            abort();
    }
    return PS_OK;                            /* as a careless callback does */
}

static const struct ps_processor blunderer = {
    .on = {blunder},
    .stores = {{"orders", &ps_string, ORDER}},
    .out = {.value = ORDER}};

static void
blundering(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "in", &ps_string);

    s = ps_repartition(s, "by-key", NULL);
    ps_to(ps_process(s, "blunder", &blunderer, NULL), "out", NULL);
}

static void
test_mistakes_of_the_code_are_told(void **state)
{
    static const struct {
        const char *what, *want;
    } cases[] = {
        {"put", "'blunder': orders takes trade.Order, and got trade.Stock"},
        {"key", "'blunder': orders takes string, and got int64"},
        {"slot", "'blunder': there is no store in slot 3"},
        {"forward", "'blunder': it sends trade.Stock, where the topology says "
            "trade.Order"},
        {"output", "'blunder': there is no output 'nobody' in .outs"},
        {"sticky", "'blunder': a null key for store 'orders'"},
    };
    struct ps_driver *d = driver(blundering, 1);
    struct ps_read r;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ps_pipe(d, "in", "a", cases[i].what);
        ps_settle(d);
        assert_true(ps_read(d, "test-dead-letter", &r));
        assert_string_equal(header_of(&r, "__streams.errors.message"),
            cases[i].want);
    }
    assert_int_equal(ps_count(d, "out", "{}"), 0);
    assert_int_equal(ps_view_size(d, "orders"), 0);
    ps_driver_free(d);
}

/* ---- ways out ----------------------------------------------------------- */

static int
share_out(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    ps_forward(c, r->key, ps_str("main"));
    ps_set_header(c, "made-by", "share", 5);
    ps_set_time(c, 4711);
    ps_forward_to(c, "left", r->key, ps_str("left"));
    return ps_forward_to(c, "right", ps_i64(9), ps_i64(10));
}

static const struct ps_processor sharer = {
    .on = {share_out},
    .out = {.value = &ps_string},
    .outs = {{"left", NULL, &ps_string}, {"right", &ps_int64, &ps_int64}}};

static const char *
by_value(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return strcmp(r->value, "none") == 0 ? NULL : r->value;
}

static bool
is_short(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return r->value_len < 5;
}

static int
counted(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    ++*(int *)conf;
    return PS_OK;
}

static int peeked;

static void
sharing(struct ps_topology *t, void *conf)
{
    struct ps_stream *s = ps_stream(t, "in", &ps_string), *rest, *p;

    p = ps_process(s, "share", &sharer, NULL);
    ps_to(p, "main", NULL);
    ps_to(ps_output(p, "left"), "left", NULL);
    ps_to(ps_output(p, "right"), "right", NULL);
    ps_to_named(s, "by-value", by_value, NULL, NULL);
    p = ps_branch(s, NULL, is_short, NULL, &rest);
    ps_to(p, "short", NULL);
    ps_to(rest, "long", NULL);
    ps_to(ps_peek(ps_merge(p, rest), NULL, counted, &peeked), "merged", NULL);
}

static void
test_all_ways_out(void **state)
{
    struct ps_driver *d = driver(sharing, 1);
    struct ps_read r;

    peeked = 0;
    ps_pipe_at(d, "in", "k", "abc", 5);
    ps_pipe_at(d, "in", "k", "abcdefg", 6);
    ps_pipe_at(d, "in", "k", "none", 7);
    ps_settle(d);
    EXPECT(d, "main", "k:main", "k:main", "k:main");
    EXPECT(d, "right", "9:10", "9:10", "9:10");
    EXPECT(d, "abc", "k:abc");
    EXPECT(d, "abcdefg", "k:abcdefg");
    EXPECT(d, "short", "k:abc", "k:none");
    EXPECT(d, "long", "k:abcdefg");
    EXPECT(d, "merged", "k:abc", "k:abcdefg", "k:none");
    assert_true(peeked >= 3);        /* more, if a run found no room */
    assert_true(ps_read(d, "left", &r));
    assert_int_equal(r.timestamp, 4711);
    assert_string_equal(header_of(&r, "made-by"), "share");
    ps_rewind(d, "main");
    assert_true(ps_read(d, "main", &r));
    assert_int_equal(r.timestamp, 5);
    assert_null(header_of(&r, "made-by"));
    ps_driver_free(d);
}

/* ---- headers and time --------------------------------------------------- */

static int
echo_header(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    size_t n;
    const struct ps_header *h = ps_headers(c, &n);

    return n != 1 ? ps_fail(c, "%zu headers", n)
        : ps_forward(c, r->key, ps_str(ps_printf(c, "%s=%.*s at %lld of %s/%d",
            h->name, (int)h->len, (const char *)h->value,
            (long long)ps_time(c), ps_topic(c), (int)r->input)));
}

static const struct ps_processor echoer = {
    .on = {echo_header, echo_header},
    .out = {.value = &ps_string}};

static int64_t
time_from_text(const struct ps_record *r, void *conf)
{
    return strtoll(r->value, NULL, 10);
}

static void
echoing(struct ps_topology *t, void *conf)
{
    struct ps_stream *a = ps_stream(t, "a", &ps_string),
                     *b = ps_stream(t, "b", &ps_string), *s;

    a = ps_event_time(a, time_from_text, NULL);
    s = ps_gather(t, "both", PS_FROM({a, NULL}, {b, NULL}));
    ps_to(ps_process(s, "echo", &echoer, NULL), "out", NULL);
}

static void
test_headers_and_event_time_travel(void **state)
{
    struct ps_driver *d = driver(echoing, 1);
    const struct port_header h = {span_str("who"), span_str("me")};

    memory_append(d->port, memory_topic(d->port, "a"), 0, 1, span_str("k"),
        span_str("123"), &h, 1);
    memory_append(d->port, memory_topic(d->port, "b"), 0, 200, span_str("k"),
        span_str("456"), &h, 1);
    memory_append(d->port, memory_topic(d->port, "a"), 0, 300, span_str("k"),
        span_str("-1"), &h, 1);
    ps_settle(d);
    EXPECT(d, "out", "k:who=me at 123 of test-both-repartition/0",
        "k:who=me at 200 of test-both-repartition/1");
    assert_int_equal(ps_counter(d, "dead_lettered"), 1);
    ps_driver_free(d);
}

/* ---- limits ------------------------------------------------------------- */

/* As many records of 10,000 bytes as the value says. */
static int
blow_up(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    static const char zeros[10000];
    int64_t n = *(int64_t *)r->value;

    for (int64_t i = 0; i < n; i++)
        ps_forward(c, r->key, ps_mem(zeros, sizeof zeros));
    return PS_OK;
}

static void
blowing(struct ps_topology *t, void *conf)
{
    ps_to(ps_flat_map(ps_stream(t, "in", &ps_int64), NULL, blow_up, NULL, NULL,
        &ps_bytes), "out", NULL);
}

static void
test_a_record_may_make_only_so_much(void **state)
{
    struct ps_driver *d = driver(blowing, 1);
    struct ps_read r;

    ps_pipe(d, "in", "a", "3");
    ps_pipe(d, "in", "a", "400");    /* 4 MB: fits, in a run of its own */
    ps_pipe(d, "in", "a", "500");    /* 5 MB: does not */
    ps_pipe(d, "in", "a", "4");
    ps_settle(d);
    assert_int_equal(ps_count(d, "out", "{}"), 407);
    assert_true(ps_read(d, "test-dead-letter", &r));
    assert_string_equal(header_of(&r, "__streams.errors.message"),
        "'out': this record makes more than 4194304 bytes of output and state");
    ps_driver_free(d);
}

/* ---- outside, pause ----------------------------------------------------- */

static const struct ps_processor mailer = {.on = {hand_on}, .outside = true};

static void
mailing(struct ps_topology *t, void *conf)
{
    ps_to(ps_process(ps_stream(t, "in", &ps_string), "mail", &mailer, NULL),
        "sent", &ps_string);
}

static void
test_effects_outside_wait_for_the_disk(void **state)
{
    struct port *port = memory_new(&(struct memory_opts){.seed = 1});
    const struct ps_app apps[] = {{"mail", mailing, NULL},
        {NULL, NULL, NULL}};
    struct engine *e;
    struct err err;

    assert_int_equal(engine_new(&(struct engine_opts){.port = port,
        .apps = apps}, &e, &err, NULL), 0);
    memory_append(port, memory_topic(port, "in"), 0, 1, span_str("k"),
        span_str("v"), NULL, 0);
    assert_false(engine_step(e, 0));         /* it is not published */
    memory_commit(port);
    assert_true(engine_step(e, 0));
    assert_false(engine_step(e, 0));
    engine_free(e);
    memory_free(port);
}

static void
test_pause_and_resume(void **state)
{
    struct port *port = memory_new(&(struct memory_opts){.seed = 1});
    const struct ps_app apps[] = {{"add", adding, NULL}, {NULL, NULL, NULL}};
    struct engine *e;
    struct task_info info;
    struct err err;

    assert_int_equal(engine_new(&(struct engine_opts){.port = port,
        .apps = apps, .threads = 1, .start_paused = true}, &e, &err, NULL), 0);
    memory_append(port, memory_topic(port, "in"), 0, 1, span_str("k"),
        span_of("\0\0\0\0\0\0\0\1", 8), NULL, 0);
    assert_false(engine_step(e, 0));
    assert_int_equal(engine_resume(e, "nobody"), -1);
    assert_int_equal(engine_resume(e, "add"), 0);
    assert_true(engine_step(e, 0));
    assert_int_equal(engine_pause(e, NULL), 0);
    assert_false(engine_step(e, 0));
    engine_task_info(e, 1, &info);
    assert_int_equal(info.state, TASK_PAUSED);
    assert_int_equal(info.lag, 1);
    assert_int_equal(engine_resume(e, NULL), 0);
    assert_true(engine_step(e, 0));
    assert_true(engine_is_idle(e));
    engine_free(e);
    memory_free(port);
}

static void
test_idle_is_when_all_stands_in_the_logs(void **state)
{
    struct port *port = memory_new(&(struct memory_opts){.delay = true});
    const struct ps_app apps[] = {{"add", adding, NULL}, {NULL, NULL, NULL}};
    struct engine *e;
    struct err err;

    assert_int_equal(engine_new(&(struct engine_opts){.port = port,
        .apps = apps}, &e, &err, NULL), 0);
    assert_true(engine_is_idle(e));
    memory_append(port, memory_topic(port, "in"), 0, 1, span_str("k"),
        span_of("\0\0\0\0\0\0\0\1", 8), NULL, 0);
    assert_false(engine_is_idle(e));
    assert_true(engine_step(e, 0));
    assert_false(engine_step(e, 0));
    assert_false(engine_is_idle(e));         /* it is on its way */
    memory_link(port);
    assert_true(engine_step(e, 0));
    memory_link(port);
    assert_true(engine_is_idle(e));
    engine_free(e);
    memory_free(port);
}

static void
test_another_topology_is_refused(void **state)
{
    struct port *port = memory_new(&(struct memory_opts){.seed = 1});
    const struct ps_app a[] = {{"app", adding, NULL}, {NULL, NULL, NULL}},
                        b[] = {{"app", blundering, NULL}, {NULL, NULL, NULL}};
    struct engine *e;
    struct err err;

    assert_int_equal(engine_new(&(struct engine_opts){.port = port,
        .apps = a}, &e, &err, NULL), 0);
    engine_free(e);
    assert_int_equal(engine_new(&(struct engine_opts){.port = port,
        .apps = b}, &e, &err, NULL), -1);
    assert_int_equal(err.code, ERR_FORMAT);
    assert_null(e);
    memory_free(port);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged_bytes_pass_through),
        cmocka_unit_test(test_a_topic_says_how_it_is_written),
        cmocka_unit_test(test_a_tombstone_passes),
        cmocka_unit_test(test_a_failed_record_drops_its_own_effects_only),
        cmocka_unit_test(test_bytes_that_cannot_be_decoded_are_dead_letters),
        cmocka_unit_test(test_a_task_may_stop),
        cmocka_unit_test(test_a_rejected_record_keeps_what_it_did),
        cmocka_unit_test(test_a_record_without_a_key_has_no_log),
        cmocka_unit_test(test_mistakes_of_the_code_are_told),
        cmocka_unit_test(test_all_ways_out),
        cmocka_unit_test(test_headers_and_event_time_travel),
        cmocka_unit_test(test_a_record_may_make_only_so_much),
        cmocka_unit_test(test_effects_outside_wait_for_the_disk),
        cmocka_unit_test(test_pause_and_resume),
        cmocka_unit_test(test_idle_is_when_all_stands_in_the_logs),
        cmocka_unit_test(test_another_topology_is_refused),
    };

    return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
