/*
 * A partition's log is a folder with pairs of files:
 *
 *    00000000000000001042-00000000000000a7.log      record batches
 *    00000000000000001042-00000000000000a7.index    where they are: offidx.c
 *    `--- base offset --' `--- epoch ----'
 *      20 decimal digits    16 hex digits, small
 *
 * Base offset: that of the segment's first batch. Epoch: the number of the
 * frame that holds this batch. Frames' numbers are never used twice, so no
 * name is, and whoever holds a name holds one file. The highest bit of the
 * epoch (8 as the first digit) says that the cleaner made it, from segments
 * whose epochs are smaller: clean.c.
 *
 * The .log file is Kafka record batches v2, one after the other, byte for
 * byte as clients get them, and nothing else: no header, no padding.
 *
 *    +---------+---------------+------+--------------+
 *    | batch   | batch         | ...  | batch        |  garbage? |
 *    +---------+---------------+------+--------------+-----------+
 *    0         each begins where the    meta.size     the file's end
 *              one before ends, in bytes
 *              and in offsets
 *
 * How long a segment is says the recorded size (in memory: meta; in LMDB: the
 * state as of checkpoint P), never the file.
 *
 * Invariants
 *  1. The first meta.size bytes of the file are whole batches. Offsets are
 *     contiguous: base of each = last of the one before + 1, the first is
 *     meta.base_offset, the last ends at meta.last_offset. Across segments of
 *     a plog the same holds. In a cleaned one they ascend, with gaps before
 *     batches; but the last one ends at meta.last_offset there, too, so that
 *     the segments of a plog always follow each other.
 *  2. What is below the size of the last durable checkpoint was synced before
 *     that checkpoint. What is beyond may be anything after a power cut:
 *     missing, zeros, torn, or right. Nobody looks at it: a replay writes the
 *     same batches at the same places again and never compares, because a
 *     page that reads well may yet not be on the disk.
 *  3. Rolls depend on the batches, the configuration and the meta only, not
 *     on clocks and not on what files there are. So a replay makes the same
 *     names with the same bytes. A file that is rolled to is emptied first.
 *  4. A batch is never split over segments. A segment in the list has at
 *     least one batch: a new one is listed after its first write succeeded.
 *  5. meta moves only after the bytes below it were written. A reader takes a
 *     copy of meta with a reference under the plog's lock and never reads at
 *     or past the copy's size.
 *  6. Bytes below meta.size are never written again while the process lives.
 *     A cleaned segment is another file, not this one.
 *  7. A file that was written keeps its descriptor until its sync: the error
 *     of a failed write-back is told once, to a descriptor that was open
 *     then. A failed sync is final: after it the page cache lies.
 *  8. A file is unlinked by the keeper, after the checkpoint whose state has
 *     it in `doomed` is durable, and when no reader has a reference. It is
 *     never truncated, renamed or used again for something else.
 *  9. Index entries are hints; walk.c holds what happens when they are wrong.
 *
 * Example, a crash between two checkpoints. P has the segment 0-..01 of 900
 * bytes. Then batches of frames P+1 and P+2 are written: 300 bytes to 0-..01,
 * a roll to 40-..P+2 with 500 bytes. The power goes. The disk has 0-..01 with
 * 4096 bytes, the last 3000 of them zero, and no 40-..P+2. Recovery opens
 * with the state of P and appends the frames again: 0-..01 is cut to 900
 * bytes, then the 300 go to 900; the roll happens at the same batch, under
 * the same name. If the file is there with some content, it is emptied first.
 */
#include "config.h"

#include "plog/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "plog/walk.h"
#include "record/batch.h"

enum {
    KEEP_MIN = 16,               /* entries that are worth a file */
};

/* ----------------------------------------------------------- batch heads */

bool
head_get(const uint8_t *p, struct head *h)
{
    uint32_t length = get_be32(p + 8);
    uint32_t delta = get_be32(p + 23);
    int64_t base = (int64_t)get_be64(p);

    if (p[16] != 2)
        return false;
    if (length < BATCH_HEADER - BATCH_LENGTH_FROM ||
        length > FRAME_BYTES_MAX - BATCH_LENGTH_FROM)
        return false;
    if (base < 0 || delta > INT32_MAX || base > INT64_MAX - 1 - delta)
        return false;
    h->base = base;
    h->last = base + delta;
    h->max_timestamp = (int64_t)get_be64(p + 35);
    h->size = length + BATCH_LENGTH_FROM;
    h->records = get_be32(p + 57);
    return true;
}

bool
head_whole(struct span bytes)
{
    struct batch b;

    return batch_parse(bytes, &b) == BATCH_OK &&
        b.bytes.len == bytes.len && batch_check(&b) == BATCH_OK;
}

