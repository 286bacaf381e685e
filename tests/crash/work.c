/* work.c: one process at work on the data folder. */
#include "config.h"

#include "work.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "work_priv.h"

void
work_options_random(struct work_options *o, struct rng *r)
{
    static const uint64_t firsts[] = {640 * KIB, 768 * KIB, 1 * MIB};
    /* The larger ones go round the ring some times. */
    static const unsigned usuals[] = {100, 2000, 5000};

    *o = (struct work_options){
        .journal_first = firsts[rng_below(r, countof(firsts))],
        .journal_max = rng_one_in(r, 2) ? 4 * MIB : 1 * MIB,
        .tail_max = rng_one_in(r, 4) ? 64 * KIB : 1 * MIB,
        .overlay_max = rng_one_in(r, 4) ? 64 * KIB : 4 * MIB,
        .usual = usuals[rng_below(r, countof(usuals))],
        .refuse_direct = rng_one_in(r, 4)};
}

void
work_init(struct work *w, struct model *m, uint64_t seed,
    const struct work_options *opts, uint32_t version)
{
    memset(w, 0, sizeof *w);
    w->model = m;
    w->rng = rng_of(seed, 3, 4);
    w->opts = *opts;
    /* Above all so far, since each has made a change. */
    w->next_run = model_mark(m).changes + 1;
    w->next_topic = (uint32_t)w->next_run;
    w->acked = version;
}

/* ---- life and death ---- */

static void
was_fatal(void *arg, const struct err *err)
{
    struct work *w = arg;

    w->serving = false;
    w->fatal = *err;
    longjmp(w->jump, HOST_FATAL);
}

int
work_guard(struct work *w, uint64_t die_at, void (*fn)(struct work *))
{
    int rc = setjmp(w->jump);

    if (rc == 0) {
        host_die_at(die_at, &w->jump);
        fn(w);
    }
    host_die_at(0, NULL);
    return rc;
}

void
work_die(struct work *w)
{
    w->serving = false;
    host_kill();
    memset(w->topics, 0, sizeof w->topics);
    w->seq = NULL;
}

int
work_open_seq(struct work *w, struct facts *facts, struct err *err)
{
    struct seq_options o = {.dir = host_root(),
        .world = host_world(rng_next(&w->rng)),
        .durability = DURABILITY_POWER,
        .journal_first = w->opts.journal_first,
        .journal_max = w->opts.journal_max,
        .tail_max = w->opts.tail_max,
        .overlay_max = w->opts.overlay_max,
        .cache_max = 1,
        .map_bytes = 64 * MIB,
        .disk_floor = 1,
        .ballast = 4096,
        .on_fatal = was_fatal,
        .on_fatal_arg = w};

    host_refuse_direct(w->opts.refuse_direct);
    if (seq_open(&w->seq, &o, err) < 0) {
        w->seq = NULL;
        return -1;
    }
    return found_open(w, facts, err);
}

int
work_open(struct work *w, uint32_t must, uint32_t maybe, uint32_t *version,
    struct err *err)
{
    struct facts facts = {0};
    struct err other;
    int rc = work_open_seq(w, &facts, err);

    if (rc < 0)
        err_prefix(err, "opening");
    facts_sort(&facts);
    *version = must;
    if (rc == 0)
        rc = facts_compare(model_facts(w->model, must), &facts, err);
    if (rc < 0 && w->seq != NULL && maybe != 0 && facts_compare(
            model_facts(w->model, maybe), &facts, &other) == 0) {
        *version = maybe;
        rc = 0;
    } else if (rc < 0 && w->seq != NULL && maybe != 0) {
        err_prefix(err, "neither %u nor %u (%.100s)", must, maybe,
            other.text);
    }
    facts_release(&facts);
    if (rc < 0)
        return -1;
    w->acked = *version;
    w->cut = 0;
    w->open = model_version(w->model, *version);
    w->open_used = false;
    w->turned = false;
    w->serving = true;
    trace_event(host_trace(), OP_OPENED, *version);
    work_put_replayed(w);
    return 0;
}

static void
close_all(struct work *w)
{
    for (int i = 0; i < TOPICS; i++)
        for (uint32_t p = 0; p < w->topics[i].parts; p++)
            tail_unref(w->topics[i].tails[p]);
    memset(w->topics, 0, sizeof w->topics);
    if (w->open_used) {
        trace_event(host_trace(), OP_CUT, w->open);
        w->cut = w->open;
    }
    w->serving = false;
    seq_close(w->seq);
    w->seq = NULL;
}

int
work_close(struct work *w, struct err *err)
{
    int rc = work_guard(w, 0, close_all);

    if (rc == 0)
        return 0;
    work_die(w);
    return err_set(err, ERR_DAMAGE, "closing: %.200s", w->fatal.text);
}

/* ---- cuts ---- */

static void
next_version(struct work *w)
{
    w->open = model_version(w->model, w->open);
    w->open_used = false;
}

