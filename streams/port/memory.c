/*
 * memory.c: the log in memory, for the driver.
 *
 *  1. A log is an array of records; [0, committed) is published, the rest
 *     is the open epoch.
 *  2. A store's entry has a newest value and, while it is dirty, the
 *     committed one beside it. Dirty entries stand in one list.
 *  3. A task has its newest state and the committed one.
 *  4. commit makes newest = committed everywhere at once; crash the reverse.
 *     Since one thread does all, every state between two calls is a cut.
 *  5. With `delay`, records of a run stay in flight until they are linked, as
 *     in a log whose sequencer is another thread. A commit links all first.
 *  6. What a run hands over fits what it reserved: asserted, so that the
 *     engine's account is checked by every test.
 */
#include "config.h"

#include "port/memory_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/seeded.h"

/* ---- the world ---------------------------------------------------------- */

/* splitmix64, as published by Vigna: enough to draw lots. */
static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int64_t
still_ns(struct world *w)
{
    struct mport *p = w->arg;

    return p->opts.real_time ? world_mono_ns(world_real()) : 0;
}

static int64_t
virtual_ms(struct world *w)
{
    struct mport *p = w->arg;

    return p->clock_ms;
}

static void
seeded_random(struct world *w, void *out, size_t n)
{
    struct mport *p = w->arg;

    for (size_t i = 0; i < n; i++)
        ((uint8_t *)out)[i] = (uint8_t)draw(&p->rng);
}

static const struct world_ops world_ops = {
    .mono_ns = still_ns, .wall_ms = virtual_ms, .random = seeded_random};

static int64_t
memory_clock_ms(struct port *port)
{
    return mport_of(port)->clock_ms;
}

/* ---- topics and logs ---------------------------------------------------- */

static struct mtopic *
topic_new(struct mport *p, const char *name, enum port_kind kind,
    int32_t partitions)
{
    struct mtopic *t = xcalloc(1, sizeof *t);

    t->name = xstrdup(name);
    t->kind = kind;
    t->pub.handle = t;
    t->pub.partitions = partitions > 0 ? partitions : p->opts.partitions;
    t->logs = xcalloc((size_t)t->pub.partitions, sizeof *t->logs);
    t->next = p->topics;
    p->topics = t;
    table_put(&p->topics_by_name, span_str(t->name), t);
    return t;
}

static int
memory_topic_find(struct port *port, const char *name, enum port_kind kind,
    int32_t partitions, struct port_topic *out, struct err *err)
{
    struct mport *p = mport_of(port);
    struct mtopic *t = table_get(&p->topics_by_name, span_str(name));

    if (name[0] == '\0' || strlen(name) > TOPIC_NAME_MAX)
        return err_set(err, ERR_USAGE, "'%s' is no name of a topic", name);
    if (t == NULL)
        t = topic_new(p, name, kind, partitions);
    *out = t->pub;
    return 0;
}

struct mlog *
memory_log(const struct port_topic *topic, int32_t partition)
{
    struct mtopic *t = topic->handle;

    assert(partition >= 0);
    assert(partition < t->pub.partitions);
    return &t->logs[partition];
}

static uint8_t *
copy_to(uint8_t *pos, struct span from, struct span *to)
{
    *to = from;
    if (from.ptr == NULL)
        return pos;
    to->ptr = pos;
    if (from.len > 0)
        memcpy(pos, from.ptr, from.len);
    return pos + from.len;
}

