/*
 * A topology against the topics there are: what is missing, how many
 * partitions its internal topics need, how many tasks each subtopology has.
 *
 * 1. Every source topic must be there.
 * 2. A repartition topic has the partitions that the application says; else
 *    as many as the widest input of the subtopologies that write to it. One
 *    may feed the next, so that goes on until nothing moves.
 * 3. The topics of a copartition group have the same number: those that are
 *    there and those that the application fixed say which, the others follow.
 * 4. A subtopology has a task for each partition of its widest input, and
 *    changelogs as wide.
 * 5. Internal topics that are there must have that number; the others are to
 *    be made.
 */
#include "config.h"

#include <stdlib.h>

#include "group/streams_priv.h"

enum { PLAN_MAX = 8 * 1024 * 1024, DETAIL_MAX = 2000 };

struct input {
    struct span name;
    const struct streams_topic *topic;   /* NULL: a source */
    int32_t partitions;              /* 0: not known yet */
    bool fixed, there;
    struct uuid id;
};

struct plan {
    const struct group_topics *topics;   /* NULL: all are there, with one */
    const struct streams_topology *t;
    struct streams_plan *out;
    struct table inputs;             /* sources and repartition topics */
    struct buf detail, facts;
};

static enum streams_code
said(struct plan *p, enum streams_code code)
{
    char *text = arena_strndup(&p->out->arena, (const char *)p->detail.ptr,
        p->detail.len);

    p->out->code = code;
    p->out->detail = text == NULL ? span_str("") : span_str(text);
    return code;
}

static void
name_add(struct plan *p, struct span name, size_t *count)
{
    if (p->detail.len + name.len + 16 < DETAIL_MAX) {
        buf_put_str(&p->detail, (*count)++ > 0 ? ", " : "");
        buf_put_span(&p->detail, name);
    }
}

static bool
find(struct plan *p, struct span name, struct group_topic *t)
{
    if (p->topics == NULL) {
        *t = (struct group_topic){.name = name, .partitions = 1};
        return true;
    }
    return p->topics->by_name(p->topics->arg, name, t);
}

/* What was seen of a topic: the hash of all is that of the plan. */
static void
fact(struct plan *p, struct span name, const struct group_topic *t)
{
    buf_put_be32(&p->facts, (uint32_t)name.len);
    buf_put_span(&p->facts, name);
    if (t != NULL) {
        buf_put(&p->facts, t->id.bytes, sizeof t->id.bytes);
        buf_put_be32(&p->facts, (uint32_t)t->partitions);
    }
}

static struct input *
input_new(struct plan *p, struct span name)
{
    struct input *in = arena_calloc(&p->out->arena, 1, sizeof *in);

    assert(in != NULL);
    in->name = name;
    table_put(&p->inputs, in->name, in);
    return in;
}

static enum streams_code
read_sources(struct plan *p)
{
    size_t missing = 0;

    for (uint32_t i = 0; i < p->t->count; i++) {
        const struct streams_subtopology *s = &p->t->list[i];

        for (uint32_t k = 0; k < s->source_count; k++) {
            struct group_topic t;
            struct input *in;

            if (table_get(&p->inputs, s->sources[k]) != NULL) {
                continue;
            }
            in = input_new(p, s->sources[k]);
            in->fixed = in->there = find(p, in->name, &t);
            in->partitions = in->there ? t.partitions : 0;
            fact(p, in->name, in->there ? &t : NULL);
            if (!in->there) {
                buf_put_str(&p->detail,
                    missing == 0 ? "Source topics that are not there: " : "");
                name_add(p, in->name, &missing);
            }
        }
    }
    return missing == 0 ? STREAMS_READY
                        : said(p, STREAMS_MISSING_SOURCE_TOPICS);
}

static void
read_repartitions(struct plan *p)
{
    for (uint32_t i = 0; i < p->t->count; i++) {
        const struct streams_subtopology *s = &p->t->list[i];

        for (uint32_t k = 0; k < s->repartition_count; k++) {
            const struct streams_topic *t = &s->repartitions[k];
            struct input *in = table_get(&p->inputs, t->name);

            if (in == NULL) {
                in = input_new(p, t->name);
                in->topic = t;
                in->partitions = t->partitions;
                in->fixed = t->partitions > 0;
            }
        }
    }
}

