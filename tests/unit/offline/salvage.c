/* penstock salvage: what can be read is in the new folder, in its place. */
#include "config.h"

#include "kit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "offline/folder.h"
#include "proto/store.pb-c.h"
#include "record/batch.h"

struct paths {
    char copy[128], to[128];
};

static struct paths
paths_of(const struct kit *k)
{
    struct paths p;

    snprintf(p.copy, sizeof p.copy, "%s/copy", k->root);
    snprintf(p.to, sizeof p.to, "%s/new", k->root);
    return p;
}

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

/* Salvages dir into to, which then must be sound. Returns what was lost. */
static uint64_t
salvage(const char *dir, const char *to, bool past_damage, char **text)
{
    uint64_t before = kit_bytes_hash(dir);
    struct kit_report r = kit_salvage(dir, to, false, past_damage);

    if (r.rc < 0)
        fail_msg("%s\n%s", r.err.text, r.text);
    if (kit_bytes_hash(dir) != before)
        fail_msg("the old folder was changed");
    is_clean(to);
    if (text != NULL)
        *text = r.text;
    else
        free(r.text);
    return r.damages;
}

static uint64_t
hash_of_copy(struct kit *k, const char *dir, bool logs, bool rest)
{
    char tmp[128];
    uint64_t sum;

    snprintf(tmp, sizeof tmp, "%s/hash", k->root);
    kit_copy(dir, tmp);
    sum = kit_hash(k, tmp, logs, rest);
    kit_remove(tmp);
    return sum;
}

static void
ids_of(const char *dir, struct uuid *cluster, struct uuid *data)
{
    struct datadir *d;
    struct err identity, err;

    assert_int_equal(datadir_open_readonly(&d, world_real(), dir, &identity,
        &err), 0);
    assert_int_equal(identity.code, 0);
    *cluster = d->cluster_id;
    *data = d->data_id;
    datadir_close(d);
}

static int
keep(void *arg, struct span key, struct span value, struct err *err)
{
    records_put(arg, key, value);
    return 0;
}

/* The records that LMDB has, by its file. */
static void
records_of(const char *dir, struct omap *map)
{
    struct stored_scan scan = {.space = META_RECORDS, .fn = keep, .arg = map};
    struct folder f;
    struct err err = {0};

    omap_init(map);
    if (folder_open(&f, world_real(), dir, &err) < 0 || f.lmdb == NULL
        || stored_scan(f.lmdb, &scan, &err) < 0)
        fail_msg("%s", err.text);
    folder_release(&f);
}

static int32_t
leader_epoch_of(const char *dir)
{
    uint8_t key[17] = {META_TOPIC, 1, 2, 3};
    Store__Topic *m;
    struct span value;
    struct omap map;
    int32_t n;

    records_of(dir, &map);
    assert_true(records_get(&map, span_of(key, sizeof key), &value));
    m = store__topic__unpack(NULL, value.len, value.ptr);
    assert_non_null(m);
    n = m->leader_epoch;
    store__topic__free_unpacked(m, NULL);
    records_release(&map);
    return n;
}

static void
test_sound_folder(void **state)
{
    struct kit *k = *state;
    struct paths p = paths_of(k);
    struct uuid cluster[2], data[2];
    uint64_t want, epoch;

    kit_make(k, false);
    want = hash_of_copy(k, k->dir, true, true);
    kit_copy(k->dir, p.copy);
    kit_open(k, p.copy);
    epoch = seq_open_epoch(k->seq);
    kit_close(k);
    assert_int_equal(salvage(k->dir, p.to, false, NULL), 0);
    ids_of(k->dir, &cluster[0], &data[0]);
    ids_of(p.to, &cluster[1], &data[1]);
    assert_true(uuid_eq(&cluster[0], &cluster[1]));
    assert_false(uuid_eq(&data[0], &data[1]));
    assert_int_equal(leader_epoch_of(k->dir), 0);
    assert_int_equal(leader_epoch_of(p.to), 1);
    assert_true(kit_hash(k, p.to, true, true) == want);
    is_clean(p.to);
    /* It goes on, with numbers that were never used. */
    kit_open(k, p.to);
    assert_true(seq_open_epoch(k->seq) > epoch);
    kit_append(k, 0, "goes on", 2, false);
    seq_turn(k->seq);
    kit_close(k);
    is_clean(p.to);
}

/* What a server appends to the new folder does not reach the old one. */
static void
test_folders_do_not_share_what_is_written(void **state)
{
    struct kit *k = *state;
    struct paths p = paths_of(k);
    uint64_t before;

    kit_make(k, false);
    before = kit_bytes_hash(k->dir);
    assert_int_equal(salvage(k->dir, p.to, false, NULL), 0);
    kit_open(k, p.to);
    kit_fill(k, 3, 100);
    seq_keep(k->seq, true);
    kit_trim(k, 0, 90);
    seq_turn(k->seq);
    seq_keep(k->seq, true);
    kit_close(k);
    assert_true(kit_bytes_hash(k->dir) == before);
    is_clean(k->dir);
    is_clean(p.to);
}

