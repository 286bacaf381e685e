/*
 * lmdbfile.c: LMDB's data file, read page by page.
 *
 * The file is pages of one size, numbered from 0. Integers are those of the
 * machine: little-endian here, anything else is refused.
 *
 *  page:  0 its number u64 | 8 pad u16 | 10 flags u16 |
 *         12 lower u16 | 14 upper u16    or    12 pages u32 (overflow)
 *  head pages 0 and 1, of which the one with the higher transaction counts:
 *         16 magic u32 beefc0de | 20 version u32 = 1 | 24 address u64 |
 *         32 map size u64 | 40 tree of free pages | 88 main tree |
 *         136 last page u64 | 144 transaction u64
 *  tree (48 bytes):  0 pad u32 (in the first: the page size) | 4 flags u16 |
 *         6 depth u16 | 8 branch, 16 leaf, 24 overflow pages u64 |
 *         32 entries u64 | 40 root u64, all ones: empty
 *  branch and leaf pages: from 16 to `lower` the places of nodes, u16 each,
 *         in order of the keys; the nodes from `upper` to the end.
 *  node:  0 lo u16 | 2 hi u16 | 4 flags u16 | 6 key length u16 | key | data
 *         leaf: lo, hi are the length of the data; with flag 1 the data is
 *         the number of the first of some overflow pages; with flag 2 it is
 *         a tree (in the main tree). Branch: lo, hi, flags are the number of
 *         a page with the keys from this node's on; the first one's key is
 *         not there.
 *  tree of free pages: the key is a transaction's number u64, the data a
 *         count u64 and as many page numbers u64, the highest first.
 *
 * Every page is visited at most once a walk, so that a loop in a damaged
 * file ends. Neither LMDB 0.9 nor this file has checksums of pages: what the
 * structure does not show, the checksums of values do (meta.c).
 */
#include "config.h"

#include "offline/lmdbfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"

enum {
    LMDBFILE_MAGIC = 0x1adbf11e,
    PAGE_BRANCH = 1,
    PAGE_LEAF = 2,
    PAGE_OVERFLOW = 4,
    PAGE_META = 8,
    PAGE_HEAD = 16,
    NODE_HEAD = 8,
    NODE_BIG = 1,
    NODE_TREE = 2,
    TREE_BYTES = 48,
    TREE_INTEGER_KEYS = 0x08,    /* MDB_INTEGERKEY */
    META_BYTES = 152,
    DEPTH_MAX = 32,
    PAGE_SIZE_MIN = 512,
    PAGE_SIZE_MAX = 65536,
    VALUE_MAX = 256 << 20,
};

#define META_MAGIC_WORD 0xbeefc0deu
#define PAGE_NONE UINT64_MAX
#define FREE_LIST_MAX (512 * MIB)

struct tree {
    const char *name;
    uint64_t root, entries;
    unsigned flags, depth;
    bool there, integer_keys;
};

struct lmdbfile {
    uint32_t magic;
    struct world *world;
    char *path;
    int fd;
    size_t page_size;
    uint64_t last_page, file_pages;
    struct tree free, main, dbs[LMDBFILE_DBS];
    uint8_t *levels[DEPTH_MAX];  /* a page for each level of a walk */
    struct buf big;              /* a scan's value from overflow pages */
    uint64_t txn[2];             /* of the head pages */
    char head_text[2][120];      /* what is wrong with a head page */
};

static const char *const db_names[LMDBFILE_DBS] = {"records", "state",
    "pieces"};

static uint16_t
get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

/* ---- one walk ---- */

struct walk {
    struct lmdbfile *f;
    const struct tree *tree;
    uint8_t *seen;               /* a bit a page; NULL: not counted */
    lmdbfile_finding_fn *report;
    void *report_arg;
    uint64_t found;              /* findings */
    lmdbfile_entry_fn *fn;
    void *arg;
    struct buf *big;             /* where big values go; NULL: unread */
    uint64_t entries;
    struct err *err;
};

static void __attribute__((format(printf, 3, 4)))
walk_report(struct walk *k, uint64_t page, const char *fmt, ...)
{
    char text[240], whole[300];
    va_list ap;

    k->found++;
    if (k->report == NULL)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(whole, sizeof whole, "%s%s%s",
        k->tree == NULL ? "" : k->tree->name, k->tree == NULL ? "" : ": ",
        text);
    k->report(k->report_arg, page, whole);
}

