/*
 * admin.c: topics made, grown, cut short and deleted: CreateTopics,
 * DeleteTopics, CreatePartitions, DeleteRecords.
 *
 * Each request is judged whole before anything is done: what it names twice
 * is refused (which one was meant?), its answer has its memory, its effects
 * have their room. Then topic.h's acts follow, and the answer waits for the
 * epoch that holds them.
 *
 * While the disk is full nothing is made or grown (KAFKA_STORAGE_ERROR), but
 * deleting goes on, in small portions: that is how space comes back.
 */
#include "config.h"

#include "api/api_priv.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/limits.h"
#include "wire/msg/topics.h"

enum {
    ACT_COST = 192,              /* bytes of a deletion or trim, at most */
    TOPIC_COST = 256,            /* of a topic's record, beside its texts */
    CONFIG_COST = 16,
};

static const char over_quota[] = "The quota for making and deleting "
    "partitions is used up: try again later.";

/* ---- room (api_priv.h) ---- */

bool
room_take(struct api *a, size_t bytes, bool system, struct room *room)
{
    uint64_t open = seq_open_epoch(a->seq);

    *room = (struct room){0};
    if (a->room.epoch != open) {
        a->room.epoch = open;
        a->room.system = 0;
    }
    if (system && bytes <= ROOM_SYSTEM_MAX - a->room.system) {
        a->room.system += bytes;
        room->system = bytes;
        return true;
    }
    if (!seq_reserve(a->seq, bytes)) {
        /* What is larger than an epoch should be is let in alone, once the
         * limit has been set anew; the next publish may be far. */
        seq_idle(a->seq);
        if (!seq_reserve(a->seq, bytes))
            return false;
    }
    room->bytes = bytes;
    return true;
}

void
room_give(struct api *a, struct room *room)
{
    if (room->bytes > 0)
        seq_unreserve(a->seq, room->bytes);
    *room = (struct room){0};
}

/* Room for a deletion. A portion that is too large while the disk is full
 * would wait for ever: *full. */
static bool
deletion_room(struct api *a, size_t bytes, struct room *room, bool *full)
{
    *full = bytes > ROOM_SYSTEM_MAX && seq_readonly(a->seq, NULL);
    if (bytes > seq_effect_max(a->seq))
        *full = true;
    return *full || room_take(a, bytes, true, room);
}

/* ---- what is named twice ---- */

/* For each of n names (`size` bytes apart) whether another one is the same.
 * NULL: out of memory. */
static bool *
repeats(struct request *r, const struct span *first, size_t n, size_t size)
{
    bool *twice = request_alloc(r, n, sizeof *twice);
    struct table seen;

    if (twice == NULL)
        return NULL;
    table_init(&seen);
    for (size_t i = 0; i < n; i++) {
        const void *at = (const uint8_t *)first + i * size;
        const struct span *name = at;
        bool *old;

        if (name->ptr == NULL)
            continue;
        old = table_get(&seen, *name);
        if (old == NULL)
            table_put(&seen, *name, &twice[i]);
        else
            *old = twice[i] = true;
    }
    table_release(&seen);
    return twice;
}

/* ---- CreateTopics ---- */

struct creation {
    struct topic_new new;
    struct topic_setting *settings;
    enum kerr error;
    struct err err;              /* the sentence */
};

static enum kerr
refuse(struct creation *c, enum kerr error, const char *text)
{
    err_set(&c->err, ERR_USAGE, "%s", text);
    return error;
}

/* One node: each partition has one replica, which is here. */
static bool
placed_here(const struct request *r, const int32_t *brokers, int32_t n)
{
    return n == 1 && brokers[0] == r->api->opts.node_id;
}

