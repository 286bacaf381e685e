/*
 * epoch.c: what an epoch costs beside one bare append and flush of as many
 * bytes as its frame has.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>

#include "bench/floor.h"
#include "bench/meter.h"
#include "bench/pump.h"

enum { EPOCH_MS = 2000, FLOOR_MS = 700 };

static int
epochs_of(struct bench *b, const struct child *c, const struct shot *s,
    int clients, struct err *err)
{
    struct pump p = {.address = c->address,
        .clients = clients,
        .ms = bench_ms(b, EPOCH_MS),
        .child = c,
        .shots = s,
        .shot_count = 1,
        .whole = pump_whole_frame,
        .check = pump_check_frame};
    struct pump_result r;
    struct histogram h;
    struct meter before;
    double bytes, ns;
    char key[48], name[64];

    meter_read(c, &before);
    if (pump_run(&p, &r, err) < 0)
        return -1;
    if (!meter_epoch(c, &before, &bytes, &ns))
        return err_set(err, ERR_NOTFOUND,
            "the broker does not tell of its epochs (/metrics)");
    if (floor_append(b, (int64_t)bytes, FLOOR_MS, &h, err) < 0)
        return -1;
    snprintf(key, sizeof key, "epoch_%d_us", clients);
    snprintf(name, sizeof name, "epoch of %.0f bytes (%d producer%s)", bytes,
        clients, clients == 1 ? "" : "s");
    report_add(&b->report, &(struct figure){.key = key, .name = name,
        .unit = "us", .value = ns / 1e3,
        .floor = h.count > 0 ? (double)h.sum / (double)h.count / 1e3 : 0,
        .floor_is = "bare append+flush", .goal = "1.5 floors"});
    return 0;
}

int
bench_epoch(struct bench *b, struct err *err)
{
    struct child c;
    struct shot s;
    int rc;

    if (b->bootstrap != NULL)
        return err_set(err, ERR_USAGE, "epoch wants a broker of its own: "
            "leave -b away");
    if (child_start(&c, b, "epoch", child_no_apps, err) < 0)
        return -1;
    rc = topic_make(c.address, "bench-epoch", 1, err);
    if (rc == 0) {
        shot_make(&s, "bench-epoch", 0, 1, b->size);
        rc = epochs_of(b, &c, &s, 1, err);
        if (rc == 0)
            rc = epochs_of(b, &c, &s, 64, err);
        shot_release(&s);
    }
    child_stop(&c, SIGTERM);
    folder_remove(c.data);
    return rc;
}
