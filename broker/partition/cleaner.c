/*
 * cleaner.c: when a log is compacted, and how that becomes a fact.
 *
 *     loop                       thread                 keeper
 *     cleaner_turn: the
 *     dirtiest log, a job ────►  plog_clean()
 *                                new file, synced
 *     linked, committed ◄──────  EFFECT_CLEAN ────────► plog_swap()
 *     job_done ◄───────────────  the end
 *     released  ◄─────────────────────────────────────  applied
 *     the next job
 *
 * Invariants
 *  1. One job at a time, and it is over only when all that it has linked was
 *     applied by the keeper: plog_clean() demands that.
 *  2. A job holds a reference to its tail, copies of the aborted ranges and
 *     of the producers' last offsets as they were when it began; nothing of
 *     the loop's is touched by the thread. What came later lies behind the
 *     job's limit.
 *  3. An aborted range is forgotten, and its record deleted, when no file has
 *     anything of it but the marker, and the batches of it that memory still
 *     has were let go; a later pass then removes the marker. So a consumer
 *     that is told of a range finds its marker.
 *  4. A pass works no more than half of the time, so one of two cores is
 *     never its own.
 */
#include "config.h"

#include "partition/cleaner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "epoch/logrec.h"
#include "partition/records.h"
#include "plog/clean.h"

enum {
    RETRY_MS = 15000,            /* after a pass that failed */
    REST_NS_MAX = 100000000,
};

struct cleaner {
    struct topics *topics;
    size_t map_bytes;
    struct cleaner_counters counters;
    struct job *job;             /* under way; NULL: none */
    bool stopped;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct job *next;            /* for the thread; by mutex */
    bool stop;                   /* by mutex */
};

struct job {
    struct cleaner *cleaner;
    struct tail *tail;
    struct plog_clean_options opts;
    struct plog_aborted *aborted;
    struct plog_producer *producers;
    /* the thread's, then the loop's */
    struct plog_clean_stats stats;
    struct plog_aborted *emptied;
    size_t emptied_count;
    struct err err;              /* code 0: it came to its end */
    int64_t began_ns, took_ns, rested_ns;
    struct seq_call done;
    unsigned linked;             /* effects handed over */
    int64_t swapped;             /* first offset behind the new segments */
    /* the loop's */
    unsigned released;
    bool over;
};

/* ---- configs ---- */

bool
topic_is_compacted(const struct topic *topic)
{
    return strstr(topic_config_get(&topic->config, "cleanup.policy", NULL),
        "compact") != NULL && !topic->internal;
}

/* ---- the end of a job ---- */

static void
cleaner_free(struct cleaner *c)
{
    must(pthread_mutex_destroy(&c->mutex));
    must(pthread_cond_destroy(&c->cond));
    free(c);
}

static void
job_free(struct job *j)
{
    tail_unref(j->tail);
    free(j->aborted);
    free(j->producers);
    free(j->emptied);
    free(j);
}

static void
job_check_end(struct job *j)
{
    struct cleaner *c = j->cleaner;

    if (!j->over || j->released < j->linked)
        return;
    assert(c->job == j);
    /* What memory has of it is the old records. */
    tail_evict(j->tail, j->swapped);
    c->job = NULL;
    job_free(j);
    if (c->stopped)
        cleaner_free(c);
}

/* ---- effects ---- */

struct clean_act {
    struct effect effect;
    struct effect_op op[1];
    struct job *job;
    uint8_t value[LOGREC_SEGMENT];
};

static void
clean_act_release(struct effect *f)
{
    struct clean_act *a = container_of(f, struct clean_act, effect);
    struct job *j = a->job;

    effect_unref_tails(f);
    free(a);
    j->released++;
    job_check_end(j);
}

static const struct effect_ops clean_act_ops = {.release = clean_act_release};

