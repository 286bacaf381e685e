/*
 * group_records.c: groups and their offsets as metadata records, written with
 * every change and read at start.
 *
 * Records (store.proto). Group: the state is not a field, it follows from
 * the others: no members, Empty; has_protocol, Stable; a protocol that all
 * offer, without it, CompletingRebalance; else PreparingRebalance. Offset: its key ends
 * with topic, NUL and partition, and a topic's name has no NUL, so the key is
 * read from its end whatever the group's id holds. The texts of a record end
 * at a NUL: what may hold one and must come back whole is refused.
 *
 * An offset whose topic is gone (its deletion stands for that of the offset)
 * is not read at start but remembered by its key, and deleted soon after.
 */
#include "config.h"

#include "api/group_records.h"

#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "proto/store.pb-c.h"

enum {
    RECORD_ARENA = 64 * 1024 * 1024,
    MEMBER_COST = 96,            /* bytes of a record, beside texts and bytes */
    PROTOCOL_COST = 24,
    ORPHANS_MAX = 16 * 1024 * 1024,
};

/* ---- records ---- */

static char *
record_text(struct arena *a, struct span s)
{
    const void *p = s.ptr == NULL ? "" : (const void *)s.ptr;
    char *text = arena_strndup(a, p, s.len);

    assert(text != NULL);
    return text;
}

static ProtobufCBinaryData
record_bytes(struct span s)
{
    union {
        const uint8_t *from;
        uint8_t *to;
    } u = {.from = s.ptr};

    return (ProtobufCBinaryData){s.len, u.to};
}

void *
group_list(struct arena *a, size_t count, size_t size)
{
    void *list = arena_calloc(a, count + 1, size);

    assert(list != NULL);
    return list;
}

struct span
group_key(struct arena *a, struct span id)
{
    uint8_t *key = group_list(a, 1 + id.len, 1);

    key[0] = META_GROUP;
    memcpy(key + 1, id.ptr, id.len);
    return span_of(key, 1 + id.len);
}

struct span
group_offset_key(struct arena *a, struct span id, struct span topic,
    int32_t partition)
{
    size_t len = 1 + id.len + 1 + topic.len + 1 + 4;
    uint8_t *key = group_list(a, len, 1), *at = key + 1;

    key[0] = META_OFFSET;
    memcpy(at, id.ptr, id.len);
    at += id.len + 1;
    memcpy(at, topic.ptr, topic.len);
    at += topic.len + 1;
    put_be32(at, (uint32_t)partition);
    return span_of(key, len);
}

static void
member_record(struct arena *a, const struct group_image_member *im,
    Store__GroupMember *m)
{
    Store__GroupProtocol *protocols = group_list(a, im->protocol_count,
        sizeof *protocols);

    store__group_member__init(m);
    m->member_id = record_text(a, im->member_id);
    m->instance_id = record_text(a, im->instance_id);
    m->has_instance = im->instance_id.ptr != NULL;
    m->client_id = record_text(a, im->client_id);
    m->client_host = record_text(a, im->client_host);
    m->session_timeout_ms = im->session_timeout_ms;
    m->rebalance_timeout_ms = im->rebalance_timeout_ms;
    m->assignment = record_bytes(im->assignment);
    m->protocols = group_list(a, im->protocol_count, sizeof *m->protocols);
    for (; m->n_protocols < im->protocol_count; m->n_protocols++) {
        const struct group_protocol *p = &im->protocols[m->n_protocols];

        store__group_protocol__init(&protocols[m->n_protocols]);
        protocols[m->n_protocols].name = record_text(a, p->name);
        protocols[m->n_protocols].metadata = record_bytes(p->metadata);
        m->protocols[m->n_protocols] = &protocols[m->n_protocols];
    }
}

