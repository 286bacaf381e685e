/*
 * unit.c: one record, or one timer, from its start until its effects have
 * joined the run or were dropped.
 *
 *     begin -> decode -> nodes ... -> join the run      all of it, or
 *                           `-> error: drop the scratch
 *                                 PS_STOP         the task fails, its offset
 *                                                 stays before this record
 *                                 PS_SKIP         counted
 *                                 PS_DEAD_LETTER  one record to the dead
 *                                                 letters, joins instead
 *
 * Headers of dead letters: KIP-1034.
 */
#include "config.h"

#include "task/task_priv.h"

#include <stdio.h>

#include "base/diag.h"
#include "base/endian.h"

/* ---- runs --------------------------------------------------------------- */

bool
run_open(struct task *t, size_t bytes)
{
    struct err err;
    enum port_status s;

    assert(!t->in_run);
    if (bytes < t->need)
        bytes = t->need;
    if (bytes < PORT_RUN_BYTES)
        bytes = PORT_RUN_BYTES;
    s = t->ops->begin_run(t->port, bytes, &err);
    if (s == PORT_FAILED)
        task_fail(t, "%s", err.text);
    if (s == PORT_AGAIN) {
        stat_add(&t->stats.again, 1);
        t->blocked = true;
    }
    if (s != PORT_OK)
        return false;
    t->in_run = true;
    t->room = bytes;
    t->need = 0;
    t->run_records = t->run_timers = 0;
    t->run_low = TIME_NONE;
    return true;
}

void
run_close(struct task *t)
{
    uint8_t room[PORT_BLOB_MAX];
    int64_t offsets[PORT_INPUTS_MAX];
    struct port_run run;

    assert(t->in_run);
    for (unsigned i = 0; i < t->input_count; i++)
        offsets[i] = t->inputs[i].taken;
    run = (struct port_run){
        .number = ++t->run,
        .clock_ms = t->clock_ms,
        .offsets = offsets,
        .records = t->run_records,
        .timers = t->run_timers,
        .blob = task_blob(t, room)};
    flight_note(t, t->run);
    t->ops->end_run(t->port, &run);
    atomic_store(&t->handed, t->run);
    t->in_run = false;
    stat_add(&t->stats.runs, 1);
}

/* Room for the unit in the run; a new run if this one is full. */
static enum unit_result
make_room(struct task *t, size_t bytes)
{
    if (bytes <= t->room)
        return UNIT_DONE;
    if (t->in_run)
        run_close(t);
    t->need = bytes;             /* if not now, then next time first of all */
    if (run_open(t, bytes))
        return UNIT_DONE;
    return t->state == TASK_FAILED ? UNIT_STOP : UNIT_AGAIN;
}

static enum unit_result
join(struct ps_ctx *c, struct task *t)
{
    struct scratch *s = &c->scratch;
    enum unit_result result = make_room(t, s->bytes);
    unsigned emits = 0;

    if (result != UNIT_DONE)
        return result;
    for (unsigned i = 0; i < s->count; i++) {
        const struct effect *e = &s->effects[i];

        if (e->is_put) {
            t->ops->put(t->port, e->store, e->key, e->value);
            if (e->timers != NULL)
                timers_note(e->timers, e);
        } else {
            t->ops->emit(t->port, &e->out);
            emits++;
        }
    }
    t->room -= s->bytes;
    if (c->root_time < t->run_low)
        t->run_low = c->root_time;
    stat_add(&t->stats.out, emits - c->rejected - c->dead_lettered);
    if (c->rejected > 0)
        stat_add(&t->stats.rejected, c->rejected);
    if (c->dead_lettered > 0)
        stat_add(&t->stats.dead_lettered, c->dead_lettered);
    if (c->skipped > 0)
        stat_add(&t->stats.skipped, c->skipped);
    return UNIT_DONE;
}

/* ---- errors ------------------------------------------------------------- */

static struct port_header
header(const char *name, const char *text)
{
    return (struct port_header){span_str(name), span_str(text)};
}

