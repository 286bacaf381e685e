/* penstock check: what is damaged is found, what is not is not. */
#include "config.h"

#include "kit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
is_clean(const char *dir)
{
    struct kit_report r = kit_check(dir, true);

    if (r.rc < 0)
        fail_msg("%s", r.err.text);
    if (r.damages != 0)
        fail_msg("%s", r.text);
    free(r.text);
}

/* Damage is found, and the file is named. */
static void
is_damaged(const char *dir, const char *name)
{
    struct kit_report r = kit_check(dir, false);

    if (r.rc < 0)
        fail_msg("%s", r.err.text);
    if (r.damages == 0)
        fail_msg("%s: nothing was found: %s", name, r.text);
    if (strstr(r.text, name) == NULL)
        fail_msg("%s is not named: %s", name, r.text);
    free(r.text);
}

static const char *
base_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

static void
test_clean_folder_after_a_kill_and_after_a_stop(void **state)
{
    struct kit *k = *state;
    uint64_t before;

    kit_make(k, true);
    before = kit_bytes_hash(k->dir);
    is_clean(k->dir);
    assert_true(kit_bytes_hash(k->dir) == before);
    kit_hash(k, k->dir, true, true); /* opens it, closes it */
    is_clean(k->dir);
}

static void
test_running_server_is_refused(void **state)
{
    struct kit *k = *state;
    struct kit_report r;

    kit_open(k, k->dir);
    r = kit_check(k->dir, false);
    assert_int_equal(r.rc, -1);
    assert_int_equal(r.err.code, EBUSY);
    free(r.text);
    kit_close(k);
    r = kit_check("nowhere", false);
    assert_int_equal(r.rc, -1);
    assert_int_equal(r.err.code, ENOENT);
    free(r.text);
}

static void
test_identity(void **state)
{
    struct kit *k = *state;
    char path[512];

    kit_make(k, false);
    assert_true(kit_file(k->dir, "", "penstock.id", 0, path));
    for (long i = 0; i < kit_size(path); i++) {
        kit_flip(path, i, 0x04);
        is_damaged(k->dir, "penstock.id");
        kit_flip(path, i, 0x04);
    }
    assert_int_equal(unlink(path), 0);
    is_damaged(k->dir, "penstock.id");
}

/* A topic's folder that is another's, or whose volume is not mounted. */
static void
test_identity_of_a_topic(void **state)
{
    struct kit *k = *state;
    char path[512];

    kit_make(k, false);
    assert_true(kit_file(k->dir, "topics", "topic.id", 0, path));
    for (long i = 0; i < kit_size(path); i++) {
        kit_flip(path, i, 0x04);
        is_damaged(k->dir, "topic.id");
        kit_flip(path, i, 0x04);
    }
    is_clean(k->dir);
    assert_int_equal(unlink(path), 0);
    is_damaged(k->dir, "topic.id");
}

/* Also one that holds no frame that is still needed. */
static void
test_lost_journal_file(void **state)
{
    struct kit *k = *state;
    char path[512], copy[128];

    kit_make(k, false);
    snprintf(copy, sizeof copy, "%s/copy", k->root);
    for (int n = 0; kit_file(k->dir, "journal", ".journal", n, path); n++) {
        kit_copy(k->dir, copy);
        assert_true(kit_file(copy, "journal", ".journal", n, path));
        kit_cut(path, kit_size(path) - 1);
        is_damaged(copy, "journal");
        assert_int_equal(unlink(path), 0);
        is_damaged(copy, "journal");
    }
}

static void
test_every_byte_of_a_segment(void **state)
{
    struct kit *k = *state;
    char path[512];

    kit_make(k, false);
    assert_true(kit_file(k->dir, "topics", ".log", 1, path));
    for (long i = 0; i < kit_size(path); i++) {
        kit_flip(path, i, (uint8_t)(1 << i % 8));
        is_damaged(k->dir, base_name(path));
        kit_flip(path, i, (uint8_t)(1 << i % 8));
    }
    is_clean(k->dir);
}