/* false: it was seen before, which is a finding. */
static bool
walk_see(struct walk *k, uint64_t page)
{
    uint8_t bit = (uint8_t)(1u << (page & 7));

    if (k->seen == NULL)
        return true;
    if (k->seen[page >> 3] & bit) {
        walk_report(k, page, "page %" PRIu64 " is used twice", page);
        return false;
    }
    k->seen[page >> 3] |= bit;
    return true;
}

/* 1: read; 0: a finding; -1: I/O. */
static int
walk_read(struct walk *k, uint64_t page, uint8_t *to, size_t size)
{
    struct lmdbfile *f = k->f;
    struct world *w = f->world;
    ssize_t n;

    n = w->ops->pread(w, f->fd, to, size, (off_t)(page * f->page_size));
    if (n < 0)
        return err_set(k->err, errno, "read %s", f->path);
    if ((size_t)n < size) {
        walk_report(k, page, "page %" PRIu64 " is behind the end of the file",
            page);
        return 0;
    }
    if (get_le64(to) != page) {
        walk_report(k, page, "page %" PRIu64 " says that it is page %" PRIu64,
            page, get_le64(to));
        return 0;
    }
    return 1;
}

static bool
page_number_fits(const struct walk *k, uint64_t page)
{
    return page >= 2 && page <= k->f->last_page;
}

/* ---- nodes ---- */

struct node {
    struct span key;
    uint64_t child;              /* branch; of a big leaf: overflow page */
    struct span data;            /* leaf, not big */
    uint32_t size;               /* of the data */
    unsigned flags;
};

static size_t
page_count(const uint8_t *p)
{
    return (get_u16(p + 12) - (size_t)PAGE_HEAD) / 2;
}

/* false: it does not lie within the page. */
static bool
node_get(const struct lmdbfile *f, const uint8_t *p, size_t i,
    struct node *n)
{
    size_t at = get_u16(p + PAGE_HEAD + 2 * i), left, need;
    bool branch = get_u16(p + 10) == PAGE_BRANCH;
    const uint8_t *q = p + at;

    if (at < get_u16(p + 14) || at > f->page_size - NODE_HEAD || at % 2 != 0)
        return false;
    left = f->page_size - NODE_HEAD - at;
    n->flags = branch ? 0 : get_u16(q + 4);
    n->key = span_of(q + NODE_HEAD, get_u16(q + 6));
    n->size = get_u16(q) | (uint32_t)get_u16(q + 2) << 16;
    n->data = SPAN_NULL;
    if (n->key.len > left)
        return false;
    left -= n->key.len;
    if (branch) {
        n->child = n->size | (uint64_t)get_u16(q + 4) << 32;
        return true;
    }
    need = n->flags & NODE_BIG ? 8 : n->size;
    if (need > left || (n->flags & ~(unsigned)(NODE_BIG | NODE_TREE)) != 0)
        return false;
    if (n->flags & NODE_BIG)
        n->child = get_le64(q + NODE_HEAD + n->key.len);
    else
        n->data = span_of(q + NODE_HEAD + n->key.len, n->size);
    return true;
}

static int
key_cmp(const struct tree *t, struct span a, struct span b)
{
    uint64_t x, y;

    if (!t->integer_keys)
        return span_cmp(a, b);
    x = a.len == 8 ? get_le64(a.ptr) : 0;
    y = b.len == 8 ? get_le64(b.ptr) : 0;
    return (x > y) - (x < y);
}

static bool
page_sane(struct walk *k, uint64_t page, const uint8_t *p, unsigned level)
{
    unsigned lower = get_u16(p + 12), upper = get_u16(p + 14);
    bool leaf = level + 1 == k->tree->depth;

    if (get_u16(p + 10) != (leaf ? PAGE_LEAF : PAGE_BRANCH)) {
        walk_report(k, page, "page %" PRIu64 " has flags %x where a %s page "
            "is due", page, get_u16(p + 10), leaf ? "leaf" : "branch");
        return false;
    }
    if (lower <= PAGE_HEAD || lower % 2 != 0 || lower > upper
        || upper > k->f->page_size) {
        walk_report(k, page, "page %" PRIu64 " has room from %u to %u", page,
            lower, upper);
        return false;
    }
    return true;
}

