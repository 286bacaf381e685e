/* host.c: the data folder as the kernel has it, watched. */
#include "config.h"

#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "rng.h"

static struct {
    char *root;
    size_t root_len;
    struct image live;
    struct trace *trace;
    struct host_fd fds[HOST_FDS];
    uint64_t calls, die_at;
    jmp_buf *die_to;
    struct fault fault;
    bool refuse_direct, quiet, watching;
    void (*watch)(void *);
    void *watch_arg;
} host;

void
host_open(const char *root)
{
    host.root = xstrdup(root);
    host.root_len = strlen(root);
    image_init(&host.live);
}

void
host_close(void)
{
    host_kill();
    image_release(&host.live);
    free(host.root);
    host.root = NULL;
    host.trace = NULL;
}

const struct image *
host_live(void)
{
    return &host.live;
}

void
host_set_live(const struct image *im)
{
    image_release(&host.live);
    host.live = *im;
}

const char *
host_root(void)
{
    return host.root;
}

void
host_record(struct trace *t)
{
    host.trace = t;
}

struct trace *
host_trace(void)
{
    return host.trace;
}

uint64_t
host_calls(void)
{
    return host.calls;
}

void
host_die_at(uint64_t at, jmp_buf *to)
{
    host.die_at = at;
    host.die_to = to;
}

void
host_fault(const struct fault *f)
{
    static const struct fault none;

    host.fault = f == NULL ? none : *f;
}

const struct fault *
host_fault_get(void)
{
    return &host.fault;
}

void
host_refuse_direct(bool yes)
{
    host.refuse_direct = yes;
}

bool
host_refuses_direct(void)
{
    return host.refuse_direct;
}

void
host_watch(void (*fn)(void *), void *arg)
{
    host.watch = fn;
    host.watch_arg = arg;
}

void
host_quiet(bool yes)
{
    host.quiet = yes;
}

bool
host_drops(int fd)
{
    return fd == 2 && host.quiet;
}

const char *
host_name(int inode)
{
    for (int i = 0; i < host.live.n_entries; i++)
        if (host.live.entries[i].inode == inode)
            return host.live.entries[i].name;
    return "";
}

/* ---- descriptors and paths ---- */

struct host_fd *
host_fd(int fd)
{
    return fd >= 0 && fd < HOST_FDS && host.fds[fd].used ? &host.fds[fd]
                                                         : NULL;
}

void
host_fd_set(int fd, int inode, bool watched, bool dsync)
{
    assert(fd >= 0);
    assert(fd < HOST_FDS);
    host.fds[fd] = (struct host_fd){true, watched, inode, dsync};
}

bool
host_unwatched(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL && (strcmp(slash, "/lock") == 0
        || strcmp(slash, "/lock.mdb") == 0);
}

bool
host_lookup(const char *path, int *dir, const char **name, int *inode)
{
    char part[NAME_SIZE];

    if (host.root == NULL || strncmp(path, host.root, host.root_len) != 0
        || (path[host.root_len] != '\0' && path[host.root_len] != '/'))
        return false;
    path += host.root_len;
    *dir = NO_INODE;
    *inode = 0;
    *name = path;
    while (*path != '\0') {
        size_t n = strcspn(++path, "/");

        assert(n < NAME_SIZE);
        if (n == 0)
            continue;
        *dir = *inode;
        *name = path;
        memcpy(part, path, n);
        part[n] = '\0';
        *inode = *dir == NO_INODE ? NO_INODE
                                  : image_find(&host.live, *dir, part);
        path += n;
    }
    return true;
}

int
host_new_inode(void)
{
    return host.live.count;
}

/* ---- calls ---- */

int
host_gate(const struct op *op, bool grows)
{
    struct fault *f = &host.fault;

    if (host.watch != NULL && !host.watching) {
        host.watching = true;
        host.watch(host.watch_arg);
        host.watching = false;
    }
    host.calls++;
    if (host.die_at != 0 && host.calls >= host.die_at)
        longjmp(*host.die_to, HOST_DIED);
    if (f->code == 0 || host.calls < f->at || (f->growing_only && !grows))
        return 0;
    if (f->hits > 0 && !f->sticky)
        return 0;
    if (f->hits++ == 0) {
        f->hit = *op;
        if (op->name[0] == '\0')
            snprintf(f->hit.name, NAME_SIZE, "%s", host_name(op->inode));
    }
    errno = f->code;
    return -1;
}

void
host_did(const struct op *op)
{
    op_apply(op, &host.live);
    if (host.trace != NULL)
        trace_add(host.trace, op);
}

/* ---- the world ---- */

static struct {
    int64_t ns;
    struct rng rng;
} virtual;

static int64_t
virtual_mono_ns(struct world *w)
{
    return virtual.ns += 20000;
}

static int64_t
virtual_wall_ms(struct world *w)
{
    return 1700000000000 + virtual_mono_ns(w) / 1000000;
}

static void
virtual_random(struct world *w, void *to, size_t n)
{
    uint8_t *p = to;

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)rng_next(&virtual.rng);
}

struct world *
host_world(uint64_t seed)
{
    static struct world_ops ops;
    static struct world w = {&ops, NULL};

    ops = *world_real()->ops;
    ops.mono_ns = virtual_mono_ns;
    ops.wall_ms = virtual_wall_ms;
    ops.random = virtual_random;
    virtual.ns = 1000000000;
    virtual.rng = rng_of(seed, 1, 2);
    return &w;
}
