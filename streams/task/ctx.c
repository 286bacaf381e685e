/*
 * ctx.c: what a callback may ask and say. State and timers have files of
 * their own.
 */
#include "config.h"

#include "task/task_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/diag.h"

struct ps_ctx *
ctx_new(struct engine *e)
{
    struct ps_ctx *c = xcalloc(1, sizeof *c);

    c->magic = CTX_MAGIC;
    c->engine = e;
    arena_init(&c->arena, UNIT_ARENA_MAX);
    buf_init(&c->bytes, BATCH_BYTES_MAX);
    scratch_clear(&c->scratch);
    table_init(&c->topics);
    return c;
}

void
ctx_free(struct ps_ctx *c)
{
    if (c == NULL)
        return;
    arena_release(&c->arena);
    buf_release(&c->bytes);
    free(c->scratch.effects);
    sink_topics_free(c);
    c->magic = 0;
    free(c);
}

void
ctx_begin(struct ps_ctx *c, struct task *t)
{
    if (!c->owned) {
        c->owner = pthread_self();
        c->owned = true;
    }
    arena_reset(&c->arena);
    scratch_clear(&c->scratch);
    c->task = t;
    c->root = NULL;
    c->root_input = 0;
    c->read_only = false;
    c->headers = NULL;
    c->header_count = 0;
    c->rejected = c->dead_lettered = c->skipped = 0;
    c->failed = false;
    c->node = NULL;
    c->rec = NULL;
}

bool
ctx_check(struct ps_ctx *c)
{
    check_obj(c, CTX_MAGIC);
    assert(pthread_equal(c->owner, pthread_self()));
    return !c->failed;
}

int
ctx_fail(struct ps_ctx *c, const char *error_class, const char *fmt, ...)
{
    va_list ap;
    int n = 0;

    if (c->failed)               /* the first one counts */
        return PS_ERROR;
    c->failed = true;
    c->error_class = error_class;
    if (c->node != NULL)
        n = snprintf(c->error, sizeof c->error, "'%.80s': ", c->node->name);
    va_start(ap, fmt);
    vsnprintf(c->error + n, sizeof c->error - (size_t)n, fmt, ap);
    va_end(ap);
    return PS_ERROR;
}

int
ps_fail(struct ps_ctx *c, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    if (!ctx_check(c))
        return PS_ERROR;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return ctx_fail(c, "ProcessingError", "%s", text);
}

const char *
ps_error(struct ps_ctx *c)
{
    return ctx_check(c) ? NULL : c->error;
}

void
ps_warn(struct ps_ctx *c, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    ctx_check(c);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag(WARN, TASK, "%s app=%s task=%s offset=%lld", text, c->task->app->name,
        c->task->name, (long long)ps_offset(c));
}

/* ---- memory ------------------------------------------------------------- */

void *
ps_alloc(struct ps_ctx *c, size_t size)
{
    void *p;

    if (!ctx_check(c))
        return NULL;
    p = arena_zalloc(&c->arena, size);
    if (p == NULL)
        ctx_fail(c, "ProcessingError", "no memory left for this record: at "
            "most %llu bytes", (unsigned long long)UNIT_ARENA_MAX);
    return p;
}

char *
ps_printf(struct ps_ctx *c, const char *fmt, ...)
{
    va_list ap;
    char *text;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        ctx_fail(c, "ProcessingError", "a format that printf refuses");
        return NULL;
    }
    text = ps_alloc(c, (size_t)n + 1);
    if (text == NULL)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return text;
}

void *
ps_scratch(struct ps_ctx *c)
{
    ctx_check(c);
    return c->task->scratch[c->node->index];
}

/* ---- time, place, chance ------------------------------------------------ */

int64_t
ps_time(struct ps_ctx *c)
{
    ctx_check(c);
    return c->root_time;
}

int64_t
ps_stream_time(struct ps_ctx *c)
{
    ctx_check(c);
    return c->task->stream_time;
}

int64_t
ps_clock(struct ps_ctx *c)
{
    ctx_check(c);
    return c->task->clock_ms;
}

/* splitmix64 (Vigna); its start follows from the task's seed and the unit's
 * place in the input, so that a repeated unit draws the same. */