/* Partitions may come in any order, but from 0 on and without gaps. */
static enum kerr
judge_assignments(struct request *r,
    const struct create_topics_request_topic *in, struct creation *c)
{
    size_t n = wire_count(in->assignments.n);
    bool *seen = request_alloc(r, n, sizeof *seen);

    if (seen == NULL)
        return refuse(c, KERR_INVALID_REQUEST, "Too many partitions.");
    if (in->num_partitions != -1 && in->num_partitions != (int32_t)n)
        return refuse(c, KERR_INVALID_REQUEST, "A manual partition "
            "assignment was specified, but num partitions was not -1.");
    for (size_t i = 0; i < n; i++) {
        int32_t index = in->assignments.v[i].partition_index;

        if (index < 0 || (size_t)index >= n || seen[index])
            return refuse(c, KERR_INVALID_REPLICA_ASSIGNMENT, "Partitions "
                "should be a consecutive 0-based integer sequence.");
        seen[index] = true;
        if (!placed_here(r, in->assignments.v[i].broker_ids.v,
                in->assignments.v[i].broker_ids.n))
            return refuse(c, KERR_INVALID_REPLICA_ASSIGNMENT, "There is one "
                "broker, so each partition has one replica: this node.");
    }
    c->new.partitions = (int32_t)n;
    return KERR_NONE;
}

static enum kerr
judge_size(struct request *r, const struct create_topics_request_topic *in,
    struct creation *c)
{
    if (in->replication_factor == 0 || in->replication_factor < -1)
        return refuse(c, KERR_INVALID_REPLICATION_FACTOR, "Replication "
            "factor must be larger than 0, or -1 to use the default value.");
    if (in->assignments.n > 0)
        return judge_assignments(r, in, c);
    if (in->num_partitions == 0 || in->num_partitions < -1)
        return refuse(c, KERR_INVALID_PARTITIONS, "A topic has at least "
            "one partition.");
    c->new.partitions = in->num_partitions == -1
        ? r->api->opts.partitions : in->num_partitions;
    return KERR_NONE;
}

static enum kerr
judge_config(struct request *r, const struct create_topics_request_config *in,
    struct creation *c)
{
    const struct config_def *def = config_def_find(in->name);
    size_t at = 0;

    if (def == NULL) {
        err_set(&c->err, ERR_USAGE, "Unknown topic config name: %.*s",
            NAME_ARGS(in->name));
        return KERR_INVALID_CONFIG;
    }
    if (in->value.ptr == NULL) {
        err_set(&c->err, ERR_USAGE, "Null value not supported for topic "
            "configs: %s", def->name);
        return KERR_INVALID_CONFIG;
    }
    if (config_check(def, in->value, &c->err) < 0)
        return KERR_INVALID_CONFIG;
    while (at < c->new.setting_count && c->settings[at].def != def)
        at++;
    c->settings[at].def = def;
    c->settings[at].value = arena_strndup(&r->arena,
        (const char *)in->value.ptr, in->value.len);
    if (c->settings[at].value == NULL)
        return refuse(c, KERR_INVALID_REQUEST, "Too many configs.");
    if (at == c->new.setting_count)
        c->new.setting_count++;
    return KERR_NONE;
}

static enum kerr
judge_configs(struct request *r, const struct create_topics_request_topic *in,
    struct creation *c)
{
    size_t n = wire_count(in->configs.n);
    enum kerr error = KERR_NONE;

    c->settings = request_alloc(r, n, sizeof *c->settings);
    if (c->settings == NULL)
        return refuse(c, KERR_INVALID_REQUEST, "Too many configs.");
    c->new.settings = c->settings;
    for (size_t i = 0; i < n && error == KERR_NONE; i++)
        error = judge_config(r, &in->configs.v[i], c);
    if (error == KERR_NONE && topic_config_check(&(struct topic_config){
            .set = c->settings, .count = c->new.setting_count,
            .below = &r->api->topics.defaults.node}, &c->err) < 0)
        error = KERR_INVALID_CONFIG;
    return error;
}

