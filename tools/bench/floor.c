/* floor.c: see floor.h. */
#include "config.h"

#include "bench/floor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"

enum {
    FILE_BYTES = 64 << 20,
    WARM = 20,
    CACHE_BYTES = 256 << 20,
    CACHE_CHUNK = 1 << 20,
};

double
floor_rate(const struct histogram *h)
{
    return h->sum > 0 ? (double)h->count * 1e9 / (double)h->sum : 0;
}

/* ---- append ------------------------------------------------------------- */

struct spot {
    int fd;
    bool sync;                   /* each write needs an fdatasync */
    uint8_t *block;
    int64_t size;
};

/* The file is open with the flags of the durability; its bytes were written,
 * so that an append changes no metadata. */
static int
spot_open(struct spot *s, const struct bench *b, int64_t size, struct err *err)
{
    bool power = strcmp(b->durability, "process") != 0;
    char path[BENCH_PATH_MAX + 16];
    void *block;

    s->fd = -1;
    s->size = (size + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
    if (posix_memalign(&block, JOURNAL_BLOCK, (size_t)s->size) != 0)
        return err_set(err, ENOMEM, "a block of %lld", (long long)s->size);
    memset(block, 'b', (size_t)s->size);
    s->block = block;
    snprintf(path, sizeof path, "%s/floor", b->dir);
    s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->fd < 0)
        return err_set(err, errno, "open %s", path);
    for (int64_t at = 0; at + s->size <= FILE_BYTES; at += s->size) {
        if (pwrite(s->fd, block, (size_t)s->size, at) != s->size)
            return err_set(err, errno, "write %s", path);
    }
    if (fsync(s->fd) < 0)
        return err_set(err, errno, "sync %s", path);
    s->sync = power;
    if (power) {
        int fd = open(path, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);

        if (fd >= 0) {
            close(s->fd);
            s->fd = fd;
            s->sync = false;
        }
    }
    unlink(path);
    return 0;
}

static void
spot_close(struct spot *s)
{
    if (s->fd >= 0)
        close(s->fd);
    free(s->block);
}

static int
spot_append(struct spot *s, int64_t ms, struct histogram *h, struct err *err)
{
    int64_t end = bench_now_ns() + ms * 1000000, at = 0, t0, t1;

    for (int i = 0;; i++) {
        t0 = bench_now_ns();
        if (i >= WARM + 10 && t0 > end)
            return 0;
        if (bench_stopped(err) < 0)
            return -1;
        if (pwrite(s->fd, s->block, (size_t)s->size, at) != s->size
            || (s->sync && fdatasync(s->fd) < 0))
            return err_set(err, errno, "append");
        t1 = bench_now_ns();
        if (i >= WARM)
            histogram_add(h, (uint64_t)(t1 - t0));
        at += s->size;
        if (at + s->size > FILE_BYTES)
            at = 0;
    }
}

int
floor_append(const struct bench *b, int64_t block, int64_t ms,
    struct histogram *h, struct err *err)
{
    struct spot s = {.fd = -1};
    int rc;

    histogram_init(h);
    if (strcmp(b->durability, "memory") == 0)
        return 0;
    rc = spot_open(&s, b, block, err);
    if (rc == 0)
        rc = spot_append(&s, ms, h, err);
    spot_close(&s);
    return rc;
}

/* ---- two processes ------------------------------------------------------ */

struct twin {
    pid_t pid;
    int fd;
};

typedef void twin_fn(int fd, size_t there, size_t back);

static int
listener(struct sockaddr_in *a, struct err *err)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof *a;

    *a = (struct sockaddr_in){.sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd >= 0 && bind(fd, (struct sockaddr *)a, sizeof *a) == 0
        && listen(fd, 1) == 0
        && getsockname(fd, (struct sockaddr *)a, &len) == 0)
        return fd;
    err_set(err, errno, "listen on loopback");
    if (fd >= 0)
        close(fd);
    return -1;
}

static _Noreturn void
twin_child(int door, twin_fn *fn, size_t there, size_t back, pid_t parent)
{
    int one = 1, fd;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    fd = accept(door, NULL, NULL);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fd >= 0)
        fn(fd, there, back);
    _exit(0);
}

static int
twin_open(struct twin *t, twin_fn *fn, size_t there, size_t back,
    struct err *err)
{
    struct sockaddr_in a;
    pid_t parent = getpid();
    int door = listener(&a, err), one = 1;

    t->fd = -1;
    t->pid = -1;
    if (door < 0)
        return -1;
    fflush(stdout);
    fflush(stderr);
    t->pid = fork();
    if (t->pid == 0)
        twin_child(door, fn, there, back, parent);
    t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t->pid < 0 || t->fd < 0
        || connect(t->fd, (struct sockaddr *)&a, sizeof a) < 0)
        err_set(err, errno, "connect over loopback");
    else
        err = NULL;
    close(door);
    setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return err == NULL ? 0 : -1;
}

