/* The sequencer, from linking to recovery, in one thread. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "epoch/seq.h"
#include "epoch/snapshot.h"
#include "record/batch.h"

struct fixture {
    char dir[64];
    struct seq *seq;
    struct tail *tail[3];
    int replayed;
    uint64_t journal_first;      /* 0: 1 MiB */
};

static const struct uuid topic = {{1, 2, 3}};

static void
saw(void *arg, struct tail *t, struct span batch)
{
    struct fixture *f = arg;

    (void)t;
    (void)batch;
    f->replayed++;
}

static void
fixture_start(struct fixture *f, bool threads)
{
    struct seq_options o = {.dir = f->dir, .world = world_real(),
        .durability = DURABILITY_POWER, .threads = threads,
        .disk_floor = 1, .ballast = 4096,
        .journal_first = f->journal_first > 0 ? f->journal_first : 1 * MIB};
    struct err err = {0};

    if (seq_open(&f->seq, &o, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < 3; i++) {
        f->tail[i] = seq_tail(f->seq, &topic, i, 0, NULL, &err);
        if (f->tail[i] == NULL)
            fail_msg("%s", err.text);
    }
    f->replayed = 0;
    if (seq_start(f->seq, saw, f, &err) < 0)
        fail_msg("%s", err.text);
}

static void
fixture_stop(struct fixture *f)
{
    for (int i = 0; i < 3; i++)
        tail_unref(f->tail[i]);
    seq_close(f->seq);
    f->seq = NULL;
}

/* One that was opened and not started. */
static void
fixture_stop_seq(struct fixture *f)
{
    seq_close(f->seq);
    f->seq = NULL;
}

static int
setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);

    snprintf(f->dir, sizeof f->dir, "seq-test.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char cmd[128];

    if (f->seq != NULL)
        fixture_stop(f);
    snprintf(cmd, sizeof cmd, "rm -rf %s", f->dir);
    assert_int_equal(system(cmd), 0);
    free(f);
    return 0;
}

static int published;

static void
was_published(struct effect *e)
{
    (void)e;
    published++;
}

static void
freed(struct effect *e)
{
    effect_unref_tails(e);
    for (uint32_t i = 0; i < e->n_ops; i++) {
        union { const uint8_t *c; void *p; } k = {e->op[i].key.ptr},
            v = {e->op[i].value.ptr};

        free(k.p);
        free(v.p);
    }
    for (uint32_t i = 0; i < e->n_blocks; i++) {
        union { const uint8_t *c; void *p; } k = {e->blocks[i].bytes.ptr};

        free(k.p);
    }
    free(e->batches);
    free(e->op);
    free(e->blocks);
    free(e);
}

static const struct effect_ops ops = {NULL, was_published, freed};

static struct effect *
effect_of(struct tail *t, const char *text, int records)
{
    struct effect *e = xcalloc(1, sizeof *e);
    struct batch_builder bb;
    struct buf b;
    struct batch head;
    struct chunk *c;

    buf_init(&b, 1 * MIB);
    batch_builder_init(&bb, &b);
    for (int i = 0; i < records; i++)
        batch_builder_add(&bb, 1000 + i, SPAN_NULL, span_str(text), NULL, 0);
    assert_int_equal(batch_builder_end(&bb, &BATCH_BUILD_PLAIN, NULL), 0);
    assert_int_equal(batch_parse(buf_span(&b), &head), BATCH_OK);
    c = chunk_new(b.len);
    memcpy(c->data, b.ptr, b.len);
    e->magic = EFFECT_MAGIC;
    e->ops = &ops;
    e->batches = xcalloc(1, sizeof *e->batches);
    e->n_batches = 1;
    e->batches[0] = (struct effect_batch){.tail = tail_ref(t),
        .crc = head.crc,
        .batch = {.chunk = c, .bytes = c->data, .size = (uint32_t)b.len,
            .last = records - 1, .max_timestamp = head.max_timestamp}};
    buf_release(&b);
    return e;
}

static void
link_effect(struct fixture *f, struct effect *e)
{
    e->reserved = effect_cost(e);
    while (!seq_reserve(f->seq, e->reserved)) {
        seq_turn(f->seq);
        seq_keep(f->seq, true);
    }
    seq_link(f->seq, e);
}