static enum kerr
judge_creation(struct request *r, const struct create_topics_request_topic *in,
    bool twice, struct creation *c)
{
    const char *why;
    enum kerr error;

    c->new.name = in->name;
    if (twice)
        return refuse(c, KERR_INVALID_REQUEST, "Found multiple entries for "
            "this topic.");
    if (seq_readonly(r->api->seq, &why)) {
        err_set(&c->err, ERR_LIMIT, "No topic can be made: %s", why);
        return KERR_KAFKA_STORAGE_ERROR;
    }
    error = judge_size(r, in, c);
    if (error == KERR_NONE)
        error = judge_configs(r, in, c);
    if (error == KERR_NONE)
        error = topics_create(&r->api->topics, &c->new, true, NULL, &c->err);
    return error;
}

static size_t
creation_cost(const struct creation *c)
{
    size_t cost = TOPIC_COST + c->new.name.len;

    for (size_t i = 0; i < c->new.setting_count; i++)
        cost += CONFIG_COST + strlen(c->settings[i].def->name)
            + strlen(c->settings[i].value);
    return cost;
}

static const char *
setting_of(const struct creation *c, const struct config_def *def)
{
    for (size_t i = 0; i < c->new.setting_count; i++)
        if (c->settings[i].def == def)
            return c->settings[i].value;
    return NULL;
}

/* All configs of the topic; those of topics without settings of their own
 * are the same and share one list. */
static bool
creation_configs(struct request *r, const struct creation *c,
    struct create_topics_response_config **shared,
    struct create_topics_response_topic *out)
{
    const struct config_def *def;
    size_t n = 0;

    while (config_def_nth(n) != NULL)
        n++;
    out->configs.n = (int32_t)n;
    if (c->new.setting_count == 0 && *shared != NULL) {
        out->configs.v = *shared;
        return true;
    }
    out->configs.v = wire_new(&create_topics_response_config_type, &r->arena,
        n);
    if (out->configs.v == NULL)
        return false;
    for (size_t i = 0; (def = config_def_nth(i)) != NULL; i++) {
        struct create_topics_response_config *to = &out->configs.v[i];
        const char *own = setting_of(c, def);
        enum config_source source = CONFIG_FROM_TOPIC;

        if (own == NULL)
            own = config_default(r->api, def, &source);
        to->name = span_str(def->name);
        to->value = span_str(own);
        to->config_source = (int8_t)source;
    }
    if (c->new.setting_count == 0)
        *shared = out->configs.v;
    return true;
}

/* The answer as it is if all goes well from here. */
static bool
creation_answer(struct request *r, const struct creation *list, size_t n,
    struct create_topics_response *out)
{
    struct create_topics_response_config *shared = NULL;

    out->topics.v = wire_new(&create_topics_response_topic_type, &r->arena,
        n);
    if (out->topics.v == NULL)
        return false;
    out->topics.n = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        struct create_topics_response_topic *to = &out->topics.v[i];

        to->name = list[i].new.name;
        to->error_message = SPAN_NULL;
        to->configs.n = -1;
        if (list[i].error != KERR_NONE)
            continue;
        to->num_partitions = list[i].new.partitions;
        to->replication_factor = 1;
        if (!creation_configs(r, &list[i], &shared, to))
            return false;
    }
    return true;
}

static void
creation_failed(struct request *r, const struct creation *c,
    struct create_topics_response_topic *out)
{
    out->error_code = (int16_t)c->error;
    out->error_message = request_text(r, "%s", c->err.text);
    out->num_partitions = -1;
    out->replication_factor = -1;
    out->configs.v = NULL;
    out->configs.n = -1;
}

