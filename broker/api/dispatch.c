/*
 * dispatch.c: sessions, requests and their answers.
 *
 * Every answer that has seen unpublished state carries its epoch and leaves
 * at its publish, not only acknowledgements: a producer id, a generation, the
 * offset of a duplicate, the metadata of a new topic. An answer is encoded
 * when it is made, so what it says is what was true then.
 */
#include "config.h"

#include "api/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/txn.h"
#include "api/txn_records.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/limits.h"
#include "base/seeded.h"
#include "record/kerr.h"

enum {
    COPY_MAX = 4096,             /* records up to this are copied out */
    RESPONSE_MAX = 64 * 1024 * 1024,
    AUTO_CREATE_COST = 1024,
    CLOCK_JUMP_MS = 3600 * 1000,
    CLOCK_STEADY_MS = 600 * 1000,
};

static request_fn *const handlers[128] = {
    [API_PRODUCE] = handle_produce,
    [API_FETCH] = handle_fetch,
    [API_LIST_OFFSETS] = handle_list_offsets,
    [API_METADATA] = handle_metadata,
    [API_OFFSET_COMMIT] = handle_offset_commit,
    [API_OFFSET_FETCH] = handle_offset_fetch,
    [API_FIND_COORDINATOR] = handle_find_coordinator,
    [API_JOIN_GROUP] = handle_join_group,
    [API_HEARTBEAT] = handle_heartbeat,
    [API_LEAVE_GROUP] = handle_leave_group,
    [API_SYNC_GROUP] = handle_sync_group,
    [API_DESCRIBE_GROUPS] = handle_describe_groups,
    [API_LIST_GROUPS] = handle_list_groups,
    [API_API_VERSIONS] = handle_api_versions,
    [API_CREATE_TOPICS] = handle_create_topics,
    [API_DELETE_TOPICS] = handle_delete_topics,
    [API_DELETE_RECORDS] = handle_delete_records,
    [API_INIT_PRODUCER_ID] = handle_init_producer_id,
    [API_OFFSET_FOR_LEADER_EPOCH] = handle_offset_for_leader_epoch,
    [API_DESCRIBE_CONFIGS] = handle_describe_configs,
    [API_CREATE_PARTITIONS] = handle_create_partitions,
    [API_DELETE_GROUPS] = handle_delete_groups,
    [API_DESCRIBE_CLUSTER] = handle_describe_cluster,
    [API_ALTER_CONFIGS] = handle_alter_configs,
    [API_ADD_PARTITIONS_TO_TXN] = handle_add_partitions_to_txn,
    [API_ADD_OFFSETS_TO_TXN] = handle_add_offsets_to_txn,
    [API_END_TXN] = handle_end_txn,
    [API_TXN_OFFSET_COMMIT] = handle_txn_offset_commit,
    [API_WRITE_TXN_MARKERS] = handle_write_txn_markers,
    [API_DESCRIBE_PRODUCERS] = handle_describe_producers,
    [API_DESCRIBE_TRANSACTIONS] = handle_describe_transactions,
    [API_LIST_TRANSACTIONS] = handle_list_transactions,
    [API_OFFSET_DELETE] = handle_offset_delete,
    [API_INCREMENTAL_ALTER_CONFIGS] = handle_incremental_alter_configs,
    [API_DESCRIBE_TOPIC_PARTITIONS] = handle_describe_topic_partitions,
    [API_ELECT_LEADERS] = handle_elect_leaders,
    [API_ALTER_REASSIGNMENTS] = handle_alter_reassignments,
    [API_LIST_REASSIGNMENTS] = handle_list_reassignments,
    [API_DESCRIBE_LOG_DIRS] = handle_describe_log_dirs,
    [API_CONSUMER_GROUP_HEARTBEAT] = handle_consumer_group_heartbeat,
    [API_CONSUMER_GROUP_DESCRIBE] = handle_consumer_group_describe,
    [API_STREAMS_GROUP_HEARTBEAT] = handle_streams_group_heartbeat,
    [API_STREAMS_GROUP_DESCRIBE] = handle_streams_group_describe,
    [API_LIST_CONFIG_RESOURCES] = handle_list_config_resources,
    [API_DESCRIBE_CLIENT_QUOTAS] = handle_describe_client_quotas,
    [API_ALTER_CLIENT_QUOTAS] = handle_alter_client_quotas,
};

/* ---- requests ---- */

