/*
 * memory_view.c: what tests see of the port in memory.
 */
#include "config.h"

#include "port/memory_priv.h"

const struct port_topic *
memory_topic(struct port *port, const char *name)
{
    struct mtopic *t = table_get(&mport_of(port)->topics_by_name,
        span_str(name));

    return t == NULL ? NULL : &t->pub;
}

const struct memory_record *
memory_record(const struct port_topic *topic, int32_t partition,
    int64_t offset, bool open)
{
    const struct mlog *l = memory_log(topic, partition);
    size_t end = open ? l->count : l->committed;

    return (size_t)offset < end ? l->records[offset] : NULL;
}

/* ---- stores ------------------------------------------------------------- */

struct span
memory_view(struct port *port, const char *store, struct span key, bool *known)
{
    struct span found = SPAN_NULL;

    *known = false;
    for (struct mstore *s = mport_of(port)->stores; s != NULL; s = s->next) {
        const struct mentry *e;
        struct span v;

        if (strcmp(s->name, store) != 0)
            continue;
        *known = true;
        e = omap_get(&s->entries, key);
        v = e == NULL ? SPAN_NULL : e->dirty ? e->old : e->newest;
        if (v.ptr == NULL)
            continue;
        /* a key in two partitions would be a wrong partitioner */
        assert(found.ptr == NULL);
        found = v;
    }
    return found;
}

size_t
memory_view_size(struct port *port, const char *store)
{
    size_t count = 0;

    for (struct mstore *s = mport_of(port)->stores; s != NULL; s = s->next) {
        struct omap_iter it;
        struct span key;
        void *value;

        if (strcmp(s->name, store) != 0)
            continue;
        omap_seek(&s->entries, SPAN_NULL, &it);
        while (omap_next(&it, &key, &value)) {
            const struct mentry *e = value;

            count += (e->dirty ? e->old : e->newest).ptr != NULL;
        }
    }
    return count;
}

static uint64_t
mix(uint64_t seed, const void *p, size_t n)
{
    return (seed ^ hash_bytes(span_of(p, n))) * 0x9fb21c651e98df25u;
}

static uint64_t
mix_span(uint64_t seed, struct span s)
{
    return s.ptr == NULL ? seed * 31 + 1 : mix(seed + s.len, s.ptr, s.len);
}

static uint64_t
log_digest(const struct mtopic *t, int32_t partition)
{
    const struct mlog *l = &t->logs[partition];
    uint64_t h = mix((uint64_t)partition, t->name, strlen(t->name));

    for (size_t i = 0; i < l->committed; i++) {
        const struct port_record *r = &l->records[i]->r;

        h = mix(h, &r->timestamp, sizeof r->timestamp);
        h = mix_span(mix_span(h, r->key), r->value);
        for (unsigned n = 0; n < r->header_count; n++)
            h = mix_span(mix_span(h, r->headers[n].name), r->headers[n].value);
    }
    return h;
}

static uint64_t
store_digest(const struct mstore *s)
{
    uint64_t h = mix(0, s->task->id, strlen(s->task->id));
    struct omap_iter it;
    struct span key;
    void *value;

    h = mix(h, s->name, strlen(s->name));
    omap_seek(&s->entries, SPAN_NULL, &it);
    while (omap_next(&it, &key, &value)) {
        const struct mentry *e = value;
        struct span v = e->dirty ? e->old : e->newest;

        if (v.ptr != NULL)
            h = mix_span(mix_span(h, key), v);
    }
    return h;
}

uint64_t
memory_digest(struct port *port)
{
    struct mport *p = mport_of(port);
    uint64_t sum = 0;

    for (struct mtopic *t = p->topics; t != NULL; t = t->next) {
        for (int32_t i = 0; i < t->pub.partitions; i++)
            sum += log_digest(t, i);
    }
    for (struct mstore *s = p->stores; s != NULL; s = s->next)
        sum += store_digest(s);
    return sum;
}
