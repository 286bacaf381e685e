/*
 * world.h: the world as a parameter: clocks, randomness, files. The process
 * has the real one; tests bring their own (a virtual clock, a seed, files
 * that record, fail or fill up). LMDB makes its own system calls, so its
 * folder is real in every world; crash tests wrap those calls at link time.
 *
 * All file functions return 0 (or what they say) or -1 with errno set; short
 * writes and EINTR are dealt with inside.
 */
#ifndef BASE_WORLD_H
#define BASE_WORLD_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

struct world;

struct world_ops {
    int64_t (*mono_ns)(struct world *);          /* runs while we run */
    int64_t (*wall_ms)(struct world *);          /* since 1970, may jump */
    void (*random)(struct world *, void *, size_t);

    int (*open)(struct world *, const char *path, int flags, mode_t);  /* fd */
    int (*close)(struct world *, int fd);
    /* All n bytes or -1. */
    int (*pwrite)(struct world *, int fd, const void *, size_t n, off_t);
    int (*pwritev)(struct world *, int fd, struct iovec *, int count, off_t);
    /* Bytes read: fewer than n only at the end of the file. */
    ssize_t (*pread)(struct world *, int fd, void *, size_t n, off_t);
    int (*fdatasync)(struct world *, int fd);
    int (*fsync)(struct world *, int fd);        /* folders, too */
    int (*ftruncate)(struct world *, int fd, off_t);
    int (*rename)(struct world *, const char *from, const char *to);
    int (*unlink)(struct world *, const char *path);
    int (*mkdir)(struct world *, const char *path, mode_t);
    int (*rmdir)(struct world *, const char *path);
};

struct world {
    const struct world_ops *ops;
    void *arg;                                   /* the implementation's */
};

/* The real one. One for the process is enough; it has no state. */
struct world *world_real(void);

#define world_mono_ns(w) ((w)->ops->mono_ns(w))
#define world_mono_us(w) ((w)->ops->mono_ns(w) / 1000)
#define world_wall_ms(w) ((w)->ops->wall_ms(w))
#define world_random(w, p, n) ((w)->ops->random(w, p, n))

#endif