/* ----------------------------------------------------------------- names */

bool
segment_path(const char *folder, const struct plog_name *name,
    const char *ending, char out[SEGMENT_PATH_MAX])
{
    int n = snprintf(out, SEGMENT_PATH_MAX, "%s/%020" PRId64 "-%016" PRIx64
        "%s", folder, name->base_offset, name->epoch, ending);

    return n > 0 && n < SEGMENT_PATH_MAX;
}

static bool
digits_get(const char *s, int count, unsigned base, uint64_t *v)
{
    *v = 0;
    for (int i = 0; i < count; i++) {
        unsigned d;

        if (s[i] >= '0' && s[i] <= '9')
            d = (unsigned)(s[i] - '0');
        else if (base == 16 && s[i] >= 'a' && s[i] <= 'f')
            d = (unsigned)(s[i] - 'a') + 10;
        else
            return false;
        if (*v > (UINT64_MAX - d) / base)
            return false;
        *v = *v * base + d;
    }
    return true;
}

bool
segment_parse_name(const char *file, const char *ending,
    struct plog_name *name)
{
    uint64_t base;

    if (strlen(file) != SEGMENT_NAME_LEN + strlen(ending) || file[20] != '-')
        return false;
    if (strcmp(file + SEGMENT_NAME_LEN, ending) != 0)
        return false;
    if (!digits_get(file, 20, 10, &base) || base > INT64_MAX ||
        !digits_get(file + 21, 16, 16, &name->epoch))
        return false;
    name->base_offset = (int64_t)base;
    return true;
}

/* ---------------------------------------------------------- life of one */

struct segment *
segment_new(struct segcache *cache, const char *folder,
    const struct plog_segment *meta, bool fresh)
{
    struct segment *s = xcalloc(1, sizeof *s);

    s->cache = cache;
    s->folder = folder;
    s->meta = *meta;
    s->wfd = -1;
    s->resumed = !fresh;
    s->indexed_pos = meta->size;
    segslot_init(&s->slot, fresh);
    return s;
}

void
segment_free(struct segment *s)
{
    if (s == NULL)
        return;
    assert(s->refs == 0);
    assert(!s->dirty);
    segment_close_write(s);
    segslot_release(&s->slot, s->cache);
    free(s);
}

/* The plog made sure at its opening that every path fits. */
static void
path_of(const struct segment *s, const char *ending,
    char out[SEGMENT_PATH_MAX])
{
    struct plog_name name = {s->meta.base_offset, s->meta.epoch};
    bool fits = segment_path(s->folder, &name, ending, out);

    assert(fits);
}

/* --------------------------------------------------------------- writing */

static void
writer_opened(struct segment *s, int fd)
{
    s->wfd = fd;
    atomic_fetch_add(&s->cache->writers, 1);
}

void
segment_close_write(struct segment *s)
{
    struct world *w = s->cache->world;

    if (s->wfd < 0)
        return;
    w->ops->close(w, s->wfd);
    s->wfd = -1;
    atomic_fetch_sub(&s->cache->writers, 1);
}