/* ---- values in overflow pages ---- */

/* Into k->big. 1, 0: a finding, -1: I/O. */
static int
big_read(struct walk *k, const struct node *n, struct span *value)
{
    struct lmdbfile *f = k->f;
    uint64_t pages = (PAGE_HEAD - 1 + (uint64_t)n->size) / f->page_size + 1;
    uint8_t head[PAGE_HEAD], *to;
    ssize_t got;
    int rc;

    if (!page_number_fits(k, n->child)
        || pages > f->last_page - n->child + 1 || n->size > VALUE_MAX) {
        walk_report(k, n->child, "a value of %u bytes at page %" PRIu64
            " is behind the end", n->size, n->child);
        return 0;
    }
    for (uint64_t i = 0; i < pages; i++)
        if (!walk_see(k, n->child + i))
            return 0;
    rc = walk_read(k, n->child, head, sizeof head);
    if (rc <= 0)
        return rc;
    if (get_u16(head + 10) != PAGE_OVERFLOW || get_le32(head + 12) != pages) {
        walk_report(k, n->child, "page %" PRIu64 " does not begin a value of "
            "%u bytes", n->child, n->size);
        return 0;
    }
    if (k->big == NULL)
        return 1;
    buf_clear(k->big);
    to = buf_grow(k->big, n->size);
    got = to == NULL ? 0 : f->world->ops->pread(f->world, f->fd, to, n->size,
        (off_t)(n->child * f->page_size + PAGE_HEAD));
    if (got < 0)
        return err_set(k->err, errno, "read %s", f->path);
    if ((size_t)got < n->size) {
        walk_report(k, n->child, "a value at page %" PRIu64 " is cut short",
            n->child);
        return 0;
    }
    *value = span_of(to, n->size);
    return 1;
}

/* ---- the walk ---- */

static int
leaf_entry(struct walk *k, uint64_t page, const struct node *n)
{
    struct span value = n->data;
    int rc = 1;

    if (n->flags & NODE_BIG)
        rc = big_read(k, n, &value);
    if (rc <= 0)
        return rc;
    k->entries++;
    if (k->fn == NULL)
        return 0;
    return k->fn(k->arg, n->key, value, page, k->err);
}

static int walk_page(struct walk *k, uint64_t page, unsigned level,
    struct span lo, struct span hi);

/* The nodes of a page in order; a child is walked with its bounds. */
static int
walk_nodes(struct walk *k, uint64_t page, unsigned level, struct span lo,
    struct span hi)
{
    const uint8_t *p = k->f->levels[level];
    bool leaf = level + 1 == k->tree->depth;
    size_t count = page_count(p);
    struct span before = lo;
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++) {
        struct node n, next;
        bool last = i + 1 == count;

        if (!node_get(k->f, p, i, &n)
            || (!leaf && !last && !node_get(k->f, p, i + 1, &next))) {
            walk_report(k, page, "node %zu of page %" PRIu64 " is outside of "
                "it", i, page);
            continue;
        }
        if (leaf || i > 0) {
            if ((before.ptr != NULL && key_cmp(k->tree, before, n.key)
                    >= (leaf && i == 0 ? 1 : 0))
                || (hi.ptr != NULL && key_cmp(k->tree, n.key, hi) >= 0))
                walk_report(k, page, "key %zu of page %" PRIu64 " is out of "
                    "order", i, page);
            before = n.key;
        }
        if (leaf)
            rc = leaf_entry(k, page, &n);
        else
            rc = walk_page(k, n.child, level + 1, i == 0 ? lo : n.key,
                last ? hi : next.key);
    }
    return rc;
}

static int
walk_page(struct walk *k, uint64_t page, unsigned level, struct span lo,
    struct span hi)
{
    struct lmdbfile *f = k->f;
    int rc;

    assert(level < k->tree->depth);
    if (!page_number_fits(k, page)) {
        walk_report(k, 0, "page %" PRIu64 " is named but behind the end",
            page);
        return 0;
    }
    if (!walk_see(k, page))
        return 0;
    if (f->levels[level] == NULL)
        f->levels[level] = xmalloc(f->page_size);
    rc = walk_read(k, page, f->levels[level], f->page_size);
    if (rc <= 0)
        return rc;
    if (!page_sane(k, page, f->levels[level], level))
        return 0;
    return walk_nodes(k, page, level, lo, hi);
}

