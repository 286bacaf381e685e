/* LMDB's file read without LMDB: the same entries, and no crash ever. */
#include "config.h"

#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/table.h"
#include "offline/stored.h"

struct sum {
    uint64_t sum, n;
};

static int
sum_entry(void *arg, struct span key, struct span value, struct err *err)
{
    struct sum *s = arg;

    s->n++;
    s->sum += hash_bytes(key) * 3 + hash_bytes(value);
    return 0;
}

static void
found_one(void *arg, uint64_t page, const char *text)
{
    if (arg != NULL)
        fail_msg("page %llu: %s", (unsigned long long)page, text);
}

static struct lmdbfile *
file_open(const char *dir)
{
    char path[128];
    struct lmdbfile *f;
    struct err err = {0};

    snprintf(path, sizeof path, "%s/data.mdb", dir);
    if (lmdbfile_open(&f, world_real(), path, &err) < 0)
        return NULL;
    return f;
}

/* What LMDB has is what the file has. */
static void
compare(struct meta *m, const char *dir)
{
    struct meta_reader *r;
    struct lmdbfile *f = file_open(dir);
    struct arena a;
    struct err err = {0};
    uint64_t found;

    assert_non_null(f);
    assert_int_equal(lmdbfile_prove(f, found_one, m, &found, &err), 0);
    r = meta_reader_new(m, &err);
    assert_non_null(r);
    arena_init(&a, 64 * MIB);
    for (int i = 0; i < 2; i++) {
        struct sum want = {0}, got = {0};
        struct stored_scan scan = {.space = (enum meta_space)i,
            .fn = sum_entry, .arg = &got};

        assert_int_equal(meta_scan(r, scan.space, SPAN_NULL, SPAN_NULL, &a,
            sum_entry, &want, &err), 0);
        assert_int_equal(stored_scan(f, &scan, &err), 0);
        assert_int_equal(scan.damaged, 0);
        assert_false(scan.lost);
        assert_int_equal(got.n, want.n);
        assert_true(got.sum == want.sum);
    }
    arena_release(&a);
    meta_reader_free(r);
    lmdbfile_close(f);
}

static struct span
random_key(struct dice *d, uint8_t room[700])
{
    size_t n = 1 + dice_roll(d, dice_roll(d, 10) == 0 ? 690 : 30);

    memset(room, 'a' + (int)dice_roll(d, 2), n);
    for (size_t i = 0; i < 3 && i < n; i++)
        room[n - 1 - i] = (uint8_t)('a' + dice_roll(d, 26));
    return span_of(room, n);
}

static void
work(struct meta *m, struct dice *d, int n)
{
    static uint8_t value[20000];
    struct meta_write w;
    uint8_t room[700];
    struct err err = {0};
    bool more;

    assert_int_equal(meta_begin(m, &w), 0);
    for (int i = 0; i < n; i++) {
        enum meta_space space = (enum meta_space)dice_roll(d, 2);
        struct span key = random_key(d, room);
        size_t size = dice_roll(d, dice_roll(d, 8) == 0 ? 20000 : 200);

        memset(value, (int)dice_roll(d, 256), size);
        if (dice_roll(d, 3) == 0)
            meta_del(&w, space, key);
        else
            meta_put(&w, space, key, span_of(value, size));
        if (dice_roll(d, 50) == 0)
            meta_del_prefix(&w, space, span_of(room, 1), 20, &more);
    }
    if (meta_commit(&w, &err) < 0)
        fail_msg("%s", err.text);
}

static void
test_same_as_lmdb(void **state)
{
    struct kit *k = *state;
    struct dice d = dice_seeded();
    struct meta *m;
    struct err err = {0};

    assert_int_equal(mkdir(k->dir, 0700), 0);
    if (meta_open(&m, k->dir, 1 * GIB, false, &err) < 0)
        fail_msg("%s", err.text);
    compare(m, k->dir);
    for (int i = 0; i < 60; i++) {
        work(m, &d, i % 10 == 0 ? 2000 : 60);
        compare(m, k->dir);
    }
    meta_close(m);
}

static uint64_t
found_in(const char *dir)
{
    struct lmdbfile *f = file_open(dir);
    uint64_t found = 0;
    struct err err;

    if (f == NULL)
        return 1;
    assert_int_equal(lmdbfile_prove(f, found_one, NULL, &found, &err), 0);
    lmdbfile_close(f);
    return found;
}

static void
bytes_at(const char *path, long pos, void *p, size_t n, bool write)
{
    FILE *f = fopen(path, write ? "r+" : "r");

    assert_non_null(f);
    assert_int_equal(fseek(f, pos, SEEK_SET), 0);
    assert_int_equal(write ? fwrite(p, 1, n, f) : fread(p, 1, n, f), n);
    fclose(f);
}

