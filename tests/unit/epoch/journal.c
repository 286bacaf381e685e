/* The journal: frames, its end, and damage told from the end. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "epoch/journal.h"
#include "proto/store.pb-c.h"

enum { FILE_BYTES = 64 * 1024 };

struct fixture {
    char dir[64];
    struct journal *journal;
    struct journal_cursor start;
    uint64_t epochs[256];        /* read back */
    size_t count;
    uint64_t next;
};

static const struct journal_options options = {
    .durability = DURABILITY_POWER,
    .file_bytes = FILE_BYTES,
    .files = 3,
    .bytes_max = 1 << 20};

static int
setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct err err;

    snprintf(f->dir, sizeof f->dir, "journal-test.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(journal_create(world_real(), f->dir, &options, &err), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char cmd[128];

    journal_close(f->journal);
    snprintf(cmd, sizeof cmd, "rm -rf %s", f->dir);
    assert_int_equal(system(cmd), 0);
    free(f);
    return 0;
}

static int
saw_frame(void *arg, const struct frame_header *h, struct span frame,
    struct err *err)
{
    struct fixture *f = arg;

    (void)frame;
    (void)err;
    f->epochs[f->count++] = h->epoch;
    return 0;
}

/* Closes what is open and reads from `from` on. */
static int
reopen(struct fixture *f, const struct journal_cursor *from, bool torn_ok,
    struct err *err)
{
    int rc;

    journal_close(f->journal);
    f->journal = NULL;
    f->count = 0;
    if (journal_open(&f->journal, world_real(), f->dir, &options, err) < 0)
        return -1;
    for (uint64_t i = 0; i < 300; i++)
        journal_know(f->journal, 4711 + i);
    rc = journal_recover(f->journal, from, torn_ok, saw_frame, f, err);
    if (rc == 0)
        f->next = journal_begin(f->journal, 4711 + f->count);
    return rc;
}

/* A frame of about `size` bytes: a manifest with one record in it. */
static struct journal_slot
append(struct fixture *f, size_t size)
{
    Store__Manifest m = STORE__MANIFEST__INIT;
    Store__Op op = STORE__OP__INIT, *ops[1] = {&op};
    struct frame_header h = {0};
    struct journal_slot slot;
    struct err err;
    uint8_t *bytes, *frame = NULL;
    void *p = NULL;

    bytes = xcalloc(1, size);
    memset(bytes, (int)(f->next & 0xff), size);
    op.kind = STORE__OP_KIND__OP_PUT;
    op.value.data = bytes;
    op.value.len = size;
    m.ops = ops;
    m.n_ops = 1;
    h.manifest_length = (uint32_t)store__manifest__get_packed_size(&m);
    h.length = FRAME_HEADER + h.manifest_length;
    h.epoch = f->next;
    assert_true(h.length <= journal_room(f->journal));
    slot = journal_take(f->journal, h.length, &h);
    must(posix_memalign(&p, JOURNAL_BLOCK, slot.size));
    frame = p;
    memset(frame, 0, slot.size);
    store__manifest__pack(&m, frame + FRAME_HEADER);
    frame_seal(frame, &h, &h.check);
    assert_int_equal(journal_write(f->journal, &slot, frame, &err), 0);
    journal_took(f->journal, &slot, f->next++, h.check);
    free(frame);
    free(bytes);
    return slot;
}

static void
begin(struct fixture *f)
{
    struct err err;

    assert_int_equal(reopen(f, &f->start, false, &err), 0);
    assert_int_equal(f->count, 0);
}

/* Overwrites bytes of a file: damage. */
static void
damage(struct fixture *f, const struct journal_slot *slot, uint64_t at,
    const void *bytes, size_t len)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/%08x.journal", f->dir, slot->file);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, (off_t)(slot->pos + at)), len);
    close(fd);
}

static void
frames_come_back_in_order(void **state)
{
    struct fixture *f = *state;
    struct err err;
    uint64_t first;

    begin(f);
    first = f->next;
    for (int i = 0; i < 20; i++)
        append(f, 100 + (size_t)i * 300);
    assert_int_equal(reopen(f, &f->start, false, &err), 0);
    assert_int_equal(f->count, 20);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(f->epochs[i], first + i);
    assert_true(f->next > first + 20);
}

static void
reading_goes_on_from_a_cursor(void **state)
{
    struct fixture *f = *state;
    struct journal_cursor middle;
    struct err err;

    begin(f);
    for (int i = 0; i < 5; i++)
        append(f, 3000);
    middle = journal_cursor(f->journal);
    for (int i = 0; i < 30; i++)
        append(f, 3000);
    assert_int_equal(reopen(f, &middle, false, &err), 0);
    assert_int_equal(f->count, 30);
}

