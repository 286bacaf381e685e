/*
 * states: power cuts.
 *
 *   states [count [seed]]        count states, from PENSTOCK_STATES and
 *                                PENSTOCK_SEED if not given
 *   states -r unit state count seed      one of them again, talking
 *
 * A unit is a history: one seed, some hundred steps of work with deaths and
 * restarts, recorded. Its states are places in that record: the power goes
 * there, something of what was pending is on the disk, and a process opens
 * it. It must find what was promised, or the epoch that was on its way, and
 * nothing else. Some go on working and are cut again, in the recovery or
 * after it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/check.h"
#include "crew.h"
#include "cut.h"
#include "work.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STATES = 2000 };          /* a tenth as fast */
#else
enum { STATES = 20000 };
#endif

enum { UNIT_STATES = 1250, STEPS = 360, WIDE_KEYS = 1500,
    SECOND_CUTS = 4 };

/* What is counted, behind one count for each kind of cut. */
enum {
    COUNT_OPS = CUT_KIND_COUNT, COUNT_WENT_ON, COUNT_SECOND, COUNT_SECOND_CUTS,
    COUNT_IN_FLIGHT, COUNT_LMDB,
};

struct plan {                    /* a state */
    uint32_t at;                 /* operations before the cut */
    uint32_t turn;               /* which of those at this place */
};

struct history {
    uint64_t seed;
    uint64_t count;              /* states of a unit */
    bool talk;
    struct trace trace;
    struct model *model;
    struct work_options opts;
    struct plan *plan;
    struct disk disk;            /* where the last state was */
    bool disk_open;
};

/* ---- the history of a unit ---- */

/* The states are spread over the record, some at each place. */
static void
plan_make(struct history *h, struct crew_unit *u)
{
    uint64_t n = h->count, places = h->trace.count;

    h->plan = xcalloc(n, sizeof *h->plan);
    for (uint64_t i = 0; i < n; i++) {
        h->plan[i].at = (uint32_t)(1 + i * places / n);
        h->plan[i].turn = i > 0 && h->plan[i - 1].at == h->plan[i].at
            ? h->plan[i - 1].turn + 1 : 0;
    }
    u->end = n;
}

static bool
lmdb_was_seen(const struct trace *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (t->ops[i].kind == OP_CREATE
            && strcmp(t->ops[i].name, "data.mdb") == 0)
            return true;
    return false;
}

static void
history_begin(void *arg, unsigned unit, struct crew_unit *u)
{
    struct history *h = arg;
    struct work *w = xcalloc(1, sizeof *w);
    struct rng r = rng_of(h->seed, unit, 0);
    unsigned steps = STEPS;
    struct err err = {0};

    host_quiet(!h->talk);
    h->model = model_new();
    work_options_random(&h->opts, &r);
    if (unit % 8 == 7) {
        h->opts.wide = WIDE_KEYS;
        h->opts.overlay_max = 8 << 20;
        steps = STEPS / 2;
    }
    trace_init(&h->trace, host_live());
    host_record(&h->trace);
    work_init(w, h->model, rng_next(&r), &h->opts, 1);
    w->peek = 4;
    host_watch(found_peek, w);
    if (work_run(w, steps, &err) < 0) {
        u->broken = true;
        snprintf(u->note, sizeof u->note, "its history failed: %s",
            err.text);
        return;
    }
    host_record(NULL);
    host_watch(NULL, NULL);
    work_die(w);
    u->counts[COUNT_OPS] = h->trace.count;
    if (!lmdb_was_seen(&h->trace)) {
        u->broken = true;
        snprintf(u->note, sizeof u->note, "LMDB's calls don't come by");
        return;
    }
    free(w);
    plan_make(h, u);
}

/* ---- one state ---- */

struct attempt {
    struct work work;
    uint32_t must, maybe, version;
    struct err err;
    int rc;
};

static void
attempt_open(struct work *w)
{
    struct attempt *a = container_of(w, struct attempt, work);

    a->rc = work_open(w, a->must, a->maybe, &a->version, &a->err);
}

/* Opens what is there. -1: refused, stopped, or found something else. */
static int
attempt(struct attempt *a)
{
    if (work_guard(&a->work, 0, attempt_open) != 0) {
        a->rc = -1;
        a->err = a->work.fatal;
        err_prefix(&a->err, "opening stopped");
    }
    return a->rc;
}

