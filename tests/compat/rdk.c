#include "config.h"
#include "rdk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int checks, failures;

/* -- TAP ------------------------------------------------------------------ */

bool
ok(bool cond, const char *fmt, ...)
{
    va_list ap;

    printf("%sok %d - ", cond ? "" : "not ", ++checks);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    failures += !cond;
    return cond;
}

bool
is_int(int64_t got, int64_t want, const char *name)
{
    if (!ok(got == want, "%s", name))
        note("got %" PRId64 ", want %" PRId64, got, want);
    return got == want;
}

bool
is_str(const char *got, const char *want, const char *name)
{
    bool equal = got && strcmp(got, want) == 0;

    if (!ok(equal, "%s", name))
        note("got \"%s\", want \"%s\"", got ? got : "(null)", want);
    return equal;
}

bool
is_err(rd_kafka_resp_err_t got, rd_kafka_resp_err_t want, const char *name)
{
    if (!ok(got == want, "%s", name))
        note("got %s, want %s", rd_kafka_err2name(got),
            rd_kafka_err2name(want));
    return got == want;
}

void
note(const char *fmt, ...)
{
    va_list ap;

    printf("# ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

void
client(const char *what, const char *version)
{
    note("client: %s %s", what, version);
}

void
feature(const char *what)
{
    note("feature: %s", what);
}

int
done_testing(void)
{
    printf("1..%d\n", checks);
    return failures > 0;
}

void
bail(const char *fmt, ...)
{
    va_list ap;

    printf("Bail out! ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
    exit(99);
}

int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const char *
broker(const char *words)
{
    static char line[256];
    char command[1024];
    const char *program = getenv("BROKER");
    FILE *f;
    bool got;

    snprintf(command, sizeof command, "%s %s", program ? program : "false",
        words);
    fflush(stdout);
    f = popen(command, "r");
    if (!f)
        bail("%s", command);
    got = fgets(line, sizeof line, f) != NULL;
    if (pclose(f) != 0)
        bail("%s failed", command);
    line[strcspn(line, "\n")] = '\0';
    return got ? line : NULL;
}

const char *
named(const char *word)
{
    static char names[16][256];
    static unsigned turn;
    char *name = names[turn++ % 16];
    const char *prefix = getenv("TOPIC");

    snprintf(name, sizeof names[0], "%s-%s", prefix ? prefix : "compat", word);
    return name;
}

/* -- clients -------------------------------------------------------------- */

static void
conf_word(rd_kafka_conf_t *conf, const char *word)
{
    char key[128], text[256];
    const char *eq = strchr(word, '=');

    if (!eq || (size_t)(eq - word) >= sizeof key)
        bail("\"%s\" is no key=value", word);
    snprintf(key, sizeof key, "%.*s", (int)(eq - word), word);
    if (rd_kafka_conf_set(conf, key, eq + 1, text, sizeof text) !=
        RD_KAFKA_CONF_OK)
        bail("%s: %s", word, text);
}

/* Errors of the client as such are told by its calls; silence the log. */
static void
log_quiet(const rd_kafka_t *rk, int level, const char *fac, const char *text)
{
    if (getenv("RDK_LOG"))
        fprintf(stderr, "%d %s %s: %s\n", level, rd_kafka_name(rk), fac, text);
}

static rd_kafka_t *
client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf,
    const char *const words[])
{
    const char *bootstrap = getenv("BOOTSTRAP");
    char text[512];
    rd_kafka_t *rk;

    if (!bootstrap)
        bail("BOOTSTRAP is not set: run rdkafka.t");
    rd_kafka_conf_set_log_cb(conf, log_quiet);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, text,
            sizeof text) != RD_KAFKA_CONF_OK)
        bail("%s", text);
    while (*words)
        conf_word(conf, *words++);
    rk = rd_kafka_new(type, conf, text, sizeof text);
    if (!rk)
        bail("%s", text);
    return rk;
}

static void
report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct reports *r = opaque;

    r->count++;
    if (m->err) {
        r->failed++;
        r->err = m->err;
        return;
    }
    if (m->partition < 0 || m->partition >= RDK_PARTS ||
        m->offset != r->next[m->partition]++)
        r->unordered++;
}

static int
stats(rd_kafka_t *rk, char *json, size_t size, void *opaque)
{
    struct reports *r = opaque;
    const char *at = strstr(json, "\"tx_bytes\":");

    if (at)
        r->tx_bytes = strtoll(at + strlen("\"tx_bytes\":"), NULL, 10);
    r->stats++;
    return 0;
}

rd_kafka_t *
producer_new(struct reports *r, const char *const words[])
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    memset(r, 0, sizeof *r);
    rd_kafka_conf_set_opaque(conf, r);
    rd_kafka_conf_set_dr_msg_cb(conf, report);
    rd_kafka_conf_set_stats_cb(conf, stats);
    return client_new(RD_KAFKA_PRODUCER, conf, words);
}

void
producer_free(rd_kafka_t *rk)
{
    rd_kafka_flush(rk, RDK_WAIT_MS);
    rd_kafka_destroy(rk);
}

