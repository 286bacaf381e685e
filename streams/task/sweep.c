/*
 * sweep.c: a scenario again and again, with the power cut after each of its
 * steps in turn; every second time once more a little later, while it still
 * recovers.
 *
 * A check that fails leaves by longjmp or exit, so the place is kept in a
 * static variable and told when the next sweep begins or the program ends.
 */
#include "config.h"

#include "task/driver_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

static struct {
    bool inside, registered;
    unsigned long long seed, cut, again;
} place;

static void
tell_place(void)
{
    if (place.inside)
        fprintf(stderr, "# sweep left at seed %llu, cut %llu (and %llu): "
            "repeat with PENSTOCK_SEED=%llu PENSTOCK_CUT=%llu\n", place.seed,
            place.cut, place.again, place.seed, place.cut);
    place.inside = false;
}

struct sweep {
    const struct ps_app *apps;
    struct ps_driver_opts opts;
    ps_scenario_fn scenario, check;
    void *arg;
};

/* Returns the steps it took; *failed if a task did. */
static uint64_t
run_once(const struct sweep *s, uint64_t cut, bool *failed)
{
    struct ps_driver *d = ps_driver_new_apps(s->apps, &s->opts);
    uint64_t steps;

    d->cut = cut;
    if (cut % 2 == 1)
        d->cut_again = cut + 1 + driver_draw(d) % 5;
    place.inside = true;
    place.seed = s->opts.seed;
    place.cut = cut;
    place.again = d->cut_again;
    s->scenario(d, s->arg);
    ps_settle(d);
    s->check(d, s->arg);
    place.inside = false;
    *failed |= d->failed && !s->opts.keep_going;
    steps = d->steps;
    ps_driver_free(d);
    return steps;
}

static uint64_t
from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL || *text == '\0' ? otherwise
        : strtoull(text, NULL, 10);
}

int
ps_driver_sweep_apps(const struct ps_app *apps,
    const struct ps_driver_opts *opts, ps_scenario_fn scenario,
    ps_scenario_fn check, void *arg)
{
    struct sweep s = {apps, {0}, scenario, check, arg};
    uint64_t only = from_environment("PENSTOCK_CUT", UINT64_MAX);
    uint64_t steps, by = 1;
    bool failed = false;

    if (!place.registered)
        atexit(tell_place);
    place.registered = true;
    tell_place();
    if (opts != NULL)
        s.opts = *opts;
    s.opts.seed = from_environment("PENSTOCK_SEED", s.opts.seed);
    if (only != UINT64_MAX) {
        run_once(&s, only, &failed);
        return failed ? -1 : 0;
    }
    steps = run_once(&s, 0, &failed);
    if (s.opts.cuts_max > 0 && steps > s.opts.cuts_max)
        by = (steps + s.opts.cuts_max - 1) / s.opts.cuts_max;
    for (uint64_t cut = 1; cut <= steps && !failed; cut += by) {
        run_once(&s, cut, &failed);
        if (failed)
            fprintf(stderr, "# sweep: a task failed at seed %llu, cut %llu\n",
                (unsigned long long)s.opts.seed, (unsigned long long)cut);
    }
    return failed ? -1 : 0;
}

int
ps_driver_sweep(void (*build)(struct ps_topology *, void *conf), void *conf,
    const struct ps_driver_opts *opts, ps_scenario_fn scenario,
    ps_scenario_fn check)
{
    const struct ps_app apps[] = {
        {opts != NULL && opts->app != NULL ? opts->app : "test", build, conf},
        {NULL, NULL, NULL}};

    return ps_driver_sweep_apps(apps, opts, scenario, check, conf);
}