uint64_t
ps_random(struct ps_ctx *c)
{
    uint64_t z;

    ctx_check(c);
    z = c->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

const char *
ps_topic(struct ps_ctx *c)
{
    ctx_check(c);
    return c->root == NULL ? NULL :
        c->task->inputs[c->root_input].source->topic;
}

int32_t
ps_partition(struct ps_ctx *c)
{
    ctx_check(c);
    return c->task->partition;
}

int64_t
ps_offset(struct ps_ctx *c)
{
    ctx_check(c);
    return c->root == NULL ? -1 : c->root->offset;
}

/* ---- headers ------------------------------------------------------------ */

const struct ps_header *
ps_headers(struct ps_ctx *c, size_t *count)
{
    struct ps_header *out;

    *count = 0;
    if (!ctx_check(c) || c->header_count == 0)
        return NULL;
    out = ps_alloc(c, c->header_count * sizeof *out);
    if (out == NULL)
        return NULL;
    for (unsigned i = 0; i < c->header_count; i++) {
        const struct port_header *h = &c->headers[i];
        char *name = arena_strndup(&c->arena, (const char *)h->name.ptr,
            h->name.len);

        if (name == NULL)
            return NULL;
        out[i] = (struct ps_header){name, h->value.ptr, h->value.len};
    }
    *count = c->header_count;
    return out;
}

int
ps_set_header(struct ps_ctx *c, const char *name, const void *value,
    size_t len)
{
    struct port_header *more;
    struct span copy;

    if (!ctx_check(c))
        return PS_ERROR;
    copy = arena_copy(&c->arena, span_str(name));
    more = ps_alloc(c, (c->header_count + 1) * sizeof *more);
    if (more == NULL || copy.ptr == NULL)
        return ctx_fail(c, "ProcessingError", "no memory left for a header");
    if (c->header_count > 0)
        memcpy(more, c->headers, c->header_count * sizeof *more);
    more[c->header_count].name = copy;
    more[c->header_count].value = arena_copy(&c->arena, span_of(value, len));
    c->headers = more;
    c->header_count++;
    return PS_OK;
}

void
ps_set_time(struct ps_ctx *c, int64_t timestamp_ms)
{
    if (!ctx_check(c))
        return;
    if (timestamp_ms < 0)
        ctx_fail(c, "ProcessingError", "a negative timestamp");
    c->out_time = timestamp_ms;
}

/* ---- onwards ------------------------------------------------------------ */

/* The nodes whose callbacks may forward. */
static bool
may_forward(struct ps_ctx *c)
{
    if (!ctx_check(c))
        return false;
    if (c->read_only) {
        ctx_fail(c, "ProcessingError", "init and close forward nothing");
        return false;
    }
    if (c->node->kind != NODE_PROCESS && c->node->kind != NODE_FLAT_MAP) {
        ctx_fail(c, "ProcessingError", "a %s forwards by what it returns",
            node_kind_name(c->node->kind));
        return false;
    }
    return true;
}

int
ps_forward(struct ps_ctx *c, struct ps_val key, struct ps_val value)
{
    if (!may_forward(c))
        return PS_ERROR;
    outlet_send(c, &c->node->outs[0], key, value);
    return c->failed ? PS_ERROR : PS_OK;
}

int
ps_forward_to(struct ps_ctx *c, const char *output, struct ps_val key,
    struct ps_val value)
{
    if (!may_forward(c))
        return PS_ERROR;
    for (unsigned i = 1; i < c->node->out_count; i++) {
        if (strcmp(c->node->outs[i].name, output) == 0) {
            outlet_send(c, &c->node->outs[i], key, value);
            return c->failed ? PS_ERROR : PS_OK;
        }
    }
    return ctx_fail(c, "ProcessingError", "there is no output '%.80s' in .outs",
        output);
}

int
ps_reject(struct ps_ctx *c, const char *reason)
{
    const struct port_header more[] = {
        {span_str("penstock.reason"), arena_copy(&c->arena, span_str(reason))},
        {span_str("penstock.node"), span_str(c->node->name)}};

    if (!ctx_check(c))
        return PS_ERROR;
    if (c->root == NULL)
        return ctx_fail(c, "ProcessingError", "a timer has no record to "
            "reject (%.80s)", reason);
    sink_root(c, &c->task->app->rejected, more, countof(more));
    c->rejected++;
    return c->failed ? PS_ERROR : PS_OK;
}
