/*
 * local.c: topics, records and threads of the local port.
 *
 * Threads and cuts: a thread that is awake may be about to hand over a run
 * that belongs with what was just linked; the sequencer waits for it a
 * moment (seq_tasks_busy). So a thread counts as busy from the link that
 * wakes it until it sleeps again. A thread that stays awake without handing
 * anything over (an operator that sleeps) is left alone: what counts is when
 * a thread last moved.
 */
#include "config.h"

#include "port/local.h"

#include <errno.h>
#include <penstock/streams.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "port/local_priv.h"

enum { SYSTEM_BYTES_MAX = 64 * 1024 };

/* ---- records ---- */

static void
local_task_free(void *value, void *arg)
{
    (void)arg;
    store__task__free_unpacked(value, NULL);
}

static void
local_store_free(void *value, void *arg)
{
    (void)arg;
    store__store__free_unpacked(value, NULL);
}

static int
load_task(void *arg, struct span key, struct span value, struct err *err)
{
    struct local *l = arg;
    Store__Task *m = store__task__unpack(NULL, value.len, value.ptr);

    if (m == NULL)
        return err_set(err, ERR_DAMAGE, "the record of a task is no message");
    *omap_slot(&l->tasks, key) = m;
    return 0;
}

static int
load_store(void *arg, struct span key, struct span value, struct err *err)
{
    struct local *l = arg;
    Store__Store *m = store__store__unpack(NULL, value.len, value.ptr);

    if (m == NULL)
        return err_set(err, ERR_DAMAGE, "the record of a store is no message");
    if (m->number >= l->next_store)
        l->next_store = m->number + 1;
    *omap_slot(&l->stores, key) = m;
    return 0;
}

struct local_app *
local_app(struct local *l, const char *name)
{
    struct local_app *a = l->apps;

    while (a != NULL && strcmp(a->name, name) != 0)
        a = a->next;
    if (a == NULL) {
        a = xcalloc(1, sizeof *a);
        a->name = xstrdup(name);
        a->next = l->apps;
        l->apps = a;
    }
    return a;
}

static int
load_app(void *arg, struct span key, struct span value, struct err *err)
{
    struct local *l = arg;
    Store__App *m = store__app__unpack(NULL, value.len, value.ptr);
    char name[TOPIC_NAME_MAX + 1];
    struct local_app *a;

    if (m == NULL || key.len >= sizeof name) {
        store__app__free_unpacked(m, NULL);
        return err_set(err, ERR_DAMAGE, "the record of an application is no "
            "message");
    }
    memcpy(name, key.ptr, key.len);
    name[key.len] = '\0';
    a = local_app(l, name);
    a->paused = m->paused;
    a->why = m->why[0] == '\0' ? NULL : xstrdup(m->why);
    a->crashes = m->crashes;
    store__app__free_unpacked(m, NULL);
    return 0;
}

struct span
local_key(struct arena *arena, enum meta_kind kind, const char *app,
    const char *name)
{
    size_t a = strlen(app), n = name == NULL ? 0 : strlen(name) + 1;
    uint8_t *p = arena_alloc(arena, 1 + a + n);

    assert(p != NULL);
    p[0] = (uint8_t)kind;
    memcpy(p + 1, app, a);
    if (name != NULL) {
        p[1 + a] = '\0';
        memcpy(p + 2 + a, name, n - 1);
    }
    return span_of(p, 1 + a + n);
}

struct record_effect {
    struct effect effect;
    struct effect_op op[1];
    uint8_t bytes[];
};

static void
record_effect_release(struct effect *f)
{
    free(container_of(f, struct record_effect, effect));
}

static const struct effect_ops record_effect_ops = {
    .release = record_effect_release};

/* Room like anybody's, if there is some; else of what the system has of its
 * own, but only so much of it for each epoch. */
static bool
record_room(struct local *l, size_t bytes)
{
    uint64_t epoch = seq_open_epoch(l->seq);

    if (seq_reserve(l->seq, bytes))
        return true;
    if (l->system_epoch != epoch) {
        l->system_epoch = epoch;
        l->system_bytes = 0;
    }
    if (bytes > SYSTEM_BYTES_MAX - l->system_bytes)
        return false;
    l->system_bytes += bytes;
    seq_reserve_system(l->seq, bytes);
    return true;
}

/* Loop. */
int
local_link_record(struct local *l, struct span key, struct span value,
    struct err *err)
{
    struct record_effect *r = xcalloc(1, sizeof *r + key.len + value.len);