static enum cut_kind
any_kind(const struct disk *d, struct rng *r, struct image *im)
{
    for (;;) {
        static const enum cut_kind more[] = {CUT_NONE, CUT_NONE, CUT_ALL,
            CUT_TORN, CUT_GARBAGE, CUT_GARBAGE};
        uint32_t dice = rng_below(r, CUT_KIND_COUNT + countof(more));
        enum cut_kind k = dice < CUT_KIND_COUNT ? (enum cut_kind)dice
            : more[dice - CUT_KIND_COUNT];

        if (cut_make(d, k, r, im))
            return k;
    }
}

static void
image_to_folder(struct image *im)
{
    host_place(im);
    image_release(im);
}

/* The power goes again, somewhere in the trace of what came after. */
static int
cut_again(struct history *h, const struct trace *t, uint32_t must,
    uint32_t maybe, struct rng *r, struct attempt *a, struct crew_unit *u)
{
    for (int n = 0; n < SECOND_CUTS; n++) {
        uint32_t at = 1 + rng_below(r, t->count);
        struct model_mark mark = model_mark(h->model);
        struct image im;
        struct disk d;
        enum cut_kind kind;
        int rc;

        disk_init(&d, t, h->seed, must);
        d.maybe = maybe;
        while (d.at < at)
            disk_step(&d);
        kind = any_kind(&d, r, &im);
        image_to_folder(&im);
        work_init(&a->work, h->model, rng_next(r), &h->opts, d.must);
        a->must = d.must;
        a->maybe = d.maybe;
        rc = attempt(a);
        work_die(&a->work);
        disk_release(&d);
        model_rewind(h->model, mark);
        u->counts[COUNT_SECOND_CUTS]++;
        if (rc < 0)
            return err_prefix(&a->err, "second cut after op %u of %u, %s",
                at, t->count, cut_kind_text[kind]);
    }
    return 0;
}

/* Opens it, perhaps works on, perhaps is cut again. */
static int
state_run(struct history *h, struct disk *d, struct rng *r,
    struct attempt *a, struct crew_unit *u)
{
    bool second = rng_one_in(r, 10), on = second || rng_one_in(r, 5);
    struct trace t;
    int rc;

    if (second) {
        trace_init(&t, host_live());
        host_record(&t);
    }
    work_init(&a->work, h->model, rng_next(r), &h->opts, d->must);
    a->must = d->must;
    a->maybe = d->maybe;
    rc = attempt(a);
    u->counts[COUNT_IN_FLIGHT] += rc == 0 && a->version != d->must;
    if (rc == 0 && on) {
        rc = work_run(&a->work, 5 + rng_below(r, 40), &a->err);
        if (rc == 0)
            rc = work_look(&a->work, &a->err);
        if (rc < 0)
            err_prefix(&a->err, "going on");
        u->counts[COUNT_WENT_ON]++;
    }
    work_die(&a->work);
    host_record(NULL);
    if (rc == 0 && second) {
        u->counts[COUNT_SECOND]++;
        rc = cut_again(h, &t, d->must, d->maybe, r, a, u);
    }
    if (second)
        trace_release(&t);
    return rc;
}

static void
talk(const struct history *h, uint32_t at, const struct disk *d)
{
    char line[200];
    uint32_t lines = (uint32_t)crew_number(NULL, "PENSTOCK_LINES", 60);

    for (uint32_t i = at > lines ? at - lines : 0; i < at; i++) {
        op_print(&h->trace.ops[i], line, sizeof line);
        printf("# %5u %s\n", i, line);
    }
    for (uint32_t i = 0; i < d->n; i++) {
        op_print(&h->trace.ops[d->pending[i]], line, sizeof line);
        printf("# pending %5u %s\n", d->pending[i], line);
    }
    printf("# must %u, maybe %u\n", d->must, d->maybe);
}