int
segment_create(struct segment *s, struct err *err)
{
    struct world *w = s->cache->world;
    char path[SEGMENT_PATH_MAX];
    int fd;

    assert(s->wfd < 0);
    assert(s->meta.size == 0);
    path_of(s, ".log", path);
    fd = w->ops->open(w, path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_set(err, errno, "create %s", path);
    writer_opened(s, fd);
    return 0;
}

int
segment_open_write(struct segment *s, struct err *err)
{
    struct world *w = s->cache->world;
    char path[SEGMENT_PATH_MAX];
    uint8_t last;
    ssize_t n;

    if (s->wfd >= 0)
        return 0;
    path_of(s, ".log", path);
    s->wfd = w->ops->open(w, path, O_RDWR | O_CLOEXEC, 0);
    if (s->wfd < 0)
        return errno == ENOENT
            ? err_set(err, ERR_DAMAGE, "%s is missing", path)
            : err_set(err, errno, "open %s", path);
    writer_opened(s, s->wfd);
    /* Cutting a file that is too short would lengthen it with zeros. */
    n = w->ops->pread(w, s->wfd, &last, 1, (off_t)s->meta.size - 1);
    if (n == 0)
        err_set(err, ERR_DAMAGE, "%s is shorter than the %u bytes recorded",
            path, s->meta.size);
    else if (n < 0)
        err_set(err, errno, "read %s", path);
    else if (w->ops->ftruncate(w, s->wfd, (off_t)s->meta.size) != 0)
        err_set(err, errno, "cut %s to %u bytes", path, s->meta.size);
    else
        return 0;
    segment_close_write(s);
    return -1;
}

int
segment_write(struct segment *s, struct iovec *iov, int count,
    struct err *err)
{
    struct world *w = s->cache->world;
    char path[SEGMENT_PATH_MAX];
    int code;

    assert(s->wfd >= 0);
    if (w->ops->pwritev(w, s->wfd, iov, count, (off_t)s->meta.size) == 0)
        return 0;
    code = errno;
    path_of(s, ".log", path);
    err_set(err, code, "write %s at %u", path, s->meta.size);
    /* A full disk may have taken a part. The same bytes come here again,
     * but the salvage of a segment that rolls before that is easier without
     * them. No matter if it fails. */
    if (code == ENOSPC || code == EDQUOT)
        w->ops->ftruncate(w, s->wfd, (off_t)s->meta.size);
    return -1;
}

int
segment_sync(struct segment *s, struct err *err)
{
    struct world *w = s->cache->world;
    char path[SEGMENT_PATH_MAX];

    assert(s->wfd >= 0);
    if (w->ops->fdatasync(w, s->wfd) != 0) {
        int code = errno;

        path_of(s, ".log", path);
        return err_set(err, code, "sync %s", path);
    }
    segment_close_write(s);
    return 0;
}

/* Finds batches in stretches that no entry covers: after a crash the index
 * of what was written before it is gone. Once for each such segment. */
static void
index_fill(struct segment *s)
{
    struct segview view = {s, s->meta};
    struct walk *w = xmalloc(sizeof *w);

    if (walk_open(w, &view, NULL) == 0) {
        walk_all_holes(w);
        walk_close(w);
    }
    free(w);
}

void
segment_save_index(struct segment *s)
{
    struct offidx_id id = {s->meta.base_offset, s->meta.epoch};
    struct offidx copy;
    char path[SEGMENT_PATH_MAX];

    if (s->resumed)
        index_fill(s);
    s->resumed = false;
    segslot_copy(&s->slot, s->cache, &copy);
    path_of(s, ".index", path);
    /* A hint: whoever misses it will walk. */
    if (copy.count > 0)
        offidx_save(&copy, s->cache->world, path, &id, NULL);
    offidx_release(&copy);
}

void
segment_keep_index(struct segment *s)
{
    struct world *w = s->cache->world;
    struct offidx_id id = {s->meta.base_offset, s->meta.epoch};
    struct offidx x, old;
    char path[SEGMENT_PATH_MAX];

    segslot_copy(&s->slot, s->cache, &x);
    path_of(s, ".index", path);
    if (s->resumed && x.count > 0) {
        offidx_init(&old);
        offidx_load(&old, w, path, &id, s->meta.size, NULL);
        offidx_merge(&x, &old);
        offidx_release(&old);
    }
    if (x.count >= KEEP_MIN)
        offidx_save(&x, w, path, &id, NULL);
    offidx_release(&x);
}

int
segment_unlink(struct world *w, const char *folder,
    const struct plog_name *name, struct err *err)
{
    static const char *const endings[] = {".index", ".log"};
    char path[SEGMENT_PATH_MAX];

    for (size_t i = 0; i < countof(endings); i++) {
        (void)segment_path(folder, name, endings[i], path);
        if (w->ops->unlink(w, path) != 0 && errno != ENOENT)
            return err_set(err, errno, "unlink %s", path);
    }
    return 0;
}

/* --------------------------------------------------------------- reading */

static void
index_load(const struct segview *v)
{
    struct segment *s = v->seg;
    struct offidx_id id = {s->meta.base_offset, s->meta.epoch};
    struct offidx x;
    char path[SEGMENT_PATH_MAX];

    offidx_init(&x);
    path_of(s, ".index", path);
    /* Missing or damaged is as good as empty. */
    offidx_load(&x, s->cache->world, path, &id, v->meta.size, NULL);
    segslot_learn(&s->slot, s->cache, &x, true);
    offidx_release(&x);
}

int
segment_take(const struct segview *v, struct err *err)
{
    struct segment *s = v->seg;
    struct world *w = s->cache->world;
    char path[SEGMENT_PATH_MAX];
    bool loaded;
    int fd = segslot_take(&s->slot, s->cache, &loaded);

    if (fd < 0) {
        path_of(s, ".log", path);
        fd = w->ops->open(w, path, O_RDONLY | O_CLOEXEC, 0);
        if (fd < 0)
            return errno == ENOENT
                ? err_set(err, ERR_DAMAGE, "%s is missing", path)
                : err_set(err, errno, "open %s", path);
        fd = segslot_install(&s->slot, s->cache, fd);
    }
    if (!loaded)
        index_load(v);
    return fd;
}

void
segment_give(struct segment *s)
{
    segslot_give(&s->slot, s->cache);
}
