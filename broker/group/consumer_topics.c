/*
 * What members read, by name and by expression, against the topics there
 * are; and the target that comes of it.
 *
 * An expression is resolved when its first member comes, and again when
 * topics have changed since; what it matched is kept as ids, its program is
 * not kept. A hash over all topics that are read, with their partitions, says
 * whether anything changed that matters to the group (it is persisted: a
 * topic may be made between the last heartbeat and a crash).
 */
#include "config.h"

#include <stdlib.h>

#include "group/consumer_priv.h"
#include "group/pattern.h"

#include "base/alloc.h"

enum {
    REGEXES_MAX = 32,            /* count, of a group */
    /* Every member reads every topic, and is one of its readers. */
    WANTED_ARENA_MAX = 256 * 1024 * 1024,
};

/* ---- expressions ---- */

size_t
consumer_regexes_max(void)
{
    return REGEXES_MAX;
}

static int
by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uuid));
}

struct matches {
    struct pattern *pattern;
    struct uuid *ids;
    size_t count, capacity;
};

static void
match_one(void *to, const struct group_topic *t)
{
    struct matches *m = to;

    if (!pattern_matches(m->pattern, t->name)) {
        return;
    }
    if (m->count == m->capacity) {
        m->capacity = m->capacity == 0 ? 8 : m->capacity * 2;
        m->ids = xrealloc(m->ids, m->capacity * sizeof *m->ids);
    }
    m->ids[m->count++] = t->id;
}

static void
regex_resolve(const struct group *g, struct consumer_regex *r)
{
    const struct group_topics *topics = &g->env->topics;
    const char *fault;
    struct matches m = {.pattern = pattern_new(r->text, &fault)};

    /* It was one when it came; what was stored may be anything. */
    if (m.pattern != NULL) {
        topics->each(topics->arg, match_one, &m);
        pattern_free(m.pattern);
    }
    if (m.count > 0) {
        qsort(m.ids, m.count, sizeof *m.ids, by_id);
    }
    free(r->ids);
    r->ids = m.ids;
    r->count = m.count;
}

void
consumer_regexes_resolve(struct group *g)
{
    struct consumer_regex *r;

    for (size_t i = 0; (r = table_next(&g->consumer->regexes, &i)) != NULL;) {
        regex_resolve(g, r);
    }
}

void
consumer_regexes_release(struct consumer_group *c)
{
    struct consumer_regex *r;

    for (size_t i = 0; (r = table_next(&c->regexes, &i)) != NULL;) {
        free(r->ids);
        free(r);
    }
    table_release(&c->regexes);
}

static struct consumer_regex *
regex_of(const struct group *g, const struct consumer_member *m)
{
    return m->regex.len == 0 ? NULL
                             : table_get(&g->consumer->regexes, m->regex);
}

static void
regex_drop(struct group *g, struct consumer_member *m)
{
    struct consumer_regex *r = regex_of(g, m);

    if (r != NULL && --r->members == 0) {
        table_del(&g->consumer->regexes, r->text);
        free(r->ids);
        free(r);
    }
}

static void
regex_take(struct group *g, struct span text)
{
    struct consumer_regex *r = table_get(&g->consumer->regexes, text);

    if (r == NULL) {
        r = xcalloc(1, sizeof *r + text.len);
        memcpy(r + 1, text.ptr, text.len);
        r->text = span_of(r + 1, text.len);
        table_put(&g->consumer->regexes, r->text, r);
        regex_resolve(g, r);
    }
    r->members++;
}

/* Null: as it was. Empty: none any more. true: that is new. */
bool
consumer_member_regex(struct group *g, struct consumer_member *m,
    struct span regex)
{
    if (regex.ptr == NULL || (regex.len == 0 && m->regex.len == 0) ||
        span_eq(regex, m->regex)) {
        return false;
    }
    regex_drop(g, m);
    if (regex.len > 0) {
        regex_take(g, regex);
    }
    consumer_member_set(g, m, &m->regex, regex);
    return true;
}

/* ---- what is wanted ---- */

