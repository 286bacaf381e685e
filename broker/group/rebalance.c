/*
 * The two phases of a rebalance: all join, then the leader's assignment is
 * handed out. What starts and ends them, and the answers that waited.
 */
#include "config.h"

#include "group/group_priv.h"

/* A timeout of 0, asked for by a client, must not become a busy loop. */
enum { POSTPONE_MIN_MS = 1000 };

/* The longest that a member asks for. */
int32_t
rebalance_timeout(const struct group *g)
{
    const struct member *m;
    int32_t longest = 0;

    TAILQ_FOREACH (m, &g->members, link) {
        if (m->rebalance_timeout_ms > longest) {
            longest = m->rebalance_timeout_ms;
        }
    }
    return longest;
}

/* ---- who waits ---- */

/* A second JoinGroup of a member takes the place of the first one, which
 * came on a connection that is most likely dead: it is answered, too. */
void
rebalance_await_join(const struct step *s, struct member *m, void *token)
{
    if (m->awaiting_join) {
        group_join_error(s, m->join_token, KERR_REBALANCE_IN_PROGRESS, m->id);
    } else {
        s->group->awaiting_joins++;
    }
    m->awaiting_join = true;
    m->join_token = token;
}

void
rebalance_await_sync(const struct step *s, struct member *m, void *token)
{
    if (m->awaiting_sync) {
        struct group_fx *e = fx_reply(s->fx, GROUP_FX_SYNCED, m->sync_token,
            KERR_REBALANCE_IN_PROGRESS);

        if (e != NULL) {
            e->synced.assignment = span_str("");
        }
    }
    m->awaiting_sync = true;
    m->sync_token = token;
}

/* Ends the wait for the member's SyncGroup. */
void
rebalance_synced(struct group *g, struct member *m)
{
    if (m->pending_sync) {
        m->pending_sync = false;
        g->pending_syncs--;
    }
    if (g->pending_syncs == 0) {
        g->sync_deadline = NEVER;
    }
}

/* Their session starts anew: it may have run out while they waited. */
void
rebalance_answer_syncs(const struct step *s, enum kerr error)
{
    struct group *g = s->group;
    struct member *m;

    TAILQ_FOREACH (m, &g->members, link) {
        struct group_fx *e;

        if (!m->awaiting_sync) {
            continue;
        }
        e = fx_reply(s->fx, GROUP_FX_SYNCED, m->sync_token, error);
        m->awaiting_sync = false;
        m->sync_token = NULL;
        group_session(g, m, s->now + m->session_timeout_ms);
        if (e == NULL) {
            continue;
        }
        e->synced.assignment = span_str("");
        if (error == KERR_NONE) {
            e->synced.protocol_type = g->protocol_type;
            e->synced.protocol_name = g->protocol_name;
            if (m->assignment != NULL) {
                e->synced.assignment =
                    span_of(m->assignment, m->assignment_len);
            }
        }
    }
}

static void
list_members(const struct step *s, struct group_joined *joined)
{
    const struct group *g = s->group;
    struct group_joined_member *list;
    const struct member *m;
    size_t n = 0;

    list = arena_calloc(&s->fx->arena, g->member_count, sizeof *list);
    assert(list != NULL);
    TAILQ_FOREACH (m, &g->members, link) {
        list[n].member_id = m->id;
        list[n].instance_id = m->instance_id;
        list[n].metadata = member_protocol(m, g->protocol_name)->metadata;
        n++;
    }
    joined->members = list;
    joined->member_count = n;
}

/* The answer of the present generation; the leader gets the members. */
void
rebalance_joined(const struct step *s, struct member *m, void *token,
    bool as_leader)
{
    const struct group *g = s->group;
    struct group_fx *e = fx_reply(s->fx, GROUP_FX_JOINED, token, KERR_NONE);

    if (e == NULL) {
        return;
    }
    e->joined.generation = g->generation;
    e->joined.protocol_type = g->protocol_type;
    e->joined.protocol_name = g->protocol_name;
    e->joined.leader = g->leader->id;
    e->joined.member_id = m->id;
    if (as_leader) {
        list_members(s, &e->joined);
    }
}

/* ---- the join phase ---- */

bool
rebalance_all_joined(const struct group *g)
{
    return g->awaiting_joins == g->member_count &&
        g->pending_by_id.count == 0;
}

static void
join_until(const struct step *s, int64_t ms)
{
    s->group->join_deadline = s->now + ms;
    group_wake(s->group, s->group->join_deadline);
}

/* Nobody's assignment counts any more: those who wait for one, and those who
 * have one, must join. */
