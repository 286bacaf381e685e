/*
 * Reading everything: plog_verify() of a log whose state is known, and
 * plog_salvage_scan() of files whose state is lost.
 */
#include "config.h"

#include "plog/plog_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "plog/walk.h"
#include "record/batch.h"

struct report {
    plog_finding_fn fn;
    void *arg;
};

static void __attribute__((format(printf, 4, 5)))
report_add(const struct report *r, enum plog_finding_kind kind,
    const struct plog_damage *where, const char *fmt, ...)
{
    struct plog_finding f = {.kind = kind, .where = *where};
    char text[300];
    va_list ap;

    if (r->fn == NULL)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    f.text = text;
    r->fn(r->arg, &f);
}

/* ----------------------------------------------------------------- verify */

struct index_check {             /* walks along with the batches */
    struct offidx idx;
    size_t next;
    bool wrong;
};

static void
index_meet(struct index_check *c, const struct walk *w)
{
    const struct offidx_entry *e;

    while (c->next < c->idx.count) {
        e = &c->idx.entries[c->next];
        if (e->pos > w->pos)
            return;
        if (e->pos < w->pos || e->rel != w->expect - w->view.meta.base_offset)
            c->wrong = true;
        /* Behind damage the walk does not know all timestamps. */
        else if (!w->damaged && e->max_before != w->max_before)
            c->wrong = true;
        c->next++;
    }
}

static void
index_skip(struct index_check *c, uint32_t pos)
{
    c->next = offidx_by_pos(&c->idx, pos == 0 ? 0 : pos - 1);
}

static int
verify_walk(struct walk *w, struct index_check *c, const struct report *r,
    struct err *err)
{
    struct plog_damage d;

    for (;;) {
        struct head h;
        struct span bytes;
        enum walk_end end = walk_peek(w, &h, err);

        if (end == WALK_AT) {
            index_meet(c, w);
            end = walk_batch(w, &h, &bytes, err);
        }
        if (end == WALK_END)
            return 0;
        if (end == WALK_FAILED)
            return -1;
        if (end == WALK_AT) {
            walk_step(w, &h);
            continue;
        }
        if (walk_mend(w, &d, err) != 0)
            return -1;
        index_skip(c, w->pos);
        report_add(r, PLOG_FINDING_BATCH, &d, "segment %" PRId64
            " is damaged at byte %u: offsets %" PRId64 " to %" PRId64,
            d.segment_base, d.pos, d.offset, d.resume_offset - 1);
    }
}

static void
verify_index(struct plog *p, const struct segview *v, struct index_check *c,
    const struct report *r)
{
    struct plog_name name = {v->meta.base_offset, v->meta.epoch};
    struct offidx_id id = {name.base_offset, name.epoch};
    struct plog_damage where = {v->meta.base_offset, v->meta.base_offset,
        v->meta.base_offset, v->meta.epoch, 0};
    char path[SEGMENT_PATH_MAX];
    struct err err = {0};

    (void)segment_path(p->path, &name, ".index", path);
    if (offidx_load(&c->idx, p->world, path, &id, v->meta.size, &err) != 0 &&
        err.code != ERR_NOTFOUND)
        report_add(r, PLOG_FINDING_INDEX, &where, "%s", err.text);
}

static int
verify_segment(struct plog *p, const struct segview *v,
    const struct report *r, struct err *err)
{
    struct plog_damage where = {v->meta.base_offset, v->meta.last_offset + 1,
        v->meta.base_offset, v->meta.epoch, 0};
    struct index_check c = {.wrong = false};
    struct walk w;
    int rc;

    offidx_init(&c.idx);
    if (walk_open(&w, v, err) != 0) {
        if (err->code != ERR_DAMAGE)
            return -1;
        report_add(r, PLOG_FINDING_FILE, &where, "%s", err->text);
        return 0;
    }
    verify_index(p, v, &c, r);
    rc = verify_walk(&w, &c, r, err);
    if (rc == 0 && c.wrong) {
        where.resume_offset = where.offset;
        report_add(r, PLOG_FINDING_INDEX, &where,
            "index of segment %" PRId64 " does not match it",
            v->meta.base_offset);
    }
    walk_close(&w);
    offidx_release(&c.idx);
    return rc;
}

int
plog_verify(struct plog *p, plog_finding_fn fn, void *arg, struct err *err)
{
    struct report r = {fn, arg};
    struct segview v;
    struct err local;
    int64_t offset = 0;
    int rc = 0;

    if (err == NULL)
        err = &local;
    while (rc == 0 && plog_take_view(p, offset, &v)) {
        offset = v.meta.last_offset + 1;
        rc = verify_segment(p, &v, &r, err);
        plog_give_view(p, &v);
    }
    return rc;
}

/* ---------------------------------------------------------------- salvage */

