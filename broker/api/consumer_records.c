/*
 * consumer_records.c: consumer groups as metadata records. The group's own
 * record is small and changes with each epoch; each member has one of its
 * own, so that a group of many writes what moved and no more. Both stand in
 * one effect when both change.
 *
 * The record of a member names its group and itself, since neither could be
 * read back from the key: both ids may hold anything.
 */
#include "config.h"

#include "api/group_records.h"

#include "base/check.h"
#include "base/diag.h"
#include "base/limits.h"
#include "proto/store.pb-c.h"

enum { RECORD_ARENA = 64 * 1024 * 1024 };

/* ---- out ---- */

static ProtobufCBinaryData
bytes_of(struct span s)
{
    union {
        const uint8_t *from;
        uint8_t *to;
    } u = {.from = s.ptr};

    return (ProtobufCBinaryData){s.len, u.to};
}

struct span
consumer_record(struct arena *a, const struct group *g)
{
    Store__Group m = STORE__GROUP__INIT;
    struct consumer_image im;
    uint8_t *out;
    size_t size;

    consumer_image(g, &im);
    m.consumer = true;
    m.generation = im.epoch;
    m.target_epoch = im.target_epoch;
    m.topics_hash = im.topics_hash;
    m.topology = bytes_of(im.topology);
    size = store__group__get_packed_size(&m);
    out = group_list(a, size, 1);
    store__group__pack(&m, out);
    return span_of(out, size);
}

struct span
consumer_member_key(struct arena *a, struct span group, struct span member)
{
    size_t len = 1 + group.len + 1 + member.len;
    uint8_t *key = group_list(a, len, 1);

    key[0] = META_MEMBER;
    memcpy(key + 1, group.ptr, group.len);
    memcpy(key + 1 + group.len + 1, member.ptr, member.len);
    return span_of(key, len);
}

static Store__TopicParts **
parts_record(struct arena *a, const struct parts *parts, size_t *count)
{
    size_t n = parts_topics(parts);
    Store__TopicParts *list = group_list(a, n, sizeof *list);
    Store__TopicParts **out = group_list(a, n, sizeof *out);
    uint32_t *numbers = group_list(a, parts->count, sizeof *numbers);

    *count = 0;
    for (uint32_t i = 0; i < parts->count; i++) {
        const struct part *p = &parts->v[i];

        if (i == 0 || !uuid_eq(&p->topic, &p[-1].topic)) {
            Store__TopicParts *t = &list[*count];

            store__topic_parts__init(t);
            t->topic_id = bytes_of(span_of(p->topic.bytes,
                sizeof p->topic.bytes));
            t->partitions = &numbers[i];
            out[(*count)++] = t;
        }
        numbers[i] = (uint32_t)p->partition;
        out[*count - 1]->n_partitions++;
    }
    return out;
}

static void
protocols_record(struct arena *a, const struct consumer_member_image *im,
    Store__ConsumerMember *m)
{
    Store__GroupProtocol *list = group_list(a, im->protocol_count,
        sizeof *list);

    m->protocols = group_list(a, im->protocol_count, sizeof *m->protocols);
    for (; m->n_protocols < im->protocol_count; m->n_protocols++) {
        const struct group_protocol *from = &im->protocols[m->n_protocols];
        Store__GroupProtocol *to = &list[m->n_protocols];

        store__group_protocol__init(to);
        to->name = arena_strndup(a, (const char *)from->name.ptr,
            from->name.len);
        to->metadata = bytes_of(from->metadata);
        m->protocols[m->n_protocols] = to;
    }
}

static void
subscription_record(struct arena *a, const struct consumer_member_image *im,
    Store__ConsumerMember *m)
{
    m->regex = bytes_of(im->regex);
    m->topics = group_list(a, im->topic_count, sizeof *m->topics);
    for (; m->n_topics < im->topic_count; m->n_topics++)
        m->topics[m->n_topics] = bytes_of(im->topics[m->n_topics]);
}

static void
streams_record(const struct streams_member *im, Store__StreamsMember *m)
{
    store__streams_member__init(m);
    m->process_id = bytes_of(im->process_id);
    m->topology_epoch = im->topology_epoch;
    m->has_endpoint = im->has_endpoint;
    m->host = bytes_of(im->endpoint.host);
    m->port = im->endpoint.port;
    m->tags = bytes_of(im->tags);
}

void
consumer_member_put(struct arena *a, const struct group *g,
    const struct consumer_member *member, struct record_put *put)
{
    Store__ConsumerMember m = STORE__CONSUMER_MEMBER__INIT;
    Store__StreamsMember streams;
    struct consumer_member_image im;
    uint8_t *out;
    size_t size;

    consumer_member_image(member, &im);
    if (im.streams != NULL) {
        streams_record(im.streams, &streams);
        m.streams = &streams;
    }
    m.group_id = bytes_of(group_id(g));
    m.member_id = bytes_of(im.member_id);
    m.instance_id = bytes_of(im.instance_id);
    m.rack_id = bytes_of(im.rack_id);
    m.client_id = bytes_of(im.client_id);
    m.client_host = bytes_of(im.client_host);
    if (im.assignor.len > 0)
        m.assignor = arena_strndup(a, (const char *)im.assignor.ptr,
            im.assignor.len);
    subscription_record(a, &im, &m);
    m.rebalance_timeout_ms = im.rebalance_timeout_ms;
    m.epoch = im.epoch;
    m.previous_epoch = im.previous_epoch;
    m.state = im.state;
    m.assigned = parts_record(a, &im.assigned, &m.n_assigned);
    m.revoking = parts_record(a, &im.revoking, &m.n_revoking);
    m.target = parts_record(a, &im.target, &m.n_target);
    m.session_timeout_ms = im.session_timeout_ms;
    protocols_record(a, &im, &m);
    size = store__consumer_member__get_packed_size(&m);
    out = group_list(a, size, 1);
    store__consumer_member__pack(&m, out);
    put->key = consumer_member_key(a, group_id(g), im.member_id);
    put->value = span_of(out, size);
}

