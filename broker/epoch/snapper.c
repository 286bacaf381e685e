/*
 * snapper.c: the keeper writes a snapshot now and then (snapshot.h; epoch.md,
 * rule 16).
 *
 * When: at a checkpoint, so it is LMDB as of P; never by a timer, since an
 * order a second must not wear out a flash card.
 *   - when there is none;
 *   - when as many bytes were put into LMDB as it held at the last one: so
 *     snapshots at most double what is written;
 *   - when topics came or went and LMDB is small: their names stand nowhere
 *     else once the journal has gone round.
 *
 * How: in steps between the keeper's other work, with a rest after each of
 * some times what it took. LMDB is read in one transaction meanwhile, which
 * keeps the pages of that time: LMDB's file grows by what changes until the
 * end. A process that stops finishes a small one and drops a large one.
 *
 * A full disk ends it, and so does damage that it finds in LMDB: then the
 * old ones stay, which may be whole. EIO ends the process, as anywhere.
 */
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "base/check.h"
#include "base/diag.h"
#include "base/limits.h"
#include "epoch/seq_priv.h"
#include "epoch/snapshot.h"

enum {
    STEP = 1024 * 1024,          /* bytes */
    REST_MS_MIN = 20,
    REST_TIMES = 3,              /* of what the step took */
};

#define DUE_BYTES_MIN (256 * KIB)
#define SMALL_BYTES (16 * MIB)   /* of LMDB's file */

static uint64_t
meta_used(struct seq *s)
{
    uint64_t used, map;

    meta_usage(s->meta, &used, &map);
    return used;
}

static bool
any_there(struct seq *s)
{
    char path[SNAPSHOT_PATH];

    for (unsigned n = 0; n < SNAPSHOT_COUNT; n++)
        if (access(snapshot_path(s->datadir->path, n, path), F_OK) == 0)
            return true;
    return false;
}

void
snapper_note(struct seq *s)
{
    const uint8_t kind = META_TOPIC;
    struct omap_iter it;
    struct span key;
    void *value;

    omap_seek(&s->dirty, span_of(&kind, 1), &it);
    if (omap_next(&it, &key, &value) && key.ptr[0] == kind)
        s->snapshot_topics = true;
}

static bool
is_due(struct seq *s)
{
    uint64_t put = meta_put_bytes(s->meta) - s->snapshot_put;
    uint64_t used = meta_used(s);
    uint64_t least = s->snapshot_used > 0 ? s->snapshot_used : used;

    if (!s->snapshot_any)
        s->snapshot_any = any_there(s);
    return !s->snapshot_any
        || put >= (least > DUE_BYTES_MIN ? least : DUE_BYTES_MIN)
        || (s->snapshot_topics && used <= SMALL_BYTES);
}

void
snapper_drop(struct seq *s)
{
    snapshot_free(s->snapshot);
    s->snapshot = NULL;
}

static void
snapper_failed(struct seq *s, struct err *err)
{
    snapper_drop(s);
    if (err->code == EIO)
        seq_die(s, err);
    if (err->code == ERR_DAMAGE)
        diag(ERROR, EPOCH, "%s: no snapshot is written, the last one stays; "
            "run penstock check", err->text);
    else
        diag(WARN, EPOCH, "%s: no snapshot is written", err->text);
}

void
snapper_checkpointed(struct seq *s)
{
    struct err err = {0};

    if (s->snapshot != NULL || s->opts.durability == DURABILITY_MEMORY
        || !is_due(s))
        return;
    if (snapshot_begin(&s->snapshot, s->world, s->datadir->path, s->meta,
            true, &err) < 0) {
        s->snapshot = NULL;
        snapper_failed(s, &err);
        return;
    }
    s->snapshot_put = meta_put_bytes(s->meta);
    s->snapshot_used = meta_used(s);
    s->snapshot_topics = false;
    s->snapshot_next_ns = 0;
}

static void
snapper_end(struct seq *s)
{
    struct err err = {0};

    if (snapshot_end(s->snapshot, &err) < 0) {
        snapper_failed(s, &err);
        return;
    }
    snapper_drop(s);
    s->snapshot_any = true;
    s->counters.snapshots++;
}

void
snapper_step(struct seq *s, bool all)
{
    struct err err = {0};
    int rc = 1;

    while (s->snapshot != NULL && rc > 0) {
        int64_t began = world_mono_ns(s->world), took;

        if (!all && began < s->snapshot_next_ns)
            return;
        rc = snapshot_step(s->snapshot, STEP, &err);
        took = (world_mono_ns(s->world) - began) * REST_TIMES;
        if (took < REST_MS_MIN * 1000000)
            took = REST_MS_MIN * 1000000;
        s->snapshot_next_ns = began + took;
        if (!all && rc > 0)
            return;
    }
    if (s->snapshot == NULL)
        return;
    if (rc < 0)
        snapper_failed(s, &err);
    else
        snapper_end(s);
}

void
snapper_stop(struct seq *s)
{
    if (s->snapshot == NULL)
        return;
    if (meta_used(s) <= SMALL_BYTES)
        snapper_step(s, true);
    else
        snapper_drop(s);
}