/* The widest input of the subtopology; 0: one is not known yet. */
static int32_t
widest(struct plan *p, const struct streams_subtopology *s)
{
    int32_t most = 0;

    for (uint32_t k = 0; k < s->source_count + s->repartition_count; k++) {
        struct span name = k < s->source_count
            ? s->sources[k] : s->repartitions[k - s->source_count].name;
        const struct input *in = table_get(&p->inputs, name);

        if (in->partitions == 0) {
            return 0;
        }
        most = in->partitions > most ? in->partitions : most;
    }
    return most;
}

static bool
writes(const struct streams_subtopology *s, struct span name)
{
    for (uint32_t i = 0; i < s->sink_count; i++) {
        if (span_eq(s->sinks[i], name)) {
            return true;
        }
    }
    return false;
}

static int32_t
width_of(struct plan *p, const struct input *in)
{
    int32_t most = 0;

    for (uint32_t i = 0; i < p->t->count; i++) {
        if (writes(&p->t->list[i], in->name)) {
            int32_t n = widest(p, &p->t->list[i]);

            if (n == 0) {
                return 0;
            }
            most = n > most ? n : most;
        }
    }
    return most;
}

/* false: nobody writes to one of them, or they feed themselves. */
static bool
size_repartitions(struct plan *p)
{
    bool moved = true, open = true;
    struct input *in;

    while (moved && open) {
        moved = open = false;
        for (size_t i = 0; (in = table_next(&p->inputs, &i)) != NULL;) {
            if (in->partitions == 0) {
                in->partitions = width_of(p, in);
                moved = moved || in->partitions > 0;
                open = open || in->partitions == 0;
            }
        }
    }
    return !open;
}

static struct input *
member_of(struct plan *p, const struct streams_subtopology *s,
    const struct streams_copartition *c, uint32_t i)
{
    return table_get(&p->inputs, i < c->source_count
            ? s->sources[c->sources[i]]
            : s->repartitions[c->repartitions[i - c->source_count]].name);
}

static enum streams_code
copartition(struct plan *p, const struct streams_subtopology *s,
    const struct streams_copartition *c)
{
    uint32_t n = c->source_count + c->repartition_count;
    int32_t fixed = 0, most = 0;
    bool differ = false;
    size_t count = 0;

    for (uint32_t i = 0; i < n; i++) {
        const struct input *in = member_of(p, s, c, i);

        most = in->partitions > most ? in->partitions : most;
        if (in->fixed) {
            differ = differ || (fixed != 0 && fixed != in->partitions);
            fixed = in->partitions;
        }
    }
    if (differ) {
        buf_put_str(&p->detail, "These topics must have equally many "
            "partitions: [");
        for (uint32_t i = 0; i < n; i++) {
            const struct input *in = member_of(p, s, c, i);

            if (in->fixed) {
                name_add(p, in->name, &count);
                buf_printf(&p->detail, "(%d)", (int)in->partitions);
            }
        }
        buf_put_str(&p->detail, "]");
        return said(p, STREAMS_INCORRECTLY_PARTITIONED);
    }
    for (uint32_t i = 0; i < n; i++) {
        member_of(p, s, c, i)->partitions = fixed != 0 ? fixed : most;
    }
    return STREAMS_READY;
}

static enum streams_code
copartition_all(struct plan *p)
{
    enum streams_code code = STREAMS_READY;

    for (uint32_t i = 0; i < p->t->count && code == STREAMS_READY; i++) {
        const struct streams_subtopology *s = &p->t->list[i];

        for (uint32_t k = 0; k < s->copartition_count
                && code == STREAMS_READY; k++) {
            code = copartition(p, s, &s->copartitions[k]);
        }
    }
    return code;
}

/* ---- internal topics ---- */

static enum streams_code
internal(struct plan *p, const struct streams_topic *topic, int32_t want)
{
    struct streams_plan *out = p->out;
    struct group_topic t;
    bool there = find(p, topic->name, &t);

    fact(p, topic->name, there ? &t : NULL);
    if (there && t.partitions != want && p->topics != NULL) {
        buf_printf(&p->detail, "The internal topic %.*s has %d partitions, "
            "the topology wants %d.", (int)topic->name.len,
            (const char *)topic->name.ptr, (int)t.partitions, (int)want);
        return said(p, STREAMS_INCORRECTLY_PARTITIONED);
    }
    if (!there) {
        out->makes[out->make_count].topic = topic;
        out->makes[out->make_count++].partitions = want;
    }
    return STREAMS_READY;
}

