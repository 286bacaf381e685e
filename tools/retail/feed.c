/* feed.c: see feed.h. */
#include "config.h"

#include "retail/feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/world.h"
#include "client/writer.h"
#include "parse.h"
#include "proto/shop.pb-c.h"
#include "wire/msg/configs.h"
#include "wire/msg/topics.h"

static const char *const names[FEED_TOPICS] = {"orders",
    "warehouse-inventory", "payments"};

enum { TICK_EVENTS = 4096, PACE_MS = 5 };

struct feed_topic {
    const char *name;
    struct feed *feed;
    struct client *client;       /* one each: answers come in order */
    struct writer *writer;
    int32_t partitions;          /* 0: not known yet */
    int64_t *acked, *seen, *base;        /* of each partition */
};

struct feed {
    struct feed_conf conf;
    struct feed_topic topics[FEED_TOPICS];
    struct client *counter;
    struct arena arena;          /* of one request */
    struct buf bytes;            /* of one message */
    int64_t acked, sent, skipped, events;
    bool behind, opening;        /* movements wait in the writer */
    int64_t started_ns;          /* of this attempt */
};

struct feed *
feed_new(const struct feed_conf *conf)
{
    struct feed *f = xcalloc(1, sizeof *f);

    f->conf = *conf;
    arena_init(&f->arena, 64 * MIB);
    buf_init(&f->bytes, 1 * MIB);
    for (int i = 0; i < FEED_TOPICS; i++) {
        f->topics[i].name = names[i];
        f->topics[i].feed = f;
    }
    return f;
}

void
feed_close(struct feed *f)
{
    for (int i = 0; i < FEED_TOPICS; i++) {
        writer_free(f->topics[i].writer);
        client_close(f->topics[i].client);
        f->topics[i].writer = NULL;
        f->topics[i].client = NULL;
    }
    client_close(f->counter);
    f->counter = NULL;
}

void
feed_free(struct feed *f)
{
    if (f == NULL)
        return;
    feed_close(f);
    for (int i = 0; i < FEED_TOPICS; i++) {
        free(f->topics[i].acked);
        free(f->topics[i].seen);
        free(f->topics[i].base);
    }
    arena_release(&f->arena);
    buf_release(&f->bytes);
    free(f);
}

/* ---- topics ------------------------------------------------------------- */

static bool
is_used(const struct feed *f, int topic)
{
    return topic != FEED_PAYMENTS || f->conf.payments == PAYMENTS_AS_TOPIC;
}

static int
make_topic(struct feed *f, struct feed_topic *t, struct err *err)
{
    struct create_topics_request_config keep;
    struct create_topics_request_topic one;
    struct create_topics_request req;
    struct create_topics_response *resp;

    wire_init(&create_topics_request_config_type, &keep);
    wire_init(&create_topics_request_topic_type, &one);
    wire_init(&create_topics_request_type, &req);
    keep.name = span_str("retention.ms");
    keep.value = span_str("-1");
    one.name = span_str(t->name);
    one.num_partitions = f->conf.partitions;
    one.replication_factor = -1;
    one.configs.v = &keep;
    one.configs.n = 1;
    req.topics.v = &one;
    req.topics.n = 1;
    req.timeout_ms = client_timeout_ms(t->client);
    arena_reset(&f->arena);
    if (client_call(t->client, API_CREATE_TOPICS, &req, &f->arena, &resp, err)
        != 0)
        return -1;
    if (resp->topics.n == 1 && resp->topics.v[0].error_code != 0
        && resp->topics.v[0].error_code != KERR_TOPIC_ALREADY_EXISTS)
        return client_refused(err, resp->topics.v[0].error_code,
            "topic '%s'", t->name);
    client_forget(t->client);
    return 0;
}

static const struct client_topic *
find_topic(struct feed *f, struct feed_topic *t, struct err *err)
{
    const struct client_topic *ct = client_topic(t->client, t->name, err);
    int kerr;

    if (ct != NULL || !client_kerr(err, &kerr)
        || kerr != KERR_UNKNOWN_TOPIC_OR_PARTITION)
        return ct;
    return make_topic(f, t, err) != 0
        ? NULL : client_topic(t->client, t->name, err);
}