static void
dead_letter(struct ps_ctx *c, struct task *t, struct span timer_key)
{
    char partition[16], offset[24];
    struct port_header more[5], *headers;
    unsigned n = 0;
    struct port_out o = {.topic = &t->app->dead_letter, .cause_input = -1};

    snprintf(partition, sizeof partition, "%d", t->partition);
    more[n++] = header("__streams.errors.exception", c->error_class);
    more[n++] = header("__streams.errors.message", c->error);
    if (c->root != NULL) {
        snprintf(offset, sizeof offset, "%lld", (long long)c->root->offset);
        more[n++] = header("__streams.errors.topic",
            t->inputs[c->root_input].source->topic);
        more[n++] = header("__streams.errors.partition", partition);
        more[n++] = header("__streams.errors.offset", offset);
        for (unsigned i = 0; i < n; i++)
            more[i].value = arena_copy(&c->arena, more[i].value);
        sink_root(c, o.topic, more, n);
        return;
    }
    more[n++] = header("__streams.errors.partition", partition);
    headers = arena_calloc(&c->arena, n, sizeof *headers);
    if (headers == NULL) {
        ctx_fail(c, "OutputError", "no memory left for this timer");
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        headers[i].name = more[i].name;
        headers[i].value = arena_copy(&c->arena, more[i].value);
    }
    o.headers = headers;
    o.header_count = n;
    o.cause_offset = -1;
    o.partition = (int32_t)((uint32_t)t->partition %
        (uint32_t)o.topic->partitions);
    o.timestamp = c->root_time;
    o.key = timer_key;
    scratch_emit(c, &o);
}

/* The unit has failed: what it did is dropped, and what the topology wants
 * done with it becomes its effect. */
static enum unit_result
give_to_handler(struct ps_ctx *c, struct task *t, struct span timer_key)
{
    enum ps_on_error how = t->app->topology->on_error;

    diag(WARN, TASK, "a record failed: %s app=%s task=%s offset=%lld",
        c->error, t->app->name, t->name,
        c->root != NULL ? (long long)c->root->offset : -1LL);
    /* a store that can't be read is not the record's fault */
    if (how == PS_STOP || strcmp(c->error_class, "StoreError") == 0) {
        task_fail(t, "offset %lld: %s", c->root != NULL ?
            (long long)c->root->offset : -1LL, c->error);
        return UNIT_STOP;
    }
    scratch_clear(&c->scratch);
    c->failed = false;
    c->node = NULL;
    c->rejected = 0;
    if (how == PS_DEAD_LETTER) {
        dead_letter(c, t, timer_key);
        if (!c->failed) {
            c->dead_lettered = 1;
            return UNIT_DONE;
        }
        diag(ERROR, TASK, "a dead letter is lost: %s app=%s task=%s", c->error,
            t->app->name, t->name);
        scratch_clear(&c->scratch);
        c->failed = false;
    }
    c->skipped = 1;
    return UNIT_DONE;
}

/* ---- a record ----------------------------------------------------------- */

static uint64_t
random_start(const struct task *t, uint64_t a, uint64_t b)
{
    uint64_t place[4] = {t->seed, a, b, (uint64_t)t->partition};

    return hash_bytes(span_of(place, sizeof place));
}

/* Takes the tag of a gathered log off the headers. */
static void
set_headers(struct ps_ctx *c, const struct node *source, struct rec *r)
{
    const struct port_record *in = c->root;
    unsigned n = in->header_count, input = 0;
    struct port_header *own;

    r->pub.input = 0;
    if (n == 0 && source->inputs <= 1)
        return;
    own = arena_calloc(&c->arena, n + 1, sizeof *own);
    if (own == NULL) {
        ctx_fail(c, "ProcessingError", "no memory left for this record");
        return;
    }
    if (n > 0)
        memcpy(own, in->headers, n * sizeof *own);
    c->headers = own;
    c->header_count = n;
    if (source->inputs <= 1)
        return;
    if (n == 0 || own[0].value.len != 1 || !span_eq(own[0].name,
        span_of(HEADER_INPUT, sizeof HEADER_INPUT - 1)) ||
        own[0].value.ptr[0] >= source->inputs) {
        ctx_fail(c, "DecodeError", "a record of a gathered log that does not "
            "say where it is from");
        return;
    }
    input = own[0].value.ptr[0];
    r->pub.input = (uint16_t)input;
    c->headers = own + 1;
    c->header_count = n - 1;
}

