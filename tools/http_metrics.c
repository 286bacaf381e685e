/*
 * http_metrics.c: counters and levels in Prometheus' text form 0.0.4
 * (prometheus.io, "Exposition formats"). What is counted in nanoseconds
 * inside comes out in seconds, as their naming rules want.
 */
#include "config.h"

#include "http_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/api.h"
#include "epoch/seq.h"
#include "epoch/tail.h"
#include "net/net.h"
#include "partition/cleaner.h"
#include "task/engine.h"
#include "wire/wire.h"

/* With more topics than this, only their sums are told. */
enum { TOPICS_TOLD_MAX = 100 };

static void
family(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP penstock_%s %s\n# TYPE penstock_%s %s\n", name, help,
        name, type);
}

static void
single(struct buf *b, const char *name, const char *type, const char *help,
    uint64_t value)
{
    family(b, name, type, help);
    buf_printf(b, "penstock_%s %llu\n", name, (unsigned long long)value);
}

/* A counter of a table: "flush_ns" is flush_seconds_total. */
static void
counted(struct buf *b, const char *prefix, const char *name, const char *help,
    uint64_t value)
{
    size_t len = strlen(name);
    char full[96];

    if (len > 3 && strcmp(name + len - 3, "_ns") == 0) {
        snprintf(full, sizeof full, "%s%.*s_seconds_total", prefix,
            (int)len - 3, name);
        family(b, full, "counter", help + (strncmp(help, "nano", 4) ? 0 : 4));
        buf_printf(b, "penstock_%s %.9f\n", full, (double)value / 1e9);
        return;
    }
    snprintf(full, sizeof full, "%s%s_total", prefix, name);
    single(b, full, "counter", help, value);
}

/* ---- the process -------------------------------------------------------- */

/* RssAnon: what the process itself holds; LMDB's map and the program's text
 * are the page cache's. Cheap, unlike smaps. */
static uint64_t
anonymous_bytes(void)
{
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    const char *at;

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    at = strstr(text, "RssAnon:");
    return at == NULL ? 0 : strtoull(at + 8, NULL, 10) * 1024;
}

static uint64_t
open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    uint64_t n = 0;

    if (d == NULL)
        return 0;
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n < 3 ? 0 : n - 3;    /* . and .. and the folder itself */
}

