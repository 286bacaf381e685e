#include "config.h"

#include "loopfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "rig.h"

/* linux/ext4.h of newer kernels has these (EXT4_IOC_SHUTDOWN). */
#define SHUTDOWN _IOR('X', 125, uint32_t)
enum { SHUTDOWN_LOGFLUSH = 1, SHUTDOWN_NOLOGFLUSH = 2 };

enum { PATIENCE_MS = 10000, PIECE = 1 << 20 };

/* Runs a program without its words; its status, 127 if there is none. */
static int
run(const char *const *args)
{
    pid_t pid;
    int status;

    fflush(stdout);
    pid = fork();
    assert(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, 1);
        dup2(null, 2);
        execvp(args[0], (char **)(uintptr_t)args);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int
try_mount(struct loopfs *f)
{
    const char *args[] = {"mount", "-t", "ext4", "-o", "loop", f->image,
        f->path, NULL};
    int rc = run(args);

    f->mounted = rc == 0;
    return rc;
}

/* A machine that lacks something leaves nothing behind. */
static _Noreturn void
give_up(struct loopfs *f, const char *top, const char *why, int code)
{
    loopfs_release(f);
    rmdir(top);
    skip_all("%s: %s", why, strerror(code));
}

/* However the test ends, no disk of it stays. */
static char image_made[300];

static void
image_remove(void)
{
    if (image_made[0] != '\0')
        unlink(image_made);
}

void
loopfs_init(struct loopfs *f, const char *top, unsigned mib)
{
    const char *format[] = {"mke2fs", "-q", "-F", "-t", "ext4", "-m", "0",
        "-E", "lazy_itable_init=0,lazy_journal_init=0", f->image, NULL};
    int fd, rc;

    memset(f, 0, sizeof *f);
    snprintf(f->image, sizeof f->image, "%s/ext4.img", top);
    snprintf(f->path, sizeof f->path, "%s/ext4", top);
    setenv("PATH", "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:"
        "/bin", 1);
    if (mkdir(f->path, 0700) < 0)
        bail("no folder %s", f->path);
    if (unshare(CLONE_NEWNS) < 0
        || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        give_up(f, top, "no mount namespace of its own", errno);
    fd = open(f->image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)mib << 20) < 0)
        bail("no image %s", f->image);
    close(fd);
    memcpy(image_made, f->image, sizeof image_made);
    atexit(image_remove);
    rc = run(format);
    if (rc != 0)
        give_up(f, top, "mke2fs makes no ext4", rc == 127 ? ENOENT : EINVAL);
    rc = try_mount(f);
    if (rc != 0)
        give_up(f, top, "no loop mount here", rc == 127 ? ENOENT : EPERM);
}

void
loopfs_mount(struct loopfs *f)
{
    int rc = try_mount(f);

    if (rc != 0)
        bail("%s is not mounted again: status %d", f->image, rc);
}

void
loopfs_unmount(struct loopfs *f)
{
    int64_t end = now_ms() + PATIENCE_MS;

    /* The kernel lets go of a dead process's files a moment after. */
    while (umount2(f->path, 0) < 0) {
        if (errno != EBUSY || now_ms() > end)
            bail("umount %s: %s", f->path, strerror(errno));
        usleep(1000);
    }
    f->mounted = false;
}

void
loopfs_cut(struct loopfs *f, bool flushed)
{
    uint32_t how = flushed ? SHUTDOWN_LOGFLUSH : SHUTDOWN_NOLOGFLUSH;
    int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert(fd >= 0);
    if (ioctl(fd, SHUTDOWN, &how) < 0) {
        int code = errno;

        close(fd);
        if (code != ENOTTY && code != EOPNOTSUPP && code != EPERM)
            bail("the power does not go: %s", strerror(code));
        printf("1..0 # SKIP ext4 does not shut down here: %s\n",
            strerror(code));
        exit(0);
    }
    close(fd);
}

static void
eat_path(const struct loopfs *f, char *path, size_t size)
{
    snprintf(path, size, "%s/eaten", f->path);
}

void
loopfs_eat(struct loopfs *f)
{
    char path[600], *piece = xcalloc(1, PIECE);
    size_t size = PIECE;
    int fd;

    eat_path(f, path, sizeof path);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        bail("%s: %s", path, strerror(errno));
    while (size >= 512) {
        ssize_t n = write(fd, piece, size);

        if (n < 0 && errno != ENOSPC)
            bail("%s: %s", path, strerror(errno));
        if (n < (ssize_t)size)
            size /= 2;
    }
    fsync(fd);
    close(fd);
    free(piece);
}

void
loopfs_spit(struct loopfs *f)
{
    char path[600];

    eat_path(f, path, sizeof path);
    unlink(path);
}

uint64_t
loopfs_room(const struct loopfs *f)
{
    struct statvfs v;

    return statvfs(f->path, &v) < 0 ? 0
        : (uint64_t)v.f_bavail * v.f_frsize;
}

void
loopfs_release(struct loopfs *f)
{
    if (f->mounted)
        loopfs_unmount(f);
    unlink(f->image);
    rmdir(f->path);
}
