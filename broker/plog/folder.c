/*
 * Folders. struct world has no call that lists one: like LMDB's, these calls
 * are real in every world. They are made by deletion, sweep and salvage only,
 * never on the way of a record.
 */
#include "config.h"

#include "plog/plog_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { REMOVE_DEPTH = 2 };       /* folders below: topic, partition */

int
folder_each(const char *path, folder_fn fn, void *arg, struct err *err)
{
    DIR *dir = opendir(path);
    struct dirent *d;
    int rc = 0;

    if (dir == NULL)
        return err_set(err, errno, "open folder %s", path);
    while (rc == 0) {
        errno = 0;
        d = readdir(dir);
        if (d == NULL) {
            if (errno != 0)
                rc = err_set(err, errno, "list folder %s", path);
            break;
        }
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            rc = fn(arg, d->d_name, err);
    }
    closedir(dir);
    return rc;
}

int
folder_sync(struct world *w, const char *path, struct err *err)
{
    int fd = w->ops->open(w, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int rc = 0;

    if (fd < 0)
        return err_set(err, errno, "open folder %s", path);
    if (w->ops->fsync(w, fd) != 0)
        rc = err_set(err, errno, "sync folder %s", path);
    w->ops->close(w, fd);
    return rc;
}

int
folder_sync_parent(struct world *w, const char *path, struct err *err)
{
    char *parent = xstrdup(path);
    size_t len = strlen(parent);
    char *slash;
    int rc;

    while (len > 1 && parent[len - 1] == '/')
        parent[--len] = '\0';
    slash = strrchr(parent, '/');
    if (slash == NULL)
        rc = folder_sync(w, ".", err);
    else {
        slash[slash == parent] = '\0';   /* "/a" leaves "/" */
        rc = folder_sync(w, parent, err);
    }
    free(parent);
    return rc;
}

struct remove {
    struct world *world;
    const char *path;
    int depth;                   /* folders that may still be below */
};

static int remove_folder(const struct remove *, struct err *);

static int
remove_entry(void *arg, const char *name, struct err *err)
{
    const struct remove *r = arg;
    char path[SEGMENT_PATH_MAX];
    struct remove below = {r->world, path, r->depth - 1};
    int n = snprintf(path, sizeof path, "%s/%s", r->path, name);

    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, ENAMETOOLONG, "unlink %.100s...", path);
    /* Never through a link: unlink() takes the link itself, and only what
     * it refuses as a folder is entered. */
    if (r->world->ops->unlink(r->world, path) == 0 || errno == ENOENT)
        return 0;
    if ((errno != EISDIR && errno != EPERM) || r->depth == 0)
        return err_set(err, errno, "unlink %s", path);
    return remove_folder(&below, err);
}

static int
remove_folder(const struct remove *r, struct err *err)
{
    struct remove copy = *r;

    if (folder_each(r->path, remove_entry, &copy, err) != 0)
        return -1;
    if (r->world->ops->rmdir(r->world, r->path) != 0 && errno != ENOENT)
        return err_set(err, errno, "remove folder %s", r->path);
    return 0;
}

int
plog_remove_folder(struct world *w, const char *path, struct err *err)
{
    struct remove r = {w, path, REMOVE_DEPTH};
    struct err local;

    if (err == NULL)
        err = &local;
    /* Gone already, by an earlier try whose sync may be missing. */
    if (remove_folder(&r, err) != 0 && err->code != ENOENT)
        return -1;
    if (folder_sync_parent(w, path, err) != 0 && err->code != ENOENT)
        return -1;
    err->code = 0;
    return 0;
}
