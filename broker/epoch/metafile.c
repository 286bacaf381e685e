/*
 * metafile.c: LMDB's data file, looked at before LMDB maps it.
 *
 * LMDB believes its pages. A file that was cut short at rest kills the
 * process with SIGBUS when a page behind its end is touched, which may be
 * weeks later. So before it is opened:
 *
 *  1. The head pages are judged, and the roots of the trees.
 *  2. A file as long as the newest head says is taken as it is. One that is
 *     shorter may still be right: pages that a transaction took and gave back
 *     are counted, but never written. Then all trees are walked, and no page
 *     that they name may lie behind the end.
 *
 * So it costs a few reads at each start, whatever the file holds. What it
 * does not see trips an assertion inside LMDB (meta.c) or a checksum of a
 * value. The format is told in tools/offline/lmdbfile.c, which proves all of
 * it; here only places of pages count.
 */
#include "config.h"

#include "epoch/metafile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/endian.h"

enum {
    PAGE_HEAD = 16,
    PAGE_BRANCH = 1,
    PAGE_LEAF = 2,
    PAGE_OVERFLOW = 4,
    PAGE_META = 8,
    NODE_HEAD = 8,
    NODE_BIG = 1,
    NODE_TREE = 2,
    HEAD_BYTES = 152,
    TREE_BYTES = 48,
    TREE_INTEGER_KEYS = 8,       /* of the tree of free pages */
    DEPTH_MAX = 32,
    PAGE_SIZE_MAX = 65536,
};

#define MAGIC 0xbeefc0deu
#define NO_PAGE UINT64_MAX

struct metafile {
    struct world *world;
    const char *path;
    int fd;
    uint32_t page_size;
    uint64_t pages;              /* that the file has, whole */
    uint64_t last;               /* that the head says */
    bool whole_walk;
    uint64_t visited;            /* pages: a damaged file may have loops */
    uint8_t *levels[DEPTH_MAX];
};

static int
damaged(const struct metafile *f, uint64_t page, const char *what,
    struct err *err)
{
    return err_set(err, ERR_DAMAGE, "%s: page %llu %s: put it back from a "
        "backup or run penstock salvage", f->path, (unsigned long long)page,
        what);
}

static unsigned
get_u16(const uint8_t *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

/* ---- head pages ---- */

static bool
head_fits(const uint8_t *p, ssize_t n, unsigned number)
{
    uint32_t size = get_le32(p + 40);

    return n >= HEAD_BYTES && get_le64(p) == number
        && get_u16(p + 10) == PAGE_META && get_le32(p + 16) == MAGIC
        && get_le32(p + 20) == 1 && size >= 512 && size <= PAGE_SIZE_MAX
        && (size & (size - 1)) == 0;
}

/* The newer one, as LMDB takes it. Each transaction writes the one of its
 * parity, so they are neighbours. */
static int
head_read(struct metafile *f, uint8_t head[HEAD_BYTES], struct err *err)
{
    uint64_t newest = 0, txn[2];

    f->page_size = 4096;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t p[HEAD_BYTES] = {0};
        ssize_t n = f->world->ops->pread(f->world, f->fd, p, sizeof p,
            (off_t)i * f->page_size);

        if (n < 0)
            return err_set(err, errno, "read %s", f->path);
        if (!head_fits(p, n, i))
            return damaged(f, i, "is no head page", err);
        f->page_size = get_le32(p + 40);
        txn[i] = get_le64(p + 144);
        if (i == 0 || txn[i] > newest) {
            newest = txn[i];
            memcpy(head, p, HEAD_BYTES);
        }
        if ((txn[i] != 0 && (txn[i] & 1) != i)
            || get_u16(p + 44) != TREE_INTEGER_KEYS || get_u16(p + 92) != 0)
            return damaged(f, i, "is damaged", err);
    }
    if (txn[1] - txn[0] + 1 > 2)
        return damaged(f, 0, "is not of the time of page 1", err);
    f->last = get_le64(head + 136);
    return 0;
}

/* ---- trees ---- */

static int
page_read(struct metafile *f, uint64_t page, unsigned level, bool leaf,
    struct err *err)
{
    unsigned lower, upper;
    uint8_t *p;
    ssize_t n;

    if (page < 2 || page > f->last)
        return damaged(f, page, "is named, but there is none", err);
    if (f->visited++ > f->last)
        return damaged(f, page, "is part of a loop", err);
    if (page >= f->pages)
        return damaged(f, page, "is behind the end of the file", err);
    if (f->levels[level] == NULL)
        f->levels[level] = xmalloc(f->page_size);
    p = f->levels[level];
    n = f->world->ops->pread(f->world, f->fd, p, f->page_size,
        (off_t)(page * f->page_size));
    if (n < (ssize_t)f->page_size)
        return err_set(err, n < 0 ? errno : EIO, "read %s", f->path);
    lower = get_u16(p + 12);
    upper = get_u16(p + 14);
    if (get_le64(p) != page
        || get_u16(p + 10) != (unsigned)(leaf ? PAGE_LEAF : PAGE_BRANCH)
        || lower <= PAGE_HEAD || lower % 2 != 0 || lower > upper
        || upper > f->page_size)
        return damaged(f, page, "is damaged", err);
    return 0;
}

