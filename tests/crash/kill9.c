/*
 * kill9.c: a hundred times kill -9 under load, at random moments; the account
 * of a client that lives through it must be right (ledger.h).
 *
 * PENSTOCK_ROUNDS (100) and PENSTOCK_SEED may be set; the seed is printed.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "ledger.h"
#include "rig.h"

static void
round_run(struct rig *r, struct ledger *l)
{
    int status;

    ledger_load(l, 30 + rig_draw(r, 250));
    status = rig_kill(r, SIGKILL);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        check(false, "it ended before it was killed: status %x",
            (unsigned)status);
    rig_start(r);
}

int
main(void)
{
    long rounds = setting("PENSTOCK_ROUNDS", 100);
    struct ledger l;
    struct rig r;

    rig_init(&r, "kill9");
    rig_start(&r);
    ledger_open(&l, &r);
    for (long i = 0; i < rounds; i++)
        round_run(&r, &l);
    printf("# the slowest start took %lld ms\n", (long long)r.slowest_ms);
    ledger_judge(&l);
    rig_stop(&r);
    ledger_close(&l);
    return rig_end(&r);
}
