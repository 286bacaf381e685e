/*
 * The file beside a sealed segment, `.index`, little-endian:
 *
 *    0  magic "PSOFFIDX"
 *    8  version u32 = 1
 *   12  entry count u32
 *   16  base offset i64 of the segment
 *   24  epoch u64 of the segment
 *   32  0 u64
 *   40  CRC32C u32 of all entries
 *   44  CRC32C u32 of bytes 0..43
 *   48  entries, 16 bytes each:
 *         relative offset u32 | position u32 | max timestamp before it i64
 *
 * The file ends with the last entry. It is written in one piece when the
 * segment is sealed and never synced: whatever a power cut leaves of it fails
 * one of the checks, and an index that is missing is found again by walking.
 */
#include "config.h"

#include "plog/offidx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"

enum {
    FILE_HEADER = 48,
    FILE_ENTRY = 16,
    FILE_VERSION = 1,
    /* Entries that damage forced in stand closer than the interval. */
    FILE_EXTRA_ENTRIES = 1024,
};

static const char file_magic[8] = {'P', 'S', 'O', 'F', 'F', 'I', 'D', 'X'};

/* ------------------------------------------------------------- in memory */

void
offidx_init(struct offidx *x)
{
    *x = (struct offidx){NULL, 0, 0};
}

void
offidx_release(struct offidx *x)
{
    free(x->entries);
    offidx_init(x);
}

static bool
entry_follows(const struct offidx *x, struct offidx_entry e)
{
    const struct offidx_entry *last;

    if (x->count == 0)
        return e.pos > 0;
    last = &x->entries[x->count - 1];
    return e.rel > last->rel && e.pos > last->pos;
}

void
offidx_add(struct offidx *x, struct offidx_entry e)
{
    if (!entry_follows(x, e))
        return;
    if (x->count == x->cap) {
        x->cap = x->cap == 0 ? 16 : x->cap * 2;
        x->entries = xrealloc(x->entries, x->cap * sizeof *x->entries);
    }
    if (x->count > 0 && e.max_before < x->entries[x->count - 1].max_before)
        e.max_before = x->entries[x->count - 1].max_before;
    x->entries[x->count++] = e;
}

void
offidx_merge(struct offidx *x, const struct offidx *from)
{
    struct offidx old = *x;
    size_t i = 0, j = 0;

    if (from->count == 0)
        return;
    offidx_init(x);
    x->cap = old.count + from->count;
    x->entries = xmalloc(x->cap * sizeof *x->entries);
    while (i < old.count || j < from->count) {
        if (j == from->count ||
            (i < old.count && old.entries[i].pos <= from->entries[j].pos))
            offidx_add(x, old.entries[i++]);
        else
            offidx_add(x, from->entries[j++]);
    }
    offidx_release(&old);
}

typedef bool (*below_fn)(const struct offidx_entry *, int64_t key);