static void
request_free(struct request *r)
{
    check_obj(r, REQUEST_MAGIC);
    TAILQ_REMOVE(&r->session->requests, r, next);
    for (size_t i = 0; i < r->held_count; i++)
        chunk_unref(r->held[i]);
    free(r->held);
    chunk_unref(r->frame);
    arena_release(&r->arena);
    r->magic = 0;
    free(r);
}

/* ---- muted sessions: whose client is beyond its quota (KIP-219) ---- */

static void
session_mute(struct session *s, int64_t ms)
{
    struct api *a = s->api;
    int64_t until = api_now(a) + ms;
    struct session *at;

    if (ms <= 0 || s->muted_until >= until)
        return;
    if (s->muted_until != 0)
        TAILQ_REMOVE(&a->muted, s, muted);
    else
        conn_pause(s->conn);
    s->muted_until = until;
    at = TAILQ_LAST(&a->muted, muted_list);
    while (at != NULL && at->muted_until > until)
        at = TAILQ_PREV(at, muted_list, muted);
    if (at == NULL)
        TAILQ_INSERT_HEAD(&a->muted, s, muted);
    else
        TAILQ_INSERT_AFTER(&a->muted, at, s, muted);
}

/* Reads on where it is time. Returns milliseconds until the next. */
static int64_t
sessions_unmute(struct api *a, int64_t now_ms)
{
    struct session *s;

    while ((s = TAILQ_FIRST(&a->muted)) != NULL) {
        if (s->muted_until > now_ms)
            return s->muted_until - now_ms;
        TAILQ_REMOVE(&a->muted, s, muted);
        s->muted_until = 0;
        conn_resume(s->conn);
    }
    return INT64_MAX;
}

void
request_done(struct request *r)
{
    session_mute(r->session, quota_answered(r, 0));
    slot_skip(r->slot);
    request_free(r);
}

void
request_close(struct request *r, const char *why)
{
    diag(WARN, NET, "%s: closing peer=%s api=%s version=%d", why,
        conn_peer(r->session->conn), r->desc->name, r->header.api_version);
    r->api->counters[r->desc->key].errors++;
    conn_close(r->session->conn);
    request_free(r);
}

void
request_starve(struct request *r)
{
    struct conn *c = r->session->conn;
    struct chunk *frame = chunk_ref(r->frame);
    size_t len = r->frame_len;

    slot_withdraw(r->slot);
    request_free(r);
    conn_starve(c, frame, len);
}

void
request_hold(struct request *r, struct chunk *c)
{
    if (r->held_count == r->held_cap) {
        r->held_cap = r->held_cap == 0 ? 8 : r->held_cap * 2;
        r->held = xrealloc(r->held, r->held_cap * sizeof *r->held);
    }
    r->held[r->held_count++] = c;
}

void *
request_response(struct request *r)
{
    void *p = wire_new(r->desc->response->type, &r->arena, 1);

    assert(p != NULL); /* the arena has room for this beyond its limit */
    r->response = p;
    return p;
}

void *
request_alloc(struct request *r, size_t count, size_t size)
{
    return arena_calloc(&r->arena, count == 0 ? 1 : count, size);
}

struct span
request_text(struct request *r, const char *fmt, ...)
{
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return arena_copy(&r->arena, span_str(text));
}

/* ---- answers ---- */

/* Chunks that a sent answer pointed into. */
struct held {
    size_t count;
    struct chunk *chunks[];
};

static void
held_release(const void *data, size_t len, void *arg)
{
    struct held *h = arg;

    (void)data;
    (void)len;
    for (size_t i = 0; i < h->count; i++)
        chunk_unref(h->chunks[i]);
    free(h);
}

static struct held *
request_take_held(struct request *r)
{
    struct held *h = xmalloc(sizeof *h + r->held_count * sizeof r->held[0]);

    h->count = r->held_count;
    if (h->count > 0)
        memcpy(h->chunks, r->held, h->count * sizeof r->held[0]);
    r->held_count = 0;
    return h;
}

/* Own bytes are copied, records referred to; with the last of them the
 * chunks are let go. */
static void
slot_fill(struct request *r, const struct wire_out *out)
{
    size_t count, at = 0;
    const struct wire_ref *refs = wire_out_refs(out, &count);

    for (size_t i = 0; i < count; i++) {
        if (refs[i].pos > at)
            slot_copy(r->slot, span_of(out->buf.ptr + at, refs[i].pos - at));
        at = refs[i].pos;
        if (i + 1 < count)
            slot_refer(r->slot, refs[i].bytes, NULL, NULL);
        else
            slot_refer(r->slot, refs[i].bytes, held_release,
                request_take_held(r));
    }
    if (out->buf.len > at)
        slot_copy(r->slot, span_of(out->buf.ptr + at, out->buf.len - at));
}

