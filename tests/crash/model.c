/* model.c: what should be there. */
#include "config.h"

#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

/* ---- facts ---- */

void
facts_add(struct facts *f, const struct fact *one)
{
    if (f->n == f->cap) {
        f->cap = f->cap == 0 ? 256 : f->cap * 2;
        f->v = xrealloc(f->v, f->cap * sizeof *f->v);
    }
    f->v[f->n++] = *one;
}

static int
fact_cmp(const struct fact *x, const struct fact *y)
{
    if (x->tag != y->tag)
        return x->tag < y->tag ? -1 : 1;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    if (x->b != y->b)
        return x->b < y->b ? -1 : 1;
    return (x->c > y->c) - (x->c < y->c);
}

static int
fact_sort_cmp(const void *x, const void *y)
{
    return fact_cmp(x, y);
}

void
facts_sort(struct facts *f)
{
    if (f->n > 0)
        qsort(f->v, f->n, sizeof *f->v, fact_sort_cmp);
}

void
facts_release(struct facts *f)
{
    free(f->v);
    memset(f, 0, sizeof *f);
}

const struct fact *
facts_find(const struct facts *f, enum fact_tag tag, uint32_t a, uint32_t b,
    uint64_t c)
{
    struct fact key = {.tag = tag, .a = a, .b = b, .c = c};

    return f->n == 0 ? NULL
        : bsearch(&key, f->v, f->n, sizeof key, fact_sort_cmp);
}

/* ---- versions ---- */

struct change {
    uint32_t version;
    struct fact fact;
};

enum { CACHED = 3 };

struct model {
    uint32_t *parent;            /* by version */
    uint32_t versions, cap;      /* the first is 1 */
    struct change *changes;
    size_t n_changes, changes_cap;
    struct {
        uint32_t version;        /* 0: nothing */
        struct facts facts;
    } cache[CACHED];
    unsigned turn;
};

struct model *
model_new(void)
{
    struct model *m = xcalloc(1, sizeof *m);

    model_version(m, 0);
    return m;
}

static void
model_forget(struct model *m)
{
    for (int i = 0; i < CACHED; i++) {
        m->cache[i].version = 0;
        facts_release(&m->cache[i].facts);
    }
}

void
model_free(struct model *m)
{
    if (m == NULL)
        return;
    model_forget(m);
    free(m->parent);
    free(m->changes);
    free(m);
}

uint32_t
model_version(struct model *m, uint32_t parent)
{
    uint32_t v = ++m->versions;

    assert(parent < v);
    if (v >= m->cap) {
        m->cap = m->cap == 0 ? 256 : m->cap * 2;
        m->parent = xrealloc(m->parent, m->cap * sizeof *m->parent);
    }
    m->parent[v] = parent;
    return v;
}

uint32_t
model_parent(const struct model *m, uint32_t version)
{
    assert(version <= m->versions);
    return m->parent[version];
}

void
model_change(struct model *m, uint32_t version, const struct fact *fact)
{
    if (m->n_changes == m->changes_cap) {
        m->changes_cap = m->changes_cap == 0 ? 1024 : m->changes_cap * 2;
        m->changes = xrealloc(m->changes,
            m->changes_cap * sizeof *m->changes);
    }
    m->changes[m->n_changes++] = (struct change){version, *fact};
    for (int i = 0; i < CACHED; i++)
        if (m->cache[i].version >= version)
            m->cache[i].version = 0;
}

struct model_mark
model_mark(const struct model *m)
{
    return (struct model_mark){m->versions, m->n_changes};
}

void
model_rewind(struct model *m, struct model_mark to)
{
    m->versions = to.versions;
    m->n_changes = to.changes;
    for (int i = 0; i < CACHED; i++)
        if (m->cache[i].version > to.versions)
            m->cache[i].version = 0;
}

/* A change, and its place in time. */
struct dated {
    struct fact fact;
    size_t order;
};

static int
dated_cmp(const void *a, const void *b)
{
    const struct dated *x = a, *y = b;
    int c = fact_cmp(&x->fact, &y->fact);

    return c != 0 ? c : (x->order > y->order) - (x->order < y->order);
}

static bool
of_topic(const struct fact *f)
{
    return f->tag == FACT_END || f->tag == FACT_START || f->tag == FACT_PURGE
        || f->tag == FACT_BATCH || f->tag == FACT_PRODUCER
        || f->tag == FACT_KEY;
}