    memcpy(r->bytes, key.ptr, key.len);
    if (value.len > 0)
        memcpy(r->bytes + key.len, value.ptr, value.len);
    r->effect.magic = EFFECT_MAGIC;
    r->effect.ops = &record_effect_ops;
    r->effect.op = r->op;
    r->effect.n_ops = 1;
    r->op[0] = (struct effect_op){.kind = EFFECT_PUT,
        .key = span_of(r->bytes, key.len),
        .value = span_of(r->bytes + key.len, value.len)};
    r->effect.reserved = effect_cost(&r->effect);
    if (!record_room(l, r->effect.reserved)) {
        free(r);
        return err_set(err, ERR_LIMIT, "the journal has no room now for the "
            "record of an application or store");
    }
    seq_link(l->seq, &r->effect);
    return 0;
}

/* ---- applications ---- */

static int
local_app_put(struct local *l, const struct local_app *a, struct err *err)
{
    Store__App m = STORE__APP__INIT;
    struct arena arena;
    uint8_t *out;
    int rc;

    arena_init(&arena, 64 * KIB);
    m.paused = a->paused;
    if (a->why != NULL)
        m.why = a->why;
    m.crashes = a->crashes;
    out = arena_alloc(&arena, store__app__get_packed_size(&m) + 1);
    assert(out != NULL);
    rc = local_link_record(l, local_key(&arena, META_APP, a->name, NULL),
        span_of(out, store__app__pack(&m, out)), err);
    arena_release(&arena);
    return rc;
}

bool
local_app_paused(const struct local *l, const char *name, const char **why)
{
    const struct local_app *a = l->apps;

    while (a != NULL && strcmp(a->name, name) != 0)
        a = a->next;
    if (a == NULL)
        return false;
    if (why != NULL)
        *why = a->why;
    return a->paused;
}

int
local_app_set_paused(struct local *l, const char *name, bool paused,
    const char *why, struct err *err)
{
    struct local_app *a = local_app(l, name);

    a->paused = paused;
    free(a->why);
    a->why = why == NULL ? NULL : xstrdup(why);
    return local_app_put(l, a, err);
}

unsigned
local_app_crashes(const struct local *l, const char *name)
{
    const struct local_app *a = l->apps;

    while (a != NULL && strcmp(a->name, name) != 0)
        a = a->next;
    return a == NULL ? 0 : a->crashes;
}

void
local_app_set_crashes(struct local *l, const char *name, unsigned crashes)
{
    struct local_app *a = local_app(l, name);
    struct err err;

    if (a->crashes == crashes)
        return;
    a->crashes = crashes;
    if (local_app_put(l, a, &err) < 0)
        diag(WARN, TASK, "%s app=%s", err.text, name);
}

/* ---- topics ---- */

static int
topic_format(const struct topic *t)
{
    const char *s = topic_config_get(&t->config, "penstock.serde", NULL);

    return strcmp(s, "json") == 0 ? PS_FORMAT_JSON : PS_FORMAT_PLAIN;
}

/* Somebody linked to a partition that tasks read. Loop. */
static void
local_linked(struct topic *topic, int32_t partition)
{
    struct local_topic *lt = topic->reader;
    uint64_t bits;

    if (partition >= lt->pub.partitions)
        return; /* partitions that were added later are not read */
    bits = lt->readers[partition];
    for (unsigned i = 0; bits != 0; i++, bits >>= 1)
        if (bits & 1)
            lt->local->pub.ops->wake(&lt->local->pub, i);
}

void
local_keep_logs(struct local *l)
{
    l->keep_logs = true;
}

const struct topic_setting *
local_for_good(void)
{
    static char never[] = "-1";
    static struct topic_setting s;

    s = (struct topic_setting){
        config_def_find(span_str("retention.ms")), never};
    return &s;
}

static struct local_topic *
local_topic_new(struct local *l, struct topic *topic, enum port_kind kind)
{
    struct local_topic *lt = xcalloc(1, sizeof *lt);

    lt->local = l;
    lt->name = xstrdup(topic->name);
    lt->id = l->topic_count++;
    lt->kind = kind;
    lt->purge = kind == PORT_REPARTITION && topic->purge;
    lt->topic_id = topic->id;
    lt->pub.handle = lt;
    lt->pub.partitions = topic->partition_count;
    lt->pub.format = topic_format(topic);
    lt->tails = xcalloc((size_t)topic->partition_count,
        sizeof(struct tail *));
    lt->readers = xcalloc((size_t)topic->partition_count,
        sizeof *lt->readers);
    for (int32_t i = 0; i < topic->partition_count; i++)
        lt->tails[i] = tail_ref(topic->partitions[i]->tail);
    topic->reader = lt;
    topic->on_link = local_linked;
    lt->next = l->topic_list;
    l->topic_list = lt;
    return lt;
}