static void
slot_gate(struct request *r, uint64_t gate)
{
    struct api *a = r->api;
    struct gated *g = xcalloc(1, sizeof *g), *last;

    g->slot = r->slot;
    g->session = r->session;
    g->gate = gate;
    TAILQ_INSERT_TAIL(&r->session->gated, g, by_session);
    last = TAILQ_LAST(&a->gated, gated_by_epoch);
    while (last != NULL && last->gate > gate)
        last = TAILQ_PREV(last, gated_by_epoch, by_epoch);
    if (last == NULL)
        TAILQ_INSERT_HEAD(&a->gated, g, by_epoch);
    else
        TAILQ_INSERT_AFTER(&a->gated, last, g, by_epoch);
}

static void
request_encode(struct request *r, const void *response)
{
    struct api *a = r->api;
    int version = r->header.api_version;

    /* Too new an ApiVersions is answered in version 0 (KIP-511). */
    if (!wire_api_takes(r->desc, version))
        version = 0;
    wire_out_clear(&a->out);
    wire_put_response(r->desc, version, r->header.correlation_id, response,
        &a->out);
}

/* Every response that can say it has the field of this name. */
static void
request_throttle(struct request *r, int64_t ms)
{
    const struct wire_type *t = r->desc->response->type;

    for (size_t i = 0; i < t->count && r->response != NULL; i++) {
        int32_t value = (int32_t)ms;

        if (strcmp(t->fields[i].name, "throttle_time_ms") == 0)
            memcpy((uint8_t *)r->response + t->fields[i].offset, &value,
                sizeof value);
    }
}

void
request_reply(struct request *r, uint64_t gate, const void *response)
{
    struct api *a = r->api;
    int64_t wait;

    check_obj(r, REQUEST_MAGIC);
    request_encode(r, response);
    wait = quota_answered(r, wire_out_size(&a->out));
    if (wait > 0 && response == r->response) {
        request_throttle(r, wait);
        request_encode(r, response);
    }
    if (wire_out_failed(&a->out)) {
        request_close(r, "an answer is too large");
        return;
    }
    slot_fill(r, &a->out);
    if (gate > seq_published(a->seq) && !seeded("answer-early"))
        slot_gate(r, gate);
    else
        slot_send(r->slot);
    session_mute(r->session, wait);
    request_free(r);
}

static void
gated_free(struct api *a, struct gated *g)
{
    TAILQ_REMOVE(&a->gated, g, by_epoch);
    TAILQ_REMOVE(&g->session->gated, g, by_session);
    free(g);
}

static void
api_published(void *arg, uint64_t epoch)
{
    struct api *a = arg;
    struct gated *g;

    while ((g = TAILQ_FIRST(&a->gated)) != NULL && g->gate <= epoch) {
        slot_send(g->slot);
        gated_free(a, g);
    }
    fetch_recheck(a);
}

/* ---- sessions ---- */

static void *
session_opened(void *arg, struct conn *conn)
{
    struct session *s = xcalloc(1, sizeof *s);

    s->magic = SESSION_MAGIC;
    s->api = arg;
    s->conn = conn;
    TAILQ_INIT(&s->requests);
    TAILQ_INIT(&s->gated);
    session_mute(s, quota_connected(s->api, conn));
    return s;
}

static void
session_closed(void *arg)
{
    struct session *s = arg;
    struct request *r;
    struct gated *g;

    check_obj(s, SESSION_MAGIC);
    while ((r = TAILQ_FIRST(&s->requests)) != NULL) {
        if (r->cancel != NULL)
            r->cancel(r);
        request_free(r);
    }
    while ((g = TAILQ_FIRST(&s->gated)) != NULL)
        gated_free(s->api, g);
    if (s->muted_until != 0)
        TAILQ_REMOVE(&s->api->muted, s, muted);
    s->magic = 0;
    free(s);
}

/* The header is good; is the request one that we take? */
static bool
request_known(struct session *s, const struct request_header *h,
    const struct wire_api *desc)
{
    if (desc != NULL && desc->served && h->api_key < 128
        && handlers[h->api_key] != NULL
        && (wire_api_takes(desc, h->api_version)
            || desc->key == API_API_VERSIONS))
        return true;
    diag(WARN, NET, "no such request: api %d version %d: closing peer=%s",
        h->api_key, h->api_version, conn_peer(s->conn));
    return false;
}

