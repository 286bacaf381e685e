/*
 * salvage_logs.c: segments: linked, copied, or rebuilt batch by batch.
 *
 * A log of which LMDB knows the segments and all are right is taken over file
 * by file: the sealed ones by a hard link where that goes (they are never
 * written again), the last one as a copy, since the new folder appends to
 * it. Without LMDB's list the files' own order is taken if it has no gap.
 * Else batches are read one by one and appended to a new log; where some are
 * damaged a batch without records stands for their offsets (as compaction
 * leaves them in Kafka), so that all others keep theirs.
 */
#include "config.h"

#include "offline/salvage_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "epoch/logrec.h"
#include "offline/batchfile.h"
#include "proto/store.pb-c.h"
#include "record/batch.h"

enum {
    READ_BYTES = 4 << 20,
    COPY_BYTES = 1 << 20,
};

/* ---- file by file ---- */

static int
copy_bytes(struct salvage *s, const char *from, const char *to,
    uint64_t size, struct err *err)
{
    struct world *w = s->world;
    uint8_t *some = xmalloc(COPY_BYTES);
    int in = w->ops->open(w, from, O_RDONLY | O_CLOEXEC, 0), rc = 0;
    int out = w->ops->open(w, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
        0600);

    if (in < 0 || out < 0)
        rc = err_set(err, errno, "copy %s to %s", from, to);
    for (uint64_t at = 0; at < size && rc == 0;) {
        size_t want = size - at < COPY_BYTES ? size - at : COPY_BYTES;
        ssize_t n = w->ops->pread(w, in, some, want, (off_t)at);

        if (n <= 0 || w->ops->pwrite(w, out, some, (size_t)n, (off_t)at) < 0)
            rc = err_set(err, n == 0 ? EIO : errno, "copy %s", from);
        else
            at += (uint64_t)n;
    }
    if (rc == 0 && w->ops->fdatasync(w, out) < 0)
        rc = err_set(err, errno, "flush %s", to);
    if (in >= 0)
        w->ops->close(w, in);
    if (out >= 0)
        w->ops->close(w, out);
    free(some);
    return rc;
}

static int
take_segment(struct salvage *s, const struct salvage_log *l,
    const struct plog_segment *g, bool last, struct err *err)
{
    struct plog_name name = {g->base_offset, g->epoch};
    char file[DATADIR_PATH], from[DATADIR_PATH], to[DATADIR_PATH];
    struct stat st;
    struct err ignored;

    log_path(&l->id, l->partition, &name, ".log", file);
    datadir_sub(s->old.dir, file, from);
    datadir_sub(s->dir, file, to);
    if (!last && stat(from, &st) == 0 && (uint64_t)st.st_size == g->size
        && link(from, to) == 0) {
        s->n_linked++;
    } else {
        if (copy_bytes(s, from, to, g->size, err) < 0)
            return -1;
        s->n_copied++;
    }
    log_path(&l->id, l->partition, &name, ".index", file);
    datadir_sub(s->old.dir, file, from);
    datadir_sub(s->dir, file, to);
    /* An index is a hint: without one it is made again. */
    if (stat(from, &st) == 0
        && copy_bytes(s, from, to, (uint64_t)st.st_size, &ignored) < 0)
        unlink(to);
    return 0;
}

static int
sync_folder(struct salvage *s, const char *path, struct err *err)
{
    struct world *w = s->world;
    int fd = w->ops->open(w, path, O_RDONLY | O_DIRECTORY, 0), rc = 0;

    if (fd < 0 || w->ops->fsync(w, fd) < 0)
        rc = err_set(err, errno, "sync folder %s", path);
    if (fd >= 0)
        w->ops->close(w, fd);
    return rc;
}

static int
log_take(struct salvage *s, struct salvage_log *l, struct plog_state *st,
    struct err *err)
{
    char topic[DATADIR_PATH], path[DATADIR_PATH];

    st->doomed_count = 0;
    if (!s->o->dry_run) {
        datadir_topic(s->dir, &l->id, topic);
        datadir_partition(s->dir, &l->id, l->partition, path);
        if ((mkdir(topic, 0700) < 0 && errno != EEXIST)
            || mkdir(path, 0700) < 0)
            return err_set(err, errno, "make folder %s", path);
        for (size_t i = 0; i < st->segment_count; i++)
            if (take_segment(s, l, &st->segments[i],
                    i + 1 == st->segment_count, err) < 0)
                return -1;
        if (sync_folder(s, path, err) < 0 || sync_folder(s, topic, err) < 0)
            return -1;
    }
    return log_begin(s, l, st, err);
}

