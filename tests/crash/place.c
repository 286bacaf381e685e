/*
 * place.c: makes the folder equal to an image, by the difference to what is
 * there, page by page: from one crash state to the next that is little.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "host.h"
#include "wrap.h"

enum { PATH_SIZE = 1024 };

struct place {
    const struct image *want, *have;
    char path[PATH_SIZE];
    size_t len;
};

static void
place_enter(struct place *p, const char *name)
{
    int n = snprintf(p->path + p->len, PATH_SIZE - p->len, "/%s", name);

    assert(n > 0);
    p->len += (size_t)n;
    assert(p->len < PATH_SIZE);
}

static void
place_leave(struct place *p, size_t len)
{
    p->len = len;
    p->path[len] = '\0';
}

static void
done(int rc, const char *what, const char *path)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
    abort();
}

/* Away with a name and what is below it. */
static void
place_remove(struct place *p, const struct entry *e)
{
    size_t len = p->len;

    place_enter(p, e->name);
    if (!p->have->inodes[e->inode]->dir) {
        done(__real_unlink(p->path), "unlink", p->path);
        place_leave(p, len);
        return;
    }
    for (int i = 0; i < p->have->n_entries; i++)
        if (p->have->entries[i].dir == e->inode)
            place_remove(p, &p->have->entries[i]);
    place_enter(p, "lock.mdb");
    (void)__real_unlink(p->path);
    place_leave(p, p->len - strlen("/lock.mdb"));
    done(__real_rmdir(p->path), "rmdir", p->path);
    place_leave(p, len);
}

static void
place_file(const char *path, const struct inode *want,
    const struct inode *have)
{
    uint64_t size = have == NULL ? 0 : have->size;
    int fd;

    if (want == have)
        return;
    fd = __real_open(path, O_RDWR | O_CREAT, 0600);
    done(fd, "open", path);
    if (want->size < size)
        done(__real_ftruncate(fd, (off_t)want->size), "cut", path);
    for (size_t i = 0; i < want->count; i++) {
        const struct page *was = have != NULL && i < have->count
            ? have->pages[i] : NULL;

        if (want->pages[i] == was)
            continue;
        if (__real_pwrite(fd, page_bytes(want->pages[i]), PAGE,
                (off_t)i * PAGE) != PAGE)
            done(-1, "write", path);
    }
    if (want->size != size || want->size % PAGE != 0)
        done(__real_ftruncate(fd, (off_t)want->size), "cut", path);
    __real_close(fd);
}

static void
place_dir(struct place *p, int want, int have)
{
    size_t len = p->len;

    for (int i = 0; i < p->have->n_entries && have != NO_INODE; i++) {
        const struct entry *e = &p->have->entries[i];
        int to;

        if (e->dir != have)
            continue;
        to = image_find(p->want, want, e->name);
        if (to == NO_INODE || p->want->inodes[to]->dir
            != p->have->inodes[e->inode]->dir)
            place_remove(p, e);
    }
    for (int i = 0; i < p->want->n_entries; i++) {
        const struct entry *e = &p->want->entries[i];
        const struct inode *f = p->want->inodes[e->inode];
        int at;

        if (e->dir != want)
            continue;
        at = have == NO_INODE ? NO_INODE
                              : image_find(p->have, have, e->name);
        if (at != NO_INODE && p->have->inodes[at]->dir != f->dir)
            at = NO_INODE;
        place_enter(p, e->name);
        if (f->dir) {
            if (at == NO_INODE)
                done(__real_mkdir(p->path, 0700), "mkdir", p->path);
            place_dir(p, e->inode, at);
        } else {
            place_file(p->path, f,
                at == NO_INODE ? NULL : p->have->inodes[at]);
        }
        place_leave(p, len);
    }
}

void
host_place(const struct image *want)
{
    struct image copy;
    struct place p = {.want = want, .have = host_live()};

    assert(strlen(host_root()) < PATH_SIZE / 2);
    memcpy(p.path, host_root(), strlen(host_root()));
    p.len = strlen(host_root());
    place_dir(&p, 0, 0);
    image_copy(&copy, want);
    host_set_live(&copy);
}
