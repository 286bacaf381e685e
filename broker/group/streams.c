/*
 * Streams groups (KIP-1071): consumer groups whose members run the tasks of a
 * topology. All of consumer.c holds: epochs, fencing, static members, the way
 * to a target (reconcile.c), what is persisted and when. What is different
 * is what members share out:
 *
 *     partitions of topics that each subscribes to   (consumer group)
 *     tasks, a subtopology and a partition each      (streams group)
 *
 * A task stands in the same sets as a partition does, with an id made from
 * the place of its subtopology (streams.h): places do not move while a group
 * has members, since its topology does not change then.
 *
 *     join        brings the topology; the first one becomes the group's
 *     plan        the topology against the topics: is all there? how many
 *                 tasks? (streams_plan.c); looked at again when topics change
 *     target      who runs what (streams_assign.c); nothing while not ready
 *     answer      epoch, tasks, and what is wrong with the topics
 *
 *   NotReady      has members, and topics are missing or of the wrong size
 *
 * Internal topics that are missing are made by who calls, after the step:
 * streams_makes(). The next heartbeat finds them.
 *
 * Invariants, beside those of consumer.c
 *  1. A group with members has a topology, and each member is a streams one.
 *  2. Targets name tasks of the topology only; they are all of them when the
 *     group is ready and target_epoch is its epoch.
 *  3. The plan is of the topology, and of the topics as of topics_version.
 */
#include "config.h"

#include <stdlib.h>

#include "group/streams_priv.h"

#include "base/alloc.h"

enum { TOPOLOGY_ARENA = 16 * 1024 * 1024 };

/* ---- life ---- */

void
streams_begin(struct group *g)
{
    struct streams *s = xcalloc(1, sizeof *s);

    assert(g->consumer->streams == NULL && g->consumer->member_count == 0);
    s->plan.code = STREAMS_READY;
    g->consumer->streams = s;
    span_disown(&g->protocol_type);
    g->protocol_type = span_own(span_str("streams"));
}

static void
topology_drop(struct streams *s)
{
    streams_plan_release(&s->plan);
    arena_release(&s->arena);
    s->topology = NULL;
    span_disown(&s->bytes);
}

void
streams_end(struct consumer_group *c)
{
    if (c->streams == NULL) {
        return;
    }
    topology_drop(c->streams);
    span_disown(&c->streams->shutdown);
    free(c->streams);
    c->streams = NULL;
}

void
streams_member_free(struct consumer_member *m)
{
    if (m->streams == NULL) {
        return;
    }
    span_disown(&m->streams->process_id);
    span_disown(&m->streams->endpoint.host);
    span_disown(&m->streams->tags);
    free(m->streams);
    m->streams = NULL;
}

/* false: the bytes are no topology. */
static bool
topology_set(struct streams *s, struct span bytes)
{
    topology_drop(s);
    s->bytes = span_own(bytes);
    arena_init(&s->arena, TOPOLOGY_ARENA);
    s->topology = streams_topology_get(s->bytes, &s->arena);
    return s->topology != NULL;
}

/* ---- what is refused ---- */

static enum kerr
changelog_refusal(const struct streams_subtopology *s, const char **message)
{
    for (uint32_t i = 0; i < s->changelog_count; i++) {
        if (s->changelogs[i].partitions != 0) {
            *message = "A changelog topic must have an undefined partition "
                       "count.";
            return KERR_STREAMS_INVALID_TOPOLOGY;
        }
    }
    return KERR_NONE;
}

static bool
too_wide(const struct streams_topology *t)
{
    size_t sources = 0, sinks = 0, repartitions = 0;

    for (uint32_t i = 0; i < t->count; i++) {
        sources += t->list[i].source_count;
        sinks += t->list[i].sink_count;
        repartitions += t->list[i].repartition_count;
    }
    return t->count > STREAMS_SUBTOPOLOGIES_MAX ||
        sources > STREAMS_SOURCES_MAX || sinks > STREAMS_SINKS_MAX ||
        repartitions > STREAMS_REPARTITIONS_MAX;
}

static enum kerr
topology_refusal(const struct streams_topology *t, const char **message)
{
    enum kerr error = KERR_NONE;
    struct streams_topology *again = NULL;
    struct streams_plan plan = {0};
    struct arena arena;
    struct buf b;

    buf_init(&b, STREAMS_TOPOLOGY_MAX);
    arena_init(&arena, TOPOLOGY_ARENA);
    streams_topology_put(&b, t);
    if (b.failed || too_wide(t)) {
        *message = "The topology is too large.";
        error = KERR_POLICY_VIOLATION;
    } else {
        again = streams_topology_get(buf_span(&b), &arena);
    }
    if (error == KERR_NONE && (again == NULL || t->count == 0)) {
        *message = "The topology is empty, a subtopology reads nothing, or a "
                   "number in it is invalid.";
        error = KERR_STREAMS_INVALID_TOPOLOGY;
    }
    for (uint32_t i = 0; i < t->count && error == KERR_NONE; i++) {
        error = changelog_refusal(&t->list[i], message);
        if (streams_place(t, t->list[i].id) != (int)i) {
            *message = "A subtopology is there twice.";
            error = KERR_STREAMS_INVALID_TOPOLOGY;
        }
    }
    if (error == KERR_NONE) {
        streams_plan_make(&plan, again, NULL);
        if (plan.code == STREAMS_INVALID) {
            *message = "The number of partitions of a repartition topic can "
                       "not be found: nothing writes to it, or it feeds "
                       "itself.";
            error = KERR_STREAMS_INVALID_TOPOLOGY;
        }
        streams_plan_release(&plan);
    }
    arena_release(&arena);
    buf_release(&b);
    return error;
}