static void
create_all(struct request *r, struct creation *list, size_t n, bool dry,
    struct create_topics_response *out)
{
    for (size_t i = 0; i < n; i++) {
        struct topic *t = NULL;

        if (list[i].error == KERR_NONE && !dry
            && !quota_mutate(r, list[i].new.partitions))
            list[i].error = refuse(&list[i], KERR_THROTTLING_QUOTA_EXCEEDED,
                over_quota);
        if (list[i].error == KERR_NONE)
            list[i].error = topics_create(&r->api->topics, &list[i].new, dry,
                &t, &list[i].err);
        if (list[i].error != KERR_NONE)
            creation_failed(r, &list[i], &out->topics.v[i]);
        else if (t != NULL)
            out->topics.v[i].topic_id = t->id;
    }
}

/* What the creations link; the room for it is taken by who calls. */
static struct creation *
judge_creations(struct request *r, size_t *cost)
{
    const struct create_topics_request *body = r->body;
    size_t n = wire_count(body->topics.n);
    struct creation *list = request_alloc(r, n, sizeof *list);
    bool *twice = n == 0 ? request_alloc(r, 1, 1)
                         : repeats(r, &body->topics.v[0].name, n,
                               sizeof body->topics.v[0]);

    if (list == NULL || twice == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        list[i].error = judge_creation(r, &body->topics.v[i], twice[i],
            &list[i]);
        if (list[i].error == KERR_NONE)
            *cost += creation_cost(&list[i]);
    }
    for (size_t i = 0; i < n && *cost > seq_effect_max(r->api->seq); i++)
        if (list[i].error == KERR_NONE)
            list[i].error = refuse(&list[i], KERR_INVALID_REQUEST, "Too many "
                "topics in one request.");
    return list;
}

void
handle_create_topics(struct request *r)
{
    const struct create_topics_request *body = r->body;
    struct create_topics_response *out = request_response(r);
    size_t n = wire_count(body->topics.n), cost = 0;
    struct creation *list = judge_creations(r, &cost);
    struct room room = {0};

    if (list == NULL || !creation_answer(r, list, n, out)) {
        request_close(r, "the request makes too many topics");
        return;
    }
    if (cost > 0 && cost <= seq_effect_max(r->api->seq)
        && !body->validate_only
        && !room_take(r->api, cost, false, &room)) {
        request_starve(r);
        return;
    }
    create_all(r, list, n, body->validate_only, out);
    room_give(r->api, &room);
    request_reply(r, seq_gate(r->api->seq), out);
}

enum kerr
api_create_topic(struct request *r,
    const struct create_topics_request_topic *in, struct err *err)
{
    struct creation c = {0};
    struct room room = {0};

    c.error = judge_creation(r, in, false, &c);
    if (c.error == KERR_NONE && !quota_mutate(r, c.new.partitions))
        c.error = refuse(&c, KERR_THROTTLING_QUOTA_EXCEEDED, over_quota);
    if (c.error == KERR_NONE
        && !room_take(r->api, creation_cost(&c), false, &room))
        c.error = refuse(&c, KERR_COORDINATOR_NOT_AVAILABLE, "There is no "
            "room for it now.");
    if (c.error == KERR_NONE)
        c.error = topics_create(&r->api->topics, &c.new, false, NULL, &c.err);
    room_give(r->api, &room);
    *err = c.err;
    return c.error;
}

/* ---- DeleteTopics ---- */

struct deletion {
    struct span name;            /* as asked for: one of them */
    struct uuid id;
    struct topic *topic;
    struct span key;             /* the topic's id, to find it twice */
    enum kerr error;
    const char *why;
};

static void
judge_deletion(struct request *r, struct deletion *d)
{
    bool by_id = !uuid_is_zero(&d->id);

    if (by_id == (d->name.ptr != NULL)) {
        d->error = KERR_INVALID_REQUEST;
        d->why = by_id ? "You may not specify both topic name and topic id."
                       : "Neither topic name nor id were specified.";
        return;
    }
    d->topic = api_topic(r->api, d->name, &d->id, &d->error);
    if (d->topic == NULL) {
        d->why = by_id ? "This server does not host this topic ID."
                       : "This server does not host this topic.";
        return;
    }
    d->key = span_of(d->topic->id.bytes, sizeof d->topic->id.bytes);
    if (d->topic->internal) {
        d->error = KERR_INVALID_REQUEST;
        d->why = "The topic belongs to an application: it goes with it.";
    }
}

