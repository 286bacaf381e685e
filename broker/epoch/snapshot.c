/*
 * snapshot.c: a copy of all that LMDB holds, in a plain file.
 *
 *      head (128 bytes) | block | block | ... | end
 *
 * head:  0 magic "PSSNAP1\n" | 8 version u32 = 1 | 12 zero u32 |
 *       16 epoch P u64 | 24 incarnation u64 | 32 check of P's frame u32 |
 *       36 journal file u32 | 40 journal pos u64 | 48 clock ms i64 |
 *       56 cluster id | 72 folder id | 88 zeros | 124 check u32
 * block: length u32, 1 to 64 KiB | check u32 | that many bytes
 * end:   0 u32 | check u32 | entries u64 | bytes u64
 *
 * All integers little-endian. The blocks together are one stream of entries,
 * which may cross from one to the next:
 *
 *       space u8 | key length u32 | value length u32 | key | value
 *
 * Checks are CRC-32C and a chain: each begins with the one before it (the
 * head's with 0) and covers the length and the bytes, at the end the two
 * numbers. So blocks that changed places, are missing or come from another
 * snapshot are found like flipped bits.
 *
 * It is written to `snapshot.new`, synced, renamed: a snapshot that has its
 * name is whole, and while one is replaced the other stands.
 */
#include "config.h"

#include "epoch/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/limits.h"
#include "proto/store.pb-c.h"

enum {
    SNAPSHOT_MAGIC = 0x54a95407,
    SNAPSHOT_VERSION = 1,
    HEAD_BYTES = 128,
    HEAD_CHECK = 124,
    BLOCK_HEAD = 8,
    BLOCK_MAX = 65536,
    END_BYTES = 24,
    ENTRY_HEAD = 9,
    SYNC_BYTES = 8 << 20,        /* written between two flushes */
    VALUE_MAX = 256 << 20,
};

static const char magic_text[] = "PSSNAP1\n";

struct snapshot {
    uint32_t magic;
    struct world *world;
    char *dir;
    char tmp[SNAPSHOT_PATH];
    struct meta_reader *reader;
    struct arena arena;
    bool sync, done;
    int fd;
    uint64_t pos, unsynced;      /* in the file */
    uint32_t check;              /* the chain's last */
    uint64_t entries, bytes;
    struct buf block;            /* being filled, its head in front */
    enum meta_space space;
    struct buf from;             /* where the scan goes on */
    size_t budget;               /* of the step at hand */
};

const char *
snapshot_path(const char *dir, unsigned n, char out[SNAPSHOT_PATH])
{
    int len = snprintf(out, SNAPSHOT_PATH, "%s/snapshot-%u", dir, n);

    assert(len > 0 && len < SNAPSHOT_PATH);
    return out;
}

/* ---- the head ---- */

static void
head_put(uint8_t p[HEAD_BYTES], const struct snapshot_head *h)
{
    memset(p, 0, HEAD_BYTES);
    memcpy(p, magic_text, 8);
    put_le32(p + 8, SNAPSHOT_VERSION);
    put_le64(p + 16, h->cursor.epoch);
    put_le64(p + 24, h->cursor.incarnation);
    put_le32(p + 32, h->cursor.check);
    put_le32(p + 36, h->cursor.file);
    put_le64(p + 40, h->cursor.pos);
    put_le64(p + 48, (uint64_t)h->clock_ms);
    memcpy(p + 56, h->cluster_id.bytes, 16);
    memcpy(p + 72, h->data_id.bytes, 16);
    put_le32(p + HEAD_CHECK, crc32c(0, p, HEAD_CHECK));
}

static int
head_get(const uint8_t p[HEAD_BYTES], const char *path,
    struct snapshot_head *h, struct err *err)
{
    if (memcmp(p, magic_text, 8) != 0
        || crc32c(0, p, HEAD_CHECK) != get_le32(p + HEAD_CHECK))
        return err_set(err, ERR_DAMAGE, "%s: its head is damaged", path);
    if (get_le32(p + 8) != SNAPSHOT_VERSION)
        return err_set(err, ERR_FORMAT, "%s has version %u and this build "
            "knows %d", path, get_le32(p + 8), SNAPSHOT_VERSION);
    h->cursor = (struct journal_cursor){.epoch = get_le64(p + 16),
        .incarnation = get_le64(p + 24),
        .check = get_le32(p + 32),
        .file = get_le32(p + 36),
        .pos = get_le64(p + 40)};
    h->clock_ms = (int64_t)get_le64(p + 48);
    memcpy(h->cluster_id.bytes, p + 56, 16);
    memcpy(h->data_id.bytes, p + 72, 16);
    return 0;
}

