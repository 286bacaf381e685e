/*
 * A member's way from what it has to what it should have.
 *
 *                 target is new, nothing to give up
 *            +------------------------------------------+
 *            |                                          v
 *         STABLE ---> UNREVOKED --- has given up ---> STABLE, or UNRELEASED
 *            ^        keeps its epoch,                while others still
 *            |        has `revoking`                  have some of it
 *            |                                          |
 *            +------------- they gave it up ------------+
 *
 * `assigned` is what the member may use, `revoking` what it had and must stop
 * using; both are claimed, and a partition is given to nobody while another
 * claims it. That a member has given up is known when a heartbeat says what
 * it owns and `revoking` is not among it.
 */
#include "config.h"

#include <stdlib.h>

#include "group/consumer_priv.h"

#include "base/alloc.h"

/* ---- claims ---- */

static struct span
claim_key(const struct part *p)
{
    return span_of(p, sizeof *p);
}

_Static_assert(sizeof(struct part) == 20, "a key as it lies");

void
consumer_claim(struct consumer_group *c, const struct parts *parts)
{
    for (uint32_t i = 0; i < parts->count; i++) {
        struct consumer_claim *claim =
            table_get(&c->claims, claim_key(&parts->v[i]));

        if (claim == NULL) {
            claim = xcalloc(1, sizeof *claim);
            claim->part = parts->v[i];
            table_put(&c->claims, claim_key(&claim->part), claim);
        }
        claim->count++;
    }
}

void
consumer_unclaim(struct consumer_group *c, const struct parts *parts)
{
    for (uint32_t i = 0; i < parts->count; i++) {
        struct consumer_claim *claim =
            table_get(&c->claims, claim_key(&parts->v[i]));

        assert(claim != NULL && claim->count > 0);
        if (--claim->count == 0) {
            table_del(&c->claims, claim_key(&claim->part));
            free(claim);
        }
    }
}

/* Does anybody else have it? */
static bool
taken(const struct consumer_group *c, const struct consumer_member *m,
    const struct part *p)
{
    const struct consumer_claim *claim = table_get(&c->claims, claim_key(p));
    uint32_t own = parts_has(&m->assigned, p) + parts_has(&m->revoking, p);

    return claim != NULL && claim->count > own;
}

bool
consumer_waits(const struct consumer_group *c,
    const struct consumer_member *m)
{
    for (uint32_t i = 0; i < m->target.count; i++) {
        if (!parts_has(&m->assigned, &m->target.v[i]) &&
            taken(c, m, &m->target.v[i])) {
            return true;
        }
    }
    return false;
}

/* ---- one step ---- */

struct next {
    enum consumer_state state;
    int32_t epoch;
    struct parts assigned, revoking;
};

static bool
still_owns(const struct parts *owned, const struct parts *revoking)
{
    return revoking->count > 0 &&
        (owned == NULL || parts_meet(owned, revoking));
}

static bool
reads_topic(const struct uuid *ids, size_t count, const struct uuid *id)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (memcmp(ids[mid].bytes, id->bytes, sizeof id->bytes) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < count && uuid_eq(&ids[low], id);
}

static void
keep_read(struct parts *out, const struct parts *in, const struct group *g,
    const struct consumer_member *m)
{
    struct arena arena;
    struct uuid *ids;
    size_t count;

    if (g->consumer->streams != NULL) {
        parts_copy(out, in);     /* all members run all tasks */
        return;
    }
    arena_init(&arena, 4 * MIB);
    ids = consumer_reads(g, m, &arena, &count);
    parts_clear(out);
    for (uint32_t i = 0; i < in->count; i++) {
        if (reads_topic(ids, count, &in->v[i].topic)) {
            parts_push(out, &in->v[i].topic, in->v[i].partition);
        }
    }
    arena_release(&arena);
}

/* From `assigned` to the target, as far as it goes. */
static void
advance(const struct group *g, const struct consumer_member *m,
    const struct parts *owned, struct next *n)
{
    const struct consumer_group *c = g->consumer;
    struct parts target = {0}, kept = {0}, wanted = {0}, free_now = {0};

    keep_read(&target, &m->target, g, m);
    parts_both(&kept, &m->assigned, &target);
    parts_minus(&n->revoking, &m->assigned, &kept);
    parts_minus(&wanted, &target, &kept);
    for (uint32_t i = 0; i < wanted.count; i++) {
        if (!taken(c, m, &wanted.v[i])) {
            parts_push(&free_now, &wanted.v[i].topic, wanted.v[i].partition);
        }
    }
    if (still_owns(owned, &n->revoking)) {
        n->state = CONSUMER_UNREVOKED;
        n->epoch = m->epoch;
        parts_swap(&n->assigned, &kept);
    } else {
        n->state = free_now.count < wanted.count ? CONSUMER_UNRELEASED
                                                 : CONSUMER_STABLE;
        n->epoch = c->target_epoch;
        parts_union(&n->assigned, &kept, &free_now);
        parts_clear(&n->revoking);
    }
    parts_release(&target);
    parts_release(&kept);
    parts_release(&wanted);
    parts_release(&free_now);
}

/* It reads less than before, while it has not even done what was asked of it:
 * that much more is to be given up. */
static void
narrow(const struct group *g, const struct consumer_member *m,
    struct next *n)
{
    struct parts gone = {0};

    n->state = m->state;
    n->epoch = m->epoch;
    keep_read(&n->assigned, &m->assigned, g, m);
    parts_minus(&gone, &m->assigned, &n->assigned);
    parts_union(&n->revoking, &m->revoking, &gone);
    parts_release(&gone);
}

/* The claims move with it; the time to give up begins anew. */
static void
apply(const struct step *s, struct consumer_member *m, struct next *n)
{
    struct consumer_group *c = s->group->consumer;

    if (m->state == n->state && m->epoch == n->epoch &&
        m->previous_epoch == m->epoch &&
        parts_eq(&m->assigned, &n->assigned) &&
        parts_eq(&m->revoking, &n->revoking)) {
        return;
    }
    consumer_unclaim(c, &m->assigned);
    consumer_unclaim(c, &m->revoking);
    parts_swap(&m->assigned, &n->assigned);
    parts_swap(&m->revoking, &n->revoking);
    consumer_claim(c, &m->assigned);
    consumer_claim(c, &m->revoking);
    m->state = n->state;
    m->previous_epoch = m->epoch;
    m->epoch = n->epoch;
    m->dirty = true;
    m->rebalance_deadline = NEVER;
    if (m->state == CONSUMER_UNREVOKED && !m->classic) {
        m->rebalance_deadline = s->now + m->rebalance_timeout_ms;
        group_wake(s->group, m->rebalance_deadline);
    }
}

void
consumer_reconcile(const struct step *s, struct consumer_member *m,
    const struct parts *owned, bool changed)
{
    const struct consumer_group *c = s->group->consumer;
    struct next n = {0};

    if (m->state == CONSUMER_UNREVOKED && still_owns(owned, &m->revoking)) {
        if (changed) {
            narrow(s->group, m, &n);
            apply(s, m, &n);
        }
    } else if (m->state != CONSUMER_STABLE || m->epoch != c->target_epoch ||
        changed) {
        advance(s->group, m, owned, &n);
        apply(s, m, &n);
    }
    parts_release(&n.assigned);
    parts_release(&n.revoking);
}
