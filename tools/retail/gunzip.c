/*
 * gunzip.c: see gunzip.h.
 *
 * Who stops reading early closes the pipe, and the thread ends by EPIPE: the
 * signal that goes with it is blocked in the thread.
 */
#include "config.h"

#include "retail/gunzip.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/thread.h"

enum { CHUNK = 64 << 10 };

struct gunzip {
    gzFile file;
    int from, to;                /* the pipe; `to` is the thread's */
    pthread_t thread;
    char *path;
    struct err err;              /* the thread's, until it has ended */
};

static int
put_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t did = write(fd, p, n);

        if (did < 0 && errno == EINTR)
            continue;
        if (did < 0)
            return -1;
        p += did;
        n -= (size_t)did;
    }
    return 0;
}

static void *
gunzip_thread(void *arg)
{
    struct gunzip *g = arg;
    char *chunk = xmalloc(CHUNK);
    const char *why;
    int n, code;

    thread_name("penstock-gunzip");
    while ((n = gzread(g->file, chunk, CHUNK)) > 0) {
        if (put_all(g->to, chunk, (size_t)n) != 0)
            break;
    }
    if (n <= 0) {
        why = gzerror(g->file, &code);
        if (n < 0 || code == Z_BUF_ERROR)
            err_set(&g->err, ERR_DAMAGE, "%s: %s", g->path, why);
    }
    close(g->to);
    free(chunk);
    return NULL;
}

struct gunzip *
gunzip_open(const char *path, struct err *err)
{
    struct gunzip *g = xcalloc(1, sizeof *g);
    int ends[2] = {-1, -1}, fd = open(path, O_RDONLY | O_CLOEXEC);
    sigset_t all, old;

    if (fd < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        err_set(err, errno, "%s", path);
        goto failed;
    }
    g->file = gzdopen(fd, "rb");
    if (g->file == NULL) {
        err_set(err, ENOMEM, "%s", path);
        goto failed;
    }
    g->from = ends[0];
    g->to = ends[1];
    g->path = xstrdup(path);
    sigfillset(&all);
    must(pthread_sigmask(SIG_BLOCK, &all, &old));
    must(pthread_create(&g->thread, NULL, gunzip_thread, g));
    must(pthread_sigmask(SIG_SETMASK, &old, NULL));
    return g;
failed:
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0)
            close(ends[i]);
    }
    if (fd >= 0)
        close(fd);
    free(g);
    return NULL;
}

int
gunzip_fd(const struct gunzip *g)
{
    return g->from;
}

int
gunzip_close(struct gunzip *g, struct err *err)
{
    int rc = 0;

    if (g == NULL)
        return 0;
    close(g->from);
    must(pthread_join(g->thread, NULL));
    gzclose_r(g->file);
    if (g->err.code != 0) {
        if (err != NULL)
            *err = g->err;
        rc = -1;
    }
    free(g->path);
    free(g);
    return rc;
}