/* ---- batch by batch ---- */

static uint64_t
epoch_at(const struct plog_state *st, int64_t offset)
{
    size_t i = 0;

    while (i + 1 < st->segment_count
        && st->segments[i + 1].base_offset <= offset)
        i++;
    return st->segment_count == 0
        ? 0 : st->segments[i].epoch & ~PLOG_CLEANED;
}

/* Gaps in what the cleaner has made are no loss. */
static bool
gaps_at(const struct plog_state *st, int64_t offset)
{
    size_t i = 0;

    while (i + 1 < st->segment_count && st->segments[i].last_offset < offset)
        i++;
    return st->segment_count > 0
        && (st->segments[i].epoch & PLOG_CLEANED) != 0;
}

/* Where the segment with that offset ends. */
static int64_t
segment_end(const struct plog_state *st, int64_t offset)
{
    size_t i = 0;

    while (i + 1 < st->segment_count && st->segments[i].last_offset < offset)
        i++;
    return st->segments[i].last_offset + 1;
}

static int
append_bytes(struct salvage *s, struct salvage_log *l, struct span bytes,
    uint64_t epoch, bool gaps, struct err *err)
{
    while (bytes.len > 0) {
        struct batch b;

        if (batch_parse(bytes, &b) != BATCH_OK)
            return err_set(err, ERR_DAMAGE, "a log gave half a batch");
        if (gaps && b.base_offset > l->end
            && log_fill(s, l, b.base_offset, epoch, err) < 0)
            return -1;
        if (log_append(s, l, b.bytes, epoch, err) < 0)
            return -1;
        bytes.ptr += b.bytes.len;
        bytes.len -= b.bytes.len;
    }
    return 0;
}

/* Everything from `offset` on that can be read of the old log. */
static int
log_read_on(struct salvage *s, struct salvage_log *l, struct plog *old,
    const struct plog_state *st, int64_t offset, bool fill, struct err *err)
{
    struct buf out;
    int rc = 0;

    buf_init(&out, FRAME_BYTES_MAX + READ_BYTES);
    while (rc == 0) {
        struct plog_want want = {.offset = offset, .end_offset = INT64_MAX,
            .max_bytes = READ_BYTES};
        struct plog_got got;
        enum plog_status status;

        buf_clear(&out);
        status = plog_read(old, &want, &out, &got, err);
        if (status == PLOG_OK) {
            rc = append_bytes(s, l, buf_span(&out), epoch_at(st, offset),
                gaps_at(st, offset), err);
            offset = got.next_offset;
        } else if (status == PLOG_DAMAGED && fill) {
            offset = got.damage.resume_offset;
            if (l->end < offset && l->opened)
                rc = log_gap(s, l, offset, epoch_at(st, want.offset), err);
        } else if (status == PLOG_FAILED && err->code == EIO && fill) {
            offset = segment_end(st, offset);
            rc = log_gap(s, l, offset, epoch_at(st, want.offset), err);
        } else if (status == PLOG_FAILED) {
            rc = -1;
        } else {
            break;
        }
    }
    buf_release(&out);
    return rc;
}

/* The first batch may be damaged, too: the log then begins behind it. */
static int
log_rebuild(struct salvage *s, struct salvage_log *l,
    const struct plog_state *st, struct err *err)
{
    struct plog_state begin = {.log_start = st->log_start,
        .written = st->log_start};
    char path[DATADIR_PATH];
    struct plog *old;
    int rc;

    datadir_partition(s->old.dir, &l->id, l->partition, path);
    if (plog_open(s->old_cache, path, NULL, st, &old, err) < 0)
        return -1;
    rc = log_begin(s, l, &begin, err);
    /* A log may start within a batch; then that batch comes first. */
    if (rc == 0)
        rc = log_read_on(s, l, old, st, st->log_start, true, err);
    plog_close(old);
    return rc;
}

/* ---- what the files say ---- */

struct looking {
    struct salvage *s;
    struct salvage_log *l;
    uint64_t damages;
};

static void
look_finding(void *arg, const struct plog_finding *p)
{
    struct looking *k = arg;
    struct plog_name name = {p->where.segment_base, p->where.segment_epoch};
    char file[DATADIR_PATH];

    if (p->kind == PLOG_FINDING_INDEX || p->kind == PLOG_FINDING_TAIL)
        return;
    k->damages++;
    say_note(k->s, log_path(&k->l->id, k->l->partition, &name, ".log", file),
        "%s", p->text);
}