struct span
group_record(struct arena *a, const struct group *g)
{
    Store__Group m = STORE__GROUP__INIT;
    Store__GroupMember *members;
    struct group_image im;
    uint8_t *out;
    size_t size;
    int rc = group_image(g, a, &im);

    assert(rc == 0);
    members = group_list(a, im.member_count, sizeof *members);
    m.members = group_list(a, im.member_count, sizeof *m.members);
    for (; m.n_members < im.member_count; m.n_members++) {
        member_record(a, &im.members[m.n_members], &members[m.n_members]);
        m.members[m.n_members] = &members[m.n_members];
    }
    m.protocol_type = record_text(a, im.protocol_type);
    m.protocol = record_text(a, im.state == GROUP_PREPARING
        ? SPAN_NULL : im.protocol_name);
    m.has_protocol = im.state == GROUP_STABLE;
    m.generation = im.generation;
    m.leader = record_text(a, im.leader_id);
    m.changed_ms = im.state_since_ms;
    size = store__group__get_packed_size(&m);
    out = group_list(a, size, 1);
    store__group__pack(&m, out);
    return span_of(out, size);
}

struct span
group_offset_record(struct arena *a, const struct group_fx *e)
{
    Store__Offset m = STORE__OFFSET__INIT;
    uint8_t *out;
    size_t size;

    m.offset = e->change.offset.offset;
    m.leader_epoch = e->change.offset.leader_epoch;
    m.metadata = record_text(a, e->change.offset.metadata);
    m.commit_ms = e->change.offset.commit_ms;
    m.expire_ms = e->change.offset.expire_ms + 1;
    m.topic_id = record_bytes(span_of(e->change.topic_id.bytes, 16));
    size = store__offset__get_packed_size(&m);
    out = group_list(a, size, 1);
    store__offset__pack(&m, out);
    return span_of(out, size);
}

size_t
group_image_cost(const struct group_image *im)
{
    size_t cost = GROUP_RECORD_COST + im->group_id.len + im->protocol_type.len
        + im->protocol_name.len + im->leader_id.len;

    for (size_t i = 0; i < im->member_count; i++) {
        const struct group_image_member *m = &im->members[i];

        cost += MEMBER_COST + m->member_id.len + m->instance_id.len
            + m->client_id.len + m->client_host.len + m->assignment.len;
        for (size_t k = 0; k < m->protocol_count; k++)
            cost += PROTOCOL_COST + m->protocols[k].name.len
                + m->protocols[k].metadata.len;
    }
    return cost;
}

/* ---- start ---- */

bool
group_offset_key_parse(struct span key, struct group_offset_name *out)
{
    const uint8_t *nul;
    size_t len;

    if (key.len < 7 || key.ptr[key.len - 5] != '\0')
        return false;
    out->partition = (int32_t)get_be32(key.ptr + key.len - 4);
    len = key.len - 5;
    nul = memrchr(key.ptr, '\0', len);
    if (nul == NULL)
        return false;
    out->group = span_of(key.ptr, (size_t)(nul - key.ptr));
    out->topic = span_of(nul + 1, len - out->group.len - 1);
    return true;
}

/* The topic was deleted, perhaps made anew since. */
static bool
offset_orphaned(const struct api *a, const struct group_offset_name *name,
    const struct uuid *id)
{
    const struct topic *t = topics_by_id(&a->topics, id);

    return t == NULL || !span_eq(span_str(t->name), name->topic)
        || topic_partition(t, name->partition) == NULL;
}

static void
orphan_keep(struct api *a, struct span key)
{
    struct buf *b = &a->group_care.orphans;

    buf_put_be32(b, (uint32_t)key.len);
    buf_put_span(b, key);
}

static int
load_offset(void *arg, struct span key, struct span value, struct err *err)
{
    struct api *a = arg;
    Store__Offset *m = store__offset__unpack(NULL, value.len, value.ptr);
    struct group_offset_name name;
    struct group_offset o;
    struct uuid id;
    int rc = 0;

    if (m == NULL || m->topic_id.len != 16
        || !group_offset_key_parse(key, &name)) {
        store__offset__free_unpacked(m, NULL);
        return err_set(err, ERR_DAMAGE, "the record of an offset is no "
            "message");
    }
    memcpy(id.bytes, m->topic_id.data, 16);
    o = (struct group_offset){.partition = name.partition,
        .leader_epoch = m->leader_epoch,
        .offset = m->offset,
        .commit_ms = m->commit_ms,
        .expire_ms = m->expire_ms - 1,
        .metadata = span_str(m->metadata)};
    if (offset_orphaned(a, &name, &id))
        orphan_keep(a, key);
    else
        rc = groups_restore_offset(&a->groups, name.group, name.topic, &id,
            &o, api_clock(a), err);
    store__offset__free_unpacked(m, NULL);
    return rc;
}

