/*
 * check.c: proves a data folder.
 *
 * Order matters: LMDB first, since it says what the rest must be; then the
 * journal's operations are laid over its records, as recovery does; then the
 * records are judged as of the newest epoch; then the logs, and the frames'
 * batches against them.
 *
 * Damage is what was written and is not there any more. What can be made
 * again (an index) or is the usual trace of a power cut (a torn last frame)
 * is a note.
 */
#include "config.h"

#include "offline/check_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"

static void
topic_free(void *value, void *arg)
{
    struct check_topic *t = value;

    (void)arg;
    free(t->name);
    free(t);
}

static void
log_free(void *value, void *arg)
{
    struct check_log *l = value;

    (void)arg;
    plog_state_release(&l->st);
    free(l);
}

static void
check_identity(struct check *c)
{
    const struct err *e = &c->folder.identity;
    const struct datadir *d = c->folder.dir;

    if (e->code != 0)
        finding_add(c->f, FINDING_DAMAGE, "penstock.id", FINDING_NOWHERE,
            NULL, "%s", e->text);
    if (e->code != 0 || !c->whole)
        return;
    if (!uuid_eq(&d->data_id, &c->at.data_id))
        finding_add(c->f, FINDING_DAMAGE, "meta/data.mdb", FINDING_NOWHERE,
            "find the right one of each", "it belongs to another data "
            "folder: parts of two copies are mixed");
    if (!uuid_eq(&d->cluster_id, &c->at.cluster_id))
        finding_add(c->f, FINDING_DAMAGE, "meta/data.mdb", FINDING_NOWHERE,
            "find the right one of each", "it belongs to another cluster");
}

static void
check_snapshot(struct check *c, unsigned n)
{
    char path[SNAPSHOT_PATH], file[32];
    struct snapshot_head h;
    struct err err = {0};

    snapshot_path(c->o->dir, n, path);
    snprintf(file, sizeof file, "snapshot-%u", n);
    if (snapshot_read(c->folder.world, path, &h, NULL, NULL, &err) < 0) {
        if (err.code != ERR_NOTFOUND)
            finding_add(c->f, FINDING_DAMAGE, file, FINDING_NOWHERE,
                "the server replaces it in time; the disk may be failing",
                "%s", err.text);
        return;
    }
    if (!uuid_is_zero(&c->folder.dir->data_id)
        && !uuid_eq(&h.data_id, &c->folder.dir->data_id))
        finding_add(c->f, FINDING_NOTE, file, FINDING_NOWHERE,
            "remove it", "it belongs to another data folder");
}

static int
check_parts(struct check *c, struct err *err)
{
    if (check_lmdb(c, err) < 0)
        return -1;
    check_identity(c);
    for (unsigned n = 0; n < SNAPSHOT_COUNT; n++)
        check_snapshot(c, n);
    if (check_journal(c, err) < 0)
        return -1;
    if (!c->whole)
        return check_logs_alone(c, err);
    check_records(c);
    if (check_logs(c, err) < 0 || check_frames(c, err) < 0)
        return -1;
    check_references(c);
    return check_state(c, err);
}

static void
check_summary(struct check *c)
{
    const struct finding_count counts[] = {
        {"topics", c->topics.count}, {"logs", c->logs.count},
        {"segments", c->n_segments}, {"bytes", c->bytes},
        {"frames", c->frames}, {"records", c->records},
        {"state_entries", c->entries}, {"epoch", c->at.cursor.epoch},
    };
    char verdict[64], text[400];

    if (c->f->damages == 0)
        snprintf(verdict, sizeof verdict, "no damage");
    else
        snprintf(verdict, sizeof verdict, "%llu damaged %s",
            (unsigned long long)c->f->damages,
            c->f->damages == 1 ? "place" : "places");
    snprintf(text, sizeof text, "%s, %llu %s: %zu topics, %zu logs, %llu "
        "segments with %llu bytes, %llu frames after epoch %llu, %llu "
        "metadata records, %llu entries of stores", verdict,
        (unsigned long long)c->f->notes, c->f->notes == 1 ? "note" : "notes",
        c->topics.count, c->logs.count, (unsigned long long)c->n_segments,
        (unsigned long long)c->bytes, (unsigned long long)c->frames,
        (unsigned long long)c->at.cursor.epoch,
        (unsigned long long)c->records, (unsigned long long)c->entries);
    findings_end(c->f, text, counts, countof(counts));
}

int
check_run(const struct check_options *o, struct err *err)
{
    struct check *c = xcalloc(1, sizeof *c);
    int rc;

    c->o = o;
    c->f = o->findings;
    omap_init(&c->topics);
    omap_init(&c->logs);
    omap_init(&c->stores);
    c->cache = segcache_new(o->world, 16, 8 * MIB);
    rc = folder_open(&c->folder, o->world, o->dir, err);
    if (rc == 0 && c->folder.identity.code == ERR_NOTFOUND) {
        *err = c->folder.identity; /* empty, or never finished being made */
        rc = -1;
    }
    if (rc == 0)
        rc = check_parts(c, err);
    if (rc == 0)
        check_summary(c);
    check_journal_release(c);
    folder_release(&c->folder);
    omap_release(&c->topics, topic_free, NULL);
    omap_release(&c->logs, log_free, NULL);
    omap_release(&c->stores, NULL, NULL);
    segcache_free(c->cache);
    free(c);
    return rc;
}