static void
on_acked(void *arg, int32_t partition, int64_t offset, int32_t count)
{
    struct feed_topic *t = arg;

    (void)offset;
    t->acked[partition] += count;
    t->feed->acked += count;
}

/* At the first time, where the partitions end is where we begin; later on
 * they must end behind all that was acknowledged. */
static int
check_ends(struct feed_topic *t, const struct client_topic *ct,
    struct err *err)
{
    int64_t *ends = xcalloc((size_t)t->partitions, sizeof *ends);
    bool first = t->base == NULL;
    int rc = client_offsets_of(t->client, ct, OFFSET_END, ends, err);

    for (int32_t i = 0; rc == 0 && !first && i < t->partitions; i++) {
        if (ends[i] - t->base[i] < t->acked[i])
            rc = err_set(err, ERR_DAMAGE, "LOST: %s/%d has %" PRId64 " of the "
                "%" PRId64 " records that were acknowledged", t->name, i,
                ends[i] - t->base[i], t->acked[i]);
    }
    if (first && rc == 0)
        t->base = ends;
    else
        free(ends);
    return rc;
}

static int
open_topic(struct feed *f, struct feed_topic *t, struct err *err)
{
    struct writer_conf conf = {.acked = on_acked, .arg = t};
    const struct client_topic *ct;

    t->client = cli_client(f->conf.cli, err);
    ct = t->client == NULL ? NULL : find_topic(f, t, err);
    if (ct == NULL)
        return -1;
    if (t->partitions == 0) {
        t->partitions = ct->partitions;
        t->acked = xcalloc((size_t)t->partitions, sizeof *t->acked);
        t->seen = xcalloc((size_t)t->partitions, sizeof *t->seen);
    }
    if (t->partitions != ct->partitions)
        return err_set(err, ERR_LIMIT, "topic '%s' has other partitions now",
            t->name);
    if (check_ends(t, ct, err) != 0)
        return -1;
    t->writer = writer_new(t->client, ct, &conf);
    return 0;
}

int
feed_open(struct feed *f, struct err *err)
{
    for (int i = 0; i < FEED_TOPICS; i++) {
        if (is_used(f, i) && open_topic(f, &f->topics[i], err) != 0)
            return -1;
    }
    return 0;
}

/* ---- will it stay? ------------------------------------------------------ */

/* -1: for good, or there is no such topic. */
static int
retention(struct feed *f, const char *topic, int64_t *ms, struct err *err)
{
    struct span key = span_str("retention.ms");
    struct describe_configs_request_resource one;
    struct describe_configs_request req;
    struct describe_configs_response *resp;
    char text[24];

    wire_init(&describe_configs_request_resource_type, &one);
    wire_init(&describe_configs_request_type, &req);
    one.resource_type = 2;       /* a topic */
    one.resource_name = span_str(topic);
    one.configuration_keys.v = &key;
    one.configuration_keys.n = 1;
    req.resources.v = &one;
    req.resources.n = 1;
    *ms = -1;
    arena_reset(&f->arena);
    if (client_call(f->topics[FEED_ORDERS].client, API_DESCRIBE_CONFIGS, &req,
            &f->arena, &resp, err) != 0)
        return -1;
    if (resp->results.n != 1 || resp->results.v[0].configs.n != 1)
        return 0;
    snprintf(text, sizeof text, "%.*s",
        (int)resp->results.v[0].configs.v[0].value.len,
        (const char *)resp->results.v[0].configs.v[0].value.ptr);
    return parse_int(text, -1, INT64_MAX, ms, err);
}

int
feed_may_keep(struct feed *f, int64_t oldest_ms, int64_t now_ms,
    struct err *err)
{
    static const char *const all[] = {"orders", "warehouse-inventory",
        "order-validations", "stock-alerts"};
    int64_t ms;

    for (size_t i = 0; i < countof(all); i++) {
        if (retention(f, all[i], &ms, err) != 0)
            return -1;
        if (ms >= 0 && oldest_ms < now_ms - ms)
            return err_set(err, ERR_LIMIT, "topic '%s' forgets records older "
                "than %" PRId64 " days by their timestamps, and these are "
                "older: start an empty folder with penstock serve --keep-logs",
                all[i], ms / 86400000);
    }
    return 0;
}

