#include "config.h"

#include "kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "record/batch.h"

/* ------------------------------------------------------------- randomness */

struct dice
dice_seeded(void)
{
    const char *text = getenv("PENSTOCK_SEED");
    uint64_t seed = text == NULL ? 1 : strtoull(text, NULL, 10);

    print_message("# PENSTOCK_SEED=%" PRIu64 "\n", seed);
    return (struct dice){seed * 0x9e3779b97f4a7c15u + 1};
}

uint64_t
dice_roll(struct dice *d, uint64_t sides)
{
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return (d->state * 0x2545f4914f6cdd1du >> 11) % sides;
}

/* ---------------------------------------------------------------- folders */

char *
kit_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    char path[200];

    snprintf(path, sizeof path, "%s/plog-test-XXXXXX",
        tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(path));
    return xstrdup(path);
}

void
kit_folder_remove(char *path)
{
    assert_int_equal(plog_remove_folder(world_real(), path, NULL), 0);
    free(path);
}

const char *
kit_path(const char *folder, const struct plog_segment *s, const char *ending)
{
    static char path[300];

    snprintf(path, sizeof path, "%s/%020" PRId64 "-%016" PRIx64 "%s", folder,
        s->base_offset, s->epoch, ending);
    return path;
}

long
kit_size(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

int
kit_files(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *d;
    int n = 0;

    if (dir == NULL)
        return -1;
    while ((d = readdir(dir)) != NULL)
        n += d->d_name[0] != '.';
    closedir(dir);
    return n;
}

void
kit_write(const char *path, long pos, const void *p, size_t n)
{
    int fd = open(path, O_RDWR);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, p, n, pos), n);
    close(fd);
}

void
kit_flip(const char *path, long pos, uint8_t mask)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, pos), 1);
    byte ^= mask;
    assert_int_equal(pwrite(fd, &byte, 1, pos), 1);
    close(fd);
}

/* ---------------------------------------------------------------- batches */

struct kit_batch
kit_batch(const struct kit_spec *spec)
{
    struct batch_build build = BATCH_BUILD_PLAIN;
    struct batch_builder b;
    struct kit_batch out;
    struct buf buf;
    uint8_t *value = xcalloc(1, spec->value_size + 1);
    size_t len;

    buf_init(&buf, 64 * MIB);
    batch_builder_init(&b, &buf);
    build.attributes = spec->attributes;
    for (int i = 0; i < spec->records; i++) {
        for (size_t j = 0; j < spec->value_size; j++)
            value[j] = (uint8_t)((spec->base + i) * 31 + (int64_t)j * 7);
        batch_builder_add(&b, spec->timestamp + i * spec->step, SPAN_NULL,
            span_of(value, spec->value_size), NULL, 0);
    }
    assert_int_equal(batch_builder_end(&b, &build, NULL), 0);
    free(value);
    out.chunk.bytes.ptr = buf_take(&buf, &len);
    out.chunk.bytes.len = len;
    batch_stamp((uint8_t *)(uintptr_t)out.chunk.bytes.ptr, spec->base, 0);
    out.chunk.epoch = spec->epoch;
    out.chunk.base_offset = spec->base;
    out.chunk.last_offset = spec->base + spec->records - 1;
    out.chunk.max_timestamp = (int64_t)get_be64(out.chunk.bytes.ptr + 35);
    return out;
}

void
kit_batch_free(struct kit_batch *b)
{
    free((void *)(uintptr_t)b->chunk.bytes.ptr);
    b->chunk.bytes = SPAN_NULL;
}

void
model_release(struct model *m)
{
    for (size_t i = 0; i < m->count; i++)
        kit_batch_free(&m->batches[i]);
    free(m->batches);
    *m = (struct model){0};
}

int64_t
model_end(const struct model *m)
{
    return m->count == 0 ? 0 : m->batches[m->count - 1].chunk.last_offset + 1;
}