size_t
consumer_cost(struct api *a, const struct group *g)
{
    size_t cost = GROUP_RECORD_COST + group_record_bytes(g)
        + group_member_count(g) * 2 * group_id(g).len;

    if (cost > a->group_care.record_most)
        a->group_care.record_most = cost;
    return cost;
}

/* ---- in ---- */

static struct span
span_in(ProtobufCBinaryData b)
{
    return b.len == 0 ? span_str("") : span_of(b.data, b.len);
}

static struct span
span_or_null(ProtobufCBinaryData b)
{
    return b.len == 0 ? SPAN_NULL : span_of(b.data, b.len);
}

static bool
parts_load(Store__TopicParts *const *list, size_t count, struct parts *out)
{
    for (size_t i = 0; i < count; i++) {
        struct uuid id;

        if (list[i]->topic_id.len != sizeof id.bytes)
            return false;
        memcpy(id.bytes, list[i]->topic_id.data, sizeof id.bytes);
        for (size_t k = 0; k < list[i]->n_partitions; k++) {
            if (list[i]->partitions[k] >= PARTITIONS_TOPIC_MAX)
                return false;
            parts_push(out, &id, (int32_t)list[i]->partitions[k]);
        }
    }
    parts_sort(out);
    return true;
}

static void
texts_load(struct arena *a, const Store__ConsumerMember *m,
    struct consumer_member_image *im)
{
    struct group_protocol *protocols = group_list(a, m->n_protocols,
        sizeof *protocols);
    struct span *topics = group_list(a, m->n_topics, sizeof *topics);

    for (size_t i = 0; i < m->n_topics; i++)
        topics[i] = span_in(m->topics[i]);
    for (size_t i = 0; i < m->n_protocols; i++)
        protocols[i] = (struct group_protocol){
            span_str(m->protocols[i]->name),
            span_in(m->protocols[i]->metadata)};
    *im = (struct consumer_member_image){
        .member_id = span_in(m->member_id),
        .instance_id = span_or_null(m->instance_id),
        .rack_id = span_or_null(m->rack_id),
        .client_id = span_in(m->client_id),
        .client_host = span_in(m->client_host),
        .regex = span_in(m->regex),
        .assignor = m->assignor[0] == '\0' ? SPAN_NULL
                                           : span_str(m->assignor),
        .topics = topics,
        .topic_count = m->n_topics,
        .rebalance_timeout_ms = m->rebalance_timeout_ms,
        .epoch = m->epoch,
        .previous_epoch = m->previous_epoch,
        .state = (enum consumer_state)m->state,
        .classic = m->n_protocols > 0,
        .session_timeout_ms = m->session_timeout_ms,
        .protocols = protocols,
        .protocol_count = m->n_protocols};
}

static void
streams_load(const Store__StreamsMember *m, struct streams_member *out)
{
    *out = (struct streams_member){.process_id = span_in(m->process_id),
        .topology_epoch = m->topology_epoch,
        .has_endpoint = m->has_endpoint,
        .endpoint = {span_in(m->host), (uint16_t)m->port},
        .tags = span_in(m->tags)};
}

static int
member_load(struct api *a, const Store__ConsumerMember *m, struct err *err)
{
    struct consumer_member_image im;
    struct streams_member streams;
    struct arena arena;
    int rc = -1;

    arena_init(&arena, RECORD_ARENA);
    texts_load(&arena, m, &im);
    if (m->streams != NULL) {
        streams_load(m->streams, &streams);
        im.streams = &streams;
    }
    if (!parts_load(m->assigned, m->n_assigned, &im.assigned)
        || !parts_load(m->revoking, m->n_revoking, &im.revoking)
        || !parts_load(m->target, m->n_target, &im.target))
        err_set(err, ERR_DAMAGE, "the record of a group's member names no "
            "partition");
    else
        rc = groups_restore_consumer_member(&a->groups, span_in(m->group_id),
            &im, api_clock(a), err);
    parts_release(&im.assigned);
    parts_release(&im.revoking);
    parts_release(&im.target);
    arena_release(&arena);
    return rc;
}

static int
load_one(void *arg, struct span key, struct span value, struct err *err)
{
    Store__ConsumerMember *m = store__consumer_member__unpack(NULL, value.len,
        value.ptr);
    int rc;

    (void)key;
    if (m == NULL)
        return err_set(err, ERR_DAMAGE, "the record of a group's member is "
            "no message");
    rc = member_load(arg, m, err);
    store__consumer_member__free_unpacked(m, NULL);
    return rc;
}

int
consumer_records_load(struct api *a, struct err *err)
{
    const struct group *g;

    if (seq_records(a->seq, META_MEMBER, load_one, a, err) != 0)
        return -1;
    groups_restored_consumers(&a->groups);
    for (size_t i = 0; (g = groups_next(&a->groups, &i)) != NULL;)
        if (group_type(g) != GROUP_CLASSIC)
            consumer_cost(a, g);
    return 0;
}

int
consumer_record_load(struct api *a, struct span key, int32_t epoch,
    int32_t target_epoch, uint64_t topics_hash, struct span topology,
    struct err *err)
{
    const struct consumer_image im = {.group_id = key,
        .epoch = epoch,
        .target_epoch = target_epoch,
        .topics_hash = topics_hash,
        .topology = topology.len == 0 ? SPAN_NULL : topology};

    return groups_restore_consumer(&a->groups, &im, api_clock(a), err);
}
