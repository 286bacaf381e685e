/*
 * quotas.c: DescribeClientQuotas, AlterClientQuotas (KIP-546), and what they
 * make of requests.
 *
 * Bytes are taken from a bucket when an answer is made: those of the request
 * for Produce, those of the answer for Fetch. Who is in debt then gets his
 * answer, with the milliseconds in it, and is not read from until they have
 * passed (KIP-219): a client that does not know of throttling is slowed as
 * much as one that does. Partitions that are made and deleted are taken when
 * they are judged: new clients are refused with THROTTLING_QUOTA_EXCEEDED,
 * old ones wait (KIP-599). Connections are made to wait before their first
 * request (KIP-612).
 *
 * Nobody logs in here, so everybody's user is ANONYMOUS, as Kafka names it.
 * request_percentage is kept and told, but limits nothing: there is one
 * thread, whose time is not counted by client.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "api/api_priv.h"
#include "base/check.h"
#include "base/limits.h"
#include "proto/store.pb-c.h"
#include "wire/msg/quotas.h"

enum { RECORD_COST = 512, MATCH_EXACT = 0, MATCH_DEFAULT = 1, MATCH_ANY = 2 };

/* ---- requests ---- */

static struct quota_who
request_who(const struct request *r)
{
    struct span client = r->header.client_id;

    return (struct quota_who){.user = span_str("ANONYMOUS"),
        .client = client.ptr == NULL ? span_str("") : client};
}

static int64_t
request_take(struct request *r, enum quota_key key, double amount)
{
    struct quota_who who = request_who(r);

    if (r->api->quotas.set[key] == 0)
        return 0;
    return quotas_take(&r->api->quotas, key, &who, amount,
        api_clock(r->api));
}

int64_t
quota_answered(struct request *r, size_t bytes)
{
    int64_t wait = r->throttle_ms, more = 0;

    if (r->desc->key == API_PRODUCE)
        more = request_take(r, QUOTA_PRODUCE, (double)r->frame_len);
    else if (r->desc->key == API_FETCH)
        more = request_take(r, QUOTA_FETCH, (double)bytes);
    return more > wait ? more : wait;
}

size_t
quota_fetch_max(const struct request *r)
{
    struct quota_who who = request_who(r);
    double limit = quotas_limit(&r->api->quotas, QUOTA_FETCH, &who)
        * QUOTA_BURST_S;

    return limit > 0 && limit < (double)SIZE_MAX / 2 ? (size_t)limit
                                                     : SIZE_MAX;
}

/* The first version of a request whose sender knows what to do with the
 * error; those before are served and wait afterwards. */
static bool
mutation_strict(const struct request *r)
{
    int version = r->header.api_version;

    switch (r->desc->key) {
    case API_CREATE_TOPICS:
        return version >= 6;
    case API_CREATE_PARTITIONS:
        return version >= 3;
    case API_DELETE_TOPICS:
        return version >= 5;
    default:
        return false;
    }
}

bool
quota_mutate(struct request *r, int32_t partitions)
{
    bool strict = mutation_strict(r);
    int64_t debt = strict ? request_take(r, QUOTA_MUTATION, 0) : 0;
    int64_t wait;

    if (debt == 0) {
        wait = request_take(r, QUOTA_MUTATION, partitions);
        debt = strict ? 0 : wait;
    }
    if (debt > r->throttle_ms)
        r->throttle_ms = debt;
    return !strict || debt == 0;
}

int64_t
quota_connected(struct api *a, const struct conn *c)
{
    const char *peer = conn_peer(c), *colon = strrchr(peer, ':');
    struct quota_who who = {.ip = span_of(peer,
        colon == NULL ? strlen(peer) : (size_t)(colon - peer))};

    if (a->quotas.set[QUOTA_CONNECTION] == 0)
        return 0;
    if (who.ip.len > 2 && who.ip.ptr[0] == '[') /* [::1]:9092 */
        who.ip = span_of(who.ip.ptr + 1, who.ip.len - 2);
    return quotas_take(&a->quotas, QUOTA_CONNECTION, &who, 1, api_clock(a));
}

