/*
 * growth.c: the journal gets another file, made by the keeper.
 *
 * The order matters (journal.c, invariant 6): the file is filled and synced,
 * then the checkpoint's record lists it, then the loop may write to it. So a
 * file that is listed and not there was lost, and one that is there and not
 * listed holds nothing.
 *
 * A new folder has one small file, so that the first record need not wait
 * for more; the keeper makes the second before anything else, and tries
 * again until there is room for it, since a ring of one can't be recycled.
 */
#include "config.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "epoch/seq_priv.h"

struct growth {
    struct seq_call call;
    struct seq *seq;
    struct journal_file *file;
};

void
growth_add_part(struct seq *s, struct journal_part part)
{
    s->parts = xrealloc(s->parts, (s->part_count + 1) * sizeof *s->parts);
    s->parts[s->part_count++] = part;
}

static uint32_t
growth_next_number(const struct seq *s)
{
    uint32_t next = 0;

    for (size_t i = 0; i < s->part_count; i++)
        if (s->parts[i].number >= next)
            next = s->parts[i].number + 1;
    return next;
}

/* P stays where it is. */
static int
growth_record(struct seq *s, struct err *err)
{
    struct meta_write w;

    if (meta_begin(s->meta, &w) < 0) {
        *err = w.err;
        meta_abort(&w);
        return -1;
    }
    keeper_mark(s, &s->marked, s->marked_clock_ms, false, &w);
    return meta_commit(&w, err);
}

static void
grown(struct seq_call *call)
{
    struct growth *g = container_of(call, struct growth, call);

    journal_add_file(g->seq->journal, g->file);
    seq_refresh_limit(g->seq);
    free(g);
}

bool
growth_make(struct seq *s, uint64_t bytes)
{
    struct journal_part part = {growth_next_number(s), bytes};
    struct journal_file *f;
    struct growth *g;
    struct err err;

    f = journal_make_file(s->world, journal_dir(s->journal),
        s->opts.durability, part.number, bytes, &err);
    if (f != NULL) {
        growth_add_part(s, part);
        if (growth_record(s, &err) < 0) {
            s->part_count--;
            journal_unmake_file(s->world, journal_dir(s->journal), f);
            f = NULL;
        }
    }
    if (f == NULL) {
        if (!keeper_full_disk(&err))
            seq_die(s, &err);
        diag(WARN, EPOCH, "%s: the journal stays as small as it is",
            err.text);
        return false;
    }
    g = xcalloc(1, sizeof *g);
    g->call.fn = grown;
    g->seq = s;
    g->file = f;
    seq_post(s, &g->call);
    return true;
}