struct names {
    struct plog_name *items;
    size_t count, cap;
};

static int
names_add(void *arg, const char *file, struct err *err)
{
    struct names *n = arg;
    struct plog_name name;

    if (!segment_parse_name(file, ".log", &name))
        return 0;
    if (n->count == n->cap) {
        n->cap = n->cap == 0 ? 16 : n->cap * 2;
        n->items = xrealloc(n->items, n->cap * sizeof *n->items);
    }
    n->items[n->count++] = name;
    return 0;
}

/* Of names with one base offset the better ones first. What the cleaner made
 * of a segment may be half of it as long as that is there, so the oldest is
 * better; of others the later epoch, since the earlier is from before a trim
 * or a salvage. */
static int
names_cmp(const void *a, const void *b)
{
    const struct plog_name *x = a, *y = b;
    bool made = (x->epoch & PLOG_CLEANED) != 0;

    if (x->base_offset != y->base_offset)
        return x->base_offset < y->base_offset ? -1 : 1;
    if (made != ((y->epoch & PLOG_CLEANED) != 0))
        return made ? 1 : -1;
    if (made)
        return (x->epoch > y->epoch) - (x->epoch < y->epoch);
    return (x->epoch < y->epoch) - (x->epoch > y->epoch);
}

/* The world has no call for it: the last byte that can be read. */
static int
file_size(struct world *w, int fd, uint32_t *size)
{
    uint32_t lo = 0, hi = SEGMENT_SIZE_MAX;      /* lo <= size <= hi */
    uint8_t byte;

    while (lo < hi) {
        uint32_t mid = hi - (hi - lo) / 2;
        ssize_t n = w->ops->pread(w, fd, &byte, 1, (off_t)mid - 1);

        if (n < 0)
            return -1;
        if (n == 1)
            lo = mid;
        else
            hi = mid - 1;
    }
    *size = lo;
    return 0;
}

/* Whole batches from the file's start on go into *meta. */
static int
salvage_walk(struct walk *w, struct plog_segment *meta, struct err *err)
{
    for (;;) {
        struct head h;
        struct span bytes;
        enum walk_end end = walk_peek(w, &h, err);

        if (end == WALK_AT &&
            h.last - meta->base_offset > INT32_MAX)
            end = WALK_BAD;
        if (end == WALK_AT)
            end = walk_batch(w, &h, &bytes, err);
        if (end == WALK_FAILED)
            return -1;
        if (end != WALK_AT)
            return 0;
        if (h.records > 0 && meta->first_timestamp < 0 &&
            (meta->size == 0 || w->sparse))
            meta->first_timestamp = h.max_timestamp;
        if (h.records > 0 && h.max_timestamp > meta->max_timestamp)
            meta->max_timestamp = h.max_timestamp;
        meta->size = w->pos + h.size;
        meta->last_offset = h.last;
        walk_step(w, &h);
    }
}

static struct plog_segment
salvage_meta(const struct plog_name *name)
{
    return (struct plog_segment){
        .base_offset = name->base_offset,
        .epoch = name->epoch,
        .last_offset = name->base_offset - 1,
        .first_timestamp = -1,
        .max_timestamp = -1,
    };
}

/* *file: the file's own size. */
static int
salvage_file(struct segcache *cache, const char *path,
    struct plog_segment *meta, uint32_t *file, struct err *err)
{
    struct world *world = cache->world;
    struct plog_name name = {meta->base_offset, meta->epoch};
    struct segment *s;
    struct segview view;
    char log[SEGMENT_PATH_MAX];
    struct walk w;
    int fd, rc;

    if (!segment_path(path, &name, ".log", log))
        return err_set(err, ENAMETOOLONG, "open %.100s...", path);
    fd = world->ops->open(world, log, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, errno, "open %s", log);
    rc = file_size(world, fd, file);
    if (rc != 0)
        err_set(err, errno, "read %s", log);
    else {
        s = segment_new(cache, path, meta, true);
        view = (struct segview){s, *meta};
        view.meta.size = *file;
        view.meta.last_offset = INT64_MAX - 1;
        walk_open_raw(&w, &view, fd);
        rc = salvage_walk(&w, meta, err);
        walk_close(&w);
        segment_free(s);
    }
    world->ops->close(world, fd);
    return rc;
}

struct salvage {
    struct segcache *cache;
    const char *path;
    struct names names;
    struct report report;
    struct plog_state *state;
};

/* Where a file ends in something else: in the last file that is what a power
 * cut leaves. */
static void
salvage_tail(const struct salvage *s, const struct plog_segment *m,
    uint32_t file, bool last)
{
    struct plog_damage where = {m->last_offset + 1, m->last_offset + 1,
        m->base_offset, m->epoch, m->size};

    report_add(&s->report, last ? PLOG_FINDING_TAIL : PLOG_FINDING_BATCH,
        &where, "segment %" PRId64 ": %u bytes from byte %u on are no batch",
        m->base_offset, file - m->size, m->size);
}