static void
put_process(struct buf *b, const struct http *h)
{
    struct rusage u;
    int64_t up = http_now_ns(h) - h->started_ns;

    family(b, "build_info", "gauge", "the version, in a label");
    buf_put_str(b, "penstock_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
    family(b, "uptime_seconds", "gauge", "since the HTTP front was opened");
    buf_printf(b, "penstock_uptime_seconds %.3f\n", (double)up / 1e9);
    single(b, "process_resident_anon_bytes", "gauge",
        "memory of our own, page cache not counted", anonymous_bytes());
    single(b, "process_open_fds", "gauge", "open descriptors", open_files());
    getrusage(RUSAGE_SELF, &u);
    family(b, "process_cpu_seconds_total", "counter", "user and system time");
    buf_printf(b, "penstock_process_cpu_seconds_total %.6f\n",
        (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec)
            + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
    counted(b, "http_", "requests", "requests", h->counters.requests);
    counted(b, "http_", "errors", "requests answered with 400 or more",
        h->counters.errors);
    single(b, "http_waiting", "gauge", "requests that wait for an epoch or "
        "for quiet", h->waiting_count);
}

/* ---- the sequencer ------------------------------------------------------ */

static void
put_seq(struct buf *b, struct seq *seq)
{
    struct seq_counters *k = seq_counters(seq);
    struct seq_levels l;

#define X(name, help) counted(b, "seq_", #name, help, k->name);
    SEQ_COUNTERS(X)
#undef X
    seq_levels(seq, &l);
    single(b, "seq_published_epoch", "gauge", "the newest committed epoch",
        seq_published(seq));
    single(b, "seq_checkpointed_epoch", "gauge", "what LMDB holds",
        seq_checkpointed(seq));
    single(b, "seq_readonly", "gauge", "1: the disk is full",
        seq_readonly(seq, NULL));
    single(b, "seq_journal_bytes", "gauge", "size of the journal",
        l.journal_bytes);
    single(b, "seq_journal_used_bytes", "gauge", "not yet checkpointed",
        l.journal_used);
    single(b, "seq_open_epoch_bytes", "gauge", "linked, not yet cut",
        l.epoch_bytes);
    single(b, "seq_tail_bytes", "gauge", "batches not yet written back",
        l.tail_bytes);
    single(b, "seq_cache_bytes", "gauge", "batches written, kept in memory",
        l.cache_bytes);
    single(b, "seq_overlay_bytes", "gauge", "changes of stores in memory",
        l.overlay_bytes);
}

/* ---- network and APIs --------------------------------------------------- */

static void
put_net(struct buf *b, const struct net *net)
{
    const struct net_counters *k = net_counters(net);

#define X(name, help) counted(b, "net_", #name, help, k->name);
    NET_COUNTERS(X)
#undef X
    single(b, "net_connections", "gauge", "connections open now",
        k->connections);
}

static void
put_apis(struct buf *b, const struct api *api)
{
    const struct wire_api *w;
    const struct api_counter *k;

    family(b, "api_requests_total", "counter", "requests by API");
    for (size_t i = 0; (w = wire_api_nth(i)) != NULL; i++)
        if (w->served && (k = api_counter(api, w->key)) != NULL)
            buf_printf(b, "penstock_api_requests_total{api=\"%s\"} %llu\n",
                w->name, (unsigned long long)k->requests);
    family(b, "api_errors_total", "counter", "answers with an error by API");
    for (size_t i = 0; (w = wire_api_nth(i)) != NULL; i++)
        if (w->served && (k = api_counter(api, w->key)) != NULL)
            buf_printf(b, "penstock_api_errors_total{api=\"%s\"} %llu\n",
                w->name, (unsigned long long)k->errors);
}

/* ---- topics ------------------------------------------------------------- */

static uint64_t
topic_records(const struct topic *t)
{
    uint64_t n = 0;

    for (int32_t p = 0; p < t->partition_count; p++) {
        struct tail *tail = t->partitions[p]->tail;
        int64_t start = tail->log_start, hw = tail->hw;

        n += hw > start ? (uint64_t)(hw - start) : 0;
    }
    return n;
}

/* Names of topics need no escaping: topic_name_valid(). */
static void
put_topics(struct buf *b, struct api *api)
{
    const struct topics *topics = api_topics(api);
    bool each = topics->by_name.count < TOPICS_TOLD_MAX;
    const struct topic *t;
    struct omap_iter i;
    uint64_t records = 0;

    single(b, "topics", "gauge", "topics", topics->by_name.count);
    single(b, "partitions", "gauge", "partitions of all topics",
        topics->partitions);
    if (each)
        family(b, "topic_partitions", "gauge", "partitions of a topic");
    omap_seek(&topics->by_name, SPAN_NULL, &i);
    while (each && (t = topics_next(&i)) != NULL)
        buf_printf(b, "penstock_topic_partitions{topic=\"%s\"} %d\n", t->name,
            t->partition_count);
    if (each)
        family(b, "topic_records", "gauge",
            "offsets between log start and high watermark");
    omap_seek(&topics->by_name, SPAN_NULL, &i);
    while ((t = topics_next(&i)) != NULL) {
        uint64_t n = topic_records(t);

        records += n;
        if (each)
            buf_printf(b, "penstock_topic_records{topic=\"%s\"} %llu\n",
                t->name, (unsigned long long)n);
    }
    single(b, "records", "gauge", "offsets between log start and high "
        "watermark, of all topics", records);
    single(b, "groups", "gauge", "consumer groups",
        groups_count(api_groups(api)));
}

static void
put_cleaner(struct buf *b, const struct cleaner *c)
{
    static const struct cleaner_counters none;
    const struct cleaner_counters *k = c == NULL ? &none
                                                 : cleaner_counters(c);

#define X(name, help) counted(b, "cleaner_", #name, help, k->name);
    CLEANER_COUNTERS(X)
#undef X
    family(b, "cleaner_last_pass_seconds", "gauge", "how long it took");
    buf_printf(b, "penstock_cleaner_last_pass_seconds %.6f\n",
        (double)k->last_pass_ns / 1e9);
    family(b, "cleaner_dirty_ratio_max", "gauge", "of a compacted log: the "
        "share of its bytes that no pass has seen");
    buf_printf(b, "penstock_cleaner_dirty_ratio_max %.4f\n",
        k->dirty_ratio_max);
    single(b, "cleaner_damaged", "gauge", "logs that can't be compacted, "
        "since a batch is damaged", k->damaged);
}

/* ---- tasks -------------------------------------------------------------- */

static void
put_task_labels(struct buf *b, const struct task_info *t)
{
    buf_printf(b, "{app=\"%s\",task=\"%s\",partition=\"%d\"}", t->app,
        t->name, t->partition);
}

static void
put_tasks(struct buf *b, const struct engine *e)
{
    unsigned n = e == NULL ? 0 : engine_task_count(e);
    struct task_info info;

#define EACH(name, type, help, format, value)                                  \
    family(b, name, type, help);                                               \
    for (unsigned i = 0; i < n; i++) {                                         \
        engine_task_info(e, i, &info);                                         \
        buf_put_str(b, "penstock_" name);                                      \
        put_task_labels(b, &info);                                             \
        buf_printf(b, " " format "\n", value);                                 \
    }
#define X(field, help)                                                         \
    EACH("task_" #field "_total", "counter", help, "%llu",                     \
        (unsigned long long)info.field)

    TASK_COUNTERS(X)
    EACH("task_lag_records", "gauge", "records still to be read", "%lld",
        (long long)info.lag)
    EACH("task_running", "gauge", "1: it runs", "%d",
        info.state == TASK_RUNNING)
    EACH("task_failed", "gauge", "1: it has failed", "%d",
        info.state == TASK_FAILED)
#undef X
#undef EACH
}

void
http_get_metrics(struct http_call *c)
{
    const struct http_env *e = &c->http->env;

    put_process(&c->out, c->http);
    put_seq(&c->out, e->seq);
    put_net(&c->out, e->net);
    put_apis(&c->out, e->api);
    put_topics(&c->out, e->api);
    put_cleaner(&c->out, api_topics(e->api)->cleaner);
    put_tasks(&c->out, e->engine);
    http_reply(c, 200, "text/plain; version=0.0.4; charset=utf-8");
}