/* Reads a whole log, files and memory; returns the records' count. */
static int
count_records(struct fixture *f, int p)
{
    struct tail *t = f->tail[p];
    int64_t at = t->log_start;
    int n = 0;

    while (at < t->hw) {
        struct tail_slice s[4];
        bool cold;
        size_t got = tail_read(t, at, t->hw, 1 * MIB, s, 4, &cold);

        if (cold) {
            struct plog_want w = {.offset = at, .end_offset = t->hw,
                .max_bytes = 1 * MIB};
            struct plog_got g;
            struct buf out;
            struct err err;

            buf_init(&out, 16 * MIB);
            if (plog_read(t->plog, &w, &out, &g, &err) != PLOG_OK)
                fail_msg("plog_read at %lld", (long long)at);
            n += (int)(g.next_offset - at);
            at = g.next_offset;
            buf_release(&out);
            continue;
        }
        assert_true(got > 0);
        for (size_t i = 0; i < got; i++) {
            n += (int)(s[i].last - s[i].base + 1);
            at = s[i].last + 1;
            chunk_unref(s[i].chunk);
        }
    }
    return n;
}

static void
test_link_publish_reopen(void **state)
{
    struct fixture *f = *state;
    int64_t end;

    fixture_start(f, false);
    published = 0;
    link_effect(f, effect_of(f->tail[0], "hello", 3));
    link_effect(f, effect_of(f->tail[1], "world", 2));
    assert_int_equal(f->tail[0]->end, 3);
    assert_int_equal(f->tail[0]->hw, 0);
    assert_int_equal(published, 0);
    seq_turn(f->seq);
    assert_int_equal(published, 2);
    assert_int_equal(f->tail[0]->hw, 3);
    assert_int_equal(f->tail[1]->hw, 2);
    for (int i = 0; i < 100; i++) {
        link_effect(f, effect_of(f->tail[i % 3], "more", i % 7 + 1));
        if (i % 5 == 0)
            seq_turn(f->seq);
    }
    seq_turn(f->seq);
    end = f->tail[0]->end;
    fixture_stop(f);
    fixture_start(f, false);
    assert_int_equal(f->tail[0]->hw, end);
    assert_int_equal(count_records(f, 0), end);
    assert_int_equal(count_records(f, 1), f->tail[1]->hw);
}

/* The process dies: nothing is closed, the next start finds it all. */
static void
test_dies_and_replays(void **state)
{
    struct fixture *f = *state;
    int64_t hw[3];

    fixture_start(f, false);
    for (int i = 0; i < 50; i++) {
        link_effect(f, effect_of(f->tail[i % 3], "alive", 2));
        seq_turn(f->seq);
        if (i == 20)
            seq_keep(f->seq, true);
    }
    link_effect(f, effect_of(f->tail[0], "never published", 2));
    for (int i = 0; i < 3; i++)
        hw[i] = f->tail[i]->hw;
    /* A copy of the folder is what the disk holds after kill -9. */
    char cmd[256];
    snprintf(cmd, sizeof cmd, "cp -r %s %s.copy && rm -f %s.copy/lock",
        f->dir, f->dir, f->dir);
    assert_int_equal(system(cmd), 0);
    fixture_stop(f);
    snprintf(cmd, sizeof cmd, "rm -rf %s && mv %s.copy %s", f->dir, f->dir,
        f->dir);
    assert_int_equal(system(cmd), 0);
    fixture_start(f, false);
    assert_int_equal(f->replayed, 29);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(f->tail[i]->hw, hw[i]);
        tail_check(f->tail[i]);
        assert_int_equal(count_records(f, i), hw[i]);
    }
    link_effect(f, effect_of(f->tail[0], "goes on", 1));
    seq_turn(f->seq);
    assert_int_equal(f->tail[0]->hw, hw[0] + 1);
}

static void
put_block(struct fixture *f, struct shelf *s, const char *k, const char *v,
    uint64_t run)
{
    struct effect *e = xcalloc(1, sizeof *e);
    struct buf b;

    buf_init(&b, 4096);
    block_put(&b, span_str(k), v == NULL ? SPAN_NULL : span_str(v));
    assert_int_equal(shelf_apply(s, buf_span(&b), run), 0);
    e->magic = EFFECT_MAGIC;
    e->ops = &ops;
    e->blocks = xcalloc(1, sizeof *e->blocks);
    e->n_blocks = 1;
    e->blocks[0] = (struct effect_block){.shelf = s, .run = run,
        .crc = crc32c(0, b.ptr, b.len)};
    e->blocks[0].bytes.ptr = buf_take(&b, &e->blocks[0].bytes.len);
    link_effect(f, e);
}

