/*
 * The old end of a log: trimming, retention, and files that nobody needs.
 *
 *    plog_expired() --> a frame says the new log start --> plog_trim()
 *         (any thread)        (committed)                     |
 *                                                     segments are doomed
 *    plog_sync(), plog_state_get(): they are due              |
 *    LMDB commits that state                                  |
 *    plog_unlink_doomed(): those due, without readers <-------+
 *
 * After a crash before the commit the state has the segments in its list
 * still, and the replay trims again; after it, it has them in `doomed`.
 */
#include "config.h"

#include "plog/plog_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

/* --------------------------------------------------------------- trimming */

/* How many segments from the first on are below the log start. */
static size_t
trim_count(const struct plog *p, int64_t log_start)
{
    size_t n = 0;

    if (log_start > p->written)
        return p->count;
    while (n + 1 < p->count && p->segments[n]->meta.last_offset < log_start)
        n++;
    return n;
}

void
plog_doom(struct plog *p, struct segment *s)
{
    TAILQ_INSERT_TAIL(&p->doomed, s, doomed_link);
    p->doomed_count++;
}

/* Its descriptor needs no sync any more: nobody will rely on its bytes. */
void
plog_leave(struct plog *p, struct segment *s)
{
    if (s->dirty) {
        SLIST_REMOVE(&p->dirty, s, segment, dirty_link);
        s->dirty = false;
    }
    segment_close_write(s);
    segslot_activate(&s->slot, p->cache, false);
    plog_doom(p, s);
}

void
plog_trim_to(struct plog *p, int64_t log_start)
{
    size_t n = trim_count(p, log_start);
    struct segment **gone = NULL;

    if (n > 0)
        gone = xmemdup(p->segments, n * sizeof(struct segment *));
    lock_take(&p->lock);
    p->log_start = log_start;
    if (p->written < log_start)
        p->written = log_start;
    if (n > 0)
        memmove(p->segments, p->segments + n,
            (p->count - n) * sizeof(struct segment *));
    p->count -= n;
    lock_give(&p->lock);
    for (size_t i = 0; i < n; i++)
        plog_leave(p, gone[i]);
    free(gone);
}

void
plog_trim(struct plog *p, int64_t log_start)
{
    if (log_start > p->log_start)
        plog_trim_to(p, log_start);
}

/* -------------------------------------------------------------- retention */

bool
plog_expired(struct plog *p, int64_t retention_ms, int64_t retention_bytes,
    int64_t now_ms, int64_t limit_offset, int64_t *new_log_start)
{
    uint64_t bytes = 0;
    bool some = false;

    lock_take(&p->lock);
    for (size_t i = 0; i < p->count; i++)
        bytes += p->segments[i]->meta.size;
    for (size_t i = 0; i + 1 < p->count; i++) {
        const struct plog_segment *m = &p->segments[i]->meta;
        bool old = retention_ms >= 0 && m->max_timestamp >= 0 &&
            now_ms > m->max_timestamp &&
            now_ms - m->max_timestamp > retention_ms;
        bool much = retention_bytes >= 0 &&
            bytes >= (uint64_t)retention_bytes + m->size;

        if (m->last_offset >= limit_offset || (!old && !much))
            break;
        bytes -= m->size;
        *new_log_start = m->last_offset + 1;
        some = *new_log_start > p->log_start;
    }
    lock_give(&p->lock);
    return some;
}

/* ------------------------------------------------------------------ files */

size_t
plog_doomed(struct plog *p)
{
    return p->doomed_count;
}

int
plog_unlink_doomed(struct plog *p, struct err *err)
{
    struct segment *s, *next;

    for (s = TAILQ_FIRST(&p->doomed); s != NULL; s = next) {
        struct plog_name name = {s->meta.base_offset, s->meta.epoch};
        bool read;

        next = TAILQ_NEXT(s, doomed_link);
        lock_take(&p->lock);
        read = s->refs > 0;
        lock_give(&p->lock);
        if (read || !s->due)
            continue;
        if (segment_unlink(p->world, p->path, &name, err) != 0)
            return -1;
        /* A power cut could bring the files back: the next state, which has
         * not their names any more, is taken after the folder's sync. */
        p->folder_dirty = true;
        TAILQ_REMOVE(&p->doomed, s, doomed_link);
        p->doomed_count--;
        segment_free(s);
    }
    return 0;
}

static bool
name_eq(const struct plog_name *a, const struct plog_name *b)
{
    return a->base_offset == b->base_offset && a->epoch == b->epoch;
}

void
plog_making_add(struct plog *p, const struct plog_name *name)
{
    lock_take(&p->lock);
    p->making = xrealloc(p->making,
        (p->making_count + 1) * sizeof *p->making);
    p->making[p->making_count++] = *name;
    lock_give(&p->lock);
}

void
plog_making_del(struct plog *p, const struct plog_name *name)
{
    lock_take(&p->lock);
    for (size_t i = 0; i < p->making_count; i++) {
        if (name_eq(&p->making[i], name)) {
            p->making[i] = p->making[--p->making_count];
            break;
        }
    }
    lock_give(&p->lock);
}

static bool
name_is_made(struct plog *p, const struct plog_name *name)
{
    bool found = false;

    lock_take(&p->lock);
    for (size_t i = 0; i < p->making_count && !found; i++)
        found = name_eq(&p->making[i], name);
    lock_give(&p->lock);
    return found;
}

bool
plog_knows(struct plog *p, const struct plog_name *name)
{
    struct segment *s;

    for (size_t i = 0; i < p->count; i++) {
        const struct plog_segment *m = &p->segments[i]->meta;

        if (m->base_offset == name->base_offset && m->epoch == name->epoch)
            return true;
    }
    TAILQ_FOREACH(s, &p->doomed, doomed_link) {
        if (s->meta.base_offset == name->base_offset &&
            s->meta.epoch == name->epoch)
            return true;
    }
    return name_is_made(p, name);
}

static int
sweep_one(void *arg, const char *file, struct err *err)
{
    struct plog *p = arg;
    struct plog_name name;

    if (!segment_parse_name(file, ".log", &name) &&
        !segment_parse_name(file, ".index", &name))
        return 0;
    if (plog_knows(p, &name))
        return 0;
    p->folder_dirty = true;
    return segment_unlink(p->world, p->path, &name, err);
}

int
plog_sweep(struct plog *p, struct err *err)
{
    struct err local;

    if (err == NULL)
        err = &local;
    err->code = 0;
    if (folder_each(p->path, sweep_one, p, err) == 0 || err->code == ENOENT)
        return 0;                /* no folder: nothing was written yet */
    return -1;
}
