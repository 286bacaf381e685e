/*
 * Which topics do the members of a consumer group read? Their metadata for
 * the chosen protocol begins, in every version, as version 0 of the
 * subscription of Kafka's consumers does (ConsumerProtocolSubscription):
 *
 *     version      int16, not negative
 *     topics       int32 count, then for each an int16 length and its bytes
 *
 * It is the client's word and may be anything: what does not parse, or is not
 * there yet, makes the answer unknown, and then every topic counts as read.
 */
#include "config.h"

#include "group/consumer_priv.h"

#include "base/endian.h"

static bool
take(struct span *from, size_t n, const uint8_t **at)
{
    if (from->len < n) {
        return false;
    }
    *at = from->ptr;
    from->ptr += n;
    from->len -= n;
    return true;
}

static bool
read_topics(struct table *topics, struct span metadata)
{
    const uint8_t *p;
    uint32_t count;

    if (!take(&metadata, 2, &p) || (int16_t)get_be16(p) < 0 ||
        !take(&metadata, 4, &p)) {
        return false;
    }
    count = get_be32(p);
    if (count > metadata.len / 2) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t len;

        if (!take(&metadata, 2, &p) || (int16_t)get_be16(p) < 0) {
            return false;
        }
        len = get_be16(p);
        if (!take(&metadata, len, &p)) {
            return false;
        }
        /* any pointer will do as a value: it is a set */
        table_put(topics, span_of(p, len), topics);
    }
    return true;
}

static void
add_topology(struct subscription *sub, const struct streams_topology *t)
{
    for (uint32_t i = 0; t != NULL && i < t->count; i++) {
        const struct streams_subtopology *s = &t->list[i];

        for (uint32_t k = 0; k < s->source_count; k++) {
            table_put(&sub->topics, s->sources[k], sub);
        }
        for (uint32_t k = 0; k < s->repartition_count; k++) {
            table_put(&sub->topics, s->repartitions[k].name, sub);
        }
    }
}

/* The members of a consumer group say so themselves. */
static void
add_named(struct subscription *sub, const struct consumer_group *c)
{
    const struct consumer_member *m;

    TAILQ_FOREACH (m, &c->members, link) {
        for (size_t i = 0; i < m->topic_count; i++) {
            table_put(&sub->topics, m->topics[i], sub);
        }
    }
}

static bool
matched(const struct group *g, struct span topic)
{
    const struct group_topics *topics = &g->env->topics;
    const struct consumer_regex *r;
    struct group_topic t;

    if (g->consumer == NULL || g->consumer->regexes.count == 0 ||
        !topics->by_name(topics->arg, topic, &t)) {
        return false;
    }
    for (size_t i = 0; (r = table_next(&g->consumer->regexes, &i)) != NULL;) {
        for (size_t k = 0; k < r->count; k++) {
            if (uuid_eq(&r->ids[k], &t.id)) {
                return true;
            }
        }
    }
    return false;
}

void
subscription_init(struct subscription *sub, const struct group *g)
{
    const struct member *m;

    table_init(&sub->topics);
    sub->known = true;
    sub->group = g;
    sub->consumer = group_uses_consumer_protocol(g) ||
        (group_type(g) == GROUP_STREAMS && group_member_count(g) > 0);
    if (!sub->consumer) {
        return;
    }
    if (g->consumer != NULL) {
        add_named(sub, g->consumer);
        if (g->consumer->streams != NULL) {
            add_topology(sub, streams_topology(g));
        }
    }
    TAILQ_FOREACH (m, &g->members, link) {
        const struct group_protocol *p = g->protocol_name.ptr == NULL
            ? NULL : member_protocol(m, g->protocol_name);

        sub->known = sub->known && p != NULL &&
            read_topics(&sub->topics, p->metadata);
    }
}

void
subscription_release(struct subscription *sub)
{
    table_release(&sub->topics);
}

bool
subscription_has(const struct subscription *sub, struct span topic)
{
    return sub->consumer &&
        (!sub->known || table_get(&sub->topics, topic) != NULL ||
            matched(sub->group, topic));
}