static void
producer_is_known(struct kit *k, const char *dir)
{
    uint8_t key[29] = {META_PRODUCER, 1, 2, 3};
    Store__Producer *m;
    struct span value;
    struct omap map;

    key[20] = 1; /* partition */
    key[28] = 7; /* producer */
    records_of(dir, &map);
    assert_true(records_get(&map, span_of(key, sizeof key), &value));
    m = store__producer__unpack(NULL, value.len, value.ptr);
    assert_non_null(m);
    assert_int_equal(m->n_window, 5);
    kit_open(k, dir);
    assert_int_equal(m->window[4]->last_offset, k->tail[1]->end - 1);
    assert_int_equal(m->window[4]->last_seq, k->tail[1]->end - 1);
    kit_close(k);
    store__producer__free_unpacked(m, NULL);
    records_release(&map);
}

static void
test_producers_know_the_last_batches(void **state)
{
    struct kit *k = *state;
    struct paths p = paths_of(k);

    kit_make(k, false);
    assert_int_equal(salvage(k->dir, p.to, false, NULL), 0);
    producer_is_known(k, p.to);
}

static void
test_targets(void **state)
{
    struct kit *k = *state;
    struct paths p = paths_of(k);
    struct kit_report r;
    char path[512];

    kit_make(k, false);
    r = kit_salvage(k->dir, p.to, true, false);
    assert_int_equal(r.rc, 0);
    assert_int_equal(r.damages, 0);
    assert_non_null(strstr(r.text, "would make"));
    assert_int_equal(access(p.to, F_OK), -1);
    free(r.text);
    kit_copy(k->dir, p.copy);
    r = kit_salvage(k->dir, p.copy, false, false);
    assert_int_equal(r.rc, -1);
    assert_int_equal(r.err.code, EEXIST);
    free(r.text);
    is_clean(p.copy);
    /* One that was cut short is begun again. */
    assert_int_equal(mkdir(p.to, 0700), 0);
    snprintf(path, sizeof path, "%s/creating", p.to);
    fclose(fopen(path, "w"));
    snprintf(path, sizeof path, "%s/topics", p.to);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(salvage(k->dir, p.to, false, NULL), 0);
}