static bool
offers(const Store__GroupMember *m, const char *protocol)
{
    for (size_t i = 0; i < m->n_protocols; i++)
        if (strcmp(m->protocols[i]->name, protocol) == 0)
            return true;
    return false;
}

/* See the essay: has_protocol is for Stable. */
static enum group_state
record_state(const Store__Group *m)
{
    if (m->n_members == 0)
        return GROUP_EMPTY;
    if (m->has_protocol)
        return GROUP_STABLE;
    for (size_t i = 0; i < m->n_members; i++)
        if (!offers(m->members[i], m->protocol))
            return GROUP_PREPARING;
    return GROUP_COMPLETING;
}

static struct span
text_or_null(const char *text)
{
    return text[0] == '\0' ? SPAN_NULL : span_str(text);
}

static void
load_member(struct arena *a, const Store__GroupMember *m,
    struct group_image_member *out)
{
    struct group_protocol *list = group_list(a, m->n_protocols,
        sizeof *list);

    for (size_t i = 0; i < m->n_protocols; i++)
        list[i] = (struct group_protocol){span_str(m->protocols[i]->name),
            span_of(m->protocols[i]->metadata.data,
                m->protocols[i]->metadata.len)};
    *out = (struct group_image_member){.member_id = span_str(m->member_id),
        .instance_id = m->has_instance ? span_str(m->instance_id)
                                       : SPAN_NULL,
        .client_id = span_str(m->client_id),
        .client_host = span_str(m->client_host),
        .session_timeout_ms = m->session_timeout_ms,
        .rebalance_timeout_ms = m->rebalance_timeout_ms,
        .protocols = list,
        .protocol_count = m->n_protocols,
        .assignment = span_of(m->assignment.data, m->assignment.len)};
}

static int
load_group(void *arg, struct span key, struct span value, struct err *err)
{
    struct api *a = arg;
    Store__Group *m = store__group__unpack(NULL, value.len, value.ptr);
    struct group_image_member *members;
    struct group_image im;
    struct arena arena;
    int rc;

    if (m == NULL)
        return err_set(err, ERR_DAMAGE, "the record of a group is no "
            "message");
    if (m->consumer) {
        rc = consumer_record_load(a, key, m->generation, m->target_epoch,
            m->topics_hash, span_of(m->topology.data, m->topology.len), err);
        store__group__free_unpacked(m, NULL);
        return rc;
    }
    arena_init(&arena, RECORD_ARENA);
    members = group_list(&arena, m->n_members, sizeof *members);
    for (size_t i = 0; i < m->n_members; i++)
        load_member(&arena, m->members[i], &members[i]);
    im = (struct group_image){.group_id = key,
        .state = record_state(m),
        .generation = m->generation,
        .state_since_ms = m->changed_ms,
        .protocol_type = text_or_null(m->protocol_type),
        .protocol_name = record_state(m) == GROUP_PREPARING
                || m->n_members == 0 ? SPAN_NULL : span_str(m->protocol),
        .leader_id = text_or_null(m->leader),
        .members = members,
        .member_count = m->n_members};
    if (group_image_cost(&im) > a->group_care.record_most)
        a->group_care.record_most = group_image_cost(&im);
    rc = groups_restore(&a->groups, &im, api_clock(a), err);
    arena_release(&arena);
    store__group__free_unpacked(m, NULL);
    return rc;
}

int
api_load_groups(struct api *a, struct err *err)
{
    buf_init(&a->group_care.orphans, ORPHANS_MAX);
    a->group_care.record_most = GROUP_RECORD_COST + 4 * GROUP_NAME_MAX;
    a->group_care.sweep_ms = api_clock(a) + GROUP_SWEEP_MS;
    consumer_groups_init(a);
    if (seq_records(a->seq, META_GROUP, load_group, a, err) != 0
        || consumer_records_load(a, err) != 0)
        return -1;
    return seq_records(a->seq, META_OFFSET, load_offset, a, err);
}
