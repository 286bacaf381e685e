/*
 * faults: a call fails.
 *
 *   faults [count [seed]]        at that many places, from PENSTOCK_FAULTS
 *                                and PENSTOCK_SEED if not given
 *   faults -r unit state count seed      one of them again, talking
 *
 * A unit is a kind of failure; its states are the places of one history, a
 * new one for each seed. EIO: the process must stop, whatever it was doing,
 * since what reached the disk is not known; the next one must find all that
 * was promised, in the page cache or after a power cut. ENOSPC: it must not
 * stop; what is published stays readable, a restart works, and when there is
 * room again everything goes on.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "crew.h"
#include "cut.h"
#include "work.h"

enum { FAULTS = 2000, STEPS = 90, HISTORIES = 8 };

#define FAULT_KINDS(X)                                                         \
    X(EIO_ONCE, "one call fails with EIO", EIO, false, false)                  \
    X(EIO_PARTLY, "a write stops half-way with EIO", EIO, false, true)         \
    X(EIO_STICKY, "all calls fail with EIO from there", EIO, true, false)      \
    X(FULL_ONCE, "one call finds the disk full", ENOSPC, false, false)         \
    X(FULL_PARTLY, "the disk is full within a write", ENOSPC, true, true)      \
    X(FULL_STICKY, "the disk stays full", ENOSPC, true, false)

enum fault_kind {
#define X(name, text, code, sticky, partly) FAULT_##name,
    FAULT_KINDS(X)
#undef X
    FAULT_KIND_COUNT
};

static const struct {
    const char *text;
    int code;
    bool sticky, partly;
} kinds[FAULT_KIND_COUNT] = {
#define X(name, text, code, sticky, partly)                                    \
    [FAULT_##name] = {text, code, sticky, partly},
    FAULT_KINDS(X)
#undef X
};

enum { COUNT_HIT, COUNT_STOPPED, COUNT_REFUSED, COUNT_TOLERATED, COUNT_FULL,
    COUNT_HEALED };

struct places {
    struct crew_job job;
    uint64_t calls[HISTORIES];   /* that each history makes unharmed */
};

/* One attempt's things. */
struct trial {
    struct work work;
    struct trace trace;
    struct model *model;
    struct err err;
    uint64_t seed;
    struct rng rng;
};

static void
trial_begin(struct trial *t, const struct places *p, unsigned history)
{
    struct work_options opts;
    struct image empty;

    image_init(&empty);
    host_place(&empty);
    image_release(&empty);
    t->seed = rng_of(p->job.seed, history, 5).at;
    t->rng = rng_of(t->seed, 6, 7);
    t->model = model_new();
    trace_init(&t->trace, host_live());
    work_options_random(&opts, &t->rng);
    opts.usual = 300;
    work_init(&t->work, t->model, t->seed, &opts, 1);
    host_record(&t->trace);
}

static void
trial_end(struct trial *t)
{
    host_record(NULL);
    host_fault(NULL);
    work_die(&t->work);
    trace_release(&t->trace);
    model_free(t->model);
}

/* A life from the folder's making on. 0, or it stopped: HOST_FATAL, or -1
 * while it was opening. */
static int
trial_live(struct trial *t)
{
    if (work_reopen(&t->work, &t->err) < 0)
        return -1;
    return work_steps(&t->work, STEPS);
}

static void
places_begin(void *arg, unsigned unit, struct crew_unit *u)
{
    struct places *p = arg;

    host_quiet(!p->job.talk);
    for (unsigned i = 0; i < HISTORIES; i++) {
        struct trial *t = xcalloc(1, sizeof *t);
        uint64_t before = host_calls();

        trial_begin(t, p, i);
        if (trial_live(t) != 0) {
            u->broken = true;
            snprintf(u->note, sizeof u->note, "history %u failed: %s %s", i,
                t->err.text, t->work.fatal.text);
            return;
        }
        p->calls[i] = host_calls() - before;
        trial_end(t);
        free(t);
    }
    u->end = p->job.count;
}

/* ---- EIO ---- */

/* What is lost with these is made again, or missed by nobody. */
static bool
may_go_on(const struct op *hit)
{
    const char *name = hit->name;
    size_t len = strlen(name);

    if (hit->kind == OP_UNLINK || hit->kind == OP_RMDIR)
        return true;
    return (len > 6 && strcmp(name + len - 6, ".index") == 0)
        || strcmp(name, "ballast") == 0;
}

