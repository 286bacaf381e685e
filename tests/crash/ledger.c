#include "config.h"

#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "proto/shop.pb-c.h"

enum { ORDERS_MAX = 2000000, FLUSH_MS = 120000, READ_MS = 120000 };

/* ---- clients ---- */

rd_kafka_t *
ledger_client(const struct rig *r, rd_kafka_type_t type,
    const char *const *settings, void (*delivered)(rd_kafka_t *,
        const rd_kafka_message_t *, void *), void *arg)
{
    const char *usual[] = {"bootstrap.servers", r->address, "log_level", "2",
        "reconnect.backoff.ms", "5", "reconnect.backoff.max.ms", "50", NULL};
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    const char *const *lists[] = {usual, settings};
    char why[256];
    rd_kafka_t *rk;

    for (size_t i = 0; i < countof(lists); i++)
        for (const char *const *s = lists[i]; *s != NULL; s += 2)
            if (rd_kafka_conf_set(c, s[0], s[1], why, sizeof why)
                != RD_KAFKA_CONF_OK)
                bail("%s", why);
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(c, delivered);
    rd_kafka_conf_set_opaque(c, arg);
    rk = rd_kafka_new(type, c, why, sizeof why);
    assert(rk != NULL);
    return rk;
}

/* ---- producing ---- */

static void
delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
    struct ledger *l = arg;

    (void)rk;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && m->_private != NULL) {
        l->acked[(intptr_t)m->_private - 1] = 1;
        l->acks++;
    }
}