enum kerr
streams_beat_refusal(const struct group_beat *b, const char **message)
{
    const struct streams_beat *s = b->streams;

    if (b->epoch == 0 && b->rebalance_timeout_ms < 0) {
        *message = "A member says its rebalance timeout when it joins.";
    } else if (b->epoch == 0 && (!b->has_owned || b->owned_count > 0)) {
        *message = "A member that joins holds no active tasks.";
    } else if (b->epoch == 0 && s->topology == NULL) {
        *message = "A member brings its topology when it joins.";
    } else if (b->epoch != 0 && s->topology != NULL) {
        *message = "A topology is taken from a member that joins only.";
    } else if (s->process_id.len > GROUP_NAME_MAX ||
        s->tags.len > STREAMS_TAGS_MAX ||
        (s->endpoint != NULL && s->endpoint->host.len > GROUP_NAME_MAX)) {
        *message = "A process id, an endpoint or the tags are too long.";
    }
    if (*message != NULL) {
        return KERR_INVALID_REQUEST;
    }
    return b->epoch == 0 ? topology_refusal(s->topology, message) : KERR_NONE;
}

/* ---- the topology of the group ---- */

static bool
has_invalid_task(const struct streams *s, const struct group_beat *b)
{
    for (size_t i = 0; i < b->owned_count; i++) {
        uint32_t place = streams_part_place(&b->owned[i].topic);

        if (place >= s->topology->count || b->owned[i].partition < 0 ||
            b->owned[i].partition >= STREAMS_TASKS_MAX) {
            return true;
        }
    }
    return false;
}

/* An empty group takes any topology; one with members keeps its own. */
enum kerr
streams_admit(const struct step *step, const struct group_beat *b,
    const char **message)
{
    struct consumer_group *c = step->group->consumer;
    struct streams *s = c->streams;
    const struct streams_topology *t = b->streams->topology;
    enum kerr error = KERR_NONE;
    struct buf bytes;
    bool same;

    if (t == NULL) {
        assert(s->topology != NULL);
        if (has_invalid_task(s, b)) {
            *message = "A task is not in the group's topology.";
            return KERR_INVALID_REQUEST;
        }
        return KERR_NONE;
    }
    buf_init(&bytes, STREAMS_TOPOLOGY_MAX);
    streams_topology_put(&bytes, t);
    same = s->topology != NULL && span_eq(s->bytes, buf_span(&bytes));
    if (!same && c->member_count == 0) {
        bool ok = topology_set(s, buf_span(&bytes));

        assert(ok);
        c->topics_version = 0;
        c->dirty = true;
    } else if (!same && t->epoch >= s->topology->epoch) {
        *message = "The group has members with another topology.";
        error = KERR_INVALID_REQUEST;
    }
    buf_release(&bytes);
    return error;
}

/* ---- members ---- */

static struct streams_member *
member_part(struct consumer_member *m)
{
    if (m->streams == NULL) {
        m->streams = xcalloc(1, sizeof *m->streams);
        m->streams->process_id = span_own(span_str(""));
        m->streams->tags = span_own(span_str(""));
        m->dirty = true;
    }
    return m->streams;
}

bool
streams_update(struct group *g, struct consumer_member *m,
    const struct streams_beat *b)
{
    bool changed = m->streams == NULL;
    struct streams_member *part = member_part(m);

    changed |= consumer_member_set(g, m, &part->process_id, b->process_id);
    changed |= consumer_member_set(g, m, &part->tags, b->tags);
    if (b->endpoint != NULL) {
        changed |= consumer_member_set(g, m, &part->endpoint.host,
            b->endpoint->host);
        changed |= !part->has_endpoint ||
            part->endpoint.port != b->endpoint->port;
        m->dirty = m->dirty || changed;
        part->endpoint.port = b->endpoint->port;
        part->has_endpoint = true;
    }
    if (b->topology != NULL && part->topology_epoch != b->topology->epoch) {
        part->topology_epoch = b->topology->epoch;
        m->dirty = changed = true;
    }
    if (b->shutdown) {
        span_disown(&g->consumer->streams->shutdown);
        g->consumer->streams->shutdown = span_own(m->id);
    }
    return changed;
}