static void
a_ring_is_used_again(void **state)
{
    struct fixture *f = *state;
    struct journal_cursor at;
    struct err err;

    begin(f);
    for (int i = 0; i < 200; i++) {
        if (journal_room(f->journal) < 30000) {
            at = journal_cursor(f->journal);
            journal_recycle(f->journal, at.epoch);
            assert_true(journal_room(f->journal) >= 30000);
        }
        append(f, 1000 + (size_t)(i % 7) * 3500);
        at = journal_cursor(f->journal);
    }
    assert_int_equal(reopen(f, &at, false, &err), 0);
    assert_int_equal(f->count, 0);
    append(f, 10);
    assert_int_equal(reopen(f, &at, false, &err), 0);
    assert_int_equal(f->count, 1);
}

static void
a_torn_last_frame_is_the_end(void **state)
{
    struct fixture *f = *state;
    struct journal_slot last;
    struct err err;
    uint8_t zero[512] = {0};
    uint64_t was;

    begin(f);
    for (int i = 0; i < 4; i++)
        append(f, 5000);
    last = append(f, 9000);
    was = f->next;
    damage(f, &last, 4096 + 100, zero, sizeof zero);
    assert_int_equal(reopen(f, &f->start, false, &err), 0);
    assert_int_equal(f->count, 4);
    /* Its number does not come again. */
    assert_true(f->next > was);
    append(f, 100);
    assert_int_equal(reopen(f, &f->start, false, &err), 0);
    assert_int_equal(f->count, 5);
}

static void
a_damaged_frame_in_the_middle_is_refused(void **state)
{
    struct fixture *f = *state;
    struct journal_slot middle, s;
    struct err err;
    uint8_t bad = 0xff;
    const uint64_t places[] = {0, 17, 40, 70, 3000};

    begin(f);
    append(f, 5000);
    middle = append(f, 5000);
    for (int i = 0; i < 3; i++)
        s = append(f, 5000);
    (void)s;
    for (size_t i = 0; i < countof(places); i++) {
        uint8_t good;
        char path[128];
        int fd;

        snprintf(path, sizeof path, "%s/%08x.journal", f->dir, middle.file);
        fd = open(path, O_RDONLY);
        assert_int_equal(pread(fd, &good, 1,
            (off_t)(middle.pos + places[i])), 1);
        close(fd);
        bad = (uint8_t)~good;
        damage(f, &middle, places[i], &bad, 1);
        assert_int_equal(reopen(f, &f->start, false, &err), -1);
        assert_int_equal(err.code, ERR_DAMAGE);
        damage(f, &middle, places[i], &good, 1);
    }
    assert_int_equal(reopen(f, &f->start, false, &err), 0);
    assert_int_equal(f->count, 5);
}

/* The first frame after the checkpoint is gone while later ones are there,
 * also when those stand in another file. */