static int
topic_on_loop(struct local *l, const char *name, enum port_kind kind,
    int32_t partitions, struct port_topic *out, struct err *err)
{
    struct topic *t = topics_find(l->topics, span_str(name));
    struct topic_new n = {.name = span_str(name),
        .partitions = partitions > 0 ? partitions : l->partitions,
        .settings = local_for_good(),
        .setting_count = l->keep_logs ? 1 : 0,
        .internal = kind == PORT_REPARTITION,
        .purge = kind == PORT_REPARTITION && !l->keep_logs};
    struct local_topic *lt = l->topic_list;

    while (lt != NULL && strcmp(lt->name, name) != 0)
        lt = lt->next;
    if (lt != NULL && (t == NULL || t->reader == lt)) {
        *out = lt->pub;
        return 0;
    }
    if (t == NULL
        && topics_create(l->topics, &n, false, &t, err) != KERR_NONE)
        return -1;
    lock_take(&l->topic_lock);
    lt = local_topic_new(l, t, kind);
    lock_give(&l->topic_lock);
    *out = lt->pub;
    return 0;
}

/* From another thread: the loop does it, we wait. */
struct topic_call {
    struct seq_call call;
    struct local *local;
    const char *name;
    enum port_kind kind;
    int32_t partitions;
    struct port_topic *out;
    struct err *err;
    int rc;
    bool done;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
};

static void
topic_called(struct seq_call *call)
{
    struct topic_call *c = container_of(call, struct topic_call, call);
    int rc = topic_on_loop(c->local, c->name, c->kind, c->partitions, c->out,
        c->err);

    must(pthread_mutex_lock(&c->mutex));
    c->rc = rc;
    c->done = true;
    must(pthread_cond_signal(&c->cond));
    must(pthread_mutex_unlock(&c->mutex));
}

static int
local_topic_find(struct port *port, const char *name, enum port_kind kind,
    int32_t partitions, struct port_topic *out, struct err *err)
{
    struct local *l = local_of(port);
    struct topic_call c = {.local = l, .name = name, .kind = kind,
        .partitions = partitions, .out = out, .err = err};

    if (!topic_name_valid(span_str(name)))
        return err_set(err, ERR_USAGE, "'%s' is no name of a topic", name);
    if (pthread_equal(pthread_self(), l->loop))
        return topic_on_loop(l, name, kind, partitions, out, err);
    c.call.fn = topic_called;
    must(pthread_mutex_init(&c.mutex, NULL));
    must(pthread_cond_init(&c.cond, NULL));
    seq_post(l->seq, &c.call);
    must(pthread_mutex_lock(&c.mutex));
    while (!c.done)
        must(pthread_cond_wait(&c.cond, &c.mutex));
    must(pthread_mutex_unlock(&c.mutex));
    must(pthread_mutex_destroy(&c.mutex));
    must(pthread_cond_destroy(&c.cond));
    return c.rc;
}

/* ---- threads ---- */

static void
local_wait(struct port *port, unsigned thread, int64_t max_ms)
{
    struct local *l = local_of(port);
    struct local_thread *t = &l->threads[thread];
    struct timespec until;

    must(clock_gettime(CLOCK_MONOTONIC, &until));
    until.tv_sec += max_ms / 1000;
    until.tv_nsec += max_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    must(pthread_mutex_lock(&t->mutex));
    if (!t->signalled) {
        t->asleep = true;
        if (atomic_exchange(&t->seen, true))
            seq_tasks_busy(l->seq, -1);
        while (!t->signalled) {
            int rc = pthread_cond_timedwait(&t->cond, &t->mutex, &until);

            if (rc == ETIMEDOUT)
                break;
            assert(rc == 0);
        }
        if (t->asleep) { /* the time is up, nobody woke us */
            t->asleep = false;
            seq_tasks_busy(l->seq, 1);
        }
    }
    t->signalled = false;
    must(pthread_mutex_unlock(&t->mutex));
}

static void
local_wake(struct port *port, unsigned thread)
{
    struct local *l = local_of(port);
    struct local_thread *t = &l->threads[thread];

    must(pthread_mutex_lock(&t->mutex));
    if (!t->signalled) {
        t->signalled = true;
        if (t->asleep) {
            t->asleep = false;
            seq_tasks_busy(l->seq, 1);
            must(pthread_cond_signal(&t->cond));
        }
    }
    must(pthread_mutex_unlock(&t->mutex));
}