static int tree_walk(struct metafile *f, const uint8_t *tree, struct err *err);

/* The value of a leaf's node: a tree, pages of its own, or nothing to see. */
static int
leaf_node(struct metafile *f, uint64_t page, unsigned level,
    const uint8_t *q, size_t left, struct err *err)
{
    unsigned flags = get_u16(q + 4);
    size_t key = get_u16(q + 6);
    uint64_t size = get_u16(q) | (uint64_t)get_u16(q + 2) << 16, first, n;

    if (key > left || (flags & NODE_BIG ? 8 : size) > left - key)
        return damaged(f, page, "is damaged", err);
    q += NODE_HEAD + key;
    if (flags & NODE_BIG) {
        first = get_le64(q);
        n = (PAGE_HEAD - 1 + size) / f->page_size + 1;
        if (first > f->last || n > f->pages || first > f->pages - n)
            return damaged(f, first, "is behind the end of the file", err);
    }
    /* Trees stand in the main tree alone. */
    if ((flags & NODE_TREE) == 0 || size != TREE_BYTES
        || level >= DEPTH_MAX / 2)
        return 0;
    return tree_walk(f, q, err);
}

/* Without whole_walk only the root, and all of the main tree's entries. */
static int
page_walk(struct metafile *f, uint64_t page, unsigned level, unsigned depth,
    bool all, struct err *err)
{
    bool leaf = level + 1 == depth;
    const uint8_t *p;
    size_t count;
    int rc = page_read(f, page, level, leaf, err);

    if (rc < 0 || !all)
        return rc;
    p = f->levels[level];
    count = (get_u16(p + 12) - (size_t)PAGE_HEAD) / 2;
    for (size_t i = 0; i < count && rc == 0; i++) {
        size_t at = get_u16(p + PAGE_HEAD + 2 * i);
        const uint8_t *q = p + at;

        if (at < get_u16(p + 14) || at > f->page_size - NODE_HEAD)
            return damaged(f, page, "is damaged", err);
        if (leaf)
            rc = leaf_node(f, page, level, q, f->page_size - NODE_HEAD - at,
                err);
        else
            rc = page_walk(f, get_u16(q) | (uint64_t)get_u16(q + 2) << 16
                | (uint64_t)get_u16(q + 4) << 32, level + 1, depth, true,
                err);
    }
    return rc;
}

static int
tree_check(struct metafile *f, const uint8_t *tree, unsigned level, bool all,
    struct err *err)
{
    unsigned depth = get_u16(tree + 6);
    uint64_t root = get_le64(tree + 40);

    if (root == NO_PAGE)
        return 0;
    if (depth == 0 || depth + level > DEPTH_MAX)
        return err_set(err, ERR_DAMAGE, "%s: a tree of %u levels: put it "
            "back from a backup or run penstock salvage", f->path, depth);
    return page_walk(f, root, level, level + depth, all, err);
}

/* A tree that a node of the main tree holds, in a copy: the page that it is
 * in stays where it is, at the lower levels. */
static int
tree_walk(struct metafile *f, const uint8_t *tree, struct err *err)
{
    uint8_t copy[TREE_BYTES];

    memcpy(copy, tree, sizeof copy);
    return tree_check(f, copy, DEPTH_MAX / 2, f->whole_walk, err);
}

static int
file_check(struct metafile *f, struct err *err)
{
    uint8_t head[HEAD_BYTES];
    struct stat st;

    if (fstat(f->fd, &st) < 0)
        return err_set(err, errno, "open %s", f->path);
    if (head_read(f, head, err) < 0)
        return -1;
    f->pages = (uint64_t)st.st_size / f->page_size;
    if (f->pages < 2)
        return damaged(f, 1, "is behind the end of the file", err);
    f->whole_walk = f->last >= f->pages;
    if (tree_check(f, head + 40, 0, f->whole_walk, err) < 0)
        return -1;
    return tree_check(f, head + 88, 0, true, err);
}

int
metafile_check(struct world *w, const char *path, struct err *err)
{
    struct metafile f = {.world = w, .path = path};
    int rc;

    f.fd = w->ops->open(w, path, O_RDONLY, 0);
    if (f.fd < 0 && errno == ENOENT)
        return err_set(err, ERR_DAMAGE, "%s is missing: put it back from a "
            "backup or run penstock salvage", path);
    if (f.fd < 0)
        return err_set(err, errno, "open %s", path);
    rc = file_check(&f, err);
    w->ops->close(w, f.fd);
    for (int i = 0; i < DEPTH_MAX; i++)
        free(f.levels[i]);
    return rc;
}
