/* child.c: see child.h. */
#include "config.h"

#include "bench/child.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>


enum { READY_FD = 3, READY_MS = 60000, STOP_MS = 60000, ARGS_MAX = 24 };

const struct ps_app child_no_apps[] = {{NULL, NULL, NULL}};

/* ---- its start ---------------------------------------------------------- */

struct words {
    char *v[ARGS_MAX];
    int n;
};

static void
word(struct words *w, const char *text)
{
    if (w->n < ARGS_MAX - 1)
        w->v[w->n++] = (char *)(uintptr_t)text;
    w->v[w->n] = NULL;
}

static void
words_of(struct words *w, const struct bench *b, const struct child *c,
    char *partitions, char *threads)
{
    snprintf(partitions, 24, "%lld", (long long)b->partitions);
    snprintf(threads, 24, "%lld", (long long)b->threads);
    word(w, "penstock");
    word(w, "serve");
    word(w, "--data");
    word(w, c->data);
    word(w, "--listen");
    word(w, "127.0.0.1:0");
    word(w, "--http");
    word(w, "127.0.0.1:0");
    word(w, "--ready-fd");
    word(w, "3");
    word(w, "--durability");
    word(w, b->durability);
    word(w, "--partitions");
    word(w, partitions);
    word(w, "--threads");
    word(w, threads);
}

/* The rest of the child's life. */
static _Noreturn void
become(const struct child *c, struct words *w, const struct ps_app *apps,
    int ready, pid_t parent)
{
    char path[BENCH_PATH_MAX + 16];
    int log;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGINT, SIG_IGN);     /* Ctrl-C is for our parent, who stops us */
    signal(SIGTERM, SIG_DFL);
    snprintf(path, sizeof path, "%s.log", c->data);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log >= 0) {
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    if (ready != READY_FD) {
        dup2(ready, READY_FD);
        close(ready);
    } else {
        fcntl(ready, F_SETFD, 0);
    }
    close_range(READY_FD + 1, ~0u, 0);
    if (apps != NULL)
        _exit(penstock_main(w->n, w->v, apps));
    execv("/proc/self/exe", w->v);
    _exit(127);
}

/* "127.0.0.1:" and what follows, behind the member's name. */
static void
address_in(const char *line, const char *member, char *out)
{
    const char *at = strstr(line, member), *end;

    if (at != NULL)
        at = strstr(at, "127.0.0.1:");
    out[0] = '\0';
    if (at == NULL)
        return;
    end = at + strspn(at, "0123456789.:");
    snprintf(out, BENCH_NAME_MAX, "%.*s", (int)(end - at), at);
}

/* The last line that the child said. */
static void
last_words(const struct child *c, char *out, size_t room)
{
    char path[BENCH_PATH_MAX + 16], line[200];
    FILE *f;

    snprintf(out, room, "it said nothing");
    snprintf(path, sizeof path, "%s.log", c->data);
    f = fopen(path, "re");
    if (f == NULL)
        return;
    while (fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0')
            snprintf(out, room, "%s", line);
    }
    fclose(f);
}

