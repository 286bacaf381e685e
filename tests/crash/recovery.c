/*
 * recovery: what a start after kill -9 has to do does not grow with the data.
 *
 *   recovery [MB [keys]]         a log of so many bytes and a store of so many
 *                                keys, from PENSTOCK_RECOVERY_MB and
 *                                PENSTOCK_RECOVERY_KEYS if not given
 *
 * A process fills a folder and is killed; this one opens it again, through a
 * world that counts what it asks for. Once with little in it, once with all:
 * what is read, replayed, opened and flushed keeps to the same bounds, which
 * follow from the journal's size alone. Time is printed, never judged.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/limits.h"
#include "epoch/seq.h"
#include "record/batch.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LOG_MB = 128, KEYS = 50000 };
#else
enum { LOG_MB = 512, KEYS = 200000 };
#endif

enum {
    JOURNAL_MAX = 32 << 20,
    PARTS = 4,
    BATCH = 256 * 1024,
    RUN_KEYS = 1000,
    VALUE = 100,
    FEW_MB = 8,
    FEW_KEYS = 5000,
    FILES_MAX = 24,              /* the ring's, the folder's, LMDB's none */
    FLUSHES_MAX = 6,
};

static const struct uuid topic = {{7, 7, 7}};

/* ---- a world that counts ---- */

/* Of one thread: the start's own, not what the keeper does beside it. */
static _Thread_local struct {
    uint64_t read_bytes, reads, opened, opened_topics, flushes;
} count;

static int
counting_open(struct world *w, const char *path, int flags, mode_t mode)
{
    count.opened++;
    if (strstr(path, "/topics/") != NULL)
        count.opened_topics++;
    return world_real()->ops->open(w, path, flags, mode);
}

static ssize_t
counting_pread(struct world *w, int fd, void *p, size_t n, off_t pos)
{
    ssize_t got = world_real()->ops->pread(w, fd, p, n, pos);

    count.reads++;
    count.read_bytes += got > 0 ? (uint64_t)got : 0;
    return got;
}

static int
counting_fdatasync(struct world *w, int fd)
{
    count.flushes++;
    return world_real()->ops->fdatasync(w, fd);
}

static int
counting_fsync(struct world *w, int fd)
{
    count.flushes++;
    return world_real()->ops->fsync(w, fd);
}

static struct world *
counting_world(void)
{
    static struct world_ops ops;
    static struct world world = {.ops = &ops};

    ops = *world_real()->ops;
    ops.open = counting_open;
    ops.pread = counting_pread;
    ops.fdatasync = counting_fdatasync;
    ops.fsync = counting_fsync;
    memset(&count, 0, sizeof count);
    return &world;
}

/* ---- a process at work ---- */

struct work {
    struct seq *seq;
    struct tail *tails[PARTS];
    struct shelf *shelf;
};

/* What was acknowledged. */
struct acked {
    int64_t hw[PARTS];
    uint64_t keys;
};

static void
die_of(const char *what, const struct err *err)
{
    printf("Bail out! %s: %s\n", what, err->text);
    exit(99);
}

static void
work_open(struct work *w, const char *dir, struct world *world)
{
    struct seq_options o = {.dir = dir, .world = world, .threads = true,
        .durability = DURABILITY_POWER, .journal_max = JOURNAL_MAX,
        .disk_floor = 1, .ballast = 4096};
    struct err err = {0};

    if (seq_open(&w->seq, &o, &err) < 0)
        die_of("open", &err);
    for (int i = 0; i < PARTS; i++) {
        w->tails[i] = seq_tail(w->seq, &topic, i, 0, NULL, &err);
        if (w->tails[i] == NULL)
            die_of("open a log", &err);
    }
    if (seq_start(w->seq, NULL, NULL, &err) < 0)
        die_of("start", &err);
    w->shelf = state_shelf(seq_state(w->seq), 1, 0);
}

static void
work_close(struct work *w)
{
    for (int i = 0; i < PARTS; i++)
        tail_unref(w->tails[i]);
    seq_close(w->seq);
}

struct job {
    struct effect e;
    struct effect_batch batches[PARTS];
    struct effect_block block;
    struct buf bytes;
};

static uint64_t in_flight;

static void
job_published(struct effect *e)
{
    in_flight--;
}

static void
job_release(struct effect *e)
{
    struct job *j = container_of(e, struct job, e);

    effect_unref_tails(e);
    buf_release(&j->bytes);
    free(j);
}

static const struct effect_ops job_ops = {.published = job_published,
    .release = job_release};

