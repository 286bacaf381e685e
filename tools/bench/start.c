/*
 * start.c: from the start of the process to the first accepted record: on an
 * empty folder, and after kill -9 with data; what an idle broker holds; how
 * large the program is. Nobody can start faster than a process can be made
 * that does nothing, which is the floor.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bench/child.h"
#include "bench/orders.h"
#include "bench/raw.h"
#include "client/client.h"

enum { STARTS = 5, CONNECTIONS = 1000, SETTLE_MS = 300, KEYS_WAIT_MS = 600000 };

#define TOPIC "bench-start"

static void
add(struct bench *b, const char *key, const char *name, const char *unit,
    double value, double floor, const char *floor_is, const char *goal)
{
    report_add(&b->report, &(struct figure){.key = key, .name = name,
        .unit = unit, .value = value, .floor = floor, .floor_is = floor_is,
        .goal = goal});
}

/* ---- the floor ---------------------------------------------------------- */

/* This program, doing nothing: `penstock --version`. */
static double
spawn_ms(void)
{
    char *words[] = {(char *)(uintptr_t)"penstock",
        (char *)(uintptr_t)"--version", NULL};
    int64_t began = bench_now_ns();
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(null, STDOUT_FILENO);
        execv("/proc/self/exe", words);
        _exit(127);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return (double)(bench_now_ns() - began) / 1e6;
}

/* ---- starts ------------------------------------------------------------- */

static int
first_record(const char *address, struct err *err)
{
    struct raw raw = {.fd = -1};
    struct shot shot;
    int rc;

    if (topic_make(address, TOPIC, 1, err) < 0)
        return -1;
    shot_make(&shot, TOPIC, 0, 1, 100);
    rc = raw_open(&raw, address, err);
    if (rc == 0)
        rc = shot_sync(&raw, &shot, err);
    raw_close(&raw);
    shot_release(&shot);
    return rc;
}

static int
timed_start(struct child *c, struct bench *b, const char *folder,
    const struct ps_app *apps, double *ms, struct err *err)
{
    int64_t began = bench_now_ns();
    int rc = child_start(c, b, folder, apps, err);

    if (rc == 0)
        rc = first_record(c->address, err);
    *ms = (double)(bench_now_ns() - began) / 1e6;
    return rc;
}

static int
empty_starts(struct bench *b, struct err *err)
{
    double ms[STARTS], floors[STARTS];
    struct child c;

    for (int i = 0; i < STARTS; i++) {
        int rc = timed_start(&c, b, "start", NULL, &ms[i], err);

        child_stop(&c, SIGTERM);
        folder_remove(c.data);
        if (rc < 0)
            return -1;
        floors[i] = spawn_ms();
    }
    add(b, "start_empty_ms", "start to first record, empty folder", "ms",
        report_summary(ms, STARTS).median,
        report_summary(floors, STARTS).median, "penstock --version", "30");
    return 0;
}

/* ---- after a crash ------------------------------------------------------ */

static int
fill_log(const char *address, int64_t mb, struct err *err)
{
    struct raw raw = {.fd = -1};
    struct shot shot;
    int rc;

    if (topic_make(address, TOPIC, 1, err) < 0)
        return -1;
    shot_make(&shot, TOPIC, 0, 900, 1024);
    rc = raw_open(&raw, address, err);
    for (int64_t left = mb << 20; rc == 0 && left > 0; left -= shot.bytes) {
        rc = bench_stopped(err);
        if (rc == 0)
            rc = shot_sync(&raw, &shot, err);
    }
    raw_close(&raw);
    shot_release(&shot);
    return rc;
}

/* As many keys in the store of the reserving application: orders for as many
 * products, which it has judged. */
static int
fill_store(struct bench *b, const char *address, struct err *err)
{
    int64_t end = bench_now_ns() + (int64_t)KEYS_WAIT_MS * 1000000, n = 0;
    int64_t orders = b->keys + b->keys / 2, products = b->products;
    struct timespec nap = {.tv_nsec = 50000000};
    struct client *c;
    int rc;

    b->products = b->keys;
    rc = topic_make(address, "order-validations", b->partitions, err);
    if (rc == 0)
        rc = orders_load(b, address, orders, false, err);
    b->products = products;
    c = rc == 0 ? topic_client(address, err) : NULL;
    while (c != NULL && n < orders && (rc = bench_stopped(err)) == 0) {
        rc = topic_end(c, "order-validations", &n, err);
        if (rc == 0 && bench_now_ns() > end)
            rc = err_set(err, ETIMEDOUT, "orders are not judged");
        if (rc < 0)
            break;
        nanosleep(&nap, NULL);
    }
    if (c == NULL)
        rc = -1;
    client_close(c);
    return rc;
}

