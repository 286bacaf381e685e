/*
 * kill9.c: a hundred times kill -9 under load.
 *
 * One librdkafka producer, idempotent, lives through all of it and sends
 * orders for few products; the broker, with the inventory service in it, is
 * killed at random moments and started again on the same port. In the end:
 *
 *   1. every order that was acknowledged stands in the topic, once;
 *   2. every order has exactly one verdict;
 *   3. what passed is what the stock has reserved, and it is not more than
 *      there was.
 *
 * PENSTOCK_ROUNDS (100) and PENSTOCK_SEED may be set; the seed is printed.
 */
#include "config.h"

#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "proto/shop.pb-c.h"

enum { PRODUCTS = 20, STOCK = 500, PARTITIONS = 4, ORDERS_MAX = 2000000 };

static char data[256], binary[1024];
static int port;
static pid_t broker;
static uint64_t rng;
static int checks, failures;
static uint8_t *acked, *seen, *verdicts;
static int sent, acks, passed[PRODUCTS];

static unsigned
draw(unsigned n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (unsigned)(rng % n);
}

static void
check(bool good, const char *name)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++checks, name);
    failures += !good;
    fflush(stdout);
}

static int64_t
now_ms(void)
{
    struct timespec ts;

    must(clock_gettime(CLOCK_MONOTONIC, &ts));
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- the broker ---- */

/* Not a port of the kernel's choice: while the broker is dead a client that
 * connects again and again would be given it for its own end, sooner or
 * later, and be connected to itself. */
static void
choose_port(void)
{
    port = 20000 + (int)draw(10000);
}

static bool
broker_try(void)
{
    char listen[64], line[512] = "", *at;
    int fds[2];
    ssize_t n;

    snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    assert(pipe(fds) == 0);
    broker = fork();
    assert(broker >= 0);
    if (broker == 0) {
        dup2(fds[1], 3);
        execl(binary, binary, "serve", "--data", data, "--listen", listen,
            "--http", "off", "--ready-fd", "3", "--partitions", "4",
            "--die-with-parent", (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    n = read(fds[0], line, sizeof line - 1);
    close(fds[0]);
    at = n > 0 ? strstr(line, "\"bootstrap\":\"127.0.0.1:") : NULL;
    if (at != NULL)
        return true;
    waitpid(broker, NULL, 0);
    return false;
}

static void
broker_start(void)
{
    if (!broker_try()) {
        printf("Bail out! the broker did not start\n");
        exit(99);
    }
}

static void
broker_kill(int sig)
{
    int status;

    kill(broker, sig);
    waitpid(broker, &status, 0);
    if (sig == SIGTERM)
        check(WIFEXITED(status) && WEXITSTATUS(status) == 0,
            "the broker ends cleanly");
    else if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        check(false, "the broker ended before it was killed");
}

/* ---- producing ---- */

static void
delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
    (void)rk;
    (void)arg;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && m->_private != NULL) {
        acked[(intptr_t)m->_private - 1] = 1;
        acks++;
    }
}

static rd_kafka_t *
client_new(rd_kafka_type_t type, const char *const *settings)
{
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    char why[256], bootstrap[64];
    rd_kafka_t *rk;

    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", port);
    rd_kafka_conf_set(c, "bootstrap.servers", bootstrap, why, sizeof why);
    rd_kafka_conf_set(c, "log_level", "2", why, sizeof why);
    rd_kafka_conf_set(c, "reconnect.backoff.ms", "5", why, sizeof why);
    rd_kafka_conf_set(c, "reconnect.backoff.max.ms", "50", why, sizeof why);
    for (; *settings != NULL; settings += 2) {
        if (rd_kafka_conf_set(c, settings[0], settings[1], why, sizeof why)
            != RD_KAFKA_CONF_OK) {
            printf("Bail out! %s\n", why);
            exit(99);
        }
    }
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(c, delivered);
    rk = rd_kafka_new(type, c, why, sizeof why);
    assert(rk != NULL);
    return rk;
}

static bool
send_bytes(rd_kafka_t *rk, const char *topic, const char *key, void *bytes,
    size_t len, intptr_t number)
{
    return rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
        RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE(bytes, len),
        RD_KAFKA_V_OPAQUE((void *)number),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)
        == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void
send_stock(rd_kafka_t *rk)
{
    for (int i = 0; i < PRODUCTS; i++) {
        Shop__Movement m = SHOP__MOVEMENT__INIT;
        uint8_t out[64];
        char key[16];

        snprintf(key, sizeof key, "p%d", i);
        m.kind = SHOP__MOVEMENT__KIND__COUNT;
        m.quantity = STOCK;
        assert(send_bytes(rk, "warehouse-inventory", key, out,
            shop__movement__pack(&m, out), 0));
    }
    rd_kafka_flush(rk, 30000);
}

static bool
send_order(rd_kafka_t *rk)
{
    Shop__Order o = SHOP__ORDER__INIT;
    uint8_t out[128];
    char id[16], product[16];

    snprintf(id, sizeof id, "%d", sent);
    snprintf(product, sizeof product, "p%d", (int)draw(PRODUCTS));
    o.id = id;
    o.product = product;
    o.quantity = 1;
    o.state = SHOP__ORDER__STATE__CREATED;
    if (!send_bytes(rk, "orders", id, out, shop__order__pack(&o, out),
            sent + 1))
        return false;
    sent++;
    return true;
}

/* ---- reading back ---- */

static void
saw_order(const rd_kafka_message_t *m)
{
    Shop__Order *o = shop__order__unpack(NULL, m->len, m->payload);
    int id;

    assert(o != NULL);
    id = (int)strtol(o->id, NULL, 10);
    assert(id >= 0 && id < sent);
    if (seen[id] < 255)
        seen[id]++;
    shop__order__free_unpacked(o, NULL);
}

static void
saw_verdict(const rd_kafka_message_t *m)
{
    Shop__OrderValidation *v
        = shop__order_validation__unpack(NULL, m->len, m->payload);
    int id;

    assert(v != NULL);
    id = (int)strtol(v->order_id, NULL, 10);
    assert(id >= 0 && id < sent);
    if (verdicts[id] < 255)
        verdicts[id]++;
    if (v->result == SHOP__RESULT__PASS)
        passed[0]++;
    shop__order_validation__free_unpacked(v, NULL);
}

/* All partitions from the beginning to the ends as they are now. */
static void
read_topic(const char *topic, void (*fn)(const rd_kafka_message_t *))
{
    static const char *const settings[] = {"group.id", "kill9",
        "enable.auto.commit", "false", "enable.partition.eof", "true", NULL};
    rd_kafka_t *rk = client_new(RD_KAFKA_CONSUMER, settings);
    rd_kafka_topic_partition_list_t *list
        = rd_kafka_topic_partition_list_new(PARTITIONS);
    int ends = 0;

    rd_kafka_poll_set_consumer(rk);
    for (int p = 0; p < PARTITIONS; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset
            = RD_KAFKA_OFFSET_BEGINNING;
    assert(rd_kafka_assign(rk, list) == RD_KAFKA_RESP_ERR_NO_ERROR);
    for (int64_t end = now_ms() + 120000; ends < PARTITIONS;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 1000);

        if (now_ms() > end) {
            check(false, "a topic can be read to its end");
            break;
        }
        if (m == NULL)
            continue;
        if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            fn(m);
        else if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            ends++;
        rd_kafka_message_destroy(m);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

/* Verdicts come after their orders: read until they are as many. */
static void
read_verdicts(void)
{
    int64_t end = now_ms() + 60000;
    int n;

    do {
        memset(verdicts, 0, ORDERS_MAX);
        passed[0] = 0;
        read_topic("order-validations", saw_verdict);
        n = 0;
        for (int i = 0; i < sent; i++)
            n += verdicts[i] > 0;
    } while (n < sent && now_ms() < end);
}

static void
judge(void)
{
    int lost = 0, twice = 0, without = 0, more = 0, orders = 0;

    read_topic("orders", saw_order);
    read_verdicts();
    for (int i = 0; i < sent; i++) {
        lost += acked[i] && seen[i] == 0;
        twice += seen[i] > 1;
        orders += seen[i] > 0;
        without += seen[i] > 0 && verdicts[i] == 0;
        more += verdicts[i] > 1;
    }
    printf("# %d orders sent, %d acknowledged, %d there; %d passed\n", sent,
        acks, orders, passed[0]);
    check(acks == sent, "every order was acknowledged in the end");
    check(lost == 0, "nothing acknowledged is lost");
    check(twice == 0, "nothing stands there twice");
    check(without == 0, "every order has a verdict");
    check(more == 0, "none has two");
    check(passed[0] <= PRODUCTS * STOCK, "nothing is oversold");
    check(orders < PRODUCTS * STOCK * 2 || passed[0] == PRODUCTS * STOCK,
        "and all of the stock was sold");
}

static void
rounds_run(rd_kafka_t *rk, int rounds)
{
    int64_t slowest = 0;

    for (int i = 0; i < rounds; i++) {
        int64_t until = now_ms() + 30 + draw(250), began;

        while (now_ms() < until) {
            for (int k = 0; k < 50 && sent < ORDERS_MAX; k++)
                if (!send_order(rk))
                    break;
            rd_kafka_poll(rk, 1);
        }
        broker_kill(SIGKILL);
        began = now_ms();
        broker_start();
        if (now_ms() - began > slowest)
            slowest = now_ms() - began;
    }
    printf("# the slowest start took %lld ms\n", (long long)slowest);
}

int
main(void)
{
    static const char *const settings[] = {"enable.idempotence", "true",
        "linger.ms", "2", "message.timeout.ms", "120000",
        "queue.buffering.max.messages", "20000", NULL};
    const char *seed = getenv("PENSTOCK_SEED"), *r = getenv("PENSTOCK_ROUNDS");
    const char *build = getenv("top_builddir");
    int rounds = r == NULL ? 100 : (int)strtol(r, NULL, 10);
    char cmd[512];
    rd_kafka_t *rk;

    rng = seed != NULL ? strtoull(seed, NULL, 0)
                       : (uint64_t)time(NULL) * 2654435761u;
    printf("# PENSTOCK_SEED=%llu\n", (unsigned long long)rng);
    snprintf(binary, sizeof binary, "%s/penstock", build == NULL ? "." : build);
    snprintf(data, sizeof data, "%s/penstock-kill9.XXXXXX",
        getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert(mkdtemp(data) != NULL);
    acked = xcalloc(1, ORDERS_MAX);
    seen = xcalloc(1, ORDERS_MAX);
    verdicts = xcalloc(1, ORDERS_MAX);
    choose_port();
    for (int i = 0; !broker_try(); i++) {
        assert(i < 20);
        choose_port();
    }
    rk = client_new(RD_KAFKA_PRODUCER, settings);
    send_stock(rk);
    rounds_run(rk, rounds);
    check(rd_kafka_flush(rk, 120000) == RD_KAFKA_RESP_ERR_NO_ERROR,
        "the producer gets rid of all it has");
    rd_kafka_destroy(rk);
    judge();
    broker_kill(SIGTERM);
    printf("1..%d\n", checks);
    if (failures == 0) {
        snprintf(cmd, sizeof cmd, "rm -rf %s", data);
        assert(system(cmd) == 0);
    } else {
        printf("# the data is left in %s\n", data);
    }
    free(acked);
    free(seen);
    free(verdicts);
    return failures > 0;
}