static void
begin_cut(struct work *w)
{
    if (!w->open_used)
        return;
    trace_event(host_trace(), OP_CUT, w->open);
    w->cut = w->open;
}

void
work_turn(struct work *w)
{
    begin_cut(w);
    w->turned = true;
    seq_turn(w->seq);
    if (w->open_used)
        next_version(w);
}

void
work_keep(struct work *w, bool checkpoint)
{
    /* What a start has put must be published before the first checkpoint:
     * there, only a publish asks for one. */
    if (!w->turned)
        work_turn(w);
    begin_cut(w);
    seq_keep(w->seq, checkpoint);
    if (w->open_used)
        next_version(w);
}

void
work_published(struct work *w, uint32_t version)
{
    w->acked = version;
    trace_event(host_trace(), OP_ACK, version);
}

/* ---- looking ---- */

int
work_look(struct work *w, struct err *err)
{
    struct facts want = {0}, found = {0};
    const struct facts *all;
    int rc;

    /* A topic that is not published has no clients yet, but a tail. */
    if (work_guard(w, 0, work_turn) != 0) {
        work_die(w);
        *err = w->fatal;
        return err_prefix(err, "looking");
    }
    all = model_facts(w->model, w->acked);
    rc = found_live(w, &found, err);
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].tag != FACT_TOPIC && all->v[i].tag != FACT_RECORD
            && all->v[i].tag != FACT_PRODUCER)
            facts_add(&want, &all->v[i]);
    facts_sort(&found);
    if (rc == 0)
        rc = facts_compare(&want, &found, err);
    facts_release(&want);
    facts_release(&found);
    return rc;
}

/* ---- steps ---- */

static void
step(struct work *w)
{
    uint32_t dice = rng_below(&w->rng, 100);

    if (dice < 4)
        work_clean(w);
    else if (dice < 56)
        work_effect(w);
    else if (dice < 85 + w->lazy)
        work_turn(w);
    else if (dice < 95 || w->lazy > 0)
        work_keep(w, false);
    else
        work_keep(w, true);
}

static void
steps(struct work *w)
{
    while (w->steps > 0) {
        w->steps--;
        step(w);
    }
}

int
work_steps(struct work *w, unsigned count)
{
    w->steps = count;
    return work_guard(w, 0, steps);
}

/* The folder is opened by a new process; what was in flight may be there. */
static void
come_back(struct work *w)
{
    struct err err = {0};
    uint32_t version;

    if (work_open(w, w->acked, w->cut != w->acked ? w->cut : 0, &version,
            &err) < 0)
        w->fatal = err;
}

/* 0, HOST_DIED, or -1. */
static int
come_back_guarded(struct work *w, uint64_t die_at, struct err *err)
{
    int rc;

    w->fatal.code = 0;
    rc = work_guard(w, die_at, come_back);
    if (rc != 0)
        work_die(w);
    if (rc == HOST_DIED || w->fatal.code == 0)
        return rc;
    *err = w->fatal;
    work_die(w);
    return -1;
}

int
work_reopen(struct work *w, struct err *err)
{
    return come_back_guarded(w, 0, err);
}

/* Dies somewhere in the opening now and then, and opens again. */
static int
reopen(struct work *w, struct err *err)
{
    int rc;

    for (;;) {
        uint64_t at = rng_one_in(&w->rng, 3)
            ? host_calls() + 1 + rng_below(&w->rng, 40) : 0;

        rc = come_back_guarded(w, at, err);
        if (rc != HOST_DIED)
            return rc;
    }
}

int
work_run(struct work *w, unsigned count, struct err *err)
{
    w->steps = count;
    if (w->seq == NULL && reopen(w, err) < 0)
        return -1;
    while (w->steps > 0) {
        /* One life: ends by a death or by closing in order. */
        unsigned all = w->steps, life = 40 + rng_below(&w->rng, 200);
        uint64_t at = rng_one_in(&w->rng, 3)
            ? 0 : host_calls() + 20 + rng_below(&w->rng, 600);
        int rc;

        /* A lazy one leaves it to the sequencer when to make checkpoints. */
        w->lazy = rng_below(&w->rng, 4) * 5;
        w->steps = life < all ? life : all;
        all -= w->steps;
        rc = work_guard(w, at, steps);
        all += w->steps;
        w->steps = all;
        if (w->peeked.code != 0) {
            *err = w->peeked;
            return -1;
        }
        if (rc == HOST_FATAL) {
            *err = w->fatal;
            work_die(w);
            return err_prefix(err, "stopped by itself");
        }
        if (rc == HOST_DIED) {
            work_die(w);
        } else if (all == 0) {
            return 0;
        } else if (rng_one_in(&w->rng, 2)) {
            if (work_look(w, err) < 0 || work_close(w, err) < 0)
                return -1;
        } else {
            continue;
        }
        if (reopen(w, err) < 0)
            return -1;
    }
    return 0;
}