static int
crash_start(struct bench *b, struct err *err)
{
    const struct ps_app *apps = b->keys > 0 ? reserve_apps : child_no_apps;
    struct child c;
    char name[64];
    double ms = 0;
    int rc = child_start(&c, b, "crash", apps, err);

    if (rc == 0)
        rc = fill_log(c.address, b->log_mb, err);
    if (rc == 0 && b->keys > 0)
        rc = fill_store(b, c.address, err);
    child_stop(&c, SIGKILL);
    if (rc == 0)
        rc = timed_start(&c, b, "crash", apps, &ms, err);
    if (rc == 0) {
        snprintf(name, sizeof name, "start after kill -9, %lld MB, %lld keys",
            (long long)b->log_mb, (long long)b->keys);
        add(b, "start_crash_ms", name, "ms", ms, spawn_ms(),
            "penstock --version", "1000");
    }
    child_stop(&c, SIGTERM);
    folder_remove(c.data);
    return rc;
}

/* ---- what it holds ------------------------------------------------------ */

/* As many as the limits allow, at most CONNECTIONS. */
static int
open_connections(const char *address, struct raw *raws, int *count,
    struct err *err)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
    for (*count = 0; *count < CONNECTIONS; ++*count) {
        if (*count + 64 > (int64_t)r.rlim_max)
            break;
        if (bench_stopped(err) < 0
            || raw_open(&raws[*count], address, err) < 0)
            return -1;
    }
    return 0;
}

static int
idle_connections(struct bench *b, const struct child *c, struct err *err)
{
    struct timespec nap = {.tv_nsec = SETTLE_MS * 1000000};
    struct raw *raws = xcalloc(CONNECTIONS, sizeof *raws);
    int64_t before = child_memory(c);
    int count = 0, rc = open_connections(c->address, raws, &count, err);

    if (rc == 0 && count > 0) {
        nanosleep(&nap, NULL);
        add(b, "connection_kb", "memory of an idle connection", "KB",
            (double)(child_memory(c) - before) / 1024 / count, 0, NULL, "20");
    }
    for (int i = 0; i <= count && i < CONNECTIONS; i++)
        raw_close(&raws[i]);
    free(raws);
    return rc;
}

static int
idle(struct bench *b, struct err *err)
{
    struct timespec nap = {.tv_nsec = SETTLE_MS * 1000000};
    struct child c;
    int rc = child_start(&c, b, "idle", NULL, err);

    if (rc == 0) {
        nanosleep(&nap, NULL);
        add(b, "idle_memory_mb", "idle: memory (RssAnon)", "MB",
            (double)child_memory(&c) / 1e6, 0, NULL, "10");
        rc = idle_connections(b, &c, err);
    }
    child_stop(&c, SIGTERM);
    folder_remove(c.data);
    return rc;
}

/* The end of what is loaded is, but for a table of names, the size of the
 * stripped file. */
static int
loaded_end(struct dl_phdr_info *info, size_t size, void *arg)
{
    uint64_t *end = arg;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type == PT_LOAD && p->p_offset + p->p_filesz > *end)
            *end = p->p_offset + p->p_filesz;
    }
    return 1;                    /* the first is the program */
}

int
bench_start(struct bench *b, struct err *err)
{
    uint64_t bytes = 0;

    if (b->bootstrap != NULL)
        return err_set(err, ERR_USAGE, "start wants a broker of its own: "
            "leave -b away");
    if (empty_starts(b, err) < 0 || idle(b, err) < 0
        || crash_start(b, err) < 0)
        return -1;
    dl_iterate_phdr(loaded_end, &bytes);
    add(b, "binary_mb", "the program, stripped", "MB", (double)bytes / 1e6, 0,
        NULL, "3");
    return 0;
}