static int
walk_tree(struct walk *k, const struct tree *t)
{
    int rc;

    k->tree = t;
    k->entries = 0;
    if (t->root == PAGE_NONE) {
        if (t->entries != 0 || t->depth != 0)
            walk_report(k, 0, "it has no root, but %" PRIu64 " entries",
                t->entries);
        return 0;
    }
    if (t->depth == 0 || t->depth > DEPTH_MAX) {
        walk_report(k, 0, "its depth is %u", t->depth);
        return 0;
    }
    rc = walk_page(k, t->root, 0, SPAN_NULL, SPAN_NULL);
    if (rc == 0 && k->entries != t->entries)
        walk_report(k, t->root, "it has %" PRIu64 " entries where %" PRIu64
            " are due", k->entries, t->entries);
    return rc;
}

static uint8_t *
seen_new(const struct lmdbfile *f)
{
    uint8_t *seen = xcalloc((size_t)(f->last_page >> 3) + 1, 1);

    seen[0] = 3; /* the head pages */
    return seen;
}

/* ---- opening ---- */

static bool
tree_read(const uint8_t *p, const char *name, struct tree *t)
{
    *t = (struct tree){.name = name,
        .flags = get_u16(p + 4),
        .depth = get_u16(p + 6),
        .entries = get_le64(p + 32),
        .root = get_le64(p + 40),
        .there = true};
    return t->depth <= DEPTH_MAX;
}

/* One head page: 0 or -1 with the reason in `text`. */
static int
head_check(const uint8_t *p, ssize_t n, unsigned number, char text[120],
    bool *unknown)
{
    text[0] = '\0';
    if (n < PAGE_HEAD + META_BYTES - PAGE_HEAD)
        snprintf(text, 120, "head page %u is cut short", number);
    else if (get_le64(p) != number || get_u16(p + 10) != PAGE_META
        || get_le32(p + 16) != META_MAGIC_WORD)
        snprintf(text, 120, "head page %u is none", number);
    else if (get_le32(p + 20) != 1) {
        snprintf(text, 120, "head page %u has version %u", number,
            get_le32(p + 20));
        *unknown = true;
    }
    return text[0] == '\0' ? 0 : -1;
}

static bool
page_size_fits(uint32_t n)
{
    return n >= PAGE_SIZE_MIN && n <= PAGE_SIZE_MAX && (n & (n - 1)) == 0;
}

/* Takes the newer one of the head pages that are right. */
static int
head_read(struct lmdbfile *f, struct err *err)
{
    uint8_t p[2][META_BYTES] = {{0}};
    uint64_t best_txn = 0;
    int best = -1;
    bool unknown = false;

    f->page_size = 4096;
    for (unsigned i = 0; i < 2; i++) {
        ssize_t n = f->world->ops->pread(f->world, f->fd, p[i], META_BYTES,
            (off_t)(i * f->page_size));

        if (n < 0)
            return err_set(err, errno, "read %s", f->path);
        if (head_check(p[i], n, i, f->head_text[i], &unknown) < 0)
            continue;
        if (!page_size_fits(get_le32(p[i] + 40))) {
            snprintf(f->head_text[i], sizeof f->head_text[i],
                "head page %u has a page size of %u", i, get_le32(p[i] + 40));
            continue;
        }
        f->page_size = get_le32(p[i] + 40);
        f->txn[i] = get_le64(p[i] + 144);
        if (best < 0 || get_le64(p[i] + 144) > best_txn) {
            best = (int)i;
            best_txn = get_le64(p[i] + 144);
        }
    }
    if (best < 0)
        return err_set(err, unknown ? ERR_FORMAT : ERR_DAMAGE,
            "%s: %s; %s", f->path, f->head_text[0], f->head_text[1]);
    f->last_page = get_le64(p[best] + 136);
    tree_read(p[best] + 40, "free pages", &f->free);
    f->free.integer_keys = true;
    tree_read(p[best] + 88, "main tree", &f->main);
    return 0;
}

static int
main_entry(void *arg, struct span key, struct span value, uint64_t page,
    struct err *err)
{
    struct lmdbfile *f = arg;