/* ---- records ---- */

static int
quota_read(void *arg, struct span key, struct span value, struct err *err)
{
    struct api *a = arg;
    Store__Quota *m = store__quota__unpack(NULL, value.len, value.ptr);
    struct quota_entity e;
    struct quota q = {{0}};
    enum quota_key k;

    if (m == NULL || !quota_decode(key, &e)) {
        store__quota__free_unpacked(m, NULL);
        return err_set(err, ERR_DAMAGE, "the record of a quota is no message");
    }
    for (size_t i = 0; i < m->n_values; i++)
        if (quota_key_find(span_str(m->values[i]->key), &k)
            && m->values[i]->value > 0)
            q.value[k] = m->values[i]->value;
    quotas_set(&a->quotas, key, &q);
    store__quota__free_unpacked(m, NULL);
    return 0;
}

int
api_load_quotas(struct api *a, struct err *err)
{
    return seq_records(a->seq, META_QUOTA, quota_read, a, err) < 0 ? -1 : 0;
}

static void
quota_put(struct api *a, struct span entity, const struct quota *q)
{
    Store__Quota m = STORE__QUOTA__INIT;
    Store__QuotaValue one[QUOTA_KEYS], *list[QUOTA_KEYS];
    uint8_t key[1 + QUOTA_ENTITY_MAX], value[RECORD_COST];
    struct record_put put = {.key = span_of(key, 1 + entity.len)};

    m.values = list;
    for (int i = 0; i < QUOTA_KEYS; i++) {
        union {
            const char *from;
            char *to;
        } name = {.from = quota_key_name((enum quota_key)i)};

        if (q->value[i] <= 0)
            continue;
        store__quota_value__init(&one[m.n_values]);
        one[m.n_values].key = name.to;
        one[m.n_values].value = q->value[i];
        list[m.n_values] = &one[m.n_values];
        m.n_values++;
    }
    key[0] = META_QUOTA;
    memcpy(key + 1, entity.ptr, entity.len);
    if (m.n_values > 0) {
        assert(store__quota__get_packed_size(&m) <= sizeof value);
        put.value = span_of(value, store__quota__pack(&m, value));
    }
    api_put_records(a, &put, 1);
}

/* ---- DescribeClientQuotas ---- */

struct filter {
    bool wanted[QUOTA_PARTS], any[QUOTA_PARTS];
    struct span name[QUOTA_PARTS];       /* null: the default */
    size_t count;
    bool strict;
};

static enum kerr
filter_refuse(struct request *r, struct span *why, enum kerr error,
    const char *text, struct span name)
{
    *why = request_text(r, "%s%.*s", text, NAME_ARGS(name));
    return error;
}

static enum kerr
filter_add(struct request *r,
    const struct describe_client_quotas_request_component *in,
    struct filter *f, struct span *why)
{
    enum quota_part part;

    if (in->entity_type.len == 0)
        return filter_refuse(r, why, KERR_INVALID_REQUEST,
            "Invalid empty entity type.", SPAN_NULL);
    if (!quota_part_find(in->entity_type, &part))
        return filter_refuse(r, why, KERR_UNSUPPORTED_VERSION,
            "Unsupported entity type ", in->entity_type);
    if (f->wanted[part])
        return filter_refuse(r, why, KERR_INVALID_REQUEST, "The filter has "
            "this entity type more than once: ", in->entity_type);
    if (in->match_type < MATCH_EXACT || in->match_type > MATCH_ANY)
        return filter_refuse(r, why, KERR_INVALID_REQUEST,
            "Unknown match type.", SPAN_NULL);
    if ((in->match_type == MATCH_EXACT) != (in->match.ptr != NULL))
        return filter_refuse(r, why, KERR_INVALID_REQUEST, "An exact match "
            "has a name, others have none: ", in->entity_type);
    f->wanted[part] = true;
    f->any[part] = in->match_type == MATCH_ANY;
    f->name[part] = in->match;
    f->count++;
    return KERR_NONE;
}