struct plog_chunk *
model_add(struct model *m, const struct kit_spec *spec)
{
    struct kit_spec at_end = *spec;

    at_end.base = model_end(m);
    if (m->count == m->cap) {
        m->cap = m->cap == 0 ? 64 : m->cap * 2;
        m->batches = xrealloc(m->batches, m->cap * sizeof *m->batches);
    }
    m->batches[m->count] = kit_batch(&at_end);
    return &m->batches[m->count++].chunk;
}

const struct plog_chunk *
model_at(const struct model *m, int64_t offset)
{
    size_t lo = 0, hi = m->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (m->batches[mid].chunk.last_offset < offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    assert_true(lo < m->count);
    return &m->batches[lo].chunk;
}

int
model_append(const struct model *m, struct plog *p, size_t from, size_t count,
    struct err *err)
{
    struct plog_chunk *chunks = xcalloc(count + 1, sizeof *chunks);
    int rc;

    for (size_t i = 0; i < count; i++)
        chunks[i] = m->batches[from + i].chunk;
    rc = plog_append(p, chunks, count, err);
    free(chunks);
    return rc;
}

void
model_simple(struct model *m, struct plog *p, int count)
{
    for (int i = 0; i < count; i++) {
        struct kit_spec spec = {.records = 1, .value_size = 100,
            .timestamp = 1000 + 10 * (int64_t)m->count,
            .epoch = m->count + 1};

        model_add(m, &spec);
        assert_int_equal(model_append(m, p, m->count - 1, 1, NULL), 0);
    }
}

void
model_read_check(const struct model *m, struct plog *p, int64_t offset,
    size_t max_bytes)
{
    struct plog_want want = {offset, INT64_MAX, max_bytes};
    struct plog_got got;
    struct plog_extent x;
    enum plog_status status;
    const struct plog_chunk *c;
    struct err err = {0};
    struct buf out;
    size_t done = 0;
    uint32_t n = 0;

    buf_init(&out, 64 * MIB);
    plog_extent(p, &x);
    status = plog_read(p, &want, &out, &got, &err);
    if (offset < x.log_start) {
        assert_int_equal(status, PLOG_BELOW);
    } else if (offset >= x.written) {
        assert_int_equal(status, PLOG_END);
    } else {
        if (status != PLOG_OK)
            print_error("offset %" PRId64 ": status %d, %s\n", offset, status,
                err.text);
        assert_int_equal(status, PLOG_OK);
        assert_int_equal(out.len, got.bytes);
        c = model_at(m, offset);
        assert_int_equal(got.base_offset, c->base_offset);
        while (done < out.len) {
            assert_true(c->bytes.len <= out.len - done);
            assert_memory_equal(out.ptr + done, c->bytes.ptr, c->bytes.len);
            done += c->bytes.len;
            assert_int_equal(got.next_offset >= c->last_offset + 1, true);
            c++;
            n++;
        }
        assert_int_equal(n, got.count);
        assert_int_equal(got.next_offset, c[-1].last_offset + 1);
        assert_true(n == 1 || out.len <= max_bytes);
        assert_true(got.next_offset <= x.written);
    }
    buf_release(&out);
}

void
model_read_all(const struct model *m, struct plog *p)
{
    struct plog_extent x;

    plog_extent(p, &x);
    for (int64_t offset = x.log_start; offset < x.written; offset++)
        model_read_check(m, p, offset, 1000);
}

void
kit_segments_equal(const struct plog_segment *a, const struct plog_segment *b,
    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(a[i].base_offset, b[i].base_offset);
        assert_int_equal(a[i].epoch, b[i].epoch);
        assert_int_equal(a[i].size, b[i].size);
        assert_int_equal(a[i].last_offset, b[i].last_offset);
        assert_int_equal(a[i].first_timestamp, b[i].first_timestamp);
        assert_int_equal(a[i].max_timestamp, b[i].max_timestamp);
    }
}

/* ------------------------------------------------------------------ faults */

static struct fault_world *
fault_of(struct world *w)
{
    return container_of(w, struct fault_world, world);
}