static int
on_output(void *arg, const struct plog_cleaned *cleaned, struct err *err)
{
    struct job *j = arg;
    struct seq *seq = j->cleaner->topics->seq;
    struct clean_act *a;

    if (atomic_load(&j->tail->dropped_in) != 0)
        return err_set(err, ECANCELED, "the topic was deleted");
    a = xcalloc(1, sizeof *a);
    a->effect.magic = EFFECT_MAGIC;
    a->effect.ops = &clean_act_ops;
    a->effect.op = a->op;
    a->effect.n_ops = 1;
    a->job = j;
    a->op[0] = (struct effect_op){.kind = EFFECT_CLEAN,
        .tail = tail_ref(j->tail),
        .offset = cleaned->cleaned};
    if (cleaned->segment.size > 0) {
        a->op[0].value = span_of(a->value,
            logrec_pack_segment(&cleaned->segment, a->value));
        j->swapped = cleaned->segment.last_offset + 1;
    }
    a->effect.reserved = effect_cost(&a->effect);
    seq_reserve_system(seq, a->effect.reserved);
    j->linked++;
    seq_submit(seq, &a->effect);
    return 0;
}

static void
on_emptied(void *arg, const struct plog_aborted *range)
{
    struct job *j = arg;

    j->emptied = xrealloc(j->emptied,
        (j->emptied_count + 1) * sizeof *j->emptied);
    j->emptied[j->emptied_count++] = *range;
}

/* ---- the thread ---- */

static bool
rest(struct cleaner *c, int64_t ns)
{
    struct timespec until;
    int rc = 0;
    bool stop;

    must(clock_gettime(CLOCK_MONOTONIC, &until));
    until.tv_nsec += ns;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    must(pthread_mutex_lock(&c->mutex));
    while (!c->stop && rc == 0)
        rc = pthread_cond_timedwait(&c->cond, &c->mutex, &until);
    assert(rc == 0 || rc == ETIMEDOUT);
    stop = c->stop;
    must(pthread_mutex_unlock(&c->mutex));
    return !stop;
}

static bool
on_pace(void *arg, size_t bytes)
{
    struct job *j = arg;
    struct world *w = seq_world(j->cleaner->topics->seq);
    int64_t ns = world_mono_ns(w) - j->rested_ns;
    bool go_on;

    (void)bytes;
    if (atomic_load(&j->tail->dropped_in) != 0)
        return false;
    go_on = rest(j->cleaner, ns < REST_NS_MAX ? ns : REST_NS_MAX);
    j->rested_ns = world_mono_ns(w);
    return go_on;
}

static void job_done(struct seq_call *);

static void
job_run(struct job *j)
{
    struct seq *seq = j->cleaner->topics->seq;

    j->began_ns = j->rested_ns = world_mono_ns(seq_world(seq));
    if (plog_clean(j->tail->plog, &j->opts, &j->stats, &j->err) == 0)
        j->err.code = 0;
    j->took_ns = world_mono_ns(seq_world(seq)) - j->began_ns;
    j->done.fn = job_done;
    seq_post(seq, &j->done);
}

static void *
cleaner_main(void *arg)
{
    struct cleaner *c = arg;

    thread_name("penstock-clean");
    for (;;) {
        struct job *j;

        must(pthread_mutex_lock(&c->mutex));
        while (c->next == NULL && !c->stop)
            must(pthread_cond_wait(&c->cond, &c->mutex));
        j = c->next;
        c->next = NULL;
        must(pthread_mutex_unlock(&c->mutex));
        if (j == NULL)
            return NULL;
        job_run(j);
    }
}

/* ---- a job is over: the loop ---- */

struct forget_act {
    struct effect effect;
    size_t count;
    struct effect_op *op;
    struct partition_record *records;
};

static void
forget_release(struct effect *f)
{
    struct forget_act *a = container_of(f, struct forget_act, effect);

    free(a->op);
    free(a->records);
    free(a);
}

static const struct effect_ops forget_ops = {.release = forget_release};

/* The ranges' records go by the journal, and not, like most that follows from
 * batches, by the checkpoint alone: the marker may be gone with the next
 * one. */