static enum kerr
filter_make(struct request *r, struct filter *f, struct span *why)
{
    const struct describe_client_quotas_request *body = r->body;
    enum kerr error = KERR_NONE;

    *f = (struct filter){.strict = body->strict};
    for (size_t i = 0; i < wire_count(body->components.n)
            && error == KERR_NONE; i++)
        error = filter_add(r, &body->components.v[i], f, why);
    if (error == KERR_NONE && f->wanted[QUOTA_IP] && f->count > 1)
        error = filter_refuse(r, why, KERR_INVALID_REQUEST, "Invalid entity "
            "filter component combination: an IP stands by itself.",
            SPAN_NULL);
    return error;
}

static bool
filter_takes(const struct filter *f, const struct quota_entity *e)
{
    size_t parts = 0;

    for (int i = 0; i < QUOTA_PARTS; i++) {
        bool same = (f->name[i].ptr == NULL) == (e->name[i].ptr == NULL)
            && span_eq(f->name[i], e->name[i]);

        parts += e->has[i];
        if (f->wanted[i] && (!e->has[i] || (!f->any[i] && !same)))
            return false;
    }
    return !f->strict || parts == f->count;
}

static bool
fill_entry(struct request *r, const struct quota_entity *e,
    const struct quota *q, struct describe_client_quotas_response_entry *out)
{
    out->entity.v = wire_new(&describe_client_quotas_response_entity_type,
        &r->arena, QUOTA_PARTS);
    out->values.v = wire_new(&describe_client_quotas_response_value_type,
        &r->arena, QUOTA_KEYS);
    if (out->entity.v == NULL || out->values.v == NULL)
        return false;
    for (int i = 0; i < QUOTA_PARTS; i++) {
        if (!e->has[i])
            continue;
        out->entity.v[out->entity.n].entity_type
            = span_str(quota_part_name((enum quota_part)i));
        out->entity.v[out->entity.n++].entity_name = e->name[i];
    }
    for (int i = 0; i < QUOTA_KEYS; i++) {
        if (q->value[i] <= 0)
            continue;
        out->values.v[out->values.n].key
            = span_str(quota_key_name((enum quota_key)i));
        out->values.v[out->values.n++].value = q->value[i];
    }
    return true;
}

static bool
fill_entries(struct request *r, const struct filter *f,
    struct describe_client_quotas_response *out)
{
    const struct quotas *qs = &r->api->quotas;
    const struct quota *q;
    struct omap_iter it;
    struct quota_entity e;
    struct span key;

    out->entries.v = wire_new(&describe_client_quotas_response_entry_type,
        &r->arena, qs->by_entity.count);
    if (out->entries.v == NULL)
        return false;
    omap_seek(&qs->by_entity, SPAN_NULL, &it);
    while (quotas_next(&it, &key, &q)) {
        if (!quota_decode(arena_copy(&r->arena, key), &e)
            || !filter_takes(f, &e))
            continue;
        if (!fill_entry(r, &e, q, &out->entries.v[out->entries.n++]))
            return false;
    }
    return true;
}