/* From the record of the checkpoint. */
static int
head_read(struct snapshot *s, struct snapshot_head *h, struct err *err)
{
    uint8_t key = META_CHECKPOINT;
    Store__Checkpoint *c = NULL;
    struct span value;
    int rc = meta_get(s->reader, META_RECORDS, span_of(&key, 1), &s->arena,
        &value, err);

    if (rc < 0)
        return -1;
    if (rc == 1)
        c = store__checkpoint__unpack(NULL, value.len, value.ptr);
    arena_reset(&s->arena);
    if (c == NULL || c->cluster_id.len != 16 || c->data_id.len != 16) {
        store__checkpoint__free_unpacked(c, NULL);
        return err_set(err, ERR_DAMAGE, "LMDB has no valid checkpoint");
    }
    *h = (struct snapshot_head){.cursor = {.epoch = c->epoch,
        .incarnation = c->incarnation,
        .check = c->frame_crc,
        .file = c->journal_file,
        .pos = c->journal_pos},
        .clock_ms = c->clock_ms};
    memcpy(h->cluster_id.bytes, c->cluster_id.data, 16);
    memcpy(h->data_id.bytes, c->data_id.data, 16);
    store__checkpoint__free_unpacked(c, NULL);
    return 0;
}

/* ---- writing ---- */

static int
out_put(struct snapshot *s, const void *p, size_t n, struct err *err)
{
    struct world *w = s->world;

    if (w->ops->pwrite(w, s->fd, p, n, (off_t)s->pos) < 0)
        return err_set(err, errno, "write %s", s->tmp);
    s->pos += n;
    s->unsynced += n;
    if (!s->sync || s->unsynced < SYNC_BYTES)
        return 0;
    /* A flush now and then: none at the end that holds up the journal's. */
    s->unsynced = 0;
    if (w->ops->fdatasync(w, s->fd) < 0)
        return err_set(err, errno, "flush %s", s->tmp);
    return 0;
}

static int
block_flush(struct snapshot *s, struct err *err)
{
    uint8_t *p = s->block.ptr;
    size_t n = s->block.len;

    if (n == BLOCK_HEAD)
        return 0;
    put_le32(p, (uint32_t)(n - BLOCK_HEAD));
    s->check = crc32c(s->check, p, 4);
    s->check = crc32c(s->check, p + BLOCK_HEAD, n - BLOCK_HEAD);
    put_le32(p + 4, s->check);
    s->block.len = BLOCK_HEAD;
    return out_put(s, p, n, err);
}

static int
stream_put(struct snapshot *s, const void *data, size_t n, struct err *err)
{
    const uint8_t *p = data;

    while (n > 0) {
        size_t room = BLOCK_HEAD + BLOCK_MAX - s->block.len;
        size_t some = n < room ? n : room;

        buf_put(&s->block, p, some);
        p += some;
        n -= some;
        if (s->block.len == BLOCK_HEAD + BLOCK_MAX
            && block_flush(s, err) < 0)
            return -1;
    }
    return 0;
}

static int
entry_put(void *arg, struct span key, struct span value, struct err *err)
{
    struct snapshot *s = arg;
    uint8_t head[ENTRY_HEAD] = {(uint8_t)s->space};
    size_t n = ENTRY_HEAD + key.len + value.len;

    put_le32(head + 1, (uint32_t)key.len);
    put_le32(head + 5, (uint32_t)value.len);
    if (stream_put(s, head, sizeof head, err) < 0
        || stream_put(s, key.ptr, key.len, err) < 0
        || stream_put(s, value.ptr, value.len, err) < 0)
        return -1;
    s->entries++;
    s->bytes += key.len + value.len;
    if (n < s->budget) {
        s->budget -= n;
        return 0;
    }
    s->budget = 0;
    buf_clear(&s->from);
    buf_put_span(&s->from, key);
    buf_put_u8(&s->from, 0); /* the key right behind */
    return 1;
}

int
snapshot_begin(struct snapshot **out, struct world *w, const char *dir,
    struct meta *meta, bool sync, struct err *err)
{
    struct snapshot *s = xcalloc(1, sizeof *s);
    struct snapshot_head h = {.entries = 0};
    uint8_t head[HEAD_BYTES];

