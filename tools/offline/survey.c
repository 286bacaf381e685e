/* survey.c: every frame that stands anywhere in the journal. */
#include "config.h"

#include "offline/survey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"

enum {
    LOOK = 1 << 20,              /* bytes read at a time */
    FRAME_MAX = 1 << 30,         /* of a frame, however large the ring */
};

struct looking {                 /* at one file */
    struct survey *survey;
    uint32_t number;
    int fd;
    uint64_t size;
    struct buf frame;
};

static uint64_t
padded(uint64_t length)
{
    return (length + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

static void
survey_add(struct looking *l, uint64_t pos, const struct frame_header *h,
    bool whole)
{
    struct survey *s = l->survey;

    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 256 : s->cap * 2;
        s->frames = xrealloc(s->frames, s->cap * sizeof *s->frames);
    }
    s->frames[s->count++] = (struct survey_frame){.file = l->number,
        .pos = pos, .h = *h, .whole = whole};
}

static int
read_at(struct looking *l, uint64_t pos, size_t n, struct err *err)
{
    struct world *w = l->survey->world;
    uint8_t *to;
    ssize_t got;

    buf_clear(&l->frame);
    to = buf_reserve(&l->frame, n);
    if (to == NULL)
        return err_set(err, ENOMEM, "read %zu bytes of the journal", n);
    got = w->ops->pread(w, l->fd, to, n, (off_t)pos);
    if (got < 0)
        return err_set(err, errno, "read journal file %08x", l->number);
    l->frame.len = (size_t)got;
    return 0;
}

/* Is there a frame at pos? *step: how far to go on. */
static int
look_frame(struct looking *l, uint64_t pos, uint32_t length, uint64_t *step,
    struct err *err)
{
    struct frame_header h;
    struct err why;

    if (length < FRAME_HEADER || length > l->size - pos
        || length > FRAME_MAX)
        return 0;
    if (read_at(l, pos, length, err) < 0)
        return -1;
    if (frame_open(buf_span(&l->frame), &h) != FRAME_OK)
        return 0;
    if (frame_prove(buf_span(&l->frame), &why) != FRAME_OK) {
        survey_add(l, pos, &h, false);
        return 0;
    }
    survey_add(l, pos, &h, true);
    *step = padded(length);
    return 0;
}

static int
look_file(struct looking *l, struct err *err)
{
    struct world *w = l->survey->world;
    uint8_t *some = xmalloc(LOOK);
    uint64_t pos = 0, from = 0;
    ssize_t have = 0;
    int rc = 0;

    while (rc == 0 && pos + JOURNAL_BLOCK <= l->size) {
        uint64_t step = JOURNAL_BLOCK;
        const uint8_t *p;

        if (pos < from || pos + JOURNAL_BLOCK > from + (uint64_t)have) {
            from = pos;
            have = w->ops->pread(w, l->fd, some, LOOK, (off_t)pos);
            if (have < JOURNAL_BLOCK) {
                if (have < 0)
                    rc = err_set(err, errno, "read journal file %08x",
                        l->number);
                break;
            }
        }
        p = some + (pos - from);
        if (get_le32(p) == FRAME_MAGIC)
            rc = look_frame(l, pos, get_le32(p + 8), &step, err);
        pos += step;
    }
    free(some);
    return rc;
}

static int
survey_look(struct survey *s, const char *name, struct err *err)
{
    struct looking l = {.survey = s};
    char path[1200];
    struct stat st;
    unsigned number;
    int end = 0, rc;

    if (sscanf(name, "%8x.journal%n", &number, &end) != 1
        || end != (int)strlen(name))
        return 0;
    l.number = number;
    snprintf(path, sizeof path, "%s/%08x.journal", s->dir, number);
    l.fd = s->world->ops->open(s->world, path, O_RDONLY | O_CLOEXEC, 0);
    if (l.fd < 0 || fstat(l.fd, &st) < 0)
        return err_set(err, errno, "open %s", path);
    s->files++;
    l.size = (uint64_t)st.st_size;
    buf_init(&l.frame, FRAME_MAX);
    rc = look_file(&l, err);
    buf_release(&l.frame);
    s->world->ops->close(s->world, l.fd);
    return rc;
}

static int
frame_cmp(const void *a, const void *b)
{
    const struct survey_frame *x = a, *y = b;

    if (x->h.epoch != y->h.epoch)
        return x->h.epoch < y->h.epoch ? -1 : 1;
    return (int)y->whole - (int)x->whole;
}

int
survey_open(struct survey *s, struct world *w, const char *dir,
    struct err *err)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    int rc = 0;

    *s = (struct survey){.world = w, .dir = xstrdup(dir)};
    if (d == NULL)
        return err_set(err, errno, "open the journal's folder %s", dir);
    while (rc == 0 && (e = readdir(d)) != NULL)
        rc = survey_look(s, e->d_name, err);
    closedir(d);
    if (rc == 0 && s->files == 0)
        rc = err_set(err, ERR_DAMAGE, "no journal in %s", dir);
    if (s->count > 0)
        qsort(s->frames, s->count, sizeof *s->frames, frame_cmp);
    return rc;
}

void
survey_release(struct survey *s)
{
    free(s->frames);
    free(s->dir);
    *s = (struct survey){0};
}

int
survey_read(const struct survey *s, const struct survey_frame *f,
    struct buf *out, struct err *err)
{
    struct world *w = s->world;
    char path[1200];
    uint8_t *to;
    ssize_t n;
    int fd;

    buf_clear(out);
    to = buf_grow(out, f->h.length);
    if (to == NULL)
        return err_set(err, ENOMEM, "read a frame of %u bytes", f->h.length);
    snprintf(path, sizeof path, "%s/%08x.journal", s->dir, f->file);
    fd = w->ops->open(w, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, errno, "open %s", path);
    n = w->ops->pread(w, fd, to, f->h.length, (off_t)f->pos);
    w->ops->close(w, fd);
    if (n != (ssize_t)f->h.length)
        return err_set(err, n < 0 ? errno : EIO, "read %s", path);
    /* Whoever reads it relies on the proof, so it is made of these bytes. */
    if (f->whole && frame_prove(buf_span(out), err) != FRAME_OK)
        return err_set(err, ERR_DAMAGE, "%s at %llu reads otherwise now: the "
            "disk is failing", path, (unsigned long long)f->pos);
    return 0;
}

size_t
survey_next(const struct survey *s, uint64_t epoch, uint32_t check)
{
    size_t lo = 0, hi = s->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->frames[mid].h.epoch <= epoch)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < s->count; lo++)
        if (s->frames[lo].whole && s->frames[lo].h.before == check)
            return lo;
    return SIZE_MAX;
}

const char *
survey_file(const struct survey_frame *f, char out[40])
{
    snprintf(out, 40, "journal/%08x.journal", f->file);
    return out;
}