static bool
send_bytes(struct ledger *l, const char *topic, const char *key, void *bytes,
    size_t len, intptr_t number)
{
    return rd_kafka_producev(l->producer, RD_KAFKA_V_TOPIC(topic),
        RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE(bytes, len),
        RD_KAFKA_V_OPAQUE((void *)number),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)
        == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void
send_stock(struct ledger *l)
{
    for (int i = 0; i < LEDGER_PRODUCTS; i++) {
        Shop__Movement m = SHOP__MOVEMENT__INIT;
        uint8_t out[64];
        char key[16];
        bool sent;

        snprintf(key, sizeof key, "p%d", i);
        m.kind = SHOP__MOVEMENT__KIND__COUNT;
        m.quantity = LEDGER_STOCK;
        sent = send_bytes(l, "warehouse-inventory", key, out,
            shop__movement__pack(&m, out), 0);
        assert(sent);
    }
    rd_kafka_flush(l->producer, 30000);
}

void
ledger_open(struct ledger *l, struct rig *r)
{
    static const char *const settings[] = {"enable.idempotence", "true",
        "linger.ms", "2", "message.timeout.ms", "120000",
        "queue.buffering.max.messages", "20000", NULL};

    memset(l, 0, sizeof *l);
    l->rig = r;
    l->acked = xcalloc(1, ORDERS_MAX);
    l->seen = xcalloc(1, ORDERS_MAX);
    l->verdicts = xcalloc(1, ORDERS_MAX);
    l->producer = ledger_client(r, RD_KAFKA_PRODUCER, settings, delivered,
        l);
    send_stock(l);
}

void
ledger_close(struct ledger *l)
{
    if (l->producer != NULL)
        rd_kafka_destroy(l->producer);
    free(l->acked);
    free(l->seen);
    free(l->verdicts);
}

bool
ledger_order(struct ledger *l)
{
    Shop__Order o = SHOP__ORDER__INIT;
    uint8_t out[128];
    char id[16], product[16];

    if (l->sent == ORDERS_MAX)
        return false;
    snprintf(id, sizeof id, "%d", l->sent);
    snprintf(product, sizeof product, "p%u",
        rig_draw(l->rig, LEDGER_PRODUCTS));
    o.id = id;
    o.product = product;
    o.quantity = 1;
    o.state = SHOP__ORDER__STATE__CREATED;
    if (!send_bytes(l, "orders", id, out, shop__order__pack(&o, out),
            l->sent + 1))
        return false;
    l->sent++;
    return true;
}

void
ledger_load(struct ledger *l, int64_t ms)
{
    for (int64_t until = now_ms() + ms; now_ms() < until;) {
        for (int k = 0; k < 50; k++)
            if (!ledger_order(l))
                break;
        rd_kafka_poll(l->producer, 1);
    }
}

/* ---- reading back ---- */

bool
ledger_scan(const struct rig *r, const char *topic, int partitions,
    int64_t within_ms, void (*fn)(void *, const rd_kafka_message_t *),
    void *arg)
{
    static const char *const settings[] = {"group.id", "ledger",
        "enable.auto.commit", "false", "enable.partition.eof", "true", NULL};
    rd_kafka_t *rk = ledger_client(r, RD_KAFKA_CONSUMER, settings, NULL,
        NULL);
    rd_kafka_topic_partition_list_t *list
        = rd_kafka_topic_partition_list_new(partitions);
    int64_t end = now_ms() + within_ms;
    rd_kafka_resp_err_t err;
    int ends = 0;

    rd_kafka_poll_set_consumer(rk);
    for (int p = 0; p < partitions; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset
            = RD_KAFKA_OFFSET_BEGINNING;
    err = rd_kafka_assign(rk, list);
    assert(err == RD_KAFKA_RESP_ERR_NO_ERROR);
    while (ends < partitions && now_ms() < end) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 200);

        if (m == NULL)
            continue;
        if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            fn(arg, m);
        else if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            ends++;
        rd_kafka_message_destroy(m);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return ends >= partitions;
}

/* What somebody else wrote is no account of ours. */
static int
number_of(const struct ledger *l, const char *id)
{
    long n = strtol(id, NULL, 10);

    if (n < 0 || n >= l->sent)
        bail("order %s was never sent", id);
    return (int)n;
}

static void
saw_order(void *arg, const rd_kafka_message_t *m)
{
    struct ledger *l = arg;
    Shop__Order *o = shop__order__unpack(NULL, m->len, m->payload);
    uint8_t *seen;

    if (o == NULL)
        bail("an order can not be read");
    seen = &l->seen[number_of(l, o->id)];
    *seen += *seen < 255;
    shop__order__free_unpacked(o, NULL);
}

static void
saw_verdict(void *arg, const rd_kafka_message_t *m)
{
    struct ledger *l = arg;
    Shop__OrderValidation *v
        = shop__order_validation__unpack(NULL, m->len, m->payload);
    uint8_t *verdicts;

    if (v == NULL)
        bail("a verdict can not be read");
    verdicts = &l->verdicts[number_of(l, v->order_id)];
    *verdicts += *verdicts < 255;
    l->passed += v->result == SHOP__RESULT__PASS;
    shop__order_validation__free_unpacked(v, NULL);
}

static void
read_orders(struct ledger *l)
{
    memset(l->seen, 0, ORDERS_MAX);
    if (!ledger_scan(l->rig, "orders", LEDGER_PARTITIONS, READ_MS, saw_order,
            l))
        check(false, "the orders can be read to their end");
}

/* Verdicts come after their orders: read until they are as many. */
static void
read_verdicts(struct ledger *l)
{
    int64_t end = now_ms() + READ_MS / 2;
    int n;

    do {
        memset(l->verdicts, 0, ORDERS_MAX);
        l->passed = n = 0;
        if (!ledger_scan(l->rig, "order-validations", LEDGER_PARTITIONS,
                READ_MS, saw_verdict, l))
            check(false, "the verdicts can be read to their end");
        for (int i = 0; i < l->sent; i++)
            n += l->verdicts[i] > 0 || l->seen[i] == 0;
    } while (n < l->sent && now_ms() < end);
}

void
ledger_read(struct ledger *l, const char *when)
{
    int lost = 0;

    read_orders(l);
    for (int i = 0; i < l->sent; i++)
        lost += l->acked[i] && l->seen[i] == 0;
    check(lost == 0, "%s all %d acknowledged orders can be read (%d lost)",
        when, l->acks, lost);
}

void
ledger_judge(struct ledger *l)
{
    int lost = 0, twice = 0, without = 0, more = 0, orders = 0;

    check(rd_kafka_flush(l->producer, FLUSH_MS) == RD_KAFKA_RESP_ERR_NO_ERROR,
        "the producer gets rid of all it has");
    read_orders(l);
    read_verdicts(l);
    for (int i = 0; i < l->sent; i++) {
        lost += l->acked[i] && l->seen[i] == 0;
        twice += l->seen[i] > 1;
        orders += l->seen[i] > 0;
        without += l->seen[i] > 0 && l->verdicts[i] == 0;
        more += l->verdicts[i] > 1;
    }
    printf("# %d orders sent, %d acknowledged, %d there; %d passed\n",
        l->sent, l->acks, orders, l->passed);
    check(l->acks == l->sent, "every order was acknowledged in the end");
    check(lost == 0, "nothing acknowledged is lost (%d)", lost);
    check(twice == 0, "nothing stands there twice (%d)", twice);
    check(without == 0, "every order has a verdict (%d without)", without);
    check(more == 0, "none has two (%d)", more);
    check(l->passed <= LEDGER_PRODUCTS * LEDGER_STOCK,
        "nothing is oversold");
    check(orders < LEDGER_PRODUCTS * LEDGER_STOCK * 2
            || l->passed == LEDGER_PRODUCTS * LEDGER_STOCK,
        "and all of the stock was sold");
}