static void
twin_close(struct twin *t)
{
    if (t->fd >= 0)
        close(t->fd);
    if (t->pid > 0) {
        kill(t->pid, SIGKILL);
        waitpid(t->pid, NULL, 0);
    }
}

static bool
take_all(int fd, uint8_t *to, size_t n)
{
    ssize_t got;

    for (; n > 0; n -= (size_t)got) {
        got = recv(fd, to, n, MSG_WAITALL);
        if (got <= 0)
            return false;
    }
    return true;
}

/* ---- exchange ----------------------------------------------------------- */

static void
echo(int fd, size_t there, size_t back)
{
    uint8_t *bytes = xcalloc(1, there + back);

    while (take_all(fd, bytes, there)
        && send(fd, bytes, back, MSG_NOSIGNAL) == (ssize_t)back)
        continue;
}

int
floor_exchange(size_t there, size_t back, int64_t ms, struct histogram *h,
    struct err *err)
{
    int64_t end = bench_now_ns() + ms * 1000000, t0;
    uint8_t *bytes = xcalloc(1, there + back);
    struct twin t;
    int rc = twin_open(&t, echo, there, back, err);

    histogram_init(h);
    for (int i = 0; rc == 0 && (i < WARM + 10 || bench_now_ns() < end); i++) {
        t0 = bench_now_ns();
        if (bench_stopped(err) < 0)
            rc = -1;
        else if (send(t.fd, bytes, there, MSG_NOSIGNAL) != (ssize_t)there
            || !take_all(t.fd, bytes, back))
            rc = err_set(err, ECONNRESET, "an exchange over loopback");
        else if (i >= WARM)
            histogram_add(h, (uint64_t)(bench_now_ns() - t0));
    }
    twin_close(&t);
    free(bytes);
    return rc;
}

int
floor_ack(const struct bench *b, int64_t block, size_t there, size_t back,
    struct floor_ack *f, struct err *err)
{
    struct histogram append, exchange;
    double sum;

    if (floor_append(b, block, 400, &append, err) < 0
        || floor_exchange(there, back, 400, &exchange, err) < 0)
        return -1;
    f->p50 = (double)histogram_at(&append, 50)
        + (double)histogram_at(&exchange, 50);
    f->p99 = (double)histogram_at(&append, 99)
        + (double)histogram_at(&exchange, 99);
    sum = (double)exchange.sum / (double)exchange.count;
    if (append.count > 0)
        sum += (double)append.sum / (double)append.count;
    f->rate = 1e9 / sum;
    return 0;
}

/* ---- stream ------------------------------------------------------------- */

static void
pour(int fd, size_t chunk, size_t unused)
{
    uint8_t *bytes = xcalloc(1, chunk);

    while (send(fd, bytes, chunk, MSG_NOSIGNAL) > 0)
        continue;
}

static int64_t
cpu_of(pid_t pid)
{
    struct timespec t = {0};
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) == 0)
        clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int
floor_stream(size_t chunk, int64_t ms, struct floor_stream *f,
    struct err *err)
{
    int64_t begin = bench_now_ns(), end = begin + ms * 1000000, taken = 0;
    int64_t cpu = bench_cpu_ns();
    uint8_t *bytes = xcalloc(1, chunk);
    struct twin t;
    int rc = twin_open(&t, pour, chunk, 0, err);

    while (rc == 0 && bench_now_ns() < end) {
        if (bench_stopped(err) < 0)
            rc = -1;
        else if (!take_all(t.fd, bytes, chunk))
            rc = err_set(err, ECONNRESET, "a stream over loopback");
        taken += (int64_t)chunk;
    }
    if (rc == 0) {
        f->bytes_s = (double)taken * 1e9 / (double)(bench_now_ns() - begin);
        f->sent_ns = (double)cpu_of(t.pid) * 1024 / (double)taken;
        f->taken_ns = (double)(bench_cpu_ns() - cpu) * 1024 / (double)taken;
    }
    twin_close(&t);
    free(bytes);
    return rc;
}

/* ---- cache -------------------------------------------------------------- */

int
floor_cache(const struct bench *b, double *cpu_ns, struct err *err)
{
    uint8_t *bytes = xcalloc(1, CACHE_CHUNK);
    int64_t began, done = 0;
    char path[BENCH_PATH_MAX + 16];
    int fd, rc = 0;

    snprintf(path, sizeof path, "%s/cache", b->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    began = bench_cpu_ns();
    while (rc == 0 && done < CACHE_BYTES) {
        if (fd < 0 || write(fd, bytes, CACHE_CHUNK) != CACHE_CHUNK)
            rc = err_set(err, errno, "write %s", path);
        done += CACHE_CHUNK;
    }
    *cpu_ns = (double)(bench_cpu_ns() - began) * 1024 / CACHE_BYTES;
    if (fd >= 0)
        close(fd);
    unlink(path);
    free(bytes);
    return rc;
}