/* 1: go on with the next file, 0: this was the last that counts. */
static int
salvage_one(struct salvage *s, size_t i, int64_t expect, int64_t log_start)
{
    const struct plog_name *name = &s->names.items[i];
    bool last = s->names.items[s->names.count - 1].base_offset ==
        name->base_offset;
    struct plog_segment meta = salvage_meta(name);
    struct plog_damage where = {meta.base_offset, meta.base_offset,
        meta.base_offset, meta.epoch, 0};
    struct err err = {0};
    uint32_t file = 0;

    if (expect >= 0 && name->base_offset != expect) {
        where.offset = expect;
        report_add(&s->report, PLOG_FINDING_GAP, &where,
            "segment %" PRId64 " does not follow: %" PRId64 " is due",
            name->base_offset, expect);
        return 0;
    }
    if (salvage_file(s->cache, s->path, &meta, &file, &err) != 0) {
        report_add(&s->report, PLOG_FINDING_FILE, &where, "%s", err.text);
        return 0;
    }
    if (file > meta.size)
        salvage_tail(s, &meta, file, last);
    if (meta.size == 0)
        return 0;
    /* Wholly below the log start: trimmed, not unlinked yet. */
    if (meta.last_offset >= log_start)
        s->state->segments[s->state->segment_count++] = meta;
    return file == meta.size;
}

/* The first name that may matter: of the last ones that begin at or below the
 * log start. */
static size_t
salvage_begin(struct names *n, int64_t log_start)
{
    size_t begin = 0;

    if (n->count > 0)
        qsort(n->items, n->count, sizeof *n->items, names_cmp);
    for (size_t i = 0; i < n->count; i++) {
        if (n->items[i].base_offset <= log_start &&
            n->items[i].base_offset > n->items[begin].base_offset)
            begin = i;
    }
    return begin;
}

/* How many names from i on begin where it does. */
static size_t
salvage_peers(const struct names *n, size_t i)
{
    size_t count = 1;

    while (i + count < n->count &&
        n->items[i + count].base_offset == n->items[i].base_offset)
        count++;
    return count;
}

/* Does a file follow directly, or none at all? */
static bool
salvage_followed(const struct names *n, size_t i, int64_t last_offset)
{
    for (; i < n->count; i++) {
        if (n->items[i].base_offset > last_offset)
            return n->items[i].base_offset == last_offset + 1;
    }
    return true;
}

/* Of those with one base offset, the one that leads to the next file: what a
 * cleaner did not finish does not, nor what it has replaced when the others
 * of its group are gone. */
static size_t
salvage_choose(const struct salvage *s, size_t i, size_t count)
{
    for (size_t k = i; count > 1 && k < i + count; k++) {
        struct plog_segment meta = salvage_meta(&s->names.items[k]);
        uint32_t file = 0;

        if (salvage_file(s->cache, s->path, &meta, &file, NULL) == 0 &&
            meta.size > 0 && meta.size == file &&
            salvage_followed(&s->names, i + count, meta.last_offset))
            return k;
    }
    return i;
}

static void
salvage_finish(struct plog_state *st, int64_t log_start)
{
    size_t n = st->segment_count;

    if (n == 0) {
        st->log_start = st->written = log_start;
        return;
    }
    st->log_start = st->segments[0].base_offset;
    if (st->log_start < log_start)
        st->log_start = log_start;
    st->written = st->segments[n - 1].last_offset + 1;
}

int
plog_salvage_scan(struct world *world, const char *path, int64_t log_start,
    struct plog_state *st, plog_finding_fn fn, void *arg, struct err *err)
{
    struct salvage s = {
        .path = path, .report = {fn, arg}, .state = st};
    int64_t expect = -1;

    assert(log_start >= 0);
    *st = (struct plog_state){0};
    if (folder_each(path, names_add, &s.names, err) != 0) {
        free(s.names.items);
        return -1;
    }
    s.cache = segcache_new(world, 1, 0);
    if (s.names.count > 0)
        st->segments = xcalloc(s.names.count, sizeof *st->segments);
    for (size_t i = salvage_begin(&s.names, log_start), peers;
         i < s.names.count; i += peers) {
        peers = salvage_peers(&s.names, i);
        /* A cleaned file has what was in it. */
        if (s.names.items[i].base_offset < expect)
            continue;
        if (salvage_one(&s, salvage_choose(&s, i, peers), expect,
                log_start) == 0)
            break;
        expect = st->segment_count == 0
            ? -1 : st->segments[st->segment_count - 1].last_offset + 1;
    }
    salvage_finish(st, log_start);
    segcache_free(s.cache);
    free(s.names.items);
    return 0;
}
