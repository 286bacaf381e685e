/*
 * A topology as bytes and back. The bytes are what is kept and persisted:
 * two topologies are the same exactly if their bytes are.
 *
 *     u8 version (1), i32 epoch, list of subtopologies
 *     subtopology: text id, list of texts sources, list of texts sinks,
 *         lists of topics repartitions and changelogs, list of copartitions
 *     topic: text, i32 partitions, i16 replicas, pairs
 *     copartition: list of i16 sources, list of i16 repartitions
 *     pairs: list of text, text
 *
 * A list is an u32 count and its elements, a text an u32 length and its
 * bytes. What comes back from the disk is not trusted: a count is bounded by
 * the bytes that are left, each element taking at least two of them.
 */
#include "config.h"

#include "group/streams.h"

#include "base/check.h"
#include "base/endian.h"

enum { FORMAT = 1 };

/* ---- out ---- */

static void
put_text(struct buf *b, struct span s)
{
    buf_put_be32(b, (uint32_t)s.len);
    buf_put_span(b, s);
}

static void
put_texts(struct buf *b, const struct span *list, uint32_t n)
{
    buf_put_be32(b, n);
    for (uint32_t i = 0; i < n; i++) {
        put_text(b, list[i]);
    }
}

void
streams_pairs_put(struct buf *b, const struct streams_pair *list, uint32_t n)
{
    buf_put_be32(b, n);
    for (uint32_t i = 0; i < n; i++) {
        put_text(b, list[i].key);
        put_text(b, list[i].value);
    }
}

static void
put_topics(struct buf *b, const struct streams_topic *list, uint32_t n)
{
    buf_put_be32(b, n);
    for (uint32_t i = 0; i < n; i++) {
        put_text(b, list[i].name);
        buf_put_be32(b, (uint32_t)list[i].partitions);
        buf_put_be16(b, (uint16_t)list[i].replicas);
        streams_pairs_put(b, list[i].configs, list[i].config_count);
    }
}

static void
put_places(struct buf *b, const int16_t *list, uint32_t n)
{
    buf_put_be32(b, n);
    for (uint32_t i = 0; i < n; i++) {
        buf_put_be16(b, (uint16_t)list[i]);
    }
}

void
streams_topology_put(struct buf *b, const struct streams_topology *t)
{
    buf_put_u8(b, FORMAT);
    buf_put_be32(b, (uint32_t)t->epoch);
    buf_put_be32(b, t->count);
    for (uint32_t i = 0; i < t->count; i++) {
        const struct streams_subtopology *s = &t->list[i];

        put_text(b, s->id);
        put_texts(b, s->sources, s->source_count);
        put_texts(b, s->sinks, s->sink_count);
        put_topics(b, s->repartitions, s->repartition_count);
        put_topics(b, s->changelogs, s->changelog_count);
        buf_put_be32(b, s->copartition_count);
        for (uint32_t k = 0; k < s->copartition_count; k++) {
            put_places(b, s->copartitions[k].sources,
                s->copartitions[k].source_count);
            put_places(b, s->copartitions[k].repartitions,
                s->copartitions[k].repartition_count);
        }
    }
}

/* ---- in: the first failure sticks, everything after it is empty ---- */

struct source {
    struct span left;
    struct arena *arena;
    bool failed;
};

static const uint8_t *
take(struct source *s, size_t n)
{
    const uint8_t *at = s->left.ptr;

    if (s->failed || s->left.len < n) {
        s->failed = true;
        return NULL;
    }
    s->left.ptr += n;
    s->left.len -= n;
    return at;
}

static uint32_t
get_number(struct source *s)
{
    const uint8_t *at = take(s, 4);

    return at == NULL ? 0 : get_be32(at);
}

static int16_t
get_place(struct source *s)
{
    const uint8_t *at = take(s, 2);

    return at == NULL ? 0 : (int16_t)get_be16(at);
}

static struct span
get_text(struct source *s)
{
    uint32_t len = get_number(s);
    const uint8_t *at = take(s, len);

    return at == NULL ? span_str("") : span_of(at, len);
}

/* The array of a list, zeroed; *count 0 and NULL after a failure. */
static void *
get_list(struct source *s, size_t size, uint32_t *count)
{
    uint32_t n = get_number(s);
    void *list = NULL;

    if (!s->failed && n <= s->left.len / 2) {
        list = arena_calloc(s->arena, n + 1, size);
    }
    s->failed = s->failed || list == NULL;
    *count = s->failed ? 0 : n;
    return list;
}

