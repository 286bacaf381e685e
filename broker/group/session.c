/*
 * The requests of members that are in: SyncGroup, Heartbeat, LeaveGroup, and
 * the timers: sessions, ids given out, the ends of the rebalance's phases.
 */
#include "config.h"

#include "group/group_priv.h"

/* ---- SyncGroup ---- */

static void
sync_error(const struct step *s, void *token, enum kerr error)
{
    struct group_fx *e = fx_reply(s->fx, GROUP_FX_SYNCED, token, error);

    e->synced.assignment = span_str("");
}

static bool
differs(struct span asked, struct span have)
{
    return asked.ptr != NULL && have.ptr != NULL && !span_eq(asked, have);
}

static enum kerr
sync_validate(const struct group *g, const struct group_sync *sync)
{
    enum kerr error = group_validate(g, sync->member_id, sync->instance_id);

    if (error != KERR_NONE) {
        return error;
    }
    if (sync->generation != g->generation) {
        return KERR_ILLEGAL_GENERATION;
    }
    if (differs(sync->protocol_type, g->protocol_type) ||
        differs(sync->protocol_name, g->protocol_name)) {
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    }
    return g->state == GROUP_PREPARING ? KERR_REBALANCE_IN_PROGRESS
                                       : KERR_NONE;
}

/* Each member's part; who is not named gets nothing, who is no member is
 * left out, who is named twice gets the last. */
static void
assign(struct group *g, const struct group_sync *sync)
{
    for (size_t i = 0; i < sync->assignment_count; i++) {
        struct member *m = group_member(g, sync->assignments[i].member_id);

        if (m != NULL) {
            g->bytes -= m->bytes;
            member_assign(m, sync->assignments[i].bytes);
            g->bytes += m->bytes;
        }
    }
}

static bool
assignment_fits(const struct group *g, const struct group_sync *sync)
{
    size_t bytes = g->bytes;

    for (size_t i = 0; i < sync->assignment_count; i++) {
        bytes += sync->assignments[i].bytes.len;
    }
    return bytes <= g->env->config.group_bytes_max;
}

static void
sync_stable(const struct step *s, struct member *m, void *token)
{
    struct group_fx *e = fx_reply(s->fx, GROUP_FX_SYNCED, token, KERR_NONE);

    e->synced.protocol_type = s->group->protocol_type;
    e->synced.protocol_name = s->group->protocol_name;
    e->synced.assignment = m->assignment == NULL
        ? span_str("") : span_of(m->assignment, m->assignment_len);
}

void
group_sync(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;
    struct member *m = group_member(g, ev->sync.member_id);
    enum kerr error = sync_validate(g, &ev->sync);

    if (error != KERR_NONE) {
        sync_error(s, ev->token, error);
        return;
    }
    if (g->state == GROUP_STABLE) {
        rebalance_synced(g, m);
        sync_stable(s, m, ev->token);
        return;
    }
    assert(g->state == GROUP_COMPLETING);
    if (m != g->leader) {
        rebalance_await_sync(s, m, ev->token);
        rebalance_synced(g, m);
        return;
    }
    if (!assignment_fits(g, &ev->sync)) {
        sync_error(s, ev->token, KERR_POLICY_VIOLATION);
        return;
    }
    rebalance_synced(g, m);
    assign(g, &ev->sync);
    group_move(g, GROUP_STABLE, s->now);
    fx_persist(s->fx, g);
    sync_stable(s, m, ev->token);
    group_session(g, m, s->now + m->session_timeout_ms);
    rebalance_answer_syncs(s, KERR_NONE);
}

/* ---- Heartbeat ---- */

void
group_heartbeat(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;
    const struct group_heartbeat *beat = &ev->heartbeat;
    enum kerr error = group_validate(g, beat->member_id, beat->instance_id);
    struct member *m = group_member(g, beat->member_id);

    if (error == KERR_NONE && beat->generation != g->generation) {
        error = KERR_ILLEGAL_GENERATION;
    }
    if (error == KERR_NONE) {
        group_session(g, m, s->now + m->session_timeout_ms);
        if (g->state == GROUP_PREPARING) {
            error = KERR_REBALANCE_IN_PROGRESS;
        }
    }
    fx_reply(s->fx, GROUP_FX_HEARTBEAT, ev->token, error);
}

/* ---- LeaveGroup ---- */

/* Sets *gone to the member that has to go, NULL for an id given out. */
static enum kerr
leave_one(const struct step *s, const struct group_leaver *leaver,
    struct member **gone)
{
    struct group *g = s->group;
    struct pending *p = group_pending(g, leaver->member_id);
    enum kerr error = KERR_NONE;

