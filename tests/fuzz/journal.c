/*
 * Fuzz target: a journal file of any content. Recovery must read it without
 * a fault: frames that prove themselves, an end, or damage.
 */
#include "config.h"

#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "epoch/frame.h"
#include "epoch/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct journal_options options = {
    .durability = DURABILITY_PROCESS, .file_bytes = 4096 * 4, .files = 2,
    .bytes_max = 1 << 20};

static char dir[64], path[128];

static void
make_dir(void)
{
    if (dir[0] != '\0')
        return;
    snprintf(dir, sizeof dir, "/tmp/penstock-fuzz.XXXXXX");
    if (mkdtemp(dir) == NULL)
        abort();
    snprintf(path, sizeof path, "%s/00000000.journal", dir);
}

static void
remove_dir(void)
{
    unlink(path);
    rmdir(dir);
    dir[0] = '\0';
}

static int
frame(void *arg, const struct frame_header *h, struct span bytes,
    struct err *err)
{
    uint64_t *last = arg;

    (void)err;
    assert(h->epoch > *last);
    assert(h->length <= bytes.len);
    *last = h->epoch;
    return 0;
}

/* Checksums that fit let the fuzzer get behind them: the first byte says
 * whether the first frame is sealed again. */
static void
seal(uint8_t *bytes, size_t size)
{
    struct frame_header h;

    if (size < FRAME_HEADER)
        return;
    memcpy(bytes, "PSJ1", 4);
    if (frame_open(span_of(bytes, size), &h) == FRAME_BAD
        && h.manifest_length <= size - FRAME_HEADER)
        frame_reseal(bytes, h.manifest_length);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal_cursor from = {0};
    struct journal *j = NULL;
    struct err err = {0};
    uint64_t last = 0;
    uint8_t *copy;
    int fd;

    if (size < 1 || size > 1 << 16)
        return 0;
    make_dir();
    copy = malloc(size);
    if (copy == NULL)
        abort();
    memcpy(copy, data + 1, size - 1);
    if (data[0] & 1)
        seal(copy, size - 1);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, copy, size - 1) < 0
        || ftruncate(fd, (off_t)((size + 4095) / 4096 * 4096)) < 0)
        abort();
    close(fd);
    free(copy);
    if (journal_open(&j, world_real(), dir, &options, &err) == 0) {
        journal_know(j, 0);
        if (journal_recover(j, &from, data[0] & 2, frame, &last, &err) < 0)
            assert(err.code != 0);
    }
    journal_close(j);
    remove_dir();
    return 0;
}