/* One allocation: the record, its headers, their bytes. */
static struct memory_record *
record_new(struct span key, struct span value,
    const struct port_header *headers, unsigned count)
{
    size_t size = sizeof(struct memory_record) + count * sizeof *headers +
        key.len + value.len;
    struct memory_record *m;
    struct port_header *copies;
    uint8_t *pos;

    for (unsigned i = 0; i < count; i++)
        size += headers[i].name.len + headers[i].value.len;
    m = xcalloc(1, size);
    copies = (struct port_header *)(void *)(m + 1);
    pos = (uint8_t *)(copies + count);
    pos = copy_to(pos, key, &m->r.key);
    pos = copy_to(pos, value, &m->r.value);
    for (unsigned i = 0; i < count; i++) {
        pos = copy_to(pos, headers[i].name, &copies[i].name);
        pos = copy_to(pos, headers[i].value, &copies[i].value);
    }
    m->r.headers = copies;
    m->r.header_count = count;
    return m;
}

static void
log_append(struct mport *p, struct mlog *l, struct memory_record *m)
{
    if (l->count == l->room) {
        l->room = l->room == 0 ? 64 : l->room * 2;
        l->records = xrealloc(l->records, l->room * sizeof(void *));
    }
    m->r.offset = (int64_t)l->count;
    m->serial = ++p->serial;
    l->records[l->count++] = m;
    p->dirty = true;
}

void
memory_append(struct port *port, const struct port_topic *topic,
    int32_t partition, int64_t timestamp, struct span key, struct span value,
    const struct port_header *headers, unsigned header_count)
{
    struct memory_record *m = record_new(key, value, headers, header_count);

    m->r.timestamp = timestamp;
    m->partition = partition;
    log_append(mport_of(port), memory_log(topic, partition), m);
}

/* ---- records on their way into a log ------------------------------------ */

static void
flight_add(struct mport *p, struct mtask *t, const struct port_out *o)
{
    struct mflight *f = xcalloc(1, sizeof *f);

    f->topic = o->topic->handle;
    f->task = t;
    f->run = t->newest.run + 1;
    f->record = record_new(o->key, o->value, o->headers, o->header_count);
    f->record->r.timestamp = o->timestamp;
    f->record->partition = o->partition;
    *p->flying_last = f;
    p->flying_last = &f->next;
}

/* Takes all off; keep: into their logs. */
static void
flights_end(struct mport *p, bool keep)
{
    struct mflight *f = p->flying, *next;

    p->flying = NULL;
    p->flying_last = &p->flying;
    for (; f != NULL; f = next) {
        next = f->next;
        if (keep)
            log_append(p, memory_log(&f->topic->pub, f->record->partition),
                f->record);
        else
            free(f->record);
        free(f);
    }
    for (struct mtask *t = p->tasks; t != NULL; t = t->next)
        t->linked = t->newest.run;
}

void
memory_link(struct port *port)
{
    flights_end(mport_of(port), true);
}

static uint64_t
memory_linked(struct port_task *task)
{
    return mtask_of(task)->linked;
}

void
memory_set_format(struct port *port, const char *topic, int format)
{
    struct mport *p = mport_of(port);
    struct mtopic *t = table_get(&p->topics_by_name, span_str(topic));

    if (t == NULL)
        t = topic_new(p, topic, PORT_TOPIC, 0);
    t->pub.format = format;
}

/* ---- tasks -------------------------------------------------------------- */

static struct mtask *
task_find(struct mport *p, const char *id)
{
    struct mtask *t = p->tasks;

    while (t != NULL && strcmp(t->id, id) != 0)
        t = t->next;
    return t;
}

static struct mstore *
store_find(struct mport *p, struct mtask *task, const char *name)
{
    struct mstore *s;

    for (s = p->stores; s != NULL; s = s->next) {
        if (s->task == task && strcmp(s->name, name) == 0)
            return s;
    }
    s = xcalloc(1, sizeof *s);
    s->name = xstrdup(name);
    s->task = task;
    omap_init(&s->entries);
    s->next = p->stores;
    p->stores = s;
    return s;
}

static int
memory_open(struct port *port, const struct port_task_spec *spec,
    struct port_task **out, struct err *err)
{
    struct mport *p = mport_of(port);
    struct mtask *t;
    char id[600];