static enum streams_code
internal_all(struct plan *p)
{
    enum streams_code code = STREAMS_READY;
    struct input *in;
    size_t most = p->inputs.count, count = 0;

    for (uint32_t i = 0; i < p->t->count; i++) {
        most += p->t->list[i].changelog_count;
    }
    p->out->makes = arena_calloc(&p->out->arena, most + 1,
        sizeof *p->out->makes);
    assert(p->out->makes != NULL);
    for (uint32_t i = 0; i < p->t->count; i++) {
        const struct streams_subtopology *s = &p->t->list[i];

        for (uint32_t k = 0; k < s->repartition_count
                && code == STREAMS_READY; k++) {
            in = table_get(&p->inputs, s->repartitions[k].name);
            if (in->topic == &s->repartitions[k]) {
                code = internal(p, in->topic, in->partitions);
            }
        }
        for (uint32_t k = 0; k < s->changelog_count
                && code == STREAMS_READY; k++) {
            code = internal(p, &s->changelogs[k], p->out->tasks[i]);
        }
    }
    if (code == STREAMS_READY && p->out->make_count > 0) {
        buf_put_str(&p->detail, "Internal topics that are not there: [");
        for (size_t i = 0; i < p->out->make_count; i++) {
            name_add(p, p->out->makes[i].topic->name, &count);
        }
        buf_put_str(&p->detail, "]");
        code = said(p, STREAMS_MISSING_INTERNAL_TOPICS);
    }
    return code;
}

/* ---- the whole ---- */

static enum streams_code
count_tasks(struct plan *p)
{
    struct streams_plan *out = p->out;

    for (uint32_t i = 0; i < p->t->count; i++) {
        out->tasks[i] = widest(p, &p->t->list[i]);
        out->task_count += (size_t)out->tasks[i];
    }
    if (out->task_count <= STREAMS_TASKS_MAX) {
        return STREAMS_READY;
    }
    buf_printf(&p->detail, "The topology has %zu tasks, which is more than "
        "%d.", out->task_count, STREAMS_TASKS_MAX);
    return said(p, STREAMS_INCORRECTLY_PARTITIONED);
}

static enum streams_code
plan_run(struct plan *p)
{
    enum streams_code code = read_sources(p);

    if (code != STREAMS_READY) {
        return code;
    }
    read_repartitions(p);
    if (!size_repartitions(p)) {
        buf_put_str(&p->detail, "The number of partitions of a repartition "
            "topic can not be found: nothing writes to it, or it feeds "
            "itself.");
        return said(p, STREAMS_INVALID);
    }
    code = copartition_all(p);
    if (code == STREAMS_READY) {
        code = count_tasks(p);
    }
    return code == STREAMS_READY ? internal_all(p) : code;
}

void
streams_plan_make(struct streams_plan *out, const struct streams_topology *t,
    const struct group_topics *topics)
{
    struct plan p = {.topics = topics, .t = t, .out = out};

    streams_plan_release(out);
    arena_init(&out->arena, PLAN_MAX);
    out->tasks = arena_calloc(&out->arena, t->count + 1, sizeof *out->tasks);
    assert(out->tasks != NULL);
    table_init(&p.inputs);
    buf_init(&p.detail, 2 * DETAIL_MAX);
    buf_init(&p.facts, 2 * STREAMS_TOPOLOGY_MAX);
    out->code = STREAMS_READY;
    out->detail = span_str("");
    out->code = plan_run(&p);
    if (out->code != STREAMS_READY) {
        memset(out->tasks, 0, t->count * sizeof *out->tasks);
        out->task_count = 0;
    }
    if (out->code != STREAMS_MISSING_INTERNAL_TOPICS) {
        out->make_count = 0;
    }
    buf_put_u8(&p.facts, (uint8_t)out->code);
    out->hash = hash_bytes(buf_span(&p.facts));
    table_release(&p.inputs);
    buf_release(&p.detail);
    buf_release(&p.facts);
}

void
streams_plan_release(struct streams_plan *p)
{
    arena_release(&p->arena);
    *p = (struct streams_plan){0};
}