rd_kafka_t *
consumer_new(const char *const words[])
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk;

    conf_word(conf, "enable.partition.eof=true");
    conf_word(conf, "auto.offset.reset=earliest");
    conf_word(conf, "enable.auto.commit=false");
    conf_word(conf, "topic.metadata.refresh.interval.ms=1000");
    conf_word(conf, "group.id=compat-unused");
    rk = client_new(RD_KAFKA_CONSUMER, conf, words);
    rd_kafka_poll_set_consumer(rk);
    return rk;
}

void
consumer_free(rd_kafka_t *rk)
{
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

/* -- a topic -------------------------------------------------------------- */

static void
new_topic_config(rd_kafka_NewTopic_t *t, const char *config)
{
    char key[128];
    const char *eq = config ? strchr(config, '=') : NULL;

    if (!eq)
        return;
    snprintf(key, sizeof key, "%.*s", (int)(eq - config), config);
    rd_kafka_NewTopic_set_config(t, key, eq + 1);
}

rd_kafka_resp_err_t
topic_new(const char *topic, int parts, const char *config)
{
    struct reports unused;
    rd_kafka_t *rk = producer_new(&unused, WORDS("client.id=topic-new"));
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    char text[256];
    rd_kafka_NewTopic_t *t =
        rd_kafka_NewTopic_new(topic, parts, 1, text, sizeof text);
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_event_t *ev;
    size_t n;

    if (!t)
        bail("%s: %s", topic, text);
    new_topic_config(t, config);
    rd_kafka_CreateTopics(rk, &t, 1, NULL, q);
    ev = rd_kafka_queue_poll(q, RDK_WAIT_MS);
    if (ev) {
        err = rd_kafka_event_error(ev);
        if (!err)
            err = rd_kafka_topic_result_error(
                rd_kafka_CreateTopics_result_topics(
                    rd_kafka_event_CreateTopics_result(ev), &n)[0]);
        rd_kafka_event_destroy(ev);
    }
    rd_kafka_NewTopic_destroy(t);
    rd_kafka_queue_destroy(q);
    rd_kafka_destroy(rk);
    return err;
}

/* -- a run of numbers ----------------------------------------------------- */

void
produce_run(rd_kafka_t *rk, const char *topic, int parts, int from, int to)
{
    char value[32];
    int n = from;

    while (n < to) {
        int size = snprintf(value, sizeof value, "%d", n);
        rd_kafka_resp_err_t err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
            RD_KAFKA_V_PARTITION(n % parts),
            RD_KAFKA_V_VALUE(value, (size_t)size),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

        if (err && err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            bail("produce: %s", rd_kafka_err2str(err));
        rd_kafka_poll(rk, err ? 100 : 0);
        n += !err;
    }
    rd_kafka_flush(rk, RDK_WAIT_MS);
}

bool
seen_add(struct seen *s, const rd_kafka_message_t *m)
{
    char value[32];
    int n, part = m->partition;

    if (m->len == 0 || m->len >= sizeof value || part >= RDK_PARTS)
        return false;
    memcpy(value, m->payload, m->len);
    value[m->len] = '\0';
    n = (int)strtol(value, NULL, 10);
    if (n < 0 || n >= RDK_RUN)
        return false;
    s->distinct += s->times[n] == 0;
    if (s->times[n] < UINT8_MAX)
        s->times[n]++;
    s->unordered += n < s->last[part];
    s->last[part] = n;
    s->count++;
    return true;
}

int
seen_wrong(const struct seen *s, int from, int to)
{
    int wrong = 0;

    for (int n = from; n < to; n++)
        wrong += s->times[n] != 1;
    return wrong;
}

void
assign_one(rd_kafka_t *rk, const char *topic, int part, int64_t offset)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(l, topic, part)->offset = offset;
    if (rd_kafka_assign(rk, l))
        bail("assign");
    rd_kafka_topic_partition_list_destroy(l);
}

rd_kafka_message_t *
consume_one(rd_kafka_t *rk, rd_kafka_resp_err_t *err)
{
    rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, RDK_WAIT_MS);

    if (err)
        *err = m ? m->err : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (m && m->err) {
        if (m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            note("consume: %s", rd_kafka_err2name(m->err));
        rd_kafka_message_destroy(m);
        m = NULL;
    }
    return m;
}

void
consume_to_end(rd_kafka_t *rk, int parts, struct seen *s)
{
    int64_t until = now_ms() + RDK_WAIT_MS;
    bool ended[RDK_PARTS] = {false};

    while (parts > 0 && now_ms() < until) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 100);

        if (!m)
            continue;
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            parts -= !ended[m->partition];
            ended[m->partition] = true;
        } else if (m->err) {
            note("consume: %s", rd_kafka_message_errstr(m));
        } else {
            seen_add(s, m);
        }
        rd_kafka_message_destroy(m);
    }
}

void
consume_topic(const char *topic, int parts, struct seen *s)
{
    rd_kafka_t *rk = consumer_new(WORDS("check.crcs=true"));
    rd_kafka_topic_partition_list_t *l =
        rd_kafka_topic_partition_list_new(parts);

    memset(s, 0, sizeof *s);
    for (int i = 0; i < parts; i++)
        rd_kafka_topic_partition_list_add(l, topic, i)->offset = 0;
    if (rd_kafka_assign(rk, l))
        bail("assign");
    rd_kafka_topic_partition_list_destroy(l);
    consume_to_end(rk, parts, s);
    consumer_free(rk);
}