    s->magic = SNAPSHOT_MAGIC;
    s->world = w;
    s->dir = xstrdup(dir);
    s->sync = sync;
    s->fd = -1;
    snprintf(s->tmp, sizeof s->tmp, "%s/snapshot.new", dir);
    arena_init(&s->arena, VALUE_MAX);
    buf_init(&s->block, BLOCK_HEAD + BLOCK_MAX);
    buf_init(&s->from, UINT16_MAX + 1);
    s->reader = meta_reader_new(meta, err);
    if (s->reader == NULL || head_read(s, &h, err) < 0) {
        snapshot_free(s);
        return -1;
    }
    s->fd = w->ops->open(w, s->tmp, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (s->fd < 0) {
        err_set(err, errno, "create %s", s->tmp);
        snapshot_free(s);
        return -1;
    }
    head_put(head, &h);
    s->check = get_le32(head + HEAD_CHECK);
    buf_grow(&s->block, BLOCK_HEAD);
    if (out_put(s, head, sizeof head, err) < 0) {
        snapshot_free(s);
        return -1;
    }
    *out = s;
    return 0;
}

static int
end_put(struct snapshot *s, struct err *err)
{
    uint8_t end[END_BYTES];

    if (block_flush(s, err) < 0)
        return -1;
    put_le32(end, 0);
    put_le64(end + 8, s->entries);
    put_le64(end + 16, s->bytes);
    s->check = crc32c(s->check, end, 4);
    s->check = crc32c(s->check, end + BLOCK_HEAD, END_BYTES - BLOCK_HEAD);
    put_le32(end + 4, s->check);
    s->done = true;
    return out_put(s, end, sizeof end, err);
}

int
snapshot_step(struct snapshot *s, size_t bytes, struct err *err)
{
    int rc;

    check_obj(s, SNAPSHOT_MAGIC);
    s->budget = bytes > 0 ? bytes : 1;
    while (!s->done) {
        rc = meta_scan(s->reader, s->space, SPAN_NULL, buf_span(&s->from),
            &s->arena, entry_put, s, err);
        if (rc != 0)
            return rc;
        if (s->space == META_STATE)
            return end_put(s, err);
        s->space = META_STATE;
        buf_clear(&s->from);
    }
    return 0;
}

/* The place that is free, damaged or older. */
static const char *
snapshot_place(struct snapshot *s, char path[SNAPSHOT_PATH])
{
    uint64_t oldest = UINT64_MAX;
    unsigned best = 0;

    for (unsigned n = 0; n < SNAPSHOT_COUNT; n++) {
        struct world *w = s->world;
        uint8_t head[HEAD_BYTES];
        struct snapshot_head h;
        struct err err;
        ssize_t got = -1;
        int fd = w->ops->open(w, snapshot_path(s->dir, n, path), O_RDONLY, 0);

        if (fd >= 0) {
            got = w->ops->pread(w, fd, head, sizeof head, 0);
            w->ops->close(w, fd);
        }
        if (got != sizeof head || head_get(head, path, &h, &err) < 0)
            h.cursor.epoch = 0;
        if (h.cursor.epoch < oldest) {
            oldest = h.cursor.epoch;
            best = n;
        }
    }
    return snapshot_path(s->dir, best, path);
}

int
snapshot_end(struct snapshot *s, struct err *err)
{
    struct world *w = s->world;
    char path[SNAPSHOT_PATH];
    int dir, rc = 0;

    check_obj(s, SNAPSHOT_MAGIC);
    assert(s->done);
    if (s->sync && w->ops->fdatasync(w, s->fd) < 0)
        return err_set(err, errno, "flush %s", s->tmp);
    if (w->ops->rename(w, s->tmp, snapshot_place(s, path)) < 0)
        return err_set(err, errno, "rename %s", s->tmp);
    w->ops->close(w, s->fd);
    s->fd = -1;
    if (!s->sync)
        return 0;
    dir = w->ops->open(w, s->dir, O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0 || w->ops->fsync(w, dir) < 0)
        rc = err_set(err, errno, "sync folder %s", s->dir);
    if (dir >= 0)
        w->ops->close(w, dir);
    return rc;
}

void
snapshot_free(struct snapshot *s)
{
    if (s == NULL)
        return;
    check_obj(s, SNAPSHOT_MAGIC);
    if (s->fd >= 0) {
        s->world->ops->close(s->world, s->fd);
        s->world->ops->unlink(s->world, s->tmp);
    }
    meta_reader_free(s->reader);
    arena_release(&s->arena);
    buf_release(&s->block);
    buf_release(&s->from);
    free(s->dir);
    s->magic = 0;
    free(s);
}

int
snapshot_write(struct world *w, const char *dir, struct meta *meta, bool sync,
    struct err *err)
{
    struct snapshot *s;
    int rc;

    if (snapshot_begin(&s, w, dir, meta, sync, err) < 0)
        return -1;
    do
        rc = snapshot_step(s, SYNC_BYTES, err);
    while (rc > 0);
    if (rc == 0)
        rc = snapshot_end(s, err);
    snapshot_free(s);
    return rc;
}

/* ---- reading ---- */

struct reading {
    struct world *world;
    const char *path;
    int fd;
    uint64_t pos;
    uint32_t check;
    struct buf stream;           /* what is not yet given out */
    uint64_t entries, bytes;
    snapshot_fn *fn;
    void *arg;
};

static int
read_damage(const struct reading *r, const char *what, struct err *err)
{
    return err_set(err, ERR_DAMAGE, "%s is damaged at byte %llu: %s", r->path,
        (unsigned long long)r->pos, what);
}

static int
read_bytes(struct reading *r, uint64_t at, void *to, size_t n,
    struct err *err)
{
    ssize_t got = r->world->ops->pread(r->world, r->fd, to, n, (off_t)at);

