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

#include "group/group_priv.h"

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

void
subscription_init(struct subscription *sub, const struct group *g)
{
    const struct member *m;

    table_init(&sub->topics);
    sub->known = true;
    sub->consumer = group_uses_consumer_protocol(g);
    if (!sub->consumer) {
        return;
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
        (!sub->known || table_get(&sub->topics, topic) != NULL);
}