static void
read_record(struct ps_ctx *c, const struct node *source, struct rec *r)
{
    const struct port_record *in = c->root;

    *r = (struct rec){.key_raw = in->key, .value_raw = in->value};
    r->pub.timestamp = in->timestamp;
    set_headers(c, source, r);
    if (c->failed)
        return;
    r->key_serde = source->key_out;
    r->value_serde = source->values[r->pub.input];
    if (!val_decode(c, r->key_serde, in->key, "the key", &r->pub.key, NULL))
        return;
    /* What we wrote ourselves is decoded where it is wanted. So is what comes
     * from outside, if its bytes can be checked without: unit_record() does
     * it when nobody has. */
    if (in->value.ptr == NULL || source->time_fn != NULL ||
        (!source->internal && !rec_is_plain(r))) {
        if (!rec_need_value(c, r))
            return;
    }
    if (source->time_fn != NULL) {
        r->pub.timestamp = source->time_fn(&r->pub, source->time_conf);
        if (r->pub.timestamp < 0)
            ctx_fail(c, "ProcessingError", "the record has no event time");
    }
}

enum unit_result
unit_record(struct ps_ctx *c, struct task *t, unsigned input,
    const struct port_record *in)
{
    const struct node *source = t->inputs[input].source;
    enum unit_result result = UNIT_DONE;
    int64_t stream_time = t->stream_time;
    struct rec r;

    ctx_begin(c, t);
    c->root = in;
    c->root_input = input;
    c->random = random_start(t, input, (uint64_t)in->offset);
    c->root_time = c->out_time = in->timestamp;
    c->node = source;
    read_record(c, source, &r);
    if (!c->failed) {
        c->root_time = c->out_time = r.pub.timestamp;
        if (t->stream_time < r.pub.timestamp)
            t->stream_time = r.pub.timestamp;
        outlet_run(c, &source->outs[0], &r);
        /* What is corrupt is found where it came in, not in a log of ours
         * that it was carried to. */
        if (!c->failed && !source->internal)
            rec_check(c, &r);
    }
    if (c->failed)
        result = give_to_handler(c, t, SPAN_NULL);
    if (result == UNIT_DONE)
        result = join(c, t);
    if (result != UNIT_DONE) {
        t->stream_time = stream_time;    /* it comes again */
        return result;
    }
    stat_add(&t->stats.in, 1);
    if (c->root_time < stream_time)
        stat_add(&t->stats.late, 1);
    t->run_records++;
    t->inputs[input].taken = in->offset + 1;
    return UNIT_DONE;
}

/* ---- a timer ------------------------------------------------------------ */

enum unit_result
unit_timer(struct ps_ctx *c, struct task *t, struct timers *timers,
    struct span timer_key)
{
    const struct node *n = timers->node;
    enum unit_result result = UNIT_DONE;
    struct ps_timer timer;
    struct span key;

    ctx_begin(c, t);
    key = arena_copy(&c->arena, timer_key);
    assert(key.ptr != NULL);     /* the arena is empty */
    timer_key_read(key, &timer);
    c->random = random_start(t, (uint64_t)timer.due_ms, hash_bytes(key));
    c->root_time = c->out_time = timer.due_ms;
    c->node = n;
    scratch_put(c, timers->store, key, SPAN_NULL, timers);
    if (n->processor->on_timer(c, &timer, n->conf) != PS_OK && !c->failed)
        ctx_fail(c, "ProcessingError", "it returned an error without a word");
    if (c->failed) {
        result = give_to_handler(c, t, key);
        /* it has had its turn all the same */
        scratch_put(c, timers->store, key, SPAN_NULL, timers);
    }
    if (result == UNIT_DONE)
        result = join(c, t);
    if (result == UNIT_DONE) {
        stat_add(&t->stats.timers, 1);
        t->run_timers++;
    }
    return result;
}
