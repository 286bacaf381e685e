/* meter.c: see meter.h. */
#include "config.h"

#include "bench/meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "client/http_get.h"

enum { WAIT_MS = 5000 };

/* The value on the line that begins with the name (Prometheus' text form). */
static double
value_of(const char *text, const char *name)
{
    size_t n = strlen(name);

    while (text != NULL && *text != '\0') {
        if (strncmp(text, name, n) == 0 && text[n] == ' ')
            return strtod(text + n, NULL);
        text = strchr(text, '\n');
        if (text != NULL)
            text++;
    }
    return 0;
}

void
meter_read(const struct child *c, struct meter *m)
{
    struct http_answer answer;
    struct arena arena;
    char base[BENCH_NAME_MAX + 8];
    const char *text;

    memset(m, 0, sizeof *m);
    if (c->http[0] == '\0')
        return;
    snprintf(base, sizeof base, "http://%s", c->http);
    arena_init(&arena, 4 * MIB);
    if (http_ask("GET", base, "/metrics", WAIT_MS, &cli_stop, &arena, &answer,
            NULL) == 0 && answer.status == 200) {
        text = (const char *)answer.body.ptr;
        m->epochs = value_of(text, "penstock_seq_epochs_total");
        m->frame_bytes = value_of(text, "penstock_seq_frame_bytes_total");
        m->flush_s = value_of(text, "penstock_seq_flush_seconds_total");
    }
    arena_release(&arena);
}

bool
meter_epoch(const struct child *c, const struct meter *before, double *bytes,
    double *ns)
{
    struct meter now;
    double epochs;

    meter_read(c, &now);
    epochs = now.epochs - before->epochs;
    if (epochs < 1)
        return false;
    *bytes = (now.frame_bytes - before->frame_bytes) / epochs;
    *ns = (now.flush_s - before->flush_s) * 1e9 / epochs;
    return true;
}
