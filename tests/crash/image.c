/* image.c: the contents of a folder in memory. */
#include "config.h"

#include "image.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

struct page {
    unsigned refs;
    uint8_t data[PAGE];
};

/* ---- pages ---- */

const uint8_t *
page_bytes(const struct page *p)
{
    static const uint8_t zeros[PAGE];

    return p == NULL ? zeros : p->data;
}

static void
page_unref(struct page *p)
{
    if (p != NULL && --p->refs == 0)
        free(p);
}

/* A page that nobody else has, in the same place. */
static struct page *
page_own(struct page **slot)
{
    struct page *p = *slot, *copy;

    if (p != NULL && p->refs == 1)
        return p;
    copy = xmalloc(sizeof *copy);
    copy->refs = 1;
    memcpy(copy->data, page_bytes(p), PAGE);
    page_unref(p);
    *slot = copy;
    return copy;
}

/* ---- inodes ---- */

static void
inode_unref(struct inode *f)
{
    if (f == NULL || --f->refs > 0)
        return;
    for (size_t i = 0; i < f->count; i++)
        page_unref(f->pages[i]);
    free(f->pages);
    free(f);
}

static struct inode *
inode_own(struct image *im, int id)
{
    struct inode *f = im->inodes[id], *copy;

    assert(f != NULL);
    if (f->refs == 1)
        return f;
    copy = xmalloc(sizeof *copy);
    *copy = *f;
    copy->refs = 1;
    copy->pages = xmalloc((f->count + 1) * sizeof *copy->pages);
    for (size_t i = 0; i < f->count; i++) {
        copy->pages[i] = f->pages[i];
        if (copy->pages[i] != NULL)
            copy->pages[i]->refs++;
    }
    f->refs--;
    im->inodes[id] = copy;
    return copy;
}

static void
inode_set_count(struct inode *f, size_t count)
{
    for (size_t i = count; i < f->count; i++)
        page_unref(f->pages[i]);
    f->pages = xrealloc(f->pages, (count + 1) * sizeof *f->pages);
    for (size_t i = f->count; i < count; i++)
        f->pages[i] = NULL;
    f->count = count;
}

void
image_inode(struct image *im, int id, bool dir)
{
    assert(id >= 0);
    while (id >= im->cap) {
        int cap = im->cap == 0 ? 64 : im->cap * 2;

        im->inodes = xrealloc(im->inodes,
            (size_t)cap * sizeof(struct inode *));
        im->cap = cap;
    }
    while (im->count <= id)
        im->inodes[im->count++] = NULL;
    if (im->inodes[id] == NULL) {
        im->inodes[id] = xcalloc(1, sizeof(struct inode));
        im->inodes[id]->refs = 1;
        im->inodes[id]->dir = dir;
    }
    assert(im->inodes[id]->dir == dir);
}

void
image_resize(struct image *im, int id, uint64_t size)
{
    struct inode *f;

    image_inode(im, id, false);
    f = inode_own(im, id);
    inode_set_count(f, (size + PAGE - 1) / PAGE);
    if (size < f->size && size % PAGE != 0 && f->pages[size / PAGE] != NULL) {
        struct page *last = page_own(&f->pages[size / PAGE]);

        memset(last->data + size % PAGE, 0, PAGE - size % PAGE);
    }
    f->size = size;
}

void
image_write(struct image *im, int id, uint64_t pos, const void *from,
    size_t len)
{
    const uint8_t *p = from;
    struct inode *f;

    image_inode(im, id, false);
    if (len > 0 && pos + len > im->inodes[id]->size)
        image_resize(im, id, pos + len);
    f = inode_own(im, id);
    while (len > 0) {
        size_t at = pos % PAGE, n = PAGE - at < len ? PAGE - at : len;

        memcpy(page_own(&f->pages[pos / PAGE])->data + at, p, n);
        p += n;
        pos += n;
        len -= n;
    }
}

uint64_t
image_size(const struct image *im, int id)
{
    return id < im->count && im->inodes[id] != NULL ? im->inodes[id]->size
                                                    : 0;
}

void
image_read(const struct image *im, int id, uint64_t pos, void *to, size_t len)
{
    const struct inode *f = im->inodes[id];
    uint8_t *p = to;

    assert(pos + len <= f->size);
    while (len > 0) {
        size_t at = pos % PAGE, n = PAGE - at < len ? PAGE - at : len;

        memcpy(p, page_bytes(f->pages[pos / PAGE]) + at, n);
        p += n;
        pos += n;
        len -= n;
    }
}

/* ---- names ---- */

static struct entry *
image_entry(const struct image *im, int dir, const char *name)
{
    for (int i = 0; i < im->n_entries; i++) {
        struct entry *e = &im->entries[i];

        if (e->dir == dir && strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

int
image_find(const struct image *im, int dir, const char *name)
{
    const struct entry *e = image_entry(im, dir, name);

    return e == NULL ? NO_INODE : e->inode;
}

void
image_enter(struct image *im, int dir, const char *name, int inode)
{
    struct entry *e = image_entry(im, dir, name);

    assert(strlen(name) < NAME_SIZE);
    if (e == NULL) {
        if (im->n_entries == im->entries_cap) {
            im->entries_cap = im->entries_cap == 0 ? 64 : im->entries_cap * 2;
            im->entries = xrealloc(im->entries,
                (size_t)im->entries_cap * sizeof *im->entries);
        }
        e = &im->entries[im->n_entries++];
        e->dir = dir;
        memcpy(e->name, name, strlen(name) + 1);
    }
    e->inode = inode;
}

void
image_leave(struct image *im, int dir, const char *name, int inode)
{
    struct entry *e = image_entry(im, dir, name);

    if (e != NULL && e->inode == inode)
        *e = im->entries[--im->n_entries];
}

/* ---- the whole ---- */

void
image_init(struct image *im)
{
    memset(im, 0, sizeof *im);
    image_inode(im, 0, true);
}

void
image_release(struct image *im)
{
    for (int i = 0; i < im->count; i++)
        inode_unref(im->inodes[i]);
    free(im->inodes);
    free(im->entries);
    memset(im, 0, sizeof *im);
}

void
image_copy(struct image *to, const struct image *from)
{
    *to = *from;
    to->cap = from->count;
    to->entries_cap = from->n_entries;
    to->inodes = xmemdup(from->inodes,
        (size_t)from->count * sizeof(struct inode *));
    for (int i = 0; i < to->count; i++)
        if (to->inodes[i] != NULL)
            to->inodes[i]->refs++;
    to->entries = xmalloc(((size_t)from->n_entries + 1)
        * sizeof *to->entries);
    if (from->n_entries > 0)
        memcpy(to->entries, from->entries,
            (size_t)from->n_entries * sizeof *to->entries);
}
