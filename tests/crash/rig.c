#include "config.h"

#include "rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

enum { READY_MS = 30000, READY_FD = 3 };

static int checks, failures;

/* ---- TAP ---- */

void
check(bool good, const char *fmt, ...)
{
    va_list ap;

    printf("%sok %d - ", good ? "" : "not ", ++checks);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    failures += !good;
    fflush(stdout);
}

void
bail(const char *fmt, ...)
{
    va_list ap;

    printf("Bail out! ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    exit(99);
}

void
skip_all(const char *fmt, ...)
{
    va_list ap;

    printf("1..0 # SKIP ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    exit(0);
}

int64_t
now_ms(void)
{
    struct timespec ts;

    must(clock_gettime(CLOCK_MONOTONIC, &ts));
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

long
setting(const char *name, long otherwise)
{
    const char *text = getenv(name);

    return text == NULL || *text == '\0' ? otherwise
        : strtol(text, NULL, 10);
}

/* ---- life ---- */

unsigned
rig_draw(struct rig *r, unsigned n)
{
    r->rng ^= r->rng << 13;
    r->rng ^= r->rng >> 7;
    r->rng ^= r->rng << 17;
    return (unsigned)(r->rng % n);
}

void
rig_init(struct rig *r, const char *name)
{
    const char *seed = getenv("PENSTOCK_SEED");
    const char *build = getenv("top_builddir"), *tmp = getenv("TMPDIR");
    unsigned pid = (unsigned)getpid();

    memset(r, 0, sizeof *r);
    r->rng = seed != NULL ? strtoull(seed, NULL, 0)
                          : (uint64_t)time(NULL) * 2654435761u + pid;
    printf("# PENSTOCK_SEED=%llu\n", (unsigned long long)r->rng);
    r->rng |= UINT64_C(1) << 63; /* it must not be 0 */
    snprintf(r->binary, sizeof r->binary, "%s/penstock",
        build == NULL ? "." : build);
    if (access(r->binary, X_OK) < 0)
        skip_all("%s is not built", r->binary);
    snprintf(r->top, sizeof r->top, "%.200s/penstock-%.20s.XXXXXX",
        tmp != NULL ? tmp : "/tmp", name);
    if (mkdtemp(r->top) == NULL)
        bail("no folder %s", r->top);
    snprintf(r->data, sizeof r->data, "%s/data", r->top);
    snprintf(r->address, sizeof r->address, "127.%u.%u.%u:0",
        1 + pid % 250, pid / 250 % 250, 1 + rig_draw(r, 250));
}

static _Noreturn void
rig_exec(const struct rig *r, int ready)
{
    char http[40];
    const char *args[32] = {r->binary, "serve", "--data", r->data, "--listen",
        r->address, "--http", http, "--ready-fd", "3", "--partitions", "4",
        "--die-with-parent"};
    size_t n = 0;

    while (args[n] != NULL)
        n++;
    for (size_t i = 0; i < countof(r->more) && r->more[i] != NULL; i++)
        args[n++] = r->more[i];
    snprintf(http, sizeof http, "%.*s:0",
        (int)strcspn(r->address, ":"), r->address);
    dup2(ready, READY_FD);
    execv(r->binary, (char **)(uintptr_t)args);
    _exit(127);
}

/* The text behind the name in the line that says it is ready. */
static bool
line_text(const char *line, const char *name, char *to, size_t size)
{
    const char *at = strstr(line, name), *end;

    if (at == NULL)
        return false;
    at += strlen(name);
    end = strchr(at, '"');
    if (end == NULL || (size_t)(end - at) >= size)
        return false;
    memcpy(to, at, (size_t)(end - at));
    to[end - at] = '\0';
    return true;
}

/* Forks; what it says when it is ready goes to `ready`. */
static void
rig_fork(struct rig *r, int ready)
{
    fflush(stdout);
    r->pid = fork();
    assert(r->pid >= 0);
    if (r->pid == 0)
        rig_exec(r, ready);
}

void
rig_launch(struct rig *r)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    assert(null >= 0);
    rig_fork(r, null);
    close(null);
}

static bool
rig_try(struct rig *r, int64_t until)
{
    char line[512] = "";
    int fds[2];
    ssize_t n = 0;
    struct pollfd p;

    assert(pipe2(fds, O_CLOEXEC) == 0);
    rig_fork(r, fds[1]);
    close(fds[1]);
    p = (struct pollfd){.fd = fds[0], .events = POLLIN};
    if (poll(&p, 1, (int)(until - now_ms())) > 0)
        n = read(fds[0], line, sizeof line - 1);
    close(fds[0]);
    if (n > 0 && line_text(line, "\"bootstrap\":\"", r->address,
            sizeof r->address)
        && line_text(line, "\"http\":\"http://", r->http, sizeof r->http))
        return true;
    rig_kill(r, SIGKILL);
    return false;
}

void
rig_start(struct rig *r)
{
    int64_t began = now_ms(), took;

    while (!rig_try(r, began + READY_MS))
        if (now_ms() > began + READY_MS)
            bail("it does not start: %s on %s", r->data, r->address);
    took = now_ms() - began;
    if (took > r->slowest_ms)
        r->slowest_ms = took;
}

int
rig_kill(struct rig *r, int sig)
{
    int status = 0;

    if (r->pid == 0)
        return 0;
    kill(r->pid, sig);
    waitpid(r->pid, &status, 0);
    r->pid = 0;
    return status;
}

bool
rig_lives(struct rig *r)
{
    int status;

    if (r->pid != 0 && waitpid(r->pid, &status, WNOHANG) == r->pid)
        r->pid = 0;
    return r->pid != 0;
}

void
rig_stop(struct rig *r)
{
    int status = rig_kill(r, SIGTERM);

    check(WIFEXITED(status) && WEXITSTATUS(status) == 0,
        "it ends cleanly (%s %d)", WIFEXITED(status) ? "status" : "signal",
        WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

int
rig_end(struct rig *r)
{
    char cmd[512];

    printf("1..%d\n", checks);
    rig_kill(r, SIGKILL);
    if (failures == 0) {
        snprintf(cmd, sizeof cmd, "rm -rf %s", r->top);
        assert(system(cmd) == 0);
    } else {
        printf("# what it left: %s\n", r->top);
    }
    return failures > 0;
}

/* ---- what it says ---- */

long
rig_memory(const struct rig *r)
{
    char path[64], line[256];
    long kb = -1;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)r->pid);
    f = fopen(path, "r");
    while (f != NULL && kb < 0 && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "RssAnon:", 8) == 0)
            kb = strtol(line + 8, NULL, 10);
    if (f != NULL)
        fclose(f);
    return kb;
}

int
rig_run(const struct rig *r, const char *const *args)
{
    const char *all[16] = {r->binary};
    int status, n = 1;
    pid_t pid;

    for (; *args != NULL; args++) {
        assert(n < 15);
        all[n++] = *args;
    }
    fflush(stdout);
    pid = fork();
    assert(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, 0);
        dup2(null, 1);
        execv(r->binary, (char **)(uintptr_t)all);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool
rig_says(const struct rig *r, const char *path, const char *words)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    char text[8192], host[64];
    const char *colon = strchr(r->http, ':');
    struct timeval wait = {.tv_sec = 5};
    size_t have = 0;
    void *p = &to;
    ssize_t n;
    int fd;

    if (colon == NULL)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - r->http), r->http);
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    inet_pton(AF_INET, host, &to.sin_addr);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    n = snprintf(text, sizeof text,
        "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        path);
    if (connect(fd, p, sizeof to) == 0
        && send(fd, text, (size_t)n, MSG_NOSIGNAL) == n)
        while (have + 1 < sizeof text && (n = recv(fd, text + have,
                    sizeof text - 1 - have, 0)) > 0)
            have += (size_t)n;
    close(fd);
    text[have] = '\0';
    return strstr(text, words) != NULL;
}