/* Up to version 5 there are names, then names or ids. */
static struct deletion *
deletions_list(struct request *r, size_t *count)
{
    const struct delete_topics_request *body = r->body;
    size_t names = wire_count(body->topic_names.n);
    size_t topics = wire_count(body->topics.n), n = names + topics;
    struct deletion *list = request_alloc(r, n, sizeof *list);

    if (list == NULL)
        return NULL;
    for (size_t i = 0; i < names; i++)
        list[i].name = body->topic_names.v[i];
    for (size_t i = 0; i < topics; i++) {
        list[names + i].name = body->topics.v[i].name;
        list[names + i].id = body->topics.v[i].topic_id;
    }
    *count = n;
    return list;
}

static bool
deletions_judge(struct request *r, struct deletion *list, size_t n,
    size_t *cost)
{
    bool *twice;

    for (size_t i = 0; i < n; i++)
        judge_deletion(r, &list[i]);
    twice = repeats(r, &list[0].key, n, sizeof list[0]);
    if (twice == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (twice[i] && list[i].error == KERR_NONE) {
            list[i].error = KERR_INVALID_REQUEST;
            list[i].why = "The topic is named more than once.";
        }
        *cost += list[i].error == KERR_NONE ? ACT_COST : 0;
    }
    return true;
}

static void
deletion_do(struct request *r, struct deletion *d,
    struct delete_topics_response_topic *out)
{
    struct api *a = r->api;
    struct err err = {0};

    out->name = d->name;
    out->topic_id = d->id;
    if (d->error == KERR_NONE
        && !quota_mutate(r, d->topic->partition_count)) {
        d->error = KERR_THROTTLING_QUOTA_EXCEEDED;
        d->why = over_quota;
    }
    if (d->error == KERR_NONE) {
        out->name = arena_copy(&r->arena, span_str(d->topic->name));
        out->topic_id = d->topic->id;
        d->error = topics_delete(&a->topics, d->topic, &err);
        d->why = err.text;
        if (d->error == KERR_NONE)
            groups_forget_topic(&a->groups, &out->topic_id);
    }
    out->error_code = (int16_t)d->error;
    if (d->error != KERR_NONE && d->why != NULL)
        out->error_message = request_text(r, "%s", d->why);
}

void
handle_delete_topics(struct request *r)
{
    struct delete_topics_response *out = request_response(r);
    size_t n = 0, cost = 0;
    struct deletion *list = deletions_list(r, &n);
    struct room room = {0};
    bool full = false;

    out->responses.v = wire_new(&delete_topics_response_topic_type, &r->arena,
        n);
    if (list == NULL || out->responses.v == NULL
        || (n > 0 && !deletions_judge(r, list, n, &cost))) {
        request_close(r, "the request deletes too many topics");
        return;
    }
    if (cost > 0 && !deletion_room(r->api, cost, &room, &full)) {
        request_starve(r);
        return;
    }
    out->responses.n = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        if (full && list[i].error == KERR_NONE) {
            list[i].error = KERR_KAFKA_STORAGE_ERROR;
            list[i].why = "The disk is full: delete fewer topics at once.";
        }
        deletion_do(r, &list[i], &out->responses.v[i]);
    }
    room_give(r->api, &room);
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- CreatePartitions ---- */

static enum kerr
judge_growth(struct request *r,
    const struct create_partitions_request_topic *in, struct topic *t,
    struct err *err)
{
    int64_t more;
    const char *why;

