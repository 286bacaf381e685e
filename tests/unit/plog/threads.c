/*
 * Readers beside a writer that appends, rolls, trims, checkpoints and
 * unlinks. Each offset's bytes are a function of the offset, so a reader can
 * tell what it got. Best run in a build with ThreadSanitizer.
 */
#include "config.h"

#include "kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"

enum { READERS = 3, BATCHES = 3000, STEP = 3 };

struct stage {
    struct plog *plog;
    struct model model;          /* complete before the threads start */
    _Atomic int64_t linked;      /* batches up to here were appended */
    atomic_bool over;
    atomic_uint reads, finds;
};

/* No cmocka in threads: assert() ends the test as well. */
static void
read_check(struct stage *s, int64_t offset)
{
    struct plog_want want = {offset, INT64_MAX, 3000};
    enum plog_status status;
    struct plog_extent x;
    struct plog_got got;
    struct buf out;
    const struct plog_chunk *c;

    buf_init(&out, MIB);
    status = plog_read(s->plog, &want, &out, &got, NULL);
    plog_extent(s->plog, &x);
    if (status == PLOG_OK) {
        c = model_at(&s->model, offset);
        assert(got.base_offset == c->base_offset);
        assert(out.len >= c->bytes.len);
        assert(memcmp(out.ptr, c->bytes.ptr, c->bytes.len) == 0);
        assert(got.next_offset <= x.written);
        atomic_fetch_add(&s->reads, 1);
    } else if (status == PLOG_BELOW) {
        assert(offset < x.log_start);
    } else {
        assert(status == PLOG_END);
    }
    buf_release(&out);
}

static void
find_check(struct stage *s, int64_t ts)
{
    enum plog_status status;
    struct plog_found found;
    struct arena arena;

    arena_init(&arena, 4 * MIB);
    status = plog_find_time(s->plog, ts, &arena, &found, NULL);
    assert(status == PLOG_OK || status == PLOG_END);
    if (status == PLOG_OK) {
        assert(found.timestamp >= ts);
        atomic_fetch_add(&s->finds, 1);
    }
    arena_release(&arena);
}

static void *
reader_main(void *arg)
{
    struct stage *s = arg;
    struct dice dice = {(uint64_t)(uintptr_t)&dice | 1};
    struct plog_extent x;

    while (!atomic_load(&s->over)) {
        plog_extent(s->plog, &x);
        assert(x.log_start <= x.written);
        if (x.written == 0)
            continue;
        read_check(s, x.log_start + (int64_t)dice_roll(&dice,
            (uint64_t)(x.written - x.log_start) + 1));
        read_check(s, x.log_start);
        if (dice_roll(&dice, 8) == 0)
            find_check(s, (int64_t)dice_roll(&dice, 2 * (uint64_t)x.written));
    }
    return NULL;
}

static void
keeper_step(struct stage *s, size_t i)
{
    struct plog_state st;
    struct plog_extent x;
    struct err err = {0};

    assert_int_equal(model_append(&s->model, s->plog, i, STEP, &err), 0);
    if (i % 90 == 0) {
        plog_extent(s->plog, &x);
        plog_trim(s->plog, x.log_start + (x.written - x.log_start) / 3);
    }
    if (i % 150 == 0) {
        assert_int_equal(plog_sync(s->plog, NULL), 0);
        plog_state_get(s->plog, &st);
        plog_state_release(&st);
        assert_int_equal(plog_unlink_doomed(s->plog, NULL), 0);
    }
    if (i % 300 == 0)
        plog_check(s->plog);
}

static void
readers_meet_only_whole_truths(void **state)
{
    struct plog_config config = {.segment_bytes = 5000,
        .index_interval = 512};
    struct segcache *cache = segcache_new(world_real(), 2, 500);
    char *folder = kit_folder();
    struct stage s = {0};
    pthread_t readers[READERS];

    for (size_t i = 0; i < BATCHES; i++)
        model_add(&s.model, &(struct kit_spec){.records = 1 + (int)(i % 3),
            .value_size = i % 300, .timestamp = 2 * (int64_t)i,
            .epoch = 1 + i, .attributes = i % 5 == 0 ? 3 : 0});
    assert_int_equal(plog_open(cache, folder, &config, NULL, &s.plog, NULL),
        0);
    for (int i = 0; i < READERS; i++)
        must(pthread_create(&readers[i], NULL, reader_main, &s));
    for (size_t i = 0; i + STEP <= BATCHES; i += STEP)
        keeper_step(&s, i);
    atomic_store(&s.over, true);
    for (int i = 0; i < READERS; i++)
        must(pthread_join(readers[i], NULL));
    print_message("# %u reads, %u finds\n", atomic_load(&s.reads),
        atomic_load(&s.finds));
    assert_true(atomic_load(&s.reads) > 0);
    model_read_all(&s.model, s.plog);
    plog_close(s.plog);
    segcache_free(cache);
    model_release(&s.model);
    kit_folder_remove(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_meet_only_whole_truths),
    };

    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
