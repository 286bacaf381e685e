/*
 * journal.c: a ring of preallocated files that frames are appended to.
 *
 *      00000000.journal   [frame 7|frame 8 |frame 9    |0000]   free after P
 *      00000001.journal   [frame 10     |frame 11|..........]   being filled
 *      00000002.journal   [frame 5|frame 6|.................]   free: older
 *
 * Invariants
 *  1. A frame starts on a block, never spans files, is padded to a block. A
 *     block that holds a frame newer than the checkpoint is never written
 *     again: a torn append can't harm what was acknowledged.
 *  2. One frame is in flight at a time. So after a power cut at most the last
 *     frame is torn, and no valid frame follows it.
 *  3. Each frame carries the check of the one before (frame.h). Which file is
 *     the next is therefore not recorded: it is the one whose first frame
 *     names ours. File names carry no order and are never changed.
 *  4. A file is free when its newest frame is at or below P. Stale frames in
 *     a recycled file are valid, but older: their epoch is below what was
 *     read last, and they don't name it.
 *  5. Epoch numbers are never reused: a new incarnation goes on past the
 *     highest number seen anywhere, valid or torn.
 *
 * The end and damage are told apart so: reading stops at the first place
 * that holds no valid next frame. Then all blocks behind it in that file are
 * looked at, and those of each other file up to the first older frame: what
 * lies behind it is older still. A header there that
 * proves itself, with a later epoch, of an incarnation that we know, can
 * only have been written after the missing frame was committed: that frame
 * is damaged, and we refuse (exit 7) rather than lose it silently. Known are
 * those that LMDB has from their start and those read. They are random: so
 * no record of a client can pass for a frame and keep us from starting.
 *
 * The last valid frame is written once more before it is trusted: after a
 * failed flush the page cache may hold bytes that the disk does not.
 */
#include "config.h"

#include "epoch/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/diag.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/seeded.h"

enum {
    JOURNAL_MAGIC = 0x1095a11e,
    INCARNATIONS_MAX = 4096,     /* read in one recovery */
};

struct journal_file {
    uint32_t number;
    int fd;
    bool dsync;                  /* a write is a flush */
    uint64_t size;
    uint64_t newest;             /* epoch of its newest frame; 0: free */
    uint64_t used;               /* bytes of frames in it */
};

struct journal {
    uint32_t magic;
    struct world *world;
    char *dir;
    struct journal_options opts;
    struct journal_file **files;
    size_t count;
    size_t current;              /* index into files */
    uint64_t pos;                /* of the next frame in it */
    uint64_t epoch;              /* newest appended */
    uint64_t highest;            /* number ever seen */
    uint64_t incarnation;
    uint64_t last_incarnation;   /* of the newest frame */
    uint32_t check;              /* of the newest frame */
    uint64_t known[INCARNATIONS_MAX];
    size_t known_count;
    bool ready;
    uint32_t walked_file;        /* its number */
    uint64_t walked_pos;
};