/* The power goes where it stopped. */
static int
cut_there(struct trial *t, uint32_t must)
{
    static const enum cut_kind some[] = {CUT_NONE, CUT_ALL, CUT_FILES,
        CUT_TORN_MANY};
    struct image im;
    struct disk d;
    int rc = 0;

    disk_init(&d, &t->trace, t->seed, 1);
    while (d.at < t->trace.count)
        disk_step(&d);
    for (size_t i = 0; i < countof(some) && rc == 0; i++) {
        struct model_mark mark = model_mark(t->model);
        struct work *w = &t->work;

        if (!cut_make(&d, some[i], &t->rng, &im))
            continue;
        host_place(&im);
        image_release(&im);
        work_init(w, t->model, t->seed + i, &w->opts, d.must);
        w->cut = d.maybe;
        rc = work_reopen(w, &t->err);
        if (rc < 0)
            err_prefix(&t->err, "after a power cut, %s",
                cut_kind_text[some[i]]);
        work_die(w);
        model_rewind(t->model, mark);
    }
    assert(d.must >= must);
    disk_release(&d);
    return rc;
}

static int
trial_eio(struct trial *t, struct crew_unit *u)
{
    int rc = trial_live(t);
    struct fault f = *host_fault_get();
    uint32_t acked = t->work.acked, cut = t->work.cut;
    char op[200];

    host_fault(NULL);
    host_record(NULL);
    if (f.hits == 0)
        return rc == 0 ? 0 : err_set(&t->err, ERR_DAMAGE, "stopped without "
            "a reason: %.150s", t->work.fatal.text);
    u->counts[COUNT_HIT]++;
    u->counts[rc == 0 ? COUNT_TOLERATED : rc < 0 ? COUNT_REFUSED
                                                 : COUNT_STOPPED]++;
    op_print(&f.hit, op, sizeof op);
    if (rc == 0 && !may_go_on(&f.hit))
        return err_set(&t->err, ERR_DAMAGE, "it went on after %s of %s", op,
            f.hit.name);
    /* Another process in the same kernel, then one after a power cut. */
    work_die(&t->work);
    if (work_reopen(&t->work, &t->err) < 0)
        return err_prefix(&t->err, "restart after %s", op);
    work_die(&t->work);
    t->work.acked = acked;
    t->work.cut = cut;
    if (cut_there(t, acked) < 0)
        return err_prefix(&t->err, "%s", op);
    return 0;
}

/* ---- ENOSPC ---- */

static void
keep(struct work *w)
{
    work_turn(w);
    work_keep(w, true);
    work_keep(w, true);
}

/* The disk is full. Is all that is published there, now and after another
 * start? A folder that is not made yet may be refused. */
static int
trial_while_full(struct trial *t, struct crew_unit *u)
{
    struct work *w = &t->work;

    if (seq_readonly(w->seq, NULL))
        u->counts[COUNT_FULL]++;
    if (work_look(w, &t->err) < 0)
        return err_prefix(&t->err, "while it is full");
    if (rng_one_in(&t->rng, 2))
        return 0;
    work_die(w);
    if (work_reopen(w, &t->err) < 0)
        return err_prefix(&t->err, "a start while it is full");
    if (work_steps(w, 10) != 0)
        return err_set(&t->err, ERR_DAMAGE, "it stopped while full: %.200s",
            w->fatal.text);
    if (work_look(w, &t->err) < 0)
        return err_prefix(&t->err, "after a start while it is full");
    return 0;
}

static int
trial_heal(struct trial *t, struct crew_unit *u)
{
    struct work *w = &t->work;
    const char *why = "";

    host_fault(NULL);
    if (work_guard(w, 0, keep) != 0)
        return err_set(&t->err, ERR_DAMAGE, "it stopped when there was room "
            "again: %.200s", w->fatal.text);
    if (seq_readonly(w->seq, &why))
        return err_set(&t->err, ERR_DAMAGE, "it does not heal: %s", why);
    if (work_steps(w, 30) != 0)
        return err_set(&t->err, ERR_DAMAGE, "it stopped after healing: "
            "%.200s", w->fatal.text);
    if (w->full)
        return err_set(&t->err, ERR_DAMAGE, "it takes nothing any more");
    if (work_look(w, &t->err) < 0)
        return err_prefix(&t->err, "after healing");
    u->counts[COUNT_HEALED]++;
    if (rng_one_in(&t->rng, 2)) {
        if (work_close(w, &t->err) < 0)
            return -1;
    } else {
        work_die(w);
    }
    if (work_reopen(w, &t->err) < 0)
        return err_prefix(&t->err, "a start after healing");
    return 0;
}