static void
holds(struct fixture *f, struct shelf *s, enum state_view view,
    const char *k, const char *want)
{
    struct state_reader r;
    struct arena a;
    struct span v;
    struct err err;
    int rc;

    arena_init(&a, 1 * MIB);
    assert_int_equal(state_reader_init(&r, seq_state(f->seq), &err), 0);
    rc = state_get(&r, s, view, span_str(k), &a, &v, &err);
    assert_int_equal(rc, want != NULL);
    if (want != NULL) {
        assert_int_equal(v.len, strlen(want));
        assert_memory_equal(v.ptr, want, v.len);
    }
    state_reader_release(&r);
    arena_release(&a);
}

static void
test_state_versions(void **state)
{
    struct fixture *f = *state;
    struct shelf *s;

    fixture_start(f, false);
    s = state_shelf(seq_state(f->seq), 1, 0);
    put_block(f, s, "ipad", "10", 1);
    holds(f, s, STATE_NEWEST, "ipad", "10");
    holds(f, s, STATE_PUBLISHED, "ipad", NULL);
    seq_turn(f->seq);
    holds(f, s, STATE_PUBLISHED, "ipad", "10");
    put_block(f, s, "ipad", "9", 2);
    holds(f, s, STATE_PUBLISHED, "ipad", "10");
    seq_keep(f->seq, false);
    seq_turn(f->seq);
    holds(f, s, STATE_PUBLISHED, "ipad", "9");
    seq_keep(f->seq, true);
    assert_int_equal(s->overlay.map.count, 0);
    holds(f, s, STATE_NEWEST, "ipad", "9");
    put_block(f, s, "ipad", NULL, 3);
    put_block(f, s, "mac", "1", 3);
    holds(f, s, STATE_NEWEST, "ipad", NULL);
    holds(f, s, STATE_PUBLISHED, "ipad", "9");
    seq_turn(f->seq);
    fixture_stop(f);
    fixture_start(f, false);
    s = state_shelf(seq_state(f->seq), 1, 0);
    holds(f, s, STATE_PUBLISHED, "ipad", NULL);
    holds(f, s, STATE_PUBLISHED, "mac", "1");
}

struct scanned {
    char text[512];
};

static int
scan_into(void *arg, struct span key, struct span value, struct err *err)
{
    struct scanned *s = arg;
    size_t n = strlen(s->text);

    (void)err;
    snprintf(s->text + n, sizeof s->text - n, "%.*s=%.*s ", (int)key.len,
        (const char *)key.ptr, (int)value.len, (const char *)value.ptr);
    return 0;
}

static void
test_scan_merges_overlay_and_lmdb(void **state)
{
    struct fixture *f = *state;
    struct state_reader r;
    struct scanned got = {{0}};
    struct arena a;
    struct shelf *s;
    struct err err;

    fixture_start(f, false);
    s = state_shelf(seq_state(f->seq), 7, 1);
    put_block(f, s, "a", "1", 1);
    put_block(f, s, "c", "1", 2);
    put_block(f, s, "e", "1", 3);
    seq_turn(f->seq);
    seq_keep(f->seq, true);
    put_block(f, s, "b", "2", 4);
    put_block(f, s, "c", NULL, 5);
    put_block(f, s, "e", "2", 6);
    arena_init(&a, 4 * MIB);
    assert_int_equal(state_reader_init(&r, seq_state(f->seq), &err), 0);
    assert_int_equal(state_scan(&r, s, STATE_NEWEST, SPAN_NULL, SPAN_NULL,
        100, &a, scan_into, &got, &err), 0);
    assert_string_equal(got.text, "a=1 b=2 e=2 ");
    got.text[0] = '\0';
    assert_int_equal(state_scan(&r, s, STATE_PUBLISHED, span_str("b"),
        span_str("e"), 100, &a, scan_into, &got, &err), 0);
    assert_string_equal(got.text, "c=1 ");
    state_reader_release(&r);
    arena_release(&a);
    seq_turn(f->seq);
}

static void
test_journal_wraps(void **state)
{
    struct fixture *f = *state;
    char *big = xmalloc(20000);
    int64_t hw[3];

    memset(big, 'x', 19999);
    big[19999] = '\0';
    fixture_start(f, false);
    for (int i = 0; i < 400; i++) {
        link_effect(f, effect_of(f->tail[i % 3], big, 1));
        if (i % 3 == 0)
            seq_turn(f->seq);
        if (i % 10 == 0)
            seq_keep(f->seq, false);
    }
    seq_turn(f->seq);
    for (int i = 0; i < 3; i++)
        hw[i] = f->tail[i]->hw;
    fixture_stop(f);
    fixture_start(f, false);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(f->tail[i]->hw, hw[i]);
        assert_int_equal(count_records(f, i), hw[i]);
    }
    free(big);
}

