/*
 * image.h: the contents of a folder in memory: files as pages, names as a
 * list. An image is copied in a few microseconds, since copies share their
 * pages until one of them is written (counted references, one thread).
 *
 * An inode's number is its index and is not used again within one history.
 * Inode 0 is the folder itself. An inode without a name is a file that is
 * unlinked, or whose name did not reach the disk.
 */
#ifndef CRASH_IMAGE_H
#define CRASH_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE = 4096, NAME_SIZE = 48, NO_INODE = -1 };

struct page;                     /* NULL: zeros */

struct inode {
    unsigned refs;
    bool dir;
    uint64_t size;
    struct page **pages;
    size_t count;
};

struct entry {
    int dir, inode;
    char name[NAME_SIZE];
};

struct image {
    struct inode **inodes;
    struct entry *entries;
    int count, cap;
    int n_entries, entries_cap;
};

void image_init(struct image *);                 /* inode 0 is there */
void image_release(struct image *);
void image_copy(struct image *to, const struct image *from);

/* Makes the inode if it is not there. */
void image_inode(struct image *, int id, bool dir);
/* The inode of that name, or NO_INODE. */
int image_find(const struct image *, int dir, const char *name);
void image_enter(struct image *, int dir, const char *name, int inode);
void image_leave(struct image *, int dir, const char *name, int inode);

void image_write(struct image *, int id, uint64_t pos, const void *,
    size_t len);
void image_resize(struct image *, int id, uint64_t size);
uint64_t image_size(const struct image *, int id);
void image_read(const struct image *, int id, uint64_t pos, void *,
    size_t len);

/* The bytes of a page; zeros for NULL. Equal pointers are equal pages. */
const uint8_t *page_bytes(const struct page *);

#endif