/* ---- records ------------------------------------------------------------ */

static int
put(struct feed *f, int topic, int64_t time, const char *key,
    const ProtobufCMessage *m, struct err *err)
{
    struct feed_topic *t = &f->topics[topic];
    int32_t partition = writer_partition(span_str(key), t->partitions);
    size_t size;
    uint8_t *room;

    if (t->seen[partition]++ < t->acked[partition]) {
        f->skipped++;
        return 0;
    }
    size = protobuf_c_message_get_packed_size(m);
    buf_clear(&f->bytes);
    room = buf_grow(&f->bytes, size);
    if (room == NULL)
        return err_set(err, ERR_LIMIT, "'%.60s' is too large", key);
    protobuf_c_message_pack(m, room);
    f->sent++;
    return writer_add(t->writer, partition, time, span_str(key),
        buf_span(&f->bytes), NULL, 0, err);
}

/* protobuf-c's strings are not const; nobody writes to them. */
static char *
text(const char *s)
{
    union {
        const char *from;
        char *to;
    } u = {.from = s};

    return u.to;
}

/* Letters in a customer's number make it 0: none. */
static int64_t
customer_of(const char *s)
{
    int64_t v;

    return parse_int(s, 1, INT64_MAX, &v, NULL) == 0 ? v : 0;
}

static int
put_request(struct feed *f, int64_t time, const char *id,
    Shop__Order__State state, const char *reason, struct err *err)
{
    Shop__Order o = SHOP__ORDER__INIT;

    o.id = text(id);
    o.state = state;
    o.reason = text(reason);
    return put(f, FEED_ORDERS, time, id, &o.base, err);
}

static int
put_order(struct feed *f, const struct event *e, struct err *err)
{
    Shop__Order o = SHOP__ORDER__INIT;

    o.id = text(e->id);
    o.customer_id = customer_of(e->customer);
    o.state = SHOP__ORDER__STATE__CREATED;
    o.product = text(e->product);
    o.quantity = (int32_t)e->quantity;
    o.price_micros = e->price;
    o.currency = text("GBP");
    if (put(f, FEED_ORDERS, e->t, e->id, &o.base, err) != 0)
        return -1;
    if (e->price > 0 || f->conf.payments != PAYMENTS_AS_REQUESTS)
        return 0;
    return put_request(f, e->t, e->id, SHOP__ORDER__STATE__PAID, "", err);
}

static int
put_payment(struct feed *f, const struct event *e, struct err *err)
{
    Shop__Payment p = SHOP__PAYMENT__INIT;

    if (f->conf.payments == PAYMENTS_NONE)
        return 0;
    if (f->conf.payments == PAYMENTS_AS_REQUESTS)
        return put_request(f, e->t, e->order, SHOP__ORDER__STATE__PAID, "",
            err);
    p.id = text(e->id);
    p.order_id = text(e->order);
    p.ccy = text("GBP");
    p.amount_micros = e->price;
    return put(f, FEED_PAYMENTS, e->t, e->id, &p.base, err);
}

static int
put_movement(struct feed *f, const struct event *e, struct err *err)
{
    Shop__Movement m = SHOP__MOVEMENT__INIT;

    if (e->quantity > INT32_MAX || e->quantity < INT32_MIN)
        return err_set(err, ERR_LIMIT, "movement %s of %" PRId64 " pieces",
            e->id, e->quantity);
    m.id = text(e->id);
    m.kind = (Shop__Movement__Kind)e->move;
    m.quantity = (int32_t)e->quantity;
    return put(f, FEED_MOVEMENTS, e->t, e->product, &m.base, err);
}