static struct span *
get_texts(struct source *s, uint32_t *count)
{
    struct span *list = get_list(s, sizeof *list, count);

    for (uint32_t i = 0; i < *count; i++) {
        list[i] = get_text(s);
    }
    return list;
}

static struct streams_pair *
get_pairs(struct source *s, uint32_t *count)
{
    struct streams_pair *list = get_list(s, sizeof *list, count);

    for (uint32_t i = 0; i < *count; i++) {
        list[i].key = get_text(s);
        list[i].value = get_text(s);
    }
    return list;
}

static struct streams_topic *
get_topics(struct source *s, uint32_t *count)
{
    struct streams_topic *list = get_list(s, sizeof *list, count);

    for (uint32_t i = 0; i < *count; i++) {
        list[i].name = get_text(s);
        list[i].partitions = (int32_t)get_number(s);
        list[i].replicas = get_place(s);
        list[i].configs = get_pairs(s, &list[i].config_count);
    }
    return list;
}

static int16_t *
get_places(struct source *s, uint32_t *count)
{
    int16_t *list = get_list(s, sizeof *list, count);

    for (uint32_t i = 0; i < *count; i++) {
        list[i] = get_place(s);
    }
    return list;
}

static void
get_subtopology(struct source *s, struct streams_subtopology *out)
{
    out->id = get_text(s);
    out->sources = get_texts(s, &out->source_count);
    out->sinks = get_texts(s, &out->sink_count);
    out->repartitions = get_topics(s, &out->repartition_count);
    out->changelogs = get_topics(s, &out->changelog_count);
    out->copartitions = get_list(s, sizeof *out->copartitions,
        &out->copartition_count);
    for (uint32_t i = 0; i < out->copartition_count; i++) {
        struct streams_copartition *c = &out->copartitions[i];

        c->sources = get_places(s, &c->source_count);
        c->repartitions = get_places(s, &c->repartition_count);
    }
}

/* Places lie inside of their lists, counts are not below 0. */
static bool
sound(const struct streams_subtopology *s)
{
    for (uint32_t i = 0; i < s->copartition_count; i++) {
        const struct streams_copartition *c = &s->copartitions[i];

        for (uint32_t k = 0; k < c->source_count; k++) {
            if (c->sources[k] < 0 ||
                (uint32_t)c->sources[k] >= s->source_count) {
                return false;
            }
        }
        for (uint32_t k = 0; k < c->repartition_count; k++) {
            if (c->repartitions[k] < 0 ||
                (uint32_t)c->repartitions[k] >= s->repartition_count) {
                return false;
            }
        }
    }
    for (uint32_t i = 0; i < s->repartition_count; i++) {
        if (s->repartitions[i].partitions < 0) {
            return false;
        }
    }
    return s->source_count + s->repartition_count > 0;
}

struct streams_topology *
streams_topology_get(struct span bytes, struct arena *arena)
{
    struct source s = {.left = bytes, .arena = arena};
    struct streams_topology *t = arena_calloc(arena, 1, sizeof *t);
    const uint8_t *version = take(&s, 1);

    if (t == NULL || version == NULL || *version != FORMAT) {
        return NULL;
    }
    t->epoch = (int32_t)get_number(&s);
    t->list = get_list(&s, sizeof *t->list, &t->count);
    for (uint32_t i = 0; i < t->count; i++) {
        get_subtopology(&s, &t->list[i]);
    }
    if (s.failed || s.left.len > 0 || t->epoch < 0) {
        return NULL;
    }
    for (uint32_t i = 0; i < t->count; i++) {
        if (!sound(&t->list[i])) {
            return NULL;
        }
    }
    return t;
}

bool
streams_pairs_get(struct span bytes, struct arena *arena,
    struct streams_pair **out, uint32_t *count)
{
    struct source s = {.left = bytes, .arena = arena};

    *count = 0;
    *out = bytes.len == 0 ? NULL : get_pairs(&s, count);
    return !s.failed && s.left.len == 0;
}

/* ---- ids ---- */

struct uuid
streams_part_id(uint32_t place)
{
    struct uuid id = {{0}};

    put_be32(id.bytes + sizeof id.bytes - 4, place + 1);
    return id;
}

uint32_t
streams_part_place(const struct uuid *id)
{
    return get_be32(id->bytes + sizeof id->bytes - 4) - 1;
}

int
streams_place(const struct streams_topology *t, struct span id)
{
    for (uint32_t i = 0; t != NULL && i < t->count; i++) {
        if (span_eq(t->list[i].id, id)) {
            return (int)i;
        }
    }
    return -1;
}