static void
model_build(struct model *m, uint32_t version, struct facts *out)
{
    bool *in = xcalloc(m->versions + 1, sizeof *in);
    struct dated *v = xcalloc(m->n_changes + 1, sizeof *v);
    size_t n = 0, kept = 0;

    for (uint32_t at = version; at != 0; at = m->parent[at])
        in[at] = true;
    for (size_t i = 0; i < m->n_changes; i++) {
        if (in[m->changes[i].version]) {
            v[n].fact = m->changes[i].fact;
            v[n].order = i;
            n++;
        }
    }
    qsort(v, n, sizeof *v, dated_cmp);
    out->n = 0;
    for (size_t i = 0; i < n; i++)
        if (!v[i].fact.gone && (i + 1 == n
                || fact_cmp(&v[i].fact, &v[i + 1].fact) != 0))
            facts_add(out, &v[i].fact);
    for (size_t i = 0; i < out->n; i++) {
        const struct fact *f = &out->v[i];

        /* Topics sort first, and what is kept stays in order. */
        if (!of_topic(f) || facts_find(&(struct facts){out->v, kept, 0},
                FACT_TOPIC, f->a, 0, 0) != NULL)
            out->v[kept++] = *f;
    }
    out->n = kept;
    free(in);
    free(v);
}

const struct facts *
model_facts(struct model *m, uint32_t version)
{
    unsigned slot;

    assert(version >= 1);
    assert(version <= m->versions);
    for (int i = 0; i < CACHED; i++)
        if (m->cache[i].version == version)
            return &m->cache[i].facts;
    slot = m->turn++ % CACHED;
    m->cache[slot].version = version;
    model_build(m, version, &m->cache[slot].facts);
    return &m->cache[slot].facts;
}

/* ---- comparing ---- */

static int64_t
start_at_most(const struct facts *want, const struct fact *f)
{
    const struct fact *start = facts_find(want, FACT_START, f->a, f->b, 0);
    const struct fact *purge = facts_find(want, FACT_PURGE, f->a, f->b, 0);
    int64_t at = start == NULL ? 0 : (int64_t)start->hash;

    if (purge != NULL && (int64_t)purge->hash > at)
        at = (int64_t)purge->hash;
    return at;
}

static const char *
fact_word(const struct fact *f)
{
    static const char *const words[] = {"?", "topic", "end of log",
        "start of log", "purge", "batch", "producer", "record", "state",
        "key", "compacted part"};

    return words[f->tag];
}

static int
differs(struct err *err, const char *what, const struct fact *f,
    const struct fact *other)
{
    return err_set(err, ERR_DAMAGE, "%s %s %u/%u/%llu (%llx, %llx)",
        fact_word(f), what, f->a, f->b, (unsigned long long)f->c,
        (unsigned long long)f->hash,
        other == NULL ? 0ull : (unsigned long long)other->hash);
}

/* Compaction may have taken records from the batch, or all of it. */
static bool
was_cleaned(const struct facts *found, const struct fact *f)
{
    const struct fact *c = facts_find(found, FACT_CLEANED, f->a, f->b, 0);

    return f->tag == FACT_BATCH && c != NULL && f->last < (int64_t)c->hash;
}

static int
missing(const struct facts *want, const struct facts *found,
    const struct fact *f, struct err *err)
{
    if (f->tag == FACT_PURGE || was_cleaned(found, f))
        return 0;
    if ((f->tag == FACT_BATCH || f->tag == FACT_KEY)
        && f->last < start_at_most(want, f))
        return 0;
    return differs(err, "is missing", f, NULL);
}

static int
same(const struct facts *want, const struct facts *found,
    const struct fact *w, const struct fact *f, struct err *err)
{
    if (w->tag == FACT_START) {
        int64_t at = (int64_t)f->hash;

        if (at >= (int64_t)w->hash && at <= start_at_most(want, w))
            return 0;
    } else if ((w->hash == f->hash || was_cleaned(found, w))
        && w->last == f->last) {
        return 0;
    }
    return differs(err, "is not what it was", w, f);
}

int
facts_compare(const struct facts *want, const struct facts *found,
    struct err *err)
{
    size_t i = 0, j = 0;
    int rc = 0;

    while (rc == 0 && (i < want->n || j < found->n)) {
        const struct fact *w = i < want->n ? &want->v[i] : NULL;
        const struct fact *f = j < found->n ? &found->v[j] : NULL;
        int c = w == NULL ? 1 : f == NULL ? -1 : fact_cmp(w, f);

        if (c < 0)
            rc = missing(want, found, w, err);
        else if (c > 0 && f->tag != FACT_CLEANED)
            rc = differs(err, "should not be there", f, NULL);
        else if (c == 0)
            rc = same(want, found, w, f, err);
        i += c <= 0;
        j += c >= 0;
    }
    return rc;
}