struct named {
    struct uuid id;
    bool there;
};

static void
push(struct assignor_topic **list, size_t *count, size_t *capacity,
    const struct uuid *id, int32_t partitions)
{
    if (*count == *capacity) {
        *capacity = *capacity == 0 ? 16 : *capacity * 2;
        *list = xrealloc(*list, *capacity * sizeof **list);
    }
    (*list)[(*count)++] = (struct assignor_topic){*id, partitions};
}

static void
want_name(struct consumer_wanted *w, const struct group_topics *topics,
    struct span name, size_t *capacity)
{
    struct group_topic t;
    struct named *n = table_get(&w->names, name);

    if (n != NULL) {
        return;
    }
    n = arena_zalloc(&w->arena, sizeof *n);
    assert(n != NULL);           /* bounded by the bytes of the members */
    n->there = topics->by_name(topics->arg, name, &t);
    if (n->there) {
        n->id = t.id;
        push(&w->topics, &w->count, capacity, &t.id, t.partitions);
    }
    table_put(&w->names, name, n);
}

static void
want_matches(struct consumer_wanted *w, const struct group_topics *topics,
    const struct consumer_regex *r, size_t *capacity)
{
    for (size_t i = 0; i < r->count; i++) {
        struct group_topic t;

        if (topics->by_id(topics->arg, &r->ids[i], &t)) {
            push(&w->topics, &w->count, capacity, &t.id, t.partitions);
        }
    }
}

static void
sort_wanted(struct consumer_wanted *w)
{
    size_t n = 0;

    if (w->count == 0) {
        return;
    }
    qsort(w->topics, w->count, sizeof *w->topics, by_id);
    for (size_t i = 1; i < w->count; i++) {
        if (!uuid_eq(&w->topics[n].id, &w->topics[i].id)) {
            w->topics[++n] = w->topics[i];
        }
    }
    w->count = n + 1;
}

void
consumer_wanted_init(struct consumer_wanted *w, const struct group *g)
{
    const struct group_topics *topics = &g->env->topics;
    const struct consumer_member *m;
    const struct consumer_regex *r;
    size_t capacity = 0;

    *w = (struct consumer_wanted){0};
    arena_init(&w->arena, WANTED_ARENA_MAX);
    table_init(&w->names);
    TAILQ_FOREACH (m, &g->consumer->members, link) {
        for (size_t i = 0; i < m->topic_count; i++) {
            want_name(w, topics, m->topics[i], &capacity);
        }
    }
    for (size_t i = 0; (r = table_next(&g->consumer->regexes, &i)) != NULL;) {
        want_matches(w, topics, r, &capacity);
    }
    sort_wanted(w);
}

void
consumer_wanted_release(struct consumer_wanted *w)
{
    free(w->topics);
    table_release(&w->names);
    arena_release(&w->arena);
}

_Static_assert(sizeof(struct assignor_topic) == 20, "hashed as it lies");

uint64_t
consumer_wanted_hash(const struct consumer_wanted *w)
{
    return w->count == 0
        ? 0 : hash_bytes(span_of(w->topics, w->count * sizeof *w->topics));
}

void
consumer_wanted_count(struct group *g, const struct consumer_wanted *w)
{
    g->consumer->partitions = 0;
    for (size_t i = 0; i < w->count; i++) {
        g->consumer->partitions += (size_t)w->topics[i].partitions;
    }
}

/* ---- the target ---- */