    if (t->internal) {
        err_set(err, ERR_USAGE, "The topic belongs to an application.");
        return KERR_INVALID_REQUEST;
    }
    if (seq_readonly(r->api->seq, &why)) {
        err_set(err, ERR_LIMIT, "No partition can be made: %s", why);
        return KERR_KAFKA_STORAGE_ERROR;
    }
    more = (int64_t)in->count - t->partition_count;
    if (more > 0 && in->assignments.n >= 0 && in->assignments.n != more) {
        err_set(err, ERR_USAGE, "Increasing the number of partitions by %lld "
            "but %d assignments provided.", (long long)more,
            in->assignments.n);
        return KERR_INVALID_REPLICA_ASSIGNMENT;
    }
    for (int32_t i = 0; i < in->assignments.n; i++) {
        if (!placed_here(r, in->assignments.v[i].broker_ids.v,
                in->assignments.v[i].broker_ids.n)) {
            err_set(err, ERR_USAGE, "There is one broker, so each partition "
                "has one replica: this node.");
            return KERR_INVALID_REPLICA_ASSIGNMENT;
        }
    }
    return topics_grow(&r->api->topics, t, in->count, true, err);
}

size_t
topic_record_cost(const struct topic *t)
{
    size_t cost = TOPIC_COST + strlen(t->name);

    for (size_t i = 0; i < t->config.count; i++)
        cost += CONFIG_COST + strlen(t->config.set[i].def->name)
            + strlen(t->config.set[i].value);
    return cost;
}

static void
growth_answer(struct request *r, enum kerr error, const struct err *err,
    struct create_partitions_response_topic *out)
{
    out->error_code = (int16_t)error;
    if (error != KERR_NONE)
        out->error_message = request_text(r, "%s", err->text);
}

/* Judges all; the cost of what is to be done. */
static size_t
judge_growths(struct request *r, const bool *twice,
    struct create_partitions_response *out)
{
    const struct create_partitions_request *body = r->body;
    size_t cost = 0;

    for (int32_t i = 0; i < out->results.n; i++) {
        const struct create_partitions_request_topic *in = &body->topics.v[i];
        struct err err = {0};
        enum kerr error;
        struct topic *t = api_topic(r->api, in->name, NULL, &error);

        out->results.v[i].name = in->name;
        if (twice[i]) {
            error = KERR_INVALID_REQUEST;
            err_set(&err, ERR_USAGE, "Duplicate topic in request.");
        } else if (t == NULL) {
            err_set(&err, ERR_NOTFOUND, "%s", kerr_text((int)error));
        } else {
            error = judge_growth(r, in, t, &err);
        }
        if (error == KERR_NONE)
            cost += topic_record_cost(t);
        growth_answer(r, error, &err, &out->results.v[i]);
    }
    return cost;
}

static void
grow_all(struct request *r, struct create_partitions_response *out)
{
    const struct create_partitions_request *body = r->body;

    for (int32_t i = 0; i < out->results.n; i++) {
        const struct create_partitions_request_topic *in = &body->topics.v[i];
        struct err err = {0};
        struct topic *t = topics_find(&r->api->topics, in->name);
        enum kerr error;

        if (out->results.v[i].error_code != KERR_NONE)
            continue;
        if (!body->validate_only
            && !quota_mutate(r, in->count - t->partition_count)) {
            err_set(&err, ERR_LIMIT, "%s", over_quota);
            error = KERR_THROTTLING_QUOTA_EXCEEDED;
        } else {
            error = topics_grow(&r->api->topics, t, in->count,
                body->validate_only, &err);
        }
        growth_answer(r, error, &err, &out->results.v[i]);
    }
}