/* Is this the call that fails? */
static bool
fault_now(struct world *w, enum fault_op op)
{
    struct fault_world *f = fault_of(w);

    f->calls[op]++;
    if (f->at == 0 || f->op != op || --f->at > 0)
        return false;
    f->fired++;
    errno = f->code;
    return true;
}

static int64_t
fault_mono_ns(struct world *w)
{
    return 0;
}

static int
fault_open(struct world *w, const char *path, int flags, mode_t mode)
{
    int fd;

    if (fault_now(w, FAULT_OPEN))
        return -1;
    fd = world_real()->ops->open(world_real(), path, flags, mode);
    fault_of(w)->open_now += fd >= 0;
    return fd;
}

static int
fault_close(struct world *w, int fd)
{
    fault_of(w)->open_now--;
    fault_now(w, FAULT_CLOSE);
    return world_real()->ops->close(world_real(), fd);
}

static int
fault_pwritev(struct world *w, int fd, struct iovec *iov, int count, off_t pos)
{
    if (fault_now(w, FAULT_PWRITEV)) {
        int code = errno;

        if (fault_of(w)->partial && iov[0].iov_len > 10)
            (void)!pwrite(fd, iov[0].iov_base, iov[0].iov_len - 10, pos);
        errno = code;
        return -1;
    }
    return world_real()->ops->pwritev(world_real(), fd, iov, count, pos);
}

static int
fault_pwrite(struct world *w, int fd, const void *p, size_t n, off_t pos)
{
    struct iovec one = {(void *)(uintptr_t)p, n};

    return fault_pwritev(w, fd, &one, 1, pos);
}

static ssize_t
fault_pread(struct world *w, int fd, void *p, size_t n, off_t pos)
{
    if (fault_now(w, FAULT_PREAD)) {
        if (fault_of(w)->code != 0)
            return -1;
        n /= 2;
    }
    return world_real()->ops->pread(world_real(), fd, p, n, pos);
}

#define FAULT_CALL(name, op, params, args)                                     \
    static int fault_##name params                                             \
    {                                                                          \
        if (fault_now(w, op))                                                  \
            return -1;                                                         \
        return world_real()->ops->name args;                                   \
    }

FAULT_CALL(fdatasync, FAULT_FDATASYNC, (struct world * w, int fd),
    (world_real(), fd))
FAULT_CALL(fsync, FAULT_FSYNC, (struct world * w, int fd), (world_real(), fd))
FAULT_CALL(ftruncate, FAULT_FTRUNCATE, (struct world * w, int fd, off_t size),
    (world_real(), fd, size))
FAULT_CALL(unlink, FAULT_UNLINK, (struct world * w, const char *path),
    (world_real(), path))
FAULT_CALL(mkdir, FAULT_MKDIR, (struct world * w, const char *path, mode_t m),
    (world_real(), path, m))
FAULT_CALL(rmdir, FAULT_OPS, (struct world * w, const char *path),
    (world_real(), path))

void
fault_init(struct fault_world *f)
{
    static const struct world_ops ops = {
        .mono_ns = fault_mono_ns,
        .open = fault_open,
        .close = fault_close,
        .pwrite = fault_pwrite,
        .pwritev = fault_pwritev,
        .pread = fault_pread,
        .fdatasync = fault_fdatasync,
        .fsync = fault_fsync,
        .ftruncate = fault_ftruncate,
        .unlink = fault_unlink,
        .mkdir = fault_mkdir,
        .rmdir = fault_rmdir,
    };

    *f = (struct fault_world){.world = {&ops, NULL}};
}

void
fault_clear(struct fault_world *f)
{
    memset(f->calls, 0, sizeof f->calls);
    f->at = 0;
    f->fired = 0;
    f->partial = false;
}

void
fault_set(struct fault_world *f, enum fault_op op, unsigned at, int code)
{
    fault_clear(f);
    f->op = op;
    f->at = at;
    f->code = code;
}