void
handle_describe_client_quotas(struct request *r)
{
    struct describe_client_quotas_response *out = request_response(r);
    struct filter f;
    enum kerr error = filter_make(r, &f, &out->error_message);

    if (error != KERR_NONE) {
        out->error_code = (int16_t)error;
        out->entries.n = -1;
    } else if (!fill_entries(r, &f, out)) {
        request_close(r, "the quotas do not fit an answer");
        return;
    }
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- AlterClientQuotas ---- */

struct quota_change {            /* of one entity */
    struct span entity;          /* encoded; null: it is none */
    struct quota quota;          /* as it will be */
    enum kerr error;
    struct span why;
};

static void
change_refuse(struct request *r, struct quota_change *c, const char *text,
    struct span name)
{
    if (c->error != KERR_NONE)
        return;
    c->error = KERR_INVALID_REQUEST;
    c->why = request_text(r, "%s%.*s", text, NAME_ARGS(name));
}

static void
judge_part(struct request *r,
    const struct alter_client_quotas_request_entity *in,
    struct quota_entity *e, struct quota_change *c)
{
    enum quota_part part;

    if (!quota_part_find(in->entity_type, &part)) {
        change_refuse(r, c, "Unhandled client quota entity type: ",
            in->entity_type);
        return;
    }
    if (e->has[part])
        change_refuse(r, c, "Invalid client quota entity, duplicate entity "
            "entry ", in->entity_type);
    if (in->entity_name.ptr != NULL && in->entity_name.len == 0)
        change_refuse(r, c, "The name may not be empty: ", in->entity_type);
    if (in->entity_name.len > QUOTA_NAME_MAX || span_has_nul(in->entity_name))
        change_refuse(r, c, "The name is too long or has a NUL in it: ",
            in->entity_type);
    if (c->error != KERR_NONE)
        return;
    e->has[part] = true;
    e->name[part] = in->entity_name;
}

static bool
ip_valid(struct span s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr six;
    struct in_addr four;

    if (s.ptr == NULL)
        return true; /* the default */
    if (s.len >= sizeof text)
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    return inet_pton(AF_INET, text, &four) == 1
        || inet_pton(AF_INET6, text, &six) == 1;
}

static void
judge_entity(struct request *r,
    const struct alter_client_quotas_request_entry *in,
    struct quota_entity *e, struct quota_change *c)
{
    uint8_t bytes[QUOTA_ENTITY_MAX];

    for (size_t i = 0; i < wire_count(in->entity.n); i++)
        judge_part(r, &in->entity.v[i], e, c);
    if (in->entity.n <= 0)
        change_refuse(r, c, "Invalid empty client quota entity", SPAN_NULL);
    if (e->has[QUOTA_IP] && (e->has[QUOTA_USER] || e->has[QUOTA_CLIENT]))
        change_refuse(r, c, "Invalid quota entity combination: an IP stands "
            "by itself.", SPAN_NULL);
    if (e->has[QUOTA_IP] && !ip_valid(e->name[QUOTA_IP]))
        change_refuse(r, c, "It is not a valid IP: ", e->name[QUOTA_IP]);
    if (c->error != KERR_NONE)
        return;
    c->entity = arena_copy(&r->arena, span_of(bytes, quota_encode(e, bytes)));
    if (c->entity.ptr == NULL)
        change_refuse(r, c, "The request has too many quotas.", SPAN_NULL);
}

static void
judge_value(struct request *r, const struct alter_client_quotas_request_op *in,
    bool ip, uint32_t *seen, struct quota_change *c)
{
    enum quota_key k;
    double v = in->value;

    if (!quota_key_find(in->key, &k)) {
        /* To remove what nobody can set is no error in Kafka. */
        if (!in->remove)
            change_refuse(r, c, "Invalid configuration key ", in->key);
        return;
    }
    if (*seen & (1u << k))
        change_refuse(r, c, "Duplicate quota key ", in->key);
    *seen |= 1u << k;
    if (in->remove) {
        c->quota.value[k] = 0;
        return;
    }
    if (quota_key_of_ip(k) != ip)
        change_refuse(r, c, "Invalid configuration key ", in->key);
    else if (!(v > 0))
        change_refuse(r, c, "Quota must be greater than 0: ", in->key);
    else if (v > (k == QUOTA_CONNECTION ? INT32_MAX : 9.2e18))
        change_refuse(r, c, "The value is too large: ", in->key);
    else if (quota_key_integral(k) && v < 9e15
        && v - (double)(int64_t)v > 1e-6)
        change_refuse(r, c, "It cannot be a fractional value: ", in->key);
    else
        c->quota.value[k] = v;
}

static void
judge_change(struct request *r,
    const struct alter_client_quotas_request_entry *in,
    struct quota_change *c)
{
    struct quota_entity e = {0};
    const struct quota *was = NULL;
    uint32_t seen = 0;

    judge_entity(r, in, &e, c);
    if (c->error == KERR_NONE)
        was = quotas_get(&r->api->quotas, c->entity);
    if (was != NULL)
        c->quota = *was;
    for (size_t i = 0; i < wire_count(in->ops.n); i++)
        judge_value(r, &in->ops.v[i], e.has[QUOTA_IP], &seen, c);
    if (was == NULL && r->api->quotas.by_entity.count >= QUOTAS_MAX)
        change_refuse(r, c, "There are too many quotas.", SPAN_NULL);
}

/* An entity that stands twice: which one was meant? */
static void
refuse_twice(struct request *r, struct quota_change *list, size_t n)
{
    struct table seen;

    table_init(&seen);
    for (size_t i = 0; i < n; i++) {
        struct quota_change *other;

        if (list[i].entity.ptr == NULL)
            continue;
        other = table_put(&seen, list[i].entity, &list[i]);
        if (other == NULL)
            continue;
        change_refuse(r, other, "The entity is named twice.", SPAN_NULL);
        change_refuse(r, &list[i], "The entity is named twice.", SPAN_NULL);
    }
    table_release(&seen);
}

static void
change_do(struct request *r, const struct quota_change *c)
{
    static const struct quota none;
    const struct quota *was = quotas_get(&r->api->quotas, c->entity);

    if (was == NULL)
        was = &none;
    if (memcmp(was, &c->quota, sizeof *was) == 0)
        return;
    quota_put(r->api, c->entity, &c->quota);
    quotas_set(&r->api->quotas, c->entity, &c->quota);
}

static bool
change_answer(struct request *r,
    const struct alter_client_quotas_request_entry *in,
    const struct quota_change *c,
    struct alter_client_quotas_response_entry *out)
{
    size_t n = wire_count(in->entity.n);

    out->error_code = (int16_t)c->error;
    out->error_message = c->error == KERR_NONE ? SPAN_NULL : c->why;
    out->entity.v = wire_new(&alter_client_quotas_response_entity_type,
        &r->arena, n);
    if (out->entity.v == NULL)
        return false;
    out->entity.n = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        out->entity.v[i].entity_type = in->entity.v[i].entity_type;
        out->entity.v[i].entity_name = in->entity.v[i].entity_name;
    }
    return true;
}

