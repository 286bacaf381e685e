/*
 * wrap.c: the system calls of Penstock and of LMDB, redirected here by the
 * linker (local.mk lists them). LMDB maps its file read-only, so all that it
 * writes comes by. Calls on anything but the data folder pass through.
 *
 * Syncs are not carried out: the folder lies in memory, and what they mean is
 * decided from the trace. O_DSYNC is taken off for the same reason and
 * recorded as a sync of the one write.
 */
#include "config.h"

#include "wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "host.h"

/* ---- names ---- */

static struct op
op_of_name(enum op_kind kind, int dir, const char *name, int inode)
{
    struct op op = {.kind = kind, .dir = dir, .inode = inode};
    size_t n = strcspn(name, "/");

    assert(n < NAME_SIZE);
    memcpy(op.name, name, n);
    return op;
}

static int
open_watched(const char *path, int flags, mode_t mode, int dir,
    const char *name, int inode)
{
    int plain = flags & ~(O_DIRECT | O_DSYNC | O_TRUNC), fd;
    bool create = inode == NO_INODE && flags & O_CREAT;
    struct op op;

    if (flags & O_DIRECT && host_refuses_direct()) {
        errno = EINVAL;
        return -1;
    }
    if (inode == NO_INODE && (!create || dir == NO_INODE)) {
        errno = ENOENT;
        return -1;
    }
    if (create) {
        inode = host_new_inode();
        op = op_of_name(OP_CREATE, dir, name, inode);
        if (host_gate(&op, true) < 0)
            return -1;
    }
    fd = __real_open(path, plain | (create ? O_EXCL : 0), mode);
    assert(fd >= 0);
    if (create)
        host_did(&op);
    if (flags & O_TRUNC && image_size(host_live(), inode) > 0) {
        op = (struct op){.kind = OP_RESIZE, .inode = inode};
        if (host_gate(&op, false) < 0) {
            __real_close(fd);
            return -1;
        }
        if (__real_ftruncate(fd, 0) < 0)
            abort();
        host_did(&op);
    }
    host_fd_set(fd, inode, true, (flags & O_DSYNC) != 0);
    return fd;
}

int
__wrap_open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    const char *name;
    int dir, inode, fd;

    if (flags & O_CREAT) {
        va_list ap;

        va_start(ap, flags);
        mode = va_arg(ap, mode_t);
        va_end(ap);
    }
    if (!host_lookup(path, &dir, &name, &inode))
        return __real_open(path, flags, mode);
    if (!host_unwatched(path))
        return open_watched(path, flags, mode, dir, name, inode);
    fd = __real_open(path, flags, mode);
    if (fd >= 0)
        host_fd_set(fd, NO_INODE, false, false);
    return fd;
}

static int
name_gone(const char *path, enum op_kind kind, int (*real)(const char *))
{
    const char *name;
    int dir, inode;
    struct op op;

    if (!host_lookup(path, &dir, &name, &inode) || host_unwatched(path))
        return real(path);
    if (inode == NO_INODE || host_live()->inodes[inode]->dir
            != (kind == OP_RMDIR))
        return real(path);       /* it says what is wrong */
    op = op_of_name(kind, dir, name, inode);
    if (host_gate(&op, false) < 0)
        return -1;
    /* Nobody lists LMDB's lock when its folder goes. */
    if (real(path) < 0)
        return -1;
    host_did(&op);
    return 0;
}

int
__wrap_unlink(const char *path)
{
    return name_gone(path, OP_UNLINK, __real_unlink);
}

int
__wrap_rmdir(const char *path)
{
    return name_gone(path, OP_RMDIR, __real_rmdir);
}

int
__wrap_mkdir(const char *path, mode_t mode)
{
    const char *name;
    int dir, inode;
    struct op op;

    if (!host_lookup(path, &dir, &name, &inode) || inode != NO_INODE
        || dir == NO_INODE)
        return __real_mkdir(path, mode);
    op = op_of_name(OP_MKDIR, dir, name, host_new_inode());
    if (host_gate(&op, true) < 0)
        return -1;
    if (__real_mkdir(path, mode) < 0)
        return -1;
    host_did(&op);
    return 0;
}

int
__wrap_rename(const char *from, const char *to)
{
    const char *name, *to_name;
    int dir, inode, to_dir, to_inode;
    struct op op;

    if (!host_lookup(from, &dir, &name, &inode)
        || !host_lookup(to, &to_dir, &to_name, &to_inode))
        return __real_rename(from, to);
    assert(dir == to_dir);
    op = op_of_name(OP_RENAME, dir, name, inode);
    assert(strlen(to_name) < NAME_SIZE);
    memcpy(op.to, to_name, strlen(to_name));
    if (inode != NO_INODE && host_gate(&op, true) < 0)
        return -1;
    if (__real_rename(from, to) < 0)
        return -1;
    host_did(&op);
    return 0;
}

/* ---- contents ---- */