static void
a_lost_first_frame_is_refused(void **state)
{
    struct fixture *f = *state;
    struct journal_slot first;
    struct err err;
    uint8_t zero[FILE_BYTES] = {0};

    begin(f);
    first = append(f, 30000);
    append(f, 30000);
    append(f, 30000);
    damage(f, &first, 0, zero, FILE_BYTES);
    assert_int_equal(reopen(f, &f->start, false, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
    /* Where nothing was flushed, that is what a reboot leaves. */
    assert_int_equal(reopen(f, &f->start, true, &err), 0);
    assert_int_equal(f->count, 0);
    append(f, 100);
    assert_int_equal(reopen(f, &f->start, false, &err), 0);
    assert_int_equal(f->count, 1);
}

static void
a_lost_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct journal_cursor c = f->start;
    struct err err;

    begin(f);
    append(f, 100);
    c.file = 77;
    assert_int_equal(reopen(f, &c, false, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
}

static void
an_unknown_version_is_refused(void **state)
{
    struct fixture *f = *state;
    struct journal_slot slot;
    struct frame_header h;
    struct err err;
    uint8_t block[JOURNAL_BLOCK];
    char path[128];
    int fd;

    begin(f);
    slot = append(f, 100);
    snprintf(path, sizeof path, "%s/%08x.journal", f->dir, slot.file);
    fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, block, sizeof block, (off_t)slot.pos),
        sizeof block);
    close(fd);
    assert_int_equal(frame_open(span_of(block, sizeof block), &h), FRAME_OK);
    frame_seal(block, &h, &h.check);
    block[4] = 9;
    /* Sealed again by hand: a later version would be valid in itself. */
    frame_reseal(block, h.manifest_length);
    damage(f, &slot, 0, block, sizeof block);
    assert_int_equal(reopen(f, &f->start, false, &err), -1);
    assert_int_equal(err.code, ERR_FORMAT);
}

/* ---- the last frame, again ---- */

/* The frames of the journal's files by their headers: how many of `epoch`. */
static int
copies_of(struct fixture *f, uint64_t epoch, struct journal_slot *first)
{
    int n = 0;

    for (uint32_t i = 0; i < options.files; i++) {
        uint8_t block[JOURNAL_BLOCK];
        struct frame_header h;
        char path[128];
        int fd;

        snprintf(path, sizeof path, "%s/%08x.journal", f->dir, i);
        fd = open(path, O_RDONLY);
        for (uint64_t at = 0; pread(fd, block, sizeof block, (off_t)at)
                == sizeof block; at += sizeof block) {
            if (frame_open(span_of(block, sizeof block), &h) == FRAME_NONE
                || h.epoch != epoch)
                continue;
            if (n++ == 0)
                *first = (struct journal_slot){.file = i, .pos = at,
                    .size = journal_room(f->journal)};
        }
        close(fd);
    }
    return n;
}

static int
reopen_trusting(struct fixture *f, bool trust, struct err *err)
{
    struct journal_cursor at = journal_cursor(f->journal);

    journal_close(f->journal);
    f->journal = NULL;
    f->count = 0;
    if (journal_open(&f->journal, world_real(), f->dir, &options, err) < 0)
        return -1;
    for (uint64_t i = 0; i < 300; i++)
        journal_know(f->journal, 4711 + i);
    if (trust)
        journal_trust(f->journal, at.epoch, at.check);
    if (journal_recover(f->journal, &f->start, false, saw_frame, f, err) < 0)
        return -1;
    f->next = journal_begin(f->journal, 4711 + f->count);
    return 0;
}

static void
the_last_frame_is_written_behind_itself(void **state)
{
    struct fixture *f = *state;
    struct journal_slot last, first;
    struct err err;
    uint8_t zero[JOURNAL_BLOCK] = {0};
    uint64_t epoch;

    begin(f);
    append(f, 3000);
    last = append(f, 3000);
    epoch = f->next - 1;
    assert_int_equal(copies_of(f, epoch, &first), 1);
    assert_int_equal(reopen(f, &f->start, false, &err), 0);
    assert_int_equal(f->count, 2);
    assert_int_equal(copies_of(f, epoch, &first), 2);
    /* The first one is where it was; what comes goes behind the copy. */
    assert_int_equal(first.pos, last.pos);
    append(f, 3000);
    append(f, 3000);
    assert_int_equal(reopen(f, &f->start, false, &err), 0);
    assert_int_equal(f->count, 4);
    /* If the first is lost, the copy has its place; then the end too. */
    damage(f, &last, 0, zero, sizeof zero);
    assert_int_equal(reopen(f, &f->start, false, &err), 0);
    assert_int_equal(f->count, 4);
    assert_int_equal(f->epochs[1], epoch);
    append(f, 100);
    assert_int_equal(reopen(f, &f->start, false, &err), 0);
    assert_int_equal(f->count, 5);
}

/* Both of them lost while later ones are there: damage. */
static void
a_frame_lost_with_its_copy_is_refused(void **state)
{
    struct fixture *f = *state;
    struct journal_slot last;
    struct err err;
    uint8_t zero[2 * JOURNAL_BLOCK] = {0};

    begin(f);
    append(f, 3000);
    last = append(f, 3000);
    assert_int_equal(reopen(f, &f->start, false, &err), 0);
    append(f, 3000);
    damage(f, &last, 0, zero, sizeof zero);
    assert_int_equal(reopen(f, &f->start, false, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
}

static void
a_trusted_frame_is_not_written_again(void **state)
{
    struct fixture *f = *state;
    struct journal_slot first;
    struct err err;
    uint64_t epoch;

    begin(f);
    append(f, 3000);
    epoch = f->next - 1;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(reopen_trusting(f, i > 0, &err), 0);
        assert_int_equal(f->count, 1);
        assert_int_equal(copies_of(f, epoch, &first), 2);
    }
    append(f, 100);
    assert_int_equal(reopen_trusting(f, false, &err), 0);
    assert_int_equal(f->count, 2);
}

/* Starts that never come to record it: a copy each, until the ring is full,
 * then the newest copy is written over; nothing is lost on the way. */
static void
copies_fill_no_journal(void **state)
{
    struct fixture *f = *state;
    struct err err;

    begin(f);
    append(f, 100);
    append(f, 20000);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(reopen(f, &f->start, false, &err), 0);
        assert_int_equal(f->count, 2);
    }
    journal_recycle(f->journal, 0);
    assert_int_equal(reopen(f, &f->start, false, &err), 0);
    assert_int_equal(f->count, 2);
}

/* What journal_room_twice() promises holds for every size and state. */
static void
there_is_room_for_a_copy(void **state)
{
    struct fixture *f = *state;
    const char *env = getenv("PENSTOCK_SEED");
    uint64_t seed = env != NULL ? strtoull(env, NULL, 10) : 1;

    printf("# seed %llu\n", (unsigned long long)seed);
    begin(f);
    for (int i = 0; i < 300; i++) {
        uint64_t room = journal_room_twice(f->journal, false), size;
        struct journal_cursor at;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        if (room < 8192 || seed >> 60 == 0) {
            at = journal_cursor(f->journal);
            journal_recycle(f->journal, at.epoch);
            continue;
        }
        size = 1 + (seed >> 33) % (room - 200);
        append(f, seed >> 61 == 0 ? room - 200 : size);
        if (seed >> 61 == 0)
            size = room - 200;
        assert_true(journal_room(f->journal) >= size);
    }
}

/* ---- its files ---- */

static size_t
parts_of(struct fixture *f, struct journal_part parts[8])
{
    size_t n = journal_files(f->journal);

    for (size_t i = 0; i < n; i++)
        parts[i] = journal_file_part(f->journal, i);
    return n;
}

static void
listed_files_must_be_there(void **state)
{
    struct fixture *f = *state;
    struct journal_part parts[8];
    struct journal *j;
    struct err err;
    char path[128];
    size_t n;

    begin(f);
    append(f, 100);
    n = parts_of(f, parts);
    assert_int_equal(n, 3);
    assert_int_equal(journal_open(&j, world_real(), f->dir, &options, &err),
        0);
    assert_int_equal(journal_expect(j, parts, n, &err), 0);
    journal_close(j);
    snprintf(path, sizeof path, "%s/%08x.journal", f->dir, 2);
    assert_int_equal(truncate(path, FILE_BYTES - 4096), 0);
    assert_int_equal(journal_open(&j, world_real(), f->dir, &options, &err),
        0);
    assert_int_equal(journal_expect(j, parts, n, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
    journal_close(j);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(journal_open(&j, world_real(), f->dir, &options, &err),
        0);
    assert_int_equal(journal_expect(j, parts, n, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
    journal_close(j);
}

static void
a_file_that_is_not_listed_goes(void **state)
{
    struct fixture *f = *state;
    struct journal_part parts[8];
    struct err err;
    char path[128];

    begin(f);
    append(f, 100);
    parts_of(f, parts);
    journal_close(f->journal);
    f->journal = NULL;
    f->count = 0;
    assert_int_equal(journal_open(&f->journal, world_real(), f->dir,
        &options, &err), 0);
    assert_int_equal(journal_expect(f->journal, parts, 2, &err), 0);
    assert_int_equal(journal_recover(f->journal, &f->start, false, saw_frame,
        f, &err), 0);
    journal_drop_strays(f->journal);
    assert_int_equal(journal_files(f->journal), 2);
    snprintf(path, sizeof path, "%s/%08x.journal", f->dir, 2);
    assert_int_equal(access(path, F_OK), -1);
    f->next = journal_begin(f->journal, 4711);
    append(f, 100);
}

int
main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(frames_come_back_in_order),
        TEST(reading_goes_on_from_a_cursor),
        TEST(a_ring_is_used_again),
        TEST(a_torn_last_frame_is_the_end),
        TEST(a_damaged_frame_in_the_middle_is_refused),
        TEST(a_lost_first_frame_is_refused),
        TEST(a_lost_file_is_refused),
        TEST(an_unknown_version_is_refused),
        TEST(the_last_frame_is_written_behind_itself),
        TEST(a_frame_lost_with_its_copy_is_refused),
        TEST(a_trusted_frame_is_not_written_again),
        TEST(copies_fill_no_journal),
        TEST(there_is_room_for_a_copy),
        TEST(listed_files_must_be_there),
        TEST(a_file_that_is_not_listed_goes),
    };

    return cmocka_run_group_tests_name("epoch/journal", tests, NULL, NULL);
}