    for (int i = 0; i < LMDBFILE_DBS; i++)
        if (span_eq(key, span_str(db_names[i])) && value.len == TREE_BYTES)
            tree_read(value.ptr, db_names[i], &f->dbs[i]);
    return 0;
}

/* Bounds what a damaged head says by what the file has, so that memory for
 * the walk is bounded, too. LMDB writes no page behind the last one. */
static int
file_size(struct lmdbfile *f, struct err *err)
{
    struct stat st;

    if (fstat(f->fd, &st) < 0)
        return err_set(err, errno, "open %s", f->path);
    f->file_pages = (uint64_t)st.st_size / f->page_size;
    return 0;
}

int
lmdbfile_open(struct lmdbfile **out, struct world *w, const char *path,
    struct err *err)
{
    struct lmdbfile *f = xcalloc(1, sizeof *f);
    struct walk k = {.f = f, .fn = main_entry, .arg = f, .big = &f->big,
        .err = err};
    int rc = -1;

    f->magic = LMDBFILE_MAGIC;
    f->world = w;
    f->path = xstrdup(path);
    buf_init(&f->big, VALUE_MAX);
    f->fd = w->ops->open(w, path, O_RDONLY | O_CLOEXEC, 0);
    if (f->fd < 0)
        err_set(err, errno == ENOENT ? ERR_NOTFOUND : errno, "open %s", path);
    else
        rc = head_read(f, err);
    if (rc == 0)
        rc = file_size(f, err);
    if (rc == 0 && f->last_page > f->file_pages + (1u << 20)) {
        snprintf(f->head_text[0], sizeof f->head_text[0], "the last page is "
            "said to be %" PRIu64 ", the file has %" PRIu64, f->last_page,
            f->file_pages);
        f->last_page = f->file_pages;
    }
    if (rc == 0) {
        k.seen = seen_new(f);
        rc = walk_tree(&k, &f->main);
        free(k.seen);
    }
    if (rc < 0) {
        lmdbfile_close(f);
        return -1;
    }
    *out = f;
    return 0;
}

void
lmdbfile_close(struct lmdbfile *f)
{
    if (f == NULL)
        return;
    check_obj(f, LMDBFILE_MAGIC);
    if (f->fd >= 0)
        f->world->ops->close(f->world, f->fd);
    for (int i = 0; i < DEPTH_MAX; i++)
        free(f->levels[i]);
    buf_release(&f->big);
    free(f->path);
    f->magic = 0;
    free(f);
}

size_t
lmdbfile_page_size(const struct lmdbfile *f)
{
    return f->page_size;
}

uint64_t
lmdbfile_pages(const struct lmdbfile *f)
{
    return f->last_page + 1;
}

uint64_t
lmdbfile_entries(const struct lmdbfile *f, enum lmdbfile_db db)
{
    return f->dbs[db].entries;
}

/* ---- proving ---- */

/* The free pages that a transaction left: none of them may be in use. */
static int
free_entry(void *arg, struct span key, struct span value, uint64_t page,
    struct err *err)
{
    struct walk *k = arg;
    uint64_t count = value.len < 8 ? 0 : get_le64(value.ptr);
    uint64_t last = PAGE_NONE;

    if (key.len != 8 || value.len < 8 || count > value.len / 8 - 1) {
        walk_report(k, page, "a list of free pages is none");
        return 0;
    }
    for (uint64_t i = 1; i <= count; i++) {
        uint64_t n = get_le64(value.ptr + 8 * i);

        if (!page_number_fits(k, n) || n >= last) {
            walk_report(k, page, "a list of free pages is out of order");
            return 0;
        }
        last = n;
        if (!walk_see(k, n))
            return 0;
    }
    return 0;
}

/* A transaction writes the head page of its own parity, and each one has the
 * next number: so the two pages are neighbours. */
static void
heads_prove(struct walk *k)
{
    const struct lmdbfile *f = k->f;

    for (unsigned i = 0; i < 2; i++) {
        if (f->head_text[i][0] != '\0')
            walk_report(k, i, "%s", f->head_text[i]);
        else if (f->txn[i] != 0 && (f->txn[i] & 1) != i)
            walk_report(k, i, "head page %u has transaction %" PRIu64, i,
                f->txn[i]);
    }
    if (k->found == 0 && f->txn[0] != 0 && f->txn[0] - f->txn[1] + 1 > 2)
        walk_report(k, 0, "the head pages have transactions %" PRIu64 " and %"
            PRIu64, f->txn[0], f->txn[1]);
}