static bool
session_frame(void *arg, struct chunk *frame, size_t len)
{
    struct session *s = arg;
    struct span all = span_of(frame->data, len), body;
    struct request_header h;
    const struct wire_api *desc;
    struct request *r;
    struct err err;
    size_t used;

    check_obj(s, SESSION_MAGIC);
    if (wire_decode_header(all, &h, &used, &err) < 0) {
        diag(WARN, NET, "%s: closing peer=%s", err.text, conn_peer(s->conn));
        chunk_unref(frame);
        return false;
    }
    desc = wire_api(h.api_key);
    if (!request_known(s, &h, desc)) {
        chunk_unref(frame);
        return false;
    }
    r = xcalloc(1, sizeof *r);
    r->magic = REQUEST_MAGIC;
    r->api = s->api;
    r->session = s;
    r->frame = frame;
    r->frame_len = len;
    r->header = h;
    r->desc = desc;
    r->slot = conn_slot(s->conn);
    arena_init(&r->arena, DECODE_ARENA_MAX);
    TAILQ_INSERT_TAIL(&s->requests, r, next);
    s->api->counters[desc->key].requests++;
    body = span_of(all.ptr + used, all.len - used);
    if (!wire_api_takes(desc, h.api_version)) {
        r->body = wire_new(desc->request->type, &r->arena, 1);
    } else if (wire_decode(desc->request, h.api_version, body, &r->arena,
            &r->body, &err) < 0) {
        request_close(r, err.text);
        return true;
    }
    /* Room for the answer beyond what the request could claim. */
    r->arena.limit += DECODE_ARENA_MAX;
    handlers[desc->key](r);
    return true;
}

const struct net_ops api_net_ops = {.opened = session_opened,
    .frame = session_frame,
    .closed = session_closed};

/* ---- what handlers share ---- */

struct topic *
api_topic(struct api *a, struct span name, const struct uuid *id,
    enum kerr *error)
{
    struct topic *t;

    if (id != NULL && !uuid_is_zero(id)) {
        t = topics_by_id(&a->topics, id);
        *error = t == NULL ? KERR_UNKNOWN_TOPIC_ID : KERR_NONE;
    } else {
        t = topics_find(&a->topics, name);
        *error = t == NULL ? KERR_UNKNOWN_TOPIC_OR_PARTITION : KERR_NONE;
    }
    return t;
}

struct topic *
api_auto_create(struct api *a, struct span name, enum kerr *error)
{
    struct topic_new n = {.name = name, .partitions = a->opts.partitions};
    struct topic *t = NULL;
    struct room room;
    struct err err;

    if (!a->opts.auto_create || seq_readonly(a->seq, NULL)) {
        *error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        return NULL;
    }
    if (!room_take(a, AUTO_CREATE_COST, false, &room)) {
        *error = KERR_LEADER_NOT_AVAILABLE; /* asked for again in a moment */
        return NULL;
    }
    *error = topics_create(&a->topics, &n, false, &t, &err);
    room_give(a, &room);
    return t;
}

struct put_effect {
    struct effect effect;
    struct effect_op op[];
};

static void
put_release(struct effect *f)
{
    struct put_effect *p = container_of(f, struct put_effect, effect);

    for (uint32_t i = 0; i < f->n_ops; i++) {
        union {
            const uint8_t *from;
            void *to;
        } u = {.from = p->op[i].key.ptr};

        free(u.to);
    }
    free(p);
}

static const struct effect_ops put_ops = {.release = put_release};

void
api_put_records(struct api *a, const struct record_put *v, size_t n)
{
    struct put_effect *p = xcalloc(1, sizeof *p + n * sizeof p->op[0]);

    p->effect.magic = EFFECT_MAGIC;
    p->effect.ops = &put_ops;
    p->effect.op = p->op;
    p->effect.n_ops = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        uint8_t *copy = xmalloc(v[i].key.len + v[i].value.len + 1);

        memcpy(copy, v[i].key.ptr, v[i].key.len);
        p->op[i].kind = v[i].value.ptr == NULL ? EFFECT_DELETE : EFFECT_PUT;
        p->op[i].key = span_of(copy, v[i].key.len);
        if (v[i].value.len > 0)
            memcpy(copy + v[i].key.len, v[i].value.ptr, v[i].value.len);
        p->op[i].value = span_of(copy + v[i].key.len, v[i].value.len);
    }
    p->effect.reserved = effect_cost(&p->effect);
    seq_reserve_system(a->seq, p->effect.reserved);
    seq_link(a->seq, &p->effect);
}

/* ---- life ---- */