/* How many entries from the first on are below the key. */
static size_t
count_below(const struct offidx *x, below_fn below, int64_t key)
{
    size_t lo = 0, hi = x->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (below(&x->entries[mid], key))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool
rel_below(const struct offidx_entry *e, int64_t key)
{
    return e->rel <= key;
}

static bool
time_below(const struct offidx_entry *e, int64_t key)
{
    return e->max_before < key;
}

static bool
pos_below(const struct offidx_entry *e, int64_t key)
{
    return e->pos <= key;
}

size_t
offidx_by_rel(const struct offidx *x, uint32_t rel)
{
    return count_below(x, rel_below, rel);
}

size_t
offidx_by_time(const struct offidx *x, int64_t ts)
{
    return count_below(x, time_below, ts);
}

size_t
offidx_by_pos(const struct offidx *x, uint32_t pos)
{
    return count_below(x, pos_below, pos);
}

void
offidx_check(const struct offidx *x)
{
    assert(x->count <= x->cap);
    for (size_t i = 1; i < x->count; i++) {
        assert(x->entries[i - 1].rel < x->entries[i].rel);
        assert(x->entries[i - 1].pos < x->entries[i].pos);
        assert(x->entries[i - 1].max_before <= x->entries[i].max_before);
    }
}

/* --------------------------------------------------------------- the file */

int
offidx_save(const struct offidx *x, struct world *w, const char *path,
    const struct offidx_id *id, struct err *err)
{
    size_t body = x->count * FILE_ENTRY;
    uint8_t *file = xmalloc(FILE_HEADER + body);
    int fd, rc;

    memcpy(file, file_magic, sizeof file_magic);
    put_le32(file + 8, FILE_VERSION);
    put_le32(file + 12, (uint32_t)x->count);
    put_le64(file + 16, (uint64_t)id->base_offset);
    put_le64(file + 24, id->epoch);
    put_le64(file + 32, 0);
    for (size_t i = 0; i < x->count; i++) {
        uint8_t *p = file + FILE_HEADER + i * FILE_ENTRY;

        put_le32(p, x->entries[i].rel);
        put_le32(p + 4, x->entries[i].pos);
        put_le64(p + 8, (uint64_t)x->entries[i].max_before);
    }
    put_le32(file + 40, crc32c(0, file + FILE_HEADER, body));
    put_le32(file + 44, crc32c(0, file, 44));

    fd = w->ops->open(w, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        free(file);
        return err_set(err, errno, "create %s", path);
    }
    rc = w->ops->pwrite(w, fd, file, FILE_HEADER + body, 0);
    if (rc != 0)
        err_set(err, errno, "write %s", path);
    w->ops->close(w, fd);
    free(file);
    return rc == 0 ? 0 : -1;
}

/* The header's own checks; the count through *count. */
static int
header_check(const uint8_t *h, const char *path, const struct offidx_id *id,
    uint32_t *count, struct err *err)
{
    if (memcmp(h, file_magic, sizeof file_magic) != 0 ||
        get_le32(h + 44) != crc32c(0, h, 44))
        return err_set(err, ERR_DAMAGE, "header of %s is damaged", path);
    if (get_le32(h + 8) != FILE_VERSION)
        return err_set(err, ERR_FORMAT, "version %u of %s is unknown",
            get_le32(h + 8), path);
    if ((int64_t)get_le64(h + 16) != id->base_offset ||
        get_le64(h + 24) != id->epoch)
        return err_set(err, ERR_DAMAGE, "%s is of another segment", path);
    *count = get_le32(h + 12);
    return 0;
}

static int
entries_load(struct offidx *x, const uint8_t *body, uint32_t count,
    uint32_t log_size)
{
    x->cap = count;
    x->entries = xmalloc(count * sizeof *x->entries + 1);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *p = body + (size_t)i * FILE_ENTRY;
        struct offidx_entry e = {get_le32(p), get_le32(p + 4),
            (int64_t)get_le64(p + 8)};

        if (!entry_follows(x, e))
            return -1;
        if (i > 0 && e.max_before < x->entries[i - 1].max_before)
            return -1;
        if (e.pos >= log_size)
            break;
        x->entries[x->count++] = e;
    }
    return 0;
}

static int
file_load(struct offidx *x, struct world *w, int fd, const char *path,
    const struct offidx_id *id, uint32_t log_size, struct err *err)
{
    uint8_t header[FILE_HEADER], *body;
    uint32_t count = 0;
    ssize_t n;
    int rc = -1;

    n = w->ops->pread(w, fd, header, sizeof header, 0);
    if (n < 0)
        return err_set(err, errno, "read %s", path);
    if (n < (ssize_t)sizeof header)
        return err_set(err, ERR_DAMAGE, "%s is too short", path);
    if (header_check(header, path, id, &count, err) != 0)
        return -1;
    /* Bounded before anything is allocated. The log may have been longer
     * when the index was written, by what was not checkpointed yet. */
    if (count > INT32_MAX / OFFIDX_INTERVAL_MIN + FILE_EXTRA_ENTRIES)
        return err_set(err, ERR_DAMAGE, "%s has too many entries", path);
    body = xmalloc((size_t)count * FILE_ENTRY + 1);
    n = w->ops->pread(w, fd, body, (size_t)count * FILE_ENTRY + 1,
        FILE_HEADER);
    if (n < 0)
        err_set(err, errno, "read %s", path);
    else if (n != (ssize_t)count * FILE_ENTRY)
        err_set(err, ERR_DAMAGE, "length of %s is wrong", path);
    else if (crc32c(0, body, (size_t)n) != get_le32(header + 40) ||
        entries_load(x, body, count, log_size) != 0)
        err_set(err, ERR_DAMAGE, "entries of %s are damaged", path);
    else
        rc = 0;
    free(body);
    return rc;
}

int
offidx_load(struct offidx *x, struct world *w, const char *path,
    const struct offidx_id *id, uint32_t log_size, struct err *err)
{
    int fd, rc;

    assert(x->count == 0);
    fd = w->ops->open(w, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return errno == ENOENT
            ? err_set(err, ERR_NOTFOUND, "%s is missing", path)
            : err_set(err, errno, "open %s", path);
    rc = file_load(x, w, fd, path, id, log_size, err);
    w->ops->close(w, fd);
    if (rc != 0)
        offidx_release(x);
    return rc;
}