static void
test_with_threads(void **state)
{
    struct fixture *f = *state;
    int64_t hw[3];

    fixture_start(f, true);
    published = 0;
    for (int i = 0; i < 2000; i++) {
        struct effect *e = effect_of(f->tail[i % 3], "threads", 3);

        e->reserved = effect_cost(e);
        while (!seq_reserve(f->seq, e->reserved)) {
            seq_turn(f->seq);
            usleep(100);
        }
        seq_link(f->seq, e);
        if (i % 7 == 0)
            seq_turn(f->seq);
    }
    while (published < 2000)
        seq_turn(f->seq);
    for (int i = 0; i < 3; i++)
        hw[i] = f->tail[i]->hw;
    fixture_stop(f);
    fixture_start(f, true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(f->tail[i]->hw, hw[i]);
        assert_int_equal(count_records(f, i), hw[i]);
    }
}

/* ---- leader epochs ---- */

static void
ends_at(struct tail *t, int32_t epoch, int32_t found, int64_t end)
{
    int64_t got_end;
    int32_t got;

    tail_epoch_end(t, epoch, t->hw, &got, &got_end);
    assert_int_equal(got, found);
    assert_int_equal(got_end, end);
}

static void
leader_epochs_are(struct tail *t)
{
    ends_at(t, -1, -1, -1);
    ends_at(t, 0, 0, 5);
    ends_at(t, 1, 0, 5);         /* one without records */
    ends_at(t, 2, 2, 9);
    ends_at(t, 3, 3, 11);
    ends_at(t, 7, 3, 11);        /* the present one has none yet */
    ends_at(t, 9, 9, t->hw);
    ends_at(t, 10, -1, -1);
}

static void
test_leader_epochs_are_kept(void **state)
{
    struct fixture *f = *state;
    struct tail *t;

    fixture_start(f, false);
    t = f->tail[0];
    link_effect(f, effect_of(t, "a", 5));
    seq_turn(f->seq);
    t->leader_epoch = 2;
    link_effect(f, effect_of(t, "b", 3));
    link_effect(f, effect_of(t, "c", 1));
    seq_turn(f->seq);
    seq_keep(f->seq, true);      /* these are in LMDB, the rest in frames */
    t->leader_epoch = 3;
    link_effect(f, effect_of(t, "d", 2));
    seq_turn(f->seq);
    t->leader_epoch = 9;
    leader_epochs_are(t);
    for (int i = 0; i < 2; i++) {
        fixture_stop(f);
        fixture_start(f, false);
        t = f->tail[0];
        t->leader_epoch = 9;
        leader_epochs_are(t);
        seq_keep(f->seq, true);
    }
}

/* ---- LMDB and its snapshot ---- */

static void
fill_store(struct fixture *f, uint64_t run, int keys)
{
    struct shelf *s = state_shelf(seq_state(f->seq), 1, 0);
    char key[32], value[400];

    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < keys; i++) {
        snprintf(key, sizeof key, "key-%d-%d", (int)run, i);
        put_block(f, s, key, value, run + (uint64_t)i);
    }
    seq_turn(f->seq);
    seq_keep(f->seq, true);
}

/* A page that LMDB would touch behind the end of its file is a SIGBUS. */
static void
test_lmdb_cut_short_is_refused(void **state)
{
    struct fixture *f = *state;
    struct seq_options o = {.dir = f->dir, .world = world_real(),
        .disk_floor = 1, .ballast = 4096};
    char path[128], cmd[512];
    struct stat st;
    int refused = 0;

    fixture_start(f, false);
    fill_store(f, 1, 600);
    fixture_stop(f);
    snprintf(path, sizeof path, "%s/meta/data.mdb", f->dir);
    assert_int_equal(stat(path, &st), 0);
    snprintf(cmd, sizeof cmd, "cp %s %s.good", path, path);
    assert_int_equal(system(cmd), 0);
    for (off_t size = st.st_size - 1; size > 0; size -= 7 * 4096 + 1) {
        struct err err = {0};

        snprintf(cmd, sizeof cmd, "cp %s.good %s", path, path);
        assert_int_equal(system(cmd), 0);
        assert_int_equal(truncate(path, size), 0);
        if (seq_open(&f->seq, &o, &err) == 0) {
            /* What was cut off held nothing. */
            fixture_stop_seq(f);
            continue;
        }
        assert_int_equal(err.code, ERR_DAMAGE);
        refused++;
    }
    assert_true(refused > 5);
    assert_int_equal(unlink(path), 0);
    f->seq = NULL;
    {
        struct err err = {0};

        assert_int_equal(seq_open(&f->seq, &o, &err), -1);
        assert_int_equal(err.code, ERR_DAMAGE);
        assert_int_equal(access(path, F_OK), -1);
    }
    f->seq = NULL;
}