static int
trial_full(struct trial *t, struct crew_unit *u)
{
    bool made = false;
    int rc = trial_live(t);

    for (int i = 0; i < host_live()->n_entries; i++)
        made |= strcmp(host_live()->entries[i].name, "penstock.id") == 0;
    if (host_fault_get()->hits > 0)
        u->counts[COUNT_HIT]++;
    if (rc < 0 && !made) {
        u->counts[COUNT_REFUSED]++;
        host_fault(NULL);
        return work_reopen(&t->work, &t->err);
    }
    if (rc != 0) {
        char op[200];

        op_print(&host_fault_get()->hit, op, sizeof op);
        return err_set(&t->err, ERR_DAMAGE, "it stopped at %s: %.150s", op,
            rc < 0 ? t->err.text : t->work.fatal.text);
    }
    if (trial_while_full(t, u) < 0)
        return -1;
    return trial_heal(t, u);
}

static int
places_state(void *arg, unsigned unit, struct crew_unit *u)
{
    struct places *p = arg;
    struct trial *t = xcalloc(1, sizeof *t);
    unsigned history = (unsigned)(u->next % HISTORIES);
    uint64_t of = (p->job.count + HISTORIES - 1) / HISTORIES;
    uint64_t at = 1 + (u->next / HISTORIES) * p->calls[history] / of;
    struct fault f = {.code = kinds[unit].code,
        .sticky = kinds[unit].sticky,
        .partly = kinds[unit].partly,
        .growing_only = kinds[unit].code == ENOSPC};
    int rc;

    trial_begin(t, p, history);
    f.at = host_calls() + at;
    host_fault(&f);
    rc = f.code == EIO ? trial_eio(t, u) : trial_full(t, u);
    if (rc < 0)
        crew_fail(u, "state %llu: history %u, call %llu: %s",
            (unsigned long long)u->next, history, (unsigned long long)at,
            t->err.text);
    if (rc < 0 && p->job.talk)
        printf("# %s\n", t->err.text);
    trial_end(t);
    free(t);
    return rc;
}

/* ---- the program ---- */

static bool
places_report(void *arg, unsigned unit, const struct crew_unit *u)
{
    const struct places *p = arg;
    bool bad = u->failed > 0 || u->broken;
    const uint64_t *n = u->counts;

    printf("%sok - %s\n# %llu places, %llu hit: stopped %llu, refused "
        "%llu, went on %llu, full %llu, healed %llu\n",
        bad ? "not " : "", kinds[unit].text,
        (unsigned long long)u->done, (unsigned long long)n[COUNT_HIT],
        (unsigned long long)n[COUNT_STOPPED],
        (unsigned long long)n[COUNT_REFUSED],
        (unsigned long long)n[COUNT_TOLERATED],
        (unsigned long long)n[COUNT_FULL],
        (unsigned long long)n[COUNT_HEALED]);
    if (!bad)
        return false;
    if (u->broken)
        printf("# %s\n", u->note);
    else
        printf("# %llu failed, %llu by a signal; the first: %s\n",
            (unsigned long long)u->failed, (unsigned long long)u->crashed,
            u->first);
    printf("# again: %s -r %u STATE %llu %llu\n", p->job.program, unit,
        (unsigned long long)p->job.count, (unsigned long long)p->job.seed);
    return true;
}

int
main(int argc, char **argv)
{
    static struct places p;
    struct crew c = {.units = FAULT_KIND_COUNT, .workers = 2, .chunk = 100,
        .patience_s = 60, .begin = places_begin, .state = places_state,
        .report = places_report, .arg = &p};

    return crew_main(&c, &p.job, "PENSTOCK_FAULTS", FAULTS, argc, argv);
}