    if (got < 0)
        return err_set(err, errno, "read %s", r->path);
    if ((size_t)got < n)
        return read_damage(r, "it is cut short", err);
    return 0;
}

/* Gives out the entries that are whole. */
static int
read_entries(struct reading *r, struct err *err)
{
    size_t at = 0;
    int rc = 0;

    while (rc == 0 && r->stream.len - at >= ENTRY_HEAD) {
        const uint8_t *p = r->stream.ptr + at;
        size_t key = get_le32(p + 1), value = get_le32(p + 5);

        if (p[0] > META_STATE || key == 0 || key > UINT16_MAX
            || value > VALUE_MAX)
            return read_damage(r, "an entry is none", err);
        if (r->stream.len - at - ENTRY_HEAD < key + value)
            break;
        if (r->fn != NULL)
            rc = r->fn(r->arg, (enum meta_space)p[0],
                span_of(p + ENTRY_HEAD, key),
                span_of(p + ENTRY_HEAD + key, value), err);
        at += ENTRY_HEAD + key + value;
        r->entries++;
        r->bytes += key + value;
    }
    if (at > 0) {
        r->stream.len -= at;
        memmove(r->stream.ptr, r->stream.ptr + at, r->stream.len);
    }
    return rc;
}

static int
read_end(struct reading *r, const uint8_t head[BLOCK_HEAD],
    struct snapshot_head *h, struct err *err)
{
    uint8_t end[END_BYTES - BLOCK_HEAD + 1];
    uint32_t check;
    ssize_t n = r->world->ops->pread(r->world, r->fd, end, sizeof end,
        (off_t)(r->pos + BLOCK_HEAD));

    if (n < 0)
        return err_set(err, errno, "read %s", r->path);
    if (n != END_BYTES - BLOCK_HEAD)
        return read_damage(r, "it does not end where it should", err);
    check = crc32c(crc32c(r->check, head, 4), end, END_BYTES - BLOCK_HEAD);
    if (check != get_le32(head + 4))
        return read_damage(r, "the checksum of its end is wrong", err);
    h->entries = get_le64(end);
    h->bytes = get_le64(end + 8);
    if (r->stream.len != 0 || h->entries != r->entries
        || h->bytes != r->bytes)
        return read_damage(r, "entries are missing", err);
    return 0;
}

static int
read_blocks(struct reading *r, struct snapshot_head *h, struct err *err)
{
    for (;;) {
        uint8_t head[BLOCK_HEAD], *p;
        uint32_t length;
        int rc;

        if (read_bytes(r, r->pos, head, sizeof head, err) < 0)
            return -1;
        length = get_le32(head);
        if (length == 0)
            return read_end(r, head, h, err);
        if (length > BLOCK_MAX)
            return read_damage(r, "a block is too long", err);
        p = buf_reserve(&r->stream, length);
        if (p == NULL)
            return read_damage(r, "an entry is too long", err);
        if (read_bytes(r, r->pos + BLOCK_HEAD, p, length, err) < 0)
            return -1;
        r->check = crc32c(crc32c(r->check, head, 4), p, length);
        if (r->check != get_le32(head + 4))
            return read_damage(r, "the checksum of a block is wrong", err);
        r->stream.len += length;
        rc = read_entries(r, err);
        if (rc != 0)
            return rc;
        r->pos += BLOCK_HEAD + length;
    }
}

int
snapshot_read(struct world *w, const char *path, struct snapshot_head *h,
    snapshot_fn *fn, void *arg, struct err *err)
{
    struct reading r = {.world = w, .path = path, .fn = fn, .arg = arg};
    uint8_t head[HEAD_BYTES] = {0};
    int rc;

    memset(h, 0, sizeof *h);
    r.fd = w->ops->open(w, path, O_RDONLY, 0);
    if (r.fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : errno,
            "open %s", path);
    buf_init(&r.stream, VALUE_MAX + 2 * BLOCK_MAX + ENTRY_HEAD);
    rc = read_bytes(&r, 0, head, sizeof head, err);
    if (rc == 0)
        rc = head_get(head, path, h, err);
    r.check = get_le32(head + HEAD_CHECK);
    r.pos = HEAD_BYTES;
    if (rc == 0)
        rc = read_blocks(&r, h, err);
    buf_release(&r.stream);
    w->ops->close(w, r.fd);
    return rc;
}