static int
wait_ready(struct child *c, int fd, struct err *err)
{
    int64_t end = bench_now_ns() + (int64_t)READY_MS * 1000000;
    char line[1024], said[200];
    size_t len = 0;
    ssize_t n = 1;

    while (len < sizeof line - 1 && memchr(line, '\n', len) == NULL) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (bench_stopped(err) < 0)
            return -1;
        if (bench_now_ns() > end)
            return err_set(err, ETIMEDOUT, "the broker is not ready");
        if (poll(&p, 1, 100) <= 0)
            continue;
        n = read(fd, line + len, sizeof line - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    line[len] = '\0';
    address_in(line, "bootstrap", c->address);
    address_in(line, "http", c->http);
    if (c->address[0] != '\0')
        return 0;
    last_words(c, said, sizeof said);
    return err_set(err, ERR_FORMAT, "the broker did not start: %s", said);
}

int
child_start(struct child *c, struct bench *b, const char *name,
    const struct ps_app *apps, struct err *err)
{
    char partitions[24], threads[24];
    struct words w = {.n = 0};
    pid_t parent = getpid();
    int fds[2], rc;

    memset(c, 0, sizeof *c);
    snprintf(c->data, sizeof c->data, "%.*s/%.32s", BENCH_PATH_MAX - 40,
        b->dir, name);
    words_of(&w, b, c, partitions, threads);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_set(err, errno, "pipe");
    fflush(stdout);
    fflush(stderr);
    c->pid = fork();
    if (c->pid == 0)
        become(c, &w, apps, fds[1], parent);
    close(fds[1]);
    rc = c->pid < 0 ? err_set(err, errno, "fork") : wait_ready(c, fds[0], err);
    close(fds[0]);
    if (rc < 0)
        child_stop(c, SIGKILL);
    return rc;
}

int
child_start_or_use(struct child *c, struct bench *b, const char *name,
    struct err *err)
{
    if (!b->on_peer && b->bootstrap == NULL)
        return child_start(c, b, name, child_no_apps, err);
    memset(c, 0, sizeof *c);
    c->foreign = true;
    c->flush = b->on_peer && b->against_flush;
    c->pid = b->on_peer ? (pid_t)b->against_pid : 0;
    snprintf(c->address, sizeof c->address, "%s",
        b->on_peer ? b->against : b->bootstrap);
    return 0;
}

/* ---- its end ------------------------------------------------------------ */

void
child_stop(struct child *c, int sig)
{
    int64_t end = bench_now_ns() + (int64_t)STOP_MS * 1000000;
    struct timespec nap = {.tv_nsec = 2000000};

    if (c->pid <= 0 || c->foreign)
        return;
    kill(c->pid, sig);
    while (waitpid(c->pid, NULL, WNOHANG) == 0) {
        if (bench_now_ns() > end)
            kill(c->pid, SIGKILL);
        nanosleep(&nap, NULL);
    }
    c->pid = 0;
}

/* ---- what it uses ------------------------------------------------------- */

int64_t
child_cpu_ns(const struct child *c)
{
    struct timespec t;
    clockid_t clock;

    if (c->pid <= 0 || clock_getcpuclockid(c->pid, &clock) != 0
        || clock_gettime(clock, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t
child_memory(const struct child *c)
{
    char path[64], line[128];
    long long kib = 0;
    FILE *f;

    if (c->pid <= 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)c->pid);
    f = fopen(path, "re");
    if (f == NULL)
        return 0;
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "RssAnon: %lld", &kib) == 1)
            break;
    }
    fclose(f);
    return kib * 1024;
}

/* ---- folders ------------------------------------------------------------ */

int
folder_make(struct bench *b, const char *under, struct err *err)
{
    const char *tmp = getenv("TMPDIR");

    if (under == NULL)
        under = tmp != NULL && tmp[0] != '\0' ? tmp : "/var/tmp";
    if (strlen(under) > BENCH_PATH_MAX - 80)
        return err_set(err, ERR_USAGE, "the path of --dir is too long");
    snprintf(b->dir, sizeof b->dir, "%s/penstock-bench-XXXXXX", under);
    if (mkdtemp(b->dir) != NULL)
        return 0;
    err_set(err, errno, "make a folder in %s", under);
    b->dir[0] = '\0';
    return -1;
}

static void
each_file(const char *path, void (*fn)(const FTSENT *))
{
    char *paths[] = {(char *)(uintptr_t)path, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    FTSENT *e;

    if (tree == NULL)
        return;
    while ((e = fts_read(tree)) != NULL)
        fn(e);
    fts_close(tree);
}

static void
remove_one(const FTSENT *e)
{
    if (e->fts_info == FTS_DP)
        rmdir(e->fts_accpath);
    else if (e->fts_info != FTS_D)
        unlink(e->fts_accpath);
}

void
folder_remove(const char *path)
{
    if (path[0] != '\0')
        each_file(path, remove_one);
}

static void
forget_one(const FTSENT *e)
{
    int fd;

    if (e->fts_info != FTS_F)
        return;
    fd = open(e->fts_accpath, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);                   /* what is dirty would stay */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

void
folder_forget(const char *path)
{
    each_file(path, forget_one);
}