static ssize_t
write_watched(int fd, const struct host_fd *f, const void *bytes, size_t len,
    off_t pos)
{
    struct op op = {.kind = OP_WRITE, .inode = f->inode, .dir = NO_INODE,
        .pos = (uint64_t)pos, .len = (uint32_t)len,
        .bytes = xmemdup(bytes, len)};
    struct op sync = {.kind = OP_SYNC_ONE, .inode = f->inode,
        .dir = NO_INODE};
    bool grows = op.pos + len > image_size(host_live(), f->inode);
    int fails = host_gate(&op, grows), code = errno;

    if (fails && host_fault_get()->partly && len > 1)
        op.len = (uint32_t)len / 2;
    else if (fails)
        op.len = 0;
    if (op.len > 0) {
        if (__real_pwrite(fd, op.bytes, op.len, pos) != (ssize_t)op.len)
            abort();
        host_did(&op);
    }
    free(op.bytes);
    if (fails) {
        errno = code;
        return -1;
    }
    if (!f->dsync)
        return (ssize_t)len;
    if (host_trace() != NULL)
        sync.target = host_trace()->count - 1;
    /* To die here is to die with the write on its way to the disk. */
    if (host_gate(&sync, false) < 0) {
        code = errno;
        sync.kind = OP_SYNC_FAILED;
        host_did(&sync);
        errno = code;
        return -1;
    }
    host_did(&sync);
    return (ssize_t)len;
}

ssize_t
__wrap_pwrite(int fd, const void *bytes, size_t len, off_t pos)
{
    const struct host_fd *f = host_fd(fd);

    if (f == NULL || !f->watched)
        return __real_pwrite(fd, bytes, len, pos);
    return write_watched(fd, f, bytes, len, pos);
}

ssize_t
__wrap_pwritev(int fd, const struct iovec *iov, int count, off_t pos)
{
    const struct host_fd *f = host_fd(fd);
    size_t len = 0, at = 0;
    uint8_t *all;
    ssize_t rc;

    if (f == NULL || !f->watched)
        return __real_pwritev(fd, iov, count, pos);
    for (int i = 0; i < count; i++)
        len += iov[i].iov_len;
    all = xmalloc(len + 1);
    for (int i = 0; i < count; i++) {
        memcpy(all + at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    rc = write_watched(fd, f, all, len, pos);
    free(all);
    return rc;
}

ssize_t
__wrap_write(int fd, const void *bytes, size_t len)
{
    const struct host_fd *f = host_fd(fd);
    ssize_t rc;
    off_t at;

    if (host_drops(fd))
        return (ssize_t)len;
    if (f == NULL || !f->watched)
        return __real_write(fd, bytes, len);
    at = lseek(fd, 0, SEEK_CUR);
    rc = write_watched(fd, f, bytes, len, at);
    if (rc > 0)
        lseek(fd, at + rc, SEEK_SET);
    return rc;
}

ssize_t
__wrap_writev(int fd, const struct iovec *iov, int count)
{
    const struct host_fd *f = host_fd(fd);
    ssize_t rc;
    off_t at;

    if (f == NULL || !f->watched)
        return __real_writev(fd, iov, count);
    at = lseek(fd, 0, SEEK_CUR);
    rc = __wrap_pwritev(fd, iov, count, at);
    if (rc > 0)
        lseek(fd, at + rc, SEEK_SET);
    return rc;
}

int
__wrap_ftruncate(int fd, off_t size)
{
    const struct host_fd *f = host_fd(fd);
    struct op op = {.kind = OP_RESIZE, .dir = NO_INODE,
        .pos = (uint64_t)size};

    if (f == NULL || !f->watched)
        return __real_ftruncate(fd, size);
    op.inode = f->inode;
    if (op.pos == image_size(host_live(), f->inode))
        return 0;
    if (host_gate(&op, op.pos > image_size(host_live(), f->inode)) < 0)
        return -1;
    if (__real_ftruncate(fd, size) < 0)
        abort();
    host_did(&op);
    return 0;
}

int
__wrap_posix_fallocate(int fd, off_t pos, off_t len)
{
    const struct host_fd *f = host_fd(fd);

    if (f == NULL || !f->watched)
        return __real_posix_fallocate(fd, pos, len);
    if ((uint64_t)(pos + len) <= image_size(host_live(), f->inode))
        return 0;
    return __wrap_ftruncate(fd, pos + len) < 0 ? errno : 0;
}

static int
sync_watched(int fd, int (*real)(int))
{
    const struct host_fd *f = host_fd(fd);
    struct op op = {.kind = OP_SYNC, .dir = NO_INODE};

    if (f == NULL || !f->watched)
        return real(fd);
    op.inode = f->inode;
    if (host_gate(&op, false) < 0) {
        int code = errno;

        op.kind = OP_SYNC_FAILED;
        host_did(&op);
        errno = code;
        return -1;
    }
    host_did(&op);
    return 0;
}

int
__wrap_fdatasync(int fd)
{
    return sync_watched(fd, __real_fdatasync);
}

int
__wrap_fsync(int fd)
{
    return sync_watched(fd, __real_fsync);
}

/* ---- descriptors ---- */

int
__wrap_close(int fd)
{
    struct host_fd *f = host_fd(fd);

    if (f != NULL)
        f->used = false;
    return __real_close(fd);
}

int
__wrap_eventfd(unsigned initial, int flags)
{
    int fd = __real_eventfd(initial, flags);

    if (fd >= 0)
        host_fd_set(fd, NO_INODE, false, false);
    return fd;
}

void
host_kill(void)
{
    for (int fd = 0; fd < HOST_FDS; fd++)
        if (host_fd(fd) != NULL)
            __wrap_close(fd);
}
