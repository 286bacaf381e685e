/* The real world's files and clocks, in a folder of the test's own. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/world.h"

static char folder[] = "world-test.XXXXXX";

static const char *
path_of(const char *name)
{
    static char path[2][200];
    static unsigned turn;

    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void
files_keep_what_is_written(void **state)
{
    struct world *w = world_real();
    const struct world_ops *ops = w->ops;
    int fd = ops->open(w, path_of("a"), O_RDWR | O_CREAT, 0600);
    uint8_t back[20];
    struct stat st;

    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(ops->pwrite(w, fd, "0123456789", 10, 5), 0);
    assert_int_equal(ops->pwrite(w, fd, "", 0, 5), 0);
    assert_int_equal(ops->pread(w, fd, back, 4, 7), 4);
    assert_memory_equal(back, "2345", 4);
    assert_int_equal(ops->pread(w, fd, back, 20, 10), 5);
    assert_int_equal(ops->pread(w, fd, back, 20, 100), 0);
    assert_int_equal(ops->ftruncate(w, fd, 7), 0);
    assert_int_equal(ops->fdatasync(w, fd), 0);
    assert_int_equal(ops->fsync(w, fd), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 7);
    assert_int_equal(ops->close(w, fd), 0);
    assert_int_equal(ops->rename(w, path_of("a"), path_of("b")), 0);
    assert_int_equal(ops->open(w, path_of("a"), O_RDWR, 0), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(ops->unlink(w, path_of("b")), 0);
}

static void
folders(void **state)
{
    struct world *w = world_real();
    int fd;

    assert_int_equal(w->ops->mkdir(w, path_of("d"), 0700), 0);
    assert_int_equal(w->ops->mkdir(w, path_of("d"), 0700), -1);
    assert_int_equal(errno, EEXIST);
    fd = w->ops->open(w, path_of("d"), O_RDONLY | O_DIRECTORY, 0);
    assert_true(fd >= 0);
    assert_int_equal(w->ops->fsync(w, fd), 0);
    assert_int_equal(w->ops->close(w, fd), 0);
    assert_int_equal(w->ops->rmdir(w, path_of("d")), 0);
}

/* More vectors than one call takes, empty ones among them. */
static void
pwritev_takes_any_count(void **state)
{
    enum { COUNT = 3000 };
    static struct iovec iov[COUNT];
    static char bytes[COUNT];
    static char back[COUNT];
    struct world *w = world_real();
    int fd = w->ops->open(w, path_of("v"), O_RDWR | O_CREAT, 0600);
    size_t total = 0;

    for (size_t i = 0; i < COUNT; i++) {
        bytes[i] = (char)('a' + i % 26);
        iov[i] = (struct iovec){bytes + total, i % 7 == 0 ? 0 : 1};
        total += i % 7 != 0;
    }
    assert_int_equal(w->ops->pwritev(w, fd, iov, COUNT, 3), 0);
    assert_int_equal(w->ops->pread(w, fd, back, COUNT, 3), (ssize_t)total);
    assert_memory_equal(back, bytes, total);
    assert_int_equal(w->ops->close(w, fd), 0);
    assert_int_equal(w->ops->unlink(w, path_of("v")), 0);
}

static volatile sig_atomic_t rings;

static void
ring(int sig)
{
    rings++;
}

/* A pipe refuses positions: errors other than EINTR come through. */
static void
errors_come_through(void **state)
{
    struct world *w = world_real();
    int fds[2];
    char byte;

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(w->ops->pwrite(w, fds[1], "x", 1, 0), -1);
    assert_int_equal(errno, ESPIPE);
    assert_int_equal(w->ops->pread(w, fds[0], &byte, 1, 0), -1);
    assert_int_equal(errno, ESPIPE);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(w->ops->close(w, fds[0]), -1);
    assert_int_equal(errno, EBADF);
}

/* Opening a FIFO waits for the other end; the timer's signals interrupt it
 * until the handler has run often enough, then the other end is opened. */
static void
open_survives_signals(void **state)
{
    struct world *w = world_real();
    struct sigaction act = {.sa_handler = ring}, old;
    struct itimerval every = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
    pid_t child;
    int fd;

    assert_int_equal(mkfifo(path_of("f"), 0600), 0);
    rings = 0;
    sigaction(SIGALRM, &act, &old);
    child = fork();
    if (child == 0) {                    /* setitimer is not inherited */
        sigset_t mask;

        setitimer(ITIMER_REAL, &every, NULL);
        sigemptyset(&mask);
        while (rings < 10)
            sigsuspend(&mask);
        _exit(open(path_of("f"), O_WRONLY) < 0);
    }
    setitimer(ITIMER_REAL, &every, NULL);
    fd = w->ops->open(w, path_of("f"), O_RDONLY, 0);
    setitimer(ITIMER_REAL, &off, NULL);
    assert_true(fd >= 0);
    assert_true(rings > 0);
    assert_int_equal(w->ops->close(w, fd), 0);
    sigaction(SIGALRM, &old, NULL);
    assert_int_equal(w->ops->unlink(w, path_of("f")), 0);
}

static void
clocks_and_randomness(void **state)
{
    struct world *w = world_real();
    int64_t a = world_mono_ns(w), b = world_mono_ns(w);
    uint8_t x[300] = {0}, y[300] = {0};

    assert_true(b >= a);
    assert_true(world_wall_ms(w) > INT64_C(1700000000000));
    world_random(w, x, sizeof x);
    world_random(w, y, sizeof y);
    assert_memory_not_equal(x, y, sizeof x);
    assert_ptr_equal(world_real(), w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_keep_what_is_written),
        cmocka_unit_test(folders),
        cmocka_unit_test(pwritev_takes_any_count),
        cmocka_unit_test(errors_come_through),
        cmocka_unit_test(open_survives_signals),
        cmocka_unit_test(clocks_and_randomness),
    };
    int failed;

    if (mkdtemp(folder) == NULL)
        return 99;
    failed = cmocka_run_group_tests_name("world", tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