static void
forget(struct topics *t, struct partition *p, const struct plog_aborted *v,
    size_t n)
{
    struct forget_act *a = xcalloc(1, sizeof *a);
    struct stable_aborted gone;

    a->effect.magic = EFFECT_MAGIC;
    a->effect.ops = &forget_ops;
    a->op = a->effect.op = xcalloc(n, sizeof *a->op);
    a->records = xcalloc(n, sizeof *a->records);
    for (size_t i = 0; i < n; i++) {
        struct effect_op *op = &a->op[a->effect.n_ops];

        tail_evict(p->tail, v[i].last_offset + 1);
        if (!stable_forget(p->stable, v[i].last_offset, &gone))
            continue;
        aborted_delete(p, &gone, &a->records[a->effect.n_ops++], op);
        op->quiet = false;
        t->aborted--;
    }
    if (a->effect.n_ops == 0) {
        forget_release(&a->effect);
        return;
    }
    a->effect.reserved = effect_cost(&a->effect);
    seq_reserve_system(t->seq, a->effect.reserved);
    seq_link(t->seq, &a->effect);
}

static void
job_failed(struct cleaner *c, struct job *j, struct partition *p)
{
    c->counters.failed++;
    if (j->err.code == ECANCELED)
        return;
    if (p != NULL)
        p->clean_after_ms = j->opts.now_ms + RETRY_MS;
    if (j->err.code == ERR_DAMAGE && p != NULL) {
        c->counters.damaged++;
        p->clean_after_ms = INT64_MAX;
        diag(ERROR, LOG, "%s: this log is compacted no more; penstock check "
            "tells more topic=%s partition=%d", j->err.text, p->topic->name,
            p->index);
    } else {
        diag(WARN, LOG, "%s: compaction is tried again later", j->err.text);
    }
    if (plog_poisoned(j->tail->plog))
        seq_fail(c->topics->seq, &j->err);
}

static void
job_done(struct seq_call *call)
{
    struct job *j = container_of(call, struct job, done);
    struct cleaner *c = j->cleaner;
    struct cleaner_counters *k = &c->counters;
    struct partition *p = j->tail->owner;

    k->read_bytes += j->stats.bytes_read;
    k->written_bytes += j->stats.bytes_written;
    k->read_records += j->stats.records_read;
    k->kept_records += j->stats.records_kept;
    k->pass_ns += (uint64_t)j->took_ns;
    k->last_pass_ns = (uint64_t)j->took_ns;
    if (j->err.code != 0) {
        job_failed(c, j, p);
    } else {
        k->passes++;
        if (p != NULL && j->emptied_count > 0)
            forget(c->topics, p, j->emptied, j->emptied_count);
        if (p != NULL)
            diag(INFO, LOG, "compacted in %lld ms: %llu of %llu records kept, "
                "%llu of %llu bytes topic=%s partition=%d",
                (long long)(j->took_ns / 1000000),
                (unsigned long long)j->stats.records_kept,
                (unsigned long long)j->stats.records_read,
                (unsigned long long)j->stats.bytes_written,
                (unsigned long long)j->stats.bytes_read, p->topic->name,
                p->index);
    }
    j->over = true;
    job_check_end(j);
}

/* ---- which log ---- */

struct choice {
    struct partition *partition;
    double ratio;
    int64_t now_ms;
};

static int64_t
setting(const struct partition *p, const char *name)
{
    return topic_config_int(&p->topic->config, name);
}

/* Kafka's two reasons: enough of it is dirty, or something has been for too
 * long. */
static void
consider(struct cleaner *c, struct partition *p, double least,
    struct choice *best)
{
    int64_t lag = setting(p, "max.compaction.lag.ms");
    struct plog_dirt d;
    double ratio;
    bool due;

    plog_dirt(p->tail->plog, partition_stable(p),
        setting(p, "min.compaction.lag.ms"), best->now_ms, &d);
    if (d.dirty_bytes == 0)
        return;
    ratio = (double)d.dirty_bytes / (double)(d.dirty_bytes + d.clean_bytes);
    if (ratio > c->counters.dirty_ratio_max)
        c->counters.dirty_ratio_max = ratio;
    if (best->now_ms < p->clean_after_ms)
        return;
    due = d.oldest_ms >= 0 && best->now_ms > d.oldest_ms
        && best->now_ms - d.oldest_ms > lag;
    if (due)
        ratio += 1;              /* before all that can wait */
    if ((due || ratio > least) && ratio > best->ratio) {
        best->partition = p;
        best->ratio = ratio;
    }
}

