/* gate.c: whose turn it is to write a gathered log, task by task. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "port/memory.h"
#include "task/task_priv.h"

static int
pass_on(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    return ps_forward(c, r->key, ps_value(r));
}

static const struct ps_processor passer = {.on = {pass_on, pass_on},
    .out = {NULL, &ps_string, &ps_string}};

static void
build(struct ps_topology *t, void *conf)
{
    struct ps_stream *a = ps_stream(t, "a", &ps_string);
    struct ps_stream *b = ps_stream(t, "b", &ps_string);

    a = ps_gather(t, "both", PS_FROM({a, NULL}, {b, NULL}));
    ps_to(ps_process(a, "pass", &passer, NULL), "out", &ps_string);
}

static const struct ps_app apps[] = {{"gated", build, NULL}, {NULL}};

struct fixture {
    struct port *port;
    struct engine *engine;
    unsigned a, b;               /* the tasks that read them */
};

static unsigned
reader_of(const struct engine *e, const char *topic)
{
    for (unsigned i = 0; i < e->task_count; i++)
        if (strcmp(e->tasks[i]->inputs[0].source->topic, topic) == 0)
            return i;
    fail_msg("nobody reads %s", topic);
    return 0;
}

static void
feed(struct fixture *f, const char *topic, int64_t timestamp)
{
    memory_append(f->port, memory_topic(f->port, topic), 0, timestamp,
        span_str("k"), span_str(topic), NULL, 0);
}

static int
open_engine(void **state)
{
    static struct fixture f;
    struct err err;

    f.port = memory_new(&(struct memory_opts){.partitions = 1, .seed = 1});
    if (engine_new(&(struct engine_opts){.port = f.port, .apps = apps,
            .threads = 1}, &f.engine, &err, NULL) != 0)
        fail_msg("%s", err.text);
    f.a = reader_of(f.engine, "a");
    f.b = reader_of(f.engine, "b");
    *state = &f;
    return 0;
}

static int
close_engine(void **state)
{
    struct fixture *f = *state;

    engine_free(f->engine);
    memory_free(f->port);
    return 0;
}

static struct task *
task_of(const struct fixture *f, unsigned i)
{
    return f->engine->tasks[i];
}

/* Records that task i has taken. */
static uint64_t
taken(const struct fixture *f, unsigned i)
{
    return atomic_load(&task_of(f, i)->stats.in);
}

/* All tasks of an application pause one after another, and resume so. The
 * first to resume must not run ahead of one that is paused still. */
static void
test_a_paused_head_holds_the_gate(void **state)
{
    struct fixture *f = *state;

    feed(f, "a", 20);
    feed(f, "b", 10);
    atomic_store(&task_of(f, f->b)->state, TASK_PAUSED);
    assert_false(engine_step_task(f->engine, f->a));
    assert_int_equal(taken(f, f->a), 0);
    assert_true(task_of(f, f->a)->blocked);

    atomic_store(&task_of(f, f->b)->state, TASK_RUNNING);
    assert_true(engine_step_task(f->engine, f->b));
    assert_int_equal(taken(f, f->b), 1);
    assert_true(engine_step_task(f->engine, f->a));
    assert_int_equal(taken(f, f->a), 1);
}

/* The same for one that was paused with a record polled and not taken. */
static void
test_a_polled_head_is_kept(void **state)
{
    struct fixture *f = *state;

    feed(f, "a", 10);
    feed(f, "b", 20);
    assert_false(engine_step_task(f->engine, f->b));     /* polls */
    assert_int_equal(task_head(task_of(f, f->b)), 20);
    engine_pause(f->engine, "gated");
    assert_int_equal(task_head(task_of(f, f->b)), 20);
    atomic_store(&task_of(f, f->a)->state, TASK_RUNNING);
    assert_true(engine_step_task(f->engine, f->a));      /* 10 may go */
    feed(f, "a", 30);
    assert_false(engine_step_task(f->engine, f->a));     /* 30 may not */
    engine_resume(f->engine, "gated");
    assert_true(engine_step_task(f->engine, f->b));
    assert_true(engine_step_task(f->engine, f->a));
}

/* Nothing will come of a task that has failed, so nobody waits for it. */
static void
test_a_failed_task_has_no_head(void **state)
{
    struct fixture *f = *state;

    feed(f, "a", 20);
    feed(f, "b", 10);
    atomic_store(&task_of(f, f->b)->state, TASK_FAILED);
    assert_true(task_head(task_of(f, f->b)) == TIME_NONE);
    assert_true(engine_step_task(f->engine, f->a));
    assert_int_equal(taken(f, f->a), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_paused_head_holds_the_gate,
            open_engine, close_engine),
        cmocka_unit_test_setup_teardown(test_a_polled_head_is_kept,
            open_engine, close_engine),
        cmocka_unit_test_setup_teardown(test_a_failed_task_has_no_head,
            open_engine, close_engine),
    };

    return cmocka_run_group_tests_name("streams/gate", tests, NULL, NULL);
}
