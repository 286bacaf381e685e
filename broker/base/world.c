/*
 * The real world. Signals may interrupt any call, so each is begun again; a
 * write that stops short goes on where it stopped.
 */
#include "config.h"
#include "base/world.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

static int64_t
real_mono_ns(struct world *w)
{
    struct timespec ts;

    must(clock_gettime(CLOCK_MONOTONIC, &ts));
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t
real_wall_ms(struct world *w)
{
    struct timespec ts;

    must(clock_gettime(CLOCK_REALTIME, &ts));
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
real_random(struct world *w, void *p, size_t n)
{
    uint8_t *to = p;

    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        assert(got > 0);                 /* it has no other way to fail */
        to += got;
        n -= (size_t)got;
    }
}

/* Runs `call` until it is not interrupted. */
#define uninterrupted(rc, call)                                                \
    do                                                                         \
        (rc) = (call);                                                         \
    while ((rc) < 0 && errno == EINTR)

static int
real_open(struct world *w, const char *path, int flags, mode_t mode)
{
    int fd;

    uninterrupted(fd, open(path, flags | O_CLOEXEC, mode));
    return fd;
}

/* Linux has closed the descriptor even when it says EINTR: trying again
 * could close one that another thread has opened since. */
static int
real_close(struct world *w, int fd)
{
    return close(fd) < 0 && errno != EINTR ? -1 : 0;
}

static int
real_pwrite(struct world *w, int fd, const void *p, size_t n, off_t pos)
{
    struct iovec one = {(void *)(uintptr_t)p, n};

    return w->ops->pwritev(w, fd, &one, 1, pos);
}

/* Drops `done` bytes at the front of the vector. */
static void
iov_advance(struct iovec **iov, int *count, size_t done)
{
    while (*count > 0 && done >= (*iov)->iov_len) {
        done -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (done > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + done;
        (*iov)->iov_len -= done;
    }
}

static int
real_pwritev(struct world *w, int fd, struct iovec *iov, int count, off_t pos)
{
    iov_advance(&iov, &count, 0);        /* empty ones at the front */
    while (count > 0) {
        ssize_t n;

        uninterrupted(n,
            pwritev(fd, iov, count > IOV_MAX ? IOV_MAX : count, pos));
        if (n < 0)
            return -1;
        if (n == 0) {                    /* a file has no reason to do so */
            errno = EIO;
            return -1;
        }
        pos += n;
        iov_advance(&iov, &count, (size_t)n);
    }
    return 0;
}

static ssize_t
real_pread(struct world *w, int fd, void *p, size_t n, off_t pos)
{
    size_t done = 0;

    while (done < n) {
        ssize_t got;

        uninterrupted(got,
            pread(fd, (uint8_t *)p + done, n - done, pos + (off_t)done));
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* An interrupted sync has not reported failure of a write, so it may be
 * begun again. Any other error is final: see broker/plog/README.md. */
static int
real_fdatasync(struct world *w, int fd)
{
    int rc;

    uninterrupted(rc, fdatasync(fd));
    return rc;
}

static int
real_fsync(struct world *w, int fd)
{
    int rc;

    uninterrupted(rc, fsync(fd));
    return rc;
}

static int
real_ftruncate(struct world *w, int fd, off_t size)
{
    int rc;

    uninterrupted(rc, ftruncate(fd, size));
    return rc;
}

static int
real_rename(struct world *w, const char *from, const char *to)
{
    return rename(from, to);
}

static int
real_unlink(struct world *w, const char *path)
{
    return unlink(path);
}

static int
real_mkdir(struct world *w, const char *path, mode_t mode)
{
    return mkdir(path, mode);
}

static int
real_rmdir(struct world *w, const char *path)
{
    return rmdir(path);
}

struct world *
world_real(void)
{
    static const struct world_ops ops = {
        .mono_ns = real_mono_ns,
        .wall_ms = real_wall_ms,
        .random = real_random,
        .open = real_open,
        .close = real_close,
        .pwrite = real_pwrite,
        .pwritev = real_pwritev,
        .pread = real_pread,
        .fdatasync = real_fdatasync,
        .fsync = real_fsync,
        .ftruncate = real_ftruncate,
        .rename = real_rename,
        .unlink = real_unlink,
        .mkdir = real_mkdir,
        .rmdir = real_rmdir,
    };
    static struct world real = {&ops, NULL};

    return &real;
}
