/*
 * The disk says no: each call in turn fails, or is full, or reads short.
 * Whatever happens, nothing wrong is ever read, and a plog that is opened
 * again at its last checkpoint takes the same batches.
 */
#include "config.h"

#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

struct bed {
    struct fault_world world;
    struct segcache *cache;
    struct plog_config config;
    char *folder;
    char path[200];
    struct plog *plog;
    struct model model;
};

static void
bed_open(struct bed *b)
{
    *b = (struct bed){.config = {.segment_bytes = 1000}};
    fault_init(&b->world);
    b->cache = segcache_new(&b->world.world, 2, 10000);
    b->folder = kit_folder();
    snprintf(b->path, sizeof b->path, "%s/0", b->folder);
    assert_int_equal(plog_open(b->cache, b->path, &b->config, NULL, &b->plog,
        NULL), 0);
}

static void
bed_close(struct bed *b)
{
    fault_clear(&b->world);
    plog_check(b->plog);
    plog_close(b->plog);
    segcache_free(b->cache);
    assert_int_equal(b->world.open_now, 0);
    kit_folder_remove(b->folder);
    model_release(&b->model);
}

static void
bed_restart(struct bed *b, const struct plog_state *st)
{
    fault_clear(&b->world);
    plog_close(b->plog);
    assert_int_equal(plog_open(b->cache, b->path, &b->config, st, &b->plog,
        NULL), 0);
}

static void
model_fill(struct model *m, int count)
{
    for (int i = 0; i < count; i++)
        model_add(m, &(struct kit_spec){.records = 1, .value_size = 100,
            .timestamp = 1000 + i, .epoch = m->count + 1});
}

static void
a_failed_write_poisons(void **state)
{
    struct err err = {0};
    struct plog_state st;
    struct bed b;

    bed_open(&b);
    model_fill(&b.model, 20);
    assert_int_equal(model_append(&b.model, b.plog, 0, 7, NULL), 0);
    assert_int_equal(plog_sync(b.plog, NULL), 0);
    plog_state_get(b.plog, &st);
    fault_set(&b.world, FAULT_PWRITEV, 2, EIO);
    b.world.partial = true;
    assert_int_equal(model_append(&b.model, b.plog, 7, 13, &err), -1);
    assert_int_equal(err.code, EIO);
    assert_true(plog_poisoned(b.plog));
    /* no retry, but reads go on */
    assert_int_equal(model_append(&b.model, b.plog, 7, 13, &err), -1);
    assert_int_equal(plog_sync(b.plog, &err), -1);
    assert_int_equal(b.world.calls[FAULT_FDATASYNC], 0);
    model_read_all(&b.model, b.plog);
    bed_restart(&b, &st);
    assert_int_equal(model_append(&b.model, b.plog, 0, 20, NULL), 0);
    model_read_all(&b.model, b.plog);
    plog_state_release(&st);
    bed_close(&b);
}

static void
a_failed_sync_poisons(void **state)
{
    static const enum fault_op ops[] = {FAULT_FDATASYNC, FAULT_FSYNC};
    struct err err = {0};

    for (size_t i = 0; i < 2; i++) {
        struct bed b;
        unsigned syncs;

        bed_open(&b);
        model_fill(&b.model, 20);
        assert_int_equal(model_append(&b.model, b.plog, 0, 20, NULL), 0);
        fault_set(&b.world, ops[i], 2, EIO);
        assert_int_equal(plog_sync(b.plog, &err), -1);
        assert_true(plog_poisoned(b.plog));
        syncs = b.world.calls[ops[i]];
        assert_int_equal(plog_sync(b.plog, &err), -1);
        assert_int_equal(b.world.calls[ops[i]], syncs);
        assert_int_equal(model_append(&b.model, b.plog, 0, 20, &err), -1);
        model_read_all(&b.model, b.plog);
        bed_restart(&b, NULL);
        assert_int_equal(model_append(&b.model, b.plog, 0, 20, NULL), 0);
        model_read_all(&b.model, b.plog);
        bed_close(&b);
    }
}

static void
sync_covers_files_folder_and_its_name(void **state)
{
    struct bed b;

    bed_open(&b);
    model_fill(&b.model, 20);
    assert_int_equal(model_append(&b.model, b.plog, 0, 12, NULL), 0);
    fault_clear(&b.world);
    assert_int_equal(plog_sync(b.plog, NULL), 0);
    assert_int_equal(b.world.calls[FAULT_FDATASYNC], 3);
    assert_int_equal(b.world.calls[FAULT_FSYNC], 2);     /* and its parent */
    /* no new file */
    assert_int_equal(model_append(&b.model, b.plog, 12, 2, NULL), 0);
    fault_clear(&b.world);
    assert_int_equal(plog_sync(b.plog, NULL), 0);
    assert_int_equal(b.world.calls[FAULT_FDATASYNC], 1);
    assert_int_equal(b.world.calls[FAULT_FSYNC], 0);
    /* a new one */
    assert_int_equal(model_append(&b.model, b.plog, 14, 6, NULL), 0);
    fault_clear(&b.world);
    assert_int_equal(plog_sync(b.plog, NULL), 0);
    assert_int_equal(b.world.calls[FAULT_FSYNC], 1);
    /* nothing to do */
    fault_clear(&b.world);
    assert_int_equal(plog_sync(b.plog, NULL), 0);
    assert_int_equal(b.world.calls[FAULT_FDATASYNC], 0);
    bed_close(&b);
}