static struct partition *
choose(struct cleaner *c, int64_t now_ms)
{
    struct choice best = {.now_ms = now_ms};
    struct omap_iter it;
    struct topic *t;

    c->counters.dirty_ratio_max = 0;
    omap_seek(&c->topics->by_name, SPAN_NULL, &it);
    while ((t = topics_next(&it)) != NULL) {
        double least;

        if (!topic_is_compacted(t))
            continue;
        least = strtod(topic_config_get(&t->config,
            "min.cleanable.dirty.ratio", NULL), NULL);
        for (int32_t i = 0; i < t->partition_count; i++)
            consider(c, t->partitions[i], least, &best);
    }
    return best.partition;
}

static void
job_know(struct job *j, const struct partition *p)
{
    size_t n = stable_aborted(p->stable, 0, INT64_MAX, NULL, 0), at = 0;
    struct stable_aborted *list = xcalloc(n + 1, sizeof *list);
    struct producer *one;

    stable_aborted(p->stable, 0, INT64_MAX, list, n);
    j->aborted = xcalloc(n + 1, sizeof *j->aborted);
    for (size_t i = 0; i < n; i++)
        j->aborted[i] = (struct plog_aborted){list[i].producer_id,
            list[i].first, list[i].last};
    free(list);
    j->opts.aborted = j->aborted;
    j->opts.aborted_count = n;
    n = p->producers.by_id.count;
    j->producers = xcalloc(n + 1, sizeof *j->producers);
    for (size_t i = 0; (one = table_next(&p->producers.by_id, &i)) != NULL;)
        j->producers[at++] = (struct plog_producer){.producer_id = one->id,
            .epoch = one->epoch,
            .last_offset = one->count == 0
                ? -1 : one->window[one->count - 1].last_offset};
    j->opts.producers = j->producers;
    j->opts.producer_count = at;
}

void
cleaner_turn(struct cleaner *c, int64_t now_ms)
{
    struct partition *p = choose(c, now_ms);
    struct job *j;

    if (p == NULL || c->job != NULL || c->stopped
        || seq_readonly(c->topics->seq, NULL))
        return;
    j = xcalloc(1, sizeof *j);
    j->cleaner = c;
    j->tail = tail_ref(p->tail);
    j->opts = (struct plog_clean_options){
        .limit = partition_stable(p),
        .now_ms = now_ms,
        .min_lag_ms = setting(p, "min.compaction.lag.ms"),
        .delete_retention_ms = setting(p, "delete.retention.ms"),
        .segment_bytes = (uint32_t)setting(p, "segment.bytes"),
        .map_bytes = c->map_bytes,
        .pace = on_pace,
        .output = on_output,
        .emptied = on_emptied,
        .arg = j};
    world_random(seq_world(c->topics->seq), &j->opts.seed,
        sizeof j->opts.seed);
    job_know(j, p);
    c->job = j;
    must(pthread_mutex_lock(&c->mutex));
    c->next = j;
    must(pthread_cond_signal(&c->cond));
    must(pthread_mutex_unlock(&c->mutex));
}

/* ---- life ---- */

struct cleaner *
cleaner_start(struct topics *t, size_t map_bytes)
{
    struct cleaner *c = xcalloc(1, sizeof *c);
    pthread_condattr_t attr;

    assert(t->cleaner == NULL);
    c->topics = t;
    c->map_bytes = map_bytes;
    must(pthread_condattr_init(&attr));
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    must(pthread_cond_init(&c->cond, &attr));
    must(pthread_condattr_destroy(&attr));
    must(pthread_mutex_init(&c->mutex, NULL));
    must(pthread_create(&c->thread, NULL, cleaner_main, c));
    t->cleaner = c;
    return c;
}

void
cleaner_stop(struct cleaner *c)
{
    if (c == NULL)
        return;
    must(pthread_mutex_lock(&c->mutex));
    c->stop = true;
    must(pthread_cond_signal(&c->cond));
    must(pthread_mutex_unlock(&c->mutex));
    must(pthread_join(c->thread, NULL));
    c->topics->cleaner = NULL;
    c->stopped = true;
    /* What the thread has sent comes with the next turn of the loop; what
     * was linked is given back when the keeper is done with it. */
    if (c->job == NULL)
        cleaner_free(c);
}

const struct cleaner_counters *
cleaner_counters(const struct cleaner *c)
{
    return &c->counters;
}
