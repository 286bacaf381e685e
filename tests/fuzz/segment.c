/*
 * A segment's file and its index with any content: salvage, verify, reads by
 * offset and by time. Whatever is in them, what is read is whole batches that
 * contain the offset asked for, and damage always leads further on.
 *
 * Input: flags u8 (1: the sums of all batches are made right, 2: the sums of
 * the index as well, 4: it is the cleaner's), length of the index u16, index,
 * log.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/limits.h"
#include "plog/plog.h"
#include "record/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIX_BATCHES = 1, FIX_INDEX = 2, CLEANED = 4, STEPS = 200 };

static char folder[200];
static bool cleaned;             /* gaps are right */

static void
folder_remove(void)
{
    plog_remove_folder(world_real(), folder, NULL);
}

static void
folder_make(void)
{
    const char *tmp = getenv("TMPDIR");
    char *made;

    if (folder[0] != '\0')
        return;
    snprintf(folder, sizeof folder, "%s/plog-fuzz-XXXXXX",
        tmp == NULL ? "/tmp" : tmp);
    made = mkdtemp(folder);
    assert(made != NULL);
    atexit(folder_remove);
}

static void
file_put(const char *name, const uint8_t *p, size_t n)
{
    char path[300];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    assert(file != NULL);
    fwrite(p, 1, n, file);
    fclose(file);
}

static void
file_drop(const char *name, const char *ending)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    unlink(path);
}

static void
batches_fix(uint8_t *p, size_t n)
{
    while (n >= BATCH_HEADER) {
        size_t size = (size_t)get_be32(p + 8) + BATCH_LENGTH_FROM;

        if (size < BATCH_HEADER || size > n)
            return;
        put_be32(p + 17, crc32c(0, p + BATCH_CRC_FROM,
            size - BATCH_CRC_FROM));
        p += size;
        n -= size;
    }
}

static void
index_fix(uint8_t *p, size_t n, uint64_t epoch)
{
    if (n < 48)
        return;
    memcpy(p, "PSOFFIDX\1\0\0\0", 12);
    put_le32(p + 12, (uint32_t)((n - 48) / 16));
    put_le64(p + 16, 0);
    put_le64(p + 24, epoch);
    put_le32(p + 40, crc32c(0, p + 48, (n - 48) / 16 * 16));
    put_le32(p + 44, crc32c(0, p, 44));
}

static void
whole_batches(const struct buf *out, const struct plog_want *want,
    const struct plog_got *got)
{
    struct span rest = buf_span(out);
    int64_t expect = got->base_offset;

    assert(cleaned || got->base_offset <= want->offset);
    assert(got->next_offset > want->offset);
    while (rest.len > 0) {
        enum batch_status status;
        struct batch b;

        status = batch_parse(rest, &b);
        assert(status == BATCH_OK);
        status = batch_check(&b);
        assert(status == BATCH_OK);
        assert(b.base_offset == expect || (cleaned && b.base_offset > expect));
        expect = batch_last_offset(&b) + 1;
        rest = span_of(rest.ptr + b.bytes.len, rest.len - b.bytes.len);
    }
    assert(expect == got->next_offset);
}

static void
read_through(struct plog *p, size_t max_bytes)
{
    struct plog_want want = {0, INT64_MAX, max_bytes};
    struct plog_extent x;

    plog_extent(p, &x);
    want.offset = x.log_start;
    for (int i = 0; i < STEPS && want.offset < x.written; i++) {
        enum plog_status status;
        struct plog_got got;
        struct buf out;

        buf_init(&out, MIB);
        status = plog_read(p, &want, &out, &got, NULL);
        if (status == PLOG_OK)
            whole_batches(&out, &want, &got);
        buf_release(&out);
        assert(status == PLOG_OK || status == PLOG_DAMAGED ||
            status == PLOG_FAILED);
        if (status == PLOG_FAILED)       /* a batch larger than the buf */
            return;
        if (status == PLOG_DAMAGED)
            assert(got.damage.resume_offset > want.offset);
        want.offset = status == PLOG_OK
            ? got.next_offset : got.damage.resume_offset;
    }
}

static void
use(const struct plog_state *st)
{
    struct segcache *cache = segcache_new(world_real(), 2, 4096);
    struct plog_found found;
    struct arena arena;
    struct plog *p;

    if (plog_open(cache, folder, NULL, st, &p, NULL) == 0) {
        read_through(p, 500);
        read_through(p, 100000);
        arena_init(&arena, MIB);
        for (int64_t ts = -1; ts < INT64_MAX / 32; ts = ts * 16 + 17) {
            if (plog_find_time(p, ts, &arena, &found, NULL) == PLOG_OK)
                assert(found.offset >= st->log_start);
        }
        plog_max_timestamp(p, &arena, &found, NULL);
        arena_release(&arena);
        plog_verify(p, NULL, NULL, NULL);
        plog_check(p);
        plog_close(p);
    }
    segcache_free(cache);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plog_segment s = {.base_offset = 0, .epoch = 1};
    struct plog_state st = {0}, whole = {.segments = &s, .segment_count = 1};
    const char *name = "00000000000000000000-0000000000000001";
    char file[64];
    uint8_t *copy;
    size_t index;

    if (size < 3)
        return 0;
    folder_make();
    copy = xmemdup(data, size);
    index = get_be16(copy + 1);
    if (index > size - 3)
        index = size - 3;
    if (copy[0] & FIX_BATCHES)
        batches_fix(copy + 3 + index, size - 3 - index);
    cleaned = copy[0] & CLEANED;
    if (cleaned) {
        name = "00000000000000000000-8000000000000001";
        s.epoch |= PLOG_CLEANED;
    }
    if (copy[0] & FIX_INDEX)
        index_fix(copy + 3, index, s.epoch);
    snprintf(file, sizeof file, "%s.index", name);
    file_put(file, copy + 3, index);
    snprintf(file, sizeof file, "%s.log", name);
    file_put(file, copy + 3 + index, size - 3 - index);

    if (plog_salvage_scan(world_real(), folder, 0, &st, NULL, NULL, NULL) == 0)
        use(&st);
    /* and as if all of it were recorded, with more offsets than it has */
    s.size = (uint32_t)(size - 3 - index);
    s.last_offset = st.written + 3;
    s.max_timestamp = INT64_MAX;
    whole.written = s.last_offset + 1;
    use(&whole);
    plog_state_release(&st);
    file_drop(name, ".index");
    file_drop(name, ".log");
    free(copy);
    return 0;
}