static int64_t
local_clock_ms(struct port *port)
{
    return seq_clock_ms(local_of(port)->seq);
}

/* ---- views ---- */

static const Store__Store *
local_store(struct local *l, const char *app, const char *store)
{
    struct arena arena;
    struct span key;
    const Store__Store *m;

    arena_init(&arena, 64 * KIB);
    key = local_key(&arena, META_STORE, app, store);
    m = omap_get(&l->stores, span_of(key.ptr + 1, key.len - 1));
    arena_release(&arena);
    return m;
}

unsigned
local_view_partitions(struct local *l, const char *app, const char *store)
{
    const Store__Store *m = local_store(l, app, store);

    return m == NULL ? 0 : m->partitions;
}

struct shelf *
local_view_shelf(struct local *l, const char *app, const char *store,
    unsigned partition)
{
    const Store__Store *m = local_store(l, app, store);

    assert(m != NULL);
    return state_shelf(seq_state(l->seq), m->number, partition);
}

bool
local_in_flight(const struct local *l)
{
    return atomic_load(&l->in_flight) > 0;
}

/* ---- life ---- */

static const struct port_ops local_ops = {
    .clock_ms = local_clock_ms,
    .topic = local_topic_find,
    .open = local_open,
    .close = local_close,
    .mark_failed = local_mark_failed,
    .poll = local_poll,
    .end = local_end,
    .get = local_get,
    .ahead = local_ahead,
    .scan = local_scan,
    .begin_run = local_begin_run,
    .emit = local_emit,
    .put = local_put,
    .end_run = local_end_run,
    .linked = local_task_linked,
    .wait = local_wait,
    .wake = local_wake};

int
local_load(struct local **out, struct seq *seq, struct topics *topics,
    unsigned threads, int32_t partitions, struct err *err)
{
    struct local *l = xcalloc(1, sizeof *l);
    pthread_condattr_t attr;

    assert(threads > 0 && threads <= 64);
    l->pub.ops = &local_ops;
    l->pub.world = seq_world(seq);
    l->seq = seq;
    l->topics = topics;
    l->loop = pthread_self();
    l->partitions = partitions;
    l->thread_count = threads;
    l->threads = xcalloc(threads, sizeof *l->threads);
    l->next_store = 1;
    lock_init(&l->topic_lock);
    omap_init(&l->tasks);
    omap_init(&l->stores);
    must(pthread_condattr_init(&attr));
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    for (unsigned i = 0; i < threads; i++) {
        must(pthread_mutex_init(&l->threads[i].mutex, NULL));
        must(pthread_cond_init(&l->threads[i].cond, &attr));
    }
    must(pthread_condattr_destroy(&attr));
    if (seq_records(seq, META_TASK, load_task, l, err) != 0
        || seq_records(seq, META_STORE, load_store, l, err) != 0
        || seq_records(seq, META_APP, load_app, l, err) != 0) {
        local_free(l);
        return -1;
    }
    *out = l;
    return 0;
}

struct port *
local_port(struct local *l)
{
    return &l->pub;
}

static void
local_free_topics(struct local *l)
{
    struct local_topic *lt;

    while ((lt = l->topic_list) != NULL) {
        struct topic *t = topics_find(l->topics, span_str(lt->name));

        l->topic_list = lt->next;
        if (t != NULL && t->reader == lt) {
            t->reader = NULL;
            t->on_link = NULL;
        }
        for (int32_t i = 0; i < lt->pub.partitions; i++)
            tail_unref(lt->tails[i]);
        free(lt->tails);
        free(lt->readers);
        free(lt->name);
        free(lt);
    }
}

void
local_free(struct local *l)
{
    struct local_app *a;

    if (l == NULL)
        return;
    local_free_topics(l);
    while ((a = l->apps) != NULL) {
        l->apps = a->next;
        free(a->name);
        free(a->why);
        free(a);
    }
    omap_release(&l->tasks, local_task_free, NULL);
    omap_release(&l->stores, local_store_free, NULL);
    for (unsigned i = 0; i < l->thread_count; i++) {
        must(pthread_mutex_destroy(&l->threads[i].mutex));
        must(pthread_cond_destroy(&l->threads[i].cond));
    }
    free(l->threads);
    lock_release(&l->topic_lock);
    free(l);
}