static int
history_state(void *arg, unsigned unit, struct crew_unit *u)
{
    struct history *h = arg;
    const struct plan *p = &h->plan[u->next];
    struct rng r = rng_of(h->seed ^ unit, p->at, p->turn);
    struct attempt *a = xcalloc(1, sizeof *a);
    struct model_mark mark = model_mark(h->model);
    enum cut_kind kind;
    struct image im;
    char op[200];
    int rc;

    if (!h->disk_open)
        disk_init(&h->disk, &h->trace, h->seed, 1);
    h->disk_open = true;
    while (h->disk.at < p->at)
        disk_step(&h->disk);
    kind = any_kind(&h->disk, &r, &im);
    u->counts[kind]++;
    if (h->talk)
        talk(h, p->at, &h->disk);
    image_to_folder(&im);
    if (h->talk)
        printf("# %s\n", cut_kind_text[kind]);
    op_print(&h->trace.ops[p->at - 1], op, sizeof op);
    snprintf(u->note, sizeof u->note, "cut after op %u (%s), %s", p->at - 1,
        op, cut_kind_text[kind]);
    rc = state_run(h, &h->disk, &r, a, u);
    model_rewind(h->model, mark);
    if (rc < 0)
        crew_fail(u, "state %llu: %s: %s", (unsigned long long)u->next,
            u->note, a->err.text);
    free(a);
    return rc;
}

/* ---- the program ---- */

static const char *program;

static bool
history_report(void *arg, unsigned unit, const struct crew_unit *u)
{
    const struct history *h = arg;
    bool bad = u->failed > 0 || u->broken;

    printf("%sok - history %u: %llu states of %llu operations\n",
        bad ? "not " : "", unit, (unsigned long long)u->done,
        (unsigned long long)u->counts[COUNT_OPS]);
    if (!bad)
        return false;
    if (u->broken)
        printf("# %s\n", u->note);
    else
        printf("# %llu states failed, %llu by a signal; the first: %s\n",
            (unsigned long long)u->failed, (unsigned long long)u->crashed,
            u->first);
    printf("# again: %s -r %u STATE %llu %llu\n", program, unit,
        (unsigned long long)h->count, (unsigned long long)h->seed);
    return true;
}

static void
summary(const struct crew_unit *all, unsigned units, double seconds)
{
    struct crew_unit sum = {0};

    for (unsigned i = 0; i < units; i++) {
        sum.done += all[i].done;
        sum.failed += all[i].failed;
        for (int k = 0; k < CREW_COUNTS; k++)
            sum.counts[k] += all[i].counts[k];
    }
    for (int k = 0; k < CUT_KIND_COUNT; k++)
        printf("# %8llu %s\n", (unsigned long long)sum.counts[k],
            cut_kind_text[k]);
    printf("# the epoch on its way was there %llu times; %llu went on; %llu "
        "were cut again, %llu times\n",
        (unsigned long long)sum.counts[COUNT_IN_FLIGHT],
        (unsigned long long)sum.counts[COUNT_WENT_ON],
        (unsigned long long)sum.counts[COUNT_SECOND],
        (unsigned long long)sum.counts[COUNT_SECOND_CUTS]);
    printf("# %llu states, %llu failed, %.1f s, %.0f states/s\n",
        (unsigned long long)sum.done, (unsigned long long)sum.failed,
        seconds, (double)sum.done / seconds);
}

static double
now(void)
{
    struct timespec ts;

    must(clock_gettime(CLOCK_MONOTONIC, &ts));
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
    static struct history h;
    struct crew c = {.workers = 2, .chunk = 100, .patience_s = 60,
        .begin = history_begin, .state = history_state,
        .report = history_report, .arg = &h};
    struct crew_unit *all;
    double began = now();
    uint64_t count;
    int bad;

    program = argv[0];
    if (argc == 6 && strcmp(argv[1], "-r") == 0) {
        h.count = crew_number(argv[4], NULL, 0);
        h.seed = crew_number(argv[5], NULL, 0);
        h.talk = true;
        return crew_run_one(&c, (unsigned)crew_number(argv[2], NULL, 0),
            crew_number(argv[3], NULL, 0)) < 0;
    }
    count = crew_number(argc > 1 ? argv[1] : NULL, "PENSTOCK_STATES", STATES);
    h.seed = crew_number(argc > 2 ? argv[2] : NULL, "PENSTOCK_SEED", 20260101);
    c.units = count / 16 > 2 * UNIT_STATES
        ? (unsigned)(count / (2 * UNIT_STATES)) : 16;
    h.count = (count + c.units - 1) / c.units;
    printf("1..%u\n# seed %llu\n", c.units, (unsigned long long)h.seed);
    bad = crew_run(&c, &all);
    summary(all, c.units, now() - began);
    return bad > 0;
}