static void
a_full_disk_is_waited_for(void **state)
{
    static const enum fault_op ops[] = {
        FAULT_PWRITEV, FAULT_OPEN, FAULT_MKDIR};
    struct err err = {0};

    for (size_t i = 0; i < 3; i++) {
        for (unsigned at = 1;; at++) {
            struct plog_state st;
            struct bed b;
            unsigned fired;
            int rc;

            bed_open(&b);
            model_fill(&b.model, 22);
            fault_set(&b.world, ops[i], at, ENOSPC);
            b.world.partial = at % 2;
            rc = model_append(&b.model, b.plog, 0, 22, &err);
            fired = b.world.fired;
            fault_clear(&b.world);
            if (rc != 0) {
                assert_int_equal(err.code, ENOSPC);
                model_read_all(&b.model, b.plog);
                assert_int_equal(model_append(&b.model, b.plog, 0, 22, &err),
                    0);
            }
            assert_false(plog_poisoned(b.plog));
            assert_int_equal(plog_sync(b.plog, NULL), 0);
            plog_state_get(b.plog, &st);
            assert_int_equal(st.written, 22);
            for (size_t j = 0; j < st.segment_count; j++)
                assert_int_equal(kit_size(kit_path(b.path, &st.segments[j],
                    ".log")), st.segments[j].size);
            plog_state_release(&st);
            model_read_all(&b.model, b.plog);
            bed_close(&b);
            if (fired == 0) {
                assert_true(at > 1);
                break;
            }
        }
    }
}

/* Appends in small steps, with a checkpoint, a trim and reads between, until
 * something fails. */
static int
live_a_while(struct bed *b, struct plog_state *st, struct err *err)
{
    for (size_t i = 0; i < 21; i += 3) {
        if (model_append(&b->model, b->plog, i, 3, err) != 0)
            return -1;
        if (i != 9)
            continue;
        if (plog_sync(b->plog, err) != 0)
            return -1;
        plog_state_release(st);
        plog_trim(b->plog, 6);
        plog_state_get(b->plog, st);
        if (plog_unlink_doomed(b->plog, err) != 0)
            return -1;
    }
    return plog_sync(b->plog, err);
}

static void
whatever_fails_a_restart_mends_it(void **state)
{
    for (enum fault_op op = 0; op < FAULT_OPS; op++) {
        for (unsigned at = 1;; at++) {
            struct plog_state st = {0};
            struct err err = {0};
            unsigned fired;
            struct bed b;

            bed_open(&b);
            model_fill(&b.model, 21);
            fault_set(&b.world, op, at, EIO);
            b.world.partial = true;
            (void)live_a_while(&b, &st, &err);
            fired = b.world.fired;
            fault_clear(&b.world);
            model_read_all(&b.model, b.plog);
            bed_restart(&b, &st);
            assert_int_equal(model_append(&b.model, b.plog, 0, 21, &err), 0);
            plog_trim(b.plog, 6);
            model_read_all(&b.model, b.plog);
            assert_int_equal(plog_verify(b.plog, NULL, NULL, NULL), 0);
            assert_int_equal(plog_sync(b.plog, &err), 0);
            plog_state_release(&st);
            bed_close(&b);
            if (fired == 0)
                break;
        }
    }
}

/* An error, or the right bytes; never wrong ones. code 0: short. */
static void
read_with_fault(struct bed *b, int64_t offset, unsigned at, int code)
{
    struct plog_want want = {offset, INT64_MAX, 2000};
    const struct plog_chunk *c = model_at(&b->model, offset);
    enum plog_status status;
    struct plog_found found;
    struct plog_got got;
    struct arena arena;
    struct buf out;

    buf_init(&out, 1 << 20);
    fault_set(&b->world, FAULT_PREAD, at, code);
    status = plog_read(b->plog, &want, &out, &got, NULL);
    if (status == PLOG_OK) {
        assert_int_equal(got.base_offset, c->base_offset);
        assert_memory_equal(out.ptr, c->bytes.ptr, c->bytes.len);
    } else {
        assert_int_equal(b->world.fired, 1);
        assert_int_equal(status, code == 0 ? PLOG_DAMAGED : PLOG_FAILED);
        assert_int_equal(out.len, 0);
    }
    buf_release(&out);

    arena_init(&arena, MIB);
    fault_set(&b->world, FAULT_PREAD, at, code);
    status = plog_find_time(b->plog, c->max_timestamp, &arena, &found, NULL);
    if (status == PLOG_OK && b->world.fired == 0)
        assert_int_equal(found.offset, offset);
    else if (code != 0 && b->world.fired > 0)
        assert_true(status == PLOG_FAILED || found.offset == offset);
    fault_clear(&b->world);
    arena_release(&arena);
}

static void
reads_never_give_wrong_bytes(void **state)
{
    struct bed b;

    bed_open(&b);
    b.config.segment_bytes = 3000;
    plog_configure(b.plog, &b.config);
    model_fill(&b.model, 60);
    assert_int_equal(model_append(&b.model, b.plog, 0, 60, NULL), 0);
    for (int64_t offset = 0; offset < 60; offset += 7) {
        for (unsigned at = 1; at < 12; at++) {
            read_with_fault(&b, offset, at, EIO);
            read_with_fault(&b, offset, at, 0);
            model_read_check(&b.model, b.plog, offset, 1000);
        }
    }
    assert_false(plog_poisoned(b.plog));
    model_read_all(&b.model, b.plog);
    bed_close(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_write_poisons),
        cmocka_unit_test(a_failed_sync_poisons),
        cmocka_unit_test(sync_covers_files_folder_and_its_name),
        cmocka_unit_test(a_full_disk_is_waited_for),
        cmocka_unit_test(whatever_fails_a_restart_mends_it),
        cmocka_unit_test(reads_never_give_wrong_bytes),
    };

    return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