    snprintf(id, sizeof id, "%s/%s", spec->app, spec->name);
    t = task_find(p, id);
    if (t == NULL) {
        t = xcalloc(1, sizeof *t);
        t->id = xstrdup(id);
        t->fingerprint = spec->fingerprint;
        t->next = p->tasks;
        p->tasks = t;
    }
    if (t->fingerprint != spec->fingerprint)
        return err_set(err, ERR_FORMAT, "the topology of '%s' is not the one "
            "that made its state: reset it", spec->app);
    assert(!t->is_open);
    assert(spec->input_count <= PORT_INPUTS_MAX);
    t->is_open = true;
    t->in_run = false;
    t->input_count = spec->input_count;
    memcpy(t->inputs, spec->inputs, spec->input_count * sizeof *t->inputs);
    t->stores = xcalloc(spec->store_count + 1, sizeof *t->stores);
    t->store_count = spec->store_count;
    for (unsigned i = 0; i < spec->store_count; i++)
        t->stores[i] = store_find(p, t, spec->stores[i]);
    t->pub.port = port;
    memcpy(t->pub.offsets, t->newest.offsets, sizeof t->pub.offsets);
    for (unsigned i = 0; seeded("run-twice") && i < t->input_count; i++)
        t->pub.offsets[i] -= t->pub.offsets[i] > 0;
    memcpy(t->pub.blob, t->newest.blob, sizeof t->pub.blob);
    t->pub.blob_len = t->newest.blob_len;
    t->pub.run = t->newest.run;
    *out = &t->pub;
    return 0;
}

static void
memory_close(struct port_task *task)
{
    struct mtask *t;

    if (task == NULL)
        return;
    t = mtask_of(task);
    assert(t->is_open);
    t->is_open = false;
    free(t->stores);
    t->stores = NULL;
    free(t->failed);
    t->failed = NULL;
}

static void
memory_mark_failed(struct port_task *task, const char *reason)
{
    struct mtask *t = mtask_of(task);

    free(t->failed);
    t->failed = xstrdup(reason);
}

static int64_t
memory_end(struct port_task *task, unsigned input)
{
    const struct port_input *in = &mtask_of(task)->inputs[input];
    const struct mlog *l = memory_log(in->topic, in->partition);

    return (int64_t)(in->published ? l->committed : l->count);
}

static enum port_status
memory_poll(struct port_task *task, unsigned input, int64_t offset,
    unsigned max, struct port_record *out, unsigned *count, int64_t *next,
    struct err *err)
{
    const struct port_input *in = &mtask_of(task)->inputs[input];
    const struct mlog *l = memory_log(in->topic, in->partition);
    int64_t end = memory_end(task, input);

    *count = 0;
    for (; offset < end && *count < max; offset++)
        out[(*count)++] = l->records[offset]->r;
    *next = offset;
    return PORT_OK;
}

/* ---- state -------------------------------------------------------------- */

static enum port_status
memory_get(struct port_task *task, unsigned store, struct span key,
    struct arena *arena, struct span *value, struct err *err)
{
    struct mtask *t = mtask_of(task);
    const struct mentry *e;

    assert(store < t->store_count);
    e = omap_get(&t->stores[store]->entries, key);
    *value = e == NULL ? SPAN_NULL : e->newest;
    return PORT_OK;
}

static enum port_status
memory_scan(struct port_task *task, unsigned store, struct span from,
    struct span to, port_scan_fn fn, void *arg, struct err *err)
{
    struct mtask *t = mtask_of(task);
    struct omap_iter it;
    struct span key;
    void *value;

    assert(store < t->store_count);
    omap_seek(&t->stores[store]->entries, from, &it);
    while (omap_next(&it, &key, &value)) {
        const struct mentry *e = value;

        if (to.ptr != NULL && span_cmp(key, to) >= 0)
            break;
        if (e->newest.ptr != NULL && fn(arg, key, e->newest) != 0)
            break;
    }
    return PORT_OK;
}

