/* crew.c: processes that try many states. */
#include "config.h"

#include "crew.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "host.h"

/* ---- folders ---- */

/* With the whole path each: it is called for a folder of ours only. */
static void
folder_remove(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        char below[1024];
        int n = snprintf(below, sizeof below, "%s/%s", path, e->d_name);

        assert(n > 0 && (size_t)n < sizeof below);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (unlink(below) < 0)
            folder_remove(below);
    }
    if (d != NULL)
        closedir(d);
    rmdir(path);
}

static char *
folder_make(void)
{
    const char *tmp = getenv("TMPDIR");
    char path[512];
    int n;

    if (access("/dev/shm", W_OK) == 0)
        tmp = "/dev/shm";
    n = snprintf(path, sizeof path, "%s/penstock-crash.XXXXXX",
        tmp == NULL ? "/tmp" : tmp);
    assert(n > 0 && (size_t)n < sizeof path);
    if (mkdtemp(path) == NULL) {
        printf("Bail out! no folder %s: %s\n", path, strerror(errno));
        exit(99);
    }
    return xstrdup(path);
}

/* An empty one, watched from now on. */
static void
folder_begin(const struct crew *c, const char *name)
{
    char path[600];
    int n = snprintf(path, sizeof path, "%s/%s", c->folder, name);

    assert(n > 0 && (size_t)n < sizeof path);
    folder_remove(path);
    must(mkdir(path, 0700));
    host_open(path);
}

static void
folder_end(void)
{
    char *path = xstrdup(host_root());

    host_close();
    folder_remove(path);
    free(path);
}

uint64_t
crew_number(const char *arg, const char *name, uint64_t otherwise)
{
    if (arg == NULL && name != NULL)
        arg = getenv(name);
    return arg == NULL ? otherwise : strtoull(arg, NULL, 10);
}

/* ---- a unit ---- */

int
crew_fail(struct crew_unit *u, const char *fmt, ...)
{
    va_list ap;

    char text[CREW_TEXT];

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (u->first[0] == '\0')
        memcpy(u->first, text, sizeof text);
    if (getenv("PENSTOCK_TALK") != NULL) {
        printf("# %s\n", text);
        fflush(stdout);
    }
    return -1;
}

/* Has it found what it was asked for? */
static bool
crew_enough(const struct crew_unit *u)
{
    return u->failed > 0 && getenv("PENSTOCK_FIRST") != NULL;
}

/* Some states; the process ends with it. */
static void
crew_chunk(struct crew *c, unsigned unit, struct crew_unit *u)
{
    uint64_t until = u->next + c->chunk;

    if (until > u->end)
        until = u->end;
    while (u->next < until && !crew_enough(u)) {
        alarm(c->patience_s);
        if (c->state(c->arg, unit, u) < 0)
            u->failed++;
        u->done++;
        u->next++;
    }
    _exit(0);
}

/* The end of a process: in order, or by the state that was at hand. */
static void
crew_wait(struct crew_unit *u, pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        assert(errno == EINTR);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    if (WIFSIGNALED(status))
        crew_fail(u, "state %llu: signal %d (%s): %s",
            (unsigned long long)u->next, WTERMSIG(status),
            strsignal(WTERMSIG(status)), u->note);
    else
        crew_fail(u, "state %llu: exit status %d: %s",
            (unsigned long long)u->next, WEXITSTATUS(status), u->note);
    u->crashed++;
    u->failed++;
    u->done++;
    u->next++;
}

static void
crew_unit(struct crew *c, unsigned unit, struct crew_unit *u, unsigned slot)
{
    char name[32];

    snprintf(name, sizeof name, "%u-begin", slot);
    folder_begin(c, name);
    alarm(c->patience_s * 4);
    c->begin(c->arg, unit, u);
    alarm(0);
    folder_end();
    snprintf(name, sizeof name, "%u", slot);
    while (!u->broken && u->next < u->end && !crew_enough(u)) {
        pid_t pid = fork();

        assert(pid >= 0);
        if (pid == 0) {
            folder_begin(c, name);
            crew_chunk(c, unit, u);
        }
        crew_wait(u, pid);
    }
    _exit(0);
}