static void
flags_prove(struct walk *k, const struct tree *t, unsigned due)
{
    k->tree = t;
    if (t->flags != due)
        walk_report(k, 0, "it has flags %x where %x are due", t->flags, due);
}

int
lmdbfile_prove(struct lmdbfile *f, lmdbfile_finding_fn *fn, void *arg,
    uint64_t *found, struct err *err)
{
    struct walk k = {.f = f, .seen = seen_new(f), .report = fn,
        .report_arg = arg, .err = err};
    int rc;

    check_obj(f, LMDBFILE_MAGIC);
    heads_prove(&k);
    flags_prove(&k, &f->free, TREE_INTEGER_KEYS);
    flags_prove(&k, &f->main, 0);
    rc = walk_tree(&k, &f->main);
    for (int i = 0; i < LMDBFILE_DBS && rc == 0; i++) {
        if (f->dbs[i].there) {
            flags_prove(&k, &f->dbs[i], 0);
            rc = walk_tree(&k, &f->dbs[i]);
        } else
            walk_report(&k, 0, "the database %s is missing", db_names[i]);
    }
    /* Last: by then all pages in use have been seen. */
    k.fn = free_entry;
    k.arg = &k;
    k.big = &f->big;
    if (rc == 0)
        rc = walk_tree(&k, &f->free);
    free(k.seen);
    *found = k.found;
    return rc;
}

/* ---- reading ---- */

int
lmdbfile_scan(struct lmdbfile *f, enum lmdbfile_db db, lmdbfile_entry_fn *fn,
    void *arg, bool *lost, struct err *err)
{
    struct walk k = {.f = f, .fn = fn, .arg = arg, .big = &f->big,
        .err = err};
    int rc;

    check_obj(f, LMDBFILE_MAGIC);
    *lost = !f->dbs[db].there;
    if (*lost)
        return 0;
    k.seen = seen_new(f);
    rc = walk_tree(&k, &f->dbs[db]);
    free(k.seen);
    *lost = k.found > 0;
    return rc;
}

/* The node under which the key is: the last one at or before it. In a leaf:
 * the key itself, else SIZE_MAX. */
static size_t
page_find(const struct lmdbfile *f, const struct tree *t, const uint8_t *p,
    bool leaf, struct span key, struct node *n)
{
    size_t lo = leaf ? 0 : 1, hi = page_count(p);

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c;

        if (!node_get(f, p, mid, n))
            return SIZE_MAX;
        c = key_cmp(t, n->key, key);
        if (c == 0)
            return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (leaf || !node_get(f, p, lo - 1, n))
        return SIZE_MAX;
    return lo - 1;
}

int
lmdbfile_get(struct lmdbfile *f, enum lmdbfile_db db, struct span key,
    struct buf *value, struct err *err)
{
    const struct tree *t = &f->dbs[db];
    struct buf big; /* not f->big: a scan may be under way */
    struct walk k = {.f = f, .tree = t, .big = &big, .err = err};
    uint64_t page = t->root;
    uint8_t *p = xmalloc(f->page_size);
    int rc = t->there && t->root != PAGE_NONE ? 1 : 0;

    buf_init(&big, VALUE_MAX);
    for (unsigned level = 0; rc > 0; level++) {
        bool leaf = level + 1 == t->depth;
        struct node n = {0};
        struct span data;

        if (level >= t->depth || !page_number_fits(&k, page))
            rc = 0;
        else
            rc = walk_read(&k, page, p, f->page_size);
        if (rc > 0 && (!page_sane(&k, page, p, level)
                || page_find(f, t, p, leaf, key, &n) == SIZE_MAX))
            rc = 0;
        if (rc <= 0 || !leaf) {
            page = n.child;
            continue;
        }
        data = n.data;
        if (n.flags & NODE_BIG)
            rc = big_read(&k, &n, &data);
        if (rc > 0)
            buf_put_span(value, data);
        break;
    }
    buf_release(&big);
    free(p);
    return rc;
}