void
handle_create_partitions(struct request *r)
{
    const struct create_partitions_request *body = r->body;
    struct create_partitions_response *out = request_response(r);
    size_t n = wire_count(body->topics.n), cost;
    bool *twice = n == 0 ? request_alloc(r, 1, 1)
                         : repeats(r, &body->topics.v[0].name, n,
                               sizeof body->topics.v[0]);
    struct room room = {0};

    out->results.v = wire_new(&create_partitions_response_topic_type,
        &r->arena, n);
    if (twice == NULL || out->results.v == NULL) {
        request_close(r, "the request names too many topics");
        return;
    }
    out->results.n = (int32_t)n;
    /* At most the records of all topics there are: an epoch holds them. */
    cost = judge_growths(r, twice, out);
    if (cost > 0 && !body->validate_only
        && !room_take(r->api, cost, false, &room)) {
        request_starve(r);
        return;
    }
    grow_all(r, out);
    room_give(r->api, &room);
    request_reply(r, seq_gate(r->api->seq), out);
}

/* ---- DeleteRecords ---- */

static enum kerr
judge_trim(const struct topic *t, const struct partition *p, int64_t offset)
{
    const char *policy = topic_config_get(&t->config, "cleanup.policy", NULL);

    if (t->internal)
        return KERR_INVALID_TOPIC_EXCEPTION;
    if (p == NULL)
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    /* A compacted topic keeps the newest value of each key: no hole in it. */
    if (strstr(policy, "delete") == NULL)
        return KERR_POLICY_VIOLATION;
    return offset < -1 || offset > p->tail->hw ? KERR_OFFSET_OUT_OF_RANGE
                                               : KERR_NONE;
}

static void
trim_partition(struct request *r, struct topic *t, enum kerr error,
    const struct delete_records_request_partition *in,
    struct delete_records_response_partition *out)
{
    struct partition *p = t == NULL ? NULL
        : topic_partition(t, in->partition_index);
    int64_t offset = in->offset;

    out->partition_index = in->partition_index;
    out->low_watermark = -1;
    if (t != NULL && error == KERR_NONE)
        error = judge_trim(t, p, offset);
    out->error_code = (int16_t)error;
    if (error != KERR_NONE)
        return;
    if (offset == -1)
        offset = p->tail->hw;
    /* The log's start moves when this is published, not before. */
    if (offset > p->tail->log_start)
        partition_trim(&r->api->topics, p, offset);
    else
        offset = p->tail->log_start;
    out->low_watermark = offset;
}

static bool
trim_prepare(struct request *r, struct delete_records_response *out,
    size_t *cost)
{
    const struct delete_records_request *body = r->body;
    size_t n = wire_count(body->topics.n);

    out->topics.v = wire_new(&delete_records_response_topic_type, &r->arena,
        n);
    if (out->topics.v == NULL)
        return false;
    out->topics.n = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        struct delete_records_response_topic *to = &out->topics.v[i];
        size_t parts = wire_count(body->topics.v[i].partitions.n);

        to->name = body->topics.v[i].name;
        to->partitions.v = wire_new(&delete_records_response_partition_type,
            &r->arena, parts);
        if (to->partitions.v == NULL)
            return false;
        to->partitions.n = (int32_t)parts;
        *cost += parts * ACT_COST;
    }
    return true;
}

void
handle_delete_records(struct request *r)
{
    const struct delete_records_request *body = r->body;
    struct delete_records_response *out = request_response(r);
    struct room room = {0};
    bool full = false;
    size_t cost = 0;

    if (!trim_prepare(r, out, &cost)) {
        request_close(r, "the request names too many partitions");
        return;
    }
    if (cost > 0 && !deletion_room(r->api, cost, &room, &full)) {
        request_starve(r);
        return;
    }
    for (int32_t i = 0; i < out->topics.n; i++) {
        const struct delete_records_request_topic *in = &body->topics.v[i];
        enum kerr error = KERR_NONE;
        struct topic *t = api_topic(r->api, in->name, NULL, &error);

        if (full)
            error = KERR_KAFKA_STORAGE_ERROR;
        for (int32_t k = 0; k < out->topics.v[i].partitions.n; k++)
            trim_partition(r, t, error, &in->partitions.v[k],
                &out->topics.v[i].partitions.v[k]);
    }
    room_give(r->api, &room);
    request_reply(r, seq_gate(r->api->seq), out);
}