static struct span
span_dup(struct span s)
{
    uint8_t *copy;

    if (s.ptr == NULL)
        return SPAN_NULL;
    copy = xmalloc(s.len + 1);       /* never NULL, even for no bytes */
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return span_of(copy, s.len);
}

static void
span_free(struct span s)
{
    void *p;

    memcpy(&p, &s.ptr, sizeof p);
    free(p);
}

static void
entry_set(struct mport *p, struct mstore *s, struct span key,
    struct span value)
{
    struct mentry *e = omap_get(&s->entries, key);

    if (e == NULL) {
        e = xcalloc(1, sizeof *e);
        e->key = span_dup(key);
        e->store = s;
        *omap_slot(&s->entries, key) = e;
    }
    if (e->dirty) {
        span_free(e->newest);
    } else {
        e->old = e->newest;
        e->dirty = true;
        e->next_dirty = p->dirty_entries;
        p->dirty_entries = e;
    }
    e->newest = span_dup(value);
}

/* ---- runs --------------------------------------------------------------- */

static enum port_status
memory_begin_run(struct port_task *task, size_t bytes, struct err *err)
{
    struct mtask *t = mtask_of(task);
    struct mport *p = mport_of(task->port);

    assert(t->is_open);
    assert(!t->in_run);
    assert(bytes <= PORT_RUN_BYTES_MAX);
    if (p->opts.again_percent > 0 && draw(&p->rng) % 100 <
        p->opts.again_percent)
        return PORT_AGAIN;
    t->in_run = true;
    t->room = bytes;
    return PORT_OK;
}

static void
take_room(struct mtask *t, size_t bytes)
{
    assert(t->in_run);
    bytes += PORT_ENTRY_BYTES;
    assert(bytes <= t->room);
    t->room -= bytes;
}

static void
memory_emit(struct port_task *task, const struct port_out *o)
{
    struct mtask *t = mtask_of(task);
    size_t bytes = o->key.len + o->value.len;

    for (unsigned i = 0; i < o->header_count; i++)
        bytes += o->headers[i].name.len + o->headers[i].value.len;
    take_room(t, bytes);
    if (mport_of(task->port)->opts.delay)
        flight_add(mport_of(task->port), t, o);
    else
        memory_append(task->port, o->topic, o->partition, o->timestamp,
            o->key, o->value, o->headers, o->header_count);
}

static void
memory_put(struct port_task *task, unsigned store, struct span key,
    struct span value)
{
    struct mtask *t = mtask_of(task);

    assert(store < t->store_count);
    take_room(t, key.len + value.len);
    entry_set(mport_of(task->port), t->stores[store], key, value);
}

static void
memory_end_run(struct port_task *task, const struct port_run *run)
{
    struct mtask *t = mtask_of(task);
    struct mstate *s = &t->newest;

    assert(t->in_run);
    assert(run->number == s->run + 1);
    assert(run->blob.len <= PORT_BLOB_MAX);
    for (unsigned i = 0; i < t->input_count; i++) {
        assert(run->offsets[i] >= s->offsets[i]);
        assert(run->offsets[i] <= memory_end(task, i));
        if (!seeded("forget-offset"))
            s->offsets[i] = run->offsets[i];
    }
    s->run = run->number;
    s->blob_len = run->blob.len;
    if (run->blob.len > 0)
        memcpy(s->blob, run->blob.ptr, run->blob.len);
    t->in_run = false;
    if (!mport_of(task->port)->opts.delay)
        t->linked = s->run;
    mport_of(task->port)->dirty = true;
}

/* ---- epochs ------------------------------------------------------------- */

static void
entries_settle(struct mport *p, bool keep)
{
    struct mentry *e = p->dirty_entries, *next;

    for (p->dirty_entries = NULL; e != NULL; e = next) {
        next = e->next_dirty;
        e->dirty = false;
        span_free(keep ? e->old : e->newest);
        if (!keep)
            e->newest = e->old;
        e->old = SPAN_NULL;
        if (e->newest.ptr == NULL) {
            omap_del(&e->store->entries, e->key);
            span_free(e->key);
            free(e);
        }
    }
}