static void
test_segment_cut_zeroed_gone(void **state)
{
    struct kit *k = *state;
    char path[512], copy[128];

    kit_make(k, false);
    snprintf(copy, sizeof copy, "%s/copy", k->root);
    kit_copy(k->dir, copy);
    assert_true(kit_file(copy, "topics", ".log", 1, path));
    kit_cut(path, kit_size(path) - 1);
    is_damaged(copy, base_name(path));
    kit_copy(k->dir, copy);
    kit_zero(path, 100, 300);
    is_damaged(copy, base_name(path));
    kit_copy(k->dir, copy);
    assert_int_equal(unlink(path), 0);
    is_damaged(copy, base_name(path));
}

static void
test_index_damage_is_a_note(void **state)
{
    struct kit *k = *state;
    struct kit_report r;
    char path[512];

    kit_make(k, false);
    assert_true(kit_file(k->dir, "topics", ".index", 0, path));
    kit_flip(path, kit_size(path) - 3, 0x10);
    r = kit_check(k->dir, false);
    assert_int_equal(r.rc, 0);
    assert_int_equal(r.damages, 0);
    assert_true(r.notes > 0);
    assert_non_null(strstr(r.text, base_name(path)));
    free(r.text);
    assert_int_equal(unlink(path), 0);
    is_clean(k->dir);
}

/* Frames behind the checkpoint, but the last: a flip there is damage. */
static void
test_journal(void **state)
{
    struct kit *k = *state;
    char path[512], copy[128];
    int found = 0;

    kit_make(k, false);
    snprintf(copy, sizeof copy, "%s/copy", k->root);
    kit_copy(k->dir, copy);
    for (int n = 0; kit_file(k->dir, "journal", ".journal", n, path); n++) {
        for (long at = 0; at < kit_size(path); at += 4096) {
            struct kit_report r;

            kit_flip(path, at + 70, 0x20); /* in a manifest, or in padding */
            r = kit_check(k->dir, false);
            assert_int_equal(r.rc, 0);
            if (r.damages > 0) {
                found++; /* of the last one the segments tell */
                assert_non_null(strstr(r.text, "journal"));
            }
            free(r.text);
            kit_flip(path, at + 70, 0x20);
        }
    }
    print_message("# %d frames\n", found);
    assert_true(found >= 20);
    assert_true(kit_file(k->dir, "journal", ".journal", 0, path));
    assert_int_equal(unlink(path), 0);
    is_damaged(k->dir, "journal");
    assert_true(kit_file(k->dir, "journal", ".journal", 0, path));
    assert_int_equal(unlink(path), 0);
    is_damaged(k->dir, "journal");
    kit_copy(copy, k->dir);
    is_clean(k->dir);
}

/* The very first frame: nothing before it tells that there was one, but LMDB
 * knows who wrote those behind it. */
static void
test_first_frame(void **state)
{
    struct kit *k = *state;
    char path[512], live[128];

    snprintf(live, sizeof live, "%s/live", k->root);
    kit_open(k, live);
    kit_records(k);
    kit_fill(k, 1, 9);
    kit_copy(live, k->dir);
    kit_close(k);
    is_clean(k->dir);
    assert_true(kit_file(k->dir, "journal", ".journal", 0, path));
    kit_flip(path, 20, 1);
    is_damaged(k->dir, "00000000.journal");
}

/* The end of the journal is gone, but the segments have what it had. */
static void
test_segments_ahead_of_the_journal(void **state)
{
    struct kit *k = *state;
    struct kit_report r;
    char path[512];
    long last = 0, size;

    kit_make(k, false);
    assert_true(kit_file(k->dir, "journal", ".journal", 0, path));
    size = kit_size(path);
    for (long at = 0; at < size; at += 4096) {
        uint8_t head[4];
        FILE *f = fopen(path, "r");

        assert_non_null(f);
        fseek(f, at, SEEK_SET);
        assert_int_equal(fread(head, 1, 4, f), 4);
        if (memcmp(head, "PSJ1", 4) == 0)
            last = at;
        fclose(f);
    }
    kit_zero(path, last, 4096);
    r = kit_check(k->dir, false);
    assert_int_equal(r.rc, 0);
    assert_true(r.damages > 0);
    assert_non_null(strstr(r.text, "frames at the journal's end are lost"));
    free(r.text);
}