static struct job *
job_new(void)
{
    struct job *j = xcalloc(1, sizeof *j);

    j->e.magic = EFFECT_MAGIC;
    j->e.ops = &job_ops;
    j->e.batches = j->batches;
    j->e.blocks = &j->block;
    buf_init(&j->bytes, 16 * MIB);
    return j;
}

static void
work_turn(struct work *w)
{
    struct pollfd p = {.fd = seq_fd(w->seq), .events = POLLIN};

    poll(&p, 1, 1);
    seq_turn(w->seq);
}

static void
work_link(struct work *w, struct job *j)
{
    j->e.reserved = effect_cost(&j->e);
    while (!seq_reserve(w->seq, j->e.reserved))
        work_turn(w);
    in_flight++;
    seq_link(w->seq, &j->e);
    seq_turn(w->seq);
}

/* One record of BATCH bytes for each partition. */
static void
work_records(struct work *w)
{
    static struct buf made;
    static struct batch head;
    struct job *j = job_new();

    if (made.len == 0) {
        struct batch_builder bb;
        uint8_t *value = xcalloc(1, BATCH);

        buf_init(&made, 1 * MIB);
        batch_builder_init(&bb, &made);
        batch_builder_add(&bb, 1000, SPAN_NULL, span_of(value, BATCH), NULL,
            0);
        must(batch_builder_end(&bb, &BATCH_BUILD_PLAIN, NULL));
        free(value);
    }
    assert(batch_parse(buf_span(&made), &head) == BATCH_OK);
    for (int i = 0; i < PARTS; i++) {
        struct chunk *c = chunk_new(made.len);

        memcpy(c->data, made.ptr, made.len);
        j->batches[i] = (struct effect_batch){.tail = tail_ref(w->tails[i]),
            .crc = head.crc,
            .batch = {.chunk = c, .bytes = c->data,
                .size = (uint32_t)made.len, .max_timestamp = 1000}};
    }
    j->e.n_batches = PARTS;
    work_link(w, j);
}

static struct span
key_of(uint64_t n, uint8_t key[12])
{
    memcpy(key, "key-", 4);
    put_be64(key + 4, n * 0x9e3779b97f4a7c15u); /* in no order */
    return span_of(key, 12);
}

static void
work_keys(struct work *w, uint64_t first, uint64_t run)
{
    struct job *j = job_new();
    uint8_t key[12], value[VALUE] = {0};

    for (uint64_t i = first; i < first + RUN_KEYS; i++) {
        put_le64(value, i);
        block_put(&j->bytes, key_of(i, key), span_of(value, sizeof value));
    }
    must(shelf_apply(w->shelf, buf_span(&j->bytes), run));
    j->block = (struct effect_block){.shelf = w->shelf, .run = run,
        .bytes = buf_span(&j->bytes),
        .crc = crc32c(0, j->bytes.ptr, j->bytes.len)};
    j->e.n_blocks = 1;
    work_link(w, j);
}

/* Keys and records in turn, then killed. Never returns. */
static void
work_until_killed(const char *dir, uint64_t mb, uint64_t keys, int out)
{
    uint64_t steps = mb * MIB / (BATCH * PARTS), runs = keys / RUN_KEYS;
    struct acked acked = {.keys = 0};
    struct work w;

    work_open(&w, dir, world_real());
    for (uint64_t i = 0; i < steps; i++) {
        for (; acked.keys / RUN_KEYS < (i + 1) * runs / steps;
             acked.keys += RUN_KEYS)
            work_keys(&w, acked.keys, acked.keys / RUN_KEYS + 1);
        work_records(&w);
    }
    while (in_flight > 0)
        work_turn(&w);
    for (int i = 0; i < PARTS; i++)
        acked.hw[i] = w.tails[i]->hw;
    if (write(out, &acked, sizeof acked) == sizeof acked)
        raise(SIGKILL);
    _exit(1);
}

static void
fill(const char *dir, uint64_t mb, uint64_t keys, struct acked *acked)
{
    struct err err = {0};
    int fds[2], status;
    ssize_t n;
    pid_t pid;

    must(pipe(fds));
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        work_until_killed(dir, mb, keys, fds[1]);
    close(fds[1]);
    n = read(fds[0], acked, sizeof *acked);
    close(fds[0]);
    waitpid(pid, &status, 0);
    if (n != sizeof *acked)
        die_of("the process at work ended early", &err);
}

/* ---- the start ---- */

struct seen {
    uint64_t read_bytes, opened, opened_topics, flushes, frames,
        frame_bytes, journal_bytes;
    double ms;
    bool whole;                  /* all that was acknowledged is there */
};

