/*
 * The engine with several threads: the port in memory behind one lock. Run
 * under ThreadSanitizer it says whether tasks share what they should not.
 */
#include "config.h"

#include "tests/unit/streams/fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "port/memory.h"
#include "task/engine.h"

enum { THREADS = 3, PARTITIONS = 4, RECORDS = 20000, KEYS = 50 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct port_ops *inner;
static struct port *memory;

#define LOCKED(call)                                                           \
    do {                                                                       \
        must(pthread_mutex_lock(&lock));                                       \
        call;                                                                  \
        must(pthread_mutex_unlock(&lock));                                     \
    } while (0)

static int64_t
l_clock_ms(struct port *p)
{
    int64_t r;

    LOCKED(r = inner->clock_ms(memory));
    return r;
}

static int
l_topic(struct port *p, const char *name, enum port_kind kind,
    int32_t partitions, struct port_topic *out, struct err *err)
{
    int r;

    LOCKED(r = inner->topic(memory, name, kind, partitions, out, err));
    return r;
}

static int
l_open(struct port *p, const struct port_task_spec *spec,
    struct port_task **out, struct err *err)
{
    int r;

    LOCKED(r = inner->open(memory, spec, out, err));
    return r;
}

static void
l_close(struct port_task *t)
{
    LOCKED(inner->close(t));
}

static void
l_mark_failed(struct port_task *t, const char *reason)
{
    LOCKED(inner->mark_failed(t, reason));
}

static enum port_status
l_poll(struct port_task *t, unsigned input, int64_t offset, unsigned max,
    struct port_record *out, unsigned *count, int64_t *next, struct err *err)
{
    enum port_status r;

    LOCKED(r = inner->poll(t, input, offset, max, out, count, next, err));
    return r;
}

static int64_t
l_end(struct port_task *t, unsigned input)
{
    int64_t r;

    LOCKED(r = inner->end(t, input));
    return r;
}

static uint64_t
l_linked(struct port_task *t)
{
    uint64_t r;

    LOCKED(r = inner->linked(t));
    return r;
}

static enum port_status
l_get(struct port_task *t, unsigned store, struct span key, struct arena *a,
    struct span *value, struct err *err)
{
    enum port_status r;

    LOCKED(r = inner->get(t, store, key, a, value, err));
    return r;
}

static enum port_status
l_scan(struct port_task *t, unsigned store, struct span from, struct span to,
    port_scan_fn fn, void *arg, struct err *err)
{
    enum port_status r;

    LOCKED(r = inner->scan(t, store, from, to, fn, arg, err));
    return r;
}

static enum port_status
l_begin_run(struct port_task *t, size_t bytes, struct err *err)
{
    enum port_status r;

    LOCKED(r = inner->begin_run(t, bytes, err));
    return r;
}

static void
l_emit(struct port_task *t, const struct port_out *o)
{
    LOCKED(inner->emit(t, o));
}

static void
l_put(struct port_task *t, unsigned store, struct span key, struct span value)
{
    LOCKED(inner->put(t, store, key, value));
}

static void
l_end_run(struct port_task *t, const struct port_run *run)
{
    LOCKED(inner->end_run(t, run));
}

static void
l_wait(struct port *p, unsigned thread, int64_t max_ms)
{
    sched_yield();
}

static const struct port_ops locked_ops = {l_clock_ms, l_topic, l_open,
    l_close, l_mark_failed, l_poll, l_end, l_linked, l_get, l_scan,
    l_begin_run, l_emit, l_put, l_end_run, l_wait, NULL};

/* ---- the application ---------------------------------------------------- */

static int
add_one(struct ps_ctx *c, const struct ps_record *r, void *conf)
{
    int64_t *n = ps_get(c, 0, r->key);

    ps_timer_at(c, PS_CLOCK, ps_clock(c), r->key);
    ps_put(c, 0, r->key, ps_i64(n == NULL ? 1 : *n + 1));
    return ps_forward(c, r->key, ps_value(r));
}

static int
on_timer(struct ps_ctx *c, const struct ps_timer *timer, void *conf)
{
    return PS_OK;
}

static const struct ps_processor counter = {
    .on = {add_one, add_one},
    .on_timer = on_timer,
    .stores = {{"counts", &ps_string, &ps_int64}}};

static void
counting(struct ps_topology *t, void *conf)
{
    struct ps_stream *a = ps_stream(t, "a", &ps_string),
                     *b = ps_stream(t, "b", &ps_string);

    a = ps_repartition(a, "again", NULL);
    a = ps_gather(t, "both", PS_FROM({a, NULL}, {b, NULL}));
    ps_to(ps_process(a, "count", &counter, NULL), "out", &ps_string);
}

struct worker {
    struct engine *engine;
    unsigned number;
};

static void *
work(void *arg)
{
    struct worker *w = arg;

    engine_thread(w->engine, w->number);
    return NULL;
}

static void
append_all(void)
{
    char key[16];

    for (int i = 0; i < RECORDS; i++) {
        snprintf(key, sizeof key, "k%d", i % KEYS);
        LOCKED(memory_append(memory, memory_topic(memory, i % 3 == 0 ? "b" :
            "a"), i % PARTITIONS, i, span_str(key), span_str("v"), NULL, 0));
    }
}

static void
test_threads_lose_nothing(void **state)
{
    const struct ps_app apps[] = {{"t", counting, NULL}, {NULL, NULL, NULL}};
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    struct task_info info;
    struct port port;
    struct engine *e;
    struct err err;
    int64_t sum = 0;
    bool idle = false;

    memory = memory_new(&(struct memory_opts){.partitions = PARTITIONS,
        .seed = 1});
    inner = memory->ops;
    port = (struct port){&locked_ops, memory->world};
    assert_int_equal(engine_new(&(struct engine_opts){.port = &port,
        .apps = apps, .threads = THREADS}, &e, &err, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){e, i};
        must(pthread_create(&threads[i], NULL, work, &workers[i]));
    }
    append_all();
    while (!idle) {
        idle = engine_is_idle(e);
        sched_yield();
    }
    engine_stop(e);
    for (unsigned i = 0; i < THREADS; i++)
        must(pthread_join(threads[i], NULL));
    memory_commit(memory);
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        bool known;
        struct span v;

        snprintf(key, sizeof key, "k%d", i);
        v = memory_view(memory, "counts", span_str(key), &known);
        assert_int_equal(v.len, 8);
        for (int b = 0; b < 8; b++)
            sum += (int64_t)v.ptr[b] << (56 - 8 * b);
    }
    assert_int_equal(sum, RECORDS);
    assert_int_equal(memory_view_size(memory, "count.timers"), 0);
    for (unsigned i = 0; i < engine_task_count(e); i++) {
        engine_task_info(e, i, &info);
        assert_int_equal(info.lag, 0);
        assert_int_equal(info.dead_lettered, 0);
    }
    engine_free(e);
    memory_free(memory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_lose_nothing),
    };

    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