static uint64_t
journal_pad(uint64_t length)
{
    return (length + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

/* ---- files ---- */

static void
file_path(char *out, size_t size, const char *dir, uint32_t number)
{
    int n = snprintf(out, size, "%s/%08x.journal", dir, number);

    assert(n > 0 && (size_t)n < size);
}

/* O_DIRECT|O_DSYNC is one system call for write and flush; where the file
 * system refuses it (tmpfs, some network ones), pwrite and fdatasync. */
static int
file_open(struct world *w, const char *path, enum durability d,
    struct journal_file *f)
{
    f->fd = -1;
    if (d == DURABILITY_POWER)
        f->fd = w->ops->open(w, path, O_RDWR | O_DIRECT
            | (seeded("skip-flush") ? 0 : O_DSYNC), 0600);
    f->dsync = f->fd >= 0;
    if (f->fd < 0)
        f->fd = w->ops->open(w, path, O_RDWR, 0600);
    return f->fd;
}

static int
file_zero(struct world *w, int fd, uint64_t bytes)
{
    enum { STEP = 256 * 1024 };
    void *zeros = NULL;
    int rc = 0;

    must(posix_memalign(&zeros, JOURNAL_BLOCK, STEP));
    memset(zeros, 0, STEP);
    for (uint64_t at = 0; at < bytes && rc == 0; at += STEP)
        rc = w->ops->pwrite(w, fd, zeros,
            bytes - at < STEP ? bytes - at : STEP, (off_t)at);
    free(zeros);
    return rc;
}

struct journal_file *
journal_make_file(struct world *w, const char *dir, enum durability d,
    uint32_t number, uint64_t bytes, struct err *err)
{
    char path[1024];
    struct journal_file *f = xcalloc(1, sizeof *f);
    int fd, dirfd = -1, rc = -1;

    assert(bytes % JOURNAL_BLOCK == 0);
    file_path(path, sizeof path, dir, number);
    /* Zeroed through the page cache, synced once. */
    fd = w->ops->open(w, path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) {
        err_set(err, errno, "create %s", path);
        free(f);
        return NULL;
    }
    if (file_zero(w, fd, bytes) < 0) {
        err_set(err, errno, "fill %s", path);
        goto done;
    }
    if (d != DURABILITY_MEMORY) {
        dirfd = w->ops->open(w, dir, O_RDONLY | O_DIRECTORY, 0);
        if (w->ops->fdatasync(w, fd) < 0 || dirfd < 0
            || w->ops->fsync(w, dirfd) < 0) {
            err_set(err, errno, "sync %s", path);
            goto done;
        }
    }
    f->number = number;
    f->size = bytes;
    if (file_open(w, path, d, f) < 0) {
        err_set(err, errno, "open %s", path);
        goto done;
    }
    rc = 0;
done:
    if (dirfd >= 0)
        w->ops->close(w, dirfd);
    w->ops->close(w, fd);
    if (rc == 0)
        return f;
    w->ops->unlink(w, path);
    free(f);
    return NULL;
}

void
journal_add_file(struct journal *j, struct journal_file *f)
{
    j->files = xrealloc(j->files, (j->count + 1) * sizeof *j->files);
    j->files[j->count++] = f;
}

uint32_t
journal_next_number(const struct journal *j)
{
    uint32_t next = 0;

    for (size_t i = 0; i < j->count; i++)
        if (j->files[i]->number >= next)
            next = j->files[i]->number + 1;
    return next;
}

const char *
journal_dir(const struct journal *j)
{
    return j->dir;
}

int
journal_create(struct world *w, const char *dir,
    const struct journal_options *opts, struct err *err)
{
    assert(opts->files >= 2);
    for (unsigned i = 0; i < opts->files; i++) {
        struct journal_file *f = journal_make_file(w, dir, opts->durability,
            i, opts->file_bytes, err);

        if (f == NULL)
            return -1;
        w->ops->close(w, f->fd);
        free(f);
    }
    return 0;
}

static int
journal_open_file(struct journal *j, const char *name, struct err *err)
{
    char path[1024];
    struct stat st;
    struct journal_file *f;
    unsigned number;
    int end = 0;

    if (sscanf(name, "%8x.journal%n", &number, &end) != 1
        || end != (int)strlen(name))
        return 0;
    file_path(path, sizeof path, j->dir, number);
    f = xcalloc(1, sizeof *f);
    f->number = number;
    if (j->opts.readonly)
        f->fd = j->world->ops->open(j->world, path, O_RDONLY, 0);
    else
        file_open(j->world, path, j->opts.durability, f);
    if (f->fd < 0 || fstat(f->fd, &st) < 0) {
        err_set(err, errno, "open %s", path);
        free(f);
        return -1;
    }
    /* A file whose making was cut short is no bigger than it is. */
    f->size = (uint64_t)st.st_size / JOURNAL_BLOCK * JOURNAL_BLOCK;
    journal_add_file(j, f);
    return 0;
}

static int
file_by_number(const void *a, const void *b)
{
    const struct journal_file *const *x = a, *const *y = b;

    return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

/* A file that is there may be from a process that died before its name was
 * synced. */
static int
journal_sync_folder(struct journal *j, struct err *err)
{
    struct world *w = j->world;
    int rc = 0, fd;

    if (j->opts.readonly || j->opts.durability == DURABILITY_MEMORY)
        return 0;
    fd = w->ops->open(w, j->dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 || w->ops->fsync(w, fd) < 0)
        rc = err_set(err, errno, "sync folder %s", j->dir);
    if (fd >= 0)
        w->ops->close(w, fd);
    return rc;
}

int
journal_open(struct journal **out, struct world *w, const char *dir,
    const struct journal_options *opts, struct err *err)
{
    struct journal *j = xcalloc(1, sizeof *j);
    DIR *d = opendir(dir);
    struct dirent *e;
    int rc = 0;

    j->magic = JOURNAL_MAGIC;
    j->world = w;
    j->dir = xstrdup(dir);
    j->opts = *opts;
    if (d == NULL)
        rc = err_set(err, errno, "open the journal's folder %s", dir);
    while (rc == 0 && (e = readdir(d)) != NULL)
        rc = journal_open_file(j, e->d_name, err);
    if (d != NULL)
        closedir(d);
    if (rc == 0 && j->count == 0)
        rc = err_set(err, ERR_DAMAGE, "no journal in %s: if the files were "
            "lost, rebuild with penstock salvage", dir);
    if (rc == 0)
        rc = journal_sync_folder(j, err);
    if (rc < 0) {
        journal_close(j);
        return -1;
    }
    qsort(j->files, j->count, sizeof *j->files, file_by_number);
    *out = j;
    return 0;
}

void
journal_close(struct journal *j)
{
    if (j == NULL)
        return;
    check_obj(j, JOURNAL_MAGIC);
    for (size_t i = 0; i < j->count; i++) {
        j->world->ops->close(j->world, j->files[i]->fd);
        free(j->files[i]);
    }
    free(j->files);
    free(j->dir);
    j->magic = 0;
    free(j);
}

/* ---- reading ---- */

/* The state of one walk: a buffer that holds the frame at hand. */
struct walk {
    struct journal *j;
    uint8_t *buf;                /* aligned */
    size_t cap;
    size_t file;
    uint64_t pos;
    struct frame_header last;    /* epoch, incarnation and check of it */
    struct journal_slot last_slot;
    uint32_t last_length;
};

static void
walk_room(struct walk *k, size_t size)
{
    void *p = NULL;

    if (size <= k->cap)
        return;
    must(posix_memalign(&p, JOURNAL_BLOCK, size));
    free(k->buf);
    k->buf = p;
    k->cap = size;
}

/* Reads the frame at file, pos into the buffer. *ok: it is there, proves
 * itself and names the last one. */
static int
walk_read(struct walk *k, size_t file, uint64_t pos, struct frame_header *h,
    bool *ok, struct err *err)
{
    struct journal_file *f = k->j->files[file];
    struct world *w = k->j->world;
    uint64_t size;
    ssize_t n;

    *ok = false;
    if (pos + JOURNAL_BLOCK > f->size)
        return 0;
    walk_room(k, JOURNAL_BLOCK);
    n = w->ops->pread(w, f->fd, k->buf, JOURNAL_BLOCK, (off_t)pos);
    if (n < 0)
        return err_set(err, errno, "read journal file %08x", f->number);
    if (n < JOURNAL_BLOCK || get_le32(k->buf) != FRAME_MAGIC)
        return 0;
    size = journal_pad(get_le32(k->buf + 8));
    if (size == 0 || size > f->size - pos)
        return 0;
    walk_room(k, size);
    n = w->ops->pread(w, f->fd, k->buf, size, (off_t)pos);
    if (n < 0)
        return err_set(err, errno, "read journal file %08x", f->number);
    if ((uint64_t)n < size)
        return 0;
    switch (frame_open(span_of(k->buf, size), h)) {
    case FRAME_OK:
        break;
    case FRAME_UNKNOWN:
        return err_set(err, ERR_FORMAT, "journal file %08x at %llu holds a "
            "frame of a version that this build can't read", f->number,
            (unsigned long long)pos);
    case FRAME_NONE:
    case FRAME_SHORT:
    case FRAME_BAD:
        return 0;
    }
    if (h->epoch <= k->last.epoch || h->before != k->last.check)
        return 0;
    switch (frame_prove(span_of(k->buf, h->length), err)) {
    case FRAME_UNKNOWN:
        return -1;
    case FRAME_OK:
        *ok = true;
        break;
    case FRAME_NONE:
    case FRAME_SHORT:
    case FRAME_BAD:
        break;
    }
    return 0;
}

/* Finds the next frame: where we stand, else first in another file. */
static int
walk_next(struct walk *k, struct frame_header *h, bool *ok, struct err *err)
{
    size_t at = k->file;

    if (walk_read(k, at, k->pos, h, ok, err) < 0 || *ok)
        return *ok ? 0 : -1;
    for (size_t i = 0; i < k->j->count; i++) {
        if (i == at && k->pos == 0)
            continue;
        if (walk_read(k, i, 0, h, ok, err) < 0)
            return -1;
        if (*ok) {
            k->file = i;
            k->pos = 0;
            return 0;
        }
    }
    return 0;
}

static bool
incarnation_known(const struct journal *j, uint64_t incarnation)
{
    for (size_t i = 0; i < j->known_count; i++)
        if (j->known[i] == incarnation)
            return true;
    return false;
}

static void
incarnation_learn(struct journal *j, uint64_t incarnation)
{
    if (!incarnation_known(j, incarnation)
        && j->known_count < INCARNATIONS_MAX)
        j->known[j->known_count++] = incarnation;
}

/* Is there a header at file, pos that proves itself and is newer? Then the
 * frame that is missing before it was committed. */
static int
walk_look(struct walk *k, size_t file, uint64_t pos, bool *newer,
    bool *older, struct err *err)
{
    struct journal_file *f = k->j->files[file];
    struct world *w = k->j->world;
    struct frame_header h;
    enum frame_status status;
    uint64_t size;

    *newer = *older = false;
    walk_room(k, JOURNAL_BLOCK);
    if (w->ops->pread(w, f->fd, k->buf, JOURNAL_BLOCK, (off_t)pos) < 0)
        return err_set(err, errno, "read journal file %08x", f->number);
    status = frame_open(span_of(k->buf, JOURNAL_BLOCK), &h);
    if (status == FRAME_NONE)
        return 0;
    if (status == FRAME_SHORT) {
        size = FRAME_HEADER + (uint64_t)h.manifest_length;
        size = journal_pad(size);
        if (size > f->size - pos)
            return 0;
        walk_room(k, size);
        if (w->ops->pread(w, f->fd, k->buf, size, (off_t)pos) < 0)
            return err_set(err, errno, "read journal file %08x", f->number);
        status = frame_open(span_of(k->buf, size), &h);
    }
    *older = status == FRAME_OK && h.epoch <= k->last.epoch;
    if (status == FRAME_OK && h.epoch > k->j->highest
        && incarnation_known(k->j, h.incarnation))
        k->j->highest = h.epoch;
    /* The frame that follows the last one directly may be torn in its
     * payload: it was never acknowledged. One behind it proves damage. */
    *newer = status == FRAME_OK && h.epoch > k->last.epoch
        && h.before != k->last.check
        && incarnation_known(k->j, h.incarnation);
    return 0;
}

/* Looks at the blocks of one file from `pos` on, all or up to the first older
 * frame. *newer: at *at. */
static int
walk_look_file(struct walk *k, size_t file, uint64_t pos, bool all,
    bool *newer, uint64_t *at, struct err *err)
{
    uint64_t end = k->j->files[file]->size;
    bool one, older = false;

    for (; pos + JOURNAL_BLOCK <= end && (all || !older);
         pos += JOURNAL_BLOCK) {
        if (walk_look(k, file, pos, &one, &older, err) < 0)
            return -1;
        if (one && !*newer) {
            *newer = true;
            *at = pos;
        }
    }
    return 0;
}

/* Everything behind the end is looked at: see the essay. When a gap is no
 * damage all blocks are, since their numbers must not come again. */
static int
walk_check_end(struct walk *k, bool torn_ok, struct err *err)
{
    struct journal *j = k->j;
    bool newer = false;
    size_t file, found = k->file;
    uint64_t pos = 0;

    if (walk_look_file(k, k->file, k->pos, true, &newer, &pos, err) < 0)
        return -1;
    for (file = 0; file < j->count && (torn_ok || !newer); file++) {
        if (file == k->file)
            continue;
        if (walk_look_file(k, file, 0, torn_ok, &newer, &pos, err) < 0)
            return -1;
        found = file;
    }
    if (!newer || torn_ok)
        return 0;
    file = found;
    return err_set(err, ERR_DAMAGE, "the journal is damaged after epoch %llu "
        "(file %08x at %llu): a later frame is there (file %08x at %llu); "
        "keep a copy of the folder, then run penstock salvage",
        (unsigned long long)k->last.epoch, j->files[k->file]->number,
        (unsigned long long)k->pos, j->files[file]->number,
        (unsigned long long)pos);
}

static void
walk_advance(struct walk *k, const struct frame_header *h)
{
    struct journal_file *f = k->j->files[k->file];

    k->last = *h;
    k->last_length = h->length;
    k->last_slot = (struct journal_slot){.file = (uint32_t)k->file,
        .pos = k->pos,
        .size = journal_pad(h->length),
        .to = f};
    k->pos += k->last_slot.size;
    f->newest = h->epoch;
    f->used = k->pos;
    incarnation_learn(k->j, h->incarnation);
}

static int
walk_start(struct walk *k, struct journal *j,
    const struct journal_cursor *from, struct err *err)
{
    *k = (struct walk){.j = j, .pos = from->pos};
    k->last.epoch = from->epoch;
    k->last.incarnation = from->incarnation;
    k->last.check = from->check;
    j->highest = from->epoch;
    incarnation_learn(j, from->incarnation);
    for (size_t i = 0; i < j->count; i++) {
        if (j->files[i]->number == from->file) {
            k->file = i;
            return 0;
        }
    }
    return err_set(err, ERR_DAMAGE, "journal file %08x, where epoch %llu "
        "goes on, is missing: put it back or run penstock salvage",
        from->file, (unsigned long long)from->epoch);
}

static void
walk_tell(const struct walk *k)
{
    k->j->walked_file = k->j->files[k->file]->number;
    k->j->walked_pos = k->pos;
}

void
journal_walked(const struct journal *j, uint32_t *file, uint64_t *pos)
{
    *file = j->walked_file;
    *pos = j->walked_pos;
}

int
journal_walk(struct journal *j, const struct journal_cursor *from,
    journal_frame_fn *fn, void *arg, struct err *err)
{
    struct walk k;
    struct frame_header h;
    bool ok = true;
    int rc = walk_start(&k, j, from, err);

    while (rc == 0) {
        rc = walk_next(&k, &h, &ok, err);
        if (rc < 0 || !ok)
            break;
        walk_tell(&k);
        rc = fn(arg, &h, span_of(k.buf, h.length), err);
        walk_advance(&k, &h);
    }
    if (rc == 0)
        walk_tell(&k);
    if (rc == 0)
        rc = walk_check_end(&k, false, err);
    free(k.buf);
    return rc;
}

void
journal_know(struct journal *j, uint64_t incarnation)
{
    incarnation_learn(j, incarnation);
}

/* Reads the last frame once more and writes the same bytes. */
static int
walk_rewrite_last(struct walk *k, struct err *err)
{
    struct journal_file *f = k->j->files[k->file];
    struct world *w = k->j->world;

    if (k->last_slot.size == 0 || seeded("trust-last-frame"))
        return 0;
    f = k->j->files[k->last_slot.file];
    walk_room(k, k->last_slot.size);
    if (w->ops->pread(w, f->fd, k->buf, k->last_slot.size,
            (off_t)k->last_slot.pos) < 0)
        return err_set(err, errno, "read journal file %08x", f->number);
    return journal_write(k->j, &k->last_slot, k->buf, err);
}

int
journal_recover(struct journal *j, const struct journal_cursor *from,
    bool torn_ok, journal_frame_fn *fn, void *arg, struct err *err)
{
    struct walk k;
    struct frame_header h;
    bool ok = true;
    int rc = walk_start(&k, j, from, err);

    check_obj(j, JOURNAL_MAGIC);
    while (rc == 0) {
        rc = walk_next(&k, &h, &ok, err);
        if (rc < 0 || !ok)
            break;
        rc = fn(arg, &h, span_of(k.buf, h.length), err);
        walk_advance(&k, &h);
    }
    if (rc == 0)
        rc = walk_check_end(&k, torn_ok, err);
    if (rc == 0)
        rc = walk_rewrite_last(&k, err);
    j->current = k.file;
    j->pos = k.pos;
    j->epoch = k.last.epoch;
    j->check = k.last.check;
    j->last_incarnation = k.last.incarnation;
    if (k.last.epoch > j->highest)
        j->highest = k.last.epoch;
    free(k.buf);
    return rc;
}

/* ---- appending ---- */

uint64_t
journal_begin(struct journal *j, uint64_t incarnation)
{
    j->incarnation = incarnation;
    incarnation_learn(j, incarnation);
    j->ready = true;
    return j->highest + 16;
}

static size_t
journal_free_file(const struct journal *j, uint64_t size)
{
    for (size_t n = 1; n <= j->count; n++) {
        size_t i = (j->current + n) % j->count;

        if (i != j->current && j->files[i]->newest == 0
            && j->files[i]->size >= size)
            return i;
    }
    return SIZE_MAX;
}

uint64_t
journal_room(const struct journal *j)
{
    uint64_t room = j->files[j->current]->size - j->pos;

    for (size_t i = 0; i < j->count; i++)
        if (i != j->current && j->files[i]->newest == 0
            && j->files[i]->size > room)
            room = j->files[i]->size;
    return room;
}

struct journal_slot
journal_take(struct journal *j, uint32_t length, struct frame_header *h)
{
    struct journal_slot slot = {.size = journal_pad(length)};

    check_obj(j, JOURNAL_MAGIC);
    assert(j->ready);
    assert(slot.size <= journal_room(j));
    if (slot.size > j->files[j->current]->size - j->pos) {
        j->current = journal_free_file(j, slot.size);
        assert(j->current != SIZE_MAX);
        j->files[j->current]->used = 0;
        j->pos = 0;
    }
    slot.file = (uint32_t)j->current;
    slot.to = j->files[j->current];
    slot.pos = j->pos;
    j->pos += slot.size;
    h->incarnation = j->incarnation;
    h->before = j->check;
    return slot;
}

void
journal_took(struct journal *j, const struct journal_slot *slot,
    uint64_t epoch, uint32_t check)
{
    struct journal_file *f = j->files[slot->file];

    assert(epoch > j->epoch);
    assert(slot->file == j->current);
    f->newest = epoch;
    f->used = j->pos;
    j->epoch = epoch;
    j->highest = epoch;
    j->check = check;
    j->last_incarnation = j->incarnation;
}

#ifdef SEEDED_BUGS
/* Leaves a hint to the frame in the padding of the block before it, which it
 * writes again for that. */
static int
journal_write_hint(struct journal *j, const struct journal_slot *slot,
    const void *frame)
{
    static const uint8_t zeros[8];
    struct journal_file *f = slot->to;
    struct world *w = j->world;
    uint64_t size = JOURNAL_BLOCK + slot->size;
    void *p = NULL;
    uint8_t *end;
    int rc = 1;

    if (slot->pos == 0)
        return 1;
    must(posix_memalign(&p, JOURNAL_BLOCK, size));
    end = (uint8_t *)p + JOURNAL_BLOCK - sizeof zeros;
    memcpy((uint8_t *)p + JOURNAL_BLOCK, frame, slot->size);
    if (w->ops->pread(w, f->fd, p, JOURNAL_BLOCK,
            (off_t)(slot->pos - JOURNAL_BLOCK)) == JOURNAL_BLOCK
        && memcmp(end, zeros, sizeof zeros) == 0) {
        put_le64(end, slot->size);
        rc = w->ops->pwrite(w, f->fd, p, size,
            (off_t)(slot->pos - JOURNAL_BLOCK));
    }
    free(p);
    return rc;
}
#endif

int
journal_write(struct journal *j, const struct journal_slot *slot,
    const void *frame, struct err *err)
{
    struct journal_file *f = slot->to;
    struct world *w = j->world;

#ifdef SEEDED_BUGS
    if (seeded("rewrite-block") && journal_write_hint(j, slot, frame) == 0)
        return f->dsync ? 0 : w->ops->fdatasync(w, f->fd);
#endif
    if (w->ops->pwrite(w, f->fd, frame, slot->size, (off_t)slot->pos) < 0)
        return err_set(err, errno, "write journal file %08x at %llu",
            f->number, (unsigned long long)slot->pos);
    if (j->opts.durability == DURABILITY_POWER && !f->dsync
        && !seeded("skip-flush") && w->ops->fdatasync(w, f->fd) < 0)
        return err_set(err, errno, "flush journal file %08x", f->number);
    return 0;
}

void
journal_recycle(struct journal *j, uint64_t epoch)
{
    for (size_t i = 0; i < j->count; i++) {
        struct journal_file *f = j->files[i];

        if (i != j->current && f->newest != 0 && f->newest <= epoch) {
            f->newest = 0;
            f->used = 0;
        }
    }
}

struct journal_cursor
journal_cursor(const struct journal *j)
{
    return (struct journal_cursor){.file = j->files[j->current]->number,
        .pos = j->pos,
        .epoch = j->epoch,
        .incarnation = j->last_incarnation,
        .check = j->check};
}

uint64_t
journal_bytes(const struct journal *j)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < j->count; i++)
        sum += j->files[i]->size;
    return sum;
}

uint64_t
journal_used(const struct journal *j)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < j->count; i++)
        sum += j->files[i]->used;
    return sum;
}