/* ---- the crew ---- */

static void
crew_begin(struct crew *c)
{
    struct rlimit files = {4096, 4096}, none = {0, 0};

    setrlimit(RLIMIT_NOFILE, &files);
    setrlimit(RLIMIT_CORE, &none);
    fflush(stdout);
    if (c->folder == NULL)
        c->folder = folder_make();
}

struct slot {
    pid_t pid;
    unsigned unit;
};

/* One unit's process has ended. Did the unit fail? */
static bool
crew_reap(struct crew *c, struct crew_unit *all, struct slot *slots)
{
    int status;
    pid_t pid = wait(&status);
    unsigned i = 0;
    struct crew_unit *u;
    bool bad;

    assert(pid > 0);
    while (slots[i].pid != pid)
        i++;
    slots[i].pid = 0;
    u = &all[slots[i].unit];
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        u->broken = true;
        snprintf(u->note, sizeof u->note, "its history failed: signal %d",
            WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    }
    bad = c->report(c->arg, slots[i].unit, u);
    fflush(stdout);
    return bad;
}

int
crew_run(struct crew *c, struct crew_unit **all)
{
    struct slot *slots = xcalloc(c->workers, sizeof *slots);
    unsigned running = 0, next = 0;
    int bad = 0;

    crew_begin(c);
    *all = mmap(NULL, (c->units + 1) * sizeof **all, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(*all != MAP_FAILED);
    while (next < c->units || running > 0) {
        unsigned i = 0;

        if (next == c->units || running == c->workers) {
            bad += crew_reap(c, *all, slots);
            running--;
            if (bad > 0 && getenv("PENSTOCK_FIRST") != NULL)
                next = c->units;
            continue;
        }
        while (slots[i].pid != 0)
            i++;
        slots[i].unit = next++;
        slots[i].pid = fork();
        assert(slots[i].pid >= 0);
        if (slots[i].pid == 0)
            crew_unit(c, slots[i].unit, &(*all)[slots[i].unit], i);
        running++;
    }
    folder_remove(c->folder);
    free(slots);
    return bad;
}

int
crew_run_one(struct crew *c, unsigned unit, uint64_t state)
{
    struct crew_unit *u = xcalloc(1, sizeof *u);
    int rc;

    crew_begin(c);
    folder_begin(c, "begin");
    c->begin(c->arg, unit, u);
    folder_end();
    u->next = state;
    if (u->broken) {
        printf("# %s\n", u->note);
        return -1;
    }
    folder_begin(c, "one");
    rc = c->state(c->arg, unit, u);
    if (u->first[0] != '\0')
        printf("# %s\n", u->first);
    printf("# the folder is left: %s\n", host_root());
    free(u);
    return rc;
}

int
crew_main(struct crew *c, struct crew_job *job, const char *name,
    uint64_t otherwise, int argc, char **argv)
{
    struct crew_unit *all;
    uint64_t count;

    job->program = argv[0];
    if (argc == 6 && strcmp(argv[1], "-r") == 0) {
        job->count = crew_number(argv[4], NULL, 0);
        job->seed = crew_number(argv[5], NULL, 0);
        job->talk = true;
        return crew_run_one(c, (unsigned)crew_number(argv[2], NULL, 0),
            crew_number(argv[3], NULL, 0)) < 0;
    }
    count = crew_number(argc > 1 ? argv[1] : NULL, name, otherwise);
    job->seed = crew_number(argc > 2 ? argv[2] : NULL, "PENSTOCK_SEED",
        20260101);
    job->count = (count + c->units - 1) / c->units;
    printf("1..%u\n# seed %llu\n", c->units,
        (unsigned long long)job->seed);
    return crew_run(c, &all) > 0;
}