bool
memory_dirty(struct port *port)
{
    return mport_of(port)->dirty;
}

void
memory_commit(struct port *port)
{
    struct mport *p = mport_of(port);

    flights_end(p, true);
    for (struct mtopic *t = p->topics; t != NULL; t = t->next) {
        for (int32_t i = 0; i < t->pub.partitions; i++)
            t->logs[i].committed = t->logs[i].count;
    }
    entries_settle(p, true);
    for (struct mtask *t = p->tasks; t != NULL; t = t->next) {
        assert(!t->in_run);
        t->old = t->newest;
    }
    p->dirty = false;
}

void
memory_crash(struct port *port)
{
    struct mport *p = mport_of(port);

    for (struct mtopic *t = p->topics; t != NULL; t = t->next) {
        for (int32_t i = 0; i < t->pub.partitions; i++) {
            struct mlog *l = &t->logs[i];

            while (l->count > l->committed)
                free(l->records[--l->count]);
        }
    }
    entries_settle(p, false);
    for (struct mtask *t = p->tasks; t != NULL; t = t->next) {
        assert(!t->is_open);
        t->newest = t->old;
    }
    flights_end(p, false);
    p->dirty = false;
}

void
memory_advance(struct port *port, int64_t ms)
{
    assert(ms >= 0);
    mport_of(port)->clock_ms += ms;
}

/* ---- life --------------------------------------------------------------- */

static const struct port_ops memory_ops = {
    .clock_ms = memory_clock_ms,
    .topic = memory_topic_find,
    .open = memory_open,
    .close = memory_close,
    .mark_failed = memory_mark_failed,
    .poll = memory_poll,
    .end = memory_end,
    .linked = memory_linked,
    .get = memory_get,
    .scan = memory_scan,
    .begin_run = memory_begin_run,
    .emit = memory_emit,
    .put = memory_put,
    .end_run = memory_end_run,
};

struct port *
memory_new(const struct memory_opts *opts)
{
    struct mport *p = xcalloc(1, sizeof *p);

    p->opts = *opts;
    if (p->opts.partitions == 0)
        p->opts.partitions = 1;
    p->rng = opts->seed;
    p->clock_ms = opts->clock_ms;
    p->world = (struct world){&world_ops, p};
    p->pub = (struct port){&memory_ops, &p->world};
    p->flying_last = &p->flying;
    table_init(&p->topics_by_name);
    return &p->pub;
}

static void
entry_free(void *value, void *arg)
{
    struct mentry *e = value;

    span_free(e->key);
    span_free(e->newest);
    span_free(e->old);
    free(e);
}

static void
topics_free(struct mport *p)
{
    while (p->topics != NULL) {
        struct mtopic *t = p->topics;

        p->topics = t->next;
        for (int32_t i = 0; i < t->pub.partitions; i++) {
            for (size_t n = 0; n < t->logs[i].count; n++)
                free(t->logs[i].records[n]);
            free(t->logs[i].records);
        }
        free(t->logs);
        free(t->name);
        free(t);
    }
    table_release(&p->topics_by_name);
}

void
memory_free(struct port *port)
{
    struct mport *p;

    if (port == NULL)
        return;
    p = mport_of(port);
    flights_end(p, false);
    while (p->stores != NULL) {
        struct mstore *s = p->stores;

        p->stores = s->next;
        omap_release(&s->entries, entry_free, NULL);
        free(s->name);
        free(s);
    }
    while (p->tasks != NULL) {
        struct mtask *t = p->tasks;

        p->tasks = t->next;
        assert(!t->is_open);
        free(t->failed);
        free(t->id);
        free(t);
    }
    topics_free(p);
    free(p);
}
