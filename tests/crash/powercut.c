/*
 * powercut.c: the power goes under load, on a real ext4 (EXT4_IOC_SHUTDOWN on
 * a loop mount): what no sync has covered is gone, names included. The account
 * of a client that lives through it must be right (ledger.h), and the folder
 * whole. Now and then it goes once more while the program starts.
 *
 * PENSTOCK_CUTS (40) and PENSTOCK_SEED may be set; the seed is printed. Needs
 * root; else it is skipped.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "ledger.h"
#include "loopfs.h"
#include "rig.h"

enum { MIB = 512 };

static void
cut(struct rig *r, struct loopfs *f)
{
    loopfs_cut(f, rig_draw(r, 2) == 0);
    rig_kill(r, SIGKILL); /* if it has not noticed yet */
    loopfs_unmount(f);
    loopfs_mount(f);
}

int
main(void)
{
    long cuts = setting("PENSTOCK_CUTS", 40), again = 0;
    const char *args[] = {"check", "--data", NULL, NULL};
    struct loopfs f;
    struct ledger l;
    struct rig r;

    rig_init(&r, "powercut");
    loopfs_init(&f, r.top, MIB);
    snprintf(r.data, sizeof r.data, "%s/data", f.path);
    rig_start(&r);
    ledger_open(&l, &r);
    for (long i = 0; i < cuts; i++) {
        ledger_load(&l, 30 + rig_draw(&r, 250));
        cut(&r, &f);
        while (rig_draw(&r, 4) == 0) {
            rig_launch(&r);
            usleep(rig_draw(&r, 60000));
            cut(&r, &f);
            again++;
        }
        rig_start(&r);
    }
    printf("# %ld cuts, %ld while it started; the slowest start took %lld ms\n",
        cuts, again, (long long)r.slowest_ms);
    ledger_judge(&l);
    rig_stop(&r);
    args[2] = r.data;
    check(rig_run(&r, args) == 0, "the folder is whole");
    ledger_close(&l);
    loopfs_release(&f);
    return rig_end(&r);
}