static int
put_event(struct feed *f, const struct event *e, struct err *err)
{
    switch (e->kind) {
    case EVENT_MOVEMENT:
        return put_movement(f, e, err);
    case EVENT_ORDER:
        return put_order(f, e, err);
    case EVENT_PAYMENT:
        return put_payment(f, e, err);
    case EVENT_CANCEL:
        return put_request(f, e->t, e->id, SHOP__ORDER__STATE__CANCELLED,
            "CUSTOMER", err);
    case EVENT_SHIPMENT:
        return put_request(f, e->t, e->order, SHOP__ORDER__STATE__SHIPPED, "",
            err);
    case EVENT_KINDS:
        break;
    }
    unreachable("an event of no kind");
    return -1;
}

/* ---- pace --------------------------------------------------------------- */

/* What is early goes out before we sleep: nobody waits for a full batch. */
static int
keep_pace(struct feed *f, struct err *err)
{
    int64_t due = f->started_ns + (f->events * 1000000000) / f->conf.rate;
    int64_t early = due - world_mono_ns(world_real());
    struct timespec pause = {.tv_sec = early / 1000000000,
        .tv_nsec = early % 1000000000};

    if (early < PACE_MS * 1000000)
        return 0;
    if (feed_flush(f, err) != 0)
        return -1;
    nanosleep(&pause, NULL);
    return 0;
}

/* The opening stock goes before the first order. */
static int
send_movements(struct feed *f, const struct event *e, struct err *err)
{
    bool opens = e->kind == EVENT_MOVEMENT && e->move == MOVE_RECEIVE;

    f->behind |= e->kind == EVENT_MOVEMENT;
    f->opening |= opens;
    if (!f->behind || opens || (!f->opening && f->events % TICK_EVENTS != 0))
        return 0;
    f->behind = f->opening = false;
    return writer_flush(f->topics[FEED_MOVEMENTS].writer, err);
}

int
feed_event(void *arg, const struct event *e, struct err *err)
{
    struct feed *f = arg;
    int64_t sent = f->sent;

    if (cli_stop)
        return err_set(err, EINTR, "stopped");
    if (put_event(f, e, err) != 0)
        return -1;
    if (f->sent == sent)
        return 0;
    f->events++;
    if (f->events % TICK_EVENTS == 0 && f->conf.tick != NULL)
        f->conf.tick(f->conf.arg);
    if (f->conf.live && send_movements(f, e, err) != 0)
        return -1;
    return f->conf.rate > 0 ? keep_pace(f, err) : 0;
}

int
feed_flush(struct feed *f, struct err *err)
{
    for (int i = 0; i < FEED_TOPICS; i++) {
        if (f->topics[i].writer != NULL
            && writer_flush(f->topics[i].writer, err) != 0)
            return -1;
    }
    return 0;
}

void
feed_again(struct feed *f)
{
    for (int i = 0; i < FEED_TOPICS; i++) {
        if (f->topics[i].seen != NULL)
            memset(f->topics[i].seen, 0, (size_t)f->topics[i].partitions *
                sizeof *f->topics[i].seen);
    }
    f->events = 0;
    f->started_ns = world_mono_ns(world_real());
}

bool
feed_is_lost(const struct err *err)
{
    switch (err->code) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

int64_t
feed_acked(const struct feed *f)
{
    return f->acked;
}

int64_t
feed_repeated(const struct feed *f)
{
    return f->sent - f->acked;
}

int
feed_count(struct feed *f, const char *topic, int64_t *count, struct err *err)
{
    const struct client_topic *t;
    int64_t *offsets, sum = 0;
    int rc, kerr;

    if (f->counter == NULL)
        f->counter = cli_client(f->conf.cli, err);
    if (f->counter == NULL)
        return -1;
    t = client_topic(f->counter, topic, err);
    if (t == NULL) {
        if (client_kerr(err, &kerr)
            && kerr == KERR_UNKNOWN_TOPIC_OR_PARTITION)
            return 0;
        goto failed;
    }
    offsets = xcalloc((size_t)t->partitions, sizeof *offsets);
    rc = client_offsets_of(f->counter, t, OFFSET_END, offsets, err);
    for (int32_t i = 0; rc == 0 && i < t->partitions; i++)
        sum += offsets[i];
    free(offsets);
    if (rc != 0)
        goto failed;
    *count = sum;
    return 0;
failed:
    client_close(f->counter);
    f->counter = NULL;
    return -1;
}
