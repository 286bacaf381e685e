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
 *  6. A file is on the disk, whole, before the checkpoint's record lists it,
 *     and listed before its first frame. So one that is listed and missing,
 *     or shorter, was lost at rest: we refuse. One that is not listed holds
 *     nothing that was acknowledged, and goes.
 *  7. After each frame that was let in there is room for a copy of it, which
 *     the next recovery writes (journal_read.c).
 */
#include "config.h"

#include "epoch/journal_priv.h"

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

void
journal_unmake_file(struct world *w, const char *dir, struct journal_file *f)
{
    char path[1024];

    file_path(path, sizeof path, dir, f->number);
    w->ops->close(w, f->fd);
    w->ops->unlink(w, path);
    free(f);
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
    assert(opts->files >= 1);
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
    if (f->fd < 0 || fstat(f->fd, &st) < 0
        || (j->opts.unflushed && j->world->ops->fdatasync(j->world, f->fd)
            < 0)) {
        err_set(err, errno, "open %s", path);
        if (f->fd >= 0)
            j->world->ops->close(j->world, f->fd);
        free(f);
        return -1;
    }
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

    if (j->opts.readonly || j->opts.fresh
        || j->opts.durability == DURABILITY_MEMORY)
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

/* ---- which files there should be ---- */

int
journal_expect(struct journal *j, const struct journal_part *parts, size_t n,
    struct err *err)
{
    check_obj(j, JOURNAL_MAGIC);
    for (size_t i = 0; i < n; i++) {
        struct journal_file *f = NULL;

        for (size_t k = 0; k < j->count; k++)
            if (j->files[k]->number == parts[i].number)
                f = j->files[k];
        if (f == NULL)
            return err_set(err, ERR_DAMAGE, "journal file %08x is missing "
                "(%zu were recorded): put it back or run penstock salvage",
                parts[i].number, n);
        if (f->size < parts[i].size)
            return err_set(err, ERR_DAMAGE, "journal file %08x has %llu of "
                "%llu bytes: put it back or run penstock salvage",
                parts[i].number, (unsigned long long)f->size,
                (unsigned long long)parts[i].size);
        f->size = parts[i].size;
        f->listed = true;
    }
    /* A folder of before this was recorded: all are ours. */
    for (size_t k = 0; n == 0 && k < j->count; k++)
        j->files[k]->listed = true;
    return 0;
}

void
journal_drop_strays(struct journal *j)
{
    size_t kept = 0;

    for (size_t i = 0; i < j->count; i++) {
        struct journal_file *f = j->files[i];
        char path[1024];

        if (f->listed || f->newest != 0 || i == j->current) {
            if (i == j->current)
                j->current = kept;
            j->files[kept++] = f;
            continue;
        }
        file_path(path, sizeof path, j->dir, f->number);
        diag(INFO, EPOCH, "%s was not yet in use when a process ended: it is "
            "made anew", path);
        j->world->ops->close(j->world, f->fd);
        j->world->ops->unlink(j->world, path);
        free(f);
    }
    j->count = kept;
}

size_t
journal_files(const struct journal *j)
{
    return j->count;
}

struct journal_part
journal_file_part(const struct journal *j, size_t i)
{
    assert(i < j->count);
    return (struct journal_part){j->files[i]->number, j->files[i]->size};
}

void
journal_trust(struct journal *j, uint64_t epoch, uint32_t check)
{
    j->trusted_epoch = epoch;
    j->trusted_check = check;
}

/* ---- appending ---- */

uint64_t
journal_begin(struct journal *j, uint64_t incarnation)
{
    j->incarnation = incarnation;
    journal_know(j, incarnation);
    j->ready = true;
    return j->highest + 16;
}

size_t
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

/* The largest frame that fits, now, or once all but the current file is
 * recycled. */
static uint64_t
room_of(const struct journal *j, bool recycled)
{
    uint64_t room = j->files[j->current]->size - j->pos;

    for (size_t i = 0; i < j->count; i++)
        if (i != j->current && (recycled || j->files[i]->newest == 0)
            && j->files[i]->size > room)
            room = j->files[i]->size;
    return room;
}

uint64_t
journal_room(const struct journal *j)
{
    return room_of(j, false);
}

uint64_t
journal_room_recycled(const struct journal *j)
{
    return room_of(j, true);
}

/* A frame goes to the rest of the current file if it fits, else to a free
 * one; a copy of it likewise. a, b: the largest two that are free, or will be
 * when all is recycled. */
uint64_t
journal_room_twice(const struct journal *j, bool recycled)
{
    uint64_t rest = j->files[j->current]->size - j->pos, a = 0, b = 0;
    uint64_t here, there;

    for (size_t i = 0; i < j->count; i++) {
        uint64_t size = j->files[i]->size;

        if (i == j->current || (j->files[i]->newest != 0 && !recycled))
            continue;
        if (size > a) {
            b = a;
            a = size;
        } else if (size > b) {
            b = size;
        }
    }
    here = rest / 2 > a ? rest / 2 : a;
    if (here > rest)
        here = rest;
    there = a / 2 > b ? a / 2 : b;
    return (here > there ? here : there) / JOURNAL_BLOCK * JOURNAL_BLOCK;
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