    *gone = NULL;
    if (leaver->member_id.len == 0) {
        /* an administrator removes a static member by its instance id */
        *gone = group_static(g, leaver->instance_id);
        return *gone == NULL ? KERR_UNKNOWN_MEMBER_ID : KERR_NONE;
    }
    if (p != NULL) {
        group_pending_del(g, p);
        return KERR_NONE;
    }
    error = group_validate(g, leaver->member_id, leaver->instance_id);
    if (error == KERR_NONE) {
        *gone = group_member(g, leaver->member_id);
    }
    return error;
}

/* All who leave are out before the rebalance begins: it must not wait for
 * one of them. */
void
group_leave(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;
    const struct group_leave *leave = &ev->leave;
    size_t at = s->fx->count;    /* its place: later ones move the list */
    enum kerr *errors = fx_each(s->fx,
        fx_reply(s->fx, GROUP_FX_LEFT, ev->token, KERR_NONE), leave->count,
        KERR_NONE);
    bool changed = false;

    for (size_t i = 0; i < leave->count; i++) {
        struct member *m;

        errors[i] = leave_one(s, &leave->leavers[i], &m);
        changed |= m != NULL;
        if (m != NULL) {
            group_remove(s, m);
        }
    }
    if (leave->single && leave->count > 0) {
        s->fx->list[at].error = errors[0];
        s->fx->list[at].each.errors = NULL;
    }
    if (g->state == GROUP_PREPARING) {
        rebalance_maybe_complete(s);
    } else if (changed) {
        rebalance_prepare(s);
    }
}

/* ---- DeleteGroups, and connections that die ---- */

void
group_delete(const struct step *s, const struct group_event *ev)
{
    struct group *g = s->group;

    if (g->state != GROUP_EMPTY || g->pins > 0) {
        fx_reply(s->fx, GROUP_FX_DELETED, ev->token, KERR_NON_EMPTY_GROUP);
        return;
    }
    if (g->persisted) {
        fx_add(s->fx, GROUP_FX_DELETE);
    }
    group_move(g, GROUP_DEAD, s->now);
    fx_reply(s->fx, GROUP_FX_DELETED, ev->token, KERR_NONE);
}

/* The member goes on waiting: it may come back, or its session ends. */
void
group_token_gone(const struct step *s, const struct group_event *ev)
{
    struct member *m;

    TAILQ_FOREACH (m, &s->group->members, link) {
        if (m->join_token == ev->token) {
            m->join_token = NULL;
        }
        if (m->sync_token == ev->token) {
            m->sync_token = NULL;
        }
    }
}

/* ---- timers ---- */

/* A member that waits for the group cannot heartbeat and is not to blame,
 * unless it is new: then it may never have been told its id. */
static void
session_over(const struct step *s, struct member *m)
{
    struct group *g = s->group;

    if (!m->is_new && (m->awaiting_join || m->awaiting_sync)) {
        m->session_deadline = NEVER;
        return;
    }
    group_remove(s, m);
    if (g->state != GROUP_PREPARING) {
        rebalance_prepare(s);
    } else if (rebalance_all_joined(g)) {
        rebalance_complete_join(s);
    }
}

static void
pending_over(const struct step *s, struct pending *p)
{
    group_pending_del(s->group, p);
    if (s->group->state == GROUP_PREPARING &&
        rebalance_all_joined(s->group)) {
        rebalance_complete_join(s);
    }
}

/* The earliest timer of all: a session, an id given out, or (neither) the
 * end of a phase. */
struct due {
    int64_t at;
    struct member *member;
    struct pending *pending;
};

static struct due
earliest(struct group *g)
{
    struct due d = {.at = g->join_deadline};
    struct member *m;
    struct pending *p;

    if (g->sync_deadline < d.at) {
        d.at = g->sync_deadline;
    }
    TAILQ_FOREACH (m, &g->members, link) {
        if (m->session_deadline < d.at) {
            d = (struct due){.at = m->session_deadline, .member = m};
        }
    }
    TAILQ_FOREACH (p, &g->pending, link) {
        if (p->deadline < d.at) {
            d = (struct due){.at = p->deadline, .pending = p};
        }
    }
    return d;
}

bool
group_tick(const struct step *s)
{
    struct group *g = s->group;
    struct due d = earliest(g);

    if (d.at > s->now) {
        g->deadline = d.at;
        return false;
    }
    /* `deadline` stays as it is, at or before now: we are called again. */
    if (d.member != NULL) {
        session_over(s, d.member);
    } else if (d.pending != NULL) {
        pending_over(s, d.pending);
    } else if (d.at == g->join_deadline) {
        rebalance_join_timer(s);
    } else {
        rebalance_expire_syncs(s);
    }
    return true;
}