/* Rule 16: snapshot, journal and segments give it all again. */
static void
test_lost_lmdb_with_a_snapshot(void **state)
{
    struct kit *k = *state;
    struct paths p = paths_of(k);
    char path[512];
    uint64_t want;

    kit_make(k, true);
    want = hash_of_copy(k, k->dir, true, true);
    assert_true(kit_file(k->dir, "meta", "data.mdb", 0, path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(salvage(k->dir, p.to, false, NULL), 0);
    producer_is_known(k, p.to);
    assert_true(kit_hash(k, p.to, true, true) == want);
}

static void
test_lost_lmdb_and_identity(void **state)
{
    struct kit *k = *state;
    struct paths p = paths_of(k);
    struct uuid cluster[2], data;
    char path[512];
    uint64_t want;

    kit_make(k, true);
    ids_of(k->dir, &cluster[0], &data);
    want = hash_of_copy(k, k->dir, true, true);
    assert_true(kit_file(k->dir, "meta", "data.mdb", 0, path));
    assert_int_equal(unlink(path), 0);
    assert_true(kit_file(k->dir, "", "penstock.id", 0, path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(salvage(k->dir, p.to, false, NULL), 0);
    ids_of(p.to, &cluster[1], &data);
    assert_true(uuid_eq(&cluster[0], &cluster[1]));
    assert_true(kit_hash(k, p.to, true, true) == want);
}

/* Nothing but the journal and the segments: the logs are all there. */
static void
test_lost_lmdb_without_a_snapshot(void **state)
{
    struct kit *k = *state;
    struct paths p = paths_of(k);
    struct omap map;
    struct span value;
    char path[512];
    uint8_t key[17] = {META_TOPIC, 1, 2, 3};
    uint64_t want;

    kit_make(k, false);
    want = hash_of_copy(k, k->dir, true, false);
    assert_true(kit_file(k->dir, "meta", "data.mdb", 0, path));
    assert_int_equal(unlink(path), 0);
    assert_true(salvage(k->dir, p.to, false, NULL) > 0);
    records_of(p.to, &map);
    assert_true(records_get(&map, span_of(key, sizeof key), &value));
    /* The first frames are still in the ring, and have its name. */
    assert_non_null(memmem(value.ptr, value.len, "orders", 6));
    records_release(&map);
    assert_true(kit_hash(k, p.to, true, false) == want);
    /* Without a journal there is no name. */
    kit_remove(p.to);
    while (kit_file(k->dir, "journal", ".journal", 0, path))
        assert_int_equal(unlink(path), 0);
    assert_true(salvage(k->dir, p.to, false, NULL) > 0);
    records_of(p.to, &map);
    assert_true(records_get(&map, span_of(key, sizeof key), &value));
    assert_non_null(memmem(value.ptr, value.len, "salvaged-0102030000", 19));
    records_release(&map);
    kit_hash(k, p.to, true, false);
}

static uint64_t
count_records(struct kit *k, int log, int64_t *end)
{
    uint64_t n = 0;
    struct tail *t = k->tail[log];

    *end = t->hw;
    for (int64_t at = t->log_start; at < t->hw;) {
        struct plog_want w = {.offset = at, .end_offset = t->hw,
            .max_bytes = 1};
        struct plog_got g;
        struct batch b;
        struct buf out;
        struct err err;

        buf_init(&out, 16 * MIB);
        assert_int_equal(plog_read(t->plog, &w, &out, &g, &err), PLOG_OK);
        assert_int_equal(batch_parse(buf_span(&out), &b), BATCH_OK);
        n += (uint64_t)b.record_count;
        at = g.next_offset;
        buf_release(&out);
    }
    return n;
}

/* One batch is damaged: it leaves a hole, all others keep their offsets. */
static void
test_damaged_batch(void **state)
{
    struct kit *k = *state;
    struct paths p = paths_of(k);
    uint64_t n, m;
    int64_t end, again;
    char path[512], *text;

    kit_make(k, false);
    kit_copy(k->dir, p.copy);
    kit_open(k, p.copy);
    seq_keep(k->seq, true);
    n = count_records(k, 0, &end);
    kit_close(k);
    kit_copy(k->dir, p.copy);
    for (int i = 0; i < 3; i++) {
        kit_remove(p.to);
        assert_true(kit_file(k->dir, "topics/01020300000000000000000000000000"
            "/0", ".log", i, path));
        kit_flip(path, 80, 1);
        assert_int_equal(salvage(k->dir, p.to, false, &text), 1);
        assert_non_null(strstr(text, "are lost"));
        free(text);
        kit_open(k, p.to);
        m = count_records(k, 0, &again);
        assert_int_equal(again, end);
        assert_true(m < n && m >= n - 5);
        kit_close(k);
        kit_flip(path, 80, 1);
    }
    is_clean(k->dir);
}

/* The ith segment of a log is gone. false: it has no such one. */
static bool
lost_segment(struct kit *k, int log, int i, bool lmdb, int64_t end)
{
    struct paths p = paths_of(k);
    char path[512], sub[64];

    kit_copy(k->dir, p.copy);
    kit_remove(p.to);
    snprintf(sub, sizeof sub, "topics/01020300000000000000000000000000/%d",
        log);
    if (!kit_file(p.copy, sub, ".log", i, path))
        return false;
    assert_int_equal(unlink(path), 0);
    if (!lmdb) {
        assert_true(kit_file(p.copy, "meta", "data.mdb", 0, path));
        assert_int_equal(unlink(path), 0);
    }
    /* The newest ones are in the journal, too. */
    assert_true(salvage(p.copy, p.to, false, NULL) > 0 || i > 0);
    kit_open(k, p.to);
    assert_int_equal(k->tail[log]->hw, end);
    kit_close(k);
    return true;
}

static void
test_lost_segments(void **state)
{
    struct kit *k = *state;
    struct paths p = paths_of(k);
    int64_t end[2];

    kit_make(k, true);
    kit_copy(k->dir, p.copy);
    kit_open(k, p.copy);
    end[0] = k->tail[0]->hw;
    end[1] = k->tail[1]->hw; /* with a producer */
    kit_close(k);
    for (int log = 0; log < 2; log++) {
        for (int i = 0; lost_segment(k, log, i, true, end[log]); i += 2)
            ;
        for (int i = 0; lost_segment(k, log, i, false, end[log]); i += 2)
            ;
    }
}

/* The first frame after the checkpoint is damaged: records behind it are
 * kept, the stores stand at the checkpoint. */
static void
test_damaged_journal(void **state)
{
    struct kit *k = *state;
    struct paths p = paths_of(k);
    struct kit_report r;
    char path[512], *text;
    uint64_t logs, rest;
    int damaged = 0, others = 0;

    kit_make(k, false);
    logs = hash_of_copy(k, k->dir, true, false);
    rest = hash_of_copy(k, k->dir, false, true);
    assert_true(kit_file(k->dir, "journal", ".journal", 0, path));
    for (long at = 0; at < kit_size(path); at += 4096) {
        kit_flip(path, at + 70, 0x20);
        r = kit_check(k->dir, false);
        free(r.text);
        if (r.damages > 0) {
            damaged++;
            kit_remove(p.to);
            salvage(k->dir, p.to, false, &text);
            /* The segments had been written: no record is lost at all. */
            if (kit_hash(k, p.to, true, false) != logs)
                fail_msg("logs differ: %s", text);
            free(text);
            others += kit_hash(k, p.to, false, true) != rest;
            kit_remove(p.to);
            salvage(k->dir, p.to, true, NULL);
            assert_true(kit_hash(k, p.to, true, false) == logs);
        }
        kit_flip(path, at + 70, 0x20);
    }
    assert_true(damaged >= 10);
    assert_true(others >= 9); /* frames without entries may be missed */
}

static void
test_random_damage_to_lmdb(void **state)
{
    struct kit *k = *state;
    struct paths p = paths_of(k);
    struct dice d = dice_seeded();
    uint64_t logs, rest;
    int same = 0, lost = 0;
    char path[512];

    kit_make(k, true);
    logs = hash_of_copy(k, k->dir, true, false);
    rest = hash_of_copy(k, k->dir, false, true);
    kit_copy(k->dir, p.copy);
    assert_true(kit_file(p.copy, "meta", "data.mdb", 0, path));
    for (int i = 0; i < 16; i++) {
        long pages = kit_size(path) / 4096;

        for (int n = (int)dice_roll(&d, 3) + 1; n > 0; n--) {
            long page = (long)dice_roll(&d, (uint64_t)pages);

            if (dice_roll(&d, 2) == 0)
                kit_zero(path, page * 4096, 4096);
            else
                kit_flip(path, page * 4096 + (long)dice_roll(&d, 4096),
                    (uint8_t)(1 << dice_roll(&d, 8)));
        }
        kit_remove(p.to);
        lost += salvage(p.copy, p.to, false, NULL) > 0;
        if (kit_hash(k, p.to, true, false) != logs)
            fail_msg("logs differ in round %d", i);
        same += kit_hash(k, p.to, false, true) == rest;
        kit_copy(k->dir, p.copy);
    }
    print_message("# of 16: %d with losses, %d equal in all\n", lost, same);
    assert_true(same >= 4);
}

/* Everything at once; the result must still be sound. */
static void
test_random_damage_everywhere(void **state)
{
    struct kit *k = *state;
    struct paths p = paths_of(k);
    struct dice d = dice_seeded();
    static const char *const places[][2] = {{"meta", "data.mdb"},
        {"journal", ".journal"}, {"topics", ".log"}, {"topics", ".index"},
        {"", "snapshot-0"}, {"", "penstock.id"}};

    kit_make(k, true);
    for (int i = 0; i < 20; i++) {
        struct kit_report r;

        kit_copy(k->dir, p.copy);
        for (int n = (int)dice_roll(&d, 12) + 1; n > 0; n--) {
            const char *const *place = places[dice_roll(&d, countof(places))];
            char path[512];
            long size;

            if (!kit_file(p.copy, place[0], place[1],
                    (int)dice_roll(&d, place[0][0] == 't' ? 20 : 2), path))
                continue;
            size = kit_size(path);
            switch (size < 10 ? 4 : dice_roll(&d, 5)) {
            case 0:
                kit_cut(path, (long)dice_roll(&d, (uint64_t)size));
                break;
            case 1:
                assert_int_equal(unlink(path), 0);
                break;
            case 2:
                kit_zero(path, size / 2, size / 4);
                break;
            default:
                if (size > 0)
                    kit_flip(path, (long)dice_roll(&d, (uint64_t)size),
                        (uint8_t)(1 << dice_roll(&d, 8)));
                break;
            }
        }
        r = kit_check(p.copy, true);
        free(r.text);
        kit_remove(p.to);
        salvage(p.copy, p.to, dice_roll(&d, 2) == 0, NULL);
        kit_hash(k, p.to, true, true);
        is_clean(p.to);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
        T(test_sound_folder),
        T(test_folders_do_not_share_what_is_written),
        T(test_producers_know_the_last_batches),
        T(test_targets),
        T(test_lost_lmdb_with_a_snapshot),
        T(test_lost_lmdb_and_identity),
        T(test_lost_lmdb_without_a_snapshot),
        T(test_damaged_batch),
        T(test_lost_segments),
        T(test_damaged_journal),
        T(test_random_damage_to_lmdb),
        T(test_random_damage_everywhere),
#undef T
    };

    return cmocka_run_group_tests_name("offline/salvage", tests, NULL, NULL);
}