struct name_list {
    struct plog_segment *v;
    size_t n, cap;
};

static int
segment_cmp(const void *a, const void *b)
{
    const struct plog_segment *x = a, *y = b;

    if (x->base_offset != y->base_offset)
        return x->base_offset < y->base_offset ? -1 : 1;
    return (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

/* The segments that the folder has by their names, sizes by the files. */
static int
names_read(const char *path, struct name_list *list, struct err *err)
{
    DIR *d = opendir(path);
    struct dirent *e;

    if (d == NULL)
        return errno == ENOENT ? 0 : err_set(err, errno, "open folder %s",
            path);
    while ((e = readdir(d)) != NULL) {
        struct plog_segment g = {.first_timestamp = -1, .max_timestamp = -1};
        char file[2 * DATADIR_PATH];
        struct stat st;
        int end = 0;

        if (sscanf(e->d_name, "%20" SCNd64 "-%16" SCNx64 ".log%n",
                &g.base_offset, &g.epoch, &end) != 2 || end != 41
            || e->d_name[end] != '\0' || g.base_offset < 0)
            continue;
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        if (stat(file, &st) < 0 || st.st_size < BATCH_HEADER
            || st.st_size > INT32_MAX)
            continue;
        g.size = (uint32_t)st.st_size;
        if (list->n == list->cap) {
            list->cap = list->cap == 0 ? 16 : 2 * list->cap;
            list->v = xrealloc(list->v, list->cap * sizeof *list->v);
        }
        list->v[list->n++] = g;
    }
    closedir(d);
    if (list->n > 0)
        qsort(list->v, list->n, sizeof *list->v, segment_cmp);
    return 0;
}

/* How far the last file goes: to its last whole batch, also behind damage.
 * false: it has none. */
static bool
last_file(struct salvage *s, const char *path, struct plog_segment *g,
    struct err *err)
{
    char file[2 * DATADIR_PATH];
    struct batchfile f;
    struct batch b;
    uint64_t at, skipped;
    int64_t last = g->base_offset - 1;

    snprintf(file, sizeof file, "%s/%020" PRId64 "-%016" PRIx64 ".log", path,
        g->base_offset, g->epoch);
    if (batchfile_open(&f, s->world, file, err) < 0)
        return false;
    while (batchfile_next(&f, &b, &at, &skipped, err) > 0) {
        if (b.base_offset <= last
            || batch_last_offset(&b) - g->base_offset > INT32_MAX)
            continue;
        last = batch_last_offset(&b);
        g->size = (uint32_t)(at + b.bytes.len);
    }
    batchfile_close(&f);
    g->last_offset = last;
    return last >= g->base_offset;
}

/* Of two files with one base offset the later epoch is right, but of what the
 * cleaner made the older, and before all what it was made of. Files wholly
 * below the log start are waste. */
static void
names_sift(struct name_list *list, int64_t log_start)
{
    size_t n = 0, skip = 0;

    for (size_t i = 0; i < list->n; i++) {
        bool twin = n > 0
            && list->v[n - 1].base_offset == list->v[i].base_offset;

        if (twin && (list->v[i].epoch & PLOG_CLEANED) != 0)
            continue;
        n -= twin;
        list->v[n++] = list->v[i];
    }
    for (size_t i = 0; i + 1 < n; i++) {
        list->v[i].last_offset = list->v[i + 1].base_offset - 1;
        if (list->v[i].last_offset < log_start)
            skip = i + 1;
    }
    if (skip > 0)
        memmove(list->v, list->v + skip, (n - skip) * sizeof *list->v);
    list->n = n - skip;
}

/* A state that has all files that may matter: each ends where the next one
 * begins. What is missing within shows when it is read. */
static int
state_guess(struct salvage *s, const struct salvage_log *l,
    int64_t log_start, struct plog_state *st, struct err *err)
{
    struct name_list list = {0};
    struct plog_segment *g;
    char path[DATADIR_PATH];
    struct err why = {0};

    *st = (struct plog_state){0};
    datadir_partition(s->old.dir, &l->id, l->partition, path);
    if (names_read(path, &list, err) < 0)
        return -1;
    names_sift(&list, log_start);
    while (list.n > 0 && !last_file(s, path, &list.v[list.n - 1], &why))
        list.n--;
    st->segments = list.v;
    st->segment_count = list.n;
    if (list.n == 0)
        return 0;
    g = &list.v[list.n - 1];
    st->written = g->last_offset + 1;
    st->log_start = list.v[0].base_offset > log_start
        ? list.v[0].base_offset : log_start;
    if (st->log_start > st->written)
        st->log_start = st->written;
    return 0;
}

/* What the scan has, which is good up to the first damage; better, if there
 * is any, all that stands behind it, too. */
static int
log_scanned(struct salvage *s, struct salvage_log *l, struct plog_state *st,
    int64_t log_start, bool damaged, struct err *err)
{
    struct plog_state guess = {0};
    int rc = -1;

    if (damaged && state_guess(s, l, log_start, &guess, err) == 0
        && guess.segment_count > 0)
        rc = log_rebuild(s, l, &guess, err);
    plog_state_release(&guess);
    if (rc == 0 || l->opened || st->segment_count == 0)
        return rc < 0 && l->opened ? -1 : 0;
    return log_take(s, l, st, err);
}

/* Without LMDB's word. log_start: as far as it is known. */
static int
log_unlisted(struct salvage *s, struct salvage_log *l, int64_t log_start,
    struct err *err)
{
    struct looking k = {s, l, 0};
    char path[DATADIR_PATH];
    struct plog_state st = {0};
    int rc;

    datadir_partition(s->old.dir, &l->id, l->partition, path);
    if (access(path, F_OK) != 0)
        return 0; /* nothing was ever written back */
    rc = plog_salvage_scan(s->world, path, log_start, &st, look_finding, &k,
        err);
    if (rc == 0)
        rc = log_scanned(s, l, &st, log_start, k.damages > 0, err);
    plog_state_release(&st);
    if (rc == 0 && l->opened)
        l->due = log_start;
    return rc;
}

/* What plog_verify() does not see: whether all batches' leader epochs are
 * such that they may stand there. */
static bool
epochs_whole(const struct salvage_log *l, struct plog *p,
    const struct plog_state *st)
{
    enum plog_status status = PLOG_OK;
    int64_t offset = st->log_start;
    int32_t before = 0;
    bool whole = true;
    struct buf out;
    struct err err;

    buf_init(&out, FRAME_BYTES_MAX + READ_BYTES);
    while (status == PLOG_OK && whole) {
        struct plog_want want = {.offset = offset, .end_offset = INT64_MAX,
            .max_bytes = READ_BYTES};
        struct plog_got got;
        struct span rest;
        struct batch b;

        buf_clear(&out);
        status = plog_read(p, &want, &out, &got, &err);
        offset = got.next_offset;
        for (rest = buf_span(&out); status == PLOG_OK && whole && rest.len > 0
             && batch_parse(rest, &b) == BATCH_OK;) {
            whole = leader_epoch_good(l, before, b.leader_epoch);
            before = b.leader_epoch;
            rest.ptr += b.bytes.len;
            rest.len -= b.bytes.len;
        }
    }
    buf_release(&out);
    return whole && status == PLOG_END;
}

/* With LMDB's list: whole, or without what is damaged. */
static int
log_listed(struct salvage *s, struct salvage_log *l, struct plog_state *st,
    struct err *err)
{
    struct looking k = {s, l, 0};
    char path[DATADIR_PATH];
    struct plog *p;
    bool whole;
    int rc;

    if (plog_open(s->old_cache, datadir_partition(s->old.dir, &l->id,
            l->partition, path), NULL, st, &p, err) < 0)
        return -1;
    rc = plog_verify(p, look_finding, &k, err);
    whole = rc == 0 && k.damages == 0 && epochs_whole(l, p, st);
    plog_close(p);
    if (rc < 0 && err->code != EIO)
        return -1;
    return whole ? log_take(s, l, st, err)
                                     : log_rebuild(s, l, st, err);
}

static int
log_copy(struct salvage *s, struct salvage_log *l, struct err *err)
{
    struct plog_state st = {0};
    struct span value;
    struct err why = {0};
    int64_t start = 0;
    int rc = 1;

    if (records_get(&s->log_states, span_of(l->key, LOG_KEY), &value)
        && logrec_unpack(value, &st, &why) == 0) {
        start = st.log_start > 0 ? st.log_start : 0;
        l->known = st.written;
        if (s->base == BASE_LMDB || s->base == BASE_FILLED)
            rc = log_listed(s, l, &st, &why);
        if (rc < 0) {
            say_note(s, "meta/data.mdb", "%s: the files are asked instead",
                why.text);
            if (l->opened) { /* half of it was written: no second try */
                plog_state_release(&st);
                *err = why;
                return -1;
            }
        }
    }
    plog_state_release(&st);
    /* LMDB is right, and knows no file of it: the frames have all of it. */
    if (rc == 1 && s->base == BASE_LMDB)
        return 0;
    return rc == 0 ? 0 : log_unlisted(s, l, start, err);
}

/* Batches that the base knows no producers of: their headers tell. */
static int
log_producers(struct salvage *s, struct salvage_log *l, struct err *err)
{
    struct buf out;
    int64_t offset = l->known > l->start ? l->known : l->start;
    enum plog_status status = PLOG_OK;

    if (l->plog == NULL || s->base == BASE_LMDB)
        return 0;
    buf_init(&out, FRAME_BYTES_MAX + READ_BYTES);
    while (status == PLOG_OK) {
        struct plog_want want = {.offset = offset, .end_offset = l->end,
            .max_bytes = READ_BYTES};
        struct plog_got got;
        struct span rest;
        struct batch b;

        buf_clear(&out);
        status = plog_read(l->plog, &want, &out, &got, err);
        offset = got.next_offset;
        for (rest = buf_span(&out); status == PLOG_OK && rest.len > 0
             && batch_parse(rest, &b) == BATCH_OK;) {
            producers_see(s, l, &b);
            l->leader_epoch = b.leader_epoch;
            rest.ptr += b.bytes.len;
            rest.len -= b.bytes.len;
        }
    }
    buf_release(&out);
    l->known = l->end;
    return status == PLOG_FAILED ? -1 : 0;
}

/* ---- all of them ---- */

static int
topic_copy(struct salvage *s, const struct uuid *id, uint32_t partitions,
    struct err *err)
{
    for (uint32_t i = 0; i < partitions; i++) {
        struct salvage_log *l = salvage_log_get(s, id, (int32_t)i);

        if (log_copy(s, l, err) < 0 || log_producers(s, l, err) < 0)
            return -1;
    }
    return 0;
}

int
logs_copy(struct salvage *s, struct err *err)
{
    uint8_t kind = META_TOPIC;
    struct omap_iter it;
    struct span key, value;
    int rc = 0;

    omap_seek(&s->records, span_of(&kind, 1), &it);
    while (rc == 0 && records_next(&it, META_TOPIC, &key, &value)) {
        Store__Topic *m = store__topic__unpack(NULL, value.len, value.ptr);
        struct uuid id;

        if (m != NULL && key.len == 16
            && m->partitions <= PARTITIONS_TOPIC_MAX) {
            memcpy(id.bytes, key.ptr, 16);
            rc = topic_copy(s, &id, m->partitions, err);
        }
        store__topic__free_unpacked(m, NULL);
    }
    return rc;
}

/* Committed once, or it would not be in a segment; the frame is lost. */
int
log_extend(struct salvage *s, struct salvage_log *l, struct err *err)
{
    char path[DATADIR_PATH];
    struct plog_state st;
    struct plog *old;
    int64_t end = l->end;
    int rc = 0;

    datadir_partition(s->old.dir, &l->id, l->partition, path);
    if (access(path, F_OK) != 0)
        return 0;
    if (plog_salvage_scan(s->world, path, l->end, &st, NULL, NULL, err) < 0)
        return -1;
    if (st.segment_count > 0 && st.written > l->end
        && st.segments[0].base_offset <= l->end) {
        if (!l->opened) {
            struct plog_state begin = {.log_start = st.log_start,
                .written = st.log_start};

            rc = log_begin(s, l, &begin, err);
        }
        if (rc == 0)
            rc = plog_open(s->old_cache, path, NULL, &st, &old, err);
        if (rc == 0) {
            rc = log_read_on(s, l, old, &st, l->end, false, err);
            plog_close(old);
        }
        if (rc == 0 && l->end > end)
            say_note(s, log_path(&l->id, l->partition, NULL, NULL, path),
                "offsets %" PRId64 " to %" PRId64 " are in a segment, but in "
                "no frame: they are kept", end, l->end - 1);
    }
    plog_state_release(&st);
    return rc;
}

int
logs_extend(struct salvage *s, struct err *err)
{
    struct omap_iter it;
    struct span key;
    void *v;

    omap_seek(&s->logs, SPAN_NULL, &it);
    while (omap_next(&it, &key, &v)) {
        struct salvage_log *l = v;

        if (topic_known(s, &l->id) && log_extend(s, l, err) < 0)
            return -1;
    }
    return 0;
}

/* What the base's list says. */
static int
reach_states(struct salvage *s, struct err *err)
{
    struct omap_iter it;
    struct span key, value;
    int rc = 0;
    void *v;

    omap_seek(&s->log_states, SPAN_NULL, &it);
    while (rc == 0 && omap_next(&it, &key, &v)) {
        struct plog_state st;
        struct uuid id;
        int32_t partition;

        log_key_read(key.ptr, &id, &partition);
        records_get(&s->log_states, key, &value);
        if (logrec_unpack(value, &st, NULL) == 0 && topic_known(s, &id))
            rc = log_reach(s, salvage_log_get(s, &id, partition), st.written,
                err);
        plog_state_release(&st);
    }
    return rc;
}

/* What tasks have read. */
static int
reach_tasks(struct salvage *s, struct err *err)
{
    uint8_t kind = META_TASK;
    struct omap_iter it;
    struct span key, value;
    int rc = 0;

    omap_seek(&s->records, span_of(&kind, 1), &it);
    while (rc == 0 && records_next(&it, META_TASK, &key, &value)) {
        Store__Task *m = store__task__unpack(NULL, value.len, value.ptr);

        for (size_t i = 0; m != NULL && i < m->n_inputs && rc == 0; i++) {
            const Store__TaskInput *in = m->inputs[i];
            struct uuid id;

            if (in->topic_id.len != 16)
                continue;
            memcpy(id.bytes, in->topic_id.data, 16);
            if (topic_known(s, &id))
                rc = log_reach(s, salvage_log_get(s, &id,
                    (int32_t)in->partition), in->offset, err);
        }
        store__task__free_unpacked(m, NULL);
    }
    return rc;
}

int
logs_reach(struct salvage *s, struct err *err)
{
    return reach_states(s, err) < 0 ? -1 : reach_tasks(s, err);
}

/* ---- topics without a record ---- */

static int
log_name(void *arg, const struct uuid *id, int32_t partition,
    struct err *err)
{
    struct salvage *s = arg;
    uint8_t key[17] = {META_TOPIC};
    Store__Topic *m = NULL, made = STORE__TOPIC__INIT;
    char hex[UUID_HEX], name[64], path[DATADIR_PATH];
    struct span value;
    struct buf out;

    memcpy(key + 1, id->bytes, 16);
    if (omap_get(&s->dropped, span_of(id->bytes, 16)) != NULL)
        return 0;
    buf_init(&out, 1 * MIB);
    if (!records_get(&s->records, span_of(key, sizeof key), &value)) {
        if (s->base == BASE_LMDB && s->complete) {
            say_note(s, log_path(id, partition, NULL, NULL, path), "it "
                "belongs to no topic: it was deleted, or never committed");
            return 0;
        }
        if (frames_find_topic(s, id, &out)) {
            value = buf_span(&out);
        } else {
            snprintf(name, sizeof name, "salvaged-%s", uuid_hex(id, hex));
            made.name = name;
            made.partitions = (uint32_t)partition + 1;
            store__topic__pack(&made, buf_grow(&out,
                store__topic__get_packed_size(&made)));
            value = buf_span(&out);
            say_lost(s, log_path(id, partition, NULL, NULL, path), "the name "
                "and the settings of its topic are lost: it is called %s",
                name);
        }
        records_put(&s->records, span_of(key, sizeof key), value);
        records_get(&s->records, span_of(key, sizeof key), &value);
    }
    m = store__topic__unpack(NULL, value.len, value.ptr);
    if (m != NULL && (uint32_t)partition >= m->partitions) {
        m->partitions = (uint32_t)partition + 1;
        buf_clear(&out);
        store__topic__pack(m,
            buf_grow(&out, store__topic__get_packed_size(m)));
        records_put(&s->records, span_of(key, sizeof key), buf_span(&out));
    }
    store__topic__free_unpacked(m, NULL);
    buf_release(&out);
    return 0;
}

int
logs_name(struct salvage *s, struct err *err)
{
    struct err why = {0};

    if (folder_logs(&s->old, log_name, s, &why) == 0)
        return 0;
    say_lost(s, "topics", "%s", why.text);
    return 0;
}
