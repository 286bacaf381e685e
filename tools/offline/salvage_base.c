/*
 * salvage_base.c: metadata and stores: LMDB, else a snapshot.
 *
 *   LMDB proves itself wholly                          LMDB
 *   its checkpoint is there, values or pages are not   LMDB, what is missing
 *                                                      from the newest
 *                                                      snapshot not newer
 *   no checkpoint                                      the newest snapshot
 *   neither                                            what LMDB has left,
 *                                                      or nothing
 *
 * When whole pages are lost, what the snapshot has and LMDB has not may have
 * been deleted since: it comes back, which is told.
 */
#include "config.h"

#include "offline/salvage_priv.h"

#include <inttypes.h>

struct proving {
    struct salvage *s;
    uint64_t good, bad;
};

static int
prove_record(void *arg, struct span key, struct span value, struct err *err)
{
    struct proving *p = arg;

    records_put(&p->s->old.records, key, value);
    return 0;
}

static void
prove_bad(void *arg, uint64_t page, struct span key, const char *text)
{
    struct proving *p = arg;

    p->bad++;
    *omap_slot(&p->s->bad_keys, key) = p;
}

/* Reads all of LMDB once. */
static int
lmdb_prove(struct salvage *s, bool *whole, struct err *err)
{
    struct proving p = {.s = s};
    struct stored_scan records = {.space = META_RECORDS, .fn = prove_record,
        .bad = prove_bad, .arg = &p};
    struct stored_scan state = {.space = META_STATE, .bad = prove_bad,
        .arg = &p};

    *whole = false;
    if (s->old.lmdb == NULL) {
        say_note(s, "meta/data.mdb", "LMDB can't be read: %s",
            s->old.lmdb_err.text);
        return 0;
    }
    if (stored_scan(s->old.lmdb, &records, err) < 0
        || stored_scan(s->old.lmdb, &state, err) < 0)
        return -1;
    s->lmdb_usable = records.good > 0;
    s->lmdb_lost = records.lost || state.lost;
    *whole = !s->lmdb_lost && p.bad == 0;
    if (p.bad > 0 || s->lmdb_lost)
        say_note(s, "meta/data.mdb", "%" PRIu64 " values of LMDB are damaged%s",
            p.bad, s->lmdb_lost ? ", and some pages can't be read" : "");
    return 0;
}

/* The newest snapshot that proves itself, up to `limit`. */
static bool
snapshot_find(struct salvage *s, uint64_t limit, struct snapshot_head *best)
{
    bool found = false;

    for (unsigned n = 0; n < SNAPSHOT_COUNT; n++) {
        char path[SNAPSHOT_PATH];
        struct snapshot_head h;
        struct err err = {0};

        snapshot_path(s->o->dir, n, path);
        if (snapshot_read(s->world, path, &h, NULL, NULL, &err) < 0) {
            if (err.code != ERR_NOTFOUND)
                say_note(s, "snapshot", "%s", err.text);
            continue;
        }
        if (h.cursor.epoch > limit || (found
                && h.cursor.epoch <= best->cursor.epoch))
            continue;
        *best = h;
        memcpy(s->snapshot, path, sizeof path);
        found = true;
    }
    return found;
}

static void
base_tell(struct salvage *s)
{
    switch (s->base) {
    case BASE_LMDB:
        say_note(s, "meta/data.mdb", "LMDB is whole, as of epoch %" PRIu64,
            s->at.cursor.epoch);
        break;
    case BASE_FILLED:
        if (s->snapshot[0] == '\0')
            say_lost(s, "meta/data.mdb", "there is no snapshot to fill the "
                "gaps of LMDB from: what is damaged there is lost");
        else if (s->lmdb_lost)
            say_lost(s, "meta/data.mdb", "what LMDB lost is taken from a "
                "snapshot: it may be older, and what was deleted since may "
                "be back");
        else
            say_lost(s, "meta/data.mdb", "damaged values are taken from a "
                "snapshot: they may be older");
        break;
    case BASE_SNAPSHOT:
        say_note(s, "snapshot", "metadata and stores are taken from the "
            "snapshot of epoch %" PRIu64 ", and the frames after it",
            s->at.cursor.epoch);
        break;
    case BASE_NOTHING:
        if (s->lmdb_usable)
            say_lost(s, "meta/data.mdb", "LMDB's checkpoint can't be read and "
                "there is no snapshot: what is left of metadata and stores "
                "is used, of mixed age");
        else
            say_lost(s, "meta/data.mdb", "neither LMDB nor a snapshot can "
                "be read: groups, offsets, producers, stores and the names "
                "of topics are lost, but for what the journal says");
        break;
    }
}

int
base_choose(struct salvage *s, struct err *err)
{
    struct snapshot_head lmdb, snap;
    bool whole, clean, has_lmdb, has_snap;

    if (lmdb_prove(s, &whole, err) < 0)
        return -1;
    has_lmdb = records_checkpoint(&s->old.records, &lmdb, &clean);
    if (has_lmdb && whole) {
        s->base = BASE_LMDB;
        s->at = lmdb;
    } else if (has_lmdb) {
        s->base = BASE_FILLED;
        s->at = lmdb;
        snapshot_find(s, lmdb.cursor.epoch, &snap);
    } else {
        has_snap = snapshot_find(s, UINT64_MAX, &snap);
        s->base = has_snap ? BASE_SNAPSHOT : BASE_NOTHING;
        if (has_snap) {
            s->at = snap;
            s->lmdb_usable = false;
        }
    }
    s->at_known = s->base != BASE_NOTHING;
    s->clock_ms = s->at.clock_ms;
    s->highest = s->at.cursor.epoch;
    base_tell(s);
    return 0;
}

/* ---- reading it ---- */

struct each {
    struct salvage *s;
    enum meta_space space;
    stored_fn *fn;
    void *arg;
};

static int
each_snapshot(void *arg, enum meta_space space, struct span key,
    struct span value, struct err *err)
{
    struct each *e = arg;

    if (space != e->space)
        return 0;
    if (e->s->base == BASE_FILLED && !e->s->lmdb_lost
        && omap_get(&e->s->bad_keys, key) == NULL)
        return 0;
    return e->fn(e->arg, key, value, err);
}

int
base_each(struct salvage *s, enum meta_space space, stored_fn *fn, void *arg,
    struct err *err)
{
    struct each e = {s, space, fn, arg};
    struct stored_scan scan = {.space = space, .fn = fn, .arg = arg};
    struct snapshot_head h;

    if (s->snapshot[0] != '\0'
        && snapshot_read(s->world, s->snapshot, &h, each_snapshot, &e, err)
            != 0)
        return -1;
    if (s->lmdb_usable && stored_scan(s->old.lmdb, &scan, err) != 0)
        return -1;
    return 0;
}