void
streams_moved(struct group *g, const struct consumer_member *m)
{
    if (m->streams->has_endpoint) {
        g->consumer->streams->endpoint_epoch++;
    }
}

void
streams_emptied(struct group *g)
{
    span_disown(&g->consumer->streams->shutdown);
}

/* ---- one step ---- */

void
streams_advance(const struct step *step, struct consumer_member *m,
    const struct parts *owned, bool changed)
{
    struct group *g = step->group;
    struct consumer_group *c = g->consumer;
    const struct group_topics *topics = &g->env->topics;
    uint64_t version = topics->version(topics->arg);

    if (changed || g->generation == 0) {
        consumer_bump(g);
    }
    if (c->topics_version != version) {
        streams_plan_make(&c->streams->plan, c->streams->topology, topics);
        c->topics_version = version;
        if (c->streams->plan.hash != c->topics_hash &&
            g->generation == c->target_epoch) {
            consumer_bump(g);
        }
        c->topics_hash = c->streams->plan.hash;
    }
    if (g->generation > c->target_epoch) {
        streams_retarget(g);
    }
    consumer_reconcile(step, m, owned, changed);
}

bool
streams_ready(const struct group *g)
{
    const struct consumer_group *c = g->consumer;

    return c->streams->plan.code == STREAMS_READY;
}

/* With a topic to be made, the answer makes it: that needs room. */
bool
streams_is_quiet(const struct group *g, const struct consumer_member *m,
    const struct streams_beat *b)
{
    return streams_ready(g) && b->topology == NULL && b->endpoint == NULL &&
        !b->shutdown && (b->tags.ptr == NULL ||
            span_eq(b->tags, m->streams->tags)) &&
        (b->process_id.ptr == NULL ||
            span_eq(b->process_id, m->streams->process_id));
}

/* ---- restart ---- */

bool
streams_restore(struct group *g, struct span topology)
{
    streams_begin(g);
    return topology_set(g->consumer->streams, topology);
}

void
streams_restore_member(struct group *g, struct consumer_member *m,
    const struct streams_member *im)
{
    struct streams_member *part = member_part(m);

    consumer_member_set(g, m, &part->process_id, im->process_id);
    consumer_member_set(g, m, &part->tags, im->tags);
    part->topology_epoch = im->topology_epoch;
    part->has_endpoint = im->has_endpoint;
    if (im->has_endpoint) {
        consumer_member_set(g, m, &part->endpoint.host, im->endpoint.host);
        part->endpoint.port = im->endpoint.port;
    }
}

void
streams_settle(struct group *g)
{
    struct consumer_group *c = g->consumer;
    const struct group_topics *topics = &g->env->topics;

    streams_plan_make(&c->streams->plan, c->streams->topology, topics);
    c->partitions = c->streams->plan.task_count;
    if (c->streams->plan.hash == c->topics_hash) {
        c->topics_version = topics->version(topics->arg);
    }
    if (c->member_count > 0 && !streams_ready(g)) {
        g->state = GROUP_NOT_READY;
    }
}

/* ---- reads ---- */

const struct streams_topology *
streams_topology(const struct group *g)
{
    return g->consumer == NULL || g->consumer->streams == NULL
        ? NULL : g->consumer->streams->topology;
}

struct span
streams_topology_bytes(const struct group *g)
{
    return g->consumer == NULL || g->consumer->streams == NULL
        ? SPAN_NULL : g->consumer->streams->bytes;
}

enum streams_code
streams_status(const struct group *g, struct span *detail)
{
    *detail = g->consumer->streams->plan.detail;
    return g->consumer->streams->plan.code;
}

const struct streams_make *
streams_makes(const struct group *g, size_t *count)
{
    *count = g->consumer->streams->plan.make_count;
    return g->consumer->streams->plan.makes;
}

int32_t
streams_tasks(const struct group *g, uint32_t place)
{
    const struct streams *s = g->consumer->streams;

    assert(place < s->topology->count);
    return s->plan.tasks == NULL ? 0 : s->plan.tasks[place];
}

struct span
streams_shutdown(const struct group *g)
{
    return g->consumer->streams->shutdown;
}

/* ---- the invariants ---- */

void
streams_check(const struct group *g)
{
    const struct consumer_group *c = g->consumer;
    const struct streams *s = c->streams;
    const struct consumer_member *m;
    size_t tasks = 0;

    assert(c->member_count == 0 || s->topology != NULL);
    assert(c->classic_count == 0);
    TAILQ_FOREACH (m, &c->members, link) {
        assert(m->streams != NULL);
        for (uint32_t i = 0; i < m->target.count; i++) {
            assert(streams_part_place(&m->target.v[i].topic) <
                s->topology->count);
        }
        tasks += m->target.count;
    }
    if (c->member_count > 0 && g->generation == c->target_epoch &&
        c->topics_hash == s->plan.hash && c->topics_version != 0) {
        assert(tasks == s->plan.task_count);
    }
}