static struct quota_change *
changes_judge(struct request *r, size_t *cost)
{
    const struct alter_client_quotas_request *body = r->body;
    size_t n = wire_count(body->entries.n);
    struct quota_change *list = request_alloc(r, n, sizeof *list);

    if (list == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        judge_change(r, &body->entries.v[i], &list[i]);
        if (seq_readonly(r->api->seq, NULL) && list[i].error == KERR_NONE) {
            list[i].error = KERR_KAFKA_STORAGE_ERROR;
            list[i].why = span_str("The disk is full.");
        }
        *cost += RECORD_COST + list[i].entity.len;
    }
    refuse_twice(r, list, n);
    return list;
}

void
handle_alter_client_quotas(struct request *r)
{
    const struct alter_client_quotas_request *body = r->body;
    struct alter_client_quotas_response *out = request_response(r);
    size_t n = wire_count(body->entries.n), cost = 0;
    struct quota_change *list = changes_judge(r, &cost);
    struct room room = {0};
    bool ok;

    out->entries.v = wire_new(&alter_client_quotas_response_entry_type,
        &r->arena, n);
    ok = list != NULL && out->entries.v != NULL
        && cost <= seq_effect_max(r->api->seq);
    for (size_t i = 0; ok && i < n; i++)
        ok = change_answer(r, &body->entries.v[i], &list[i],
            &out->entries.v[i]);
    if (!ok) {
        request_close(r, "the request has too many quotas");
        return;
    }
    if (!body->validate_only && cost > 0
        && !seq_readonly(r->api->seq, NULL)
        && !room_take(r->api, cost, false, &room)) {
        request_starve(r);
        return;
    }
    for (size_t i = 0; i < n && !body->validate_only; i++)
        if (list[i].error == KERR_NONE)
            change_do(r, &list[i]);
    out->entries.n = (int32_t)n;
    room_give(r->api, &room);
    request_reply(r, seq_gate(r->api->seq), out);
}