static void
api_init_txns(struct api *a)
{
    struct txns_config c;

    txns_config_init(&c);
    c.new_id = api_new_producer_id;
    c.arg = a;
    txns_init(&a->txns, &c);
    txn_effects_init(&a->txn_fx);
}

int
api_open(struct api **out, struct seq *seq, const struct api_options *opts,
    struct err *err)
{
    struct api *a = xcalloc(1, sizeof *a);

    a->seq = seq;
    a->opts = *opts;
    TAILQ_INIT(&a->gated);
    TAILQ_INIT(&a->fetches);
    TAILQ_INIT(&a->woken);
    TAILQ_INIT(&a->muted);
    omap_init(&a->resources.groups);
    quotas_init(&a->quotas);
    wire_out_init(&a->out, RESPONSE_MAX, COPY_MAX);
    group_effects_init(&a->group_fx);
    groups_init(&a->groups, seq_world(seq), &opts->groups);
    groups_set_tuning(&a->groups, group_config_tune, a);
    api_init_txns(a);
    if (topics_load(&a->topics, seq, err) < 0
        || resources_load(a, err) < 0
        || api_load_quotas(a, err) < 0
        || api_load_groups(a, err) < 0
        || api_load_producer_ids(a, err) < 0
        || txn_records_load(a, err) < 0) {
        api_free(a);
        return -1;
    }
    a->topics.defaults.partitions = opts->partitions;
    *out = a;
    return 0;
}

void
api_start(struct api *a)
{
    seq_on_publish(a->seq, api_published, a);
    topics_started(&a->topics);
    txn_start(a);
}

void
api_set_net(struct api *a, struct net *n)
{
    a->net = n;
}

void
api_free(struct api *a)
{
    if (a == NULL)
        return;
    assert(TAILQ_EMPTY(&a->gated));
    assert(TAILQ_EMPTY(&a->fetches));
    assert(TAILQ_EMPTY(&a->muted));
    topics_release(&a->topics);
    resources_release(a);
    quotas_release(&a->quotas);
    buf_release(&a->group_care.orphans);
    groups_release(&a->groups);
    group_effects_release(&a->group_fx);
    txn_effects_release(&a->txn_fx, &a->txns);
    txns_release(&a->txns);
    wire_out_release(&a->out);
    free(a);
}

/* Retention goes by the wall clock. A board without one may jump by decades
 * when it hears the time: after a jump nothing expires until the clock has
 * been steady for a while. */
static void
api_retain(struct api *a, int64_t now)
{
    int64_t wall = world_wall_ms(seq_world(a->seq));
    int64_t drift = wall - now - a->wall_offset_ms;

    if (a->wall_offset_ms == 0 || drift > CLOCK_JUMP_MS
        || drift < -CLOCK_JUMP_MS) {
        if (a->wall_offset_ms != 0)
            diag(WARN, LOG, "the clock jumped by %lld s: retention by time "
                "waits until it has been steady for ten minutes",
                (long long)(drift / 1000));
        a->steady_ms = now + (a->wall_offset_ms == 0 ? 0 : CLOCK_STEADY_MS);
    }
    a->wall_offset_ms = wall - now;
    if (now >= a->steady_ms)
        topics_retain(&a->topics, wall);
}

int64_t
api_tick(struct api *a)
{
    int64_t now = api_now(a), due = 1000, next;

    next = fetch_tick(a, now);
    if (next < due)
        due = next;
    next = groups_due(a);
    if (next < due)
        due = next;
    next = txn_tick(a);
    if (next < due)
        due = next;
    next = sessions_unmute(a, now);
    if (next < due)
        due = next;
    if (now - a->last_second_ms >= 1000) {
        a->last_second_ms = now;
        seq_idle(a->seq);
        api_retain(a, now);
    }
    if (a->net != NULL && seq_has_room(a->seq))
        net_room(a->net);
    return due < 0 ? 0 : due;
}

bool
api_let_in(struct api *a)
{
    uint64_t looks = seq_room_looks(a->seq);

    if (a->net == NULL || looks == a->room.looks || !seq_has_room(a->seq))
        return false;
    a->room.looks = looks;
    return net_room(a->net);
}

struct topics *
api_topics(struct api *a)
{
    return &a->topics;
}

struct groups *
api_groups(struct api *a)
{
    return &a->groups;
}

struct seq *
api_seq(struct api *a)
{
    return a->seq;
}

const struct api_counter *
api_counter(const struct api *a, int key)
{
    return key >= 0 && key < 128 ? &a->counters[key] : NULL;
}