static uint32_t
place_of(const struct consumer_wanted *w, const struct uuid *id)
{
    size_t low = 0, high = w->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (by_id(&w->topics[mid].id, id) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < w->count && uuid_eq(&w->topics[low].id, id)
        ? (uint32_t)low : UINT32_MAX;
}

static int
by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Members that name the same topics have the same list: those before are
 * asked first. */
static bool
same_reads(const struct consumer_member *a, const struct consumer_member *b)
{
    if (a->topic_count != b->topic_count || !span_eq(a->regex, b->regex)) {
        return false;
    }
    for (size_t i = 0; i < a->topic_count; i++) {
        if (!span_eq(a->topics[i], b->topics[i])) {
            return false;
        }
    }
    return true;
}

static void
list_reads(struct consumer_wanted *w, const struct group *g,
    const struct consumer_member *m, struct assignor_member *out)
{
    const struct consumer_regex *r = regex_of(g, m);
    size_t most = m->topic_count + (r == NULL ? 0 : r->count), n = 0, k = 0;
    uint32_t *list = arena_calloc(&w->arena, most + 1, sizeof *list);

    assert(list != NULL);
    for (size_t i = 0; i < m->topic_count; i++) {
        const struct named *named = table_get(&w->names, m->topics[i]);

        if (named != NULL && named->there) {
            list[n++] = place_of(w, &named->id);
        }
    }
    for (size_t i = 0; r != NULL && i < r->count; i++) {
        uint32_t place = place_of(w, &r->ids[i]);

        if (place != UINT32_MAX) {
            list[n++] = place;
        }
    }
    qsort(list, n, sizeof *list, by_number);
    for (size_t i = 1; i < n; i++) {
        if (list[k] != list[i]) {
            list[++k] = list[i];
        }
    }
    out->topics = list;
    out->topic_count = n == 0 ? 0 : k + 1;
}

/* The name that most members ask for; without one, uniform. */
enum assignor
consumer_assignor_of(const struct group *g)
{
    const struct consumer_member *m;
    size_t votes[ASSIGNORS] = {0};
    enum assignor best = ASSIGNOR_UNIFORM;

    TAILQ_FOREACH (m, &g->consumer->members, link) {
        enum assignor a = m->assignor.ptr == NULL ? ASSIGNORS
                                                  : assignor_find(m->assignor);

        if (a != ASSIGNORS && ++votes[a] > votes[best]) {
            best = a;
        }
    }
    return best;
}

/* Each member's target is new; those whose target changed are dirty. */
void
consumer_retarget(struct group *g, struct consumer_wanted *w)
{
    struct consumer_group *c = g->consumer;
    struct assignor_member *list =
        arena_calloc(&w->arena, c->member_count + 1, sizeof *list);
    struct consumer_member *m, *before = NULL;
    size_t n = 0;
    int rc;

    assert(list != NULL);
    TAILQ_FOREACH (m, &c->members, link) {
        list[n].id = m->id;
        list[n].instance_id = m->instance_id;
        list[n].old = &m->target;
        if (before != NULL && same_reads(before, m)) {
            list[n].topics = list[n - 1].topics;
            list[n].topic_count = list[n - 1].topic_count;
        } else {
            list_reads(w, g, m, &list[n]);
        }
        before = m;
        n++;
    }
    rc = assignor_run(consumer_assignor_of(g), w->topics, w->count, list, n,
        &w->arena);
    n = 0;
    TAILQ_FOREACH (m, &c->members, link) {
        if (rc == 0 && !parts_eq(&m->target, &list[n].target)) {
            parts_swap(&m->target, &list[n].target);
            m->dirty = true;
        }
        parts_release(&list[n++].target);
    }
    c->target_epoch = g->generation;
    c->dirty = true;
    consumer_wanted_count(g, w);
}

struct uuid *
consumer_reads(const struct group *g, const struct consumer_member *m,
    struct arena *a, size_t *count)
{
    const struct group_topics *topics = &g->env->topics;
    const struct consumer_regex *r = regex_of(g, m);
    size_t n = 0, more = r == NULL ? 0 : r->count;
    struct uuid *list = arena_calloc(a, m->topic_count + more + 1,
        sizeof *list);

    assert(list != NULL);
    for (size_t i = 0; i < m->topic_count; i++) {
        struct group_topic t;

        if (topics->by_name(topics->arg, m->topics[i], &t)) {
            list[n++] = t.id;
        }
    }
    if (more > 0) {
        memcpy(list + n, r->ids, more * sizeof *list);
    }
    n += more;
    qsort(list, n, sizeof *list, by_id);
    *count = n;
    return list;
}