static bool
finds_all(struct work *w, const struct acked *acked)
{
    struct state_reader r;
    struct arena arena;
    struct err err = {0};
    bool ok = true;

    for (int i = 0; i < PARTS; i++)
        ok = ok && w->tails[i]->hw == acked->hw[i];
    arena_init(&arena, 1 * MIB);
    if (state_reader_init(&r, seq_state(w->seq), &err) < 0)
        die_of("read a store", &err);
    for (uint64_t i = 0; i < acked->keys && ok; i += 1 + acked->keys / 500) {
        uint8_t key[12];
        struct span value;

        arena_reset(&arena);
        ok = state_get(&r, w->shelf, STATE_PUBLISHED, key_of(i, key), &arena,
            &value, &err) == 1 && value.len == VALUE
            && get_le64(value.ptr) == i;
    }
    state_reader_release(&r);
    arena_release(&arena);
    return ok;
}

static void
measure(const char *dir, const struct acked *acked, struct seen *s)
{
    struct world *world = counting_world();
    int64_t began = world_mono_ns(world);
    struct seq_levels levels;
    struct work w;

    work_open(&w, dir, world);
    s->read_bytes = count.read_bytes;
    s->opened = count.opened;
    s->opened_topics = count.opened_topics;
    s->flushes = count.flushes;
    s->frames = seq_counters(w.seq)->recovered_frames;
    s->frame_bytes = seq_counters(w.seq)->recovered_bytes;
    seq_levels(w.seq, &levels);
    s->journal_bytes = levels.journal_bytes;
    s->whole = finds_all(&w, acked);
    in_flight = 0;
    work_records(&w);
    while (in_flight > 0)
        work_turn(&w);
    s->ms = (double)(world_mono_ns(world) - began) / 1e6;
    work_close(&w);
}

static void
one(const char *root, const char *name, uint64_t mb, uint64_t keys,
    struct seen *s)
{
    struct acked acked;
    char dir[300], cmd[400];

    snprintf(dir, sizeof dir, "%s/%s", root, name);
    fill(dir, mb, keys, &acked);
    measure(dir, &acked, s);
    printf("# %s: %llu MB, %llu keys: %.0f ms to the first record; read %llu "
        "KB of a journal of %llu KB, %llu frames of %llu KB; opened %llu "
        "files, %llu of topics; %llu flushes\n", name,
        (unsigned long long)mb, (unsigned long long)keys, s->ms,
        (unsigned long long)s->read_bytes / 1024,
        (unsigned long long)s->journal_bytes / 1024,
        (unsigned long long)s->frames,
        (unsigned long long)s->frame_bytes / 1024,
        (unsigned long long)s->opened, (unsigned long long)s->opened_topics,
        (unsigned long long)s->flushes);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    if (system(cmd) != 0)
        printf("# %s is left\n", dir);
}

static unsigned checks, failures;

static void
ok(bool good, const char *what)
{
    checks++;
    failures += !good;
    printf("%sok %u - %s\n", good ? "" : "not ", checks, what);
}

static uint64_t
number(const char *arg, const char *name, uint64_t usual)
{
    if (arg == NULL)
        arg = getenv(name);
    return arg == NULL ? usual : strtoull(arg, NULL, 10);
}

int
main(int argc, char **argv)
{
    uint64_t mb = number(argc > 1 ? argv[1] : NULL, "PENSTOCK_RECOVERY_MB",
        LOG_MB);
    uint64_t keys = number(argc > 2 ? argv[2] : NULL,
        "PENSTOCK_RECOVERY_KEYS", KEYS);
    const char *tmp = getenv("TMPDIR");
    struct seen few, all;
    char root[256];

    snprintf(root, sizeof root, "%s/penstock-recovery.XXXXXX",
        tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(root) == NULL) {
        printf("Bail out! no folder in %s\n", root);
        return 99;
    }
    printf("1..7\n");
    one(root, "few", FEW_MB, FEW_KEYS, &few);
    one(root, "all", mb, keys, &all);
    ok(few.whole, "all that was acknowledged is there, of little");
    ok(all.whole, "all that was acknowledged is there, of much");
    ok(all.frames > 0, "there were frames to replay");
    ok(all.frame_bytes <= JOURNAL_MAX && all.journal_bytes <= JOURNAL_MAX,
        "no more is replayed than the journal holds");
    /* Frames that cross the end of a window are read twice, and each file is
     * looked at behind the end. */
    ok(all.read_bytes <= 3 * (uint64_t)JOURNAL_MAX,
        "no more is read than the journal, some times");
    ok(all.opened <= FILES_MAX && all.opened_topics <= few.opened_topics
        + PARTS, "the files that are opened are the ring's");
    ok(all.flushes <= FLUSHES_MAX, "the flushes are counted on one hand");
    rmdir(root);
    return failures > 0;
}
