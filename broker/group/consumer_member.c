/*
 * Members of a consumer group as memory: each text is a copy of its own, the
 * names of topics lie in one block (the spans, then their bytes), protocols
 * of the classic protocol in another. Whatever is set keeps the sums of the
 * group.
 */
#include "config.h"

#include <stdlib.h>

#include "group/consumer_priv.h"

#include "base/alloc.h"

struct consumer_member *
consumer_member_new(struct span id)
{
    struct consumer_member *m = xcalloc(1, sizeof *m);

    m->id = span_own(id);
    m->client_id = span_own(span_str(""));
    m->client_host = span_own(span_str(""));
    m->rebalance_timeout_ms = -1;
    m->session_deadline = m->rebalance_deadline = NEVER;
    m->join_deadline = m->sync_deadline = NEVER;
    m->bytes = id.len;
    return m;
}

void
consumer_member_free(struct consumer_member *m)
{
    span_disown(&m->id);
    span_disown(&m->instance_id);
    span_disown(&m->rack_id);
    span_disown(&m->client_id);
    span_disown(&m->client_host);
    span_disown(&m->regex);
    span_disown(&m->assignor);
    streams_member_free(m);
    free(m->topics);
    free(m->protocols);
    parts_release(&m->assigned);
    parts_release(&m->revoking);
    parts_release(&m->target);
    free(m);
}

static void
bytes_add(struct group *g, struct consumer_member *m, size_t more,
    size_t less)
{
    m->bytes += more;
    m->bytes -= less;
    g->consumer->bytes += more;
    g->consumer->bytes -= less;
}

bool
consumer_member_set(struct group *g, struct consumer_member *m,
    struct span *field, struct span to)
{
    if (to.ptr == NULL || (field->ptr != NULL && span_eq(*field, to))) {
        return false;
    }
    bytes_add(g, m, to.len, field->len);
    span_disown(field);
    *field = span_own(to);
    m->dirty = true;
    return true;
}

static int
by_name(const void *a, const void *b)
{
    return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

/* A copy, in order, each name once. */
static struct span *
names_own(const struct span *names, size_t *count, size_t *bytes)
{
    size_t total = 0, n = 0;
    struct span *list;
    uint8_t *at;

    for (size_t i = 0; i < *count; i++) {
        total += names[i].len;
    }
    list = xmalloc((*count + 1) * sizeof *list + total + 1);
    at = (uint8_t *)(list + *count + 1);
    for (size_t i = 0; i < *count; i++) {
        list[i] = names[i];
    }
    qsort(list, *count, sizeof *list, by_name);
    *bytes = 0;
    for (size_t i = 0; i < *count; i++) {
        struct span from = list[i];

        if (n > 0 && span_eq(list[n - 1], from)) {
            continue;
        }
        if (from.len > 0) {
            memcpy(at, from.ptr, from.len);
        }
        list[n++] = span_of(at, from.len);
        at += from.len;
        *bytes += from.len + sizeof *list;
    }
    *count = n;
    return list;
}

static size_t
names_bytes(const struct consumer_member *m)
{
    size_t bytes = m->topic_count * sizeof *m->topics;

    for (size_t i = 0; i < m->topic_count; i++) {
        bytes += m->topics[i].len;
    }
    return bytes;
}

bool
consumer_member_topics(struct group *g, struct consumer_member *m,
    const struct span *names, size_t count)
{
    size_t bytes, n = count;
    struct span *list = names_own(names, &n, &bytes);
    bool same = n == m->topic_count;

    for (size_t i = 0; same && i < n; i++) {
        same = span_eq(list[i], m->topics[i]);
    }
    if (same) {
        free(list);
        return false;
    }
    bytes_add(g, m, bytes, names_bytes(m));
    free(m->topics);
    m->topics = list;
    m->topic_count = n;
    m->dirty = true;
    return true;
}

static size_t
protocols_bytes(const struct group_protocol *p, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        bytes += p[i].name.len + p[i].metadata.len;
    }
    return bytes;
}

static struct group_protocol *
protocols_own(const struct group_protocol *p, size_t count)
{
    size_t head = (count + 1) * sizeof *p;
    struct group_protocol *list =
        xmalloc(head + protocols_bytes(p, count) + 1);
    uint8_t *at = (uint8_t *)list + head;

    for (size_t i = 0; i < count; i++) {
        list[i].name = span_of(at, p[i].name.len);
        if (p[i].name.len > 0) {
            memcpy(at, p[i].name.ptr, p[i].name.len);
        }
        at += p[i].name.len;
        list[i].metadata = span_of(at, p[i].metadata.len);
        if (p[i].metadata.len > 0) {
            memcpy(at, p[i].metadata.ptr, p[i].metadata.len);
        }
        at += p[i].metadata.len;
    }
    return list;
}

static bool
protocols_same(const struct consumer_member *m, const struct group_join *join)
{
    if (m->protocol_count != join->protocol_count) {
        return false;
    }
    for (size_t i = 0; i < m->protocol_count; i++) {
        if (!span_eq(m->protocols[i].name, join->protocols[i].name) ||
            !span_eq(m->protocols[i].metadata, join->protocols[i].metadata)) {
            return false;
        }
    }
    return true;
}

bool
consumer_member_classic(struct group *g, struct consumer_member *m,
    const struct group_join *join)
{
    if (join == NULL ? !m->classic
                     : m->classic && protocols_same(m, join) &&
            m->session_timeout_ms == join->session_timeout_ms) {
        return false;
    }
    bytes_add(g, m, join == NULL ? 0 : member_join_bytes(join),
        protocols_bytes(m->protocols, m->protocol_count));
    g->consumer->classic_count -= m->classic;
    free(m->protocols);
    m->protocols = NULL;
    m->protocol_count = 0;
    m->session_timeout_ms = 0;
    m->classic = join != NULL;
    m->join_deadline = m->sync_deadline = NEVER;
    if (join != NULL) {
        m->protocols = protocols_own(join->protocols, join->protocol_count);
        m->protocol_count = join->protocol_count;
        m->session_timeout_ms = join->session_timeout_ms;
        m->rebalance_deadline = NEVER;
    }
    g->consumer->classic_count += m->classic;
    m->dirty = true;
    return true;
}

void
consumer_member_instance(struct group *g, struct consumer_member *m,
    struct span instance_id)
{
    struct consumer_group *c = g->consumer;

    if (instance_id.ptr == NULL || (m->instance_id.ptr != NULL &&
            span_eq(m->instance_id, instance_id))) {
        return;
    }
    if (m->instance_id.ptr != NULL) {
        table_del(&c->by_instance, m->instance_id);
    }
    consumer_member_set(g, m, &m->instance_id, instance_id);
    table_put(&c->by_instance, m->instance_id, m);
}
