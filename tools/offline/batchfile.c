/* batchfile.c: the batches of a segment's file. */
#include "config.h"

#include "offline/batchfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/endian.h"
#include "base/limits.h"

enum { LOOK = 1 << 20 };         /* bytes searched at a time */

int
batchfile_open(struct batchfile *f, struct world *w, const char *path,
    struct err *err)
{
    struct stat st;

    *f = (struct batchfile){.world = w, .path = path};
    buf_init(&f->bytes, FRAME_BYTES_MAX + BATCH_LENGTH_FROM);
    f->fd = w->ops->open(w, path, O_RDONLY | O_CLOEXEC, 0);
    if (f->fd < 0 || fstat(f->fd, &st) < 0) {
        err_set(err, errno == ENOENT ? ERR_NOTFOUND : errno, "open %s", path);
        batchfile_close(f);
        return -1;
    }
    f->size = (uint64_t)st.st_size;
    return 0;
}

void
batchfile_close(struct batchfile *f)
{
    if (f->fd >= 0)
        f->world->ops->close(f->world, f->fd);
    f->fd = -1;
    buf_release(&f->bytes);
}

/* n bytes at pos; a file that shrinks meanwhile is an error, too. */
static int
file_read(struct batchfile *f, uint64_t pos, void *to, size_t n,
    struct err *err)
{
    ssize_t got = f->world->ops->pread(f->world, f->fd, to, n, (off_t)pos);

    if (got == (ssize_t)n)
        return 0;
    return err_set(err, got < 0 ? errno : EIO, "read %s", f->path);
}

/* The batch at pos, proven. 1, 0: none, -1. */
static int
batch_at(struct batchfile *f, uint64_t pos, struct batch *b, struct err *err)
{
    uint8_t head[BATCH_HEADER], *to;
    uint32_t length;

    if (f->size - pos < BATCH_HEADER)
        return 0;
    if (file_read(f, pos, head, sizeof head, err) < 0)
        return -1;
    length = get_be32(head + 8);
    if (head[16] != 2 || length < BATCH_HEADER - BATCH_LENGTH_FROM
        || length > FRAME_BYTES_MAX
        || length > f->size - pos - BATCH_LENGTH_FROM)
        return 0;
    length += BATCH_LENGTH_FROM;
    buf_clear(&f->bytes);
    to = buf_grow(&f->bytes, length);
    if (to == NULL)
        return err_set(err, ENOMEM, "read a batch of %u bytes", length);
    if (file_read(f, pos, to, length, err) < 0)
        return -1;
    return batch_parse(buf_span(&f->bytes), b) == BATCH_OK
        && batch_check(b) == BATCH_OK && b->base_offset >= 0;
}

/* The first batch behind f->pos; the magic byte and the highest byte of the
 * offset sort most places out. */
static int
batch_search(struct batchfile *f, struct batch *b, uint64_t *at,
    struct err *err)
{
    uint8_t *some = xmalloc(LOOK);
    uint64_t pos = f->pos + 1;
    int rc = 0;

    while (rc == 0 && pos + BATCH_HEADER <= f->size) {
        size_t n = f->size - pos < LOOK ? f->size - pos : LOOK;

        rc = file_read(f, pos, some, n, err);
        for (size_t i = 0; i + BATCH_HEADER <= n && rc == 0; i++) {
            if (some[i + 16] != 2 || some[i] != 0)
                continue;
            rc = batch_at(f, pos + i, b, err);
            *at = pos + i;
        }
        pos += n - BATCH_HEADER + 1;
    }
    free(some);
    return rc;
}

int
batchfile_next(struct batchfile *f, struct batch *b, uint64_t *at,
    uint64_t *skipped, struct err *err)
{
    int rc;

    *skipped = 0;
    if (f->pos >= f->size)
        return 0;
    *at = f->pos;
    rc = batch_at(f, f->pos, b, err);
    if (rc == 0) {
        rc = batch_search(f, b, at, err);
        *skipped = (rc > 0 ? *at : f->size) - f->pos;
    }
    if (rc < 0)
        return -1;
    f->pos = rc > 0 ? *at + b->bytes.len : f->size;
    return rc;
}