void
rebalance_prepare(const struct step *s)
{
    struct group *g = s->group;
    bool initial = g->state == GROUP_EMPTY;
    struct member *m;

    if (g->state == GROUP_COMPLETING) {
        rebalance_answer_syncs(s, KERR_REBALANCE_IN_PROGRESS);
    }
    TAILQ_FOREACH (m, &g->members, link) {
        rebalance_synced(g, m);
    }
    group_move(g, GROUP_PREPARING, s->now);
    if (initial) {
        int32_t delay = g->env->config.initial_delay_ms;
        int32_t timeout = rebalance_timeout(g);

        g->new_member_added = false;
        g->delay_ms = delay;
        g->remaining_ms = timeout > delay ? timeout - delay : 0;
        join_until(s, delay);
    } else if (rebalance_all_joined(g)) {
        rebalance_complete_join(s);
    } else {
        join_until(s, rebalance_timeout(g));
    }
}

/* In PREPARING, after somebody came or went. */
void
rebalance_maybe_complete(const struct step *s)
{
    const struct group *g = s->group;

    assert(g->state == GROUP_PREPARING);
    if (g->previous != GROUP_EMPTY && rebalance_all_joined(g)) {
        rebalance_complete_join(s);
    }
}

static void
drop_absent(const struct step *s)
{
    struct member *m = TAILQ_FIRST(&s->group->members);

    while (m != NULL) {
        struct member *next = TAILQ_NEXT(m, link);

        if (!m->awaiting_join && m->instance_id.ptr == NULL) {
            group_remove(s, m);
        }
        m = next;
    }
}

/* The leader, or the first who is here. false: nobody is. */
static bool
elect(struct group *g)
{
    struct member *m;

    if (g->leader != NULL && g->leader->awaiting_join) {
        return true;
    }
    TAILQ_FOREACH (m, &g->members, link) {
        if (m->awaiting_join) {
            g->leader = m;
            return true;
        }
    }
    return false;
}

/* A generation of no members: kept, so that its number is not used twice. */
static void
become_empty(const struct step *s)
{
    struct group *g = s->group;

    span_disown(&g->protocol_name);
    group_move(g, GROUP_EMPTY, s->now);
    fx_persist(s->fx, g);
}

static void
begin_generation(const struct step *s)
{
    struct group *g = s->group;
    struct member *m;

    span_disown(&g->protocol_name);
    g->protocol_name = span_own(group_select(g));
    group_move(g, GROUP_COMPLETING, s->now);
    fx_persist(s->fx, g);
    TAILQ_FOREACH (m, &g->members, link) {
        void *token = m->join_token;

        g->awaiting_joins -= m->awaiting_join;
        m->awaiting_join = false;
        m->join_token = NULL;
        m->is_new = false;
        m->pending_sync = true;
        g->bytes -= m->bytes;
        member_assign(m, SPAN_NULL);
        g->bytes += m->bytes;
        group_session(g, m, s->now + m->session_timeout_ms);
        rebalance_joined(s, m, token, m == g->leader);
    }
    g->pending_syncs = g->member_count;
    g->sync_deadline = s->now + rebalance_timeout(g);
    group_wake(g, g->sync_deadline);
}

/* Static members that stayed away remain (that is what they are for) until
 * their session ends; but they alone make no generation. */
void
rebalance_complete_join(const struct step *s)
{
    struct group *g = s->group;

    assert(g->state == GROUP_PREPARING);
    g->join_deadline = NEVER;
    drop_absent(s);
    if (!elect(g) && g->member_count > 0) {
        int32_t timeout = rebalance_timeout(g);

        join_until(s, timeout > POSTPONE_MIN_MS ? timeout : POSTPONE_MIN_MS);
        return;
    }
    g->generation = g->generation == INT32_MAX ? 1 : g->generation + 1;
    if (g->member_count == 0) {
        become_empty(s);
    } else {
        begin_generation(s);
    }
}

/* ---- timers ---- */

/* While new members arrive the initial delay is lengthened, up to the
 * rebalance timeout in all. */
void
rebalance_join_timer(const struct step *s)
{
    struct group *g = s->group;
    int32_t longest = g->env->config.initial_delay_ms;
    int32_t delay;

    if (g->previous != GROUP_EMPTY || !g->new_member_added ||
        g->remaining_ms == 0 || longest == 0) {
        rebalance_complete_join(s);
        return;
    }
    g->new_member_added = false;
    delay = longest < g->remaining_ms ? longest : g->remaining_ms;
    g->remaining_ms = g->remaining_ms > g->delay_ms
        ? g->remaining_ms - g->delay_ms : 0;
    g->delay_ms = delay;
    join_until(s, delay);
}

/* Those who have not synced in time are out. */
void
rebalance_expire_syncs(const struct step *s)
{
    struct group *g = s->group;
    struct member *m = TAILQ_FIRST(&g->members);

    while (m != NULL) {
        struct member *next = TAILQ_NEXT(m, link);

        if (m->pending_sync) {
            group_remove(s, m);
        }
        m = next;
    }
    rebalance_prepare(s);
}