/* If nothing is found the folder must be as good as before. Opens folders
 * with damage that we did not find in LMDB: LMDB must bear it. */
static void
test_random_flips_in_lmdb(void **state)
{
    struct kit *k = *state;
    struct dice d = dice_seeded();
    char path[512], copy[128];
    uint64_t want;
    int found = 0;

    kit_make(k, true);
    snprintf(copy, sizeof copy, "%s/copy", k->root);
    kit_copy(k->dir, copy);
    want = kit_hash(k, copy, true, true);
    kit_copy(k->dir, copy);
    assert_true(kit_file(copy, "meta", "data.mdb", 0, path));
    for (int i = 0; i < 400; i++) {
        long pos = (long)dice_roll(&d, (uint64_t)kit_size(path));
        uint8_t mask = (uint8_t)(1 << dice_roll(&d, 8));
        struct kit_report r;

        kit_flip(path, pos, mask);
        r = kit_check(copy, false);
        assert_int_equal(r.rc, 0);
        found += r.damages > 0;
        if (r.damages > 0)
            assert_non_null(strstr(r.text, "data.mdb"));
        if (r.damages == 0 && i % 8 == 0) {
            if (kit_hash(k, copy, true, true) != want)
                fail_msg("byte %ld: not found, but other content", pos);
            kit_copy(k->dir, copy);
        } else {
            kit_flip(path, pos, mask);
        }
        free(r.text);
    }
    print_message("# %d of 400 flips found, the rest did no harm\n", found);
    assert_true(found > 20);
}

static void
test_lmdb_cut_zeroed_gone(void **state)
{
    struct kit *k = *state;
    char path[512], copy[128];
    long size;

    kit_make(k, false);
    snprintf(copy, sizeof copy, "%s/copy", k->root);
    kit_copy(k->dir, copy);
    assert_true(kit_file(copy, "meta", "data.mdb", 0, path));
    size = kit_size(path);
    for (long at = 4096; at < size; at += 4096) {
        struct kit_report r;

        kit_zero(path, at, 4096);
        r = kit_check(copy, false);
        assert_int_equal(r.rc, 0);
        free(r.text);
        kit_cut(path, at);
        r = kit_check(copy, false);
        assert_int_equal(r.rc, 0);
        free(r.text);
        kit_copy(k->dir, copy);
    }
    kit_zero(path, 0, 8192);
    is_damaged(copy, "data.mdb");
    assert_int_equal(unlink(path), 0);
    is_damaged(copy, "data.mdb");
}

static void
test_snapshot(void **state)
{
    struct kit *k = *state;
    char path[512];

    kit_make(k, true);
    assert_true(kit_file(k->dir, "", "snapshot-0", 0, path));
    kit_flip(path, kit_size(path) / 2, 1);
    is_damaged(k->dir, "snapshot-0");
}

/* A record that is right in itself, but contradicts the others. */
static void
test_cross_references(void **state)
{
    struct kit *k = *state;
    uint8_t key[17] = {'T', 1, 2, 3};

    kit_open(k, k->dir);
    kit_records(k);
    kit_fill(k, 1, 20);
    kit_put(k, span_of(key, sizeof key), span_of("\x0a\x01g\x10\x01", 5),
        false); /* topic g, one partition instead of three */
    seq_turn(k->seq);
    kit_close(k);
    is_damaged(k->dir, "data.mdb");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
        T(test_clean_folder_after_a_kill_and_after_a_stop),
        T(test_running_server_is_refused),
        T(test_identity),
        T(test_every_byte_of_a_segment),
        T(test_segment_cut_zeroed_gone),
        T(test_index_damage_is_a_note),
        T(test_identity_of_a_topic),
        T(test_journal),
        T(test_lost_journal_file),
        T(test_first_frame),
        T(test_segments_ahead_of_the_journal),
        T(test_random_flips_in_lmdb),
        T(test_lmdb_cut_zeroed_gone),
        T(test_snapshot),
        T(test_cross_references),
#undef T
    };

    return cmocka_run_group_tests_name("offline/check", tests, NULL, NULL);
}