/* Two places, the older one is replaced, and only when it is worth it. */
static void
test_the_keeper_writes_snapshots(void **state)
{
    struct fixture *f = *state;
    struct snapshot_head h[2];
    struct err err = {0};
    char path[SNAPSHOT_PATH];

    fixture_start(f, false);
    fill_store(f, 1, 3);
    assert_int_equal(seq_counters(f->seq)->snapshots, 1);
    fill_store(f, 10, 3);
    fill_store(f, 20, 3);
    assert_int_equal(seq_counters(f->seq)->snapshots, 1);
    for (int i = 0; i < 3; i++) {
        uint64_t before = seq_counters(f->seq)->snapshots;

        fill_store(f, 100000 * (uint64_t)(i + 1), 2000 << i);
        assert_true(seq_counters(f->seq)->snapshots > before);
        for (unsigned n = 0; n < 2; n++)
            assert_int_equal(snapshot_read(world_real(),
                snapshot_path(f->dir, n, path), &h[n], NULL, NULL, &err), 0);
        assert_true(h[0].cursor.epoch != h[1].cursor.epoch);
    }
    assert_int_equal(access(snapshot_path(f->dir, 2, path), F_OK), -1);
    fixture_stop(f);
}

/* ---- many starts ---- */

enum { STARTS = 280 };

/* A process that begins, says a word and dies. */
static void
start_and_die(struct fixture *f, int n)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        fixture_start(f, false);
        if (n == 0)
            seq_keep(f->seq, false); /* the journal's second file */
        link_effect(f, effect_of(f->tail[0], "one more", 1));
        seq_turn(f->seq);
        _exit(f->tail[0]->hw == n + 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

struct place {
    int fd;
    off_t pos;
    struct frame_header h;
};

/* The frames that stand in the journal. */
static size_t
frames_of(struct fixture *f, struct place *v, size_t room)
{
    size_t n = 0;

    for (unsigned i = 0; i < 8; i++) {
        uint8_t block[JOURNAL_BLOCK];
        char path[128];
        int fd;

        snprintf(path, sizeof path, "%s/journal/%08x.journal", f->dir, i);
        fd = open(path, O_RDWR);
        for (off_t at = 0; fd >= 0 && pread(fd, block, sizeof block, at)
                == sizeof block; at += (off_t)sizeof block) {
            struct frame_header h;

            if (frame_open(span_of(block, sizeof block), &h) == FRAME_OK
                && n < room)
                v[n++] = (struct place){fd, at, h};
        }
    }
    return n;
}

static void
test_the_newest_of_many_starts_is_known(void **state)
{
    struct fixture *f = *state;
    static struct place v[4 * STARTS];
    struct seq_options o = {.dir = f->dir, .world = world_real(),
        .disk_floor = 1, .ballast = 4096};
    struct err err = {0};
    uint8_t zero[64] = {0};
    size_t n, newest = 0, hit = 0;

    f->journal_first = 16 * MIB;
    for (int i = 0; i < STARTS; i++)
        start_and_die(f, i);
    n = frames_of(f, v, countof(v));
    for (size_t i = 0; i < n; i++)
        if (v[i].h.epoch > v[newest].h.epoch)
            newest = i;
    /* What the newest one names is lost, both copies of it: only who knows
     * the newest incarnation knows that there is something to miss. */
    for (size_t i = 0; i < n; i++) {
        if (v[i].h.check == v[newest].h.before) {
            assert_int_equal(pwrite(v[i].fd, zero, sizeof zero, v[i].pos),
                sizeof zero);
            hit++;
        }
    }
    assert_true(hit > 0);
    assert_int_equal(seq_open(&f->seq, &o, &err), -1);
    assert_int_equal(err.code, ERR_DAMAGE);
    f->seq = NULL;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_link_publish_reopen, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_dies_and_replays, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_state_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scan_merges_overlay_and_lmdb,
            setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_wraps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_with_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leader_epochs_are_kept, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_lmdb_cut_short_is_refused, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_the_keeper_writes_snapshots,
            setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_the_newest_of_many_starts_is_known, setup, teardown),
    };

    return cmocka_run_group_tests_name("epoch/seq", tests, NULL, NULL);
}