/* The head page that counts. */
static long
head_of(const char *path)
{
    uint64_t txn[2];

    bytes_at(path, 144, &txn[0], 8, false);
    bytes_at(path, 4096 + 144, &txn[1], 8, false);
    return txn[1] > txn[0] ? 4096 : 0;
}

/* An entry is cut off the end of a page: the structure stays sound, only
 * the count tells. */
static void
test_entry_that_is_cut_off(void **state)
{
    struct kit *k = *state;
    struct dice d = dice_seeded();
    struct meta *m;
    struct err err = {0};
    char path[128];
    int leaves = 0;

    assert_int_equal(mkdir(k->dir, 0700), 0);
    assert_int_equal(meta_open(&m, k->dir, 1 * GIB, false, &err), 0);
    work(m, &d, 1000); /* one transaction: no page is stale */
    meta_close(m);
    snprintf(path, sizeof path, "%s/data.mdb", k->dir);
    assert_int_equal(found_in(k->dir), 0);
    for (long at = 8192; at < kit_size(path); at += 4096) {
        uint16_t head[4];

        bytes_at(path, at + 8, head, sizeof head, false);
        if (head[1] != 2 || head[2] < 20 || head[2] > 2000)
            continue;
        head[2] -= 2;
        bytes_at(path, at + 8, head, sizeof head, true);
        leaves += found_in(k->dir) > 0;
        head[2] += 2;
        bytes_at(path, at + 8, head, sizeof head, true);
    }
    print_message("# %d leaves\n", leaves);
    assert_true(leaves > 20);
}

/* The list of free pages names one that is in use: LMDB would write over it
 * at some later time. */
static void
test_page_that_is_free_and_in_use(void **state)
{
    struct kit *k = *state;
    struct dice d = dice_seeded();
    struct meta *m;
    struct err err = {0};
    char path[128];
    uint64_t root, list[200];
    uint16_t at;
    long head;

    assert_int_equal(mkdir(k->dir, 0700), 0);
    assert_int_equal(meta_open(&m, k->dir, 1 * GIB, false, &err), 0);
    for (int i = 0; i < 10; i++)
        work(m, &d, 100);
    meta_close(m);
    snprintf(path, sizeof path, "%s/data.mdb", k->dir);
    assert_int_equal(found_in(k->dir), 0);
    head = head_of(path);
    bytes_at(path, head + 40 + 40, &root, 8, false);
    bytes_at(path, (long)root * 4096 + 16, &at, 2, false);
    /* the first node: head, key of 8 bytes, count, pages from above */
    bytes_at(path, (long)root * 4096 + at + 16, list, 8, false);
    assert_in_range(list[0], 1, 198);
    bytes_at(path, (long)root * 4096 + at + 16, list, 8 * (list[0] + 1),
        false);
    for (uint64_t page = 2, was = list[list[0]]; page < was; page++) {
        list[list[0]] = page;
        bytes_at(path, (long)root * 4096 + at + 16, list, 8 * (list[0] + 1),
            true);
        assert_true(found_in(k->dir) > 0);
    }
}

/* A reader for ASan's eyes: whatever the file has, nothing breaks. */
static void
test_damaged_pages(void **state)
{
    struct kit *k = *state;
    struct dice d = dice_seeded();
    char path[128];
    struct meta *m;
    struct err err = {0};
    long size;

    assert_int_equal(mkdir(k->dir, 0700), 0);
    assert_int_equal(meta_open(&m, k->dir, 1 * GIB, false, &err), 0);
    for (int i = 0; i < 10; i++)
        work(m, &d, 100);
    meta_close(m);
    snprintf(path, sizeof path, "%s/data.mdb", k->dir);
    size = kit_size(path);
    for (int i = 0; i < 3000; i++) {
        long page = (long)dice_roll(&d, (uint64_t)size / 4096) * 4096;
        /* Heads of pages and nodes' places more often than values. */
        long pos = page + (long)dice_roll(&d, dice_roll(&d, 2) ? 4096 : 200);
        uint8_t mask = (uint8_t)(dice_roll(&d, 255) + 1);
        struct lmdbfile *f;
        uint64_t found;

        kit_flip(path, pos, mask);
        f = file_open(k->dir);
        if (f != NULL) {
            struct stored_scan scan = {.space = META_STATE};

            assert_int_equal(lmdbfile_prove(f, found_one, NULL, &found, &err),
                0);
            assert_int_equal(stored_scan(f, &scan, &err), 0);
            scan.space = META_RECORDS;
            assert_int_equal(stored_scan(f, &scan, &err), 0);
            lmdbfile_close(f);
        }
        if (i % 4 != 0)
            kit_flip(path, pos, mask); /* some stay */
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
        T(test_same_as_lmdb),
        T(test_entry_that_is_cut_off),
        T(test_page_that_is_free_and_in_use),
        T(test_damaged_pages),
#undef T
    };

    return cmocka_run_group_tests_name("offline/lmdbfile", tests, NULL, NULL);
}
