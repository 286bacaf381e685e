/* redis.c: a peer that many know, beside us in the same run: Redis, which
 * commits in groups in one thread, with appendfsync always. Nothing of it is
 * linked; it is started if it is installed. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/world.h"
#include "bench/pump.h"

enum { START_MS = 5000 };

/* A port that was free a moment ago. */
static int
free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0;

    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0
        && getsockname(fd, (struct sockaddr *)&a, &len) == 0)
        port = ntohs(a.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

static _Noreturn void
become_redis(const char *dir, const char *port, pid_t parent)
{
    int null = open("/dev/null", O_RDWR);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGINT, SIG_IGN);
    if (null >= 0) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    close_range(3, ~0u, 0);
    execlp("redis-server", "redis-server", "--port", port, "--bind",
        "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync",
        "always", "--dir", dir, (char *)NULL);
    _exit(127);
}

static bool
is_installed(void)
{
    const char *path = getenv("PATH");
    char file[BENCH_PATH_MAX];
    size_t n;

    for (; path != NULL && *path != '\0'; path += n + (path[n] == ':')) {
        n = strcspn(path, ":");
        snprintf(file, sizeof file, "%.*s/redis-server", (int)n, path);
        if (access(file, X_OK) == 0)
            return true;
    }
    return false;
}

int
redis_start(struct child *c, struct bench *b, bool *found, struct err *err)
{
    int64_t end = bench_now_ns() + (int64_t)START_MS * 1000000;
    struct timespec nap = {.tv_nsec = 10000000};
    pid_t parent = getpid();
    struct raw try;
    char port[16];

    memset(c, 0, sizeof *c);
    *found = is_installed();
    if (!*found)
        return 0;
    snprintf(port, sizeof port, "%d", free_port());
    snprintf(c->address, sizeof c->address, "127.0.0.1:%s", port);
    snprintf(c->data, sizeof c->data, "%.*s/redis", BENCH_PATH_MAX - 10,
        b->dir);
    if (mkdir(c->data, 0700) < 0 && errno != EEXIST)
        return err_set(err, errno, "make %s", c->data);
    c->pid = fork();
    if (c->pid == 0)
        become_redis(c->data, port, parent);
    for (;;) {
        int rc = raw_open(&try, c->address, err);

        raw_close(&try);
        if (rc == 0)
            return 0;
        if (cli_stop || bench_now_ns() > end) {
            child_stop(c, SIGKILL);
            return -1;
        }
        nanosleep(&nap, NULL);
    }
}

/* XADD bench * r <size bytes>, in Redis's protocol (RESP). */
void
redis_shot(struct shot *s, int64_t size)
{
    uint8_t *value = xmalloc((size_t)size);

    world_random(world_real(), value, (size_t)size);
    buf_init(&s->frame, (size_t)size + 256);
    buf_printf(&s->frame, "*5\r\n$4\r\nXADD\r\n$5\r\nbench\r\n$1\r\n*\r\n"
        "$1\r\nr\r\n$%lld\r\n", (long long)size);
    buf_put(&s->frame, value, (size_t)size);
    buf_put_str(&s->frame, "\r\n");
    s->records = 1;
    s->bytes = size;
    free(value);
}

/* "$15\r\n1700000000000-0\r\n", or "-ERR ...\r\n". */
size_t
redis_whole(struct span in)
{
    const uint8_t *line = memchr(in.ptr, '\n', in.len), *end;

    if (line == NULL)
        return 0;
    if (in.ptr[0] != '$')
        return (size_t)(line + 1 - in.ptr);
    line++;
    end = memchr(line, '\n', in.len - (size_t)(line - in.ptr));
    return end == NULL ? 0 : (size_t)(end + 1 - in.ptr);
}

int
redis_check(struct raw *r, struct span answer, struct err *err)
{
    if (answer.ptr[0] == '$')
        return 0;
    return err_set(err, ERR_FORMAT, "Redis says %.*s",
        (int)(answer.len < 100 ? answer.len : 100), (const char *)answer.ptr);
}
