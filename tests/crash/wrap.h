/*
 * wrap.h: the system calls themselves, for those who must not be watched.
 * The linker gives them these names (--wrap).
 */
#ifndef CRASH_WRAP_H
#define CRASH_WRAP_H

#include <sys/types.h>
#include <sys/uio.h>

/* The calls that are redirected. */
#define WRAPPED(X)                                                             \
    X(int, open, (const char *, int, ...))                                     \
    X(int, close, (int))                                                       \
    X(ssize_t, pwrite, (int, const void *, size_t, off_t))                     \
    X(ssize_t, pwritev, (int, const struct iovec *, int, off_t))               \
    X(ssize_t, write, (int, const void *, size_t))                             \
    X(ssize_t, writev, (int, const struct iovec *, int))                       \
    X(int, fdatasync, (int))                                                   \
    X(int, fsync, (int))                                                       \
    X(int, ftruncate, (int, off_t))                                            \
    X(int, posix_fallocate, (int, off_t, off_t))                               \
    X(int, rename, (const char *, const char *))                               \
    X(int, unlink, (const char *))                                             \
    X(int, mkdir, (const char *, mode_t))                                      \
    X(int, rmdir, (const char *))                                              \
    X(int, eventfd, (unsigned, int))

#define X(type, name, args)                                                    \
    type __real_##name args;                                                   \
    type __wrap_##name args;
WRAPPED(X)
#undef X

#endif
